//! What follows when a condition is taken to be yes, or to be no.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::evaluate::{ANY_ORDER, EQUAL, GREATER, LESS, orders_of};
use super::term::{Surroundings, Term, TermId, Terms};
use super::values::{Known, Texts, Values};
use super::{Ranges, arith};
use crate::check::ir::{ArithOp, CompareOp, Function, Ty};

/// What is known of all subjects of one kind: of terms, and of pairs of terms.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What each term can come to, where more is known than its parts tell.
    pub(super) known: BTreeMap<TermId, Values>,
    /// In which orders two compared terms may stand.
    pub(super) orders: BTreeMap<(TermId, TermId), u8>,
    /// What was worked out since something was last learned.
    pub(super) worked_out: RefCell<HashMap<TermId, Values>>,
}

impl Clone for State {
    /// The same state; what was worked out is left behind, for a copy is made to learn more.
    fn clone(&self) -> Self {
        Self { known: self.known.clone(), orders: self.orders.clone(), worked_out: RefCell::default() }
    }
}

impl State {
    fn learn(&mut self, id: TermId, values: Values) {
        self.known.insert(id, values);
        self.worked_out.get_mut().clear();
    }

    fn learn_orders(&mut self, pair: (TermId, TermId), orders: u8) {
        if self.orders.insert(pair, orders) != Some(orders) {
            self.worked_out.get_mut().clear();
        }
    }
}

/// States of which at least one describes every subject; none: there is no such subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worlds(Vec<State>);

impl Worlds {
    /// Every subject.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![State::default()])
    }

    /// Whether it is proved that there is no such subject.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        self.0.is_empty()
    }
}

/// More states than these become one that holds them all.
const MOST_STATES: usize = 16;

/// Terms with what surrounds them: where reasoning happens.
#[derive(Clone, Copy)]
pub struct Domain<'a> {
    /// The terms.
    pub terms: &'a Terms,
    /// What is known beside them.
    pub around: &'a dyn Surroundings,
}

