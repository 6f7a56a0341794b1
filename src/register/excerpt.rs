//! The rows of a few subjects out of a register of any size, as they stand in its files.
//!
//! What is taken out is not read yet: identifiers are compared in their one form, everything else stays as it is written,
//! so that reading the excerpt finds the same faults in these rows as reading the whole.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use rayon::prelude::*;

use super::declaration::{ColumnType, RegisterColumn, RegisterDeclaration};
use super::files::{Files, Portion, PortionRows};
use super::identifier::{normalise_entity_id, normalise_person_id};
use super::physical::{PhysicalBatch, unreadable};
use super::reader::wanted;
use super::sources::{RegisterSource, SourceFormat};
use crate::diagnostic::Diagnostic;

/// Rows of a batch.
const BATCH_ROWS: usize = 32_768;

/// Portions that are looked at side by side.
const WINDOW: usize = 8;

/// Writes the rows in which one of the columns `by` holds one of the identifiers into files in a folder, and says how to
/// read them. Rows that are no rows at all are left out.
///
/// # Errors
///
/// When the register cannot be read, or the folder cannot be written.
pub fn write_excerpt(
    declaration: &RegisterDeclaration,
    source: &RegisterSource,
    by: &[&str],
    ids: &HashSet<String>,
    folder: &Path,
) -> Result<RegisterSource, Box<Diagnostic>> {
    let columns: Vec<&RegisterColumn> = declaration.columns.iter().collect();
    let mut batches = rows_of(declaration, source, &columns, by, ids)?;
    if batches.is_empty() {
        batches.push(columns.iter().map(|_| new_empty_array(&DataType::Utf8)).collect());
    }
    let failed = |error: &dyn std::fmt::Display| unreadable(&declaration.name, folder, error);
    let folder = folder.join(&declaration.name);
    std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    for (at, arrays) in batches.into_iter().enumerate() {
        let fields: Vec<Field> =
            columns.iter().zip(&arrays).map(|(column, array)| Field::new(&column.name, array.data_type().clone(), true)).collect();
        let rows = arrays.first().map_or(0, Array::len);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|error| failed(&error))?;
        let file = File::create(folder.join(format!("{at:06}.parquet"))).map_err(|error| failed(&error))?;
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
        writer.close().map_err(|error| failed(&error))?;
    }
    Ok(RegisterSource {
        path: folder,
        format: SourceFormat::Parquet,
        encoding: super::sources::TextEncoding::Utf8,
        header: std::collections::BTreeMap::new(),
        held: None,
        ..source.clone()
    })
}

/// The identifiers in one column of the rows in which another holds one of `ids`.
///
/// # Errors
///
/// When the register cannot be read.
pub fn ends_of(
    declaration: &RegisterDeclaration,
    source: &RegisterSource,
    from: &str,
    to: &str,
    ids: &HashSet<String>,
) -> Result<BTreeSet<String>, Box<Diagnostic>> {
    let Some(column) = declaration.column(to) else { return Ok(BTreeSet::new()) };
    let batches = rows_of(declaration, source, &[column], &[from], ids)?;
    let mut found = BTreeSet::new();
    for batch in batches {
        for array in batch {
            found.extend(texts(&array).iter().flatten().filter_map(|text| normal(column.column_type, text)));
        }
    }
    Ok(found)
}

