//! One run: what the policies need is built, evaluated and put together as findings.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::compiled::{CompiledKind, compile};
use super::dossier_file::DossierFile;
use super::evaluate::{Context, Part, Spread, evaluate_stream, merge, read_occasions, spread};
use super::finding::Findings;
use super::grant::ConflictRow;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::diagnostic::Message;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::build::{Request, build};
use crate::dossier::plan::Plan;
use crate::dossier::{Cause, Disagreement, DossierError, Dossiers, Options};
use crate::register::declaration::SubjectKind;
use crate::register::sources::Sources;

/// What one run is asked.
pub struct Run<'a> {
    /// The policies, checked, sorted by code.
    pub policies: &'a [CheckedPolicy],
    /// Facts; grows by what links must carry.
    pub catalogue: &'a mut Catalogue,
    /// The day, parameters, regions.
    pub binder: &'a Binder<'a>,
    /// Where registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// Only subjects counted in this region, if any.
    pub within: Option<&'a str>,
    /// Whether only counts are wanted.
    pub counts_only: bool,
    /// Facts that dossiers must have beside those that policies read; none computed.
    pub also: BTreeSet<FactId>,
    /// How dossiers are built.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// What one run found.
pub struct Found {
    /// Verdicts.
    pub findings: Findings,
    /// The dossiers, with what was read; none for a run on a dossier file.
    pub dossiers: Option<Dossiers>,
    /// Facts that are unknown for every judged subject.
    pub whole_register_unknown: BTreeSet<(SubjectKind, Arc<str>)>,
    /// The register that has the authority over each fact.
    pub fact_registers: BTreeMap<(SubjectKind, Arc<str>), Arc<str>>,
    /// Seconds by stage.
    pub seconds: Vec<(&'static str, f64)>,
    /// Where dossiers have more facts than the policies need: those that they need, with all that these rest on.
    pub needed: Option<BTreeSet<FactId>>,
}

/// Runs policies over registers.
///
/// # Errors
///
/// When a policy does not compile, a register cannot be read, space or memory runs out, or the work is cancelled.
pub async fn run(run: Run<'_>) -> Result<Found, DossierError> {
    let Run { policies, catalogue, binder, sources, allow_missing, within, counts_only, also, options, progress, cancel } = run;
    let sets = [Set { policies, binder }];
    let several = Several { sets: &sets, catalogue, facts: also, sources, allow_missing, within, counts_only, options, progress, cancel };
    let OnSame { dossiers, mut found, needed, .. } = run_several(several).await?;
    let found = found.pop().map(|found| Found { dossiers: Some(dossiers), needed, ..found });
    found.ok_or(DossierError::Cancelled)
}

/// One of several sets of policies that are run over the same dossiers.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    /// The policies, checked against one catalogue, sorted by code.
    pub policies: &'a [CheckedPolicy],
    /// The day, parameters, regions. What dossiers hold must not depend on which of the sets' binders is taken.
    pub binder: &'a Binder<'a>,
}

/// What several sets of policies are asked over the same dossiers.
pub struct Several<'a> {
    /// The sets; dossiers are bound as the first one says.
    pub sets: &'a [Set<'a>],
    /// Facts of all sets; grows by what links must carry.
    pub catalogue: &'a mut Catalogue,
    /// Facts that dossiers must have beside those that policies read; none computed.
    pub facts: BTreeSet<FactId>,
    /// Where registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// Only subjects counted in this region, if any.
    pub within: Option<&'a str>,
    /// Whether only counts are wanted.
    pub counts_only: bool,
    /// How dossiers are built.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// What several sets of policies found on the same dossiers.
pub struct OnSame {
    /// The dossiers.
    pub dossiers: Dossiers,
    /// By set; their `dossiers` are none.
    pub found: Vec<Found>,
    /// By set, its policies by kind, as they were run.
    pub compiled: Vec<Vec<CompiledKind>>,
    /// Where more facts were asked for: those that the policies need, with all that these rest on.
    pub needed: Option<BTreeSet<FactId>>,
}

