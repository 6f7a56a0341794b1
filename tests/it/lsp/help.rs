//! Meanings, completion, places of declaration, outlines, formatting.

use std::path::Path;

use serde_json::{Value, json};

use super::client::{Client, edited, path, position, position_of, uri};
use super::{OLD_AGE, OLD_AGE_CASES};
use crate::support::Policies;

const HIRING: &str = "990100/start-up-hire-grant/policy.yaml";
const SUBSISTENCE: &str = "990100/subsistence-allowance/policy.yaml";

/// The policies with the old-age allowance open.
struct Open {
    policies: Policies,
    client: Client,
}

impl Open {
    fn new(options: Value) -> Self {
        let policies = Policies::new();
        let client = Client::open_folder(policies.dir().as_ref(), options);
        Self { policies, client }
    }

    fn open(&mut self, file: &str) -> String {
        let text = self.policies.read(file);
        self.client.open(&path(self.policies.dir(), file), &text);
        text
    }

    /// What is shown about a word, the first one behind `after`.
    fn hover(&mut self, file: &str, text: &str, after: &str, word: &str) -> String {
        let hover = self.client.at("textDocument/hover", &path(self.policies.dir(), file), &position(text, after, word));
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The labels that are offered when a document reads as `text` up to `‸`, with what each writes.
    fn offered(&mut self, file: &str, text: &str) -> Vec<(String, String)> {
        let at = text.find('‸').expect("a cursor");
        let text = text.replacen('‸', "", 1);
        let path = path(self.policies.dir(), file);
        self.client.change(&path, json!([{"text": text}]));
        let found = self.client.at("textDocument/completion", &path, &position_of(&text, at));
        let items = found.as_array().expect("a list").iter().map(|item| {
            (item["label"].as_str().expect("a label").to_owned(), item["textEdit"]["newText"].as_str().expect("a text").to_owned())
        });
        items.collect()
    }

    /// File and line of what a word is declared by.
    fn declared(&mut self, file: &str, text: &str, after: &str, word: &str) -> Vec<(String, String)> {
        let dir = self.policies.dir().to_owned();
        let found = self.client.at("textDocument/definition", &path(&dir, file), &position(text, after, word));
        let locations = found.as_array().cloned().unwrap_or_default();
        let shown = locations.iter().map(|location| {
            let file = location["uri"].as_str().expect("a URI").trim_start_matches(&format!("file://{dir}/")).to_owned();
            let line = usize::try_from(location["range"]["start"]["line"].as_u64().expect("a line")).expect("small");
            (file.clone(), self.policies.read(&file).lines().nth(line).expect("the line").trim().to_owned())
        });
        shown.collect()
    }
}

fn labels(offered: &[(String, String)]) -> Vec<&str> {
    offered.iter().map(|(label, _)| label.as_str()).collect()
}

#[track_caller]
fn has(offered: &[(String, String)], label: &str, text: &str) {
    let found = offered.iter().find(|(known, _)| known == label);
    assert_eq!(found.map(|(_, text)| text.as_str()), Some(text), "{label} in {offered:?}");
}

#[test]
fn a_fact_is_explained_with_its_spread() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/sources.yaml");
    let mut open = Open::new(json!({"sources": sources, "lang": "en"}));
    let text = open.open(OLD_AGE);
    let mut told = open.hover(OLD_AGE, &text, "id: alive", "deceased");
    while told.contains("being worked out") {
        std::thread::sleep(std::time::Duration::from_millis(200));
        told = open.hover(OLD_AGE, &text, "id: alive", "deceased");
    }
    for line in ["`deceased`", "- type: yes/no", "`death`", "- no row means: none", "- from rows: `", "- the subject can change it: no"] {
        assert!(told.contains(line), "`{line}` in {told}");
    }
    assert!(told.contains("in the sample (2026-06-30, 1,989 persons): unknown hidden (it would tell of fewer than 5)"), "{told}");
    assert!(told.contains("  - no: 1,") && told.contains(" %)") && told.contains("  - yes: hidden"), "{told}");
    let region = open.hover(OLD_AGE, &text, "covers:", "hukou_region");
    assert!(region.contains("  - Dongcheng 990101: ") && region.contains("- no row means: unknown"), "{region}");
    let computed = open.hover(OLD_AGE, &text, "id: alive", "death_month");
    assert!(computed.contains("- computed: `month_of(death_date)`"), "{computed}");
    assert!(computed.contains("`death_date`") && computed.contains("first quartile"), "{computed}");
}

