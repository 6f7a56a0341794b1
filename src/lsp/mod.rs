//! The editor's view of check/: a language server, for policies while they are written.
//!
//! ```text
//! editor ── stdio ──▶ server (one thread: what is open, what was asked)
//!                       │ texts of what is open                      ▲ diagnostics per file
//!                       ▼                                            │
//!                     checker (a thread: `check`, at once         ──▶ Workspace ──▶ hover, completion, definition, actions
//!                              and at length)                        ▲
//!                                                                    ▲
//!                     sample (a thread: dossiers, once) ─────────────┘ how facts are spread
//! ```
//!
//! What is told is what `mianshen check` tells: the verb itself lends its [`Eyes`]. Every question is answered
//! from the text as it stands in the editor and from the last [`Workspace`] that was looked at.

mod actions;
mod checker;
mod client;
mod completion;
mod definition;
mod desk;
mod diagnostics;
mod documents;
mod formatting;
mod functions;
mod hover;
mod meaning;
mod position;
mod role;
mod sample;
mod schema;
mod server;
mod spot;
mod symbols;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cases::ResolvedCase;
use crate::check::Checked;
use crate::diagnostic::{Diagnostic, Lang};
use crate::policy::document::{PolicyDocument, PolicySet};
use crate::region::RegionTree;
use crate::register::declaration::Registers;
use crate::yaml::Texts;

/// A policies folder as it stands in the editor, and everything that is told of it.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Where it is.
    pub dir: PathBuf,
    /// Regions.
    pub regions: RegionTree,
    /// Registers and what they declare.
    pub registers: Arc<Registers>,
    /// Policies as written, parameters, bundles.
    pub set: PolicySet,
    /// Every fact, and the policies without faults.
    pub checked: Checked,
    /// The cases of each policy, by code.
    pub cases: BTreeMap<String, Vec<ResolvedCase>>,
    /// What was found wrong at once, each with the place in the text that it was found in.
    pub diagnostics: Vec<Diagnostic>,
}

/// Says of which policies something is asked.
pub type Which<'a> = &'a (dyn Fn(&PolicyDocument) -> bool + Sync);

/// Who looks at a folder with texts that stand in for some of its files: `check`, in two steps.
#[derive(Debug, Clone, Copy)]
pub struct Eyes {
    /// Everything but what takes long; that only of the policies that are looked at closely.
    pub at_once: fn(&Path, &Texts, Which<'_>) -> Workspace,
    /// What takes long, of other policies.
    pub at_length: fn(&Workspace, &Texts, Which<'_>) -> Vec<Diagnostic>,
}

/// What the server is started with; a client may say otherwise when it connects.
#[derive(Debug, Clone)]
pub struct Options {
    /// The policies folder; none: it is sought in the folders that the editor has open.
    pub policies: Option<PathBuf>,
    /// Where registers are whose facts' spread is shown; none: `data-samples/sources.yaml` beside the policies, if it is there.
    pub sources: Option<PathBuf>,
    /// Language of messages.
    pub lang: Lang,
    /// Who looks.
    pub eyes: Eyes,
}

/// Serves one client over stdin and stdout until it leaves; whether it took its leave in order (`shutdown`, then `exit`).
///
/// # Errors
///
/// When threads cannot be started, or the connection breaks.
pub fn serve(options: Options) -> std::io::Result<bool> {
    let (connection, threads) = lsp_server::Connection::stdio();
    let left = server::run(connection, options)?;
    // The reader has ended where the client said `exit` or closed the pipe; what it could not read is told here.
    threads.join()?;
    Ok(left)
}
