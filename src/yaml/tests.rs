//! Places inside scalars, in every style that policy authors write.

use super::parse;
use crate::diagnostic::SourceFile;

#[track_caller]
fn check(yaml: &str, inner: &str) {
    let file = SourceFile::new("t.yaml", yaml);
    let (node, diagnostics) = parse(&file);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let node = node.expect("a tree");
    let (_, value) = &node.mapping().expect("a mapping")[0];
    let text = value.text().expect("a scalar");
    let start = text.find(inner).expect("inner text");
    assert_eq!(value.place(start..start + inner.len()).text(), inner);
}

#[test]
fn plain_scalar() {
    check("when: age >= 八十 and 年龄 < 3 # note", "年龄");
}

#[test]
fn quoted_scalars() {
    check("when: 'kind = ''失业'' and age > 3'", "age");
    check("when: \"kind = \\\"x\\\" and 年龄 > 3\"", "年龄");
}

#[test]
fn block_scalars() {
    check("when: >-\n  age >= 80\n  and 本地户籍\n", "本地户籍");
    check("when: |\n  age >= 80\n  and hukou\n", "hukou");
}

#[test]
fn plain_scalar_over_two_lines() {
    check("when: age >= 80\n  and hukou", "hukou");
}

#[test]
fn what_a_reader_makes_has_the_place_of_its_node() {
    let (node, _) = parse(&SourceFile::new("t.yaml", "list: veteran\n"));
    let node = node.expect("a tree");
    let made = node.mapping().expect("a mapping")[0].1.made("not veteran or as_of < veteran_since");
    assert_eq!((made.place(4..11).text(), made.span().text(), made.is_made()), ("veteran", "veteran", true));
    assert!(!node.is_made());
}

#[test]
fn duplicate_key_is_told() {
    let file = SourceFile::new("t.yaml", "a: 1\na: 2\n");
    let (node, diagnostics) = parse(&file);
    assert!(node.is_some());
    assert_eq!(diagnostics[0].code.name, "duplicate-key");
    assert_eq!(diagnostics[0].primary.as_ref().map(|span| span.range.clone()), Some(5..6));
}

#[test]
fn broken_yaml_has_a_place() {
    let file = SourceFile::new("t.yaml", "a: [1, 2\nb: 3\n");
    let (node, diagnostics) = parse(&file);
    assert!(node.is_none());
    assert!(diagnostics[0].primary.is_some());
}

#[test]
fn what_is_nested_too_deeply_is_told_and_not_read() {
    let (node, told) = parse(&SourceFile::new("t.yaml", "a: ".to_owned() + &"[".repeat(100_000)));
    assert!(node.is_none() && told.len() == 1, "{told:?}");
    assert!(parse(&SourceFile::new("t.yaml", "a: ".to_owned() + &"[".repeat(90) + &"]".repeat(90))).1.is_empty());
}
