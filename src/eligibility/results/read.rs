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
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

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
}

/// One grant of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousRow {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject_id: Arc<str>,
    /// Code of the policy.
    pub policy: Arc<str>,
    /// What for.
    pub occasion: Option<Arc<str>>,
    /// The member of the household.
    pub member: Option<Arc<str>>,
    /// In hundredths.
    pub amount: Option<i64>,
    /// Where the subject was counted.
    pub region: Arc<str>,
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
        read(&path, format, &mut previous.rows).map_err(|error| {
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

fn read(path: &Path, format: Format, rows: &mut Vec<PreviousRow>) -> Result<(), ArrowError> {
    let file = File::open(path)?;
    match format {
        Format::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(65_536).build()?;
            reader.into_iter().try_for_each(|batch| take(&batch?, rows))
        }
        Format::Arrow => FileReader::try_new_buffered(file, None)?.try_for_each(|batch| take(&batch?, rows)),
        Format::Csv => {
            let schema = csv_schema(path)?;
            let mut reader = csv::ReaderBuilder::new(Arc::new(schema)).with_header(true).with_batch_size(65_536).build(file)?;
            reader.try_for_each(|batch| take(&batch?, rows))
        }
    }
}

/// The columns of a CSV file by its header: amounts are numbers, everything else is read as text.
fn csv_schema(path: &Path) -> Result<Schema, ArrowError> {
    let broken = |error: ::csv::Error| ArrowError::CsvError(error.to_string());
    let mut reader = ::csv::Reader::from_path(path).map_err(broken)?;
    let field = |name: &str| Field::new(name, if name == "amount" { AMOUNT } else { DataType::Utf8 }, true);
    Ok(Schema::new(reader.headers().map_err(broken)?.iter().map(field).collect::<Vec<_>>()))
}

fn take(batch: &RecordBatch, rows: &mut Vec<PreviousRow>) -> Result<(), ArrowError> {
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
    let text = |array: &Arc<dyn Array>, row: usize| -> Option<Arc<str>> {
        let array = array.as_string::<i32>();
        (array.is_valid(row) && !array.value(row).is_empty()).then(|| Arc::from(array.value(row)))
    };
    let mut policy_before: Arc<str> = Arc::from("");
    for row in 0..batch.num_rows() {
        if status.as_ref().is_some_and(|status| status.as_string::<i32>().value(row) != "granted") {
            continue;
        }
        let kind = kinds.as_string::<i32>().value(row);
        let kind = SubjectKind::ALL.into_iter().find(|known| known.name() == kind);
        let Some(kind) = kind else { return Err(ArrowError::ParseError("a subject of no known kind".to_owned())) };
        let policy = policies.as_string::<i32>().value(row);
        if &*policy_before != policy {
            policy_before = Arc::from(policy);
        }
        rows.push(PreviousRow {
            kind,
            subject_id: text(&subjects, row).unwrap_or_default(),
            policy: Arc::clone(&policy_before),
            occasion: text(&occasions, row),
            member: text(&members, row),
            amount: amounts
                .is_valid(row)
                .then(|| i64::try_from(amounts.value(row)))
                .transpose()
                .map_err(|error| ArrowError::ParseError(error.to_string()))?,
            region: text(&regions, row).unwrap_or_default(),
        });
    }
    Ok(())
}
