//! `mianshen stream turn` and `due` on the sample city: the day goes on, in the store, and `stream run` goes on from there.

use std::path::Path;

use tempfile::TempDir;

use crate::support::{Run, run};

struct City {
    folder: TempDir,
}

impl City {
    fn load() -> Self {
        let city = Self { folder: tempfile::tempdir().expect("a folder") };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/sources.yaml");
        let loaded = city.run(&["stream", "load", "--sources", sources.to_str().expect("UTF-8"), "--as-of", "2026-06-30"]);
        assert_eq!(loaded.code, Some(0), "{}", loaded.stderr);
        assert!(loaded.stdout.contains(" timers "), "{}", loaded.stdout);
        city
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let store = self.folder.path().join("city.db");
        let common = ["--store", store.to_str().expect("UTF-8"), "--policies", policies.to_str().expect("UTF-8"), "--lang", "en"];
        run(&[arguments, &common].concat())
    }

    /// How many subjects are due in the next month, and the first day of the list.
    fn due(&self) -> (u64, String) {
        let due = self.run(&["due", "--days", "30"]);
        assert_eq!(due.code, Some(0), "{}", due.stderr);
        let head = due.stdout.lines().next().expect("a head");
        let count = head.split(" · ").nth(1).and_then(|part| part.split(' ').next()).map(|count| count.replace(',', ""));
        let first = due.stdout.lines().find(|line| line.starts_with("202")).expect("a day").split_whitespace().next().expect("a day");
        (count.expect("a count").parse().expect("a number"), first.to_owned())
    }
}

/// The number in front of which a label stands.
fn number(run: &Run, label: &str) -> u64 {
    let part = run.stdout.trim_end().split(" · ").find_map(|part| part.strip_prefix(&format!("{label} ")));
    part.unwrap_or_else(|| panic!("{label}: {}", run.stdout)).replace(',', "").parse().expect("a number")
}

#[test]
fn the_day_goes_on() {
    let city = City::load();
    let (due, first) = city.due();
    assert!(due > 10, "{due} subjects are due");
    assert_eq!(first, "2026-07-01");

    let turned = city.run(&["stream", "turn", "--to", "2026-07-01"]);
    assert_eq!(turned.code, Some(0), "{}{}", turned.stdout, turned.stderr);
    assert!(turned.stdout.starts_with("as of 2026-06-30 → 2026-07-01 · turns 1 · "), "{}", turned.stdout);
    let month = number(&turned, "judged anew");
    assert!(number(&turned, "steps of cases") > 100, "cases of the new month: {}", turned.stdout);

    let again = city.run(&["stream", "turn", "--to", "2026-07-01"]);
    assert_eq!((again.code, number(&again, "judged anew")), (Some(0), 0), "{}", again.stdout);

    let week = city.run(&["stream", "turn", "--to", "2026-07-08"]);
    assert_eq!(week.code, Some(0), "{}", week.stderr);
    assert!(number(&week, "judged anew") < month / 4, "{} {}", turned.stdout, week.stdout);
    assert!(city.due().1.as_str() > "2026-07-08");

    let back = city.run(&["stream", "turn", "--to", "2026-07-07"]);
    assert_eq!(back.code, Some(2));
    assert!(back.stderr.contains("--to 2026-07-07 is before the day that stands, 2026-07-08"), "{}", back.stderr);
    let unknown = city.run(&["stream", "turn", "--to", "2026-07-09", "--followed", "deth"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("unknown register `deth`") && unknown.stderr.contains("`death`"), "{}", unknown.stderr);

    // Events are judged for the day that stands.
    let followed = city.run(&["stream", "run", "--from", "-"]);
    assert_eq!(followed.code, Some(0), "{}", followed.stderr);
    let cases = city.run(&["stream", "turn", "--to", "2026-07-09", "--followed", "death", "population"]);
    assert!(cases.stdout.starts_with("as of 2026-07-08 → 2026-07-09 · "), "{}{}", cases.stdout, cases.stderr);
}

#[test]
fn a_store_without_registers_has_no_days() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("none.db");
    let turned = run(&["stream", "turn", "--to", "2026-07-01", "--store", store.to_str().expect("UTF-8"), "--lang", "en"]);
    assert_eq!(turned.code, Some(2), "{}", turned.stdout);
}
