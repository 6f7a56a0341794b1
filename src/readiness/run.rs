//! The run: people judged once, each policy looked at, and each register taken away in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::condition::Condition;
use super::holdings::{Numbers, OfPolicy, holdings};
use super::lift::{Lacking, is_lawful};
use super::mode::Grounds;
use super::people::{Gap, People, count};
use super::reads::Reads;
use super::registers::{Freshness, RegisterState, states};
use super::results::{Fit, PolicyReadiness, Readiness, RegisterLoad, Role};
use super::stop::{ByKind, Effect, NamedPolicy, effect};
use super::{beneficiaries, recognition, standard, validity};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::Catalogue;
use crate::diagnostic::Message;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::dossier::{Around, Cause, DossierError, Dossiers, Options};
use crate::eligibility::compiled::CompiledKind;
use crate::eligibility::finding::MissingSets;
use crate::eligibility::given_registers::{GRANTS_PAID, REFUSALS, read_paid, read_refusals};
use crate::eligibility::grant::Resolution;
use crate::eligibility::input::{Paid, Refusals, ResolutionInput, budget};
use crate::eligibility::resolution::resolve;
use crate::eligibility::run::{Found, On, OnSame, Set, Several, judge_again, run_several};
use crate::policy::Standing;
use crate::register::declaration::SubjectKind;
use crate::register::sources::Sources;

/// What is asked.
pub struct Question<'a> {
    /// The policies in force that are judged, by code: those asked for and what they rest on.
    pub policies: &'a [CheckedPolicy],
    /// Codes of those that are told; none: all.
    pub told: Option<&'a BTreeSet<String>>,
    /// Policies that were asked for and are not in force on the day.
    pub others: &'a [(CheckedPolicy, Standing)],
    /// Facts; grows by what links must carry.
    pub catalogue: &'a mut Catalogue,
    /// The day, parameters, regions.
    pub binder: &'a Binder<'a>,
    /// Where registers are. One without a source is taken as absent.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// Whether registers are taken away in turn.
    pub reverse: Option<Reverse<'a>>,
    /// How dossiers are built.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// What is asked of registers.
#[derive(Debug, Clone, Copy)]
pub struct Reverse<'a> {
    /// Names of the registers that are told; none: all.
    pub only: Option<&'a BTreeSet<String>>,
    /// How many days late each is taken to be.
    pub late: u32,
}

