//! What the comparisons share: policies folders compiled for given columns, and batches read into memory.

pub mod batches;
pub mod one_subject;
pub mod policies;
