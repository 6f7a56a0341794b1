//! Complete or absent.

use std::fs;
use std::io;
use std::path::Path;

use proptest::prelude::*;

use super::super::results::manifest::MANIFEST;
use super::super::results::staging::{Staging, Step, recover};
use crate::diagnostic::Diagnostic;

fn write_run(out: &Path, content: &str) -> Staging {
    let staging = Staging::begin(out).unwrap();
    fs::write(staging.path("grants.csv"), content).unwrap();
    staging.write_json(MANIFEST, &content).unwrap();
    staging
}

fn content(out: &Path) -> Option<String> {
    let names = |out: &Path| {
        let mut names: Vec<_> = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    if !out.exists() {
        return None;
    }
    assert_eq!(names(out), ["grants.csv", MANIFEST], "whole, and nothing else");
    Some(fs::read_to_string(out.join("grants.csv")).unwrap())
}

fn only(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn fails(result: Result<impl Sized, Diagnostic>, part: &str) {
    let Err(diagnostic) = result else { panic!("it did not fail") };
    assert_eq!(diagnostic.code.name, "output-failed");
    assert!(diagnostic.headline.en.contains(part), "{}", diagnostic.headline.en);
    assert!(!diagnostic.help.is_empty());
}

#[test]
fn a_finished_run_is_in_its_place_and_leaves_nothing_beside() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("deep").join("out");
    write_run(&out, "one").finish().unwrap();
    write_run(&out, "two").finish().unwrap();
    assert_eq!(content(&out).as_deref(), Some("two"));
    assert_eq!(only(out.parent().unwrap()), ["out"]);
}

#[test]
fn a_run_that_is_dropped_leaves_no_trace() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    drop(write_run(&out, "one"));
    assert!(only(home.path()).is_empty());
    write_run(&out, "one").finish().unwrap();
    drop(write_run(&out, "two"));
    assert_eq!(content(&out).as_deref(), Some("one"));
    assert_eq!(only(home.path()), ["out"]);
}

#[test]
fn an_empty_directory_is_taken_and_anything_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    fs::create_dir(&out).unwrap();
    write_run(&out, "one").finish().unwrap();
    assert_eq!(content(&out).as_deref(), Some("one"));

    let foreign = home.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    fails(Staging::begin(&foreign), "something else than a run");
    fails(Staging::begin(&foreign.join("thesis.txt")), "not a directory");
    fails(Staging::begin(&foreign.join("thesis.txt").join("out")), "cannot write");
    assert_eq!(only(home.path()), ["foreign", "out"]);
}

#[test]
fn two_runs_do_not_write_to_one_place() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let first = write_run(&out, "one");
    fails(Staging::begin(&out), "another run is writing there");
    first.finish().unwrap();
    assert_eq!(content(&out).as_deref(), Some("one"));
}

#[test]
fn the_earlier_run_is_restored_when_the_new_one_cannot_be_moved_in() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    write_run(&out, "one").finish().unwrap();
    let mut staging = write_run(&out, "two");
    staging.perform(Step::Settle).unwrap();
    staging.perform(Step::MoveAside).unwrap();
    assert!(!out.exists());
    // Somebody else is faster.
    fs::rename(home.path().join(".mianshen-out-partial"), home.path().join("gone")).unwrap();
    assert_eq!(staging.perform(Step::MoveIn).unwrap_err().kind(), io::ErrorKind::NotFound);
    recover(&out).unwrap();
    assert_eq!(content(&out).as_deref(), Some("one"));

    let staging = write_run(&out, "three");
    fs::remove_dir_all(home.path().join(".mianshen-out-partial")).unwrap();
    fails(staging.finish(), "cannot write");
    assert_eq!(content(&out).as_deref(), Some("one"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_leaves_the_earlier_run() {
    use super::super::grant::Resolution;
    use super::super::results::{Format, QuarantineRow, write};

    let row = QuarantineRow {
        register: "birth".into(),
        file: "birth.csv".into(),
        row: 1,
        column: None,
        value: None,
        reason: "a reason that is long enough to be written".into(),
    };
    let rows = vec![row; 20_000];
    let findings = crate::eligibility::finding::Findings::default();
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    write_run(&out, "one").finish().unwrap();
    for format in Format::ALL {
        let staging = Staging::begin(&out).unwrap();
        let name = format!("quarantine.{format}");
        std::os::unix::fs::symlink("/dev/full", staging.path(&name)).unwrap();
        let day = super::fixture::day("2026-06-30");
        fails(write(&staging, format, day, &Resolution::new(&findings, Vec::new()), None, &rows), "the disk is full");
        drop(staging);
        assert_eq!(content(&out).as_deref(), Some("one"));
        assert_eq!(only(home.path()), ["out"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Runs that are cut off after so many steps, one after another: the place always holds a whole run, the newest that
    /// was moved in, or the one before.
    #[test]
    fn a_run_cut_off_anywhere_leaves_the_old_or_the_new(cuts in proptest::collection::vec(0..=5_usize, 1..6)) {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("out");
        let mut expected: Option<String> = None;
        for (number, cut) in cuts.into_iter().enumerate() {
            let name = format!("run {number}");
            let mut staging = Staging::begin(&out).unwrap();
            prop_assert_eq!(content(&out), expected.clone(), "beginning restores what was cut off");
            fs::write(staging.path("grants.csv"), &name).unwrap();
            if cut > 0 {
                staging.write_json(MANIFEST, &name).unwrap();
                for step in Step::ALL.into_iter().take(cut - 1) {
                    staging.perform(step).unwrap();
                    if step == Step::MoveIn {
                        expected = Some(name.clone());
                    }
                }
            }
            // A kill runs no destructor; the system lets go of its locks.
            staging.kill();
            let previous = home.path().join(".mianshen-out-previous");
            let at_hand = if out.exists() { content(&out) } else if previous.exists() { content(&previous) } else { None };
            prop_assert_eq!(at_hand, expected.clone());
            recover(&out).unwrap();
            prop_assert_eq!(content(&out), expected.clone());
        }
    }
}
