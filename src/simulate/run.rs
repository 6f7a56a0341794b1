//! A simulation as a whole: both sides judged on one set of dossiers, analysed, looked ahead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use datafusion::prelude::DataFrame;

use super::analysis::{Analysis, Tables};
use super::dimension::{self, Dimension, Reading};
use super::forecast::{self, Event, Forecast};
use super::hide::hide;
use super::law::Law;
use super::parameter::SetValue;
use super::people;
use super::results::{PolicyLine, Results, Step};
use super::rows::{self, GIVEN, GRANTED, WAITS};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Lang, Message, Span, code};
use crate::dossier::extend::{Lacking, More, NotExtended};
use crate::dossier::{DossierError, Dossiers, Options};
use crate::eligibility::compiled::{CompiledKind, compile};
use crate::eligibility::dossier_file::DossierFile;
use crate::eligibility::given_registers::{read_paid, read_refusals};
use crate::eligibility::grant::Resolution;
use crate::eligibility::input::{Paid, Refusals, ResolutionInput, budget};
use crate::eligibility::resolution::resolve;
use crate::eligibility::run::{Found, On, OnSame, Run, Set, Several, judge_again, occasions_of, run_on_file, run_several};
use crate::register::declaration::SubjectKind;
use crate::register::sources::Sources;

/// Where dossiers come from.
pub enum Ground<'a> {
    /// They are built from registers.
    Registers {
        /// Where registers are.
        sources: &'a Sources,
        /// Registers that are absent on purpose.
        allow_missing: &'a BTreeSet<String>,
        /// How dossiers are built.
        options: Options,
    },
    /// They are in a file.
    File {
        /// The file.
        file: &'a DossierFile,
        /// Whose dossiers.
        kind: SubjectKind,
    },
    /// They are held, with more facts than most policies read: one day only, no dimension but the county, no overlaps and bands.
    Held {
        /// The dossiers.
        dossiers: &'a Dossiers,
        /// What is paid already.
        paid: &'a Arc<Paid>,
        /// What subjects refused.
        refusals: &'a Arc<Refusals>,
        /// Where what is tried names a fact or a register; none: nowhere.
        place: &'a (dyn Fn(&str) -> Option<Span> + Sync),
    },
}

