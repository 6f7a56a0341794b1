//! Reads `policies/registers/*.yaml`: declarations with their facts, links, and facts computed from other facts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::declaration::{Absence, ColumnType, Link, RegisterColumn, RegisterDeclaration, RegisterTime, Registers, SubjectKind};
use super::declaration_checks;
use super::facts_from_yaml::{read_computed, read_expression, read_fact};
use crate::diagnostic::{Diagnostic, Message, SourceFile, Span, code};
use crate::yaml::{self, Fields, Node, Texts, message, parse_date, wrong_shape};

/// The words for column and fact types in files.
pub(super) const TYPES: &[(&str, ColumnType)] = &[
    ("text", ColumnType::Text),
    ("int", ColumnType::Int),
    ("money", ColumnType::Money),
    ("bool", ColumnType::Bool),
    ("date", ColumnType::Date),
    ("month", ColumnType::Month),
    ("code", ColumnType::Code),
    ("region", ColumnType::Region),
    ("person_id", ColumnType::PersonId),
    ("entity_id", ColumnType::EntityId),
    ("household_id", ColumnType::HouseholdId),
];

/// The words for subject kinds in files.
pub(super) const SUBJECTS: &[(&str, SubjectKind)] = &SubjectKind::WORDS;

/// The words for what absence means.
pub(super) const ABSENCES: &[(&str, Absence)] = &[("complete", Absence::Complete), ("partial", Absence::Partial)];

/// What cross-checks need beside the declarations.
#[derive(Default)]
pub(super) struct Seen {
    /// Registers that have a file, also where it could not be read: what refers to them is not at fault.
    pub(super) registers: BTreeSet<String>,
    /// Places of the links' names, in their order.
    pub(super) links: Vec<Span>,
}

/// Reads every declaration of a folder: `policies/registers`, or the policies folder that holds it.
///
/// What could be read is given even when something else is wrong; whoever goes on looks at the diagnostics first.
#[must_use]
pub fn load(dir: &Path) -> (Registers, Vec<Diagnostic>) {
    load_with(dir, &Texts::default())
}

/// Reads a folder as [`load`], with texts that stand in for some of its files.
#[must_use]
pub fn load_with(dir: &Path, texts: &Texts) -> (Registers, Vec<Diagnostic>) {
    let mut registers = Registers::default();
    let mut diagnostics = Vec::new();
    let mut seen = Seen::default();
    let below = dir.join("registers");
    let dir = if below.is_dir() { below } else { dir.to_path_buf() };
    match files(&dir, texts) {
        Ok(paths) => {
            for path in paths {
                read_file(&path, texts, &mut registers, &mut seen, &mut diagnostics);
            }
        }
        Err(error) => diagnostics.push(unreadable(&dir, &error)),
    }
    declaration_checks::check(&registers, &seen, &mut diagnostics);
    (registers, diagnostics)
}

fn files(dir: &Path, texts: &Texts) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let saved = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let unsaved = texts.unsaved(dir).filter(|path| path.parent() == Some(dir));
    for path in saved.chain(unsaved.map(|path| Ok(path.to_owned()))) {
        let path = path?;
        if !is_hidden(&path) && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a file is no part of the folder, such as the lock of an editor.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(&code::PATH_MISSING, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}"))
        .help("登记库的声明在政策目录的 registers/ 里", "declarations of registers are in registers/ of the policies folder")
}

fn read_file(path: &Path, texts: &Texts, registers: &mut Registers, seen: &mut Seen, diagnostics: &mut Vec<Diagnostic>) {
    let text = match texts.text(path) {
        Ok(text) => text,
        Err(error) => {
            diagnostics.push(unreadable(path, &error));
            return;
        }
    };
    let (node, mut found) = yaml::parse(&SourceFile::new(path, text));
    diagnostics.append(&mut found);
    let Some(node) = node else { return };
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("links") => read_links(&node, registers, seen, diagnostics),
        Some("computed") => read_computed_file(&node, registers, diagnostics),
        stem => {
            seen.registers.insert(stem.unwrap_or_default().to_owned());
            if let Some(register) = read_register(&node, stem.unwrap_or_default(), diagnostics) {
                insert_register(register, registers, diagnostics);
            }
        }
    }
}

fn insert_register(register: RegisterDeclaration, registers: &mut Registers, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(other) = registers.registers.get(&register.name) {
        diagnostics.push(declaration_checks::twice("库", "register", &register.name, &register.place, &other.place));
    } else {
        registers.registers.insert(register.name.clone(), register);
    }
}

