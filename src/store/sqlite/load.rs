//! A run written into a file of its own, which a transaction of the head then points to.
//!
//! ```text
//!  begin    city.db.loading locked; files that no run has are removed
//!  …        city.db.runs/loading.partial, by a thread of its own, nothing journaled
//!  finish   … to the disk ─rename─▶ run-000012.db; one transaction: the run entered, the pointer moved, old runs dropped
//! ```
//!
//! Whatever is cut off before the transaction leaves a file that no run has, and the pointer where it was.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::files::{Places, failed, io_failed, make_run, run_name, settle};
use super::{run_id, waiting};
use crate::register::declaration::SubjectKind;
use crate::store::{EncodedSubject, Held, Load, RunId, RunSummary, StoreError};

/// Parts that wait to be written.
const WAITING: usize = 4;

/// What is to be written.
enum Part {
    Subjects(SubjectKind, Vec<EncodedSubject>),
    Aliases(SubjectKind, Vec<(String, String)>),
    Document(String, u32, Vec<u8>),
}

/// A run that is being written.
pub(super) struct SqliteLoad {
    places: Places,
    head: Arc<Mutex<Connection>>,
    /// Held until the end, so that nobody else loads.
    lock: File,
    parts: Option<Sender<Part>>,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
}

impl SqliteLoad {
    /// Takes the lock, cleans up, starts to write.
    pub(super) fn begin(places: Places, head: Arc<Mutex<Connection>>) -> Result<Self, StoreError> {
        let path = places.lock();
        let lock = File::options().create(true).append(true).open(&path).map_err(|error| io_failed(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(Held::Load)),
            Err(TryLockError::Error(error)) => return Err(io_failed(&path, &error)),
        }
        let runs = places.runs();
        fs::create_dir_all(&runs).map_err(|error| io_failed(&runs, &error))?;
        remove_left_over(&runs, &known(&head.lock().unwrap_or_else(PoisonError::into_inner))?)?;
        let connection = make_run(&places.partial())?;
        let (sender, receiver) = channel(WAITING);
        let writing = std::thread::spawn(move || write(connection, receiver));
        Ok(Self { places, head, lock, parts: Some(sender), writing: Some(writing) })
    }

    async fn send(&mut self, part: Part) -> Result<(), StoreError> {
        let Some(parts) = &self.parts else { return Err(StoreError::Failed("the load has ended".to_owned())) };
        if parts.send(part).await.is_ok() {
            return Ok(());
        }
        // The writer ended: with an error, for its sender is still here.
        self.end().await?;
        Err(StoreError::Failed("the load has ended".to_owned()))
    }

    /// Waits until all is written.
    async fn end(&mut self) -> Result<(), StoreError> {
        self.parts = None;
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let joined = |error| StoreError::Failed(format!("{error:?}"));
        waiting(move || writing.join().map_err(joined)?).await
    }
}

impl Drop for SqliteLoad {
    fn drop(&mut self) {
        self.parts = None;
        if let Some(writing) = self.writing.take() {
            let _ = writing.join();
        }
        let _ = fs::remove_file(self.places.partial());
        let _ = self.lock.unlock();
    }
}

/// The files of the runs that the head knows.
fn known(head: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = head.prepare("SELECT id FROM run").map_err(failed)?;
    let rows = statement.query_map([], |row| Ok(run_name(run_id(row)?))).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// Removes what an earlier load or a dropped run left.
fn remove_left_over(runs: &Path, known: &[String]) -> Result<(), StoreError> {
    for entry in fs::read_dir(runs).map_err(|error| io_failed(runs, &error))? {
        let entry = entry.map_err(|error| io_failed(runs, &error))?;
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with("run-") || name.starts_with("loading.partial"));
        if is_ours && !known.iter().any(|known| name == **known) {
            fs::remove_file(entry.path()).map_err(|error| io_failed(&entry.path(), &error))?;
        }
    }
    Ok(())
}

