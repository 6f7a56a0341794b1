//! Dossiers given out: batches of columns side by side, in the order of subjects.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use rayon::prelude::*;

use super::columns::{BATCH_ROWS, Column};
use super::levels::conflict_of;
use super::links::{LinkBatch, takeable};
use super::subjects::{NOWHERE, SubjectIndex};
use super::{DossierError, Dossiers, Led};
use crate::check::catalogue::FactId;
use crate::register::declaration::SubjectKind;

/// The names of the columns of some facts of a kind, or of all: each with the column that tells conflicts before it.
fn names(dossiers: &Dossiers, kind: SubjectKind, facts: Option<&BTreeSet<FactId>>) -> Vec<String> {
    let mut names = Vec::new();
    for id in dossiers.facts.iter().filter(|id| id.kind == kind && facts.is_none_or(|facts| facts.contains(id))) {
        let name = dossiers.names[id].to_string();
        if dossiers.made.conflicting.contains(id) {
            names.push(conflict_of(&name));
        }
        names.push(name);
    }
    names
}

/// The dossiers of a kind, in as many streams as there are threads: some facts, or all.
pub(super) fn stream(
    dossiers: &Dossiers,
    kind: SubjectKind,
    facts: Option<&BTreeSet<FactId>>,
) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
    let Some(index) = dossiers.indices.get(&kind) else { return Ok(Vec::new()) };
    let names = names(dossiers, kind, facts);
    let threads = dossiers.options.threads.max(1);
    if let Some(places) = dossiers.given_out(kind) {
        return some(dossiers, kind, &names, &places, threads);
    }
    (0..threads)
        .map(|thread| {
            let mut reader = dossiers.made.columns.reader(kind, &names)?;
            let mut fields = vec![Field::new("id", DataType::Utf8, true)];
            fields.extend(reader.fields.iter().cloned());
            let schema = Arc::new(Schema::new(fields));
            let (output, index) = (Arc::clone(&schema), Arc::clone(index));
            let batches = (thread..index.len().div_ceil(BATCH_ROWS)).step_by(threads).map(move |at| {
                let (start, rows) = (at * BATCH_ROWS, BATCH_ROWS.min(index.len() - at * BATCH_ROWS));
                let mut columns: Vec<ArrayRef> = vec![Arc::new(index.ids(start, rows))];
                columns.extend(reader.batch(at, rows).map_err(outside)?);
                Ok(RecordBatch::try_new(Arc::clone(&output), columns)?)
            });
            Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches))) as SendableRecordBatchStream)
        })
        .collect()
}

/// The columns of some places only, in as many streams.
fn some(
    dossiers: &Dossiers,
    kind: SubjectKind,
    names: &[String],
    places: &Arc<Vec<u32>>,
    threads: usize,
) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
    let index = &dossiers.indices[&kind];
    let (schema, columns) = columns_of(dossiers, kind, names)?;
    let columns = Arc::new(columns);
    let rows = places.len().div_ceil(threads).clamp(1, BATCH_ROWS);
    let stream = |thread: usize| {
        let (output, columns, index, places) = (Arc::clone(&schema), Arc::clone(&columns), Arc::clone(index), Arc::clone(places));
        let batches = (thread..places.len().div_ceil(rows)).step_by(threads).map(move |at| {
            let part = &places[at * rows..places.len().min((at + 1) * rows)];
            taken(&output, &index, &columns, part).map_err(outside)
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter(batches))) as SendableRecordBatchStream
    };
    Ok((0..threads).map(stream).collect())
}

/// Some facts of some subjects: column `id`, then as [`stream`]. Identifiers that nobody has are left out.
pub(super) fn chosen(dossiers: &Dossiers, kind: SubjectKind, facts: &BTreeSet<FactId>, ids: &[&str]) -> Result<RecordBatch, DossierError> {
    let nobody = Arc::default();
    let index = dossiers.indices.get(&kind).unwrap_or(&nobody);
    let places: Vec<u32> = ids.iter().map(|id| index.find(id)).filter(|place| *place != NOWHERE).collect();
    let (schema, columns) = columns_of(dossiers, kind, &names(dossiers, kind, Some(facts)))?;
    taken(&schema, index, &columns, &places)
}

