//! What a day can change: the conditions and amounts of policies, and the facts below them, with the day still moving.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::ground::LookedAt;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Aggregate, Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Kind};
use crate::dossier::build::base_register;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::explain::calendar::with_day;
use crate::explain::{Judge, Known};
use crate::policy::document::EachSource;
use crate::register::declaration::{RegisterDeclaration, RegisterTime, SubjectKind};

/// Policies and facts, ready to be asked when they may change.
pub struct Timers {
    pub(super) as_of: NaiveDate,
    pub(super) catalogue: Catalogue,
    pub(super) policies: Vec<PolicyPlan>,
    pub(super) facts: BTreeMap<FactId, FactPlan>,
    /// By link: which rows of its register make it.
    pub(super) link_filters: Vec<Option<Expr>>,
    /// The link from households to their members, which lists them.
    pub(super) members: Option<usize>,
    /// The link from a person to the household.
    pub(super) household: Option<usize>,
    /// By register, what is looked at in its rows.
    pub(super) looked_at: BTreeMap<String, LookedAt>,
}

/// One policy. Expressions are over the facts of its subject, with the day as one more.
pub(super) struct PolicyPlan {
    pub(super) code: String,
    pub(super) kind: SubjectKind,
    /// Coverage, criteria, and what it requires.
    pub(super) conditions: Expr,
    /// What else says what a yes is worth: amounts, caps, occasions, and the policies that it excludes or that exclude it.
    pub(super) worth: Vec<Expr>,
    /// The rows that its occasions come from.
    pub(super) each: Option<EachPlan>,
    /// Policies of the household that a person's grant may be given up for, by their places.
    pub(super) of_household: Vec<usize>,
}

/// The rows that occasions come from: columns, then facts of `kind`.
pub(super) struct EachPlan {
    pub(super) register: String,
    pub(super) link: Option<usize>,
    pub(super) kind: SubjectKind,
    pub(super) rows: RowPlan,
}

/// What rows give.
#[derive(Default)]
pub(super) struct RowPlan {
    /// Which rows count.
    pub(super) filter: Option<Expr>,
    /// What they give.
    pub(super) values: Vec<Expr>,
}

/// How a fact comes about.
pub(super) enum FactPlan {
    Rows {
        register: String,
        rows: RowPlan,
        agrees_with: Vec<String>,
    },
    Linked {
        link: usize,
        fact: FactId,
    },
    LinkEnd {
        link: usize,
    },
    Many {
        link: usize,
        rows: RowPlan,
    },
    /// Nobody knows: it may be another on any day.
    Unknowable,
}

impl Timers {
    /// Of the policies that a binder knows, from its day on. What parameters, regions and policies in force themselves change is
    /// not here: see [`super::calendar`].
    #[must_use]
    pub fn new(catalogue: &Catalogue, binder: &Binder<'_>) -> Self {
        let mut judge = Judge::new(catalogue, binder, Known::NOTHING);
        let mut policies: Vec<PolicyPlan> = binder.policies.values().map(|policy| policy_plan(&mut judge, policy)).collect();
        let households = of_households(binder, &policies);
        for (plan, of_household) in policies.iter_mut().zip(households) {
            plan.of_household = of_household;
        }
        let mut catalogue = judge.catalogue;
        let mut open: Vec<FactId> = policies.iter().flat_map(PolicyPlan::facts_read).collect();
        open.extend(policies.iter().filter_map(|policy| policy.each.as_ref()).flat_map(|each| {
            let columns = catalogue.rows.get(&each.register).map_or(0, Vec::len);
            each.rows.facts_read(each.kind, columns)
        }));
        let mut facts = BTreeMap::new();
        while let Some(id) = open.pop() {
            if let std::collections::btree_map::Entry::Vacant(place) = facts.entry(id) {
                let plan = fact_plan(&mut catalogue, binder, id);
                match &plan {
                    FactPlan::Linked { fact, .. } => open.push(*fact),
                    FactPlan::Many { link, rows } => {
                        let declared = &catalogue.registers.links[*link];
                        open.extend(rows.facts_read(declared.to, catalogue.rows.get(&declared.register).map_or(0, Vec::len)));
                    }
                    FactPlan::Rows { .. } | FactPlan::LinkEnd { .. } | FactPlan::Unknowable => {}
                }
                place.insert(plan);
            }
        }
        let links = &catalogue.registers.links;
        let filters = catalogue.link_filters.iter().map(|filter| filter.as_ref().map(|filter| binder.bind(&with_day(filter))));
        let mut timers = Self {
            as_of: binder.as_of,
            policies,
            facts,
            link_filters: filters.collect(),
            members: links.iter().position(|link| link.from == SubjectKind::Household && link.many),
            household: links.iter().position(|link| link.from == SubjectKind::Person && link.to == SubjectKind::Household && !link.many),
            looked_at: BTreeMap::new(),
            catalogue,
        };
        timers.looked_at = timers.look();
        timers
    }