/// The writer's thread: everything in one transaction.
fn write(connection: Connection, mut parts: Receiver<Part>) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN").map_err(failed)?;
    while let Some(part) = parts.blocking_recv() {
        match part {
            Part::Subjects(kind, rows) => {
                let sql = format!("INSERT INTO {} (id, body) VALUES (?1, ?2)", kind.name());
                let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
                for row in &rows {
                    statement.execute(params![row.id, row.body]).map_err(failed)?;
                }
            }
            Part::Aliases(kind, aliases) => {
                let mut statement = connection.prepare_cached("INSERT INTO alias (kind, old, new) VALUES (?1, ?2, ?3)").map_err(failed)?;
                for (old, new) in &aliases {
                    statement.execute([kind.name(), old, new]).map_err(failed)?;
                }
            }
            Part::Document(name, part, body) => {
                let sql = "INSERT INTO document (name, part, body) VALUES (?1, ?2, ?3)";
                connection.execute(sql, params![name, part, body]).map_err(failed)?;
            }
        }
    }
    connection.execute_batch("COMMIT").map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))
}

#[async_trait]
impl Load for SqliteLoad {
    async fn subjects(&mut self, kind: SubjectKind, rows: Vec<EncodedSubject>) -> Result<(), StoreError> {
        self.send(Part::Subjects(kind, rows)).await
    }

    async fn aliases(&mut self, kind: SubjectKind, aliases: Vec<(String, String)>) -> Result<(), StoreError> {
        self.send(Part::Aliases(kind, aliases)).await
    }

    async fn document(&mut self, name: &str, part: u32, body: Vec<u8>) -> Result<(), StoreError> {
        self.send(Part::Document(name.to_owned(), part, body)).await
    }

    async fn finish(mut self: Box<Self>, summary: RunSummary, keep: usize) -> Result<RunId, StoreError> {
        self.end().await?;
        waiting(move || self.swap(&summary, keep)).await
    }
}

impl SqliteLoad {
    fn swap(&self, summary: &RunSummary, keep: usize) -> Result<RunId, StoreError> {
        let (partial, runs) = (self.places.partial(), self.places.runs());
        settle(&partial)?;
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = head.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let count = |at: usize| summary.subjects[at].cast_signed();
        transaction
            .execute(
                "INSERT INTO run (as_of, loaded_at, persons, households, entities, granted) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![summary.as_of.to_string(), summary.loaded_at, count(0), count(1), count(2), summary.granted.cast_signed()],
            )
            .map_err(failed)?;
        let id = RunId(transaction.last_insert_rowid().cast_unsigned());
        let path = self.places.run(id);
        fs::rename(&partial, &path).map_err(|error| io_failed(&path, &error))?;
        settle(&runs)?;
        let before: Option<RunId> = {
            let mut statement = transaction.prepare("SELECT run FROM pointer").map_err(failed)?;
            let mut rows = statement.query_map([], run_id).map_err(failed)?;
            rows.next().transpose().map_err(failed)?
        };
        transaction
            .execute("INSERT INTO pointer (one, run) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET run = ?1", [id.0.cast_signed()])
            .map_err(failed)?;
        let dropped: Vec<RunId> = {
            let sql = "DELETE FROM run WHERE id NOT IN (SELECT id FROM run ORDER BY id DESC LIMIT ?1) RETURNING id";
            let mut statement = transaction.prepare(sql).map_err(failed)?;
            let keep = i64::try_from(keep.max(1)).unwrap_or(i64::MAX);
            let rows = statement.query_map([keep], run_id).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)?
        };
        transaction.commit().map_err(failed)?;
        // Who read the run of before may still open its file: it goes with the next load.
        for old in dropped.into_iter().filter(|old| Some(*old) != before) {
            let _ = fs::remove_file(self.places.run(old));
        }
        Ok(id)
    }
}
