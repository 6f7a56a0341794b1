//! What people look at: tables for the terminal, pages for a browser.

pub mod explanation;
pub mod table;

pub use table::{Align, Table, amount, count};
