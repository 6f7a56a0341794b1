//! The cases that are still missing: a case that is there, moved in one fact until it touches a boundary.
//!
//! What comes out of a suggested case is what the policy says today. Whether that is right, its author must say.

pub mod moves;
mod text;

use chrono::{Months, NaiveDate};

pub use text::{DRAFT, draft, quoted, written};

use super::book::{Book, Values};
use super::coverage::{Coverage, Goal, Target, Touch, Want};
use super::facts::ResolvedCase;
use super::probe::{Probe, shifted};
use super::sites;
use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::check::ir::{Kind, Number, Ty, Value};
use crate::explain::{Judgement, Verdict};

/// One subject on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The day.
    pub day: NaiveDate,
    /// The facts that a case would give.
    pub values: Values,
}

/// A case that touches a boundary that no case touches yet.
pub struct Suggestion {
    /// The boundary.
    pub goal: Goal,
    /// The subject.
    pub row: Row,
    /// What comes out today; none where the policy is not in force.
    pub judgement: Option<Judgement>,
    /// What was changed of a case that is there: facts, and whether the day.
    pub moved: Vec<FactId>,
}

/// How many changes of one subject are tried for a boundary.
const PATIENCE: usize = 300;

/// How many years ago everything happened to somebody made up, one after the other until one can be brought to a yes.
const AGES: [u32; 3] = [30, 1, 70];

/// How often somebody is brought nearer to a yes.
const STEPS: usize = 40;

/// Suggests a case for each boundary of a policy that no case touches, as far as one can be found.
#[must_use]
pub fn suggest(book: &Book<'_>, policy: &CheckedPolicy, cases: &[&ResolvedCase], coverage: &Coverage) -> Vec<Suggestion> {
    let rows = bases(book, policy, cases);
    let mut found: Vec<Suggestion> = Vec::new();
    for goal in coverage.missing() {
        if found.iter().any(|suggestion| touches(book, policy, &suggestion.row, goal)) {
            continue;
        }
        let any = |decisive: bool| rows.iter().find_map(|base| Some((base, reach(book, policy, base, goal, decisive)?)));
        let new = any(true).or_else(|| any(false));
        if let Some((base, row)) = new {
            let judgement = judged(book, policy, &row);
            let changed = |id: &&FactId| base.values.get(id) != row.values.get(id);
            let mut moved: Vec<FactId> = row.values.keys().chain(base.values.keys()).filter(changed).copied().collect();
            moved.sort_unstable();
            moved.dedup();
            found.push(Suggestion { goal: goal.clone(), row, judgement, moved });
        }
    }
    found
}

fn judged(book: &Book<'_>, policy: &CheckedPolicy, row: &Row) -> Option<Judgement> {
    Probe::with(book, policy.document.subject, row.day, &row.values, |probe| {
        let law = probe.laws.get(&policy.document.code)?;
        probe.judgement(law)
    })
}

fn touches(book: &Book<'_>, policy: &CheckedPolicy, row: &Row, goal: &Goal) -> bool {
    Probe::with(book, policy.document.subject, row.day, &row.values, |probe| Touch::new(policy, probe).touches(goal))
}

