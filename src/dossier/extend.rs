//! Dossiers with more facts beside those that they have: made of the columns and links that are held. No register is read.
//!
//! ```text
//! Dossiers (columns, links) ── levels 1, 2, … of the new facts only ──▶ Dossiers (all else is shared)
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use super::base::coverage_name;
use super::build::{EachPlan, EachRequest, is_complete, is_complete_everywhere};
use super::levels::{Around, Levels};
use super::plan::{Plan, Source};
use super::rows::RegisterRows;
use super::silence::Ground;
use super::{DossierError, Dossiers};
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::register::declaration::SubjectKind;

/// What dossiers are asked for beside what they have.
pub struct More<'a> {
    /// The facts that the dossiers were built of, and more behind them.
    pub catalogue: &'a mut Catalogue,
    /// The day of the dossiers, parameters and regions.
    pub binder: &'a Binder<'a>,
    /// Facts that the dossiers must have; none computed.
    pub facts: BTreeSet<FactId>,
    /// Rows that occasions come from, in the place of those that there were.
    pub each: Vec<EachRequest>,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// When to stop.
    pub cancel: &'a Cancel,
}

/// What is not held: only reading registers again would give it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lacking {
    /// A fact.
    Fact(FactId),
    /// Rows of a register that occasions come from.
    Rows(String),
}

/// Why there are no dossiers with more.
#[derive(Debug)]
pub enum NotExtended {
    /// These are not held.
    Lacking(BTreeSet<Lacking>),
    /// As when building.
    Failed(DossierError),
}

impl From<DossierError> for NotExtended {
    fn from(error: DossierError) -> Self {
        Self::Failed(error)
    }
}

impl Dossiers {
    /// The same dossiers with more facts. Facts of linked subjects, and what is made of many of them, are made of what is
    /// held; the others must be there already.
    ///
    /// # Errors
    ///
    /// When something is not held, arithmetic or writing fails, or the work is cancelled.
    pub fn with_more(&self, more: More<'_>) -> Result<Self, NotExtended> {
        let More { catalogue, binder, facts, each, progress, cancel } = more;
        let asked = facts.into_iter().chain(each.iter().flat_map(|each| each.facts.iter().copied()));
        let mut plan = Plan::new(catalogue, binder, self.facts.iter().copied().chain(asked))?;
        // What is there stays as it was bound when it was made.
        for (id, planned) in &self.ground.plan.facts {
            plan.facts.insert(*id, planned.clone());
        }
        let held = Held { dossiers: self, catalogue, binder };
        let new: BTreeSet<FactId> = plan.facts.keys().filter(|id| !self.facts.contains(id)).copied().collect();
        let mut lacking: BTreeSet<Lacking> =
            new.iter().filter(|id| !held.can_make(**id, &plan.facts[*id].source)).map(|id| Lacking::Fact(*id)).collect();
        let mut plans = Vec::with_capacity(each.len());
        for request in &each {
            match held.each(request) {
                Some(plan) => plans.push(plan),
                None => {
                    lacking.insert(Lacking::Rows(request.register.clone()));
                }
            }
        }
        if !lacking.is_empty() {
            return Err(NotExtended::Lacking(lacking));
        }
        let ground = Ground { plan, registers: self.ground.registers.clone(), bases: self.ground.bases.clone() };
        let around = Around { catalogue, as_of: binder.as_of, progress, cancel };
        let made =
            if new.is_empty() { self.made.clone() } else { Levels::new(around, &ground, &self.silent, self.made.clone()).anew(&new)? };
        let mut names = self.names.clone();
        names.extend(new.iter().map(|&id| (id, Arc::clone(&catalogue.fact(id).name))));
        Ok(Self {
            directory: Arc::clone(&self.directory),
            options: self.options.clone(),
            each: plans,
            names,
            facts: ground.plan.facts.keys().copied().collect(),
            kinds: self.kinds.clone(),
            indices: self.indices.clone(),
            made,
            ground: Arc::new(ground),
            silent: self.silent.clone(),
            intake: Arc::clone(&self.intake),
            given_out: self.given_out.clone(),
        })
    }
}

