//! `chaos broker`: the broker is stopped or killed while records flow, and comes back.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::kill::tail;
use super::run::{Arms, Run, Waited};
use super::script::{Dice, Script};
use super::world::World;

/// Once the broker is back, everything is read and told within this.
const RESUMES_WITHIN: Duration = Duration::from_secs(30);
/// Restarts of one run.
const RESTARTS_EACH: usize = 2;

/// Restarts the broker so often.
pub fn all(world: &World, restarts: usize, seed: u64) -> Result<String> {
    let runs = restarts.div_ceil(RESTARTS_EACH);
    for at in 0..runs as u64 {
        let history = 600_000 + seed * 1_000 + at;
        let mut run = Run::set(world, Script::of(history, 2 * RESTARTS_EACH + 1)?)?;
        let done = once(&mut run);
        done.with_context(|| {
            format!(
                "seed {seed}, history {history}; the daemon said last:\n{}",
                tail(&run.words())
            )
        })?;
    }
    Ok(format!(
        "{} restarts of the broker in {runs} runs: 0 differences, resumed within 30 s",
        runs * RESTARTS_EACH
    ))
}

fn once(run: &mut Run<'_>) -> Result<()> {
    let mut dice = Dice::new(run.script.seed, 4);
    run.send(0)?;
    let mut daemon = run.start(&Arms::default())?;
    for restart in 0..RESTARTS_EACH {
        run.send(2 * restart + 1)?;
        std::thread::sleep(Duration::from_millis(dice.below(200)));
        let mut broker = run.world.broker_mut();
        if dice.below(2) == 0 {
            broker.kill();
        } else {
            broker.stop();
        }
        broker
            .restart()
            .map_err(|error| anyhow!("the broker {error}"))?;
        drop(broker);
        run.send(2 * restart + 2)?;
        ensure!(
            run.settle(&mut daemon, RESUMES_WITHIN)? == Waited::Settled,
            "it ended"
        );
    }
    run.judge()
}
