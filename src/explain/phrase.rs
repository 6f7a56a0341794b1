//! Expressions in words that people read: facts and standards by their labels, functions as phrases.

use super::judge::Judge;
use super::value::{decimal, show};
use crate::check::catalogue::{Catalogue, Definition, FactId, How};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind};
use crate::diagnostic::Message;
use crate::program::Rational;
use crate::program::interpreter::Answer;
use crate::register::declaration::SubjectKind;

/// An open expression over the facts of `kind` in words.
pub(super) fn phrase(judge: &Judge<'_>, expr: &Expr, kind: SubjectKind) -> Message {
    let of = |expr: &Expr| phrase(judge, expr, kind);
    match &expr.kind {
        Kind::Literal(value) => show(&Answer::from(value), None, None, judge.binder.regions),
        Kind::Unknown => Message::new("未知", "unknown"),
        Kind::Fact(index) => label_of(&judge.catalogue, FactId { kind, index: *index }),
        Kind::AsOf => Message::new("判定日", "the day"),
        Kind::Parameter { name, .. } => {
            let parameter = judge.binder.parameters.iter().find(|parameter| parameter.name == **name);
            parameter.map_or_else(|| Message::new(&**name, &**name), |parameter| parameter.label.clone())
        }
        Kind::Entitled(code) => {
            let name = judge.binder.policies.get(&**code).map(|policy| policy.document.name.clone());
            let name = name.unwrap_or_else(|| Message::new(&**code, &**code));
            Message::new(format!("享受{}", name.zh), format!("entitled to {}", name.en))
        }
        Kind::Arith(op, left, right) => {
            let (left, right) = (grouped(of(left), left, *op), grouped(of(right), right, *op));
            let sign = match op {
                ArithOp::Add => "+",
                ArithOp::Sub => "−",
                ArithOp::Mul => "×",
                ArithOp::Div => "÷",
            };
            Message::new(format!("{} {sign} {}", left.zh, right.zh), format!("{} {sign} {}", left.en, right.en))
        }
        Kind::Negate(inner) => {
            let inner = of(inner);
            Message::new(format!("−{}", inner.zh), format!("−{}", inner.en))
        }
        Kind::Call(function, arguments) => call(*function, &arguments.iter().map(of).collect::<Vec<_>>(), arguments),
        Kind::Compare(op, left, right) => {
            let (left, words, right) = (of(left), comparison(*op), of(right));
            Message::new(format!("{}{}{}", left.zh, words.zh, right.zh), format!("{} {} {}", left.en, words.en, right.en))
        }
        Kind::Not(inner) => {
            let inner = of(inner);
            Message::new(format!("并非{}", inner.zh), format!("not {}", inner.en))
        }
        Kind::IsKnown(inner) => {
            let inner = of(inner);
            Message::new(format!("已登记{}", inner.zh), format!("{} is on record", inner.en))
        }
        Kind::And(items) => joined(items.iter().map(of), "且", "and"),
        Kind::Or(items) => joined(items.iter().map(of), "或", "or"),
        Kind::AtLeast(count, items) => {
            let list = joined(items.iter().map(of), "、", ",");
            Message::new(format!("至少{count}项: {}", list.zh), format!("at least {count} of: {}", list.en))
        }
        Kind::InRegion { value, region } => {
            let (value, region) = (of(value), region_name(judge, region));
            Message::new(format!("{}属于{}", value.zh, region.zh), format!("{} in {}", value.en, region.en))
        }
        Kind::TextIn { value, .. } | Kind::TextMap { value, .. } | Kind::Like { value, .. } => of(value),
        Kind::Case { .. } => Message::new("按情形确定的数", "the value for the case"),
    }
}

/// The label of a fact; of one that is named by its text (`members.count(age >= 60)`), what it says in words.
#[must_use]
pub fn label_of(catalogue: &Catalogue, id: FactId) -> Message {
    let fact = catalogue.fact(id);
    let (Definition::LinkedAggregate { link, rows }, true) = (&fact.definition, *fact.name == *fact.label.zh) else {
        return fact.label.clone();
    };
    let link = &catalogue.registers.links[*link];
    let columns = catalogue.rows.get(&link.register).map_or(0, Vec::len);
    let part = |expr: Option<&Expr>| match expr.map(|expr| &expr.kind) {
        Some(Kind::Fact(index)) if *index >= columns => Some(label_of(catalogue, FactId { kind: link.to, index: index - columns })),
        _ => None,
    };
    let (value, filter) = (part(rows.value.as_ref()), part(rows.filter.as_ref()));
    let (Some(value), false) = (value, rows.filter.is_some() && filter.is_none()) else { return fact.label.clone() };
    let of = filter.map_or_else(Message::default, |filter| Message::new(format!("（{}）", filter.zh), format!(" ({})", filter.en)));
    let (zh, en) = (format!("{}{}的“{}”", link.label.zh, of.zh, value.zh), format!("“{}” of {}{}", value.en, link.label.en, of.en));
    match rows.how {
        How::Count => Message::new(
            format!("{}中“{}”的数目{}", link.label.zh, value.zh, of.zh),
            format!("number of {}: “{}”{}", link.label.en, value.en, of.en),
        ),
        How::Sum => Message::new(format!("{zh}合计"), format!("sum of {en}")),
        How::Min => Message::new(format!("{zh}最小值"), format!("least {en}")),
        How::Max => Message::new(format!("{zh}最大值"), format!("greatest {en}")),
        How::Any => Message::new(
            format!("有{}“{}”{}", link.label.zh, value.zh, of.zh),
            format!("any of {}: “{}”{}", link.label.en, value.en, of.en),
        ),
        How::All => Message::new(
            format!("所有{}“{}”{}", link.label.zh, value.zh, of.zh),
            format!("all of {}: “{}”{}", link.label.en, value.en, of.en),
        ),
        How::Only | How::CountDistinct | How::Latest => fact.label.clone(),
    }
}

