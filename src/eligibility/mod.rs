//! From verdicts to grants: findings, resolution, allocation, and the results that a run writes.

pub mod finding;
