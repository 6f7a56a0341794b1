//! Registers: what each one declares, where it physically is, and its rows as Arrow batches, with what could not be
//! read in quarantine.

pub mod declaration;
