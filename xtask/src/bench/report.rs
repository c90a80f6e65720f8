//! What `bench` measured, as tables in Markdown.

#![expect(clippy::float_arithmetic, reason = "measurements, not money")]

use std::fmt::Write;

use super::feeds::Feeds;
use super::{Figure, Memory, Throughput};
use crate::figures::ratio;
use crate::report::{grouped, millions, range};

const MIB: u64 = 1 << 20;

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
