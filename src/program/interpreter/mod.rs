//! The plain way to a verdict: one expression, one row, by the book. The oracle of the program, and what explain walks.

mod missing;

use std::cmp::Ordering;
use std::sync::Arc;

pub use missing::missing;

use super::dates;
use super::kernels::text::matches_like;
use super::{EvalError, Rational};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Value};

/// The known value of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// yes or no
    Bool(bool),
    /// An exact number.
    Number(Rational),
    /// Days since 1970-01-01.
    Date(i32),
    /// Text or code.
    Text(Arc<str>),
}

/// An expression, its value for one row, and the same of its parts; `None` is unknown, also where arithmetic overflowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace<'e> {
    /// The expression: what kind it is, where it stands.
    pub expr: &'e Expr,
    /// Its value.
    pub answer: Option<Answer>,
    /// The parts of the expression, in order, whether or not they decided the value.
    pub parts: Vec<Trace<'e>>,
}

/// The value of a bound expression, where `row` gives the value of a fact; `None` is unknown.
///
/// # Errors
///
/// If arithmetic overflows (row and root are told as 0), or the expression is open or wrongly typed.
pub fn evaluate(expr: &Expr, row: &dyn Fn(usize) -> Option<Value>) -> Result<Option<Answer>, EvalError> {
    match &expr.kind {
        Kind::Literal(value) => Ok(Some(Answer::from(value))),
        Kind::Unknown => Ok(None),
        Kind::Fact(fact) => Ok(row(*fact).as_ref().map(Answer::from)),
        Kind::TextIn { value, set } => Ok(text(value, row)?.map(|text| Answer::Bool(set.contains(&text)))),
        Kind::TextMap { value, map } => {
            let text = text(value, row)?;
            Ok(text.and_then(|text| map.iter().find(|(key, _)| *key == text)).map(|(_, number)| Answer::Number(Rational::from(*number))))
        }
        Kind::Not(inner) => Ok(boolean(inner, row)?.map(|verdict| Answer::Bool(!verdict))),
        Kind::And(items) => {
            let verdicts = booleans(items, row)?;
            Ok(if verdicts.contains(&Some(false)) {
                answer(false)
            } else if verdicts.contains(&None) {
                None
            } else {
                answer(true)
            })
        }
        Kind::Or(items) => {
            let verdicts = booleans(items, row)?;
            Ok(if verdicts.contains(&Some(true)) {
                answer(true)
            } else if verdicts.contains(&None) {
                None
            } else {
                answer(false)
            })
        }
        Kind::AtLeast(count, items) => {
            let verdicts = booleans(items, row)?;
            let yes = verdicts.iter().filter(|verdict| **verdict == Some(true)).count();
            let possible = verdicts.iter().filter(|verdict| **verdict != Some(false)).count();
            Ok(if yes >= *count {
                answer(true)
            } else if possible < *count {
                answer(false)
            } else {
                None
            })
        }
        Kind::Compare(op, left, right) => compare(*op, evaluate(left, row)?, evaluate(right, row)?),
        Kind::Arith(op, left, right) => arithmetic(*op, number(left, row)?, number(right, row)?),
        Kind::Negate(inner) => {
            number(inner, row)?.map(|value| value.checked_neg().ok_or(OVERFLOW)).transpose().map(|value| value.map(Answer::Number))
        }
        Kind::IsKnown(inner) => Ok(answer(evaluate(inner, row)?.is_some())),
        Kind::Like { value, pattern } => Ok(text(value, row)?.map(|text| Answer::Bool(matches_like(&text, pattern)))),
        Kind::Case { branches, otherwise } => {
            for (when, then) in branches {
                match boolean(when, row)? {
                    Some(true) => return evaluate(then, row),
                    Some(false) => {}
                    None => return Ok(None),
                }
            }
            otherwise.as_deref().map_or(Ok(None), |otherwise| evaluate(otherwise, row))
        }
        Kind::Call(function, arguments) => call(*function, arguments, row),
        Kind::AsOf | Kind::Parameter { .. } | Kind::InRegion { .. } | Kind::Entitled(_) => {
            Err(malformed("the expression is not bound to a day"))
        }
    }
}

/// The expression and all its parts with their values.
pub fn trace<'e>(expr: &'e Expr, row: &dyn Fn(usize) -> Option<Value>) -> Trace<'e> {
    let parts = expr.children().into_iter().map(|part| trace(part, row)).collect();
    Trace { expr, answer: evaluate(expr, row).ok().flatten(), parts }
}

const OVERFLOW: EvalError = EvalError::Overflow { root: 0, row: 0 };

impl From<&Value> for Answer {
    fn from(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(Rational::from(*number)),
            Value::Date(day) => Self::Date(*day),
            Value::Text(text) => Self::Text(Arc::clone(text)),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "beside unknown, in which there is nothing")]
fn answer(verdict: bool) -> Option<Answer> {
    Some(Answer::Bool(verdict))
}

fn malformed(message: &str) -> EvalError {
    EvalError::Malformed { message: message.to_owned() }
}

fn boolean(expr: &Expr, row: &dyn Fn(usize) -> Option<Value>) -> Result<Option<bool>, EvalError> {
    match evaluate(expr, row)? {
        None => Ok(None),
        Some(Answer::Bool(verdict)) => Ok(Some(verdict)),
        Some(_) => Err(malformed("expected yes or no")),
    }
}

fn booleans(items: &[Expr], row: &dyn Fn(usize) -> Option<Value>) -> Result<Vec<Option<bool>>, EvalError> {
    items.iter().map(|item| boolean(item, row)).collect()
}

