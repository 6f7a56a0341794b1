//! Which rows are seen, and under whose identifier.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Date32Type;

use super::DossierError;
use super::identity::Identities;
use crate::register::declaration::{ColumnType, RegisterDeclaration, RegisterTime};

/// The columns that say from when a row holds and when it was recorded.
pub(super) fn time_columns(declaration: &RegisterDeclaration) -> Vec<String> {
    let begins = match &declaration.time {
        RegisterTime::State => None,
        RegisterTime::Event(column) => Some(column),
        RegisterTime::Valid(from, _) => Some(from),
    };
    begins.into_iter().chain(&declaration.recorded_at).cloned().collect()
}

/// The rows that are true on the day and were recorded by the data day, with the number of the others.
///
/// # Errors
///
/// When a batch cannot be filtered.
pub(super) fn visible(
    batch: &RecordBatch,
    declaration: &RegisterDeclaration,
    as_of: i32,
    data_day: i32,
) -> Result<(RecordBatch, u64), DossierError> {
    let limits: Vec<(ArrayRef, i32)> = time_columns(declaration)
        .into_iter()
        .filter_map(|name| {
            let limit = if declaration.recorded_at.as_ref() == Some(&name) { data_day } else { as_of };
            Some((Arc::clone(batch.column_by_name(&name)?), limit))
        })
        .filter(|(column, limit)| column.as_primitive::<Date32Type>().values().iter().any(|day| day > limit))
        .collect();
    if limits.is_empty() {
        return Ok((batch.clone(), 0));
    }
    let hidden = |row: usize| {
        limits.iter().any(|(column, limit)| {
            let days = column.as_primitive::<Date32Type>();
            days.is_valid(row) && days.value(row) > *limit
        })
    };
    let mask = BooleanArray::from_iter((0..batch.num_rows()).map(|row| Some(!hidden(row))));
    let unseen = (batch.num_rows() - mask.true_count()) as u64;
    Ok((if unseen == 0 { batch.clone() } else { filter_record_batch(batch, &mask)? }, unseen))
}

/// Puts the identifiers of today in the place of those of before, in the identifier columns that are named.
///
/// # Errors
///
/// When a batch cannot be put together.
pub(super) fn renumber(
    batch: &RecordBatch,
    declaration: &RegisterDeclaration,
    identities: &Identities,
    names: &BTreeSet<String>,
) -> Result<RecordBatch, DossierError> {
    if identities.is_empty() {
        return Ok(batch.clone());
    }
    let mut columns = batch.columns().to_vec();
    for (at, field) in batch.schema().fields().iter().enumerate() {
        let is_id = declaration
            .column(field.name())
            .is_some_and(|column| matches!(column.column_type, ColumnType::PersonId | ColumnType::EntityId));
        if is_id && names.contains(field.name()) {
            columns[at] = Arc::new(todays(columns[at].as_string(), identities));
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Identifiers with those of today in the place of those of before.
pub(super) fn todays(ids: &StringArray, identities: &Identities) -> StringArray {
    if identities.is_empty() || !ids.iter().flatten().any(|id| identities.today(id).is_some()) {
        return ids.clone();
    }
    let mut today = StringBuilder::with_capacity(ids.len(), ids.len() * 18);
    for id in ids {
        today.append_option(id.map(|id| identities.today(id).unwrap_or(id)));
    }
    today.finish()
}
