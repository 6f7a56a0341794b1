//! `mianshen check` on the shipped policies, and on policies with one fault each.

use super::support::{Policies, Run, command, run};

const OLD_AGE: &str = "990100/old-age-allowance/policy.yaml";
const RENT: &str = "990100/rental-waiver/policy.yaml";
const SUBSISTENCE: &str = "990100/subsistence-allowance/policy.yaml";
const OLD_AGE_PARAMETERS: &str = "parameters/old-age.yaml";

fn check(policies: &Policies) -> Run {
    run(&["check", "--policies", policies.dir(), "--format", "concise", "--lang", "zh"])
}

/// The one fault is told at its place, with its message, as a finding.
#[track_caller]
fn one_fault(policies: &Policies, place: &str, told: &str) {
    let found = check(policies);
    assert_eq!(found.stdout, format!("{place}: {told}\n发现 1 处错误\n"), "{}", found.stderr);
    assert_eq!(found.code, Some(1));
    assert_eq!(found.stderr, "");
}

#[test]
fn shipped_policies_are_clean() {
    let found = run(&["check", "--policies", concat!(env!("CARGO_MANIFEST_DIR"), "/policies"), "--strict", "--lang", "en"]);
    assert!(found.stdout.starts_with("nothing found\nchecked "), "{}", found.stdout);
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""));
}

#[test]
fn unknown_fact() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    let place = policies.place(OLD_AGE, "id: alive", "deceasd");
    one_fault(&policies, &place, "MS1011 unknown-fact 没有“deceasd”这个事实");
    let full = run(&["check", "--policies", policies.dir(), "--lang", "zh"]);
    assert!(full.stdout.contains("是不是想写“deceased”?"), "{}", full.stdout);
    assert!(full.stdout.contains("发至去世次月止"), "the clause stands beside it: {}", full.stdout);
}

#[test]
fn type_mismatch() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: death_date = 3 or");
    let place = policies.place(OLD_AGE, "id: alive", "death_date = 3");
    one_fault(&policies, &place, "MS1020 type-mismatch 日期不能与数相比");
}

#[test]
fn unit_mismatch() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: age >= months_between(birth_date, as_of) or");
    let place = policies.place(OLD_AGE, "id: alive", "age >=");
    one_fault(&policies, &place, "MS1021 unit-mismatch 单位不同: year 与 month");
}

#[test]
fn two_policies_with_one_code() {
    let policies = Policies::new();
    let text = policies.read(RENT);
    policies.write("990100/zz-second/policy.yaml", &text);
    policies.write("990100/zz-second/cases.yaml", &policies.read("990100/rental-waiver/cases.yaml"));
    let place = policies.place("990100/zz-second/policy.yaml", "code:", "990100-ZJ-0002");
    one_fault(&policies, &place, "MS1030 duplicate-policy-code 两项政策用了同一编码 990100-ZJ-0002");
}

#[test]
fn a_policy_without_a_code() {
    let policies = Policies::new();
    policies.replace(RENT, "code: 990100-ZJ-0002\n", "");
    let found = check(&policies);
    assert!(found.stdout.contains("rental-waiver/policy.yaml:1:1: MS1031 policy-without-code "), "{}", found.stdout);
    assert_eq!(found.code, Some(1));
}

#[test]
fn overlapping_periods_of_a_parameter() {
    let policies = Policies::new();
    let text = policies.read(OLD_AGE_PARAMETERS);
    let first = text.lines().find(|line| line.contains("region:")).expect("a value").to_owned();
    policies.replace(OLD_AGE_PARAMETERS, &first, &format!("{first}\n{first}"));
    let found = check(&policies);
    assert!(found.stdout.contains(": MS1032 overlapping-parameter "), "{}", found.stdout);
    assert_eq!(found.code, Some(1));
}

#[test]
fn a_circle_of_requirements() {
    let policies = Policies::new();
    policies.write(SUBSISTENCE, &format!("{}\nrequires:\n  - {{policy: 990100-ZJ-0002}}\n", policies.read(SUBSISTENCE).trim_end()));
    let found = check(&policies);
    let path = "990100-MZ-0001 → 990100-ZJ-0002 → 990100-MZ-0001";
    assert!(found.stdout.contains(&format!("MS1034 cycle 政策互相依赖: {path}")), "{}", found.stdout);
    assert_eq!(found.code, Some(1));
}

