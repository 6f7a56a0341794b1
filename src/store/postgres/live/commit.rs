//! Writing a batch, in one transaction and few round trips: lists go as arrays.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;

use super::cases::head;
use crate::store::live::{
    Batch, CaseEvent, CaseStep, Committed, DeliveryStep, Fence, MessageState, NO_DAY, NewMessage, chained, kind_number, state_number,
};
use crate::store::postgres::failed;
use crate::store::{Held, StoreError};

/// A channel and a subject: their messages wait one behind the other.
type Queue = (String, i16, String);

/// Takes or renews the lease.
pub(super) async fn lease(connection: &mut Object, holder: &str, now: i64, until: i64) -> Result<Fence, StoreError> {
    let transaction = connection.transaction().await.map_err(failed)?;
    let sql = "INSERT INTO mianshen.lease (one, holder, epoch, until) VALUES (1, NULL, 0, 0) ON CONFLICT (one) DO NOTHING";
    transaction.execute(sql, &[]).await.map_err(failed)?;
    let sql = "SELECT holder, epoch, until FROM mianshen.lease FOR UPDATE";
    let row = transaction.query_one(sql, &[]).await.map_err(failed)?;
    let (there, epoch, others): (Option<&str>, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let epoch = match there {
        Some(other) if other == holder => epoch,
        Some(_) if others > now => return Err(StoreError::Busy(Held::Lease)),
        _ => epoch + 1,
    };
    let sql = "UPDATE mianshen.lease SET holder = $1, epoch = $2, until = $3";
    transaction.execute(sql, &[&holder, &epoch, &until]).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(Fence { holder: holder.to_owned(), epoch: epoch.cast_unsigned() })
}

/// Who holds the lease.
pub(super) async fn leased(connection: &Object) -> Result<Option<Fence>, StoreError> {
    let sql = "SELECT holder, epoch FROM mianshen.lease WHERE holder IS NOT NULL";
    let row = connection.query_opt(sql, &[]).await.map_err(failed)?;
    Ok(row.map(|row| Fence { holder: row.get(0), epoch: row.get::<_, i64>(1).cast_unsigned() }))
}

/// Gives the lease back, where the fence holds it.
pub(super) async fn release(connection: &Object, fence: &Fence) -> Result<(), StoreError> {
    let sql = "UPDATE mianshen.lease SET holder = NULL, until = 0 WHERE holder = $1 AND epoch = $2";
    connection.execute(sql, &[&fence.holder, &fence.epoch.cast_signed()]).await.map_err(failed).map(|_| ())
}

async fn check_fence(transaction: &Transaction<'_>, fence: &Fence) -> Result<(), StoreError> {
    // Held until the end: nobody takes the lease, and nobody else of the same holder commits, meanwhile.
    let row = transaction.query_opt("SELECT holder, epoch FROM mianshen.lease FOR UPDATE", &[]).await.map_err(failed)?;
    let there: Option<(Option<String>, i64)> = row.map(|row| (row.get(0), row.get(1)));
    match there {
        Some((Some(holder), epoch)) if holder == fence.holder && epoch == fence.epoch.cast_signed() => Ok(()),
        other => Err(StoreError::Fenced(other.and_then(|(holder, _)| holder).unwrap_or_else(|| "-".to_owned()))),
    }
}

/// The current generation, which stays that until the transaction ends.
async fn generation(transaction: &Transaction<'_>) -> Result<i64, StoreError> {
    // One that was waited for may be no longer the current one: then the next is.
    for _ in 0..2 {
        let sql = "SELECT id FROM mianshen.generation WHERE is_current FOR SHARE";
        if let Some(row) = transaction.query_opt(sql, &[]).await.map_err(failed)? {
            return Ok(row.get(0));
        }
    }
    Err(StoreError::Failed("no generation was filled yet".to_owned()))
}

/// Writes a batch that was checked.
pub(super) async fn commit(connection: &mut Object, batch: &Batch) -> Result<Committed, StoreError> {
    let transaction = connection.transaction().await.map_err(failed)?;
    if let Some(fence) = &batch.fence {
        check_fence(&transaction, fence).await?;
    }
    if batch.changes_generation() {
        let generation = generation(&transaction).await?;
        batch.check_generation(generation)?;
        change_generation(&transaction, generation, batch).await?;
    }
    if !batch.changes_cases() {
        let head = head(&*transaction).await?;
        transaction.commit().await.map_err(failed)?;
        return Ok(Committed { head, folded: 0 });
    }
    // One at a time: the next event follows the last one that was committed, and so do messages.
    transaction.query_one("SELECT one FROM mianshen.case_chain FOR UPDATE", &[]).await.map_err(failed)?;
    let before = head(&*transaction).await?;
    let events = chained(before, batch.at, &batch.cases)?;
    if !events.is_empty() {
        write_cases(&transaction, &batch.cases, events[0].at).await?;
        write_events(&transaction, &events).await?;
    }
    let mut queues = BTreeSet::new();
    let folded = write_messages(&transaction, batch.at, &batch.messages, &mut queues).await?;
    write_deliveries(&transaction, batch.at, &batch.deliveries_once(), &mut queues).await?;
    find_firsts(&transaction, queues).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(Committed { head: events.last().map_or(before, |event| Some(event.head())), folded })
}

async fn execute(transaction: &Transaction<'_>, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
    let statement = transaction.prepare_cached(sql).await.map_err(failed)?;
    transaction.execute(&statement, values).await.map_err(failed)
}

async fn change_generation(transaction: &Transaction<'_>, generation: i64, batch: &Batch) -> Result<(), StoreError> {
    if !batch.positions.is_empty() {
        write_positions(transaction, batch).await?;
    }
    // What is as it was is not written.
    let (gone, there): (Vec<_>, Vec<_>) = batch.rows_once().into_iter().partition(|rows| rows.body.is_empty());
    if !there.is_empty() {
        let ids: Vec<&str> = there.iter().map(|rows| rows.id.as_str()).collect();
        let registers: Vec<&str> = there.iter().map(|rows| rows.register.as_str()).collect();
        let bodies: Vec<&[u8]> = there.iter().map(|rows| rows.body.as_slice()).collect();
        let sql = "INSERT INTO mianshen.register_row AS r (generation, id, register, body)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[])
            ON CONFLICT (generation, id, register) DO UPDATE SET body = excluded.body WHERE r.body <> excluded.body";
        execute(transaction, sql, &[&generation, &ids, &registers, &bodies]).await?;
    }
    if !gone.is_empty() {
        let ids: Vec<&str> = gone.iter().map(|rows| rows.id.as_str()).collect();
        let registers: Vec<&str> = gone.iter().map(|rows| rows.register.as_str()).collect();
        let sql = "DELETE FROM mianshen.register_row r USING unnest($2::text[], $3::text[]) AS g (id, register)
            WHERE r.generation = $1 AND r.id = g.id AND r.register = g.register";
        execute(transaction, sql, &[&generation, &ids, &registers]).await?;
    }
    write_mentions(transaction, generation, batch).await?;
    write_standing(transaction, generation, batch).await?;
    write_timers(transaction, generation, batch).await?;
    if let Some(state) = &batch.state {
        let sql = "UPDATE mianshen.generation SET as_of = $2, body = $3 WHERE id = $1";
        execute(transaction, sql, &[&generation, &state.as_of.to_string(), &state.body]).await?;
    }
    Ok(())
}

async fn write_positions(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let rows = transaction.query("SELECT source, part, next FROM mianshen.position", &[]).await.map_err(failed)?;
    let now: HashMap<(String, i32), i64> = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    batch.check_positions(&now)?;
    let sources: Vec<&str> = batch.positions.iter().map(|step| step.source.as_str()).collect();
    let parts: Vec<i32> = batch.positions.iter().map(|step| step.partition).collect();
    let nexts: Vec<i64> = batch.positions.iter().map(|step| step.to).collect();
    let sql = "INSERT INTO mianshen.position (source, part, next) SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
        ON CONFLICT (source, part) DO UPDATE SET next = excluded.next";
    execute(transaction, sql, &[&sources, &parts, &nexts]).await.map(|_| ())
}

async fn write_mentions(transaction: &Transaction<'_>, generation: i64, batch: &Batch) -> Result<(), StoreError> {
    let (there, gone) = batch.mentions_once();
    let put = "INSERT INTO mianshen.mention (generation, id, register, owner)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) ON CONFLICT (generation, id, register, owner) DO NOTHING";
    let remove = "DELETE FROM mianshen.mention m USING unnest($2::text[], $3::text[], $4::text[]) AS g (id, register, owner)
        WHERE m.generation = $1 AND m.id = g.id AND m.register = g.register AND m.owner = g.owner";
    for (sql, mentions) in [(put, there), (remove, gone)] {
        if mentions.is_empty() {
            continue;
        }
        let ids: Vec<&str> = mentions.iter().map(|mention| mention.id.as_str()).collect();
        let registers: Vec<&str> = mentions.iter().map(|mention| mention.register.as_str()).collect();
        let owners: Vec<&str> = mentions.iter().map(|mention| mention.owner.as_str()).collect();
        execute(transaction, sql, &[&generation, &ids, &registers, &owners]).await?;
    }
    Ok(())
}

async fn write_standing(transaction: &Transaction<'_>, generation: i64, batch: &Batch) -> Result<(), StoreError> {
    let (gone, there): (Vec<_>, Vec<_>) = batch.standing_once().into_iter().partition(|standing| standing.body.is_empty());
    if !there.is_empty() {
        let kinds: Vec<i16> = there.iter().map(|standing| kind_number(standing.kind)).collect();
        let ids: Vec<&str> = there.iter().map(|standing| standing.id.as_str()).collect();
        let bodies: Vec<&[u8]> = there.iter().map(|standing| standing.body.as_slice()).collect();
        let sql = "INSERT INTO mianshen.standing AS s (generation, kind, id, body)
            SELECT $1, * FROM unnest($2::smallint[], $3::text[], $4::bytea[])
            ON CONFLICT (generation, kind, id) DO UPDATE SET body = excluded.body WHERE s.body <> excluded.body";
        execute(transaction, sql, &[&generation, &kinds, &ids, &bodies]).await?;
    }
    if !gone.is_empty() {
        let kinds: Vec<i16> = gone.iter().map(|standing| kind_number(standing.kind)).collect();
        let ids: Vec<&str> = gone.iter().map(|standing| standing.id.as_str()).collect();
        let sql = "DELETE FROM mianshen.standing s USING unnest($2::smallint[], $3::text[]) AS g (kind, id)
            WHERE s.generation = $1 AND s.kind = g.kind AND s.id = g.id";
        execute(transaction, sql, &[&generation, &kinds, &ids]).await?;
    }
    Ok(())
}

async fn write_timers(transaction: &Transaction<'_>, generation: i64, batch: &Batch) -> Result<(), StoreError> {
    let (mut gone, mut there) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new(), Vec::new()));
    for timer in batch.timers_once() {
        match &timer.set {
            Some((day, body)) => {
                there.0.push(kind_number(timer.kind));
                there.1.push(timer.id.as_str());
                there.2.push(day.to_string());
                there.3.push(body.as_slice());
            }
            None => {
                gone.0.push(kind_number(timer.kind));
                gone.1.push(timer.id.as_str());
            }
        }
    }
    if !there.0.is_empty() {
        let sql = "INSERT INTO mianshen.timer AS t (generation, kind, id, day, body)
            SELECT $1, * FROM unnest($2::smallint[], $3::text[], $4::text[], $5::bytea[])
            ON CONFLICT (generation, kind, id) DO UPDATE SET day = excluded.day, body = excluded.body
            WHERE t.day <> excluded.day OR t.body <> excluded.body";
        execute(transaction, sql, &[&generation, &there.0, &there.1, &there.2, &there.3]).await?;
    }
    if !gone.0.is_empty() {
        let sql = "DELETE FROM mianshen.timer t USING unnest($2::smallint[], $3::text[]) AS g (kind, id)
            WHERE t.generation = $1 AND t.kind = g.kind AND t.id = g.id";
        execute(transaction, sql, &[&generation, &gone.0, &gone.1]).await?;
    }
    let reckoned: (Vec<i16>, Vec<&str>) = (there.0.into_iter().chain(gone.0).collect(), there.1.into_iter().chain(gone.1).collect());
    if !reckoned.0.is_empty() {
        let sql = "DELETE FROM mianshen.touched t USING unnest($2::smallint[], $3::text[]) AS g (kind, id)
            WHERE t.generation = $1 AND t.kind = g.kind AND t.id = g.id";
        execute(transaction, sql, &[&generation, &reckoned.0, &reckoned.1]).await?;
    }
    if !batch.touched.is_empty() {
        let kinds: Vec<i16> = batch.touched.iter().map(|(kind, _)| kind_number(*kind)).collect();
        let ids: Vec<&str> = batch.touched.iter().map(|(_, id)| id.as_str()).collect();
        let sql = "INSERT INTO mianshen.touched (generation, kind, id) SELECT $1, * FROM unnest($2::smallint[], $3::text[])
            ON CONFLICT (generation, kind, id) DO NOTHING";
        execute(transaction, sql, &[&generation, &kinds, &ids]).await?;
    }
    Ok(())
}

