//! How good the cases of each policy are: boundary coverage and mutation score.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rayon::prelude::*;
use serde::Serialize;

use super::plan::is_wanted;
use super::{Args, Planned};
use crate::cases::coverage::{self, Coverage};
use crate::cases::mutation::{self, Mutation};
use crate::cases::{Book, ResolvedCase};
use crate::check::CheckedPolicy;
use crate::commands::Context;
use crate::diagnostic::{Diagnostic, Message, Span};
use crate::policy::document::Equivalent;

/// What was measured; empty where nothing was asked for.
#[derive(Default)]
pub(super) struct Quality {
    coverage: Vec<Coverage>,
    mutation: Vec<Mutation>,
    /// What authors named as beyond notice, and is not.
    pub(super) unfounded: Vec<Diagnostic>,
}

/// A policy in JSON.
#[derive(Serialize)]
pub(super) struct Measured<'q> {
    policy: &'q str,
    version: i64,
    /// How many boundaries are touched, or changes noticed.
    reached: usize,
    /// Of how many.
    total: usize,
    missing: Vec<Entry<'q>>,
    excluded: Vec<Entry<'q>>,
}

/// A boundary or a change; lines and columns count from 1.
#[derive(Serialize)]
struct Entry<'q> {
    part: &'q str,
    path: String,
    line: usize,
    column: usize,
    says: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'q Message>,
}

/// Measures what was asked for, policy by policy.
pub(super) fn measure(book: &Book<'_>, args: &Args, planned: &[Planned], equivalent: &BTreeMap<String, Vec<Equivalent>>) -> Quality {
    let (wants_coverage, wants_mutation) = (args.coverage || args.min_coverage.is_some(), args.mutation || args.min_mutation.is_some());
    if !wants_coverage && !wants_mutation {
        return Quality::default();
    }
    let policies: Vec<&CheckedPolicy> = book.checked.policies.iter().filter(|policy| is_wanted(args, &policy.document)).collect();
    let cases = |policy: &CheckedPolicy| -> Vec<&ResolvedCase> {
        planned.iter().filter(|planned| planned.document.code == policy.document.code).map(|planned| &planned.case).collect()
    };
    let mut quality = Quality::default();
    if wants_coverage {
        quality.coverage = policies.par_iter().map(|policy| coverage::measure(book, policy, &cases(policy))).collect();
    }
    if wants_mutation {
        let named = |policy: &CheckedPolicy| equivalent.get(&policy.document.code).map_or(&[][..], Vec::as_slice);
        quality.mutation = policies.par_iter().map(|policy| mutation::measure(book, policy, &cases(policy), named(policy))).collect();
        for (code, named) in equivalent {
            let versions: Vec<&Mutation> = quality.mutation.iter().filter(|mutation| mutation.document.code == *code).collect();
            let of_policy = planned.iter().filter(|planned| planned.document.code == *code);
            let names: Vec<&str> = of_policy.map(|planned| planned.case.case.name.as_str()).collect();
            quality.unfounded.extend(mutation::unfounded(named, &versions, &names));
        }
    }
    quality
}

impl Quality {
    /// Whether less was reached than was asked for, in any policy.
    pub(super) fn is_too_low(&self, args: &Args) -> bool {
        let is_below =
            |least: Option<u8>, reached: usize, total: usize| least.is_some_and(|least| reached * 100 < total * usize::from(least));
        self.coverage.iter().any(|coverage| is_below(args.min_coverage, coverage.covered(), coverage.total()))
            || self.mutation.iter().any(|mutation| is_below(args.min_mutation, mutation.killed(), mutation.total()))
    }

    /// For people: a line for each policy, what is missing below it, and a total.
    pub(super) fn text(&self, context: &Context) -> String {
        let mut text = String::new();
        if !self.coverage.is_empty() {
            let title = context.pick("边界覆盖", "boundary coverage");
            section(&mut text, title, &self.coverage.iter().map(of_coverage).collect::<Vec<_>>(), context);
        }
        if !self.mutation.is_empty() {
            let title = context.pick("改动察觉", "mutation score");
            section(&mut text, title, &self.mutation.iter().map(of_mutation).collect::<Vec<_>>(), context);
        }
        text
    }

    /// For tools.
    pub(super) fn json(&self) -> (Vec<Measured<'_>>, Vec<Measured<'_>>) {
        (self.coverage.iter().map(of_coverage).collect(), self.mutation.iter().map(of_mutation).collect())
    }
}

fn sum(pairs: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    pairs.fold((0, 0), |(reached, total), (more, of)| (reached + more, total + of))
}

fn section(text: &mut String, title: &str, measured: &[Measured<'_>], context: &Context) {
    let _ = writeln!(text, "\n{title}");
    for policy in measured {
        let mark = if policy.reached == policy.total { "✓" } else { "✗" };
        let share = percent(policy.reached, policy.total);
        let _ = writeln!(text, "{mark} {share}  {}/{}  {} v{}", policy.reached, policy.total, policy.policy, policy.version);
        for entry in &policy.missing {
            let _ = writeln!(text, "    {}:{}:{}  {}  {}", entry.path, entry.line, entry.column, entry.part, context.say(&entry.says));
        }
        for entry in &policy.excluded {
            let reason = entry.reason.map_or("", |reason| context.say(reason));
            let word = context.pick("不计", "left out");
            let _ = writeln!(
                text,
                "    ({word}) {}:{}:{}  {}  {}: {reason}",
                entry.path,
                entry.line,
                entry.column,
                entry.part,
                context.say(&entry.says)
            );
        }
    }
    let (reached, total) = sum(measured.iter().map(|policy| (policy.reached, policy.total)));
    let _ = writeln!(text, "{title}: {} ({reached}/{total})", percent(reached, total));
}

/// A share in per cent, rounded down: 100 % is all.
fn percent(reached: usize, total: usize) -> String {
    let tenths = (reached * 1000).checked_div(total).unwrap_or(1000);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn of_coverage(coverage: &Coverage) -> Measured<'_> {
    let excluded = coverage.goals.iter().filter(|reached| reached.excluded.is_some());
    Measured {
        policy: &coverage.document.code,
        version: coverage.document.version,
        reached: coverage.covered(),
        total: coverage.total(),
        missing: coverage.missing().map(|goal| entry(&goal.part, &goal.place, goal.says.clone(), None)).collect(),
        excluded: excluded
            .map(|reached| entry(&reached.goal.part, &reached.goal.place, reached.goal.says.clone(), reached.excluded.as_ref()))
            .collect(),
    }
}

fn of_mutation(mutation: &Mutation) -> Measured<'_> {
    let excluded = mutation.fates.iter().filter(|fate| fate.equivalent.is_some());
    Measured {
        policy: &mutation.document.code,
        version: mutation.document.version,
        reached: mutation.killed(),
        total: mutation.total(),
        missing: mutation.survivors().map(|mutant| entry(&mutant.part, &mutant.place, says(mutant), None)).collect(),
        excluded: excluded.map(|fate| entry(&fate.mutant.part, &fate.mutant.place, says(&fate.mutant), fate.equivalent.as_ref())).collect(),
    }
}

fn says(mutant: &mutation::Mutant) -> Message {
    Message::new(mutant.told(), mutant.told())
}

fn entry<'q>(part: &'q str, place: &Span, says: Message, reason: Option<&'q Message>) -> Entry<'q> {
    let (line, column) = place.file.line_column(place.range.start);
    Entry { part, path: place.path().display().to_string(), line, column, says, reason }
}
