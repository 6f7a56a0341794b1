//! A policies folder read and checked as a whole: regions, registers, policies, parameters, bundles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::check::bind::Binder;
use crate::check::{self, Checked, CheckedPolicy};
use crate::diagnostic::{Diagnostic, code};
use crate::policy::{self, document::PolicySet};
use crate::push::Templates;
use crate::region::{self, RegionTree};
use crate::register;
use crate::register::declaration::Registers;
use crate::stream::timer::calendar::Rules;
use crate::yaml::Texts;

/// A policies folder. What could be read is here even where diagnostics tell of errors.
#[derive(Debug, Default)]
pub struct PolicyFolder {
    /// Where it is.
    pub dir: PathBuf,
    /// Regions.
    pub regions: RegionTree,
    /// Registers and what they declare.
    pub registers: Arc<Registers>,
    /// Policies as written (all versions), parameters, bundles.
    pub set: PolicySet,
    /// Every fact, and the policies without faults (all versions).
    pub checked: Checked,
    /// The words of messages.
    pub messages: Templates,
    /// What was found wrong, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
}

impl PolicyFolder {
    /// Reads and checks a folder, and tells every mistake.
    #[must_use]
    pub fn load(dir: &Path) -> Self {
        Self::load_with(dir, &Texts::default())
    }

    /// Reads and checks a folder with texts that stand in for some of its files.
    #[must_use]
    pub fn load_with(dir: &Path, texts: &Texts) -> Self {
        let mut folder = Self::read(dir, texts, true);
        if dir.is_dir() {
            folder.diagnostics.extend(register::check_coverage(&folder.registers, &folder.regions));
            let registers = Arc::clone(&folder.registers);
            let (checked, told) = check::check(registers, &folder.set.policies, &folder.set.parameters, &folder.regions);
            folder.diagnostics.extend(told.into_iter().filter(|diagnostic| !names_unread(diagnostic, &folder.set)));
            folder.checked = checked;
            let (messages, told) = Templates::load(&folder.set, texts);
            folder.diagnostics.extend(told);
            folder.messages = messages;
        }
        in_order(&mut folder.diagnostics);
        folder
    }

    /// Reads a folder whose policies are about the facts of a ready-made dossier file: nothing is checked against
    /// registers, which need not be there.
    #[must_use]
    pub fn load_for_file(dir: &Path) -> Self {
        let mut folder = Self::read(dir, &Texts::default(), dir.join("registers").is_dir());
        in_order(&mut folder.diagnostics);
        folder
    }

    fn read(dir: &Path, texts: &Texts, with_registers: bool) -> Self {
        let (set, mut diagnostics) = policy::load_with(dir, texts);
        if !dir.is_dir() {
            return Self { dir: dir.to_owned(), diagnostics, ..Self::default() };
        }
        let (regions, told) = region::load_with(dir, texts);
        diagnostics.extend(told);
        let registers = if with_registers {
            let (registers, told) = register::load_with(dir, texts);
            diagnostics.extend(told);
            Arc::new(registers)
        } else {
            Arc::default()
        };
        Self { dir: dir.to_owned(), regions, registers, set, diagnostics, ..Self::default() }
    }

    /// The policies that may be run on a day, as the law was known at `known_at`, by code.
    #[must_use]
    pub fn in_force(&self, as_of: NaiveDate, known_at: Option<NaiveDate>) -> BTreeMap<String, CheckedPolicy> {
        let chosen = policy::select(&self.set.policies, as_of, known_at);
        let chosen: BTreeMap<(&str, i64), bool> =
            chosen.iter().map(|document| ((document.code.as_str(), document.version), document.complete)).collect();
        self.checked
            .policies
            .iter()
            .filter(|policy| chosen.get(&(policy.document.code.as_str(), policy.document.version)) == Some(&true))
            .map(|policy| (policy.document.code.clone(), policy.clone()))
            .collect()
    }

    /// What days and changes of policies are reckoned from, as all of the law is known now.
    #[must_use]
    pub fn rules<'a>(&'a self, data_days: &'a BTreeMap<String, NaiveDate>) -> Rules<'a> {
        Rules { set: &self.set, checked: &self.checked, regions: &self.regions, known_at: None, data_days }
    }

    /// What binds conditions to a day.
    #[must_use]
    pub fn binder<'a>(
        &'a self,
        as_of: NaiveDate,
        known_at: Option<NaiveDate>,
        policies: &'a BTreeMap<String, CheckedPolicy>,
    ) -> Binder<'a> {
        Binder::new(as_of, known_at, &self.set.parameters, &self.regions, policies)
    }
}

/// Sorts diagnostics by file and place; those without a place come first.
pub fn in_order(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|one, other| place(one).cmp(&place(other)));
}

fn place(diagnostic: &Diagnostic) -> Option<(&Path, usize, &'static str)> {
    diagnostic.primary.as_ref().map(|span| (span.path(), span.range.start, diagnostic.code.number))
}

/// Whether a policy is told to be unknown only because its own file could not be read.
fn names_unread(diagnostic: &Diagnostic, set: &PolicySet) -> bool {
    let named = diagnostic.primary.as_ref().map_or("", |place| place.text()).trim_matches(['\'', '"', '‘', '’', '“', '”']);
    diagnostic.code == &code::UNKNOWN_POLICY && set.unread.iter().any(|unread| unread == named)
}
