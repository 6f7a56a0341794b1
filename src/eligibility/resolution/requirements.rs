//! `requires`: who must be entitled to one policy to be entitled to another.

use super::super::finding::{PolicyIdx, SubjectIdx};
use super::super::grant::{Open, Turn};
use super::missing::MissingTable;
use super::rows::{Fate, Rows, Verdict};
use crate::register::declaration::SubjectKind;

/// Settles every policy that requires others, those required first.
pub(super) fn settle(rows: &mut Rows<'_>, missing: &mut MissingTable) {
    for policy in in_order(rows) {
        settle_policy(rows, missing, policy);
    }
}

/// The policies that a policy requires; none for one that is not in the run.
fn required(rows: &Rows<'_>, policy: PolicyIdx) -> Vec<Option<PolicyIdx>> {
    rows.policy(policy).document.requires.iter().map(|(code, _)| rows.by_code.get(code.as_str()).copied()).collect()
}

/// Policies with requirements, each after those that it requires. Checking refuses cycles; were there one, it would be
/// cut at the policy with the lowest code.
fn in_order(rows: &Rows<'_>) -> Vec<PolicyIdx> {
    fn visit(rows: &Rows<'_>, policy: PolicyIdx, seen: &mut [bool], order: &mut Vec<PolicyIdx>) {
        if std::mem::replace(&mut seen[policy as usize], true) {
            return;
        }
        for other in required(rows, policy).into_iter().flatten() {
            visit(rows, other, seen, order);
        }
        if !rows.policy(policy).document.requires.is_empty() {
            order.push(policy);
        }
    }
    let mut seen = vec![false; rows.policies().len()];
    let mut order = Vec::new();
    for policy in rows.policies() {
        visit(rows, policy, &mut seen, &mut order);
    }
    order
}

fn settle_policy(rows: &mut Rows<'_>, missing: &mut MissingTable, policy: PolicyIdx) {
    let others = required(rows, policy);
    let mut open = Vec::new();
    for group in rows.groups(policy) {
        let subject = rows.all[group.start].subject;
        match all_required(rows, missing, policy, &others, subject) {
            Verdict::Yes => continue,
            Verdict::No => rows.turns.push(Turn { policy, subject, was_yes: true, is_no: true }),
            Verdict::Unknown(missing) => {
                rows.turns.push(Turn { policy, subject, was_yes: true, is_no: false });
                open.push(Open { subject, missing });
            }
        }
        rows.turn(group, Fate::NotYes);
    }
    for unknown in std::mem::take(&mut rows.open[policy as usize]) {
        match all_required(rows, missing, policy, &others, unknown.subject) {
            Verdict::Yes => open.push(unknown),
            Verdict::No => rows.turns.push(Turn { policy, subject: unknown.subject, was_yes: false, is_no: true }),
            Verdict::Unknown(other) => open.push(Open { missing: missing.both(unknown.missing, other), ..unknown }),
        }
    }
    open.sort_unstable_by_key(|unknown| unknown.subject);
    rows.open[policy as usize] = open;
}

/// Whether a subject is entitled to all of the policies that another one requires (Kleene conjunction).
fn all_required(
    rows: &Rows<'_>,
    missing: &mut MissingTable,
    policy: PolicyIdx,
    others: &[Option<PolicyIdx>],
    subject: SubjectIdx,
) -> Verdict {
    let mut unknown: Option<u32> = None;
    for &other in others {
        let verdict = match other {
            Some(other) => verdict_for(rows, missing, policy, other, subject),
            None => Verdict::No,
        };
        match verdict {
            Verdict::Yes => {}
            Verdict::No => return Verdict::No,
            Verdict::Unknown(more) => unknown = Some(unknown.map_or(more, |before| missing.both(before, more))),
        }
    }
    unknown.map_or(Verdict::Yes, Verdict::Unknown)
}

/// The verdict of `other` as it concerns a subject of `policy`: a person's own, or that of the person's household.
fn verdict_for(rows: &Rows<'_>, missing: &mut MissingTable, policy: PolicyIdx, other: PolicyIdx, subject: SubjectIdx) -> Verdict {
    match (rows.kind_of(policy), rows.kind_of(other)) {
        (own, theirs) if own == theirs => rows.verdict(other, subject),
        (SubjectKind::Person, SubjectKind::Household) => match rows.household_idx(subject) {
            Err(()) => Verdict::Unknown(missing.single("household")),
            Ok(None) => Verdict::No,
            Ok(Some(household)) => match rows.verdict(other, household) {
                Verdict::Unknown(sets) => Verdict::Unknown(missing.through_household(sets)),
                settled => settled,
            },
        },
        // Checking refuses other pairs; nobody is denied for one that came through.
        _ => Verdict::Unknown(missing.single(&format!("entitled('{}')", rows.policy(other).document.code))),
    }
}
