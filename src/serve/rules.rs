//! One state of the policies folder, whole: what every request of one moment is answered by.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Months, NaiveDate};
use sha2::{Digest, Sha256};

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::Catalogue;
use crate::diagnostic::{Diagnostic, Severity};
use crate::explain::Law;
use crate::explain::facts::facts_read;
use crate::lsp::{Eyes, Workspace};
use crate::policy;
use crate::yaml::Texts;

/// How far ahead turns of verdicts are looked for, in months: as `mianshen explain` does.
const AHEAD: u32 = 24;

/// How many days are kept ready.
const DAYS_KEPT: usize = 8;

/// A policies folder that was checked and has no errors.
#[derive(Debug)]
pub struct Rules {
    /// The folder.
    pub workspace: Workspace,
    /// Stands for the text of all policies, parameters, registers: answers that rest on nothing else have it as their tag.
    pub digest: String,
    days: Mutex<HashMap<NaiveDate, Arc<OnDay>>>,
}

/// The policies in force on one day, ready to judge.
#[derive(Debug)]
pub struct OnDay {
    /// The day.
    pub as_of: NaiveDate,
    /// The policies in force, by code.
    pub in_force: BTreeMap<String, CheckedPolicy>,
    /// Every fact, with all that links must carry for these policies.
    pub catalogue: Catalogue,
}

impl Rules {
    /// Reads and checks a folder.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn load(dir: &Path, eyes: &Eyes) -> Result<Self, Vec<Diagnostic>> {
        let workspace = (eyes.at_once)(dir, &Texts::default(), &|_| false);
        let errors: Vec<Diagnostic> =
            workspace.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned().collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let digest = digest(&workspace);
        Ok(Self { workspace, digest, days: Mutex::default() })
    }

    /// What is in force on a day.
    #[must_use]
    pub fn on(&self, as_of: NaiveDate) -> Arc<OnDay> {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = days.get(&as_of) {
            return Arc::clone(day);
        }
        let day = Arc::new(self.ready(as_of));
        if days.len() >= DAYS_KEPT {
            days.clear();
        }
        days.insert(as_of, Arc::clone(&day));
        day
    }

    fn ready(&self, as_of: NaiveDate) -> OnDay {
        let workspace = &self.workspace;
        let chosen = policy::select(&workspace.set.policies, as_of, None);
        let chosen: BTreeMap<(&str, i64), bool> =
            chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
        let runs = |policy: &&CheckedPolicy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true);
        let in_force: BTreeMap<String, CheckedPolicy> = workspace
            .checked
            .policies
            .iter()
            .filter(runs)
            .map(|policy| (policy.document.code.clone(), policy.clone()))
            .collect();
        let mut catalogue = workspace.checked.catalogue.clone();
        let law = self.law(as_of);
        for (from, policies) in law.spans() {
            let _ = facts_read(&mut catalogue, &law.binder(from), policies.values());
        }
        OnDay { as_of, in_force, catalogue }
    }

    /// The law from a day on, as far ahead as turns are looked for.
    #[must_use]
    pub fn law(&self, as_of: NaiveDate) -> Law<'_> {
        let workspace = &self.workspace;
        let until = until(as_of);
        let (set, checked) = (&workspace.set, &workspace.checked);
        Law::new(&set.policies, &checked.policies, &set.parameters, &workspace.regions, None, (as_of, until))
    }

    /// What binds the conditions of a day.
    #[must_use]
    pub fn binder<'a>(&'a self, day: &'a OnDay) -> Binder<'a> {
        Binder::new(day.as_of, None, &self.workspace.set.parameters, &self.workspace.regions, &day.in_force)
    }
}

/// The last day up to which turns are looked for.
#[must_use]
pub fn until(as_of: NaiveDate) -> NaiveDate {
    as_of.checked_add_months(Months::new(AHEAD)).unwrap_or(as_of)
}

fn digest(workspace: &Workspace) -> String {
    let mut hash = Sha256::new();
    for document in &workspace.set.policies {
        hash.update(document.sha256.as_bytes());
    }
    hash.update(format!("{:?}{:?}{:?}", workspace.set.parameters, workspace.set.bundles, workspace.regions));
    hash.update(format!("{:?}", workspace.registers));
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
