//! The first day on which an expression may come out otherwise, though nothing changes but the day.
//!
//! Never later than the day on which it does. Where rules tell the day (a comparison of which one side only grows), it is that
//! day; where none does, the next day on which one of its parts changes.

use std::cmp::Ordering;

use crate::check::ir::{Expr, Function, Kind, Ty, Value};
use crate::explain::calendar::DAY;
use crate::explain::steps::{Axis, Way, first, order};
use crate::program::interpreter::Answer;

/// No day at all.
pub(super) const NEVER: i64 = i64::MAX;

/// So many days on which parts change, but not the whole, are passed over before one of them is told.
const PASSED_OVER: usize = 48;

/// What is known of the facts in expressions.
pub(super) struct Forecast<'a> {
    /// The value of a fact today; none: unknown.
    pub(super) value: &'a dyn Fn(usize) -> Option<Value>,
    /// The first day on which a fact may be another.
    pub(super) changes: &'a dyn Fn(usize) -> i64,
    /// Days behind this one are not told.
    pub(super) until: i64,
}

impl Forecast<'_> {
    /// The first day behind `today` on which a bound expression, with the day as the fact [`DAY`], may come out otherwise.
    pub(super) fn next(&self, expr: &Expr, today: i64) -> i64 {
        if !self.moves(expr) || self.is_settled(expr, today) || self.is_never_known(expr, today) {
            return NEVER;
        }
        let found = match &expr.kind {
            Kind::Fact(DAY) => today + 1,
            Kind::Fact(index) => (self.changes)(*index),
            Kind::And(items) => self.passing(expr, today, &|day| self.joined(items, day, false)),
            Kind::Or(items) => self.passing(expr, today, &|day| self.joined(items, day, true)),
            Kind::Compare(_, left, right) => self.passing(expr, today, &|day| self.compared(expr, left, right, day)),
            Kind::Case { branches, otherwise } => self.passing(expr, today, &|day| self.chosen(branches, otherwise.as_deref(), day)),
            Kind::Call(Function::Coalesce, items) => self.passing(expr, today, &|day| self.first_known(items, day)),
            _ => self.passing(expr, today, &|day| self.grown(expr, day)),
        };
        if found > self.until { NEVER } else { found }
    }

    /// Whether one part of an `and` (an `or`) is no (yes) whatever the day: then nothing need be known of the others. Most policies are
    /// not about most subjects, and that they are not is such a part.
    fn is_settled(&self, expr: &Expr, today: i64) -> bool {
        let (items, settling) = match &expr.kind {
            Kind::And(items) => (items, false),
            Kind::Or(items) => (items, true),
            _ => return false,
        };
        let settling: Vec<&Expr> = items.iter().filter(|item| self.at(item, today) == Some(Answer::Bool(settling))).collect();
        // What stays is cheaper to tell than what will not come out otherwise.
        settling.iter().any(|item| !self.moves(item)) || settling.iter().any(|item| self.next(item, today) == NEVER)
    }

    /// The value on a day; none: unknown.
    pub(super) fn at(&self, expr: &Expr, day: i64) -> Option<Answer> {
        self.axis().at(expr, day)
    }

    /// Whether an expression surely is no today.
    pub(super) fn is_no(&self, expr: &Expr, today: i64) -> bool {
        self.at(expr, today) == Some(Answer::Bool(false))
    }

    fn axis(&self) -> Axis<'_> {
        Axis { fact: DAY, scale: None, row: self.value, scan: 0 }
    }

    fn moves(&self, expr: &Expr) -> bool {
        if let Kind::Fact(index) = expr.kind {
            return index == DAY || (self.changes)(index) != NEVER;
        }
        expr.children().into_iter().any(|child| self.moves(child))
    }

    /// Whether a part that stays is unknown, and with it the whole, whatever the day.
    fn is_never_known(&self, expr: &Expr, day: i64) -> bool {
        if !self.moves(expr) {
            return self.at(expr, day).is_none();
        }
        match &expr.kind {
            Kind::Call(Function::Coalesce, _) => false,
            Kind::Arith(..) | Kind::Negate(_) | Kind::Call(..) | Kind::Compare(..) => {
                expr.children().into_iter().any(|child| self.is_never_known(child, day))
            }
            _ => false,
        }
    }

    /// The first day on which one of the facts of an expression may be another.
    fn limit(&self, expr: &Expr) -> i64 {
        let mut limit = NEVER;
        expr.for_each_fact(&mut |index| {
            if index != DAY {
                limit = limit.min((self.changes)(index));
            }
        });
        limit
    }

    /// The first of the days that `candidate` gives, each behind the one before, on which the expression is another. On days on
    /// which a fact may be another, that cannot be seen.
    fn passing(&self, expr: &Expr, today: i64, candidate: &dyn Fn(i64) -> i64) -> i64 {
        let limit = self.limit(expr);
        let now = self.at(expr, today);
        let mut day = today;
        for _ in 0..PASSED_OVER {
            day = candidate(day);
            if day > self.until || day >= limit || self.at(expr, day) != now {
                return day;
            }
        }
        candidate(day)
    }

    fn soonest<'e>(&self, items: impl IntoIterator<Item = &'e Expr>, day: i64) -> i64 {
        items.into_iter().map(|item| self.next(item, day)).min().unwrap_or(NEVER)
    }

    /// Of an `and` (or an `or`): one part that is no (yes) settles it, so that all of these must change before it can.
    fn joined(&self, items: &[Expr], day: i64, settling: bool) -> i64 {
        let settled: Vec<&Expr> = items.iter().filter(|item| self.at(item, day) == Some(Answer::Bool(settling))).collect();
        if settled.iter().any(|item| !self.moves(item)) {
            return NEVER;
        }
        let mut last = None;
        for item in settled {
            last = last.max(Some(self.next(item, day)));
            if last == Some(NEVER) {
                break;
            }
        }
        last.unwrap_or_else(|| self.soonest(items, day))
    }

    /// Of a `case`: its conditions up to the one that chooses, and what is chosen.
    fn chosen(&self, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, day: i64) -> i64 {
        let mut next = NEVER;
        for (when, then) in branches {
            next = next.min(self.next(when, day));
            match self.at(when, day) {
                Some(Answer::Bool(true)) => return next.min(self.next(then, day)),
                Some(Answer::Bool(false)) => {}
                _ => return next,
            }
        }
        next.min(otherwise.map_or(NEVER, |otherwise| self.next(otherwise, day)))
    }

    fn first_known(&self, items: &[Expr], day: i64) -> i64 {
        let mut next = NEVER;
        for item in items {
            next = next.min(self.next(item, day));
            if self.at(item, day).is_some() {
                break;
            }
        }
        next
    }

    /// Of a number or a date that only grows (or only shrinks): where it first is another; else where a part is.
    fn grown(&self, expr: &Expr, day: i64) -> i64 {
        let limit = self.limit(expr);
        let end = limit.saturating_sub(1).min(self.until);
        let is_one_way = matches!(expr.ty, Ty::Number | Ty::Date) && matches!(self.axis().way(expr), Way::Up | Way::Down);
        if is_one_way
            && end > day
            && let (Some(now), Some(last)) = (self.at(expr, day), self.at(expr, end))
        {
            let is_another = |tick: i64| self.at(expr, tick).as_ref() != Some(&now);
            return if last == now { limit } else { first(day, end, is_another).unwrap_or(day + 1) };
        }
        self.soonest(expr.children(), day)
    }

    /// Of a comparison: until a `case` in it chooses otherwise, its sides have fixed forms; where these only part or only meet,
    /// one overtakes the other once.
    fn compared(&self, whole: &Expr, left: &Expr, right: &Expr, day: i64) -> i64 {
        let parts = [left, right];
        let chosen_until = parts.iter().map(|part| self.cases(part, day)).min().unwrap_or(NEVER);
        let limit = self.limit(whole);
        let end = chosen_until.min(limit).saturating_sub(1).min(self.until);
        let axis = self.axis();
        let [left_now, right_now] = parts.map(|part| axis.reduced(part, day));
        let way = axis.way(&left_now).and(axis.way(&right_now).flip());
        let order = |tick: i64| order(axis.at(&left_now, tick)?, axis.at(&right_now, tick)?);
        match way {
            Way::Still => end + 1,
            Way::Up | Way::Down if end > day && order(day).is_some() && order(end).is_some() => {
                let least = if way == Way::Up { Ordering::Less } else { Ordering::Greater };
                let met = first(day, end, |tick| order(tick) != Some(least));
                let passed = first(day, end, |tick| order(tick) == Some(least.reverse()));
                let now = self.at(whole, day);
                let days = [met, passed].into_iter().flatten().filter(|tick| *tick > day);
                days.filter(|tick| self.at(whole, *tick) != now).min().unwrap_or(end + 1)
            }
            _ => self.soonest(parts, day),
        }
    }

    /// The first day on which a `case` in an expression may choose otherwise.
    fn cases(&self, expr: &Expr, day: i64) -> i64 {
        let Kind::Case { branches, otherwise } = &expr.kind else {
            return expr.children().into_iter().map(|child| self.cases(child, day)).min().unwrap_or(NEVER);
        };
        let mut next = NEVER;
        for (when, then) in branches {
            next = next.min(self.next(when, day));
            match self.at(when, day) {
                Some(Answer::Bool(true)) => return next.min(self.cases(then, day)),
                Some(Answer::Bool(false)) => {}
                _ => return next,
            }
        }
        next.min(otherwise.as_deref().map_or(NEVER, |otherwise| self.cases(otherwise, day)))
    }
}

