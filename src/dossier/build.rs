//! From a plan to dossiers: what each register is read for, intake, then one level after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::accumulate::Recipe;
use super::base::{BasePlan, coverage_name};
use super::columns::Columns;
use super::intake::{Given, Intake};
use super::known::{Beforehand, Known};
use super::levels::{Around, Levels, Made};
use super::plan::{Plan, Source};
use super::rows::{KeptRows, LinkRows, Purpose, RegisterRows, Registers};
use super::silence::Ground;
use super::{Cause, DossierError, Dossiers, Options};
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId, How};
use crate::check::ir::{Expr, Kind, Ty};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::register::declaration::{Absence, ColumnType, RegisterDeclaration, SubjectKind};
use crate::register::sources::Sources;

/// What dossiers are asked for.
pub struct Request<'a> {
    /// Facts; grows by those that links must carry.
    pub catalogue: &'a mut Catalogue,
    /// The day, parameters and regions.
    pub binder: &'a Binder<'a>,
    /// Facts that the dossiers must have; none computed.
    pub facts: BTreeSet<FactId>,
    /// Kinds that must have dossiers.
    pub kinds: Vec<SubjectKind>,
    /// Rows that occasions come from.
    pub each: Vec<EachRequest>,
    /// Where registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// How to build.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

/// Rows that occasions come from: those of a register beside the facts of a subject.
#[derive(Debug, Clone)]
pub struct EachRequest {
    /// The register.
    pub register: String,
    /// The link whose register it is, for occasions that are linked subjects.
    pub link: Option<usize>,
    /// The columns needed, by their place in the declaration.
    pub columns: BTreeSet<usize>,
    /// Whose facts stand beside them: the subject's, or the linked one's.
    pub kind: SubjectKind,
    /// The facts needed.
    pub facts: BTreeSet<FactId>,
}

/// Rows that occasions come from, planned.
#[derive(Debug, Clone)]
pub(super) struct EachPlan {
    /// The link whose rows they are; none: all rows of the register.
    pub(super) link: Option<usize>,
    /// The register.
    pub(super) register: String,
    /// Output name and place among the columns that are kept.
    pub(super) columns: Vec<(String, usize)>,
    /// Whose occasions they are.
    pub(super) from: SubjectKind,
    /// Whose facts stand beside them.
    pub(super) kind: SubjectKind,
    /// Which.
    pub(super) facts: Vec<FactId>,
}

/// The register that each subject of a kind has one row in; households come from the link to their members.
#[must_use]
pub fn base_register(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Person => "population",
        SubjectKind::Household => "household_membership",
        SubjectKind::Entity => "legal_entity",
    }
}

struct Builder<'a, 'r> {
    request: &'r Request<'a>,
    plan: &'r Plan,
    registers: Registers,
    silent: &'r BTreeMap<String, Cause>,
}

/// Builds dossiers.
///
/// # Errors
///
/// When a register cannot be read, space or memory runs out, or the work is cancelled.
pub async fn build(request: Request<'_>) -> Result<Dossiers, DossierError> {
    build_beside(request, Beforehand::default()).await
}

/// Builds dossiers beside what is known already.
///
/// # Errors
///
/// As [`build`], and when what is known is of another type.
pub async fn build_beside(request: Request<'_>, known: Beforehand<'_>) -> Result<Dossiers, DossierError> {
    tokio::task::block_in_place(|| build_all(request, known))
}

