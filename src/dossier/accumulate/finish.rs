//! From state to a fact's column: where there are no rows, what their absence means; where there is doubt, unknown.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};

use super::super::mapper::data_type;
use super::{Accumulator, Cells, mark};
use crate::check::catalogue::How;
use crate::check::ir::Ty;

/// What it means that a subject has no rows.
#[derive(Debug, Clone)]
pub(crate) enum Absent {
    /// Nothing: the register is partial.
    Unknown,
    /// That there is nothing.
    None,
    /// That there is nothing, for subjects with a set bit.
    NoneWithin(BooleanBuffer),
}

impl Absent {
    /// What it means for some places that follow each other.
    pub(crate) fn of(&self, start: usize, end: usize) -> Self {
        match self {
            Self::NoneWithin(within) => Self::NoneWithin(within.slice(start, end - start)),
            other => other.clone(),
        }
    }
}

/// Which subjects of a range have rows, and which of them have rows that were set aside.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    /// Subjects with rows.
    pub(crate) present: BooleanBuffer,
    /// Subjects with rows in quarantine, if any.
    pub(crate) doubtful: Option<BooleanBuffer>,
}

impl Accumulator {
    /// One value per place of the range. Where it is unknown, what stands in its place is arbitrary.
    pub(crate) fn finish(mut self, presence: &Presence, absent: &Absent) -> ArrayRef {
        self.count_distinct();
        let n_words = self.marks.len().div_ceil(64);
        let present = words(&presence.present);
        let covered = match absent {
            Absent::Unknown => vec![0; n_words],
            Absent::None => vec![u64::MAX; n_words],
            Absent::NoneWithin(within) => words(within),
        };
        let doubtful = presence.doubtful.as_ref().filter(|_| self.recipe.how != How::Only).map(words);
        let is_bool = self.recipe.ty == Ty::Bool;
        let mut known = Vec::with_capacity(n_words);
        let mut yes = Vec::with_capacity(if is_bool { n_words } else { 0 });
        for (at, marks) in self.marks.chunks(64).enumerate() {
            let doubtful = doubtful.as_ref().map_or(0, |words| words[at]);
            known.push(self.known(marks, present[at], covered[at]) & !doubtful);
            if is_bool {
                let marked = bits_of(marks, |marks| marks & mark::YES != 0);
                yes.push(if self.recipe.how == How::All { !marked } else { marked });
            }
        }
        self.column(known, yes)
    }

    /// Of up to 64 places those whose value is known. Where no rows are, a count or a sum of none is known of subjects that the
    /// register covers; of one that it does not cover, rows that do not pass tell nothing.
    fn known(&self, marks: &[u8], present: u64, covered: u64) -> u64 {
        const NOT_KNOWN: u8 = mark::DOUBT | mark::UNKNOWN;
        let told = || match self.recipe.tells {
            Some(_) => covered | present & bits_of(marks, |marks| marks & mark::TELLS != 0),
            None => covered | present,
        };
        match self.recipe.how {
            How::Only | How::Min | How::Max | How::Latest => bits_of(marks, |marks| marks & (mark::SET | NOT_KNOWN) == mark::SET),
            How::Count | How::CountDistinct | How::Sum => told() & bits_of(marks, |marks| marks & mark::DOUBT == 0),
            How::Any | How::All => told() & bits_of(marks, |marks| marks & mark::YES != 0 || marks & mark::UNKNOWN == 0),
        }
    }

    fn count_distinct(&mut self) {
        if self.recipe.how != How::CountDistinct {
            return;
        }
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.sort_unstable();
        pairs.dedup();
        self.values = Cells::wide32(self.marks.len());
        for (at, _) in pairs {
            self.values.add_one(at as usize);
        }
    }

    fn column(self, known: Vec<u64>, yes: Vec<u64>) -> ArrayRef {
        let places = self.marks.len();
        let bits = |words: Vec<u64>| BooleanBuffer::new(ScalarBuffer::from(words).into_inner(), 0, places);
        let known = NullBuffer::new(bits(known));
        let known = (known.null_count() > 0).then_some(known);
        let wide = |cells: Cells| match cells {
            Cells::None => vec![0; places],
            Cells::Narrow(cells) => cells.into_iter().map(i64::from).collect(),
            Cells::Wide(cells) => cells,
        };
        match (self.recipe.ty, self.values) {
            (Ty::Bool, _) => Arc::new(BooleanArray::new(bits(yes), known)),
            (Ty::Date, Cells::Narrow(days)) => Arc::new(Date32Array::new(days.into(), known)),
            (Ty::Text, Cells::Narrow(keys)) => {
                let keys = Int32Array::new(keys.into(), known);
                let texts = StringArray::from_iter_values(self.texts.iter().map(|text| &**text));
                Arc::new(DictionaryArray::new(keys, Arc::new(texts)))
            }
            (_, cells) if self.recipe.scale == 0 => Arc::new(Int64Array::new(wide(cells).into(), known)),
            (_, cells) => {
                let hundredths = wide(cells).into_iter().map(i128::from).collect::<Vec<_>>();
                Arc::new(Decimal128Array::new(hundredths.into(), known).with_data_type(data_type(Ty::Number, self.recipe.scale)))
            }
        }
    }
}

/// The bits of a buffer from its first one on, with zeros behind the last.
fn words(bits: &BooleanBuffer) -> Vec<u64> {
    bits.bit_chunks().iter_padded().collect()
}

fn bits_of(marks: &[u8], is_set: impl Fn(u8) -> bool) -> u64 {
    marks.iter().enumerate().fold(0, |word, (at, marks)| word | u64::from(is_set(*marks)) << at)
}
