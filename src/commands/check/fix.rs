//! `--fix`: files rewritten where a finding has one safe way out; `--diff` shows what would be written.

use std::fmt::Write as _;
use std::path::Path;

use crate::commands::{Context, Exit};
use crate::diagnostic::fix::{Rewritten, rewrite};
use crate::diagnostic::{Diagnostic, code, has_errors};

/// Shows the changes as a diff, and writes nothing.
pub(super) fn show(diagnostics: &[Diagnostic], context: &Context) -> Exit {
    let files = rewrite(diagnostics);
    let text: String = files.iter().map(Rewritten::diff).collect();
    context.print(&text, if files.is_empty() { Exit::Clean } else { Exit::Findings })
}

/// Writes the changes, and tells them on stderr. What the files then lead to is for the caller to look at.
///
/// # Errors
///
/// When a file cannot be written; those before it are.
pub(super) fn write(diagnostics: &[Diagnostic], context: &Context) -> Result<usize, Box<Diagnostic>> {
    let mut number = 0;
    let mut said = String::new();
    for file in rewrite(diagnostics) {
        let path = &file.file.path;
        put(path, &file.text)?;
        for change in &file.changes {
            number += 1;
            let _ = writeln!(said, "{}: {}", path.display(), context.say(change));
        }
    }
    if number > 0 {
        eprint!("{said}");
    }
    Ok(number)
}

/// Writes a file whole, with the byte-order mark that it had.
fn put(path: &Path, text: &str) -> Result<(), Box<Diagnostic>> {
    let failed = |error: std::io::Error| {
        let shown = path.display();
        Box::new(Diagnostic::new(&code::OUTPUT_FAILED, format!("写不了 {shown}: {error}"), format!("cannot write {shown}: {error}")))
    };
    let mark = if std::fs::read(path).map_err(failed)?.starts_with("\u{feff}".as_bytes()) { "\u{feff}" } else { "" };
    std::fs::write(path, format!("{mark}{text}")).map_err(failed)
}

/// Puts files back as they were read, where fixing has led to more errors than before.
///
/// # Errors
///
/// When a file cannot be written.
pub(super) fn undo_if_worse(before: &[Diagnostic], after: &[Diagnostic]) -> Result<bool, Box<Diagnostic>> {
    let errors = |list: &[Diagnostic]| list.iter().filter(|one| has_errors(std::slice::from_ref(one))).count();
    if errors(after) <= errors(before) {
        return Ok(false);
    }
    for file in rewrite(before) {
        put(&file.file.path, &file.file.text)?;
    }
    Ok(true)
}
