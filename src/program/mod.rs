//! Bound conditions as a program over dossiers: Arrow arrays in, bitmaps of verdicts out.
//!
//! Before: trees of the checked form, one or more per policy. After: one graph for all of them, in which each distinct
//! condition stands once and is evaluated at most once per block of rows. What differs from the checked form: numbers are
//! lanes of 64-bit integers with scales settled when the program is made, negation is a mark on an edge, comparisons with
//! constants are ranges of integers, and `case` and `coalesce` choose row by row.
//!
//! ```text
//!  Expr ── lower ──▶ Graph ── evaluate, block by block ──▶ Verdicts (yes, unknown)
//!                      ├───── count, count_groups ─────▶ counts (yes and unknown, by county)
//!                      ├───── judge ───────────────────▶ roots of one dossier, among thousands
//!                      ╰───── evaluate, arrays ────────▶ Values, Arrow arrays (amounts, occasions, facts)
//!  Expr ── interpreter ──▶ one row at a time: the oracle, and what explains a verdict
//!  Expr ── sql ──────────▶ DataFusion SQL: the other oracle
//! ```
//!
//! Nothing here knows the clock, a policy or `DataFusion`.

mod arrays;
pub mod bitmap;
mod classes;
mod codes;
mod columns;
mod conjunction;
mod count;
pub mod dates;
mod error;
mod evaluate;
mod fraction;
mod groups;
mod index;
pub mod interpreter;
mod judge;
mod kernels;
mod lanes;
mod logic;
mod lower;
mod monotone;
mod node;
mod plan;
mod print;
mod rational;
mod scratch;
pub mod sql;
#[cfg(test)]
pub(crate) mod tests;
mod texts;
mod values;
mod verdicts;

use arrow::record_batch::RecordBatch;

pub use count::Count;
pub use error::{CompileError, EvalError};
pub use judge::Judged;
pub use rational::{Rational, round_half_up, round_up};
pub use scratch::Scratch;
pub use values::{ValueProgram, Values};
pub use verdicts::Verdicts;

use crate::check::ir::{Expr, Schema, Ty};
use conjunction::{conjunction, evaluate_conditions};
use evaluate::Block;
use index::{Chain, Index};
use kernels::vector::Vectors;
use lower::Lowering;
use node::{Edge, Graph};
use plan::Plan;

/// Conditions compiled for many batches. Roots keep the order in which they were given.
#[derive(Debug)]
pub struct Program {
    schema: Schema,
    graph: Graph,
    roots: Vec<Edge>,
    index: Index,
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
        plan.loose = index::loose_roots(&graph, &edges);
        plan.finish(&graph);
        let index = Index::new(&graph, &edges);
        Ok(Self { schema: schema.clone(), graph, roots: edges, index, plan })
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
            let mut alive = std::mem::take(&mut block.buffers.alive);
            self.index.find_alive(block, &mut alive);
            for (number, chain) in self.index.chains().iter().enumerate() {
                let reached = if bitmap::is_set(&alive, number) { Some(evaluate_conditions(block, &self.index, chain)) } else { None };
                self.write(block, chain, reached, &mut verdicts);
            }
            block.buffers.alive = alive;
        })?;
        Ok(verdicts)
    }

    /// Writes the verdicts of a chain's roots, of whose conditions so many are to be looked at.
    fn write(&self, block: &Block<'_>, chain: &Chain, reached: Option<usize>, verdicts: &mut Verdicts) {
        let (first, count) = (block.start / 64, block.words());
        for mark in self.index.marks(chain) {
            let Some((&root, others)) = self.index.roots(mark).split_first() else { continue };
            let (yes, unknown) = verdicts.words_mut(root as usize, first, count);
            if reached.is_none_or(|reached| reached < mark.after) {
                yes.fill(0);
                unknown.fill(0);
            } else {
                conjunction(block, &self.index.conditions(chain)[..mark.after], yes, unknown);
            }
            for &other in others {
                verdicts.copy(root as usize, other as usize, first, count);
            }
        }
    }
}

/// Which vectors the loops over rows use on this machine: `avx512`, `avx2`, `neon` or `portable`.
#[must_use]
pub fn vectors() -> &'static str {
    Vectors::best().name()
}
