//! The reason tree: each criterion with its clause, the facts that it reads, where they come from, and what is missing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::formula::{Term, numbers_in, terms};
use super::judge::{Amount, Judge, Judgement, Known, Verdict};
use super::lack::{FailingCriterion, Lacking, lacking};
use super::mend::LeastChange;
use super::phrase::label_of;
use super::value::{raw, show};
use super::when::Turn;
use super::why::{Settle, Why, settle};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Message;
use crate::eligibility::grant::amount_text;
use crate::eligibility::run::authority;
use crate::policy::document::{CriteriaNode, Mode};
use crate::register::declaration::SubjectKind;

/// How deep facts are followed into what they are computed from.
const DEPTH: usize = 3;

/// Why a policy means what it means for one subject.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// Code of the policy.
    pub policy: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: Message,
    /// Who is judged.
    pub subject: SubjectKind,
    /// The day, as `2026-06-30`.
    pub as_of: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What went wrong in the arithmetic; the verdict is then unknown.
    pub fault: Option<String>,
    /// Whether the policy covers the subject.
    pub coverage: CoverageReason,
    /// The criteria.
    pub criteria: ReasonNode,
    /// The policies that the subject must also be entitled to.
    pub requires: Vec<Tie>,
    /// Of a no: the criteria that fail, and how far off they are; none where it is only for what is required.
    pub lacking: Option<Lacking<FailingCriterion>>,
    /// Of a no: the least change that would make it yes.
    pub least_change: Option<LeastChange>,
    /// Of an unknown, the minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<MissingFact>>,
    /// Of an unknown, the facts that a commitment would settle it with.
    pub offer: Vec<MissingFact>,
    /// What a yes is worth.
    pub amount: Option<AmountReason>,
    /// How it reaches the subject.
    pub mode: Option<Mode>,
    /// The policy that the subject has instead.
    pub given_up_for: Option<Tie>,
    /// The policies against which an official decides.
    pub undecided_against: Vec<Tie>,
    /// Of an unknown: the one question, or request for data, that would settle it.
    pub settle: Option<Settle>,
    /// The last day up to which turns were looked for; none: they were not.
    pub until: Option<String>,
    /// The days on which the verdict changes by time alone.
    pub turns: Vec<Turn>,
    /// The reasons in plain sentences.
    pub plain: Vec<Message>,
}

impl Reason {
    /// The reason with the days on which the verdict changes by time alone.
    #[must_use]
    pub fn with_turns(mut self, turns: Vec<Turn>, until: chrono::NaiveDate) -> Self {
        self.turns = turns;
        self.until = Some(until.to_string());
        self.plain = super::sentence::plain(&self);
        self
    }
}

/// Whether the policy covers the subject.
#[derive(Debug, Clone, Serialize)]
pub struct CoverageReason {
    /// Region code.
    pub region: String,
    /// Its name.
    pub name: Message,
    /// Yes, no or unknown.
    pub verdict: Verdict,
    /// The fact that decides; none: everybody is covered.
    pub fact: Option<FactReason>,
}

/// Another policy and its verdict on the subject.
#[derive(Debug, Clone, Serialize)]
pub struct Tie {
    /// Its code.
    pub policy: String,
    /// Its name.
    pub name: Message,
    /// Its verdict; outside where it is not in force.
    pub verdict: Verdict,
}

/// A node of the tree of criteria.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonNode {
    /// All must be yes.
    All(Group),
    /// One must be yes.
    Any(Group),
    /// Must be no.
    Not(Group),
    /// So many must be yes.
    AtLeast(Group),
    /// One condition.
    Criterion(Box<CriterionReason>),
}

/// Criteria under one head.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The verdict of the group.
    pub verdict: Verdict,
    /// How many must be yes, for [`ReasonNode::AtLeast`].
    pub count: Option<usize>,
    /// The members, in the order of the file.
    pub items: Vec<ReasonNode>,
}

/// One criterion.
#[derive(Debug, Clone, Serialize)]
pub struct CriterionReason {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Message>,
    /// The clause with its document.
    pub clause: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The condition as written.
    pub when: String,
    /// Parts of the condition with their values.
    pub terms: Vec<Term>,
    /// The facts that it reads.
    pub facts: Vec<FactReason>,
    /// Of an unknown, the facts that could settle it, of all minimal sets.
    pub missing: Vec<MissingFact>,
}

