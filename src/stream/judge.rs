//! Subjects judged by the very code of `match`, on rows in memory: dossiers, verdicts, and grants before allocation.
//!
//! ```text
//!  rows of those who are needed ─▶ sources in memory ─▶ dossiers ─▶ Program ─▶ resolution, without budgets ─▶ store::fill ─▶ StoredSubject
//! ```
//!
//! Policies are compiled once. What a budget has to be shared out of is a dated round over everybody: here it counts as granted, and
//! is held for that round (see [`Judge::is_held`]). Facts that nobody has are told with each subject: a few subjects do not tell
//! that a whole register is silent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::paths::Paths;
use super::standing::{self, Dictionary};
use super::timer::Timers;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::progress::{Cancel, Progress, Silent};
use crate::dossier::build::{EachRequest, Request, build_beside};
use crate::dossier::known::Beforehand;
use crate::dossier::plan::Plan;
use crate::dossier::{DossierError, Dossiers, Options};
use crate::eligibility::compiled::{CompiledKind, compile};
use crate::eligibility::given_registers::{read_paid, read_refusals};
use crate::eligibility::input::ResolutionInput;
use crate::eligibility::resolution::resolve;
use crate::eligibility::results::manifest::{Engine, Manifest, RunCounts};
use crate::eligibility::run::{On, Set, conflicts, judge_again, occasions_of};
use crate::explain::facts::facts_read;
use crate::ledger::{Case, Renumbered, Said};
use crate::register::declaration::SubjectKind;
use crate::register::{HeldRows, RegisterSource, Sources};
use crate::store::body::{Layout, RunDocument, decode};
use crate::store::documents::RUN;
use crate::store::fill::{FillError, Filling, facts, fill};
use crate::store::{EncodedSubject, Load, Run, RunId, RunSummary, StoreError, StoredSubject};

/// What a judge is made of.
pub struct Ground<'a> {
    /// The policies of the day, sorted by code, without their budgets ([`before_allocation`]).
    pub policies: &'a [CheckedPolicy],
    /// Every fact.
    pub catalogue: Catalogue,
    /// The day, parameters, regions.
    pub binder: &'a Binder<'a>,
    /// The day that each register's delivery speaks for; registers that are not here are not there.
    pub data_days: BTreeMap<String, NaiveDate>,
    /// Registers absent on purpose.
    pub allow_missing: BTreeSet<String>,
    /// Policies whose budget is shared out in rounds, by code.
    pub held: BTreeSet<String>,
    /// Where intermediate files go.
    pub scratch: PathBuf,
    /// Threads.
    pub threads: usize,
}

/// Policies as they are judged before allocation: without budgets. Gives the codes of those that had one.
#[must_use]
pub fn before_allocation(policies: BTreeMap<String, CheckedPolicy>) -> (BTreeMap<String, CheckedPolicy>, BTreeSet<String>) {
    let held = policies.iter().filter(|(_, policy)| policy.document.budget.is_some()).map(|(code, _)| code.clone()).collect();
    let without = |(code, mut policy): (String, CheckedPolicy)| {
        if policy.document.budget.is_some() {
            Arc::make_mut(&mut policy.document).budget = None;
            policy.budget = None;
        }
        (code, policy)
    };
    (policies.into_iter().map(without).collect(), held)
}

/// Whom a judge is asked about; by default everybody of whom there are rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// Those who are judged; none: everybody.
    pub judged: Option<&'a BTreeSet<String>>,
    /// Those of them who come out; none: all.
    pub wanted: Option<&'a BTreeSet<String>>,
    /// What need not be read.
    pub known: Beforehand<'a>,
}

/// Names of facts, by kind.
pub type FactNames = BTreeMap<SubjectKind, BTreeSet<Arc<str>>>;

