//! From what is known of the parts of a term to everything that the term can come to.

use super::assume::{Domain, State};
use super::term::{Term, TermId};
use super::values::{Known, Values};
use super::{Fraction, Ranges, arith};
use crate::check::ir::{ArithOp, CompareOp, Function, Ty};

/// In which order two values may stand: the bits of less, equal and greater.
pub(super) const LESS: u8 = 1;
pub(super) const EQUAL: u8 = 2;
pub(super) const GREATER: u8 = 4;
pub(super) const ANY_ORDER: u8 = LESS | EQUAL | GREATER;

/// The orders in which a comparison is yes.
pub(super) fn orders_of(op: CompareOp) -> u8 {
    match op {
        CompareOp::Eq => EQUAL,
        CompareOp::NotEq => LESS | GREATER,
        CompareOp::Lt => LESS,
        CompareOp::LtEq => LESS | EQUAL,
        CompareOp::Gt => GREATER,
        CompareOp::GtEq => GREATER | EQUAL,
    }
}

impl Domain<'_> {
    /// Everything that a term can come to in a state.
    pub(super) fn values_in(&self, state: &State, id: TermId) -> Values {
        if let Some(found) = state.worked_out.borrow().get(&id) {
            return found.clone();
        }
        let values = self.work_out(state, id);
        state.worked_out.borrow_mut().insert(id, values.clone());
        values
    }

    fn work_out(&self, state: &State, id: TermId) -> Values {
        let mut values = match self.terms.base(id) {
            Some(base) if matches!(self.terms.term(id), Term::Fact(_) | Term::AsOf | Term::Entitled(_)) => base.clone(),
            Some(base) => self.forward(state, id).and(base),
            None => self.forward(state, id),
        };
        if let Some(narrowed) = state.known.get(&id) {
            values = values.and(narrowed);
        }
        if let (Some(scale), Known::Range(ranges)) = (self.terms.grid(id), &values.known) {
            values.known = Known::Range(ranges.on_grid(scale));
        }
        values
    }

    fn forward(&self, state: &State, id: TermId) -> Values {
        let of = |id: TermId| self.values_in(state, id);
        let ty = self.terms.ty(id);
        match self.terms.term(id) {
            Term::Literal(value) => Values::exactly(value).unwrap_or_else(|| Values::anything(ty)),
            Term::Unknown(ty) => Values::unknown(*ty),
            Term::Fact(_) | Term::AsOf | Term::Entitled(_) => Values::anything(ty),
            Term::Parameter(name, region) => self.parameter(state, id, name, *region),
            Term::InRegion(value, region) => self.in_region(state, *value, region),
            Term::TextIn(value, set) => text_in(&of(*value), set),
            Term::TextMap(value, map) => text_map(&of(*value), map),
            Term::Like(value, _) => {
                let value = of(*value);
                let possible = !value.known.is_nothing();
                Values::verdict(possible, possible, value.unknown)
            }
            Term::Not(inner) => {
                let inner = of(*inner);
                Values::verdict(inner.may_be_no(), inner.may_be_yes(), inner.unknown)
            }
            Term::And(items) => {
                let items: Vec<Values> = items.iter().map(|item| of(*item)).collect();
                let unknown = items.iter().any(|item| item.unknown) && items.iter().all(|item| item.unknown || item.may_be_yes());
                Values::verdict(items.iter().all(Values::may_be_yes), items.iter().any(Values::may_be_no), unknown)
            }
            Term::Or(items) => {
                let items: Vec<Values> = items.iter().map(|item| of(*item)).collect();
                let unknown = items.iter().any(|item| item.unknown) && items.iter().all(|item| item.unknown || item.may_be_no());
                Values::verdict(items.iter().any(Values::may_be_yes), items.iter().all(Values::may_be_no), unknown)
            }
            Term::AtLeast(count, items) => at_least(*count, &items.iter().map(|item| of(*item)).collect::<Vec<_>>()),
            Term::Compare(op, left, right) => self.compared(state, *op, *left, *right),
            Term::Arith(op, left, right) => {
                let (term_left, term_right) = (*left, *right);
                let (left, right) = (of(*left), of(*right));
                let (Some(one), Some(two)) = (left.ranges(), right.ranges()) else { return Values::anything(ty) };
                let (mut ranges, by_zero) = arith::arithmetic(*op, one, two);
                if *op == ArithOp::Sub {
                    ranges = ranges.and(&sign_of_difference(state, term_left, term_right));
                }
                Values::within(ranges).or_unknown(left.unknown || right.unknown || by_zero)
            }
            Term::Negate(inner) => {
                let inner = of(*inner);
                let ranges = inner.ranges().map_or_else(Ranges::all, arith::negated);
                Values::within(ranges).or_unknown(inner.unknown)
            }
            Term::IsKnown(inner) => {
                let inner = of(*inner);
                Values::verdict(!inner.known.is_nothing(), inner.unknown, false)
            }
            Term::Case(branches, otherwise) => self.case(state, branches, *otherwise, ty),
            Term::Call(function, arguments) => self.call(state, *function, arguments, ty),
        }
    }

    fn parameter(&self, state: &State, id: TermId, name: &str, region: Option<TermId>) -> Values {
        let as_of = self.terms.find(&Term::AsOf).and_then(|as_of| self.values_in(state, as_of).only_number());
        let day = as_of.and_then(Fraction::as_whole);
        let region = region.map(|region| self.values_in(state, region));
        let may_lack = !self.terms.is_gapless(id) || region.as_ref().is_some_and(|region| region.unknown);
        let anything = Values { unknown: may_lack, ..Values::anything(Ty::Number) };
        if region.as_ref().is_some_and(|region| region.known.is_nothing()) {
            return Values::unknown(Ty::Number);
        }
        let code = match &region {
            None => None,
            Some(region) => match region.only_text() {
                Some(code) => Some(&**code),
                None => return anything,
            },
        };
        let Some(day) = day else { return anything };
        match self.around.parameter_at(name, code, day) {
            Some(number) => Fraction::of(number).map_or(anything, |value| Values::within(Ranges::point(value))),
            None => Values::unknown(Ty::Number),
        }
    }

    fn in_region(&self, state: &State, value: TermId, region: &str) -> Values {
        let value = self.values_in(state, value);
        let as_of = self.terms.find(&Term::AsOf).and_then(|as_of| self.values_in(state, as_of).only_number());
        if let (Some(code), Some(day)) = (value.only_text(), as_of.and_then(Fraction::as_whole)) {
            let inside = self.around.lies_in(code, region, day);
            return Values::verdict(inside == Some(true), inside == Some(false), inside.is_none());
        }
        if value.known.is_nothing() {
            return Values::unknown(Ty::Bool);
        }
        let yes = match (&value.known, self.around.members(region)) {
            (Known::In(codes), Some(members)) => codes.iter().any(|code| members.contains(code)),
            _ => true,
        };
        Values::verdict(yes, true, true)
    }

    /// In which orders two terms may stand in a state.
    pub(super) fn orders(&self, state: &State, left: TermId, right: TermId) -> u8 {
        if left == right {
            return EQUAL;
        }
        let kept = state.orders.get(&(left, right)).copied().unwrap_or(ANY_ORDER);
        kept & orders_between(&self.values_in(state, left), &self.values_in(state, right))
    }

    fn compared(&self, state: &State, op: CompareOp, left: TermId, right: TermId) -> Values {
        let (one, two) = (self.values_in(state, left), self.values_in(state, right));
        let unknown = one.unknown || two.unknown;
        if one.known.is_nothing() || two.known.is_nothing() {
            return Values::verdict(false, false, unknown);
        }
        let orders = self.orders(state, left, right);
        Values::verdict(orders & orders_of(op) != 0, orders & !orders_of(op) != 0, unknown)
    }

    fn case(&self, state: &State, branches: &[(TermId, TermId)], otherwise: Option<TermId>, ty: Ty) -> Values {
        let mut found: Option<Values> = None;
        let mut join = |values: Values| found = Some(found.take().map_or(values.clone(), |before| before.or(&values)));
        for (when, then) in branches {
            let when = self.values_in(state, *when);
            if when.may_be_yes() {
                join(self.values_in(state, *then));
            }
            if when.unknown {
                join(Values::unknown(ty));
            }
            if !when.may_be_no() {
                return found.unwrap_or_else(|| Values::unknown(ty));
            }
        }
        join(otherwise.map_or_else(|| Values::unknown(ty), |last| self.values_in(state, last)));
        found.unwrap_or_else(|| Values::unknown(ty))
    }

    fn call(&self, state: &State, function: Function, arguments: &[TermId], ty: Ty) -> Values {
        let values: Vec<Values> = arguments.iter().map(|argument| self.values_in(state, *argument)).collect();
        if function == Function::Coalesce {
            let mut known = Values { unknown: false, ..Values::unknown(ty) };
            for value in &values {
                known = known.or(&Values { unknown: false, ..value.clone() });
                if !value.unknown {
                    return known;
                }
            }
            return known.or_unknown(true);
        }
        let unknown = values.iter().any(|value| value.unknown);
        let ranges: Option<Vec<&Ranges>> = values.iter().map(Values::ranges).collect();
        let Some(ranges) = ranges else { return Values::anything(ty) };
        if ranges.iter().any(|ranges| ranges.is_none()) {
            return Values { unknown, ..Values::unknown(ty) };
        }
        let (known, undefined) = arith::call(function, &ranges);
        Values::within(known).or_unknown(unknown || undefined)
    }
}

