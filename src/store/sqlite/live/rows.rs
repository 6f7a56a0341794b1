//! Reading what belongs to a generation: rows, mentions, standing, timers, the state and the positions.

use chrono::NaiveDate;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Rows, params};

use super::limited;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::due::{counted, in_order, next_day, touched_after};
use crate::store::live::{LiveState, Mention, Position, RowsOf, Standing, Timer, TimerKey, day_of, kind_number, kind_of};
use crate::store::sqlite::files::failed;

/// The current generation; none before the first was filled.
pub(super) fn current(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM generation WHERE is_current = 1").map_err(failed)?;
    statement.query_row([], |row| row.get(0)).optional().map_err(failed)
}

/// All that a query gives.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn state(connection: &Connection) -> Result<Option<LiveState>, StoreError> {
    let sql = "SELECT as_of, body FROM generation WHERE is_current = 1";
    let state = |row: &Row<'_>| {
        let as_of: String = row.get(0).map_err(failed)?;
        Ok(LiveState { as_of: day_of(&as_of)?, body: row.get(1).map_err(failed)? })
    };
    all(connection, sql, [], state).map(|mut found| found.pop())
}

pub(super) fn positions(connection: &Connection) -> Result<Vec<Position>, StoreError> {
    let position = |row: &Row<'_>| {
        let read = || Ok(Position { source: row.get(0)?, partition: row.get(1)?, next: row.get(2)? });
        read().map_err(failed)
    };
    all(connection, "SELECT source, part, next FROM position ORDER BY source, part", [], position)
}

pub(super) fn rows(connection: &Connection, ids: &[String]) -> Result<Vec<RowsOf>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let sql = "SELECT register, body FROM register_row WHERE generation = ?1 AND id = ?2 ORDER BY register";
    let read = |id: &str, row: &Row<'_>| Ok(Some(RowsOf { id: id.to_owned(), register: row.get(0)?, body: row.get(1)? }));
    each(connection, sql, ids, |statement, id| statement.query(params![generation, id]), read)
}

/// The rows of one identifier lie side by side: where several registers are asked for, it is dearer to look for each than to pass over
/// the others.
pub(super) fn rows_in(connection: &Connection, registers: &[String], ids: &[String]) -> Result<Vec<RowsOf>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    if let [register] = registers {
        let sql = "SELECT body FROM register_row WHERE generation = ?1 AND id = ?2 AND register = ?3";
        let read = |id: &str, row: &Row<'_>| Ok(Some(RowsOf { id: id.to_owned(), register: register.clone(), body: row.get(0)? }));
        return each(connection, sql, ids, |statement, id| statement.query(params![generation, id, register]), read);
    }
    let sql = "SELECT register, body FROM register_row WHERE generation = ?1 AND id = ?2 ORDER BY register";
    let read = |id: &str, row: &Row<'_>| {
        let register = row.get_ref(0)?.as_str()?;
        let Ok(at) = registers.binary_search_by(|known| known.as_str().cmp(register)) else { return Ok(None) };
        Ok(Some(RowsOf { id: id.to_owned(), register: registers[at].clone(), body: row.get(1)? }))
    };
    each(connection, sql, ids, |statement, id| statement.query(params![generation, id]), read)
}

pub(super) fn rows_after(connection: &Connection, id: &str, register: &str, limit: usize) -> Result<Vec<RowsOf>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let sql = "SELECT id, register, body FROM register_row
        WHERE generation = ?1 AND (id, register) > (?2, ?3) ORDER BY id, register LIMIT ?4";
    let rows = |row: &Row<'_>| {
        let read = || Ok(RowsOf { id: row.get(0)?, register: row.get(1)?, body: row.get(2)? });
        read().map_err(failed)
    };
    all(connection, sql, params![generation, id, register, limited(limit)], rows)
}

pub(super) fn mentions(connection: &Connection, register: &str, ids: &[String]) -> Result<Vec<Mention>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let sql = "SELECT owner FROM mention WHERE generation = ?1 AND id = ?2 AND register = ?3 ORDER BY owner";
    let read = |id: &str, row: &Row<'_>| Ok(Some(Mention { id: id.to_owned(), register: register.to_owned(), owner: row.get(0)? }));
    each(connection, sql, ids, |statement, id| statement.query(params![generation, id, register]), read)
}

/// The register stands in the text: of an index over a part of the rows, a parameter does not say that it is that part.
pub(super) fn linked(connection: &Connection) -> Result<Vec<Mention>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let sql = format!("SELECT id, owner FROM mention WHERE generation = ?1 AND register = '{IDENTITY_LINKS}' ORDER BY id, owner");
    let mention = |row: &Row<'_>| {
        let read = || Ok(Mention { id: row.get(0)?, register: IDENTITY_LINKS.to_owned(), owner: row.get(1)? });
        read().map_err(failed)
    };
    all(connection, &sql, [generation], mention)
}

/// What a query gives for one identifier after the other; rows that give nothing are left out.
fn each<T>(
    connection: &Connection,
    sql: &str,
    ids: &[String],
    query: impl for<'s> Fn(&'s mut CachedStatement<'_>, &str) -> rusqlite::Result<Rows<'s>>,
    read: impl Fn(&str, &Row<'_>) -> rusqlite::Result<Option<T>>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut found = Vec::new();
    for id in ids {
        let mut rows = query(&mut statement, id).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            found.extend(read(id, row).map_err(failed)?);
        }
    }
    Ok(found)
}

