//! `chaos io`: the n-th fsync, write or rename fails, for every n: by strace, which makes the system call itself fail.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::binary::ID_KEY;
use acceptance::history::History;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rayon::prelude::*;

use super::kill::tail;
use super::run::{Arms, Run, SOON, Waited};
use super::script::Script;
use super::world::World;

/// What a run has where nothing else is asked for; each is an epoch at least.
pub const BATCHES: usize = 3;
/// A run makes fewer calls of one kind in any of its threads.
const CALLS_MAX: u32 = 20_000;
/// More than a replay makes of one kind for its outputs.
const OUTPUT_CALLS_MAX: u32 = 8;

/// What is made to fail, and what must follow.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The system call.
    pub call: &'static str,
    /// How it fails.
    pub error: &'static str,
    /// Only where it concerns the segments of the state; else it is a call with which only store and state are written.
    pub is_of_segments: bool,
    /// The process has to end: what was written last is in doubt.
    pub is_fatal: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.call, self.error)
    }
}

const fn fault(call: &'static str, error: &'static str, is_of_segments: bool) -> Fault {
    Fault {
        call,
        error,
        is_of_segments,
        is_fatal: error.len() == EIO.len(),
    }
}

const EIO: &str = "EIO";
const ENOSPC: &str = "ENOSPC";

/// The commits and checkpoints of the store, and what is synced of the state when a segment is made.
pub const FSYNC: Fault = fault("fsync", EIO, false);
/// The store is written, on a disk that is full.
pub const STORE_FULL: Fault = fault("pwrite64", ENOSPC, false);

