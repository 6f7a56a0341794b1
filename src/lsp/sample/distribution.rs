//! How the values of one fact are spread over subjects, without telling of few.
//!
//! A count below [`LEAST`] is not told, and neither is what would give it away. A value that stands for a rank (least,
//! quartile, greatest) is that of a subject with at least [`LEAST`] − 1 others beyond it or at it, so that nobody stands out.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};

use crate::check::ir::Ty;
use crate::check::typing::Type;
use crate::simulate::small_cells::{Cells, Sum, is_small};

/// The fewest subjects of whom a count is told.
pub(in crate::lsp) const LEAST: u64 = 5;

/// The most codes or regions that are told one by one.
const MOST: usize = 12;

/// How the values of one fact are spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lsp) struct Distribution {
    /// How many subjects there are.
    pub(in crate::lsp) subjects: u64,
    /// Of how many the fact is unknown; none: not told.
    pub(in crate::lsp) unknown: Option<u64>,
    /// The known values.
    pub(in crate::lsp) values: Values,
}

/// The known values of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lsp) enum Values {
    /// Of too few subjects, or of a type whose values are not counted (texts, identifiers).
    Untold,
    /// The values at five ranks: about the least, the quartiles, about the greatest. Numbers as digits with the scale of the
    /// fact, dates as days since 1970-01-01.
    Ranks([i64; 5]),
    /// How many have each value, most first; none: not told.
    Counts {
        /// The value, `true` and `false` for yes and no, and its count.
        of: Vec<(String, Option<u64>)>,
        /// How many more values there are.
        more: usize,
    },
}

/// Counts the values of one fact, batch by batch.
#[derive(Debug)]
pub(super) struct Counter {
    kind: Counted,
    subjects: u64,
    unknown: u64,
}

#[derive(Debug)]
enum Counted {
    Ranked(BTreeMap<i64, u64>),
    Named(BTreeMap<String, u64>),
    Untold,
}

impl Counter {
    pub(super) fn new(ty: &Type) -> Self {
        let kind = match ty.ty {
            Ty::Number | Ty::Date => Counted::Ranked(BTreeMap::new()),
            Ty::Bool => Counted::Named([("true".to_owned(), 0), ("false".to_owned(), 0)].into()),
            Ty::Text if ty.region => Counted::Named(BTreeMap::new()),
            Ty::Text => match &ty.codes {
                Some(codes) => Counted::Named(codes.keys().map(|code| (code.clone(), 0)).collect()),
                None => Counted::Untold,
            },
        };
        Self { kind, subjects: 0, unknown: 0 }
    }

