//! What conditions can come to, taken together: every answer over all values that a policy can tell apart.
//!
//! Each fact, or sum that is compared, is cut into the cells between its thresholds; unknown is one more. Two
//! expressions of different facts are taken as independent of each other, though dates may tie them: so *cannot be* is
//! proven, and *can be* is not.

pub mod form;
pub mod linear;

use std::collections::BTreeSet;

use form::{Cells, Collector, Form, Pick};

pub use form::YES;

use crate::check::catalogue::Catalogue;
use crate::check::ir::{Expr, Kind, Ty};
use crate::register::declaration::SubjectKind;

/// How many combinations are looked at before the question is left open.
const PATIENCE: usize = 400_000;

/// All values that some conditions can tell apart.
pub struct Domain {
    cells: Vec<Cells>,
}

/// Conditions and amounts over one domain.
pub struct Question {
    domain: Domain,
    conditions: Vec<Form>,
    amounts: Vec<Pick>,
}

impl Question {
    /// Cuts the values that conditions and amounts about one kind of subject read.
    #[must_use]
    pub fn new(catalogue: &Catalogue, kind: SubjectKind, conditions: &[Expr], amounts: &[Option<Expr>]) -> Self {
        let mut collector = Collector::new(catalogue, kind);
        for expr in conditions.iter().chain(amounts.iter().flatten()) {
            collector.meet(expr);
        }
        let conditions = conditions.iter().map(|expr| collector.form(expr)).collect();
        let amounts = amounts.iter().map(|expr| expr.as_ref().map_or(Pick::Unknown, |expr| collector.pick(expr))).collect();
        Self { domain: Domain { cells: collector.into_cells() }, conditions, amounts }
    }

    /// Whether the conditions can come out as wanted together. None: the question was left open.
    #[must_use]
    pub fn can_be(&self, wanted: &[(usize, u8)]) -> Option<bool> {
        let order = order_of(wanted.iter().map(|(index, _)| &self.conditions[*index]));
        let test = |held: &[Option<usize>]| {
            let masks = wanted.iter().map(|(index, mask)| (self.conditions[*index].possible(held), *mask));
            let mut sure = true;
            for (possible, mask) in masks {
                if possible & mask == 0 {
                    return Some(false);
                }
                sure &= possible & !mask == 0;
            }
            sure.then_some(true)
        };
        self.search(&order, &test)
    }

    /// Whether a condition can come out otherwise than another: those at `first` and `second`; `inner` are parts of both
    /// in which alone they differ.
    #[must_use]
    pub fn can_differ(&self, first: usize, second: usize, inner: (usize, usize)) -> Option<bool> {
        let parts = [inner.0, inner.1, first, second];
        let order = order_of(parts.iter().map(|index| &self.conditions[*index]));
        let test = |held: &[Option<usize>]| {
            let possible = |index: usize| self.conditions[index].possible(held);
            let (left, right) = (possible(inner.0), possible(inner.1));
            if left == right && left.is_power_of_two() {
                return Some(false);
            }
            let (left, right) = (possible(first), possible(second));
            if left & right == 0 {
                return Some(true);
            }
            (left == right && left.is_power_of_two()).then_some(false)
        };
        self.search(&order, &test)
    }

    /// Whether two amounts can differ where a condition is yes.
    #[must_use]
    pub fn amounts_can_differ(&self, condition: usize) -> Option<bool> {
        let [first, second] = self.amounts.as_slice() else { return None };
        let mut order = Vec::new();
        first.collect(&mut order);
        second.collect(&mut order);
        self.conditions[condition].collect(&mut order);
        let test = |held: &[Option<usize>]| {
            let verdict = self.conditions[condition].possible(held);
            let (left, right) = (first.possible(held), second.possible(held));
            if verdict & YES == 0 || left == right && left.is_power_of_two() {
                return Some(false);
            }
            (verdict == YES && left & right == 0).then_some(true)
        };
        self.search(&distinct(order), &test)
    }

    /// Depth first through the cells of each value in turn. The test says yes, no, or that more must be held.
    fn search(&self, order: &[usize], test: &dyn Fn(&[Option<usize>]) -> Option<bool>) -> Option<bool> {
        let mut held = vec![None; self.domain.cells.len()];
        let mut patience = PATIENCE;
        self.deeper(order, test, &mut held, &mut patience)
    }

    fn deeper(
        &self,
        order: &[usize],
        test: &dyn Fn(&[Option<usize>]) -> Option<bool>,
        held: &mut Vec<Option<usize>>,
        patience: &mut usize,
    ) -> Option<bool> {
        *patience = patience.checked_sub(1)?;
        if let Some(answer) = test(held) {
            return Some(answer);
        }
        let (&first, rest) = order.split_first()?;
        let mut open = false;
        for cell in 0..self.domain.cells[first].count() {
            held[first] = Some(cell);
            match self.deeper(rest, test, held, patience) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => open = true,
            }
            if *patience == 0 {
                break;
            }
        }
        held[first] = None;
        if open { None } else { Some(false) }
    }
}

/// The values that conditions read, in the order in which they are met.
fn order_of<'f>(forms: impl Iterator<Item = &'f Form>) -> Vec<usize> {
    let mut order = Vec::new();
    for form in forms {
        form.collect(&mut order);
    }
    distinct(order)
}

fn distinct(order: Vec<usize>) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    order.into_iter().filter(|value| seen.insert(*value)).collect()
}

/// Covered, and all criteria met.
#[must_use]
pub fn verdict(coverage: &Expr, criteria: &Expr) -> Expr {
    Expr::new(Kind::And(vec![coverage.clone(), criteria.clone()]), Ty::Bool)
}

/// The opposite of a condition.
#[must_use]
pub fn not(expr: &Expr) -> Expr {
    Expr::new(Kind::Not(Box::new(expr.clone())), Ty::Bool)
}

#[cfg(test)]
mod tests;
