//! The project's own tools, started as `cargo xtask`.
//!
//! They look at the program from outside, and use none of its crates.

mod bench;

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
}

fn main() -> Result<()> {
    match Cli::parse().tool {
        Tool::Bench(arguments) => bench::run(&arguments),
    }
}