#[test]
fn words_of_a_policy_are_explained_in_chinese() {
    let mut open = Open::new(json!({}));
    let text = open.open(OLD_AGE);
    let parameter = open.hover(OLD_AGE, &text, "amount:", "old_age_allowance_90");
    assert!(parameter.contains("高龄津贴（90至99周岁）") && parameter.contains("| 990101 东城区 | 2027-01-01 |"), "{parameter}");
    assert!(parameter.contains("160.00 元/月"), "{parameter}");
    let function = open.hover(OLD_AGE, &text, "id: age", "age_at");
    assert!(
        function.contains("**年龄于** `age_at`") && function.contains("`age_at(birth, day)`") && function.contains("周岁"),
        "{function}"
    );
    let policy = open.hover(OLD_AGE, &text, "excludes:", "990100-MZ-0011");
    assert!(policy.contains("困难残疾人生活补贴") && policy.contains("样例市民政局"), "{policy}");
    let region = open.hover(OLD_AGE, &text, "covers:", "990100");
    assert!(region.contains("**样例市**") && region.contains("全国 › 样例省 › 样例市"), "{region}");
    let basis = open.hover(OLD_AGE, &text, "id: alive", "notice");
    assert!(basis.contains("高龄津贴发放通知") && basis.contains("发至去世次月止"), "{basis}");
    assert_eq!(open.hover(OLD_AGE, &text, "reading:", "年龄"), "", "a text means nothing");
    let cases = open.open(OLD_AGE_CASES);
    let given = open.hover(OLD_AGE_CASES, &cases, "given:", "hukou_region");
    assert!(given.contains("户籍所在地") && !given.contains("样例中的分布"), "there is no sample: {given}");
    assert!(open.hover(OLD_AGE_CASES, &cases, "given:", "990102").contains("西城区"));
    let hiring = open.open(HIRING);
    let inner = open.hover(HIRING, &hiring, "id: hires", "insured_months_since_hire");
    assert!(inner.contains("入职后三险缴费月数") && inner.contains("个月"), "{inner}");
    assert!(open.hover(HIRING, &hiring, "id: hires", "employees").contains("职工"));
}

#[test]
fn facts_of_the_subject_are_offered() {
    let mut open = Open::new(json!({}));
    let text = open.open(OLD_AGE);
    let with = |when: &str| {
        let start = text.find("when: not deceased").expect("the criterion");
        let end = start + text[start..].find('\n').expect("a line");
        format!("{}when: {when}{}", &text[..start], &text[end..])
    };
    let start = open.offered(OLD_AGE, &with("not dec‸"));
    has(&start, "deceased", "deceased");
    has(&start, "户籍所在地", "户籍所在地");
    has(&start, "重度残疾（一级或二级）", "severely_disabled");
    has(&start, "age_at", "age_at(");
    has(&start, "年龄于", "年龄于(");
    has(&start, "param", "param('");
    assert!(!labels(&start).contains(&"household_income"), "that is a fact of households");
    let behind = open.offered(OLD_AGE, &with("household.‸"));
    has(&behind, "income_per_capita", "income_per_capita");
    has(&behind, "members", "members");
    assert!(!labels(&behind).contains(&"deceased") && !labels(&behind).contains(&"age_at"), "{behind:?}");
    let many = open.offered(OLD_AGE, &with("household.members.co‸"));
    assert_eq!(labels(&many), ["all", "any", "count", "count_distinct", "latest", "max", "min", "sum"]);
    let inside = open.offered(OLD_AGE, &with("household.members.count(‸"));
    has(&inside, "relation", "relation");
    has(&inside, "deceased", "deceased");
    has(&open.offered(OLD_AGE, &with("sex = ‸")), "female", "'female'");
    has(&open.offered(OLD_AGE, &with("性别 = '‸'")), "男", "男");
    has(&open.offered(OLD_AGE, &with("sex in ('male', '‸")), "female", "female'");
    has(&open.offered(OLD_AGE, &with("hukou_region in region('‸")), "990102", "990102'");
    has(&open.offered(OLD_AGE, &with("param('old_‸')")), "old_age_allowance_80", "old_age_allowance_80");
    let entitled = open.offered(OLD_AGE, &with("entitled('‸"));
    has(&entitled, "990100-MZ-0012", "990100-MZ-0012'");
    assert!(!labels(&entitled).contains(&"990100-MZ-0001"), "that policy is about households");
    let operators = open.offered(OLD_AGE, &with("deceased ‸"));
    has(&operators, "and", "and ");
    has(&operators, "且", "且 ");
    let subsistence = open.open(SUBSISTENCE);
    let household = open.offered(SUBSISTENCE, &subsistence.replacen("when: ", "when: ‸", 1));
    has(&household, "household_income", "household_income");
    assert!(!labels(&household).contains(&"deceased"), "that is a fact of persons");
}

