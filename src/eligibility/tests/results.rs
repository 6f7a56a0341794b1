//! Files: bytes, formats, reading back, changes, manifest.

use std::fs;
use std::path::Path;

use super::super::grant::{ConflictRow, Resolution};
use super::super::results::changes::{ChangeRow, compare};
use super::super::results::manifest::{Engine, MANIFEST, Manifest, RunCounts, input_file, sha256_of};
use super::super::results::staging::Staging;
use super::super::results::{Format, Previous, QuarantineRow, read_grants, write};
use super::fixture::Run;
use crate::register::declaration::SubjectKind::{Household, Person};

/// A run with something in every table.
fn sample() -> Run {
    let mut run = Run::new();
    run.policy("A", |policy| policy.commits("income"));
    run.policy("B", |_| {});
    run.policy_for(Household, "H", |_| {});
    run.yes("p1", "A", 100).reasons = 0b01;
    run.yes_for("p2", "B", "第一孩, \"甲\"; x", 30);
    run.yes("p3", "A", 10);
    run.yes_without_amount("p4", "A");
    run.yes_of_member("h1", "H", "p1", 50);
    run.unknown("p5", "A", &[&["income"], &["assets", "housing"]]);
    run.paid("p3", "A", "2026-06", None, 11);
    run.conflicts.push(ConflictRow {
        kind: Person,
        subject_id: "p9".into(),
        fact: "birth_date".into(),
        policy: None,
        period: None,
        occasion: None,
        source: "birth".into(),
        value: "1946-03-31".into(),
        other_source: "population".into(),
        other_value: "1946-03-13".into(),
    });
    run.findings.counts[0].get_mut("990101").unwrap().funnel = vec![(5, 6), (3, 4)];
    run
}

fn quarantine() -> Vec<QuarantineRow> {
    vec![QuarantineRow {
        register: "birth".into(),
        file: "birth.csv".into(),
        row: 7,
        column: Some("person_id".into()),
        value: Some("9901**********0011".into()),
        reason: "check digit".into(),
    }]
}

/// So many rows of quarantine, all different.
pub(in crate::eligibility) fn quarantine_rows(n_rows: usize) -> Vec<QuarantineRow> {
    let row = |at: usize| QuarantineRow {
        row: at as u64,
        column: (!at.is_multiple_of(3)).then(|| format!("column {}", at % 7).into()),
        value: Some(format!("{}", at * 7_919 % 100_003).into()),
        ..quarantine().remove(0)
    };
    (0..n_rows).map(row).collect()
}

fn save<'a>(out: &Path, run: &'a Run, format: Format, changes: Option<&[ChangeRow]>) -> Resolution<'a> {
    let resolution = run.resolve();
    let staging = Staging::begin(out).unwrap();
    let results = write(&staging, format, run.as_of, &resolution, changes, &quarantine()).unwrap();
    let manifest = Manifest {
        engine: Engine::this(),
        as_of: run.as_of.to_string(),
        known_at: None,
        options: std::collections::BTreeMap::new(),
        inputs: std::collections::BTreeMap::new(),
        policies: std::collections::BTreeMap::new(),
        parameters_sha256: sha256_of(b""),
        ledger: None,
        counts: RunCounts::of(&run.findings, &resolution),
        results,
    };
    staging.write_json(MANIFEST, &manifest).unwrap();
    staging.finish().unwrap();
    resolution
}

fn files(out: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn every_format_writes_the_same_bytes_whatever_the_order_of_findings() {
    let home = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let mut run = sample();
        let changes = compare(&Previous::default(), &run.resolve());
        let (first, second) = (home.path().join("first"), home.path().join("second"));
        save(&first, &run, format, Some(&changes));
        run.findings.yes.reverse();
        save(&second, &run, format, Some(&changes));
        assert_eq!(files(&first), files(&second));
        let names: Vec<String> = files(&first).into_iter().map(|(name, _)| name).collect();
        let tables = ["changes", "conflicts", "coverage", "data_requests", "funnel", "given", "grants"];
        let mut expected: Vec<String> = tables.iter().map(|name| format!("{name}.{format}")).collect();
        expected.push(MANIFEST.to_owned());
        expected.extend(["offers", "quarantine", "unknowns"].map(|name| format!("{name}.{format}")));
        assert_eq!(names, expected);
    }
}

#[test]
fn csv_shows_what_a_row_says() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    save(&out, &sample(), Format::Csv, None);
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    let grants = text("grants.csv");
    let mut lines = grants.lines();
    assert!(lines.next().unwrap().starts_with("grant_id,subject_kind,subject_id,payee_id,policy,version,amount,full_amount,unit,period,"));
    let first = lines.next().unwrap().split_once(',').unwrap().1;
    assert_eq!(first, "person,p1,p1,A,1,100.00,100.00,CNY,2026-06,,,automatic,true,granted,,990101001,990101,first,2026-06-30");
    assert!(grants.contains("first;second"));
    assert!(grants.contains("\"第一孩, \"\"甲\"\"; x\""));
    assert!(text("unknowns.csv").contains("p5,A,1,income | assets + housing,missing | missing + missing,true"));
    assert!(text("offers.csv").contains("p5,A,1,CNY,2026-06,income,missing,true"));
    assert!(text("conflicts.csv").contains("person,p3,amount,A,2026-06,,match,10.00,grants_paid,11.00"));
    assert!(text("quarantine.csv").contains("birth,birth.csv,7,person_id,9901**********0011,check digit"));
    assert!(text("funnel.csv").contains("A,990101,2,second,3,4"));
    assert!(text("coverage.csv").contains("A,990101,3,0,1,0,0,1,2,0,0,1,100.00"));
}

