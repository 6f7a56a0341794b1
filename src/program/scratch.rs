//! Buffers that evaluation keeps from batch to batch and from block to block.

use super::columns::BatchColumn;
use super::kernels::{BoolBuffer, LaneBuffer};

/// Working memory for one thread. It fits any program, and costs least when it stays with one.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The program that the buffers were made for.
    pub(super) program: Option<u64>,
    pub(super) columns: Vec<BatchColumn>,
    pub(super) buffers: Buffers,
    /// Words of verdicts that were given back.
    pub(super) spare: Vec<Vec<u64>>,
}

impl Scratch {
    /// Without buffers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the memory of verdicts that are no longer needed, for the next batch.
    pub fn recycle(&mut self, verdicts: super::Verdicts) {
        self.spare.extend(verdicts.into_words());
    }
}

/// One buffer per node.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) bools: Vec<Slot<BoolBuffer>>,
    pub(super) lanes: Vec<Slot<LaneBuffer>>,
    pub(super) texts: Vec<Slot<TextBuffer>>,
    /// Per boolean node that tests a text: for the batch, which of the distinct texts pass.
    pub(super) passes: Vec<Slot<Vec<bool>>>,
    /// Per lane that is looked up by text: for the batch, the digits of each distinct text.
    pub(super) digits: Vec<Slot<Vec<Option<i64>>>>,
    /// Per fact: for the block, the least and the greatest value.
    pub(super) bounds: Vec<Slot<Option<(i64, i64)>>>,
    /// Working words of `at least`.
    pub(super) reached: Vec<u64>,
    /// Number of the block, counted through all batches; a slot with this stamp is done.
    pub(super) block: u64,
    /// Number of the batch.
    pub(super) batch: u64,
}

/// A buffer, and what it was last filled for.
#[derive(Debug, Default)]
pub(super) struct Slot<T> {
    pub(super) buffer: T,
    pub(super) stamp: u64,
    /// Of a boolean: whether all rows of the block are one verdict.
    pub(super) uniform: Uniform,
}

/// Whether a block has one verdict for all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Uniform {
    #[default]
    Mixed,
    Yes,
    No,
}

/// The keys of a text, and where it is known.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    pub(super) keys: Vec<u32>,
    pub(super) known: Vec<u64>,
}
