//! Diagnostics on a page: the line with the very characters marked, and what to do.

use maud::{Markup, html};

use super::frame::{Words, chinese};
use crate::diagnostic::{Diagnostic, Severity, Span};

/// Diagnostics, errors first. `file` is the text that stands in the editor: places in it can be gone to.
pub(super) fn list(words: Words, diagnostics: &[Diagnostic], file: &str) -> Markup {
    let mut all: Vec<&Diagnostic> = diagnostics.iter().collect();
    all.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
    html! { ol.told { @for diagnostic in all { (one(words, diagnostic, file)) } } }
}

fn one(words: Words, diagnostic: &Diagnostic, file: &str) -> Markup {
    let (class, severity) = match diagnostic.severity {
        Severity::Error => ("error", words.pick("错误", "error")),
        Severity::Warning => ("warning", words.pick("提醒", "warning")),
        Severity::Note => ("note", words.pick("说明", "note")),
    };
    html! { li class=(class) {
        p {
            strong { (severity) ": " (words.say(&diagnostic.headline)) } " "
            a href=(words.at(&format!("codes.html#{}", diagnostic.code.name))) { code { (diagnostic.code.name) } }
        }
        @if let Some(span) = &diagnostic.primary { (place(words, span, file)) }
        @for label in &diagnostic.secondary { p.soft { (words.say(&label.message)) } (place(words, &label.span, file)) }
        @for help in &diagnostic.help { p { "→ " (words.say(help)) } }
        @if let Some(clause) = &diagnostic.clause { p.soft { (chinese(words, clause)) } }
    } }
}

/// The line of a place, marked.
fn place(words: Words, span: &Span, file: &str) -> Markup {
    let text = &span.file.text;
    let (line, column) = span.file.line_column(span.range.start);
    let start = floor(text, span.range.start);
    let end = floor(text, span.range.end).max(start);
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end_here = end.min(to);
    let is_here = text == file;
    html! {
        @if is_here {
            button.plain type="button" data-start=(units(text, start)) data-end=(units(text, end)) {
                (words.pick("第", "line ")) (line) (words.pick("行第", ", column ")) (column) (words.pick("字", ""))
            }
        } @else {
            span.soft { (span.path().display()) ":" (line) ":" (column) }
        }
        pre { code { span.soft { (line) " │ " } (text[from..start]) mark { (marked(&text[start..end_here])) } (text[end_here..to]) } }
    }
}

/// What is marked is never nothing: a place between two characters is shown, too.
fn marked(text: &str) -> &str {
    if text.is_empty() { " " } else { text }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A byte of a text as a browser counts: in units of UTF-16.
fn units(text: &str, at: usize) -> usize {
    text[..at].encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Lang, SourceFile, code};

    #[test]
    fn the_very_characters_are_marked() {
        let text = "名: 1\nwhen: age > <b>x</b>\n";
        let file = SourceFile::new("policy.yaml", text);
        let at = text.find("<b>").expect("there");
        let told = Diagnostic::new(&code::UNKNOWN_FACT, "没有<b>", "no <b>").at(Span::new(&file, at..at + 3));
        let page = list(Words(Lang::En), &[told], text).into_string();
        assert!(page.contains("<mark>&lt;b&gt;</mark>x&lt;/b&gt;"), "{page}");
        assert!(page.contains("data-start=\"17\" data-end=\"20\""), "{page}");
        assert!(page.contains("line 2, column 13"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
    }

    #[test]
    fn a_place_between_characters_is_shown() {
        let file = SourceFile::new("policy.yaml", "");
        let told = Diagnostic::new(&code::YAML_SYNTAX, "空", "empty").at(Span::new(&file, 0..0));
        assert!(list(Words(Lang::Zh), &[told], "").into_string().contains("<mark> </mark>"));
    }
}
