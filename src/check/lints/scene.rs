//! One policy as lints see it: its conditions as terms, and what is known of facts, days, parameters and regions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::Folder;
use super::domain::{Cut, Domain, Fraction, Known, Ranges, Surroundings, TermId, Terms, Values, Worlds, day};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Aggregate, Definition, Fact, FactId, How};
use crate::check::ir::{Expr, Function, Kind, Number, Ty};
use crate::diagnostic::Span;
use crate::policy::document::{Parameter, PolicyDocument};
use crate::register::declaration::{SubjectKind, Written};

/// Registers, or regions.
type Names = Arc<Vec<String>>;
type Codes = Arc<BTreeSet<Arc<str>>>;

/// What is worked out once for all policies of a folder.
pub(super) struct Shared<'a> {
    pub(super) folder: &'a Folder<'a>,
    parameters: HashMap<&'a str, &'a Parameter>,
    members: Mutex<HashMap<String, Codes>>,
    /// By register, region and first day: the counties that the register does not cover.
    pub(super) uncovered: Mutex<HashMap<(String, String, NaiveDate), Names>>,
    /// By fact: the registers that it rests on.
    pub(super) registers: Mutex<HashMap<FactId, Names>>,
    /// What lies directly in a region, or became it, on some day.
    inside: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(folder: &'a Folder<'a>) -> Self {
        let mut inside: HashMap<&str, Vec<&str>> = HashMap::new();
        for region in folder.regions.regions() {
            for above in region.parent.iter().chain(&region.replaced_by) {
                inside.entry(above).or_default().push(&region.code);
            }
        }
        let parameters = folder.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect();
        Self { folder, parameters, members: Mutex::default(), uncovered: Mutex::default(), registers: Mutex::default(), inside }
    }

    /// The parameter with a name.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a Parameter> {
        self.parameters.get(name).copied()
    }

    /// Every value of a parameter, of whatever region and day.
    pub(super) fn numbers_of(&self, name: &str) -> Vec<Fraction> {
        let values = self.parameter(name).into_iter().flat_map(|parameter| &parameter.values);
        values.filter_map(|value| Fraction::of(Number { digits: value.digits, scale: value.scale })).collect()
    }

    /// Every code that lies in a region on some day, or that became one that does.
    pub(super) fn members_of(&self, region: &str) -> Codes {
        let mut kept = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(region) {
            return Arc::clone(found);
        }
        let (mut found, mut open) = (BTreeSet::<Arc<str>>::new(), vec![region]);
        while let Some(code) = open.pop() {
            if found.insert(code.into()) {
                open.extend(self.inside.get(code).into_iter().flatten());
            }
        }
        // An ended region may go on under the code of its successor, with all that lies in that one.
        let successors = self.folder.regions.regions().filter(|ended| found.contains(ended.code.as_str()));
        let mut open: Vec<&str> = successors.flat_map(|ended| ended.replaced_by.iter().map(String::as_str)).collect();
        while let Some(code) = open.pop() {
            if found.insert(code.into()) {
                open.extend(self.inside.get(code).into_iter().flatten());
            }
        }
        let found = Arc::new(found);
        kept.insert(region.to_owned(), Arc::clone(&found));
        found
    }

    /// Whether a parameter has a value everywhere in a region on every day on which a policy is in force.
    fn is_gapless(&self, name: &str, document: &PolicyDocument, region: &str) -> bool {
        let Some(parameter) = self.parameter(name) else { return false };
        let members = self.members_of(region);
        let is_split = |region: &crate::region::Region| region.replaced_by.len() > 1 && members.contains(region.code.as_str());
        if self.folder.regions.regions().any(is_split) {
            return false;
        }
        let chain = self.folder.regions.chain(region, document.in_force_from);
        let mut periods: Vec<_> =
            parameter.values.iter().filter(|value| chain.contains(&value.region.as_str())).map(|value| (value.from, value.to)).collect();
        periods.sort_unstable();
        let mut covered = document.in_force_from;
        for (from, to) in periods {
            match to {
                _ if from > covered => return false,
                None => return true,
                Some(to) => covered = covered.max(to),
            }
        }
        document.in_force_to.is_some_and(|to| to <= covered)
    }

    /// The values that a parameter can have while a policy is in force; where `near` is given, only in regions related
    /// to it.
    fn values_of(&self, name: &str, document: &PolicyDocument, near: Option<&str>) -> Vec<Fraction> {
        let Some(parameter) = self.parameter(name) else { return Vec::new() };
        let is_near =
            |region: &str| near.is_none_or(|near| self.members_of(near).contains(region) || self.members_of(region).contains(near));
        let values = parameter.values.iter().filter(|value| {
            let begins = document.in_force_to.is_none_or(|to| value.from < to);
            begins && value.to.is_none_or(|to| document.in_force_from < to) && is_near(&value.region)
        });
        values.filter_map(|value| Fraction::of(Number { digits: value.digits, scale: value.scale })).collect()
    }
}

