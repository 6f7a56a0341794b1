//! Bound conditions as a program over dossiers: Arrow arrays in, bitmaps of verdicts out.
//!
//! Before: trees of the checked form, one or more per policy. After: one graph for all of them, in which each distinct
//! condition stands once and is evaluated at most once per block of rows. What differs from the checked form: numbers are
//! lanes of 64-bit integers with scales settled when the program is made, negation is a mark on an edge, comparisons with
//! constants are ranges of integers, and `case` and `coalesce` choose row by row.
//!
//! ```text
//!  Expr ── lower ──▶ Graph ── evaluate, block by block ──▶ Verdicts (yes, unknown)
//!                      ╰───── evaluate, arrays ──────────▶ Values, Arrow arrays (amounts, occasions, facts)
//!  Expr ── interpreter ──▶ one row at a time: the oracle, and what explains a verdict
//!  Expr ── sql ──────────▶ DataFusion SQL: the other oracle
//! ```
//!
//! Nothing here knows the clock, a policy or `DataFusion`.

mod arrays;
pub mod bitmap;
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
mod plan;
mod print;
mod rational;
mod scratch;
pub mod sql;
#[cfg(test)]
mod tests;
mod values;
mod verdicts;

use arrow::record_batch::RecordBatch;

pub use error::{CompileError, EvalError};
pub use rational::{Rational, round_half_up, round_up};
pub use scratch::Scratch;
pub use values::{ValueProgram, Values};
pub use verdicts::Verdicts;

use crate::check::ir::{Expr, Schema, Ty};
use lower::Lowering;
use node::{Edge, Graph};
use plan::Plan;
use scratch::Uniform;

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
