//! Random schemas, typed expressions and batches; included by path, so that unit and integration tests share it.
//!
//! Whoever includes it has `ir` in scope: the checked form of conditions.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, NullArray, StringArray, StringViewArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int8Type, Int32Type, Int64Type, Schema as ArrowSchema, UInt64Type};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::ir::{ArithOp, Column, CompareOp, Expr, Function, Kind, Number, Schema, Ty, Value};

/// Texts of the columns and of the literals.
const TEXTS: [&str; 8] = ["", "a", "ab", "abc", "样例", "样例市", "it's", "%"];

/// Patterns; what they match is among the texts.
const PATTERNS: [&str; 8] = ["", "%", "a%", "_", "__%", "样例_", "%b%", "it's"];

/// 28 and 29 February, ends of months and years, and days about them.
const DAYS: [i32; 12] = [0, -1, 11_016, 19_781, 19_782, 19_783, 20_146, 20_147, 20_453, 20_454, 20_484, 2_932_896];

/// Numbers of rows at which words and blocks begin and end.
pub(crate) const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 1000, 2048, 4113];

/// A schema with one to three facts of each type.
pub(crate) fn schema() -> impl Strategy<Value = Schema> {
    let columns = [Ty::Bool, Ty::Number, Ty::Date, Ty::Text].map(|ty| (Just(ty), vec(select(vec![0_u8, 0, 2, 2, 4]), 1..=3)));
    columns.prop_map(|columns| {
        let mut schema = Schema::default();
        for (ty, scales) in columns {
            for (index, scale) in scales.into_iter().enumerate() {
                let scale = if ty == Ty::Number { scale } else { 0 };
                schema.columns.push(Column { name: format!("{ty:?} {index}").to_lowercase().into(), ty, scale });
            }
        }
        schema
    })
}

/// A bound expression of a type over a schema; `depth` bounds its height.
pub(crate) fn expression(schema: &Schema, ty: Ty, depth: u32) -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![4 => fact(schema, ty), 3 => literal(ty), 1 => Just(Expr::new(Kind::Unknown, ty))];
    if depth == 0 {
        return leaf.boxed();
    }
    let same = expression(schema, ty, depth - 1);
    let boolean = expression(schema, Ty::Bool, depth - 1);
    let number = expression(schema, Ty::Number, depth - 1);
    let date = expression(schema, Ty::Date, depth - 1);
    let text = expression(schema, Ty::Text, depth - 1);
    let branches = vec((boolean.clone(), same.clone()), 1..3);
    let case = (branches, proptest::option::of(same.clone()))
        .prop_map(move |(branches, otherwise)| Expr::new(Kind::Case { branches, otherwise: otherwise.map(Box::new) }, ty));
    let coalesce = call(Function::Coalesce, ty, vec(same, 1..4).boxed());
    let own = match ty {
        Ty::Bool => booleans(boolean, number, date, text),
        Ty::Number => numbers(number, date, text),
        Ty::Date => dates(number, date),
        Ty::Text => leaf.clone().boxed(),
    };
    prop_oneof![2 => leaf, 8 => own, 1 => case, 1 => coalesce].boxed()
}

