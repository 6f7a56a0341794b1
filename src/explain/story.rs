//! What is known of one subject over time, built from its registers: dossiers on every day on which a fact can change.
//!
//! ```text
//! rows ── days on which a filter or value of a row changes ──▶ days
//! days ── dossiers of the excerpt ──▶ facts ── days on which a linked subject counts otherwise ──▶ more days
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Date32Type;
use chrono::{Datelike, NaiveDate};

use super::calendar::{DAY, Law, axis, before, day_of, with_day};
use super::excerpt::Excerpt;
use super::facts::{Facts, each_subject};
use super::steps::{Axis, mentions};
use super::when::Story;
use crate::check::bind::{Binder, days};
use crate::check::catalogue::{Aggregate, Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Function, Kind, Ty, Value};
use crate::diagnostic::progress::{Cancel, Silent};
use crate::dossier::build::{Request, build};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::dossier::{DossierError, Dossiers, Options};
use crate::eligibility::evaluate::RowReader;
use crate::register::ReadOptions;
use crate::register::declaration::{RegisterTime, SubjectKind};

/// Whose story is told, and from what.
pub struct Telling<'a> {
    /// Its registers.
    pub excerpt: &'a Excerpt,
    /// The law over the span.
    pub law: &'a Law<'a>,
    /// Facts that its policies read; none computed.
    pub facts: &'a BTreeSet<FactId>,
    /// Whose.
    pub kind: SubjectKind,
    /// Its identifier.
    pub id: &'a str,
    /// Where intermediate files go.
    pub scratch: PathBuf,
    /// When to stop.
    pub cancel: Cancel,
}

/// The facts of a subject over the span of the law, and the dossiers of its first day. None where nobody has the
/// identifier on the first day.
///
/// # Errors
///
/// When dossiers cannot be built.
pub async fn story(telling: &Telling<'_>, catalogue: &Catalogue) -> Result<Option<(Story, Dossiers)>, DossierError> {
    let mut catalogue = catalogue.clone();
    catalogue.registers = Arc::clone(&telling.excerpt.registers);
    let (from, until) = telling.law.span();
    let (mut story, mut first) = (Story::default(), None);
    let mut open: BTreeSet<NaiveDate> = telling.law.days().clone();
    open.insert(from);
    let mut rows: Option<Rows> = None;
    while let Some(day) = open.pop_first() {
        let binder = telling.law.binder(day);
        let dossiers = telling.dossiers(&mut catalogue, &binder).await?;
        let subjects = all_facts(&dossiers, &catalogue).await?;
        let id = dossiers.intake.identities.today(telling.id).unwrap_or(telling.id);
        let facts = subjects.get(&(telling.kind, id.to_owned()));
        let Some(facts) = facts.or_else(|| if first.is_some() { story.facts.values().next_back() } else { None }) else { return Ok(None) };
        if story.facts.values().next_back() != Some(facts) {
            story.facts.insert(day, facts.clone());
        }
        if first.is_none() {
            first = Some(dossiers);
        }
        if day == until {
            break;
        }
        let rows = match &mut rows {
            Some(rows) => rows,
            None => {
                let read = Rows::read(telling, &catalogue)?;
                open.extend(read.begin.iter().copied().filter(|begin| *begin > from && *begin <= until));
                rows.insert(read)
            }
        };
        // Up to the next day that is looked at anyway.
        let next = open.first().map_or(until, |next| before(*next));
        let more = rows.changes(telling, &mut catalogue, &binder, &subjects, (day, next));
        open.extend(more);
    }
    Ok(first.map(|dossiers| (story, dossiers)))
}

impl Telling<'_> {
    async fn dossiers(&self, catalogue: &mut Catalogue, binder: &Binder<'_>) -> Result<Dossiers, DossierError> {
        build(Request {
            catalogue,
            binder,
            facts: self.facts.clone(),
            kinds: SubjectKind::ALL.to_vec(),
            each: Vec::new(),
            sources: &self.excerpt.sources,
            allow_missing: &self.excerpt.allow_missing,
            options: Options::new(1, self.scratch.clone()),
            progress: Arc::new(Silent),
            cancel: self.cancel.clone(),
        })
        .await
    }
}

