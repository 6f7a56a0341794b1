//! Offers, unknowns, data requests, coverage and funnel.

use std::sync::Arc;

use super::super::grant::Resolution;
use super::super::input::RefusalKind;
use super::fixture::Run;
use crate::policy::document::Keep;
use crate::register::declaration::SubjectKind::{Household, Person};

fn committing() -> Run {
    let mut run = Run::new();
    run.policy("A", |policy| {
        policy.commits("seeking");
        policy.commits("income");
    });
    run
}

fn offers<'a>(resolution: &'a Resolution<'a>) -> Vec<(&'a str, Vec<&'a str>)> {
    let facts = |offer: &super::super::grant::Offer| &resolution.commitments[offer.facts as usize];
    assert!(resolution.offers.iter().all(|offer| !facts(offer).is_empty()));
    let subject = |offer: &super::super::grant::Offer| resolution.subjects(offer.policy).id(offer.subject);
    resolution.offers.iter().map(|offer| (subject(offer), facts(offer).iter().map(|(fact, _)| &**fact).collect())).collect()
}

#[test]
fn an_offer_asks_for_the_smallest_set_that_may_be_committed_to() {
    let mut run = committing();
    run.unknown("p1", "A", &[&["age"], &["income", "seeking"], &["housing", "seeking"]]);
    run.unknown("p2", "A", &[&["seeking"], &["income"]]);
    run.unknown("p3", "A", &[&["age", "income"]]);
    let resolution = run.expect(&[]);
    assert_eq!(offers(&resolution), [("p1", vec!["income", "seeking"]), ("p2", vec!["income"])]);
    assert_eq!(resolution.unknowns.iter().map(|unknown| unknown.offered).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(resolution.coverage[0].offers, 2);
}

#[test]
fn nothing_is_offered_that_was_refused_paid_or_would_be_given_up() {
    let mut run = committing();
    run.policy("B", |policy| policy.excludes("A", Keep::This));
    for person in ["p1", "p2", "p3", "p4"] {
        run.unknown(person, "A", &[&["income"]]);
    }
    run.refuses("p1", RefusalKind::RefusedBenefit, Some("A"));
    run.paid("p2", "A", "2026-06", None, 10);
    run.yes("p3", "B", 10);
    assert_eq!(offers(&run.resolve()), [("p4", vec!["income"])]);
}

#[test]
fn an_offer_to_who_opted_out_is_silent() {
    let mut run = committing();
    run.unknown("p1", "A", &[&["income"]]);
    run.refuses("p1", RefusalKind::PushOptOut, None);
    assert!(!run.resolve().offers[0].notify);
}

#[test]
fn a_fact_unknown_for_a_whole_register_is_told_once() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.whole.insert((Person, Arc::from("housing")));
    run.registers.insert((Person, Arc::from("housing")), Arc::from("housing_register"));
    run.unknown("p1", "A", &[&["housing"]]);
    run.unknown("p2", "A", &[&["housing"]]);
    run.unknown("p3", "A", &[&["housing"], &["income"]]);
    let resolution = run.resolve();
    assert_eq!(resolution.unknowns.len(), 1, "p3 can be settled by income");
    assert_eq!(resolution.unknowns_told_once, 2);
    let request = &resolution.data_requests[0];
    assert_eq!((&*request.fact, request.register.as_deref(), request.whole_register), ("housing", Some("housing_register"), true));
    assert_eq!((request.settles, request.takes_part), (3, 3));
}

#[test]
fn data_requests_count_people_once_and_estimate_at_the_average() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.policy("B", |_| {});
    run.yes("p8", "A", 10);
    run.yes("p9", "A", 21);
    run.unknown("p1", "A", &[&["income"]]);
    run.unknown("p1", "B", &[&["income"]]);
    run.unknown("p2", "A", &[&["assets", "income"]]);
    let resolution = run.resolve();
    let told: Vec<_> = resolution
        .data_requests
        .iter()
        .map(|request| (&*request.fact, request.settles, request.takes_part, request.estimated_amount, request.estimated_part))
        .collect();
    assert_eq!(told, [("income", 1, 2, 1_550, 3_100), ("assets", 0, 1, 0, 1_550)]);
}

#[test]
fn a_fact_of_the_household_is_asked_of_its_register() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("H"));
    run.policy_for(Household, "H", |_| {});
    run.registers.insert((Household, Arc::from("income")), Arc::from("income_assessment"));
    run.lives("p1", "h1");
    run.yes("p1", "A", 10);
    run.unknown("h1", "H", &[&["income"]]);
    let resolution = run.resolve();
    let request = resolution.data_requests.iter().find(|request| &*request.fact == "household.income").unwrap();
    assert_eq!(request.register.as_deref(), Some("income_assessment"));
}

#[test]
fn the_funnel_names_its_steps_and_ends_with_requires() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.requires("B"));
    run.policy("B", |_| {});
    run.yes("p1", "A", 10);
    run.findings.counts[0].get_mut("990101").unwrap().funnel = vec![(5, 6), (1, 1)];
    let resolution = run.resolve();
    let told: Vec<_> = resolution.funnel.iter().map(|row| (row.step, &*row.criterion, row.yes, row.possible)).collect();
    assert_eq!(told, [(1, "first", 5, 6), (2, "second", 1, 1), (3, "requires", 0, 0)]);
}