/// What there is to make facts of.
struct Held<'a> {
    dossiers: &'a Dossiers,
    catalogue: &'a Catalogue,
    binder: &'a Binder<'a>,
}

impl Held<'_> {
    fn can_make(&self, id: FactId, source: &Source) -> bool {
        match source {
            Source::Rows { .. } => false,
            Source::Linked { link, .. } | Source::LinkEnd { link } => self.has_link(*link),
            Source::LinkedAggregate { link, rows } => {
                let columns = self.catalogue.row_schema(&self.catalogue.registers.links[*link].register).columns.len();
                let mut read = BTreeSet::new();
                for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
                    expr.for_each_fact(&mut |index| read.extend((index < columns).then_some(index)));
                }
                self.has_link(*link) && self.link_columns(*link, &read).is_some() && self.tells_absence(id.kind, *link)
            }
        }
    }

    fn registered(&self, register: &str) -> Option<&RegisterRows> {
        self.dossiers.ground.registers.get(register)
    }

    /// Whether a link's rows are held, or it is known that there are none.
    fn has_link(&self, link: usize) -> bool {
        let register = &self.catalogue.registers.links[link].register;
        let is_kept = self.registered(register).is_some_and(|rows| rows.links.iter().any(|known| known.link == link));
        is_kept || self.dossiers.silent.contains_key(register)
    }

    /// Whether it is held of whom no row in a link's register tells something.
    fn tells_absence(&self, kind: SubjectKind, link: usize) -> bool {
        let declaration = &self.catalogue.registers.registers[&self.catalogue.registers.links[link].register];
        let as_of = self.binder.as_of;
        if is_complete_everywhere(declaration, kind, as_of) || !is_complete(declaration, as_of) {
            return true;
        }
        let name = coverage_name(&declaration.coverage_regions);
        self.dossiers.ground.bases.get(&kind).is_none_or(|base| base.within.contains_key(&name))
    }

    /// The places of columns among those that are kept of a link's rows.
    fn link_columns(&self, link: usize, columns: &BTreeSet<usize>) -> Option<Vec<(String, usize)>> {
        let register = &self.catalogue.registers.links[link].register;
        let kept = self.registered(register).and_then(|rows| Some((rows, rows.links.iter().find(|known| known.link == link)?)));
        match kept {
            Some((rows, kept)) => self.places(register, rows, &kept.columns, columns),
            None => self.without_rows(register),
        }
    }

    /// No columns of a register that gave no rows; none of one that was not asked for rows.
    fn without_rows(&self, register: &str) -> Option<Vec<(String, usize)>> {
        self.dossiers.silent.contains_key(register).then(Vec::new)
    }

    fn places(&self, register: &str, rows: &RegisterRows, kept: &[usize], columns: &BTreeSet<usize>) -> Option<Vec<(String, usize)>> {
        let schema = self.catalogue.row_schema(register);
        let place = |&at: &usize| {
            let column = &schema.columns[at];
            let expr = Expr::new(Kind::Fact(at), column.ty);
            let of_rows = rows.rows.columns.iter().position(|(known, scale)| known.kind == expr.kind && *scale == column.scale)?;
            Some((format!("row.{}", column.name), kept.iter().position(|known| *known == of_rows)?))
        };
        columns.iter().map(place).collect()
    }

    /// The rows that occasions come from, out of those that are held; none where a column of them is not.
    fn each(&self, request: &EachRequest) -> Option<EachPlan> {
        let columns = match request.link {
            Some(link) => self.link_columns(link, &request.columns)?,
            None => {
                let kept = self.registered(&request.register).and_then(|rows| Some((rows, rows.kept.as_ref()?)));
                match kept.filter(|(_, kept)| kept.kind == request.kind) {
                    Some((rows, kept)) => self.places(&request.register, rows, &kept.columns, &request.columns)?,
                    None => self.without_rows(&request.register)?,
                }
            }
        };
        let from = request.link.map_or(request.kind, |link| self.catalogue.registers.links[link].from);
        let facts = request.facts.iter().copied().collect();
        Some(EachPlan { link: request.link, from, register: request.register.clone(), columns, kind: request.kind, facts })
    }
}
