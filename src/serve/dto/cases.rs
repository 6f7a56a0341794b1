//! Cases: as lists show them, with all that happened, and the steps that are asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::diagnostics::Text;
use super::reason::Kind;

/// A case as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaseOf {
    /// Identifier: the same for the same grant.
    pub id: String,
    /// How many events it has: what `If-Match` names.
    pub version: u64,
    /// Code of the policy.
    pub policy: String,
    /// Name of the policy.
    pub name: Text,
    /// Kind of the subject.
    pub kind: Kind,
    /// The subject, masked unless the purpose allows more.
    #[schema(example = "3713**********1234")]
    pub subject: String,
    /// Where the subject is counted; empty when unknown.
    pub region: String,
    /// Code of the department that answers for it.
    pub department: String,
    /// The period of the grant; empty where it has none.
    pub period: String,
    /// What for.
    pub occasion: Option<String>,
    /// The member of the household whom it is for.
    pub member: Option<String>,
    /// What is to be paid; null for services.
    #[schema(example = "120.00")]
    pub amount: Option<String>,
    /// Unit of the amount.
    pub unit: String,
    /// The case that this one makes up for.
    pub corrects: Option<String>,
    /// Where it stands.
    #[schema(value_type = CaseStep)]
    pub step: &'static str,
    /// Why an official must look; empty where none must.
    pub reviews: Vec<Text>,
    /// What it waits for.
    pub waits_for: Text,
    /// The day by which something must happen; null where nothing must.
    #[schema(format = Date)]
    pub due: Option<String>,
    /// The steps that the caller may take now.
    #[schema(value_type = Vec<StepName>)]
    pub possible: Vec<&'static str>,
}

/// A case with all that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaseDetail {
    /// The case.
    pub case: CaseOf,
    /// Its events, oldest first.
    pub events: Vec<EventOf>,
    /// What was sent about it.
    pub messages: Vec<MessageOf>,
}

/// An event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventOf {
    /// Its number in the case, from 1.
    pub version: u64,
    /// When it was written.
    #[schema(format = DateTime)]
    pub at: String,
    /// The day that it is about; null where its content was erased.
    #[schema(format = Date)]
    pub day: Option<String>,
    /// Its word; null where its content was erased.
    #[schema(example = "published")]
    pub what: Option<&'static str>,
    /// In words.
    pub label: Text,
    /// Who acted; subjects are masked unless the purpose allows more.
    pub actor: Option<String>,
    /// The department of who acted.
    pub department: Option<String>,
    /// In which role: `system`, `official`, `subject`, `public`.
    pub role: Option<Text>,
    /// The amount that it is about.
    pub amount: Option<String>,
    /// In the actor's own words.
    pub note: String,
}

/// A message about a case.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessageOf {
    /// Identifier.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// `waiting`, `sent`, `dead`, `dropped`.
    pub state: &'static str,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseStep {
    /// Found, and nothing since.
    Found,
    /// Reviewed by all who must.
    Reviewed,
    /// On the list.
    Published,
    /// The subject was told.
    Told,
    /// The subject confirmed.
    Confirmed,
    /// The subject declined.
    Declined,
    /// Sent back to be looked at again.
    Returned,
    /// Paid, or otherwise received.
    Paid,
    /// Rated.
    Rated,
    /// Taken back.
    Withdrawn,
    /// Over.
    Closed,
}

/// A step that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Let it go on after a look.
    Review,
    /// Put it on the list.
    Publish,
    /// The subject was told, by word or letter.
    Tell,
    /// Take it.
    Confirm,
    /// Do not take it.
    Decline,
    /// Send it back to be looked at again; `note` says why.
    Return,
    /// Object; `note` says why.
    Object,
    /// Another amount; `note` says why.
    Correct,
    /// Take it back; `note` says why.
    Withdraw,
    /// It was paid.
    Pay,
    /// Rate it.
    Rate,
    /// Close it.
    Close,
    /// Apply the policy's rule where the days to reply are over.
    Lapse,
}

/// A step of a case.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepAsked {
    /// Which.
    pub step: StepName,
    /// With `correct`: the right amount. With `pay`: what was paid; none for services.
    #[serde(default)]
    #[schema(example = "120.00", max_length = 24)]
    pub amount: Option<String>,
    /// With `rate`: 1 to 5.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5)]
    pub stars: Option<u8>,
    /// In the actor's own words.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: String,
}
