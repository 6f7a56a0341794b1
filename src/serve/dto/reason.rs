//! The shape of [`crate::explain::Reason`] over the wire, as `mianshen explain --format json` writes it.
//!
//! These types are the documentation: what is sent is the reason itself, and a test holds the two together.

use serde::Serialize;
use utoipa::ToSchema;

use super::diagnostics::Text;

/// A kind of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A natural person.
    Person,
    /// A household.
    Household,
    /// A legal entity.
    Entity,
}

impl From<Kind> for crate::register::declaration::SubjectKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Person => Self::Person,
            Kind::Household => Self::Household,
            Kind::Entity => Self::Entity,
        }
    }
}

impl From<crate::register::declaration::SubjectKind> for Kind {
    fn from(kind: crate::register::declaration::SubjectKind) -> Self {
        use crate::register::declaration::SubjectKind;
        match kind {
            SubjectKind::Person => Self::Person,
            SubjectKind::Household => Self::Household,
            SubjectKind::Entity => Self::Entity,
        }
    }
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Owed.
    Yes,
    /// Not found yet.
    No,
    /// A fact is missing.
    Unknown,
    /// The policy does not cover the subject, or is not in force.
    Outside,
}

impl From<crate::explain::Verdict> for Verdict {
    fn from(verdict: crate::explain::Verdict) -> Self {
        use crate::explain::Verdict as Of;
        match verdict {
            Of::Yes => Self::Yes,
            Of::No => Self::No,
            Of::Unknown => Self::Unknown,
            Of::Outside => Self::Outside,
        }
    }
}

/// How a benefit reaches its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Given without asking.
    Automatic,
    /// One confirmation.
    Confirm,
    /// A commitment for named facts.
    Commit,
    /// An official decides.
    Review,
}

impl From<crate::policy::document::Mode> for Mode {
    fn from(mode: crate::policy::document::Mode) -> Self {
        use crate::policy::document::Mode as Of;
        match mode {
            Of::Automatic => Self::Automatic,
            Of::Confirm => Self::Confirm,
            Of::Commit => Self::Commit,
            Of::Review => Self::Review,
        }
    }
}

/// Why a fact is unknown.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its register has nothing about the subject.
    Missing,
    /// Its register is older than it promises.
    Stale,
    /// Two registers disagree.
    Conflict,
    /// A row about the subject could not be read and was set aside.
    Quarantined,
    /// Its register does not speak for where the subject lives, or for the day.
    OutsideCoverage,
    /// Its register was not delivered.
    NoRegister,
}

/// Why a policy means what it means for one subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    /// Code of the policy.
    pub policy: String,
    /// Its version.
    pub version: i64,
    /// Its name.
    pub name: Text,
    /// Who is judged.
    pub subject: Kind,
    /// The day.
    #[schema(format = Date)]
    pub as_of: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What went wrong in the arithmetic; the verdict is then unknown.
    pub fault: Option<String>,
    /// Whether the policy covers the subject.
    pub coverage: CoverageReason,
    /// The criteria.
    pub criteria: ReasonNode,
    /// The policies that the subject must also be entitled to.
    pub requires: Vec<Tie>,
    /// Of a no: the criteria that fail, and how far off they are.
    pub lacking: Option<Lacking<FailingCriterion>>,
    /// Of a no: the least change that would make it yes.
    pub least_change: Option<LeastChange>,
    /// Of an unknown, the minimal sets of facts that could make it yes.
    pub missing: Vec<Vec<MissingFact>>,
    /// Of an unknown, the facts that a commitment would settle it with.
    pub offer: Vec<MissingFact>,
    /// What a yes is worth.
    pub amount: Option<AmountReason>,
    /// How it reaches the subject.
    pub mode: Option<Mode>,
    /// The policy that the subject has instead.
    pub given_up_for: Option<Tie>,
    /// The policies against which an official decides.
    pub undecided_against: Vec<Tie>,
    /// Of an unknown: the one question, or request for data, that would settle it.
    pub settle: Option<Settle>,
    /// The last day up to which turns were looked for; null: they were not.
    #[schema(format = Date)]
    pub until: Option<String>,
    /// The days on which the verdict changes by time alone.
    pub turns: Vec<Turn>,
    /// The reasons in plain sentences.
    pub plain: Vec<Text>,
}

