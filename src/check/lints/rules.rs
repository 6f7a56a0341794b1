//! What a rule compares: each comparison with a number or a parameter, and every number that a rule rests on.

use std::collections::BTreeSet;

use super::domain::Fraction;
use super::scene::{Place, Scene};
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::{CompareOp, Expr, Kind, Ty, Value};
use crate::diagnostic::Span;
use crate::policy::document::CriteriaNode;

/// A comparison of something with numbers.
pub(super) struct Comparison {
    pub(super) span: Span,
    /// `something op number`, with the `not` around it worked in.
    pub(super) op: CompareOp,
    /// The number written out, or all values of the parameter.
    pub(super) numbers: Vec<Fraction>,
    /// The digits behind the point that the something has at most.
    pub(super) grid: Option<u8>,
}

/// The comparisons with numbers in a criterion; `negated` where it stands below `not`.
pub(super) fn comparisons(scene: &Scene<'_>, place: &Place<'_>, negated: bool) -> Vec<Comparison> {
    let mut found = Vec::new();
    collect(scene, place, place.expr, negated, &mut found);
    found
}

fn collect(scene: &Scene<'_>, place: &Place<'_>, expr: &Expr, negated: bool, found: &mut Vec<Comparison>) {
    match &expr.kind {
        Kind::Not(inner) => collect(scene, place, inner, !negated, found),
        Kind::Compare(op, left, right) if left.ty == Ty::Number => {
            let (op, side, numbers) = match (numbers(scene, left), numbers(scene, right)) {
                (None, Some(numbers)) => (*op, left, numbers),
                (Some(numbers), None) => (op.mirrored(), right, numbers),
                _ => return,
            };
            let op = if negated { op.denied() } else { op };
            let grid = scene.id(side).and_then(|id| scene.terms.grid(id));
            found.push(Comparison { span: place.span(expr), op, numbers, grid });
        }
        Kind::Compare(..) => {}
        _ => {
            for child in expr.children() {
                collect(scene, place, child, negated, found);
            }
        }
    }
}

fn numbers(scene: &Scene<'_>, expr: &Expr) -> Option<Vec<Fraction>> {
    match &expr.kind {
        Kind::Literal(Value::Number(number)) => Some(Fraction::of(*number).into_iter().collect()),
        Kind::Parameter { name, .. } => Some(scene.around.shared.numbers_of(name)),
        _ => None,
    }
}

/// Every number that an expression rests on: written out, of parameters, and inside the facts that it names.
pub(super) fn all_numbers(scene: &Scene<'_>, expr: &Expr) -> BTreeSet<Fraction> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    add_numbers(scene, expr, Some(scene.document.subject), 0, &mut seen, &mut found);
    found
}

fn add_numbers(
    scene: &Scene<'_>,
    expr: &Expr,
    kind: Option<crate::register::declaration::SubjectKind>,
    offset: usize,
    seen: &mut BTreeSet<FactId>,
    found: &mut BTreeSet<Fraction>,
) {
    match &expr.kind {
        Kind::Literal(Value::Number(number)) => found.extend(Fraction::of(*number)),
        Kind::Parameter { name, .. } => found.extend(scene.around.shared.numbers_of(name)),
        Kind::Fact(index) => {
            if let (Some(kind), Some(index)) = (kind, index.checked_sub(offset)) {
                of_fact(scene, FactId { kind, index }, seen, found);
            }
        }
        _ => {}
    }
    for child in expr.children() {
        add_numbers(scene, child, kind, offset, seen, found);
    }
}

fn of_fact(scene: &Scene<'_>, id: FactId, seen: &mut BTreeSet<FactId>, found: &mut BTreeSet<Fraction>) {
    let catalogue = &scene.around.shared.folder.checked.catalogue;
    if id.index >= catalogue.facts(id.kind).len() || !seen.insert(id) {
        return;
    }
    match &catalogue.fact(id).definition {
        Definition::Computed(expr) => add_numbers(scene, expr, Some(id.kind), 0, seen, found),
        Definition::Linked { fact, .. } => of_fact(scene, *fact, seen, found),
        Definition::Rows { rows, .. } => {
            for expr in rows.value.iter().chain(&rows.filter) {
                add_numbers(scene, expr, None, 0, seen, found);
            }
        }
        Definition::LinkedAggregate { link, rows } => {
            let link = &catalogue.registers.links[*link];
            let columns = catalogue.rows.get(&link.register).map_or(0, Vec::len);
            for expr in rows.value.iter().chain(&rows.filter) {
                add_numbers(scene, expr, Some(link.to), columns, seen, found);
            }
        }
        Definition::Pending | Definition::Given | Definition::LinkEnd { .. } => {}
    }
}

/// The criteria of a tree in order, each with whether it stands below an odd number of `not`.
pub(super) fn negations(node: &CriteriaNode) -> Vec<bool> {
    let mut found = Vec::new();
    add_negations(node, false, &mut found);
    found
}

fn add_negations(node: &CriteriaNode, negated: bool, found: &mut Vec<bool>) {
    match node {
        CriteriaNode::All(items) | CriteriaNode::Any(items) | CriteriaNode::AtLeast(_, items) => {
            for item in items {
                add_negations(item, negated, found);
            }
        }
        CriteriaNode::Not(inner) => add_negations(inner, !negated, found),
        CriteriaNode::Criterion(_) => found.push(negated),
    }
}
