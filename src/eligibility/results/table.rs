//! A result table: its schema, and its rows made into batches a stretch at a time, so that no table is held twice.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// Makes the batch of a range of rows.
type MakeBatch<'a> = Box<dyn Fn(Range<usize>) -> Result<RecordBatch, ArrowError> + Send + Sync + 'a>;

/// A table that can be written.
pub struct Table<'a> {
    /// The name of its file, without extension.
    pub name: &'static str,
    /// Its columns.
    pub schema: SchemaRef,
    /// How many rows it has.
    pub n_rows: usize,
    batch: MakeBatch<'a>,
}

impl<'a> Table<'a> {
    /// A table over rows in order; `batch` makes the batch of a range of them.
    pub fn new(
        name: &'static str,
        n_rows: usize,
        schema: SchemaRef,
        batch: impl Fn(Range<usize>) -> Result<RecordBatch, ArrowError> + Send + Sync + 'a,
    ) -> Self {
        Self { name, schema, n_rows, batch: Box::new(batch) }
    }

    /// The batch of a range of rows.
    ///
    /// # Errors
    ///
    /// When the columns do not fit the schema.
    pub fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        (self.batch)(rows)
    }
}
