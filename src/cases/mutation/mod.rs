//! Mutation score: each operator, constant, criterion, branch and reference of a policy changed in turn; does a case fail?
//!
//! A change that no case notices survives. Where it can be proven that a change alters no verdict and no amount, whatever
//! the facts, it is left out of the score and told with the reason.

pub mod mutants;
pub mod nodes;
pub mod proof;

use std::sync::Arc;

use chrono::NaiveDate;
use rayon::prelude::*;

pub use mutants::Mutant;

use super::book::{Book, Laws};
use super::facts::ResolvedCase;
use super::outcome::{differences, judged, not_in_force};
use crate::check::CheckedPolicy;
use crate::diagnostic::Message;
use crate::explain::Judge;
use crate::policy::document::PolicyDocument;

/// What became of each change of one version of a policy.
pub struct Mutation {
    /// The policy.
    pub document: Arc<PolicyDocument>,
    /// The changes, in the order of the file.
    pub fates: Vec<Fate>,
}

/// A change, and what became of it.
pub struct Fate {
    /// The change.
    pub mutant: Mutant,
    /// The first case that fails with it: its place in the list that was given.
    pub killed_by: Option<usize>,
    /// Why no case could ever notice it.
    pub equivalent: Option<Message>,
}

impl Mutation {
    /// How many changes a case could notice.
    #[must_use]
    pub fn total(&self) -> usize {
        self.fates.iter().filter(|fate| fate.equivalent.is_none()).count()
    }

    /// How many are noticed.
    #[must_use]
    pub fn killed(&self) -> usize {
        self.fates.iter().filter(|fate| fate.killed_by.is_some()).count()
    }

    /// Those that are not, and could be.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.fates.iter().filter(|fate| fate.killed_by.is_none() && fate.equivalent.is_none()).map(|fate| &fate.mutant)
    }
}

/// Changes one version of a policy in every way and runs the cases of its code. A case that fails as it is notices nothing.
#[must_use]
pub fn measure(book: &Book<'_>, policy: &CheckedPolicy, cases: &[&ResolvedCase]) -> Mutation {
    let mutants = mutants::of(policy, book);
    // Who notices what; each case looks at all changes, so that nothing hangs on the order of cases.
    let noticed: Vec<Vec<bool>> = cases.par_iter().map(|case| noticed(book, policy, &mutants, case)).collect();
    let fates = mutants.into_par_iter().enumerate().map(|(index, mutant)| {
        let killed_by = noticed.iter().position(|noticed| noticed[index]);
        let equivalent = if killed_by.is_none() { proof::equivalent(book.catalogue(), policy, &mutant) } else { None };
        Fate { mutant, killed_by, equivalent }
    });
    Mutation { document: Arc::clone(&policy.document), fates: fates.collect() }
}

fn noticed(book: &Book<'_>, policy: &CheckedPolicy, mutants: &[Mutant], case: &ResolvedCase) -> Vec<bool> {
    let nothing = vec![false; mutants.len()];
    if !case.complete {
        return nothing;
    }
    book.with_judge(case.case.as_of, &case.given, |judge, laws| {
        let chosen = laws.get(&policy.document.code);
        if fails(book, judge, chosen, case) {
            return nothing;
        }
        mutants
            .iter()
            .map(|mutant| {
                let law = applying(policy, mutant, laws, case.case.as_of);
                // Another version of the policy, or the same as before: nothing to notice.
                !same(law, chosen) && fails(book, judge, law, case)
            })
            .collect()
    })
}

fn same(one: Option<&CheckedPolicy>, other: Option<&CheckedPolicy>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// The version that a day would be judged by, were the changed policy the law.
fn applying<'l>(policy: &CheckedPolicy, mutant: &'l Mutant, laws: &'l Laws, day: NaiveDate) -> Option<&'l CheckedPolicy> {
    let chosen = laws.get(&policy.document.code);
    let is_other = chosen.is_some_and(|chosen| chosen.document.version != policy.document.version);
    let document = &mutant.policy.document;
    let holds = document.in_force_from <= day && document.in_force_to.is_none_or(|to| day < to);
    if is_other {
        chosen
    } else if holds {
        Some(&mutant.policy)
    } else {
        None
    }
}

fn fails(book: &Book<'_>, judge: &mut Judge<'_>, law: Option<&CheckedPolicy>, case: &ResolvedCase) -> bool {
    let expect = &case.case.expect;
    judge.forget();
    let judged = match law {
        Some(policy) => judged(judge, policy, case),
        None => Ok(not_in_force()),
    };
    judged.map_or(true, |judged| !differences(book.catalogue(), law, expect, &judged).is_empty())
}
