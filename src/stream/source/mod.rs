//! Where events come from: files, standard input, HTTP, Kafka.
//!
//! Positions are ours, not the source's: the store keeps them with what was made of the events, in one commit. A source is
//! told where to go on, gives what comes, and hears what was committed.

pub mod file;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod position;
pub mod several;
pub mod stdin;

use std::time::Duration;

use async_trait::async_trait;

use super::change::{RawEvent, Refused};
use crate::diagnostic::Diagnostic;
use crate::store::live::Position;

/// The longest event that is taken: what is beyond is cut off, so that it is refused.
pub const LONGEST_EVENT: usize = 16 << 20;

/// How a source tells the time when an event came in: microseconds since 1970 (UTC).
pub type Clock = std::sync::Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a source gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Events, those of a partition in their order; none where nothing came in time.
    Events(Vec<RawEvent>),
    /// Nothing will ever come any more.
    Ended,
}

/// A source of events.
#[async_trait]
pub trait ChangeSource: Send {
    /// Its name, as positions have it.
    fn name(&self) -> &str;

    /// Goes to where reading is to go on; a partition that is not among the positions is read from its beginning. Called once,
    /// before the first event is asked for.
    ///
    /// # Errors
    ///
    /// When the source cannot be reached, or no longer has what was not read.
    async fn seek(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>>;

    /// The next events, at most so many; waits so long for the first one.
    ///
    /// # Errors
    ///
    /// When the source cannot be read.
    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>>;

    /// Tells what could not be used of the events given, before they are committed.
    fn refused(&mut self, refused: &[Refused]) {
        let _ = refused;
    }

    /// Tells that all before these positions is in the store.
    ///
    /// # Errors
    ///
    /// When the source cannot be told; nothing is lost by it.
    async fn committed(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>>;
}
