//! `kill -9` in the middle of fillings and of commits: a generation is whole, and what was acknowledged is there, once.
//!
//! A few times here; `tests/store/kill` does it a hundred times.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mianshen::register::declaration::SubjectKind::Person;
use mianshen::store::live::{Batch, CaseFilter, Live, LiveState, MessageState, verify_events};
use mianshen::store::{Held, StoreError};

use super::{Place, Server, case_step, day, live, message, position, rows, runtime, standing, step, timer};
use crate::store::kills::{kills, pause};

/// Says to the child which store to write to.
const CHILD: &str = "MIANSHEN_TEST_LIVE_AT";

/// Subjects of a generation and of every batch.
const SUBJECTS: usize = 400;

/// Batches between two fillings.
const BATCHES: i64 = 12;

fn id_of(at: usize) -> String {
    format!("p{at:05}")
}

/// What is written as batch `number`: its number in everything.
async fn write(live: &dyn Live, fence: &mianshen::store::live::Fence, number: i64) {
    let body = number.to_string();
    let ids: Vec<String> = (0..SUBJECTS).map(id_of).collect();
    let batch = Batch {
        at: number,
        fence: Some(fence.clone()),
        positions: vec![step("file:a", Some(number), number + 1)],
        rows: ids.iter().map(|id| rows(id, "population", &body)).collect(),
        standing: ids.iter().map(|id| standing(Person, id, &body)).collect(),
        cases: vec![
            case_step(&format!("c{number}"), "found", 0, &["found", "told"]),
            case_step("shared", "on", number.cast_unsigned(), &["on"]),
        ],
        messages: vec![message(&format!("m{number}"), "p1", 0)],
        ..Batch::default()
    };
    live.commit(&batch).await.expect("committed");
}

/// A generation made anew, that stands where the batches do.
async fn refill(live: &dyn Live, number: i64) {
    let mut fill = loop {
        match live.fill().await {
            Err(StoreError::Busy(Held::Fill)) => tokio::time::sleep(Duration::from_millis(5)).await,
            other => break other.expect("a filling"),
        }
    };
    let body = format!("filled {number}");
    let ids: Vec<String> = (0..SUBJECTS).map(id_of).collect();
    for ids in ids.chunks(90) {
        fill.rows(ids.iter().map(|id| rows(id, "population", &body)).collect()).await.expect("rows");
        fill.timers(ids.iter().map(|id| timer("2027-01-01", Person, id, &body)).collect()).await.expect("timers");
        fill.standing(ids.iter().map(|id| standing(Person, id, &body)).collect()).await.expect("standing");
    }
    let state = LiveState { as_of: day("2026-06-30"), body: body.into_bytes() };
    fill.finish(state, vec![position("file:a", number)]).await.expect("finished");
}

/// Not a test of its own: what the tests below start and kill. It writes until then, and says what was acknowledged.
#[test]
fn a_child_that_writes_live() {
    let Ok(address) = std::env::var(CHILD) else { return };
    runtime().block_on(async {
        let store = mianshen::store::Address::parse(&address).expect("an address").make().await.expect("a store");
        let live = store.live().await.expect("a live part");
        let child = std::process::id();
        let fence = live.lease(&format!("child {child}"), 0, 0).await.expect("nobody else lives");
        let mut number = live.positions().await.expect("read").first().map_or(0, |position| position.next);
        loop {
            if number % BATCHES == 0 {
                refill(&*live, number).await;
                println!("filled {number}");
            }
            write(&*live, &fence, number).await;
            println!("batch {number}");
            number += 1;
        }
    });
}

fn child(address: &str) -> Child {
    let test = std::env::current_exe().expect("the tests");
    let mut command = Command::new(test);
    command.args(["store::live::kills::a_child_that_writes_live", "--exact", "--nocapture"]).env(CHILD, address);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a child")
}

/// Lets a child write for a while, kills it, and gives the last batch that it was told is on the disk.
fn write_and_kill(address: &str, after: Duration) -> Option<i64> {
    let mut child = child(address);
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let reading = std::thread::spawn(move || {
        let number = |line: String| line.strip_prefix("batch ")?.parse().ok();
        // The last line may be cut off: it then was not said.
        lines.map_while(Result::ok).filter_map(number).last()
    });
    std::thread::sleep(Duration::from_millis(150) + after);
    child.kill().expect("killed");
    child.wait().expect("gone");
    reading.join().expect("what it said")
}

/// A store after a kill. Gives how many batches it has.
async fn is_whole(live: &dyn Live, acknowledged: Option<i64>) -> i64 {
    let next = live.positions().await.expect("read").first().map_or(0, |position| position.next);
    assert!(next > acknowledged.unwrap_or(-1), "batch {acknowledged:?} was acknowledged, and the source is at {next}");
    let verified = verify_events(live, &[]).await.expect("read");
    assert!(verified.is_whole(), "{verified:?}");
    let batches = next.cast_unsigned();
    assert_eq!((verified.chain.records, verified.cases), (batches * 3, batches + u64::from(batches > 0)), "each batch once");
    assert_eq!(live.messages_in(MessageState::Waiting, None, 1 << 20).await.expect("read").len() as u64, batches);
    assert_eq!(live.cases(&CaseFilter { limit: 1 << 20, ..CaseFilter::default() }).await.expect("read").len() as u64, verified.cases);
    let Some(state) = live.state().await.expect("read") else {
        assert_eq!(next, 0);
        return 0;
    };
    let ids: Vec<String> = (0..SUBJECTS).map(id_of).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let rows: Vec<_> = live.rows(&names).await.expect("read").into_iter().map(|rows| rows.body).collect();
    let standing: Vec<_> = live.standing(Person, &names).await.expect("read").into_iter().map(|standing| standing.body).collect();
    assert_eq!((rows.len(), &rows), (SUBJECTS, &standing));
    let bodies: BTreeSet<Vec<u8>> = rows.into_iter().collect();
    let filled = next % BATCHES == 0 && bodies.contains(&state.body);
    let expected = if filled { format!("filled {next}") } else { (next - 1).to_string() };
    assert_eq!(bodies, BTreeSet::from([expected.into_bytes()]), "all rows are of the newest batch or filling");
    next
}

fn survives(place: &Place) {
    let (mut batches, mut told) = (0, 0);
    for turn in 0..kills() {
        let acknowledged = write_and_kill(&place.address, pause(turn, 400));
        told += acknowledged.map_or(0, |last| last + 1 - batches);
        batches = runtime().block_on(async {
            let live = live(place).await;
            is_whole(&*live, acknowledged).await
        });
    }
    eprintln!("{} kills: {told} acknowledged batches, none lost; {batches} in the store", kills());
    assert!(batches > 0, "the child wrote something");
}

#[test]
fn a_live_sqlite_survives_kills() {
    survives(&Place::sqlite());
}

#[test]
fn a_live_postgresql_survives_kills() {
    let Some(server) = Server::start() else { return };
    survives(&runtime().block_on(server.place("live_kills")));
}
