//! An expression with the numbers put in, and the values of its parts, as the author wrote them.

use std::ops::Range;

use super::judge::{Judge, Verdict};
use super::value::show;
use crate::check::catalogue::FactId;
use crate::check::ir::{Expr, Function, Kind};
use crate::diagnostic::Message;
use crate::program::interpreter::Answer;
use crate::register::declaration::SubjectKind;

/// A part of a condition with its value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Term {
    /// As written.
    pub text: String,
    /// Its value; none: unknown.
    pub value: Option<Message>,
}

/// The parts of a condition that a reader cannot tell from the facts alone: what is compared, parameters, other policies.
pub(super) fn terms(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, source: &str) -> Vec<Term> {
    let mut found = Vec::new();
    collect(judge, expr, kind, source, &mut found);
    found.dedup();
    let mut told: Vec<Term> = Vec::new();
    for term in found {
        if !told.contains(&term) {
            told.push(term);
        }
    }
    told
}

fn collect(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, source: &str, found: &mut Vec<Term>) {
    match &expr.kind {
        Kind::Compare(_, left, right) => {
            for side in [left, right] {
                if !matches!(side.kind, Kind::Literal(_) | Kind::Fact(_) | Kind::Parameter { .. }) {
                    found.extend(term(judge, side, kind, source));
                }
            }
        }
        Kind::Parameter { .. } => {
            found.extend(term(judge, expr, kind, source));
            return;
        }
        Kind::Entitled(code) => {
            let name = judge.binder.policies.get(&**code).map(|policy| policy.document.name.clone());
            let value = match judge.holds(expr, kind) {
                Ok(answer) => words(Verdict::of(answer)),
                Err(_) => words(Verdict::Unknown),
            };
            let label = name.unwrap_or_else(|| Message::new(&**code, &**code));
            let value = Message::new(format!("{} ({})", value.zh, label.zh), format!("{} ({})", value.en, label.en));
            found.extend(part(source, &expr.range).map(|text| Term { text: text.to_owned(), value: Some(value) }));
            return;
        }
        _ => {}
    }
    for child in expr.children() {
        collect(judge, child, kind, source, found);
    }
}

fn term(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, source: &str) -> Option<Term> {
    let text = part(source, &expr.range)?.to_owned();
    Some(Term { text, value: shown(judge, expr, kind) })
}

/// The value of a part with what is known of its unit.
fn shown(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind) -> Option<Message> {
    let answer = judge.value(expr, kind).ok().flatten()?;
    let regions = judge.binder.regions;
    let message = match &expr.kind {
        Kind::Fact(index) => {
            let fact = judge.catalogue.fact(FactId { kind, index: *index });
            show(&answer, Some(&fact.ty), fact.unit.as_deref(), regions)
        }
        Kind::Parameter { name, .. } => {
            let parameter = judge.binder.parameters.iter().find(|parameter| parameter.name == **name);
            show(&answer, None, parameter.and_then(|parameter| parameter.unit.as_deref()), regions)
        }
        Kind::Call(Function::AgeAt, _) => {
            let number = show(&answer, None, None, regions);
            Message::new(format!("{} 岁", number.zh), format!("{} years old", number.en))
        }
        _ => show(&answer, None, None, regions),
    };
    Some(message)
}

/// The formula with each fact, parameter and date function replaced by its value; of a `case`, the branch that applies.
pub(super) fn numbers_in(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, source: &str) -> Option<Message> {
    let expr = applying(judge, expr, kind)?;
    let whole = Some(expr.range.clone()).filter(|range| part(source, range).is_some())?;
    let mut replacements: Vec<(Range<usize>, Option<Message>)> = Vec::new();
    replace(judge, expr, kind, &mut replacements);
    replacements.retain(|(range, _)| range.start >= whole.start && range.end <= whole.end);
    replacements.sort_by_key(|(range, _)| range.start);
    let mut text = Message::default();
    let mut at = whole.start;
    for (range, value) in replacements {
        let Some(between) = source.get(at..range.start) else { continue };
        let value = value.unwrap_or_else(|| Message::new("?", "?"));
        text.zh.push_str(between);
        text.zh.push_str(&value.zh);
        text.en.push_str(between);
        text.en.push_str(&value.en);
        at = range.end;
    }
    let rest = source.get(at..whole.end)?;
    text.zh.push_str(rest);
    text.en.push_str(rest);
    Some(text)
}

/// The branch of a `case` whose condition is the first yes.
fn applying<'e>(judge: &mut Judge<'_>, expr: &'e Expr, kind: SubjectKind) -> Option<&'e Expr> {
    let Kind::Case { branches, otherwise } = &expr.kind else { return Some(expr) };
    for (when, then) in branches {
        match judge.holds(when, kind).ok()? {
            Some(true) => return applying(judge, then, kind),
            Some(false) => {}
            None => return None,
        }
    }
    applying(judge, otherwise.as_deref()?, kind)
}

fn replace(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, found: &mut Vec<(Range<usize>, Option<Message>)>) {
    let is_plain = match &expr.kind {
        Kind::Fact(_) | Kind::Parameter { .. } | Kind::AsOf => true,
        Kind::Call(function, _) => !matches!(
            function,
            Function::Min | Function::Max | Function::Abs | Function::Floor | Function::Ceil | Function::Round | Function::Coalesce
        ),
        _ => false,
    };
    if !is_plain {
        for child in expr.children() {
            replace(judge, child, kind, found);
        }
    } else if !expr.range.is_empty() {
        let value = match judge.value(expr, kind).ok().flatten() {
            // Units would clutter a formula.
            Some(answer @ Answer::Number(_)) => Some(show(&answer, None, None, judge.binder.regions)),
            Some(_) => shown(judge, expr, kind),
            None => None,
        };
        found.push((expr.range.clone(), value));
    }
}

/// The words of a verdict.
pub(super) fn words(verdict: Verdict) -> Message {
    match verdict {
        Verdict::Yes => Message::new("是", "yes"),
        Verdict::No => Message::new("否", "no"),
        Verdict::Unknown => Message::new("未知", "unknown"),
        Verdict::Outside => Message::new("不在范围", "outside"),
    }
}

fn part<'s>(source: &'s str, range: &Range<usize>) -> Option<&'s str> {
    source.get(range.clone()).filter(|text| !text.is_empty())
}
