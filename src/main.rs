//! The `mianshen` command: parses, runs, maps to an exit code.

use std::process::ExitCode;

use clap::Parser;
use mianshen::commands::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Buffers of batches come and go: with pages of 2 MiB the kernel clears far more memory than is ever used.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    commands::run(Cli::parse()).into()
}
