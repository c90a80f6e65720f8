//! `cargo xtask live`: how fast the daemon is on a real broker, from outside: how long it takes for a backlog, and how
//! soon an alert is told while records flow.
//!
//! The broker runs on the same processors. Each run begins with an empty store.

mod backlog;
mod latency;
mod stage;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::report::{self, grouped, millions, range};
use stage::Stage;

/// `cargo xtask live`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask live\n  cargo xtask live --records 1000000 --runs 1 --probes 100"
)]
pub struct Arguments {
    /// Records of the backlog; 0: leave that out.
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    records: u64,
    /// How often the backlog is read; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Records that decide an alert, each timed, while others flow; 0: leave that out.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(..=5_000))]
    probes: u16,
    /// Records a second that flow meanwhile.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// The program to measure, instead of building it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Measures, and prints the tables.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = program::root()?;
    let program = program::release(&root, arguments.program.as_deref())?;
    report::say(&report::machine(&root));
    let stage = Stage::set(&root, &program)?;
    if arguments.records > 0 {
        let (records, runs) = backlog::measure(&stage, arguments.records, arguments.runs)?;
        report::say(&format!(
            "| from Kafka, 2 workers | records/s, median | slowest to fastest |\n|---|---:|---:|\n| {} records, from the start of the process to the commit | {} | {} |\n",
            grouped(records),
            millions(runs.median()),
            range(&runs),
        ));
    }
    if arguments.probes > 0 {
        let took = latency::measure(&stage, arguments.probes, arguments.rate)?;
        report::say(&format!(
            "| from sending a record to its alert on `fund.alerts`, {} records/s flowing | ms |\n|---|---:|\n| median of {} | {} |\n| 99 of 100 within | {} |\n| all within | {} |\n",
            grouped(arguments.rate),
            took.count(),
            took.quantile(50).as_millis(),
            took.quantile(99).as_millis(),
            took.quantile(100).as_millis(),
        ));
    }
    Ok(())
}
