//! What people look at, of any result: tables for the terminal, pages for a browser.

pub mod explanation;
pub mod readiness;
pub mod simulation;
pub mod simulation_page;
mod simulation_plots;
mod simulation_sections;
pub mod site;
pub mod table;

pub use table::{Align, Table, amount, count};
