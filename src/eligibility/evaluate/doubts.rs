//! What an unknown verdict hangs on, in few bits a row: rows with the same bits lack the same facts.
//!
//! Which facts a row lacks is found by [`interpreter::missing`](crate::program::interpreter::missing), which walks the
//! verdict and asks of each part only this: of a condition, whether it is yes, no or unknown; of any other value,
//! whether it is known. These answers are computed here for all rows of a batch at once. What `and`, `or`, `not` and
//! `at least` answer follows from their parts and is left out.

use arrow::array::RecordBatch;

use crate::check::ir::{Expr, Kind, Schema, Ty};
use crate::program::{Program, Scratch, Verdicts};

/// The parts of one verdict, compiled.
pub(super) struct Doubts {
    program: Program,
    scratch: Scratch,
}

impl Doubts {
    /// The parts of a bound verdict; none when they cannot be compiled.
    pub(super) fn new(schema: &Schema, verdict: &Expr) -> Option<Self> {
        let mut parts = Vec::new();
        collect(verdict, &mut parts);
        let program = Program::compile(schema, &parts).ok()?;
        Some(Self { program, scratch: Scratch::default() })
    }

    /// The answers of all rows; none when arithmetic overflows on one of them.
    pub(super) fn evaluate(&mut self, batch: &RecordBatch) -> Option<Verdicts> {
        self.program.evaluate(batch, &mut self.scratch).ok()
    }

    /// Takes the memory of answers that are no longer needed.
    pub(super) fn recycle(&mut self, answers: Verdicts) {
        self.scratch.recycle(answers);
    }
}

/// The answers of one row, two bits for each part.
pub(super) fn answers_of(answers: &Verdicts, row: usize, bits: &mut BitList) {
    for part in 0..answers.roots() {
        bits.push(answers.yes(part)[row / 64] >> (row % 64) & 1 == 1);
        bits.push(answers.unknown(part)[row / 64] >> (row % 64) & 1 == 1);
    }
}

/// Bits in a row.
#[derive(Debug, Default)]
pub(super) struct BitList {
    words: Vec<u64>,
    len: usize,
}

impl BitList {
    /// Without bits.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.len = 0;
    }

    /// Adds a bit.
    pub(super) fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if let Some(last) = self.words.last_mut() {
            *last |= u64::from(bit) << (self.len % 64);
        }
        self.len += 1;
    }

    /// All bits; those past the last are zero.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }
}

fn collect(expr: &Expr, parts: &mut Vec<Expr>) {
    let part = match &expr.kind {
        Kind::Literal(_) | Kind::Unknown | Kind::And(_) | Kind::Or(_) | Kind::Not(_) | Kind::AtLeast(..) => None,
        _ if expr.ty == Ty::Bool => Some(expr.clone()),
        _ => Some(Expr::new(Kind::IsKnown(Box::new(expr.clone())), Ty::Bool)),
    };
    if let Some(part) = part.filter(|part| !parts.contains(part)) {
        parts.push(part);
    }
    expr.children().into_iter().for_each(|child| collect(child, parts));
}
