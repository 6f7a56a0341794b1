//! Whole folders: what is read, what is told, and which version holds.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;

use super::{content_hash, load};
use crate::diagnostic::Diagnostic;
use crate::policy::document::{PolicyDocument, PolicySet};
use crate::policy::{load_cases, select};
use crate::yaml::parse_date;

/// A small policy; `more` is added at its end.
fn policy(code: &str, more: &str) -> String {
    format!(
        "code: {code}
name: {{zh: 津贴, en: Allowance}}
authority: {{code: 990100-MZ, name: 样例市民政局}}
covers: {{region: \"990100\", by: hukou_region}}
subject: person
basis: [{{id: m, title: 办法, status: sample}}]
criteria: {{id: age, clause: 年满80周岁, basis: m, when: age >= 80}}
benefit: {{kind: cash, amount: 100, period: month}}
delivery: {{mode: automatic}}
{more}
"
    )
}

const OPEN: &str = "in_force: {from: 2024-01-01}";

fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (path, content) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, content).expect("a file");
    }
}

/// Loads a folder with `files`: the codes with versions, and the diagnostics with the text at their places.
#[track_caller]
fn check(files: &[(&str, &[u8])], codes: &[&str], expected: &[(&str, &str)]) -> (PolicySet, Vec<Diagnostic>) {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), files);
    let (set, told) = load(dir.path());
    let short: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
    assert_eq!(short, expected);
    assert_eq!(set.policies.iter().map(|policy| format!("{} {}", policy.code, policy.version)).collect::<Vec<_>>(), codes);
    (set, told)
}

#[cfg(unix)]
#[test]
fn the_lock_of_an_editor_is_no_policy() {
    let dir = tempfile::tempdir().expect("a folder");
    let registers = dir.path().join("registers");
    write(dir.path(), &[("990100/a/policy.yaml", policy("A", OPEN).as_bytes()), ("registers/a.yaml", b"register: a\n")]);
    for lock in [dir.path().join("990100/a/.#policy.yaml"), registers.join(".#a.yaml")] {
        std::os::unix::fs::symlink("somebody@somewhere.1:2", lock).expect("a link");
    }
    assert!(load(dir.path()).1.is_empty());
    let (_, told) = crate::register::load(dir.path());
    assert!(told.iter().all(|told| told.code.name == "missing-key"), "{told:?}");
}

#[test]
fn a_folder_is_sorted_in() {
    let (b, a) = (policy("B", OPEN), policy("A", OPEN));
    let (set, _) = check(
        &[
            ("990100/b/policy.yaml", b.as_bytes()),
            ("990100/b/cases.yaml", b"- {name: x, as_of: 2026-01-01, expect: no}\n"),
            ("990101/a.yml", a.as_bytes()),
            ("990101/notes.yaml", b"just: notes\n"),
            ("990101/readme.md", b"code: C\n"),
            ("registers/population.yaml", b"register: population\ncode: x\n"),
            ("regions.yaml", b"regions: []\ncode: x\n"),
            (".git/policy.yaml", b"code: D\n"),
            (
                "parameters/p.yaml",
                b"parameters: [{name: p, label: P, type: int, values: [{region: x, from: 2024-01-01, value: 1, status: sample}]}]\n",
            ),
            ("bundles/birth.yaml", b"id: birth\nname: x\npolicies: [A]\n"),
        ],
        &["A 1", "B 1"],
        &[],
    );
    assert_eq!(set.policies.iter().map(|policy| policy.has_cases).collect::<Vec<_>>(), [false, true]);
    assert_eq!(set.policies[1].sha256, content_hash(b.as_bytes()));
    assert_eq!((set.parameters.len(), set.bundles.len()), (1, 1));
}

