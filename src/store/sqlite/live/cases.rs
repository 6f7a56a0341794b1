//! Reading cases and their events, and erasing contents.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params, params_from_iter};

use super::rows::all;
use super::{Writer, limited};
use crate::store::StoreError;
use crate::store::live::{CaseCount, CaseEvent, CaseFilter, CaseRow, MessageState, NO_DAY, behind, day_of, kind_of, state_number};
use crate::store::sqlite::files::failed;
use crate::store::trail::{Head, Seq};

const CASES: &str = "SELECT id, policy, kind, subject, region, department, period, step, in_review, due, version, at, body FROM case_row";

fn case(row: &Row<'_>) -> Result<CaseRow, StoreError> {
    let due: String = row.get(9).map_err(failed)?;
    let kind = kind_of(row.get(2).map_err(failed)?)?;
    let due = if due == NO_DAY { None } else { Some(day_of(&due)?) };
    let read = || {
        Ok(CaseRow {
            id: row.get(0)?,
            policy: row.get(1)?,
            kind,
            subject: row.get(3)?,
            region: row.get(4)?,
            department: row.get(5)?,
            period: row.get(6)?,
            step: row.get(7)?,
            in_review: row.get(8)?,
            due,
            version: row.get::<_, i64>(10)?.cast_unsigned(),
            at: row.get(11)?,
            body: row.get(12)?,
        })
    };
    read().map_err(failed)
}

pub(super) fn named(connection: &Connection, ids: &[String]) -> Result<Vec<CaseRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{CASES} WHERE id = ?1")).map_err(failed)?;
    let mut found = Vec::new();
    for id in ids {
        let mut rows = statement.query([id]).map_err(failed)?;
        if let Some(row) = rows.next().map_err(failed)? {
            found.push(case(row)?);
        }
    }
    Ok(found)
}

pub(super) fn about(connection: &Connection, subjects: &[String]) -> Result<Vec<CaseRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{CASES} WHERE subject = ?1 ORDER BY kind, id")).map_err(failed)?;
    let mut found = Vec::new();
    for subject in subjects {
        let mut rows = statement.query([subject]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            found.push(case(row)?);
        }
    }
    Ok(found)
}

pub(super) fn filtered(connection: &Connection, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
    let (wanted, values) = filter.sql('?');
    let sql = format!("{CASES}{wanted}");
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(case(row)?);
    }
    Ok(found)
}

pub(super) fn counts(connection: &Connection, region: &str) -> Result<Vec<CaseCount>, StoreError> {
    let sql = "SELECT policy, step, count(*), sum(in_review) FROM case_row WHERE region >= ?1 AND region < ?2
        GROUP BY policy, step ORDER BY policy, step";
    let count = |row: &Row<'_>| {
        let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let read = || Ok(CaseCount { policy: row.get(0)?, step: row.get(1)?, cases: number(2)?, in_review: number(3)? });
        read().map_err(failed)
    };
    all(connection, sql, [region, &behind(region)], count)
}

const EVENTS: &str = "SELECT e.seq, e.case_id, e.version, e.at, e.digest, e.hash, c.salt, c.body FROM case_event e
    LEFT JOIN case_content c USING (seq)";

/// An event as it lies in the file, whatever somebody did to it: what has not the right form does not verify.
fn event(row: &Row<'_>) -> Result<CaseEvent, StoreError> {
    let bytes = |at: usize| -> rusqlite::Result<Option<Vec<u8>>> {
        Ok(match row.get_ref(at)? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Some(bytes.to_vec()),
            ValueRef::Null => None,
            ValueRef::Integer(_) | ValueRef::Real(_) => Some(Vec::new()),
        })
    };
    let number = |at: usize| row.get_ref(at).map(|value| value.as_i64().unwrap_or(i64::MIN));
    let read = || {
        let salt = bytes(6)?.map(|salt| salt.try_into().unwrap_or_default());
        Ok(CaseEvent {
            seq: number(0)?.cast_unsigned(),
            case: String::from_utf8_lossy(&bytes(1)?.unwrap_or_default()).into_owned(),
            version: number(2)?.cast_unsigned(),
            at: number(3)?,
            digest: bytes(4)?.and_then(|digest| digest.try_into().ok()).unwrap_or_default(),
            hash: bytes(5)?.and_then(|hash| hash.try_into().ok()).unwrap_or_default(),
            content: salt.zip(bytes(7)?),
        })
    };
    read().map_err(failed)
}

pub(super) fn events_of(connection: &Connection, case: &str) -> Result<Vec<CaseEvent>, StoreError> {
    all(connection, &format!("{EVENTS} WHERE e.case_id = ?1 ORDER BY e.version, e.seq"), [case], event)
}

pub(super) fn events_from(connection: &Connection, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError> {
    all(connection, &format!("{EVENTS} WHERE e.seq >= ?1 ORDER BY e.seq LIMIT ?2"), params![from.cast_signed(), limited(limit)], event)
}

pub(super) fn head(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, at, hash FROM case_event ORDER BY seq DESC LIMIT 1").map_err(failed)?;
    let head = |row: &Row<'_>| Ok(Head { seq: row.get::<_, i64>(0)?.cast_unsigned(), at: row.get(1)?, hash: row.get(2)? });
    statement.query_row([], head).optional().map_err(failed)
}

/// Removes contents and salts, and what the row and messages say, and overwrites where it was, also in the log.
pub(super) fn erase(writer: &Writer, kept: &CaseRow) -> Result<u64, StoreError> {
    let (log, _alone) = (&writer.log, writer.log.alone());
    let mut writer = writer.lock();
    writer.pragma_update(None, "secure_delete", "ON").map_err(failed)?;
    let erased = (|| {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let sql = "DELETE FROM case_content WHERE seq IN (SELECT seq FROM case_event WHERE case_id = ?1)";
        let erased = transaction.execute(sql, [&kept.id]).map_err(failed)?;
        let due = kept.due.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
        let sql = "UPDATE case_row SET subject = ?3, region = ?4, in_review = ?5, due = ?6, body = ?7 WHERE id = ?1 AND version = ?2";
        let of_row = params![kept.id, kept.version.cast_signed(), kept.subject, kept.region, kept.in_review, due, kept.body];
        if transaction.execute(sql, of_row).map_err(failed)? == 0 {
            return Err(StoreError::Raced(kept.id.clone()));
        }
        // What was given up cannot be sent again without its words: it is dropped.
        let sql = "UPDATE message SET subject = '', body = x'', state = CASE state WHEN ?2 THEN ?3 ELSE state END
            WHERE state <> ?4 AND number IN (SELECT number FROM message_case WHERE case_id = ?1)";
        let [waiting, dead, dropped] = [MessageState::Waiting, MessageState::Dead, MessageState::Dropped].map(state_number);
        transaction.execute(sql, params![kept.id, dead, dropped, waiting]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(erased as u64)
    })();
    let is_off = writer.pragma_update(None, "secure_delete", "OFF").map_err(failed);
    if erased.is_ok() {
        log.cut(&writer)?;
    }
    is_off.and(erased)
}
