//! Texts by the sets that they are in: all tests of one text against sets become ranges of small numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

/// Ranges of classes, ascending, both ends included.
pub(super) type Ranges = Box<[(i64, i64)]>;

/// The classes of one text: texts that are in the same sets have the same class. Class 0 is in none.
///
/// Classes are numbered so that sets of which each holds the other or shares nothing with it (the regions of a tree) are
/// one range each.
#[derive(Debug, Default)]
pub(super) struct Classes {
    of: HashMap<Arc<str>, u32>,
}

impl Classes {
    /// Classes for these sets, and the ranges of each set.
    pub(super) fn new(sets: &[&[Arc<str>]]) -> (Self, Vec<Ranges>) {
        let mut order: Vec<usize> = (0..sets.len()).collect();
        order.sort_by_key(|&set| (std::cmp::Reverse(sets[set].len()), set));
        let mut signatures: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
        for (rank, &set) in order.iter().enumerate() {
            for text in sets[set] {
                let signature = signatures.entry(text).or_default();
                if signature.last() != Some(&rank) {
                    signature.push(rank);
                }
            }
        }
        let mut members: BTreeMap<Vec<usize>, Vec<&Arc<str>>> = BTreeMap::new();
        for (text, signature) in signatures {
            members.entry(signature).or_default().push(text);
        }
        let mut of = HashMap::new();
        let mut ranges: Vec<Vec<(i64, i64)>> = vec![Vec::new(); sets.len()];
        for ((signature, texts), class) in members.into_iter().zip(1_u32..) {
            of.extend(texts.into_iter().map(|text| (Arc::clone(text), class)));
            let class = i64::from(class);
            for rank in signature {
                match ranges[order[rank]].last_mut() {
                    Some((_, last)) if *last + 1 == class => *last = class,
                    _ => ranges[order[rank]].push((class, class)),
                }
            }
        }
        (Self { of }, ranges.into_iter().map(Vec::into_boxed_slice).collect())
    }

    /// The class of a text.
    pub(super) fn of(&self, text: &str) -> u32 {
        self.of.get(text).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|&text| text.into()).collect()
    }

    #[test]
    fn sets_of_a_tree_are_one_range_each() {
        let sets = [set(&["a1"]), set(&["a1", "a2", "b1"]), set(&["b1"]), set(&["a1", "a2"]), set(&[]), set(&["a1"])];
        let (classes, ranges) = Classes::new(&sets.each_ref().map(Vec::as_slice));
        for (set, ranges) in sets.iter().zip(&ranges) {
            assert!(ranges.len() <= 1, "{set:?}: {ranges:?}");
            for text in ["a1", "a2", "b1", "c"] {
                let class = i64::from(classes.of(text));
                let inside = ranges.iter().any(|&(low, high)| low <= class && class <= high);
                assert_eq!(inside, set.iter().any(|entry| &**entry == text), "{text} in {set:?}");
            }
        }
        assert_eq!(classes.of("c"), 0);
    }

    #[test]
    fn sets_that_cross_are_several_ranges() {
        let sets = [set(&["a", "b"]), set(&["b", "c"]), set(&["a", "c"])];
        let (classes, ranges) = Classes::new(&sets.each_ref().map(Vec::as_slice));
        for (set, ranges) in sets.iter().zip(&ranges) {
            for text in ["a", "b", "c", "d"] {
                let class = i64::from(classes.of(text));
                let inside = ranges.iter().any(|&(low, high)| low <= class && class <= high);
                assert_eq!(inside, set.iter().any(|entry| &**entry == text), "{text} in {set:?}");
            }
        }
    }
}
