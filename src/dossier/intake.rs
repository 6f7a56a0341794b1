//! Intake: registers found and opened before any work, identity links followed, subjects listed, all rows read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use super::base::{Base, BasePlan};
use super::build::{Request, base_register};
use super::identity::{Identities, links_of};
use super::known::{KnownFacts, known_ids};
use super::read::{Reading, RegisterFound, read};
use super::rows::{RegisterRows, Registers};
use super::snapshot::Snapshot;
use super::subjects::SubjectIndex;
use super::{Cause, DossierError};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::register::declaration::{RegisterDeclaration, SubjectKind};
use crate::register::{ReadOptions, ReadOutcome, RegisterReader};

/// The register of changed identifiers.
pub const IDENTITY_LINKS: &str = "identity_links";

/// Rows in quarantine that are kept, a register; all are counted.
const QUARANTINE_KEPT: usize = 1_000_000;

/// What was read.
#[derive(Debug, Default)]
pub struct IntakeReport {
    /// What reading found, by register.
    pub registers: BTreeMap<String, ReadOutcome>,
    /// Rows not seen, because they are of a later day or were recorded after the data day, by register.
    pub unseen: BTreeMap<String, u64>,
    /// Rows whose identifier was renumbered, by register.
    pub renumbered: BTreeMap<String, u64>,
    /// The identifiers of today.
    pub identities: Identities,
    /// Registers that were not read: what they give was taken from a snapshot.
    pub taken: BTreeSet<String>,
}

/// Registers that are there, before the first row is read: what is missing is told before any work.
pub(super) struct Intake {
    readable: BTreeSet<String>,
    silent: BTreeMap<String, Cause>,
    report: IntakeReport,
    snapshot: Option<Snapshot>,
}

/// What all registers gave.
pub(super) struct Given {
    pub(super) report: IntakeReport,
    /// By register.
    pub(super) found: BTreeMap<String, RegisterFound>,
    /// The snapshot, if one is kept, for what links will give.
    pub(super) snapshot: Option<Snapshot>,
}

impl Intake {
    /// Opens the registers that are needed, to see that they are there with all their columns.
    ///
    /// # Errors
    ///
    /// When one is missing and not allowed to be, or cannot be opened.
    pub(super) fn open(request: &Request<'_>, needed: &BTreeSet<String>) -> Result<Self, DossierError> {
        let mut intake = Self { readable: BTreeSet::new(), silent: BTreeMap::new(), report: IntakeReport::default(), snapshot: None };
        let registers = Arc::clone(&request.catalogue.registers);
        for name in needed {
            let Some(declaration) = registers.registers.get(name) else { continue };
            if request.allow_missing.contains(name) {
                intake.silent.insert(name.clone(), Cause::Missing);
                continue;
            }
            let Some(source) = request.sources.get(name) else {
                return Err(DossierError::Told(Box::new(missing(declaration, request))));
            };
            let fresh_on = request.sources.fresh_on.unwrap_or(request.binder.as_of);
            if !declaration.is_fresh(source.data_day, fresh_on) {
                intake.silent.insert(name.clone(), Cause::Stale);
            }
            open(request, declaration, None)?;
            intake.readable.insert(name.clone());
        }
        intake.read_identities(request)?;
        if let Some(dir) = &request.options.snapshot {
            intake.snapshot = Some(Snapshot::open(dir, &intake.report.identities, request)?);
        }
        Ok(intake)
    }

    /// Registers that give nothing, and why.
    pub(super) fn silent(&self) -> &BTreeMap<String, Cause> {
        &self.silent
    }

    fn read_identities(&mut self, request: &Request<'_>) -> Result<(), DossierError> {
        let registers = Arc::clone(&request.catalogue.registers);
        let Some(declaration) = registers.registers.get(IDENTITY_LINKS) else { return Ok(()) };
        if request.sources.get(IDENTITY_LINKS).is_none() || request.allow_missing.contains(IDENTITY_LINKS) {
            return Ok(());
        }
        let mut reader = crate::register::open(
            declaration,
            request.sources.get(IDENTITY_LINKS).ok_or(DossierError::Cancelled)?,
            request.binder.regions,
            &ReadOptions::default(),
        )
        .map_err(DossierError::Told)?;
        let mut links = Vec::new();
        for batch in reader.by_ref() {
            links.extend(links_of(&batch.map_err(DossierError::Told)?));
        }
        self.report.registers.insert(IDENTITY_LINKS.to_owned(), reader.into_outcome());
        self.report.identities = Identities::new(links, request.binder.as_of);
        Ok(())
    }

    /// Lists the subjects of every kind, those of whom something is known among them.
    ///
    /// # Errors
    ///
    /// When a register cannot be read, or the work is cancelled.
    pub(super) fn subjects(
        &self,
        plans: &[BasePlan],
        known: &[KnownFacts],
        request: &Request<'_>,
    ) -> Result<BTreeMap<SubjectKind, Base>, DossierError> {
        let name = Message::new("列出服务对象", "listing subjects");
        request.progress.stage(name, None);
        // Those of whom something is known beforehand are of this build alone.
        let snapshot = self.snapshot.as_ref().filter(|_| known.is_empty());
        let read = |plan: &BasePlan| {
            if let Some(held) = snapshot.and_then(|snapshot| snapshot.base(plan, request)) {
                return Ok(held);
            }
            let listed = Base::read(plan, &self.report.identities, known_ids(known, plan.kind), request)?;
            if let Some(snapshot) = snapshot {
                snapshot.keep_base(plan, &listed);
            }
            Ok(listed)
        };
        let all = side_by_side(plans, request.options.threads, read)?;
        Ok(plans.iter().map(|plan| plan.kind).zip(all).collect())
    }