/// Policies, ready to judge any subjects.
pub struct Judge<'a> {
    ground: Ground<'a>,
    kinds: Vec<SubjectKind>,
    compiled: Vec<CompiledKind>,
    each: Vec<EachRequest>,
    /// All facts that dossiers have.
    asked: BTreeSet<FactId>,
    /// Those that policies need, with all that these rest on.
    needed: BTreeSet<FactId>,
    paths: Paths,
    timers: Timers,
}

/// What was found of some subjects.
pub struct Judged {
    /// What they were judged by.
    pub run: Run,
    /// Who of them had another identifier before.
    pub renumbered: Renumbered,
    /// Their dossiers, and those of all that they rest on.
    pub dossiers: Dossiers,
    layout: Layout,
    encoded: Vec<(SubjectKind, EncodedSubject)>,
}

impl Judged {
    /// Those who are there, in the order of kinds and identifiers, one by one: encoded they take a tenth of the room.
    pub fn subjects(&self) -> impl Iterator<Item = Result<StoredSubject, StoreError>> {
        self.encoded.iter().map(|(kind, subject)| decode(&self.layout, *kind, &subject.id, &subject.body))
    }

    /// What they have in common, for bodies to be compressed against.
    #[must_use]
    pub fn dictionary(&self) -> Dictionary {
        standing::dictionary(&self.run.policies, &self.layout)
    }

    /// Their identifiers, of one kind, in order.
    pub fn ids(&self, kind: SubjectKind) -> impl Iterator<Item = &str> {
        self.encoded.iter().filter(move |(other, _)| *other == kind).map(|(_, subject)| &*subject.id)
    }

    /// Those of some identifiers who are there, in the order of kinds and identifiers: to be read with [`Self::read`].
    #[must_use]
    pub fn of(&self, ids: &BTreeSet<String>) -> Vec<(SubjectKind, &EncodedSubject)> {
        let find = |kind: SubjectKind, id: &str| {
            let found = self.encoded.binary_search_by(|(other, subject)| (*other, &*subject.id).cmp(&(kind, id)));
            found.ok().map(|at| (kind, &self.encoded[at].1))
        };
        SubjectKind::ALL.into_iter().flat_map(|kind| ids.iter().filter_map(move |id| find(kind, id))).collect()
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn read(&self, kind: SubjectKind, subject: &EncodedSubject) -> Result<StoredSubject, StoreError> {
        decode(&self.layout, kind, &subject.id, &subject.body)
    }
}

impl<'a> Judge<'a> {
    /// Compiles the policies, and works out which facts dossiers must have: those that a stored run has too.
    ///
    /// # Errors
    ///
    /// When a policy cannot be compiled, which checking should have told.
    pub fn new(mut ground: Ground<'a>) -> Result<Self, DossierError> {
        let there = |register: &str| ground.data_days.contains_key(register) || ground.allow_missing.contains(register);
        let also = facts(&mut ground.catalogue, ground.binder, ground.policies, &there);
        let is_judged = |kind: &SubjectKind| ground.policies.iter().any(|policy| policy.document.subject == *kind);
        let kinds: Vec<SubjectKind> =
            SubjectKind::ALL.into_iter().filter(|kind| is_judged(kind) || also.iter().any(|fact| fact.kind == *kind)).collect();
        let mut compiled = Vec::new();
        for kind in kinds.iter().copied().filter(is_judged) {
            compiled.push(compile(kind, ground.policies, &mut ground.catalogue, ground.binder, false).map_err(DossierError::Told)?);
        }
        let each = occasions_of(&compiled);
        let read: BTreeSet<FactId> = compiled.iter().flat_map(|compiled| compiled.facts.iter().copied()).collect();
        let of_occasions = || each.iter().flat_map(|each| each.facts.iter().copied());
        let needed =
            Plan::new(&mut ground.catalogue, ground.binder, read.iter().copied().chain(of_occasions()))?.facts.into_keys().collect();
        let timers = Timers::new(&ground.catalogue, ground.binder);
        ground.catalogue = timers.catalogue().clone();
        let asked: BTreeSet<FactId> = also.into_iter().chain(read).chain(timers.facts()).collect();
        let plan = Plan::new(&mut ground.catalogue, ground.binder, asked.iter().copied().chain(of_occasions()))?;
        let paths = Paths::new(&ground.catalogue, &plan, &asked, &each, ground.policies);
        Ok(Self { ground, kinds, compiled, each, asked, needed, paths, timers })
    }

