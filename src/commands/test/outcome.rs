//! One case run: what was expected, what came out, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::commands::cases::{ResolvedCase, canonical};
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, Message, Span, code};
use crate::eligibility::grant::amount_text;
use crate::explain::{self, Amount, Judge, Judgement, Known, Reason, Verdict};
use crate::policy;
use crate::policy::document::Case;
use crate::program::EvalError;

/// One case run.
pub(super) struct Outcome {
    /// Code of the policy.
    pub(super) policy: String,
    /// As written.
    pub(super) case: Case,
    /// What came out; none: nothing, and [`Outcome::trouble`] says why.
    pub(super) got: Option<Got>,
    /// Why the case could not be run.
    pub(super) trouble: Option<Message>,
    /// Where what came out differs from what was expected.
    pub(super) differences: Vec<Difference>,
    /// The reasons, for a case that fails.
    pub(super) reason: Option<Box<Reason>>,
}

/// What came out of a case.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Got {
    /// `yes`, `no`, `unknown`, `outside`
    pub(super) verdict: &'static str,
    /// Decimal text, or `unknown`.
    pub(super) amount: Option<String>,
    /// Delivery mode.
    pub(super) mode: Option<&'static str>,
    /// The minimal sets of facts that could make it yes.
    pub(super) missing: Vec<Vec<Arc<str>>>,
    /// The facts that a commitment would settle it with.
    pub(super) offer: Vec<Arc<str>>,
}

/// One expectation that was not met.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// `verdict`, `amount`, `mode`, `missing`, `offer`
    pub(super) what: &'static str,
    /// As the case says.
    pub(super) expected: String,
    /// As it came out.
    pub(super) got: String,
    /// Where the expectation stands.
    pub(super) place: Span,
}

impl Outcome {
    /// Whether everything came out as expected.
    pub(super) fn passed(&self) -> bool {
        self.differences.is_empty() && self.trouble.is_none()
    }

    /// The failure as a diagnostic, with the reason of the case as help.
    pub(super) fn diagnostic(&self) -> Option<Diagnostic> {
        if self.passed() {
            return None;
        }
        let name = &self.case.name;
        let (zh, en): (Vec<String>, Vec<String>) = self.differences.iter().map(Difference::sentence).unzip();
        let (mut zh, mut en) = (zh.join("; "), en.join("; "));
        if let Some(trouble) = &self.trouble {
            (zh, en) = (trouble.zh.clone(), trouble.en.clone());
        }
        let place = self.differences.first().map_or_else(|| self.case.place.clone(), |difference| difference.place.clone());
        let diagnostic =
            Diagnostic::new(&code::CASE_FAILS, format!("案例“{name}”不符: {zh}"), format!("case `{name}` fails: {en}")).at(place);
        Some(match &self.case.because {
            Some(because) => diagnostic.help(format!("案例的理由: {because}"), format!("the case says because: {because}")),
            None => diagnostic,
        })
    }
}

impl Difference {
    /// What was expected and what came out, in both languages.
    pub(super) fn sentence(&self) -> (String, String) {
        let (what, expected, got) = (self.label(), &self.expected, &self.got);
        (format!("{}应为 {expected}, 得到 {got}", what.zh), format!("{} expected {expected}, got {got}", what.en))
    }

    /// The expectation's name for people.
    pub(super) fn label(&self) -> Message {
        match self.what {
            "verdict" => Message::new("判定", "verdict"),
            "amount" => Message::new("金额", "amount"),
            "mode" => Message::new("方式", "mode"),
            "missing" => Message::new("缺的事实", "missing facts"),
            _ => Message::new("承诺项", "offer"),
        }
    }
}

/// Runs a case on the version of the policy that is in force on its day.
pub(super) fn run(folder: &PolicyFolder, in_force: &BTreeMap<String, CheckedPolicy>, code: &str, case: &ResolvedCase) -> Outcome {
    let mut outcome =
        Outcome { policy: code.to_owned(), case: case.case.clone(), got: None, trouble: None, differences: Vec::new(), reason: None };
    let as_of = case.case.as_of;
    if !case.complete {
        outcome.trouble = Some(Message::new("案例的事实有错误, 没有运行", "the facts of the case have errors; it was not run"));
        return outcome;
    }
    let Some(policy) = in_force.get(code) else {
        if policy::select(&folder.set.policies, as_of, None).iter().any(|document| document.code == code) {
            outcome.trouble = Some(Message::new("政策有错误, 没有运行", "the policy has errors; it was not run"));
            return outcome;
        }
        compare(&mut outcome, folder, None, &not_in_force());
        return outcome;
    };
    let binder = folder.binder(as_of, None, in_force);
    let value = |id: FactId| case.value(id);
    let known = Known { value: &value, taken: &|id| case.given.contains_key(&id), cause: &|_| None, data_day: &|_| None };
    let catalogue = &folder.checked.catalogue;
    match Judge::new(catalogue, &binder, known).judge(policy) {
        Ok(judgement) => compare(&mut outcome, folder, Some(policy), &judgement),
        Err(error) => outcome.trouble = Some(trouble(&error)),
    }
    if !outcome.passed() {
        outcome.reason = Some(Box::new(explain::explain(catalogue, policy, &binder, known)));
    }
    outcome
}

