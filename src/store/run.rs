//! What a stored run was: its number, day, manifest, policies and facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::dossier::Cause;
use crate::eligibility::results::manifest::Manifest;
use crate::register::declaration::SubjectKind;

/// The number of a run: counts up from 1 in one store, and is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// One line about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its number; given when it is loaded.
    pub id: RunId,
    /// The day that its verdicts are about.
    pub as_of: NaiveDate,
    /// When it was loaded, in microseconds since 1970 (UTC).
    pub loaded_at: i64,
    /// How many subjects of each kind are stored, in the order of [`SubjectKind::ALL`].
    pub subjects: [u64; 3],
    /// Grants to be delivered.
    pub granted: u64,
}

/// What a run was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number, and what a list of runs tells.
    pub summary: RunSummary,
    /// The manifest, as beside the result files.
    pub manifest: Manifest,
    /// The policies that were judged, by code; [`super::StoredSubject`] speaks of them by code.
    pub policies: Vec<RunPolicy>,
    /// The registers that gave nothing, and why: `missing` (absent on purpose) or `stale`.
    pub silent: BTreeMap<Arc<str>, Cause>,
    /// The day that each register's delivery speaks for.
    pub data_days: BTreeMap<Arc<str>, NaiveDate>,
    /// The names of the stored facts of each kind, sorted, in the order of [`SubjectKind::ALL`]. Facts of linked subjects are
    /// named by way of the link (`household.income_per_capita`); computed facts are not stored, but what they are computed from.
    pub facts: [Vec<Arc<str>>; 3],
}

impl Run {
    /// A policy of the run.
    #[must_use]
    pub fn policy(&self, code: &str) -> Option<&RunPolicy> {
        let at = self.policies.binary_search_by(|policy| (*policy.code).cmp(code)).ok()?;
        Some(&self.policies[at])
    }

    /// The facts that are stored of a kind.
    #[must_use]
    pub fn facts_of(&self, kind: SubjectKind) -> &[Arc<str>] {
        &self.facts[kind as usize]
    }
}

/// A policy as a run judged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPolicy {
    /// One item, one code.
    pub code: Arc<str>,
    /// Version.
    pub version: i64,
    /// Who is judged.
    pub kind: SubjectKind,
    /// Unit of amounts.
    pub unit: Arc<str>,
    /// The period that grants of the run are for: `2026-06`, `2026`, `2026-06-30`, or empty.
    pub period: Arc<str>,
    /// Identifiers of its criteria, in their order.
    pub criteria: Vec<Arc<str>>,
}

/// A file of the policies folder as it was when a run read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// From the folder, with `/`.
    pub path: String,
    /// What stood in it.
    pub text: String,
}
