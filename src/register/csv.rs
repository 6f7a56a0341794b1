//! Registers in CSV and TSV files, in the declared encoding.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::physical::{PhysicalBatch, PhysicalBatches, Place, Wanted, find_columns, repeated, unreadable};
use super::quarantine::Reason;
use super::sources::{DataFile, RegisterSource, SourceFormat, TextEncoding};
use super::transcode::{REPLACEMENT, Transcoder, betrayed};
use crate::diagnostic::{Diagnostic, code};

/// After so many rows, a file of which too many cannot be decoded is given up at once.
const EARLY_ROWS: u64 = 10_000;

/// Opens a file; its header is read and its columns are found.
pub(super) fn open(
    source: &RegisterSource,
    file: &DataFile,
    wanted: &[Wanted],
    batch_rows: usize,
) -> Result<PhysicalBatches, Box<Diagnostic>> {
    let register = &source.register;
    let failed = |error: &dyn std::fmt::Display| unreadable(register, &file.path, error);
    let mut reading = CsvRows {
        register: register.clone(),
        path: file.path.clone(),
        encoding: source.encoding,
        reader: ReaderBuilder::new()
            .delimiter(if source.format == SourceFormat::Tsv { b'\t' } else { b',' })
            .flexible(true)
            .has_headers(false)
            .from_reader(Transcoder::new(File::open(&file.path).map_err(|error| failed(&error))?, source.encoding)),
        record: ByteRecord::new(),
        places: Vec::new(),
        fields: 0,
        batch_size: batch_rows,
        n_read: 0,
        malformed: 0,
        first_malformed_line: 0,
        ended: false,
    };
    if let Some(found) = betrayed(&file.path, source.encoding).map_err(|error| failed(&error))? {
        return Err(reading.wrong_encoding(1, Some(found)));
    }
    let names = reading.header()?;
    reading.fields = names.len();
    reading.places = find_columns(register, file, wanted, &names)?;
    Ok(Box::new(reading))
}

struct CsvRows {
    register: String,
    path: PathBuf,
    encoding: TextEncoding,
    reader: Reader<Transcoder>,
    record: ByteRecord,
    places: Vec<Place>,
    /// Columns of the header.
    fields: usize,
    batch_size: usize,
    n_read: u64,
    /// Rows that could not be decoded.
    malformed: u64,
    first_malformed_line: u64,
    ended: bool,
}

impl CsvRows {
    fn header(&mut self) -> Result<Vec<String>, Box<Diagnostic>> {
        if !self.read_record()? {
            return Err(unreadable(&self.register, &self.path, &"no header"));
        }
        if is_malformed(&self.record) {
            return Err(self.wrong_encoding(1, None));
        }
        Ok(self.record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn read_record(&mut self) -> Result<bool, Box<Diagnostic>> {
        self.reader.read_byte_record(&mut self.record).map_err(|error| unreadable(&self.register, &self.path, &error))
    }

    fn batch(&mut self) -> Result<Option<PhysicalBatch>, Box<Diagnostic>> {
        let mut builders: Vec<StringBuilder> =
            self.places.iter().map(|_| StringBuilder::with_capacity(self.batch_size, self.batch_size * 8)).collect();
        let mut broken = Vec::new();
        let first_row = self.n_read + 1;
        let mut rows = 0;
        while rows < self.batch_size {
            if !self.read_record()? {
                self.ended = true;
                break;
            }
            if let Some((reason, shown)) = self.fault() {
                broken.push((rows, reason, shown));
                builders.iter_mut().for_each(StringBuilder::append_null);
            } else {
                for (builder, place) in builders.iter_mut().zip(&self.places) {
                    let Place::Column(index) = place else { continue };
                    // Decoded text is UTF-8.
                    builder.append_value(std::str::from_utf8(&self.record[*index]).unwrap_or_default());
                }
            }
            rows += 1;
            self.n_read += 1;
        }
        self.judge_encoding()?;
        if rows == 0 {
            return Ok(None);
        }
        let columns = builders
            .iter_mut()
            .zip(&self.places)
            .map(|(builder, place)| match place {
                Place::Column(_) => Arc::new(builder.finish()) as ArrayRef,
                Place::Fixed(value) => repeated(value.as_deref(), rows),
            })
            .collect();
        Ok(Some(PhysicalBatch { columns, rows, first_row, broken }))
    }

    /// Why the current record is no row, with what may be shown.
    fn fault(&mut self) -> Option<(Reason, String)> {
        if is_malformed(&self.record) {
            if self.malformed == 0 {
                self.first_malformed_line = self.record.position().map_or(0, csv::Position::line);
            }
            self.malformed += 1;
            return Some((Reason::BadEncoding, String::new()));
        }
        let found = self.record.len();
        (found != self.fields).then(|| (Reason::RaggedRow, format!("{found} ≠ {}", self.fields)))
    }

    /// A few rows that cannot be decoded are set aside; more than one in a hundred means another encoding.
    fn judge_encoding(&self) -> Result<(), Box<Diagnostic>> {
        let judged = self.ended || self.n_read >= EARLY_ROWS;
        if judged && self.malformed > 1 && self.malformed * 100 > self.n_read {
            return Err(self.wrong_encoding(self.first_malformed_line, None));
        }
        Ok(())
    }

    fn wrong_encoding(&self, line: u64, found: Option<&str>) -> Box<Diagnostic> {
        let (register, path, declared) = (&self.register, self.path.display(), self.encoding.name());
        let other = found.unwrap_or(if self.encoding == TextEncoding::Utf8 { "gb18030" } else { "utf-8" });
        Box::new(
            Diagnostic::new(
                &code::WRONG_ENCODING,
                format!("库 {register} 的文件不是 {declared}: {path} 第 {line} 行"),
                format!("the file of register {register} is not {declared}: {path} line {line}"),
            )
            .help(
                format!("sources.yaml 里声明的是 encoding: {declared}; 看来应为 {other}"),
                format!("sources.yaml declares encoding: {declared}; it seems to be {other}"),
            ),
        )
    }
}

impl Iterator for CsvRows {
    type Item = Result<PhysicalBatch, Box<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        if batch.is_err() {
            self.ended = true;
        }
        batch.transpose()
    }
}

fn is_malformed(record: &ByteRecord) -> bool {
    record.as_slice().windows(REPLACEMENT.len()).any(|window| window == REPLACEMENT)
}
