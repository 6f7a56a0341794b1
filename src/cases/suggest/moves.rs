//! Changes of one subject that may touch a boundary: one fact set to each value on which something turns.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use super::Row;
use crate::cases::book::Book;
use crate::cases::coverage::{Goal, Target, Want};
use crate::cases::probe::{Probe, Sides, shifted};
use crate::cases::sites::{self, Part};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::{Expr, Kind, Number, Ty, Value};
use crate::program::dates;

/// The furthest days that are looked at: 1900 to 2100.
const DAYS: (i64, i64) = (-25_567, 47_846);

/// The greatest number that is looked at, as a power of two: of money, some thousand million.
const POWERS: u32 = 37;

/// Rows that may touch a boundary, nearest to the given one first.
#[must_use]
pub fn towards(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, goal: &Goal) -> Vec<Row> {
    match (&goal.target, &goal.want) {
        (Target::Day, Want::On(day)) => vec![Row { day: *day, values: base.values.clone() }],
        (Target::Day, Want::MonthStart) => vec![Row { day: shifted(base.day, 1 - i64::from(base.day.day())), values: base.values.clone() }],
        (Target::Day, _) => {
            vec![Row { day: month_end(base.day), values: base.values.clone() }]
        }
        (Target::Fact(id), Want::Unknown) | (Target::Offer(id), _) => without(book, policy, base, *id),
        (Target::Fact(id), want) => {
            let fact = Expr::new(Kind::Fact(id.index), Ty::Bool);
            let mut rows = with_value(base, *id, Value::Bool(*want == Want::Yes));
            rows.extend(of_condition(book, policy, base, &fact));
            rows
        }
        (Target::Requires(code) | Target::Excludes(code), want) => of_other(book, policy, base, code, want),
        (Target::Cap, _) => match (&policy.amount, &policy.cap) {
            (Some(amount), Some(cap)) => comparison(book, policy, base, amount, cap),
            _ => Vec::new(),
        },
        (Target::Node(site), want) => {
            let root = match site.part {
                Part::Coverage => &policy.coverage,
                Part::Criteria => &policy.criteria,
                Part::Amount => policy.amount.as_ref().unwrap_or(&policy.criteria),
                Part::Cap => policy.cap.as_ref().unwrap_or(&policy.criteria),
            };
            let mut above = vec![root];
            for &child in &site.path {
                let next = above.last().and_then(|expr| expr.children().get(child).copied());
                above.extend(next);
            }
            let Some(node) = above.last() else { return Vec::new() };
            let mut rows = match (&node.kind, want) {
                (Kind::TextIn { value, .. }, Want::Text(text)) => with_text(base, policy, value, text),
                _ => of_condition(book, policy, base, node),
            };
            // Conditions on the way to the node must hold too: one more change.
            let cases: Vec<&Expr> = above.iter().filter(|expr| matches!(expr.kind, Kind::Case { .. })).copied().collect();
            let first = std::mem::take(&mut rows);
            for case in cases {
                for row in std::iter::once(base.clone()).chain(first.iter().take(6).cloned()) {
                    rows.extend(of_condition(book, policy, &row, case));
                }
            }
            first.into_iter().chain(rows).collect()
        }
    }
}

fn month_end(day: NaiveDate) -> NaiveDate {
    let days = dates::month_end(crate::check::bind::days(day));
    days.and_then(NaiveDate::from_epoch_days).unwrap_or(day)
}

/// Every change on which a condition of the policy turns.
#[must_use]
pub fn all(book: &Book<'_>, policy: &CheckedPolicy, base: &Row) -> Vec<Row> {
    let (roots, _) = sites::of(policy);
    roots.iter().filter(|root| root.expr.ty == Ty::Bool).flat_map(|root| of_condition(book, policy, base, root.expr)).collect()
}

fn with_value(base: &Row, id: FactId, value: Value) -> Vec<Row> {
    let mut row = base.clone();
    row.values.insert(id, Some(value));
    vec![row]
}

