//! The live part of a store in a file of its own: one writer, whose commits are on the disk, and readers that see whole
//! commits.

mod cases;
mod commit;
mod fill;
mod form;
mod messages;
mod rows;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::NaiveDate;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::files::{Places, Pool, failed, open, open_to_read};
use super::log::Log;
use super::waiting;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{
    Batch, CaseCount, CaseEvent, CaseFilter, CaseRow, Committed, Fence, Live, LiveFill, LiveState, Mention, MessageCount, MessageRow,
    MessageState, Position, RowsOf, Standing, Timer, TimerKey,
};
use crate::store::trail::{Head, Seq};
pub(super) use form::LIVE;

/// What the writer keeps of the file in memory, in KiB.
const CACHE: i64 = 65_536;

/// What each reader keeps in memory at most, in KiB: the inner pages of the trees, until somebody writes.
const READ_CACHE: i64 = 32_768;

/// The live file.
#[derive(Debug)]
pub(super) struct LiveFile {
    writer: Writer,
    readers: Arc<Pool>,
    /// Locked while a generation is filled.
    lock: PathBuf,
}

/// The one connection of this process that writes.
#[derive(Debug, Clone)]
struct Writer {
    connection: Arc<Mutex<Connection>>,
    log: Log,
}

impl Writer {
    /// Runs what writes in a transaction of its own, on a thread that may wait. Other processes are waited for.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = self.clone();
        waiting(move || {
            let done = writer.write_here(work)?;
            Ok((done, writer))
        })
        .await
        .map(|(done, writer)| {
            if writer.log.is_long() {
                // Nobody waits for it. What fails is tried again after the next commits, and by the writer itself at last.
                drop(tokio::task::spawn_blocking(move || writer.log.settle(&writer.connection)));
            }
            done
        })
    }

    /// The same on the thread that this is called on.
    fn write_here<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.lock();
        let before = writer.total_changes();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(failed)?;
        self.log.wrote(writer.total_changes().saturating_sub(before));
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveFile {
    /// Opens the file; where there is none, it is made.
    pub(super) fn open(places: &Places) -> Result<Self, StoreError> {
        let path = places.live();
        let writer = open(&path, &LIVE)?;
        writer.pragma_update(None, "cache_size", -CACHE).map_err(failed)?;
        writer.set_prepared_statement_cache_capacity(64);
        let log = Log::of(&writer, path.clone(), &LIVE)?;
        let readers = Pool::new(move || {
            let connection = open_to_read(&path, &LIVE)?;
            connection.pragma_update(None, "cache_size", -READ_CACHE).map_err(failed)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        });
        Ok(Self { writer: Writer { connection: Arc::new(Mutex::new(writer)), log }, readers: Arc::new(readers), lock: places.filling() })
    }

    /// Reads at one moment: all that `work` reads is of one commit.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        waiting(move || {
            readers.with(|connection| {
                let moment = connection.unchecked_transaction().map_err(failed)?;
                work(&moment)
            })
        })
        .await
    }
}

