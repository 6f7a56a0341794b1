//! When a verdict changes by time alone: birthdays, spells that end, policies and standards that begin and end.
//!
//! Days are found, not tried: between two days on which a fact, the law, or a step (`steps.rs`) of the conditions
//! changes, nothing changes. Each day found is verified: the verdict is evaluated on the day before and on the day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use super::calendar::{Law, axis, before, day_of, moving, on_day};
use super::facts::Facts;
use super::judge::{Judge, Known, Verdict};
use crate::check::CheckedPolicy;
use crate::check::bind::days;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Expr;
use crate::diagnostic::Message;
use crate::program::interpreter::{Answer, evaluate};

/// What is known of one subject over time.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The facts from a day until that of the next entry, by day; the first entry holds before its day, too.
    pub facts: BTreeMap<NaiveDate, Facts>,
    /// Computed facts that are taken as they are.
    pub taken: BTreeSet<FactId>,
}

impl Story {
    /// The facts on a day.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> Option<&Facts> {
        self.facts.range(..=day).next_back().or_else(|| self.facts.first_key_value()).map(|(_, facts)| facts)
    }
}

/// A day on which a verdict changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// The first day of the new verdict.
    #[serde(serialize_with = "as_text")]
    pub on: NaiveDate,
    /// The verdict on the day before.
    pub from: Verdict,
    /// The verdict from then on.
    pub to: Verdict,
    /// The criteria whose verdicts change with it.
    pub criteria: Vec<CriterionTurn>,
    /// Whether it is because the policy, or its new version, begins or ends.
    pub by_policy: bool,
}

fn as_text<S: serde::Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

/// A criterion whose verdict changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CriterionTurn {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Message>,
    /// The clause in the words of the document.
    pub clause: Option<String>,
    /// The verdict before.
    pub from: Verdict,
    /// The verdict from then on.
    pub to: Verdict,
}

/// The days behind the first of the law's span on which the verdict of a policy changes, in order.
#[must_use]
pub fn turns(law: &Law<'_>, catalogue: &Catalogue, story: &Story, code: &str) -> Vec<Turn> {
    let (from, until) = law.span();
    let bounds: BTreeSet<NaiveDate> =
        law.days().iter().chain(story.facts.keys()).copied().filter(|day| *day > from && *day <= until).collect();
    let starts: Vec<NaiveDate> = std::iter::once(from).chain(bounds.iter().copied()).collect();
    let ends = bounds.iter().map(|day| before(*day)).chain([until]);
    let mut turns = Vec::new();
    let mut last: Option<Verdicts> = None;
    for (start, end) in starts.into_iter().zip(ends) {
        let piece = Piece { law, catalogue, story, code, start, end };
        for (day, verdicts) in piece.verdicts() {
            turns.extend(last.as_ref().and_then(|last| last.turn(&verdicts, day)));
            last = Some(verdicts);
        }
    }
    turns
}

/// The verdict of a policy and those of its criteria on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdicts {
    verdict: Verdict,
    /// Version of the policy; none: not in force.
    version: Option<i64>,
    criteria: Vec<(String, Option<Message>, Option<String>, Verdict)>,
}

impl Verdicts {
    fn turn(&self, next: &Self, day: NaiveDate) -> Option<Turn> {
        if self.verdict == next.verdict {
            return None;
        }
        let was = |id: &str| self.criteria.iter().find(|(other, ..)| other == id).map(|(.., verdict)| *verdict);
        let criteria = next.criteria.iter().filter_map(|(id, label, clause, to)| {
            let from = was(id).filter(|from| from != to)?;
            Some(CriterionTurn { id: id.clone(), label: label.clone(), clause: clause.clone(), from, to: *to })
        });
        let by_policy = self.version != next.version;
        Some(Turn { on: day, from: self.verdict, to: next.verdict, criteria: criteria.collect(), by_policy })
    }
}

/// Days over which neither facts nor law change.
struct Piece<'a> {
    law: &'a Law<'a>,
    catalogue: &'a Catalogue,
    story: &'a Story,
    code: &'a str,
    start: NaiveDate,
    end: NaiveDate,
}

/// The conditions of a policy with the day still moving.
struct Moving<'p> {
    policy: &'p CheckedPolicy,
    coverage: Expr,
    conditions: Expr,
    leaves: Vec<Expr>,
}

impl Piece<'_> {
    /// The verdicts on the first day, and on each day on which they may change.
    fn verdicts(&self) -> Vec<(NaiveDate, Verdicts)> {
        let Some(policy) = self.law.on(self.start).get(self.code) else {
            return vec![(self.start, Verdicts { verdict: Verdict::Outside, version: None, criteria: Vec::new() })];
        };
        let kind = policy.document.subject;
        let facts = self.story.on(self.start);
        let value = |id: FactId| facts.and_then(|facts| facts.value(id));
        let taken = |id: FactId| self.story.taken.contains(&id);
        let binder = self.law.binder(self.start);
        let known = Known { value: &value, taken: &taken, ..Known::NOTHING };
        let mut judge = Judge::new(self.catalogue, &binder, known);
        let conditions = judge.all_conditions(policy);
        let moving = Moving {
            policy,
            coverage: moving(&mut judge, &policy.coverage, kind),
            conditions: moving(&mut judge, &conditions, kind),
            leaves: policy.leaves.iter().map(|(_, leaf)| moving(&mut judge, leaf, kind)).collect(),
        };
        let row = |index: usize| value(FactId { kind, index });
        let (first, last) = (i64::from(days(self.start)), i64::from(days(self.end)));
        let axis = axis(&row);
        let steps = [&moving.coverage, &moving.conditions].map(|expr| axis.steps(expr, first, last));
        let complete = steps.iter().all(|steps| steps.complete);
        let mut ticks: BTreeSet<i64> = steps.into_iter().flat_map(|steps| steps.ticks).collect();
        ticks.insert(first);
        let verdict = |tick: i64| day_of(tick).map_or(Verdict::Unknown, |day| moving.verdict(&on_day(day, &row)));
        // On the day before each day that was found, the verdict must still be what it was: else none of this holds.
        let holds = |from: i64, to: i64| verdict(from) == verdict(to);
        let ends = ticks.iter().skip(1).map(|tick| tick - 1).chain([last]);
        if !complete || !ticks.iter().zip(ends).all(|(from, to)| holds(*from, to)) {
            ticks = (first..=last).collect();
        }
        let days = ticks.into_iter().filter_map(day_of);
        days.map(|day| (day, moving.verdicts(&on_day(day, &row)))).collect()
    }
}

impl Moving<'_> {
    fn verdict(&self, row: &dyn Fn(usize) -> Option<crate::check::ir::Value>) -> Verdict {
        match holds(&self.coverage, row) {
            Verdict::No => Verdict::Outside,
            _ => holds(&self.conditions, row),
        }
    }

    fn verdicts(&self, row: &dyn Fn(usize) -> Option<crate::check::ir::Value>) -> Verdicts {
        let document = &self.policy.document;
        let criteria = document.criteria.criteria();
        let told = criteria
            .into_iter()
            .zip(&self.leaves)
            .map(|(criterion, leaf)| (criterion.id.clone(), criterion.label.clone(), criterion.clause.clone(), holds(leaf, row)));
        Verdicts { verdict: self.verdict(row), version: Some(document.version), criteria: told.collect() }
    }
}

fn holds(expr: &Expr, row: &dyn Fn(usize) -> Option<crate::check::ir::Value>) -> Verdict {
    Verdict::of(match evaluate(expr, row).ok().flatten() {
        Some(Answer::Bool(verdict)) => Some(verdict),
        _ => None,
    })
}
