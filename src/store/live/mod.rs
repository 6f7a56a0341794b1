//! The live part of a store: what changes hour by hour, in one database that commits it together.
//!
//! ```text
//!  stream ─┐                          ┌─ rows by subject, mentions        (what registers say now)
//!          │                          ├─ standing, timers, the day        (what follows from it, and until when)
//!  ledger ─┼─▶ Batch ── one commit ──▶├─ positions                        (how far each source was read)
//!          │                          ├─ cases and their events, chained  (grants on their way)
//!  push   ─┘                          └─ messages                         (what people are to hear)
//! ```
//!
//! The store does not look into bodies: stream, ledger and push write and read them. It answers for three things only: all
//! of a batch or nothing of it is there; a batch of a holder whose lease went to another is refused; events of cases are
//! chained without a gap (see [`super::trail`], whose records they share the form of).
//!
//! Rows, standing, timers, day and positions belong to a *generation*: a new one is filled aside and becomes the current one
//! in one transaction. Cases and messages belong to none and stay.

mod batch;
mod chain;
pub(super) mod due;
mod filter;
mod pages;
mod verify;

use std::fmt;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::StoreError;
use super::trail::{Digest, Head, Seq};
use crate::register::declaration::SubjectKind;
pub(super) use batch::{NO_DAY, behind, day_of, kind_number, kind_of, state_number, state_of};
pub(super) use chain::chained;
pub use pages::CasePages;
pub use verify::{CaseFault, VerifiedEvents, verify_events};

/// A live store. Every method may be called from any thread of a tokio runtime.
#[async_trait]
pub trait Live: Send + Sync + fmt::Debug {
    // ---- who writes ----

    /// Takes or renews the lease on the stream: one holder at a time applies changes. Times in microseconds since 1970 (UTC).
    /// Taking it from another whose time is over raises the epoch, so that nothing of the other can be committed any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] (`Held::Lease`) while another holds it; else when the store cannot be written.
    async fn lease(&self, holder: &str, now: i64, until: i64) -> Result<Fence, StoreError>;

    /// Who holds the lease, whether or not its time is over; none when nobody does.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn leased(&self) -> Result<Option<Fence>, StoreError>;

    /// Gives the lease back, if the fence still holds it.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn release(&self, fence: &Fence) -> Result<(), StoreError>;

    // ---- the stream's state ----

    /// The state that the current generation is in; none before the first was filled.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn state(&self) -> Result<Option<LiveState>, StoreError>;

    /// The number of the current generation; none before the first was filled. Another one is never the same again.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn generation(&self) -> Result<Option<i64>, StoreError>;

    /// How far sources were read.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn positions(&self) -> Result<Vec<Position>, StoreError>;

    /// The rows of all registers of the subjects named, by identifier and register; identifiers without rows are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rows(&self, ids: &[&str]) -> Result<Vec<RowsOf>, StoreError>;

    /// The rows of some registers of the subjects named, by identifier and register; identifiers without rows are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rows_in(&self, registers: &[&str], ids: &[&str]) -> Result<Vec<RowsOf>, StoreError>;

    /// The rows of all registers and subjects, by identifier and register, those after one where one is given, at most `limit` of
    /// them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn rows_after(&self, after: Option<(&str, &str)>, limit: usize) -> Result<Vec<RowsOf>, StoreError>;

    /// Where the identifiers named stand in rows of others in one register, by identifier and owner. Some stand in very many
    /// (a large employer in those of its people), so that nobody should ask for registers that are of no use.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn mentions(&self, register: &str, ids: &[&str]) -> Result<Vec<Mention>, StoreError>;

    /// Whoever stands in identity links that lie under others, by identifier and owner.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn linked(&self) -> Result<Vec<Mention>, StoreError>;

    /// What stands of the subjects named; those of whom nothing is stored are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn standing(&self, kind: SubjectKind, ids: &[&str]) -> Result<Vec<Standing>, StoreError>;

    /// The state of the current generation with what stands of one subject, both of one moment; none before the first generation
    /// was filled. On SQLite it is read where it is called, in tens of microseconds; on PostgreSQL in one round trip.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn stands(&self, kind: SubjectKind, id: &str) -> Result<Option<(LiveState, Option<Standing>)>, StoreError>;

