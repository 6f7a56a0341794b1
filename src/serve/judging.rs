//! One subject judged: facts that were posted, a stored dossier, or one with changes. The work is explain's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::dto::evaluation::FactValue;
use super::problem::Problem;
use super::rules::{OnDay, Rules, until};
use super::standing::Ground;
use crate::cases::{self, Lookup};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::SourceFile;
use crate::dossier::Cause;
use crate::explain::facts::Facts;
use crate::explain::when::{Story, Turn, turns};
use crate::explain::why::{Deliveries, Sources};
use crate::explain::{self, Known, Reason};
use crate::policy::document::{Case, Expect};
use crate::register::declaration::SubjectKind;
use crate::store::{FactState, StoredSubject};
use crate::yaml;

/// Facts by name, as they were posted.
pub type Posted = BTreeMap<String, Option<FactValue>>;

/// The most facts that are read at once.
const MOST_FACTS: usize = 1_000;

/// The facts that somebody posted: none: known to be unknown.
#[derive(Debug, Default)]
pub struct Given {
    /// By fact.
    pub values: BTreeMap<FactId, Option<Value>>,
}

/// Finds the facts that were posted, and reads their values; derived facts that no policy names are added to the catalogue.
///
/// # Errors
///
/// What cannot be found or read, each at its place in the JSON text of the facts.
pub fn read(rules: &Rules, catalogue: &mut Catalogue, kind: SubjectKind, as_of: NaiveDate, facts: &Posted) -> Result<Given, Problem> {
    if facts.len() > MOST_FACTS {
        let (zh, en) = (format!("最多 {MOST_FACTS} 个事实"), format!("at most {MOST_FACTS} facts"));
        return Err(Problem::unprocessable(zh, en));
    }
    // JSON is read as YAML is: by the reader of cases, which knows how people write facts.
    let text = serde_json::to_string(facts).unwrap_or_default();
    let file = SourceFile::new("facts", text);
    let (root, mut told) = yaml::parse(&file);
    let entries = root.as_ref().and_then(|root| root.mapping()).unwrap_or_default();
    let given = entries.iter().filter_map(|(name, value)| Some((name.text()?.to_owned(), value.clone()))).collect();
    let place = crate::diagnostic::Span::new(&file, 0..0);
    let case = Case { name: String::new(), place, as_of, given, registers: None, subject: None, expect: Expect::default(), because: None };
    let mut lookup = Lookup { catalogue, parameters: &rules.workspace.set.parameters, regions: &rules.workspace.regions };
    let (resolved, more) = cases::resolve(&mut lookup, kind, case);
    told.extend(more);
    if told.is_empty() {
        return Ok(Given { values: resolved.given });
    }
    Err(Problem::unprocessable("事实有误", "some of the facts are wrong").with(&told))
}

/// What the registers gave for a stored subject.
pub struct Stored<'a> {
    /// By what it was judged.
    pub ground: &'a Ground,
    /// The subject.
    pub subject: &'a StoredSubject,
}

impl Deliveries for Stored<'_> {
    fn silent(&self, register: &str) -> Option<Cause> {
        self.ground.silent(register)
    }

    fn is_set_aside(&self, register: &str) -> bool {
        self.subject.set_aside.iter().any(|name| **name == *register)
    }

    fn data_day(&self, register: &str) -> Option<NaiveDate> {
        self.ground.data_day(register)
    }
}

/// The stored facts of a subject, as the catalogue knows them. A fact that no policy of today reads has no place there.
#[must_use]
pub fn facts_of(catalogue: &Catalogue, subject: &StoredSubject) -> Facts {
    let mut facts = Facts::default();
    for fact in &subject.facts {
        let Some(id) = catalogue.find(subject.kind, &fact.name) else { continue };
        match &fact.state {
            FactState::Known(value) => {
                facts.values.insert(id, value.clone());
            }
            FactState::Unknown(Cause::Conflict) => {
                facts.conflicts.insert(id);
            }
            FactState::Unknown(_) => {}
        }
    }
    facts
}

/// A stored subject, to be judged on what registers gave of it and nothing else.
pub struct OfStored<'a> {
    /// The policies.
    pub rules: &'a Rules,
    /// Those of the day.
    pub day: &'a OnDay,
    /// The facts that registers gave.
    pub facts: Facts,
    /// What registers gave.
    pub stored: Stored<'a>,
    given: Given,
}

