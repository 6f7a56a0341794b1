//! Facts of those whom others rest on, carried from turn to turn: of whom they are known, rows need not be read and added up again.
//!
//! ```text
//!  turn 1   an employee ─ rests on ─▶ employer ─▶ all its people, row by row ──▶ facts of the employer ─ kept
//!  turn 2   another one ─ rests on ─▶ employer: its facts are known, unless a change has touched them
//! ```
//!
//! Carried are facts of one day, by one judge; whoever stands at a stop of the ways that a change touches is forgotten there. They are there, too: who is listed no more is touched.

use std::hash::Hash;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

/// Rows that count no more beside those that do, before there are too many.
const SPARE: usize = 10_000;

/// Facts of some subjects, by the group of stops at which they are read. `Id`: the number that stands for an identifier.
#[derive(Debug)]
pub struct Carried<Id> {
    groups: Vec<Group<Id>>,
    /// Bytes, about: those of subjects that were forgotten among them.
    size: usize,
    /// Counts up with each turn.
    turn: u32,
}

#[derive(Debug)]
struct Group<Id> {
    /// Batch and row.
    at: HashMap<Id, (usize, usize)>,
    batches: Vec<RecordBatch>,
    /// Of all batches: those of subjects that were forgotten, or kept anew, among them.
    rows: usize,
    /// Who was forgotten in this turn: what is kept of a turn before it does not count.
    forgotten: HashSet<Id>,
}

impl<Id> Default for Carried<Id> {
    fn default() -> Self {
        Self { groups: Vec::new(), size: 0, turn: 0 }
    }
}

impl<Id> Default for Group<Id> {
    fn default() -> Self {
        Self { at: HashMap::new(), batches: Vec::new(), rows: 0, forgotten: HashSet::new() }
    }
}

impl<Id: Copy + Eq + Hash> Carried<Id> {
    /// Another turn begins: who is forgotten from now on is so for what is kept of turns before, too.
    pub fn turn(&mut self) {
        self.turn += 1;
        self.groups.iter_mut().for_each(|group| group.forgotten.clear());
    }

    /// Whether a subject's facts are known in a group.
    #[must_use]
    pub fn has(&self, group: usize, id: Id) -> bool {
        self.groups.get(group).is_some_and(|group| group.at.contains_key(&id))
    }

    fn of(&mut self, group: usize) -> &mut Group<Id> {
        if self.groups.len() <= group {
            self.groups.resize_with(group + 1, Group::default);
        }
        &mut self.groups[group]
    }

    /// Keeps facts of some subjects, one row each, as a turn found them: this one, or the one before it, of which those do not count who
    /// were forgotten in this one.
    ///
    /// # Errors
    ///
    /// When what was kept of some has other columns than what was kept of others.
    pub fn keep(&mut self, group: usize, ids: impl IntoIterator<Item = Id>, facts: RecordBatch, turn: u32) -> Result<(), ArrowError> {
        if facts.num_rows() == 0 {
            return Ok(());
        }
        self.size += facts.get_array_memory_size() + facts.num_rows() * 32;
        let is_of_before = turn < self.turn;
        let of = self.of(group);
        let batch = of.batches.len();
        let ids = ids.into_iter().enumerate().filter(|(_, id)| !(is_of_before && of.forgotten.contains(id)));
        of.at.extend(ids.map(|(row, id)| (id, (batch, row))));
        of.rows += facts.num_rows();
        of.batches.push(facts);
        if of.rows > 2 * of.at.len() + SPARE { self.put_together(group) } else { Ok(()) }
    }

    /// Makes one batch of all that is known in a group.
    fn put_together(&mut self, group: usize) -> Result<(), ArrowError> {
        let ids: Vec<Id> = self.ids(group).collect();
        let facts = self.facts(group, &ids)?;
        let size_of = |facts: &RecordBatch| facts.get_array_memory_size() + facts.num_rows() * 32;
        let of = &mut self.groups[group];
        let before: usize = of.batches.iter().map(size_of).sum();
        *of = Group { forgotten: std::mem::take(&mut of.forgotten), ..Group::default() };
        self.size = self.size.saturating_sub(before);
        facts.map_or(Ok(()), |facts| self.keep(group, ids, facts, self.turn))
    }

    /// Whose facts are known in a group.
    pub fn ids(&self, group: usize) -> impl Iterator<Item = Id> {
        self.groups.get(group).into_iter().flat_map(|group| group.at.keys().copied())
    }

