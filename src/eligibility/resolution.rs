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
mod requirements;
mod rows;
mod spending;

use std::sync::Arc;

use rayon::prelude::*;

use super::finding::{PolicyIdx, SubjectIdx, Subjects};
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
pub fn resolve(input: &ResolutionInput<'_>) -> Resolution {
    let mut resolution = Resolution { policies: summaries(input), ..Resolution::default() };
    let mut missing = MissingTable::new(&input.findings.missing);
    let mut rows = Rows::new(input);
    let paid = given::PaidIndex::new(input, &resolution.policies);
    let refusals = delivery::RefusalIndex::new(input.refusals);

    requirements::settle(&mut rows, &mut missing);
    let moot = exclusion::settle(&mut rows);
    delivery::mark_refused(&mut rows, &refusals);
    caps::apply(&mut rows, &paid);
    given::leave_out(&mut rows, &paid, &resolution.policies, &mut resolution.conflicts);
    spending::allocate(&mut rows, &paid);

    let ranks = SubjectKind::ALL.map(|kind| ranks(input.findings.subjects_of(kind)));
    delivery::grants(&rows, &refusals, &ranks, &mut resolution);
    offers::collect(&rows, &mut missing, &refusals, &paid, &moot, &ranks, &mut resolution);
    coverage::collect(&rows, &mut resolution);
    data_requests::collect(&rows, &missing, &mut resolution);
    resolution.missing = missing.into_sets();
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
            period: Arc::from(period_text(document.benefit.period, input.as_of)),
            criteria: policy.leaves.iter().map(|(id, _)| Arc::clone(id)).collect(),
        }
    };
    input.policies.iter().map(summary).collect()
}

/// The place of each subject in the order of results, by region and identifier.
type Ranks = [Vec<u32>; 3];

fn ranks(subjects: &Subjects) -> Vec<u32> {
    let mut order: Vec<SubjectIdx> = (0..index(subjects.ids.len())).collect();
    order.par_sort_unstable_by(|&left, &right| {
        let key = |subject: SubjectIdx| (&subjects.regions[subject as usize], &subjects.ids[subject as usize], subject);
        key(left).cmp(&key(right))
    });
    let mut ranks = vec![0; order.len()];
    for (rank, subject) in order.into_iter().enumerate() {
        ranks[subject as usize] = index(rank);
    }
    ranks
}

/// An index of a list that the run holds: subjects, policies and rows are counted in 32 bits.
fn index(place: usize) -> PolicyIdx {
    u32::try_from(place).expect("no list of a run has more than 2^32 entries")
}
