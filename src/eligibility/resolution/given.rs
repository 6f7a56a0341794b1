//! What is paid already: looked up by policy and subject; a grant that was given is not given again.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::finding::{Findings, PolicyIdx, SubjectIdx};
use super::super::grant::{ConflictRow, PolicySummary, amount_text};
use super::super::input::{Paid, PaidRow};
use super::super::texts::{Texts, Word, Words};
use super::index;
use super::rows::{Fate, Row, Rows};
use crate::policy::document::{Exhaustion, Period};
use crate::register::declaration::SubjectKind;

/// Payments of the policies of a run.
pub(super) struct PaidIndex<'a> {
    paid: &'a Paid,
    /// Per policy: the period of this run, where anything was paid for it.
    periods: Vec<Option<Word>>,
    /// Per policy: its code, where anything was paid of it.
    codes: Vec<Option<Word>>,
    /// Per policy: payments to subjects of the run, by subject, as places in the list.
    of_policy: Vec<Vec<(SubjectIdx, u32)>>,
}

/// The subjects of a run that have one of some identifiers, by the number of the identifier.
pub(super) fn subjects_named(names: &Words, ids: &Texts) -> HashMap<Word, SubjectIdx> {
    if names.is_empty() {
        return HashMap::new();
    }
    let found = |at: usize| names.find(ids.get(at)).map(|word| (word, index(at)));
    let found: Vec<(Word, SubjectIdx)> = (0..ids.len()).into_par_iter().filter_map(found).collect();
    found.into_iter().collect()
}

impl<'a> PaidIndex<'a> {
    /// Payments by policy and subject.
    pub(super) fn new(findings: &Findings, paid: &'a Paid, policies: &[PolicySummary]) -> Self {
        let codes: Vec<Option<Word>> = policies.iter().map(|policy| paid.words.find(&policy.code)).collect();
        let by_code: HashMap<Word, usize> = codes.iter().enumerate().filter_map(|(at, code)| Some(((*code)?, at))).collect();
        let named = SubjectKind::ALL.map(|kind| subjects_named(&paid.subjects[kind as usize], findings.subjects_of(kind).ids()));
        let mut of_policy: Vec<Vec<(SubjectIdx, u32)>> = vec![Vec::new(); policies.len()];
        for (at, row) in paid.rows.iter().enumerate() {
            if let Some(&policy) = by_code.get(&row.policy)
                && policies[policy].kind == row.kind
                && let Some(&subject) = named[row.kind as usize].get(&row.subject)
            {
                of_policy[policy].push((subject, index(at)));
            }
        }
        of_policy.par_iter_mut().for_each(|rows| rows.sort_unstable());
        let periods = policies.iter().map(|policy| paid.words.find(&policy.period)).collect();
        Self { paid, periods, codes, of_policy }
    }

    /// Whether nothing of a policy was paid to anybody of the run.
    pub(super) fn is_empty(&self, policy: PolicyIdx) -> bool {
        self.of_policy[policy as usize].is_empty()
    }

    /// All payments to a subject.
    pub(super) fn to_subject(&self, policy: PolicyIdx, subject: SubjectIdx) -> impl Iterator<Item = &'a PaidRow> {
        let rows = &self.of_policy[policy as usize];
        let start = rows.partition_point(|(of, _)| *of < subject);
        let paid = self.paid;
        rows[start..].iter().take_while(move |(of, _)| *of == subject).map(|(_, at)| &paid.rows[*at as usize])
    }

    /// Whether a payment is for the period of this run.
    pub(super) fn is_of_period(&self, policy: PolicyIdx, row: &PaidRow) -> bool {
        Some(row.period) == self.periods[policy as usize]
    }

    /// What was paid for one occasion in the period of this run; none when nothing was.
    pub(super) fn for_occasion(&self, policy: PolicyIdx, subject: SubjectIdx, occasion: Option<&str>) -> Option<i128> {
        let is_same =
            |row: &&PaidRow| self.is_of_period(policy, row) && row.occasion.map(|occasion| self.paid.words.get(occasion)) == occasion;
        let mut amounts = self.to_subject(policy, subject).filter(is_same).map(|row| i128::from(row.amount)).peekable();
        amounts.peek()?;
        Some(amounts.sum())
    }

    /// What was paid to everybody within a span that holds the day.
    pub(super) fn within(&self, kind: SubjectKind, policy: PolicyIdx, span: Period, as_of: chrono::NaiveDate) -> i128 {
        let Some(code) = self.codes[policy as usize] else { return 0 };
        let rows = self.paid.rows.iter().filter(|row| row.policy == code && row.kind == kind);
        rows.filter(|row| self.paid.is_within(row, span, as_of)).map(|row| i128::from(row.amount)).sum()
    }
}

/// Leaves out what was given; where less or more was given than today's amount, says so.
pub(super) fn leave_out(rows: &mut Rows<'_>, paid: &PaidIndex<'_>, policies: &[PolicySummary], conflicts: &mut Vec<ConflictRow>) {
    for policy in rows.policies().filter(|&policy| !paid.is_empty(policy)) {
        for unit in rows.units(policy) {
            let first = &rows.all[unit.start];
            let (subject, occasion) = (rows.id(policy, first.subject), rows.occasion(first));
            let Some(amount) = paid.for_occasion(policy, first.subject, occasion) else { continue };
            if let Some(today) = differing(rows, policy, &unit, amount) {
                let summary = &policies[policy as usize];
                conflicts.push(ConflictRow {
                    kind: summary.kind,
                    subject_id: Arc::from(subject),
                    fact: Arc::from("amount"),
                    policy: Some(Arc::clone(&summary.code)),
                    period: Some(Arc::clone(&summary.period)),
                    occasion: occasion.map(Arc::from),
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
        today += i128::from(row.amount.get()?);
    }
    let is_shared = rows.policy(policy).document.budget.as_ref().is_some_and(|budget| budget.at_exhaustion == Exhaustion::ProRata);
    let stands = rows.all[unit.clone()].iter().any(|row| row.fate == Fate::Stands);
    (stands && today != paid && !(is_shared && paid < today)).then_some(today)
}
