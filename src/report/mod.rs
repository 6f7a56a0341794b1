//! What people look at: tables on a terminal, and pages, of any result.

pub mod simulation;
pub mod simulation_page;
mod simulation_plots;
mod simulation_sections;
pub mod table;

pub use table::{Align, Table, amount, count};
