//! What an entry of the trail says.

use serde::{Deserialize, Serialize};

use super::chain::Seq;

/// What an entry says: who did what to whose data, and why. This is personal content: it lies apart from the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The real name of who asked; of a machine, the name that it is registered under.
    pub who: String,
    /// In which role: `citizen`, `handler`, `author`, `auditor`, `administrator`.
    pub role: String,
    /// The caller's identifier: subject of the token, or identifier of the API key. Never the key.
    pub caller: String,
    /// The purpose that the request named.
    pub purpose: String,
    /// What was done.
    pub action: Action,
    /// Whose data; none for what concerns no single subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// What was given out: names of facts, codes of policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Anything else worth knowing: the route, the number of subjects of a bulk request, a reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The services of a subject were read.
    ReadServices,
    /// A verdict was explained.
    Explain,
    /// A dossier was read.
    ReadDossier,
    /// A stored dossier was judged with changes.
    WhatIf,
    /// Facts that the caller posted were judged.
    Evaluate,
    /// Many subjects were matched or listed.
    Bulk,
    /// The trail itself was read.
    ReadTrail,
    /// Something was changed: policies, keys, settings.
    Change,
    /// Access was refused.
    Refused,
    /// Content of the trail was erased; `erased` of the note says which.
    Erase,
}

impl Action {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadServices => "read_services",
            Self::Explain => "explain",
            Self::ReadDossier => "read_dossier",
            Self::WhatIf => "what_if",
            Self::Evaluate => "evaluate",
            Self::Bulk => "bulk",
            Self::ReadTrail => "read_trail",
            Self::Change => "change",
            Self::Refused => "refused",
            Self::Erase => "erase",
        }
    }
}

/// A subject, by kind and identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// `person`, `household` or `entity`.
    pub kind: String,
    /// The one form of its identifier.
    pub id: String,
}

/// Which content is to be erased, by whom, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Which.
    pub selection: Selection,
    /// The real name of who erases.
    pub who: String,
    /// The legal ground or request.
    pub reason: String,
}

/// Which entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All about a subject.
    About(Subject),
    /// All before a time, in microseconds since 1970 (UTC).
    Before(i64),
    /// These.
    Entries(Vec<Seq>),
}
