//! Cases of policies: what comes out of them, which boundaries they touch, which changes of a policy they would notice.
//!
//! *Useful for*: does a policy do what its author promised, and would anybody notice if it did not?
//! *Not useful for*: real subjects; that is `match`. Everything here walks the row interpreter.
//!
//! ```text
//! Case ── facts ──▶ ResolvedCase ── outcome ──▶ Outcome (passed, or what differs and why)
//! CheckedPolicy ── sites ──▶ boundaries ── touched by which case ──▶ Coverage ── suggest ──▶ the cases still missing
//!               └─ mutants ── noticed by which case; equivalent? ──▶ Mutation
//! ```

pub mod book;
pub mod coverage;
pub mod domain;
pub mod facts;
pub mod mutation;
pub mod occasions;
pub mod outcome;
pub mod probe;
pub mod registers;
pub mod sites;
pub mod suggest;
pub mod table;

pub use book::{Book, Laws};
pub use facts::{Lookup, ResolvedCase, canonical, known, resolve};
pub use outcome::Outcome;