    /// The facts that dossiers must tell.
    pub fn facts(&self) -> impl Iterator<Item = FactId> {
        self.facts.keys().copied()
    }

    /// The facts that expressions here speak of.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The registers whose rows are looked at.
    pub fn registers(&self) -> impl Iterator<Item = &str> {
        self.looked_at.keys().map(String::as_str)
    }

    /// The columns of a register that are looked at; none where it is not.
    #[must_use]
    pub fn columns(&self, register: &str) -> Option<BTreeSet<&str>> {
        let at = self.looked_at.get(register)?;
        Some(at.columns.iter().chain(&at.keys).chain(&at.ends).map(String::as_str).collect())
    }

    fn look(&self) -> BTreeMap<String, LookedAt> {
        let mut look = Look { catalogue: &self.catalogue, at: BTreeMap::new() };
        for register in super::ALWAYS_READ.into_iter().chain(SubjectKind::ALL.map(base_register)) {
            look.own_rows(register);
        }
        if let Some(all) = self.catalogue.rows.get(IDENTITY_LINKS) {
            look.at.entry(IDENTITY_LINKS.to_owned()).or_default().columns.extend(all.iter().map(|(name, _)| name.clone()));
        }
        for plan in self.facts.values() {
            match plan {
                FactPlan::Rows { register, agrees_with, rows } => {
                    look.own_rows(register);
                    look.values(register, rows);
                    for other in agrees_with {
                        look.own_rows(other);
                    }
                }
                FactPlan::Linked { link, .. } | FactPlan::LinkEnd { link } => self.look_along(&mut look, *link),
                FactPlan::Many { link, rows } => {
                    self.look_along(&mut look, *link);
                    look.values(&self.catalogue.registers.links[*link].register, rows);
                }
                FactPlan::Unknowable => {}
            }
        }
        for each in self.policies.iter().filter_map(|policy| policy.each.as_ref()) {
            match each.link {
                Some(link) => self.look_along(&mut look, link),
                None => look.own_rows(&each.register),
            }
            look.values(&each.register, &each.rows);
        }
        [self.members, self.household].into_iter().flatten().for_each(|link| self.look_along(&mut look, link));
        look.at
    }

    fn look_along(&self, look: &mut Look<'_>, link: usize) {
        let declared = &self.catalogue.registers.links[link];
        let filter = self.link_filters.get(link).and_then(Option::as_ref);
        look.begins(&declared.register);
        look.values(&declared.register, &RowPlan { filter: filter.cloned(), values: Vec::new() });
        let at = look.at.entry(declared.register.clone()).or_default();
        at.keys.insert(declared.from_column.clone());
        at.ends.insert(declared.to_column.clone());
    }
}

/// What is looked at, gathered.
struct Look<'a> {
    catalogue: &'a Catalogue,
    at: BTreeMap<String, LookedAt>,
}

