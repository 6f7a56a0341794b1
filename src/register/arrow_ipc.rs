//! Registers in Arrow IPC files and streams.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::physical::{PhysicalBatch, PhysicalBatches, Wanted, find_columns, projection, unreadable};
use super::sources::DataFile;
use crate::diagnostic::Diagnostic;

/// How a file, not a stream, begins.
const MAGIC: &[u8] = b"ARROW1";

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Opens a file or stream; its columns are found.
pub(super) fn open(register: &str, file: &DataFile, wanted: &[Wanted], batch_rows: usize) -> Result<PhysicalBatches, Box<Diagnostic>> {
    let failed = |error: &dyn std::fmt::Display| unreadable(register, &file.path, error);
    let schema = schema_of(file).map_err(|error| failed(&error))?;
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let places = find_columns(register, file, wanted, &names)?;
    let projected = projection(&places);
    let batches = batches_of(file, projected.clone()).map_err(|error| failed(&error))?;
    let (register, path) = (register.to_owned(), file.path.clone());
    let mut first_row = 1;
    Ok(Box::new(batches.flat_map(move |batch| match batch {
        Err(error) => vec![Err(unreadable(&register, &path, &error))],
        Ok(batch) => {
            // Batches of the file may be of any size.
            let starts = (0..batch.num_rows()).step_by(batch_rows.max(1));
            let slices = starts.map(|start| {
                let slice = batch.slice(start, batch_rows.min(batch.num_rows() - start));
                let rows = PhysicalBatch::of_arrow(&slice, &places, &projected, first_row);
                first_row += slice.num_rows() as u64;
                Ok(rows)
            });
            slices.collect()
        }
    })))
}

fn is_file(file: &mut File) -> Result<bool, ArrowError> {
    let mut start = [0; 6];
    let is_file = file.read_exact(&mut start).is_ok() && start == MAGIC;
    file.rewind()?;
    Ok(is_file)
}

fn schema_of(file: &DataFile) -> Result<SchemaRef, ArrowError> {
    let mut opened = File::open(&file.path)?;
    if is_file(&mut opened)? {
        Ok(FileReader::try_new(BufReader::new(opened), None)?.schema())
    } else {
        Ok(StreamReader::try_new(BufReader::new(opened), None)?.schema())
    }
}

fn batches_of(file: &DataFile, projected: Vec<usize>) -> Result<Batches, ArrowError> {
    let mut opened = File::open(&file.path)?;
    if is_file(&mut opened)? {
        Ok(Box::new(FileReader::try_new(BufReader::new(opened), Some(projected))?))
    } else {
        Ok(Box::new(StreamReader::try_new(BufReader::new(opened), Some(projected))?))
    }
}
