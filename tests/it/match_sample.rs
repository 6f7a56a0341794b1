//! `mianshen match` and `generate` on the sample city: what was planted is found, whatever the machine and the choices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use chrono::{Datelike, NaiveDate};
use parquet::arrow::ArrowWriter;

use super::outcome::{Outcome, POLICIES, Rows, SAMPLE, bytes, differing, json, names_beside, planted_by_two, sample, text_of, write_all};
use super::support::run;

const OLD_AGE: &str = "990100-MZ-0007";

fn planted() -> serde_json::Value {
    json(&Path::new(SAMPLE).join("planted.json"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// How many rows have which texts in two columns.
fn tally(rows: &Rows, one: &str, other: &str) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for (one, other) in rows.texts(one).into_iter().zip(rows.texts(other)) {
        *counts.entry((one.to_owned(), other.to_owned())).or_default() += 1;
    }
    counts
}

/// The planted quarantine of the registers that a run has read.
fn planted_quarantine(planted: &serde_json::Value, manifest: &serde_json::Value) -> BTreeMap<(String, String), u64> {
    let mut counts = planted_by_two(planted, "quarantine");
    counts.retain(|(register, _), _| manifest["inputs"].get(register).is_some());
    counts
}

#[test]
fn grants_for_forty_policies_and_more() {
    let grants = sample().table("grants");
    let policies: BTreeSet<&str> = grants.texts_where("policy", "status", "granted");
    assert!(policies.len() >= 40, "{policies:?}");
    let kinds: BTreeSet<&str> = grants.texts("subject_kind").into_iter().collect();
    assert_eq!(kinds, BTreeSet::from(["entity", "household", "person"]));
}

#[test]
fn quarantine_is_what_was_planted() {
    assert_eq!(tally(sample().table("quarantine"), "register", "reason"), planted_quarantine(&planted(), &sample().manifest));
}

#[test]
fn conflicts_are_what_was_planted() {
    let (outcome, planted) = (sample(), planted());
    let conflicts = outcome.table("conflicts");
    for (fact, of) in [("birth_date", "birth_date"), ("amount", "paid_amount")] {
        let found = conflicts.texts_where("subject_id", "fact", fact);
        let keys = planted["conflicts"][of]["keys"].as_array().expect("keys");
        let keys: BTreeSet<&str> = keys.iter().map(|key| key.as_str().expect("text")).collect();
        assert_eq!(found, keys, "{fact}");
        assert!(!found.is_empty(), "{fact}");
    }
    let all: u64 = planted["conflicts"].as_object().expect("an object").values().map(|of| of["count"].as_u64().expect("a count")).sum();
    assert_eq!(conflicts.len() as u64, all);
}

#[test]
fn a_death_recorded_after_the_data_day_is_not_seen() {
    let planted = planted();
    let late = planted["late_rows"]["death"]["keys"][0].as_str().expect("a late death");
    let (grants, given) = (sample().table("grants"), sample().table("given"));
    let paid = [grants, given].into_iter().any(|rows| rows.texts_where("subject_id", "policy", OLD_AGE).contains(late));
    assert!(paid, "{late} is old and alive as far as the registers know");
}

#[test]
fn nobody_is_known_by_a_number_of_before() {
    let links = Rows::read(&Path::new(SAMPLE).join("identity_links.parquet"));
    let old: BTreeSet<&str> = links.texts("old_id").into_iter().collect();
    assert!(!old.is_empty());
    for name in ["grants", "given", "offers", "unknowns", "conflicts"] {
        let rows = sample().table(name);
        let found: Vec<&str> = rows.texts("subject_id").into_iter().filter(|id| old.contains(id)).collect();
        assert_eq!(found, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn unknowns_name_facts_with_their_causes() {
    let unknowns = sample().table("unknowns");
    let mut causes = BTreeSet::new();
    for (missing, cause) in unknowns.texts("missing").into_iter().zip(unknowns.texts("causes")) {
        assert_eq!(missing.is_empty(), cause.is_empty(), "{missing}: {cause}");
        assert_eq!(missing.matches(" | ").count(), cause.matches(" | ").count(), "{missing}: {cause}");
        causes.extend(cause.split([' ', '+', '|']).filter(|cause| !cause.is_empty()));
    }
    assert_eq!(causes, BTreeSet::from(["conflict", "missing"]));
}

/// A run with other choices of machine or place writes the same bytes.
#[track_caller]
fn same_bytes(arguments: &[&str]) {
    let other = Outcome::of_sample(arguments).clean();
    assert_eq!(differing(&sample().bytes, &other.bytes()), Vec::<String>::new(), "{arguments:?}");
}

#[test]
fn a_second_run_elsewhere_writes_the_same_bytes() {
    same_bytes(&[]);
}

#[test]
fn threads_do_not_change_a_byte() {
    same_bytes(&["--threads", "1"]);
    same_bytes(&["--threads", "2"]);
}

#[test]
fn shards_do_not_change_a_byte() {
    same_bytes(&["--shards", "1"]);
    same_bytes(&["--shards", "3"]);
}

#[test]
fn a_run_takes_the_place_of_an_earlier_one() {
    let outcome = Outcome::of_sample(&["--policy", OLD_AGE]).clean();
    let (out, sources) = (outcome.out(), format!("{SAMPLE}/sources.yaml"));
    let again = run(&["match", "--policies", POLICIES, "--sources", &sources, "--out", text_of(&out)]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(differing(&sample().bytes, &outcome.bytes()), Vec::<String>::new());
    assert_eq!(names_beside(&out), ["out"]);
}

#[test]
fn csv_holds_the_same_rows() {
    let outcome = Outcome::of_sample(&["--format", "csv"]).clean();
    for name in ["grants", "given", "unknowns", "coverage", "quarantine", "conflicts"] {
        let rows = sample().table(name);
        let mut reader = csv::Reader::from_path(outcome.out().join(format!("{name}.csv"))).expect("a CSV file");
        let column = reader.headers().expect("headers").iter().position(|header| header == "amount");
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("records");
        assert_eq!(records.len(), rows.len(), "{name}");
        let Some(column) = column else { continue };
        let cents = |record: &csv::StringRecord| record[column].replace('.', "").parse::<i128>().unwrap_or_default();
        assert_eq!(records.iter().map(cents).sum::<i128>(), rows.amounts("amount").iter().sum::<i128>(), "{name}");
    }
}

#[test]
fn arrow_holds_the_same_rows() {
    let outcome = Outcome::of_sample(&["--format", "arrow"]).clean();
    for name in ["grants", "given", "unknowns", "coverage", "quarantine", "conflicts"] {
        let rows = sample().table(name);
        let reader = FileReader::try_new(File::open(outcome.out().join(format!("{name}.arrow"))).expect("a file"), None);
        let reader = reader.expect("an Arrow file");
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("whole batches");
        let other = Rows::of(concat_batches(&schema, &batches).expect("batches of one schema"));
        assert_eq!(other.len(), rows.len(), "{name}");
        if ["grants", "given", "coverage"].contains(&name) {
            assert_eq!(other.amounts("amount").iter().sum::<i128>(), rows.amounts("amount").iter().sum::<i128>(), "{name}");
        }
    }
}

/// Living persons with a local hukou whose 80th birthday is in July 2026, from the registers alone.
fn turning_80(population: &Rows, death: &Rows) -> BTreeSet<String> {
    let recorded = death.texts("person_id").into_iter().zip(death.days("recorded_on"));
    let dead: BTreeSet<&str> = recorded.filter(|(_, on)| *on <= day("2026-06-30")).map(|(id, _)| id).collect();
    let (ids, births, hukou) = (population.texts("person_id"), population.days("birth_date"), population.texts("hukou_region"));
    let rows = ids.into_iter().zip(births).zip(hukou);
    rows.filter(|((id, birth), hukou)| {
        let in_july = (birth.year() + 80, birth.month()) == (2026, 7);
        in_july && hukou.starts_with("9901") && !dead.contains(id) && has_right_check(id)
    })
    .map(|((id, _), _)| id.to_owned())
    .collect()
}

/// GB 11643: the weighted sum of the digits is 1 modulo 11.
fn has_right_check(id: &str) -> bool {
    let value = |c: char| if c == 'X' { 10 } else { c.to_digit(10).unwrap_or(0) };
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1];
    id.chars().map(value).zip(weights).map(|(value, weight)| value * weight).sum::<u32>() % 11 == 1
}

#[test]
fn since_names_those_who_turned_80() {
    let before = tempfile::tempdir().expect("a temporary folder");
    write_all(before.path(), &sample().bytes);
    let after = Outcome::of_sample(&["--as-of", "2026-07-30", "--since", text_of(before.path())]).clean();
    let changes = after.table("changes");
    let of_policy = changes.texts("policy").into_iter().zip(changes.texts("change")).zip(changes.texts("subject_id"));
    let gained = of_policy.filter(|((policy, change), _)| *policy == OLD_AGE && *change == "gained");
    let gained: BTreeSet<String> = gained.map(|(_, id)| id.to_owned()).collect();
    let register = |name: &str| Rows::read(&Path::new(SAMPLE).join(format!("{name}.parquet")));
    let expected = turning_80(&register("population"), &register("death"));
    assert_eq!(gained, expected);
    let planted = planted();
    let keys = planted["turning_80"]["keys"].as_array().expect("keys");
    assert!(!keys.is_empty() && keys.iter().all(|key| gained.contains(key.as_str().expect("text"))), "{gained:?}");
}

#[test]
fn one_policy_is_judged_as_among_all() {
    for policy in [OLD_AGE, "990100-ZJ-0002"] {
        let alone = Outcome::of_sample(&["--policy", policy]).clean();
        let (alone, all) = (alone.table("grants"), sample().table("grants"));
        assert_eq!(alone.texts("policy").into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([policy]));
        let of_policy = all.texts_where("grant_id", "policy", policy);
        let expected: Vec<&str> = all.texts("grant_id").into_iter().filter(|id| of_policy.contains(id)).collect();
        assert_eq!(alone.texts("grant_id"), expected, "{policy}");
    }
}

#[test]
fn a_region_keeps_its_own_subjects() {
    let within = Outcome::of_sample(&["--region", "990101"]).clean();
    let (within, all) = (within.table("coverage"), sample().table("coverage"));
    let judged = |rows: &Rows| -> BTreeMap<String, (u64, u64)> {
        let counts = rows.counts("yes").into_iter().zip(rows.counts("unknown"));
        let rows = rows.texts("policy").into_iter().zip(rows.texts("county")).zip(counts);
        rows.filter(|((_, county), _)| *county == "990101").map(|((policy, _), counts)| (policy.to_owned(), counts)).collect()
    };
    assert_eq!(within.texts("county").into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["990101"]));
    assert_eq!(judged(&within), judged(all));
}

#[test]
fn the_law_as_it_was_known() {
    let known = Outcome::of_sample(&["--known-at", "2025-07-01"]).clean();
    let manifest = known.manifest();
    assert_eq!(manifest["known_at"], "2025-07-01");
    assert!(manifest["policies"].get("000000-WJ-0001").is_none(), "the childcare subsidy was announced on 2025-07-28");
    assert!(manifest["policies"].get(OLD_AGE).is_some());
}

#[test]
fn counts_only_names_nobody() {
    let counted = Outcome::of_sample(&["--counts-only"]).clean();
    for name in ["grants", "given", "offers", "unknowns"] {
        assert_eq!(counted.table(name).len(), 0, "{name}");
    }
    let (manifest, all) = (counted.manifest(), &sample().manifest);
    for (policy, counts) in all["counts"]["by_policy"].as_object().expect("policies") {
        // What it requires is not settled without lists.
        if policy != "990100-ZJ-0002" {
            for verdict in ["yes", "no", "unknown"] {
                assert_eq!(manifest["counts"]["by_policy"][policy][verdict], counts[verdict], "{policy} {verdict}");
            }
        }
    }
}

#[test]
fn a_register_absent_on_purpose_leaves_its_facts_unknown() {
    for (lang, told) in [("en", "(income_assessment): absent on purpose, its facts are unknown"), ("zh", "(income_assessment): 有意缺席")]
    {
        let outcome = Outcome::of_sample(&["--allow-missing", "income_assessment", "--lang", lang]).clean();
        assert!(outcome.run.stdout.contains(told), "{}", outcome.run.stdout);
        let requests = outcome.table("data_requests");
        let facts = requests.texts_where("fact", "register", "income_assessment");
        assert!(facts.contains("monthly_income") && facts.contains("financial_assets"), "{facts:?}");
        assert_eq!(outcome.manifest()["inputs"]["income_assessment"]["rows"], 0);
        let (yes, all) = (outcome.manifest(), &sample().manifest);
        let yes_of = |manifest: &serde_json::Value| manifest["counts"]["by_policy"]["990100-MZ-0001"]["yes"].clone();
        assert_eq!((yes_of(&yes), yes_of(all).as_u64() > Some(0)), (0.into(), true));
    }
}

#[test]
fn strict_is_for_somebody_to_look() {
    let outcome = Outcome::of_sample(&["--strict"]);
    assert_eq!((outcome.run.code, outcome.run.stderr.as_str()), (Some(1), ""));
    assert_eq!(differing(&sample().bytes, &outcome.bytes()), Vec::<String>::new());
}

#[test]
fn the_summary_speaks_both_languages() {
    let zh = Outcome::of_sample(&["--lang", "zh"]).clean();
    for text in ["判定日 2026-06-30 · ", "高龄津贴", "个人", "家庭", "法人", "\n读取记录 "] {
        assert!(zh.run.stdout.contains(text), "no `{text}` in:\n{}", zh.run.stdout);
    }
    for text in ["as of 2026-06-30 · ", "Old-age allowance", "person", "household", "entity", "\nrows read "] {
        assert!(sample().stdout.contains(text), "no `{text}` in:\n{}", sample().stdout);
    }
    assert_eq!(differing(&sample().bytes, &zh.bytes()), Vec::<String>::new(), "results do not depend on the language");
}

const FILE_POLICY: &str = "code: 000000-IT-0001
name: {zh: 测试, en: Test}
authority: {code: 000000-IT, name: 测试}
covers: {region: \"000000\"}
subject: person
in_force: {from: 2024-01-01}
basis:
  - {id: notice, title: 测试, text: 测试, status: sample}
criteria:
  all:
    - {id: old, clause: 年满80周岁, basis: notice, when: years >= 80}
    - {id: poor, clause: 低收入或退役, basis: notice, when: income < 1000 or veteran}
benefit: {kind: cash, amount: \"100\", unit: CNY, period: month}
delivery: {mode: automatic}
";

const FILE_REGIONS: &str = "regions:\n  - {code: \"000000\", name: {zh: 全国, en: Nationwide}, level: country, from: 1949-10-01}\n";

/// Every combination of three facts, each of which may be unknown.
fn wide() -> Vec<(Option<i32>, Option<i64>, Option<bool>)> {
    let mut rows = Vec::new();
    for years in [Some(79), Some(80), Some(93), None] {
        for income in [Some(999), Some(1000), None] {
            for veteran in [Some(true), Some(false), None] {
                rows.push((years, income, veteran));
            }
        }
    }
    rows
}

#[test]
fn a_dossier_file_is_judged_as_by_hand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let policies = folder.path().join("policies");
    fs::create_dir_all(policies.join("test")).expect("a folder");
    fs::write(policies.join("regions.yaml"), FILE_REGIONS).expect("written");
    fs::write(policies.join("test/policy.yaml"), FILE_POLICY).expect("written");
    let rows = wide();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(StringArray::from_iter_values((0..rows.len()).map(|row| format!("P{row:03}"))))),
        ("years", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.0)))),
        ("income", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)))),
        ("veteran", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.2)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = folder.path().join("dossiers.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&file).expect("a file"), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");

    let outcome = Outcome::of(&["--policies", text_of(&policies), "--dossiers", text_of(&file), "--as-of", "2026-06-30"]).clean();
    let (mut yes, mut no) = (Vec::new(), 0);
    for (row, (years, income, veteran)) in rows.iter().enumerate() {
        let old = years.map(|years| years >= 80);
        let poor = match (income.map(|income| income < 1000), veteran) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        match (old, poor) {
            (Some(true), Some(true)) => yes.push(format!("P{row:03}")),
            (Some(false), _) | (_, Some(false)) => no += 1,
            _ => {}
        }
    }
    assert_eq!(outcome.table("grants").texts("subject_id"), yes);
    let coverage = outcome.table("coverage");
    let counts = (coverage.counts("yes"), coverage.counts("no"), coverage.counts("unknown"));
    let expected = (yes.len() as u64, no, (rows.len() - yes.len()) as u64 - no);
    assert_eq!(counts, (vec![expected.0], vec![expected.1], vec![expected.2]));
    assert_eq!(outcome.table("unknowns").len() as u64, expected.2);
}

