//! Figures as tables in Markdown, on standard output; what goes on meanwhile, on standard error.

#![expect(clippy::float_arithmetic, reason = "measurements, not money")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::feeds::Feeds;
use super::figures::{Figure, Runs, ratio};
use super::{Memory, Throughput};

const MIB: u64 = 1 << 20;

/// Prints a part of the report.
#[expect(clippy::print_stdout, reason = "the report")]
pub fn say(part: &str) {
    println!("{part}");
}

/// Says what is going on.
#[expect(clippy::print_stderr, reason = "talk, beside the report")]
pub fn progress(what: &str) {
    eprintln!("bench: {what}");
}

/// What was measured, and on what.
pub fn machine(root: &Path) -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "Commit {}, {}, {cores} cores of {processor}.\n",
        words(root, "git", &["rev-parse", "--short", "HEAD"]),
        words(root, "rustc", &["--version"]),
    )
}

fn words(root: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The main table.
pub fn throughput(feeds: &Feeds, measured: &Throughput) -> String {
    let parse_only = measured.parse_only.median();
    let two = measured.two_workers.median();
    let mut table = format!(
        "{} records of {:.0} bytes, all nine detectors:\n\n| | records/s, median | slowest to fastest | of parsing alone |\n|---|---:|---:|---:|\n",
        grouped(feeds.records),
        ratio(feeds.bytes, feeds.records),
    );
    for (name, runs) in [
        (
            "parsing alone, `serde_json`, 2 threads",
            &measured.parse_only,
        ),
        ("`replay`, 2 workers", &measured.two_workers),
        ("`replay`, 1 worker", &measured.one_worker),
    ] {
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {:.2} |",
            millions(runs.median()),
            range(runs),
            runs.median() / parse_only
        );
    }
    let _ = writeln!(
        table,
        "\n2 workers are {:.2} times 1 worker.",
        two / measured.one_worker.median()
    );
    table
}

/// What is resident, and what a payout adds.
pub fn memory(memory: &Memory) -> String {
    let more = memory.payouts_bytes.saturating_sub(memory.half_bytes);
    format!(
        "| peak resident, 2 workers | MiB |\n|---|---:|\n| no records | {} |\n| {} payouts | {} |\n| {} payouts | {} |\n\nA payout adds {:.1} bytes from the first half to the whole, {:.1} bytes from nothing to the whole.\n",
        memory.base_bytes / MIB,
        grouped(memory.half),
        memory.half_bytes / MIB,
        grouped(memory.payouts),
        memory.payouts_bytes / MIB,
        ratio(more, memory.payouts - memory.half),
        ratio(
            memory.payouts_bytes.saturating_sub(memory.base_bytes),
            memory.payouts
        ),
    )
}

/// How time and memory grow with the number of records.
pub fn growth(figures: &[Figure]) -> String {
    let mut table = "| records | records/s, 2 workers, median | slowest to fastest | s per million | peak resident, MiB |\n|---:|---:|---:|---:|---:|\n".to_owned();
    for figure in figures {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {:.3} | {} |",
            grouped(figure.records),
            millions(figure.runs.median()),
            range(&figure.runs),
            1e6 / figure.runs.median(),
            figure.peak_bytes / MIB,
        );
    }
    table
}

fn range(runs: &Runs) -> String {
    let (least, most) = runs.range();
    format!("{} to {}", millions(least), millions(most))
}

fn millions(rate: f64) -> String {
    format!("{:.2} M", rate / 1e6)
}

/// `1234567` as `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(5_012_345), "5,012,345");
    }
}
