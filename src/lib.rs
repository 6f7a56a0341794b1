//! `mianshen` (免申, "no application needed"): finds everyone who is owed a public benefit, and says why.

pub mod diagnostic;
pub mod yaml;
pub mod criteria;
pub mod check;
pub mod program;
