//! Reading cases and their events, and erasing contents.

use std::borrow::Cow;

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Row};

use super::{limited, query};
use crate::store::StoreError;
use crate::store::live::{CaseCount, CaseEvent, CaseFilter, CaseRow, MessageState, NO_DAY, behind, day_of, kind_of, state_number};
use crate::store::postgres::trail::sized;
use crate::store::postgres::{failed, held, held_all};
use crate::store::trail::{Head, Seq};

const CASES: &str = "SELECT id, policy, kind, subject, region, department, period, step, in_review, due, version, at, body
    FROM mianshen.case_row";

fn case(row: &Row) -> Result<CaseRow, StoreError> {
    let due: &str = row.get(9);
    Ok(CaseRow {
        id: row.get(0),
        policy: row.get(1),
        kind: kind_of(row.get::<_, i16>(2).into())?,
        subject: row.get(3),
        region: row.get(4),
        department: row.get(5),
        period: row.get(6),
        step: row.get(7),
        in_review: row.get(8),
        due: if due == NO_DAY { None } else { Some(day_of(due)?) },
        version: row.get::<_, i64>(10).cast_unsigned(),
        at: row.get(11),
        body: row.get(12),
    })
}

pub(super) async fn named(connection: &Object, ids: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
    query(connection, &format!("{CASES} WHERE id = ANY ($1) ORDER BY id"), &[&held_all(ids)]).await?.iter().map(case).collect()
}

pub(super) async fn about(connection: &Object, subjects: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
    let sql = format!("{CASES} WHERE subject = ANY ($1) ORDER BY subject, kind, id");
    query(connection, &sql, &[&held_all(subjects)]).await?.iter().map(case).collect()
}

pub(super) async fn filtered(connection: &Object, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
    let (wanted, values) = filter.sql('$');
    let values: Vec<Cow<'_, str>> = values.iter().map(|value| held(value)).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let rows = connection.query(&format!("{CASES}{wanted}"), &values).await.map_err(failed)?;
    rows.iter().map(case).collect()
}

pub(super) async fn counts(connection: &Object, region: &str) -> Result<Vec<CaseCount>, StoreError> {
    let sql = "SELECT policy, step, count(*), count(*) FILTER (WHERE in_review) FROM mianshen.case_row
        WHERE region >= $1 AND region < $2 GROUP BY policy, step ORDER BY policy, step";
    let rows = query(connection, sql, &[&region, &behind(region)]).await?;
    let number = |row: &Row, at: usize| row.get::<_, i64>(at).cast_unsigned();
    let count = |row| CaseCount { policy: Row::get(row, 0), step: Row::get(row, 1), cases: number(row, 2), in_review: number(row, 3) };
    Ok(rows.iter().map(count).collect())
}

const EVENTS: &str = "SELECT e.seq, e.case_id, e.version, e.at, e.digest, e.hash, c.salt, c.body FROM mianshen.case_event e
    LEFT JOIN mianshen.case_content c USING (seq)";

/// An event as it lies there, whatever somebody did to it: what has not the right form does not verify.
fn event(row: &Row) -> CaseEvent {
    let (salt, body): (Option<&[u8]>, Option<&[u8]>) = (row.get(6), row.get(7));
    CaseEvent {
        seq: row.get::<_, i64>(0).cast_unsigned(),
        case: row.get(1),
        version: row.get::<_, i64>(2).cast_unsigned(),
        at: row.get(3),
        digest: sized(row.get(4)),
        hash: sized(row.get(5)),
        content: body.map(|body| (sized(salt), body.to_vec())),
    }
}

pub(super) async fn events_of(connection: &Object, case: &str) -> Result<Vec<CaseEvent>, StoreError> {
    let rows = query(connection, &format!("{EVENTS} WHERE e.case_id = $1 ORDER BY e.version, e.seq"), &[&case]).await?;
    Ok(rows.iter().map(event).collect())
}

pub(super) async fn events_from(connection: &Object, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError> {
    let sql = format!("{EVENTS} WHERE e.seq >= $1 ORDER BY e.seq LIMIT $2");
    let rows = query(connection, &sql, &[&from.cast_signed(), &limited(limit)]).await?;
    Ok(rows.iter().map(event).collect())
}

pub(super) async fn head<C: GenericClient>(client: &C) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT seq, at, hash FROM mianshen.case_event ORDER BY seq DESC LIMIT 1";
    let row = client.query_opt(sql, &[]).await.map_err(failed)?;
    Ok(row.map(|row| Head { seq: row.get::<_, i64>(0).cast_unsigned(), at: row.get(1), hash: sized(row.get(2)) }))
}

pub(super) async fn erase(connection: &mut Object, kept: &CaseRow) -> Result<u64, StoreError> {
    let transaction = connection.transaction().await.map_err(failed)?;
    let due = kept.due.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
    // The row first: whoever moves the case on waits for it.
    let sql = "UPDATE mianshen.case_row SET subject = $3, region = $4, in_review = $5, due = $6, body = $7 WHERE id = $1 AND version = $2";
    let version = kept.version.cast_signed();
    let of_row: [&(dyn ToSql + Sync); 7] = [&kept.id, &version, &kept.subject, &kept.region, &kept.in_review, &due, &kept.body];
    if transaction.execute(sql, &of_row).await.map_err(failed)? == 0 {
        return Err(StoreError::Raced(kept.id.clone()));
    }
    let sql = "DELETE FROM mianshen.case_content c USING mianshen.case_event e WHERE e.seq = c.seq AND e.case_id = $1";
    let erased = transaction.execute(sql, &[&kept.id]).await.map_err(failed)?;
    // What was given up cannot be sent again without its words: it is dropped.
    let sql = "UPDATE mianshen.message SET subject = '', body = '', state = CASE state WHEN $2 THEN $3 ELSE state END
        WHERE state <> $4 AND number IN (SELECT number FROM mianshen.message_case WHERE case_id = $1)";
    let [waiting, dead, dropped] = [MessageState::Waiting, MessageState::Dead, MessageState::Dropped].map(state_number);
    transaction.execute(sql, &[&kept.id, &dead, &dropped, &waiting]).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(erased)
}
