//! One subject, one policy: the verdict with its reasons, what is missing, the amount with its numbers, the delivery.
//!
//! *Useful for*: why is this person in or out, what would settle an unknown, does a case come out as expected.
//! *Not useful for*: many subjects at once; that is the program's work. Everything here walks the row interpreter.
//!
//! ```text
//! CheckedPolicy, Known ── Judge ──▶ Judgement (verdict, amount, mode, missing, offer)
//!                           └───── explain ──▶ Reason (the tree) ── text, JSON
//! ```

pub(crate) mod calendar;
mod change;
pub mod excerpt;
pub mod facts;
mod formula;
mod judge;
pub mod lack;
pub mod mend;
pub mod overview;
mod phrase;
pub mod reason;
pub mod rule;
mod sentence;
pub(crate) mod steps;
pub mod story;
#[cfg(test)]
mod tests;
mod text;
pub mod value;
pub mod when;
pub mod why;
pub mod why_not;

pub use calendar::Law;
pub use judge::{Amount, Judge, Judgement, Known, Verdict};
pub use phrase::label_of;
pub use reason::{Reason, explain};
pub use text::render;
