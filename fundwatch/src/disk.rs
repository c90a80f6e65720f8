//! The state on disk, beside the store: found when the daemon starts, checked against the topics,
//! continued; and `fundwatch state`, which shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::Reader;
use alerting::batch::{Holder, PartitionOffset};
use alerting::http::Health;
use alerting::metrics::Metrics;
use anyhow::{Context, Result, anyhow, bail};
use comfy_table::{CellAlignment, Table, presets};
use domain::Topic;
use ingest::kafka::{self, Connection, Partition};
use rules::Policy;
use state::{Expected, Key, Log, Recorder, Watcher, Witness, Writer};

use crate::cli;
use crate::cluster::Holding;
use crate::cluster::assign::assign;
use crate::config::Config;
use crate::failure::{Failure, say};
use crate::live::{Pace, Share};

/// Between attempts to write to a disk that is full.
const RETRY: Duration = Duration::from_secs(1);
/// The broker may take so long to hand out a record of each partition.
const RECORDS_WITHIN: Duration = Duration::from_secs(60);

/// Looks through the state of the configuration's store, which stands at these offsets. What others hold is not missed.
///
/// # Errors
/// The folder cannot be read.
pub fn read(
    config: &Config,
    policy: &Policy,
    store: String,
    committed: &[PartitionOffset],
    holders: &[Holder],
) -> Result<Log> {
    let folder = config.state();
    let expected = Expected {
        store,
        regions: policy
            .pool
            .regions
            .iter()
            .map(|region| region.code)
            .collect(),
        committed: committed
            .iter()
            .map(|offset| ((offset.topic, offset.partition), offset.next_offset))
            .collect(),
        elsewhere: held_elsewhere(config, holders).collect(),
    };
    if !config.keep_state {
        return Ok(Log::none(expected));
    }
    Log::read(&folder, expected)
        .with_context(|| format!("cannot read the state in `{}`", folder.display()))
}

/// The partitions that other processes have on disk.
fn held_elsewhere(config: &Config, holders: &[Holder]) -> impl Iterator<Item = Key> {
    let elsewhere = holders
        .iter()
        .filter(|holder| holder.process as usize != config.process());
    elsewhere.map(|holder| (holder.topic, holder.partition))
}

/// What there is to be read of each partition, and by which process, after what that one has on disk.
///
/// # Errors
/// The topics are not those that were read before, or no longer have what is needed.
pub fn shares(
    holdings: &[Holding],
    partitions: &[Partition],
    committed: &[PartitionOffset],
    holders: &[Holder],
    accept_gap: bool,
) -> Result<Vec<(usize, Share)>> {
    for known in committed {
        let (topic, partition) = (known.topic, known.partition);
        let Some(now) = partitions
            .iter()
            .find(|now| now.topic == topic && now.partition == partition)
        else {
            bail!(
                "topic `{topic}` has no partition {partition} any more, which was read before: was it made anew? Put the old topic back, or begin with a new store"
            );
        };
        if now.high < known.next_offset {
            bail!(
                "topic `{topic}` partition {partition} ends at offset {}, but was read up to {}: it was made anew or cut off. Put the records back, or begin with a new store",
                now.high,
                known.next_offset
            );
        }
    }
    partitions
        .iter()
        .zip(assign(partitions, holdings))
        .map(|(now, process)| {
            let holder = holders
                .iter()
                .find(|holder| (holder.topic, holder.partition) == (now.topic, now.partition))
                .map(|holder| holder.process as usize)
                .filter(|holder| holdings.len() <= *holder);
            Ok((process, share(&holdings[process], now, holder, accept_gap)?))
        })
        .collect()
}

/// Says what is read from the topics again because the process that has it is not there any more.
pub fn tell_gone(shares: &[(usize, Share)], holders: &[Holder], processes: usize) {
    let gone: Vec<&Share> = holders
        .iter()
        .filter(|holder| processes <= holder.process as usize)
        .filter_map(|holder| {
            let of_shares = shares.iter().map(|(_, share)| share);
            of_shares
                .into_iter()
                .find(|share| (share.topic, share.partition) == (holder.topic, holder.partition))
        })
        .collect();
    if !gone.is_empty() {
        tracing::warn!(
            partitions = gone.len(),
            records = gone
                .iter()
                .map(|share| share.until - share.from)
                .sum::<i64>(),
            "processes of the run before are not among those of this one: what they had is read from the topics again"
        );
    }
}