/// What a simulation is asked.
pub struct Study<'a> {
    /// Before, after.
    pub laws: [Law<'a>; 2],
    /// What they are called.
    pub sides: [Message; 2],
    /// Parameters that were set.
    pub set: Vec<SetValue>,
    /// The facts that both sides are checked against, or those of each side where these differ: dossiers are then built for each.
    pub catalogues: Vec<Catalogue>,
    /// Where dossiers come from.
    pub ground: Ground<'a>,
    /// The day.
    pub as_of: NaiveDate,
    /// Dimensions to look for.
    pub dimensions: Vec<Dimension>,
    /// Counts below are hidden.
    pub least: u64,
    /// How many people of each policy and class are looked at.
    pub people: usize,
    /// How many months to look ahead.
    pub forecast: u32,
    /// Threads.
    pub threads: usize,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// What a simulation found.
pub struct Outcome {
    /// What is shown: small cells hidden.
    pub results: Results,
    /// Who changed, with what, all of them: `kind`, `subject`, `policy`, `class`, money, dimensions.
    pub changed: DataFrame,
    /// Who enters and leaves in which month; empty without a forecast.
    pub events: Vec<Event>,
    /// Seconds by stage.
    pub seconds: Vec<(&'static str, f64)>,
}

/// Both sides judged on one day.
pub(super) struct Judged {
    pub(super) as_of: NaiveDate,
    pub(super) in_force: [BTreeMap<String, CheckedPolicy>; 2],
    pub(super) found: Vec<Found>,
    pub(super) compiled: Vec<Vec<CompiledKind>>,
    /// One for both sides, one for each, or none for a file.
    pub(super) dossiers: Vec<Dossiers>,
    paid: Arc<Paid>,
    refusals: Arc<Refusals>,
}

impl Judged {
    /// The dossiers that a side was judged on; none for a file.
    pub(super) fn dossiers(&self, side: usize) -> Option<&Dossiers> {
        self.dossiers.get(side).or(self.dossiers.first())
    }

    /// The policies of a side, by code.
    pub(super) fn policies(&self, side: usize) -> Vec<CheckedPolicy> {
        self.in_force[side].values().cloned().collect()
    }

    /// Resolves a side, as `match` does, and works on what comes of it.
    pub(super) fn resolved<T>(&self, law: &Law<'_>, side: usize, work: impl FnOnce(&Resolution<'_>, &[CheckedPolicy]) -> T) -> T {
        let policies = self.policies(side);
        let binder = law.binder(self.as_of, &self.in_force[side]);
        let budgets: Vec<Option<i64>> = policies.iter().map(|policy| budget(policy, &binder)).collect();
        let found = &self.found[side];
        let resolution = resolve(
            &found.findings,
            &ResolutionInput {
                policies: &policies,
                budgets: &budgets,
                as_of: self.as_of,
                paid: &self.paid,
                refusals: &self.refusals,
                conflicts: &[],
                whole_register_unknown: &found.whole_register_unknown,
                fact_registers: &found.fact_registers,
            },
        );
        work(&resolution, &policies)
    }
}

impl Study<'_> {
    /// The facts that a side is checked against.
    pub(super) fn catalogue(&self, side: usize) -> &Catalogue {
        self.catalogues.get(side).unwrap_or(&self.catalogues[0])
    }

    /// The days that are judged: the day itself, then the ends of the months to come.
    #[must_use]
    pub fn days(&self) -> Vec<NaiveDate> {
        let ends = (1..=self.forecast).filter_map(|ahead| {
            let first = chrono::Datelike::with_day(&self.as_of, 1)?;
            first.checked_add_months(Months::new(ahead + 1))?.pred_opt()
        });
        std::iter::once(self.as_of).chain(ends).collect()
    }

    /// All policies of both sides on all days, by code; the side of after gives the names.
    fn all_policies(&self) -> BTreeMap<String, CheckedPolicy> {
        let of = |law: &Law<'_>| self.days().into_iter().flat_map(|day| law.in_force(day)).collect::<BTreeMap<_, _>>();
        let mut all = of(&self.laws[0]);
        all.extend(of(&self.laws[1]));
        all
    }

    /// Judges both sides on a day.
    async fn judge(&mut self, as_of: NaiveDate, readings: &[Reading]) -> Result<Judged, DossierError> {
        let in_force = [self.laws[0].in_force(as_of), self.laws[1].in_force(as_of)];
        let (mut found, mut compiled, mut dossiers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut paid, mut refusals) = (Arc::default(), Arc::default());
        {
            let policies: Vec<Vec<CheckedPolicy>> = in_force.iter().map(|policies| policies.values().cloned().collect()).collect();
            let binders: Vec<Binder<'_>> = self.laws.iter().zip(&in_force).map(|(law, policies)| law.binder(as_of, policies)).collect();
            match &self.ground {
                Ground::File { file, kind } => {
                    let (sources, nothing) = (Sources::default(), BTreeSet::new());
                    for side in 0..2 {
                        let at = side.min(self.catalogues.len() - 1);
                        let catalogue = &mut self.catalogues[at];
                        let of_kind = compile(*kind, &policies[side], catalogue, &binders[side], true).map_err(DossierError::Told)?;
                        compiled.push(vec![of_kind]);
                        let run = Run {
                            policies: &policies[side],
                            catalogue,
                            binder: &binders[side],
                            sources: &sources,
                            allow_missing: &nothing,
                            within: None,
                            counts_only: false,
                            also: BTreeSet::new(),
                            options: Options::new(self.threads, std::env::temp_dir()),
                            progress: Arc::clone(&self.progress),
                            cancel: self.cancel.clone(),
                        };
                        found.push(run_on_file(run, file, *kind).await?);
                    }
                }
                Ground::Registers { sources, allow_missing, options } => {
                    let mut sources = (*sources).clone();
                    sources.fresh_on = Some(self.as_of);
                    let sets: Vec<Set<'_>> = policies.iter().zip(&binders).map(|(policies, binder)| Set { policies, binder }).collect();
                    let groups: Vec<&[Set<'_>]> =
                        if self.catalogues.len() == 1 { vec![&sets] } else { sets.iter().map(std::slice::from_ref).collect() };
                    for (at, sets) in groups.into_iter().enumerate() {
                        let facts = readings.iter().filter(|_| at == 0).flat_map(|reading| reading.facts.iter().copied()).collect();
                        let several = Several {
                            sets,
                            catalogue: &mut self.catalogues[at],
                            facts,
                            sources: &sources,
                            allow_missing,
                            within: None,
                            counts_only: false,
                            // Of days ahead, the next simulation asks for others.
                            options: Options { snapshot: options.snapshot.clone().filter(|_| as_of == self.as_of), ..options.clone() },
                            progress: Arc::clone(&self.progress),
                            cancel: self.cancel.clone(),
                        };
                        let OnSame { dossiers: built, found: of_sets, compiled: of_kinds, .. } = run_several(several).await?;
                        dossiers.push(built);
                        found.extend(of_sets);
                        compiled.extend(of_kinds);
                    }
                    let (registers, identities) = (&self.catalogues[0].registers, &dossiers[0].intake.identities);
                    paid = read_paid(registers, &sources, &binders[0], identities).map_err(DossierError::Told)?.0.into();
                    refusals = read_refusals(registers, &sources, &binders[0], identities).map_err(DossierError::Told)?.0.into();
                }
                Ground::Held { dossiers: held, paid: of_held, refusals: refused, place } => {
                    for side in 0..2 {
                        let set = Set { policies: &policies[side], binder: &binders[side] };
                        let (progress, cancel) = (&*self.progress, &self.cancel);
                        let on = OnHeld { dossiers: held, place: *place, threads: self.threads, progress, cancel };
                        let (extended, of_side, of_kinds) = on.judge(&set, &mut self.catalogues[0])?;
                        dossiers.push(extended);
                        found.push(of_side);
                        compiled.push(of_kinds);
                    }
                    (paid, refusals) = (Arc::clone(of_held), Arc::clone(refused));
                }
            }
        }
        Ok(Judged { as_of, in_force, found, compiled, dossiers, paid, refusals })
    }
}

/// Held dossiers, and what surrounds judging on them.
struct OnHeld<'a> {
    dossiers: &'a Dossiers,
    place: &'a (dyn Fn(&str) -> Option<Span> + Sync),
    threads: usize,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

impl OnHeld<'_> {
    /// Judges a set of policies; gives the dossiers with what the set reads beside what is held, too.
    fn judge(&self, set: &Set<'_>, catalogue: &mut Catalogue) -> Result<(Dossiers, Found, Vec<CompiledKind>), DossierError> {
        let kinds = SubjectKind::ALL.into_iter().filter(|kind| set.policies.iter().any(|policy| policy.document.subject == *kind));
        let compiled = kinds.map(|kind| compile(kind, set.policies, catalogue, set.binder, false)).collect::<Result<Vec<_>, _>>();
        let compiled = compiled.map_err(DossierError::Told)?;
        let more = More {
            facts: compiled.iter().flat_map(CompiledKind::reads).filter(|id| is_stored(catalogue, *id)).collect(),
            catalogue,
            binder: set.binder,
            each: occasions_of(&compiled),
            progress: self.progress,
            cancel: self.cancel,
        };
        let dossiers = self.dossiers.with_more(more).map_err(|error| match error {
            NotExtended::Failed(error) => error,
            NotExtended::Lacking(lacking) => DossierError::Told(Box::new(not_held(catalogue, &lacking, self.place))),
        })?;
        let (progress, cancel) = (self.progress, self.cancel);
        let on = On { dossiers: &dossiers, catalogue, within: None, counts_only: false, threads: self.threads, progress, cancel };
        let found = judge_again(set, &compiled, &on)?;
        Ok((dossiers, found, compiled))
    }
}

