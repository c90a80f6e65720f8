//! A backlog, read in turn by one process with two workers and by two processes with a worker each.

use anyhow::{Result, ensure};

use super::stage::{Kept, Stage};
use crate::figures::Runs;
use crate::report;

const PREFIX: &str = "cluster.";

/// How fast a backlog was read.
pub struct Compared {
    /// How many records there were.
    pub records: u64,
    /// By one process with two workers.
    pub alone: Runs,
    /// By two processes with a worker each.
    pub pair: Runs,
}

/// Reads a backlog of so many records so often by each.
pub fn measure(stage: &Stage, records: u64, runs: u16) -> Result<Compared> {
    report::progress(&format!("sending {records} records"));
    stage.create_topics(PREFIX)?;
    let status = stage.simulate(PREFIX, records, None)?.wait()?;
    ensure!(status.success(), "the simulation ended with {status}");
    let mut compared = Compared {
        records: stage.records(PREFIX)?,
        alone: Runs::default(),
        pair: Runs::default(),
    };
    for run in 1..=runs {
        report::progress(&format!("one process and two, run {run} of {runs}"));
        for (is_pair, measured) in [(false, &mut compared.alone), (true, &mut compared.pair)] {
            let mut daemon = match is_pair {
                false => stage.run(PREFIX, Kept::OnDisk)?,
                true => stage.run_pair(PREFIX)?,
            };
            let seconds = daemon.wait_until_committed(compared.records)?;
            measured.add(compared.records, seconds);
            daemon.stop()?;
        }
    }
    Ok(compared)
}
