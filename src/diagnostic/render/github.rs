//! Workflow commands of GitHub Actions: `::error file=…,line=…,col=…,title=…::…`.

use std::fmt::Write as _;

use super::title;
use crate::diagnostic::{Diagnostic, Lang, Severity};

pub(super) fn render(diagnostics: &[Diagnostic], lang: Lang) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = writeln!(text, "::{level} {}::{}", properties(diagnostic), body(diagnostic, lang));
    }
    text
}

fn properties(diagnostic: &Diagnostic) -> String {
    let mut text = String::new();
    if let Some(span) = &diagnostic.primary {
        let (line, column) = span.file.line_column(span.range.start);
        let (end_line, end_column) = span.file.line_column(span.range.end);
        let path = property(&span.path().display().to_string());
        let _ = write!(text, "file={path},line={line},col={column},endLine={end_line},endColumn={end_column},");
    }
    let _ = write!(text, "title={}", property(&title(diagnostic)));
    text
}

/// The headline, each help line, and the clause.
fn body(diagnostic: &Diagnostic, lang: Lang) -> String {
    let mut lines = vec![diagnostic.headline.get(lang).to_owned()];
    lines.extend(diagnostic.help.iter().map(|help| help.get(lang).to_owned()));
    if let Some(clause) = &diagnostic.clause {
        lines.push(if lang == Lang::Zh { format!("条款: {clause}") } else { format!("clause: {clause}") });
    }
    data(&lines.join("\n"))
}

/// Escapes as the runner's toolkit does (actions/toolkit, `command.ts`, `escapeData`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As `escapeProperty` of the same file.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
