//! The examples on the pages of lints are true: what is called faulty is told, what is called mended is not.

use super::testing::{policy, told};
use crate::diagnostic::{Code, SourceFile, code};
use crate::yaml;

/// The codes that are told of the example number `block` of a page: a criterion, or an amount for the disabled.
fn told_of(code: &'static Code, block: usize) -> Vec<&'static str> {
    let text = code.page.split("```").nth(block).expect("an example").trim_start_matches("yaml");
    let (root, _) = yaml::parse(&SourceFile::new("page.md", text));
    let root = root.expect("YAML");
    let value = |key: &str| {
        let entries = root.mapping().expect("a mapping");
        entries.iter().find(|(name, _)| name.text() == Some(key)).and_then(|(_, value)| value.text()).map(str::to_owned)
    };
    let written = match value("amount") {
        Some(amount) => policy("条件", "disabled", &amount),
        None => policy(&value("clause").expect("a clause"), &value("when").expect("a rule"), "100"),
    };
    told(&[&written], &[]).iter().map(|told| told.code.name).collect()
}

#[test]
fn examples_of_pages_are_true() {
    for code in [
        &code::NEVER_HOLDS,
        &code::ALWAYS_HOLDS,
        &code::CONTRADICTORY_CONDITIONS,
        &code::IMPLIED_CONDITION,
        &code::UNREACHABLE_BRANCH,
        &code::BAND_GAP,
        &code::BAND_OVERLAP,
        &code::NEGATIVE_AMOUNT,
        &code::AMOUNT_FALLS_BACK,
        &code::CLAUSE_CONTRADICTS_RULE,
        &code::CLAUSE_NUMBER_DIFFERS,
    ] {
        assert!(told_of(code, 1).contains(&code.name), "{}: {:?}", code.name, told_of(code, 1));
        assert!(!told_of(code, 3).contains(&code.name), "{}", code.name);
    }
}
