//! Registers: what each one declares, where it physically is, and its rows as Arrow batches, with what could not be
//! read in quarantine.
//!
//! *Useful for*: reading `policies/registers`, `sources.yaml` and the files behind it. *Not useful for*: which facts
//! follow from the rows, which is the dossier's question.

mod arrow_ipc;
mod cast;
mod cast_text;
mod csv;
pub mod declaration;
mod declaration_checks;
mod declaration_from_yaml;
pub mod excerpt;
mod facts_from_yaml;
mod files;
mod held;
pub mod identifier;
mod parquet;
mod parquet_bytes;
mod parse_value;
mod physical;
pub mod quarantine;
pub mod reader;
mod row_cast;
mod row_keys;
mod schema;
mod seen_keys;
mod settle;
pub mod sources;
mod transcode;
mod written_rows;

pub use declaration_checks::check_coverage;
pub use declaration_from_yaml::{load, load_with};
pub use reader::{FileRead, ReadOptions, ReadOutcome, RegisterReader, hash_file, open};
pub use schema::{SchemaOf, schema};
pub use sources::{HeldRows, RegisterSource, SourceFormat, Sources};
pub use written_rows::{TypedRows, WrittenFault, WrittenRows};