async fn write_cases(transaction: &Transaction<'_>, steps: &[CaseStep], at: i64) -> Result<(), StoreError> {
    let text = |read: fn(&CaseStep) -> &str| steps.iter().map(read).collect::<Vec<&str>>();
    let ids = text(|step| &step.row.id);
    let rows = transaction.query("SELECT id, version FROM mianshen.case_row WHERE id = ANY ($1)", &[&ids]).await.map_err(failed)?;
    let now: HashMap<&str, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let is_at = |step: &CaseStep| now.get(step.row.id.as_str()).copied().unwrap_or(0).cast_unsigned() == step.expect;
    if let Some(raced) = steps.iter().find(|step| !is_at(step)) {
        return Err(StoreError::Raced(raced.row.id.clone()));
    }
    let (policies, subjects) = (text(|step| &step.row.policy), text(|step| &step.row.subject));
    let (regions, departments) = (text(|step| &step.row.region), text(|step| &step.row.department));
    let (periods, words) = (text(|step| &step.row.period), text(|step| &step.row.step));
    let kinds: Vec<i16> = steps.iter().map(|step| kind_number(step.row.kind)).collect();
    let reviews: Vec<bool> = steps.iter().map(|step| step.row.in_review).collect();
    let due = |step: &CaseStep| step.row.due.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string());
    let days: Vec<String> = steps.iter().map(due).collect();
    let versions: Vec<i64> = steps.iter().map(|step| (step.expect + step.events.len() as u64).cast_signed()).collect();
    let bodies: Vec<&[u8]> = steps.iter().map(|step| step.row.body.as_slice()).collect();
    let sql = "INSERT INTO mianshen.case_row
        (id, policy, kind, subject, region, department, period, step, in_review, due, version, at, body)
        SELECT c.id, c.policy, c.kind, c.subject, c.region, c.department, c.period, c.step, c.in_review, c.due, c.version, $12, c.body
        FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[],
            $10::text[], $11::bigint[], $13::bytea[])
            AS c (id, policy, kind, subject, region, department, period, step, in_review, due, version, body)
        ON CONFLICT (id) DO UPDATE SET policy = excluded.policy, kind = excluded.kind, subject = excluded.subject,
            region = excluded.region, department = excluded.department, period = excluded.period, step = excluded.step,
            in_review = excluded.in_review, due = excluded.due, version = excluded.version, at = excluded.at, body = excluded.body";
    let values: [&(dyn ToSql + Sync); 13] =
        [&ids, &policies, &kinds, &subjects, &regions, &departments, &periods, &words, &reviews, &days, &versions, &at, &bodies];
    execute(transaction, sql, &values).await.map(|_| ())
}