fn owned(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Live for LiveFile {
    async fn lease(&self, holder: &str, now: i64, until: i64) -> Result<Fence, StoreError> {
        let holder = holder.to_owned();
        self.writer.write(move |transaction| commit::lease(transaction, holder, now, until)).await
    }

    async fn leased(&self) -> Result<Option<Fence>, StoreError> {
        self.read(commit::leased).await
    }

    async fn release(&self, fence: &Fence) -> Result<(), StoreError> {
        let fence = fence.clone();
        self.writer.write(move |transaction| commit::release(transaction, &fence)).await
    }

    async fn state(&self) -> Result<Option<LiveState>, StoreError> {
        self.read(rows::state).await
    }

    async fn generation(&self) -> Result<Option<i64>, StoreError> {
        self.read(rows::current).await
    }

    async fn positions(&self) -> Result<Vec<Position>, StoreError> {
        self.read(rows::positions).await
    }

    async fn rows(&self, ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        let ids = owned(ids);
        self.read(move |connection| rows::rows(connection, &ids)).await
    }

    async fn rows_in(&self, registers: &[&str], ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        let (registers, ids) = (owned(registers), owned(ids));
        self.read(move |connection| rows::rows_in(connection, &registers, &ids)).await
    }

    async fn rows_after(&self, after: Option<(&str, &str)>, limit: usize) -> Result<Vec<RowsOf>, StoreError> {
        let (id, register) = after.unwrap_or_default();
        let (id, register) = (id.to_owned(), register.to_owned());
        self.read(move |connection| rows::rows_after(connection, &id, &register, limit)).await
    }

    async fn mentions(&self, register: &str, ids: &[&str]) -> Result<Vec<Mention>, StoreError> {
        let (register, ids) = (register.to_owned(), owned(ids));
        self.read(move |connection| rows::mentions(connection, &register, &ids)).await
    }

    async fn linked(&self) -> Result<Vec<Mention>, StoreError> {
        self.read(rows::linked).await
    }

    async fn standing(&self, kind: SubjectKind, ids: &[&str]) -> Result<Vec<Standing>, StoreError> {
        let ids = owned(ids);
        self.read(move |connection| rows::standing(connection, kind, &ids)).await
    }

    async fn stands(&self, kind: SubjectKind, id: &str) -> Result<Option<(LiveState, Option<Standing>)>, StoreError> {
        self.readers.with(|connection| {
            let moment = connection.unchecked_transaction().map_err(failed)?;
            let Some(state) = rows::state(&moment)? else { return Ok(None) };
            Ok(Some((state, rows::standing(&moment, kind, &[id.to_owned()])?.pop())))
        })
    }

    async fn standing_after(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<Standing>, StoreError> {
        let after = after.unwrap_or("").to_owned();
        self.read(move |connection| rows::standing_after(connection, kind, &after, limit)).await
    }

    async fn due(&self, until: NaiveDate, after: Option<&TimerKey>, limit: usize) -> Result<Vec<Timer>, StoreError> {
        let after = after.cloned();
        self.read(move |connection| rows::due(connection, until, after.as_ref(), limit)).await
    }

    async fn due_counts(&self, until: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
        self.read(move |connection| rows::due_counts(connection, until)).await
    }

    async fn fill(&self) -> Result<Box<dyn LiveFill>, StoreError> {
        Ok(Box::new(fill::SqliteFill::begin(self.writer.clone(), self.lock.clone()).await?))
    }

    async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        batch.check()?;
        let batch = batch.clone();
        self.writer.write(move |transaction| commit::commit(transaction, &batch)).await
    }

    async fn case(&self, id: &str) -> Result<Option<CaseRow>, StoreError> {
        let ids = owned(&[id]);
        self.read(move |connection| cases::named(connection, &ids)).await.map(|mut found| found.pop())
    }

    async fn cases_named(&self, ids: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        let ids = owned(ids);
        self.read(move |connection| cases::named(connection, &ids)).await
    }

    async fn cases_about(&self, subjects: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        let subjects = owned(subjects);
        self.read(move |connection| cases::about(connection, &subjects)).await
    }

    async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
        let filter = filter.clone();
        self.read(move |connection| cases::filtered(connection, &filter)).await
    }

    async fn case_counts(&self, region: Option<&str>) -> Result<Vec<CaseCount>, StoreError> {
        let region = region.unwrap_or("").to_owned();
        self.read(move |connection| cases::counts(connection, &region)).await
    }

    async fn case_events(&self, case: &str) -> Result<Vec<CaseEvent>, StoreError> {
        let case = case.to_owned();
        self.read(move |connection| cases::events_of(connection, &case)).await
    }

    async fn events_from(&self, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError> {
        self.read(move |connection| cases::events_from(connection, from, limit)).await
    }

    async fn events_head(&self) -> Result<Option<Head>, StoreError> {
        self.read(cases::head).await
    }

    async fn erase_case(&self, kept: &CaseRow) -> Result<u64, StoreError> {
        let (writer, kept) = (self.writer.clone(), kept.clone());
        waiting(move || cases::erase(&writer, &kept)).await
    }

    async fn message(&self, id: &str) -> Result<Option<MessageRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| messages::named(connection, &id)).await
    }

    async fn messages_of(&self, case: &str) -> Result<Vec<MessageRow>, StoreError> {
        let case = case.to_owned();
        self.read(move |connection| messages::of_case(connection, &case)).await
    }

    async fn outbox(&self, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let channel = channel.to_owned();
        self.read(move |connection| messages::outbox(connection, &channel, now, limit)).await
    }

    async fn message_counts(&self) -> Result<Vec<MessageCount>, StoreError> {
        self.read(messages::counts).await
    }

    async fn messages_in(&self, state: MessageState, after: Option<u64>, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        self.read(move |connection| messages::in_state(connection, state, after, limit)).await
    }
}
