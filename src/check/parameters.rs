//! The parameters that a policy names, and where one has no value on a day.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::CheckedPolicy;
use super::bind::{Binder, for_each_parameter};
use super::catalogue::{Catalogue, Definition, FactId};
use super::ir::{Expr, Kind};
use crate::diagnostic::Span;
use crate::policy::document::PolicyDocument;
use crate::region::{COUNTRY, RegionTree};
use crate::register::declaration::{SubjectKind, Written};
use crate::yaml::Node;

/// One naming of a parameter.
#[derive(Debug, Clone)]
pub struct ParameterUse {
    /// The parameter.
    pub name: String,
    /// Looked up where the subject lives; else once for the country.
    pub by_region: bool,
    /// Where it is named.
    pub place: Span,
    /// The clause beside it.
    pub clause: Option<String>,
    /// The criterion that names it, itself or through a computed fact; none for amounts, caps, budgets and occasions.
    pub criterion: Option<String>,
}

/// Every naming of a parameter in a policy, and in the computed facts that it reads.
#[must_use]
pub fn parameter_uses(catalogue: &Catalogue, policy: &CheckedPolicy) -> Vec<ParameterUse> {
    let document = &policy.document;
    let mut collector =
        Collector { catalogue, kind: document.subject, columns: 0, criterion: None, found: Vec::new(), seen: BTreeSet::new() };
    for (id, expr) in policy.leaves.iter() {
        let criterion = document.criteria.criteria().into_iter().find(|criterion| criterion.id == **id);
        if let Some(criterion) = criterion {
            collector.criterion = Some(criterion.id.clone());
            collector.expr(expr, &criterion.when.node, document.cite(criterion).as_deref());
        }
    }
    collector.criterion = None;
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
        let columns = catalogue.rows.get(&checked.register).map_or(0, Vec::len);
        (collector.kind, collector.columns) = (checked.kind, columns);
        let amount = document.cite_amount();
        for (expr, written, clause) in [(&checked.filter, &each.filter, None), (&checked.amount, &each.amount, amount.as_deref())] {
            if let (Some(expr), Some(written)) = (expr, written) {
                collector.expr(expr, &written.node, clause);
            }
        }
    }
    collector.found
}

/// Where a parameter needs a value: the counties of a region, or the region itself where it lies below counties; for one
/// that is looked up once, the country.
#[must_use]
pub fn parameter_regions(regions: &RegionTree, document: &PolicyDocument, named: &ParameterUse, day: NaiveDate) -> Vec<String> {
    if named.by_region { regions.counties_within(&document.covers.region, day) } else { vec![COUNTRY.to_owned()] }
}

/// Where a parameter has no value on the day that conditions are bound to.
#[must_use]
pub fn without_value(binder: &Binder<'_>, document: &PolicyDocument, named: &ParameterUse) -> Vec<String> {
    let places = parameter_regions(binder.regions, document, named, binder.as_of).into_iter();
    places.filter(|region| binder.value(&named.name, region).is_none()).collect()
}

struct Collector<'a> {
    catalogue: &'a Catalogue,
    /// Whose facts the expression reads.
    kind: SubjectKind,
    /// How many columns of a register come before them.
    columns: usize,
    criterion: Option<String>,
    found: Vec<ParameterUse>,
    seen: BTreeSet<FactId>,
}

impl Collector<'_> {
    /// The parameters of an expression, and of the computed facts that it names.
    fn expr(&mut self, expr: &Expr, node: &Node, clause: Option<&str>) {
        match &expr.kind {
            Kind::Parameter { name, region } => {
                let place = node.place(expr.range.clone());
                self.push(name, region.is_some(), place, clause);
            }
            Kind::Fact(index) => {
                if let Some(index) = index.checked_sub(self.columns) {
                    self.fact(FactId { kind: self.kind, index }, node, expr);
                }
            }
            _ => {}
        }
        for child in expr.children() {
            self.expr(child, node, clause);
        }
    }

    fn push(&mut self, name: &str, by_region: bool, place: Span, clause: Option<&str>) {
        let criterion = self.criterion.clone();
        self.found.push(ParameterUse { name: name.to_owned(), by_region, place, clause: clause.map(str::to_owned), criterion });
    }

    fn fact(&mut self, id: FactId, node: &Node, at: &Expr) {
        let facts = self.catalogue.facts(id.kind);
        if id.index >= facts.len() || !self.seen.insert(id) {
            return;
        }
        let fact = &facts[id.index];
        if let Definition::Computed(expr) = &fact.definition {
            let place = fact.place.clone().unwrap_or_else(|| node.place(at.range.clone()));
            let mut names = Vec::new();
            for_each_parameter(expr, &mut |name, by_region| names.push((name.to_string(), by_region)));
            for (name, by_region) in names {
                self.push(&name, by_region, place.clone(), None);
            }
            let mut inner = Vec::new();
            expr.for_each_fact(&mut |index| inner.push(FactId { kind: id.kind, index }));
            for id in inner {
                self.fact(id, node, at);
            }
        }
    }
}
