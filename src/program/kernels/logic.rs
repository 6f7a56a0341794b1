//! Kleene logic on pairs of words, yes and no; the fast path of every policy.

use super::BoolBuffer;

/// The words of an edge: a node's, exchanged where the edge is negated.
#[derive(Clone, Copy)]
pub(in super::super) struct Words<'a> {
    pub(in super::super) yes: &'a [u64],
    pub(in super::super) no: &'a [u64],
}

/// Adds one more condition to a conjunction.
pub(in super::super) fn and(out: &mut BoolBuffer, other: Words<'_>) {
    for (out, word) in out.yes.iter_mut().zip(other.yes) {
        *out &= word;
    }
    for (out, word) in out.no.iter_mut().zip(other.no) {
        *out |= word;
    }
}

/// Where the condition is yes the first, where it is no the second.
pub(in super::super) fn select(out: &mut BoolBuffer, condition: Words<'_>, then: Words<'_>, otherwise: Words<'_>) {
    for index in 0..out.yes.len() {
        let (yes, no) = (condition.yes[index], condition.no[index]);
        out.yes[index] = yes & then.yes[index] | no & otherwise.yes[index];
        out.no[index] = yes & then.no[index] | no & otherwise.no[index];
    }
}

/// Yes where both are yes or both are no.
pub(in super::super) fn same(out: &mut BoolBuffer, left: Words<'_>, right: Words<'_>) {
    for index in 0..out.yes.len() {
        out.yes[index] = left.yes[index] & right.yes[index] | left.no[index] & right.no[index];
        out.no[index] = left.yes[index] & right.no[index] | left.no[index] & right.yes[index];
    }
}

/// Sets the rows in which at least `needed` of the bitmaps are set. `reached[k]` holds, word by word, the rows in which
/// more than `k` of the bitmaps seen so far are.
pub(in super::super) fn at_least<'a>(
    needed: usize,
    bitmaps: &(impl Iterator<Item = &'a [u64]> + Clone),
    reached: &mut Vec<u64>,
    out: &mut [u64],
) {
    for (index, out) in out.iter_mut().enumerate() {
        reached.clear();
        reached.resize(needed, 0);
        for bitmap in bitmaps.clone() {
            let word = bitmap[index];
            for level in (1..needed).rev() {
                reached[level] |= reached[level - 1] & word;
            }
            reached[0] |= word;
        }
        *out = reached[needed - 1];
    }
}
