//! The chain: salted digests of contents, each record bound to the one before by SM3 (GB/T 32905).

use rand::TryRng;
use rand::rngs::SysRng;
use sm3::{Digest as _, Sm3};

use super::content::Content;
use crate::store::StoreError;

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

/// Contents as JSON, each with a salt of its own.
///
/// # Errors
///
/// When the system gives no random bytes.
pub fn salted(contents: &[Content]) -> Result<Vec<Salted>, StoreError> {
    let failed = |error: serde_json::Error| StoreError::Failed(error.to_string());
    let salted = |(content, salt)| Ok(Salted { salt, text: serde_json::to_vec(content).map_err(failed)? });
    contents.iter().zip(salts(contents.len())?).map(salted).collect()
}

/// So many salts.
///
/// # Errors
///
/// When the system gives no random bytes.
pub fn salts(count: usize) -> Result<Vec<[u8; 16]>, StoreError> {
    let mut salts = vec![[0_u8; 16]; count];
    SysRng.try_fill_bytes(salts.as_flattened_mut()).map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(salts)
}

/// The records that follow a head, all of one time.
#[must_use]
pub fn link(before: Option<Head>, at: i64, contents: Vec<Salted>) -> Vec<Record> {
    let mut head = before.unwrap_or(Head { seq: 0, at: i64::MIN, hash: GENESIS });
    let at = at.max(head.at);
    let record = |content: Salted| {
        let (seq, digest) = (head.seq + 1, digest_of(&content));
        let hash = hash_of(&head.hash, &digest, at, seq);
        head = Head { seq, at, hash };
        Record { seq, at, digest, hash, content: Some(content) }
    };
    contents.into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn sm3_is_that_of_the_standard() {
        // GB/T 32905-2016, A.1 and A.2.
        let digest: Digest = Sm3::digest(b"abc").into();
        assert_eq!(hex::digits(&digest), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        let digest: Digest = Sm3::digest(b"abcd".repeat(16)).into();
        assert_eq!(hex::digits(&digest), "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732");
    }

    #[test]
    fn time_never_runs_back_along_the_chain() {
        let content = |text: &str| Salted { salt: [7; 16], text: text.into() };
        let first = link(None, 50, vec![content("a"), content("b")]);
        let last = &first[1];
        let second = link(Some(Head { seq: last.seq, at: last.at, hash: last.hash }), 40, vec![content("c")]);
        assert_eq!(first.iter().chain(&second).map(|record| (record.seq, record.at)).collect::<Vec<_>>(), [(1, 50), (2, 50), (3, 50)]);
        assert_ne!(first[0].digest, first[1].digest);
    }
}