/// Builds dossiers once and runs several sets of policies over them.
///
/// # Errors
///
/// As [`run`].
pub async fn run_several(several: Several<'_>) -> Result<OnSame, DossierError> {
    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    let started = std::time::Instant::now();
    let Several { sets, catalogue, facts, sources, allow_missing, within, counts_only, options, progress, cancel } = several;
    let of_kind = |set: &Set<'_>, kind| set.policies.iter().any(|policy| policy.document.subject == kind);
    let of_facts: BTreeSet<SubjectKind> = facts.iter().map(|id| id.kind).collect();
    let all = SubjectKind::ALL.into_iter();
    let kinds: Vec<_> = all.filter(|kind| of_facts.contains(kind) || sets.iter().any(|set| of_kind(set, *kind))).collect();
    let mut compiled: Vec<Vec<CompiledKind>> = Vec::new();
    for set in sets {
        let kinds = kinds.iter().filter(|kind| of_kind(set, **kind));
        let of_set = kinds.map(|&kind| compile(kind, set.policies, catalogue, set.binder, false)).collect::<Result<Vec<_>, _>>();
        compiled.push(of_set.map_err(DossierError::Told)?);
    }
    let (each, each_places) = each_requests(&compiled);
    let read = compiled.iter().flatten().flat_map(|compiled| compiled.facts.iter().copied());
    let compiled_at = started.elapsed().as_secs_f64();
    let [first, ..] = sets else { return Err(DossierError::Cancelled) };
    let read: BTreeSet<FactId> = read.collect();
    let needed = if facts.is_empty() {
        None
    } else {
        let of_occasions = each.iter().flat_map(|each| each.facts.iter().copied());
        Some(Plan::new(catalogue, first.binder, read.iter().copied().chain(of_occasions))?.facts.into_keys().collect())
    };
    let dossiers = build(Request {
        catalogue,
        binder: first.binder,
        facts: facts.into_iter().chain(read).collect(),
        kinds,
        each,
        sources,
        allow_missing,
        options: options.clone(),
        progress: Arc::clone(&progress),
        cancel: cancel.clone(),
    })
    .await?;
    let built_at = started.elapsed().as_secs_f64();
    let mut found = Vec::new();
    for ((set, compiled), places) in sets.iter().zip(&compiled).zip(&each_places) {
        #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
        let judging = std::time::Instant::now();
        let on =
            On { dossiers: &dossiers, catalogue, within, counts_only, threads: options.threads, progress: &*progress, cancel: &cancel };
        let mut of_set = judge(set, compiled, places, &on)?;
        of_set.seconds = vec![
            ("compile", compiled_at),
            ("registers_to_dossiers", built_at - compiled_at),
            ("evaluate", judging.elapsed().as_secs_f64()),
        ];
        found.push(of_set);
    }
    Ok(OnSame { dossiers, found, compiled, needed })
}

/// What a set of policies is judged on.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// The dossiers.
    pub dossiers: &'a Dossiers,
    /// Facts, as they were when the policies were compiled.
    pub catalogue: &'a Catalogue,
    /// Only subjects counted in this region, if any.
    pub within: Option<&'a str>,
    /// Whether only counts are wanted.
    pub counts_only: bool,
    /// Threads.
    pub threads: usize,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// When to stop.
    pub cancel: &'a Cancel,
}

/// Judges a set of policies on dossiers that hold what it reads, and whose occasions are those of the set alone
/// ([`occasions_of`]): such as other dossiers of the facts that [`run_several`] ran it on.
///
/// # Errors
///
/// As [`run`].
pub fn judge_again(set: &Set<'_>, compiled: &[CompiledKind], on: &On<'_>) -> Result<Found, DossierError> {
    judge(set, compiled, &each_places(compiled, &mut 0), on)
}

