//! Appending from many callers: one writer takes all that wait and makes one commit of it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::chain::Seq;
use super::content::Content;
use crate::store::{Store, StoreError};

/// Entries that may wait; who comes then waits for room.
const WAITING: usize = 8_192;

/// The most entries of one commit.
const COMMIT: usize = 2_048;

/// An entry that waits, and who waits for it.
type Waiting = (Content, oneshot::Sender<Result<Seq, StoreError>>);

/// The way into the trail. Clones lead to the same writer; it ends when the last one is dropped, after what waits is written.
#[derive(Debug, Clone)]
pub struct Trail {
    waiting: mpsc::Sender<Waiting>,
}

impl Trail {
    /// Starts the writer, on the tokio runtime that this is called in. `clock` tells the time in microseconds since 1970 (UTC).
    #[must_use]
    pub fn start(store: Arc<dyn Store>, clock: fn() -> i64) -> Self {
        let (waiting, entries) = mpsc::channel(WAITING);
        tokio::spawn(write(store, entries, clock));
        Self { waiting }
    }

    /// Appends an entry; it is on the disk when this returns its number.
    ///
    /// # Errors
    ///
    /// When the trail cannot be written: then what the entry speaks of must not be given out.
    pub async fn append(&self, content: Content) -> Result<Seq, StoreError> {
        let ended = || StoreError::Failed("the writer of the access trail has ended".to_owned());
        let (told, written) = oneshot::channel();
        self.waiting.send((content, told)).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

async fn write(store: Arc<dyn Store>, mut entries: mpsc::Receiver<Waiting>, clock: fn() -> i64) {
    let (mut contents, mut callers) = (Vec::new(), Vec::new());
    while let Some((content, caller)) = entries.recv().await {
        contents.push(content);
        callers.push(caller);
        while contents.len() < COMMIT
            && let Ok((content, caller)) = entries.try_recv()
        {
            contents.push(content);
            callers.push(caller);
        }
        let written = store.trail_append(clock(), &contents).await;
        for (seq, caller) in (0..).zip(callers.drain(..)) {
            // Who went away needs no answer.
            let _ = caller.send(written.clone().map(|first| first + seq));
        }
        contents.clear();
    }
}
