//! What the reasoning domain of lints proves holds of every row: never is never yes, and no value is left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::check::lints::domain::{Domain, Fraction, Known, Surroundings, TermId, Terms, Values, Worlds};

/// Any fact can have any value of its column.
struct Columns<'a>(&'a Schema);

impl Surroundings for Columns<'_> {
    fn computed(&self, _: usize) -> Option<&Expr> {
        None
    }

    fn fact(&self, fact: usize) -> Option<(Values, Option<u8>)> {
        let column = &self.0.columns[fact];
        Some((Values::anything(column.ty), Some(column.scale)))
    }

    fn as_of(&self) -> Values {
        Values::anything(Ty::Date)
    }

    fn parameter(&self, _: &str, _: bool, _: Option<usize>) -> Values {
        Values::anything(Ty::Number)
    }

    fn parameter_at(&self, _: &str, _: Option<&str>, _: i64) -> Option<Number> {
        None
    }

    fn members(&self, _: &str) -> Option<Arc<BTreeSet<Arc<str>>>> {
        None
    }

    fn lies_in(&self, _: &str, _: &str, _: i64) -> Option<bool> {
        None
    }
}

/// Whether a value of the interpreter is among those that the domain allows.
fn allows(values: &Values, answer: Option<&Answer>) -> bool {
    match (answer, &values.known) {
        (None, _) => values.unknown,
        (Some(Answer::Bool(true)), Known::Bool { yes, .. }) => *yes,
        (Some(Answer::Bool(false)), Known::Bool { no, .. }) => *no,
        (Some(Answer::Number(number)), Known::Range(ranges)) => match Fraction::new(number.num(), number.den()) {
            Some(number) => ranges.holds(number),
            None => true,
        },
        (Some(Answer::Date(day)), Known::Range(ranges)) => ranges.holds(Fraction::whole(i64::from(*day)).expect("small")),
        (Some(Answer::Text(text)), Known::In(set)) => set.contains(text),
        (Some(Answer::Text(text)), Known::NotIn(set)) => !set.contains(text),
        _ => false,
    }
}

/// Every part of an expression with its term.
fn parts(expr: &Expr, terms: &mut Terms, around: &Columns<'_>, found: &mut Vec<(Expr, TermId)>) {
    found.push((expr.clone(), terms.add(expr, around)));
    for child in expr.children() {
        parts(child, terms, around, found);
    }
}

/// Whether rows that meet `roots` exist although the domain says that there are none, or come to what it rules out.
fn sound(schema: &Schema, roots: &[Expr], truths: &[bool], batch: &RecordBatch) -> Result<bool, TestCaseError> {
    let around = Columns(schema);
    let (mut terms, mut found) = (Terms::default(), Vec::new());
    for root in roots {
        parts(root, &mut terms, &around, &mut found);
    }
    let ids: Vec<TermId> = roots.iter().map(|root| terms.add(root, &around)).collect();
    let domain = Domain { terms: &terms, around: &around };
    let mut worlds = Worlds::all();
    for (id, truth) in ids.iter().zip(truths) {
        worlds = domain.assume(&worlds, *id, *truth);
    }
    let rows = batch.num_rows().min(200);
    let columns: Vec<BTreeMap<usize, Option<Answer>>> = roots.iter().map(|root| by_rows(schema, root, &batch.slice(0, rows))).collect();
    let meets = |row: usize| columns.iter().zip(truths).all(|(column, truth)| column.get(&row) == Some(&Some(Answer::Bool(*truth))));
    let meeting: Vec<usize> = (0..rows).filter(|row| meets(*row)).collect();
    prop_assert!(meeting.is_empty() || !worlds.is_impossible(), "said never, rows {:?} of {:?}", meeting, roots);
    for (part, id) in &found {
        let values = domain.values(&worlds, *id);
        let answers = by_rows(schema, part, &batch.slice(0, rows));
        for row in &meeting {
            let Some(answer) = answers.get(row) else { continue };
            prop_assert!(allows(&values, answer.as_ref()), "{:?} is not in {:?}: {:?}", answer, values, part);
        }
    }
    Ok(worlds.is_impossible())
}

#[test]
fn what_is_proved_holds_of_every_row() {
    let scene = (scene(Ty::Bool, 3), proptest::collection::vec(any::<bool>(), 3));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let proved = std::cell::Cell::new(0);
    let outcome = proptest::test_runner::TestRunner::new(config).run(&scene, |((schema, roots, batch), truths)| {
        proved.set(proved.get() + u32::from(sound(&schema, &roots, &truths, &batch)?));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(proved.get() > 30, "only {} times something was proved", proved.get());
}

#[test]
fn unknowns_of_two_types_are_two_terms() {
    let unknown = |ty| Expr::new(Kind::Unknown, ty);
    let fact = |ty| Expr::new(Kind::Fact(usize::from(ty == Ty::Date)), ty);
    let column = |name: &str, ty| Column { name: name.into(), ty, scale: 0 };
    let schema = Schema { columns: vec![column("member", Ty::Bool), column("since", Ty::Date)] };
    let no_day = Expr::new(Kind::Compare(CompareOp::Eq, Box::new(unknown(Ty::Date)), Box::new(fact(Ty::Date))), Ty::Bool);
    let branches = vec![(fact(Ty::Bool), unknown(Ty::Bool)), (Expr::new(Kind::Not(Box::new(fact(Ty::Bool))), Ty::Bool), fact(Ty::Bool))];
    let either = Expr::new(Kind::Case { branches, otherwise: None }, Ty::Bool);
    let around = Columns(&schema);
    let mut terms = Terms::default();
    let (first, second) = (terms.add(&no_day, &around), terms.add(&either, &around));
    let domain = Domain { terms: &terms, around: &around };
    assert!(domain.never(&Worlds::all(), first));
    assert!(!domain.never_no(&Worlds::all(), second));
}
