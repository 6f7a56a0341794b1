//! The boundaries of a policy: what its cases should touch.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::cases::probe::shifted;
use crate::cases::sites::{self, Part, Root, Site};
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Function, Kind, Ty, Value};
use crate::diagnostic::{Message, Span};

/// One boundary.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The criterion, or the key of the policy file.
    pub part: String,
    /// Where it stands.
    pub place: Span,
    /// What is looked at.
    pub target: Target,
    /// How it should come out.
    pub want: Want,
    /// For people: `age >= 60, just below`.
    pub says: Message,
}

/// What a boundary is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A node: a comparison, a membership, a branch of a `case`, a condition.
    Node(Site),
    /// A fact of the subject.
    Fact(FactId),
    /// A fact that the subject may commit to.
    Offer(FactId),
    /// A policy that must be had too.
    Requires(String),
    /// A policy that may not be had beside this one.
    Excludes(String),
    /// The amount against its cap.
    Cap,
    /// The day of the case.
    Day,
}

/// How a boundary should come out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// The last value below.
    Below,
    /// Exactly.
    At,
    /// The first value above.
    Above,
    /// This text.
    Text(Arc<str>),
    /// A text that is not named.
    OtherText,
    /// Yes.
    Yes,
    /// No.
    No,
    /// Unknown.
    Unknown,
    /// The branch is taken.
    Taken,
    /// This day.
    On(NaiveDate),
    /// The first day of a month.
    MonthStart,
    /// The last day of a month.
    MonthEnd,
}

/// Every boundary of a policy, in the order of its file.
#[must_use]
pub fn of(policy: &CheckedPolicy, catalogue: &Catalogue) -> Vec<Goal> {
    let mut list = List { policy, catalogue, goals: Vec::new(), seen: BTreeSet::new() };
    let (roots, _) = sites::of(policy);
    list.days();
    for root in &roots {
        list.root(root);
    }
    list.cap(&roots);
    list.facts(&roots);
    list.ties();
    list.goals
}

struct List<'a> {
    policy: &'a CheckedPolicy,
    catalogue: &'a Catalogue,
    goals: Vec<Goal>,
    seen: BTreeSet<(Target, Want)>,
}