    /// Adds a column of values, as [`crate::dossier::mapper::Mapper::map_typed`] gives them.
    pub(super) fn add(&mut self, column: &ArrayRef) {
        self.subjects += column.len() as u64;
        self.unknown += column.null_count() as u64;
        match &mut self.kind {
            Counted::Untold => {}
            Counted::Ranked(counts) => {
                let mut count = |value: i64| *counts.entry(value).or_default() += 1;
                if let Some(values) = column.as_primitive_opt::<Int64Type>() {
                    values.iter().flatten().for_each(&mut count);
                } else if let Some(values) = column.as_primitive_opt::<Decimal128Type>() {
                    values.iter().flatten().filter_map(|value| i64::try_from(value).ok()).for_each(&mut count);
                } else if let Some(values) = column.as_primitive_opt::<Date32Type>() {
                    values.iter().flatten().map(i64::from).for_each(&mut count);
                }
            }
            Counted::Named(counts) => {
                let mut count = |value: &str| match counts.get_mut(value) {
                    Some(known) => *known += 1,
                    None => {
                        counts.insert(value.to_owned(), 1);
                    }
                };
                if let Some(values) = column.as_boolean_opt() {
                    values.iter().flatten().for_each(|value| count(if value { "true" } else { "false" }));
                } else if let Some(values) = column.as_string_opt::<i32>() {
                    values.iter().flatten().for_each(count);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Distribution {
        let Self { kind, subjects, unknown } = self;
        let known = subjects - unknown;
        match kind {
            Counted::Named(counts) => named(counts, subjects, unknown),
            Counted::Ranked(counts) if known >= LEAST && !is_small(unknown, LEAST) => {
                Distribution { subjects, unknown: Some(unknown), values: ranks(&counts) }
            }
            _ => {
                let is_told = !is_small(unknown, LEAST) && !is_small(known, LEAST);
                let values = if let Counted::Ranked(counts) = &kind { ranks(counts) } else { Values::Untold };
                Distribution { subjects, unknown: Some(unknown).filter(|_| is_told), values }
            }
        }
    }
}

/// The values at five ranks, each with enough subjects on either side.
fn ranks(counts: &BTreeMap<i64, u64>) -> Values {
    let known: u64 = counts.values().sum();
    if known < 2 * LEAST - 1 {
        return Values::Untold;
    }
    let at = |rank: u64| {
        let mut behind = 0;
        let found = counts.iter().find(|(_, count)| {
            behind += **count;
            behind >= rank
        });
        found.map_or(0, |(value, _)| *value)
    };
    // Ranks count from 1; a quarter of the way is rounded down.
    let (first, last) = (LEAST, known + 1 - LEAST);
    let quarter = |quarters: u64| at((1 + (known - 1) * quarters / 4).clamp(first, last));
    Values::Ranks([at(first), quarter(1), quarter(2), quarter(3), at(last)])
}

/// How many have each value: small counts are hidden, and what they follow from.
fn named(counts: BTreeMap<String, u64>, subjects: u64, unknown: u64) -> Distribution {
    let mut sorted: Vec<(String, u64)> = counts.into_iter().collect();
    sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let mut cells = Cells::default();
    let parts: Vec<usize> = sorted.iter().map(|(_, count)| cells.push(vec![*count], false, false)).collect();
    let unknown_at = cells.push(vec![unknown], false, false);
    let total = cells.push(vec![subjects], true, false);
    cells.sums.push(Sum { total, parts: parts.iter().copied().chain([unknown_at]).collect(), counts_add_up: true });
    cells.hide(LEAST);
    let more = sorted.iter().skip(MOST).filter(|(_, count)| *count > 0).count();
    let told = sorted.into_iter().zip(parts).take(MOST);
    let of = told.map(|((value, count), at)| (value, Some(count).filter(|_| !cells.hidden[at]))).collect();
    Distribution { subjects, unknown: Some(unknown).filter(|_| !cells.hidden[unknown_at]), values: Values::Counts { of, more } }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};

    use super::*;
    use crate::diagnostic::Message;

    fn of(ty: &Type, column: ArrayRef) -> Distribution {
        let mut counter = Counter::new(ty);
        counter.add(&column);
        counter.finish()
    }

    #[test]
    fn ranks_of_numbers() {
        let number = Type::plain(Ty::Number);
        let hundred = of(&number, Arc::new(Int64Array::from_iter((1..=100).map(Some))));
        assert_eq!(hundred, Distribution { subjects: 100, unknown: Some(0), values: Values::Ranks([5, 25, 50, 75, 96]) });
        let nine = of(&number, Arc::new(Int64Array::from_iter((1..=9).map(Some).chain([None; 7]))));
        assert_eq!(nine, Distribution { subjects: 16, unknown: Some(7), values: Values::Ranks([5; 5]) });
        let eight = of(&number, Arc::new(Int64Array::from_iter((1..=8).map(Some).chain([None; 7]))));
        assert_eq!(eight.values, Values::Untold, "somebody would stand out");
        let few = of(&number, Arc::new(Int64Array::from_iter((1..=4).map(Some).chain([None; 96]))));
        assert_eq!(few, Distribution { subjects: 100, unknown: None, values: Values::Untold });
    }

    #[test]
    fn counts_of_codes_hide_the_few_and_what_gives_them_away() {
        let codes = ["a", "b", "c"].map(|code| (code.to_owned(), Message::new(code, code)));
        let code = Type { codes: Some(Arc::new(codes.into())), ..Type::plain(Ty::Text) };
        let values = |many: &[(&str, usize)]| {
            let values = many.iter().flat_map(|(value, times)| std::iter::repeat_n(Some(*value), *times));
            Arc::new(StringArray::from_iter(values)) as ArrayRef
        };
        let told = of(&code, values(&[("a", 50), ("b", 3), ("c", 20)]));
        let of_each = |counts: [Option<u64>; 3]| ["a", "c", "b"].iter().map(|code| (*code).to_owned()).zip(counts).collect();
        let expect = Values::Counts { of: of_each([Some(50), None, None]), more: 0 };
        assert_eq!(told, Distribution { subjects: 73, unknown: Some(0), values: expect });
        let all = of(&code, values(&[("a", 50), ("b", 5), ("c", 20)]));
        assert_eq!(all.values, Values::Counts { of: of_each([Some(50), Some(20), Some(5)]), more: 0 });
    }

    #[test]
    fn yes_and_no() {
        let told = of(&Type::plain(Ty::Bool), Arc::new(BooleanArray::from_iter([Some(true); 9].into_iter().chain([Some(false); 8]))));
        let expect = [("true", Some(9)), ("false", Some(8))].map(|(value, count)| (value.to_owned(), count));
        assert_eq!(told.values, Values::Counts { of: expect.into(), more: 0 });
        let text = of(&Type::plain(Ty::Text), Arc::new(StringArray::from_iter([Some("x"); 9])));
        assert_eq!(text, Distribution { subjects: 9, unknown: Some(0), values: Values::Untold });
    }
}
