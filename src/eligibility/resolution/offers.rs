//! Unknown verdicts as results: which a commitment may settle, which are told once for a whole register.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::finding::{Cause, MissingSets, PolicyIdx};
use super::super::grant::{Offer, Open, Resolution, Unknown};
use super::super::input::RefusalKind;
use super::delivery::RefusalIndex;
use super::exclusion::Moot;
use super::given::PaidIndex;
use super::index;
use super::missing::MissingTable;
use super::order::by_rank;
use super::rows::Rows;
use crate::register::declaration::SubjectKind;

/// Facts to commit to.
type Commitment = Vec<(Arc<str>, Cause)>;

/// An unknown verdict with its policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenOf {
    pub policy: PolicyIdx,
    pub open: Open,
}

/// What results say of the unknowns of one policy that lack the same.
#[derive(Clone, Copy)]
struct Told {
    /// The place of the commitment that settles them, where one may.
    commitment: Option<u32>,
    /// Whether only facts unknown for a whole register hold them up.
    once: bool,
}

/// The unknown verdicts of one kind in the order of results.
pub(super) fn in_order(rows: &Rows<'_>, kind: SubjectKind, ranks: &[u32]) -> Vec<OpenOf> {
    let policies = rows.policies().filter(|&policy| rows.kind_of(policy) == kind);
    let all: Vec<OpenOf> =
        policies.flat_map(|policy| rows.open[policy as usize].iter().map(move |open| OpenOf { policy, open: *open })).collect();
    by_rank(&all, ranks.len(), |of| ranks[of.open.subject as usize])
}

/// Adds the offers and unknowns of one kind.
#[expect(clippy::too_many_arguments, reason = "all that decides whether an unknown is offered")]
pub(super) fn collect(
    rows: &Rows<'_>,
    kind: SubjectKind,
    all: &[OpenOf],
    missing: &MissingTable,
    refusals: &RefusalIndex<'_>,
    paid: &PaidIndex<'_>,
    moot: &Moot,
    resolution: &mut Resolution<'_>,
) {
    let mut known: HashMap<(PolicyIdx, u32), Told> = HashMap::new();
    resolution.unknowns.reserve(all.len());
    for OpenOf { policy, open } in all {
        let (policy, document) = (*policy, &rows.policy(*policy).document);
        let told = *known.entry((policy, open.missing)).or_insert_with(|| {
            let sets = missing.get(open.missing);
            let commitment = commitment(sets, &document.commit).map(|facts| {
                resolution.commitments.push(facts);
                index(resolution.commitments.len() - 1)
            });
            Told { commitment, once: is_told_once(rows, kind, sets) }
        });
        let refuses = |refusal| refusals.has(kind, open.subject, &document.code, refusal);
        let may_offer = || {
            let is_given =
                document.each.is_none() && document.occasion.is_none() && paid.for_occasion(policy, open.subject, None).is_some();
            !is_given && !moot.contains(&(policy, open.subject)) && !refuses(RefusalKind::RefusedBenefit)
        };
        let offered = told.commitment.filter(|_| may_offer());
        if let Some(facts) = offered {
            let notify = !refuses(RefusalKind::PushOptOut);
            resolution.offers.push(Offer { policy, subject: open.subject, facts, notify });
        }
        if told.once {
            resolution.unknowns_told_once += 1;
        } else {
            let offered = offered.is_some();
            resolution.unknowns.push(Unknown { policy, subject: open.subject, missing: open.missing, offered });
        }
    }
}

fn is_told_once(rows: &Rows<'_>, kind: SubjectKind, missing: &MissingSets) -> bool {
    let is_whole = |fact: &Arc<str>| rows.input.whole_register_unknown.contains(&(kind, fact.clone()));
    !missing.sets.is_empty() && missing.sets.iter().flatten().all(|(fact, _)| is_whole(fact))
}

/// The smallest minimal set that holds only facts that the policy lets a subject commit to.
fn commitment(missing: &MissingSets, commit: &[(String, crate::diagnostic::Span)]) -> Option<Commitment> {
    let may_commit = |fact: &str| commit.iter().any(|(name, _)| name == fact);
    let sets = missing.sets.iter().filter(|set| !set.is_empty() && set.iter().all(|(fact, _)| may_commit(fact)));
    sets.min_by_key(|set| (set.len(), *set)).cloned()
}