/// Every fault of the disk with store and state.
pub const FAULTS: [Fault; 7] = [
    FSYNC,
    STORE_FULL,
    fault("pwrite64", EIO, false),
    // The state: before each commit, when a segment is put in its place, and frame by frame.
    fault("fdatasync", EIO, false),
    fault("rename", EIO, true),
    fault("write", ENOSPC, true),
    fault("write", EIO, true),
];
/// As many segments a run has at most, in one start.
const SEGMENTS_MAX: u32 = 60;
/// Once a disk has failed, the process ends within this.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Which calls fail, each in a run of its own.
#[derive(Clone, Copy, Debug, Args)]
pub struct Calls {
    /// Only each so-manieth n.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub step: u32,
    /// At most so many n of each kind of fault.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub most: u32,
    /// Batches that are sent in a run, each of which is an epoch at least.
    #[arg(long, value_name = "N", default_value_t = BATCHES)]
    pub batches: usize,
    /// The history.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

/// Goes through the calls of one run, each `step`-th, and at most so many of each fault; of one alone if it is named.
pub fn all(world: &World, calls: Calls, only: Option<&str>) -> Result<String> {
    ensure!(
        Command::new("strace")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok(),
        "strace is needed: `apt-get install strace`"
    );
    let mut lines: Vec<String> = FAULTS
        .into_par_iter()
        .filter(|fault| only.is_none_or(|only| only == fault.to_string()))
        .map(|fault| one(world, calls, fault))
        .collect::<Result<_>>()?;
    if only.is_none() {
        lines.push(outputs(&world.armed, None)?);
    }
    ensure!(
        !lines.is_empty(),
        "there is no such fault: {}",
        FAULTS.map(|fault| fault.to_string()).join(", ")
    );
    Ok(format!("{}: 0 differences", lines.join("; ")))
}

/// Goes through the calls that one fault may meet.
fn one(world: &World, calls: Calls, fault: Fault) -> Result<String> {
    let (mut count, mut ends, mut misses) = (0, 0, 0);
    // The calls are counted in each thread; after so many that nobody made there are no more.
    for n in (1..CALLS_MAX).step_by(calls.step as usize) {
        if misses == 3 || count == calls.most {
            break;
        }
        let felt = store(world, (calls.seed, calls.batches), fault, n, None)?;
        count += 1;
        ends += u32::from(felt.ended);
        misses = if felt.failed { 0 } else { misses + 1 };
    }
    ensure!(
        count > misses,
        "no {} failed: the harness is blind",
        fault.call
    );
    Ok(format!(
        "{} {}{}: {count} runs, ended by it {ends}",
        fault.call,
        fault.error,
        if fault.is_of_segments {
            " (segments)"
        } else {
            ""
        }
    ))
}

/// What came of a run.
#[derive(Clone, Copy, Debug)]
pub struct Felt {
    /// The call was made, and failed.
    failed: bool,
    /// The daemon ended for it.
    ended: bool,
}

/// One run with the n-th call failing.
pub fn store(
    world: &World,
    (seed, batches): (u64, usize),
    fault: Fault,
    n: u32,
    bug: Option<&str>,
) -> Result<Felt> {
    let history = 800_000 + seed;
    let mut run = Run::set(world, Script::of(history, batches)?)?;
    let done = faulty(&mut run, fault, n, bug);
    done.with_context(|| {
        format!(
            "`chaos io --fault {fault} --seed {seed}`: the {n}th call fails: {}; the daemon said last:\n{}",
            run.failed_call(),
            tail(&run.words())
        )
    })
}

fn faulty(run: &mut Run<'_>, fault: Fault, n: u32, bug: Option<&str>) -> Result<Felt> {
    let unarmed = Arms {
        bug: bug.map(str::to_owned),
        ..Arms::default()
    };
    let segments = match fault.is_of_segments {
        true => run.segments(SEGMENTS_MAX),
        false => Vec::new(),
    };
    let injected = Arms {
        inject: Some(format!("{}:error={}:when={n}", fault.call, fault.error)),
        inject_at: segments,
        ..unarmed.clone()
    };
    let batches = run.script.batches.len();
    run.send(0)?;
    let mut daemon = run.start(&injected)?;
    let mut has_ended = false;
    for batch in 1..=batches {
        match run.settle(&mut daemon, SOON)? {
            Waited::Settled => {}
            Waited::Ended(0) => bail!("it ended as if all were well"),
            Waited::Ended(code) => {
                ensure!(fault.is_fatal || code == 1, "it ended with {code}");
                run.look_after_end()?;
                has_ended = true;
                daemon = run.start(&unarmed)?;
            }
        }
        if batch < batches {
            run.send(batch)?;
        }
    }
    run.settle(&mut daemon, SOON)?.settled()?;
    run.judge()?;
    // What was written last is in doubt, and may be lost although it succeeds when it is tried again: the process has to
    // end, whatever it was that failed, a commit, a checkpoint or a segment.
    ensure!(
        !fault.is_fatal || !run.has_gone_on_after_a_failed_commit(),
        "a disk failed, and the daemon went on committing: {}",
        run.failed_call()
    );
    if fault.is_fatal && !has_ended && run.has_call_failed() {
        let deadline = Instant::now() + ENDS_WITHIN;
        while daemon.ended().is_none() {
            ensure!(
                Instant::now() < deadline,
                "a disk failed, and the daemon went on: {}",
                run.failed_call()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        has_ended = true;
    }
    Ok(Felt {
        failed: run.has_call_failed(),
        ended: has_ended,
    })
}

/// `replay` with the n-th call failing, for every n: an output file is whole or not there.
pub fn outputs(program: &Path, bug: Option<&str>) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let history = History::random(900_001);
    history.write(folder.path(), 0)?;
    let whole = replay(program, folder.path(), "whole", None, bug)?;
    ensure!(whole, "a replay without a fault fails");
    let mut runs = 0;
    for (call, how) in [
        ("openat", "error=ENOSPC"),
        ("write", "error=ENOSPC"),
        ("fsync", "error=EIO"),
        ("rename", "error=EIO"),
        ("openat", "signal=KILL"),
        ("write", "signal=KILL"),
        ("rename", "signal=KILL"),
    ] {
        for n in 1..=OUTPUT_CALLS_MAX {
            let name = format!("{call}-{n}");
            let inject = format!("{call}:{how}:when={n}");
            let done = replay(program, folder.path(), &name, Some(&inject), bug)?;
            runs += 1;
            for file in ["alerts.jsonl", "dead-letter.jsonl"] {
                let got = std::fs::read(folder.path().join(&name).join(file)).ok();
                let expected = std::fs::read(folder.path().join("whole").join(file))?;
                ensure!(
                    got.as_ref() == Some(&expected) || (got.is_none() && !done),
                    "the {n}th {call} has {how}: {file} is neither whole nor absent"
                );
            }
            std::fs::remove_dir_all(folder.path().join(&name)).ok();
        }
    }
    Ok(format!("outputs of replay: {runs} runs"))
}

fn replay(
    program: &Path,
    folder: &Path,
    out: &str,
    inject: Option<&str>,
    bug: Option<&str>,
) -> Result<bool> {
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    if let Some(inject) = inject {
        let call = inject.split(':').next().unwrap_or_default();
        words.extend(["strace", "-f", "-qqq", "-o", "/dev/null", "-e"].map(Into::into));
        words.push(format!("trace={call}").into());
        words.push("-e".into());
        words.push(format!("inject={inject}").into());
        // Only what concerns the outputs: the rest of the program has other faults to fear.
        for file in ["alerts.jsonl", "dead-letter.jsonl", "summary.json"] {
            for name in [format!(".{file}.unfinished"), file.to_owned()] {
                words.push("-P".into());
                words.push(folder.join(out).join(name).into());
            }
        }
    }
    words.push(program.into());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .arg("replay")
        .arg("--feeds")
        .arg(folder.join("feeds"));
    command
        .arg("--policy")
        .arg(folder.join("policy.toml"))
        .args(["--as-of", "2024-12-31", "--workers", "1", "--out"]);
    command
        .arg(folder.join(out))
        .env("FUNDWATCH_ID_KEY", ID_KEY);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(bug) = bug {
        command.env("FUNDWATCH_PLANTED_BUG", bug);
    }
    Ok(command.status()?.success())
}
