//! The figures of a run, as pages and answers tell them: rows of its result tables, small counts hidden with what would give them away.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, UInt64Type};

use crate::serve::guard::Caller;
use crate::serve::settings::Role;
use crate::simulate::small_cells::{Cells, Sum};

/// Counts below are hidden from whoever may not look at single subjects anyway.
pub(super) const LEAST: u64 = 5;

/// Below which counts are hidden from a caller: from none who may look at every single subject.
pub(super) fn least(caller: &Caller) -> u64 {
    let everywhere = caller.grant.regions.iter().any(|region| region == "*");
    if everywhere && caller.is_any(&[Role::Auditor, Role::Administrator]) { 0 } else { LEAST }
}

/// One row of `coverage`: a policy in a county.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) policy: String,
    pub(super) county: String,
    pub(super) yes: u64,
    pub(super) unknown: u64,
    pub(super) given: u64,
    pub(super) granted: u64,
    pub(super) waitlisted: u64,
    pub(super) offers: u64,
    /// In hundredths.
    pub(super) amount: i64,
}

/// One row of `funnel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) policy: String,
    /// Counts from 1.
    pub(super) number: u64,
    pub(super) criterion: String,
    pub(super) yes: u64,
    pub(super) possible: u64,
}

/// One row of `data_requests`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: String,
    pub(super) fact: String,
    pub(super) register: Option<String>,
    pub(super) cause: String,
    pub(super) whole_register: bool,
    pub(super) settles: u64,
    pub(super) takes_part: u64,
    /// In hundredths.
    pub(super) amount: i64,
}

/// Rows in quarantine of one register for one reason, counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetAside {
    pub(super) register: String,
    pub(super) column: String,
    pub(super) reason: String,
    pub(super) rows: u64,
}

/// The columns of one batch.
struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn array(&self, name: &str, data_type: &DataType) -> Option<ArrayRef> {
        cast(self.0.column_by_name(name)?, data_type).ok()
    }

    fn texts(&self, name: &str) -> Vec<Option<String>> {
        let array: Option<StringArray> = self.array(name, &DataType::Utf8).map(|array| array.as_string::<i32>().clone());
        let value = |row: usize| array.as_ref().filter(|array| array.is_valid(row)).map(|array| array.value(row).to_owned());
        (0..self.0.num_rows()).map(value).collect()
    }

    fn counts(&self, name: &str) -> Vec<u64> {
        let array = self.array(name, &DataType::UInt64);
        let value = |row: usize| array.as_ref().map_or(0, |array| array.as_primitive::<UInt64Type>().value(row));
        (0..self.0.num_rows()).map(value).collect()
    }

    fn hundredths(&self, name: &str) -> Vec<i64> {
        let array = self.array(name, &DataType::Decimal128(38, 2));
        let value =
            |row: usize| array.as_ref().map_or(0, |array| i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).unwrap_or(0));
        (0..self.0.num_rows()).map(value).collect()
    }

    fn flags(&self, name: &str) -> Vec<bool> {
        let array: Option<BooleanArray> = self.array(name, &DataType::Boolean).map(|array| array.as_boolean().clone());
        (0..self.0.num_rows()).map(|row| array.as_ref().is_some_and(|array| array.is_valid(row) && array.value(row))).collect()
    }
}

fn text(values: &[Option<String>], row: usize) -> String {
    values[row].clone().unwrap_or_default()
}

/// The rows of `coverage`.
pub(super) fn coverage(batches: &[RecordBatch]) -> Vec<Coverage> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = Columns(batch);
        let (policies, counties, amounts) = (columns.texts("policy"), columns.texts("county"), columns.hundredths("amount"));
        let names = ["yes", "unknown", "given", "granted", "waitlisted", "offers"];
        let [yes, unknown, given, granted, waitlisted, offers] = names.map(|name| columns.counts(name));
        rows.extend((0..batch.num_rows()).map(|row| Coverage {
            policy: text(&policies, row),
            county: text(&counties, row),
            yes: yes[row],
            unknown: unknown[row],
            given: given[row],
            granted: granted[row],
            waitlisted: waitlisted[row],
            offers: offers[row],
            amount: amounts[row],
        }));
    }
    rows
}

