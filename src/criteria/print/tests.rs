//! Canonical texts, and that they read back.

use proptest::prelude::*;

use super::*;
use crate::criteria::{parse, parse_aggregate};

#[track_caller]
fn check(input: &str, expect_en: &str, expect_zh: &str) {
    let (tree, errors) = parse_aggregate(input);
    assert_eq!(errors, [], "{input}");
    let tree = tree.expect("a text without errors has a tree");
    assert_eq!(print(&tree), expect_en);
    assert_eq!(print_in(&tree, Lang::Zh), expect_zh);
}

#[test]
fn in_both_languages() {
    check("age>=60 and not dead", "age >= 60 and not dead", "年龄 >= 60 且 非 dead");
    check("x not in (1,2)", "x not in (1, 2)", "x 不属于 (1, 2)");
    check("x between 1 and 2", "x between 1 and 2", "x 介于 1 和 2");
    check("x is not null", "x is known", "x 已知");
    check("case when a then true else b end", "case when a then true else b end", "情形 当 a 则 是 否则 b 结束");
    check("sum(b by c) where d", "sum(b by c) where d", "合计(b 按 c) 其中 d");
    check("m.count(x) * 2 - -3", "m.count(x) * 2 - -3", "m.计数(x) * 2 - -3");
}

#[test]
fn exact_numbers() {
    check("0.05%", "0.0005", "0.0005");
    check("100%", "1.00", "1.00");
    check("12.50", "12.50", "12.50");
}

/// The tree with every range empty.
fn without_places(mut expr: Expr) -> Expr {
    clear(&mut expr);
    expr
}

fn clear(expr: &mut Expr) {
    expr.range = 0..0;
    match &mut expr.kind {
        ExprKind::Literal(_) => {}
        ExprKind::Name(path) => path.iter_mut().for_each(|ident| ident.range = 0..0),
        ExprKind::Call(call) => {
            call.path.iter_mut().for_each(|ident| ident.range = 0..0);
            call.args.iter_mut().chain(call.by.as_deref_mut()).chain(call.filter.as_deref_mut()).for_each(clear);
        }
        ExprKind::Not(operand) | ExprKind::Negate(operand) => clear(operand),
        ExprKind::Binary(left, _, right) => [left, right].into_iter().for_each(|part| clear(part)),
        ExprKind::InList { value, list, .. } => {
            clear(value);
            list.iter_mut().for_each(clear);
        }
        ExprKind::InSet { value, set, .. } => [value, set].into_iter().for_each(|part| clear(part)),
        ExprKind::Between { value, low, high, .. } => [value, low, high].into_iter().for_each(|part| clear(part)),
        ExprKind::IsKnown { value, .. } => clear(value),
        ExprKind::Like { value, pattern, .. } => [value, pattern].into_iter().for_each(|part| clear(part)),
        ExprKind::Case { branches, otherwise } => {
            for (condition, value) in branches {
                clear(condition);
                clear(value);
            }
            if let Some(otherwise) = otherwise {
                clear(otherwise);
            }
        }
    }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, range: 0..0 }
}

fn path(names: &[&str]) -> Vec<Ident> {
    names.iter().map(|name| Ident { name: (*name).to_owned(), range: 0..0 }).collect()
}

fn literal() -> impl Strategy<Value = Expr> {
    let days = || -719_528..2_932_896_i32;
    let first = |days: i32| date(days).and_then(|date| date.with_day(1)).map_or(0, |date| date.to_epoch_days());
    prop_oneof![
        any::<bool>().prop_map(Literal::Bool),
        (0..=i64::MAX, 0..=15_u8).prop_map(|(digits, scale)| Literal::Number { digits, scale }),
        days().prop_map(Literal::Date),
        days().prop_map(move |days| Literal::Month(first(days))),
        "[^\r\n]{0,8}".prop_map(Literal::Text),
    ]
    .prop_map(|literal| expr(ExprKind::Literal(literal)))
}

