//! Where a policy stands on a day: in force, not yet, ended, or replaced by another version.

use std::sync::Arc;

use chrono::NaiveDate;

use super::document::PolicyDocument;
use super::period::holds;
use super::versions::select;
use crate::diagnostic::Message;

/// Where a policy stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is the law of the day.
    InForce,
    /// Its first day is still to come.
    NotYet,
    /// It has ended, and no other version is in force.
    Ended,
    /// Another version of the same code is in force instead.
    Replaced,
}

impl Standing {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::NotYet => "not-yet",
            Self::Ended => "ended",
            Self::Replaced => "replaced",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::InForce => Message::new("有效", "in force"),
            Self::NotYet => Message::new("未生效", "not yet"),
            Self::Ended => Message::new("已失效", "ended"),
            Self::Replaced => Message::new("已被替代", "replaced"),
        }
    }
}

/// The standing of each policy on `as_of`, in the order given; `policies` holds all versions.
#[must_use]
pub fn standings(policies: &[Arc<PolicyDocument>], as_of: NaiveDate) -> Vec<Standing> {
    let chosen = select(policies, as_of, None);
    let standing = |policy: &Arc<PolicyDocument>| {
        let law = chosen.iter().find(|law| law.code == policy.code);
        if law.is_some_and(|law| Arc::ptr_eq(law, policy)) {
            Standing::InForce
        } else if policy.in_force_from > as_of {
            Standing::NotYet
        } else if law.is_some() || holds(policy.in_force_from, policy.in_force_to, as_of) {
            Standing::Replaced
        } else {
            Standing::Ended
        }
    };
    policies.iter().map(standing).collect()
}
