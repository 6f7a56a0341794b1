//! Turns one beside the other: while the store writes what one made of its changes, the next one is judged, and of the one after that
//! the rows are gathered.
//!
//! ```text
//!  turn 1   gather ─▶ settle ─▶ write
//!  turn 2             gather ─▶ settle ─▶ write
//!  turn 3                       gather ─▶ settle ─▶ write
//! ```
//!
//! Where few changes come, a turn is settled at once: two are beside each other then.
//!
//! What is on its way is seen by the next turns as if it were in the store. Where it does not get there, nothing that was made on
//! top of it is written either: commits keep their order, and each says from which positions it goes on.
//!
//! Nothing is kept between turns but what is in the store, or on its way there, and what was made of it (`carried`): whoever goes on
//! after a crash goes on where the last commit ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::commit::commit;
use super::gather::{Begun, Gatherer, Reckoned, TOGETHER};
use super::heard::Heard;
use super::judge::Judge;
use super::reach::Ways;
use super::rows::RowForms;
use super::seen::Seen;
use super::settle::{Found, Settler};
use super::turn::{Done, Taken, TurnError};
use crate::store::StoreError;
use crate::store::live::{Batch, Fence, Live};

/// How often a turn is made anew when somebody moved one of its cases on meanwhile.
pub(super) const RACES: usize = 8;

/// A turn of so many changes has others waiting behind it.
const LARGE: usize = 500;

/// A stream of changes over one store.
pub struct Stream<'a> {
    pub(super) live: Arc<dyn Live>,
    pub(super) gatherer: Gatherer,
    pub(super) settler: Settler<'a>,
    /// Under which lease, and of which generation, what was read is.
    pub(super) of: Option<(Fence, i64)>,
    /// The turn whose subjects are to be judged.
    pub(super) begun: Option<Box<BegunTurn>>,
    /// The turn that the store is writing.
    pub(super) under_way: Option<UnderWay>,
    /// How long it takes at least until the store begins to write: a store that is slower than the next turn is to be tested too.
    #[cfg(test)]
    pub(super) pause: std::time::Duration,
    /// What turns did, where others judge beside this stream.
    pub(super) heard: Option<Heard>,
    /// As many changes are judged while the next turn is begun.
    pub(super) large: usize,
}

/// A turn whose changes are among the rows.
pub(super) struct BegunTurn {
    /// What it is made of, in case it must be made anew.
    pub(super) taken: Taken,
    pub(super) begun: Begun,
}

/// A turn that is made, and on its way to the store.
pub(super) struct UnderWay {
    /// What it was made of, in case it must be made anew.
    pub(super) taken: Taken,
    pub(super) done: Done,
    pub(super) written: JoinHandle<Result<(), StoreError>>,
    pub(super) seen: Arc<Seen>,
}

impl<'a> Stream<'a> {
    /// Over a store, by policies that are ready.
    ///
    /// # Errors
    ///
    /// When a register has a column of a type that rows cannot be kept in.
    pub fn new(live: Arc<dyn Live>, judge: Judge<'a>) -> Result<Self, TurnError> {
        let registers = &judge.catalogue().registers;
        let forms = Arc::new(RowForms::new(registers)?);
        let ways = Ways::new(&judge.paths().all(), &forms, registers);
        Ok(Self {
            gatherer: Gatherer::new(Arc::clone(&live), forms, ways, judge.as_of()),
            settler: Settler::new(Arc::clone(&live), judge),
            live,
            of: None,
            begun: None,
            under_way: None,
            #[cfg(test)]
            pause: std::time::Duration::ZERO,
            heard: None,
            large: LARGE,
        })
    }

    /// Names the registers that are followed, in the place of those of which an event was taken: their data days move with the day.
    #[must_use]
    pub fn following(mut self, registers: Option<BTreeSet<String>>) -> Self {
        self.gatherer.followed = registers;
        self
    }

    /// The day that verdicts are about.
    #[must_use]
    pub fn as_of(&self) -> NaiveDate {
        self.settler.judge.as_of()
    }

    /// How rows are kept.
    #[must_use]
    pub fn forms(&self) -> &RowForms {
        &self.gatherer.forms
    }

    /// Forgets what was read and changed: the store is asked anew.
    pub(super) fn forget(&mut self) {
        self.gatherer.forget();
        (self.of, self.begun) = (None, None);
    }
}

