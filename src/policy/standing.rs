//! Where a policy stands on a day: in force, not yet, ended, or replaced by another version.

use std::sync::Arc;

use chrono::NaiveDate;

use super::document::{Basis, PolicyDocument};
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

impl Basis {
    /// Its first day in force and the first day no longer, as far as the document's own time is known: as given, or as its
    /// text names its end (执行至2025年12月31日).
    #[must_use]
    pub fn time(&self) -> (Option<NaiveDate>, Option<NaiveDate>) {
        match self.in_force {
            Some((from, to)) => (Some(from), to),
            None => (None, self.text.as_deref().and_then(last_day_of).and_then(|day| day.succ_opt())),
        }
    }
}

/// The last day that a text names as its own end.
fn last_day_of(text: &str) -> Option<NaiveDate> {
    const WORDS: [&str; 7] = ["执行至", "施行至", "实施至", "有效期至", "有效期截至", "期限至", "执行期至"];
    let at = WORDS.iter().find_map(|words| text.find(words).map(|at| at + words.len()))?;
    let rest = &text[at..];
    let (year, rest) = rest.split_once('年')?;
    let (month, rest) = rest.split_once('月')?;
    let (day, _) = rest.split_once('日')?;
    NaiveDate::from_ymd_opt(year.trim().parse().ok()?, month.trim().parse().ok()?, day.trim().parse().ok()?)
}
