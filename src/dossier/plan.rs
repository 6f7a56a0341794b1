//! What must be built: the facts that are asked for, with all that they rest on, bound to the day and in order.

use std::collections::{BTreeMap, BTreeSet};

use super::DossierError;
use crate::check::bind::Binder;
use crate::check::catalogue::{Aggregate, Catalogue, Definition, FactId, How};
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;

/// How a fact is built; expressions are bound and hold no computed facts.
#[derive(Debug, Clone)]
pub enum Source {
    /// From the subject's rows of a register; expressions over the register's columns.
    Rows {
        /// The register.
        register: String,
        /// What is made of the rows.
        rows: Aggregate,
        /// Columns of other registers that must agree.
        agrees_with: Vec<(String, String)>,
    },
    /// The fact of the one subject that a link leads to.
    Linked {
        /// Index of the link.
        link: usize,
        /// The fact there.
        fact: FactId,
    },
    /// Made of all subjects that a link leads to; expressions over the columns of the link's register, then the facts there.
    LinkedAggregate {
        /// Index of the link.
        link: usize,
        /// What is made of them.
        rows: Aggregate,
    },
    /// The identifier of the one subject that a link leads to.
    LinkEnd {
        /// Index of the link.
        link: usize,
    },
}

/// A fact to build.
#[derive(Debug, Clone)]
pub struct Planned {
    /// How.
    pub source: Source,
    /// 0 for what registers give directly; else one more than the highest fact that it rests on.
    pub level: usize,
}

/// Everything that must be built.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// By fact, in the order of kinds and names' places.
    pub facts: BTreeMap<FactId, Planned>,
}

impl Plan {
    /// Plans the facts that are asked for. Asked facts must be expanded: none is computed.
    ///
    /// # Errors
    ///
    /// When a fact was declared with faults, so that nobody knows how to build it.
    pub fn new(catalogue: &mut Catalogue, binder: &Binder<'_>, asked: impl IntoIterator<Item = FactId>) -> Result<Self, DossierError> {
        let mut sources: BTreeMap<FactId, (Source, Vec<FactId>)> = BTreeMap::new();
        let mut open: Vec<FactId> = asked.into_iter().collect();
        while let Some(id) = open.pop() {
            if sources.contains_key(&id) {
                continue;
            }
            let (source, inputs) = source(catalogue, binder, id)?;
            open.extend(inputs.iter().copied());
            sources.insert(id, (source, inputs));
        }
        let mut levels = BTreeMap::new();
        for &id in sources.keys() {
            level(id, &sources, &mut levels);
        }
        let facts = sources.into_iter().map(|(id, (source, _))| (id, Planned { source, level: levels[&id] })).collect();
        Ok(Self { facts })
    }

    /// The facts of a kind at a level.
    #[must_use]
    pub fn at(&self, kind: SubjectKind, level: usize) -> Vec<(FactId, &Source)> {
        self.facts
            .iter()
            .filter(|(id, planned)| id.kind == kind && planned.level == level)
            .map(|(id, planned)| (*id, &planned.source))
            .collect()
    }

    /// The names of all registers that must be read.
    #[must_use]
    pub fn registers(&self, catalogue: &Catalogue) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for planned in self.facts.values() {
            match &planned.source {
                Source::Rows { register, agrees_with, .. } => {
                    names.insert(register.clone());
                    names.extend(agrees_with.iter().map(|(other, _)| other.clone()));
                }
                Source::Linked { link, .. } | Source::LinkedAggregate { link, .. } | Source::LinkEnd { link } => {
                    names.insert(catalogue.registers.links[*link].register.clone());
                }
            }
        }
        names
    }
}

fn source(catalogue: &mut Catalogue, binder: &Binder<'_>, id: FactId) -> Result<(Source, Vec<FactId>), DossierError> {
    let fact = catalogue.fact(id).clone();
    Ok(match fact.definition {
        Definition::Rows { register, rows, agrees_with } => {
            let rows = map_rows(&rows, |expr| binder.bind(expr));
            (Source::Rows { register, rows, agrees_with }, Vec::new())
        }
        Definition::Linked { link, fact } => (Source::Linked { link, fact }, vec![fact]),
        Definition::LinkEnd { link } => (Source::LinkEnd { link }, Vec::new()),
        Definition::LinkedAggregate { link, rows } => {
            let declared = catalogue.registers.links[link].clone();
            let columns = catalogue.rows.get(&declared.register).map_or(0, Vec::len);
            let mut inputs = BTreeSet::new();
            let rows = map_rows(&rows, |expr| {
                let expr = binder.bind(&catalogue.expand(expr, declared.to, columns, &|_| false));
                expr.for_each_fact(&mut |index| {
                    if let Some(index) = index.checked_sub(columns) {
                        inputs.insert(FactId { kind: declared.to, index });
                    }
                });
                expr
            });
            (Source::LinkedAggregate { link, rows }, inputs.into_iter().collect())
        }
        Definition::Computed(_) | Definition::Pending | Definition::Given => {
            return Err(DossierError::Told(Box::new(Diagnostic::new(
                &code::INTERNAL,
                format!("事实“{}”没有来源", fact.name),
                format!("fact `{}` has no source", fact.name),
            ))));
        }
    })
}

fn map_rows(rows: &Aggregate, mut change: impl FnMut(&Expr) -> Expr) -> Aggregate {
    let mut each = |expr: &Option<Expr>| expr.as_ref().map(&mut change);
    Aggregate { how: rows.how, value: each(&rows.value), filter: each(&rows.filter), by: each(&rows.by) }
}

fn level(id: FactId, sources: &BTreeMap<FactId, (Source, Vec<FactId>)>, levels: &mut BTreeMap<FactId, usize>) -> usize {
    if let Some(&known) = levels.get(&id) {
        return known;
    }
    // A cycle was told by checking; here it must only not loop.
    levels.insert(id, 0);
    let (source, inputs) = &sources[&id];
    let below = inputs.iter().map(|input| level(*input, sources, levels) + 1).max();
    let found = match source {
        Source::Rows { .. } | Source::LinkEnd { .. } => 0,
        Source::Linked { .. } | Source::LinkedAggregate { .. } => below.unwrap_or(1).max(1),
    };
    levels.insert(id, found);
    found
}

/// What a row gives to an aggregate: the condition under which it counts, and the value.
#[must_use]
pub fn condition(rows: &Aggregate) -> Option<Expr> {
    let both: Vec<Expr> = match rows.how {
        How::Count => rows.filter.iter().chain(&rows.value).cloned().collect(),
        _ => rows.filter.iter().cloned().collect(),
    };
    match both.len() {
        0 => None,
        1 => both.into_iter().next(),
        _ => Some(Expr::new(Kind::And(both), crate::check::ir::Ty::Bool)),
    }
}
