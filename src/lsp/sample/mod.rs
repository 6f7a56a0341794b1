//! How facts are spread over the subjects of the sample, worked out once in the background.

mod distribution;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use chrono::NaiveDate;
use crossbeam_channel::{Receiver, Sender, unbounded};
use futures::StreamExt;

pub(super) use distribution::{Distribution, LEAST, Values};

use self::distribution::Counter;
use super::Workspace;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition};
use crate::diagnostic::progress::{Cancel, Silent};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::dossier::build::{Request, build};
use crate::dossier::declared::sheets;
use crate::dossier::mapper::Mapper;
use crate::dossier::{DossierError, Options};
use crate::register::Sources;
use crate::register::declaration::SubjectKind;

/// The spread of every declared fact.
#[derive(Debug)]
pub(super) struct Sample {
    /// The day of the dossiers.
    pub(super) as_of: NaiveDate,
    facts: BTreeMap<(SubjectKind, String), Distribution>,
}

impl Sample {
    /// How a fact is spread; none for facts that only expressions derive.
    pub(super) fn of(&self, kind: SubjectKind, name: &str) -> Option<&Distribution> {
        self.facts.get(&(kind, name.to_owned()))
    }
}

/// What is known of the sample so far.
#[derive(Debug, Clone, Default)]
pub(super) enum State {
    /// There is none.
    #[default]
    Absent,
    /// It is being worked out.
    Working,
    /// It is there.
    Ready(Arc<Sample>),
    /// It could not be worked out, and why.
    Failed(Message),
}

/// The thread that works the sample out.
pub(super) struct Sampler {
    jobs: Option<Sender<Arc<Workspace>>>,
    pub(super) results: Receiver<State>,
    cancel: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts the thread for the registers of a `sources.yaml`; without one, nothing is ever worked out.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(super) fn start(sources: Option<PathBuf>) -> std::io::Result<Self> {
        let (jobs, waiting) = unbounded::<Arc<Workspace>>();
        let (done, results) = unbounded();
        let cancel = Cancel::default();
        let Some(sources) = sources else { return Ok(Self { jobs: None, results, cancel, thread: None }) };
        let watched = cancel.clone();
        let thread = thread::Builder::new().name("sample".to_owned()).spawn(move || {
            while let Ok(first) = waiting.recv() {
                let workspace = waiting.try_iter().last().unwrap_or(first);
                let worked = catch_unwind(AssertUnwindSafe(|| work_out(&workspace, &sources, &watched)));
                let state = match worked {
                    Ok(Ok(sample)) => State::Ready(Arc::new(sample)),
                    Ok(Err(message)) => State::Failed(message),
                    Err(_) => State::Failed(Message::new("内部错误", "internal error")),
                };
                if done.send(state).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { jobs: Some(jobs), results, cancel, thread: Some(thread) })
    }

    /// Asks for the sample with the facts of a workspace; what is known of it until then.
    pub(super) fn ask(&self, workspace: &Arc<Workspace>) -> State {
        let asked = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Arc::clone(workspace)).is_ok());
        if asked { State::Working } else { State::Absent }
    }

    /// Stops the work, and waits until its files are gone.
    pub(super) fn stop(mut self) {
        self.cancel.cancel();
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The sources that lie beside a policies folder, as in the project's own tree.
pub(super) fn beside(policies: &Path) -> Option<PathBuf> {
    let path = policies.parent()?.join("data-samples").join("sources.yaml");
    path.is_file().then_some(path)
}

/// Builds dossiers of all declared facts, and counts their values.
fn work_out(workspace: &Workspace, sources: &Path, cancel: &Cancel) -> Result<Sample, Message> {
    let headline = |diagnostic: Diagnostic| diagnostic.headline;
    let mut catalogue = workspace.checked.catalogue.clone();
    if let Some(name) = faulty(&catalogue) {
        return Err(Message::new(format!("事实“{name}”有错误"), format!("fact `{name}` has faults")));
    }
    let sources = Sources::load(sources).map_err(|told| told.into_iter().next().map(headline).unwrap_or_default())?;
    let newest = sources.sources.values().map(|source| source.data_day).max();
    let as_of = newest.ok_or_else(|| Message::new("没有登记库", "there are no registers"))?;
    let no_policies = BTreeMap::new();
    let binder = Binder::new(as_of, None, &workspace.set.parameters, &workspace.regions, &no_policies);
    let scratch = tempfile::tempdir().map_err(|error| headline(DossierError::scratch(&std::env::temp_dir(), &error).into_diagnostic()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|error| {
        let told = Diagnostic::new(&code::INTERNAL, format!("开不了线程: {error}"), format!("threads cannot be started: {error}"));
        headline(told)
    })?;
    let options = Options::new(1, scratch.path().to_owned());
    let counted = runtime.block_on(count(&mut catalogue, &binder, &sources, options, cancel));
    counted.map(|facts| Sample { as_of, facts }).map_err(|error| headline(error.into_diagnostic()))
}

/// A declared fact that could not be checked.
fn faulty(catalogue: &Catalogue) -> Option<&str> {
    let facts = SubjectKind::ALL.into_iter().flat_map(|kind| catalogue.facts(kind));
    facts.filter(|fact| matches!(fact.definition, Definition::Pending)).map(|fact| &*fact.name).next()
}

type Counted = BTreeMap<(SubjectKind, String), Distribution>;

async fn count(
    catalogue: &mut Catalogue,
    binder: &Binder<'_>,
    sources: &Sources,
    options: Options,
    cancel: &Cancel,
) -> Result<Counted, DossierError> {
    let (sheets, facts) = sheets(catalogue, binder, &SubjectKind::ALL);
    let allow_missing = BTreeSet::new();
    let request = Request {
        catalogue,
        binder,
        facts,
        kinds: SubjectKind::ALL.to_vec(),
        each: Vec::new(),
        sources,
        allow_missing: &allow_missing,
        options,
        progress: Arc::new(Silent),
        cancel: cancel.clone(),
    };
    let dossiers = build(request).await?;
    let mut counted = Counted::new();
    for sheet in &sheets {
        let mapper = Mapper::new(&catalogue.schema(sheet.kind), &sheet.expressions())?;
        let mut counters: Vec<Counter> = sheet.facts.iter().map(|fact| Counter::new(&catalogue.fact(fact.id).ty)).collect();
        for mut stream in dossiers.stream(sheet.kind)? {
            while let Some(batch) = stream.next().await {
                if cancel.is_cancelled() {
                    return Err(DossierError::Cancelled);
                }
                for (counter, column) in counters.iter_mut().zip(mapper.map_typed(&batch?)?) {
                    counter.add(&column);
                }
            }
        }
        let named = sheet.facts.iter().zip(counters);
        counted.extend(named.map(|(fact, counter)| ((sheet.kind, fact.name.clone()), counter.finish())));
    }
    Ok(counted)
}
