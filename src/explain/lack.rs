//! Why a no is a no: each criterion that fails, what in it falls short and by how much, and when time alone mends it.

use serde::Serialize;

use super::calendar::first_day;
use super::judge::{Judge, Verdict};
use super::phrase::{comparison, counted, joined, phrase, region_name};
use super::value::show;
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind};
use crate::check::typing::Type;
use crate::diagnostic::Message;
use crate::policy::document::{CriteriaNode, Criterion};
use crate::program::Rational;
use crate::program::interpreter::Answer;
use crate::register::declaration::SubjectKind;

/// How many codes of a set are named.
const NAMED: usize = 8;

/// How deep computed facts are followed.
const DEPTH: usize = 3;

/// What is lacking: one thing, all of several, or one (or some) of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lacking<T> {
    /// One thing.
    One(T),
    /// Each of these is lacking.
    All(Vec<Lacking<T>>),
    /// One of these would do.
    Any(Vec<Lacking<T>>),
    /// So many of these would do.
    Some {
        /// How many.
        count: usize,
        /// Of which.
        of: Vec<Lacking<T>>,
    },
}

/// A criterion that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailingCriterion {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Message>,
    /// The clause with its document.
    pub clause: Option<String>,
    /// Whether it must be yes; no for one that stands under `not`.
    pub must_be: bool,
    /// What in it falls short; none where that is not told by one comparison.
    pub gaps: Option<Lacking<Gap>>,
    /// The first day on which time alone mends it, with facts and standards as they are.
    pub mended_on: Option<String>,
}

/// A part of a condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What is looked at.
    pub what: Message,
    /// What it is.
    pub is: Message,
    /// What it must be.
    pub must_be: Message,
    /// By how much it falls short; none where that is no amount.
    pub short_by: Option<Message>,
    /// The same as a number, for tools: exact decimal or quotient, in the unit of the comparison; days for dates.
    pub short_by_exact: Option<String>,
    /// Of an age, the day that it is told for.
    pub on: Option<String>,
}

/// The criteria that make a policy a no; none where it is not for its criteria.
pub(super) fn lacking(judge: &mut Judge<'_>, policy: &CheckedPolicy) -> Option<Lacking<FailingCriterion>> {
    node(judge, policy, &policy.document.criteria, &mut policy.leaves.iter(), true).1
}

/// The verdict of a node, and what it lacks to be as it must be.
fn node<'p>(
    judge: &mut Judge<'_>,
    policy: &'p CheckedPolicy,
    criteria: &CriteriaNode,
    leaves: &mut impl Iterator<Item = &'p (std::sync::Arc<str>, Expr)>,
    must_be: bool,
) -> (Verdict, Option<Lacking<FailingCriterion>>) {
    let (items, count) = match criteria {
        CriteriaNode::Criterion(criterion) => {
            let Some((_, expr)) = leaves.next() else { return (Verdict::Unknown, None) };
            return leaf(judge, policy, criterion, expr, must_be);
        }
        CriteriaNode::Not(inner) => {
            let (verdict, lacking) = node(judge, policy, inner, leaves, !must_be);
            let verdict = match verdict {
                Verdict::Yes => Verdict::No,
                Verdict::No => Verdict::Yes,
                other => other,
            };
            return (verdict, lacking);
        }
        CriteriaNode::All(items) => (items, items.len()),
        CriteriaNode::Any(items) => (items, 1),
        CriteriaNode::AtLeast(count, items) => (items, *count),
    };
    let told: Vec<_> = items.iter().map(|item| node(judge, policy, item, leaves, must_be)).collect();
    let so_many = |verdict: Verdict| told.iter().filter(|(other, _)| *other == verdict).count();
    let (yes, no) = (so_many(Verdict::Yes), so_many(Verdict::No));
    let verdict = if yes >= count {
        Verdict::Yes
    } else if items.len() - no < count {
        Verdict::No
    } else {
        Verdict::Unknown
    };
    if verdict != if must_be { Verdict::No } else { Verdict::Yes } {
        return (verdict, None);
    }
    let of: Vec<_> = told.into_iter().filter_map(|(_, lacking)| lacking).collect();
    // To be yes, `count` of them must be; to be no, so many must be no that `count` cannot be reached.
    let still = if must_be { count - yes } else { (yes + 1).saturating_sub(count) };
    (verdict, several(of, still))
}

