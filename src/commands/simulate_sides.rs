//! The two sides of a simulation: folders, a git revision, parameters that are set; checked against the same facts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use chrono::NaiveDate;
use walkdir::WalkDir;

use super::folder::PolicyFolder;
use super::simulate::Args;
use crate::check::catalogue::Catalogue;
use crate::check::{CheckedPolicy, check_given, check_onto};
use crate::diagnostic::{Diagnostic, Message, Severity, code, has_errors};
use crate::eligibility::dossier_file::DossierFile;
use crate::policy::content_hash;
use crate::policy::document::{Parameter, PolicyDocument};
use crate::register::declaration::SubjectKind;
use crate::simulate::{Law, SetValue, same_facts, set_parameter};

/// Both sides, read and checked.
pub(super) struct Sides {
    pub(super) before: PolicyFolder,
    pub(super) after: PolicyFolder,
    /// All versions of the policies of each side.
    pub(super) checked: [Vec<CheckedPolicy>; 2],
    /// One for both sides, or one for each.
    pub(super) catalogues: Vec<Catalogue>,
    pub(super) names: [Message; 2],
    pub(super) set: Vec<SetValue>,
    pub(super) parameters: [Vec<Parameter>; 2],
}

impl Sides {
    /// What a side has in force.
    pub(super) fn law(&self, side: usize, known_at: Option<NaiveDate>) -> Law<'_> {
        let folder = if side == 0 { &self.before } else { &self.after };
        Law {
            documents: &folder.set.policies,
            checked: &self.checked[side],
            parameters: &self.parameters[side],
            regions: &folder.regions,
            known_at,
        }
    }
}

type Told<T> = Result<T, Vec<Diagnostic>>;

/// Both sides, for dossiers that are built from registers.
///
/// # Errors
///
/// When a folder has errors, git fails, or a parameter cannot be set.
pub(super) fn for_registers(args: &Args, as_of: NaiveDate) -> Told<Sides> {
    let Folders { before, after, names, revision: _revision } = folders(args, PolicyFolder::load)?;
    let (parameters, set) = parameters(args, &before, &after, as_of)?;
    let declared_alike = declarations(&before.dir)? == declarations(&after.dir)?;
    let alike = declared_alike && same_facts(&before.checked.catalogue, &parameters[0], &parameters[1]);
    let mut checked = [before.checked.policies.clone(), after.checked.policies.clone()];
    let mut catalogues = vec![before.checked.catalogue.clone(), after.checked.catalogue.clone()];
    if alike {
        // The facts of before keep their places: policies of both sides read one list of facts.
        let catalogue = before.checked.catalogue.clone();
        let (both, told) = check_onto(catalogue, &after.set.policies, &parameters[1], &after.regions);
        if has_errors(&told) {
            return Err(errors(told));
        }
        checked[1] = both.policies;
        catalogues = vec![both.catalogue];
    }
    Ok(Sides { before, after, checked, catalogues, names, set, parameters })
}

/// Both sides, for the facts of a dossier file.
///
/// # Errors
///
/// As [`for_registers`].
pub(super) fn for_file(args: &Args, file: &DossierFile, as_of: NaiveDate) -> Told<Sides> {
    let Folders { before, after, names, revision: _revision } = folders(args, PolicyFolder::load_for_file)?;
    let (parameters, set) = parameters(args, &before, &after, as_of)?;
    let kind: SubjectKind = args.subject.into();
    let check = |folder: &PolicyFolder, side: usize| {
        let of_kind = |document: &&Arc<PolicyDocument>| document.subject == kind;
        let documents = crate::policy::select(&folder.set.policies, as_of, args.known_at);
        let documents: Vec<_> = documents.iter().filter(of_kind).cloned().collect();
        let (checked, told) = check_given(kind, &file.columns, &documents, &parameters[side], &folder.regions);
        if has_errors(&told) { Err(errors(told)) } else { Ok(checked) }
    };
    let (one, other) = (check(&before, 0)?, check(&after, 1)?);
    let checked = [one.policies, other.policies];
    Ok(Sides { checked, catalogues: vec![one.catalogue, other.catalogue], before, after, names, set, parameters })
}

/// Both folders, read.
struct Folders {
    before: PolicyFolder,
    after: PolicyFolder,
    names: [Message; 2],
    /// Where a revision was put; removed when dropped, for everything is read by then.
    revision: Option<tempfile::TempDir>,
}

