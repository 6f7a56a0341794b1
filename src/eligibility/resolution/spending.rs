//! Budgets: what is left of the money, and whose grants it reaches.

use super::super::allocation::{Claim, by_rank, pro_rata};
use super::super::finding::PolicyIdx;
use super::given::PaidIndex;
use super::rows::{Fate, Row, Rows};
use crate::policy::document::{Budget, Exhaustion};

/// Allocates every budget. Grants without a known amount take no part: an official decides on them. A budget whose
/// value is unknown makes every grant a matter of review.
pub(super) fn allocate(rows: &mut Rows<'_>, paid: &PaidIndex<'_>) {
    for policy in rows.policies() {
        let document = &rows.policy(policy).document;
        let Some(budget) = &document.budget else { continue };
        let Some(Some(amount)) = rows.input.budgets.get(policy as usize) else {
            rows.review(rows.of_policy[policy as usize].clone());
            continue;
        };
        let left = i128::from(*amount) - paid.within(document.subject, policy, budget.period, rows.input.as_of);
        let left = i64::try_from(left.max(0)).unwrap_or(i64::MAX);
        match budget.at_exhaustion {
            Exhaustion::Waitlist => waitlist(rows, policy, budget, left),
            Exhaustion::ProRata => share(rows, policy, left),
        }
    }
}

fn takes_part(row: &Row) -> bool {
    row.fate == Fate::Stands && row.amount.get().is_some_and(|amount| amount >= 0)
}

fn waitlist(rows: &mut Rows<'_>, policy: PolicyIdx, budget: &Budget, left: i64) {
    let mut units = rows.units(policy);
    units.retain(|unit| rows.all[unit.clone()].iter().any(takes_part));
    let claim = |unit: &std::ops::Range<usize>| {
        let amounts = rows.all[unit.clone()].iter().filter(|row| takes_part(row)).filter_map(|row| row.amount.get());
        Claim { amount: amounts.fold(0, i64::saturating_add), ..claim(rows, policy, unit.start) }
    };
    let claims: Vec<Claim<'_>> = units.iter().map(claim).collect();
    let met = by_rank(left, &claims, budget.descending);
    for (unit, met) in units.into_iter().zip(met) {
        for row in rows.all[unit].iter_mut().filter(|row| !met && takes_part(row)) {
            row.fate = Fate::Waitlisted;
        }
    }
}

fn share(rows: &mut Rows<'_>, policy: PolicyIdx, left: i64) {
    let places: Vec<usize> = rows.of_policy[policy as usize].clone().filter(|&at| takes_part(&rows.all[at])).collect();
    let claims: Vec<Claim<'_>> = places.iter().map(|&at| claim(rows, policy, at)).collect();
    let parts = pro_rata(left, &claims);
    for (at, part) in places.into_iter().zip(parts) {
        let row = &mut rows.all[at];
        if part == 0 && row.amount.get() != Some(0) {
            row.fate = Fate::Waitlisted;
        } else {
            row.amount = Some(part).into();
        }
    }
}

fn claim<'a>(rows: &Rows<'a>, policy: PolicyIdx, at: usize) -> Claim<'a> {
    let row = &rows.all[at];
    let finding = rows.finding(row);
    Claim {
        amount: row.amount.get().unwrap_or(0),
        rank: rows.findings.limits_of(finding).rank,
        id: rows.id(policy, row.subject),
        occasion: rows.occasion(row),
        member: rows.findings.word(finding.member),
    }
}