/// The subjects to start from: those of cases, first whoever is a yes; without one, somebody made up who is.
fn bases(book: &Book<'_>, policy: &CheckedPolicy, cases: &[&ResolvedCase]) -> Vec<Row> {
    let mut rows: Vec<(bool, Row)> = Vec::new();
    for case in cases.iter().filter(|case| case.complete && case.case.registers.is_none()) {
        let row = Row { day: case.case.as_of, values: case.given.clone() };
        let is_yes = judged(book, policy, &row).is_some_and(|judgement| judgement.verdict == Verdict::Yes);
        rows.push((is_yes, row));
    }
    if !rows.iter().any(|(is_yes, _)| *is_yes) {
        let found = AGES.into_iter().find_map(|years| nearer(book, policy, somebody(book, policy, years)));
        rows.extend(found.map(|row| (true, row)));
    }
    rows.sort_by_key(|(is_yes, _)| !*is_yes);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The first row that touches a boundary; with `decisive`, in a condition on which the verdict turns.
fn first(book: &Book<'_>, policy: &CheckedPolicy, rows: &[Row], goal: &Goal, decisive: bool) -> Option<Row> {
    rows.chunk_by(|one, other| one.day == other.day).find_map(|rows| {
        Probe::with(book, policy.document.subject, rows[0].day, &rows[0].values, |probe| {
            let found = rows.iter().find(|row| {
                probe.values.clone_from(&row.values);
                let mut touch = Touch::new(policy, probe);
                touch.touches(goal) && (!decisive || touch.is_decisive(goal))
            });
            found.cloned()
        })
    })
}

/// The first change of a subject that touches the boundary.
fn reach(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, goal: &Goal, decisive: bool) -> Option<Row> {
    let mut rows = moves::towards(book, policy, base, goal);
    rows.truncate(PATIENCE);
    let first = first(book, policy, &rows, goal, decisive);
    // A boundary of another policy may need more than one change.
    first.or_else(|| match &goal.target {
        Target::Requires(_) | Target::Excludes(_) if goal.want == Want::Yes => {
            rows.iter().take(20).find_map(|row| self::first(book, policy, &moves::towards(book, policy, row, goal), goal, decisive))
        }
        _ => None,
    })
}

/// Somebody of whom every fact that the policy names is known: no, nothing, so many years ago, the covered region.
fn somebody(book: &Book<'_>, policy: &CheckedPolicy, years: u32) -> Row {
    let document = &policy.document;
    let day = document.in_force_to.map_or(document.in_force_from, |to| shifted(to, -1).min(document.in_force_from));
    let mut values = Values::new();
    let (roots, _) = sites::of(policy);
    for root in &roots {
        root.walk(&mut |expr, _, _| {
            if let Kind::Fact(index) = expr.kind {
                let id = FactId { kind: document.subject, index };
                values.entry(id).or_insert_with(|| Some(plain(book, policy, id, day, years)));
            }
        });
    }
    Row { day, values }
}

fn plain(book: &Book<'_>, policy: &CheckedPolicy, id: FactId, day: NaiveDate, years: u32) -> Value {
    let ty = &book.catalogue().fact(id).ty;
    match ty.ty {
        Ty::Bool => Value::Bool(false),
        Ty::Number => Value::Number(Number { digits: 0, scale: ty.scale }),
        Ty::Date => Value::Date(crate::check::bind::days(day.checked_sub_months(Months::new(12 * years)).unwrap_or(day))),
        Ty::Text if ty.region => Value::Text(policy.document.covers.region.as_str().into()),
        Ty::Text => {
            let first = ty.codes.as_ref().and_then(|codes| codes.keys().next());
            Value::Text(first.map_or("", String::as_str).into())
        }
    }
}

/// Changes a subject, each time so that more criteria are met, until it is a yes.
fn nearer(book: &Book<'_>, policy: &CheckedPolicy, start: Row) -> Option<Row> {
    let mut row = start;
    for _ in 0..STEPS {
        let (met, is_yes) = score(book, policy, &row);
        if is_yes {
            return Some(row);
        }
        row = moves::all(book, policy, &row).into_iter().find(|next| {
            let (more, is_yes) = score(book, policy, next);
            is_yes || more > met
        })?;
    }
    None
}

/// How many conditions are met, and whether all.
fn score(book: &Book<'_>, policy: &CheckedPolicy, row: &Row) -> (usize, bool) {
    Probe::with(book, policy.document.subject, row.day, &row.values, |probe| {
        let is_yes = probe.judgement(policy).is_some_and(|judgement| judgement.verdict == Verdict::Yes);
        let (roots, _) = sites::of(policy);
        let conditions = roots.iter().filter(|root| root.expr.ty == Ty::Bool);
        (conditions.filter(|root| probe.holds(root.expr) == Some(true)).count(), is_yes)
    })
}
