//! Mutation score: each operator, constant, criterion, branch and reference of a policy changed in turn; does a case fail?
//!
//! A change that no case notices survives. Where it can be proven that a change alters no verdict and no amount, whatever
//! the facts, it is left out of the score and told with the reason. Where it cannot be proven here, the author may name the
//! change with the reason; a name that fits no change, or one that a case does notice, is told.

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
use crate::diagnostic::{Diagnostic, Message, code};
use crate::explain::Judge;
use crate::policy::document::{Equivalent, PolicyDocument};

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
/// `named` are the changes that the author says nobody can notice.
#[must_use]
pub fn measure(book: &Book<'_>, policy: &CheckedPolicy, cases: &[&ResolvedCase], named: &[Equivalent]) -> Mutation {
    let mutants = mutants::of(policy, book);
    // Who notices what; each case looks at all changes, so that nothing hangs on the order of cases.
    let noticed: Vec<Vec<bool>> = cases.par_iter().map(|case| noticed(book, policy, &mutants, case)).collect();
    let fates = mutants.into_par_iter().enumerate().map(|(index, mutant)| {
        let killed_by = noticed.iter().position(|noticed| noticed[index]);
        let equivalent = killed_by.is_none().then(|| {
            let by_author = named.iter().find(|named| mutant.is_named(named));
            let said = by_author.map(|named| Message::new(named.because.clone(), named.because.clone()));
            proof::equivalent(book.catalogue(), policy, &mutant).or(said)
        });
        let equivalent = equivalent.flatten();
        Fate { mutant, killed_by, equivalent }
    });
    Mutation { document: Arc::clone(&policy.document), fates: fates.collect() }
}

/// What an author named of one policy, in all its versions, that does not hold: there is no such change, or a case notices it.
#[must_use]
pub fn unfounded(named: &[Equivalent], versions: &[&Mutation], case_names: &[&str]) -> Vec<Diagnostic> {
    let fates = || versions.iter().flat_map(|mutation| &mutation.fates);
    let told = |named: &Equivalent| {
        let fitting = || fates().filter(|fate| fate.mutant.is_named(named));
        let noticed = fitting().find_map(|fate| fate.killed_by);
        let change = &named.change;
        let diagnostic = match noticed {
            Some(case) => {
                let case = case_names.get(case).copied().unwrap_or_default();
                Diagnostic::new(
                    &code::UNFOUNDED_EXCLUSION,
                    format!("这处改动有案例察觉: {change}"),
                    format!("a case does notice this change: {change}"),
                )
                .help(format!("案例“{case}”会失败; 删去这一条"), format!("case `{case}` fails with it; drop this entry"))
            }
            None if fitting().next().is_none() => Diagnostic::new(
                &code::UNFOUNDED_EXCLUSION,
                format!("政策没有这处改动: {change}"),
                format!("the policy has no such change: {change}"),
            )
            .help(
                "part 和 change 照 mianshen test --mutation 写的抄; 政策改过的, 重新核对理由",
                "copy `part` and `change` from what mianshen test --mutation tells; where the policy was changed, look at the reason anew",
            ),
            None => return None,
        };
        Some(diagnostic.at(named.place.clone()))
    };
    named.iter().filter_map(told).collect()
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