    /// Reads every register that the snapshot has not, and gives the snapshot back; as many at a time as there are threads and memory: those that subjects were just listed from first,
    /// while their files still are in the system's memory, then the larger ones.
    ///
    /// # Errors
    ///
    /// When reading fails, or the work is cancelled.
    pub(super) fn read(
        self,
        registers: &Registers,
        bases: &BTreeMap<SubjectKind, Base>,
        request: &Request<'_>,
    ) -> Result<Given, DossierError> {
        let Self { readable, mut report, snapshot, .. } = self;
        request.progress.stage(Message::new("读取登记库", "reading registers"), None);
        let mut names: Vec<&String> = readable.iter().collect();
        let is_base = |name: &str| bases.keys().any(|kind| base_register(*kind) == name);
        names.sort_by_key(|name| std::cmp::Reverse((is_base(name), bytes_of(name, request))));
        let at_once = request.options.threads.clamp(1, 4);
        let nothing = RegisterRows::default();
        let readings: Vec<Reading<'_>> = names
            .iter()
            .map(|name| Reading {
                declaration: &request.catalogue.registers.registers[*name],
                rows: registers.get(*name).unwrap_or(&nothing),
                bases,
                identities: &report.identities,
                budget: request.options.memory.map(|memory| memory / 8 * 3 / at_once),
            })
            .collect();
        let found = side_by_side(&readings, at_once, |reading| {
            if let Some(held) = snapshot.as_ref().and_then(|snapshot| snapshot.take(reading, request)) {
                request.progress.rows(held.outcome.as_ref().map_or(0, |outcome| outcome.rows_read));
                return Ok(held);
            }
            let mut found = read(reading, request)?;
            found.outcome.as_mut().map_or(Ok(()), ReadOutcome::hash_files).map_err(DossierError::Told)?;
            if let Some(snapshot) = &snapshot {
                snapshot.keep(reading, &mut found, request);
            }
            Ok(found)
        })?;
        drop(readings);
        let mut all = BTreeMap::new();
        for (name, mut found) in names.into_iter().zip(found) {
            report.unseen.insert(name.clone(), found.unseen);
            report.taken.extend(found.is_taken.then(|| name.clone()));
            report.renumbered.insert(name.clone(), found.renumbered);
            if let Some(outcome) = found.outcome.take() {
                report.registers.insert(name.clone(), outcome);
            }
            all.insert(name.clone(), found);
        }
        Ok(Given { report, found: all, snapshot })
    }
}

/// Works on items in their order, some at a time, each on a thread of its own; the first failure in that order counts.
fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R, DossierError> + Sync,
) -> Result<Vec<R>, DossierError> {
    let next = Mutex::new(0_usize);
    let done: Mutex<HashMap<usize, Result<R, DossierError>>> = Mutex::new(HashMap::new());
    let run = || {
        loop {
            let at = {
                let mut next = next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *next += 1;
                *next - 1
            };
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            let failed = result.is_err();
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(at, result);
            if failed {
                *next.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = items.len();
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(run);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut results = Vec::with_capacity(items.len());
    let mut failures: Vec<(usize, DossierError)> = Vec::new();
    for at in 0..items.len() {
        match done.remove(&at) {
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => failures.push((at, error)),
            None => {}
        }
    }
    match failures.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(results),
    }
}

fn bytes_of(register: &str, request: &Request<'_>) -> u64 {
    let files = request.sources.get(register).and_then(|source| source.files().ok()).unwrap_or_default();
    files.iter().map(|file| file.path.metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn missing(declaration: &RegisterDeclaration, request: &Request<'_>) -> Diagnostic {
    let name = &declaration.name;
    Diagnostic::new(
        &code::REGISTER_MISSING,
        format!("登记库“{name}”({}) 没有来源", declaration.label.zh),
        format!("register `{name}` ({}) has no source", declaration.label.en),
    )
    .did_you_mean(name, request.sources.sources.keys().map(String::as_str))
    .help(
        format!("在 sources.yaml 里加上 {name}; 确实没有的, 用 --allow-missing {name} 使其事实为未知"),
        format!("add {name} to sources.yaml, or say --allow-missing {name} to make its facts unknown"),
    )
}

/// Opens a register, some of its columns or all.
pub(super) fn open(
    request: &Request<'_>,
    declaration: &RegisterDeclaration,
    columns: Option<Vec<String>>,
) -> Result<RegisterReader, DossierError> {
    let Some(source) = request.sources.get(&declaration.name) else {
        return Err(DossierError::Told(Box::new(missing(declaration, request))));
    };
    let options = ReadOptions { columns, quarantine_limit: QUARANTINE_KEPT, dictionaries: true, ..ReadOptions::default() };
    crate::register::open(declaration, source, request.binder.regions, &options).map_err(DossierError::Told)
}

/// The subjects of a kind; none where the kind has no base.
pub(super) fn index_of(bases: &BTreeMap<SubjectKind, Base>, kind: SubjectKind) -> Option<&SubjectIndex> {
    bases.get(&kind).map(|base| &*base.index)
}
