//! `chaos cluster`: several processes share the partitions; one is killed, paused or asked to stop, their number and that
//! of their workers changes, and strangers connect to the ports of the mesh.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use acceptance::peer::Process;
use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;

use super::kill::tail;
use super::run::{Arms, KILLED, Run, SOON};
use super::script::{Dice, Script};
use super::world::World;

/// A script has as many batches, each of which is a life of the processes.
const LIVES: usize = 6;
/// When one ends or hangs, all end within this.
const ALL_END_WITHIN: Duration = Duration::from_secs(30);
/// The exit code of a process that another one took with it.
pub const DESERTED: i32 = 3;
/// Of one that was asked to stop before it listened to that.
const TERMINATED: i32 = 128 + 15;
/// Of one that waited for another, or had not begun.
const ANY: [i32; 3] = [DESERTED, 0, TERMINATED];

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// This process is killed.
    Kill(usize),
    /// This process is asked to stop, and the others stop with it.
    Stop(usize),
    /// All are asked to stop.
    StopAll,
    /// This process is stopped as if it hung, and wakes when all others have ended.
    Pause(usize),
}

/// Runs so many histories; in the first `pauses` of them a process hangs once.
pub fn all(
    world: &World,
    seeds: std::ops::Range<u64>,
    pauses: u64,
    bug: Option<&str>,
) -> Result<String> {
    let arms = Arms {
        is_plain: bug.is_none(),
        bug: bug.map(str::to_owned),
        ..Arms::default()
    };
    seeds.clone().into_par_iter().try_for_each(|seed| {
        let history = 800_000 + seed;
        let mut run = Run::set(world, Script::of(history, LIVES + 1)?)?;
        let is_to_hang = seed - seeds.start < pauses;
        let done = once(&mut run, is_to_hang, &arms);
        done.with_context(|| {
            format!(
                "seed {seed}; the processes said last:\n{}\n{}",
                tail(&run.words()),
                tail(&run.words_of_others())
            )
        })
    })?;
    let runs = seeds.end - seeds.start;
    Ok(format!(
        "{} lives of 1 to 3 processes with 1, 2 and 4 workers in {runs} runs, {} of them with one that hung: 0 differences",
        LIVES as u64 * runs,
        pauses.min(runs)
    ))
}

fn once(run: &mut Run<'_>, is_to_hang: bool, arms: &Arms) -> Result<()> {
    let mut dice = Dice::new(run.script.seed, 8);
    // Their number changes each way at least once.
    let mut counts: Vec<usize> = (0..LIVES).map(|_| dice.pick(&[1, 2, 2])).collect();
    counts[..4].copy_from_slice(&[1, 2, 1, 3]);
    for (life, count) in counts.into_iter().enumerate() {
        let workers = dice.pick(&[1, 2, 4]);
        let end = match (count, life) {
            (1, _) => dice.pick(&[End::Kill(0), End::StopAll]),
            _ => {
                let which = usize::try_from(dice.below(u64::try_from(count)?))?;
                match life {
                    1 => End::Kill(which),
                    3 if is_to_hang => End::Pause(which),
                    _ => dice.pick(&[End::Kill(which), End::Stop(which), End::StopAll]),
                }
            }
        };
        live(run, arms, &mut dice, (life, count, workers), end).with_context(|| {
            format!("life {life}: {count} processes, {workers} workers, {end:?}")
        })?;
    }
    // At the end everything is the reference's, and nothing is new to one process alone.
    run.send(LIVES)?;
    let mut processes = run.start_processes(arms, 2, dice.pick(&[1, 2]))?;
    run.settle(&mut processes[0], SOON)?.settled()?;
    run.judge()?;
    let before = run.seen()?;
    end_all(&mut processes)?;
    run.look_after_end()?;
    let mut alone = run.start_processes(arms, 1, 2)?;
    run.ready(&mut alone[0])?.settled()?;
    run.settle(&mut alone[0], SOON)?.settled()?;
    ensure!(
        run.seen()? == before,
        "a start with another number of processes, at which nothing was new, changed something"
    );
    Ok(())
}