fn several<T>(mut of: Vec<Lacking<T>>, needed: usize) -> Option<Lacking<T>> {
    match (of.len(), needed) {
        (0, _) => None,
        (1, _) => of.pop(),
        (count, needed) if needed >= count => Some(Lacking::All(of)),
        (_, 1) => Some(Lacking::Any(of)),
        (_, needed) => Some(Lacking::Some { count: needed, of }),
    }
}

fn leaf(
    judge: &mut Judge<'_>,
    policy: &CheckedPolicy,
    criterion: &Criterion,
    expr: &Expr,
    must_be: bool,
) -> (Verdict, Option<Lacking<FailingCriterion>>) {
    let kind = policy.document.subject;
    let verdict = Verdict::of(judge.holds(expr, kind).unwrap_or_default());
    if verdict != if must_be { Verdict::No } else { Verdict::Yes } {
        return (verdict, None);
    }
    let mended = first_day(judge, expr, kind, must_be);
    let failing = FailingCriterion {
        id: criterion.id.clone(),
        label: criterion.label.clone(),
        clause: policy.document.cite(criterion),
        must_be,
        gaps: gaps(judge, expr, kind, must_be, 0),
        mended_on: mended.map(|day| day.to_string()),
    };
    (verdict, Some(Lacking::One(failing)))
}

/// What in an open condition keeps it from being as it must be.
pub(super) fn gaps(judge: &mut Judge<'_>, expr: &Expr, kind: SubjectKind, must_be: bool, depth: usize) -> Option<Lacking<Gap>> {
    if judge.holds(expr, kind).ok().flatten() != Some(!must_be) {
        return None;
    }
    let one = |gap: Option<Gap>| gap.map(Lacking::One);
    match &expr.kind {
        Kind::Not(inner) => gaps(judge, inner, kind, !must_be, depth),
        Kind::And(items) => of_items(judge, items, items.len(), kind, must_be, depth),
        Kind::Or(items) => of_items(judge, items, 1, kind, must_be, depth),
        Kind::AtLeast(count, items) => of_items(judge, items, *count, kind, must_be, depth),
        Kind::Compare(op, left, right) => one(compared(judge, *op, left, right, kind, must_be)),
        Kind::Fact(index) => {
            let fact = judge.catalogue.fact(FactId { kind, index: *index }).clone();
            let is_taken = (judge.known.taken)(FactId { kind, index: *index });
            let parts = match &fact.definition {
                Definition::Computed(inner) if !is_taken && depth < DEPTH => gaps(judge, &inner.clone(), kind, must_be, depth + 1),
                _ => None,
            };
            parts.or_else(|| Some(Lacking::One(yes_or_no(phrase(judge, expr, kind), must_be))))
        }
        Kind::TextIn { value, set } => {
            let known = judge.value(value, kind).ok().flatten()?;
            let ty = type_of(judge, value, kind);
            let names = set.iter().take(NAMED).map(|code| named(judge, &Answer::Text(code.clone()), ty.as_ref()));
            let mut list = joined(names, "、", ",");
            if set.len() > NAMED {
                list = Message::new(format!("{}等", list.zh), format!("{}, …", list.en));
            }
            let must = if must_be {
                Message::new(format!("属于: {}", list.zh), format!("one of: {}", list.en))
            } else {
                Message::new(format!("不属于: {}", list.zh), format!("none of: {}", list.en))
            };
            one(Some(plain(phrase(judge, value, kind), named(judge, &known, ty.as_ref()), must)))
        }
        Kind::InRegion { value, region } => {
            let known = judge.value(value, kind).ok().flatten()?;
            let (ty, name) = (type_of(judge, value, kind), region_name(judge, region));
            let must = if must_be {
                Message::new(format!("在{}", name.zh), format!("in {}", name.en))
            } else {
                Message::new(format!("不在{}", name.zh), format!("not in {}", name.en))
            };
            one(Some(plain(phrase(judge, value, kind), named(judge, &known, ty.as_ref()), must)))
        }
        _ => one(Some(yes_or_no(phrase(judge, expr, kind), must_be))),
    }
}

