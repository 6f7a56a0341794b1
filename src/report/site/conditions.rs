//! Who qualifies: the words of the law beside the rule in plain words, criterion by criterion.

use std::sync::Arc;

use maud::{Markup, html};

use super::frame::{chinese, policy_link};
use super::{Item, Site};
use crate::check::ir::Expr;
use crate::explain::rule::{Rule, rule};
use crate::policy::document::{CriteriaNode, Criterion};
use crate::register::declaration::SubjectKind;

type Leaves<'a> = std::slice::Iter<'a, (Arc<str>, Expr)>;

/// The conditions of a policy: whom it covers, its criteria, and what it requires.
pub(super) fn conditions(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let document = item.document;
    let mut leaves = item.checked.map_or(&[][..], |policy| &policy.leaves).iter();
    html! {
        ul.tree {
            li { (covers(site, item)) }
            li { (node(site, item, &document.criteria, &mut leaves)) }
            @for (code, _) in &document.requires {
                li { p { (site.pick("同时须符合", "Must also be entitled to")) " " (policy_link(site, code, "../")) } }
            }
        }
        @if let Some(reading) = &document.reading {
            h3 { (site.pick("对条文的理解", "How the text is read")) }
            p { (chinese(site, site.say(reading))) }
        }
    }
}

fn covers(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let document = item.document;
    let region = site.region(&document.covers.region);
    let by = document.covers.by.as_ref().and_then(|(fact, _)| {
        let catalogue = &site.source.checked.catalogue;
        Some(site.say(&catalogue.fact(catalogue.find(document.subject, fact)?).label).to_owned())
    });
    html! {
        p {
            strong { (site.pick("地区", "Where")) } " "
            (region) " " span.soft { (document.covers.region) }
            @if let Some(by) = by { (site.pick("，按", ", by ")) "“" (by) "”" (site.pick("看，含所辖地区", ", with everything below it")) }
        }
    }
}

fn node(site: &Site<'_>, item: &Item<'_>, tree: &CriteriaNode, leaves: &mut Leaves<'_>) -> Markup {
    let (head, items): (String, &[CriteriaNode]) = match tree {
        CriteriaNode::Criterion(criterion) => return one(site, item, criterion, leaves.next().map(|(_, expr)| expr)),
        CriteriaNode::All(items) => (site.pick("下列全部符合", "All of these").to_owned(), items),
        CriteriaNode::Any(items) | CriteriaNode::AtLeast(1, items) => (site.pick("下列任一符合", "One of these").to_owned(), items),
        CriteriaNode::AtLeast(count, items) => {
            let (zh, en) = (format!("下列至少{count}项符合"), format!("At least {count} of these"));
            (site.pick(&zh, &en).to_owned(), items)
        }
        CriteriaNode::Not(inner) => (site.pick("有下列情形的不享受", "Not where").to_owned(), std::slice::from_ref(inner)),
    };
    // The word `not` and the group below it read as one.
    let (head, items) = match (tree, items) {
        (CriteriaNode::Not(_), [CriteriaNode::Any(inner) | CriteriaNode::AtLeast(1, inner)]) => {
            (site.pick("有下列情形之一的不享受", "Not where any of these holds").to_owned(), inner.as_slice())
        }
        _ => (head, items),
    };
    let items: Vec<Markup> = items.iter().map(|inner| node(site, item, inner, leaves)).collect();
    html! {
        @if items.len() > 1 || !matches!(tree, CriteriaNode::All(_)) {
            p { strong { (head) } }
            ul.tree { @for one in &items { li { (one) } } }
        } @else {
            @for one in &items { (one) }
        }
    }
}

fn one(site: &Site<'_>, item: &Item<'_>, criterion: &Criterion, expr: Option<&Expr>) -> Markup {
    let document = item.document;
    let basis = criterion.basis.as_ref().and_then(|id| document.basis.iter().find(|basis| basis.id == *id));
    html! {
        div.pair id=(format!("criterion-{}", criterion.id)) {
            div.law {
                @if let Some(clause) = &criterion.clause { (chinese(site, clause)) } @else { (site.pick("没有写明条文", "No clause is named")) }
                @if let Some(basis) = basis {
                    span.soft { a href=(format!("#basis-{}", basis.id)) { (chinese(site, &titled(&basis.title))) } (chinese(site, basis.article.as_deref().unwrap_or_default())) }
                }
            }
            div.rule {
                @if let Some(expr) = expr { (ruled(site, &rule(&site.judge, expr, document.subject))) }
                span.soft { code { (criterion.when.node.text().unwrap_or_default().trim()) } }
            }
        }
    }
}

/// A title in its marks.
pub(super) fn titled(title: &str) -> String {
    if title.contains('《') { title.to_owned() } else { format!("《{title}》") }
}

/// A rule in plain words.
pub(super) fn ruled(site: &Site<'_>, rule: &Rule) -> Markup {
    let list = |head: &str, items: &[Rule]| {
        html! { (head) ul.plain { @for item in items { li { (ruled(site, item)) } } } }
    };
    match rule {
        Rule::Says(message) => html! { (site.say(message)) },
        Rule::All(items) => list(site.pick("全部符合：", "all of:"), items),
        Rule::Any(items) => list(site.pick("任一符合：", "one of:"), items),
        Rule::Some(count, items) => {
            let (zh, en) = (format!("至少{count}项符合："), format!("at least {count} of:"));
            list(site.pick(&zh, &en), items)
        }
        Rule::If(when, then) => match &**then {
            Rule::Says(_) => html! { (site.say(&rule.in_a_line())) },
            then => {
                let when = when.condition();
                html! { (site.pick("对", "if ")) (site.say(&when)) (site.pick("的：", ":")) " " (ruled(site, then)) }
            }
        },
    }
}

/// Words for a condition that stands elsewhere than among the criteria, in one line.
pub(super) fn in_a_line(site: &Site<'_>, expr: &Expr, kind: SubjectKind) -> String {
    site.say(&rule(&site.judge, expr, kind).condition()).to_owned()
}
