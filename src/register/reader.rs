//! The rows of a register as Arrow batches of exactly its declared columns; what cannot be read goes to quarantine.
//!
//! ```text
//! files ── parquet | csv | arrow_ipc ──▶ physical batches ── RowCast (parallel) ──▶ typed rows ── row keys (in order) ──▶ batches
//!                                                                  └──────────── quarantine ───────────┘
//! ```
//!
//! The next window of physical batches is read while the current one is cast; rows keep the order of the files.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::cast::{CastSettings, mask_without, normalised};
use super::declaration::{Absence, ColumnType, RegisterColumn, RegisterDeclaration};
use super::physical::{PhysicalBatch, PhysicalBatches, Wanted};
use super::quarantine::{Quarantine, Quarantined, Scope};
use super::row_cast::{CastRows, RowCast, is_decisive};
use super::row_keys::RowKeys;
use super::sources::{DataFile, RegisterSource, SourceFormat};
use super::{arrow_ipc, csv, parquet};
use crate::diagnostic::{Diagnostic, code};
use crate::region::RegionTree;

/// How a register is read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// The declared columns to give; none: all. Columns that decide whether a row is sound are read in any case.
    pub columns: Option<Vec<String>>,
    /// Rows of a physical batch; a batch given has as many or fewer.
    pub batch_rows: usize,
    /// Entries kept in quarantine; what is beyond is counted only.
    pub quarantine_limit: usize,
    /// Whether texts, codes and regions are given as Dictionary(Int32, Utf8), not as Utf8. Identifiers are Utf8 in any case. The values
    /// of a dictionary may repeat, may be of no row, and are never null.
    pub dictionaries: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { columns: None, batch_rows: 32_768, quarantine_limit: 100_000, dictionaries: false }
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// Where.
    pub path: PathBuf,
    /// Size.
    pub bytes: u64,
    /// Rows, the faulty ones included.
    pub rows: u64,
}

/// What reading found beside the rows; complete when the reader has come to its end.
#[derive(Debug, Clone)]
pub struct ReadOutcome {
    /// The files so far.
    pub files: Vec<FileRead>,
    /// The day that the delivery speaks for.
    pub data_day: NaiveDate,
    /// Rows read, the faulty ones included.
    pub rows_read: u64,
    /// Rows given.
    pub rows_kept: u64,
    /// Identifiers upgraded from 15 digits, in rows that were given.
    pub upgraded_ids: u64,
    /// What was set aside.
    pub quarantine: Quarantine,
}

/// The typed rows of one register, batch by batch.
pub struct RegisterReader {
    register: Arc<str>,
    absence: Absence,
    may_be_empty: bool,
    source: RegisterSource,
    schema: SchemaRef,
    /// Columns of a cast batch that are given.
    output: Vec<usize>,
    cast: RowCast,
    files: Files,
    keys: Option<RowKeys>,
    /// Physical batches to be cast next; none before the first.
    window: Option<Vec<Result<FileBatch, Box<Diagnostic>>>>,
    /// Batches of the window being settled.
    settled: Vec<RecordBatch>,
    /// What ended the reading, to be told after the batches before it.
    failed: Option<Box<Diagnostic>>,
    ended: bool,
    /// Batches of the last window that the iterator has still to give.
    ready: VecDeque<RecordBatch>,
    outcome: ReadOutcome,
}

