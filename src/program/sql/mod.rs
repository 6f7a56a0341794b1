//! The same bound condition as `DataFusion` SQL: Kleene logic, comparison and texts native, numbers and dates by functions.

mod functions;

use std::fmt::Write;

pub use functions::{Call, FUNCTIONS, Overflow, SqlFunction, SqlType};

use super::CompileError;
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Schema, Ty, Value};

/// A number in SQL: `num / den / 10^scale`, both `BIGINT`; null where unknown, or where either is null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlNumber {
    /// The numerator.
    pub num: String,
    /// The denominator; `None` is 1.
    pub den: Option<String>,
    /// Digits behind the point.
    pub scale: i32,
}

/// The SQL of a boolean (`BOOLEAN`), a date (`BIGINT`, days since 1970-01-01) or a text; null where unknown. `quote`
/// spells a fact's column.
///
/// # Errors
///
/// If the expression is not bound or is wrongly typed. Numbers go through [`to_sql_number`].
pub fn to_sql(expr: &Expr, schema: &Schema, quote: &dyn Fn(&str) -> String) -> Result<String, CompileError> {
    let writer = Writer { schema, quote };
    match expr.ty {
        Ty::Bool => writer.boolean(expr),
        Ty::Date => Ok(writer.number(expr)?.num),
        Ty::Text => writer.text(expr),
        Ty::Number => Err(wrong("a number has no single SQL expression")),
    }
}

/// The SQL of a number.
///
/// # Errors
///
/// As [`to_sql`].
pub fn to_sql_number(expr: &Expr, schema: &Schema, quote: &dyn Fn(&str) -> String) -> Result<SqlNumber, CompileError> {
    Writer { schema, quote }.number(expr)
}

/// An identifier in double quotes.
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn wrong(message: &str) -> CompileError {
    CompileError::Type { root: 0, message: message.to_owned() }
}

/// A condition, null where one of its values is. It is so by itself; but DataFusion up to 55 takes a value that two lists with nothing in
/// common must hold for one that is in neither, where it is null too, and makes such lists of equalities (apache/datafusion#24258).
fn unless_null(values: &[&str], condition: &str) -> String {
    let nulls: Vec<String> = values.iter().map(|value| format!("{value} IS NULL")).collect();
    format!("CASE WHEN {} THEN NULL ELSE {condition} END", nulls.join(" OR "))
}

