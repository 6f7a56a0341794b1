//! Values per row instead of verdicts: amounts, occasions, ranks, of the rows that are owed something.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::bitmap;
use super::fraction::Fraction;
use super::lower::Lowering;
use super::node::{Edge, Graph, TextId};
use super::plan::Plan;
use super::rational::Rational;
use super::{CompileError, EvalError, Scratch};
use crate::check::ir::{Expr, Schema, Ty, Value};

/// Expressions of any type compiled for many batches. Roots keep the order in which they were given.
#[derive(Debug)]
pub struct ValueProgram {
    pub(super) schema: Schema,
    pub(super) graph: Graph,
    pub(super) roots: Vec<Root>,
    pub(super) plan: Plan,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root {
    Bool(Edge),
    Number(Fraction),
    Date(Fraction),
    Text(TextId),
}

/// The values of one root, one per row of the batch; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Of a boolean expression.
    Bool(Vec<Option<bool>>),
    /// Of a number: exact, not rounded.
    Number(Vec<Option<Rational>>),
    /// Of a date: days since 1970-01-01.
    Date(Vec<Option<i32>>),
    /// Of a text.
    Text(Vec<Option<Arc<str>>>),
}

impl Values {
    /// The number of a row; `None` where it is unknown, or the root no number.
    #[must_use]
    pub fn number(&self, row: usize) -> Option<Rational> {
        match self {
            Self::Number(values) => values.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// What is no number, as a value of the checked form; `None` where it is unknown, or the root a number.
    #[must_use]
    pub fn value(&self, row: usize) -> Option<Value> {
        match self {
            Self::Bool(values) => values.get(row).copied().flatten().map(Value::Bool),
            Self::Number(_) => None,
            Self::Date(values) => values.get(row).copied().flatten().map(Value::Date),
            Self::Text(values) => values.get(row).cloned().flatten().map(Value::Text),
        }
    }
}

impl ValueProgram {
    /// Compiles bound expressions over the facts of a schema.
    ///
    /// # Errors
    ///
    /// If an expression is not bound, is wrongly typed, or has a constant beyond 64 bits.
    pub fn compile(schema: &Schema, roots: &[Expr]) -> Result<Self, CompileError> {
        let mut lowering = Lowering::new(schema);
        let mut lowered = Vec::with_capacity(roots.len());
        for (index, root) in roots.iter().enumerate() {
            lowering.root = index;
            lowered.push(match root.ty {
                Ty::Bool => Root::Bool(lowering.boolean(root)?),
                Ty::Number => Root::Number(lowering.fraction(root)?),
                Ty::Date => Root::Date(lowering.fraction(root)?),
                Ty::Text => Root::Text(lowering.text(root)?),
            });
        }
        let graph = lowering.graph;
        let mut plan = Plan::new(&graph, schema.columns.len());
        for (index, root) in lowered.iter().enumerate() {
            match root {
                Root::Bool(edge) => plan.reach_bool(&graph, *edge, index),
                Root::Number(number) | Root::Date(number) => {
                    [Some(number.num), number.den].into_iter().flatten().for_each(|lane| plan.reach_lane(&graph, lane, index));
                }
                Root::Text(text) => plan.reach_text(&graph, *text, index, true),
            }
        }
        plan.finish(&graph);
        Ok(Self { schema: schema.clone(), graph, roots: lowered, plan })
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

    /// The values of each root for all rows of a batch.
    ///
    /// # Errors
    ///
    /// As [`super::Program::evaluate`].
    pub fn evaluate(&self, batch: &RecordBatch, scratch: &mut Scratch) -> Result<Vec<Values>, EvalError> {
        let rows = batch.num_rows();
        let mut values: Vec<Values> = self.roots.iter().map(|root| root.empty(rows)).collect();
        self.plan.run(&self.graph, &self.schema, batch, scratch, |block| {
            for (root, values) in self.roots.iter().zip(&mut values) {
                root.append(block, values);
            }
        })?;
        Ok(values)
    }

    /// The values of one root, when a batch is filtered for it alone.
    ///
    /// # Errors
    ///
    /// As [`super::Program::evaluate`].
    pub fn evaluate_root(&self, root: usize, batch: &RecordBatch, scratch: &mut Scratch) -> Result<Values, EvalError> {
        let mut values = self.roots[root].empty(batch.num_rows());
        self.plan.run(&self.graph, &self.schema, batch, scratch, |block| self.roots[root].append(block, &mut values))?;
        Ok(values)
    }
}

impl Root {
    fn empty(self, rows: usize) -> Values {
        match self {
            Self::Bool(_) => Values::Bool(Vec::with_capacity(rows)),
            Self::Number(_) => Values::Number(Vec::with_capacity(rows)),
            Self::Date(_) => Values::Date(Vec::with_capacity(rows)),
            Self::Text(_) => Values::Text(Vec::with_capacity(rows)),
        }
    }

    fn append(self, block: &mut super::evaluate::Block<'_>, values: &mut Values) {
        match (self, values) {
            (Self::Bool(edge), Values::Bool(values)) => {
                block.bool(edge);
                let words = block.edge(edge);
                values.extend((0..block.rows).map(|row| match (bitmap::is_set(words.yes, row), bitmap::is_set(words.no, row)) {
                    (true, _) => Some(true),
                    (_, true) => Some(false),
                    _ => None,
                }));
            }
            (Self::Number(number), Values::Number(values)) => {
                block.lane(number.num);
                number.den.into_iter().for_each(|den| block.lane(den));
                let (num, den) = (block.lane_buffer(number.num), number.den.map(|den| block.lane_buffer(den)));
                let power = 10_i128.pow(number.scale.unsigned_abs());
                let (num_factor, den_factor) = if number.scale < 0 { (power, 1) } else { (1, power) };
                values.extend((0..block.rows).map(|row| {
                    let den = den.map_or(1, |den| den.values[row]);
                    bitmap::is_set(&num.known, row)
                        .then(|| Rational::new(i128::from(num.values[row]) * num_factor, i128::from(den) * den_factor))
                        .flatten()
                }));
            }
            (Self::Date(date), Values::Date(values)) => {
                block.lane(date.num);
                let days = block.lane_buffer(date.num);
                values.extend(
                    (0..block.rows).map(|row| if bitmap::is_set(&days.known, row) { i32::try_from(days.values[row]).ok() } else { None }),
                );
            }
            (Self::Text(text), Values::Text(values)) => {
                block.text(text);
                let (keys, known) = block.text_part(text);
                // one allocation per distinct text
                let mut shared: Vec<Option<Arc<str>>> = Vec::new();
                values.extend(keys.iter().enumerate().map(|(row, &key)| {
                    if !bitmap::is_set(known, row) {
                        return None;
                    }
                    let place = key as usize;
                    if shared.len() <= place {
                        shared.resize(place + 1, None);
                    }
                    if shared[place].is_none() {
                        shared[place] = block.text_of(text, key).map(Arc::from);
                    }
                    shared[place].clone()
                }));
            }
            _ => unreachable!("values are made for their root"),
        }
    }
}
