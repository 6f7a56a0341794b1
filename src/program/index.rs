//! Which roots a block can concern at all: conjunctions by the conditions on columns that they need.
//!
//! ```text
//!  roots ──▶ chains of conjunctions, each a part of the next ──▶ conditions, one after the other
//!  condition on a column ──▶ the chains that are no wherever it is no
//! ```
//!
//! What a benefit's steps are, each with all before it, is one chain: its conditions are gone through once, and counted
//! after each step.

use std::collections::{BTreeMap, HashMap};

use super::evaluate::{Block, is_leaf};
use super::node::{BoolNode, Edge, Graph, LaneNode, TextNode};
use super::scratch::Uniform;

/// The roots as chains, and where to find the chains that a condition rules out.
#[derive(Debug, Default)]
pub(super) struct Index {
    conditions: Vec<Edge>,
    chains: Vec<Chain>,
    marks: Vec<Mark>,
    roots: Vec<u32>,
    postings: Vec<Posting>,
}

/// Conjunctions of which each holds all conditions of the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    conditions: (u32, u32),
    marks: (u32, u32),
}

/// A conjunction of a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// How many of the chain's conditions it has.
    pub(super) after: usize,
    roots: (u32, u32),
}

/// The chains that are no wherever a condition is.
#[derive(Debug)]
struct Posting {
    condition: Edge,
    chains: Chains,
}

#[derive(Debug)]
enum Chains {
    Few(Vec<u32>),
    Many(Vec<u64>),
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a program has fewer than 2^32 roots and conditions")
}

impl Index {
    pub(super) fn new(graph: &Graph, roots: &[Edge]) -> Self {
        let mut roots_of: HashMap<Edge, Vec<u32>> = HashMap::with_capacity(roots.len());
        for (root, &edge) in roots.iter().enumerate() {
            roots_of.entry(edge).or_default().push(number(root));
        }
        let mut index = Self::default();
        // the conditions of the chain under construction, sorted
        let mut current: Vec<Edge> = Vec::new();
        for (root, edge) in roots.iter().enumerate() {
            // where an edge stands more than once, the last place counts: a verdict is its own last step
            if roots_of[edge].last() != Some(&number(root)) {
                continue;
            }
            let conditions = conditions_of(graph, *edge);
            let goes_on = current.iter().any(|&edge| is_leaf(graph, edge)) && contains_all(&conditions, &current);
            if !goes_on {
                index.begin_chain();
                current.clear();
            }
            index.extend_chain(graph, &conditions, &current, &roots_of[edge]);
            current = conditions;
        }
        index.post(graph);
        index
    }

    fn begin_chain(&mut self) {
        let (conditions, marks) = (number(self.conditions.len()), number(self.marks.len()));
        self.chains.push(Chain { conditions: (conditions, conditions), marks: (marks, marks) });
    }

    /// Adds a conjunction: those of its conditions that the chain does not have yet, those on columns first.
    fn extend_chain(&mut self, graph: &Graph, conditions: &[Edge], current: &[Edge], roots: &[u32]) {
        let first_root = number(self.roots.len());
        self.roots.extend_from_slice(roots);
        for leaves in [true, false] {
            let new = conditions.iter().filter(|edge| is_leaf(graph, **edge) == leaves && current.binary_search(edge).is_err());
            self.conditions.extend(new);
        }
        let (end, marks, roots) = (number(self.conditions.len()), number(self.marks.len()) + 1, (first_root, number(self.roots.len())));
        if let Some(chain) = self.chains.last_mut() {
            chain.conditions.1 = end;
            chain.marks.1 = marks;
            self.marks.push(Mark { after: (end - chain.conditions.0) as usize, roots });
        }
    }