fn build_all(request: Request<'_>, known: Beforehand<'_>) -> Result<Dossiers, DossierError> {
    let directory = tempfile::Builder::new()
        .prefix(".mianshen-work-")
        .tempdir_in(&request.options.scratch)
        .map_err(|error| DossierError::scratch(&request.options.scratch, &error))?;
    let plan = Plan::new(request.catalogue, request.binder, request.facts.iter().copied().chain(each_facts(&request.each)))?;
    let needed: BTreeSet<String> = plan
        .registers(request.catalogue)
        .into_iter()
        .chain(request.kinds.iter().map(|kind| base_register(*kind).to_owned()))
        .chain(request.each.iter().map(|each| each.register.clone()))
        .collect();
    let intake = Intake::open(&request, &needed)?;
    let silent = intake.silent().clone();
    let mut builder = Builder { request: &request, plan: &plan, registers: Registers::new(), silent: &silent };
    let bases: Vec<BasePlan> = builder.kinds().into_iter().filter_map(|kind| builder.base(kind)).collect();
    for (&id, planned) in &plan.facts {
        builder.fact(id, &planned.source);
    }
    let each = builder.each_plans();
    let registers = builder.registers;
    let bases = intake.subjects(&bases, known.facts, &request)?;
    let Given { report, mut found, snapshot } = intake.read(&registers, &bases, &request)?;
    for rows in known.rows {
        let link = &request.catalogue.registers.links[rows.link];
        let tables = found.get_mut(&link.register).map(|found| &mut found.links);
        let table = tables.and_then(|tables| tables.iter_mut().find(|(at, _)| *at == rows.link));
        if let (Some((_, table)), Some(from), Some(to)) = (table, bases.get(&link.from), bases.get(&link.to)) {
            table.put(rows, &from.index, &to.index)?;
        }
    }
    let limit = request.options.memory.map(|memory| memory / 3);
    let ground = Ground { plan, registers, bases };
    let around =
        Around { catalogue: request.catalogue, as_of: request.binder.as_of, progress: &*request.progress, cancel: &request.cancel };
    let mut made = Made::with(Columns::new(directory.path(), limit));
    let known = Known::new(known.facts, &ground.bases);
    let made = match snapshot {
        None => Levels::new(around, &ground, &silent, made).beside(known).run(found)?,
        Some(snapshot) => {
            let made_of = snapshot.made_of(&ground.plan, &silent, &request);
            let wanted = snapshot.take_linked(&ground.plan, &made_of, &mut made, &request)?;
            let made = Levels::new(around, &ground, &silent, made).beside(known).only(&wanted).run(found)?;
            snapshot.keep_linked(&ground.plan, &made_of, &made, &request);
            snapshot.close(&request);
            made
        }
    };
    let names = ground.plan.facts.keys().map(|&id| (id, Arc::clone(&request.catalogue.fact(id).name))).collect();
    Ok(Dossiers {
        directory: Arc::new(directory),
        options: request.options.clone(),
        each,
        names,
        facts: ground.plan.facts.keys().copied().collect(),
        kinds: request.kinds.clone(),
        indices: ground.bases.iter().map(|(kind, base)| (*kind, Arc::clone(&base.index))).collect(),
        made,
        ground: Arc::new(ground),
        silent,
        intake: Arc::new(report),
        given_out: None,
    })
}

fn each_facts(each: &[EachRequest]) -> Vec<FactId> {
    each.iter().flat_map(|each| each.facts.iter().copied()).collect()
}

/// Type and digits behind the point of a fact.
pub(super) fn type_of(catalogue: &Catalogue, id: FactId) -> (Ty, u8) {
    let ty = &catalogue.fact(id).ty;
    (ty.ty, if ty.ty == Ty::Number { ty.scale } else { 0 })
}

/// Whether the rows that there are of a register are all that there can be.
pub(super) fn is_complete(declaration: &RegisterDeclaration, as_of: NaiveDate) -> bool {
    let begun = declaration.coverage_from.is_none_or(|from| from <= as_of);
    declaration.absence == Absence::Complete && begun
}

/// Whether they are so for every subject of a kind, wherever it is.
pub(super) fn is_complete_everywhere(declaration: &RegisterDeclaration, kind: SubjectKind, as_of: NaiveDate) -> bool {
    is_complete(declaration, as_of) && (declaration.coverage_regions.is_empty() || kind == SubjectKind::Household)
}

