//! Rows in memory, given as those of files are: the columns asked for, texts that repeat as dictionaries where these are asked for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::declaration::RegisterDeclaration;
use super::quarantine::{Quarantined, Reason, Scope};
use super::reader::ReadOutcome;
use super::sources::HeldRows;

/// What is left to give.
pub(super) struct Held {
    batches: Vec<RecordBatch>,
    pub(super) outcome: ReadOutcome,
}

impl Held {
    /// Takes the columns of a schema out of rows in memory. Rows set aside once are told as such again, without their place.
    ///
    /// # Errors
    ///
    /// When a column is not there, or of another type.
    pub(super) fn new(
        declaration: &RegisterDeclaration,
        rows: &HeldRows,
        schema: &SchemaRef,
        mut outcome: ReadOutcome,
    ) -> Result<Self, ArrowError> {
        let given = |batch: &RecordBatch| {
            let columns = schema.fields().iter().map(|field| {
                let at = batch.schema_ref().index_of(field.name())?;
                cast(batch.column(at), field.data_type())
            });
            RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
        };
        let batches: Vec<RecordBatch> = rows.batches.iter().filter(|batch| batch.num_rows() > 0).map(given).collect::<Result<_, _>>()?;
        let sound: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        outcome.rows_read = sound + rows.set_aside.len() as u64;
        outcome.rows_kept = sound;
        for id in &rows.set_aside {
            outcome.quarantine.add(Quarantined {
                register: declaration.name.as_str().into(),
                file: "".into(),
                row: 0,
                column: "".into(),
                value: String::new(),
                reason: Reason::Uncastable,
                scope: Scope::Row,
                subject: Some(id.clone()),
            });
        }
        Ok(Self { batches, outcome })
    }

    /// All of it, once.
    pub(super) fn next_window(&mut self) -> Option<Vec<RecordBatch>> {
        Some(std::mem::take(&mut self.batches)).filter(|batches| !batches.is_empty())
    }
}
