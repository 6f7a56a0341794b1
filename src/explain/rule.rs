//! Conditions and amounts in words, about nobody in particular: what must hold, as a guide tells it.

use super::judge::Judge;
use super::lack::{Measure, named, reads_facts, type_of};
use super::phrase::{comparison, joined, phrase, region_name};
use crate::check::catalogue::{Definition, FactId, How};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Ty, Value};
use crate::check::typing::Type;
use crate::diagnostic::Message;
use crate::program::interpreter::Answer;
use crate::register::declaration::SubjectKind;

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// One thing.
    Says(Message),
    /// All of these.
    All(Vec<Rule>),
    /// One of these.
    Any(Vec<Rule>),
    /// So many of these.
    Some(usize, Vec<Rule>),
    /// The second, where the first holds.
    If(Box<Rule>, Box<Rule>),
}

/// An open condition over the facts of `kind` as what must hold.
#[must_use]
pub fn rule(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind) -> Rule {
    holds(judge, expr, kind, true)
}

/// An open expression over the facts of `kind` in words, with what it is in each case.
#[must_use]
pub fn words(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind) -> Message {
    let of = |expr: &Expr| value(judge, expr, kind, &Measure::Plain, None);
    match &expr.kind {
        Kind::Case { branches, otherwise } => cases(judge, branches, otherwise.as_deref(), kind),
        Kind::Arith(op, left, right) => {
            let sign = match op {
                ArithOp::Add => "+",
                ArithOp::Sub => "−",
                ArithOp::Mul => "×",
                ArithOp::Div => "÷",
            };
            let (left, right) = (part_of(of(left), left, *op, false), part_of(of(right), right, *op, true));
            Message::new(format!("{} {sign} {}", left.zh, right.zh), format!("{} {sign} {}", left.en, right.en))
        }
        Kind::Call(function @ (Function::Min | Function::Max), arguments) => bounded(judge, *function, arguments, kind),
        Kind::Call(function @ (Function::AddYears | Function::AddMonths | Function::AddDays), arguments) => {
            let count = of(&arguments[1]);
            let back = months_back(arguments.get(1));
            shifted(*function, &of(&arguments[0]), &count, back)
        }
        Kind::Fact(index) => linked(judge, FactId { kind, index: *index }).unwrap_or_else(|| phrase(judge, expr, kind)),
        Kind::Call(Function::MonthStart, arguments) => match arguments.first().map(|inner| &inner.kind) {
            Some(Kind::Call(Function::AddMonths, inner)) => match (&inner[0].kind, months_back(inner.get(1))) {
                (Kind::AsOf, Some(1)) => Message::new("上个月", "the month before"),
                (Kind::Call(Function::MonthStart, day), Some(1)) if matches!(day[0].kind, Kind::AsOf) => {
                    Message::new("上个月", "the month before")
                }
                _ => phrase(judge, expr, kind),
            },
            _ => phrase(judge, expr, kind),
        },
        _ => phrase(judge, expr, kind),
    }
}

/// A day so much later, or earlier.
fn shifted(function: Function, day: &Message, count: &Message, back: Option<i64>) -> Message {
    let (unit_zh, unit_en) = match function {
        Function::AddYears => ("年", "year"),
        Function::AddMonths => ("个月", "month"),
        _ => ("天", "day"),
    };
    let (zh, en) = back.map_or_else(|| (count.zh.clone(), count.en.clone()), |count| (count.to_string(), count.to_string()));
    let plural = if en == "1" { "" } else { "s" };
    let (side_zh, side_en) = if back.is_some() { ("前", "before") } else { ("后", "after") };
    Message::new(format!("{}{side_zh}{zh}{unit_zh}", day.zh), format!("{en} {unit_en}{plural} {side_en} “{}”", day.en))
}

