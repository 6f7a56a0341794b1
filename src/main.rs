//! The `mianshen` command: parses, runs, maps to an exit code.

use std::process::ExitCode;

use clap::Parser;
use mianshen::commands::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prefer_small_pages();
    commands::run(Cli::parse()).into()
}

/// Buffers of batches come and go: with pages of 2 MiB the kernel clears far more memory than is ever used.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "prctl is variadic; this option takes whole numbers only and touches no memory of ours")]
fn prefer_small_pages() {
    // SAFETY: PR_SET_THP_DISABLE reads its second argument as a number; the others must be 0 (prctl(2)). Nothing depends on
    // its success.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
fn prefer_small_pages() {}