/// What stands of some identifiers, sorted, as subjects of a kind. Most identifiers are of one kind, by which they begin: of the other
/// kinds they are mostly outside of what there is, and not looked for.
pub(super) fn standing(connection: &Connection, kind: SubjectKind, ids: &[String]) -> Result<Vec<Standing>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let end = |sql: &str| -> Result<Option<String>, StoreError> {
        let mut statement = connection.prepare_cached(sql).map_err(failed)?;
        statement.query_row(params![generation, kind_number(kind)], |row| row.get(0)).optional().map_err(failed)
    };
    let first = end("SELECT id FROM standing WHERE generation = ?1 AND kind = ?2 ORDER BY id LIMIT 1")?;
    let last = end("SELECT id FROM standing WHERE generation = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1")?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let ids = &ids[ids.partition_point(|id| *id < first)..];
    let ids = &ids[..ids.partition_point(|id| *id <= last)];
    let sql = "SELECT body FROM standing WHERE generation = ?1 AND kind = ?2 AND id = ?3";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut found = Vec::new();
    for id in ids {
        let body = statement.query_row(params![generation, kind_number(kind), id], |row| row.get(0)).optional().map_err(failed)?;
        found.extend(body.map(|body| Standing { kind, id: id.clone(), body }));
    }
    Ok(found)
}

pub(super) fn standing_after(connection: &Connection, kind: SubjectKind, after: &str, limit: usize) -> Result<Vec<Standing>, StoreError> {
    let Some(generation) = current(connection)? else { return Ok(Vec::new()) };
    let sql = "SELECT id, body FROM standing WHERE generation = ?1 AND kind = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
    let standing = |row: &Row<'_>| Ok(Standing { kind, id: row.get(0).map_err(failed)?, body: row.get(1).map_err(failed)? });
    all(connection, sql, params![generation, kind_number(kind), after, limited(limit)], standing)
}

/// The current generation and the day after that of its state.
fn generation_and_next_day(connection: &Connection) -> Result<Option<(i64, NaiveDate)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, as_of FROM generation WHERE is_current = 1").map_err(failed)?;
    let there = statement.query_row([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional().map_err(failed)?;
    there.map(|(generation, as_of)| Ok((generation, next_day(day_of(&as_of)?)))).transpose()
}

/// Timers of those who were not touched.
const UNTOUCHED: &str = "NOT EXISTS (SELECT 1 FROM touched u WHERE u.generation = t.generation AND u.kind = t.kind AND u.id = t.id)";

pub(super) fn due(connection: &Connection, until: NaiveDate, after: Option<&TimerKey>, limit: usize) -> Result<Vec<Timer>, StoreError> {
    let Some((generation, next_day)) = generation_and_next_day(connection)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT t.day, t.kind, t.id, t.body FROM timer t
        WHERE t.generation = ?1 AND t.day <= ?2 AND (t.day, t.kind, t.id) > (?3, ?4, ?5) AND {UNTOUCHED}
        ORDER BY t.day, t.kind, t.id LIMIT ?6"
    );
    let timer = |row: &Row<'_>| {
        let read = || Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let (day, kind, id, body) = read().map_err(failed)?;
        Ok(Timer { key: TimerKey { day: day_of(&day)?, kind: kind_of(kind)?, id }, body })
    };
    let (day, kind, id) = after.map_or((String::new(), 0, ""), |key| (key.day.to_string(), kind_number(key.kind), key.id.as_str()));
    let timers = all(connection, &sql, params![generation, until.to_string(), day, kind, id, limited(limit)], timer)?;
    let Some((kind, id)) = touched_after(next_day, until, after) else { return Ok(timers) };
    let sql = "SELECT kind, id FROM touched WHERE generation = ?1 AND (kind, id) > (?2, ?3) ORDER BY kind, id LIMIT ?4";
    let touched = |row: &Row<'_>| {
        let (kind, id) = (|| Ok((row.get(0)?, row.get(1)?)))().map_err(failed)?;
        Ok(Timer { key: TimerKey { day: next_day, kind: kind_of(kind)?, id }, body: Vec::new() })
    };
    let touched = all(connection, sql, params![generation, kind, id, limited(limit)], touched)?;
    Ok(in_order(timers, touched, limit))
}

pub(super) fn due_counts(connection: &Connection, until: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
    let Some((generation, next_day)) = generation_and_next_day(connection)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT t.day, count(*) FROM timer t WHERE t.generation = ?1 AND t.day <= ?2 AND {UNTOUCHED} GROUP BY t.day ORDER BY t.day"
    );
    let count = |row: &Row<'_>| {
        let day: String = row.get(0).map_err(failed)?;
        Ok((day_of(&day)?, row.get::<_, i64>(1).map_err(failed)?.cast_unsigned()))
    };
    let counts = all(connection, &sql, params![generation, until.to_string()], count)?;
    let sql = "SELECT count(*) FROM touched WHERE generation = ?1";
    let touched: i64 = connection.query_row(sql, [generation], |row| row.get(0)).map_err(failed)?;
    Ok(counted(counts, (next_day, touched.cast_unsigned()), until))
}
