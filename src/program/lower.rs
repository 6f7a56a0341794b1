//! From the bound checked form to the graph: booleans, texts, and the way to the lanes of numbers and dates.

use std::sync::Arc;

use super::error::CompileError;
use super::fraction::Fraction;
use super::node::{Edge, Graph, LaneNode, TextId, TextNode, TextTest};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Schema, Ty, Value};

/// Lowers expressions one after the other into one graph.
pub(super) struct Lowering<'a> {
    schema: &'a Schema,
    pub(super) graph: Graph,
    /// Index of the expression that is being lowered, for errors.
    pub(super) root: usize,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        Self { schema, graph: Graph::new(), root: 0 }
    }

    /// Lowers a boolean expression.
    pub(super) fn boolean(&mut self, expr: &Expr) -> Result<Edge, CompileError> {
        Ok(match &expr.kind {
            Kind::Literal(Value::Bool(true)) => Edge::YES,
            Kind::Literal(Value::Bool(false)) => Edge::NO,
            Kind::Unknown => Edge::UNKNOWN,
            Kind::Fact(fact) => {
                self.check_fact(*fact, Ty::Bool)?;
                self.graph.bool_fact(*fact)
            }
            Kind::TextIn { value, set } => {
                let text = self.text(value)?;
                self.graph.text_test(text, TextTest::In(Arc::clone(set)))
            }
            Kind::Like { value, pattern } => {
                let text = self.text(value)?;
                self.graph.text_test(text, TextTest::Like(Arc::clone(pattern)))
            }
            Kind::Not(inner) => self.boolean(inner)?.negate(),
            Kind::And(items) => {
                let edges = self.booleans(items)?;
                self.graph.and(edges)
            }
            Kind::Or(items) => {
                let edges = self.booleans(items)?;
                self.graph.or(edges)
            }
            Kind::AtLeast(count, items) => {
                let edges = self.booleans(items)?;
                self.graph.at_least(*count, edges)
            }
            Kind::Compare(op, left, right) => self.comparison(*op, left, right)?,
            Kind::IsKnown(inner) => self.is_known(inner)?,
            Kind::Case { branches, otherwise } => {
                let mut result = otherwise.as_deref().map_or(Ok(Edge::UNKNOWN), |otherwise| self.boolean(otherwise))?;
                for (when, then) in branches.iter().rev() {
                    let (when, then) = (self.boolean(when)?, self.boolean(then)?);
                    result = self.graph.select(when, then, result);
                }
                result
            }
            Kind::Call(Function::Coalesce, items) => {
                let mut result = Edge::UNKNOWN;
                for item in items.iter().rev() {
                    let item = self.boolean(item)?;
                    let known = self.graph.bool_known(item);
                    result = self.graph.select(known, item, result);
                }
                result
            }
            _ => return Err(self.refuse(expr, "yes or no")),
        })
    }

    fn booleans(&mut self, items: &[Expr]) -> Result<Vec<Edge>, CompileError> {
        items.iter().map(|item| self.boolean(item)).collect()
    }

    fn comparison(&mut self, op: CompareOp, left: &Expr, right: &Expr) -> Result<Edge, CompileError> {
        let equal = match left.ty {
            Ty::Number | Ty::Date => {
                let (left, right) = (self.fraction(left)?, self.fraction(right)?);
                return self.compare(op, left, right);
            }
            Ty::Bool => {
                let (left, right) = (self.boolean(left)?, self.boolean(right)?);
                self.graph.same(left, right)
            }
            Ty::Text => {
                let (left, right) = (self.text(left)?, self.text(right)?);
                self.graph.text_same(left, right)
            }
        };
        match op {
            CompareOp::Eq => Ok(equal),
            CompareOp::NotEq => Ok(equal.negate()),
            _ => Err(self.wrong("texts and booleans have no order")),
        }
    }

    fn is_known(&mut self, inner: &Expr) -> Result<Edge, CompileError> {
        Ok(match inner.ty {
            Ty::Bool => {
                let edge = self.boolean(inner)?;
                self.graph.bool_known(edge)
            }
            Ty::Number | Ty::Date => {
                let fraction = self.fraction(inner)?;
                self.graph.lane_known(fraction.num)
            }
            Ty::Text => {
                let text = self.text(inner)?;
                self.graph.text_known(text)
            }
        })
    }

    /// Lowers a text expression.
    pub(super) fn text(&mut self, expr: &Expr) -> Result<TextId, CompileError> {
        let node = match &expr.kind {
            Kind::Literal(Value::Text(text)) => TextNode::Constant(Arc::clone(text)),
            Kind::Unknown => TextNode::Unknown,
            Kind::Fact(fact) => {
                self.check_fact(*fact, Ty::Text)?;
                TextNode::Fact(*fact)
            }
            Kind::Case { branches, otherwise } => {
                let mut result = match otherwise {
                    Some(otherwise) => self.text(otherwise)?,
                    None => self.graph.text(TextNode::Unknown),
                };
                for (when, then) in branches.iter().rev() {
                    let (when, then) = (self.boolean(when)?, self.text(then)?);
                    result = self.graph.text(TextNode::Select(when, then, result));
                }
                return Ok(result);
            }
            Kind::Call(Function::Coalesce, items) => {
                let mut result = self.graph.text(TextNode::Unknown);
                for item in items.iter().rev() {
                    let item = self.text(item)?;
                    let known = self.graph.text_known(item);
                    result = self.graph.text(TextNode::Select(known, item, result));
                }
                return Ok(result);
            }
            _ => return Err(self.refuse(expr, "a text")),
        };
        Ok(self.graph.text(node))
    }

    /// Lowers a number or a date.
    pub(super) fn fraction(&mut self, expr: &Expr) -> Result<Fraction, CompileError> {
        match &expr.kind {
            Kind::Literal(Value::Number(number)) => self.literal(*number),
            Kind::Literal(Value::Date(day)) => Ok(self.constant(i64::from(*day), 0)),
            Kind::Unknown => Ok(self.unknown()),
            Kind::Fact(fact) => {
                self.check_fact(*fact, expr.ty)?;
                let scale = if expr.ty == Ty::Number { self.schema.columns[*fact].scale } else { 0 };
                let num = self.graph.lane(LaneNode::Fact(*fact));
                self.scaled(num, i32::from(scale))
            }
            Kind::TextMap { value, map } => self.text_map(value, map),
            Kind::Arith(op, left, right) => {
                let (left, right) = (self.fraction(left)?, self.fraction(right)?);
                match op {
                    ArithOp::Add => self.add(left, right, 1),
                    ArithOp::Sub => self.add(left, right, -1),
                    ArithOp::Mul => self.multiply(left, right),
                    ArithOp::Div => self.divide(left, right),
                }
            }
            Kind::Negate(inner) => {
                let (inner, minus_one) = (self.fraction(inner)?, self.constant(-1, 0));
                self.multiply(inner, minus_one)
            }
            Kind::Case { branches, otherwise } => {
                let mut result = match otherwise {
                    Some(otherwise) => self.fraction(otherwise)?,
                    None => self.unknown(),
                };
                for (when, then) in branches.iter().rev() {
                    let (when, then) = (self.boolean(when)?, self.fraction(then)?);
                    result = self.choose(when, then, result)?;
                }
                Ok(result)
            }
            Kind::Call(function, arguments) => self.call(*function, arguments, expr),
            _ => Err(self.refuse(expr, "a number or a date")),
        }
    }

    fn text_map(&mut self, value: &Expr, map: &[(Arc<str>, Number)]) -> Result<Fraction, CompileError> {
        let text = self.text(value)?;
        let scale = map.iter().map(|(_, number)| number.scale).max().unwrap_or(0);
        let too_large = CompileError::TooLarge { root: self.root };
        let aligned =
            |number: &Number| 10_i64.checked_pow(u32::from(scale - number.scale)).and_then(|factor| number.digits.checked_mul(factor));
        let digits: Option<Vec<(Arc<str>, i64)>> = map.iter().map(|(key, number)| Some((Arc::clone(key), aligned(number)?))).collect();
        let digits = digits.ok_or(too_large)?;
        let node = match self.graph.text_node(text) {
            TextNode::Unknown => LaneNode::Unknown,
            TextNode::Constant(key) => digits
                .binary_search_by(|entry| entry.0.cmp(key))
                .map_or(LaneNode::Unknown, |position| LaneNode::Constant(digits[position].1)),
            _ => LaneNode::TextMap { text, digits: digits.into() },
        };
        let num = self.graph.lane(node);
        self.scaled(num, i32::from(scale))
    }

    fn check_fact(&self, fact: usize, ty: Ty) -> Result<(), CompileError> {
        match self.schema.columns.get(fact) {
            None => Err(CompileError::NoSuchFact { root: self.root, fact }),
            Some(column) if column.ty != ty => Err(self.wrong(&format!("fact `{}` is {:?}, not {ty:?}", column.name, column.ty))),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn wrong(&self, message: &str) -> CompileError {
        CompileError::Type { root: self.root, message: message.to_owned() }
    }

    fn refuse(&self, expr: &Expr, wanted: &str) -> CompileError {
        match &expr.kind {
            Kind::AsOf | Kind::Parameter { .. } | Kind::InRegion { .. } | Kind::Entitled(_) => CompileError::NotBound { root: self.root },
            _ => self.wrong(&format!("expected {wanted}, found {:?}", expr.ty)),
        }
    }
}
