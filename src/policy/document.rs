//! A policy as its author wrote it: read, but not yet checked against facts.
//!
//! Types only; `read.rs` fills them from YAML.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use super::guide::Guide;
use crate::diagnostic::{Message, Span};
use crate::register::declaration::{SubjectKind, Written};

/// A published rule set with one code.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    /// The file.
    pub path: PathBuf,
    /// One item, one code (一事一码).
    pub code: String,
    /// Place of the code.
    pub place: Span,
    /// Counts from 1; a change of content is a new version.
    pub version: i64,
    /// Name.
    pub name: Message,
    /// Code of the authority that answers for it.
    pub authority_code: String,
    /// Its name.
    pub authority_name: String,
    /// Whom it covers.
    pub covers: Covers,
    /// Who is judged.
    pub subject: SubjectKind,
    /// First day in force.
    pub in_force_from: NaiveDate,
    /// First day no longer in force.
    pub in_force_to: Option<NaiveDate>,
    /// When the public could know it.
    pub announced: Option<NaiveDate>,
    /// Documents that it rests on.
    pub basis: Vec<Basis>,
    /// Which reading is taken where the text is ambiguous.
    pub reading: Option<Message>,
    /// The conditions; of a policy that an authority's list decides, those that lists imply come first.
    pub criteria: CriteriaNode,
    /// What a yes is worth.
    pub benefit: Benefit,
    /// One grant per linked subject or register row.
    pub each: Option<Each>,
    /// What the grant is for, where it is not the subject alone: text, month or date.
    pub occasion: Option<Written>,
    /// How it reaches the subject.
    pub delivery: Delivery,
    /// Facts that the subject may commit to (告知承诺).
    pub commit: Vec<(String, Span)>,
    /// Policies that the subject must also be entitled to.
    pub requires: Vec<(String, Span)>,
    /// Policies that may not be had beside this one.
    pub excludes: Vec<Exclusion>,
    /// The most that may be given.
    pub cap: Option<Cap>,
    /// The money there is.
    pub budget: Option<Budget>,
    /// The authority's list that the policy is for (认定类); what it asks of those on it is among the criteria.
    pub listed: Option<(String, Span)>,
    /// What the subject is told that criteria cannot say: where to go, what to bring.
    pub guide: Option<Guide>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Whether `cases.yaml` stands beside it.
    pub has_cases: bool,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Whether it was read without errors; one that was not may be checked further, and must not be run.
    pub complete: bool,
}

/// The region and the fact that decides whether a subject belongs to it.
#[derive(Debug, Clone)]
pub struct Covers {
    /// Region code, with everything below it.
    pub region: String,
    /// Its place.
    pub region_place: Span,
    /// The fact that decides; none: everybody is covered.
    pub by: Option<(String, Span)>,
}

/// Where a rule comes from.
#[derive(Debug, Clone)]
pub struct Basis {
    /// How criteria name it.
    pub id: String,
    /// Title of the document.
    pub title: String,
    /// Document number.
    pub number: Option<String>,
    /// Article.
    pub article: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// First day in force, and the first day no longer, where the document's own time is given.
    pub in_force: Option<(NaiveDate, Option<NaiveDate>)>,
    /// Whether the text was read, is from memory, or is a sample.
    pub status: BasisStatus,
    /// A word to the next reader.
    pub note: Option<String>,
}

/// How sure the text of a basis or of a local value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BasisStatus {
    /// As printed in the source named.
    Text,
    /// Not checked against the text.
    Memory,
    /// Invented for the sample province.
    Sample,
}

/// A tree of criteria.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most nodes of a tree are criteria")]
pub enum CriteriaNode {
    /// All must be yes.
    All(Vec<CriteriaNode>),
    /// One must be yes.
    Any(Vec<CriteriaNode>),
    /// Must be no.
    Not(Box<CriteriaNode>),
    /// So many must be yes.
    AtLeast(usize, Vec<CriteriaNode>),
    /// One condition.
    Criterion(Criterion),
}

/// One condition, tied to a clause.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// Unique within the policy; reasons name it.
    pub id: String,
    /// Its place.
    pub place: Span,
    /// The clause in the words of the document.
    pub clause: Option<String>,
    /// The basis that the clause stands in.
    pub basis: Option<String>,
    /// A name for people.
    pub label: Option<Message>,
    /// The condition.
    pub when: Written,
}

/// What a yes is worth.
#[derive(Debug, Clone)]
pub struct Benefit {
    /// `cash`, `refund`, `waiver`, `service`, `insurance`, `tax`.
    pub kind: String,
    /// How much; none for services.
    pub amount: Option<Written>,
    /// `CNY` unless said.
    pub unit: String,
    /// What span of time one grant is for.
    pub period: Period,
    /// Whether the period is the author's; where it could not be read, nothing is concluded from it.
    pub period_read: bool,
    /// How the amount is rounded, once.
    pub rounding: Rounding,
    /// Whether the amount is per member of a household, listed for each.
    pub per_member: bool,
    /// Who receives it.
    pub payee: Payee,
    /// The clause that sets the amount.
    pub clause: Option<String>,
    /// The basis that the clause stands in.
    pub basis: Option<String>,
}

