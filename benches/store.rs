//! How fast a store answers, how many entries a second its access trail takes, and how its live part is filled and committed to.
//!
//! `cargo bench --bench store -- --store URL [--threads T] [--seconds S] [--scratch DIR]`
//! `cargo bench --bench store -- --store URL --live SUBJECTS` (the store is made where there is none, and written to)
//!
//! Reads random persons of the current run from some threads; then appends to the trail of a store of its own in the scratch
//! folder, from 64 callers that each wait until their entry is on the disk. Prints one line of JSON.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

#[path = "store/live.rs"]
mod live;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mianshen::register::declaration::SubjectKind;
use mianshen::store::trail::{Action, Content, Subject, Trail, verify};
use mianshen::store::{Address, Store};
use serde_json::json;

/// Callers of the trail that wait at a time.
const CALLERS: usize = 64;

/// Persons whose identifiers are taken beforehand, a page at a time.
const PAGE: usize = 4_096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let address = Address::parse(value("--store").ok_or("--store URL is missing")?)?;
    let threads: usize = value("--threads").map_or(Ok(2), |text| text.parse())?;
    let seconds: u64 = value("--seconds").map_or(Ok(5), |text| text.parse())?;
    let scratch = value("--scratch").map_or_else(std::env::temp_dir, Into::into);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    if let Some(subjects) = value("--live") {
        let subjects = subjects.parse()?;
        let told = runtime.block_on(async { live::figures(&*address.make().await?.live().await?, subjects).await })?;
        println!("{told}");
        return Ok(());
    }
    let told = runtime.block_on(async {
        let store = address.open().await?;
        let reads = reads(&store, threads, Duration::from_secs(seconds)).await?;
        let folder = tempfile::tempdir_in(scratch)?;
        let own = Address::Sqlite(folder.path().join("trail.db"));
        let own = if let Address::Sqlite(_) = address { own.make().await? } else { store };
        let appends = appends(own, Duration::from_secs(seconds)).await?;
        Ok::<_, Box<dyn Error>>(json!({"threads": threads, "reads": reads, "appends": appends}))
    })?;
    println!("{told}");
    Ok(())
}

/// Percentiles of some times, in microseconds.
fn percentiles(mut times: Vec<u64>) -> serde_json::Value {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 1_000).min(times.len().saturating_sub(1))).copied().unwrap_or(0);
    let micros = |nanos: u64| (Duration::from_nanos(nanos).as_secs_f64() * 1e7).round() / 10.0;
    json!({"p50": micros(at(500)), "p99": micros(at(990)), "p99.9": micros(at(999))})
}

async fn reads(store: &Arc<dyn Store>, threads: usize, time: Duration) -> Result<serde_json::Value, Box<dyn Error>> {
    let run = store.current().await?.ok_or("the store has no run")?;
    let (mut ids, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    // Every tenth person of the whole run.
    loop {
        let page = run.subjects(SubjectKind::Person, after.as_deref(), PAGE).await?;
        ids.extend(page.iter().step_by(10).map(|subject| subject.id.clone()));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
            _ => break,
        }
    }
    let ids = Arc::new(ids);
    let started = Instant::now();
    let mut readers = Vec::new();
    for reader in 0..threads {
        let (store, ids) = (Arc::clone(store), Arc::clone(&ids));
        readers.push(tokio::spawn(async move {
            let (mut times, mut at) = (Vec::new(), reader * 7_919 + 1);
            while started.elapsed() < time {
                at = (at * 6_364_136_223 + 1_442_695_041) % 2_147_483_647;
                let begun = Instant::now();
                let run = store.current().await.ok().flatten();
                let found = match run {
                    Some(run) => run.subject(SubjectKind::Person, &ids[at % ids.len()]).await,
                    None => Ok(None),
                };
                assert!(matches!(found, Ok(Some(_))), "everybody is found: {found:?}");
                times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            times
        }));
    }
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.await?);
    }
    let per_second = times.len() as u64 / time.as_secs().max(1);
    Ok(json!({"persons": run.run().summary.subjects[0], "per_second": per_second, "microseconds": percentiles(times)}))
}

async fn appends(store: Arc<dyn Store>, time: Duration) -> Result<serde_json::Value, Box<dyn Error>> {
    let trail = Trail::start(Arc::clone(&store), || 1);
    let (ended, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let (trail, ended, count) = (trail.clone(), Arc::clone(&ended), Arc::clone(&count));
        callers.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let begun = Instant::now();
                let written = trail.append(entry(caller, number)).await;
                assert!(written.is_ok(), "{written:?}");
                times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            times
        }));
    }
    tokio::time::sleep(time).await;
    ended.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.await?);
    }
    let per_second = times.len() as u64 / time.as_secs().max(1);
    let started = Instant::now();
    let verified = verify(&*store, &[]).await?;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(verified.faults, [], "the trail is whole");
    Ok(json!({
        "callers": CALLERS,
        "per_second": per_second,
        "microseconds": percentiles(times),
        "records_verified": verified.records,
        "verify_seconds": seconds,
    }))
}

fn entry(caller: usize, number: u64) -> Content {
    Content {
        who: format!("经办 {caller}"),
        role: "handler".to_owned(),
        caller: format!("key-{caller}"),
        purpose: "review".to_owned(),
        action: Action::ReadServices,
        subject: Some(Subject { kind: "person".to_owned(), id: format!("37131319900101{:04}", number % 10_000) }),
        items: vec!["990100-MZ-0007".to_owned(), "990100-MZ-0011".to_owned()],
        note: String::new(),
    }
}
