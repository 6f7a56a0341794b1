//! A run put into the store: its dossiers once more, batch by batch, with what was found beside each.
//!
//! ```text
//!  dossiers ── batches in the order of identifiers ──┐
//!  findings, resolution ── by subject ───────────────┼── rows encoded side by side ──▶ Load
//!  coverage conditions ── no, or not covered ────────┘
//! ```
//!
//! Nothing of this is done for runs that no store asks for. Memory holds one batch, and a few numbers per verdict.

mod batch;
mod by_subject;
mod facts;
mod row;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::AsArray;
use futures::StreamExt;

use super::body::{FactColumn, Layout, RunDocument};
use super::documents::{POLICY_FILES, RUN, policy_files_part, table_name, table_part};
use super::{EncodedSubject, Load, PolicyFile, Run, RunId, RunPolicy, RunSummary, StoreError};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Expr;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::{Cause, DossierError, Dossiers, mapper};
use crate::eligibility::compiled::about;
use crate::eligibility::grant::{ConflictRow, Resolution};
use crate::eligibility::results::Table;
use crate::eligibility::results::manifest::Manifest;
use crate::program::{Program, Scratch};
use crate::register::declaration::SubjectKind;
use batch::Columns;
use by_subject::BySubject;
pub use facts::facts;
use row::Rows;

/// Rows of one part of a table.
const PART: usize = 131_072;

/// What is to be stored.
pub struct Filling<'a> {
    /// Facts, with all that links carry.
    pub catalogue: &'a Catalogue,
    /// The day, parameters, regions.
    pub binder: &'a Binder<'a>,
    /// The policies of the run, in the order of the resolution.
    pub policies: &'a [CheckedPolicy],
    /// Those that results tell of, by code.
    pub told: &'a (dyn Fn(&str) -> bool + Sync),
    /// The dossiers.
    pub dossiers: &'a Dossiers,
    /// What was resolved.
    pub resolution: &'a Resolution<'a>,
    /// Facts that are unknown for every judged subject.
    pub whole_register_unknown: &'a BTreeSet<(SubjectKind, Arc<str>)>,
    /// Only subjects counted in this region, if any.
    pub within: Option<&'a str>,
    /// Only subjects whose identifiers pass, if not all.
    pub wanted: Option<&'a (dyn Fn(&str) -> bool + Sync)>,
    /// What the run was.
    pub manifest: &'a Manifest,
    /// Tables that are about no single subject.
    pub tables: &'a [Table<'a>],
    /// The policies folder as it was read.
    pub policy_files: &'a [PolicyFile],
    /// The time, in microseconds since 1970 (UTC).
    pub loaded_at: i64,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// When to stop.
    pub cancel: &'a Cancel,
}

/// Why a run could not be stored.
#[derive(Debug)]
pub enum FillError {
    /// The store's fault.
    Store(StoreError),
    /// The dossiers'.
    Dossiers(DossierError),
}

impl FillError {
    /// What to tell people, with the place of the store.
    #[must_use]
    pub fn into_diagnostic(self, place: &str) -> Diagnostic {
        match self {
            Self::Store(error) => error.into_diagnostic(place),
            Self::Dossiers(error) => error.into_diagnostic(),
        }
    }
}

impl From<StoreError> for FillError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DossierError> for FillError {
    fn from(error: DossierError) -> Self {
        Self::Dossiers(error)
    }
}

/// Writes a run; nobody sees it before the load is finished. Gives what its line in the list of runs will say.
///
/// # Errors
///
/// When dossiers cannot be read, the store cannot be written, or the work is cancelled.
pub async fn fill(filling: &Filling<'_>, load: &mut dyn Load) -> Result<RunSummary, FillError> {
    let mut catalogue = filling.catalogue.clone();
    let mut layout = layout(filling, &mut catalogue)?;
    let mut subjects = [0_u64; 3];
    let set_aside = set_aside(filling.dossiers);
    let mut members: Vec<(u32, u32)> = Vec::new();
    for kind in SubjectKind::ALL.into_iter().filter(|kind| filling.dossiers.kinds().contains(kind)) {
        members.sort_unstable();
        let of_kind = OfKind { kind, set_aside: &set_aside, members: &mut members };
        subjects[kind as usize] = fill_kind(filling, &mut catalogue, &mut layout, of_kind, load).await?;
    }
    let today = filling.dossiers.intake.identities.renumbered().filter_map(|(before, today)| {
        let kinds = SubjectKind::ALL.into_iter();
        let kind = kinds.filter(|kind| filling.dossiers.place(*kind, today).is_some()).min()?;
        Some((kind, (before.to_owned(), today.to_owned())))
    });
    let mut aliases: BTreeMap<SubjectKind, Vec<(String, String)>> = BTreeMap::new();
    today.for_each(|(kind, alias)| aliases.entry(kind).or_default().push(alias));
    for (kind, mut aliases) in aliases {
        aliases.sort();
        load.aliases(kind, aliases).await?;
    }
    for table in filling.tables {
        for (part, start) in (0_u32..).zip((0..table.n_rows.max(1)).step_by(PART)) {
            let batch = table.batch(start..(start + PART).min(table.n_rows)).map_err(DossierError::from)?;
            load.document(&table_name(table.name), part, table_part(&batch)?).await?;
        }
    }
    load.document(POLICY_FILES, 0, policy_files_part(filling.policy_files)?).await?;
    let summary = RunSummary {
        id: RunId(0),
        as_of: filling.binder.as_of,
        loaded_at: filling.loaded_at,
        subjects,
        granted: filling.manifest.counts.granted,
    };
    let run = run_of(filling, &layout, summary.clone());
    load.document(RUN, 0, RunDocument::of(&run, &layout).write()?).await?;
    Ok(summary)
}

