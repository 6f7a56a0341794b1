//! From cases to a table: CSV, or a workbook with a head that stays, dates as dates and numbers as numbers.

use std::path::Path;

use chrono::NaiveDate;
use rust_xlsxwriter::{Color, DataValidation, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use super::{COLUMNS, Column};
use crate::cases::facts::{ResolvedCase, known};
use crate::cases::suggest::written;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::{Diagnostic, Lang, code};
use crate::policy::document::{Expect, PolicyDocument};

/// The most digits that a number of a workbook holds exactly.
const EXACT: usize = 15;

/// A cell.
enum Cell {
    Empty,
    Text(String),
    Number(String),
    Date(NaiveDate),
}

/// Writes the cases of a policy to a table, by the ending of its path; those about registers have no place in it.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(
    path: &Path,
    document: &PolicyDocument,
    cases: &[&ResolvedCase],
    catalogue: &Catalogue,
    lang: Lang,
) -> Result<(), Box<Diagnostic>> {
    let facts = facts_of(cases);
    let mut heads = Vec::new();
    let mut rows: Vec<Vec<Cell>> = cases.iter().map(|_| Vec::new()).collect();
    let mut column = |head: String, cell: &dyn Fn(&ResolvedCase) -> Cell| {
        heads.push(head);
        rows.iter_mut().zip(cases).for_each(|(row, case)| row.push(cell(case)));
    };
    let word = |wanted: Column| {
        let found = COLUMNS.iter().find(|(column, ..)| *column == wanted);
        found.map_or("", |(_, zh, en)| if lang == Lang::Zh { *zh } else { *en }).to_owned()
    };
    column(word(Column::Name), &|case| Cell::Text(case.case.name.clone()));
    column(word(Column::AsOf), &|case| Cell::Date(case.case.as_of));
    for &id in &facts {
        column(head_of(catalogue, id, lang), &|case| given(catalogue, id, case, lang));
    }
    let expected_of = [Column::Verdict, Column::Amount, Column::Mode, Column::Missing, Column::Offer, Column::GivenUpFor, Column::Reasons];
    for wanted in expected_of {
        let is_used = |case: &&ResolvedCase| !matches!(expected(&case.case.expect, wanted), Cell::Empty);
        if wanted == Column::Verdict || cases.iter().any(is_used) {
            column(word(wanted), &|case| expected(&case.case.expect, wanted));
        }
    }
    column(word(Column::Because), &|case| case.case.because.clone().map_or(Cell::Empty, Cell::Text));
    let is_workbook = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"));
    let done = if is_workbook {
        workbook(path, document, &heads, &rows, lang).map_err(|error| error.to_string())
    } else {
        plain(path, &heads, &rows).map_err(|error| error.to_string())
    };
    done.map_err(|error| {
        let path = path.display();
        Box::new(Diagnostic::new(&code::OUTPUT_FAILED, format!("写不了 {path}: {error}"), format!("cannot write {path}: {error}")))
    })
}

/// The facts that the cases give, in the order in which they are first met.
fn facts_of(cases: &[&ResolvedCase]) -> Vec<FactId> {
    let mut facts: Vec<FactId> = Vec::new();
    for id in cases.iter().flat_map(|case| &case.order) {
        if !facts.contains(id) {
            facts.push(*id);
        }
    }
    facts
}

/// The label, where it leads back to the fact; else the name.
fn head_of(catalogue: &Catalogue, id: FactId, lang: Lang) -> String {
    let fact = catalogue.fact(id);
    let is_clear = known(catalogue, id.kind, &fact.label.zh) == Some(id) && Column::by_word(&fact.label.zh).is_none();
    if lang == Lang::Zh && is_clear { fact.label.zh.clone() } else { fact.name.to_string() }
}

fn given(catalogue: &Catalogue, id: FactId, case: &ResolvedCase, lang: Lang) -> Cell {
    let fact = catalogue.fact(id);
    match case.given.get(&id) {
        None => Cell::Empty,
        Some(None) => Cell::Text(if lang == Lang::Zh { "未知" } else { "null" }.to_owned()),
        Some(Some(Value::Bool(truth))) if lang == Lang::Zh => Cell::Text(if *truth { "是" } else { "否" }.to_owned()),
        Some(Some(value @ Value::Number(_))) => Cell::Number(written(fact, value)),
        Some(Some(Value::Date(day))) if !fact.ty.month => NaiveDate::from_epoch_days(*day).map_or(Cell::Empty, Cell::Date),
        Some(Some(Value::Text(text))) => Cell::Text(text.to_string()),
        Some(Some(value)) => Cell::Text(written(fact, value)),
    }
}

