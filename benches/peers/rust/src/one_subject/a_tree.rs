//! The `a-tree` crate: every policy an expression of one tree, a subject an event that is searched for.

use std::error::Error;

use a_tree::{ATree, AttributeDefinition, Event};

use super::{Condition, Conditions, Engine, Fact, Subject};

/// All policies in one tree.
pub struct Tree {
    tree: ATree<u32>,
}

impl Tree {
    /// Inserts every policy; attributes are the facts of a subject.
    ///
    /// # Errors
    ///
    /// When the tree refuses an expression.
    pub fn new(policies: &[Conditions], like: &Subject) -> Result<Self, Box<dyn Error>> {
        let attributes: Vec<AttributeDefinition> = like
            .facts
            .iter()
            .map(|(name, fact)| match fact {
                Fact::Number(_) => AttributeDefinition::integer(name),
                Fact::Flag(_) => AttributeDefinition::boolean(name),
            })
            .collect();
        let mut tree = ATree::new(&attributes).map_err(|error| error.to_string())?;
        for (number, policy) in (0_u32..).zip(policies) {
            tree.insert(&number, &expression(policy)).map_err(|error| error.to_string())?;
        }
        Ok(Self { tree })
    }
}

/// A policy in the crate's language.
fn expression(policy: &Conditions) -> String {
    let mut parts: Vec<String> = policy.all.iter().map(atom).collect();
    if !policy.any.is_empty() {
        parts.push(format!("({})", policy.any.iter().map(atom).collect::<Vec<_>>().join(" or ")));
    }
    parts.join(" and ")
}

fn atom(Condition { fact, op, value }: &Condition) -> String {
    match (op.as_str(), value) {
        ("is", 0) => format!("(not {fact})"),
        ("is", _) => fact.clone(),
        _ => format!("{fact} {op} {value}"),
    }
}

impl Engine for Tree {
    type Record = Event;

    fn record(&self, subject: &Subject) -> Event {
        let mut event = self.tree.make_event();
        for (name, fact) in &subject.facts {
            match fact {
                Fact::Number(number) => event.with_integer(name, *number),
                Fact::Flag(flag) => event.with_boolean(name, *flag),
            }
            .expect("the attribute was defined");
        }
        event.build().expect("every attribute is given")
    }

    fn judge(&mut self, record: &Event, yes: &mut Vec<u32>) {
        let found = self.tree.search(record).expect("the event fits the tree");
        yes.extend(found.matches().iter().map(|number| **number));
        yes.sort_unstable();
    }
}
