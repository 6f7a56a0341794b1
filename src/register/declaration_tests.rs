//! A folder of declarations, and the mistakes of its authors.

use super::*;
use crate::criteria::ast::ExprKind;

const PENSION: &str = "register: pension
label: {zh: 养老, en: Pensions}
kept_by: 人社局
subject: person
key: person_id
row_is: one spell
time: {valid: [from_month, to_month]}
absence: complete
coverage: {regions: ['990000'], from: 2010-01}
fresh_within: 40 days
unique: [person_id, from_month]
columns:
  - {name: person_id, type: person_id, required: true}
  - {name: kind, type: code, codes: {employee: 职工, resident: {zh: 居民, en: Resident}}}
  - {name: from_month, type: month, required: true}
  - {name: to_month, type: month, null_is: still paid}
  - {name: base, type: money, unit: CNY/month, minimum: 0}
facts:
  - {name: pension_kind, label: 养老类别, type: code, is: latest(kind by from_month), changeable: no}
  - {name: pension_base, label: 基数, type: money, unit: CNY/month, is: sum(base) where kind = 'employee', changeable: no}
";

const LINKS: &str = "links:
  - {name: self, from: person, to: person, register: pension, from_column: person_id, to_column: person_id, where: from_month <= as_of, label: 本人}
";

const COMPUTED: &str = "facts:
  - {subject: person, name: pensioner, label: 领养老金, type: bool, is: pension_base > 0, changeable: no}
";

fn read(files: &[(&str, &str)]) -> (Registers, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let (registers, diagnostics) = load(dir.path());
    (registers, diagnostics.iter().map(|found| format!("{}: {}", found.code.name, found.headline.en)).collect())
}

#[test]
fn a_folder_is_read() {
    let (registers, diagnostics) = read(&[("pension.yaml", PENSION), ("links.yaml", LINKS), ("computed.yaml", COMPUTED)]);
    assert_eq!(diagnostics, Vec::<String>::new());
    let register = &registers.registers["pension"];
    assert_eq!(register.time, RegisterTime::Valid("from_month".into(), "to_month".into()));
    assert_eq!(register.coverage_from, parse_date("2010-01-01"));
    assert_eq!(register.fresh_within_days, Some(40));
    assert_eq!(register.facts[0].codes_of.as_deref(), Some("kind"));
    let base = &register.facts[1];
    assert!(matches!(&base.is.expr.kind, ExprKind::Call(call) if call.filter.is_none()));
    let filter = base.filter.as_ref().expect("the filter was moved");
    assert_eq!(filter.node.place(filter.expr.range.clone()).text(), "kind = 'employee'");
    assert!(registers.link(SubjectKind::Person, "self").is_some());
    assert_eq!(registers.computed[0].name, "pensioner");
}

#[track_caller]
fn check_mistake(from: &str, to: &str, expect: &[&str]) {
    assert!(PENSION.contains(from), "{from}");
    let (_, diagnostics) = read(&[("pension.yaml", &PENSION.replacen(from, to, 1)), ("links.yaml", LINKS)]);
    let names: Vec<&str> = diagnostics.iter().map(|found| found.split(':').next().unwrap_or_default()).collect();
    assert_eq!(names, expect, "{diagnostics:?}");
}

#[test]
fn mistakes_are_told() {
    check_mistake("register: pension", "register: pensions", &["wrong-shape"]);
    check_mistake("key: person_id", "key: person", &["unknown-fact"]);
    check_mistake("key: person_id", "key: base", &["type-mismatch"]);
    check_mistake("[from_month, to_month]", "[from_month]", &["wrong-shape"]);
    check_mistake("[from_month, to_month]", "[from_month, till]", &["unknown-fact"]);
    check_mistake("unique: [person_id, from_month]", "unique: [id]", &["unknown-fact"]);
    check_mistake("absence: complete", "absence: full", &["wrong-shape"]);
    check_mistake("fresh_within: 40 days", "fresh_within: soon", &["wrong-shape"]);
    check_mistake("kept_by: 人社局\n", "", &["missing-key"]);
    check_mistake("kept_by", "keeper", &["missing-key", "unknown-key"]);
    check_mistake("{name: base, type: money", "{name: kind, type: money", &["duplicate-name"]);
    check_mistake("{name: base, type: money", "{name: base, type: cash", &["wrong-shape"]);
    check_mistake(", codes: {employee: 职工, resident: {zh: 居民, en: Resident}}", "", &["missing-key"]);
    check_mistake("unit: CNY/month, minimum: 0", "minimum: 3, maximum: 2", &["number-out-of-range"]);
    check_mistake("name: pension_base", "name: pension_kind", &["duplicate-name"]);
    check_mistake("sum(base) where", "sum(base where", &["expression-syntax"]);
    check_mistake("kind = 'employee', changeable", "kind = 'employee', where: base > 0, changeable", &["duplicate-key"]);
    check_mistake("is: latest(kind by from_month)", "is: count()", &["missing-key"]);
}

#[test]
fn links_and_agreements_name_what_exists() {
    let links = LINKS.replace("register: pension", "register: pensoin");
    let (_, diagnostics) = read(&[("pension.yaml", PENSION), ("links.yaml", &links)]);
    assert_eq!(diagnostics, ["unknown-register: there is no register `pensoin`"]);
    let links = LINKS.replace("to_column: person_id", "to_column: base");
    let (_, diagnostics) = read(&[("pension.yaml", PENSION), ("links.yaml", &links)]);
    assert_eq!(diagnostics, ["type-mismatch: to_column: column `base` does not identify a person"]);
}
