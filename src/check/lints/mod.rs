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
mod branches;
mod contradictory_conditions;
pub mod domain;
mod implied_condition;
mod negative_amount;
mod never_holds;
mod pieces;
mod scene;
#[cfg(test)]
mod testing;
mod unreachable_branch;
mod walk;
mod witness;
mod words;

use std::sync::Arc;

use rayon::prelude::*;

use super::{Checked, CheckedPolicy};
use crate::diagnostic::Diagnostic;
use crate::policy::document::{Parameter, PolicyDocument};
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
}

/// Everything that lints find, policy by policy.
#[must_use]
pub fn run(folder: &Folder<'_>) -> Vec<Diagnostic> {
    let shared = Shared::new(folder);
    let of_policies: Vec<Vec<Diagnostic>> = folder.checked.policies.par_iter().map(|policy| of_policy(&shared, policy)).collect();
    of_policies.into_iter().flatten().collect()
}

fn of_policy(shared: &Shared<'_>, policy: &CheckedPolicy) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut scene = Scene::new(shared, policy);
    if let Some(root) = Piece::of(&mut scene) {
        walk::criteria(scene.domain(), &scene.covered, &root, &mut diagnostics);
    }
    branches::check(&scene, &mut diagnostics);
    // Where nobody meets the criteria, nothing is said of what they would get.
    if !scene.entitled.is_impossible() {
        negative_amount::check(&scene, &mut diagnostics);
        amount_falls_back::check(&scene, &mut diagnostics);
    }
    diagnostics
}