/// What surrounds the conditions of one policy.
pub(super) struct Around<'a> {
    pub(super) shared: &'a Shared<'a>,
    document: &'a PolicyDocument,
    /// The fact that decides coverage.
    covered_by: Option<usize>,
}

impl Around<'_> {
    fn kind(&self) -> SubjectKind {
        self.document.subject
    }
}

impl Surroundings for Around<'_> {
    fn computed(&self, fact: usize) -> Option<&Expr> {
        match &self.shared.folder.checked.catalogue.facts(self.kind()).get(fact)?.definition {
            Definition::Computed(expr) => Some(expr),
            _ => None,
        }
    }

    fn fact(&self, fact: usize) -> Option<(Values, Option<u8>)> {
        let catalogue = &self.shared.folder.checked.catalogue;
        let fact = catalogue.facts(self.kind()).get(fact)?;
        let mut values = Values::anything(fact.ty.ty);
        if let Some(codes) = fact.ty.codes.as_ref().filter(|codes| !codes.is_empty()) {
            values.known = Known::In(Arc::new(codes.keys().map(|code| code.as_str().into()).collect()));
        }
        let (least, most, places) = self.bounds(fact);
        if fact.ty.ty == Ty::Number {
            let low = least.and_then(Fraction::whole).map_or(Cut::Start, Cut::before);
            let high = most.and_then(Fraction::whole).map_or(Cut::End, Cut::behind);
            values.known = Known::Range(Ranges::between(low, high));
        }
        Some((values, places))
    }

    fn as_of(&self) -> Values {
        let whole = |date: NaiveDate| Fraction::whole(day(date));
        let low = whole(self.document.in_force_from).map_or(Cut::Start, Cut::before);
        let high = self.document.in_force_to.and_then(whole).map_or(Cut::End, Cut::before);
        Values::within(Ranges::between(low, high).on_grid(0))
    }

    fn parameter(&self, name: &str, _: bool, at: Option<usize>) -> Values {
        let near = at.filter(|at| Some(*at) == self.covered_by).map(|_| self.document.covers.region.as_str());
        let values = self.shared.values_of(name, self.document, near);
        let points = values.into_iter().map(|value| (Cut::before(value), Cut::behind(value))).collect();
        let may_lack = near.is_none_or(|near| !self.shared.is_gapless(name, self.document, near));
        Values::within(Ranges::of(points)).or_unknown(may_lack)
    }

    fn parameter_at(&self, name: &str, region: Option<&str>, on: i64) -> Option<Number> {
        let day = super::domain::date(on)?;
        let values = crate::policy::values_on(self.shared.folder.parameters, name, day, None);
        let chain = match region {
            Some(region) => self.shared.folder.regions.chain(region, day),
            None => vec![crate::region::COUNTRY],
        };
        let found = chain.iter().find_map(|region| values.get(region))?;
        Some(Number { digits: found.digits, scale: found.scale })
    }

    fn members(&self, region: &str) -> Option<Codes> {
        Some(self.shared.members_of(region))
    }

    fn lies_in(&self, code: &str, region: &str, on: i64) -> Option<bool> {
        let regions = self.shared.folder.regions;
        if !regions.is_known(code) {
            return Some(false);
        }
        regions.membership(region, code, super::domain::date(on)?)
    }
}

impl Around<'_> {
    /// The least and the greatest number that a fact can be, and how many digits it has behind the point at most.
    fn bounds(&self, fact: &Fact) -> (Option<i64>, Option<i64>, Option<u8>) {
        let catalogue = &self.shared.folder.checked.catalogue;
        match &fact.definition {
            Definition::Rows { register, rows, .. } => {
                let columns = catalogue.registers.registers.get(register).map(|register| &register.columns);
                let column = |expr: &Expr| match expr.kind {
                    Kind::Fact(index) => columns.and_then(|columns| columns.get(index)),
                    _ => None,
                };
                let (least, most) = match &rows.value {
                    Some(value) => match column(value) {
                        Some(column) => (column.minimum, column.maximum),
                        None => (is_a_count(value).then_some(0), None),
                    },
                    None => (None, None),
                };
                of_rows(rows, least, most, fact.ty.scale)
            }
            Definition::LinkedAggregate { rows, .. } => {
                let (least, most, _) = of_rows(rows, None, None, 0);
                (least, most, matches!(rows.how, How::Count | How::CountDistinct).then_some(0))
            }
            Definition::Linked { fact, .. } => self.bounds(catalogue.fact(*fact)),
            _ => (None, None, None),
        }
    }
}

