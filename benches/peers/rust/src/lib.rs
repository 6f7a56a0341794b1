//! What the comparisons share: policies folders compiled for given columns, and batches read into memory.

pub mod batches;
pub mod one_subject;
pub mod policies;

/// As the program itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
