//! A policy in force needs the value of each parameter that it names, in each county that it covers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::{Expr, Kind};
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::policy::document::PolicyDocument;
use crate::region::{COUNTRY, RegionLevel};
use crate::register::declaration::Written;
use crate::yaml::Node;

/// One naming of a parameter.
struct Use {
    name: String,
    /// Looked up where the subject lives; else once for the country.
    by_region: bool,
    place: Span,
    clause: Option<String>,
}

/// Tells each parameter without a value on a day and in a county that a policy covers: on `as_of`, or, without it, on
/// any day on which the policy is in force.
pub(super) fn check(folder: &PolicyFolder, as_of: Option<NaiveDate>) -> Vec<Diagnostic> {
    let none = BTreeMap::new();
    let mut lacking = Lacking { folder, policies: &none, binders: BTreeMap::new(), regions: BTreeMap::new() };
    let mut diagnostics = Vec::new();
    for policy in &folder.checked.policies {
        let document = &policy.document;
        let mut told = BTreeSet::new();
        for named in uses(folder, policy) {
            if !told.insert(named.name.clone()) {
                continue;
            }
            let first = days(folder, document, &named.name, as_of).into_iter().find_map(|day| {
                let without = lacking.regions(document, &named, day);
                (!without.is_empty()).then(|| (day, without.to_owned()))
            });
            if let Some((day, regions)) = first {
                diagnostics.push(without_value(folder, document, named, day, &regions));
            }
        }
    }
    diagnostics
}

/// Where parameters have no value, worked out once for all policies of a region.
struct Lacking<'a> {
    folder: &'a PolicyFolder,
    policies: &'a BTreeMap<String, CheckedPolicy>,
    binders: BTreeMap<NaiveDate, Binder<'a>>,
    /// By parameter, region that is covered (none for the country's value) and day.
    regions: BTreeMap<(String, Option<String>, NaiveDate), Vec<String>>,
}

impl Lacking<'_> {
    fn regions(&mut self, document: &PolicyDocument, named: &Use, day: NaiveDate) -> &[String] {
        let covered = named.by_region.then(|| document.covers.region.clone());
        self.regions.entry((named.name.clone(), covered, day)).or_insert_with(|| {
            let binder = self.binders.entry(day).or_insert_with(|| self.folder.binder(day, None, self.policies));
            let places = places(self.folder, document, named, day).into_iter();
            places.filter(|region| binder.value(&named.name, region).is_none()).collect()
        })
    }
}

fn without_value(folder: &PolicyFolder, document: &PolicyDocument, named: Use, day: NaiveDate, regions: &[String]) -> Diagnostic {
    let Use { name, place, clause, .. } = named;
    let label = |region: &String| match folder.regions.name(region) {
        Some(label) => (format!("{} {region}", label.zh), format!("{} {region}", label.en)),
        None => (region.clone(), region.clone()),
    };
    let (zh, en): (Vec<String>, Vec<String>) = regions.iter().take(3).map(label).unzip();
    let more = if regions.len() > 3 {
        (format!(" 等 {} 个", regions.len()), format!(" and {} more", regions.len() - 3))
    } else {
        Default::default()
    };
    let mut diagnostic = Diagnostic::new(
        &code::PARAMETER_WITHOUT_VALUE,
        format!("标准“{name}”在 {day} 没有值: {}{}", zh.join(", "), more.0),
        format!("parameter `{name}` has no value on {day}: {}{}", en.join(", "), more.1),
    )
    .at(place)
    .help(
        format!("政策 {} 自 {} 起有效: 补上这些地区的值, 或改政策的有效期", document.code, document.in_force_from),
        format!(
            "policy {} is in force from {}: add values for these regions, or change when it is in force",
            document.code, document.in_force_from
        ),
    );
    if let Some(parameter) = folder.set.parameters.iter().find(|parameter| parameter.name == name) {
        diagnostic = diagnostic.also(parameter.place.clone(), "标准在这里", "the parameter is here");
    }
    diagnostic.clause = clause;
    diagnostic
}

