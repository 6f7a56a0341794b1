//! What resolution hands on: grants, offers, unknowns, what is already given, requests for data, conflicts, coverage.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::finding::{Amount, Cause, Finding, Findings, MissingSets, PolicyIdx, SubjectIdx, Subjects};
use crate::diagnostic::Message;
use crate::policy::document::{Mode, Payee};
use crate::register::declaration::SubjectKind;

/// All that a run resolved. Lists are in the order of results: subject kind, region, id, policy, occasion, member.
#[derive(Debug)]
pub struct Resolution<'a> {
    /// What it was resolved from: rows point into it.
    pub findings: &'a Findings,
    /// Per policy, what all its rows share.
    pub policies: Vec<PolicySummary>,
    /// What is owed, also to those who wait or who refused.
    pub grants: Vec<Grant>,
    /// Yes verdicts whose grant is paid already.
    pub given: Vec<Given>,
    /// Unknowns that a commitment may settle.
    pub offers: Vec<Offer>,
    /// The distinct lists of facts to commit to that [`Offer::facts`] points to.
    pub commitments: Vec<Vec<(Arc<str>, Cause)>>,
    /// Unknown verdicts, but for those that only facts unknown for a whole register hold up.
    pub unknowns: Vec<Unknown>,
    /// The distinct sets that [`Unknown::missing`] points to.
    pub missing: Vec<MissingSets>,
    /// Which facts would settle how many; those that settle most first.
    pub data_requests: Vec<DataRequest>,
    /// Where registers, or registers and this run, disagree.
    pub conflicts: Vec<ConflictRow>,
    /// Per policy and county, in this order.
    pub coverage: Vec<CoverageRow>,
    /// Per policy, county and step.
    pub funnel: Vec<FunnelRow>,
    /// How many unknown verdicts are told by [`DataRequest::whole_register`] only.
    pub unknowns_told_once: u64,
    /// Per policy, all its unknown verdicts after `requires`, by subject; also those that are told once only.
    pub open: Vec<Vec<Open>>,
    /// Verdicts that `requires` turned.
    pub turns: Vec<Turn>,
}

/// An unknown verdict of one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The subject, of the policy's kind.
    pub subject: SubjectIdx,
    /// The minimal sets of facts that could make it yes, in [`Resolution::missing`].
    pub missing: u32,
}

/// A verdict that `requires` turned into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The policy.
    pub policy: PolicyIdx,
    /// The subject, of the policy's kind.
    pub subject: SubjectIdx,
    /// Whether it was yes before, else unknown.
    pub was_yes: bool,
    /// Whether it is no after, else unknown.
    pub is_no: bool,
}

impl<'a> Resolution<'a> {
    /// Of these findings, without rows yet.
    #[must_use]
    pub fn new(findings: &'a Findings, policies: Vec<PolicySummary>) -> Self {
        Self {
            findings,
            policies,
            grants: Vec::new(),
            given: Vec::new(),
            offers: Vec::new(),
            commitments: Vec::new(),
            unknowns: Vec::new(),
            missing: Vec::new(),
            data_requests: Vec::new(),
            conflicts: Vec::new(),
            coverage: Vec::new(),
            funnel: Vec::new(),
            unknowns_told_once: 0,
            open: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// What all rows of a policy share.
    #[must_use]
    pub fn policy(&self, policy: PolicyIdx) -> &PolicySummary {
        &self.policies[policy as usize]
    }

    /// The subjects of a policy.
    #[must_use]
    pub fn subjects(&self, policy: PolicyIdx) -> &'a Subjects {
        self.findings.subjects_of(self.policy(policy).kind)
    }
}

/// What all rows of one policy share.
#[derive(Debug, Clone)]
pub struct PolicySummary {
    /// One item, one code.
    pub code: Arc<str>,
    /// Version.
    pub version: i64,
    /// Name.
    pub name: Message,
    /// Who is judged.
    pub kind: SubjectKind,
    /// Unit of amounts.
    pub unit: Arc<str>,
    /// Who receives a grant.
    pub payee: Payee,
    /// The period that grants of this run are for: `2026-06`, `2026`, `2026-06-30`, or empty.
    pub period: Arc<str>,
    /// Identifiers of the criteria, in the order of the bits of [`Grant::reasons`].
    pub criteria: Vec<Arc<str>>,
}

impl PolicySummary {
    /// The identifiers of the criteria whose bits are set.
    pub fn reasons(&self, bits: u64) -> impl Iterator<Item = &Arc<str>> {
        self.criteria.iter().take(64).enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, id)| id)
    }
}

/// What becomes of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// To be delivered.
    Granted,
    /// Owed, but the budget is used up by those before.
    Waitlisted,
    /// The subject refused the benefit.
    Refused,
}

