//! For people: the headline, the lines of the files with the places marked, help, and the clause.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use super::title;
use crate::diagnostic::{Diagnostic, Label, Lang, Severity, SourceFile, Span, floor_char};

pub(super) fn render(diagnostics: &[Diagnostic], lang: Lang, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(renderer.render(&[report(diagnostic, lang)]).trim_end());
        text.push_str("\n\n");
    }
    text
}

fn report(diagnostic: &Diagnostic, lang: Lang) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => named(Level::ERROR, lang, "错误"),
        Severity::Warning => named(Level::WARNING, lang, "警告"),
        Severity::Note => named(Level::NOTE, lang, "说明"),
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.headline.get(lang)).id(title(diagnostic)));
    for snippet in snippets(diagnostic, lang) {
        group = group.element(snippet);
    }
    if let Some(clause) = &diagnostic.clause {
        let name = if lang == Lang::Zh { "条款" } else { "clause" };
        group = group.element(Level::NOTE.with_name(name).message(normalize_untrusted_str(clause)));
    }
    for help in &diagnostic.help {
        group = group.element(named(Level::HELP, lang, "帮助").message(normalize_untrusted_str(help.get(lang))));
    }
    group
}

/// A level under its own English name, or under the Chinese one.
fn named(level: Level<'static>, lang: Lang, chinese: &'static str) -> Level<'static> {
    if lang == Lang::Zh { level.with_name(chinese) } else { level }
}

/// One snippet for each file: the one with the primary place first.
fn snippets(diagnostic: &Diagnostic, lang: Lang) -> Vec<Snippet<'_, Annotation<'_>>> {
    let primary = diagnostic.primary.iter().map(|span| (span, AnnotationKind::Primary.span(clamped(span))));
    let label = |label: &'_ Label| AnnotationKind::Context.span(clamped(&label.span));
    let secondary = diagnostic.secondary.iter().map(|place| (&place.span, label(place).label(place.message.get(lang))));
    let mut files: Vec<(&Arc<SourceFile>, Vec<Annotation<'_>>)> = Vec::new();
    for (span, annotation) in primary.chain(secondary) {
        match files.iter_mut().find(|(file, _)| Arc::ptr_eq(file, &span.file)) {
            Some((_, annotations)) => annotations.push(annotation),
            None => files.push((&span.file, vec![annotation])),
        }
    }
    files
        .into_iter()
        .map(|(file, annotations)| {
            let path = file.path.display().to_string();
            Snippet::source(file.text.as_str()).path(path).annotations(annotations)
        })
        .collect()
}

/// The range inside the file and on character boundaries, whatever the span says.
fn clamped(span: &Span) -> Range<usize> {
    let start = floor_char(&span.file.text, span.range.start);
    start..floor_char(&span.file.text, span.range.end).max(start)
}
