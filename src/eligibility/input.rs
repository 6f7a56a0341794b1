//! What resolution needs beside the findings: policies, budgets, what is already paid, what subjects refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use super::grant::ConflictRow;
use super::texts::{Word, Words};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::policy::document::Period;
use crate::program::{interpreter, round_half_up};
use crate::register::declaration::SubjectKind;

/// What resolution needs beside the findings of a run.
#[derive(Debug, Clone, Copy)]
pub struct ResolutionInput<'a> {
    /// Sorted by code, in the order of [`PolicyIdx`](super::finding::PolicyIdx). It must hold every policy that another one
    /// requires or excludes: one that is not here counts as not in force, so that nobody is entitled to it.
    pub policies: &'a [CheckedPolicy],
    /// Per policy, the budget in hundredths; none where the policy has none, or where its value is unknown.
    pub budgets: &'a [Option<i64>],
    /// The day that the run is about.
    pub as_of: NaiveDate,
    /// What is already given.
    pub paid: &'a Paid,
    /// What subjects refused.
    pub refusals: &'a Refusals,
    /// Facts that registers disagree on.
    pub conflicts: &'a [ConflictRow],
    /// Facts that are unknown for every judged subject: told once, not per subject.
    pub whole_register_unknown: &'a BTreeSet<(SubjectKind, Arc<str>)>,
    /// The register that has the authority over a fact.
    pub fact_registers: &'a BTreeMap<(SubjectKind, Arc<str>), Arc<str>>,
}

/// The money of a policy, in hundredths; none without a budget or when its value is unknown.
#[must_use]
pub fn budget(policy: &CheckedPolicy, binder: &Binder<'_>) -> Option<i64> {
    let bound = binder.bind(policy.budget.as_ref()?);
    match interpreter::evaluate(&bound, &|_| None).ok().flatten() {
        Some(interpreter::Answer::Number(number)) => round_half_up(&number, 2),
        _ => None,
    }
}

/// What registers and the ledger show as paid, each grant once, identifiers as they are now.
#[derive(Debug, Clone, Default)]
pub struct Paid {
    /// In any order; rows of one grant add up.
    pub rows: Vec<PaidRow>,
    /// The subjects of each kind.
    pub subjects: [Words; 3],
    /// Codes of policies, periods, occasions.
    pub words: Words,
}

/// One payment, as registers tell it.
#[derive(Debug, Clone, Copy)]
pub struct Payment<'a> {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject_id: &'a str,
    /// Code of the policy.
    pub policy: &'a str,
    /// `2026-06-30`, `2026-06`, `2026`, or empty when the grant is given once.
    pub period: &'a str,
    /// What for.
    pub occasion: Option<&'a str>,
    /// In hundredths.
    pub amount: i64,
    /// The day of payment.
    pub paid_on: NaiveDate,
}

/// One payment, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidRow {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject, in [`Paid::subjects`].
    pub subject: Word,
    /// Code of the policy, in [`Paid::words`].
    pub policy: Word,
    /// The period, in [`Paid::words`].
    pub period: Word,
    /// What for, in [`Paid::words`]; none where registers say none or nothing.
    pub occasion: Option<Word>,
    /// In hundredths.
    pub amount: i64,
    /// The day of payment.
    pub paid_on: NaiveDate,
}

impl Paid {
    /// Enters a payment.
    pub fn push(&mut self, payment: &Payment<'_>) {
        let occasion = payment.occasion.filter(|occasion| !occasion.is_empty());
        self.rows.push(PaidRow {
            kind: payment.kind,
            subject: self.subjects[payment.kind as usize].word(payment.subject_id),
            policy: self.words.word(payment.policy),
            period: self.words.word(payment.period),
            occasion: occasion.map(|occasion| self.words.word(occasion)),
            amount: payment.amount,
            paid_on: payment.paid_on,
        });
    }

    /// Whether a payment is for the span of a kind that holds `as_of`: by its period, else by the day of payment.
    /// For a budget of one run (`once`) nothing was paid before.
    #[must_use]
    pub fn is_within(&self, row: &PaidRow, span: Period, as_of: NaiveDate) -> bool {
        let current = period_text(span, as_of);
        let period = self.words.get(row.period);
        match span {
            Period::Once => false,
            Period::Year | Period::Month | Period::Day if period.len() >= current.len() => period.starts_with(&current),
            Period::Year => row.paid_on.year() == as_of.year(),
            Period::Month | Period::Day => period_text(span, row.paid_on) == current,
        }
    }
}

/// The text of the period of a kind that holds a day.
#[must_use]
pub fn period_text(period: Period, day: NaiveDate) -> String {
    match period {
        Period::Once => String::new(),
        Period::Month => day.format("%Y-%m").to_string(),
        Period::Year => day.format("%Y").to_string(),
        Period::Day => day.format("%Y-%m-%d").to_string(),
    }
}

/// What subjects refused or objected to, up to the day of the run.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// In any order.
    pub rows: Vec<RefusalRow>,
}

/// The word of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject_id: Arc<str>,
    /// What it refuses.
    pub refusal: RefusalKind,
    /// Code of the policy that it is about; none: all policies.
    pub policy: Option<Arc<str>>,
}

/// What a subject refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// No notices; the grant stays.
    PushOptOut,
    /// The benefit itself.
    RefusedBenefit,
    /// A decision made by a program alone (PIPL art. 24): an official decides.
    ObjectedAutomation,
}
