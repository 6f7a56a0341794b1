//! Names and types resolved against registers and facts: from what the author wrote to the checked form.
//!
//! ```text
//! Registers ── declare, define ──▶ Catalogue (every fact, typed, with how it comes about)
//! PolicyDocument ── policies::check ──▶ CheckedPolicy (open) ── bind to a day ──▶ bound expressions
//! ```
//!
//! Nothing here looks at data. What differs from the stage before: no names, no units, no sugar.

pub mod bind;
pub mod catalogue;
mod expand;
mod facts;
mod functions;
pub mod ir;
pub mod lints;
pub mod parameters;
pub mod policies;
pub mod reach;
pub mod resolve;
#[cfg(test)]
mod tests;
mod ties;
pub mod typing;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalogue::{Catalogue, Definition, Fact};
use ir::Expr;
use typing::Type;

use crate::diagnostic::{Diagnostic, Message};
use crate::policy::document::{Parameter, PolicyDocument};
use crate::region::RegionTree;
use crate::register::declaration::{Registers, SubjectKind};

/// A policies folder that was checked.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every fact.
    pub catalogue: Catalogue,
    /// The policies without faults, sorted by code.
    pub policies: Vec<CheckedPolicy>,
}

/// Checks policies against the facts that registers declare.
///
/// All mistakes are told; a faulty policy is left out of the result.
#[must_use]
pub fn check(
    registers: Arc<Registers>,
    documents: &[Arc<PolicyDocument>],
    parameters: &[Parameter],
    regions: &RegionTree,
) -> (Checked, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let (mut catalogue, declared) = facts::declare(&registers, &mut diagnostics);
    let no_policies = BTreeMap::new();
    let mut world =
        resolve::World { catalogue: &mut catalogue, parameters, regions, policies: &no_policies, diagnostics: &mut diagnostics };
    facts::define(&mut world, &declared);
    let policies = check_policies(&mut catalogue, documents, parameters, regions, &mut diagnostics);
    (Checked { catalogue, policies }, diagnostics)
}

/// Checks policies against facts that are there already: those of a catalogue keep their places, and more may come behind them.
#[must_use]
pub fn check_onto(
    mut catalogue: Catalogue,
    documents: &[Arc<PolicyDocument>],
    parameters: &[Parameter],
    regions: &RegionTree,
) -> (Checked, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let policies = check_policies(&mut catalogue, documents, parameters, regions, &mut diagnostics);
    (Checked { catalogue, policies }, diagnostics)
}

/// Checks those of some policies that are not among `unchanged`, as [`check_onto`]: the others were checked against the same
/// facts already, and stay as they are. What is told is told of the policies that are checked, and of ties between all.
#[must_use]
pub fn check_changed(
    mut catalogue: Catalogue,
    documents: &[Arc<PolicyDocument>],
    unchanged: Vec<CheckedPolicy>,
    parameters: &[Parameter],
    regions: &RegionTree,
) -> (Checked, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let policies = check_some(&mut catalogue, documents, unchanged, parameters, regions, &mut diagnostics);
    (Checked { catalogue, policies }, diagnostics)
}

/// Checks policies against the columns of a dossier file that was given ready-made.
#[must_use]
pub fn check_given(
    kind: SubjectKind,
    columns: &[(String, Type)],
    documents: &[Arc<PolicyDocument>],
    parameters: &[Parameter],
    regions: &RegionTree,
) -> (Checked, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut catalogue = Catalogue::new(Arc::new(Registers::default()));
    for (name, ty) in columns {
        catalogue.add(
            kind,
            Fact {
                name: name.as_str().into(),
                label: Message::new(name, name),
                ty: ty.clone(),
                unit: None,
                definition: Definition::Given,
                changeable: false,
                place: None,
            },
        );
    }
    let policies = check_policies(&mut catalogue, documents, parameters, regions, &mut diagnostics);
    (Checked { catalogue, policies }, diagnostics)
}

fn check_policies(
    catalogue: &mut Catalogue,
    documents: &[Arc<PolicyDocument>],
    parameters: &[Parameter],
    regions: &RegionTree,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<CheckedPolicy> {
    check_some(catalogue, documents, Vec::new(), parameters, regions, diagnostics)
}

fn check_some(
    catalogue: &mut Catalogue,
    documents: &[Arc<PolicyDocument>],
    unchanged: Vec<CheckedPolicy>,
    parameters: &[Parameter],
    regions: &RegionTree,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<CheckedPolicy> {
    let subjects: BTreeMap<String, SubjectKind> = documents.iter().map(|document| (document.code.clone(), document.subject)).collect();
    let mut world = resolve::World { catalogue, parameters, regions, policies: &subjects, diagnostics };
    let is_unchanged = |document: &Arc<PolicyDocument>| unchanged.iter().any(|policy| Arc::ptr_eq(&policy.document, document));
    let changed: Vec<&Arc<PolicyDocument>> = documents.iter().filter(|document| !is_unchanged(document)).collect();
    let mut policies: Vec<CheckedPolicy> = changed.into_iter().filter_map(|document| policies::check(&mut world, document)).collect();
    policies.extend(unchanged);
    policies.sort_by(|a, b| (&a.document.code, a.document.version).cmp(&(&b.document.code, b.document.version)));
    ties::check_ties(documents, &policies, diagnostics);
    policies
}

/// A policy whose every expression is typed and resolved; still open to the day (see [`ir`]).
#[derive(Debug, Clone)]
pub struct CheckedPolicy {
    /// As written.
    pub document: Arc<PolicyDocument>,
    /// Whether the subject is covered; yes for everybody where `covers` names no fact.
    pub coverage: Expr,
    /// The criteria as one expression.
    pub criteria: Expr,
    /// The top-level steps of an `all` tree, for the funnel; one step for any other tree.
    pub steps: Arc<[Expr]>,
    /// Each criterion, in the order of the file: the bits of a finding's reasons.
    pub leaves: Arc<[(Arc<str>, Expr)]>,
    /// How much, in the subject's facts; for amounts per member, in the household's.
    pub amount: Option<Expr>,
    /// What for.
    pub occasion: Option<Expr>,
    /// Where occasions come from.
    pub each: Option<CheckedEach>,
    /// The most that may be given.
    pub cap: Option<Expr>,
    /// The money there is (needs no fact).
    pub budget: Option<Expr>,
    /// What a budget ranks by.
    pub rank: Option<Expr>,
    /// Facts that the subject may commit to, as columns of the schema.
    pub commit: Vec<usize>,
}

/// Where the occasions of a policy come from. Expressions here are over the columns of `register` followed by the facts
/// of `kind`: [`Catalogue::joined_schema`].
#[derive(Debug, Clone)]
pub struct CheckedEach {
    /// The register, or the register of the link.
    pub register: String,
    /// The subject itself, or the kind that the link leads to.
    pub kind: SubjectKind,
    /// Which rows.
    pub filter: Option<Expr>,
    /// The amount for one.
    pub amount: Option<Expr>,
}
