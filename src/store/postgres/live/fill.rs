//! A generation filled into tables of its own by `COPY`, which become partitions in one transaction.

use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use futures::SinkExt;
use tokio_postgres::Client;

use crate::dossier::intake::IDENTITY_LINKS;
use crate::store::live::{LiveFill, LiveState, Mention, Position, RowsOf, Standing, Timer, kind_number};
use crate::store::postgres::failed;
use crate::store::postgres::load::{BEGINNING, END, MESSAGE, field};
use crate::store::postgres::schema::{FILL_LOCK, LOCKS};
use crate::store::postgres::tls::Access;
use crate::store::{Held, StoreError};

/// The tables that each generation has a partition of, with their keys.
const TABLES: [(&str, &str); 4] = [
    ("register_row", "generation, id, register"),
    ("mention", "generation, id, register, owner"),
    ("standing", "generation, kind, id"),
    ("timer", "generation, kind, id"),
];

/// A generation that is being filled.
pub(super) struct PostgresFill {
    /// Holds the lock: what is dropped lets it go with the connection.
    client: Client,
    generation: i64,
}

impl PostgresFill {
    pub(super) async fn begin(access: &Access) -> Result<Self, StoreError> {
        let client = access.connect().await?;
        let locked = client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCKS, &FILL_LOCK]).await.map_err(failed)?;
        if !locked.get::<_, bool>(0) {
            return Err(StoreError::Busy(Held::Fill));
        }
        remove_old(&client).await?;
        let row =
            client.query_one("INSERT INTO mianshen.generation (is_current) VALUES (false) RETURNING id", &[]).await.map_err(failed)?;
        let generation: i64 = row.get(0);
        for (table, _) in TABLES {
            let sql = format!("CREATE TABLE mianshen.{table}_{generation} (LIKE mianshen.{table})");
            client.batch_execute(&sql).await.map_err(failed)?;
        }
        Ok(Self { client, generation })
    }

    /// Copies rows into a table of the generation: each has so many fields behind the generation, which `write` writes.
    async fn copy<T: Sync>(
        &self,
        table: &str,
        columns: &str,
        rows: &[T],
        fields: i16,
        write: impl Fn(&mut BytesMut, &T) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!("COPY mianshen.{table}_{} (generation, {columns}) FROM STDIN (FORMAT binary)", self.generation);
        let mut sink = Box::pin(self.client.copy_in::<_, Bytes>(&sql).await.map_err(failed)?);
        let mut buffer = BytesMut::with_capacity(MESSAGE + MESSAGE / 4);
        buffer.put_slice(BEGINNING);
        for row in rows {
            buffer.put_i16(fields + 1);
            field(&mut buffer, &self.generation.to_be_bytes())?;
            write(&mut buffer, row)?;
            if buffer.len() >= MESSAGE {
                sink.send(buffer.split().freeze()).await.map_err(failed)?;
            }
        }
        buffer.put_i16(END);
        sink.send(buffer.freeze()).await.map_err(failed)?;
        sink.as_mut().finish().await.map_err(failed).map(|_| ())
    }
}

/// Drops what belongs to generations that are not current.
async fn remove_old(client: &Client) -> Result<(), StoreError> {
    for (table, _) in TABLES {
        let sql = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'mianshen' AND c.relkind = 'r' AND c.relname ~ ('^' || $1 || '_[0-9]+$')
            AND substring(c.relname from '[0-9]+$')::bigint NOT IN (SELECT id FROM mianshen.generation WHERE is_current)";
        for row in client.query(sql, &[&table]).await.map_err(failed)? {
            let name: &str = row.get(0);
            client.batch_execute(&format!("DROP TABLE mianshen.{name}")).await.map_err(failed)?;
        }
    }
    let others = "DELETE FROM mianshen.touched WHERE generation NOT IN (SELECT id FROM mianshen.generation WHERE is_current)";
    client.execute(others, &[]).await.map_err(failed)?;
    client.execute("DELETE FROM mianshen.generation WHERE NOT is_current", &[]).await.map_err(failed).map(|_| ())
}

