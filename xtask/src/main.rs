//! The project's own tools, started as `cargo xtask`.
//!
//! They look at the program from outside: the only crate of the project that they use is that of its tests.

mod bench;
mod figures;
mod live;
mod program;
mod report;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own tools.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Measure the release build, and print tables in Markdown for docs/benchmarks.md.
    Bench(bench::Arguments),
    /// Measure the release build of the daemon on a real broker: a backlog, and the time from record to alert.
    Live(live::Arguments),
}

fn main() -> Result<()> {
    match Cli::parse().tool {
        Tool::Bench(arguments) => bench::run(&arguments),
        Tool::Live(arguments) => live::run(&arguments),
    }
}
