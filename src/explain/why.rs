//! Why a fact is unknown, and what would settle an unknown verdict: one question, or one request for data.

use chrono::NaiveDate;
use serde::Serialize;

use super::facts::Facts;
use super::reason::{MissingFact, RegisterReason};
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::Message;
use crate::dossier::{Cause, Dossiers};
use crate::region::RegionTree;
use crate::register::declaration::{RegisterDeclaration, SubjectKind};
use crate::register::quarantine::Scope;

/// Why a fact is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

impl Why {
    /// In words.
    #[must_use]
    pub fn words(self) -> Message {
        match self {
            Self::Missing => Message::new("没有登记", "no register has it"),
            Self::Stale => Message::new("登记过期", "the register is stale"),
            Self::Conflict => Message::new("登记不一致", "registers disagree"),
            Self::Quarantined => Message::new("登记有误, 已隔离", "a faulty row was set aside"),
            Self::OutsideCoverage => Message::new("不在登记范围内", "outside what the register covers"),
            Self::NoRegister => Message::new("登记库缺席", "the register is absent"),
        }
    }
}

/// What was delivered of registers, as far as it concerns one subject.
pub trait Deliveries {
    /// Why a register gave nothing at all; none where it gave something.
    fn silent(&self, register: &str) -> Option<Cause>;
    /// Whether a row of a register about the subject was set aside.
    fn is_set_aside(&self, register: &str) -> bool;
    /// The day that a register's delivery speaks for.
    fn data_day(&self, register: &str) -> Option<NaiveDate>;
}

/// Dossiers that were built, with what was read for them, and one of their subjects.
pub struct Built<'a> {
    /// The dossiers.
    pub dossiers: &'a Dossiers,
    /// The subject.
    pub id: &'a str,
}

impl Deliveries for Built<'_> {
    fn silent(&self, register: &str) -> Option<Cause> {
        self.dossiers.silent.get(register).copied()
    }

    fn is_set_aside(&self, register: &str) -> bool {
        let Some(outcome) = self.dossiers.intake.registers.get(register) else { return false };
        outcome.quarantine.entries.iter().any(|entry| {
            let subject = entry.subject.as_deref().map(|id| self.dossiers.intake.identities.today(id).unwrap_or(id));
            entry.scope == Scope::Row && subject == Some(self.id)
        })
    }

    fn data_day(&self, register: &str) -> Option<NaiveDate> {
        self.dossiers.intake.registers.get(register).map(|outcome| outcome.data_day)
    }
}

/// What is known of how the facts of one subject came about.
pub struct Sources<'a> {
    /// Facts.
    pub catalogue: &'a Catalogue,
    /// What was delivered.
    pub deliveries: &'a dyn Deliveries,
    /// Regions.
    pub regions: &'a RegionTree,
    /// The day.
    pub as_of: NaiveDate,
    /// The subject's facts.
    pub facts: &'a Facts,
}

impl Sources<'_> {
    /// Why an unknown fact is unknown: a conflict before what is stale, and that before what is missing.
    #[must_use]
    pub fn why(&self, fact: FactId) -> Why {
        if self.facts.conflicts.contains(&fact) {
            return Why::Conflict;
        }
        let names = self.catalogue.registers_of(fact);
        let silent = |cause: Cause| names.iter().any(|name| self.deliveries.silent(name) == Some(cause));
        if silent(Cause::Stale) {
            return Why::Stale;
        }
        if silent(Cause::Missing) {
            return Why::NoRegister;
        }
        if names.iter().any(|name| self.deliveries.is_set_aside(name)) {
            return Why::Quarantined;
        }
        let declared = names.iter().filter_map(|name| self.catalogue.registers.registers.get(name));
        if declared.into_iter().any(|register| self.is_outside(register, fact.kind)) {
            return Why::OutsideCoverage;
        }
        Why::Missing
    }

    /// The day that a register's delivery speaks for.
    #[must_use]
    pub fn data_day(&self, register: &str) -> Option<NaiveDate> {
        self.deliveries.data_day(register)
    }

    fn is_outside(&self, register: &RegisterDeclaration, kind: SubjectKind) -> bool {
        if register.coverage_from.is_some_and(|from| from > self.as_of) {
            return true;
        }
        if register.coverage_regions.is_empty() {
            return false;
        }
        let facts = ["residence_region", "hukou_region", "registered_region"].map(|name| self.catalogue.find(kind, name));
        let known: Vec<Value> = facts.into_iter().flatten().filter_map(|fact| self.facts.value(fact)).collect();
        let inside = |value: &Value| match value {
            Value::Text(code) => {
                register.coverage_regions.iter().any(|region| **region == **code || self.regions.contains(region, code, self.as_of))
            }
            _ => false,
        };
        !known.is_empty() && !known.iter().any(inside)
    }
}

