//! `excludes`: of two policies that may not be had together, which one stays.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::super::finding::{PolicyIdx, SubjectIdx};
use super::rows::{Fate, Rows, Verdict};
use crate::policy::document::Keep;
use crate::register::declaration::SubjectKind;

/// Two policies of one subject kind that exclude each other, the lower code first.
#[derive(Debug, Clone, Copy)]
struct Pair {
    first: PolicyIdx,
    second: PolicyIdx,
    winner: Winner,
}

/// Which of a pair stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Winner {
    First,
    Second,
    Highest,
    /// The periods differ: an official decides.
    Undecided,
}

/// Unknown verdicts, as (policy, subject), that would lose against a policy which the subject has.
pub(super) type Moot = HashSet<(PolicyIdx, SubjectIdx)>;

/// Settles all exclusions. A policy that is itself given up excludes nothing: who loses B to A may have C beside A, even
/// when B excludes C. Against an unknown, the yes stays and goes to review.
pub(super) fn settle(rows: &mut Rows<'_>) -> Moot {
    let pairs = pairs(rows);
    let moot = review_against_unknowns(rows, &pairs);
    let mut clashes = clashes(rows, &pairs);
    clashes.par_sort_unstable();
    for group in clashes.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
        let subject = group[0].1;
        let pairs: Vec<Pair> = group.iter().map(|&(_, _, pair)| pairs[pair]).collect();
        settle_subject(rows, subject, &pairs);
    }
    settle_households(rows);
    moot
}

/// Each excluding pair once, whoever declares it. Where both declare and contradict, the lower code's word counts.
fn pairs(rows: &Rows<'_>) -> Vec<Pair> {
    let mut seen = HashSet::new();
    let mut pairs = Vec::new();
    for policy in rows.policies() {
        for exclusion in &rows.policy(policy).document.excludes {
            let Some(&other) = rows.by_code.get(exclusion.policy.as_str()) else { continue };
            let (first, second) = (policy.min(other), policy.max(other));
            if first == second || rows.kind_of(first) != rows.kind_of(second) || !seen.insert((first, second)) {
                continue;
            }
            let period = |policy| rows.policy(policy).document.benefit.period;
            let winner = match exclusion.keep {
                Keep::Highest if period(first) == period(second) => Winner::Highest,
                Keep::Highest => Winner::Undecided,
                Keep::This if policy == first => Winner::First,
                Keep::Other if policy == second => Winner::First,
                Keep::This | Keep::Other => Winner::Second,
            };
            pairs.push(Pair { first, second, winner });
        }
    }
    pairs
}

fn review_against_unknowns(rows: &mut Rows<'_>, pairs: &[Pair]) -> Moot {
    let mut moot = Moot::new();
    for pair in pairs {
        let sides = [(pair.first, pair.second, Winner::First), (pair.second, pair.first, Winner::Second)];
        for (yes, unknown, wins) in sides {
            for subject in rows.standing(yes) {
                if matches!(rows.verdict(unknown, subject), Verdict::Unknown(_)) {
                    rows.review(rows.of_subject(yes, subject));
                    if pair.winner == wins {
                        moot.insert((unknown, subject));
                    }
                }
            }
        }
    }
    moot
}

/// Who is a yes for both of a pair, as (kind, subject, index of the pair).
fn clashes(rows: &Rows<'_>, pairs: &[Pair]) -> Vec<(SubjectKind, SubjectIdx, usize)> {
    let mut clashes = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        let kind = rows.kind_of(pair.first);
        let second = rows.standing(pair.second);
        for subject in rows.standing(pair.first) {
            if second.binary_search(&subject).is_ok() {
                clashes.push((kind, subject, at));
            }
        }
    }
    clashes
}

