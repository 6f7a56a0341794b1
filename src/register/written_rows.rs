//! Rows that come one by one, not in files: their fields as texts, cast by the very rules of reading a register.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::SchemaRef;

use super::cast::{CastSettings, normalised};
use super::declaration::{ColumnType, RegisterColumn, RegisterDeclaration, arrow_schema};
use super::physical::PhysicalBatch;
use super::quarantine::{Reason, Scope};
use super::row_cast::{CastMemory, RowCast};
use super::sources::RegisterSource;

/// How written rows of a register are read; all columns of it, or those that identify a row.
pub struct WrittenRows {
    cast: RowCast,
    /// The columns that are read, by their place among the declared ones.
    columns: Vec<usize>,
    names: Vec<String>,
    types: Vec<ColumnType>,
    schema: SchemaRef,
}

/// A value that could not be read, or a row that is useless for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFault {
    /// Row, as it was given.
    pub row: usize,
    /// Declared column; empty where the row as a whole is at fault.
    pub column: Arc<str>,
    /// The value as it may be shown.
    pub value: String,
    /// Why.
    pub reason: Reason,
    /// How much is set aside.
    pub scope: Scope,
}

/// Rows that were read.
#[derive(Debug)]
pub struct TypedRows {
    /// The sound ones, with all declared columns; what is not read is null.
    pub batch: RecordBatch,
    /// The row of the batch that each given row is now; none where it was set aside.
    pub places: Vec<Option<usize>>,
    /// By row, then column.
    pub faults: Vec<WrittenFault>,
}

impl WrittenRows {
    /// Rows of a register. Words, formats and names of fields are those of its source, where it has one. `only`: the columns to
    /// read; none: all. `regions`: every region code of whatever time.
    #[must_use]
    pub fn new(
        declaration: &RegisterDeclaration,
        source: Option<&RegisterSource>,
        regions: &Arc<HashSet<String>>,
        only: Option<&[&str]>,
    ) -> Self {
        let columns: Vec<usize> = (0..declaration.columns.len())
            .filter(|index| only.is_none_or(|names| names.contains(&declaration.columns[*index].name.as_str())))
            .collect();
        let read: Vec<&RegisterColumn> = columns.iter().map(|index| &declaration.columns[*index]).collect();
        let settings = Arc::new(CastSettings {
            date_format: source.and_then(|source| source.date_format.clone()),
            true_words: source.map(|source| source.true_words.clone()).unwrap_or_default(),
            false_words: source.map(|source| source.false_words.clone()).unwrap_or_default(),
            null_words: source.map_or_else(|| vec![String::new()], |source| source.null_words.clone()),
            regions: Arc::clone(regions),
            dictionaries: false,
        });
        let name = |column: &&RegisterColumn| {
            let written = source.and_then(|source| source.header.get(&column.name)).unwrap_or(&column.name);
            normalised(written).into_owned()
        };
        Self {
            cast: RowCast::new(declaration, &read, &settings),
            names: read.iter().map(name).collect(),
            types: read.iter().map(|column| column.column_type).collect(),
            schema: arrow_schema(declaration),
            columns,
        }
    }

    /// The names of the fields that are read, as they are written, in the order in which [`Self::read`] takes them.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Their types.
    #[must_use]
    pub fn types(&self) -> &[ColumnType] {
        &self.types
    }

    /// Reads rows.
    #[must_use]
    pub fn read(&self, fields: Vec<StringArray>, rows: usize) -> TypedRows {
        let columns = fields.into_iter().map(|field| Arc::new(field) as ArrayRef).collect();
        let physical = PhysicalBatch { columns, rows, first_row: 0, broken: Vec::new() };
        let cast = self.cast.cast(physical, &mut CastMemory::default()).expect("texts can be read as any type");
        let mut places = vec![None; rows];
        match &cast.kept {
            None => places.iter_mut().enumerate().for_each(|(row, place)| *place = Some(row)),
            Some(kept) => kept.iter().enumerate().for_each(|(place, row)| places[*row] = Some(place)),
        }
        let faults = cast.faults.into_iter().map(|fault| WrittenFault {
            row: fault.row,
            column: self.cast.name(fault.column),
            value: fault.value,
            reason: fault.reason,
            scope: fault.scope,
        });
        TypedRows { places, faults: faults.collect(), batch: self.widened(&cast.batch) }
    }

    /// With the columns that were not read, as nulls.
    fn widened(&self, batch: &RecordBatch) -> RecordBatch {
        let rows = batch.num_rows();
        let columns = self.schema.fields().iter().enumerate().map(|(index, field)| match self.columns.binary_search(&index) {
            Ok(at) => Arc::clone(batch.column(at)),
            Err(_) => new_null_array(field.data_type(), rows),
        });
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).expect("columns are cast to the schema")
    }
}