async fn write_events(transaction: &Transaction<'_>, events: &[CaseEvent]) -> Result<(), StoreError> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq.cast_signed()).collect();
    let cases: Vec<&str> = events.iter().map(|event| event.case.as_str()).collect();
    let versions: Vec<i64> = events.iter().map(|event| event.version.cast_signed()).collect();
    let times: Vec<i64> = events.iter().map(|event| event.at).collect();
    let digests: Vec<&[u8]> = events.iter().map(|event| event.digest.as_slice()).collect();
    let hashes: Vec<&[u8]> = events.iter().map(|event| event.hash.as_slice()).collect();
    let sql = "INSERT INTO mianshen.case_event (seq, case_id, version, at, digest, hash)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[])";
    execute(transaction, sql, &[&seqs, &cases, &versions, &times, &digests, &hashes]).await?;
    let salts: Vec<&[u8]> = events.iter().filter_map(|event| Some(event.content.as_ref()?.0.as_slice())).collect();
    let bodies: Vec<&[u8]> = events.iter().filter_map(|event| Some(event.content.as_ref()?.1.as_slice())).collect();
    let sql = "INSERT INTO mianshen.case_content (seq, salt, body) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])";
    execute(transaction, sql, &[&seqs, &salts, &bodies]).await.map(|_| ())
}

