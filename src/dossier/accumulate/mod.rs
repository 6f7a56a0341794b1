//! One value of many rows: what [`How`] says, for all subjects of a kind side by side, each at its place.
//!
//! Rows come in any number of batches; each adds to the state at its subject's place. No rows are kept and no table of
//! groups is made: a place is an index. The SQL of the same aggregate is the oracle of the tests.

mod finish;
mod lane;
mod selection;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::buffer::NullBuffer;
use hashbrown::HashMap;

use super::DossierError;
use super::subjects::NOWHERE;
use crate::check::catalogue::How;
use crate::check::ir::Ty;
use crate::diagnostic::{Diagnostic, code};
pub(super) use finish::{Absent, Presence};
pub(super) use lane::Lane;
use lane::Numbers;
use selection::Selection;
pub(super) use selection::Selections;
use state::Cells;

/// What is made of the rows of a subject. Columns are places among those that rows are evaluated into.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    /// How.
    pub(super) how: How,
    /// Type of the result.
    pub(super) ty: Ty,
    /// Digits behind the point of the result.
    pub(super) scale: u8,
    /// The condition under which a row counts; none: always.
    pub(super) passes: Option<usize>,
    /// For subjects that the register does not cover: the condition of a row that tells anything; none: every row does.
    pub(super) tells: Option<usize>,
    /// The value; none for `count`.
    pub(super) value: Option<usize>,
    /// What `latest` orders by.
    pub(super) by: Option<usize>,
    /// Whether a row with an unknown value makes the result unknown. Else it is passed over.
    pub(super) strict: bool,
}

/// What was seen of a subject.
mod mark {
    /// A value is there.
    pub(super) const SET: u8 = 1;
    /// A row of which it is unknown whether it counts, or what it counts.
    pub(super) const DOUBT: u8 = 2;
    /// For subjects that the register does not cover: a row that tells.
    pub(super) const TELLS: u8 = 4;
    /// Of booleans: the value is yes.
    pub(super) const YES: u8 = 8;
    /// The value is unknown.
    pub(super) const UNKNOWN: u8 = 16;
    /// The value came under an identifier of before.
    pub(super) const RENUMBERED: u8 = 32;
}

/// The state of one aggregate for a range of places.
#[derive(Debug)]
pub(super) struct Accumulator {
    recipe: Recipe,
    marks: Vec<u8>,
    values: Cells,
    order: Cells,
    /// The texts that values stand for.
    texts: Vec<Arc<str>>,
    text_places: HashMap<Arc<str>, i64>,
    /// Of `count_distinct`: place and value.
    pairs: Vec<(u32, i64)>,
    /// The first place whose sum left 64 bits.
    overflow: Option<u32>,
}

/// A batch of rows as accumulators take it.
pub(super) struct Rows<'a> {
    /// The place of each row's subject.
    pub(super) places: &'a [u32],
    /// Rows under an identifier of before, ascending.
    pub(super) renumbered: &'a [u32],
    /// What rows are evaluated into.
    pub(super) lanes: &'a [Lane],
    /// The first place of the range.
    pub(super) first: u32,
    /// Rows by condition: those of [`Recipe::conditions`] at least.
    pub(super) selections: &'a Selections,
}

impl Rows<'_> {
    /// The place of a selected row in the range.
    fn at(&self, row: usize) -> usize {
        self.places[row].wrapping_sub(self.first) as usize
    }
}

impl Recipe {
    /// The columns by which rows are selected.
    pub(super) fn conditions(&self) -> impl Iterator<Item = usize> {
        self.passes.into_iter().chain(self.tells)
    }
}

impl Accumulator {
    /// Nothing seen yet, for `places` subjects.
    pub(super) fn new(recipe: Recipe, places: usize) -> Self {
        let (values, order) = match recipe.how {
            How::Count => (Cells::wide32(places), Cells::none()),
            How::Any | How::All | How::CountDistinct => (Cells::none(), Cells::none()),
            How::Latest => (Cells::for_type(recipe.ty, places), Cells::wide64(places)),
            How::Only | How::Sum | How::Min | How::Max => (Cells::for_type(recipe.ty, places), Cells::none()),
        };
        Self {
            recipe,
            marks: vec![0; places],
            values,
            order,
            texts: Vec::new(),
            text_places: HashMap::new(),
            pairs: Vec::new(),
            overflow: None,
        }
    }