/// What span of time one grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Once for the occasion; the period column is empty.
    Once,
    /// The calendar month that holds `as_of`; `2026-06`.
    Month,
    /// The calendar year; `2026`.
    Year,
    /// The day; `2026-06-30`.
    Day,
}

/// How an amount is rounded, half up unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To 0.01.
    Fen,
    /// To 1.
    Yuan,
    /// Up to the next whole yuan.
    YuanUp,
}

/// Who receives a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payee {
    /// The subject.
    Itself,
    /// A child's mother, else father, else the head of the household.
    Guardian,
    /// The head of the household.
    Head,
    /// The entity's legal representative.
    LegalRepresentative,
}

/// One grant per linked subject, or per row of a register.
#[derive(Debug, Clone)]
pub struct Each {
    /// `link: employees` or `register: certificates`.
    pub source: EachSource,
    /// Its place.
    pub place: Span,
    /// Which of them.
    pub filter: Option<Written>,
    /// The column that identifies the occasion.
    pub id: String,
    /// The amount for one, where it is not the benefit's.
    pub amount: Option<Written>,
    /// At most so many in a period; those first by date, then by id.
    pub limit: Option<i64>,
}

/// Where occasions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EachSource {
    /// The ends of a link.
    Link(String),
    /// The subject's rows of a register.
    Register(String),
}

/// How a grant reaches its subject.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Mode when nothing else applies.
    pub mode: Mode,
    /// Days of public notice.
    pub notice_days: Option<i64>,
    /// Days until payment.
    pub pay_within_days: Option<i64>,
    /// Whether another official of the department confirms what one has reviewed.
    pub second_review: bool,
    /// Days that the subject has to confirm or decline, counted from the day it was told.
    pub reply_within_days: Option<i64>,
    /// What becomes of a grant whose subject did not reply in these days; none: it stays open.
    pub no_reply: Option<NoReply>,
}

/// What becomes of a grant whose subject did not reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoReply {
    /// It is given, as if it were confirmed.
    Give,
    /// An official decides.
    Review,
    /// The case is closed; it is no refusal.
    Close,
}

impl NoReply {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Give => "give",
            Self::Review => "review",
            Self::Close => "close",
        }
    }
}

/// How a grant reaches its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Given without asking.
    Automatic,
    /// One confirmation.
    Confirm,
    /// A commitment for named facts.
    Commit,
    /// A named official decides.
    Review,
}

impl Mode {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Confirm => "confirm",
            Self::Commit => "commit",
            Self::Review => "review",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Automatic => Message::new("直接发放", "automatic"),
            Self::Confirm => Message::new("确认", "confirm"),
            Self::Commit => Message::new("承诺", "commit"),
            Self::Review => Message::new("审核", "review"),
        }
    }
}

/// A policy that may not be had beside this one.
#[derive(Debug, Clone)]
pub struct Exclusion {
    /// The other policy.
    pub policy: String,
    /// Its place.
    pub place: Span,
    /// Which one stays.
    pub keep: Keep,
}

/// Which of two policies that exclude each other stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The higher amount (就高不就低); periods must be equal; on a tie, the lower code.
    Highest,
    /// This one.
    This,
    /// The other.
    Other,
}

/// The most that may be given.
#[derive(Debug, Clone)]
pub struct Cap {
    /// How much.
    pub amount: Written,
    /// Over what it is counted.
    pub per: CapScope,
}

/// Over what a cap is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapScope {
    /// All occasions of one subject in one period.
    Subject,
    /// All members of one household in one period.
    Household,
    /// One subject in one calendar year, with what `grants_paid` shows.
    Year,
}

/// The money there is, and who gets it first.
#[derive(Debug, Clone)]
pub struct Budget {
    /// How much.
    pub amount: Written,
    /// Who is first; ties by id.
    pub rank_by: Option<Written>,
    /// Whether the greatest is first.
    pub descending: bool,
    /// What happens when it runs out.
    pub at_exhaustion: Exhaustion,
    /// The span that the money is for; what `grants_paid` shows for it is taken off first.
    pub period: Period,
}

/// What happens when a budget runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhaustion {
    /// Those behind wait.
    Waitlist,
    /// Everyone gets the same share; remainders of a fen by largest fraction.
    ProRata,
}