/// How many linked subjects there are, or are so and so; none for any other fact.
fn linked(judge: &Judge<'_>, id: FactId) -> Option<Message> {
    let catalogue = &judge.catalogue;
    let Definition::LinkedAggregate { link, rows } = &catalogue.fact(id).definition else { return None };
    if !matches!(rows.how, How::Count) || rows.filter.is_some() {
        return None;
    }
    let link = &catalogue.registers.links[*link];
    let Some(value) = &rows.value else {
        return Some(Message::new(format!("{}的数目", link.label.zh), format!("number of {}", link.label.en)));
    };
    // What is asked of a column of the link's register has no words of its own.
    let columns = catalogue.rows.get(&link.register).map_or(0, Vec::len);
    let mut has_columns = false;
    value.for_each_fact(&mut |index| has_columns |= index < columns);
    if has_columns || matches!(value.kind, Kind::Fact(_)) {
        return None;
    }
    let asked = rule(judge, &over_facts(value, columns), link.to).in_a_line();
    Some(Message::new(format!("{}中（{}）的数目", link.label.zh, asked.zh), format!("number of {} ({})", link.label.en, asked.en)))
}

/// An expression over columns followed by facts as one over the facts.
fn over_facts(expr: &Expr, columns: usize) -> Expr {
    match expr.kind {
        Kind::Fact(index) => Expr { kind: Kind::Fact(index.saturating_sub(columns)), ..expr.clone() },
        _ => expr.map_children(&mut |child| over_facts(child, columns)),
    }
}

/// `n` of an expression that is `−n` written out.
fn months_back(count: Option<&Expr>) -> Option<i64> {
    match count.map(|count| &count.kind) {
        Some(Kind::Literal(Value::Number(number))) if number.scale == 0 && number.digits < 0 => Some(-number.digits),
        Some(Kind::Negate(inner)) => match inner.kind {
            Kind::Literal(Value::Number(number)) if number.scale == 0 => Some(number.digits),
            _ => None,
        },
        _ => None,
    }
}

/// A part of a sum or product, in brackets where it must be.
fn part_of(text: Message, part: &Expr, within: ArithOp, is_right: bool) -> Message {
    let needs = match &part.kind {
        Kind::Arith(ArithOp::Add | ArithOp::Sub, ..) => !matches!(within, ArithOp::Add) && (is_right || within != ArithOp::Sub),
        Kind::Arith(..) => is_right && within == ArithOp::Div,
        _ => false,
    };
    if needs { Message::new(format!("（{}）", text.zh), format!("({})", text.en)) } else { text }
}

/// The least or greatest: of a value and a number written out, the value within a bound.
fn bounded(judge: &Judge<'_>, function: Function, arguments: &[Expr], kind: SubjectKind) -> Message {
    let of = |expr: &Expr| value(judge, expr, kind, &Measure::Plain, None);
    let is_written = |expr: &Expr| matches!(expr.kind, Kind::Literal(_));
    if let [one, other] = arguments
        && is_written(one) != is_written(other)
    {
        let (inner, bound) = if is_written(one) { (of(other), of(one)) } else { (of(one), of(other)) };
        let (zh, en) = if function == Function::Max { ("不足", "at least") } else { ("超过", "at most") };
        return Message::new(format!("（{}，{zh}{}的按{}）", inner.zh, bound.zh, bound.zh), format!("({}, {en} {})", inner.en, bound.en));
    }
    let all = joined(arguments.iter().map(of), "、", ",");
    let (zh, en) = if function == Function::Max { ("中最大的", "the greatest of") } else { ("中最小的", "the least of") };
    Message::new(format!("（{}{zh}）", all.zh), format!("({en} {})", all.en))
}

fn cases(judge: &Judge<'_>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, kind: SubjectKind) -> Message {
    let of = |expr: &Expr| value(judge, expr, kind, &Measure::Plain, None);
    let mut cases: Vec<Message> = branches
        .iter()
        .map(|(when, then)| {
            let (when, then) = (rule(judge, when, kind).condition(), of(then));
            Message::new(format!("{}的，{}", when.zh, then.zh), format!("{} if {}", then.en, when.en))
        })
        .collect();
    cases.extend(otherwise.map(|last| {
        let last = of(last);
        Message::new(format!("其他，{}", last.zh), format!("else {}", last.en))
    }));
    let all = joined(cases.into_iter(), "；", ";");
    Message::new(format!("（{}）", all.zh), format!("({})", all.en))
}

