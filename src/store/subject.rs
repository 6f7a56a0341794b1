//! All that a run says of one subject, as plain data.

use std::sync::Arc;

use crate::check::ir::Value;
use crate::dossier::Cause;
use crate::eligibility::grant::{GrantId, Status};
use crate::explain::Verdict;
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;

/// One subject: its dossier, and what every policy means for it. Lists are sorted by their first fields.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSubject {
    /// Kind.
    pub kind: SubjectKind,
    /// Identifier.
    pub id: String,
    /// The region that it is counted in (residence, else hukou; entities: registered), as results have it; empty when unknown.
    pub region: Arc<str>,
    /// The household of a person; none when unknown and for other kinds.
    pub household: Option<String>,
    /// The members of a household, sorted; empty for other kinds.
    pub members: Vec<String>,
    /// Every stored fact of the kind, known or not, by name: see [`super::Run::facts`].
    pub facts: Vec<StoredFact>,
    /// Verdicts after `requires`, by policy. Policies that are left out do not cover the subject ([`Verdict::Outside`]).
    pub verdicts: Vec<StoredVerdict>,
    /// What is owed, also what waits or was refused; in the order of results.
    pub grants: Vec<StoredGrant>,
    /// Yes verdicts whose grant is paid already.
    pub given: Vec<StoredGiven>,
    /// Unknowns that a commitment may settle.
    pub offers: Vec<StoredOffer>,
    /// What each unknown verdict lacks.
    pub unknowns: Vec<StoredUnknown>,
    /// Where registers, or registers and the run, disagree about the subject.
    pub conflicts: Vec<StoredConflict>,
    /// Registers that have a row about the subject in quarantine, sorted.
    pub set_aside: Vec<Arc<str>>,
}

impl StoredSubject {
    /// Somebody whom no register lists: nothing stands of them.
    #[must_use]
    pub fn nobody(kind: SubjectKind, id: &str) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            region: "".into(),
            household: None,
            members: Vec::new(),
            facts: Vec::new(),
            verdicts: Vec::new(),
            grants: Vec::new(),
            given: Vec::new(),
            offers: Vec::new(),
            unknowns: Vec::new(),
            conflicts: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// What is known of a fact; none for a fact that is not stored.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&FactState> {
        let at = self.facts.binary_search_by(|fact| (*fact.name).cmp(name)).ok()?;
        Some(&self.facts[at].state)
    }

    /// The value of a fact; none when it is unknown or not stored.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        match self.fact(name)? {
            FactState::Known(value) => Some(value),
            FactState::Unknown(_) => None,
        }
    }

    /// The verdict of a policy.
    #[must_use]
    pub fn verdict(&self, policy: &str) -> Verdict {
        let at = self.verdicts.binary_search_by(|verdict| (*verdict.policy).cmp(policy));
        at.map_or(Verdict::Outside, |at| self.verdicts[at].verdict)
    }
}

/// A fact of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFact {
    /// Its name.
    pub name: Arc<str>,
    /// What is known.
    pub state: FactState,
}

/// What is known of a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum FactState {
    /// Its value.
    Known(Value),
    /// Nothing, and why.
    Unknown(Cause),
}

/// The verdict of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// Code of the policy.
    pub policy: Arc<str>,
    /// Yes, no or unknown.
    pub verdict: Verdict,
}

/// What is owed: one row of `grants`.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredGrant {
    /// Code of the policy.
    pub policy: Arc<str>,
    /// Stable across runs.
    pub grant_id: GrantId,
    /// What for, where the policy has occasions.
    pub occasion: Option<String>,
    /// The member of the household whom the amount is for.
    pub member: Option<String>,
    /// Who receives it; none when the policy names somebody whom no register shows.
    pub payee: Option<String>,
    /// In hundredths of the policy's unit; none for services and where a fact that it needs is unknown.
    pub amount: Option<i64>,
    /// Before caps and budget, in hundredths.
    pub full_amount: Option<i64>,
    /// How it reaches the subject.
    pub mode: Mode,
    /// Whether the subject may be told of it.
    pub notify: bool,
    /// What becomes of it.
    pub status: Status,
    /// Identifiers of the criteria that carry the verdict.
    pub reasons: Vec<Arc<str>>,
}

/// A yes that is paid already: one row of `given`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGiven {
    /// Code of the policy.
    pub policy: Arc<str>,
    /// What for.
    pub occasion: Option<String>,
    /// The member whom it is for.
    pub member: Option<String>,
    /// What it is worth today, in hundredths.
    pub amount: Option<i64>,
}

/// An unknown that a commitment may settle: one row of `offers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffer {
    /// Code of the policy.
    pub policy: Arc<str>,
    /// Exactly the facts to commit to, with why each is unknown.
    pub facts: Vec<(Arc<str>, Cause)>,
    /// Whether the subject may be told of it.
    pub notify: bool,
}

/// What an unknown verdict lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUnknown {
    /// Code of the policy.
    pub policy: Arc<str>,
    /// The minimal sets of facts that could make it yes, smallest first.
    pub missing: Vec<Vec<(Arc<str>, Cause)>>,
    /// Whether an offer may settle it.
    pub offered: bool,
    /// Whether result files tell it only as a data request: all that it lacks is unknown for a whole register.
    pub told_once: bool,
}

/// Two sources that disagree about the subject: one row of `conflicts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConflict {
    /// The fact, or `amount` where a paid amount is not today's.
    pub fact: Arc<str>,
    /// The policy of a paid amount; none for facts.
    pub policy: Option<Arc<str>>,
    /// The period of a paid amount.
    pub period: Option<Arc<str>>,
    /// The occasion of a paid amount.
    pub occasion: Option<Arc<str>>,
    /// The source that has the authority; `match` for the amount of the run.
    pub source: Arc<str>,
    /// What it says.
    pub value: Arc<str>,
    /// The source that disagrees.
    pub other_source: Arc<str>,
    /// What that one says.
    pub other_value: Arc<str>,
}
