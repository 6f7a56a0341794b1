//! `untouched-boundary`: boundaries of a policy that none of its cases touches.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::cases::coverage::{self, Coverage, Goal};
use crate::cases::{Book, ResolvedCase};
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Boundaries that are shown beside the first one.
const SHOWN: usize = 4;

/// Tells of policies with cases that leave a boundary untouched, one finding for each version; only of those that are asked
/// for.
pub(super) fn check(
    book: &Book<'_>,
    cases: &BTreeMap<String, Vec<ResolvedCase>>,
    of: &(dyn Fn(&PolicyDocument) -> bool + Sync),
) -> Vec<Diagnostic> {
    let measured = book.checked.policies.par_iter().filter(|policy| of(&policy.document)).filter_map(|policy| {
        let cases: Vec<&ResolvedCase> = cases.get(&policy.document.code)?.iter().collect();
        told(&coverage::measure(book, policy, &cases))
    });
    measured.collect()
}

fn told(coverage: &Coverage) -> Option<Diagnostic> {
    let missing: Vec<&Goal> = coverage.missing().collect();
    let (first, others) = missing.split_first()?;
    let (count, code) = (missing.len(), &coverage.document.code);
    let mut diagnostic = Diagnostic::new(
        &code::UNTOUCHED_BOUNDARY,
        format!("政策 {code} 有 {count} 处边界没有案例触及: {}", first.says.zh),
        if count == 1 {
            format!("a boundary of policy {code} is touched by no case: {}", first.says.en)
        } else {
            format!("{count} boundaries of policy {code} are touched by no case: {}", first.says.en)
        },
    )
    .at(first.place.clone());
    for other in others.iter().take(SHOWN) {
        diagnostic = diagnostic.also(other.place.clone(), other.says.zh.clone(), other.says.en.clone());
    }
    if let Some(more) = others.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        diagnostic = diagnostic.help(format!("另有 {more} 处"), format!("and {more} more"));
    }
    Some(diagnostic.help(
        format!("mianshen test {code} --coverage 全部列出; --suggest 写出缺的案例, 由作者确认"),
        format!("mianshen test {code} --coverage lists them all; --suggest writes the missing cases, for the author to confirm"),
    ))
}
