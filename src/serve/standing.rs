//! One subject as it stands: what the stream keeps, laid over what the night's run found.
//!
//! ```text
//!  live part: state not older than the run ── what stands of the subject ──┐
//!  run ── grants of policies with a budget, which its round shared out ────┴──▶ Found: the subject, and by what it was judged
//! ```
//!
//! Without such a state the run alone answers. The stream judges before allocation: what a budget is shared out of stays as the
//! round of the run had it, and who came since waits for the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::rules::Rules;
use crate::check::CheckedPolicy;
use crate::dossier::Cause;
use crate::dossier::identity::Identities;
use crate::eligibility::grant::{GrantId, Status};
use crate::eligibility::input::period_text;
use crate::hex;
use crate::register::declaration::SubjectKind;
use crate::store::live::{Live, LiveState};
use crate::store::{Run, RunPolicy, Store, StoreError, StoredGrant, StoredRun, StoredSubject};
use crate::stream::standing::Dictionary;
use crate::stream::state::State;
use crate::stream::{identity, standing};

/// Where an answer about a subject comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The run of the night.
    Run,
    /// What the stream keeps.
    Stream,
}

/// A subject, and by what it was judged.
#[derive(Debug)]
pub struct Found {
    /// The subject.
    pub subject: StoredSubject,
    /// By what.
    pub ground: Ground,
}

/// By what a subject was judged: day, policies, registers.
#[derive(Debug, Clone)]
pub struct Ground {
    run: Arc<Run>,
    stream: Option<OfStream>,
}

#[derive(Debug, Clone)]
struct OfStream {
    day: Arc<StreamDay>,
    /// Stands for what stands of the subject: another where that is another.
    mark: String,
    /// Grants that are those of the run.
    of_run: BTreeSet<GrantId>,
}

/// What all that stands was judged by.
#[derive(Debug)]
pub struct StreamDay {
    digest: String,
    state: LiveState,
    as_of: NaiveDate,
    mark: String,
    policies: BTreeMap<Arc<str>, RunPolicy>,
    /// Policies whose budget is shared out in rounds, by kind of subject.
    held: [BTreeSet<Arc<str>>; 3],
    silent: BTreeMap<Arc<str>, Cause>,
    data_days: BTreeMap<Arc<str>, NaiveDate>,
    /// What all that stands is compressed against.
    dictionary: Dictionary,
    /// While a day's turn is under way, the new day, and up to which identifier what stands is of it already.
    ahead: Option<(String, Arc<StreamDay>)>,
}

impl Ground {
    /// Of a run alone.
    #[must_use]
    pub fn of_run(run: &Arc<Run>) -> Self {
        Self { run: Arc::clone(run), stream: None }
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> Source {
        if self.stream.is_some() { Source::Stream } else { Source::Run }
    }

    /// The day that verdicts are about.
    #[must_use]
    pub fn as_of(&self) -> NaiveDate {
        self.stream.as_ref().map_or(self.run.summary.as_of, |stream| stream.day.as_of)
    }

    /// A policy as it was judged.
    #[must_use]
    pub fn policy(&self, code: &str) -> Option<&RunPolicy> {
        let of_stream = self.stream.as_ref().and_then(|stream| stream.day.policies.get(code));
        of_stream.or_else(|| self.run.policy(code))
    }

    /// The policy of a grant as it was judged: some grants are the run's.
    #[must_use]
    pub fn policy_of(&self, grant: &StoredGrant) -> Option<&RunPolicy> {
        let is_of_run = self.stream.as_ref().is_some_and(|stream| stream.of_run.contains(&grant.grant_id));
        if is_of_run { self.run.policy(&grant.policy) } else { self.policy(&grant.policy) }
    }

    /// Why a register gave nothing, where it did not.
    #[must_use]
    pub fn silent(&self, register: &str) -> Option<Cause> {
        self.stream.as_ref().map_or(&self.run.silent, |stream| &stream.day.silent).get(register).copied()
    }

    /// The day that a register's rows speak for.
    #[must_use]
    pub fn data_day(&self, register: &str) -> Option<NaiveDate> {
        self.stream.as_ref().map_or(&self.run.data_days, |stream| &stream.day.data_days).get(register).copied()
    }

    /// Stands for all this and for what stands of the subject: another where an answer may be another.
    #[must_use]
    pub fn mark(&self) -> String {
        let stream = self.stream.as_ref().map(|stream| format!(" {} {}", stream.day.mark, stream.mark));
        format!("{}{}", self.run.summary.id, stream.unwrap_or_default())
    }
}

impl StreamDay {
    /// Of a state of the stream, by the policies of the moment; none where the stream has not written the state.
    fn new(rules: &Rules, state: &LiveState) -> Option<Self> {
        let kept = State::read(&state.body)?;
        // A turn to other policies is one on the same day.
        let turning = kept.turning.as_ref().filter(|turning| turning.policies.is_none());
        let ahead = turning.map(|turning| {
            let moved = kept.clone().moved_to(turning.to);
            (turning.after.clone(), Arc::new(Self::of(rules, state, &moved, turning.to)))
        });
        Some(Self { ahead, ..Self::of(rules, state, &kept, state.as_of) })
    }