fn with_text(base: &Row, policy: &CheckedPolicy, value: &Expr, text: &Arc<str>) -> Vec<Row> {
    match value.kind {
        Kind::Fact(index) => with_value(base, FactId { kind: policy.document.subject, index }, Value::Text(Arc::clone(text))),
        _ => Vec::new(),
    }
}

/// Without a fact, and without each fact that it is computed from.
fn without(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, id: FactId) -> Vec<Row> {
    let removed = |ids: &[FactId]| {
        let mut row = base.clone();
        for id in ids {
            row.values.remove(id);
        }
        row
    };
    let mut rows = vec![removed(&[id])];
    let mut bare = base.clone();
    bare.values.remove(&id);
    let parts = Probe::with(book, policy.document.subject, base.day, &bare.values, |probe| {
        let ty = probe.catalogue.fact(id).ty.ty;
        probe.facts(&Expr::new(Kind::Fact(id.index), ty))
    });
    rows.extend(parts.into_iter().map(|index| removed(&[id, FactId { kind: id.kind, index }])));
    rows
}

/// Changes on which the verdict of another policy turns.
fn of_other(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, code: &str, want: &Want) -> Vec<Row> {
    let laws = book.laws(base.day);
    let Some(other) = laws.get(code) else { return Vec::new() };
    if other.document.subject != policy.document.subject {
        // Through a link: the facts of the household as those of its member.
        return base.values.keys().flat_map(|id| turned(book, base, *id, want)).collect();
    }
    let mut rows = Vec::new();
    if *want == Want::Unknown {
        let mut facts = BTreeSet::new();
        other.criteria.for_each_fact(&mut |fact| {
            facts.insert(fact);
        });
        rows.extend(facts.into_iter().flat_map(|index| without(book, policy, base, FactId { kind: policy.document.subject, index })));
    }
    rows.extend(all(book, other, base));
    rows
}

/// A fact turned round, or taken away.
fn turned(book: &Book<'_>, base: &Row, id: FactId, want: &Want) -> Vec<Row> {
    if *want == Want::Unknown {
        let mut row = base.clone();
        row.values.remove(&id);
        return vec![row];
    }
    match base.values.get(&id) {
        Some(Some(Value::Bool(truth))) => with_value(base, id, Value::Bool(!truth)),
        Some(Some(Value::Number(_))) => {
            let scale = book.catalogue().fact(id).ty.scale;
            [0, 1, 100_000_000].into_iter().flat_map(|digits| with_value(base, id, Value::Number(Number { digits, scale }))).collect()
        }
        _ => Vec::new(),
    }
}

/// Every change on which a condition, or a part of it, turns.
fn of_condition(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, expr: &Expr) -> Vec<Row> {
    let kind = policy.document.subject;
    let mut rows = Vec::new();
    match &expr.kind {
        Kind::Compare(_, left, right) if matches!(left.ty, Ty::Number | Ty::Date) => {
            rows.extend(comparison(book, policy, base, left, right));
        }
        Kind::Compare(_, left, right) if left.ty == Ty::Text => {
            for (value, other) in [(left, right), (right, left)] {
                if let Kind::Literal(Value::Text(text)) = &other.kind {
                    rows.extend(with_text(base, policy, value, text));
                    rows.extend(other_texts(book, base, policy, value, std::slice::from_ref(text)));
                }
            }
        }
        Kind::TextIn { value, set } => {
            rows.extend(set.iter().flat_map(|text| with_text(base, policy, value, text)));
            rows.extend(other_texts(book, base, policy, value, set));
        }
        Kind::InRegion { value, region } => {
            rows.extend(with_text(base, policy, value, region));
            let elsewhere = book.regions.regions().filter(|other| other.holds_on(base.day)).map(|other| other.code.as_str());
            let outside = elsewhere.filter(|other| !book.regions.chain(other, base.day).iter().any(|above| **above == **region));
            // One of the same level as the region itself, and as near as there is.
            let nearest = outside.max_by_key(|other| {
                let alike = other.bytes().zip(region.bytes()).take_while(|(one, two)| one == two).count();
                (other.len() == region.len(), alike)
            });
            rows.extend(nearest.into_iter().flat_map(|other| with_text(base, policy, value, &other.into())));
        }
        Kind::Entitled(code) => rows.extend(of_other(book, policy, base, code, &Want::Unknown)),
        Kind::Fact(index) if expr.ty == Ty::Bool => rows.extend(of_truth(book, policy, base, FactId { kind, index: *index })),
        _ => {}
    }
    rows.extend(expr.children().into_iter().flat_map(|child| of_condition(book, policy, base, child)));
    rows
}