fn live(
    run: &mut Run<'_>,
    arms: &Arms,
    dice: &mut Dice,
    (life, count, workers): (usize, usize, u32),
    end: End,
) -> Result<()> {
    // While they are down, or while they read.
    let is_early = dice.below(2) == 0;
    if is_early {
        run.send(life)?;
    }
    let mut processes = run.start_processes(arms, count, workers)?;
    if count > 1 {
        for address in run.mesh_addresses(count) {
            strange(address, dice)?;
        }
    }
    // Every second life comes to an end in the middle of something, but for those that have to know each other first.
    let is_calm = dice.below(2) == 0 || matches!(end, End::Pause(_) | End::Stop(_));
    if is_calm {
        run.ready(&mut processes[0])?.settled()?;
    }
    if !is_early {
        run.send(life)?;
    }
    if is_calm {
        run.settle(&mut processes[0], SOON)?.settled()?;
    } else {
        std::thread::sleep(Duration::from_millis(dice.below(1_500)));
    }
    match end {
        End::Kill(which) => {
            processes[which].kill();
            // Those that still waited for each other go on to wait.
            if !is_calm {
                std::thread::sleep(Duration::from_secs(2));
                let others = processes.iter().enumerate();
                others
                    .filter(|(other, _)| *other != which)
                    .for_each(|(_, process)| process.ask_to_stop());
            }
            expect_ended(
                &mut processes,
                which,
                if is_calm { &[DESERTED] } else { &ANY },
            )?;
        }
        End::Stop(which) => {
            ensure!(
                processes[which].stop(SOON) == Some(0),
                "asked to stop, process {which} did not"
            );
            expect_ended(&mut processes, which, &[DESERTED])?;
        }
        End::StopAll => end_all(&mut processes)?,
        End::Pause(which) => {
            processes[which].pause();
            expect_ended(&mut processes, which, &[DESERTED])?;
            // What has come meanwhile is for the next: the one that wakes finds that its run is over.
            run.look_after_end()?;
            let before = run.seen()?;
            processes[which].go_on();
            let code = ended(&mut processes[which])?;
            ensure!(code == DESERTED, "it woke, and ended with {code}");
            ensure!(run.seen()? == before, "it woke, and wrote something");
        }
    }
    run.look_after_end()
}

/// Asks all to stop, which they do in good order.
fn end_all(processes: &mut [Process]) -> Result<()> {
    for process in processes.iter() {
        process.ask_to_stop();
    }
    for (which, process) in processes.iter_mut().enumerate() {
        let code = ended(process)?;
        ensure!(
            code == 0 || code == TERMINATED,
            "asked to stop, process {which} ended with {code}"
        );
    }
    Ok(())
}

/// All but one end because of that one, with one of these exit codes.
fn expect_ended(processes: &mut [Process], which: usize, codes: &[i32]) -> Result<()> {
    for (other, process) in processes.iter_mut().enumerate() {
        if other != which {
            let code = ended(process)?;
            ensure!(
                codes.contains(&code),
                "process {other} ended with {code}, not one of {codes:?}"
            );
        }
    }
    Ok(())
}

/// Waits until a process has ended by itself, which it has to soon.
pub fn ended(process: &mut Process) -> Result<i32> {
    let deadline = Instant::now() + ALL_END_WITHIN;
    while Instant::now() < deadline {
        if let Some(code) = process.ended() {
            ensure!(code != KILLED, "somebody killed it");
            return Ok(code);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("it has not ended after {} s", ALL_END_WITHIN.as_secs())
}

/// Connects to a port of the mesh as one who has no business there, as soon as somebody listens.
fn strange(address: SocketAddr, dice: &mut Dice) -> Result<()> {
    let kinds: Vec<u64> = (0..3).map(|_| dice.below(5)).collect();
    let bytes: Vec<u8> = (0..64).map(|_| dice.below(256) as u8).collect();
    std::thread::Builder::new().spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut held = Vec::new();
        for kind in kinds {
            let mut stream = loop {
                match TcpStream::connect(address) {
                    Ok(stream) => break stream,
                    Err(_) if deadline < Instant::now() => return,
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            };
            // Whether it is heard does not matter.
            let _ = match kind {
                0 => Ok(()),
                1 => stream.write_all(&bytes),
                2 => stream.write_all(&1_u64.to_be_bytes()),
                3 => stream.write_all(b"FWMESH1\n"),
                _ => stream.write_all(&[b"FWMESH1\n", &bytes[..]].concat()),
            };
            held.push(stream);
        }
        std::thread::sleep(Duration::from_secs(2));
    })?;
    Ok(())
}
