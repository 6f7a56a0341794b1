//! What lints tell of whole policies, with days, regions and parameters in them, holds of every row on every day.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::check::bind::{Binder, days};
use crate::check::ir::{Number, Value};
use crate::check::{self, lints};
use crate::diagnostic::Diagnostic;
use crate::program::interpreter::{self, Answer};
use crate::register::declaration::SubjectKind;
use crate::{policy, region, register};

/// How many policies are made up, of how many conditions each, and how many rows are asked.
const POLICIES: usize = 150;
const ROWS: usize = 120;

const NUMBERS: [&str; 8] = ["0", "1", "12", "18", "59", "60", "61", "1020"];
const DAYS: [&str; 6] = ["1960-06-30", "1990-01-01", "2008-02-29", "2024-01-01", "2025-01-01", "2026-07-01"];
const REGIONS: [&str; 6] = ["990000", "990100", "990200", "990101", "990102", "990201"];
const OPS: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];

fn pick<'a>(random: &mut ChaCha8Rng, of: &[&'a str]) -> &'a str {
    of.choose(random).expect("some")
}

/// One condition over the facts of the book's world.
fn condition(random: &mut ChaCha8Rng) -> String {
    let op = pick(random, &OPS);
    match random.random_range(0..13) {
        0 | 1 => format!("age {op} {}", pick(random, &NUMBERS)),
        2 => format!("income {op} param('line')"),
        3 => format!("income {op} {}", pick(random, &NUMBERS)),
        4 => format!("param('line') {op} {}", pick(random, &["900", "1000", "1020", "1240"])),
        5 => format!("hukou_region in region('{}')", pick(random, &REGIONS)),
        6 => format!("as_of {op} {}", pick(random, &DAYS)),
        7 => format!("birth_date {op} {}", pick(random, &DAYS)),
        8 => format!("sex {} 'male'", pick(random, &["=", "!="])),
        9 => format!("pension_months {op} {}", pick(random, &NUMBERS)),
        10 => format!("disability_grade {op} {}", pick(random, &["1", "2", "4", "5"])),
        11 => pick(random, &["disabled", "severely_disabled", "deceased", "income is known", "birth_date is null"]).to_owned(),
        _ => format!("as_of {op} add_years(birth_date, {})", pick(random, &NUMBERS)),
    }
}

fn negated(random: &mut ChaCha8Rng) -> String {
    let condition = condition(random);
    if random.random_bool(0.25) { format!("not ({condition})") } else { condition }
}

/// A value that a register may give for a fact.
fn value(random: &mut ChaCha8Rng, fact: &str) -> Option<Value> {
    let day = |text: &str| days(text.parse::<NaiveDate>().expect("a date"));
    if random.random_bool(0.1) {
        return None;
    }
    Some(match fact {
        "sex" => Value::Text(pick(random, &["male", "female"]).into()),
        "birth_date" | "death_date" => Value::Date(day(pick(random, &DAYS)) + random.random_range(-2..3)),
        "hukou_region" => Value::Text(pick(random, &REGIONS).into()),
        "school_stage" => Value::Text("primary".into()),
        "income" => Value::Number(Number { digits: random.random_range(0..130_000), scale: 2 }),
        "pension_months" => Value::Number(Number::whole(random.random_range(0..100))),
        "disability_grade" => Value::Number(Number::whole(random.random_range(1..5))),
        _ => Value::Bool(random.random_bool(0.5)),
    })
}

fn write(dir: &Path, conditions: &[String]) {
    let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/book/world");
    for name in ["regions.yaml", "registers/population.yaml", "registers/computed.yaml", "parameters/standards.yaml"] {
        let to = dir.join(name);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(world.join(name), to).expect("copied");
    }
    let criteria: String = conditions
        .iter()
        .enumerate()
        .map(|(at, when)| format!("  - {{id: c{at}, clause: 条件, basis: measures, when: \"{when}\"}}\n"))
        .collect();
    let text = format!(
        "code: 990100-MZ-0001\nname: 津贴\nauthority: {{code: 990100-MZ, name: 民政局}}\ncovers: {{region: \"990100\", by: hukou_region}}\n\
         subject: person\nin_force: {{from: 2024-01-01, to: 2028-01-01}}\nbasis: [{{id: measures, title: 办法, status: sample}}]\n\
         criteria:\n{criteria}benefit: {{kind: cash, amount: 1, period: month, clause: 标准, basis: measures}}\ndelivery: {{mode: confirm}}\n"
    );
    fs::write(dir.join("policy.yaml"), text).expect("written");
}