fn of_items(judge: &mut Judge<'_>, items: &[Expr], count: usize, kind: SubjectKind, must_be: bool, depth: usize) -> Option<Lacking<Gap>> {
    let told: Vec<Option<bool>> = items.iter().map(|item| judge.holds(item, kind).ok().flatten()).collect();
    let yes = told.iter().filter(|verdict| **verdict == Some(true)).count();
    let still = if must_be { count.saturating_sub(yes) } else { (yes + 1).saturating_sub(count) };
    let of: Vec<Lacking<Gap>> = items.iter().filter_map(|item| gaps(judge, item, kind, must_be, depth)).collect();
    several(of, still)
}

fn plain(what: Message, is: Message, must_be: Message) -> Gap {
    Gap { what, is, must_be, short_by: None, short_by_exact: None, on: None }
}

fn yes_or_no(what: Message, must_be: bool) -> Gap {
    let word = |yes: bool| if yes { Message::new("是", "yes") } else { Message::new("否", "no") };
    plain(what, word(!must_be), word(must_be))
}

/// The type of an expression that is a fact.
pub(super) fn type_of(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind) -> Option<Type> {
    let Kind::Fact(index) = expr.kind else { return None };
    Some(judge.catalogue.fact(FactId { kind, index }).ty.clone())
}

/// A comparison that does not hold: what stands on the side of the facts, the limit on the other, and how far off.
fn compared(judge: &mut Judge<'_>, op: CompareOp, left: &Expr, right: &Expr, kind: SubjectKind, must_be: bool) -> Option<Gap> {
    let (left, right, op) = if reads_facts(left) || !reads_facts(right) { (left, right, op) } else { (right, left, op.mirrored()) };
    let op = if must_be { op } else { op.denied() };
    let (is, limit) = (judge.value(left, kind).ok().flatten()?, judge.value(right, kind).ok().flatten()?);
    let measure = Measure::of(judge, left, kind).or_else(|| Measure::of(judge, right, kind)).unwrap_or(Measure::Plain);
    let ty = type_of(judge, left, kind).or_else(|| type_of(judge, right, kind));
    let (shown, limit_shown) = (measure.show(judge, &is, ty.as_ref()), measure.show(judge, &limit, ty.as_ref()));
    let (words, name) = (words_for(op, &limit), limit_name(judge, right, kind));
    let must = Message::new(format!("{}{}{}", words.zh, limit_shown.zh, name.zh), format!("{} {}{}", words.en, limit_shown.en, name.en));
    let (short_by, short_by_exact) = match (op, &is, &limit) {
        (CompareOp::NotEq, ..) => (None, None),
        (_, Answer::Number(is), Answer::Number(limit)) => {
            let apart = limit.checked_sub(*is)?;
            let apart = if apart.num() < 0 { apart.checked_neg()? } else { apart };
            (Some(measure.apart(&apart)), Some(exact(&apart)))
        }
        (_, Answer::Date(is), Answer::Date(limit)) => {
            let apart = Rational::whole((i64::from(*limit) - i64::from(*is)).abs());
            (Some(counted(&apart, "天", "day")), Some(exact(&apart)))
        }
        _ => (None, None),
    };
    let on = match &left.kind {
        Kind::Call(Function::AgeAt, arguments) => day_of(judge, arguments.get(1), kind),
        _ => None,
    };
    Some(Gap { what: phrase(judge, left, kind), is: shown, must_be: must, short_by, short_by_exact, on })
}

fn day_of(judge: &mut Judge<'_>, day: Option<&Expr>, kind: SubjectKind) -> Option<String> {
    match judge.value(day?, kind).ok().flatten()? {
        Answer::Date(days) => super::value::date(days).map(|day| day.to_string()),
        _ => None,
    }
}

/// Whether an expression reads facts of the subject.
pub(super) fn reads_facts(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Fact(_) => true,
        Kind::Parameter { .. } => false,
        _ => expr.children().into_iter().any(reads_facts),
    }
}

/// `(低保标准)` behind a limit that a standard sets.
fn limit_name(judge: &Judge<'_>, limit: &Expr, kind: SubjectKind) -> Message {
    if matches!(limit.kind, Kind::Literal(_)) {
        return Message::default();
    }
    let name = phrase(judge, limit, kind);
    Message::new(format!("（{}）", name.zh), format!(" ({})", name.en))
}

/// What a number counts.
pub(super) enum Measure {
    Age,
    Year,
    Unit(Option<String>),
    Plain,
}

