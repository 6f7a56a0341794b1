//! The verdict on one subject, what it is worth and how it is delivered, by the row interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::why::Why;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind, Ty, Value};
use crate::policy::document::{Exclusion, Keep, Mode, Rounding};
use crate::program::interpreter::{self, Answer};
use crate::program::{EvalError, Rational, round_half_up, round_up};
use crate::register::declaration::SubjectKind;

/// What is known of one subject.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The value of a fact; none: unknown.
    pub value: &'a dyn Fn(FactId) -> Option<Value>,
    /// Whether a computed fact is taken as it is, known or unknown, and not computed from its parts.
    pub taken: &'a dyn Fn(FactId) -> bool,
    /// Why an unknown fact is unknown, where that is known.
    pub cause: &'a dyn Fn(FactId) -> Option<Why>,
    /// The day that a register's delivery speaks for, where there was one.
    pub data_day: &'a dyn Fn(&str) -> Option<NaiveDate>,
}

impl Known<'_> {
    /// Nothing is known.
    pub const NOTHING: Known<'static> = Known { value: &no_value, taken: &not_taken, cause: &no_cause, data_day: &no_day };
}

fn no_value(_: FactId) -> Option<Value> {
    None
}

fn not_taken(_: FactId) -> bool {
    false
}

fn no_cause(_: FactId) -> Option<Why> {
    None
}

fn no_day(_: &str) -> Option<NaiveDate> {
    None
}

/// The verdict on one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Owed.
    Yes,
    /// Not found yet.
    No,
    /// A fact is missing.
    Unknown,
    /// The policy does not cover the subject, or is not in force.
    Outside,
}

impl Verdict {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Outside => "outside",
        }
    }

    /// From a three-valued condition.
    #[must_use]
    pub fn of(answer: Option<bool>) -> Self {
        match answer {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unknown,
        }
    }
}

/// What a yes is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// The benefit has no amount, or one for each occasion that only registers tell.
    None,
    /// A fact that the amount needs is unknown.
    Unknown,
    /// In hundredths of the unit, rounded, and within the cap.
    Known(i64),
}

/// What one policy means for one subject.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict, with what the policy requires.
    pub verdict: Verdict,
    /// What a yes is worth; [`Amount::None`] for any other verdict.
    pub amount: Amount,
    /// How it reaches the subject: of a yes its mode, of an unknown that commitment may settle `commit`.
    pub mode: Option<Mode>,
    /// For an unknown, the minimal sets of facts that could make it yes, smallest first.
    pub missing: Vec<Vec<Arc<str>>>,
    /// For an unknown, the facts that a commitment would settle it with; empty: none can.
    pub offer: Vec<Arc<str>>,
    /// The policy that the subject has instead of this one.
    pub given_up_for: Option<String>,
    /// The policies whose unknown verdict, or amount, sends this one to an official.
    pub undecided_against: Vec<String>,
}

/// Judges policies on what is known of one subject.
pub struct Judge<'a> {
    /// Every fact; grows by what links must carry.
    pub catalogue: Catalogue,
    /// What conditions are bound to.
    pub binder: &'a Binder<'a>,
    /// The subject.
    pub known: Known<'a>,
    /// Facts to commit to that are unknown: what an offer asks for, not what they are computed from.
    opaque: BTreeSet<FactId>,
    /// What was made ready before: many subjects are judged by the same conditions.
    prepared: BTreeMap<(String, Part, BTreeSet<FactId>), Arc<Expr>>,
}

/// A part of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Coverage,
    /// Coverage, criteria and what is required.
    Conditions,
    Amount,
}

impl<'a> Judge<'a> {
    /// A judge of one subject. Of several, one after the other, where `known` comes to speak of another; what it says is
    /// `taken` must then stay the same.
    #[must_use]
    pub fn new(catalogue: &Catalogue, binder: &'a Binder<'a>, known: Known<'a>) -> Self {
        Self { catalogue: catalogue.clone(), binder, known, opaque: BTreeSet::new(), prepared: BTreeMap::new() }
    }

    /// Forgets what was made ready before: policies of the same codes come with other conditions.
    pub fn forget(&mut self) {
        self.prepared.clear();
    }

    /// The form of an expression over the facts of `kind` that the interpreter takes: computed facts written out, bound.
    pub fn ready(&mut self, expr: &Expr, kind: SubjectKind) -> Expr {
        let (known, opaque) = (self.known, &self.opaque);
        let bound = self.binder.bind(expr);
        let expanded = self.catalogue.expand(&bound, kind, 0, &|id| (known.taken)(id) || opaque.contains(&id));
        self.binder.bind(&expanded)
    }

