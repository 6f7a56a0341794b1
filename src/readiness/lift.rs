//! What would lift a policy: a register that comes, is fresh or tells more, or a standard that is set; whom that would settle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::condition::{Condition, Reason, ReasonKind};
use super::mode::Grounds;
use super::people::{Gap, People};
use super::registers::{Freshness, RegisterState};
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::{Message, Span};
use crate::dossier::Cause;
use crate::eligibility::finding::MissingSets;
use crate::eligibility::run::authority;
use crate::policy::document::{Mode, Payee};
use crate::register::declaration::SubjectKind;

/// One thing that would lift a policy, and whom it would settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lift {
    /// The register that would have to tell; none for a parameter, and for facts that no register tells.
    pub register: Option<String>,
    /// The parameter that would have to be set.
    pub parameter: Option<String>,
    /// What people call it.
    pub label: Message,
    /// How the register stands.
    pub freshness: Option<Freshness>,
    /// Its facts that are unknown of somebody, those that settle most first.
    pub facts: Vec<LiftedFact>,
    /// Unknown subjects whose verdict it alone would settle.
    pub settles: u64,
    /// Unknown subjects whose verdict it could settle, alone or together with others.
    pub takes_part: u64,
    /// Subjects who are found and whose payee it would tell.
    pub payees: u64,
    /// For those whom it alone would settle, in hundredths of a yuan: each at the average amount of the policy, for the
    /// policy's period. None where no amount is known.
    pub estimated: Option<i64>,
    /// The mode that the policy could then have, if it told everything of everybody.
    pub mode: Option<Mode>,
}

/// A fact that is unknown of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiftedFact {
    /// The fact.
    pub fact: String,
    /// What people call it.
    pub label: Message,
    /// Why it is unknown.
    pub cause: Cause,
    /// Unknown subjects whose verdict it alone would settle.
    pub settles: u64,
    /// Unknown subjects whose verdict it could settle, alone or together with others.
    pub takes_part: u64,
}

/// What a policy lacks.
pub(super) struct Lacking<'a> {
    pub(super) kind: SubjectKind,
    pub(super) payee: Payee,
    pub(super) commit: &'a [(String, Span)],
    pub(super) people: &'a People,
    pub(super) gaps: &'a [Gap],
    /// What the gaps point to.
    pub(super) missing: &'a [MissingSets],
    pub(super) conditions: &'a [Condition],
    pub(super) grounds: Grounds,
    pub(super) catalogue: &'a Catalogue,
    pub(super) states: &'a BTreeMap<String, RegisterState>,
}

/// What is told of one register while gaps are gone through.
#[derive(Default)]
struct Sums {
    /// Subjects whose verdict it alone would settle.
    settles: u64,
    takes_part: u64,
    payees: u64,
    facts: BTreeMap<(Arc<str>, Cause), (u64, u64)>,
}

/// Registers that would have to tell a fact; none for what no register tells.
type Tellers = BTreeSet<Option<String>>;

/// A set of facts that are missing, each with the registers that would have to tell it.
type Blamed<'a> = Vec<(&'a (Arc<str>, Cause), Tellers)>;

