//! What is wrong with a text of the condition language.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Message, Span, code};

/// A fault of one text, with byte ranges of that text.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntaxError {
    /// What kind of fault.
    pub code: &'static Code,
    /// Bytes of the text at fault, on character boundaries; empty where something is missing.
    pub range: Range<usize>,
    /// One terse sentence.
    pub headline: Message,
    /// What to do.
    pub help: Vec<Message>,
}

impl SyntaxError {
    pub(super) fn new(code: &'static Code, range: Range<usize>, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, range, headline: Message::new(zh, en), help: Vec::new() }
    }

    pub(super) fn syntax(range: Range<usize>, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(&code::EXPRESSION_SYNTAX, range, zh, en)
    }

    pub(super) fn help(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.help.push(Message::new(zh, en));
        self
    }

    /// The diagnostic, where `place` says which bytes of a file a range of the text is.
    pub fn into_diagnostic(self, place: impl Fn(Range<usize>) -> Span) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, self.headline.zh, self.headline.en).at(place(self.range));
        diagnostic.help = self.help;
        diagnostic
    }
}
