//! `match --store`: the run put into a store, and published once everything else is in its place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use walkdir::WalkDir;

use super::match_registers::{Args, scratch};
use super::match_results::Request;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Message};
use crate::dossier::Dossiers;
use crate::dossier::identity::Identities;
use crate::eligibility::grant::Resolution;
use crate::eligibility::results::manifest::{LedgerState, Manifest};
use crate::eligibility::results::{QuarantineRow, common_tables};
use crate::hex;
use crate::ledger::{Case, Said};
use crate::register::Sources;
use crate::register::declaration::SubjectKind;
use crate::serve::clock;
use crate::store::fill::{Filling, fill};
use crate::store::live::{CaseFilter, CasePages, Live};
use crate::store::trail::Head;
use crate::store::{Address, Load, PolicyFile, RunSummary, Store, StoreError};

/// The largest file of a policies folder that is kept with a run.
const LARGEST_FILE: u64 = 16 << 20;

/// How often cases are read again when some moved on meanwhile.
const READ_AT_MOST: u32 = 3;

/// A store that a run goes into.
pub struct Target {
    address: Address,
    store: Arc<dyn Store>,
    load: Box<dyn Load>,
}

/// Opens the store that is asked for, before any work.
///
/// # Errors
///
/// When it cannot be opened, or another run is being loaded.
pub async fn open(args: &Args) -> Result<Option<Target>, Diagnostic> {
    let Some(text) = &args.store else { return Ok(None) };
    let address = Address::parse(text).map_err(|error| error.into_diagnostic("--store"))?;
    let told = |error: StoreError| error.into_diagnostic(&address.place());
    let store = address.make().await.map_err(told)?;
    let load = store.load().await.map_err(told)?;
    Ok(Some(Target { address, store, load }))
}

/// The facts that dossiers must have for the store beside those that the run reads anyway.
#[must_use]
pub fn facts(
    catalogue: &mut Catalogue,
    binder: &Binder<'_>,
    policies: &[CheckedPolicy],
    sources: &Sources,
    allow_missing: &BTreeSet<String>,
) -> BTreeSet<FactId> {
    crate::store::fill::facts(catalogue, binder, policies, &|register| sources.get(register).is_some() || allow_missing.contains(register))
}

/// What is stored of a run.
pub struct Stored<'a> {
    /// The dossiers.
    pub dossiers: &'a Dossiers,
    /// What was resolved.
    pub resolution: &'a Resolution<'a>,
    /// Facts that are unknown for every judged subject.
    pub whole_register_unknown: &'a BTreeSet<(SubjectKind, Arc<str>)>,
    /// What the run was.
    pub manifest: &'a Manifest,
    /// What could not be read.
    pub quarantine: &'a [QuarantineRow],
}

/// A run that is in the store, and that nobody sees yet.
pub struct Filled {
    target: Target,
    summary: RunSummary,
}

impl Target {
    /// What the cases of the store say by a day of what is given and refused, and the state of the ledger that this is; nothing
    /// where it has none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn said(&self, identities: &Identities, by: NaiveDate) -> Result<(Said, Option<LedgerState>), Diagnostic> {
        let told = |error: StoreError| error.into_diagnostic(&self.store.place());
        waiting(async {
            let Some(live) = self.store.live_if_there().await? else { return Ok((Said::default(), None)) };
            let mut tries = 0;
            loop {
                let before = live.events_head().await?;
                let said = all_said(&*live, identities, by).await?;
                let at_rest = live.events_head().await? == before;
                tries += 1;
                if at_rest || tries == READ_AT_MOST {
                    let state = |head: Head| LedgerState { event: head.seq, hash: hex::digits(&head.hash), at_rest };
                    return Ok((said, before.map(state)));
                }
            }
        })
        .map_err(told)
    }

    /// Where intermediate files go when there is no other place: beside the store, or where the system has them.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        match &self.address {
            Address::Sqlite(path) => scratch(path),
            Address::Postgres(_) => std::env::temp_dir(),
        }
    }

    /// Writes the run.
    ///
    /// # Errors
    ///
    /// When the store cannot be written, or the work is cancelled.
    pub fn fill(mut self, request: &Request<'_>, stored: &Stored<'_>) -> Result<Filled, Diagnostic> {
        request.bar.stage(Message::new("装入存储", "loading the store"), None);
        let place = self.store.place();
        let chosen = &request.args.policy;
        let told = move |code: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == code);
        let tables = common_tables(stored.resolution, request.as_of, stored.quarantine);
        let policy_files = policy_files(&request.folder.dir).map_err(|error| error.into_diagnostic(&place))?;
        let filling = Filling {
            catalogue: request.catalogue,
            binder: request.binder,
            policies: request.policies,
            told: &told,
            dossiers: stored.dossiers,
            resolution: stored.resolution,
            whole_register_unknown: stored.whole_register_unknown,
            within: request.args.region.as_deref(),
            wanted: None,
            manifest: stored.manifest,
            tables: &tables,
            policy_files: &policy_files,
            loaded_at: clock::now(),
            progress: request.bar,
            cancel: request.cancel,
        };
        let filled = waiting(fill(&filling, &mut *self.load));
        let summary = filled.map_err(|error| error.into_diagnostic(&place))?;
        Ok(Filled { target: self, summary })
    }
}

impl Filled {
    /// Lets readers see the run; tells where it is.
    ///
    /// # Errors
    ///
    /// When the store cannot be written: it then shows the run of before.
    pub fn publish(self, request: &Request<'_>) -> Result<String, Diagnostic> {
        let Self { target, summary } = self;
        let place = target.store.place();
        let keep = usize::try_from(request.args.keep_runs).unwrap_or(usize::MAX);
        let id = waiting(target.load.finish(summary, keep)).map_err(|error| error.into_diagnostic(&place))?;
        Ok(format!("{place} · {} {id}", request.context.pick("批次", "run")))
    }
}

/// What all cases say by a day.
async fn all_said(live: &dyn Live, identities: &Identities, by: NaiveDate) -> Result<Said, StoreError> {
    let mut said = Said::default();
    let mut pages = CasePages::new(live, CaseFilter::default());
    while let Some(rows) = pages.next().await? {
        for row in &rows {
            said.take(&Case::of(row)?, identities, by);
        }
    }
    Ok(said)
}

/// Waits for the store, on a thread of the run's own runtime.
fn waiting<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

/// Every text of a policies folder, by path.
fn policy_files(dir: &Path) -> Result<Vec<PolicyFile>, StoreError> {
    let mut files = Vec::new();
    for entry in WalkDir::new(dir).sort_by_file_name().into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        if entry.metadata().map_or(true, |data| data.len() > LARGEST_FILE) {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(|error| StoreError::Failed(format!("{}: {error}", entry.path().display())))?;
        // What is no text is not part of any policy.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let path = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        files.push(PolicyFile { path: path.to_string_lossy().replace('\\', "/"), text });
    }
    Ok(files)
}
