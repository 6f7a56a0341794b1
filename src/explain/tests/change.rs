//! The least change, against trying everything.

use std::sync::Arc;

use proptest::prelude::*;

use super::{all, any, arith, call, compare, date, fact, operators, text_in, whole};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};
use crate::explain::change::{Changeable, Goal, least};
use crate::program::interpreter::{Answer, evaluate};

/// Two booleans, a count, a code and a day that can be changed, and a count that cannot.
const TYPES: [Ty; 6] = [Ty::Bool, Ty::Bool, Ty::Number, Ty::Text, Ty::Date, Ty::Number];
const CODES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The most that a test of the count asks for, in twos.
const MOST: i64 = 26;
const LAST: i32 = 13;

type Row = Vec<Option<Value>>;

fn changeable() -> Vec<Changeable> {
    let codes = Some(CODES.map(Arc::from).to_vec());
    let of =
        |fact: usize| Changeable { fact, ty: TYPES[fact], scale: 0, codes: if TYPES[fact] == Ty::Text { codes.clone() } else { None } };
    (0..5).map(of).collect()
}

fn values(fact: usize) -> Vec<Value> {
    match TYPES[fact] {
        Ty::Bool => vec![Value::Bool(true), Value::Bool(false)],
        Ty::Number => (0..=if fact == 5 { 12 } else { MOST }).map(|value| Value::Number(Number::whole(value))).collect(),
        Ty::Date => (0..=LAST).map(Value::Date).collect(),
        Ty::Text => CODES.iter().map(|code| Value::Text(Arc::from(*code))).collect(),
    }
}

fn row() -> impl Strategy<Value = Row> {
    let of = |fact: usize| prop::option::weighted(0.85, prop::sample::select(values(fact)));
    (0..TYPES.len()).map(of).collect::<Vec<_>>()
}

/// Numbers that the count that can be changed is part of.
fn number() -> impl Strategy<Value = Expr> {
    let count = || fact(2, Ty::Number);
    let step = (0..12_i64, 0..6_i64, 0..6_i64).prop_map(move |(limit, then, otherwise)| {
        let when = compare(CompareOp::GtEq, count(), whole(limit));
        let branches = vec![(when, whole(then))];
        Expr::new(Kind::Case { branches, otherwise: Some(Box::new(whole(otherwise))) }, Ty::Number)
    });
    prop_oneof![
        Just(count()),
        (1..4_i64).prop_map(move |factor| arith(ArithOp::Mul, whole(factor), count())),
        Just(arith(ArithOp::Add, count(), fact(5, Ty::Number))),
        Just(arith(ArithOp::Sub, fact(5, Ty::Number), count())),
        Just(arith(ArithOp::Div, count(), whole(2))),
        (0..9_i64).prop_map(move |floor| call(Function::Max, vec![count(), whole(floor)], Ty::Number)),
        step,
    ]
}

fn atom() -> impl Strategy<Value = Expr> {
    prop_oneof![
        (0..2_usize).prop_map(|index| fact(index, Ty::Bool)),
        (operators(), number(), 0..12_i64).prop_map(|(op, left, right)| compare(op, left, whole(right))),
        (operators(), number()).prop_map(|(op, right)| compare(op, fact(5, Ty::Number), right)),
        prop::collection::vec(prop::sample::select(CODES.to_vec()), 0..4).prop_map(|set| text_in(fact(3, Ty::Text), &set)),
        (operators(), 1..12_i32).prop_map(|(op, day)| compare(op, fact(4, Ty::Date), date(day))),
        Just(Expr::new(Kind::IsKnown(Box::new(fact(0, Ty::Bool))), Ty::Bool)),
    ]
}

fn condition() -> impl Strategy<Value = Expr> {
    atom().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(all),
            prop::collection::vec(inner.clone(), 1..4).prop_map(any),
            inner.clone().prop_map(|inner| Expr::new(Kind::Not(Box::new(inner)), Ty::Bool)),
            prop::collection::vec(inner, 2..4).prop_map(|items| Expr::new(Kind::AtLeast(2, items), Ty::Bool)),
        ]
    })
}

