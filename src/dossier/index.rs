//! Subjects by identifier: from an identifier to its place, and rows laid in the order of places.

use std::hash::BuildHasher;

use arrow::array::{Array, ArrayRef, StringArray, UInt32Array, new_null_array};
use arrow::compute::{interleave, take};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::DossierError;
use super::feed::shard_of;

/// The subjects of one shard in the order of their dossiers.
#[derive(Debug)]
pub(super) struct SubjectIndex {
    ids: StringArray,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl SubjectIndex {
    /// Indexes identifiers; of two equal ones the first counts.
    #[must_use]
    pub(super) fn new(ids: StringArray) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut places: HashTable<u32> = HashTable::with_capacity(ids.len());
        for (place, id) in (0_u32..).zip(ids.iter()) {
            let id = id.unwrap_or("");
            let hash = hasher.hash_one(id);
            if places.find(hash, |&other| ids.value(other as usize) == id).is_none() {
                places.insert_unique(hash, place, |&other| hasher.hash_one(ids.value(other as usize)));
            }
        }
        Self { ids, places, hasher }
    }

    /// The identifiers, by place.
    #[must_use]
    pub(super) fn ids(&self) -> &StringArray {
        &self.ids
    }

    /// The place of an identifier.
    #[must_use]
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.places.find(self.hasher.hash_one(id), |&place| self.ids.value(place as usize) == id).copied()
    }

    /// For each subject the row of `ids` that is its; the last one where there are several.
    #[must_use]
    pub(super) fn rows_of(&self, ids: &StringArray) -> UInt32Array {
        let mut rows: Vec<Option<u32>> = vec![None; self.ids.len()];
        for (row, id) in (0_u32..).zip(ids.iter()) {
            if let Some(place) = id.and_then(|id| self.find(id)) {
                rows[place as usize] = Some(row);
            }
        }
        UInt32Array::from(rows)
    }
}

/// Columns of all subjects of a kind, in shards, to be looked up by identifier.
pub(super) struct Targets {
    /// By shard.
    pub indices: Vec<std::sync::Arc<SubjectIndex>>,
    /// By shard, then column.
    pub columns: Vec<Vec<ArrayRef>>,
}

impl Targets {
    /// The columns of the subjects named, null where there is no such subject.
    ///
    /// # Errors
    ///
    /// When arrays cannot be put together.
    pub(super) fn gather(&self, ids: &StringArray) -> Result<Vec<ArrayRef>, DossierError> {
        if let ([index], [columns]) = (self.indices.as_slice(), self.columns.as_slice()) {
            let rows = UInt32Array::from_iter(ids.iter().map(|id| id.and_then(|id| index.find(id))));
            return Ok(columns.iter().map(|column| take(column, &rows, None)).collect::<Result<_, _>>()?);
        }
        let shards = self.indices.len();
        let places: Vec<(usize, usize)> = ids
            .iter()
            .map(|id| {
                let found = id.and_then(|id| {
                    let shard = shard_of(id, shards);
                    Some((shard, self.indices[shard].find(id)? as usize))
                });
                found.unwrap_or((shards, 0))
            })
            .collect();
        let count = self.columns.first().map_or(0, Vec::len);
        (0..count)
            .map(|column| {
                let nobody = new_null_array(self.columns[0][column].data_type(), 1);
                let arrays: Vec<&dyn Array> = self.columns.iter().map(|shard| shard[column].as_ref()).chain([nobody.as_ref()]).collect();
                Ok(interleave(&arrays, &places)?)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn rows_are_laid_in_the_order_of_subjects() {
        let index = SubjectIndex::new(StringArray::from(vec!["a", "b", "c"]));
        let rows = index.rows_of(&StringArray::from(vec!["c", "x", "a"]));
        assert_eq!(rows, UInt32Array::from(vec![Some(2), None, Some(0)]));
    }

    #[track_caller]
    fn check(shards: usize) {
        let all = ["a", "b", "c", "d", "e"];
        let of = |shard: usize| -> Vec<&str> { all.into_iter().filter(|id| shard_of(id, shards) == shard).collect() };
        let targets = Targets {
            indices: (0..shards).map(|shard| Arc::new(SubjectIndex::new(StringArray::from(of(shard))))).collect(),
            columns: (0..shards)
                .map(|shard| {
                    let values = of(shard).iter().map(|id| i64::from(id.as_bytes()[0])).collect::<Vec<_>>();
                    vec![Arc::new(Int64Array::from(values)) as ArrayRef]
                })
                .collect(),
        };
        let found = targets.gather(&StringArray::from(vec![Some("e"), None, Some("nobody"), Some("a")])).expect("columns");
        let found = found[0].as_primitive::<Int64Type>();
        assert_eq!(found.iter().collect::<Vec<_>>(), vec![Some(101), None, None, Some(97)]);
    }

    #[test]
    fn targets_are_found_in_any_number_of_shards() {
        check(1);
        check(2);
        check(3);
    }
}