impl Builder<'_, '_> {
    /// All kinds that must be built: those asked for, and those that links lead to or from.
    fn kinds(&self) -> Vec<SubjectKind> {
        let links = &self.request.catalogue.registers.links;
        let linked = self.plan.facts.values().filter_map(|planned| match &planned.source {
            Source::Linked { link, .. } | Source::LinkedAggregate { link, .. } => Some(links[*link].to),
            Source::Rows { .. } | Source::LinkEnd { .. } => None,
        });
        let each = self.request.each.iter().map(|each| each.kind);
        let all: BTreeSet<SubjectKind> =
            self.request.kinds.iter().copied().chain(self.plan.facts.keys().map(|id| id.kind)).chain(linked).chain(each).collect();
        all.into_iter().collect()
    }

    fn declaration(&self, register: &str) -> &RegisterDeclaration {
        &self.request.catalogue.registers.registers[register]
    }

    fn rows(&mut self, register: &str) -> &mut RegisterRows {
        self.registers.entry(register.to_owned()).or_default()
    }

    /// How the subjects of a kind are listed; none where the register that names them is not there.
    fn base(&self, kind: SubjectKind) -> Option<BasePlan> {
        let register = base_register(kind);
        self.request.sources.get(register)?;
        if self.request.allow_missing.contains(register) {
            return None;
        }
        let declaration = self.declaration(register);
        let mut plan =
            BasePlan { kind, register: register.to_owned(), key: declaration.key.clone(), filter: None, within: BTreeMap::new() };
        if kind == SubjectKind::Household {
            let links = &self.request.catalogue.registers.links;
            if let Some(link) = links.iter().find(|link| link.from == kind && link.many) {
                plan.register.clone_from(&link.register);
                plan.key.clone_from(&link.from_column);
                plan.filter = self.request.catalogue.link_filter(&link.name, kind).map(|filter| self.request.binder.bind(&filter));
            }
            return Some(plan);
        }
        let regions: Vec<usize> =
            (0..declaration.columns.len()).filter(|&at| declaration.columns[at].column_type == ColumnType::Region).collect();
        for (name, codes) in self.coverages(kind) {
            let within = regions.iter().flat_map(|&at| {
                codes.iter().map(move |code| {
                    let value = Box::new(Expr::new(Kind::Fact(at), Ty::Text));
                    Expr::new(Kind::InRegion { value, region: code.as_str().into() }, Ty::Bool)
                })
            });
            plan.within.insert(name, self.request.binder.bind(&Expr::new(Kind::Or(within.collect()), Ty::Bool)));
        }
        Some(plan)
    }

