//! The clause of law that a rule rests on, as it is shown beside a diagnostic or a reason.

use std::collections::BTreeSet;

use super::document::{Basis, Criterion, PolicyDocument};
use crate::diagnostic::Diagnostic;

impl PolicyDocument {
    /// The clause of a criterion: `《title》第五条: clause`.
    #[must_use]
    pub fn cite(&self, criterion: &Criterion) -> Option<String> {
        cite(&self.basis, criterion.basis.as_deref(), criterion.clause.as_deref())
    }

    /// The clause that sets the amount.
    #[must_use]
    pub fn cite_amount(&self) -> Option<String> {
        cite(&self.basis, self.benefit.basis.as_deref(), self.benefit.clause.as_deref())
    }

    /// The documents that no criterion and no amount rests on. Ties to other policies, caps and budgets name no document:
    /// where the policy has such, what nothing else rests on may be theirs, and none is given.
    #[must_use]
    pub fn bases_without_rule(&self) -> Vec<&Basis> {
        if !self.excludes.is_empty() || !self.requires.is_empty() || self.cap.is_some() || self.budget.is_some() {
            return Vec::new();
        }
        let criteria = self.criteria.criteria();
        let named = criteria.iter().filter_map(|criterion| criterion.basis.as_deref()).chain(self.benefit.basis.as_deref());
        let named: BTreeSet<&str> = named.collect();
        self.basis.iter().filter(|basis| !named.contains(basis.id.as_str())).collect()
    }
}

/// `《title》第五条: clause`, as much of it as is known.
pub(super) fn cite(basis: &[Basis], named: Option<&str>, clause: Option<&str>) -> Option<String> {
    let document = named.and_then(|id| basis.iter().find(|basis| basis.id == id)).map(|basis| {
        let title = if basis.title.contains('《') { basis.title.clone() } else { format!("《{}》", basis.title) };
        title + basis.article.as_deref().unwrap_or("")
    });
    match (document, clause) {
        (Some(document), Some(clause)) => Some(format!("{document}: {clause}")),
        (document, clause) => document.or_else(|| clause.map(str::to_owned)),
    }
}

/// Puts the clause beside every diagnostic that has none yet.
pub(super) fn attach(diagnostics: &mut [Diagnostic], clause: Option<&str>) {
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.clause.is_none()) {
        diagnostic.clause = clause.map(str::to_owned);
    }
}
