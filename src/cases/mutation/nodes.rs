//! The changes of one node of an expression.

use std::sync::Arc;

use crate::cases::book::Book;
use crate::cases::sites::Part;
use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};
use crate::policy::document::{Parameter, ParameterType};
use crate::register::declaration::SubjectKind;

/// One change of a node.
pub struct Change {
    /// What was there.
    pub before: String,
    /// What is there now.
    pub after: String,
    /// The changed node.
    pub new: Expr,
}

/// How fine the numbers around a node are: digits behind the point.
#[derive(Debug, Clone, Copy)]
pub struct Hint(u8);

impl Hint {
    /// At the top of a part: amounts are counted in fen.
    #[must_use]
    pub fn of_root(part: Part) -> Self {
        Self(if matches!(part, Part::Amount | Part::Cap) { 2 } else { 0 })
    }

    /// Below a node.
    #[must_use]
    pub fn below(self, expr: &Expr, book: &Book<'_>, kind: SubjectKind) -> Self {
        match &expr.kind {
            Kind::Compare(_, left, right) => Self(scale(left, book, kind).max(scale(right, book, kind))),
            Kind::Arith(ArithOp::Add | ArithOp::Sub, ..)
            | Kind::Negate(_)
            | Kind::Case { .. }
            | Kind::Call(Function::Min | Function::Max | Function::Coalesce | Function::Abs, _) => self,
            _ => Self(0),
        }
    }
}

fn scale(expr: &Expr, book: &Book<'_>, kind: SubjectKind) -> u8 {
    match &expr.kind {
        Kind::Fact(index) => book.catalogue().fact(FactId { kind, index: *index }).ty.scale,
        Kind::Parameter { name, .. } => parameter(book, name).map_or(0, fineness),
        Kind::Arith(ArithOp::Div, ..) => 0,
        _ => expr.children().into_iter().map(|child| scale(child, book, kind)).max().unwrap_or(0),
    }
}

fn parameter<'b>(book: &'b Book<'_>, name: &str) -> Option<&'b Parameter> {
    book.set.parameters.iter().find(|parameter| parameter.name == name)
}

fn fineness(parameter: &Parameter) -> u8 {
    match parameter.parameter_type {
        ParameterType::Money => 2,
        ParameterType::Int => 0,
        ParameterType::Number => parameter.values.iter().map(|value| value.scale).max().unwrap_or(0),
    }
}

/// Every change of a node; those of its parts are not among them.
pub fn changes(expr: &Expr, hint: Hint, policy: &CheckedPolicy, book: &Book<'_>) -> Vec<Change> {
    let with = |kind: Kind| Expr { kind, ..expr.clone() };
    let change = |before: &str, after: &str, kind: Kind| Change { before: before.to_owned(), after: after.to_owned(), new: with(kind) };
    match &expr.kind {
        Kind::Literal(value) => {
            literals(value, hint).into_iter().map(|(before, after, value)| change(&before, &after, Kind::Literal(value))).collect()
        }
        Kind::Compare(op, left, right) => others(*op, left.ty)
            .iter()
            .map(|&other| change(op.sign(), other.sign(), Kind::Compare(other, left.clone(), right.clone())))
            .collect(),
        Kind::Not(inner) => vec![Change { before: "not".into(), after: "–".into(), new: (**inner).clone() }],
        Kind::And(items) if items.len() > 1 && !expr.range.is_empty() => vec![change("and", "or", Kind::Or(items.clone()))],
        Kind::Or(items) if items.len() > 1 && !expr.range.is_empty() => vec![change("or", "and", Kind::And(items.clone()))],
        Kind::AtLeast(count, items) if !expr.range.is_empty() => [count.wrapping_sub(1), count + 1]
            .into_iter()
            .filter(|other| (1..=items.len()).contains(other))
            .map(|other| change(&count.to_string(), &other.to_string(), Kind::AtLeast(other, items.clone())))
            .collect(),
        Kind::Arith(op, left, right) => {
            let other = match op {
                ArithOp::Add => ArithOp::Sub,
                ArithOp::Sub => ArithOp::Add,
                ArithOp::Mul => ArithOp::Div,
                ArithOp::Div => ArithOp::Mul,
            };
            vec![change(arith_sign(*op), arith_sign(other), Kind::Arith(other, left.clone(), right.clone()))]
        }
        Kind::Negate(inner) => vec![Change { before: "-".into(), after: "–".into(), new: (**inner).clone() }],
        Kind::TextIn { value, set } if set.len() > 1 => set
            .iter()
            .map(|text| {
                let rest: Arc<[Arc<str>]> = set.iter().filter(|other| *other != text).cloned().collect();
                change(&format!("'{text}'"), "–", Kind::TextIn { value: value.clone(), set: rest })
            })
            .collect(),
        Kind::Case { branches, otherwise } => cases(branches, otherwise.as_deref(), &with),
        Kind::Call(function, arguments) => functions(*function)
            .map(|(before, after, other)| change(before, after, Kind::Call(other, arguments.clone())))
            .into_iter()
            .collect(),
        Kind::Parameter { name, region } => parameters(expr, name, region.as_deref(), policy, book),
        Kind::InRegion { .. } => {
            vec![Change { before: "region".into(), after: "–".into(), new: Expr::boolean(true) }]
        }
        Kind::Fact(_) if expr.ty == Ty::Bool => {
            vec![Change { before: "–".into(), after: "not".into(), new: Expr::new(Kind::Not(Box::new(expr.clone())), Ty::Bool) }]
        }
        Kind::Entitled(_) => vec![
            Change { before: "entitled".into(), after: "true".into(), new: Expr::boolean(true) },
            Change { before: "entitled".into(), after: "false".into(), new: Expr::boolean(false) },
        ],
        _ => Vec::new(),
    }
}