impl Look<'_> {
    /// The rows of a register about a subject, and when they begin.
    fn own_rows(&mut self, register: &str) {
        if let Some(declared) = self.catalogue.registers.registers.get(register) {
            self.begins(register);
            self.at.entry(register.to_owned()).or_default().keys.insert(declared.key.clone());
        }
    }

    fn begins(&mut self, register: &str) {
        if let Some(declared) = self.catalogue.registers.registers.get(register) {
            let columns = beginnings(declared).map(str::to_owned);
            self.at.entry(register.to_owned()).or_default().columns.extend(columns);
        }
    }

    /// The columns that a plan of rows reads.
    fn values(&mut self, register: &str, rows: &RowPlan) {
        let Some(columns) = self.catalogue.rows.get(register) else { return };
        let at = self.at.entry(register.to_owned()).or_default();
        for expr in rows.filter.iter().chain(&rows.values) {
            expr.for_each_fact(&mut |index| at.columns.extend(columns.get(index).map(|(name, _)| name.clone())));
        }
    }
}

impl PolicyPlan {
    fn facts_read(&self) -> Vec<FactId> {
        let mut facts = Vec::new();
        for expr in self.worth.iter().chain([&self.conditions]) {
            expr.for_each_fact(&mut |index| facts.push(FactId { kind: self.kind, index }));
        }
        facts.retain(|id| id.index != crate::explain::calendar::DAY);
        facts
    }
}

impl RowPlan {
    fn facts_read(&self, kind: SubjectKind, columns: usize) -> Vec<FactId> {
        let mut facts = Vec::new();
        for expr in self.filter.iter().chain(&self.values) {
            expr.for_each_fact(&mut |index| {
                if index != crate::explain::calendar::DAY
                    && let Some(index) = index.checked_sub(columns)
                {
                    facts.push(FactId { kind, index });
                }
            });
        }
        facts
    }
}

/// The days on which a row begins to be seen, by the columns that tell them.
pub(super) fn beginnings(declaration: &RegisterDeclaration) -> impl Iterator<Item = &str> {
    let begins = match &declaration.time {
        RegisterTime::State => None,
        RegisterTime::Event(column) | RegisterTime::Valid(column, _) => Some(column.as_str()),
    };
    begins.into_iter().chain(declaration.recorded_at.as_deref())
}

fn policy_plan(judge: &mut Judge<'_>, policy: &CheckedPolicy) -> PolicyPlan {
    let kind = policy.document.subject;
    let conditions = judge.all_conditions(policy);
    let own = [&policy.amount, &policy.cap, &policy.occasion, &policy.rank].into_iter().flatten().cloned();
    let mut worth: Vec<Expr> = own.collect();
    for other in partners(judge, policy) {
        worth.push(judge.all_conditions(&other));
        worth.extend(other.amount.clone());
    }
    let mut moving = |expr: &Expr| flat(&crate::explain::calendar::moving(judge, expr, kind));
    let (conditions, worth) = (moving(&conditions), worth.iter().map(&mut moving).collect());
    let each = each_plan(judge, policy);
    PolicyPlan { code: policy.document.code.clone(), kind, conditions, worth, each, of_household: Vec::new() }
}

/// An expression with the parts of an `and` in an `and` (an `or` in an `or`) side by side: one part that settles the whole is then found
/// at once.
fn flat(expr: &Expr) -> Expr {
    let mut expr = expr.map_children(&mut flat);
    match &mut expr.kind {
        Kind::And(items) => *items = std::mem::take(items).into_iter().flat_map(|item| parts(item, true)).collect(),
        Kind::Or(items) => *items = std::mem::take(items).into_iter().flat_map(|item| parts(item, false)).collect(),
        _ => {}
    }
    expr
}

fn parts(item: Expr, is_and: bool) -> Vec<Expr> {
    match item.kind {
        Kind::And(items) if is_and => items,
        Kind::Or(items) if !is_and => items,
        kind => vec![Expr { kind, ..item }],
    }
}