/// Whether the policy covers the subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageReason {
    /// Region code.
    pub region: String,
    /// Its name.
    pub name: Text,
    /// Yes, no or unknown.
    pub verdict: Verdict,
    /// The fact that decides; null: everybody is covered.
    pub fact: Option<FactReason>,
}

/// Another policy and its verdict on the subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tie {
    /// Its code.
    pub policy: String,
    /// Its name.
    pub name: Text,
    /// Its verdict.
    pub verdict: Verdict,
}

/// A node of the tree of criteria: exactly one of these is there. (Generators of clients do not take unions of themselves.)
#[derive(Debug, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct ReasonNode {
    /// All must be yes.
    #[schema(nullable = false)]
    pub all: Option<Group>,
    /// One must be yes.
    #[schema(nullable = false)]
    pub any: Option<Group>,
    /// Must be no.
    #[schema(nullable = false)]
    pub not: Option<Group>,
    /// So many must be yes.
    #[schema(nullable = false)]
    pub at_least: Option<Group>,
    /// One condition.
    #[schema(nullable = false)]
    pub criterion: Option<CriterionReason>,
}

/// Criteria under one head.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// The verdict of the group.
    pub verdict: Verdict,
    /// How many must be yes, for `at_least`.
    pub count: Option<usize>,
    /// The members, in the order of the file.
    #[schema(no_recursion)]
    pub items: Vec<ReasonNode>,
}

/// One criterion.
#[derive(Debug, Serialize, ToSchema)]
pub struct CriterionReason {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Text>,
    /// The clause with its document.
    pub clause: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The condition as written.
    pub when: String,
    /// Parts of the condition with their values.
    pub terms: Vec<Term>,
    /// The facts that it reads.
    pub facts: Vec<FactReason>,
    /// Of an unknown, the facts that could settle it.
    pub missing: Vec<MissingFact>,
}

/// A part of a condition with its value.
#[derive(Debug, Serialize, ToSchema)]
pub struct Term {
    /// As written.
    pub text: String,
    /// Its value; null: unknown.
    pub value: Option<Text>,
}

/// A fact with its value and source.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactReason {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// The value for tools: true or false, or exact text; null: unknown.
    pub value: Option<serde_json::Value>,
    /// The value for people; null: unknown.
    pub shown: Option<Text>,
    /// Why it is unknown, where that is known.
    pub cause: Option<Why>,
    /// The registers that it rests on; of a computed fact see its parts.
    pub registers: Vec<RegisterReason>,
    /// What it was computed from.
    #[schema(no_recursion)]
    pub from: Vec<FactReason>,
}

/// A register that a fact rests on.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisterReason {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// The authority that answers for it.
    pub kept_by: String,
    /// The day that its delivery speaks for.
    #[schema(format = Date)]
    pub data_day: Option<String>,
}

/// A fact that is missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissingFact {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// Why, where that is known.
    pub cause: Option<Why>,
    /// Which registers would tell.
    pub registers: Vec<RegisterReason>,
}

/// What a yes is worth.
#[derive(Debug, Serialize, ToSchema)]
pub struct AmountReason {
    /// Decimal text with two places; null: unknown.
    pub amount: Option<String>,
    /// Unit with period: `CNY/month`.
    pub unit: String,
    /// Whether it is for each member of the household.
    pub per_member: bool,
    /// The clause that sets it.
    pub clause: Option<String>,
    /// The formula as written.
    pub formula: String,
    /// The formula, or its branch that applies, with the numbers put in.
    pub numbers: Option<Text>,
    /// Parts of the formula with their values.
    pub terms: Vec<Term>,
    /// The facts that it reads.
    pub facts: Vec<FactReason>,
}

