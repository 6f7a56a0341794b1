//! What a run writes: tables in one of three formats, a manifest, all of it or nothing, the same bytes on every run.

pub mod changes;
mod columns;
pub mod manifest;
mod read;
pub mod staging;
mod table;
mod tables;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use rayon::prelude::*;

pub use read::{Previous, PreviousRow, read_grants};
pub use table::Table;
pub use tables::{CHANGES, CONFLICTS, COVERAGE, DATA_REQUESTS, FUNNEL, GIVEN, GRANTS, OFFERS, QUARANTINE, QuarantineRow, UNKNOWNS};

use super::grant::Resolution;
use crate::diagnostic::Diagnostic;
use changes::ChangeRow;
use manifest::ResultFile;
use staging::Staging;

/// The format of result tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Parquet, Zstandard.
    #[default]
    Parquet,
    /// CSV, UTF-8 without a mark, with a header; lists are joined by `;`.
    Csv,
    /// Arrow IPC file, Zstandard.
    Arrow,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Parquet, Self::Csv, Self::Arrow];

    /// The word on the command line, and the extension of files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let format = Self::ALL.into_iter().find(|format| format.name() == text);
        format.ok_or_else(|| format!("`{text}` is none of parquet, csv, arrow"))
    }
}

/// Writes all tables of a run into its staging directory, side by side. `changes` is written when there is a run to compare with.
///
/// # Errors
///
/// `output-failed` for the first file that could not be written.
pub fn write(
    staging: &Staging,
    format: Format,
    as_of: NaiveDate,
    resolution: &Resolution<'_>,
    changes: Option<&[ChangeRow]>,
    quarantine: &[QuarantineRow],
) -> Result<BTreeMap<String, ResultFile>, Diagnostic> {
    let mut all = tables::of(resolution, as_of);
    all.push(tables::quarantine(quarantine));
    all.extend(changes.map(tables::changes));
    all.into_par_iter().map(|table| write_table(staging, format, &table)).collect()
}

/// The tables of a run that are about no single subject, for those who keep them elsewhere than in files.
#[must_use]
pub fn common_tables<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate, quarantine: &'a [QuarantineRow]) -> Vec<Table<'a>> {
    let common = [COVERAGE, FUNNEL, DATA_REQUESTS, CONFLICTS];
    let of_resolution = tables::of(resolution, as_of).into_iter().filter(|table| common.contains(&table.name));
    of_resolution.chain([tables::quarantine(quarantine)]).collect()
}

/// Writes one more table, as `<name>.<format>`.
///
/// # Errors
///
/// `output-failed` when it could not be written.
pub fn write_table(staging: &Staging, format: Format, table: &Table<'_>) -> Result<(String, ResultFile), Diagnostic> {
    let name = format!("{}.{format}", table.name);
    let written = writer::write(&staging.path(&name), format, table).map_err(|error| staging.failed(&name, &error))?;
    Ok((name, written))
}
