//! What conditions can come to, without any row: values as sets, assumed conditions narrow them.
//!
//! ```text
//! Expr ── Terms::add ──▶ Term (each meaning once) ── assume(yes | no) ──▶ Worlds ── values(term) ──▶ Values
//! ```
//!
//! A [`Worlds`] is a list of [`State`]s, of which at least one describes every subject that meets what was assumed. A
//! state knows of each term a set of [`Values`] (ranges of numbers and days, sets of texts, yes and no, whether it may be
//! unknown), and of two terms in which order they may stand. Everything here errs on one side only: a set may hold values
//! that never occur, it never leaves one out. So "never" and "always" are proofs, and where nothing can be proved
//! nothing is said. Three values throughout: a comparison that is yes or no shows that both its sides are known.

mod arith;
mod assume;
mod calendar;
mod evaluate;
mod fraction;
mod ranges;
mod term;
mod values;

pub use assume::{Domain, State, Worlds};
pub use calendar::{date, day};
pub use fraction::Fraction;
pub use ranges::{Cut, Ranges};
pub use term::{Surroundings, Term, TermId, Terms};
pub use values::{Known, Texts, Values};
