//! Grants found, lost, or recomputed: what becomes of cases. Whoever asks it twice changes nothing the second time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::case::{Answered, Case, Step, Why};
use super::event::{Actor, Event, Grant, VERSION, What};
use super::plan::Plan;
use super::renumbered::{Renumbered, keeper};
use super::row::{begun, made};
use crate::eligibility::grant::{GrantId, Status};
use crate::explain::Verdict;
use crate::policy::document::{Delivery, PolicyDocument};
use crate::store::live::{CaseRow, CaseStep};
use crate::store::{RunPolicy, StoreError, StoredGiven, StoredSubject};

/// What cases need to know of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Version.
    pub version: i64,
    /// The department that answers for it.
    pub department: String,
    /// Unit of amounts.
    pub unit: String,
    /// The period that grants are for now; empty where it has none.
    pub period: String,
    /// How it reaches its subjects.
    pub delivery: Delivery,
}

impl Rule {
    /// Of a policy as it was judged.
    #[must_use]
    pub fn of(document: &PolicyDocument, judged: &RunPolicy) -> Self {
        Self {
            version: judged.version,
            department: document.authority_code.clone(),
            unit: judged.unit.to_string(),
            period: judged.period.to_string(),
            delivery: document.delivery.clone(),
        }
    }
}

/// A grant that stands now, with the case that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Identifier of its case.
    pub id: String,
    /// The grant.
    pub grant: Grant,
    /// Which steps its case has.
    pub plan: Plan,
    /// Whether registers show it as paid: it is reckoned with, and begins no case.
    pub given: bool,
}

/// The grants of a subject that are to be delivered or are given already, by the policies that are known. Grants that wait for
/// money, and those that the subject refused, are none.
#[must_use]
pub fn current(subject: &StoredSubject, rules: &BTreeMap<String, Rule>) -> Vec<Current> {
    let region = subject.region.to_string();
    let grant = |policy: &str, rule: &Rule, occasion: &Option<String>, member: &Option<String>, amount: Option<i64>| Grant {
        kind: subject.kind,
        subject: subject.id.clone(),
        policy: policy.to_owned(),
        version: rule.version,
        department: rule.department.clone(),
        region: region.clone(),
        period: rule.period.clone(),
        occasion: occasion.clone(),
        member: member.clone(),
        payee: None,
        amount,
        unit: rule.unit.clone(),
        reasons: Vec::new(),
    };
    let mut all = Vec::with_capacity(subject.grants.len() + subject.given.len());
    for found in subject.grants.iter().filter(|grant| grant.status == Status::Granted) {
        let Some(rule) = rules.get(&*found.policy) else { continue };
        all.push(Current {
            id: found.grant_id.to_string(),
            grant: Grant {
                payee: found.payee.clone(),
                reasons: found.reasons.iter().map(ToString::to_string).collect(),
                ..grant(&found.policy, rule, &found.occasion, &found.member, found.amount)
            },
            plan: Plan::of(found.mode, &rule.delivery, found.notify),
            given: false,
        });
    }
    for given in &subject.given {
        let Some(rule) = rules.get(&*given.policy) else { continue };
        let (occasion, member) = (given.occasion.as_deref(), given.member.as_deref());
        all.push(Current {
            id: GrantId::of(subject.kind, &subject.id, &given.policy, &rule.period, occasion, member).to_string(),
            grant: grant(&given.policy, rule, &given.occasion, &given.member, given.amount),
            plan: Plan::of(rule.delivery.mode, &rule.delivery, true),
            given: true,
        });
    }
    all
}

fn event(day: NaiveDate, actor: &Actor, what: What) -> Event {
    Event { v: VERSION, day, actor: actor.clone(), note: String::new(), request: String::new(), what }
}

/// What grants that stand on a day do to cases, of which `existing` are those that are there already: a grant without a case
/// begins one; what comes to more than was reckoned is owed at once; what comes to less raises a review; what was lost and is
/// there again is told so. A case that is there and in order gives no step. Cases that began under identifiers of before are
/// those of the same grant.
///
/// # Errors
///
/// When an existing row cannot be read.
pub fn found(
    grants: &[Current],
    existing: &[CaseRow],
    renumbered: &Renumbered,
    actor: &Actor,
    day: NaiveDate,
) -> Result<Vec<CaseStep>, StoreError> {
    let there: BTreeMap<&str, &CaseRow> = existing.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for current in grants.iter().filter(|current| seen.insert(current.id.as_str())) {
        let rows: Vec<&CaseRow> = renumbered.case_ids(current).iter().filter_map(|id| there.get(id.as_str()).copied()).collect();
        let Some(row) = keeper(&rows)? else {
            if !current.given {
                let first = What::Found { grant: current.grant.clone(), plan: current.plan.clone(), corrects: None };
                steps.extend(begun(&current.id, &[event(day, actor, first)]));
            }
            continue;
        };
        steps.extend(recomputed(row, &current.grant, actor, day)?);
    }
    steps.sort_by(|one, other| one.row.id.cmp(&other.row.id));
    Ok(steps)
}

