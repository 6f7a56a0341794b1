//! A policies folder as a whole: every file read, in parallel, and always told in the same order.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use walkdir::{DirEntry, WalkDir};

use super::bundles::{read_bundles, unique_bundles};
use super::document::{PolicyDocument, PolicySet};
use super::parameters::{read_parameters, unique_names};
use super::read::read_policy;
use super::versions::one_item_one_code;
use crate::diagnostic::{Diagnostic, SourceFile, Span, code};
use crate::hex;
use crate::yaml::{self, Node, Texts};

/// Keys by which a YAML file that is not called `policy.yaml` is known to hold a policy.
const POLICY_KEYS: [&str; 4] = ["code", "criteria", "benefit", "covers"];

/// Reads the policies, parameters and bundles of a folder, and tells every mistake of every file.
///
/// Below the folder, `parameters/` and `bundles/` hold what they say wherever they stand; `registers/` and
/// `regions.yaml` at its top are read elsewhere. Every other YAML file called `policy.yaml`, or with the keys of one, is
/// a policy; its cases stand in `cases.yaml` beside it.
#[must_use]
pub fn load(dir: &Path) -> (PolicySet, Vec<Diagnostic>) {
    load_with(dir, &Texts::default())
}

/// Reads a folder as [`load`], with texts that stand in for some of its files.
#[must_use]
pub fn load_with(dir: &Path, texts: &Texts) -> (PolicySet, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let found = walk(dir, texts, &mut diagnostics);
    let mut set = PolicySet::default();

    let parameters = gather(&found.parameters, texts, read_parameters, &mut diagnostics);
    set.parameters = unique_names(parameters.into_iter().flatten().collect(), &mut diagnostics);

    let read = found.policies.par_iter().map(|path| load_policy(path, texts, &found.with_cases)).collect::<Vec<_>>();
    let mut seen = 0_usize;
    for one in read {
        diagnostics.extend(one.diagnostics);
        seen += usize::from(one.is_policy);
        set.unread.extend(one.code.filter(|_| one.document.is_none()));
        set.policies.extend(one.document.map(Arc::new));
    }
    set.policies.sort_by(|one, other| (&one.code, one.version, &one.path).cmp(&(&other.code, other.version, &other.path)));
    one_item_one_code(&set.policies, &mut diagnostics);
    set.unread.sort();
    set.unread.dedup();

    let bundles = gather(&found.bundles, texts, read_bundles, &mut diagnostics);
    set.bundles = unique_bundles(bundles.into_iter().flatten().collect(), &mut diagnostics);

    if seen == 0 && diagnostics.is_empty() {
        diagnostics.push(
            missing(dir, "里没有政策", "holds no policies")
                .help("政策写在 <机关或地区>/<事项>/policy.yaml", "a policy stands in `<authority or region>/<benefit>/policy.yaml`"),
        );
    }
    (set, diagnostics)
}

/// Reads a folder as [`load`], or one file: a policy, or a file of parameters or bundles.
#[must_use]
pub fn load_path(path: &Path) -> (PolicySet, Vec<Diagnostic>) {
    if !path.is_file() {
        return load(path);
    }
    let mut set = PolicySet::default();
    let (node, sha256, mut diagnostics) = tree(path, &Texts::default());
    let Some(node) = node else { return (set, diagnostics) };
    let has = |name: &str| node.mapping().is_some_and(|entries| entries.iter().any(|(key, _)| key.text() == Some(name)));
    let told = if has("parameters") {
        let (parameters, mut told) = read_parameters(&node);
        set.parameters = unique_names(parameters, &mut told);
        told
    } else if has("bundles") || (has("policies") && !has("criteria")) {
        let (bundles, mut told) = read_bundles(&node);
        set.bundles = unique_bundles(bundles, &mut told);
        told
    } else {
        let (document, told) = read_policy(&node);
        set.policies.extend(document.map(|document| Arc::new(PolicyDocument { sha256, ..document })));
        told
    };
    diagnostics.extend(told);
    (set, diagnostics)
}

/// Every YAML file of a folder that is not hidden, sorted.
#[must_use]
pub fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let entries = WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(visible).flatten();
    entries.filter(|entry| entry.file_type().is_file()).map(DirEntry::into_path).filter(is_yaml).collect()
}

/// SHA-256 of the bytes of a file, in hexadecimal.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> String {
    hex::digits(&Sha256::digest(bytes))
}

/// The files of a policies folder, each list sorted.
#[derive(Default)]
struct Found {
    policies: Vec<PathBuf>,
    parameters: Vec<PathBuf>,
    bundles: Vec<PathBuf>,
    /// Folders with a `cases.yaml`.
    with_cases: HashSet<PathBuf>,
}

fn walk(dir: &Path, texts: &Texts, diagnostics: &mut Vec<Diagnostic>) -> Found {
    let mut found = Found::default();
    if !dir.is_dir() {
        diagnostics.push(
            missing(dir, "不是文件夹, 或不存在", "is no folder, or does not exist")
                .help("用 --policies 指明政策文件夹", "name the folder of policies with --policies"),
        );
        return found;
    }
    let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    for entry in WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => sort_in(dir, entry.into_path(), &mut found),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(dir).to_owned();
                // An editor's lock is a hidden link that leads nowhere.
                let is_hidden = path != dir && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                if is_hidden {
                    continue;
                }
                diagnostics.push(missing(&path, &format!("读不了: {error}"), &format!("cannot be read: {error}")));
            }
        }
    }
    for path in texts.unsaved(dir) {
        sort_in(dir, path.to_owned(), &mut found);
    }
    for paths in [&mut found.policies, &mut found.parameters, &mut found.bundles] {
        paths.sort();
    }
    found
}