    /// The day that verdicts are about.
    #[must_use]
    pub fn as_of(&self) -> NaiveDate {
        self.ground.binder.as_of
    }

    /// Which ways dossiers go from a subject to others.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// When verdicts may be others though nothing changes but the day.
    #[must_use]
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Facts and registers.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.ground.catalogue
    }

    /// The policies, without budgets.
    #[must_use]
    pub fn policies(&self) -> &'a [CheckedPolicy] {
        self.ground.policies
    }

    /// The registers that are there.
    #[must_use]
    pub fn data_days(&self) -> &BTreeMap<String, NaiveDate> {
        &self.ground.data_days
    }

    /// Registers that are absent on purpose.
    #[must_use]
    pub fn allow_missing(&self) -> &BTreeSet<String> {
        &self.ground.allow_missing
    }

    /// The facts that some policies read, with those that these rest on, by kind.
    #[must_use]
    pub fn read_by(&self, codes: &BTreeSet<String>) -> FactNames {
        let mut catalogue = self.ground.catalogue.clone();
        let policies = self.ground.policies.iter().filter(|policy| codes.contains(&policy.document.code));
        let facts = facts_read(&mut catalogue, self.ground.binder, policies);
        let mut names = FactNames::new();
        for id in catalogue.needed(facts) {
            names.entry(id.kind).or_default().insert(Arc::clone(&catalogue.fact(id).name));
        }
        names
    }

    /// Whether a policy's grants wait for a round that shares out its budget.
    #[must_use]
    pub fn is_held(&self, policy: &str) -> bool {
        self.ground.held.contains(policy)
    }

    /// Judges on the rows given. `cases`: of those who are judged, for what these say of payments and refusals.
    ///
    /// # Errors
    ///
    /// When dossiers cannot be made, or an amount overflows.
    pub async fn judge(&mut self, rows: BTreeMap<String, HeldRows>, cases: &[Case], about: &About<'_>) -> Result<Judged, FillError> {
        let sources = self.sources(rows);
        self.judge_on(&sources, cases, about).await
    }

    /// The same on registers wherever they are.
    ///
    /// # Errors
    ///
    /// As [`Judge::judge`], and when a register cannot be read.
    pub async fn judge_on(&mut self, sources: &Sources, cases: &[Case], about: &About<'_>) -> Result<Judged, FillError> {
        let cancel = Cancel::default();
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let ground = &mut self.ground;
        let options = Options::new(ground.threads, ground.scratch.clone());
        let request = Request {
            catalogue: &mut ground.catalogue,
            binder: ground.binder,
            facts: self.asked.clone(),
            kinds: self.kinds.clone(),
            each: self.each.clone(),
            sources,
            allow_missing: &ground.allow_missing,
            options,
            progress: Arc::clone(&progress),
            cancel: cancel.clone(),
        };
        let mut dossiers = build_beside(request, about.known).await?;
        if let Some(judged) = about.judged {
            dossiers.give_out_only(judged);
        }
        let ground = &self.ground;
        let set = Set { policies: ground.policies, binder: ground.binder };
        let on = On {
            dossiers: &dossiers,
            catalogue: &ground.catalogue,
            within: None,
            counts_only: false,
            threads: ground.threads,
            progress: &*progress,
            cancel: &cancel,
        };
        let found = judge_again(&set, &self.compiled, &on)?;
        let (registers, identities) = (&ground.catalogue.registers, &dossiers.intake.identities);
        let (mut paid, _) = read_paid(registers, sources, ground.binder, identities).map_err(DossierError::Told)?;
        let (mut refusals, _) = read_refusals(registers, sources, ground.binder, identities).map_err(DossierError::Told)?;
        let mut disagreeing = conflicts(&dossiers, &ground.catalogue, Some(&self.needed));
        let mut said = Said::default();
        for case in cases {
            said.take(case, identities, ground.binder.as_of);
        }
        said.beside(&mut paid, &mut refusals, &mut disagreeing);
        let nothing = BTreeSet::new();
        let budgets = vec![None; ground.policies.len()];
        let resolution = resolve(
            &found.findings,
            &ResolutionInput {
                policies: ground.policies,
                budgets: &budgets,
                as_of: ground.binder.as_of,
                paid: &paid,
                refusals: &refusals,
                conflicts: &disagreeing,
                whole_register_unknown: &nothing,
                fact_registers: &found.fact_registers,
            },
        );
        let mut collected = Collected::default();
        let manifest = no_manifest(ground.binder.as_of);
        let is_wanted = |id: &str| about.wanted.is_none_or(|wanted| wanted.contains(id));
        let filling = Filling {
            catalogue: &ground.catalogue,
            binder: ground.binder,
            policies: ground.policies,
            told: &|_| true,
            dossiers: &dossiers,
            resolution: &resolution,
            whole_register_unknown: &nothing,
            within: None,
            wanted: Some(&is_wanted),
            manifest: &manifest,
            tables: &[],
            policy_files: &[],
            loaded_at: 0,
            progress: &*progress,
            cancel: &cancel,
        };
        let summary = fill(&filling, &mut collected).await?;
        let (run, layout) = RunDocument::read(&collected.run, summary)?;
        Ok(Judged { run, renumbered: collected.aliases.into_iter().collect(), dossiers, layout, encoded: collected.subjects })
    }

    fn sources(&self, mut rows: BTreeMap<String, HeldRows>) -> Sources {
        let source = |(register, day): (&String, &NaiveDate)| {
            let held = Arc::new(rows.remove(register).unwrap_or_default());
            (register.clone(), RegisterSource::of_rows(register, held, *day))
        };
        Sources { sources: self.ground.data_days.iter().map(source).collect(), fresh_on: None }
    }
}

