//! What is known before any row is read, because it was made before: facts of subjects whose dossiers others rest on, and the rows that
//! lead from subjects to many others.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{cast, interleave};

use super::DossierError;
use super::base::Base;
use super::narrow::plain;
use crate::register::declaration::SubjectKind;

/// Some facts of some subjects of a kind, who are there. What rows say of these facts of these subjects is not looked at, so that the
/// rows need not be there.
#[derive(Debug, Clone)]
pub struct KnownFacts {
    /// The kind.
    pub kind: SubjectKind,
    /// The subjects, each once.
    pub ids: Vec<String>,
    /// One row each, in that order: columns named and meant as those of [`super::Dossiers::chosen`].
    pub facts: RecordBatch,
}

/// The rows of a link that lead from some subjects, each beside facts of whom it leads to. Neither need be read: not the rows, and nothing
/// of those whom they lead to.
#[derive(Debug, Clone)]
pub struct KnownRows {
    /// The link, by index.
    pub link: usize,
    /// From whom, each once.
    pub from: Vec<String>,
    /// By row, from whom: places in `from`.
    pub leads: Vec<u32>,
    /// What is kept of the rows, one row each, as [`super::Led`] gave it.
    pub columns: RecordBatch,
    /// The facts, one row each, as [`super::Led`] gave them.
    pub facts: RecordBatch,
    /// Pairs of whom rows are read all the same, the only ones that count of those that are read: place in `from`, and identifier of whom
    /// it leads to.
    pub anew: HashSet<(u32, String)>,
}

/// All that is known beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beforehand<'a> {
    /// Facts.
    pub facts: &'a [KnownFacts],
    /// Rows of links.
    pub rows: &'a [KnownRows],
}

/// Known facts beside the places of their subjects.
#[derive(Debug, Default)]
pub(super) struct Known<'a>(BTreeMap<SubjectKind, Vec<Placed<'a>>>);

#[derive(Debug)]
struct Placed<'a> {
    /// Place among all subjects, and row of the facts.
    places: Vec<(usize, usize)>,
    facts: &'a RecordBatch,
}

/// The identifiers of a kind of whom something is known.
pub(super) fn known_ids(known: &[KnownFacts], kind: SubjectKind) -> StringArray {
    let of_kind = known.iter().filter(|known| known.kind == kind);
    let ids: Vec<&str> = of_kind.flat_map(|known| &known.ids).map(String::as_str).collect();
    StringArray::from(ids)
}

impl<'a> Known<'a> {
    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Beside the places of subjects.
    pub(super) fn new(known: &'a [KnownFacts], bases: &BTreeMap<SubjectKind, Base>) -> Self {
        let mut by_kind: BTreeMap<SubjectKind, Vec<Placed<'a>>> = BTreeMap::new();
        for KnownFacts { kind, ids, facts } in known {
            let Some(Base { index, .. }) = bases.get(kind) else { continue };
            let place = |(row, id): (usize, &String)| Some((usize::try_from(index.find(id)).ok().filter(|at| *at < index.len())?, row));
            let places: Vec<(usize, usize)> = ids.iter().enumerate().filter_map(place).collect();
            by_kind.entry(*kind).or_default().push(Placed { places, facts });
        }
        Self(by_kind)
    }

    /// A column of a kind, with what is known in the place of what was made of rows.
    ///
    /// # Errors
    ///
    /// When what is known is of another type.
    pub(super) fn over(&self, kind: SubjectKind, name: &str, made: ArrayRef) -> Result<ArrayRef, DossierError> {
        let mut values: Vec<ArrayRef> = Vec::new();
        let mut from: Vec<(usize, usize)> = Vec::new();
        for Placed { places, facts } in self.0.get(&kind).into_iter().flatten().filter(|placed| !placed.places.is_empty()) {
            let Some(column) = facts.column_by_name(name) else { continue };
            if from.is_empty() {
                from = (0..made.len()).map(|place| (0, place)).collect();
            }
            values.push(if column.data_type() == made.data_type() { column.clone() } else { cast(column, made.data_type())? });
            for (place, row) in places {
                from[*place] = (values.len(), *row);
            }
        }
        if values.is_empty() {
            return Ok(made);
        }
        let values: Vec<&dyn Array> = std::iter::once(&made).chain(&values).map(AsRef::as_ref).collect();
        Ok(interleave(&values, &from)?)
    }
}

/// A batch whose columns can be kept beside those of other batches: texts instead of keys.
///
/// # Errors
///
/// When a column cannot be written out.
pub fn written_out(batch: &RecordBatch) -> Result<RecordBatch, DossierError> {
    let columns = batch.columns().iter().map(plain).collect::<Result<Vec<_>, _>>()?;
    let schema = batch.schema();
    let named = schema.fields().iter().zip(columns).map(|(field, array)| (field.name(), array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(named)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, BooleanArray, DictionaryArray, Int64Array};
    use arrow::datatypes::{DataType, Int32Type, Int64Type};

    use super::*;

    fn facts(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).expect("a batch")
    }

    fn texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>())
    }

    #[test]
    fn what_is_known_takes_the_place_of_what_was_made() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]));
        let (first, second) = (
            facts(vec![
                ("n", Arc::new(Int64Array::from(vec![None, Some(20)]))),
                ("t", Arc::new(StringArray::from(vec![Some("new"), None]))),
                ("t!conflict", Arc::new(BooleanArray::from(vec![true, false]))),
            ]),
            facts(vec![("n", Arc::new(Int64Array::from(vec![Some(40)])))]),
        );
        let placed = vec![
            Placed { places: vec![(2, 0), (1, 1)], facts: &first },
            Placed { places: vec![(3, 0)], facts: &second },
            Placed { places: Vec::new(), facts: &second },
        ];
        let known = Known(BTreeMap::from([(SubjectKind::Person, placed)]));
        let over = |name: &str, made: ArrayRef| known.over(SubjectKind::Person, name, made).expect("of a type");
        let found = over("n", Arc::clone(&numbers));
        assert_eq!(found.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), Some(20), None, Some(40)]));
        let found = over("t", texts(&[Some("a"), Some("b"), None, Some("a")]));
        assert_eq!(found.data_type(), texts(&[]).data_type());
        let plain = cast(&found, &DataType::Utf8).expect("texts");
        assert_eq!(plain.as_string::<i32>(), &StringArray::from(vec![Some("a"), None, Some("new"), Some("a")]));
        let found = over("t!conflict", Arc::new(BooleanArray::from(vec![false; 4])));
        assert_eq!(found.as_boolean(), &BooleanArray::from(vec![false, false, true, false]));
        // What nothing is known of, or of another kind, stays what it is.
        assert!(Arc::ptr_eq(&over("other", Arc::clone(&numbers)), &numbers));
        let of_entity = known.over(SubjectKind::Entity, "n", Arc::clone(&numbers)).expect("as it is");
        assert!(Arc::ptr_eq(&of_entity, &numbers));
    }

    #[test]
    fn keys_are_written_out() {
        let batch = facts(vec![("t", texts(&[Some("a"), None])), ("n", Arc::new(Int64Array::from(vec![1, 2])))]);
        let plain = written_out(&batch).expect("texts");
        assert_eq!(plain.column(0).as_string::<i32>(), &StringArray::from(vec![Some("a"), None]));
        assert_eq!(plain.column(1), batch.column(1));
        assert_eq!(written_out(&batch.slice(0, 0)).expect("no rows").num_rows(), 0);
    }
}