/// Gives how many were there already.
async fn write_messages(
    transaction: &Transaction<'_>,
    at: i64,
    messages: &[NewMessage],
    queues: &mut BTreeSet<Queue>,
) -> Result<u64, StoreError> {
    if messages.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let rows = transaction.query("SELECT id FROM mianshen.message WHERE id = ANY ($1)", &[&ids]).await.map_err(failed)?;
    let mut there: HashSet<&str> = rows.iter().map(|row| row.get(0)).collect();
    let new: Vec<&NewMessage> = messages.iter().filter(|message| there.insert(&message.id)).collect();
    let row = transaction.query_one("SELECT coalesce(max(number), 0) FROM mianshen.message", &[]).await.map_err(failed)?;
    let last: i64 = row.get(0);
    let numbers: Vec<i64> = (last + 1..).take(new.len()).collect();
    let text = |read: fn(&NewMessage) -> &str| new.iter().map(|message| read(message)).collect::<Vec<&str>>();
    let (ids, channels, subjects) = (text(|message| &message.id), text(|message| &message.channel), text(|message| &message.subject));
    let kinds: Vec<i16> = new.iter().map(|message| kind_number(message.kind)).collect();
    let lists = new.iter().map(|message| serde_json::to_string(&message.cases)).collect::<Result<Vec<String>, _>>();
    let lists = lists.map_err(|error| StoreError::Failed(error.to_string()))?;
    let times: Vec<i64> = new.iter().map(|message| message.not_before).collect();
    let bodies: Vec<&[u8]> = new.iter().map(|message| message.body.as_slice()).collect();
    let sql = "INSERT INTO mianshen.message
        (number, id, channel, kind, subject, cases, not_before, body, at, state, tries, told, changed_at, is_first)
        SELECT m.*, $9, 0, 0, '', $9, false
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::bigint[], $8::bytea[]) AS m";
    execute(transaction, sql, &[&numbers, &ids, &channels, &kinds, &subjects, &lists, &times, &bodies, &at]).await?;
    let about: BTreeSet<(&str, i64)> =
        new.iter().zip(&numbers).flat_map(|(message, number)| message.cases.iter().map(|case| (case.as_str(), *number))).collect();
    let (cases, of): (Vec<&str>, Vec<i64>) = about.into_iter().unzip();
    let sql = "INSERT INTO mianshen.message_case (case_id, number) SELECT * FROM unnest($1::text[], $2::bigint[])";
    execute(transaction, sql, &[&cases, &of]).await?;
    queues.extend(new.iter().map(|message| (message.channel.clone(), kind_number(message.kind), message.subject.clone())));
    Ok((messages.len() - new.len()) as u64)
}

