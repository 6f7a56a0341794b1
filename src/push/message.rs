//! A message as a channel carries it: JSON, versioned, with an identifier that is the same for the same occasion to tell.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::diagnostic;
use crate::hex;

/// The version of the JSON. A receiver that knows it may meet keys that it does not know.
pub const VERSION: u32 = 1;

/// What a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something is owed and will be given without an application.
    Found,
    /// Something is owed; one confirmation brings it.
    ToConfirm,
    /// Something may be owed; a commitment for named facts brings it.
    ToCommit,
    /// The list that the subject stands on is public.
    Published,
    /// A confirmation is still missing.
    Reminder,
    /// An official has decided.
    ReviewResult,
    /// It was paid.
    Paid,
    /// An amount or a fact of a case was put right.
    Corrected,
    /// What became of an objection.
    ObjectionResult,
}

impl Kind {
    /// All, in order.
    pub const ALL: [Self; 9] = [
        Self::Found,
        Self::ToConfirm,
        Self::ToCommit,
        Self::Published,
        Self::Reminder,
        Self::ReviewResult,
        Self::Paid,
        Self::Corrected,
        Self::ObjectionResult,
    ];

    /// The word in messages and template files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::ToConfirm => "to_confirm",
            Self::ToCommit => "to_commit",
            Self::Published => "published",
            Self::Reminder => "reminder",
            Self::ReviewResult => "review_result",
            Self::Paid => "paid",
            Self::Corrected => "corrected",
            Self::ObjectionResult => "objection_result",
        }
    }
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Text {
    /// 中文
    pub zh: String,
    /// English
    pub en: String,
}

impl From<&diagnostic::Message> for Text {
    fn from(message: &diagnostic::Message) -> Self {
        use diagnostic::Lang::{En, Zh};
        Self { zh: message.get(Zh).to_owned(), en: message.get(En).to_owned() }
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// [`VERSION`].
    pub version: u32,
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it tells.
    pub kind: Kind,
    /// Counts from 1: the second reminder is another message than the first.
    pub number: u32,
    /// When it was asked for, UTC: `2026-06-30T08:00:00Z`.
    pub at: String,
    /// Whom it is about.
    pub subject: Subject,
    /// The bundle (一件事) that its items belong to; null for a single item.
    pub bundle: Option<Bundle>,
    /// One line.
    pub title: Text,
    /// All of it, in plain words.
    pub text: Text,
    /// The cases, by policy.
    pub items: Vec<Item>,
}

/// Whom a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `person`, `household` or `entity`.
    pub kind: String,
    /// The identifier in full: the channel finds by it how to reach the subject.
    pub id: String,
    /// The identifier as it may be shown.
    pub masked: String,
}

/// Policies that one life event delivers together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: Text,
}

/// One case of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The case.
    pub case: String,
    /// The policy.
    pub policy: Policy,
    /// How it reaches the subject: `automatic`, `confirm`, `commit`, `review`.
    pub mode: String,
    /// Decimal text with two places; null: a service, or not known yet.
    pub amount: Option<String>,
    /// Unit of the amount, `CNY`.
    pub unit: String,
    /// `2026-06`, `2026`, `2026-06-30`, or empty.
    pub period: String,
    /// What for, where the policy has occasions.
    pub occasion: Option<String>,
    /// The member of the household whom it is for.
    pub member: Option<String>,
    /// Who receives it; null where nobody is known yet.
    pub payee: Option<String>,
    /// The conditions that carry the yes, each with its clause.
    pub reasons: Vec<Reason>,
    /// The day by which an answer is asked for, or up to which a list is public.
    pub until: Option<String>,
    /// Where the subject sees the case and confirms; null where no address is set.
    pub link: Option<String>,
    /// Where the subject refuses or objects; null where no address is set: then it turns to the authority.
    pub object: Option<String>,
}

/// The policy of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// One item, one code.
    pub code: String,
    /// Version.
    pub version: i64,
    /// Name.
    pub name: Text,
    /// The authority that answers for it.
    pub authority: String,
}

/// A condition that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// In plain words.
    pub label: Text,
    /// The clause with its document; null where none is named.
    pub clause: Option<String>,
}

/// The identifier of a message: the first half of the SHA-256 of what is told, its number and the cases in order, each part
/// closed by a zero byte.
#[must_use]
pub fn id<'a>(kind: Kind, number: u32, cases: impl IntoIterator<Item = &'a str>) -> String {
    let mut cases: Vec<&str> = cases.into_iter().collect();
    cases.sort_unstable();
    let mut hash = Sha256::new();
    for part in [kind.name(), &number.to_string()].into_iter().chain(cases) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::digits(&hash.finalize()[..16])
}

/// A text as it may be shown to others than the subject: the tokens of links are the subject's alone.
#[must_use]
pub fn without_tokens(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("?t=") {
        let (before, token) = rest.split_at(at + "?t=".len());
        shown.push_str(before);
        shown.push('…');
        rest = token.trim_start_matches(|sign: char| sign.is_ascii_hexdigit() || sign == '.');
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stands_for_what_is_told_of_which_cases() {
        let one = id(Kind::Found, 1, ["a", "b"]);
        assert_eq!(one.len(), 32);
        assert_eq!(one, id(Kind::Found, 1, ["b", "a"]), "the order in which cases are named is no matter");
        let others = [id(Kind::Found, 2, ["a", "b"]), id(Kind::Paid, 1, ["a", "b"]), id(Kind::Found, 1, ["ab"]), id(Kind::Found, 1, ["a"])];
        assert!(others.iter().all(|other| *other != one));
    }

    #[test]
    fn tokens_of_links_are_not_shown() {
        assert_eq!(
            without_tokens("确认: https://x/cases/1?t=6b49.0aF1 不需要: https://x/1?t=1.2。"),
            "确认: https://x/cases/1?t=… 不需要: https://x/1?t=…。"
        );
        assert_eq!(without_tokens("without"), "without");
    }

    #[test]
    fn kinds_have_the_words_of_the_json() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
        }
    }
}
