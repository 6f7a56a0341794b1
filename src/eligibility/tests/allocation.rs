//! Budgets.

use proptest::prelude::*;

use super::super::allocation::{Claim, by_rank, pro_rata};
use super::super::input::RefusalKind;
use super::fixture::Run;
use crate::policy::document::{Exhaustion, Period};
use crate::register::declaration::SubjectKind::Household;

fn budgeted(at_exhaustion: Exhaustion, yuan: i64) -> Run {
    let mut run = Run::new();
    run.policy("A", |policy| policy.budgeted(at_exhaustion, Period::Year));
    run.budgets[0] = Some(yuan * 100);
    run
}

#[test]
fn the_first_by_rank_are_served_and_those_behind_wait() {
    let mut run = budgeted(Exhaustion::Waitlist, 90);
    for (person, rank) in [("p1", Some(1)), ("p2", Some(3)), ("p3", Some(2)), ("p4", None)] {
        run.yes(person, "A", 40);
        run.ranked(rank);
    }
    run.expect(&["p1 A 40 waitlisted", "p2 A 40", "p3 A 40", "p4 A 40 waitlisted"]);
    run.documents[0].budget.as_mut().unwrap().descending = false;
    let resolution = run.expect(&["p1 A 40", "p2 A 40 waitlisted", "p3 A 40", "p4 A 40 waitlisted"]);
    assert_eq!((resolution.coverage[0].granted, resolution.coverage[0].waitlisted, resolution.coverage[0].amount), (2, 2, 8_000));
}

#[test]
fn nobody_is_served_before_one_of_higher_rank() {
    let mut run = budgeted(Exhaustion::Waitlist, 50);
    run.yes("p1", "A", 40);
    run.ranked(Some(3));
    run.yes("p2", "A", 20);
    run.ranked(Some(2));
    run.yes("p3", "A", 10);
    run.ranked(Some(1));
    run.expect(&["p1 A 40", "p2 A 20 waitlisted", "p3 A 10 waitlisted"]);
}

#[test]
fn ties_go_by_identifier() {
    let mut run = budgeted(Exhaustion::Waitlist, 40);
    run.yes("p2", "A", 40);
    run.ranked(Some(1));
    run.yes("p1", "A", 40);
    run.ranked(Some(1));
    run.expect(&["p1 A 40", "p2 A 40 waitlisted"]);
}

#[test]
fn a_household_is_served_whole() {
    let mut run = Run::new();
    run.policy_for(Household, "H", |policy| policy.budgeted(Exhaustion::Waitlist, Period::Once));
    run.budgets[0] = Some(15_000);
    for household in ["h1", "h2"] {
        for member in ["m1", "m2"] {
            run.yes_of_member(household, "H", member, 50);
        }
    }
    run.expect(&["h1 H@m1 50", "h1 H@m2 50", "h2 H@m1 50 waitlisted", "h2 H@m2 50 waitlisted"]);
}

#[test]
fn what_was_paid_in_the_budgets_period_is_taken_off_first() {
    let mut run = budgeted(Exhaustion::Waitlist, 100);
    run.yes("p1", "A", 40);
    run.yes("p2", "A", 40);
    run.paid("p9", "A", "2026-01", None, 30);
    run.paid("p9", "A", "2025-12", None, 30);
    run.expect(&["p1 A 40", "p2 A 40 waitlisted"]);
    run.documents[0].budget.as_mut().unwrap().period = Period::Once;
    run.expect(&["p1 A 40", "p2 A 40"]);
}

#[test]
fn pro_rata_gives_all_the_same_share_and_odd_fen_by_largest_fraction() {
    let mut run = budgeted(Exhaustion::ProRata, 1);
    for person in ["p1", "p2", "p3"] {
        run.yes(person, "A", 40);
    }
    let resolution = run.expect(&["p1 A 34 fen", "p2 A 33 fen", "p3 A 33 fen"]);
    assert_eq!(resolution.grants[0].full_amount(&resolution), Some(4_000));
}