impl Domain<'_> {
    /// The subjects of `worlds` for whom a condition is yes (or no).
    #[must_use]
    pub fn assume(&self, worlds: &Worlds, id: TermId, truth: bool) -> Worlds {
        let states = worlds.0.iter().flat_map(|state| self.assume_in(state, id, truth));
        Worlds(few(states.filter(|state| self.is_consistent(state)).collect()))
    }

    /// The subjects of `worlds` for whom all conditions are yes.
    #[must_use]
    pub fn assume_all(&self, worlds: &Worlds, ids: impl IntoIterator<Item = TermId>) -> Worlds {
        let mut worlds = worlds.clone();
        for id in ids {
            if worlds.is_impossible() {
                break;
            }
            worlds = self.assume(&worlds, id, true);
        }
        worlds
    }

    /// The subjects of `worlds` for whom a term comes to one of these values.
    #[must_use]
    pub fn narrow(&self, worlds: &Worlds, id: TermId, values: &Values) -> Worlds {
        let states = worlds.0.iter().filter_map(|state| {
            let mut state = state.clone();
            self.refine(&mut state, id, values).then_some(state)
        });
        Worlds(states.filter(|state| self.is_consistent(state)).collect())
    }

    /// Everything that a term can come to.
    #[must_use]
    pub fn values(&self, worlds: &Worlds, id: TermId) -> Values {
        let nothing = Values { unknown: false, ..Values::unknown(self.terms.ty(id)) };
        worlds.0.iter().fold(nothing, |before, state| before.or(&self.values_in(state, id)))
    }

    /// Whether it is proved that a condition is never yes.
    #[must_use]
    pub fn never(&self, worlds: &Worlds, id: TermId) -> bool {
        self.assume(worlds, id, true).is_impossible()
    }

    /// Whether it is proved that a condition is never no.
    #[must_use]
    pub fn never_no(&self, worlds: &Worlds, id: TermId) -> bool {
        self.assume(worlds, id, false).is_impossible()
    }

    /// Whether it is proved that a condition is yes for everybody.
    #[must_use]
    pub fn always(&self, worlds: &Worlds, id: TermId) -> bool {
        !self.values(worlds, id).unknown && self.never_no(worlds, id)
    }

    /// Whether what is known of each term still fits what its parts tell.
    fn is_consistent(&self, state: &State) -> bool {
        state.known.keys().all(|id| !self.values_in(state, *id).is_impossible())
            && state.orders.iter().all(|((left, right), _)| self.orders(state, *left, *right) != 0)
    }

    fn assume_in(&self, state: &State, id: TermId, truth: bool) -> Vec<State> {
        let now = self.values_in(state, id);
        let (wanted, other) = if truth { (now.may_be_yes(), now.may_be_no()) } else { (now.may_be_no(), now.may_be_yes()) };
        if !wanted {
            return Vec::new();
        }
        if !other && !now.unknown && state.known.contains_key(&id) {
            return vec![state.clone()];
        }
        let mut state = state.clone();
        let decided = Values::verdict(truth, !truth, false);
        let merged = state.known.get(&id).map_or(decided.clone(), |before| before.and(&decided));
        if state.known.get(&id) != Some(&merged) {
            state.learn(id, merged);
        }
        let states = self.consequences(state, id, truth);
        few(states)
    }

    fn consequences(&self, mut state: State, id: TermId, truth: bool) -> Vec<State> {
        match self.terms.term(id) {
            Term::Not(inner) => self.assume_in(&state, *inner, !truth),
            Term::And(items) if truth => self.every(vec![state], items, true),
            Term::Or(items) if !truth => self.every(vec![state], items, false),
            Term::And(items) | Term::Or(items) => self.one_of(&state, items, truth),
            Term::AtLeast(count, items) => self.at_least(state, *count, items, truth),
            Term::Compare(op, left, right) => {
                let op = if truth { *op } else { op.denied() };
                self.compare(state, op, *left, *right)
            }
            Term::IsKnown(inner) => {
                let ty = self.terms.ty(*inner);
                let values = if truth { Values { unknown: false, ..Values::anything(ty) } } else { Values::unknown(ty) };
                self.refine(&mut state, *inner, &values).then_some(state).into_iter().collect()
            }
            Term::TextIn(value, set) => {
                let set: Texts = Arc::new(set.iter().cloned().collect());
                let known = if truth { Known::In(set) } else { Known::NotIn(set) };
                self.refine(&mut state, *value, &Values { known, unknown: false }).then_some(state).into_iter().collect()
            }
            Term::InRegion(value, region) => {
                let members = self.around.members(region).filter(|_| truth);
                let known = members.map_or_else(|| Known::NotIn(Texts::default()), Known::In);
                self.refine(&mut state, *value, &Values { known, unknown: false }).then_some(state).into_iter().collect()
            }
            Term::Like(value, _) => self.is_known(&mut state, *value).then_some(state).into_iter().collect(),
            Term::Case(branches, otherwise) => self.one_branch(state, branches, *otherwise, truth),
            _ => vec![state],
        }
    }

    fn every(&self, states: Vec<State>, items: &[TermId], truth: bool) -> Vec<State> {
        // What divides into alternatives comes last, when most is known.
        let (forks, plain): (Vec<TermId>, Vec<TermId>) = items.iter().partition(|item| self.divides(**item, truth));
        plain.into_iter().chain(forks).fold(states, |states, item| {
            let next = states.iter().flat_map(|state| self.assume_in(state, item, truth));
            few(next.filter(|state| self.is_consistent(state)).collect())
        })
    }

    fn divides(&self, id: TermId, truth: bool) -> bool {
        match self.terms.term(id) {
            Term::Not(inner) => self.divides(*inner, !truth),
            Term::Or(_) => truth,
            Term::And(_) => !truth,
            Term::Case(..) | Term::AtLeast(..) => true,
            _ => false,
        }
    }

    fn one_of(&self, state: &State, items: &[TermId], truth: bool) -> Vec<State> {
        items.iter().flat_map(|item| self.assume_in(state, *item, truth)).collect()
    }

    fn at_least(&self, state: State, count: usize, items: &[TermId], truth: bool) -> Vec<State> {
        // So many must be yes; or, for a no, so many must be no that too few are left.
        let needed = if truth { count } else { (items.len() + 1).saturating_sub(count) };
        let can = |item: &&TermId| {
            let values = self.values_in(&state, **item);
            if truth { values.may_be_yes() } else { values.may_be_no() }
        };
        let able: Vec<TermId> = items.iter().filter(can).copied().collect();
        match needed {
            0 => vec![state],
            _ if able.len() < needed => Vec::new(),
            _ if able.len() == needed => self.every(vec![state], &able, truth),
            1 => self.one_of(&state, &able, truth),
            _ => vec![state],
        }
    }

    fn one_branch(&self, state: State, branches: &[(TermId, TermId)], otherwise: Option<TermId>, truth: bool) -> Vec<State> {
        let (mut found, mut reached) = (Vec::new(), vec![state]);
        for (when, then) in branches {
            let taken = reached.iter().flat_map(|state| self.assume_in(state, *when, true));
            found.extend(taken.flat_map(|state| self.assume_in(&state, *then, truth)).collect::<Vec<_>>());
            reached = few(reached.iter().flat_map(|state| self.assume_in(state, *when, false)).collect());
        }
        if let Some(last) = otherwise {
            found.extend(reached.iter().flat_map(|state| self.assume_in(state, last, truth)));
        }
        found
    }

    fn compare(&self, mut state: State, op: CompareOp, left: TermId, right: TermId) -> Vec<State> {
        if !self.is_known(&mut state, left) || !self.is_known(&mut state, right) {
            return Vec::new();
        }
        let orders = self.orders(&state, left, right) & orders_of(op);
        if orders == 0 {
            return Vec::new();
        }
        if left == right {
            return vec![state];
        }
        state.learn_orders((left, right), orders);
        let fits = match self.terms.ty(left) {
            Ty::Number | Ty::Date => self.compare_ranges(&mut state, orders, left, right),
            Ty::Text => self.compare_texts(&mut state, orders, left, right),
            Ty::Bool => return self.compare_verdicts(&state, orders, left, right),
        };
        if fits { vec![state] } else { Vec::new() }
    }

    fn compare_ranges(&self, state: &mut State, orders: u8, left: TermId, right: TermId) -> bool {
        let op = match orders {
            LESS => CompareOp::Lt,
            EQUAL => CompareOp::Eq,
            GREATER => CompareOp::Gt,
            ANY_ORDER => return true,
            _ if orders & GREATER == 0 => CompareOp::LtEq,
            _ if orders & LESS == 0 => CompareOp::GtEq,
            _ => CompareOp::NotEq,
        };
        let narrow = |state: &mut State, id: TermId, other: TermId, op: CompareOp| {
            let other = self.values_in(state, other);
            other.ranges().is_none_or(|ranges| self.refine(state, id, &Values::within(ranges.left_of(op))))
        };
        narrow(state, left, right, op) && narrow(state, right, left, op.mirrored())
    }

    fn compare_texts(&self, state: &mut State, orders: u8, left: TermId, right: TermId) -> bool {
        let narrow = |state: &mut State, id: TermId, other: TermId| {
            let other = self.values_in(state, other);
            let known = match (orders, other.only_known()) {
                (EQUAL, _) => other.known,
                (_, Some(text)) if orders & EQUAL == 0 => Known::NotIn(Arc::new([text.clone()].into())),
                _ => return true,
            };
            self.refine(state, id, &Values { known, unknown: false })
        };
        narrow(state, left, right) && narrow(state, right, left)
    }

    fn compare_verdicts(&self, state: &State, orders: u8, left: TermId, right: TermId) -> Vec<State> {
        let both = |one: bool, two: bool| {
            let states = self.assume_in(state, left, one);
            states.iter().flat_map(|state| self.assume_in(state, right, two)).collect::<Vec<_>>()
        };
        match orders & EQUAL {
            0 => [both(true, false), both(false, true)].concat(),
            _ if orders == EQUAL => [both(true, true), both(false, false)].concat(),
            _ => vec![state.clone()],
        }
    }

    fn is_known(&self, state: &mut State, id: TermId) -> bool {
        let anything = Values::anything(self.terms.ty(id));
        self.refine(state, id, &Values { unknown: false, ..anything })
    }

    /// Narrows what a term can come to, and what its parts can; false where nothing is left.
    fn refine(&self, state: &mut State, id: TermId, with: &Values) -> bool {
        let before = self.values_in(state, id);
        let now = before.and(with);
        if now == before {
            return !now.is_impossible();
        }
        state.learn(id, now);
        // On its grid.
        let now = self.values_in(state, id);
        !now.is_impossible() && self.refine_parts(state, id, &now)
    }

    fn refine_parts(&self, state: &mut State, id: TermId, now: &Values) -> bool {
        if now.unknown {
            return true;
        }
        match self.terms.term(id) {
            Term::Negate(inner) => {
                let ranges = now.ranges().map_or_else(Ranges::all, arith::negated);
                self.refine(state, *inner, &Values::within(ranges))
            }
            Term::Arith(op, left, right) => {
                let (op, left, right) = (*op, *left, *right);
                self.is_known(state, left) && self.is_known(state, right) && self.refine_sides(state, op, left, right, now)
            }
            Term::Call(function, arguments) if *function != Function::Coalesce => {
                arguments.iter().all(|argument| self.is_known(state, *argument))
            }
            Term::Parameter(_, Some(region)) => self.is_known(state, *region),
            Term::TextMap(value, _) => self.is_known(state, *value),
            _ => true,
        }
    }

    fn refine_sides(&self, state: &mut State, op: ArithOp, left: TermId, right: TermId, now: &Values) -> bool {
        let (one, two) = (self.values_in(state, left), self.values_in(state, right));
        let (Some(result), Some(one), Some(two)) = (now.ranges(), one.ranges(), two.ranges()) else { return true };
        let (left_is, right_is) = match op {
            ArithOp::Add => (arith::arithmetic(ArithOp::Sub, result, two).0, arith::arithmetic(ArithOp::Sub, result, one).0),
            ArithOp::Sub => (arith::arithmetic(ArithOp::Add, result, two).0, arith::arithmetic(ArithOp::Sub, one, result).0),
            ArithOp::Mul => {
                let over = |other: &Ranges| match other.only() {
                    Some(factor) if factor.sign() != 0 => arith::arithmetic(ArithOp::Div, result, other).0,
                    _ => Ranges::all(),
                };
                (over(two), over(one))
            }
            ArithOp::Div => match two.only() {
                Some(divisor) if divisor.sign() != 0 => (arith::arithmetic(ArithOp::Mul, result, two).0, Ranges::all()),
                _ => (Ranges::all(), Ranges::all()),
            },
        };
        self.refine(state, left, &Values::within(left_is)) && self.refine(state, right, &Values::within(right_is))
    }
}

/// No more states than are worth following.
fn few(states: Vec<State>) -> Vec<State> {
    if states.len() <= MOST_STATES {
        return states;
    }
    let mut states = states.into_iter();
    let first = states.next().unwrap_or_default();
    vec![states.fold(first, |one, two| join(one, &two))]
}

/// What holds in both states.
fn join(one: State, two: &State) -> State {
    let known = one.known.into_iter().filter_map(|(id, values)| Some((id, values.or(two.known.get(&id)?)))).collect();
    let orders = one.orders.into_iter().filter_map(|(pair, orders)| Some((pair, orders | two.orders.get(&pair)?))).collect();
    State { known, orders, worked_out: RefCell::default() }
}
