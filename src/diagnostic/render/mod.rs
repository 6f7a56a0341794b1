//! Diagnostics as text for people and for tools.

mod concise;
mod full;
mod github;
mod json;
mod sarif;
#[cfg(test)]
mod tests;

use super::{Diagnostic, Lang, Severity};

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
    /// SARIF 2.1.0.
    Sarif,
}

/// All diagnostics in one text that ends with a line break; the formats for people end with a count.
///
/// # Example
///
/// ```
/// use mianshen::diagnostic::{Diagnostic, Format, Lang, code, render};
/// let diagnostic = Diagnostic::new(&code::PATH_MISSING, "没有这个文件", "there is no such file");
/// let text = render(&[diagnostic], Format::Concise, Lang::En, false);
/// assert_eq!(text, "MS3003 path-missing there is no such file\nfound 1 error\n");
/// ```
#[must_use]
pub fn render(diagnostics: &[Diagnostic], format: Format, lang: Lang, color: bool) -> String {
    match format {
        Format::Full => full::render(diagnostics, lang, color) + &count(diagnostics, lang),
        Format::Concise => concise::render(diagnostics, lang) + &count(diagnostics, lang),
        Format::Json => json::render(diagnostics),
        Format::Github => github::render(diagnostics, lang),
        Format::Sarif => sarif::render(diagnostics, lang),
    }
}

/// `MS1011 unknown-fact`
fn title(diagnostic: &Diagnostic) -> String {
    format!("{} {}", diagnostic.code.number, diagnostic.code.name)
}

/// How many of each severity, one line.
fn count(diagnostics: &[Diagnostic], lang: Lang) -> String {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let kinds =
        [(of(Severity::Error), "处错误", "error"), (of(Severity::Warning), "处警告", "warning"), (of(Severity::Note), "条说明", "note")];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, zh, en)| match lang {
            Lang::Zh => format!("{number} {zh}"),
            Lang::En => format!("{number} {en}{}", if number == 1 { "" } else { "s" }),
        })
        .collect();
    match (lang, told.is_empty()) {
        (Lang::Zh, true) => "没有发现问题\n".to_owned(),
        (Lang::En, true) => "nothing found\n".to_owned(),
        (Lang::Zh, false) => format!("发现 {}\n", told.join(", ")),
        (Lang::En, false) => format!("found {}\n", told.join(", ")),
    }
}
