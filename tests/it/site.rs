//! `mianshen docs --site` as a black box: every link leads somewhere, nothing is loaded, pages say what the files say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::support::{Policies, Run, run};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
const DAY: &str = "2026-06-30";

/// Every file of a site by its path below it.
fn files(site: &Path) -> BTreeMap<String, String> {
    let entries = WalkDir::new(site).sort_by_file_name().into_iter().map(|entry| entry.expect("an entry"));
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(site).expect("below").to_string_lossy().replace('\\', "/");
            (path, fs::read_to_string(entry.path()).expect("UTF-8"))
        })
        .collect()
}

fn write(policies: &str, out: &Path) -> Run {
    run(&["docs", "--site", out.to_str().expect("UTF-8"), "--policies", policies, "--as-of", DAY, "--lang", "en"])
}

fn site(policies: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("site");
    let found = write(policies, &out);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    files(&out)
}

/// The values of an attribute.
fn attributes<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    let start = format!(" {name}=\"");
    html.match_indices(&start).filter_map(|(at, found)| html[at + found.len()..].split('"').next()).collect()
}

/// The path that a link leads to, from the file that it stands in.
fn target(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop().expect("no link leaves the site")),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_link_leads_somewhere_and_nothing_is_loaded() {
    let pages = site(SHIPPED);
    let ids: BTreeMap<&str, BTreeSet<&str>> =
        pages.iter().map(|(path, html)| (path.as_str(), attributes(html, "id").into_iter().collect())).collect();
    let mut links = 0_usize;
    for (path, html) in pages.iter().filter(|(path, _)| *path != "manifest.json") {
        for banned in ["<script", " src=", "@import", "url(", "http://", "https://", "javascript:"] {
            assert!(!html.contains(banned), "{path} has {banned}");
        }
        assert_eq!(attributes(html, "id").len(), ids[path.as_str()].len(), "{path}: an id stands twice");
        for link in attributes(html, "href") {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let file = if file.is_empty() { path.clone() } else { target(path, file) };
            let there = ids.get(file.as_str()).unwrap_or_else(|| panic!("{path}: {link} leads to no file"));
            assert!(anchor.is_none_or(|anchor| there.contains(anchor)), "{path}: {link} leads to no place");
            links += 1;
        }
    }
    assert!(links > 3000, "{links} links");
    let twins = |folder: &str| pages.keys().filter_map(|path| path.strip_prefix(folder).map(str::to_owned)).collect::<BTreeSet<_>>();
    assert_eq!(twins("zh/"), twins("en/"), "each page is there in both languages");
}

#[test]
fn every_policy_and_life_event_has_its_page() {
    let pages = site(SHIPPED);
    let listed = run(&["list", "--policies", SHIPPED, "--as-of", DAY, "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    for policy in listed.as_array().expect("a list") {
        let (code, name) = (policy["code"].as_str().expect("a code"), &policy["name"]);
        for (lang, other) in [("zh", "en"), ("en", "zh")] {
            let page = &pages[&format!("{lang}/policies/{code}.html")];
            assert!(page.contains(&format!("<h1>{}</h1>", name[lang].as_str().expect("a name"))), "{code}");
            assert!(page.contains(&format!("../../{other}/policies/{code}.html")), "{code}");
            assert!(!page.contains("见 mianshen check") && !page.contains("see mianshen check"), "{code} has no faults");
            assert!(pages[&format!("{lang}/index.html")].contains(&format!("policies/{code}.html")), "{code}");
        }
    }
    let bundles = pages.keys().filter(|path| path.starts_with("zh/bundles/")).count();
    assert_eq!(bundles, fs::read_dir(Path::new(SHIPPED).join("bundles")).expect("bundles").count());
}

#[track_caller]
fn says(page: &str, all: &[&str]) {
    for text in all {
        assert!(page.contains(text), "the page does not say `{text}`:\n{page}");
    }
}

#[test]
fn a_page_is_a_guide() {
    let pages = site(SHIPPED);
    says(
        &pages["zh/policies/990100-MZ-0007.html"],
        &[
            "年满80周岁当月起",
            "年龄不低于80周岁",
            "免申即享",
            "户籍所在地乡镇（街道）便民服务中心",
            "不用交材料",
            "名单公示5天",
            "20个工作日（公示期满之日起）",
            "0000-5550107",
            "就高不就低, 享受金额高的一项",
            "依原文",
            "去世次月不升年龄段",
            "人口库",
        ],
    );
    says(
        &pages["en/policies/990100-MZ-0007.html"],
        &["given without asking", "age is at least 80", "the one with the higher amount is given", "from the printed text", "No fee"],
    );
    // A listed policy, whose criteria stand in no file.
    says(
        &pages["zh/policies/990100-KJ-0001.html"],
        &["列入高新技术企业名单", "高新技术企业：是", "认定之日起3年内", "资金每年1,000,000.00 元, 不足时按同一比例发给", "200,000.00"],
    );
    // What is to be brought, with why, and what may be committed to.
    says(&pages["zh/policies/990100-MZ-0001.html"], &["查询银行存款要本人书面授权", "由本人承诺", "低保标准"]);
    says(&pages["en/policies/990100-ZJ-0003.html"], &["No register tells who rents", "one's own commitment"]);
    // No guide: it is said, not made up.
    says(&pages["zh/policies/990106-FG-0001.html"], &["没有写明"]);
    says(&pages["en/policies/990106-FG-0001.html"], &["The guide does not say."]);
    // Ended, and told so.
    says(&pages["zh/policies/000000-RS-0011.html"], &["已失效"]);
    says(&pages["en/bundles/birth.html"], &["Childcare subsidy", "Medical insurance for newborns"]);
}

#[test]
fn the_catalogues_are_whole() {
    let pages = site(SHIPPED);
    for lang in ["zh", "en"] {
        for (english, chinese) in mianshen::criteria::words::FUNCTIONS {
            let page = &pages[&format!("{lang}/functions.html")];
            assert!(
                page.contains(&format!("<code>{english}("))
                    || page.contains(&format!("{english}(&#39;"))
                    || page.contains(&format!("{english}('")),
                "{lang} {english}"
            );
            assert!(page.contains(chinese), "{lang} {chinese}");
        }
        for code in mianshen::diagnostic::CODES {
            says(&pages[&format!("{lang}/codes.html")], &[&format!("id=\"{}\"", code.name), code.number]);
        }
    }
    let zh = &pages["zh/codes.html"];
    assert!(zh.contains("说明") && !zh.contains("What it says"), "one language on a page");
    assert!(!pages["en/codes.html"].contains(">说明<"));
    says(&pages["zh/facts.html"], &["id=\"person-deceased\"", "id=\"entity-high_tech\"", "id=\"household-household_income\""]);
    says(&pages["en/registers.html"], &["id=\"recognised_entities\"", "990100-KJ-0001", "the register is complete"]);
}

#[test]
fn the_same_folder_gives_the_same_bytes_and_a_site_gives_way_to_a_site() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    assert_eq!(write(SHIPPED, &one).code, Some(0));
    assert_eq!(write(SHIPPED, &other).code, Some(0));
    assert_eq!(files(&one), files(&other));
    let policies = Policies::new();
    fs::remove_dir_all(Path::new(policies.dir()).join("990100/rental-waiver")).expect("it was there");
    policies.replace("990100/subsistence-allowance/policy.yaml", "notice_days: 7", "notice_days: 9");
    let again = write(policies.dir(), &one);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let now = files(&one);
    assert!(!now.contains_key("zh/policies/990100-ZJ-0002.html"), "nothing is left of the old site");
    says(&now["zh/policies/990100-MZ-0001.html"], &["名单公示9天"]);
}

