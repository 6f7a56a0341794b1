//! The store in PostgreSQL, where several processes on several machines share it.
//!
//! ```text
//!  schema mianshen       version, run, pointer, kept, trail_record, trail_content; of the live part the tables of `live/`
//!  schema mianshen_run_12  person, household, entity, alias, document       one per run, made and filled in one transaction
//! ```
//!
//! A load is one transaction, which ends with the pointer: the database itself takes back what was cut off. A reader holds a
//! shared advisory lock on its run, and a run that is held is not dropped.

mod address;
mod leases;
mod live;
mod load;
mod run;
mod schema;
mod tls;
mod trail;

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use deadpool_postgres::{Object, Pool, Runtime};
use tokio_postgres::Row;

use super::live::Live;
use super::trail::{Content, Erasure, Head, Record, Seq};
use super::{Kept, Load, RunId, RunSummary, Store, StoreError, StoredRun};
use crate::register::declaration::SubjectKind;
pub(super) use address::{has_password, place};
use leases::Leases;
use run::PostgresRun;
use tls::Access;

/// Connections of the pool; each costs the server a process.
const CONNECTIONS: usize = 16;

/// A store in PostgreSQL.
pub(super) struct PostgresStore {
    place: String,
    access: Access,
    pool: Pool,
    leases: Arc<Leases>,
    current: ArcSwapOption<PostgresRun>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresStore").field("place", &self.place).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects; where the schema is not there yet, `make` makes it.
    ///
    /// # Errors
    ///
    /// When the address is none, the database cannot be reached, the schema is not there, or it is newer.
    pub(super) async fn open(url: &str, make: bool) -> Result<Self, StoreError> {
        let access = address::access(url)?;
        let pool = Pool::builder(access.manager())
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Failed(error.to_string()))?;
        let mut connection = connection(&pool).await?;
        schema::open(&mut connection, make).await?;
        drop(connection);
        let leases = Arc::new(Leases::connect(&access).await?);
        Ok(Self { place: place(url), access, pool, leases, current: ArcSwapOption::empty() })
    }

    async fn summary(&self, id: RunId) -> Result<Option<RunSummary>, StoreError> {
        let connection = connection(&self.pool).await?;
        let statement = connection.prepare_cached(&format!("{SUMMARY} WHERE id = $1")).await.map_err(failed)?;
        let row = connection.query_opt(&statement, &[&id.0.cast_signed()]).await.map_err(failed)?;
        Ok(row.map(|row| summary(&row)))
    }

    async fn open_run(&self, id: RunId) -> Result<Option<PostgresRun>, StoreError> {
        // The lease first: what is held is not dropped between the two.
        let lease = self.leases.hold(id).await?;
        let Some(summary) = self.summary(id).await? else { return Ok(None) };
        PostgresRun::open(self.pool.clone(), summary, lease).await.map(Some)
    }
}

/// A connection of the pool.
async fn connection(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        deadpool_postgres::PoolError::Backend(error) => failed(error),
        other => StoreError::Unreachable(other.to_string()),
    })
}

/// A text as PostgreSQL can hold one: without NUL. What stands for it is the same where a text is written and where it is looked
/// for.
fn held(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same of several.
fn held_all<'t>(texts: &[&'t str]) -> Vec<Cow<'t, str>> {
    texts.iter().map(|text| held(text)).collect()
}

/// What PostgreSQL tells. Its texts hold no passwords.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failed(error: tokio_postgres::Error) -> StoreError {
    use tokio_postgres::error::SqlState;
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::Full,
        Some(code) if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME => StoreError::Gone,
        Some(code) if code.code().starts_with("28") || code.code().starts_with("3D") => StoreError::Unreachable(told(&error)),
        Some(_) => StoreError::Failed(told(&error)),
        None if error.is_closed() => StoreError::Unreachable("the connection was closed".to_owned()),
        None => StoreError::Unreachable(told(&error)),
    }
}

/// The server's own words, else those of the driver with what caused them.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

const SUMMARY: &str = "SELECT id, as_of, loaded_at, persons, households, entities, granted FROM mianshen.run";

fn summary(row: &Row) -> RunSummary {
    let count = |at: usize| row.get::<_, i64>(at).cast_unsigned();
    RunSummary {
        id: RunId(count(0)),
        as_of: row.get::<_, &str>(1).parse().unwrap_or_default(),
        loaded_at: row.get(2),
        subjects: [count(3), count(4), count(5)],
        granted: count(6),
    }
}

fn kept(row: &Row) -> Kept {
    Kept { key: row.get(0), at: row.get(1), body: row.get(2) }
}