fn verdict(condition: &Expr, row: &Row) -> Option<Answer> {
    evaluate(condition, &|fact| row[fact].clone()).expect("no overflow")
}

/// The least number of facts whose change makes the condition yes, by trying every value of every set of facts.
fn least_by_trying(condition: &Expr, row: &Row) -> Option<usize> {
    let sizes = (0_u32..1 << 5).filter(|set| tries(condition, row, *set, 0));
    sizes.map(|set| set.count_ones() as usize).min()
}

fn tries(condition: &Expr, row: &Row, set: u32, from: usize) -> bool {
    let Some(index) = (from..5).find(|index| set >> index & 1 == 1) else {
        return verdict(condition, row) == Some(Answer::Bool(true));
    };
    values(index).into_iter().any(|value| {
        let mut row = row.clone();
        row[index] = Some(value);
        tries(condition, &row, set, index + 1)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_least_change_is_the_least_and_makes_it_yes(condition in condition(), row in row()) {
        prop_assume!(verdict(&condition, &row) == Some(Answer::Bool(false)));
        let found = least(&condition, &|fact| row[fact].clone(), &changeable(), Goal::Yes);
        for set in &found.sets {
            let mut changed = row.clone();
            for (index, value) in set {
                prop_assert_ne!(Some(value), row[*index].as_ref(), "a change changes something");
                changed[*index] = Some(value.clone());
            }
            prop_assert_eq!(verdict(&condition, &changed), Some(Answer::Bool(true)), "{:?}", set);
        }
        let sizes: Vec<usize> = found.sets.iter().map(Vec::len).collect();
        prop_assert!(sizes.iter().all(|size| *size == sizes[0]));
        prop_assert!(found.complete, "nothing here is beyond the search");
        prop_assert_eq!(sizes.first().copied(), least_by_trying(&condition, &row));
    }
}

#[track_caller]
fn check(condition: &Expr, row: [Option<Value>; 6], expected: &[&[(usize, Value)]]) {
    let row = row.to_vec();
    let found = least(condition, &|fact| row[fact].clone(), &changeable(), Goal::Yes);
    assert_eq!(found.sets, expected.iter().map(|set| set.to_vec()).collect::<Vec<_>>());
    assert!(found.complete);
}

fn number_value(value: i64) -> Value {
    Value::Number(Number::whole(value))
}

#[test]
fn the_nearest_value_of_the_fewest_facts() {
    let enough = compare(CompareOp::GtEq, fact(2, Ty::Number), whole(12));
    let condition = all(vec![enough, any(vec![fact(0, Ty::Bool), text_in(fact(3, Ty::Text), &["c", "d"])])]);
    let row = || [Some(Value::Bool(false)), None, Some(number_value(8)), Some(Value::Text("a".into())), None, None];
    let twelve = (2, number_value(12));
    let by_code = [twelve.clone(), (3, Value::Text("c".into()))];
    let by_yes = [(0, Value::Bool(true)), twelve];
    check(&condition, row(), &[&by_yes, &by_code]);
}

#[test]
fn nothing_helps_where_another_fact_decides() {
    let condition = all(vec![fact(0, Ty::Bool), compare(CompareOp::Gt, fact(5, Ty::Number), whole(3))]);
    check(&condition, [Some(Value::Bool(false)), None, None, None, None, Some(number_value(3))], &[]);
}

#[test]
fn what_cannot_be_searched_is_said() {
    // The count times itself has no way that a rule knows.
    let squared = arith(ArithOp::Mul, fact(2, Ty::Number), fact(2, Ty::Number));
    let condition = compare(CompareOp::GtEq, squared, whole(50));
    let row = [None, None, Some(number_value(3)), None, None, None];
    let found = least(&condition, &|fact| row[fact].clone(), &changeable(), Goal::Yes);
    assert!(found.sets.is_empty() && !found.complete);
}
