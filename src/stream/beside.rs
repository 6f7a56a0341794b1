//! Turns one behind the other: while the store writes what one made of its changes, the next one is made.
//!
//! ```text
//!  turn 1   make ─▶ write
//!  turn 2           make ─▶ write
//! ```
//!
//! What is on its way is seen by the next turn as if it were in the store. Where it does not get there, nothing that was made on
//! top of it is written either: commits keep their order, and each says from which positions it goes on.

use std::sync::Arc;

use super::commit::commit;
use super::seen::Seen;
use super::turn::{Done, RACES, Stream, Taken, TurnError, UnderWay};
use crate::store::StoreError;

impl Stream<'_> {
    /// Takes changes, and commits all that follows from them.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; nothing is committed then.
    pub async fn take(&mut self, taken: Taken) -> Result<Done, TurnError> {
        self.take_next(taken).await?;
        Ok(self.rest().await?.unwrap_or_default())
    }

    /// Takes changes while those of the call before are being written, and leaves what follows from them on its way to the store.
    /// Gives what the turn before did, once that is in the store.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]: of the turn before, or of this one. Neither is committed then, or the one before alone.
    pub async fn take_next(&mut self, taken: Taken) -> Result<Option<Done>, TurnError> {
        let generation = self.generation().await?;
        let of = Some((taken.fence.clone(), generation));
        let mut before = None;
        let is_full = self.view.is_full();
        if self.of != of || is_full {
            before = self.rest().await?;
            if self.of != of || !self.view.forget_unasked(None) {
                self.forget();
            }
        }
        let mut made = Box::pin(self.make(&taken, generation)).await;
        if let Some(under_way) = self.under_way.take() {
            let (done, is_as_seen) = self.arrived(under_way).await?;
            before = Some(done);
            if !is_as_seen {
                made = Box::pin(self.make(&taken, generation)).await;
            }
        }
        let (mut batch, done) = match made {
            Ok(made) => made,
            Err(error) => {
                // What was changed in memory will never be written.
                self.forget();
                return Err(error);
            }
        };
        self.of = of;
        self.view.sent();
        let (seen, live) = (Arc::new(Seen::of(&batch)), Arc::clone(&self.live));
        #[cfg(test)]
        let pause = self.pause;
        let written = tokio::spawn(async move {
            #[cfg(test)]
            tokio::time::sleep(pause).await;
            commit(&*live, &mut batch).await
        });
        self.under_way = Some(UnderWay { taken, done, written, seen });
        Ok(before)
    }

    /// Waits until the store has all that was taken. Gives what the last turn did, where it was still on its way.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; the turn is not committed then.
    pub async fn rest(&mut self) -> Result<Option<Done>, TurnError> {
        let Some(under_way) = self.under_way.take() else { return Ok(None) };
        Ok(Some(self.arrived(under_way).await?.0))
    }

    /// Waits until a turn is in the store. Says too whether that is what was on its way; else nothing is kept in memory.
    async fn arrived(&mut self, under_way: UnderWay) -> Result<(Done, bool), TurnError> {
        let UnderWay { taken, done, written, .. } = under_way;
        let written = written.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())));
        match written {
            Ok(()) => {
                self.view.arrived();
                Ok((done, true))
            }
            // Something happened to a case that changes what is to be made of it.
            Err(StoreError::Raced(_)) => Ok((self.take_anew(&taken).await?, false)),
            Err(error) => {
                self.forget();
                Err(error.into())
            }
        }
    }

    /// Makes a turn anew on what the store has now.
    async fn take_anew(&mut self, taken: &Taken) -> Result<Done, TurnError> {
        let mut races = 0;
        self.forget();
        loop {
            let generation = self.generation().await?;
            let made = Box::pin(self.make(taken, generation)).await;
            let committed = match made {
                Ok((mut batch, done)) => commit(&*self.live, &mut batch).await.map(|()| done).map_err(TurnError::from),
                Err(error) => Err(error),
            };
            self.forget();
            match committed {
                Err(TurnError::Store(StoreError::Raced(_))) if races < RACES => races += 1,
                committed => return committed,
            }
        }
    }

    async fn generation(&self) -> Result<i64, StoreError> {
        self.live.generation().await?.ok_or_else(|| StoreError::Failed("no generation was filled yet".to_owned()))
    }
}