#[test]
fn malformed_yaml() {
    let policies = Policies::new();
    policies.replace(RENT, "subject: household", "subject: [household");
    let found = check(&policies);
    assert!(found.stdout.contains("rental-waiver/policy.yaml:"), "{}", found.stdout);
    assert!(found.stdout.contains(" MS1001 yaml-syntax "), "{}", found.stdout);
    assert!(!found.stdout.contains("unknown-policy"), "no cascade: {}", found.stdout);
    assert_eq!(found.code, Some(1));
}

#[test]
fn a_parameter_that_ends_too_early() {
    let policies = Policies::new();
    let text = policies.read("parameters/assistance.yaml");
    let (before, after) = text.split_at(text.find("name: rental_waiver").expect("it is there"));
    let ended = format!("{before}{}", after.replacen("to: 2027-01-01", "to: 2026-07-01", 1));
    assert_ne!(ended, text);
    policies.write("parameters/assistance.yaml", &ended);
    let found = check(&policies);
    let place = policies.place(RENT, "amount:", "param(");
    let told = format!("{place}: MS1033 parameter-without-value 标准“rental_waiver”在 2026-07-01 没有值: 东城区 990101, ");
    assert!(found.stdout.contains(&told), "{}", found.stdout);
    assert_eq!(found.code, Some(1));
    let day_before = run(&["check", "--policies", policies.dir(), "--as-of", "2026-06-30"]);
    assert_eq!(day_before.code, Some(0), "{}", day_before.stdout);
}

#[test]
fn a_policy_without_cases_is_a_warning() {
    let policies = Policies::new();
    policies.write("990100/rental-waiver/cases.yaml", "[]\n");
    let found = check(&policies);
    let place = policies.place(RENT, "code:", "990100-ZJ-0002");
    assert_eq!(found.stdout, format!("{place}: MS1040 policy-without-cases 政策 990100-ZJ-0002 没有案例\n发现 1 处警告\n"));
    assert_eq!(found.code, Some(0));
    assert_eq!(run(&["check", "--policies", policies.dir(), "--strict"]).code, Some(1));
}

#[test]
fn a_bundle_that_names_no_policy() {
    let policies = Policies::new();
    policies.replace("bundles/birth.yaml", "000000-WJ-0001", "000000-WJ-0009");
    let place = policies.place("bundles/birth.yaml", "policies:", "000000-WJ-0009");
    one_fault(&policies, &place, "MS1014 unknown-policy 没有政策“000000-WJ-0009”");
}

#[test]
fn every_mistake_is_told_at_once() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    policies.replace(RENT, "members.count(public_rental_tenant)", "members.count(public_rental_tenat)");
    policies.replace(SUBSISTENCE, "param('subsistence_line')", "param('subsistance_line')");
    let found = check(&policies);
    for told in ["“deceasd”", "public_rental_tenat", "“subsistance_line”"] {
        assert!(found.stdout.contains(told), "{}", found.stdout);
    }
}

#[test]
fn a_folder_that_is_not_there() {
    let found = run(&["check", "--policies", "/no/such/folder", "--lang", "en", "--format", "concise"]);
    assert!(found.stdout.contains("MS3003 path-missing /no/such/folder is no folder"), "{}", found.stdout);
    assert_eq!(found.code, Some(2));
}

#[test]
fn arguments_that_cannot_be_read() {
    for arguments in [&["check", "--as-of", "2026-6-1"][..], &["chek"], &["check", "--log", "=="]] {
        let found = run(arguments);
        assert_eq!(found.code, Some(2), "{arguments:?}");
        assert_eq!(found.stdout, "");
    }
}

#[test]
fn machine_formats() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    let json = run(&["check", "--policies", policies.dir(), "--format", "json"]);
    let entries: serde_json::Value = serde_json::from_str(&json.stdout).expect("stdout is JSON");
    assert_eq!(entries[0]["code"], "unknown-fact");
    assert_eq!(entries[0]["headline"]["zh"], "没有“deceasd”这个事实");
    let github = run(&["check", "--policies", policies.dir(), "--format", "github"]);
    assert!(github.stdout.starts_with("::error file="), "{}", github.stdout);
}

#[test]
fn the_language_follows_the_environment() {
    let in_locale = |name: &str, value: &str| {
        let output = command(&["check", "--policies", "/no/such/folder"]).env(name, value).output().expect("the program starts");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    };
    assert!(in_locale("LANG", "zh_CN.UTF-8").contains("不是文件夹"));
    assert!(in_locale("LC_ALL", "zh_CN").contains("不是文件夹"));
    assert!(in_locale("LANG", "C.UTF-8").contains("is no folder"));
}