#[test]
fn what_is_there_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "mine").expect("written");
    let found = write(SHIPPED, folder.path());
    assert_eq!(found.code, Some(2));
    assert!(found.stderr.contains("output-failed"), "{}", found.stderr);
    assert_eq!(files(folder.path()).len(), 1);
    // The results of another verb are no site.
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    fs::write(out.join("manifest.json"), "{\"engine\": {}}").expect("written");
    let found = write(SHIPPED, &out);
    assert_eq!((found.code, files(&out).len()), (Some(2), 1), "{}", found.stderr);
    assert!(found.stderr.contains("holds other results"), "{}", found.stderr);
    let missing = write("/no/such/folder", &folder.path().join("site"));
    assert_eq!(missing.code, Some(2));
    assert!(!folder.path().join("site").exists());
    assert_eq!(run(&["docs", "--facts", "--as-of", DAY]).code, Some(2), "a day is for the site");
}

#[test]
fn versions_and_what_changed() {
    let policies = Policies::new();
    let old = "990100/old-age-allowance/policy.yaml";
    let next = policies
        .read(old)
        .replace("990100-MZ-0007\n", "990100-MZ-0007\nversion: 2\n")
        .replace("announced: 2023-12-20", "announced: 2026-01-05")
        .replace("from: 2024-01-01", "from: 2026-02-01")
        .replace("notice_days: 5", "notice_days: 3");
    policies.write("990100/old-age-allowance-2/policy.yaml", &next);
    policies.write("990100/old-age-allowance-2/cases.yaml", &policies.read("990100/old-age-allowance/cases.yaml"));
    let pages = site(policies.dir());
    let page = &pages["en/policies/990100-MZ-0007.html"];
    says(page, &["From version 1 to version 2", "days of public notice", "replaced", "public notice for 3 days"]);
    says(&pages["zh/policies/990100-MZ-0007.html"], &["从第1版到第2版的变化", "公示天数", "已被替代"]);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("site");
    let arguments = ["docs", "--site", out.to_str().expect("UTF-8"), "--policies", policies.dir(), "--as-of", "2026-01-31", "--lang", "zh"];
    assert_eq!(run(&arguments).code, Some(0));
    says(&files(&out)["zh/policies/990100-MZ-0007.html"], &["名单公示5天", "未生效"]);
}

#[test]
fn a_policy_with_faults_says_so() {
    let policies = Policies::new();
    policies.replace("990100/veteran-allowance/policy.yaml", "param('veteran_allowance')", "param('veteran_alowance')");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("site");
    let found = write(policies.dir(), &out);
    assert_eq!(found.code, Some(1));
    assert!(found.stderr.contains("unknown-parameter"), "{}", found.stderr);
    let pages = files(&out);
    says(&pages["en/policies/990100-TY-0001.html"], &["has faults and cannot be run", "列入优抚对象名单"]);
    says(&pages["zh/policies/990100-TY-0001.html"], &["有错误, 不能运行"]);
}