#[async_trait]
impl Store for PostgresStore {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn current(&self) -> Result<Option<Arc<dyn StoredRun>>, StoreError> {
        for _ in 0..3 {
            let pointer = {
                let connection = connection(&self.pool).await?;
                let statement = connection.prepare_cached("SELECT run FROM mianshen.pointer").await.map_err(failed)?;
                connection.query_opt(&statement, &[]).await.map_err(failed)?
            };
            let Some(row) = pointer else { return Ok(None) };
            let id = RunId(row.get::<_, i64>(0).cast_unsigned());
            if let Some(run) = self.current.load_full().filter(|run| run.id() == id) {
                return Ok(Some(run));
            }
            match self.open_run(id).await {
                Ok(Some(run)) => {
                    let run = Arc::new(run);
                    self.current.store(Some(Arc::clone(&run)));
                    return Ok(Some(run));
                }
                // Dropped meanwhile: the pointer has moved on.
                Ok(None) | Err(StoreError::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Gone)
    }

    async fn run(&self, id: RunId) -> Result<Option<Arc<dyn StoredRun>>, StoreError> {
        if let Some(run) = self.current.load_full().filter(|run| run.id() == id) {
            return Ok(Some(run));
        }
        Ok(self.open_run(id).await?.map(|run| Arc::new(run) as Arc<dyn StoredRun>))
    }

    async fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        let connection = connection(&self.pool).await?;
        let rows = connection.query(&format!("{SUMMARY} ORDER BY id DESC"), &[]).await.map_err(failed)?;
        Ok(rows.iter().map(summary).collect())
    }

    async fn load(&self) -> Result<Box<dyn Load>, StoreError> {
        Ok(Box::new(load::PostgresLoad::begin(&self.access, self.pool.clone()).await?))
    }

    async fn trail_append(&self, at: i64, contents: &[Content]) -> Result<Seq, StoreError> {
        let mut connection = connection(&self.pool).await?;
        trail::append(&mut connection, at, contents).await
    }

    async fn trail_records(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
        let connection = connection(&self.pool).await?;
        trail::records(&connection, from, limit).await
    }

    async fn trail_about(&self, kind: SubjectKind, id: &str, before: Option<Seq>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let connection = connection(&self.pool).await?;
        trail::about(&connection, kind, id, before, limit).await
    }

    async fn trail_head(&self) -> Result<Option<Head>, StoreError> {
        let connection = connection(&self.pool).await?;
        trail::head(&**connection).await
    }

    async fn trail_erase(&self, at: i64, erasure: &Erasure) -> Result<u64, StoreError> {
        let mut connection = connection(&self.pool).await?;
        trail::erase(&mut connection, at, erasure).await
    }

    async fn kept(&self, list: &str, key: &str) -> Result<Option<Kept>, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = "SELECT key, at, body FROM mianshen.kept WHERE list = $1 AND key = $2";
        let statement = connection.prepare_cached(sql).await.map_err(failed)?;
        let row = connection.query_opt(&statement, &[&list, &key]).await.map_err(failed)?;
        Ok(row.map(|row| kept(&row)))
    }

    async fn kept_all(&self, list: &str) -> Result<Vec<Kept>, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = "SELECT key, at, body FROM mianshen.kept WHERE list = $1 ORDER BY key";
        let rows = connection.query(sql, &[&list]).await.map_err(failed)?;
        Ok(rows.iter().map(kept).collect())
    }

    async fn keep_new(&self, list: &str, value: &Kept) -> Result<Option<Kept>, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = "INSERT INTO mianshen.kept (list, key, at, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let statement = connection.prepare_cached(sql).await.map_err(failed)?;
        if connection.execute(&statement, &[&list, &value.key, &value.at, &value.body]).await.map_err(failed)? == 1 {
            return Ok(None);
        }
        drop(connection);
        self.kept(list, &value.key).await
    }

    async fn keep(&self, list: &str, value: &Kept) -> Result<(), StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = "INSERT INTO mianshen.kept (list, key, at, body) VALUES ($1, $2, $3, $4)
            ON CONFLICT (list, key) DO UPDATE SET at = $3, body = $4";
        let statement = connection.prepare_cached(sql).await.map_err(failed)?;
        connection.execute(&statement, &[&list, &value.key, &value.at, &value.body]).await.map_err(failed).map(|_| ())
    }

    async fn forget(&self, list: &str, key: &str) -> Result<bool, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = "DELETE FROM mianshen.kept WHERE list = $1 AND key = $2";
        Ok(connection.execute(sql, &[&list, &key]).await.map_err(failed)? > 0)
    }

    async fn forget_before(&self, list: &str, at: i64) -> Result<u64, StoreError> {
        let connection = connection(&self.pool).await?;
        connection.execute("DELETE FROM mianshen.kept WHERE list = $1 AND at < $2", &[&list, &at]).await.map_err(failed)
    }

    async fn live(&self) -> Result<Arc<dyn Live>, StoreError> {
        Ok(Arc::new(live::PostgresLive { access: self.access.clone(), pool: self.pool.clone() }))
    }

    async fn live_if_there(&self) -> Result<Option<Arc<dyn Live>>, StoreError> {
        // Its tables are there with all others.
        self.live().await.map(Some)
    }
}