fn of_rows(rows: &Aggregate, least: Option<i64>, most: Option<i64>, places: u8) -> (Option<i64>, Option<i64>, Option<u8>) {
    match rows.how {
        How::Count | How::CountDistinct => (Some(0), None, Some(0)),
        How::Sum => (least.filter(|least| *least >= 0).map(|_| 0), None, Some(places)),
        _ => (least, most, Some(places)),
    }
}

/// Whether a number counts calendar months, and so is never below zero.
fn is_a_count(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Call(Function::MonthsOverlap | Function::AgeAt | Function::Abs, _))
}

/// An expression of a policy with the text that it was written in.
pub(super) struct Place<'a> {
    pub(super) expr: &'a Expr,
    pub(super) written: &'a Written,
    /// The clause beside it, as it is cited.
    pub(super) clause: Option<String>,
}

impl Place<'_> {
    /// Where a part of the expression stands.
    pub(super) fn span(&self, part: &Expr) -> Span {
        if part.range.is_empty() { self.written.node.place(self.expr.range.clone()) } else { self.written.node.place(part.range.clone()) }
    }
}

/// One policy and its terms.
pub(super) struct Scene<'a> {
    pub(super) policy: &'a CheckedPolicy,
    pub(super) document: &'a PolicyDocument,
    pub(super) around: Around<'a>,
    pub(super) terms: Terms,
    /// Every subject that is covered while the policy is in force.
    pub(super) covered: Worlds,
    /// Every subject that meets the criteria.
    pub(super) entitled: Worlds,
}

impl<'a> Scene<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, policy: &'a CheckedPolicy) -> Self {
        let document = &*policy.document;
        let covered_by = match &policy.coverage.kind {
            Kind::InRegion { value, .. } => match value.kind {
                Kind::Fact(fact) => Some(fact),
                _ => None,
            },
            _ => None,
        };
        let around = Around { shared, document, covered_by };
        let mut terms = Terms::default();
        let coverage = terms.add(&policy.coverage, &around);
        let criteria = terms.add(&policy.criteria, &around);
        let expressions =
            [&policy.amount, &policy.cap, &policy.budget].into_iter().flatten().chain(policy.leaves.iter().map(|(_, leaf)| leaf));
        for expr in expressions {
            add_parts(expr, &mut terms, &around);
        }
        terms.intern(super::domain::Term::AsOf, Ty::Date, &around);
        let mut scene = Self { policy, document, around, terms, covered: Worlds::all(), entitled: Worlds::all() };
        scene.covered = scene.domain().assume(&Worlds::all(), coverage, true);
        scene.entitled = scene.domain().assume(&scene.covered, criteria, true);
        scene
    }

    pub(super) fn domain(&self) -> Domain<'_> {
        Domain { terms: &self.terms, around: &self.around }
    }

    /// The term of an expression of the policy.
    pub(super) fn id(&self, expr: &Expr) -> Option<TermId> {
        self.terms.lookup(expr, &self.around)
    }

    /// The fact of the policy's subject with an index.
    pub(super) fn fact(&self, index: usize) -> &'a Fact {
        self.around.shared.folder.checked.catalogue.fact(FactId { kind: self.document.subject, index })
    }

    /// The criteria and amounts with the texts that they were written in.
    pub(super) fn places(&self) -> Vec<Place<'a>> {
        let mut places = self.criteria();
        let document = self.document;
        let amounts = [
            (&self.policy.amount, document.benefit.amount.as_ref(), document.cite_amount()),
            (&self.policy.cap, document.cap.as_ref().map(|cap| &cap.amount), None),
            (&self.policy.budget, document.budget.as_ref().map(|budget| &budget.amount), None),
        ];
        for (expr, written, clause) in amounts {
            if let (Some(expr), Some(written)) = (expr, written) {
                places.push(Place { expr, written, clause });
            }
        }
        places
    }

    /// The criteria, in the order of the file.
    pub(super) fn criteria(&self) -> Vec<Place<'a>> {
        let criteria = self.document.criteria.criteria();
        let by_id: BTreeMap<&str, &Expr> = self.policy.leaves.iter().map(|(id, expr)| (&**id, expr)).collect();
        let found = criteria.into_iter().filter_map(|criterion| {
            let expr = by_id.get(criterion.id.as_str())?;
            Some(Place { expr, written: &criterion.when, clause: self.document.cite(criterion) })
        });
        found.collect()
    }
}

fn add_parts(expr: &Expr, terms: &mut Terms, around: &Around<'_>) {
    terms.add(expr, around);
    for child in expr.children() {
        add_parts(child, terms, around);
    }
}
