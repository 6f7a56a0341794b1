//! What must hold between the parts of register declarations: names, columns, types, links.

use std::collections::BTreeMap;

use super::declaration::{ColumnType, FactDeclaration, Link, RegisterDeclaration, RegisterTime, Registers, SubjectKind};
use super::declaration_from_yaml::Seen;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::region::RegionTree;

/// A name that is declared twice.
pub(super) fn twice(zh: &str, en: &str, name: &str, place: &Span, other: &Span) -> Diagnostic {
    Diagnostic::new(&code::DUPLICATE_NAME, format!("{zh}“{name}”声明了两次"), format!("{en} `{name}` is declared twice"))
        .at(place.clone())
        .also(other.clone(), "第一次在这里", "first declared here")
}

/// Checks one declaration in itself.
pub(super) fn check_register(register: &RegisterDeclaration, diagnostics: &mut Vec<Diagnostic>) {
    let id_type = register.subject.map(id_type);
    require(register, "key", &register.key, |given| id_type.is_none_or(|id| id == given), diagnostics);
    let dated = |given| matches!(given, ColumnType::Date | ColumnType::Month);
    match &register.time {
        RegisterTime::State => {}
        RegisterTime::Event(column) => require(register, "time", column, dated, diagnostics),
        RegisterTime::Valid(from, to) => {
            require(register, "time", from, dated, diagnostics);
            require(register, "time", to, dated, diagnostics);
            let types = [from, to].map(|name| register.column(name).map(|column| column.column_type));
            if types.iter().all(|given| given.is_some_and(dated)) && types[0] != types[1] {
                diagnostics.push(
                    Diagnostic::new(
                        &code::TYPE_MISMATCH,
                        "起止两列必须同是日期或同是月份",
                        "both ends of a spell must be dates, or both months",
                    )
                    .at(register.place.clone()),
                );
            }
        }
    }
    if let Some(column) = &register.recorded_at {
        require(register, "recorded_at", column, |given| given == ColumnType::Date, diagnostics);
    }
    for column in &register.unique {
        require(register, "unique", column, |_| true, diagnostics);
    }
}

/// Tells when a column that a declaration names is not declared, or is of another type than `fits` wants.
fn require(register: &RegisterDeclaration, key: &str, name: &str, fits: impl Fn(ColumnType) -> bool, diagnostics: &mut Vec<Diagnostic>) {
    match register.column(name) {
        None => diagnostics.push(unknown_column(register, key, name, &register.place)),
        Some(column) if !fits(column.column_type) => diagnostics.push(
            Diagnostic::new(
                &code::TYPE_MISMATCH,
                format!("{key} 的列“{name}”类型不合"),
                format!("column `{name}` has the wrong type for `{key}`"),
            )
            .at(register.place.clone())
            .help("key 要是对象的编号列, 时间列要是 date 或 month", "`key` needs the subject's identifier, times need `date` or `month`"),
        ),
        Some(_) => {}
    }
}

fn unknown_column(register: &RegisterDeclaration, key: &str, name: &str, place: &Span) -> Diagnostic {
    Diagnostic::new(
        &code::UNKNOWN_FACT,
        format!("{key}: 库 {} 没有列“{name}”", register.name),
        format!("{key}: register {} has no column `{name}`", register.name),
    )
    .at(place.clone())
    .did_you_mean(name, register.columns.iter().map(|column| column.name.as_str()))
}

fn id_type(subject: SubjectKind) -> ColumnType {
    match subject {
        SubjectKind::Person => ColumnType::PersonId,
        SubjectKind::Household => ColumnType::HouseholdId,
        SubjectKind::Entity => ColumnType::EntityId,
    }
}

/// Checks what lies between declarations.
pub(super) fn check(registers: &Registers, seen: &Seen, diagnostics: &mut Vec<Diagnostic>) {
    for (link, place) in registers.links.iter().zip(&seen.links) {
        check_link(link, place, registers, seen, diagnostics);
    }
    let mut names: BTreeMap<(SubjectKind, &str), &FactDeclaration> = BTreeMap::new();
    let declared = registers.registers.values().flat_map(|register| &register.facts);
    for fact in declared.chain(&registers.computed) {
        if let Some(other) = names.get(&(fact.subject, fact.name.as_str())) {
            diagnostics.push(twice(
                &format!("{} 的事实", fact.subject),
                &format!("{} fact", fact.subject),
                &fact.name,
                &fact.place,
                &other.place,
            ));
        } else {
            names.insert((fact.subject, &fact.name), fact);
        }
        check_agreements(fact, registers, seen, diagnostics);
    }
}

fn check_link(link: &Link, place: &Span, registers: &Registers, seen: &Seen, diagnostics: &mut Vec<Diagnostic>) {
    let Some(register) = find(&link.register, place, registers, seen, diagnostics) else { return };
    for (key, name, kind) in [("from_column", &link.from_column, link.from), ("to_column", &link.to_column, link.to)] {
        match register.column(name) {
            None => diagnostics.push(unknown_column(register, key, name, place)),
            Some(column) if column.column_type != id_type(kind) => diagnostics.push(
                Diagnostic::new(
                    &code::TYPE_MISMATCH,
                    format!("{key}: 列“{name}”不是 {kind} 的编号"),
                    format!("{key}: column `{name}` does not identify a {kind}"),
                )
                .at(place.clone()),
            ),
            Some(_) => {}
        }
    }
}

fn check_agreements(fact: &FactDeclaration, registers: &Registers, seen: &Seen, diagnostics: &mut Vec<Diagnostic>) {
    for (name, column) in &fact.agrees_with {
        let Some(register) = find(name, &fact.place, registers, seen, diagnostics) else { continue };
        if register.column(column).is_none() {
            diagnostics.push(unknown_column(register, "agrees_with", column, &fact.place));
        }
        if register.subject.is_some_and(|subject| subject != fact.subject) {
            diagnostics.push(
                Diagnostic::new(
                    &code::TYPE_MISMATCH,
                    format!("库 {name} 说的不是 {}", fact.subject),
                    format!("register {name} does not tell of a {}", fact.subject),
                )
                .at(fact.place.clone()),
            );
        }
    }
}

/// The register with a name. One whose file could not be read is not reported again.
fn find<'a>(
    name: &str,
    place: &Span,
    registers: &'a Registers,
    seen: &Seen,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<&'a RegisterDeclaration> {
    let found = registers.registers.get(name);
    if found.is_none() && !seen.registers.contains(name) {
        diagnostics.push(
            Diagnostic::new(&code::UNKNOWN_REGISTER, format!("没有库“{name}”"), format!("there is no register `{name}`"))
                .at(place.clone())
                .did_you_mean(name, registers.registers.keys().map(String::as_str)),
        );
    }
    found
}

/// Tells the regions of coverages that are not in the tree.
#[must_use]
pub fn check_coverage(registers: &Registers, regions: &RegionTree) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for register in registers.registers.values() {
        for region in register.coverage_regions.iter().filter(|region| !regions.is_known(region)) {
            diagnostics.push(
                Diagnostic::new(
                    &code::UNKNOWN_REGION,
                    format!("库 {} 的覆盖范围 {region} 不在区划表中", register.name),
                    format!("register {} covers {region}, which is not in the tree of regions", register.name),
                )
                .at(register.place.clone())
                .did_you_mean(region, regions.all_codes()),
            );
        }
    }
    diagnostics
}
