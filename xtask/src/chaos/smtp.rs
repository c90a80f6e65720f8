//! `chaos smtp`: the mail server puts off, refuses, loses answers and messages, and dawdles.

use std::time::Duration;

use acceptance::smtp::Hostility;
use anyhow::{Context, Result, ensure};

use super::kill::tail;
use super::run::{Arms, Run, Waited};
use super::script::Script;
use super::world::World;

const BATCHES: usize = 6;
/// With attempts at most 200 ms apart.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs so many histories against it.
pub fn all(world: &World, seeds: std::ops::Range<u64>, bug: Option<&str>) -> Result<String> {
    let mut mails = 0;
    for seed in seeds.clone() {
        let history = 700_000 + seed;
        let mut run = Run::set(world, Script::of(history, BATCHES)?)?;
        run.may_be_refused = true;
        world.mail.be_hostile(&Hostility {
            seed,
            delay: 10,
            refuse: 2,
            lose_answer: 5,
            lose_message: 5,
            dawdle: 5,
        })?;
        let done = once(&mut run, bug);
        world.mail.accept_all()?;
        mails += done.with_context(|| {
            format!(
                "seed {seed}, history {history}; the daemon said last:\n{}",
                tail(&run.words())
            )
        })?;
    }
    Ok(format!(
        "{mails} mails in {} runs: none lost, repeats only where the answer was lost",
        seeds.end - seeds.start
    ))
}

fn once(run: &mut Run<'_>, bug: Option<&str>) -> Result<i64> {
    let mut daemon = run.start(&Arms {
        bug: bug.map(str::to_owned),
        ..Arms::default()
    })?;
    for batch in 0..BATCHES {
        run.send(batch)?;
        // An epoch of its own for each: few tellings are told one by one, many in a digest.
        std::thread::sleep(Duration::from_millis(150));
    }
    ensure!(
        run.settle(&mut daemon, LIMIT)? == Waited::Settled,
        "it ended"
    );
    run.judge()?;
    let store = run.store()?;
    ensure!(
        store.count(
            "SELECT count(*) FROM mail WHERE state = 'failed' AND last_error NOT LIKE '%554%'"
        )? == 0,
        "a mail was given up that nobody refused"
    );
    store.count("SELECT count(*) FROM mail")
}
