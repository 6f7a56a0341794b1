//! Where what a word names is declared: a clause, a fact, a parameter, a policy, a region.

use std::path::Path;

use gen_lsp_types::{Definition, DefinitionResponse, Location, Position};

use super::desk::Desk;
use super::diagnostics::{basis, value_of};
use super::hover::{fact_named, own_policy};
use super::meaning::{Meaning, meanings};
use super::role::{FileKind, Names, Role};
use super::spot::Spot;
use crate::diagnostic::{SourceFile, Span};
use crate::register::declaration::RegisterDeclaration;
use crate::yaml::{self, Node};

/// The places that the word at a position is declared at.
pub(super) fn definition(desk: &Desk<'_>, position: Position) -> Option<DefinitionResponse> {
    let spot = desk.spot(position)?;
    let offset = desk.lines().offset(position);
    let found = match desk.role(&spot) {
        Some(role) => of_role(desk, &spot, &role, offset),
        None => of_case(desk, &spot),
    };
    let locations: Vec<Location> = found.iter().filter_map(|span| desk.location(span)).collect();
    (!locations.is_empty()).then_some(DefinitionResponse::Definition(Definition::LocationList(locations)))
}

fn of_role(desk: &Desk<'_>, spot: &Spot, role: &Role, offset: usize) -> Vec<Span> {
    let found = match role {
        Role::Expression(names) => return of_word(desk, spot, names, offset),
        Role::Fact(kind) => return of_word(desk, spot, &Names { register: None, facts: Some(*kind) }, offset),
        Role::Policy => return policies(desk, &spot.text),
        Role::Region => return regions(desk, &spot.text),
        Role::Basis => own_basis(desk, &spot.text),
        Role::Criterion => own_policy(desk).and_then(|policy| {
            let criteria = policy.criteria.criteria();
            criteria.into_iter().find(|criterion| criterion.id == spot.text).map(|criterion| criterion.place.clone())
        }),
        Role::Register => desk.workspace.registers.registers.get(&spot.text).map(|register| register.place.clone()),
        Role::Column(register) => column(desk, register, &spot.text),
        Role::Link(_) => link(desk, &spot.text),
        Role::Given(kind, name) => match fact_named(desk, *kind, name) {
            Some(meaning) if meaning.ty(&desk.workspace.checked.catalogue).is_some_and(|ty| ty.region) => return regions(desk, &spot.text),
            Some(meaning) => return of_meaning(desk, &Meaning::Code(Box::new(meaning), spot.text.clone())),
            None => None,
        },
        Role::Diagnostic => None,
    };
    found.into_iter().collect()
}

/// From a case to the policy that it is about.
fn of_case(desk: &Desk<'_>, spot: &Spot) -> Vec<Span> {
    if desk.file != Some(FileKind::Cases) || spot.path.is_empty() {
        return Vec::new();
    }
    let beside = desk.workspace.set.policies.iter().filter(|policy| policy.path.parent() == desk.path.parent());
    beside.map(|policy| policy.place.clone()).collect()
}

/// Where what the word of an expression at a byte of the file names is declared.
fn of_word(desk: &Desk<'_>, spot: &Spot, names: &Names, offset: usize) -> Vec<Span> {
    let all = meanings(&spot.text, names, &desk.workspace.checked.catalogue);
    let mut words = all.into_iter().map(|(range, meaning)| (spot.place(&range), meaning));
    let found = words.rfind(|(place, _)| place.start <= offset && offset <= place.end);
    found.map(|(_, meaning)| of_meaning(desk, &meaning)).unwrap_or_default()
}

