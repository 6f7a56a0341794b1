//! `requires`.

use super::super::finding::Cause;
use super::fixture::Run;
use crate::register::declaration::SubjectKind::{Entity, Household};

fn missing(run: &Run, policy: u32) -> Vec<Vec<String>> {
    let resolution = run.resolve();
    let unknown = resolution.unknowns.iter().find(|unknown| unknown.policy == policy).expect("an unknown of the policy");
    let sets = &resolution.missing[unknown.missing as usize].sets;
    sets.iter().map(|set| set.iter().map(|(fact, _)| fact.to_string()).collect()).collect()
}

#[test]
fn who_is_not_entitled_to_what_is_required_gets_nothing() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("B"));
    run.policy("B", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p2", "A", 10);
    run.yes("p2", "B", 5);
    let resolution = run.expect(&["p2 A 10", "p2 B 5"]);
    assert_eq!((resolution.coverage[0].yes, resolution.coverage[0].no), (1, 1));
}

#[test]
fn requiring_an_unknown_is_unknown_with_its_missing_sets() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("B"));
    run.policy("B", |_| {});
    run.yes("p1", "A", 10);
    run.unknown("p1", "B", &[&["income"], &["assets", "housing"]]);
    let resolution = run.expect(&[]);
    assert_eq!((resolution.coverage[0].yes, resolution.coverage[0].unknown), (0, 1));
    assert_eq!(missing(&run, 0), [vec!["income"], vec!["assets", "housing"]]);
}

#[test]
fn two_unknowns_need_minimal_unions_and_a_no_settles_them() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("B"));
    run.policy("B", |_| {});
    run.unknown("p1", "A", &[&["a"], &["b"]]);
    run.unknown("p1", "B", &[&["a"], &["c"]]);
    run.unknown("p2", "A", &[&["a"]]);
    assert_eq!(missing(&run, 0), [vec!["a"], vec!["b", "c"]]);
    let resolution = run.resolve();
    assert!(
        resolution.unknowns.iter().all(|unknown| resolution.subjects(unknown.policy).id(unknown.subject) == "p1"),
        "p2 has no B, which is no unknown"
    );
    assert_eq!(resolution.coverage[0].no, 1);
}

#[test]
fn requirements_hold_along_their_chain() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("B"));
    run.policy("B", |policy| policy.requires("C"));
    run.policy("C", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p1", "B", 10);
    run.expect(&[]);
}

#[test]
fn a_person_can_require_what_the_household_has() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("H"));
    run.policy_for(Household, "H", |_| {});
    for (person, household) in [("p1", "h1"), ("p2", "h2"), ("p3", "h3")] {
        run.yes(person, "A", 10);
        run.lives(person, household);
    }
    run.yes("h1", "H", 100);
    run.unknown("h3", "H", &[&["income_per_capita"]]);
    run.expect(&["p1 A 10", "h1 H 100"]);
    assert_eq!(missing(&run, 0), [vec!["household.income_per_capita"]]);
}

#[test]
fn an_unknown_household_is_unknown_for_what_requires_it() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("H"));
    run.policy_for(Household, "H", |_| {});
    run.yes("p1", "A", 10);
    run.expect(&[]);
    assert_eq!(missing(&run, 0), [vec!["household"]]);
}

#[test]
fn a_policy_not_in_the_run_counts_as_not_in_force_and_a_pair_that_cannot_be_judged_as_unknown() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("Z"));
    run.policy("B", |policy| policy.requires("E"));
    run.policy_for(Entity, "E", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p1", "B", 10);
    let resolution = run.expect(&[]);
    assert_eq!(resolution.coverage[0].no, 1);
    assert_eq!(missing(&run, 1), [vec!["entitled('E')"]]);
    assert_eq!(resolution.missing.last().unwrap().sets[0][0].1, Cause::Missing);
}
