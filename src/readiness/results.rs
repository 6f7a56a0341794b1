//! What readiness tells: plain rows that the terminal and JSON show.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use super::condition::Condition;
use super::lift::Lift;
use super::people::People;
use super::registers::{Freshness, RegisterState};
use super::stop::{ByKind, Effect};
use crate::diagnostic::Message;
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// The day.
    #[serde(serialize_with = "day_text")]
    pub as_of: NaiveDate,
    /// How many subjects were judged.
    pub judged: ByKind,
    /// The policies that were asked for, by code.
    pub policies: Vec<PolicyReadiness>,
    /// All registers, by name.
    pub registers: Vec<RegisterState>,
    /// What hangs on each register, by name; none where that was not asked for.
    pub loads: Option<Vec<RegisterLoad>>,
}

/// How the mode that a policy declares stands to the one that it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is the one.
    Fits,
    /// It declares a lighter one than its registers and its text carry.
    TooLight,
    /// A lighter one could be had.
    CouldBeLighter,
    /// It cannot be delivered on the day.
    NotInForce,
}

impl Fit {
    /// Of a declared mode and the one that is carried.
    #[must_use]
    pub fn of(declared: Mode, carried: Option<Mode>) -> Self {
        match carried {
            None => Self::NotInForce,
            Some(carried) if declared < carried => Self::TooLight,
            Some(carried) if carried < declared => Self::CouldBeLighter,
            Some(_) => Self::Fits,
        }
    }

    /// Whether somebody should look.
    #[must_use]
    pub fn is_finding(self) -> bool {
        matches!(self, Self::TooLight | Self::NotInForce)
    }
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyReadiness {
    /// Code.
    pub code: Arc<str>,
    /// Version.
    pub version: i64,
    /// Name.
    pub name: Message,
    /// Whose.
    pub kind: SubjectKind,
    /// Whether an authority's list decides (认定类), else registers do (数据比对类).
    pub listed: bool,
    /// The four conditions.
    pub conditions: Vec<Condition>,
    /// The people of the run; none where it is not in force on the day.
    pub people: Option<People>,
    /// The mode that the policy declares.
    pub declared: Mode,
    /// The mode that it can have today; none where it cannot be delivered.
    pub carried: Option<Mode>,
    /// The mode that it could have if all that is told under `lifts` were there.
    pub at_best: Option<Mode>,
    /// How the two stand to each other.
    pub fit: Fit,
    /// What would lift it, what settles most first.
    pub lifts: Vec<Lift>,
}

/// What a register is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// For facts and links.
    Facts,
    /// For what is paid already.
    Payments,
    /// For what subjects refused.
    Refusals,
    /// For identifiers that changed.
    Identities,
}

impl Role {
    /// Whether a run asks how old the register is.
    #[must_use]
    pub fn is_dated(self) -> bool {
        self == Self::Facts
    }
}

/// What hangs on one register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterLoad {
    /// How it stands.
    #[serde(flatten)]
    pub state: RegisterState,
    /// What it is read for.
    pub role: Role,
    /// Codes of the policies that read a fact or occasions of it, themselves, through links or computed facts.
    pub read_by: Vec<Arc<str>>,
    /// What happens if it does not come any more; none where it did not come already.
    pub stops: Option<Effect>,
    /// The days that it is taken to be late.
    pub late_days: u32,
    /// Whether that makes it stale.
    pub stale_when_late: bool,
    /// What happens then; none where it stays fresh, or is stale or absent already.
    pub late: Option<Effect>,
}

fn day_text<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

impl Readiness {
    /// The policies that declare a lighter mode than they can have, or cannot be delivered.
    pub fn findings(&self) -> impl Iterator<Item = &PolicyReadiness> {
        self.policies.iter().filter(|policy| policy.fit.is_finding())
    }

    /// The registers that are not fresh.
    pub fn silent(&self) -> impl Iterator<Item = &RegisterState> {
        self.registers.iter().filter(|state| state.freshness != Freshness::Fresh)
    }
}
