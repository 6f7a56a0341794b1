//! What could not be read: kept with its place, masked, and counted exactly.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::declaration::{ColumnType, RegisterColumn};
use super::identifier::{mask, mask_name};
use crate::diagnostic::Message;

/// Why a row or a value is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The identifier breaks GB 11643 or GB 32100.
    BadIdentifier,
    /// An earlier row has the same key.
    DuplicateKey,
    /// Not in the column's code list, nor one of its labels.
    UnknownCode,
    /// Not of the column's type.
    Uncastable,
    /// No value where one must be.
    MissingRequired,
    /// Below the minimum, above the maximum, or a spell that ends before it begins.
    OutOfRange,
    /// Not in the tree of regions.
    UnknownRegion,
    /// More or fewer fields than the header.
    RaggedRow,
    /// Bytes that are no text in the declared encoding, or a NUL.
    BadEncoding,
}

impl Reason {
    /// The stable word in files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BadIdentifier => "bad-identifier",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownCode => "unknown-code",
            Self::Uncastable => "uncastable",
            Self::MissingRequired => "missing-required",
            Self::OutOfRange => "out-of-range",
            Self::UnknownRegion => "unknown-region",
            Self::RaggedRow => "ragged-row",
            Self::BadEncoding => "bad-encoding",
        }
    }

    /// For people.
    #[must_use]
    pub fn message(self) -> Message {
        let (zh, en) = match self {
            Self::BadIdentifier => ("编号不合校验规则", "the identifier does not pass its check"),
            Self::DuplicateKey => ("与前面的行重复", "repeats an earlier row"),
            Self::UnknownCode => ("不在代码表中", "not in the code list"),
            Self::Uncastable => ("类型不对", "not of the declared type"),
            Self::MissingRequired => ("缺少必填值", "a required value is missing"),
            Self::OutOfRange => ("超出允许范围", "out of range"),
            Self::UnknownRegion => ("不在区划表中", "not in the tree of regions"),
            Self::RaggedRow => ("字段数与表头不符", "more or fewer fields than the header"),
            Self::BadEncoding => ("含有空字符 (NUL) 或无法解码的字节", "a NUL, or bytes that cannot be decoded"),
        };
        Message::new(zh, en)
    }
}

/// How much is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The whole row is not used.
    Row,
    /// The value is unknown, the rest of the row is used.
    Cell,
}

impl Scope {
    /// The stable word in files.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Cell => "cell",
        }
    }
}

/// One row or value set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Register.
    pub register: Arc<str>,
    /// File, as `sources.yaml` leads to it.
    pub file: Arc<str>,
    /// Row of the file, from 1; the header does not count.
    pub row: u64,
    /// Declared column; empty where the row as a whole is at fault.
    pub column: Arc<str>,
    /// The value as it may be shown.
    pub value: String,
    /// Why.
    pub reason: Reason,
    /// How much.
    pub scope: Scope,
    /// The subject of the row, where its identifier could be read. Not masked: never to be shown.
    pub subject: Option<String>,
}

impl Quarantined {
    /// Whether something about the subject is not known for it: a whole row is set aside, and not only repeats another.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        self.scope == Scope::Row && self.reason != Reason::DuplicateKey
    }
}

/// Everything set aside while reading a register.
#[derive(Debug, Clone, Default)]
pub struct Quarantine {
    /// In the order of files and rows, up to the limit.
    pub entries: Vec<Quarantined>,
    /// Exact counts by column, reason and scope. A row counts once, under its first fault.
    pub counts: BTreeMap<(Arc<str>, Reason, Scope), u64>,
    limit: usize,
}

impl Quarantine {
    /// An empty one that keeps up to `limit` entries.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// How many entries are kept at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets one aside.
    pub fn add(&mut self, entry: Quarantined) {
        *self.counts.entry((Arc::clone(&entry.column), entry.reason, entry.scope)).or_default() += 1;
        if self.entries.len() < self.limit {
            self.entries.push(entry);
        }
    }

    /// Rows set aside.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.count(|_, scope| scope == Scope::Row)
    }

    /// Values set aside in rows that are used.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.count(|_, scope| scope == Scope::Cell)
    }

    /// Entries with a reason, rows and values together.
    #[must_use]
    pub fn with_reason(&self, reason: Reason) -> u64 {
        self.count(|other, _| other == reason)
    }

    /// Whether some entries are only counted.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.counts.values().sum::<u64>() > self.entries.len() as u64
    }

    fn count(&self, wanted: impl Fn(Reason, Scope) -> bool) -> u64 {
        self.counts.iter().filter(|((_, reason, scope), _)| wanted(*reason, *scope)).map(|(_, count)| count).sum()
    }
}

/// A value of a column as it may be shown: identifiers and sensitive columns masked, the rest cut short.
pub(super) fn shown(column: &RegisterColumn, value: &str) -> String {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let identifies = matches!(column.column_type, ColumnType::PersonId | ColumnType::EntityId | ColumnType::HouseholdId);
    if identifies || digits >= 11 {
        return mask(value);
    }
    if column.sensitive {
        return if digits > 0 { mask(value) } else { mask_name(value) };
    }
    let mut characters = value.chars();
    let mut text: String = characters.by_ref().take(40).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}
