//! The ledger: a grant on its way to a subject, as the sum of what happened to it.
//!
//! Useful for: "where is this grant, who acted, what may be done next?"; which cases grants become, and what losing or
//! recomputing a grant does to them. Not useful for: reaching a person (that is push), or finding grants (eligibility).
//!
//! ```text
//!  grants ── found, lost ──┐                              ┌─▶ events: append-only, chained by the store
//!                          ├─▶ CaseStep ── Live::commit ──┤
//!  commands ── act ────────┘      ▲                       └─▶ row: the case as the fold of its events
//!                                 └── refused, with what is possible now
//! ```
//!
//! Everything here is pure: days are arguments, and only [`live::commit`](crate::store::live::Live::commit) writes. No denial
//! is ever made here: who loses a grant gets a review, who was given too much gets a review, and both end with an official.

mod act;
mod case;
mod erase;
mod event;
mod found;
mod given;
mod list;
mod plan;
mod renumbered;
mod row;
mod words;
mod written;

#[cfg(test)]
mod tests;

pub use act::{Command, Refusal, possible};
pub use case::{Case, Review, Step, Superseded, Why};
pub use erase::erased;
pub use event::{Actor, Event, Grant, Role, VERSION, What};
pub use found::{Current, Rule, current, found, lost, repealed, stands};
pub use given::{Payments, Said, paid, refused};
pub use list::{Listed, csv, html, listed};
pub use plan::{Next, Plan};
pub use renumbered::Renumbered;
pub use row::{act, fold, made};
pub use words::command as command_label;
pub use written::parse as amount_of;
