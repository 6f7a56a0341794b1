//! Counting without lists: per root, how many rows are yes and how many unknown, straight from the words of a block.

use arrow::record_batch::RecordBatch;

use super::conjunction::{FOLD, and_into, evaluate_conditions, for_each_count};
use super::evaluate::Block;
use super::groups::{Grouping, Masks};
use super::index::{Chain, Index, Mark};
use super::kernels::logic::Words;
use super::node::Edge;
use super::scratch::Uniform;
use super::{EvalError, Program, Scratch, bitmap};

/// How many rows are yes for a root, and how many unknown; the rest are no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// For how many rows the root is yes.
    pub yes: u64,
    /// For how many rows it is unknown.
    pub unknown: u64,
}

impl Program {
    /// Adds what the rows of a batch count for: `counts` has one entry per root.
    ///
    /// # Errors
    ///
    /// As [`Program::evaluate`]; then some rows of the batch are counted and some are not.
    ///
    /// # Panics
    ///
    /// If `counts` has another length than there are roots.
    pub fn count(&self, batch: &RecordBatch, scratch: &mut Scratch, counts: &mut [Count]) -> Result<(), EvalError> {
        assert_eq!(counts.len(), self.roots.len(), "one count per root");
        self.plan.run(&self.graph, &self.schema, batch, scratch, |block| {
            self.count_block(block, Grouping::One(0), &Masks::default(), &[], counts);
        })
    }

    /// Adds what the rows of a batch count for, by group: `groups` has the group of each row, and `counts` one entry per
    /// root for group 0, then one per root for group 1, and so on. A row whose group lies outside `counts` is not counted.
    ///
    /// # Errors
    ///
    /// As [`Program::count`].
    ///
    /// # Panics
    ///
    /// If `groups` has another length than the batch has rows, or `counts` is not as long as some groups' counts are.
    pub fn count_groups(&self, batch: &RecordBatch, groups: &[u32], scratch: &mut Scratch, counts: &mut [Count]) -> Result<(), EvalError> {
        assert_eq!(groups.len(), batch.num_rows(), "one group per row");
        let roots = self.roots.len().max(1);
        assert_eq!(counts.len() % roots, 0, "one count per root and group");
        self.plan.run(&self.graph, &self.schema, batch, scratch, |block| {
            let rows = &groups[block.start..block.start + block.rows];
            let mut masks = std::mem::take(&mut block.buffers.masks);
            let grouping = masks.begin(rows, counts.len() / roots);
            if grouping != Grouping::None {
                self.count_block(block, grouping, &masks, rows, counts);
            }
            block.buffers.masks = masks;
        })
    }

    fn count_block(&self, block: &mut Block<'_>, grouping: Grouping, masks: &Masks, rows: &[u32], counts: &mut [Count]) {
        let mut alive = std::mem::take(&mut block.buffers.alive);
        self.index.find_alive(block, &mut alive);
        let mut counter = Counter { index: &self.index, roots: self.roots.len(), grouping, masks, rows, counts };
        for chain in bitmap::rows(&alive) {
            counter.chain(block, &self.index.chains()[chain]);
        }
        block.buffers.alive = alive;
    }
}

/// Where the counts of a block go.
struct Counter<'a> {
    index: &'a Index,
    roots: usize,
    grouping: Grouping,
    masks: &'a Masks,
    /// Per row of the block, its group.
    rows: &'a [u32],
    counts: &'a mut [Count],
}

