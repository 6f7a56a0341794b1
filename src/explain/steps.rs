//! Where an expression can change as one of its values moves: the steps of a condition along days or numbers.
//!
//! A *tick* is a day, or a number in units of its last digit. A *step* is a tick at which some comparison, or choice
//! between branches, comes out otherwise than at the tick before. Between two steps nothing changes: it is enough to
//! evaluate at each step.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::check::ir::{ArithOp, Expr, Function, Kind, Number, Ty, Value};
use crate::program::interpreter::{Answer, evaluate};

/// The values of facts.
pub(crate) type Row<'a> = &'a dyn Fn(usize) -> Option<Value>;

/// One value that moves while all others stay.
#[derive(Clone, Copy)]
pub(crate) struct Axis<'a> {
    /// The fact that moves.
    pub(crate) fact: usize,
    /// Of numbers, the digits behind the point; none: days.
    pub(crate) scale: Option<u8>,
    /// The other facts.
    pub(crate) row: Row<'a>,
    /// What no rule tells is looked up tick by tick, on at most so many ticks.
    pub(crate) scan: i64,
}

/// Steps that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    /// The ticks, ascending.
    pub(super) ticks: BTreeSet<i64>,
    /// Whether these are all.
    pub(super) complete: bool,
}

/// Which way a value goes as the tick grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Still,
    Up,
    Down,
    Either,
}

impl Way {
    pub(crate) fn flip(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
            same => same,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Still, way) | (way, Self::Still) => way,
            (one, other) if one == other => one,
            _ => Self::Either,
        }
    }
}

/// Whether a fact stands in an expression.
pub(crate) fn mentions(expr: &Expr, fact: usize) -> bool {
    matches!(expr.kind, Kind::Fact(index) if index == fact) || expr.children().into_iter().any(|child| mentions(child, fact))
}