fn expected(expect: &Expect, column: Column) -> Cell {
    let list = |names: &Option<(Vec<String>, crate::diagnostic::Span)>| match names {
        None => Cell::Empty,
        Some((names, _)) if names.is_empty() => Cell::Text("[]".to_owned()),
        Some((names, _)) => Cell::Text(names.join("; ")),
    };
    let text = |found: &Option<(String, crate::diagnostic::Span)>| found.as_ref().map_or(Cell::Empty, |(text, _)| Cell::Text(text.clone()));
    match column {
        Column::Verdict => text(&expect.verdict),
        Column::Amount => expect.amount.as_ref().map_or(Cell::Empty, |(amount, _)| Cell::Number(amount.clone())),
        Column::Mode => text(&expect.mode),
        Column::GivenUpFor => text(&expect.given_up_for),
        Column::Missing => list(&expect.missing),
        Column::Offer => list(&expect.offer),
        Column::Reasons if expect.reasons.is_empty() => Cell::Empty,
        Column::Reasons => {
            let pairs = expect.reasons.iter().map(|(criterion, verdict, _)| format!("{criterion}: {verdict}"));
            Cell::Text(pairs.collect::<Vec<_>>().join("; "))
        }
        Column::Name | Column::AsOf | Column::Because => Cell::Empty,
    }
}

fn plain(path: &Path, heads: &[String], rows: &[Vec<Cell>]) -> Result<(), Box<dyn std::error::Error>> {
    // With a byte order mark, or spreadsheet programs take it for GB 18030.
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::Writer::from_writer(&mut bytes);
    writer.write_record(heads)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Number(text) => text.clone(),
            Cell::Date(day) => day.to_string(),
        }))?;
    }
    writer.flush()?;
    drop(writer);
    std::fs::write(path, bytes)?;
    Ok(())
}

fn workbook(path: &Path, document: &PolicyDocument, heads: &[String], rows: &[Vec<Cell>], lang: Lang) -> Result<(), XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.set_name(if lang == Lang::Zh { "案例" } else { "cases" })?;
    let head = Format::new().set_bold().set_background_color(Color::RGB(0x00DD_E6F0)).set_text_wrap();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    for (column, text) in (0..).zip(heads) {
        sheet.write_string_with_format(0, column, text, &head)?;
        let is_long = column == 0 || usize::from(column) + 1 == heads.len();
        sheet.set_column_width(column, if is_long { 44.0 } else { 14.0 })?;
    }
    for (at, row) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(row) {
            put(sheet, at, column, cell, &day)?;
        }
    }
    sheet.set_freeze_panes(1, 1)?;
    let last_row = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    if let Some(column) = heads.iter().position(|head| Column::by_word(head) == Some(Column::Verdict)) {
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        let verdicts = DataValidation::new().allow_list_strings(&["yes", "no", "unknown", "outside"])?;
        sheet.add_data_validation(1, column, last_row + 200, column, &verdicts)?;
    }
    about(&mut book, document, lang)?;
    book.save(path)
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell, day: &Format) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string(row, column, text)?;
        }
        Cell::Number(text) => match text.parse::<f64>() {
            Ok(number) if text.bytes().filter(u8::is_ascii_digit).count() <= EXACT => {
                sheet.write_number(row, column, number)?;
            }
            _ => {
                sheet.write_string(row, column, text)?;
            }
        },
        // Spreadsheets know no day before 1900.
        Cell::Date(date) => match ExcelDateTime::parse_from_str(&date.to_string()) {
            Ok(moment) => {
                sheet.write_datetime_with_format(row, column, &moment, day)?;
            }
            Err(_) => {
                sheet.write_string(row, column, date.to_string())?;
            }
        },
    }
    Ok(())
}

/// A second sheet that says what the first one is.
fn about(book: &mut Workbook, document: &PolicyDocument, lang: Lang) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet();
    sheet.set_name(if lang == Lang::Zh { "填写说明" } else { "how to fill in" })?;
    sheet.set_column_width(0, 100.0)?;
    let zh = [
        format!("{} {}", document.code, document.name.zh),
        "一行一个案例。空格表示这个事实没有给出, 即未知。".to_owned(),
        "应为判定: yes 是, no 否, unknown 未知, outside 不在范围。缺的事实有几个的, 用分号隔开。".to_owned(),
        "可以增加事实列, 列名用事实的名称或者中文名。".to_owned(),
        "填好后存到 policy.yaml 旁边的 cases.xlsx, 用 mianshen test 运行。".to_owned(),
    ];
    let en = [
        format!("{} {}", document.code, document.name.en),
        "A row is a case. An empty cell is a fact that is not given: unknown.".to_owned(),
        "expect.verdict: yes, no, unknown, outside. Several missing facts are separated by semicolons.".to_owned(),
        "Columns for further facts may be added, headed by the fact's name or Chinese label.".to_owned(),
        "Save it as cases.xlsx beside policy.yaml, and run mianshen test.".to_owned(),
    ];
    for (row, line) in (0..).zip(if lang == Lang::Zh { zh } else { en }) {
        sheet.write_string(row, 0, line)?;
    }
    Ok(())
}
