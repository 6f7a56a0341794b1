//! One line for each diagnostic: `path:line:column: MS1011 unknown-fact headline`.

use std::fmt::Write as _;

use super::title;
use crate::diagnostic::{Diagnostic, Lang};

pub(super) fn render(diagnostics: &[Diagnostic], lang: Lang) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        if let Some(span) = &diagnostic.primary {
            let (line, column) = span.file.line_column(span.range.start);
            let _ = write!(text, "{}:{line}:{column}: ", span.path().display());
        }
        let headline = diagnostic.headline.get(lang).replace(['\r', '\n'], " ");
        let _ = writeln!(text, "{} {headline}", title(diagnostic));
    }
    text
}
