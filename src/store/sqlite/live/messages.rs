//! Reading messages.

use rusqlite::{Connection, Row, params};

use super::limited;
use super::rows::all;
use crate::store::StoreError;
use crate::store::live::{MessageCount, MessageRow, MessageState, NewMessage, kind_of, state_number, state_of};
use crate::store::sqlite::files::failed;

const MESSAGES: &str = "SELECT m.number, m.id, m.channel, m.kind, m.subject, m.cases, m.not_before, m.body, m.at, m.state, m.tries, m.told,
    m.changed_at FROM message m";

fn message(row: &Row<'_>) -> Result<MessageRow, StoreError> {
    let kind = kind_of(row.get(3).map_err(failed)?)?;
    let state = state_of(row.get(9).map_err(failed)?)?;
    let cases: String = row.get(5).map_err(failed)?;
    let cases = serde_json::from_str(&cases).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let read = || {
        Ok(MessageRow {
            number: row.get::<_, i64>(0)?.cast_unsigned(),
            message: NewMessage {
                id: row.get(1)?,
                channel: row.get(2)?,
                kind,
                subject: row.get(4)?,
                cases,
                not_before: row.get(6)?,
                body: row.get(7)?,
            },
            at: row.get(8)?,
            state,
            tries: row.get(10)?,
            told: row.get(11)?,
            changed_at: row.get(12)?,
        })
    };
    read().map_err(failed)
}

pub(super) fn named(connection: &Connection, id: &str) -> Result<Option<MessageRow>, StoreError> {
    all(connection, &format!("{MESSAGES} WHERE m.id = ?1"), [id], message).map(|mut found| found.pop())
}

pub(super) fn of_case(connection: &Connection, case: &str) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} JOIN message_case c USING (number) WHERE c.case_id = ?1 ORDER BY c.number");
    all(connection, &sql, [case], message)
}

/// The index has only the first that waits of each subject: what was sent, and what waits behind others, is not looked at.
pub(super) fn outbox(connection: &Connection, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} WHERE m.is_first = 1 AND m.channel = ?1 AND m.not_before <= ?2 ORDER BY m.not_before, m.number LIMIT ?3");
    all(connection, &sql, params![channel, now, limited(limit)], message)
}

pub(super) fn counts(connection: &Connection) -> Result<Vec<MessageCount>, StoreError> {
    let sql = "SELECT channel, state, count(*) FROM message GROUP BY channel, state ORDER BY channel, state";
    let count = |row: &Row<'_>| {
        let state = state_of(row.get(1).map_err(failed)?)?;
        Ok(MessageCount { channel: row.get(0).map_err(failed)?, state, messages: row.get::<_, i64>(2).map_err(failed)?.cast_unsigned() })
    };
    all(connection, sql, [], count)
}

pub(super) fn in_state(
    connection: &Connection,
    state: MessageState,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<MessageRow>, StoreError> {
    let sql = format!("{MESSAGES} WHERE m.state = ?1 AND m.number > ?2 ORDER BY m.number LIMIT ?3");
    all(connection, &sql, params![state_number(state), after.unwrap_or(0).cast_signed(), limited(limit)], message)
}
