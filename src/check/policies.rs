//! One policy checked: criteria, amount, occasions, and its ties to other policies.

use std::sync::Arc;

use super::ir::{Expr, Kind, Ty};
use super::resolve::{Scope, Typed, World};
use super::typing::Unit;
use super::{CheckedEach, CheckedPolicy};
use crate::diagnostic::{Diagnostic, Message, Span, code};
use crate::policy::document::{CriteriaNode, Criterion, EachSource, Period, PolicyDocument};
use crate::policy::guide::Guide;
use crate::policy::{ENTITIES, LIST, PERSONS};
use crate::register::declaration::{SubjectKind, Written};

/// Checks one policy; none when a part that evaluation needs is faulty.
pub fn check(world: &mut World<'_>, document: &Arc<PolicyDocument>) -> Option<CheckedPolicy> {
    let kind = document.subject;
    let coverage = coverage(world, document);
    let region = match &document.covers.by {
        Some((fact, _)) => world.catalogue.find(kind, fact).map(|id| Expr::new(Kind::Fact(id.index), Ty::Text)),
        None => None,
    };
    known_list(world, document);
    let mut leaves = Vec::new();
    let criteria = node(world, document, &document.criteria, region.as_ref(), &mut leaves);
    let steps = match (&document.criteria, &criteria) {
        (CriteriaNode::All(_), Some(Expr { kind: Kind::And(items), .. })) => items.clone(),
        (_, Some(criteria)) => vec![criteria.clone()],
        (_, None) => Vec::new(),
    };
    let number = |world: &mut World<'_>, written: &Written| number(world, kind, written, region.as_ref()).map(|(expr, _)| expr);
    let amount = match &document.benefit.amount {
        Some(written) => {
            let typed = self::number(world, kind, written, region.as_ref());
            amount_unit(world, document, written, typed.as_ref());
            typed.map(|(expr, _)| Some(expr))
        }
        None => Some(None),
    };
    let cap = optional(document.cap.as_ref().map(|cap| &cap.amount), |written| number(world, written));
    let budget = optional(document.budget.as_ref().map(|budget| &budget.amount), |written| number(world, written));
    let rank = optional(document.budget.as_ref().and_then(|budget| budget.rank_by.as_ref()), |written| {
        world.expr(&written.expr, &scope(kind, written, region.as_ref())).map(|(expr, _)| expr)
    });
    let occasion = optional(document.occasion.as_ref(), |written| {
        world.expr(&written.expr, &scope(kind, written, region.as_ref())).map(|(expr, _)| expr)
    });
    let each = optional(document.each.as_ref(), |_| each(world, document));
    let commit = commit(world, document);
    guide(world, document);
    ties(world, document);
    Some(CheckedPolicy {
        document: Arc::clone(document),
        coverage: coverage?,
        criteria: criteria?,
        steps: steps.into(),
        leaves: leaves.into(),
        amount: amount?,
        occasion: occasion?,
        each: each?,
        cap: cap?,
        budget: budget?,
        rank: rank?,
        commit: commit?,
    })
}

/// `Some(None)` where there is nothing to check, `None` where the check failed.
#[expect(clippy::option_option, reason = "absent and faulty differ")]
fn optional<T, U>(given: Option<T>, check: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match given {
        None => Some(None),
        Some(given) => check(given).map(Some),
    }
}

fn scope<'a>(kind: SubjectKind, written: &'a Written, region: Option<&Expr>) -> Scope<'a> {
    Scope { register: None, facts: Some(kind), node: &written.node, clause: None, region: region.cloned() }
}

fn number(world: &mut World<'_>, kind: SubjectKind, written: &Written, region: Option<&Expr>) -> Option<Typed> {
    world.check(written, &scope(kind, written, region), Ty::Number)
}

fn coverage(world: &mut World<'_>, document: &PolicyDocument) -> Option<Expr> {
    let covers = &document.covers;
    if !world.regions.is_known(&covers.region) {
        world.diagnostics.push(
            Diagnostic::new(
                &code::UNKNOWN_REGION,
                format!("区划树里没有“{}”", covers.region),
                format!("region `{}` is not in the tree", covers.region),
            )
            .at(covers.region_place.clone())
            .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml"),
        );
        return None;
    }
    let Some((fact, place)) = &covers.by else { return Some(Expr::boolean(true)) };
    let Some(id) = world.catalogue.find(document.subject, fact) else {
        unknown_fact(world, document.subject, fact, place);
        return None;
    };
    let ty = world.catalogue.fact(id).ty.ty;
    if ty != Ty::Text {
        let (zh, en) = (format!("“{fact}”不是地区"), format!("`{fact}` is not a region"));
        world.diagnostics.push(Diagnostic::new(&code::TYPE_MISMATCH, zh, en).at(place.clone()));
        return None;
    }
    let value = Box::new(Expr::new(Kind::Fact(id.index), Ty::Text));
    Some(Expr::new(Kind::InRegion { value, region: covers.region.as_str().into() }, Ty::Bool))
}

