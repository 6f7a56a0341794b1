//! Tables of cases and the mistakes in them.

use std::fs;

use super::{letters, load};

#[track_caller]
fn check(text: &[u8], names: &[&str], told: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cases.csv");
    fs::write(&path, text).expect("the file can be written");
    let found = load(&path);
    assert_eq!(found.cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), names);
    let helps =
        found.diagnostics.iter().map(|told| format!("{}: {}", told.code.name, told.help.last().map_or("", |help| help.en.as_str())));
    assert_eq!(helps.collect::<Vec<_>>(), told);
}

const HEAD: &str = "案例,判定日,出生日期,应为判定,expect.amount,应缺事实,理由\n";

#[test]
fn a_row_is_a_case() {
    let text = format!(
        "\u{feff}{HEAD}满八十,2026/3/1,1946年3月31日,yes,60,,\"当月起, 见\"\"通知\"\"\"\n\n未知,2026-03-01,,unknown,,birth_date；deceased,\n"
    );
    check(text.as_bytes(), &["满八十", "未知"], &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cases.csv");
    fs::write(&path, &text).expect("the file can be written");
    let cases = load(&path).cases;
    assert_eq!(cases[0].as_of.to_string(), "2026-03-01");
    assert_eq!(cases[0].given[0].0, "出生日期");
    assert_eq!(cases[0].given[0].1.text(), Some("1946-03-31"));
    assert_eq!(cases[0].because.as_deref(), Some("当月起, 见\"通知\""));
    assert_eq!(cases[1].expect.missing.as_ref().map(|(names, _)| names.join(" ")), Some("birth_date deceased".to_owned()));
    assert!(cases[1].given.is_empty());
}

#[test]
fn gb_18030_is_read() {
    let text = format!("{HEAD}满八十,2026-03-01,1946-03-31,是,60,,通知\n");
    let (bytes, ..) = encoding_rs::GB18030.encode(&text);
    check(&bytes, &["满八十"], &[]);
}

#[test]
fn mistakes_are_told_by_row_and_column() {
    let text = format!("{HEAD}一,2026-02-30,1946-03-31,yes,60,,\n二,2026-03-01,1946-03-31,maybe,六十,,\n三,,1946-03-31,yes,60,,\n");
    check(
        text.as_bytes(),
        &["二"],
        &[
            "wrong-shape: row 2, column B (判定日)",
            "wrong-shape: row 3, column D (应为判定)",
            "wrong-shape: row 3, column E (expect.amount)",
            "missing-key: row 4, column A (案例)",
        ],
    );
    check(b"a,b\n1,2\n", &[], &["wrong-shape: the first row must head the columns `name`, `as_of` and `expect.verdict`"]);
}

#[test]
fn columns_have_letters() {
    assert_eq!([0, 25, 26, 51, 52, 701, 702].map(letters), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
}
