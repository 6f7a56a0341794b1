//! Lints: what is surely wrong with a policy, though every name, type and unit in it is right.
//!
//! ```text
//! CheckedPolicy ── scene ──▶ Terms, Worlds (domain) ── pieces ──▶ walk ──▶ conditions: never, always, contradictory, implied
//!                                                  └─▶ amounts: branches, bands, signs
//! PolicyDocument ──────────────────────────────────▶ clauses against rules, bases, codes
//! ```
//!
//! Each lint is a file with its code and tests; its page is in `diagnostic/codes/`. A lint tells only what it can prove:
//! where its reasoning loses sight of what can happen, it is silent.

mod always_holds;
mod amount_falls_back;
mod band_gap;
mod band_overlap;
mod bands;
mod basis_run_out;
mod branches;
mod clause_contradicts_rule;
mod clause_number_differs;
mod clause_without_rule;
mod code_reused;
mod contradictory_conditions;
pub mod domain;
mod implied_condition;
mod material_on_record;
mod negative_amount;
mod never_holds;
mod one_sided_cases;
#[cfg(test)]
mod pages;
mod phrases;
mod pieces;
mod register_does_not_cover;
mod rules;
mod same_benefit_twice;
mod scene;
#[cfg(test)]
mod testing;
mod unreachable_branch;
mod unused_parameter;
mod walk;
mod witness;
mod words;
mod yaml_places;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Checked, CheckedPolicy};
use crate::diagnostic::Diagnostic;
use crate::policy::document::{Case, Parameter, PolicyDocument};
use crate::region::RegionTree;
use pieces::Piece;
use scene::{Scene, Shared};

/// What lints look at: a policies folder that was read and checked.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// Facts, and the policies without faults.
    pub checked: &'a Checked,
    /// All policies as written.
    pub documents: &'a [Arc<PolicyDocument>],
    /// Parameters.
    pub parameters: &'a [Parameter],
    /// Regions.
    pub regions: &'a RegionTree,
    /// The cases of each of `documents`; empty where nothing is to be said of cases.
    pub cases: &'a [Vec<Case>],
}

/// Everything that lints find, policy by policy.
#[must_use]
pub fn run(folder: &Folder<'_>) -> Vec<Diagnostic> {
    let shared = Shared::new(folder);
    let of_policies: Vec<Vec<Diagnostic>> = folder.checked.policies.par_iter().map(|policy| of_policy(&shared, policy)).collect();
    let of_documents: Vec<Vec<Diagnostic>> = folder.documents.par_iter().map(|document| of_document(document)).collect();
    let mut diagnostics: Vec<Diagnostic> = of_policies.into_iter().chain(of_documents).flatten().collect();
    same_benefit_twice::check(&shared, &mut diagnostics);
    code_reused::check(folder.documents, &mut diagnostics);
    one_sided_cases::check(folder, &mut diagnostics);
    unused_parameter::check(folder, &mut diagnostics);
    diagnostics
}

/// What lints find in some of the policies alone: nothing that only all of them together tell.
#[must_use]
pub fn run_on(folder: &Folder<'_>, is_wanted: impl Fn(&PolicyDocument) -> bool) -> Vec<Diagnostic> {
    let shared = Shared::new(folder);
    let policies = folder.checked.policies.iter().filter(|policy| is_wanted(&policy.document));
    let of_policies = policies.flat_map(|policy| of_policy(&shared, policy));
    let of_documents = folder.documents.iter().filter(|document| is_wanted(document)).flat_map(|document| of_document(document));
    of_policies.chain(of_documents).collect()
}

fn of_document(document: &PolicyDocument) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if !document.complete {
        return diagnostics;
    }
    clause_without_rule::check(document, &mut diagnostics);
    basis_run_out::check(document, &mut diagnostics);
    diagnostics
}

fn of_policy(shared: &Shared<'_>, policy: &CheckedPolicy) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    // Of a policy that was not read whole, nothing can be concluded.
    if !policy.document.complete {
        return diagnostics;
    }
    let mut scene = Scene::new(shared, policy);
    if let Some(root) = Piece::of(&mut scene) {
        walk::criteria(scene.domain(), &scene.covered, &root, &mut diagnostics);
    }
    branches::check(&scene, &mut diagnostics);
    clause_contradicts_rule::check(&scene, &mut diagnostics);
    clause_number_differs::check(&scene, &mut diagnostics);
    register_does_not_cover::check(&scene, &mut diagnostics);
    material_on_record::check(&scene, &mut diagnostics);
    // Where nobody meets the criteria, nothing is said of what they would get.
    if !scene.entitled.is_impossible() {
        negative_amount::check(&scene, &mut diagnostics);
        amount_falls_back::check(&scene, &mut diagnostics);
    }
    diagnostics
}