/// Evaluates a set of policies over the dossiers of all their kinds.
fn judge(set: &Set<'_>, compiled: &[CompiledKind], each_places: &BTreeMap<u32, usize>, on: &On<'_>) -> Result<Found, DossierError> {
    let mut findings = Findings { counts: vec![BTreeMap::new(); set.policies.len()], ..Findings::default() };
    let mut whole_register_unknown = BTreeSet::new();
    let mut fact_registers = BTreeMap::new();
    for compiled in compiled {
        on.progress.stage(Message::new(format!("判定 {}", compiled.kind), format!("judging: {}", compiled.kind)), None);
        let causes = causes(on.catalogue, compiled, on.dossiers);
        let context = Context {
            compiled,
            policies: set.policies.len(),
            regions: set.binder.regions,
            as_of: set.binder.as_of,
            causes: &causes,
            within: on.within,
            counts_only: on.counts_only,
            progress: on.progress,
            cancel: on.cancel,
        };
        let parts = in_parallel(&context, on.dossiers.stream_of(compiled.kind, &compiled.reads())?)?;
        let known = merge(&mut findings, compiled.kind, parts);
        for index in compiled.policies.iter().flat_map(|policy| policy.committed.keys().copied()) {
            let id = FactId { kind: compiled.kind, index };
            if let Some(register) = authority(on.catalogue, id) {
                fact_registers.insert((compiled.kind, Arc::clone(&on.catalogue.fact(id).name)), register.as_str().into());
            }
        }
        for id in &compiled.facts {
            let name = &compiled.schema.columns[id.index].name;
            if let Some(register) = authority(on.catalogue, *id) {
                fact_registers.insert((compiled.kind, Arc::clone(name)), register.as_str().into());
            }
            if !known.contains(&id.index) && findings.judged[compiled.kind as usize] > 0 {
                whole_register_unknown.insert((compiled.kind, Arc::clone(name)));
            }
        }
        if !on.counts_only {
            spread_occasions(compiled, on.dossiers, each_places, on.threads, &mut findings)?;
        }
    }
    Ok(Found { findings, dossiers: None, whole_register_unknown, fact_registers, seconds: Vec::new(), needed: None })
}

/// Runs policies over ready-made dossiers of one kind.
///
/// # Errors
///
/// As [`run`].
pub async fn run_on_file(run: Run<'_>, file: &DossierFile, kind: SubjectKind) -> Result<Found, DossierError> {
    let Run { policies, catalogue, binder, within, counts_only, progress, cancel, .. } = run;
    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    let started = std::time::Instant::now();
    let compiled = compile(kind, policies, catalogue, binder, true).map_err(DossierError::Told)?;
    let compiled_at = started.elapsed().as_secs_f64();
    progress.stage(Message::new(format!("判定 {kind}"), format!("judging: {kind}")), None);
    let causes = vec![Cause::Missing; compiled.schema.columns.len()];
    let context = Context {
        compiled: &compiled,
        policies: policies.len(),
        regions: binder.regions,
        as_of: binder.as_of,
        causes: &causes,
        within,
        counts_only,
        progress: &*progress,
        cancel: &cancel,
    };
    let names: Vec<String> = compiled.facts.iter().map(|id| compiled.schema.columns[id.index].name.to_string()).collect();
    let parts = in_parallel(&context, file.streams(&names).await?)?;
    let mut findings = Findings { counts: vec![BTreeMap::new(); policies.len()], ..Findings::default() };
    let known = merge(&mut findings, kind, parts);
    let whole_register_unknown = compiled
        .facts
        .iter()
        .filter(|id| !known.contains(&id.index) && findings.judged[kind as usize] > 0)
        .map(|id| (kind, Arc::clone(&compiled.schema.columns[id.index].name)))
        .collect();
    let seconds = vec![("compile", compiled_at), ("evaluate", started.elapsed().as_secs_f64() - compiled_at)];
    Ok(Found { findings, dossiers: None, whole_register_unknown, fact_registers: BTreeMap::new(), seconds, needed: None })
}

/// Evaluates the streams of one shard, as many at a time as there are.
fn in_parallel(context: &Context<'_>, streams: Vec<datafusion::execution::SendableRecordBatchStream>) -> Result<Vec<Part>, DossierError> {
    let handle = tokio::runtime::Handle::current();
    // Scoped threads: evaluation is work, not waiting, and borrows the compiled policies.
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = streams
                .into_iter()
                .map(|stream| {
                    let handle = handle.clone();
                    scope.spawn(move || handle.block_on(evaluate_stream(context, stream)))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(DossierError::Cancelled))).collect()
        })
    })
}

/// The rows that the policies of a set need for their occasions, in the order in which [`judge_again`] looks for them.
#[must_use]
pub fn occasions_of(compiled: &[CompiledKind]) -> Vec<crate::dossier::build::EachRequest> {
    let policies = compiled.iter().flat_map(|compiled| &compiled.policies);
    policies.filter_map(|policy| policy.each.as_ref()).map(|each| each.request.clone()).collect()
}

/// The rows that policies with occasions need, and, by set, which of them belongs to which policy.
fn each_requests(compiled: &[Vec<CompiledKind>]) -> (Vec<crate::dossier::build::EachRequest>, Vec<BTreeMap<u32, usize>>) {
    let requests = compiled.iter().flat_map(|set| occasions_of(set)).collect();
    let mut next = 0;
    (requests, compiled.iter().map(|set| each_places(set, &mut next)).collect())
}

