//! What the decree says: policies, parameters, bundles and cases, read from YAML with the place of every scalar.
//!
//! ```text
//! policies/**/policy.yaml ── yaml ──▶ Node ── read ──▶ PolicyDocument ─┐
//! policies/parameters/*.yaml ───────▶ Node ──────────▶ Parameter ──────┼─▶ PolicySet ── select(as_of, known_at) ─▶
//! policies/bundles/*.yaml ──────────▶ Node ──────────▶ Bundle ─────────┘
//! cases.yaml ───────────────────────▶ Node ──────────▶ Case
//! ```
//!
//! Reading knows the shape of the files and the syntax of conditions; whether a fact, a region or another policy exists
//! is for `check` to say.

mod bundles;
mod cases;
mod citation;
pub mod difference;
pub mod document;
mod expression;
mod format;
pub mod guide;
mod load;
mod parameters;
mod period;
mod read;
mod read_basis;
mod read_benefit;
mod read_criteria;
mod read_delivery;
mod read_guide;
mod read_listed;
mod schema;
mod standing;
mod versions;

pub use bundles::read_bundles;
pub use cases::{case_files, case_files_with, load_case_file, load_case_file_with, load_cases, read_cases};
pub use format::{Formatted, format};
pub use load::{content_hash, load, load_path, load_with, read_file, read_file_with, yaml_files};
pub use parameters::{lookup, read_parameters, read_value, unique_names, values_on};
pub use read::read_policy;
pub use read_listed::{ENTITIES, LIST, PERSONS};
pub use schema::{SchemaOf, schema};
pub use standing::{Standing, standings};
pub use versions::{one_item_one_code, select};
