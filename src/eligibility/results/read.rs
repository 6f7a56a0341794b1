//! Reading the grants of an earlier run back, in any of the formats.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, cast::AsArray};
use arrow::compute::cast;
use arrow::csv;
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

use super::super::finding::Amount;
use super::super::texts::{Word, Words};
use super::columns::AMOUNT;
use super::manifest::MANIFEST;
use super::tables::{GIVEN, GRANTS};
use super::{Format, staging};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::{FILE_UNREADABLE, PATH_MISSING};
use crate::register::declaration::SubjectKind;

/// What an earlier run granted, or found already given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Previous {
    /// In the order of the files: grants with status `granted`, then what was given.
    pub rows: Vec<PreviousRow>,
    /// The subjects of each kind.
    pub subjects: [Words; 3],
    /// Codes of policies, regions, occasions, members.
    pub words: Words,
}

/// One grant of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousRow {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject, in [`Previous::subjects`].
    pub subject: Word,
    /// Code of the policy, in [`Previous::words`].
    pub policy: Word,
    /// What for.
    pub occasion: Option<Word>,
    /// The member of the household.
    pub member: Option<Word>,
    /// Where the subject was counted.
    pub region: Word,
    /// In hundredths.
    pub amount: Amount,
}

impl Previous {
    /// The subject of a row.
    #[must_use]
    pub fn subject_id(&self, row: &PreviousRow) -> &str {
        self.subjects[row.kind as usize].get(row.subject)
    }

    /// The text of an occasion or a member.
    #[must_use]
    pub fn word(&self, word: Option<Word>) -> Option<&str> {
        word.map(|word| self.words.get(word))
    }

    /// Adds the rows of a later part.
    fn append(&mut self, more: &Self) {
        let words = self.words.append(&more.words);
        let subjects: Vec<Vec<Word>> = self.subjects.iter_mut().zip(&more.subjects).map(|(all, more)| all.append(more)).collect();
        let word = |word: Option<Word>| word.map(|word| words[word.index()]);
        self.rows.extend(more.rows.iter().map(|row| PreviousRow {
            subject: subjects[row.kind as usize][row.subject.index()],
            policy: words[row.policy.index()],
            occasion: word(row.occasion),
            member: word(row.member),
            region: words[row.region.index()],
            ..*row
        }));
    }
}

/// Reads what the run in `directory` granted or found given.
///
/// # Errors
///
/// `path-missing` when there is no run; `file-unreadable` when its files cannot be read.
pub fn read_grants(directory: &Path) -> Result<Previous, Diagnostic> {
    staging::recover(directory)?;
    let grants = find(directory, GRANTS).filter(|_| directory.join(MANIFEST).is_file());
    let Some(grants) = grants else {
        let path = directory.display();
        let diagnostic = Diagnostic::new(&PATH_MISSING, format!("{path} 不是批次结果目录"), format!("{path} does not hold a run"));
        return Err(diagnostic
            .help("给出先前 --out 的目录，其中有 manifest.json", "give the --out directory of an earlier run: it has a manifest.json"));
    };
    let mut previous = Previous::default();
    for (path, format) in std::iter::once(grants).chain(find(directory, GIVEN)) {
        read(&path, format, &mut previous).map_err(|error| {
            let path = path.display();
            Diagnostic::new(&FILE_UNREADABLE, format!("无法读取 {path}：{error}"), format!("cannot read {path}: {error}"))
                .help("该批次的结果已损坏，请重新运行那一天", "that run is damaged: run that day again")
        })?;
    }
    Ok(previous)
}

fn find(directory: &Path, name: &str) -> Option<(PathBuf, Format)> {
    let path = |format: Format| (directory.join(format!("{name}.{format}")), format);
    Format::ALL.into_iter().map(path).find(|(path, _)| path.is_file())
}

/// The columns that are read.
const COLUMNS: [&str; 8] = ["subject_kind", "subject_id", "policy", "amount", "occasion", "member", "status", "region"];

