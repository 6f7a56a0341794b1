//! The facts of a case, looked up in a policies folder.

use std::collections::BTreeMap;

use super::folder::PolicyFolder;
use crate::cases::{self, Lookup};
use crate::diagnostic::Diagnostic;
use crate::policy::document::{Case, PolicyDocument};

pub use crate::cases::ResolvedCase;

/// Finds the facts of a case about a policy's subject, and tells what cannot be found or read. Derived facts that no policy
/// names are added to the folder's catalogue.
pub fn resolve(folder: &mut PolicyFolder, document: &PolicyDocument, case: Case) -> (ResolvedCase, Vec<Diagnostic>) {
    let laws = if case.registers.is_some() { folder.in_force(case.as_of, None) } else { BTreeMap::new() };
    let mut lookup = Lookup { catalogue: &mut folder.checked.catalogue, parameters: &folder.set.parameters, regions: &folder.regions };
    match &case.registers {
        Some(_) => cases::registers::resolve(&mut lookup, &laws, &document.code, document.subject, case),
        None => cases::resolve(&mut lookup, document.subject, case),
    }
}
