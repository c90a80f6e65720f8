//! `chaos reload`: policies change while the daemon runs; half of the changes are bad.
//!
//! After a good one the alerts are the reference's under the new policy, as if it had always been so; with a new entry,
//! nothing is told of periods before its `from`. After a bad one nothing is told at all.

use std::time::{Duration, Instant};

use acceptance::daemon;
use anyhow::{Context, Result, ensure};
use jiff::ToSpan;
use rayon::prelude::*;

use super::kill::tail;
use super::run::{Arms, Run, SOON, Waited};
use super::script::{Dice, Script};
use super::world::World;

/// Changes of one run, each followed by a batch.
const CHANGES: usize = 4;

/// Runs so many histories.
pub fn all(world: &World, seeds: std::ops::Range<u64>) -> Result<String> {
    let done: Vec<(u64, i64)> = seeds
        .clone()
        .into_par_iter()
        .map(|seed| {
            let history = 400_000 + seed;
            let mut run = Run::set(world, Script::of(history, CHANGES + 1)?)?;
            let done = once(&mut run);
            done.with_context(|| {
                format!(
                    "seed {seed}, history {history}; the daemon said last:\n{}",
                    tail(&run.words())
                )
            })
        })
        .collect::<Result<_>>()?;
    let good: u64 = done.iter().map(|(taken, _)| taken).sum();
    let told: i64 = done.iter().map(|(_, tellings)| tellings).sum();
    let changes = CHANGES as u64 * (seeds.end - seeds.start);
    Ok(format!(
        "{changes} changes of policy, {good} of them good, {told} tellings for them: as the reference has it"
    ))
}

fn once(run: &mut Run<'_>) -> Result<(u64, i64)> {
    let mut dice = Dice::new(run.script.seed, 5);
    run.send(0)?;
    let mut daemon = run.start(&Arms::default())?;
    ensure!(run.ready(&mut daemon)? == Waited::Settled, "it ended");
    let (mut good, mut told) = (0, 0);
    for change in 0..CHANGES {
        ensure!(
            run.settle(&mut daemon, SOON)? == Waited::Settled,
            "it ended"
        );
        let before = history(run)?;
        let is_good = dice.below(2) == 0;
        let from = from(run, &mut dice)?;
        let old = run.script.policy.clone();
        let new = match is_good {
            true => with_entry(&old, &from, &mut dice),
            false => format!("{old}\n[[contribution]]\nfrom = \"never\"\n"),
        };
        std::fs::write(run.path("policy.toml"), &new)?;
        let words = if is_good {
            "the configuration was read anew"
        } else {
            "the changed configuration is refused"
        };
        let known = run.words().matches(words).count();
        daemon.hang_up();
        wait_for(run, words, known)?;
        let shown = format!(
            "fundwatch_config_last_reload_successful {}",
            u8::from(is_good)
        );
        wait_until("the operator is told", || {
            told_to_operator(run).is_ok_and(|told| told == change + 1)
        })?;
        let words = if is_good {
            "were read anew and taken"
        } else {
            "It was not taken"
        };
        let mails = run.world.mails_to(&run.operator)?;
        // Long lines are broken where they were none (quoted-printable).
        let said = mails.last().map(|mail| mail.data.replace("=\r\n", ""));
        ensure!(
            said.is_some_and(|said| said.contains(words)),
            "the operator is told something else than: {words}"
        );
        // The page is a little old at times.
        wait_until("the metric says so", || {
            daemon::get(run.http_port(), "/metrics").is_ok_and(|page| page.body.contains(&shown))
        })?;
        if is_good {
            run.script.policy = new;
            good += 1;
        } else {
            std::fs::write(run.path("policy.toml"), &old)?;
        }
        // It may take an epoch or two until nothing more comes of it.
        std::thread::sleep(Duration::from_millis(300));
        ensure!(
            run.settle(&mut daemon, SOON)? == Waited::Settled,
            "it ended"
        );
        let new = history(run)?;
        for (period, telling) in &new[before.len()..] {
            ensure!(is_good, "told after a bad change: {telling}");
            ensure!(
                period.as_ref().is_none_or(|period| *period >= from),
                "an entry from {from} on changed what was before: {telling}"
            );
        }
        told += i64::try_from(new.len() - before.len())?;
        run.judge_left_behind(&run.store()?)?;
        run.send(change + 1)?;
    }
    ensure!(
        run.settle(&mut daemon, SOON)? == Waited::Settled,
        "it ended"
    );
    run.judge()?;
    ensure!(daemon.stop(SOON) == Some(0), "asked to stop, it did not");
    Ok((good, told))
}

/// The month from which on the entry applies: that of an alert which it touches, if there is one.
fn from(run: &Run<'_>, dice: &mut Dice) -> Result<String> {
    let touched: Vec<String> = run.store()?.rows(
        "SELECT DISTINCT period FROM alerts
         WHERE withdrawn = 0 AND detector IN ('arrears', 'undeclared', 'under-declared-base')
         ORDER BY period",
        |row| row.get(0),
    )?;
    if !touched.is_empty() {
        let at = dice.below(touched.len() as u64);
        return Ok(touched[usize::try_from(at)?].clone());
    }
    let months = i64::try_from(dice.below(4))?;
    let month = run.script.as_of.checked_sub(months.months())?;
    Ok(format!("{:04}-{:02}", month.year(), month.month()))
}

/// The policy with a further entry of contributions, or the entry of that month with other content.
fn with_entry(policy: &str, from: &str, dice: &mut Dice) -> String {
    let entry = format!(
        "[[contribution]]\nfrom = \"{from}\"\nemployer_rate = \"0.{}\"\nemployee_rate = \"0.08\"\nreference_wage = \"{}.00\"\nfloor_ratio = \"0.60\"\nceiling_ratio = \"3.00\"\ndue_day = {}\ngrace_days = {}\n",
        dice.pick(&["12", "16", "20"]),
        dice.pick(&[4000, 6000, 8000]),
        dice.pick(&[5, 15, 28]),
        dice.pick(&[0, 3]),
    );
    // Tables of arrays come in any order: the entry of the same month, if there is one, gives way.
    let parts = policy.split("[[contribution]]");
    let mut kept: Vec<String> = Vec::new();
    for (at, part) in parts.enumerate() {
        let is_same = at > 0 && part.contains(&format!("from = \"{from}\"")) && {
            let own = part.split("\n[").next().unwrap_or(part);
            own.contains(&format!("from = \"{from}\""))
        };
        match (at, is_same) {
            (0, _) => kept.push(part.to_owned()),
            (_, false) => kept.push(format!("[[contribution]]{part}")),
            (_, true) => {
                let rest = part.find("\n[").map_or("", |end| &part[end + 1..]);
                kept.push(rest.to_owned());
            }
        }
    }
    format!("{}\n{entry}", kept.concat())
}

/// How many mails the operator has.
fn told_to_operator(run: &Run<'_>) -> Result<usize> {
    Ok(run.world.mails_to(&run.operator)?.len())
}

/// The period and the words of each telling, in order.
fn history(run: &Run<'_>) -> Result<Vec<(Option<String>, String)>> {
    run.store()?.rows(
        "SELECT a.period, h.kind || ' ' || h.json FROM alert_history h JOIN alerts a ON a.n = h.alert ORDER BY h.seq",
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn wait_for(run: &Run<'_>, words: &str, before: usize) -> Result<()> {
    wait_until(words, || run.words().matches(words).count() > before)
}

fn wait_until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + SOON;
    while !holds() {
        ensure!(Instant::now() < deadline, "waited in vain until: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