    /// The distinct coverages of the registers that give facts of a kind, by name.
    fn coverages(&self, kind: SubjectKind) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for (id, planned) in &self.plan.facts {
            let register = match &planned.source {
                Source::Rows { register, .. } => register,
                Source::LinkedAggregate { link, .. } => &self.request.catalogue.registers.links[*link].register,
                _ => continue,
            };
            let declaration = self.declaration(register);
            if id.kind == kind && declaration.absence == Absence::Complete && !declaration.coverage_regions.is_empty() {
                found.insert(coverage_name(&declaration.coverage_regions), declaration.coverage_regions.clone());
            }
        }
        found
    }

    /// Puts what a fact needs among what its register is read for.
    fn fact(&mut self, id: FactId, source: &Source) {
        let (ty, scale) = type_of(self.request.catalogue, id);
        match source {
            Source::Rows { register, rows, agrees_with } => {
                if self.silent.contains_key(register) {
                    return;
                }
                let everywhere = is_complete_everywhere(self.declaration(register), id.kind, self.request.binder.as_of);
                let registered = self.rows(register);
                let recipe = registered.rows.recipe(rows, ty, scale, everywhere);
                registered.of_kind(id.kind).recipes.push((Purpose::Fact(id), recipe));
                for (other, column) in agrees_with {
                    self.agreeing(id, other, column);
                }
            }
            Source::Linked { link, .. } | Source::LinkEnd { link } => {
                self.link(*link);
            }
            Source::LinkedAggregate { link, rows } => {
                let register = self.request.catalogue.registers.links[*link].register.clone();
                let columns = self.declaration(&register).columns.len();
                let mut read = BTreeSet::new();
                for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
                    expr.for_each_fact(&mut |index| {
                        read.extend((index < columns).then_some(index));
                    });
                }
                self.link_columns(*link, &read);
            }
        }
    }

    /// What another register says of a fact: its least and its greatest value.
    fn agreeing(&mut self, id: FactId, other: &str, column: &str) {
        let Some(at) = self.declaration(other).columns.iter().position(|known| known.name == column) else { return };
        if self.silent.contains_key(other) {
            return;
        }
        let (ty, scale) = type_of(self.request.catalogue, id);
        let rows = self.rows(other);
        let value = rows.rows.place(&Expr::new(Kind::Fact(at), ty), scale);
        let recipe = |how| Recipe { how, ty, scale, passes: None, tells: None, value: Some(value), by: None, strict: false };
        let recipes = &mut rows.of_kind(id.kind).recipes;
        recipes.push((Purpose::OtherLeast(id, other.to_owned()), recipe(How::Min)));
        recipes.push((Purpose::OtherGreatest(id, other.to_owned()), recipe(How::Max)));
    }

    /// The rows of a link, among what its register is read for.
    fn link(&mut self, link: usize) -> &mut LinkRows {
        let declared = &self.request.catalogue.registers.links[link];
        let filter = self.request.catalogue.link_filter(&declared.name, declared.from).map(|filter| self.request.binder.bind(&filter));
        let rows = self.registers.entry(declared.register.clone()).or_default();
        let at = rows.links.iter().position(|known| known.link == link).unwrap_or_else(|| {
            let filter = filter.map(|filter| rows.rows.place(&filter, 0));
            let ends = (declared.from_column.clone(), declared.to_column.clone());
            rows.links.push(LinkRows { link, from: declared.from, to: declared.to, ends, filter, columns: Vec::new() });
            rows.links.len() - 1
        });
        &mut rows.links[at]
    }

    /// Keeps columns of a link's rows; gives the place of each among those that are kept.
    fn link_columns(&mut self, link: usize, columns: &BTreeSet<usize>) -> Vec<(String, usize)> {
        let register = self.request.catalogue.registers.links[link].register.clone();
        let places = self.row_places(&register, columns);
        let rows = self.link(link);
        places.into_iter().map(|(name, place)| (name, kept_at(&mut rows.columns, place))).collect()
    }

    /// Columns of a register as they are, evaluated.
    fn row_places(&mut self, register: &str, columns: &BTreeSet<usize>) -> Vec<(String, usize)> {
        let schema = self.request.catalogue.row_schema(register);
        let rows = self.rows(register);
        columns
            .iter()
            .map(|&at| {
                let column = &schema.columns[at];
                (format!("row.{}", column.name), rows.rows.place(&Expr::new(Kind::Fact(at), column.ty), column.scale))
            })
            .collect()
    }

    fn each_plans(&mut self) -> Vec<EachPlan> {
        let requests = self.request.each.clone();
        let mut plans = Vec::new();
        for each in requests {
            let columns = match each.link {
                Some(link) => self.link_columns(link, &each.columns),
                None => {
                    let places = self.row_places(&each.register, &each.columns);
                    let kind = each.kind;
                    let kept = self.rows(&each.register).kept.get_or_insert_with(|| KeptRows { kind, columns: Vec::new() });
                    places.into_iter().map(|(name, place)| (name, kept_at(&mut kept.columns, place))).collect()
                }
            };
            let facts = each.facts.iter().copied().collect();
            let from = each.link.map_or(each.kind, |link| self.request.catalogue.registers.links[link].from);
            plans.push(EachPlan { link: each.link, from, register: each.register, columns, kind: each.kind, facts });
        }
        plans
    }
}

fn kept_at(kept: &mut Vec<usize>, place: usize) -> usize {
    kept.iter().position(|known| *known == place).unwrap_or_else(|| {
        kept.push(place);
        kept.len() - 1
    })
}
