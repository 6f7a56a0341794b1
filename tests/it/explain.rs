//! `mianshen explain` on cases.

use super::support::run;

fn explain(arguments: &[&str]) -> super::support::Run {
    run(&[&["explain", "--policies", "policies"], arguments].concat())
}

#[test]
fn an_amount_with_its_numbers_put_in() {
    let told = explain(&["--policy", "990100-MZ-0001", "--case", "三口之家人均一千元", "--lang", "zh"]);
    let expected = [
        "判定: ✓ 是\n",
        "金额: 240.00 元/月, 每人",
        "= 1,240 - 3,000 / 3\n",
        "param('subsistence_line') = 1,240.00 元/月\n",
        "方式: review 人工复核\n",
    ];
    for text in expected {
        assert!(told.stdout.contains(text), "no `{text}` in:\n{}", told.stdout);
    }
    assert_eq!(told.code, Some(0));
}

#[test]
fn an_unknown_names_the_facts_and_their_registers() {
    let told = explain(&["--policy", "990100-MZ-0003", "--case", "收入未知的，可以承诺", "--lang", "en", "--format", "json"]);
    let reason: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    assert_eq!(reason["verdict"], "unknown");
    assert_eq!(reason["missing"][0][0]["name"], "monthly_income");
    assert_eq!(reason["missing"][0][0]["registers"][0]["name"], "income_assessment");
    assert_eq!(reason["offer"][0]["name"], "monthly_income");
    assert_eq!(reason["mode"], "commit");
    let items = reason["criteria"]["all"]["items"].as_array().expect("a tree");
    let income = items.iter().map(|item| &item["criterion"]).find(|criterion| criterion["id"] == "income").expect("a leaf");
    assert_eq!(income["verdict"], "unknown");
    assert_eq!(income["clause"], "《特困人员认定办法》: 收入低于当地低保标准");
}

#[test]
fn what_another_policy_undecides_is_named() {
    let told = explain(&["--policy", "990100-MZ-0007", "--case", "是否有残疾人证未知的", "--lang", "en"]);
    assert!(told.stdout.contains("delivery: review an official decides\n  to be decided against: "), "{}", told.stdout);
    assert!(told.stdout.contains("990100-MZ-0011"), "{}", told.stdout);
}

#[test]
fn a_requirement_is_part_of_the_tree() {
    let told = explain(&["--policy", "990100-ZJ-0002", "--case", "收入未知的", "--lang", "zh"]);
    assert!(told.stdout.contains("└─ ? 未知  须同时享受: 最低生活保障 990100-MZ-0001\n"), "{}", told.stdout);
}

#[test]
fn an_unknown_case_is_told() {
    let told = explain(&["--policy", "990100-MZ-0007", "--case", "没有这样的案例", "--lang", "zh"]);
    assert!(told.stderr.contains("没有案例“没有这样的案例”"), "{}", told.stderr);
    assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""));
}
