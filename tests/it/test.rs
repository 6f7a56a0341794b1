//! `mianshen test` on the shipped cases, and on cases that fail.

use std::process::Stdio;

use super::support::{Policies, command, run};

const CASES: &str = "990100/old-age-allowance/cases.yaml";
const POLICY: &str = "990100-MZ-0007";

#[test]
fn shipped_cases_pass() {
    let tested = run(&["test", "--policies", concat!(env!("CARGO_MANIFEST_DIR"), "/policies"), "--lang", "en"]);
    assert!(tested.stdout.ends_with(" passed, 0 failed\n"), "{}", tested.stdout);
    assert_eq!((tested.code, tested.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_case_that_fails_says_what_differs_and_why() {
    let policies = Policies::new();
    policies.replace(CASES, "expect: {verdict: yes, amount: 60}", "expect: {verdict: yes, amount: 61, mode: review}");
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--lang", "zh"]);
    assert_eq!(tested.code, Some(1));
    let place = policies.place(CASES, "月底满八十周岁的，当月1日即享", "月底");
    let place = place.rsplit_once(':').map(|(line, _)| line.to_owned()).expect("a column");
    let cases = policies.read(CASES).matches("- name: ").count();
    let told = [
        "  ✗ 月底满八十周岁的，当月1日即享\n",
        &format!("    {place}  2026-03-01\n"),
        "          应为    得到\n",
        "    金额  61      60.00\n",
        "    方式  review  automatic\n",
        "    案例的理由: 自年满80周岁当月起，不看生日是否已到\n",
        "✓ 是  age  《高龄津贴发放通知（县级，2025年）》: 年满80周岁当月起\n",
        &format!("{} 项通过, 1 项不符\n", cases - 1),
    ];
    for told in told {
        assert!(tested.stdout.contains(told), "no `{told}` in:\n{}", tested.stdout);
    }
}

#[test]
fn verdict_missing_and_offer_are_compared() {
    let policies = Policies::new();
    policies.replace(CASES, "missing: [birth_date]", "missing: [deceased]");
    let support = "990100/destitute-support/cases.yaml";
    policies.replace(support, "offer: [monthly_income]", "offer: [financial_assets]");
    let tested = run(&["test", "--policies", policies.dir(), "--lang", "en"]);
    for told in ["    missing facts  [deceased]  [birth_date]\n", "    offer  [financial_assets]  [monthly_income]\n"] {
        assert!(tested.stdout.contains(told), "no `{told}` in:\n{}", tested.stdout);
    }
    assert!(tested.stdout.ends_with(" passed, 2 failed\n"));
    assert_eq!(tested.code, Some(1));
}

#[test]
fn cases_are_chosen_by_policy_and_name() {
    let tested = run(&["test", "--policies", "policies", "--policy", POLICY, "990100-ZJ-0002", "--name", "未知", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&tested.stdout).expect("stdout is JSON");
    let cases = report["cases"].as_array().expect("a list of cases");
    assert!(cases.len() > 4);
    for case in cases {
        assert!(case["name"].as_str().is_some_and(|name| name.contains("未知")));
        assert!(case["policy"] == POLICY || case["policy"] == "990100-ZJ-0002");
    }
    let unknown = run(&["test", "--policies", "policies", "--policy", "990100-MZ-0006", "--lang", "en"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("unknown policy `990100-MZ-0006`"), "{}", unknown.stderr);
}

#[test]
fn facts_that_cannot_be_read_are_told_at_their_place() {
    let policies = Policies::new();
    policies.replace(CASES, "birth_date: 1946-03-31", "birth_dat: 1946-03-31");
    policies.replace(CASES, "birth_date: 1946-03-31", "birth_date: 1946-3-31");
    policies.replace(CASES, "hukou_region: \"990101\"", "hukou_region: \"990199\"");
    let found = run(&["check", "--policies", policies.dir(), "--format", "concise", "--lang", "zh"]);
    let expected = [
        (policies.place(CASES, "given", "birth_dat:"), "MS1011 unknown-fact 没有“birth_dat”这个事实"),
        (policies.place(CASES, "given", "1946-3-31"), "MS1020 type-mismatch “birth_date”的值应是日期"),
        (policies.place(CASES, "given", "\"990199\""), "MS1015 unknown-region 区划树里没有“990199”"),
    ];
    for (place, told) in expected {
        assert!(found.stdout.contains(&format!("{place}: {told}\n")), "no `{place}: {told}` in:\n{}", found.stdout);
    }
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--lang", "zh"]);
    assert!(tested.stdout.contains("案例的事实有错误, 没有运行"), "{}", tested.stdout);
    assert_eq!(tested.code, Some(1));
}

#[test]
fn codes_and_labels_both_name_a_value() {
    let policies = Policies::new();
    let cases = "
- name: 用中文名称和中文代码
  as_of: 2026-06-30
  given: {户籍所在地: \"990105\", 服务对象类型: x}
  expect: unknown
";
    policies.write(CASES, cases);
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--lang", "zh"]);
    assert!(!tested.stdout.contains("没有“户籍所在地”"), "{}", tested.stdout);
    assert!(tested.stdout.contains("没有“服务对象类型”这个事实"), "{}", tested.stdout);

    let award = "990100/family-planning-award/cases.yaml";
    let text = policies.read(award);
    let labelled = text.replace("hukou_kind: rural", "hukou_kind: 农业").replace("deceased: false", "deceased: 否");
    assert_ne!(labelled, text);
    policies.write(award, &labelled);
    let tested = run(&["test", "--policies", policies.dir(), "--policy", "990100-WJ-0001", "--lang", "en"]);
    assert!(tested.stdout.ends_with(" 0 failed\n"), "{}", tested.stdout);
}

#[test]
fn derived_facts_may_be_given_that_no_policy_names() {
    let policies = Policies::new();
    policies.replace(CASES, "given: {", "given: {household.income_per_capita: 500.50, \"spouse.age\": 3, ");
    let found = run(&["check", "--policies", policies.dir(), "--format", "concise", "--lang", "en"]);
    assert!(!found.stdout.contains("income_per_capita"), "{}", found.stdout);
    assert!(found.stdout.contains("has no fact `age`"), "{}", found.stdout);
}

#[test]
fn junit_is_well_formed() {
    let policies = Policies::new();
    policies.replace(CASES, "满八十周岁的前一月，不发", "a < b & \\\"c\\\"");
    policies.replace(CASES, "expect: {verdict: no}", "expect: {verdict: yes}");
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--format", "junit"]);
    assert_eq!(tested.code, Some(1));
    let text = &tested.stdout;
    let cases = policies.read(CASES).matches("- name: ").count();
    let head = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mianshen\" tests=\"{cases}\" failures=\"1\"");
    assert!(text.starts_with(&head), "{text}");
    assert_eq!(text.matches("<testcase ").count(), cases);
    assert!(text.contains("<failure type=\"case-fails\" message=\""));
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(2).map(|rest| rest.split('>').next().expect("a tag ends")) {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).expect("a tag has a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty());
}

#[test]
fn annotations_name_the_code() {
    let policies = Policies::new();
    policies.replace(CASES, "amount: 60}", "amount: 61}");
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--format", "github", "--lang", "zh"]);
    assert!(
        tested.stdout.contains("title=MS1041 case-fails::案例“月底满八十周岁的，当月1日即享”不符: 金额应为 61, 得到 60.00"),
        "{}",
        tested.stdout
    );
}

#[test]
fn a_policy_out_of_force_covers_nobody() {
    let policies = Policies::new();
    policies.replace(CASES, "as_of: 2024-12-31", "as_of: 2023-12-31");
    let tested = run(&["test", "--policies", policies.dir(), "--policy", POLICY, "--lang", "en"]);
    assert!(tested.stdout.contains("    verdict  yes       outside\n"), "{}", tested.stdout);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["test", "--policies", "policies", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn two_runs_give_the_same_bytes() {
    let tested = || run(&["test", "--policies", "policies", "--format", "json"]).stdout;
    assert_eq!(tested(), tested());
}
