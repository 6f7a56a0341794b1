//! One case run: what was expected, what came out, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::book::Book;
use super::facts::{ResolvedCase, canonical};
use super::{occasions, sites};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::{Diagnostic, Message, Span, code};
use crate::eligibility::grant::amount_text;
use crate::explain::{self, Amount, Judge, Judgement, Known, Reason, Verdict};
use crate::policy;
use crate::policy::document::{Case, Expect};
use crate::program::EvalError;

/// One case run.
pub struct Outcome {
    /// Code of the policy.
    pub policy: String,
    /// As written.
    pub case: Case,
    /// What came out; none: nothing, and [`Outcome::trouble`] says why.
    pub got: Option<Got>,
    /// Why the case could not be run.
    pub trouble: Option<Message>,
    /// Where what came out differs from what was expected.
    pub differences: Vec<Difference>,
    /// The reasons, for a case that fails.
    pub reason: Option<Box<Reason>>,
}

/// What came out of a case.
#[derive(Debug, Clone, Serialize)]
pub struct Got {
    /// `yes`, `no`, `unknown`, `outside`
    pub verdict: &'static str,
    /// Decimal text, or `unknown`.
    pub amount: Option<String>,
    /// Delivery mode.
    pub mode: Option<&'static str>,
    /// The minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<Arc<str>>>,
    /// The facts that a commitment would settle it with.
    pub offer: Vec<Arc<str>>,
    /// The policy that the subject has instead of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up_for: Option<String>,
    /// The occasions of a policy with `each`, with their amounts; only for cases about registers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occasions: Option<BTreeMap<String, Option<String>>>,
}

/// One expectation that was not met.
#[derive(Debug, Clone)]
pub struct Difference {
    /// `verdict`, `amount`, `mode`, `missing`, `offer`, `given_up_for`, `reason`, `occasions`
    pub what: &'static str,
    /// As the case says.
    pub expected: String,
    /// As it came out.
    pub got: String,
    /// Where the expectation stands.
    pub place: Span,
}

impl Outcome {
    /// Whether everything came out as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.trouble.is_none()
    }

    /// The failure as a diagnostic, with the reason of the case as help.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
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
    pub fn sentence(&self) -> (String, String) {
        let (what, expected, got) = (self.label(), &self.expected, &self.got);
        (format!("{}应为 {expected}, 得到 {got}", what.zh), format!("{} expected {expected}, got {got}", what.en))
    }

    /// The expectation's name for people.
    pub fn label(&self) -> Message {
        match self.what {
            "verdict" => Message::new("判定", "verdict"),
            "amount" => Message::new("金额", "amount"),
            "mode" => Message::new("方式", "mode"),
            "missing" => Message::new("缺的事实", "missing facts"),
            "given_up_for" => Message::new("让位于", "given up for"),
            "reason" => Message::new("条件", "criterion"),
            "occasions" => Message::new("事由", "occasions"),
            _ => Message::new("承诺项", "offer"),
        }
    }
}

/// What a policy comes to for the subject of a case.
pub struct Judged {
    /// Verdict, amount, mode, what is missing.
    pub judgement: Judgement,
    /// The verdict of each criterion, by identifier.
    pub reasons: BTreeMap<String, Verdict>,
    /// The occasions of a yes, with the amount of each in hundredths; none where the case has no rows to tell them.
    pub occasions: Option<Vec<(String, Option<i64>)>>,
}

/// Judges a policy for the subject of a case; the verdicts of its criteria only where a case asks for them.
///
/// # Errors
///
/// If arithmetic overflows.
pub fn judged(judge: &mut Judge<'_>, policy: &CheckedPolicy, case: &ResolvedCase) -> Result<Judged, EvalError> {
    let expect = &case.case.expect;
    let judgement = judge.judge(policy)?;
    let mut reasons = BTreeMap::new();
    if !expect.reasons.is_empty() {
        for root in sites::of(policy).0 {
            if let Some(criterion) = root.criterion {
                reasons.insert(criterion.id.clone(), Verdict::of(judge.holds(root.expr, policy.document.subject)?));
            }
        }
    }
    let occasions = match &case.rows {
        Some(rows) if judgement.verdict == Verdict::Yes => Some(occasions::of(judge, policy, rows, judgement.amount)?),
        Some(_) => Some(Vec::new()),
        None => None,
    };
    Ok(Judged { judgement, reasons, occasions })
}

