//! What a policy needs to be given without application, what it has of it today, and what hangs on each register.
//!
//! ```text
//!  policy, registers, sources ── four conditions ──┐
//!                                                  ├── the mode that it can have, and what would lift it
//!  dossiers ── verdicts ── resolution ── people ───┘
//!      └── each register silent in turn ── verdicts ── resolution ── who loses what
//! ```
//!
//! *Useful for*: deciding how a policy may reach people, whom to ask for which register, and which register to watch most.
//! *Not useful for*: whether a policy is right; nothing here reads its text, only what its author wrote as rules.

mod beneficiaries;
pub mod condition;
pub mod holdings;
pub mod lift;
pub mod mode;
pub mod people;
pub mod reads;
mod recognition;
pub mod registers;
pub mod results;
pub mod run;
mod standard;
pub mod stop;
mod validity;

pub use results::Readiness;
pub use run::{Question, readiness};