/// Each branch dropped, and the last value.
fn cases(branches: &[(Expr, Expr)], otherwise: Option<&Expr>, with: &dyn Fn(Kind) -> Expr) -> Vec<Change> {
    let boxed = |last: Option<&Expr>| last.map(|last| Box::new(last.clone()));
    let mut changes = Vec::new();
    for index in 0..branches.len() {
        let mut rest = branches.to_vec();
        rest.remove(index);
        let new = match (rest.is_empty(), otherwise) {
            (true, Some(last)) => last.clone(),
            (true, None) => with(Kind::Unknown),
            _ => with(Kind::Case { branches: rest, otherwise: boxed(otherwise) }),
        };
        changes.push(Change { before: format!("when {}", index + 1), after: "–".to_owned(), new });
    }
    if otherwise.is_some() {
        let new = with(Kind::Case { branches: branches.to_vec(), otherwise: None });
        changes.push(Change { before: "else".to_owned(), after: "–".to_owned(), new });
    }
    changes
}

/// The value a smallest step more and less.
fn literals(value: &Value, hint: Hint) -> Vec<(String, String, Value)> {
    match value {
        Value::Bool(truth) => vec![(truth.to_string(), (!truth).to_string(), Value::Bool(!truth))],
        Value::Number(number) => {
            let scale = hint.0.max(number.scale);
            let Some(digits) = number.digits.checked_mul(10_i64.pow(u32::from(scale - number.scale))) else { return Vec::new() };
            let moved = [-1, 1].into_iter().map(|by| Number { digits: digits + by, scale });
            moved.map(|moved| (decimal(*number), decimal(moved), Value::Number(moved))).collect()
        }
        Value::Date(day) => {
            let text = |day: i32| chrono::NaiveDate::from_epoch_days(day).map_or_else(|| day.to_string(), |day| day.to_string());
            [-1, 1].into_iter().map(|by| (text(*day), text(day + by), Value::Date(day + by))).collect()
        }
        // A text stands in a comparison, which is turned round.
        Value::Text(_) => Vec::new(),
    }
}

