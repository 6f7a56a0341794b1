//! `mianshen lsp` over stdin and stdout, as an editor talks to it.

mod client;
mod help;
mod life;

use serde_json::{Value, json};

use self::client::{Client, edited, path, position, uri};
use super::support::{Policies, run};

const OLD_AGE: &str = "990100/old-age-allowance/policy.yaml";
const OLD_AGE_CASES: &str = "990100/old-age-allowance/cases.yaml";
const RENT: &str = "990100/rental-waiver/policy.yaml";
const POPULATION: &str = "registers/population.yaml";

/// The old-age allowance with a criterion on one line whose fact is misspelt, behind Chinese and a character of two code units.
fn spoilt(policies: &Policies) -> String {
    let text = policies.read(OLD_AGE);
    let begin = text.find("    - id: alive").expect("the criterion");
    let end = begin + text[begin..].find("benefit:").expect("what comes next");
    let line = "    - {id: alive, clause: 发至𠮷去世次月止, basis: notice, when: 性别 = '女' or not deceasd}\n";
    format!("{}{line}{}", &text[..begin], &text[end..])
}

fn codes(told: &[Value]) -> Vec<&str> {
    told.iter().filter_map(|one| one["code"].as_str()).collect()
}

#[test]
fn a_fault_is_told_at_its_code_units_and_goes_when_it_is_mended() {
    let policies = Policies::new();
    let path = path(policies.dir(), OLD_AGE);
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    let text = spoilt(&policies);
    client.open(&path, &text);
    let told = client.diagnostics_until(&path, |told| codes(told).contains(&"unknown-fact"));
    let fault = told.iter().find(|one| one["code"] == "unknown-fact").expect("the fault");
    let start = position(&text, "id: alive", "deceasd");
    let end = json!({"line": start["line"], "character": start["character"].as_u64().expect("a column") + 7});
    assert_eq!(fault["range"], json!({"start": start, "end": end}));
    let before = text.lines().nth(usize::try_from(start["line"].as_u64().expect("a line")).expect("small")).expect("the line");
    let at = before.find("deceasd").expect("the word");
    assert!(before[..at].chars().count() + 1 == usize::try_from(start["character"].as_u64().expect("a column")).expect("small"));
    assert_eq!((&fault["severity"], &fault["source"]), (&json!(1), &json!("mianshen")));
    let message = fault["message"].as_str().expect("a message");
    assert!(message.starts_with("没有“deceasd”这个事实\n帮助: 是不是想写“deceased”?"), "{message}");
    assert!(message.contains("\n条款: 《高龄津贴发放通知（县级，2025年）》"), "{message}");
    // The clause stands beside: where its basis is written.
    let related = &fault["relatedInformation"][0];
    assert_eq!(related["location"]["range"]["start"], position(&text, "basis:\n", "notice"), "{related}");
    assert_eq!(related["location"]["uri"], json!(uri(&path)));
    let page = fault["codeDescription"]["href"].as_str().and_then(|href| href.strip_prefix("file://")).expect("a page");
    let page = page.to_owned();
    assert!(std::fs::read_to_string(&page).expect("the page is there").starts_with("# unknown-fact (MS1011)"));

    let change = json!([{"range": {"start": start, "end": end}, "text": "deceased"}]);
    client.change(&path, change);
    let told = client.diagnostics_until(&path, |told| !codes(told).contains(&"unknown-fact"));
    assert!(!codes(&told).contains(&"expression-syntax"), "{told:?}");
    client.tell("textDocument/didClose", json!({"textDocument": {"uri": uri(&path)}}));
    client.diagnostics_until(&path, <[Value]>::is_empty);
    assert_eq!(client.leave(), Some(0));
    assert!(!std::path::Path::new(&page).exists(), "pages are removed at the end");
}

#[test]
fn a_client_that_counts_bytes_is_told_bytes() {
    let policies = Policies::new();
    let path = path(policies.dir(), OLD_AGE);
    let mut client = Client::start(&["--lang", "en"]);
    let can = client.hello(policies.dir().as_ref(), &json!(["utf-8", "utf-16"]), json!({}));
    assert_eq!(can["positionEncoding"], "utf-8");
    let text = spoilt(&policies);
    client.open(&path, &text);
    let told = client.diagnostics_until(&path, |told| codes(told).contains(&"unknown-fact"));
    let fault = told.iter().find(|one| one["code"] == "unknown-fact").expect("the fault");
    let line = text.lines().position(|line| line.contains("deceasd")).expect("the line");
    let column = text.lines().nth(line).and_then(|line| line.find("deceasd")).expect("the word");
    assert_eq!(fault["range"]["start"], json!({"line": line, "character": column}));
    assert!(fault["message"].as_str().is_some_and(|text| text.starts_with("unknown fact `deceasd`\nhelp: did you mean")), "{fault}");
    let change = json!([{"range": {"start": fault["range"]["end"], "end": fault["range"]["end"]}, "text": "x"}]);
    client.change(&path, change);
    client.diagnostics_until(&path, |told| told.iter().any(|one| one["message"].as_str().is_some_and(|text| text.contains("`deceasdx`"))));
    assert_eq!(client.leave(), Some(0));
}

/// Path, code, line and headline of everything that is told.
type Findings = Vec<(String, String, u64, String)>;