    /// Bytes that one subject takes: its state, or the value that is made of it in the end, if that is more.
    pub(super) fn width(recipe: &Recipe) -> usize {
        let (value, column) = match recipe.ty {
            Ty::Bool => (0, 1),
            Ty::Number => (8, if recipe.scale == 0 { 8 } else { 16 }),
            Ty::Date | Ty::Text => (4, 4),
        };
        let state = 1 + match recipe.how {
            How::Count => 4,
            How::Any | How::All => 0,
            How::CountDistinct => 24,
            How::Latest => value + 8,
            How::Only | How::Sum | How::Min | How::Max => value,
        };
        state.max(column)
    }

    /// Adds rows.
    pub(super) fn add(&mut self, rows: &Rows<'_>) {
        if let Some(tells) = self.recipe.tells {
            rows.selections.of(Some(tells)).sure.for_each(|row| self.marks[rows.at(row)] |= mark::TELLS);
        }
        let selection = rows.selections.of(self.recipe.passes);
        match (self.recipe.how, self.recipe.value) {
            (How::Count, _) => {
                selection.sure.for_each(|row| self.values.add_one(rows.at(row)));
                self.doubt(rows, selection);
            }
            (How::Any | How::All, Some(value)) => self.some(rows, selection, &rows.lanes[value]),
            (_, Some(value)) => {
                self.valued(rows, selection, &rows.lanes[value]);
                self.doubt(rows, selection);
            }
            (_, None) => {}
        }
    }

    fn doubt(&mut self, rows: &Rows<'_>, selection: &Selection) {
        selection.doubtful.for_each(|row| self.marks[rows.at(row)] |= mark::DOUBT);
    }

    /// "Some row", and "every row" as "no row not". What is unknown in a row that surely does not decide is no matter.
    fn some(&mut self, rows: &Rows<'_>, selection: &Selection, value: &Lane) {
        let wanted = self.recipe.how == How::Any;
        let hit = |row: usize| match value.truths() {
            Some((yes, known)) if known.is_none_or(|known| known.is_valid(row)) => Some(yes.value(row) == wanted),
            _ => None,
        };
        selection.sure.for_each(|row| match hit(row) {
            Some(true) => self.marks[rows.at(row)] |= mark::YES,
            Some(false) => {}
            None => self.marks[rows.at(row)] |= mark::UNKNOWN,
        });
        selection.doubtful.for_each(|row| {
            if hit(row) != Some(false) {
                self.marks[rows.at(row)] |= mark::UNKNOWN;
            }
        });
    }

    fn valued(&mut self, rows: &Rows<'_>, selection: &Selection, value: &Lane) {
        let (texts, text_places) = (&mut self.texts, &mut self.text_places);
        let numbers = value.numbers(|text| place_of(text, texts, text_places));
        let known = value.known();
        match &numbers {
            Numbers::Bits(bits) => self.each(rows, selection, known, |row| i64::from(bits.value(row))),
            Numbers::Days(days) => self.each(rows, selection, known, |row| i64::from(days[row])),
            Numbers::Whole(values) => self.each(rows, selection, known, |row| values[row]),
            Numbers::Wide(values) => self.each(rows, selection, known, |row| i64::try_from(values[row]).unwrap_or(i64::MAX)),
            Numbers::Places(places) => self.each(rows, selection, known, |row| places[row]),
            Numbers::Keys(keys, places) => self
                .each(rows, selection, known, |row| usize::try_from(keys[row]).ok().and_then(|key| places.get(key)).copied().unwrap_or(0)),
        }
    }

    /// Adds the value of each row that passes.
    fn each(&mut self, rows: &Rows<'_>, selection: &Selection, known: Option<&NullBuffer>, number: impl Fn(usize) -> i64) {
        let value = |row: usize| known.is_none_or(|known| known.is_valid(row)).then(|| number(row));
        let of_unknown = if self.recipe.strict { mark::DOUBT } else { 0 };
        match self.recipe.how {
            How::Only => selection.sure.for_each(|row| self.only(rows.at(row), value(row), is_in(rows.renumbered, row))),
            How::Latest => {
                let Some(by) = self.recipe.by.map(|by| &rows.lanes[by]) else { return };
                let (days, known) = (by.numbers(|_| 0), by.known());
                let order = |row: usize| match &days {
                    Numbers::Days(days) => i64::from(days[row]),
                    Numbers::Whole(values) => values[row],
                    Numbers::Wide(values) => i64::try_from(values[row]).unwrap_or(i64::MAX),
                    Numbers::Bits(bits) => i64::from(bits.value(row)),
                    Numbers::Places(_) | Numbers::Keys(..) => 0,
                };
                let order = |row: usize| known.is_none_or(|known| known.is_valid(row)).then(|| order(row));
                selection.sure.for_each(|row| self.latest(rows.at(row), value(row), order(row)));
            }
            how => selection.sure.for_each(|row| {
                let at = rows.at(row);
                match (how, value(row)) {
                    (_, None) => self.marks[at] |= of_unknown,
                    (How::CountDistinct, Some(number)) => self.pairs.push((u32::try_from(at).unwrap_or(NOWHERE), number)),
                    (How::Sum, Some(number)) => self.sum(at, number),
                    (How::Min, Some(number)) => self.extreme(at, number, std::cmp::Ordering::Less),
                    (_, Some(number)) => self.extreme(at, number, std::cmp::Ordering::Greater),
                }
            }),
        }
    }