impl Status {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Waitlisted => "waitlisted",
            Self::Refused => "refused",
        }
    }
}

/// What a yes is worth, for one (subject, policy, period, occasion, member). Subject, occasion and member are those of
/// its finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grant {
    /// The finding that it is made of, in [`Findings::yes`].
    pub finding: u32,
    /// The policy; with [`Resolution::policies`] also version, unit and period.
    pub policy: PolicyIdx,
    /// In hundredths of the unit; none for services and where a fact that the amount needs is unknown.
    pub amount: Amount,
    /// How it reaches the subject.
    pub mode: Mode,
    /// Whether the subject may be told of it.
    pub notify: bool,
    /// What becomes of it.
    pub status: Status,
}

impl Grant {
    /// The finding that it is made of.
    #[must_use]
    pub fn finding<'a>(&self, resolution: &Resolution<'a>) -> &'a Finding {
        &resolution.findings.yes[self.finding as usize]
    }

    /// Kind of the subject.
    #[must_use]
    pub fn kind(&self, resolution: &Resolution<'_>) -> SubjectKind {
        resolution.policy(self.policy).kind
    }

    /// The subject.
    #[must_use]
    pub fn subject_id<'a>(&self, resolution: &Resolution<'a>) -> &'a str {
        resolution.subjects(self.policy).id(self.finding(resolution).subject)
    }

    /// Where the subject is counted; empty when unknown.
    #[must_use]
    pub fn region<'a>(&self, resolution: &Resolution<'a>) -> &'a str {
        resolution.subjects(self.policy).region(self.finding(resolution).subject)
    }

    /// What for.
    #[must_use]
    pub fn occasion<'a>(&self, resolution: &Resolution<'a>) -> Option<&'a str> {
        resolution.findings.word(self.finding(resolution).occasion)
    }

    /// The member of the household whom the amount is for.
    #[must_use]
    pub fn member<'a>(&self, resolution: &Resolution<'a>) -> Option<&'a str> {
        resolution.findings.word(self.finding(resolution).member)
    }

    /// What the policy owes before caps and budget, in hundredths.
    #[must_use]
    pub fn full_amount(&self, resolution: &Resolution<'_>) -> Option<i64> {
        self.finding(resolution).amount.get()
    }

    /// The yes criteria that carry the verdict, as bits by their order in the policy.
    #[must_use]
    pub fn reasons(&self, resolution: &Resolution<'_>) -> u64 {
        self.finding(resolution).reasons
    }

    /// Who receives it: the member that it is for, the subject, or whom the policy names; none when the policy names
    /// somebody whom no register shows.
    #[must_use]
    pub fn payee_id<'a>(&self, resolution: &Resolution<'a>) -> Option<&'a str> {
        let kind = self.kind(resolution);
        payee(resolution.findings, kind, resolution.policy(self.policy).payee, self.finding(resolution))
    }

    /// The subject's household: of a person, where known; of a household, itself.
    #[must_use]
    pub fn household<'a>(&self, resolution: &Resolution<'a>) -> Option<&'a str> {
        match self.kind(resolution) {
            SubjectKind::Person => resolution.subjects(self.policy).household(self.finding(resolution).subject),
            SubjectKind::Household => Some(self.subject_id(resolution)),
            SubjectKind::Entity => None,
        }
    }

    /// Stable across runs: hash of subject, policy, period, occasion and member.
    #[must_use]
    pub fn grant_id(&self, resolution: &Resolution<'_>) -> GrantId {
        let summary = resolution.policy(self.policy);
        let (occasion, member) = (self.occasion(resolution), self.member(resolution));
        GrantId::of(summary.kind, self.subject_id(resolution), &summary.code, &summary.period, occasion, member)
    }
}

/// Who receives a grant: the member that it is for, the subject, or whom the policy names.
#[must_use]
pub fn payee<'a>(findings: &'a Findings, kind: SubjectKind, payee: Payee, finding: &Finding) -> Option<&'a str> {
    let subjects = findings.subjects_of(kind);
    match payee {
        Payee::Itself => Some(findings.word(finding.member).unwrap_or_else(|| subjects.id(finding.subject))),
        Payee::Guardian => subjects.payees(finding.subject).guardian,
        Payee::Head => subjects.payees(finding.subject).head,
        Payee::LegalRepresentative => subjects.payees(finding.subject).legal_representative,
    }
}

/// The identity of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub u128);

impl GrantId {
    /// The first half of the SHA-256 of all parts, each closed by a zero byte.
    #[must_use]
    pub fn of(kind: SubjectKind, subject: &str, policy: &str, period: &str, occasion: Option<&str>, member: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for part in [kind.name(), subject, policy, period, occasion.unwrap_or(""), member.unwrap_or("")] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        Self(digest[..16].iter().fold(0, |id, byte| id << 8 | u128::from(*byte)))
    }
}

