//! A YAML file as a tree in which every scalar knows its place, down to the character inside it.
//!
//! Policies, registers, parameters and cases are read through this tree and not through serde, because a reader must
//! report every mistake of a file at once, each at its very token. Anchors and aliases are refused: a policy file is
//! read by people, line by line.

mod fields;
mod parse;
pub mod schema;
mod texts;

use std::ops::Range;
use std::sync::Arc;

pub use fields::{Fields, message, parse_date, wrong_shape};
pub use parse::parse;
pub use texts::Texts;

use crate::diagnostic::{SourceFile, Span};

/// One node of a YAML tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// What the node holds.
    pub value: Value,
    /// The bytes of the file that it takes.
    pub range: Range<usize>,
    /// The file.
    pub file: Arc<SourceFile>,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, a number, a date, true or false: the reader decides which.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with values, in the order of the file.
    Mapping(Vec<(Node, Node)>),
}

/// A scalar with the place of each of its characters.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The decoded text.
    pub text: String,
    /// Whether it was written without quotes; only such a scalar can be null, a number or a boolean.
    pub plain: bool,
    offsets: Offsets,
}

/// Where each byte of a decoded text, and its end, comes from.
#[derive(Debug, Clone)]
enum Offsets {
    /// The text stands in the file as it is, from this byte on: so do nearly all.
    Straight(usize),
    /// The byte of the file, for each byte of the text and one more for the end.
    Each(Box<[usize]>),
    /// The text stands nowhere: it was made in the name of a node, whose place is that of every part.
    Nowhere,
}

impl Scalar {
    /// The byte of the file where a byte of the text, or its end, comes from; what lies behind the end is the end.
    fn offset(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        match &self.offsets {
            Offsets::Straight(start) => start + at,
            Offsets::Each(offsets) => offsets[at],
            Offsets::Nowhere => 0,
        }
    }
}

impl Node {
    /// The place of the whole node.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(&self.file, self.range.clone())
    }

    /// The scalar, if the node is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar node.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// The elements of a list node.
    #[must_use]
    pub fn sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping node.
    #[must_use]
    pub fn mapping(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether the node is an empty or `null` plain scalar.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.plain && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A scalar that a reader makes in the name of this node: it, and each part of its text, has the place of this node.
    #[must_use]
    pub fn made(&self, text: impl Into<String>) -> Self {
        let scalar = Scalar { text: text.into(), plain: true, offsets: Offsets::Nowhere };
        Self { value: Value::Scalar(scalar), range: self.range.clone(), file: Arc::clone(&self.file) }
    }

    /// Whether the node is a scalar that a reader made: its text does not stand in the file.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.scalar().is_some_and(|scalar| matches!(scalar.offsets, Offsets::Nowhere))
    }

    /// The place of a byte range of the decoded text of a scalar; the whole node where it is none.
    #[must_use]
    pub fn place(&self, inner: Range<usize>) -> Span {
        let Some(scalar) = self.scalar().filter(|_| !self.is_made()) else { return self.span() };
        let start = scalar.offset(inner.start);
        let end = if inner.end > inner.start { scalar.offset(inner.end - 1) + 1 } else { start };
        Span::new(&self.file, start..end.max(start))
    }
}

#[cfg(test)]
mod tests;