/// The policies about the same kind of subject that one excludes, or that exclude it.
fn partners(judge: &Judge<'_>, policy: &CheckedPolicy) -> Vec<CheckedPolicy> {
    let own = &policy.document;
    let excludes = |one: &CheckedPolicy, code: &str| one.document.excludes.iter().any(|exclusion| exclusion.policy == code);
    let is_partner = |other: &&CheckedPolicy| {
        other.document.subject == own.subject && (excludes(policy, &other.document.code) || excludes(other, &own.code))
    };
    judge.binder.policies.values().filter(is_partner).cloned().collect()
}

/// For each policy of persons, those of households that exclude it or that it excludes, by their places.
fn of_households(binder: &Binder<'_>, plans: &[PolicyPlan]) -> Vec<Vec<usize>> {
    let excludes = |one: &str, other: &str| {
        binder.policies.get(one).is_some_and(|policy| policy.document.excludes.iter().any(|exclusion| exclusion.policy == other))
    };
    let of = |plan: &PolicyPlan| {
        let others = plans.iter().enumerate().filter(|(_, other)| other.kind == SubjectKind::Household);
        let pairs = others.filter(|(_, other)| excludes(&plan.code, &other.code) || excludes(&other.code, &plan.code));
        pairs.map(|(at, _)| at).collect()
    };
    plans.iter().map(|plan| if plan.kind == SubjectKind::Person { of(plan) } else { Vec::new() }).collect()
}

fn each_plan(judge: &mut Judge<'_>, policy: &CheckedPolicy) -> Option<EachPlan> {
    let (each, written) = (policy.each.as_ref()?, policy.document.each.as_ref()?);
    let offset = judge.catalogue.rows.get(&each.register).map_or(0, Vec::len);
    let binder = judge.binder;
    let mut moving = |expr: &Expr| binder.bind(&with_day(&judge.catalogue.expand(expr, each.kind, offset, &|_| false)));
    let rows = RowPlan { filter: each.filter.as_ref().map(&mut moving), values: each.amount.iter().map(&mut moving).collect() };
    let link = match &written.source {
        EachSource::Link(name) => {
            let links = &judge.catalogue.registers.links;
            links.iter().position(|link| link.from == policy.document.subject && link.name == *name)
        }
        EachSource::Register(_) => None,
    };
    Some(EachPlan { register: each.register.clone(), link, kind: each.kind, rows })
}

fn fact_plan(catalogue: &mut Catalogue, binder: &Binder<'_>, id: FactId) -> FactPlan {
    match catalogue.fact(id).definition.clone() {
        Definition::Rows { register, rows, agrees_with } => {
            let rows = row_plan(&rows, &mut |expr| binder.bind(&with_day(expr)));
            FactPlan::Rows { register, rows, agrees_with: agrees_with.into_iter().map(|(register, _)| register).collect() }
        }
        Definition::Linked { link, fact } => FactPlan::Linked { link, fact },
        Definition::LinkEnd { link } => FactPlan::LinkEnd { link },
        Definition::LinkedAggregate { link, rows } => {
            let declared = catalogue.registers.links[link].clone();
            let columns = catalogue.rows.get(&declared.register).map_or(0, Vec::len);
            let mut moving = |expr: &Expr| binder.bind(&with_day(&catalogue.expand(expr, declared.to, columns, &|_| false)));
            FactPlan::Many { link, rows: row_plan(&rows, &mut moving) }
        }
        Definition::Given | Definition::Pending | Definition::Computed(_) => FactPlan::Unknowable,
    }
}

fn row_plan(rows: &Aggregate, moving: &mut dyn FnMut(&Expr) -> Expr) -> RowPlan {
    let filter = rows.filter.as_ref().map(&mut *moving);
    let values = rows.value.iter().chain(&rows.by).map(moving).collect();
    RowPlan { filter, values }
}
