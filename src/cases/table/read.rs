//! From a table to cases: each row becomes the YAML that its author would have written, on the line of its number.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use calamine::{Data, Reader, Xlsx, open_workbook};

use super::{CaseFile, Column, Sheet, letters};
use crate::diagnostic::{Diagnostic, SourceFile, code};
use crate::policy;
use crate::yaml;

/// Where the cells of a sheet lie in the text that was made of it.
pub(super) struct Cells {
    file: Arc<SourceFile>,
    sheet: Option<String>,
    heads: Vec<String>,
    places: Vec<(Range<usize>, usize, usize)>,
}

/// What separates several facts in one cell.
const BETWEEN: [char; 4] = [';', '；', '、', '\n'];

/// Reads a table of cases.
#[must_use]
pub fn read(path: &Path) -> CaseFile {
    let mut found = CaseFile::default();
    match sheets(path) {
        Ok(sheets) => {
            let mut has_cases = false;
            for sheet in sheets.iter().filter(|sheet| is_table_of_cases(sheet)) {
                has_cases = true;
                read_sheet(path, sheet, &mut found);
            }
            if !has_cases {
                found.diagnostics.push(no_cases(path));
            }
        }
        Err(diagnostic) => found.diagnostics.push(*diagnostic),
    }
    found
}

/// The sheets of a workbook, or the one of a CSV file in UTF-8 or GB 18030.
///
/// # Errors
///
/// When it cannot be read.
pub fn sheets(path: &Path) -> Result<Vec<Sheet>, Box<Diagnostic>> {
    let is_workbook = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"));
    if is_workbook { workbook(path) } else { plain(path) }
}

fn no_cases(path: &Path) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(&code::WRONG_SHAPE, format!("{path} 没有案例表"), format!("{path} has no table of cases"))
        .help("第一行要有“案例”“判定日”“应为判定”各列", "the first row must head the columns `name`, `as_of` and `expect.verdict`")
}