fn unknown_fact(world: &mut World<'_>, kind: SubjectKind, name: &str, place: &Span) {
    let known: Vec<Arc<str>> = world.catalogue.facts(kind).iter().map(|fact| Arc::clone(&fact.name)).collect();
    world.diagnostics.push(
        Diagnostic::new(&code::UNKNOWN_FACT, format!("{kind} 没有“{name}”这个事实"), format!("{kind} has no fact `{name}`"))
            .at(place.clone())
            .did_you_mean(name, known.iter().map(|name| &**name)),
    );
}

fn node(
    world: &mut World<'_>,
    document: &PolicyDocument,
    tree: &CriteriaNode,
    region: Option<&Expr>,
    leaves: &mut Vec<(Arc<str>, Expr)>,
) -> Option<Expr> {
    let mut all = |items: &[CriteriaNode], leaves: &mut Vec<(Arc<str>, Expr)>| -> Option<Vec<Expr>> {
        // Every item is looked at, so that all mistakes are told.
        let items: Vec<Option<Expr>> = items.iter().map(|item| node(world, document, item, region, leaves)).collect();
        items.into_iter().collect()
    };
    let kind = match tree {
        CriteriaNode::All(items) => Kind::And(all(items, leaves)?),
        CriteriaNode::Any(items) => Kind::Or(all(items, leaves)?),
        CriteriaNode::AtLeast(count, items) => Kind::AtLeast(*count, all(items, leaves)?),
        CriteriaNode::Not(inner) => Kind::Not(Box::new(node(world, document, inner, region, leaves)?)),
        CriteriaNode::Criterion(criterion) => {
            let expr = leaf(world, document, criterion, region)?;
            leaves.push((criterion.id.as_str().into(), expr.clone()));
            return Some(expr);
        }
    };
    Some(Expr::new(kind, Ty::Bool))
}

fn leaf(world: &mut World<'_>, document: &PolicyDocument, criterion: &Criterion, region: Option<&Expr>) -> Option<Expr> {
    let clause = clause_text(document, criterion);
    let scope = Scope { clause: clause.as_deref(), ..scope(document.subject, &criterion.when, region) };
    let is_made = criterion.when.node.is_made();
    if is_made && !has_list(world, document) {
        // That there is no such list was told.
        return None;
    }
    let before = world.diagnostics.len();
    let checked = world.check(&criterion.when, &scope, Ty::Bool).map(|(expr, _)| expr);
    if is_made {
        let when = criterion.when.node.text().unwrap_or_default();
        for diagnostic in world.diagnostics.iter_mut().skip(before) {
            // The text at the place is not what was checked: no fix of it can be right.
            diagnostic.fix = None;
            diagnostic.help.push(Message::new(
                format!("listed 在这里代表条件 {when}: 其中的事实要在登记库里声明"),
                format!("`listed` stands here for `{when}`: registers must declare its facts"),
            ));
        }
    }
    checked
}

/// The lists that the register of the subject's kind has; none where it declares no lists.
fn lists<'w>(world: &'w World<'_>, document: &PolicyDocument) -> Option<Vec<&'w str>> {
    let register = if document.subject == SubjectKind::Entity { ENTITIES } else { PERSONS };
    let column = world.catalogue.registers.registers.get(register)?.column(LIST)?;
    Some(column.codes.keys().map(String::as_str).collect())
}

/// Whether the register has the policy's list, as far as it says what lists it has.
fn has_list(world: &World<'_>, document: &PolicyDocument) -> bool {
    let Some((list, _)) = &document.listed else { return true };
    lists(world, document).is_none_or(|lists| lists.contains(&list.as_str()))
}

/// Tells of a list that the register does not have.
fn known_list(world: &mut World<'_>, document: &PolicyDocument) {
    let (Some((list, place)), false) = (&document.listed, has_list(world, document)) else { return };
    let lists = lists(world, document).unwrap_or_default();
    let known = lists.join(", ");
    let diagnostic =
        Diagnostic::new(&code::UNKNOWN_CODE_VALUE, format!("登记库没有名单“{list}”"), format!("no register has a list `{list}`"))
            .at(place.clone())
            .did_you_mean(list, lists)
            .help(format!("可用的名单: {known}"), format!("lists: {known}"));
    world.diagnostics.push(diagnostic);
}

/// The clause of a criterion with the document and article it stands in.
#[must_use]
pub fn clause_text(document: &PolicyDocument, criterion: &Criterion) -> Option<String> {
    let clause = criterion.clause.as_deref()?;
    let basis = criterion.basis.as_deref().and_then(|id| document.basis.iter().find(|basis| basis.id == id));
    Some(match basis {
        Some(basis) => format!("《{}》{}: {clause}", basis.title, basis.article.as_deref().unwrap_or("")),
        None => clause.to_owned(),
    })
}

