//! Evaluation of one block of rows, from what is asked for down to what it needs; each node at most once.

use std::cmp::Ordering;

use arrow::array::{StringArray, StringBuilder};

use super::columns::{BatchColumn, Values};
use super::kernels::logic::Words;
use super::kernels::{self, BoolBuffer};
use super::logic::holds;
use super::node::{BoolNode, Edge, Graph, Side, Test, TextId, TextNode, TextSource, TextTest};
use super::scratch::{Buffers, Slot, Uniform};

/// A block of a batch, at most a few thousand rows, so that its lanes stay in the cache.
pub(super) struct Block<'a> {
    pub(super) graph: &'a Graph,
    /// One per fact; only those that the program reads are loaded.
    pub(super) columns: &'a [BatchColumn],
    pub(super) buffers: &'a mut Buffers,
    /// First row within the batch, a multiple of 64.
    pub(super) start: usize,
    pub(super) rows: usize,
    /// All rows of the block.
    pub(super) full: Vec<u64>,
    /// Rows at which a lane left its range, with the lane.
    pub(super) lost: Vec<(usize, usize)>,
}

impl Block<'_> {
    /// Moves on to another block of the batch.
    pub(super) fn enter(&mut self, start: usize, rows: usize) {
        self.start = start;
        self.rows = rows;
        self.buffers.block += 1;
        super::bitmap::fill_ones(rows, &mut self.full);
    }

    pub(super) fn words(&self) -> usize {
        self.full.len()
    }

    /// The words of a column's bitmap that belong to the block.
    pub(super) fn part<'b>(&self, bits: &'b [u64]) -> &'b [u64] {
        &bits[self.start / 64..self.start / 64 + self.words()]
    }

    /// Whether all rows of the block have one verdict.
    pub(super) fn uniform(&self, edge: Edge) -> Uniform {
        match (self.buffers.bools[edge.node()].uniform, edge.is_negated()) {
            (Uniform::Yes, true) => Uniform::No,
            (Uniform::No, true) => Uniform::Yes,
            (uniform, _) => uniform,
        }
    }

    /// The verdicts of an edge that has been evaluated.
    pub(super) fn edge(&self, edge: Edge) -> Words<'_> {
        let BoolBuffer { yes, no } = &self.buffers.bools[edge.node()].buffer;
        if edge.is_negated() { Words { yes: no, no: yes } } else { Words { yes, no } }
    }

    /// Evaluates the edge's node, unless that has been done for this block.
    pub(super) fn bool(&mut self, edge: Edge) {
        let node = edge.node();
        if self.buffers.bools[node].stamp == self.buffers.block {
            return;
        }
        let mut out = std::mem::take(&mut self.buffers.bools[node].buffer);
        out.resize(self.words());
        let uniform = self.bool_node(node, &mut out);
        self.buffers.bools[node] = Slot { buffer: out, stamp: self.buffers.block, uniform };
    }

    fn bool_node(&mut self, node: usize, out: &mut BoolBuffer) -> Uniform {
        let graph = self.graph;
        match &graph.bools.items()[node] {
            BoolNode::Yes => return self.all_yes(out),
            BoolNode::Unknown => {
                out.yes.fill(0);
                out.no.fill(0);
                return Uniform::Mixed;
            }
            BoolNode::Fact(fact) => {
                if let Values::Bits = self.columns[*fact].values {
                    out.yes.copy_from_slice(self.part(&self.columns[*fact].yes));
                    out.no.copy_from_slice(self.part(&self.columns[*fact].no));
                } else {
                    out.yes.fill(0);
                    out.no.fill(0);
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
                out.yes.copy_from_slice(self.text_part(*text).1);
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
            BoolNode::Text { text, test } => self.text_test(node, *text, test, out),
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

    fn all_yes(&self, out: &mut BoolBuffer) -> Uniform {
        out.yes.copy_from_slice(&self.full);
        out.no.fill(0);
        Uniform::Yes
    }

    fn all_no(&self, out: &mut BoolBuffer) -> Uniform {
        out.no.copy_from_slice(&self.full);
        out.yes.fill(0);
        Uniform::No
    }

    fn rest_is_no(&self, out: &mut BoolBuffer) {
        for ((no, yes), full) in out.no.iter_mut().zip(&out.yes).zip(&self.full) {
            *no = full & !yes;
        }
    }

    fn classify(&self, out: &BoolBuffer) -> Uniform {
        if out.no == self.full {
            Uniform::No
        } else if out.yes == self.full {
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
                if matches!(graph.bool_node(edge), BoolNode::Range { .. } | BoolNode::Fact(_)) == leaves {
                    self.bool(edge);
                    if self.uniform(edge) == Uniform::No {
                        return self.all_no(out);
                    }
                }
            }
        }
        let mut open = edges.iter().filter(|&&edge| self.uniform(edge) != Uniform::Yes);
        let Some(&first) = open.next() else { return self.all_yes(out) };
        let first = self.edge(first);
        out.yes.copy_from_slice(first.yes);
        out.no.copy_from_slice(first.no);
        for &edge in open {
            kernels::logic::and(out, self.edge(edge));
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
        let lane = |id: super::node::LaneId| &self.buffers.lanes[id.0 as usize].buffer;
        let (left_num, right_num) = (lane(left.num), lane(right.num));
        let wanted = if test == Test::Less { Ordering::Less } else { Ordering::Equal };
        let plain = left.factor == 1 && right.factor == 1 && left.den.is_none() && right.den.is_none();
        for (index, (yes, no)) in out.yes.iter_mut().zip(&mut out.no).enumerate() {
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

    fn text_test(&mut self, node: usize, text: TextId, test: &TextTest, out: &mut BoolBuffer) {
        self.text(text);
        if self.buffers.passes[node].stamp != self.buffers.batch {
            let mut passes = std::mem::take(&mut self.buffers.passes[node].buffer);
            passes.clear();
            self.for_each_text(text, |value| passes.push(value.is_some_and(|value| holds(test, value))));
            self.buffers.passes[node] = Slot { buffer: passes, stamp: self.buffers.batch, uniform: Uniform::Mixed };
        }
        let (keys, known) = self.text_part(text);
        kernels::text::lookup(keys, &self.buffers.passes[node].buffer, &mut out.yes);
        for ((yes, no), known) in out.yes.iter_mut().zip(&mut out.no).zip(known) {
            *no = known & !*yes;
            *yes &= known;
        }
    }

    fn text_same(&mut self, left: TextId, right: TextId, out: &mut BoolBuffer) {
        self.text(left);
        self.text(right);
        let ((left_keys, left_known), (right_keys, right_known)) = (self.text_part(left), self.text_part(right));
        for (index, (yes, no)) in out.yes.iter_mut().zip(&mut out.no).enumerate() {
            let known = left_known[index] & right_known[index];
            let (mut word, mut rest) = (0_u64, known);
            while rest != 0 {
                let row = index * 64 + rest.trailing_zeros() as usize;
                let same = self.text_of(left, left_keys[row]) == self.text_of(right, right_keys[row]);
                word |= u64::from(same) << (row % 64);
                rest &= rest - 1;
            }
            *yes = word;
            *no = known & !word;
        }
    }

    /// Evaluates a text, unless that has been done for this block. A fact's keys are read where they lie.
    pub(super) fn text(&mut self, text: TextId) {
        let (graph, index) = (self.graph, text.0 as usize);
        if self.buffers.texts[index].stamp == self.buffers.block || matches!(graph.text_node(text), TextNode::Fact(_)) {
            return;
        }
        let mut out = std::mem::take(&mut self.buffers.texts[index].buffer);
        out.keys.resize(self.rows, 0);
        out.known.resize(self.words(), 0);
        match graph.text_node(text) {
            TextNode::Fact(_) => {}
            TextNode::Unknown => out.known.fill(0),
            TextNode::Constant(_) => {
                out.keys.fill(0);
                out.known.copy_from_slice(&self.full);
            }
            TextNode::Select(condition, then, otherwise) => {
                self.bool(*condition);
                self.text(*then);
                self.text(*otherwise);
                let offset = u32::try_from(self.distinct(*then)).unwrap_or(u32::MAX);
                let (condition, then, otherwise) = (self.edge(*condition), self.text_part(*then), self.text_part(*otherwise));
                for (index, known) in out.known.iter_mut().enumerate() {
                    *known = condition.yes[index] & then.1[index] | condition.no[index] & otherwise.1[index];
                }
                for (row, key) in out.keys.iter_mut().enumerate() {
                    *key = if super::bitmap::is_set(condition.yes, row) { then.0[row] } else { otherwise.0[row].saturating_add(offset) };
                }
            }
        }
        self.buffers.texts[index] = Slot { buffer: out, stamp: self.buffers.block, uniform: Uniform::Mixed };
    }

    /// The keys of a text, and where it is known. An unknown column has no keys: it lends its known words only.
    pub(super) fn text_part(&self, text: TextId) -> (&[u32], &[u64]) {
        match self.graph.text_node(text) {
            TextNode::Fact(fact) => {
                let column = &self.columns[*fact];
                (&column.keys[self.start..self.start + self.rows], self.part(&column.known))
            }
            _ => {
                let buffer = &self.buffers.texts[text.0 as usize].buffer;
                (&buffer.keys, &buffer.known)
            }
        }
    }

    /// How many distinct texts the sources of a text have.
    fn distinct(&self, text: TextId) -> usize {
        self.graph.sources[text.0 as usize].iter().map(|source| self.source_len(source)).sum()
    }

    fn source_len(&self, source: &TextSource) -> usize {
        match source {
            TextSource::Constant(_) => 1,
            TextSource::Fact(fact) => match &self.columns[*fact].values {
                Values::Keys(distinct) => distinct.len(),
                _ => 0,
            },
        }
    }

    fn source_text<'b>(&'b self, source: &'b TextSource, key: usize) -> Option<&'b str> {
        match source {
            TextSource::Constant(text) => Some(text),
            TextSource::Fact(fact) => match &self.columns[*fact].values {
                Values::Keys(distinct) => distinct.text(key),
                _ => None,
            },
        }
    }

    /// The text that a key stands for.
    pub(super) fn text_of(&self, text: TextId, key: u32) -> Option<&str> {
        let mut key = key as usize;
        for source in &self.graph.sources[text.0 as usize] {
            let len = self.source_len(source);
            if key < len {
                return self.source_text(source, key);
            }
            key -= len;
        }
        None
    }

    /// The distinct texts of the sources, in the order of the keys; those that are none are null.
    pub(super) fn distinct_texts(&self, text: TextId) -> StringArray {
        if let [TextSource::Fact(fact)] = self.graph.sources[text.0 as usize].as_slice()
            && let Values::Keys(distinct) = &self.columns[*fact].values
            && let Some(texts) = distinct.as_they_lie()
        {
            return texts.clone();
        }
        let mut texts = StringBuilder::new();
        self.for_each_text(text, |value| texts.append_option(value));
        texts.finish()
    }

    /// Calls `visit` with each distinct text of the sources, in the order of the keys.
    pub(super) fn for_each_text(&self, text: TextId, mut visit: impl FnMut(Option<&str>)) {
        for source in &self.graph.sources[text.0 as usize] {
            for key in 0..self.source_len(source) {
                visit(self.source_text(source, key));
            }
        }
    }
}
