//! Trials: an edited policy or parameter against the law in force, on dossiers that are built once and held.
//!
//! ```text
//!  registers ── hold (once) ──▶ Bench: dossiers of every declared fact, links, what is paid and refused
//!  edited texts ── edit: read, check ──▶ Edited law ── only what the edit reaches ──▶ study on the held dossiers ──▶ Trial
//! ```
//!
//! What differs from a simulation: nothing is read but the edited texts, and only policies that the edit reaches are judged,
//! with those that they rest on. What is counted is counted by the same [`study`], so that a trial tells what a
//! simulation of the whole folder would.

mod edit;
mod hold;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use datafusion::prelude::DataFrame;
pub use edit::{Edit, Edited, Text};
pub use hold::Holding;

use super::dimension;
use super::law::Law;
use super::results::Results;
use super::run::{Ground, Outcome, Study, study};
use crate::check::reach::{reached, rest_on};
use crate::check::{Checked, CheckedPolicy};
use crate::diagnostic::progress::{Cancel, Silent};
use crate::diagnostic::{Diagnostic, Message};
use crate::dossier::Dossiers;
use crate::eligibility::input::{Paid, Refusals};
use crate::policy::document::{Parameter, PolicyDocument};
use crate::region::RegionTree;

/// The law in force, and dossiers to try edits of it on.
pub struct Bench {
    /// The day that verdicts are about.
    pub as_of: NaiveDate,
    /// Law announced later is not known; none: all is.
    pub known_at: Option<NaiveDate>,
    documents: Vec<Arc<PolicyDocument>>,
    checked: Checked,
    parameters: Vec<Parameter>,
    regions: RegionTree,
    dossiers: Dossiers,
    paid: Arc<Paid>,
    refusals: Arc<Refusals>,
    threads: usize,
}

/// How a trial is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// Counts below are hidden.
    pub least: u64,
    /// How many people of each policy and class of change are looked at.
    pub people: usize,
}

/// What came of a trial.
pub struct Trial {
    /// Before and after, small cells hidden: the policies that the edit reaches, and those that they rest on.
    pub results: Results,
    /// Everybody who gains, loses or gets another amount, as [`Outcome::changed`] holds them.
    pub changed: DataFrame,
    /// Codes of the policies that were edited, or that read a parameter that was.
    pub edited: BTreeSet<String>,
    /// Codes of the policies whose verdicts or grants may change, the edited ones among them.
    pub reached: BTreeSet<String>,
    /// Warnings and lints about what was edited.
    pub told: Vec<Diagnostic>,
    /// How long the stages took.
    pub seconds: Vec<(&'static str, f64)>,
}

impl Bench {
    /// The law in force.
    #[must_use]
    pub fn law(&self) -> Law<'_> {
        Law {
            documents: &self.documents,
            checked: &self.checked.policies,
            parameters: &self.parameters,
            regions: &self.regions,
            known_at: self.known_at,
        }
    }

    /// The held dossiers.
    #[must_use]
    pub fn dossiers(&self) -> &Dossiers {
        &self.dossiers
    }

    /// Facts, and all policies without faults.
    #[must_use]
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// Tries an edit.
    ///
    /// # Errors
    ///
    /// What is wrong with the edited texts, at its place; what the held dossiers lack; a fault while judging.
    ///
    /// # Panics
    ///
    /// Outside a runtime with several threads.
    pub async fn trial(&self, edit: &Edit, telling: Telling) -> Result<Trial, Vec<Diagnostic>> {
        self.tried(edit, telling, false).await
    }

    /// As [`Bench::trial`], with all policies judged and not only those that the edit reaches: slower, and the same.
    ///
    /// # Errors
    ///
    /// As [`Bench::trial`].
    ///
    /// # Panics
    ///
    /// Outside a runtime with several threads.
    pub async fn whole(&self, edit: &Edit, telling: Telling) -> Result<Trial, Vec<Diagnostic>> {
        self.tried(edit, telling, true).await
    }

    async fn tried(&self, edit: &Edit, telling: Telling, all: bool) -> Result<Trial, Vec<Diagnostic>> {
        let watch = super::run::Watch::now();
        let Edited { law, seeds, set, told } = self.edited(edit)?;
        let checking = watch.elapsed();
        let in_force = [self.law().in_force(self.as_of), law.law(&self.regions, self.known_at).in_force(self.as_of)];
        let reached = reached_of(&seeds, &in_force);
        let sides = [0, 1].map(|side: usize| {
            let of_side = &in_force[side];
            if all { of_side.keys().cloned().collect() } else { rest_on(reached.iter().cloned(), of_side) }
        });
        let before = Narrow::of(&self.documents, &self.checked.policies, &sides[0]);
        let after = Narrow::of(&law.documents, &law.checked.policies, &sides[1]);
        let asked = Study {
            laws: [before.law(&self.parameters, &self.regions, self.known_at), after.law(&law.parameters, &self.regions, self.known_at)],
            sides: [Message::new("现行", "in force"), Message::new("改动后", "edited")],
            set,
            catalogues: vec![law.checked.catalogue.clone()],
            ground: Ground::Held { dossiers: &self.dossiers, paid: &self.paid, refusals: &self.refusals, place: &|name| edit.place(name) },
            as_of: self.as_of,
            dimensions: dimension::usual().into_iter().filter(|dimension| dimension.banding == dimension::Banding::County).collect(),
            least: telling.least,
            people: telling.people,
            forecast: 0,
            threads: self.threads,
            progress: Arc::new(Silent),
            cancel: Cancel::default(),
        };
        let outcome = study(asked).await.map_err(|error| vec![error.into_diagnostic()])?;
        Ok(trial(outcome, seeds, reached, told, checking, watch.elapsed()))
    }
}

fn trial(
    outcome: Outcome,
    edited: BTreeSet<String>,
    reached: BTreeSet<String>,
    told: Vec<Diagnostic>,
    checking: Duration,
    all: Duration,
) -> Trial {
    let Outcome { results, changed, seconds, .. } = outcome;
    let stages = std::iter::once(("check", checking.as_secs_f64())).chain(seconds);
    let seconds = stages.chain([("total", all.as_secs_f64())]).collect();
    Trial { results, changed, edited, reached, told, seconds }
}

/// What an edit reaches, by the ties of before and those of after.
fn reached_of(seeds: &BTreeSet<String>, in_force: &[BTreeMap<String, CheckedPolicy>; 2]) -> BTreeSet<String> {
    let mut found = seeds.clone();
    loop {
        let once = reached(found.iter().cloned(), &in_force[0]);
        let both = reached(once, &in_force[1]);
        if both.len() == found.len() {
            return both;
        }
        found = both;
    }
}

/// Some of the policies of a side, in all their versions.
struct Narrow {
    documents: Vec<Arc<PolicyDocument>>,
    checked: Vec<CheckedPolicy>,
}

impl Narrow {
    fn of(documents: &[Arc<PolicyDocument>], checked: &[CheckedPolicy], wanted: &BTreeSet<String>) -> Self {
        Self {
            documents: documents.iter().filter(|document| wanted.contains(&document.code)).cloned().collect(),
            checked: checked.iter().filter(|policy| wanted.contains(&policy.document.code)).cloned().collect(),
        }
    }

    fn law<'a>(&'a self, parameters: &'a [Parameter], regions: &'a RegionTree, known_at: Option<NaiveDate>) -> Law<'a> {
        Law { documents: &self.documents, checked: &self.checked, parameters, regions, known_at }
    }
}
