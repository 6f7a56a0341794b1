//! What is asked of a register, as a text that is the same wherever the same is asked: by which what was made once is found again.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::check::catalogue::{Aggregate, Catalogue};
use crate::check::ir::{Expr, Kind};
use crate::dossier::accumulate::Recipe;
use crate::dossier::base::BasePlan;
use crate::dossier::rows::{KeptRows, LinkRows, Purpose, RegisterRows, RowColumns};
use crate::hex;
use crate::region::{Region, RegionTree};

/// The digits by which a text is known.
pub(super) fn digest(text: &str) -> String {
    hex::digits(&Sha256::digest(text.as_bytes()))
}

/// An expression without the place that it was written at.
fn bare(expr: &Expr) -> Expr {
    Expr { range: 0..0, ..expr.map_children(&mut |child| bare(child)) }
}

fn text(expr: &Expr) -> String {
    format!("{:?}", bare(expr))
}

/// What rows are evaluated into, at a place.
fn column(rows: &RowColumns, at: usize) -> String {
    let (expr, scale) = &rows.columns[at];
    format!("{}/{scale}", text(expr))
}

fn columns(rows: &RowColumns, places: &[usize]) -> String {
    places.iter().map(|at| column(rows, *at)).collect::<Vec<_>>().join("\n")
}

/// An expression over the rows of a link, with the facts behind its `columns` columns numbered in the order in which they are met.
fn numbered(expr: &Expr, columns: usize, met: &mut Vec<usize>) -> Expr {
    if let Kind::Fact(index) = expr.kind
        && index >= columns
    {
        let at = met.iter().position(|known| *known == index).unwrap_or_else(|| {
            met.push(index);
            met.len() - 1
        });
        return Expr { kind: Kind::Fact(columns + at), ty: expr.ty, range: 0..0 };
    }
    Expr { range: 0..0, ..expr.map_children(&mut |child| numbered(child, columns, met)) }
}

/// What is made of the rows of a link, and the facts of those whom it leads to that it is made of, in the order of the text.
pub(super) fn aggregate(rows: &Aggregate, columns: usize) -> (String, Vec<usize>) {
    let mut met = Vec::new();
    let Aggregate { how, value, filter, by } = rows;
    let mut text = |expr: &Option<Expr>| format!("{:?}", expr.as_ref().map(|expr| numbered(expr, columns, &mut met)));
    let text = format!("{how:?}\n{}\n{}\n{}", text(value), text(filter), text(by));
    (text, met.into_iter().map(|index| index - columns).collect())
}

/// All regions with their periods.
pub(super) fn regions(tree: &RegionTree) -> String {
    let mut text = String::new();
    for Region { code, name: _, parent, level, from, to, replaced_by, place: _ } in tree.regions() {
        let _ = writeln!(text, "{code} {parent:?} {level:?} {from} {to:?} {replaced_by:?}");
    }
    text
}

/// How the subjects of a kind are listed.
pub(super) fn base(plan: &BasePlan) -> String {
    let BasePlan { kind, register, key, filter, within } = plan;
    let mut asked = format!("{kind} {register} {key} {:?}", filter.as_ref().map(text));
    for (name, expr) in within {
        let _ = write!(asked, "\n{name}: {}", text(expr));
    }
    digest(&asked)
}

/// What a column is called: the fact's name, with the register beside it for what another one says.
pub(super) fn name(purpose: &Purpose, catalogue: &Catalogue) -> String {
    match purpose {
        Purpose::Fact(id) => catalogue.fact(*id).name.to_string(),
        Purpose::OtherLeast(id, register) => format!("{}!least.{register}", catalogue.fact(*id).name),
        Purpose::OtherGreatest(id, register) => format!("{}!greatest.{register}", catalogue.fact(*id).name),
    }
}

