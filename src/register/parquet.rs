//! Registers in Parquet files: only the wanted columns are decoded.

use std::fs::File;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::physical::{PhysicalBatch, PhysicalBatches, Wanted, find_columns, projection, unreadable};
use super::sources::DataFile;
use crate::diagnostic::Diagnostic;

/// Opens a file; its footer is read and its columns are found.
pub(super) fn open(register: &str, file: &DataFile, wanted: &[Wanted], batch_rows: usize) -> Result<PhysicalBatches, Box<Diagnostic>> {
    let failed = |error: &dyn std::fmt::Display| unreadable(register, &file.path, error);
    let opened = File::open(&file.path).map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| failed(&error))?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let places = find_columns(register, file, wanted, &names)?;
    let projected = projection(&places);
    let mask = ProjectionMask::roots(builder.parquet_schema(), projected.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(batch_rows).build().map_err(|error| failed(&error))?;
    let (register, path) = (register.to_owned(), file.path.clone());
    let mut first_row = 1;
    Ok(Box::new(reader.map(move |batch| {
        let batch = batch.map_err(|error| unreadable(&register, &path, &error))?;
        let rows = PhysicalBatch::of_arrow(&batch, &places, &projected, first_row);
        first_row += batch.num_rows() as u64;
        Ok(rows)
    })))
}