impl Measure {
    pub(super) fn of(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind) -> Option<Self> {
        match &expr.kind {
            Kind::Call(Function::AgeAt, _) => Some(Self::Age),
            Kind::Call(Function::MonthsBetween | Function::WholeMonthsBetween | Function::MonthsOverlap, _) => {
                Some(Self::Unit(Some("month".to_owned())))
            }
            Kind::Call(Function::Year, _) => Some(Self::Year),
            Kind::Arith(ArithOp::Add | ArithOp::Sub, left, right) => {
                [left, right].into_iter().find_map(|side| Self::of(judge, side, kind).filter(|measure| matches!(measure, Self::Year)))
            }
            Kind::Call(Function::DaysBetween, _) => Some(Self::Unit(Some("day".to_owned()))),
            Kind::Fact(index) => {
                let fact = judge.catalogue.fact(FactId { kind, index: *index });
                fact.unit.clone().map(|unit| Self::Unit(Some(unit)))
            }
            Kind::Parameter { name, .. } => {
                let parameter = judge.binder.parameters.iter().find(|parameter| parameter.name == **name)?;
                parameter.unit.clone().map(|unit| Self::Unit(Some(unit)))
            }
            _ => None,
        }
    }

    /// A value with its measure.
    pub(super) fn show(&self, judge: &Judge<'_>, answer: &Answer, ty: Option<&Type>) -> Message {
        match (self, answer) {
            (Self::Age, Answer::Number(number)) => {
                let number = super::value::decimal(number, 0);
                Message::new(format!("{number}周岁"), number)
            }
            (Self::Year, Answer::Number(number)) => {
                let number = exact(number);
                Message::new(format!("{number}年"), number)
            }
            (Self::Unit(Some(unit)), Answer::Number(number)) if ["year", "month", "day"].contains(&unit.as_str()) => self.apart(number),
            (Self::Unit(unit), Answer::Number(_)) => show(answer, ty, unit.as_deref(), judge.binder.regions),
            _ => named(judge, answer, ty),
        }
    }

    /// The unit of distances; empty where there is none.
    pub(super) fn unit(&self) -> Message {
        match self {
            Self::Age | Self::Year => Message::new("年", "years"),
            Self::Unit(Some(unit)) if unit == "month" => Message::new("个月", "months"),
            Self::Unit(Some(unit)) if unit == "day" => Message::new("天", "days"),
            Self::Unit(Some(unit)) => super::value::with_unit("", Some(unit)),
            Self::Unit(None) | Self::Plain => Message::default(),
        }
    }

    fn apart(&self, number: &Rational) -> Message {
        match self {
            Self::Age | Self::Year => counted(number, "年", "year"),
            Self::Unit(Some(unit)) if unit == "month" => counted(number, "个月", "month"),
            Self::Unit(Some(unit)) if unit == "year" => counted(number, "年", "year"),
            Self::Unit(Some(unit)) if unit == "day" => counted(number, "天", "day"),
            Self::Unit(unit) => {
                let is_money = unit.as_deref().is_some_and(|unit| unit.starts_with("CNY"));
                super::value::with_unit(&super::value::decimal(number, if is_money { 2 } else { 0 }), unit.as_deref())
            }
            Self::Plain => {
                let text = super::value::decimal(number, 0);
                Message::new(text.clone(), text)
            }
        }
    }
}

/// A value as citizens read it: codes and regions by their names alone.
pub(super) fn named(judge: &Judge<'_>, answer: &Answer, ty: Option<&Type>) -> Message {
    let regions = judge.binder.regions;
    if let Answer::Text(text) = answer {
        let label = ty.and_then(|ty| {
            let of_codes = ty.codes.as_ref().and_then(|codes| codes.get(&**text));
            of_codes.or_else(|| regions.name(text).filter(|_| ty.region))
        });
        if let Some(label) = label {
            return label.clone();
        }
    }
    show(answer, ty, None, regions)
}

/// Exact text of a number: decimal, or a quotient.
pub(super) fn exact(number: &Rational) -> String {
    match super::value::raw(&Answer::Number(*number), None) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn words_for(op: CompareOp, limit: &Answer) -> Message {
    match (op, limit) {
        (CompareOp::Lt, Answer::Date(_)) => Message::new("早于", "before"),
        (CompareOp::LtEq, Answer::Date(_)) => Message::new("不晚于", "no later than"),
        (CompareOp::Gt, Answer::Date(_)) => Message::new("晚于", "after"),
        (CompareOp::GtEq, Answer::Date(_)) => Message::new("不早于", "no earlier than"),
        _ => comparison(op),
    }
}
