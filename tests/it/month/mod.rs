//! A month of a small city, lived twice: by nightly batches, and by the stream with the turns of the days. Both end in the same cases.
//!
//! ```text
//!  changes of a day ─┬─▶ registers as files ─▶ match --store, case open      (side A, every night)
//!                    └─▶ events ─▶ stream turn, stream run                   (side B, all day)
//!                                     cases of A = cases of B, after each day
//! ```
//!
//! Policies with a budget are left aside: it is shared out by the night alone. The night sees a day as it ended, the stream all of it:
//!
//! - a case that began and was lost on one day and of which nobody was told may be the stream's alone;
//! - of a case that the stream recomputed twice on one day (found counts as once), what it came to in between may show: held against
//!   the night's are whose it is, what for, which step it is at, whether it is lost, and what it comes to now.
//!
//! Both are counted; all other cases are the same in every field.
//!
//! `MIANSHEN_MONTH_DAYS` and `MIANSHEN_MONTH_PERSONS` set how long and how large; by default a week over the end of a month.

#![expect(clippy::disallowed_methods, reason = "how long a night and a day take is told")]

mod city;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{Days, NaiveDate};
use mianshen::commands::folder::PolicyFolder;
use mianshen::ledger::{Case, Event, Role, Step};
use mianshen::store::Address;
use mianshen::store::live::{CaseFilter, CasePages};

use crate::outcome::POLICIES;
use crate::support::run;
use city::City;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[track_caller]
fn done(arguments: &[&str]) -> String {
    let ran = run(&[arguments, &["--lang", "en"]].concat());
    assert_eq!(ran.code, Some(0), "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// One side's store.
struct Side {
    store: PathBuf,
}

impl Side {
    fn new(folder: &Path, name: &str) -> Self {
        Self { store: folder.join(name) }
    }

    fn store(&self) -> &str {
        self.store.to_str().expect("UTF-8")
    }

    /// The night: a batch over the registers as they are, and its cases.
    fn night(&self, sources: &str, day: NaiveDate) {
        done(&["match", "--store", self.store(), "--sources", sources, "--as-of", &day.to_string(), "--keep-runs", "1"]);
        done(&["case", "open", "--store", self.store()]);
    }

    /// All cases, but those of policies that are left aside; and which of them the program touched twice on one day.
    fn cases(&self, aside: &BTreeSet<String>) -> (BTreeMap<String, Case>, BTreeSet<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = Address::parse(self.store()).expect("an address").open().await.expect("a store");
            let live = store.live().await.expect("its live part");
            let (mut pages, mut cases) = (CasePages::new(&*live, CaseFilter::default()), BTreeMap::new());
            while let Some(page) = pages.next().await.expect("read") {
                let read = page.iter().map(|row| Case::of(row).expect("a case"));
                cases.extend(read.filter(|case| !aside.contains(&case.grant.policy)).map(|case| (case.id.clone(), case)));
            }
            let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
            for event in live.events_from(1, usize::MAX >> 1).await.expect("read") {
                let (_, content) = event.content.expect("nothing was erased");
                let read = Event::read(&content).expect("an event");
                if read.actor.role == Role::System && !seen.insert((event.case.clone(), read.day)) {
                    twice.insert(event.case);
                }
            }
            (cases, twice)
        })
    }
}

/// Whether a case may be the stream's alone: begun and lost on one day, and nobody was told.
fn was_there_for_a_moment(case: &Case) -> bool {
    case.lost_on == Some(case.found_on) && case.step == Step::Found
}

/// What is the same of a case whatever it came to in between.
fn in_the_end(case: &Case) -> String {
    let grant = &case.grant;
    let whose = (grant.kind, &grant.subject, &grant.policy, &grant.period, &grant.occasion, &grant.member);
    format!("{whose:?} {:?} {} {:?}", case.step, case.lost_on.is_some(), case.reckoned)
}

/// How the two sides differ; how many cases were there for a moment, and how many were recomputed twice on one day.
fn differences(night: &BTreeMap<String, Case>, stream: &BTreeMap<String, Case>, twice: &BTreeSet<String>) -> (Vec<String>, usize, usize) {
    let mut found = Vec::new();
    let (mut moments, mut again) = (0, 0);
    let ids: BTreeSet<&String> = night.keys().chain(stream.keys()).collect();
    for id in ids {
        match (night.get(id), stream.get(id)) {
            (None, Some(case)) if was_there_for_a_moment(case) => moments += 1,
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) if twice.contains(id) && in_the_end(one) == in_the_end(other) => again += 1,
            (one, other) => found.push(format!("{id}\n  night  {}\n  stream {}", told(one), told(other))),
        }
    }
    (found, moments, again)
}

