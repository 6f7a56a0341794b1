//! What is paid already: looked up by policy and subject; a grant that was given is not given again.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::super::finding::PolicyIdx;
use super::super::grant::{ConflictRow, PolicySummary, amount_text};
use super::super::input::{PaidRow, ResolutionInput};
use super::rows::{Fate, Row, Rows};
use crate::policy::document::{Exhaustion, Period};

/// Payments of the policies of a run.
pub(super) struct PaidIndex<'a> {
    /// Per policy: the period of this run.
    periods: Vec<Arc<str>>,
    /// Per policy: payments, by subject.
    of_policy: Vec<HashMap<&'a str, Vec<&'a PaidRow>>>,
}

impl<'a> PaidIndex<'a> {
    /// Payments by policy and subject.
    pub(super) fn new(input: &ResolutionInput<'a>, policies: &[PolicySummary]) -> Self {
        let by_code: HashMap<&str, usize> = policies.iter().enumerate().map(|(at, policy)| (&*policy.code, at)).collect();
        let mut of_policy: Vec<HashMap<&str, Vec<&PaidRow>>> = vec![HashMap::new(); policies.len()];
        for row in &input.paid.rows {
            if let Some(&at) = by_code.get(&*row.policy)
                && policies[at].kind == row.kind
            {
                of_policy[at].entry(&*row.subject_id).or_default().push(row);
            }
        }
        Self { periods: policies.iter().map(|policy| Arc::clone(&policy.period)).collect(), of_policy }
    }

    /// All payments to a subject.
    pub(super) fn to_subject(&self, policy: PolicyIdx, subject: &str) -> &[&'a PaidRow] {
        self.of_policy[policy as usize].get(subject).map_or(&[], Vec::as_slice)
    }

    /// Whether a payment is for the period of this run.
    pub(super) fn is_of_period(&self, policy: PolicyIdx, row: &PaidRow) -> bool {
        row.period == self.periods[policy as usize]
    }

    /// What was paid for one occasion in the period of this run; none when nothing was.
    pub(super) fn for_occasion(&self, policy: PolicyIdx, subject: &str, occasion: Option<&str>) -> Option<i128> {
        let is_same = |row: &&&PaidRow| self.is_of_period(policy, row) && occasion_of(row) == occasion;
        let mut amounts = self.to_subject(policy, subject).iter().filter(is_same).map(|row| i128::from(row.amount)).peekable();
        amounts.peek()?;
        Some(amounts.sum())
    }

    /// What was paid to everybody within a span that holds the day.
    pub(super) fn within(&self, policy: PolicyIdx, span: Period, as_of: chrono::NaiveDate) -> i128 {
        let rows = self.of_policy[policy as usize].values().flatten();
        rows.filter(|row| row.is_within(span, as_of)).map(|row| i128::from(row.amount)).sum()
    }
}

/// The occasion of a payment; registers write none as empty text.
fn occasion_of(row: &PaidRow) -> Option<&str> {
    row.occasion.as_deref().filter(|occasion| !occasion.is_empty())
}

/// Leaves out what was given; where less or more was given than today's amount, says so.
pub(super) fn leave_out(rows: &mut Rows<'_>, paid: &PaidIndex<'_>, policies: &[PolicySummary], conflicts: &mut Vec<ConflictRow>) {
    for policy in rows.policies() {
        for unit in rows.units(policy) {
            let first = &rows.all[unit.start];
            let subject = rows.id(policy, first.subject);
            let occasion = rows.finding(first).occasion.as_ref();
            let Some(amount) = paid.for_occasion(policy, subject, occasion.map(|occasion| &**occasion)) else { continue };
            if let Some(today) = differing(rows, policy, &unit, amount) {
                let summary = &policies[policy as usize];
                conflicts.push(ConflictRow {
                    kind: summary.kind,
                    subject_id: Arc::clone(subject),
                    fact: Arc::from("amount"),
                    policy: Some(Arc::clone(&summary.code)),
                    period: Some(Arc::clone(&summary.period)),
                    occasion: occasion.cloned(),
                    source: Arc::from("match"),
                    value: Arc::from(text(today)),
                    other_source: Arc::from("grants_paid"),
                    other_value: Arc::from(text(amount)),
                });
            }
            rows.turn(unit, Fate::Given);
        }
    }
}

fn text(amount: i128) -> String {
    amount_text(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// Today's amount for an occasion, when it still stands, is known and is not what was paid. Less than today's is no conflict
/// where the budget is shared pro rata.
fn differing(rows: &Rows<'_>, policy: PolicyIdx, unit: &Range<usize>, paid: i128) -> Option<i128> {
    let standing = |row: &&Row| row.fate == Fate::Stands;
    let mut today = 0;
    for row in rows.all[unit.clone()].iter().filter(standing) {
        today += i128::from(row.amount?);
    }
    let is_shared = rows.policy(policy).document.budget.as_ref().is_some_and(|budget| budget.at_exhaustion == Exhaustion::ProRata);
    let stands = rows.all[unit.clone()].iter().any(|row| row.fate == Fate::Stands);
    (stands && today != paid && !(is_shared && paid < today)).then_some(today)
}
