//! The store in SQLite files.

mod backup;
mod check;
mod files;
mod live;
mod load;
mod log;
mod run;
mod trail;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::live::Live;
use super::trail::{Content, Erasure, Head, Record, Seq};
use super::{Kept, Load, RunId, RunSummary, Store, StoreError, StoredRun};
use crate::register::declaration::SubjectKind;
pub use backup::{Copied, back_up, restore};
pub use check::check;
use files::{HEAD, Places, Pool, failed, open, open_to_read};
use run::SqliteRun;

/// A store in SQLite files: see `files.rs` for which.
#[derive(Debug)]
pub struct SqliteStore {
    places: Places,
    writer: Arc<Mutex<Connection>>,
    readers: Pool,
    trail: Arc<trail::TrailFile>,
    live: OnceLock<Arc<live::LiveFile>>,
    current: ArcSwapOption<SqliteRun>,
}

impl SqliteStore {
    /// Opens a store; where there is none, `make` makes one.
    ///
    /// # Errors
    ///
    /// When there is none, when what is there is something else or newer, or when it cannot be read or written.
    pub fn open(path: &Path, make: bool) -> Result<Self, StoreError> {
        let places = Places { head: path.to_owned() };
        if !make && !path.is_file() {
            return Err(StoreError::Missing);
        }
        let writer = open(&places.head, &HEAD)?;
        let head = places.head.clone();
        Ok(Self {
            trail: Arc::new(trail::TrailFile::open(&places.trail())?),
            writer: Arc::new(Mutex::new(writer)),
            readers: Pool::new(move || open_to_read(&head, &HEAD)),
            live: OnceLock::new(),
            current: ArcSwapOption::empty(),
            places,
        })
    }

    fn pointer(&self) -> Result<Option<RunId>, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached("SELECT run FROM pointer").map_err(failed)?;
            statement.query_row([], run_id).optional().map_err(failed)
        })
    }

    fn summary(&self, id: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SUMMARY} WHERE id = ?1")).map_err(failed)?;
            statement.query_row([id.0.cast_signed()], summary).optional().map_err(failed)
        })
    }

    /// Runs what writes to the head on a thread that may wait.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = Arc::clone(&self.writer);
        waiting(move || work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs what may wait for the disk on a thread of its own.
async fn waiting<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
}

const SUMMARY: &str = "SELECT id, as_of, loaded_at, persons, households, entities, granted FROM run";

fn run_id(row: &Row<'_>) -> rusqlite::Result<RunId> {
    Ok(RunId(row.get::<_, i64>(0)?.cast_unsigned()))
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    let count = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let as_of: String = row.get(1)?;
    Ok(RunSummary {
        id: run_id(row)?,
        as_of: as_of.parse().unwrap_or_default(),
        loaded_at: row.get(2)?,
        subjects: [count(3)?, count(4)?, count(5)?],
        granted: count(6)?,
    })
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept { key: row.get(0)?, at: row.get(1)?, body: row.get(2)? })
}

#[async_trait]
impl Store for SqliteStore {
    fn place(&self) -> String {
        self.places.head.display().to_string()
    }

    async fn current(&self) -> Result<Option<Arc<dyn StoredRun>>, StoreError> {
        // A run may go while its file is being opened: then the pointer has moved on.
        for _ in 0..3 {
            let Some(id) = self.pointer()? else { return Ok(None) };
            if let Some(run) = self.current.load_full().filter(|run| run.id() == id) {
                return Ok(Some(run));
            }
            let (Some(summary), path) = (self.summary(id)?, self.places.run(id)) else { continue };
            match waiting(move || SqliteRun::open(&path, summary)).await {
                Ok(run) => {
                    let run = Arc::new(run);
                    self.current.store(Some(Arc::clone(&run)));
                    return Ok(Some(run));
                }
                Err(error) if self.pointer()? == Some(id) => return Err(error),
                Err(_) => {}
            }
        }
        Err(StoreError::Gone)
    }

    async fn run(&self, id: RunId) -> Result<Option<Arc<dyn StoredRun>>, StoreError> {
        if let Some(run) = self.current.load_full().filter(|run| run.id() == id) {
            return Ok(Some(run));
        }
        let Some(summary) = self.summary(id)? else { return Ok(None) };
        let path = self.places.run(id);
        let run: Arc<dyn StoredRun> = Arc::new(waiting(move || SqliteRun::open(&path, summary)).await?);
        Ok(Some(run))
    }

