//! Writing a batch, in one transaction.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use super::cases::head;
use super::rows::{current, positions};
use crate::store::live::{
    Batch, CaseEvent, CaseStep, Committed, DeliveryStep, Fence, LiveState, MessageState, NO_DAY, NewMessage, PositionStep, chained,
    kind_number, state_number,
};
use crate::store::sqlite::files::failed;
use crate::store::{Held, StoreError};

/// Takes or renews the lease.
pub(super) fn lease(transaction: &Transaction<'_>, holder: String, now: i64, until: i64) -> Result<Fence, StoreError> {
    let sql = "SELECT holder, epoch, until FROM lease";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let there = transaction.query_row(sql, [], row).optional().map_err(failed)?;
    let epoch = match there {
        None => 1,
        Some((Some(other), epoch, _)) if other == holder => epoch,
        Some((Some(_), _, others)) if others > now => return Err(StoreError::Busy(Held::Lease)),
        Some((_, epoch, _)) => epoch + 1,
    };
    let sql = "INSERT INTO lease (one, holder, epoch, until) VALUES (1, ?1, ?2, ?3)
        ON CONFLICT (one) DO UPDATE SET holder = ?1, epoch = ?2, until = ?3";
    transaction.execute(sql, params![holder, epoch, until]).map_err(failed)?;
    Ok(Fence { holder, epoch: epoch.cast_unsigned() })
}

/// Who holds the lease.
pub(super) fn leased(connection: &Connection) -> Result<Option<Fence>, StoreError> {
    let sql = "SELECT holder, epoch FROM lease WHERE holder IS NOT NULL";
    let row = |row: &rusqlite::Row<'_>| Ok(Fence { holder: row.get(0)?, epoch: row.get::<_, i64>(1)?.cast_unsigned() });
    connection.query_row(sql, [], row).optional().map_err(failed)
}

/// Gives the lease back, where the fence holds it.
pub(super) fn release(transaction: &Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    let sql = "UPDATE lease SET holder = NULL, until = 0 WHERE holder = ?1 AND epoch = ?2";
    transaction.execute(sql, params![fence.holder, fence.epoch.cast_signed()]).map_err(failed).map(|_| ())
}

fn check_fence(transaction: &Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("SELECT holder, epoch FROM lease").map_err(failed)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, i64>(1)?));
    let there = statement.query_row([], row).optional().map_err(failed)?;
    match there {
        Some((Some(holder), epoch)) if holder == fence.holder && epoch == fence.epoch.cast_signed() => Ok(()),
        Some((holder, _)) => Err(StoreError::Fenced(holder.unwrap_or_else(|| "-".to_owned()))),
        None => Err(StoreError::Fenced("-".to_owned())),
    }
}

/// Writes a batch that was checked.
pub(super) fn commit(transaction: &Transaction<'_>, batch: &Batch) -> Result<Committed, StoreError> {
    if let Some(fence) = &batch.fence {
        check_fence(transaction, fence)?;
    }
    if batch.changes_generation() {
        let none = || StoreError::Failed("no generation was filled yet".to_owned());
        let generation = current(transaction)?.ok_or_else(none)?;
        batch.check_generation(generation)?;
        change_generation(transaction, generation, batch)?;
    }
    let before = head(transaction)?;
    let events = chained(before, batch.at, &batch.cases)?;
    write_cases(transaction, &batch.cases, &events)?;
    write_events(transaction, &events)?;
    let folded = write_messages(transaction, batch.at, &batch.messages)?;
    write_deliveries(transaction, batch.at, &batch.deliveries_once())?;
    Ok(Committed { head: events.last().map_or(before, |event| Some(event.head())), folded })
}

