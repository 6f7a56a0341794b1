//! From the text of a YAML file to its tree.

use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Node, Offsets, Scalar, Value};
use crate::diagnostic::{Diagnostic, SourceFile, Span, code};

/// How deep a tree may be; readers of trees recurse.
const MOST_LEVELS: usize = 100;

/// Reads a YAML file with one document.
///
/// Gives no tree when the syntax is broken; duplicate keys are reported and the first one is kept.
#[must_use]
pub fn parse(file: &Arc<SourceFile>) -> (Option<Node>, Vec<Diagnostic>) {
    let mut builder = Builder {
        file,
        bytes: file.text.char_indices().map(|(at, _)| at).chain([file.text.len()]).collect(),
        open: Vec::new(),
        root: None,
        diagnostics: Vec::new(),
    };
    for event in Parser::new_from_str(&file.text) {
        match event {
            Ok((event, span)) => {
                let range = builder.byte(span.start.index())..builder.byte(span.end.index());
                if !builder.event(event, range) {
                    return (None, builder.diagnostics);
                }
            }
            Err(error) => {
                let at = builder.byte(error.marker().index());
                builder.diagnostics.push(syntax_error(file, at, error.info()));
                return (None, builder.diagnostics);
            }
        }
    }
    (builder.root, builder.diagnostics)
}

fn syntax_error(file: &Arc<SourceFile>, at: usize, info: &str) -> Diagnostic {
    let end = file.text[at.min(file.text.len())..].chars().next().map_or(at, |character| at + character.len_utf8());
    Diagnostic::new(&code::YAML_SYNTAX, format!("YAML 语法错误: {info}"), format!("YAML syntax: {info}")).at(Span::new(file, at..end)).help(
        "检查缩进、引号和冒号; 含有 “: ” 或以特殊符号开头的表达式要加引号",
        "check indentation, quotes and colons; quote an expression that holds `: ` or starts with a special character",
    )
}

enum Open {
    Sequence(Vec<Node>, usize),
    Mapping(Vec<(Node, Node)>, Option<Node>, usize),
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    /// Byte offset of each character.
    bytes: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn byte(&self, character: usize) -> usize {
        self.bytes.get(character).copied().unwrap_or(self.file.text.len())
    }

    /// Takes one event; false when reading must stop.
    fn event(&mut self, event: Event<'_>, range: Range<usize>) -> bool {
        match event {
            Event::Scalar(text, style, _, _) => {
                let scalar = scalar(&self.file.text, &text, style, &range);
                self.close(Value::Scalar(scalar), range);
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if self.open.len() >= MOST_LEVELS => {
                self.diagnostics.push(syntax_error(self.file, range.start, "nested too deeply"));
                return false;
            }
            Event::SequenceStart(..) => self.open.push(Open::Sequence(Vec::new(), range.start)),
            Event::MappingStart(..) => self.open.push(Open::Mapping(Vec::new(), None, range.start)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Sequence(items, start)) => self.close(Value::Sequence(items), start..range.end),
                Some(Open::Mapping(entries, _, start)) => self.close(Value::Mapping(entries), start..range.end),
                None => {}
            },
            Event::Alias(_) => {
                self.diagnostics.push(syntax_error(self.file, range.start, "aliases (*name) are not used here"));
                return false;
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                self.diagnostics.push(syntax_error(self.file, range.start, "a second document in one file"));
                return false;
            }
            _ => {}
        }
        true
    }

    fn close(&mut self, value: Value, range: Range<usize>) {
        let end = range.start + self.file.text[range.clone()].trim_end().len();
        let node = Node { value, range: range.start..end, file: Arc::clone(self.file) };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Sequence(items, _)) => items.push(node),
            Some(Open::Mapping(entries, key, _)) => match key.take() {
                None => *key = Some(node),
                Some(taken) => {
                    let earlier = entries.iter().find(|(other, _)| other.text().is_some() && other.text() == taken.text());
                    if let Some((other, _)) = earlier {
                        let name = taken.text().unwrap_or_default();
                        self.diagnostics.push(
                            Diagnostic::new(&code::DUPLICATE_KEY, format!("键“{name}”写了两次"), format!("key `{name}` is given twice"))
                                .at(taken.span())
                                .also(other.span(), "第一次在这里", "first given here"),
                        );
                    } else {
                        entries.push((taken, node));
                    }
                }
            },
        }
    }
}

/// Maps each byte of the decoded text to the byte of the file where it stands.
///
/// Walks both texts side by side: what the decoder dropped (indentation, quotes, escapes, folded line ends) is skipped.
fn scalar(source: &str, text: &str, style: ScalarStyle, range: &Range<usize>) -> Scalar {
    let raw = &source[range.clone()];
    let mut at = match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
        // The place of a block scalar begins behind its header.
        ScalarStyle::Literal | ScalarStyle::Folded | ScalarStyle::Plain => 0,
    };
    let plain = style == ScalarStyle::Plain;
    if raw.get(at..).is_some_and(|rest| rest.starts_with(text)) {
        return Scalar { text: text.to_owned(), plain, offsets: Offsets::Straight(range.start + at) };
    }
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for character in text.chars() {
        let found = raw[at.min(raw.len())..].char_indices().find(|(_, other)| *other == character || (character == ' ' && *other == '\n'));
        let here = match found {
            // Only what the decoder can have dropped may lie between.
            Some((skip, _)) if raw[at..at + skip].chars().all(|dropped| dropped.is_whitespace() || matches!(dropped, '\\' | '\'')) => {
                at + skip
            }
            _ => at.min(raw.len()),
        };
        for byte in 0..character.len_utf8() {
            offsets.push(range.start + here + byte);
        }
        at = (here + raw[here.min(raw.len())..].chars().next().map_or(0, char::len_utf8)).min(raw.len());
    }
    offsets.push(range.start + at.min(raw.len()));
    Scalar { text: text.to_owned(), plain, offsets: Offsets::Each(offsets.into()) }
}
