//! A small run built by hand: policies, verdicts, payments, refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use super::super::finding::{
    Amount, Cause, Counts, Finding, Findings, Limits, LimitsIdx, MissingSets, Payees, Subject, SubjectIdx, Subjects, UnknownFinding,
};
use super::super::grant::{ConflictRow, Grant, Resolution, Status};
use super::super::input::{Paid, Payment, RefusalKind, RefusalRow, Refusals, ResolutionInput};
use super::super::resolution::resolve;
use crate::check::CheckedPolicy;
use crate::check::ir;
use crate::criteria::ast;
use crate::diagnostic::{Message, SourceFile, Span};
use crate::policy::document::{
    Benefit, Budget, Cap, CapScope, Covers, CriteriaNode, Criterion, Delivery, Exclusion, Exhaustion, Keep, Mode, Payee, Period,
    PolicyDocument, Rounding,
};
use crate::register::declaration::{SubjectKind, Written};
use crate::yaml::{Node, Value};

/// A subject under construction.
#[derive(Clone)]
struct Known {
    id: String,
    region: String,
    household: Option<String>,
    guardian: Option<String>,
}

/// A run under construction. Policies are added in the order of their codes.
pub(super) struct Run {
    pub as_of: NaiveDate,
    pub documents: Vec<PolicyDocument>,
    pub budgets: Vec<Option<i64>>,
    pub findings: Findings,
    /// Persons, households, entities.
    known: [Vec<Known>; 3],
    pub paid: Paid,
    pub refusals: Refusals,
    pub conflicts: Vec<ConflictRow>,
    pub whole: BTreeSet<(SubjectKind, Arc<str>)>,
    pub registers: BTreeMap<(SubjectKind, Arc<str>), Arc<str>>,
}

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn span() -> Span {
    Span::new(&SourceFile::new("policy.yaml", ""), 0..0)
}

/// An expression whose content does not matter: evaluation is done.
pub(super) fn written() -> Written {
    let expr = ast::Expr { kind: ast::ExprKind::Literal(ast::Literal::Bool(true)), range: 0..0 };
    Written { expr, node: Node { value: Value::Sequence(Vec::new()), range: 0..0, file: SourceFile::new("policy.yaml", "") } }
}

pub(super) fn criterion(id: &str) -> CriteriaNode {
    let (place, when) = (span(), written());
    CriteriaNode::Criterion(Criterion { id: id.to_owned(), place, clause: None, basis: None, label: None, when })
}

fn document(code: &str, subject: SubjectKind) -> PolicyDocument {
    PolicyDocument {
        path: PathBuf::from("policy.yaml"),
        code: code.to_owned(),
        listed: None,
        guide: None,
        tags: Vec::new(),
        sha256: String::new(),
        complete: true,
        place: span(),
        version: 1,
        name: Message::new(code, code),
        authority_code: String::new(),
        authority_name: String::new(),
        covers: Covers { region: "000000".to_owned(), region_place: span(), by: None },
        subject,
        in_force_from: day("2020-01-01"),
        in_force_to: None,
        announced: None,
        basis: Vec::new(),
        reading: None,
        criteria: CriteriaNode::All(vec![criterion("first"), criterion("second")]),
        benefit: Benefit {
            kind: "cash".to_owned(),
            amount: Some(written()),
            unit: "CNY".to_owned(),
            period: Period::Month,
            period_read: true,
            rounding: Rounding::Fen,
            per_member: false,
            payee: Payee::Itself,
            clause: None,
            basis: None,
        },
        each: None,
        occasion: None,
        delivery: Delivery {
            mode: Mode::Automatic,
            notice_days: None,
            pay_within_days: None,
            second_review: false,
            reply_within_days: None,
            no_reply: None,
        },
        commit: Vec::new(),
        requires: Vec::new(),
        excludes: Vec::new(),
        cap: None,
        budget: None,
        has_cases: true,
    }
}

impl PolicyDocument {
    pub(super) fn requires(&mut self, code: &str) {
        self.requires.push((code.to_owned(), span()));
    }

    pub(super) fn excludes(&mut self, code: &str, keep: Keep) {
        self.excludes.push(Exclusion { policy: code.to_owned(), place: span(), keep });
    }

    pub(super) fn commits(&mut self, fact: &str) {
        self.commit.push((fact.to_owned(), span()));
    }

    pub(super) fn capped(&mut self, per: CapScope) {
        self.cap = Some(Cap { amount: written(), per });
    }

