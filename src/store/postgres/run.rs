//! One run in its own schema, which never changes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use deadpool_postgres::Pool;

use super::leases::Lease;
use super::{connection, failed, held};
use crate::register::declaration::SubjectKind;
use crate::store::body::{Layout, RunDocument, decode};
use crate::store::documents::{POLICY_FILES, RUN, policy_files, table, table_name};
use crate::store::{PolicyFile, Run, RunId, RunSummary, StoreError, StoredRun, StoredSubject};

/// One run.
pub(super) struct PostgresRun {
    run: Arc<Run>,
    layout: Layout,
    pool: Pool,
    schema: String,
    #[expect(dead_code, reason = "held so that the run stays")]
    lease: Lease,
}

impl std::fmt::Debug for PostgresRun {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresRun").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The schema of a run.
pub(super) fn schema_of(id: RunId) -> String {
    format!("mianshen_run_{id}")
}

impl PostgresRun {
    pub(super) async fn open(pool: Pool, summary: RunSummary, lease: Lease) -> Result<Self, StoreError> {
        let schema = schema_of(summary.id);
        let parts = document(&pool, &schema, RUN).await?;
        let part = parts.first().ok_or_else(|| StoreError::Damaged(format!("run {} was not written to its end", summary.id)))?;
        let (run, layout) = RunDocument::read(part, summary)?;
        Ok(Self { run: Arc::new(run), layout, pool, schema, lease })
    }

    pub(super) fn id(&self) -> RunId {
        self.run.summary.id
    }
}

/// The parts of a document, in order.
async fn document(pool: &Pool, schema: &str, name: &str) -> Result<Vec<Vec<u8>>, StoreError> {
    let connection = connection(pool).await?;
    let sql = format!("SELECT body FROM {schema}.document WHERE name = $1 ORDER BY part");
    let rows = connection.query(&sql, &[&name]).await.map_err(failed)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[async_trait]
impl StoredRun for PostgresRun {
    fn run(&self) -> &Arc<Run> {
        &self.run
    }

    async fn subject(&self, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError> {
        let connection = connection(&self.pool).await?;
        // One round trip, whether the identifier is today's or one of before.
        let (schema, table) = (&self.schema, kind.name());
        let sql = format!(
            "SELECT id, body FROM {schema}.{table}
             WHERE id = coalesce((SELECT new FROM {schema}.alias WHERE kind = '{table}' AND old = $1
                AND NOT EXISTS (SELECT 1 FROM {schema}.{table} WHERE id = $1)), $1)"
        );
        let statement = connection.prepare_cached(&sql).await.map_err(failed)?;
        let Some(row) = connection.query_opt(&statement, &[&held(id)]).await.map_err(failed)? else { return Ok(None) };
        decode(&self.layout, kind, row.get(0), row.get(1)).map(Some)
    }

    async fn aliases(&self, kind: SubjectKind) -> Result<Vec<(String, String)>, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = format!("SELECT old, new FROM {}.alias WHERE kind = $1 ORDER BY old", self.schema);
        let rows = connection.query(&sql, &[&kind.name()]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn subjects(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<StoredSubject>, StoreError> {
        let connection = connection(&self.pool).await?;
        let sql = format!("SELECT id, body FROM {}.{} WHERE id > $1 ORDER BY id LIMIT $2", self.schema, kind.name());
        let statement = connection.prepare_cached(&sql).await.map_err(failed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = connection.query(&statement, &[&after.unwrap_or(""), &limit]).await.map_err(failed)?;
        rows.iter().map(|row| decode(&self.layout, kind, row.get(0), row.get(1))).collect()
    }

    async fn table(&self, name: &str) -> Result<Vec<RecordBatch>, StoreError> {
        table(&document(&self.pool, &self.schema, &table_name(name)).await?)
    }

    async fn policy_files(&self) -> Result<Vec<PolicyFile>, StoreError> {
        policy_files(&document(&self.pool, &self.schema, POLICY_FILES).await?)
    }
}
