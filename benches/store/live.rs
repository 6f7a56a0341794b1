//! The live part: a city filled into it, and what the stream and the teller then do all day.

use std::error::Error;
use std::time::Instant;

use chrono::NaiveDate;
use mianshen::register::declaration::SubjectKind::Person;
use mianshen::store::live::{
    Batch, CaseRow, CaseStep, DeliveryStep, Fence, Live, LiveState, Mention, MessageState, NewMessage, RowsOf, Standing, Timer, TimerKey,
    TimerStep, verify_events,
};
use serde_json::json;

/// Registers that each subject has rows in.
const REGISTERS: [&str; 8] = ["births", "disability", "employment", "housing", "insurance", "marriage", "population", "students"];

/// Subjects that are handed to the filling at a time.
const TOGETHER: usize = 2_000;

/// Subjects that a batch touches.
const TOUCHED: usize = 1_000;

/// Batches that are measured.
const BATCHES: usize = 60;

/// Messages that were sent when the outbox is asked.
const SENT: usize = 1_000_000;

type Failed = Box<dyn Error>;

fn id_of(at: usize) -> String {
    format!("99010119{:04}{at:06}", at % 10_000)
}

fn day(at: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 7, 1).unwrap_or_default() + chrono::Days::new(at as u64 % 700)
}

fn some_bytes(at: usize, length: usize) -> Vec<u8> {
    (0..length).map(|byte| u8::try_from((at * 31 + byte * 17) % 251).unwrap_or(0)).collect()
}

/// Milliseconds in the middle, and the most: there are too few for a percentile of the rest.
fn middle_and_worst(mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).map_or(0.0, |time| (time * 100.0).round() / 100.0);
    json!({"p50": at(50), "worst": at(100)})
}

/// Seconds that the processor worked for this process: on a machine that others use, they say more than the clock.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Some numbers, the same in every run.
fn strewn(seed: &mut usize, below: usize) -> usize {
    *seed = (*seed * 6_364_136_223 + 1_442_695_041) % 2_147_483_647;
    *seed % below
}

/// Fills, commits, reads; gives what it took.
#[expect(clippy::cast_precision_loss, reason = "rates for people to read")]
pub(crate) async fn figures(live: &dyn Live, subjects: usize) -> Result<serde_json::Value, Failed> {
    let (begun, worked) = (Instant::now(), processor());
    fill(live, subjects).await?;
    let (seconds, filled) = (begun.elapsed().as_secs_f64(), processor());
    let rows = subjects * REGISTERS.len();
    let fence = live.lease("bench", 1, 2).await?;
    let mut seed = 7;
    let mut commits = Vec::new();
    for number in 0..BATCHES {
        let ids: Vec<String> = (0..TOUCHED).map(|_| id_of(strewn(&mut seed, subjects))).collect();
        let batch = touched(&fence, number, &ids);
        let begun = Instant::now();
        live.commit(&batch).await?;
        commits.push(milliseconds(begun));
    }
    let committed = processor();
    let mut reads = Vec::new();
    for _ in 0..BATCHES {
        let ids: Vec<String> = (0..TOUCHED).map(|_| id_of(strewn(&mut seed, subjects))).collect();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let begun = Instant::now();
        let found = live.rows(&names).await?;
        reads.push(milliseconds(begun));
        assert!(found.len() >= TOUCHED * REGISTERS.len() / 2, "{} rows", found.len());
    }
    let read = processor();
    let outbox = outbox(live).await?;
    let begun = Instant::now();
    let verified = verify_events(live, &[]).await?;
    assert!(verified.is_whole(), "{verified:?}");
    Ok(json!({
        "subjects": subjects,
        "rows": rows,
        "fill_seconds": seconds,
        "fill_processor_seconds": filled - worked,
        "processor_ms_per_commit": (committed - filled) * 1e3 / BATCHES as f64,
        "processor_ms_per_read": (read - committed) * 1e3 / BATCHES as f64,
        "rows_per_second": rows as f64 / seconds,
        "commit_of_1000_ms": middle_and_worst(commits),
        "rows_of_1000_ms": middle_and_worst(reads),
        "sent_messages": SENT,
        "outbox_ms": outbox,
        "events_verified": verified.chain.records,
        "verify_seconds": begun.elapsed().as_secs_f64(),
    }))
}