/// A dated value by region that policies share.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name.
    pub name: String,
    /// Its place.
    pub place: Span,
    /// For people.
    pub label: Message,
    /// Digits behind the point: 2 for money, 0 for integers; numbers as written.
    pub parameter_type: ParameterType,
    /// Unit.
    pub unit: Option<String>,
    /// Values.
    pub values: Vec<ParameterValue>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    /// Two places.
    Money,
    /// Whole.
    Int,
    /// Exact decimal.
    Number,
}

/// One value of a parameter.
#[derive(Debug, Clone)]
pub struct ParameterValue {
    /// Region, with everything below it that has no value of its own.
    pub region: String,
    /// Its place.
    pub region_place: Span,
    /// First day.
    pub from: NaiveDate,
    /// First day no longer.
    pub to: Option<NaiveDate>,
    /// When the public could know it.
    pub announced: Option<NaiveDate>,
    /// Digits.
    pub digits: i64,
    /// Digits behind the point.
    pub scale: u8,
    /// How sure it is.
    pub status: BasisStatus,
    /// Where it comes from.
    pub source: Option<String>,
    /// Place of its first day.
    pub place: Span,
}

/// Policies that one life event delivers together (一件事).
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Identifier.
    pub id: String,
    /// Name.
    pub name: Message,
    /// Codes of its policies.
    pub policies: Vec<(String, Span)>,
}

/// A case: facts in, verdict out, because.
#[derive(Debug, Clone)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Its place.
    pub place: Span,
    /// The day.
    pub as_of: NaiveDate,
    /// Facts by name with the value as written; facts not given are unknown.
    pub given: Vec<(String, crate::yaml::Node)>,
    /// Whole registers instead of facts.
    pub registers: Option<Arc<CaseRegisters>>,
    /// The subject of the registers that is judged.
    pub subject: Option<(String, Span)>,
    /// What must come out.
    pub expect: Expect,
    /// Why.
    pub because: Option<String>,
}

/// A file of cases.
#[derive(Debug, Clone, Default)]
pub struct CaseDocument {
    /// The cases.
    pub cases: Vec<Case>,
    /// Changes of the policy that no case can ever notice, as its author says.
    pub equivalent: Vec<Equivalent>,
}

/// A change of a policy that alters no answer, named so that it is left out of the mutation score.
#[derive(Debug, Clone)]
pub struct Equivalent {
    /// The criterion, or the key of the policy file.
    pub part: String,
    /// The change as `mianshen test --mutation` tells it: `where: before → after`.
    pub change: String,
    /// Its place.
    pub place: Span,
    /// Why nobody can notice it.
    pub because: String,
}

/// Small registers that a case is judged on: rows by register, as written. Cases about several subjects share them.
#[derive(Debug, Clone)]
pub struct CaseRegisters {
    /// Place of the key.
    pub place: Span,
    /// Name of each register, its place, and its rows: column and value.
    pub registers: Vec<(String, Span, Vec<CaseRow>)>,
}

/// One row of a register in a case: columns with their values.
pub type CaseRow = Vec<(String, crate::yaml::Node)>;

/// An occasion that a case expects, with its amount where it is said.
pub type ExpectedOccasion = (String, Option<String>);

/// What must come out of a case.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// `yes`, `no`, `unknown`, or `outside` (not covered).
    pub verdict: Option<(String, Span)>,
    /// Amount, in the policy's unit.
    pub amount: Option<(String, Span)>,
    /// Delivery mode.
    pub mode: Option<(String, Span)>,
    /// Facts missing, sorted.
    pub missing: Option<(Vec<String>, Span)>,
    /// Facts that an offer would ask for, sorted.
    pub offer: Option<(Vec<String>, Span)>,
    /// The policy that the subject has instead of this one (`excludes`).
    pub given_up_for: Option<(String, Span)>,
    /// Criteria by identifier, with the verdict of each: `yes`, `no` or `unknown`.
    pub reasons: Vec<(String, String, Span)>,
    /// The occasions of a policy with `each`, with the amount of each where it is said; only on registers.
    pub occasions: Option<(Vec<ExpectedOccasion>, Span)>,
}

/// Everything that a policies folder holds, beside registers and regions.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// Sorted by code, then version. Shared: checking keeps the same documents.
    pub policies: Vec<Arc<PolicyDocument>>,
    /// Codes of policies whose files are too broken to give a document; others may name them.
    pub unread: Vec<String>,
    /// By name.
    pub parameters: Vec<Parameter>,
    /// Bundles.
    pub bundles: Vec<Bundle>,
}

impl CriteriaNode {
    /// Every criterion, in the order of the file.
    #[must_use]
    pub fn criteria(&self) -> Vec<&Criterion> {
        match self {
            Self::All(items) | Self::Any(items) | Self::AtLeast(_, items) => items.iter().flat_map(Self::criteria).collect(),
            Self::Not(inner) => inner.criteria(),
            Self::Criterion(criterion) => vec![criterion],
        }
    }
}
