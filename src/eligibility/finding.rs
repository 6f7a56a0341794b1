//! What evaluation found, before resolution: who is a yes for what, who is unknown and why. Compact: a night has millions.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::texts::{OptionalTexts, Texts, Word, Words};
pub use crate::dossier::Cause;
use crate::register::declaration::SubjectKind;

/// A subject of one kind, by its place in [`Subjects`].
pub type SubjectIdx = u32;

/// A policy, by its place in the run's list of policies, which is sorted by code.
pub type PolicyIdx = u32;

/// The subjects of one kind that the findings speak of, with what results say of each.
#[derive(Debug, Default, Clone)]
pub struct Subjects {
    ids: Texts,
    regions: Vec<Word>,
    region_codes: Words,
    households: OptionalTexts,
    guardians: OptionalTexts,
    heads: OptionalTexts,
    legal_representatives: OptionalTexts,
}

/// One subject, to be entered.
#[derive(Debug, Default, Clone, Copy)]
pub struct Subject<'a> {
    /// Identifier.
    pub id: &'a str,
    /// Region code that decides where the subject is counted (residence, else hukou; entities: registered); empty when unknown.
    pub region: &'a str,
    /// The household of a person; none when unknown or for other kinds.
    pub household: Option<&'a str>,
    /// Who may receive a grant in the subject's stead, where a policy asks for it.
    pub payees: Payees<'a>,
}

/// Who may receive a grant in the subject's stead.
#[derive(Debug, Default, Clone, Copy)]
pub struct Payees<'a> {
    /// Mother, else father, else the head of the household.
    pub guardian: Option<&'a str>,
    /// Head of the household.
    pub head: Option<&'a str>,
    /// Legal representative of the entity.
    pub legal_representative: Option<&'a str>,
}

impl Subjects {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Enters a subject.
    pub fn push(&mut self, subject: &Subject<'_>) {
        self.ids.push(subject.id);
        let region = self.region_codes.word(subject.region);
        self.regions.push(region);
        self.households.push(subject.household);
        self.guardians.push(subject.payees.guardian);
        self.heads.push(subject.payees.head);
        self.legal_representatives.push(subject.payees.legal_representative);
    }

    /// Identifiers, by place.
    #[must_use]
    pub fn ids(&self) -> &Texts {
        &self.ids
    }

    /// The identifier of a subject.
    #[must_use]
    pub fn id(&self, subject: SubjectIdx) -> &str {
        self.ids.get(subject as usize)
    }

    /// Where a subject is counted; empty when unknown.
    #[must_use]
    pub fn region(&self, subject: SubjectIdx) -> &str {
        self.region_codes.get(self.region_code(subject))
    }

    /// The number of that region in [`Subjects::region_codes`].
    #[must_use]
    pub fn region_code(&self, subject: SubjectIdx) -> Word {
        self.regions[subject as usize]
    }

    /// The distinct regions.
    #[must_use]
    pub fn region_codes(&self) -> &Words {
        &self.region_codes
    }

    /// The household of a person.
    #[must_use]
    pub fn household(&self, subject: SubjectIdx) -> Option<&str> {
        self.households.get(subject as usize)
    }

    /// Who may receive a grant in the subject's stead.
    #[must_use]
    pub fn payees(&self, subject: SubjectIdx) -> Payees<'_> {
        let at = subject as usize;
        Payees { guardian: self.guardians.get(at), head: self.heads.get(at), legal_representative: self.legal_representatives.get(at) }
    }

    /// Enters all of another list, in order.
    pub fn append(&mut self, more: &Self) {
        self.ids.append(&more.ids);
        let words = self.region_codes.append(&more.region_codes);
        self.regions.extend(more.regions.iter().map(|word| words[word.index()]));
        self.households.append(&more.households);
        self.guardians.append(&more.guardians);
        self.heads.append(&more.heads);
        self.legal_representatives.append(&more.legal_representatives);
    }
}

/// An amount in hundredths of a unit, or none, in eight bytes. The least 64-bit number stands for none: it is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

impl Amount {
    /// No amount.
    pub const NONE: Self = Self(i64::MIN);

    /// The hundredths, where there is an amount.
    #[must_use]
    pub fn get(self) -> Option<i64> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl From<Option<i64>> for Amount {
    fn from(hundredths: Option<i64>) -> Self {
        Self(hundredths.unwrap_or(i64::MIN))
    }
}

/// What a budget and a cap ask of one finding; kept apart, for few policies have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// The value that a budget ranks by, as an exact order key; none when unknown (ranked last).
    pub rank: Option<i128>,
    /// The cap of the policy for this subject, in hundredths; none without one or when unknown.
    pub cap: Option<i64>,
}

/// The place of the limits of a finding in [`Findings::limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsIdx(NonZeroU32);

impl LimitsIdx {
    /// The place.
    ///
    /// # Panics
    ///
    /// When it does not fit 32 bits.
    #[must_use]
    pub fn new(place: usize) -> Self {
        Self(u32::try_from(place + 1).ok().and_then(NonZeroU32::new).expect("no list of a run has 2^32 entries"))
    }

    /// The place, counted from 0.
    #[must_use]
    pub fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// One yes, before resolution: one subject, one policy, one occasion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The subject, of the policy's kind.
    pub subject: SubjectIdx,
    /// The policy.
    pub policy: PolicyIdx,
    /// What for, where the policy has occasions; in [`Findings::words`].
    pub occasion: Option<Word>,
    /// For amounts per member: the member it is for; in [`Findings::words`].
    pub member: Option<Word>,
    /// Rank and cap, where the policy has a budget or cap.
    pub limits: Option<LimitsIdx>,
    /// The benefit has an amount, but a fact that it needs is unknown: the grant then goes to review without an amount.
    pub amount_unknown: bool,
    /// In hundredths of the unit, rounded; none when the benefit has no amount, or when a fact that it needs is unknown
    /// (see `amount_unknown`).
    pub amount: Amount,
    /// The yes criteria that carry the verdict, as bits by their order in the policy.
    pub reasons: u64,
}

/// One unknown verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFinding {
    /// The subject, of the policy's kind.
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
    /// Occasions and members.
    pub words: Words,
    /// What [`Finding::limits`] points to.
    pub limits: Vec<Limits>,
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

    /// Rank and cap of a finding; none where its policy has neither.
    #[must_use]
    pub fn limits_of(&self, finding: &Finding) -> Limits {
        finding.limits.map_or_else(Limits::default, |at| self.limits[at.place()])
    }

    /// The text of an occasion or a member.
    #[must_use]
    pub fn word(&self, word: Option<Word>) -> Option<&str> {
        word.map(|word| self.words.get(word))
    }
}
