//! One of the two sides of a simulation: what is in force on a day, with its parameters and regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::check::CheckedPolicy;
use crate::check::bind::{Binder, for_each_parameter};
use crate::check::catalogue::{Catalogue, Definition};
use crate::check::ir::Expr;
use crate::policy;
use crate::policy::document::{Parameter, PolicyDocument};
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;

/// Policies and parameters of one side.
#[derive(Debug, Clone, Copy)]
pub struct Law<'a> {
    /// All versions, as written.
    pub documents: &'a [Arc<PolicyDocument>],
    /// All versions without faults, checked.
    pub checked: &'a [CheckedPolicy],
    /// Parameters.
    pub parameters: &'a [Parameter],
    /// Regions.
    pub regions: &'a RegionTree,
    /// Law announced later is not known; none: all is.
    pub known_at: Option<NaiveDate>,
}

impl Law<'_> {
    /// The policies in force on a day, by code.
    #[must_use]
    pub fn in_force(&self, as_of: NaiveDate) -> BTreeMap<String, CheckedPolicy> {
        let chosen = policy::select(self.documents, as_of, self.known_at);
        let chosen: BTreeMap<(&str, i64), bool> =
            chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
        let of_day = |policy: &&CheckedPolicy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true);
        self.checked.iter().filter(of_day).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
    }

    /// What binds conditions to a day.
    #[must_use]
    pub fn binder<'b>(&'b self, as_of: NaiveDate, policies: &'b BTreeMap<String, CheckedPolicy>) -> Binder<'b> {
        Binder::new(as_of, self.known_at, self.parameters, self.regions, policies)
    }
}

/// The names of the parameters that are not worth the same everywhere and always in two lists.
#[must_use]
pub fn changed_parameters<'a>(before: &'a [Parameter], after: &'a [Parameter]) -> BTreeSet<&'a str> {
    let values = |parameters: &[Parameter], name: &str| {
        let values = parameters.iter().filter(|parameter| parameter.name == name).flat_map(|parameter| &parameter.values);
        let values = values.map(|value| (value.region.clone(), value.from, value.to, value.announced, value.digits, value.scale));
        values.collect::<BTreeSet<_>>()
    };
    let names: BTreeSet<&str> = before.iter().chain(after).map(|parameter| parameter.name.as_str()).collect();
    names.into_iter().filter(|name| values(before, name) != values(after, name)).collect()
}

/// Whether facts come about in the same way whichever of two lists of parameters is taken: no fact that dossiers hold names a
/// parameter whose values differ.
#[must_use]
pub fn same_facts(catalogue: &Catalogue, before: &[Parameter], after: &[Parameter]) -> bool {
    let changed = changed_parameters(before, after);
    let mut same = true;
    let mut look = |expr: &Expr| {
        for_each_parameter(expr, &mut |name, _| same &= !changed.contains(&**name));
    };
    for fact in SubjectKind::ALL.iter().flat_map(|kind| catalogue.facts(*kind)) {
        match &fact.definition {
            Definition::Rows { rows, .. } | Definition::LinkedAggregate { rows, .. } => {
                rows.value.iter().chain(&rows.filter).chain(&rows.by).for_each(&mut look);
            }
            Definition::Computed(expr) => look(expr),
            Definition::Pending | Definition::Given | Definition::Linked { .. } | Definition::LinkEnd { .. } => {}
        }
    }
    catalogue.link_filters.iter().flatten().for_each(&mut look);
    same
}