/// What a policy that is not in force comes to.
#[must_use]
pub fn not_in_force() -> Judged {
    let judgement = Judgement {
        verdict: Verdict::Outside,
        amount: Amount::None,
        mode: None,
        missing: Vec::new(),
        offer: Vec::new(),
        given_up_for: None,
        undecided_against: Vec::new(),
    };
    Judged { judgement, reasons: BTreeMap::new(), occasions: None }
}

/// Runs a case on the version of the policy that is in force on its day.
#[must_use]
pub fn run(book: &Book<'_>, code: &str, case: &ResolvedCase) -> Outcome {
    let mut outcome =
        Outcome { policy: code.to_owned(), case: case.case.clone(), got: None, trouble: None, differences: Vec::new(), reason: None };
    let as_of = case.case.as_of;
    if !case.complete {
        outcome.trouble = Some(Message::new("案例的事实有错误, 没有运行", "the facts of the case have errors; it was not run"));
        return outcome;
    }
    let laws = book.laws(as_of);
    let Some(policy) = laws.get(code) else {
        if policy::select(&book.set.policies, as_of, None).iter().any(|document| document.code == code) {
            outcome.trouble = Some(Message::new("政策有错误, 没有运行", "the policy has errors; it was not run"));
            return outcome;
        }
        settle(&mut outcome, book.catalogue(), None, &not_in_force());
        return outcome;
    };
    let binder = book.binder(as_of, &laws);
    let value = |id: FactId| case.value(id);
    let known = Known { value: &value, taken: &|id| case.given.contains_key(&id), cause: &|_| None, data_day: &|_| None };
    match judged(&mut Judge::new(book.catalogue(), &binder, known), policy, case) {
        Ok(judged) => settle(&mut outcome, book.catalogue(), Some(policy), &judged),
        Err(error) => outcome.trouble = Some(trouble(&error)),
    }
    if !outcome.passed() {
        outcome.reason = Some(Box::new(explain::explain(book.catalogue(), policy, &binder, known)));
    }
    outcome
}

fn settle(outcome: &mut Outcome, catalogue: &Catalogue, policy: Option<&CheckedPolicy>, judged: &Judged) {
    let judgement = &judged.judgement;
    outcome.differences = differences(catalogue, policy, &outcome.case.expect, judged);
    outcome.got = Some(Got {
        verdict: judgement.verdict.name(),
        amount: amount_word(judgement.amount),
        mode: judgement.mode.map(policy::document::Mode::name),
        missing: judgement.missing.clone(),
        offer: judgement.offer.clone(),
        given_up_for: judgement.given_up_for.clone(),
        occasions: judged.occasions.as_ref().map(|found| found.iter().map(|(id, amount)| (id.clone(), amount.map(amount_text))).collect()),
    });
}

fn amount_word(amount: Amount) -> Option<String> {
    match amount {
        Amount::None => None,
        Amount::Unknown => Some("unknown".to_owned()),
        Amount::Known(hundredths) => Some(amount_text(hundredths)),
    }
}

fn trouble(error: &EvalError) -> Message {
    match error {
        EvalError::Overflow { .. } => Message::new("数值溢出", "arithmetic overflow"),
        other => Message::new(format!("算不出: {other}"), format!("could not be computed: {other}")),
    }
}

