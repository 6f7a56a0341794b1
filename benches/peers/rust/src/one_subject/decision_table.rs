//! GoRules ZEN, its decision table: a column per fact, a row per policy (two for an `or` pair), every hit collected.

use std::error::Error;
use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Map, Value, json};
use zen_engine::Decision;
use zen_engine::model::GraphContent;
use zen_expression::Variable;

use super::zen_expressions::json;
use super::{Condition, Conditions, Engine, Subject};

/// All policies as one table, compiled and indexed.
pub struct Table {
    decision: Decision,
}

impl Table {
    /// Makes the table of a graph: input, table, output.
    ///
    /// # Errors
    ///
    /// When the engine cannot read it.
    pub fn new(policies: &[Conditions], like: &Subject) -> Result<Self, Box<dyn Error>> {
        let inputs: Vec<Value> = like.facts.iter().map(|(name, _)| json!({"id": name, "name": name, "field": name})).collect();
        let rules: Vec<Value> = (0_u32..).zip(policies).flat_map(|(number, policy)| rows(number, policy)).collect();
        let table = json!({
            "hitPolicy": "collect", "inputs": inputs, "rules": rules,
            "outputs": [{"id": "policy", "name": "policy", "field": "policy"}],
        });
        let graph = json!({
            "nodes": [
                {"id": "in", "name": "request", "type": "inputNode", "position": {"x": 0, "y": 0}},
                {"id": "table", "name": "policies", "type": "decisionTableNode", "content": table, "position": {"x": 1, "y": 0}},
                {"id": "out", "name": "response", "type": "outputNode", "position": {"x": 2, "y": 0}},
            ],
            "edges": [
                {"id": "a", "type": "edge", "sourceId": "in", "targetId": "table"},
                {"id": "b", "type": "edge", "sourceId": "table", "targetId": "out"},
            ],
        });
        let content: GraphContent = serde_json::from_value(graph)?;
        let mut decision = Decision::from(Arc::new(content));
        decision.compile();
        Ok(Self { decision })
    }
}

/// The rows of a policy.
fn rows(number: u32, policy: &Conditions) -> Vec<Value> {
    let row = |conditions: Vec<&Condition>| {
        let mut cells = Map::new();
        for condition in &conditions {
            let on_same: Vec<&Condition> = conditions.iter().copied().filter(|other| other.fact == condition.fact).collect();
            let cell = match on_same.as_slice() {
                [one] => cell_of(one),
                several => several.iter().map(|one| whole_cell_of(one)).collect::<Vec<_>>().join(" and "),
            };
            cells.insert(condition.fact.clone(), cell.into());
        }
        cells.insert("_id".to_owned(), format!("{number}").into());
        cells.insert("policy".to_owned(), number.to_string().into());
        Value::from(cells)
    };
    match policy.any.as_slice() {
        [] => vec![row(policy.all.iter().collect())],
        any => any.iter().map(|one| row(policy.all.iter().chain([one]).collect())).collect(),
    }
}

/// A condition that has a cell to itself.
fn cell_of(Condition { op, value, .. }: &Condition) -> String {
    match op.as_str() {
        "is" => (*value != 0).to_string(),
        "=" => value.to_string(),
        _ => format!("{op} {value}"),
    }
}

/// A condition that shares its cell: `$` is the fact.
fn whole_cell_of(Condition { op, value, .. }: &Condition) -> String {
    match op.as_str() {
        "is" => format!("$ == {}", *value != 0),
        "=" => format!("$ == {value}"),
        _ => format!("$ {op} {value}"),
    }
}

impl Engine for Table {
    type Record = Variable;

    fn record(&self, subject: &Subject) -> Variable {
        Variable::from(json(subject))
    }

    fn judge(&mut self, record: &Variable, yes: &mut Vec<u32>) {
        let response = block_on(self.decision.evaluate(record.clone())).expect("the table is sound");
        let hits = response.result.to_value();
        let hits = hits.as_array().map_or(&[][..], Vec::as_slice);
        yes.extend(hits.iter().filter_map(|hit| u32::try_from(hit["policy"].as_u64()?).ok()));
        yes.sort_unstable();
        yes.dedup();
    }
}
