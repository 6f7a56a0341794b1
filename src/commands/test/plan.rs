//! Which cases are run: of each policy the files of cases beside it, or those that were named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::Args;
use crate::cases::ResolvedCase;
use crate::cases::table::{self, CaseFile};
use crate::commands::cases;
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, code};
use crate::policy;
use crate::policy::document::{Case, Equivalent, PolicyDocument};

/// A case before it is run.
pub(super) struct Planned {
    /// The policy, in one of its versions.
    pub(super) document: Arc<PolicyDocument>,
    /// The file.
    pub(super) path: PathBuf,
    /// The case.
    pub(super) case: ResolvedCase,
}

/// What is run.
pub(super) struct Plan {
    /// The cases.
    pub(super) cases: Vec<Planned>,
    /// By code of a policy, the changes that its author says no case can notice.
    pub(super) equivalent: BTreeMap<String, Vec<Equivalent>>,
}

/// A diagnostic for each code that is no policy's.
pub(super) fn unknown_policies(folder: &PolicyFolder, named: &[String]) -> Vec<Diagnostic> {
    let codes = || folder.set.policies.iter().map(|policy| &policy.code).chain(&folder.set.unread).map(String::as_str);
    let unknown = named.iter().filter(|name| !codes().any(|code| code == name.as_str()));
    unknown
        .map(|name| {
            Diagnostic::new(&code::BAD_ARGUMENT, format!("没有政策“{name}”"), format!("unknown policy `{name}`"))
                .did_you_mean(name, codes())
        })
        .collect()
}

/// A diagnostic for each path that is not there, or beside which there is no policy.
pub(super) fn unknown_paths(folder: &PolicyFolder, paths: &[PathBuf]) -> Vec<Diagnostic> {
    let has_policy = |path: &PathBuf| folder.set.policies.iter().any(|policy| is_named(&policy.path, path));
    let unknown = paths.iter().filter(|path| !path.exists() || !has_policy(path));
    unknown
        .map(|path| {
            let path = path.display();
            let (zh, en) = (format!("{path} 旁边没有政策"), format!("there is no policy beside {path}"));
            Diagnostic::new(&code::PATH_MISSING, zh, en)
                .help("案例文件要放在 policy.yaml 旁边", "a file of cases stands beside its policy.yaml")
        })
        .collect()
}

/// Whether a policy lies in a folder, or beside a file of cases.
fn is_named(policy: &Path, path: &Path) -> bool {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    };
    let own = policy.parent().map(whole).unwrap_or_default();
    if path.is_dir() { own.starts_with(whole(path)) } else { own == path.parent().map(whole).unwrap_or_default() }
}

/// Whether a policy is among those asked for.
pub(super) fn is_wanted(args: &Args, document: &PolicyDocument) -> bool {
    let by_code = args.policy.is_empty() || args.policy.contains(&document.code);
    by_code && (args.paths.is_empty() || args.paths.iter().any(|path| is_named(&document.path, path)))
}

/// The cases to run: of each policy the cases beside any of its versions, each file once.
pub(super) fn plan(folder: &mut PolicyFolder, args: &Args, diagnostics: &mut Vec<Diagnostic>) -> Plan {
    let mut seen = BTreeSet::new();
    let files: Vec<(Arc<PolicyDocument>, PathBuf)> = folder
        .set
        .policies
        .iter()
        .filter(|document| is_wanted(args, document))
        .filter(|document| seen.insert((document.code.clone(), document.path.with_file_name(""))))
        .flat_map(|document| files_of(document, &args.paths).into_iter().map(|path| (Arc::clone(document), path)))
        .collect();
    let read: Vec<CaseFile> = files.par_iter().map(|(_, path)| table::load(path)).collect();
    let mut plan = Plan { cases: Vec::new(), equivalent: BTreeMap::new() };
    for ((document, path), mut file) in files.into_iter().zip(read) {
        diagnostics.append(&mut file.diagnostics);
        plan.equivalent.entry(document.code.clone()).or_default().append(&mut file.equivalent);
        let chosen = |case: &Case| args.name.as_ref().is_none_or(|text| case.name.contains(text.as_str()));
        let cases: Vec<Case> = std::mem::take(&mut file.cases).into_iter().filter(chosen).collect();
        let mut told = Vec::new();
        for case in cases {
            let (case, more) = cases::resolve(folder, &document, case);
            told.extend(more);
            plan.cases.push(Planned { document: Arc::clone(&document), path: path.clone(), case });
        }
        diagnostics.extend(file.placed(told));
    }
    plan
}

/// The files of cases of a policy: those named, else those beside it.
fn files_of(document: &PolicyDocument, paths: &[PathBuf]) -> Vec<PathBuf> {
    let named: Vec<PathBuf> = paths.iter().filter(|path| path.is_file() && is_named(&document.path, path)).cloned().collect();
    let in_folder = paths.iter().any(|path| path.is_dir() && is_named(&document.path, path));
    if named.is_empty() || in_folder { policy::case_files(document) } else { named }
}