/// The places of the rows of a batch among all subjects of a kind.
#[derive(Clone, Copy)]
struct RowPlaces<'a> {
    /// Rows before it.
    first: usize,
    /// Of all rows, where not everybody's are there.
    given_out: Option<&'a [u32]>,
}

impl RowPlaces<'_> {
    fn of(&self, row: usize) -> Option<u32> {
        let row = self.first + row;
        self.given_out.map_or_else(|| u32::try_from(row).ok(), |places| places.get(row).copied())
    }
}

/// What one kind of subject is filled with.
struct OfKind<'a> {
    kind: SubjectKind,
    set_aside: &'a HashMap<String, BTreeSet<Arc<str>>>,
    /// Households and their members, by place: gathered from persons, sorted, told of households.
    members: &'a mut Vec<(u32, u32)>,
}

async fn fill_kind(
    filling: &Filling<'_>,
    catalogue: &mut Catalogue,
    layout: &mut Layout,
    of: OfKind<'_>,
    load: &mut dyn Load,
) -> Result<u64, FillError> {
    let (kind, dossiers) = (of.kind, filling.dossiers);
    let coverage = coverage(filling, catalogue, kind)?;
    let regions = about(kind, catalogue, false).regions;
    let mut found = BySubject::new(filling, layout, kind);
    let has_households = kind == SubjectKind::Person && dossiers.kinds().contains(&SubjectKind::Household);
    let conflicts = of_kind(&filling.resolution.conflicts, kind);
    let (mut scratch, mut entered, mut count, mut next_conflict) = (Scratch::default(), batch::Entered::default(), 0, 0);
    let given_out = dossiers.given_out(kind);
    let mut streams = dossiers.stream(kind)?;
    let (mut first, mut open) = (0_usize, streams.len());
    // Streams share the batches in turn: taken in turn, they give back the order of the subjects.
    while open > 0 {
        open = streams.len();
        for stream in &mut streams {
            if filling.cancel.is_cancelled() {
                return Err(DossierError::Cancelled.into());
            }
            let Some(batch) = stream.next().await else {
                open -= 1;
                continue;
            };
            let batch = batch.map_err(DossierError::from)?;
            let columns = Columns::new(layout, kind, &batch, &mut entered)?;
            let covered = coverage.evaluate(&batch, &mut scratch).map_err(|error| mapper::evaluation(&error))?;
            let ids = batch.column(0).as_string::<i32>();
            let places = RowPlaces { first, given_out: given_out.as_ref().map(|places| &***places) };
            if has_households {
                gather_members(dossiers, layout, &columns, places, of.members);
            }
            let rows = Rows {
                filling,
                layout,
                kind,
                columns: &columns,
                regions: columns.regions(&regions, &layout.facts[kind as usize], filling),
                covered: &covered,
                ids,
                subjects: found.places(ids),
                conflicts: conflicts_of(conflicts, &mut next_conflict, ids),
                found: &found,
                set_aside: of.set_aside,
                places,
                members: if kind == SubjectKind::Household { of.members } else { &[] },
            };
            let encoded: Vec<EncodedSubject> = rows.encode();
            count += encoded.len() as u64;
            load.subjects(kind, encoded).await?;
            scratch.recycle(covered);
            first += batch.num_rows();
            filling.progress.rows(batch.num_rows() as u64);
        }
    }
    Ok(count)
}

/// The conflicts of one kind: they are sorted by kind, then subject.
fn of_kind(conflicts: &[ConflictRow], kind: SubjectKind) -> &[ConflictRow] {
    let first = conflicts.partition_point(|row| row.kind < kind);
    let end = conflicts.partition_point(|row| row.kind <= kind);
    &conflicts[first..end]
}

/// The conflicts of each row that has any; both are in the order of identifiers.
fn conflicts_of<'a>(conflicts: &'a [ConflictRow], next: &mut usize, ids: &arrow::array::StringArray) -> HashMap<usize, &'a [ConflictRow]> {
    let mut found = HashMap::new();
    for (row, id) in ids.iter().enumerate() {
        let id = id.unwrap_or_default();
        while conflicts.get(*next).is_some_and(|conflict| &*conflict.subject_id < id) {
            *next += 1;
        }
        let end = *next + conflicts[*next..].iter().take_while(|conflict| &*conflict.subject_id == id).count();
        if end > *next {
            found.insert(row, &conflicts[*next..end]);
            *next = end;
        }
    }
    found
}