fn is_table_of_cases(sheet: &Sheet) -> bool {
    sheet.rows.first().is_some_and(|heads| heads.iter().any(|head| Column::by_word(head.trim()) == Some(Column::Name)))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Box<Diagnostic> {
    let path = path.display();
    Box::new(Diagnostic::new(&code::FILE_UNREADABLE, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}")))
}

fn plain(path: &Path) -> Result<Vec<Sheet>, Box<Diagnostic>> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    // Offices in China save CSV in GB 18030 unless told otherwise.
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => encoding_rs::GB18030.decode(error.as_bytes()).0.into_owned(),
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let rows: Result<Vec<Vec<String>>, csv::Error> =
        reader.records().map(|record| record.map(|record| record.iter().map(str::to_owned).collect())).collect();
    Ok(vec![Sheet { name: None, rows: rows.map_err(|error| unreadable(path, &error))? }])
}

fn workbook(path: &Path) -> Result<Vec<Sheet>, Box<Diagnostic>> {
    let mut book: Xlsx<_> = open_workbook(path).map_err(|error: calamine::XlsxError| unreadable(path, &error))?;
    let mut sheets = Vec::new();
    for name in book.sheet_names() {
        let range = book.worksheet_range(&name).map_err(|error| unreadable(path, &error))?;
        let (first_row, first_column) = range.start().unwrap_or_default();
        // Rows and columns keep their numbers even where the first ones are empty.
        let mut rows = vec![Vec::new(); first_row as usize];
        for row in range.rows() {
            let cells = std::iter::repeat_n(String::new(), first_column as usize).chain(row.iter().map(cell));
            rows.push(cells.collect());
        }
        sheets.push(Sheet { name: Some(name), rows });
    }
    Ok(sheets)
}

/// A cell as text: dates as such, numbers without needless places.
fn cell(data: &Data) -> String {
    match data {
        Data::Empty => String::new(),
        Data::Bool(truth) => truth.to_string(),
        Data::DateTime(moment) => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        Data::DateTimeIso(text) => text.split('T').next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

fn read_sheet(path: &Path, sheet: &Sheet, found: &mut CaseFile) {
    let heads: Vec<String> = sheet.rows[0].iter().map(|head| head.trim().to_owned()).collect();
    let mut text = String::from("# ");
    text.push_str(&one_line(&heads.join(" | ")));
    let mut cells = Vec::new();
    let mut before = 2;
    for (at, head) in heads.iter().enumerate() {
        let end = before + one_line(head).len();
        cells.push((before..end, 0, at));
        before = end + 3;
    }
    text.push('\n');
    for (index, row) in sheet.rows.iter().enumerate().skip(1) {
        if row.iter().any(|cell| !cell.trim().is_empty()) {
            row_text(&mut text, &mut cells, &heads, row, index);
        }
        text.push('\n');
    }
    let name = match &sheet.name {
        Some(sheet) => format!("{} [{sheet}]", path.display()),
        None => path.display().to_string(),
    };
    let file = SourceFile::new(name, text);
    let place = Cells { file: Arc::clone(&file), sheet: sheet.name.clone(), heads, places: cells };
    let (node, mut diagnostics) = yaml::parse(&file);
    if let Some(node) = node.filter(|node| node.sequence().is_some()) {
        let (document, mut told) = policy::read_cases(&node);
        found.cases.extend(document.cases);
        diagnostics.append(&mut told);
    }
    found.diagnostics.extend(placed(std::slice::from_ref(&place), diagnostics));
    found.cells.push(place);
}

/// One row as a case: `- {name: …, as_of: …, given: {…}, expect: {…}, because: …}`.
fn row_text(text: &mut String, cells: &mut Vec<(Range<usize>, usize, usize)>, heads: &[String], row: &[String], index: usize) {
    let cell = |column: usize| row.get(column).map_or("", |cell| cell.trim());
    let mut put = |text: &mut String, key: &str, column: usize, value: &str| {
        let start = text.len();
        let _ = write!(text, "{key}: {value}, ");
        cells.push((start..text.len(), index, column));
    };
    let known =
        |wanted: Column| heads.iter().position(|head| Column::by_word(head) == Some(wanted)).filter(|&column| !cell(column).is_empty());
    text.push_str("- {");
    for (column, key) in [(Column::Name, "name"), (Column::AsOf, "as_of"), (Column::Because, "because")] {
        if let Some(at) = known(column) {
            let value = if column == Column::AsOf { iso(cell(at)) } else { cell(at).to_owned() };
            put(text, key, at, &quoted(&value));
        }
    }
    text.push_str("given: {");
    for (at, head) in heads.iter().enumerate().filter(|(_, head)| !head.is_empty() && Column::by_word(head).is_none()) {
        match cell(at) {
            "" => {}
            "null" | "未知" => put(text, &quoted(head), at, "null"),
            value => put(text, &quoted(head), at, &quoted(&iso(value))),
        }
    }
    text.push_str("}, expect: {");
    let plain = [(Column::Verdict, "verdict"), (Column::Amount, "amount"), (Column::Mode, "mode"), (Column::GivenUpFor, "given_up_for")];
    for (column, key) in plain {
        if let Some(at) = known(column) {
            put(text, key, at, &quoted(cell(at)));
        }
    }
    for (column, key) in [(Column::Missing, "missing"), (Column::Offer, "offer")] {
        if let Some(at) = known(column) {
            // `[]` says that nothing is expected; an empty cell says nothing.
            let names = cell(at).split(BETWEEN).map(str::trim).filter(|name| !name.is_empty() && *name != "[]").map(quoted);
            put(text, key, at, &format!("[{}]", names.collect::<Vec<_>>().join(", ")));
        }
    }
    if let Some(at) = known(Column::Reasons) {
        let pairs = cell(at).split(BETWEEN).filter_map(|pair| pair.split_once([':', '：']));
        let pairs = pairs.map(|(criterion, verdict)| format!("{}: {}", quoted(criterion.trim()), quoted(verdict.trim())));
        put(text, "reasons", at, &format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")));
    }
    text.push_str("}}");
}

/// A day as other programs write it, in the one way that cases have: `2026/3/1` and `2026年3月1日` are 2026-03-01.
fn iso(text: &str) -> String {
    let parts: Vec<&str> = text.trim_end_matches(['日', '月']).split(['/', '-', '.', '年', '月']).collect();
    let is_number =
        |part: &&str, longest: usize| !part.is_empty() && part.len() <= longest && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = |parts: &[&str]| parts.iter().skip(1).all(|part| is_number(part, 2)) && parts[0].len() == 4 && is_number(&parts[0], 4);
    let is_written = text.contains('/') || text.contains('年') || parts.len() == 3;
    match parts.as_slice() {
        [year, month, day] if numbers(&parts) => format!("{year}-{month:0>2}-{day:0>2}"),
        [year, month] if is_written && numbers(&parts) => format!("{year}-{month:0>2}"),
        _ => text.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => {}
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Says sheet, row and column of each diagnostic about a table; of a column that is no fact, once, at its head.
pub(super) fn placed(tables: &[Cells], diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut told: Vec<(usize, usize)> = Vec::new();
    let mut kept = Vec::new();
    for diagnostic in diagnostics {
        let place = diagnostic.primary.as_ref();
        let table = place.and_then(|place| tables.iter().position(|table| Arc::ptr_eq(&table.file, &place.file)));
        let (Some(place), Some(at)) = (place, table) else {
            kept.push(diagnostic);
            continue;
        };
        let table = &tables[at];
        let cell = table.places.iter().find(|(range, ..)| range.contains(&place.range.start));
        let Some((_, row, column)) = cell.cloned() else {
            let (line, _) = place.file.line_column(place.range.start);
            kept.push(with_place(diagnostic, table, line, None));
            continue;
        };
        if diagnostic.code == &code::UNKNOWN_FACT && Column::by_word(&table.heads[column]).is_none() {
            if !told.contains(&(at, column)) {
                told.push((at, column));
                let head = table.places.iter().find(|(_, row, of)| *row == 0 && *of == column).map(|(range, ..)| range.clone());
                let mut diagnostic = with_place(diagnostic, table, 1, Some(column));
                if let (Some(place), Some(range)) = (&mut diagnostic.primary, head) {
                    place.range = range;
                }
                kept.push(diagnostic);
            }
            continue;
        }
        kept.push(with_place(diagnostic, table, row + 1, Some(column)));
    }
    kept
}

fn with_place(diagnostic: Diagnostic, table: &Cells, row: usize, column: Option<usize>) -> Diagnostic {
    let (mut zh, mut en) = match &table.sheet {
        Some(sheet) => (format!("工作表“{sheet}”第 {row} 行"), format!("sheet `{sheet}`, row {row}")),
        None => (format!("第 {row} 行"), format!("row {row}")),
    };
    if let Some(column) = column {
        let (letters, head) = (letters(column), &table.heads[column]);
        let _ = write!(zh, " {letters} 列（{head}）");
        let _ = write!(en, ", column {letters} ({head})");
    }
    diagnostic.help(zh, en)
}