fn amount_unit(world: &mut World<'_>, document: &PolicyDocument, written: &Written, typed: Option<&Typed>) {
    let Some((_, ty)) = typed else { return };
    let Some(unit) = &ty.unit else { return };
    let base = Unit::parse(&document.benefit.unit);
    let per_period = match document.benefit.period {
        Period::Month => Unit::parse(&format!("{}/month", document.benefit.unit)),
        Period::Year => Unit::parse(&format!("{}/year", document.benefit.unit)),
        Period::Day => Unit::parse(&format!("{}/day", document.benefit.unit)),
        Period::Once => base.clone(),
    };
    // Where no period could be read, each may be the one that was meant.
    let may_be = |word: &str| *unit == Unit::parse(&format!("{}/{word}", document.benefit.unit));
    let unread = !document.benefit.period_read && ["month", "year", "day"].into_iter().any(may_be);
    if *unit != base && *unit != per_period && !unread {
        world.diagnostics.push(
            Diagnostic::new(
                &code::UNIT_MISMATCH,
                format!("金额的单位是 {unit}, 应当是 {base} 或 {per_period}"),
                format!("the amount is in {unit}, expected {base} or {per_period}"),
            )
            .at(written.node.span()),
        );
    }
}

fn each(world: &mut World<'_>, document: &PolicyDocument) -> Option<CheckedEach> {
    let each = document.each.as_ref()?;
    let registers = Arc::clone(&world.catalogue.registers);
    let (register, kind) = match &each.source {
        EachSource::Link(name) => match registers.link(document.subject, name) {
            Some(link) => (link.register.clone(), link.to),
            None => {
                let (zh, en) = (format!("{} 没有“{name}”这个关联", document.subject), format!("{} has no link `{name}`", document.subject));
                world.diagnostics.push(Diagnostic::new(&code::UNKNOWN_FACT, zh, en).at(each.place.clone()));
                return None;
            }
        },
        EachSource::Register(name) => match registers.registers.get(name) {
            Some(register) if register.subject == Some(document.subject) => (name.clone(), document.subject),
            _ => {
                let (zh, en) = (
                    format!("没有以 {} 为对象的登记库“{name}”", document.subject),
                    format!("there is no register `{name}` about a {}", document.subject),
                );
                let names = registers.registers.keys().map(String::as_str);
                world.diagnostics.push(Diagnostic::new(&code::UNKNOWN_REGISTER, zh, en).at(each.place.clone()).did_you_mean(name, names));
                return None;
            }
        },
    };
    if registers.registers.get(&register).is_some_and(|register| register.column(&each.id).is_none()) {
        let (zh, en) = (format!("{register} 没有“{}”这一列", each.id), format!("{register} has no column `{}`", each.id));
        world.diagnostics.push(Diagnostic::new(&code::UNKNOWN_FACT, zh, en).at(each.place.clone()));
        return None;
    }
    let scope_of = |written: &'_ Written| -> Written { written.clone() };
    let check = |world: &mut World<'_>, written: &Written, want: Ty| {
        let written = scope_of(written);
        let scope = Scope { register: Some(&register), facts: Some(kind), node: &written.node, clause: None, region: None };
        world.check(&written, &scope, want).map(|(expr, _)| expr)
    };
    let filter = optional(each.filter.as_ref(), |written| check(world, written, Ty::Bool));
    let amount = optional(each.amount.as_ref(), |written| check(world, written, Ty::Number));
    Some(CheckedEach { filter: filter?, amount: amount?, kind, register })
}

fn commit(world: &mut World<'_>, document: &PolicyDocument) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for (name, place) in &document.commit {
        match world.catalogue.find(document.subject, name) {
            Some(id) => found.push(id.index),
            None => {
                unknown_fact(world, document.subject, name, place);
                return None;
            }
        }
    }
    Some(found)
}

/// Tells of facts that a material tells and that do not exist.
fn guide(world: &mut World<'_>, document: &PolicyDocument) {
    for (fact, place) in document.guide.iter().flat_map(Guide::needed).flat_map(|material| &material.tells) {
        if world.catalogue.find(document.subject, fact).is_none() {
            unknown_fact(world, document.subject, fact, place);
        }
    }
}

fn ties(world: &mut World<'_>, document: &PolicyDocument) {
    let excluded = document.excludes.iter().map(|exclusion| (&exclusion.policy, &exclusion.place));
    for (policy, place) in document.requires.iter().map(|(policy, place)| (policy, place)).chain(excluded) {
        if !world.policies.contains_key(policy) {
            world.diagnostics.push(
                Diagnostic::new(&code::UNKNOWN_POLICY, format!("没有政策“{policy}”"), format!("unknown policy `{policy}`"))
                    .at(place.clone())
                    .did_you_mean(policy, world.policies.keys().map(String::as_str)),
            );
        }
    }
}