fn change_generation(transaction: &Transaction<'_>, generation: i64, batch: &Batch) -> Result<(), StoreError> {
    if !batch.positions.is_empty() {
        let now: HashMap<(String, i32), i64> =
            positions(transaction)?.into_iter().map(|position| ((position.source, position.partition), position.next)).collect();
        batch.check_positions(&now)?;
        write_positions(transaction, batch.positions.iter())?;
    }
    // What is as it was is not written: its pages stay out of the log.
    let prepare = |sql: &str| transaction.prepare_cached(sql).map_err(failed);
    let mut put = prepare(
        "INSERT INTO register_row (generation, id, register, body) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (generation, id, register) DO UPDATE SET body = ?4 WHERE body <> ?4",
    )?;
    let mut remove = prepare("DELETE FROM register_row WHERE generation = ?1 AND id = ?2 AND register = ?3")?;
    for rows in batch.rows_once() {
        if rows.body.is_empty() {
            remove.execute(params![generation, rows.id, rows.register]).map_err(failed)?;
        } else {
            put.execute(params![generation, rows.id, rows.register, rows.body]).map_err(failed)?;
        }
    }
    let (mentioned, unmentioned) = batch.mentions_once();
    let mut put = prepare("INSERT OR IGNORE INTO mention (generation, id, register, owner) VALUES (?1, ?2, ?3, ?4)")?;
    for mention in mentioned {
        put.execute(params![generation, mention.id, mention.register, mention.owner]).map_err(failed)?;
    }
    let mut remove = prepare("DELETE FROM mention WHERE generation = ?1 AND id = ?2 AND register = ?3 AND owner = ?4")?;
    for mention in unmentioned {
        remove.execute(params![generation, mention.id, mention.register, mention.owner]).map_err(failed)?;
    }
    let mut put = prepare(
        "INSERT INTO standing (generation, kind, id, body) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (generation, kind, id) DO UPDATE SET body = ?4 WHERE body <> ?4",
    )?;
    let mut remove = prepare("DELETE FROM standing WHERE generation = ?1 AND kind = ?2 AND id = ?3")?;
    for standing in batch.standing_once() {
        let kind = kind_number(standing.kind);
        if standing.body.is_empty() {
            remove.execute(params![generation, kind, standing.id]).map_err(failed)?;
        } else {
            put.execute(params![generation, kind, standing.id, standing.body]).map_err(failed)?;
        }
    }
    let mut put = prepare(
        "INSERT INTO timer (generation, kind, id, day, body) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (generation, kind, id) DO UPDATE SET day = ?4, body = ?5 WHERE day <> ?4 OR body <> ?5",
    )?;
    let mut remove = prepare("DELETE FROM timer WHERE generation = ?1 AND kind = ?2 AND id = ?3")?;
    let mut reckoned = prepare("DELETE FROM touched WHERE generation = ?1 AND kind = ?2 AND id = ?3")?;
    for timer in batch.timers_once() {
        let kind = kind_number(timer.kind);
        match &timer.set {
            Some((day, body)) => put.execute(params![generation, kind, timer.id, day.to_string(), body]),
            None => remove.execute(params![generation, kind, timer.id]),
        }
        .map_err(failed)?;
        reckoned.execute(params![generation, kind, timer.id]).map_err(failed)?;
    }
    let mut put = prepare("INSERT OR IGNORE INTO touched (generation, kind, id) VALUES (?1, ?2, ?3)")?;
    for (kind, id) in &batch.touched {
        put.execute(params![generation, kind_number(*kind), id]).map_err(failed)?;
    }
    if let Some(LiveState { as_of, body }) = &batch.state {
        let sql = "UPDATE generation SET as_of = ?1, body = ?2 WHERE id = ?3";
        transaction.execute(sql, params![as_of.to_string(), body, generation]).map_err(failed)?;
    }
    Ok(())
}

/// Writes where sources are read on.
fn write_positions<'a>(transaction: &Transaction<'_>, steps: impl Iterator<Item = &'a PositionStep>) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO position (source, part, next) VALUES (?1, ?2, ?3)";
    let mut put = transaction.prepare_cached(sql).map_err(failed)?;
    for step in steps {
        put.execute(params![step.source, step.partition, step.to]).map_err(failed)?;
    }
    Ok(())
}

