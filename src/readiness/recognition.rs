//! 结果认定有据: each rule has its clause in a document in force, each fact a register that came, is fresh and covers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::condition::{Condition, ConditionName, Looking, Reason, ReasonKind};
use super::reads::{Read, Reads};
use super::registers::{Freshness, RegisterState};
use super::standard::named;
use super::validity::not_in_force_basis;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::Catalogue;
use crate::diagnostic::Message;
use crate::policy::document::PolicyDocument;

/// Looks at each criterion, the amount, and each fact.
pub(super) fn look(
    policy: &CheckedPolicy,
    reads: &Reads,
    catalogue: &Catalogue,
    binder: &Binder<'_>,
    states: &BTreeMap<String, RegisterState>,
) -> Condition {
    let mut looking = Looking::new();
    let document = &policy.document;
    for criterion in document.criteria.criteria() {
        looking.at(of_rule(document, &criterion.id, criterion.clause.as_deref(), criterion.basis.as_deref(), binder.as_of));
    }
    let has_amount = document.benefit.amount.is_some() || document.each.as_ref().is_some_and(|each| each.amount.is_some());
    if has_amount {
        let benefit = &document.benefit;
        looking.at(of_rule(document, "amount", benefit.clause.as_deref(), benefit.basis.as_deref(), binder.as_of));
    }
    let faults = faults(document, reads, catalogue, binder, states);
    let is_faulty = |read: &&Read| read.registers.iter().any(|register| faults.contains_key(register.as_str()));
    let faulty: Vec<&Read> = reads.facts.iter().filter(is_faulty).collect();
    let each = policy.each.as_ref().map(|each| each.register.as_str());
    let mut reasons = Vec::new();
    for (register, of_register) in &faults {
        let facts: Vec<&&Read> = faulty.iter().filter(|read| read.registers.iter().any(|other| other == register)).collect();
        let mut parts = parts_in_order(&facts);
        if each == Some(*register) && !parts.iter().any(|part| part == "each") {
            parts.push("each".to_owned());
        }
        let names: Vec<String> = facts.iter().map(|read| read.name.to_string()).collect();
        reasons.extend(of_register.iter().map(|reason| Reason { facts: names.clone(), parts: parts.clone(), ..reason.clone() }));
    }
    // Where nobody can be said to be covered, nothing else matters.
    let decides = |read: &&Read| read.parts.iter().any(|part| part == "covers") && is_silent(read, states);
    let failed = faulty.len() + usize::from(each.is_some_and(|register| faults.contains_key(register)));
    looking.at_all(reads.facts.len() + usize::from(each.is_some()), failed, reads.facts.iter().any(|read| decides(&read)), reasons);
    looking.done(ConditionName::Recognition)
}

/// Whether a register of a fact gives nothing to anybody.
fn is_silent(read: &Read, states: &BTreeMap<String, RegisterState>) -> bool {
    read.registers.iter().any(|register| states.get(register).is_none_or(|state| state.freshness != Freshness::Fresh))
}

fn of_rule(document: &PolicyDocument, part: &str, clause: Option<&str>, basis: Option<&str>, as_of: NaiveDate) -> Vec<Reason> {
    let (zh, en) = if part == "amount" {
        ("金额".to_owned(), "the amount".to_owned())
    } else {
        (format!("条件“{part}”"), format!("criterion `{part}`"))
    };
    let at = |reason: Reason| Reason { parts: vec![part.to_owned()], ..reason };
    let mut reasons = Vec::new();
    if clause.is_none_or(|clause| clause.trim().is_empty()) {
        reasons
            .push(at(Reason::new(ReasonKind::WithoutClause, Message::new(format!("{zh}没有写明条文"), format!("{en} names no clause")))));
    }
    match basis.and_then(|id| document.basis.iter().find(|basis| basis.id == id)) {
        None => {
            let text = Message::new(format!("{zh}没有写明依据"), format!("{en} names no document"));
            reasons.push(at(Reason::new(ReasonKind::WithoutBasis, text)));
        }
        Some(basis) => reasons.extend(not_in_force_basis(basis, as_of).map(|reason| {
            let text = Message::new(format!("{zh}: {}", reason.text.zh), format!("{en}: {}", reason.text.en));
            at(Reason { text, ..reason })
        })),
    }
    reasons
}

/// What is wrong with the registers that a policy reads, by register.
fn faults<'a>(
    document: &PolicyDocument,
    reads: &'a Reads,
    catalogue: &Catalogue,
    binder: &Binder<'_>,
    states: &BTreeMap<String, RegisterState>,
) -> BTreeMap<&'a str, Vec<Reason>> {
    let mut all = BTreeMap::new();
    for register in &reads.registers {
        let Some(declared) = catalogue.registers.registers.get(register) else { continue };
        let label = &declared.label;
        let mut found = Vec::new();
        let mut tell = |kind, zh: String, en: String| {
            let text = Message::new(format!("“{}”{zh}", label.zh), format!("{} ({register}) {en}", label.en));
            found.push(Reason { register: Some(register.clone()), ..Reason::new(kind, text) });
        };
        match states.get(register) {
            Some(RegisterState { freshness: Freshness::Fresh, .. }) => {}
            Some(RegisterState { freshness: Freshness::Stale, data_day: Some(day), fresh_within_days: Some(days), .. }) => {
                let (zh, en) = (
                    format!("的数据日是 {day}, 超过 {days} 天, 已过期"),
                    format!("speaks for {day} and is stale: it promises {days} days"),
                );
                tell(ReasonKind::RegisterStale, zh, en);
            }
            _ => tell(ReasonKind::RegisterAbsent, "没有交付".to_owned(), "did not come".to_owned()),
        }
        if let Some(from) = declared.coverage_from.filter(|from| *from > binder.as_of) {
            tell(ReasonKind::RegisterDoesNotCover, format!("自 {from} 起才完整"), format!("is complete only from {from}"));
        }
        let uncovered = declared.uncovered(binder.regions, &document.covers.region, binder.as_of);
        if !uncovered.is_empty() {
            let (zh, en) = named(&uncovered, binder.regions);
            tell(ReasonKind::RegisterDoesNotCover, format!("不覆盖 {zh}"), format!("does not cover {en}"));
            if let Some(reason) = found.last_mut() {
                reason.regions = uncovered;
            }
        }
        if !found.is_empty() {
            all.insert(register.as_str(), found);
        }
    }
    all
}

/// The parts in which some facts stand, each once, in the order of the policy.
fn parts_in_order(reads: &[&&Read]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    reads.iter().flat_map(|read| &read.parts).filter(|part| seen.insert(part.as_str())).cloned().collect()
}
