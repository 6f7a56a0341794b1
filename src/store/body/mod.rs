//! How a subject lies in the store: one compact row, written once and decoded as a whole.
//!
//! ```text
//!  known facts as bits │ values of those │ conflicts │ verdicts, two bits each │ grants … members, counted lists
//! ```
//!
//! Names, codes and other texts that repeat are numbers: what they stand for is in the run's [`Layout`], which every row of
//! the run shares. Numbers take as few bytes as they need (LEB128, zigzag where they have a sign).

mod bytes;
mod decode;
mod layout;
mod rows;

pub use bytes::{Reader, Writer};
pub use decode::decode;
pub use layout::{FactColumn, Layout, RunDocument, Words};
pub use rows::{ConflictBody, GivenBody, GrantBody, OfferBody, PayeeBody, UnknownBody};

/// The first byte of every row; counts up when rows change their form.
pub const FORM: u8 = 1;