    pub(super) fn budgeted(&mut self, at_exhaustion: Exhaustion, period: Period) {
        self.budget = Some(Budget { amount: written(), rank_by: Some(written()), descending: true, at_exhaustion, period });
    }
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            as_of: day("2026-06-30"),
            documents: Vec::new(),
            budgets: Vec::new(),
            findings: Findings::default(),
            known: [const { Vec::new() }; 3],
            paid: Paid::default(),
            refusals: Refusals::default(),
            conflicts: Vec::new(),
            whole: BTreeSet::new(),
            registers: BTreeMap::new(),
        }
    }

    /// Adds a policy for persons.
    pub(super) fn policy(&mut self, code: &str, change: impl FnOnce(&mut PolicyDocument)) {
        self.policy_for(SubjectKind::Person, code, change);
    }

    pub(super) fn policy_for(&mut self, kind: SubjectKind, code: &str, change: impl FnOnce(&mut PolicyDocument)) {
        let mut document = document(code, kind);
        change(&mut document);
        self.documents.push(document);
        self.budgets.push(None);
        self.findings.counts.push(BTreeMap::new());
    }

    fn index(&self, code: &str) -> u32 {
        u32::try_from(self.documents.iter().position(|document| document.code == code).unwrap()).unwrap()
    }

    pub(super) fn subject(&mut self, kind: SubjectKind, id: &str) -> SubjectIdx {
        let known = &mut self.known[kind as usize];
        let at = known.iter().position(|known| known.id == id).unwrap_or_else(|| {
            known.push(Known { id: id.to_owned(), region: "990101001".to_owned(), household: None, guardian: None });
            known.len() - 1
        });
        self.enter(kind);
        u32::try_from(at).unwrap()
    }

    fn enter(&mut self, kind: SubjectKind) {
        let mut subjects = Subjects::default();
        for known in &self.known[kind as usize] {
            let payees = Payees { guardian: known.guardian.as_deref(), ..Payees::default() };
            subjects.push(&Subject { id: &known.id, region: &known.region, household: known.household.as_deref(), payees });
        }
        self.findings.subjects[kind as usize] = subjects;
    }

    fn person(&mut self, id: &str, change: impl FnOnce(&mut Known)) {
        let at = self.subject(SubjectKind::Person, id) as usize;
        change(&mut self.known[SubjectKind::Person as usize][at]);
        self.enter(SubjectKind::Person);
    }

    /// Puts a person into a household.
    pub(super) fn lives(&mut self, person: &str, household: &str) {
        self.person(person, |known| known.household = Some(household.to_owned()));
    }

    /// Gives a person a guardian.
    pub(super) fn guarded(&mut self, person: &str, guardian: &str) {
        self.person(person, |known| known.guardian = Some(guardian.to_owned()));
    }

    /// Counts a person in a region.
    pub(super) fn counted(&mut self, person: &str, region: &str) {
        self.person(person, |known| region.clone_into(&mut known.region));
    }

    fn kind(&self, code: &str) -> SubjectKind {
        self.documents[self.index(code) as usize].subject
    }

    fn counts(&mut self, code: &str) -> &mut Counts {
        let at = self.index(code) as usize;
        self.findings.counts[at].entry(Arc::from("990101")).or_default()
    }

    /// A yes with an amount in yuan.
    pub(super) fn yes(&mut self, id: &str, code: &str, yuan: i64) -> &mut Finding {
        let (kind, policy) = (self.kind(code), self.index(code));
        let subject = self.subject(kind, id);
        if !self.findings.yes.iter().any(|finding| (finding.policy, finding.subject) == (policy, subject)) {
            self.counts(code).yes += 1;
        }
        self.findings.yes.push(Finding {
            subject,
            policy,
            occasion: None,
            member: None,
            limits: None,
            amount_unknown: false,
            amount: Some(yuan * 100).into(),
            reasons: 0b11,
        });
        self.last()
    }

    fn last(&mut self) -> &mut Finding {
        self.findings.yes.last_mut().unwrap()
    }

    /// A yes whose amount needs a fact that is unknown.
    pub(super) fn yes_without_amount(&mut self, id: &str, code: &str) {
        let finding = self.yes(id, code, 0);
        (finding.amount, finding.amount_unknown) = (Amount::NONE, true);
    }

    /// A yes for one member.
    pub(super) fn yes_of_member(&mut self, id: &str, code: &str, member: &str, yuan: i64) {
        let member = self.findings.words.word(member);
        self.yes(id, code, yuan).member = Some(member);
    }

    fn limit(&mut self, limits: Limits) {
        self.findings.limits.push(limits);
        let at = LimitsIdx::new(self.findings.limits.len() - 1);
        self.last().limits = Some(at);
    }

    /// Gives the last yes a rank.
    pub(super) fn ranked(&mut self, rank: Option<i128>) {
        self.limit(Limits { rank, cap: None });
    }

    /// Gives the last yes a cap, in hundredths.
    pub(super) fn capped(&mut self, cap: i64) {
        self.limit(Limits { rank: None, cap: Some(cap) });
    }

    /// A yes for one occasion.
    pub(super) fn yes_for(&mut self, id: &str, code: &str, occasion: &str, yuan: i64) -> &mut Finding {
        let occasion = self.findings.words.word(occasion);
        let finding = self.yes(id, code, yuan);
        finding.occasion = Some(occasion);
        finding
    }

    /// An unknown for want of one of these sets of facts.
    pub(super) fn unknown(&mut self, id: &str, code: &str, sets: &[&[&str]]) {
        let (kind, policy) = (self.kind(code), self.index(code));
        let subject = self.subject(kind, id);
        let set = |set: &&[&str]| set.iter().map(|fact| (Arc::from(*fact), Cause::Missing)).collect();
        let sets = MissingSets { sets: sets.iter().map(set).collect() };
        let known = self.findings.missing.iter().position(|known| *known == sets);
        let missing = known.unwrap_or_else(|| {
            self.findings.missing.push(sets);
            self.findings.missing.len() - 1
        });
        let missing = u32::try_from(missing).unwrap();
        self.findings.unknown.push(UnknownFinding { subject, policy, missing });
        self.counts(code).unknown += 1;
    }

    pub(super) fn paid(&mut self, id: &str, code: &str, period: &str, occasion: Option<&str>, yuan: i64) {
        let (kind, paid_on) = (self.kind(code), day("2026-06-10"));
        self.paid.push(&Payment { kind, subject_id: id, policy: code, period, occasion, amount: yuan * 100, paid_on });
    }

    pub(super) fn refuses(&mut self, id: &str, refusal: RefusalKind, policy: Option<&str>) {
        let policy = policy.map(Arc::from);
        self.refusals.rows.push(RefusalRow { kind: SubjectKind::Person, subject_id: Arc::from(id), refusal, policy });
    }

    pub(super) fn resolve(&self) -> Resolution<'_> {
        let policies: Vec<CheckedPolicy> = self.documents.iter().map(checked).collect();
        let input = ResolutionInput {
            policies: &policies,
            budgets: &self.budgets,
            as_of: self.as_of,
            paid: &self.paid,
            refusals: &self.refusals,
            conflicts: &self.conflicts,
            whole_register_unknown: &self.whole,
            fact_registers: &self.registers,
        };
        resolve(&self.findings, &input)
    }

    /// The grants as `subject policy[/occasion][@member] yuan [status] [mode]`, where status is not `granted` and mode not
    /// `automatic`.
    #[track_caller]
    pub(super) fn expect(&self, expected: &[&str]) -> Resolution<'_> {
        let resolution = self.resolve();
        let grants: Vec<String> = resolution.grants.iter().map(|grant| line(&resolution, grant)).collect();
        assert_eq!(grants, expected);
        resolution
    }
}