/// Opens a register: its files are found, the first one is opened, its columns are found.
///
/// # Errors
///
/// `register-missing`, `column-missing`, `file-unreadable`, `wrong-encoding`, `sources-invalid`.
pub fn open(
    declaration: &RegisterDeclaration,
    source: &RegisterSource,
    regions: &RegionTree,
    options: &ReadOptions,
) -> Result<RegisterReader, Box<Diagnostic>> {
    check_header(declaration, source)?;
    let is_given = |column: &RegisterColumn| options.columns.as_ref().is_none_or(|names| names.contains(&column.name));
    let columns: Vec<&RegisterColumn> =
        declaration.columns.iter().filter(|column| is_given(column) || is_decisive(declaration, column)).collect();
    let output: Vec<usize> = (0..columns.len()).filter(|index| is_given(columns[*index])).collect();
    let needs_regions = columns.iter().any(|column| column.column_type == ColumnType::Region);
    let settings = Arc::new(CastSettings {
        date_format: source.date_format.clone(),
        true_words: source.true_words.clone(),
        false_words: source.false_words.clone(),
        null_words: source.null_words.clone(),
        regions: Arc::new(if needs_regions { regions.all_codes().map(str::to_owned).collect() } else { HashSet::new() }),
    });
    let wanted = columns.iter().map(|column| wanted(column, source)).collect();
    let mut files =
        Files { source: source.clone(), paths: source.files()?, wanted, batch_rows: options.batch_rows.max(1), opened: 0, current: None };
    files.open_next()?;
    let unique: Vec<ColumnType> =
        declaration.unique.iter().filter_map(|name| declaration.column(name)).map(|column| column.column_type).collect();
    Ok(RegisterReader {
        register: declaration.name.as_str().into(),
        absence: declaration.absence,
        may_be_empty: declaration.may_be_empty,
        source: source.clone(),
        schema: given_schema(output.iter().map(|index| columns[*index]), options.dictionaries),
        cast: RowCast::new(declaration, &columns, &settings),
        output,
        files,
        keys: (!unique.is_empty()).then(|| RowKeys::new(&unique)),
        window: None,
        settled: Vec::new(),
        failed: None,
        ended: false,
        ready: VecDeque::new(),
        outcome: ReadOutcome {
            files: Vec::new(),
            data_day: source.data_day,
            rows_read: 0,
            rows_kept: 0,
            upgraded_ids: 0,
            quarantine: Quarantine::with_limit(options.quarantine_limit),
        },
    })
}

