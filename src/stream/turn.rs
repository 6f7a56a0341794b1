//! One turn: changes come in, and everything that follows from them is committed at once.
//!
//! ```text
//!  changes ─ gather ─▶ rows of all who are touched ─ settle ─▶ what stands, cases ─▶ one commit, with positions
//! ```
//!
//! Nothing is kept between turns but what is in the store, or on its way there (`beside`), and what was made of it (`carried`): whoever
//! goes on after a crash goes on where the last commit ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use tokio::task::JoinHandle;

use super::apply::ApplyError;
use super::change::Change;
use super::gather::{Begun, Gathered, Gatherer};
use super::heard::Heard;
use super::judge::Judge;
use super::reach::Ways;
use super::rows::RowForms;
use super::seen::Seen;
use super::settle::Settler;
use crate::dossier::DossierError;
use crate::store::StoreError;
use crate::store::fill::FillError;
use crate::store::live::{Fence, Live, PositionStep};

/// How often a turn is made anew when somebody moved one of its cases on meanwhile.
pub(super) const RACES: usize = 8;

/// A turn of so many changes has others waiting behind it.
const LARGE: usize = 500;

/// Why a turn failed. Nothing of it is in the store.
#[derive(Debug)]
pub enum TurnError {
    /// The store's fault, or the turn is not this holder's any more ([`StoreError::Fenced`]).
    Store(StoreError),
    /// Dossiers could not be made, or an amount overflowed.
    Dossiers(DossierError),
    /// Rows that are not as they are declared.
    Rows(arrow::error::ArrowError),
}

impl From<StoreError> for TurnError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ApplyError> for TurnError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Store(error),
            ApplyError::Rows(error) => Self::Rows(error),
        }
    }
}

impl From<FillError> for TurnError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Store(error) => Self::Store(error),
            FillError::Dossiers(error) => Self::Dossiers(error),
        }
    }
}

impl From<arrow::error::ArrowError> for TurnError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Rows(error)
    }
}

/// What a turn takes.
pub struct Taken {
    /// The changes, in the order in which they came.
    pub changes: Vec<Change>,
    /// How far sources are read with them.
    pub positions: Vec<PositionStep>,
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// Who holds the stream.
    pub fence: Fence,
}

/// What a turn did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Changes that said something new.
    pub changed: u64,
    /// Changes that were known already, or older than what is known.
    pub known: u64,
    /// Changes of rows that may repeat which did not tell which one they mean.
    pub unplaced: u64,
    /// Identifiers that were judged anew.
    pub touched: u64,
    /// Subjects for whom something else stands now.
    pub standing: u64,
    /// Steps of cases: begun, or moved on.
    pub cases: u64,
}

impl Done {
    /// Adds what another turn did.
    pub fn add(&mut self, other: &Self) {
        self.changed += other.changed;
        self.known += other.known;
        self.unplaced += other.unplaced;
        self.touched += other.touched;
        self.standing += other.standing;
        self.cases += other.cases;
    }
}

/// A stream of changes over one store.
pub struct Stream<'a> {
    pub(super) live: Arc<dyn Live>,
    pub(super) gatherer: Gatherer,
    pub(super) settler: Settler<'a>,
    /// Under which lease, and of which generation, what was read is.
    pub(super) of: Option<(Fence, i64)>,
    /// The turn whose subjects are to be judged.
    pub(super) begun: Option<BegunTurn>,
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
    /// None where they are too many to be brought together at once.
    pub(super) gathered: Option<Gathered>,
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
