//! Dossiers at the edges of a condition: facts take the values that it compares them with, those beside, and null.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int64Array, StringArray};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use mianshen::check::ir::{Expr, Kind, Number, Schema, Ty, Value};
use mianshen::program::dates;

use super::arbitrary::Random;

/// A text that no condition knows.
const ELSEWHERE: &str = "elsewhere";

/// For each fact of a schema, the values worth trying.
#[derive(Debug, Clone)]
pub(super) struct Edges {
    schema: Schema,
    as_of: i32,
    values: Vec<BTreeSet<Edge>>,
}

/// A value of a fact: digits at the fact's scale, days, yes as 1, or a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Integer(i64),
    Text(Arc<str>),
}

impl Edges {
    /// The edges of conditions that are bound to a day.
    pub(super) fn of<'e>(schema: &Schema, as_of: i32, conditions: impl IntoIterator<Item = &'e Expr>) -> Self {
        let mut edges = Self { schema: schema.clone(), as_of, values: vec![BTreeSet::new(); schema.columns.len()] };
        conditions.into_iter().for_each(|condition| edges.walk(condition));
        edges
    }

    fn walk(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Compare(..) => {
                let mut constants = Vec::new();
                literals(expr, &mut constants);
                expr.for_each_fact(&mut |fact| constants.iter().for_each(|constant| self.meet(fact, constant)));
            }
            Kind::TextIn { value, set } => value.for_each_fact(&mut |fact| set.iter().for_each(|text| self.text(fact, text))),
            Kind::TextMap { value, map } => value.for_each_fact(&mut |fact| map.iter().for_each(|(text, _)| self.text(fact, text))),
            Kind::Like { value, pattern } => {
                let text = pattern.replace('%', "").replace('_', "x");
                value.for_each_fact(&mut |fact| self.text(fact, &text));
            }
            _ => {}
        }
        expr.children().into_iter().for_each(|child| self.walk(child));
    }

    fn text(&mut self, fact: usize, text: &str) {
        if self.schema.columns[fact].ty == Ty::Text {
            self.values[fact].insert(Edge::Text(text.into()));
        }
    }

    /// A fact stands in one comparison with a constant, if perhaps with arithmetic between.
    fn meet(&mut self, fact: usize, constant: &Value) {
        match (self.schema.columns[fact].ty, constant) {
            (Ty::Number, Value::Number(number)) => self.about(fact, at_scale(*number, self.schema.columns[fact].scale)),
            (Ty::Date, Value::Date(day)) => self.about(fact, i64::from(*day)),
            (Ty::Date, Value::Number(number)) => {
                let steps = at_scale(*number, 0);
                let days =
                    [dates::add_years(self.as_of, -steps), dates::add_months(self.as_of, -steps), dates::add_days(self.as_of, -steps)];
                days.into_iter().flatten().for_each(|day| self.about(fact, i64::from(day)));
            }
            (Ty::Text, Value::Text(text)) => self.text(fact, text),
            _ => {}
        }
    }

    fn about(&mut self, fact: usize, middle: i64) {
        let around = [middle.saturating_sub(1), middle, middle.saturating_add(1)];
        let fits = |value: &i64| self.schema.columns[fact].ty != Ty::Date || i32::try_from(*value).is_ok();
        self.values[fact].extend(around.into_iter().filter(fits).map(Edge::Integer));
    }

    /// What is tried of a fact whatever the conditions.
    fn common(&self, fact: usize) -> Vec<Edge> {
        match self.schema.columns[fact].ty {
            Ty::Bool | Ty::Number => vec![Edge::Integer(0), Edge::Integer(1)],
            Ty::Date => [-20_000, -400, 0, 1].into_iter().map(|days| Edge::Integer(i64::from(self.as_of + days))).collect(),
            Ty::Text => vec![Edge::Text(ELSEWHERE.into())],
        }
    }

    /// Random dossiers with the columns that `facts` names. A third of the rows has no nulls, a third few, a third many.
    pub(super) fn batch(&self, facts: &[usize], rows: usize, seed: u64) -> RecordBatch {
        let mut random = Random::new(seed);
        let nulls: Vec<usize> = (0..rows).map(|_| [0, 2, 16][random.below(3)]).collect();
        let columns = facts.iter().map(|&fact| {
            let mut values: Vec<Edge> = self.values[fact].iter().cloned().collect();
            values.extend(self.common(fact));
            let count = u64::try_from(values.len()).expect("few values");
            let picked = nulls.iter().map(|&nulls| (random.below(32) >= nulls).then(|| values[random.below(count)].clone())).collect();
            (&*self.schema.columns[fact].name, self.array(fact, picked, random.below(2) == 0), true)
        });
        RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).expect("columns have one length")
    }

    fn array(&self, fact: usize, values: Vec<Option<Edge>>, encoded: bool) -> ArrayRef {
        let column = &self.schema.columns[fact];
        if column.ty == Ty::Text {
            let texts = values.iter().map(|value| match value {
                Some(Edge::Text(text)) => Some(&**text),
                _ => None,
            });
            return if encoded {
                Arc::new(texts.collect::<DictionaryArray<Int32Type>>())
            } else {
                Arc::new(texts.collect::<StringArray>())
            };
        }
        let integers = values.into_iter().map(|value| match value {
            Some(Edge::Integer(value)) => Some(value),
            _ => None,
        });
        match (column.ty, column.scale) {
            (Ty::Bool, _) => Arc::new(integers.map(|value| value.map(|value| value == 1)).collect::<BooleanArray>()),
            (Ty::Date, _) => {
                let day = |value: i64| i32::try_from(value).expect("days fit 32 bits");
                Arc::new(integers.map(|value| value.map(day)).collect::<Date32Array>())
            }
            (_, 0) => Arc::new(integers.collect::<Int64Array>()),
            (_, scale) => {
                let digits = integers.map(|value| value.map(i128::from)).collect::<Decimal128Array>();
                Arc::new(digits.with_precision_and_scale(38, i8::try_from(scale).expect("few digits")).expect("within the precision"))
            }
        }
    }
}

/// The constants of an expression, those of tables among them.
fn literals(expr: &Expr, found: &mut Vec<Value>) {
    match &expr.kind {
        Kind::Literal(value) => found.push(value.clone()),
        Kind::TextMap { map, .. } => found.extend(map.iter().map(|(_, number)| Value::Number(*number))),
        _ => {}
    }
    expr.children().into_iter().for_each(|child| literals(child, found));
}

fn at_scale(number: Number, scale: u8) -> i64 {
    let power = |exponent: u8| 10_i64.pow(u32::from(exponent));
    if scale >= number.scale {
        number.digits.saturating_mul(power(scale - number.scale))
    } else {
        number.digits / power(number.scale - scale)
    }
}