    /// Forgets what is known of a subject in a group.
    pub fn forget(&mut self, group: usize, id: Id) {
        let of = self.of(group);
        of.at.remove(&id);
        of.forgotten.insert(id);
    }

    /// The facts of some subjects that are known, one row each; none where there are no subjects.
    ///
    /// # Errors
    ///
    /// When what was kept of some has other columns than what was kept of others.
    pub fn facts(&self, group: usize, ids: &[Id]) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(group) = self.groups.get(group).filter(|_| !ids.is_empty()) else { return Ok(None) };
        // Only batches of which something is asked for.
        let mut place: HashMap<usize, usize> = HashMap::new();
        let mut batches: Vec<&RecordBatch> = Vec::new();
        let mut rows = Vec::with_capacity(ids.len());
        for (batch, row) in ids.iter().map(|id| group.at[id]) {
            let at = *place.entry(batch).or_insert_with(|| {
                batches.push(&group.batches[batch]);
                batches.len() - 1
            });
            rows.push((at, row));
        }
        interleave_record_batch(&batches, &rows).map(Some)
    }

    /// Some bytes more than it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn numbers(numbers: &[i64]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        RecordBatch::try_from_iter([("n", column)]).expect("a batch")
    }

    #[track_caller]
    fn check(carried: &Carried<u32>, group: usize, ids: &[u32], expected: Option<&[i64]>) {
        let found = carried.facts(group, ids).expect("of one form");
        let found = found.map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn the_last_that_was_kept_of_somebody_is_carried_until_it_is_forgotten() {
        let mut carried = Carried::default();
        assert!(!carried.has(1, 7));
        carried.forget(1, 7);
        let keep = |carried: &mut Carried<u32>, group, ids: &[u32], facts| {
            carried.keep(group, ids.iter().copied(), facts, carried.turn).expect("kept");
        };
        keep(&mut carried, 1, &[], numbers(&[]));
        assert_eq!((carried.has(1, 7), carried.size(), carried.ids(1).count()), (false, 0, 0));
        check(&carried, 1, &[], None);
        keep(&mut carried, 1, &[7, 8, 9], numbers(&[70, 80, 90]));
        keep(&mut carried, 0, &[7], numbers(&[700]));
        keep(&mut carried, 1, &[8, 6], numbers(&[81, 60]));
        check(&carried, 1, &[6, 9, 8, 7], Some(&[60, 90, 81, 70]));
        check(&carried, 1, &[8], Some(&[81]));
        check(&carried, 1, &[], None);
        check(&carried, 0, &[7], Some(&[700]));
        carried.forget(1, 7);
        let mut ids: Vec<u32> = carried.ids(1).collect();
        ids.sort_unstable();
        assert_eq!(ids, [6, 8, 9]);
        assert!(!carried.has(1, 7) && carried.has(0, 7) && carried.size() > 0);
    }

    #[test]
    fn what_a_turn_before_found_does_not_count_of_whoever_was_touched_since() {
        let mut carried = Carried::default();
        carried.turn();
        carried.forget(0, 7);
        carried.keep(0, [7, 8], numbers(&[70, 80]), 1).expect("kept");
        check(&carried, 0, &[7, 8], Some(&[70, 80]));
        carried.turn();
        carried.forget(0, 7);
        carried.forget(1, 9);
        carried.keep(0, [7, 8], numbers(&[71, 81]), 1).expect("kept");
        carried.keep(1, [9], numbers(&[90]), 1).expect("kept");
        assert!(!carried.has(0, 7) && !carried.has(1, 9));
        check(&carried, 0, &[8], Some(&[81]));
        carried.keep(0, [7], numbers(&[72]), 2).expect("kept");
        check(&carried, 0, &[7, 8], Some(&[72, 81]));
        carried.turn();
        carried.keep(1, [9], numbers(&[91]), 2).expect("kept");
        check(&carried, 1, &[9], Some(&[91]));
    }

    #[test]
    fn what_does_not_count_any_more_is_thrown_away() {
        let mut carried = Carried::default();
        let all: Vec<i64> = (0..1_000).collect();
        for round in 0..100 {
            let ids = all.iter().map(|id| u32::try_from(*id).expect("few"));
            carried.keep(0, ids, numbers(&all.iter().map(|number| number + round).collect::<Vec<_>>()), 0).expect("kept");
        }
        assert!(carried.groups[0].rows <= SPARE + 3_000 && carried.size() < 1_000_000, "{} bytes", carried.size());
        check(&carried, 0, &[0, 999, 5], Some(&[99, 1_098, 104]));
    }
}
