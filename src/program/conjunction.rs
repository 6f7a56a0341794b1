//! Conditions that all have to be yes: evaluated up to the first that is no, and combined a few at a time.

use super::evaluate::Block;
use super::index::{Chain, Index};
use super::kernels::logic::Words;
use super::kernels::vector::Vectors;
use super::node::Edge;
use super::scratch::Uniform;

/// How many conditions are combined in one go.
pub(super) const FOLD: usize = 6;

/// Calls a loop for so many conditions as there are, from one to [`FOLD`].
macro_rules! for_each_count {
    ($conditions:expr, $some:ident => $call:expr, otherwise $otherwise:expr) => {
        match $conditions {
            &[a] => {
                let $some = [a];
                $call
            }
            &[a, b] => {
                let $some = [a, b];
                $call
            }
            &[a, b, c] => {
                let $some = [a, b, c];
                $call
            }
            &[a, b, c, d] => {
                let $some = [a, b, c, d];
                $call
            }
            &[a, b, c, d, e] => {
                let $some = [a, b, c, d, e];
                $call
            }
            &[a, b, c, d, e, f] => {
                let $some = [a, b, c, d, e, f];
                $call
            }
            _ => $otherwise,
        }
    };
}
pub(super) use for_each_count;

/// Combines up to [`FOLD`] conditions.
pub(super) fn and_into(vectors: Vectors, conditions: &[Words<'_>], yes: &mut [u64], no: &mut [u64]) {
    for_each_count!(conditions, some => vectors.and(some, yes, no), otherwise unreachable!("as many conditions as are combined in one go"));
}

/// Evaluates the conditions of a chain, up to the first that is no for all rows; gives how many are to be looked at.
pub(super) fn evaluate_conditions(block: &mut Block<'_>, index: &Index, chain: &Chain) -> usize {
    let conditions = index.conditions(chain);
    for (place, &condition) in conditions.iter().enumerate() {
        block.bool(condition);
        if block.uniform(condition) == Uniform::No {
            return place;
        }
    }
    conditions.len()
}

/// The rows in which all conditions are yes, and those in which none is no but one is unknown.
pub(super) fn conjunction(block: &Block<'_>, conditions: &[Edge], yes: &mut [u64], unknown: &mut [u64]) {
    let mut open = conditions.iter().filter(|&&edge| block.uniform(edge) != Uniform::Yes).peekable();
    yes.copy_from_slice(block.full());
    unknown.fill(0);
    let mut is_first = true;
    while let Some(&&edge) = open.peek() {
        let mut words = [block.edge(edge); FOLD];
        let mut count = 0;
        while count < FOLD
            && let Some(&edge) = open.next()
        {
            words[count] = block.edge(edge);
            count += 1;
        }
        if is_first {
            for_each_count!(&words[..count], some => block.vectors.verdict(some, block.full(), yes, unknown), otherwise {});
            is_first = false;
        } else {
            // what is still yes or unknown, and by the further conditions remains so
            for words in &words[..count] {
                for (index, (yes, unknown)) in yes.iter_mut().zip(unknown.iter_mut()).enumerate() {
                    *unknown = (*yes | *unknown) & !(*yes & words.yes[index]) & !words.no[index];
                    *yes &= words.yes[index];
                }
            }
        }
    }
}