async fn write_deliveries(
    transaction: &Transaction<'_>,
    at: i64,
    deliveries: &[&DeliveryStep],
    queues: &mut BTreeSet<Queue>,
) -> Result<(), StoreError> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.id.as_str()).collect();
    let states: Vec<i16> = deliveries.iter().map(|delivery| state_number(delivery.state)).collect();
    let tries: Vec<i64> = deliveries.iter().map(|delivery| delivery.tries.into()).collect();
    let times: Vec<i64> = deliveries.iter().map(|delivery| delivery.not_before).collect();
    let told: Vec<&str> = deliveries.iter().map(|delivery| delivery.told.as_str()).collect();
    let sql = "UPDATE mianshen.message m SET state = d.state, tries = d.tries, not_before = d.not_before, told = d.told,
            changed_at = CASE WHEN m.state = d.state THEN m.changed_at ELSE $6 END, is_first = m.is_first AND d.state = 0
        FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::text[]) AS d (id, state, tries, not_before, told)
        WHERE m.id = d.id RETURNING m.id, m.channel, m.kind, m.subject";
    let statement = transaction.prepare_cached(sql).await.map_err(failed)?;
    let rows = transaction.query(&statement, &[&ids, &states, &tries, &times, &told, &at]).await.map_err(failed)?;
    let found: BTreeMap<&str, Queue> = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3)))).collect();
    if let Some(missing) = ids.iter().find(|id| !found.contains_key(**id)) {
        return Err(StoreError::Failed(format!("no such message: {missing}")));
    }
    queues.extend(found.into_values());
    debug_assert_eq!(state_number(MessageState::Waiting), 0, "the number that stands in the statements");
    Ok(())
}

/// The oldest message that waits of each queue is its first now.
async fn find_firsts(transaction: &Transaction<'_>, queues: BTreeSet<Queue>) -> Result<(), StoreError> {
    if queues.is_empty() {
        return Ok(());
    }
    let (mut channels, mut kinds, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for (channel, kind, subject) in queues {
        channels.push(channel);
        kinds.push(kind);
        subjects.push(subject);
    }
    let sql = "UPDATE mianshen.message m SET is_first = (m.number = f.first)
        FROM unnest($1::text[], $2::smallint[], $3::text[]) AS q (channel, kind, subject)
        CROSS JOIN LATERAL (SELECT min(w.number) AS first FROM mianshen.message w
            WHERE w.channel = q.channel AND w.kind = q.kind AND w.subject = q.subject AND w.state = 0) f
        WHERE m.channel = q.channel AND m.kind = q.kind AND m.subject = q.subject AND m.state = 0
            AND m.is_first <> (m.number = f.first)";
    execute(transaction, sql, &[&channels, &kinds, &subjects]).await.map(|_| ())
}
