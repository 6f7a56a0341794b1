//! The worker: takes what is due from the outbox, lets it leave, and commits what became of it with the case's event.
//!
//! One lane per channel, so that none waits for another. In a lane many subjects are under way at once, and of each subject
//! one message: order is kept. A message that was sent and whose commit did not happen is sent again under the same
//! identifier.

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, future};
use tokio::sync::watch;

use super::channel::{Channel, Outcome};
use super::note;
use super::pace::{Circuit, Dice, micros, wait};
use super::quiet::Quiet;
use super::settings::Pace;
use super::teller::day_of;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseStep, DeliveryStep, Live, MessageRow, MessageState};

/// How often a commit that another was faster than is tried again at once.
const RACES: usize = 8;

/// The time now, in microseconds since 1970 (UTC).
pub type Clock = dyn Fn() -> i64 + Send + Sync;

/// Takes messages from the outbox to their channels.
#[derive(Clone)]
pub struct Worker {
    /// Where they are.
    pub live: Arc<dyn Live>,
    /// The channels, by name.
    pub channels: Vec<(String, Arc<dyn Channel>)>,
    /// How often, how long, how many at once.
    pub pace: Pace,
    /// When nothing leaves.
    pub quiet: Option<Quiet>,
    /// Seconds that the region's time is ahead of UTC: events of cases are about its days.
    pub offset: i32,
    /// The time.
    pub clock: Arc<Clock>,
    /// What waits are scattered by.
    pub dice: Arc<Dice>,
    /// Hears what became of messages, after it was committed.
    pub heard: Arc<dyn Fn(&Done) + Send + Sync>,
}

/// How long the worker works.
#[derive(Debug, Clone)]
pub enum Until {
    /// Until nothing more can be sent now.
    Drained,
    /// Until told to stop; what is under way then ends.
    Stopped(watch::Receiver<bool>),
}

/// What became of a message at one try.
#[derive(Debug, Clone)]
pub struct Done {
    /// The message as it was.
    pub row: MessageRow,
    /// What was committed.
    pub step: DeliveryStep,
    /// When.
    pub at: i64,
}

/// What a run of the worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages taken by their channels.
    pub sent: u64,
    /// Tries that failed for now.
    pub later: u64,
    /// Messages given up.
    pub dead: u64,
}

impl Worker {
    /// Works on all channels.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written and the worker was to drain it; a worker that goes on until it is stopped
    /// tries again.
    pub async fn run(&self, until: &Until) -> Result<Tally, StoreError> {
        let lanes = self.channels.iter().map(|(name, channel)| Lane::new(self, name, channel, until.clone()).run());
        let mut tally = Tally::default();
        for told in future::join_all(lanes).await {
            let told = told?;
            tally.sent += told.sent;
            tally.later += told.later;
            tally.dead += told.dead;
        }
        Ok(tally)
    }
}

type SubjectOf = (SubjectKind, String);

/// One channel at work.
struct Lane<'a> {
    worker: &'a Worker,
    name: &'a str,
    channel: &'a Arc<dyn Channel>,
    until: Until,
    circuit: Circuit,
    under_way: HashSet<SubjectOf>,
    tally: Tally,
}

impl<'a> Lane<'a> {
    fn new(worker: &'a Worker, name: &'a str, channel: &'a Arc<dyn Channel>, until: Until) -> Self {
        Self { worker, name, channel, until, circuit: Circuit::default(), under_way: HashSet::new(), tally: Tally::default() }
    }

    async fn run(mut self) -> Result<Tally, StoreError> {
        let mut sending = FuturesUnordered::new();
        loop {
            if !self.is_stopped() {
                for row in self.take().await? {
                    self.under_way.insert((row.message.kind, row.message.subject.clone()));
                    let (channel, clock) = (Arc::clone(self.channel), Arc::clone(&self.worker.clock));
                    sending.push(async move {
                        let outcome = channel.send(&row.message, clock()).await;
                        (row, outcome)
                    });
                }
            }
            if sending.is_empty() {
                if self.is_stopped() || matches!(self.until, Until::Drained) {
                    return Ok(self.tally);
                }
                self.pause().await;
                continue;
            }
            // New messages come in while slow ones are under way.
            let first = tokio::select! {
                done = sending.next() => done,
                () = tokio::time::sleep(self.worker.pace.poll) => None,
            };
            let mut ended: Vec<(MessageRow, Outcome)> = first.into_iter().collect();
            while let Some(Some(done)) = sending.next().now_or_never() {
                ended.push(done);
            }
            self.settle(ended).await?;
        }
    }

    fn is_stopped(&self) -> bool {
        matches!(&self.until, Until::Stopped(stop) if *stop.borrow())
    }

    async fn pause(&mut self) {
        let sleep = tokio::time::sleep(self.worker.pace.poll);
        match &mut self.until {
            Until::Drained => {}
            Until::Stopped(stop) => {
                tokio::select! {
                    () = sleep => {}
                    _ = stop.changed() => {}
                }
            }
        }
    }