fn told(case: Option<&Case>) -> String {
    case.map_or_else(|| "-".to_owned(), |case| serde_json::to_string(case).expect("JSON"))
}

#[test]
fn nights_and_the_stream_end_in_the_same_cases() {
    let (days, persons) = (setting("MIANSHEN_MONTH_DAYS", 7), setting("MIANSHEN_MONTH_PERSONS", 1_500));
    let begin = NaiveDate::from_ymd_opt(2026, 6, 27).expect("a day");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut city = City::new(folder.path(), persons, begin);
    let registers = city.registers();
    let documents = PolicyFolder::load(Path::new(POLICIES)).set.policies;
    let aside: BTreeSet<String> =
        documents.iter().filter(|document| document.budget.is_some()).map(|document| document.code.clone()).collect();
    assert!(!aside.is_empty(), "some policies have a budget");
    let [nights, stream] = ["nights.db", "stream.db"].map(|name| Side::new(folder.path(), name));
    let sources = city.write(begin);
    nights.night(&sources, begin);
    stream.night(&sources, begin);
    done(&["stream", "load", "--store", stream.store(), "--sources", &sources, "--as-of", &begin.to_string()]);
    let (mut changes, mut most) = (0, 0);
    for number in 1..=days {
        let day = begin + Days::new(number);
        let events = city.live(day);
        changes += events.len();
        let sources = city.write(day);
        let started = Instant::now();
        nights.night(&sources, day);
        let night = started.elapsed();
        let started = Instant::now();
        let followed = [&["--followed"][..], &registers.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        let today = day.to_string();
        let turned = done(&[&["stream", "turn", "--store", stream.store(), "--to", &today][..], &followed].concat());
        let path = folder.path().join(format!("events-{day}.ndjson"));
        std::fs::write(&path, events.join("\n") + "\n").expect("written");
        let from = format!("file:{}", path.display());
        let letters = folder.path().join("dead.ndjson");
        let to = ["--dead-letters", letters.to_str().expect("a path")];
        let ran = done(&[&["stream", "run", "--store", stream.store(), "--from", &from, "--max-batch", "8"][..], &to, &followed].concat());
        assert!(ran.contains(" refused 0 "), "{ran}{}", std::fs::read_to_string(&letters).unwrap_or_default());
        let live = started.elapsed();
        for side in [&nights, &stream] {
            officials(side, number, day);
        }
        let ((of_nights, _), (of_stream, twice)) = (nights.cases(&aside), stream.cases(&aside));
        let (found, moments, again) = differences(&of_nights, &of_stream, &twice);
        let lost = of_nights.values().filter(|case| case.lost_on.is_some()).count();
        println!(
            "{day}: {} changes, {} cases, {lost} lost, {moments} for a moment, {again} recomputed twice; night {:.1} s, stream {:.1} s\n  {}  {}",
            events.len(),
            of_nights.len(),
            night.as_secs_f64(),
            live.as_secs_f64(),
            turned.trim_end(),
            ran.trim_end(),
        );
        assert!(found.is_empty(), "{day}: {} cases differ\n{}", found.len(), found[..found.len().min(10)].join("\n"));
        assert!(moments + again <= of_nights.len() / 20, "the exceptions are few: {moments}, {again}");
        most = most.max(moments + again);
    }
    let (last, _) = nights.cases(&aside);
    assert!(changes as u64 >= 10 * days, "{changes} changes");
    assert!(last.values().filter(|case| case.lost_on.is_some()).count() > 0, "some lost a grant");
    assert!(last.values().filter(|case| case.found_on > begin).count() > 0, "some were found since");
    assert!(last.values().any(|case| case.paid_on.is_some()), "some were paid");
    println!("{changes} changes in {days} days; {} cases; at most {most} exceptions", last.len());
}

/// What officials do on a day, on both sides alike: a policy is published, told and paid.
fn officials(side: &Side, number: u64, day: NaiveDate) {
    let today = day.to_string();
    let act = |step: &str| {
        let who = ["--actor", "张三", "--department", "990100-MZ", "--today", &today];
        done(&[&["case", step, "--store", side.store(), "--policy", "990100-MZ-0007"][..], &who].concat());
    };
    match number {
        1 => act("publish"),
        6 => {
            act("tell");
            act("pay");
        }
        _ => {}
    }
}