    fn post(&mut self, graph: &Graph) {
        let mut postings: BTreeMap<Edge, Vec<u32>> = BTreeMap::new();
        for (number, chain) in (0..).zip(&self.chains) {
            let first = self.marks[chain.marks.0 as usize].after;
            for &edge in self.conditions(chain).iter().take(first).filter(|&&edge| is_leaf(graph, edge)) {
                postings.entry(edge).or_default().push(number);
            }
        }
        let words = self.chains.len().div_ceil(64);
        self.postings = postings
            .into_iter()
            .map(|(condition, chains)| {
                let chains = if chains.len() < words { Chains::Few(chains) } else { Chains::Many(bits(&chains, words)) };
                Posting { condition, chains }
            })
            .collect();
    }

    /// How many chains there are.
    pub(super) fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// The conditions of a chain.
    pub(super) fn conditions(&self, chain: &Chain) -> &[Edge] {
        &self.conditions[chain.conditions.0 as usize..chain.conditions.1 as usize]
    }

    /// The conjunctions of a chain, the shortest first.
    pub(super) fn marks(&self, chain: &Chain) -> &[Mark] {
        &self.marks[chain.marks.0 as usize..chain.marks.1 as usize]
    }

    /// The roots that are the conjunction.
    pub(super) fn roots(&self, mark: &Mark) -> &[u32] {
        &self.roots[mark.roots.0 as usize..mark.roots.1 as usize]
    }

    /// Finds the chains that can be other than no in the block, as far as the least and the greatest values say.
    pub(super) fn find_alive(&self, block: &mut Block<'_>, alive: &mut Vec<u64>) {
        super::bitmap::fill_ones(self.chains.len(), alive);
        for Posting { condition, chains } in &self.postings {
            if !block.bool_at_once(*condition) || block.uniform(*condition) != Uniform::No {
                continue;
            }
            match chains {
                Chains::Few(chains) => chains.iter().for_each(|&chain| alive[chain as usize / 64] &= !(1 << (chain % 64))),
                Chains::Many(bits) => block.vectors.clear(alive, bits),
            }
        }
    }
}

fn bits(chains: &[u32], words: usize) -> Vec<u64> {
    let mut bits = vec![0; words];
    for &chain in chains {
        bits[chain as usize / 64] |= 1 << (chain % 64);
    }
    bits
}

/// What has to be yes for the edge to be: sorted, each once.
fn conditions_of(graph: &Graph, edge: Edge) -> Vec<Edge> {
    match graph.bool_node(edge) {
        BoolNode::And(edges) if !edge.is_negated() => edges.clone(),
        BoolNode::Yes if !edge.is_negated() => Vec::new(),
        _ => vec![edge],
    }
}

/// Whether a sorted list holds another, and more.
fn contains_all(all: &[Edge], some: &[Edge]) -> bool {
    all.len() > some.len() && some.iter().all(|edge| all.binary_search(edge).is_ok())
}

/// How many roots are conjunctions that nothing else is made of: they get no bitmap.
pub(super) fn loose_roots(graph: &Graph, roots: &[Edge]) -> usize {
    let mut inner = vec![false; graph.bools.items().len()];
    for node in graph.bools.items() {
        let edges: &[Edge] = match node {
            BoolNode::And(edges) | BoolNode::AtLeast(_, edges) => edges,
            BoolNode::Select(condition, then, otherwise) => &[*condition, *then, *otherwise],
            BoolNode::Same(left, right) => &[*left, *right],
            BoolNode::BoolKnown(edge) => &[*edge],
            _ => &[],
        };
        for edge in edges {
            inner[edge.node()] = true;
        }
    }
    for node in graph.lanes.items() {
        if let LaneNode::Select(condition, ..) = node {
            inner[condition.node()] = true;
        }
    }
    for node in graph.texts.items() {
        if let TextNode::Select(condition, ..) = node {
            inner[condition.node()] = true;
        }
    }
    let mut loose: Vec<Edge> = roots.iter().copied().filter(|edge| !edge.is_negated() && !inner[edge.node()]).collect();
    loose.retain(|&edge| matches!(graph.bool_node(edge), BoolNode::And(_)));
    loose.sort_unstable();
    loose.dedup();
    loose.len()
}
