//! The loop: events taken from sources, turned into changes, and committed turn by turn, until there are no more or one asks to stop.

use std::sync::Arc;
use std::time::Duration;

use super::change::Decoder;
use super::dead_letter::DeadLetterFile;
use super::holder;
use super::source::position::Positions;
use super::source::{ChangeSource, Clock, Taken as Given};
use super::turn::{Done, Stream, Taken, TurnError};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::progress::Cancel;
use crate::store::live::{Fence, Live};
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
    let Following { live, mut decoder, mut source, mut dead_letters, holder, clock, at_most, cancel, told } = following;
    let Some(mut fence) = first_lease(&*live, &holder, &clock, &cancel).await? else { return Ok(Followed::default()) };
    let mut leased = clock();
    let known = live.positions().await?;
    source.seek(&known).await?;
    let mut positions = Positions::new(known);
    let mut followed = Followed::default();
    while !cancel.is_cancelled() {
        let mut events = match source.next(at_most, WAIT).await? {
            Given::Events(events) => events,
            Given::Ended => break,
        };
        if clock() - leased > LEASE / 3 {
            fence = renewed(&*live, fence, &holder, &clock).await?;
            leased = clock();
        }
        positions.keep_new(&mut events);
        if events.is_empty() {
            continue;
        }
        let count = events.len();
        let steps = positions.steps(&events);
        let decoded = decoder.decode(events);
        if !decoded.refused.is_empty() {
            source.refused(&decoded.refused);
            if let Some(letters) = &mut dead_letters {
                letters.write(&decoded.refused)?;
            }
        }
        let taken = Taken { changes: &decoded.changes, positions: steps.clone(), at: clock(), fence: fence.clone() };
        let mut turn = std::pin::pin!(stream.take(taken));
        let done = loop {
            tokio::select! {
                done = &mut turn => break done?,
                () = tokio::time::sleep(RENEWED) => {
                    fence = renewed(&*live, fence, &holder, &clock).await?;
                    leased = clock();
                }
            }
        };
        let reached = positions.commit(&steps);
        source.committed(&reached).await?;
        followed.turns += 1;
        followed.events += count as u64;
        followed.refused += decoded.refused.len() as u64;
        followed.done.add(&done);
        told(&done, count);
    }
    live.release(&fence).await?;
    Ok(followed)
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
