//! The desk's small verbs, as a black box: `list`, `diff`, `fmt`, `docs`.

use std::process::Command;

use serde_json::Value;

use super::support::{Policies, Run, run};

const OLD_AGE: &str = "990100/old-age-allowance/policy.yaml";
const PARAMETERS: &str = "parameters/old-age.yaml";
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");

fn json(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("stdout is JSON: {error}: {} {}", run.stdout, run.stderr))
}

fn list(arguments: &[&str]) -> Vec<Value> {
    let fixed = ["list", "--policies", SHIPPED, "--as-of", "2026-06-30", "--format", "json"];
    json(&run(&[&fixed, arguments].concat()))
}

fn codes(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["code"].as_str().expect("a code")).collect()
}

#[test]
fn list_tells_every_policy() {
    let entries = list(&[]);
    let files = walkdir::WalkDir::new(SHIPPED).into_iter().flatten().filter(|entry| entry.file_name() == "policy.yaml").count();
    assert_eq!(entries.len(), files);
    let one = entries.iter().find(|entry| entry["code"] == "990100-MZ-0007").expect("the old-age allowance");
    assert_eq!((&one["status"], &one["mode"], &one["from"]), (&"in-force".into(), &"automatic".into(), &"2024-01-01".into()));
    assert_eq!((&one["subject"], &one["path"]), (&"person".into(), &OLD_AGE.into()));
    assert!(one["cases"].as_u64().expect("a number") > 10, "{one}");
}

#[test]
fn list_filters() {
    let all = list(&[]).len();
    let entities = list(&["--subject", "entity"]);
    assert!(!entities.is_empty() && entities.len() < all && entities.iter().all(|entry| entry["subject"] == "entity"));
    let county = list(&["--region", "990109"]);
    assert!(!county.is_empty() && county.iter().all(|entry| entry["region"] == "990109"), "{county:?}");
    assert!(list(&["--region", "990100"]).len() > county.len());
    let named = list(&["--text", "OLD-AGE"]);
    assert!(codes(&named).contains(&"990100-MZ-0007") && named.len() < all);
    assert!(list(&["--status", "replaced"]).is_empty());
}

#[test]
fn list_knows_versions() {
    let policies = Policies::new();
    let text = policies.read(OLD_AGE);
    let next = text.replace("990100-MZ-0007\n", "990100-MZ-0007\nversion: 2\n").replace("announced: 2023-12-20", "announced: 2025-06-01");
    policies.write("990100/old-age-allowance-2/policy.yaml", &next.replace("from: 2024-01-01", "from: 2025-07-01"));
    let on = |day: &str| {
        let entries = json(&run(&["list", "--policies", policies.dir(), "--as-of", day, "--text", "990100-MZ-0007", "--format", "json"]));
        entries.iter().map(|entry| entry["status"].as_str().expect("a status").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(on("2023-12-31"), ["not-yet", "not-yet"]);
    assert_eq!(on("2025-06-30"), ["in-force", "not-yet"]);
    assert_eq!(on("2025-07-01"), ["replaced", "in-force"]);
    policies.replace(OLD_AGE, "{from: 2024-01-01}", "{from: 2024-01-01, to: 2025-01-01}");
    assert_eq!(on("2025-01-01"), ["ended", "not-yet"]);
}

#[test]
fn list_for_people_and_for_sheets() {
    let table = run(&["list", "--policies", SHIPPED, "--as-of", "2026-06-30", "--text", "990100-MZ-0007", "--lang", "zh"]);
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("编码"), "{}", table.stdout);
    assert!(lines[2].contains("高龄津贴") && lines[2].contains("有效") && lines[2].contains("直接发放"), "{}", table.stdout);
    assert_eq!(lines[3], "2026-06-30: 1 项政策");
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""));
    let csv = run(&["list", "--policies", SHIPPED, "--as-of", "2026-06-30", "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    assert_eq!(reader.headers().expect("a head").get(0), Some("code"));
    let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows.len(), list(&[]).len());
}

#[test]
fn list_of_what_is_not_there() {
    let missing = run(&["list", "--policies", "/no/such/folder"]);
    assert_eq!((missing.code, missing.stdout.lines().count()), (Some(2), 1), "{}", missing.stderr);
    let region = run(&["list", "--policies", SHIPPED, "--region", "990199", "--lang", "en"]);
    assert!(region.stderr.contains("region `990199` is not in the tree"), "{}", region.stderr);
    assert_eq!(region.code, Some(2));
}

fn diff(old: &str, new: &str) -> Vec<Value> {
    json(&run(&["diff", old, new, "--format", "json"]))
}

#[test]
fn layout_is_no_difference() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "subject: person\n", "subject:   'person'   # 个人\n\n");
    policies.replace(OLD_AGE, "when: not deceased or", "when: 非  (deceased) 或");
    let found = run(&["diff", SHIPPED, policies.dir(), "--lang", "zh"]);
    assert_eq!((found.code, found.stdout.as_str(), found.stderr.as_str()), (Some(0), "没有差别\n", ""));
}

