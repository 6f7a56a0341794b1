//! Delivery mode, payee, refusals, order and identity of grants.

use super::super::grant::{GrantId, county_of};
use super::super::input::RefusalKind;
use super::fixture::Run;
use crate::policy::document::{Mode, Payee};
use crate::register::declaration::SubjectKind::{Entity, Household, Person};

#[test]
fn the_policys_mode_holds_and_an_unknown_amount_goes_to_review() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.delivery.mode = Mode::Confirm);
    run.yes("p1", "A", 10);
    run.yes_without_amount("p2", "A");
    run.expect(&["p1 A 10 confirm", "p2 A ? review"]);
}

#[test]
fn who_objects_to_automation_is_heard_by_an_official() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.policy("B", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p1", "B", 10);
    run.refuses("p1", RefusalKind::ObjectedAutomation, Some("A"));
    run.expect(&["p1 A 10 review", "p1 B 10"]);
}

#[test]
fn a_refused_benefit_is_kept_as_refused_for_one_policy_or_all() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.policy("B", |_| {});
    for person in ["p1", "p2"] {
        run.yes(person, "A", 10);
        run.yes(person, "B", 10);
    }
    run.refuses("p1", RefusalKind::RefusedBenefit, Some("A"));
    run.refuses("p2", RefusalKind::RefusedBenefit, None);
    let resolution = run.expect(&["p1 A 10 refused", "p1 B 10", "p2 A 10 refused", "p2 B 10 refused"]);
    assert_eq!((resolution.coverage[0].granted, resolution.coverage[0].refused), (0, 2));
}

#[test]
fn opting_out_of_pushes_silences_and_keeps_the_grant() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.yes("p1", "A", 10);
    run.yes("p2", "A", 10);
    run.refuses("p1", RefusalKind::PushOptOut, None);
    let resolution = run.expect(&["p1 A 10", "p2 A 10"]);
    assert_eq!(resolution.grants.iter().map(|grant| grant.notify).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_grant_without_anybody_to_receive_it_goes_to_review() {
    let mut run = Run::new();
    run.policy("A", |policy| policy.benefit.payee = Payee::Guardian);
    run.yes("p1", "A", 10);
    run.yes("p2", "A", 10);
    run.guarded("p1", "mother");
    let resolution = run.expect(&["p1 A 10", "p2 A 10 review"]);
    assert_eq!(resolution.grants[0].payee_id(&resolution), Some("mother"));
    assert_eq!(resolution.grants[1].payee_id(&resolution), None);
}

#[test]
fn results_are_sorted_by_kind_region_id_policy_occasion() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.policy_for(Entity, "E", |_| {});
    run.policy_for(Household, "H", |_| {});
    run.yes("e1", "E", 1);
    run.yes("h1", "H", 1);
    run.yes_for("p3", "A", "b", 1);
    run.yes_for("p3", "A", "a", 1);
    run.yes("p2", "A", 1);
    run.yes("p1", "A", 1);
    run.counted("p3", "990100");
    run.expect(&["p3 A/a 1", "p3 A/b 1", "p1 A 1", "p2 A 1", "h1 H 1", "e1 E 1"]);
    run.findings.yes.reverse();
    run.expect(&["p3 A/a 1", "p3 A/b 1", "p1 A 1", "p2 A 1", "h1 H 1", "e1 E 1"]);
}

#[test]
fn identity_is_subject_policy_period_occasion_and_member() {
    let id = |period, occasion, member| GrantId::of(Person, "p1", "A", period, occasion, member);
    assert_eq!(id("2026-06", None, None), id("2026-06", None, None));
    let all = [id("2026-06", None, None), id("2026-07", None, None), id("2026-06", Some("x"), None), id("2026-06", None, Some("x"))];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one));
    }
    assert_eq!(all[0].to_string().len(), 32);
}

#[test]
fn reasons_name_the_criteria_of_the_policy() {
    let mut run = Run::new();
    run.policy("A", |_| {});
    run.yes("p1", "A", 10).reasons = 0b10;
    let resolution = run.resolve();
    let reasons: Vec<&str> = resolution.policies[0].reasons(resolution.grants[0].reasons(&resolution)).map(|id| &**id).collect();
    assert_eq!(reasons, ["second"]);
}

#[test]
fn towns_count_in_their_county() {
    assert_eq!(county_of("990101001"), "990101");
    assert_eq!(county_of("990101"), "990101");
    assert_eq!(county_of(""), "");
}