    /// What may leave now: of each subject the oldest, of subjects of whom nothing is under way.
    async fn take(&self) -> Result<Vec<MessageRow>, StoreError> {
        let now = (self.worker.clock)();
        if self.worker.quiet.is_some_and(|quiet| quiet.holds(now)) {
            return Ok(Vec::new());
        }
        let room = self.circuit.room(now, self.under_way.len(), self.worker.pace.at_once);
        if room == 0 {
            return Ok(Vec::new());
        }
        // Those under way still wait, as far as the store knows.
        let rows = loop {
            match self.worker.live.outbox(self.name, now, room + self.under_way.len()).await {
                Ok(rows) => break rows,
                Err(error) => self.again(error).await?,
            }
        };
        let is_free = |row: &MessageRow| !self.under_way.contains(&(row.message.kind, row.message.subject.clone()));
        Ok(rows.into_iter().filter(is_free).take(room).collect())
    }

    /// After an error of the store: waits, unless the worker was only to drain it or is stopped.
    async fn again(&self, error: StoreError) -> Result<(), StoreError> {
        if matches!(self.until, Until::Drained) || self.is_stopped() {
            return Err(error);
        }
        tracing::warn!(target: "mianshen::push", channel = self.name, %error, "the store failed: trying again");
        tokio::time::sleep(self.worker.pace.poll).await;
        Ok(())
    }

    async fn settle(&mut self, ended: Vec<(MessageRow, Outcome)>) -> Result<(), StoreError> {
        let now = (self.worker.clock)();
        let mut done = Vec::with_capacity(ended.len());
        for (row, outcome) in ended {
            self.feel(&outcome, now);
            done.push(Done { step: self.step(&row, outcome, now), row, at: now });
        }
        while let Err(error) = self.commit(&done, now).await {
            self.again(error).await?;
        }
        for one in done {
            self.under_way.remove(&(one.row.message.kind, one.row.message.subject.clone()));
            match one.step.state {
                MessageState::Sent => self.tally.sent += 1,
                MessageState::Dead => self.tally.dead += 1,
                MessageState::Waiting | MessageState::Dropped => self.tally.later += 1,
            }
            (self.worker.heard)(&one);
        }
        Ok(())
    }

    /// What an outcome says of the channel.
    fn feel(&mut self, outcome: &Outcome, now: i64) {
        match outcome {
            Outcome::Later { is_down: true, why, .. } => {
                if self.circuit.failed(&self.worker.pace, now) {
                    tracing::warn!(target: "mianshen::push", channel = self.name, why, "fails again and again: left alone for a while");
                }
            }
            Outcome::Taken(_) | Outcome::Never(_) | Outcome::Later { .. } => self.circuit.works(),
        }
    }

    fn step(&self, row: &MessageRow, outcome: Outcome, now: i64) -> DeliveryStep {
        let pace = &self.worker.pace;
        let tries = row.tries.saturating_add(1);
        let (state, not_before, told) = match outcome {
            Outcome::Taken(told) => (MessageState::Sent, row.message.not_before, told),
            Outcome::Never(why) => (MessageState::Dead, row.message.not_before, why),
            Outcome::Later { why, .. } if tries >= pace.tries || now.saturating_sub(row.at) >= micros(pace.keep) => {
                (MessageState::Dead, row.message.not_before, why)
            }
            Outcome::Later { why, after, .. } => {
                let next = now.saturating_add(micros(wait(pace, tries, after, &*self.worker.dice)));
                (MessageState::Waiting, self.worker.quiet.map_or(next, |quiet| quiet.next(next)), why)
            }
        };
        DeliveryStep { id: row.message.id.clone(), state, tries, not_before, told }
    }
}

impl Lane<'_> {
    /// Commits what became of messages, with the event of each case that is told of it.
    async fn commit(&self, done: &[Done], now: i64) -> Result<(), StoreError> {
        let (live, mut races) = (&self.worker.live, 0);
        while !done.is_empty() {
            let batch = Batch {
                at: now,
                cases: self.case_steps(done, now).await?,
                deliveries: done.iter().map(|one| one.step.clone()).collect(),
                ..Batch::default()
            };
            match live.commit(&batch).await {
                Ok(_) => break,
                // Somebody moved a case on meanwhile: the event goes behind theirs.
                Err(StoreError::Raced(_)) if races < RACES => races += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The events of cases whose message arrived or was given up: several of one case in one step.
    async fn case_steps(&self, done: &[Done], now: i64) -> Result<Vec<CaseStep>, StoreError> {
        let ends = || done.iter().filter(|one| matches!(one.step.state, MessageState::Sent | MessageState::Dead));
        let mut ids: Vec<&str> = ends().flat_map(|one| one.row.message.cases.iter().map(String::as_str)).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (rows, day) = (self.worker.live.cases_named(&ids).await?, day_of(now, self.worker.offset));
        let mut steps = Vec::with_capacity(rows.len());
        for row in &rows {
            let about: Vec<&Done> = ends().filter(|one| one.row.message.cases.contains(&row.id)).collect();
            match note::step(row, &about, day) {
                Ok(step) => steps.extend(step),
                // One case that cannot be read holds up no other; the message itself tells what became of it.
                Err(error) => tracing::error!(target: "mianshen::push", case = row.id, %error, "the case cannot be noted on"),
            }
        }
        Ok(steps)
    }
}

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tests;
