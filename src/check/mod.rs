//! Names and types resolved against registers and facts: from what the author wrote to the checked form.

pub mod ir;
