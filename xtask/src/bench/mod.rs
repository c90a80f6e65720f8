//! `cargo xtask bench`: how fast and how small `fundwatch replay` is, beside what merely parsing costs.
//!
//! All of one table is measured in one run, the variants in turn, so that a busy machine slows all of them; what
//! counts is the median. Feeds are simulated once for each size and kept.

mod feeds;
mod measure;
mod parse_only;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use feeds::Feeds;
use measure::Measured;

use crate::figures::Runs;
use crate::program;
use crate::report::{machine, progress, say};

/// `cargo xtask bench`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --records 1000000 --runs 3 --growth 1000000,2000000"
)]
pub struct Arguments {
    /// Records of the main table.
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    records: u64,
    /// How often each variant is run; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Records of the table of growth; empty for none.
    #[arg(
        long,
        value_name = "N,N",
        value_delimiter = ',',
        default_value = "1000000,2000000,5000000,10000000,20000000"
    )]
    growth: Vec<u64>,
    /// Where feeds and outputs are kept; twenty million records take 4 GB. Default: `bench` of the build folder.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// The program to measure, instead of building it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What all measurements share.
struct Bench {
    root: PathBuf,
    program: PathBuf,
    scratch: PathBuf,
    runs: u16,
}

/// Measures, and prints the tables.
pub fn run(arguments: &Arguments) -> Result<()> {
    let bench = Bench::new(arguments)?;
    say(&machine(&bench.root));
    let feeds = Feeds::simulated(&bench, arguments.records)?;
    say(&report::throughput(&feeds, &bench.throughput(&feeds)?));
    say(&report::memory(&bench.memory(&feeds)?));
    if !arguments.growth.is_empty() {
        say(&report::growth(&bench.growth(&arguments.growth)?));
    }
    Ok(())
}

/// The variants of the main table.
struct Throughput {
    /// `serde_json` into typed records, 2 threads.
    parse_only: Runs,
    one_worker: Runs,
    two_workers: Runs,
}

/// One size of the table of growth.
#[derive(Debug)]
pub struct Figure {
    /// How many records there were.
    pub records: u64,
    /// How fast they were read.
    pub runs: Runs,
    /// The most memory that any run held.
    pub peak_bytes: u64,
}

/// Peak memory, and what a payout adds to it.
struct Memory {
    /// Of a run on feeds without a record.
    base_bytes: u64,
    /// Of a run on the payouts of the main table alone.
    payouts_bytes: u64,
    payouts: u64,
    /// Of a run on the first half of them.
    half_bytes: u64,
    half: u64,
}

impl Bench {
    fn new(arguments: &Arguments) -> Result<Self> {
        let root = program::root()?;
        let scratch = match &arguments.scratch {
            Some(scratch) => scratch.clone(),
            None => program::target_folder(&root)?.join("bench"),
        };
        std::fs::create_dir_all(&scratch)
            .with_context(|| format!("cannot make `{}`", scratch.display()))?;
        let program = program::release(&root, arguments.program.as_deref())?;
        Ok(Self {
            root,
            program,
            scratch: scratch.canonicalize()?,
            runs: arguments.runs,
        })
    }

    fn throughput(&self, feeds: &Feeds) -> Result<Throughput> {
        let mut measured = Throughput {
            parse_only: Runs::default(),
            one_worker: Runs::default(),
            two_workers: Runs::default(),
        };
        // Once unmeasured, so that the files are in the page cache.
        let parsed = parse_only::parse(&feeds.folder, 2)?;
        // A few are planted to be rejected.
        ensure!(
            feeds.records / 100 * 99 <= parsed.records,
            "{} of {} lines are records",
            parsed.records,
            feeds.records
        );
        for run in 1..=self.runs {
            progress(&format!("run {run} of {}", self.runs));
            let parsed = parse_only::parse(&feeds.folder, 2)?;
            measured.parse_only.add(feeds.records, parsed.seconds);
            measured
                .two_workers
                .add(feeds.records, self.replay(&feeds.folder, 2)?.seconds);
            measured
                .one_worker
                .add(feeds.records, self.replay(&feeds.folder, 1)?.seconds);
        }
        Ok(measured)
    }

    fn memory(&self, feeds: &Feeds) -> Result<Memory> {
        progress("memory");
        let empty = feeds.payouts_only(&self.scratch, 0)?;
        let half = feeds.payouts_only(&self.scratch, feeds.payouts / 2)?;
        let all = feeds.payouts_only(&self.scratch, feeds.payouts)?;
        Ok(Memory {
            base_bytes: self.replay(&empty, 2)?.peak_bytes,
            half_bytes: self.replay(&half, 2)?.peak_bytes,
            half: feeds.payouts / 2,
            payouts_bytes: self.replay(&all, 2)?.peak_bytes,
            payouts: feeds.payouts,
        })
    }

    fn growth(&self, sizes: &[u64]) -> Result<Vec<Figure>> {
        sizes.iter().map(|size| self.grown(*size)).collect()
    }

    fn grown(&self, size: u64) -> Result<Figure> {
        progress(&format!("{size} records"));
        let feeds = Feeds::simulated(self, size)?;
        parse_only::parse(&feeds.folder, 2)?;
        let mut runs = Runs::default();
        let mut peak_bytes = 0;
        for _ in 0..self.runs {
            let measured = self.replay(&feeds.folder, 2)?;
            runs.add(feeds.records, measured.seconds);
            peak_bytes = peak_bytes.max(measured.peak_bytes);
        }
        Ok(Figure {
            records: feeds.records,
            runs,
            peak_bytes,
        })
    }

    fn replay(&self, feeds: &Path, workers: u16) -> Result<Measured> {
        let out = self.scratch.join("out");
        let mut command = Command::new(&self.program);
        command
            .arg("replay")
            .arg("--feeds")
            .arg(feeds)
            .arg("--policy")
            .arg(self.root.join(feeds::POLICY))
            .args([
                "--as-of",
                feeds::AS_OF,
                "--workers",
                &workers.to_string(),
                "--out",
            ])
            .arg(&out)
            .env("FUNDWATCH_ID_KEY", "a key for benchmarks");
        measure::run(&mut command)
    }
}
