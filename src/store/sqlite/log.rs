//! The write-ahead log of a file, brought over into the file beside the writer. Done inside a commit, which is SQLite's own way,
//! it holds up that commit and all that wait behind it: some ten milliseconds, eight times a second, under load.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use super::files::{Form, failed, open};
use crate::store::StoreError;

/// So many changes are worth being brought over: each is about a page, together some 32 MiB.
const MANY: u64 = 8_192;

/// Pages of the log with which the writer itself brings them over, while all wait, after all.
const AT_LAST: i64 = 65_536;

/// What is left of the log when the writer is stopped for the rest, in pages.
const LITTLE: i64 = 256;

/// How often pages are brought over before the writer is stopped, whatever is left.
const ROUNDS: usize = 5;

/// How much lies in the log.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Logged>);

#[derive(Debug)]
struct Logged {
    path: PathBuf,
    form: &'static Form,
    changes: AtomicU64,
    /// Held by whoever brings pages over. Taken before the writer, never after it.
    settling: Mutex<()>,
}

impl Log {
    /// Of a file that is written to by one connection of this process, which no longer brings pages over at its commits.
    pub(super) fn of(writer: &Connection, path: PathBuf, form: &'static Form) -> Result<Self, StoreError> {
        writer.pragma_update(None, "wal_autocheckpoint", AT_LAST).map_err(failed)?;
        Ok(Self(Arc::new(Logged { path, form, changes: AtomicU64::new(0), settling: Mutex::new(()) })))
    }

    /// Counts what was written.
    pub(super) fn wrote(&self, changes: u64) {
        self.0.changes.fetch_add(changes, Ordering::Relaxed);
    }

    /// Whether so much was written that [`Self::settle`] should bring it over, and nobody does.
    pub(super) fn is_long(&self) -> bool {
        self.0.changes.load(Ordering::Relaxed) >= MANY && !matches!(self.0.settling.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Brings pages over on a connection of its own, while the writer goes on; it waits for the little that is left in the
    /// end, so that the log can begin anew. Does nothing where somebody is at it.
    pub(super) fn settle(&self, writer: &Mutex<Connection>) -> Result<(), StoreError> {
        let _alone = match self.0.settling.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let counted = self.0.changes.swap(0, Ordering::Relaxed);
        let done = open(&self.0.path, self.0.form).and_then(|aside| bring_over(&aside, writer));
        if done.is_err() {
            self.wrote(counted);
        }
        done
    }

    /// Keeps others from bringing pages over. To be taken before the writer.
    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the log, so that what was erased is not in it either. Only for who is [`Self::alone`]: pages that somebody else holds
    /// are not waited for.
    pub(super) fn cut(&self, writer: &Connection) -> Result<(), StoreError> {
        let is_held: bool = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
        if is_held {
            return Err(StoreError::Failed(
                "erased, but others hold old pages of the log, in which it still is: erase once more".to_owned(),
            ));
        }
        self.0.changes.store(0, Ordering::Relaxed);
        Ok(())
    }
}

fn bring_over(aside: &Connection, writer: &Mutex<Connection>) -> Result<(), StoreError> {
    // How many pages of the log are in the file now.
    let pass = || -> Result<i64, StoreError> { aside.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2)).map_err(failed) };
    let mut before = 0;
    for _ in 0..ROUNDS {
        let now = pass()?;
        // Counted from the beginning of the log: what came since the pass before.
        let came = now - std::mem::replace(&mut before, now);
        if came.abs() < LITTLE {
            break;
        }
    }
    let _writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    pass().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::files::TRAIL;
    use super::*;

    #[test]
    fn what_is_erased_is_not_said_to_be_gone_while_others_hold_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.trail");
        let writer = open(&path, &TRAIL).expect("it opens");
        let log = Log::of(&writer, path.clone(), &TRAIL).expect("a log");
        writer.busy_timeout(std::time::Duration::ZERO).expect("set");
        let add = || writer.execute("INSERT INTO record (at, digest, hash) VALUES (1, x'00', x'00')", []).expect("written");
        add();
        let reader = open(&path, &TRAIL).expect("it opens");
        let held = reader.unchecked_transaction().expect("begun");
        let count = |connection: &Connection| connection.query_row("SELECT count(*) FROM record", [], |row| row.get::<_, i64>(0));
        assert_eq!(count(&held), Ok(1));
        add();
        {
            let _alone = log.alone();
            assert!(matches!(log.cut(&writer), Err(StoreError::Failed(_))));
        }
        drop(held);
        let _alone = log.alone();
        log.cut(&writer).expect("cut");
        assert_eq!(std::fs::metadata(path.with_extension("trail-wal")).map_or(0, |log| log.len()), 0);
    }
}
