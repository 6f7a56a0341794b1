//! Days that concern everybody: the law changes, a period begins, a register has become too old.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};

use crate::check::catalogue::Catalogue;
use crate::check::parameters::parameter_uses;
use crate::check::reach::{reached, reads_parameter, stored_with};
use crate::check::{Checked, CheckedPolicy};
use crate::explain::Law;
use crate::explain::facts::facts_read;
use crate::policy::document::{CapScope, Parameter, Period, PolicySet};
use crate::region::RegionTree;

/// Why a day concerns everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A policy, or another version of it, comes into or goes out of force.
    Policy,
    /// A parameter has another value.
    Parameter,
    /// A region begins or ends.
    Region,
    /// A new period of the grants begins.
    Period,
    /// A register is older than it promises to be, or begins to be complete.
    Register,
}

/// What the calendar is made of.
pub struct Rules<'a> {
    /// Policies and parameters as written.
    pub set: &'a PolicySet,
    /// Facts, and policies checked.
    pub checked: &'a Checked,
    /// Regions.
    pub regions: &'a RegionTree,
    /// As the law was known on a day; none: all of it.
    pub known_at: Option<NaiveDate>,
    /// The days that the registers speak for.
    pub data_days: &'a BTreeMap<String, NaiveDate>,
}

/// The days behind `from`, up to `until`, on which policies may come out otherwise for everybody whom they are about, each with
/// the policies and why.
#[must_use]
pub fn calendar(rules: &Rules<'_>, from: NaiveDate, until: NaiveDate) -> BTreeMap<NaiveDate, BTreeMap<String, Why>> {
    let parameters = &rules.set.parameters;
    let law = Law::new(&rules.set.policies, &rules.checked.policies, parameters, rules.regions, rules.known_at, (from, until));
    let mut days: BTreeMap<NaiveDate, BTreeMap<String, Why>> = BTreeMap::new();
    let mut note = |day: NaiveDate, code: &str, why: Why| {
        if day > from && day <= until {
            let known = days.entry(day).or_default().entry(code.to_owned()).or_insert(why);
            *known = why.min(*known);
        }
    };
    let mut before = law.on(from);
    for (day, policies) in law.spans() {
        let codes: BTreeSet<&String> = before.keys().chain(policies.keys()).collect();
        let version = |policies: &BTreeMap<String, CheckedPolicy>, code: &str| policies.get(code).map(|policy| policy.document.version);
        for code in codes.into_iter().filter(|code| version(before, code) != version(policies, code)) {
            let both: BTreeMap<String, CheckedPolicy> =
                before.iter().chain(policies).map(|(code, policy)| (code.clone(), policy.clone())).collect();
            for code in reached([code.clone()], &both) {
                note(day, &code, Why::Policy);
            }
        }
        before = policies;
    }
    for (day, names) in parameter_days(parameters) {
        let policies = law.on(day.clamp(from, until));
        let reading =
            policies.values().filter(|policy| reads(policy, &rules.checked.catalogue, &names)).map(|policy| policy.document.code.clone());
        for code in reached(reading, policies) {
            note(day, &code, Why::Parameter);
        }
    }
    for day in
        rules.regions.regions().flat_map(|region| [Some(region.from), region.to]).flatten().filter(|day| *day > from && *day <= until)
    {
        law.on(day).keys().for_each(|code| note(day, code, Why::Region));
    }
    for day in from.iter_days().skip(1).take_while(|day| *day <= until) {
        for (code, policy) in law.on(day) {
            if begins(policy, day) {
                note(day, code, Why::Period);
            }
        }
    }
    for (day, code) in register_days(rules, law.on(from)) {
        note(day, &code, Why::Register);
    }
    days
}

/// Whether a new period begins: of its grants, or of the most that somebody may get of it in a year.
fn begins(policy: &CheckedPolicy, day: NaiveDate) -> bool {
    let is_capped = policy.document.cap.as_ref().is_some_and(|cap| cap.per == CapScope::Year);
    match policy.document.benefit.period {
        Period::Day => true,
        Period::Month => day.day() == 1,
        Period::Year => day.ordinal() == 1,
        Period::Once => is_capped && day.ordinal() == 1,
    }
}

