//! The live pipeline: records as they come, through the dataflow, into the store, epoch by epoch.
//!
//! ```text
//! source ─► feed (worker) ─► dataflow ─► worker 0 ─► committer ─► store ─► senders
//!            │ │  └── notes: offsets, counts, rejects ────┤
//!            │ └────► recorder: facts and offsets to disk ┘ durable before they are committed
//!           disk: facts of earlier runs
//! ```
//! The first epoch is the state on disk, the second what was on the topics beyond it when the program
//! started. They are committed as one, reconciled with what is stored, so that nobody is told of
//! verdicts on half of the facts, and a restart tells nothing twice. They are two because what the
//! second changes was caused by its facts. From then on an epoch is closed every few milliseconds.

pub mod committer;
pub mod feed;
pub mod fund;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use alerting::{EpochBatch, Routing};
use anyhow::{Result, anyhow};
use detectors::dataflow::{self, Desk, Outcome, Plan, Results};
use domain::Topic;
use ingest::{Reject, Tally};
use rules::{Policy, PolicyText};

pub use committer::Committer;
pub use feed::{Disk, LiveFeed, RecordSource, Share};
pub use fund::FundWatch;

/// The epoch of what was on disk.
const LOADED: u64 = 0;
/// The epoch of what was on the topics, too, when the program started.
const BACKLOG: u64 = 1;
/// The first epoch of what came later.
const LIVE: u64 = 2;

/// Where the books of so many workers can be asked, once what was there when the program started is judged.
pub fn desk(workers: usize) -> Desk {
    Desk::new(workers, LIVE)
}

/// How many epochs may be read ahead of what is committed.
pub const EPOCHS_AHEAD: u64 = 4;

/// How far everybody is, and whether to stop.
#[derive(Debug, Default)]
pub struct Pace {
    /// The epoch that is to be open.
    open: AtomicU64,
    /// Epochs below are committed.
    committed: AtomicU64,
    stop: AtomicBool,
    failed: Mutex<Option<anyhow::Error>>,
}

impl Pace {
    /// Asks everybody to finish what is read, and stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Something cannot go on: stops everybody, and keeps the first reason.
    pub fn fail(&self, error: anyhow::Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(error);
        self.stop();
    }

    /// Why it had to stop, if it had to.
    pub fn take_failure(&self) -> Option<anyhow::Error> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Opens the next epoch, unless the store is behind.
    fn tick(&self) {
        let open = self.open.load(Ordering::Acquire);
        if open
            < self
                .committed
                .load(Ordering::Acquire)
                .saturating_add(EPOCHS_AHEAD)
        {
            self.open.store(open + 1, Ordering::Release);
        }
    }

    /// Whether the store is so far behind `epoch` that nothing more is to be read into it: a disk that is full
    /// stops the reading, not only the counting of epochs.
    fn is_ahead(&self, epoch: u64) -> bool {
        self.committed
            .load(Ordering::Acquire)
            .saturating_add(EPOCHS_AHEAD)
            <= epoch
    }

    fn open(&self) -> u64 {
        self.open.load(Ordering::Acquire)
    }

    fn committed_below(&self, epoch: u64) {
        self.committed.store(epoch, Ordering::Release);
    }
}

/// What a worker read in an epoch: everything since the previous note of the worker.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The first offset not read, and the counts since the start, of partitions that moved.
    pub partitions: Vec<PartitionNote>,
    /// What could not be decoded.
    pub rejected: Vec<RejectedRecord>,
    /// When the first record of it was read.
    pub first_read: Option<Instant>,
    /// What is configured otherwise from this epoch on.
    pub reload: Option<Reload>,
}

/// What a changed configuration brings, checked.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The policy to judge by.
    pub policy: Arc<Policy>,
    /// The same as text, if it is another than before.
    pub text: Option<PolicyText>,
    /// Who is told what.
    pub routing: Routing,
    /// Business days within which each feed must close again.
    pub close_within: [u32; Topic::ALL.len()],
}

/// Where a changed configuration waits for the edge of an epoch; a later one takes the place of an earlier.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Mutex<Option<Reload>>>);

impl Reloads {
    /// Leaves a changed configuration.
    pub fn leave(&self, mut reload: Reload) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The policy of one that nobody took is new to those who take this one.
        if let Some(before) = waiting.take()
            && reload.text.is_none()
        {
            reload.text = before.text;
        }
        *waiting = Some(reload);
    }

    fn take(&self) -> Option<Reload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How far a partition is read.
#[derive(Clone, Copy, Debug)]
pub struct PartitionNote {
    /// The feed.
    pub topic: Topic,
    /// Its number.
    pub partition: i32,
    /// The first offset that was not read.
    pub next_offset: i64,
    /// What was read, decoded records taken as accepted.
    pub tally: Tally,
}

/// A record that could not be decoded.
#[derive(Clone, Debug)]
pub struct RejectedRecord {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Why.
    pub reject: Reject,
    /// Its bytes; of a `too-large` one the first 1024.
    pub raw: Vec<u8>,
}

/// Where feeds leave their notes, by epoch.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<(u64, Note)>>>);

impl Notes {
    fn leave(&self, epoch: u64, note: Note) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((epoch, note));
    }

    fn take_before(&self, end: u64) -> Vec<Note> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = std::mem::take(&mut *notes)
            .into_iter()
            .partition(|(epoch, _)| *epoch < end);
        *notes = left;
        let taken: Vec<(u64, Note)> = taken;
        taken.into_iter().map(|(_, note)| note).collect()
    }
}