/// Subjects as they would be stored.
#[derive(Default)]
struct Collected {
    subjects: Vec<(SubjectKind, EncodedSubject)>,
    /// Identifiers of before, with those of today.
    aliases: Vec<(String, String)>,
    /// The document of the run.
    run: Vec<u8>,
}

#[async_trait]
impl Load for Collected {
    async fn subjects(&mut self, kind: SubjectKind, rows: Vec<EncodedSubject>) -> Result<(), StoreError> {
        self.subjects.extend(rows.into_iter().map(|row| (kind, row)));
        Ok(())
    }

    async fn aliases(&mut self, _: SubjectKind, aliases: Vec<(String, String)>) -> Result<(), StoreError> {
        self.aliases.extend(aliases);
        Ok(())
    }

    async fn document(&mut self, name: &str, _: u32, body: Vec<u8>) -> Result<(), StoreError> {
        if name == RUN {
            self.run = body;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, _: RunSummary, _: usize) -> Result<RunId, StoreError> {
        Ok(RunId(0))
    }
}

/// What a run's document must say of itself.
fn no_manifest(as_of: NaiveDate) -> Manifest {
    Manifest {
        engine: Engine::this(),
        as_of: as_of.to_string(),
        known_at: None,
        options: BTreeMap::new(),
        inputs: BTreeMap::new(),
        policies: BTreeMap::new(),
        parameters_sha256: String::new(),
        ledger: None,
        counts: RunCounts::default(),
        results: BTreeMap::new(),
    }
}
