//! The reckoning: of a subject and all that it rests on, the first day on which something may be another.

use std::cell::RefCell;
use std::collections::HashMap;

use chrono::{Days, NaiveDate};

use super::forecast::{Forecast, NEVER};
use super::ground::{Ground, Place, Row};
use super::plan::{EachPlan, FactPlan, PolicyPlan, RowPlan, Timers, beginnings};
use super::{Next, TOLD_TOGETHER};
use crate::check::bind::days;
use crate::check::catalogue::FactId;
use crate::check::ir::Value;
use crate::register::declaration::SubjectKind;

/// How many days ahead it is looked: what lies behind them is asked again by then. Looking further costs more for everybody, for
/// most comparisons come out otherwise some day, and hardly any within two years.
const AHEAD: i64 = 800;

/// Who is asked again is so in the last days of these, spread so that not all are on the same day.
const SPREAD: u64 = 400;

/// Days of the subjects of one ground.
pub struct Reckoning<'a> {
    timers: &'a Timers,
    ground: &'a Ground<'a>,
    today: i64,
    /// What was found of facts: of the subjects of a micro-batch, many rest on the same.
    found: RefCell<HashMap<String, HashMap<FactId, Found>>>,
}

/// When a fact may be another, as far as it was looked ahead.
#[derive(Clone, Copy)]
struct Found {
    /// [`NEVER`]: not up to the last day that was looked at.
    day: i64,
    until: i64,
}

/// The least of the days of many that is not behind a day, none of which is looked for behind the least one so far: of very many rows, the
/// first ones tell how far the others need be looked at. `of` gives the day of an item, or any that is behind the one named.
fn least<T>(items: impl IntoIterator<Item = T>, today: i64, until: i64, of: impl Fn(T, i64) -> i64) -> i64 {
    let (mut least, mut until) = (NEVER, until);
    for item in items {
        if until <= today {
            break;
        }
        let day = of(item, until);
        if day <= until {
            (least, until) = (day, day - 1);
        }
    }
    least
}

/// A subject that is asked about, with what was found of its facts.
struct Scope<'s> {
    kind: SubjectKind,
    id: &'s str,
    place: Option<Place>,
    /// By fact, the first day on which it may be another, once that was asked.
    changes: RefCell<Vec<Option<i64>>>,
}

/// So many days before the last one: by the identifier, and the same wherever it is reckoned.
fn spread(id: &str) -> i64 {
    let sum = id.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    i64::try_from(sum % SPREAD).unwrap_or(0)
}

impl<'a> Reckoning<'a> {
    /// Of some timers over some ground.
    #[must_use]
    pub fn new(timers: &'a Timers, ground: &'a Ground<'a>) -> Self {
        Self { timers, ground, today: i64::from(days(timers.as_of)), found: RefCell::default() }
    }

    /// When the verdicts, grants or amounts of a subject may be others, or at the latest when it is to be asked again.
    #[must_use]
    pub fn next(&self, kind: SubjectKind, id: &str) -> Option<Next> {
        let renumbered = self.ground.renumbered(id).unwrap_or(NEVER).min(self.listed(kind, id));
        let scope = self.scope(kind, id);
        let mut policies: Vec<(NaiveDate, String)> = Vec::new();
        for policy in self.timers.policies.iter().filter(|policy| policy.kind == kind) {
            let day = self.policy(policy, &scope).min(renumbered);
            policies.extend(self.date(day).map(|day| (day, policy.code.clone())));
        }
        policies.sort();
        let again = self.date(self.today + AHEAD - spread(id))?;
        let day = policies.first().map_or(again, |(day, _)| again.min(*day));
        let last = day.checked_add_days(Days::new(TOLD_TOGETHER.unsigned_abs())).unwrap_or(day);
        policies.retain(|(day, _)| *day <= last);
        Some(Next { day, policies })
    }

    fn date(&self, day: i64) -> Option<NaiveDate> {
        let ahead = u64::try_from(day.checked_sub(self.today)?).ok()?;
        if day == NEVER { None } else { self.timers.as_of.checked_add_days(Days::new(ahead)) }
    }

    /// When a subject may begin or cease to be one: a household is one while it has members.
    fn listed(&self, kind: SubjectKind, id: &str) -> i64 {
        match (kind, self.timers.members) {
            (SubjectKind::Household, Some(link)) => self.linked(link, id, self.ahead(), &|_, _| NEVER),
            _ => NEVER,
        }
    }

    /// The last day that is looked at.
    fn ahead(&self) -> i64 {
        self.today + AHEAD
    }