#[test]
fn keys_words_and_codes_are_offered() {
    let mut open = Open::new(json!({"lang": "en"}));
    let text = open.open(OLD_AGE);
    let keys = open.offered(OLD_AGE, &text.replace("      basis: notice\n      when: age_at", "      ‸\n      when: age_at"));
    assert_eq!(labels(&keys), ["basis", "label"]);
    has(&keys, "basis", "basis: ");
    let top = open.offered(OLD_AGE, &text.replace("subject: person\n", "‸\n"));
    has(&top, "subject", "subject: ");
    assert!(!labels(&top).contains(&"code"), "what stands there is not offered again");
    assert_eq!(labels(&open.offered(OLD_AGE, &text.replace("subject: person", "subject: ‸"))), ["entity", "household", "person"]);
    assert_eq!(labels(&open.offered(OLD_AGE, &text.replace("mode: automatic", "mode: au‸"))), ["automatic", "commit", "confirm", "review"]);
    has(&open.offered(OLD_AGE, &text.replace("basis: notice\n      when: not", "basis: ‸\n      when: not")), "notice", "notice");
    has(&open.offered(OLD_AGE, &text.replace("policy: 990100-MZ-0011", "policy: ‸")), "990100-MZ-0012", "990100-MZ-0012");
    has(&open.offered(OLD_AGE, &text.replace("region: \"990100\"", "region: ‸")), "990100", "\"990100\"");
    has(&open.offered(OLD_AGE, &text.replace("region: \"990100\"", "region: \"‸\"")), "990101", "990101");
    has(&open.offered(OLD_AGE, &text.replace("by: hukou_region", "by: hu‸")), "hukou_region", "hukou_region");
    let cases = open.open(OLD_AGE_CASES);
    let given = cases.replacen("given: {", "given: {‸", 1);
    has(&open.offered(OLD_AGE_CASES, &given), "sex", "sex: ");
    has(&open.offered(OLD_AGE_CASES, &cases.replacen("given: {", "given: {sex: ‸, ", 1)), "female", "female");
    has(&open.offered(OLD_AGE_CASES, &cases.replacen("verdict: no", "verdict: ‸", 1)), "unknown", "unknown");
    let register = open.open("registers/death.yaml");
    has(&open.offered("registers/death.yaml", &register.replacen("absence: complete", "absence: ‸", 1)), "partial", "partial");
    has(&open.offered("registers/death.yaml", &register.replacen("key: person_id", "key: ‸", 1)), "death_date", "death_date");
}

