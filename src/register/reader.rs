//! The rows of a register as Arrow batches of exactly its declared columns; what cannot be read goes to quarantine.
//!
//! ```text
//! files ── parquet | csv | arrow_ipc ──▶ portions ── decoded, RowCast (parallel) ──▶ typed rows ── settled in order ──▶ batches
//!                                                                 └──────────── quarantine ────────────┘
//! ```
//!
//! The next window of portions is decoded and cast while the current one is settled; rows keep the order of the files.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::cast::{CastSettings, normalised};
use super::declaration::{Absence, ColumnType, RegisterColumn, RegisterDeclaration, schema_of};
use super::files::{Files, Portion, PortionRows, size_of};
use super::held::Held;
use super::physical::Wanted;
use super::quarantine::Quarantine;
use super::row_cast::{CastMemory, RowCast, is_decisive};
use super::seen_keys::SeenKeys;
use super::settle::{CastWindow, Settling};
use super::sources::{HeldRows, RegisterSource};
use crate::diagnostic::{Diagnostic, code};
use crate::hex;
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
    /// SHA-256 of its bytes, where [`ReadOutcome::hash_files`] was called.
    pub sha256: Option<String>,
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

impl ReadOutcome {
    /// Hashes the files that were read. Best called at once: they then are still in the system's memory, and nobody had time to
    /// put others in their place.
    ///
    /// # Errors
    ///
    /// `file-unreadable`.
    pub fn hash_files(&mut self) -> Result<(), Box<Diagnostic>> {
        for file in &mut self.files {
            let hashed = hash_file(&file.path).map_err(|error| {
                let path = file.path.display();
                Diagnostic::new(&code::FILE_UNREADABLE, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}"))
            })?;
            file.sha256 = Some(hashed);
        }
        Ok(())
    }
}

/// The typed rows of one register, batch by batch.
pub struct RegisterReader {
    schema: SchemaRef,
    rows: Rows,
    /// Batches of the last window that the iterator has still to give.
    ready: VecDeque<RecordBatch>,
}

/// Where rows come from.
enum Rows {
    Files(Box<FileRows>),
    Held(Held),
}

/// Rows of files.
struct FileRows {
    absence: Absence,
    may_be_empty: bool,
    cast: RowCast,
    files: Files,
    settling: Settling,
    /// Rows cast already, to be settled next; none before the first.
    window: Option<CastWindow>,
    /// What ended the reading, to be told after the batches before it.
    failed: Option<Box<Diagnostic>>,
    ended: bool,
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
    if let Some(rows) = &source.held {
        return held(declaration, source, rows, options);
    }
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
        dictionaries: options.dictionaries,
    });
    let wanted = columns.iter().map(|column| wanted(column, source)).collect();
    let files = Files::open(source, wanted, options.batch_rows)?;
    let cast = RowCast::new(declaration, &columns, &settings);
    let schema = schema_of(output.iter().map(|index| columns[*index]), options.dictionaries);
    let rows = FileRows {
        absence: declaration.absence,
        may_be_empty: declaration.may_be_empty,
        settling: Settling {
            register: declaration.name.as_str().into(),
            output,
            keys: cast.has_keys().then(|| SeenKeys::with_room(files.expected_rows())),
            outcome: outcome(source, options),
        },
        cast,
        files,
        window: None,
        failed: None,
        ended: false,
    };
    Ok(RegisterReader { schema, rows: Rows::Files(Box::new(rows)), ready: VecDeque::new() })
}

/// Nothing found yet.
fn outcome(source: &RegisterSource, options: &ReadOptions) -> ReadOutcome {
    ReadOutcome {
        files: Vec::new(),
        data_day: source.data_day,
        rows_read: 0,
        rows_kept: 0,
        upgraded_ids: 0,
        quarantine: Quarantine::with_limit(options.quarantine_limit),
    }
}

/// A reader of rows in memory.
fn held(
    declaration: &RegisterDeclaration,
    source: &RegisterSource,
    rows: &HeldRows,
    options: &ReadOptions,
) -> Result<RegisterReader, Box<Diagnostic>> {
    let is_given = |column: &&RegisterColumn| options.columns.as_ref().is_none_or(|names| names.contains(&column.name));
    let schema = schema_of(declaration.columns.iter().filter(is_given), options.dictionaries);
    let held = Held::new(declaration, rows, &schema, outcome(source, options)).map_err(|error| {
        let name = &declaration.name;
        Box::new(Diagnostic::new(
            &code::INTERNAL,
            format!("库 {name} 在内存里的行不合声明: {error}"),
            format!("rows of register {name} in memory are not as declared: {error}"),
        ))
    })?;
    Ok(RegisterReader { schema, rows: Rows::Held(held), ready: VecDeque::new() })
}

