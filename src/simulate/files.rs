//! The tables of a simulation as Parquet: who changed, lines, months, and who enters and leaves.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::prelude::DataFrame;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::analysis::kind_of;
use super::forecast::Event;
use super::results::{Class, Line, Results};
use crate::check::bind::days;
use crate::dossier::DossierError;

/// Who changed, each subject and policy: identifiers in full, as in the grants of `match`.
pub const CHANGED: &str = "changed.parquet";
/// Lines of policies, and of all together, as a whole and by dimension; small ones hidden.
pub const CELLS: &str = "cells.parquet";
/// Months ahead.
pub const MONTHS: &str = "months.parquet";
/// Who enters and leaves in which month.
pub const EVENTS: &str = "events.parquet";

/// Amounts: hundredths, eighteen digits.
const AMOUNT: DataType = DataType::Decimal128(18, 2);

fn writer(path: &Path, schema: SchemaRef) -> Result<ArrowWriter<File>, std::io::Error> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("mianshen {}", env!("CARGO_PKG_VERSION")))
        .build();
    ArrowWriter::try_new(File::create(path)?, schema, Some(properties)).map_err(std::io::Error::other)
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) -> Result<(), std::io::Error> {
    let batch = RecordBatch::try_from_iter(columns).map_err(std::io::Error::other)?;
    let mut writer = writer(path, batch.schema())?;
    writer.write(&batch).map_err(std::io::Error::other)?;
    writer.close().map_err(std::io::Error::other)?;
    Ok(())
}

fn money(hundredths: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let array: Decimal128Array = hundredths.map(|value| value.map(i128::from)).collect();
    Arc::new(array.with_data_type(AMOUNT))
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Writes who changed.
///
/// # Errors
///
/// When the rows cannot be worked out or the file cannot be written.
pub async fn write_changed(path: &Path, changed: &DataFrame, results: &Results) -> Result<u64, DossierError> {
    let mut fields = vec![
        Field::new("subject_kind", DataType::Utf8, false),
        Field::new("subject_id", DataType::Utf8, false),
        Field::new("policy", DataType::Utf8, false),
        Field::new("change", DataType::Utf8, false),
    ];
    let sums = ["amount_before", "amount_after", "month_before", "month_after", "year_before", "year_after"];
    fields.extend(sums.iter().map(|name| Field::new(*name, AMOUNT, false)));
    fields.extend(results.dimensions.iter().map(|dimension| Field::new(&dimension.id, DataType::Utf8, false)));
    let schema = Arc::new(Schema::new(fields));
    let told = |error: std::io::Error| DossierError::scratch(path, &error);
    let mut file = writer(path, Arc::clone(&schema)).map_err(told)?;
    let mut stream = changed.clone().execute_stream().await?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        let numbers = |at: usize| cast(batch.column(at), &DataType::Int64).map(|array| array.as_primitive::<Int64Type>().clone());
        let [kinds, policies, classes] = [numbers(0)?, numbers(2)?, numbers(3)?];
        let policy =
            |place: i64| usize::try_from(place).ok().and_then(|place| results.policies.get(place)).map_or("", |policy| &policy.code);
        let class = |number: i64| usize::try_from(number).ok().and_then(|number| Class::ALL.get(number)).map_or("", |class| class.name());
        let mut columns = vec![
            texts(kinds.values().iter().map(|kind| kind_of(*kind).name())),
            cast(batch.column(1), &DataType::Utf8)?,
            texts(policies.values().iter().map(|place| policy(*place))),
            texts(classes.values().iter().map(|number| class(*number))),
        ];
        for at in 4..4 + sums.len() {
            columns.push(money(numbers(at)?.values().iter().map(|value| Some(*value))));
        }
        for at in 4 + sums.len()..batch.num_columns() {
            columns.push(cast(batch.column(at), &DataType::Utf8)?);
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        file.write(&batch).map_err(|error| told(std::io::Error::other(error)))?;
    }
    file.close().map_err(|error| told(std::io::Error::other(error)))?;
    Ok(rows)
}

/// Writes lines: a hidden one has no counts.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_cells(path: &Path, results: &Results) -> Result<(), std::io::Error> {
    let lines: Vec<&Line> = results.totals.iter().chain(&results.cells).collect();
    let count = |get: &dyn Fn(&Line) -> u64| -> ArrayRef {
        Arc::new(lines.iter().map(|line| (!line.hidden).then(|| get(line))).collect::<UInt64Array>())
    };
    let sum = |get: &dyn Fn(&Line) -> i64| money(lines.iter().map(|line| (!line.hidden).then(|| get(line))));
    let policy: StringArray = lines.iter().map(|line| line.policy.map(|policy| &*results.policies[policy].code)).collect();
    let dimension: StringArray = lines.iter().map(|line| line.dimension.map(|at| results.dimensions[at].id.as_str())).collect();
    let population: UInt64Array = lines.iter().map(|line| line.population).collect();
    let mut columns = vec![
        ("subject_kind", texts(lines.iter().map(|line| line.kind.name()))),
        ("policy", Arc::new(policy) as ArrayRef),
        ("dimension", Arc::new(dimension)),
        ("value", texts(lines.iter().map(|line| line.value.as_str()))),
        ("population", Arc::new(population)),
        ("before", count(&|line| line.tally.before)),
        ("after", count(&|line| line.tally.after)),
    ];
    for class in Class::ALL {
        columns.push((class.name(), count(&|line| line.tally.of(class))));
    }
    columns.push(("amount_before", sum(&|line| line.tally.amount[0])));
    columns.push(("amount_after", sum(&|line| line.tally.amount[1])));
    columns.push(("month_before", sum(&|line| line.tally.month[0])));
    columns.push(("month_after", sum(&|line| line.tally.month[1])));
    columns.push(("year_before", sum(&|line| line.tally.year[0])));
    columns.push(("year_after", sum(&|line| line.tally.year[1])));
    write(path, columns)
}

