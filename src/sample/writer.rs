//! Writes the registers: row groups are encoded beside one another and put into their files in order.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use chrono::NaiveDate;
use encoding_rs::GBK;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::SampleError;
use super::layout::{LAYOUTS, Register};
use super::table::schema;

/// Rows of a row group at most.
const ROW_GROUP: usize = 131_072;
/// Headers of the register that a small sample delivers as a spreadsheet would.
pub(super) const CSV_HEADERS: &[(&str, &str)] = &[
    ("card_no", "残疾人证号"),
    ("person_id", "身份证号"),
    ("kind", "残疾类别"),
    ("grade", "残疾等级"),
    ("needs_care", "是否需长期照护"),
    ("issued_on", "发证日期"),
    ("expires_on", "有效期至"),
];
/// The register that a small sample delivers as GBK CSV.
pub(super) const CSV_REGISTER: Register = Register::DisabilityCards;

/// One register's rows of one chunk, encoded.
pub(super) enum Encoded {
    /// Row groups of Parquet.
    RowGroups(Vec<Vec<ArrowColumnChunk>>),
    /// Lines of a GBK file.
    Lines(Vec<u8>),
}

enum Target {
    Parquet { writer: Box<SerializedFileWriter<BufWriter<File>>>, path: PathBuf },
    Csv { writer: BufWriter<File>, path: PathBuf },
}

/// How one register's rows become bytes; shared by all chunks.
enum Encoder {
    Parquet(ArrowRowGroupWriterFactory, SchemaRef),
    Csv,
}

/// Turns batches into bytes, from any thread.
pub(super) struct Encoders(Vec<Encoder>);

/// The files of a city in the making.
pub(super) struct Files {
    targets: Vec<Target>,
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> SampleError + '_ {
    |source| SampleError::Io { path: path.to_owned(), source }
}

fn parquet_error(path: &Path) -> impl FnOnce(ParquetError) -> SampleError + '_ {
    |source| SampleError::Parquet { path: path.to_owned(), source }
}

/// Opens a file for every register in `folder`.
pub(super) fn open(folder: &Path, small_sample: bool) -> Result<(Files, Encoders), SampleError> {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("mianshen generate".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let (mut targets, mut encoders) = (Vec::new(), Vec::new());
    for layout in LAYOUTS {
        let csv = small_sample && layout.name == CSV_REGISTER.layout().name;
        let path = folder.join(file_name(layout.name, csv));
        let file = BufWriter::new(File::create(&path).map_err(io_error(&path))?);
        if csv {
            let mut writer = file;
            let names: Vec<&str> = CSV_HEADERS.iter().map(|(_, header)| *header).collect();
            let header = format!("{}\r\n", names.join(","));
            writer.write_all(&GBK.encode(&header).0).map_err(io_error(&path))?;
            targets.push(Target::Csv { writer, path });
            encoders.push(Encoder::Csv);
            continue;
        }
        let schema = schema(layout, false);
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.clone())).map_err(parquet_error(&path))?;
        let (writer, factory) = writer.into_serialized_writer().map_err(parquet_error(&path))?;
        targets.push(Target::Parquet { writer: Box::new(writer), path });
        encoders.push(Encoder::Parquet(factory, schema));
    }
    Ok((Files { targets }, Encoders(encoders)))
}

/// The file of a register.
pub(super) fn file_name(register: &str, csv: bool) -> String {
    format!("{register}.{}", if csv { "csv" } else { "parquet" })
}

impl Encoders {
    /// Encodes one chunk's registers, in the order of [`LAYOUTS`].
    pub(super) fn encode(&self, batches: Vec<RecordBatch>) -> Result<Vec<Encoded>, SampleError> {
        let pairs = self.0.iter().zip(batches).zip(LAYOUTS);
        pairs
            .map(|((encoder, batch), layout)| match encoder {
                Encoder::Csv => csv_lines(&batch).map(Encoded::Lines),
                Encoder::Parquet(factory, schema) => {
                    row_groups(factory, schema, &batch).map(Encoded::RowGroups).map_err(parquet_error(Path::new(layout.name)))
                }
            })
            .collect()
    }
}