/// What there is to be read of a partition; `gone` is the process of an earlier run that has it, and is not there now.
fn share(
    holding: &Holding,
    now: &Partition,
    gone: Option<usize>,
    accept_gap: bool,
) -> Result<Share> {
    let Partition {
        topic,
        partition,
        low,
        high,
    } = *now;
    let known = holding.position(now);
    if known.next < low {
        let damage = holding
            .damage
            .as_ref()
            .map(|damage| format!(" ({damage})"))
            .unwrap_or_default();
        if !accept_gap {
            if let Some(gone) = gone {
                bail!(
                    "topic `{topic}` partition {partition} begins at offset {low}, and what came before is in the state of process {gone} of the run before, which is not among the processes of this one: start {} processes again, process {gone} with its state's folder",
                    gone + 1
                );
            }
            bail!(
                "topic `{topic}` partition {partition} begins at offset {low}: the broker has deleted what came before, the state on disk has it only up to offset {}{damage}, and alerts would rest on half of the facts. Put the state's folder back from a copy, or set the topic's retention.ms to -1 and put the records back, or accept it with `accept_gap = true` under [kafka]",
                known.next
            );
        }
        tracing::warn!(%topic, partition, from = known.next, to = low, "records of a feed are gone; going on without them, as configured");
    }
    Ok(Share {
        topic,
        partition,
        known,
        from: known.next.max(low),
        until: high,
    })
}

/// Makes sure that the topics are those that the state was made from: of each partition one record
/// is compared, if it is still there.
///
/// # Errors
/// A topic has other records, or the broker does not answer.
pub fn check_topics(
    connection: &Connection,
    shares: &[(usize, Share)],
    partitions: &[Partition],
) -> Result<()> {
    let witnesses: BTreeMap<_, Witness> = partitions
        .iter()
        .zip(shares)
        .filter_map(|(now, (_, share))| {
            let key = (now.topic, now.partition);
            let witness = share.known.witness?;
            (now.low <= witness.offset && witness.offset < now.high).then_some((key, witness))
        })
        .collect();
    let from: Vec<_> = witnesses
        .iter()
        .map(|((topic, partition), witness)| (*topic, *partition, witness.offset))
        .collect();
    let records = kafka::read_firsts(connection, &from, RECORDS_WITHIN)
        .context("cannot compare the topics with the state on disk")?;
    for (((topic, partition), witness), record) in witnesses.into_iter().zip(records) {
        let is_same = record.is_some_and(|(offset, bytes)| Witness::of(offset, &bytes) == witness);
        if !is_same {
            bail!(
                "topic `{topic}` partition {partition} has another record at offset {} than was read there: it was made anew. Put the old topic back, or begin with a new store and without the state's folder",
                witness.offset
            );
        }
    }
    Ok(())
}

/// Which of the partitions in the log are to be loaded; `None`: all of them. The others are loaded by other processes.
pub fn loads(log: &Log, mine: &[Share]) -> Option<Arc<BTreeSet<Key>>> {
    let mine: BTreeSet<Key> = mine
        .iter()
        .map(|share| (share.topic, share.partition))
        .collect();
    let is_all = log.positions().keys().all(|key| mine.contains(key));
    (!is_all).then(|| Arc::new(mine))
}

/// Says what was found at the start, and is loaded.
pub fn tell_found(log: &Log, mine: &[Share], metrics: &Metrics) {
    let facts = mine.iter().map(|share| share.known.tally.accepted).sum();
    metrics.state_found(facts, log.damage().is_some());
    if let Some(damage) = log.damage() {
        let again: i64 = log
            .unread()
            .values()
            .map(|(known, committed)| committed - known)
            .sum();
        tracing::error!(file = %damage.file.display(), byte = damage.offset, what = damage.what, read_again = again,
            "the state on disk is not whole: what comes after is read from the topics again");
    }
}