impl Rule {
    /// The rule in one line.
    #[must_use]
    pub fn in_a_line(&self) -> Message {
        let all = |items: &[Self], zh: &str, en: &str| joined(items.iter().map(Self::part), zh, en);
        match self {
            Self::Says(message) => message.clone(),
            Self::All(items) => all(items, "，且", "and"),
            Self::Any(items) => all(items, "，或", "or"),
            Self::Some(count, items) => {
                let list = all(items, "；", ";");
                Message::new(format!("至少{count}项：{}", list.zh), format!("at least {count} of: {}", list.en))
            }
            Self::If(when, then) => {
                let (when, then) = (when.condition(), then.part());
                Message::new(format!("{}的，{}", when.zh, then.zh), format!("if {}, then {}", when.en, then.en))
            }
        }
    }

    /// The rule as what something depends on: what is simply yes needs no word for it.
    #[must_use]
    pub fn condition(&self) -> Message {
        let line = self.in_a_line();
        let Self::Says(_) = self else { return line };
        let yes = |text: &str, yes: &str| text.strip_suffix(yes).unwrap_or(text).to_owned();
        Message::new(yes(&line.zh, "：是"), yes(&line.en, ": yes"))
    }

    /// The rule as a part of another one.
    fn part(&self) -> Message {
        let line = self.in_a_line();
        if matches!(self, Self::Says(_)) { line } else { Message::new(format!("（{}）", line.zh), format!("({})", line.en)) }
    }
}

fn holds(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind, must: bool) -> Rule {
    let each = |items: &[Expr]| items.iter().map(|item| holds(judge, item, kind, must)).collect::<Vec<_>>();
    match &expr.kind {
        Kind::Not(inner) => holds(judge, inner, kind, !must),
        Kind::And(items) if must => several(each(items), Rule::All),
        Kind::And(items) => several(each(items), Rule::Any),
        Kind::Or(items) if must => match items.split_first() {
            Some((Expr { kind: Kind::Not(when), .. }, then)) if !then.is_empty() => {
                Rule::If(Box::new(holds(judge, when, kind, true)), Box::new(several(each(then), Rule::Any)))
            }
            _ => several(each(items), Rule::Any),
        },
        Kind::Or(items) => several(each(items), Rule::All),
        Kind::AtLeast(count, items) => {
            // That not so many hold: so many of them do not.
            let needed = if must { *count } else { (items.len() + 1).saturating_sub(*count) };
            match needed {
                1 => several(each(items), Rule::Any),
                needed if needed >= items.len() => several(each(items), Rule::All),
                needed => Rule::Some(needed, each(items)),
            }
        }
        Kind::Compare(op, left, right) => Rule::Says(compared(judge, if must { *op } else { op.denied() }, left, right, kind)),
        _ => Rule::Says(one(judge, expr, kind, must)),
    }
}

fn several(mut items: Vec<Rule>, all: impl FnOnce(Vec<Rule>) -> Rule) -> Rule {
    match items.pop() {
        Some(only) if items.is_empty() => only,
        last => {
            items.extend(last);
            flat(all(items))
        }
    }
}

/// A list in a list of the same kind is a part of it.
fn flat(rule: Rule) -> Rule {
    match rule {
        Rule::All(items) => {
            Rule::All(items.into_iter().flat_map(|item| if let Rule::All(inner) = item { inner } else { vec![item] }).collect())
        }
        Rule::Any(items) => {
            Rule::Any(items.into_iter().flat_map(|item| if let Rule::Any(inner) = item { inner } else { vec![item] }).collect())
        }
        other => other,
    }
}

