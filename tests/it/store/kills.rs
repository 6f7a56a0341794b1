//! `kill -9` in the middle of loads and of writes to the trail: the store opens, a run is whole, no acknowledged entry is lost.
//!
//! A few times here; `tests/store/kill` does it a hundred times.

#![expect(clippy::disallowed_methods, reason = "when a run is killed is told by how long one takes")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mianshen::register::declaration::SubjectKind;
use mianshen::store::trail::{Trail, verify};
use mianshen::store::{Address, Store};

use super::postgres::Server;
use super::tiny::{load, marker};
use super::trail::entry;
use super::{Place, runtime};
use crate::outcome::{POLICIES, SAMPLE, text_of};
use crate::support::command;

/// Says to the child which store to write to.
const CHILD: &str = "MIANSHEN_TEST_WRITES_TO";

/// How often to kill.
pub(super) fn kills() -> u64 {
    std::env::var("MIANSHEN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4)
}

/// Some time, another for every turn: the golden ratio strews them evenly.
pub(super) fn pause(turn: u64, longest: u64) -> Duration {
    Duration::from_millis((turn * 618_034 % 1_000_000) * longest / 1_000_000)
}

/// Not a test of its own: what the tests below start and kill. It writes until then, and says what was acknowledged.
#[test]
fn a_child_that_writes() {
    let Ok(address) = std::env::var(CHILD) else { return };
    runtime().block_on(async {
        let store = Address::parse(&address).expect("an address").make().await.expect("a store");
        let trail = Trail::start(Arc::clone(&store), || 1);
        for caller in 0..8 {
            let trail = trail.clone();
            tokio::spawn(async move {
                loop {
                    let seq = trail.append(entry(&format!("caller {caller}"), "p1")).await.expect("appended");
                    println!("entry {seq} {caller}");
                }
            });
        }
        loop {
            let marker = store.current().await.expect("read").map_or(0, |run| run.run().summary.id.0.cast_signed());
            let id = load(&*store, marker + 1, 3_000, 3).await;
            println!("run {id}");
        }
    });
}

fn child(address: &str) -> Child {
    let test = std::env::current_exe().expect("the tests");
    let mut command = Command::new(test);
    command.args(["store::kills::a_child_that_writes", "--exact", "--nocapture"]).env(CHILD, address);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a child")
}

/// What a child was told is on the disk.
#[derive(Default)]
struct Acknowledged {
    entries: Vec<(u64, String)>,
    run: u64,
}

/// Lets a child write for a while, kills it, and gives what it had been told.
fn write_and_kill(address: &str, after: Duration) -> Acknowledged {
    let mut child = child(address);
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let reading = std::thread::spawn(move || {
        let mut told = Acknowledged::default();
        // The last line may be cut off: it then was not said.
        for line in lines.map_while(Result::ok) {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["entry", seq, caller] => told.entries.extend(seq.parse().ok().map(|seq| (seq, (*caller).to_owned()))),
                ["run", id] => told.run = id.parse().unwrap_or(told.run),
                _ => {}
            }
        }
        told
    });
    std::thread::sleep(Duration::from_millis(150) + after);
    child.kill().expect("killed");
    child.wait().expect("gone");
    reading.join().expect("what it said")
}

/// A store after a kill: whole, with everything that was acknowledged.
async fn is_whole(store: &dyn Store, told: &Acknowledged) {
    let verified = verify(store, &[]).await.expect("the trail is read");
    assert_eq!(verified.faults, []);
    let last = verified.head.map_or(0, |head| head.seq);
    if let Some((seq, caller)) = told.entries.last() {
        assert!(*seq <= last, "entry {seq} was acknowledged, the trail ends at {last}");
        let record = &store.trail_records(*seq, 1).await.expect("read")[0];
        assert_eq!(record.said().expect("said").who, format!("caller {caller}"));
    }
    let Some(run) = store.current().await.expect("read") else {
        assert_eq!(told.run, 0, "a run was acknowledged and is gone");
        return;
    };
    assert!(run.run().summary.id.0 >= told.run, "an acknowledged run is gone");
    let subjects = run.subjects(SubjectKind::Person, None, 10_000).await.expect("read");
    assert_eq!(subjects.len() as u64, run.run().summary.subjects[0]);
    let markers: BTreeSet<i64> = subjects.iter().map(marker).collect();
    assert_eq!(markers.len(), 1, "one run, whole");
}