    fn of(rules: &Rules, state: &LiveState, kept: &State, as_of: NaiveDate) -> Self {
        let State { data_days, allow_missing, dictionary, .. } = kept;
        let day = rules.on(as_of);
        let judged = |policy: &CheckedPolicy| RunPolicy {
            code: policy.document.code.as_str().into(),
            version: policy.document.version,
            kind: policy.document.subject,
            unit: policy.document.benefit.unit.as_str().into(),
            period: period_text(policy.document.benefit.period, as_of).into(),
            criteria: policy.leaves.iter().map(|(id, _)| Arc::clone(id)).collect(),
        };
        let is_held = |kind: SubjectKind| {
            let of_kind = day.in_force.values().filter(move |policy| policy.document.subject == kind && policy.document.budget.is_some());
            of_kind.map(|policy| policy.document.code.as_str().into()).collect()
        };
        let declared = &rules.workspace.registers.registers;
        let stale = data_days.iter().filter(|(name, data_day)| declared.get(*name).is_some_and(|one| !one.is_fresh(**data_day, as_of)));
        let missing = allow_missing.iter().map(|name| (name.as_str().into(), Cause::Missing));
        Self {
            digest: rules.digest.clone(),
            mark: format!("{as_of} {}", hex::digits(&Sha256::digest(&state.body)[..8])),
            policies: day.in_force.values().map(judged).map(|policy| (Arc::clone(&policy.code), policy)).collect(),
            held: SubjectKind::ALL.map(is_held),
            silent: stale.map(|(name, _)| (name.as_str().into(), Cause::Stale)).chain(missing).collect(),
            data_days: data_days.iter().map(|(name, day)| (name.as_str().into(), *day)).collect(),
            dictionary: dictionary.clone(),
            state: state.clone(),
            as_of,
            ahead: None,
        }
    }

    /// The day that what stands of a subject is of.
    fn of_subject(self: &Arc<Self>, id: &str) -> Arc<Self> {
        let ahead = self.ahead.as_ref().filter(|(after, _)| id <= after.as_str());
        ahead.map_or_else(|| Arc::clone(self), |(_, ahead)| Arc::clone(ahead))
    }
}

/// The day of the stream, made ready once for each state and each set of policies.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<Arc<StreamDay>>>);

impl Kept {
    fn of(&self, rules: &Rules, state: &LiveState) -> Option<Arc<StreamDay>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = kept.as_ref().filter(|day| day.state == *state && day.digest == rules.digest) {
            return Some(Arc::clone(day));
        }
        let day = Arc::new(StreamDay::new(rules, state)?);
        *kept = Some(Arc::clone(&day));
        Some(day)
    }
}

/// The store of the moment: a run, and who keeps what stands.
pub struct Looking<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The run of the moment.
    pub run: &'a dyn StoredRun,
    /// The policies of the moment.
    pub rules: &'a Rules,
    /// The day of the stream.
    pub kept: &'a Kept,
}