/// Which criterion each finding of a code is about.
fn told_of(told: &[Diagnostic], codes: &[&str], conditions: &[String]) -> Vec<usize> {
    let of_code = told.iter().filter(|told| codes.contains(&told.code.name));
    let places = of_code.filter_map(|told| told.primary.as_ref());
    let line = |place: &crate::diagnostic::Span| place.file.line_column(place.range.start).0;
    places.map(|place| line(place) - 9).filter(|at| *at < conditions.len()).collect()
}

#[test]
fn what_lints_tell_holds_of_every_row() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut never, mut always, mut implied) = (0, 0, 0);
    for _ in 0..POLICIES {
        let conditions: Vec<String> = (0..random.random_range(1..5)).map(|_| negated(&mut random)).collect();
        let dir = tempfile::tempdir().expect("a folder");
        write(dir.path(), &conditions);
        let (set, told) = policy::load(dir.path());
        assert!(told.is_empty(), "{told:?}");
        let (regions, _) = region::load(dir.path());
        let (registers, _) = register::load(dir.path());
        let (checked, told) = check::check(Arc::new(registers), &set.policies, &set.parameters, &regions);
        assert!(told.is_empty(), "{told:?}");
        let lint =
            lints::Folder { checked: &checked, documents: &set.policies, parameters: &set.parameters, regions: &regions, cases: &[] };
        let told = lints::run(&lint);
        let is_never = !told_of(&told, &["never-holds", "contradictory-conditions"], &conditions).is_empty();
        let is_always = told_of(&told, &["always-holds"], &conditions);
        let is_implied = told_of(&told, &["implied-condition"], &conditions);
        never += usize::from(is_never);
        always += is_always.len();
        implied += is_implied.len();
        let (policies, policy) = (BTreeMap::new(), &checked.policies[0]);
        let mut catalogue = checked.catalogue.clone();
        for _ in 0..ROWS {
            let as_of = days(NaiveDate::from_ymd_opt(2024, 1, 1).expect("a date")) + random.random_range(0..1461);
            let as_of = NaiveDate::default() + chrono::TimeDelta::days(i64::from(as_of));
            let binder = Binder::new(as_of, None, &set.parameters, &regions, &policies);
            let facts = catalogue.facts(SubjectKind::Person).iter().map(|fact| value(&mut random, &fact.name)).collect::<Vec<_>>();
            let mut answer = |expr: &check::ir::Expr| {
                let expanded = catalogue.expand(&binder.bind(expr), SubjectKind::Person, 0, &|_| false);
                interpreter::evaluate(&expanded, &|fact| facts[fact].clone()).expect("small numbers")
            };
            if answer(&policy.coverage) != Some(Answer::Bool(true)) {
                continue;
            }
            let verdicts: Vec<Option<Answer>> = policy.leaves.iter().map(|(_, leaf)| answer(leaf)).collect();
            let (yes, no) = (Some(Answer::Bool(true)), Some(Answer::Bool(false)));
            assert!(!is_never || verdicts.iter().any(|verdict| *verdict != yes), "said never: {conditions:?} on {as_of}: {facts:?}");
            for at in &is_always {
                assert_ne!(verdicts[*at], no, "said always: {} on {as_of}: {facts:?}", conditions[*at]);
            }
            for at in &is_implied {
                let others = verdicts.iter().enumerate().filter(|(other, _)| !is_implied.contains(other)).map(|(_, verdict)| verdict);
                let others: Vec<&Option<Answer>> = others.collect();
                assert!(
                    verdicts[*at] == yes || others.iter().any(|verdict| **verdict != yes),
                    "said implied: {} in {conditions:?}",
                    conditions[*at]
                );
                assert!(
                    verdicts[*at] != no || others.contains(&&no),
                    "said it adds nothing: {} in {conditions:?}: {facts:?}",
                    conditions[*at]
                );
            }
        }
    }
    assert!(never > 20 && always > 10 && implied > 5, "{never} never, {always} always, {implied} implied");
}
