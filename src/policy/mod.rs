//! What the decree says: policies, parameters, bundles and cases, read from YAML with the place of every scalar.

pub mod document;
