//! Registers: what each one declares, where it physically is, and its rows as Arrow batches, with what could not be
//! read in quarantine.

pub mod declaration;
mod declaration_checks;
mod declaration_from_yaml;
mod facts_from_yaml;

pub use declaration_checks::check_coverage;
pub use declaration_from_yaml::load;