fn gather_members(dossiers: &Dossiers, layout: &Layout, columns: &Columns, places: RowPlaces<'_>, members: &mut Vec<(u32, u32)>) {
    let Some(household) = layout.household else { return };
    for row in 0..columns.n_rows {
        let place = columns.text(household, row).and_then(|id| dossiers.place(SubjectKind::Household, id));
        if let (Some(household), Some(person)) = (place, places.of(row)) {
            members.push((household, person));
        }
    }
}

/// Which registers have a row about whom in quarantine that leaves doubt, by identifier of today.
fn set_aside(dossiers: &Dossiers) -> HashMap<String, BTreeSet<Arc<str>>> {
    let mut found: HashMap<String, BTreeSet<Arc<str>>> = HashMap::new();
    for (register, outcome) in &dossiers.intake.registers {
        let doubtful = outcome.quarantine.entries.iter().filter(|entry| entry.leaves_doubt());
        for id in doubtful.filter_map(|entry| entry.subject.as_deref()) {
            let today = dossiers.intake.identities.today(id).unwrap_or(id);
            found.entry(today.to_owned()).or_default().insert(register.as_str().into());
        }
    }
    found
}

/// Whether each told policy of a kind covers a subject: what tells a no from a policy that is not about somebody.
fn coverage(filling: &Filling<'_>, catalogue: &mut Catalogue, kind: SubjectKind) -> Result<Program, FillError> {
    let binder = filling.binder;
    let policies = filling.policies.iter().filter(|policy| policy.document.subject == kind && (filling.told)(&policy.document.code));
    let roots: Vec<Expr> =
        policies.map(|policy| binder.bind(&catalogue.expand(&binder.bind(&policy.coverage), kind, 0, &|_| false))).collect();
    let compiled = Program::compile(&catalogue.schema(kind), &roots);
    Ok(compiled.map_err(|error| StoreError::Failed(error.to_string()))?)
}

/// The layout before any row: facts, policies, sets of missing facts.
fn layout(filling: &Filling<'_>, catalogue: &mut Catalogue) -> Result<Layout, FillError> {
    let mut layout = Layout::default();
    for kind in SubjectKind::ALL.into_iter().filter(|kind| filling.dossiers.kinds().contains(kind)) {
        let schema = catalogue.schema(kind);
        let Some(stream) = filling.dossiers.stream(kind)?.into_iter().next() else { continue };
        let fields = stream.schema();
        let indices = fields.fields().iter().filter_map(|field| schema.index_of(field.name()));
        let mut columns: Vec<FactColumn> = indices
            .map(|index| {
                let column = &schema.columns[index];
                let registers = catalogue.registers_of(FactId { kind, index });
                let is_stale = registers.iter().any(|register| filling.dossiers.silent.get(register) == Some(&Cause::Stale));
                let cause = if is_stale { Cause::Stale } else { Cause::Missing };
                FactColumn { name: Arc::clone(&column.name), ty: column.ty, scale: column.scale, cause }
            })
            .collect();
        columns.sort_by(|one, other| one.name.cmp(&other.name));
        layout.facts[kind as usize] = columns;
    }
    let household = about(SubjectKind::Person, catalogue, false).household;
    layout.household = household.and_then(|name| layout.facts[0].iter().position(|fact| *fact.name == *name));
    layout.enter_policies(&policies(filling));
    layout.missing = filling.resolution.missing.iter().map(|sets| sets.sets.clone()).collect();
    layout.commitments.clone_from(&filling.resolution.commitments);
    Ok(layout)
}

/// The policies that results tell of.
fn policies(filling: &Filling<'_>) -> Vec<RunPolicy> {
    let told = filling.resolution.policies.iter().filter(|policy| (filling.told)(&policy.code));
    let policy = |policy: &crate::eligibility::grant::PolicySummary| RunPolicy {
        code: Arc::clone(&policy.code),
        version: policy.version,
        kind: policy.kind,
        unit: Arc::clone(&policy.unit),
        period: Arc::clone(&policy.period),
        criteria: policy.criteria.clone(),
    };
    told.map(policy).collect()
}

fn run_of(filling: &Filling<'_>, layout: &Layout, summary: RunSummary) -> Run {
    let intake = &filling.dossiers.intake;
    Run {
        summary,
        manifest: filling.manifest.clone(),
        policies: policies(filling),
        silent: filling.dossiers.silent.iter().map(|(name, cause)| (name.as_str().into(), *cause)).collect(),
        data_days: intake.registers.iter().map(|(name, outcome)| (name.as_str().into(), outcome.data_day)).collect(),
        facts: layout.names(),
    }
}