type Everybody = BTreeMap<(SubjectKind, String), Facts>;

async fn all_facts(dossiers: &Dossiers, catalogue: &Catalogue) -> Result<Everybody, DossierError> {
    let mut all = BTreeMap::new();
    for kind in SubjectKind::ALL {
        let mut visit = |id: &str, facts: &dyn Fn() -> Facts| drop(all.insert((kind, id.to_owned()), facts()));
        each_subject(dossiers, &catalogue.schema(kind), kind, &mut visit).await?;
    }
    Ok(all)
}

/// The rows of the excerpt, with the values of each.
struct Rows {
    by_register: BTreeMap<String, Vec<Vec<Option<Value>>>>,
    /// Days on which a row begins to be true, a register to be complete, an identifier to hold.
    begin: BTreeSet<NaiveDate>,
}

impl Rows {
    fn read(telling: &Telling<'_>, catalogue: &Catalogue) -> Result<Self, DossierError> {
        let (mut by_register, mut begin) = (BTreeMap::new(), BTreeSet::new());
        let binder = telling.law.binder(telling.law.span().0);
        let for_facts = |name: &String| telling.excerpt.for_facts.contains(name);
        for (name, source) in telling.excerpt.sources.sources.iter().filter(|(name, _)| for_facts(name)) {
            let Some(declaration) = catalogue.registers.registers.get(name) else { continue };
            begin.extend(declaration.coverage_from);
            let time = match &declaration.time {
                RegisterTime::State => None,
                RegisterTime::Event(column) => Some(column.as_str()),
                RegisterTime::Valid(from, _) => Some(from.as_str()),
            };
            let time = if name == IDENTITY_LINKS { Some("on_date") } else { time };
            let schema = catalogue.row_schema(name);
            let all: Vec<usize> = (0..schema.columns.len()).collect();
            let mut rows = Vec::new();
            let reader = crate::register::open(declaration, source, binder.regions, &ReadOptions::default()).map_err(DossierError::Told)?;
            for batch in reader {
                let batch = batch.map_err(DossierError::Told)?;
                begin.extend(time.and_then(|time| batch.column_by_name(time)).into_iter().flat_map(|_| days_in(&batch, time)));
                let values = RowReader::new(&schema, &all, &batch)?;
                rows.extend((0..batch.num_rows()).map(|row| all.iter().map(|&column| values.value(column, row)).collect::<Vec<_>>()));
            }
            by_register.insert(name.clone(), rows);
        }
        Ok(Self { by_register, begin })
    }

    /// The days behind `from`, up to `to`, on which a row comes to say something else.
    fn changes(
        &self,
        telling: &Telling<'_>,
        catalogue: &mut Catalogue,
        binder: &Binder<'_>,
        subjects: &Everybody,
        (from, to): (NaiveDate, NaiveDate),
    ) -> BTreeSet<NaiveDate> {
        let mut found = Changes { binder, span: (i64::from(days(from)), i64::from(days(to))), ticks: BTreeSet::new() };
        let mut links = BTreeSet::new();
        for id in catalogue.needed(telling.facts.iter().copied()) {
            match catalogue.fact(id).definition.clone() {
                Definition::Rows { register, rows, .. } => {
                    for expr in moving_parts(&rows, binder, &mut Expr::clone) {
                        found.of_rows(self.of(&register), &expr);
                    }
                }
                Definition::Linked { link, .. } | Definition::LinkEnd { link } => {
                    links.insert(link);
                }
                Definition::LinkedAggregate { link, rows } => {
                    links.insert(link);
                    self.of_linked(link, &rows, catalogue, subjects, &mut found);
                }
                Definition::Computed(_) | Definition::Pending | Definition::Given => {}
            }
        }
        for link in links {
            if let Some(filter) = catalogue.link_filters.get(link).cloned().flatten() {
                found.of_rows(self.of(&catalogue.registers.links[link].register), &binder.bind(&with_day(&filter)));
            }
        }
        found.ticks.into_iter().filter_map(day_of).collect()
    }

    fn of(&self, register: &str) -> &[Vec<Option<Value>>] {
        self.by_register.get(register).map_or(&[], Vec::as_slice)
    }