#[test]
fn hashes_are_sha256() {
    assert_eq!(content_hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn cases_stand_beside_their_policy() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = policy("A", OPEN);
    write(dir.path(), &[("a/policy.yaml", text.as_bytes()), ("a/cases.yaml", b"- {name: x, as_of: 2026-01-01, expect: no}\n")]);
    let (set, _) = load(dir.path());
    let (cases, told) = load_cases(&set.policies[0]);
    assert_eq!((cases.len(), told.len()), (1, 0));
}

#[test]
fn folders_without_policies() {
    check(&[], &[], &[("path-missing", "")]);
    let (set, told) = load(Path::new("no/such/folder"));
    assert!(set.policies.is_empty());
    assert_eq!(told.iter().map(|told| told.code.name).collect::<Vec<_>>(), ["path-missing"]);
    assert!(told[0].headline.en.contains("no/such/folder"));
}

#[test]
fn files_that_cannot_be_read() {
    let good = policy("A", OPEN);
    let gbk = b"code: B\nname: \xb8\xdf\xc1\xe4\n";
    check(
        &[("a/policy.yaml", good.as_bytes()), ("b/policy.yaml", gbk), ("c/policy.yaml", b""), ("d/policy.yaml", b"code: [1, 2\nname: x\n")],
        &["A 1"],
        &[("yaml-syntax", "\u{fffd}"), ("yaml-syntax", ""), ("yaml-syntax", ":")],
    );
}

#[test]
fn a_broken_policy_is_still_known_by_its_code() {
    let (set, _) = check(&[("a/policy.yaml", policy("A", "").as_bytes())], &[], &[("missing-key", "code")]);
    assert_eq!(set.unread, ["A"]);
}

#[test]
fn one_item_one_code() {
    let one = policy("A", OPEN);
    let (_, told) =
        check(&[("a/policy.yaml", one.as_bytes()), ("b/policy.yaml", one.as_bytes())], &["A 1", "A 1"], &[("duplicate-policy-code", "A")]);
    assert!(told[0].primary.as_ref().is_some_and(|place| place.path().ends_with("b/policy.yaml")));
    assert!(told[0].secondary[0].span.path().ends_with("a/policy.yaml"));

    let next = policy("A", "version: 2\nin_force: {from: 2025-01-01}");
    check(&[("a/policy.yaml", one.as_bytes()), ("a/v2.yaml", next.as_bytes())], &["A 1", "A 2"], &[("duplicate-policy-code", "A")]);
}

fn day(text: &str) -> NaiveDate {
    parse_date(text).expect("a date")
}

#[test]
fn the_version_in_force_as_it_was_known() {
    let first = policy("A", "announced: 2023-12-01\nin_force: {from: 2024-01-01}");
    let second = policy("A", "version: 2\nannounced: 2025-03-01\nin_force: {from: 2025-01-01, to: 2026-01-01}");
    let other = policy("B", "in_force: {from: 2025-01-01}");
    let (set, _) = check(
        &[("a/policy.yaml", first.as_bytes()), ("a/v2.yaml", second.as_bytes()), ("b/policy.yaml", other.as_bytes())],
        &["A 1", "A 2", "B 1"],
        &[],
    );
    let chosen = |as_of: &str, known_at: Option<&str>| -> Vec<String> {
        let chosen: Vec<Arc<PolicyDocument>> = select(&set.policies, day(as_of), known_at.map(day));
        chosen.iter().map(|policy| format!("{} {}", policy.code, policy.version)).collect()
    };
    assert_eq!(chosen("2023-12-31", None), [""; 0]);
    assert_eq!(chosen("2024-12-31", None), ["A 1"]);
    assert_eq!(chosen("2025-01-01", None), ["A 2", "B 1"]);
    assert_eq!(chosen("2025-01-01", Some("2025-02-28")), ["A 1", "B 1"]);
    assert_eq!(chosen("2025-01-01", Some("2025-03-01")), ["A 2", "B 1"]);
    assert_eq!(chosen("2026-01-01", None), ["A 1", "B 1"]);
}

#[test]
fn many_policies_are_always_told_in_the_same_order() {
    const POLICIES: usize = 1_000;
    let dir = tempfile::tempdir().expect("a folder");
    for number in 0..POLICIES {
        let text = policy(&format!("990100-MZ-{number:05}"), if number % 250 == 0 { "in_fource: 1" } else { OPEN });
        write(dir.path(), &[(&format!("990100/p{number:05}/policy.yaml"), text.as_bytes())]);
    }
    let (set, told) = load(dir.path());
    assert_eq!((set.policies.len(), set.unread.len(), told.len()), (POLICIES - 4, 4, 8));
    let (_, again) = load(dir.path());
    let headlines = |told: &[Diagnostic]| told.iter().map(|told| told.headline.en.clone()).collect::<Vec<_>>();
    assert_eq!(headlines(&told), headlines(&again));
}

#[test]
fn read_by_one_thread_or_by_four_a_folder_is_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    for number in 0..300 {
        let code = format!("990100-MZ-{:05}", number - number % 50 / 49);
        let more = if number % 60 == 7 { "in_fource: 1" } else { OPEN };
        let text = policy(&code, more);
        let text = if number % 70 == 9 { text.replace("code:", "code: [") } else { text };
        write(dir.path(), &[(&format!("990100/p{number:05}/policy.yaml"), text.as_bytes())]);
    }
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        format!("{:?}", pool.install(|| load(dir.path())))
    };
    let one = with(1);
    assert!(one.contains("duplicate-policy-code") && one.contains("yaml-syntax") && one.contains("unknown-key"));
    assert_eq!(one, with(4));
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    let text = format!("\u{feff}{}", policy("A", OPEN));
    let (set, _) = check(&[("a/policy.yaml", text.as_bytes())], &["A 1"], &[]);
    assert_eq!(set.policies[0].place.text(), "A");
}