/// A fact with its value and source.
#[derive(Debug, Clone, Serialize)]
pub struct FactReason {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Message,
    /// The value for tools; null: unknown.
    pub value: Option<serde_json::Value>,
    /// The value for people; none: unknown.
    pub shown: Option<Message>,
    /// Why it is unknown, where that is known.
    pub cause: Option<Why>,
    /// The registers that it rests on; of a computed fact see its parts.
    pub registers: Vec<RegisterReason>,
    /// What it was computed from.
    pub from: Vec<FactReason>,
}

/// A register that a fact rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterReason {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Message,
    /// The authority that answers for it.
    pub kept_by: String,
    /// The day that its delivery speaks for.
    pub data_day: Option<String>,
}

/// A fact that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingFact {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Message,
    /// Why, where that is known.
    pub cause: Option<Why>,
    /// Which registers would tell.
    pub registers: Vec<RegisterReason>,
}

/// What a yes is worth.
#[derive(Debug, Clone, Serialize)]
pub struct AmountReason {
    /// Decimal text with two places; none: unknown.
    pub amount: Option<String>,
    /// Unit with period: `CNY/month`.
    pub unit: String,
    /// Whether it is for each member of the household.
    pub per_member: bool,
    /// The clause that sets it.
    pub clause: Option<String>,
    /// The formula as written.
    pub formula: String,
    /// The formula, or its branch that applies, with the numbers put in.
    pub numbers: Option<Message>,
    /// Parts of the formula with their values.
    pub terms: Vec<Term>,
    /// The facts that it reads.
    pub facts: Vec<FactReason>,
}

/// Explains what a policy means for one subject.
#[must_use]
pub fn explain(catalogue: &Catalogue, policy: &CheckedPolicy, binder: &Binder<'_>, known: Known<'_>) -> Reason {
    let mut judge = Judge::new(catalogue, binder, known);
    let document = &policy.document;
    let judged = judge.judge(policy);
    let fault = judged.as_ref().err().map(ToString::to_string);
    let judgement = judged.unwrap_or(Judgement {
        verdict: Verdict::Unknown,
        amount: Amount::None,
        mode: None,
        missing: Vec::new(),
        offer: Vec::new(),
        given_up_for: None,
        undecided_against: Vec::new(),
    });
    judge.ask_for_commitments(policy);
    let criteria = tree(&mut judge, policy, &document.criteria, &mut policy.leaves.iter());
    let kind = document.subject;
    let requires = document.requires.iter().map(|(code, _)| tie(&mut judge, kind, code)).collect();
    let known_missing = |name: &std::sync::Arc<str>| missing_fact(&judge, kind, name);
    let missing: Vec<Vec<MissingFact>> = judgement.missing.iter().map(|set| set.iter().filter_map(known_missing).collect()).collect();
    let offer: Vec<MissingFact> = judgement.offer.iter().filter_map(known_missing).collect();
    let settle = if judgement.verdict == Verdict::Unknown { settle(&missing, &offer, kind) } else { None };
    let is_no = judgement.verdict == Verdict::No;
    let mut reason = Reason {
        policy: document.code.clone(),
        version: document.version,
        name: document.name.clone(),
        subject: kind,
        as_of: binder.as_of.to_string(),
        verdict: judgement.verdict,
        fault,
        coverage: coverage(&mut judge, policy),
        criteria,
        requires,
        lacking: if is_no { lacking(&mut judge, policy) } else { None },
        least_change: is_no.then(|| judge.least_change(policy)),
        missing,
        offer,
        amount: amount(&mut judge, policy, &judgement),
        mode: judgement.mode,
        given_up_for: judgement.given_up_for.as_deref().map(|code| tie(&mut judge, kind, code)),
        undecided_against: judgement.undecided_against.iter().map(|code| tie(&mut judge, kind, code)).collect(),
        settle,
        until: None,
        turns: Vec::new(),
        plain: Vec::new(),
    };
    reason.plain = super::sentence::plain(&reason);
    reason
}

