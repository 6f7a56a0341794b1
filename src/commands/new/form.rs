//! What a form says: a YAML mapping, or a table with the item in one cell and its content in the next, as offices exchange them.

use std::path::Path;

use super::field::{FIELDS, Field};
use crate::cases::table::sheets;
use crate::diagnostic::{Diagnostic, SourceFile, Span, code};
use crate::policy::read_file;
use crate::yaml::{self, Node, wrong_shape};

/// One answer, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) field: Field,
    pub(super) text: String,
    /// None for flags and what was typed.
    pub(super) place: Option<Span>,
}

/// The heads of tables of forms, which say nothing themselves.
const HEADS: [(&str, &str); 3] = [("项目", "内容"), ("item", "content"), ("字段", "值")];

/// Reads a form.
pub(super) fn read(path: &Path) -> (Vec<Answer>, Vec<Diagnostic>) {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv" | "xlsx") => table(path),
        Some("yaml" | "yml") => mapping(path),
        _ => {
            let name = path.display();
            let fault = Diagnostic::new(&code::BAD_ARGUMENT, format!("读不懂表单 {name}"), format!("cannot read the form {name}"))
                .help("表单是 .yaml、.csv 或 .xlsx 文件", "a form is a .yaml, .csv or .xlsx file");
            (Vec::new(), vec![fault])
        }
    }
}

fn mapping(path: &Path) -> (Vec<Answer>, Vec<Diagnostic>) {
    let file = match read_file(path) {
        Ok((file, _)) => file,
        Err(fault) => return (Vec::new(), vec![*fault]),
    };
    let (root, mut told) = yaml::parse(&file);
    let mut answers = Vec::new();
    let Some(root) = root else { return (answers, told) };
    let Some(entries) = root.mapping() else {
        told.push(wrong_shape(&root, "一组“项目: 内容”", "a mapping of items to their content"));
        return (answers, told);
    };
    for (key, value) in entries {
        let Some(field) = Field::by_head(key.text().unwrap_or_default()) else {
            told.push(unknown(key.text().unwrap_or_default()).at(key.span()));
            continue;
        };
        let items = value.sequence().unwrap_or(std::slice::from_ref(value));
        for item in items.iter().filter(|item| !item.is_null()) {
            match item.text() {
                Some(text) => answers.push(Answer { field, text: text.trim().to_owned(), place: Some(Node::span(item)) }),
                None => told.push(wrong_shape(item, "一段文字", "text")),
            }
        }
    }
    (answers, told)
}

/// Each row a line of a text, so that places have the numbers of rows.
fn table(path: &Path) -> (Vec<Answer>, Vec<Diagnostic>) {
    let sheets = match sheets(path) {
        Ok(sheets) => sheets,
        Err(fault) => return (Vec::new(), vec![*fault]),
    };
    let (mut answers, mut told) = (Vec::new(), Vec::new());
    for sheet in sheets {
        let name = sheet.name.map_or_else(|| path.display().to_string(), |sheet| format!("{} [{sheet}]", path.display()));
        let mut text = String::new();
        let mut found = Vec::new();
        for row in &sheet.rows {
            let mut cells = row.iter().map(|cell| cell.trim().replace(['\n', '\r'], " ")).filter(|cell| !cell.is_empty());
            if let Some((head, content)) = cells.next().zip(cells.next()) {
                let start = text.len() + head.len() + " | ".len();
                found.push((text.len()..text.len() + head.len(), start..start + content.len()));
                text.push_str(&format!("{head} | {content}"));
            }
            text.push('\n');
        }
        let file = SourceFile::new(name, text);
        for (head, content) in found {
            let (head, content) = (Span::new(&file, head), Span::new(&file, content));
            match Field::by_head(head.text()) {
                Some(field) => answers.push(Answer { field, text: content.text().to_owned(), place: Some(content) }),
                None if HEADS.contains(&(head.text(), content.text())) => {}
                None => told.push(unknown(head.text()).at(head)),
            }
        }
    }
    (answers, told)
}

fn unknown(head: &str) -> Diagnostic {
    let known = FIELDS.iter().map(|asked| format!("{} ({})", asked.heads[0], asked.key)).collect::<Vec<_>>().join(", ");
    let candidates = FIELDS.iter().flat_map(|asked| asked.heads.iter().copied().chain([asked.key]));
    Diagnostic::new(&code::UNKNOWN_KEY, format!("表单里没有“{head}”这一项"), format!("a form has no item `{head}`"))
        .did_you_mean(head, candidates)
        .help(format!("可用的项目: {known}"), format!("items: {known}"))
}
