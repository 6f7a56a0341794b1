//! The criteria of a policy as one tree of conditions, whether they were grouped in YAML or with `and` and `or`.

use std::collections::BTreeMap;

use super::domain::{Term, TermId};
use super::scene::{Place, Scene};
use crate::check::ir::{Expr, Kind, Ty};
use crate::diagnostic::{Diagnostic, Span};
use crate::policy::document::CriteriaNode;

/// A condition that stands somewhere, with what it is made of.
pub(super) struct Piece {
    pub(super) id: TermId,
    /// Where it stands; for a group of criteria, its first condition.
    pub(super) span: Span,
    pub(super) shape: Shape,
    /// Whether it is all that a criterion says.
    pub(super) whole: bool,
    /// The clause beside it.
    pub(super) clause: Option<String>,
}

/// What a condition is made of.
pub(super) enum Shape {
    /// All of these; none of them is itself such a list.
    All(Vec<Piece>),
    /// One of these.
    Any(Vec<Piece>),
    /// Not this.
    Not(Box<Piece>),
    /// So many of these.
    AtLeast(Vec<Piece>),
    /// Anything else.
    Plain,
}

impl Piece {
    /// The criteria of a policy.
    pub(super) fn of(scene: &mut Scene<'_>) -> Option<Self> {
        let criteria = scene.document.criteria.criteria();
        let mut places = BTreeMap::new();
        for (criterion, place) in criteria.iter().zip(scene.criteria()) {
            places.insert(criterion.id.as_str(), place);
        }
        let tree = &scene.document.criteria;
        group(scene, tree, &places)
    }

    /// A diagnostic at the condition, with its clause.
    pub(super) fn tell(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.clause.clone_from(&self.clause);
        diagnostic.at(self.span.clone())
    }
}

fn group(scene: &mut Scene<'_>, node: &CriteriaNode, places: &BTreeMap<&str, Place<'_>>) -> Option<Piece> {
    let parts = |items: &[CriteriaNode], scene: &mut Scene<'_>| -> Option<Vec<Piece>> {
        items.iter().map(|item| group(scene, item, places)).collect()
    };
    let (term, shape) = match node {
        CriteriaNode::Criterion(criterion) => {
            let place = places.get(criterion.id.as_str())?;
            return condition(scene, place, place.expr).map(|piece| Piece { whole: true, ..piece });
        }
        CriteriaNode::All(items) => {
            let parts = parts(items, scene)?;
            (Term::And(ids(&parts)), Shape::All(flat(parts)))
        }
        CriteriaNode::Any(items) => {
            let parts = parts(items, scene)?;
            (Term::Or(ids(&parts)), Shape::Any(parts))
        }
        CriteriaNode::AtLeast(count, items) => {
            let parts = parts(items, scene)?;
            (Term::AtLeast(*count, ids(&parts)), Shape::AtLeast(parts))
        }
        CriteriaNode::Not(inner) => {
            let inner = group(scene, inner, places)?;
            (Term::Not(inner.id), Shape::Not(Box::new(inner)))
        }
    };
    let first = match &shape {
        Shape::All(parts) | Shape::Any(parts) | Shape::AtLeast(parts) => parts.first()?.span.clone(),
        Shape::Not(inner) => inner.span.clone(),
        Shape::Plain => return None,
    };
    let id = scene.terms.intern(term, Ty::Bool, &scene.around);
    Some(Piece { id, span: first, shape, whole: false, clause: None })
}

/// A condition inside an expression.
pub(super) fn condition(scene: &Scene<'_>, place: &Place<'_>, expr: &Expr) -> Option<Piece> {
    let parts = |items: &[Expr]| -> Option<Vec<Piece>> { items.iter().map(|item| condition(scene, place, item)).collect() };
    // `between` is two comparisons that the author wrote as one.
    let as_one = |items: &[Expr]| items.iter().all(|item| item.range == expr.range || item.range.is_empty());
    let shape = match &expr.kind {
        Kind::And(items) if as_one(items) => Shape::Plain,
        Kind::And(items) => Shape::All(flat(parts(items)?)),
        Kind::Or(items) => Shape::Any(flat_any(parts(items)?)),
        Kind::AtLeast(_, items) => Shape::AtLeast(parts(items)?),
        Kind::Not(inner) => Shape::Not(Box::new(condition(scene, place, inner)?)),
        _ => Shape::Plain,
    };
    Some(Piece { id: scene.id(expr)?, span: place.span(expr), shape, whole: false, clause: place.clause.clone() })
}

fn ids(parts: &[Piece]) -> Vec<TermId> {
    parts.iter().map(|part| part.id).collect()
}

fn flat(parts: Vec<Piece>) -> Vec<Piece> {
    let each = parts.into_iter().flat_map(|part| match part {
        Piece { shape: Shape::All(inner), .. } => inner,
        other => vec![other],
    });
    each.collect()
}

fn flat_any(parts: Vec<Piece>) -> Vec<Piece> {
    let each = parts.into_iter().flat_map(|part| match part {
        Piece { shape: Shape::Any(inner), .. } => inner,
        other => vec![other],
    });
    each.collect()
}
