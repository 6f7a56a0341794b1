//! The facts of a case, looked up in a policies folder.

use super::folder::PolicyFolder;
use crate::cases::{self, Lookup};
use crate::diagnostic::Diagnostic;
use crate::policy::document::Case;
use crate::register::declaration::SubjectKind;

pub use crate::cases::ResolvedCase;

/// Finds the facts of a case about a kind of subject, and tells what cannot be found or read. Derived facts that no policy
/// names are added to the folder's catalogue.
pub fn resolve(folder: &mut PolicyFolder, kind: SubjectKind, case: Case) -> (ResolvedCase, Vec<Diagnostic>) {
    let mut lookup = Lookup { catalogue: &mut folder.checked.catalogue, parameters: &folder.set.parameters, regions: &folder.regions };
    cases::resolve(&mut lookup, kind, case)
}