#[test]
fn who_refused_takes_no_money_and_unknown_amounts_take_no_part() {
    let mut run = budgeted(Exhaustion::Waitlist, 40);
    run.yes("p1", "A", 40);
    run.yes("p2", "A", 40);
    run.yes_without_amount("p3", "A");
    run.refuses("p1", RefusalKind::RefusedBenefit, None);
    run.expect(&["p1 A 40 refused", "p2 A 40", "p3 A ? review"]);
}

#[test]
fn an_unknown_budget_denies_nobody() {
    let mut run = budgeted(Exhaustion::Waitlist, 0);
    run.budgets[0] = None;
    run.yes("p1", "A", 40);
    run.expect(&["p1 A 40 review"]);
}

fn claims(amounts: &[(i64, Option<i128>)], ids: &[String]) -> Vec<(i64, Option<i128>, String)> {
    amounts.iter().zip(ids).map(|(&(amount, rank), id)| (amount, rank, id.clone())).collect()
}

fn as_claims(list: &[(i64, Option<i128>, String)]) -> Vec<Claim<'_>> {
    list.iter().map(|(amount, rank, id)| Claim { amount: *amount, rank: *rank, id, occasion: None, member: None }).collect()
}

fn amounts() -> impl Strategy<Value = Vec<(i64, Option<i128>)>> {
    let amount = prop_oneof![0..500_i64, 0..1_000_000_000_000_i64, Just(i64::MAX / 4)];
    proptest::collection::vec((amount, proptest::option::of(-3..3_i128)), 0..40)
}

proptest! {
    #[test]
    fn pro_rata_is_exact(amounts in amounts(), part in 0..=1_000_u32) {
        let ids: Vec<String> = (0..amounts.len()).map(|at| format!("{at:03}")).collect();
        let list = claims(&amounts, &ids);
        let owed: i128 = list.iter().map(|claim| i128::from(claim.0)).sum();
        let budget = i64::try_from(owed * i128::from(part) / 900).unwrap_or(i64::MAX);
        let parts = pro_rata(budget, &as_claims(&list));
        let given: i128 = parts.iter().map(|part| i128::from(*part)).sum();
        prop_assert_eq!(given, owed.min(i128::from(budget)), "the parts add up to the budget, or to what is owed");
        let budget = i128::from(budget).min(owed);
        for (part, claim) in parts.iter().zip(&list) {
            prop_assert!((0..=claim.0).contains(part), "nobody gets more than is owed");
            let exact = i128::from(claim.0) * budget;
            prop_assert!((i128::from(*part) * owed - exact).abs() < owed.max(1), "less than one fen from the exact share");
        }
    }

    #[test]
    fn allocation_does_not_depend_on_the_order_of_claims(amounts in amounts(), budget in 0..10_000_i64, turn in 0..40_usize) {
        let ids: Vec<String> = (0..amounts.len()).map(|at| format!("{at:03}")).collect();
        let list = claims(&amounts, &ids);
        let mut turned = list.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        let sorted = |list: &[(i64, Option<i128>, String)]| {
            let claims = as_claims(list);
            let parts = pro_rata(budget, &claims);
            let met = by_rank(budget, &claims, true);
            let mut all: Vec<_> = list.iter().map(|claim| claim.2.clone()).zip(parts.into_iter().zip(met)).collect();
            all.sort();
            all
        };
        prop_assert_eq!(sorted(&list), sorted(&turned));
    }

    #[test]
    fn a_waitlist_never_spends_more_than_there_is(amounts in amounts(), budget in 0..10_000_i64) {
        let ids: Vec<String> = (0..amounts.len()).map(|at| format!("{at:03}")).collect();
        let list = claims(&amounts, &ids);
        let met = by_rank(budget, &as_claims(&list), false);
        let spent: i128 = list.iter().zip(&met).filter(|(_, met)| **met).map(|(claim, _)| i128::from(claim.0)).sum();
        prop_assert!(spent <= i128::from(budget));
        for (at, first) in list.iter().enumerate() {
            for (other, second) in list.iter().enumerate() {
                let is_before = match (first.1, second.1) {
                    (Some(left), Some(right)) => left < right,
                    (left, right) => left.is_some() && right.is_none(),
                };
                prop_assert!(!(is_before && met[other] && !met[at]), "nobody is served before one of higher rank");
            }
        }
    }
}
