//! `mianshen stream` as a black box: registers loaded, events followed, killed in the middle, and what leaves in the end.

#![expect(clippy::disallowed_methods, reason = "how long a test waits is told by the clock")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mianshen::register::declaration::SubjectKind;
use mianshen::store::Address;
use mianshen::store::live::{Live, MessageState};
use tempfile::TempDir;

use crate::outcome::{POLICIES, Rows, SAMPLE, text_of};
use crate::store::postgres::Server;
use crate::support::{Run, command, run};

/// A loaded store, settings beside it, and events.
struct Place {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    store: String,
}

/// What a history left behind, wherever it was kept.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    messages: BTreeSet<String>,
    standing: Vec<(String, Vec<u8>)>,
    read_up_to: Vec<i64>,
}

impl Place {
    fn new() -> Self {
        let mut place = Self::bare(String::new());
        place.store = place.path("city.db");
        place.load();
        place
    }

    fn on(store: String) -> Self {
        let place = Self::bare(store);
        place.load();
        place
    }

    fn bare(store: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("push.yaml"), "channels: [{name: drop, file: {folder: out}}]\n").expect("written");
        fs::write(folder.path().join("changes.ndjson"), events()).expect("written");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        Self { folder, runtime, store }
    }

    fn path(&self, name: &str) -> String {
        text_of(&self.folder.path().join(name)).to_owned()
    }

    fn load(&self) {
        let loaded = run(&["stream", "load", "--store", &self.store, "--sources", &format!("{SAMPLE}/sources.yaml"), "--lang", "en"]);
        assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
    }

    /// `stream run` over the events.
    fn follow(&self, more: &[&str]) -> Vec<String> {
        let from = format!("file:{}", self.path("changes.ndjson"));
        let all = [&["stream", "run", "--store", &self.store, "--policies", POLICIES, "--from", &from, "--lang", "en"][..], more].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn push(&self, settle: &str) -> Run {
        let (settings, once) = (self.path("push.yaml"), ["--once", "--settle", settle, "--lang", "en"]);
        run(&[&["push", "--store", &self.store, "--settings", &settings, "--policies", POLICIES][..], &once].concat())
    }

    fn live(&self) -> Arc<dyn Live> {
        self.runtime.block_on(async {
            let store = Address::parse(&self.store).expect("an address").open().await.expect("a store");
            store.live().await.expect("its live part")
        })
    }

    fn left(&self) -> Left {
        let live = self.live();
        self.runtime.block_on(async {
            let messages = live.messages_in(MessageState::Sent, None, 10_000).await.expect("read");
            let positions = live.positions().await.expect("read");
            Left {
                messages: messages.into_iter().map(|row| row.message.id).collect(),
                standing: standing(&*live).await,
                read_up_to: positions.into_iter().map(|position| position.next).collect(),
            }
        })
    }
}

async fn standing(live: &dyn Live) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for kind in SubjectKind::ALL {
        let of_kind = live.standing_after(kind, None, 100_000).await.expect("read");
        all.extend(of_kind.into_iter().map(|standing| (standing.id, standing.body)));
    }
    all
}

/// All deaths of the sample are taken back; some are said again at once and taken back once more, some stay.
fn events() -> String {
    let rows = Rows::read(&Path::new(SAMPLE).join("death.parquet"));
    let (people, died, recorded) = (rows.texts("person_id"), rows.days("death_date"), rows.days("recorded_on"));
    let mut lines = Vec::new();
    for (at, person) in people.iter().enumerate() {
        let back = format!(r#""op":"delete","before":{{"person_id":"{person}"}}"#);
        let (died, recorded) = (died[at], recorded[at]);
        let again = format!(r#""op":"insert","after":{{"person_id":"{person}","death_date":"{died}","recorded_on":"{recorded}"}}"#);
        let story: &[&String] = match at % 3 {
            0 => &[&back],
            1 => &[&back, &again, &back],
            _ => &[&back, &again],
        };
        for event in story {
            let position = lines.len() + 1;
            lines.push(format!(r#"{{"register":"death",{event},"position":{position}}}"#));
        }
    }
    assert!(lines.len() > 30, "{} events", lines.len());
    lines.join("\n") + "\n"
}

fn arguments(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// All in one turn, told when it has stood for a moment.
fn plain(place: &Place) -> Left {
    let followed = run(&arguments(&place.follow(&["--max-batch", "1000"])));
    assert_eq!(followed.code, Some(0), "{}", followed.stderr);
    assert!(followed.stdout.contains("refused 0") && !followed.stdout.contains("steps of cases 0"), "{}", followed.stdout);
    let early = place.push("1h");
    assert_eq!((early.code, &*early.stdout), (Some(0), "sent 0 · to be retried 0 · given up 0\n"), "{}", early.stderr);
    std::thread::sleep(Duration::from_millis(1_100));
    let sent = place.push("1s");
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let again = place.push("1s");
    assert_eq!(again.stdout, "sent 0 · to be retried 0 · given up 0\n", "nothing is told twice");
    let left = place.left();
    assert!(left.messages.len() > 5, "{}", sent.stdout);
    assert_eq!(fs::read_dir(place.path("out")).expect("the folder").count(), left.messages.len());
    left
}

/// Every event a turn of its own, and killed between them.
fn killed(place: &Place) -> Left {
    let owned = place.follow(&["--max-batch", "1", "--follow"]);
    let all = fs::read_to_string(place.path("changes.ndjson")).expect("the events").len();
    let (mut kills, mut waited) = (0_u64, Duration::ZERO);
    let live = place.live();
    let read_up_to = || {
        let positions = place.runtime.block_on(live.positions()).expect("read");
        positions.first().map_or(0, |position| position.next)
    };
    while kills < 6 && usize::try_from(read_up_to()).expect("not below zero") < all {
        let before = read_up_to();
        let mut child = command(&arguments(&owned)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let started = Instant::now();
        while read_up_to() == before {
            assert!(started.elapsed() < Duration::from_secs(25), "the lease of one that was killed was waited for");
            std::thread::sleep(Duration::from_millis(20));
        }
        waited = waited.max(started.elapsed());
        // Some time, another for every turn.
        std::thread::sleep(Duration::from_millis(kills * 618_034 % 150));
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    assert!(kills > 1, "it was killed in the middle");
    eprintln!("killed {kills} times; the longest wait for the first turn after it: {waited:?}");
    let last = run(&arguments(&place.follow(&["--max-batch", "1"])));
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    std::thread::sleep(Duration::from_millis(1_100));
    let sent = place.push("1s");
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let verified = run(&["case", "verify", "--store", &place.store, "--lang", "en"]);
    assert!(verified.code == Some(0) && verified.stdout.ends_with("the chain is whole\n"), "{}", verified.stdout);
    place.left()
}

#[test]
fn the_same_is_told_in_one_turn_in_many_and_killed_between_them() {
    let once = plain(&Place::new());
    assert_eq!(killed(&Place::new()), once);
    let Some(server) = Server::start() else { return };
    let place = |name: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Place::on(runtime.block_on(server.place(name)).address)
    };
    assert_eq!(plain(&place("once")), once, "on PostgreSQL");
    assert_eq!(killed(&place("killed")), once, "on PostgreSQL");
}
