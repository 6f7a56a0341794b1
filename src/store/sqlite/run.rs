//! One run in its own file, which never changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::files::{Pool, failed, open_run};
use super::waiting;
use crate::register::declaration::SubjectKind;
use crate::store::body::{Layout, RunDocument, decode};
use crate::store::documents::{POLICY_FILES, RUN, policy_files, table, table_name};
use crate::store::{PolicyFile, Run, RunId, RunSummary, StoreError, StoredRun, StoredSubject};

/// One run.
#[derive(Debug)]
pub(super) struct SqliteRun {
    run: Arc<Run>,
    opened: Arc<Opened>,
}

/// What reads share.
#[derive(Debug)]
struct Opened {
    layout: Layout,
    pool: Pool,
}

impl SqliteRun {
    /// Opens the file of a run.
    pub(super) fn open(path: &Path, summary: RunSummary) -> Result<Self, StoreError> {
        let path: PathBuf = path.to_owned();
        let pool = Pool::new(move || open_run(&path));
        let parts = pool.with(|connection| document(connection, RUN))?;
        let part = parts.first().ok_or_else(|| StoreError::Damaged(format!("run {} was not written to its end", summary.id)))?;
        let (run, layout) = RunDocument::read(part, summary)?;
        Ok(Self { run: Arc::new(run), opened: Arc::new(Opened { layout, pool }) })
    }

    /// Its number.
    pub(super) fn id(&self) -> RunId {
        self.run.summary.id
    }

    async fn document(&self, name: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let (opened, name) = (Arc::clone(&self.opened), name.to_owned());
        waiting(move || opened.pool.with(|connection| document(connection, &name))).await
    }
}

/// The parts of a document, in order.
fn document(connection: &Connection, name: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT body FROM document WHERE name = ?1 ORDER BY part").map_err(failed)?;
    let rows = statement.query_map([name], |row| row.get(0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

impl Opened {
    fn subject(&self, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError> {
        self.pool.with(|connection| {
            if let Some(found) = self.find(connection, kind, id)? {
                return Ok(Some(found));
            }
            let mut statement = connection.prepare_cached("SELECT new FROM alias WHERE kind = ?1 AND old = ?2").map_err(failed)?;
            let today: Option<String> = statement.query_row([kind.name(), id], |row| row.get(0)).optional().map_err(failed)?;
            today.map_or(Ok(None), |today| self.find(connection, kind, &today))
        })
    }

    fn find(&self, connection: &Connection, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError> {
        let sql = match kind {
            SubjectKind::Person => "SELECT body FROM person WHERE id = ?1",
            SubjectKind::Household => "SELECT body FROM household WHERE id = ?1",
            SubjectKind::Entity => "SELECT body FROM entity WHERE id = ?1",
        };
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query([id]).map_err(failed)?;
        let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
        let body = row.get_ref(0).map_err(failed)?.as_blob().map_err(|error| StoreError::Damaged(error.to_string()))?;
        decode(&self.layout, kind, id, body).map(Some)
    }

    fn subjects(&self, kind: SubjectKind, after: &str, limit: usize) -> Result<Vec<StoredSubject>, StoreError> {
        let sql = match kind {
            SubjectKind::Person => "SELECT id, body FROM person WHERE id > ?1 ORDER BY id LIMIT ?2",
            SubjectKind::Household => "SELECT id, body FROM household WHERE id > ?1 ORDER BY id LIMIT ?2",
            SubjectKind::Entity => "SELECT id, body FROM entity WHERE id > ?1 ORDER BY id LIMIT ?2",
        };
        self.pool.with(|connection| {
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query(rusqlite::params![after, limit]).map_err(failed)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().map_err(failed)? {
                let damaged = |error: rusqlite::types::FromSqlError| StoreError::Damaged(error.to_string());
                let id = row.get_ref(0).map_err(failed)?.as_str().map_err(damaged)?;
                let body = row.get_ref(1).map_err(failed)?.as_blob().map_err(damaged)?;
                found.push(decode(&self.layout, kind, id, body)?);
            }
            Ok(found)
        })
    }
}

#[async_trait]
impl StoredRun for SqliteRun {
    fn run(&self) -> &Arc<Run> {
        &self.run
    }

    async fn subject(&self, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError> {
        self.opened.subject(kind, id)
    }

    async fn aliases(&self, kind: SubjectKind) -> Result<Vec<(String, String)>, StoreError> {
        let opened = Arc::clone(&self.opened);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached("SELECT old, new FROM alias WHERE kind = ?1 ORDER BY old").map_err(failed)?;
            let rows = statement.query_map([kind.name()], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        };
        waiting(move || opened.pool.with(read)).await
    }

    async fn subjects(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<StoredSubject>, StoreError> {
        let (opened, after) = (Arc::clone(&self.opened), after.unwrap_or("").to_owned());
        waiting(move || opened.subjects(kind, &after, limit)).await
    }

    async fn table(&self, name: &str) -> Result<Vec<RecordBatch>, StoreError> {
        table(&self.document(&table_name(name)).await?)
    }

    async fn policy_files(&self) -> Result<Vec<PolicyFile>, StoreError> {
        policy_files(&self.document(POLICY_FILES).await?)
    }
}
