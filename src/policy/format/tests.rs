//! Texts before and after.

use super::format;
use crate::diagnostic::{Lang, SourceFile};

#[track_caller]
fn formatted(text: &str, words: Lang) -> String {
    let once = format(&SourceFile::new("policy.yaml", text), words).expect("sound YAML");
    let twice = format(&SourceFile::new("policy.yaml", once.text.as_str()), words).expect("sound YAML");
    assert_eq!((twice.text.as_str(), twice.changed), (once.text.as_str(), false), "a second time changes nothing");
    assert_eq!(once.changed, once.text != text);
    once.text
}

/// A policy with one condition.
fn condition(when: &str) -> String {
    format!("criteria:\n  - id: a\n    when: {when}\nbenefit: {{kind: service}}\n")
}

#[track_caller]
fn check(when: &str, expected: &str) {
    assert_eq!(formatted(&condition(when), Lang::En), condition(expected));
}

#[test]
fn expressions_are_respelled() {
    check("年龄  ≥ 60 且 (残疾)", "age >= 60 and 残疾");
    check("'age > 3'", "age > 3");
    check("\"a = 'b'\"   # why", "a = 'b'   # why");
    check("'''a'' = b'", "\"'a' = b\"");
    check("x>=1_000_000 and share<=5.5%", "x >= 1_000_000 and share <= 5.5%");
}

#[test]
fn what_stays() {
    for when in ["age >= 60", "|\n      age>=60\n      and poor", ">-\n      age >= 60  and\n      poor", "'age>3 # years'"] {
        check(when, when);
    }
    check("age >= and", "age >= and");
}

#[test]
fn chinese_words() {
    assert_eq!(formatted(&condition("age >= 60 and not poor"), Lang::Zh), condition("年龄 >= 60 且 非 poor"));
}

#[test]
fn quotes_inside_braces() {
    let text = "criteria: [{id: a, when: \"max(x,y)>3\"}]\nbenefit: {kind: cash, amount: '(1+x)'}\n";
    let expected = "criteria: [{id: a, when: \"max(x, y) > 3\"}]\nbenefit: {kind: cash, amount: 1 + x}\n";
    assert_eq!(formatted(text, Lang::En), expected);
}

#[test]
fn keys_come_in_order_with_their_comments() {
    let text =
        "# the file\n\nbenefit:\n  kind: service\n  # inside\n\n# who\ncode: A # the code\nunknown: 1\ncriteria: [{id: a, when: b}]\n";
    let expected =
        "# the file\n\n# who\ncode: A # the code\ncriteria: [{id: a, when: b}]\nbenefit:\n  kind: service\n  # inside\n\nunknown: 1\n";
    assert_eq!(formatted(text, Lang::En), expected);
}

#[test]
fn blanks_are_tidied() {
    assert_eq!(formatted("\n\na: 1  \r\n\r\n\r\n\r\nb: 2\t\r\n# end  \r\n\r\n", Lang::En), "a: 1\n\nb: 2\n# end\n");
    assert_eq!(formatted("a: 1", Lang::En), "a: 1\n");
    let literal = "a: |\n  one  \n\n\n  two\nb: 1\n";
    assert_eq!(formatted(literal, Lang::En), literal);
}

#[test]
fn a_broken_file_is_told() {
    let told = format(&SourceFile::new("policy.yaml", "a: [1\n"), Lang::En).expect_err("it is broken");
    assert_eq!(told[0].code.name, "yaml-syntax");
}
