//! Checking in the background: what is asked last is done, once there is a pause.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Eyes, Workspace};
use crate::diagnostic::Diagnostic;
use crate::policy::document::PolicyDocument;
use crate::yaml::Texts;

/// How long nothing must be typed before checking begins.
const PAUSE: Duration = Duration::from_millis(150);

/// A state of the folder to look at.
pub(super) struct Job {
    /// The policies folder.
    pub(super) dir: PathBuf,
    /// What the editor has open.
    pub(super) texts: Texts,
    /// The versions of what it has open.
    pub(super) versions: BTreeMap<PathBuf, i32>,
    /// Counts the states.
    pub(super) state: u64,
    /// Whether nobody is typing, so that there is no pause to wait for.
    pub(super) at_once: bool,
}

/// What was found.
pub(super) enum Looked {
    /// What can be told at once.
    AtOnce {
        /// The folder; none where checking itself failed.
        workspace: Option<Arc<Workspace>>,
        /// The versions of what the editor had open.
        versions: BTreeMap<PathBuf, i32>,
        /// Which state.
        state: u64,
    },
    /// What took long, of the policies that are not open.
    AtLength {
        /// What is told.
        diagnostics: Vec<Diagnostic>,
        /// Which state.
        state: u64,
    },
}

/// The thread that checks.
pub(super) struct Checker {
    jobs: Sender<Job>,
    pub(super) results: Receiver<Looked>,
}

impl Checker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn start(eyes: Eyes) -> std::io::Result<Self> {
        let (jobs, waiting) = unbounded::<Job>();
        let (done, results) = unbounded();
        thread::Builder::new().name("check".to_owned()).spawn(move || {
            while let Some(job) = last(&waiting) {
                if look(eyes, &job, &waiting, &done).is_none() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs, results })
    }

    /// Asks for a state to be looked at; what was asked before and is not begun is left out.
    pub(super) fn ask(&self, job: Job) {
        // The thread ends only with the server.
        let _ = self.jobs.send(job);
    }
}

/// Looks at a state, first at what is being worked at, then at the rest unless something new came; none when nobody listens.
fn look(eyes: Eyes, job: &Job, waiting: &Receiver<Job>, done: &Sender<Looked>) -> Option<()> {
    let is_open = |policy: &PolicyDocument| is_open(&job.versions, policy);
    // A fault of ours in one state of a file must not take the editor's other help away.
    let found = catch_unwind(AssertUnwindSafe(|| (eyes.at_once)(&job.dir, &job.texts, &is_open)));
    let workspace = found.ok().map(Arc::new);
    done.send(Looked::AtOnce { workspace: workspace.clone(), versions: job.versions.clone(), state: job.state }).ok()?;
    let Some(workspace) = workspace else { return Some(()) };
    let others = |policy: &PolicyDocument| !is_open(policy) && waiting.is_empty();
    let rest = catch_unwind(AssertUnwindSafe(|| (eyes.at_length)(&workspace, &job.texts, &others)));
    match rest {
        Ok(diagnostics) if waiting.is_empty() => done.send(Looked::AtLength { diagnostics, state: job.state }).ok(),
        _ => Some(()),
    }
}

/// Whether a policy or its cases are open.
pub(super) fn is_open(versions: &BTreeMap<PathBuf, i32>, policy: &PolicyDocument) -> bool {
    versions.keys().any(|path| path.parent() == policy.path.parent())
}

/// The job that was asked last, when nothing more came for a while; none when nobody asks any more.
fn last(waiting: &Receiver<Job>) -> Option<Job> {
    let mut job = waiting.recv().ok()?;
    let mut at_once = job.at_once;
    loop {
        let next = if at_once { waiting.try_recv().ok() } else { waiting.recv_timeout(PAUSE).ok() };
        let Some(next) = next else { return Some(job) };
        at_once |= next.at_once;
        job = next;
    }
}
