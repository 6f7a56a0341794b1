//! The bands of a `case`: branches that divide the values of one term among themselves.

use super::domain::{Known, Ranges, Term, TermId, Terms};
use crate::check::ir::{CompareOp, Expr, Kind, Value};

/// One term, and for each branch the values of it that the branch takes if no earlier one does.
pub(super) struct Bands {
    pub(super) term: TermId,
    pub(super) sets: Vec<Known>,
}

/// The bands of branches, where every condition is about one and the same term and values written out.
pub(super) fn bands(terms: &Terms, conditions: &[TermId]) -> Option<Bands> {
    let term = subject(terms, *conditions.first()?)?;
    let sets: Option<Vec<Known>> = conditions.iter().map(|condition| set(terms, *condition, term)).collect();
    Some(Bands { term, sets: sets? })
}

/// The term that a condition is about.
fn subject(terms: &Terms, condition: TermId) -> Option<TermId> {
    match terms.term(condition) {
        Term::Compare(_, left, right) => match (terms.term(*left), terms.term(*right)) {
            (Term::Literal(_), Term::Literal(_)) => None,
            (Term::Literal(_), _) => Some(*right),
            (_, Term::Literal(_)) => Some(*left),
            _ => None,
        },
        Term::TextIn(value, _) => Some(*value),
        Term::Not(inner) => subject(terms, *inner),
        Term::And(items) | Term::Or(items) => items.iter().find_map(|item| subject(terms, *item)),
        _ => None,
    }
}

/// The values of a term for which a condition is yes; none where the condition is about something else too.
fn set(terms: &Terms, condition: TermId, term: TermId) -> Option<Known> {
    match terms.term(condition) {
        Term::Compare(op, left, right) => match (terms.term(*left), terms.term(*right)) {
            (Term::Literal(value), _) if *right == term => compared(op.mirrored(), value, terms.grid(term)),
            (_, Term::Literal(value)) if *left == term => compared(*op, value, terms.grid(term)),
            _ => None,
        },
        Term::TextIn(value, texts) if *value == term => Some(Known::In(std::sync::Arc::new(texts.iter().cloned().collect()))),
        Term::Not(inner) => set(terms, *inner, term).map(|set| on_grid(set.complement(), terms.grid(term))),
        Term::And(items) => items.iter().map(|item| set(terms, *item, term)).reduce(|one, two| Some(one?.and(&two?)))?,
        Term::Or(items) => items.iter().map(|item| set(terms, *item, term)).reduce(|one, two| Some(one?.or(&two?)))?,
        _ => None,
    }
}

fn compared(op: CompareOp, value: &Value, grid: Option<u8>) -> Option<Known> {
    let exactly = super::domain::Values::exactly(value)?.known;
    match (&exactly, op) {
        (Known::Range(point), op) => Some(on_grid(Known::Range(point.left_of(op)), grid)),
        (Known::In(_), CompareOp::Eq) => Some(exactly),
        (Known::In(_), CompareOp::NotEq) => Some(exactly.complement()),
        _ => None,
    }
}

/// The values that lie on the grid of a term.
pub(super) fn on_grid(known: Known, grid: Option<u8>) -> Known {
    match (known, grid) {
        (Known::Range(ranges), Some(scale)) => Known::Range(ranges.on_grid(scale)),
        (known, _) => known,
    }
}

/// The ranges of a set of numbers or days.
pub(super) fn ranges(known: &Known) -> Option<&Ranges> {
    match known {
        Known::Range(ranges) => Some(ranges),
        _ => None,
    }
}

/// Every `case` in an expression, outermost first.
pub(super) fn cases<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    if matches!(expr.kind, Kind::Case { .. }) {
        found.push(expr);
    }
    for child in expr.children() {
        cases(child, found);
    }
}
