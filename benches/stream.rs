//! How fast changes of registers are followed: decoded, and from an event to what follows from it in the store.
//!
//! `cargo bench --bench stream -- --store FILE --sources FILE [--policies DIR] [--events N] [--rate R] [--max-batch M] [--seed S]
//! [--write FILE]`
//!
//! The store was filled by `mianshen stream load`, and is written to. The events are rows of its registers, drawn by how many a
//! register has, each with the value of one column taken from another row; a tenth are deletions, a tenth come back as they were.
//! `--rate 0`, the default, gives them as fast as they are taken; else so many a second, and the time from when an event falls due to
//! when what follows from it is in the store is told. Prints one line of JSON. `--write` only writes the events, one a line.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use mianshen::check::CheckedPolicy;
use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::Diagnostic;
use mianshen::diagnostic::progress::Cancel;
use mianshen::register::{ReadOptions, Sources};
use mianshen::store::Address;
use mianshen::store::live::Position;
use mianshen::stream::change::{Decoder, Origin, RawEvent};
use mianshen::stream::follow::{Following, follow};
use mianshen::stream::judge::{Ground, Judge, before_allocation};
use mianshen::stream::source::{ChangeSource, Taken};
use mianshen::stream::state::State;
use mianshen::stream::turn::Done;
use mianshen::stream::turns::Stream;
use rand::{RngExt as _, SeedableRng};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The source's name; the time stands behind it, so that no run goes on where another ended.
const SOURCE: &str = "bench";

/// Rows of a register that events are drawn from.
const DRAWN_FROM: usize = 200_000;

type Failed = Box<dyn Error>;

struct Args {
    store: String,
    sources: PathBuf,
    policies: PathBuf,
    events: usize,
    rate: f64,
    max_batch: usize,
    seed: u64,
    write: Option<PathBuf>,
}

fn main() -> Result<(), Failed> {
    let Some(args) = arguments()? else {
        // `cargo test --benches` asks for nothing to be measured.
        return Ok(());
    };
    mianshen::commands::prefer_small_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{}", runtime.block_on(measure(&args))?);
    Ok(())
}

