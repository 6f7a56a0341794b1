//! A small world for tests of lints: a few facts, two parameters, two cities.

use std::fs;
use std::sync::Arc;

use super::{Folder, run};
use crate::check;
use crate::diagnostic::Diagnostic;
use crate::{policy, region, register};

const REGIONS: &str = r#"
regions:
  - {code: "990000", name: 样例省, level: province, from: 1949-10-01}
  - {code: "990100", name: 样例市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990200", name: 邻市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990101", name: 东城区, parent: "990100", level: county, from: 1949-10-01}
  - {code: "990201", name: 临江县, parent: "990200", level: county, from: 1949-10-01}
"#;

const POPULATION: &str = "
register: population
label: 人口库
kept_by: 公安局
subject: person
key: person_id
row_is: one person
time: {state: true}
absence: partial
unique: [person_id]
columns:
  - {name: person_id, type: person_id, required: true, label: 身份号码}
  - {name: sex, type: code, label: 性别, codes: {male: 男, female: 女}}
  - {name: birth_date, type: date, label: 出生日期}
  - {name: hukou_region, type: region, label: 户籍所在地}
  - {name: deceased, type: bool, label: 死亡}
  - {name: disabled, type: bool, label: 残疾}
  - {name: income, type: money, unit: CNY/month, label: 收入}
  - {name: months, type: int, unit: month, minimum: 0, label: 缴费月数}
  - {name: grade, type: code, label: 等级, codes: {a: 甲, b: 乙, c: 丙}}
facts:
  - {name: sex, label: 性别, type: code, is: sex, changeable: no}
  - {name: birth_date, label: 出生日期, type: date, is: birth_date, changeable: no}
  - {name: hukou_region, label: 户籍所在地, type: region, is: hukou_region, changeable: no}
  - {name: deceased, label: 死亡, type: bool, is: deceased, changeable: no}
  - {name: disabled, label: 残疾, type: bool, is: disabled, changeable: no}
  - {name: income, label: 月收入, type: money, unit: CNY/month, is: income, changeable: no}
  - {name: pension_months, label: 养老缴费月数, type: int, unit: month, is: months, changeable: no}
  - {name: monthly_months, label: 缴费月数, type: int, unit: month, is: months, changeable: no}
  - {name: grade, label: 等级, type: code, is: grade, changeable: no}
";

const PARAMETERS: &str = r#"
parameters:
  - name: line
    label: 标准
    type: money
    unit: CNY/month
    values:
      - {region: "990100", from: 2020-01-01, to: 2025-01-01, value: 900, status: sample}
      - {region: "990100", from: 2025-01-01, value: 1020, status: sample}
      - {region: "990101", from: 2024-01-01, value: 560, status: sample}
      - {region: "990200", from: 2020-01-01, value: 100, status: sample}
"#;

/// A policy with one criterion and an amount.
pub(super) fn policy(clause: &str, when: &str, amount: &str) -> String {
    format!(
        "code: 990100-MZ-0001
name: 津贴
authority: {{code: 990100-MZ, name: 样例市民政局}}
covers: {{region: \"990100\", by: hukou_region}}
subject: person
in_force: {{from: 2024-01-01}}
basis: [{{id: measures, title: 津贴办法, status: sample}}]
criteria:
  - {{id: only, clause: {clause}, basis: measures, when: \"{when}\"}}
benefit: {{kind: cash, amount: \"{amount}\", period: month, clause: 标准, basis: measures}}
delivery: {{mode: confirm}}
"
    )
}

/// What lints tell of some policies, with `more` files beside them.
pub(super) fn told(policies: &[&str], more: &[(&str, &str)]) -> Vec<Diagnostic> {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    write("regions.yaml", REGIONS);
    write("registers/population.yaml", POPULATION);
    write("parameters/line.yaml", PARAMETERS);
    for (number, text) in policies.iter().enumerate() {
        write(&format!("{number}/policy.yaml"), text);
    }
    for (name, text) in more {
        write(name, text);
    }
    let (set, mut told) = policy::load(dir.path());
    let (regions, faults) = region::load(dir.path());
    told.extend(faults);
    let (registers, faults) = register::load(dir.path());
    told.extend(faults);
    let (checked, faults) = check::check(Arc::new(registers), &set.policies, &set.parameters, &regions);
    told.extend(faults);
    assert!(told.is_empty(), "{told:?}");
    let cases: Vec<_> = set.policies.iter().map(|policy| policy::load_cases(policy).0).collect();
    let folder = Folder { checked: &checked, documents: &set.policies, parameters: &set.parameters, regions: &regions, cases: &cases };
    let is_spare = |told: &Diagnostic| told.code.name == "unused-parameter" && told.headline.en.contains("`line`");
    run(&folder).into_iter().filter(|told| !is_spare(told)).collect()
}

/// Compares codes and places with what is expected.
#[track_caller]
pub(super) fn check_told(told: &[Diagnostic], expect: &[(&str, &str)]) {
    let found: Vec<(&str, &str)> =
        told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
    let headlines: Vec<&str> = told.iter().map(|told| told.headline.en.as_str()).collect();
    assert_eq!(found, expect, "{headlines:#?}");
    for one in told {
        assert!(!one.headline.zh.is_empty() && !one.headline.en.is_empty());
    }
}

/// What is told of one criterion.
#[track_caller]
pub(super) fn check(when: &str, expect: &[(&str, &str)]) {
    check_told(&told(&[&policy("条件", when, "100")], &[]), expect);
}

/// What is told of an amount for those who meet a criterion.
#[track_caller]
pub(super) fn check_amount(when: &str, amount: &str, expect: &[(&str, &str)]) {
    check_told(&told(&[&policy("条件", when, amount)], &[]), expect);
}

/// What is told of a criterion beside its clause.
#[track_caller]
pub(super) fn check_clause(clause: &str, when: &str, expect: &[(&str, &str)]) {
    check_told(&told(&[&policy(clause, when, "100")], &[]), expect);
}
