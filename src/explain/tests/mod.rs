//! Least changes against all changes there are, steps against every single day; rules in plain words.

mod change;
mod rule;
mod steps;

use std::sync::Arc;

use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};

pub(super) fn fact(index: usize, ty: Ty) -> Expr {
    Expr::new(Kind::Fact(index), ty)
}

pub(super) fn whole(value: i64) -> Expr {
    Expr::new(Kind::Literal(Value::Number(Number::whole(value))), Ty::Number)
}

pub(super) fn date(day: i32) -> Expr {
    Expr::new(Kind::Literal(Value::Date(day)), Ty::Date)
}

pub(super) fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    Expr::new(Kind::Compare(op, Box::new(left), Box::new(right)), Ty::Bool)
}

pub(super) fn arith(op: ArithOp, left: Expr, right: Expr) -> Expr {
    Expr::new(Kind::Arith(op, Box::new(left), Box::new(right)), Ty::Number)
}

pub(super) fn call(function: Function, arguments: Vec<Expr>, ty: Ty) -> Expr {
    Expr::new(Kind::Call(function, arguments), ty)
}

pub(super) fn any(items: Vec<Expr>) -> Expr {
    Expr::new(Kind::Or(items), Ty::Bool)
}

pub(super) fn all(items: Vec<Expr>) -> Expr {
    Expr::new(Kind::And(items), Ty::Bool)
}

pub(super) fn text_in(value: Expr, set: &[&str]) -> Expr {
    let mut set: Vec<Arc<str>> = set.iter().map(|text| Arc::from(*text)).collect();
    set.sort();
    set.dedup();
    Expr::new(Kind::TextIn { value: Box::new(value), set: set.into() }, Ty::Bool)
}

pub(super) fn operators() -> impl proptest::strategy::Strategy<Value = CompareOp> {
    use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    proptest::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq])
}
