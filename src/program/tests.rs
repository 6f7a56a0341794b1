//! The program against the row interpreter, on random conditions and batches and on the cases that bite.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

use self::arbitrary::value_at;
use super::interpreter::{self, Answer};
use super::{CompileError, EvalError, Program, Rational, Scratch, ValueProgram, Values, dates};
use crate::check::ir::{self, ArithOp, Column, CompareOp, Expr, Function, Kind, Number, Schema, Ty, Value};

#[path = "../../tests/support/arbitrary.rs"]
pub(crate) mod arbitrary;
mod fast;
mod never;
mod never_in_policies;

/// A schema, expressions of a type, and a batch.
fn scene(ty: Ty, roots: usize) -> impl Strategy<Value = (Schema, Vec<Expr>, RecordBatch)> {
    arbitrary::schema().prop_flat_map(move |schema| {
        let exprs = proptest::collection::vec(arbitrary::expression(&schema, ty, 4), 1..=roots);
        let batch = arbitrary::batch(&schema);
        (Just(schema), exprs, batch)
    })
}

/// What the interpreter says of each row; rows at which it overflows are left out.
fn by_rows(schema: &Schema, expr: &Expr, batch: &RecordBatch) -> BTreeMap<usize, Option<Answer>> {
    let facts: Vec<Vec<Option<Value>>> = (0..schema.columns.len()).map(|fact| rows_of(schema, expr, batch, fact)).collect();
    let verdict = |row: usize| interpreter::evaluate(expr, &|fact| facts[fact].get(row).cloned().flatten());
    (0..batch.num_rows()).filter_map(|row| verdict(row).ok().map(|verdict| (row, verdict))).collect()
}

