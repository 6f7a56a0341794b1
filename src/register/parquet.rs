//! Registers in Parquet files: only the wanted columns are decoded, row groups in parallel.
//!
//! A row group is read, decoded and cast by one task; very large ones are decoded column by column instead, so that no more than a few
//! batches are in memory. Texts, codes and regions that a file keeps as dictionaries stay dictionaries.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use rayon::prelude::*;

use super::declaration::ColumnType;
use super::parquet_bytes::RowGroupBytes;
use super::physical::{PhysicalBatch, PhysicalBatches, Place, Wanted, find_columns, projection, unreadable};
use super::sources::DataFile;
use crate::diagnostic::Diagnostic;

/// Row groups with more rows are not decoded as a whole. Tests have small ones of both kinds.
const LARGE_GROUP: i64 = if cfg!(test) { 5 } else { 1 << 19 };

/// A file whose columns are found.
pub(super) struct ParquetFile {
    register: String,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    places: Vec<Place>,
    projected: Vec<usize>,
    batch_rows: usize,
}

/// The rows of a file.
pub(super) enum ParquetRows {
    /// Row groups, each to be decoded by a task of its own.
    Groups(RowGroups),
    /// Batches in order.
    Batches(PhysicalBatches),
}

/// Opens a file; its footer is read and its columns are found.
pub(super) fn open(register: &str, file: &DataFile, wanted: &[Wanted], batch_rows: usize) -> Result<(ParquetRows, u64), Box<Diagnostic>> {
    let failed = |error: &dyn std::fmt::Display| unreadable(register, &file.path, error);
    let opened = File::open(&file.path).map_err(|error| failed(&error))?;
    let metadata = ArrowReaderMetadata::load(&opened, ArrowReaderOptions::default()).map_err(|error| failed(&error))?;
    let names: Vec<String> = metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
    let places = find_columns(register, file, wanted, &names)?;
    let schema = schema_to_read(&metadata, &places, wanted);
    let options = ArrowReaderOptions::default().with_schema(schema);
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata);
    let groups = metadata.metadata().row_groups();
    let rows = groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum();
    let has_large = groups.iter().any(|group| group.num_rows() > LARGE_GROUP);
    let projected = projection(&places);
    let file = ParquetFile { register: register.to_owned(), path: file.path.clone(), metadata, places, projected, batch_rows };
    let found = if has_large {
        ParquetRows::Batches(Box::new(file.in_columns().map_err(|error| failed(&error))?))
    } else {
        ParquetRows::Groups(RowGroups { file: Arc::new(file), next: 0, first_row: 1 })
    };
    Ok((found, rows))
}

/// The file's schema, with wanted texts as plain strings or dictionaries, whatever the writer had in memory.
fn schema_to_read(metadata: &ArrowReaderMetadata, places: &[Place], wanted: &[Wanted]) -> SchemaRef {
    let schema = metadata.schema();
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let mut readers = places.iter().zip(wanted).filter(|(place, _)| matches!(place, Place::Column(at) if *at == index)).peekable();
        if readers.peek().is_none() || !is_text(field.data_type()) {
            return Arc::clone(field);
        }
        let types: Vec<ColumnType> = readers.map(|(_, wanted)| wanted.column_type).collect();
        let kind = if types.iter().all(|kind| kind.repeats()) && is_dictionary(metadata.metadata(), index) {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        } else {
            DataType::Utf8
        };
        Arc::new(Field::clone(field).with_data_type(kind))
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Whether a column has all its values in dictionaries.
fn is_dictionary(metadata: &ParquetMetaData, root: usize) -> bool {
    let columns = metadata.file_metadata().schema_descr();
    let Some(leaf) = (0..columns.num_columns()).find(|leaf| columns.get_column_root_idx(*leaf) == root) else { return false };
    metadata.row_groups().iter().all(|group| has_only_dictionary(group.column(leaf)))
}

fn has_only_dictionary(column: &ColumnChunkMetaData) -> bool {
    let is_only = |encoding| column.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(encoding));
    is_only(Encoding::RLE_DICTIONARY) || is_only(Encoding::PLAIN_DICTIONARY)
}

