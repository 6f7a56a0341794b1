//! Ours: the policies of the folder that `convert.py` wrote, one program, a batch of one row.

use std::error::Error;
use std::path::Path;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use mianshen::program::{Program, Scratch};
use mianshen::register::declaration::SubjectKind;

use super::{Engine, Subject};
use crate::policies::Ready;

/// All policies as one program.
pub struct Ours {
    program: Program,
    scratch: Scratch,
}

impl Ours {
    /// Reads, checks and compiles the folder.
    ///
    /// # Errors
    ///
    /// The first mistake of the folder.
    pub fn new(dir: &Path, columns: &Schema, as_of: NaiveDate) -> Result<Self, Box<dyn Error>> {
        let ready = Ready::load(dir, SubjectKind::Person, columns, as_of)?;
        Ok(Self { program: ready.program()?, scratch: Scratch::new() })
    }
}

impl Engine for Ours {
    type Record = RecordBatch;

    fn record(&self, subject: &Subject) -> RecordBatch {
        subject.row.clone()
    }

    fn judge(&mut self, record: &RecordBatch, yes: &mut Vec<u32>) {
        let judged = self.program.judge(record, &mut self.scratch).expect("the workload does not overflow");
        yes.extend_from_slice(judged.yes);
    }
}
