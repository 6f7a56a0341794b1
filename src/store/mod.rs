//! The store: what the last run found, by subject, for those who ask about one; and who asked, in the access trail.
//!
//! Useful for: "which services find this person?", "on which facts?", "who looked?". Not useful for: evaluating a city (that
//! is `eligibility`), or cases on their way (that is the ledger).
//!
//! ```text
//!  match ── fill ──▶ Load (a run aside, unseen) ── finish ──▶ one pointer swapped ──▶ Store::current ──▶ StoredRun ──▶ readers
//!  serve ── Trail::append ──▶ one writer, many entries a commit ──▶ chain records │ personal content, apart
//! ```
//!
//! One trait, two implementations: SQLite (one small head file, one file per run, one trail file) and PostgreSQL (one schema
//! per run). A reader takes a [`StoredRun`] and asks it as often as it likes: it is the run of the moment when it was taken,
//! whole, and stays so while a newer one comes in.

mod address;
pub mod body;
pub mod documents;
mod error;
pub mod fill;
pub mod live;
mod postgres;
mod run;
pub mod sqlite;
mod subject;
pub mod trail;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

pub use address::Address;
pub use error::{Held, StoreError};
pub use run::{PolicyFile, Run, RunId, RunPolicy, RunSummary};
pub use subject::{
    FactState, StoredConflict, StoredFact, StoredGiven, StoredGrant, StoredOffer, StoredSubject, StoredUnknown, StoredVerdict,
};

use crate::register::declaration::SubjectKind;
use trail::{Content, Erasure, Head, Record, Seq};

/// Where runs, the access trail and the little that a server must keep are.
///
/// Every method may be called from any thread of a multi-thread or single-thread tokio runtime. On SQLite, reads of single
/// rows run where they are called (tens of microseconds); what may take longer goes to tokio's blocking threads.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Where it is, without secrets: what messages and logs may say.
    fn place(&self) -> String;

    /// The run that the pointer names now; none when no run was ever loaded.
    ///
    /// On SQLite some microseconds when the pointer has not moved. On PostgreSQL one round trip.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn current(&self) -> Result<Option<Arc<dyn StoredRun>>, StoreError>;

    /// A run by its number; none when it was never loaded, or is no longer kept.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn run(&self, id: RunId) -> Result<Option<Arc<dyn StoredRun>>, StoreError>;

    /// The runs that are kept, newest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn runs(&self) -> Result<Vec<RunSummary>, StoreError>;

    /// Starts to load a run, aside: nobody sees it before [`Load::finish`]. What an earlier load left behind is removed.
    ///
    /// # Errors
    ///
    /// When another load is going on, or the store cannot be written.
    async fn load(&self) -> Result<Box<dyn Load>, StoreError>;

    /// Adds entries to the access trail, in order, in one commit: they are on disk when this returns. `at` is the time in
    /// microseconds since 1970 (UTC); an entry is never put before the one that it follows. Gives the number of the first.
    ///
    /// Callers other than `trail::Trail` make one commit per call.
    ///
    /// # Errors
    ///
    /// When the trail cannot be written; then none of the entries is in it.
    async fn trail_append(&self, at: i64, contents: &[Content]) -> Result<Seq, StoreError>;

    /// Records from a number on, ascending, at most `limit` of them, with their content where it was not erased.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    async fn trail_records(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The entries about a subject, newest first, before a number where one is given, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    async fn trail_about(&self, kind: SubjectKind, id: &str, before: Option<Seq>, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The newest record's number and hash; none for an empty trail.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    async fn trail_head(&self) -> Result<Option<Head>, StoreError>;

    /// Erases the personal content of entries, and says so in an entry of its own, in one commit: chain records stay. Gives
    /// how many entries were erased.
    ///
    /// # Errors
    ///
    /// When the trail cannot be written; then nothing is erased.
    async fn trail_erase(&self, at: i64, erasure: &Erasure) -> Result<u64, StoreError>;

    /// A value that a server keeps: digests of API keys, answers under idempotency keys, drafts, each in a list of its own.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn kept(&self, list: &str, key: &str) -> Result<Option<Kept>, StoreError>;

    /// All of a list, by key.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn kept_all(&self, list: &str) -> Result<Vec<Kept>, StoreError>;

    /// Keeps a value, unless the key is there already: then nothing changes and the value that is there is given back.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn keep_new(&self, list: &str, value: &Kept) -> Result<Option<Kept>, StoreError>;

    /// Keeps a value, in the place of an earlier one under its key.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn keep(&self, list: &str, value: &Kept) -> Result<(), StoreError>;

    /// Removes a value; says whether it was there.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn forget(&self, list: &str, key: &str) -> Result<bool, StoreError>;

    /// Removes the values of a list that were kept before a time (microseconds since 1970, UTC); gives how many.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn forget_before(&self, list: &str, at: i64) -> Result<u64, StoreError>;

    /// Its live part: rows, standing, cases and messages. Where there is none yet, one is made.
    ///
    /// # Errors
    ///
    /// When what is there is something else or newer, or when it cannot be read or written.
    async fn live(&self) -> Result<Arc<dyn live::Live>, StoreError>;

    /// Its live part, where there is one: looking makes nothing.
    ///
    /// # Errors
    ///
    /// As [`Store::live`].
    async fn live_if_there(&self) -> Result<Option<Arc<dyn live::Live>>, StoreError>;
}

