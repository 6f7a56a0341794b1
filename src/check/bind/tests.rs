//! What is kept between conditions changes nothing: each is bound as a binder bound it that had kept nothing.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Message, SourceFile, Span};
use crate::policy::document::{BasisStatus, ParameterType, ParameterValue};

const TREE: &str = r#"
regions:
  - {code: "990000", name: 样例省, level: province, from: 1949-10-01}
  - {code: "990100", name: 样例市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990200", name: 邻市, parent: "990000", level: prefecture, from: 1949-10-01}
  - {code: "990101", name: 东城区, parent: "990100", level: county, from: 1949-10-01}
  - {code: "990109", name: 云溪市, parent: "990100", level: county, from: 1949-10-01}
  - {code: "990110", name: 旧云县, parent: "990100", level: county, from: 1949-10-01, to: 2025-01-01, replaced_by: ["990109"]}
  - {code: "990111", name: 分县, parent: "990100", level: county, from: 1949-10-01, to: 2024-01-01, replaced_by: ["990101", "990202"]}
  - {code: "990201", name: 临江县, parent: "990200", level: county, from: 1949-10-01, to: 2020-01-01, replaced_by: ["990202"]}
  - {code: "990202", name: 临江区, parent: "990200", level: county, from: 2020-01-01}
  - {code: "990101001", name: 城关街道, parent: "990101", level: town, from: 1949-10-01}
"#;

const REGIONS: [&str; 12] =
    ["000000", "990000", "990100", "990200", "990101", "990109", "990110", "990111", "990201", "990202", "990101001", "123456"];
const PARAMETERS: [&str; 3] = ["line", "rate", "none"];

fn tree() -> RegionTree {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(TREE.as_bytes()).expect("written");
    let (tree, diagnostics) = crate::region::load(file.path());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    tree
}

fn day(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).expect("a day")
}

fn any_day() -> impl Strategy<Value = NaiveDate> {
    (2018_i32..2028, 1_u32..13).prop_map(|(year, month)| day(year, month))
}

fn place() -> Span {
    Span::new(&SourceFile::new("parameters.yaml", ""), 0..0)
}

prop_compose! {
    fn any_value()(
        region in prop::sample::select(&REGIONS[..]),
        from in any_day(),
        to in prop::option::of(any_day()),
        announced in prop::option::of(any_day()),
        digits in 0_i64..1000,
    ) -> ParameterValue {
        ParameterValue {
            region: region.to_owned(), region_place: place(), from, to, announced, digits,
            scale: 0, status: BasisStatus::Sample, source: None, place: place(),
        }
    }
}

fn parameter(name: &str, values: Vec<ParameterValue>) -> Parameter {
    Parameter {
        name: name.to_owned(),
        place: place(),
        label: Message::new(name, name),
        parameter_type: ParameterType::Number,
        unit: None,
        values,
    }
}

fn fact() -> Expr {
    Expr::new(Kind::Fact(0), Ty::Text)
}

fn any_open() -> impl Strategy<Value = Expr> {
    let within = prop::sample::select(&REGIONS[..])
        .prop_map(|region| Expr::new(Kind::InRegion { value: Box::new(fact()), region: region.into() }, Ty::Bool));
    let by_region = prop::sample::select(&PARAMETERS[..])
        .prop_map(|name| Expr::new(Kind::Parameter { name: name.into(), region: Some(Box::new(fact())) }, Ty::Number));
    let national =
        prop::sample::select(&PARAMETERS[..]).prop_map(|name| Expr::new(Kind::Parameter { name: name.into(), region: None }, Ty::Number));
    prop_oneof![within, by_region, national]
}

/// The value that was set for a region itself: of those that hold and were known, the latest announced.
fn plain_value<'a>(
    parameters: &'a [Parameter],
    name: &str,
    region: &str,
    on: NaiveDate,
    known: Option<NaiveDate>,
) -> Option<&'a ParameterValue> {
    let parameter = parameters.iter().find(|parameter| parameter.name == name)?;
    let holds = |value: &&ParameterValue| value.from <= on && value.to.is_none_or(|to| on < to);
    let was_known = |value: &&ParameterValue| known.is_none_or(|known| value.announced.is_none_or(|announced| announced <= known));
    let here = parameter.values.iter().filter(|value| value.region == region);
    here.filter(holds).filter(was_known).max_by_key(|value| (value.announced, value.from))
}

