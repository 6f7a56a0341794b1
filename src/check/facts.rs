//! Every declared fact checked, and how it comes about; cycles among facts found.

use std::sync::Arc;

use super::catalogue::{Aggregate, Catalogue, Definition, Fact, FactId, How};
use super::ir::{Expr, Function, Kind, Ty, Value};
use super::resolve::{Scope, World};
use super::typing::Type;
use crate::criteria::ast::ExprKind;
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::{ColumnType, FactDeclaration, Registers, SubjectKind};

/// A catalogue with every declared fact, not yet defined: expressions may name any of them.
pub(super) fn declare(registers: &Arc<Registers>, diagnostics: &mut Vec<Diagnostic>) -> (Catalogue, Vec<(FactId, FactDeclaration)>) {
    let mut catalogue = Catalogue::new(Arc::clone(registers));
    let mut declared = Vec::new();
    let of_registers = registers.registers.values().flat_map(|register| &register.facts);
    for fact in of_registers.chain(&registers.computed) {
        if let Some(earlier) = catalogue.find(fact.subject, &fact.name) {
            let mut diagnostic = Diagnostic::new(
                &code::DUPLICATE_NAME,
                format!("事实“{}”声明了两次", fact.name),
                format!("fact `{}` is declared twice", fact.name),
            )
            .at(fact.place.clone());
            if let Some(place) = &catalogue.fact(earlier).place {
                diagnostic = diagnostic.also(place.clone(), "第一次在这里", "first declared here");
            }
            diagnostics.push(diagnostic);
            continue;
        }
        let ty = declared_type(&catalogue, fact);
        let id = catalogue.add(
            fact.subject,
            Fact {
                name: fact.name.as_str().into(),
                label: fact.label.clone(),
                ty,
                unit: fact.unit.clone(),
                definition: Definition::Pending,
                changeable: fact.changeable,
                place: Some(fact.place.clone()),
            },
        );
        declared.push((id, fact.clone()));
    }
    (catalogue, declared)
}

fn declared_type(catalogue: &Catalogue, fact: &FactDeclaration) -> Type {
    let own = Arc::new(fact.codes.clone());
    let mut ty = Type::declared(fact.fact_type, fact.unit.as_deref(), Some(&own).filter(|codes| !codes.is_empty()));
    if fact.fact_type == ColumnType::Code
        && let Some(register) = &fact.register
        && let Some(column) = fact.codes_of.as_deref().or_else(|| column_named(fact))
        && let Some((_, found)) = catalogue.rows.get(register).and_then(|rows| rows.iter().find(|(name, _)| name == column))
    {
        ty.codes.clone_from(&found.codes);
    }
    ty
}

