//! `mianshen new` as a black box: what it writes is in format, checks clean but for what it names, and its cases run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::{Policies, Run, run};

/// A person's service, with one condition.
const CARD: [&str; 22] = [
    "--code",
    "990100-MZ-0931",
    "--name",
    "敬老卡",
    "--name-en",
    "Senior card",
    "--authority",
    "990100-MZ",
    "--region",
    "990100",
    "--subject",
    "person",
    "--in-force",
    "2026-01-01",
    "--basis-title",
    "样例市敬老卡办法（样例）",
    "--clause",
    "年满六十五周岁",
    "--when",
    "年龄 大于等于 65",
    "--kind",
    "service",
];

fn new(policies: &Policies, arguments: &[&str], lang: &str) -> Run {
    run(&[&["new", "--policies", policies.dir(), "--lang", lang], arguments].concat())
}

/// The codes of what `check` tells of one folder.
fn told(policies: &Policies, folder: &str) -> Vec<String> {
    let found = run(&["check", "--policies", policies.dir(), "--format", "json"]);
    let told: Value = serde_json::from_str(&found.stdout).expect("JSON");
    let all = told.as_array().expect("a list").iter();
    let here =
        all.filter(|one| one["path"].as_str().is_some_and(|path| Path::new(path).starts_with(Path::new(policies.dir()).join(folder))));
    here.map(|one| one["code"].as_str().expect("a code").to_owned()).collect()
}

/// Formatted, checked and tested; what `check` tells, and how many cases ran.
#[track_caller]
fn looked_at(policies: &Policies, folder: &str, code: &str) -> (Vec<String>, usize) {
    let path = Path::new(policies.dir()).join(folder);
    let formatted = run(&["fmt", "--check", path.to_str().expect("UTF-8")]);
    assert_eq!((formatted.code, formatted.stdout.as_str()), (Some(0), ""), "it is in the canonical format");
    let tested = run(&["test", code, "--policies", policies.dir(), "--format", "json"]);
    assert_eq!(tested.code, Some(0), "{}{}", tested.stdout, tested.stderr);
    let report: Value = serde_json::from_str(&tested.stdout).expect("JSON");
    let ran = report.to_string().matches("待确认").count();
    (told(policies, folder), ran)
}

#[test]
fn from_flags() {
    let policies = Policies::new();
    let found = new(&policies, &CARD, "en");
    assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
    let policy = policies.read("990100/senior-card/policy.yaml");
    for line in [
        "code: 990100-MZ-0931\n",
        "name: {zh: 敬老卡, en: Senior card}\n",
        "authority: {code: 990100-MZ, name: 样例市民政局}\n",
        "covers: {region: \"990100\", by: hukou_region}\n",
        "      clause: 年满六十五周岁\n      basis: basis\n      when: age >= 65\n",
        "    status: memory\n",
        "delivery: {mode: confirm}\n",
    ] {
        assert!(policy.contains(line), "{line}\n{policy}");
    }
    let (told, ran) = looked_at(&policies, "990100/senior-card", "990100-MZ-0931");
    assert_eq!(told, [""; 0], "{told:?}");
    assert!(ran >= 6, "{ran} cases");
    let covered = run(&["test", "990100-MZ-0931", "--policies", policies.dir(), "--min-coverage", "100"]);
    assert_eq!(covered.code, Some(0), "each boundary has its case: {}", covered.stdout);
    assert!(found.stdout.contains("senior-card/policy.yaml") && found.stdout.contains("next:"), "{}", found.stdout);
    let chinese = new(&policies, &["--slug", "card-2", "--code", "990100-MZ-0932"], "zh");
    assert_eq!(chinese.code, Some(2), "the rest is lacking");
}