#[cfg(test)]
mod tests {
    //! Any expression over the days of years: looked up day by day, it does not change before the day that is told.

    use proptest::prelude::*;

    use super::*;
    use crate::check::ir::Schema;
    use crate::program::interpreter::evaluate;
    use crate::program::tests::arbitrary;

    /// Days looked up one by one.
    const LOOKED_UP: i64 = 800;

    /// An expression, a day in the place of one of its dates, and the values of one subject.
    fn scene() -> impl Strategy<Value = (Expr, Vec<Option<Value>>, i64)> {
        let with_dates = arbitrary::schema().prop_filter("a date", |schema| schema.columns.iter().any(|column| column.ty == Ty::Date));
        with_dates.prop_flat_map(|schema: Schema| {
            let types = prop_oneof![Just(Ty::Bool), Just(Ty::Number), Just(Ty::Date)];
            let expr = types.prop_flat_map({
                let schema = schema.clone();
                move |ty| arbitrary::expression(&schema, ty, 4)
            });
            (Just(schema.clone()), expr, arbitrary::batch(&schema), 18_000..21_000_i64).prop_map(|(schema, expr, batch, today)| {
                let moving = schema.columns.iter().position(|column| column.ty == Ty::Date).expect("a date");
                let value = |fact| (batch.num_rows() > 0).then(|| arbitrary::value_at(&schema, &batch, fact, 0)).flatten();
                let values = (0..schema.columns.len()).map(value).collect();
                (with_day(&expr, moving), values, today)
            })
        })
    }

