//! Bound conditions as a program over dossiers: Arrow arrays in, bitmaps of verdicts out.
//!
//! Before: trees of the checked form, one or more per policy. After: one graph for all of them, in which each distinct
//! condition stands once and is evaluated at most once per block of rows. What differs from the checked form: numbers are
//! lanes of 64-bit integers with scales settled when the program is made, negation is a mark on an edge, comparisons with
//! constants are ranges of integers, and `case` and `coalesce` choose row by row.
//!
//! ```text
//!  Expr ── lower ──▶ Graph ── evaluate, block by block ──▶ Verdicts (yes, unknown)
//!                      ╰───── evaluate_values ───────────▶ Values  (amounts, occasions, ranks)
//!  Expr ── interpreter ──▶ one row at a time: the oracle, and what explains a verdict
//!  Expr ── sql ──────────▶ DataFusion SQL: the other oracle
//! ```
//!
//! Nothing here knows the clock, a policy or DataFusion.

mod bitmap;
mod columns;
pub mod dates;
mod error;
mod evaluate;
mod fraction;
pub mod interpreter;
mod kernels;
mod lanes;
mod logic;
mod lower;
mod monotone;
mod node;
mod print;
mod rational;
mod scratch;
pub mod sql;
#[cfg(test)]
mod tests;
mod values;
mod verdicts;

use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;

pub use error::{CompileError, EvalError};
pub use rational::{Rational, round_half_up, round_up};
pub use scratch::Scratch;
pub use values::{ValueProgram, Values};
pub use verdicts::Verdicts;

use crate::check::ir::{Expr, Schema, Ty};
use evaluate::Block;
use lower::Lowering;
use node::{BoolNode, Edge, Graph, LaneId, LaneNode};
use scratch::{Buffers, Uniform};

/// Least and greatest number of rows of a block.
const BLOCK_ROWS: std::ops::RangeInclusive<usize> = 2_048..=16_384;

/// What the verdict bitmaps of a block's nodes may take together, in bytes: about a core's second-level cache.
const BLOCK_BYTES: usize = 1 << 20;

/// Conditions compiled for many batches. Roots keep the order in which they were given.
#[derive(Debug)]
pub struct Program {
    schema: Schema,
    graph: Graph,
    roots: Vec<Edge>,
    plan: Plan,
}

impl Program {
    /// Compiles bound boolean expressions over the facts of a schema.
    ///
    /// # Errors
    ///
    /// If an expression is not boolean, is not bound, or has a constant beyond 64 bits.
    pub fn compile(schema: &Schema, roots: &[Expr]) -> Result<Self, CompileError> {
        let mut lowering = Lowering::new(schema);
        let mut edges = Vec::with_capacity(roots.len());
        for (index, root) in roots.iter().enumerate() {
            lowering.root = index;
            if root.ty != Ty::Bool {
                return Err(lowering.wrong("a condition must be yes or no"));
            }
            edges.push(lowering.boolean(root)?);
        }
        let graph = lowering.graph;
        let mut plan = Plan::new(&graph, schema.columns.len());
        for (index, &edge) in edges.iter().enumerate() {
            plan.reach_bool(&graph, edge, index);
        }
        plan.finish(&graph);
        Ok(Self { schema: schema.clone(), graph, roots: edges, plan })
    }

    /// How many roots there are.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// The facts that the program reads, ascending.
    #[must_use]
    pub fn facts(&self) -> Vec<usize> {
        self.plan.facts()
    }

    /// How many distinct conditions, lanes and texts the roots need.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.plan.nodes()
    }

    /// Stable text: each node that the roots need, then the roots. `!` stands for the opposite.
    #[must_use]
    pub fn print(&self) -> String {
        print::print(&self.schema, &self.graph, &self.plan, &self.roots)
    }

    /// The verdicts of all rows of a batch, whose columns are found by the facts' names.
    ///
    /// # Errors
    ///
    /// If a column is missing or has a type that its fact cannot have, or if arithmetic overflows on a row: then the
    /// first such row, and the first root that depends on it.
    pub fn evaluate(&self, batch: &RecordBatch, scratch: &mut Scratch) -> Result<Verdicts, EvalError> {
        let mut verdicts = Verdicts::new(self.roots.len(), batch.num_rows(), &mut scratch.spare);
        self.plan.run(&self.graph, &self.schema, batch, scratch, |block| {
            for (root, &edge) in self.roots.iter().enumerate() {
                block.bool(edge);
                let (yes, unknown) = verdicts.words_mut(root, block.start / 64, block.words());
                if block.uniform(edge) == Uniform::No {
                    yes.fill(0);
                    unknown.fill(0);
                    continue;
                }
                let words = block.edge(edge);
                yes.copy_from_slice(words.yes);
                for (index, unknown) in unknown.iter_mut().enumerate() {
                    *unknown = block.full[index] & !(words.yes[index] | words.no[index]);
                }
            }
        })?;
        Ok(verdicts)
    }
}

