//! One register read to its end: rows seen, evaluated, found their subjects, and added up at their places.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::filter;
use rayon::prelude::*;

use super::DossierError;
use super::accumulate::{Absent, Accumulator, Lane, Presence, Rows, Selections};
use super::base::{Base, absent, surely};
use super::build::Request;
use super::columns::Column;
use super::identity::Identities;
use super::intake::{index_of, open};
use super::links::{LinkBatch, LinkTable};
use super::mapper::Mapper;
use super::rows::{KeptRows, LinkRows, Purpose, RegisterRows, SubjectRows};
use super::subjects::{Found, NOWHERE, SubjectIndex};
use super::visible::{renumber, time_columns, visible};
use crate::check::bind::days;
use crate::register::declaration::{RegisterDeclaration, SubjectKind};
use crate::register::{ReadOutcome, RegisterReader};

/// A register to be read, and what for.
pub(super) struct Reading<'a> {
    pub(super) declaration: &'a RegisterDeclaration,
    /// What is made of it; of nothing, its rows are only checked.
    pub(super) rows: &'a RegisterRows,
    pub(super) bases: &'a BTreeMap<SubjectKind, Base>,
    pub(super) identities: &'a Identities,
    /// Bytes that the state of its facts may take; more of it is made in several readings.
    pub(super) budget: Option<usize>,
}

/// What one register gave.
#[derive(Debug, Default)]
pub(super) struct RegisterFound {
    /// Columns by kind, one value per subject.
    pub(super) columns: Vec<(SubjectKind, Vec<(Purpose, Column)>)>,
    /// By index of the link.
    pub(super) links: Vec<(usize, LinkTable)>,
    /// Rows that occasions come from.
    pub(super) kept: Option<LinkTable>,
    /// What reading found.
    pub(super) outcome: Option<ReadOutcome>,
    /// Rows of a later day.
    pub(super) unseen: u64,
    /// Rows under an identifier of before.
    pub(super) renumbered: u64,
    /// Whether it was not read, but taken from a snapshot.
    pub(super) is_taken: bool,
}

/// Calls `each` with some batches at a time, until there are no more.
///
/// # Errors
///
/// When reading or `each` fails, or the work is cancelled.
pub(super) fn windows(
    reader: &mut RegisterReader,
    request: &Request<'_>,
    mut each: impl FnMut(&[RecordBatch]) -> Result<(), DossierError>,
) -> Result<(), DossierError> {
    while let Some(window) = reader.next_window() {
        if request.cancel.is_cancelled() {
            return Err(DossierError::Cancelled);
        }
        each(&window.map_err(DossierError::Told)?)?;
    }
    Ok(())
}

/// Reads one register.
///
/// # Errors
///
/// When reading or arithmetic fails, or the work is cancelled.
pub(super) fn read(reading: &Reading<'_>, request: &Request<'_>) -> Result<RegisterFound, DossierError> {
    let rows = reading.rows;
    let schema = request.catalogue.row_schema(&reading.declaration.name);
    let mapper = Mapper::new(&schema, &rows.rows.columns)?;
    let reads = mapper.reads().into_iter().collect();
    let mut found = RegisterFound::default();
    let ranges = ranges(reading, rows, request.options.shards);
    tracing::debug!(register = &*reading.declaration.name, readings = ranges.len(), "reading");
    let mut parts: Vec<Vec<Vec<ArrayRef>>> = rows.subjects.iter().map(|subjects| vec![Vec::new(); subjects.recipes.len()]).collect();
    for (turn, part) in ranges.iter().enumerate() {
        let pass = Pass { reading, rows, mapper: &mapper, reads: &reads, request, part: *part, is_first: turn == 0 };
        for (parts, columns) in parts.iter_mut().zip(pass.run(&mut found)?) {
            for (parts, column) in parts.iter_mut().zip(columns) {
                parts.push(column);
            }
        }
    }
    for (subjects, parts) in rows.subjects.iter().zip(parts) {
        let columns = subjects
            .recipes
            .iter()
            .zip(parts)
            .map(|((purpose, _), parts)| Ok((purpose.clone(), Column::of(whole(parts)?))))
            .collect::<Result<Vec<_>, DossierError>>()?;
        found.columns.push((subjects.kind, columns));
    }
    Ok(found)
}

fn mark_present(places: &[u32], first: u32, present: &mut [u64]) {
    for &place in places {
        let at = place.wrapping_sub(first) as usize;
        if let Some(word) = present.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
}

fn whole(mut parts: Vec<ArrayRef>) -> Result<ArrayRef, DossierError> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::concat(&parts)?)
}