#[test]
fn empty_tables_have_their_header() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    for format in Format::ALL {
        save(&out, &Run::new(), format, Some(&[]));
        assert!(read_grants(&out).unwrap().rows.is_empty());
    }
    save(&out, &Run::new(), Format::Csv, None);
    assert!(fs::read_to_string(out.join("grants.csv")).unwrap().starts_with("grant_id,"));
}

#[test]
fn grants_are_read_back_from_every_format() {
    let home = tempfile::tempdir().unwrap();
    let mut read = Vec::new();
    for format in Format::ALL {
        let out = home.path().join(format.name());
        save(&out, &sample(), format, None);
        read.push(read_grants(&out).unwrap());
    }
    assert_eq!(read[0], read[1]);
    assert_eq!(read[0], read[2]);
    let told: Vec<_> = read[0].rows.iter().map(|row| (read[0].subject_id(row), read[0].word(row.member), row.amount.get())).collect();
    assert_eq!(
        told,
        [
            ("p1", None, Some(10_000)),
            ("p2", None, Some(3_000)),
            ("p4", None, None),
            ("h1", Some("p1"), Some(5_000)),
            ("p3", None, Some(1_000))
        ]
    );
    assert_eq!(read[0].word(read[0].rows[1].occasion), Some("第一孩, \"甲\"; x"));
}

#[test]
fn what_is_no_run_or_a_broken_one_is_told() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(read_grants(home.path()).unwrap_err().code.name, "path-missing");
    let out = home.path().join("out");
    save(&out, &sample(), Format::Parquet, None);
    let bytes = fs::read(out.join("grants.parquet")).unwrap();
    fs::write(out.join("grants.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(read_grants(&out).unwrap_err().code.name, "file-unreadable");
}

#[test]
fn the_manifest_names_rows_and_hashes_of_all_results() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    save(&out, &sample(), Format::Parquet, None);
    let text = fs::read_to_string(out.join(MANIFEST)).unwrap();
    let manifest: Manifest = serde_json::from_str(&text).unwrap();
    for (name, result) in &manifest.results {
        let file = input_file(&out.join(name), name.as_str()).unwrap();
        assert_eq!((file.bytes, &file.sha256), (result.bytes, &result.sha256), "{name}");
    }
    assert_eq!(manifest.results["grants.parquet"].rows, 4);
    assert_eq!(manifest.counts.by_policy["A"].amount, "100.00");
    assert_eq!((manifest.counts.granted, manifest.counts.given, manifest.counts.offers, manifest.counts.conflicts), (4, 1, 1, 2));
    assert!(!text.contains(home.path().to_str().unwrap()), "no place of this machine");
}

fn changes(before: &Run, after: &Run) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("before");
    save(&out, before, Format::Parquet, None);
    let changes = compare(&read_grants(&out).unwrap(), &after.resolve());
    let line = |row: &ChangeRow| {
        let amounts = (row.amount_before.map_or(0, |fen| fen / 100), row.amount.map_or(0, |fen| fen / 100));
        format!("{} {} {} {}→{} {} {}", row.change.name(), row.subject_id, row.policy, amounts.0, amounts.1, row.now, row.reasons.join(","))
    };
    changes.iter().map(line).collect()
}

#[test]
fn changes_name_who_gained_lost_and_whose_amount_changed() {
    let mut before = Run::new();
    before.policy("A", |_| {});
    before.as_of = super::fixture::day("2026-05-31");
    let mut after = Run::new();
    after.policy("A", |_| {});
    before.yes("kept", "A", 10);
    after.yes("kept", "A", 10);
    after.yes("gained", "A", 10);
    before.yes("lost", "A", 10);
    before.yes("doubted", "A", 10);
    after.unknown("doubted", "A", &[&["income"]]);
    before.yes("raised", "A", 10);
    after.yes("raised", "A", 20);
    assert_eq!(
        changes(&before, &after),
        [
            "lost doubted A 10→0 unknown ",
            "gained gained A 0→10 granted first,second",
            "lost lost A 10→0 no ",
            "amount_changed raised A 10→20 granted "
        ]
    );
}

#[test]
fn what_is_paid_in_between_is_neither_lost_nor_gained_again() {
    let mut before = Run::new();
    before.policy("A", |_| {});
    before.yes("p1", "A", 10);
    before.yes("p2", "A", 10);
    before.paid("p2", "A", "2026-06", None, 10);
    let mut after = Run::new();
    after.policy("A", |_| {});
    after.yes("p1", "A", 10);
    after.yes("p2", "A", 10);
    after.paid("p1", "A", "2026-06", None, 10);
    assert!(changes(&before, &after).is_empty());
}

#[test]
fn who_waits_or_whose_policy_ended_has_lost_for_that_reason() {
    let mut before = Run::new();
    before.policy("A", |_| {});
    before.policy("B", |_| {});
    before.yes("p1", "A", 10);
    before.yes("p1", "B", 10);
    let mut after = Run::new();
    after.policy("A", |policy| {
        policy.budgeted(crate::policy::document::Exhaustion::Waitlist, crate::policy::document::Period::Once);
    });
    after.budgets[0] = Some(0);
    after.yes("p1", "A", 10);
    assert_eq!(changes(&before, &after), ["lost p1 A 10→0 waitlisted ", "lost p1 B 10→0 not_in_run "]);
}
