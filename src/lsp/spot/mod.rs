//! The spot in a YAML file where the cursor is: the keys that lead there, and the scalar under it.
//!
//! A file that is being written is often no YAML at all, so there are two ways to a spot: through the tree, for what is
//! complete ([`Spot::in_tree`]), and line by line up to the cursor, for what is being typed ([`Spot::before`]).

mod before;
mod flow;
mod tree;

use std::ops::Range;

/// A step from the top of a file to a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into the value of a key.
    Key(String),
    /// Into an element of a list.
    Item,
}

/// What a scalar is, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key.
    Key,
    /// A value.
    Value,
    /// The first word of a line: a value, or a key whose colon is not written yet.
    Either,
}

/// Where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// What leads to the scalar; of a key, to its mapping.
    pub(super) path: Vec<Step>,
    /// What it is.
    pub(super) kind: Kind,
    /// Its decoded text; of what is being typed, up to the cursor.
    pub(super) text: String,
    /// Keys of the same mapping with their values where these are scalars; of a key, without itself.
    pub(super) siblings: Vec<(String, String)>,
    /// The byte of the file that each byte of the text, and its end, comes from.
    offsets: Vec<usize>,
}

impl Spot {
    /// Where a part of the text stands in the file.
    pub(super) fn place(&self, inner: &Range<usize>) -> Range<usize> {
        let at = |index: usize| self.offsets[index.min(self.offsets.len() - 1)];
        let start = at(inner.start);
        let end = if inner.end > inner.start { at(inner.end - 1) + 1 } else { start };
        start..end.max(start)
    }

    /// Where the whole text stands in the file.
    pub(super) fn whole(&self) -> Range<usize> {
        self.place(&(0..self.text.len()))
    }

    /// The value of a key of the same mapping.
    pub(super) fn sibling(&self, key: &str) -> Option<&str> {
        self.siblings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The keys of the path; elements of lists are `-`.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.path.iter().map(Step::word).collect()
    }
}

impl Step {
    /// The key, or `-`.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Item => "-",
        }
    }
}

/// The value of a key at the top of a file, as written, whether or not the rest of the file can be read.
pub(super) fn top_value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let value = line.split(" #").next().unwrap_or(line).trim();
    Some(value.trim_matches(['\'', '"'])).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
