//! Reading what belongs to a generation, each in one query, so that all of it is of one moment.

use chrono::NaiveDate;
use deadpool_postgres::Object;

use super::{limited, query};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::due::{counted, in_order, next_day, touched_after};
use crate::store::live::{LiveState, Mention, Position, RowsOf, Standing, Timer, TimerKey, day_of, kind_number, kind_of};
use crate::store::postgres::{held, held_all};

/// What rows of the current generation have.
const CURRENT: &str = "generation = (SELECT id FROM mianshen.generation WHERE is_current)";

pub(super) async fn state(connection: &Object) -> Result<Option<LiveState>, StoreError> {
    let rows = query(connection, "SELECT as_of, body FROM mianshen.generation WHERE is_current", &[]).await?;
    rows.first().map(|row| Ok(LiveState { as_of: day_of(row.get(0))?, body: row.get(1) })).transpose()
}

pub(super) async fn generation(connection: &Object) -> Result<Option<i64>, StoreError> {
    let rows = query(connection, "SELECT id FROM mianshen.generation WHERE is_current", &[]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

pub(super) async fn positions(connection: &Object) -> Result<Vec<Position>, StoreError> {
    let rows = query(connection, "SELECT source, part, next FROM mianshen.position ORDER BY source, part", &[]).await?;
    Ok(rows.iter().map(|row| Position { source: row.get(0), partition: row.get(1), next: row.get(2) }).collect())
}

pub(super) async fn rows(connection: &Object, ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
    let sql = format!("SELECT id, register, body FROM mianshen.register_row WHERE {CURRENT} AND id = ANY ($1) ORDER BY id, register");
    let rows = query(connection, &sql, &[&held_all(ids)]).await?;
    Ok(rows.iter().map(|row| RowsOf { id: row.get(0), register: row.get(1), body: row.get(2) }).collect())
}

pub(super) async fn rows_in(connection: &Object, registers: &[&str], ids: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
    let sql = format!(
        "SELECT id, register, body FROM mianshen.register_row
         WHERE {CURRENT} AND id = ANY ($1) AND register = ANY ($2) ORDER BY id, register"
    );
    let rows = query(connection, &sql, &[&held_all(ids), &registers]).await?;
    Ok(rows.iter().map(|row| RowsOf { id: row.get(0), register: row.get(1), body: row.get(2) }).collect())
}

pub(super) async fn rows_after(connection: &Object, (id, register): (&str, &str), limit: usize) -> Result<Vec<RowsOf>, StoreError> {
    let sql = format!(
        "SELECT id, register, body FROM mianshen.register_row WHERE {CURRENT} AND (id, register) > ($1, $2)
         ORDER BY id, register LIMIT $3"
    );
    let rows = query(connection, &sql, &[&id, &register, &limited(limit)]).await?;
    Ok(rows.iter().map(|row| RowsOf { id: row.get(0), register: row.get(1), body: row.get(2) }).collect())
}

pub(super) async fn mentions(connection: &Object, register: &str, ids: &[&str]) -> Result<Vec<Mention>, StoreError> {
    let sql =
        format!("SELECT id, register, owner FROM mianshen.mention WHERE {CURRENT} AND id = ANY ($1) AND register = $2 ORDER BY id, owner");
    let rows = query(connection, &sql, &[&held_all(ids), &register]).await?;
    Ok(rows.iter().map(|row| Mention { id: row.get(0), register: row.get(1), owner: row.get(2) }).collect())
}

/// The register stands in the text: of an index over a part of the rows, a parameter does not say that it is that part.
pub(super) async fn linked(connection: &Object) -> Result<Vec<Mention>, StoreError> {
    let sql =
        format!("SELECT id, register, owner FROM mianshen.mention WHERE {CURRENT} AND register = '{IDENTITY_LINKS}' ORDER BY id, owner");
    let rows = query(connection, &sql, &[]).await?;
    Ok(rows.iter().map(|row| Mention { id: row.get(0), register: row.get(1), owner: row.get(2) }).collect())
}

pub(super) async fn standing(connection: &Object, kind: SubjectKind, ids: &[&str]) -> Result<Vec<Standing>, StoreError> {
    let sql = format!("SELECT id, body FROM mianshen.standing WHERE {CURRENT} AND kind = $1 AND id = ANY ($2) ORDER BY id");
    let rows = query(connection, &sql, &[&kind_number(kind), &held_all(ids)]).await?;
    Ok(rows.iter().map(|row| Standing { kind, id: row.get(0), body: row.get(1) }).collect())
}

pub(super) async fn stands(connection: &Object, kind: SubjectKind, id: &str) -> Result<Option<(LiveState, Option<Standing>)>, StoreError> {
    let sql = "SELECT g.as_of, g.body, s.body FROM mianshen.generation g
        LEFT JOIN mianshen.standing s ON s.generation = g.id AND s.kind = $1 AND s.id = $2 WHERE g.is_current";
    let rows = query(connection, sql, &[&kind_number(kind), &held(id)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let state = LiveState { as_of: day_of(row.get(0))?, body: row.get(1) };
    let body: Option<Vec<u8>> = row.get(2);
    Ok(Some((state, body.map(|body| Standing { kind, id: id.to_owned(), body }))))
}

pub(super) async fn standing_after(connection: &Object, kind: SubjectKind, after: &str, limit: usize) -> Result<Vec<Standing>, StoreError> {
    let sql = format!("SELECT id, body FROM mianshen.standing WHERE {CURRENT} AND kind = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows = query(connection, &sql, &[&kind_number(kind), &after, &limited(limit)]).await?;
    Ok(rows.iter().map(|row| Standing { kind, id: row.get(0), body: row.get(1) }).collect())
}

/// The day after that of the state; none before the first generation was filled.
async fn next_day_of(connection: &Object) -> Result<Option<NaiveDate>, StoreError> {
    let rows = query(connection, "SELECT as_of FROM mianshen.generation WHERE is_current", &[]).await?;
    rows.first().map(|row| Ok(next_day(day_of(row.get(0))?))).transpose()
}

/// Timers of those who were not touched.
const UNTOUCHED: &str =
    "NOT EXISTS (SELECT 1 FROM mianshen.touched u WHERE u.generation = t.generation AND u.kind = t.kind AND u.id = t.id)";

pub(super) async fn due(connection: &Object, until: NaiveDate, after: Option<&TimerKey>, limit: usize) -> Result<Vec<Timer>, StoreError> {
    let Some(next_day) = next_day_of(connection).await? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT day, kind, id, body FROM mianshen.timer t WHERE {CURRENT} AND day <= $1 AND (day, kind, id) > ($2, $3, $4) AND {UNTOUCHED}
         ORDER BY day, kind, id LIMIT $5"
    );
    let (day, kind, id) = after.map_or((String::new(), 0, ""), |key| (key.day.to_string(), kind_number(key.kind), key.id.as_str()));
    let rows = query(connection, &sql, &[&until.to_string(), &day, &kind, &id, &limited(limit)]).await?;
    let timer = |row: &tokio_postgres::Row| {
        let key = TimerKey { day: day_of(row.get(0))?, kind: kind_of(row.get::<_, i16>(1).into())?, id: row.get(2) };
        Ok(Timer { key, body: row.get(3) })
    };
    let timers = rows.iter().map(timer).collect::<Result<Vec<_>, StoreError>>()?;
    let Some((kind, id)) = touched_after(next_day, until, after) else { return Ok(timers) };
    let sql = format!("SELECT kind, id FROM mianshen.touched WHERE {CURRENT} AND (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3");
    let rows = query(connection, &sql, &[&kind, &id, &limited(limit)]).await?;
    let touched = |row: &tokio_postgres::Row| {
        let key = TimerKey { day: next_day, kind: kind_of(row.get::<_, i16>(0).into())?, id: row.get(1) };
        Ok(Timer { key, body: Vec::new() })
    };
    Ok(in_order(timers, rows.iter().map(touched).collect::<Result<_, StoreError>>()?, limit))
}

pub(super) async fn due_counts(connection: &Object, until: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
    let Some(next_day) = next_day_of(connection).await? else { return Ok(Vec::new()) };
    let sql = format!("SELECT day, count(*) FROM mianshen.timer t WHERE {CURRENT} AND day <= $1 AND {UNTOUCHED} GROUP BY day ORDER BY day");
    let rows = query(connection, &sql, &[&until.to_string()]).await?;
    let counts = rows.iter().map(|row| Ok((day_of(row.get(0))?, row.get::<_, i64>(1).cast_unsigned())));
    let sql = format!("SELECT count(*) FROM mianshen.touched WHERE {CURRENT}");
    let rows = query(connection, &sql, &[]).await?;
    let touched = rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned());
    Ok(counted(counts.collect::<Result<_, StoreError>>()?, (next_day, touched), until))
}
