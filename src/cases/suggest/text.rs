//! Suggested cases as their author would write them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::NaiveDate;

use super::Suggestion;
use crate::cases::mutation::nodes::decimal;
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, Fact};
use crate::check::ir::Value;
use crate::eligibility::grant::amount_text;
use crate::explain::{Amount, Judgement, Verdict};

/// How the name of a case begins that nobody has confirmed.
pub const DRAFT: &str = "待确认";

/// A file of cases, to be confirmed.
#[must_use]
pub fn draft(catalogue: &Catalogue, policy: &CheckedPolicy, suggestions: &[Suggestion]) -> String {
    let document = &policy.document;
    let mut text = format!(
        "# {} {}\n# 建议的案例: expect 是政策今天给出的结果。请对照条款逐条确认, 填写 because, 再移入 cases.yaml。\n\
         # Suggested cases: `expect` is what the policy says today. Check each against the clause, fill in `because`, and\n\
         # move it to cases.yaml.\n",
        document.code, document.name.zh
    );
    let mut names = BTreeSet::new();
    for suggestion in suggestions {
        // Two boundaries may read the same: the second is counted.
        let name = format!("{DRAFT}: {} {}", suggestion.goal.part, suggestion.goal.says.zh);
        let counted = std::iter::once(name.clone()).chain((2..).map(|count| format!("{name} ({count})")));
        let name = counted.into_iter().find(|name| names.insert(name.clone())).unwrap_or(name);
        one(&mut text, catalogue, policy, suggestion, &name);
    }
    text
}

fn one(text: &mut String, catalogue: &Catalogue, policy: &CheckedPolicy, suggestion: &Suggestion, name: &str) {
    let (goal, row) = (&suggestion.goal, &suggestion.row);
    let (line, _) = goal.place.file.line_column(goal.place.range.start);
    let _ = writeln!(text, "- name: {}", quoted(name));
    let _ = writeln!(text, "  as_of: {}", row.day);
    let given: Vec<String> = row
        .values
        .iter()
        .map(|(id, value)| {
            let fact = catalogue.fact(*id);
            format!("{}: {}", quoted(&fact.name), value.as_ref().map_or_else(|| "null".to_owned(), |value| written(fact, value)))
        })
        .collect();
    let _ = writeln!(text, "  given: {{{}}}", given.join(", "));
    let _ = writeln!(text, "  expect: {{{}}}", expected(suggestion.judgement.as_ref()));
    let clause = clause(policy, &goal.part).unwrap_or_default();
    let _ = writeln!(text, "  because:   # {line}: {clause}");
}

/// The clause of the part that a boundary stands in.
fn clause(policy: &CheckedPolicy, part: &str) -> Option<String> {
    let document = &policy.document;
    let criterion = document.criteria.criteria().into_iter().find(|criterion| criterion.id == part);
    criterion.and_then(|criterion| criterion.clause.clone()).or_else(|| document.benefit.clause.clone().filter(|_| part == "amount"))
}

fn expected(judgement: Option<&Judgement>) -> String {
    let Some(judgement) = judgement else { return "verdict: outside".to_owned() };
    let mut text = format!("verdict: {}", judgement.verdict.name());
    if let Amount::Known(hundredths) = judgement.amount {
        let _ = write!(text, ", amount: {}", plain_amount(hundredths));
    }
    match judgement.verdict {
        Verdict::Yes => {
            if let Some(mode) = judgement.mode {
                let _ = write!(text, ", mode: {}", mode.name());
            }
        }
        Verdict::Unknown => {
            if let [set] = judgement.missing.as_slice() {
                let names: Vec<String> = set.iter().map(|name| quoted(name)).collect();
                let _ = write!(text, ", missing: [{}]", names.join(", "));
            }
            if !judgement.offer.is_empty() {
                let names: Vec<String> = judgement.offer.iter().map(|name| quoted(name)).collect();
                let _ = write!(text, ", offer: [{}]", names.join(", "));
            }
        }
        Verdict::No | Verdict::Outside => {}
    }
    text
}

/// An amount without needless places.
fn plain_amount(hundredths: i64) -> String {
    let text = amount_text(hundredths);
    text.strip_suffix(".00").map_or_else(|| text.clone(), str::to_owned)
}

/// A value as a case gives it.
#[must_use]
pub fn written(fact: &Fact, value: &Value) -> String {
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => {
            let text = decimal(*number);
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        Value::Date(day) => {
            let pattern = if fact.ty.month { "%Y-%m" } else { "%Y-%m-%d" };
            NaiveDate::from_epoch_days(*day).map_or_else(|| day.to_string(), |day| day.format(pattern).to_string())
        }
        Value::Text(text) => quoted(text),
    }
}

/// A YAML scalar: quoted where it could be read as something else.
#[must_use]
pub fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | ' '))
        && text.starts_with(|first: char| first.is_alphabetic())
        && !text.ends_with(' ')
        && !matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "true" | "false" | "null" | "on" | "off" | "y" | "n");
    if is_plain {
        return text.to_owned();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