/// Settles one subject: again and again, a policy that nothing still open beats is kept, and gives up what it excludes.
fn settle_subject(rows: &mut Rows<'_>, subject: SubjectIdx, pairs: &[Pair]) {
    let mut open: Vec<PolicyIdx> = pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect();
    open.sort_unstable();
    open.dedup();
    let worth: HashMap<PolicyIdx, Option<i128>> = open.iter().map(|&policy| (policy, worth(rows, policy, subject))).collect();
    let mut duels = Vec::new();
    for pair in pairs {
        match winner(pair, &worth) {
            Some(true) => duels.push((pair.first, pair.second)),
            Some(false) => duels.push((pair.second, pair.first)),
            None => {
                rows.review(rows.of_subject(pair.first, subject));
                rows.review(rows.of_subject(pair.second, subject));
            }
        }
    }
    while !open.is_empty() {
        let is_beaten = |policy: PolicyIdx| duels.iter().any(|&(winner, loser)| loser == policy && open.contains(&winner));
        let unbeaten = open.iter().copied().find(|&policy| !is_beaten(policy));
        // Only contradicting rules make a circle; then the highest amount, and at last the lowest code, is kept.
        let kept = unbeaten.or_else(|| open.iter().copied().max_by_key(|policy| (worth[policy], std::cmp::Reverse(*policy))));
        let Some(kept) = kept else { break };
        let given_up: Vec<PolicyIdx> = duels
            .iter()
            .filter_map(|&(winner, loser)| match kept {
                policy if policy == winner => Some(loser),
                policy if policy == loser => Some(winner),
                _ => None,
            })
            .filter(|policy| open.contains(policy))
            .collect();
        for &policy in &given_up {
            rows.turn(rows.of_subject(policy, subject), Fate::Excluded);
        }
        open.retain(|policy| *policy != kept && !given_up.contains(policy));
    }
}

/// Whether the first of a pair stays; none when it cannot be said.
fn winner(pair: &Pair, worth: &HashMap<PolicyIdx, Option<i128>>) -> Option<bool> {
    match pair.winner {
        Winner::First => Some(true),
        Winner::Second => Some(false),
        Winner::Undecided => None,
        Winner::Highest => Some(worth[&pair.first]? >= worth[&pair.second]?),
    }
}

/// What a policy gives a subject in all, before caps; none when an amount is unknown.
fn worth(rows: &Rows<'_>, policy: PolicyIdx, subject: SubjectIdx) -> Option<i128> {
    let rows_of = &rows.all[rows.of_subject(policy, subject)];
    let amount = |row| {
        let finding = rows.finding(row);
        if finding.amount_unknown { None } else { Some(i128::from(finding.amount.get().unwrap_or(0))) }
    };
    rows_of.iter().map(amount).sum()
}

/// A person's policy and the household's: the person's is given up where the household's is kept by rule. What the
/// household has is never given up for one member, so that in every other case an official decides.
fn settle_households(rows: &mut Rows<'_>) {
    for (person, household, household_wins) in household_pairs(rows) {
        for subject in rows.standing(person) {
            let verdict = match rows.household_idx(subject) {
                Err(()) => None,
                Ok(None) => continue,
                Ok(Some(at)) => Some(rows.verdict(household, at)),
            };
            let range = rows.of_subject(person, subject);
            match verdict {
                Some(Verdict::No) => {}
                Some(Verdict::Yes) if household_wins => rows.turn(range, Fate::Excluded),
                None | Some(Verdict::Yes | Verdict::Unknown(_)) => rows.review(range),
            }
        }
    }
}

/// (policy of a person, policy of a household, whether the household's stays by rule)
fn household_pairs(rows: &Rows<'_>) -> Vec<(PolicyIdx, PolicyIdx, bool)> {
    let mut pairs = Vec::new();
    for policy in rows.policies() {
        for exclusion in &rows.policy(policy).document.excludes {
            let Some(&other) = rows.by_code.get(exclusion.policy.as_str()) else { continue };
            let pair = match (rows.kind_of(policy), rows.kind_of(other)) {
                (SubjectKind::Person, SubjectKind::Household) => (policy, other, exclusion.keep == Keep::Other),
                (SubjectKind::Household, SubjectKind::Person) => (other, policy, exclusion.keep == Keep::This),
                _ => continue,
            };
            pairs.push(pair);
        }
    }
    pairs
}