async fn fill(live: &dyn Live, subjects: usize) -> Result<(), Failed> {
    let mut fill = live.fill().await?;
    // Identifiers ascend, as the city's do.
    let mut ids: Vec<(String, usize)> = (0..subjects).map(|at| (id_of(at), at)).collect();
    ids.sort_unstable();
    for some in ids.chunks(TOGETHER) {
        let rows = some.iter().flat_map(|(id, at)| {
            REGISTERS.map(|register| RowsOf { id: id.clone(), register: register.to_owned(), body: some_bytes(*at, 120) })
        });
        fill.rows(rows.collect()).await?;
        let mention = |(id, at): &(String, usize)| Mention { id: id.clone(), register: "births".to_owned(), owner: id_of(at / 2) };
        fill.mentions(some.iter().map(mention).collect()).await?;
        let standing = |(id, at): &(String, usize)| Standing { kind: Person, id: id.clone(), body: some_bytes(*at, 200) };
        fill.standing(some.iter().map(standing).collect()).await?;
        let timer =
            |(id, at): &(String, usize)| Timer { key: TimerKey { day: day(*at), kind: Person, id: id.clone() }, body: some_bytes(*at, 30) };
        fill.timers(some.iter().map(timer).collect()).await?;
    }
    fill.finish(LiveState { as_of: day(0), body: Vec::new() }, Vec::new()).await?;
    Ok(())
}

/// What a batch of the stream writes: of every subject a register's rows, standing and timer; of every tenth a case with two
/// events and a message.
fn touched(fence: &Fence, number: usize, ids: &[String]) -> Batch {
    let (mut cases, mut messages) = (Vec::new(), Vec::new());
    for (at, id) in ids.iter().enumerate().filter(|(at, _)| at % 10 == 0) {
        let row = CaseRow {
            id: format!("{number:016x}{at:016x}"),
            policy: "990100-MZ-0007".to_owned(),
            kind: Person,
            subject: id.clone(),
            region: "990101".to_owned(),
            department: "990100-MZ".to_owned(),
            period: "2026-07".to_owned(),
            step: "found".to_owned(),
            in_review: false,
            due: Some(day(at)),
            version: 0,
            at: 0,
            body: some_bytes(at, 300),
        };
        messages.push(message(&format!("m{}", row.id), id, vec![row.id.clone()]));
        cases.push(CaseStep { row, expect: 0, events: vec![some_bytes(at, 250), some_bytes(at, 100)] });
    }
    Batch {
        at: 1_000,
        fence: Some(fence.clone()),
        rows: ids.iter().map(|id| RowsOf { id: id.clone(), register: "population".to_owned(), body: some_bytes(number, 120) }).collect(),
        standing: ids.iter().map(|id| Standing { kind: Person, id: id.clone(), body: some_bytes(number, 200) }).collect(),
        timers: ids.iter().map(|id| TimerStep { kind: Person, id: id.clone(), set: Some((day(number), some_bytes(number, 30))) }).collect(),
        cases,
        messages,
        ..Batch::default()
    }
}

fn message(id: &str, subject: &str, cases: Vec<String>) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        channel: "webhook".to_owned(),
        kind: Person,
        subject: subject.to_owned(),
        cases,
        not_before: 0,
        body: some_bytes(3, 400),
    }
}

/// The outbox with as many messages sent, in the middle of sending more.
async fn outbox(live: &dyn Live) -> Result<serde_json::Value, Failed> {
    const TOGETHER: usize = 10_000;
    for part in 0..SENT / TOGETHER {
        let ids = (part * TOGETHER..(part + 1) * TOGETHER).map(|at| format!("sent {at}"));
        let messages: Vec<NewMessage> = ids.enumerate().map(|(at, id)| message(&id, &id_of(at), Vec::new())).collect();
        let sent = |message: &NewMessage| DeliveryStep {
            id: message.id.clone(),
            state: MessageState::Sent,
            tries: 1,
            not_before: 0,
            told: "200".to_owned(),
        };
        let deliveries = messages.iter().map(sent).collect();
        live.commit(&Batch { at: 2_000, messages, deliveries, ..Batch::default() }).await?;
    }
    let mut times = Vec::new();
    for _ in 0..BATCHES {
        let begun = Instant::now();
        let waiting = live.outbox("webhook", 9_000, 200).await?;
        times.push(milliseconds(begun));
        assert_eq!(waiting.len(), 200, "some wait");
    }
    Ok(middle_and_worst(times))
}
