//! Many subjects at once, one JSON object per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::evaluation::{FactValue, facts_schema};
use super::reason::{Mode, Verdict};

/// One line that is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "a", "facts": {"birth_date": "1946-03-31", "hukou_region": "990102"}}))]
pub struct BulkLine {
    /// Told back; it need not be an identifier.
    #[serde(default)]
    #[schema(required = false)]
    pub id: String,
    /// The facts, by name; what is not given is unknown, computed facts are computed.
    #[schema(schema_with = facts_schema)]
    pub facts: BTreeMap<String, Option<FactValue>>,
}

/// One line that comes back, in the order of those sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkAnswer {
    /// As it was sent.
    pub id: String,
    /// The policies that are a yes or unknown, by code; the others are a no, or do not cover the subject.
    pub policies: Vec<BulkVerdict>,
    /// Why the line could not be judged; the lines behind it are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub error: Option<String>,
}

/// One policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkVerdict {
    /// Its code.
    pub policy: String,
    /// Yes or unknown.
    pub verdict: Verdict,
    /// What a yes is worth, decimal text.
    pub amount: Option<String>,
    /// How it reaches the subject.
    pub mode: Option<Mode>,
    /// Of an unknown, the minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<String>>,
    /// The policy that the subject has instead.
    pub given_up_for: Option<String>,
}