fn row_groups(
    factory: &ArrowRowGroupWriterFactory,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<Vec<Vec<ArrowColumnChunk>>, ParquetError> {
    let mut groups = Vec::new();
    for first in (0..batch.num_rows()).step_by(ROW_GROUP) {
        let rows = batch.slice(first, ROW_GROUP.min(batch.num_rows() - first));
        let mut writers = factory.create_column_writers(0)?;
        for ((writer, field), array) in writers.iter_mut().zip(schema.fields()).zip(rows.columns()) {
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
        }
        groups.push(writers.into_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?);
    }
    Ok(groups)
}

fn csv_lines(batch: &RecordBatch) -> Result<Vec<u8>, SampleError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: std::io::Error| SampleError::Io { path: "disability_cards".into(), source: error };
    for row in 0..batch.num_rows() {
        let fields = batch.columns().iter().map(|array| csv_text(array, row));
        writer.write_record(fields).map_err(|error| failed(error.into()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(GBK.encode(&text).0.into_owned())
}

fn csv_text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Boolean if array.as_boolean().value(row) => "是".to_owned(),
        _ => "否".to_owned(),
    }
}

impl Files {
    /// Appends one chunk's registers.
    pub(super) fn append(&mut self, chunk: Vec<Encoded>) -> Result<(), SampleError> {
        for (target, encoded) in self.targets.iter_mut().zip(chunk) {
            match (target, encoded) {
                (Target::Parquet { writer, path }, Encoded::RowGroups(groups)) => {
                    append_groups(writer, groups).map_err(parquet_error(path))?;
                }
                (Target::Csv { writer, path }, Encoded::Lines(lines)) => {
                    writer.write_all(&lines).map_err(io_error(path))?;
                }
                _ => unreachable!("files and encoders are opened together"),
            }
        }
        Ok(())
    }

    /// Ends every file.
    pub(super) fn finish(self) -> Result<(), SampleError> {
        for target in self.targets {
            match target {
                Target::Parquet { mut writer, path } => {
                    writer.finish().map_err(parquet_error(&path))?;
                    writer.inner_mut().flush().map_err(io_error(&path))?;
                }
                Target::Csv { mut writer, path } => writer.flush().map_err(io_error(&path))?,
            }
        }
        Ok(())
    }
}

fn append_groups(writer: &mut SerializedFileWriter<BufWriter<File>>, groups: Vec<Vec<ArrowColumnChunk>>) -> Result<(), ParquetError> {
    for group in groups {
        let mut row_group = writer.next_row_group()?;
        for chunk in group {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
    }
    Ok(())
}

/// Writes `sources.yaml`, which says where each register is.
pub(super) fn write_sources(folder: &Path, data_day: NaiveDate, small_sample: bool) -> Result<(), SampleError> {
    let mut text = String::from("# Where each register is, and the day that its delivery speaks for.\ndata_root: .\nsources:\n");
    let mut names: Vec<&str> = LAYOUTS.iter().map(|layout| layout.name).collect();
    names.sort_unstable();
    for name in names {
        let csv = small_sample && name == CSV_REGISTER.layout().name;
        let file = file_name(name, csv);
        let source = if csv {
            csv_source(name, &file, data_day)
        } else {
            format!("  {name}: {{path: {file}, format: parquet, data_day: {data_day}}}\n")
        };
        text.push_str(&source);
    }
    let path = folder.join("sources.yaml");
    fs::write(&path, text).map_err(io_error(&path))
}

fn csv_source(name: &str, file: &str, data_day: NaiveDate) -> String {
    let header: Vec<String> = CSV_HEADERS.iter().map(|(declared, physical)| format!("{declared}: {physical}")).collect();
    let lines = [
        format!("  {name}:"),
        format!("    path: {file}"),
        "    format: csv".to_owned(),
        "    encoding: gbk".to_owned(),
        format!("    header: {{{}}}", header.join(", ")),
        "    date_format: \"%Y/%m/%d\"".to_owned(),
        "    true_words: [是]".to_owned(),
        "    false_words: [否]".to_owned(),
        "    null_words: [\"\"]".to_owned(),
        format!("    data_day: {data_day}\n"),
    ];
    lines.join("\n")
}
