//! From verdicts to grants: findings, resolution, allocation, and the results that a run writes.
//!
//! ```text
//!  Findings ── requires ── excludes ── refusals ── caps ── already given ── allocation ── delivery ──▶ Resolution
//!  (verdicts)                                                                                            │ results
//!                                                                                                        ▼
//!                                              grants, offers, unknowns, coverage, … and manifest.json in one directory
//! ```

pub mod allocation;
pub mod compiled;
pub mod dossier_file;
pub mod evaluate;
pub mod finding;
pub mod given_registers;
pub mod grant;
pub mod input;
pub mod resolution;
pub mod results;
pub mod run;
pub mod sql;
pub mod texts;

#[cfg(test)]
mod tests;