/// What is needed of a graph, and in which portions of rows.
#[derive(Debug)]
struct Plan {
    id: u64,
    /// Per node, the first root that depends on it.
    bools: Vec<Option<usize>>,
    lanes: Vec<Option<usize>>,
    texts: Vec<Option<usize>>,
    needed: Vec<bool>,
    /// Lanes that may leave their range. They are evaluated for every block, whatever else is skipped, so that an
    /// overflow is found whatever the size of the batches.
    checked: Vec<LaneId>,
    block_rows: usize,
}

impl Plan {
    fn new(graph: &Graph, facts: usize) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            bools: vec![None; graph.bools.items().len()],
            lanes: vec![None; graph.lanes.items().len()],
            texts: vec![None; graph.texts.items().len()],
            needed: vec![false; facts],
            checked: Vec::new(),
            block_rows: 0,
        }
    }

    fn reach_bool(&mut self, graph: &Graph, edge: Edge, root: usize) {
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
            BoolNode::TextKnown(text) | BoolNode::Text { text, .. } => self.reach_text(graph, *text, root),
            BoolNode::TextSame(left, right) => {
                self.reach_text(graph, *left, root);
                self.reach_text(graph, *right, root);
            }
            BoolNode::BoolKnown(inner) => self.reach_bool(graph, *inner, root),
            BoolNode::And(edges) | BoolNode::AtLeast(_, edges) => edges.iter().for_each(|&edge| self.reach_bool(graph, edge, root)),
            BoolNode::Select(condition, then, otherwise) => [condition, then, otherwise].into_iter().for_each(|&edge| self.reach_bool(graph, edge, root)),
            BoolNode::Same(left, right) => [left, right].into_iter().for_each(|&edge| self.reach_bool(graph, edge, root)),
        }
    }

    fn reach_lane(&mut self, graph: &Graph, lane: LaneId, root: usize) {
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
            LaneNode::Whole { num, den, .. } => [Some(*num), *den].into_iter().flatten().for_each(|lane| self.reach_lane(graph, lane, root)),
            LaneNode::Date(_, arguments) => arguments.iter().for_each(|&lane| self.reach_lane(graph, lane, root)),
            LaneNode::TextMap { text, .. } => self.reach_text(graph, *text, root),
        }
    }

    fn reach_text(&mut self, graph: &Graph, text: node::TextId, root: usize) {
        let index = text.0 as usize;
        if self.texts[index].is_some() {
            return;
        }
        self.texts[index] = Some(root);
        match graph.text_node(text) {
            node::TextNode::Unknown | node::TextNode::Constant(_) => {}
            node::TextNode::Fact(fact) => self.needed[*fact] = true,
            node::TextNode::Select(condition, then, otherwise) => {
                self.reach_bool(graph, *condition, root);
                self.reach_text(graph, *then, root);
                self.reach_text(graph, *otherwise, root);
            }
        }
    }

    fn finish(&mut self, graph: &Graph) {
        use crate::check::ir::Function;
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
        let bitmaps = self.bools.iter().flatten().count().max(1);
        let rows = (BLOCK_BYTES * 8 / (2 * bitmaps)).clamp(*BLOCK_ROWS.start(), *BLOCK_ROWS.end());
        self.block_rows = rows / 64 * 64;
    }

    fn facts(&self) -> Vec<usize> {
        self.needed.iter().enumerate().filter(|(_, needed)| **needed).map(|(fact, _)| fact).collect()
    }

    fn nodes(&self) -> usize {
        [&self.bools, &self.lanes, &self.texts].into_iter().flatten().flatten().count()
    }

    /// Loads the batch and calls `visit` for each block of it.
    fn run(&self, graph: &Graph, schema: &Schema, batch: &RecordBatch, scratch: &mut Scratch, visit: impl FnMut(&mut Block<'_>)) -> Result<(), EvalError> {
        self.fit(scratch);
        let mut columns = std::mem::take(&mut scratch.columns);
        let facts = self.facts();
        let loaded = facts.iter().try_for_each(|&fact| columns[fact].load(&schema.columns[fact], batch));
        let result = loaded.and_then(|()| self.blocks(graph, &columns, &mut scratch.buffers, batch.num_rows(), visit));
        // the batch is not kept alive
        facts.iter().for_each(|&fact| columns[fact].values = columns::Values::Nothing);
        scratch.columns = columns;
        result
    }

    fn blocks(&self, graph: &Graph, columns: &[columns::BatchColumn], buffers: &mut Buffers, rows: usize, mut visit: impl FnMut(&mut Block<'_>)) -> Result<(), EvalError> {
        buffers.batch += 1;
        let mut block = Block { graph, columns, buffers, start: 0, rows: 0, full: Vec::new(), lost: Vec::new() };
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
        scratch.columns.resize_with(facts.max(scratch.columns.len()), Default::default);
        let buffers = &mut scratch.buffers;
        *buffers = Buffers { block: buffers.block, batch: buffers.batch, ..Buffers::default() };
        buffers.bools.resize_with(self.bools.len(), Default::default);
        buffers.passes.resize_with(self.bools.len(), Default::default);
        buffers.lanes.resize_with(self.lanes.len(), Default::default);
        buffers.digits.resize_with(self.lanes.len(), Default::default);
        buffers.texts.resize_with(self.texts.len(), Default::default);
        buffers.bounds.resize_with(facts, Default::default);
    }
}
