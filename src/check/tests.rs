//! One slip of the hand is told once, and what was meant is suggested.

use std::fs;

use super::*;
use crate::policy;
use crate::register::declaration::SubjectKind;
use ir::Ty;

const PARAMETERS: &str = "parameters:
  - name: allowance
    label: 津贴标准
    type: money
    unit: CNY/month
    values: [{region: \"000000\", from: 2020-01-01, value: 100, status: sample}]
";

/// A policy of a monthly allowance; `benefit` are the keys of its benefit beside the kind.
fn policy(code: &str, when: &str, benefit: &str, more: &str) -> String {
    format!(
        "code: {code}
name: 津贴
authority: {{code: 990100-MZ, name: 样例市民政局}}
covers: {{region: \"000000\", by: hukou_region}}
subject: person
in_force: {{from: 2024-01-01}}
basis: [{{id: measures, title: 津贴办法, status: sample}}]
criteria: [{{id: age, clause: 年满六十周岁, basis: measures, when: {when}}}]
benefit: {{kind: cash, amount: param('allowance'), {benefit}}}
delivery: {{mode: confirm}}
{more}
"
    )
}

/// What reading and checking tell of the policies, over a person's birth date and region.
fn told(policies: &[String]) -> Vec<Diagnostic> {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("parameters")).expect("a folder");
    fs::write(dir.path().join("parameters/allowance.yaml"), PARAMETERS).expect("written");
    fs::write(dir.path().join("regions.yaml"), "regions: []").expect("written");
    for (number, text) in policies.iter().enumerate() {
        fs::create_dir(dir.path().join(number.to_string())).expect("a folder");
        fs::write(dir.path().join(number.to_string()).join("policy.yaml"), text).expect("written");
    }
    let (set, mut told) = policy::load(dir.path());
    let (regions, _) = crate::region::load(dir.path());
    let columns = [("birth_date".to_owned(), Type::plain(Ty::Date)), ("hukou_region".to_owned(), Type::plain(Ty::Text))];
    let (_, more) = check_given(SubjectKind::Person, &columns, &set.policies, &set.parameters, &regions);
    told.extend(more);
    told
}

#[track_caller]
fn check_told(policies: &[String], expect: &[&str]) -> Vec<Diagnostic> {
    let told = told(policies);
    assert_eq!(told.iter().map(|told| told.code.name).collect::<Vec<_>>(), expect, "{told:?}");
    told
}

#[test]
fn nothing_follows_from_a_period_that_cannot_be_read() {
    let other = policy("B", "age >= 60", "period: month", "excludes: [{policy: A, keep: highest}]");
    check_told(&[policy("A", "age >= 60", "period: month", ""), other.clone()], &[]);
    check_told(&[policy("A", "age >= 60", "periode: month", ""), other.clone()], &["missing-key", "unknown-key"]);
    check_told(&[policy("A", "age >= 60", "period: monthly", ""), other.clone()], &["wrong-shape"]);
    check_told(&[policy("A", "age >= 60", "period: year", ""), other], &["unit-mismatch", "incomparable-periods"]);
}

#[test]
fn a_unit_that_no_period_makes_right_is_told_all_the_same() {
    check_told(&[policy("A", "age >= 60", "periode: month, unit: USD", "")], &["missing-key", "unknown-key", "unit-mismatch"]);
}

#[test]
fn a_misspelt_builtin_is_suggested() {
    for (when, meant) in [("agee >= 60", "age"), ("days_between(birth_date, as_off) > 1", "as_of")] {
        let told = check_told(&[policy("A", &format!("\"{when}\""), "period: month", "")], &["unknown-fact"]);
        assert!(told[0].help.iter().any(|help| help.en == format!("did you mean `{meant}`?")), "{told:?}");
    }
}
