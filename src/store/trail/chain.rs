//! The chain: salted digests of contents, each record bound to the one before by SM3 (GB/T 32905).

use sm3::{Digest as _, Sm3};

use super::content::Content;

/// The number of a record: counts from 1 without gaps.
pub type Seq = u64;

/// An SM3 digest.
pub type Digest = [u8; 32];

/// What the first record follows.
pub const GENESIS: Digest = [0; 32];

/// One entry as the trail has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// When, in microseconds since 1970 (UTC); never before the record before.
    pub at: i64,
    /// The salted digest of its content.
    pub digest: Digest,
    /// The hash of the record before, of `digest`, `at` and `seq`.
    pub hash: Digest,
    /// Salt and content, as they were written; none once erased.
    pub content: Option<Salted>,
}

/// A content as it was written, with its salt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salted {
    /// Random.
    pub salt: [u8; 16],
    /// JSON.
    pub text: Vec<u8>,
}

impl Record {
    /// What the entry says; none when it was erased or cannot be read.
    #[must_use]
    pub fn said(&self) -> Option<Content> {
        serde_json::from_slice(&self.content.as_ref()?.text).ok()
    }
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest record.
    pub seq: Seq,
    /// Its time.
    pub at: i64,
    /// Its hash.
    pub hash: Digest,
}

/// SM3(salt || content).
#[must_use]
pub fn digest_of(content: &Salted) -> Digest {
    Sm3::new().chain_update(content.salt).chain_update(&content.text).finalize().into()
}

/// SM3(hash of the record before || digest || time || number), both as eight bytes, highest first.
#[must_use]
pub fn hash_of(before: &Digest, digest: &Digest, at: i64, seq: Seq) -> Digest {
    let hash = Sm3::new().chain_update(before).chain_update(digest).chain_update(at.to_be_bytes()).chain_update(seq.to_be_bytes());
    hash.finalize().into()
}
