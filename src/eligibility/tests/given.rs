//! Caps, and what is already paid.

use super::fixture::{Run, day};
use crate::policy::document::{CapScope, Exhaustion, Period};
use crate::register::declaration::SubjectKind::Household;

fn capped(per: CapScope) -> Run {
    let mut run = Run::new();
    run.policy("A", |policy| policy.capped(per));
    run
}

#[test]
fn a_cap_cuts_the_occasions_of_one_subject_in_order() {
    let mut run = capped(CapScope::Subject);
    for occasion in ["c", "a", "b"] {
        run.yes_for("p1", "A", occasion, 40);
        run.capped(6_000);
    }
    let resolution = run.expect(&["p1 A/a 40", "p1 A/b 20"]);
    assert_eq!(resolution.grants[1].full_amount(&resolution), Some(4_000));
    assert_eq!(resolution.coverage[0].capped, 1);
}

#[test]
fn a_cap_counts_what_was_paid_in_the_period() {
    let mut run = capped(CapScope::Subject);
    run.yes_for("p1", "A", "a", 40);
    run.capped(6_000);
    run.yes_for("p1", "A", "b", 40);
    run.capped(6_000);
    run.paid("p1", "A", "2026-06", Some("b"), 40);
    run.paid("p1", "A", "2026-05", Some("a"), 40);
    let resolution = run.expect(&["p1 A/a 20"]);
    assert_eq!(resolution.given.len(), 1);
    assert!(resolution.conflicts.is_empty(), "b is worth 40 today and 40 were paid");
}

#[test]
fn a_household_cap_counts_all_members() {
    let mut run = capped(CapScope::Household);
    for (person, household) in [("p1", "h1"), ("p2", "h1"), ("p3", "h2")] {
        run.lives(person, household);
        run.yes(person, "A", 40);
        run.capped(6_000);
    }
    run.yes("p4", "A", 40);
    run.capped(6_000);
    run.yes("p5", "A", 40);
    run.capped(6_000);
    run.expect(&["p1 A 40", "p2 A 20", "p3 A 40", "p4 A 40", "p5 A 40"]);
}

#[test]
fn a_yearly_cap_counts_what_was_paid_in_that_year() {
    let mut run = capped(CapScope::Year);
    run.yes("p1", "A", 40);
    run.capped(10_000);
    run.yes("p2", "A", 40);
    run.capped(10_000);
    run.paid("p1", "A", "2026-01", None, 70);
    run.paid("p2", "A", "2025-12", None, 70);
    run.expect(&["p1 A 30", "p2 A 40"]);
}

#[test]
fn an_unknown_cap_cuts_nothing_and_asks_an_official() {
    let mut run = capped(CapScope::Subject);
    run.yes("p1", "A", 40);
    run.expect(&["p1 A 40 review"]);
}

#[test]
fn what_is_paid_is_not_granted_again() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.yes("p1", "A", 40);
    run.yes("p2", "A", 40);
    run.yes("p3", "A", 40);
    run.paid("p1", "A", "2026-06", None, 40);
    run.paid("p2", "A", "2026-05", None, 40);
    run.paid("p3", "A", "2026-06", Some(""), 40);
    let resolution = run.expect(&["p2 A 40"]);
    assert_eq!(resolution.given.len(), 2);
    assert_eq!(resolution.coverage[0].given, 2);
    assert!(resolution.conflicts.is_empty());
}

#[test]
fn one_occasion_paid_leaves_the_others() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.benefit.period = Period::Once);
    run.yes_for("p1", "A", "child 1", 40);
    run.yes_for("p1", "A", "child 2", 40);
    run.paid("p1", "A", "", Some("child 1"), 40);
    run.expect(&["p1 A/child 2 40"]);
}

#[test]
fn a_paid_amount_that_is_not_todays_is_a_conflict() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.yes("p1", "A", 40);
    run.paid("p1", "A", "2026-06", None, 30);
    let resolution = run.expect(&[]);
    let conflict = &resolution.conflicts[0];
    assert_eq!((&*conflict.subject_id, &*conflict.fact, &*conflict.value, &*conflict.other_value), ("p1", "amount", "40.00", "30.00"));
}

#[test]
fn a_household_is_paid_for_all_members_together() {
    let mut run = Run::new();
    run.policy_for(Household, "H", |_| {});
    for member in ["p1", "p2"] {
        run.yes_of_member("h1", "H", member, 50);
        run.yes_of_member("h2", "H", member, 50);
    }
    run.paid("h1", "H", "2026-06", None, 100);
    let resolution = run.expect(&["h2 H@p1 50", "h2 H@p2 50"]);
    assert!(resolution.conflicts.is_empty());
    assert_eq!(resolution.grants[0].payee_id(&resolution), Some("p1"));
}

#[test]
fn less_than_today_is_no_conflict_where_the_money_is_shared() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.budgeted(Exhaustion::ProRata, Period::Year));
    run.budgets[0] = Some(100_000);
    run.yes("p1", "A", 40);
    run.yes("p2", "A", 40);
    run.paid("p1", "A", "2026-06", None, 30);
    run.paid("p2", "A", "2026-06", None, 50);
    let resolution = run.expect(&[]);
    assert_eq!(resolution.conflicts.len(), 1);
    assert_eq!(&*resolution.conflicts[0].subject_id, "p2");
}

#[test]
fn payments_belong_to_their_period_else_to_the_day_of_payment() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    for (period, in_year, in_month) in [("2026-06", true, true), ("2026", true, true), ("", true, true), ("2025-12", false, false)] {
        run.paid("p1", "A", period, None, 1);
        let row = run.paid.rows.last().unwrap();
        assert_eq!(run.paid.is_within(row, Period::Year, day("2026-06-30")), in_year, "{period}");
        assert_eq!(run.paid.is_within(row, Period::Month, day("2026-06-30")), in_month, "{period}");
        assert!(!run.paid.is_within(row, Period::Once, day("2026-06-30")));
    }
}
