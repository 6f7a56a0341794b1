//! A run loaded in one transaction: a schema of its own, filled by `COPY` in binary, then the pointer. What is cut off, the
//! database takes back.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use deadpool_postgres::Pool;
use futures::SinkExt;
use tokio_postgres::{Client, CopyInSink};

use super::leases::lock_of;
use super::run::schema_of;
use super::schema::{LOAD_LOCK, LOCKS};
use super::tls::Access;
use super::{connection, failed};
use crate::register::declaration::SubjectKind;
use crate::store::{EncodedSubject, Held, Load, RunId, RunSummary, StoreError};

/// How every binary copy begins: signature, no flags, no extension.
pub(super) const BEGINNING: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How it ends: a row of -1 fields.
pub(super) const END: i16 = -1;

/// Bytes of one message of a copy.
pub(super) const MESSAGE: usize = 1 << 20;

/// A run that is being loaded.
pub(super) struct PostgresLoad {
    client: Client,
    pool: Pool,
    id: RunId,
    /// Whether the transaction has begun: a long match keeps none open.
    has_begun: bool,
    copying: Option<(SubjectKind, Pin<Box<CopyInSink<Bytes>>>)>,
}

impl PostgresLoad {
    pub(super) async fn begin(access: &Access, pool: Pool) -> Result<Self, StoreError> {
        let client = access.connect().await?;
        let locked = client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCKS, &LOAD_LOCK]).await.map_err(failed)?;
        if !locked.get::<_, bool>(0) {
            return Err(StoreError::Busy(Held::Load));
        }
        drop_old(&pool, None).await?;
        let row = client.query_one("SELECT nextval('mianshen.run_id')", &[]).await.map_err(failed)?;
        let id = RunId(row.get::<_, i64>(0).cast_unsigned());
        Ok(Self { client, pool, id, has_begun: false, copying: None })
    }

    async fn begin_transaction(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let schema = schema_of(self.id);
        let subjects = SubjectKind::ALL.map(|kind| {
            let name = kind.name();
            format!(r#"CREATE TABLE {schema}.{name} (id text COLLATE "C" NOT NULL, body bytea NOT NULL);"#)
        });
        let sql = format!(
            r#"BEGIN;
            CREATE SCHEMA {schema};
            {}
            CREATE TABLE {schema}.alias (kind text NOT NULL, old text COLLATE "C" NOT NULL, new text NOT NULL, PRIMARY KEY (kind, old));
            CREATE TABLE {schema}.document (name text NOT NULL, part bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (name, part));"#,
            subjects.concat()
        );
        self.client.batch_execute(&sql).await.map_err(failed)
    }

    async fn end_copy(&mut self) -> Result<(), StoreError> {
        let Some((_, mut sink)) = self.copying.take() else { return Ok(()) };
        sink.send(Bytes::copy_from_slice(&END.to_be_bytes())).await.map_err(failed)?;
        sink.as_mut().finish().await.map_err(failed).map(|_| ())
    }
}

/// A field of a binary copy.
pub(super) fn field(buffer: &mut BytesMut, bytes: &[u8]) -> Result<(), StoreError> {
    let length = i32::try_from(bytes.len()).map_err(|_| StoreError::Failed("a row is longer than 2 GiB".to_owned()))?;
    buffer.put_i32(length);
    buffer.put_slice(bytes);
    Ok(())
}

