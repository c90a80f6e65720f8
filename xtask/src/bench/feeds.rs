//! Feeds to measure with: made by `fundwatch simulate`, once for each size.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Bench, measure};
use crate::report::progress;

/// The policy that the feeds are simulated and judged with, below the project's folder.
pub const POLICY: &str = "rules/policies/huangshan.toml";
/// The last day of what is simulated.
pub const AS_OF: &str = "2024-12-31";
/// The feed that memory is measured with.
const PAYOUTS: &str = "agency.payout.jsonl";

/// Feeds of one size.
#[derive(Debug)]
pub struct Feeds {
    /// Where they are.
    pub folder: PathBuf,
    /// Lines of all feeds.
    pub records: u64,
    /// Lines of the feed of payouts.
    pub payouts: u64,
    /// Bytes of all feeds.
    pub bytes: u64,
}

impl Feeds {
    /// About `records` records of the default mix, simulated unless they are there.
    pub fn simulated(bench: &Bench, records: u64) -> Result<Self> {
        let folder = bench.scratch.join(format!("feeds-{records}"));
        if !folder.exists() {
            progress(&format!("simulating {records} records"));
            let half = bench.scratch.join("feeds-half");
            let mut command = Command::new(&bench.program);
            command
                .arg("simulate")
                .args(["--to", "files", "--out"])
                .arg(&half)
                .args(["--seed", "1", "--records", &records.to_string()])
                .arg("--policy")
                .arg(bench.root.join(POLICY));
            measure::run(&mut command)?;
            fs::rename(&half, &folder)?;
        }
        Self::counted(folder)
    }

    /// Counts what is there.
    fn counted(folder: PathBuf) -> Result<Self> {
        let mut feeds = Self {
            folder,
            records: 0,
            payouts: 0,
            bytes: 0,
        };
        for file in files(&feeds.folder)? {
            let lines = lines(&file)?;
            feeds.records += lines;
            feeds.bytes += fs::metadata(&file)?.len();
            if file.ends_with(PAYOUTS) {
                feeds.payouts = lines;
            }
        }
        Ok(feeds)
    }

    /// A folder with the first `count` payouts and no other feed.
    pub fn payouts_only(&self, scratch: &Path, count: u64) -> Result<PathBuf> {
        let folder = scratch.join("payouts").join(count.to_string());
        fs::create_dir_all(&folder)?;
        let mut source = BufReader::with_capacity(1 << 20, File::open(self.folder.join(PAYOUTS))?);
        let mut target = BufWriter::with_capacity(1 << 20, File::create(folder.join(PAYOUTS))?);
        let mut line = Vec::new();
        for _ in 0..count {
            line.clear();
            source.read_until(b'\n', &mut line)?;
            target.write_all(&line)?;
        }
        target.flush()?;
        Ok(folder)
    }
}

/// The feed files of a folder, by name.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "jsonl")
            && !file.ends_with("truth.jsonl")
    });
    files.sort();
    Ok(files)
}

fn lines(file: &Path) -> Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut lines = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = bytes.len();
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_counted_and_cut() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("feeds");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(PAYOUTS), "a\nb\nc\n").unwrap();
        fs::write(folder.join("civil.death.jsonl"), "d\n").unwrap();
        fs::write(folder.join("truth.jsonl"), "t\nt\n").unwrap();
        let feeds = Feeds::counted(folder).unwrap();
        assert_eq!((feeds.records, feeds.payouts, feeds.bytes), (4, 3, 8));
        let cut = feeds.payouts_only(scratch.path(), 2).unwrap();
        assert_eq!(fs::read_to_string(cut.join(PAYOUTS)).unwrap(), "a\nb\n");
    }
}
