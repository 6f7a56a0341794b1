//! The changes of a policy: of expressions, of groups of criteria, of dates and ties.

use std::sync::Arc;

use crate::cases::book::Book;
use crate::cases::coverage::one_line;
use crate::cases::probe::shifted;
use crate::cases::sites::{self, Group, Root, Site, replaced};
use crate::check::CheckedPolicy;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Span;
use crate::policy::document::{Equivalent, PolicyDocument};

use super::nodes::{self, Hint};

/// A changed policy.
pub struct Mutant {
    /// The criterion, or the key of the policy file.
    pub part: String,
    /// Where the change is.
    pub place: Span,
    /// The text around it, in one line.
    pub context: String,
    /// What was there.
    pub before: String,
    /// What is there now.
    pub after: String,
    /// The changed policy.
    pub policy: CheckedPolicy,
    /// The node that was changed; none for changes outside expressions.
    pub site: Option<Site>,
}

impl Mutant {
    /// The change in one line: `where: before → after`.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}: {} → {}", self.context, self.before, self.after)
    }

    /// Whether it is the change that an author named.
    #[must_use]
    pub fn is_named(&self, named: &Equivalent) -> bool {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.part == named.part && plain(&self.told()) == plain(&named.change)
    }
}

/// Every change of a policy, in the order of its file.
#[must_use]
pub fn of(policy: &CheckedPolicy, book: &Book<'_>) -> Vec<Mutant> {
    let mut mutants = days(policy);
    let (roots, groups) = sites::of(policy);
    for group in &groups {
        of_group(policy, group, &mut mutants);
    }
    for root in &roots {
        of_root(policy, root, book, &mut mutants);
    }
    mutants.extend(ties(policy));
    mutants
}

fn of_root(policy: &CheckedPolicy, root: &Root<'_>, book: &Book<'_>, mutants: &mut Vec<Mutant>) {
    let mut hints: Vec<(Site, Hint)> = Vec::new();
    root.walk(&mut |expr, site, range| {
        let hint = hints
            .iter()
            .rev()
            .find(|(above, _)| site.path.len() == above.path.len() + 1 && site.path.starts_with(&above.path))
            .map_or_else(|| Hint::of_root(root.site.part), |(_, hint)| *hint);
        hints.push((site.clone(), hint.below(expr, book, policy.document.subject)));
        for change in nodes::changes(expr, hint, policy, book) {
            mutants.push(Mutant {
                part: root.name().to_owned(),
                place: root.place(range),
                context: root.text(range).map_or_else(String::new, one_line),
                before: change.before,
                after: change.after,
                policy: replaced(policy, site, &change.new),
                site: Some(site.clone()),
            });
        }
    });
}

/// Each member dropped, and the group's word changed. A dropped member is what never matters: yes among all, else no.
fn of_group(policy: &CheckedPolicy, group: &Group<'_>, mutants: &mut Vec<Mutant>) {
    let word = match &group.expr.kind {
        Kind::And(_) => "all",
        Kind::Or(_) => "any",
        Kind::AtLeast(..) => "at_least",
        _ => "not",
    };
    let place = group.members.first().cloned().unwrap_or_else(|| policy.document.place.clone());
    let mut change = |place: Span, before: String, after: String, site: Site, new: &Expr| {
        let policy = replaced(policy, &site, new);
        mutants.push(Mutant { part: "criteria".to_owned(), place, context: word.to_owned(), before, after, policy, site: Some(site) });
    };
    match &group.expr.kind {
        Kind::And(items) | Kind::Or(items) | Kind::AtLeast(_, items) => {
            for (index, name) in group.names.iter().enumerate().take(items.len()) {
                let mut site = group.site.clone();
                site.path.push(index);
                let never_matters = Expr::boolean(word == "all");
                change(group.members[index].clone(), (*name).to_owned(), "–".to_owned(), site, &never_matters);
            }
        }
        Kind::Not(inner) => change(place.clone(), "not".to_owned(), "–".to_owned(), group.site.clone(), inner),
        _ => {}
    }
    let expr = |kind| Expr { kind, ..group.expr.clone() };
    match &group.expr.kind {
        Kind::And(items) if items.len() > 1 => {
            change(place, "all".into(), "any".into(), group.site.clone(), &expr(Kind::Or(items.clone())));
        }
        Kind::Or(items) if items.len() > 1 => {
            change(place, "any".into(), "all".into(), group.site.clone(), &expr(Kind::And(items.clone())));
        }
        Kind::AtLeast(count, items) => {
            for other in [count.wrapping_sub(1), count + 1].into_iter().filter(|other| (1..=items.len()).contains(other)) {
                let (before, after) = (format!("n: {count}"), format!("n: {other}"));
                change(place.clone(), before, after, group.site.clone(), &expr(Kind::AtLeast(other, items.clone())));
            }
        }
        _ => {}
    }
}

fn with_document(policy: &CheckedPolicy, change: impl FnOnce(&mut PolicyDocument)) -> CheckedPolicy {
    let mut document = (*policy.document).clone();
    change(&mut document);
    CheckedPolicy { document: Arc::new(document), ..policy.clone() }
}

/// The first and last days moved by a day.
fn days(policy: &CheckedPolicy) -> Vec<Mutant> {
    let document = &policy.document;
    let mutant = |before: String, after: String, changed: CheckedPolicy| Mutant {
        part: "in_force".to_owned(),
        place: document.place.clone(),
        context: "in_force".to_owned(),
        before,
        after,
        policy: changed,
        site: None,
    };
    let mut mutants = Vec::new();
    for by in [-1, 1] {
        let from = shifted(document.in_force_from, by);
        let changed = with_document(policy, |document| document.in_force_from = from);
        mutants.push(mutant(format!("from: {}", document.in_force_from), format!("from: {from}"), changed));
        if let Some(to) = document.in_force_to {
            let moved = shifted(to, by);
            let changed = with_document(policy, |document| document.in_force_to = Some(moved));
            mutants.push(mutant(format!("to: {to}"), format!("to: {moved}"), changed));
        }
    }
    mutants
}

/// What the policy requires, excludes and takes a commitment for, each dropped.
fn ties(policy: &CheckedPolicy) -> Vec<Mutant> {
    let document = &policy.document;
    let mutant = |part: &str, place: &Span, before: &str, changed: CheckedPolicy| Mutant {
        part: part.to_owned(),
        place: place.clone(),
        context: part.to_owned(),
        before: before.to_owned(),
        after: "–".to_owned(),
        policy: changed,
        site: None,
    };
    let mut mutants = Vec::new();
    for (index, (code, place)) in document.requires.iter().enumerate() {
        let changed = with_document(policy, |document| {
            document.requires.remove(index);
        });
        mutants.push(mutant("requires", place, code, changed));
    }
    for (index, exclusion) in document.excludes.iter().enumerate() {
        let changed = with_document(policy, |document| {
            document.excludes.remove(index);
        });
        mutants.push(mutant("excludes", &exclusion.place, &exclusion.policy, changed));
    }
    for (index, (name, place)) in document.commit.iter().enumerate() {
        let mut changed = with_document(policy, |document| {
            document.commit.remove(index);
        });
        if index < changed.commit.len() {
            changed.commit.remove(index);
        }
        mutants.push(mutant("commit", place, name, changed));
    }
    mutants
}
