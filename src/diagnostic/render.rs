//! Diagnostics as text for people and for tools.

use std::fmt::Write as _;

use super::{Diagnostic, Lang};

/// How diagnostics are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// With the lines of the file, for people.
    #[default]
    Full,
    /// One line each.
    Concise,
    /// A JSON array.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// All diagnostics in one text.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], format: Format, lang: Lang, color: bool) -> String {
    let _ = (format, color);
    let mut text = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(text, "{}: {}", diagnostic.code.number, diagnostic.headline.get(lang));
    }
    text
}