    fn scope<'s>(&self, kind: SubjectKind, id: &'s str) -> Scope<'s> {
        Scope { kind, id, place: self.ground.place(kind, id), changes: RefCell::default() }
    }

    fn policy(&self, policy: &PolicyPlan, scope: &Scope<'_>) -> i64 {
        let id = scope.id;
        let (conditions, is_no) = self.conditions(policy, scope);
        if is_no {
            return conditions;
        }
        let worth =
            self.of_subject(scope, |forecast| policy.worth.iter().map(|expr| forecast.next(expr, self.today)).min().unwrap_or(NEVER));
        let each = policy.each.as_ref().map_or(NEVER, |each| self.each(each, id));
        let given = super::ALWAYS_READ[..2].iter().map(|register| self.rows_begin(register, id)).min().unwrap_or(NEVER);
        let of_household = match self.timers.household {
            Some(link) if !policy.of_household.is_empty() => self.linked(link, id, self.ahead(), &|end, _| {
                let scope = self.scope(SubjectKind::Household, end);
                policy.of_household.iter().map(|other| self.conditions(&self.timers.policies[*other], &scope).0).min().unwrap_or(NEVER)
            }),
            _ => NEVER,
        };
        [conditions, worth, each, given, of_household].into_iter().min().unwrap_or(NEVER)
    }

    /// When the verdict of a policy may be another, and whether it is a no today.
    fn conditions(&self, policy: &PolicyPlan, scope: &Scope<'_>) -> (i64, bool) {
        self.of_subject(scope, |forecast| {
            let is_no = forecast.is_no(&policy.conditions, self.today);
            (forecast.next(&policy.conditions, self.today), is_no)
        })
    }

    fn of_subject<T>(&self, scope: &Scope<'_>, ask: impl FnOnce(&Forecast<'_>) -> T) -> T {
        let value = |index: usize| self.ground.value(scope.kind, scope.place, index);
        let changes = |index: usize| {
            if let Some(Some(known)) = scope.changes.borrow().get(index) {
                return *known;
            }
            let found = self.fact(FactId { kind: scope.kind, index }, scope.id, self.ahead());
            let mut known = scope.changes.borrow_mut();
            if known.len() <= index {
                known.resize(index + 1, None);
            }
            known[index] = Some(found);
            found
        };
        ask(&Forecast { value: &value, changes: &changes, until: self.ahead() })
    }

    /// When a fact of a subject may be another, where that is not behind a day.
    fn fact(&self, fact: FactId, id: &str, until: i64) -> i64 {
        let known = self.found.borrow().get(id).and_then(|of_subject| of_subject.get(&fact).copied());
        if let Some(Found { day, .. }) = known.filter(|found| found.day != NEVER || found.until >= until) {
            return day;
        }
        // What lies behind the last day that was looked at need not be the first.
        let day = Some(self.fact_anew(fact, id, until)).filter(|day| *day <= until).unwrap_or(NEVER);
        let mut all = self.found.borrow_mut();
        let found = Found { day, until };
        match all.get_mut(id) {
            Some(of_subject) => of_subject.insert(fact, found),
            None => all.entry(id.to_owned()).or_default().insert(fact, found),
        };
        day
    }

    fn fact_anew(&self, fact: FactId, id: &str, until: i64) -> i64 {
        // All facts that are asked about have columns, but those of registers that give nothing: unknown, whatever the day.
        if self.ground.lacks(fact.kind, fact.index) {
            return NEVER;
        }
        match self.timers.facts.get(&fact) {
            None | Some(FactPlan::Unknowable) => self.today + 1,
            Some(FactPlan::Rows { register, rows, agrees_with }) => {
                let of_row = |row, until| self.row(register, row, rows, None, until);
                let own = least(self.rows_of(register, id), self.today, until, of_row);
                let others = agrees_with.iter().map(|other| self.rows_begin(other, id)).min().unwrap_or(NEVER);
                own.min(others)
            }
            Some(FactPlan::LinkEnd { link }) => self.linked(*link, id, until, &|_, _| NEVER),
            Some(FactPlan::Linked { link, fact }) => self.linked(*link, id, until, &|end, until| self.fact(*fact, end, until)),
            Some(FactPlan::Many { link, rows }) => {
                let declared = &self.timers.catalogue.registers.links[*link];
                let of_row = |row: Row<'a>, end: Option<&str>, until| {
                    self.row(&declared.register, row, rows, end.map(|end| (declared.to, end)), until)
                };
                self.linked_rows(*link, id, until, &of_row)
            }
        }
    }

    fn rows_of(&self, register: &str, id: &str) -> Vec<Row<'a>> {
        let declared = self.timers.catalogue.registers.registers.get(register);
        declared.map_or_else(Vec::new, |declared| self.ground.tables().rows(register, &declared.key, id))
    }

    /// When a row of a register may begin to be seen.
    fn rows_begin(&self, register: &str, id: &str) -> i64 {
        let rows = self.rows_of(register, id).into_iter();
        rows.filter_map(|row| self.begins(register, row)).min().unwrap_or(NEVER)
    }

    /// The day on which a row begins to be seen, where it is still to come.
    fn begins(&self, register: &str, row: Row<'_>) -> Option<i64> {
        let declared = self.timers.catalogue.registers.registers.get(register)?;
        beginnings(declared).filter_map(|column| row.day(column)).filter(|day| *day > self.today).min()
    }

    /// When a row may be seen, count, or give something else; where facts of another subject stand beside it, they count too.
    fn row(&self, register: &str, row: Row<'_>, plan: &RowPlan, beside: Option<(SubjectKind, &str)>, until: i64) -> i64 {
        // A row that is recorded later than today may be seen all the same, where its register speaks for a later day.
        let begins = self.begins(register, row).unwrap_or(NEVER);
        let columns = self.timers.catalogue.rows.get(register).map_or(0, Vec::len);
        let place = beside.and_then(|(kind, id)| self.ground.place(kind, id));
        let value = |index: usize| -> Option<Value> {
            match (index.checked_sub(columns), beside) {
                (None, _) => row.value(index),
                (Some(index), Some((kind, _))) => self.ground.value(kind, place, index),
                (Some(_), None) => None,
            }
        };
        let changes = |index: usize| match (index.checked_sub(columns), beside) {
            (Some(index), Some((kind, id))) => self.fact(FactId { kind, index }, id, until),
            _ => NEVER,
        };
        let forecast = Forecast { value: &value, changes: &changes, until };
        let counts = plan.filter.as_ref().map_or(NEVER, |filter| forecast.next(filter, self.today)).min(begins);
        if plan.filter.as_ref().is_some_and(|filter| forecast.is_no(filter, self.today)) {
            return counts;
        }
        plan.values.iter().map(|value| forecast.next(value, self.today)).min().unwrap_or(NEVER).min(counts)
    }

    /// When a link of a subject may lead elsewhere, or what it leads to may be another.
    fn linked(&self, link: usize, id: &str, until: i64, end: &dyn Fn(&str, i64) -> i64) -> i64 {
        self.linked_rows(link, id, until, &|_, at, until| at.map_or(NEVER, |at| end(at, until)))
    }

    fn linked_rows(&self, link: usize, id: &str, until: i64, each: &dyn Fn(Row<'a>, Option<&str>, i64) -> i64) -> i64 {
        let declared = &self.timers.catalogue.registers.links[link];
        let rows = self.ground.tables().rows(&declared.register, &declared.from_column, id);
        let of_row = |row: Row<'a>, until: i64| {
            let begins = self.begins(&declared.register, row).unwrap_or(NEVER);
            let value = |index: usize| row.value(index);
            let forecast = Forecast { value: &value, changes: &|_| NEVER, until };
            let filter = self.timers.link_filters.get(link).and_then(Option::as_ref);
            let holds = filter.map_or(NEVER, |filter| forecast.next(filter, self.today)).min(begins);
            if filter.is_some_and(|filter| forecast.is_no(filter, self.today)) {
                return holds;
            }
            let end = self.ground.tables().id(row, &declared.to_column);
            let renumbered = end.and_then(|end| self.ground.renumbered(end)).unwrap_or(NEVER);
            each(row, end, until).min(holds).min(renumbered)
        };
        least(rows, self.today, until, of_row)
    }

    /// When an occasion may be there, or be worth something else.
    fn each(&self, plan: &EachPlan, id: &str) -> i64 {
        match plan.link {
            Some(link) => {
                let of_row = |row: Row<'a>, end: Option<&str>, until| {
                    self.row(&plan.register, row, &plan.rows, end.map(|end| (plan.kind, end)), until)
                };
                self.linked_rows(link, id, self.ahead(), &of_row)
            }
            None => {
                let of_row = |row, until| self.row(&plan.register, row, &plan.rows, Some((plan.kind, id)), until);
                least(self.rows_of(&plan.register, id), self.today, self.ahead(), of_row)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_looked_for_behind_the_least_day_so_far() {
        let asked = RefCell::new(Vec::new());
        let day_of = |day: i64, until: i64| {
            asked.borrow_mut().push(until);
            day
        };
        assert_eq!(least([950, 40, 60, 12, 11, 3], 10, 900, day_of), 11);
        // 11 is tomorrow: nothing can be sooner.
        assert_eq!(asked.take(), [900, 900, 39, 39, 11]);
        assert_eq!(least([950, NEVER], 10, 900, day_of), NEVER);
        assert_eq!(least([], 10, 900, day_of), NEVER);
    }
}
