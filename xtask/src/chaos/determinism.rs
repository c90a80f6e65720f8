//! `chaos determinism`: the same facts over other numbers of workers, in other files and another order are the same bytes.

use std::path::Path;
use std::process::Command;

use acceptance::binary::ID_KEY;
use acceptance::history::History;
use acceptance::reference::policy::Policy;
use acceptance::reference::{self, period};
use anyhow::{Context, Result, anyhow, ensure};
use rayon::prelude::*;

const WORKERS: [u32; 3] = [1, 2, 4];

/// Compares so many histories.
pub fn all(program: &Path, seeds: std::ops::Range<u64>, bug: Option<&str>) -> Result<String> {
    seeds
        .clone()
        .into_par_iter()
        .try_for_each(|seed| once(program, seed, bug).with_context(|| format!("seed {seed}")))?;
    let count = seeds.end - seeds.start;
    Ok(format!(
        "{count} histories, workers {WORKERS:?}, shuffled: the same bytes"
    ))
}

fn once(program: &Path, seed: u64, bug: Option<&str>) -> Result<()> {
    let history = History::random(900_000 + seed);
    let policy =
        Policy::parse(&history.policy).map_err(|error| anyhow!("a random policy: {error}"))?;
    let as_of = period::date(&history.as_of).context("as-of is no date")?;
    let mut first: Option<Vec<u8>> = None;
    for (layout, workers) in (0..).zip(WORKERS) {
        let folder = tempfile::tempdir()?;
        history.write(folder.path(), 0)?;
        let conflicts = reference::replay(&folder.path().join("feeds"), &policy, as_of)?
            .feeds
            .values()
            .any(|counts| counts.rejected.contains_key("conflicting-id"));
        // Which of two records of one id is the first is a matter of order.
        if !conflicts && layout > 0 {
            std::fs::remove_dir_all(folder.path())?;
            history.write(folder.path(), layout)?;
        }
        let mut command = Command::new(program);
        command
            .arg("replay")
            .arg("--feeds")
            .arg(folder.path().join("feeds"));
        command
            .arg("--policy")
            .arg(folder.path().join("policy.toml"));
        command.args([
            "--as-of",
            &history.as_of,
            "--workers",
            &workers.to_string(),
            "--out",
        ]);
        command
            .arg(folder.path().join("out"))
            .env("FUNDWATCH_ID_KEY", ID_KEY);
        if let Some(bug) = bug {
            command.env("FUNDWATCH_PLANTED_BUG", bug);
        }
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "replay: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let alerts = std::fs::read(folder.path().join("out/alerts.jsonl"))?;
        match &first {
            Some(first) => ensure!(
                *first == alerts,
                "{workers} workers, layout {layout}: other bytes"
            ),
            None => first = Some(alerts),
        }
    }
    Ok(())
}