/// What a grant that is found again does to its case, and to the one that makes up for it.
fn recomputed(row: &CaseRow, grant: &Grant, actor: &Actor, day: NaiveDate) -> Result<Vec<CaseStep>, StoreError> {
    let case = Case::of(row)?;
    if case.step == Step::Withdrawn || case.step == Step::Declined || case.erased_on.is_some() {
        return Ok(Vec::new());
    }
    let mut events = Vec::new();
    if case.lost_on.is_some() {
        events.push(event(day, actor, What::Regained));
    }
    let is_open = case.paid_on.is_none() && !case.step.is_over();
    let mut reckoned = case.clone();
    if let Some(back) = grant.amount.and_then(|now| put_back(&case, now)).filter(|_| is_open) {
        let back = event(day, actor, What::Corrected { before: case.amount, after: Some(back) });
        reckoned.apply(&back);
        events.push(back);
    }
    let mut more_of = None;
    if let (Some(whole), Some(now)) = (reckoned.whole(), grant.amount)
        && reckoned.reckoned != Some(now)
    {
        // What it came to before a question was raised leaves no question, nor does what an official has answered already.
        let was_so = reckoned.open.get(&Why::Less).is_some_and(|less| less.was == Some(now));
        let is_answered = reckoned.answered == Some(Answered { whole: Some(whole), reckoned: Some(now) });
        if now == whole || was_so || is_answered {
            events.push(event(day, actor, What::Reckoned { now: Some(now), case: None, more: None }));
        } else if now < whole {
            events.push(event(day, actor, What::Questioned { why: Why::Less, amount: Some(whole - now) }));
        } else if is_open {
            events.push(event(day, actor, What::Corrected { before: case.amount, after: Some(now - case.beside) }));
        } else {
            let id = correction_id(&case.id, case.beside, now);
            let more = now - whole;
            events.push(event(day, actor, What::Reckoned { now: Some(now), case: Some(id.clone()), more: Some(more) }));
            let owed = Grant { amount: Some(more), ..grant.clone() };
            let plan = Plan { reviews: 0, ..case.plan.clone() };
            more_of = begun(&id, &[event(day, actor, What::Found { grant: owed, plan, corrects: Some(case.id.clone()) })]);
        }
    }
    let own = (!events.is_empty()).then(|| made(row, case, &events));
    Ok(own.into_iter().chain(more_of).collect())
}

/// The amount that the program puts back by itself when a grant comes to something else: what nobody has looked at follows the
/// grant; what the program corrected, and nobody has acted on since, goes back as far as where it was. None where it stays.
fn put_back(case: &Case, now: i64) -> Option<i64> {
    if case.reckoned == Some(now) {
        return None;
    }
    // What others give beside it is not its own to pay.
    let own = now - case.beside;
    let Some(before) = &case.superseded else {
        return Some(own).filter(|own| case.is_untouched() && case.amount.is_some_and(|amount| *own < amount));
    };
    let was = before.less.as_ref().and_then(|less| less.was);
    if before.reckoned == Some(now) || was == Some(now) {
        return before.amount;
    }
    before.amount.map(|amount| amount.max(own)).filter(|back| case.amount.is_some_and(|amount| *back < amount))
}

/// The case that makes up for another: the same for the same amount that it comes to, whoever finds it. What others give beside
/// grows with each, so that no two have the same.
fn correction_id(case: &str, beside: i64, now: i64) -> String {
    let digest = Sha256::digest(format!("correction\0{case}\0{beside}\0{now}"));
    crate::hex::digits(&digest[..16])
}

/// Whether what a case is about still stands for its subject: as a grant, also one that waits for money or was refused, as one
/// that is given already, or as an unknown. Who cannot be judged has lost nothing.
#[must_use]
pub fn stands(row: &CaseRow, subject: &StoredSubject) -> bool {
    stands_as(&row.id, row, subject)
}

