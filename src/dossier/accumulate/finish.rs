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
    /// One value per place of the range.
    pub(crate) fn finish(mut self, presence: &Presence, absent: &Absent) -> ArrayRef {
        self.count_distinct();
        let places = self.marks.len();
        let none = self.of_none();
        let mut known = vec![0_u64; places.div_ceil(64)];
        let mut yes = vec![0_u64; if self.recipe.ty == Ty::Bool { known.len() } else { 0 }];
        for at in 0..places {
            let is_covered = match absent {
                Absent::Unknown => false,
                Absent::None => true,
                Absent::NoneWithin(within) => within.value(at),
            };
            let value = if presence.present.value(at) { self.value(at, is_covered) } else { none.filter(|_| is_covered) };
            let is_doubtful = self.recipe.how != How::Only && presence.doubtful.as_ref().is_some_and(|doubtful| doubtful.value(at));
            let Some(value) = value.filter(|_| !is_doubtful) else { continue };
            known[at / 64] |= 1 << (at % 64);
            if self.recipe.ty == Ty::Bool {
                yes[at / 64] |= u64::from(value != 0) << (at % 64);
            } else {
                self.values.set(at, value);
            }
        }
        self.column(known, yes)
    }

    /// The value for a subject without rows, where their absence says that there are none.
    fn of_none(&self) -> Option<i64> {
        match self.recipe.how {
            How::Count | How::CountDistinct | How::Sum | How::Any => Some(0),
            How::All => Some(1),
            How::Only | How::Min | How::Max | How::Latest => None,
        }
    }

    /// The value for a subject with rows. Of one that the register does not cover, rows that do not pass tell nothing.
    fn value(&self, at: usize, is_covered: bool) -> Option<i64> {
        let marks = self.marks[at];
        if marks & mark::DOUBT != 0 || !is_covered && self.recipe.tells.is_some() && marks & mark::TELLS == 0 {
            return None;
        }
        match self.recipe.how {
            How::Count | How::CountDistinct | How::Sum => Some(self.values.get(at)),
            How::Any | How::All => {
                let any = self.recipe.how == How::Any;
                match (marks & mark::YES != 0, marks & mark::UNKNOWN != 0) {
                    (true, _) => Some(i64::from(any)),
                    (false, true) => None,
                    (false, false) => Some(i64::from(!any)),
                }
            }
            How::Only | How::Min | How::Max | How::Latest => (marks & mark::SET != 0).then(|| self.stored(at)).flatten(),
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
