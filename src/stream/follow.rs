//! The loop: events taken from sources, turned into changes, and committed turn by turn, until there are no more or one asks to stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::change::Decoder;
use super::dead_letter::DeadLetterFile;
use super::holder;
use super::source::position::Positions;
use super::source::{ChangeSource, Clock, Taken as Given};
use super::turn::{Done, Taken, TurnError};
use super::turns::Stream;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::progress::Cancel;
use crate::store::live::{Fence, Live, Position};
use crate::store::{Held, StoreError};

/// How long the lease holds after each renewal, in microseconds: whoever takes over from one that was killed waits no longer, and on
/// the same machine not at all.
const LEASE: i64 = 30_000_000;

/// How often the lease is renewed in a turn that takes long.
const RENEWED: Duration = Duration::from_secs(5);

/// How long a turn waits for its first event.
const WAIT: Duration = Duration::from_millis(250);

/// Why following ended before its time.
#[derive(Debug)]
pub enum FollowError {
    /// A turn failed.
    Turn(TurnError),
    /// A source or the dead letters could not be read or written.
    Told(Box<Diagnostic>),
}

impl From<TurnError> for FollowError {
    fn from(error: TurnError) -> Self {
        Self::Turn(error)
    }
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Turn(TurnError::Store(error))
    }
}

impl From<Box<Diagnostic>> for FollowError {
    fn from(error: Box<Diagnostic>) -> Self {
        Self::Told(error)
    }
}

/// What following is done with.
pub struct Following<'f> {
    /// The store.
    pub live: Arc<dyn Live>,
    /// Makes changes of events.
    pub decoder: Decoder,
    /// Where events come from.
    pub source: Box<dyn ChangeSource>,
    /// Where events go that cannot be used; without it, they are only counted.
    pub dead_letters: Option<DeadLetterFile>,
    /// Who holds the stream.
    pub holder: String,
    /// Microseconds since 1970 (UTC).
    pub clock: Clock,
    /// Events of a turn at most.
    pub at_most: usize,
    /// When to stop: the turn that is under way is still committed.
    pub cancel: Cancel,
    /// Hears of every turn: what it did, and how many events it took.
    pub told: &'f mut (dyn FnMut(&Done, usize) + Send),
}

/// What was done in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// Turns with events.
    pub turns: u64,
    /// Events taken.
    pub events: u64,
    /// Events, or values of them, that could not be used.
    pub refused: u64,
    /// The sums of what turns did.
    pub done: Done,
}

/// Follows a source. The lease is renewed in good time, also while a turn takes long: a turn of one whose lease went to another is refused by the store.
///
/// # Errors
///
/// When the store, the source or the dead letters fail. What was committed before stays; the rest is taken again by whoever goes on.
pub async fn follow(stream: &mut Stream<'_>, following: Following<'_>) -> Result<Followed, FollowError> {
    let Some(held) = Leased::take(&following.live, &following.holder, &following.clock, &following.cancel).await? else {
        return Ok(Followed::default());
    };
    let mut follower = Follower::new(held, following).await?;
    follower.run(stream, None).await?;
    follower.end().await
}

/// Why a follower rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There are no more events, or somebody asked to stop.
    Ended,
    /// The time came until which it was to follow.
    UntilThen,
    /// Who works between turns asks for it.
    Asked,
}

/// Work that is done between turns.
pub trait Between {
    /// Whether there is something to do now.
    fn is_due(&mut self) -> bool;

    /// Does some of it. The store has all that the stream took; no events are taken meanwhile. Says whether the follower is to rest.
    ///
    /// # Errors
    ///
    /// When following must end.
    fn work(&mut self, stream: &mut Stream<'_>, fence: &Fence, at: i64) -> impl Future<Output = Result<bool, TurnError>>;
}

/// No work.
#[derive(Debug, Clone, Copy)]
struct Nothing;

impl Between for Nothing {
    fn is_due(&mut self) -> bool {
        false
    }