fn compared_by(sign: &str, left: &str, right: &str) -> String {
    match sign {
        "=" => unless_null(&[left, right], &format!("{left} = {right}")),
        _ => format!("({left} {sign} {right})"),
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    quote: &'a dyn Fn(&str) -> String,
}

impl Writer<'_> {
    fn column(&self, fact: usize) -> Result<String, CompileError> {
        let column = self.schema.columns.get(fact).ok_or(CompileError::NoSuchFact { root: 0, fact })?;
        Ok((self.quote)(&column.name))
    }

    fn boolean(&self, expr: &Expr) -> Result<String, CompileError> {
        Ok(match &expr.kind {
            Kind::Literal(Value::Bool(true)) => "TRUE".to_owned(),
            Kind::Literal(Value::Bool(false)) => "FALSE".to_owned(),
            Kind::Unknown => "CAST(NULL AS BOOLEAN)".to_owned(),
            Kind::Fact(fact) => self.column(*fact)?,
            Kind::TextIn { value, set } if set.is_empty() => format!("CASE WHEN {} IS NULL THEN NULL ELSE FALSE END", self.text(value)?),
            Kind::TextIn { value, set } => {
                let entries: Vec<String> = set.iter().map(|entry| literal(entry)).collect();
                let value = self.text(value)?;
                unless_null(&[&value], &format!("{value} IN ({})", entries.join(", ")))
            }
            Kind::Like { value, pattern } => format!("({} LIKE {})", self.text(value)?, literal(&pattern.replace('\\', "\\\\"))),
            Kind::Not(inner) => format!("(NOT {})", self.boolean(inner)?),
            Kind::And(items) => self.joined(items, " AND ", "TRUE")?,
            Kind::Or(items) => self.joined(items, " OR ", "FALSE")?,
            Kind::AtLeast(count, items) => self.at_least(*count, items)?,
            Kind::Compare(op, left, right) => self.comparison(*op, left, right)?,
            Kind::IsKnown(inner) => self.known(inner)?,
            Kind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), "BOOLEAN", &|expr| self.boolean(expr))?,
            Kind::Call(Function::Coalesce, items) => coalesce(items, |item| self.boolean(item))?,
            _ => return Err(refuse(expr)),
        })
    }

    fn joined(&self, items: &[Expr], by: &str, nothing: &str) -> Result<String, CompileError> {
        if items.is_empty() {
            return Ok(nothing.to_owned());
        }
        let items: Result<Vec<String>, CompileError> = items.iter().map(|item| self.boolean(item)).collect();
        Ok(format!("({})", items?.join(by)))
    }

    fn at_least(&self, count: usize, items: &[Expr]) -> Result<String, CompileError> {
        let (mut yes, mut possible) = (vec!["0".to_owned()], vec!["0".to_owned()]);
        for item in items {
            let item = self.boolean(item)?;
            yes.push(format!("CASE WHEN {item} THEN 1 ELSE 0 END"));
            possible.push(format!("CASE WHEN NOT {item} THEN 0 ELSE 1 END"));
        }
        let (yes, possible) = (yes.join(" + "), possible.join(" + "));
        Ok(format!("CASE WHEN ({yes}) >= {count} THEN TRUE WHEN ({possible}) < {count} THEN FALSE ELSE NULL END"))
    }

    fn comparison(&self, op: CompareOp, left: &Expr, right: &Expr) -> Result<String, CompileError> {
        let sign = match op {
            CompareOp::Eq => "=",
            CompareOp::NotEq => "<>",
            CompareOp::Lt => "<",
            CompareOp::LtEq => "<=",
            CompareOp::Gt => ">",
            CompareOp::GtEq => ">=",
        };
        Ok(match left.ty {
            Ty::Bool => format!("({} {sign} {})", self.boolean(left)?, self.boolean(right)?),
            Ty::Text => compared_by(sign, &self.text(left)?, &self.text(right)?),
            Ty::Number | Ty::Date => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                if left.den.is_none() && right.den.is_none() && left.scale == right.scale {
                    compared_by(sign, &left.num, &right.num)
                } else {
                    format!("({} {sign} 0)", compared(&left, &right))
                }
            }
        })
    }

    fn known(&self, inner: &Expr) -> Result<String, CompileError> {
        Ok(match inner.ty {
            Ty::Bool => format!("({} IS NOT NULL)", self.boolean(inner)?),
            Ty::Text => format!("({} IS NOT NULL)", self.text(inner)?),
            Ty::Number | Ty::Date => self.number(inner)?.known(),
        })
    }

    fn text(&self, expr: &Expr) -> Result<String, CompileError> {
        Ok(match &expr.kind {
            Kind::Literal(Value::Text(text)) => literal(text),
            Kind::Unknown => "CAST(NULL AS VARCHAR)".to_owned(),
            Kind::Fact(fact) => self.column(*fact)?,
            Kind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), "VARCHAR", &|expr| self.text(expr))?,
            Kind::Call(Function::Coalesce, items) => coalesce(items, |item| self.text(item))?,
            _ => return Err(refuse(expr)),
        })
    }

    fn case(
        &self,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        ty: &str,
        value: &dyn Fn(&Expr) -> Result<String, CompileError>,
    ) -> Result<String, CompileError> {
        let mut result = otherwise.map_or(Ok(format!("CAST(NULL AS {ty})")), value)?;
        for (when, then) in branches.iter().rev() {
            result = chosen(&self.boolean(when)?, &value(then)?, &result);
        }
        Ok(result)
    }

    fn number(&self, expr: &Expr) -> Result<SqlNumber, CompileError> {
        match &expr.kind {
            Kind::Literal(Value::Number(number)) => Ok(SqlNumber::of(*number)),
            Kind::Literal(Value::Date(day)) => Ok(SqlNumber::plain(integer(i64::from(*day)), 0)),
            Kind::Unknown => Ok(SqlNumber::plain("CAST(NULL AS BIGINT)".to_owned(), 0)),
            Kind::Fact(fact) => {
                let column = self.column(*fact)?;
                let scale = self.schema.columns[*fact].scale;
                Ok(match (expr.ty, scale) {
                    (Ty::Date, _) => SqlNumber::plain(format!("CAST(CAST({column} AS INT) AS BIGINT)"), 0),
                    (_, 0) => SqlNumber::plain(format!("CAST({column} AS BIGINT)"), 0),
                    _ => SqlNumber::plain(format!("ms_digits({column})"), i32::from(scale)),
                })
            }
            Kind::TextMap { value, map } => self.text_map(value, map),
            Kind::Arith(op, left, right) => {
                let (left, right) = (self.number(left)?, self.number(right)?);
                match op {
                    ArithOp::Add => sum("ms_add", left, right),
                    ArithOp::Sub => sum("ms_sub", left, right),
                    ArithOp::Mul => Ok(product(&left, &right)),
                    ArithOp::Div => Ok(quotient(&left, &right)),
                }
            }
            Kind::Negate(inner) => {
                let inner = self.number(inner)?;
                Ok(SqlNumber { num: format!("ms_neg({})", inner.num), ..inner })
            }
            Kind::Case { branches, otherwise } => {
                let mut result = match otherwise {
                    Some(otherwise) => self.number(otherwise)?,
                    None => SqlNumber::plain("CAST(NULL AS BIGINT)".to_owned(), 0),
                };
                for (when, then) in branches.iter().rev() {
                    result = choose(&self.boolean(when)?, self.number(then)?, result)?;
                }
                Ok(result)
            }
            Kind::Call(function, arguments) => self.call(*function, arguments),
            _ => Err(refuse(expr)),
        }
    }

    fn text_map(&self, value: &Expr, map: &[(std::sync::Arc<str>, Number)]) -> Result<SqlNumber, CompileError> {
        let scale = map.iter().map(|(_, number)| number.scale).max().unwrap_or(0);
        let mut branches = String::new();
        for (key, number) in map {
            let digits = 10_i64.checked_pow(u32::from(scale - number.scale)).and_then(|factor| number.digits.checked_mul(factor));
            let digits = digits.ok_or(CompileError::TooLarge { root: 0 })?;
            let _ = write!(branches, " WHEN {} THEN {}", literal(key), integer(digits));
        }
        if branches.is_empty() {
            return Ok(SqlNumber::plain("CAST(NULL AS BIGINT)".to_owned(), 0));
        }
        Ok(SqlNumber::plain(format!("CASE {}{branches} ELSE NULL END", self.text(value)?), i32::from(scale)))
    }

    fn call(&self, function: Function, arguments: &[Expr]) -> Result<SqlNumber, CompileError> {
        let numbers: Result<Vec<SqlNumber>, CompileError> = arguments.iter().map(|argument| self.number(argument)).collect();
        let numbers = numbers?;
        let Some(first) = numbers.first().cloned() else { return Err(wrong("a function without arguments")) };
        let name = match function {
            Function::Coalesce => {
                let unknown = SqlNumber::plain("CAST(NULL AS BIGINT)".to_owned(), 0);
                return numbers.into_iter().rev().try_fold(unknown, |rest, item| choose(&item.known(), item.clone(), rest));
            }
            Function::Min | Function::Max => {
                let sign = if function == Function::Min { "<=" } else { ">=" };
                return numbers
                    .into_iter()
                    .skip(1)
                    .try_fold(first, |best, next| choose(&format!("({} {sign} 0)", compared(&best, &next)), best.clone(), next));
            }
            Function::Abs => {
                let den = first.den.map(|den| format!("ms_abs({den})"));
                return Ok(SqlNumber { num: format!("ms_abs({})", first.num), den, scale: first.scale });
            }
            Function::Floor => return Ok(first.whole("ms_floor")),
            Function::Ceil => return Ok(first.whole("ms_ceil")),
            Function::Round => return Ok(first.whole("ms_round")),
            Function::AgeAt => "ms_age_at",
            Function::MonthsBetween => "ms_months_between",
            Function::WholeMonthsBetween => "ms_whole_months_between",
            Function::DaysBetween => "ms_days_between",
            Function::AddYears => "ms_add_years",
            Function::AddMonths => "ms_add_months",
            Function::AddDays => "ms_add_days",
            Function::MonthStart => "ms_month_start",
            Function::MonthEnd => "ms_month_end",
            Function::YearStart => "ms_year_start",
            Function::YearEnd => "ms_year_end",
            Function::Year => "ms_year",
            Function::Month => "ms_month",
            Function::MonthsOverlap => "ms_months_overlap",
        };
        let arguments: Vec<String> = numbers.into_iter().map(|number| number.whole("ms_floor").num).collect();
        Ok(SqlNumber::plain(format!("{name}({})", arguments.join(", ")), 0))
    }
}