fn read_register(node: &Node, stem: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<RegisterDeclaration> {
    let mut fields = Fields::new(node, diagnostics)?;
    let name_node = fields.required("register");
    let place = name_node.map_or_else(|| fields.span(), Node::span);
    let name = name_node.and_then(Node::text).map(str::to_owned);
    if let Some(name) = name.as_deref().filter(|name| *name != stem) {
        fields.report(
            Diagnostic::new(
                &code::WRONG_SHAPE,
                format!("文件名是 {stem}, 里面的库却叫 {name}"),
                format!("the file is named {stem}, its register {name}"),
            )
            .at(place.clone())
            .help(format!("把文件改名为 {name}.yaml"), format!("rename the file to {name}.yaml")),
        );
    }
    fields.required("label");
    let label = fields.message("label").unwrap_or_default();
    let kept_by = fields.required_text("kept_by").unwrap_or_default();
    let subject = read_subjects(&mut fields);
    let key = fields.required_text("key");
    let row_is = fields.text("row_is").unwrap_or_default();
    let time = fields.required("time").and_then(|node| read_time(node, fields.diagnostics()));
    let recorded_at = fields.text("recorded_at");
    fields.required("absence");
    let absence = fields.choice("absence", ABSENCES);
    let (coverage_regions, coverage_from) =
        fields.optional("coverage").map(|node| read_coverage(node, fields.diagnostics())).unwrap_or_default();
    let fresh_within_days = fields.optional("fresh_within").and_then(|node| read_days(node, fields.diagnostics()));
    let may_be_empty = fields.boolean("may_be_empty").unwrap_or(false);
    let unique = fields.texts("unique").into_iter().map(|(column, _)| column).collect();
    fields.required("columns");
    let columns: Vec<RegisterColumn> = read_columns(fields.list("columns"), fields.diagnostics());
    let name = name.unwrap_or_else(|| stem.to_owned());
    let facts = fields
        .list("facts")
        .iter()
        .filter_map(|item| read_fact(item, &name, subject.and_then(Subjects::kind), &columns, fields.diagnostics()))
        .collect();
    fields.finish();
    let declaration = RegisterDeclaration {
        name,
        place,
        label,
        kept_by,
        subject: subject?.kind(),
        key: key?,
        row_is,
        time: time?,
        recorded_at,
        absence: absence?,
        coverage_regions,
        coverage_from,
        fresh_within_days,
        may_be_empty,
        unique,
        columns,
        facts,
    };
    declaration_checks::check_register(&declaration, diagnostics);
    Some(declaration)
}

/// Whom the rows tell of.
#[derive(Clone, Copy)]
enum Subjects {
    Any,
    Only(SubjectKind),
}

impl Subjects {
    fn kind(self) -> Option<SubjectKind> {
        match self {
            Self::Any => None,
            Self::Only(kind) => Some(kind),
        }
    }
}

fn read_subjects(fields: &mut Fields<'_>) -> Option<Subjects> {
    fields.required("subject");
    let mut choices: Vec<(&str, Subjects)> = SUBJECTS.iter().map(|(word, kind)| (*word, Subjects::Only(*kind))).collect();
    choices.push(("any", Subjects::Any));
    fields.choice("subject", &choices)
}

fn read_time(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<RegisterTime> {
    let mut fields = Fields::new(node, diagnostics)?;
    let state = fields.boolean("state");
    let event = fields.text("event");
    let valid = fields.texts("valid");
    let pair = (valid.len() == 2).then(|| RegisterTime::Valid(valid[0].0.clone(), valid[1].0.clone()));
    let given = [state == Some(true), event.is_some(), pair.is_some()].into_iter().filter(|given| *given).count();
    if given != 1 {
        fields.report(wrong_shape(node, "库的时间", "the time of the register").help(
            "写 {state: true}、{event: 日期列} 或 {valid: [起始列, 终止列]} 之一",
            "write one of {state: true}, {event: column} or {valid: [from, to]}",
        ));
    }
    fields.finish();
    if given != 1 {
        return None;
    }
    pair.or_else(|| event.map(RegisterTime::Event)).or(Some(RegisterTime::State))
}

fn read_coverage(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> (Vec<String>, Option<NaiveDate>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return Default::default() };
    let regions = fields.texts("regions").into_iter().map(|(code, _)| code).collect();
    let from = fields.optional("from").and_then(|node| {
        let text = node.text().unwrap_or_default();
        let date = parse_date(text).or_else(|| parse_date(&format!("{text}-01")));
        if date.is_none() {
            fields.report(wrong_shape(node, "日期或月份, 如 2010-01-01", "a date or a month such as 2010-01-01"));
        }
        date
    });
    fields.finish();
    (regions, from)
}

/// `40 days`, `40天` or `40`.
fn read_days(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<i64> {
    let text = node.text().unwrap_or_default();
    let number = ["days", "day", "天", "日"].iter().find_map(|word| text.strip_suffix(word)).unwrap_or(text).trim();
    let days = number.parse().ok().filter(|days| *days >= 0);
    if days.is_none() {
        diagnostics.push(wrong_shape(node, "天数, 如 40 days", "a number of days such as `40 days`"));
    }
    days
}

fn read_columns(items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<RegisterColumn> {
    let mut columns: Vec<RegisterColumn> = Vec::new();
    let mut places: BTreeMap<String, Span> = BTreeMap::new();
    for item in items {
        let Some((column, place)) = read_column(item, diagnostics) else { continue };
        if let Some(other) = places.get(&column.name) {
            diagnostics.push(declaration_checks::twice("列", "column", &column.name, &place, other));
            continue;
        }
        places.insert(column.name.clone(), place);
        columns.push(column);
    }
    columns
}

fn read_column(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(RegisterColumn, Span)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let name_node = fields.required("name");
    let place = name_node.map_or_else(|| fields.span(), Node::span);
    let name = name_node.and_then(Node::text).map(str::to_owned);
    fields.required("type");
    let column_type = fields.choice("type", TYPES);
    let codes_node = fields.optional("codes");
    let codes = codes_node.map(|node| read_codes(node, fields.diagnostics())).unwrap_or_default();
    match (column_type, codes_node) {
        (Some(ColumnType::Code), None) => fields.report(
            Diagnostic::new(&code::MISSING_KEY, "代码列缺少“codes”", "a column of type code needs `codes`")
                .at(place.clone())
                .help("写 codes: {代码: 名称, …}", "write codes: {code: label, …}"),
        ),
        (Some(other), Some(codes)) if other != ColumnType::Code => fields.report(
            Diagnostic::new(&code::WRONG_SHAPE, "只有 type: code 的列有 codes", "only a column of type code has `codes`").at(codes.span()),
        ),
        _ => {}
    }
    let minimum = fields.integer("minimum");
    let maximum = fields.integer("maximum");
    let bounded = matches!(column_type, Some(ColumnType::Int | ColumnType::Money) | None);
    if (minimum.is_some() || maximum.is_some()) && !bounded {
        fields.report(
            Diagnostic::new(&code::WRONG_SHAPE, "只有数有最小值和最大值", "only numbers have a minimum and a maximum").at(place.clone()),
        );
    }
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        fields.report(
            Diagnostic::new(&code::NUMBER_OUT_OF_RANGE, "最小值大于最大值", "the minimum is greater than the maximum").at(place.clone()),
        );
    }
    let label = fields.message("label");
    let column = RegisterColumn {
        label: label.unwrap_or_else(|| Message::new(name.clone().unwrap_or_default(), name.clone().unwrap_or_default())),
        column_type: column_type.unwrap_or(ColumnType::Text),
        unit: fields.text("unit"),
        codes,
        sensitive: fields.boolean("sensitive").unwrap_or(false),
        null_is: fields.text("null_is"),
        required: fields.boolean("required").unwrap_or(false),
        minimum,
        maximum,
        name: name.clone().unwrap_or_default(),
    };
    fields.finish();
    name.map(|_| (column, place))
}

pub(super) fn read_codes(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, Message> {
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(node, "代码和名称, 如 {male: 男}", "codes with labels, such as {male: 男}"));
        return BTreeMap::new();
    };
    let mut codes = BTreeMap::new();
    for (key, value) in entries {
        let (Some(code), Some(label)) = (key.text(), message(value, diagnostics)) else { continue };
        codes.insert(code.to_owned(), label);
    }
    codes
}

fn read_links(node: &Node, registers: &mut Registers, seen: &mut Seen, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    fields.required("links");
    for item in fields.list("links") {
        let Some((link, place)) = read_link(item, fields.diagnostics()) else { continue };
        if registers.link(link.from, &link.name).is_some() {
            fields.report(
                Diagnostic::new(
                    &code::DUPLICATE_NAME,
                    format!("{} 的联系“{}”声明了两次", link.from, link.name),
                    format!("link `{}` from {} is declared twice", link.name, link.from),
                )
                .at(place),
            );
            continue;
        }
        registers.links.push(link);
        seen.links.push(place);
    }
    fields.finish();
}

fn read_link(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Link, Span)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let name_node = fields.required("name");
    let place = name_node.map_or_else(|| fields.span(), Node::span);
    let name = name_node.and_then(Node::text).map(str::to_owned);
    let label = fields.message("label");
    fields.required("from");
    let from = fields.choice("from", SUBJECTS);
    fields.required("to");
    let to = fields.choice("to", SUBJECTS);
    let register = fields.required_text("register");
    let from_column = fields.required_text("from_column");
    let to_column = fields.required_text("to_column");
    let filter = fields.optional("where").and_then(|node| read_expression(node, false, fields.diagnostics()));
    let many = fields.boolean("many").unwrap_or(false);
    fields.finish();
    let name = name?;
    let link = Link {
        label: label.unwrap_or_else(|| Message::new(&name, &name)),
        name,
        from: from?,
        to: to?,
        register: register?,
        from_column: from_column?,
        to_column: to_column?,
        filter,
        many,
    };
    Some((link, place))
}

fn read_computed_file(node: &Node, registers: &mut Registers, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    fields.required("facts");
    for item in fields.list("facts") {
        registers.computed.extend(read_computed(item, fields.diagnostics()));
    }
    fields.finish();
}

#[cfg(test)]
#[path = "declaration_tests.rs"]
mod tests;
