//! The `mianshen` command: parses, runs, maps to an exit code.

use std::process::ExitCode;

use clap::Parser;
use mianshen::commands::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::prefer_small_pages();
    commands::run(Cli::parse()).into()
}
