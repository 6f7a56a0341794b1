//! What changed against an earlier run: who gained, who lost, whose amount is another.
//!
//! Grants are compared without their period: the May and the June payment of a monthly policy are the same to its subject.
//! What is already given counts as had, on both sides.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashSet, HashTable};
use rayon::prelude::*;

use super::super::grant::{Grant, Resolution, Status};
use super::super::texts::Word;
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

/// A grant without its period: subject, policy, occasion and member, as the earlier run numbers them.
type Key = (SubjectKind, Word, Word, Option<Word>, Option<Word>);

/// A grant of this run, or one found given.
struct Current {
    grant: Grant,
    now: &'static str,
}

/// The rows of an earlier run, by what they are for, with what became of them.
struct Earlier<'a> {
    previous: &'a Previous,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Of each row: how it stands now.
    now: Vec<Option<&'static str>>,
    /// Of each row: whether it is still had.
    kept: Vec<bool>,
}

fn key_of(row: &PreviousRow) -> Key {
    (row.kind, row.subject, row.policy, row.occasion, row.member)
}

impl<'a> Earlier<'a> {
    fn new(previous: &'a Previous) -> Self {
        let hasher = DefaultHashBuilder::default();
        let key = |at: u32| key_of(&previous.rows[at as usize]);
        let mut table = HashTable::with_capacity(previous.rows.len());
        for at in (0..).take(previous.rows.len()) {
            let hash = hasher.hash_one(key(at));
            match table.find_mut(hash, |other| key(*other) == key(at)) {
                Some(other) => *other = at,
                None => {
                    table.insert_unique(hash, at, |other| hasher.hash_one(key(*other)));
                }
            }
        }
        Self { previous, table, hasher, now: vec![None; previous.rows.len()], kept: vec![false; previous.rows.len()] }
    }

    /// The row that a grant of this run had before.
    fn find(&self, grant: &Grant, resolution: &Resolution<'_>) -> Option<usize> {
        let words = &self.previous.words;
        // Who was not known before had nothing before.
        let word = |text: Option<&str>| match text {
            Some(text) => words.find(text).map(Some),
            None => Some(None),
        };
        let kind = grant.kind(resolution);
        let key = (
            kind,
            self.previous.subjects[kind as usize].find(grant.subject_id(resolution))?,
            words.find(&resolution.policy(grant.policy).code)?,
            word(grant.occasion(resolution))?,
            word(grant.member(resolution))?,
        );
        let found = self.table.find(self.hasher.hash_one(key), |other| key_of(&self.previous.rows[*other as usize]) == key);
        found.map(|at| *at as usize)
    }

    /// Those that are no longer had.
    fn gone(&self) -> Vec<usize> {
        self.table.iter().map(|at| *at as usize).filter(|at| !self.kept[*at]).collect()
    }
}

/// The changes from an earlier run to this one, by subject kind, region, identifier, policy, occasion and member.
#[must_use]
pub fn compare(before: &Previous, resolution: &Resolution<'_>) -> Vec<ChangeRow> {
    let mut earlier = Earlier::new(before);
    let mut changes = Vec::new();
    for row in current(resolution) {
        let at = earlier.find(&row.grant, resolution);
        if let Some(at) = at {
            earlier.now[at] = Some(row.now);
            earlier.kept[at] |= row.now == "granted" || row.now == "given";
        }
        let amount_before = at.map(|at| before.rows[at].amount);
        let change = match (row.now, amount_before) {
            ("granted", None) => (Change::Gained, None),
            ("granted" | "given", Some(earlier)) if earlier != row.grant.amount => (Change::AmountChanged, earlier.get()),
            _ => continue,
        };
        changes.push(changed(change, &row, resolution));
    }
    changes.extend(lost(&earlier, resolution));
    changes.par_sort_by(|left, right| order(left).cmp(&order(right)));
    changes
}

type Order<'a> = (SubjectKind, &'a str, &'a str, &'a str, Option<&'a str>, Option<&'a str>);

fn order(row: &ChangeRow) -> Order<'_> {
    (row.kind, &row.region, &row.subject_id, &row.policy, row.occasion.as_deref(), row.member.as_deref())
}

fn current(resolution: &Resolution<'_>) -> impl Iterator<Item = Current> {
    let grants = resolution.grants.iter().map(|grant| {
        let now = match grant.status {
            Status::Granted => "granted",
            Status::Waitlisted => "waitlisted",
            Status::Refused => "refused",
        };
        Current { grant: *grant, now }
    });
    grants.chain(resolution.given.iter().map(|given| Current { grant: given.as_grant(), now: "given" }))
}

fn changed((change, amount_before): (Change, Option<i64>), row: &Current, resolution: &Resolution<'_>) -> ChangeRow {
    let grant = &row.grant;
    let summary = resolution.policy(grant.policy);
    ChangeRow {
        change,
        kind: summary.kind,
        subject_id: Arc::from(grant.subject_id(resolution)),
        region: Arc::from(grant.region(resolution)),
        policy: Arc::clone(&summary.code),
        occasion: grant.occasion(resolution).map(Arc::from),
        member: grant.member(resolution).map(Arc::from),
        amount_before,
        amount: grant.amount.get(),
        now: row.now,
        reasons: if change == Change::Gained { summary.reasons(grant.reasons(resolution)).cloned().collect() } else { Vec::new() },
    }
}

fn lost(earlier: &Earlier<'_>, resolution: &Resolution<'_>) -> Vec<ChangeRow> {
    let before = earlier.previous;
    let gone = earlier.gone();
    let subjects: HashSet<(SubjectKind, Word)> = gone.iter().map(|at| (before.rows[*at].kind, before.rows[*at].subject)).collect();
    let mut unknown: HashSet<(SubjectKind, Word, &str)> = HashSet::new();
    for row in &resolution.unknowns {
        let summary = resolution.policy(row.policy);
        let subject = before.subjects[summary.kind as usize].find(resolution.subjects(row.policy).id(row.subject));
        if let Some(subject) = subject.filter(|subject| subjects.contains(&(summary.kind, *subject))) {
            unknown.insert((summary.kind, subject, &summary.code));
        }
    }
    let in_run: HashSet<&str> = resolution.policies.iter().map(|policy| &*policy.code).collect();
    let change = |at: &usize| {
        let row = &before.rows[*at];
        let policy = before.words.get(row.policy);
        let now = match earlier.now[*at] {
            Some(now) => now,
            None if !in_run.contains(policy) => "not_in_run",
            None if unknown.contains(&(row.kind, row.subject, policy)) => "unknown",
            None => "no",
        };
        ChangeRow {
            change: Change::Lost,
            kind: row.kind,
            subject_id: Arc::from(before.subject_id(row)),
            region: Arc::from(before.words.get(row.region)),
            policy: Arc::from(policy),
            occasion: before.word(row.occasion).map(Arc::from),
            member: before.word(row.member).map(Arc::from),
            amount_before: row.amount.get(),
            amount: None,
            now,
            reasons: Vec::new(),
        }
    };
    gone.iter().map(change).collect()
}
