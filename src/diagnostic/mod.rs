//! What went wrong, where, and what to do about it: codes, places, messages in two languages. Knows nothing of policies.
//!
//! A stage returns `(T, Vec<Diagnostic>)`; renderers turn the list into text for people, JSON for tools.

pub mod code;
pub mod fix;
pub mod progress;
mod render;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use code::{CODES, Code, Fault, by_name};
use fix::Fix;
pub use render::{Format, render};

/// The language of messages for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// 中文
    #[default]
    Zh,
    /// English
    En,
}

/// A message in both languages; both are always filled.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Message {
    /// 中文
    pub zh: String,
    /// English
    pub en: String,
}

impl Message {
    /// A message from its two texts.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// The text in `lang`; the other language where that one is empty.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        let (first, second) = match lang {
            Lang::Zh => (&self.zh, &self.en),
            Lang::En => (&self.en, &self.zh),
        };
        if first.is_empty() { second } else { first }
    }
}

/// How grave a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information.
    Note,
    /// The work goes on; somebody should look.
    Warning,
    /// The stage cannot hand on a result.
    Error,
}

/// A text file that was read, kept so that places in it can be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As the user named it.
    pub path: PathBuf,
    /// UTF-8 content.
    pub text: String,
}

impl SourceFile {
    /// A file from its path and content.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }

    /// Line and column, both from 1, of a byte offset; columns count characters.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..floor_char(&self.text, offset)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A place: a byte range of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte offsets into its text.
    pub range: Range<usize>,
}

impl Span {
    /// A span of `file`.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, range: Range<usize>) -> Self {
        Self { file: Arc::clone(file), range }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The text at the place.
    #[must_use]
    pub fn text(&self) -> &str {
        let start = floor_char(&self.file.text, self.range.start);
        let end = floor_char(&self.file.text, self.range.end);
        &self.file.text[start..end.max(start)]
    }
}

/// A second place that helps to understand the first.
#[derive(Debug, Clone)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub message: Message,
}

/// A user's mistake, or a finding, with its place and what to do about it.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// What kind of fault, from the one table of codes.
    pub code: &'static Code,
    /// How grave; by default the code's own severity.
    pub severity: Severity,
    /// One terse sentence without a full stop.
    pub headline: Message,
    /// The very token at fault; none where the fault has no place in a text file.
    pub primary: Option<Span>,
    /// Further places.
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Vec<Message>,
    /// The clause of law that the faulty rule belongs to.
    pub clause: Option<String>,
    /// A change that mends it, where there is a safe one.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A diagnostic with the severity of its code and no place yet.
    pub fn new(code: &'static Code, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity,
            headline: Message::new(zh, en),
            primary: None,
            secondary: Vec::new(),
            help: Vec::new(),
            clause: None,
            fix: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.primary = Some(span);
        self
    }

    /// The same with a help line.
    #[must_use]
    pub fn help(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.help.push(Message::new(zh, en));
        self
    }

    /// The same with a second place.
    #[must_use]
    pub fn also(mut self, span: Span, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.secondary.push(Label { span, message: Message::new(zh, en) });
        self
    }

    /// The same with the clause of law beside it.
    #[must_use]
    pub fn clause(mut self, clause: impl Into<String>) -> Self {
        self.clause = Some(clause.into());
        self
    }

    /// The same with a "did you mean" line, where one of `candidates` is near to `given`.
    #[must_use]
    pub fn did_you_mean<'a>(self, given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        match nearest(given, candidates.iter().copied()) {
            Some(near) => self.help(format!("是不是想写“{near}”?"), format!("did you mean `{near}`?")).fix_name(
                given,
                near,
                candidates.iter().copied(),
            ),
            None => self,
        }
    }
}

/// Whether any diagnostic of the list is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// The candidate nearest to `given`, when it is near enough to be a slip of the hand.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (given.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(given, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
