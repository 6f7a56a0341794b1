//! What the tree says of one day, worked out once for all codes: what lies in each region, and what each code lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::{COUNTRY, RegionTree};

/// The tree on one day, for many questions about that day. It answers as [`RegionTree`] does, and is asked beside the
/// tree that it was made of.
#[derive(Debug)]
pub struct RegionsOn {
    day: NaiveDate,
    /// Every code.
    codes: BTreeSet<Arc<str>>,
    /// Codes that surely lie in a region, by the code that the region has on the day; sorted.
    inside: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// Codes that were split between inside and outside, likewise.
    split: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// Codes that mean nothing on the day; sorted.
    nowhere: Vec<Arc<str>>,
    /// Every code that means one region on the day, with that region and those above it, nearest first; sorted.
    chains: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

impl RegionsOn {
    /// Works out where every code lies on a day.
    #[must_use]
    pub fn new(tree: &RegionTree, day: NaiveDate) -> Self {
        let codes = tree.all_codes().map(Arc::from).collect();
        let mut regions = Self { day, codes, inside: BTreeMap::new(), split: BTreeMap::new(), nowhere: Vec::new(), chains: Vec::new() };
        for code in tree.all_codes() {
            regions.place(tree, code);
        }
        regions
    }

    fn place(&mut self, tree: &RegionTree, code: &str) {
        let day = self.day;
        let shared = |code: &str| self.codes.get(code).map_or_else(|| code.into(), Arc::clone);
        let code: Arc<str> = shared(code);
        let Some(meant) = tree.successors(&code, day) else { return self.nowhere.push(code) };
        let chain = |meant: &str| std::iter::once(meant).chain(tree.above(meant, day)).map(shared).collect();
        let mut chains: Vec<Vec<Arc<str>>> = meant.into_iter().map(chain).collect();
        let holders: BTreeSet<Arc<str>> = chains.iter().flatten().cloned().collect();
        for holder in holders {
            let all = chains.iter().all(|chain| chain.contains(&holder));
            let holding = if all { &mut self.inside } else { &mut self.split };
            holding.entry(holder).or_default().push(Arc::clone(&code));
        }
        if chains.len() == 1 {
            self.chains.extend(chains.pop().map(|chain| (code, chain)));
        }
    }

    /// See [`RegionTree::members`].
    #[must_use]
    pub fn members(&self, tree: &RegionTree, ancestor: &str) -> Vec<Arc<str>> {
        if ancestor == COUNTRY {
            return self.codes.iter().cloned().collect();
        }
        let mut members = self.inside.get(tree.renamed(ancestor, self.day)).cloned().unwrap_or_default();
        if let Some(itself) = self.codes.get(ancestor)
            && let Err(at) = members.binary_search(itself)
        {
            members.insert(at, Arc::clone(itself));
        }
        members
    }

    /// See [`RegionTree::undecided`].
    #[must_use]
    pub fn undecided(&self, tree: &RegionTree, ancestor: &str) -> Vec<Arc<str>> {
        if ancestor == COUNTRY {
            return Vec::new();
        }
        let split = self.split.get(tree.renamed(ancestor, self.day)).into_iter().flatten();
        let mut undecided: Vec<Arc<str>> = split.chain(&self.nowhere).filter(|code| ***code != *ancestor).cloned().collect();
        undecided.sort_unstable();
        undecided
    }

    /// Every code that means one region on the day, with that region and those above it, nearest first; sorted by code.
    #[must_use]
    pub fn chains(&self) -> &[(Arc<str>, Vec<Arc<str>>)] {
        &self.chains
    }
}
