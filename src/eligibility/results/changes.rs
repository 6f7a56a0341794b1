//! What changed against an earlier run: who gained, who lost, whose amount is another.
//!
//! Grants are compared without their period: the May and the June payment of a monthly policy are the same to its subject.
//! What is already given counts as had, on both sides.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::super::grant::{Resolution, Status};
use super::read::{Previous, PreviousRow};
use crate::register::declaration::SubjectKind;

/// What happened to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Had now, not before.
    Gained,
    /// Had before, not now.
    Lost,
    /// Had both times, with another amount.
    AmountChanged,
}

impl Change {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::AmountChanged => "amount_changed",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// What happened.
    pub change: Change,
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject_id: Arc<str>,
    /// Where the subject is counted; of the lost, where it was.
    pub region: Arc<str>,
    /// Code of the policy.
    pub policy: Arc<str>,
    /// What for.
    pub occasion: Option<Arc<str>>,
    /// The member of the household.
    pub member: Option<Arc<str>>,
    /// Before, in hundredths.
    pub amount_before: Option<i64>,
    /// Now, in hundredths.
    pub amount: Option<i64>,
    /// How it stands now: `granted`, `given`; of the lost: `waitlisted`, `refused`, `unknown`, `no` (not found, or given up
    /// for another policy), `not_in_run` (the policy is not in force or not chosen).
    pub now: &'static str,
    /// The criteria that carry the verdict of the gained.
    pub reasons: Vec<Arc<str>>,
}

/// A grant without its period.
type Key<'a> = (SubjectKind, &'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// A grant of this run, or one found given.
struct Current<'a> {
    key: Key<'a>,
    region: &'a Arc<str>,
    amount: Option<i64>,
    reasons: (u32, u64),
    now: &'static str,
}

fn key_of(row: &PreviousRow) -> Key<'_> {
    (row.kind, &row.subject_id, &row.policy, row.occasion.as_deref(), row.member.as_deref())
}

/// The changes from an earlier run to this one, by subject kind, region, identifier, policy, occasion and member.
#[must_use]
pub fn compare(before: &Previous, resolution: &Resolution) -> Vec<ChangeRow> {
    let earlier: HashMap<Key<'_>, &PreviousRow> = before.rows.iter().map(|row| (key_of(row), row)).collect();
    let current = current(resolution);
    let kept: HashSet<Key<'_>> = current.iter().filter(|row| row.now == "granted" || row.now == "given").map(|row| row.key).collect();
    let mut changes = Vec::new();
    for row in &current {
        let change = match (row.now, earlier.get(&row.key)) {
            ("granted", None) => (Change::Gained, None),
            ("granted" | "given", Some(earlier)) if earlier.amount != row.amount => (Change::AmountChanged, earlier.amount),
            _ => continue,
        };
        changes.push(changed(change, row, resolution));
    }
    let gone: Vec<&PreviousRow> = earlier.iter().filter(|(key, _)| !kept.contains(*key)).map(|(_, row)| *row).collect();
    changes.extend(lost(&gone, &current, resolution));
    changes.par_sort_by(|left, right| order(left).cmp(&order(right)));
    changes
}

type Order<'a> = (SubjectKind, &'a str, &'a str, &'a str, Option<&'a str>, Option<&'a str>);

fn order(row: &ChangeRow) -> Order<'_> {
    (row.kind, &row.region, &row.subject_id, &row.policy, row.occasion.as_deref(), row.member.as_deref())
}

fn current(resolution: &Resolution) -> Vec<Current<'_>> {
    let code = |policy: u32| &*resolution.policies[policy as usize].code;
    let grants = resolution.grants.iter().map(|grant| Current {
        key: (grant.kind, &grant.subject_id, code(grant.policy), grant.occasion.as_deref(), grant.member.as_deref()),
        region: &grant.region,
        amount: grant.amount,
        reasons: (grant.policy, grant.reasons),
        now: match grant.status {
            Status::Granted => "granted",
            Status::Waitlisted => "waitlisted",
            Status::Refused => "refused",
        },
    });
    let given = resolution.given.iter().map(|given| Current {
        key: (given.kind, &given.subject_id, code(given.policy), given.occasion.as_deref(), given.member.as_deref()),
        region: &given.region,
        amount: given.amount,
        reasons: (given.policy, given.reasons),
        now: "given",
    });
    grants.chain(given).collect()
}

fn changed((change, amount_before): (Change, Option<i64>), row: &Current<'_>, resolution: &Resolution) -> ChangeRow {
    let (kind, subject, _, occasion, member) = row.key;
    let summary = &resolution.policies[row.reasons.0 as usize];
    ChangeRow {
        change,
        kind,
        subject_id: Arc::from(subject),
        region: Arc::clone(row.region),
        policy: Arc::clone(&summary.code),
        occasion: occasion.map(Arc::from),
        member: member.map(Arc::from),
        amount_before,
        amount: row.amount,
        now: row.now,
        reasons: if change == Change::Gained { summary.reasons(row.reasons.1).cloned().collect() } else { Vec::new() },
    }
}

fn lost(gone: &[&PreviousRow], current: &[Current<'_>], resolution: &Resolution) -> Vec<ChangeRow> {
    let keys: HashSet<Key<'_>> = gone.iter().map(|row| key_of(row)).collect();
    let held: HashMap<Key<'_>, &'static str> = current.iter().filter(|row| keys.contains(&row.key)).map(|row| (row.key, row.now)).collect();
    let subjects: HashSet<(SubjectKind, &str)> = gone.iter().map(|row| (row.kind, &*row.subject_id)).collect();
    let mut unknown: HashSet<(SubjectKind, &str, &str)> = HashSet::new();
    for row in &resolution.unknowns {
        if subjects.contains(&(row.kind, &*row.subject_id)) {
            unknown.insert((row.kind, &row.subject_id, &resolution.policies[row.policy as usize].code));
        }
    }
    let in_run: HashSet<&str> = resolution.policies.iter().map(|policy| &*policy.code).collect();
    let now = |row: &PreviousRow| match held.get(&key_of(row)) {
        Some(now) => now,
        None if !in_run.contains(&*row.policy) => "not_in_run",
        None if unknown.contains(&(row.kind, &*row.subject_id, &*row.policy)) => "unknown",
        None => "no",
    };
    let change = |row: &&PreviousRow| ChangeRow {
        change: Change::Lost,
        kind: row.kind,
        subject_id: Arc::clone(&row.subject_id),
        region: Arc::clone(&row.region),
        policy: Arc::clone(&row.policy),
        occasion: row.occasion.clone(),
        member: row.member.clone(),
        amount_before: row.amount,
        amount: None,
        now: now(row),
        reasons: Vec::new(),
    };
    gone.iter().map(change).collect()
}
