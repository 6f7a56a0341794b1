//! How grants reach their subjects: payee, mode, silence, and what the subject refused.

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::finding::{Findings, SubjectIdx};
use super::super::grant::{Given, Grant, PolicySummary, Resolution, Status, payee};
use super::super::input::{RefusalKind, RefusalRow, Refusals};
use super::super::texts::Words;
use super::given::subjects_named;
use super::order::by_rank;
use super::rows::{Fate, Row, Rows};
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;

/// Refusals by subject.
pub(super) struct RefusalIndex<'a> {
    /// Persons, households, entities of the run.
    of_subject: [HashMap<SubjectIdx, Vec<&'a RefusalRow>>; 3],
}

impl<'a> RefusalIndex<'a> {
    /// Refusals of the subjects of the run.
    pub(super) fn new(findings: &Findings, refusals: &'a Refusals) -> Self {
        let of_kind = |kind: SubjectKind| {
            let mut names = Words::default();
            let rows = || refusals.rows.iter().filter(|row| row.kind == kind);
            rows().for_each(|row| {
                names.word(&row.subject_id);
            });
            let named = subjects_named(&names, findings.subjects_of(kind).ids());
            let mut of_subject: HashMap<SubjectIdx, Vec<&RefusalRow>> = HashMap::new();
            for row in rows() {
                if let Some(subject) = names.find(&row.subject_id).and_then(|word| named.get(&word)) {
                    of_subject.entry(*subject).or_default().push(row);
                }
            }
            of_subject
        };
        Self { of_subject: SubjectKind::ALL.map(of_kind) }
    }

    /// Whether a subject refuses something of a policy.
    pub(super) fn has(&self, kind: SubjectKind, subject: SubjectIdx, policy: &str, refusal: RefusalKind) -> bool {
        let Some(rows) = self.of_subject[kind as usize].get(&subject) else { return false };
        rows.iter().any(|row| row.refusal == refusal && row.policy.as_deref().is_none_or(|of| of.is_empty() || of == policy))
    }

    fn is_empty(&self, kind: SubjectKind) -> bool {
        self.of_subject[kind as usize].is_empty()
    }
}

/// Marks what the subject refused, before caps and budgets: it takes no money from others.
pub(super) fn mark_refused(rows: &mut Rows<'_>, refusals: &RefusalIndex<'_>) {
    for policy in rows.policies() {
        let kind = rows.kind_of(policy);
        if refusals.is_empty(kind) {
            continue;
        }
        for group in rows.groups(policy) {
            let subject = rows.all[group.start].subject;
            if refusals.has(kind, subject, &rows.policy(policy).document.code, RefusalKind::RefusedBenefit) {
                rows.turn(group, Fate::Refused);
            }
        }
    }
}

/// The grants of one kind and what is already given of it, in the order of results.
pub(super) fn grants(rows: &Rows<'_>, kind: SubjectKind, refusals: &RefusalIndex<'_>, ranks: &[u32], resolution: &mut Resolution<'_>) {
    let is_told = |row: &&Row| matches!(row.fate, Fate::Stands | Fate::Waitlisted | Fate::Refused | Fate::Given);
    // Rows lie by policy, occasion and member already: they are only put in the order of their subjects.
    let of_kind = rows.policies().filter(|&policy| rows.kind_of(policy) == kind);
    let all: Vec<&Row> = of_kind.flat_map(|policy| &rows.all[rows.of_policy[policy as usize].clone()]).filter(is_told).collect();
    let all = by_rank(&all, ranks.len(), |row| ranks[row.subject as usize]);
    let (given, open): (Vec<&Row>, Vec<&Row>) = all.into_iter().partition(|row| row.fate == Fate::Given);
    let policies = &resolution.policies;
    resolution.grants.par_extend(open.into_par_iter().map(|row| grant(rows, kind, refusals, policies, row)));
    resolution.given.extend(given.into_iter().map(|row| {
        let policy = rows.finding(row).policy;
        Given { finding: row.finding, policy, amount: row.amount }
    }));
}

fn grant(rows: &Rows<'_>, kind: SubjectKind, refusals: &RefusalIndex<'_>, policies: &[PolicySummary], row: &Row) -> Grant {
    let finding = rows.finding(row);
    let summary = &policies[finding.policy as usize];
    let refuses = |refusal| refusals.has(kind, row.subject, &summary.code, refusal);
    let has_payee = || payee(rows.findings, kind, summary.payee, finding).is_some();
    let needs_review = row.review || !has_payee() || refuses(RefusalKind::ObjectedAutomation);
    Grant {
        finding: row.finding,
        policy: finding.policy,
        amount: row.amount,
        mode: if needs_review { Mode::Review } else { rows.policy(finding.policy).document.delivery.mode },
        notify: !refuses(RefusalKind::PushOptOut),
        status: match row.fate {
            Fate::Waitlisted => Status::Waitlisted,
            Fate::Refused => Status::Refused,
            _ => Status::Granted,
        },
    }
}
