//! One table into one file, hashed while it is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StringBuilder, cast::AsArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Format;
use super::manifest::ResultFile;
use super::table::Table;
use crate::hex;

/// Rows of a batch, and of a row group; fixed, for bytes depend on it.
const CHUNK: usize = 131_072;

/// Writes a table and brings it to the disk.
pub(super) fn write(path: &Path, format: Format, table: &Table<'_>) -> io::Result<ResultFile> {
    let failure = Arc::new(OnceLock::new());
    let inner = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let file = Hashing { inner, hash: Sha256::new(), n_bytes: 0, failure: Arc::clone(&failure) };
    let written = match format {
        Format::Parquet => write_parquet(file, table).map_err(io::Error::other),
        Format::Csv => write_csv(file, table).map_err(io::Error::other),
        Format::Arrow => write_arrow(file, table).map_err(io::Error::other),
    };
    // Writers wrap the error of the disk, some as mere text.
    let of_disk = |error| failure.get().map_or(error, |&kind| io::Error::from(kind));
    let Hashing { inner, hash, n_bytes, .. } = written.map_err(of_disk)?;
    inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(ResultFile { rows: table.n_rows as u64, bytes: n_bytes, sha256: hex::digits(&hash.finalize()) })
}

/// The stretches of rows that become batches and row groups.
fn stretches(table: &Table<'_>) -> Vec<Range<usize>> {
    (0..table.n_rows).step_by(CHUNK).map(|start| start..(start + CHUNK).min(table.n_rows)).collect()
}

fn batches<'a>(table: &'a Table<'_>) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'a {
    stretches(table).into_iter().map(|rows| table.batch(rows))
}

/// Row groups are encoded side by side, column by column, and written in order: the bytes of a writer that takes one batch
/// after another.
fn write_parquet<W: Write + Send>(file: W, table: &Table<'_>) -> Result<W, ParquetError> {
    let writer = ArrowWriter::try_new(file, Arc::clone(&table.schema), Some(properties()?))?;
    let (mut writer, factory) = writer.into_serialized_writer()?;
    let stretches: Vec<(usize, Range<usize>)> = stretches(table).into_iter().enumerate().collect();
    for window in stretches.chunks(rayon::current_num_threads().max(1)) {
        let groups =
            window.par_iter().map(|(group, rows)| encode(table, &factory, *group, rows)).collect::<Result<Vec<_>, ParquetError>>()?;
        for chunks in groups {
            let mut row_group = writer.next_row_group()?;
            for chunk in chunks {
                chunk.append_to_row_group(&mut row_group)?;
            }
            row_group.close()?;
        }
    }
    writer.into_inner()
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(CHUNK))
        .set_created_by("mianshen".to_owned());
    Ok(properties.build())
}

/// The columns of one row group, encoded and compressed.
fn encode(
    table: &Table<'_>,
    factory: &ArrowRowGroupWriterFactory,
    group: usize,
    rows: &Range<usize>,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    // Every column of a result has one leaf: lists hold texts.
    let writers = factory.create_column_writers(group)?;
    let columns: Vec<(usize, ArrowColumnWriter)> = writers.into_iter().enumerate().collect();
    let encode = |(at, mut writer): (usize, ArrowColumnWriter)| {
        let array = table.column(at, rows.clone());
        for leaf in compute_leaves(table.schema.field(at), &array)? {
            writer.write(&leaf)?;
        }
        writer.close()
    };
    columns.into_par_iter().map(encode).collect()
}

fn write_arrow<W: Write>(file: W, table: &Table<'_>) -> Result<W, ArrowError> {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
    let mut writer = FileWriter::try_new_with_options(file, &table.schema, options)?;
    for batch in batches(table) {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    writer.into_inner()
}

fn write_csv<W: Write>(file: W, table: &Table<'_>) -> Result<W, ArrowError> {
    let schema = Arc::new(flat(&table.schema));
    let mut writer = csv::WriterBuilder::new().with_header(true).build(file);
    if table.n_rows == 0 {
        writer.write(&RecordBatch::new_empty(Arc::clone(&schema)))?;
    }
    for batch in batches(table) {
        let columns = batch?.columns().iter().map(joined).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    Ok(writer.into_inner())
}

/// The schema with lists as text.
pub(super) fn flat(schema: &Schema) -> Schema {
    let flat = |field: &Arc<Field>| match field.data_type() {
        DataType::List(_) => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(flat).collect::<Vec<_>>())
}

/// A list of texts joined by `;`; other columns as they are.
fn joined(array: &ArrayRef) -> ArrayRef {
    let Some(lists) = array.as_any().downcast_ref::<ListArray>() else { return Arc::clone(array) };
    let values = lists.values().as_string::<i32>();
    let mut builder = StringBuilder::with_capacity(lists.len(), lists.len() * 16);
    for offsets in lists.value_offsets().windows(2) {
        let (start, end) = (offset(offsets[0]), offset(offsets[1]));
        for at in start..end {
            if at > start {
                write_str(&mut builder, ";");
            }
            write_str(&mut builder, values.value(at));
        }
        builder.append_value("");
    }
    Arc::new(builder.finish())
}

fn offset(value: i32) -> usize {
    usize::try_from(value).expect("offsets of a list are not negative")
}

fn write_str(builder: &mut StringBuilder, text: &str) {
    std::fmt::Write::write_str(builder, text).expect("writing into memory does not fail");
}

/// A file that counts and hashes what goes through, and remembers what went wrong.
struct Hashing {
    inner: BufWriter<File>,
    hash: Sha256,
    n_bytes: u64,
    failure: Arc<OnceLock<io::ErrorKind>>,
}

impl Hashing {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            let _ = self.failure.set(error.kind());
        }
        result
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        let n_bytes = self.note(written)?;
        self.hash.update(&bytes[..n_bytes]);
        self.n_bytes += n_bytes as u64;
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::results::quarantine_rows;
    use super::super::tables::quarantine;
    use super::*;

    /// The plain way: one batch after another.
    fn one_by_one(table: &Table<'_>) -> Vec<u8> {
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&table.schema), Some(properties().unwrap())).unwrap();
        batches(table).for_each(|batch| writer.write(&batch.unwrap()).unwrap());
        writer.into_inner().unwrap()
    }

    #[test]
    fn row_groups_written_side_by_side_are_the_bytes_of_one_after_another() {
        for n_rows in [0, 1, CHUNK, 2 * CHUNK + 3] {
            let rows = quarantine_rows(n_rows);
            let table = quarantine(&rows);
            assert!(write_parquet(Vec::new(), &table).unwrap() == one_by_one(&table), "{n_rows} rows");
        }
    }
}
