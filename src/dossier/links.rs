//! Links between subjects: the rows of a register as pairs of places.

use arrow::array::{Array, ArrayRef, StringArray, UInt32Array, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use rayon::prelude::*;

use super::DossierError;
use super::subjects::{NOWHERE, SubjectIndex};

/// Some rows of a link.
#[derive(Debug, Default)]
pub(super) struct LinkBatch {
    /// Where they lead from; every one is a subject.
    pub(super) from: Vec<u32>,
    /// Where they lead to: a place, a place beyond all subjects for an identifier that none has, or [`NOWHERE`] for none.
    pub(super) to: Vec<u32>,
    /// The columns that are kept.
    pub(super) columns: Vec<ArrayRef>,
}

/// All rows of a link that hold.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    /// In the order of the register.
    pub(super) batches: Vec<LinkBatch>,
    /// Identifiers at the other end that no subject has; the first has the place behind the last subject's.
    pub(super) others: Vec<String>,
}

impl LinkTable {
    /// For each subject the one other that its rows lead to; [`NOWHERE`] where there is none, or more than one.
    pub(super) fn only_target(&self, subjects: usize) -> Vec<u32> {
        let mut only = vec![NOWHERE; subjects];
        let mut several = vec![0_u64; subjects.div_ceil(64)];
        for batch in &self.batches {
            for (&from, &to) in batch.from.iter().zip(&batch.to) {
                let known = &mut only[from as usize];
                if to == NOWHERE || *known == to {
                    continue;
                }
                if *known == NOWHERE {
                    *known = to;
                } else {
                    several[from as usize / 64] |= 1 << (from % 64);
                }
            }
        }
        for (at, only) in only.iter_mut().enumerate() {
            if several[at / 64] >> (at % 64) & 1 == 1 {
                *only = NOWHERE;
            }
        }
        only
    }

    /// The identifiers of the other end.
    ///
    /// # Errors
    ///
    /// When they are too many for one column.
    pub(super) fn ids(&self, targets: &[u32], index: &SubjectIndex) -> Result<ArrayRef, DossierError> {
        let parts: Vec<StringArray> = targets.par_chunks(1 << 16).map(|targets| index.ids_at(targets, &self.others)).collect();
        let parts: Vec<&dyn Array> = parts.iter().map(|part| part as &dyn Array).collect();
        Ok(if parts.is_empty() { new_empty_array(&DataType::Utf8) } else { concat(&parts)? })
    }
}

/// Places to take from columns of `subjects` subjects: null where a place is no subject's.
pub(super) fn takeable(places: &[u32], subjects: usize) -> UInt32Array {
    places.iter().map(|&place| ((place as usize) < subjects).then_some(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_is_one_however_often_it_is_named() {
        let batch = |from: &[u32], to: &[u32]| LinkBatch { from: from.to_vec(), to: to.to_vec(), columns: Vec::new() };
        let table = LinkTable {
            batches: vec![batch(&[0, 0, 1, 2], &[7, 7, 8, NOWHERE]), batch(&[1, 2, 3, 3, 3], &[9, 5, 6, 7, 6])],
            others: Vec::new(),
        };
        assert_eq!(table.only_target(5), vec![7, NOWHERE, 5, NOWHERE, NOWHERE]);
    }
}