/// Which rows belong to which policy of a set; `next` is the first place that no set before it has.
fn each_places(set: &[CompiledKind], next: &mut usize) -> BTreeMap<u32, usize> {
    let policies = set.iter().flat_map(|compiled| &compiled.policies).filter(|policy| policy.each.is_some());
    policies
        .map(|policy| {
            *next += 1;
            (policy.index, *next - 1)
        })
        .collect()
}

/// One finding per occasion for the policies that have such. Policies are read side by side.
fn spread_occasions(
    compiled: &CompiledKind,
    dossiers: &Dossiers,
    places: &BTreeMap<u32, usize>,
    threads: usize,
    findings: &mut Findings,
) -> Result<(), DossierError> {
    let subjects = std::mem::take(&mut findings.subjects[compiled.kind as usize]);
    let wanted: Vec<Spread<'_>> = compiled.policies.iter().filter_map(|policy| Spread::new(policy, &subjects, findings)).collect();
    let tasks: Vec<(&Spread<'_>, usize)> = wanted.iter().filter_map(|spread| Some((spread, *places.get(&spread.policy())?))).collect();
    let next = AtomicUsize::new(0);
    let handle = tokio::runtime::Handle::current();
    let work = || {
        let mut found = Vec::new();
        while let Some((spread, place)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let streams = dossiers.rows(*place, spread.ids())?;
            found.push((spread.policy(), handle.block_on(read_occasions(spread, streams))?));
        }
        Ok::<_, DossierError>(found)
    };
    let found: Vec<Result<Vec<_>, DossierError>> = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads.clamp(1, tasks.len().max(1))).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(DossierError::Cancelled))).collect()
        })
    });
    let mut of_policy: HashMap<u32, Vec<_>> = HashMap::new();
    for found in found {
        for (policy, found) in found? {
            of_policy.entry(policy).or_default().push(found);
        }
    }
    drop(wanted);
    spread(findings, &compiled.policies, of_policy);
    findings.subjects[compiled.kind as usize] = subjects;
    Ok(())
}

/// Where registers disagree, as results say it; where dossiers have more facts than policies need, only about those that they need.
#[must_use]
pub fn conflicts(dossiers: &Dossiers, catalogue: &Catalogue, needed: Option<&BTreeSet<FactId>>) -> Vec<ConflictRow> {
    let row = |row: &Disagreement| ConflictRow {
        kind: row.fact.kind,
        subject_id: row.subject.as_str().into(),
        fact: Arc::clone(&catalogue.fact(row.fact).name),
        policy: None,
        period: None,
        occasion: None,
        source: row.register.as_str().into(),
        value: row.value.as_str().into(),
        other_source: row.other_register.as_str().into(),
        other_value: row.other_value.as_str().into(),
    };
    let told = dossiers.disagreements().iter().filter(|row| needed.is_none_or(|needed| needed.contains(&row.fact)));
    told.map(row).collect()
}

/// Why each fact of a kind is unknown where no row says otherwise.
fn causes(catalogue: &Catalogue, compiled: &CompiledKind, dossiers: &Dossiers) -> Vec<Cause> {
    (0..compiled.schema.columns.len())
        .map(|index| {
            let registers = catalogue.registers_of(FactId { kind: compiled.kind, index });
            let stale = registers.iter().any(|register| dossiers.silent.get(register) == Some(&Cause::Stale));
            if stale { Cause::Stale } else { Cause::Missing }
        })
        .collect()
}

/// The register that answers for a fact: its own, that of the fact that a link leads to, or else the link's.
#[must_use]
pub fn authority(catalogue: &Catalogue, id: FactId) -> Option<String> {
    match &catalogue.fact(id).definition {
        Definition::Rows { register, .. } => Some(register.clone()),
        Definition::Linked { fact, .. } => authority(catalogue, *fact),
        Definition::LinkEnd { link } => Some(catalogue.registers.links[*link].register.clone()),
        Definition::LinkedAggregate { link, .. } => catalogue
            .inputs(id)
            .into_iter()
            .find_map(|input| authority(catalogue, input))
            .or_else(|| Some(catalogue.registers.links[*link].register.clone())),
        Definition::Computed(_) => catalogue.inputs(id).into_iter().find_map(|input| authority(catalogue, input)),
        Definition::Pending | Definition::Given => None,
    }
}
