//! `mianshen test`: coverage, mutation, suggested cases, tables, registers.

use serde_json::Value;

use super::support::{Policies, Run, run};

const FOLDER: &str = "990100/old-age-allowance";
const CASES: &str = "990100/old-age-allowance/cases.yaml";
const POLICY_FILE: &str = "990100/old-age-allowance/policy.yaml";
const POLICY: &str = "990100-MZ-0007";
const ONE: &str = "- name: 八十周岁生日当天
  as_of: 2026-03-31
  given: {birth_date: 1946-03-31, hukou_region: \"990102\", deceased: false, has_disability_card: false}
  expect: {verdict: yes, amount: 60}
  because: 80至89周岁60元
";

fn tested(policies: &Policies, arguments: &[&str]) -> Run {
    run(&[&["test", "--policies", policies.dir(), "--lang", "en"], arguments].concat())
}

fn json(policies: &Policies, arguments: &[&str]) -> Value {
    let tested = tested(policies, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&tested.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", tested.stdout, tested.stderr))
}

fn path(policies: &Policies, file: &str) -> String {
    format!("{}/{file}", policies.dir())
}

#[track_caller]
fn told(output: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(output.contains(wanted), "no `{wanted}` in:\n{output}");
    }
}

#[test]
fn shipped_cases_touch_every_boundary_and_notice_most_changes() {
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    let tested = run(&["test", "--policies", policies, "--min-coverage", "100", "--min-mutation", "100", "--lang", "en"]);
    assert_eq!(tested.code, Some(0), "{}", tested.stdout);
    told(&tested.stdout, &[" passed, 0 failed\n", "\nboundary coverage: 100.0 % (", "\nmutation score: "]);
}

#[test]
fn boundaries_that_no_case_touches_are_told_at_their_place() {
    let policies = Policies::new();
    policies.write(CASES, ONE);
    let found = tested(&policies, &[POLICY, "--coverage"]);
    assert_eq!(found.code, Some(0));
    let age = policies.place(POLICY_FILE, "id: age", "age_at");
    let alive = policies.place(POLICY_FILE, "id: alive", "death_month");
    told(
        &found.stdout,
        &[
            &format!("    {age}  age  age_at(case when deceased then month_end(death_date) else month_end(as_of) end) >= 80: just below\n"),
            &format!("    {alive}  alive  death_month >= month_of(months_before(as_of, 1)): just above\n"),
            "deceased: yes\n",
            "hukou_region unknown\n",
            "as_of: 2023-12-31\n",
            "the excluded policy 990100-MZ-0011: unknown\n",
        ],
    );
    assert!(!found.stdout.contains(">= 80: exactly at"), "{}", found.stdout);
    let low = tested(&policies, &[POLICY, "--min-coverage", "100"]);
    assert_eq!(low.code, Some(1));
    let report = json(&policies, &[POLICY, "--coverage", "--mutation"]);
    let coverage = &report["coverage"][0];
    let missing = coverage["missing"].as_array().expect("a list");
    assert_eq!(coverage["reached"].as_u64().map(|reached| reached + missing.len() as u64), coverage["total"].as_u64());
    assert!(missing.iter().all(|entry| entry["line"].as_u64().is_some_and(|line| line > 0)));
    assert!(report["mutation"][0]["reached"].as_u64() < report["mutation"][0]["total"].as_u64());
}

#[test]
fn changes_that_no_case_notices_are_told_with_what_was_changed() {
    let policies = Policies::new();
    policies.write(CASES, ONE);
    let found = tested(&policies, &[POLICY, "--mutation"]);
    let age = policies.place(POLICY_FILE, "id: age", "age_at");
    told(&found.stdout, &[&format!("    {age}  age  age_at("), ">= 80: >= → =\n", "criteria  all: alive → –\n"]);
    // On the birthday itself `>` is noticed.
    assert!(!found.stdout.contains(">= 80: >= → >\n"), "{}", found.stdout);
    assert_eq!(tested(&policies, &[POLICY, "--min-mutation", "90"]).code, Some(1));
}

#[test]
fn changes_that_cannot_matter_are_left_out_with_the_reason() {
    let policies = Policies::new();
    let found = tested(&policies, &["990100-MZ-0001", "990100-WJ-0001", "--mutation"]);
    told(
        &found.stdout,
        &[
            "vehicles  household_vehicles = 0: = → <=: no value of a register tells the two apart\n",
            "amount  children_alive = 1: = → >=: nobody whom the criteria let through tells the two apart\n",
        ],
    );
    let found = tested(&policies, &["990100-MZ-0001", "--coverage"]);
    told(&found.stdout, &["household_vehicles = 0: just below: registers have no such value\n"]);
}

#[test]
fn authors_name_what_no_case_can_notice_and_are_told_where_that_does_not_hold() {
    let policies = Policies::new();
    let cases = policies.read(CASES);
    let (before, after) = cases.split_once("cases:\n").expect("named changes stand before the cases");
    told(&tested(&policies, &[POLICY, "--mutation"]).stdout, &["month_start → month_end: 外面的 month_of 使月初月末没有区别\n"]);

    policies.write(CASES, after);
    let found = tested(&policies, &[POLICY, "--min-mutation", "100"]);
    assert_eq!(found.code, Some(1));
    told(&found.stdout, &["alive  months_before(as_of, 1): month_start → month_end\n"]);

    let noticed = "- {part: criteria, change: 'all: alive -> –', because: 错}\n";
    let absent = "- {part: alive, change: 'months_before(as_of, 2): 2 → 3', because: 错}\n";
    policies.write(CASES, &format!("{before}{noticed}{absent}cases:\n{after}"));
    let found = tested(&policies, &[POLICY, "--mutation"]);
    assert_eq!(found.code, Some(1));
    let place = |token: &str| policies.place(CASES, "part:", token);
    told(&found.stdout, &["error[MS1042 unfounded-exclusion]: a case does notice this change: all: alive → –", &place("'all: alive")]);
    told(&found.stdout, &["error[MS1042 unfounded-exclusion]: the policy has no such change: months_before(as_of, 2): 2 → 3"]);
    let chinese = run(&["test", "--policies", policies.dir(), "--lang", "zh", POLICY, "--mutation"]);
    told(&chinese.stdout, &["这处改动有案例察觉: all: alive → –", "政策没有这处改动: "]);
}

#[test]
fn suggested_cases_parse_pass_and_raise_the_coverage() {
    let policies = Policies::new();
    policies.write(CASES, ONE);
    let reached = |files: &[&str]| {
        let report = json(&policies, &[files, &["--coverage"]].concat());
        assert_eq!(report["failed"], 0);
        let coverage = report["coverage"].as_array().expect("a list").iter().find(|entry| entry["policy"] == POLICY).cloned();
        let coverage = coverage.expect("the policy was measured");
        (coverage["reached"].as_u64().expect("a number"), coverage["total"].as_u64().expect("a number"))
    };
    let (cases, suggested) = (path(&policies, CASES), path(&policies, "990100/old-age-allowance/cases.suggested.yaml"));
    let (before, total) = reached(&[&cases]);
    let written = tested(&policies, &[POLICY, "--suggest", "--write"]);
    assert_eq!(written.code, Some(1));
    told(&written.stdout, &["cases.suggested.yaml  "]);
    let text = policies.read("990100/old-age-allowance/cases.suggested.yaml");
    told(&text, &["- name: \"待确认: ", "  because:   # 20: 年满80周岁当月起\n"]);
    let (after, _) = reached(&[&cases, &suggested]);
    assert!(after > before && after * 5 >= total * 4, "{before} then {after} of {total}");
    // The file is no policy, and is not run unless it is named.
    assert_eq!(json(&policies, &[POLICY])["passed"], 1);
    let shown = tested(&policies, &[POLICY, "--suggest"]);
    assert_eq!(shown.stdout, text);
}

#[test]
fn a_policy_without_cases_gets_some() {
    let policies = Policies::new();
    for (code, folder) in [("990100-KJ-0001", "990100/high-tech-award"), ("990100-MZ-0001", "990100/subsistence-allowance")] {
        policies.write(&format!("{folder}/cases.yaml"), "[]\n");
        let written = tested(&policies, &[code, "--suggest", "--write"]);
        assert_eq!((written.code, written.stderr.as_str()), (Some(1), ""));
        let file = path(&policies, &format!("{folder}/cases.suggested.yaml"));
        let report = json(&policies, &[&file, "--coverage"]);
        assert_eq!(report["failed"], 0);
        let (reached, total) = (&report["coverage"][0]["reached"], &report["coverage"][0]["total"]);
        assert!(reached.as_u64().zip(total.as_u64()).is_some_and(|(reached, total)| reached * 2 > total), "{code}: {reached} of {total}");
    }
}

#[test]
fn tables_hold_the_same_cases() {
    for (folder, code) in [(FOLDER, POLICY), ("990100/near-subsistence", "990100-MZ-0002"), ("990100/heating-subsidy", "990100-ZJ-0001")] {
        let policies = Policies::new();
        let file = |name: &str| path(&policies, &format!("{folder}/{name}"));
        let export = |to: &str, lang: &str| {
            let done = run(&["test", code, "--policies", policies.dir(), "--lang", lang, "--export", to]);
            assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
        };
        let before = json(&policies, &[code]);
        export(&file("plain.csv"), "en");
        for (lang, name) in [("zh", "cases.xlsx"), ("en", "cases.csv")] {
            let text = policies.read(&format!("{folder}/cases.yaml"));
            export(&file(name), lang);
            std::fs::remove_file(file("cases.yaml")).expect("the file was there");
            export(&file("again.csv"), "en");
            let read = json(&policies, &[code]);
            std::fs::remove_file(file(name)).expect("the file was there");
            policies.write(&format!("{folder}/cases.yaml"), &text);
            assert_eq!(
                policies.read(&format!("{folder}/again.csv")),
                policies.read(&format!("{folder}/plain.csv")),
                "{code} {lang} {name}"
            );
            let of = |report: &Value| {
                let cases = report["cases"].as_array().expect("a list").clone();
                cases.into_iter().map(|case| (case["name"].clone(), case["got"].clone(), case["because"].clone())).collect::<Vec<_>>()
            };
            assert_eq!(of(&read), of(&before));
        }
    }
}

#[test]
fn mistakes_in_a_table_are_told_by_row_and_column() {
    let policies = Policies::new();
    let table =
        "案例,判定日,出生日期,户籍地,应为判定\n一,2026/3/1,1946-3-31,990102,yes\n二,2026-03-01,昨天,990102,yes\n三,2026-03-01,,,maybe\n";
    policies.write("990100/old-age-allowance/cases.csv", table);
    let found = tested(&policies, &[POLICY]);
    assert_eq!(found.code, Some(1));
    told(
        &found.stdout,
        &[
            "row 1, column D (户籍地)",
            "the value of `birth_date` must be a date",
            "row 3, column C (出生日期)",
            "row 4, column E (应为判定)",
        ],
    );
    assert_eq!(found.stdout.matches("unknown fact `户籍地`").count(), 1, "{}", found.stdout);
    let zh = run(&["test", POLICY, "--policies", policies.dir(), "--lang", "zh"]);
    told(&zh.stdout, &["第 3 行 C 列（出生日期）"]);
}

#[test]
fn cases_about_registers_are_compared_to_the_last_occasion() {
    let policies = Policies::new();
    let cases = "national/skills-subsidy/cases.yaml";
    assert_eq!(json(&policies, &["000000-RS-0002"])["failed"], 0);
    policies.replace(cases, "occasions: {紧缺高级: 2000, 普通高级: 2000}", "occasions: {紧缺高级: 2000, 普通高级: 1500}");
    policies.replace(cases, "reasons: {insured: no,", "reasons: {insured: yes,");
    let found = tested(&policies, &["000000-RS-0002"]);
    assert_eq!(found.code, Some(1));
    told(
        &found.stdout,
        &[
            "✗ 三本证书逐本给付，低等级的不发\n",
            "occasions  紧缺高级: 2000, 普通高级: 1500  普通高级: 2000.00, 紧缺高级: 2000.00\n",
            "✗ 两人各算各的 · 乙\n",
            "criterion  insured: yes  insured: no\n",
        ],
    );
}

#[test]
fn mistakes_in_registers_of_cases_are_told_at_their_place() {
    let policies = Policies::new();
    let cases = "national/skills-subsidy/cases.yaml";
    policies.replace(cases, "    social_insurance:", "    social_insurence:");
    policies.replace(cases, "scarce: true, issued_on: 2025-06-30", "scarse: true, issued_on: 2025-06-30");
    policies.replace(cases, "- {subject: 乙,", "- {subject: 丙,");
    let found = tested(&policies, &["000000-RS-0002"]);
    assert_eq!(found.code, Some(1));
    told(
        &found.stdout,
        &[
            "unknown register `social_insurence`",
            "did you mean `social_insurance`?",
            "certificates has no column `scarse`",
            "`丙` is not in population",
        ],
    );
}

#[test]
fn policies_are_chosen_by_code_file_and_folder() {
    let policies = Policies::new();
    let count = |arguments: &[&str]| json(&policies, arguments)["cases"].as_array().map_or(0, Vec::len);
    let whole = count(&[]);
    let (folder, file, cases) = (path(&policies, FOLDER), path(&policies, CASES), policies.read(CASES).matches("- name: ").count());
    assert_eq!([count(&[POLICY]), count(&[&folder]), count(&[&file])], [cases; 3]);
    let city = count(&[&path(&policies, "990100")]);
    assert!(cases < city && city < whole);
    let nowhere = tested(&policies, &[&path(&policies, "parameters")]);
    assert_eq!(nowhere.code, Some(2));
    told(&nowhere.stderr, &["there is no policy beside "]);
}