    /// Standing in the order of identifiers, those after one where one is given, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn standing_after(&self, kind: SubjectKind, after: Option<&str>, limit: usize) -> Result<Vec<Standing>, StoreError>;

    /// Timers that fall due on or before a day, by day, kind and identifier, those after one where one is given, at most
    /// `limit` of them. Whoever was touched ([`Batch::touched`]) is due on the day after that of the state, without a body.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due(&self, until: NaiveDate, after: Option<&TimerKey>, limit: usize) -> Result<Vec<Timer>, StoreError>;

    /// How many timers fall due on each day until one, ascending; days on which none does are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due_counts(&self, until: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError>;

    /// Starts to fill a new generation, aside. What an earlier filling left behind is removed.
    ///
    /// # Errors
    ///
    /// When another filling is going on, or the store cannot be written.
    async fn fill(&self) -> Result<Box<dyn LiveFill>, StoreError>;

    // ---- everything that is written together ----

    /// Commits a batch: all of it is on the disk when this returns, or nothing of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] when the lease is another's, the generation is not the one that the batch is about, or a source is not
    /// at the position that the batch begins at;
    /// [`StoreError::Raced`] when a case is not at the version that the batch takes it to be at; else when the store cannot be
    /// written.
    async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError>;

    // ---- cases ----

    /// A case as it is now.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn case(&self, id: &str) -> Result<Option<CaseRow>, StoreError>;

    /// The cases named, as they are now, in the order of their identifiers; those that are not there are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn cases_named(&self, ids: &[&str]) -> Result<Vec<CaseRow>, StoreError>;

    /// The cases of the subjects named, of whatever kind, by subject, kind and identifier.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn cases_about(&self, subjects: &[&str]) -> Result<Vec<CaseRow>, StoreError>;

    /// Cases that pass a filter, in the order of their identifiers, or of what falls due first where the filter asks for it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError>;

    /// How many cases stand at each step, by policy; of a region and below where one is given (a code's prefix).
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn case_counts(&self, region: Option<&str>) -> Result<Vec<CaseCount>, StoreError>;

    /// The events of a case, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn case_events(&self, case: &str) -> Result<Vec<CaseEvent>, StoreError>;

    /// Events of all cases, by their number from one on, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn events_from(&self, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError>;

    /// The newest event's number, time and hash; none when there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn events_head(&self) -> Result<Option<Head>, StoreError>;

    /// Erases the content of a case's events and of the messages about it that do not wait any more; the chain stays, and so do
    /// numbers, times and states. `kept` takes the place of its row. Gives how many events' content was erased.
    ///
    /// # Errors
    ///
    /// [`StoreError::Raced`] when the case is not at the version of `kept`, or is not there; else when the store cannot be written.
    async fn erase_case(&self, kept: &CaseRow) -> Result<u64, StoreError>;

    // ---- messages ----

    /// A message as it is now.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn message(&self, id: &str) -> Result<Option<MessageRow>, StoreError>;

    /// The messages of a case, oldest first.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn messages_of(&self, case: &str) -> Result<Vec<MessageRow>, StoreError>;

    /// Messages of a channel that wait and whose time has come, those whose time came first, first, then by number; at most one
    /// per subject (the oldest of the channel that waits, and none of a subject whose oldest one's time has not come: so order
    /// is kept per subject), at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn outbox(&self, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError>;

    /// How many messages are in each state, by channel.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn message_counts(&self) -> Result<Vec<MessageCount>, StoreError>;

    /// Messages in a state, oldest first, those after one where one is given (its number), at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn messages_in(&self, state: MessageState, after: Option<u64>, limit: usize) -> Result<Vec<MessageRow>, StoreError>;
}

/// A generation that is being filled. Dropped before [`LiveFill::finish`], it leaves nothing that a reader could see.
#[async_trait]
pub trait LiveFill: Send {
    /// Adds rows of subjects, each (identifier, register) once; ascending is fastest.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn rows(&mut self, rows: Vec<RowsOf>) -> Result<(), StoreError>;

    /// Adds mentions, each once.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn mentions(&mut self, mentions: Vec<Mention>) -> Result<(), StoreError>;

    /// Adds standing, each (kind, identifier) once.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    async fn standing(&mut self, standing: Vec<Standing>) -> Result<(), StoreError>;

    /// Adds timers, each (kind, identifier) once.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn timers(&mut self, timers: Vec<Timer>) -> Result<(), StoreError>;

