//! `cargo xtask chaos`: breaks the program from outside, and compares what comes of it with the reference.
//!
//! Everything follows from a seed, which is in every message: the same seed is the same history, the same point, the same
//! hit. (When a process is ended at a random time, or which of two threads is faster, no seed decides.) The broker and the
//! mail server are real, and shared by all runs of one command; each run has topics, a store and a recipient of its own.

mod broker;
mod cluster;
mod cut;
mod determinism;
mod disk;
mod e2e;
mod io;
mod judge;
mod kill;
mod mutants;
mod reload;
mod run;
mod script;
mod smtp;
mod world;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, Subcommand};

use world::{Programs, World};

/// `cargo xtask chaos`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    mode: Mode,
    /// So many runs at the same time: each waits more than it works.
    #[arg(long, value_name = "N", default_value_t = 4, global = true)]
    lanes: usize,
    /// Take `fundwatch` and `fundwatch-chaos` from this folder, rather than build them.
    #[arg(long, value_name = "DIR", global = true)]
    programs: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// End the daemon at each named point, and start it again.
    Kill {
        /// What happens at the point.
        #[arg(long, value_name = "HOW", default_value = "kill")]
        how: kill::How,
        /// Only points whose names begin like this.
        #[arg(long, value_name = "NAME")]
        point: Option<String>,
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Kill the program as it is shipped at random times.
    E2e {
        /// How often.
        #[arg(long, value_name = "N", default_value_t = 30)]
        kills: usize,
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Let the n-th fsync, write or rename fail, for every n.
    Io {
        /// Only this fault, e.g. `write-EIO`.
        #[arg(long, value_name = "FAULT")]
        fault: Option<String>,
        #[command(flatten)]
        calls: io::Calls,
    },
    /// Fill the disk with the store, and make room again.
    Disk {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Compare numbers of workers, files and orders.
    Determinism {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Stop and kill the broker.
    Broker {
        /// How often.
        #[arg(long, value_name = "N", default_value_t = 2)]
        restarts: usize,
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Send mails to a server that means no good.
    Smtp {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Change the policy while the daemon runs.
    Reload {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Let two processes share the partitions; kill, pause and stop them, and change their number.
    Cluster {
        /// In so many of the runs a process hangs once, which takes half a minute.
        #[arg(long, value_name = "N", default_value_t = 1)]
        pauses: u64,
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Cut the network between two processes of three, which has to be one of its own.
    Cut {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Plant bugs, each of which must be seen.
    Mutants {
        /// Only the one of this name.
        #[arg(long, value_name = "NAME")]
        bug: Option<String>,
    },
    /// The selection that runs with every change.
    Short,
}

#[derive(Clone, Copy, Debug, Args)]
struct Seeds {
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 4)]
    seeds: u64,
    /// The first.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

impl Seeds {
    fn range(self) -> std::ops::Range<u64> {
        self.seed..self.seed + self.seeds
    }
}

/// Breaks the program, and says what came of it.
pub fn run(arguments: &Arguments) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(arguments.lanes)
        .build_global()?;
    let built = arguments.programs.as_deref();
    if let Mode::Determinism { seeds } = &arguments.mode {
        let plain = Programs::plain(built)?.plain;
        return report("determinism", || {
            determinism::all(&plain, seeds.range(), None)
        });
    }
    let world = match &arguments.mode {
        Mode::Cut { seeds } if !cut::is_within() => {
            cut::is_possible()?;
            return cut::within(&Programs::plain(built)?.plain, seeds.seed, seeds.seeds);
        }
        Mode::Cut { .. } => {
            cut::prepare()?;
            World::of(Programs::plain(built)?)?
        }
        Mode::Cluster { .. } => World::of(Programs::plain(built)?)?,
        _ => World::of(Programs::all(built)?)?,
    };
    match &arguments.mode {
        Mode::Kill { how, point, seeds } => report("kill", || {
            kill::all(&world, *how, point.as_deref(), seeds.range())
        }),
        Mode::E2e { kills, seeds } => report("e2e", || e2e::all(&world, *kills, seeds.seed)),
        Mode::Io { fault, calls } => report("io", || io::all(&world, *calls, fault.as_deref())),
        Mode::Disk { seeds } => report("disk", || disk::all(&world, seeds.range())),
        Mode::Determinism { .. } => Ok(()),
        Mode::Broker { restarts, seeds } => {
            report("broker", || broker::all(&world, *restarts, seeds.seed))
        }
        Mode::Smtp { seeds } => report("smtp", || smtp::all(&world, seeds.range(), None)),
        Mode::Reload { seeds } => report("reload", || reload::all(&world, seeds.range())),
        Mode::Cluster { pauses, seeds } => report("cluster", || {
            cluster::all(&world, seeds.range(), *pauses, None)
        }),
        Mode::Cut { seeds } => report("cut", || cut::all(&world, seeds.range())),
        Mode::Mutants { bug } => report("mutants", || mutants::all(&world, bug.as_deref())),
        Mode::Short => short(&world),
    }
}

/// A worker, the recorder, the committer, a sender, a page.
const ONE_OF_EACH_THREAD: [&str; 5] = [
    "feed.noted",
    "state.appended",
    "store.begun",
    "mail.data",
    "http.scraped",
];

const CALLS_OF_SHORT: io::Calls = io::Calls {
    step: 5,
    most: 2,
    batches: io::BATCHES,
    seed: 0,
};

/// What fits into a few minutes: see docs/reliability.md.
fn short(world: &World) -> Result<()> {
    report("kill", || kill::all(world, kill::How::Kill, None, 0..1))?;
    for point in ONE_OF_EACH_THREAD {
        report("panic", || {
            kill::all(world, kill::How::Panic, Some(point), 0..1)
        })?;
    }
    report("e2e", || e2e::all(world, 12, 0))?;
    report("io", || io::all(world, CALLS_OF_SHORT, None))?;
    report("disk", || disk::all(world, 0..1))?;
    report("determinism", || {
        determinism::all(&world.plain, 0..10, None)
    })?;
    report("smtp", || smtp::all(world, 0..2, None))?;
    report("reload", || reload::all(world, 0..4))?;
    let mutant = |bug| report("mutants", || mutants::all(world, Some(bug)));
    for bug in [
        "offset-before-state",
        "mail-marked-before-sent",
        "order-of-arrival",
    ] {
        mutant(bug)?;
    }
    // Each of these waits for half a minute until somebody is given up.
    let (hung, (unheard, cut)) = rayon::join(
        || report("cluster", || cluster::all(world, 0..1, 1, None)),
        || {
            rayon::join(
                || mutant("rejected-elsewhere-unheard"),
                || cut_where_possible(world),
            )
        },
    );
    hung.and(unheard).and(cut)?;
    report("broker", || broker::all(world, 2, 0))
}

fn cut_where_possible(world: &World) -> Result<()> {
    match cut::is_possible() {
        Ok(()) => cut::within(&world.plain, 0, 1),
        Err(why) => {
            crate::say(&format!("cut: LEFT OUT: {why:#}"));
            Ok(())
        }
    }
}

fn report(mode: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let started = Instant::now();
    let came_of_it = work()?;
    crate::say(&format!(
        "{mode}: {came_of_it} ({} s)",
        started.elapsed().as_secs()
    ));
    Ok(())
}
