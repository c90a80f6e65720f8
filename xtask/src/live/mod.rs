//! `cargo xtask live`: how fast the daemon is on a real broker, from outside: how long it takes for a backlog, and how
//! soon an alert is told while records flow.
//!
//! The broker runs on the same processors. Each run begins with an empty store.

mod backlog;
mod cluster;
mod console;
mod latency;
mod read_only;
mod recovery;
mod stage;
mod visitor;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::figures::Runs;
use crate::program;
use crate::report::{self, grouped, millions, range};
use latency::Took;
use stage::Stage;

/// `cargo xtask live`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask live\n  cargo xtask live --records 1000000 --runs 1 --probes 100\n  cargo xtask live --records 0 --probes 0 --recovery 10000000\n  cargo xtask live --records 0 --probes 0 --cluster 5000000\n  cargo xtask live --records 0 --probes 0 --console 5000000"
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
    /// Payouts on disk when the daemon is killed and started again; 0: leave that out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    recovery: u64,
    /// Records of a backlog that one process with two workers and two with one read in turn; 0: leave that out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    cluster: u64,
    /// Records of a backlog that is read with and without an office at the review console, whose queue is then asked for at
    /// 100,000 cases; 0: leave that out.
    #[arg(long, value_name = "N", default_value_t = 0)]
    console: u64,
    /// How often it is killed.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    kills: u16,
    /// The program to measure, instead of building it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Prints how fast a backlog from Kafka was read in some ways.
fn tell_speeds(of: &str, rows: &[(&str, &Runs)]) {
    let mut table =
        format!("| from Kafka, {of} | records/s, median | slowest to fastest |\n|---|---:|---:|\n");
    for (how, runs) in rows {
        let (median, range) = (millions(runs.median()), range(runs));
        table.push_str(&format!("| {how} | {median} | {range} |\n"));
    }
    report::say(&table);
}

/// Measures, and prints the tables.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = program::root()?;
    let program = program::release(&root, arguments.program.as_deref())?;
    report::say(&report::machine(&root));
    let stage = Stage::set(&root, &program)?;
    if arguments.records > 0 {
        let backlog = backlog::measure(&stage, arguments.records, arguments.runs)?;
        let of = format!(
            "2 workers, {} records, from the start of the process to the commit",
            grouped(backlog.records)
        );
        let rows = [
            ("facts kept on disk", &backlog.kept),
            ("not kept", &backlog.not_kept),
            ("read and thrown away", &backlog.read_only),
        ];
        tell_speeds(&of, &rows);
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
    if arguments.cluster > 0 {
        let compared = cluster::measure(&stage, arguments.cluster, arguments.runs)?;
        let of = format!(
            "{} records, from the start of the processes to the commit",
            grouped(compared.records)
        );
        let rows = [
            ("one process, 2 workers", &compared.alone),
            ("two processes, 1 worker each", &compared.pair),
        ];
        tell_speeds(&of, &rows);
    }
    if arguments.console > 0 {
        let found = console::measure(&stage, arguments.console, arguments.runs)?;
        let of = format!("{} records, a console beside", grouped(found.records));
        let rows = [
            ("nobody at it", &found.quiet),
            ("20 people, a page a second each", &found.visited),
        ];
        tell_speeds(&of, &rows);
        let line = |took: &Took| {
            format!(
                "{} | {} | {} | {}",
                took.count(),
                took.quantile(50).as_millis(),
                took.quantile(95).as_millis(),
                took.quantile(100).as_millis()
            )
        };
        report::say(&format!(
            "| the queue at 100,000 cases, 20 people, a page a second each | pages | median, ms | 95 of 100 within, ms | all within, ms |\n|---|---:|---:|---:|---:|\n| alone | {} |\n| 500 clients beside that send a byte a second | {} |\n\nResident: {} MiB before the slow clients, {} MiB with them.\n",
            line(&found.queue),
            line(&found.queue_beside_slow),
            found.resident_bytes.0 >> 20,
            found.resident_bytes.1 >> 20,
        ));
    }
    if arguments.recovery > 0 {
        let recovery = recovery::measure(&stage, arguments.recovery, arguments.kills)?;
        let took: Vec<String> = recovery
            .took
            .iter()
            .map(|took| format!("{:.1}", took.as_secs_f64()))
            .collect();
        report::say(&format!(
            "| killed with {} records, {} payouts among them, in {} MiB on disk | s |\n|---|---:|\n| from the start of the process to the alert that a record sent meanwhile decides | {} |\n",
            grouped(recovery.records),
            grouped(recovery.payouts),
            recovery.state_bytes >> 20,
            took.join(", "),
        ));
    }
    Ok(())
}
