//! `mianshen stream` while its policies change: those of before serve until the new ones are judged by, and faults change nothing.

#![expect(clippy::disallowed_methods, reason = "how long a test waits is told by the clock")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::outcome::{Rows, SAMPLE, text_of};
use crate::support::{Policies, Run, command, run};

const POLICY: &str = "990100-MZ-0007";
const PARAMETERS: &str = "parameters/old-age.yaml";
const BEFORE: &str = "{region: \"990100\", from: 2024-01-01, value: 100, ";

fn value(value: &str) -> String {
    BEFORE.replace("value: 100", &format!("value: {value}"))
}

struct Place {
    folder: TempDir,
    policies: Policies,
}

impl Place {
    fn loaded() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder"), policies: Policies::new() };
        File::create(place.path("changes.ndjson")).expect("a file");
        let loaded = place.run(&["stream", "load", "--sources", &format!("{SAMPLE}/sources.yaml"), "--as-of", "2026-06-30"]);
        assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
        place
    }

    fn path(&self, name: &str) -> String {
        text_of(&self.folder.path().join(name)).to_owned()
    }

    fn all<'a>(&'a self, arguments: &[&'a str], store: &'a str) -> Vec<&'a str> {
        [arguments, &["--store", store, "--policies", self.policies.dir(), "--lang", "en"]].concat()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run(&self.all(arguments, &self.path("city.db")))
    }

    /// `stream run` that waits for events.
    fn start(&self) -> Following<'_> {
        let (from, store) = (format!("file:{}", self.path("changes.ndjson")), self.path("city.db"));
        let follow = ["stream", "run", "--from", &from, "--follow", "--policies-every", "1", "--log", "mianshen=info"];
        let told = File::create(self.path("stderr")).expect("a file");
        let child = command(&self.all(&follow, &store)).stdout(Stdio::null()).stderr(told).spawn().expect("it starts");
        Following { place: self, child }
    }

    /// Events: who is said to have died has not.
    fn live_again(&self, people: &[&str]) {
        let mut changes = OpenOptions::new().append(true).open(self.path("changes.ndjson")).expect("the file");
        for person in people {
            writeln!(changes, r#"{{"register":"death","op":"delete","before":{{"person_id":"{person}"}}}}"#).expect("written");
        }
    }

    fn cases(&self) -> String {
        let listed = run(&["case", "list", "--store", &self.path("city.db"), "--policy", POLICY, "--limit", "10000", "--lang", "en"]);
        assert_eq!(listed.code, Some(0), "{}", listed.stderr);
        listed.stdout
    }
}

/// A process that follows, ended with the test.
struct Following<'a> {
    place: &'a Place,
    child: Child,
}

impl Following<'_> {
    fn told(&self) -> String {
        fs::read_to_string(self.place.path("stderr")).expect("told")
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let since = Instant::now();
        while !is_so() {
            assert!(since.elapsed() < Duration::from_mins(2), "{what}: {}", self.told());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_changed_amount_is_on_the_cases_and_a_fault_stops_nothing() {
    let place = Place::loaded();
    assert!(!place.cases().contains(POLICY), "a load begins no cases");
    let rows = Rows::read(&Path::new(SAMPLE).join("death.parquet"));
    let people = rows.texts("person_id");
    let following = place.start();
    place.live_again(&people[..1]);
    following.wait("the first event", || following.told().contains("events=1 "));
    place.policies.replace(PARAMETERS, BEFORE, &value("131"));
    following.wait("the new amount", || place.cases().contains("131.00"));
    assert!(!place.cases().contains(" 100.00 "), "{}", place.cases());
    let told = following.told();
    assert!(
        told.contains("the policies have changed (1 of them)") && told.contains("switched to the new policies: judged anew "),
        "{told}"
    );

    place.policies.replace(PARAMETERS, &value("131"), &value("much"));
    following.wait("a warning", || following.told().contains("the policies have changed, with "));
    // Events go on, by what the last sound policies say.
    let before = place.cases();
    place.live_again(&people[1..]);
    following.wait("a case of somebody who lives", || place.cases().len() > before.len());
    assert_eq!(following.told().matches("the policies have changed, with ").count(), 1, "a fault is told once");
    drop(following);

    let refused = place.run(&["stream", "turn", "--to", "2026-06-30"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    place.policies.replace(PARAMETERS, &value("much"), &value("142"));
    let turned = place.run(&["stream", "turn", "--to", "2026-06-30"]);
    assert_eq!(turned.code, Some(0), "{}", turned.stderr);
    assert!(turned.stderr.contains("(1 differ): all whom they concern are judged anew first"), "{}", turned.stderr);
    assert!(
        turned.stdout.contains("turns 0 ") && place.cases().contains("142.00") && !place.cases().contains("131.00"),
        "{}",
        turned.stdout
    );
    let again = place.run(&["stream", "turn", "--to", "2026-06-30"]);
    assert!(again.stdout.contains("judged anew 0 ") && again.stderr.is_empty(), "{}{}", again.stdout, again.stderr);
}