fn booleans(
    boolean: BoxedStrategy<Expr>,
    number: BoxedStrategy<Expr>,
    date: BoxedStrategy<Expr>,
    text: BoxedStrategy<Expr>,
) -> BoxedStrategy<Expr> {
    let order = select(vec![CompareOp::Eq, CompareOp::NotEq, CompareOp::Lt, CompareOp::LtEq, CompareOp::Gt, CompareOp::GtEq]);
    let equality = select(vec![CompareOp::Eq, CompareOp::NotEq]);
    let compare = |op: BoxedStrategy<CompareOp>, of: &BoxedStrategy<Expr>| {
        (op, of.clone(), of.clone()).prop_map(|(op, left, right)| yes_or_no(Kind::Compare(op, Box::new(left), Box::new(right))))
    };
    let any = prop_oneof![boolean.clone(), number.clone(), date.clone(), text.clone()];
    prop_oneof![
        2 => vec(boolean.clone(), 0..4).prop_map(|items| yes_or_no(Kind::And(items))),
        2 => vec(boolean.clone(), 0..4).prop_map(|items| yes_or_no(Kind::Or(items))),
        1 => boolean.clone().prop_map(|inner| yes_or_no(Kind::Not(Box::new(inner)))),
        1 => (0_usize..5, vec(boolean.clone(), 0..5)).prop_map(|(count, items)| yes_or_no(Kind::AtLeast(count, items))),
        1 => compare(equality.clone().boxed(), &boolean),
        4 => compare(order.clone().boxed(), &number),
        2 => compare(order.boxed(), &date),
        1 => compare(equality.boxed(), &text),
        1 => any.prop_map(|inner| yes_or_no(Kind::IsKnown(Box::new(inner)))),
        1 => (text.clone(), proptest::sample::subsequence(sorted_texts(), 0..4))
            .prop_map(|(value, set)| yes_or_no(Kind::TextIn { value: Box::new(value), set: set.into() })),
        1 => (text, select(&PATTERNS[..])).prop_map(|(value, pattern)| yes_or_no(Kind::Like { value: Box::new(value), pattern: pattern.into() })),
    ]
    .boxed()
}

fn numbers(number: BoxedStrategy<Expr>, date: BoxedStrategy<Expr>, text: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let op = select(vec![ArithOp::Add, ArithOp::Sub, ArithOp::Mul, ArithOp::Div, ArithOp::Div]);
    let between = select(vec![Function::AgeAt, Function::MonthsBetween, Function::WholeMonthsBetween, Function::DaysBetween]);
    let part = select(vec![Function::Year, Function::Month]);
    let single = select(vec![Function::Abs, Function::Floor, Function::Ceil, Function::Round]);
    let extreme = select(vec![Function::Min, Function::Max]);
    let entries = proptest::sample::subsequence(sorted_texts(), 0..4).prop_flat_map(|keys| {
        let count = keys.len();
        (Just(keys), vec(small_number(), count))
    });
    prop_oneof![
        6 => (op, number.clone(), number.clone()).prop_map(|(op, left, right)| Expr::new(Kind::Arith(op, Box::new(left), Box::new(right)), Ty::Number)),
        1 => number.clone().prop_map(|inner| Expr::new(Kind::Negate(Box::new(inner)), Ty::Number)),
        3 => (between, vec(date.clone(), 2)).prop_map(|(function, items)| Expr::new(Kind::Call(function, items), Ty::Number)),
        1 => (part, date.clone()).prop_map(|(function, item)| Expr::new(Kind::Call(function, vec![item]), Ty::Number)),
        1 => call(Function::MonthsOverlap, Ty::Number, vec(date, 4).boxed()),
        2 => (single, number.clone()).prop_map(|(function, item)| Expr::new(Kind::Call(function, vec![item]), Ty::Number)),
        1 => (extreme, vec(number, 1..4)).prop_map(|(function, items)| Expr::new(Kind::Call(function, items), Ty::Number)),
        1 => (text, entries).prop_map(|(value, (keys, numbers))| {
            let map: Vec<(Arc<str>, Number)> = keys.into_iter().zip(numbers).collect();
            Expr::new(Kind::TextMap { value: Box::new(value), map: map.into() }, Ty::Number)
        }),
    ]
    .boxed()
}

fn dates(number: BoxedStrategy<Expr>, date: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let adding = select(vec![Function::AddYears, Function::AddMonths, Function::AddDays]);
    let moving = select(vec![Function::MonthStart, Function::MonthEnd, Function::YearStart, Function::YearEnd]);
    let extreme = select(vec![Function::Min, Function::Max]);
    prop_oneof![
        (adding, date.clone(), number).prop_map(|(function, day, steps)| Expr::new(Kind::Call(function, vec![day, steps]), Ty::Date)),
        (moving, date.clone()).prop_map(|(function, day)| Expr::new(Kind::Call(function, vec![day]), Ty::Date)),
        (extreme, vec(date, 1..4)).prop_map(|(function, items)| Expr::new(Kind::Call(function, items), Ty::Date)),
    ]
    .boxed()
}

