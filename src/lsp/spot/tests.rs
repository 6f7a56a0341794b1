//! Spots in complete files and in files that are being typed.

use super::{Kind, Spot, top_value};
use crate::diagnostic::SourceFile;
use crate::yaml;

/// A file with its cursor, which is written `‸`.
fn cursor(text: &str) -> (String, usize) {
    let at = text.find('‸').expect("a cursor");
    (text.replacen('‸', "", 1), at)
}

#[track_caller]
fn before(text: &str, keys: &str, kind: Kind, typed: &str) -> Spot {
    let (file, at) = cursor(text);
    let spot = Spot::before(&file, at).expect("a spot");
    assert_eq!((spot.keys().join("."), spot.kind, spot.text.as_str()), (keys.to_owned(), kind, typed));
    spot
}

#[track_caller]
fn nothing(text: &str) {
    let (file, at) = cursor(text);
    assert_eq!(Spot::before(&file, at), None);
}

#[track_caller]
fn in_tree(text: &str, keys: &str, kind: Kind, whole: &str) -> Spot {
    let (file, offset) = cursor(text);
    let (root, told) = yaml::parse(&SourceFile::new("t.yaml", file.as_str()));
    assert!(told.is_empty(), "{told:?}");
    let spot = Spot::in_tree(&root.expect("a tree"), offset).expect("a spot");
    assert_eq!((spot.keys().join("."), spot.kind, spot.text.as_str()), (keys.to_owned(), kind, whole));
    spot
}

#[test]
fn values_in_blocks() {
    before("code: ‸", "code", Kind::Value, "");
    before("code: 990‸100\n", "code", Kind::Value, "990");
    before("criteria:\n  all:\n    - id: age\n      when: age >= ‸\n", "criteria.all.-.when", Kind::Value, "age >= ");
    before("criteria:\n- id: age\n  when: 年龄 ‸", "criteria.-.when", Kind::Value, "年龄 ");
    before("a:\n  b: 1\nbenefit:\n  kind: c‸", "benefit.kind", Kind::Value, "c");
}

#[test]
fn keys_and_words_without_a_colon() {
    let spot = before("criteria:\n  all:\n    - id: age\n      cl‸\n      basis: law\n", "criteria.all.-", Kind::Either, "cl");
    assert_eq!(spot.siblings, [("id", "age"), ("basis", "law")].map(|(key, value)| (key.to_owned(), value.to_owned())));
    before("benefit:\n  ‸\n", "benefit", Kind::Either, "");
    before("benefit:\n  kind: cash\n  ‸", "benefit", Kind::Either, "");
    before("benefit:\n  kind: cash\n‸", "", Kind::Either, "");
    before("benefit:\n  kind: cash\nde‸", "", Kind::Either, "de");
    before("requires:\n  - ‸", "requires.-", Kind::Either, "");
    before("requires:\n  - 9901‸", "requires.-", Kind::Either, "9901");
    before("criteria:\n  all:\n    - id: a\n      when: b\n    - ‸", "criteria.all.-", Kind::Either, "");
    let first = before("all:\n  - id: a\n    when: b\n  - i‸\n    when: c\n", "all.-", Kind::Either, "i");
    assert_eq!(first.siblings, [("when".to_owned(), "c".to_owned())]);
}

#[test]
fn braces_and_brackets() {
    let spot = before("excludes:\n  - {policy: A, keep: ‸", "excludes.-.keep", Kind::Value, "");
    assert_eq!(spot.sibling("policy"), Some("A"));
    before("excludes:\n  - {policy: 9901‸, keep: highest}", "excludes.-.policy", Kind::Value, "9901");
    before("covers: {region: \"9901‸", "covers.region", Kind::Value, "9901");
    before("covers: {region: \"990100\", b‸}", "covers", Kind::Key, "b");
    before("policies: [A, ‸", "policies.-", Kind::Value, "");
    before("codes: {\n  pension: {zh: 职‸", "codes.pension.zh", Kind::Value, "职");
    before("- {id: a, when: \"max(x, ‸\"}", "-.when", Kind::Value, "max(x, ");
    before("given: {birth_date: 1946-03-31, 户籍‸}", "given", Kind::Key, "户籍");
    nothing("covers: {region: '990100'} ‸");
    nothing("covers: {region: '990100' ‸");
}

#[test]
fn scalars_over_several_lines() {
    before("when: >-\n  age >= 80\n  and ‸\n", "when", Kind::Value, "age >= 80\n  and ");
    before("when: age >= 80\n  and hu‸", "when", Kind::Value, "age >= 80\n  and hu");
    before("when: \"age >= 80\n  and hu‸", "when", Kind::Value, "age >= 80\n  and hu");
    before("when: |\n  age\nnext: ‸", "next", Kind::Value, "");
}

#[test]
fn quotes_are_decoded() {
    let spot = before("when: 'kind = ''失业‸", "when", Kind::Value, "kind = '失业");
    let at = spot.text.find("失业").expect("the word");
    assert_eq!(spot.place(&(at..spot.text.len())), 16..22);
    before("when: \"kind = \\\"a‸", "when", Kind::Value, "kind = \"a");
}

#[test]
fn no_spot_in_comments_and_behind_closed_scalars() {
    nothing("# co‸");
    nothing("code: 1 # co‸");
    nothing("code: 'a' ‸");
}

#[test]
fn whatever_stands_in_front() {
    before("a: [1, 2\nb: {\n  - : ::\n\n}]\nwhen: x‸", "when", Kind::Value, "x");
    for text in ["‸", "\t‸", "- - ‸", "{‸", "}‸", "'‸", ": ‸", "-‸", "|‸", "? ‸", "&a ‸", "é: {é: 'é‸"] {
        let (file, at) = cursor(text);
        let _ = Spot::before(&file, at);
    }
}

#[test]
fn complete_scalars() {
    let spot = in_tree("criteria:\n  all:\n    - {id: a, when: 年‸龄 >= 80}\n", "criteria.all.-.when", Kind::Value, "年龄 >= 80");
    assert_eq!(spot.sibling("id"), Some("a"));
    assert_eq!(spot.place(&(0..6)), 37..43);
    in_tree("covers: {re‸gion: '1'}", "covers", Kind::Key, "region");
    in_tree("when: 'kind = ''失‸业'''", "when", Kind::Value, "kind = '失业'");
    in_tree("requires: [A, B‸]", "requires.-", Kind::Value, "B");
}

#[test]
fn values_at_the_top() {
    let text = "name: x\nsubject: person # who\ncode: '1'\nempty:\n";
    assert_eq!((top_value(text, "subject"), top_value(text, "code")), (Some("person"), Some("1")));
    assert_eq!((top_value(text, "empty"), top_value(text, "no")), (None, None));
}
