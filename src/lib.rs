//! x
pub use datafusion;
