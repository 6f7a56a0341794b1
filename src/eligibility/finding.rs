//! What evaluation found, before resolution: who is a yes for what, who is unknown and why. Compact: a night has millions.

use std::sync::Arc;

pub use crate::dossier::Cause;
use crate::register::declaration::SubjectKind;

/// A subject of one kind, by its place in [`Subjects`].
pub type SubjectIdx = u32;

/// A policy, by its place in the run's list of policies, which is sorted by code.
pub type PolicyIdx = u32;

/// The subjects of one kind that the findings speak of, with what results say of each. All vectors are equally long.
#[derive(Debug, Default, Clone)]
pub struct Subjects {
    /// Identifiers.
    pub ids: Vec<Arc<str>>,
    /// Region code that decides where the subject is counted (residence, else hukou; entities: registered); empty when unknown.
    pub regions: Vec<Arc<str>>,
    /// The household of a person; none when unknown or for other kinds.
    pub households: Vec<Option<Arc<str>>>,
    /// The head of a household, a guardian of a child, or the legal representative of an entity, where known.
    pub payees: Vec<Payees>,
}

/// Who may receive a grant in the subject's stead.
#[derive(Debug, Default, Clone)]
pub struct Payees {
    /// Mother, else father, else the head of the household.
    pub guardian: Option<Arc<str>>,
    /// Head of the household.
    pub head: Option<Arc<str>>,
    /// Legal representative of the entity.
    pub legal_representative: Option<Arc<str>>,
}

/// One yes, before resolution: one subject, one policy, one occasion.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: SubjectIdx,
    /// The policy.
    pub policy: PolicyIdx,
    /// What for, where the policy has occasions.
    pub occasion: Option<Arc<str>>,
    /// For amounts per member: the member it is for.
    pub member: Option<Arc<str>>,
    /// In hundredths of the unit, rounded; none when the benefit has no amount, or when a fact that it needs is unknown
    /// (see `amount_unknown`).
    pub amount: Option<i64>,
    /// The benefit has an amount, but a fact that it needs is unknown: the grant then goes to review without an amount.
    pub amount_unknown: bool,
    /// The yes criteria that carry the verdict, as bits by their order in the policy.
    pub reasons: u64,
    /// The value that a budget ranks by, as an exact order key; none when unknown (ranked last).
    pub rank: Option<i128>,
    /// The cap of the policy for this subject, in hundredths; none without one or when unknown.
    pub cap: Option<i64>,
}

/// One unknown verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFinding {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: SubjectIdx,
    /// The policy.
    pub policy: PolicyIdx,
    /// The minimal sets of facts that could make it yes, in [`Findings::missing`].
    pub missing: u32,
}

/// The minimal sets of facts that could make a verdict yes, with why each fact is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MissingSets {
    /// Sets of fact names, smallest first; each set sorted.
    pub sets: Vec<Vec<(Arc<str>, Cause)>>,
}

/// Counts of one policy in one county.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Covered subjects that meet all criteria.
    pub yes: u64,
    /// Covered subjects that fail one.
    pub no: u64,
    /// Neither is certain.
    pub unknown: u64,
    /// For each top-level criterion: how many are still yes, and how many still yes or unknown, after it and all before it.
    pub funnel: Vec<(u64, u64)>,
}

/// All that one run found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Persons, households, entities, in the order of [`SubjectKind::ALL`]. Only subjects that a finding or unknown speaks of need be here.
    pub subjects: [Subjects; 3],
    /// Yes, in any order.
    pub yes: Vec<Finding>,
    /// Unknown, in any order.
    pub unknown: Vec<UnknownFinding>,
    /// The distinct sets that [`UnknownFinding::missing`] points to.
    pub missing: Vec<MissingSets>,
    /// Per policy, counts by county code (empty text: county unknown).
    pub counts: Vec<std::collections::BTreeMap<Arc<str>, Counts>>,
    /// How many subjects of each kind were judged.
    pub judged: [u64; 3],
}

impl Findings {
    /// The subjects of a kind.
    #[must_use]
    pub fn subjects_of(&self, kind: SubjectKind) -> &Subjects {
        &self.subjects[kind as usize]
    }
}