    /// The value of an open expression over the facts of `kind`.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn value(&mut self, expr: &Expr, kind: SubjectKind) -> Result<Option<Answer>, EvalError> {
        let ready = self.ready(expr, kind);
        interpreter::evaluate(&ready, &self.row(kind))
    }

    /// An expression over the facts of `kind` that is still open to the day: other policies and computed facts written out.
    pub fn open(&mut self, expr: &Expr, kind: SubjectKind) -> Expr {
        let (known, opaque) = (self.known, &self.opaque);
        let inlined = inline(expr, self.binder.policies);
        self.catalogue.expand(&inlined, kind, 0, &|id| (known.taken)(id) || opaque.contains(&id))
    }

    fn prepared(&mut self, policy: &CheckedPolicy, part: Part) -> Option<Arc<Expr>> {
        let key = (policy.document.code.clone(), part, self.opaque.clone());
        if let Some(ready) = self.prepared.get(&key) {
            return Some(Arc::clone(ready));
        }
        let expr = match part {
            Part::Coverage => policy.coverage.clone(),
            Part::Conditions => self.all_conditions(policy),
            Part::Amount => policy.amount.clone()?,
        };
        let ready = Arc::new(self.ready(&expr, policy.document.subject));
        self.prepared.insert(key, Arc::clone(&ready));
        Some(ready)
    }

    /// Coverage, criteria and what the policy requires, in the form that the interpreter takes.
    pub fn conditions(&mut self, policy: &CheckedPolicy) -> Arc<Expr> {
        self.prepared(policy, Part::Conditions).unwrap_or_else(|| Arc::new(Expr::boolean(true)))
    }

    fn prepared_value(&mut self, policy: &CheckedPolicy, part: Part) -> Result<Option<Answer>, EvalError> {
        let Some(ready) = self.prepared(policy, part) else { return Ok(None) };
        interpreter::evaluate(&ready, &self.row(policy.document.subject))
    }

    /// The value of an open condition over the facts of `kind`.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn holds(&mut self, expr: &Expr, kind: SubjectKind) -> Result<Option<bool>, EvalError> {
        Ok(match self.value(expr, kind)? {
            Some(Answer::Bool(answer)) => Some(answer),
            _ => None,
        })
    }

    pub(super) fn row(&self, kind: SubjectKind) -> impl Fn(usize) -> Option<Value> + use<'a> {
        let known = self.known;
        move |index| (known.value)(FactId { kind, index })
    }

    /// The minimal sets of facts that could make an open condition yes, each fact by its place.
    pub fn missing(&mut self, expr: &Expr, kind: SubjectKind) -> Vec<Vec<FactId>> {
        let ready = self.ready(expr, kind);
        let sets = interpreter::missing(&ready, &self.row(kind));
        sets.into_iter().map(|set| set.into_iter().map(|index| FactId { kind, index }).collect()).collect()
    }

    /// The minimal sets of facts that could make the conditions of a policy yes.
    fn missing_of(&mut self, policy: &CheckedPolicy) -> Vec<Vec<FactId>> {
        let kind = policy.document.subject;
        let ready = self.conditions(policy);
        let sets = interpreter::missing(&ready, &self.row(kind));
        sets.into_iter().map(|set| set.into_iter().map(|index| FactId { kind, index }).collect()).collect()
    }

    /// From here on, facts that the policy lets the subject commit to are missing as such where they are unknown.
    pub fn ask_for_commitments(&mut self, policy: &CheckedPolicy) {
        let kind = policy.document.subject;
        for &index in &policy.commit {
            let id = FactId { kind, index };
            let ty = self.catalogue.fact(id).ty.ty;
            if !matches!(self.value(&Expr::new(Kind::Fact(index), ty), kind), Ok(Some(_))) {
                self.opaque.insert(id);
            }
        }
    }

    /// What a policy means for the subject.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn judge(&mut self, policy: &CheckedPolicy) -> Result<Judgement, EvalError> {
        self.opaque.clear();
        self.ask_for_commitments(policy);
        let verdict = self.verdict(policy)?;
        let mut judgement = Judgement {
            verdict,
            amount: Amount::None,
            mode: None,
            missing: Vec::new(),
            offer: Vec::new(),
            given_up_for: None,
            undecided_against: Vec::new(),
        };
        match verdict {
            Verdict::Yes => {
                judgement.amount = self.amount(policy)?;
                self.exclusions(policy, &mut judgement)?;
                let needs_review = judgement.amount == Amount::Unknown || !judgement.undecided_against.is_empty();
                judgement.mode = Some(if needs_review { Mode::Review } else { policy.document.delivery.mode });
            }
            Verdict::Unknown => {
                let sets = self.missing_of(policy);
                let may_commit = |set: &&Vec<FactId>| !set.is_empty() && set.iter().all(|id| policy.commit.contains(&id.index));
                let offer = sets.iter().find(may_commit).cloned().unwrap_or_default();
                judgement.mode = Some(Mode::Commit).filter(|_| !offer.is_empty());
                judgement.offer = self.names(&offer);
                judgement.missing = sets.iter().map(|set| self.names(set)).collect();
            }
            Verdict::No | Verdict::Outside => {}
        }
        self.opaque.clear();
        Ok(judgement)
    }

    /// The names of facts, sorted.
    #[must_use]
    pub fn names(&self, facts: &[FactId]) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = facts.iter().map(|&id| Arc::clone(&self.catalogue.fact(id).name)).collect();
        names.sort();
        names
    }

    /// The verdict of a policy on the subject, with what it requires.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn verdict(&mut self, policy: &CheckedPolicy) -> Result<Verdict, EvalError> {
        if self.covers(policy)? == Some(false) {
            return Ok(Verdict::Outside);
        }
        Ok(Verdict::of(match self.prepared_value(policy, Part::Conditions)? {
            Some(Answer::Bool(verdict)) => Some(verdict),
            _ => None,
        }))
    }

    /// Whether a policy covers the subject; none where the fact that decides is unknown.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn covers(&mut self, policy: &CheckedPolicy) -> Result<Option<bool>, EvalError> {
        Ok(match self.prepared_value(policy, Part::Coverage)? {
            Some(Answer::Bool(covered)) => Some(covered),
            _ => None,
        })
    }

    /// Coverage, criteria and what the policy requires, as one open condition over the facts of its subject.
    pub fn all_conditions(&mut self, policy: &CheckedPolicy) -> Expr {
        self.conditions_with(policy, &mut BTreeSet::new())
    }

    fn conditions_with(&mut self, policy: &CheckedPolicy, seen: &mut BTreeSet<String>) -> Expr {
        let mut all = vec![policy.coverage.clone(), policy.criteria.clone()];
        // Checking refuses circles; were there one, it is cut here.
        if seen.insert(policy.document.code.clone()) {
            for (code, _) in &policy.document.requires {
                all.push(self.required(policy.document.subject, code, seen));
            }
        }
        Expr::new(Kind::And(all), Ty::Bool)
    }

    /// The conditions of a required policy over the facts of `kind`.
    pub(super) fn required(&mut self, kind: SubjectKind, code: &str, seen: &mut BTreeSet<String>) -> Expr {
        let binder = self.binder;
        let Some(other) = binder.policies.get(code) else { return Expr::boolean(false) };
        let conditions = self.conditions_with(other, seen);
        match (kind, other.document.subject) {
            (own, theirs) if own == theirs => conditions,
            (SubjectKind::Person, SubjectKind::Household) => {
                let whole = inline(&conditions, binder.policies);
                self.through_household(&whole)
            }
            _ => Expr::new(Kind::Unknown, Ty::Bool),
        }
    }

    /// An expression over the facts of a household as one over those of its members.
    fn through_household(&mut self, expr: &Expr) -> Expr {
        if let Kind::Fact(index) = expr.kind {
            let fact = FactId { kind: SubjectKind::Household, index };
            let kind = match self.catalogue.linked(SubjectKind::Person, "household", fact) {
                Some(id) => Kind::Fact(id.index),
                None => Kind::Unknown,
            };
            return Expr { kind, ..expr.clone() };
        }
        expr.map_children(&mut |child| self.through_household(child))
    }

    /// All that judging a policy reads, and the policies that exclude or are excluded: open expressions over the facts of
    /// its subject.
    pub(super) fn everything_of(&mut self, policy: &CheckedPolicy) -> Vec<Expr> {
        let (binder, own) = (self.binder, &policy.document);
        let mut all = vec![self.all_conditions(policy)];
        all.extend(policy.amount.iter().chain(&policy.cap).cloned());
        all.extend(own.covers.by.as_ref().and_then(|(name, _)| self.catalogue.find(own.subject, name)).map(|id| self.itself(id)));
        let mut others: BTreeSet<&str> = own.excludes.iter().map(|exclusion| exclusion.policy.as_str()).collect();
        let excluding = binder.policies.values().filter(|other| other.document.excludes.iter().any(|excluded| excluded.policy == own.code));
        others.extend(excluding.map(|other| other.document.code.as_str()));
        for code in others {
            all.push(self.required(own.subject, code, &mut BTreeSet::new()));
            let other = binder.policies.get(code).filter(|other| other.document.subject == own.subject);
            all.extend(other.and_then(|other| other.amount.clone()));
        }
        all
    }

    fn itself(&self, fact: FactId) -> Expr {
        Expr::new(Kind::Fact(fact.index), self.catalogue.fact(fact).ty.ty)
    }

    fn amount(&mut self, policy: &CheckedPolicy) -> Result<Amount, EvalError> {
        let kind = policy.document.subject;
        if policy.amount.is_none() {
            return Ok(Amount::None);
        }
        if policy.each.as_ref().is_some_and(|each| each.amount.is_some()) {
            return Ok(Amount::None);
        }
        let Some(Answer::Number(amount)) = self.prepared_value(policy, Part::Amount)? else { return Ok(Amount::Unknown) };
        let amount = rounded(&amount, policy.document.benefit.rounding)?;
        let cap = match &policy.cap {
            Some(cap) => match self.value(cap, kind)? {
                Some(Answer::Number(cap)) => round_half_up(&cap, 2),
                _ => None,
            },
            None => None,
        };
        Ok(Amount::Known(cap.map_or(amount, |cap| amount.min(cap))))
    }

    fn exclusions(&mut self, policy: &CheckedPolicy, judgement: &mut Judgement) -> Result<(), EvalError> {
        let binder = self.binder;
        let own = &policy.document;
        let declared = own.excludes.iter().map(|exclusion| (exclusion.policy.as_str(), exclusion, false));
        let against = binder.policies.values().flat_map(|other| {
            let of_this = other.document.excludes.iter().filter(|exclusion| exclusion.policy == own.code);
            of_this.map(|exclusion| (other.document.code.as_str(), exclusion, true))
        });
        let mut seen = BTreeSet::new();
        for (code, exclusion, by_other) in declared.chain(against) {
            if code == own.code || !seen.insert(code) {
                continue;
            }
            let Some(other) = binder.policies.get(code) else { continue };
            match self.verdict_for(own.subject, other)? {
                Verdict::No | Verdict::Outside => {}
                Verdict::Unknown => judgement.undecided_against.push(code.to_owned()),
                Verdict::Yes => match self.stays(policy, judgement.amount, other, exclusion, by_other)? {
                    Some(true) => {}
                    Some(false) => judgement.given_up_for = Some(code.to_owned()),
                    None => judgement.undecided_against.push(code.to_owned()),
                },
            }
        }
        Ok(())
    }

    /// The verdict of a policy as it concerns a subject of `kind`: its own, or that of a person's household.
    ///
    /// # Errors
    ///
    /// If arithmetic overflows.
    pub fn verdict_for(&mut self, kind: SubjectKind, other: &CheckedPolicy) -> Result<Verdict, EvalError> {
        match (kind, other.document.subject) {
            (own, theirs) if own == theirs => self.verdict(other),
            (SubjectKind::Person, SubjectKind::Household) => {
                let conditions = self.required(kind, &other.document.code, &mut BTreeSet::new());
                Ok(Verdict::of(self.holds(&conditions, kind)?))
            }
            // What a household has is never given up for one member.
            _ => Ok(Verdict::No),
        }
    }

    /// Whether a policy stays beside another that the subject has too; none when it cannot be said.
    fn stays(
        &mut self,
        policy: &CheckedPolicy,
        amount: Amount,
        other: &CheckedPolicy,
        exclusion: &Exclusion,
        by_other: bool,
    ) -> Result<Option<bool>, EvalError> {
        let (own, theirs) = (&policy.document, &other.document);
        match exclusion.keep {
            Keep::This => Ok(Some(!by_other)),
            Keep::Other => Ok(Some(by_other)),
            Keep::Highest if own.subject != theirs.subject || own.benefit.period != theirs.benefit.period => Ok(None),
            Keep::Highest => {
                let worth = |amount: Amount| match amount {
                    Amount::Known(amount) => Some(amount),
                    Amount::None => Some(0),
                    Amount::Unknown => None,
                };
                let (Some(mine), Some(its)) = (worth(amount), worth(self.amount(other)?)) else { return Ok(None) };
                Ok(Some(mine > its || mine == its && own.code < theirs.code))
            }
        }
    }
}

/// An expression with the conditions of other policies put in where it asks for their verdicts.
fn inline(expr: &Expr, policies: &BTreeMap<String, CheckedPolicy>) -> Expr {
    match &expr.kind {
        Kind::Entitled(code) => match policies.get(&**code) {
            Some(policy) => Expr::new(Kind::And(vec![inline(&policy.coverage, policies), inline(&policy.criteria, policies)]), Ty::Bool),
            None => Expr::boolean(false),
        },
        _ => expr.map_children(&mut |child| inline(child, policies)),
    }
}

/// An amount in hundredths, rounded once.
fn rounded(amount: &Rational, rounding: Rounding) -> Result<i64, EvalError> {
    let hundredths = match rounding {
        Rounding::Fen => round_half_up(amount, 2),
        Rounding::Yuan => round_half_up(amount, 0).and_then(|yuan| yuan.checked_mul(100)),
        Rounding::YuanUp => round_up(amount, 0).and_then(|yuan| yuan.checked_mul(100)),
    };
    hundredths.ok_or(EvalError::Overflow { root: 0, row: 0 })
}