    /// Makes it the current generation, in one transaction, with these positions, and removes the one before.
    ///
    /// # Errors
    ///
    /// When it cannot be written: the generation of before then stays the current one.
    async fn finish(self: Box<Self>, state: LiveState, positions: Vec<Position>) -> Result<(), StoreError>;
}

/// What a holder of the lease must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Who holds it.
    pub holder: String,
    /// Rises each time that the lease goes to another.
    pub epoch: u64,
}

/// What the stream's state speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveState {
    /// The day that verdicts are about.
    pub as_of: NaiveDate,
    /// What else the stream must know of it (policies, data days): its own to write and to read.
    pub body: Vec<u8>,
}

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Which source, such as `kafka:registers` or `file:changes.ndjson`.
    pub source: String,
    /// Which part of it; 0 where it has one.
    pub partition: i32,
    /// Where to go on reading: the first that was not applied.
    pub next: i64,
}

/// One step of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionStep {
    /// Which source.
    pub source: String,
    /// Which part of it.
    pub partition: i32,
    /// Where it must be now; none where it was never read.
    pub from: Option<i64>,
    /// Where it is after the batch.
    pub to: i64,
}

/// The rows that one register has under one identifier (the register's key).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowsOf {
    /// The identifier, in its one form.
    pub id: String,
    /// The register.
    pub register: String,
    /// The rows; in a batch, an empty body removes them.
    pub body: Vec<u8>,
}

/// An identifier that stands in a row of another: a mother in the row of a birth, a household in that of its member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    /// Who stands there.
    pub id: String,
    /// In which register.
    pub register: String,
    /// Under which identifier the row is.
    pub owner: String,
}

/// What stands of one subject: its dossier, verdicts and grants before allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Kind.
    pub kind: SubjectKind,
    /// Identifier.
    pub id: String,
    /// As [`super::body`] has it; in a batch, an empty body removes it.
    pub body: Vec<u8>,
}

/// Which timer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey {
    /// The next day on which a verdict of the subject may change.
    pub day: NaiveDate,
    /// Kind.
    pub kind: SubjectKind,
    /// Identifier.
    pub id: String,
}

/// When the verdicts of a subject may change though nothing changes but the day. One per subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// When, and whose.
    pub key: TimerKey,
    /// Which policies on which days: the stream's own to write and to read.
    pub body: Vec<u8>,
}

/// A timer set anew, or none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerStep {
    /// Kind.
    pub kind: SubjectKind,
    /// Identifier.
    pub id: String,
    /// The day and the body; none: no timer.
    pub set: Option<(NaiveDate, Vec<u8>)>,
}

/// What is committed together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// When, in microseconds since 1970 (UTC): the time of events.
    pub at: i64,
    /// Required where anything of a generation is written.
    pub fence: Option<Fence>,
    /// The generation that it is about, where that must be the current one.
    pub generation: Option<i64>,
    /// How far sources are read with it.
    pub positions: Vec<PositionStep>,
    /// Rows that changed, whole.
    pub rows: Vec<RowsOf>,
    /// Mentions that are new.
    pub mentioned: Vec<Mention>,
    /// Mentions that are no more.
    pub unmentioned: Vec<Mention>,
    /// What stands now.
    pub standing: Vec<Standing>,
    /// When it may change.
    pub timers: Vec<TimerStep>,
    /// Subjects that are due on the day after that of the state, whatever their timer says, until that is set anew.
    pub touched: Vec<(SubjectKind, String)>,
    /// The new state, where the day or what it rests on changed.
    pub state: Option<LiveState>,
    /// Cases made or moved on, each once.
    pub cases: Vec<CaseStep>,
    /// Messages to be sent. One whose identifier is there already is left out: it was asked for before.
    pub messages: Vec<NewMessage>,
    /// What became of messages.
    pub deliveries: Vec<DeliveryStep>,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The newest event of all cases after it.
    pub head: Option<Head>,
    /// How many of the messages were there already.
    pub folded: u64,
}