impl List<'_> {
    fn add(&mut self, part: &str, place: &Span, target: Target, want: Want, says: (String, String)) {
        if self.seen.insert((target.clone(), want.clone())) {
            let says = Message::new(says.0, says.1);
            self.goals.push(Goal { part: part.to_owned(), place: place.clone(), target, want, says });
        }
    }

    /// The first and last days of the policy, and the days beside them.
    fn days(&mut self) {
        let document = &self.policy.document;
        let place = document.place.clone();
        let mut add = |day: NaiveDate, zh: &str, en: &str| {
            self.add("in_force", &place, Target::Day, Want::On(day), (format!("{zh} as_of: {day}"), format!("{en}, as_of: {day}")));
        };
        add(shifted(document.in_force_from, -1), "施行前一天", "the day before it is in force");
        add(document.in_force_from, "施行当天", "the first day in force");
        if let Some(to) = document.in_force_to {
            add(shifted(to, -1), "有效期最后一天", "the last day in force");
            add(to, "期满次日", "the day after");
        }
    }

    fn root(&mut self, root: &Root<'_>) {
        let mut nodes: Vec<(&Expr, Site, Range<usize>)> = Vec::new();
        root.walk(&mut |expr, site, range| nodes.push((expr, site.clone(), range.clone())));
        for (expr, site, range) in nodes {
            self.node(root, expr, site, &range);
        }
    }

    fn node(&mut self, root: &Root<'_>, expr: &Expr, site: Site, range: &Range<usize>) {
        match &expr.kind {
            Kind::Compare(_, left, right) => self.comparison(root, left, right, site, range),
            Kind::TextIn { value, set } => {
                for text in set.iter() {
                    self.at(root, range, &site, Want::Text(Arc::clone(text)), (&format!("取 {text}"), &format!("the value {text}")));
                }
                if self.has_others(value, set) {
                    self.at(root, range, &site, Want::OtherText, ("取列表之外的值", "a value outside the list"));
                }
            }
            Kind::InRegion { .. } if root.site.part == Part::Coverage => {
                self.at(root, range, &site, Want::Yes, ("在范围内", "inside"));
                self.at(root, range, &site, Want::No, ("在范围外", "outside"));
            }
            Kind::InRegion { .. } | Kind::Like { .. } | Kind::IsKnown(_) => self.two(root, range, &site),
            Kind::Entitled(_) => {
                self.two(root, range, &site);
                self.at(root, range, &site, Want::Unknown, ("未知", "unknown"));
            }
            Kind::Case { branches, otherwise } => {
                let last = otherwise.as_deref().map(|last| (2 * branches.len(), last));
                let thens = branches.iter().enumerate().map(|(index, (_, then))| (2 * index + 1, then));
                for (child, then) in thens.chain(last) {
                    let mut site = site.clone();
                    site.path.push(child);
                    let range = if then.range.is_empty() { range } else { &then.range };
                    self.at(root, range, &site, Want::Taken, ("取这一分支", "this branch"));
                }
            }
            Kind::Fact(index) if expr.ty == Ty::Bool => {
                let id = FactId { kind: self.policy.document.subject, index: *index };
                let fact = self.catalogue.fact(id);
                let place = root.place(range);
                for (want, zh, en) in [(Want::Yes, "是", "yes"), (Want::No, "否", "no")] {
                    let says = (format!("{} 为{zh}", fact.name), format!("{}: {en}", fact.name));
                    self.add(root.name(), &place, Target::Fact(id), want, says);
                }
            }
            Kind::Call(function, arguments) if is_monthly(*function) && arguments.iter().any(|argument| argument.kind == Kind::AsOf) => {
                let place = root.place(range);
                let (first, last) = (("月初 as_of", "as_of on the first of a month"), ("月末 as_of", "as_of on the last of a month"));
                self.add(root.name(), &place, Target::Day, Want::MonthStart, (first.0.to_owned(), first.1.to_owned()));
                self.add(root.name(), &place, Target::Day, Want::MonthEnd, (last.0.to_owned(), last.1.to_owned()));
            }
            _ => {}
        }
    }

    fn at(&mut self, root: &Root<'_>, range: &Range<usize>, site: &Site, want: Want, says: (&str, &str)) {
        let text = root.text(range).map_or_else(|| root.name().to_owned(), one_line);
        let says = (format!("{text}: {}", says.0), format!("{text}: {}", says.1));
        self.add(root.name(), &root.place(range), Target::Node(site.clone()), want, says);
    }

    fn two(&mut self, root: &Root<'_>, range: &Range<usize>, site: &Site) {
        self.at(root, range, site, Want::Yes, ("是", "yes"));
        self.at(root, range, site, Want::No, ("否", "no"));
    }

    fn comparison(&mut self, root: &Root<'_>, left: &Expr, right: &Expr, site: Site, range: &Range<usize>) {
        match left.ty {
            Ty::Number | Ty::Date => {
                self.at(root, range, &site, Want::Below, ("刚好低于", "just below"));
                self.at(root, range, &site, Want::At, ("恰好等于", "exactly at"));
                self.at(root, range, &site, Want::Above, ("刚好高于", "just above"));
            }
            Ty::Text | Ty::Bool => {
                self.at(root, range, &site, Want::At, ("相等", "the same"));
                let others = match &right.kind {
                    Kind::Literal(Value::Text(text)) => self.has_others(left, std::slice::from_ref(text)),
                    _ => true,
                };
                if others {
                    self.at(root, range, &site, Want::OtherText, ("不等", "another"));
                }
            }
        }
    }

    /// Whether a text can be something that is not in a set.
    fn has_others(&self, value: &Expr, set: &[Arc<str>]) -> bool {
        let Kind::Fact(index) = value.kind else { return true };
        let fact = self.catalogue.fact(FactId { kind: self.policy.document.subject, index });
        fact.ty.codes.as_ref().is_none_or(|codes| codes.keys().any(|code| !set.iter().any(|text| **text == **code)))
    }

    /// The amount against its cap, where one subject has one amount.
    fn cap(&mut self, roots: &[Root<'_>]) {
        let Some(root) = roots.iter().find(|root| root.site.part == Part::Cap) else { return };
        if self.policy.each.is_some() || self.policy.amount.is_none() {
            return;
        }
        let text = root.text(&root.expr.range).map_or_else(String::new, one_line);
        for (want, zh, en) in
            [(Want::Below, "低于上限", "below the cap"), (Want::At, "等于上限", "at the cap"), (Want::Above, "高于上限", "above the cap")]
        {
            let says = (format!("金额{zh} {text}"), format!("the amount {en}, {text}"));
            self.add("cap", &root.place, Target::Cap, want, says);
        }
    }

    /// Each fact that a condition or the amount names, once unknown.
    fn facts(&mut self, roots: &[Root<'_>]) {
        let mut first: BTreeMap<usize, (String, Span)> = BTreeMap::new();
        let mut order = Vec::new();
        for root in roots {
            root.walk(&mut |expr, _, range| {
                if let Kind::Fact(index) = expr.kind
                    && !first.contains_key(&index)
                {
                    first.insert(index, (root.name().to_owned(), root.place(range)));
                    order.push(index);
                }
            });
        }
        for index in order {
            let id = FactId { kind: self.policy.document.subject, index };
            let name = Arc::clone(&self.catalogue.fact(id).name);
            let (part, place) = &first[&index];
            self.add(part, place, Target::Fact(id), Want::Unknown, (format!("{name} 未知"), format!("{name} unknown")));
        }
    }

    /// Other policies, and commitments.
    fn ties(&mut self) {
        let document = Arc::clone(&self.policy.document);
        let words = [(Want::Yes, "是", "yes"), (Want::No, "否", "no"), (Want::Unknown, "未知", "unknown")];
        for (policy, place) in &document.requires {
            for (want, zh, en) in words.clone() {
                let says = (format!("前提事项 {policy}: {zh}"), format!("the required policy {policy}: {en}"));
                self.add("requires", place, Target::Requires(policy.clone()), want, says);
            }
        }
        for exclusion in &document.excludes {
            let policy = &exclusion.policy;
            for (want, zh, en) in words.clone() {
                let says = (format!("互斥事项 {policy}: {zh}"), format!("the excluded policy {policy}: {en}"));
                self.add("excludes", &exclusion.place, Target::Excludes(policy.clone()), want, says);
            }
        }
        for (&index, (name, place)) in self.policy.commit.iter().zip(&document.commit) {
            let id = FactId { kind: document.subject, index };
            let says = (format!("只缺 {name}, 可承诺"), format!("only {name} is missing: a commitment is offered"));
            self.add("commit", place, Target::Offer(id), Want::Yes, says);
        }
    }
}

fn is_monthly(function: Function) -> bool {
    matches!(
        function,
        Function::MonthStart | Function::MonthEnd | Function::MonthsBetween | Function::WholeMonthsBetween | Function::MonthsOverlap
    )
}

/// Text without line breaks, blanks put together.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
