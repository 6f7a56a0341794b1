//! The stream: registers change, and what follows from it is known seconds later.
//!
//! ```text
//! source (file, standard input, HTTP, Kafka) ─▶ RawEvent ─▶ change (typed rows, order) ─▶ Change ─▶ …
//!                                                              └─▶ dead letters
//! ```

pub mod apply;
pub mod change;
pub mod judge;
pub mod order;
pub mod paths;
pub mod reach;
pub mod rows;
pub mod standing;
#[cfg(test)]
mod tests;
pub mod timer;
pub mod turn;
pub mod view;
