//! Boundary coverage: which thresholds, branches, days and unknown facts of a policy its cases touch.
//!
//! A boundary is touched by a case that stands on it, or one smallest step beside it: a day, one, a fen. What no subject
//! can ever touch is left out, and told with the reason.

pub mod goals;
pub mod possible;
pub mod touch;

use std::sync::Arc;

use rayon::prelude::*;

pub use goals::{Goal, Target, Want, one_line};
pub use touch::Touch;

use super::book::Book;
use super::facts::ResolvedCase;
use super::probe::Probe;
use crate::check::CheckedPolicy;
use crate::diagnostic::Message;
use crate::policy::document::PolicyDocument;

/// How far the cases of one version of a policy touch its boundaries.
pub struct Coverage {
    /// The policy.
    pub document: Arc<PolicyDocument>,
    /// Its boundaries.
    pub goals: Vec<Reached>,
}

/// One boundary, and who touches it.
pub struct Reached {
    /// The boundary.
    pub goal: Goal,
    /// The first case that touches it: its place in the list that was given.
    pub by: Option<usize>,
    /// Why nobody can touch it.
    pub excluded: Option<Message>,
}

impl Coverage {
    /// How many boundaries can be touched.
    #[must_use]
    pub fn total(&self) -> usize {
        self.goals.iter().filter(|reached| reached.excluded.is_none()).count()
    }

    /// How many are.
    #[must_use]
    pub fn covered(&self) -> usize {
        self.goals.iter().filter(|reached| reached.by.is_some()).count()
    }

    /// Those that are not, and could be.
    pub fn missing(&self) -> impl Iterator<Item = &Goal> {
        self.goals.iter().filter(|reached| reached.by.is_none() && reached.excluded.is_none()).map(|reached| &reached.goal)
    }
}

/// Measures one version of a policy by cases of its code.
#[must_use]
pub fn measure(book: &Book<'_>, policy: &CheckedPolicy, cases: &[&ResolvedCase]) -> Coverage {
    let goals = goals::of(policy, book.catalogue());
    let kind = policy.document.subject;
    let touched: Vec<Vec<bool>> = cases
        .par_iter()
        .map(|case| {
            if !case.complete {
                return vec![false; goals.len()];
            }
            Probe::with(book, kind, case.case.as_of, &case.given, |probe| {
                let mut touch = Touch::new(policy, probe);
                goals.iter().map(|goal| touch.touches(goal)).collect()
            })
        })
        .collect();
    let goals = goals.into_iter().enumerate().map(|(index, goal)| {
        let by = touched.iter().position(|touched| touched[index]);
        let excluded = if by.is_none() { possible::excluded(policy, book, &goal) } else { None };
        Reached { goal, by, excluded }
    });
    Coverage { document: Arc::clone(&policy.document), goals: goals.collect() }
}
