//! What differs between two sets of policies, statement by statement; layout, comments and spelling make no difference.

mod statements;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use serde::Serialize;

pub use statements::Topic;

use super::document::{PolicyDocument, PolicySet};
use crate::diagnostic::Message;
use statements::{Statements, of_bundle, of_parameter, of_policy, structure};

/// How something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Only in the new set.
    Added,
    /// Only in the old set.
    Removed,
    /// In both, and not the same.
    Changed,
    /// The same item under another code.
    Renamed,
}

/// One statement that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about.
    #[serde(flatten)]
    pub topic: Topic,
    /// How it differs.
    pub how: How,
    /// What the old set says; none when nothing.
    pub old: Option<String>,
    /// What the new set says; none when nothing.
    pub new: Option<String>,
}

/// What kind of thing an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A policy.
    Policy,
    /// A parameter.
    Parameter,
    /// A bundle.
    Bundle,
}

/// A policy, parameter or bundle that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its code or name, in the new set where it is there.
    pub id: String,
    /// The code in the old set, where it was another.
    pub old_id: Option<String>,
    /// Its version, where it has versions.
    pub version: Option<i64>,
    /// For people.
    pub name: Message,
    /// How it differs.
    pub how: How,
    /// What differs; empty where the whole item was added or removed.
    pub changes: Vec<Change>,
}

/// What differs between two sets, policies first; empty where they say the same.
#[must_use]
pub fn difference(old: &PolicySet, new: &PolicySet) -> Vec<Item> {
    let mut items = policies(&old.policies, &new.policies);
    let parameters = |set: &PolicySet| {
        let entry = |parameter: &super::document::Parameter| (parameter.name.clone(), (parameter.label.clone(), of_parameter(parameter)));
        set.parameters.iter().map(entry).collect()
    };
    items.extend(named(Kind::Parameter, parameters(old), parameters(new)));
    let bundles =
        |set: &PolicySet| set.bundles.iter().map(|bundle| (bundle.id.clone(), (bundle.name.clone(), of_bundle(bundle)))).collect();
    items.extend(named(Kind::Bundle, bundles(old), bundles(new)));
    items
}

type Named = BTreeMap<String, (Message, Statements)>;

fn named(kind: Kind, old: Named, mut new: Named) -> Vec<Item> {
    let item = |id: String, name: Message, how, changes| Item { kind, id, old_id: None, version: None, name, how, changes };
    let mut items = Vec::new();
    for (id, (name, said)) in old {
        match new.remove(&id) {
            None => items.push(item(id, name, How::Removed, Vec::new())),
            Some((name, says)) => {
                let changes = compare(&said, &says);
                if !changes.is_empty() {
                    items.push(item(id, name, How::Changed, changes));
                }
            }
        }
    }
    items.extend(new.into_iter().map(|(id, (name, _))| item(id, name, How::Added, Vec::new())));
    items.sort_by(|one, other| one.id.cmp(&other.id));
    items
}

fn policies(old: &[Arc<PolicyDocument>], new: &[Arc<PolicyDocument>]) -> Vec<Item> {
    let (mut pairs, mut removed, mut added) = (Vec::new(), Vec::new(), new.iter().collect::<Vec<_>>());
    for policy in old {
        // The same version, else the only version that either side has of the code.
        let same = |other: &&Arc<PolicyDocument>| other.code == policy.code && other.version == policy.version;
        let only = |set: &[Arc<PolicyDocument>]| set.iter().filter(|other| other.code == policy.code).count() == 1;
        let code = |other: &&Arc<PolicyDocument>| other.code == policy.code;
        let at = added.iter().position(same).or_else(|| added.iter().position(code).filter(|_| only(old) && only(new)));
        match at {
            Some(at) => pairs.push((policy, added.remove(at))),
            None => removed.push(policy),
        }
    }
    let mut items: Vec<Item> = pairs.into_iter().filter_map(|(old, new)| changed(old, new)).collect();
    for policy in removed {
        match added.iter().position(|other| is_renamed(policy, other)) {
            Some(at) => items.push(renamed(policy, added.remove(at))),
            None => items.push(whole(policy, How::Removed)),
        }
    }
    items.extend(added.into_iter().map(|policy| whole(policy, How::Added)));
    items.sort_by(|one, other| (&one.id, one.version).cmp(&(&other.id, other.version)));
    items
}

/// Whether a policy whose code is gone goes on under another code: it has the same name, or the same criteria and amount.
fn is_renamed(old: &PolicyDocument, new: &PolicyDocument) -> bool {
    let rule = |policy: &PolicyDocument| {
        let rule = |key: &str| key.starts_with("criteria") || key == "benefit.amount";
        of_policy(policy).into_iter().filter(|(topic, _)| rule(topic.key)).collect::<Vec<_>>()
    };
    old.code != new.code && old.subject == new.subject && (old.name.zh == new.name.zh || rule(old) == rule(new))
}

fn whole(policy: &PolicyDocument, how: How) -> Item {
    Item {
        kind: Kind::Policy,
        id: policy.code.clone(),
        old_id: None,
        version: Some(policy.version),
        name: policy.name.clone(),
        how,
        changes: Vec::new(),
    }
}

fn renamed(old: &PolicyDocument, new: &PolicyDocument) -> Item {
    Item { old_id: Some(old.code.clone()), changes: of_pair(old, new), ..whole(new, How::Renamed) }
}

fn changed(old: &PolicyDocument, new: &PolicyDocument) -> Option<Item> {
    let changes = of_pair(old, new);
    (!changes.is_empty()).then(|| Item { changes, ..whole(new, How::Changed) })
}

/// What differs between two policies.
fn of_pair(old: &PolicyDocument, new: &PolicyDocument) -> Vec<Change> {
    let mut changes = compare(&of_policy(old), &of_policy(new));
    let has = |policy: &PolicyDocument, id: &str| policy.criteria.criteria().iter().any(|criterion| criterion.id == id);
    let kept = |id: &str| has(old, id) && has(new, id);
    let (before, after) = (structure(&old.criteria, &kept), structure(&new.criteria, &kept));
    if before != after {
        changes.push(Change { topic: Topic { key: "criteria", of: None }, how: How::Changed, old: before, new: after });
    }
    changes
}

/// Every statement that is not the same on both sides, in the order of the old side; what is new comes behind.
fn compare(old: &Statements, new: &Statements) -> Vec<Change> {
    let (before, after) = (by_topic(old), by_topic(new));
    let mut changes = Vec::new();
    for (topic, text) in old {
        match after.get(topic) {
            None => changes.push(Change { topic: topic.clone(), how: How::Removed, old: Some(text.clone()), new: None }),
            Some(says) if *says != text => {
                changes.push(Change { topic: topic.clone(), how: How::Changed, old: Some(text.clone()), new: Some((*says).to_owned()) });
            }
            Some(_) => {}
        }
    }
    for (topic, text) in new.iter().filter(|(topic, _)| !before.contains_key(topic)) {
        changes.push(Change { topic: topic.clone(), how: How::Added, old: None, new: Some(text.clone()) });
    }
    changes
}

fn by_topic<T: Eq + Hash>(statements: &[(T, String)]) -> std::collections::HashMap<&T, &str> {
    statements.iter().map(|(topic, text)| (topic, text.as_str())).collect()
}