/// Answers a question.
///
/// # Errors
///
/// When a policy does not compile, a register cannot be read, or the work is cancelled.
pub async fn readiness(question: Question<'_>) -> Result<Readiness, DossierError> {
    let Question { policies, told, others, catalogue, binder, sources, allow_missing, reverse, options, progress, cancel } = question;
    let absent = absent(catalogue, sources, allow_missing);
    let states = states(&catalogue.registers, sources, &absent, binder.as_of);
    let sets = [Set { policies, binder }];
    let building = Building { sets: &sets, sources, options: &options, progress: &progress, cancel: &cancel };
    let OnSame { dossiers, found, compiled, .. } = building.run(catalogue, &absent).await?;
    // What is asked of registers without one of them, nobody asks the next time.
    let options = Options { snapshot: None, ..options.clone() };
    let building = Building { options: &options, ..building };
    let identities = &dossiers.intake.identities;
    let mut came = sources.clone();
    came.sources.retain(|register, _| !absent.contains(register));
    let paid = read_paid(&catalogue.registers, &came, binder, identities).map_err(DossierError::Told)?.0;
    let refusals = read_refusals(&catalogue.registers, &came, binder, identities).map_err(DossierError::Told)?.0;
    let today = Today { policies, binder, paid: &paid, refusals: &refusals };
    let (Some(found), Some(compiled)) = (found.into_iter().next(), compiled.into_iter().next()) else {
        return Err(DossierError::Cancelled);
    };
    let by_code: BTreeMap<&str, &CheckedPolicy> = policies.iter().map(|policy| (policy.document.code.as_str(), policy)).collect();
    let reads: Vec<Reads> = policies.iter().map(|policy| Reads::of(policy, catalogue, &by_code)).collect();
    let looking = Looking { catalogue, binder, states: &states };
    let mut numbers = Numbers::new(&dossiers);
    let is_told = |policy: &CheckedPolicy| told.is_none_or(|told| told.contains(&policy.document.code));
    let (mut lines, before) = today.resolved(&found, &paid, &refusals, |resolution| {
        let people = count(resolution, policies);
        let lines: Vec<PolicyReadiness> = policies
            .iter()
            .zip(&reads)
            .zip(&people)
            .filter(|((policy, _), _)| is_told(policy))
            .map(|((policy, reads), (people, gaps))| {
                looking.at(policy, reads, Standing::InForce, Some((people, gaps, &resolution.missing)))
            })
            .collect();
        (lines, reverse.map(|_| holdings(resolution, policies, binder.as_of, &mut numbers)))
    });
    for (policy, standing) in others {
        lines.push(looking.at(policy, &Reads::of(policy, catalogue, &by_code), *standing, None));
    }
    lines.sort_by(|one, other| (&one.code, one.version).cmp(&(&other.code, other.version)));
    let judged = found.findings.judged;
    drop(found);
    let mut loads = None;
    if let (Some(reverse), Some(before)) = (reverse, before) {
        let stopping = Stopping {
            today,
            dossiers: &dossiers,
            compiled: &compiled,
            before: &before,
            reads: &reads,
            states: &states,
            is_told: &is_told,
            days: reverse.late,
            threads: options.threads,
            progress: &*progress,
            cancel: &cancel,
        };
        loads = Some(stopping.all(reverse.only, &building, catalogue, &absent, &mut numbers).await?);
    }
    let of = |kind: SubjectKind| judged[kind as usize];
    let judged = ByKind { person: of(SubjectKind::Person), household: of(SubjectKind::Household), entity: of(SubjectKind::Entity) };
    Ok(Readiness { as_of: binder.as_of, judged, policies: lines, registers: states.into_values().collect(), loads })
}

/// How dossiers are built and judged.
struct Building<'a> {
    sets: &'a [Set<'a>],
    sources: &'a Sources,
    options: &'a Options,
    progress: &'a Arc<dyn Progress>,
    cancel: &'a Cancel,
}

impl Building<'_> {
    async fn run(&self, catalogue: &mut Catalogue, allow_missing: &BTreeSet<String>) -> Result<OnSame, DossierError> {
        let several = Several {
            sets: self.sets,
            catalogue,
            facts: BTreeSet::new(),
            sources: self.sources,
            allow_missing,
            within: None,
            counts_only: false,
            options: self.options.clone(),
            progress: Arc::clone(self.progress),
            cancel: self.cancel.clone(),
        };
        run_several(several).await
    }
}

/// The registers that did not come: those without a source, and those that are named.
fn absent(catalogue: &Catalogue, sources: &Sources, allow_missing: &BTreeSet<String>) -> BTreeSet<String> {
    let not_there = catalogue.registers.registers.keys().filter(|name| sources.get(name).is_none());
    not_there.chain(allow_missing).cloned().collect()
}

fn role(register: &str) -> Role {
    match register {
        GRANTS_PAID => Role::Payments,
        REFUSALS => Role::Refusals,
        IDENTITY_LINKS => Role::Identities,
        _ => Role::Facts,
    }
}

/// The law of the day, and what is paid and refused.
#[derive(Clone, Copy)]
struct Today<'a> {
    policies: &'a [CheckedPolicy],
    binder: &'a Binder<'a>,
    paid: &'a Paid,
    refusals: &'a Refusals,
}

impl Today<'_> {
    /// Resolves findings, as `match` does, and works on what comes of it. Every unknown verdict is told, also those that all
    /// hang on the same register.
    fn resolved<T>(&self, found: &Found, paid: &Paid, refusals: &Refusals, work: impl FnOnce(&Resolution<'_>) -> T) -> T {
        let budgets: Vec<Option<i64>> = self.policies.iter().map(|policy| budget(policy, self.binder)).collect();
        let input = ResolutionInput {
            policies: self.policies,
            budgets: &budgets,
            as_of: self.binder.as_of,
            paid,
            refusals,
            conflicts: &[],
            whole_register_unknown: &BTreeSet::new(),
            fact_registers: &found.fact_registers,
        };
        work(&resolve(&found.findings, &input))
    }
}