impl Lacking<'_> {
    /// What would lift the policy, what settles most first.
    pub(super) fn lifts(&self) -> Vec<Lift> {
        let mut of_register: BTreeMap<Option<String>, Sums> = BTreeMap::new();
        for reason in self.reasons().filter(|reason| reason.kind.is_of_a_register()) {
            of_register.entry(reason.register.clone()).or_default();
        }
        let blamed = self.all_blamed();
        for (gap, sets) in self.gaps.iter().zip(&blamed) {
            add(gap, sets, &mut of_register);
        }
        if self.people.without_payee > 0 {
            of_register.entry(self.register_of_payee()).or_default().payees = self.people.without_payee;
        }
        let mut lifts: Vec<Lift> = of_register.into_iter().map(|(register, sums)| self.of_register(register, sums, &blamed)).collect();
        lifts.sort_by(|one, other| {
            let key = |lift: &Lift| (lift.settles + lift.payees, lift.takes_part);
            key(other).cmp(&key(one)).then_with(|| one.register.cmp(&other.register))
        });
        let parameters: BTreeSet<&String> = self.reasons().filter_map(|reason| reason.parameter.as_ref()).collect();
        lifts.extend(parameters.into_iter().map(|parameter| self.of_parameter(parameter)));
        lifts
    }

    /// The mode if everything that is told of were there. What no fact could settle stays open, unless a standard would.
    pub(super) fn at_best(&self) -> Option<Mode> {
        let is_mended = |reason: &Reason| reason.kind.is_of_a_register() || reason.parameter.is_some();
        let law = self.reasons().all(|reason| is_mended(reason) || is_counted(reason));
        let by_standard = self.reasons().any(|reason| reason.parameter.is_some());
        let open = if by_standard { 0 } else { self.people.unpriced + self.people.beyond_facts };
        Grounds { law, registers: true, open, committable: 0, ..self.grounds }.mode()
    }

    /// The register that tells who receives a grant in the subject's stead.
    fn register_of_payee(&self) -> Option<String> {
        let names: &[&str] = match self.payee {
            Payee::Itself => &[],
            Payee::Guardian => &["mother", "father"],
            Payee::Head => &["head", "household"],
            Payee::LegalRepresentative => &["legal_representative"],
        };
        names.iter().find_map(|name| self.link(name))
    }

    fn reasons(&self) -> impl Iterator<Item = &Reason> {
        self.conditions.iter().flat_map(|condition| &condition.reasons)
    }

    /// By gap, its sets.
    fn all_blamed(&self) -> Vec<Vec<Blamed<'_>>> {
        let mut known: HashMap<&str, Tellers> = HashMap::new();
        let mut all = Vec::with_capacity(self.gaps.len());
        for gap in self.gaps {
            let mut sets = Vec::new();
            for set in &self.missing[gap.missing as usize].sets {
                let mut blamed = Vec::new();
                for fact in set {
                    blamed.push((fact, known.entry(&fact.0).or_insert_with(|| self.blamed(&fact.0)).clone()));
                }
                sets.push(blamed);
            }
            all.push(sets);
        }
        all
    }

    /// The registers that a fact is unknown for: those that gave nothing, else the one that answers for it.
    fn blamed(&self, fact: &str) -> Tellers {
        let Some(id) = self.fact(fact) else { return BTreeSet::from([self.link(fact)]) };
        let registers = self.catalogue.registers_of(id);
        let is_silent = |register: &String| self.states.get(register).is_some_and(|state| state.freshness != Freshness::Fresh);
        let silent: Tellers = registers.into_iter().filter(is_silent).map(Some).collect();
        if silent.is_empty() { BTreeSet::from([authority(self.catalogue, id)]) } else { silent }
    }

    /// The fact with a name; one that a person reaches through the household is the household's.
    fn fact(&self, name: &str) -> Option<FactId> {
        let of_household = || self.catalogue.find(SubjectKind::Household, name.strip_prefix("household.")?);
        self.catalogue.find(self.kind, name).or_else(of_household)
    }

    /// The register of a link that leads nowhere known.
    fn link(&self, name: &str) -> Option<String> {
        self.catalogue.registers.link(self.kind, name).map(|link| link.register.clone())
    }

    fn of_register(&self, register: Option<String>, sums: Sums, blamed: &[Vec<Blamed<'_>>]) -> Lift {
        let state = register.as_ref().and_then(|register| self.states.get(register));
        let without = |reason: &Reason| reason.kind.is_of_a_register() && reason.register != register;
        let grounds = Grounds {
            registers: !self.reasons().any(without),
            open: self.grounds.open.saturating_sub(sums.settles + sums.payees),
            committable: self.committable_with(&Tellers::from([register.clone()]), blamed),
            ..self.grounds
        };
        let mut facts: Vec<LiftedFact> = sums
            .facts
            .into_iter()
            .map(|((fact, cause), (settles, takes_part))| LiftedFact {
                label: self.label(&fact),
                fact: fact.to_string(),
                cause,
                settles,
                takes_part,
            })
            .collect();
        facts.sort_by(|one, other| {
            let key = |fact: &LiftedFact| (fact.settles, fact.takes_part);
            key(other).cmp(&key(one)).then_with(|| one.fact.cmp(&other.fact))
        });
        Lift {
            label: state.map_or_else(|| Message::new("没有登记库", "no register"), |state| state.label.clone()),
            freshness: state.map(|state| state.freshness),
            register,
            parameter: None,
            facts,
            settles: sums.settles,
            takes_part: sums.takes_part,
            payees: sums.payees,
            estimated: self.people.average.and_then(|average| average.checked_mul(i64::try_from(sums.settles).ok()?)),
            mode: grounds.mode(),
        }
    }

    /// How many subjects' word would settle what a register leaves open that tells everything of everybody.
    fn committable_with(&self, alone: &Tellers, blamed: &[Vec<Blamed<'_>>]) -> u64 {
        let is_told = |tellers: &Tellers| tellers == alone;
        let may_commit = |fact: &str| self.commit.iter().any(|(name, _)| name == fact);
        let is_committable = |sets: &&Vec<Blamed<'_>>| {
            let settled = sets.iter().any(|set| set.iter().all(|(_, registers)| is_told(registers)));
            !settled && sets.iter().any(|set| set.iter().all(|((fact, _), registers)| is_told(registers) || may_commit(fact)))
        };
        self.gaps.iter().zip(blamed).filter(|(_, sets)| is_committable(sets)).map(|(gap, _)| gap.subjects).sum()
    }

    /// A standard that is set: of nobody more the amount is unknown, nor the verdict that hung on no fact.
    fn of_parameter(&self, parameter: &str) -> Lift {
        let others = self.reasons().filter(|reason| !reason.kind.is_of_a_register() && !is_counted(reason));
        let law = others.into_iter().all(|reason| reason.parameter.as_deref() == Some(parameter));
        let settled = self.people.unpriced + self.people.beyond_facts;
        let grounds = Grounds { law, open: self.grounds.open.saturating_sub(settled), ..self.grounds };
        Lift {
            register: None,
            parameter: Some(parameter.to_owned()),
            label: Message::new(format!("标准“{parameter}”"), format!("parameter `{parameter}`")),
            freshness: None,
            facts: Vec::new(),
            settles: self.people.beyond_facts,
            takes_part: self.people.beyond_facts,
            payees: 0,
            estimated: None,
            mode: grounds.mode(),
        }
    }

    fn label(&self, fact: &str) -> Message {
        self.fact(fact).map_or_else(|| Message::new(fact, fact), |id| self.catalogue.fact(id).label.clone())
    }
}

