//! Where in a policy an expression stands: its parts as the author wrote them, and the place of every node.

use std::ops::Range;
use std::sync::Arc;

use crate::check::CheckedPolicy;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Span;
use crate::policy::document::{CapScope, CriteriaNode, Criterion};
use crate::register::declaration::Written;

/// A part of a policy that holds an expression over the subject's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Whom it covers.
    Coverage,
    /// The tree of criteria.
    Criteria,
    /// How much.
    Amount,
    /// The most that may be given.
    Cap,
}

/// A node of an expression: the part, and which child to take at each step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site {
    /// The part.
    pub part: Part,
    /// Indices into [`Expr::children`], from the part's root.
    pub path: Vec<usize>,
}

/// An expression that the author wrote in one piece: a criterion, the amount, the cap, or whom the policy covers.
pub struct Root<'p> {
    /// Where it hangs.
    pub site: Site,
    /// The expression.
    pub expr: &'p Expr,
    /// Identifier of the criterion; none for other parts.
    pub criterion: Option<&'p Criterion>,
    /// The text; none for coverage.
    pub written: Option<&'p Written>,
    /// Where it stands, should a node have no place of its own.
    pub place: Span,
}

/// A group of criteria (`all`, `any`, `not`, `at_least`) with the places of its members.
pub struct Group<'p> {
    /// Where it hangs.
    pub site: Site,
    /// The group.
    pub expr: &'p Expr,
    /// The place of each member: its first criterion.
    pub members: Vec<Span>,
    /// The first criterion of each member.
    pub names: Vec<&'p str>,
}

impl Site {
    fn child(&self, index: usize) -> Self {
        let mut path = self.path.clone();
        path.push(index);
        Self { part: self.part, path }
    }
}

impl Root<'_> {
    /// The word for the part in reports: the criterion's identifier, or the key of the policy file.
    #[must_use]
    pub fn name(&self) -> &str {
        match (self.criterion, self.site.part) {
            (Some(criterion), _) => &criterion.id,
            (None, Part::Coverage) => "covers",
            (None, Part::Cap) => "cap",
            (None, _) => "amount",
        }
    }

    /// The place of a range of the text.
    #[must_use]
    pub fn place(&self, range: &Range<usize>) -> Span {
        match self.written {
            Some(written) if !range.is_empty() => written.node.place(range.clone()),
            _ => self.place.clone(),
        }
    }

    /// The text of a range, in one line.
    #[must_use]
    pub fn text(&self, range: &Range<usize>) -> Option<&str> {
        self.written?.node.text()?.get(range.clone()).filter(|text| !text.is_empty())
    }

    /// Calls `visit` with every node, its site, and the range of the nearest text around it.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr, &Site, &Range<usize>)) {
        walk(self.expr, &self.site, &self.expr.range, visit);
    }
}

fn walk<'e>(expr: &'e Expr, site: &Site, around: &Range<usize>, visit: &mut dyn FnMut(&'e Expr, &Site, &Range<usize>)) {
    let range = if expr.range.is_empty() { around } else { &expr.range };
    visit(expr, site, range);
    for (index, child) in expr.children().into_iter().enumerate() {
        walk(child, &site.child(index), range, visit);
    }
}

/// The expressions of a policy, and the groups of its criteria.
#[must_use]
pub fn of(policy: &CheckedPolicy) -> (Vec<Root<'_>>, Vec<Group<'_>>) {
    let document = &policy.document;
    let (mut roots, mut groups) = (Vec::new(), Vec::new());
    let top = |part| Site { part, path: Vec::new() };
    if !matches!(policy.coverage.kind, Kind::Literal(_)) {
        let place = document.covers.region_place.clone();
        roots.push(Root { site: top(Part::Coverage), expr: &policy.coverage, criterion: None, written: None, place });
    }
    tree(&document.criteria, &policy.criteria, &top(Part::Criteria), &mut roots, &mut groups);
    // Where each occasion has an amount of its own, the benefit's is never used; a cap over occasions is not one case's.
    let has_own = policy.each.as_ref().is_some_and(|each| each.amount.is_some());
    let is_whole = policy.each.is_none() && document.cap.as_ref().is_some_and(|cap| cap.per == CapScope::Subject);
    for (part, written, expr) in [
        (Part::Amount, document.benefit.amount.as_ref(), policy.amount.as_ref()),
        (Part::Cap, document.cap.as_ref().map(|cap| &cap.amount), policy.cap.as_ref()),
    ] {
        let counts = if part == Part::Amount { !has_own } else { is_whole };
        if let (true, Some(written), Some(expr)) = (counts, written, expr) {
            roots.push(Root { site: top(part), expr, criterion: None, written: Some(written), place: written.node.span() });
        }
    }
    (roots, groups)
}

fn tree<'p>(node: &'p CriteriaNode, expr: &'p Expr, site: &Site, roots: &mut Vec<Root<'p>>, groups: &mut Vec<Group<'p>>) {
    let members: Vec<&CriteriaNode> = match node {
        CriteriaNode::All(items) | CriteriaNode::Any(items) | CriteriaNode::AtLeast(_, items) => items.iter().collect(),
        CriteriaNode::Not(inner) => vec![inner],
        CriteriaNode::Criterion(criterion) => {
            let place = criterion.place.clone();
            roots.push(Root { site: site.clone(), expr, criterion: Some(criterion), written: Some(&criterion.when), place });
            return;
        }
    };
    let first = |member: &&'p CriteriaNode| member.criteria().into_iter().next();
    let places = members.iter().filter_map(first).map(|criterion| criterion.place.clone()).collect();
    let names = members.iter().filter_map(first).map(|criterion| criterion.id.as_str()).collect();
    groups.push(Group { site: site.clone(), expr, members: places, names });
    for ((index, child), member) in expr.children().into_iter().enumerate().zip(members) {
        tree(member, child, &site.child(index), roots, groups);
    }
}

/// The policy with the node at a site replaced.
#[must_use]
pub fn replaced(policy: &CheckedPolicy, site: &Site, new: &Expr) -> CheckedPolicy {
    let mut changed = policy.clone();
    match site.part {
        Part::Coverage => changed.coverage = at(&policy.coverage, &site.path, new),
        Part::Criteria => changed.criteria = at(&policy.criteria, &site.path, new),
        Part::Amount => changed.amount = policy.amount.as_ref().map(|amount| at(amount, &site.path, new)),
        Part::Cap => changed.cap = policy.cap.as_ref().map(|cap| at(cap, &site.path, new)),
    }
    changed
}

fn at(expr: &Expr, path: &[usize], new: &Expr) -> Expr {
    let Some((first, rest)) = path.split_first() else { return new.clone() };
    let mut index = 0;
    expr.map_children(&mut |child| {
        let is_it = index == *first;
        index += 1;
        if is_it { at(child, rest, new) } else { child.clone() }
    })
}

/// A text that is the same for two expressions only if they always have the same value.
#[must_use]
pub fn key(expr: &Expr) -> Arc<str> {
    fn plain(expr: &Expr) -> Expr {
        Expr { range: 0..0, ..expr.map_children(&mut |child| plain(child)) }
    }
    format!("{:?}", plain(expr).kind).into()
}