#[async_trait]
impl LiveFill for PostgresFill {
    async fn rows(&mut self, rows: Vec<RowsOf>) -> Result<(), StoreError> {
        let write = |buffer: &mut BytesMut, rows: &RowsOf| {
            field(buffer, rows.id.as_bytes())?;
            field(buffer, rows.register.as_bytes())?;
            field(buffer, &rows.body)
        };
        self.copy("register_row", "id, register, body", &rows, 3, write).await
    }

    async fn mentions(&mut self, mentions: Vec<Mention>) -> Result<(), StoreError> {
        let write = |buffer: &mut BytesMut, mention: &Mention| {
            field(buffer, mention.id.as_bytes())?;
            field(buffer, mention.register.as_bytes())?;
            field(buffer, mention.owner.as_bytes())
        };
        self.copy("mention", "id, register, owner", &mentions, 3, write).await
    }

    async fn standing(&mut self, standing: Vec<Standing>) -> Result<(), StoreError> {
        let write = |buffer: &mut BytesMut, standing: &Standing| {
            field(buffer, &kind_number(standing.kind).to_be_bytes())?;
            field(buffer, standing.id.as_bytes())?;
            field(buffer, &standing.body)
        };
        self.copy("standing", "kind, id, body", &standing, 3, write).await
    }

    async fn timers(&mut self, timers: Vec<Timer>) -> Result<(), StoreError> {
        let write = |buffer: &mut BytesMut, timer: &Timer| {
            field(buffer, &kind_number(timer.key.kind).to_be_bytes())?;
            field(buffer, timer.key.id.as_bytes())?;
            field(buffer, timer.key.day.to_string().as_bytes())?;
            field(buffer, &timer.body)
        };
        self.copy("timer", "kind, id, day, body", &timers, 4, write).await
    }

    async fn finish(mut self: Box<Self>, state: LiveState, positions: Vec<Position>) -> Result<(), StoreError> {
        let generation = self.generation;
        for (table, key) in TABLES {
            let name = format!("mianshen.{table}_{generation}");
            // With the check, nothing is read once more when the table is attached.
            let mut sql = format!("ALTER TABLE {name} ADD PRIMARY KEY ({key}), ADD CHECK (generation = {generation});");
            if table == "timer" {
                sql.push_str(&format!("CREATE INDEX ON {name} (generation, day, kind, id);"));
            }
            if table == "mention" {
                sql.push_str(&format!("CREATE INDEX ON {name} (generation, id, owner) WHERE register = '{IDENTITY_LINKS}';"));
            }
            self.client.batch_execute(&format!("{sql} ANALYZE {name}")).await.map_err(failed)?;
        }
        let transaction = self.client.transaction().await.map_err(failed)?;
        for (table, _) in TABLES {
            let sql = format!("ALTER TABLE mianshen.{table} ATTACH PARTITION mianshen.{table}_{generation} FOR VALUES IN ({generation})");
            transaction.batch_execute(&sql).await.map_err(failed)?;
        }
        transaction.execute("UPDATE mianshen.generation SET is_current = false WHERE is_current", &[]).await.map_err(failed)?;
        let sql = "UPDATE mianshen.generation SET is_current = true, as_of = $2, body = $3 WHERE id = $1";
        transaction.execute(sql, &[&generation, &state.as_of.to_string(), &state.body]).await.map_err(failed)?;
        let sources: Vec<&str> = positions.iter().map(|position| position.source.as_str()).collect();
        let parts: Vec<i32> = positions.iter().map(|position| position.partition).collect();
        let nexts: Vec<i64> = positions.iter().map(|position| position.next).collect();
        transaction.execute("DELETE FROM mianshen.position", &[]).await.map_err(failed)?;
        let sql = "INSERT INTO mianshen.position (source, part, next) SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])";
        transaction.execute(sql, &[&sources, &parts, &nexts]).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        // The new one is there: what cannot be dropped now goes with the next filling.
        let _ = remove_old(&self.client).await;
        // Let go at once: the connection would hold it until the server has seen its end.
        let _ = self.client.execute("SELECT pg_advisory_unlock($1, $2)", &[&LOCKS, &FILL_LOCK]).await;
        Ok(())
    }
}