fn trouble(error: &EvalError) -> Message {
    match error {
        EvalError::Overflow { .. } => Message::new("数值溢出", "arithmetic overflow"),
        other => Message::new(format!("算不出: {other}"), format!("could not be computed: {other}")),
    }
}

fn not_in_force() -> Judgement {
    Judgement {
        verdict: Verdict::Outside,
        amount: Amount::None,
        mode: None,
        missing: Vec::new(),
        offer: Vec::new(),
        given_up_for: None,
        undecided_against: Vec::new(),
    }
}

fn compare(outcome: &mut Outcome, folder: &PolicyFolder, policy: Option<&CheckedPolicy>, judgement: &Judgement) {
    let got = Got {
        verdict: judgement.verdict.name(),
        amount: match judgement.amount {
            Amount::None => None,
            Amount::Unknown => Some("unknown".to_owned()),
            Amount::Known(hundredths) => Some(amount_text(hundredths)),
        },
        mode: judgement.mode.map(policy::document::Mode::name),
        missing: judgement.missing.clone(),
        offer: judgement.offer.clone(),
    };
    let expect = &outcome.case.expect;
    let mut differences = Vec::new();
    let mut differ = |what, expected: String, got: String, place: &Span| {
        differences.push(Difference { what, expected, got, place: place.clone() });
    };
    let none = || "–".to_owned();
    if let Some((expected, place)) = expect.verdict.as_ref().filter(|(expected, _)| expected != got.verdict) {
        differ("verdict", expected.clone(), got.verdict.to_owned(), place);
    }
    if let Some((expected, place)) = &expect.amount {
        let is_met = matches!(judgement.amount, Amount::Known(hundredths) if in_hundredths(expected) == Some(hundredths));
        if !is_met {
            differ("amount", expected.clone(), got.amount.clone().unwrap_or_else(none), place);
        }
    }
    if let Some((expected, place)) = expect.mode.as_ref().filter(|(expected, _)| Some(expected.as_str()) != got.mode) {
        differ("mode", expected.clone(), got.mode.map_or_else(none, str::to_owned), place);
    }
    if let Some((expected, place)) = &expect.missing {
        let names = names(folder, policy, expected);
        if !is_one_of(&names, &got.missing) {
            differ("missing", list(&names), got.missing.iter().map(|set| list(set)).collect::<Vec<_>>().join(" | "), place);
        }
    }
    if let Some((expected, place)) = &expect.offer {
        let names = names(folder, policy, expected);
        let may_commit = |name: &Arc<str>| policy.is_some_and(|policy| policy.document.commit.iter().any(|(fact, _)| **fact == **name));
        let offers = got.missing.iter().filter(|set| set.iter().all(may_commit));
        if !(got.offer == names || !names.is_empty() && offers.clone().any(|set| *set == names)) {
            differ("offer", list(&names), list(&got.offer), place);
        }
    }
    outcome.differences = differences;
    outcome.got = Some(got);
}

/// The names of facts as the catalogue has them, sorted.
fn names(folder: &PolicyFolder, policy: Option<&CheckedPolicy>, written: &[String]) -> Vec<Arc<str>> {
    let name = |name: &String| match policy {
        Some(policy) => canonical(folder, policy.document.subject, name).into(),
        None => Arc::from(name.as_str()),
    };
    let mut names: Vec<Arc<str>> = written.iter().map(name).collect();
    names.sort();
    names
}

/// Whether the facts are one of the minimal sets, or all facts of them.
fn is_one_of(names: &[Arc<str>], sets: &[Vec<Arc<str>>]) -> bool {
    let mut union: Vec<Arc<str>> = sets.iter().flatten().cloned().collect();
    union.sort();
    union.dedup();
    *names == *union || sets.iter().any(|set| *set == *names)
}

fn list(names: &[Arc<str>]) -> String {
    format!("[{}]", names.join(", "))
}

/// Decimal text with at most two places, as hundredths.
fn in_hundredths(text: &str) -> Option<i64> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits: i64 = format!("{whole}{fraction:0<2}").parse().ok()?;
    (fraction.len() <= 2).then_some(sign * digits)
}

#[cfg(test)]
mod tests {
    //! Expectations.

    use super::{in_hundredths, is_one_of};

    #[test]
    fn amounts_are_compared_by_value() {
        assert_eq!(in_hundredths("100"), Some(10_000));
        assert_eq!(in_hundredths("66.67"), Some(6_667));
        assert_eq!(in_hundredths("-0.5"), Some(-50));
        assert_eq!(in_hundredths("1.234"), None);
    }

    #[test]
    fn one_minimal_set_or_all_of_them() {
        let set = |names: &[&str]| names.iter().map(|&name| name.into()).collect::<Vec<std::sync::Arc<str>>>();
        let sets = [set(&["a"]), set(&["b", "c"])];
        for met in [set(&["a"]), set(&["b", "c"]), set(&["a", "b", "c"])] {
            assert!(is_one_of(&met, &sets));
        }
        assert!(!is_one_of(&set(&["b"]), &sets));
        assert!(is_one_of(&[], &[]));
        assert!(!is_one_of(&[], &sets));
    }
}