#[test]
fn everything_that_check_tells_is_told() {
    let policies = Policies::new();
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    policies.replace(RENT, "benefit:", "benefot:");
    policies.replace(POPULATION, "is: hukou_region", "is: hukou_regoin");
    policies.replace("parameters/old-age.yaml", "region: \"990101\"", "region: \"990199\"");
    policies.replace(OLD_AGE_CASES, "deceased: false", "deceasd: false");
    policies.replace("bundles/death.yaml", "990100-MZ-0021", "990100-MZ-9921");
    let seals = "990100/company-seals/cases.yaml";
    let cases = policies.read(seals);
    let second = cases.match_indices("\n- name:").nth(1).expect("several cases").0;
    policies.write(seals, &cases[..=second]);
    policies.write("check.yaml", "severity: {unused-parameter: allow, nothing: warn}\n");
    let check = run(&["check", "--policies", policies.dir(), "--format", "json"]);
    let expect: Value = serde_json::from_str(&check.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expect: Findings = expect
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (text(&one["path"]), text(&one["code"]), one["line"].as_u64().unwrap_or(0) - 1, text(&one["headline"]["zh"])))
        .collect();
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    expect.sort();
    assert!(expect.len() >= 7, "{expect:?}");
    // What takes long is among it: boundaries that no case touches any more.
    assert!(expect.iter().any(|(_, code, ..)| code == "untouched-boundary"), "{expect:?}");
    loop {
        let mut told = Findings::new();
        for (uri, params) in &client.diagnostics {
            for one in params["diagnostics"].as_array().expect("a list") {
                let message = text(&one["message"]);
                let headline = message.lines().next().unwrap_or_default().to_owned();
                let line = one["range"]["start"]["line"].as_u64().expect("a line");
                told.push((uri.trim_start_matches("file://").to_owned(), text(&one["code"]), line, headline));
            }
        }
        told.sort();
        if told == expect {
            break;
        }
        // File by file, and what takes long at last; where the server falls silent before, the test fails.
        let lacking: Vec<_> = expect.iter().filter(|one| !told.contains(one)).collect();
        eprintln!("not told so far: {lacking:?}");
        client.next_message();
    }
}

#[test]
fn what_is_typed_in_one_file_is_told_in_another() {
    let policies = Policies::new();
    let (policy, register) = (path(policies.dir(), OLD_AGE), path(policies.dir(), "registers/death.yaml"));
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    let text = policies.read("registers/death.yaml");
    client.open(&register, &text);
    let at = position(&text, "- name: deceased", "deceased");
    let end = json!({"line": at["line"], "character": at["character"].as_u64().expect("a column") + 8});
    client.change(&register, json!([{"range": {"start": at, "end": end}, "text": "has_died"}]));
    let told = client.diagnostics_until(&policy, |told| codes(told).contains(&"unknown-fact"));
    assert!(told[0]["message"].as_str().is_some_and(|text| text.contains("“deceased”")), "{told:?}");
    assert_eq!(policies.read("registers/death.yaml"), text, "the file itself is untouched");
    client.tell("textDocument/didClose", json!({"textDocument": {"uri": uri(&register)}}));
    client.diagnostics_until(&policy, <[Value]>::is_empty);
}

#[test]
fn files_that_come_and_go() {
    let policies = Policies::new();
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    let registered = client.wait_for("client/registerCapability");
    assert_eq!(registered["registrations"][0]["method"], "workspace/didChangeWatchedFiles");
    // A policy that was never saved, in a folder that is not there.
    let new = path(policies.dir(), "990100/zz-new/policy.yaml");
    client.open(&new, &policies.read(RENT));
    client.diagnostics_until(&new, |told| codes(told).contains(&"duplicate-policy-code"));
    client.tell("textDocument/didClose", json!({"textDocument": {"uri": uri(&new)}}));
    client.diagnostics_until(&new, <[Value]>::is_empty);
    // A file that changes on disk, and one that goes.
    policies.replace(OLD_AGE, "when: not deceased or", "when: not deceasd or");
    let old_age = path(policies.dir(), OLD_AGE);
    client.tell("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri(&old_age), "type": 2}]}));
    client.diagnostics_until(&old_age, |told| codes(told).contains(&"unknown-fact"));
    std::fs::remove_file(&old_age).expect("removed");
    client.tell("workspace/didChangeWatchedFiles", json!({"changes": [{"uri": uri(&old_age), "type": 3}]}));
    client.diagnostics_until(&old_age, <[Value]>::is_empty);
    let other = path(policies.dir(), "bundles/death.yaml");
    client.diagnostics_until(&other, |told| codes(told).contains(&"unknown-policy"));
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn a_misspelt_name_is_mended_on_request() {
    let policies = Policies::new();
    let path = path(policies.dir(), OLD_AGE);
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    let text = spoilt(&policies).replace("month_of(", "mnth_of(").replace("age_at(case", "ag_at(case");
    client.open(&path, &text);
    let start = position(&text, "id: alive", "deceasd");
    let params = |only: Value| {
        let context = json!({"diagnostics": [], "only": only});
        json!({"textDocument": {"uri": uri(&path)}, "range": {"start": start, "end": start}, "context": context})
    };
    let found = client.ask("textDocument/codeAction", params(json!(["quickfix"])));
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!((&found[0]["title"], &found[0]["isPreferred"]), (&json!("“deceasd”改为“deceased”"), &json!(true)));
    assert_eq!(found[0]["diagnostics"][0]["code"], "unknown-fact");
    let change = &found[0]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri(&path), "version": 1}));
    assert_eq!(edited(&text, &change["edits"]), text.replace("deceasd", "deceased"));

    let all = client.ask("textDocument/codeAction", params(json!(["source.fixAll"])));
    assert_eq!(all[0]["kind"], "source.fixAll");
    let mended = edited(&text, &all[0]["edit"]["documentChanges"][0]["edits"]);
    assert!(!mended.contains("deceasd") && !mended.contains(" ag_at("), "{mended}");
    client.change(&path, json!([{"text": mended}]));
    let none = client.ask("textDocument/codeAction", params(Value::Null));
    assert_eq!(none, json!([]), "what was mended is not offered again");
}
