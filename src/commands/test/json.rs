//! Results of cases for tools.

use serde::Serialize;

use super::Suite;
use super::quality::{Measured, Quality};
use crate::cases::outcome::{Got, Outcome};
use crate::diagnostic::{Message, code};
use crate::explain::Reason;

#[derive(Serialize)]
struct Report<'o> {
    passed: usize,
    failed: usize,
    cases: Vec<Entry<'o>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coverage: Vec<Measured<'o>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mutation: Vec<Measured<'o>>,
}

/// One case; lines and columns count from 1.
#[derive(Serialize)]
struct Entry<'o> {
    policy: &'o str,
    name: &'o str,
    path: String,
    line: usize,
    column: usize,
    as_of: String,
    passed: bool,
    /// `case-fails`, of a case that fails.
    code: Option<&'static str>,
    because: Option<&'o str>,
    got: Option<&'o Got>,
    trouble: Option<&'o Message>,
    differences: Vec<Difference<'o>>,
    reason: Option<&'o Reason>,
}

#[derive(Serialize)]
struct Difference<'o> {
    what: &'static str,
    expected: &'o str,
    got: &'o str,
    line: usize,
    column: usize,
}

pub(super) fn render(suites: &[Suite], quality: &Quality) -> String {
    let outcomes = || suites.iter().flat_map(|suite| &suite.outcomes);
    let passed = outcomes().filter(|outcome| outcome.passed()).count();
    let (coverage, mutation) = quality.json();
    let failed = outcomes().count() - passed;
    let report = Report { passed, failed, cases: outcomes().map(entry).collect(), coverage, mutation };
    // Plain strings and numbers always serialise.
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(outcome: &Outcome) -> Entry<'_> {
    let (case, place) = (&outcome.case, &outcome.case.place);
    let (line, column) = place.file.line_column(place.range.start);
    let passed = outcome.passed();
    Entry {
        policy: &outcome.policy,
        name: &case.name,
        path: place.path().display().to_string(),
        line,
        column,
        as_of: case.as_of.to_string(),
        passed,
        code: (!passed).then_some(code::CASE_FAILS.name),
        because: case.because.as_deref(),
        got: outcome.got.as_ref(),
        trouble: outcome.trouble.as_ref(),
        differences: outcome
            .differences
            .iter()
            .map(|difference| {
                let (line, column) = difference.place.file.line_column(difference.place.range.start);
                Difference { what: difference.what, expected: &difference.expected, got: &difference.got, line, column }
            })
            .collect(),
        reason: outcome.reason.as_deref(),
    }
}
