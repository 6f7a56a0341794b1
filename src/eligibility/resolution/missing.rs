//! The minimal sets of missing facts of a run, each distinct list kept once, and how they combine.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::finding::{Cause, MissingSets};
use super::index;

/// At most so many alternatives are told of one verdict, the smallest first.
const MAX_SETS: usize = 64;

/// Distinct missing sets by index.
pub(super) struct MissingTable {
    sets: Vec<MissingSets>,
    known: HashMap<MissingSets, u32>,
}

impl MissingTable {
    /// The sets that evaluation found, at the same indices.
    pub(super) fn new(sets: &[MissingSets]) -> Self {
        Self { sets: sets.to_vec(), known: sets.iter().enumerate().map(|(at, sets)| (sets.clone(), index(at))).collect() }
    }

    /// The sets at an index.
    pub(super) fn get(&self, missing: u32) -> &MissingSets {
        &self.sets[missing as usize]
    }

    /// All sets.
    pub(super) fn into_sets(self) -> Vec<MissingSets> {
        self.sets
    }

    fn intern(&mut self, sets: MissingSets) -> u32 {
        if let Some(&at) = self.known.get(&sets) {
            return at;
        }
        let at = index(self.sets.len());
        self.sets.push(sets.clone());
        self.known.insert(sets, at);
        at
    }

    /// One fact alone.
    pub(super) fn single(&mut self, fact: &str) -> u32 {
        self.intern(MissingSets { sets: vec![vec![(Arc::from(fact), Cause::Missing)]] })
    }

    /// The same facts as a person reaches them: through the household.
    pub(super) fn through_household(&mut self, missing: u32) -> u32 {
        let through = |(fact, cause): &(Arc<str>, Cause)| (Arc::from(format!("household.{fact}")), *cause);
        let sets = self.get(missing).sets.iter().map(|set| set.iter().map(through).collect()).collect();
        self.intern(MissingSets { sets })
    }

    /// What must be known for two verdicts to be yes both: a set of the one with a set of the other, minimal ones only.
    pub(super) fn both(&mut self, left: u32, right: u32) -> u32 {
        if left == right {
            return left;
        }
        let mut unions: Vec<Vec<(Arc<str>, Cause)>> = Vec::new();
        for left in &self.get(left).sets {
            for right in &self.get(right).sets {
                unions.push(union(left, right));
            }
        }
        unions.sort_by(|left, right| (left.len(), left).cmp(&(right.len(), right)));
        let mut minimal: Vec<Vec<(Arc<str>, Cause)>> = Vec::new();
        for set in unions {
            let is_covered = minimal.iter().any(|smaller| smaller.iter().all(|(fact, _)| set.iter().any(|(other, _)| other == fact)));
            if !is_covered && minimal.len() < MAX_SETS {
                minimal.push(set);
            }
        }
        self.intern(MissingSets { sets: minimal })
    }
}

/// Both sets in one, sorted by fact. A fact with two causes keeps the graver: conflict before stale before missing.
fn union(left: &[(Arc<str>, Cause)], right: &[(Arc<str>, Cause)]) -> Vec<(Arc<str>, Cause)> {
    let mut all: Vec<_> = left.iter().chain(right).cloned().collect();
    all.sort_by(|left, right| left.0.cmp(&right.0).then(right.1.cmp(&left.1)));
    all.dedup_by(|later, earlier| later.0 == earlier.0);
    all
}
