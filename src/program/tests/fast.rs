//! The fast ways against the plain ones: counts, counts by group, one dossier, blocks of any size, columns of any type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, Schema as ArrowSchema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use proptest::prelude::*;

use super::arbitrary;
use crate::check::ir::{CompareOp, Expr, Kind, Schema, Ty};
use crate::program::{Count, EvalError, Program, Scratch, Verdicts};

/// Roots as a run has them: a verdict, its steps each with all before it, and every condition alone.
fn policies() -> impl Strategy<Value = (Schema, Vec<Expr>, RecordBatch)> {
    arbitrary::schema().prop_flat_map(|schema| {
        let conditions = prop_oneof![3 => arbitrary::expression(&schema, Ty::Bool, 1), 1 => arbitrary::expression(&schema, Ty::Bool, 3)];
        let roots = proptest::collection::vec(conditions, 0..10).prop_map(|conditions| {
            let all = |items: &[Expr]| Expr::new(Kind::And(items.to_vec()), Ty::Bool);
            let mut roots = vec![Expr::boolean(true), all(&conditions)];
            roots.extend((1..=conditions.len()).map(|end| all(&conditions[..end])));
            roots.push(all(&conditions));
            roots.push(Expr::boolean(false));
            roots.extend(conditions);
            roots
        });
        let batch = arbitrary::batch(&schema);
        (Just(schema), roots, batch)
    })
}

/// The program, and the verdicts of the batch, unless arithmetic overflows.
fn evaluated(schema: &Schema, roots: &[Expr], batch: &RecordBatch) -> Option<(Program, Verdicts)> {
    let program = Program::compile(schema, roots).ok()?;
    let verdicts = match program.evaluate(batch, &mut Scratch::new()) {
        Err(EvalError::Overflow { .. }) => return None,
        verdicts => verdicts.expect("generated batches fit their schema"),
    };
    Some((program, verdicts))
}

fn counted(verdicts: &Verdicts, root: usize, rows: impl Fn(usize) -> bool) -> Count {
    let mut count = Count::default();
    for row in (0..verdicts.rows()).filter(|&row| rows(row)) {
        match verdicts.get(root, row) {
            Some(true) => count.yes += 1,
            None => count.unknown += 1,
            Some(false) => {}
        }
    }
    count
}