impl<'a> OfStored<'a> {
    /// On a day of some rules.
    #[must_use]
    pub fn new(rules: &'a Rules, day: &'a OnDay, stored: Stored<'a>) -> Self {
        let facts = facts_of(&day.catalogue, stored.subject);
        Self { rules, day, facts, stored, given: Given::default() }
    }

    /// The subject with its facts.
    #[must_use]
    pub fn bench(&self) -> Bench<'_> {
        Bench {
            rules: self.rules,
            day: self.day,
            catalogue: &self.day.catalogue,
            kind: self.stored.subject.kind,
            facts: &self.facts,
            given: &self.given,
            deliveries: Some(&self.stored),
        }
    }

    /// Where its facts come from.
    #[must_use]
    pub fn sources(&self) -> Sources<'_> {
        let (catalogue, regions) = (&self.day.catalogue, &self.rules.workspace.regions);
        Sources { catalogue, deliveries: &self.stored, regions, as_of: self.day.as_of, facts: &self.facts }
    }
}

/// Who is judged, on which facts.
pub struct Bench<'a> {
    /// The policies.
    pub rules: &'a Rules,
    /// Those of the day.
    pub day: &'a OnDay,
    /// Every fact; that of the day, or one that grew by what was posted.
    pub catalogue: &'a Catalogue,
    /// Whose facts.
    pub kind: SubjectKind,
    /// The facts that registers gave.
    pub facts: &'a Facts,
    /// The facts that were posted; they come before those of registers.
    pub given: &'a Given,
    /// What the registers gave; none where all was posted.
    pub deliveries: Option<&'a dyn Deliveries>,
}

impl Bench<'_> {
    /// The reasons of some policies, in the order of their codes; with the turns of the days ahead where these are asked for.
    #[must_use]
    pub fn reasons(&self, chosen: &dyn Fn(&CheckedPolicy) -> bool, ahead: bool) -> Vec<Reason> {
        let Self { rules, day, catalogue, facts, given, .. } = *self;
        let regions = &rules.workspace.regions;
        let value = |id: FactId| match given.values.get(&id) {
            Some(value) => value.clone(),
            None => facts.value(id),
        };
        let taken = |id: FactId| given.values.contains_key(&id);
        let origins = self.deliveries.map(|deliveries| Sources { catalogue, deliveries, regions, as_of: day.as_of, facts });
        let cause = |id: FactId| origins.as_ref().map(|origins| origins.why(id));
        let data_day = |register: &str| origins.as_ref().and_then(|origins| origins.data_day(register));
        let known = Known { value: &value, taken: &taken, cause: &cause, data_day: &data_day };
        let binder = rules.binder(day);
        let of_kind = |policy: &&CheckedPolicy| policy.document.subject == self.kind && chosen(policy);
        let reasons = day.in_force.values().filter(of_kind).map(|policy| explain::explain(catalogue, policy, &binder, known));
        if !ahead {
            return reasons.collect();
        }
        let (law, story) = (rules.law(day.as_of), self.story());
        let until = until(day.as_of);
        reasons
            .map(|reason| {
                let turns = turns(&law, catalogue, &story, &reason.policy);
                reason.with_turns(turns, until)
            })
            .collect()
    }

    /// The days ahead on which the verdicts of some policies change, by code.
    #[must_use]
    pub fn turns(&self, chosen: &dyn Fn(&CheckedPolicy) -> bool) -> Vec<(String, Vec<Turn>)> {
        let (law, story) = (self.rules.law(self.day.as_of), self.story());
        let policies = self.day.in_force.values().filter(|policy| policy.document.subject == self.kind && chosen(policy));
        let codes = policies.map(|policy| policy.document.code.clone());
        codes.map(|code| (code.clone(), turns(&law, self.catalogue, &story, &code))).collect()
    }

    /// The facts as they stay while time alone goes on.
    fn story(&self) -> Story {
        let mut values = self.facts.values.clone();
        for (id, value) in &self.given.values {
            match value {
                Some(value) => values.insert(*id, value.clone()),
                None => values.remove(id),
            };
        }
        let taken: BTreeSet<FactId> = self.given.values.keys().copied().collect();
        Story { facts: BTreeMap::from([(self.day.as_of, Facts { values, ..Facts::default() })]), taken }
    }
}
