//! Work that takes longer than a request: simulations, with their progress, until they are done or cancelled.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::dto::diagnostics::{Finding, Text};
use super::dto::simulations::{Simulation, SimulationResults, SimulationState, Stage};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Message};

/// How many jobs are kept, those at work among them.
const KEPT: usize = 64;

/// The jobs of a server, the newest last.
#[derive(Debug, Default)]
pub struct Jobs {
    kept: Mutex<VecDeque<Arc<Job>>>,
    starting: tokio::sync::Mutex<()>,
}

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Who asked for it.
    pub owner: String,
    cancel: Cancel,
    told: Mutex<Simulation>,
    changed: watch::Sender<u64>,
}

impl Jobs {
    /// Whoever looks whether a job is there, and starts one where none is, holds this meanwhile: of two who come at once with the
    /// same key, or for the last place, the second finds what the first did.
    pub async fn starting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.starting.lock().await
    }

    /// A new job of somebody.
    pub fn start(&self, id: String, owner: &str) -> Arc<Job> {
        let stage = Stage { name: Text::from(&Message::new("开始", "starting")), rows: 0, total: None };
        let told = Simulation { id, state: SimulationState::Running, stage: Some(stage), results: None, findings: Vec::new() };
        let job =
            Arc::new(Job { owner: owner.to_owned(), cancel: Cancel::default(), told: Mutex::new(told), changed: watch::Sender::new(0) });
        let mut jobs = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back(Arc::clone(&job));
        while jobs.len() > KEPT {
            let ended = jobs.iter().position(|job| job.told().state != SimulationState::Running).unwrap_or(0);
            jobs.remove(ended);
        }
        job
    }

    /// A job by its identifier.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Job>> {
        let jobs = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.told().id == id).cloned()
    }

    /// How many are at work.
    #[must_use]
    pub fn at_work(&self) -> usize {
        let jobs = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().filter(|job| job.told().state == SimulationState::Running).count()
    }

    /// Asks all to stop.
    pub fn cancel_all(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|job| job.cancel());
    }
}

impl Job {
    fn lock(&self) -> MutexGuard<'_, Simulation> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to tell.
    #[must_use]
    pub fn told(&self) -> Simulation {
        self.lock().clone()
    }

    /// Hears of changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Asks it to stop.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The switch that it is stopped by.
    #[must_use]
    pub fn switch(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Tells how it ended.
    pub fn end(&self, outcome: Result<SimulationResults, Vec<Diagnostic>>) {
        {
            let mut told = self.lock();
            told.stage = None;
            match outcome {
                _ if self.cancel.is_cancelled() => told.state = SimulationState::Cancelled,
                Ok(results) => (told.state, told.results) = (SimulationState::Done, Some(results)),
                Err(diagnostics) => {
                    told.state = SimulationState::Failed;
                    told.findings = diagnostics.iter().map(Finding::of).collect();
                }
            }
        }
        self.changed.send_modify(|version| *version += 1);
    }
}

impl Progress for Job {
    fn stage(&self, name: Message, total: Option<u64>) {
        self.lock().stage = Some(Stage { name: Text::from(&name), rows: 0, total });
        self.changed.send_modify(|version| *version += 1);
    }

    fn rows(&self, rows: u64) {
        if let Some(stage) = &mut self.lock().stage {
            stage.rows += rows;
        }
        self.changed.send_modify(|version| *version += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_told_and_forgotten_in_order() {
        let jobs = Jobs::default();
        let first = jobs.start("a".to_owned(), "me");
        first.stage(Message::new("读", "reading"), Some(10));
        first.rows(4);
        assert_eq!(first.told().stage.expect("a stage").rows, 4);
        first.end(Err(Vec::new()));
        assert_eq!((first.told().state, jobs.at_work()), (SimulationState::Failed, 0));
        (0..KEPT).for_each(|at| drop(jobs.start(at.to_string(), "me")));
        assert!(jobs.get("a").is_none() && jobs.get("0").is_some());
        jobs.cancel_all();
        let last = jobs.get("5").expect("kept");
        last.end(Err(Vec::new()));
        assert_eq!(last.told().state, SimulationState::Cancelled);
    }
}
