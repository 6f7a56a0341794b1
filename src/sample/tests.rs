//! Tests of the synthetic city.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use tempfile::TempDir;

use super::calendar::{add_months, age, day};
use super::identifier::{PersonMint, body_check, entity_check, entity_id, person_check};
use super::layout::LAYOUTS;
use super::{Planted, SampleError, SampleOptions, generate};

fn options(persons: usize, small_sample: bool) -> SampleOptions {
    SampleOptions { persons, seed: 7, data_day: day(2026, 6, 30), small_sample }
}

fn grow(options: &SampleOptions) -> (TempDir, Planted) {
    let folder = TempDir::new().unwrap();
    let planted = generate(options, folder.path(), &|_| {}).unwrap();
    (folder, planted)
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_city_is_the_same_twice() {
    for small_sample in [false, true] {
        let options = options(300, small_sample);
        let ((one, _), (other, _)) = (grow(&options), grow(&options));
        assert!(bytes(one.path()) == bytes(other.path()));
    }
}

#[test]
fn a_city_is_the_same_for_any_number_of_threads() {
    let options = options(super::CHUNK_PERSONS * 2 + 700, false);
    let grown_with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| grow(&options))
    };
    let ((one, planted), (other, same)) = (grown_with(1), grown_with(3));
    assert_eq!(planted, same);
    assert_eq!(planted.persons as usize, options.persons);
    assert!(bytes(one.path()) == bytes(other.path()));
}

#[test]
fn another_seed_is_another_city() {
    let (one, _) = grow(&options(300, false));
    let (other, _) = grow(&SampleOptions { seed: 8, ..options(300, false) });
    assert!(bytes(one.path())["population.parquet"] != bytes(other.path())["population.parquet"]);
}

#[test]
fn every_fault_is_planted_in_a_small_city() {
    let (folder, planted) = grow(&options(2000, true));
    let reasons: Vec<&str> = planted.quarantine.values().flat_map(|of| of.keys()).map(String::as_str).collect();
    for reason in ["bad-identifier", "duplicate-key", "unknown-code", "uncastable", "missing-required"] {
        assert!(reasons.contains(&reason), "{reason}");
    }
    assert!(planted.conflicts["birth_date"].count > 0);
    assert!(planted.conflicts["paid_amount"].count > 0);
    assert!(planted.turning_80.count >= 3);
    assert!(planted.late_rows["birth"].count > 0 && planted.late_rows["death"].count > 0);
    assert!(planted.renumbered.count > 0);
    assert_eq!(planted.entities, 300);
    let written: Planted = serde_json::from_slice(&bytes(folder.path())["planted.json"]).unwrap();
    assert_eq!(written, planted);
}

#[test]
fn the_spreadsheet_is_gbk_with_chinese_headers() {
    let (folder, planted) = grow(&options(2000, true));
    let bytes = &bytes(folder.path())["disability_cards.csv"];
    let (text, _, wrong) = encoding_rs::GBK.decode(bytes);
    assert!(!wrong);
    assert!(text.starts_with("残疾人证号,身份证号,"));
    assert_eq!(text.lines().count() as u64, planted.rows["disability_cards"] + 1);
}

#[test]
fn nobody_is_no_city() {
    let folder = TempDir::new().unwrap();
    let failed = generate(&options(0, false), folder.path(), &|_| {});
    assert!(matches!(failed, Err(SampleError::NoPersons)));
    assert!(bytes(folder.path()).is_empty());
}

#[test]
fn a_city_that_cannot_be_written_names_the_file() {
    let folder = TempDir::new().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "").unwrap();
    let failed = generate(&options(30, false), &taken, &|_| {}).unwrap_err();
    assert!(failed.to_string().contains("taken"), "{failed}");
}

#[test]
fn the_columns_are_those_declared() {
    let declared = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/registers");
    for layout in LAYOUTS {
        let text = fs::read_to_string(declared.join(format!("{}.yaml", layout.name))).unwrap();
        let columns = text.split_once("\ncolumns:").unwrap().1.split("\nfacts:").next().unwrap();
        let names: Vec<&str> = columns
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("- {name: "))
            .filter_map(|rest| rest.split([',', '}']).next())
            .collect();
        let ours: Vec<&str> = layout.columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(ours, names, "{}", layout.name);
        let key = text.lines().find_map(|line| line.strip_prefix("key: ")).unwrap();
        assert_eq!(layout.columns[layout.key].0, key, "{}", layout.name);
    }
}

#[test]
fn check_characters_follow_the_standards() {
    // The printed examples of GB 11643-1999 and GB 32100-2015.
    assert_eq!(person_check(b"11010519491231002"), b'X');
    assert_eq!(body_check(b"M000100Y"), b'4');
    assert_eq!(entity_check(b"91350100M000100Y4"), b'3');
    let id = entity_id("91", 990_101, 5);
    assert_eq!(entity_check(&id.as_str().as_bytes()[..17]), id.as_str().as_bytes()[17]);
}

#[test]
fn numbers_never_collide_between_chunks() {
    let birth = day(1988, 2, 29);
    let mut given = std::collections::BTreeSet::new();
    for chunk in 0..200 {
        let mut mint = PersonMint::new(chunk, 200);
        for _ in 0..40 {
            let id = mint.mint(3, birth, chunk % 2 == 0);
            assert!(given.insert(id.as_str().to_owned()));
            assert_eq!(&id.as_str()[6..14], "19880229");
            assert_eq!(id.as_str().as_bytes()[16] % 2 == 1, chunk % 2 == 0);
        }
    }
}

#[test]
fn ages_and_months_follow_the_calendar() {
    assert_eq!(age(day(1946, 7, 3), day(2026, 7, 2)), 79);
    assert_eq!(age(day(1946, 7, 3), day(2026, 7, 3)), 80);
    assert_eq!(add_months(day(2026, 1, 31), 1), NaiveDate::from_ymd_opt(2026, 2, 28).unwrap());
}