/// A yes-or-no fact both ways; where it is computed and not given, by what it is computed from.
fn of_truth(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, id: FactId) -> Vec<Row> {
    if let (Definition::Computed(inner), false) = (&book.catalogue().fact(id).definition, base.values.contains_key(&id)) {
        return of_condition(book, policy, base, inner);
    }
    [true, false].into_iter().flat_map(|truth| with_value(base, id, Value::Bool(truth))).collect()
}

fn other_texts(book: &Book<'_>, base: &Row, policy: &CheckedPolicy, value: &Expr, set: &[Arc<str>]) -> Vec<Row> {
    let Kind::Fact(index) = value.kind else { return Vec::new() };
    let codes = book.catalogue().fact(FactId { kind: policy.document.subject, index }).ty.codes.clone();
    let other = codes.and_then(|codes| codes.keys().find(|code| !set.iter().any(|text| **text == ***code)).cloned());
    other.map_or_else(Vec::new, |other| with_text(base, policy, value, &other.as_str().into()))
}

/// One fact, or the day, set to each value beside which the two sides stand differently.
fn comparison(book: &Book<'_>, policy: &CheckedPolicy, base: &Row, left: &Expr, right: &Expr) -> Vec<Row> {
    let kind = policy.document.subject;
    Probe::with(book, kind, base.day, &base.values, |probe| {
        let sides = probe.sides(left, right);
        let mut rows = Vec::new();
        for index in sides.facts() {
            let id = FactId { kind, index };
            let ty = probe.catalogue.fact(id).ty.clone();
            let value = |number: i64| -> Option<Value> {
                match ty.ty {
                    Ty::Number => Some(Value::Number(Number { digits: number, scale: ty.scale })),
                    Ty::Date if ty.month => dates::month_start(i32::try_from(number).ok()?).map(Value::Date),
                    Ty::Date => Some(Value::Date(i32::try_from(number).ok()?)),
                    _ => None,
                }
            };
            for number in turning_points(probe, &sides, index, ty.ty, &value) {
                rows.extend(value(number).into_iter().flat_map(|value| with_value(base, id, value)));
            }
        }
        rows
    })
}

/// The numbers on both sides of each turn, and those beside them, nearest to the turn first.
fn turning_points(probe: &Probe<'_>, sides: &Sides, fact: usize, ty: Ty, value: &dyn Fn(i64) -> Option<Value>) -> Vec<i64> {
    let order = |number: i64| value(number).map(|value| probe.order_with(sides, fact, &value));
    let grid: Vec<i64> = match ty {
        Ty::Date => (DAYS.0..=DAYS.1).step_by(91).collect(),
        _ => std::iter::once(0).chain((0..=POWERS).map(|power| 1_i64 << power)).collect(),
    };
    let mut found: Vec<i64> = Vec::new();
    for pair in grid.windows(2) {
        let (mut low, mut high) = (pair[0], pair[1]);
        let (below, above): (Option<Option<Ordering>>, _) = (order(low), order(high));
        if below == above {
            continue;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if order(middle) == below { low = middle } else { high = middle }
        }
        // A value on which both sides are the same may be a turn of its own, one further on.
        for number in [low, high, high + 1, low - 1] {
            if !found.contains(&number) && (number >= 0 || ty == Ty::Date) {
                found.push(number);
            }
        }
    }
    found
}
