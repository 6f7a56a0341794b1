//! What all requests share: the rules of the moment, the guard, the store, the settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard::{Caller, Guard};
use super::jobs::Jobs;
use super::problem::Problem;
use super::rules::Rules;
use super::settings::Settings;
use super::standing::{Kept, Looking};
use super::trail::Noting;
use crate::diagnostic::Diagnostic;
use crate::lsp::Eyes;
use crate::store::{Store, StoreError, StoredRun};

/// A server at work. Clones share one.
#[derive(Clone)]
pub struct Serving(Arc<Held>);

/// What a server is made of.
pub struct Parts {
    /// The settings file, read again on reload; none: nothing is set.
    pub settings_file: Option<PathBuf>,
    /// The settings as they were read.
    pub settings: Settings,
    /// Who checks policies.
    pub eyes: Eyes,
    /// A key of our own, where nobody else may ask.
    pub own_key: Option<(String, Caller)>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The access trail.
    pub trail: Noting,
    /// What Prometheus is told.
    pub metrics: PrometheusHandle,
}

struct Held {
    settings_file: Option<PathBuf>,
    settings: ArcSwap<Settings>,
    eyes: Eyes,
    rules: ArcSwap<Rules>,
    own_key: Option<(String, Caller)>,
    guard: ArcSwap<Guard>,
    store: Arc<dyn Store>,
    trail: Noting,
    metrics: PrometheusHandle,
    is_leaving: AtomicBool,
    jobs: Jobs,
    /// The day of the stream.
    standing: Kept,
    /// Whose turn it is to check a whole folder.
    checking: Arc<Semaphore>,
}

impl Serving {
    /// A server with its policies read and its guard set up.
    ///
    /// # Errors
    ///
    /// What is wrong with the policies or with the keys of issuers.
    pub fn new(parts: Parts) -> Result<Self, Vec<Diagnostic>> {
        let rules = Rules::load(&parts.settings.policies, &parts.eyes)?;
        let own = parts.own_key.as_ref().map(|(key, caller)| (key.as_str(), caller.clone()));
        let guard = Guard::new(&parts.settings, own, None)?;
        Ok(Self(Arc::new(Held {
            settings_file: parts.settings_file,
            settings: ArcSwap::from_pointee(parts.settings),
            eyes: parts.eyes,
            rules: ArcSwap::from_pointee(rules),
            own_key: parts.own_key,
            guard: ArcSwap::from_pointee(guard),
            store: parts.store,
            trail: parts.trail,
            metrics: parts.metrics,
            is_leaving: AtomicBool::new(false),
            jobs: Jobs::default(),
            standing: Kept::default(),
            checking: Arc::new(Semaphore::new(1)),
        })))
    }

    /// The settings of the moment.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    /// The policies of the moment: whoever holds them goes on with them whatever is read anew.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.0.rules.load_full()
    }

    /// The guard of the moment.
    #[must_use]
    pub fn guard(&self) -> Arc<Guard> {
        self.0.guard.load_full()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The access trail.
    #[must_use]
    pub fn trail(&self) -> &Noting {
        &self.0.trail
    }

    /// Work that takes longer than a request.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Who checks policies.
    #[must_use]
    pub fn eyes(&self) -> &Eyes {
        &self.0.eyes
    }

    /// What Prometheus is told.
    #[must_use]
    pub fn metrics(&self) -> &PrometheusHandle {
        &self.0.metrics
    }

    /// The run that answers are about.
    ///
    /// # Errors
    ///
    /// `unavailable` where no run was loaded yet, or the store cannot be read.
    pub async fn run(&self) -> Result<Arc<dyn StoredRun>, Problem> {
        let current = self.0.store.current().await.map_err(|error| self.store_failed(&error))?;
        current.ok_or_else(|| {
            Problem::unavailable("还没有装入批次: 运行 mianshen match --store", "no run was loaded yet: run mianshen match --store")
        })
    }

    /// Who looks for subjects as they stand, by a run and policies of the moment.
    #[must_use]
    pub fn looking<'a>(&'a self, run: &'a dyn StoredRun, rules: &'a Rules) -> Looking<'a> {
        Looking { store: &*self.0.store, run, rules, kept: &self.0.standing }
    }

    /// What the caller is told where the store fails; what it was goes to the log.
    #[must_use]
    pub fn store_failed(&self, error: &StoreError) -> Problem {
        tracing::error!(target: "mianshen::serve", %error, "the store failed");
        Problem::unavailable("存储暂不可用", "the store is not available")
    }

    /// Reads settings, keys and policies anew; what is faulty is not taken, and everything stays as it was.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn reload(&self) -> Result<(), Vec<Diagnostic>> {
        let before = self.settings();
        let mut settings = match &self.0.settings_file {
            Some(path) => Settings::load(path)?,
            None => (*before).clone(),
        };
        // What the socket, the store and the log were opened with stays until the next start.
        settings.listen = before.listen;
        settings.store = before.store.clone();
        settings.tls.clone_from(&before.tls);
        let own = self.0.own_key.as_ref().map(|(key, caller)| (key.as_str(), caller.clone()));
        let own = own.filter(|_| !settings.has_identities());
        let guard = Arc::new(Guard::new(&settings, own, Some(&self.guard()))?);
        let rules = Rules::load(&settings.policies, &self.0.eyes)?;
        self.0.rules.store(Arc::new(rules));
        self.0.guard.store(Arc::clone(&guard));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { guard.keep_keys_fresh().await });
        }
        self.0.settings.store(Arc::new(settings));
        Ok(())
    }

    /// Waits for the turn to check a whole folder; it ends when what is given is dropped.
    pub async fn checking_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.checking).acquire_owned().await.ok()
    }

    /// From now on the server is not ready for more.
    pub fn leave(&self) {
        self.0.is_leaving.store(true, Ordering::Relaxed);
        self.0.jobs.cancel_all();
    }

    /// Whether the server is on its way out.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.0.is_leaving.load(Ordering::Relaxed)
    }
}