#[test]
fn colour_only_when_asked_for() {
    let shown = |color: &str| run(&["check", "--policies", "/no/such/folder", "--color", color]).stdout.contains('\u{1b}');
    assert!(shown("always"));
    assert!(!shown("auto"));
    assert!(!shown("never"));
}

#[test]
fn severities_are_chosen() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: age >= 0 or not deceased or");
    let codes = |arguments: &[&str]| {
        // The cases are about the rule as it was: that they no longer touch every boundary is another matter.
        let check = ["check", "--policies", policies.dir(), "--format", "json", "--allow", "untouched-boundary"];
        let found = run(&[&check, arguments].concat());
        let told: serde_json::Value = serde_json::from_str(&found.stdout).expect("stdout is JSON");
        let told = told.as_array().expect("a list").iter().map(|one| format!("{} {}", one["severity"], one["code"]).replace('"', ""));
        (told.collect::<Vec<_>>(), found.code)
    };
    assert_eq!(codes(&[]), (vec!["warning always-holds".to_owned()], Some(0)));
    assert_eq!(codes(&["--deny", "always-holds"]), (vec!["error always-holds".to_owned()], Some(1)));
    assert_eq!(codes(&["--allow", "MS1102"]), (vec![], Some(0)));
    policies.write("check.yaml", "severity: {always-holds: allow}\n");
    assert_eq!(codes(&[]), (vec![], Some(0)));
    assert_eq!(codes(&["--warn", "always-holds"]).0, ["warning always-holds"]);
    let refused = run(&["check", "--policies", policies.dir(), "--allow", "unknown-fact", "--lang", "en"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("unknown-fact cannot be lowered"), "{}", refused.stderr);
}

#[test]
fn misspelt_names_are_fixed_and_comments_stay() {
    let policies = Policies::new();
    let before = policies.read(OLD_AGE);
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    policies.replace(OLD_AGE, "      clause: 发至去世次月止", "      # 只发一项\n      clause: 发至去世次月止");
    policies.replace(RENT, "from: 2024-01-01", "from: ２０２４-01-01");
    let spoilt = policies.read(OLD_AGE);
    let shown = run(&["check", "--policies", policies.dir(), "--fix", "--diff"]);
    assert!(shown.stdout.contains("-      when: not deceasd or"), "{}", shown.stdout);
    assert!(shown.stdout.contains("+      when: not deceased or"), "{}", shown.stdout);
    assert_eq!((shown.code, policies.read(OLD_AGE)), (Some(1), spoilt));
    let fixed = run(&["check", "--policies", policies.dir(), "--fix", "--lang", "en"]);
    assert_eq!(fixed.code, Some(0), "{}", fixed.stdout);
    assert!(fixed.stderr.contains("`deceasd` becomes `deceased`"), "{}", fixed.stderr);
    assert_eq!(policies.read(OLD_AGE).replace("      # 只发一项\n", ""), before);
    assert!(policies.read(RENT).contains("from: 2024-01-01"));
    assert_eq!(run(&["check", "--policies", policies.dir(), "--fix", "--diff"]).code, Some(0));
}

#[test]
fn what_the_clause_contradicts_is_not_fixed() {
    let policies = Policies::new();
    policies.replace("990100/family-planning-award/policy.yaml", "when: age >= 60", "when: age > 60");
    let text = policies.read("990100/family-planning-award/policy.yaml");
    let found = run(&["check", "--policies", policies.dir(), "--fix", "--format", "concise", "--lang", "en"]);
    assert!(found.stdout.contains("MS1110 clause-contradicts-rule"), "{}", found.stdout);
    assert_eq!((found.code, policies.read("990100/family-planning-award/policy.yaml")), (Some(1), text));
}

#[test]
fn sarif() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    let found = run(&["check", "--policies", policies.dir(), "--format", "sarif"]);
    let log: serde_json::Value = serde_json::from_str(&found.stdout).expect("stdout is JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!((log["version"].as_str(), result["ruleId"].as_str()), (Some("2.1.0"), Some("MS1011")));
    let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a URI");
    assert!(uri.starts_with("file:///") && uri.ends_with("/990100/old-age-allowance/policy.yaml"), "{uri}");
}