/// A number as decimal text.
#[must_use]
pub fn decimal(number: Number) -> String {
    let sign = if number.digits < 0 { "-" } else { "" };
    let scale = usize::from(number.scale);
    let padded = format!("{:0width$}", number.digits.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = padded.split_at(padded.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

/// A smallest step more and less, and another parameter of the same kind.
fn parameters(expr: &Expr, name: &str, region: Option<&Expr>, policy: &CheckedPolicy, book: &Book<'_>) -> Vec<Change> {
    let Some(own) = parameter(book, name) else { return Vec::new() };
    let scale = fineness(own);
    let mut changes: Vec<Change> = [(ArithOp::Sub, "-"), (ArithOp::Add, "+")]
        .into_iter()
        .map(|(op, sign)| {
            let step = Number { digits: 1, scale };
            let literal = Expr::new(Kind::Literal(Value::Number(step)), Ty::Number);
            Change {
                before: format!("param('{name}')"),
                after: format!("param('{name}') {sign} {}", decimal(step)),
                new: Expr::new(Kind::Arith(op, Box::new(expr.clone()), Box::new(literal)), Ty::Number),
            }
        })
        .collect();
    let alike = |other: &&Parameter| other.name != name && other.unit == own.unit && other.parameter_type == own.parameter_type;
    let nearness = |other: &&Parameter| {
        let is_used = policy.amount.as_ref().is_some_and(|amount| reads(amount, &other.name)) || reads(&policy.criteria, &other.name);
        (is_used, name.bytes().zip(other.name.bytes()).take_while(|(one, two)| one == two).count())
    };
    if let Some(other) = book.set.parameters.iter().filter(alike).max_by_key(nearness) {
        changes.push(Change {
            before: format!("param('{name}')"),
            after: format!("param('{}')", other.name),
            new: Expr {
                kind: Kind::Parameter { name: other.name.as_str().into(), region: region.map(|region| Box::new(region.clone())) },
                ..expr.clone()
            },
        });
    }
    changes
}

fn reads(expr: &Expr, parameter: &str) -> bool {
    matches!(&expr.kind, Kind::Parameter { name, .. } if **name == *parameter)
        || expr.children().into_iter().any(|child| reads(child, parameter))
}

/// The functions that are easily taken for each other.
fn functions(function: Function) -> Option<(&'static str, &'static str, Function)> {
    Some(match function {
        Function::Min => ("min", "max", Function::Max),
        Function::Max => ("max", "min", Function::Min),
        Function::Floor => ("floor", "ceil", Function::Ceil),
        Function::Ceil => ("ceil", "floor", Function::Floor),
        Function::Round => ("round", "floor", Function::Floor),
        Function::MonthStart => ("month_start", "month_end", Function::MonthEnd),
        Function::MonthEnd => ("month_end", "month_start", Function::MonthStart),
        Function::YearStart => ("year_start", "year_end", Function::YearEnd),
        Function::YearEnd => ("year_end", "year_start", Function::YearStart),
        Function::MonthsBetween => ("months_between", "whole_months_between", Function::WholeMonthsBetween),
        Function::WholeMonthsBetween => ("whole_months_between", "months_between", Function::MonthsBetween),
        _ => return None,
    })
}

/// What an operator is changed into: the one beside it, the one against it, and the equal sign.
fn others(op: CompareOp, ty: Ty) -> &'static [CompareOp] {
    match (op, ty) {
        (CompareOp::Eq, Ty::Number | Ty::Date) => &[CompareOp::NotEq, CompareOp::LtEq, CompareOp::GtEq],
        (CompareOp::Eq, _) => &[CompareOp::NotEq],
        (CompareOp::NotEq, _) => &[CompareOp::Eq],
        (CompareOp::Lt, _) => &[CompareOp::LtEq, CompareOp::GtEq, CompareOp::Eq],
        (CompareOp::LtEq, _) => &[CompareOp::Lt, CompareOp::Gt, CompareOp::Eq],
        (CompareOp::Gt, _) => &[CompareOp::GtEq, CompareOp::LtEq, CompareOp::Eq],
        (CompareOp::GtEq, _) => &[CompareOp::Gt, CompareOp::Lt, CompareOp::Eq],
    }
}

fn arith_sign(op: ArithOp) -> &'static str {
    match op {
        ArithOp::Add => "+",
        ArithOp::Sub => "-",
        ArithOp::Mul => "*",
        ArithOp::Div => "/",
    }
}
