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

#[test]
fn a_no_says_how_far_off_and_when() {
    let subject = ["990100-MZ-0007", "--subject", "990103194607227490"];
    let told = explain(&[&subject[..], &["--lang", "zh"]].concat());
    for text in [
        "您在2026年6月30日满79周岁, 须不低于80周岁, 差1年; 2026年7月1日起符合。\n",
        "如登记情况不变, 您从2026年7月1日起符合条件（年满80周岁当月起）。\n",
    ] {
        assert!(told.stdout.contains(text), "no `{text}` in:\n{}\n{}", told.stdout, told.stderr);
    }
    let told = explain(&[&subject[..], &["--format", "json"]].concat());
    let reason: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    let gap = &reason["lacking"]["one"]["gaps"]["one"];
    assert_eq!((gap["short_by_exact"].as_str(), gap["on"].as_str()), (Some("1"), Some("2026-06-30")));
    assert_eq!(reason["lacking"]["one"]["mended_on"], "2026-07-01");
    assert_eq!(reason["least_change"]["sets"], serde_json::json!([]));
    assert_eq!(reason["least_change"]["complete"], true);
    let turn = &reason["turns"][0];
    assert_eq!((turn["on"].as_str(), turn["from"].as_str(), turn["to"].as_str()), (Some("2026-07-01"), Some("no"), Some("yes")));
}

#[test]
fn a_certificate_that_expires_turns_the_verdict() {
    // Its newest certificate was issued on 2025-10-27: twelve months in which to apply.
    let told = explain(&["000000-RS-0002", "--subject", "990101197501182133", "--format", "json"]);
    let reason: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    assert_eq!(reason["verdict"], "yes");
    assert_eq!((reason["turns"][0]["on"].as_str(), reason["turns"][0]["to"].as_str()), (Some("2026-10-28"), Some("no")));
}

#[test]
fn a_conflict_is_a_request_to_the_keeper_of_the_register() {
    let told = explain(&["000000-WJ-0001", "--subject", "990101202405210513", "--format", "json"]);
    let reason: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    let settle = &reason["settle"];
    assert_eq!((settle["by"].as_str(), settle["facts"][0]["cause"].as_str()), (Some("data_request"), Some("conflict")));
    assert_eq!(settle["ask"]["zh"], "请市公安局核对登记不一致的“出生日期”（人口库）");
}

#[test]
fn a_register_that_is_absent_is_named() {
    let told = explain(&["990100-MZ-0001", "--subject", "H000000000069", "--allow-missing", "income_assessment", "--lang", "en"]);
    assert!(told.stdout.contains("“Monthly income of the household”: the register is absent"), "{}\n{}", told.stdout, told.stderr);
}

#[test]
fn one_subject_across_all_policies() {
    let told = explain(&["--subject", "990103194607227490", "--format", "json"]);
    let overview: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    assert!(!told.stdout.contains("990103194607227490"), "the identifier is masked");
    let entries = overview["entries"].as_array().expect("entries");
    let of = |standing: &str| entries.iter().filter(|entry| entry["standing"] == standing).collect::<Vec<_>>();
    let [soon] = of("soon")[..] else { panic!("{entries:?}") };
    assert_eq!((soon["reason"]["policy"].as_str(), soon["from"].as_str()), (Some("990100-MZ-0007"), Some("2026-07-01")));
    let failing: Vec<u64> = of("no").iter().map(|entry| entry["failing"].as_u64().expect("a count")).collect();
    assert!(failing.len() > 10 && failing.is_sorted(), "the nearest first: {failing:?}");
}

#[test]
fn one_policy_across_people() {
    let told = explain(&["000000-RS-0003", "--why-not", "--smallest-cell", "1", "--format", "json"]);
    let why_not: serde_json::Value = serde_json::from_str(&told.stdout).expect("stdout is JSON");
    let steps = why_not["steps"].as_array().expect("steps");
    let sum = |of: &str| steps.iter().map(|step| step[of].as_u64().expect("nothing is hidden")).sum::<u64>();
    assert_eq!(sum("first"), why_not["no"].as_u64().expect("a count"), "somebody's first failing criterion is one of them");
    for step in steps.iter().filter(|step| !step["bands"].as_array().expect("bands").is_empty()) {
        let bands = step["bands"].as_array().expect("bands").iter().map(|band| band["count"].as_u64().expect("a count"));
        assert_eq!(bands.sum::<u64>(), step["sole"].as_u64().expect("a count"), "{step}");
    }
    let hidden = explain(&["000000-RS-0003", "--why-not", "--format", "json"]);
    let hidden: serde_json::Value = serde_json::from_str(&hidden.stdout).expect("stdout is JSON");
    for (step, hidden) in steps.iter().zip(hidden["steps"].as_array().expect("steps")) {
        for cell in ["first", "sole"] {
            let (count, told) = (step[cell].as_u64().expect("a count"), hidden[cell].as_u64());
            assert!(told.is_none_or(|told| told == count && (count == 0 || count >= 5)), "{cell} {step} {hidden}");
        }
    }
}

/// Whether a page holds everything itself, and its tags are closed in order.
#[track_caller]
fn well_formed(page: &str, lang: &str) {
    assert!(page.starts_with(&format!("<!DOCTYPE html><html lang=\"{lang}\">")), "{}", &page[..200.min(page.len())]);
    for foreign in ["<script", "<link", "<img", "http://", "https://", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or("")) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or("");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
        } else if !["!DOCTYPE", "meta", "br"].contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    assert_eq!(page.matches("<h1").count(), 1);
}

#[test]
fn pages_hold_everything_themselves() {
    for (lang, code, rule) in [("zh", "zh-CN", "age_at("), ("en", "en", "&gt;= 80")] {
        let one = explain(&["990100-MZ-0007", "--subject", "990103194607227490", "--format", "html", "--lang", lang]);
        well_formed(&one.stdout, code);
        assert!(one.stdout.contains(rule) && one.stdout.contains("年满80周岁当月起"), "the rule beside its clause");
        let all = explain(&["--subject", "990103194607227490", "--format", "html", "--lang", lang]);
        well_formed(&all.stdout, code);
        let people = explain(&["000000-RS-0003", "--why-not", "--format", "html", "--lang", lang]);
        well_formed(&people.stdout, code);
    }
}

#[test]
fn looking_too_far_ahead_is_refused() {
    let told = explain(&["--subject", "990103194607227490", "--until", "2046-01-01"]);
    assert_eq!(told.code, Some(2));
    let told = explain(&["--why-not"]);
    assert_eq!(told.code, Some(2));
    let told = explain(&["--subject", "990103194607227490", "--policy", "990100-MZ-9999"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""));
}
