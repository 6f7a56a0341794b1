//! One dossier, thousands of policies: the roots that are yes and those that are unknown, without a bitmap per root.

use arrow::record_batch::RecordBatch;

use super::evaluate::Block;
use super::scratch::Uniform;
use super::{EvalError, Program, Scratch, bitmap};

/// What one dossier is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged<'a> {
    /// The roots that are yes, ascending.
    pub yes: &'a [u32],
    /// The roots that are unknown, ascending.
    pub unknown: &'a [u32],
}

impl Program {
    /// The roots that are yes, and those that are unknown, for the one row of a batch. Only roots are looked at that no
    /// condition on a fact rules out.
    ///
    /// # Errors
    ///
    /// As [`Program::evaluate`]; [`EvalError::Malformed`] if the batch has not one row.
    pub fn judge<'a>(&self, batch: &RecordBatch, scratch: &'a mut Scratch) -> Result<Judged<'a>, EvalError> {
        if batch.num_rows() != 1 {
            return Err(EvalError::Malformed { message: format!("one dossier is judged at a time, found {}", batch.num_rows()) });
        }
        let mut yes = std::mem::take(&mut scratch.buffers.yes_roots);
        let mut unknown = std::mem::take(&mut scratch.buffers.unknown_roots);
        yes.clear();
        unknown.clear();
        let run = self.plan.run(&self.graph, &self.schema, batch, scratch, |block| self.judge_row(block, &mut yes, &mut unknown));
        yes.sort_unstable();
        unknown.sort_unstable();
        scratch.buffers.yes_roots = yes;
        scratch.buffers.unknown_roots = unknown;
        run.map(|()| Judged { yes: &scratch.buffers.yes_roots, unknown: &scratch.buffers.unknown_roots })
    }

    fn judge_row(&self, block: &mut Block<'_>, yes: &mut Vec<u32>, unknown: &mut Vec<u32>) {
        let mut alive = std::mem::take(&mut block.buffers.alive);
        self.index.find_alive(block, &mut alive);
        for chain in bitmap::rows(&alive) {
            let chain = &self.index.chains()[chain];
            let conditions = self.index.conditions(chain);
            let (mut done, mut all_yes) = (0, true);
            'marks: for mark in self.index.marks(chain) {
                for &condition in &conditions[done..mark.after] {
                    block.bool(condition);
                    match block.uniform(condition) {
                        Uniform::Yes => {}
                        Uniform::No => break 'marks,
                        // one row that is neither is unknown
                        _ => all_yes = false,
                    }
                }
                done = mark.after;
                if all_yes { &mut *yes } else { &mut *unknown }.extend_from_slice(self.index.roots(mark));
            }
        }
        block.buffers.alive = alive;
    }
}