fn of_meaning(desk: &Desk<'_>, meaning: &Meaning) -> Vec<Span> {
    let catalogue = &desk.workspace.checked.catalogue;
    let found = match meaning {
        Meaning::Fact(id) => catalogue.fact(*id).place.clone(),
        Meaning::Column { register, column: name } => column(desk, register, name),
        Meaning::Link(at) => catalogue.registers.links.get(*at).and_then(|known| link(desk, &known.name)),
        Meaning::Parameter(name) => {
            let parameter = desk.workspace.set.parameters.iter().find(|parameter| parameter.name == *name);
            parameter.map(|parameter| parameter.place.clone())
        }
        Meaning::Policy(code) => return policies(desk, code),
        Meaning::Region(code) => return regions(desk, code),
        Meaning::Builtin("age") => desk.subject.and_then(|kind| catalogue.fact(catalogue.find(kind, "birth_date")?).place.clone()),
        Meaning::Code(of, code) => match &**of {
            Meaning::Column { register, column } => code_of(desk, register, column, code),
            Meaning::Fact(id) => {
                let fact = catalogue.fact(*id);
                let declared = desk.workspace.registers.registers.values().flat_map(|register| &register.facts);
                let declared = declared.chain(&desk.workspace.registers.computed).find(|known| Some(&known.place) == fact.place.as_ref());
                declared.and_then(|known| code_of(desk, known.register.as_deref()?, known.codes_of.as_deref()?, code))
            }
            _ => None,
        },
        Meaning::Function(_) | Meaning::Builtin(_) | Meaning::Unknown(_) => None,
    };
    found.into_iter().collect()
}

/// The policies with a code, in all their versions.
fn policies(desk: &Desk<'_>, code: &str) -> Vec<Span> {
    desk.workspace.set.policies.iter().filter(|policy| policy.code == code).map(|policy| policy.place.clone()).collect()
}

/// The periods of a region.
fn regions(desk: &Desk<'_>, code: &str) -> Vec<Span> {
    desk.workspace.regions.regions().filter(|region| region.code == code).filter_map(|region| region.place.clone()).collect()
}

/// The basis of the document itself, as it stands in the editor.
fn own_basis(desk: &Desk<'_>, id: &str) -> Option<Span> {
    basis(&desk.tree()?, id).map(Node::span)
}

/// The element of a list in the tree of a file whose key has a value.
fn element<'n>(root: &'n Node, list: &str, key: &str, value: &str) -> Option<&'n Node> {
    let items = value_of(root, list)?.sequence()?;
    items.iter().find(|item| value_of(item, key).and_then(Node::text) == Some(value))
}

fn tree_of(register: &RegisterDeclaration) -> Option<Node> {
    yaml::parse(&register.place.file).0
}

/// Where a column of a register is declared.
fn column(desk: &Desk<'_>, register: &str, name: &str) -> Option<Span> {
    let root = tree_of(desk.workspace.registers.registers.get(register)?)?;
    value_of(element(&root, "columns", "name", name)?, "name").map(Node::span)
}

/// Where a code of a column is declared, by the code or its label.
fn code_of(desk: &Desk<'_>, register: &str, name: &str, code: &str) -> Option<Span> {
    let declaration = desk.workspace.registers.registers.get(register)?;
    let codes = &declaration.column(name)?.codes;
    let (code, _) = codes.iter().find(|(known, label)| known.as_str() == code || label.zh == code || label.en == code)?;
    let root = tree_of(declaration)?;
    let entries = value_of(element(&root, "columns", "name", name)?, "codes")?.mapping()?;
    entries.iter().map(|(key, _)| key).find(|key| key.text() == Some(code)).map(Node::span)
}

/// Where a link is declared; the file is read again, for its place is not kept.
fn link(desk: &Desk<'_>, name: &str) -> Option<Span> {
    let path = desk.workspace.dir.join("registers").join("links.yaml");
    let root = yaml::parse(&source(desk, &path)?).0?;
    value_of(element(&root, "links", "name", name)?, "name").map(Node::span)
}

fn source(desk: &Desk<'_>, path: &Path) -> Option<std::sync::Arc<SourceFile>> {
    let text = desk.documents.texts().text(path).ok()?;
    Some(SourceFile::new(path, text))
}