/// Starts to write on where the log ends.
///
/// # Errors
/// A file cannot be written.
pub fn record(writer: Writer, pace: &Arc<Pace>, health: &Arc<Health>) -> Result<Arc<Recorder>> {
    let watcher = DiskWatcher {
        pace: Arc::clone(pace),
        health: Arc::clone(health),
    };
    Ok(Arc::new(Recorder::start(writer, watcher)?))
}

/// Waits until everything handed to the recorder is durable.
///
/// # Errors
/// It is not.
pub fn make_durable(recorder: &Recorder, metrics: &Metrics) -> Result<()> {
    let started = Instant::now();
    recorder.sync()?;
    metrics.state_synced(started.elapsed());
    Ok(())
}

struct DiskWatcher {
    pace: Arc<Pace>,
    health: Arc<Health>,
}

impl Watcher for DiskWatcher {
    fn waits(&mut self, error: &std::io::Error) -> bool {
        tracing::error!(%error, "the state cannot be written; trying again");
        self.health
            .object("state", format!("the disk of the state is full: {error}"));
        std::thread::sleep(RETRY);
        !self.pace.is_stopping()
    }

    fn goes_on(&mut self) {
        tracing::info!("the state can be written again");
        self.health.agree("state");
    }

    fn failed(&mut self, error: std::io::Error) {
        self.pace
            .fail(anyhow!(error).context("the state on disk cannot be written"));
    }
}

/// The state as the command line asks for it.
struct Found {
    config: Config,
    log: Log,
    /// How far the store has committed what this process holds.
    committed: BTreeMap<(Topic, i32), i64>,
}

fn look(arguments: &cli::StateOf) -> Result<Found, Failure> {
    let (mut config, policy) = Config::load(&arguments.config).map_err(Failure::usage)?;
    if let Some(process) = arguments.process {
        config.be_process(process).map_err(Failure::usage)?;
    }
    if !config.keep_state {
        return Err(Failure::usage(format!(
            "{}: keep_state = false: nothing is kept on disk",
            arguments.config.display()
        )));
    }
    let store = Reader::open(&config.store)
        .with_context(|| format!("cannot open the store `{}`", config.store.display()))?;
    // The offsets first: a daemon that runs writes the state before it commits them.
    let offsets = store.offsets()?;
    let holders = store.holders()?;
    let log = read(&config, &policy, store.instance()?, &offsets, &holders)?;
    let elsewhere: BTreeSet<Key> = held_elsewhere(&config, &holders).collect();
    let committed = offsets
        .iter()
        .map(|offset| ((offset.topic, offset.partition), offset.next_offset))
        .filter(|(key, _)| !elsewhere.contains(key))
        .collect();
    Ok(Found {
        config,
        log,
        committed,
    })
}

/// `fundwatch state inspect`
pub fn inspect(arguments: &cli::StateOf) -> Result<(), Failure> {
    let found = look(arguments)?;
    let (folder, log) = (found.config.state(), &found.log);
    say(format_args!(
        "state `{}` of the store `{}`\n",
        folder.display(),
        found.config.store.display()
    ))?;
    let mut segments = table(&[
        "segment",
        "bytes",
        "of them in use",
        "frames",
        "not in use",
        "facts up to its end",
    ]);
    for segment in log.segments() {
        segments.add_row([
            segment.name,
            segment.bytes.to_string(),
            segment.live_bytes.to_string(),
            segment.frames.to_string(),
            segment.void_frames.to_string(),
            segment.facts.to_string(),
        ]);
    }
    say(segments)?;
    say(
        "A frame that is not in use was not committed, or is not yet: its records are read again.\n",
    )?;
    let mut partitions = table(&[
        "partition",
        "committed up to offset",
        "here up to offset",
        "records",
        "facts",
        "rejected",
    ]);
    for (key, committed) in &found.committed {
        let known = log.positions().get(key).copied().unwrap_or_default();
        partitions.add_row([
            format!("{}:{}", key.0, key.1),
            committed.to_string(),
            known.next.to_string(),
            known.tally.read.to_string(),
            known.tally.accepted.to_string(),
            known.tally.rejected_total().to_string(),
        ]);
    }
    say(partitions)?;
    say(
        "Facts that were redelivered, or whose id was used before, are among these: what counts is found when they are judged.\n",
    )?;
    for aside in set_aside(&folder)? {
        say(format_args!(
            "set aside, and not used: `{aside}`. It is safe to delete once `state verify` says that all is whole."
        ))?;
    }
    verdict(log)
}