/// Whether a register or a link gives a fact; committed facts may be computed.
fn is_stored(catalogue: &Catalogue, id: FactId) -> bool {
    !matches!(catalogue.fact(id).definition, Definition::Computed(_) | Definition::Pending | Definition::Given)
}

/// Tells what held dossiers lack, at the first place that names some of it.
fn not_held(catalogue: &Catalogue, lacking: &BTreeSet<Lacking>, place: &dyn Fn(&str) -> Option<Span>) -> Diagnostic {
    let names = |lang: Lang| {
        let name = |lacking: &Lacking| match lacking {
            Lacking::Fact(id) => format!("{} ({})", catalogue.fact(*id).name, catalogue.fact(*id).label.get(lang)),
            Lacking::Rows(register) => register.clone(),
        };
        lacking.iter().map(name).collect::<Vec<_>>().join(if lang == Lang::Zh { "、" } else { ", " })
    };
    let (zh, en) = (names(Lang::Zh), names(Lang::En));
    let found = lacking.iter().find_map(|lacking| match lacking {
        Lacking::Fact(id) => place(&catalogue.fact(*id).name),
        Lacking::Rows(register) => place(register),
    });
    let told = Diagnostic::new(&code::NOT_HELD, format!("试算所用的档案里没有: {zh}"), format!("the held dossiers do not have {en}"));
    Diagnostic { primary: found, ..told }
        .help("改用 mianshen simulate, 它会重新读登记库", "use mianshen simulate, which reads the registers again")
}