/// A column of a kind whose subjects are known by `index`.
pub(super) fn fact(rows: &RegisterRows, recipe: &Recipe, name: &str, index: &str) -> String {
    let Recipe { how, ty, scale, passes, tells, value, by, strict } = recipe;
    let mut asked = format!("{name}\n{index}\n{how:?} {ty:?} {scale} {strict}");
    for place in [passes, tells, value, by] {
        let _ = write!(asked, "\n{:?}", place.map(|at| column(&rows.rows, at)));
    }
    digest(&asked)
}

/// The rows of a link between subjects that are known by two indices.
pub(super) fn link(rows: &RegisterRows, link: &LinkRows, (from, to): (&str, &str)) -> String {
    let LinkRows { link: _, from: from_kind, to: to_kind, ends, filter, columns: kept } = link;
    let filter = filter.map(|at| column(&rows.rows, at));
    digest(&format!("{from_kind} {from}\n{to_kind} {to}\n{ends:?}\n{filter:?}\n{}", columns(&rows.rows, kept)))
}

/// The rows that occasions come from, of subjects that are known by `index`.
pub(super) fn kept(rows: &RegisterRows, kept: &KeptRows, index: &str) -> String {
    digest(&format!("{} {index}\n{}", kept.kind, columns(&rows.rows, &kept.columns)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::catalogue::How;
    use crate::check::ir::{CompareOp, Number, Ty, Value};

    fn at_least(digits: i64, range: std::ops::Range<usize>) -> Expr {
        let number = Kind::Literal(Value::Number(Number::whole(digits)));
        let sides = [Kind::Fact(3), number].map(|kind| Box::new(Expr { kind, ty: Ty::Number, range: range.clone() }));
        let [left, right] = sides;
        Expr { kind: Kind::Compare(CompareOp::GtEq, left, right), ty: Ty::Bool, range }
    }

    fn recipe(passes: Option<usize>) -> Recipe {
        Recipe { how: How::Count, ty: Ty::Number, scale: 0, passes, tells: None, value: None, by: None, strict: true }
    }

    fn asked(columns: &[(Expr, u8)], passes: Option<usize>) -> String {
        let rows = RegisterRows { rows: RowColumns { columns: columns.to_vec() }, ..RegisterRows::default() };
        fact(&rows, &recipe(passes), "n", "index")
    }

    #[test]
    fn the_same_is_asked_wherever_it_is_written_and_in_whatever_order() {
        let (one, other) = (at_least(5, 0..9), at_least(5, 100..109));
        assert_eq!(asked(&[(one.clone(), 0)], Some(0)), asked(&[(at_least(7, 0..9), 0), (other, 0)], Some(1)));
        assert_ne!(asked(&[(one.clone(), 0)], Some(0)), asked(&[(at_least(6, 0..9), 0)], Some(0)));
        assert_ne!(asked(&[(one.clone(), 0)], Some(0)), asked(&[(one.clone(), 2)], Some(0)));
        assert_ne!(asked(&[(one.clone(), 0)], Some(0)), asked(&[(one, 0)], None));
    }

    #[test]
    fn facts_of_others_are_known_by_what_they_are_not_by_their_numbers() {
        let both = |one: usize, other: usize| {
            let facts = [one, other, one].map(|index| Expr::new(Kind::Fact(index), Ty::Bool));
            let filter = Some(Expr::new(Kind::And(facts.to_vec()), Ty::Bool));
            aggregate(&Aggregate { how: How::Count, value: None, filter, by: None }, 3)
        };
        let (text, facts) = both(7, 3);
        assert_eq!(facts, vec![4, 0]);
        assert_eq!(both(30, 8), (text.clone(), vec![27, 5]));
        assert_eq!(both(2, 8), (both(2, 9).0, vec![5]));
        assert_ne!(both(2, 8).0, text);
        assert_ne!(both(7, 7).0, text);
    }

    #[test]
    fn of_other_subjects_something_else_is_asked() {
        let rows = RegisterRows::default();
        assert_ne!(fact(&rows, &recipe(None), "n", "these"), fact(&rows, &recipe(None), "n", "those"));
        assert_ne!(fact(&rows, &recipe(None), "n", "these"), fact(&rows, &recipe(None), "m", "these"));
    }
}