fn call(function: Function, ty: Ty, arguments: BoxedStrategy<Vec<Expr>>) -> BoxedStrategy<Expr> {
    arguments.prop_map(move |arguments| Expr::new(Kind::Call(function, arguments), ty)).boxed()
}

fn yes_or_no(kind: Kind) -> Expr {
    Expr::new(kind, Ty::Bool)
}

fn fact(schema: &Schema, ty: Ty) -> BoxedStrategy<Expr> {
    let facts: Vec<usize> = (0..schema.columns.len()).filter(|&fact| schema.columns[fact].ty == ty).collect();
    select(facts).prop_map(move |fact| Expr::new(Kind::Fact(fact), ty)).boxed()
}

fn literal(ty: Ty) -> BoxedStrategy<Expr> {
    let value = match ty {
        Ty::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Ty::Number => small_number().prop_map(Value::Number).boxed(),
        Ty::Date => prop_oneof![select(&DAYS[..]), 10_000..21_000_i32].prop_map(Value::Date).boxed(),
        Ty::Text => select(&TEXTS[..]).prop_map(|text| Value::Text(text.into())).boxed(),
    };
    value.prop_map(move |value| Expr::new(Kind::Literal(value), ty)).boxed()
}

fn small_number() -> BoxedStrategy<Number> {
    let small = (-30_i64..40, select(vec![0_u8, 0, 0, 1, 2, 3])).prop_map(|(digits, scale)| Number { digits, scale });
    let calendar = select(vec![-366_i64, 365, 1999, 2000, 2024, 2026, 10_957]).prop_map(Number::whole);
    prop_oneof![6 => small, 1 => calendar].boxed()
}

fn sorted_texts() -> Vec<Arc<str>> {
    let mut texts: Vec<Arc<str>> = TEXTS.iter().map(|&text| text.into()).collect();
    texts.sort();
    texts
}

/// A batch for a schema: any representation that a fact may have, some, no or only nulls, and a slice of larger arrays.
pub(crate) fn batch(schema: &Schema) -> BoxedStrategy<RecordBatch> {
    let schema = schema.clone();
    (select(&SIZES[..]), select(vec![0_usize, 0, 1, 13, 64, 70]), any::<u64>())
        .prop_map(move |(rows, offset, seed)| random_batch(&schema, rows, offset, seed))
        .boxed()
}

/// The batch of a seed, cut at `offset` out of arrays that are longer.
pub(crate) fn random_batch(schema: &Schema, rows: usize, offset: usize, seed: u64) -> RecordBatch {
    let mut random = Random::new(seed);
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for column in &schema.columns {
        let array = random.column(column, rows + offset + 3);
        fields.push(Field::new(&*column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows + offset + 3));
    let whole = RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options).expect("columns have one length");
    whole.slice(offset, rows)
}

/// The value of a fact in a row of a batch.
pub(crate) fn value_at(schema: &Schema, batch: &RecordBatch, fact: usize, row: usize) -> Option<Value> {
    let array = batch.column_by_name(&schema.columns[fact].name).expect("each fact has a column");
    let array: ArrayRef = match array.data_type() {
        DataType::Dictionary(..) | DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8).expect("texts are texts"),
        DataType::UInt64 => Arc::clone(array),
        integer if integer.is_integer() => cast(array, &DataType::Int64).expect("integers are integers"),
        _ => Arc::clone(array),
    };
    if array.data_type() == &DataType::Null || array.is_null(row) {
        return None;
    }
    let scale = schema.columns[fact].scale;
    let number = |digits: i64| Value::Number(Number { digits, scale });
    Some(match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int64 => number(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => number(i64::try_from(array.as_primitive::<UInt64Type>().value(row)).expect("generated within 64 bits")),
        DataType::Decimal128(..) => {
            number(i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).expect("generated within 64 bits"))
        }
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        other => panic!("no batch has a column of {other}"),
    })
}

