//! `cargo xtask fuzz`: every fuzz target for a while, with limits on memory and on the time for one input.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rayon::prelude::*;

use crate::program;

/// `cargo xtask fuzz`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Seconds for each target.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// Inputs for each target, instead of a time.
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// Only this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Build the targets, and run none.
    #[arg(long)]
    build_only: bool,
    /// So many targets at the same time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    lanes: usize,
}

/// A process that needs more has a leak, or believes a length that it was told.
const MEMORY_MB: u32 = 256;
/// An input that takes longer hangs.
const SECONDS_MAX: u32 = 1;
/// The longest input; what is longer only repeats.
const BYTES_MAX: u32 = 4_096;

/// Builds the targets and runs them; new inputs stay in the build folder, not in the corpus.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = program::root()?;
    let listed = cargo_fuzz(&root, &["list"])
        .output()
        .context("cargo-fuzz is needed: `cargo install cargo-fuzz --locked`")?;
    ensure!(
        listed.status.success(),
        "cargo-fuzz is needed: `cargo install cargo-fuzz --locked`"
    );
    let targets = String::from_utf8(listed.stdout)?;
    let named: Vec<&str> = targets
        .lines()
        .filter(|target| {
            arguments
                .target
                .as_deref()
                .is_none_or(|only| only == *target)
        })
        .collect();
    ensure!(!named.is_empty(), "there is no such target");
    let built = cargo_fuzz(&root, &["build", "--sanitizer", "none"]).status()?;
    ensure!(built.success(), "the targets cannot be built");
    if arguments.build_only {
        return Ok(());
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.lanes)
        .build_global()?;
    named
        .into_par_iter()
        .try_for_each(|target| one(&root, target, arguments))
}

/// Runs a target, and says what came of it.
fn one(root: &Path, target: &str, arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    let found = tempfile::tempdir()?;
    let kept = root.join("fuzz/corpus").join(target);
    let mut fuzz = cargo_fuzz(root, &["run", "--sanitizer", "none", target]);
    fuzz.arg(found.path()).arg(kept).arg("--");
    match arguments.runs {
        Some(runs) => fuzz.arg(format!("-runs={runs}")),
        None => fuzz.arg(format!("-max_total_time={}", arguments.seconds)),
    };
    fuzz.args([
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-timeout={SECONDS_MAX}"),
        format!("-max_len={BYTES_MAX}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let output = fuzz.output()?;
    let words = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = words.lines().rev().take(40).collect();
    ensure!(
        output.status.success(),
        "{target} has found something:\n{}",
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    );
    let figure = |name: &str| {
        let line = words.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().last())
            .unwrap_or("?")
            .to_owned()
    };
    crate::say(&format!(
        "{target}: {} inputs in {} s, at most {} MB, nothing found",
        figure("stat::number_of_executed_units"),
        started.elapsed().as_secs(),
        figure("stat::peak_rss_mb")
    ));
    Ok(())
}

/// Stable Rust; the release profile without what only makes the build slow.
fn cargo_fuzz(root: &Path, arguments: &[&str]) -> Command {
    let mut command = acceptance::cargo::command();
    command.arg("fuzz").args(arguments).current_dir(root);
    for (name, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("DEBUG", "0")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command
}