fn generate(out: &Path, arguments: &[&str]) {
    let made = run(&[&["generate", "--out", text_of(out)], arguments].concat());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
}

#[test]
fn the_shipped_sample_is_what_generate_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    generate(folder.path(), &["--persons", "2000", "--seed", "20260630", "--small-sample"]);
    let different = differing(&bytes(folder.path()), &bytes(Path::new(SAMPLE)));
    assert_eq!(different, Vec::<String>::new(), "run `mianshen generate` with these arguments and --out data-samples");
}

#[test]
fn a_city_is_generated_twice_alike_and_its_faults_are_found() {
    let (one, other) = (tempfile::tempdir().expect("a temporary folder"), tempfile::tempdir().expect("a temporary folder"));
    for folder in [&one, &other] {
        generate(folder.path(), &["--persons", "20000", "--seed", "5"]);
    }
    assert_eq!(differing(&bytes(one.path()), &bytes(other.path())), Vec::<String>::new());
    let sources = one.path().join("sources.yaml");
    let outcome = Outcome::of(&["--policies", POLICIES, "--sources", text_of(&sources)]).clean();
    let planted = json(&one.path().join("planted.json"));
    assert_eq!(tally(&outcome.table("quarantine"), "register", "reason"), planted_quarantine(&planted, &outcome.manifest()));
    let conflicts: u64 =
        planted["conflicts"].as_object().expect("an object").values().map(|of| of["count"].as_u64().expect("a count")).sum();
    assert_eq!(outcome.table("conflicts").len() as u64, conflicts);
}
