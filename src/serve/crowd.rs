//! All connections at once: so many and no more, and where room is short those go first that have been idle longest.
//!
//! ```text
//!  accept ──▶ Crowd::enter ──▶ Place (in the stream; told to close by a flag and a waker)
//!  request ──▶ Crowd::at_work ──▶ AtWork (until there is an answer) ── Place::wrote (while it is sent)
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::task::AtomicWaker;

use super::clock;

/// Who has been idle for less is not sent away.
const IDLE: Duration = Duration::from_secs(1);

/// When room is short, this part of all is sent away at once: looking for them takes a moment.
const PART: usize = 64;

/// The connections of a server. Clones share one.
#[derive(Debug, Clone)]
pub struct Crowd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    /// What times are counted from.
    begun: Instant,
    /// By the address of the other end.
    members: Mutex<HashMap<SocketAddr, Arc<Member>>>,
}

/// One connection.
#[derive(Debug, Default)]
struct Member {
    /// Requests without an answer yet.
    at_work: AtomicUsize,
    /// When it came, or when the last piece of an answer was sent: milliseconds from the beginning.
    since: AtomicU64,
    is_sent_away: AtomicBool,
    waker: AtomicWaker,
}

/// The place that a connection takes, until it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    address: SocketAddr,
    member: Arc<Member>,
}

/// A request at work.
#[derive(Debug)]
pub struct AtWork {
    crowd: Crowd,
    member: Arc<Member>,
}

impl Crowd {
    /// Room for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most: most.max(1), begun: clock::moment(), members: Mutex::default() }))
    }

    fn members(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Member>>> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets a connection in; where there is no room, in the place of those that have been idle longest; none where all are at
    /// work, or came just now.
    #[must_use]
    pub fn enter(&self, address: SocketAddr) -> Option<Place> {
        let now = self.now();
        let mut members = self.members();
        if members.len() >= self.0.most {
            send_away(&mut members, now, (self.0.most / PART).max(1));
        }
        if members.len() >= self.0.most {
            return None;
        }
        let member = Arc::new(Member { since: AtomicU64::new(now), ..Member::default() });
        members.insert(address, Arc::clone(&member));
        Some(Place { crowd: self.clone(), address, member })
    }

    /// A request has come on a connection.
    #[must_use]
    pub fn at_work(&self, address: &SocketAddr) -> Option<AtWork> {
        let member = Arc::clone(self.members().get(address)?);
        member.at_work.fetch_add(1, Ordering::AcqRel);
        Some(AtWork { crowd: self.clone(), member })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sends so many away, those that have been idle longest. Their places are free at once; they close in a moment.
fn send_away(members: &mut HashMap<SocketAddr, Arc<Member>>, now: u64, count: usize) {
    let patience = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
    let idle = members.iter().filter(|(_, member)| member.at_work.load(Ordering::Acquire) == 0);
    let idle = idle.map(|(address, member)| (member.since.load(Ordering::Acquire), *address));
    let mut idle: Vec<(u64, SocketAddr)> = idle.filter(|(since, _)| now.saturating_sub(*since) >= patience).collect();
    if idle.len() > count {
        idle.select_nth_unstable(count);
        idle.truncate(count);
    }
    for (_, address) in idle {
        if let Some(member) = members.remove(&address) {
            member.is_sent_away.store(true, Ordering::Release);
            member.waker.wake();
        }
    }
}

impl Place {
    /// Whether the connection is to close; else `context` is woken when it is.
    #[must_use]
    pub fn is_sent_away(&self, context: &Context<'_>) -> bool {
        self.member.waker.register(context.waker());
        self.member.is_sent_away.load(Ordering::Acquire)
    }

    /// A piece of an answer is sent.
    pub fn wrote(&self) {
        self.member.since.store(self.crowd.now(), Ordering::Release);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.crowd.members();
        // Another may have come from the same address since this one was sent away.
        if members.get(&self.address).is_some_and(|member| Arc::ptr_eq(member, &self.member)) {
            members.remove(&self.address);
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.member.since.store(self.crowd.now(), Ordering::Release);
        self.member.at_work.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Holds the connection of each request until there is an answer; while it is sent, each piece counts as a sign of life.
pub async fn requests(State(crowd): State<Crowd>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let _at_work = address.and_then(|address| crowd.at_work(&address));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Sets since when a connection is idle, in milliseconds before now.
    fn idle_for(crowd: &Crowd, place: &Place, milliseconds: u64) {
        // The crowd is as old as the test: times of before it count from its beginning, so that all are moved on instead.
        let now = crowd.now();
        assert!(now >= milliseconds, "the crowd is old enough");
        place.member.since.store(now - milliseconds, Ordering::Release);
    }

    fn old(most: usize) -> Crowd {
        let begun = clock::moment().checked_sub(Duration::from_mins(1)).unwrap_or_else(clock::moment);
        Crowd(Arc::new(Inner { most, begun, members: Mutex::default() }))
    }

    #[test]
    fn who_has_been_idle_longest_goes_first() {
        let crowd = old(3);
        let places: Vec<Place> = (1..=3).map(|port| crowd.enter(address(port)).expect("room")).collect();
        assert!(crowd.enter(address(4)).is_none(), "all came just now");
        idle_for(&crowd, &places[0], 5_000);
        idle_for(&crowd, &places[1], 9_000);
        idle_for(&crowd, &places[2], 20_000);
        let at_work = crowd.at_work(&address(3)).expect("it is there");
        let fourth = crowd.enter(address(4)).expect("in the place of the second");
        let context = Context::from_waker(futures::task::noop_waker_ref());
        let away: Vec<bool> = places.iter().map(|place| place.is_sent_away(&context)).collect();
        assert_eq!((away, crowd.len()), (vec![false, true, false], 3));
        drop(at_work);
        idle_for(&crowd, &places[0], 500);
        assert!(crowd.enter(address(5)).is_none(), "the third has sent an answer just now");
        drop((places, fourth));
        assert!(crowd.is_empty());
    }

    #[test]
    fn an_address_that_comes_again_keeps_its_new_place() {
        let crowd = old(1);
        let first = crowd.enter(address(1)).expect("room");
        idle_for(&crowd, &first, 2_000);
        let second = crowd.enter(address(1)).expect("in the place of the first");
        drop(first);
        assert_eq!(crowd.len(), 1);
        drop(second);
        assert!(crowd.is_empty());
    }
}
