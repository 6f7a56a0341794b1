//! What settings files have in common, whatever they set: how they are opened, secrets, files and addresses that they name.
//!
//! *Useful for*: `serve.yaml`, `push.yaml`, `streams.yaml`. *Not useful for*: policies and registers; those are no deployment.

mod place;
mod secret;

use std::path::Path;
use std::sync::Arc;

pub use place::{address_at, authority, file, listen_at};
pub use secret::{Secret, option, optional_secret, required_secret};

use crate::diagnostic::{Diagnostic, SourceFile, code};
use crate::yaml::Node;

/// The text of a settings file; `page` says how such are written.
///
/// # Errors
///
/// `path-missing` or `file-unreadable` where it cannot be read.
pub fn open(path: &Path, page: &str) -> Result<Arc<SourceFile>, Vec<Diagnostic>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        let code = if error.kind() == std::io::ErrorKind::NotFound { &code::PATH_MISSING } else { &code::FILE_UNREADABLE };
        let told = Diagnostic::new(code, format!("读不了设置 {shown}: {error}"), format!("cannot read the settings {shown}: {error}"));
        vec![told.help(format!("写法见 {page}"), format!("{page} says how they are written"))]
    })?;
    Ok(SourceFile::new(path, text))
}

/// What is written can be read, and is wrong.
#[must_use]
pub fn invalid(node: &Node, zh: impl Into<String>, en: impl Into<String>) -> Diagnostic {
    Diagnostic::new(&code::SETTINGS_INVALID, zh, en).at(node.span())
}

#[cfg(test)]
mod tests;
