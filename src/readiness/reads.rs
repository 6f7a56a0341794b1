//! Which facts a policy reads, where, and which registers they rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind};

/// One fact that a policy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The fact.
    pub fact: FactId,
    /// Its name.
    pub name: Arc<str>,
    /// Criteria by identifier, or `covers`, `amount`, `cap`, `budget`, `occasion`, `each`; each once, in this order.
    pub parts: Vec<String>,
    /// The registers that it rests on, with those of the facts below it, sorted.
    pub registers: Vec<String>,
}

/// What a policy reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Facts, by kind and place in the catalogue.
    pub facts: Vec<Read>,
    /// All registers: those of the facts, and the one that occasions come from.
    pub registers: BTreeSet<String>,
}

impl Reads {
    /// What a policy reads. `policies` are those of the run: a criterion `entitled('…')` reads what the other policy reads.
    #[must_use]
    pub fn of(policy: &CheckedPolicy, catalogue: &Catalogue, policies: &BTreeMap<&str, &CheckedPolicy>) -> Self {
        let mut reader = Reader { policies, found: BTreeMap::new() };
        let kind = policy.document.subject;
        let mut read = |part: &str, expr: &Expr| reader.read(part, expr, &|index| Some(FactId { kind, index }), &mut BTreeSet::new());
        read("covers", &policy.coverage);
        for (id, leaf) in policy.leaves.iter() {
            read(id, leaf);
        }
        let others = [("amount", &policy.amount), ("cap", &policy.cap), ("budget", &policy.rank), ("occasion", &policy.occasion)];
        for (part, expr) in others {
            if let Some(expr) = expr {
                read(part, expr);
            }
        }
        let mut registers = BTreeSet::new();
        if let Some(each) = &policy.each {
            registers.insert(each.register.clone());
            let columns = catalogue.rows.get(&each.register).map_or(0, Vec::len);
            let fact = |index: usize| index.checked_sub(columns).map(|index| FactId { kind: each.kind, index });
            for expr in each.filter.iter().chain(&each.amount) {
                reader.read("each", expr, &fact, &mut BTreeSet::new());
            }
        }
        let facts: Vec<Read> = reader
            .found
            .into_iter()
            .map(|(fact, parts)| Read {
                fact,
                name: Arc::clone(&catalogue.fact(fact).name),
                parts,
                registers: catalogue.registers_of(fact),
            })
            .collect();
        registers.extend(facts.iter().flat_map(|read| read.registers.iter().cloned()));
        Self { facts, registers }
    }
}

struct Reader<'a> {
    policies: &'a BTreeMap<&'a str, &'a CheckedPolicy>,
    found: BTreeMap<FactId, Vec<String>>,
}

impl Reader<'_> {
    fn read(&mut self, part: &str, expr: &Expr, fact: &dyn Fn(usize) -> Option<FactId>, seen: &mut BTreeSet<String>) {
        match &expr.kind {
            Kind::Fact(index) => {
                let Some(id) = fact(*index) else { return };
                let parts = self.found.entry(id).or_default();
                if !parts.iter().any(|known| known == part) {
                    parts.push(part.to_owned());
                }
            }
            Kind::Entitled(code) => {
                let Some(other) = self.policies.get(&**code).copied() else { return };
                if seen.insert(code.to_string()) {
                    let kind = other.document.subject;
                    let fact = |index: usize| Some(FactId { kind, index });
                    self.read(part, &other.coverage, &fact, seen);
                    self.read(part, &other.criteria, &fact, seen);
                }
            }
            _ => expr.children().into_iter().for_each(|child| self.read(part, child, fact, seen)),
        }
    }
}