/// The parameters by the days on which their values change.
fn parameter_days(parameters: &[Parameter]) -> BTreeMap<NaiveDate, BTreeSet<&str>> {
    let mut days: BTreeMap<NaiveDate, BTreeSet<&str>> = BTreeMap::new();
    for parameter in parameters {
        for day in parameter.values.iter().flat_map(|value| [Some(value.from), value.to]).flatten() {
            days.entry(day).or_default().insert(&parameter.name);
        }
    }
    days
}

/// Whether a policy, or a fact that it rests on, reads one of some parameters.
fn reads(policy: &CheckedPolicy, catalogue: &Catalogue, names: &BTreeSet<&str>) -> bool {
    let kind = policy.document.subject;
    reads_parameter(policy, catalogue, names)
        || parameter_uses(catalogue, policy).iter().any(|named| names.contains(named.name.as_str()))
        || !stored_with(catalogue, names, catalogue.needed(facts_of(policy).map(|index| crate::check::catalogue::FactId { kind, index })))
            .is_empty()
}

fn facts_of(policy: &CheckedPolicy) -> impl Iterator<Item = usize> {
    let mut facts = Vec::new();
    let exprs = [Some(&policy.coverage), Some(&policy.criteria), policy.amount.as_ref(), policy.cap.as_ref(), policy.occasion.as_ref()];
    exprs.into_iter().flatten().for_each(|expr| expr.for_each_fact(&mut |index| facts.push(index)));
    facts.into_iter()
}

/// The days on which registers become too old, or begin to be complete, with the policies that rest on them.
fn register_days(rules: &Rules<'_>, policies: &BTreeMap<String, CheckedPolicy>) -> Vec<(NaiveDate, String)> {
    let registers = &rules.checked.catalogue.registers.registers;
    let turning: BTreeMap<&str, Vec<NaiveDate>> = registers
        .values()
        .map(|declared| {
            let stale = rules
                .data_days
                .get(&declared.name)
                .zip(declared.fresh_within_days)
                .and_then(|(day, within)| day.checked_add_days(Days::new(u64::try_from(within).ok()?.checked_add(1)?)));
            (declared.name.as_str(), stale.into_iter().chain(declared.coverage_from).collect())
        })
        .collect();
    let days = |names: &BTreeSet<String>| -> Vec<NaiveDate> {
        names.iter().filter_map(|name| turning.get(name.as_str())).flatten().copied().collect()
    };
    let read = registers_read(rules, policies);
    read.into_iter().flat_map(|(code, names)| days(&names).into_iter().map(move |day| (day, code.clone()))).collect()
}

/// The registers that each policy rests on.
fn registers_read(rules: &Rules<'_>, policies: &BTreeMap<String, CheckedPolicy>) -> BTreeMap<String, BTreeSet<String>> {
    let binder = crate::check::bind::Binder::new(NaiveDate::default(), rules.known_at, &rules.set.parameters, rules.regions, policies);
    // Facts that are entered on the way are of no harm to the next policy.
    let mut catalogue = rules.checked.catalogue.clone();
    let mut read = BTreeMap::new();
    for (code, policy) in policies {
        let facts = facts_read(&mut catalogue, &binder, [policy]);
        read.insert(code.clone(), facts.into_iter().flat_map(|fact| catalogue.registers_of(fact)).collect());
    }
    read
}

/// The policies in force on a day that rest on one of some registers.
#[must_use]
pub fn resting_on(rules: &Rules<'_>, day: NaiveDate, registers: &BTreeSet<String>) -> BTreeSet<String> {
    let law = Law::new(&rules.set.policies, &rules.checked.policies, &rules.set.parameters, rules.regions, rules.known_at, (day, day));
    let read = registers_read(rules, law.on(day));
    read.into_iter().filter(|(_, names)| !names.is_disjoint(registers)).map(|(code, _)| code).collect()
}
