//! Names that are not parts of expressions: bases, policies, regions, registers, columns, links, values of facts.

use gen_lsp_types::CompletionItemKind as Shown;

use super::Offer;
use crate::diagnostic::CODES;
use crate::lsp::desk::Desk;
use crate::lsp::hover::{fact_named, own_policy};
use crate::lsp::role::Role;
use crate::lsp::spot::{Kind, Spot};
use crate::region::RegionLevel;
use crate::yaml::Node;

/// What may be written for a role.
pub(super) fn offers(desk: &Desk<'_>, role: &Role, spot: &Spot) -> Vec<Offer> {
    let registers = &desk.workspace.registers;
    let mut found: Vec<Offer> = match role {
        Role::Basis => bases(desk),
        Role::Policy => policies(desk),
        Role::Region => quoted(regions(desk), desk, spot),
        Role::Criterion => own_policy(desk).map_or_else(Vec::new, |policy| {
            let criteria = policy.criteria.criteria().into_iter();
            criteria
                .map(|criterion| Offer::new(&criterion.id, Shown::Reference).detail(criterion.clause.clone().unwrap_or_default()))
                .collect()
        }),
        Role::Register => {
            let all = registers.registers.values();
            all.map(|register| Offer::new(&register.name, Shown::Module).aside(desk.say(&register.label))).collect()
        }
        Role::Column(register) => registers.registers.get(register).map_or_else(Vec::new, |register| {
            register.columns.iter().map(|column| Offer::new(&column.name, Shown::Field).aside(desk.say(&column.label))).collect()
        }),
        Role::Link(kind) => {
            let links = registers.links.iter().filter(|link| link.from == *kind);
            links.map(|link| Offer::new(&link.name, Shown::Reference).aside(desk.say(&link.label))).collect()
        }
        Role::Diagnostic => CODES.iter().map(|code| Offer::new(code.name, Shown::Constant).aside(code.number)).collect(),
        Role::Given(kind, name) => given(desk, *kind, name, spot),
        Role::Expression(_) | Role::Fact(_) => Vec::new(),
    };
    let is_key = spot.kind != Kind::Value && matches!(role, Role::Criterion | Role::Register | Role::Column(_) | Role::Diagnostic);
    for offer in &mut found {
        offer.rank = 1;
        if is_key {
            offer.insert.push_str(": ");
        }
    }
    found
}

/// The ids of the bases of the document as it stands in the editor, else as it was read last.
fn bases(desk: &Desk<'_>) -> Vec<Offer> {
    let of_tree = |root: &Node| -> Option<Vec<Offer>> {
        let get = |node: &Node, key: &str| {
            let value = node.mapping()?.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value.clone());
            value.and_then(|value| value.text().map(str::to_owned))
        };
        let entries = root.mapping()?.iter().find(|(name, _)| name.text() == Some("basis"))?.1.sequence()?;
        let offer = |entry: &Node| Some(Offer::new(get(entry, "id")?, Shown::Reference).detail(get(entry, "title").unwrap_or_default()));
        Some(entries.iter().filter_map(offer).collect())
    };
    let written = desk.tree().as_ref().and_then(of_tree);
    written.unwrap_or_else(|| {
        let read = own_policy(desk).map_or(&[][..], |policy| &policy.basis);
        read.iter().map(|basis| Offer::new(&basis.id, Shown::Reference).detail(basis.title.as_str())).collect()
    })
}

/// The codes of policies, each once.
pub(super) fn policies(desk: &Desk<'_>) -> Vec<Offer> {
    let mut found: Vec<Offer> = Vec::new();
    for policy in desk.workspace.set.policies.iter().rev() {
        if !found.iter().any(|offer| offer.label == policy.code) {
            found.push(Offer::new(&policy.code, Shown::Constant).aside(desk.say(&policy.name)).detail(policy.authority_name.as_str()));
        }
    }
    found.reverse();
    found
}

/// The codes of regions, those of broader ones first.
pub(super) fn regions(desk: &Desk<'_>) -> Vec<Offer> {
    let tree = &desk.workspace.regions;
    let last = tree.all_codes().filter_map(|code| tree.regions().filter(|region| region.code == code).last());
    let offer = |region: &crate::region::Region| {
        let rank = match region.level {
            RegionLevel::Town => 3,
            RegionLevel::County => 2,
            _ => 1,
        };
        let ended = region.to.map(|to| desk.pick("DAY 起撤销", "ended on DAY").replace("DAY", &to.to_string())).unwrap_or_default();
        Offer::new(&region.code, Shown::Constant).aside(desk.say(&region.name)).detail(ended).rank(rank)
    };
    last.map(offer).collect()
}

/// Codes of digits need quotes in YAML, where none are written yet.
fn quoted(offers: Vec<Offer>, desk: &Desk<'_>, spot: &Spot) -> Vec<Offer> {
    let start = spot.whole().start;
    if desk.text[..start].ends_with(['"', '\'']) {
        return offers;
    }
    offers.into_iter().map(|offer| Offer { insert: format!("\"{}\"", offer.insert), ..offer }).collect()
}

/// The values that a case may give a fact.
fn given(desk: &Desk<'_>, kind: crate::register::declaration::SubjectKind, name: &str, spot: &Spot) -> Vec<Offer> {
    let catalogue = &desk.workspace.checked.catalogue;
    let Some(meaning) = fact_named(desk, kind, name) else { return Vec::new() };
    let Some(ty) = meaning.ty(catalogue) else { return Vec::new() };
    if ty.region {
        return quoted(regions(desk), desk, spot);
    }
    if ty.ty == crate::check::ir::Ty::Bool {
        return ["true", "false"].into_iter().map(|word| Offer::new(word, Shown::EnumMember)).collect();
    }
    let codes = ty.codes.iter().flat_map(|codes| codes.iter());
    codes.map(|(code, label)| Offer::new(code, Shown::EnumMember).aside(desk.say(label))).collect()
}
