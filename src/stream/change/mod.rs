//! From events as they come in to changes of typed rows.
//!
//! ```text
//!  RawEvent ── envelope (Debezium, or plain rows) ──▶ images ── cast by the rules of reading registers ──▶ Change
//!      └───────────── what cannot be read ──────────────────────────────┴─▶ Refused (dead letters)
//! ```
//!
//! Events are taken in batches: all images of a register are cast together, as columns.

mod decode;
mod encoding;
mod envelope;
mod lane;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;

pub use decode::{Decoder, TopicRule};
pub use encoding::Encoding;

use super::order::Order;
use crate::diagnostic::Message;
use crate::register::quarantine::{Reason, Scope};

/// An event as its source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Where it comes from.
    pub origin: Origin,
    /// The topic, or what else tells the register; none where the event itself says it.
    pub topic: Option<Arc<str>>,
    /// The key of the message; none where it has none.
    pub key: Option<Bytes>,
    /// What it says; none: a tombstone, all that was told under the key is gone.
    pub payload: Option<Bytes>,
    /// When it came in, in microseconds since 1970 (UTC).
    pub arrived: i64,
}

/// The place of an event in its source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Which source, as positions in the store name it: `file:changes.ndjson`, `kafka:registers`.
    pub source: Arc<str>,
    /// Which part of it; 0 where it has one.
    pub partition: i32,
    /// Its position there.
    pub position: i64,
    /// Where reading goes on behind it.
    pub next: i64,
}

/// What an event says has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// The row is new.
    Insert,
    /// The row is another now.
    Update,
    /// The row is gone.
    Delete,
    /// The row is there: read when a source took stock of a table.
    Read,
}

/// A row, typed.
#[derive(Debug, Clone)]
pub struct Image {
    /// Rows of the register's declared columns ([`crate::register::declaration::arrow_schema`]).
    pub batch: Arc<RecordBatch>,
    /// Which of them.
    pub row: usize,
    /// Whether the whole row is told; else only the columns that identify it (`unique` of the declaration), and the others are null.
    pub whole: bool,
}

/// A change of one row of a register.
#[derive(Debug, Clone)]
pub struct Change {
    /// The register.
    pub register: Arc<str>,
    /// Where the event came from.
    pub origin: Origin,
    /// Its place among the events about the same row.
    pub order: Order,
    /// What happened.
    pub op: Op,
    /// The row before, where it is told. Always for deletions; where `before` and `after` have other keys, the row has moved.
    pub before: Option<Image>,
    /// The row as it is now; none for deletions.
    pub after: Option<Image>,
}

/// Why an event, or a value of it, cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// As a row of a register's file could not be.
    Value(Reason),
    /// No JSON, or not of the shape of an event.
    NotAnEvent,
    /// Of no declared register.
    UnknownRegister,
    /// An operation that is not known.
    UnknownOperation,
    /// A whole table was emptied.
    Truncated,
    /// The row that it speaks of is not told.
    NoRow,
    /// A declared column is not in the row.
    MissingColumn,
    /// The source does not tell a value that did not change, and the row before does not have it either.
    Unavailable,
}

/// An event, or a value of it, that cannot be used.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The event as it came in.
    pub event: RawEvent,
    /// The register, where it is known.
    pub register: Option<Arc<str>>,
    /// The field; empty where the event as a whole is at fault.
    pub field: Arc<str>,
    /// The value as it may be shown.
    pub value: String,
    /// Why.
    pub cause: Cause,
    /// Whether the whole event is set aside, or the value is unknown and the rest of it is used.
    pub scope: Scope,
}

/// What became of a batch of events.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// In the order of the events.
    pub changes: Vec<Change>,
    /// In the order of the events, then fields.
    pub refused: Vec<Refused>,
    /// Events that say nothing new by themselves: tombstones behind deletions, heartbeats, messages of the log.
    pub passed_over: u64,
}

impl Cause {
    /// The stable word in files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Value(reason) => reason.code(),
            Self::NotAnEvent => "not-an-event",
            Self::UnknownRegister => "unknown-register",
            Self::UnknownOperation => "unknown-operation",
            Self::Truncated => "truncated",
            Self::NoRow => "no-row",
            Self::MissingColumn => "missing-column",
            Self::Unavailable => "unavailable",
        }
    }

    /// For people.
    #[must_use]
    pub fn message(self) -> Message {
        let (zh, en) = match self {
            Self::Value(reason) => return reason.message(),
            Self::NotAnEvent => ("不是变更事件", "not a change event"),
            Self::UnknownRegister => ("没有声明过的库", "of no declared register"),
            Self::UnknownOperation => ("不认识的操作", "an operation that is not known"),
            Self::Truncated => ("整表清空不作为变更处理, 请重新装载", "a table emptied as a whole is no change: load the register anew"),
            Self::NoRow => ("没有说明是哪一行", "the row that it speaks of is not told"),
            Self::MissingColumn => ("缺少声明过的列", "a declared column is not in the row"),
            Self::Unavailable => ("来源没有给出未变的值", "the source does not tell a value that did not change"),
        };
        Message::new(zh, en)
    }
}