/// Complete epochs, for the committer.
#[derive(Debug, Default)]
pub struct Complete {
    /// Epochs below are complete.
    pub end: u64,
    /// What came of them.
    pub outcomes: Vec<Outcome>,
    /// What was read in them.
    pub notes: Vec<Note>,
}

/// Position of a record on Kafka: partition in the upper 16 bits, offset below.
pub fn position(partition: i32, offset: i64) -> u64 {
    let partition = u64::try_from(partition).expect("a partition's number is not negative");
    let offset = u64::try_from(offset).expect("an offset is not negative");
    assert!(
        partition < 1 << 16 && offset < 1 << 48,
        "more than 65536 partitions, or 2^48 records in one"
    );
    partition << 48 | offset
}

/// The reverse of [`position`].
pub fn partition_and_offset(position: u64) -> (i32, i64) {
    ((position >> 48) as i32, (position & ((1 << 48) - 1)) as i64)
}

/// Runs workers over the feeds that `feed_of` makes for each worker, until they have finished; what
/// is complete goes to `committer`, on the calling thread.
///
/// # Errors
/// The first thing that could not go on.
pub fn run<F: dataflow::Feed>(
    plan: Plan,
    workers: usize,
    epoch: Duration,
    pace: &Arc<Pace>,
    notes: &Notes,
    feed_of: impl Fn(usize) -> Result<F> + Send + Sync + 'static,
    mut committer: Committer,
) -> Result<Committer> {
    // So many epochs may be complete and not committed, and one more when all is over: nobody waits here.
    let (sender, receiver) = mpsc::sync_channel::<Complete>(EPOCHS_AHEAD as usize + 2);
    let results = Results::default();
    let guards = {
        let (pace, notes, results) = (Arc::clone(pace), notes.clone(), results);
        timely::execute(timely::Config::process(workers), move |worker| {
            let feed = match feed_of(worker.index()) {
                Ok(feed) => feed,
                Err(error) => return pace.fail(error),
            };
            let probe = dataflow::build(worker, &plan, feed, &results);
            let mut told = 0;
            loop {
                let goes_on = worker.step_or_park(Some(Duration::from_millis(1)));
                if worker.index() == 0 {
                    let end = probe.with_frontier(|frontier| frontier.first().copied());
                    let end = if goes_on { end } else { None };
                    if end.is_none_or(|end| told < end) {
                        let below = end.unwrap_or(u64::MAX);
                        told = below;
                        let mut outcomes = Vec::new();
                        for (epoch, mut of_epoch) in results.take_before(below) {
                            if epoch == LOADED {
                                of_epoch.iter_mut().for_each(forget_cause);
                            }
                            outcomes.append(&mut of_epoch);
                        }
                        faults::point!("epoch.complete");
                        // Nobody listens only after a failure, which stops us, too.
                        let _ = sender.send(Complete {
                            end: below,
                            outcomes,
                            notes: notes.take_before(below),
                        });
                        faults::point!("epoch.handed-over");
                    }
                }
                if !goes_on {
                    return;
                }
            }
        })
        .map_err(|what| anyhow!("cannot start the workers: {what}"))?
    };
    let ticker = {
        let pace = Arc::clone(pace);
        std::thread::Builder::new()
            .name("epochs".to_owned())
            .spawn(move || {
                while !pace.is_stopping() {
                    std::thread::sleep(epoch);
                    pace.tick();
                }
            })?
    };
    while let Ok(complete) = receiver.recv() {
        let end = complete.end;
        if let Err(error) = committer.commit(complete) {
            pace.fail(error);
            break;
        }
        pace.committed_below(end);
    }
    drop(receiver);
    for done in guards.join() {
        if let Err(what) = done {
            pace.fail(anyhow!("a worker failed: {what}"));
        }
    }
    pace.stop();
    if ticker.join().is_err() {
        pace.fail(anyhow!("the thread that counts epochs failed"));
    }
    match pace.take_failure() {
        Some(error) => Err(error),
        None => Ok(committer),
    }
}

/// What was known before has caused nothing now.
fn forget_cause(outcome: &mut Outcome) {
    if let Outcome::Update { cause, .. } = outcome {
        *cause = None;
    }
}

/// Whether a batch has anything in it that must be kept.
fn is_empty(batch: &EpochBatch) -> bool {
    batch.updates.is_empty()
        && batch.dead_letters.is_empty()
        && batch.offsets.is_empty()
        && batch.feeds.is_empty()
        && batch.as_of.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_when_the_store_is_behind_and_goes_on_with_it() {
        let pace = Pace::default();
        for _ in 0..100 {
            pace.tick();
        }
        assert_eq!(pace.open(), EPOCHS_AHEAD, "no further epoch is opened");
        assert!(
            pace.is_ahead(EPOCHS_AHEAD),
            "and the last one takes nothing"
        );
        assert!(!pace.is_ahead(EPOCHS_AHEAD - 1));
        pace.committed_below(1);
        assert!(!pace.is_ahead(EPOCHS_AHEAD));
        pace.tick();
        assert_eq!(pace.open(), EPOCHS_AHEAD + 1);
    }
}