/// What policies are looked at with.
struct Looking<'a> {
    catalogue: &'a Catalogue,
    binder: &'a Binder<'a>,
    states: &'a BTreeMap<String, RegisterState>,
}

impl Looking<'_> {
    /// One policy, with its people where it is in force.
    fn at(
        &self,
        policy: &CheckedPolicy,
        reads: &Reads,
        standing: Standing,
        people: Option<(&People, &Vec<Gap>, &Vec<MissingSets>)>,
    ) -> PolicyReadiness {
        let document = &policy.document;
        let counted = people.map(|(people, ..)| people);
        let conditions: Vec<Condition> = vec![
            beneficiaries::look(policy),
            recognition::look(policy, reads, self.catalogue, self.binder, self.states),
            standard::look(policy, self.catalogue, self.binder, counted),
            validity::look(document, standing, self.binder.as_of),
        ];
        let nobody = People::default();
        let (people, gaps, missing) =
            people.map_or((&nobody, [].as_slice(), [].as_slice()), |(people, gaps, missing)| (people, gaps.as_slice(), missing.as_slice()));
        let grounds = Grounds {
            in_force: standing == Standing::InForce,
            law: is_lawful(&conditions),
            registers: !conditions.iter().flat_map(|condition| &condition.reasons).any(|reason| reason.kind.is_of_a_register()),
            may_be_owed: people.may_be_owed(),
            open: people.open(),
            committable: people.committable,
        };
        let lacking = Lacking {
            kind: document.subject,
            payee: document.benefit.payee,
            commit: &document.commit,
            people,
            gaps,
            missing,
            conditions: &conditions,
            grounds,
            catalogue: self.catalogue,
            states: self.states,
        };
        let carried = grounds.mode();
        PolicyReadiness {
            code: document.code.as_str().into(),
            version: document.version,
            name: document.name.clone(),
            kind: document.subject,
            listed: document.listed.is_some(),
            people: counted.copied(),
            declared: document.delivery.mode,
            carried,
            at_best: lacking.at_best(),
            fit: Fit::of(document.delivery.mode, carried),
            lifts: lacking.lifts(),
            conditions,
        }
    }
}

/// Registers taken away in turn.
struct Stopping<'a> {
    today: Today<'a>,
    dossiers: &'a Dossiers,
    compiled: &'a [CompiledKind],
    /// Who has what today.
    before: &'a [OfPolicy],
    reads: &'a [Reads],
    states: &'a BTreeMap<String, RegisterState>,
    is_told: &'a dyn Fn(&CheckedPolicy) -> bool,
    days: u32,
    threads: usize,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

