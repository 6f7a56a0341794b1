//! What can be and what cannot, over all values that conditions tell apart.

use std::sync::Arc;

use super::{Question, YES, not, verdict};
use crate::check::catalogue::{Catalogue, Definition, Fact};
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};
use crate::check::typing::Type;
use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;

const PERSON: SubjectKind = SubjectKind::Person;

/// Facts: 0 a whole number, 1 money, 2 yes or no, 3 a code `a`, `b` or `c`, 4 and 5 dates.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let codes = ["a", "b", "c"].map(|code| (code.to_owned(), Message::new(code, code)));
    let types = [
        Type::plain(Ty::Number),
        Type { scale: 2, ..Type::plain(Ty::Number) },
        Type::plain(Ty::Bool),
        Type { codes: Some(Arc::new(codes.into())), ..Type::plain(Ty::Text) },
        Type::plain(Ty::Date),
        Type::plain(Ty::Date),
    ];
    for (index, ty) in types.into_iter().enumerate() {
        let name: Arc<str> = format!("fact{index}").into();
        let label = Message::new(&*name, &*name);
        catalogue.add(PERSON, Fact { name, label, ty, unit: None, definition: Definition::Given, changeable: false, place: None });
    }
    catalogue
}

fn fact(index: usize, ty: Ty) -> Expr {
    Expr::new(Kind::Fact(index), ty)
}

fn number(digits: i64, scale: u8) -> Expr {
    Expr::new(Kind::Literal(Value::Number(Number { digits, scale })), Ty::Number)
}

fn compare(left: Expr, op: CompareOp, right: Expr) -> Expr {
    Expr::new(Kind::Compare(op, Box::new(left), Box::new(right)), Ty::Bool)
}

fn whole(op: CompareOp, value: i64) -> Expr {
    compare(fact(0, Ty::Number), op, number(value, 0))
}

fn one_of(texts: &[&str]) -> Expr {
    let set = texts.iter().map(|text| (*text).into()).collect::<Vec<Arc<str>>>().into();
    Expr::new(Kind::TextIn { value: Box::new(fact(3, Ty::Text)), set }, Ty::Bool)
}

fn all(items: &[Expr]) -> Expr {
    Expr::new(Kind::And(items.to_vec()), Ty::Bool)
}

#[track_caller]
fn check_differ(left: &Expr, right: &Expr, expected: bool) {
    let conditions = [left.clone(), right.clone()];
    assert_eq!(Question::new(&catalogue(), PERSON, &conditions, &[]).can_differ(0, 1, (0, 1)), Some(expected));
}

#[track_caller]
fn check_together(conditions: &[Expr], expected: bool) {
    let wanted: Vec<(usize, u8)> = (0..conditions.len()).map(|index| (index, YES)).collect();
    assert_eq!(Question::new(&catalogue(), PERSON, conditions, &[]).can_be(&wanted), Some(expected));
}

#[test]
fn thresholds_are_told_apart_by_the_smallest_step() {
    check_differ(&whole(CompareOp::GtEq, 60), &whole(CompareOp::Gt, 59), false);
    check_differ(&whole(CompareOp::GtEq, 60), &whole(CompareOp::Gt, 60), true);
    let money = |op, digits| compare(fact(1, Ty::Number), op, number(digits, 2));
    check_differ(&money(CompareOp::GtEq, 6000), &money(CompareOp::Gt, 5999), false);
    check_differ(&money(CompareOp::GtEq, 6000), &money(CompareOp::Gt, 5998), true);
    check_together(&[whole(CompareOp::Gt, 59), whole(CompareOp::Lt, 60)], false);
    check_together(&[money(CompareOp::Gt, 5900), money(CompareOp::Lt, 6000)], true);
}

#[test]
fn sums_are_compared_in_one_form() {
    let year = |index| Expr::new(Kind::Call(Function::Year, vec![fact(index, Ty::Date)]), Ty::Number);
    let arith = |op, left, right| Expr::new(Kind::Arith(op, Box::new(left), Box::new(right)), Ty::Number);
    let plus = compare(year(4), CompareOp::Lt, arith(ArithOp::Add, year(5), number(3, 0)));
    let minus = compare(arith(ArithOp::Sub, year(4), year(5)), CompareOp::LtEq, number(2, 0));
    let turned = compare(number(-2, 0), CompareOp::LtEq, arith(ArithOp::Sub, year(5), year(4)));
    check_differ(&plus, &minus, false);
    check_differ(&plus, &turned, false);
    check_differ(&minus, &compare(arith(ArithOp::Sub, year(4), year(5)), CompareOp::Lt, number(2, 0)), true);
}

#[test]
fn code_lists_are_closed() {
    check_differ(&one_of(&["a", "b"]), &not(&one_of(&["c"])), false);
    check_differ(&one_of(&["a", "b"]), &one_of(&["a"]), true);
    check_together(&[not(&one_of(&["a"])), not(&one_of(&["b"])), not(&one_of(&["c"]))], false);
}

#[test]
fn unknown_is_a_value_of_its_own() {
    let truth = fact(2, Ty::Bool);
    // `x or not x` is no certainty: x may be unknown.
    let either = Expr::new(Kind::Or(vec![truth.clone(), not(&truth)]), Ty::Bool);
    check_differ(&either, &Expr::boolean(true), true);
    check_together(&[truth.clone(), not(&truth)], false);
    // A guard beside what it guards: `all [a, a or b]` is `a`.
    let guarded = all(&[truth.clone(), Expr::new(Kind::Or(vec![truth.clone(), one_of(&["a"])]), Ty::Bool)]);
    check_differ(&guarded, &truth, false);
}

#[test]
fn amounts_differ_only_where_somebody_is_owed_them() {
    let amount = |limit: i64| {
        let branches = vec![(whole(CompareOp::Lt, limit), number(100, 0))];
        Some(Expr::new(Kind::Case { branches, otherwise: Some(Box::new(number(200, 0))) }, Ty::Number))
    };
    let differ = |least: i64, first: i64, second: i64| {
        let condition = verdict(&Expr::boolean(true), &whole(CompareOp::GtEq, least));
        Question::new(&catalogue(), PERSON, &[condition], &[amount(first), amount(second)]).amounts_can_differ(0)
    };
    assert_eq!(differ(80, 90, 91), Some(true));
    assert_eq!(differ(80, 60, 70), Some(false));
}
