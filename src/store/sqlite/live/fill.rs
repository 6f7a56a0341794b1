//! A generation filled aside, in transactions of bounded size, and made the current one in a last one.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::Writer;
use crate::store::live::{LiveFill, LiveState, Mention, Position, RowsOf, Standing, Timer, kind_number};
use crate::store::sqlite::files::{failed, io_failed};
use crate::store::sqlite::waiting;
use crate::store::{Held, StoreError};

/// So many rows of all tables are written in one transaction: commits of others wait no longer than for these.
const TOGETHER: usize = 16_384;

/// What is removed in one transaction, in identifiers.
const REMOVED: i64 = 2_048;

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    rows: Vec<RowsOf>,
    mentions: Vec<Mention>,
    standing: Vec<Standing>,
    timers: Vec<Timer>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.rows.len() + self.mentions.len() + self.standing.len() + self.timers.len()
    }

    fn write(&self, transaction: &Transaction<'_>, generation: i64) -> Result<(), StoreError> {
        let prepare = |sql: &str| transaction.prepare_cached(sql).map_err(failed);
        let mut put = prepare("INSERT INTO register_row (generation, id, register, body) VALUES (?1, ?2, ?3, ?4)")?;
        for rows in &self.rows {
            put.execute(params![generation, rows.id, rows.register, rows.body]).map_err(failed)?;
        }
        let mut put = prepare("INSERT INTO mention (generation, id, register, owner) VALUES (?1, ?2, ?3, ?4)")?;
        for mention in &self.mentions {
            put.execute(params![generation, mention.id, mention.register, mention.owner]).map_err(failed)?;
        }
        let mut put = prepare("INSERT INTO standing (generation, kind, id, body) VALUES (?1, ?2, ?3, ?4)")?;
        for standing in &self.standing {
            put.execute(params![generation, kind_number(standing.kind), standing.id, standing.body]).map_err(failed)?;
        }
        let mut put = prepare("INSERT INTO timer (generation, kind, id, day, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for Timer { key, body } in &self.timers {
            put.execute(params![generation, kind_number(key.kind), key.id, key.day.to_string(), body]).map_err(failed)?;
        }
        Ok(())
    }
}

/// A generation that is being filled.
pub(super) struct SqliteFill {
    writer: Writer,
    generation: i64,
    waiting: Waiting,
    /// Held until the end, so that nobody else fills.
    lock: Option<File>,
}

impl SqliteFill {
    pub(super) async fn begin(writer: Writer, lock: PathBuf) -> Result<Self, StoreError> {
        waiting(move || {
            let file = File::options().create(true).append(true).open(&lock).map_err(|error| io_failed(&lock, &error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy(Held::Fill)),
                Err(TryLockError::Error(error)) => return Err(io_failed(&lock, &error)),
            }
            remove_old(&writer)?;
            let generation = writer.write_here(|transaction| {
                transaction.execute("INSERT INTO generation (is_current) VALUES (0)", []).map_err(failed)?;
                Ok(transaction.last_insert_rowid())
            })?;
            Ok(Self { writer, generation, waiting: Waiting::default(), lock: Some(file) })
        })
        .await
    }

    async fn write_if_many(&mut self) -> Result<(), StoreError> {
        if self.waiting.len() < TOGETHER { Ok(()) } else { self.write().await }
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let (writer, generation, rows) = (self.writer.clone(), self.generation, std::mem::take(&mut self.waiting));
        writer.write(move |transaction| rows.write(transaction, generation)).await
    }

    /// Takes rows in as many as are written together.
    async fn take<T>(&mut self, rows: Vec<T>, list: impl Fn(&mut Waiting) -> &mut Vec<T>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter();
        loop {
            let room = TOGETHER.saturating_sub(self.waiting.len());
            list(&mut self.waiting).extend(rows.by_ref().take(room));
            self.write_if_many().await?;
            if rows.len() == 0 {
                return Ok(());
            }
        }
    }
}

