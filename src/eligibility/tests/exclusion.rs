//! `excludes`.

use super::fixture::Run;
use crate::policy::document::{Keep, Period};
use crate::register::declaration::SubjectKind::Household;

#[track_caller]
fn keeps(keep: Keep, (a, b): (i64, i64), expected: &[&str]) {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", keep));
    run.policy("B", |_| {});
    run.yes("p1", "A", a);
    run.yes("p1", "B", b);
    run.expect(expected);
}

#[test]
fn the_highest_stays_and_on_a_tie_the_lower_code() {
    keeps(Keep::Highest, (10, 20), &["p1 B 20"]);
    keeps(Keep::Highest, (20, 10), &["p1 A 20"]);
    keeps(Keep::Highest, (10, 10), &["p1 A 10"]);
}

#[test]
fn this_or_the_other_stays_whatever_the_amount() {
    keeps(Keep::This, (10, 20), &["p1 A 10"]);
    keeps(Keep::Other, (20, 10), &["p1 B 10"]);
}

#[test]
fn both_may_declare_it_and_it_counts_once() {
    for (of_a, of_b, expected) in [
        (Keep::This, Keep::Other, "p1 A 10"),
        (Keep::Other, Keep::This, "p1 B 20"),
        (Keep::Highest, Keep::Highest, "p1 B 20"),
        // A contradiction: the lower code's word counts.
        (Keep::This, Keep::This, "p1 A 10"),
    ] {
        let mut run = Run::new();
        run.policy("A", |policy| policy.excludes("B", of_a));
        run.policy("B", |policy| policy.excludes("A", of_b));
        run.yes("p1", "A", 10);
        run.yes("p1", "B", 20);
        let resolution = run.expect(&[expected]);
        assert_eq!(resolution.coverage.iter().map(|row| row.excluded).sum::<u64>(), 1);
    }
}

#[test]
fn the_declaration_may_stand_in_the_higher_code() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.policy("B", |policy| policy.excludes("A", Keep::This));
    run.yes("p1", "A", 30);
    run.yes("p1", "B", 20);
    run.expect(&["p1 B 20"]);
}

#[test]
fn all_occasions_count_for_the_highest() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", Keep::Highest));
    run.policy("B", |_| {});
    run.yes_for("p1", "A", "child 1", 10);
    run.yes_for("p1", "A", "child 2", 10);
    run.yes("p1", "B", 15);
    run.expect(&["p1 A/child 1 10", "p1 A/child 2 10"]);
}

#[test]
fn against_an_unknown_the_grant_stays_and_goes_to_review() {
    for keep in [Keep::Highest, Keep::This, Keep::Other] {
        let mut run = Run::new();
        run.policy("A", |policy| policy.excludes("B", keep));
        run.policy("B", |_| {});
        run.yes("p1", "A", 10);
        run.unknown("p1", "B", &[&["x"]]);
        run.yes("p2", "A", 10);
        run.expect(&["p1 A 10 review", "p2 A 10"]);
    }
}

#[test]
fn an_unknown_amount_or_unequal_periods_cannot_be_compared() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", Keep::Highest));
    run.policy("B", |_| {});
    run.policy("C", |policy| {
        policy.benefit.period = Period::Year;
        policy.excludes("D", Keep::Highest);
    });
    run.policy("D", |_| {});
    run.yes("p1", "A", 10);
    run.yes_without_amount("p1", "B");
    run.yes("p1", "C", 10);
    run.yes("p1", "D", 10);
    run.expect(&["p1 A 10 review", "p1 B ? review", "p1 C 10 review", "p1 D 10 review"]);
}

#[test]
fn what_is_itself_given_up_excludes_nothing() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", Keep::This));
    run.policy("B", |policy| policy.excludes("C", Keep::This));
    run.policy("C", |_| {});
    for policy in ["A", "B", "C"] {
        run.yes("p1", policy, 10);
    }
    run.expect(&["p1 A 10", "p1 C 10"]);
}

#[test]
fn contradicting_rules_leave_the_highest() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", Keep::This));
    run.policy("B", |policy| policy.excludes("C", Keep::This));
    run.policy("C", |policy| policy.excludes("A", Keep::This));
    for (policy, yuan) in [("A", 10), ("B", 30), ("C", 20)] {
        run.yes("p1", policy, yuan);
    }
    run.expect(&["p1 B 30"]);
}

#[test]
fn a_person_gives_way_to_the_household_by_rule_only() {
    for (keep, expected) in [(Keep::Other, &["p2 A 10", "h1 H 5"][..]), (Keep::Highest, &["p1 A 10 review", "p2 A 10", "h1 H 5"][..])] {
        let mut run = Run::new();
        run.policy("A", |policy| policy.excludes("H", keep));
        run.policy_for(Household, "H", |_| {});
        run.lives("p1", "h1");
        run.lives("p2", "h2");
        run.yes("p1", "A", 10);
        run.yes("p2", "A", 10);
        run.yes("h1", "H", 5);
        run.expect(expected);
    }
}

#[test]
fn requires_comes_before_excludes() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.excludes("B", Keep::Other));
    run.policy("B", |policy| policy.requires("C"));
    run.policy("C", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p1", "B", 20);
    run.expect(&["p1 A 10"]);
}