/// What a start could not use, and kept.
fn set_aside(folder: &Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let failed = || format!("cannot read the folder `{}`", folder.display());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        names.extend(
            name.to_str()
                .filter(|name| name.ends_with(".aside"))
                .map(str::to_owned),
        );
    }
    names.sort_unstable();
    Ok(names)
}

/// `fundwatch state verify`
pub fn verify(arguments: &cli::StateOf) -> Result<(), Failure> {
    verdict(&look(arguments)?.log)
}

fn verdict(log: &Log) -> Result<(), Failure> {
    for ((topic, partition), (known, committed)) in log.unread() {
        say(format_args!(
            "{topic}:{partition}: offsets {known} to {} are committed and not here; a start reads them from the topic again, and stops if it has lost them",
            committed - 1
        ))?;
    }
    match log.damage() {
        Some(damage) => Err(anyhow!("the state is not whole: {damage}").into()),
        None => say(format_args!(
            "whole: all that the store has committed is here, {} facts in {} bytes",
            log.facts(),
            log.bytes()
        )),
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::CivilDeath;

    fn partition(partition: i32, low: i64, high: i64) -> Partition {
        Partition {
            topic: TOPIC,
            partition,
            low,
            high,
        }
    }

    fn committed(partition: i32, next_offset: i64) -> PartitionOffset {
        PartitionOffset {
            topic: TOPIC,
            partition,
            next_offset,
        }
    }

    /// What is read with nothing on disk.
    fn shares_of(
        partitions: &[Partition],
        committed: &[PartitionOffset],
        accept_gap: bool,
    ) -> Result<Vec<(i64, i64)>, String> {
        shares(
            &[Holding::default()],
            partitions,
            committed,
            &[],
            accept_gap,
        )
        .map(|shares| {
            shares
                .iter()
                .map(|(_, share)| (share.from, share.until))
                .collect()
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_partition_that_is_new_is_read_from_its_beginning() {
        let now = [partition(0, 0, 7), partition(1, 0, 3)];
        let shares = shares_of(&now, &[committed(0, 7)], false);
        assert_eq!(shares, Ok(vec![(0, 7), (0, 3)]));
    }

    #[test]
    fn what_is_gone_is_never_left_out_silently() {
        for (now, known, words) in [
            (
                partition(0, 0, 6),
                committed(0, 7),
                "was made anew or cut off",
            ),
            (
                partition(1, 0, 9),
                committed(0, 7),
                "no partition 0 any more",
            ),
            (partition(0, 2, 9), committed(0, 7), "begins at offset 2"),
        ] {
            let error = shares_of(&[now], &[known], false).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        // Going on without it is the operator's decision, and only about what retention took.
        let gap = shares_of(&[partition(0, 2, 9)], &[committed(0, 7)], true);
        assert_eq!(gap, Ok(vec![(2, 9)]));
        assert!(shares_of(&[partition(0, 0, 6)], &[committed(0, 7)], true).is_err());
    }

    #[test]
    fn whoever_has_what_is_gone_and_is_not_there_is_named() {
        let held_by = |process| Holder {
            topic: TOPIC,
            partition: 0,
            process,
        };
        let alone = [Holding::default()];
        let (now, known) = ([partition(0, 2, 9)], [committed(0, 7)]);
        let words = |holder| {
            let refused = shares(&alone, &now, &known, &[held_by(holder)], false);
            refused.unwrap_err().to_string()
        };
        let gone = words(1);
        assert!(
            gone.contains("in the state of process 1") && gone.contains("start 2 processes"),
            "{gone}"
        );
        assert!(words(0).contains("Put the state's folder back"));
        // As long as the topic has it, it is read there.
        let whole = [partition(0, 0, 9)];
        assert!(shares(&alone, &whole, &known, &[held_by(1)], false).is_ok());
    }
}
