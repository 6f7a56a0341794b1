//! `mianshen` (免申, "no application needed"): finds everyone who is owed a public benefit, and says why.

pub mod cases;
pub mod check;
pub mod commands;
pub mod criteria;
pub mod diagnostic;
pub mod dossier;
pub mod eligibility;
pub mod explain;
pub mod hex;
pub mod ledger;
pub mod lsp;
pub mod outgoing;
pub mod policy;
pub mod program;
pub mod push;
pub mod readiness;
pub mod region;
pub mod register;
pub mod report;
pub mod sample;
pub mod serve;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod stream;
pub mod yaml;