pub(super) fn wanted(column: &RegisterColumn, source: &RegisterSource) -> Wanted {
    let physical = source.header.get(&column.name).unwrap_or(&column.name);
    Wanted {
        declared: column.name.clone(),
        physical: normalised(physical).into_owned(),
        label: column.label.zh.clone(),
        column_type: column.column_type,
    }
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
        match &self.rows {
            Rows::Files(rows) => &rows.settling.outcome,
            Rows::Held(rows) => &rows.outcome,
        }
    }

    /// What was found.
    #[must_use]
    pub fn into_outcome(self) -> ReadOutcome {
        match self.rows {
            Rows::Files(rows) => rows.settling.outcome,
            Rows::Held(rows) => rows.outcome,
        }
    }

    /// The batches of the next window, in the order of rows: as many as there are threads, or more, so that they can be worked on in
    /// parallel. None at the end. Not to be mixed with the iterator, which is built upon it.
    ///
    /// # Errors
    ///
    /// `file-unreadable`, `wrong-encoding`, `register-empty`; nothing comes after an error.
    pub fn next_window(&mut self) -> Option<Result<Vec<RecordBatch>, Box<Diagnostic>>> {
        match &mut self.rows {
            Rows::Files(rows) => rows.next_window(),
            Rows::Held(rows) => rows.next_window().map(Ok),
        }
    }
}

impl FileRows {
    fn next_window(&mut self) -> Option<Result<Vec<RecordBatch>, Box<Diagnostic>>> {
        while !self.ended {
            let batches = self.advance();
            if !batches.is_empty() {
                return Some(Ok(batches));
            }
        }
        self.failed.take().map(Err)
    }

    /// Settles the current window while the next one is decoded and cast.
    fn advance(&mut self) -> Vec<RecordBatch> {
        let (cast, files, settling) = (&self.cast, &mut self.files, &mut self.settling);
        let current = self.window.take().unwrap_or_else(|| next_window(files, cast));
        if current.is_empty() {
            self.ended = true;
            self.failed = self.empty();
            return Vec::new();
        }
        let ((batches, failed), next) = rayon::join(|| settling.settle(current, cast), || next_window(files, cast));
        self.window = Some(next);
        self.ended = failed.is_some();
        self.failed = failed;
        batches
    }

    /// A complete register without any sound row would say "no" of everybody.
    fn empty(&mut self) -> Option<Box<Diagnostic>> {
        // Files without rows were read too.
        for file in &self.files.paths {
            if !self.settling.outcome.files.iter().any(|read| read.path == file.path) {
                self.settling.outcome.files.push(FileRead { path: file.path.clone(), bytes: size_of(&file.path), rows: 0, sha256: None });
            }
        }
        self.settling.outcome.files.sort_by(|one, other| one.path.cmp(&other.path));
        let outcome = &self.settling.outcome;
        if outcome.rows_kept > 0 || self.may_be_empty || self.absence == Absence::Partial {
            return None;
        }
        let source = self.files.source();
        let (register, path, read) = (&self.settling.register, source.path.display(), outcome.rows_read);
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
            source
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

/// Decodes and casts the next portions, each by a task of its own.
fn next_window(files: &mut Files, cast: &RowCast) -> CastWindow {
    let portions = files.window(rayon::current_num_threads().max(1));
    portions.into_par_iter().flat_map_iter(|portion| cast_portion(portion, cast)).collect()
}

/// The cast batches of a portion; an error is the last item.
fn cast_portion(portion: Result<Portion, Box<Diagnostic>>, cast: &RowCast) -> CastWindow {
    let Portion { file, rows } = match portion {
        Ok(portion) => portion,
        Err(diagnostic) => return vec![Err(diagnostic)],
    };
    let mut memory = CastMemory::default();
    let mut cast_one = |rows| {
        let rows = cast.cast(rows, &mut memory).map_err(|fault| cast.wrong_type(&file.path, &fault))?;
        Ok((Arc::clone(&file), rows))
    };
    match rows {
        PortionRows::Batch(rows) => vec![cast_one(rows)],
        PortionRows::Group(group) => {
            let mut window = Vec::new();
            for rows in group.batches() {
                let rows = rows.and_then(&mut cast_one);
                let failed = rows.is_err();
                window.push(rows);
                if failed {
                    break;
                }
            }
            window
        }
    }
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
    Ok(hex::digits(&hasher.finalize()))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
