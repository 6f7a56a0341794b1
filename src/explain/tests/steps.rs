//! The days on which a condition can change, against every single day.

use proptest::prelude::*;

use super::{all, any, arith, call, compare, date, fact, operators, whole};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};
use crate::explain::calendar::DAY;
use crate::explain::steps::Axis;
use crate::program::interpreter::Answer;

/// 2026-06-30.
const TODAY: i64 = 20_634;
const AHEAD: i64 = 760;

fn day() -> Expr {
    fact(DAY, Ty::Date)
}

/// Days made of the day.
fn some_day() -> BoxedStrategy<Expr> {
    let of = |function: Function| call(function, vec![day()], Ty::Date);
    prop_oneof![
        Just(day()),
        Just(of(Function::MonthEnd)),
        Just(of(Function::MonthStart)),
        Just(of(Function::YearEnd)),
        (-14..14_i64).prop_map(|months| call(Function::AddMonths, vec![day(), whole(months)], Ty::Date)),
        (-40..40_i64).prop_map(|days| call(Function::AddDays, vec![day(), whole(days)], Ty::Date)),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<Expr> {
    let birth = || fact(0, Ty::Date);
    prop_oneof![
        some_day().prop_map(move |day| call(Function::AgeAt, vec![birth(), day], Ty::Number)),
        some_day().prop_map(move |day| call(Function::MonthsBetween, vec![birth(), day], Ty::Number)),
        some_day().prop_map(move |day| call(Function::WholeMonthsBetween, vec![day, birth()], Ty::Number)),
        some_day().prop_map(|day| call(Function::Year, vec![day], Ty::Number)),
        some_day().prop_map(|day| call(Function::Month, vec![day], Ty::Number)),
        (some_day(), 1..18_i64).prop_map(move |(day, months)| {
            let start = call(Function::AddMonths, vec![day.clone(), whole(-months)], Ty::Date);
            call(Function::MonthsOverlap, vec![birth(), fact(1, Ty::Date), start, day], Ty::Number)
        }),
    ]
    .boxed()
}

fn atom() -> BoxedStrategy<Expr> {
    let years = |fact_index: usize| (some_day(), operators(), 0..4_i64, Just(fact_index));
    prop_oneof![
        (number(), operators(), 0..30_i64).prop_map(|(left, op, right)| compare(op, left, whole(right))),
        (number(), number(), operators()).prop_map(|(left, right, op)| compare(op, left, right)),
        years(1).prop_map(|(day, op, years, index)| {
            compare(op, day, call(Function::AddYears, vec![fact(index, Ty::Date), whole(years)], Ty::Date))
        }),
        (some_day(), operators(), 0..800_i32).prop_map(|(day, op, days)| compare(op, day, date(20_634 + days))),
        (number(), number(), number(), 0..60_i64).prop_map(|(when, then, otherwise, limit)| {
            let when = compare(CompareOp::GtEq, when, whole(limit));
            let case = Kind::Case { branches: vec![(when, then)], otherwise: Some(Box::new(otherwise)) };
            compare(CompareOp::Lt, whole(limit), arith(ArithOp::Add, Expr::new(case, Ty::Number), whole(1)))
        }),
    ]
    .boxed()
}

fn condition() -> impl Strategy<Value = Expr> {
    prop_oneof![atom(), prop::collection::vec(atom(), 1..4).prop_map(all), prop::collection::vec(atom(), 1..4).prop_map(any)]
}

fn known_day() -> impl Strategy<Value = Option<Value>> {
    prop::option::weighted(0.9, prop_oneof![20_000..21_600_i32, -9_000..20_000_i32].prop_map(Value::Date))
}

#[track_caller]
fn holds_between(condition: &Expr, axis: &Axis<'_>, ticks: &std::collections::BTreeSet<i64>) {
    for tick in TODAY + 1..=TODAY + AHEAD {
        if !ticks.contains(&tick) {
            assert_eq!(axis.at(condition, tick - 1), axis.at(condition, tick), "from {} to {tick}", tick - 1);
        }
    }
}

proptest! {
    #[test]
    fn nothing_changes_between_two_steps(condition in condition(), birth in known_day(), end in known_day()) {
        let row = |fact: usize| if fact == 0 { birth.clone() } else { end.clone() };
        for scan in [0, 10_000] {
            let axis = Axis { fact: DAY, scale: None, row: &row, scan };
            let steps = axis.steps(&condition, TODAY, TODAY + AHEAD);
            prop_assert!(steps.complete || scan == 0);
            if steps.complete {
                holds_between(&condition, &axis, &steps.ticks);
            }
        }
    }

    #[test]
    fn numbers_have_their_steps(limit in -40..40_i64, factor in -3..4_i64, other in -20..20_i64, op in operators()) {
        let product = arith(ArithOp::Mul, fact(7, Ty::Number), whole(factor));
        let condition = compare(op, arith(ArithOp::Sub, product, whole(other)), whole(limit));
        let axis = Axis { fact: 7, scale: Some(2), row: &|_| None, scan: 0 };
        let steps = axis.steps(&condition, -10_000, 10_000);
        prop_assert!(steps.complete);
        for tick in -9_999..=10_000 {
            prop_assert!(steps.ticks.contains(&tick) || axis.at(&condition, tick - 1) == axis.at(&condition, tick));
        }
    }
}

#[test]
fn a_birthday_is_one_step() {
    // Born 1947-03-04: 80 on 2027-03-04.
    let birth = |_| Some(Value::Date(-8_339));
    let condition = compare(CompareOp::GtEq, call(Function::AgeAt, vec![fact(0, Ty::Date), day()], Ty::Number), whole(80));
    let axis = Axis { fact: DAY, scale: None, row: &birth, scan: 0 };
    let steps = axis.steps(&condition, TODAY, TODAY + AHEAD);
    let ticks: Vec<i64> = steps.ticks.into_iter().collect();
    assert!(steps.complete);
    assert_eq!(ticks.first(), Some(&20_881));
    assert_eq!(axis.at(&condition, 20_881), Some(Answer::Bool(true)));
    assert_eq!(axis.value(1), Value::Date(1));
    assert_eq!(Axis { scale: Some(2), ..axis }.value(1), Value::Number(Number { digits: 1, scale: 2 }));
}