fn checked(document: &PolicyDocument) -> CheckedPolicy {
    CheckedPolicy {
        document: Arc::new(document.clone()),
        coverage: ir::Expr::boolean(true),
        criteria: ir::Expr::boolean(true),
        steps: Arc::default(),
        leaves: document.criteria.criteria().into_iter().map(|it| (Arc::from(it.id.as_str()), ir::Expr::boolean(true))).collect(),
        amount: None,
        occasion: None,
        each: None,
        cap: None,
        budget: None,
        rank: None,
        commit: Vec::new(),
    }
}

fn line(resolution: &Resolution<'_>, grant: &Grant) -> String {
    let mut line = format!("{} {}", grant.subject_id(resolution), resolution.policy(grant.policy).code);
    if let Some(occasion) = grant.occasion(resolution) {
        line += &format!("/{occasion}");
    }
    if let Some(member) = grant.member(resolution) {
        line += &format!("@{member}");
    }
    match grant.amount.get() {
        Some(amount) if amount % 100 == 0 => line += &format!(" {}", amount / 100),
        Some(amount) => line += &format!(" {amount} fen"),
        None => line += " ?",
    }
    if grant.status != Status::Granted {
        line += &format!(" {}", grant.status.name());
    }
    if grant.mode != Mode::Automatic {
        line += &format!(" {}", grant.mode.name());
    }
    line
}