fn tree<'p>(
    judge: &mut Judge<'_>,
    policy: &'p CheckedPolicy,
    node: &CriteriaNode,
    leaves: &mut impl Iterator<Item = &'p (std::sync::Arc<str>, Expr)>,
) -> ReasonNode {
    let mut group = |count: Option<usize>, items: &[CriteriaNode]| {
        let items: Vec<ReasonNode> = items.iter().map(|item| tree(&mut *judge, policy, item, &mut *leaves)).collect();
        let so_many = |verdict: Verdict| items.iter().filter(|item| item.verdict() == verdict).count();
        (so_many(Verdict::Yes), so_many(Verdict::No), Group { verdict: Verdict::Unknown, count, items })
    };
    match node {
        CriteriaNode::All(items) => {
            let (yes, no, group) = group(None, items);
            let verdict = if no > 0 {
                Verdict::No
            } else if yes == group.items.len() {
                Verdict::Yes
            } else {
                Verdict::Unknown
            };
            ReasonNode::All(Group { verdict, ..group })
        }
        CriteriaNode::Any(items) => {
            let (yes, no, group) = group(None, items);
            let verdict = if yes > 0 {
                Verdict::Yes
            } else if no == group.items.len() {
                Verdict::No
            } else {
                Verdict::Unknown
            };
            ReasonNode::Any(Group { verdict, ..group })
        }
        CriteriaNode::AtLeast(count, items) => {
            let (yes, no, group) = group(Some(*count), items);
            let possible = group.items.len() - no;
            let verdict = if yes >= *count {
                Verdict::Yes
            } else if possible < *count {
                Verdict::No
            } else {
                Verdict::Unknown
            };
            ReasonNode::AtLeast(Group { verdict, ..group })
        }
        CriteriaNode::Not(inner) => {
            let (yes, no, group) = group(None, std::slice::from_ref(inner));
            let verdict = if yes > 0 {
                Verdict::No
            } else if no > 0 {
                Verdict::Yes
            } else {
                Verdict::Unknown
            };
            ReasonNode::Not(Group { verdict, ..group })
        }
        CriteriaNode::Criterion(criterion) => {
            let expr = leaves.next().map_or_else(|| Expr::boolean(true), |(_, expr)| expr.clone());
            let kind = policy.document.subject;
            let verdict = Verdict::of(judge.holds(&expr, kind).unwrap_or_default());
            let source = criterion.when.node.text().unwrap_or_default();
            let missing = if verdict == Verdict::Unknown { missing_of(judge, &expr, kind) } else { Vec::new() };
            ReasonNode::Criterion(Box::new(CriterionReason {
                id: criterion.id.clone(),
                label: criterion.label.clone(),
                clause: policy.document.cite(criterion),
                verdict,
                when: source.trim().to_owned(),
                terms: terms(judge, &expr, kind, source),
                facts: facts_of(judge, &expr, kind),
                missing,
            }))
        }
    }
}

impl ReasonNode {
    /// The verdict of the node.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::All(group) | Self::Any(group) | Self::Not(group) | Self::AtLeast(group) => group.verdict,
            Self::Criterion(criterion) => criterion.verdict,
        }
    }
}

fn coverage(judge: &mut Judge<'_>, policy: &CheckedPolicy) -> CoverageReason {
    let (kind, covers) = (policy.document.subject, &policy.document.covers);
    let fact = covers.by.as_ref().and_then(|(name, _)| judge.catalogue.find(kind, name)).map(|id| fact(judge, id, 0));
    let name = judge.binder.regions.name(&covers.region).cloned();
    CoverageReason {
        region: covers.region.clone(),
        name: name.unwrap_or_else(|| Message::new(&covers.region, &covers.region)),
        verdict: Verdict::of(judge.holds(&policy.coverage, kind).unwrap_or_default()),
        fact,
    }
}

fn tie(judge: &mut Judge<'_>, kind: SubjectKind, code: &str) -> Tie {
    let Some(other) = judge.binder.policies.get(code) else {
        return Tie { policy: code.to_owned(), name: Message::new(code, code), verdict: Verdict::Outside };
    };
    let conditions = judge.required(kind, code, &mut BTreeSet::new());
    let verdict = Verdict::of(judge.holds(&conditions, kind).unwrap_or_default());
    Tie { policy: code.to_owned(), name: other.document.name.clone(), verdict }
}

