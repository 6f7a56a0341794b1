//! Settles cast rows in their order: repeated ones are set aside, the rest counted and made ready.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;

use super::cast::mask_without;
use super::files::OpenedFile;
use super::quarantine::{Quarantined, Scope};
use super::reader::{FileRead, ReadOutcome};
use super::row_cast::{CastRows, RowCast};
use super::row_keys::Key;
use super::seen_keys::SeenKeys;
use crate::diagnostic::Diagnostic;

/// The cast rows of a window, each batch with its file; an error is the last item.
pub(super) type CastWindow = Vec<Result<(Arc<OpenedFile>, CastRows), Box<Diagnostic>>>;

/// What settling has found so far.
pub(super) struct Settling {
    pub(super) register: Arc<str>,
    /// Columns of a cast batch that are given.
    pub(super) output: Vec<usize>,
    /// None where rows may repeat.
    pub(super) keys: Option<SeenKeys>,
    pub(super) outcome: ReadOutcome,
}

impl Settling {
    /// The batches of a window, and the error that ended it.
    pub(super) fn settle(&mut self, window: CastWindow, cast: &RowCast) -> (Vec<RecordBatch>, Option<Box<Diagnostic>>) {
        let mut sound = Vec::with_capacity(window.len());
        let mut failed = None;
        for result in window {
            match result {
                Ok(rows) => sound.push(rows),
                Err(diagnostic) => {
                    failed = Some(diagnostic);
                    break;
                }
            }
        }
        let repeated = match &mut self.keys {
            Some(seen) => seen.add(&sound.iter().map(|(_, rows)| rows.keys.as_slice()).collect::<Vec<&[Key]>>()),
            None => vec![Vec::new(); sound.len()],
        };
        let batches =
            sound.into_iter().zip(repeated).filter_map(|((file, rows), repeated)| self.settle_batch(&file, rows, &repeated, cast));
        (batches.collect(), failed)
    }

    /// Sets aside repeated rows, counts, and gives the rest. Called in the order of rows.
    fn settle_batch(&mut self, file: &OpenedFile, mut rows: CastRows, repeated: &[usize], cast: &RowCast) -> Option<RecordBatch> {
        self.count(&file.path, file.bytes, rows.rows_read);
        for index in repeated {
            rows.faults.push(cast.repeated(&rows, *index));
        }
        if !repeated.is_empty() {
            rows.faults.sort_by_key(|fault| (fault.row, fault.column));
            let keep = mask_without(rows.batch.num_rows(), repeated.iter().copied());
            rows.batch = filter_record_batch(&rows.batch, &keep).expect("the mask has the batch's length");
            let dropped: Vec<usize> = repeated.iter().map(|index| rows.kept.as_ref().map_or(*index, |kept| kept[*index])).collect();
            let is_dropped = |row: &usize| dropped.binary_search(row).is_ok();
            rows.upgraded.retain(|row| !is_dropped(row));
            rows.faults.retain(|fault| fault.scope == Scope::Row || !is_dropped(&fault.row));
        }
        let path: Arc<str> = file.path.to_string_lossy().into();
        for fault in rows.faults {
            self.outcome.quarantine.add(Quarantined {
                register: Arc::clone(&self.register),
                file: Arc::clone(&path),
                row: rows.first_row + fault.row as u64,
                column: cast.name(fault.column),
                value: fault.value,
                reason: fault.reason,
                scope: fault.scope,
                subject: fault.subject,
            });
        }
        self.outcome.upgraded_ids += rows.upgraded.len() as u64;
        self.outcome.rows_kept += rows.batch.num_rows() as u64;
        (rows.batch.num_rows() > 0).then(|| rows.batch.project(&self.output).expect("the asked-for columns are there"))
    }

    fn count(&mut self, path: &Path, bytes: u64, rows: usize) {
        self.outcome.rows_read += rows as u64;
        match self.outcome.files.last_mut().filter(|file| file.path == path) {
            Some(file) => file.rows += rows as u64,
            None => self.outcome.files.push(FileRead { path: path.to_path_buf(), bytes, rows: rows as u64, sha256: None }),
        }
    }
}
