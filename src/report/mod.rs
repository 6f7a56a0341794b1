//! What people look at on a terminal: tables of any result.

pub mod table;

pub use table::{Align, Table, amount, count};
