//! The project's own tools, started as `cargo xtask`.
//!
//! They look at the program from outside: of the project's crates they use that of its tests, the list of fail points, and
//! the words.

mod bench;
mod boards;
mod chaos;
mod figures;
mod fuzz;
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
    /// Break the program from outside, and compare what comes of it with the reference.
    Chaos(chaos::Arguments),
    /// Feed bytes that nobody meant to whatever reads bytes.
    Fuzz(fuzz::Arguments),
    /// Write Grafana's boards below ops/grafana/dashboards, or say which are stale.
    Boards(boards::Arguments),
}

fn main() -> Result<()> {
    match Cli::parse().tool {
        Tool::Bench(arguments) => bench::run(&arguments),
        Tool::Live(arguments) => live::run(&arguments),
        Tool::Chaos(arguments) => chaos::run(&arguments),
        Tool::Fuzz(arguments) => fuzz::run(&arguments),
        Tool::Boards(arguments) => boards::run(&arguments),
    }
}

/// Tells a result.
#[expect(
    clippy::print_stdout,
    reason = "what a tool is asked for goes to standard output"
)]
fn say(line: &str) {
    println!("{line}");
}
