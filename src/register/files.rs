//! The files of a register: their rows in order, in portions of which many can be decoded and cast at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parquet::{ParquetRows, RowGroup, RowGroups};
use super::physical::{PhysicalBatch, PhysicalBatches, Wanted};
use super::sources::{DataFile, RegisterSource, SourceFormat};
use super::{arrow_ipc, csv, parquet};
use crate::diagnostic::Diagnostic;

/// About as many bytes has a row of a text file at least.
const ROW_BYTES: u64 = 64;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct OpenedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Some rows of a file.
pub(super) struct Portion {
    pub(super) file: Arc<OpenedFile>,
    pub(super) rows: PortionRows,
}

/// Rows read already, or to be decoded by whoever casts them.
pub(super) enum PortionRows {
    Batch(PhysicalBatch),
    Group(RowGroup),
}

enum Rows {
    Groups(RowGroups),
    Batches(PhysicalBatches),
}

/// The rows of all files of a register, in order.
pub(super) struct Files {
    source: RegisterSource,
    pub(super) paths: Vec<DataFile>,
    wanted: Vec<Wanted>,
    batch_rows: usize,
    /// How many of the files have been opened.
    opened: usize,
    current: Option<(Rows, Arc<OpenedFile>)>,
    /// Rows of the first file, where its format says so.
    first_rows: Option<u64>,
}

impl Files {
    /// Finds the files and opens the first one.
    pub(super) fn open(source: &RegisterSource, wanted: Vec<Wanted>, batch_rows: usize) -> Result<Self, Box<Diagnostic>> {
        let (source, paths) = (source.clone(), source.files()?);
        let mut files = Self { source, paths, wanted, batch_rows: batch_rows.max(1), opened: 0, current: None, first_rows: None };
        files.open_next()?;
        Ok(files)
    }

    /// Where the files are.
    pub(super) fn source(&self) -> &RegisterSource {
        &self.source
    }

    /// About how many rows all files have together.
    pub(super) fn expected_rows(&self) -> u64 {
        let sizes: Vec<u64> = self.paths.iter().map(|file| size_of(&file.path)).collect();
        let total: u64 = sizes.iter().sum();
        match (self.first_rows, sizes.as_slice()) {
            (Some(rows), [] | [_]) => rows,
            (Some(rows), [first, ..]) => u64::try_from(u128::from(rows) * u128::from(total) / u128::from((*first).max(1))).unwrap_or(rows),
            (None, _) => total / ROW_BYTES,
        }
    }

    /// Opens the next file, if there is one.
    fn open_next(&mut self) -> Result<(), Box<Diagnostic>> {
        let Some(file) = self.paths.get(self.opened) else { return Ok(()) };
        self.opened += 1;
        let register = &self.source.register;
        let rows = match self.source.format {
            SourceFormat::Parquet => {
                let (found, rows) = parquet::open(register, file, &self.wanted, self.batch_rows)?;
                if self.opened == 1 {
                    self.first_rows = Some(rows);
                }
                match found {
                    ParquetRows::Groups(groups) => Rows::Groups(groups),
                    ParquetRows::Batches(batches) => Rows::Batches(batches),
                }
            }
            SourceFormat::Csv | SourceFormat::Tsv => Rows::Batches(csv::open(&self.source, file, &self.wanted, self.batch_rows)?),
            SourceFormat::Arrow => Rows::Batches(arrow_ipc::open(register, file, &self.wanted, self.batch_rows)?),
        };
        self.current = Some((rows, Arc::new(OpenedFile { path: file.path.clone(), bytes: size_of(&file.path) })));
        Ok(())
    }

    /// At least `size` portions with a few batches of rows each, as far as there are so many; fewer only at the end, and nothing after
    /// an error. Row groups are not decoded yet.
    pub(super) fn window(&mut self, size: usize) -> Vec<Result<Portion, Box<Diagnostic>>> {
        let mut portions = Vec::with_capacity(size);
        let (mut rows, mut batches) = (0, 0);
        while batches < size && (portions.len() < size || rows < size * self.batch_rows * 2) {
            let Some((current, file)) = &mut self.current else { break };
            let next = match current {
                Rows::Groups(groups) => groups.next().map(|group| {
                    rows += group.rows;
                    Ok(PortionRows::Group(group))
                }),
                Rows::Batches(found) => found.next().map(|batch| {
                    batches += 1;
                    batch.map(PortionRows::Batch)
                }),
            };
            match next {
                Some(Ok(rows)) => portions.push(Ok(Portion { file: Arc::clone(file), rows })),
                Some(Err(diagnostic)) => {
                    self.current = None;
                    portions.push(Err(diagnostic));
                }
                None => {
                    self.current = None;
                    if let Err(diagnostic) = self.open_next() {
                        portions.push(Err(diagnostic));
                    }
                }
            }
        }
        portions
    }
}

/// How many bytes a file has; none where it is not there.
pub(super) fn size_of(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
