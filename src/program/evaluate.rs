//! Evaluation of one block of rows, from what is asked for down to what it needs; each node at most once.

use std::cmp::Ordering;

use arrow::array::{StringArray, StringBuilder};

use super::codes::Place;
use super::columns::{BatchColumn, Values};
use super::kernels::logic::Words;
use super::kernels::vector::Vectors;
use super::kernels::{self, BoolBuffer};
use super::logic::holds;
use super::node::{BoolNode, Edge, Graph, LaneId, LaneNode, Side, Test, TextId, TextNode, TextSource, TextTest};
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

    /// A test of a fact's text against a set, as ranges of classes.
    fn class_test(&mut self, text: TextId, ranges: &[(i64, i64)], out: &mut BoolBuffer) -> Uniform {
        if let Some(uniform) = self.place_of_text(text, ranges) {
            return uniform;
        }
        self.encode_text(text);
        let codes = &self.buffers.text_codes[text.0 as usize].buffer;
        let mut reaching = ranges.iter().filter(|&&(low, high)| codes.place(low, high) != Place::Outside);
        if let Some(&(low, high)) = reaching.next() {
            codes.within(low, high, self.vectors, &mut out.yes);
        }
        for &(low, high) in reaching {
            codes.within(low, high, self.vectors, &mut out.no);
            out.yes.iter_mut().zip(&*out.no).for_each(|(yes, more)| *yes |= more);
        }
        self.vectors.split(self.text_known(text), &mut out.yes, &mut out.no);
        Uniform::Mixed
    }

    /// What the least and the greatest class of the block say of ranges of them.
    fn place_of_text(&mut self, text: TextId, ranges: &[(i64, i64)]) -> Option<Uniform> {
        let TextNode::Fact(fact) = self.graph.text_node(text) else { return None };
        if matches!(self.columns[*fact].values, Values::Nothing) {
            return Some(Uniform::Unknown);
        }
        self.text_codes(text, *fact);
        let codes = &self.buffers.text_codes[text.0 as usize].buffer;
        let mut outside = true;
        for &(low, high) in ranges {
            match codes.place(low, high) {
                Place::Inside if codes.all_known => return Some(Uniform::Yes),
                Place::Inside => return Some(Uniform::KnownYes(Known::Text(text))),
                Place::Across => outside = false,
                Place::Outside => {}
            }
        }
        outside.then_some(if codes.all_known { Uniform::No } else { Uniform::KnownNo(Known::Text(text)) })
    }

    /// Finds the classes of a fact's texts, unless that has been done for this block.
    fn text_codes(&mut self, text: TextId, fact: usize) {
        let index = text.0 as usize;
        if self.buffers.text_codes[index].stamp == self.buffers.block {
            return;
        }
        let Some(classes) = &self.plan.classes[index] else { return };
        let column = &self.columns[fact];
        column.classes(classes, self.start..self.start + self.rows, &mut self.buffers.classes[index]);
        let bounds = self.vectors.bounds(&self.buffers.classes[index]).unwrap_or_default();
        let all_known = column.all_known || *self.part(&column.known) == *self.full();
        let slot = &mut self.buffers.text_codes[index];
        slot.buffer.begin(bounds, all_known);
        slot.stamp = self.buffers.block;
    }

    fn encode_text(&mut self, text: TextId) {
        let index = text.0 as usize;
        let codes = &mut self.buffers.text_codes[index].buffer;
        if codes.wants_codes() {
            codes.encode(&self.buffers.classes[index], self.vectors);
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
        for ((yes, no), known) in out.yes.iter_mut().zip(out.no.iter_mut()).zip(known) {
            *no = known & !*yes;
            *yes &= known;
        }
    }

    fn text_same(&mut self, left: TextId, right: TextId, out: &mut BoolBuffer) {
        self.text(left);
        self.text(right);
        let ((left_keys, left_known), (right_keys, right_known)) = (self.text_part(left), self.text_part(right));
        for (index, (yes, no)) in out.yes.iter_mut().zip(out.no.iter_mut()).enumerate() {
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
                out.known.copy_from_slice(self.full());
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

    /// Where a text is known.
    pub(super) fn text_known(&self, text: TextId) -> &[u64] {
        match self.graph.text_node(text) {
            TextNode::Fact(fact) => self.part(&self.columns[*fact].known),
            _ => &self.buffers.texts[text.0 as usize].buffer.known,
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

/// How many conditions are combined in one go.
pub(super) const FOLD: usize = 6;

/// Whether an edge is a condition on a column, or a constant.
pub(super) fn is_leaf(graph: &Graph, edge: Edge) -> bool {
    match graph.bool_node(edge) {
        BoolNode::Yes | BoolNode::Unknown | BoolNode::Fact(_) => true,
        BoolNode::Range { lane, .. } => matches!(graph.lane_node(*lane), LaneNode::Fact(_)),
        BoolNode::Text { text, .. } => matches!(graph.text_node(*text), TextNode::Fact(_)),
        _ => false,
    }
}

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
