//! The subjects of a kind, and within which coverages each of them is: a first, narrow reading of the register that lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use chrono::NaiveDate;
use rayon::prelude::*;

use super::DossierError;
use super::accumulate::Absent;
use super::build::{Request, is_complete, is_complete_everywhere};
use super::identity::Identities;
use super::intake::open;
use super::mapper::Mapper;
use super::read::windows;
use super::subjects::{Keys, NOWHERE, SubjectIndex};
use super::visible::{time_columns, todays, visible};
use crate::check::bind::days;
use crate::check::ir::Expr;
use crate::register::declaration::{RegisterDeclaration, SubjectKind};

/// How the subjects of a kind are listed.
#[derive(Debug, Clone)]
pub(super) struct BasePlan {
    /// The kind.
    pub(super) kind: SubjectKind,
    /// The register that names each of them.
    pub(super) register: String,
    /// The column that names them.
    pub(super) key: String,
    /// Rows for which this is not yes name nobody.
    pub(super) filter: Option<Expr>,
    /// By the name of a coverage, whether a subject is within it.
    pub(super) within: BTreeMap<String, Expr>,
}

/// The subjects of a kind.
#[derive(Debug, Default, Clone)]
pub(super) struct Base {
    /// Their identifiers and places.
    pub(super) index: Arc<SubjectIndex>,
    /// By the name of a coverage, the subjects that are surely within it.
    pub(super) within: BTreeMap<String, BooleanBuffer>,
}

/// What one batch says.
struct Listed {
    keys: Keys,
    /// Rows under an identifier of before.
    renumbered: Vec<bool>,
    /// One per coverage.
    within: Vec<BooleanArray>,
}

impl Base {
    /// Reads the register that lists the subjects; some more are there in any case.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the work is cancelled.
    pub(super) fn read(plan: &BasePlan, identities: &Identities, known: StringArray, request: &Request<'_>) -> Result<Self, DossierError> {
        let declaration = &request.catalogue.registers.registers[&plan.register];
        let schema = request.catalogue.row_schema(&plan.register);
        let expressions: Vec<(Expr, u8)> = plan.within.values().chain(&plan.filter).map(|expr| (expr.clone(), 0)).collect();
        let mapper = Mapper::new(&schema, &expressions)?;
        let columns: BTreeSet<String> = mapper.reads().into_iter().chain(time_columns(declaration)).chain([plan.key.clone()]).collect();
        let mut reader = open(request, declaration, Some(columns.into_iter().collect()))?;
        let data_day = days(reader.outcome().data_day);
        let mut listed = Vec::new();
        windows(&mut reader, request, |window| {
            let list = |batch: &RecordBatch| -> Result<Option<Listed>, DossierError> {
                let (batch, _) = visible(batch, declaration, days(request.binder.as_of), data_day)?;
                list(&batch, plan, &mapper, identities)
            };
            let found = window.par_iter().map(list).collect::<Result<Vec<_>, _>>()?;
            listed.extend(found.into_iter().flatten());
            Ok(())
        })?;
        let known = (!known.is_empty()).then(|| Keys::of(known));
        let index = SubjectIndex::new(listed.iter().map(|listed| listed.keys.clone()).chain(known).collect());
        let within = plan.within.keys().enumerate().map(|(at, name)| (name.clone(), subjects_within(&index, &listed, at))).collect();
        Ok(Self { index: Arc::new(index), within })
    }
}

/// The name of a coverage by its regions.
pub(super) fn coverage_name(regions: &[String]) -> String {
    regions.join(" ")
}

/// What it means for a subject of a kind to have no rows in a register.
pub(super) fn absent(
    bases: &BTreeMap<SubjectKind, Base>,
    kind: SubjectKind,
    declaration: &RegisterDeclaration,
    as_of: NaiveDate,
) -> Absent {
    if is_complete_everywhere(declaration, kind, as_of) {
        return Absent::None;
    }
    let within = bases.get(&kind).and_then(|base| base.within.get(&coverage_name(&declaration.coverage_regions)));
    within.filter(|_| is_complete(declaration, as_of)).map_or(Absent::Unknown, |within| Absent::NoneWithin(within.clone()))
}

fn list(batch: &RecordBatch, plan: &BasePlan, mapper: &Mapper, identities: &Identities) -> Result<Option<Listed>, DossierError> {
    let Some(ids) = batch.column_by_name(&plan.key) else { return Ok(None) };
    let given: &StringArray = ids.as_string();
    let mut columns = mapper.map(batch)?;
    let passes = plan.filter.as_ref().and_then(|_| columns.pop());
    let mask = surely(given, passes.as_ref());
    let keep = |array: &dyn Array| -> Result<ArrayRef, DossierError> { Ok(filter(array, &mask)?) };
    let ids = todays(given, identities);
    let renumbered = if identities.is_empty() {
        Vec::new()
    } else {
        let flags = BooleanArray::from_iter((0..ids.len()).map(|row| Some(ids.is_valid(row) && ids.value(row) != given.value(row))));
        if flags.true_count() == 0 { Vec::new() } else { keep(&flags)?.as_boolean().values().iter().collect() }
    };
    let within = columns.iter().map(|column| Ok(keep(column)?.as_boolean().clone())).collect::<Result<_, DossierError>>()?;
    Ok(Some(Listed { keys: Keys::of(keep(&ids)?.as_string().clone()), renumbered, within }))
}

/// Rows with an identifier that the filter surely lets pass.
pub(super) fn surely(ids: &StringArray, passes: Option<&ArrayRef>) -> BooleanArray {
    let known = ids.nulls().map_or_else(|| BooleanBuffer::new_set(ids.len()), |nulls| nulls.inner().clone());
    let Some(passes) = passes else { return BooleanArray::new(known, None) };
    let passes = passes.as_boolean();
    let sure = passes.nulls().map_or_else(|| passes.values().clone(), |nulls| nulls.inner() & passes.values());
    BooleanArray::new(&known & &sure, None)
}

/// The subjects whose row says that they are within a coverage; a row under today's identifier counts before others.
fn subjects_within(index: &SubjectIndex, listed: &[Listed], at: usize) -> BooleanBuffer {
    let mut within = vec![false; index.len()];
    let mut said = vec![false; index.len()];
    for own in [true, false] {
        for listed in listed {
            let counts = |row: usize| listed.renumbered.get(row).copied().unwrap_or(false) != own;
            if !own && listed.renumbered.is_empty() {
                continue;
            }
            let column = &listed.within[at];
            for (row, place) in index.places_of_keys(&listed.keys).into_iter().enumerate() {
                let place = place as usize;
                if place == NOWHERE as usize || !counts(row) || std::mem::replace(&mut said[place], true) {
                    continue;
                }
                within[place] = column.is_valid(row) && column.value(row);
            }
        }
    }
    BooleanBuffer::from(within)
}
