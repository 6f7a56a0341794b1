//! Policies that hang together: what a policy rests on, and what a change of one reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::CheckedPolicy;
use super::bind::for_each_parameter;
use super::catalogue::{Catalogue, Definition, FactId};
use super::ir::{Expr, Kind};

/// Codes of some policies, and of those that they require, exclude, are excluded by or name as entitled: run together, they
/// come to what they come to among all.
#[must_use]
pub fn rest_on(chosen: impl IntoIterator<Item = String>, policies: &BTreeMap<String, CheckedPolicy>) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let mut open: Vec<String> = chosen.into_iter().collect();
    while let Some(code) = open.pop() {
        let Some(policy) = policies.get(&code) else { continue };
        if !wanted.insert(code) {
            continue;
        }
        open.extend(judged_by(policy));
        // Who excludes it matters as much as whom it excludes.
        open.extend(excluding(policy, policies));
    }
    wanted
}

/// Codes of some policies, and of all whose verdicts or grants may change with theirs: those that require them or name them
/// as entitled, and then, for grants, those that exclude or are excluded by one of these.
#[must_use]
pub fn reached(chosen: impl IntoIterator<Item = String>, policies: &BTreeMap<String, CheckedPolicy>) -> BTreeSet<String> {
    let mut reached: BTreeSet<String> = chosen.into_iter().collect();
    let grow = |reached: &mut BTreeSet<String>, is_reached: &dyn Fn(&CheckedPolicy, &BTreeSet<String>) -> bool| loop {
        let new = policies.iter().filter(|(code, policy)| !reached.contains(*code) && is_reached(policy, reached));
        let new: Vec<String> = new.map(|(code, _)| code.clone()).collect();
        if new.is_empty() {
            break;
        }
        reached.extend(new);
    };
    // Verdicts do not look at who was given up for whom.
    grow(&mut reached, &|policy, reached| judged_by(policy).iter().any(|code| reached.contains(code)));
    grow(&mut reached, &|policy, reached| {
        let excludes = policy.document.excludes.iter().any(|exclusion| reached.contains(&exclusion.policy));
        excludes || excluding(policy, policies).any(|code| reached.contains(&code))
    });
    reached
}

/// Whether anything that a policy reads, computed facts included, names one of some parameters.
#[must_use]
pub fn reads_parameter(policy: &CheckedPolicy, catalogue: &Catalogue, names: &BTreeSet<&str>) -> bool {
    let kind = policy.document.subject;
    let own = [Some(&policy.coverage), Some(&policy.criteria), policy.amount.as_ref(), policy.occasion.as_ref()];
    let limits = [policy.cap.as_ref(), policy.budget.as_ref(), policy.rank.as_ref()];
    let mut seen = BTreeSet::new();
    let mut looked = |expr: &Expr, kind, offset| expression_reads(expr, kind, offset, catalogue, names, &mut seen);
    let of_subject = own.into_iter().chain(limits).flatten().any(|expr| looked(expr, kind, 0));
    let of_each = policy.each.as_ref().is_some_and(|each| {
        let offset = catalogue.rows.get(&each.register).map_or(0, Vec::len);
        each.filter.iter().chain(&each.amount).any(|expr| looked(expr, each.kind, offset))
    });
    let mut of_commit = |index: &usize| fact_reads(FactId { kind, index: *index }, catalogue, names, &mut seen);
    of_subject || of_each || policy.commit.iter().any(&mut of_commit)
}

/// The facts that registers or links give, and whose rows or conditions name one of some parameters.
#[must_use]
pub fn stored_with(catalogue: &Catalogue, names: &BTreeSet<&str>, facts: impl IntoIterator<Item = FactId>) -> Vec<FactId> {
    let names_one = |expr: &Expr| {
        let mut found = false;
        for_each_parameter(expr, &mut |name, _| found |= names.contains(&**name));
        found
    };
    let filtered: BTreeSet<usize> =
        (0..catalogue.link_filters.len()).filter(|&link| catalogue.link_filters[link].as_ref().is_some_and(names_one)).collect();
    let is_such = |id: &FactId| match &catalogue.fact(*id).definition {
        Definition::Rows { rows, .. } => rows.value.iter().chain(&rows.filter).chain(&rows.by).any(names_one),
        Definition::LinkedAggregate { link, rows } => {
            let link_kind = catalogue.registers.links[*link].to;
            let offset = catalogue.rows.get(&catalogue.registers.links[*link].register).map_or(0, Vec::len);
            let mut seen = BTreeSet::new();
            let mut reads = |expr: &Expr| expression_reads(expr, link_kind, offset, catalogue, names, &mut seen);
            filtered.contains(link) || rows.value.iter().chain(&rows.filter).chain(&rows.by).any(&mut reads)
        }
        Definition::Linked { link, .. } | Definition::LinkEnd { link } => filtered.contains(link),
        Definition::Pending | Definition::Given | Definition::Computed(_) => false,
    };
    facts.into_iter().filter(is_such).collect()
}

fn expression_reads(
    expr: &Expr,
    kind: crate::register::declaration::SubjectKind,
    offset: usize,
    catalogue: &Catalogue,
    names: &BTreeSet<&str>,
    seen: &mut BTreeSet<FactId>,
) -> bool {
    let mut found = false;
    for_each_parameter(expr, &mut |name: &Arc<str>, _| found |= names.contains(&**name));
    let mut facts = Vec::new();
    expr.for_each_fact(&mut |index| facts.extend(index.checked_sub(offset).map(|index| FactId { kind, index })));
    found || facts.into_iter().any(|id| fact_reads(id, catalogue, names, seen))
}

fn fact_reads(id: FactId, catalogue: &Catalogue, names: &BTreeSet<&str>, seen: &mut BTreeSet<FactId>) -> bool {
    if !seen.insert(id) {
        return false;
    }
    let own = match &catalogue.fact(id).definition {
        Definition::Computed(expr) => expression_reads(expr, id.kind, 0, catalogue, names, seen),
        _ => false,
    };
    own || catalogue.inputs(id).into_iter().any(|input| fact_reads(input, catalogue, names, seen))
}

/// Codes of the policies that a verdict looks at: those required, and those named as entitled.
fn judged_by(policy: &CheckedPolicy) -> Vec<String> {
    let mut found: Vec<String> = policy.document.requires.iter().map(|(code, _)| code.clone()).collect();
    let exprs = [Some(&policy.coverage), Some(&policy.criteria), policy.amount.as_ref(), policy.cap.as_ref(), policy.rank.as_ref()];
    exprs.into_iter().flatten().for_each(|expr| entitled(expr, &mut found));
    found
}

/// Codes of the policies that exclude one or are excluded by it.
fn excluding<'a>(policy: &'a CheckedPolicy, policies: &'a BTreeMap<String, CheckedPolicy>) -> impl Iterator<Item = String> + 'a {
    let code = policy.document.code.as_str();
    let names = move |other: &&CheckedPolicy| other.document.excludes.iter().any(|exclusion| exclusion.policy == code);
    let by_others = policies.values().filter(names).map(|other| other.document.code.clone());
    policy.document.excludes.iter().map(|exclusion| exclusion.policy.clone()).chain(by_others)
}

fn entitled(expr: &Expr, found: &mut Vec<String>) {
    if let Kind::Entitled(code) = &expr.kind {
        found.push(code.to_string());
    }
    expr.children().into_iter().for_each(|child| entitled(child, found));
}
