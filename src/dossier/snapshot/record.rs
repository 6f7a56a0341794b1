//! What a snapshot holds, as its record says it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::register::quarantine::{Quarantine, Quarantined, Reason, Scope};
use crate::register::{FileRead, ReadOutcome};

/// The whole record.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// What everything in it depends on: the program, the regions.
    pub(super) ground: String,
    /// The subjects, by kind.
    pub(super) bases: BTreeMap<String, BaseRecord>,
    /// What registers gave.
    pub(super) registers: BTreeMap<String, RegisterRecord>,
    /// What links gave, by what it was made of.
    pub(super) linked: BTreeMap<String, LinkedRecord>,
}

/// A delivery of a register as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// How it was read: the declaration, the source, who is known under which identifier.
    pub(super) settings: String,
    /// Its files.
    pub(super) files: Vec<FileRecord>,
    /// The day that it was read for.
    #[serde(with = "written_day")]
    pub(super) as_of: NaiveDate,
    /// Rows that were not seen on that day.
    pub(super) unseen: u64,
}

/// A file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// A file of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Its name among the parts.
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The subjects of a kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BaseRecord {
    pub(super) delivery: Delivery,
    /// How they were listed.
    pub(super) asked: String,
    pub(super) part: Part,
}

/// What one register gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegisterRecord {
    pub(super) delivery: Delivery,
    /// What reading found beside rows.
    pub(super) outcome: Part,
    /// How many rows come under an identifier of before, by the subjects among whom they were counted.
    pub(super) renumbered: BTreeMap<String, u64>,
    /// Columns, rows of links and rows of occasions, by what was asked.
    pub(super) parts: BTreeMap<String, Held>,
}

/// A part that is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) part: Part,
    /// The subjects that it is of, by kind.
    pub(super) among: BTreeMap<String, String>,
    /// How many runs asked the register for other things since somebody asked for it.
    pub(super) idle: u32,
}

/// A fact that links gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LinkedRecord {
    /// Its kind and name.
    pub(super) fact: String,
    pub(super) held: Held,
    /// Where registers disagree about it, if they may.
    pub(super) conflict: Option<Part>,
}

/// What reading found beside rows, in a form that can be written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutcomeRecord {
    files: Vec<FileRecord>,
    #[serde(with = "written_day")]
    data_day: NaiveDate,
    rows_read: u64,
    rows_kept: u64,
    upgraded_ids: u64,
    quarantine_limit: usize,
    counts: Vec<(String, Reason, Scope, u64)>,
    entries: Vec<EntryRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryRecord {
    register: String,
    file: String,
    row: u64,
    column: String,
    value: String,
    reason: Reason,
    scope: Scope,
    subject: Option<String>,
}

/// Days as `2026-06-30`.
mod written_day {
    use chrono::NaiveDate;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The files as they were read; none where one was not hashed.
pub(super) fn files_of(outcome: &ReadOutcome) -> Option<Vec<FileRecord>> {
    let record = |file: &FileRead| {
        let FileRead { path, bytes, rows, sha256 } = file.clone();
        Some(FileRecord { path, bytes, rows, sha256: sha256? })
    };
    outcome.files.iter().map(record).collect()
}

impl OutcomeRecord {
    /// Of what reading found; none where a file was not hashed.
    pub(super) fn of(outcome: &ReadOutcome) -> Option<Self> {
        let ReadOutcome { files: _, data_day, rows_read, rows_kept, upgraded_ids, quarantine } = outcome;
        let count = |((column, reason, scope), count): (&(Arc<str>, Reason, Scope), &u64)| (column.to_string(), *reason, *scope, *count);
        let entry = |entry: &Quarantined| {
            let Quarantined { register, file, row, column, value, reason, scope, subject } = entry;
            EntryRecord {
                register: register.to_string(),
                file: file.to_string(),
                row: *row,
                column: column.to_string(),
                value: value.clone(),
                reason: *reason,
                scope: *scope,
                subject: subject.clone(),
            }
        };
        Some(Self {
            files: files_of(outcome)?,
            data_day: *data_day,
            rows_read: *rows_read,
            rows_kept: *rows_kept,
            upgraded_ids: *upgraded_ids,
            quarantine_limit: quarantine.limit(),
            counts: quarantine.counts.iter().map(count).collect(),
            entries: quarantine.entries.iter().map(entry).collect(),
        })
    }

    /// What reading found.
    pub(super) fn into_outcome(self) -> ReadOutcome {
        let Self { files, data_day, rows_read, rows_kept, upgraded_ids, quarantine_limit, counts, entries } = self;
        let file = |FileRecord { path, bytes, rows, sha256 }| FileRead { path, bytes, rows, sha256: Some(sha256) };
        // Few names, and each stands in many entries.
        let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
        let mut name = |text: String| Arc::clone(names.entry(text).or_insert_with_key(|text| text.as_str().into()));
        let mut quarantine = Quarantine::with_limit(quarantine_limit);
        for (column, reason, scope, count) in counts {
            quarantine.counts.insert((name(column), reason, scope), count);
        }
        quarantine.entries = entries
            .into_iter()
            .map(|EntryRecord { register, file, row, column, value, reason, scope, subject }| {
                let (register, file, column) = (name(register), name(file), name(column));
                Quarantined { register, file, row, column, value, reason, scope, subject }
            })
            .collect();
        ReadOutcome { files: files.into_iter().map(file).collect(), data_day, rows_read, rows_kept, upgraded_ids, quarantine }
    }
}
