//! Simulations: what is asked, how far it is, what came out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::diagnostics::{Finding, Text};
use super::posted::PostedPolicy;
use super::reason::Kind;

/// A change to simulate: the policies as they are against those with the change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"set": ["subsistence_line=+10%"]}))]
pub struct Simulate {
    /// Parameters that are set, as `mianshen simulate --set` takes them: `name=value`, `name[region]=value`, `name=+5%`.
    #[serde(default)]
    #[schema(required = false, max_items = 100)]
    pub set: Vec<String>,
    /// A policy that is new, or stands in for the one with its code and version.
    pub policy: Option<PostedPolicy>,
    /// The day; by default that of the current run.
    #[schema(format = Date)]
    pub as_of: Option<String>,
}

/// How far a simulation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SimulationState {
    /// At work.
    Running,
    /// Done.
    Done,
    /// Could not be done: see `findings`.
    Failed,
    /// Cancelled.
    Cancelled,
}

/// Where a simulation stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Stage {
    /// What it is at.
    pub name: Text,
    /// Rows of the stage that are done.
    pub rows: u64,
    /// Rows of the stage, where that is known.
    pub total: Option<u64>,
}

/// A simulation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Simulation {
    /// Its identifier.
    pub id: String,
    /// How far it is.
    pub state: SimulationState,
    /// Where it stands, while it runs.
    pub stage: Option<Stage>,
    /// What came out, once it is done.
    pub results: Option<SimulationResults>,
    /// Why it could not be done.
    pub findings: Vec<Finding>,
}

/// What came out. Counts of few people are hidden: null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SimulationResults {
    /// The day.
    #[schema(format = Date)]
    pub as_of: String,
    /// Counts below are hidden.
    pub smallest_cell: u64,
    /// By policy, and of all policies together for each kind of subject.
    pub lines: Vec<SimulationLine>,
}

/// One policy, or all together.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SimulationLine {
    /// Code of the policy; null: all policies together, each subject counted once.
    pub policy: Option<String>,
    /// Its name.
    pub name: Option<Text>,
    /// Whose.
    pub subject: Kind,
    /// Whether anything changes.
    pub changes: bool,
    /// The counts and sums; null: hidden, because few people are behind them.
    pub counts: Option<SimulationCounts>,
}

/// Counts of subjects, and sums of money as decimal text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SimulationCounts {
    /// Who has it before.
    pub before: u64,
    /// Who has it after.
    pub after: u64,
    /// Who only has it after.
    pub gain: u64,
    /// Who only has it before.
    pub lose: u64,
    /// Whose amount rises.
    pub more: u64,
    /// Whose amount falls.
    pub less: u64,
    /// What falls due in the month of the day, before.
    pub month_before: String,
    /// The same, after.
    pub month_after: String,
    /// What it comes to in a year, before.
    pub year_before: String,
    /// The same, after.
    pub year_after: String,
}
