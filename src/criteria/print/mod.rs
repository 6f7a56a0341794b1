//! The canonical text of a tree: no more parentheses than needed, one space where one helps.

use std::fmt::{self, Display, Formatter};

use chrono::{Datelike, NaiveDate};

use crate::criteria::ast::{BinaryOp, Call, Expr, ExprKind, Ident, Literal};
use crate::criteria::words;
use crate::diagnostic::Lang;

/// The canonical text, as `mianshen fmt` writes it: reading it again gives the same tree, up to ranges.
#[must_use]
pub fn print(expr: &Expr) -> String {
    print_in(expr, Lang::En)
}

/// The text with the operators and functions of a language; it reads back to the same tree in either.
///
/// # Example
///
/// ```
/// use mianshen::{criteria, diagnostic::Lang};
/// let (tree, _) = criteria::parse("age >= 60 and not deceased");
/// assert_eq!(criteria::print_in(&tree.unwrap(), Lang::Zh), "年龄 >= 60 且 非 deceased");
/// ```
#[must_use]
pub fn print_in(expr: &Expr, lang: Lang) -> String {
    Printed { expr, weakest: 0, lang }.to_string()
}

/// How strongly an expression holds together; a weaker one needs parentheses.
fn strength(kind: &ExprKind) -> u8 {
    match kind {
        // `where` takes all that follows.
        ExprKind::Call(Call { filter: Some(_), .. }) => 0,
        ExprKind::Binary(_, op, _) => match op {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::Add | BinaryOp::Sub => 5,
            BinaryOp::Mul | BinaryOp::Div => 6,
            _ => 4,
        },
        ExprKind::Not(_) => 3,
        ExprKind::InList { .. } | ExprKind::InSet { .. } | ExprKind::Between { .. } | ExprKind::IsKnown { .. } | ExprKind::Like { .. } => 4,
        ExprKind::Negate(_) => 7,
        ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Call(_) | ExprKind::Case { .. } => 8,
    }
}

#[derive(Clone, Copy)]
struct Printed<'e> {
    expr: &'e Expr,
    weakest: u8,
    lang: Lang,
}

impl<'e> Printed<'e> {
    fn part(self, expr: &'e Expr, weakest: u8) -> Self {
        Self { expr, weakest, lang: self.lang }
    }

    fn word(self, english: &'static str) -> &'static str {
        match self.lang {
            Lang::En => english,
            Lang::Zh => words::chinese(english).unwrap_or(english),
        }
    }

    fn test(self, f: &mut Formatter<'_>, value: &'e Expr, negated: bool, words: [&'static str; 2]) -> fmt::Result {
        write!(f, "{} {} ", self.part(value, 5), self.word(words[usize::from(negated)]))
    }

    fn list(self, f: &mut Formatter<'_>, items: &'e [Expr], weakest: u8) -> fmt::Result {
        for (index, item) in items.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", self.part(item, weakest))?;
        }
        Ok(())
    }

    fn path(self, f: &mut Formatter<'_>, path: &[Ident], table: &[(&str, &'static str)]) -> fmt::Result {
        for (index, ident) in path.iter().enumerate() {
            let last = index + 1 == path.len();
            let translated = table.iter().find(|(en, _)| last && self.lang == Lang::Zh && *en == ident.name);
            let point = if index == 0 { "" } else { "." };
            write!(f, "{point}{}", translated.map_or(ident.name.as_str(), |(_, zh)| *zh))?;
        }
        Ok(())
    }

    fn call(self, f: &mut Formatter<'_>, call: &'e Call) -> fmt::Result {
        self.path(f, &call.path, words::FUNCTIONS)?;
        f.write_str("(")?;
        // An argument that ends in `where …` would take the `by` behind it.
        self.list(f, &call.args, u8::from(call.by.is_some()))?;
        if let Some(by) = &call.by {
            write!(f, " {} {}", self.word("by"), self.part(by, 0))?;
        }
        f.write_str(")")?;
        match &call.filter {
            Some(filter) => write!(f, " {} {}", self.word("where"), self.part(filter, 0)),
            None => Ok(()),
        }
    }

    fn literal(self, f: &mut Formatter<'_>, literal: &Literal) -> fmt::Result {
        match literal {
            Literal::Bool(truth) => f.write_str(self.word(if *truth { "true" } else { "false" })),
            Literal::Number { digits, scale } => number(f, *digits, usize::from(*scale)),
            Literal::Date(days) => date(*days).map_or(Ok(()), |date| write!(f, "{}", date.format("%Y-%m-%d"))),
            Literal::Month(days) => date(*days).map_or(Ok(()), |date| write!(f, "{:04}-{:02}", date.year(), date.month())),
            Literal::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Literal::Null => f.write_str(self.word("null")),
        }
    }
}

fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(days)
}

fn number(f: &mut Formatter<'_>, digits: i64, scale: usize) -> fmt::Result {
    let sign = if digits < 0 { "-" } else { "" };
    let padded = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = padded.split_at(padded.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    write!(f, "{sign}{whole}{point}{decimals}")
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "or",
        BinaryOp::And => "and",
        BinaryOp::Eq => "=",
        BinaryOp::NotEq => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
    }
}

impl Display for Printed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let own = strength(&self.expr.kind);
        if own < self.weakest {
            return write!(f, "({})", self.part(self.expr, 0));
        }
        match &self.expr.kind {
            ExprKind::Literal(literal) => self.literal(f, literal),
            ExprKind::Name(path) => self.path(f, path, words::NAMES),
            ExprKind::Call(call) => self.call(f, call),
            ExprKind::Not(operand) => write!(f, "{} {}", self.word("not"), self.part(operand, 3)),
            ExprKind::Negate(operand) => write!(f, "-{}", self.part(operand, 8)),
            ExprKind::Binary(left, op, right) => {
                // Comparisons stand beside sums only; the others group from the left.
                let left_weakest = if own == 4 { 5 } else { own };
                let word = self.word(operator(*op));
                write!(f, "{} {word} {}", self.part(left, left_weakest), self.part(right, own + 1))
            }
            ExprKind::InList { value, list, negated } => {
                self.test(f, value, *negated, ["in", "not in"])?;
                f.write_str("(")?;
                self.list(f, list, 0)?;
                f.write_str(")")
            }
            ExprKind::InSet { value, set, negated } => {
                self.test(f, value, *negated, ["in", "not in"])?;
                write!(f, "{}", self.part(set, 5))
            }
            ExprKind::Between { value, low, high, negated } => {
                self.test(f, value, *negated, ["between", "not between"])?;
                let and = if self.lang == Lang::Zh { "和" } else { "and" };
                write!(f, "{} {and} {}", self.part(low, 5), self.part(high, 5))
            }
            ExprKind::IsKnown { value, known } => {
                let word = self.word(if *known { "is known" } else { "is null" });
                write!(f, "{} {word}", self.part(value, 5))
            }
            ExprKind::Like { value, pattern, negated } => {
                self.test(f, value, *negated, ["like", "not like"])?;
                write!(f, "{}", self.part(pattern, 5))
            }
            ExprKind::Case { branches, otherwise } => {
                f.write_str(self.word("case"))?;
                for (condition, value) in branches {
                    let (condition, value) = (self.part(condition, 0), self.part(value, 0));
                    write!(f, " {} {condition} {} {value}", self.word("when"), self.word("then"))?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " {} {}", self.word("else"), self.part(otherwise, 0))?;
                }
                write!(f, " {}", self.word("end"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
