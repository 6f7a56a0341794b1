//! What every case is judged by: facts, parameters, regions, and the policies in force on a day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::check::{Checked, CheckedPolicy};
use crate::explain::{Judge, Known};
use crate::policy;
use crate::policy::document::PolicySet;
use crate::region::RegionTree;

/// The policies in force on a day, by code.
pub type Laws = BTreeMap<String, CheckedPolicy>;

/// The facts of one subject; none: known to be unknown, not in the map: unknown too, but computed where it can be.
pub type Values = BTreeMap<FactId, Option<Value>>;

/// A policies folder, as cases see it.
pub struct Book<'a> {
    /// Facts and policies.
    pub checked: &'a Checked,
    /// Policies as written, parameters.
    pub set: &'a PolicySet,
    /// Regions.
    pub regions: &'a RegionTree,
    laws: Mutex<BTreeMap<NaiveDate, Arc<Laws>>>,
}

impl<'a> Book<'a> {
    /// A book of a folder that was checked.
    #[must_use]
    pub fn new(checked: &'a Checked, set: &'a PolicySet, regions: &'a RegionTree) -> Self {
        Self { checked, set, regions, laws: Mutex::default() }
    }

    /// Every fact.
    #[must_use]
    pub fn catalogue(&self) -> &'a Catalogue {
        &self.checked.catalogue
    }

    /// The policies in force on a day; worked out once.
    #[must_use]
    pub fn laws(&self, day: NaiveDate) -> Arc<Laws> {
        let mut laws = self.laws.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(laws.entry(day).or_insert_with(|| Arc::new(self.in_force(day))))
    }

    fn in_force(&self, day: NaiveDate) -> Laws {
        let chosen = policy::select(&self.set.policies, day, None);
        let chosen: BTreeMap<(&str, i64), bool> =
            chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
        let runs = |policy: &&CheckedPolicy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true);
        self.checked.policies.iter().filter(runs).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
    }

    /// What binds conditions to a day.
    #[must_use]
    pub fn binder<'b>(&'b self, day: NaiveDate, laws: &'b Laws) -> Binder<'b> {
        Binder::new(day, None, &self.set.parameters, self.regions, laws)
    }

    /// Lets a judge of one subject on one day work.
    pub fn with_judge<R>(&self, day: NaiveDate, values: &Values, work: impl FnOnce(&mut Judge<'_>, &Laws) -> R) -> R {
        let laws = self.laws(day);
        let binder = self.binder(day, &laws);
        let value = |id: FactId| values.get(&id).cloned().flatten();
        let known = Known { value: &value, taken: &|id| values.contains_key(&id), cause: &|_| None, data_day: &|_| None };
        work(&mut Judge::new(self.catalogue(), &binder, known), &laws)
    }
}