/// The same of a case that would have another identifier if it began today.
fn stands_as(id: &str, row: &CaseRow, subject: &StoredSubject) -> bool {
    let given_id = |given: &StoredGiven| {
        let (occasion, member) = (given.occasion.as_deref(), given.member.as_deref());
        GrantId::of(subject.kind, &subject.id, &given.policy, &row.period, occasion, member).to_string()
    };
    subject.verdict(&row.policy) == Verdict::Unknown
        || has(id, row, subject)
        || subject.given.iter().any(|given| *given.policy == row.policy && given_id(given) == id)
}

/// Whether a subject has the grant of a case, whatever becomes of it.
fn has(id: &str, row: &CaseRow, subject: &StoredSubject) -> bool {
    subject.grants.iter().any(|grant| *grant.policy == row.policy && grant.grant_id.to_string() == id)
}

/// What a subject's grants that stand no more do to its cases: of those whose policy is judged (`rules`) and whose period is the
/// policy's present one, those that do not stand get a review, once. It stops nothing: it tells an official. Cases that are
/// over are left alone, and paid ones but for those of a benefit that recurs. Where a merger left several cases for one grant,
/// one of them goes on, and the others do not stand.
///
/// # Errors
///
/// When a row cannot be read.
pub fn lost(
    existing: &[CaseRow],
    subject: &StoredSubject,
    rules: &BTreeMap<String, Rule>,
    renumbered: &Renumbered,
    actor: &Actor,
    day: NaiveDate,
) -> Result<Vec<CaseStep>, StoreError> {
    let mut steps = Vec::new();
    let is_judged = |row: &&CaseRow| rules.get(&row.policy).is_some_and(|rule| rule.period == row.period);
    let mut by_grant: BTreeMap<String, Vec<&CaseRow>> = BTreeMap::new();
    for row in existing.iter().filter(is_judged) {
        by_grant.entry(renumbered.id_today(row)?).or_default().push(row);
    }
    let mut stay: BTreeSet<&str> = BTreeSet::new();
    for (id, rows) in &mut by_grant {
        rows.sort_by_key(|row| row.id != *id);
        // Who cannot be judged has lost nothing, whatever a merger left.
        stay.extend(rows.iter().filter(|row| subject.verdict(&row.policy) == Verdict::Unknown).map(|row| row.id.as_str()));
        stay.extend(keeper(rows)?.filter(|row| stands_as(id, row, subject)).map(|row| row.id.as_str()));
    }
    for row in existing.iter().filter(is_judged) {
        if stay.contains(row.id.as_str()) {
            continue;
        }
        steps.extend(given_up(row, actor, day)?);
    }
    Ok(steps)
}

/// What becomes, where policies change, of the cases of grants that stood before and stand no more, of those that [`lost`] does not look
/// at: their policy is there no more, or is for other periods. They get a review all the same; what was paid by it is paid.
///
/// # Errors
///
/// When a row cannot be read.
pub fn repealed(
    existing: &[CaseRow],
    (before, now): (&StoredSubject, &StoredSubject),
    is_looked_at: &dyn Fn(&CaseRow) -> bool,
    renumbered: &Renumbered,
    actor: &Actor,
    day: NaiveDate,
) -> Result<Vec<CaseStep>, StoreError> {
    let mut steps = Vec::new();
    for row in existing.iter().filter(|row| !is_looked_at(row)) {
        let id = renumbered.id_today(row)?;
        if has(&id, row, before) && !stands_as(&id, row, now) {
            steps.extend(given_up(row, actor, day)?);
        }
    }
    Ok(steps)
}

/// The review of a case whose grant stands no more, where there is something to review.
fn given_up(row: &CaseRow, actor: &Actor, day: NaiveDate) -> Result<Option<CaseStep>, StoreError> {
    let case = Case::of(row)?;
    // What makes up for a case stands and falls with it.
    if case.lost_on.is_some() || case.corrects.is_some() || case.step.is_over() || case.step == Step::Declined {
        return Ok(None);
    }
    if case.paid_on.is_some() && row.period.is_empty() {
        return Ok(None);
    }
    // A correction that nobody acted on is of no more account: what is lost is what was there before.
    let back = case.superseded.as_ref().filter(|_| case.paid_on.is_none());
    let back = back.map(|before| event(day, actor, What::Corrected { before: case.amount, after: before.amount }));
    let lost = event(day, actor, What::Questioned { why: Why::Lost, amount: None });
    let events: Vec<Event> = back.into_iter().chain([lost]).collect();
    Ok(Some(made(row, case, &events)))
}
