//! `chaos mutants`: bugs are planted one by one, and the harness must see each of them.

use anyhow::{Result, bail, ensure};
use faults::BUGS;

use super::world::World;
use super::{cluster, determinism, io, kill, smtp};

/// Seeds that are tried before a bug counts as unseen.
const SEEDS: u64 = 12;

/// What shows a bug.
enum Trial {
    /// The daemon ends at this point, for the first time it comes there.
    Kill(&'static str),
    /// A system call of the store fails.
    Store(io::Fault),
    /// A system call of the outputs fails.
    Outputs,
    /// Workers, files and order differ.
    Determinism,
    /// The mail server is hostile.
    Smtp,
    /// Several processes share the partitions, and one of them hangs.
    Cluster,
}

fn trial(bug: &str) -> Result<Trial> {
    Ok(match bug {
        "offset-before-state" => Trial::Kill("store.begun"),
        "outbox-outside-transaction" => Trial::Kill("store.committed"),
        "mail-marked-before-sent" => Trial::Kill("mail.claimed"),
        "topic-marked-before-delivered" => Trial::Kill("publish.taken"),
        "withdrawal-forgotten" => Trial::Kill("commit.acknowledged"),
        "start-on-half-the-facts" => Trial::Kill("stop.committed"),
        "sending-forgotten" => Trial::Kill("mail.accepted"),
        "message-id-of-attempt" => Trial::Kill("mail.accepted"),
        "dead-letter-each-start" => Trial::Kill("stop.committed"),
        "conflict-unheard" => Trial::Kill("stop.committed"),
        "redelivery-counted-as-accepted" => Trial::Kill("stop.committed"),
        "order-of-arrival" => Trial::Determinism,
        "disk-error-ignored" => Trial::Store(io::FSYNC),
        "full-disk-skips-epoch" => Trial::Store(io::STORE_FULL),
        "output-in-place" => Trial::Outputs,
        "refusal-is-for-good" => Trial::Smtp,
        "lost-answer-is-success" => Trial::Smtp,
        "rejected-elsewhere-unheard" | "hung-process-waited-for" => Trial::Cluster,
        other => bail!("nothing is known that shows `{other}`"),
    })
}

/// Plants each bug (or those of a name), and says what showed it.
pub fn all(world: &World, only: Option<&str>) -> Result<String> {
    let mut caught = Vec::new();
    let mut unseen = Vec::new();
    for bug in BUGS
        .iter()
        .filter(|bug| only.is_none_or(|only| bug.name == only))
    {
        match seen(world, bug.name)? {
            Some((seed, how)) => {
                caught.push(format!("{}: {} (seed {seed}: {how})", bug.name, bug.breaks))
            }
            None => unseen.push(bug.name),
        }
    }
    ensure!(
        unseen.is_empty(),
        "planted and not seen: {unseen:?}; seen:\n{}",
        caught.join("\n")
    );
    Ok(format!(
        "{} planted bugs, each seen:\n  {}",
        caught.len(),
        caught.join("\n  ")
    ))
}

/// What a bug must be seen by: these words are in what the judge says. Any of them will do; with none, anything does. A bug
/// that shows in another way is not what it was planted for, and does not count.
fn proof(bug: &str) -> &'static [&'static str] {
    match bug {
        // What the epoch that was left out had is missing, although later ones are committed; or it was the last, and is
        // never committed.
        "full-disk-skips-epoch" => &[
            "not settled",
            "the alerts",
            "the counts",
            "the dead letters",
            "offsets lead the counts",
        ],
        // The same mail came under two names.
        "message-id-of-attempt" => &["a mail that nobody sent"],
        "rejected-elsewhere-unheard" => &["the dead letters"],
        "hung-process-waited-for" => &["it has not ended after"],
        "disk-error-ignored" => &["a disk failed, and the daemon went on"],
        _ => &[],
    }
}

/// The first seed with which the bug shows, and the first line of what it shows.
fn seen(world: &World, bug: &str) -> Result<Option<(u64, String)>> {
    let trial = trial(bug)?;
    for seed in 0..SEEDS {
        let planted = Some(bug);
        let shown = match &trial {
            Trial::Kill(point) => {
                kill::once(world, (kill::How::Kill, point), seed, true, planted).map(drop)
            }
            // The first calls are those of the opening, at which any fault ends the program.
            Trial::Store(fault) => {
                let n = match fault.call {
                    "fsync" => seed + 4,
                    _ => 30 * seed + 60,
                };
                let n = u32::try_from(n)?;
                io::store(world, (seed, io::BATCHES), *fault, n, planted).map(drop)
            }
            Trial::Outputs => io::outputs(&world.armed, planted).map(drop),
            Trial::Determinism => determinism::all(&world.armed, seed..seed + 1, planted).map(drop),
            Trial::Cluster => cluster::all(world, seed..seed + 1, 1, planted).map(drop),
            Trial::Smtp => smtp::all(world, seed..seed + 1, planted).map(drop),
        };
        if let Err(error) = shown {
            let (said, proof) = (format!("{error:#}"), proof(bug));
            if !proof.is_empty() && !proof.iter().any(|words| said.contains(words)) {
                crate::say(&format!(
                    "{bug}, seed {seed}: fails in another way: {}",
                    error.root_cause()
                ));
                continue;
            }
            let how = error.root_cause().to_string();
            return Ok(Some((
                seed,
                how.lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(160)
                    .collect(),
            )));
        }
    }
    Ok(None)
}
