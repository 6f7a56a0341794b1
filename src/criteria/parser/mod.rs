//! Tokens to a syntax tree: precedence climbing that goes on after an error, so that all errors of a text are told.

use std::ops::Range;

use super::ast::{BinaryOp, Expr, ExprKind};
use super::error::SyntaxError;
use super::lexer::lex;
use super::token::{Kind, Sign, Token};

mod comparison;
mod operand;
#[cfg(test)]
mod pages;
mod recovery;
#[cfg(test)]
mod tests;

/// How deep a tree may be; readers of trees recurse.
const MOST_LEVELS: u32 = 200;
/// More errors of one text than anybody reads.
const MOST_ERRORS: usize = 20;

// Binding strengths, weakest first.
const ANY: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;
const UNARY: u8 = 7;

/// Reads a text; with `tails`, every call may carry `where` and `by`.
pub(super) fn parse(text: &str, tails: bool) -> (Option<Expr>, Vec<SyntaxError>) {
    let (tokens, errors) = lex(text);
    let mut parser = Parser { text, tokens, tails, at: 0, nesting: 0, lists: 0, errors, broken: false, stopped: false };
    let tree = parser.whole();
    let mut errors = parser.errors;
    errors.sort_by_key(|error| error.range.start);
    errors.truncate(MOST_ERRORS);
    ((!parser.broken).then_some(tree.expr), errors)
}

/// An expression with the number of its levels.
#[derive(Clone)]
struct Tree {
    expr: Expr,
    levels: u32,
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    tails: bool,
    at: usize,
    nesting: u32,
    /// Inside how many lists of items: there, `by` belongs to the list.
    lists: u32,
    errors: Vec<SyntaxError>,
    /// A part is missing: the tree does not say what the author meant.
    broken: bool,
    /// Given up: nothing more is told.
    stopped: bool,
}

impl<'t> Parser<'t> {
    fn kind(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn range(&self) -> Range<usize> {
        self.tokens[self.at].range.clone()
    }

    fn sign(&self) -> Option<Sign> {
        self.sign_ahead(0)
    }

    fn sign_ahead(&self, ahead: usize) -> Option<Sign> {
        match self.tokens.get(self.at + ahead)?.kind {
            Kind::Sign(sign) => Some(sign),
            _ => None,
        }
    }

    fn finished(&self) -> bool {
        *self.kind() == Kind::Finish
    }

    fn advance(&mut self) -> Range<usize> {
        let range = self.range();
        if !self.finished() {
            self.at += 1;
        }
        range
    }

    fn eat(&mut self, sign: Sign) -> Option<Range<usize>> {
        (self.sign() == Some(sign)).then(|| self.advance())
    }

    fn slice(&self, range: &Range<usize>) -> &'t str {
        &self.text[range.clone()]
    }

    fn report(&mut self, error: SyntaxError) {
        if !self.stopped {
            self.errors.push(error);
        }
    }

    fn whole(&mut self) -> Tree {
        if self.finished() {
            self.broken = true;
            if self.errors.is_empty() {
                self.report(
                    SyntaxError::syntax(0..self.text.len(), "这里是空的", "the text is empty")
                        .help("写一个条件, 如 age >= 60", "write a condition such as `age >= 60`"),
                );
            }
            return self.nothing();
        }
        let tree = self.expression(ANY);
        while !self.finished() {
            self.left_over();
        }
        tree
    }

    /// An expression whose operators bind at least as strongly as `weakest`.
    fn expression(&mut self, weakest: u8) -> Tree {
        self.nesting += 1;
        let tree = if self.nesting > MOST_LEVELS { self.too_deep() } else { self.climb(weakest) };
        self.nesting -= 1;
        tree
    }

    fn climb(&mut self, weakest: u8) -> Tree {
        let mut left = self.prefix(weakest);
        let mut compared = false;
        while let Some(sign) = self.sign() {
            let Some(strength) = strength(sign).filter(|strength| *strength >= weakest) else { break };
            if sign == Sign::Not && self.negated().is_none() {
                break;
            }
            left = match arithmetic_or_logic(sign) {
                Some(op) => {
                    let place = self.advance();
                    if sign == Sign::To {
                        self.range_word_elsewhere(place);
                    }
                    let right = self.expression(strength + 1);
                    compared = false;
                    self.binary(left, op, right)
                }
                None if compared => self.comparison_of_comparison(left, sign),
                None => {
                    compared = true;
                    self.comparison(left, sign)
                }
            };
        }
        left
    }

    /// `not x` here, everything else in `operand`.
    fn prefix(&mut self, weakest: u8) -> Tree {
        while *self.kind() == Kind::Bad {
            self.broken = true;
            self.advance();
        }
        match self.sign() {
            Some(Sign::Not) => {
                let start = self.advance();
                if weakest > NOT {
                    let written = self.slice(&start);
                    self.report(
                        SyntaxError::syntax(
                            start.clone(),
                            format!("“{written}”在这里要用括号括起来"),
                            format!("`{written}` needs parentheses here"),
                        )
                        .help("写成 (not …)", "write `(not …)`"),
                    );
                }
                let operand = self.expression(NOT);
                let range = start.start..operand.expr.range.end;
                self.tree(range, operand.levels, ExprKind::Not(Box::new(operand.expr)))
            }
            Some(Sign::Minus) => {
                let start = self.advance();
                let operand = self.expression(UNARY);
                let range = start.start..operand.expr.range.end;
                self.tree(range, operand.levels, ExprKind::Negate(Box::new(operand.expr)))
            }
            _ => self.operand(),
        }
    }

    /// A node above parts of `levels` levels.
    fn tree(&mut self, range: Range<usize>, levels: u32, kind: ExprKind) -> Tree {
        if levels >= MOST_LEVELS {
            return self.too_deep();
        }
        Tree { expr: Expr { kind, range }, levels: levels + 1 }
    }

    fn binary(&mut self, left: Tree, op: BinaryOp, right: Tree) -> Tree {
        let range = left.expr.range.start..right.expr.range.end.max(left.expr.range.end);
        let levels = left.levels.max(right.levels);
        self.tree(range, levels, ExprKind::Binary(Box::new(left.expr), op, Box::new(right.expr)))
    }
}

/// How strongly an operator between or behind values binds; none for other signs.
fn strength(sign: Sign) -> Option<u8> {
    Some(match sign {
        Sign::Or => OR,
        Sign::And | Sign::To => AND,
        Sign::Not
        | Sign::In
        | Sign::NotIn
        | Sign::Between
        | Sign::NotBetween
        | Sign::Like
        | Sign::NotLike
        | Sign::Is
        | Sign::IsNull
        | Sign::IsNotNull
        | Sign::Known
        | Sign::Unknown => COMPARISON,
        Sign::Plus | Sign::Minus => SUM,
        Sign::Star | Sign::Slash => PRODUCT,
        _ if comparison::operator(sign).is_some() => COMPARISON,
        _ => return None,
    })
}

/// The operator of two sides that a sign is, comparisons aside.
fn arithmetic_or_logic(sign: Sign) -> Option<BinaryOp> {
    Some(match sign {
        Sign::Or => BinaryOp::Or,
        Sign::And | Sign::To => BinaryOp::And,
        Sign::Plus => BinaryOp::Add,
        Sign::Minus => BinaryOp::Sub,
        Sign::Star => BinaryOp::Mul,
        Sign::Slash => BinaryOp::Div,
        _ => return None,
    })
}