fn survives(place: &Place) {
    let mut acknowledged = 0;
    let mut runs = 0;
    for turn in 0..kills() {
        let told = write_and_kill(&place.address, pause(turn, 400));
        runtime().block_on(async {
            let store = place.store().await;
            is_whole(&*store, &told).await;
            // And one can go on with it.
            store.trail_append(1, &[entry("after", "p1")]).await.expect("appended");
        });
        acknowledged += told.entries.len();
        runs = runs.max(told.run);
    }
    assert!(acknowledged > 0, "the child wrote");
    eprintln!("{} kills, {acknowledged} entries acknowledged, runs up to {runs}", kills());
}

#[test]
fn sqlite_survives_kills() {
    survives(&Place::sqlite());
}

#[test]
fn postgresql_survives_kills() {
    let Some(server) = Server::start() else { return };
    let place = runtime().block_on(server.place("kills"));
    survives(&place);
}

/// Kills `match --store` and `audit show`, which writes an entry, again and again.
fn the_program_survives(address: &str) {
    let sources = format!("{SAMPLE}/sources.yaml");
    let arguments = ["match", "--policies", POLICIES, "--sources", &sources, "--store", address, "--keep-runs", "2"];
    let started = Instant::now();
    let whole = command(&arguments).output().expect("the program runs");
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    let mut took = u64::try_from(started.elapsed().as_millis()).expect("not that long");
    let (mut published, mut entries, mut cut) = (1, 0, 0);
    for turn in 1..=kills() {
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a run");
        let wait = pause(turn, took);
        std::thread::sleep(wait);
        child.kill().expect("killed");
        let ended = child.wait().expect("gone");
        let looking = ["audit", "show", "--store", address, "--subject", "H1", "--by", "监察员"];
        let mut child = command(&looking).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a look");
        std::thread::sleep(pause(turn + 1, 120));
        child.kill().expect("killed");
        let looked = child.wait().expect("gone").success();
        runtime().block_on(async {
            let store = Address::parse(address).expect("an address").open().await.expect("the store opens");
            let run = store.current().await.expect("read").expect("a run");
            let id = run.run().summary.id.0;
            // Of PostgreSQL a number is lost with the load that took it.
            assert!(id >= published, "{id} after {published}");
            assert!(!ended.success() || id > published, "a run that ended well is there");
            if ended.success() {
                // The machine may be faster now than it was at first.
                took = took.min(u64::try_from(wait.as_millis()).expect("not that long"));
            } else {
                cut += 1;
            }
            published = id;
            for kind in SubjectKind::ALL {
                let subjects = run.subjects(kind, None, 100_000).await.expect("read");
                assert_eq!(subjects.len() as u64, run.run().summary.subjects[kind as usize], "{kind}: whole");
            }
            let verified = verify(&*store, &[]).await.expect("the trail is read");
            assert_eq!(verified.faults, []);
            assert!(verified.records <= entries + 1, "one look, one entry");
            assert!(!looked || verified.records == entries + 1, "a look that ended well is recorded");
            entries = verified.records;
        });
    }
    assert!(cut * 2 >= kills(), "{cut} of {} runs were cut off", kills());
    eprintln!("{} kills of match and audit: {cut} runs cut off, run {published} is the newest, {entries} entries", kills());
    // What was left over is gone with the next load.
    let whole = command(&arguments).output().expect("the program runs");
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
}

#[test]
fn a_match_that_is_killed_leaves_the_run_of_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("city.db");
    the_program_survives(text_of(&path));
    let files = std::fs::read_dir(folder.path().join("city.db.runs")).expect("the folder").count();
    assert!(files <= 3, "{files} files: two runs, and the one that was current before");
}

#[test]
fn a_match_into_postgresql_that_is_killed_leaves_the_run_of_before() {
    let Some(server) = Server::start() else { return };
    let place = runtime().block_on(server.place("match_kills"));
    the_program_survives(&place.address);
}
