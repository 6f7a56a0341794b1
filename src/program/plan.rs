//! What a program needs of its graph, and the walk over a batch in blocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;

use super::EvalError;
use super::classes::{Classes, Ranges};
use super::columns::BatchColumn;
use super::evaluate::Block;
use super::kernels::vector::Vectors;
use super::node::{BoolNode, Edge, Graph, LaneId, LaneNode, TextId, TextNode, TextTest};
use super::scratch::{Buffers, Scratch};
use crate::check::ir::{Function, Schema};

/// Blocks begin where a line of the cache does in all bitmaps.
const LINE_ROWS: usize = 512;

/// Least and greatest number of rows of a block.
const BLOCK_ROWS: std::ops::RangeInclusive<usize> = 2_048..=16_384;

/// What the verdict bitmaps of a block's nodes may take together, in bytes. Twice a core's second-level cache was
/// measured to be faster than half or all of it: longer blocks cost less per root.
const BLOCK_BYTES: usize = 2 << 20;

/// What is needed of a graph, and in which portions of rows.
#[derive(Debug)]
pub(super) struct Plan {
    id: u64,
    /// Per node, the first root that depends on it.
    pub(super) bools: Vec<Option<usize>>,
    pub(super) lanes: Vec<Option<usize>>,
    pub(super) texts: Vec<Option<usize>>,
    needed: Vec<bool>,
    /// Facts that are needed, ascending.
    facts: Vec<usize>,
    /// Per fact, whether the keys of its texts are needed.
    keys: Vec<bool>,
    /// Per text that is tested against sets, its classes.
    pub(super) classes: Vec<Option<Classes>>,
    /// Per boolean node that is such a test, its classes.
    pub(super) class_ranges: Vec<Option<Ranges>>,
    /// Per fact, the text whose classes it is given.
    class_of_fact: Vec<Option<usize>>,
    /// Roots that are a conjunction which nothing else needs have no bitmap of their own.
    pub(super) loose: usize,
    /// Lanes that may leave their range. They are evaluated for every block, whatever else is skipped, so that an
    /// overflow is found whatever the size of the batches.
    checked: Vec<LaneId>,
    pub(super) block_rows: usize,
}