impl SqlNumber {
    fn plain(num: String, scale: i32) -> Self {
        Self { num, den: None, scale }
    }

    fn of(number: Number) -> Self {
        Self::plain(integer(number.digits), i32::from(number.scale))
    }

    fn den(&self) -> &str {
        self.den.as_deref().unwrap_or("1")
    }

    fn known(&self) -> String {
        match &self.den {
            None => format!("({} IS NOT NULL)", self.num),
            Some(den) => format!("({} IS NOT NULL AND {den} IS NOT NULL)", self.num),
        }
    }

    fn whole(self, name: &str) -> Self {
        if self.den.is_none() && self.scale == 0 {
            return self;
        }
        Self::plain(format!("{name}({}, {}, {})", self.num, self.den(), self.scale), 0)
    }

    fn rescaled(self, scale: i32) -> Result<Self, CompileError> {
        let factor = u32::try_from(scale - self.scale)
            .ok()
            .and_then(|exponent| 10_i64.checked_pow(exponent))
            .ok_or(CompileError::TooLarge { root: 0 })?;
        let num = if factor == 1 { self.num } else { format!("ms_mul({}, {factor})", self.num) };
        Ok(Self { num, den: self.den, scale })
    }
}

fn sum(name: &str, left: SqlNumber, right: SqlNumber) -> Result<SqlNumber, CompileError> {
    let scale = left.scale.max(right.scale);
    let (left, right) = (left.rescaled(scale)?, right.rescaled(scale)?);
    if left.den == right.den {
        return Ok(SqlNumber { num: format!("{name}({}, {})", left.num, right.num), den: left.den, scale });
    }
    let num = format!("{name}({}, {})", multiplied(&left.num, right.den.as_deref()), multiplied(&right.num, left.den.as_deref()));
    Ok(SqlNumber { num, den: Some(multiplied(left.den(), right.den.as_deref())), scale })
}

