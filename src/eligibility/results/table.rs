//! A result table: its schema, and its columns made a stretch of rows at a time, so that no table is held twice.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use rayon::prelude::*;

/// Makes one column of a range of rows.
pub(super) type MakeColumn<'a> = Box<dyn Fn(Range<usize>) -> ArrayRef + Send + Sync + 'a>;

/// A table that can be written.
pub struct Table<'a> {
    /// The name of its file, without extension.
    pub name: &'static str,
    /// Its columns.
    pub schema: SchemaRef,
    /// How many rows it has.
    pub n_rows: usize,
    columns: Vec<MakeColumn<'a>>,
}

impl<'a> Table<'a> {
    /// A table over rows in order; `columns` make the columns of the schema, in its order.
    pub(super) fn new(name: &'static str, n_rows: usize, schema: SchemaRef, columns: Vec<MakeColumn<'a>>) -> Self {
        Self { name, schema, n_rows, columns }
    }

    /// One column of a range of rows.
    #[must_use]
    pub fn column(&self, at: usize, rows: Range<usize>) -> ArrayRef {
        (self.columns[at])(rows)
    }

    /// The batch of a range of rows.
    ///
    /// # Errors
    ///
    /// When the columns do not fit the schema.
    pub fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.par_iter().map(|make| make(rows.clone())).collect();
        RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)
    }
}