/// The values of a fact, if the expression reads it.
fn rows_of(schema: &Schema, expr: &Expr, batch: &RecordBatch, fact: usize) -> Vec<Option<Value>> {
    let mut read = false;
    expr.for_each_fact(&mut |index| read |= index == fact);
    if !read {
        return Vec::new();
    }
    let one = batch.project(&[fact]).expect("a column per fact");
    (0..batch.num_rows()).map(|row| value_at(schema, &one, fact, row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_program_says_what_the_interpreter_says((schema, roots, batch) in scene(Ty::Bool, 4)) {
        let program = Program::compile(&schema, &roots);
        prop_assume!(!matches!(program, Err(CompileError::TooLarge { .. })));
        let program = program.expect("generated expressions are well typed");
        let mut scratch = Scratch::new();
        let verdicts = program.evaluate(&batch, &mut scratch);
        prop_assume!(!matches!(verdicts, Err(EvalError::Overflow { .. })));
        let verdicts = verdicts.expect("generated batches fit their schema");
        for (root, expr) in roots.iter().enumerate() {
            for (row, expected) in by_rows(&schema, expr, &batch) {
                let found = verdicts.get(root, row).map(Answer::Bool);
                prop_assert_eq!(&found, &expected, "root {} row {}\n{}", root, row, program.print());
            }
            let counted = (0..batch.num_rows()).filter(|&row| verdicts.get(root, row) == Some(true)).count();
            prop_assert_eq!(verdicts.count_yes(root), counted);
            prop_assert_eq!(verdicts.yes_rows(root).count(), counted);
            prop_assert_eq!(verdicts.count_unknown(root), verdicts.unknown_rows(root).filter(|&row| row < batch.num_rows()).count());
            prop_assert!(verdicts.yes(root).iter().zip(verdicts.unknown(root)).all(|(yes, unknown)| yes & unknown == 0));
        }
    }

    #[test]
    fn verdicts_do_not_depend_on_how_rows_are_cut((schema, roots, batch) in scene(Ty::Bool, 3), cut in 0_usize..4200) {
        let program = Program::compile(&schema, &roots);
        prop_assume!(program.is_ok());
        let program = program.expect("compiled");
        let mut scratch = Scratch::new();
        let whole = program.evaluate(&batch, &mut scratch);
        let cut = cut.min(batch.num_rows());
        let first = program.evaluate(&batch.slice(0, cut), &mut scratch);
        let second = program.evaluate(&batch.slice(cut, batch.num_rows() - cut), &mut scratch);
        match whole {
            Ok(whole) => {
                let (first, second) = (first.expect("no overflow"), second.expect("no overflow"));
                for root in 0..roots.len() {
                    for row in 0..batch.num_rows() {
                        let part = if row < cut { first.get(root, row) } else { second.get(root, row - cut) };
                        prop_assert_eq!(whole.get(root, row), part);
                    }
                }
            }
            Err(EvalError::Overflow { root, row }) if row < cut => prop_assert_eq!(first, Err(EvalError::Overflow { root, row })),
            Err(EvalError::Overflow { root, row }) => {
                prop_assert!(first.is_ok());
                prop_assert_eq!(second, Err(EvalError::Overflow { root, row: row - cut }));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn values_are_what_the_interpreter_says(
        (schema, roots, batch) in prop_oneof![scene(Ty::Number, 2), scene(Ty::Date, 2), scene(Ty::Text, 2), scene(Ty::Bool, 2)]
    ) {
        let program = ValueProgram::compile(&schema, &roots);
        prop_assume!(program.is_ok());
        let values = program.expect("compiled").evaluate(&batch, &mut Scratch::new());
        prop_assume!(values.is_ok());
        for (expr, values) in roots.iter().zip(values.expect("evaluated")) {
            for (row, expected) in by_rows(&schema, expr, &batch) {
                let found = match &values {
                    Values::Number(numbers) => numbers[row].map(Answer::Number),
                    other => other.value(row).as_ref().map(Answer::from),
                };
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn arrays_hold_the_values_rounded(
        (schema, roots, batch) in prop_oneof![scene(Ty::Number, 3), scene(Ty::Date, 2), scene(Ty::Text, 2), scene(Ty::Bool, 2)],
        scales in proptest::collection::vec(prop_oneof![4 => 0_u8..6, 1 => 15_u8..19], 3)
    ) {
        let program = ValueProgram::compile(&schema, &roots);
        prop_assume!(program.is_ok());
        let program = program.expect("compiled");
        let mut scratch = Scratch::new();
        let values = program.evaluate(&batch, &mut scratch);
        let arrays = program.arrays(&batch, &mut scratch, &scales);
        let Ok(values) = values else {
            let overflowed = matches!(arrays, Err(EvalError::Overflow { .. }));
            prop_assert!(overflowed);
            return Ok(());
        };
        let too_large = (0..batch.num_rows()).find_map(|row| {
            let fits = |root: usize| values[root].number(row).is_none_or(|number| super::round_half_up(&number, scales[root]).is_some());
            (0..roots.len()).find(|&root| !fits(root)).map(|root| EvalError::Overflow { root, row })
        });
        if let Some(error) = too_large {
            prop_assert_eq!(arrays, Err(error));
            return Ok(());
        }
        let arrays = arrays.expect("what fits is evaluated");
        for (root, (values, array)) in values.iter().zip(&arrays).enumerate() {
            let expected: ArrayRef = match values {
                Values::Bool(values) => Arc::new(BooleanArray::from(values.clone())),
                Values::Date(values) => Arc::new(Date32Array::from(values.clone())),
                Values::Text(values) => Arc::new(StringArray::from_iter(values.iter().map(Option::as_deref))),
                Values::Number(values) => Arc::new(Int64Array::from_iter(
                    values.iter().map(|value| value.and_then(|value| super::round_half_up(&value, scales[root]))),
                )),
            };
            let found = match values {
                Values::Text(_) => arrow::compute::cast(array, expected.data_type()).expect("keys fit their dictionary"),
                _ => Arc::clone(array),
            };
            prop_assert_eq!(&found, &expected);
        }
    }

    /// Learning every fact of a set that is told, by any values, is never less than needed: a set without one of its
    /// facts is not told beside it, and facts that are known are in none.
    #[test]
    fn missing_facts_are_unknown_and_minimal((schema, roots, batch) in scene(Ty::Bool, 1)) {
        prop_assume!(batch.num_rows() > 0);
        let row = |fact: usize| value_at(&schema, &batch, fact, 0);
        let sets = interpreter::missing(&roots[0], &row);
        prop_assert!(sets.len() <= 16);
        for (index, set) in sets.iter().enumerate() {
            prop_assert!(set.is_sorted() && set.iter().all(|&fact| row(fact).is_none()));
            prop_assert!(sets.iter().enumerate().all(|(other, larger)| other == index || !set.iter().all(|fact| larger.contains(fact))));
        }
        match interpreter::evaluate(&roots[0], &row) {
            Ok(Some(Answer::Bool(true))) => prop_assert_eq!(sets, vec![Vec::<usize>::new()]),
            Ok(None) => prop_assert!(!sets.contains(&Vec::new())),
            _ => {}
        }
    }
}

fn schema(columns: &[(&str, Ty, u8)]) -> Schema {
    Schema { columns: columns.iter().map(|&(name, ty, scale)| Column { name: name.into(), ty, scale }).collect() }
}

fn fact(index: usize, ty: Ty) -> Expr {
    Expr::new(Kind::Fact(index), ty)
}

fn digits(digits: i64, scale: u8) -> Expr {
    Expr::new(Kind::Literal(Value::Number(Number { digits, scale })), Ty::Number)
}

fn day(text: &str) -> i32 {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().expect("a number")).collect();
    dates::day_of(parts[0], parts[1], parts[2]).expect("a day")
}

fn date(text: &str) -> Expr {
    Expr::new(Kind::Literal(Value::Date(day(text))), Ty::Date)
}

fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::new(Kind::Compare(op, Box::new(left), Box::new(right)), Ty::Bool)
}

fn arith(op: ArithOp, left: Expr, right: Expr) -> Expr {
    Expr::new(Kind::Arith(op, Box::new(left), Box::new(right)), Ty::Number)
}

fn call(function: Function, ty: Ty, arguments: Vec<Expr>) -> Expr {
    Expr::new(Kind::Call(function, arguments), ty)
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).expect("columns of one length")
}

/// The verdicts of one expression, by the program; the interpreter must agree.
#[track_caller]
fn check(schema: &Schema, expr: Expr, batch: &RecordBatch, expected: &[Option<bool>]) {
    let program = Program::compile(schema, std::slice::from_ref(&expr)).expect("it compiles");
    let verdicts = program.evaluate(batch, &mut Scratch::new()).expect("it evaluates");
    let found: Vec<Option<bool>> = (0..batch.num_rows()).map(|row| verdicts.get(0, row)).collect();
    assert_eq!(found, expected, "{}", program.print());
    for (row, answer) in by_rows(schema, &expr, batch) {
        assert_eq!(answer, expected[row].map(Answer::Bool), "row {row} by the interpreter");
    }
}

#[test]
fn quotients_are_compared_exactly_whatever_the_signs() {
    let schema = schema(&[("part", Ty::Number, 0), ("whole", Ty::Number, 0)]);
    let batch = batch(vec![
        ("part", Arc::new(Int64Array::from(vec![Some(11), Some(11), Some(-11), Some(12), Some(1), None, Some(1), Some(i64::MAX)]))),
        ("whole", Arc::new(Int64Array::from(vec![Some(200), Some(-200), Some(-200), Some(-200), Some(0), Some(5), None, Some(i64::MAX)]))),
    ]);
    let rate = arith(ArithOp::Div, fact(0, Ty::Number), fact(1, Ty::Number));
    let at_most = compare(CompareOp::LtEq, rate.clone(), digits(55, 3));
    check(&schema, at_most, &batch, &[Some(true), Some(true), Some(true), Some(true), None, None, None, Some(false)]);
    let exactly = compare(CompareOp::Eq, rate.clone(), digits(550, 4));
    check(&schema, exactly, &batch, &[Some(true), Some(false), Some(true), Some(false), None, None, None, Some(false)]);
    let other = arith(ArithOp::Div, fact(1, Ty::Number), fact(0, Ty::Number));
    let less = compare(CompareOp::Lt, rate, other);
    check(&schema, less, &batch, &[Some(true), Some(false), Some(true), Some(false), None, None, None, Some(false)]);
}

#[test]
fn thresholds_on_scaled_numbers_are_exact() {
    let schema = schema(&[("income", Ty::Number, 2)]);
    let money =
        Decimal128Array::from(vec![Some(99_999), Some(100_000), Some(100_001), None]).with_precision_and_scale(18, 2).expect("fits");
    let batch = batch(vec![("income", Arc::new(money))]);
    let income = || fact(0, Ty::Number);
    check(&schema, compare(CompareOp::Lt, income(), digits(1000, 0)), &batch, &[Some(true), Some(false), Some(false), None]);
    check(&schema, compare(CompareOp::GtEq, income(), digits(1000, 0)), &batch, &[Some(false), Some(true), Some(true), None]);
    check(&schema, compare(CompareOp::GtEq, digits(10_000_005, 4), income()), &batch, &[Some(true), Some(true), Some(false), None]);
    check(&schema, compare(CompareOp::Eq, income(), digits(10_000_005, 4)), &batch, &[Some(false), Some(false), Some(false), None]);
    let yearly = arith(ArithOp::Div, income(), digits(-12, 0));
    check(&schema, compare(CompareOp::Gt, yearly, digits(-8334, 2)), &batch, &[Some(true), Some(true), Some(true), None]);
}

#[test]
fn a_threshold_and_its_opposite_are_one_condition() {
    let schema = schema(&[("age", Ty::Number, 0), ("poor", Ty::Bool, 0)]);
    let age = || fact(0, Ty::Number);
    let old = compare(CompareOp::GtEq, age(), digits(60, 0));
    let young = compare(CompareOp::Lt, age(), digits(600, 1));
    let poor = || fact(1, Ty::Bool);
    let both = Expr::new(Kind::And(vec![poor(), old.clone()]), Ty::Bool);
    let neither = Expr::new(Kind::Or(vec![young, Expr::new(Kind::Not(Box::new(poor())), Ty::Bool)]), Ty::Bool);
    let program = Program::compile(&schema, &[both.clone(), neither, both, old]).expect("it compiles");
    assert_eq!(program.print(), "n0 = age\nc2 = poor\nc3 = n0 <= 59\nc4 = c2 and !c3\nroot 0: c4\nroot 1: !c4\nroot 2: c4\nroot 3: !c3\n");
    assert_eq!((program.nodes(), program.facts()), (4, vec![0, 1]));
}

#[test]
fn ages_become_ranges_of_birth_dates() {
    let schema = schema(&[("birth_date", Ty::Date, 0)]);
    let births = ["1966-06-15", "1966-06-16", "2004-02-29", "2026-06-16", "2026-06-15"];
    let days: Vec<Option<i32>> = births.iter().map(|birth| Some(day(birth))).chain([None]).collect();
    let batch = batch(vec![("birth_date", Arc::new(Date32Array::from(days)))]);
    let age = |on: &str| call(Function::AgeAt, Ty::Number, vec![fact(0, Ty::Date), date(on)]);
    let sixty = compare(CompareOp::GtEq, age("2026-06-15"), digits(60, 0));
    let program = Program::compile(&schema, std::slice::from_ref(&sixty)).expect("it compiles");
    assert!(!program.print().contains("AgeAt"), "{}", program.print());
    check(&schema, sixty, &batch, &[Some(true), Some(false), Some(false), None, Some(false), None]);
    let nineteen = compare(CompareOp::Eq, age("2023-02-28"), digits(19, 0));
    check(&schema, nineteen, &batch, &[Some(false), Some(false), Some(false), None, None, None]);
    let nineteen = compare(CompareOp::Eq, age("2023-03-01"), digits(19, 0));
    check(&schema, nineteen, &batch, &[Some(false), Some(false), Some(true), None, None, None]);
}

#[test]
fn functions_of_one_date_compare_with_constants_as_if_computed() {
    let schema = schema(&[("date", Ty::Date, 0)]);
    let around = day("2024-02-29");
    let days: Vec<i32> = (around - 800..around + 800).chain([i32::MIN, i32::MAX]).collect();
    let batch = batch(vec![("date", Arc::new(Date32Array::from(days)))]);
    let (it, fixed) = (|| fact(0, Ty::Date), || date("2024-02-29"));
    let counts = [Function::AgeAt, Function::MonthsBetween, Function::WholeMonthsBetween, Function::DaysBetween];
    let mut values = vec![(call(Function::Year, Ty::Number, vec![it()]), 2024)];
    for function in counts {
        values.push((call(function, Ty::Number, vec![it(), fixed()]), 1));
        values.push((call(function, Ty::Number, vec![fixed(), it()]), 1));
    }
    for (value, near) in values {
        for op in [CompareOp::Eq, CompareOp::NotEq, CompareOp::Lt, CompareOp::LtEq, CompareOp::Gt, CompareOp::GtEq] {
            for constant in near - 2..=near + 2 {
                let expr = compare(op, value.clone(), digits(constant, 0));
                let program = Program::compile(&schema, std::slice::from_ref(&expr)).expect("it compiles");
                let verdicts = program.evaluate(&batch, &mut Scratch::new()).expect("it evaluates");
                for (row, answer) in by_rows(&schema, &expr, &batch) {
                    assert_eq!(verdicts.get(0, row).map(Answer::Bool), answer, "row {row}\n{}", program.print());
                }
            }
        }
    }
}

#[test]
fn at_least_counts_yes_and_gives_up_when_too_few_can_be() {
    let schema = schema(&[("a", Ty::Bool, 0), ("b", Ty::Bool, 0), ("c", Ty::Bool, 0)]);
    let column = |values: [Option<bool>; 4]| Arc::new(BooleanArray::from(values.to_vec())) as ArrayRef;
    let batch = batch(vec![
        ("a", column([Some(true), Some(true), Some(false), None])),
        ("b", column([Some(true), None, Some(false), None])),
        ("c", column([None, Some(false), None, None])),
    ]);
    let two = Expr::new(Kind::AtLeast(2, (0..3).map(|index| fact(index, Ty::Bool)).collect()), Ty::Bool);
    check(&schema, two, &batch, &[Some(true), None, Some(false), None]);
    let twice = Expr::new(Kind::AtLeast(2, vec![fact(0, Ty::Bool), fact(0, Ty::Bool), fact(1, Ty::Bool)]), Ty::Bool);
    check(&schema, twice, &batch, &[Some(true), Some(true), Some(false), None]);
    check(&schema, Expr::new(Kind::AtLeast(0, vec![]), Ty::Bool), &batch, &[Some(true); 4]);
    check(&schema, Expr::new(Kind::AtLeast(1, vec![]), Ty::Bool), &batch, &[Some(false); 4]);
}

#[test]
fn overflow_names_the_first_row_and_the_first_root() {
    let schema = schema(&[("x", Ty::Number, 0), ("y", Ty::Number, 0)]);
    let batch = batch(vec![
        ("x", Arc::new(Int64Array::from(vec![Some(1), Some(i64::MAX), Some(i64::MAX), Some(0)]))),
        ("y", Arc::new(Int64Array::from(vec![Some(1), None, Some(2), Some(0)]))),
    ]);
    let fine = compare(CompareOp::Eq, fact(0, Ty::Number), digits(0, 0));
    let product = compare(CompareOp::Gt, arith(ArithOp::Mul, fact(0, Ty::Number), fact(1, Ty::Number)), digits(5, 0));
    let program = Program::compile(&schema, &[fine, product.clone(), product]).expect("it compiles");
    let mut scratch = Scratch::new();
    assert_eq!(program.evaluate(&batch, &mut scratch), Err(EvalError::Overflow { root: 1, row: 2 }));
    // a row with an unknown input does not overflow, and the buffers are good for another batch
    let verdicts = program.evaluate(&batch.slice(0, 2), &mut scratch).expect("the first two rows fit");
    assert_eq!((verdicts.get(1, 0), verdicts.get(1, 1)), (Some(false), None));
}

#[test]
fn an_overflow_is_found_even_where_another_condition_is_no() {
    let schema = schema(&[("x", Ty::Number, 0), ("flag", Ty::Bool, 0)]);
    let batch = batch(vec![("x", Arc::new(Int64Array::from(vec![i64::MAX]))), ("flag", Arc::new(BooleanArray::from(vec![false])))]);
    let large = compare(CompareOp::Gt, arith(ArithOp::Add, fact(0, Ty::Number), fact(0, Ty::Number)), digits(5, 0));
    let both = Expr::new(Kind::And(vec![fact(1, Ty::Bool), large]), Ty::Bool);
    let program = Program::compile(&schema, &[both]).expect("it compiles");
    assert_eq!(program.evaluate(&batch, &mut Scratch::new()), Err(EvalError::Overflow { root: 0, row: 0 }));
}

#[test]
fn columns_wider_than_64_bits_are_checked_where_they_are_known() {
    let schema = schema(&[("money", Ty::Number, 2), ("count", Ty::Number, 0)]);
    let wide = i128::from(i64::MAX) + 1;
    let money = |values: Vec<Option<i128>>| Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, 2).expect("fits"));
    let poor = compare(CompareOp::Lt, fact(0, Ty::Number), digits(5, 0));
    let few = compare(CompareOp::Lt, fact(1, Ty::Number), digits(5, 0));
    let program = Program::compile(&schema, &[poor, few]).expect("it compiles");
    let counts = |values: Vec<u64>| Arc::new(UInt64Array::from(values));
    let batch_of = |amounts: Vec<Option<i128>>, numbers: Vec<u64>| batch(vec![("money", money(amounts)), ("count", counts(numbers))]);
    let mut scratch = Scratch::new();
    assert!(program.evaluate(&batch_of(vec![Some(499), None], vec![4, 5]), &mut scratch).is_ok());
    assert_eq!(
        program.evaluate(&batch_of(vec![Some(1), Some(wide)], vec![1, 1]), &mut scratch),
        Err(EvalError::Overflow { root: 0, row: 1 })
    );
    assert_eq!(
        program.evaluate(&batch_of(vec![None, None], vec![u64::MAX, 1]), &mut scratch),
        Err(EvalError::Overflow { root: 1, row: 0 })
    );
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let schema = schema(&[("age", Ty::Number, 0)]);
    let program = Program::compile(&schema, &[compare(CompareOp::Lt, fact(0, Ty::Number), digits(5, 0))]).expect("it compiles");
    let other = batch(vec![("name", Arc::new(StringArray::from(vec!["a"])))]);
    assert_eq!(program.evaluate(&other, &mut Scratch::new()), Err(EvalError::MissingColumn { name: "age".into() }));
    let text = batch(vec![("age", Arc::new(StringArray::from(vec!["a"])))]);
    assert_eq!(program.evaluate(&text, &mut Scratch::new()), Err(EvalError::ColumnType { name: "age".into(), found: "Utf8".into() }));
}

#[test]
fn open_and_wrongly_typed_expressions_are_refused() {
    let schema = schema(&[("age", Ty::Number, 0)]);
    let compile = |expr: Expr| Program::compile(&schema, &[Expr::boolean(true), expr]).map(|_| ());
    assert_eq!(compile(Expr::new(Kind::Entitled("X".into()), Ty::Bool)), Err(CompileError::NotBound { root: 1 }));
    assert_eq!(compile(compare(CompareOp::Eq, fact(7, Ty::Number), digits(1, 0))), Err(CompileError::NoSuchFact { root: 1, fact: 7 }));
    assert!(matches!(compile(fact(0, Ty::Bool)), Err(CompileError::Type { root: 1, .. })));
    assert!(matches!(compile(digits(1, 0)), Err(CompileError::Type { root: 1, .. })));
    assert_eq!(compile(compare(CompareOp::Eq, digits(1, 30), digits(1, 0))), Err(CompileError::TooLarge { root: 1 }));
}

#[test]
fn missing_facts_follow_the_structure() {
    let unknown = |_: usize| None;
    let a = || fact(0, Ty::Bool);
    let b = || fact(1, Ty::Bool);
    let c = || compare(CompareOp::Gt, arith(ArithOp::Add, fact(2, Ty::Number), fact(3, Ty::Number)), digits(5, 0));
    let and = |items: Vec<Expr>| Expr::new(Kind::And(items), Ty::Bool);
    let or = |items: Vec<Expr>| Expr::new(Kind::Or(items), Ty::Bool);
    assert_eq!(interpreter::missing(&and(vec![a(), or(vec![b(), c()])]), &unknown), vec![vec![0, 1], vec![0, 2, 3]]);
    assert_eq!(interpreter::missing(&or(vec![a(), and(vec![a(), b()])]), &unknown), vec![vec![0]]);
    assert_eq!(
        interpreter::missing(&Expr::new(Kind::AtLeast(2, vec![a(), b(), c()]), Ty::Bool), &unknown),
        vec![vec![0, 1], vec![0, 2, 3], vec![1, 2, 3]]
    );
    assert_eq!(interpreter::missing(&Expr::new(Kind::Not(Box::new(and(vec![a(), b()]))), Ty::Bool), &unknown), vec![vec![0], vec![1]]);
    let case = Expr::new(Kind::Case { branches: vec![(a(), b())], otherwise: Some(Box::new(Expr::boolean(false))) }, Ty::Bool);
    assert_eq!(interpreter::missing(&case, &unknown), vec![vec![0, 1]]);
    let b_is_no = |fact: usize| (fact == 1).then_some(Value::Bool(false));
    assert_eq!(interpreter::missing(&and(vec![a(), b()]), &b_is_no), Vec::<Vec<usize>>::new());
    assert_eq!(interpreter::missing(&or(vec![a(), b()]), &b_is_no), vec![vec![0]]);
    let never = and(vec![a(), Expr::new(Kind::Unknown, Ty::Bool)]);
    assert_eq!(interpreter::missing(&never, &unknown), Vec::<Vec<usize>>::new());
}

#[test]
fn amounts_are_exact_until_they_are_rounded() {
    let schema = schema(&[("base", Ty::Number, 2)]);
    let money = Decimal128Array::from(vec![Some(100_000), None]).with_precision_and_scale(18, 2).expect("fits");
    let batch = batch(vec![("base", Arc::new(money))]);
    let third = arith(ArithOp::Div, arith(ArithOp::Mul, fact(0, Ty::Number), digits(2, 0)), digits(3, 0));
    let program = ValueProgram::compile(&schema, &[third]).expect("it compiles");
    let values = program.evaluate(&batch, &mut Scratch::new()).expect("it evaluates");
    assert_eq!(values[0].number(0), Rational::new(2000, 3));
    assert_eq!(values[0].number(0).and_then(|value| super::round_half_up(&value, 2)), Some(66_667));
    assert_eq!(values[0].number(1), None);
}

#[test]
fn traces_carry_the_value_of_every_part() {
    let expr = Expr::new(Kind::And(vec![fact(0, Ty::Bool), compare(CompareOp::Lt, fact(1, Ty::Number), digits(5, 0))]), Ty::Bool);
    let trace = interpreter::trace(&expr, &|fact| (fact == 1).then_some(Value::Number(Number::whole(3))));
    assert_eq!(trace.answer, None);
    assert_eq!(trace.parts[0].answer, None);
    assert_eq!(trace.parts[1].answer, Some(Answer::Bool(true)));
    assert_eq!(trace.parts[1].parts[0].answer, Some(Answer::Number(Rational::whole(3))));
}

#[test]
fn memory_that_is_given_back_is_used_again() {
    let schema = schema(&[("x", Ty::Number, 0)]);
    let program = Program::compile(&schema, &[compare(CompareOp::Gt, fact(0, Ty::Number), digits(1, 0))]).expect("it compiles");
    let mut scratch = Scratch::new();
    for rows in [130_i64, 3, 70] {
        let batch = batch(vec![("x", Arc::new(Int64Array::from_iter_values(0..rows)))]);
        let verdicts = program.evaluate(&batch, &mut scratch).expect("it evaluates");
        assert_eq!(verdicts.count_yes(0), usize::try_from(rows).expect("positive") - 2);
        scratch.recycle(verdicts);
    }
    // another program with the same buffers
    let other =
        Program::compile(&schema, &[compare(CompareOp::Lt, fact(0, Ty::Number), digits(1, 0)), Expr::boolean(true)]).expect("it compiles");
    let batch = batch(vec![("x", Arc::new(Int64Array::from_iter_values(0..70)))]);
    let verdicts = other.evaluate(&batch, &mut scratch).expect("it evaluates");
    assert_eq!((verdicts.count_yes(0), verdicts.count_yes(1)), (1, 70));
}