/// The steps of a policy's criteria over some counties, in order.
pub(super) fn funnel(batches: &[RecordBatch], policy: &str, sees: &dyn Fn(&str) -> bool) -> Vec<Step> {
    let mut steps: BTreeMap<u64, Step> = BTreeMap::new();
    for batch in batches {
        let columns = Columns(batch);
        let (policies, counties, criteria) = (columns.texts("policy"), columns.texts("county"), columns.texts("criterion"));
        let [step, yes, possible] = ["step", "yes", "possible"].map(|name| columns.counts(name));
        let wanted = |row: &usize| policies[*row].as_deref() == Some(policy) && sees(counties[*row].as_deref().unwrap_or(""));
        for row in (0..batch.num_rows()).filter(wanted) {
            let criterion = text(&criteria, row);
            let all =
                steps.entry(step[row]).or_insert(Step { policy: policy.to_owned(), number: step[row], criterion, yes: 0, possible: 0 });
            all.yes += yes[row];
            all.possible += possible[row];
        }
    }
    steps.into_values().collect()
}

/// The rows of `data_requests`, those that would settle most first.
pub(super) fn data_requests(batches: &[RecordBatch]) -> Vec<Asked> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = Columns(batch);
        let [kinds, facts, registers, causes] = ["subject_kind", "fact", "register", "cause"].map(|name| columns.texts(name));
        let (whole, amounts) = (columns.flags("whole_register"), columns.hundredths("estimated_amount"));
        let [settles, takes_part] = ["settles", "takes_part"].map(|name| columns.counts(name));
        rows.extend((0..batch.num_rows()).map(|row| Asked {
            kind: text(&kinds, row),
            fact: text(&facts, row),
            register: registers[row].clone(),
            cause: text(&causes, row),
            whole_register: whole[row],
            settles: settles[row],
            takes_part: takes_part[row],
            amount: amounts[row],
        }));
    }
    rows
}

/// The rows of `quarantine`, counted: what stood in them is not told.
pub(super) fn quarantine(batches: &[RecordBatch]) -> Vec<SetAside> {
    let mut counted: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for batch in batches {
        let columns = Columns(batch);
        let [registers, names, reasons] = ["register", "column", "reason"].map(|name| columns.texts(name));
        for row in 0..batch.num_rows() {
            *counted.entry((text(&registers, row), text(&names, row), text(&reasons, row))).or_default() += 1;
        }
    }
    let mut all: Vec<SetAside> =
        counted.into_iter().map(|((register, column, reason), rows)| SetAside { register, column, reason, rows }).collect();
    all.sort_by(|one, other| (std::cmp::Reverse(one.rows), one).cmp(&(std::cmp::Reverse(other.rows), other)));
    all
}

/// What coverage comes to for one value of something: a policy or a county.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Summed {
    /// The policy or county.
    pub(super) of: String,
    pub(super) yes: Option<u64>,
    pub(super) unknown: Option<u64>,
    pub(super) granted: Option<u64>,
    pub(super) given: Option<u64>,
    pub(super) waitlisted: Option<u64>,
    pub(super) offers: Option<u64>,
    /// In hundredths.
    pub(super) amount: Option<i64>,
}

/// Coverage summed by something, sorted by it, and the sum of all last. Lines that count less than `least` people are hidden,
/// and so many beside them that they cannot be worked out from the sum.
pub(super) fn summed(rows: &[Coverage], by: impl Fn(&Coverage) -> &str, least: u64) -> (Vec<Summed>, Summed) {
    let mut sums: BTreeMap<&str, Coverage> = BTreeMap::new();
    let mut all = Coverage::default();
    for row in rows {
        add(sums.entry(by(row)).or_default(), row);
        add(&mut all, row);
    }
    let counts = |row: &Coverage| vec![row.yes, row.unknown, row.granted, row.given, row.waitlisted, row.offers];
    let (hidden, is_all_hidden) = hidden(sums.values().map(counts), least);
    let told = |of: &str, row: &Coverage, hidden: bool| {
        let shown = |count: u64| (!hidden).then_some(count);
        Summed {
            of: of.to_owned(),
            yes: shown(row.yes),
            unknown: shown(row.unknown),
            granted: shown(row.granted),
            given: shown(row.given),
            waitlisted: shown(row.waitlisted),
            offers: shown(row.offers),
            amount: (!hidden).then_some(row.amount),
        }
    };
    let lines = sums.iter().zip(&hidden).map(|((of, row), hidden)| told(of, row, *hidden)).collect();
    (lines, told("", &all, is_all_hidden))
}