/// Things that are lacking: exactly one of these is there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct Lacking<T> {
    /// One thing.
    #[schema(nullable = false)]
    pub one: Option<T>,
    /// All of these.
    #[schema(nullable = false)]
    pub all: Option<Vec<Lacking<T>>>,
    /// One of these would do.
    #[schema(nullable = false)]
    pub any: Option<Vec<Lacking<T>>>,
    /// So many of these.
    #[schema(nullable = false)]
    pub some: Option<LackingSome<T>>,
}

/// So many of several things.
#[derive(Debug, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct LackingSome<T> {
    /// How many.
    pub count: usize,
    /// Of these.
    pub of: Vec<Lacking<T>>,
}

/// A criterion that fails.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailingCriterion {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Text>,
    /// The clause in the words of the document.
    pub clause: Option<String>,
    /// Whether the condition must be yes, or no.
    pub must_be: bool,
    /// How far off it is.
    pub gaps: Option<Lacking<Gap>>,
    /// The first day on which it is as it must be, by time alone.
    #[schema(format = Date)]
    pub mended_on: Option<String>,
}

/// How far off one comparison is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gap {
    /// What is compared.
    pub what: Text,
    /// What it is.
    pub is: Text,
    /// What it must be.
    pub must_be: Text,
    /// By how much it is short.
    pub short_by: Option<Text>,
    /// The same for tools.
    pub short_by_exact: Option<String>,
    /// The first day on which it is as it must be, by time alone.
    #[schema(format = Date)]
    pub on: Option<String>,
}

/// The least change that would make a no a yes.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeastChange {
    /// The changeable facts that were looked at.
    pub considered: Vec<Considered>,
    /// The smallest sets of changes that make it yes.
    pub sets: Vec<Vec<Change>>,
    /// Changes after which missing facts would decide.
    pub openings: Vec<Opening>,
    /// Whether all possibilities were looked at.
    pub complete: bool,
}

/// A fact that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Considered {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Text,
}

/// A fact changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// What it is; null: unknown.
    pub from: Option<Text>,
    /// What it would be.
    pub to: Text,
    /// The same for tools.
    pub value: serde_json::Value,
}

/// Changes after which missing facts would decide.
#[derive(Debug, Serialize, ToSchema)]
pub struct Opening {
    /// The changes.
    pub changes: Vec<Change>,
    /// What would then be missing.
    pub then_missing: Vec<Considered>,
}

/// Who can settle an unknown.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// The subject commits to the facts.
    Commitment,
    /// The subject is asked.
    Question,
    /// The authority that keeps the register tells, corrects or delivers.
    DataRequest,
}

/// What would settle an unknown verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct Settle {
    /// Who can.
    pub by: SettledBy,
    /// The facts that are asked for.
    pub facts: Vec<MissingFact>,
    /// What is asked, in plain words.
    pub ask: Text,
}

/// A day on which a verdict changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Turn {
    /// The first day of the new verdict.
    #[schema(format = Date)]
    pub on: String,
    /// The verdict on the day before.
    pub from: Verdict,
    /// The verdict from then on.
    pub to: Verdict,
    /// The criteria whose verdicts change with it.
    pub criteria: Vec<CriterionTurn>,
    /// Whether it is because the policy, or its new version, begins or ends.
    pub by_policy: bool,
}

/// A criterion whose verdict changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CriterionTurn {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Text>,
    /// The clause in the words of the document.
    pub clause: Option<String>,
    /// The verdict before.
    pub from: Verdict,
    /// The verdict from then on.
    pub to: Verdict,
}

impl From<crate::explain::why::Why> for Why {
    fn from(why: crate::explain::why::Why) -> Self {
        use crate::explain::why::Why as Of;
        match why {
            Of::Missing => Self::Missing,
            Of::Stale => Self::Stale,
            Of::Conflict => Self::Conflict,
            Of::Quarantined => Self::Quarantined,
            Of::OutsideCoverage => Self::OutsideCoverage,
            Of::NoRegister => Self::NoRegister,
        }
    }
}