fn read(path: &Path, format: Format, previous: &mut Previous) -> Result<(), ArrowError> {
    match format {
        Format::Parquet => read_parquet(path, previous),
        Format::Arrow => FileReader::try_new_buffered(File::open(path)?, None)?.try_for_each(|batch| take(&batch?, previous)),
        Format::Csv => {
            let schema = csv_schema(path)?;
            let mut reader =
                csv::ReaderBuilder::new(Arc::new(schema)).with_header(true).with_batch_size(65_536).build(File::open(path)?)?;
            reader.try_for_each(|batch| take(&batch?, previous))
        }
    }
}

/// Row groups are read side by side.
fn read_parquet(path: &Path, previous: &mut Previous) -> Result<(), ArrowError> {
    let open = || Ok::<_, ArrowError>(ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?);
    let groups: Vec<usize> = (0..open()?.metadata().num_row_groups()).collect();
    for window in groups.chunks(rayon::current_num_threads().max(1)) {
        let parts = window
            .par_iter()
            .map(|group| {
                let builder = open()?;
                let columns = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
                let reader = builder.with_projection(columns).with_row_groups(vec![*group]).with_batch_size(65_536).build()?;
                let mut part = Previous::default();
                reader.into_iter().try_for_each(|batch| take(&batch?, &mut part))?;
                Ok(part)
            })
            .collect::<Result<Vec<_>, ArrowError>>()?;
        for part in &parts {
            previous.append(part);
        }
    }
    Ok(())
}

/// The columns of a CSV file by its header: amounts are numbers, everything else is read as text.
fn csv_schema(path: &Path) -> Result<Schema, ArrowError> {
    let broken = |error: ::csv::Error| ArrowError::CsvError(error.to_string());
    let mut reader = ::csv::Reader::from_path(path).map_err(broken)?;
    let field = |name: &str| Field::new(name, if name == "amount" { AMOUNT } else { DataType::Utf8 }, true);
    Ok(Schema::new(reader.headers().map_err(broken)?.iter().map(field).collect::<Vec<_>>()))
}

fn take(batch: &RecordBatch, previous: &mut Previous) -> Result<(), ArrowError> {
    let column = |name: &str| {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
    };
    let words = |name: &str| cast(column(name)?, &DataType::Utf8);
    let (kinds, subjects, policies) = (words("subject_kind")?, words("subject_id")?, words("policy")?);
    let (occasions, members, regions) = (words("occasion")?, words("member")?, words("region")?);
    let amounts = cast(column("amount")?, &AMOUNT)?;
    let amounts = amounts.as_primitive::<Decimal128Type>();
    let status = batch.column_by_name("status").map(|_| words("status")).transpose()?;
    let subject_ids = subjects.as_string::<i32>();
    for row in 0..batch.num_rows() {
        if status.as_ref().is_some_and(|status| status.as_string::<i32>().value(row) != "granted") {
            continue;
        }
        let kind = kinds.as_string::<i32>().value(row);
        let kind = SubjectKind::ALL.into_iter().find(|known| known.name() == kind);
        let Some(kind) = kind else { return Err(ArrowError::ParseError("a subject of no known kind".to_owned())) };
        let amount = amounts.is_valid(row).then(|| i64::try_from(amounts.value(row))).transpose();
        let amount = amount.map_err(|error| ArrowError::ParseError(error.to_string()))?;
        let Previous { rows, subjects, words } = &mut *previous;
        rows.push(PreviousRow {
            kind,
            subject: subjects[kind as usize].word(subject_ids.value(row)),
            policy: words.word(policies.as_string::<i32>().value(row)),
            occasion: text(&occasions, row).map(|text| words.word(text)),
            member: text(&members, row).map(|text| words.word(text)),
            region: words.word(text(&regions, row).unwrap_or_default()),
            amount: amount.into(),
        });
    }
    Ok(())
}

/// A text that is there and not empty: CSV does not tell the two apart.
fn text(array: &dyn Array, row: usize) -> Option<&str> {
    let array = array.as_string::<i32>();
    (array.is_valid(row) && !array.value(row).is_empty()).then(|| array.value(row))
}
