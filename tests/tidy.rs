//! The house in order: layers, openings, sizes, names, no clock in evaluation, and policies that load clean.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::{Format, Lang, render};
use walkdir::WalkDir;

/// The modules of `src/` in the order in which data flows; each imports only those before it.
const LAYERS: [&str; 26] = [
    "hex",
    "diagnostic",
    "yaml",
    "outgoing",
    "settings",
    "region",
    "criteria",
    "register",
    "policy",
    "check",
    "program",
    "sample",
    "dossier",
    "eligibility",
    "explain",
    "cases",
    "simulate",
    "readiness",
    "report",
    "store",
    "ledger",
    "lsp",
    "push",
    "stream",
    "serve",
    "commands",
];

/// Names that say nothing of what a module holds.
const EMPTY_NAMES: [&str; 8] = ["core", "common", "utils", "engine", "manager", "service", "helpers", "types"];

/// What no file says: work left undone, and tests that do not run or that any panic passes.
const UNDONE: [&str; 7] = [
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
    concat!("#[ig", "nore"),
    concat!("#[should", "_panic"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// How the clock is read.
const CLOCK: [&str; 4] = ["SystemTime", "Instant::now", "Utc::now", "Local::now"];

/// Where the clock is read: to tell how long a run took.
const MAY_READ_THE_CLOCK: [&str; 4] = ["src/commands/", "src/eligibility/run.rs", "src/serve/clock.rs", "src/simulate/run.rs"];

/// The most lines of a file, and of tests inside the file that they test.
const LONGEST: usize = 800;
const LONGEST_INNER_TESTS: usize = 200;

/// A Rust file of the project.
struct File {
    /// From the top of the project, with `/`.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files() -> Vec<File> {
    let folders = ["src", "tests", "benches", "examples"].map(|folder| root().join(folder));
    let paths = folders.iter().filter(|folder| folder.is_dir()).flat_map(|folder| WalkDir::new(folder).sort_by_file_name());
    let paths = paths.map(|entry| entry.expect("the project's folders can be read").into_path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let files: Vec<File> = files.map(|path| File { text: fs::read_to_string(&path).expect("UTF-8"), path: relative(&path) }).collect();
    assert!(files.len() > 100, "the files of the project were found");
    files
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("below the top of the project");
    inside.to_string_lossy().replace('\\', "/")
}

/// Fails with every finding, one per line.
#[track_caller]
fn none(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// The lines of code, with their numbers from 1: no comments, no documentation.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The module of `src/` that a file belongs to; none for `lib.rs` and `main.rs`.
fn layer(file: &File) -> Option<&str> {
    let inside = file.path.strip_prefix("src/")?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "lib" && name != "main").then_some(name)
}

/// The modules that code names behind `crate::`, also in a group.
fn named(code: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(heads(group)),
            None => names.extend(head(rest)),
        }
    }
    names
}

/// The first word of each path in a group, up to its closing brace.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                found.extend(head(group[start..at].trim_start()));
                start = at + 1;
                if sign == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

fn head(path: &str) -> Option<&str> {
    let end = path.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(path.len());
    (end > 0).then(|| &path[..end])
}

#[test]
fn paths_are_read_alone_and_in_groups() {
    let names = |code| named(code).into_iter().collect::<Vec<_>>();
    assert_eq!(names("use crate::check::ir; let x = crate::yaml::parse();"), ["check", "yaml"]);
    assert_eq!(names("use crate::{\n    check::{self, ir::Expr},\n    yaml,\n};\nlet commands = 1;"), ["check", "yaml"]);
}

#[test]
fn modules_import_only_modules_above_them() {
    let place = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    none(rust_files().iter().flat_map(|file| {
        let Some(own) = layer(file) else { return Vec::new() };
        let Some(own_place) = place(own) else { return vec![format!("{}: `{own}` has no place among the layers", file.path)] };
        let code = code(file).map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let below = named(&code).into_iter().filter(|name| place(name).is_some_and(|place| place > own_place));
        below.map(|name| format!("{}: `{own}` imports `{name}`, which lies below it", file.path)).collect()
    }));
}

#[test]
fn every_file_opens_with_what_it_is() {
    none(rust_files().iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path.clone()));
}

#[test]
fn files_are_short_and_long_tests_have_their_own() {
    none(rust_files().iter().flat_map(|file| {
        let lines = file.text.lines().count();
        let inner = file.text.lines().position(|line| line == "mod tests {").map_or(0, |start| lines - start);
        let long = (lines > LONGEST).then(|| format!("{}: {lines} lines, at most {LONGEST}", file.path));
        let tests = (inner > LONGEST_INNER_TESTS)
            .then(|| format!("{}: {inner} lines of tests, beyond {LONGEST_INNER_TESTS} they move to a file of their own", file.path));
        long.into_iter().chain(tests)
    }));
}

#[test]
fn nothing_is_left_undone() {
    none(rust_files().iter().flat_map(|file| {
        let lines = file.text.lines().enumerate();
        let found =
            lines.flat_map(|(index, line)| UNDONE.iter().filter(move |word| line.contains(**word)).map(move |word| (index + 1, word)));
        found.map(|(line, word)| format!("{}:{line}: {word}", file.path)).collect::<Vec<_>>()
    }));
}

#[test]
fn modules_are_named_for_what_they_hold() {
    none(rust_files().iter().filter_map(|file| {
        let inside = file.path.strip_prefix("src/")?;
        let name = inside.trim_end_matches(".rs").split('/').find(|name| EMPTY_NAMES.contains(name))?;
        Some(format!("{}: a module is not called `{name}`", file.path))
    }));
}

#[test]
fn evaluation_does_not_read_the_clock() {
    let judged = |file: &&File| file.path.starts_with("src/") && !MAY_READ_THE_CLOCK.iter().any(|place| file.path.starts_with(place));
    none(rust_files().iter().filter(judged).flat_map(|file| {
        let lines = code(file).filter(|(_, line)| CLOCK.iter().any(|clock| line.contains(clock)));
        lines.map(|(line, text)| format!("{}:{line}: {}", file.path, text.trim())).collect::<Vec<_>>()
    }));
}

#[test]
fn the_program_knows_neither_datafusion_nor_async() {
    none(rust_files().iter().filter(|file| file.path.starts_with("src/program/")).flat_map(|file| {
        let lines = code(file).filter(|(_, line)| line.contains("datafusion") || line.contains("async"));
        lines.map(|(line, text)| format!("{}:{line}: {}", file.path, text.trim())).collect::<Vec<_>>()
    }));
}

#[test]
fn the_policies_load_clean() {
    let folder = PolicyFolder::load(&root().join("policies"));
    assert!(folder.diagnostics.is_empty(), "\n{}", render(&folder.diagnostics, Format::Concise, Lang::En, false));
    let written = WalkDir::new(root().join("policies")).into_iter().flatten().filter(|entry| entry.file_name() == "policy.yaml").count();
    assert_eq!(folder.checked.policies.len(), written, "every policy.yaml was read and checked");
    assert!(written >= 16, "{written} policies");
}

/// The crates that the program is built of, each with its features; with those of tests, or without.
fn crates(edges: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
    let told = std::process::Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("UTF-8");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// Features that only tests ask for would have most crates compiled twice.
#[test]
fn tests_reuse_what_the_program_is_built_of() {
    let (program, with_tests) = (crates("normal,build"), crates("normal,build,dev"));
    assert!(program.len() > 100);
    none(program.difference(&with_tests).map(|one| format!("tests have other features of {one}: name those in [dependencies] too")));
}
