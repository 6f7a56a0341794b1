//! Which unknown facts could make an unknown condition yes.

use super::{Answer, evaluate};
use crate::check::ir::{Expr, Function, Kind, Ty, Value};

/// How many sets are told.
const TOLD: usize = 16;

/// How many sets are kept while they are combined; the smallest stay.
const KEPT: usize = 64;

/// Sets of facts, each sorted; none contains another; smallest first.
type Sets = Vec<Vec<usize>>;

/// The minimal sets of unknown facts which, if they became known, could make the expression yes: at most 16, smallest
/// first, each sorted, none containing another. One empty set: it is yes already. No set: nothing could.
///
/// Facts are taken one condition at a time: that two conditions on one fact exclude each other is not seen.
pub fn missing(expr: &Expr, row: &dyn Fn(usize) -> Option<Value>) -> Vec<Vec<usize>> {
    let mut sets = Search { row }.could_be(expr, true);
    sets.truncate(TOLD);
    sets
}

struct Search<'a> {
    row: &'a dyn Fn(usize) -> Option<Value>,
}

impl Search<'_> {
    /// The sets that could make a boolean expression `wanted`.
    fn could_be(&self, expr: &Expr, wanted: bool) -> Sets {
        let now = evaluate(expr, self.row).ok().flatten();
        if now == Some(Answer::Bool(wanted)) {
            return vec![Vec::new()];
        }
        match &expr.kind {
            Kind::Not(inner) => self.could_be(inner, !wanted),
            Kind::And(items) if wanted => self.all(items, wanted),
            Kind::Or(items) if !wanted => self.all(items, wanted),
            Kind::And(items) | Kind::Or(items) => any(items.iter().map(|item| self.could_be(item, wanted))),
            Kind::AtLeast(count, items) if wanted => self.so_many(*count, items, wanted),
            Kind::AtLeast(count, items) => self.so_many((items.len() + 1).saturating_sub(*count), items, wanted),
            Kind::IsKnown(inner) if wanted => self.could_be_known(inner),
            Kind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), &|expr| self.could_be(expr, wanted)),
            Kind::Call(Function::Coalesce, items) if now.is_none() => any(items.iter().map(|item| self.could_be(item, wanted))),
            _ if now.is_some() => Vec::new(),
            _ => self.could_be_known(expr),
        }
    }

    /// The sets that could make the value of an expression known.
    fn could_be_known(&self, expr: &Expr) -> Sets {
        if evaluate(expr, self.row).is_ok_and(|value| value.is_some()) {
            return vec![Vec::new()];
        }
        let mut sets = match &expr.kind {
            Kind::Fact(fact) => vec![vec![*fact]],
            Kind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), &|expr| self.could_be_known(expr)),
            Kind::Call(Function::Coalesce, items) => any(items.iter().map(|item| self.could_be_known(item))),
            Kind::And(_) | Kind::Or(_) | Kind::Not(_) | Kind::AtLeast(..) if expr.ty == Ty::Bool => {
                any([self.could_be(expr, true), self.could_be(expr, false)].into_iter())
            }
            _ => expr.children().into_iter().fold(vec![Vec::new()], |sets, part| both(&sets, &self.could_be_known(part))),
        };
        // with nothing more to learn it stays unknown: divided by zero, not in a table
        sets.retain(|set| !set.is_empty());
        sets
    }

    fn all(&self, items: &[Expr], wanted: bool) -> Sets {
        items.iter().fold(vec![Vec::new()], |sets, item| both(&sets, &self.could_be(item, wanted)))
    }

    /// The sets that could make so many of the items `wanted`; entry `k` of `reached` is for `k` of those seen so far.
    fn so_many(&self, count: usize, items: &[Expr], wanted: bool) -> Sets {
        let mut reached: Vec<Sets> = vec![Vec::new(); count + 1];
        reached[0] = vec![Vec::new()];
        for item in items {
            let sets = self.could_be(item, wanted);
            for level in (1..=count).rev() {
                let with = both(&reached[level - 1], &sets);
                let without = std::mem::take(&mut reached[level]);
                reached[level] = any([with, without].into_iter());
            }
        }
        reached.pop().unwrap_or_default()
    }

    /// A `case` gets there by a condition that becomes yes, with its value, or by all before it becoming no.
    fn case(&self, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, target: &dyn Fn(&Expr) -> Sets) -> Sets {
        let Some(((when, then), rest)) = branches.split_first() else { return otherwise.map_or(Vec::new(), target) };
        let here = both(&self.could_be(when, true), &target(then));
        let passed = self.could_be(when, false);
        if passed.is_empty() {
            return here;
        }
        any([here, both(&passed, &self.case(rest, otherwise, target))].into_iter())
    }
}

/// One set of each.
fn both(left: &Sets, right: &Sets) -> Sets {
    let unions = left.iter().flat_map(|left| {
        right.iter().map(move |right| {
            let mut union: Vec<usize> = left.iter().chain(right).copied().collect();
            union.sort_unstable();
            union.dedup();
            union
        })
    });
    smallest(unions.collect())
}

/// A set of one of them.
fn any(alternatives: impl Iterator<Item = Sets>) -> Sets {
    smallest(alternatives.flatten().collect())
}

/// Without those that contain another.
fn smallest(mut sets: Sets) -> Sets {
    sets.sort_unstable_by(|left, right| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
    let mut kept: Sets = Vec::new();
    for set in sets {
        if kept.len() == KEPT {
            break;
        }
        if !kept.iter().any(|smaller| smaller.iter().all(|fact| set.binary_search(fact).is_ok())) {
            kept.push(set);
        }
    }
    kept
}
