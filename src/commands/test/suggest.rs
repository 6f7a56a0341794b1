//! `mianshen test --suggest`: cases for boundaries that no case touches.

use std::fmt::Write as _;
use std::fs;

use rayon::prelude::*;

use super::plan::is_wanted;
use super::{Args, Planned};
use crate::cases::suggest::{Suggestion, draft, suggest};
use crate::cases::{Book, ResolvedCase, coverage};
use crate::check::CheckedPolicy;
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};

/// The file that suggested cases are written to, beside the policy.
pub(super) const FILE: &str = "cases.suggested.yaml";

/// Suggests cases policy by policy; none remain to be suggested: clean.
pub(super) fn run(book: &Book<'_>, args: &Args, planned: &[Planned], context: &Context) -> Exit {
    let policies: Vec<&CheckedPolicy> = book.checked.policies.iter().filter(|policy| is_wanted(args, &policy.document)).collect();
    let found: Vec<(&CheckedPolicy, Vec<Suggestion>, usize)> = policies
        .into_par_iter()
        .map(|policy| {
            let of_policy = planned.iter().filter(|planned| planned.document.code == policy.document.code);
            let cases: Vec<&ResolvedCase> = of_policy.map(|planned| &planned.case).collect();
            let coverage = coverage::measure(book, policy, &cases);
            (policy, suggest(book, policy, &cases, &coverage), coverage.missing().count())
        })
        .collect();
    let mut output = String::new();
    for (policy, suggestions, missing) in &found {
        if *missing == 0 {
            continue;
        }
        let text = draft(book.catalogue(), policy, suggestions);
        if !args.write {
            output.push_str(&text);
            continue;
        }
        let path = policy.document.path.with_file_name(FILE);
        if let Err(error) = fs::write(&path, &text) {
            let (zh, en) = (format!("写不了 {}: {error}", path.display()), format!("cannot write {}: {error}", path.display()));
            return context.fail(&[Diagnostic::new(&code::OUTPUT_FAILED, zh, en)]);
        }
        let count = suggestions.len();
        let words = context.pick("条建议", "suggested").to_owned();
        let _ = writeln!(output, "{}  {count} {words}", path.display());
    }
    let exit = if found.iter().all(|(_, _, missing)| *missing == 0) { Exit::Clean } else { Exit::Findings };
    context.print(&output, exit)
}
