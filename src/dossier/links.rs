//! Links between subjects: the rows of a register as pairs of places.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array, new_empty_array};
use arrow::compute::{cast, concat, filter, filter_record_batch};
use arrow::datatypes::DataType;
use rayon::prelude::*;

use super::DossierError;
use super::columns::Column;
use super::known::KnownRows;
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
    /// Facts of those whom they lead to, where these have no places.
    pub(super) known: Option<RecordBatch>,
}

impl LinkBatch {
    /// A fact of those whom the rows lead to; its column over all of these has `subjects` values.
    ///
    /// # Errors
    ///
    /// When what is known is of another type.
    pub(super) fn fact(&self, name: &str, column: &Column, subjects: usize) -> Result<ArrayRef, DossierError> {
        match self.known.as_ref().and_then(|known| known.column_by_name(name)) {
            Some(known) if known.data_type() == &column.data_type => Ok(ArrayRef::clone(known)),
            Some(known) => Ok(cast(known, &column.data_type)?),
            None => column.take(&takeable(&self.to, subjects)),
        }
    }

    /// The rows for which something is so.
    fn only(&self, mask: &BooleanArray) -> Result<Self, DossierError> {
        let places = |places: &[u32]| mask.values().set_indices().map(|row| places[row]).collect();
        Ok(Self {
            from: places(&self.from),
            to: places(&self.to),
            columns: self.columns.iter().map(|column| filter(column, mask)).collect::<Result<_, _>>()?,
            known: self.known.as_ref().map(|known| filter_record_batch(known, mask)).transpose()?,
        })
    }
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
    /// Puts rows that are known in the place of those that were read from the same subjects, but for pairs that are to be read.
    ///
    /// # Errors
    ///
    /// When columns cannot be filtered.
    pub(super) fn put(&mut self, known: &KnownRows, from: &SubjectIndex, to: &SubjectIndex) -> Result<(), DossierError> {
        let places: Vec<u32> = known.from.iter().map(|id| from.find(id)).collect();
        let behind: HashMap<&str, usize> = self.others.iter().enumerate().map(|(at, id)| (id.as_str(), to.len() + at)).collect();
        let place_to = |id: &str| match to.find(id) {
            NOWHERE => behind.get(id).and_then(|at| u32::try_from(*at).ok()),
            place => Some(place),
        };
        let anew: HashSet<(u32, u32)> = known.anew.iter().filter_map(|(at, id)| Some((places[*at as usize], place_to(id)?))).collect();
        let is_known: HashSet<u32> = places.iter().copied().collect();
        for batch in &mut self.batches {
            let counts = |(from, to): (&u32, &u32)| !is_known.contains(from) || anew.contains(&(*from, *to));
            let mask = BooleanArray::from_iter(batch.from.iter().zip(&batch.to).map(|pair| Some(counts(pair))));
            if mask.true_count() < mask.len() {
                *batch = batch.only(&mask)?;
            }
        }
        let leads: Vec<u32> = known.leads.iter().map(|at| places[*at as usize]).collect();
        let is_there = BooleanArray::from_iter(leads.iter().map(|place| Some(*place != NOWHERE)));
        let (to, columns) = (vec![NOWHERE; leads.len()], known.columns.columns().to_vec());
        let rows = LinkBatch { from: leads, to, columns, known: Some(known.facts.clone()) };
        self.batches.push(if is_there.true_count() < is_there.len() { rows.only(&is_there)? } else { rows });
        self.batches.retain(|batch| !batch.from.is_empty());
        Ok(())
    }

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
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::super::subjects::Keys;
    use super::*;

    #[test]
    fn one_target_is_one_however_often_it_is_named() {
        let batch = |from: &[u32], to: &[u32]| LinkBatch { from: from.to_vec(), to: to.to_vec(), ..LinkBatch::default() };
        let table = LinkTable {
            batches: vec![batch(&[0, 0, 1, 2], &[7, 7, 8, NOWHERE]), batch(&[1, 2, 3, 3, 3], &[9, 5, 6, 7, 6])],
            others: Vec::new(),
        };
        assert_eq!(table.only_target(5), vec![7, NOWHERE, 5, NOWHERE, NOWHERE]);
    }

    #[test]
    fn rows_that_are_known_take_the_place_of_those_that_are_read() {
        let index = |ids: &[&str]| SubjectIndex::new(vec![Keys::of(StringArray::from(ids.to_vec()))]);
        let numbers = |numbers: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
        let batch = |name: &str, column: ArrayRef| RecordBatch::try_from_iter([(name, column)]).expect("a batch");
        let read = |from: &[u32], to: &[u32], column: &[i64]| LinkBatch {
            from: from.to_vec(),
            to: to.to_vec(),
            columns: vec![numbers(column)],
            known: None,
        };
        // Firms e0 to e2 and persons p0 to p2; somebody else has the place behind them.
        let (from, to) = (index(&["e0", "e1", "e2"]), index(&["p0", "p1", "p2"]));
        let mut table = LinkTable {
            batches: vec![read(&[0, 0, 1], &[0, 3, 0], &[1, 2, 3]), read(&[1, 2], &[2, 1], &[4, 5])],
            others: vec!["x".to_owned()],
        };
        let known = KnownRows {
            link: 0,
            from: ["e1", "nobody", "e0"].map(str::to_owned).to_vec(),
            leads: vec![0, 1, 2],
            columns: batch("0", numbers(&[30, 31, 32])),
            facts: batch("age", numbers(&[60, 61, 62])),
            anew: HashSet::from([(0, "p2".to_owned()), (2, "x".to_owned()), (2, "unheard of".to_owned())]),
        };
        table.put(&known, &from, &to).expect("of one form");
        let ages = Column::of(numbers(&[10, 11, 12]));
        let rows = |batch: &LinkBatch| {
            let column = batch.columns[0].as_primitive::<Int64Type>().values().to_vec();
            let ages = batch.fact("age", &ages, 3).expect("numbers");
            let ages: Vec<Option<i64>> = ages.as_primitive::<Int64Type>().iter().collect();
            (batch.from.clone(), column, ages)
        };
        let found: Vec<_> = table.batches.iter().map(rows).collect();
        let expected = vec![
            (vec![0], vec![2], vec![None]),
            (vec![1, 2], vec![4, 5], vec![Some(12), Some(11)]),
            (vec![1, 0], vec![30, 32], vec![Some(60), Some(62)]),
        ];
        assert_eq!(found, expected);
    }
}