/// The differences that the order of both sides allows: not below zero where the left is never less.
fn sign_of_difference(state: &State, left: TermId, right: TermId) -> Ranges {
    let orders = if left <= right { state.orders.get(&(left, right)) } else { state.orders.get(&(right, left)) };
    let Some(kept) = orders.copied() else { return Ranges::all() };
    let (less, greater) = if left <= right { (LESS, GREATER) } else { (GREATER, LESS) };
    let zero = Ranges::point(Fraction::ZERO);
    let mut allowed = Ranges::none();
    for (bit, op) in [(less, CompareOp::Lt), (EQUAL, CompareOp::Eq), (greater, CompareOp::Gt)] {
        if kept & bit != 0 {
            allowed = allowed.or(&zero.left_of(op));
        }
    }
    allowed
}

/// In which orders values of one set and of another may stand.
fn orders_between(one: &Values, two: &Values) -> u8 {
    let bits = |less: bool, equal: bool, greater: bool| u8::from(less) * LESS + u8::from(equal) * EQUAL + u8::from(greater) * GREATER;
    match (&one.known, &two.known) {
        (Known::Range(a), Known::Range(b)) => {
            let below = |a: &Ranges, b: &Ranges| match (a.low().value(), b.high().value()) {
                (Some(low), Some(high)) => low < high,
                _ => true,
            };
            bits(below(a, b), !a.and(b).is_none(), below(b, a))
        }
        (Known::Bool { yes, no }, Known::Bool { yes: yes_2, no: no_2 }) => {
            let differ = *yes && *no_2 || *no && *yes_2;
            bits(differ, *yes && *yes_2 || *no && *no_2, differ)
        }
        _ => {
            let both = one.and(two);
            let differ = !matches!((one.only_known(), two.only_known()), (Some(a), Some(b)) if a == b);
            bits(differ, !both.known.is_nothing(), differ)
        }
    }
}

