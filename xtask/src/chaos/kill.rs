//! `chaos kill`: the daemon ends or panics at a named point, and is started again.

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use faults::{After, POINTS, Point, TEAR};
use rayon::prelude::*;

use super::run::{Arms, KILLED, Run, SOON, Waited};
use super::script::{Dice, Script};
use super::world::World;

/// A script has as many batches.
const BATCHES: usize = 4;

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// The process ends as by a loss of power.
    Kill,
    /// The thread that is there panics: the process ends, too, or goes on without what the thread was about.
    Panic,
}

impl How {
    /// As `FAILPOINTS` has it.
    fn action(self) -> &'static str {
        match self {
            How::Kill => "return(kill)",
            How::Panic => "1*panic",
        }
    }

    /// Whether it is what a process has ended of that had this exit code.
    fn is_seen(self, run: &Run<'_>, point: &str, code: i32) -> bool {
        match self {
            How::Kill => code == KILLED,
            How::Panic => code == 1 && panicked(run, point),
        }
    }
}

/// Whether the daemon has said that it panicked at the point.
fn panicked(run: &Run<'_>, point: &str) -> bool {
    run.words().contains(&format!("failpoint {point} panic"))
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The daemon ended or panicked at the point.
    Yes,
    /// It never came there, so often.
    No,
}

/// Runs every point (or those of a name) with seeds, and says how often each was reached.
pub fn all(
    world: &World,
    how: How,
    point: Option<&str>,
    seeds: std::ops::Range<u64>,
) -> Result<String> {
    let named: Vec<(u64, &Point)> = (0..)
        .zip(POINTS)
        .filter(|(_, known)| point.is_none_or(|point| known.name.starts_with(point)))
        .collect();
    ensure!(!named.is_empty(), "there is no such point");
    let first = seeds.start;
    let runs: Vec<(u64, &Point, u64)> = named
        .iter()
        .flat_map(|(at, known)| seeds.clone().map(move |seed| (*at, *known, seed)))
        .collect();
    let done: Vec<(&str, Reached)> = runs
        .into_par_iter()
        .map(|(at, known, seed)| {
            // Each point with histories of its own.
            let done = once(
                world,
                (how, known.name),
                seed * 1_000 + at,
                seed == first,
                None,
            );
            done.map(|reached| (known.name, reached))
                .with_context(|| format!("`{}`, seed {seed}: {}", known.name, known.holds))
        })
        .collect::<Result<_>>()?;
    for (_, known) in &named {
        ensure!(
            done.contains(&(known.name, Reached::Yes)),
            "`{}` was never reached",
            known.name
        );
    }
    let is_hit = |(_, reached): &&(&str, Reached)| *reached == Reached::Yes;
    Ok(format!(
        "{} points, {} runs, in {} of which the daemon {} at the point: 0 differences",
        named.len(),
        done.len(),
        done.iter().filter(is_hit).count(),
        match how {
            How::Kill => "ended",
            How::Panic => "panicked",
        }
    ))
}

/// One run in which the daemon fails at the point, at the first hit or one that the seed chooses.
pub fn once(
    world: &World,
    (how, point): (How, &str),
    seed: u64,
    first_hit: bool,
    bug: Option<&str>,
) -> Result<Reached> {
    let mut run = Run::set(world, Script::of(seed, BATCHES)?)?;
    let done = kill(&mut run, (how, point), first_hit, bug);
    done.with_context(|| {
        format!(
            "history {seed}; the daemon said last:\n{}",
            tail(&run.words())
        )
    })
}

fn kill(
    run: &mut Run<'_>,
    (how, point): (How, &str),
    first_hit: bool,
    bug: Option<&str>,
) -> Result<Reached> {
    let mut dice = Dice::new(run.script.seed, 2);
    let hit = if first_hit {
        1
    } else {
        dice.pick(&[1, 1, 2, 2, 3, 5, 9])
    };
    // The armed daemon is the first, or finds what another left behind: the crash within recovery.
    let is_second = !first_hit && dice.below(2) == 1;
    let unarmed = Arms {
        bug: bug.map(str::to_owned),
        ..Arms::default()
    };
    let after = POINTS
        .iter()
        .find(|known| known.name == point)
        .map_or(After::Nothing, |known| known.after);
    let fail_points = match after {
        After::TornFrame => format!("{TEAR}={}*off->1*return;{point}={}", hit - 1, how.action()),
        _ => format!("{point}={}*off->{}", hit - 1, how.action()),
    };
    let armed = Arms {
        fail_points: Some(fail_points),
        ..unarmed.clone()
    };
    let mut reached = Reached::No;

    run.send(0)?;
    let needs_state = matches!(after, After::EarlierRun | After::DamagedState);
    if is_second || needs_state {
        let mut daemon = run.start(&unarmed)?;
        if needs_state {
            run.settle(&mut daemon, SOON)?.settled()?;
        } else {
            std::thread::sleep(std::time::Duration::from_millis(dice.below(400)));
        }
        daemon.kill();
        run.look_after_end()?;
        if after == After::DamagedState {
            run.damage_state(&mut dice)?;
        }
    }
    let mut daemon = run.start(&armed)?;
    for batch in 1..BATCHES {
        if reached == Reached::No {
            let waited = run.settle(&mut daemon, SOON)?;
            run.look();
            reached = failed(run, (how, point), waited, &mut daemon)?;
        }
        // What is sent while it is down is read by the next.
        run.send(batch)?;
        if reached == Reached::Yes && daemon.ended().is_some() {
            daemon = run.start(&unarmed)?;
        }
    }
    if reached == Reached::No {
        let waited = run.settle(&mut daemon, SOON)?;
        reached = failed(run, (how, point), waited, &mut daemon)?;
    }
    if reached == Reached::No {
        let code = daemon.stop(SOON);
        run.look_after_end()?;
        match code {
            Some(code) if how.is_seen(run, point, code) => reached = Reached::Yes,
            Some(0) => {}
            other => bail!("asked to stop, it ended with {other:?}"),
        }
    }
    if daemon.ended().is_some() {
        daemon = run.start(&unarmed)?;
    }
    run.settle(&mut daemon, SOON)?.settled()?;
    run.judge()?;
    let before = run.seen()?;
    daemon.kill();
    run.look_after_end()?;
    let mut daemon = run.start(&unarmed)?;
    run.ready(&mut daemon)?.settled()?;
    run.settle(&mut daemon, SOON)?.settled()?;
    ensure!(
        run.seen()? == before,
        "a start at which nothing was new changed something"
    );
    Ok(reached)
}

fn failed(
    run: &mut Run<'_>,
    (how, point): (How, &str),
    waited: Waited,
    daemon: &mut acceptance::peer::Process,
) -> Result<Reached> {
    // It may end right after everything was told.
    match (waited, daemon.ended()) {
        // A task has panicked, and the process lives.
        (Waited::Settled, None) if how == How::Panic && panicked(run, point) => Ok(Reached::Yes),
        (Waited::Settled, None) => Ok(Reached::No),
        (Waited::Ended(code), _) | (Waited::Settled, Some(code))
            if how.is_seen(run, point, code) =>
        {
            run.look_after_end()?;
            Ok(Reached::Yes)
        }
        (Waited::Ended(code), _) | (Waited::Settled, Some(code)) => bail!("it ended with {code}"),
    }
}

/// The end of a text, for messages.
pub fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(3_000);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}
