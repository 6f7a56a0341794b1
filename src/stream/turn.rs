//! What a turn takes, what it did, and why it failed.
//!
//! A turn is one commit: changes come in, and everything that follows from them is there, or nothing.

use super::apply::ApplyError;
use super::change::Change;
use crate::dossier::DossierError;
use crate::store::StoreError;
use crate::store::fill::FillError;
use crate::store::live::{Fence, PositionStep};

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
