//! The server: which services find a person, a household, a company; why; and who may ask.
//!
//! *Useful for*: service platforms, handlers, citizens, auditors; policies judged on posted facts. *Not useful for*: finding
//! everybody who is owed something; that is `match`, whose run is served from the store.
//!
//! ```text
//! request ── listen (limits, TLS) ── guard (who, how often) ── api (routes) ──▶ judging ── explain ──▶ answer
//!                                                                │  rules (policies of the moment)        ▲
//!                                                                └─ store (the run) ── guard (reach, masks, trail)
//! ```
//!
//! Whatever a request began with, policies, run or settings, it ends with: what is read anew takes the whole place of what
//! was, between two requests.

pub mod api;
pub mod app;
pub mod clock;
pub mod console;
pub mod crowd;
pub mod dto;
pub mod extract;
mod figures;
pub mod guard;
pub mod jobs;
pub mod judging;
pub mod listen;
pub mod log;
mod open_files;
pub mod pages;
pub mod problem;
pub mod rules;
pub mod settings;
mod settings_from_yaml;
mod settings_schema;
pub mod standing;
pub mod state;
pub mod traces;
pub mod trail;

pub use settings_from_yaml::ALGORITHMS;
pub use settings_schema::schema as settings_schema;