#[test]
fn without_conditions_there_is_one_expected_warning() {
    let policies = Policies::new();
    for (subject, extra, code, folder) in [
        ("个人", &["--amount", "100", "--period", "月"][..], "990100-MZ-0941", "990100/person-draft"),
        ("单位", &["--amount", "1000", "--period", "一次性"][..], "990100-MZ-0942", "990100/entity-draft"),
        ("家庭", &["--amount", "300", "--period", "year"][..], "990100-MZ-0943", "990100/household-draft"),
    ] {
        let slug = folder.trim_start_matches("990100/");
        let fixed =
            ["--code", code, "--name", "待定事项", "--slug", slug, "--authority", "990100-MZ", "--region", "990100", "--kind", "现金"];
        let more = ["--subject", subject, "--in-force", "2026-01-01", "--basis-title", "样例办法（样例）", "--basis-status", "样例"];
        // Names differ, so that nothing is said of paying twice.
        let name = format!("待定事项{slug}");
        let found = new(&policies, &[&fixed[..], &more, extra, &["--name", &name]].concat(), "zh");
        // clap takes a flag once.
        assert_eq!(found.code, Some(2), "{}", found.stdout);
        let fixed: Vec<&str> = fixed.iter().copied().map(|word| if word == "待定事项" { name.as_str() } else { word }).collect();
        let found = new(&policies, &[&fixed[..], &more, extra].concat(), "zh");
        assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains("criterion-without-clause 是预期的"), "{}", found.stdout);
        let (told, ran) = looked_at(&policies, folder, code);
        assert_eq!(told, ["criterion-without-clause"]);
        assert!(ran >= 3, "{ran} cases");
        assert!(
            policies.read(&format!("{folder}/policy.yaml")).contains("delivery: {mode: review}"),
            "nobody is given anything without an official"
        );
    }
}

#[test]
fn a_listed_policy() {
    let policies = Policies::new();
    let arguments = [
        "--code",
        "990100-KJ-0911",
        "--name",
        "高企研发奖励",
        "--name-en",
        "R&D award",
        "--authority",
        "990100-KJ",
        "--region",
        "990100",
        "--subject",
        "entity",
        "--in-force",
        "2026-01-01",
        "--basis-title",
        "样例市研发奖励办法（样例）",
        "--basis-article",
        "第三条",
        "--listed",
        "high_tech",
        "--clause",
        "列入高新技术企业名单",
        "--clause",
        "存续企业",
        "--kind",
        "cash",
        "--amount",
        "50000",
        "--amount-clause",
        "一次性奖励5万元",
        "--period",
        "once",
        "--mode",
        "automatic",
    ];
    let found = new(&policies, &arguments, "en");
    assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
    let policy = policies.read("990100/r-d-award/policy.yaml");
    assert!(
        policy.contains("listed:\n  list: high_tech\n  basis: basis\n  clause: 列入高新技术企业名单\n  standing: 存续企业\n"),
        "{policy}"
    );
    assert!(!policy.contains("criteria:"), "{policy}");
    let (told, ran) = looked_at(&policies, "990100/r-d-award", "990100-KJ-0911");
    assert_eq!(told, [""; 0], "{told:?}");
    assert!(ran >= 6, "{ran} cases");
    let unknown: Vec<&str> = arguments.iter().map(|word| if *word == "high_tech" { "high_teck" } else { *word }).collect();
    let refused = new(&policies, &[&unknown[..], &["--slug", "other"]].concat(), "en");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("the code 990100-KJ-0911 is used already"), "{}", refused.stderr);
    let unknown: Vec<&str> = unknown.iter().map(|word| if *word == "990100-KJ-0911" { "990100-KJ-0912" } else { *word }).collect();
    let refused = new(&policies, &[&unknown[..], &["--slug", "other"]].concat(), "zh");
    assert!(refused.stderr.contains("登记库没有名单“high_teck”") && refused.stderr.contains("high_tech"), "{}", refused.stderr);
}

/// The card as rows of a form.
const FORM: [(&str, &str); 12] = [
    ("项目", "内容"),
    ("编码", "990100-MZ-0931"),
    ("政策名称", "敬老卡"),
    ("英文名称", "Senior card"),
    ("机关编码", "990100-MZ"),
    ("适用地区", "990100"),
    ("服务对象", "个人"),
    ("施行日期", "2026-01-01"),
    ("依据名称", "样例市敬老卡办法（样例）"),
    ("条文", "年满六十五周岁"),
    ("条件", "年龄 大于等于 65"),
    ("待遇种类", "服务"),
];