/// The same values in columns of other types.
fn in_other_types(batch: &RecordBatch, turn: usize) -> RecordBatch {
    let other = |array: &ArrayRef| -> ArrayRef {
        let wanted = match (array.data_type(), turn % 4) {
            (DataType::Decimal128(_, scale), 0) => DataType::Decimal32(9, *scale),
            (DataType::Decimal128(_, scale), _) => DataType::Decimal64(18, *scale),
            (DataType::Utf8, 0) => DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8)),
            (DataType::Utf8, 1) => DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::LargeUtf8)),
            (DataType::Utf8 | DataType::LargeUtf8, 2) => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8View)),
            (DataType::LargeUtf8, _) => DataType::Dictionary(Box::new(DataType::Int64), Box::new(DataType::Utf8)),
            (DataType::Dictionary(..), _) => DataType::LargeUtf8,
            _ => return Arc::clone(array),
        };
        cast(array, &wanted).expect("small values fit any of these types")
    };
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(other).collect();
    let fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .zip(&arrays)
        .map(|(field, array)| Field::new(field.name(), array.data_type().clone(), true))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options).expect("columns of one length")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_what_verdicts_count((schema, roots, batch) in policies(), groups in 1_u32..40, seed in any::<u64>(), runs in 1_usize..600) {
        let Some((program, verdicts)) = evaluated(&schema, &roots, &batch) else { return Ok(()) };
        let mut scratch = Scratch::new();
        let mut counts = vec![Count { yes: 5, unknown: 7 }; roots.len()];
        program.count(&batch, &mut scratch, &mut counts).expect("what is evaluated is counted");
        for (root, count) in counts.iter().enumerate() {
            let expected = counted(&verdicts, root, |_| true);
            prop_assert_eq!(*count, Count { yes: expected.yes + 5, unknown: expected.unknown + 7 }, "root {}\n{}", root, program.print());
        }
        let mut random = arbitrary::Random::new(seed);
        let in_order: Vec<u32> = (0..=batch.num_rows() / runs).map(|_| u32::try_from(random.below(u64::from(groups) + 1)).expect("small")).collect();
        let of_rows: Vec<u32> = (0..batch.num_rows()).map(|row| in_order[row / runs]).collect();
        let mut counts = vec![Count::default(); roots.len() * groups as usize];
        program.count_groups(&batch, &of_rows, &mut scratch, &mut counts).expect("what is evaluated is counted");
        for (group, counts) in (0..groups).zip(counts.chunks(roots.len())) {
            for (root, count) in counts.iter().enumerate() {
                prop_assert_eq!(*count, counted(&verdicts, root, |row| of_rows[row] == group), "root {} group {}", root, group);
            }
        }
    }

    #[test]
    fn one_dossier_is_judged_as_all_are((schema, roots, batch) in policies(), first in 0_usize..4000) {
        let Some((program, verdicts)) = evaluated(&schema, &roots, &batch) else { return Ok(()) };
        let mut scratch = Scratch::new();
        for row in (first.min(batch.num_rows().saturating_sub(30))..batch.num_rows()).take(30) {
            let judged = program.judge(&batch.slice(row, 1), &mut scratch).expect("what is evaluated is judged");
            let of = |wanted: Option<bool>| -> Vec<u32> {
                (0..).zip(0..roots.len()).filter(|&(_, root)| verdicts.get(root, row) == wanted).map(|(number, _)| number).collect()
            };
            prop_assert_eq!(judged.yes, of(Some(true)), "row {}\n{}", row, program.print());
            prop_assert_eq!(judged.unknown, of(None), "row {}\n{}", row, program.print());
        }
        if batch.num_rows() != 1 {
            let refused = matches!(program.judge(&batch, &mut scratch), Err(EvalError::Malformed { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn verdicts_do_not_depend_on_the_size_of_blocks((schema, roots, batch) in policies(), lines in 1_usize..4) {
        let Some((mut program, verdicts)) = evaluated(&schema, &roots, &batch) else { return Ok(()) };
        program.plan.block_rows = 512 * lines;
        prop_assert_eq!(&program.evaluate(&batch, &mut Scratch::new()).expect("evaluated before"), &verdicts);
        let mut counts = vec![Count::default(); roots.len()];
        program.count(&batch, &mut Scratch::new(), &mut counts).expect("evaluated before");
        for (root, count) in counts.iter().enumerate() {
            prop_assert_eq!(*count, counted(&verdicts, root, |_| true));
        }
    }

    #[test]
    fn verdicts_do_not_depend_on_the_types_of_columns((schema, roots, batch) in policies(), turn in 0_usize..4) {
        let Some((program, verdicts)) = evaluated(&schema, &roots, &batch) else { return Ok(()) };
        let other = in_other_types(&batch, turn);
        let mut scratch = Scratch::new();
        prop_assert_eq!(&program.evaluate(&other, &mut scratch).expect("the same values"), &verdicts);
        prop_assert_eq!(&program.evaluate(&batch, &mut scratch).expect("evaluated before"), &verdicts);
    }
}

/// Batches around the size of a block, compared with their halves.
#[test]
fn batches_around_a_block_are_what_their_parts_are() {
    let mut random = arbitrary::Random::new(11);
    let column = |name: &str, ty: Ty| crate::check::ir::Column { name: name.into(), ty, scale: 0 };
    let schema = Schema { columns: vec![column("a", Ty::Number), column("b", Ty::Text), column("c", Ty::Bool)] };
    let fact = |index: usize, ty: Ty| Expr::new(Kind::Fact(index), ty);
    let small = Expr::new(
        Kind::Compare(
            CompareOp::Lt,
            Box::new(fact(0, Ty::Number)),
            Box::new(Expr::new(Kind::Literal(crate::check::ir::Value::Number(crate::check::ir::Number::whole(3))), Ty::Number)),
        ),
        Ty::Bool,
    );
    let set: Arc<[Arc<str>]> = vec!["a".into(), "ab".into()].into();
    let some = Expr::new(Kind::TextIn { value: Box::new(fact(1, Ty::Text)), set }, Ty::Bool);
    let roots = [
        Expr::new(Kind::And(vec![small.clone(), some.clone()]), Ty::Bool),
        Expr::new(Kind::Or(vec![small, some, fact(2, Ty::Bool)]), Ty::Bool),
    ];
    let mut program = Program::compile(&schema, &roots).expect("it compiles");
    program.plan.block_rows = 2048;
    for rows in [2047, 2048, 2049, 4095, 4096, 4097] {
        let batch = arbitrary::random_batch(&schema, rows, random.below(70), random.below(1 << 40) as u64);
        let mut scratch = Scratch::new();
        let whole = program.evaluate(&batch, &mut scratch).expect("it evaluates");
        let half = rows / 2;
        let parts =
            [0..half, half..rows].map(|part| program.evaluate(&batch.slice(part.start, part.len()), &mut scratch).expect("it evaluates"));
        for root in 0..roots.len() {
            for row in 0..rows {
                let part = if row < half { parts[0].get(root, row) } else { parts[1].get(root, row - half) };
                assert_eq!(whole.get(root, row), part, "root {root} row {row} of {rows}");
            }
        }
    }
}

/// A dictionary much longer than the batch, and texts that all differ, are not looked through as a whole.
#[test]
fn long_dictionaries_and_identifiers() {
    let column = |name: &str| crate::check::ir::Column { name: name.into(), ty: Ty::Text, scale: 0 };
    let schema = Schema { columns: vec![column("id"), column("other")] };
    let fact = |index: usize| Expr::new(Kind::Fact(index), Ty::Text);
    let texts: Vec<String> = (0..5000).map(|number| format!("identifier {number}")).collect();
    let wanted: Arc<[Arc<str>]> = vec![texts[1500].as_str().into(), texts[70].as_str().into()].into();
    let roots = [
        Expr::new(Kind::TextIn { value: Box::new(fact(0)), set: wanted }, Ty::Bool),
        Expr::new(Kind::Like { value: Box::new(fact(0)), pattern: "%7".into() }, Ty::Bool),
        Expr::new(Kind::Compare(CompareOp::Eq, Box::new(fact(0)), Box::new(fact(1))), Ty::Bool),
    ];
    let program = Program::compile(&schema, &roots).expect("it compiles");
    let plain: ArrayRef = Arc::new(StringArray::from(texts.clone()));
    let dictionary: ArrayRef = Arc::new(texts.iter().map(String::as_str).collect::<DictionaryArray<Int32Type>>());
    assert_eq!(dictionary.as_any_dictionary().values().len(), 5000);
    for first in [plain.clone(), dictionary.clone()] {
        let shifted: ArrayRef = Arc::new(StringArray::from((0..5000).map(|row| texts[row - row % 2].clone()).collect::<Vec<_>>()));
        let whole = RecordBatch::try_from_iter([("id", first), ("other", shifted)]).expect("columns of one length");
        for (start, len) in [(0, 5000), (0, 2000), (1480, 40), (60, 20)] {
            let verdicts = program.evaluate(&whole.slice(start, len), &mut Scratch::new()).expect("it evaluates");
            for row in 0..len {
                let number = start + row;
                let expected = [number == 1500 || number == 70, number % 10 == 7, number % 2 == 0];
                for (root, expected) in expected.into_iter().enumerate() {
                    assert_eq!(verdicts.get(root, row), Some(expected), "root {root} row {number}");
                }
            }
        }
    }
}