/// A comparison: what stands on the side of the facts, and its limit.
fn compared(judge: &Judge<'_>, op: CompareOp, left: &Expr, right: &Expr, kind: SubjectKind) -> Message {
    let (left, right, op) = if reads_facts(left) || !reads_facts(right) { (left, right, op) } else { (right, left, op.mirrored()) };
    let measure = Measure::of(judge, left, kind).or_else(|| Measure::of(judge, right, kind)).unwrap_or(Measure::Plain);
    let ty = type_of(judge, left, kind).or_else(|| type_of(judge, right, kind));
    let (what, limit) = (words(judge, left, kind), value(judge, right, kind, &measure, ty.as_ref()));
    if left.ty == Ty::Date && right.ty == Ty::Date {
        return dates(op, &what, &limit);
    }
    if matches!(left.ty, Ty::Text | Ty::Bool) {
        return match op {
            CompareOp::NotEq => Message::new(format!("{}不为{}", what.zh, limit.zh), format!("{} is not {}", what.en, limit.en)),
            _ => Message::new(format!("{}为{}", what.zh, limit.zh), format!("{} is {}", what.en, limit.en)),
        };
    }
    let words = comparison(op);
    Message::new(format!("{}{}{}", what.zh, words.zh, limit.zh), format!("{} is {} {}", what.en, words.en, limit.en))
}

fn dates(op: CompareOp, what: &Message, limit: &Message) -> Message {
    let (zh, en) = match op {
        CompareOp::Lt => ("早于", "before"),
        CompareOp::LtEq => ("不晚于", "no later than"),
        CompareOp::Gt => ("晚于", "after"),
        CompareOp::GtEq => ("不早于", "no earlier than"),
        CompareOp::Eq => ("为", "on"),
        CompareOp::NotEq => ("不为", "not on"),
    };
    Message::new(format!("{}{zh}{}", what.zh, limit.zh), format!("{} is {en} {}", what.en, limit.en))
}

/// A value that is written out as it counts, anything else in words.
fn value(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind, measure: &Measure, ty: Option<&Type>) -> Message {
    match &expr.kind {
        Kind::Literal(literal) => measure.show(judge, &Answer::from(literal), ty),
        _ => words(judge, expr, kind),
    }
}

/// What is yes or no, with which of the two it must be.
fn one(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind, must: bool) -> Message {
    let list = |zh: &str, en: &str, value: &Expr, names: Message| {
        let what = words(judge, value, kind);
        Message::new(format!("{}{zh}{}", what.zh, names.zh), format!("{} is {en} {}", what.en, names.en))
    };
    match &expr.kind {
        Kind::TextIn { value, set } => {
            let ty = type_of(judge, value, kind);
            let names = joined(set.iter().map(|code| named(judge, &Answer::Text(code.clone()), ty.as_ref())), "、", ",");
            if must { list("属于：", "one of", value, names) } else { list("不属于：", "none of", value, names) }
        }
        Kind::InRegion { value, region } => {
            let name = region_name(judge, region);
            if must { list("在", "in", value, name) } else { list("不在", "not in", value, name) }
        }
        Kind::Entitled(code) => {
            let name = judge.binder.policies.get(&**code).map(|policy| policy.document.name.clone());
            let name = name.unwrap_or_else(|| Message::new(&**code, &**code));
            let (zh, en) = if must { ("符合", "entitled to") } else { ("不符合", "not entitled to") };
            Message::new(format!("{zh}“{}”的条件", name.zh), format!("{en} “{}”", name.en))
        }
        Kind::IsKnown(inner) => {
            let what = words(judge, inner, kind);
            let (zh, en) = if must { ("有登记", "is on record") } else { ("没有登记", "is not on record") };
            Message::new(format!("{}{zh}", what.zh), format!("{} {en}", what.en))
        }
        Kind::Literal(_) => Message::new(if must { "人人都有" } else { "没有人" }, if must { "everybody" } else { "nobody" }),
        _ => {
            let what = words(judge, expr, kind);
            let (zh, en) = if must { ("是", "yes") } else { ("否", "no") };
            Message::new(format!("{}：{zh}", what.zh), format!("{}: {en}", what.en))
        }
    }
}