#[test]
fn words_lead_to_where_they_are_declared() {
    let mut open = Open::new(json!({}));
    let text = open.open(OLD_AGE);
    let own = |line: &str| vec![(OLD_AGE.to_owned(), line.to_owned())];
    let one = |file: &str, line: &str| vec![(file.to_owned(), line.to_owned())];
    assert_eq!(open.declared(OLD_AGE, &text, "id: alive", "notice"), own("- id: notice"));
    assert_eq!(open.declared(OLD_AGE, &text, "id: alive", "deceased"), one("registers/death.yaml", "- name: deceased"));
    assert_eq!(open.declared(OLD_AGE, &text, "id: alive", "death_month"), one("registers/computed.yaml", "name: death_month"));
    assert_eq!(
        open.declared(OLD_AGE, &text, "amount:", "old_age_allowance_90"),
        one("parameters/old-age.yaml", "- name: old_age_allowance_90")
    );
    let living = "990100/disability-living-allowance/policy.yaml";
    assert_eq!(open.declared(OLD_AGE, &text, "excludes:", "990100-MZ-0011"), one(living, "code: 990100-MZ-0011"));
    let region = open.declared(OLD_AGE, &text, "covers:", "990100");
    assert!(region[0].0 == "regions.yaml" && region[0].1.contains("样例市"), "{region:?}");
    assert_eq!(open.declared(OLD_AGE, &text, "covers:", "hukou_region"), one("registers/population.yaml", "- name: hukou_region"));
    let cases = open.open(OLD_AGE_CASES);
    assert_eq!(open.declared(OLD_AGE_CASES, &cases, "- name:", "满八十周岁"), own("code: 990100-MZ-0007"));
    let hiring = open.open(HIRING);
    let link = open.declared(HIRING, &hiring, "id: hires", "employees");
    assert_eq!(link, one("registers/links.yaml", "- name: employees"));
    let code = open.declared(HIRING, &hiring, "id: small", "'micro'");
    assert!(code[0].0 == "registers/legal_entity.yaml" && code[0].1.contains("micro:"), "{code:?}");
    assert_eq!(open.declared(HIRING, &hiring, "each:", "employees"), one("registers/links.yaml", "- name: employees"));
    assert!(open.declared(OLD_AGE, &text, "reading:", "年龄").is_empty());
}

/// The names of all that is inside a symbol, indented.
fn names(symbol: &Value, depth: usize, into: &mut Vec<String>) {
    for child in symbol["children"].as_array().into_iter().flatten() {
        into.push(format!("{}{}", "  ".repeat(depth), child["name"].as_str().expect("a name")));
        names(child, depth + 1, into);
    }
}

#[test]
fn the_outline_names_criteria_bases_and_amounts() {
    let mut open = Open::new(json!({}));
    open.open(HIRING);
    let hiring = path(open.policies.dir(), HIRING);
    let found = open.client.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri(&hiring)}}));
    assert_eq!(found[0]["name"], "990100-RS-0022 创业带动就业补贴");
    let mut all = Vec::new();
    names(&found[0], 0, &mut all);
    let expect = "covers|basis|  measures|criteria|  all|    registered|    any|      individual-business|      all|        enterprise|        small|    three-years|    hires|    credit|each|benefit|  amount|cap|delivery";
    assert_eq!(all.join("|"), expect);
}

#[test]
fn a_document_is_formatted_as_fmt_does() {
    let mut open = Open::new(json!({}));
    let text = open.open(OLD_AGE);
    let file = path(open.policies.dir(), OLD_AGE);
    let params = json!({"textDocument": {"uri": uri(&file)}, "options": {"tabSize": 2, "insertSpaces": true}});
    let untouched = open.client.ask("textDocument/formatting", params.clone());
    assert_eq!(untouched, json!([]));
    let untidy = text.replace("not deceased or", "NOT   deceased OR").replace("subject: person\n", "subject: person  \n\n\n\n");
    open.client.change(&file, json!([{"text": untidy}]));
    let edits = open.client.ask("textDocument/formatting", params.clone());
    let formatted = edited(&untidy, &edits);
    assert_eq!(formatted.replace("subject: person\n\n", "subject: person\n"), text);
    assert!(edits.as_array().is_some_and(|edits| edits.len() == 3), "only what changes: {edits}");
    open.client.change(&file, json!([{"text": "a: [1, 2\nb: 3\n"}]));
    assert_eq!(open.client.ask("textDocument/formatting", params), Value::Null, "what is no YAML stays");
}