/// Counts a gap at the registers that could fill it.
fn add(gap: &Gap, sets: &[Blamed<'_>], of_register: &mut BTreeMap<Option<String>, Sums>) {
    let all: BTreeSet<&Option<String>> = sets.iter().flatten().flat_map(|(_, registers)| registers).collect();
    for register in all {
        let alone = |set: &Blamed<'_>| set.iter().all(|(_, registers)| registers.len() == 1 && registers.contains(register));
        let sums = of_register.entry(register.clone()).or_default();
        sums.takes_part += gap.subjects;
        sums.settles += if sets.iter().any(alone) { gap.subjects } else { 0 };
    }
    let facts: BTreeMap<&(Arc<str>, Cause), &Tellers> = sets.iter().flatten().map(|(fact, registers)| (*fact, registers)).collect();
    for (fact, registers) in facts {
        let alone = sets.iter().any(|set| set.len() == 1 && set[0].0 == fact);
        for register in registers {
            let counts = of_register.entry(register.clone()).or_default().facts.entry(fact.clone()).or_default();
            counts.0 += if alone { gap.subjects } else { 0 };
            counts.1 += gap.subjects;
        }
    }
}

/// Whether a reason only counts people, who are counted with those of whom something is not known.
pub(super) fn is_counted(reason: &Reason) -> bool {
    reason.kind == ReasonKind::AmountUnknown
}

/// Whether conditions leave nothing open that no register would mend.
pub(super) fn is_lawful(conditions: &[Condition]) -> bool {
    conditions.iter().flat_map(|condition| &condition.reasons).all(|reason| reason.kind.is_of_a_register() || is_counted(reason))
}
