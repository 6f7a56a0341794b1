//! The days of some subjects, out of dossiers and rows of many more: what they rest on is looked up for these alone.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::Next;
use super::ground::{Ground, Tables};
use super::plan::Timers;
use super::reckon::Reckoning;
use crate::check::catalogue::FactId;
use crate::dossier::{DossierError, Dossiers};
use crate::register::declaration::SubjectKind;
use crate::stream::paths::{Paths, Stop};

/// Subjects that are reckoned together at most: what they rest on is looked up for them alone.
const TOGETHER: usize = 512;

/// Into so many parts a thread's subjects are split where there are few: some take very much longer than others.
const PARTS: usize = 8;

/// When the verdicts, grants or amounts of some subjects may be others: one for each identifier, in their order; none where no day
/// changes them, or where there is no such subject.
///
/// # Errors
///
/// When dossiers cannot be read.
pub fn reckon(
    timers: &Timers,
    paths: &Paths,
    tables: &Tables,
    dossiers: &Dossiers,
    kind: SubjectKind,
    ids: &[&str],
) -> Result<Vec<Option<Next>>, DossierError> {
    let together = ids.len().div_ceil(rayon::current_num_threads() * PARTS).clamp(1, TOGETHER);
    let parts = ids.par_chunks(together).map(|part| reckon_part(timers, paths, tables, dossiers, kind, part));
    Ok(tokio::task::block_in_place(|| parts.collect::<Result<Vec<_>, DossierError>>())?.into_iter().flatten().collect())
}

fn reckon_part(
    timers: &Timers,
    paths: &Paths,
    tables: &Tables,
    dossiers: &Dossiers,
    kind: SubjectKind,
    ids: &[&str],
) -> Result<Vec<Option<Next>>, DossierError> {
    let mut resting: BTreeMap<SubjectKind, BTreeSet<&str>> = BTreeMap::from([(kind, ids.iter().copied().collect())]);
    if let Some(stop) = paths.of.get(&kind) {
        let from: BTreeSet<&str> = ids.iter().copied().collect();
        rest_on(timers, tables, stop, kind, &from, &mut resting);
    }
    let mut by_kind = BTreeMap::new();
    for (kind, ids) in resting {
        let facts: BTreeSet<FactId> = timers.facts.keys().copied().filter(|fact| fact.kind == kind).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        by_kind.insert(kind, vec![dossiers.chosen(kind, &facts, &ids)?]);
    }
    let ground = Ground::new(timers, tables, &by_kind)?;
    let reckoning = Reckoning::new(timers, &ground);
    let is_there = |id: &str| ground.place(kind, id).is_some();
    Ok(ids.iter().map(|id| if is_there(id) { reckoning.next(kind, id) } else { None }).collect())
}

/// All to whom links lead from some subjects.
fn rest_on<'a>(
    timers: &Timers,
    tables: &'a Tables,
    stop: &Stop,
    kind: SubjectKind,
    from: &BTreeSet<&'a str>,
    found: &mut BTreeMap<SubjectKind, BTreeSet<&'a str>>,
) {
    for (link, next) in &stop.links {
        let link = &timers.catalogue.registers.links[*link];
        // All kinds that stand at a stop go its ways: those of another kind find no rows.
        if link.from != kind || !tables.leads(&link.register, &link.from_column) {
            continue;
        }
        let rows = from.iter().flat_map(|id| tables.rows(&link.register, &link.from_column, id));
        let ends: BTreeSet<&str> = rows.filter_map(|row| tables.id(row, &link.to_column)).collect();
        found.entry(link.to).or_default().extend(&ends);
        rest_on(timers, tables, next, link.to, &ends, found);
    }
}
