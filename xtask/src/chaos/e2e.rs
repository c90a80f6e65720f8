//! `chaos e2e`: the program as it is shipped is killed at random times, from the broker through to the mails.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;

use super::kill::tail;
use super::run::{Arms, Run, SOON};
use super::script::{Dice, Script};
use super::world::World;

/// How often the daemon of one run is killed.
const KILLS_EACH: usize = 6;

/// Kills so often, in runs of [`KILLS_EACH`] each.
pub fn all(world: &World, kills: usize, seed: u64) -> Result<String> {
    let runs = kills.div_ceil(KILLS_EACH);
    (0..runs as u64).into_par_iter().try_for_each(|at| {
        let history = 500_000 + seed * 1_000 + at;
        let mut run = Run::set(world, Script::of(history, KILLS_EACH + 1)?)?;
        let done = once(&mut run);
        done.with_context(|| {
            format!(
                "seed {seed}, history {history}; the daemon said last:\n{}",
                tail(&run.words())
            )
        })
    })?;
    Ok(format!(
        "{} kills in {runs} runs: 0 differences",
        runs * KILLS_EACH
    ))
}

fn once(run: &mut Run<'_>) -> Result<()> {
    let mut dice = Dice::new(run.script.seed, 3);
    let plain = Arms::plain();
    for batch in 0..KILLS_EACH {
        // While it is down, or while it reads.
        let mut daemon = if dice.below(2) == 0 {
            run.send(batch)?;
            run.start(&plain)?
        } else {
            let daemon = run.start(&plain)?;
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            run.send(batch)?;
            daemon
        };
        std::thread::sleep(Duration::from_millis(20 + dice.below(1_000)));
        daemon.kill();
        run.look_after_end()?;
    }
    run.send(KILLS_EACH)?;
    let mut daemon = run.start(&plain)?;
    run.settle(&mut daemon, SOON)?.settled()?;
    run.judge()?;
    ensure!(daemon.stop(SOON) == Some(0), "asked to stop, it did not");
    Ok(())
}
