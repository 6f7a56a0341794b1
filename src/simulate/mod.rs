//! Policies and parameters of before against those of after, on the same dossiers: who gains, who loses, what it costs.
//!
//! ```text
//!  before ─┐                      ┌─ findings ─ resolution ─ rows ─┐   pairs (subject, policy: before, after)
//!          ├─ one set of dossiers ┤                                ├──▶ cells by dimension, nets, overlaps ── small cells ──▶ Results
//!  after  ─┘                      └─ findings ─ resolution ─ rows ─┘   who is who (county, age, sex, income, …)
//! ```
//!
//! *Useful for*: a decision meeting: whom a change reaches, what it costs in a month and in a year, and over the next months.
//! *Not useful for*: paying anybody; that is the run's work. What people would do because of a change is not guessed: registers
//! stay as they are, only policies, parameters and, looking ahead, the day move.

pub mod analysis;
pub mod dimension;
pub mod files;
pub mod forecast;
pub mod hide;
pub mod law;
pub mod parameter;
pub mod people;
pub mod results;
pub mod rows;
pub mod run;
pub mod small_cells;
pub mod trial;

pub use hide::hide;
pub use law::{Law, changed_parameters, same_facts};
pub use parameter::{SetValue, set_parameter};
pub use results::Results;
pub use run::{Study, study};