/// The column whose code list a fact has by its own expression: `kind`, `latest(kind by issued_on)`.
fn column_named(fact: &FactDeclaration) -> Option<&str> {
    match &fact.is.expr.kind {
        ExprKind::Name(path) => path.last().map(|ident| ident.name.as_str()),
        ExprKind::Call(call) => match call.args.first().map(|argument| &argument.kind) {
            Some(ExprKind::Name(path)) => path.last().map(|ident| ident.name.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// Checks how each declared fact comes about, and which rows make links, then looks for cycles.
pub(super) fn define(world: &mut World<'_>, declared: &[(FactId, FactDeclaration)]) {
    let registers = Arc::clone(&world.catalogue.registers);
    world.catalogue.link_filters = registers
        .links
        .iter()
        .map(|link| {
            let filter = link.filter.as_ref()?;
            let scope = Scope { register: Some(&link.register), facts: None, node: &filter.node, clause: None, region: None };
            world.boolean(&filter.expr, &scope)
        })
        .collect();
    for (id, fact) in declared {
        let definition = match &fact.register {
            Some(register) => of_rows(world, *id, fact, register),
            None => computed(world, *id, fact),
        };
        if let Some(definition) = definition {
            world.catalogue.define(*id, definition);
        }
    }
    cycles(world);
}

fn of_rows(world: &mut World<'_>, id: FactId, fact: &FactDeclaration, register: &str) -> Option<Definition> {
    let registers = Arc::clone(&world.catalogue.registers);
    let declaration = registers.registers.get(register)?;
    let scope = Scope { register: Some(register), facts: None, node: &fact.is.node, clause: None, region: None };
    let (mut rows, ty) = match &fact.is.expr.kind {
        ExprKind::Call(call) if call.path.len() == 1 && How::by_name(&call.path[0].name).is_some() && call.args.len() < 2 => {
            world.aggregate(&call.path[0], call, &fact.is.expr, &scope)?
        }
        _ => {
            if declaration.unique != [declaration.key.clone()] {
                world.report(
                    &scope,
                    Diagnostic::new(
                        &code::TYPE_MISMATCH,
                        "一个服务对象可有多行, 要写汇总",
                        "a subject can have several rows: an aggregate is needed",
                    )
                    .at(fact.is.node.span())
                    .help("如 latest(x by 日期)、any(条件)、sum(x)", "such as latest(x by date), any(condition), sum(x)"),
                );
                return None;
            }
            let (value, ty) = world.expr(&fact.is.expr, &scope)?;
            (Aggregate { how: How::Only, value: Some(value), filter: None, by: None }, ty)
        }
    };
    if let Some(filter) = &fact.filter {
        let scope = Scope { node: &filter.node, ..scope.clone() };
        rows.filter = Some(world.boolean(&filter.expr, &scope)?);
    }
    agree(world, id, &ty, fact, &scope)?;
    for (other, column) in &fact.agrees_with {
        let known = world.catalogue.rows.get(other).is_some_and(|rows| rows.iter().any(|(name, _)| name == column));
        if !known {
            world.report(
                &scope,
                Diagnostic::new(
                    &code::UNKNOWN_REGISTER,
                    format!("没有 {other}.{column} 这一列"),
                    format!("there is no column {other}.{column}"),
                )
                .at(fact.place.clone()),
            );
        }
    }
    Some(Definition::Rows { register: register.to_owned(), rows, agrees_with: fact.agrees_with.clone() })
}

fn computed(world: &mut World<'_>, id: FactId, fact: &FactDeclaration) -> Option<Definition> {
    let region = default_region(world.catalogue, fact.subject);
    let scope = Scope { register: None, facts: Some(fact.subject), node: &fact.is.node, clause: None, region };
    let (expr, ty) = world.expr(&fact.is.expr, &scope)?;
    agree(world, id, &ty, fact, &scope)?;
    let mut given = Vec::new();
    texts_given(&expr, &mut given);
    for text in given.into_iter().filter(|text| !fact.codes.is_empty() && !fact.codes.contains_key(&**text)) {
        let name = &fact.name;
        world.report(
            &scope,
            Diagnostic::new(
                &code::UNKNOWN_CODE_VALUE,
                format!("事实“{name}”没有代码“{text}”"),
                format!("fact `{name}` has no code `{text}`"),
            )
            .at(fact.is.node.span())
            .did_you_mean(&text, fact.codes.keys().map(String::as_str)),
        );
    }
    Some(Definition::Computed(expr))
}

/// The texts that an expression can come to by itself.
fn texts_given(expr: &Expr, found: &mut Vec<Arc<str>>) {
    match &expr.kind {
        Kind::Literal(Value::Text(text)) => found.push(Arc::clone(text)),
        Kind::Case { branches, otherwise } => {
            branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()).for_each(|then| texts_given(then, found));
        }
        Kind::Call(Function::Coalesce, items) => items.iter().for_each(|item| texts_given(item, found)),
        _ => {}
    }
}

/// Where a parameter is looked up when a computed fact names no region.
fn default_region(catalogue: &Catalogue, kind: SubjectKind) -> Option<super::ir::Expr> {
    let name = if kind == SubjectKind::Entity { "registered_region" } else { "hukou_region" };
    let id = catalogue.find(kind, name)?;
    Some(super::ir::Expr::new(super::ir::Kind::Fact(id.index), Ty::Text))
}

/// Whether the expression gives what the declaration says.
fn agree(world: &mut World<'_>, id: FactId, ty: &Type, fact: &FactDeclaration, scope: &Scope<'_>) -> Option<()> {
    let declared = world.catalogue.fact(id).ty.clone();
    if declared.ty != ty.ty {
        let (a, b) = (declared.words(), ty.words());
        world.report(
            scope,
            Diagnostic::new(
                &code::TYPE_MISMATCH,
                format!("事实“{}”声明为{}, 表达式给出{}", fact.name, a.0, b.0),
                format!("fact `{}` is declared a {}, its expression gives a {}", fact.name, a.1, b.1),
            )
            .at(fact.is.node.span()),
        );
        return None;
    }
    if let (Some(declared_unit), Some(unit)) = (&declared.unit, &ty.unit)
        && declared.ty == Ty::Number
        && declared_unit != unit
    {
        let message = (
            format!("事实“{}”声明的单位是 {declared_unit}, 表达式的是 {unit}", fact.name),
            format!("fact `{}` is declared in {declared_unit}, its expression is in {unit}", fact.name),
        );
        world.report(scope, Diagnostic::new(&code::UNIT_MISMATCH, message.0, message.1).at(fact.is.node.span()));
    }
    Some(())
}

fn cycles(world: &mut World<'_>) {
    let mut state = std::collections::BTreeMap::new();
    let ids: Vec<FactId> =
        SubjectKind::ALL.iter().flat_map(|&kind| (0..world.catalogue.facts(kind).len()).map(move |index| FactId { kind, index })).collect();
    for id in ids {
        let mut path = Vec::new();
        if let Some(cycle) = find_cycle(world.catalogue, id, &mut state, &mut path) {
            let names = cycle.iter().map(|&id| world.catalogue.fact(id).name.to_string()).collect::<Vec<_>>().join(" → ");
            let mut diagnostic =
                Diagnostic::new(&code::CYCLE, format!("事实互相依赖: {names}"), format!("facts depend on each other: {names}"));
            if let Some(place) = cycle.iter().find_map(|&id| world.catalogue.fact(id).place.clone()) {
                diagnostic = diagnostic.at(place);
            }
            world.diagnostics.push(diagnostic);
        }
    }
}

fn find_cycle(
    catalogue: &Catalogue,
    id: FactId,
    state: &mut std::collections::BTreeMap<FactId, bool>,
    path: &mut Vec<FactId>,
) -> Option<Vec<FactId>> {
    match state.get(&id) {
        Some(true) => return None,
        Some(false) => {
            let start = path.iter().position(|&other| other == id)?;
            return Some(path[start..].iter().copied().chain([id]).collect());
        }
        None => {}
    }
    state.insert(id, false);
    path.push(id);
    let found = catalogue.inputs(id).into_iter().find_map(|input| find_cycle(catalogue, input, state, path));
    path.pop();
    state.insert(id, true);
    found
}