/// Which of some lines are hidden, and whether the sum of all is: those that count less than `least` people, and so many
/// beside them that they cannot be worked out from the sum.
pub(super) fn hidden(lines: impl Iterator<Item = Vec<u64>>, least: u64) -> (Vec<bool>, bool) {
    let mut cells = Cells::default();
    let mut all: Vec<u64> = Vec::new();
    let mut parts = Vec::new();
    for counts in lines {
        all.resize(counts.len(), 0);
        all.iter_mut().zip(&counts).for_each(|(all, count)| *all += count);
        parts.push(cells.push(counts, false, false));
    }
    let total = cells.push(all, false, false);
    cells.sums.push(Sum { total, parts, counts_add_up: true });
    cells.hide(least);
    let is_all_hidden = cells.hidden.pop().unwrap_or(false);
    (cells.hidden, is_all_hidden)
}

fn add(all: &mut Coverage, row: &Coverage) {
    all.yes += row.yes;
    all.unknown += row.unknown;
    all.given += row.given;
    all.granted += row.granted;
    all.waitlisted += row.waitlisted;
    all.offers += row.offers;
    all.amount = all.amount.saturating_add(row.amount);
}

/// Steps of a funnel with the counts of few people hidden: also where a step loses or leaves open but few.
pub(super) fn steps_shown(steps: &[Step], least: u64) -> Vec<(String, Option<u64>, Option<u64>)> {
    let is_few = |count: u64| (1..least).contains(&count);
    let mut before: Option<(u64, u64)> = None;
    let mut shown = Vec::new();
    for step in steps {
        let falls = before.map_or((0, 0), |(yes, possible)| (yes.abs_diff(step.yes), possible.abs_diff(step.possible)));
        before = Some((step.yes, step.possible));
        let few = [step.yes, step.possible, falls.0, falls.1, step.possible.abs_diff(step.yes)].into_iter().any(is_few);
        shown.push((step.criterion.clone(), (!few).then_some(step.yes), (!few).then_some(step.possible)));
    }
    shown
}

/// The policies that a handler's departments have, and the counties of his regions; everything where nothing narrows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// None: all.
    pub(super) policies: Option<BTreeSet<String>>,
    /// None: all.
    pub(super) counties: Option<BTreeSet<String>>,
}

impl Scope {
    /// The rows within it.
    pub(super) fn rows(&self, rows: Vec<Coverage>) -> Vec<Coverage> {
        rows.into_iter().filter(|row| self.has_policy(&row.policy) && self.has_county(&row.county)).collect()
    }

    /// Whether a policy is within it.
    pub(super) fn has_policy(&self, policy: &str) -> bool {
        self.policies.as_ref().is_none_or(|policies| policies.contains(policy))
    }

    /// Whether a county is within it.
    pub(super) fn has_county(&self, county: &str) -> bool {
        self.counties.as_ref().is_none_or(|counties| counties.contains(county))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(policy: &str, county: &str, granted: u64) -> Coverage {
        Coverage { policy: policy.to_owned(), county: county.to_owned(), yes: granted, granted, amount: 100, ..Coverage::default() }
    }

    #[test]
    fn few_are_hidden_and_cannot_be_worked_out() {
        let rows = [row("a", "1", 3), row("a", "2", 40), row("a", "3", 500)];
        let (lines, all) = summed(&rows, |row| &row.county, LEAST);
        let granted: Vec<Option<u64>> = lines.iter().map(|line| line.granted).collect();
        assert_eq!(granted, [None, None, Some(500)]);
        assert_eq!((all.granted, all.amount), (Some(543), Some(300)));
        let (lines, _) = summed(&rows, |row| &row.county, 0);
        assert!(lines.iter().all(|line| line.granted.is_some()));
    }

    #[test]
    fn a_step_that_loses_few_is_hidden() {
        let step = |yes, possible| Step { policy: String::new(), number: 1, criterion: "c".to_owned(), yes, possible };
        let shown = steps_shown(&[step(100, 200), step(98, 150), step(0, 0)], LEAST);
        assert_eq!(shown.iter().map(|step| step.1).collect::<Vec<_>>(), [Some(100), None, Some(0)]);
    }

    #[test]
    fn a_scope_narrows() {
        let scope = Scope { policies: None, counties: Some(BTreeSet::from(["1".to_owned()])) };
        assert_eq!(scope.rows(vec![row("a", "1", 1), row("a", "2", 1)]).len(), 1);
        assert_eq!(Scope::default().rows(vec![row("a", "1", 1), row("a", "2", 1)]).len(), 2);
    }
}
