//! Comparisons and tests, and what authors write instead of them.

use std::ops::Range;

use super::{Parser, SUM, Tree};
use crate::criteria::ast::{BinaryOp, ExprKind, Literal};
use crate::criteria::error::SyntaxError;
use crate::criteria::token::{Kind, Sign};
use crate::diagnostic::code;

/// The comparison that a sign is.
pub(super) fn operator(sign: Sign) -> Option<BinaryOp> {
    Some(match sign {
        Sign::Eq => BinaryOp::Eq,
        Sign::NotEq => BinaryOp::NotEq,
        Sign::Lt => BinaryOp::Lt,
        Sign::LtEq => BinaryOp::LtEq,
        Sign::Gt => BinaryOp::Gt,
        Sign::GtEq => BinaryOp::GtEq,
        _ => return None,
    })
}

fn written(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::NotEq => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        _ => "=",
    }
}

/// The operator that two halves make, in either order: `> =`, `= >`.
fn joined(first: BinaryOp, second: BinaryOp) -> Option<BinaryOp> {
    Some(match (first, second) {
        (BinaryOp::Eq, BinaryOp::Eq) => BinaryOp::Eq,
        (BinaryOp::Lt | BinaryOp::LtEq, BinaryOp::Eq) | (BinaryOp::Eq, BinaryOp::Lt) => BinaryOp::LtEq,
        (BinaryOp::Gt | BinaryOp::GtEq, BinaryOp::Eq) | (BinaryOp::Eq, BinaryOp::Gt) => BinaryOp::GtEq,
        (BinaryOp::Lt, BinaryOp::Gt) | (BinaryOp::NotEq, BinaryOp::Eq) => BinaryOp::NotEq,
        _ => return None,
    })
}