/// Drops the schemas of runs that are no longer kept, but for those that somebody reads and the one that was current before.
async fn drop_old(pool: &Pool, before: Option<RunId>) -> Result<(), StoreError> {
    let mut connection = connection(pool).await?;
    let sql = "SELECT substring(nspname from 14)::bigint FROM pg_namespace WHERE nspname ~ '^mianshen_run_[0-9]+$'
        AND substring(nspname from 14)::bigint NOT IN (SELECT id FROM mianshen.run)";
    let rows = connection.query(sql, &[]).await.map_err(failed)?;
    let old = rows.iter().map(|row| RunId(row.get::<_, i64>(0).cast_unsigned()));
    for id in old.filter(|id| Some(*id) != before) {
        let transaction = connection.transaction().await.map_err(failed)?;
        let free = transaction.query_one("SELECT pg_try_advisory_xact_lock($1, $2)", &[&LOCKS, &lock_of(id)]).await.map_err(failed)?;
        if free.get(0) {
            transaction.batch_execute(&format!("DROP SCHEMA {} CASCADE", schema_of(id))).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Load for PostgresLoad {
    async fn subjects(&mut self, kind: SubjectKind, rows: Vec<EncodedSubject>) -> Result<(), StoreError> {
        let mut buffer = BytesMut::with_capacity(MESSAGE + MESSAGE / 4);
        self.begin_transaction().await?;
        if self.copying.as_ref().is_none_or(|(copied, _)| *copied != kind) {
            self.end_copy().await?;
            let sql = format!("COPY {}.{} (id, body) FROM STDIN (FORMAT binary)", schema_of(self.id), kind.name());
            let sink = self.client.copy_in::<_, Bytes>(&sql).await.map_err(failed)?;
            self.copying = Some((kind, Box::pin(sink)));
            buffer.put_slice(BEGINNING);
        }
        let Some((_, sink)) = &mut self.copying else { return Ok(()) };
        for row in &rows {
            buffer.put_i16(2);
            field(&mut buffer, row.id.as_bytes())?;
            field(&mut buffer, &row.body)?;
            if buffer.len() >= MESSAGE {
                sink.send(buffer.split().freeze()).await.map_err(failed)?;
            }
        }
        if !buffer.is_empty() {
            sink.send(buffer.freeze()).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn aliases(&mut self, kind: SubjectKind, aliases: Vec<(String, String)>) -> Result<(), StoreError> {
        self.begin_transaction().await?;
        self.end_copy().await?;
        let (old, new): (Vec<String>, Vec<String>) = aliases.into_iter().unzip();
        let sql = format!("INSERT INTO {}.alias (kind, old, new) SELECT $1, * FROM unnest($2::text[], $3::text[])", schema_of(self.id));
        self.client.execute(&sql, &[&kind.name(), &old, &new]).await.map_err(failed).map(|_| ())
    }

    async fn document(&mut self, name: &str, part: u32, body: Vec<u8>) -> Result<(), StoreError> {
        self.begin_transaction().await?;
        self.end_copy().await?;
        let sql = format!("INSERT INTO {}.document (name, part, body) VALUES ($1, $2, $3)", schema_of(self.id));
        self.client.execute(&sql, &[&name, &i64::from(part), &body]).await.map_err(failed).map(|_| ())
    }

    async fn finish(mut self: Box<Self>, summary: RunSummary, keep: usize) -> Result<RunId, StoreError> {
        self.begin_transaction().await?;
        self.end_copy().await?;
        let schema = schema_of(self.id);
        for kind in SubjectKind::ALL {
            self.client.batch_execute(&format!("ALTER TABLE {schema}.{} ADD PRIMARY KEY (id)", kind.name())).await.map_err(failed)?;
        }
        let count = |at: usize| summary.subjects[at].cast_signed();
        let sql = "INSERT INTO mianshen.run (id, as_of, loaded_at, persons, households, entities, granted)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let as_of = summary.as_of.to_string();
        let id = self.id.0.cast_signed();
        self.client
            .execute(sql, &[&id, &as_of, &summary.loaded_at, &count(0), &count(1), &count(2), &summary.granted.cast_signed()])
            .await
            .map_err(failed)?;
        let before = self.client.query_opt("SELECT run FROM mianshen.pointer", &[]).await.map_err(failed)?;
        let before = before.map(|row| RunId(row.get::<_, i64>(0).cast_unsigned()));
        let sql = "INSERT INTO mianshen.pointer (one, run) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET run = $1";
        self.client.execute(sql, &[&id]).await.map_err(failed)?;
        let keep = i64::try_from(keep.max(1)).unwrap_or(i64::MAX);
        let sql = "DELETE FROM mianshen.run WHERE id NOT IN (SELECT id FROM mianshen.run ORDER BY id DESC LIMIT $1)";
        self.client.execute(sql, &[&keep]).await.map_err(failed)?;
        self.client.batch_execute("COMMIT").await.map_err(failed)?;
        // The new run is there: what cannot be dropped now goes with the next load.
        let _ = drop_old(&self.pool, before).await;
        // Let go at once: the connection would hold it until the server has seen its end.
        let _ = self.client.execute("SELECT pg_advisory_unlock($1, $2)", &[&LOCKS, &LOAD_LOCK]).await;
        Ok(self.id)
    }
}
