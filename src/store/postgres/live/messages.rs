//! Reading messages.

use deadpool_postgres::Object;
use tokio_postgres::Row;

use super::{limited, query};
use crate::store::StoreError;
use crate::store::live::{MessageCount, MessageRow, MessageState, NewMessage, kind_of, state_number, state_of};

const MESSAGES: &str = "SELECT m.number, m.id, m.channel, m.kind, m.subject, m.cases, m.not_before, m.body, m.at, m.state, m.tries, m.told,
    m.changed_at FROM mianshen.message m";

fn message(row: &Row) -> Result<MessageRow, StoreError> {
    Ok(MessageRow {
        number: row.get::<_, i64>(0).cast_unsigned(),
        message: NewMessage {
            id: row.get(1),
            channel: row.get(2),
            kind: kind_of(row.get::<_, i16>(3).into())?,
            subject: row.get(4),
            cases: serde_json::from_str(row.get(5)).map_err(|error| StoreError::Damaged(error.to_string()))?,
            not_before: row.get(6),
            body: row.get(7),
        },
        at: row.get(8),
        state: state_of(row.get::<_, i16>(9).into())?,
        tries: u32::try_from(row.get::<_, i64>(10)).unwrap_or(u32::MAX),
        told: row.get(11),
        changed_at: row.get(12),
    })
}

pub(super) async fn named(connection: &Object, id: &str) -> Result<Option<MessageRow>, StoreError> {
    query(connection, &format!("{MESSAGES} WHERE m.id = $1"), &[&id]).await?.first().map(message).transpose()
}

pub(super) async fn of_case(connection: &Object, case: &str) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} JOIN mianshen.message_case c USING (number) WHERE c.case_id = $1 ORDER BY c.number");
    query(connection, &sql, &[&case]).await?.iter().map(message).collect()
}

/// The index has only the first that waits of each subject: what was sent, and what waits behind others, is not looked at.
pub(super) async fn outbox(connection: &Object, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} WHERE m.is_first AND m.channel = $1 AND m.not_before <= $2 ORDER BY m.not_before, m.number LIMIT $3");
    query(connection, &sql, &[&channel, &now, &limited(limit)]).await?.iter().map(message).collect()
}

pub(super) async fn counts(connection: &Object) -> Result<Vec<MessageCount>, StoreError> {
    let sql = "SELECT channel, state, count(*) FROM mianshen.message GROUP BY channel, state ORDER BY channel, state";
    let count = |row: &Row| {
        let state = state_of(row.get::<_, i16>(1).into())?;
        Ok(MessageCount { channel: row.get(0), state, messages: row.get::<_, i64>(2).cast_unsigned() })
    };
    query(connection, sql, &[]).await?.iter().map(count).collect()
}

pub(super) async fn in_state(
    connection: &Object,
    state: MessageState,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} WHERE m.state = $1 AND m.number > $2 ORDER BY m.number LIMIT $3");
    let values = (state_number(state), after.unwrap_or(0).cast_signed(), limited(limit));
    query(connection, &sql, &[&values.0, &values.1, &values.2]).await?.iter().map(message).collect()
}