impl Looking<'_> {
    /// A subject as it stands; none where nobody of this identifier is known now. An identifier of before leads to the subject of
    /// today, whose `id` then differs from what was asked.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn find(&self, kind: SubjectKind, id: &str) -> Result<Option<Found>, StoreError> {
        let Some((live, state, stands)) = self.stands(kind, id).await? else { return self.of_run(kind, id).await };
        let Some(day) = self.kept.of(self.rules, &state) else { return self.of_run(kind, id).await };
        let registers = &self.rules.workspace.registers;
        let stands = match stands {
            Some(body) => Some((id.to_owned(), body)),
            None => match identity::around(&*live, registers, &day.state, id).await?.today(id) {
                Some(today) => live.standing(kind, &[today]).await?.pop().map(|stands| (stands.id, stands.body)),
                None => None,
            },
        };
        let Some((id, body)) = stands else { return Ok(None) };
        let day = day.of_subject(&id);
        let subject = standing::read(kind, &id, &body, &day.dictionary)?;
        let mark = hex::digits(&Sha256::digest(&body)[..8]);
        let held = &day.held[kind as usize];
        // What the run says is read only where a round of it may have shared out something.
        let of_run = if held.is_empty() { None } else { self.in_run(&*live, &day, kind, &id).await? };
        let run = Arc::clone(self.run.run());
        let (subject, of_run) = match of_run {
            Some(of_run) => lay(subject, &of_run, held, &|code| run.policy(code).map(|policy| Arc::clone(&policy.period))),
            None => (waiting(subject, held), BTreeSet::new()),
        };
        let ground = Ground { run, stream: Some(OfStream { day, mark, of_run }) };
        Ok(Some(Found { subject, ground }))
    }

    /// The identifier and all others that the same subject has or had: the one of today first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn identifiers(&self, kind: SubjectKind, id: &str) -> Result<Vec<String>, StoreError> {
        let pairs: Vec<(String, String)> = match self.stands(kind, id).await? {
            Some((live, state, _)) => {
                let identities = identity::around(&*live, &self.rules.workspace.registers, &state, id).await?;
                identities.renumbered().map(|(before, today)| (before.to_owned(), today.to_owned())).collect()
            }
            None => self.run.aliases(kind).await?,
        };
        let today = pairs.iter().find(|(before, _)| before == id).map_or(id, |(_, today)| today).to_owned();
        let mut before: Vec<String> = pairs.into_iter().filter(|(_, of)| *of == today).map(|(before, _)| before).collect();
        before.sort_unstable();
        before.insert(0, today);
        Ok(before)
    }

    /// The live part, its state, and the bytes of what stands; none where there is no state, or an older one than the run.
    async fn stands(&self, kind: SubjectKind, id: &str) -> Result<Option<(Arc<dyn Live>, LiveState, Option<Vec<u8>>)>, StoreError> {
        let Some(live) = self.store.live_if_there().await? else { return Ok(None) };
        let Some((state, stands)) = live.stands(kind, id).await? else { return Ok(None) };
        let is_older = state.as_of < self.run.run().summary.as_of;
        Ok((!is_older).then(|| (live, state, stands.map(|stands| stands.body))))
    }

    async fn of_run(&self, kind: SubjectKind, id: &str) -> Result<Option<Found>, StoreError> {
        let subject = self.run.subject(kind, id).await?;
        Ok(subject.map(|subject| Found { subject, ground: Ground::of_run(self.run.run()) }))
    }

    /// What the run says of a subject that may have had another identifier then.
    async fn in_run(&self, live: &dyn Live, day: &StreamDay, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError> {
        if let Some(found) = self.run.subject(kind, id).await? {
            return Ok(Some(found));
        }
        let identities: Identities = identity::around(live, &self.rules.workspace.registers, &day.state, id).await?;
        let mut before: Vec<&str> = identities.renumbered().filter(|(_, today)| *today == id).map(|(before, _)| before).collect();
        before.sort_unstable();
        for id in before {
            if let Some(found) = self.run.subject(kind, id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Grants of policies with a budget, of somebody in whom no round shared it out: they wait for the next one.
fn waiting(mut subject: StoredSubject, held: &BTreeSet<Arc<str>>) -> StoredSubject {
    for grant in subject.grants.iter_mut().filter(|grant| held.contains(&grant.policy) && grant.status == Status::Granted) {
        (grant.status, grant.amount) = (Status::Waitlisted, None);
    }
    subject
}

/// What stands, with what the round of the run shared out: grants of these policies are the run's, but for those that were paid
/// since; a grant that the run does not have waits for the next round. `period` is that of a policy in the run.
fn lay(
    stands: StoredSubject,
    run: &StoredSubject,
    held: &BTreeSet<Arc<str>>,
    period: &dyn Fn(&str) -> Option<Arc<str>>,
) -> (StoredSubject, BTreeSet<GrantId>) {
    let mut subject = waiting(stands, held);
    let in_round = |id: &str, policy: &str, occasion: Option<&str>, member: Option<&str>| {
        Some(GrantId::of(run.kind, id, policy, &period(policy)?, occasion, member))
    };
    let is_paid = |grant: &StoredGrant| {
        let mut of_policy = subject.given.iter().filter(|given| given.policy == grant.policy);
        of_policy.any(|given| in_round(&run.id, &given.policy, given.occasion.as_deref(), given.member.as_deref()) == Some(grant.grant_id))
    };
    let shared: Vec<StoredGrant> = run.grants.iter().filter(|grant| held.contains(&grant.policy) && !is_paid(grant)).cloned().collect();
    let of_run: BTreeSet<GrantId> = shared.iter().map(|grant| grant.grant_id).collect();
    let policies: BTreeSet<Arc<str>> = shared.iter().map(|grant| Arc::clone(&grant.policy)).collect();
    // Whoever had another identifier in the run has the same grants of its period under another number.
    let is_shared = |grant: &StoredGrant| {
        let here = (&grant.policy, &grant.occasion, &grant.member);
        let is_of_round = in_round(&subject.id, &grant.policy, grant.occasion.as_deref(), grant.member.as_deref()) == Some(grant.grant_id);
        shared
            .iter()
            .any(|of_run| of_run.grant_id == grant.grant_id || is_of_round && (&of_run.policy, &of_run.occasion, &of_run.member) == here)
    };
    let mut grants: Vec<StoredGrant> = subject.grants.iter().filter(|grant| !is_shared(grant)).cloned().collect();
    grants.extend(shared.iter().cloned());
    grants.sort_by(|one, other| {
        (&one.policy, &one.occasion, &one.member, one.grant_id).cmp(&(&other.policy, &other.occasion, &other.member, other.grant_id))
    });
    subject.grants = grants;
    // What the round settled is not open.
    subject.unknowns.retain(|unknown| !policies.contains(&unknown.policy));
    subject.offers.retain(|offer| !policies.contains(&offer.policy));
    for verdict in subject.verdicts.iter_mut().filter(|verdict| policies.contains(&verdict.policy)) {
        verdict.verdict = run.verdict(&verdict.policy);
    }
    (subject, of_run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Verdict;
    use crate::policy::document::Mode;
    use crate::store::{StoredGiven, StoredUnknown, StoredVerdict};

    const PERIOD: &str = "2026-06";

    fn grant(id: &str, policy: &str, period: &str, status: Status, amount: i64) -> StoredGrant {
        StoredGrant {
            policy: policy.into(),
            grant_id: GrantId::of(SubjectKind::Person, id, policy, period, None, None),
            occasion: None,
            member: None,
            payee: Some(id.to_owned()),
            amount: Some(amount),
            full_amount: Some(amount),
            mode: Mode::Automatic,
            notify: true,
            status,
            reasons: Vec::new(),
        }
    }

    fn subject(id: &str, verdict: Verdict, grants: Vec<StoredGrant>) -> StoredSubject {
        let verdicts = ["HELD", "OPEN"].map(|policy| StoredVerdict { policy: policy.into(), verdict });
        StoredSubject {
            kind: SubjectKind::Person,
            id: id.to_owned(),
            region: "990101".into(),
            household: None,
            members: Vec::new(),
            facts: Vec::new(),
            verdicts: verdicts.into(),
            grants,
            given: Vec::new(),
            offers: Vec::new(),
            unknowns: Vec::new(),
            conflicts: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// Grants as (policy, status, amount), and how many are the run's.
    #[track_caller]
    fn check(stands: StoredSubject, run: &StoredSubject, expect: &[(&str, Status, Option<i64>)], of_run: usize) -> StoredSubject {
        let held = BTreeSet::from(["HELD".into()]);
        let (subject, ids) = lay(stands, run, &held, &|_| Some(PERIOD.into()));
        let found: Vec<(&str, Status, Option<i64>)> =
            subject.grants.iter().map(|grant| (&*grant.policy, grant.status, grant.amount)).collect();
        assert_eq!((found.as_slice(), ids.len()), (expect, of_run));
        subject
    }

    #[test]
    fn what_a_round_shared_out_stays_and_all_else_is_what_stands() {
        use Status::{Granted, Waitlisted};
        let of = |policy, status, amount| grant("A", policy, PERIOD, status, amount);
        let run = || subject("A", Verdict::Yes, vec![of("HELD", Granted, 700), of("OPEN", Granted, 100)]);
        // Before allocation it comes to more: the round's word counts.
        let stands = subject("A", Verdict::Yes, vec![of("HELD", Granted, 900), of("OPEN", Granted, 200)]);
        check(stands, &run(), &[("HELD", Granted, Some(700)), ("OPEN", Granted, Some(200))], 1);
        // It is no longer found: what the round gave stays until the next one, what no round gave is gone.
        let found = check(subject("A", Verdict::No, Vec::new()), &run(), &[("HELD", Granted, Some(700))], 1);
        assert_eq!((found.verdict("HELD"), found.verdict("OPEN")), (Verdict::Yes, Verdict::No));
        // It waited in the round, and waits on.
        let waited = subject("A", Verdict::Yes, vec![of("HELD", Waitlisted, 700)]);
        check(subject("A", Verdict::Yes, vec![of("HELD", Granted, 900)]), &waited, &[("HELD", Waitlisted, Some(700))], 1);
        // Found since, or for a period that no round was held for yet: no round has said what it comes to.
        let since = || subject("A", Verdict::Yes, vec![of("HELD", Granted, 900)]);
        check(since(), &subject("A", Verdict::No, Vec::new()), &[("HELD", Waitlisted, None)], 0);
        let next = subject("A", Verdict::Yes, vec![grant("A", "HELD", "2026-07", Granted, 900)]);
        let both = check(next, &run(), &[("HELD", Waitlisted, None), ("HELD", Granted, Some(700))], 1);
        assert_eq!(both.grants.len(), 2);
        let (alone, held) = (since(), BTreeSet::from(["HELD".into()]));
        assert_eq!(waiting(alone, &held).grants[0].status, Waitlisted);
    }

    #[test]
    fn what_was_paid_since_is_given_and_no_longer_owed() {
        let mut stands = subject("A", Verdict::Yes, Vec::new());
        stands.given.push(StoredGiven { policy: "HELD".into(), occasion: None, member: None, amount: Some(700) });
        let run = subject("A", Verdict::Yes, vec![grant("A", "HELD", PERIOD, Status::Granted, 700)]);
        check(stands, &run, &[], 0);
    }

    #[test]
    fn who_was_renumbered_since_keeps_what_the_round_gave() {
        let stands = subject("B", Verdict::Yes, vec![grant("B", "HELD", PERIOD, Status::Granted, 900)]);
        let run = subject("A", Verdict::Yes, vec![grant("A", "HELD", PERIOD, Status::Granted, 700)]);
        let found = check(stands, &run, &[("HELD", Status::Granted, Some(700))], 1);
        assert_eq!(found.id, "B");
        // Of the next period no round has been held: the new grant waits beside what the round gave.
        let stands = subject("B", Verdict::Yes, vec![grant("B", "HELD", "2026-07", Status::Granted, 900)]);
        let (both, of_run) = lay(stands, &run, &BTreeSet::from(["HELD".into()]), &|_| Some(PERIOD.into()));
        let found: BTreeSet<_> = both.grants.iter().map(|grant| (grant.payee.as_deref(), grant.status.name(), grant.amount)).collect();
        let waits = (Some("B"), Status::Waitlisted.name(), None);
        assert_eq!((found, of_run.len()), (BTreeSet::from([waits, (Some("A"), Status::Granted.name(), Some(700))]), 1));
    }

    #[test]
    fn what_the_round_settled_is_not_asked_about() {
        let unknown = |policy: &str| StoredUnknown { policy: policy.into(), missing: Vec::new(), offered: false, told_once: false };
        let mut stands = subject("A", Verdict::Unknown, Vec::new());
        stands.unknowns = vec![unknown("HELD"), unknown("OPEN")];
        let run = subject("A", Verdict::Yes, vec![grant("A", "HELD", PERIOD, Status::Granted, 700)]);
        let found = check(stands, &run, &[("HELD", Status::Granted, Some(700))], 1);
        let open: Vec<&str> = found.unknowns.iter().map(|unknown| &*unknown.policy).collect();
        assert_eq!(open, ["OPEN"]);
    }
}
