//! One subject against many policies: the workload's policies in each engine's own words, and subjects without nulls.

mod a_tree;
#[cfg(feature = "decision-table")]
mod decision_table;
mod ours;
mod zen_expressions;

use std::error::Error;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use serde_json::Value;

/// A condition of the workload: `[fact, op, value]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The fact.
    pub fact: String,
    /// `=`, `>=`, `<` or `is`.
    pub op: String,
    /// The number, or 1 and 0 for yes and no.
    pub value: i64,
}

/// All of `all`, and one of `any` unless it is empty.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Each must hold.
    pub all: Vec<Condition>,
    /// One must hold.
    pub any: Vec<Condition>,
}

/// Reads the workload's policies.
///
/// # Errors
///
/// When the file is not as `workload.py` writes it.
pub fn conditions(path: &Path) -> Result<Vec<Conditions>, Box<dyn Error>> {
    let read: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let policies = read.as_array().ok_or("a list of policies was expected")?;
    policies.iter().map(|policy| Ok(Conditions { all: list(&policy["and"])?, any: list(&policy["or"])? })).collect()
}

fn list(value: &Value) -> Result<Vec<Condition>, Box<dyn Error>> {
    value.as_array().map_or(&[][..], Vec::as_slice).iter().map(condition).collect()
}

fn condition(atom: &Value) -> Result<Condition, Box<dyn Error>> {
    let number = atom[2].as_i64().or(atom[2].as_bool().map(i64::from));
    match (atom[0].as_str(), atom[1].as_str(), number) {
        (Some(fact), Some(op), Some(value)) => Ok(Condition { fact: fact.to_owned(), op: op.to_owned(), value }),
        _ => Err(format!("no condition: {atom}").into()),
    }
}

/// Facts of one subject, in the order of the file's columns; the kind of a fact is that of its first subject.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its row, in a batch of its own.
    pub row: RecordBatch,
    /// Its facts.
    pub facts: Vec<(String, Fact)>,
}

/// A fact that is known.
#[derive(Debug, Clone, Copy)]
pub enum Fact {
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// So many subjects of which every fact is known, spread evenly over the batches.
///
/// # Errors
///
/// When a column is neither whole numbers nor yes or no.
pub fn subjects(batches: &[RecordBatch], count: usize) -> Result<Vec<Subject>, Box<dyn Error>> {
    let mut complete = Vec::new();
    for batch in batches {
        complete
            .extend((0..batch.num_rows()).filter(|&row| batch.columns().iter().all(|column| column.is_valid(row))).map(|row| (batch, row)));
    }
    let step = (complete.len() / count.max(1)).max(1);
    complete.into_iter().step_by(step).take(count).map(|(batch, row)| subject(batch, row)).collect()
}

fn subject(batch: &RecordBatch, row: usize) -> Result<Subject, Box<dyn Error>> {
    let row = batch.slice(row, 1);
    let facts = row
        .schema()
        .fields()
        .iter()
        .zip(row.columns())
        .map(|(field, column)| {
            let fact = match column.data_type() {
                DataType::Boolean => Fact::Flag(column.as_boolean().value(0)),
                _ => Fact::Number(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().value(0)),
            };
            Ok((field.name().clone(), fact))
        })
        .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok(Subject { row, facts })
}

/// An engine that has compiled all policies.
pub trait Engine {
    /// A subject as the engine takes it.
    type Record;

    /// Makes a record of a subject's facts.
    fn record(&self, subject: &Subject) -> Self::Record;

    /// The numbers of the policies that are a yes, ascending, into an empty list.
    fn judge(&mut self, record: &Self::Record, yes: &mut Vec<u32>);
}

pub use a_tree::Tree;
#[cfg(feature = "decision-table")]
pub use decision_table::Table;
pub use ours::Ours;
pub use zen_expressions::Expressions;
