//! README's walk from a decree's text to a simulated, tested policy.

use super::support::{Policies, Run, run};

const CODE: &str = "990100-MZ-0031";
const POLICY: &str = "990100/bathing-subsidy/policy.yaml";
const CASES: &str = "990100/bathing-subsidy/cases.yaml";

#[track_caller]
fn told(found: &Run, code: i32, wanted: &[&str]) {
    assert_eq!(found.code, Some(code), "{}{}", found.stdout, found.stderr);
    for wanted in wanted {
        assert!(found.stdout.contains(wanted), "no `{wanted}` in:\n{}", found.stdout);
    }
}

#[test]
fn a_decree_becomes_a_tested_policy() {
    let (before, policies) = (Policies::new(), Policies::new());
    let on = |arguments: &[&str]| run(&[arguments, &["--policies", policies.dir(), "--lang", "en"]].concat());
    let drafted = on(&[
        "new",
        "--code",
        CODE,
        "--name",
        "助浴补贴",
        "--name-en",
        "Bathing subsidy",
        "--authority",
        "990100-MZ",
        "--region",
        "990100",
        "--subject",
        "person",
        "--in-force",
        "2026-01-01",
        "--basis-title",
        "助浴补贴办法（样例）",
        "--basis-article",
        "第三条",
        "--basis-status",
        "sample",
        "--clause",
        "七十五周岁以上",
        "--when",
        "年龄 大于 75",
        "--clause",
        "持有残疾人证",
        "--when",
        "持有有效残疾人证",
        "--kind",
        "cash",
        "--period",
        "month",
        "--amount",
        "case when age >= 90 then 100 else 60 end",
        "--amount-clause",
        "每人每月60元，90周岁以上100元",
    ]);
    told(&drafted, 1, &["12 cases", "MS1110 clause-contradicts-rule the clause says “七十五周岁以上”, which is >=; the rule says >"]);

    policies.replace(POLICY, "age > 75", "age >= 75");
    let headline = format!("warning[MS1119 untouched-boundary]: a boundary of policy {CODE} is touched by no case: age >= 75: exactly at");
    told(&on(&["check"]), 0, &[&headline]);
    told(&on(&["test", CODE]), 1, &["    verdict  no        yes\n", "11 passed, 1 failed"]);
    let suggested = on(&["test", CODE, "--suggest"]);
    told(&suggested, 1, &["birth_date: 1951-01-01", "expect: {verdict: yes, amount: 60, mode: confirm}"]);

    let (_, case) = suggested.stdout.split_once("\n- name").expect("a case is suggested");
    let cases = policies.read(CASES);
    let (start, rest) = cases.split_once("age > 75: 恰好等于").expect("a case exactly at what the draft said");
    let mended = rest.replacen("expect: {verdict: no}", "expect: {verdict: yes, amount: 60}", 1);
    policies.write(CASES, &format!("{start}age > 75: 恰好等于{}\n- name{case}", mended.trim_end()));
    let all = ["13 passed, 0 failed", "boundary coverage: 100.0 % (17/17)", "mutation score: 100.0 % (23/23)"];
    told(&on(&["test", CODE, "--min-coverage", "100", "--min-mutation", "100"]), 0, &all);

    let out = tempfile::tempdir().expect("a folder");
    let out = out.path().join("out");
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples/sources.yaml");
    let sides = ["--policies", before.dir(), "--against", policies.dir(), "--sources", sources];
    let simulated = run(&[&["simulate", "--lang", "en", "--out", out.to_str().expect("UTF-8")], &sides[..]].concat());
    told(&simulated, 0, &["Bathing subsidy  persons          0     24    24     0     0     0           +1,560.00      +18,720.00"]);
}