    async fn work(&mut self, _: &mut Stream<'_>, _: &Fence, _: i64) -> Result<bool, TurnError> {
        Ok(false)
    }
}

/// Somebody who follows sources, by one stream after the other: each day has its own.
pub struct Follower<'f> {
    held: Leased,
    decoder: Decoder,
    source: Box<dyn ChangeSource>,
    dead_letters: Option<DeadLetterFile>,
    at_most: usize,
    cancel: Cancel,
    told: &'f mut (dyn FnMut(&Done, usize) + Send),
    positions: Positions,
    /// The turns that are judged or written, in their order.
    untold: VecDeque<Untold>,
    followed: Followed,
}

/// What there will be to tell of a turn once the store has it.
struct Untold {
    /// How far sources are read with it.
    reached: Vec<Position>,
    count: usize,
    refused: usize,
}

impl<'f> Follower<'f> {
    /// Begins where the store has its sources.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or a source cannot go on there.
    pub async fn new(held: Leased, following: Following<'f>) -> Result<Self, FollowError> {
        let Following { decoder, mut source, dead_letters, at_most, cancel, told, .. } = following;
        let known = held.live.positions().await?;
        source.seek(&known).await?;
        let positions = Positions::new(known);
        Ok(Self {
            held,
            decoder,
            source,
            dead_letters,
            at_most,
            cancel,
            told,
            positions,
            untold: VecDeque::new(),
            followed: Followed::default(),
        })
    }

    /// The lease on the store.
    pub fn held(&mut self) -> &mut Leased {
        &mut self.held
    }

    /// Another way to make changes of events, from the next turn on.
    pub fn decode_by(&mut self, decoder: Decoder) {
        self.decoder = decoder;
    }

    /// Takes events, turn by turn, until there are no more, somebody asks to stop, or the clock is at `until`.
    ///
    /// # Errors
    ///
    /// As [`follow`].
    pub async fn run(&mut self, stream: &mut Stream<'_>, until: Option<i64>) -> Result<Rest, FollowError> {
        self.run_with(stream, until, &mut Nothing).await
    }

    /// The same, with work between turns: behind each turn, and where no events come.
    ///
    /// # Errors
    ///
    /// As [`follow`], and where the work fails.
    pub async fn run_with(&mut self, stream: &mut Stream<'_>, until: Option<i64>, between: &mut impl Between) -> Result<Rest, FollowError> {
        let rest = loop {
            if self.cancel.is_cancelled() {
                break Rest::Ended;
            }
            if until.is_some_and(|until| (self.held.clock)() >= until) {
                break Rest::UntilThen;
            }
            let is_busy = between.is_due();
            if is_busy {
                self.settle(stream).await?;
                self.held.renew_in_time().await?;
                let (fence, at) = (self.held.fence.clone(), (self.held.clock)());
                if self.held.during(Box::pin(between.work(stream, &fence, at))).await?? {
                    break Rest::Asked;
                }
            }
            // While a turn is judged or written, only what is there already is taken: nobody waits with the answer to it.
            let wait = if is_busy || !self.untold.is_empty() { Duration::ZERO } else { WAIT };
            let mut events = match self.source.next(self.at_most, wait).await? {
                Given::Events(events) => events,
                Given::Ended => break Rest::Ended,
            };
            self.held.renew_in_time().await?;
            self.positions.keep_new(&mut events);
            if events.is_empty() {
                self.settle(stream).await?;
                continue;
            }
            let count = events.len();
            let steps = self.positions.steps(&events);
            let decoded = self.decoder.decode(events);
            if !decoded.refused.is_empty() {
                self.source.refused(&decoded.refused);
                if let Some(letters) = &mut self.dead_letters {
                    letters.write(&decoded.refused)?;
                }
            }
            let next = Untold { reached: self.positions.go_on(&steps), count, refused: decoded.refused.len() };
            let taken = Taken { changes: decoded.changes, positions: steps, at: (self.held.clock)(), fence: self.held.fence.clone() };
            let done = self.held.during(Box::pin(stream.take_next(taken))).await??;
            self.untold.push_back(next);
            self.are_in_store(done).await?;
        };
        self.settle(stream).await?;
        Ok(rest)
    }

    /// Waits until the store has all that was taken.
    async fn settle(&mut self, stream: &mut Stream<'_>) -> Result<(), FollowError> {
        let done = self.held.during(Box::pin(stream.rest())).await??;
        self.are_in_store(done).await
    }

