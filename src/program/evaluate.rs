//! Evaluation of one block of rows, from what is asked for down to what it needs; each node at most once.

use std::cmp::Ordering;

use super::columns::{BatchColumn, Values};
use super::conjunction::{FOLD, and_into};
use super::kernels::logic::Words;
use super::kernels::vector::Vectors;
use super::kernels::{self, BoolBuffer};
use super::node::{BoolNode, Edge, Graph, LaneId, LaneNode, Side, Test, TextNode};
use super::plan::Plan;
use super::scratch::{Buffers, Known, Slot, Uniform};

/// A block of a batch, at most a few thousand rows, so that its lanes stay in the cache.
pub(super) struct Block<'a> {
    pub(super) graph: &'a Graph,
    pub(super) plan: &'a Plan,
    /// One per fact; only those that the program reads are loaded.
    pub(super) columns: &'a [BatchColumn],
    pub(super) buffers: &'a mut Buffers,
    pub(super) vectors: Vectors,
    /// First row within the batch, a multiple of 512.
    pub(super) start: usize,
    pub(super) rows: usize,
    /// Rows at which a lane left its range, with the lane.
    pub(super) lost: Vec<(usize, usize)>,
}

impl Block<'_> {
    /// Moves on to another block of the batch.
    pub(super) fn enter(&mut self, start: usize, rows: usize) {
        self.start = start;
        self.rows = rows;
        self.buffers.block += 1;
        let words = rows.div_ceil(64);
        self.buffers.zero.resize(words);
        self.buffers.zero.fill(0);
        self.buffers.full.resize(words);
        self.buffers.full.fill(u64::MAX);
        if let (Some(last), tail @ 1..) = (self.buffers.full.last_mut(), rows % 64) {
            *last = (1 << tail) - 1;
        }
    }

    pub(super) fn words(&self) -> usize {
        self.rows.div_ceil(64)
    }

    /// All rows of the block.
    pub(super) fn full(&self) -> &[u64] {
        &self.buffers.full
    }

    /// The words of a column's bitmap that belong to the block.
    pub(super) fn part<'b>(&self, bits: &'b [u64]) -> &'b [u64] {
        &bits[self.start / 64..self.start / 64 + self.words()]
    }

    /// Whether all rows of the block have one verdict.
    #[inline]
    pub(super) fn uniform(&self, edge: Edge) -> Uniform {
        match (self.buffers.bools[edge.node()].uniform, edge.is_negated()) {
            (Uniform::Yes, true) => Uniform::No,
            (Uniform::No, true) => Uniform::Yes,
            (Uniform::KnownYes(known), true) => Uniform::KnownNo(known),
            (Uniform::KnownNo(known), true) => Uniform::KnownYes(known),
            (uniform, _) => uniform,
        }
    }

    /// The verdicts of an edge that has been evaluated.
    #[inline]
    pub(super) fn edge(&self, edge: Edge) -> Words<'_> {
        let slot = &self.buffers.bools[edge.node()];
        let (full, zero) = (&*self.buffers.full, &*self.buffers.zero);
        let (yes, no) = match slot.uniform {
            Uniform::Mixed => (&*slot.buffer.yes, &*slot.buffer.no),
            Uniform::Yes => (full, zero),
            Uniform::No => (zero, full),
            Uniform::Unknown => (zero, zero),
            Uniform::KnownYes(known) => (self.known(known), zero),
            Uniform::KnownNo(known) => (zero, self.known(known)),
        };
        if edge.is_negated() { Words { yes: no, no: yes } } else { Words { yes, no } }
    }

    fn known(&self, known: Known) -> &[u64] {
        match known {
            Known::Text(text) => self.text_known(text),
            Known::Lane(lane) => match self.graph.lane_node(lane) {
                LaneNode::Fact(fact) => self.part(&self.columns[*fact].known),
                _ => &self.buffers.lanes[lane.0 as usize].buffer.known,
            },
        }
    }

    /// Evaluates the edge's node, unless that has been done for this block.
    #[inline]
    pub(super) fn bool(&mut self, edge: Edge) {
        if self.buffers.bools[edge.node()].stamp != self.buffers.block {
            self.evaluate(edge.node());
        }
    }

    fn evaluate(&mut self, node: usize) {
        let mut out = std::mem::take(&mut self.buffers.bools[node].buffer);
        out.resize(self.words());
        let uniform = self.bool_node(node, &mut out);
        self.buffers.bools[node] = Slot { buffer: out, stamp: self.buffers.block, uniform };
    }

    /// As `bool`, but only where the least and the greatest values of the block say it already; tells whether they do.
    pub(super) fn bool_at_once(&mut self, edge: Edge) -> bool {
        let node = edge.node();
        if self.buffers.bools[node].stamp == self.buffers.block {
            return true;
        }
        let uniform = match &self.graph.bools.items()[node] {
            BoolNode::Yes | BoolNode::Unknown | BoolNode::Fact(_) => {
                self.bool(edge);
                return true;
            }
            BoolNode::Range { lane, low, high } => self.place_of_lane(*lane, *low, *high),
            BoolNode::Text { text, .. } => match &self.plan.class_ranges[node] {
                Some(ranges) => self.place_of_text(*text, ranges),
                None => return false,
            },
            _ => return false,
        };
        let Some(uniform) = uniform else { return false };
        let slot = &mut self.buffers.bools[node];
        slot.stamp = self.buffers.block;
        slot.uniform = uniform;
        true
    }

    fn bool_node(&mut self, node: usize, out: &mut BoolBuffer) -> Uniform {
        let graph = self.graph;
        match &graph.bools.items()[node] {
            BoolNode::Yes => return Uniform::Yes,
            BoolNode::Unknown => return Uniform::Unknown,
            BoolNode::Fact(fact) => {
                if let Values::Bits = self.columns[*fact].values {
                    out.yes.copy_from_slice(self.part(&self.columns[*fact].yes));
                    out.no.copy_from_slice(self.part(&self.columns[*fact].no));
                } else {
                    return Uniform::Unknown;
                }
            }
            BoolNode::Range { lane, low, high } => return self.range(*lane, *low, *high, out),
            BoolNode::Compare { test, left, right } => self.compare(*test, *left, *right, out),
            BoolNode::LaneKnown(lane) => {
                self.lane(*lane);
                out.yes.copy_from_slice(&self.buffers.lanes[lane.0 as usize].buffer.known);
                self.rest_is_no(out);
            }
            BoolNode::TextKnown(text) => {
                self.text(*text);
                out.yes.copy_from_slice(self.text_known(*text));
                self.rest_is_no(out);
            }
            BoolNode::BoolKnown(edge) => {
                self.bool(*edge);
                let words = self.edge(*edge);
                for (index, word) in out.yes.iter_mut().enumerate() {
                    *word = words.yes[index] | words.no[index];
                }
                self.rest_is_no(out);
            }
            BoolNode::Text { text, test } => match &self.plan.class_ranges[node] {
                Some(ranges) => return self.class_test(*text, ranges, out),
                None => self.text_test(node, *text, test, out),
            },
            BoolNode::TextSame(left, right) => self.text_same(*left, *right, out),
            BoolNode::And(edges) => return self.and(edges, out),
            BoolNode::AtLeast(needed, edges) => self.at_least(*needed, edges, out),
            BoolNode::Select(condition, then, otherwise) => {
                for edge in [condition, then, otherwise] {
                    self.bool(*edge);
                }
                kernels::logic::select(out, self.edge(*condition), self.edge(*then), self.edge(*otherwise));
            }
            BoolNode::Same(left, right) => {
                self.bool(*left);
                self.bool(*right);
                kernels::logic::same(out, self.edge(*left), self.edge(*right));
            }
        }
        self.classify(out)
    }

    fn rest_is_no(&self, out: &mut BoolBuffer) {
        for ((no, yes), full) in out.no.iter_mut().zip(&*out.yes).zip(self.full()) {
            *no = full & !yes;
        }
    }

    fn classify(&self, out: &BoolBuffer) -> Uniform {
        let full = self.full();
        if *out.no == *full {
            Uniform::No
        } else if *out.yes == *full {
            Uniform::Yes
        } else {
            Uniform::Mixed
        }
    }

    /// Conditions on columns come first: where one of them is no for the whole block, nothing else is needed.
    fn and(&mut self, edges: &[Edge], out: &mut BoolBuffer) -> Uniform {
        let graph = self.graph;
        for leaves in [true, false] {
            for &edge in edges {
                if is_leaf(graph, edge) == leaves {
                    self.bool(edge);
                    if self.uniform(edge) == Uniform::No {
                        return Uniform::No;
                    }
                }
            }
        }
        let mut open = edges.iter().filter(|&&edge| self.uniform(edge) != Uniform::Yes).peekable();
        if open.peek().is_none() {
            return Uniform::Yes;
        }
        let mut before: Option<()> = None;
        while let Some(&&first) = open.peek() {
            let mut some = [self.edge(first); FOLD];
            let mut count = 0;
            while count < FOLD
                && let Some(&edge) = open.next()
            {
                some[count] = self.edge(edge);
                count += 1;
            }
            if before.replace(()).is_none() {
                and_into(self.vectors, &some[..count], &mut out.yes, &mut out.no);
            } else {
                for words in &some[..count] {
                    kernels::logic::and(out, *words);
                }
            }
        }
        self.classify(out)
    }

    fn at_least(&mut self, needed: usize, edges: &[Edge], out: &mut BoolBuffer) {
        for &edge in edges {
            self.bool(edge);
        }
        let mut reached = std::mem::take(&mut self.buffers.reached);
        kernels::logic::at_least(needed, &edges.iter().map(|&edge| self.edge(edge).yes), &mut reached, &mut out.yes);
        kernels::logic::at_least(edges.len() + 1 - needed, &edges.iter().map(|&edge| self.edge(edge).no), &mut reached, &mut out.no);
        self.buffers.reached = reached;
    }

    fn compare(&mut self, test: Test, left: Side, right: Side, out: &mut BoolBuffer) {
        for side in [left, right] {
            self.lane(side.num);
            if let Some(den) = side.den {
                self.lane(den);
            }
        }
        let lane = |id: LaneId| &self.buffers.lanes[id.0 as usize].buffer;
        let (left_num, right_num) = (lane(left.num), lane(right.num));
        let wanted = if test == Test::Less { Ordering::Less } else { Ordering::Equal };
        let plain = left.factor == 1 && right.factor == 1 && left.den.is_none() && right.den.is_none();
        for (index, (yes, no)) in out.yes.iter_mut().zip(out.no.iter_mut()).enumerate() {
            let known = left_num.known[index] & right_num.known[index];
            let span = index * 64..self.rows.min(index * 64 + 64);
            let mut word = 0_u64;
            for (bit, row) in span.enumerate() {
                let (a, b) = (left_num.values[row], right_num.values[row]);
                let ordering = if plain {
                    a.cmp(&b)
                } else {
                    let den = |side: Side| side.den.map_or(1, |den| lane(den).values[row]);
                    kernels::compare::quotients((a, left.factor, den(left)), (b, right.factor, den(right)))
                };
                word |= u64::from(ordering == wanted) << bit;
            }
            *yes = word & known;
            *no = known & !word;
        }
    }
}

/// Whether an edge is a condition on a column, or a constant.
pub(super) fn is_leaf(graph: &Graph, edge: Edge) -> bool {
    match graph.bool_node(edge) {
        BoolNode::Yes | BoolNode::Unknown | BoolNode::Fact(_) => true,
        BoolNode::Range { lane, .. } => matches!(graph.lane_node(*lane), LaneNode::Fact(_)),
        BoolNode::Text { text, .. } => matches!(graph.text_node(*text), TextNode::Fact(_)),
        _ => false,
    }
}
