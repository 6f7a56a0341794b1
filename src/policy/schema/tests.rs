//! The schemas know the very keys that the readers ask for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{SchemaOf, schema};
use crate::policy::{read_bundles, read_cases, read_parameters, read_policy};
use crate::yaml::schema::known::{Keys, read, written};

/// A policy whose every mapping has the key `zz`, with the mapping of the schema that each stands for.
const POLICY: &str = "\
zz: 1
code: A
name: {zh: 甲, zz: 1}
authority: {code: A, name: 甲, zz: 1}
covers: {region: '990100', zz: 1}
subject: person
in_force: {from: 2024-01-01, zz: 1}
basis: [{id: a, title: 甲, status: sample, zz: 1}]
criteria:
  all:
    - {id: a, when: b, zz: 1}
    - {any: [{id: c, when: d}], zz: 1}
    - {not: {id: e, when: f}, zz: 1}
    - {at_least: 1, of: [{id: g, when: h}], zz: 1}
benefit: {kind: cash, amount: 1, period: once, zz: 1}
each: {link: a, id: b, zz: 1}
cap: {amount: 1, per: subject, zz: 1}
budget: {amount: 1, at_exhaustion: waitlist, zz: 1}
delivery: {mode: confirm, zz: 1}
listed: {list: a, zz: 1, within: {years: 1, zz: 1}}
guide:
  zz: 1
  materials: [{name: a, why: b, zz: 1}]
  time_limit: {zz: 1, statutory: {days: 1, zz: 1}}
  contacts: [{name: a, zz: 1}]
requires: [{policy: B, zz: 1}]
excludes: [{policy: B, zz: 1}]
";

const PARAMETERS: &str = "zz: 1\nparameters:\n  - {name: a, label: 甲, type: int, zz: 1, values: [{region: a, from: 2024-01-01, value: 1, status: sample, zz: 1}]}\n";

const CASES: &str = "equivalent:\n  - {part: a, change: b, because: c, zz: 1}\ncases:\n  - {name: a, as_of: 2024-01-01, zz: 1, expect: {verdict: yes, zz: 1}}\n  - {name: b, as_of: 2024-01-01, registers: {}, expect: [{subject: a, verdict: no, zz: 1}]}\nzz: 1\n";

const BUNDLES: &str = "bundles:\n  - {id: a, name: 甲, policies: [A, {policy: B, zz: 1}], zz: 1}\nzz: 1\n";

#[track_caller]
fn check(of: SchemaOf, known: &BTreeSet<Keys>) {
    let whole = schema(of);
    let mut keys = BTreeSet::new();
    written(&whole, &mut keys);
    for known in known {
        assert!(keys.contains(known), "the schema lacks a mapping with {known:?}: {keys:?}");
    }
}

#[test]
fn the_keys_of_policies() {
    let known = read(POLICY, |_, node| read_policy(node).1);
    check(SchemaOf::Policy, &known);
    let mut keys = BTreeSet::new();
    written(&schema(SchemaOf::Policy), &mut keys);
    // Beside those of the text: `all`, and `at_least` in its two other shapes.
    let others: BTreeSet<Keys> =
        [&["all"][..], &["at_least"], &["n", "of"]].map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()).into();
    assert_eq!(keys.difference(&known).cloned().collect::<BTreeSet<_>>(), others);
}

#[test]
fn the_keys_of_parameters() {
    check(SchemaOf::Parameters, &read(PARAMETERS, |_, node| read_parameters(node).1));
}

#[test]
fn the_keys_of_cases() {
    check(SchemaOf::Cases, &read(CASES, |_, node| read_cases(node).1));
}

#[test]
fn the_keys_of_bundles() {
    check(SchemaOf::Bundles, &read(BUNDLES, |_, node| read_bundles(node).1));
}

#[test]
fn references_lead_somewhere() {
    fn follow(value: &Value, whole: &Value) {
        match value {
            Value::Object(entries) => {
                if let Some(Value::String(to)) = entries.get("$ref") {
                    assert!(whole.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                }
                entries.values().for_each(|value| follow(value, whole));
            }
            Value::Array(items) => items.iter().for_each(|item| follow(item, whole)),
            _ => {}
        }
    }
    for of in [SchemaOf::Policy, SchemaOf::Parameters, SchemaOf::Cases, SchemaOf::Bundles] {
        let whole = schema(of);
        follow(&whole, &whole);
    }
}
