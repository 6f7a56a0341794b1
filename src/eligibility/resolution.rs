//! From findings to grants: `requires`, `excludes`, refusals, caps, what is already given, budgets, delivery.
//!
//! ```text
//!  yes, unknown ─ requires ─▶ verdicts ─ excludes ─▶ one of two ─ refusals, caps, given ─▶ owed ─ allocation ─▶ grants
//!               unknowns: missing sets of both                                           └▶ conflicts (paid otherwise)
//! ```
//!
//! `requires` is settled along its chain: who is not entitled to B for want of C is not entitled to A that requires B.
//! Every step works on rows sorted by policy, subject, occasion and member, so that nothing depends on the order of findings.

mod caps;
mod coverage;
mod data_requests;
mod delivery;
mod exclusion;
mod given;
mod missing;
mod offers;
mod order;
mod requirements;
mod rows;
mod spending;

use std::sync::Arc;

use rayon::prelude::*;

use super::finding::{Findings, PolicyIdx};
use super::grant::{PolicySummary, Resolution};
use super::input::{ResolutionInput, period_text};
use crate::register::declaration::SubjectKind;
use missing::MissingTable;
use rows::Rows;

/// Resolves one run.
///
/// # Panics
///
/// When the findings speak of policies or subjects that the input does not hold.
#[must_use]
pub fn resolve<'f>(findings: &'f Findings, input: &ResolutionInput<'_>) -> Resolution<'f> {
    let mut resolution = Resolution::new(findings, summaries(input));
    let mut missing = MissingTable::new(&findings.missing);
    let mut rows = Rows::new(findings, input);
    let paid = given::PaidIndex::new(findings, input.paid, &resolution.policies);
    let refusals = delivery::RefusalIndex::new(findings, input.refusals);

    requirements::settle(&mut rows, &mut missing);
    let moot = exclusion::settle(&mut rows);
    delivery::mark_refused(&mut rows, &refusals);
    caps::apply(&mut rows, &paid);
    given::leave_out(&mut rows, &paid, &resolution.policies, &mut resolution.conflicts);
    spending::allocate(&mut rows, &paid);

    for kind in SubjectKind::ALL {
        let ranks = order::ranks(findings.subjects_of(kind));
        delivery::grants(&rows, kind, &refusals, &ranks, &mut resolution);
        let open = offers::in_order(&rows, kind, &ranks);
        offers::collect(&rows, kind, &open, &missing, &refusals, &paid, &moot, &mut resolution);
        data_requests::collect(&rows, kind, &open, &missing, &mut resolution);
    }
    data_requests::sort(&mut resolution);
    coverage::collect(&rows, &mut resolution);
    resolution.missing = missing.into_sets();
    (resolution.open, resolution.turns) = (rows.open, rows.turns);
    resolution.conflicts.extend_from_slice(input.conflicts);
    resolution.conflicts.par_sort();
    resolution.conflicts.dedup();
    resolution
}

fn summaries(input: &ResolutionInput<'_>) -> Vec<PolicySummary> {
    let summary = |policy: &crate::check::CheckedPolicy| {
        let document = &policy.document;
        PolicySummary {
            code: Arc::from(document.code.as_str()),
            version: document.version,
            name: document.name.clone(),
            kind: document.subject,
            unit: Arc::from(document.benefit.unit.as_str()),
            payee: document.benefit.payee,
            period: Arc::from(period_text(document.benefit.period, input.as_of)),
            criteria: policy.leaves.iter().map(|(id, _)| Arc::clone(id)).collect(),
        }
    };
    input.policies.iter().map(summary).collect()
}

/// An index of a list that the run holds: subjects, policies and rows are counted in 32 bits.
fn index(place: usize) -> PolicyIdx {
    u32::try_from(place).expect("no list of a run has more than 2^32 entries")
}