/// The numbers that a parameter has on a day, one code at a time, as the law reads.
fn plain_table(
    parameters: &[Parameter],
    regions: &RegionTree,
    name: &str,
    as_of: NaiveDate,
    known: Option<NaiveDate>,
) -> Vec<(Arc<str>, Number)> {
    let value = |code: &str| {
        let mut chain: Vec<String> = regions.successor(code, as_of).map(str::to_owned).into_iter().collect();
        chain.extend(regions.ancestors(code, as_of));
        chain.iter().find_map(|region| plain_value(parameters, name, region, as_of, known))
    };
    let number = |value: &ParameterValue| Number { digits: value.digits, scale: value.scale };
    regions.all_codes().filter_map(|code| value(code).map(|value| (code.into(), number(value)))).collect()
}

fn plain(parameters: &[Parameter], regions: &RegionTree, expr: &Expr, as_of: NaiveDate, known: Option<NaiveDate>) -> Kind {
    let texts = |codes: Vec<String>| -> Texts { codes.into_iter().map(Into::into).collect() };
    match &expr.kind {
        Kind::Parameter { name, region: Some(value) } => {
            Kind::TextMap { value: value.clone(), map: plain_table(parameters, regions, name, as_of, known).into() }
        }
        Kind::Parameter { name, region: None } => {
            let found = plain_table(parameters, regions, name, as_of, known).into_iter().find(|(code, _)| &**code == COUNTRY);
            found.map_or(Kind::Unknown, |(_, number)| Kind::Literal(Value::Number(number)))
        }
        Kind::InRegion { value, region } => {
            let inside = Kind::TextIn { value: value.clone(), set: texts(regions.members(region, as_of)) };
            let undecided = texts(regions.undecided(region, as_of));
            if undecided.is_empty() {
                return inside;
            }
            let split = Kind::TextIn { value: value.clone(), set: undecided };
            let unknown = Expr::new(Kind::Unknown, Ty::Bool);
            Kind::Case { branches: vec![(Expr::new(split, Ty::Bool), unknown)], otherwise: Some(Box::new(Expr::new(inside, Ty::Bool))) }
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn what_is_kept_changes_nothing(
        values in prop::collection::vec(any_value(), 0..12),
        exprs in prop::collection::vec(any_open(), 1..12),
        as_of in any_day(),
        known_at in prop::option::of(any_day()),
    ) {
        let (line, rate) = values.split_at(values.len() / 2);
        let parameters = [parameter("line", line.to_vec()), parameter("rate", rate.to_vec())];
        let regions = tree();
        let policies = BTreeMap::new();
        let binder = Binder::new(as_of, known_at, &parameters, &regions, &policies);
        for expr in &exprs {
            let expect = plain(&parameters, &regions, expr, as_of, known_at);
            prop_assert_eq!(&binder.bind(expr).kind, &expect);
            prop_assert_eq!(&binder.bind(expr).kind, &expect);
        }
    }
}

/// Compiles only while nothing that is kept borrows from what the binder was made of.
#[test]
fn a_binder_may_be_lent_for_less_time() {
    fn lent<'a>(binder: &'a Binder<'static>) -> &'a Binder<'a> {
        binder
    }
    let regions: &'static RegionTree = Box::leak(Box::new(tree()));
    let policies: &'static BTreeMap<String, CheckedPolicy> = Box::leak(Box::default());
    assert_eq!(lent(&Binder::new(day(2026, 6), None, &[], regions, policies)).value("line", COUNTRY), None);
}

#[test]
fn conditions_that_name_one_parameter_share_its_table() {
    let regions = tree();
    let value = ParameterValue {
        region: "990100".to_owned(),
        region_place: place(),
        from: day(2020, 1),
        to: None,
        announced: None,
        digits: 7,
        scale: 0,
        status: BasisStatus::Sample,
        source: None,
        place: place(),
    };
    let parameters = [parameter("line", vec![value])];
    let policies = BTreeMap::new();
    let binder = Binder::new(day(2026, 6), None, &parameters, &regions, &policies);
    let open = Expr::new(Kind::Parameter { name: "line".into(), region: Some(Box::new(fact())) }, Ty::Number);
    let (Kind::TextMap { map: one, .. }, Kind::TextMap { map: other, .. }) = (binder.bind(&open).kind, binder.bind(&open).kind) else {
        panic!("a table each");
    };
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(one.iter().find(|(code, _)| &**code == "990101001").map(|(_, number)| number.digits), Some(7));
}
