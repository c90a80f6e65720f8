//! A backlog that is there when the daemon starts, read to its end.

use anyhow::{Result, ensure};

use super::stage::{Kept, Stage};
use crate::figures::Runs;
use crate::report;

const PREFIX: &str = "backlog.";

/// How fast a backlog was read.
pub struct Backlog {
    /// How many records there were.
    pub records: u64,
    /// With the facts on disk.
    pub kept: Runs,
    /// Without, for comparison.
    pub not_kept: Runs,
}

/// Reads a backlog of so many records so often, in turn with and without the facts on disk.
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
    };
    for run in 1..=runs {
        report::progress(&format!("backlog, run {run} of {runs}"));
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
