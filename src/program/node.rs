//! The nodes of a program: a graph in which each distinct condition, lane and text stands once.
//!
//! ```text
//!  facts ──▶ lanes (64-bit integers: digits, days) ──▶ ranges, comparisons ─┐
//!  facts ──▶ texts (keys of a dictionary)          ──▶ text tests ──────────┼─▶ and, at least, select ──▶ roots
//!  facts (yes or no) ───────────────────────────────────────────────────────┘
//! ```
//!
//! Negation is no node but a mark on the edge, so that a condition and its opposite, and `and` and `or`, share.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::kernels::arith;
use crate::check::ir::Function;

/// A lane: one integer per row, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LaneId(pub(super) u32);

/// A text: one key per row into the texts of its sources, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TextId(pub(super) u32);

/// A boolean node, negated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Edge(u32);

impl Edge {
    /// Always yes.
    pub(super) const YES: Self = Self(0);
    /// Always no.
    pub(super) const NO: Self = Self(1);
    /// Always unknown.
    pub(super) const UNKNOWN: Self = Self(2);

    fn to(node: usize) -> Self {
        Self(index(node) << 1)
    }

    /// The node's index.
    pub(super) fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether the node's verdict is turned round.
    pub(super) fn is_negated(self) -> bool {
        self.0 & 1 == 1
    }

    /// The opposite: yes for no, no for yes, unknown for unknown.
    pub(super) fn negate(self) -> Self {
        if self == Self::UNKNOWN { self } else { Self(self.0 ^ 1) }
    }
}

/// What yields yes, no or unknown per row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum BoolNode {
    Yes,
    Unknown,
    /// A boolean fact.
    Fact(usize),
    /// Whether the lane lies in `low..=high`; `low > high`: no where the lane is known.
    Range {
        lane: LaneId,
        low: i64,
        high: i64,
    },
    /// A comparison of two numbers.
    Compare {
        test: Test,
        left: Side,
        right: Side,
    },
    /// Whether the lane is known.
    LaneKnown(LaneId),
    /// Whether the text is known.
    TextKnown(TextId),
    /// Whether the verdict is yes or no.
    BoolKnown(Edge),
    /// A test on the distinct values of a text.
    Text {
        text: TextId,
        test: TextTest,
    },
    /// Whether two texts are the same.
    TextSame(TextId, TextId),
    /// Yes when all are.
    And(Vec<Edge>),
    /// Yes when so many are; no when too few can still be.
    AtLeast(usize, Vec<Edge>),
    /// `(condition, then, otherwise)`
    Select(Edge, Edge, Edge),
    /// Whether two verdicts are the same.
    Same(Edge, Edge),
}

/// How a comparison compares; the others are their negatives, or the sides exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Test {
    Less,
    Equal,
}

/// One side of a comparison: `num × factor / den`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Side {
    pub(super) num: LaneId,
    pub(super) den: Option<LaneId>,
    pub(super) factor: i64,
}

/// A test on a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TextTest {
    /// Whether it is one of a sorted set.
    In(Arc<[Arc<str>]>),
    /// Whether it matches the pattern.
    Like(Arc<str>),
}

/// How a quotient becomes whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rounding {
    Down,
    Up,
    Nearest,
}

/// What yields an integer, or unknown, per row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LaneNode {
    Unknown,
    Constant(i64),
    /// A fact: a number's digits, or a date's days.
    Fact(usize),
    /// `left × left_factor + right × right_factor`
    Sum {
        left: LaneId,
        left_factor: i64,
        right: LaneId,
        right_factor: i64,
    },
    Product(LaneId, LaneId),
    Absolute(LaneId),
    /// Unknown where it is zero.
    NonZero(LaneId),
    /// The first, where both are known.
    When(LaneId, LaneId),
    /// `(condition, then, otherwise)`
    Select(Edge, LaneId, LaneId),
    /// `num / den / 10^scale` as a whole number.
    Whole {
        rounding: Rounding,
        num: LaneId,
        den: Option<LaneId>,
        scale: i32,
    },
    /// A function of dates.
    Date(Function, Vec<LaneId>),
    /// The digits that a sorted table gives for a text.
    TextMap {
        text: TextId,
        digits: Arc<[(Arc<str>, i64)]>,
    },
}

/// What yields a text, or unknown, per row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TextNode {
    Unknown,
    Constant(Arc<str>),
    Fact(usize),
    /// `(condition, then, otherwise)`
    Select(Edge, TextId, TextId),
}

/// Where the distinct values of a text come from; keys count through its sources in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextSource {
    Fact(usize),
    Constant(Arc<str>),
}

/// Nodes of one kind, each once, in the order in which they can be evaluated.
#[derive(Debug)]
pub(super) struct Nodes<T> {
    items: Vec<T>,
    index: HashMap<T, usize>,
}

impl<T: Clone + Eq + Hash> Nodes<T> {
    fn new() -> Self {
        Self { items: Vec::new(), index: HashMap::new() }
    }

    fn intern(&mut self, node: T) -> usize {
        if let Some(&known) = self.index.get(&node) {
            return known;
        }
        self.items.push(node.clone());
        self.index.insert(node, self.items.len() - 1);
        self.items.len() - 1
    }

    /// All nodes.
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }
}

/// The graph under construction, and what evaluation runs on.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) bools: Nodes<BoolNode>,
    pub(super) lanes: Nodes<LaneNode>,
    pub(super) texts: Nodes<TextNode>,
    /// Per text: its sources.
    pub(super) sources: Vec<Vec<TextSource>>,
}