    /// The order of two values.
    fn compare(&self, one: i64, other: i64) -> std::cmp::Ordering {
        if self.recipe.ty == Ty::Text && one != other {
            let text = |place: i64| usize::try_from(place).ok().and_then(|place| self.texts.get(place));
            return text(one).cmp(&text(other));
        }
        one.cmp(&other)
    }

    /// The first row of today's identifier counts, else the first one of an identifier of before.
    fn only(&mut self, at: usize, value: Option<i64>, renumbered: bool) {
        let marks = self.marks[at];
        let taken = marks & mark::SET != 0 && (renumbered || marks & mark::RENUMBERED == 0);
        if taken {
            return;
        }
        self.marks[at] = mark::SET | if renumbered { mark::RENUMBERED } else { 0 };
        self.put(at, value);
    }

    fn put(&mut self, at: usize, value: Option<i64>) {
        self.marks[at] &= !(mark::UNKNOWN | mark::YES);
        match value {
            None => self.marks[at] |= mark::UNKNOWN,
            Some(value) if self.recipe.ty == Ty::Bool => self.marks[at] |= if value == 0 { 0 } else { mark::YES },
            Some(value) => self.values.set(at, value),
        }
    }

    fn stored(&self, at: usize) -> Option<i64> {
        let marks = self.marks[at];
        if marks & mark::UNKNOWN != 0 {
            return None;
        }
        Some(if self.recipe.ty == Ty::Bool { i64::from(marks & mark::YES != 0) } else { self.values.get(at) })
    }

    /// The row that comes last; of rows that come last together, the one with the greatest value, and an unknown one before all.
    fn latest(&mut self, at: usize, value: Option<i64>, order: Option<i64>) {
        let Some(order) = order else {
            self.marks[at] |= mark::DOUBT;
            return;
        };
        let is_later = self.marks[at] & mark::SET == 0 || {
            let before = self.order.get(at);
            order > before
                || order == before
                    && match (value, self.stored(at)) {
                        (_, None) => false,
                        (None, Some(_)) => true,
                        (Some(value), Some(stored)) => self.compare(value, stored).is_gt(),
                    }
        };
        if is_later {
            self.marks[at] |= mark::SET;
            self.order.set(at, order);
            self.put(at, value);
        }
    }

    fn sum(&mut self, at: usize, number: i64) {
        self.marks[at] |= mark::SET;
        match self.values.get(at).checked_add(number) {
            Some(sum) => self.values.set(at, sum),
            None => self.overflow = self.overflow.or(u32::try_from(at).ok()),
        }
    }

    fn extreme(&mut self, at: usize, number: i64, wanted: std::cmp::Ordering) {
        if self.marks[at] & mark::SET == 0 || self.stored(at).is_some_and(|stored| self.compare(number, stored) == wanted) {
            self.marks[at] |= mark::SET;
            self.put(at, Some(number));
        }
    }

    /// Fails when a sum left 64 bits.
    pub(super) fn check(&self, fact: &str) -> Result<(), DossierError> {
        if self.overflow.is_none() {
            return Ok(());
        }
        Err(DossierError::Told(Box::new(
            Diagnostic::new(
                &code::ARITHMETIC_OVERFLOW,
                format!("事实“{fact}”的合计超出 64 位"),
                format!("a sum for fact `{fact}` is beyond 64 bits"),
            )
            .help("检查这个事实所在登记库里的异常大值", "look for values out of all proportion in the register of this fact"),
        )))
    }
}

/// The number of a text: its place among those met.
fn place_of(text: &str, texts: &mut Vec<Arc<str>>, places: &mut HashMap<Arc<str>, i64>) -> i64 {
    if let Some(&known) = places.get(text) {
        return known;
    }
    let place = i64::try_from(texts.len()).unwrap_or(i64::MAX);
    let text: Arc<str> = text.into();
    texts.push(Arc::clone(&text));
    places.insert(text, place);
    place
}

fn is_in(rows: &[u32], row: usize) -> bool {
    !rows.is_empty() && u32::try_from(row).is_ok_and(|row| rows.binary_search(&row).is_ok())
}
