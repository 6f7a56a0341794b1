//! The dossiers of the rule bench, made ready once for each state of the policies and each run, in the background.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use crate::diagnostic::progress::{Cancel, Silent};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::dossier::Options;
use crate::register::Sources;
use crate::serve::rules::Rules;
use crate::simulate::Law;
use crate::simulate::trial::{Bench, Holding};
use crate::store::RunId;

/// What the bench is made of: when it changes, dossiers are made ready anew.
#[derive(Debug, Clone, PartialEq, Eq)]
struct For {
    digest: String,
    run: Option<RunId>,
    as_of: NaiveDate,
}

/// How far dossiers are.
#[derive(Clone)]
pub(super) enum State {
    /// Being made ready.
    Working,
    /// Ready.
    Ready(Arc<Bench>),
    /// Could not be made ready, and why.
    Failed(Message),
}

/// The dossiers of the moment.
#[derive(Default)]
pub(super) struct Desk(Arc<Mutex<Option<(For, State)>>>);

impl Desk {
    /// The dossiers for some policies, a run and its day; where there are none yet, somebody begins to make them ready.
    pub(super) fn of(&self, rules: &Arc<Rules>, sources: Option<&std::path::Path>, (run, as_of): (Option<RunId>, NaiveDate)) -> State {
        let wanted = For { digest: rules.digest.clone(), run, as_of };
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, state)) = &*slot
            && *known == wanted
        {
            return state.clone();
        }
        let Some(sources) = sources.map(std::path::Path::to_owned) else {
            return State::Failed(Message::new("没有配置登记库 (sources)", "no registers are set (sources)"));
        };
        *slot = Some((wanted.clone(), State::Working));
        let (held, rules) = (Arc::clone(&self.0), Arc::clone(rules));
        tokio::task::spawn_blocking(move || {
            let state = match tokio::runtime::Handle::current().block_on(made(&rules, &sources, as_of)) {
                Ok(bench) => State::Ready(Arc::new(bench)),
                Err(told) => {
                    tracing::error!(target: "mianshen::serve", error = %told.headline.en, "the dossiers of the rule bench cannot be made ready");
                    State::Failed(told.headline)
                }
            };
            let mut slot = held.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have asked for others since.
            if slot.as_ref().is_some_and(|(known, _)| *known == wanted) {
                *slot = Some((wanted, state));
            }
        });
        State::Working
    }
}

async fn made(rules: &Rules, sources: &std::path::Path, as_of: NaiveDate) -> Result<Bench, Diagnostic> {
    let internal = || Diagnostic::new(&code::INTERNAL, "登记库读不了", "the registers cannot be read");
    let sources = Sources::load(sources).map_err(|told| told.into_iter().next().unwrap_or_else(internal))?;
    let workspace = &rules.workspace;
    let nothing = BTreeSet::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let holding = Holding {
        law: Law {
            documents: &workspace.set.policies,
            checked: &workspace.checked.policies,
            parameters: &workspace.set.parameters,
            regions: &workspace.regions,
            known_at: None,
        },
        catalogue: &workspace.checked.catalogue,
        as_of,
        sources: &sources,
        allow_missing: &nothing,
        options: Options::new(threads, std::env::temp_dir()),
        progress: Arc::new(Silent),
        cancel: Cancel::default(),
    };
    Bench::hold(holding).await.map_err(crate::dossier::DossierError::into_diagnostic)
}
