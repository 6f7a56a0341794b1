//! What the tree says of one day, worked out once for all codes: what lies in each region, and what each code lies in.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;

use super::{COUNTRY, RegionTree};

/// The tree on one day, for many questions about that day. It answers as [`RegionTree`] does.
#[derive(Debug)]
pub struct RegionsOn {
    day: NaiveDate,
    /// Codes that surely lie in a region, by the code that the region has on the day; sorted.
    inside: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Codes that were split between inside and outside, likewise.
    split: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Codes that mean nothing on the day; sorted.
    nowhere: Vec<Arc<str>>,
    /// All codes, sorted.
    all: Vec<Arc<str>>,
    /// Every code that means one region on the day, with that region and those above it, nearest first; sorted.
    chains: Vec<(Arc<str>, Vec<Arc<str>>)>,
}

impl RegionsOn {
    /// Works out where every code lies on a day.
    #[must_use]
    pub fn new(tree: &RegionTree, day: NaiveDate) -> Self {
        let all: Vec<Arc<str>> = tree.all_codes().map(Arc::from).collect();
        let mut regions = Self { day, inside: HashMap::new(), split: HashMap::new(), nowhere: Vec::new(), all, chains: Vec::new() };
        let mut shared: HashMap<&str, Arc<str>> = tree.all_codes().zip(regions.all.iter().cloned()).collect();
        for code in tree.all_codes() {
            regions.place(tree, code, &mut shared);
        }
        regions
    }

    fn place<'t>(&mut self, tree: &'t RegionTree, code: &'t str, shared: &mut HashMap<&'t str, Arc<str>>) {
        let day = self.day;
        let mut shared = |code: &'t str| Arc::clone(shared.entry(code).or_insert_with(|| code.into()));
        let Some(meant) = tree.successors(code, day) else {
            self.nowhere.push(shared(code));
            return;
        };
        let chains: Vec<Vec<&str>> = meant.iter().map(|meant| std::iter::once(*meant).chain(tree.above(meant, day)).collect()).collect();
        let holders: BTreeSet<&str> = chains.iter().flatten().copied().collect();
        for holder in holders {
            let all = chains.iter().all(|chain| chain.contains(&holder));
            let holding = if all { &mut self.inside } else { &mut self.split };
            holding.entry(shared(holder)).or_default().push(shared(code));
        }
        if let [chain] = chains.as_slice() {
            self.chains.push((shared(code), chain.iter().map(|code| shared(code)).collect()));
        }
    }

    /// See [`RegionTree::members`].
    #[must_use]
    pub fn members(&self, tree: &RegionTree, ancestor: &str) -> Vec<Arc<str>> {
        if ancestor == COUNTRY {
            return self.all.clone();
        }
        let mut members = self.inside.get(tree.renamed(ancestor, self.day)).cloned().unwrap_or_default();
        if tree.is_known(ancestor)
            && let Err(at) = members.binary_search_by(|code| (**code).cmp(ancestor))
        {
            members.insert(at, ancestor.into());
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
