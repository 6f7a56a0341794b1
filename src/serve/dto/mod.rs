//! The shapes that go over the wire, and their documentation; nothing else of the house derives a schema.

pub mod bulk;
pub mod cases;
pub mod diagnostics;
pub mod evaluation;
pub mod policies;
pub mod posted;
pub mod reason;
pub mod runs;
pub mod simulations;
pub mod subjects;
