//! Runs as wholes: what was read, what came out, who is covered, what data would help.

use serde::Serialize;
use utoipa::ToSchema;

use super::reason::Kind;

/// One line about a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunSummary {
    /// Its number.
    pub id: u64,
    /// The day that its verdicts are about.
    #[schema(format = Date)]
    pub as_of: String,
    /// When it was loaded.
    #[schema(format = DateTime)]
    pub loaded_at: String,
    /// How many persons are stored.
    pub persons: u64,
    /// How many households.
    pub households: u64,
    /// How many entities.
    pub entities: u64,
    /// Grants to be delivered.
    pub granted: u64,
}

/// A run, with its manifest as it lies beside the result files.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunDetail {
    /// What a list tells.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Inputs with SHA-256 and data days, policies with versions, counts.
    #[schema(value_type = Object)]
    pub manifest: serde_json::Value,
}

/// Counts of one policy in one county; null where they are hidden.
#[derive(Debug, Serialize, ToSchema)]
pub struct Coverage {
    /// Code of the policy.
    pub policy: String,
    /// Code of the county; empty when unknown.
    pub county: String,
    /// Whether the counts are hidden, for one of them is of few people, or would give such a one away.
    pub hidden: bool,
    /// Who meets all criteria.
    pub yes: Option<u64>,
    /// Who fails one.
    pub no: Option<u64>,
    /// Whose verdict lacks a fact.
    pub unknown: Option<u64>,
    /// Who has another policy instead.
    pub excluded: Option<u64>,
    /// Whose amount was cut by a cap.
    pub capped: Option<u64>,
    /// Who was given it already.
    pub given: Option<u64>,
    /// Grants to be delivered.
    pub granted: Option<u64>,
    /// Grants behind a budget that is used up.
    pub waitlisted: Option<u64>,
    /// Grants that were refused.
    pub refused: Option<u64>,
    /// Unknowns that a commitment may settle.
    pub offers: Option<u64>,
    /// Decimal text.
    pub amount: Option<String>,
}

/// A fact that is unknown, and how many verdicts it would settle.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataRequest {
    /// Whose fact.
    pub subject: Kind,
    /// The fact.
    pub fact: String,
    /// The register that answers for it.
    pub register: Option<String>,
    /// `missing`, `stale`, `conflict`
    pub cause: String,
    /// Whether it is unknown for everybody.
    pub whole_register: bool,
    /// How many have a verdict that it alone would settle; null: few.
    pub settles: Option<u64>,
    /// How many have a verdict that it would settle alone or with others; null: few.
    pub takes_part: Option<u64>,
    /// About how much money for those that it alone would settle, decimal text.
    pub estimated_amount: Option<String>,
    /// The same for all that it takes part in.
    pub estimated_part: Option<String>,
}
