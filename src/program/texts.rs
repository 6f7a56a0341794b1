//! Evaluation of texts within a block: their keys, their classes, and what is asked of them.

use arrow::array::{StringArray, StringBuilder};

use super::codes::Place;
use super::columns::Values;
use super::evaluate::Block;
use super::kernels::{self, BoolBuffer};
use super::logic::holds;
use super::node::{TextId, TextNode, TextSource, TextTest};
use super::scratch::{Known, Slot, Uniform};

impl Block<'_> {
    /// A test of a fact's text against a set, as ranges of classes.
    pub(super) fn class_test(&mut self, text: TextId, ranges: &[(i64, i64)], out: &mut BoolBuffer) -> Uniform {
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
    pub(super) fn place_of_text(&mut self, text: TextId, ranges: &[(i64, i64)]) -> Option<Uniform> {
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

    pub(super) fn text_test(&mut self, node: usize, text: TextId, test: &TextTest, out: &mut BoolBuffer) {
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

    pub(super) fn text_same(&mut self, left: TextId, right: TextId, out: &mut BoolBuffer) {
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