impl Parser<'_> {
    /// What `not` before the present sign makes of it: `not in`. None where `not` cannot stand there.
    pub(super) fn negated(&self) -> Option<Sign> {
        match self.sign_ahead(1)? {
            Sign::In => Some(Sign::NotIn),
            Sign::Between => Some(Sign::NotBetween),
            Sign::Like => Some(Sign::NotLike),
            Sign::Eq => Some(Sign::NotEq),
            _ => None,
        }
    }

    /// The comparison that begins with `sign`, whose left side is `left`.
    pub(super) fn comparison(&mut self, left: Tree, sign: Sign) -> Tree {
        let turned = if sign == Sign::Not { self.negated() } else { None };
        let mut place = self.advance();
        if turned.is_some() {
            place.end = self.advance().end;
        }
        match turned.unwrap_or(sign) {
            Sign::In => self.inclusion(left, false),
            Sign::NotIn => self.inclusion(left, true),
            Sign::Between => self.between(left, false),
            Sign::NotBetween => self.between(left, true),
            Sign::Like => self.like(left, false),
            Sign::NotLike => self.like(left, true),
            Sign::Is => self.is(left),
            Sign::IsNull | Sign::Unknown => self.is_known(left, place.end, false),
            Sign::IsNotNull | Sign::Known => self.is_known(left, place.end, true),
            sign => {
                let op = operator(sign).unwrap_or(BinaryOp::Eq);
                if turned.is_some() {
                    self.split_operator(place.clone(), op);
                }
                self.relation(left, op, place)
            }
        }
    }

    /// A comparison behind a comparison: `a is null = b`.
    pub(super) fn comparison_of_comparison(&mut self, left: Tree, sign: Sign) -> Tree {
        let range = self.range();
        let before = self.slice(&left.expr.range);
        self.report(
            SyntaxError::new(
                &code::CHAINED_COMPARISON,
                range,
                "比较的结果不能直接再比较",
                "the outcome of a comparison cannot be compared again",
            )
            .help(format!("先加括号: ({before}) …"), format!("use parentheses: `({before}) …`")),
        );
        self.comparison(left, sign)
    }

    fn relation(&mut self, left: Tree, op: BinaryOp, place: Range<usize>) -> Tree {
        let op = self.whole_operator(op, place);
        let right = self.expression(SUM);
        if self.sign().and_then(operator).is_some() { self.chain(left, op, right) } else { self.related(left, op, right) }
    }

    /// An operator whose two halves stand apart: `> =`.
    fn whole_operator(&mut self, first: BinaryOp, place: Range<usize>) -> BinaryOp {
        let Some(second) = self.sign().and_then(operator) else { return first };
        let range = place.start..self.range().end;
        if let Some(op) = joined(first, second) {
            self.advance();
            self.split_operator(range, op);
            return op;
        }
        self.unexpected("一个值", "a value");
        self.advance();
        first
    }

    fn split_operator(&mut self, range: Range<usize>, op: BinaryOp) {
        let (given, op) = (self.slice(&range), written(op));
        self.report(
            SyntaxError::syntax(range, format!("没有运算符“{given}”"), format!("there is no operator `{given}`"))
                .help(format!("写成 {op}"), format!("write `{op}`")),
        );
    }

    fn related(&mut self, left: Tree, op: BinaryOp, right: Tree) -> Tree {
        let null = ExprKind::Literal(Literal::Null);
        if left.expr.kind != null && right.expr.kind != null {
            return self.binary(left, op, right);
        }
        let range = left.expr.range.start..right.expr.range.end;
        let value = if right.expr.kind == null { left } else { right };
        let (text, known) = (self.slice(&value.expr.range), op == BinaryOp::NotEq);
        let (zh, en) = if known { ("不为空", "is not null") } else { ("为空", "is null") };
        self.compared_with_null(range.clone(), &format!("{text} {zh}"), &format!("{text} {en}"));
        self.broken |= !matches!(op, BinaryOp::Eq | BinaryOp::NotEq);
        self.is_known(value, range.end, known)
    }

    fn compared_with_null(&mut self, range: Range<usize>, zh: &str, en: &str) {
        self.report(
            SyntaxError::new(&code::COMPARE_WITH_NULL, range, "与空值比较, 结果总是未知", "a comparison with null is always unknown")
                .help(format!("写成 {en}, 或“{zh}”"), format!("write `{en}`")),
        );
    }

    /// `a < b < c`, of any length, told once and read as `a < b and b < c`.
    fn chain(&mut self, first: Tree, op: BinaryOp, second: Tree) -> Tree {
        let mut operands = vec![first, second];
        let mut ops = vec![op];
        while let Some(next) = self.sign().and_then(operator) {
            let place = self.advance();
            ops.push(self.whole_operator(next, place));
            operands.push(self.expression(SUM));
        }
        let places: Vec<_> = operands.iter().map(|operand| operand.expr.range.clone()).collect();
        let pairs: Vec<_> = places.windows(2).map(|pair| self.slice(&(pair[0].start..pair[1].end.max(pair[0].start)))).collect();
        let written = pairs.join(" and ");
        let range = places[0].start..places[places.len() - 1].end;
        self.report(
            SyntaxError::new(&code::CHAINED_COMPARISON, range, "比较不能连写", "comparisons cannot be chained")
                .help(format!("写成 {written}"), format!("write `{written}`")),
        );
        let mut whole: Option<Tree> = None;
        for (pair, op) in operands.windows(2).zip(ops) {
            let related = self.related(pair[0].clone(), op, pair[1].clone());
            whole = Some(match whole {
                Some(before) => self.binary(before, BinaryOp::And, related),
                None => related,
            });
        }
        whole.unwrap_or_else(|| self.nothing())
    }

    fn is_known(&mut self, value: Tree, end: usize, known: bool) -> Tree {
        let range = value.expr.range.start..end;
        self.tree(range, value.levels, ExprKind::IsKnown { value: Box::new(value.expr), known })
    }

    fn is(&mut self, value: Tree) -> Tree {
        let not = self.eat(Sign::Not).is_some();
        let known = match self.sign() {
            Some(Sign::Null | Sign::Unknown) => not,
            Some(Sign::Known) => !not,
            _ => {
                let text = self.slice(&value.expr.range);
                let other = matches!(self.kind(), Kind::Literal(_) | Kind::Name(_)).then(|| self.slice(&self.range()));
                self.unexpected("null、known 或 unknown", "`null`, `known` or `unknown`");
                if let Some(other) = other {
                    let op = if not { "!=" } else { "=" };
                    self.add_help(format!("相等写成 {text} {op} {other}"), format!("equality is written `{text} {op} {other}`"));
                }
                if self.kind().begins_value() {
                    self.expression(SUM);
                }
                return value;
            }
        };
        let end = self.advance().end;
        self.is_known(value, end, known)
    }

    fn like(&mut self, value: Tree, negated: bool) -> Tree {
        let pattern = self.expression(SUM);
        let range = value.expr.range.start..pattern.expr.range.end;
        let levels = value.levels.max(pattern.levels);
        let (value, pattern) = (Box::new(value.expr), Box::new(pattern.expr));
        self.tree(range, levels, ExprKind::Like { value, pattern, negated })
    }

    fn between(&mut self, value: Tree, negated: bool) -> Tree {
        let low = self.expression(SUM);
        let high = if matches!(self.sign(), Some(Sign::And | Sign::To)) {
            self.advance();
            self.expression(SUM)
        } else {
            self.unexpected("“and”或“和”, 后面是范围的另一端", "`and` and the other end of the range");
            if self.eat(Sign::Comma).is_some() || self.kind().begins_value() { self.expression(SUM) } else { self.nothing() }
        };
        let range = value.expr.range.start..high.expr.range.end;
        let levels = value.levels.max(low.levels).max(high.levels);
        let (value, low, high) = (Box::new(value.expr), Box::new(low.expr), Box::new(high.expr));
        self.tree(range, levels, ExprKind::Between { value, low, high, negated })
    }

    fn inclusion(&mut self, value: Tree, negated: bool) -> Tree {
        let start = value.expr.range.start;
        if self.sign() != Some(Sign::LeftParen) {
            let set = self.expression(SUM);
            let range = start..set.expr.range.end;
            let levels = value.levels.max(set.levels);
            let (value, set) = (Box::new(value.expr), Box::new(set.expr));
            return self.tree(range, levels, ExprKind::InSet { value, set, negated });
        }
        let opener = self.advance();
        if self.sign() == Some(Sign::RightParen) {
            self.unexpected("一个值", "a value");
        }
        let items = self.items(&opener);
        for item in items.list.iter().filter(|item| item.kind == ExprKind::Literal(Literal::Null)) {
            let text = self.slice(&value.expr.range);
            self.compared_with_null(item.range.clone(), &format!("{text} 为空"), &format!("{text} is null"));
        }
        let levels = value.levels.max(items.levels);
        let value = Box::new(value.expr);
        self.tree(start..items.end, levels, ExprKind::InList { value, list: items.list, negated })
    }

    /// 与, 和 or 至 where no range is being written.
    pub(super) fn range_word_elsewhere(&mut self, place: Range<usize>) {
        let word = self.slice(&place);
        self.report(
            SyntaxError::syntax(
                place,
                format!("“{word}”只用在“介于”的两端之间"),
                format!("`{word}` only stands between the two ends of a range"),
            )
            .help("两个条件都要满足, 写“且”", "write `and` to ask for both"),
        );
    }
}