    /// Tells of the first turns that were not told of: the store has them now.
    async fn are_in_store(&mut self, done: Vec<Done>) -> Result<(), FollowError> {
        for done in done {
            let Some(Untold { reached, count, refused }) = self.untold.pop_front() else { return Ok(()) };
            self.source.committed(&reached).await?;
            self.followed.turns += 1;
            self.followed.events += count as u64;
            self.followed.refused += refused as u64;
            self.followed.done.add(&done);
            (self.told)(&done, count);
        }
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn end(self) -> Result<Followed, FollowError> {
        self.held.release().await?;
        Ok(self.followed)
    }
}

/// The lease on a store, held.
pub struct Leased {
    live: Arc<dyn Live>,
    holder: String,
    clock: Clock,
    fence: Fence,
    since: i64,
}

impl Leased {
    /// Takes the lease, as soon as nobody else has it. None when asked to stop meanwhile.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn take(live: &Arc<dyn Live>, holder: &str, clock: &Clock, cancel: &Cancel) -> Result<Option<Self>, StoreError> {
        let Some(fence) = first_lease(&**live, holder, clock, cancel).await? else { return Ok(None) };
        Ok(Some(Self { live: Arc::clone(live), holder: holder.to_owned(), clock: Arc::clone(clock), fence, since: clock() }))
    }

    /// What commits show.
    #[must_use]
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Renews the lease, where a good part of it is over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] when it went to another; else when the store cannot be written.
    pub async fn renew_in_time(&mut self) -> Result<(), StoreError> {
        if (self.clock)() - self.since > LEASE / 3 { self.renew().await } else { Ok(()) }
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        self.fence = renewed(&*self.live, self.fence.clone(), &self.holder, &self.clock).await?;
        self.since = (self.clock)();
        Ok(())
    }

    /// Renews the lease while work takes long, which may keep its thread busy all the time.
    ///
    /// # Errors
    ///
    /// As [`Self::renew_in_time`], once the work is done: what it commits is refused by the store where the lease went to another.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let (live, holder, clock, mut fence) = (Arc::clone(&self.live), self.holder.clone(), Arc::clone(&self.clock), self.fence.clone());
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let renewing = tokio::spawn(async move {
            let mut since = None;
            loop {
                tokio::select! {
                    _ = &mut stopped => return Ok(since),
                    () = tokio::time::sleep(RENEWED) => {
                        fence = renewed(&*live, fence, &holder, &clock).await?;
                        since = Some(clock());
                    }
                }
            }
        });
        let done = work.await;
        drop(stop);
        let since = renewing.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))?;
        self.since = since.unwrap_or(self.since);
        Ok(done)
    }

    /// Gives the lease back.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn release(self) -> Result<(), StoreError> {
        self.live.release(&self.fence).await
    }
}

/// The lease, as soon as nobody else has it: of one that was killed it ends by itself. None when asked to stop meanwhile.
async fn first_lease(live: &dyn Live, holder: &str, clock: &Clock, cancel: &Cancel) -> Result<Option<Fence>, StoreError> {
    let mut is_told = false;
    while !cancel.is_cancelled() {
        match lease(live, holder, clock).await {
            Err(StoreError::Busy(Held::Lease)) => {}
            fence => return fence.map(Some),
        }
        // One of this machine that was killed comes back for nothing: what it has begun is refused from now on.
        if let Some(fence) = live.leased().await?.filter(|fence| holder::is_gone(&fence.holder)) {
            live.release(&fence).await?;
            continue;
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::warn!("another process follows the changes of this store: waiting until it ends");
        }
        tokio::time::sleep(WAIT).await;
    }
    Ok(None)
}

async fn lease(live: &dyn Live, holder: &str, clock: &Clock) -> Result<Fence, StoreError> {
    let now = clock();
    live.lease(holder, now, now + LEASE).await
}

/// The lease once more; one that went to another in between is not taken back.
async fn renewed(live: &dyn Live, fence: Fence, holder: &str, clock: &Clock) -> Result<Fence, StoreError> {
    let again = lease(live, holder, clock).await?;
    if again.epoch == fence.epoch { Ok(again) } else { Err(StoreError::Fenced("the lease was lost in between".to_owned())) }
}
