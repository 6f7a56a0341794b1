//! Verifying a trail: every record follows the one before, every content is the one that was digested or was erased in due
//! form, and the heads that were signed are where they were.

use std::collections::BTreeMap;

use super::chain::{Digest, GENESIS, Head, Record, Seq, digest_of, hash_of};
use super::content::erased;
use crate::diagnostic::Message;
use crate::store::{Store, StoreError};

/// Records that are read at a time.
pub(in crate::store) const PAGE: usize = 4_096;

/// Something that does not hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Records are missing between two that are there, or before the first.
    Gap {
        /// The first missing.
        from: Seq,
        /// The next that is there.
        to: Seq,
    },
    /// The record was edited or moved, or follows one that is not there.
    Edited(Seq),
    /// The time runs back.
    TimeBack(Seq),
    /// The content is not the one that was digested.
    ContentEdited(Seq),
    /// The content is gone, and no entry says that it was erased.
    ContentGone(Seq),
    /// A signed head is beyond the end: the tail was cut.
    TailCut(Seq),
    /// The record of a signed head is another: the chain was written anew.
    HeadDiffers(Seq),
    /// The signature of a head does not verify.
    BadSignature(Seq),
}

impl Fault {
    /// The entry that it is about.
    #[must_use]
    pub fn seq(self) -> Seq {
        match self {
            Self::Gap { from: seq, .. }
            | Self::Edited(seq)
            | Self::TimeBack(seq)
            | Self::ContentEdited(seq)
            | Self::ContentGone(seq)
            | Self::TailCut(seq)
            | Self::HeadDiffers(seq)
            | Self::BadSignature(seq) => seq,
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> Message {
        match self {
            Self::Gap { from, to } => {
                Message::new(format!("第 {from} 条至第 {} 条缺失", to - 1), format!("records {from} to {} are missing", to - 1))
            }
            Self::Edited(seq) => Message::new(format!("第 {seq} 条被改动或调换了位置"), format!("record {seq} was edited or moved")),
            Self::TimeBack(seq) => {
                Message::new(format!("第 {seq} 条的时间早于上一条"), format!("record {seq} is earlier than the one before"))
            }
            Self::ContentEdited(seq) => Message::new(format!("第 {seq} 条的内容被改动"), format!("the content of record {seq} was edited")),
            Self::ContentGone(seq) => Message::new(
                format!("第 {seq} 条的内容不见了, 没有删除记录说明"),
                format!("the content of record {seq} is gone, and no entry says that it was erased"),
            ),
            Self::TailCut(seq) => Message::new(
                format!("已签名的第 {seq} 条不见了: 末尾被截"),
                format!("record {seq} was signed and is gone: the tail was cut"),
            ),
            Self::HeadDiffers(seq) => Message::new(
                format!("第 {seq} 条与签名的链头不符: 链条被重写"),
                format!("record {seq} is not the one that was signed: the chain was written anew"),
            ),
            Self::BadSignature(seq) => {
                Message::new(format!("链头 (第 {seq} 条) 的签名不对"), format!("the signature of the head at record {seq} does not verify"))
            }
        }
    }
}

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// Of those, how many were erased in due form.
    pub erased: u64,
    /// The newest record.
    pub head: Option<Head>,
    /// Heads that were compared.
    pub heads: u64,
    /// What does not hold together, in the order of records.
    pub faults: Vec<Fault>,
}

/// Reads the whole trail and holds it against its own chain and against heads that were signed; `None` stands for one whose
/// signature does not verify.
///
/// # Errors
///
/// When the trail cannot be read.
pub async fn verify(store: &dyn Store, heads: &[(Seq, Option<Head>)]) -> Result<Verified, StoreError> {
    let mut links = Links::new(heads);
    let mut allowed: Vec<(Seq, Seq)> = Vec::new();
    loop {
        let page = store.trail_records(links.next(), PAGE).await?;
        for record in &page {
            links.step(record, record.content.as_ref().map(digest_of));
            allowed.extend(record.said().iter().flat_map(erased).filter(|(_, last)| *last < record.seq));
        }
        if page.len() < PAGE {
            break;
        }
    }
    allowed.sort_unstable();
    Ok(links.end(|seq| is_in(&allowed, seq)))
}

/// What heads that were signed say of a chain that is not there.
#[must_use]
pub fn verify_nothing(heads: &[(Seq, Option<Head>)]) -> Verified {
    Links::new(heads).end(|_| false)
}

/// A chain that is walked from its first record on, and held against heads that were signed.
pub(in crate::store) struct Links {
    verified: Verified,
    wanted: BTreeMap<Seq, Vec<Head>>,
    before: Digest,
    at: i64,
    next: Seq,
    gone: Vec<Seq>,
}

impl Links {
    /// Before the first record; `None` stands for a head whose signature does not verify.
    pub(in crate::store) fn new(heads: &[(Seq, Option<Head>)]) -> Self {
        let mut verified = Verified { heads: heads.len() as u64, ..Verified::default() };
        let mut wanted: BTreeMap<Seq, Vec<Head>> = BTreeMap::new();
        for (seq, head) in heads {
            match head {
                Some(head) => wanted.entry(head.seq).or_default().push(*head),
                None => verified.faults.push(Fault::BadSignature(*seq)),
            }
        }
        Self { verified, wanted, before: GENESIS, at: i64::MIN, next: 1, gone: Vec::new() }
    }

    /// The number of the record that is to follow.
    pub(in crate::store) fn next(&self) -> Seq {
        self.next
    }

    /// Takes the next record that is there, with the digest that its content has now; none where the content is gone.
    pub(in crate::store) fn step(&mut self, record: &Record, content: Option<Digest>) {
        let seq = record.seq;
        let faults = &mut self.verified.faults;
        if seq != self.next {
            faults.push(Fault::Gap { from: self.next, to: seq });
        }
        if record.hash != hash_of(&self.before, &record.digest, record.at, seq) {
            faults.push(Fault::Edited(seq));
        }
        if record.at < self.at {
            faults.push(Fault::TimeBack(seq));
        }
        match content {
            None => self.gone.push(seq),
            Some(digest) if digest != record.digest => faults.push(Fault::ContentEdited(seq)),
            Some(_) => {}
        }
        for head in self.wanted.remove(&seq).unwrap_or_default() {
            if (head.hash, head.at) != (record.hash, record.at) {
                faults.push(Fault::HeadDiffers(seq));
            }
        }
        self.verified.records += 1;
        self.verified.head = Some(Head { seq, at: record.at, hash: record.hash });
        (self.before, self.at, self.next) = (record.hash, record.at, seq.saturating_add(1));
    }

    /// What was found, after the last record; `was_erased` says whether the content of a record is gone in due form.
    pub(in crate::store) fn end(self, was_erased: impl Fn(Seq) -> bool) -> Verified {
        let mut verified = self.verified;
        for seq in self.gone {
            if was_erased(seq) {
                verified.erased += 1;
            } else {
                verified.faults.push(Fault::ContentGone(seq));
            }
        }
        verified.faults.extend(self.wanted.into_keys().map(Fault::TailCut));
        verified.faults.sort_by_key(|fault| (fault.seq(), *fault));
        verified
    }
}

/// Whether one of the ranges holds the number. Ranges of different erasures do not overlap: content is erased once.
fn is_in(ranges: &[(Seq, Seq)], seq: Seq) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= seq);
    ranges[..after].last().is_some_and(|(_, last)| *last >= seq)
}
