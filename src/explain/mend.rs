//! What would make a no a yes: the least change among the facts that the subject can change, or that there is none.

use std::sync::Arc;

use serde::Serialize;

use super::change::{Changeable, Found, Goal, Set, least, read_by};
use super::judge::Judge;
use super::phrase::label_of;
use super::value::{raw, show};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::{Expr, Ty, Value};
use crate::diagnostic::Message;
use crate::program::interpreter::{Answer, missing};

/// The least change that makes a no a yes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeastChange {
    /// The facts that the conditions read and that the subject can change, in the order in which they stand there.
    pub considered: Vec<Considered>,
    /// Of each set of facts of the least size (at most 8), the nearest change that makes the verdict yes. Empty: there is
    /// none.
    pub sets: Vec<Vec<Change>>,
    /// Where no change makes it yes: those of the least size that leave it unknown, with what must then become known.
    pub openings: Vec<Opening>,
    /// Whether every set that could be smaller, or could exist at all, was looked at. If not, there may be others.
    pub complete: bool,
}

/// A fact that the subject can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Message,
}

/// One changed fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Name.
    pub name: String,
    /// For people.
    pub label: Message,
    /// The value now, for people; none: unknown.
    pub from: Option<Message>,
    /// The new value, for people.
    pub to: Message,
    /// The new value, for tools.
    pub value: serde_json::Value,
    /// The fact and its new value, as evaluation takes them.
    #[serde(skip)]
    pub applied: (FactId, Value),
}

/// A change that leaves the verdict unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Opening {
    /// The changes.
    pub changes: Vec<Change>,
    /// The facts that could then make it yes: the smallest set.
    pub then_missing: Vec<Considered>,
}

impl Judge<'_> {
    /// The least change that makes a policy that is a no for the subject a yes.
    pub fn least_change(&mut self, policy: &CheckedPolicy) -> LeastChange {
        least_change(self, policy)
    }
}

fn least_change(judge: &mut Judge<'_>, policy: &CheckedPolicy) -> LeastChange {
    let kind = policy.document.subject;
    let conditions = judge.conditions(policy);
    let changeable = read_by(&conditions, |index| of_fact(judge, FactId { kind, index }));
    let row = judge.row(kind);
    let found = least(&conditions, &row, &changeable, Goal::Yes);
    let opened =
        if found.sets.is_empty() { least(&conditions, &row, &changeable, Goal::NotNo) } else { Found { sets: Vec::new(), complete: true } };
    let order = |fact: usize| changeable.iter().position(|changeable| changeable.fact == fact);
    let said = |set: &Set| -> Vec<Change> {
        let mut set = set.clone();
        set.sort_by_key(|(fact, _)| order(*fact));
        set.into_iter().map(|(index, value)| change(judge, FactId { kind, index }, value)).collect()
    };
    let sets = found.sets.iter().map(said).collect();
    let openings =
        opened.sets.iter().map(|set| Opening { changes: said(set), then_missing: then_missing(judge, policy, &conditions, set) });
    let openings = openings.filter(|opening| !opening.then_missing.is_empty()).collect();
    let considered = changeable.iter().map(|changeable| named(judge, FactId { kind, index: changeable.fact })).collect();
    LeastChange { considered, sets, openings, complete: found.complete && opened.complete }
}

/// A fact among those that the conditions read; none where the subject cannot change it.
fn of_fact(judge: &Judge<'_>, id: FactId) -> Option<Changeable> {
    let fact = judge.catalogue.fact(id);
    if !fact.changeable || matches!(fact.definition, Definition::Computed(_)) && !(judge.known.taken)(id) {
        return None;
    }
    let regions = judge.binder.regions;
    let codes = if fact.ty.region {
        Some(regions.codes(judge.binder.as_of).into_iter().map(Arc::from).collect())
    } else {
        fact.ty.codes.as_ref().map(|codes| codes.keys().map(|code| Arc::from(code.as_str())).collect())
    };
    Some(Changeable { fact: id.index, ty: fact.ty.ty, scale: if fact.ty.ty == Ty::Number { fact.ty.scale } else { 0 }, codes })
}

fn named(judge: &Judge<'_>, id: FactId) -> Considered {
    let fact = judge.catalogue.fact(id);
    Considered { name: fact.name.to_string(), label: label_of(&judge.catalogue, id) }
}

fn change(judge: &Judge<'_>, id: FactId, value: Value) -> Change {
    let fact = judge.catalogue.fact(id);
    let shown = |value: &Value| show(&Answer::from(value), Some(&fact.ty), fact.unit.as_deref(), judge.binder.regions);
    Change {
        name: fact.name.to_string(),
        label: label_of(&judge.catalogue, id),
        from: (judge.known.value)(id).as_ref().map(shown),
        to: shown(&value),
        value: raw(&Answer::from(&value), Some(&fact.ty)),
        applied: (id, value),
    }
}

/// The smallest set of facts that could make the conditions yes after a change.
fn then_missing(judge: &Judge<'_>, policy: &CheckedPolicy, conditions: &Expr, set: &Set) -> Vec<Considered> {
    let kind = policy.document.subject;
    let row = judge.row(kind);
    let changed = |fact: usize| match set.iter().find(|(index, _)| *index == fact) {
        Some((_, value)) => Some(value.clone()),
        None => row(fact),
    };
    let sets = missing(conditions, &changed);
    sets.first().into_iter().flatten().map(|&index| named(judge, FactId { kind, index })).collect()
}
