//! Unknown verdicts as results: which a commitment may settle, which are told once for a whole register.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::finding::{Cause, MissingSets, PolicyIdx};
use super::super::grant::{Offer, Resolution, Unknown};
use super::super::input::RefusalKind;
use super::Ranks;
use super::delivery::RefusalIndex;
use super::exclusion::Moot;
use super::given::PaidIndex;
use super::missing::MissingTable;
use super::rows::{Open, Rows};

/// Facts to commit to.
type Commitment = Vec<(Arc<str>, Cause)>;

/// Fills offers and unknowns.
pub(super) fn collect(
    rows: &Rows<'_>,
    missing: &mut MissingTable,
    refusals: &RefusalIndex<'_>,
    paid: &PaidIndex<'_>,
    moot: &Moot,
    ranks: &Ranks,
    resolution: &mut Resolution,
) {
    let mut open: Vec<(PolicyIdx, Open)> = rows.policies().flat_map(|policy| with(policy, &rows.open[policy as usize])).collect();
    let rank = |policy: PolicyIdx, open: &Open| {
        let kind = rows.kind_of(policy);
        (kind, ranks[kind as usize][open.subject as usize], policy)
    };
    open.par_sort_unstable_by_key(|(policy, open)| rank(*policy, open));
    let mut commitments: HashMap<(PolicyIdx, u32), Option<Commitment>> = HashMap::new();
    let mut told_once: HashMap<(PolicyIdx, u32), bool> = HashMap::new();
    for (policy, open) in open {
        let document = &rows.policy(policy).document;
        let kind = document.subject;
        let subject_id = rows.id(policy, open.subject);
        let region = rows.region(policy, open.subject);
        let key = (policy, open.missing);
        let facts = commitments.entry(key).or_insert_with(|| commitment(missing.get(open.missing), &document.commit));
        let refuses = |refusal| refusals.has(kind, subject_id, &document.code, refusal);
        let may_offer = || {
            let is_given = document.each.is_none() && document.occasion.is_none() && paid.for_occasion(policy, subject_id, None).is_some();
            !is_given && !moot.contains(&(policy, open.subject)) && !refuses(RefusalKind::RefusedBenefit)
        };
        let offered = facts.is_some() && may_offer();
        if let Some(facts) = facts.as_ref().filter(|_| offered) {
            let (subject_id, region) = (subject_id.clone(), region.clone());
            let notify = !refuses(RefusalKind::PushOptOut);
            resolution.offers.push(Offer { kind, subject_id, region, policy, facts: facts.clone(), notify });
        }
        let is_whole = |fact: &Arc<str>| rows.input.whole_register_unknown.contains(&(kind, fact.clone()));
        let only_whole = *told_once.entry(key).or_insert_with(|| {
            let sets = &missing.get(open.missing).sets;
            !sets.is_empty() && sets.iter().flatten().all(|(fact, _)| is_whole(fact))
        });
        if only_whole {
            resolution.unknowns_told_once += 1;
        } else {
            let subject_id = subject_id.clone();
            resolution.unknowns.push(Unknown { kind, subject_id, region: region.clone(), policy, missing: open.missing, offered });
        }
    }
}

fn with(policy: PolicyIdx, open: &[Open]) -> impl Iterator<Item = (PolicyIdx, Open)> {
    open.iter().map(move |open| (policy, *open))
}

/// The smallest minimal set that holds only facts that the policy lets a subject commit to.
fn commitment(missing: &MissingSets, commit: &[(String, crate::diagnostic::Span)]) -> Option<Commitment> {
    let may_commit = |fact: &str| commit.iter().any(|(name, _)| name == fact);
    let sets = missing.sets.iter().filter(|set| !set.is_empty() && set.iter().all(|(fact, _)| may_commit(fact)));
    sets.min_by_key(|set| (set.len(), *set)).cloned()
}
