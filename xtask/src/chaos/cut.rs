//! `chaos cut`: the network between two processes that both follow a third is cut. They do not hear of each other but by
//! what they wait for, and the third hears both. Runs in a network of its own, for which it starts itself once more.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::cluster::{DESERTED, ended};
use super::kill::tail;
use super::run::{Arms, Run, SOON, mesh_host};
use super::script::Script;
use super::world::World;

const BATCHES: usize = 3;
const WITHIN: &str = "FUNDWATCH_CHAOS_CUT";

/// Whether this process is in a network of its own.
pub fn is_within() -> bool {
    std::env::var_os(WITHIN).is_some()
}

/// Runs a command in a network of its own.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--map-root-user", "--"]);
    command
}

/// Whether a network may be made here.
pub fn is_possible() -> Result<()> {
    let done = unshare().args(["ip", "link", "set", "lo", "up"]).status();
    let done = done.context("unshare is needed (util-linux)")?;
    ensure!(
        done.success(),
        "no network may be made here (unshare --net, ip)"
    );
    Ok(())
}

/// Starts this program once more, in a network of its own, with a daemon that is built.
pub fn within(plain: &Path, seed: u64, seeds: u64) -> Result<()> {
    let folder = plain.parent().context("a program is in a folder")?;
    let done = unshare()
        .arg(std::env::current_exe()?)
        .args(["chaos", "cut", "--programs"])
        .arg(folder)
        .args(["--seed", &seed.to_string(), "--seeds", &seeds.to_string()])
        .env(WITHIN, "1")
        .status()?;
    ensure!(
        done.success(),
        "what came of a cut network is not as it should be"
    );
    Ok(())
}

/// Makes a network of it, in which rules come before what is this machine's.
pub fn prepare() -> Result<()> {
    ip("link set lo up")?;
    ip("rule add pref 100 lookup local")?;
    ip("rule del pref 0")
}

/// Runs so many histories, one after the other: they share the network.
pub fn all(world: &World, seeds: std::ops::Range<u64>) -> Result<String> {
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let history = 900_000 + seed;
        let mut run = Run::set(world, Script::of(history, BATCHES)?)?;
        let done = once(&mut run);
        done.with_context(|| {
            format!(
                "seed {seed}, history {history}; the processes said last:\n{}\n{}",
                tail(&run.words()),
                tail(&run.words_of_others())
            )
        })?;
    }
    Ok(format!(
        "{count} times cut between two of three processes: all ended within 30 s, 0 differences"
    ))
}

fn once(run: &mut Run<'_>) -> Result<()> {
    run.send(0)?;
    let mut processes = run.start_processes(&Arms::plain(), 3, 1)?;
    run.settle(&mut processes[0], SOON)?.settled()?;
    let cut = Cut::between_followers()?;
    run.send(1)?;
    for (which, process) in processes.iter_mut().enumerate() {
        let code = ended(process).with_context(|| format!("process {which}"))?;
        ensure!(code == DESERTED, "process {which} ended with {code}");
    }
    run.look_after_end()?;
    drop(cut);
    run.send(2)?;
    let mut processes = run.start_processes(&Arms::plain(), 3, 1)?;
    run.settle(&mut processes[0], SOON)?.settled()?;
    run.judge()
}

/// Nothing goes to the second process, or comes from there: only the third connects to it.
struct Cut;

impl Cut {
    fn between_followers() -> Result<Cut> {
        let second = mesh_host(1);
        ip(&format!("rule add pref 10 to {second} blackhole"))?;
        let cut = Cut;
        ip(&format!("rule add pref 11 from {second} blackhole"))?;
        Ok(cut)
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        for pref in [10, 11] {
            // The second may not be there; and the network goes with this process.
            let _ = ip(&format!("rule del pref {pref}"));
        }
    }
}

fn ip(arguments: &str) -> Result<()> {
    let done = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .context("ip is needed (iproute2)")?;
    ensure!(done.success(), "ip {arguments}: {done}");
    Ok(())
}
