//! Expressions against facts, columns and links declared for the purpose.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::check;
use crate::region::RegionTree;
use crate::register;
use crate::yaml::Texts;

const POPULATION: &str = "\
register: population
label: 人口
kept_by: 公安局
subject: person
key: person_id
time: {state: true}
absence: complete
unique: [person_id]
columns:
  - {name: person_id, type: person_id}
  - {name: sex, type: code, codes: {male: 男, female: 女}}
  - {name: lives_in, type: region}
  - {name: household_id, type: household_id}
facts:
  - {name: sex, label: 性别, type: code, is: sex, changeable: no}
  - {name: residence_region, label: 居住地, type: region, is: lives_in, changeable: no}
";

const LINKS: &str = "\
links:
  - {name: household, label: 家庭, from: person, to: household, register: population, from_column: person_id, to_column: household_id}
  - {name: members, label: 成员, from: household, to: person, register: population, from_column: household_id, to_column: person_id, many: true}
";

fn catalogue() -> Catalogue {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("registers");
    std::fs::create_dir(&dir).expect("made");
    let mut texts = Texts::default();
    texts.put(dir.join("population.yaml"), POPULATION);
    texts.put(dir.join("links.yaml"), LINKS);
    let (registers, told) = register::load_with(Path::new(folder.path()), &texts);
    assert!(told.is_empty(), "{told:?}");
    let (checked, told) = check::check(Arc::new(registers), &[], &[], &RegionTree::default());
    assert!(told.is_empty(), "{told:?}");
    checked.catalogue
}

fn names(kind: SubjectKind) -> Names {
    Names { register: None, facts: Some(kind) }
}

/// Each word that means something, with what it means.
#[track_caller]
fn check(kind: SubjectKind, text: &str, expect: &[(&str, &str)]) {
    let catalogue = catalogue();
    let shown = |meaning: &Meaning| match meaning {
        Meaning::Fact(id) => format!("fact {}", catalogue.fact(*id).name),
        Meaning::Column { register, column } => format!("column {register}.{column}"),
        Meaning::Link(link) => format!("link {}", catalogue.registers.links[*link].name),
        Meaning::Function(name) => format!("function {name}"),
        Meaning::Builtin(name) => format!("builtin {name}"),
        Meaning::Parameter(name) => format!("parameter {name}"),
        Meaning::Policy(code) => format!("policy {code}"),
        Meaning::Region(code) => format!("region {code}"),
        Meaning::Code(_, code) => format!("code {code}"),
        Meaning::Unknown(name) => format!("unknown {name}"),
    };
    let found = meanings(text, &names(kind), &catalogue);
    let found: Vec<(&str, String)> = found.iter().map(|(range, meaning)| (&text[range.clone()], shown(meaning))).collect();
    let expect: Vec<(&str, String)> = expect.iter().map(|(word, meaning)| (*word, (*meaning).to_owned())).collect();
    assert_eq!(found, expect);
}

/// What is expected at the end of a text, in short, and the word that is being typed.
#[track_caller]
fn ends(kind: SubjectKind, text: &str, expect: &str, typed: &str) {
    let catalogue = catalogue();
    let (found, begin) = expected(text, &names(kind), &catalogue);
    let shown = match found {
        Expected::Value(Names { register, facts }) => {
            format!(
                "value of {}{}",
                register.map(|register| format!("{register} and ")).unwrap_or_default(),
                facts.map_or("", SubjectKind::name)
            )
        }
        Expected::Aggregate => "aggregate".to_owned(),
        Expected::Operator => "operator".to_owned(),
        Expected::Argument { of, quoted } => format!("{of} {quoted}"),
        Expected::Code { quoted, .. } => format!("code {quoted}"),
        Expected::Nothing => "nothing".to_owned(),
    };
    assert_eq!((shown.as_str(), &text[begin..]), (expect, typed));
}

#[test]
fn names_of_a_person() {
    let person = SubjectKind::Person;
    check(person, "性别 = '女' and age >= 60", &[("性别", "fact sex"), ("'女'", "code 女"), ("age", "builtin age")]);
    check(person, "sex in ('male', 'x')", &[("sex", "fact sex"), ("'male'", "code male"), ("'x'", "code x")]);
    check(
        person,
        "居住地 属于 地区('990100')",
        &[("居住地", "fact residence_region"), ("地区", "function region"), ("'990100'", "region 990100")],
    );
    check(person, "residence_region = '990101'", &[("residence_region", "fact residence_region"), ("'990101'", "region 990101")]);
    check(
        person,
        "param('line') > 3 or 享受('A-1')",
        &[("param", "function param"), ("'line'", "parameter line"), ("享受", "function entitled"), ("'A-1'", "policy A-1")],
    );
    check(person, "nothing = 'x'", &[("nothing", "unknown nothing")]);
}

#[test]
fn names_behind_links_and_in_quantifiers() {
    let person = SubjectKind::Person;
    check(
        person,
        "household.members.count(性别 = 'male' and lives_in = '990101') > 1 and sex = 'x'",
        &[
            ("household", "link household"),
            ("members", "link members"),
            ("count", "function count"),
            ("性别", "fact sex"),
            ("'male'", "code male"),
            ("lives_in", "column population.lives_in"),
            ("'990101'", "region 990101"),
            ("sex", "fact sex"),
            ("'x'", "code x"),
        ],
    );
    check(
        SubjectKind::Household,
        "(members.count() where sex = 'male') > 1 or sex = 1",
        &[
            ("members", "link members"),
            ("count", "function count"),
            ("sex", "column population.sex"),
            ("'male'", "code male"),
            ("sex", "unknown sex"),
        ],
    );
}

#[test]
fn what_is_expected_while_typing() {
    let person = SubjectKind::Person;
    ends(person, "", "value of person", "");
    ends(person, "ag", "value of person", "ag");
    ends(person, "age >= 80 an", "operator", "an");
    ends(person, "年龄 ", "operator", "");
    ends(person, "not 性", "value of person", "性");
    ends(person, "household.", "value of household", "");
    ends(person, "household.inc", "value of household", "inc");
    ends(person, "household.members.", "aggregate", "");
    ends(person, "household.members.count(", "value of population and person", "");
    ends(person, "max(1, ", "value of person", "");
    ends(person, "age >= 8", "nothing", "");
}

#[test]
fn texts_that_are_expected_while_typing() {
    let person = SubjectKind::Person;
    ends(person, "sex = ", "code false", "");
    ends(person, "sex = '", "code true", "");
    ends(person, "sex = 'fe", "code true", "fe");
    ends(person, "sex in ('male', “", "code true", "");
    ends(person, "sex in (", "code false", "");
    ends(person, "residence_region = '9901", "code true", "9901");
    ends(person, "param(", "param false", "");
    ends(person, "param('old_", "param true", "old_");
    ends(person, "param('x', ", "value of person", "");
    ends(person, "享受('9", "entitled true", "9");
    ends(person, "x in region('", "region true", "");
    ends(person, "age = '", "nothing", "");
}
