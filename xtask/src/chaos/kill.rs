//! `chaos kill`: the daemon ends at a named point, and is started again.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use faults::{After, POINTS, TEAR};

use super::run::{Arms, KILLED, Run, SOON, Waited};
use super::script::{Dice, Script};
use super::world::World;

/// A script has as many batches.
const BATCHES: usize = 4;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The daemon ended at the point.
    Yes,
    /// It never came there, so often.
    No,
}

/// Runs every point (or those of a name) with seeds, and says how often each was reached.
pub fn all(world: &World, point: Option<&str>, seeds: std::ops::Range<u64>) -> Result<String> {
    let mut reached: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for known in POINTS
        .iter()
        .filter(|known| point.is_none_or(|point| known.name.starts_with(point)))
    {
        for seed in seeds.clone() {
            // Each point with histories of its own.
            let at = POINTS
                .iter()
                .position(|other| other.name == known.name)
                .unwrap_or(0);
            let history = seed * 1_000 + at as u64;
            let done = once(world, known.name, history, seed == seeds.start, None)
                .with_context(|| format!("`{}`, seed {seed}: {}", known.name, known.holds))?;
            let counts = reached.entry(known.name).or_default();
            counts.0 += 1;
            counts.1 += u64::from(done == Reached::Yes);
        }
        let (_, hits) = reached.get(known.name).copied().unwrap_or_default();
        ensure!(hits > 0, "`{}` was never reached", known.name);
    }
    ensure!(!reached.is_empty(), "there is no such point");
    let runs: u64 = reached.values().map(|(runs, _)| runs).sum();
    let hits: u64 = reached.values().map(|(_, hits)| hits).sum();
    Ok(format!(
        "{} points, {runs} runs, in {hits} of which the daemon ended at the point: 0 differences",
        reached.len()
    ))
}

/// One run in which the daemon ends at the point, at the first hit or one that the seed chooses.
pub fn once(
    world: &World,
    point: &str,
    seed: u64,
    first_hit: bool,
    bug: Option<&str>,
) -> Result<Reached> {
    let mut run = Run::set(world, Script::of(seed, BATCHES)?)?;
    let done = kill(&mut run, point, first_hit, bug);
    done.with_context(|| {
        format!(
            "history {seed}; the daemon said last:\n{}",
            tail(&run.words())
        )
    })
}

fn kill(run: &mut Run<'_>, point: &str, first_hit: bool, bug: Option<&str>) -> Result<Reached> {
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
        After::TornFrame => format!("{TEAR}={}*off->1*return;{point}=return(kill)", hit - 1),
        _ => format!("{point}={}*off->return(kill)", hit - 1),
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
            ensure!(
                run.settle(&mut daemon, SOON)? == Waited::Settled,
                "it ended without a reason"
            );
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
            reached = died(run, waited, &mut daemon)?;
        }
        // What is sent while it is down is read by the next.
        run.send(batch)?;
        if reached == Reached::Yes && daemon.ended().is_some() {
            daemon = run.start(&unarmed)?;
        }
    }
    if reached == Reached::No {
        let waited = run.settle(&mut daemon, SOON)?;
        reached = died(run, waited, &mut daemon)?;
    }
    if reached == Reached::No {
        let code = daemon.stop(SOON);
        run.look_after_end()?;
        match code {
            Some(KILLED) => reached = Reached::Yes,
            Some(0) => {}
            other => bail!("asked to stop, it ended with {other:?}"),
        }
    }
    if daemon.ended().is_some() {
        daemon = run.start(&unarmed)?;
    }
    ensure!(
        run.settle(&mut daemon, SOON)? == Waited::Settled,
        "it ended without a reason"
    );
    run.judge()?;
    let before = run.seen()?;
    daemon.kill();
    run.look_after_end()?;
    let mut daemon = run.start(&unarmed)?;
    ensure!(
        run.ready(&mut daemon)? == Waited::Settled,
        "it ended without a reason"
    );
    ensure!(
        run.settle(&mut daemon, SOON)? == Waited::Settled,
        "it ended without a reason"
    );
    ensure!(
        run.seen()? == before,
        "a start at which nothing was new changed something"
    );
    Ok(reached)
}

fn died(
    run: &mut Run<'_>,
    waited: Waited,
    daemon: &mut acceptance::peer::Process,
) -> Result<Reached> {
    // It may end right after everything was told.
    match (waited, daemon.ended()) {
        (Waited::Settled, None) => Ok(Reached::No),
        (Waited::Ended(KILLED), _) | (Waited::Settled, Some(KILLED)) => {
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