fn sort_in(dir: &Path, path: PathBuf, found: &mut Found) {
    if path.file_name().is_some_and(|name| name == "cases.csv" || name == "cases.xlsx") {
        found.with_cases.extend(path.parent().map(Path::to_owned));
        return;
    }
    if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        return;
    }
    let inside = path.strip_prefix(dir).unwrap_or(&path);
    let mut folders = inside.parent().into_iter().flat_map(Path::components).map(std::path::Component::as_os_str);
    // What messages say is push's own to read.
    let is_elsewhere = inside.starts_with("registers") || inside == Path::new("regions.yaml");
    if is_elsewhere || path.file_name().is_some_and(|name| name == "messages.yaml") {
        return;
    }
    match folders.find_map(|folder| ["parameters", "bundles"].into_iter().find(|name| folder == *name)) {
        Some("parameters") => found.parameters.push(path),
        Some(_) => found.bundles.push(path),
        None if path.file_name().is_some_and(|name| name == "cases.yaml") => {
            found.with_cases.extend(path.parent().map(Path::to_owned));
        }
        None => found.policies.push(path),
    }
}

/// Reads files of one kind in parallel; results and diagnostics come in the order of `paths`.
fn gather<T: Send>(
    paths: &[PathBuf],
    texts: &Texts,
    read: impl Fn(&Node) -> (T, Vec<Diagnostic>) + Sync,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<T> {
    let results: Vec<_> = paths
        .par_iter()
        .map(|path| {
            let (node, _, mut told) = tree(path, texts);
            let result = node.map(|node| {
                let (result, more) = read(&node);
                told.extend(more);
                result
            });
            (result, told)
        })
        .collect();
    let mut read = Vec::with_capacity(results.len());
    for (result, told) in results {
        diagnostics.extend(told);
        read.extend(result);
    }
    read
}

/// What one file gave.
#[derive(Default)]
struct Loaded {
    document: Option<PolicyDocument>,
    /// The code, also where there is no document.
    code: Option<String>,
    is_policy: bool,
    diagnostics: Vec<Diagnostic>,
}

fn load_policy(path: &Path, texts: &Texts, with_cases: &HashSet<PathBuf>) -> Loaded {
    let (node, sha256, mut diagnostics) = tree(path, texts);
    let Some(node) = node else { return Loaded { is_policy: true, diagnostics, ..Loaded::default() } };
    let key = |name: &str| node.mapping().and_then(|entries| entries.iter().find(|(key, _)| key.text() == Some(name)));
    let named = path.file_stem().is_some_and(|stem| stem == "policy");
    if !named && !POLICY_KEYS.iter().any(|name| key(name).is_some()) {
        return Loaded::default();
    }
    let code = key("code").and_then(|(_, value)| value.text()).map(str::to_owned);
    let broken = !diagnostics.is_empty();
    let (mut document, mut told) = read_policy(&node);
    diagnostics.append(&mut told);
    if let Some(document) = &mut document {
        document.sha256 = sha256;
        document.complete &= !broken;
        document.has_cases = path.parent().is_some_and(|folder| with_cases.contains(folder));
    }
    Loaded { document, code, is_policy: true, diagnostics }
}

/// The tree of a file, and the hash of its bytes.
fn tree(path: &Path, texts: &Texts) -> (Option<Node>, String, Vec<Diagnostic>) {
    match read_file_with(path, texts) {
        Ok((file, sha256)) => {
            let (node, mut diagnostics) = yaml::parse(&file);
            if node.is_none() && diagnostics.is_empty() {
                diagnostics.push(Diagnostic::new(&code::YAML_SYNTAX, "文件是空的", "the file is empty").at(Span::new(&file, 0..0)));
            }
            (node, sha256, diagnostics)
        }
        Err(diagnostic) => (None, String::new(), vec![*diagnostic]),
    }
}

/// The text of a file, and the hash of its bytes.
///
/// # Errors
///
/// When it cannot be read or is not UTF-8.
pub fn read_file(path: &Path) -> Result<(Arc<SourceFile>, String), Box<Diagnostic>> {
    read_file_with(path, &Texts::default())
}

/// As [`read_file`], with texts that stand in for some files.
///
/// # Errors
///
/// When it cannot be read or is not UTF-8.
pub fn read_file_with(path: &Path, texts: &Texts) -> Result<(Arc<SourceFile>, String), Box<Diagnostic>> {
    let bytes =
        texts.bytes(path).map_err(|error| Box::new(missing(path, &format!("读不了: {error}"), &format!("cannot be read: {error}"))))?;
    let sha256 = content_hash(&bytes);
    match String::from_utf8(bytes) {
        Ok(text) => Ok((SourceFile::new(path, text.strip_prefix('\u{feff}').unwrap_or(&text)), sha256)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let file = SourceFile::new(path, String::from_utf8_lossy(error.as_bytes()));
            Err(Box::new(
                Diagnostic::new(&code::YAML_SYNTAX, "文件不是 UTF-8 编码", "the file is not UTF-8")
                    .at(Span::new(&file, at..at + '\u{fffd}'.len_utf8()))
                    .help("另存为 UTF-8; 常见的原编码是 GBK", "save it as UTF-8; what it was is often GBK"),
            ))
        }
    }
}

fn missing(path: &Path, zh: &str, en: &str) -> Diagnostic {
    let shown = path.display();
    Diagnostic::new(&code::PATH_MISSING, format!("{shown} {zh}"), format!("{shown} {en}"))
}

#[cfg(test)]
mod tests;
