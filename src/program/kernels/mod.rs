//! The loops over rows: slices in, words and lanes out.

pub(super) mod arith;
pub(super) mod compare;
pub(super) mod dates;
pub(super) mod logic;
pub(super) mod text;
pub(super) mod vector;

use std::ops::{Deref, DerefMut};

/// The known values of a block of rows; a value that is not known is arbitrary.
#[derive(Debug, Default)]
pub(super) struct LaneBuffer {
    pub(super) values: Vec<i64>,
    pub(super) known: Vec<u64>,
}

/// The verdicts of a block of rows. No row is both; a row that is neither is unknown; bits past the last row are zero.
#[derive(Debug, Default)]
pub(super) struct BoolBuffer {
    pub(super) yes: Bits,
    pub(super) no: Bits,
}

impl BoolBuffer {
    /// Makes room for so many words.
    pub(super) fn resize(&mut self, words: usize) {
        self.yes.resize(words);
        self.no.resize(words);
    }
}

/// Words of bits that begin where a line of the cache does, so that no vector lies across two.
#[derive(Debug, Default)]
pub(super) struct Bits {
    room: Vec<u64>,
    start: usize,
    len: usize,
}

impl Bits {
    /// Makes room for so many words; what they hold is arbitrary.
    pub(super) fn resize(&mut self, words: usize) {
        const LINE: usize = 64;
        if self.room.len() < words + LINE / 8 {
            self.room.resize(words + LINE / 8, 0);
            self.start = self.room.as_ptr().align_offset(LINE).min(LINE / 8);
        }
        self.len = words;
    }
}

impl Deref for Bits {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.room[self.start..self.start + self.len]
    }
}

impl DerefMut for Bits {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.room[self.start..self.start + self.len]
    }
}
