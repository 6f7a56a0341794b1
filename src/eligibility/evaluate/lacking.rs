//! What unknown rows lack: minimal sets of facts, found once for all rows that hang on the same answers.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use hashbrown::HashMap;

use super::super::compiled::CompiledPolicy;
use super::super::finding::MissingSets;
use super::doubts::{BitList, Doubts, answers_of};
use super::facts::{RowReader, conflict_column, is_conflict, take_facts};
use super::{Context, Part};
use crate::check::ir::{Number, Value};
use crate::dossier::{Cause, DossierError};
use crate::program::interpreter;

/// What one thread knows of the unknown rows of one policy.
pub(super) struct Lacking {
    /// None where the interpreter must be asked row by row: for computed facts that a subject may commit to.
    doubts: Option<Doubts>,
    /// By the answers of a row, the place of its sets in [`Part`].
    known: HashMap<Box<[u64]>, u32>,
    bits: BitList,
}

impl Lacking {
    /// Nothing yet.
    pub(super) fn new(context: &Context<'_>, policy: &CompiledPolicy) -> Self {
        let doubts = policy.committed.is_empty().then(|| Doubts::new(&context.compiled.schema, &policy.open_verdict)).flatten();
        Self { doubts, known: HashMap::new(), bits: BitList::default() }
    }

    /// The sets of some unknown rows of a batch, as places in [`Part`].
    pub(super) fn of(
        &mut self,
        context: &Context<'_>,
        policy: &CompiledPolicy,
        batch: &RecordBatch,
        rows: &[usize],
        part: &mut Part,
    ) -> Result<Vec<u32>, DossierError> {
        let schema = &context.compiled.schema;
        let taken = take_facts(batch, schema, &policy.facts, rows, true)?;
        let mut plain: Option<RowReader> = None;
        let mut ask = |row: usize, part: &mut Part| -> Result<u32, DossierError> {
            let reader = match &mut plain {
                Some(reader) => reader,
                none => none.insert(RowReader::new(schema, &policy.facts, &taken)?),
            };
            Ok(part.missing_of(sets(context, policy, reader, row)))
        };
        let Some((doubts, answers)) = self.doubts.as_mut().and_then(|doubts| doubts.evaluate(&taken).map(|answers| (doubts, answers)))
        else {
            return (0..rows.len()).map(|row| ask(row, part)).collect();
        };
        let conflicts: Vec<&ArrayRef> =
            policy.facts.iter().filter_map(|fact| taken.column_by_name(&conflict_column(&schema.columns[*fact].name))).collect();
        let mut found = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            self.bits.clear();
            answers_of(&answers, row, &mut self.bits);
            for conflict in &conflicts {
                self.bits.push(is_conflict(conflict, row));
            }
            let missing = match self.known.get(self.bits.words()) {
                Some(missing) => *missing,
                None => {
                    let missing = ask(row, part)?;
                    self.known.insert(Box::from(self.bits.words()), missing);
                    missing
                }
            };
            found.push(missing);
        }
        doubts.recycle(answers);
        Ok(found)
    }
}

/// The sets of one row, by the interpreter.
fn sets(context: &Context<'_>, policy: &CompiledPolicy, reader: &RowReader, row: usize) -> MissingSets {
    let value = |fact: usize| match policy.committed.get(&fact) {
        Some(written_out) => interpreter::evaluate(written_out, &|fact| reader.value(fact, row)).ok().flatten().and_then(as_value),
        None => reader.value(fact, row),
    };
    let named = |fact: usize| {
        let cause = if reader.conflicts(fact, row) { Cause::Conflict } else { cause_of(context, fact) };
        (Arc::clone(&context.compiled.schema.columns[fact].name), cause)
    };
    let sets = interpreter::missing(&policy.open_verdict, &value).into_iter().map(|set| {
        let mut named: Vec<(Arc<str>, Cause)> = set.into_iter().map(named).collect();
        named.sort();
        named
    });
    MissingSets { sets: sets.collect() }
}

/// A known answer as the value of a fact; quotients stay unknown to a fact, whose conditions then read its parts.
fn as_value(answer: interpreter::Answer) -> Option<Value> {
    Some(match answer {
        interpreter::Answer::Bool(value) => Value::Bool(value),
        interpreter::Answer::Date(days) => Value::Date(days),
        interpreter::Answer::Text(text) => Value::Text(text),
        interpreter::Answer::Number(number) => {
            let scale = (0..=4_u8).find(|scale| 10_i128.pow(u32::from(*scale)) % number.den() == 0)?;
            let digits = number.num() * (10_i128.pow(u32::from(scale)) / number.den());
            Value::Number(Number { digits: i64::try_from(digits).ok()?, scale })
        }
    })
}

fn cause_of(context: &Context<'_>, fact: usize) -> Cause {
    context.causes.get(fact).copied().unwrap_or(Cause::Missing)
}