/// Into how many parts subjects are split, as fractions: a reading adds up those of one part.
fn ranges(reading: &Reading<'_>, rows: &RegisterRows, at_least: usize) -> Vec<(usize, usize)> {
    let state: usize = rows
        .subjects
        .iter()
        .map(|subjects| {
            let places = index_of(reading.bases, subjects.kind).map_or(0, SubjectIndex::len);
            let width: usize = subjects.recipes.iter().map(|(_, recipe)| Accumulator::width(recipe)).sum();
            places * width
        })
        .sum();
    let count = reading.budget.map_or(1, |budget| state.div_ceil(budget.max(1))).clamp(1, 64).max(at_least);
    (0..count).map(|at| (at, count)).collect()
}

/// One reading of the register for a part of the subjects.
struct Pass<'a> {
    reading: &'a Reading<'a>,
    rows: &'a RegisterRows,
    mapper: &'a Mapper,
    /// The columns that the mapper reads.
    reads: &'a BTreeSet<String>,
    request: &'a Request<'a>,
    /// Which part of how many.
    part: (usize, usize),
    /// Whether links and rows are kept, and counts taken, from this reading.
    is_first: bool,
}

/// The state of the facts of one kind.
struct Adding {
    first: u32,
    accumulators: Vec<Accumulator>,
    present: Vec<u64>,
}

/// A batch evaluated.
struct Evaluated {
    rows: u64,
    unseen: u64,
    lanes: Vec<Lane>,
    /// One per kind that facts are given to; none where the batch does not name subjects of it.
    selections: Vec<Option<Selections>>,
    /// By column and kind.
    found: HashMap<(String, SubjectKind), Found>,
    links: Vec<(LinkBatch, Vec<Option<String>>)>,
    kept: Option<LinkBatch>,
}