fn arguments() -> Result<Option<Args>, Failed> {
    let mut args = Args {
        store: String::new(),
        sources: PathBuf::new(),
        policies: "policies".into(),
        events: 20_000,
        rate: 0.0,
        max_batch: 2_000,
        seed: 7,
        write: None,
    };
    let mut given = std::env::args().skip(1).filter(|arg| arg != "--bench");
    while let Some(name) = given.next() {
        let Some(value) = given.next() else { return Ok(None) };
        match name.as_str() {
            "--store" => args.store = value,
            "--sources" => args.sources = value.into(),
            "--policies" => args.policies = value.into(),
            "--events" => args.events = value.parse()?,
            "--rate" => args.rate = value.parse()?,
            "--max-batch" => args.max_batch = value.parse()?,
            "--seed" => args.seed = value.parse()?,
            "--write" => args.write = Some(value.into()),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    Ok((!args.store.is_empty()).then_some(args))
}

fn told(told: impl Into<Vec<Diagnostic>>) -> Failed {
    let told: Vec<String> = told.into().iter().map(|told| format!("{told:?}")).collect();
    told.join("\n").into()
}

async fn measure(args: &Args) -> Result<Value, Failed> {
    let folder = PolicyFolder::load(&args.policies);
    let sources = Sources::load(&args.sources).map_err(told)?;
    let source: Arc<str> = format!("{SOURCE}:{}", mianshen::serve::clock::now()).into();
    let payloads = events(args, &folder, &sources)?;
    if let Some(file) = &args.write {
        std::fs::write(file, payloads.join(&b'\n'))?;
        return Ok(json!({ "written": payloads.len() }));
    }
    let raw = |at: usize, payload: &Vec<u8>| {
        let position = i64::try_from(at).unwrap_or(0);
        let origin = Origin { source: Arc::clone(&source), partition: 0, position, next: position + 1 };
        RawEvent { origin, topic: None, key: None, payload: Some(payload.clone().into()), arrived: mianshen::serve::clock::now() }
    };
    let events: Vec<RawEvent> = payloads.iter().enumerate().map(|(at, payload)| raw(at, payload)).collect();

    let mut decoder = Decoder::new(&folder.registers, None, &folder.regions, BTreeMap::new());
    let decoding = Instant::now();
    let mut decoded = 0;
    for part in events.chunks(args.max_batch) {
        decoded += decoder.decode(part.to_vec()).changes.len();
    }
    let decode_rate = decoded as f64 / decoding.elapsed().as_secs_f64();

    let opening = Instant::now();
    let address = Address::parse(&args.store).map_err(|error| format!("{error:?}"))?;
    let live = address.open().await.map_err(|error| format!("{error:?}"))?.live().await.map_err(|error| format!("{error:?}"))?;
    let state = live.state().await.map_err(|error| format!("{error:?}"))?.ok_or("the store holds no registers: mianshen stream load")?;
    let State { data_days, allow_missing, .. } = State::read(&state.body).ok_or("the store's state cannot be read")?;
    let (in_force, held) = before_allocation(folder.in_force(state.as_of, None));
    let chosen: Vec<CheckedPolicy> = in_force.values().cloned().collect();
    let binder = folder.binder(state.as_of, None, &in_force);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (policies, catalogue, scratch) = (&*chosen, folder.checked.catalogue.clone(), std::env::temp_dir());
    let ground = Ground { policies, catalogue, binder: &binder, data_days, allow_missing, held, scratch, threads };
    let judge = Judge::new(ground).map_err(|error| told(vec![error.into_diagnostic()]))?;
    let mut stream = Stream::new(Arc::clone(&live), judge).map_err(|error| format!("{error:?}"))?;
    let opened = opening.elapsed();

    let log = Arc::new(Mutex::new(Log::default()));
    let paced = Paced { name: source.to_string(), events: events.into(), rate: args.rate, started: None, log: Arc::clone(&log) };
    let worked = processor();
    let started = Instant::now();
    let mut touched_most = 0;
    let mut hear = |done: &Done, _: usize| touched_most = done.touched.max(touched_most);
    let following = Following {
        live,
        decoder: Decoder::new(&folder.registers, None, &folder.regions, BTreeMap::new()),
        source: Box::new(paced),
        dead_letters: None,
        holder: "bench".to_owned(),
        clock: Arc::new(mianshen::serve::clock::now),
        at_most: args.max_batch,
        cancel: Cancel::default(),
        told: &mut hear,
    };
    let followed = follow(&mut stream, following).await.map_err(|error| format!("{error:?}"))?;
    let (seconds, worked) = (started.elapsed().as_secs_f64(), processor() - worked);
    let count = followed.events as f64;
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(json!({
        "policies": chosen.len(),
        "events": followed.events,
        "refused": followed.refused,
        "turns": followed.turns,
        "known": followed.done.known,
        "touched": followed.done.touched,
        "touched_most_in_a_turn": touched_most,
        "standing": followed.done.standing,
        "steps_of_cases": followed.done.cases,
        "decoded_per_second": decode_rate.round(),
        "opened_ms": milliseconds(opened),
        "seconds": (seconds * 1e3).round() / 1e3,
        "processor_seconds": worked,
        "events_per_second": (count / seconds).round(),
        "touched_per_second": (followed.done.touched as f64 / seconds).round(),
        "events_per_processor_second": (count / worked.max(0.01)).round(),
        "first_turn_ms": log.turns.first().copied().map(milliseconds),
        "turn_ms": percentiles(&mut log.turns),
        "latency_ms": if args.rate > 0.0 { percentiles(&mut log.waited) } else { Value::Null },
        "peak_mib": peak_mib(),
    }))
}

/// Events as JSON lines of plain rows.
fn events(args: &Args, folder: &PolicyFolder, sources: &Sources) -> Result<Vec<Vec<u8>>, Failed> {
    let mut registers: Vec<(&str, usize, RecordBatch, Vec<String>)> = Vec::new();
    for (name, declared) in &folder.registers.registers {
        let Some(source) = sources.get(name) else { continue };
        let reader =
            mianshen::register::open(declared, source, &folder.regions, &ReadOptions::default()).map_err(|error| told(vec![*error]))?;
        let (mut rows, mut kept, mut batches) = (0, 0, Vec::new());
        for batch in reader {
            let batch = batch.map_err(|error| told(vec![*error]))?;
            rows += batch.num_rows();
            if kept < DRAWN_FROM {
                kept += batch.num_rows();
                batches.push(batch);
            }
        }
        let Some(first) = batches.first() else { continue };
        let all = arrow::compute::concat_batches(&first.schema(), &batches)?;
        // What identifies a row stays: an event about another row would be another event.
        let keys = declared.unique.iter().cloned().chain([declared.key.clone()]).collect();
        if all.num_rows() > 1 && !declared.unique.is_empty() {
            registers.push((name, rows, all, keys));
        }
    }
    let total: usize = registers.iter().map(|(_, rows, ..)| rows).sum();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(args.seed);
    let mut lines = Vec::with_capacity(args.events);
    for position in 0..args.events {
        let mut at = random.random_range(0..total);
        let (name, _, rows, keys) = registers
            .iter()
            .find(|(_, count, ..)| {
                let is_here = at < *count;
                at = at.saturating_sub(*count);
                is_here
            })
            .ok_or("no register has rows")?;
        let (row, other) = (random.random_range(0..rows.num_rows()), random.random_range(0..rows.num_rows()));
        let mut values = object(rows, row)?;
        let free: Vec<usize> = (0..rows.num_columns()).filter(|column| !keys.contains(rows.schema().field(*column).name())).collect();
        let (op, image) = match random.random_range(0..10) {
            0 => ("delete", "before"),
            1 => ("insert", "after"),
            _ => {
                if let Some(column) = free.get(random.random_range(0..free.len().max(1))) {
                    let name = rows.schema().field(*column).name().clone();
                    let taken = object(rows, other)?.remove(&name).unwrap_or(Value::Null);
                    values.insert(name, taken);
                }
                ("update", "after")
            }
        };
        lines.push(serde_json::to_vec(&json!({"register": name, "op": op, image: values, "position": position + 1}))?);
    }
    Ok(lines)
}

fn object(rows: &RecordBatch, row: usize) -> Result<Map<String, Value>, Failed> {
    let mut object = Map::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let value = if column.is_null(row) {
            Value::Null
        } else if let Some(flags) = column.as_any().downcast_ref::<arrow::array::BooleanArray>() {
            Value::Bool(flags.value(row))
        } else {
            Value::String(ArrayFormatter::try_new(column, &FormatOptions::default())?.value(row).to_string())
        };
        object.insert(field.name().clone(), value);
    }
    Ok(object)
}

/// What was seen of the run.
#[derive(Debug, Default)]
struct Log {
    /// How long turns took, from when their events were given to when they were in the store.
    turns: Vec<Duration>,
    /// How long events waited, from when they fell due.
    waited: Vec<Duration>,
    /// When the events of turns were given that are not in the store yet, and the first one's position.
    given: VecDeque<(Instant, i64)>,
}

/// Events as they fall due.
struct Paced {
    name: String,
    events: VecDeque<RawEvent>,
    /// A second; 0: all are due at once.
    rate: f64,
    started: Option<Instant>,
    log: Arc<Mutex<Log>>,
}

impl Paced {
    fn due(&self, position: i64) -> Option<Instant> {
        let started = self.started?;
        Some(if self.rate > 0.0 { started + Duration::from_secs_f64(position as f64 / self.rate) } else { started })
    }
}

#[async_trait]
impl ChangeSource for Paced {
    fn name(&self) -> &str {
        &self.name
    }

    async fn seek(&mut self, _: &[Position]) -> Result<(), Box<Diagnostic>> {
        self.started = Some(Instant::now());
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let Some(first) = self.events.front() else { return Ok(Taken::Ended) };
        let from = first.origin.position;
        let until = self.due(from).map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        tokio::time::sleep(until.min(wait)).await;
        let now = Instant::now();
        let is_due = |event: &RawEvent| self.due(event.origin.position).is_none_or(|due| due <= now);
        let count = self.events.iter().take(at_most).take_while(|event| is_due(event)).count();
        if count > 0 {
            self.log.lock().unwrap_or_else(PoisonError::into_inner).given.push_back((now, from));
        }
        Ok(Taken::Events(self.events.drain(..count).collect()))
    }

    async fn committed(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        let now = Instant::now();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((at, from)), Some(position)) = (log.given.pop_front(), positions.first()) {
            log.turns.push(now - at);
            log.waited.extend((from..position.next).filter_map(|position| Some(now - self.due(position)?)));
        }
        Ok(())
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

fn percentiles(times: &mut [Duration]) -> Value {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().map(milliseconds);
    json!({"p50": at(50), "p99": at(99), "most": at(100)})
}

/// Seconds that the processor worked for this process: on a machine that others use, they say more than the clock.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = behind.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().split(' ').next()?.parse::<u64>().ok()? / 1024)
}