fn folders(args: &Args, load: impl Fn(&Path) -> PolicyFolder) -> Told<Folders> {
    let revision = match &args.against_git {
        Some(revision) => Some(checkout(&args.policies, revision).map_err(|told| vec![told])?),
        None => None,
    };
    let (before, after): (PathBuf, PathBuf) = match (&revision, &args.against) {
        (Some((_, dir)), _) => (dir.clone(), args.policies.clone()),
        (None, Some(against)) => (args.policies.clone(), against.clone()),
        (None, None) => (args.policies.clone(), args.policies.clone()),
    };
    let named = |dir: &Path| Message::new(dir.display().to_string(), dir.display().to_string());
    let mut names = [named(&args.policies), named(args.against.as_ref().unwrap_or(&args.policies))];
    if let Some(revision) = &args.against_git {
        names[0] = Message::new(format!("git {revision}"), format!("git {revision}"));
    }
    if !args.set.is_empty() {
        let set = args.set.join(", ");
        names[1] = Message::new(format!("{}，{set}", names[1].zh), format!("{}, {set}", names[1].en));
    }
    let (before, after) = (load(&before), load(&after));
    for folder in [&before, &after] {
        if has_errors(&folder.diagnostics) {
            return Err(errors(folder.diagnostics.clone()));
        }
    }
    Ok(Folders { before, after, names, revision: revision.map(|(held, _)| held) })
}

fn parameters(args: &Args, before: &PolicyFolder, after: &PolicyFolder, as_of: NaiveDate) -> Told<([Vec<Parameter>; 2], Vec<SetValue>)> {
    let mut changed = after.set.parameters.clone();
    let mut set = Vec::new();
    for setting in &args.set {
        set.extend(set_parameter(&mut changed, setting, as_of, &after.regions)?);
    }
    Ok(([before.set.parameters.clone(), changed], set))
}

fn errors(told: Vec<Diagnostic>) -> Vec<Diagnostic> {
    told.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect()
}

/// What a folder says of registers, facts and regions, file by file.
fn declarations(dir: &Path) -> Told<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let top = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter().filter_map(Result::ok);
    for entry in top.filter(|entry| entry.file_type().is_file()) {
        let inside = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        if inside.starts_with("registers") || inside == Path::new("regions.yaml") {
            let bytes = std::fs::read(entry.path()).map_err(|error| {
                let path = entry.path().display();
                vec![Diagnostic::new(&code::FILE_UNREADABLE, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}"))]
            })?;
            found.push((inside.to_owned(), content_hash(&bytes)));
        }
    }
    Ok(found)
}

/// Puts the policies folder of a git revision into a temporary folder; gives that and where the policies are in it.
fn checkout(policies: &Path, revision: &str) -> Result<(tempfile::TempDir, PathBuf), Diagnostic> {
    let held = tempfile::tempdir().map_err(|error| {
        Diagnostic::new(&code::OUTPUT_FAILED, format!("建不了临时目录: {error}"), format!("cannot make a temporary folder: {error}"))
    })?;
    let top = git(policies, &["rev-parse", "--show-toplevel"])?;
    let prefix = git(policies, &["rev-parse", "--show-prefix"])?;
    // A name that begins with a dash would be read as an option.
    let commit = git(policies, &["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])?;
    let index = held.path().join("index");
    let target = held.path().join("tree");
    std::fs::create_dir(&target).map_err(|error| failed(&error.to_string()))?;
    let place = format!("--prefix={}/", target.display());
    // An index of its own: the one of the user stays as it is.
    let run = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(&top).env("GIT_INDEX_FILE", &index).stdin(Stdio::null());
        output(&mut command)
    };
    run(&["read-tree", &commit])?;
    run(&["checkout-index", "--all", "--force", &place])?;
    let dir = target.join(&prefix);
    if dir.is_dir() {
        return Ok((held, dir));
    }
    let (zh, en) = (format!("版本 {revision} 里没有 {prefix}"), format!("revision {revision} has no folder {prefix}"));
    Err(Diagnostic::new(&code::PATH_MISSING, zh, en).help("用 --policies 指明政策文件夹", "name the folder of policies with --policies"))
}

/// What git says, in a folder.
fn git(dir: &Path, arguments: &[&str]) -> Result<String, Diagnostic> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    output(&mut command)
}

fn output(command: &mut Command) -> Result<String, Diagnostic> {
    let output = command.output().map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim()))
}

fn failed(why: &str) -> Diagnostic {
    Diagnostic::new(&code::BAD_ARGUMENT, format!("git 读不出这个版本: {why}"), format!("git cannot give the revision: {why}"))
        .help("如 --against-git HEAD~1; 需要装有 git", "such as --against-git HEAD~1; git must be installed")
}
