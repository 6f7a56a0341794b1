//! The stream: registers change, and what follows from it is known seconds later.
//!
//! ```text
//! source (file, standard input, HTTP, Kafka) ─▶ RawEvent ─▶ change (typed rows, order) ─▶ Change ─▶ turn ─▶ one commit
//!                                                              └─▶ dead letters                 │
//!  gather: apply (rows) ─▶ reach (who is touched, on what they rest) ─▶ settle: judge (the code of `match` on rows in memory), cases ─┘
//! ```
//!
//! And once a day: day ─▶ whom the new day concerns (timers, calendar) ─▶ judged ─▶ commits.
//!
//! At every moment what stands is what a batch over the same rows would find, before allocation.

pub mod apply;
pub mod background;
pub mod carried;
pub mod change;
mod commit;
pub mod day;
pub mod dead_letter;
pub mod follow;
mod gather;
mod heard;
pub mod holder;
pub mod identity;
pub mod judge;
pub mod leads;
pub mod load;
pub mod order;
pub mod paths;
pub mod policies;
pub mod policy_turn;
pub mod reach;
pub mod rows;
mod seen;
pub mod settings;
mod settle;
pub mod source;
pub mod standing;
pub mod state;
#[cfg(test)]
mod tests;
pub mod timer;
pub mod turn;
pub mod turns;
pub mod view;
