//! The verdicts of one batch: two bitmaps per root.

use super::bitmap;

/// Per root, which rows are yes and which are unknown; the rest are no. A row is a row of the batch, the least significant
/// bit of a word comes first, and bits past the last row are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    rows: usize,
    roots: usize,
    yes: Vec<u64>,
    unknown: Vec<u64>,
}

impl Verdicts {
    pub(super) fn new(roots: usize, rows: usize, spare: &mut Vec<Vec<u64>>) -> Self {
        let len = roots * bitmap::words(rows);
        let mut take = || {
            let mut words = spare.pop().unwrap_or_default();
            words.resize(len, 0);
            words
        };
        Self { rows, roots, yes: take(), unknown: take() }
    }

    pub(super) fn into_words(self) -> [Vec<u64>; 2] {
        [self.yes, self.unknown]
    }

    pub(super) fn words_mut(&mut self, root: usize, first: usize, count: usize) -> (&mut [u64], &mut [u64]) {
        let start = root * bitmap::words(self.rows) + first;
        (&mut self.yes[start..start + count], &mut self.unknown[start..start + count])
    }

    /// Gives a root the words of another.
    pub(super) fn copy(&mut self, from: usize, to: usize, first: usize, count: usize) {
        let per_root = bitmap::words(self.rows);
        let (from, to) = (from * per_root + first, to * per_root + first);
        self.yes.copy_within(from..from + count, to);
        self.unknown.copy_within(from..from + count, to);
    }

    fn part<'a>(&self, words: &'a [u64], root: usize) -> &'a [u64] {
        let per_root = bitmap::words(self.rows);
        &words[root * per_root..(root + 1) * per_root]
    }

    /// How many rows the batch has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many roots were evaluated.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots
    }

    /// The rows for which the root is yes.
    #[must_use]
    pub fn yes(&self, root: usize) -> &[u64] {
        self.part(&self.yes, root)
    }

    /// The rows for which the root is unknown.
    #[must_use]
    pub fn unknown(&self, root: usize) -> &[u64] {
        self.part(&self.unknown, root)
    }

    /// For how many rows the root is yes.
    #[must_use]
    pub fn count_yes(&self, root: usize) -> usize {
        bitmap::count(self.yes(root))
    }

    /// For how many rows the root is unknown.
    #[must_use]
    pub fn count_unknown(&self, root: usize) -> usize {
        bitmap::count(self.unknown(root))
    }

    /// The rows for which the root is yes, ascending.
    pub fn yes_rows(&self, root: usize) -> impl Iterator<Item = usize> + '_ {
        bitmap::rows(self.yes(root))
    }

    /// The rows for which the root is unknown, ascending.
    pub fn unknown_rows(&self, root: usize) -> impl Iterator<Item = usize> + '_ {
        bitmap::rows(self.unknown(root))
    }

    /// The verdict of one row: yes, no, or `None` for unknown.
    #[must_use]
    pub fn get(&self, root: usize, row: usize) -> Option<bool> {
        if bitmap::is_set(self.yes(root), row) {
            Some(true)
        } else if bitmap::is_set(self.unknown(root), row) {
            None
        } else {
            Some(false)
        }
    }
}