#[test]
fn differences_in_words() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "end) >= 80", "end) >= 75");
    policies.replace(OLD_AGE, "notice_days: 5", "notice_days: 7");
    policies.replace(
        OLD_AGE,
        "    - id: alive",
        "    - id: here\n      clause: 本地居住\n      basis: notice\n      when: residence_region is known\n    - id: alive",
    );
    let found = run(&["diff", SHIPPED, policies.dir(), "--lang", "en"]);
    let expected = "\
changed policy 990100-MZ-0007 Old-age allowance
  changed criterion age
    - age_at(case when deceased then month_end(death_date) else month_end(as_of) end) >= 80
    + age_at(case when deceased then month_end(death_date) else month_end(as_of) end) >= 75
  changed days of public notice
    - 5
    + 7
  added criterion here
    + residence_region is known
  added clause of criterion here
    + 本地居住
  added basis of criterion here
    + notice
";
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), expected), "{}", found.stderr);
    let back = diff(policies.dir(), SHIPPED);
    let changes = back[0]["changes"].as_array().expect("changes");
    let here = changes.iter().find(|change| change["key"] == "criteria.when" && change["of"] == "here").expect("the criterion");
    assert_eq!((&here["how"], &here["old"], &here["new"]), (&"removed".into(), &"residence_region is known".into(), &Value::Null));
}

#[test]
fn guides_and_lists_differ_in_words() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "{zh: 不收费, en: No fee}", "{zh: 工本费5元, en: 5 yuan}");
    policies.replace("990100/high-tech-award/policy.yaml", "within: {years: 3,", "within: {years: 2,");
    policies.replace("990100/high-tech-award/policy.yaml", "认定之日起3年内}", "认定之日起2年内}");
    let found = run(&["diff", SHIPPED, policies.dir(), "--lang", "en"]);
    let expected = "\
changed policy 990100-KJ-0001 Award to high-tech enterprises
  changed criterion recent
    - not high_tech or as_of < add_years(high_tech_since, 3)
    + not high_tech or as_of < add_years(high_tech_since, 2)
  changed clause of criterion recent
    - 认定之日起3年内
    + 认定之日起2年内
changed policy 990100-MZ-0007 Old-age allowance
  changed fee
    - 不收费 / No fee
    + 工本费5元 / 5 yuan
";
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), expected), "{}", found.stderr);
}

#[test]
fn policies_come_go_and_are_renamed() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "code: 990100-MZ-0007", "code: 990100-MZ-0907");
    std::fs::remove_file(format!("{}/990100/rental-waiver/policy.yaml", policies.dir())).expect("it was there");
    let found = diff(SHIPPED, policies.dir());
    let told: Vec<_> = found.iter().map(|item| (item["how"].as_str().expect("how"), item["id"].as_str().expect("a code"))).collect();
    assert_eq!(told, [("renamed", "990100-MZ-0907"), ("removed", "990100-ZJ-0002")]);
    assert_eq!(found[0]["old_id"], "990100-MZ-0007");
    let back = diff(policies.dir(), SHIPPED);
    assert!(back.iter().any(|item| item["how"] == "added" && item["id"] == "990100-ZJ-0002"), "{back:?}");
}

#[test]
fn parameters_differ_by_region_and_day() {
    let policies = Policies::new();
    policies.replace(PARAMETERS, "from: 2024-01-01, value: 100,", "from: 2024-01-01, value: 120.50,");
    let files = [format!("{SHIPPED}/{PARAMETERS}"), format!("{}/{PARAMETERS}", policies.dir())];
    let found = diff(&files[0], &files[1]);
    assert_eq!((found.len(), &found[0]["id"]), (1, &"old_age_allowance_80".into()));
    let change = &found[0]["changes"][0];
    assert_eq!((&change["key"], &change["of"]), (&"values".into(), &"990100 2024-01-01".into()));
    assert!(change["old"].as_str().expect("a value").starts_with("100 · sample"), "{change}");
    assert!(change["new"].as_str().expect("a value").starts_with("120.5 · sample"), "{change}");
}