impl Stream<'_> {
    /// Takes changes, and commits all that follows from them.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; nothing is committed then.
    pub async fn take(&mut self, taken: Taken) -> Result<Done, TurnError> {
        self.take_next(taken).await?;
        Ok(self.rest().await?.pop().unwrap_or_default())
    }

    /// Takes changes while those of the calls before are judged and written, and leaves what follows from them on its way to the store. Of
    /// many changes, judging is left to the next call, or to [`Self::rest`]; whoever waits for few waits no longer than for these. Gives what
    /// the turns before did that are in the store now, in their order.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]: of a turn before, or of this one. That one is not committed then, and none after it.
    pub async fn take_next(&mut self, taken: Taken) -> Result<Vec<Done>, TurnError> {
        let generation = self.generation().await?;
        let of = Some((taken.fence.clone(), generation));
        let mut done = Vec::new();
        if self.of != of || self.gatherer.view.is_full() {
            done = self.rest().await?;
            if self.of != of || !self.gatherer.view.forget_unasked(None) {
                self.forget();
            }
        }
        let mut next = None;
        if let Some(mut before) = self.begun.take() {
            let found = if before.begun.gathered.is_some() {
                let (begun, found) = self.both(&taken, generation, &mut before.begun);
                next = Some(begun);
                found
            } else {
                self.judge(&mut before.begun).await
            };
            // What was begun upon something else does not count.
            if !self.send(*before, found, &mut done).await? {
                next = None;
            }
        }
        let next = match next {
            Some(next) => next,
            None => self.gatherer.begin(&taken, generation, self.heard.as_mut()).await,
        };
        match next {
            Ok(begun) => {
                self.of = of;
                let is_large = taken.changes.len() >= self.large;
                self.begun = Some(Box::new(BegunTurn { taken, begun }));
                if !is_large {
                    self.send_begun(&mut done).await?;
                }
                Ok(done)
            }
            Err(error) => {
                let before = self.rest().await;
                // What was changed in memory will never be written.
                self.forget();
                before.and(Err(error))
            }
        }
    }

    /// Waits until the store has all that was taken. Gives what the turns did that were not told of yet, in their order.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; the turn is not committed then.
    pub async fn rest(&mut self) -> Result<Vec<Done>, TurnError> {
        let mut done = Vec::new();
        self.send_begun(&mut done).await?;
        if let Some(under_way) = self.under_way.take() {
            done.push(self.arrived(under_way).await?.0);
        }
        Ok(done)
    }

    /// Judges those whom the turn that was begun touches, and sends it to the store.
    async fn send_begun(&mut self, done: &mut Vec<Done>) -> Result<(), TurnError> {
        let Some(mut begun) = self.begun.take() else { return Ok(()) };
        let found = self.judge(&mut begun.begun).await;
        self.send(*begun, found, done).await.map(|_| ())
    }

    /// Begins a turn while those are judged who were gathered for the one before.
    fn both(&mut self, taken: &Taken, generation: i64, before: &mut Begun) -> (Result<Begun, TurnError>, Result<Option<Found>, TurnError>) {
        let seen = self.seen();
        let Self { gatherer, settler, heard, .. } = self;
        let handle = Handle::current();
        tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let judging = scope.spawn(|| handle.block_on(judge_gathered(settler, before, seen.as_deref())));
                let next = handle.block_on(gatherer.begin(taken, generation, heard.as_mut()));
                (next, judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })
    }

    /// Judges all whom a turn touches. Gives what was found of those who were gathered; of others, it is carried on already.
    async fn judge(&mut self, begun: &mut Begun) -> Result<Option<Found>, TurnError> {
        let seen = self.seen();
        if begun.gathered.is_some() {
            return judge_gathered(&mut self.settler, begun, seen.as_deref()).await;
        }
        let Begun { batch, dictionary, subjects, .. } = begun;
        for part in subjects.chunks(TOGETHER) {
            let mut gathered = Box::pin(self.gatherer.gather(part, Reckoned::Tomorrow)).await?;
            let found = Box::pin(self.settler.settle_gathered(&mut gathered, seen.as_deref(), dictionary, batch)).await?;
            self.gatherer.carry(&gathered, &found.judged.dossiers).map_err(TurnError::Dossiers)?;
        }
        Ok(None)
    }

    /// What the store may not have yet.
    fn seen(&self) -> Option<Arc<Seen>> {
        self.under_way.as_ref().map(|under_way| Arc::clone(&under_way.seen))
    }

    /// Sends a turn to the store behind the one before, once that is there. Where the one before came out otherwise than it was seen, the
    /// turn is made anew upon that, nothing else is kept in memory, and this says so.
    async fn send(
        &mut self,
        mut turn: BegunTurn,
        found: Result<Option<Found>, TurnError>,
        done: &mut Vec<Done>,
    ) -> Result<bool, TurnError> {
        let (mut is_as_seen, mut found) = (true, found);
        if let Some(under_way) = self.under_way.take() {
            let before;
            (before, is_as_seen) = self.arrived(under_way).await?;
            done.push(before);
        }
        if !is_as_seen {
            let made = Box::pin(self.made_anew(turn.taken)).await?;
            (turn, found) = (made.0, Ok(made.1));
        }
        let carried = found.and_then(|found| match (&turn.begun.gathered, found) {
            (Some(gathered), Some(found)) => self.gatherer.carry(gathered, &found.judged.dossiers).map_err(TurnError::Dossiers),
            _ => Ok(()),
        });
        if let Err(error) = carried {
            // What was changed in memory will never be written.
            self.forget();
            return Err(error);
        }
        let BegunTurn { taken, begun } = turn;
        let (mut batch, done) = self.made(begun);
        let (seen, live) = (Arc::new(Seen::of(&batch)), Arc::clone(&self.live));
        #[cfg(test)]
        let pause = self.pause;
        let written = tokio::spawn(async move {
            #[cfg(test)]
            tokio::time::sleep(pause).await;
            commit(&*live, &mut batch).await
        });
        self.under_way = Some(UnderWay { taken, done, written, seen });
        Ok(is_as_seen)
    }

    /// What is to be committed of a turn whose subjects are judged.
    fn made(&mut self, begun: Begun) -> (Batch, Done) {
        let Begun { batch, mut done, .. } = begun;
        (done.standing, done.cases) = (batch.standing.len() as u64, batch.cases.len() as u64);
        if let Some(heard) = &mut self.heard {
            heard.others(&batch);
        }
        (batch, done)
    }

    /// Begins and judges a turn, with nothing before it on its way. Where that fails, nothing is kept in memory.
    async fn made_anew(&mut self, taken: Taken) -> Result<(BegunTurn, Option<Found>), TurnError> {
        let made = async {
            let generation = self.generation().await?;
            let mut begun = self.gatherer.begin(&taken, generation, self.heard.as_mut()).await?;
            self.of = Some((taken.fence.clone(), generation));
            let found = self.judge(&mut begun).await?;
            Ok((begun, found))
        };
        match made.await {
            Ok((begun, found)) => Ok((BegunTurn { taken, begun }, found)),
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }

    /// Waits until a turn is in the store. Says too whether that is what was on its way; else nothing is kept in memory.
    async fn arrived(&mut self, under_way: UnderWay) -> Result<(Done, bool), TurnError> {
        let UnderWay { taken, done, written, .. } = under_way;
        let written = written.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())));
        match written {
            Ok(()) => {
                self.gatherer.view.arrived();
                Ok((done, true))
            }
            // Something happened to a case that changes what is to be made of it.
            Err(StoreError::Raced(_)) => Ok((self.take_anew(taken).await?, false)),
            Err(error) => {
                self.forget();
                Err(error.into())
            }
        }
    }

    /// Makes a turn anew on what the store has now, and commits it.
    async fn take_anew(&mut self, mut taken: Taken) -> Result<Done, TurnError> {
        let mut races = 0;
        loop {
            self.forget();
            let (turn, _) = Box::pin(self.made_anew(taken)).await?;
            let (mut batch, done) = self.made(turn.begun);
            let committed = commit(&*self.live, &mut batch).await;
            self.forget();
            match committed {
                Err(StoreError::Raced(_)) if races < RACES => races += 1,
                committed => return committed.map(|()| done).map_err(TurnError::from),
            }
            taken = turn.taken;
        }
    }

    async fn generation(&self) -> Result<i64, StoreError> {
        self.live.generation().await?.ok_or_else(|| StoreError::Failed("no generation was filled yet".to_owned()))
    }
}

/// Judges those who were gathered for a turn.
async fn judge_gathered(settler: &mut Settler<'_>, begun: &mut Begun, seen: Option<&Seen>) -> Result<Option<Found>, TurnError> {
    let Begun { batch, dictionary, gathered: Some(gathered), .. } = begun else { return Ok(None) };
    settler.settle_gathered(gathered, seen, dictionary, batch).await.map(Some)
}
