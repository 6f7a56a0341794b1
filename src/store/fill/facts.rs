//! The facts that are stored of subjects.

use std::collections::BTreeSet;

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::dossier::build::base_register;
use crate::dossier::declared::sheets;
use crate::explain::facts::facts_read;
use crate::register::declaration::SubjectKind;

/// The facts that dossiers must have for the store beside those that a run reads anyway: what explaining asks for, and
/// every declared fact of the registers that are read anyway. Registers that are not `there` are not read for it.
#[must_use]
pub fn facts(catalogue: &mut Catalogue, binder: &Binder<'_>, policies: &[CheckedPolicy], there: &dyn Fn(&str) -> bool) -> BTreeSet<FactId> {
    let mut facts = facts_read(catalogue, binder, policies);
    let mut read: BTreeSet<String> = facts.iter().flat_map(|fact| registers_behind(catalogue, *fact)).collect();
    let kinds: BTreeSet<SubjectKind> = policies.iter().map(|policy| policy.document.subject).collect();
    read.extend(kinds.iter().map(|kind| base_register(*kind).to_owned()));
    read.retain(|register| there(register));
    let kinds: Vec<SubjectKind> = kinds.into_iter().collect();
    let (_, declared) = sheets(catalogue, binder, &kinds);
    facts.extend(declared);
    facts.retain(|fact| kinds.contains(&fact.kind) && registers_behind(catalogue, *fact).is_subset(&read));
    facts
}

/// The registers that a fact rests on, with those that must agree.
fn registers_behind(catalogue: &Catalogue, fact: FactId) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = catalogue.registers_of(fact).into_iter().collect();
    let (mut open, mut seen) = (vec![fact], BTreeSet::new());
    while let Some(fact) = open.pop() {
        if !seen.insert(fact) {
            continue;
        }
        if let Definition::Rows { agrees_with, .. } = &catalogue.fact(fact).definition {
            found.extend(agrees_with.iter().map(|(register, _)| register.clone()));
        }
        open.extend(catalogue.inputs(fact));
    }
    found
}
