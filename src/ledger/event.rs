//! What happened to a case, one event at a time: JSON, with the version of its form.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::case::Why;
use super::plan::Plan;
use super::written;
use crate::register::declaration::SubjectKind;

/// The version of the form that events are written in.
pub const VERSION: u32 = 1;

/// One event of a case. The store knows when it was written; `day` is the day that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The form: [`VERSION`].
    pub v: u32,
    /// The day, as deadlines count.
    #[serde(with = "written::day")]
    pub day: NaiveDate,
    /// Who acted.
    pub actor: Actor,
    /// In his own words; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The request that asked for it; empty for none. The same request changes nothing again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The real name; of a machine, what it is called.
    pub name: String,
    /// The caller's identifier, where one is known: subject of the token, or identifier of the key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Code of the department; empty for subjects and machines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub department: String,
    /// In which role.
    pub role: Role,
}

impl Actor {
    /// The program itself, under the name of what it does.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self { name: name.to_owned(), id: String::new(), department: String::new(), role: Role::System }
    }

    /// An official of a department.
    pub fn official(name: impl Into<String>, id: impl Into<String>, department: impl Into<String>) -> Self {
        Self { name: name.into(), id: id.into(), department: department.into(), role: Role::Official }
    }

    /// The subject, or who acts for it.
    pub fn subject(name: impl Into<String>, id: impl Into<String>) -> Self {
        Self { name: name.into(), id: id.into(), department: String::new(), role: Role::Subject }
    }

    /// Whether two are one and the same person, as far as names and identifiers tell.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name || (!self.id.is_empty() && self.id == other.id)
    }
}

/// In which role somebody acts on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The program, by the policy's rule.
    System,
    /// A named official of the department.
    Official,
    /// The subject of the grant, or who acts for it.
    Subject,
    /// Somebody else, who objects to what was published.
    Public,
}

/// The grant that a case is about, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Kind of the subject: `person`, `household`, `entity`.
    #[serde(with = "kind")]
    pub kind: SubjectKind,
    /// The subject.
    pub subject: String,
    /// Code of the policy.
    pub policy: String,
    /// Version of the policy.
    pub version: i64,
    /// The department that answers for it.
    pub department: String,
    /// Where the subject is counted; empty when unknown.
    #[serde(default)]
    pub region: String,
    /// `2026-06`, `2026`, `2026-06-30`; empty when it is given once.
    #[serde(default)]
    pub period: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<String>,
    /// The member of the household whom it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Who receives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<String>,
    /// In hundredths of the unit; none for services and where a fact that it needs is unknown.
    #[serde(default, with = "written")]
    pub amount: Option<i64>,
    /// Unit of the amount.
    #[serde(default)]
    pub unit: String,
    /// Criteria that carry the verdict.
    #[serde(default)]
    pub reasons: Vec<String>,
}

mod kind {
    //! The kind of a subject by its word.
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::register::declaration::SubjectKind;

    pub(super) fn serialize<S: Serializer>(kind: &SubjectKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SubjectKind, D::Error> {
        SubjectKind::named(&String::deserialize(from)?).ok_or_else(|| de::Error::custom("no kind of subject"))
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "events are read one case at a time")]
pub enum What {
    /// The grant was found: the case begins.
    Found {
        /// The grant.
        grant: Grant,
        /// Which steps the case has.
        plan: Plan,
        /// The case that it makes up for, where a recomputed grant owes more than was reckoned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<String>,
    },
    /// An official looked, and lets it go on.
    Reviewed,
    /// It stands on the published list.
    Published,
    /// The subject was told, or sent something: by which channel, with which message.
    Told {
        /// The channel.
        channel: String,
        /// Identifier of the message; empty where an official told by word or letter.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// The subject was sent something that no step waits for: that its list is public, that it was paid.
    Sent {
        /// The channel.
        channel: String,
        /// Identifier of the message.
        message: String,
    },
    /// A message to the subject was given up: the channel did not take it.
    Untold {
        /// The channel.
        channel: String,
        /// Identifier of the message.
        message: String,
    },
    /// The subject confirms; `by_rule` where it did not reply and the policy gives it.
    Confirmed {
        /// Whether by the policy's rule for no reply.
        #[serde(default)]
        by_rule: bool,
    },
    /// The subject does not want it.
    Declined,
    /// An official sends it back to be looked at again.
    Returned,
    /// Somebody objects.
    Objected,
    /// The amount was wrong.
    Corrected {
        /// Before.
        #[serde(default, with = "written")]
        before: Option<i64>,
        /// After.
        #[serde(default, with = "written")]
        after: Option<i64>,
    },
    /// The grant was recomputed after it was reckoned: what it comes to now, and the case that gives the rest.
    Reckoned {
        /// What it comes to now.
        #[serde(default, with = "written")]
        now: Option<i64>,
        /// The case that gives what is owed beside; none where nothing is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<String>,
        /// What that case gives.
        #[serde(default, with = "written")]
        more: Option<i64>,
    },
    /// A review is asked for.
    Questioned {
        /// Why.
        why: Why,
        /// What it is about in money: what the subject might have had too much.
        #[serde(default, with = "written")]
        amount: Option<i64>,
    },
    /// What was lost is there again.
    Regained,
    /// An official takes it back before it was paid.
    Withdrawn,
    /// Paid, or otherwise received.
    Paid {
        /// How much; none for services.
        #[serde(default, with = "written")]
        amount: Option<i64>,
    },
    /// The subject rates it: 1 to 5.
    Rated {
        /// Stars.
        stars: u8,
    },
    /// Over; `by_rule` where the subject did not reply and the policy ends it.
    Closed {
        /// Whether by the policy's rule for no reply.
        #[serde(default)]
        by_rule: bool,
    },
}

impl What {
    /// The word in events, commands and lists.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Reviewed => "reviewed",
            Self::Published => "published",
            Self::Told { .. } => "told",
            Self::Sent { .. } => "sent",
            Self::Untold { .. } => "untold",
            Self::Confirmed { .. } => "confirmed",
            Self::Declined => "declined",
            Self::Returned => "returned",
            Self::Objected => "objected",
            Self::Corrected { .. } => "corrected",
            Self::Reckoned { .. } => "reckoned",
            Self::Questioned { .. } => "questioned",
            Self::Regained => "regained",
            Self::Withdrawn => "withdrawn",
            Self::Paid { .. } => "paid",
            Self::Rated { .. } => "rated",
            Self::Closed { .. } => "closed",
        }
    }
}
