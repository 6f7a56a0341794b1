//! The write-ahead log of the live file, brought over into the file beside the writer: done inside a commit, which is SQLite's
//! own way, it holds up that commit and all that wait behind it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::Connection;

use super::{LIVE, Writer};
use crate::store::StoreError;
use crate::store::sqlite::files::{failed, open};

/// So many changes are worth being brought over: each is about a page.
const MANY: u64 = 16_384;

/// Pages of the log with which the writer itself brings them over, while all wait, after all: 512 MiB.
pub(super) const AT_LAST: i64 = 131_072;

/// What is left of the log when the writer is stopped for the rest, in pages.
const LITTLE: i64 = 512;

/// How often pages are brought over before the writer is stopped, whatever is left.
const ROUNDS: usize = 4;

/// How much lies in the log.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Logged>);

#[derive(Debug)]
struct Logged {
    path: PathBuf,
    changes: AtomicU64,
    is_settling: AtomicBool,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Logged { path, changes: AtomicU64::new(0), is_settling: AtomicBool::new(false) }))
    }

    /// Counts what was written; says whether somebody should bring it over now.
    pub(super) fn wrote(&self, changes: u64) -> bool {
        let all = self.0.changes.fetch_add(changes, Ordering::Relaxed) + changes;
        all >= MANY && !self.0.is_settling.load(Ordering::Relaxed)
    }

    /// Brings pages over on a connection of its own, while the writer goes on; it waits for the little that is left in the
    /// end, so that the log can begin anew.
    pub(super) fn settle(&self, writer: &Writer) -> Result<(), StoreError> {
        if self.0.is_settling.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.0.changes.store(0, Ordering::Relaxed);
        let done = open(&self.0.path, &LIVE).and_then(|aside| bring_over(&aside, writer));
        self.0.is_settling.store(false, Ordering::Release);
        done
    }
}

fn bring_over(aside: &Connection, writer: &Writer) -> Result<(), StoreError> {
    // How many pages of the log are in the file now.
    let pass = || -> Result<i64, StoreError> { aside.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2)).map_err(failed) };
    let mut before = 0;
    for _ in 0..ROUNDS {
        let now = pass()?;
        let came = now - std::mem::replace(&mut before, now);
        if came.abs() < LITTLE {
            break;
        }
    }
    let _writer = writer.lock();
    pass().map(|_| ())
}
