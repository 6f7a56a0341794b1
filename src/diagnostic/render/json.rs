//! A JSON array for tools; both languages are always in it.

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Message, Severity, Span};

#[derive(Serialize)]
struct Entry<'d> {
    code: &'static str,
    number: &'static str,
    severity: &'static str,
    headline: &'d Message,
    #[serde(flatten)]
    place: Option<Place>,
    secondary: Vec<Secondary<'d>>,
    help: &'d [Message],
    clause: Option<&'d str>,
}

/// A place; lines and columns count from 1, columns are characters, the end is behind the last one.
#[derive(Serialize)]
struct Place {
    path: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    /// Offsets in bytes: the first, and the one behind the last.
    bytes: [usize; 2],
}

#[derive(Serialize)]
struct Secondary<'d> {
    #[serde(flatten)]
    place: Place,
    message: &'d Message,
}

pub(super) fn render(diagnostics: &[Diagnostic]) -> String {
    let entries: Vec<Entry<'_>> = diagnostics.iter().map(entry).collect();
    // Plain strings and numbers always serialise.
    let mut text = serde_json::to_string_pretty(&entries).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(diagnostic: &Diagnostic) -> Entry<'_> {
    Entry {
        code: diagnostic.code.name,
        number: diagnostic.code.number,
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        headline: &diagnostic.headline,
        place: diagnostic.primary.as_ref().map(place),
        secondary: diagnostic.secondary.iter().map(|label| Secondary { place: place(&label.span), message: &label.message }).collect(),
        help: &diagnostic.help,
        clause: diagnostic.clause.as_deref(),
    }
}

fn place(span: &Span) -> Place {
    let (line, column) = span.file.line_column(span.range.start);
    let (end_line, end_column) = span.file.line_column(span.range.end);
    let path = span.path().display().to_string();
    Place { path, line, column, end_line, end_column, bytes: [span.range.start, span.range.end] }
}