fn write_cases(transaction: &Transaction<'_>, steps: &[CaseStep], events: &[CaseEvent]) -> Result<(), StoreError> {
    let mut version = transaction.prepare_cached("SELECT version FROM case_row WHERE id = ?1").map_err(failed)?;
    let sql = "INSERT OR REPLACE INTO case_row
        (id, policy, kind, subject, region, department, period, step, in_review, due, version, at, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let mut put = transaction.prepare_cached(sql).map_err(failed)?;
    for step in steps {
        let row = &step.row;
        let now: Option<i64> = version.query_row([&row.id], |row| row.get(0)).optional().map_err(failed)?;
        if now.unwrap_or(0).cast_unsigned() != step.expect {
            return Err(StoreError::Raced(row.id.clone()));
        }
        let version = (step.expect + step.events.len() as u64).cast_signed();
        // All events of a commit are of one time.
        let at = events.first().map(|event| event.at);
        let due = row.due.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
        put.execute(params![
            row.id,
            row.policy,
            kind_number(row.kind),
            row.subject,
            row.region,
            row.department,
            row.period,
            row.step,
            row.in_review,
            due,
            version,
            at,
            row.body
        ])
        .map_err(failed)?;
    }
    Ok(())
}

fn write_events(transaction: &Transaction<'_>, events: &[CaseEvent]) -> Result<(), StoreError> {
    let sql = "INSERT INTO case_event (seq, case_id, version, at, digest, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut record = transaction.prepare_cached(sql).map_err(failed)?;
    let mut content = transaction.prepare_cached("INSERT INTO case_content (seq, salt, body) VALUES (?1, ?2, ?3)").map_err(failed)?;
    for event in events {
        let (seq, version) = (event.seq.cast_signed(), event.version.cast_signed());
        record.execute(params![seq, event.case, version, event.at, event.digest, event.hash]).map_err(failed)?;
        if let Some((salt, body)) = &event.content {
            content.execute(params![seq, salt, body]).map_err(failed)?;
        }
    }
    Ok(())
}

/// Gives how many were there already.
fn write_messages(transaction: &Transaction<'_>, at: i64, messages: &[NewMessage]) -> Result<u64, StoreError> {
    let sql = "INSERT INTO message
        (id, channel, kind, subject, cases, not_before, body, at, state, tries, told, changed_at, is_first)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, '', ?8, NOT EXISTS
            (SELECT 1 FROM message WHERE channel = ?2 AND kind = ?3 AND subject = ?4 AND state = 0)
        WHERE true ON CONFLICT (id) DO NOTHING";
    let mut put = transaction.prepare_cached(sql).map_err(failed)?;
    let mut about = transaction.prepare_cached("INSERT OR IGNORE INTO message_case (case_id, number) VALUES (?1, ?2)").map_err(failed)?;
    let mut folded = 0;
    for message in messages {
        let cases = serde_json::to_string(&message.cases).map_err(|error| StoreError::Failed(error.to_string()))?;
        let (kind, subject) = (kind_number(message.kind), &message.subject);
        let values = params![message.id, message.channel, kind, subject, cases, message.not_before, message.body, at];
        if put.execute(values).map_err(failed)? == 0 {
            folded += 1;
            continue;
        }
        let number = transaction.last_insert_rowid();
        for case in &message.cases {
            about.execute(params![case, number]).map_err(failed)?;
        }
    }
    Ok(folded)
}

fn write_deliveries(transaction: &Transaction<'_>, at: i64, deliveries: &[&DeliveryStep]) -> Result<(), StoreError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE message SET state = ?2, tries = ?3, not_before = ?4, told = ?5,
            changed_at = CASE WHEN state = ?2 THEN changed_at ELSE ?6 END, is_first = is_first AND ?2 = 0
        WHERE id = ?1 RETURNING channel, kind, subject";
    let mut step = transaction.prepare_cached(sql).map_err(failed)?;
    let mut queues: BTreeSet<(String, i64, String)> = BTreeSet::new();
    for delivery in deliveries {
        let state = state_number(delivery.state);
        let values = params![delivery.id, state, delivery.tries, delivery.not_before, delivery.told, at];
        let queue = step.query_row(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional().map_err(failed)?;
        queues.insert(queue.ok_or_else(|| StoreError::Failed(format!("no such message: {}", delivery.id)))?);
    }
    // The oldest that waits of each subject is its first now.
    let mut others: CachedStatement<'_> = transaction
        .prepare_cached("UPDATE message SET is_first = 0 WHERE channel = ?1 AND kind = ?2 AND subject = ?3 AND state = 0 AND is_first = 1")
        .map_err(failed)?;
    let sql = "UPDATE message SET is_first = 1 WHERE number =
        (SELECT min(number) FROM message WHERE channel = ?1 AND kind = ?2 AND subject = ?3 AND state = 0)";
    let mut first = transaction.prepare_cached(sql).map_err(failed)?;
    for (channel, kind, subject) in queues {
        others.execute(params![channel, kind, subject]).map_err(failed)?;
        first.execute(params![channel, kind, subject]).map_err(failed)?;
    }
    debug_assert_eq!(state_number(MessageState::Waiting), 0, "the number that stands in the statements above");
    Ok(())
}