    fn with_day(expr: &Expr, moving: usize) -> Expr {
        match expr.kind {
            Kind::Fact(index) if index == moving => Expr { kind: Kind::Fact(DAY), ..expr.clone() },
            _ => expr.map_children(&mut |child| with_day(child, moving)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn nothing_changes_before_the_day_that_is_told((expr, values, today) in scene()) {
            let forecast = Forecast { value: &|index| values[index].clone(), changes: &|_| NEVER, until: today + LOOKED_UP };
            let told = forecast.next(&expr, today);
            let now = forecast.at(&expr, today);
            for day in today + 1..told.min(today + LOOKED_UP + 1) {
                prop_assert_eq!(&forecast.at(&expr, day), &now, "day {} of {}, told {}", day - today, today, told);
            }
        }

        #[test]
        fn facts_that_change_are_waited_for((expr, values, today) in scene(), fact in 0..6_usize, ahead in 1..300_i64) {
            // On its day, a fact becomes unknown: what rests on it may be anything from then on.
            let changes = |index: usize| if index == fact { today + ahead } else { NEVER };
            // Where numbers become too large nobody is judged at all: the run fails, and says of whom.
            let on_today = |index: usize| if index == DAY { i32::try_from(today).ok().map(Value::Date) } else { values[index].clone() };
            prop_assume!(evaluate(&expr, &on_today).is_ok());
            let forecast = Forecast { value: &|index| values[index].clone(), changes: &changes, until: today + LOOKED_UP };
            let told = forecast.next(&expr, today);
            let now = forecast.at(&expr, today);
            for day in today + 1..told.min(today + LOOKED_UP + 1) {
                let value = |index: usize| if day >= changes(index) { None } else { values[index].clone() };
                let then = Forecast { value: &value, changes: &|_| NEVER, until: NEVER };
                prop_assert_eq!(&then.at(&expr, day), &now, "day {} of {}, told {}", day - today, today, told);
            }
        }
    }

    #[test]
    fn birthdays_are_told_to_the_day() {
        let birth = Expr::new(Kind::Fact(0), Ty::Date);
        let age = Expr::new(Kind::Call(Function::AgeAt, vec![birth, Expr::new(Kind::Fact(DAY), Ty::Date)]), Ty::Number);
        let limit = Expr::new(Kind::Literal(Value::Number(crate::check::ir::Number::whole(80))), Ty::Number);
        let old = Expr::new(Kind::Compare(crate::check::ir::CompareOp::GtEq, Box::new(age), Box::new(limit)), Ty::Bool);
        let day = |text: &str| i64::from(crate::check::bind::days(text.parse().expect("a date")));
        let told = |born: &str, today: &str| {
            let born = Value::Date(i32::try_from(day(born)).expect("a day"));
            let forecast = Forecast { value: &|_| Some(born.clone()), changes: &|_| NEVER, until: day("2150-01-01") };
            forecast.next(&old, day(today))
        };
        assert_eq!(told("1946-07-22", "2026-07-21"), day("2026-07-22"));
        assert_eq!(told("1946-07-22", "1950-01-01"), day("2026-07-22"));
        assert_eq!(told("1946-07-22", "2026-07-22"), NEVER);
        // 80 years behind a 29 February there is one again; 81 later than the common year before it.
        assert_eq!(told("1948-02-29", "2028-01-01"), day("2028-02-29"));
        assert_eq!(told("2020-02-29", "2099-12-31"), day("2100-03-01"));
    }
}