#[test]
fn a_revision_of_git() {
    let policies = Policies::new();
    let git = |arguments: &[&str]| {
        let fixed = ["-C", policies.dir(), "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(fixed).args(arguments).output().expect("git is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    assert_eq!(run(&["diff", "git:HEAD", policies.dir()]).code, Some(0));
    policies.replace(OLD_AGE, "notice_days: 5", "notice_days: 7");
    let found = diff("git:HEAD", policies.dir());
    assert_eq!((&found[0]["id"], &found[0]["changes"][0]["key"]), (&"990100-MZ-0007".into(), &"delivery.notice_days".into()));
    let file = format!("{}/{OLD_AGE}", policies.dir());
    let of_file = diff("git:HEAD", &file);
    assert_eq!(of_file[0]["changes"], found[0]["changes"]);
    git(&["commit", "-q", "-a", "-m", "second"]);
    let named = format!("git:HEAD~1:{}", policies.dir());
    assert_eq!(diff(&named, &format!("git:HEAD:{}", policies.dir()))[0]["changes"], found[0]["changes"]);
    let unknown = run(&["diff", "git:no-such-revision", policies.dir(), "--lang", "en"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("from no-such-revision"), "{}", unknown.stderr);
}

#[test]
fn a_side_that_cannot_be_read() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "subject: person", "subject: [person");
    let found = run(&["diff", SHIPPED, policies.dir()]);
    assert_eq!(found.code, Some(2));
    assert!(found.stderr.contains("yaml-syntax"), "{}", found.stderr);
}

#[test]
fn the_shipped_policies_mean_the_same_in_format() {
    let policies = Policies::new();
    let first = run(&["fmt", policies.dir()]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""));
    let second = run(&["fmt", policies.dir()]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(0), ""), "a second time changes nothing");
    assert_eq!(run(&["fmt", "--check", policies.dir()]).code, Some(0));
    let found = run(&["diff", SHIPPED, policies.dir(), "--lang", "en"]);
    assert_eq!((found.code, found.stdout.as_str()), (Some(0), "no difference\n"), "{}", found.stderr);
    let chinese = run(&["fmt", "--words", "zh", policies.dir()]);
    assert!(chinese.stdout.contains("old-age-allowance/policy.yaml"), "{}", chinese.stdout);
    assert!(policies.read(OLD_AGE).contains("when: 非 deceased 或"), "{}", policies.read(OLD_AGE));
    assert_eq!(run(&["diff", SHIPPED, policies.dir()]).code, Some(0));
}

#[test]
fn fmt_keeps_comments_and_shows_before_it_writes() {
    let policies = Policies::new();
    let file = format!("{}/{OLD_AGE}", policies.dir());
    run(&["fmt", &file]);
    let good = policies.read(OLD_AGE);
    policies.replace(OLD_AGE, "subject: person\n", "# 谁\nsubject: person   # 个人  \n\n\n");
    policies.replace(OLD_AGE, "when: not deceased or", "when: not   (deceased) or");
    let bad = policies.read(OLD_AGE);
    let checked = run(&["fmt", "--check", policies.dir()]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.lines().any(|line| line == file), "{}", checked.stdout);
    let shown = run(&["fmt", "--diff", &file]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stdout.contains("\n-      when: not   (deceased) or") && shown.stdout.contains("\n+      when: not deceased or"));
    assert_eq!(policies.read(OLD_AGE), bad, "nothing was written");
    let written = run(&["fmt", &file]);
    assert_eq!((written.code, written.stdout), (Some(0), format!("{file}\n")));
    assert_eq!(policies.read(OLD_AGE), good.replace("subject: person\n", "# 谁\nsubject: person   # 个人\n\n"));
}

#[test]
fn fmt_of_a_broken_file() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "subject: person", "subject: [person");
    let before = policies.read(OLD_AGE);
    let found = run(&["fmt", policies.dir()]);
    assert_eq!(found.code, Some(1));
    assert!(found.stderr.contains("yaml-syntax"), "{}", found.stderr);
    assert_eq!(policies.read(OLD_AGE), before);
    assert_eq!(run(&["fmt", "/no/such/file.yaml"]).code, Some(2));
}

#[test]
fn schemas_are_json() {
    for (arguments, key) in [(&["docs", "--schema"][..], "benefit"), (&["docs", "--schema", "parameters"], "parameters")] {
        let found = run(arguments);
        assert_eq!(found.code, Some(0), "{}", found.stderr);
        let schema: Value = serde_json::from_str(&found.stdout).expect("a schema is JSON");
        assert!(schema["properties"][key].is_object(), "{schema}");
    }
    assert_eq!(run(&["docs"]).code, Some(2), "one of them must be chosen");
}

#[test]
fn reference_in_markdown() {
    let facts = run(&["docs", "--facts", "--policies", SHIPPED, "--lang", "zh"]);
    let line = facts.stdout.lines().find(|line| line.starts_with("| `deceased` |")).expect("the fact");
    assert_eq!(line, "| `deceased` | 已死亡 | 是否 |  | death | `any(true)` |");
    assert_eq!((facts.code, facts.stderr.as_str()), (Some(0), ""));
    let functions = run(&["docs", "--functions"]).stdout;
    for (english, chinese) in mianshen::criteria::words::FUNCTIONS {
        assert!(functions.contains(&format!("`{english}(")) || functions.contains(&format!("{english}('")), "{english}");
        assert!(functions.contains(chinese), "{chinese}");
    }
    let codes = run(&["docs", "--codes", "--lang", "en"]).stdout;
    for code in mianshen::diagnostic::CODES {
        assert!(codes.contains(&format!("| {} | `{}` |", code.number, code.name)), "{}", code.name);
        assert!(codes.contains(&format!("\n## {} ({})\n", code.name, code.number)), "{}", code.name);
    }
}
