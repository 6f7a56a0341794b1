//! Cases as tables, a row per case, which is what offices exchange: CSV and XLSX.
//!
//! Columns are headed in Chinese or English: the words of [`COLUMNS`], and facts by name or label. An empty cell is a fact
//! that is not given.

mod read;
mod write;

pub use read::{read, sheets};
pub use write::write;

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::policy;
use crate::policy::document::{Case, CaseDocument, Equivalent, PolicyDocument};
use crate::yaml::Texts;

/// A column that is no fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The case's name.
    Name,
    /// The day.
    AsOf,
    /// The verdict that is expected.
    Verdict,
    /// The amount.
    Amount,
    /// The delivery mode.
    Mode,
    /// What is missing; several with `;` between them.
    Missing,
    /// What an offer asks for.
    Offer,
    /// The policy that the subject has instead.
    GivenUpFor,
    /// Criteria with their verdicts: `age: no; alive: yes`.
    Reasons,
    /// Why.
    Because,
}

/// The words at the head of columns that are no facts: Chinese, English.
pub const COLUMNS: [(Column, &str, &str); 10] = [
    (Column::Name, "案例", "name"),
    (Column::AsOf, "判定日", "as_of"),
    (Column::Verdict, "应为判定", "expect.verdict"),
    (Column::Amount, "应为金额", "expect.amount"),
    (Column::Mode, "应为方式", "expect.mode"),
    (Column::Missing, "应缺事实", "expect.missing"),
    (Column::Offer, "应为承诺项", "expect.offer"),
    (Column::GivenUpFor, "应让位于", "expect.given_up_for"),
    (Column::Reasons, "各条件应为", "expect.reasons"),
    (Column::Because, "理由", "because"),
];

impl Column {
    fn by_word(word: &str) -> Option<Self> {
        COLUMNS.iter().find(|(_, zh, en)| *zh == word || en.eq_ignore_ascii_case(word)).map(|(column, ..)| *column)
    }
}

/// One sheet as text; row 1 is the head.
#[derive(Debug)]
pub struct Sheet {
    /// Its name; none in CSV.
    pub name: Option<String>,
    /// Cells, rows may be of different lengths.
    pub rows: Vec<Vec<String>>,
}

/// The letters over a column, from 0: A, B, …, Z, AA.
fn letters(column: usize) -> String {
    let mut rest = column + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// A file of cases that was read.
#[derive(Default)]
pub struct CaseFile {
    /// The cases.
    pub cases: Vec<Case>,
    /// Changes that no case can notice, as the author says; none in a table.
    pub equivalent: Vec<Equivalent>,
    /// What is wrong with it so far.
    pub diagnostics: Vec<Diagnostic>,
    /// Where cells lie, to say so of what is found wrong later; none for YAML.
    cells: Vec<read::Cells>,
}

impl CaseFile {
    /// Names sheet, row and column of what was found wrong with a table; a column's head is told once.
    #[must_use]
    pub fn placed(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        read::placed(&self.cells, diagnostics)
    }
}

/// Reads a file of cases: YAML, CSV or XLSX, by its ending.
#[must_use]
pub fn load(path: &Path) -> CaseFile {
    load_with(path, &Texts::default())
}

fn load_with(path: &Path, texts: &Texts) -> CaseFile {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv" | "xlsx") => read(path),
        _ => {
            let (CaseDocument { cases, equivalent }, diagnostics) = policy::load_case_file_with(path, texts);
            CaseFile { cases, equivalent, diagnostics, cells: Vec::new() }
        }
    }
}

/// Reads all files of cases beside a policy.
#[must_use]
pub fn load_beside(document: &PolicyDocument) -> (Vec<Case>, Vec<Diagnostic>) {
    load_beside_with(document, &Texts::default())
}

/// Reads all files of cases beside a policy, with texts that stand in for some.
#[must_use]
pub fn load_beside_with(document: &PolicyDocument, texts: &Texts) -> (Vec<Case>, Vec<Diagnostic>) {
    let files = policy::case_files_with(document, texts).into_iter().map(|path| load_with(&path, texts));
    let (cases, told): (Vec<_>, Vec<_>) = files.map(|file| (file.cases, file.diagnostics)).unzip();
    (cases.into_iter().flatten().collect(), told.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