/// Who can settle an unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// The subject commits to the facts.
    Commitment,
    /// The subject is asked: no register would tell.
    Question,
    /// The authority that keeps the register tells, corrects or delivers.
    DataRequest,
}

/// What would settle an unknown verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settle {
    /// Who can.
    pub by: SettledBy,
    /// The facts that are asked for: the smallest set.
    pub facts: Vec<MissingFact>,
    /// What is asked, in plain words.
    pub ask: Message,
}

/// The question or request that settles an unknown with the smallest set of facts; none where nothing could.
#[must_use]
pub fn settle(missing: &[Vec<MissingFact>], offer: &[MissingFact], kind: SubjectKind) -> Option<Settle> {
    let (your, you) = match kind {
        SubjectKind::Person => ("您", "your"),
        SubjectKind::Household => ("您家", "your household's"),
        SubjectKind::Entity => ("贵单位", "your organisation's"),
    };
    if !offer.is_empty() {
        let names = names(offer);
        let ask = Message::new(format!("请{your}如实告知并承诺: {}", names.zh), format!("Please state, and commit to: {}", names.en));
        return Some(Settle { by: SettledBy::Commitment, facts: offer.to_vec(), ask });
    }
    let facts = missing.first().filter(|set| !set.is_empty())?;
    if facts.iter().any(|fact| fact.registers.is_empty()) {
        let names = names(facts);
        let ask = Message::new(format!("请{your}告知: {}", names.zh), format!("Please tell us: {}", names.en));
        return Some(Settle { by: SettledBy::Question, facts: facts.clone(), ask });
    }
    let asks: Vec<Message> = facts.iter().map(|fact| request(fact, your, you)).collect();
    let (zh, en): (Vec<String>, Vec<String>) = asks.into_iter().map(|ask| (ask.zh, ask.en)).unzip();
    Some(Settle { by: SettledBy::DataRequest, facts: facts.clone(), ask: Message::new(zh.join("; "), en.join("; ")) })
}

fn request(fact: &MissingFact, your: &str, you: &str) -> Message {
    let nobody = RegisterReason { name: String::new(), label: Message::default(), kept_by: String::new(), data_day: None };
    let register = fact.registers.first().unwrap_or(&nobody);
    let (keeper, library, label) = (&register.kept_by, &register.label, &fact.label);
    match fact.cause {
        Some(Why::Conflict) => Message::new(
            format!("请{keeper}核对登记不一致的“{}”（{}）", label.zh, library.zh),
            format!("{keeper} is asked to settle “{}”, on which registers disagree ({})", label.en, library.en),
        ),
        Some(Why::Quarantined) => Message::new(
            format!("请{keeper}更正“{}”中{your}的记录, 以便知道“{}”", library.zh, label.zh),
            format!("{keeper} is asked to correct {you} row in “{}”, which tells “{}”", library.en, label.en),
        ),
        Some(Why::Stale | Why::NoRegister) => Message::new(
            format!("请{keeper}交付最新的“{}”, 以便知道“{}”", library.zh, label.zh),
            format!("{keeper} is asked to deliver “{}” anew, which tells “{}”", library.en, label.en),
        ),
        _ => Message::new(
            format!("请{keeper}查明{your}的“{}”（{}）", label.zh, library.zh),
            format!("{keeper} is asked for {you} “{}” ({})", label.en, library.en),
        ),
    }
}

fn names(facts: &[MissingFact]) -> Message {
    let (zh, en): (Vec<&str>, Vec<&str>) = facts.iter().map(|fact| (fact.label.zh.as_str(), fact.label.en.as_str())).unzip();
    Message::new(zh.join("、"), en.join(", "))
}
