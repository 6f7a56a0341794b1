//! One state of the policies folder, whole: what every request of one moment is answered by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{Months, NaiveDate};
use sha2::{Digest, Sha256};

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::{Diagnostic, Message, Severity};
use crate::eligibility::run::authority;
use crate::explain::facts::facts_read;
use crate::explain::reason::{MissingFact, RegisterReason};
use crate::explain::{Law, label_of};
use crate::hex;
use crate::lsp::{Eyes, Workspace};
use crate::policy;
use crate::policy::document::PolicyDocument;
use crate::register::declaration::SubjectKind;
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
    /// All versions, by code, the newest first.
    by_code: HashMap<String, Vec<Arc<PolicyDocument>>>,
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
    /// By kind and name, what is asked for where a fact is missing; its cause is still to be filled in.
    asked: [HashMap<Arc<str>, MissingFact>; 3],
    /// By code of a policy, the facts that explaining it reads.
    reads: HashMap<String, BTreeSet<FactId>>,
}

impl OnDay {
    /// A fact that is missing, with the registers that would tell it; none for a fact that there is none of.
    #[must_use]
    pub fn missing(&self, kind: SubjectKind, name: &str) -> Option<&MissingFact> {
        self.asked[kind as usize].get(name)
    }

    /// The facts that judging and explaining a policy reads; none where it is not in force.
    #[must_use]
    pub fn reads(&self, code: &str) -> Option<&BTreeSet<FactId>> {
        self.reads.get(code)
    }
}

/// What is asked for where a fact is missing.
fn asked_for(catalogue: &Catalogue, kind: SubjectKind, index: usize) -> MissingFact {
    let id = FactId { kind, index };
    let authority = authority(catalogue, id);
    let names = catalogue.registers_of(id);
    let declared = names.iter().filter_map(|name| catalogue.registers.registers.get(name));
    let mut registers: Vec<RegisterReason> = declared
        .map(|register| RegisterReason {
            name: register.name.clone(),
            label: register.label.clone(),
            kept_by: register.kept_by.clone(),
            data_day: None,
        })
        .collect();
    // The one that answers for the fact comes first.
    registers.sort_by_key(|register| Some(&register.name) != authority.as_ref());
    MissingFact { name: catalogue.fact(id).name.to_string(), label: label_of(catalogue, id), cause: None, registers }
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
        let mut by_code: HashMap<String, Vec<Arc<PolicyDocument>>> = HashMap::new();
        for document in &workspace.set.policies {
            by_code.entry(document.code.clone()).or_default().push(Arc::clone(document));
        }
        for versions in by_code.values_mut() {
            versions.sort_by_key(|document| std::cmp::Reverse(document.version));
        }
        Ok(Self { workspace, digest, days: Mutex::default(), by_code })
    }

    /// A version of a policy, else its newest one.
    #[must_use]
    pub fn policy(&self, code: &str, version: i64) -> Option<&Arc<PolicyDocument>> {
        let versions = self.by_code.get(code)?;
        versions.iter().find(|document| document.version == version).or_else(|| versions.first())
    }

    /// The name of a policy; its code where the folder has it no more.
    #[must_use]
    pub fn name(&self, code: &str, version: i64) -> Message {
        self.policy(code, version).map_or_else(|| Message::new(code, code), |document| document.name.clone())
    }

    /// What is in force on a day.
    #[must_use]
    pub fn on(&self, as_of: NaiveDate) -> Arc<OnDay> {
        let kept = |days: &HashMap<NaiveDate, Arc<OnDay>>| days.get(&as_of).map(Arc::clone);
        if let Some(day) = kept(&self.days.lock().unwrap_or_else(PoisonError::into_inner)) {
            return day;
        }
        // Made ready where nobody waits for it but those who ask for the same day.
        let day = Arc::new(self.ready(as_of));
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() >= DAYS_KEPT {
            days.clear();
        }
        Arc::clone(days.entry(as_of).or_insert(day))
    }

    fn ready(&self, as_of: NaiveDate) -> OnDay {
        let workspace = &self.workspace;
        let chosen = policy::select(&workspace.set.policies, as_of, None);
        let chosen: BTreeMap<(&str, i64), bool> =
            chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
        let runs = |policy: &&CheckedPolicy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true);
        let in_force: BTreeMap<String, CheckedPolicy> =
            workspace.checked.policies.iter().filter(runs).map(|policy| (policy.document.code.clone(), policy.clone())).collect();
        let mut catalogue = workspace.checked.catalogue.clone();
        let law = self.law(as_of);
        for (from, policies) in law.spans() {
            let _ = facts_read(&mut catalogue, &law.binder(from), policies.values());
        }
        let binder = law.binder(as_of);
        let reads = in_force.iter().map(|(code, policy)| (code.clone(), facts_read(&mut catalogue, &binder, [policy]))).collect();
        let asked = SubjectKind::ALL.map(|kind| {
            let facts = catalogue.facts(kind).iter().enumerate();
            facts.map(|(index, fact)| (Arc::clone(&fact.name), asked_for(&catalogue, kind, index))).collect()
        });
        OnDay { as_of, in_force, catalogue, asked, reads }
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
    hex::digits(&hash.finalize()[..12])
}
