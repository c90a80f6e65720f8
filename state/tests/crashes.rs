//! Random lives of a log: workers that read at different speeds, commits behind them, and ends at any
//! moment, with and without what was not yet durable. Each life goes on where the one before ended.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot write its files has failed"
)]

mod kit;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use domain::Topic;
use kit::{assert_is_a_beginning, expected, files, frame};
use proptest::prelude::*;
use state::{Key, Lock, Log, Writer};
use tempfile::TempDir;

const EPOCHS_AHEAD: usize = 4;

/// What a life does next.
#[derive(Clone, Debug)]
enum Step {
    /// A worker reads so many offsets of its partitions, and writes a frame.
    Read(usize, i64),
    /// A worker ends its epoch.
    EndEpoch(usize),
    /// What is complete is made durable, and committed.
    Commit,
}

#[derive(Clone, Debug)]
struct Life {
    workers: usize,
    steps: Vec<Step>,
    /// How much of what was not durable is lost, in hundredths, and what stands there instead.
    lost_percent: u64,
    garbage: Vec<u8>,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4usize, 0..9i64).prop_map(|(worker, count)| Step::Read(worker, count)),
        4 => (0..4usize).prop_map(Step::EndEpoch),
        2 => Just(Step::Commit),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    (
        1..4usize,
        prop::collection::vec(step(), 0..60),
        0..=100u64,
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(workers, steps, lost_percent, garbage)| Life {
            workers,
            steps,
            lost_percent,
            garbage,
        })
}

const PARTITIONS: [Key; 5] = [
    (Topic::TaxCollection, 0),
    (Topic::TaxCollection, 1),
    (Topic::AgencyPayout, 0),
    (Topic::CivilDeath, 0),
    (Topic::TreasuryTransfer, 3),
];

/// One worker of a life.
struct Worker {
    partitions: Vec<Key>,
    epoch: usize,
}

/// Lives one life, and ends it; says how many bytes of the last file were durable.
fn live(folder: &Path, life: &Life, committed: &mut BTreeMap<Key, i64>, segment_bytes: u64) {
    let log = Log::read(folder, expected(committed)).unwrap();
    assert_is_a_beginning(&log, committed);
    // INVARIANT: what was committed was durable before.
    assert_eq!(log.damage(), None);
    let mut reached: BTreeMap<Key, i64> = log
        .positions()
        .iter()
        .map(|(key, position)| (*key, position.next))
        .collect();
    let lock = Lock::of(folder).unwrap();
    let mut writer = Writer::with_segments_of(&log, lock, segment_bytes).unwrap();
    let mut durable = durable_now(folder);
    let mut workers: Vec<Worker> = (0..life.workers)
        .map(|at| Worker {
            partitions: PARTITIONS
                .iter()
                .skip(at)
                .step_by(life.workers)
                .copied()
                .collect(),
            epoch: 0,
        })
        .collect();
    // How far each partition was read at the end of each epoch.
    let mut ends: BTreeMap<usize, BTreeMap<Key, i64>> = BTreeMap::new();
    let mut committed_epochs = 0;
    for step in &life.steps {
        match step {
            Step::Read(at, count) => {
                let worker = &workers[at % life.workers];
                let ranges: Vec<_> = (*count..)
                    .zip(&worker.partitions)
                    .map(|(count, key)| {
                        let from = reached.get(key).copied().unwrap_or(0);
                        reached.insert(*key, from + count);
                        (*key, from, from + count)
                    })
                    .filter(|(_, from, to)| from < to)
                    .collect();
                if !ranges.is_empty() {
                    writer.append(&frame(&ranges)).unwrap();
                }
            }
            Step::EndEpoch(at) => {
                let worker = &mut workers[at % life.workers];
                if worker.epoch < committed_epochs + EPOCHS_AHEAD {
                    let end = ends.entry(worker.epoch).or_default();
                    for key in &worker.partitions {
                        end.insert(*key, reached.get(key).copied().unwrap_or(0));
                    }
                    worker.epoch += 1;
                }
            }
            Step::Commit => {
                let complete = workers.iter().map(|worker| worker.epoch).min().unwrap_or(0);
                writer.sync().unwrap();
                durable = durable_now(folder);
                while committed_epochs < complete {
                    committed.extend(ends.remove(&committed_epochs).unwrap());
                    committed_epochs += 1;
                }
            }
        }
    }
    drop(writer);
    lose(folder, &durable, life);
}

fn durable_now(folder: &Path) -> BTreeMap<String, u64> {
    files(folder)
        .into_iter()
        .map(|(name, bytes)| (name, bytes.len() as u64))
        .collect()
}

/// The power goes: of the last file only what was durable is sure to be there. (Those before it were
/// made durable when it was begun.)
fn lose(folder: &Path, durable: &BTreeMap<String, u64>, life: &Life) {
    let Some((name, bytes)) = files(folder).into_iter().next_back() else {
        return;
    };
    // The head of a segment is durable before it has its name.
    let head = 20 + u64::from(u32::from_le_bytes(bytes[12..16].try_into().unwrap()));
    let sure = durable.get(&name).copied().unwrap_or(head);
    let length = bytes.len() as u64;
    let left = length - (length - sure) * life.lost_percent / 100;
    let path = folder.join(name);
    fs::write(&path, &bytes[..usize::try_from(left).unwrap()]).unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(&life.garbage).unwrap();
}

/// Found by the random lives: a segment that was begun behind a frame that was never committed does not
/// make it count, not even when the records have been read again and committed by the next process.
#[test]
fn what_was_not_committed_never_counts_later() {
    let folder = TempDir::new().unwrap();
    let mut committed = BTreeMap::new();
    let read = |at| Step::Read(at, 0);
    let lives = [
        vec![
            read(0),
            Step::EndEpoch(0),
            read(0),
            read(1),
            Step::EndEpoch(1),
            Step::Commit,
        ],
        vec![read(0), Step::EndEpoch(0), Step::Commit],
    ];
    for (steps, workers) in lives.into_iter().zip([2, 1]) {
        let life = Life {
            workers,
            steps,
            lost_percent: 0,
            garbage: Vec::new(),
        };
        // Each frame has a segment of its own.
        live(folder.path(), &life, &mut committed, 1);
    }
    let log = Log::read(folder.path(), expected(&committed)).unwrap();
    assert_is_a_beginning(&log, &committed);
    assert_eq!(log.damage(), None);
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for more.
        cases: std::env::var("PROPTEST_CASES").map_or(100, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_life_goes_on_where_the_last_was_committed(
        lives in prop::collection::vec(life(), 1..6),
        segment_bytes in prop_oneof![Just(1_u64), 300..4_000_u64, Just(1 << 20)],
    ) {
        let folder = TempDir::new().unwrap();
        let mut committed = BTreeMap::new();
        for life in &lives {
            live(folder.path(), life, &mut committed, segment_bytes);
        }
        let log = Log::read(folder.path(), expected(&committed)).unwrap();
        assert_is_a_beginning(&log, &committed);
        prop_assert_eq!(log.damage(), None);
        // Starts do not add up to ever more files.
        if segment_bytes > 4_000 {
            prop_assert!(files(folder.path()).len() <= 2);
        }
    }
}
