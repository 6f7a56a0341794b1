//! Values read exactly, overlaps told, and looked up by region, day and what was known.

use chrono::NaiveDate;

use super::{lookup, read_parameters, unique_names};
use crate::diagnostic::SourceFile;
use crate::policy::document::Parameter;
use crate::yaml;

fn day(text: &str) -> NaiveDate {
    yaml::parse_date(text).expect("a date")
}

/// The diagnostics of a file with one parameter whose values are `values`, each with the text at its place.
#[track_caller]
fn check(parameter_type: &str, values: &[&str], expected: &[(&str, &str)]) -> Vec<Parameter> {
    let lines: String = values.iter().map(|value| format!("      - {{{value}}}\n")).collect();
    check_file(&format!("parameters:\n  - name: line\n    label: 标准\n    type: {parameter_type}\n    values:\n{lines}"), expected)
}

#[track_caller]
fn check_file(text: &str, expected: &[(&str, &str)]) -> Vec<Parameter> {
    let (node, mut told) = yaml::parse(&SourceFile::new("parameters/t.yaml", text));
    let (parameters, mut more) = read_parameters(&node.expect("a tree"));
    told.append(&mut more);
    let parameters = unique_names(parameters, &mut told);
    let told: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
    assert_eq!(told, expected);
    parameters
}

#[track_caller]
fn check_number(parameter_type: &str, written: &str, expected: Result<(i64, u8), &str>) {
    let value = format!("region: \"990100\", from: 2024-01-01, value: {written}, status: sample");
    match expected {
        Ok(exact) => {
            let value = &check(parameter_type, &[&value], &[])[0].values[0];
            assert_eq!((value.digits, value.scale), exact, "{written}");
        }
        Err(code) => {
            check(parameter_type, &[&value], &[(code, written)]);
        }
    }
}

#[test]
fn numbers_are_exact() {
    check_number("money", "1020", Ok((102_000, 2)));
    check_number("money", "66.5", Ok((6650, 2)));
    check_number("money", "66.670", Ok((6667, 2)));
    check_number("money", "-1_000.05", Ok((-100_005, 2)));
    check_number("money", "66.675", Err("wrong-shape"));
    check_number("int", "36", Ok((36, 0)));
    check_number("int", "36.0", Ok((36, 0)));
    check_number("int", "36.5", Err("wrong-shape"));
    check_number("number", "0.055", Ok((55, 3)));
    check_number("number", "5.5%", Ok((55, 3)));
    check_number("number", "1.50", Ok((150, 2)));
    for wrong in ["many", "1e3", ".5", "1.", "1.2.3", "--1", "+1"] {
        check_number("number", wrong, Err("wrong-shape"));
    }
    check_number("int", "9223372036854775807", Ok((i64::MAX, 0)));
    check_number("int", "9223372036854775808", Err("number-out-of-range"));
    check_number("money", "99999999999999999999999999999999999999999999", Err("number-out-of-range"));
}

#[test]
fn overlapping_periods() {
    let open = "region: \"990100\", from: 2024-01-01, value: 1, status: sample";
    let later = "region: \"990100\", from: 2025-01-01, value: 2, status: sample";
    let elsewhere = "region: \"990101\", from: 2025-01-01, value: 2, status: sample";
    check("int", &[open, later], &[("overlapping-parameter", "2025-01-01")]);
    check("int", &[open, elsewhere], &[]);
    let ended = "region: \"990100\", from: 2024-01-01, to: 2025-01-01, value: 1, status: sample";
    check("int", &[ended, later], &[]);
    let first = "region: \"990100\", from: 2024-01-01, announced: 2023-12-01, value: 1, status: sample";
    let revised = "region: \"990100\", from: 2024-01-01, announced: 2024-03-01, value: 2, status: sample";
    check("int", &[first, revised], &[]);
    check("int", &[first, first], &[("overlapping-parameter", "2024-01-01")]);
    check("int", &[open, revised], &[("overlapping-parameter", "2024-01-01")]);
}

#[test]
fn mistakes_of_parameters() {
    check_file(
        "parameters:
  - {name: a, label: 甲, type: money, values: []}
  - {name: b, label: 乙, type: moeny, values: [{region: \"000000\", from: 2024-01-01, value: 1, status: sample}]}
  - {name: c, label: 丙, type: int, units: month, values: [{region: \"000000\", from: 2024-01-01, to: 2023-01-01, value: 1, status: text}]}
  - {name: a, label: 甲, type: int, values: [{from: 2024-01-01, value: 1, status: sample}]}
",
        &[
            ("parameter-without-value", "a"),
            ("wrong-shape", "moeny"),
            ("bad-period", "2023-01-01"),
            ("missing-key", "region"),
            ("unknown-key", "units"),
            ("missing-key", "from"),
            ("duplicate-name", "a"),
        ],
    );
}

#[test]
fn the_nearest_region_and_the_latest_known_value_win() {
    let parameters = check(
        "int",
        &[
            "region: \"990100\", from: 2024-01-01, to: 2025-01-01, value: 1, status: sample",
            "region: \"990100\", from: 2025-01-01, announced: 2024-12-20, value: 2, status: sample",
            "region: \"990100\", from: 2025-01-01, announced: 2025-06-20, value: 3, status: sample",
            "region: \"990101\", from: 2025-01-01, announced: 2024-12-20, value: 4, status: sample",
        ],
        &[],
    );
    let find = |chain: &[&str], on: &str, known: Option<&str>| {
        lookup(&parameters, "line", chain, day(on), known.map(day)).map(|value| value.digits)
    };
    let (county, other) = (["990101", "990100", "990000", "000000"], ["990102", "990100", "990000", "000000"]);
    assert_eq!(find(&county, "2025-01-01", None), Some(4));
    assert_eq!(find(&county, "2024-12-31", None), Some(1), "the county has none yet: the city's");
    assert_eq!(find(&other, "2025-01-01", None), Some(3));
    assert_eq!(find(&other, "2025-01-01", Some("2025-06-19")), Some(2));
    assert_eq!(find(&other, "2025-01-01", Some("2025-06-20")), Some(3));
    assert_eq!(find(&other, "2025-01-01", Some("2024-12-19")), None);
    assert_eq!(find(&other, "2023-12-31", None), None);
    assert!(lookup(&parameters, "lines", &county, day("2025-01-01"), None).is_none());
}