/// The name of a region.
pub(super) fn region_name(judge: &Judge<'_>, code: &str) -> Message {
    judge.binder.regions.name(code).cloned().unwrap_or_else(|| Message::new(code, code))
}

/// `≥` and the like in words.
pub(super) fn comparison(op: CompareOp) -> Message {
    match op {
        CompareOp::Eq => Message::new("等于", "equal to"),
        CompareOp::NotEq => Message::new("不等于", "other than"),
        CompareOp::Lt => Message::new("低于", "below"),
        CompareOp::LtEq => Message::new("不超过", "at most"),
        CompareOp::Gt => Message::new("超过", "above"),
        CompareOp::GtEq => Message::new("不低于", "at least"),
    }
}

/// Messages with words between them.
pub(super) fn joined(items: impl Iterator<Item = Message>, zh: &str, en: &str) -> Message {
    let (all_zh, all_en): (Vec<String>, Vec<String>) = items.map(|item| (item.zh, item.en)).unzip();
    let en = if en == "," || en == ";" { format!("{en} ") } else { format!(" {en} ") };
    Message::new(all_zh.join(zh), all_en.join(&en))
}

/// A number with the word for what it counts: `1 个月`, `1 month`, `2 months`.
pub(super) fn counted(number: &Rational, zh: &str, en: &str) -> Message {
    let text = decimal(number, 0);
    let plural = if *number == Rational::whole(1) { "" } else { "s" };
    Message::new(format!("{text}{zh}"), format!("{text} {en}{plural}"))
}

fn grouped(text: Message, expr: &Expr, within: ArithOp) -> Message {
    let is_sum = matches!(expr.kind, Kind::Arith(ArithOp::Add | ArithOp::Sub, ..));
    let is_product = matches!(expr.kind, Kind::Arith(..));
    let needs = match within {
        ArithOp::Add => false,
        ArithOp::Sub | ArithOp::Mul => is_sum,
        ArithOp::Div => is_product,
    };
    if needs { Message::new(format!("({})", text.zh), format!("({})", text.en)) } else { text }
}

fn call(function: Function, said: &[Message], arguments: &[Expr]) -> Message {
    let none = Message::default();
    let of = |at: usize| said.get(at).unwrap_or(&none);
    let two = |zh: &str, en: &str| {
        let fill = |text: &str, one: &str, other: &str| text.replacen("{}", one, 1).replacen("{}", other, 1);
        Message::new(fill(zh, &of(0).zh, &of(1).zh), fill(en, &of(0).en, &of(1).en))
    };
    let several = |zh: &str, en: &str| {
        let list = joined(said.iter().cloned(), "、", ",");
        Message::new(format!("{}{zh}", list.zh), format!("{en} {}", list.en))
    };
    match function {
        Function::AgeAt if matches!(arguments.get(1).map(|day| &day.kind), Some(Kind::AsOf | Kind::Case { .. })) => {
            Message::new("年龄", "age")
        }
        Function::AgeAt => Message::new(format!("{}的年龄", of(1).zh), format!("age on {}", of(1).en)),
        Function::MonthsBetween | Function::WholeMonthsBetween => two("{}到{}的月数", "months from {} to {}"),
        Function::DaysBetween => two("{}到{}的天数", "days from {} to {}"),
        Function::AddYears => two("{}后{}年", "{} and {} years"),
        Function::AddMonths => two("{}后{}个月", "{} and {} months"),
        Function::AddDays => two("{}后{}天", "{} and {} days"),
        Function::MonthStart if is_day(arguments) => Message::new("当月首日", "the first day of the month"),
        Function::MonthEnd if is_day(arguments) => Message::new("当月末日", "the last day of the month"),
        Function::YearStart if is_day(arguments) => Message::new("当年首日", "the first day of the year"),
        Function::YearEnd if is_day(arguments) => Message::new("当年末日", "the last day of the year"),
        Function::MonthStart => two("{}当月首日", "the first of the month of {}"),
        Function::MonthEnd => two("{}当月末日", "the end of the month of {}"),
        Function::YearStart => two("{}当年首日", "the first of the year of {}"),
        Function::YearEnd => two("{}当年末日", "the end of the year of {}"),
        Function::Year => two("{}的年份", "the year of {}"),
        Function::Month => two("{}的月份", "the month of {}"),
        Function::MonthsOverlap => two("{}到{}在期内的月数", "months from {} to {} within the span"),
        Function::Min => several("中最小的", "the least of"),
        Function::Max => several("中最大的", "the greatest of"),
        Function::Abs => two("{}的大小", "the size of {}"),
        Function::Floor | Function::Ceil | Function::Round => two("{}取整", "{} as a whole number"),
        Function::Coalesce => of(0).clone(),
    }
}

fn is_day(arguments: &[Expr]) -> bool {
    matches!(arguments.first().map(|day| &day.kind), Some(Kind::AsOf))
}