/// How long stages took.
#[derive(Default)]
pub(super) struct Watch(Vec<(&'static str, f64)>);

impl Watch {
    /// Notes a stage that began then.
    fn note(&mut self, stage: &'static str, began: std::time::Instant) {
        self.0.push((stage, began.elapsed().as_secs_f64()));
    }

    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    pub(super) fn now() -> std::time::Instant {
        std::time::Instant::now()
    }
}

/// Simulates.
///
/// # Errors
///
/// When a policy does not compile, a register or file cannot be read, or the work is cancelled.
pub async fn study(mut study: Study<'_>) -> Result<Outcome, DossierError> {
    let mut watch = Watch::default();
    let all = study.all_policies();
    let codes: BTreeMap<&str, u32> = all.keys().map(String::as_str).zip(0_u32..).collect();
    let began = Watch::now();
    let (readings, missing) = readings(&mut study, &all);
    let judged = study.judge(study.as_of, &readings).await?;
    watch.note("dossiers_and_verdicts", began);
    let began = Watch::now();
    study.progress.stage(Message::new("决议与比较", "resolving and comparing"), None);
    let about = about(&study, &judged, &readings).await?;
    let mut lines: Vec<PolicyLine> = all.values().map(|policy| line(policy, &judged)).collect();
    let mut batches = Vec::new();
    let mut looking = Forecast::new(all.len());
    for side in 0..2 {
        let made = judged.resolved(&study.laws[side], side, |resolution, policies| {
            let places: Vec<u32> = policies.iter().map(|policy| codes[policy.document.code.as_str()]).collect();
            describe(&mut lines, side, resolution, policies, &places, study.as_of);
            if study.forecast > 0 {
                looking.enter(side, resolution, policies, &places, study.as_of);
            }
            rows::rows(u8::try_from(side).unwrap_or(0), resolution, policies, &places, study.as_of)
        })?;
        batches.push(made);
    }
    let tables = Tables::new(&study.dimensions, about, batches, study.threads).await?;
    let mut analysis = tables.analyse().await?;
    // A trial must be quick, and nobody asks it for more than lines.
    if !matches!(study.ground, Ground::Held { .. }) {
        tables.spread(&mut analysis).await?;
    }
    let changed = tables.changed().await?;
    watch.note("compare", began);
    let began = Watch::now();
    let mut results = results(&study, &judged, lines, analysis, missing);
    hide(&mut results);
    let codes_of: Vec<&str> = all.keys().map(String::as_str).collect();
    results.people = people::sample(&study, &judged, &changed, &codes_of, &results).await?;
    watch.note("people", began);
    let began = Watch::now();
    let same_day = study.as_of;
    drop(judged);
    for day in study.days().into_iter().filter(|day| *day != same_day) {
        let judged = study.judge(day, &[]).await?;
        for side in 0..2 {
            judged.resolved(&study.laws[side], side, |resolution, policies| {
                let places: Vec<u32> = policies.iter().map(|policy| codes[policy.document.code.as_str()]).collect();
                looking.enter(side, resolution, policies, &places, day);
            });
        }
    }
    let (months, events) = forecast::finish(looking);
    if study.forecast > 0 {
        watch.note("forecast", began);
        results.months = months;
        super::hide::hide_months(&mut results);
    }
    Ok(Outcome { results, changed, events, seconds: watch.0 })
}

/// What is read of everybody, by kind; and the dimensions that no kind has a fact for, which are left out.
fn readings(study: &mut Study<'_>, all: &BTreeMap<String, CheckedPolicy>) -> (Vec<Reading>, Vec<Message>) {
    let in_force = study.laws[0].in_force(study.as_of);
    let binder = study.laws[0].binder(study.as_of, &in_force);
    let given = matches!(study.ground, Ground::File { .. });
    let kinds: Vec<SubjectKind> =
        SubjectKind::ALL.into_iter().filter(|kind| all.values().any(|policy| policy.document.subject == *kind)).collect();
    let catalogue = &mut study.catalogues[0];
    let mut read = |dimensions: &[Dimension]| -> Vec<Reading> {
        kinds.iter().map(|kind| Reading::new(*kind, dimensions, catalogue, &binder, given)).collect()
    };
    let found = read(&study.dimensions);
    let has = |at: usize| at == 0 || found.iter().any(|reading| reading.has(at));
    let (kept, lacking): (Vec<usize>, Vec<usize>) = (0..study.dimensions.len()).partition(|&at| has(at));
    let missing = lacking.into_iter().map(|at| study.dimensions[at].label.clone()).collect();
    let dimensions: Vec<Dimension> = kept.into_iter().map(|at| study.dimensions[at].clone()).collect();
    let readings = read(&dimensions);
    study.dimensions = dimensions;
    (readings, missing)
}

/// Everybody, with their dimensions.
async fn about(study: &Study<'_>, judged: &Judged, readings: &[Reading]) -> Result<Vec<arrow::array::RecordBatch>, DossierError> {
    let binder = study.laws[0].binder(study.as_of, &judged.in_force[0]);
    let catalogue = study.catalogue(0);
    let mut all = Vec::new();
    for reading in readings {
        let streams = match (&study.ground, judged.dossiers(0)) {
            (Ground::File { file, .. }, _) => {
                let names: Vec<String> = reading.facts.iter().map(|id| catalogue.fact(*id).name.to_string()).collect();
                file.streams(&names).await?
            }
            (Ground::Registers { .. }, Some(dossiers)) => dossiers.stream_of(reading.kind, &reading.facts)?,
            // Rows tell the county themselves.
            (Ground::Held { .. }, _) | (Ground::Registers { .. }, None) => continue,
        };
        all.extend(reading.read(&study.dimensions, catalogue, &binder, streams)?);
    }
    Ok(all)
}

/// A policy without counts yet.
fn line(policy: &CheckedPolicy, judged: &Judged) -> PolicyLine {
    let document = &policy.document;
    PolicyLine {
        code: document.code.as_str().into(),
        name: document.name.clone(),
        kind: document.subject,
        period: document.benefit.period,
        in_force: [0, 1].map(|side: usize| judged.in_force[side].contains_key(&document.code)),
        granted: [(0, 0); 2],
        given: [(0, 0); 2],
        waiting: [Some(0); 2],
        unknown: [Some(0); 2],
        funnel: [Vec::new(), Vec::new()],
        hidden: false,
        few_rows: false,
    }
}

/// Puts what a side resolved into the lines of its policies.
fn describe(
    lines: &mut [PolicyLine],
    side: usize,
    resolution: &Resolution<'_>,
    policies: &[CheckedPolicy],
    places: &[u32],
    as_of: NaiveDate,
) {
    let place = |policy: u32| places[policy as usize] as usize;
    for row in rows::each(resolution, policies, as_of) {
        let line = &mut lines[place(row.grant.policy)];
        let amount = row.grant.amount.get().unwrap_or(0);
        match row.status {
            GRANTED => line.granted[side] = (line.granted[side].0 + 1, line.granted[side].1.saturating_add(amount)),
            GIVEN => line.given[side] = (line.given[side].0 + 1, line.given[side].1.saturating_add(amount)),
            WAITS => line.waiting[side] = line.waiting[side].map(|count| count + 1),
            _ => {}
        }
    }
    for row in &resolution.coverage {
        let line = &mut lines[place(row.policy)];
        line.unknown[side] = line.unknown[side].map(|count| count + row.unknown);
    }
    for row in &resolution.funnel {
        let steps = &mut lines[place(row.policy)].funnel[side];
        let at = (row.step as usize).saturating_sub(1);
        while steps.len() <= at {
            steps.push(Step { criterion: Arc::from(""), name: Message::default(), yes: Some(0), possible: Some(0) });
        }
        let step = &mut steps[at];
        if step.name.zh.is_empty() {
            step.criterion = Arc::clone(&row.criterion);
            step.name = step_name(&policies[row.policy as usize], &row.criterion);
        }
        step.yes = step.yes.map(|count| count + row.yes);
        step.possible = step.possible.map(|count| count + row.possible);
    }
}

/// What people call a step: the label or clause of a criterion; a group of criteria as it is.
fn step_name(policy: &CheckedPolicy, id: &str) -> Message {
    let criteria = policy.document.criteria.criteria();
    let criterion = criteria.iter().find(|criterion| criterion.id == *id);
    let label = criterion.and_then(|criterion| criterion.label.clone());
    let clause = criterion.and_then(|criterion| criterion.clause.clone());
    label.unwrap_or_else(|| Message::new(clause.unwrap_or_else(|| id.to_owned()), id))
}

fn results(study: &Study<'_>, judged: &Judged, policies: Vec<PolicyLine>, analysis: Analysis, missing: Vec<Message>) -> Results {
    let Analysis { totals, cells, overlaps, bands } = analysis;
    let catalogue = study.catalogue(0);
    let label = |at: usize| {
        let dimension = &study.dimensions[at];
        let values: BTreeSet<&str> = cells.iter().filter(|line| line.dimension == Some(at)).map(|line| line.value.as_str()).collect();
        let regions = study.laws[0].regions;
        values.into_iter().map(|value| (value.to_owned(), dimension::value_label(dimension, value, catalogue, regions))).collect()
    };
    let values = (0..study.dimensions.len()).map(label).collect();
    Results {
        as_of: study.as_of,
        sides: study.sides.clone(),
        set: study.set.clone(),
        judged: judged.found[1].findings.judged,
        same_dossiers: study.catalogues.len() == 1 || matches!(study.ground, Ground::File { .. }),
        least: study.least,
        policies,
        dimensions: study.dimensions.clone(),
        missing,
        values,
        totals,
        cells,
        overlaps,
        bands,
        people: Vec::new(),
        months: Vec::new(),
    }
}