impl Pass<'_> {
    fn run(&self, found: &mut RegisterFound) -> Result<Vec<Vec<ArrayRef>>, DossierError> {
        let declaration = self.reading.declaration;
        let mut reader = open(self.request, declaration, Some(self.columns()))?;
        let data_day = days(reader.outcome().data_day);
        let mut adding: Vec<Adding> = self.rows.subjects.iter().map(|subjects| self.adding(subjects)).collect();
        let mut links: Vec<LinkTable> = self.rows.links.iter().map(|_| LinkTable::default()).collect();
        let mut others: Vec<HashMap<String, u32>> = self.rows.links.iter().map(|_| HashMap::new()).collect();
        let mut kept = LinkTable::default();
        windows(&mut reader, self.request, |window| {
            let evaluated = window.par_iter().map(|batch| self.evaluate(batch, data_day)).collect::<Result<Vec<_>, _>>()?;
            self.add(&mut adding, &evaluated);
            for batch in evaluated {
                self.request.progress.rows(if self.is_first { batch.rows } else { 0 });
                if !self.is_first {
                    continue;
                }
                found.unseen += batch.unseen;
                let own = declaration.subject.and_then(|kind| batch.found.get(&(declaration.key.clone(), kind)));
                found.renumbered += own.map_or(0, |found| found.renumbered.len() as u64);
                for (at, (link, names)) in batch.links.into_iter().enumerate() {
                    self.keep_link(at, link, names, &mut links, &mut others);
                }
                kept.batches.extend(batch.kept);
            }
            Ok(())
        })?;
        let outcome = reader.into_outcome();
        let columns = self.finish(adding, &outcome)?;
        if self.is_first {
            found.links = self.rows.links.iter().map(|link| link.link).zip(links).collect();
            found.kept = self.rows.kept.is_some().then_some(kept);
            found.outcome = Some(outcome);
        }
        Ok(columns)
    }

    /// The columns that are read.
    fn columns(&self) -> Vec<String> {
        let ends = self.rows.links.iter().flat_map(|link| [link.ends.0.clone(), link.ends.1.clone()]);
        let all: BTreeSet<String> = self
            .reads
            .iter()
            .cloned()
            .chain(time_columns(self.reading.declaration))
            .chain(ends)
            .chain([self.reading.declaration.key.clone()])
            .collect();
        all.into_iter().collect()
    }

    /// The places of the part that are worked on.
    fn span(&self, kind: SubjectKind) -> (usize, usize) {
        let places = index_of(self.reading.bases, kind).map_or(0, SubjectIndex::len);
        let (at, count) = self.part;
        (places * at / count, places * (at + 1) / count)
    }

    fn adding(&self, subjects: &SubjectRows) -> Adding {
        let (start, end) = self.span(subjects.kind);
        Adding {
            first: u32::try_from(start).unwrap_or(NOWHERE),
            accumulators: subjects.recipes.iter().map(|(_, recipe)| Accumulator::new(recipe.clone(), end - start)).collect(),
            present: vec![0; (end - start).div_ceil(64)],
        }
    }

    fn evaluate(&self, batch: &RecordBatch, data_day: i32) -> Result<Evaluated, DossierError> {
        let declaration = self.reading.declaration;
        let rows = batch.num_rows() as u64;
        let (batch, unseen) = visible(batch, declaration, days(self.request.binder.as_of), data_day)?;
        let mut found: HashMap<(String, SubjectKind), Found> = HashMap::new();
        let link_ends = self.rows.links.iter().flat_map(|link| [(&link.ends.0, link.from), (&link.ends.1, link.to)]);
        let subjects = self.rows.subjects.iter().map(|subjects| (&declaration.key, subjects.kind));
        let kept = self.rows.kept.iter().map(|kept| (&declaration.key, kept.kind));
        let counted = declaration.subject.into_iter().map(|kind| (&declaration.key, kind));
        for (column, kind) in link_ends.chain(subjects).chain(kept).chain(counted) {
            let key = (column.clone(), kind);
            if let (false, Some(index), Some(ids)) =
                (found.contains_key(&key), index_of(self.reading.bases, kind), batch.column_by_name(column))
            {
                found.insert(key, index.places_of(ids.as_string(), self.reading.identities));
            }
        }
        let batch = renumber(&batch, declaration, self.reading.identities, self.reads)?;
        let arrays = self.mapper.map(&batch)?;
        let lanes = arrays.iter().map(Lane::of).collect::<Result<Vec<_>, _>>()?;
        let selections = self.rows.subjects.iter().map(|subjects| self.select(subjects, &found, &lanes)).collect();
        let mut evaluated = Evaluated { rows, unseen, lanes, selections, found, links: Vec::new(), kept: None };
        if self.is_first {
            for link in &self.rows.links {
                evaluated.links.push(self.link(link, &batch, &arrays, &evaluated.found)?);
            }
            evaluated.kept = self.rows.kept.as_ref().map(|kept| self.kept(kept, &arrays, &evaluated.found)).transpose()?;
        }
        Ok(evaluated)
    }

    /// The rows that count for the facts of a kind.
    fn select(&self, subjects: &SubjectRows, found: &HashMap<(String, SubjectKind), Found>, lanes: &[Lane]) -> Option<Selections> {
        let found = found.get(&(self.reading.declaration.key.clone(), subjects.kind))?;
        let (start, end) = self.span(subjects.kind);
        let conditions = subjects.recipes.iter().flat_map(|(_, recipe)| recipe.conditions());
        Some(Selections::new(&found.places, u32::try_from(start).unwrap_or(NOWHERE), end - start, lanes, conditions))
    }

    /// The rows of a link: both ends, and the identifiers of ends that no subject has.
    fn link(
        &self,
        link: &LinkRows,
        batch: &RecordBatch,
        arrays: &[ArrayRef],
        found: &HashMap<(String, SubjectKind), Found>,
    ) -> Result<(LinkBatch, Vec<Option<String>>), DossierError> {
        let (Some(from), Some(ids)) = (found.get(&(link.ends.0.clone(), link.from)), batch.column_by_name(&link.ends.0)) else {
            return Ok((LinkBatch::default(), Vec::new()));
        };
        let mask = surely(ids.as_string(), link.filter.map(|at| &arrays[at]));
        let is_subject = BooleanBuffer::from_iter(from.places.iter().map(|&place| place != NOWHERE));
        let mask = BooleanArray::new(mask.values() & &is_subject, None);
        let targets: &StringArray = batch.column_by_name(&link.ends.1).map_or_else(|| ids.as_string(), |ids| ids.as_string());
        let to = found.get(&(link.ends.1.clone(), link.to));
        let mut rows = LinkBatch::default();
        let mut names = Vec::new();
        for row in mask.values().set_indices() {
            let place = to.map_or(NOWHERE, |to| to.places[row]);
            rows.from.push(from.places[row]);
            rows.to.push(place);
            let named = (place == NOWHERE && targets.is_valid(row)).then(|| targets.value(row));
            names.push(named.map(|id| self.reading.identities.today(id).unwrap_or(id).to_owned()));
        }
        rows.columns = link.columns.iter().map(|&at| self.mapper.typed(at, filter(&arrays[at], &mask)?)).collect::<Result<_, _>>()?;
        Ok((rows, names))
    }

    fn kept(&self, kept: &KeptRows, arrays: &[ArrayRef], found: &HashMap<(String, SubjectKind), Found>) -> Result<LinkBatch, DossierError> {
        let Some(from) = found.get(&(self.reading.declaration.key.clone(), kept.kind)) else { return Ok(LinkBatch::default()) };
        let mask = BooleanArray::from_iter(from.places.iter().map(|&place| Some(place != NOWHERE)));
        let columns = kept.columns.iter().map(|&at| self.mapper.typed(at, filter(&arrays[at], &mask)?)).collect::<Result<_, _>>()?;
        let places: Vec<u32> = from.places.iter().copied().filter(|&place| place != NOWHERE).collect();
        Ok(LinkBatch { to: places.clone(), from: places, columns, known: None })
    }

    /// Keeps the rows of a link; identifiers that no subject has get places behind the subjects'.
    fn keep_link(
        &self,
        at: usize,
        mut batch: LinkBatch,
        names: Vec<Option<String>>,
        links: &mut [LinkTable],
        others: &mut [HashMap<String, u32>],
    ) {
        let subjects = index_of(self.reading.bases, self.rows.links[at].to).map_or(0, SubjectIndex::len);
        for (to, name) in batch.to.iter_mut().zip(names) {
            let Some(name) = name else { continue };
            let next = u32::try_from(subjects + links[at].others.len()).unwrap_or(NOWHERE - 1);
            *to = *others[at].entry(name).or_insert_with_key(|name| {
                links[at].others.push(name.clone());
                next
            });
        }
        if !batch.from.is_empty() {
            links[at].batches.push(batch);
        }
    }

    fn add(&self, adding: &mut [Adding], evaluated: &[Evaluated]) {
        let key = &self.reading.declaration.key;
        for (at, (adding, subjects)) in adding.iter_mut().zip(&self.rows.subjects).enumerate() {
            let found: Vec<Option<&Found>> = evaluated.iter().map(|batch| batch.found.get(&(key.clone(), subjects.kind))).collect();
            let Adding { first, accumulators, present } = adding;
            let mark_present = || {
                for found in found.iter().flatten() {
                    mark_present(&found.places, *first, present);
                }
            };
            let add = || {
                accumulators.par_iter_mut().for_each(|accumulator| {
                    for (batch, found) in evaluated.iter().zip(&found) {
                        if let (Some(found), Some(selections)) = (found, &batch.selections[at]) {
                            let (places, renumbered) = (&found.places, &found.renumbered);
                            accumulator.add(&Rows { places, renumbered, lanes: &batch.lanes, first: *first, selections });
                        }
                    }
                });
            };
            rayon::join(mark_present, add);
        }
    }

    /// The columns of each kind.
    fn finish(&self, adding: Vec<Adding>, outcome: &ReadOutcome) -> Result<Vec<Vec<ArrayRef>>, DossierError> {
        let mut all = Vec::new();
        for (adding, subjects) in adding.into_iter().zip(&self.rows.subjects) {
            let (start, end) = self.span(subjects.kind);
            let bits = |words: Vec<u64>| BooleanBuffer::new(ScalarBuffer::from(words).into_inner(), 0, end - start);
            let presence = Presence { present: bits(adding.present), doubtful: self.doubtful(subjects.kind, outcome).map(bits) };
            let absent = absent(self.reading.bases, subjects.kind, self.reading.declaration, self.request.binder.as_of).of(start, end);
            let columns = adding
                .accumulators
                .into_par_iter()
                .zip(&subjects.recipes)
                .map(|(accumulator, (purpose, _))| match purpose {
                    Purpose::Fact(fact) => {
                        accumulator.check(&self.request.catalogue.fact(*fact).name)?;
                        Ok(accumulator.finish(&presence, &absent))
                    }
                    Purpose::OtherLeast(..) | Purpose::OtherGreatest(..) => {
                        let presence = Presence { present: presence.present.clone(), doubtful: None };
                        Ok(accumulator.finish(&presence, &Absent::Unknown))
                    }
                })
                .collect::<Result<Vec<_>, DossierError>>()?;
            all.push(columns);
        }
        Ok(all)
    }

    /// The subjects of whom a row was set aside, but for rows that only repeat another.
    fn doubtful(&self, kind: SubjectKind, outcome: &ReadOutcome) -> Option<Vec<u64>> {
        if outcome.quarantine.is_truncated() {
            let register = &*self.reading.declaration.name;
            tracing::warn!(register, "more rows in quarantine than are kept: some subjects with such rows are not known");
        }
        let index = index_of(self.reading.bases, kind)?;
        let (start, end) = self.span(kind);
        let mut words = vec![0_u64; (end - start).div_ceil(64)];
        for entry in outcome.quarantine.entries.iter().filter(|entry| entry.leaves_doubt()) {
            let Some(id) = entry.subject.as_deref() else { continue };
            let place = index.find(self.reading.identities.today(id).unwrap_or(id)) as usize;
            if (start..end).contains(&place) {
                words[(place - start) / 64] |= 1 << ((place - start) % 64);
            }
        }
        words.iter().any(|word| *word != 0).then_some(words)
    }
}