/// Writes months ahead: a hidden line has no counts.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_months(path: &Path, results: &Results) -> Result<(), std::io::Error> {
    let lines = &results.months;
    let shown = |hidden: bool, count: u64| (!hidden).then_some(count);
    let policy: StringArray = lines.iter().map(|line| line.policy.map(|policy| &*results.policies[policy].code)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("day", Arc::new(Date32Array::from_iter_values(lines.iter().map(|line| days(line.day))))),
        ("side", texts(lines.iter().map(|line| side_name(line.side)))),
        ("policy", Arc::new(policy)),
        ("subjects", Arc::new(lines.iter().map(|line| shown(line.hidden, line.subjects)).collect::<UInt64Array>())),
        ("enter", Arc::new(lines.iter().map(|line| shown(line.hidden, line.enter)).collect::<UInt64Array>())),
        ("leave", Arc::new(lines.iter().map(|line| shown(line.hidden, line.leave)).collect::<UInt64Array>())),
        ("money", money(lines.iter().map(|line| (!line.hidden).then_some(line.money)))),
    ];
    write(path, columns)
}

/// Writes who enters and leaves: identifiers in full.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_events(path: &Path, events: &[Event], results: &Results) -> Result<(), std::io::Error> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("day", Arc::new(Date32Array::from_iter_values(events.iter().map(|event| days(event.day))))),
        ("side", texts(events.iter().map(|event| side_name(event.side)))),
        ("policy", texts(events.iter().map(|event| &*results.policies[event.policy].code))),
        ("subject_kind", texts(events.iter().map(|event| event.kind.name()))),
        ("subject_id", texts(events.iter().map(|event| event.subject.as_str()))),
        ("event", texts(events.iter().map(|event| if event.enters { "enters" } else { "leaves" }))),
    ];
    write(path, columns)
}

fn side_name(side: usize) -> &'static str {
    if side == 0 { "before" } else { "after" }
}
