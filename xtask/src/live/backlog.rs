//! A backlog that is there when the daemon starts, read to its end.

use anyhow::{Result, ensure};

use super::read_only;
use super::stage::{Kept, Stage};
use crate::figures::Runs;
use crate::report;

const PREFIX: &str = "backlog.";
/// As many as the daemon's.
const WORKERS: usize = 2;

/// How fast a backlog was read.
pub struct Backlog {
    /// How many records there were.
    pub records: u64,
    /// With the facts on disk.
    pub kept: Runs,
    /// Without, for comparison.
    pub not_kept: Runs,
    /// Read, and nothing else.
    pub read_only: Runs,
}

/// Reads a backlog of so many records so often, in turn to throw it away, and with and without the facts on disk.
pub fn measure(stage: &Stage, records: u64, runs: u16) -> Result<Backlog> {
    report::progress(&format!("sending {records} records"));
    stage.create_topics(PREFIX)?;
    let status = stage.simulate(PREFIX, records, None)?.wait()?;
    ensure!(status.success(), "the simulation ended with {status}");
    let records = stage.records(PREFIX)?;
    let mut measured = Backlog {
        records,
        kept: Runs::default(),
        not_kept: Runs::default(),
        read_only: Runs::default(),
    };
    for run in 1..=runs {
        report::progress(&format!("backlog, run {run} of {runs}"));
        let seconds = read_only::read(&stage.broker.bootstrap(), PREFIX, WORKERS)?;
        measured.read_only.add(records, seconds);
        for kept in [Kept::OnDisk, Kept::Not] {
            let mut daemon = stage.run(PREFIX, kept)?;
            let seconds = daemon.wait_until_committed(records)?;
            daemon.stop()?;
            match kept {
                Kept::OnDisk => measured.kept.add(records, seconds),
                Kept::Not => measured.not_kept.add(records, seconds),
            }
        }
    }
    Ok(measured)
}