impl Plan {
    pub(super) fn new(graph: &Graph, facts: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            bools: vec![None; graph.bools.items().len()],
            lanes: vec![None; graph.lanes.items().len()],
            texts: vec![None; graph.texts.items().len()],
            needed: vec![false; facts],
            facts: Vec::new(),
            keys: vec![false; facts],
            classes: Vec::new(),
            class_ranges: Vec::new(),
            class_of_fact: Vec::new(),
            loose: 0,
            checked: Vec::new(),
            block_rows: 0,
        }
    }

    pub(super) fn reach_bool(&mut self, graph: &Graph, edge: Edge, root: usize) {
        if self.bools[edge.node()].is_some() {
            return;
        }
        self.bools[edge.node()] = Some(root);
        match graph.bool_node(edge) {
            BoolNode::Yes | BoolNode::Unknown => {}
            BoolNode::Fact(fact) => self.needed[*fact] = true,
            BoolNode::Range { lane, .. } | BoolNode::LaneKnown(lane) => self.reach_lane(graph, *lane, root),
            BoolNode::Compare { left, right, .. } => {
                for lane in [Some(left.num), left.den, Some(right.num), right.den].into_iter().flatten() {
                    self.reach_lane(graph, lane, root);
                }
            }
            BoolNode::TextKnown(text) | BoolNode::Text { text, test: TextTest::In(_) } => self.reach_text(graph, *text, root, false),
            BoolNode::Text { text, .. } => self.reach_text(graph, *text, root, true),
            BoolNode::TextSame(left, right) => {
                self.reach_text(graph, *left, root, true);
                self.reach_text(graph, *right, root, true);
            }
            BoolNode::BoolKnown(inner) => self.reach_bool(graph, *inner, root),
            BoolNode::And(edges) | BoolNode::AtLeast(_, edges) => edges.iter().for_each(|&edge| self.reach_bool(graph, edge, root)),
            BoolNode::Select(condition, then, otherwise) => {
                for edge in [condition, then, otherwise] {
                    self.reach_bool(graph, *edge, root);
                }
            }
            BoolNode::Same(left, right) => [left, right].into_iter().for_each(|&edge| self.reach_bool(graph, edge, root)),
        }
    }

    pub(super) fn reach_lane(&mut self, graph: &Graph, lane: LaneId, root: usize) {
        let index = lane.0 as usize;
        if self.lanes[index].is_some() {
            return;
        }
        self.lanes[index] = Some(root);
        match graph.lane_node(lane) {
            LaneNode::Unknown | LaneNode::Constant(_) => {}
            LaneNode::Fact(fact) => self.needed[*fact] = true,
            LaneNode::Sum { left, right, .. } | LaneNode::Product(left, right) | LaneNode::When(left, right) => {
                self.reach_lane(graph, *left, root);
                self.reach_lane(graph, *right, root);
            }
            LaneNode::Absolute(inner) | LaneNode::NonZero(inner) => self.reach_lane(graph, *inner, root),
            LaneNode::Select(condition, then, otherwise) => {
                self.reach_bool(graph, *condition, root);
                self.reach_lane(graph, *then, root);
                self.reach_lane(graph, *otherwise, root);
            }
            LaneNode::Whole { num, den, .. } => {
                [Some(*num), *den].into_iter().flatten().for_each(|lane| self.reach_lane(graph, lane, root));
            }
            LaneNode::Date(_, arguments) => arguments.iter().for_each(|&lane| self.reach_lane(graph, lane, root)),
            LaneNode::TextMap { text, .. } => self.reach_text(graph, *text, root, true),
        }
    }

    /// `keys`: whether more is needed of a fact than in which sets its texts are.
    pub(super) fn reach_text(&mut self, graph: &Graph, text: TextId, root: usize, keys: bool) {
        let index = text.0 as usize;
        if let (TextNode::Fact(fact), true) = (graph.text_node(text), keys) {
            self.keys[*fact] = true;
        }
        if self.texts[index].is_some() {
            return;
        }
        self.texts[index] = Some(root);
        match graph.text_node(text) {
            TextNode::Unknown | TextNode::Constant(_) => {}
            TextNode::Fact(fact) => self.needed[*fact] = true,
            TextNode::Select(condition, then, otherwise) => {
                self.reach_bool(graph, *condition, root);
                self.reach_text(graph, *then, root, true);
                self.reach_text(graph, *otherwise, root, true);
            }
        }
    }

    pub(super) fn finish(&mut self, graph: &Graph) {
        let may_leave = |node: &LaneNode| match node {
            LaneNode::Sum { .. } | LaneNode::Product(..) | LaneNode::Absolute(_) | LaneNode::Whole { .. } | LaneNode::Fact(_) => true,
            LaneNode::Date(function, _) => !matches!(
                function,
                Function::AgeAt
                    | Function::MonthsBetween
                    | Function::WholeMonthsBetween
                    | Function::DaysBetween
                    | Function::Year
                    | Function::Month
                    | Function::MonthsOverlap
            ),
            _ => false,
        };
        for (index, node) in graph.lanes.items().iter().enumerate() {
            if self.lanes[index].is_some() && may_leave(node) {
                self.checked.push(LaneId(u32::try_from(index).expect("a program has fewer than 2^31 nodes")));
            }
        }
        let bitmaps = self.bools.iter().flatten().count().saturating_sub(self.loose).max(1);
        let rows = (BLOCK_BYTES * 8 / (2 * bitmaps)).clamp(*BLOCK_ROWS.start(), *BLOCK_ROWS.end());
        self.block_rows = rows / LINE_ROWS * LINE_ROWS;
        self.facts = self.needed.iter().enumerate().filter(|(_, needed)| **needed).map(|(fact, _)| fact).collect();
        self.classify(graph);
    }

    /// All tests of one fact's texts against sets, together.
    fn classify(&mut self, graph: &Graph) {
        self.classes.resize_with(self.texts.len(), || None);
        self.class_ranges.resize_with(self.bools.len(), || None);
        let mut tests: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (node, bool_node) in graph.bools.items().iter().enumerate() {
            if let BoolNode::Text { text, test: TextTest::In(_) } = bool_node
                && self.bools[node].is_some()
                && matches!(graph.text_node(*text), TextNode::Fact(_))
            {
                tests.entry(text.0).or_default().push(node);
            }
        }
        for (text, nodes) in tests {
            let sets: Vec<&[Arc<str>]> = nodes
                .iter()
                .filter_map(|&node| match &graph.bools.items()[node] {
                    BoolNode::Text { test: TextTest::In(set), .. } => Some(&**set),
                    _ => None,
                })
                .collect();
            let (classes, ranges) = Classes::new(&sets);
            self.classes[text as usize] = Some(classes);
            for (node, ranges) in nodes.into_iter().zip(ranges) {
                self.class_ranges[node] = Some(ranges);
            }
        }
        self.class_of_fact = vec![None; self.needed.len()];
        for (text, node) in graph.texts.items().iter().enumerate() {
            if let (TextNode::Fact(fact), Some(_)) = (node, &self.classes[text]) {
                self.class_of_fact[*fact] = Some(text);
            }
        }
    }

    pub(super) fn facts(&self) -> Vec<usize> {
        self.facts.clone()
    }

    pub(super) fn nodes(&self) -> usize {
        [&self.bools, &self.lanes, &self.texts].into_iter().flatten().flatten().count()
    }

    /// Loads the batch and calls `visit` for each block of it.
    pub(super) fn run(
        &self,
        graph: &Graph,
        schema: &Schema,
        batch: &RecordBatch,
        scratch: &mut Scratch,
        visit: impl FnMut(&mut Block<'_>),
    ) -> Result<(), EvalError> {
        self.fit(scratch);
        let mut columns = std::mem::take(&mut scratch.columns);
        let result = self
            .load(schema, batch, scratch, &mut columns)
            .and_then(|()| self.blocks(graph, &columns, &mut scratch.buffers, batch.num_rows(), visit));
        // the batch is not kept alive
        for &fact in &self.facts {
            columns[fact].release();
        }
        scratch.columns = columns;
        result
    }

    fn load(&self, schema: &Schema, batch: &RecordBatch, scratch: &mut Scratch, columns: &mut [BatchColumn]) -> Result<(), EvalError> {
        if !scratch.places.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, batch.schema_ref())) {
            let place = |&fact: &usize| {
                let name = &schema.columns[fact].name;
                batch.schema_ref().index_of(name).map_err(|_| EvalError::MissingColumn { name: name.to_string() })
            };
            let places = self.facts.iter().map(place).collect::<Result<_, _>>()?;
            scratch.places = Some((batch.schema(), places));
        }
        let places = scratch.places.iter().flat_map(|(_, places)| places);
        self.facts.iter().zip(places).try_for_each(|(&fact, &place)| {
            let classes = self.class_of_fact[fact].and_then(|text| self.classes[text].as_ref());
            columns[fact].load(&schema.columns[fact], batch.column(place), self.keys[fact], classes)
        })
    }

    fn blocks(
        &self,
        graph: &Graph,
        columns: &[BatchColumn],
        buffers: &mut Buffers,
        rows: usize,
        mut visit: impl FnMut(&mut Block<'_>),
    ) -> Result<(), EvalError> {
        buffers.batch += 1;
        let mut block = Block { graph, plan: self, columns, buffers, vectors: Vectors::best(), start: 0, rows: 0, lost: Vec::new() };
        for start in (0..rows).step_by(self.block_rows) {
            block.enter(start, self.block_rows.min(rows - start));
            for &lane in &self.checked {
                if !block.is_plain(lane) {
                    block.lane(lane);
                }
            }
            visit(&mut block);
            let first = block.lost.iter().map(|&(row, lane)| (row, self.lanes[lane].unwrap_or(0))).min();
            if let Some((row, root)) = first {
                return Err(EvalError::Overflow { root, row });
            }
        }
        Ok(())
    }

    fn fit(&self, scratch: &mut Scratch) {
        if scratch.program == Some(self.id) {
            return;
        }
        let facts = self.needed.len();
        scratch.program = Some(self.id);
        scratch.columns.clear();
        scratch.columns.resize_with(facts, Default::default);
        scratch.places = None;
        let buffers = &mut scratch.buffers;
        *buffers = Buffers { block: buffers.block, batch: buffers.batch, ..Buffers::default() };
        buffers.bools.resize_with(self.bools.len(), Default::default);
        buffers.passes.resize_with(self.bools.len(), Default::default);
        buffers.lanes.resize_with(self.lanes.len(), Default::default);
        buffers.digits.resize_with(self.lanes.len(), Default::default);
        buffers.texts.resize_with(self.texts.len(), Default::default);
        buffers.lane_codes.resize_with(self.lanes.len(), Default::default);
        buffers.text_codes.resize_with(self.texts.len(), Default::default);
        buffers.classes.resize_with(self.texts.len(), Default::default);
    }
}