fn text_in(value: &Values, set: &[std::sync::Arc<str>]) -> Values {
    let (yes, no) = match &value.known {
        Known::In(texts) => (texts.iter().any(|text| set.contains(text)), texts.iter().any(|text| !set.contains(text))),
        Known::NotIn(texts) => (set.iter().any(|text| !texts.contains(text)), true),
        _ => (true, true),
    };
    Values::verdict(yes, no, value.unknown)
}

fn text_map(value: &Values, map: &[(std::sync::Arc<str>, crate::check::ir::Number)]) -> Values {
    let entries = map.iter().filter(|(text, _)| match &value.known {
        Known::In(texts) => texts.contains(text),
        Known::NotIn(texts) => !texts.contains(text),
        _ => true,
    });
    let mut found = Ranges::none();
    for (_, number) in entries {
        match Fraction::of(*number) {
            Some(number) => found = found.or(&Ranges::point(number)),
            None => return Values::anything(Ty::Number),
        }
    }
    let all_known = matches!(&value.known, Known::In(texts) if texts.iter().all(|text| map.iter().any(|(key, _)| key == text)));
    Values::within(found).or_unknown(value.unknown || !all_known)
}

fn at_least(count: usize, items: &[Values]) -> Values {
    let number = |test: &dyn Fn(&Values) -> bool| items.iter().filter(|item| test(item)).count();
    let most_yes = number(&Values::may_be_yes);
    let least_yes = number(&|item| item.may_be_yes() && !item.may_be_no() && !item.unknown);
    let most_possible = number(&|item| item.may_be_yes() || item.unknown);
    let least_possible = number(&|item| !item.may_be_no());
    let unknown = items.iter().any(|item| item.unknown) && least_yes < count && most_possible >= count;
    Values::verdict(most_yes >= count, least_possible < count, unknown)
}