/// The rows of a link that were read and lead from some subjects.
pub(super) fn led(
    dossiers: &Dossiers,
    link: usize,
    (from, to): (SubjectKind, SubjectKind),
    facts: &BTreeSet<FactId>,
    ids: &[&str],
) -> Result<Led, DossierError> {
    let nobody = Arc::default();
    let index = |kind| dossiers.indices.get(&kind).unwrap_or(&nobody);
    let (from, to) = (index(from), (to, index(to)));
    let asked: HashMap<u32, u32> = (0..).zip(ids).map(|(at, id)| (from.find(id), at)).filter(|(place, _)| *place != NOWHERE).collect();
    let table = dossiers.made.links.get(&link);
    let read = table.iter().flat_map(|table| &table.batches).filter(|batch| batch.known.is_none());
    let (mut leads, mut places, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    for batch in read {
        let mask = BooleanArray::from_iter(batch.from.iter().map(|place| Some(asked.contains_key(place))));
        leads.extend(mask.values().set_indices().map(|row| asked[&batch.from[row]]));
        places.extend(mask.values().set_indices().map(|row| batch.to[row]));
        let columns = batch.columns.iter().map(|column| filter(column, &mask)).collect::<Result<Vec<_>, _>>()?;
        batches.push(numbered(columns, mask.true_count())?);
    }
    let columns = match batches.first() {
        Some(first) => concat_batches(&first.schema(), &batches)?,
        None => numbered(Vec::new(), 0)?,
    };
    let (schema, of_facts) = columns_of(dossiers, to.0, &names(dossiers, to.0, Some(facts)))?;
    let facts = taken(&schema, to.1, &of_facts, &places)?;
    let ids = to.1.ids_at(&places, table.map_or(&[] as &[String], |table| &table.others));
    Ok(Led { from: leads, to: ids.iter().map(|id| id.unwrap_or_default().to_owned()).collect(), columns, facts })
}

/// Columns that have places instead of names.
fn numbered(columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, DossierError> {
    let fields = columns.iter().enumerate().map(|(at, column)| Field::new(at.to_string(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(rows)))?)
}

/// Whole columns, behind one of identifiers; those that are not there are left out.
fn columns_of(dossiers: &Dossiers, kind: SubjectKind, names: &[String]) -> Result<(SchemaRef, Vec<Column>), DossierError> {
    let mut fields = vec![Field::new("id", DataType::Utf8, true)];
    let mut columns = Vec::new();
    for name in names {
        let Some(column) = dossiers.made.columns.get(kind, name)? else { continue };
        fields.push(Field::new(name, column.data_type.clone(), true));
        columns.push(column);
    }
    Ok((Arc::new(Schema::new(fields)), columns))
}

/// The identifiers and the values at some places.
fn taken(schema: &SchemaRef, index: &SubjectIndex, columns: &[Column], places: &[u32]) -> Result<RecordBatch, DossierError> {
    let mut batch: Vec<ArrayRef> = vec![Arc::new(index.ids_at(places, &[]))];
    let places = takeable(places, index.len());
    for column in columns {
        batch.push(column.take(&places)?);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), batch)?)
}

fn outside(error: DossierError) -> DataFusionError {
    match error {
        DossierError::DataFusion(error) => error,
        DossierError::Told(diagnostic) => DataFusionError::Execution(diagnostic.headline.en.clone()),
        DossierError::Cancelled => DataFusionError::Execution("cancelled".to_owned()),
    }
}

/// The rows that the occasions of a policy come from, of the subjects named, with facts beside them: the subject's own, or, for a
/// link, those of the one that it leads to.
pub(super) fn each<'a>(
    dossiers: &Dossiers,
    each: usize,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
    let plan = &dossiers.each[each];
    let table = match plan.link {
        Some(link) => dossiers.made.links.get(&link),
        None => dossiers.made.kept.get(&plan.register),
    };
    let Some(table) = table else { return Ok(Vec::new()) };
    let from = dossiers.indices.get(&plan.from);
    let (Some(from), Some(index)) = (from, dossiers.indices.get(&plan.kind)) else { return Ok(Vec::new()) };
    let mut facts: Vec<(String, Column)> = Vec::new();
    for id in &plan.facts {
        let name = dossiers.names[id].to_string();
        facts.extend(dossiers.made.columns.get(plan.kind, &name)?.map(|column| (name, column)));
    }
    let mut wanted = vec![false; from.len()];
    ids.into_iter().filter_map(|id| usize::try_from(from.find(id)).ok()).for_each(|place| {
        if let Some(wanted) = wanted.get_mut(place) {
            *wanted = true;
        }
    });
    let side_by_side = |rows: &LinkBatch| -> Result<Option<RecordBatch>, DossierError> {
        let mask = BooleanArray::from_iter(rows.from.iter().map(|&place| Some(wanted[place as usize])));
        if mask.true_count() == 0 {
            return Ok(None);
        }
        let kept = |places: &[u32]| mask.values().set_indices().map(|row| places[row]).collect::<Vec<u32>>();
        let mut fields = vec![Field::new("id", DataType::Utf8, true)];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(from.ids_at(&kept(&rows.from), &[]))];
        for (name, at) in &plan.columns {
            fields.push(Field::new(name, rows.columns[*at].data_type().clone(), true));
            columns.push(filter(&rows.columns[*at], &mask)?);
        }
        for (name, column) in &facts {
            fields.push(Field::new(name, column.data_type.clone(), true));
            columns.push(filter(&rows.fact(name, column, index.len())?, &mask)?);
        }
        Ok(Some(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?))
    };
    let batches = table.batches.par_iter().map(side_by_side).collect::<Result<Vec<_>, _>>()?;
    let batches: Vec<RecordBatch> = batches.into_iter().flatten().collect();
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let schema = first.schema();
    let stream = futures::stream::iter(batches.into_iter().map(Ok));
    Ok(vec![Box::pin(RecordBatchStreamAdapter::new(schema, stream))])
}
