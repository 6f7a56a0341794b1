//! The loops over rows: slices in, words and lanes out.

pub(super) mod arith;
pub(super) mod compare;
pub(super) mod dates;
pub(super) mod logic;
pub(super) mod text;

/// The known values of a block of rows; a value that is not known is arbitrary.
#[derive(Debug, Default)]
pub(super) struct LaneBuffer {
    pub(super) values: Vec<i64>,
    pub(super) known: Vec<u64>,
}

/// The verdicts of a block of rows. No row is both; a row that is neither is unknown; bits past the last row are zero.
#[derive(Debug, Default)]
pub(super) struct BoolBuffer {
    pub(super) yes: Vec<u64>,
    pub(super) no: Vec<u64>,
}

impl BoolBuffer {
    /// Makes room for so many words.
    pub(super) fn resize(&mut self, words: usize) {
        self.yes.resize(words, 0);
        self.no.resize(words, 0);
    }
}