/// The schema of batches that are given.
fn given_schema<'a>(columns: impl IntoIterator<Item = &'a RegisterColumn>, dictionaries: bool) -> SchemaRef {
    let fields = columns.into_iter().map(|column| {
        let repeats = matches!(column.column_type, ColumnType::Text | ColumnType::Code | ColumnType::Region);
        let kind = column.column_type.arrow_type();
        let kind = if dictionaries && repeats { DataType::Dictionary(Box::new(DataType::Int32), Box::new(kind)) } else { kind };
        Field::new(&column.name, kind, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn wanted(column: &RegisterColumn, source: &RegisterSource) -> Wanted {
    let physical = source.header.get(&column.name).unwrap_or(&column.name);
    Wanted { declared: column.name.clone(), physical: normalised(physical).into_owned(), label: column.label.zh.clone() }
}

/// A header map may name declared columns only.
fn check_header(declaration: &RegisterDeclaration, source: &RegisterSource) -> Result<(), Box<Diagnostic>> {
    let Some(name) = source.header.keys().find(|name| declaration.column(name).is_none()) else { return Ok(()) };
    let register = &declaration.name;
    Err(Box::new(
        source.placed(
            Diagnostic::new(
                &code::SOURCES_INVALID,
                format!("库 {register} 没有声明列“{name}”, 而 header 里写了它"),
                format!("`header` names column `{name}`, which register {register} does not declare"),
            )
            .did_you_mean(name, declaration.columns.iter().map(|column| column.name.as_str())),
        ),
    ))
}

impl RegisterReader {
    /// The schema of the batches: the asked-for columns in declared order.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What was found so far.
    #[must_use]
    pub fn outcome(&self) -> &ReadOutcome {
        &self.outcome
    }

    /// What was found.
    #[must_use]
    pub fn into_outcome(self) -> ReadOutcome {
        self.outcome
    }

    /// The batches of the next window, in the order of rows: as many as there are threads, or more, so that they can be worked on in
    /// parallel. None at the end. Not to be mixed with the iterator, which is built upon it.
    ///
    /// # Errors
    ///
    /// `file-unreadable`, `wrong-encoding`, `register-empty`; nothing comes after an error.
    pub fn next_window(&mut self) -> Option<Result<Vec<RecordBatch>, Box<Diagnostic>>> {
        while self.settled.is_empty() && !self.ended {
            self.advance();
        }
        if self.settled.is_empty() {
            return self.failed.take().map(Err);
        }
        Some(Ok(std::mem::take(&mut self.settled)))
    }

    /// Casts the current window while the next one is read.
    fn advance(&mut self) {
        let size = rayon::current_num_threads().max(1);
        let current = self.window.take().unwrap_or_else(|| self.files.window(size));
        if current.is_empty() {
            self.ended = true;
            self.failed = self.empty();
            return;
        }
        let (cast, files) = (&self.cast, &mut self.files);
        let person_key = self.keys.as_ref().is_some_and(RowKeys::is_person);
        let (results, next) = rayon::join(
            || {
                current
                    .into_par_iter()
                    .map(|batch| {
                        let FileBatch { file, bytes, rows } = batch?;
                        let first_row = rows.first_row;
                        cast.cast(rows, person_key)
                            .map(|rows| (file.clone(), bytes, first_row, rows))
                            .map_err(|fault| cast.wrong_type(&file, &fault))
                    })
                    .collect::<Vec<_>>()
            },
            || files.window(size),
        );
        self.window = Some(next);
        for result in results {
            match result {
                Ok((file, bytes, first_row, rows)) => self.settle(&file, bytes, first_row, rows),
                Err(diagnostic) => {
                    self.failed = Some(diagnostic);
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Sets aside repeated rows, counts, and makes the batch ready. Called in the order of rows.
    fn settle(&mut self, path: &Path, bytes: u64, first_row: u64, mut rows: CastRows) {
        self.count(path, bytes, rows.rows_read);
        let mut repeated = Vec::new();
        if let Some(keys) = &mut self.keys {
            for (index, key) in rows.keys.iter().enumerate() {
                if !keys.insert(*key) {
                    repeated.push(index);
                }
            }
        }
        for index in &repeated {
            rows.faults.push(self.cast.repeated(&rows, *index));
        }
        if !repeated.is_empty() {
            rows.faults.sort_by_key(|fault| (fault.row, fault.column));
            let keep = mask_without(rows.batch.num_rows(), repeated.iter().copied());
            rows.batch = filter_record_batch(&rows.batch, &keep).expect("the mask has the batch's length");
            let dropped: Vec<usize> = repeated.iter().map(|index| rows.kept.as_ref().map_or(*index, |kept| kept[*index])).collect();
            let is_dropped = |row: &usize| dropped.binary_search(row).is_ok();
            rows.upgraded.retain(|row| !is_dropped(row));
            rows.faults.retain(|fault| fault.scope == Scope::Row || !is_dropped(&fault.row));
        }
        let file: Arc<str> = path.to_string_lossy().into();
        for fault in rows.faults {
            self.outcome.quarantine.add(Quarantined {
                register: Arc::clone(&self.register),
                file: Arc::clone(&file),
                row: first_row + fault.row as u64,
                column: self.cast.name(fault.column),
                value: fault.value,
                reason: fault.reason,
                scope: fault.scope,
                subject: fault.subject,
            });
        }
        self.outcome.upgraded_ids += rows.upgraded.len() as u64;
        self.outcome.rows_kept += rows.batch.num_rows() as u64;
        if rows.batch.num_rows() > 0 {
            let columns = self.output.iter().zip(self.schema.fields());
            let columns =
                columns.map(|(index, field)| cast(rows.batch.column(*index), field.data_type()).expect("text goes into a dictionary"));
            let given = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect()).expect("the asked-for columns are there");
            self.settled.push(given);
        }
    }

    fn count(&mut self, path: &Path, bytes: u64, rows: usize) {
        self.outcome.rows_read += rows as u64;
        match self.outcome.files.last_mut().filter(|file| file.path == path) {
            Some(file) => file.rows += rows as u64,
            None => self.outcome.files.push(FileRead { path: path.to_path_buf(), bytes, rows: rows as u64 }),
        }
    }

    /// A complete register without any sound row would say "no" of everybody.
    fn empty(&mut self) -> Option<Box<Diagnostic>> {
        // Files without rows were read too.
        for file in &self.files.paths {
            if !self.outcome.files.iter().any(|read| read.path == file.path) {
                self.outcome.files.push(FileRead { path: file.path.clone(), bytes: size_of(&file.path), rows: 0 });
            }
        }
        self.outcome.files.sort_by(|one, other| one.path.cmp(&other.path));
        if self.outcome.rows_kept > 0 || self.may_be_empty || self.absence == Absence::Partial {
            return None;
        }
        let (register, path, read) = (&self.register, self.source.path.display(), self.outcome.rows_read);
        let diagnostic = if read == 0 {
            Diagnostic::new(
                &code::REGISTER_EMPTY,
                format!("完整的库 {register} 一行也没有: {path}"),
                format!("the complete register {register} has no rows: {path}"),
            )
        } else {
            Diagnostic::new(
                &code::REGISTER_EMPTY,
                format!("完整的库 {register} 的 {read} 行全被隔离: {path}"),
                format!("all {read} rows of the complete register {register} are in quarantine: {path}"),
            )
        };
        Some(Box::new(
            self.source
                .placed(diagnostic)
                .help(
                    format!("没有行就等于说人人都“没有”: 核对 {path} 是否传送完整"),
                    format!("no rows would mean \"no\" for everybody: see whether {path} was delivered whole"),
                )
                .help("确实可以为空时在声明里写 may_be_empty: true", "if it may be empty, declare may_be_empty: true"),
        ))
    }
}

impl Iterator for RegisterReader {
    type Item = Result<RecordBatch, Box<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            match self.next_window()? {
                Ok(batches) => self.ready.extend(batches),
                Err(diagnostic) => return Some(Err(diagnostic)),
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

/// A physical batch with the file that it is of.
struct FileBatch {
    file: PathBuf,
    bytes: u64,
    rows: PhysicalBatch,
}

/// The physical batches of all files of a register, in order.
struct Files {
    source: RegisterSource,
    paths: Vec<DataFile>,
    wanted: Vec<Wanted>,
    batch_rows: usize,
    /// How many of the files have been opened.
    opened: usize,
    current: Option<(PhysicalBatches, PathBuf, u64)>,
}

impl Files {
    /// Opens the next file, if there is one.
    fn open_next(&mut self) -> Result<bool, Box<Diagnostic>> {
        let Some(file) = self.paths.get(self.opened) else { return Ok(false) };
        self.opened += 1;
        let register = &self.source.register;
        let batches = match self.source.format {
            SourceFormat::Parquet => parquet::open(register, file, &self.wanted, self.batch_rows),
            SourceFormat::Csv | SourceFormat::Tsv => csv::open(&self.source, file, &self.wanted, self.batch_rows),
            SourceFormat::Arrow => arrow_ipc::open(register, file, &self.wanted, self.batch_rows),
        }?;
        self.current = Some((batches, file.path.clone(), size_of(&file.path)));
        Ok(true)
    }

    /// Up to `size` batches; fewer only at the end, and nothing after an error.
    fn window(&mut self, size: usize) -> Vec<Result<FileBatch, Box<Diagnostic>>> {
        let mut batches = Vec::with_capacity(size);
        while batches.len() < size {
            let Some((current, path, bytes)) = &mut self.current else { break };
            match current.next() {
                Some(Ok(rows)) => batches.push(Ok(FileBatch { file: path.clone(), bytes: *bytes, rows })),
                Some(Err(diagnostic)) => {
                    self.current = None;
                    batches.push(Err(diagnostic));
                }
                None => {
                    self.current = None;
                    if let Err(diagnostic) = self.open_next() {
                        batches.push(Err(diagnostic));
                    }
                }
            }
        }
        batches
    }
}

fn size_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// SHA-256 of a file's bytes, in hexadecimal.
///
/// # Errors
///
/// When the file cannot be read.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