impl std::fmt::Display for GrantId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// A yes whose grant of the period is paid already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The finding that it is made of, in [`Findings::yes`].
    pub finding: u32,
    /// The policy.
    pub policy: PolicyIdx,
    /// What it is worth today, in hundredths.
    pub amount: Amount,
}

impl Given {
    /// As if it were a grant: what subject, occasion and member are asked of.
    #[must_use]
    pub fn as_grant(&self) -> Grant {
        let Self { finding, policy, amount } = *self;
        Grant { finding, policy, amount, mode: Mode::Automatic, notify: false, status: Status::Granted }
    }
}

/// An unknown that the subject's commitment for named facts may settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The policy.
    pub policy: PolicyIdx,
    /// The subject, of the policy's kind.
    pub subject: SubjectIdx,
    /// Exactly the facts to commit to, sorted, with why each is unknown; in [`Resolution::commitments`].
    pub facts: u32,
    /// Whether the subject may be told of it.
    pub notify: bool,
}

/// An unknown verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown {
    /// The policy.
    pub policy: PolicyIdx,
    /// The subject, of the policy's kind.
    pub subject: SubjectIdx,
    /// The minimal sets of facts that could make it yes, in [`Resolution::missing`].
    pub missing: u32,
    /// Whether an offer may settle it.
    pub offered: bool,
}

/// A fact that is unknown for one cause, and whom it would help to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRequest {
    /// Whose fact.
    pub kind: SubjectKind,
    /// The fact.
    pub fact: Arc<str>,
    /// The register that has the authority over it, where one has.
    pub register: Option<Arc<str>>,
    /// Why it is unknown.
    pub cause: Cause,
    /// Whether it is unknown for every judged subject.
    pub whole_register: bool,
    /// How many subjects have a verdict that this fact alone would settle.
    pub settles: u64,
    /// How many subjects have a verdict that this fact could settle together with others or alone.
    pub takes_part: u64,
    /// For the verdicts that it alone would settle, in hundredths: each at the average amount of its policy in this run.
    pub estimated_amount: i64,
    /// The same for all verdicts that it takes part in.
    pub estimated_part: i64,
}

/// Two sources that disagree about one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConflictRow {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject_id: Arc<str>,
    /// The fact, or `amount` where a paid amount is not today's.
    pub fact: Arc<str>,
    /// The policy of a paid amount; none for facts.
    pub policy: Option<Arc<str>>,
    /// The period of a paid amount.
    pub period: Option<Arc<str>>,
    /// The occasion of a paid amount.
    pub occasion: Option<Arc<str>>,
    /// The source that has the authority; `match` for the amount of this run.
    pub source: Arc<str>,
    /// What it says.
    pub value: Arc<str>,
    /// The source that disagrees.
    pub other_source: Arc<str>,
    /// What that one says.
    pub other_value: Arc<str>,
}

/// Counts of one policy in one county.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoverageRow {
    /// The policy.
    pub policy: PolicyIdx,
    /// County code; empty when unknown.
    pub county: Arc<str>,
    /// Subjects judged yes, `requires` included.
    pub yes: u64,
    /// Subjects judged no.
    pub no: u64,
    /// Subjects judged unknown.
    pub unknown: u64,
    /// Yes rows (occasions, members) given up for another policy.
    pub excluded: u64,
    /// Yes rows above a cap.
    pub capped: u64,
    /// Yes rows that are paid already.
    pub given: u64,
    /// Grants to be delivered.
    pub granted: u64,
    /// Grants that wait for money.
    pub waitlisted: u64,
    /// Grants that the subject refused.
    pub refused: u64,
    /// Offers.
    pub offers: u64,
    /// Sum of the grants to be delivered, in hundredths.
    pub amount: i64,
}

/// How many are left after one step of a policy's criteria in one county.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelRow {
    /// The policy.
    pub policy: PolicyIdx,
    /// County code; empty when unknown.
    pub county: Arc<str>,
    /// Counts from 1.
    pub step: u32,
    /// The criterion, or a short text of a group of criteria; `requires` for the last step of a policy that requires others.
    pub criterion: Arc<str>,
    /// Still yes after this step and all before it.
    pub yes: u64,
    /// Still yes or unknown.
    pub possible: u64,
}

/// The county of a region: its first six digits (GB/T 2260); the code itself when it is shorter.
#[must_use]
pub fn county_of(region: &str) -> &str {
    region.get(..6).unwrap_or(region)
}

/// An amount in hundredths as text with two places.
#[must_use]
pub fn amount_text(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let digits = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", digits / 100, digits % 100)
}