fn product(left: &SqlNumber, right: &SqlNumber) -> SqlNumber {
    let den = left.den.as_ref().map(|den| multiplied(den, right.den.as_deref())).or_else(|| right.den.clone());
    SqlNumber { num: multiplied(&left.num, Some(&right.num)), den, scale: left.scale + right.scale }
}

fn quotient(left: &SqlNumber, right: &SqlNumber) -> SqlNumber {
    let den = format!("ms_nonzero({})", multiplied(&right.num, left.den.as_deref()));
    SqlNumber { num: multiplied(&left.num, right.den.as_deref()), den: Some(den), scale: left.scale - right.scale }
}

fn multiplied(value: &str, factor: Option<&str>) -> String {
    factor.map_or_else(|| value.to_owned(), |factor| format!("ms_mul({value}, {factor})"))
}

fn compared(left: &SqlNumber, right: &SqlNumber) -> String {
    format!(
        "ms_compare({}, {}, {}, {}, {}, {})",
        left.num,
        left.den(),
        integer(i64::from(left.scale)),
        right.num,
        right.den(),
        integer(i64::from(right.scale))
    )
}

fn choose(condition: &str, then: SqlNumber, otherwise: SqlNumber) -> Result<SqlNumber, CompileError> {
    let scale = then.scale.max(otherwise.scale);
    let (then, otherwise) = (then.rescaled(scale)?, otherwise.rescaled(scale)?);
    let den = (then.den != otherwise.den).then(|| chosen(condition, then.den(), otherwise.den())).or_else(|| then.den.clone());
    Ok(SqlNumber { num: chosen(condition, &then.num, &otherwise.num), den, scale })
}

fn chosen(condition: &str, then: &str, otherwise: &str) -> String {
    format!("CASE WHEN {condition} IS NULL THEN NULL WHEN {condition} THEN {then} ELSE {otherwise} END")
}

fn coalesce(items: &[Expr], write: impl Fn(&Expr) -> Result<String, CompileError>) -> Result<String, CompileError> {
    let items: Result<Vec<String>, CompileError> = items.iter().map(write).collect();
    Ok(format!("COALESCE({})", items?.join(", ")))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A `BIGINT` literal. The least one has no spelling of its own.
fn integer(value: i64) -> String {
    match value {
        i64::MIN => format!("CAST('{value}' AS BIGINT)"),
        value if value < 0 => format!("({value})"),
        _ => value.to_string(),
    }
}

fn refuse(expr: &Expr) -> CompileError {
    match &expr.kind {
        Kind::AsOf | Kind::Parameter { .. } | Kind::InRegion { .. } | Kind::Entitled(_) => CompileError::NotBound { root: 0 },
        _ => wrong("an expression stands where its type does not fit"),
    }
}
