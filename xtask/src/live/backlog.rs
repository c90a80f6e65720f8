//! A backlog that is there when the daemon starts, read to its end.

use anyhow::{Result, ensure};

use super::stage::Stage;
use crate::figures::Runs;
use crate::report;

const PREFIX: &str = "backlog.";

/// Says how many records there were, and how fast they were read in each run.
pub fn measure(stage: &Stage, records: u64, runs: u16) -> Result<(u64, Runs)> {
    report::progress(&format!("sending {records} records"));
    stage.create_topics(PREFIX)?;
    let status = stage.simulate(PREFIX, records, None)?.wait()?;
    ensure!(status.success(), "the simulation ended with {status}");
    let records = stage.records(PREFIX)?;
    let mut measured = Runs::default();
    for run in 1..=runs {
        report::progress(&format!("backlog, run {run} of {runs}"));
        let mut daemon = stage.run(PREFIX)?;
        daemon.wait_until_committed(records)?;
        measured.add(records, daemon.started.elapsed().as_secs_f64());
        daemon.stop()?;
    }
    Ok((records, measured))
}
