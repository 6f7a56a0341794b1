//! How grants reach their subjects: payee, mode, silence, and what the subject refused.

use std::collections::HashMap;

use rayon::prelude::*;

use super::super::finding::{Finding, Payees, PolicyIdx};
use super::super::grant::{Given, Grant, GrantId, PolicySummary, Resolution, Status};
use super::super::input::{RefusalKind, RefusalRow, Refusals};
use super::Ranks;
use super::rows::{Fate, Row, Rows};
use crate::policy::document::{Mode, Payee};
use crate::register::declaration::SubjectKind;

/// Refusals by subject.
pub(super) struct RefusalIndex<'a>(HashMap<(SubjectKind, &'a str), Vec<&'a RefusalRow>>);

impl<'a> RefusalIndex<'a> {
    /// Refusals by subject.
    pub(super) fn new(refusals: &'a Refusals) -> Self {
        let mut of_subject: HashMap<(SubjectKind, &str), Vec<&RefusalRow>> = HashMap::new();
        for row in &refusals.rows {
            of_subject.entry((row.kind, &*row.subject_id)).or_default().push(row);
        }
        Self(of_subject)
    }

    /// Whether a subject refuses something of a policy.
    pub(super) fn has(&self, kind: SubjectKind, subject: &str, policy: &str, refusal: RefusalKind) -> bool {
        let Some(rows) = self.0.get(&(kind, subject)) else { return false };
        rows.iter().any(|row| row.refusal == refusal && row.policy.as_deref().is_none_or(|of| of.is_empty() || of == policy))
    }
}

/// Marks what the subject refused, before caps and budgets: it takes no money from others.
pub(super) fn mark_refused(rows: &mut Rows<'_>, refusals: &RefusalIndex<'_>) {
    if refusals.0.is_empty() {
        return;
    }
    for policy in rows.policies() {
        for group in rows.groups(policy) {
            let subject = rows.id(policy, rows.all[group.start].subject);
            if refusals.has(rows.kind_of(policy), subject, &rows.policy(policy).document.code, RefusalKind::RefusedBenefit) {
                rows.turn(group, Fate::Refused);
            }
        }
    }
}

/// The grants and what is already given, in the order of results.
pub(super) fn grants(rows: &Rows<'_>, refusals: &RefusalIndex<'_>, ranks: &Ranks, resolution: &mut Resolution) {
    let in_results = |row: &&Row| matches!(row.fate, Fate::Stands | Fate::Waitlisted | Fate::Refused | Fate::Given);
    let mut order: Vec<&Row> = rows.all.iter().filter(in_results).collect();
    order.par_sort_unstable_by(|left, right| {
        let key = |row: &Row| {
            let finding = rows.finding(row);
            let rank = ranks[finding.kind as usize][row.subject as usize];
            (finding.kind, rank, finding.policy, &finding.occasion, &finding.member, row.finding)
        };
        key(left).cmp(&key(right))
    });
    let policies = &resolution.policies;
    let (given, open): (Vec<&Row>, Vec<&Row>) = order.into_iter().partition(|row| row.fate == Fate::Given);
    let grants = open.into_par_iter().map(|row| grant(rows, refusals, policies, row)).collect();
    resolution.given = given.into_par_iter().map(|row| already_given(rows, row)).collect();
    resolution.grants = grants;
}

fn grant(rows: &Rows<'_>, refusals: &RefusalIndex<'_>, policies: &[PolicySummary], row: &Row) -> Grant {
    let finding = rows.finding(row);
    let summary = &policies[finding.policy as usize];
    let subject_id = rows.id(finding.policy, row.subject);
    let payee_id = payee(rows, finding.policy, finding);
    let refuses = |refusal| refusals.has(finding.kind, subject_id, &summary.code, refusal);
    let needs_review = row.review || payee_id.is_none() || refuses(RefusalKind::ObjectedAutomation);
    let (occasion, member) = (finding.occasion.as_deref(), finding.member.as_deref());
    Grant {
        grant_id: GrantId::of(finding.kind, subject_id, &summary.code, &summary.period, occasion, member),
        kind: finding.kind,
        subject_id: subject_id.clone(),
        payee_id,
        policy: finding.policy,
        amount: row.amount,
        full_amount: finding.amount,
        occasion: finding.occasion.clone(),
        member: finding.member.clone(),
        mode: if needs_review { Mode::Review } else { rows.policy(finding.policy).document.delivery.mode },
        notify: !refuses(RefusalKind::PushOptOut),
        status: match row.fate {
            Fate::Waitlisted => Status::Waitlisted,
            Fate::Refused => Status::Refused,
            _ => Status::Granted,
        },
        household: rows.household(finding.policy, row.subject).cloned(),
        region: rows.region(finding.policy, row.subject).clone(),
        reasons: finding.reasons,
    }
}

/// Who receives a grant: the member that it is for, the subject, or whom the policy names.
fn payee(rows: &Rows<'_>, policy: PolicyIdx, finding: &Finding) -> Option<std::sync::Arc<str>> {
    let payees = |choose: fn(&Payees) -> &Option<std::sync::Arc<str>>| {
        rows.input.findings.subjects_of(finding.kind).payees.get(finding.subject as usize).and_then(|payees| choose(payees).clone())
    };
    match rows.policy(policy).document.benefit.payee {
        Payee::Itself => Some(finding.member.as_ref().unwrap_or_else(|| rows.id(policy, finding.subject)).clone()),
        Payee::Guardian => payees(|payees| &payees.guardian),
        Payee::Head => payees(|payees| &payees.head),
        Payee::LegalRepresentative => payees(|payees| &payees.legal_representative),
    }
}

fn already_given(rows: &Rows<'_>, row: &Row) -> Given {
    let finding = rows.finding(row);
    Given {
        kind: finding.kind,
        subject_id: rows.id(finding.policy, row.subject).clone(),
        region: rows.region(finding.policy, row.subject).clone(),
        policy: finding.policy,
        occasion: finding.occasion.clone(),
        member: finding.member.clone(),
        amount: row.amount,
        reasons: finding.reasons,
    }
}
