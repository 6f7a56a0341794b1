//! Rows of links that lead from one subject to many others, carried from turn to turn, each beside the facts of whom it leads to.
//!
//! ```text
//!  turn 1   an employer ─▶ the contracts of all its people, row by row, beside each one's facts ── kept
//!  turn 2   one of them has changed ─▶ what is theirs is read anew; all others' is as it was
//! ```
//!
//! As with [`super::carried`], what is kept is of one day, by one judge. The rows lie under those whom they lead to. Whoever of these is
//! touched is told of ([`Leads::touch`]): what was kept before does not count any more.

use std::hash::Hash;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

/// Parts that are put together once there are more.
const PARTS: usize = 32;

/// Rows that are kept, by lead: a link that is walked from those who are judged. `Id`: the number that stands for an identifier.
#[derive(Debug)]
pub struct Leads<Id> {
    /// Counts up with each turn.
    turn: u32,
    of: Vec<Lead<Id>>,
    /// Bytes, about.
    size: usize,
}

#[derive(Debug)]
struct Lead<Id> {
    /// By whom rows lead to: the last turn that touched it.
    touched: HashMap<Id, u32>,
    from: HashMap<Id, Kept>,
    parts: Vec<Part<Id>>,
}

/// All rows that lead from somebody, but for those that lead to whoever was touched later.
#[derive(Debug, Default)]
struct Kept {
    turn: u32,
    /// Part and row; rows that count no more among them.
    rows: Vec<(usize, usize)>,
}

/// Rows that were kept together.
#[derive(Debug)]
struct Part<Id> {
    turn: u32,
    to: Vec<Id>,
    columns: RecordBatch,
    facts: RecordBatch,
}

/// Rows that lead from some to others.
#[derive(Debug, Clone)]
pub struct LedRows<Id> {
    /// By row, from whom: places among those who are asked about.
    pub from: Vec<u32>,
    /// By row, to whom.
    pub to: Vec<Id>,
    /// What is kept of the rows.
    pub columns: RecordBatch,
    /// Facts of whom they lead to.
    pub facts: RecordBatch,
}

impl<Id> Default for Leads<Id> {
    fn default() -> Self {
        Self { turn: 0, of: Vec::new(), size: 0 }
    }
}

impl<Id> Default for Lead<Id> {
    fn default() -> Self {
        Self { touched: HashMap::new(), from: HashMap::new(), parts: Vec::new() }
    }
}

impl<Id: Copy + Eq + Hash> Leads<Id> {
    /// Another turn begins: what is touched from now on is newer than what is kept.
    pub fn turn(&mut self) {
        self.turn += 1;
    }