fn leaf() -> impl Strategy<Value = Expr> {
    let names: Vec<&[&str]> = vec![&["a"], &["age"], &["as_of"], &["户籍"], &["household", "income"], &["or_x"], &["近12个月"]];
    prop_oneof![literal(), prop::sample::select(names).prop_map(|names| expr(ExprKind::Name(path(names))))]
}

fn binary_op() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::{Add, And, Div, Eq, Gt, GtEq, Lt, LtEq, Mul, NotEq, Or, Sub};
    prop::sample::select(vec![Or, And, Eq, NotEq, Lt, LtEq, Gt, GtEq, Add, Sub, Mul, Div])
}

fn call(part: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let names: Vec<&[&str]> = vec![&["min"], &["members", "count"], &["region"], &["f"]];
    let optional = || prop::option::of(part.clone());
    (prop::sample::select(names), prop::collection::vec(part.clone(), 0..3), optional(), optional()).prop_map(
        |(names, args, by, filter)| {
            let by = by.filter(|_| !args.is_empty()).map(Box::new);
            expr(ExprKind::Call(Call { path: path(names), args, by, filter: filter.map(Box::new) }))
        },
    )
}

fn tree() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(6, 40, 4, |part| {
        let boxed = || part.clone().prop_map(Box::new);
        let set = call(leaf().boxed()).prop_filter("parentheses would make a list of it", |set| strength(&set.kind) > 4);
        prop_oneof![
            boxed().prop_map(|operand| expr(ExprKind::Not(operand))),
            boxed().prop_map(|operand| expr(ExprKind::Negate(operand))),
            (boxed(), binary_op(), boxed()).prop_map(|(left, op, right)| expr(ExprKind::Binary(left, op, right))),
            (boxed(), prop::collection::vec(part.clone(), 1..4), any::<bool>()).prop_map(|(value, list, negated)| expr(ExprKind::InList {
                value,
                list,
                negated
            })),
            (boxed(), set.prop_map(Box::new), any::<bool>()).prop_map(|(value, set, negated)| expr(ExprKind::InSet {
                value,
                set,
                negated
            })),
            (boxed(), boxed(), boxed(), any::<bool>()).prop_map(|(value, low, high, negated)| expr(ExprKind::Between {
                value,
                low,
                high,
                negated
            })),
            (boxed(), any::<bool>()).prop_map(|(value, known)| expr(ExprKind::IsKnown { value, known })),
            (boxed(), boxed(), any::<bool>()).prop_map(|(value, pattern, negated)| expr(ExprKind::Like { value, pattern, negated })),
            (prop::collection::vec((part.clone(), part.clone()), 1..3), prop::option::of(boxed()))
                .prop_map(|(branches, otherwise)| expr(ExprKind::Case { branches, otherwise })),
            call(part.clone().boxed()),
        ]
    })
}

proptest! {
    #[test]
    fn a_tree_reads_back(tree in tree()) {
        for lang in [Lang::En, Lang::Zh] {
            let text = print_in(&tree, lang);
            let (again, errors) = parse_aggregate(&text);
            prop_assert_eq!(errors, [], "{}", text);
            prop_assert_eq!(again.map(without_places), Some(tree.clone()), "{}", text);
        }
    }

    #[test]
    fn printing_is_settled_after_once(tree in tree()) {
        let once = print(&tree);
        let (again, _) = parse_aggregate(&once);
        prop_assert_eq!(again.as_ref().map(print), Some(once));
    }
}

#[test]
fn places_are_those_of_the_text() {
    let text = "（年龄 ≥ 60）且 b";
    let tree = parse(text).0.expect("a sound text");
    let ExprKind::Binary(left, BinaryOp::And, right) = tree.kind else { panic!("not an `and`") };
    assert_eq!((&text[left.range], &text[right.range]), ("（年龄 ≥ 60）", "b"));
}