    /// The changes of what is made of linked subjects: the columns of each row, then the facts of whom it leads to.
    fn of_linked(&self, link: usize, rows: &Aggregate, catalogue: &mut Catalogue, subjects: &Everybody, found: &mut Changes<'_>) {
        let declared = catalogue.registers.links[link].clone();
        let columns = catalogue.rows.get(&declared.register).map_or(0, Vec::len);
        let to_column = catalogue.row_schema(&declared.register).index_of(&declared.to_column);
        let exprs = moving_parts(rows, found.binder, &mut |expr| catalogue.expand(expr, declared.to, columns, &|_| false));
        for row in self.of(&declared.register) {
            let Some(Some(Value::Text(end))) = to_column.and_then(|at| row.get(at)) else { continue };
            let facts = subjects.get(&(declared.to, end.to_string()));
            let value = |at: usize| match at.checked_sub(columns) {
                None => row.get(at).cloned().flatten(),
                Some(index) => facts.and_then(|facts| facts.value(FactId { kind: declared.to, index })),
            };
            for expr in &exprs {
                changes(&axis(&value), expr, found.span, &mut found.ticks);
            }
        }
    }
}

/// Days on which rows come to say something else, being gathered.
struct Changes<'a> {
    binder: &'a Binder<'a>,
    /// The first and the last tick.
    span: (i64, i64),
    ticks: BTreeSet<i64>,
}

impl Changes<'_> {
    fn of_rows(&mut self, rows: &[Vec<Option<Value>>], expr: &Expr) {
        for row in rows {
            changes(&axis(&|at| row.get(at).cloned().flatten()), expr, self.span, &mut self.ticks);
        }
    }
}

fn days_in(batch: &RecordBatch, column: Option<&str>) -> Vec<NaiveDate> {
    use arrow::array::AsArray;
    let array = column.and_then(|column| batch.column_by_name(column)).and_then(|array| array.as_primitive_opt::<Date32Type>().cloned());
    array.iter().flat_map(|array| array.iter().flatten()).filter_map(|day| day_of(i64::from(day))).collect()
}

/// The parts of an aggregate that the day moves.
fn moving_parts(rows: &Aggregate, binder: &Binder<'_>, expand: &mut dyn FnMut(&Expr) -> Expr) -> Vec<Expr> {
    let parts = rows.filter.iter().chain(&rows.value).chain(&rows.by);
    parts.map(|expr| binder.bind(&with_day(&expand(expr)))).filter(|expr| mentions(expr, DAY)).collect()
}

/// The ticks behind the first, up to the last, at which an expression has another value than at the tick before.
fn changes(axis: &Axis<'_>, expr: &Expr, (from, to): (i64, i64), ticks: &mut BTreeSet<i64>) {
    if !mentions(expr, DAY) {
        return;
    }
    if expr.ty == Ty::Bool {
        ticks.extend(axis.steps(expr, from, to).ticks);
        return;
    }
    let by_month = goes_by_month(expr);
    let mut last = axis.at(expr, from);
    for tick in from + 1..=to {
        if by_month && day_of(tick).is_some_and(|day| day.day() != 1) {
            continue;
        }
        let now = axis.at(expr, tick);
        if now != last {
            ticks.insert(tick);
            last = now;
        }
    }
}

/// Whether nothing but the month of the day, and its year, tells.
fn goes_by_month(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Fact(fact) => *fact != DAY,
        Kind::Call(
            Function::MonthStart
            | Function::MonthEnd
            | Function::YearStart
            | Function::YearEnd
            | Function::Year
            | Function::Month
            | Function::MonthsBetween
            | Function::MonthsOverlap,
            arguments,
        ) => arguments.iter().all(by_whole_months),
        _ => expr.children().into_iter().all(goes_by_month),
    }
}

/// Whether an expression is the day, or one that stays in the month of the day moved by months.
fn by_whole_months(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Call(Function::AddMonths | Function::AddYears, arguments) => arguments.iter().all(by_whole_months),
        Kind::Fact(_) => true,
        _ => goes_by_month(expr),
    }
}