/// A case as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    /// Identifier: the same for the same grant, whoever finds it.
    pub id: String,
    /// The policy.
    pub policy: String,
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: String,
    /// Where the subject is counted; empty when unknown.
    pub region: String,
    /// The department that answers for it.
    pub department: String,
    /// The period of the grant; empty where it has none.
    pub period: String,
    /// The step it stands at: a word of the ledger.
    pub step: String,
    /// Whether it waits for an official's review.
    pub in_review: bool,
    /// The day by which something must happen; none where nothing must.
    pub due: Option<NaiveDate>,
    /// How many events it has.
    pub version: u64,
    /// When the newest was, in microseconds since 1970 (UTC).
    pub at: i64,
    /// All else: the ledger's own to write and to read.
    pub body: Vec<u8>,
}

/// A case made or moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseStep {
    /// How it is afterwards; `version` and `at` are given by the store.
    pub row: CaseRow,
    /// The version that it must be at now: 0 for a case that is to be made.
    pub expect: u64,
    /// The events, in order; at least one.
    pub events: Vec<Vec<u8>>,
}

/// An event of a case, as it is chained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseEvent {
    /// Its number among the events of all cases: counts from 1 without gaps.
    pub seq: Seq,
    /// The case; it is part of what is digested.
    pub case: String,
    /// Its number in the case: counts from 1.
    pub version: u64,
    /// When, in microseconds since 1970 (UTC); never before the event before.
    pub at: i64,
    /// The salted digest of case, version and content.
    pub digest: Digest,
    /// The hash of the event before, of `digest`, `at` and `seq`, as [`super::trail`] makes it.
    pub hash: Digest,
    /// Salt and content, as it was written by the ledger; none once erased.
    pub content: Option<([u8; 16], Vec<u8>)>,
}

/// Which cases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaseFilter {
    /// Of a policy.
    pub policy: Option<String>,
    /// At one of these steps; empty: at any.
    pub steps: Vec<String>,
    /// Of a department.
    pub department: Option<String>,
    /// Of a region and below: the beginning of its code that they share.
    pub region: Option<String>,
    /// Of one of these subjects; empty: of any.
    pub subjects: Vec<(SubjectKind, String)>,
    /// In review, or not.
    pub in_review: Option<bool>,
    /// Due on or before a day.
    pub due_until: Option<NaiveDate>,
    /// Those that fall due first, first; those without a day last.
    pub by_due: bool,
    /// After this one, in the order asked for.
    pub after: Option<CaseCursor>,
    /// At most so many.
    pub limit: usize,
}

/// Where a page of cases ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseCursor {
    /// The day of the last one.
    pub due: Option<NaiveDate>,
    /// The last one.
    pub id: String,
}

/// How many cases stand at a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CaseCount {
    /// The policy.
    pub policy: String,
    /// The step.
    pub step: String,
    /// How many.
    pub cases: u64,
    /// How many of them wait for a review.
    pub in_review: u64,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageState {
    /// To be sent, or to be tried again.
    Waiting,
    /// Taken by the channel.
    Sent,
    /// Given up after too many tries, or refused for good.
    Dead,
    /// Not to be sent any more: the subject opted out, or the grant was withdrawn before.
    Dropped,
}

impl MessageState {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Dead, Self::Dropped];

    /// The word in stores and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }

    /// The state that a word names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Identifier: the same for the same occasion to tell, whoever asks for it and however often.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// To whom, or about whom: order is kept per subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: String,
    /// The cases that it is about.
    pub cases: Vec<String>,
    /// When it may be sent, in microseconds since 1970 (UTC).
    pub not_before: i64,
    /// What it says: push's own to write and to read.
    pub body: Vec<u8>,
}

/// A message as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its number, in the order in which messages were asked for.
    pub number: u64,
    /// What was asked for. `not_before` is when it is to be tried next.
    pub message: NewMessage,
    /// When it was asked for.
    pub at: i64,
    /// What became of it.
    pub state: MessageState,
    /// How often it was tried.
    pub tries: u32,
    /// What the channel said last; empty before the first try.
    pub told: String,
    /// When its state changed last.
    pub changed_at: i64,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryStep {
    /// Which.
    pub id: String,
    /// Its state afterwards.
    pub state: MessageState,
    /// How often it was tried by then.
    pub tries: u32,
    /// When it is to be tried next.
    pub not_before: i64,
    /// What the channel said.
    pub told: String,
}

/// How many messages of a channel are in a state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageCount {
    /// The channel.
    pub channel: String,
    /// The state.
    pub state: MessageState,
    /// How many.
    pub messages: u64,
}