/// The facts of an expression, each once, in the order of the text.
fn facts_of(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind) -> Vec<FactReason> {
    let mut indexes = Vec::new();
    expr.for_each_fact(&mut |index| {
        if !indexes.contains(&index) {
            indexes.push(index);
        }
    });
    indexes.into_iter().map(|index| fact(judge, FactId { kind, index }, 0)).collect()
}

fn fact(judge: &mut Judge<'_>, id: FactId, depth: usize) -> FactReason {
    let declared = judge.catalogue.fact(id).clone();
    let answer = judge.value(&Expr::new(Kind::Fact(id.index), declared.ty.ty), id.kind).ok().flatten();
    let is_taken = (judge.known.taken)(id);
    let from = match &declared.definition {
        Definition::Computed(expr) if !is_taken && depth < DEPTH => {
            let mut inputs = Vec::new();
            expr.for_each_fact(&mut |index| inputs.push(FactId { kind: id.kind, index }));
            inputs.sort();
            inputs.dedup();
            inputs.into_iter().map(|input| fact(judge, input, depth + 1)).collect()
        }
        _ => Vec::new(),
    };
    let registers = if from.is_empty() { registers(judge, id) } else { Vec::new() };
    FactReason {
        name: declared.name.to_string(),
        label: label_of(&judge.catalogue, id),
        value: answer.as_ref().map(|answer| raw(answer, Some(&declared.ty))),
        shown: answer.as_ref().map(|answer| show(answer, Some(&declared.ty), declared.unit.as_deref(), judge.binder.regions)),
        cause: if answer.is_none() { (judge.known.cause)(id) } else { None },
        registers,
        from,
    }
}

fn registers(judge: &Judge<'_>, id: FactId) -> Vec<RegisterReason> {
    let names = judge.catalogue.registers_of(id);
    let declared = names.iter().filter_map(|name| judge.catalogue.registers.registers.get(name));
    declared
        .map(|register| RegisterReason {
            name: register.name.clone(),
            label: register.label.clone(),
            kept_by: register.kept_by.clone(),
            data_day: (judge.known.data_day)(&register.name).map(|day| day.to_string()),
        })
        .collect()
}

fn missing_fact(judge: &Judge<'_>, kind: SubjectKind, name: &str) -> Option<MissingFact> {
    let id = judge.catalogue.find(kind, name)?;
    let authority = authority(&judge.catalogue, id);
    let mut registers = registers(judge, id);
    // The one that answers for the fact comes first.
    registers.sort_by_key(|register| Some(&register.name) != authority.as_ref());
    Some(MissingFact { name: name.to_owned(), label: label_of(&judge.catalogue, id), cause: (judge.known.cause)(id), registers })
}

fn missing_of(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind) -> Vec<MissingFact> {
    let mut facts: Vec<FactId> = judge.missing(expr, kind).into_iter().flatten().collect();
    facts.sort();
    facts.dedup();
    let names = judge.names(&facts);
    names.iter().filter_map(|name| missing_fact(judge, kind, name)).collect()
}

fn amount(judge: &mut Judge<'_>, policy: &CheckedPolicy, judgement: &Judgement) -> Option<AmountReason> {
    let document = &policy.document;
    let (expr, written) = policy.amount.as_ref().zip(document.benefit.amount.as_ref())?;
    if judgement.verdict != Verdict::Yes || policy.each.as_ref().is_some_and(|each| each.amount.is_some()) {
        return None;
    }
    let (kind, source) = (document.subject, written.node.text().unwrap_or_default());
    let period = document.benefit.period;
    let per = serde_json::to_value(period).ok().and_then(|word| word.as_str().map(str::to_owned)).filter(|word| word != "once");
    Some(AmountReason {
        amount: match judgement.amount {
            Amount::Known(hundredths) => Some(amount_text(hundredths)),
            _ => None,
        },
        unit: per.map_or_else(|| document.benefit.unit.clone(), |per| format!("{}/{per}", document.benefit.unit)),
        per_member: document.benefit.per_member,
        clause: document.cite_amount(),
        formula: source.trim().to_owned(),
        numbers: numbers_in(judge, expr, kind, source),
        terms: terms(judge, expr, kind, source),
        facts: facts_of(judge, expr, kind),
    })
}
