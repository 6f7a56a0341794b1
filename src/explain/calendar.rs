//! Conditions as the day moves: the day as one more value, and the days on which anything that they say can change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use super::judge::Judge;
use super::steps::{Axis, Row, mentions};
use crate::check::CheckedPolicy;
use crate::check::bind::{Binder, days};
use crate::check::ir::{Expr, Kind, Value};
use crate::policy;
use crate::policy::document::{Parameter, PolicyDocument};
use crate::program::interpreter::Answer;
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;

/// The place of the day among the facts.
pub(crate) const DAY: usize = usize::MAX;

/// What no rule tells is looked up day by day, on at most so many days.
pub(super) const DAY_BY_DAY: i64 = 3_700;

/// How far ahead a single condition is followed: longer than a life.
const AHEAD: i64 = 130 * 366;

/// An expression with the day as a fact.
pub(crate) fn with_day(expr: &Expr) -> Expr {
    match expr.kind {
        Kind::AsOf => Expr { kind: Kind::Fact(DAY), ..expr.clone() },
        _ => expr.map_children(&mut with_day),
    }
}

/// An open expression over the facts of `kind`, bound to the standards of the judge's day, with the day still moving.
pub(crate) fn moving(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind) -> Expr {
    let open = judge.open(expr, kind);
    judge.binder.bind(&with_day(&open))
}

/// The days as an axis, beside the facts of a row.
pub(super) fn axis(row: Row<'_>) -> Axis<'_> {
    Axis { fact: DAY, scale: None, row, scan: DAY_BY_DAY }
}

/// The first day behind that of the judge on which an open condition is as wanted by time alone, with facts and standards
/// as they are; none where that is never, or cannot be told.
pub(super) fn first_day(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, wanted: bool) -> Option<NaiveDate> {
    let moving = moving(judge, expr, kind);
    if !mentions(&moving, DAY) {
        return None;
    }
    let today = i64::from(days(judge.binder.as_of));
    let row = judge.row(kind);
    let axis = axis(&row);
    let mut steps = axis.steps(&moving, today, today + AHEAD);
    if !steps.complete {
        steps = axis.steps(&moving, today, today + DAY_BY_DAY);
    }
    let tick = steps.ticks.into_iter().find(|&tick| axis.at(&moving, tick) == Some(Answer::Bool(wanted)))?;
    day_of(tick)
}

/// The day of a tick.
pub(super) fn day_of(tick: i64) -> Option<NaiveDate> {
    super::value::date(i32::try_from(tick).ok()?)
}

/// The law over a span of days: which policies are in force, standards, regions.
#[derive(Debug)]
pub struct Law<'a> {
    parameters: &'a [Parameter],
    regions: &'a RegionTree,
    known_at: Option<NaiveDate>,
    /// The first day, and the policies in force from then until the next entry.
    spans: Vec<(NaiveDate, BTreeMap<String, CheckedPolicy>)>,
    /// Every day behind the first on which a policy, a standard or a region changes.
    days: BTreeSet<NaiveDate>,
    from: NaiveDate,
    until: NaiveDate,
}

impl<'a> Law<'a> {
    /// The law from one day until another, both included.
    #[must_use]
    pub fn new(
        documents: &[Arc<PolicyDocument>],
        checked: &[CheckedPolicy],
        parameters: &'a [Parameter],
        regions: &'a RegionTree,
        known_at: Option<NaiveDate>,
        (from, until): (NaiveDate, NaiveDate),
    ) -> Self {
        let inside = |day: &NaiveDate| *day > from && *day <= until;
        let of_policies = documents.iter().flat_map(|document| [Some(document.in_force_from), document.in_force_to]);
        let of_policies: BTreeSet<NaiveDate> = of_policies.flatten().filter(inside).collect();
        let values = parameters.iter().flat_map(|parameter| &parameter.values).flat_map(|value| [Some(value.from), value.to]);
        let regions_change = regions.regions().flat_map(|region| [Some(region.from), region.to]);
        let mut days: BTreeSet<NaiveDate> = values.chain(regions_change).flatten().filter(inside).collect();
        days.extend(&of_policies);
        let in_force = |day: NaiveDate| -> BTreeMap<String, CheckedPolicy> {
            let chosen = policy::select(documents, day, known_at);
            let chosen: BTreeMap<(&str, i64), bool> =
                chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
            let runs = |policy: &&CheckedPolicy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true);
            checked.iter().filter(runs).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
        };
        let spans = std::iter::once(from).chain(of_policies).map(|day| (day, in_force(day))).collect();
        Self { parameters, regions, known_at, spans, days, from, until }
    }

    /// The policies in force on a day, by code.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> &BTreeMap<String, CheckedPolicy> {
        let at = self.spans.partition_point(|(from, _)| *from <= day).saturating_sub(1);
        &self.spans[at].1
    }

    /// Every span with its first day and the policies in force over it, by code.
    pub fn spans(&self) -> impl Iterator<Item = (NaiveDate, &BTreeMap<String, CheckedPolicy>)> {
        self.spans.iter().map(|(from, policies)| (*from, policies))
    }

    /// What binds conditions to a day.
    #[must_use]
    pub fn binder(&self, day: NaiveDate) -> Binder<'_> {
        Binder::new(day, self.known_at, self.parameters, self.regions, self.on(day))
    }

    /// The first and the last day.
    #[must_use]
    pub fn span(&self) -> (NaiveDate, NaiveDate) {
        (self.from, self.until)
    }

    /// Every day behind the first on which a policy, a standard or a region changes.
    #[must_use]
    pub fn days(&self) -> &BTreeSet<NaiveDate> {
        &self.days
    }
}

/// The day before.
pub(super) fn before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

/// The value of the day beside other facts.
pub(super) fn on_day(day: NaiveDate, row: Row<'_>) -> impl Fn(usize) -> Option<Value> {
    move |fact| if fact == DAY { Some(Value::Date(days(day))) } else { row(fact) }
}
