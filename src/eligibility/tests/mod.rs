//! Tests of resolution and results: one for each sentence that settles a meaning.

mod allocation;
mod delivery;
mod exclusion;
mod fixture;
mod given;
mod requirements;
pub(super) mod results;
mod staging;
mod unknowns;
