//! Ties among all policies: cycles over `requires`, `excludes` and `entitled`, and exclusions whose amounts cannot be compared.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::CheckedPolicy;
use super::ir::{Expr, Kind};
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::{Exclusion, Keep, PolicyDocument};

/// Tells of policies that depend on each other, and of exclusions whose amounts cannot be compared.
pub(super) fn check_ties(documents: &[Arc<PolicyDocument>], checked: &[CheckedPolicy], diagnostics: &mut Vec<Diagnostic>) {
    let by_code: BTreeMap<&str, &Arc<PolicyDocument>> = documents.iter().map(|document| (document.code.as_str(), document)).collect();
    let entitled: Vec<(&str, Vec<Arc<str>>)> = checked
        .iter()
        .map(|policy| {
            let mut named = Vec::new();
            names_entitled(&policy.criteria, &mut named);
            (policy.document.code.as_str(), named)
        })
        .collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for document in documents {
        let code = document.code.as_str();
        edges.entry(code).or_default().extend(document.requires.iter().map(|(policy, _)| policy.as_str()));
        for exclusion in &document.excludes {
            match exclusion.keep {
                Keep::Other => edges.entry(code).or_default().push(&exclusion.policy),
                Keep::This => edges.entry(&exclusion.policy).or_default().push(code),
                Keep::Highest => comparable(document, by_code.get(exclusion.policy.as_str()), exclusion, diagnostics),
            }
        }
    }
    for (code, named) in &entitled {
        edges.entry(code).or_default().extend(named.iter().map(|name| &**name));
    }
    keep_knots(&mut edges);
    let mut told: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (&start, document) in &by_code {
        if let Some(cycle) = cycle_from(start, &edges) {
            let mut members = cycle.clone();
            members.sort_unstable();
            members.dedup();
            if told.insert(members) {
                diagnostics.push(depend_on_each_other(document, &cycle));
            }
        }
    }
}

fn depend_on_each_other(document: &PolicyDocument, cycle: &[&str]) -> Diagnostic {
    let path = cycle.join(" → ");
    let place = document.requires.first().map_or_else(|| document.place.clone(), |(_, place)| place.clone());
    Diagnostic::new(&code::CYCLE, format!("政策互相依赖: {path}"), format!("policies depend on each other: {path}"))
        .at(place)
        .help("去掉其中一个 requires、excludes 或 entitled", "take away one of the `requires`, `excludes` or `entitled`")
}

fn comparable(document: &PolicyDocument, other: Option<&&Arc<PolicyDocument>>, exclusion: &Exclusion, diagnostics: &mut Vec<Diagnostic>) {
    let Some(other) = other else { return };
    let both_read = document.benefit.period_read && other.benefit.period_read;
    if both_read && other.benefit.period != document.benefit.period || other.benefit.unit != document.benefit.unit {
        diagnostics.push(
            Diagnostic::new(
                &code::INCOMPARABLE_PERIODS,
                format!("与 {} 的给付周期或单位不同, 不能就高", other.code),
                format!("{} is paid over another period or unit: the higher cannot be told", other.code),
            )
            .at(exclusion.place.clone())
            .help("用 keep: this 或 keep: other", "use `keep: this` or `keep: other`"),
        );
    }
}

fn names_entitled(expr: &Expr, found: &mut Vec<Arc<str>>) {
    if let Kind::Entitled(code) = &expr.kind {
        found.push(Arc::clone(code));
    }
    for child in expr.children() {
        names_entitled(child, found);
    }
}

/// Takes away, until there is none, every policy that depends on nothing: only those that lead to a cycle stay. In a
/// folder without cycles that is none, however long its chains are.
fn keep_knots(edges: &mut BTreeMap<&str, Vec<&str>>) {
    let mut against: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut ends: Vec<&str> = edges.iter().filter(|(_, to)| to.is_empty()).map(|(&from, _)| from).collect();
    for (&from, to) in &*edges {
        for &to in to {
            against.entry(to).or_default().push(from);
            if !edges.contains_key(to) {
                ends.push(to);
            }
        }
    }
    let mut open: HashMap<&str, usize> = edges.iter().map(|(&from, to)| (from, to.len())).collect();
    while let Some(end) = ends.pop() {
        edges.remove(end);
        // Taken out, so that one that was met twice counts once.
        for from in against.remove(end).unwrap_or_default() {
            let left = open.entry(from).and_modify(|left| *left -= 1).or_default();
            if *left == 0 {
                ends.push(from);
            }
        }
    }
}

/// The way from `start` back to itself, if there is one.
fn cycle_from<'a>(start: &'a str, edges: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut stack = vec![start];
    // By policy, the one that led to it.
    let mut before: HashMap<&str, &str> = HashMap::new();
    while let Some(last) = stack.pop() {
        for &next in edges.get(last).map(Vec::as_slice).unwrap_or_default() {
            if next == start {
                return Some(way_back(start, last, &before));
            }
            if let Entry::Vacant(slot) = before.entry(next) {
                slot.insert(last);
                stack.push(next);
            }
        }
    }
    None
}

fn way_back<'a>(start: &'a str, last: &'a str, before: &HashMap<&'a str, &'a str>) -> Vec<&'a str> {
    let mut way = vec![start];
    let mut at = last;
    while at != start {
        way.push(at);
        at = before[at];
    }
    way.push(start);
    way.reverse();
    way
}

#[cfg(test)]
mod tests;
