//! What unknown rows lack, cached and not; columns in narrow types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal64Array, Decimal128Array, DictionaryArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, UInt16Type};
use proptest::prelude::*;

use self::arbitrary::value_at;
use super::about::TextColumn;
use super::doubts::{BitList, Doubts, answers_of};
use super::facts::{RowReader, take_facts};
use crate::check::ir::{self, Column, Expr, Schema, Ty, Value};
use crate::program::interpreter;
use crate::program::tests::arbitrary;

/// So many rows of a batch are asked one by one.
const ASKED: usize = 150;

fn scene() -> impl Strategy<Value = (Schema, Expr, RecordBatch)> {
    arbitrary::schema().prop_flat_map(move |schema| {
        let expr = arbitrary::expression(&schema, Ty::Bool, 4);
        let batch = arbitrary::batch(&schema);
        (Just(schema), expr, batch)
    })
}

fn read_by(expr: &Expr) -> Vec<usize> {
    let mut facts = std::collections::BTreeSet::new();
    expr.for_each_fact(&mut |fact| {
        facts.insert(fact);
    });
    facts.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn rows_with_the_same_answers_lack_the_same_facts((schema, expr, batch) in scene()) {
        let Some(mut doubts) = Doubts::new(&schema, &expr) else { return Ok(()) };
        let Some(answers) = doubts.evaluate(&batch) else { return Ok(()) };
        let rows = batch.num_rows().min(ASKED);
        let facts: HashMap<usize, Vec<Option<Value>>> = read_by(&expr)
            .into_iter()
            .map(|fact| {
                let one = batch.project(&[fact]).expect("a column per fact");
                (fact, (0..rows).map(|row| value_at(&schema, &one, fact, row)).collect())
            })
            .collect();
        let mut known: HashMap<Vec<u64>, Vec<Vec<usize>>> = HashMap::new();
        #[expect(clippy::needless_range_loop, reason = "a row is one of several columns")]
        for row in 0..rows {
            let mut bits = BitList::default();
            answers_of(&answers, row, &mut bits);
            let missing = interpreter::missing(&expr, &|fact| facts[&fact][row].clone());
            let told = known.entry(bits.words().to_vec()).or_insert_with(|| missing.clone());
            prop_assert_eq!(&*told, &missing, "row {}", row);
        }
    }
}

#[test]
fn bits_are_told_apart_beyond_one_word() {
    let bits = |ones: &[usize]| {
        let mut bits = BitList::default();
        (0..130).for_each(|at| bits.push(ones.contains(&at)));
        bits.words().to_vec()
    };
    assert_eq!(bits(&[0, 64, 129]), [1, 1, 2]);
    assert_ne!(bits(&[63]), bits(&[64]));
}

#[test]
fn texts_are_read_plain_and_by_key() {
    let texts = [Some("990101001"), None, Some("990102"), Some("990101001"), Some("")];
    let plain: ArrayRef = Arc::new(StringArray::from_iter(texts));
    let by_int: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>());
    let by_short: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<UInt16Type>>());
    for array in [plain, by_int, by_short] {
        let column = TextColumn::new(&array).unwrap();
        assert_eq!((0..texts.len()).map(|row| column.value(row)).collect::<Vec<_>>(), texts, "{}", array.data_type());
    }
}

#[test]
fn money_is_read_from_wide_and_narrow_decimals() {
    let column = Column { name: "income".into(), ty: Ty::Number, scale: 2 };
    let schema = Schema { columns: vec![column] };
    let digits = [Some(125_i64), None, Some(-3), Some(0)];
    let wide = Decimal128Array::from_iter(digits.map(|digits| digits.map(i128::from))).with_precision_and_scale(18, 2).unwrap();
    let narrow = Decimal64Array::from_iter(digits).with_precision_and_scale(18, 2).unwrap();
    for array in [Arc::new(wide) as ArrayRef, Arc::new(narrow)] {
        let batch = RecordBatch::try_from_iter_with_nullable([("income", array, true)]).unwrap();
        let taken = take_facts(&batch, &schema, &[0], &[3, 1, 0], true).unwrap();
        let reader = RowReader::new(&schema, &[0], &taken).unwrap();
        let value = |digits| Some(Value::Number(ir::Number { digits, scale: 2 }));
        assert_eq!([0, 1, 2].map(|row| reader.value(0, row)), [value(0), None, value(125)]);
        assert!(!reader.conflicts(0, 0));
    }
}
