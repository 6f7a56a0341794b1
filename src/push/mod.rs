//! Push: tells people what they are owed, through channels that can fail, once and in words that they understand.
//!
//! *Useful for*: what is a subject told, in which words, by which way, and has it arrived. *Not useful for*: who is owed
//! something (that is `eligibility`), or which step comes next (that is the ledger).
//!
//! ```text
//!  case made or moved on ── compose (templates, bundles, opt-out, quiet hours) ──▶ NewMessage ─┐ one commit with the case
//!                                                                                             ▼
//!  what became of it ◀── one commit with the case's event ◀── worker ◀── outbox ◀────────── Live
//!                                                              │ per channel: bounded, ordered per subject, retried
//!                                                              ▼
//!                                             channel: webhook (signed) │ file │ Kafka topic
//! ```
//!
//! A message has the same identifier whoever asks for it and however often, and leaves at least once: a receiver that folds
//! by identifier has it exactly once.

pub mod channel;
pub mod compose;
pub mod link;
pub mod message;
mod note;
pub mod pace;
pub mod quiet;
pub mod settings;
mod settings_from_yaml;
pub mod teller;
pub mod template;
pub mod templates;
mod words;
pub mod worker;

pub use compose::{About, Composed, Composer, Silence};
pub use message::{Kind, Message};
pub use settings::Settings;
pub use templates::Templates;
