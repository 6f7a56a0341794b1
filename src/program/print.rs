//! A program as stable text, for people and for snapshots.

use std::fmt::Write;

use super::node::{BoolNode, Edge, Graph, LaneId, LaneNode, Side, Test, TextId, TextNode, TextTest};
use super::plan::Plan;
use crate::check::ir::Schema;

/// Each reached node on a line of its own: lanes `n`, texts `t`, conditions `c`; then the roots.
pub(super) fn print(schema: &Schema, graph: &Graph, plan: &Plan, roots: &[Edge]) -> String {
    let mut out = String::new();
    let printer = Printer { schema };
    let reached = |first: &[Option<usize>], index: usize| first[index].is_some();
    for (index, node) in graph.lanes.items().iter().enumerate().filter(|(index, _)| reached(&plan.lanes, *index)) {
        let _ = writeln!(out, "n{index} = {}", printer.lane_node(node));
    }
    for (index, node) in graph.texts.items().iter().enumerate().filter(|(index, _)| reached(&plan.texts, *index)) {
        let _ = writeln!(out, "t{index} = {}", printer.text_node(node));
    }
    for (index, node) in graph.bools.items().iter().enumerate().filter(|(index, _)| reached(&plan.bools, *index)) {
        let _ = writeln!(out, "c{index} = {}", printer.bool_node(node));
    }
    for (index, &root) in roots.iter().enumerate() {
        let _ = writeln!(out, "root {index}: {}", edge(root));
    }
    out
}

struct Printer<'a> {
    schema: &'a Schema,
}

impl Printer<'_> {
    fn fact(&self, fact: usize) -> &str {
        &self.schema.columns[fact].name
    }

    fn lane_node(&self, node: &LaneNode) -> String {
        match node {
            LaneNode::Unknown => "unknown".to_owned(),
            LaneNode::Constant(value) => value.to_string(),
            LaneNode::Fact(fact) => self.fact(*fact).to_owned(),
            LaneNode::Sum { left, left_factor, right, right_factor } => {
                format!("{} * {left_factor} + {} * {right_factor}", lane(*left), lane(*right))
            }
            LaneNode::Product(left, right) => format!("{} * {}", lane(*left), lane(*right)),
            LaneNode::Absolute(inner) => format!("abs {}", lane(*inner)),
            LaneNode::NonZero(inner) => format!("{} unless 0", lane(*inner)),
            LaneNode::When(inner, guard) => format!("{} where {} is known", lane(*inner), lane(*guard)),
            LaneNode::Select(condition, then, otherwise) => {
                format!("if {} then {} else {}", edge(*condition), lane(*then), lane(*otherwise))
            }
            LaneNode::Whole { rounding, num, den, scale } => {
                let den = den.map_or(String::new(), |den| format!(" / {}", lane(den)));
                format!("{} {}{den} / 10^{scale}", format!("{rounding:?}").to_lowercase(), lane(*num))
            }
            LaneNode::Date(function, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(|&argument| lane(argument)).collect();
                format!("{function:?}({})", arguments.join(", "))
            }
            LaneNode::TextMap { text, digits } => {
                let entries: Vec<String> = digits.iter().map(|(key, value)| format!("{key:?} {value}")).collect();
                format!("{} in {{{}}}", text_id(*text), entries.join(", "))
            }
        }
    }

    fn text_node(&self, node: &TextNode) -> String {
        match node {
            TextNode::Unknown => "unknown".to_owned(),
            TextNode::Constant(text) => format!("{text:?}"),
            TextNode::Fact(fact) => self.fact(*fact).to_owned(),
            TextNode::Select(condition, then, otherwise) => {
                format!("if {} then {} else {}", edge(*condition), text_id(*then), text_id(*otherwise))
            }
        }
    }

    fn bool_node(&self, node: &BoolNode) -> String {
        let edges = |edges: &[Edge], by: &str| edges.iter().map(|&item| edge(item)).collect::<Vec<_>>().join(by);
        match node {
            BoolNode::Yes => "yes".to_owned(),
            BoolNode::Unknown => "unknown".to_owned(),
            BoolNode::Fact(fact) => self.fact(*fact).to_owned(),
            BoolNode::Range { lane: id, low, high } => match (*low, *high) {
                (low, high) if low > high => format!("{} never", lane(*id)),
                (i64::MIN, high) => format!("{} <= {high}", lane(*id)),
                (low, high) if low == high => format!("{} = {low}", lane(*id)),
                (low, high) => format!("{low} <= {} <= {high}", lane(*id)),
            },
            BoolNode::Compare { test, left, right } => {
                let sign = if *test == Test::Less { "<" } else { "=" };
                format!("{} {sign} {}", side(*left), side(*right))
            }
            BoolNode::LaneKnown(id) => format!("{} is known", lane(*id)),
            BoolNode::TextKnown(text) => format!("{} is known", text_id(*text)),
            BoolNode::BoolKnown(inner) => format!("{} is known", edge(*inner)),
            BoolNode::Text { text, test: TextTest::In(set) } => format!("{} in {set:?}", text_id(*text)),
            BoolNode::Text { text, test: TextTest::Like(pattern) } => format!("{} like {pattern:?}", text_id(*text)),
            BoolNode::TextSame(left, right) => format!("{} = {}", text_id(*left), text_id(*right)),
            BoolNode::And(items) => edges(items, " and "),
            BoolNode::AtLeast(count, items) => format!("at least {count} of {}", edges(items, ", ")),
            BoolNode::Select(condition, then, otherwise) => {
                format!("if {} then {} else {}", edge(*condition), edge(*then), edge(*otherwise))
            }
            BoolNode::Same(left, right) => format!("{} = {}", edge(*left), edge(*right)),
        }
    }
}

fn edge(edge: Edge) -> String {
    match edge {
        Edge::YES => "yes".to_owned(),
        Edge::NO => "no".to_owned(),
        _ => format!("{}c{}", if edge.is_negated() { "!" } else { "" }, edge.node()),
    }
}

fn lane(lane: LaneId) -> String {
    format!("n{}", lane.0)
}

fn text_id(text: TextId) -> String {
    format!("t{}", text.0)
}

fn side(side: Side) -> String {
    let factor = if side.factor == 1 { String::new() } else { format!(" * {}", side.factor) };
    let den = side.den.map_or(String::new(), |den| format!(" / {}", lane(den)));
    format!("{}{factor}{den}", lane(side.num))
}
