//! The live part of a store in PostgreSQL: the tables of the SQLite file, each generation a partition of its own.
//!
//! ```text
//!  commit   one transaction, which holds the lease's row, the current generation's and the one that stands for the chain
//!  fill     tables aside, by COPY; at the end keys and indexes, then one transaction attaches them and moves `is_current`
//! ```

mod cases;
mod commit;
mod fill;
mod messages;
mod rows;

use async_trait::async_trait;
use chrono::NaiveDate;
use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::tls::Access;
use super::{connection, failed};
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{
    Batch, CaseCount, CaseEvent, CaseFilter, CaseRow, Committed, Fence, Live, LiveFill, LiveState, Mention, MessageCount, MessageRow,
    MessageState, Position, RowsOf, Standing, Timer, TimerKey,
};
use crate::store::trail::{Head, Seq};

/// The live part.
pub(super) struct PostgresLive {
    pub(super) access: Access,
    pub(super) pool: Pool,
}

impl std::fmt::Debug for PostgresLive {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresLive").finish_non_exhaustive()
    }
}

/// The rows of a query that is asked often.
async fn query(connection: &Object, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
    let statement = connection.prepare_cached(sql).await.map_err(failed)?;
    connection.query(&statement, values).await.map_err(failed)
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Live for PostgresLive {
    async fn lease(&self, holder: &str, now: i64, until: i64) -> Result<Fence, StoreError> {
        commit::lease(&mut connection(&self.pool).await?, holder, now, until).await
    }

    async fn leased(&self) -> Result<Option<Fence>, StoreError> {
        commit::leased(&connection(&self.pool).await?).await
    }

    async fn release(&self, fence: &Fence) -> Result<(), StoreError> {
        commit::release(&connection(&self.pool).await?, fence).await
    }

    async fn state(&self) -> Result<Option<LiveState>, StoreError> {
        rows::state(&connection(&self.pool).await?).await
    }

    async fn generation(&self) -> Result<Option<i64>, StoreError> {
        rows::generation(&connection(&self.pool).await?).await
    }

    async fn positions(&self) -> Result<Vec<Position>, StoreError> {
        rows::positions(&connection(&self.pool).await?).await
    }

    async fn rows(&self, ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        rows::rows(&connection(&self.pool).await?, ids).await
    }

    async fn rows_in(&self, registers: &[&str], ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        rows::rows_in(&connection(&self.pool).await?, registers, ids).await
    }

    async fn rows_after(&self, after: Option<(&str, &str)>, limit: usize) -> Result<Vec<RowsOf>, StoreError> {
        rows::rows_after(&connection(&self.pool).await?, after.unwrap_or_default(), limit).await
    }

    async fn mentions(&self, register: &str, ids: &[&str]) -> Result<Vec<Mention>, StoreError> {
        rows::mentions(&connection(&self.pool).await?, register, ids).await
    }

    async fn linked(&self) -> Result<Vec<Mention>, StoreError> {
        rows::linked(&connection(&self.pool).await?).await
    }

    async fn standing(&self, kind: SubjectKind, ids: &[&str]) -> Result<Vec<Standing>, StoreError> {
        rows::standing(&connection(&self.pool).await?, kind, ids).await
    }

    async fn stands(&self, kind: SubjectKind, id: &str) -> Result<Option<(LiveState, Option<Standing>)>, StoreError> {
        rows::stands(&connection(&self.pool).await?, kind, id).await
    }

    async fn standing_after(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<Standing>, StoreError> {
        rows::standing_after(&connection(&self.pool).await?, kind, after.unwrap_or(""), limit).await
    }

    async fn due(&self, until: NaiveDate, after: Option<&TimerKey>, limit: usize) -> Result<Vec<Timer>, StoreError> {
        rows::due(&connection(&self.pool).await?, until, after, limit).await
    }

    async fn due_counts(&self, until: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
        rows::due_counts(&connection(&self.pool).await?, until).await
    }

    async fn fill(&self) -> Result<Box<dyn LiveFill>, StoreError> {
        Ok(Box::new(fill::PostgresFill::begin(&self.access).await?))
    }

    async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        batch.check()?;
        commit::commit(&mut connection(&self.pool).await?, batch).await
    }

    async fn case(&self, id: &str) -> Result<Option<CaseRow>, StoreError> {
        cases::named(&connection(&self.pool).await?, &[id]).await.map(|mut found| found.pop())
    }

    async fn cases_named(&self, ids: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        cases::named(&connection(&self.pool).await?, ids).await
    }

    async fn cases_about(&self, subjects: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        cases::about(&connection(&self.pool).await?, subjects).await
    }

    async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
        cases::filtered(&connection(&self.pool).await?, filter).await
    }

    async fn case_counts(&self, region: Option<&str>) -> Result<Vec<CaseCount>, StoreError> {
        cases::counts(&connection(&self.pool).await?, region.unwrap_or("")).await
    }

    async fn case_events(&self, case: &str) -> Result<Vec<CaseEvent>, StoreError> {
        cases::events_of(&connection(&self.pool).await?, case).await
    }

    async fn events_from(&self, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError> {
        cases::events_from(&connection(&self.pool).await?, from, limit).await
    }

    async fn events_head(&self) -> Result<Option<Head>, StoreError> {
        cases::head(&**connection(&self.pool).await?).await
    }

    async fn erase_case(&self, kept: &CaseRow) -> Result<u64, StoreError> {
        cases::erase(&mut connection(&self.pool).await?, kept).await
    }

    async fn message(&self, id: &str) -> Result<Option<MessageRow>, StoreError> {
        messages::named(&connection(&self.pool).await?, id).await
    }

    async fn messages_of(&self, case: &str) -> Result<Vec<MessageRow>, StoreError> {
        messages::of_case(&connection(&self.pool).await?, case).await
    }

    async fn outbox(&self, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        messages::outbox(&connection(&self.pool).await?, channel, now, limit).await
    }

    async fn message_counts(&self) -> Result<Vec<MessageCount>, StoreError> {
        messages::counts(&connection(&self.pool).await?).await
    }

    async fn messages_in(&self, state: MessageState, after: Option<u64>, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        messages::in_state(&connection(&self.pool).await?, state, after, limit).await
    }
}