#[test]
fn from_forms() {
    let flags = Policies::new();
    assert_eq!(new(&flags, &CARD, "zh").code, Some(0));
    let files = ["990100/senior-card/policy.yaml", "990100/senior-card/cases.yaml"].map(|file| flags.read(file));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let csv: String = FORM.iter().map(|(head, content)| format!("{head},{content}\n")).collect();
    fs::write(path("form.csv"), encoding_rs::GB18030.encode(&csv).0).expect("written");
    let yaml: String = FORM.iter().skip(1).map(|(head, content)| format!("{head}: '{content}'\n")).collect();
    fs::write(path("form.yaml"), yaml).expect("written");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "政策登记表").expect("a title");
    for (row, (head, content)) in (2..).zip(FORM) {
        sheet.write(row, 0, head).expect("a head");
        sheet.write(row, 2, content).expect("a content");
    }
    book.save(path("form.xlsx")).expect("saved");
    for form in ["form.csv", "form.yaml", "form.xlsx"] {
        let policies = Policies::new();
        let found = new(&policies, &["--from", &path(form)], "zh");
        assert_eq!(found.code, Some(0), "{form}: {}{}", found.stdout, found.stderr);
        assert_eq!(["990100/senior-card/policy.yaml", "990100/senior-card/cases.yaml"].map(|file| policies.read(file)), files, "{form}");
    }
    // Flags are over the form.
    let policies = Policies::new();
    let found = new(&policies, &["--from", &path("form.yaml"), "--mode", "review", "--slug", "card"], "en");
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    assert!(policies.read("990100/card/policy.yaml").contains("delivery: {mode: review}"));
}

#[test]
fn faults_of_forms_are_told_at_their_rows() {
    let policies = Policies::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("form.csv");
    fs::write(&path, "编码,990100-MZ-0007\n地区,990199\n服务对像,个人\n").expect("written");
    let found = new(&policies, &["--from", path.to_str().expect("UTF-8")], "zh");
    assert_eq!(found.code, Some(2));
    assert!(found.stderr.contains("表单里没有“服务对像”这一项") && found.stderr.contains("form.csv:3:1"), "{}", found.stderr);
    fs::write(&path, "编码,990100-MZ-0007\n地区,990199\n服务对象,个体\n").expect("written");
    let found = new(&policies, &["--from", path.to_str().expect("UTF-8")], "en");
    for told in ["form.csv:1:6", "is used already", "form.csv:2:6", "is not in the tree", "form.csv:3:8", "lacking: --name"] {
        assert!(found.stderr.contains(told), "{told}: {}", found.stderr);
    }
    let odd = new(&policies, &["--from", "form.docx"], "en");
    assert!(odd.code == Some(2) && odd.stderr.contains("cannot read the form"), "{}", odd.stderr);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_written() {
    let policies = Policies::new();
    let with = |from: &str, to: &'static str| -> Vec<&str> { CARD.iter().map(|word| if *word == from { to } else { *word }).collect() };
    let count = || walkdir::WalkDir::new(policies.dir()).into_iter().count();
    let before = count();
    let cases = [
        (with("990100-MZ-0931", "990100-MZ-0007"), "the code 990100-MZ-0007 is used already"),
        (with("990100", "990199"), "region `990199` is not in the tree"),
        (with("年龄 大于等于 65", "agee >= 65"), "unknown fact `agee`"),
        (with("年龄 大于等于 65", "age >="), "expression-syntax"),
        (with("person", "citizen"), "--subject cannot be `citizen`"),
        (with("2026-01-01", "1.1.2026"), "`1.1.2026` is no date"),
        (with("Senior card", "Old-age allowance"), "is there already"),
        (with("service", "cash"), "lacking: --amount, --period"),
    ];
    for (arguments, told) in cases {
        let found = new(&policies, &arguments, "en");
        assert_eq!((found.code, found.stdout.as_str()), (Some(2), ""), "{told}");
        assert!(found.stderr.contains(told), "{told}: {}", found.stderr);
        assert_eq!(count(), before, "nothing was written: {told}");
    }
    let lacking = new(&policies, &[], "zh");
    assert_eq!(lacking.code, Some(2));
    assert!(lacking.stderr.contains("还缺: 名称 (--name)、机关编码 (--authority)"), "{}", lacking.stderr);
    let missing = run(&["new", "--policies", "/no/such/folder", "--lang", "en"]);
    assert_eq!(missing.code, Some(2));
}