/// SplitMix64: enough for test data, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero up to, without, the bound.
    pub(crate) fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).expect("small")
    }

    /// Values of which some, none or all are null.
    fn values<T>(&mut self, rows: usize, value: impl Fn(&mut Self) -> T) -> Vec<Option<T>> {
        let nulls_of_eight = [0, 0, 1, 2, 8][self.below(5)];
        (0..rows).map(|_| (self.below(8) >= nulls_of_eight).then(|| value(self))).collect()
    }

    fn small<T: TryFrom<i64>>(&mut self, least: i64) -> T {
        let value = i64::try_from(self.below(70)).expect("small") + least;
        T::try_from(value).unwrap_or_else(|_| panic!("small values fit"))
    }

    fn column(&mut self, column: &Column, rows: usize) -> ArrayRef {
        if self.below(24) == 0 {
            return Arc::new(NullArray::new(rows));
        }
        match column.ty {
            Ty::Bool => Arc::new(BooleanArray::from(self.values(rows, |random| random.below(2) == 0))),
            Ty::Number if column.scale > 0 => {
                let scale = i8::try_from(column.scale).expect("small");
                let values = self.values(rows, |random| random.small::<i128>(-30) * [1, 1, 100][random.below(3)]);
                Arc::new(Decimal128Array::from(values).with_precision_and_scale(18, scale).expect("within the precision"))
            }
            Ty::Number => self.integers(rows),
            Ty::Date => Arc::new(Date32Array::from(self.values(rows, |random| match random.below(3) {
                0 => DAYS[random.below(DAYS.len() as u64)],
                _ => 10_000 + i32::try_from(random.below(11_000)).expect("small"),
            }))),
            Ty::Text => self.texts(rows),
        }
    }

    fn integers(&mut self, rows: usize) -> ArrayRef {
        match self.below(10) {
            0 => Arc::new(Int8Array::from(self.values(rows, |random| random.small(-30)))),
            1 => Arc::new(Int16Array::from(self.values(rows, |random| random.small(-30)))),
            2 => Arc::new(Int32Array::from(self.values(rows, |random| random.small(-30)))),
            3 => Arc::new(UInt8Array::from(self.values(rows, |random| random.small(0)))),
            4 => Arc::new(UInt16Array::from(self.values(rows, |random| random.small(0)))),
            5 => Arc::new(UInt32Array::from(self.values(rows, |random| random.small(0)))),
            6 => Arc::new(UInt64Array::from(self.values(rows, |random| random.small(0)))),
            7 => {
                let wide = |random: &mut Self| [i64::MAX, i64::MIN, i64::MAX - 1, 1 << 40, 0, -1][random.below(6)];
                Arc::new(Int64Array::from(self.values(rows, wide)))
            }
            _ => Arc::new(Int64Array::from(self.values(rows, |random| random.small(-30)))),
        }
    }

    fn texts(&mut self, rows: usize) -> ArrayRef {
        let values = self.values(rows, |random| TEXTS[random.below(TEXTS.len() as u64)]);
        match self.below(6) {
            0 => Arc::new(StringArray::from(values)),
            1 => Arc::new(LargeStringArray::from(values)),
            2 => Arc::new(StringViewArray::from(values)),
            3 => Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>()),
            4 => Arc::new(values.into_iter().collect::<DictionaryArray<Int8Type>>()),
            _ => self.odd_dictionary(rows),
        }
    }

    /// A dictionary with a text that stands twice, one that no row has, and a null among its values.
    fn odd_dictionary(&mut self, rows: usize) -> ArrayRef {
        let distinct = StringArray::from(vec![Some("ab"), Some("a"), None, Some("ab"), Some("nowhere"), Some("样例")]);
        let keys = self.values(rows, |random| [0_i32, 1, 2, 3, 5][random.below(5)]);
        Arc::new(DictionaryArray::new(Int32Array::from(keys), Arc::new(distinct)))
    }
}
