//! Smart constructors of boolean nodes: constants folded, opposites shared, thresholds brought into one form.

use std::sync::Arc;

use super::kernels::text::matches_like;
use super::node::{BoolNode, Edge, Graph, LaneId, LaneNode, TextId, TextNode, TextTest};

impl Graph {
    /// Yes when all are: flattened, sorted, each once.
    pub(super) fn and(&mut self, edges: impl IntoIterator<Item = Edge>) -> Edge {
        let mut all = Vec::new();
        for edge in edges {
            match self.bool_node(edge) {
                BoolNode::And(children) if !edge.is_negated() => all.extend(children.iter().copied()),
                _ if edge == Edge::YES => {}
                _ => all.push(edge),
            }
        }
        all.sort_unstable();
        all.dedup();
        if all.contains(&Edge::NO) {
            return Edge::NO;
        }
        match all.as_slice() {
            [] => Edge::YES,
            [only] => *only,
            _ => self.bool(BoolNode::And(all)),
        }
    }

    /// Yes when one is.
    pub(super) fn or(&mut self, edges: impl IntoIterator<Item = Edge>) -> Edge {
        let negated: Vec<Edge> = edges.into_iter().map(Edge::negate).collect();
        self.and(negated).negate()
    }

    /// Yes when so many are.
    pub(super) fn at_least(&mut self, count: usize, edges: Vec<Edge>) -> Edge {
        let sure = edges.iter().filter(|&&edge| edge == Edge::YES).count();
        let mut open: Vec<Edge> = edges.into_iter().filter(|&edge| edge != Edge::YES && edge != Edge::NO).collect();
        open.sort_unstable();
        match count.saturating_sub(sure) {
            0 => Edge::YES,
            needed if needed > open.len() => Edge::NO,
            needed if needed == open.len() => self.and(open),
            1 => self.or(open),
            needed => self.bool(BoolNode::AtLeast(needed, open)),
        }
    }

    /// `then` where the condition is yes, `otherwise` where it is no, unknown where it is unknown.
    pub(super) fn select(&mut self, condition: Edge, then: Edge, otherwise: Edge) -> Edge {
        match condition {
            Edge::YES => return then,
            Edge::NO => return otherwise,
            Edge::UNKNOWN => return Edge::UNKNOWN,
            _ => {}
        }
        if condition.is_negated() {
            return self.select(condition.negate(), otherwise, then);
        }
        self.bool(BoolNode::Select(condition, then, otherwise))
    }

    /// Whether two verdicts are the same.
    pub(super) fn same(&mut self, left: Edge, right: Edge) -> Edge {
        let turned = left.is_negated() != right.is_negated();
        let plain = |edge: Edge| if edge.is_negated() { edge.negate() } else { edge };
        let (left, right) = (plain(left).min(plain(right)), plain(left).max(plain(right)));
        let same = match left {
            Edge::YES => right,
            Edge::UNKNOWN => Edge::UNKNOWN,
            _ => self.bool(BoolNode::Same(left, right)),
        };
        if turned { same.negate() } else { same }
    }

    /// Whether a verdict is yes or no.
    pub(super) fn bool_known(&mut self, edge: Edge) -> Edge {
        let plain = if edge.is_negated() { edge.negate() } else { edge };
        match plain {
            Edge::YES => Edge::YES,
            Edge::UNKNOWN => Edge::NO,
            _ => self.bool(BoolNode::BoolKnown(plain)),
        }
    }

    /// Whether a lane is known.
    pub(super) fn lane_known(&mut self, lane: LaneId) -> Edge {
        match self.lane_node(lane) {
            LaneNode::Constant(_) => Edge::YES,
            LaneNode::Unknown => Edge::NO,
            _ => self.bool(BoolNode::LaneKnown(lane)),
        }
    }

    /// Whether a text is known.
    pub(super) fn text_known(&mut self, text: TextId) -> Edge {
        match self.text_node(text) {
            TextNode::Constant(_) => Edge::YES,
            TextNode::Unknown => Edge::NO,
            _ => self.bool(BoolNode::TextKnown(text)),
        }
    }

    /// Whether a lane lies in `low..=high`. `x >= 60` and `x < 60` become the same node.
    pub(super) fn range(&mut self, lane: LaneId, low: i64, high: i64) -> Edge {
        if self.is_unknown(lane) {
            return Edge::UNKNOWN;
        }
        if let Some(value) = self.constant(lane) {
            return if low <= value && value <= high { Edge::YES } else { Edge::NO };
        }
        if let Some(range) = self.range_of_date(lane, low, high) {
            return range;
        }
        let below = |low: i64| BoolNode::Range { lane, low: i64::MIN, high: low - 1 };
        if low > high {
            return self.bool(BoolNode::Range { lane, low: 1, high: 0 });
        }
        match (low, high) {
            (i64::MIN, i64::MAX) => self.bool(BoolNode::Range { lane, low: 1, high: 0 }).negate(),
            (_, i64::MAX) => self.bool(below(low)).negate(),
            _ => self.bool(BoolNode::Range { lane, low, high }),
        }
    }

    /// A test on a text.
    pub(super) fn text_test(&mut self, text: TextId, test: TextTest) -> Edge {
        match self.text_node(text) {
            TextNode::Unknown => Edge::UNKNOWN,
            TextNode::Constant(value) => {
                if holds(&test, value) {
                    Edge::YES
                } else {
                    Edge::NO
                }
            }
            _ => self.bool(BoolNode::Text { text, test }),
        }
    }

    /// Whether two texts are the same.
    pub(super) fn text_same(&mut self, left: TextId, right: TextId) -> Edge {
        let one = |value: &Arc<str>| TextTest::In(vec![Arc::clone(value)].into());
        match (self.text_node(left), self.text_node(right)) {
            (TextNode::Unknown, _) | (_, TextNode::Unknown) => Edge::UNKNOWN,
            (TextNode::Constant(value), _) => {
                let test = one(value);
                self.text_test(right, test)
            }
            (_, TextNode::Constant(value)) => {
                let test = one(value);
                self.text_test(left, test)
            }
            _ => self.bool(BoolNode::TextSame(left.min(right), left.max(right))),
        }
    }
}

/// Whether a text passes a test.
pub(super) fn holds(test: &TextTest, value: &str) -> bool {
    match test {
        TextTest::In(set) => set.binary_search_by(|entry| (**entry).cmp(value)).is_ok(),
        TextTest::Like(pattern) => matches_like(value, pattern),
    }
}