fn number(expr: &Expr, row: &dyn Fn(usize) -> Option<Value>) -> Result<Option<Rational>, EvalError> {
    match evaluate(expr, row)? {
        None => Ok(None),
        Some(Answer::Number(value)) => Ok(Some(value)),
        Some(_) => Err(malformed("expected a number")),
    }
}

fn text(expr: &Expr, row: &dyn Fn(usize) -> Option<Value>) -> Result<Option<Arc<str>>, EvalError> {
    match evaluate(expr, row)? {
        None => Ok(None),
        Some(Answer::Text(value)) => Ok(Some(value)),
        Some(_) => Err(malformed("expected a text")),
    }
}

fn compare(op: CompareOp, left: Option<Answer>, right: Option<Answer>) -> Result<Option<Answer>, EvalError> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let ordering = match (&left, &right) {
        (Answer::Number(left), Answer::Number(right)) => left.cmp(right),
        (Answer::Date(left), Answer::Date(right)) => left.cmp(right),
        (Answer::Text(left), Answer::Text(right)) => left.cmp(right),
        (Answer::Bool(left), Answer::Bool(right)) => left.cmp(right),
        _ => return Err(malformed("two values of different types were compared")),
    };
    Ok(answer(match op {
        CompareOp::Eq => ordering == Ordering::Equal,
        CompareOp::NotEq => ordering != Ordering::Equal,
        CompareOp::Lt => ordering == Ordering::Less,
        CompareOp::LtEq => ordering != Ordering::Greater,
        CompareOp::Gt => ordering == Ordering::Greater,
        CompareOp::GtEq => ordering != Ordering::Less,
    }))
}

fn arithmetic(op: ArithOp, left: Option<Rational>, right: Option<Rational>) -> Result<Option<Answer>, EvalError> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let result = match op {
        ArithOp::Add => left.checked_add(right),
        ArithOp::Sub => left.checked_sub(right),
        ArithOp::Mul => left.checked_mul(right),
        ArithOp::Div if right.num() == 0 => return Ok(None),
        ArithOp::Div => right.recip().and_then(|right| left.checked_mul(right)),
    };
    result.map(|value| Some(Answer::Number(value))).ok_or(OVERFLOW)
}

fn call(function: Function, arguments: &[Expr], row: &dyn Fn(usize) -> Option<Value>) -> Result<Option<Answer>, EvalError> {
    if function == Function::Coalesce {
        for argument in arguments {
            if let Some(value) = evaluate(argument, row)? {
                return Ok(Some(value));
            }
        }
        return Ok(None);
    }
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        values.push(evaluate(argument, row)?);
    }
    let Some(values) = values.into_iter().collect::<Option<Vec<Answer>>>() else { return Ok(None) };
    apply(function, &values)
}

fn apply(function: Function, values: &[Answer]) -> Result<Option<Answer>, EvalError> {
    let day = |index: usize| match values.get(index) {
        Some(Answer::Date(day)) => Ok(*day),
        _ => Err(malformed("expected a date")),
    };
    let rational = |index: usize| match values.get(index) {
        Some(Answer::Number(value)) => Ok(*value),
        _ => Err(malformed("expected a number")),
    };
    let steps = |index: usize| rational(index).and_then(|value| i64::try_from(value.floor()).map_err(|_| OVERFLOW));
    let whole = |value: i128| i64::try_from(value).map(|value| Some(Answer::Number(Rational::whole(value)))).map_err(|_| OVERFLOW);
    let count = |value: i64| Ok(Some(Answer::Number(Rational::whole(value))));
    let moved = |day: Option<i32>| day.map(|day| Some(Answer::Date(day))).ok_or(OVERFLOW);
    match function {
        Function::AgeAt => Ok(dates::age_at(day(0)?, day(1)?).map(|age| Answer::Number(Rational::whole(age)))),
        Function::MonthsBetween => count(dates::months_between(day(0)?, day(1)?)),
        Function::WholeMonthsBetween => count(dates::whole_months_between(day(0)?, day(1)?)),
        Function::DaysBetween => count(i64::from(day(1)?) - i64::from(day(0)?)),
        Function::AddYears => moved(dates::add_years(day(0)?, steps(1)?)),
        Function::AddMonths => moved(dates::add_months(day(0)?, steps(1)?)),
        Function::AddDays => moved(dates::add_days(day(0)?, steps(1)?)),
        Function::MonthStart => moved(dates::month_start(day(0)?)),
        Function::MonthEnd => moved(dates::month_end(day(0)?)),
        Function::YearStart => moved(dates::year_start(day(0)?)),
        Function::YearEnd => moved(dates::year_end(day(0)?)),
        Function::Year => count(dates::civil(day(0)?).year),
        Function::Month => count(dates::civil(day(0)?).month),
        Function::MonthsOverlap => count(dates::months_overlap(day(0)?, day(1)?, day(2)?, day(3)?)),
        Function::Min | Function::Max => extreme(function, values),
        Function::Abs => {
            let value = rational(0)?;
            if value.num() < 0 {
                value.checked_neg().map(|value| Some(Answer::Number(value))).ok_or(OVERFLOW)
            } else {
                Ok(Some(Answer::Number(value)))
            }
        }
        Function::Floor => whole(rational(0)?.floor()),
        Function::Ceil => whole(rational(0)?.ceil()),
        Function::Round => whole(rational(0)?.round()),
        Function::Coalesce => Ok(values.first().cloned()),
    }
}

fn extreme(function: Function, values: &[Answer]) -> Result<Option<Answer>, EvalError> {
    let mut best = values.first().cloned();
    for value in values.iter().skip(1) {
        let op = if function == Function::Min { CompareOp::Lt } else { CompareOp::Gt };
        if compare(op, Some(value.clone()), best.clone())? == answer(true) {
            best = Some(value.clone());
        }
    }
    Ok(best)
}
