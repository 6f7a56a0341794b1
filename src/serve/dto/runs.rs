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

/// Counts of one policy in one county.
#[derive(Debug, Serialize, ToSchema)]
pub struct Coverage {
    /// Code of the policy.
    pub policy: String,
    /// Code of the county; empty when unknown.
    pub county: String,
    /// Who meets all criteria.
    pub yes: u64,
    /// Who fails one.
    pub no: u64,
    /// Whose verdict lacks a fact.
    pub unknown: u64,
    /// Who has another policy instead.
    pub excluded: u64,
    /// Whose amount was cut by a cap.
    pub capped: u64,
    /// Who was given it already.
    pub given: u64,
    /// Grants to be delivered.
    pub granted: u64,
    /// Grants behind a budget that is used up.
    pub waitlisted: u64,
    /// Grants that were refused.
    pub refused: u64,
    /// Unknowns that a commitment may settle.
    pub offers: u64,
    /// Decimal text.
    pub amount: String,
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
    /// How many have a verdict that it alone would settle.
    pub settles: u64,
    /// How many have a verdict that it would settle alone or with others.
    pub takes_part: u64,
    /// About how much money for those that it alone would settle, decimal text.
    pub estimated_amount: String,
    /// The same for all that it takes part in.
    pub estimated_part: String,
}
