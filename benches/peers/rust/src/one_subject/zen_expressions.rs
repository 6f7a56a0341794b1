//! GoRules ZEN, its expression crate: every policy an expression compiled once, run on a subject one after the other.

use std::error::Error;

use serde_json::Value;
use zen_expression::expression::Standard;
use zen_expression::vm::VM;
use zen_expression::{Expression, Scope, Variable};

use super::{Condition, Conditions, Engine, Fact, Subject};

/// All policies, compiled.
pub struct Expressions {
    policies: Vec<Expression<Standard>>,
    machine: VM,
}

impl Expressions {
    /// Compiles every policy.
    ///
    /// # Errors
    ///
    /// When an expression is refused.
    pub fn new(policies: &[Conditions]) -> Result<Self, Box<dyn Error>> {
        let policies = policies
            .iter()
            .map(|policy| zen_expression::compile_expression(&expression(policy)).map_err(|error| error.to_string().into()))
            .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        Ok(Self { policies, machine: VM::new() })
    }
}

/// A policy in ZEN's language.
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
        ("=", _) => format!("{fact} == {value}"),
        _ => format!("{fact} {op} {value}"),
    }
}

/// A subject as the JSON object that ZEN takes.
pub(super) fn json(subject: &Subject) -> Value {
    let fact = |fact: &Fact| match fact {
        Fact::Number(number) => Value::from(*number),
        Fact::Flag(flag) => Value::from(*flag),
    };
    subject.facts.iter().map(|(name, value)| (name.clone(), fact(value))).collect::<serde_json::Map<_, _>>().into()
}

impl Engine for Expressions {
    type Record = Scope;

    fn record(&self, subject: &Subject) -> Scope {
        Scope::new(Variable::from(json(subject)))
    }

    fn judge(&mut self, record: &Scope, yes: &mut Vec<u32>) {
        for (number, policy) in (0_u32..).zip(&self.policies) {
            let verdict = policy.evaluate_with_scope(record, &mut self.machine).expect("every fact is known");
            if verdict.as_bool() == Some(true) {
                yes.push(number);
            }
        }
    }
}