/// Where what came out differs from what a case expects.
#[must_use]
pub fn differences(catalogue: &Catalogue, policy: Option<&CheckedPolicy>, expect: &Expect, judged: &Judged) -> Vec<Difference> {
    let Judged { judgement, reasons, .. } = judged;
    let mut differences = Vec::new();
    let mut differ = |what, expected: String, got: String, place: &Span| {
        differences.push(Difference { what, expected, got, place: place.clone() });
    };
    let none = || "–".to_owned();
    let verdict = judgement.verdict.name();
    if let Some((expected, place)) = expect.verdict.as_ref().filter(|(expected, _)| expected != verdict) {
        differ("verdict", expected.clone(), verdict.to_owned(), place);
    }
    if let Some((expected, place)) = &expect.amount {
        let is_met = matches!(judgement.amount, Amount::Known(hundredths) if in_hundredths(expected) == Some(hundredths));
        if !is_met {
            differ("amount", expected.clone(), amount_word(judgement.amount).unwrap_or_else(none), place);
        }
    }
    let mode = judgement.mode.map(policy::document::Mode::name);
    if let Some((expected, place)) = expect.mode.as_ref().filter(|(expected, _)| Some(expected.as_str()) != mode) {
        differ("mode", expected.clone(), mode.map_or_else(none, str::to_owned), place);
    }
    if let Some((expected, place)) = &expect.missing {
        let names = names(catalogue, policy, expected);
        if !is_one_of(&names, &judgement.missing) {
            differ("missing", list(&names), judgement.missing.iter().map(|set| list(set)).collect::<Vec<_>>().join(" | "), place);
        }
    }
    if let Some((expected, place)) = &expect.offer {
        let names = names(catalogue, policy, expected);
        let may_commit = |name: &Arc<str>| policy.is_some_and(|policy| policy.document.commit.iter().any(|(fact, _)| **fact == **name));
        let offers = judgement.missing.iter().filter(|set| set.iter().all(may_commit));
        if !(judgement.offer == names || !names.is_empty() && offers.clone().any(|set| *set == names)) {
            differ("offer", list(&names), list(&judgement.offer), place);
        }
    }
    if let Some((expected, place)) = &expect.given_up_for
        && judgement.given_up_for.as_ref() != Some(expected)
    {
        differ("given_up_for", expected.clone(), judgement.given_up_for.clone().unwrap_or_else(none), place);
    }
    if let Some((wanted, place)) = &expect.occasions {
        let got = judged.occasions.clone().unwrap_or_default();
        let amounts = |amount: &Option<String>| amount.as_deref().and_then(in_hundredths);
        let mut wanted_ids: Vec<&String> = wanted.iter().map(|(id, _)| id).collect();
        wanted_ids.sort();
        let mut got_ids: Vec<&String> = got.iter().map(|(id, _)| id).collect();
        got_ids.sort();
        let same_amount = |(id, amount): &(String, Option<String>)| {
            amount.is_none() || got.iter().any(|(other, got)| other == id && *got == amounts(amount))
        };
        if wanted_ids != got_ids || !wanted.iter().all(same_amount) {
            let shown = |id: &String, amount: Option<String>| amount.map_or_else(|| id.clone(), |amount| format!("{id}: {amount}"));
            let expected: Vec<String> = wanted.iter().map(|(id, amount)| shown(id, amount.clone())).collect();
            let found: Vec<String> = got.iter().map(|(id, amount)| shown(id, amount.map(amount_text))).collect();
            differ("occasions", expected.join(", "), if found.is_empty() { none() } else { found.join(", ") }, place);
        }
    }
    for (criterion, expected, place) in &expect.reasons {
        let got = reasons.get(criterion).map_or("–", |verdict| verdict.name());
        if got != expected {
            differ("reason", format!("{criterion}: {expected}"), format!("{criterion}: {got}"), place);
        }
    }
    differences
}

/// The names of facts as the catalogue has them, sorted.
fn names(catalogue: &Catalogue, policy: Option<&CheckedPolicy>, written: &[String]) -> Vec<Arc<str>> {
    let name = |name: &String| match policy {
        Some(policy) => canonical(catalogue, policy.document.subject, name).into(),
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