/// Removes what belongs to generations that are not current, some at a time.
fn remove_old(writer: &Writer) -> Result<(), StoreError> {
    let old = |connection: &Connection| -> Result<Vec<i64>, StoreError> {
        let mut statement = connection.prepare_cached("SELECT id FROM generation WHERE is_current = 0").map_err(failed)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    };
    let parts = [
        "DELETE FROM register_row WHERE generation = ?1 AND id IN
            (SELECT id FROM register_row WHERE generation = ?1 ORDER BY id LIMIT ?2)",
        "DELETE FROM mention WHERE generation = ?1 AND id IN (SELECT id FROM mention WHERE generation = ?1 ORDER BY id LIMIT ?2)",
        "DELETE FROM standing WHERE generation = ?1 AND (kind, id) IN
            (SELECT kind, id FROM standing WHERE generation = ?1 ORDER BY kind, id LIMIT ?2)",
        "DELETE FROM timer WHERE generation = ?1 AND (kind, id) IN
            (SELECT kind, id FROM timer WHERE generation = ?1 ORDER BY kind, id LIMIT ?2)",
        "DELETE FROM touched WHERE generation = ?1 AND (kind, id) IN
            (SELECT kind, id FROM touched WHERE generation = ?1 ORDER BY kind, id LIMIT ?2)",
    ];
    for generation in writer.write_here(|transaction| old(transaction))? {
        for part in parts {
            let some = |transaction: &Transaction<'_>| {
                let mut statement = transaction.prepare_cached(part).map_err(failed)?;
                statement.execute(params![generation, REMOVED]).map_err(failed)
            };
            while writer.write_here(some)? > 0 {
                if writer.log.is_long() {
                    writer.log.settle(&writer.connection)?;
                }
            }
        }
        let gone = |transaction: &Transaction<'_>| {
            transaction.execute("DELETE FROM generation WHERE id = ?1 AND is_current = 0", [generation]).map_err(failed)
        };
        writer.write_here(gone)?;
    }
    Ok(())
}

#[async_trait]
impl LiveFill for SqliteFill {
    async fn rows(&mut self, rows: Vec<RowsOf>) -> Result<(), StoreError> {
        self.take(rows, |waiting| &mut waiting.rows).await
    }

    async fn mentions(&mut self, mentions: Vec<Mention>) -> Result<(), StoreError> {
        self.take(mentions, |waiting| &mut waiting.mentions).await
    }

    async fn standing(&mut self, standing: Vec<Standing>) -> Result<(), StoreError> {
        self.take(standing, |waiting| &mut waiting.standing).await
    }

    async fn timers(&mut self, timers: Vec<Timer>) -> Result<(), StoreError> {
        self.take(timers, |waiting| &mut waiting.timers).await
    }

    async fn finish(mut self: Box<Self>, state: LiveState, positions: Vec<Position>) -> Result<(), StoreError> {
        self.write().await?;
        let (generation, lock) = (self.generation, self.lock.take());
        let swap = move |transaction: &Transaction<'_>| {
            transaction.execute("UPDATE generation SET is_current = 0 WHERE is_current = 1", []).map_err(failed)?;
            let sql = "UPDATE generation SET is_current = 1, as_of = ?2, body = ?3 WHERE id = ?1";
            transaction.execute(sql, params![generation, state.as_of.to_string(), state.body]).map_err(failed)?;
            transaction.execute("DELETE FROM position", []).map_err(failed)?;
            let mut put = transaction.prepare_cached("INSERT INTO position (source, part, next) VALUES (?1, ?2, ?3)").map_err(failed)?;
            for position in &positions {
                put.execute(params![position.source, position.partition, position.next]).map_err(failed)?;
            }
            Ok(())
        };
        self.writer.write(swap).await?;
        let writer = self.writer.clone();
        // Nobody waits for it, and nobody else fills meanwhile. What is cut off goes with the next filling.
        drop(tokio::task::spawn_blocking(move || {
            let done = remove_old(&writer).and_then(|()| writer.log.settle(&writer.connection));
            drop(lock);
            done
        }));
        Ok(())
    }
}