/// The columns of the rows in which one of the columns `by` holds one of the identifiers, a batch at a time.
fn rows_of(
    declaration: &RegisterDeclaration,
    source: &RegisterSource,
    columns: &[&RegisterColumn],
    by: &[&str],
    ids: &HashSet<String>,
) -> Result<Vec<Vec<ArrayRef>>, Box<Diagnostic>> {
    let keys: Vec<&RegisterColumn> = by.iter().filter_map(|name| declaration.column(name)).collect();
    // First the identifiers alone: most portions have none of these, and need not be decoded further.
    let mut files = Files::open(source, keys.iter().map(|column| wanted(column, source)).collect(), BATCH_ROWS)?;
    let mut hits: Vec<bool> = Vec::new();
    each_window(&mut files, |portions| {
        let found = portions.into_par_iter().map(|portion| {
            let batches = batches_of(portion)?;
            Ok(batches.iter().any(|batch| mask(&keys, &batch.columns, batch.rows, ids).true_count() > 0))
        });
        hits.extend(found.collect::<Result<Vec<bool>, Box<Diagnostic>>>()?);
        Ok(())
    })?;
    let all = keys.iter().chain(columns).map(|column| wanted(column, source)).collect();
    let mut files = Files::open(source, all, BATCH_ROWS)?;
    let (mut at, mut kept) = (0, Vec::new());
    each_window(&mut files, |portions| {
        let first = at;
        at += portions.len();
        let numbered: Vec<(usize, Portion)> = portions.into_iter().enumerate().collect();
        let hit = numbered.into_par_iter().filter(|(index, _)| hits.get(first + index).copied().unwrap_or(true));
        let found = hit.map(|(_, portion)| {
            let batches = batches_of(portion)?;
            let taken = batches.into_iter().map(|batch| {
                let mask = mask(&keys, &batch.columns, batch.rows, ids);
                batch.columns[keys.len()..]
                    .iter()
                    .map(|column| plain(&filter(column, &mask).unwrap_or_else(|_| column.slice(0, 0))))
                    .collect()
            });
            Ok(taken.collect::<Vec<Vec<ArrayRef>>>())
        });
        kept.extend(found.collect::<Result<Vec<_>, Box<Diagnostic>>>()?.into_iter().flatten());
        Ok(())
    })?;
    kept.retain(|columns: &Vec<ArrayRef>| columns.first().is_some_and(|column| !column.is_empty()));
    Ok(kept)
}

fn each_window(files: &mut Files, mut each: impl FnMut(Vec<Portion>) -> Result<(), Box<Diagnostic>>) -> Result<(), Box<Diagnostic>> {
    loop {
        let portions = files.window(WINDOW).into_iter().collect::<Result<Vec<Portion>, _>>()?;
        if portions.is_empty() {
            return Ok(());
        }
        each(portions)?;
    }
}

fn batches_of(portion: Portion) -> Result<Vec<PhysicalBatch>, Box<Diagnostic>> {
    match portion.rows {
        PortionRows::Batch(batch) => Ok(vec![batch]),
        PortionRows::Group(group) => group.batches().collect(),
    }
}

/// The rows in which one of the keys, which come first among the columns, holds one of the identifiers.
fn mask(keys: &[&RegisterColumn], columns: &[ArrayRef], rows: usize, ids: &HashSet<String>) -> BooleanArray {
    let texts: Vec<_> = columns.iter().take(keys.len()).map(texts).collect();
    let is_one =
        |row: usize| keys.iter().zip(&texts).any(|(key, texts)| texts.is_valid(row) && is_among(ids, key.column_type, texts.value(row)));
    BooleanArray::from_iter((0..rows).map(|row| Some(is_one(row))))
}

/// Whether an identifier, in its one form, is one of those.
fn is_among(ids: &HashSet<String>, column_type: ColumnType, text: &str) -> bool {
    let among = |id: &str| ids.contains(id);
    among(text)
        || match column_type {
            ColumnType::PersonId => normalise_person_id(text).is_ok_and(|id| among(&id.text)),
            ColumnType::EntityId => normalise_entity_id(text).is_ok_and(|id| among(&id.text)),
            _ => among(&super::cast::normalised(text)),
        }
}

/// An identifier in its one form; none where it is none.
fn normal(column_type: ColumnType, text: &str) -> Option<String> {
    match column_type {
        ColumnType::PersonId => normalise_person_id(text).ok().map(|id| id.text.into_owned()),
        ColumnType::EntityId => normalise_entity_id(text).ok().map(|id| id.text.into_owned()),
        _ => Some(super::cast::normalised(text).into_owned()).filter(|text| !text.is_empty()),
    }
}

fn texts(array: &ArrayRef) -> arrow::array::StringArray {
    cast(array, &DataType::Utf8).map_or_else(|_| arrow::array::StringArray::new_null(array.len()), |array| array.as_string::<i32>().clone())
}

/// A column without dictionaries.
fn plain(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(array, values).unwrap_or_else(|_| Arc::clone(array)),
        _ => Arc::clone(array),
    }
}
