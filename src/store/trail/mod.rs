//! The access trail: who read what of whom, for which purpose, and when. Append-only, chained, and erasable.
//!
//! ```text
//!  content (who, purpose, whom, what) + salt ──SM3──▶ digest ─┐
//!                                  hash of the record before ─┼─SM3──▶ hash ──▶ the record after
//!                                                time, number ─┘
//! ```
//!
//! A record holds no personal content, only the salted digest of it. Content and salt lie apart and can be erased: the chain
//! still verifies, and an entry of its own says what was erased, by whom and why. Heads (number and hash of the newest
//! record), signed and kept elsewhere, show a tail that was cut and a chain that was written anew.

mod append;
mod chain;
mod content;
mod heads;
mod verify;

pub use append::Trail;
pub use chain::{Digest, GENESIS, Head, Record, Salted, Seq, digest_of, hash_of, link, salted, salts};
pub use content::{Action, Content, Erasure, Selection, Subject, erased, erasing};
pub use heads::{Chain, SignedHead, Signing, read_heads, read_public_key};
pub use verify::{Fault, Verified, verify, verify_nothing};
pub(super) use verify::{Links, PAGE};
