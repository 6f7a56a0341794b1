//! A small tree with a merger, a split, a renaming and a town, and the mistakes of its authors.

use std::io::Write as _;

use super::*;

const TREE: &str = r#"
regions:
  - {code: "990000", name: {zh: 样例省, en: Sample}, level: province, from: 1949-10-01}
  - {code: "990100", name: 样例市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990200", name: 邻市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990101", name: 东城区, parent: "990100", level: county, from: 1949-10-01}
  - {code: "990109", name: 云溪市, parent: "990100", level: county, from: 1949-10-01}
  - {code: "990110", name: 旧云县, parent: "990100", level: county, from: 1949-10-01, to: 2025-01-01, replaced_by: ["990109"]}
  - {code: "990201", name: 临江县, parent: "990200", level: county, from: 1949-10-01, to: 2020-01-01, replaced_by: ["990202"]}
  - {code: "990202", name: 临江区, parent: "990200", level: county, from: 2020-01-01}
  - {code: "990111", name: 分县, parent: "990100", level: county, from: 1949-10-01, to: 2024-01-01, replaced_by: ["990101", "990202"]}
  - {code: "990112", name: 撤县, parent: "990100", level: county, from: 1949-10-01, to: 2024-01-01, replaced_by: ["990101", "990109"]}
  - {code: "990101001", name: 城关街道, parent: "990101", level: town, from: 1949-10-01}
"#;

fn read(text: &str) -> (RegionTree, Vec<String>) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let (tree, diagnostics) = load(file.path());
    (tree, diagnostics.iter().map(|diagnostic| diagnostic.code.name.to_owned()).collect())
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn tree() -> RegionTree {
    let (tree, diagnostics) = read(TREE);
    assert_eq!(diagnostics, Vec::<String>::new());
    tree
}

#[track_caller]
fn check_membership(ancestor: &str, code: &str, on: &str, expect: Option<bool>) {
    assert_eq!(tree().membership(ancestor, code, day(on)), expect);
}

#[test]
fn membership_is_dated_and_three_valued() {
    check_membership("990100", "990101001", "2026-06-30", Some(true));
    check_membership("000000", "990101001", "2026-06-30", Some(true));
    check_membership("990200", "990101001", "2026-06-30", Some(false));
    check_membership("990101", "990101", "2026-06-30", Some(true));
    check_membership("990109", "990110", "2024-12-31", Some(false));
    check_membership("990109", "990110", "2025-01-01", Some(true));
    check_membership("990101", "990111", "2026-06-30", None);
    check_membership("990100", "990111", "2026-06-30", None);
    check_membership("990100", "990112", "2026-06-30", Some(true));
    check_membership("990101", "990112", "2026-06-30", None);
    check_membership("990100", "990199", "2026-06-30", None);
    check_membership("990100", "990101999", "2026-06-30", None);
}

#[test]
fn a_policy_of_a_renamed_region_goes_on() {
    check_membership("990201", "990202", "2026-06-30", Some(true));
    check_membership("990110", "990109", "2026-06-30", Some(false));
}

#[test]
fn ways_up_and_down() {
    let tree = tree();
    let today = day("2026-06-30");
    assert_eq!(tree.ancestors("990101001", today), ["990101", "990100", "990000", "000000"]);
    assert_eq!(tree.ancestors("990110", today), ["990100", "990000", "000000"]);
    assert_eq!(tree.descendants("990100", today), ["990101", "990101001", "990109"]);
    assert_eq!(tree.members("990100", today), ["990100", "990101", "990101001", "990109", "990110", "990112"]);
    assert_eq!(tree.undecided("990100", today), ["990111"]);
    assert_eq!(tree.counties(today), ["990101", "990109", "990202"]);
    assert_eq!(tree.county_of("990101001", today).as_deref(), Some("990101"));
    assert_eq!(tree.county_of("990110", today).as_deref(), Some("990109"));
    assert_eq!(tree.county_of("990100", today), None);
    assert_eq!(tree.successor("990201", today), Some("990202"));
    assert_eq!(tree.successor("990111", today), None);
    assert_eq!(tree.successor("990202", day("2019-01-01")), None);
    assert_eq!(tree.name("000000").map(|name| name.zh.as_str()), Some("全国"));
}

/// On every day on which something changes, the day before, and for every code, one outside the tree too.
#[test]
fn a_day_worked_out_at_once_answers_as_the_tree_does() {
    let tree = tree();
    for on in ["1900-01-01", "2019-12-31", "2020-01-01", "2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01", "2026-06-30"] {
        let on = day(on);
        let at_once = RegionsOn::new(&tree, on);
        for ancestor in tree.all_codes().chain(["990199"]) {
            let plain = |codes: Vec<std::sync::Arc<str>>| codes.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(plain(at_once.members(&tree, ancestor)), tree.members(ancestor, on), "in {ancestor} on {on}");
            assert_eq!(plain(at_once.undecided(&tree, ancestor)), tree.undecided(ancestor, on), "in {ancestor} or not on {on}");
        }
        let chains: Vec<_> = tree.all_codes().map(|code| (code, tree.chain(code, on))).filter(|(_, chain)| !chain.is_empty()).collect();
        assert_eq!(
            at_once.chains().iter().map(|(code, chain)| (&**code, chain.iter().map(|code| &**code).collect())).collect::<Vec<_>>(),
            chains
        );
    }
}

#[track_caller]
fn check_mistake(line: &str, expect: &[&str]) {
    let (_, diagnostics) = read(&format!("{TREE}  - {line}\n"));
    assert_eq!(diagnostics, expect);
}

#[test]
fn mistakes_are_told() {
    check_mistake(r#"{code: "990120", name: 甲, parent: "990300", level: county, from: 2000-01-01}"#, &["unknown-region"]);
    check_mistake(r#"{code: "990120", name: 甲, parent: "990101", level: county, from: 2000-01-01}"#, &["unknown-region"]);
    check_mistake(r#"{code: "990202001", name: 甲, parent: "990202", level: town, from: 2000-01-01}"#, &["bad-period"]);
    check_mistake(r#"{code: "990101", name: 甲, parent: "990100", level: county, from: 2000-01-01}"#, &["bad-period"]);
    check_mistake(r#"{code: "990101", name: 甲, parent: "990100", level: county, from: 1949-10-01}"#, &["duplicate-name"]);
    check_mistake(r#"{code: "990120", name: 甲, level: county, from: 2000-01-01, to: 1999-01-01}"#, &["bad-period"]);
    check_mistake("{code: 99012, name: 甲, level: county, from: 2000-01-01}", &["unknown-region"]);
    check_mistake("{name: 甲, level: county}", &["missing-key", "missing-key"]);
}

#[test]
fn cycles_are_told_once() {
    let (_, diagnostics) = read(
        r#"
regions:
  - {code: "990101", name: 甲, parent: "990100", from: 1949-10-01, to: 2000-01-01, replaced_by: ["990102"]}
  - {code: "990102", name: 乙, parent: "990100", from: 1949-10-01, to: 2000-01-01, replaced_by: ["990101"]}
  - {code: "990100", name: 市, from: 1949-10-01}
  - {code: "990000", name: 省, from: 1949-10-01}
"#,
    );
    assert_eq!(diagnostics, ["cycle"]);
}

#[test]
fn a_missing_file_is_told() {
    let (_, diagnostics) = load(std::path::Path::new("no/such/regions.yaml"));
    assert_eq!(diagnostics[0].code.name, "path-missing");
}