impl Counter<'_> {
    fn chain(&mut self, block: &mut Block<'_>, chain: &Chain) {
        let index = self.index;
        let reached = evaluate_conditions(block, index, chain);
        let marks = index.marks(chain);
        let live = marks.partition_point(|mark| mark.after <= reached);
        let Some(last) = live.checked_sub(1).map(|last| &marks[last]) else { return };
        let conditions = &index.conditions(chain)[..last.after];
        let Grouping::One(group) = self.grouping else { return self.fold(block, chain, &marks[..live]) };
        let mut words = [Words { yes: &[], no: &[] }; FOLD];
        // how many conditions are not simply yes, up to each place
        let (mut open, mut ends) = (0, [0_usize; FOLD + 1]);
        for (place, &edge) in conditions.iter().enumerate() {
            if block.uniform(edge) != Uniform::Yes {
                if open == FOLD {
                    return self.fold(block, chain, &marks[..live]);
                }
                words[open] = block.edge(edge);
                open += 1;
            }
            if place < FOLD {
                ends[place + 1] = open;
            }
        }
        self.count_words(block, group, &marks[..live], &words[..open], conditions, &ends);
    }

    /// Few conditions and one group: the words are gone through once.
    fn count_words(
        &mut self,
        block: &Block<'_>,
        group: usize,
        marks: &[Mark],
        words: &[Words<'_>],
        conditions: &[Edge],
        ends: &[usize; FOLD + 1],
    ) {
        let (len, rows) = (block.words(), block.rows as u64);
        if let [mark] = marks {
            let [yes, no] =
                if words.is_empty() { [rows, 0] } else { for_each_count!(words, some => block.vectors.count(some, len), otherwise [0, 0]) };
            return self.add(group, mark, yes, rows - yes - no);
        }
        let mut counts = [[rows, 0]; FOLD + 1];
        if !words.is_empty() {
            for_each_count!(words, some => {
                for (count, after) in counts[1..].iter_mut().zip(block.vectors.count_each(some, len)) {
                    *count = after;
                }
            }, otherwise {});
        }
        for mark in marks {
            let open = ends
                .get(mark.after)
                .copied()
                .unwrap_or_else(|| conditions[..mark.after].iter().filter(|&&edge| block.uniform(edge) != Uniform::Yes).count());
            let [yes, no] = counts[open];
            self.add(group, mark, yes, rows - yes - no);
        }
    }

    /// Any number of conditions, any groups: the conjunctions' words are written down one after the other.
    fn fold(&mut self, block: &mut Block<'_>, chain: &Chain, marks: &[Mark]) {
        let conditions = self.index.conditions(chain);
        let mut folded = std::mem::take(&mut block.buffers.folded);
        let words = block.words();
        for buffer in &mut folded {
            buffer.resize(words);
        }
        folded[0].yes.copy_from_slice(block.full());
        folded[0].no.fill(0);
        let mut done = 0;
        for mark in marks {
            for some in conditions[done..mark.after].chunks(FOLD - 1) {
                let [before, after] = &mut folded;
                let mut conditions = [Words { yes: &before.yes, no: &before.no }; FOLD];
                for (place, &edge) in some.iter().enumerate() {
                    conditions[place + 1] = block.edge(edge);
                }
                and_into(block.vectors, &conditions[..=some.len()], &mut after.yes, &mut after.no);
                folded.swap(0, 1);
            }
            done = mark.after;
            self.count_folded(block, mark, &folded[0].yes, &folded[0].no);
        }
        block.buffers.folded = folded;
    }

    fn count_folded(&mut self, block: &Block<'_>, mark: &Mark, yes: &[u64], no: &[u64]) {
        match self.grouping {
            Grouping::None => {}
            Grouping::One(group) => {
                let [yes, no] = block.vectors.count_within(yes, no, block.full());
                self.add(group, mark, yes, block.rows as u64 - yes - no);
            }
            Grouping::Few => {
                for mask in self.masks.masks() {
                    let [yes, no] = block.vectors.count_within(&yes[mask.first..], &no[mask.first..], &mask.words);
                    self.add(mask.group, mark, yes, mask.rows - yes - no);
                }
            }
            Grouping::Many => {
                for (word, ((yes, no), full)) in yes.iter().zip(no).zip(block.full()).enumerate() {
                    self.add_each(mark, word, *yes, 1, 0);
                    self.add_each(mark, word, full & !(yes | no), 0, 1);
                }
            }
        }
    }

    fn add_each(&mut self, mark: &Mark, word: usize, bits: u64, yes: u64, unknown: u64) {
        for row in bitmap::rows(&[bits]) {
            let group = self.rows[word * 64 + row] as usize;
            if group < self.counts.len() / self.roots {
                self.add(group, mark, yes, unknown);
            }
        }
    }

    fn add(&mut self, group: usize, mark: &Mark, yes: u64, unknown: u64) {
        for &root in self.index.roots(mark) {
            let count = &mut self.counts[group * self.roots + root as usize];
            count.yes += yes;
            count.unknown += unknown;
        }
    }
}