/// One run in the store. It does not change, and goes on giving what it gave while newer runs come in.
#[async_trait]
pub trait StoredRun: Send + Sync + fmt::Debug {
    /// What the run was: day, manifest, policies, facts.
    fn run(&self) -> &Arc<Run>;

    /// All that is stored of a subject, by the one form of its identifier; none when the run did not judge it. An identifier
    /// of before a renumbering leads to the subject of today, whose `id` then differs from what was asked.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn subject(&self, kind: SubjectKind, id: &str) -> Result<Option<StoredSubject>, StoreError>;

    /// Identifiers of before a renumbering that lead to subjects of a kind, each with the one of today; by the one of before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn aliases(&self, kind: SubjectKind) -> Result<Vec<(String, String)>, StoreError>;

    /// Subjects in the order of their identifiers, those after one where one is given, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn subjects(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<StoredSubject>, StoreError>;

    /// A result table as `match` writes it (`coverage`, `funnel`, `data_requests`, `conflicts`, `quarantine`: see
    /// [`crate::eligibility::results`]), in batches; empty for a table that the run does not have.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn table(&self, name: &str) -> Result<Vec<RecordBatch>, StoreError>;

    /// The policies folder as it was: every file that was read, by path.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn policy_files(&self) -> Result<Vec<PolicyFile>, StoreError>;
}

/// A run that is being loaded. Dropped before [`Load::finish`], it leaves nothing that a reader could see.
#[async_trait]
pub trait Load: Send {
    /// Adds subjects of one kind, encoded, in ascending order of identifiers; kinds in the order of [`SubjectKind::ALL`].
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn subjects(&mut self, kind: SubjectKind, rows: Vec<EncodedSubject>) -> Result<(), StoreError>;

    /// Adds identifiers of before a renumbering, with those of today.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn aliases(&mut self, kind: SubjectKind, aliases: Vec<(String, String)>) -> Result<(), StoreError>;

    /// Adds a part of a named document of the run: a result table as Arrow IPC, the policies folder, the run itself.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    async fn document(&mut self, name: &str, part: u32, body: Vec<u8>) -> Result<(), StoreError>;

    /// Brings all to the disk, swaps the pointer in one transaction, and removes old runs beyond the `keep` newest (the one
    /// that was current before stays at least until the next load).
    ///
    /// # Errors
    ///
    /// When something cannot be written; the pointer then names the run that it named before.
    async fn finish(self: Box<Self>, summary: RunSummary, keep: usize) -> Result<RunId, StoreError>;
}

/// A subject as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedSubject {
    /// Its identifier.
    pub id: String,
    /// All else.
    pub body: Vec<u8>,
}

/// A value that a server keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Under which key.
    pub key: String,
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// What; the store does not look into it.
    pub body: Vec<u8>,
}