/// The days on which a value may first be lacking: the first in force, and each on which a value ended.
fn days(folder: &PolicyFolder, document: &PolicyDocument, name: &str, as_of: Option<NaiveDate>) -> Vec<NaiveDate> {
    let in_force = |day: &NaiveDate| document.in_force_from <= *day && document.in_force_to.is_none_or(|to| *day < to);
    if let Some(day) = as_of {
        return Some(day).filter(in_force).into_iter().collect();
    }
    let values = folder.set.parameters.iter().filter(|parameter| parameter.name == name).flat_map(|parameter| &parameter.values);
    let days: BTreeSet<NaiveDate> = values.filter_map(|value| value.to).chain([document.in_force_from]).filter(in_force).collect();
    days.into_iter().collect()
}

/// The counties that a policy covers, or the region itself where it lies below counties.
fn places(folder: &PolicyFolder, document: &PolicyDocument, named: &Use, day: NaiveDate) -> Vec<String> {
    if !named.by_region {
        return vec![COUNTRY.to_owned()];
    }
    let region = &document.covers.region;
    let is_county = |code: &String| folder.regions.region(code, day).is_some_and(|region| region.level == RegionLevel::County);
    let counties: Vec<String> = folder.regions.descendants(region, day).into_iter().filter(is_county).collect();
    if counties.is_empty() { vec![region.clone()] } else { counties }
}

fn uses(folder: &PolicyFolder, policy: &CheckedPolicy) -> Vec<Use> {
    let document = &policy.document;
    let mut collector = Collector { folder, kind: document.subject, found: Vec::new(), seen: BTreeSet::new() };
    for (id, expr) in policy.leaves.iter() {
        let criterion = document.criteria.criteria().into_iter().find(|criterion| criterion.id == **id);
        if let Some(criterion) = criterion {
            collector.expr(expr, &criterion.when.node, document.cite(criterion).as_deref());
        }
    }
    let mut written = |expr: Option<&Expr>, written: Option<&Written>, clause: Option<&str>| {
        if let (Some(expr), Some(written)) = (expr, written) {
            collector.expr(expr, &written.node, clause);
        }
    };
    written(policy.amount.as_ref(), document.benefit.amount.as_ref(), document.cite_amount().as_deref());
    written(policy.cap.as_ref(), document.cap.as_ref().map(|cap| &cap.amount), None);
    written(policy.budget.as_ref(), document.budget.as_ref().map(|budget| &budget.amount), None);
    written(policy.occasion.as_ref(), document.occasion.as_ref(), None);
    if let (Some(checked), Some(each)) = (&policy.each, &document.each) {
        written(checked.amount.as_ref(), each.amount.as_ref(), document.cite_amount().as_deref());
    }
    collector.found
}

struct Collector<'a> {
    folder: &'a PolicyFolder,
    kind: crate::register::declaration::SubjectKind,
    found: Vec<Use>,
    seen: BTreeSet<FactId>,
}

impl Collector<'_> {
    /// The parameters of an expression, and of the computed facts that it names.
    fn expr(&mut self, expr: &Expr, node: &Node, clause: Option<&str>) {
        match &expr.kind {
            Kind::Parameter { name, region } => {
                let place = node.place(expr.range.clone());
                self.found.push(Use { name: name.to_string(), by_region: region.is_some(), place, clause: clause.map(str::to_owned) });
            }
            Kind::Fact(index) => self.fact(FactId { kind: self.kind, index: *index }, node, expr),
            _ => {}
        }
        for child in expr.children() {
            self.expr(child, node, clause);
        }
    }

    fn fact(&mut self, id: FactId, node: &Node, at: &Expr) {
        let facts = self.folder.checked.catalogue.facts(id.kind);
        if id.index >= facts.len() || !self.seen.insert(id) {
            return;
        }
        let fact = &facts[id.index];
        if let Definition::Computed(expr) = &fact.definition {
            let place = fact.place.clone().unwrap_or_else(|| node.place(at.range.clone()));
            let mut names = Vec::new();
            crate::check::bind::for_each_parameter(expr, &mut |name, by_region| names.push((name.to_string(), by_region)));
            self.found.extend(names.into_iter().map(|(name, by_region)| Use { name, by_region, place: place.clone(), clause: None }));
            let mut inner = Vec::new();
            expr.for_each_fact(&mut |index| inner.push(FactId { kind: id.kind, index }));
            for id in inner {
                self.fact(id, node, at);
            }
        }
    }
}
