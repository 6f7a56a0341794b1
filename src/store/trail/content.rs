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

impl Content {
    /// Whether it is never erased: what says which contents were erased.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.action == Action::Erase
    }
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
    /// Content of the trail was erased; `items` say which entries.
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

/// The entry that says what was erased.
#[must_use]
pub fn erasing(erasure: &Erasure, seqs: &[Seq]) -> Content {
    let mut items = Vec::new();
    for stretch in seqs.chunk_by(|one, next| one + 1 == *next) {
        match stretch {
            [one] => items.push(one.to_string()),
            [first, .., last] => items.push(format!("{first}-{last}")),
            [] => {}
        }
    }
    Content {
        who: erasure.who.clone(),
        role: "administrator".to_owned(),
        caller: String::new(),
        purpose: "erase".to_owned(),
        action: Action::Erase,
        subject: None,
        items,
        note: erasure.reason.clone(),
    }
}

/// The entries that an entry says were erased, as ranges.
#[must_use]
pub fn erased(content: &Content) -> Vec<(Seq, Seq)> {
    if content.action != Action::Erase {
        return Vec::new();
    }
    let range = |item: &String| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    content.items.iter().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_is_told_in_ranges() {
        let erasure = Erasure { selection: Selection::Entries(Vec::new()), who: "李四".to_owned(), reason: "申请".to_owned() };
        let said = erasing(&erasure, &[1, 2, 3, 7, 9, 10]);
        assert_eq!(said.items, ["1-3", "7", "9-10"]);
        assert_eq!(erased(&said), [(1, 3), (7, 7), (9, 10)]);
        assert!(erased(&Content { action: Action::Bulk, ..said }).is_empty());
    }
}
