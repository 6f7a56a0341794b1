//! Policies and cases that are posted to be checked and tested, and what is told of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::diagnostics::{Finding, Text};

/// A policy as its author writes it, with its cases.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"policy": "code: 990100-MZ-0031\nname: {zh: 助浴补贴, en: Bathing subsidy}\n"}))]
pub struct PostedPolicy {
    /// The text of `policy.yaml`. Where its code and version are those of a policy of the folder, it stands in for that one.
    #[schema(max_length = 262_144)]
    pub policy: String,
    /// The text of `cases.yaml`.
    #[schema(max_length = 262_144)]
    pub cases: Option<String>,
}

/// What `mianshen check` tells of a posted policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// Whether it has no errors.
    pub usable: bool,
    /// What was found in the policy.
    pub policy: Vec<Finding>,
    /// What was found in the cases.
    pub cases: Vec<Finding>,
}

/// What `mianshen test` tells of a posted policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tested {
    /// How many cases came out.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// Each case, in the order of the file.
    pub outcomes: Vec<CaseOutcome>,
    /// What was found in the policy.
    pub policy: Vec<Finding>,
    /// What was found in the cases.
    pub cases: Vec<Finding>,
}

/// One case, run.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// The day.
    #[schema(format = Date)]
    pub as_of: String,
    /// Whether it came out.
    pub passed: bool,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Why it could not be run.
    pub trouble: Option<Text>,
    /// Why it must come out so, as the case says.
    pub because: Option<String>,
}

/// One expectation that was not met.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// `verdict`, `amount`, `mode`, `missing`, `offer`, `given_up_for`, `reason`, `occasions`
    pub what: String,
    /// As the case says.
    pub expected: String,
    /// As it came out.
    pub got: String,
}

/// Policies read anew.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reloaded {
    /// Stands for the text of all policies, parameters and registers.
    pub digest: String,
    /// How many policies there are, all versions.
    pub policies: usize,
}
