//! One stored subject: its services, its dossier, what would be if, and who looked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::diagnostics::Text;
use super::evaluation::{Judged, NamedFact, Question, facts_schema};
use super::policies::{Authority, FactType};
use super::reason::{Kind, Mode, RegisterReason, Why};
use crate::serve::judging::Posted;
use crate::serve::standing::Source;

/// A subject, as far as it may be shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubjectOf {
    /// Its kind.
    pub kind: Kind,
    /// Its identifier, masked unless the purpose allows more.
    #[schema(example = "3713**********1234")]
    pub id: String,
}

/// The run of the night that is served: aggregates are of it, and what a budget is shared out of.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunOf {
    /// Its number.
    pub id: u64,
    /// The day that its verdicts are about.
    #[schema(format = Date)]
    pub as_of: String,
}

/// Where an answer about a subject comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceOf {
    /// The run of the night.
    Run,
    /// What the stream keeps: registers as they are now. Grants of policies with a budget stay those of the run until the next
    /// round; who came since waits for it.
    Stream,
}

impl From<Source> for SourceOf {
    fn from(source: Source) -> Self {
        match source {
            Source::Run => Self::Run,
            Source::Stream => Self::Stream,
        }
    }
}

/// What an answer about a subject rests on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BasisOf {
    /// Where it comes from.
    pub source: SourceOf,
    /// The day that its verdicts are about.
    #[schema(format = Date)]
    pub as_of: String,
}

/// How a subject stands with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStanding {
    /// Owed, and given without asking.
    Granted,
    /// Owed, one confirmation away.
    ToConfirm,
    /// One commitment away (告知承诺): owed, or unknown, where `question` says for which facts.
    ToCommit,
    /// Owed, and an official decides.
    InReview,
    /// Owed, behind a budget that is used up, or that is shared out in the next round.
    Waiting,
    /// Given already for this period.
    Given,
    /// Unknown: `question` says what would settle it.
    Unknown,
    /// Not yet, but by time alone: `from` says from when.
    Soon,
    /// Owed, and the subject does not want it.
    Refused,
}

/// One service of a subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceOf {
    /// How the subject stands with it.
    pub standing: ServiceStanding,
    /// Code of the policy.
    pub policy: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: Text,
    /// Who answers for it; null where the policies folder has it no more.
    pub authority: Option<Authority>,
    /// Of a grant: its identifier, the same in every run.
    pub grant_id: Option<String>,
    /// Decimal text; null: no amount, or it is not known.
    pub amount: Option<String>,
    /// Unit of the amount.
    pub unit: String,
    /// The period that it is for: `2026-06`, `2026`, `2026-06-30`, or empty for what is given once.
    pub period: String,
    /// What for, where a subject can have several in a period.
    pub occasion: Option<String>,
    /// The member of the household whom it is for, masked unless the purpose allows more.
    pub member: Option<String>,
    /// Who receives it, masked unless the purpose allows more.
    pub payee: Option<String>,
    /// How it reaches the subject.
    pub mode: Option<Mode>,
    /// Identifiers of the criteria that carry the verdict.
    pub criteria: Vec<String>,
    /// Of an unknown, the minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<NamedFact>>,
    /// What would settle it.
    pub question: Option<Question>,
    /// From which day on, for `soon`.
    #[schema(format = Date)]
    pub from: Option<String>,
}

/// The services that find a subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// Whose.
    pub subject: SubjectOf,
    /// The run of the night.
    pub run: RunOf,
    /// What the services rest on.
    pub basis: BasisOf,
    /// By standing, then by policy.
    pub services: Vec<ServiceOf>,
}

/// A fact of a dossier.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierFact {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// What values it has.
    #[serde(rename = "type")]
    pub fact_type: FactType,
    /// The value for tools: true or false, or exact text; null: unknown.
    pub value: Option<serde_json::Value>,
    /// The value for people; null: unknown.
    pub shown: Option<Text>,
    /// Why it is unknown.
    pub cause: Option<Why>,
    /// The registers that it rests on, the one that answers for it first.
    #[schema(value_type = Vec<RegisterReason>)]
    pub registers: Vec<crate::explain::reason::RegisterReason>,
}

/// A dossier (一人一档), as far as the purpose may see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierOf {
    /// Whose.
    pub subject: SubjectOf,
    /// The run of the night.
    pub run: RunOf,
    /// What the dossier rests on.
    pub basis: BasisOf,
    /// The region that the subject is counted in; empty when unknown.
    pub region: String,
    /// The household of a person, masked unless the purpose allows more.
    pub household: Option<String>,
    /// The members of a household, masked unless the purpose allows more.
    pub members: Vec<String>,
    /// The facts that the purpose may see, by name.
    pub facts: Vec<DossierFact>,
    /// How many more facts there are that the purpose may not see.
    pub withheld: usize,
}

/// What would be different.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"changes": {"residence_region": "990101"}, "as_of": "2027-01-01"}))]
pub struct WhatIf {
    /// Facts that would be otherwise, by name; null: would not be known.
    #[serde(default)]
    #[schema(schema_with = facts_schema, required = false)]
    pub changes: Posted,
    /// Another day; what registers say stays as it is.
    #[schema(format = Date)]
    pub as_of: Option<String>,
    /// Only these policies, by code.
    pub policies: Option<Vec<String>>,
    /// Only the policies of this bundle.
    pub bundle: Option<String>,
}

/// One policy before and after.
#[derive(Debug, Serialize, ToSchema)]
pub struct Compared {
    /// As things are.
    pub before: Option<Judged>,
    /// As they would be.
    pub after: Option<Judged>,
}

/// What would be different.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhatIfAnswer {
    /// Whose.
    pub subject: SubjectOf,
    /// The run of the night.
    pub run: RunOf,
    /// What the subject's facts rest on.
    pub basis: BasisOf,
    /// The day of the change.
    #[schema(format = Date)]
    pub as_of: String,
    /// The policies whose verdict, amount or delivery differ, by code. Before, they are as the stored facts and the policies
    /// of today have it.
    pub changed: Vec<Compared>,
    /// How many do not differ.
    pub unchanged: usize,
}

/// One look at somebody's data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Look {
    /// Number of the entry in the access trail.
    pub entry: u64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The real name of who looked; null: erased.
    pub who: Option<String>,
    /// In which role.
    pub role: Option<String>,
    /// For which purpose.
    pub purpose: Option<String>,
    /// What was done: `read_services`, `explain`, `read_dossier`, `what_if`, `read_trail`, …
    pub action: Option<String>,
    /// What was given out: codes of policies, names of facts.
    pub items: Vec<String>,
}