impl Graph {
    pub(super) fn new() -> Self {
        let mut graph = Self { bools: Nodes::new(), lanes: Nodes::new(), texts: Nodes::new(), sources: Vec::new() };
        graph.bools.intern(BoolNode::Yes);
        graph.bools.intern(BoolNode::Unknown);
        graph
    }

    pub(super) fn bool_node(&self, edge: Edge) -> &BoolNode {
        &self.bools.items[edge.node()]
    }

    pub(super) fn lane_node(&self, lane: LaneId) -> &LaneNode {
        &self.lanes.items[lane.0 as usize]
    }

    pub(super) fn text_node(&self, text: TextId) -> &TextNode {
        &self.texts.items[text.0 as usize]
    }

    /// The lane's value, where it is the same for all rows.
    pub(super) fn constant(&self, lane: LaneId) -> Option<i64> {
        match self.lane_node(lane) {
            LaneNode::Constant(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether the lane is unknown for all rows.
    pub(super) fn is_unknown(&self, lane: LaneId) -> bool {
        matches!(self.lane_node(lane), LaneNode::Unknown)
    }

    pub(super) fn bool_fact(&mut self, fact: usize) -> Edge {
        self.bool(BoolNode::Fact(fact))
    }

    pub(super) fn bool(&mut self, node: BoolNode) -> Edge {
        Edge::to(self.bools.intern(node))
    }

    /// A lane, computed at once where all that it depends on is constant and the result fits.
    pub(super) fn lane(&mut self, node: LaneNode) -> LaneId {
        let node = self.folded(&node).unwrap_or(node);
        LaneId(index(self.lanes.intern(node)))
    }

    pub(super) fn constant_lane(&mut self, value: i64) -> LaneId {
        self.lane(LaneNode::Constant(value))
    }

    fn folded(&self, node: &LaneNode) -> Option<LaneNode> {
        let unknown = |lanes: &[LaneId]| lanes.iter().any(|&lane| self.is_unknown(lane));
        let value = match node {
            LaneNode::Sum { left, right, .. } if unknown(&[*left, *right]) => return Some(LaneNode::Unknown),
            LaneNode::Product(left, right) | LaneNode::When(left, right) if unknown(&[*left, *right]) => return Some(LaneNode::Unknown),
            LaneNode::Absolute(lane) | LaneNode::NonZero(lane) | LaneNode::Whole { num: lane, .. } if unknown(&[*lane]) => {
                return Some(LaneNode::Unknown);
            }
            LaneNode::Date(_, arguments) if unknown(arguments) => return Some(LaneNode::Unknown),
            LaneNode::Sum { left, left_factor, right, right_factor } => {
                arith::sum(self.constant(*left)?, *left_factor, self.constant(*right)?, *right_factor)?
            }
            LaneNode::Product(left, right) => match (self.constant(*left), self.constant(*right)) {
                (Some(1), _) => return Some(self.lane_node(*right).clone()),
                (_, Some(1)) => return Some(self.lane_node(*left).clone()),
                (left, right) => left?.checked_mul(right?)?,
            },
            LaneNode::Absolute(lane) => self.constant(*lane)?.checked_abs()?,
            LaneNode::NonZero(lane) => match self.constant(*lane)? {
                0 => return Some(LaneNode::Unknown),
                value => value,
            },
            LaneNode::When(lane, guard) if lane == guard || self.constant(*guard).is_some() => return Some(self.lane_node(*lane).clone()),
            LaneNode::Select(condition, then, otherwise) => {
                let chosen = match *condition {
                    Edge::YES => *then,
                    Edge::NO => *otherwise,
                    Edge::UNKNOWN => return Some(LaneNode::Unknown),
                    _ => return None,
                };
                return Some(self.lane_node(chosen).clone());
            }
            LaneNode::Whole { rounding, num, den, scale } => {
                let den = den.map_or(Some(1), |den| self.constant(den))?;
                arith::whole(*rounding, self.constant(*num)?, den, *scale)?
            }
            LaneNode::Date(function, arguments) => {
                let values: Option<Vec<i64>> = arguments.iter().map(|&lane| self.constant(lane)).collect();
                match super::kernels::dates::apply(*function, &values?).ok()? {
                    Some(value) => value,
                    None => return Some(LaneNode::Unknown),
                }
            }
            _ => return None,
        };
        Some(LaneNode::Constant(value))
    }

    pub(super) fn text(&mut self, node: TextNode) -> TextId {
        if let TextNode::Select(condition, then, otherwise) = node {
            match condition {
                Edge::YES => return then,
                Edge::NO => return otherwise,
                Edge::UNKNOWN => return self.text(TextNode::Unknown),
                _ => {}
            }
        }
        let sources = match &node {
            TextNode::Unknown => Vec::new(),
            TextNode::Constant(text) => vec![TextSource::Constant(Arc::clone(text))],
            TextNode::Fact(fact) => vec![TextSource::Fact(*fact)],
            TextNode::Select(_, then, otherwise) => {
                let mut both = self.sources[then.0 as usize].clone();
                both.extend(self.sources[otherwise.0 as usize].iter().cloned());
                both
            }
        };
        let id = self.texts.intern(node);
        if id == self.sources.len() {
            self.sources.push(sources);
        }
        TextId(index(id))
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).expect("a program has fewer than 2^31 nodes")
}