impl ParquetFile {
    /// Batches of all row groups in order, each column decoded by a task of its own.
    fn in_columns(self) -> Result<impl Iterator<Item = Result<PhysicalBatch, Box<Diagnostic>>> + Send + use<>, ParquetError> {
        let schema = self.metadata.parquet_schema();
        let columns = if self.projected.is_empty() { vec![Vec::new()] } else { self.projected.iter().map(|root| vec![*root]).collect() };
        let mut readers = columns
            .into_iter()
            .map(|roots| {
                // Every reader has a file of its own: clones of one would share their position.
                ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(&self.path)?, self.metadata.clone())
                    .with_projection(ProjectionMask::roots(schema, roots))
                    .with_batch_size(self.batch_rows)
                    .build()
            })
            .collect::<Result<Vec<_>, ParquetError>>()?;
        let mut first_row = 1;
        Ok(std::iter::from_fn(move || {
            let batches: Vec<Option<Result<RecordBatch, ArrowError>>> =
                readers.par_iter_mut().map(ParquetRecordBatchReader::next).collect();
            let batches = batches.into_iter().collect::<Option<Result<Vec<_>, _>>>()?;
            let batch = batches.map_err(|error| error.to_string()).and_then(|batches| self.together(&batches, first_row));
            if let Ok(batch) = &batch {
                first_row += batch.rows as u64;
            }
            Some(batch.map_err(|error| unreadable(&self.register, &self.path, &error)))
        }))
    }

    /// One batch of columns that were decoded apart.
    fn together(&self, batches: &[RecordBatch], first_row: u64) -> Result<PhysicalBatch, String> {
        let rows = batches.first().map_or(0, RecordBatch::num_rows);
        if batches.iter().any(|batch| batch.num_rows() != rows) {
            return Err("columns of different lengths".to_owned());
        }
        let columns: Vec<ArrayRef> = batches.iter().flat_map(|batch| batch.columns().iter().cloned()).collect();
        Ok(PhysicalBatch::of_columns(&columns, rows, &self.places, &self.projected, first_row))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Box<Diagnostic> {
        unreadable(&self.register, &self.path, error)
    }
}

/// The row groups of a file, in order.
pub(super) struct RowGroups {
    file: Arc<ParquetFile>,
    next: usize,
    first_row: u64,
}

impl Iterator for RowGroups {
    type Item = RowGroup;

    fn next(&mut self) -> Option<RowGroup> {
        let rows = self.file.metadata.metadata().row_groups().get(self.next)?.num_rows();
        let group = RowGroup {
            file: Arc::clone(&self.file),
            index: self.next,
            first_row: self.first_row,
            rows: usize::try_from(rows).unwrap_or(0),
        };
        self.next += 1;
        self.first_row += group.rows as u64;
        Some(group)
    }
}

/// A row group to be decoded.
pub(super) struct RowGroup {
    file: Arc<ParquetFile>,
    index: usize,
    /// Row of the file, from 1, of the first row here.
    first_row: u64,
    /// How many rows it says to have.
    pub(super) rows: usize,
}

impl RowGroup {
    /// Decodes the group, batch by batch; after an error nothing more is to be asked for.
    pub(super) fn batches(self) -> impl Iterator<Item = Result<PhysicalBatch, Box<Diagnostic>>> {
        let (reader, error) = match self.reader() {
            Ok(reader) => (Some(reader), None),
            Err(error) => (None, Some(Err(self.file.failed(&error)))),
        };
        let mut first_row = self.first_row;
        let batches = reader.into_iter().flatten().map(move |batch| {
            let batch = batch.map_err(|error| self.file.failed(&error))?;
            let rows = PhysicalBatch::of_arrow(&batch, &self.file.places, &self.file.projected, first_row);
            first_row += rows.rows as u64;
            Ok(rows)
        });
        error.into_iter().chain(batches)
    }

    fn reader(&self) -> Result<ParquetRecordBatchReader, ParquetError> {
        let file = &self.file;
        let mask = ProjectionMask::roots(file.metadata.parquet_schema(), file.projected.iter().copied());
        let bytes = RowGroupBytes::read(&file.path, file.metadata.metadata(), self.index, &mask)?;
        // Batches of about the same size.
        let n_batches = self.rows.div_ceil(file.batch_rows).max(1);
        ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, file.metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![self.index])
            .with_batch_size(self.rows.div_ceil(n_batches).max(1))
            .build()
    }
}