impl Axis<'_> {
    /// The value at a tick.
    pub(super) fn value(&self, tick: i64) -> Value {
        match self.scale {
            Some(scale) => Value::Number(Number { digits: tick, scale }),
            None => Value::Date(i32::try_from(tick).unwrap_or(if tick < 0 { i32::MIN } else { i32::MAX })),
        }
    }

    /// The value of an expression at a tick; none: unknown.
    pub(crate) fn at(&self, expr: &Expr, tick: i64) -> Option<Answer> {
        evaluate(expr, &|fact| if fact == self.fact { Some(self.value(tick)) } else { (self.row)(fact) }).ok().flatten()
    }

    /// The steps of a bound expression behind the tick `from`, up to `to`.
    pub(super) fn steps(&self, expr: &Expr, from: i64, to: i64) -> Steps {
        let mut steps = Steps { ticks: BTreeSet::new(), complete: true };
        self.find(expr, from, to, &mut steps);
        steps
    }

    fn find(&self, expr: &Expr, from: i64, to: i64, steps: &mut Steps) {
        if !mentions(expr, self.fact) || from >= to {
            return;
        }
        for child in expr.children() {
            self.find(child, from, to, steps);
        }
        match &expr.kind {
            Kind::Compare(_, left, right) => self.comparison(expr, left, right, from, to, steps),
            Kind::IsKnown(_) | Kind::Call(Function::Coalesce, _) => self.scan(expr, from, to, steps),
            _ => {}
        }
    }

    /// Between the steps of its parts, a comparison has one side of a fixed form: it changes where one overtakes the other.
    fn comparison(&self, whole: &Expr, left: &Expr, right: &Expr, from: i64, to: i64, steps: &mut Steps) {
        let inner: Vec<i64> = steps.ticks.iter().copied().filter(|tick| *tick > from && *tick <= to).collect();
        let starts = std::iter::once(from).chain(inner.iter().copied());
        let ends = inner.iter().map(|tick| tick - 1).chain([to]);
        for (start, end) in starts.zip(ends) {
            let (left, right) = (self.reduced(left, start), self.reduced(right, start));
            if self.is_never_known(&left) || self.is_never_known(&right) {
                continue;
            }
            let way = self.way(&left).and(self.way(&right).flip());
            let order = |tick: i64| order(self.at(&left, tick)?, self.at(&right, tick)?);
            match (way, order(start), order(end)) {
                (Way::Still, ..) => {}
                (Way::Up | Way::Down, Some(_), Some(_)) => {
                    let least = if way == Way::Up { Ordering::Less } else { Ordering::Greater };
                    let passed = |tick: i64| order(tick) != Some(least);
                    let overtaken = |tick: i64| order(tick) == Some(least.reverse());
                    let found = [first(start, end, passed), first(start, end, overtaken)];
                    steps.ticks.extend(found.into_iter().flatten().filter(|tick| *tick > start));
                }
                _ => self.scan(whole, start, end, steps),
            }
        }
    }

    /// Whether a part that does not move is unknown, and with it the whole, at every tick.
    fn is_never_known(&self, expr: &Expr) -> bool {
        if !mentions(expr, self.fact) {
            return self.at(expr, 0).is_none();
        }
        match &expr.kind {
            Kind::Call(Function::Coalesce, _) => false,
            Kind::Arith(..) | Kind::Negate(_) | Kind::Call(..) => expr.children().into_iter().any(|child| self.is_never_known(child)),
            _ => false,
        }
    }

    /// Tick by tick, where there are few enough.
    fn scan(&self, expr: &Expr, from: i64, to: i64, steps: &mut Steps) {
        if to - from > self.scan {
            steps.complete = false;
            return;
        }
        let mut before = self.at(expr, from);
        for tick in from + 1..=to {
            let now = self.at(expr, tick);
            if now != before {
                steps.ticks.insert(tick);
            }
            before = now;
        }
    }

    /// The expression with the branch of each `case` that applies at a tick in its place.
    pub(crate) fn reduced(&self, expr: &Expr, tick: i64) -> Expr {
        let Kind::Case { branches, otherwise } = &expr.kind else {
            return expr.map_children(&mut |child| self.reduced(child, tick));
        };
        for (when, then) in branches {
            match self.at(when, tick) {
                Some(Answer::Bool(true)) => return self.reduced(then, tick),
                Some(Answer::Bool(false)) => {}
                _ => return Expr::new(Kind::Unknown, expr.ty),
            }
        }
        otherwise.as_deref().map_or_else(|| Expr::new(Kind::Unknown, expr.ty), |last| self.reduced(last, tick))
    }

    pub(crate) fn way(&self, expr: &Expr) -> Way {
        if !mentions(expr, self.fact) {
            return Way::Still;
        }
        match &expr.kind {
            Kind::Fact(_) if matches!(expr.ty, Ty::Number | Ty::Date) => Way::Up,
            Kind::Negate(inner) => self.way(inner).flip(),
            Kind::Arith(ArithOp::Add, left, right) => self.way(left).and(self.way(right)),
            Kind::Arith(ArithOp::Sub, left, right) => self.way(left).and(self.way(right).flip()),
            Kind::Arith(ArithOp::Mul, left, right) if mentions(left, self.fact) => self.scaled(left, right),
            Kind::Arith(ArithOp::Mul, left, right) => self.scaled(right, left),
            Kind::Arith(ArithOp::Div, left, right) => self.scaled(left, right),
            Kind::Call(function, arguments) => self.way_of_call(*function, arguments),
            _ => Way::Either,
        }
    }

    /// A value times (or divided by) another that stays.
    fn scaled(&self, moving: &Expr, factor: &Expr) -> Way {
        if mentions(factor, self.fact) {
            return Way::Either;
        }
        match self.at(factor, 0) {
            Some(Answer::Number(factor)) if factor.num() > 0 => self.way(moving),
            Some(Answer::Number(factor)) if factor.num() < 0 => self.way(moving).flip(),
            Some(Answer::Number(_)) => Way::Still,
            _ => Way::Either,
        }
    }

    fn way_of_call(&self, function: Function, arguments: &[Expr]) -> Way {
        let way = |at: usize| arguments.get(at).map_or(Way::Either, |argument| self.way(argument));
        match function {
            Function::AgeAt | Function::MonthsBetween | Function::WholeMonthsBetween | Function::DaysBetween => way(0).flip().and(way(1)),
            Function::AddYears | Function::AddMonths | Function::AddDays => way(0).and(way(1)),
            Function::MonthStart
            | Function::MonthEnd
            | Function::YearStart
            | Function::YearEnd
            | Function::Year
            | Function::Floor
            | Function::Ceil
            | Function::Round => way(0),
            Function::MonthsOverlap => way(0).flip().and(way(1)).and(way(2).flip()).and(way(3)),
            Function::Min | Function::Max => arguments.iter().fold(Way::Still, |all, argument| all.and(self.way(argument))),
            Function::Month | Function::Abs | Function::Coalesce => Way::Either,
        }
    }
}

pub(crate) fn order(left: Answer, right: Answer) -> Option<Ordering> {
    match (left, right) {
        (Answer::Number(left), Answer::Number(right)) => Some(left.cmp(&right)),
        (Answer::Date(left), Answer::Date(right)) => Some(left.cmp(&right)),
        _ => None,
    }
}

/// The first tick of a range that passes a test which all later ones pass too.
pub(crate) fn first(from: i64, to: i64, passes: impl Fn(i64) -> bool) -> Option<i64> {
    if !passes(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if passes(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}
