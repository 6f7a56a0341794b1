//! A subject made up to show that something can happen: one value for each fact, on one day, in one region.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::domain::{Cut, Domain, Fraction, Known, Ranges, Term, TermId, Values, Worlds, date, day};
use super::scene::Scene;
use crate::check::ir::{Ty, Value};

/// How many values are tried in all before the search is given up.
const TRIES: usize = 150;
/// How many values of one fact are tried.
const VALUES: usize = 10;

/// Looks for a subject among `worlds` for whom `shows` is true; each of `leaves` is given one value.
pub(super) fn find(scene: &Scene<'_>, worlds: &Worlds, leaves: &[TermId], shows: &dyn Fn(&Worlds) -> bool) -> Option<Worlds> {
    let mut search = Search { scene, domain: scene.domain(), shows, tries: 0 };
    search.from(worlds, leaves)
}

struct Search<'a> {
    scene: &'a Scene<'a>,
    domain: Domain<'a>,
    shows: &'a dyn Fn(&Worlds) -> bool,
    tries: usize,
}

impl Search<'_> {
    fn from(&mut self, worlds: &Worlds, leaves: &[TermId]) -> Option<Worlds> {
        let Some((leaf, rest)) = leaves.split_first() else { return (self.shows)(worlds).then(|| worlds.clone()) };
        for value in self.candidates(worlds, *leaf) {
            self.tries += 1;
            if self.tries > TRIES {
                return None;
            }
            let narrowed = self.domain.narrow(worlds, *leaf, &value);
            if narrowed.is_impossible() {
                continue;
            }
            if let Some(found) = self.from(&narrowed, rest) {
                return Some(found);
            }
        }
        None
    }

    fn candidates(&self, worlds: &Worlds, leaf: TermId) -> Vec<Values> {
        let allowed = self.domain.values(worlds, leaf);
        let point = |value: Fraction| Values::within(Ranges::point(value));
        match (&allowed.known, self.scene.terms.ty(leaf)) {
            (Known::Bool { .. }, _) => [false, true].into_iter().map(|value| Values::verdict(value, !value, false)).collect(),
            (Known::In(texts), _) => texts.iter().take(VALUES).map(text_value).collect(),
            (Known::NotIn(_), _) => self.regions().iter().map(text_value).collect(),
            (Known::Range(ranges), ty) => {
                let numbers = if ty == Ty::Date { self.days(worlds) } else { self.numbers() };
                let ends = ranges.ranges().iter().flat_map(|(low, high)| [low.value(), high.value()]).flatten();
                let fits = |value: &Fraction| ranges.holds(*value) && (ty == Ty::Date || value.sign() >= 0);
                let all: BTreeSet<Fraction> = numbers.into_iter().chain(ends).filter(fits).collect();
                // In turn from both ends, where extremes lie.
                let mut all: std::collections::VecDeque<Fraction> = all.into_iter().collect();
                let mut chosen = Vec::new();
                while chosen.len() < VALUES {
                    let next = if chosen.len() % 2 == 0 { all.pop_back() } else { all.pop_front() };
                    let Some(value) = next else { break };
                    chosen.push(value);
                }
                chosen.into_iter().map(point).collect()
            }
        }
    }

    /// Numbers at which something may change: those written out and the values of parameters, and their neighbours.
    fn numbers(&self) -> Vec<Fraction> {
        let mut numbers: Vec<Fraction> = [0, 1, 2, 1_000_000].into_iter().filter_map(Fraction::whole).collect();
        let one = Fraction::whole(1);
        for id in 0..self.scene.terms.len() {
            let written = match self.scene.terms.term(id) {
                Term::Literal(Value::Number(number)) => Fraction::of(*number).into_iter().collect(),
                Term::Parameter(..) => self.scene.terms.base(id).map(points).unwrap_or_default(),
                _ => Vec::new(),
            };
            for number in written {
                let near = one.and_then(|one| Some([number.plus(one)?, number.plus(one.negated())?]));
                numbers.push(number);
                numbers.extend(near.into_iter().flatten());
            }
        }
        numbers
    }

    /// Days at which something may change: those written out, and birthdays of the ages written out.
    fn days(&self, worlds: &Worlds) -> Vec<Fraction> {
        let document = self.scene.document;
        let as_of = self.scene.terms.find(&Term::AsOf).and_then(|id| self.domain.values(worlds, id).only_number());
        let as_of = as_of.and_then(Fraction::as_whole).unwrap_or_else(|| day(document.in_force_from));
        let mut days = vec![as_of, as_of - 1];
        for id in 0..self.scene.terms.len() {
            match self.scene.terms.term(id) {
                Term::Literal(Value::Date(day)) => days.extend([i64::from(*day), i64::from(*day) + 1, i64::from(*day) - 1]),
                Term::Literal(Value::Number(number)) => {
                    let years = Fraction::of(*number).and_then(Fraction::as_whole).filter(|years| (0..=150).contains(years));
                    let born =
                        years.and_then(|years| date(as_of)?.checked_sub_months(chrono::Months::new(u32::try_from(years).ok()? * 12)));
                    days.extend(born.map(day).into_iter().flat_map(|born| [born, born + 1, born - 400]));
                }
                _ => {}
            }
        }
        days.into_iter().filter_map(Fraction::whole).collect()
    }

    fn regions(&self) -> Vec<Arc<str>> {
        let document = self.scene.document;
        let regions = self.scene.around.shared.folder.regions;
        let inside = regions.descendants(&document.covers.region, document.in_force_from);
        inside.into_iter().take(VALUES - 1).chain([document.covers.region.clone()]).map(Into::into).collect()
    }
}

fn text_value(text: &Arc<str>) -> Values {
    Values { known: Known::In(Arc::new([Arc::clone(text)].into())), unknown: false }
}

fn points(values: &Values) -> Vec<Fraction> {
    let ranges = values.ranges().map_or(&[][..], Ranges::ranges);
    ranges.iter().flat_map(|(low, high)| [*low, *high]).filter_map(Cut::value).collect()
}