    async fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.readers.with(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SUMMARY} ORDER BY id DESC")).map_err(failed)?;
            let rows = statement.query_map([], summary).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }

    async fn load(&self) -> Result<Box<dyn Load>, StoreError> {
        let (places, writer) = (self.places.clone(), Arc::clone(&self.writer));
        let load = waiting(move || load::SqliteLoad::begin(places, writer)).await?;
        Ok(Box::new(load))
    }

    async fn trail_append(&self, at: i64, contents: &[Content]) -> Result<Seq, StoreError> {
        let (trail, contents) = (Arc::clone(&self.trail), contents.to_vec());
        let first = waiting(move || trail.append(at, &contents)).await?;
        if self.trail.is_long() {
            let trail = Arc::clone(&self.trail);
            // Nobody waits for it. What fails is tried again after the next entries, and by the writer itself at last.
            drop(tokio::task::spawn_blocking(move || trail.settle()));
        }
        Ok(first)
    }

    async fn trail_records(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
        let trail = Arc::clone(&self.trail);
        waiting(move || trail.records(from, limit)).await
    }

    async fn trail_about(&self, kind: SubjectKind, id: &str, before: Option<Seq>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let (trail, id) = (Arc::clone(&self.trail), id.to_owned());
        waiting(move || trail.about(kind, &id, before, limit)).await
    }

    async fn trail_head(&self) -> Result<Option<Head>, StoreError> {
        self.trail.head()
    }

    async fn trail_erase(&self, at: i64, erasure: &Erasure) -> Result<u64, StoreError> {
        let (trail, erasure) = (Arc::clone(&self.trail), erasure.clone());
        waiting(move || trail.erase(at, &erasure)).await
    }

    async fn kept(&self, list: &str, key: &str) -> Result<Option<Kept>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT key, at, body FROM kept WHERE list = ?1 AND key = ?2";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            statement.query_row([list, key], kept).optional().map_err(failed)
        })
    }

    async fn kept_all(&self, list: &str) -> Result<Vec<Kept>, StoreError> {
        self.readers.with(|connection| {
            let sql = "SELECT key, at, body FROM kept WHERE list = ?1 ORDER BY key";
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let rows = statement.query_map([list], kept).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }

    async fn keep_new(&self, list: &str, value: &Kept) -> Result<Option<Kept>, StoreError> {
        let (list, value) = (list.to_owned(), value.clone());
        self.write(move |connection| {
            let sql = "INSERT INTO kept (list, key, at, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            if connection.execute(sql, params![list, value.key, value.at, value.body]).map_err(failed)? == 1 {
                return Ok(None);
            }
            let sql = "SELECT key, at, body FROM kept WHERE list = ?1 AND key = ?2";
            connection.query_row(sql, params![list, value.key], kept).optional().map_err(failed)
        })
        .await
    }

    async fn keep(&self, list: &str, value: &Kept) -> Result<(), StoreError> {
        let (list, value) = (list.to_owned(), value.clone());
        self.write(move |connection| {
            let sql = "INSERT OR REPLACE INTO kept (list, key, at, body) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(sql, params![list, value.key, value.at, value.body]).map_err(failed).map(|_| ())
        })
        .await
    }

    async fn forget(&self, list: &str, key: &str) -> Result<bool, StoreError> {
        let (list, key) = (list.to_owned(), key.to_owned());
        self.write(move |connection| {
            let gone = connection.execute("DELETE FROM kept WHERE list = ?1 AND key = ?2", [list, key]).map_err(failed)?;
            Ok(gone > 0)
        })
        .await
    }

    async fn forget_before(&self, list: &str, at: i64) -> Result<u64, StoreError> {
        let list = list.to_owned();
        self.write(move |connection| {
            let gone = connection.execute("DELETE FROM kept WHERE list = ?1 AND at < ?2", params![list, at]).map_err(failed)?;
            Ok(gone as u64)
        })
        .await
    }

    async fn live(&self) -> Result<Arc<dyn Live>, StoreError> {
        if let Some(live) = self.live.get() {
            return Ok(Arc::clone(live) as Arc<dyn Live>);
        }
        let places = self.places.clone();
        let opened = waiting(move || live::LiveFile::open(&places)).await?;
        // Who came second uses what the first opened.
        Ok(Arc::clone(self.live.get_or_init(|| Arc::new(opened))) as Arc<dyn Live>)
    }

    async fn live_if_there(&self) -> Result<Option<Arc<dyn Live>>, StoreError> {
        if self.places.live().is_file() { self.live().await.map(Some) } else { Ok(None) }
    }
}
