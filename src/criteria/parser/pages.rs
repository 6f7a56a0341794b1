//! The examples on the pages of the codes that this room tells.

use crate::criteria;
use crate::diagnostic::{Code, code};

/// The faulty and the mended example of a page.
fn examples(code: &'static Code) -> (&'static str, &'static str) {
    let blocks: Vec<&str> = code.page.split("```").collect();
    (blocks[1].trim_start_matches("text"), blocks[3].trim_start_matches("text"))
}

#[track_caller]
fn check(code: &'static Code) {
    let (faulty, mended) = examples(code);
    let (_, errors) = criteria::parse(faulty);
    assert!(errors.iter().any(|error| error.code == code), "{faulty}");
    assert_eq!(criteria::parse(mended).1, [], "{mended}");
}

#[test]
fn examples_of_pages_are_true() {
    check(&code::EXPRESSION_SYNTAX);
    check(&code::COMPARE_WITH_NULL);
    check(&code::CHAINED_COMPARISON);
    check(&code::NUMBER_OUT_OF_RANGE);
}