    /// This turn.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.turn
    }

    fn of(&mut self, lead: usize) -> &mut Lead<Id> {
        if self.of.len() <= lead {
            self.of.resize_with(lead + 1, Lead::default);
        }
        &mut self.of[lead]
    }

    /// Something that is read of somebody whom rows lead to is another, or the rows under it are.
    pub fn touch(&mut self, lead: usize, to: Id) {
        let turn = self.turn;
        if self.of(lead).touched.insert(to, turn).is_none() {
            self.size += 32;
        }
    }

    /// Whether the rows that lead from somebody are kept.
    #[must_use]
    pub fn has(&self, lead: usize, from: Id) -> bool {
        self.of.get(lead).is_some_and(|lead| lead.from.contains_key(&from))
    }

    /// From whom rows are kept.
    pub fn from(&self, lead: usize) -> impl Iterator<Item = Id> {
        self.of.get(lead).into_iter().flat_map(|lead| lead.from.keys().copied())
    }

    /// Of some whom rows of one lead to who may be others than those that are kept, those of whom that is so.
    pub fn anew<'i>(&'i self, lead: usize, from: Id, to: &'i [Id]) -> impl Iterator<Item = Id> {
        let kept = self.of.get(lead).and_then(|lead| Some((lead, lead.from.get(&from)?.turn)));
        to.iter().copied().filter(move |to| kept.is_none_or(|(lead, turn)| lead.touched.get(to).is_some_and(|touched| *touched > turn)))
    }

    /// Keeps rows that lead from some, as a turn found them ([`Leads::now`]): with those that are kept of them already, lead to others
    /// than these, and count, these are all.
    ///
    /// # Errors
    ///
    /// When what was kept of some has other columns than what was kept of others.
    pub fn keep(&mut self, lead: usize, from: &[Id], rows: LedRows<Id>, turn: u32) -> Result<(), ArrowError> {
        let of = self.of(lead);
        for id in from {
            of.from.entry(*id).or_default().turn = turn;
        }
        let n_rows = rows.to.len();
        if n_rows > 0 {
            let part = of.parts.len();
            // Two turns may both have read what neither knew to be kept.
            let anew: HashSet<(Id, Id)> = rows.from.iter().zip(&rows.to).map(|(at, to)| (from[*at as usize], *to)).collect();
            let led: HashSet<Id> = anew.iter().map(|(from, _)| *from).collect();
            for id in led {
                if let Some(kept) = of.from.get_mut(&id) {
                    kept.rows.retain(|(part, row)| !anew.contains(&(id, of.parts[*part].to[*row])));
                }
            }
            for (row, at) in rows.from.iter().enumerate() {
                of.from.entry(from[*at as usize]).or_default().rows.push((part, row));
            }
            let size = rows.columns.get_array_memory_size() + rows.facts.get_array_memory_size() + n_rows * 24;
            of.parts.push(Part { turn, to: rows.to, columns: rows.columns, facts: rows.facts });
            self.size += size;
        }
        if self.of[lead].parts.len() > PARTS { self.put_together(lead) } else { Ok(()) }
    }

    /// Makes one part of all rows that count.
    fn put_together(&mut self, lead: usize) -> Result<(), ArrowError> {
        let all: Vec<Id> = self.from(lead).collect();
        let Some(rows) = self.rows(lead, &all)? else { return Ok(()) };
        let turn = self.turn;
        let size_of = |part: &Part<Id>| part.columns.get_array_memory_size() + part.facts.get_array_memory_size() + part.to.len() * 24;
        let of = &mut self.of[lead];
        let before: usize = of.parts.iter().map(size_of).sum();
        of.from.values_mut().for_each(|kept| kept.rows.clear());
        for (row, at) in rows.from.iter().enumerate() {
            of.from.entry(all[*at as usize]).or_default().rows.push((0, row));
        }
        of.parts = vec![Part { turn, to: rows.to, columns: rows.columns, facts: rows.facts }];
        self.size = self.size.saturating_sub(before) + of.parts.iter().map(size_of).sum::<usize>();
        Ok(())
    }

    /// The rows that are kept and count, of some of whom they are; none where there are no rows.
    ///
    /// # Errors
    ///
    /// As [`Leads::keep`].
    pub fn rows(&self, lead: usize, from: &[Id]) -> Result<Option<LedRows<Id>>, ArrowError> {
        let Some(of) = self.of.get(lead) else { return Ok(None) };
        let (mut led, mut to, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (at, id) in (0..).zip(from) {
            for (part, row) in of.from.get(id).into_iter().flat_map(|kept| &kept.rows) {
                let known = &of.parts[*part];
                let id = known.to[*row];
                if of.touched.get(&id).is_none_or(|touched| *touched <= known.turn) {
                    led.push(at);
                    to.push(id);
                    places.push((*part, *row));
                }
            }
        }
        if places.is_empty() {
            return Ok(None);
        }
        let columns: Vec<&RecordBatch> = of.parts.iter().map(|part| &part.columns).collect();
        let facts: Vec<&RecordBatch> = of.parts.iter().map(|part| &part.facts).collect();
        let (columns, facts) = (interleaved(&columns, &places)?, interleaved(&facts, &places)?);
        Ok(Some(LedRows { from: led, to, columns, facts }))
    }

    /// Some bytes more than it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Rows of several batches; these may have no columns.
fn interleaved(batches: &[&RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    if batches.first().is_some_and(|batch| batch.num_columns() == 0) {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(places.len()));
        return RecordBatch::try_new_with_options(batches[0].schema(), Vec::new(), &options);
    }
    interleave_record_batch(batches, places)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn rows(from: &[u32], to: &[u32]) -> LedRows<u32> {
        let numbers = |factor: i64| -> RecordBatch {
            let column: ArrayRef = Arc::new(Int64Array::from_iter_values(to.iter().map(|to| i64::from(*to) * factor)));
            RecordBatch::try_from_iter([("n", column)]).expect("a batch")
        };
        LedRows { from: from.to_vec(), to: to.to_vec(), columns: numbers(10), facts: numbers(100) }
    }

    fn keep(leads: &mut Leads<u32>, lead: usize, from: &[u32], rows: LedRows<u32>) -> Result<(), ArrowError> {
        leads.keep(lead, from, rows, leads.now())
    }

    /// Pairs of from and to, in order; that columns and facts are those of whom they lead to is looked at.
    #[track_caller]
    fn check(leads: &Leads<u32>, from: &[u32], expected: &[(u32, u32)]) {
        let Some(found) = leads.rows(0, from).expect("of one form") else {
            assert_eq!(expected, []);
            return;
        };
        let mut pairs: Vec<(u32, u32)> = found.from.iter().zip(&found.to).map(|(at, to)| (from[*at as usize], *to)).collect();
        for (batch, factor) in [(&found.columns, 10), (&found.facts, 100)] {
            let numbers = batch.column(0).as_primitive::<Int64Type>().values();
            let expected: Vec<i64> = found.to.iter().map(|to| i64::from(*to) * factor).collect();
            assert_eq!(numbers.to_vec(), expected);
        }
        pairs.sort_unstable();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn whoever_is_touched_counts_when_kept_anew() {
        let mut leads = Leads::default();
        assert!(!leads.has(0, 1));
        check(&leads, &[1], &[]);
        leads.turn();
        keep(&mut leads, 0, &[1, 2], rows(&[0, 0, 1, 1], &[11, 12, 12, 13])).expect("kept");
        check(&leads, &[2, 1], &[(1, 11), (1, 12), (2, 12), (2, 13)]);
        let anew = |leads: &Leads<u32>, from: u32| leads.anew(0, from, &[11, 12, 13]).collect::<Vec<_>>();
        assert_eq!((anew(&leads, 1), anew(&leads, 2), anew(&leads, 9)), (vec![], vec![], vec![11, 12, 13]));
        leads.turn();
        leads.touch(0, 12);
        assert_eq!((anew(&leads, 1), anew(&leads, 2)), (vec![12], vec![12]));
        check(&leads, &[1, 2], &[(1, 11), (2, 13)]);
        // Of one it is read anew; of the other it still is to be.
        keep(&mut leads, 0, &[1], rows(&[0], &[12])).expect("kept");
        assert_eq!((anew(&leads, 1), anew(&leads, 2)), (vec![], vec![12]));
        check(&leads, &[1, 2], &[(1, 11), (1, 12), (2, 13)]);
        leads.turn();
        keep(&mut leads, 0, &[2, 3], rows(&[], &[])).expect("kept");
        assert!(leads.has(0, 3) && leads.rows(0, &[3]).expect("of one form").is_none());
        check(&leads, &[2], &[(2, 13)]);
    }

    #[test]
    fn what_two_turns_have_read_counts_once() {
        let mut leads = Leads::default();
        leads.turn();
        leads.turn();
        // Both turns are begun before either is kept; the second one touched 12.
        leads.touch(0, 12);
        leads.keep(0, &[1], rows(&[0, 0, 0], &[11, 12, 13]), 1).expect("kept");
        let anew: Vec<u32> = leads.anew(0, 1, &[11, 12, 13]).collect();
        assert_eq!(anew, [12]);
        check(&leads, &[1], &[(1, 11), (1, 13)]);
        leads.keep(0, &[1, 2], rows(&[0, 0, 0, 1], &[11, 12, 12, 11]), 2).expect("kept");
        check(&leads, &[1, 2], &[(1, 11), (1, 12), (1, 12), (1, 13), (2, 11)]);
    }

    #[test]
    fn parts_are_put_together() {
        let mut leads = Leads::default();
        for round in 0..3 * u32::try_from(PARTS).expect("few") {
            leads.turn();
            leads.touch(0, 10 + round % 5);
            keep(&mut leads, 0, &[1], rows(&[0], &[10 + round % 5])).expect("kept");
            assert!(leads.of[0].parts.len() <= PARTS);
        }
        check(&leads, &[1], &[(1, 10), (1, 11), (1, 12), (1, 13), (1, 14)]);
        assert!(leads.size() < 100_000);
    }
}
