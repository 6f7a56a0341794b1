//! Buffers that evaluation keeps from batch to batch and from block to block.

use arrow::datatypes::SchemaRef;

use super::codes::Codes;
use super::columns::BatchColumn;
use super::kernels::{Bits, BoolBuffer, LaneBuffer};
use super::node::{LaneId, TextId};

/// Working memory for one thread. It fits any program, and costs least when it stays with one.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The program that the buffers were made for.
    pub(super) program: Option<u64>,
    pub(super) columns: Vec<BatchColumn>,
    /// The columns of the last batch's schema that the program reads, in the order of its facts.
    pub(super) places: Option<(SchemaRef, Vec<usize>)>,
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
    /// Per lane that is compared with constants.
    pub(super) lane_codes: Vec<Slot<Codes>>,
    /// Per text that is tested against sets, its classes.
    pub(super) text_codes: Vec<Slot<Codes>>,
    /// Classes of the texts of a block.
    pub(super) classes: Vec<Vec<u32>>,
    /// All rows of the block, and none.
    pub(super) full: Bits,
    pub(super) zero: Bits,
    /// The chains of roots that can be other than no in the block.
    pub(super) alive: Vec<u64>,
    /// Working words of long conjunctions.
    pub(super) folded: [BoolBuffer; 2],
    /// The groups of the block, with the words that they have rows in.
    pub(super) masks: super::groups::Masks,
    /// Roots that are yes, and that are unknown, of a single dossier.
    pub(super) yes_roots: Vec<u32>,
    pub(super) unknown_roots: Vec<u32>,
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

/// Whether a block has one verdict for all rows, or for all that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Uniform {
    #[default]
    Mixed,
    Yes,
    No,
    Unknown,
    /// Yes where it is known.
    KnownYes(Known),
    /// No where it is known.
    KnownNo(Known),
}

/// What has to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Lane(LaneId),
    Text(TextId),
}

/// The keys of a text, and where it is known.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    pub(super) keys: Vec<u32>,
    pub(super) known: Vec<u64>,
}
