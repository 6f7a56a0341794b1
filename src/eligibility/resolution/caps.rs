//! Caps: the most that one subject, household or year may get from a policy.

use std::ops::Range;

use super::super::finding::PolicyIdx;
use super::given::PaidIndex;
use super::rows::{Fate, Rows};
use crate::policy::document::{CapScope, Period};

/// Applies the cap of every policy that has one. What was paid counts first, then rows by subject, occasion and member.
pub(super) fn apply(rows: &mut Rows<'_>, paid: &PaidIndex<'_>) {
    for policy in rows.policies() {
        let Some(cap) = &rows.policy(policy).document.cap else { continue };
        let groups = match cap.per {
            CapScope::Subject | CapScope::Year => rows.groups(policy).into_iter().map(Range::collect).collect(),
            CapScope::Household => by_household(rows, policy),
        };
        for group in groups {
            apply_to(rows, paid, policy, cap.per, &group);
        }
    }
}

/// The rows of a policy by household; a person whose household is unknown is counted alone.
fn by_household(rows: &Rows<'_>, policy: PolicyIdx) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = rows.of_policy[policy as usize].clone().collect();
    let household = |at: usize| rows.household(policy, rows.all[at].subject);
    let alone = |at: usize| household(at).is_none().then_some(rows.all[at].subject);
    all.sort_by(|&left, &right| {
        let key = |at: usize| (household(at), rows.id(policy, rows.all[at].subject), at);
        key(left).cmp(&key(right))
    });
    let same = |left: &usize, right: &usize| (household(*left), alone(*left)) == (household(*right), alone(*right));
    all.chunk_by(same).map(<[usize]>::to_vec).collect()
}

fn apply_to(rows: &mut Rows<'_>, paid: &PaidIndex<'_>, policy: PolicyIdx, scope: CapScope, group: &[usize]) {
    let standing: Vec<usize> = group.iter().copied().filter(|&at| rows.all[at].fate == Fate::Stands).collect();
    let caps: Option<Vec<i64>> = standing.iter().map(|&at| rows.findings.limits_of(rows.finding(&rows.all[at])).cap).collect();
    let Some(cap) = caps.map(|caps| caps.into_iter().max()) else {
        for at in standing {
            rows.all[at].review = true;
        }
        return;
    };
    let Some(cap) = cap.map(i128::from) else { return };
    let (given, open): (Vec<usize>, Vec<usize>) = standing.iter().partition(|&&at| is_given(rows, paid, policy, at));
    let all_paid = paid_to(rows, paid, policy, scope, group);
    let mut of_occasions = 0;
    let mut seen = Vec::new();
    for &at in &given {
        let row = &rows.all[at];
        let occasion = rows.occasion(row);
        if !seen.contains(&(row.subject, occasion)) {
            seen.push((row.subject, occasion));
            of_occasions += paid.for_occasion(policy, row.subject, occasion).unwrap_or(0);
        }
    }
    fill(rows, &given, cap - (all_paid - of_occasions));
    fill(rows, &open, cap - all_paid);
}

fn is_given(rows: &Rows<'_>, paid: &PaidIndex<'_>, policy: PolicyIdx, at: usize) -> bool {
    let row = &rows.all[at];
    paid.for_occasion(policy, row.subject, rows.occasion(row)).is_some()
}

/// What was paid to the subjects of a group, within the period of the cap.
fn paid_to(rows: &Rows<'_>, paid: &PaidIndex<'_>, policy: PolicyIdx, scope: CapScope, group: &[usize]) -> i128 {
    let mut subjects: Vec<_> = group.iter().map(|&at| rows.all[at].subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let payments = subjects.into_iter().flat_map(|subject| paid.to_subject(policy, subject));
    let counts = payments.filter(|row| match scope {
        CapScope::Subject | CapScope::Household => paid.is_of_period(policy, row),
        CapScope::Year => rows.input.paid.is_within(row, Period::Year, rows.input.as_of),
    });
    counts.map(|row| i128::from(row.amount)).sum()
}

/// Cuts amounts to what is left, in order; what gets nothing is capped.
fn fill(rows: &mut Rows<'_>, order: &[usize], room: i128) {
    let mut left = room.max(0);
    for &at in order {
        let row = &mut rows.all[at];
        let Some(amount) = row.amount.get().filter(|amount| *amount > 0) else { continue };
        let part = i128::from(amount).min(left);
        left -= part;
        if part == 0 {
            row.fate = Fate::Capped;
        }
        row.amount = i64::try_from(part).ok().into();
    }
}