impl Stopping<'_> {
    /// What hangs on each of some registers; none: on every one.
    async fn all(
        &self,
        only: Option<&BTreeSet<String>>,
        building: &Building<'_>,
        catalogue: &Catalogue,
        absent: &BTreeSet<String>,
        numbers: &mut Numbers<'_>,
    ) -> Result<Vec<RegisterLoad>, DossierError> {
        let mut all = Vec::new();
        for state in self.states.values().filter(|state| only.is_none_or(|only| only.contains(&state.register))) {
            self.tell(state);
            let rebuilt = match role(&state.register) {
                Role::Identities if state.freshness != Freshness::Absent => {
                    let mut without = absent.clone();
                    without.insert(IDENTITY_LINKS.to_owned());
                    Some(building.run(&mut catalogue.clone(), &without).await?)
                }
                _ => None,
            };
            all.push(self.load(state, catalogue, rebuilt, numbers)?);
        }
        Ok(all)
    }

    fn tell(&self, state: &RegisterState) {
        let at = self.states.keys().position(|name| *name == state.register).unwrap_or(0) + 1;
        let of = self.states.len();
        let name = Message::new(format!("如果没有{} {at}/{of}", state.label.zh), format!("without {} {at}/{of}", state.label.en));
        self.progress.stage(name, None);
    }

    /// What hangs on one register. `rebuilt` is a run without it, where it cannot be taken away from dossiers.
    fn load(
        &self,
        state: &RegisterState,
        catalogue: &Catalogue,
        rebuilt: Option<OnSame>,
        numbers: &mut Numbers<'_>,
    ) -> Result<RegisterLoad, DossierError> {
        let register = &state.register;
        let role = role(register);
        let reads = |at: usize| self.reads[at].registers.contains(register);
        let codes = self.today.policies.iter().enumerate().filter(|(at, policy)| reads(*at) && (self.is_told)(policy));
        let read_by = codes.map(|(_, policy)| policy.document.code.as_str().into()).collect();
        let Today { paid, refusals, .. } = self.today;
        let after = match role {
            _ if state.freshness == Freshness::Absent => None,
            Role::Facts => Some(self.without(state, Cause::Missing, catalogue, numbers)?),
            Role::Payments => Some(self.again(self.dossiers, catalogue, &Paid::default(), refusals, numbers)?),
            Role::Refusals => Some(self.again(self.dossiers, catalogue, paid, &Refusals::default(), numbers)?),
            Role::Identities => {
                let found = rebuilt.and_then(|mut rebuilt| rebuilt.found.pop());
                found.map(|found| self.holdings(&found, paid, refusals, numbers))
            }
        };
        let stale_when_late = role.is_dated() && state.freshness == Freshness::Fresh && state.is_stale_when_late(self.days);
        let late = if stale_when_late { Some(self.without(state, Cause::Stale, catalogue, numbers)?) } else { None };
        let effect = |after: Vec<OfPolicy>| self.effect(&after, &reads);
        Ok(RegisterLoad {
            state: state.clone(),
            role,
            read_by,
            stops: after.map(effect),
            late_days: self.days,
            stale_when_late,
            late: late.map(effect),
        })
    }

    /// Who has what when a register gives nothing.
    fn without(
        &self,
        state: &RegisterState,
        cause: Cause,
        catalogue: &Catalogue,
        numbers: &mut Numbers<'_>,
    ) -> Result<Vec<OfPolicy>, DossierError> {
        if !self.dossiers.rest_on(catalogue).contains(&state.register) {
            return Ok(self.before.to_vec());
        }
        let around = Around { catalogue, as_of: self.today.binder.as_of, progress: self.progress, cancel: self.cancel };
        let silent = BTreeMap::from([(state.register.clone(), cause)]);
        let dossiers = tokio::task::block_in_place(|| self.dossiers.silenced(&silent, around))?;
        self.again(&dossiers, catalogue, self.today.paid, self.today.refusals, numbers)
    }

    fn again(
        &self,
        dossiers: &Dossiers,
        catalogue: &Catalogue,
        paid: &Paid,
        refusals: &Refusals,
        numbers: &mut Numbers<'_>,
    ) -> Result<Vec<OfPolicy>, DossierError> {
        let set = Set { policies: self.today.policies, binder: self.today.binder };
        let on = On {
            dossiers,
            catalogue,
            within: None,
            counts_only: false,
            threads: self.threads,
            progress: self.progress,
            cancel: self.cancel,
        };
        let found = judge_again(&set, self.compiled, &on)?;
        Ok(self.holdings(&found, paid, refusals, numbers))
    }

    fn holdings(&self, found: &Found, paid: &Paid, refusals: &Refusals, numbers: &mut Numbers<'_>) -> Vec<OfPolicy> {
        let Today { policies, binder, .. } = self.today;
        self.today.resolved(found, paid, refusals, |resolution| holdings(resolution, policies, binder.as_of, numbers))
    }

    fn effect(&self, after: &[OfPolicy], reads: &dyn Fn(usize) -> bool) -> Effect {
        effect(self.before, after, |at| {
            let policy = &self.today.policies[at];
            let document = &policy.document;
            let told = (self.is_told)(policy);
            told.then(|| NamedPolicy { policy: document.code.as_str().into(), name: document.name.clone(), reads: reads(at) })
        })
    }
}
