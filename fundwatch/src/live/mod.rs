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
//!
//! With several processes each does all of this but for the committer: what came of an epoch in the others is handed to the
//! process that has it, once it is durable on their disks (`cluster/`).

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
use ingest::{Reason, Tally};
use rules::{Policy, PolicyText};
use timely::worker::Worker;

pub use committer::Committer;
pub use feed::{Disk, LiveFeed, RecordSource, Share};
pub use fund::FundWatch;

use crate::cluster::{Ends, Mesh};

/// The epoch of what was on disk.
const LOADED: u64 = 0;
/// The epoch of what was on the topics, too, when the program started.
const BACKLOG: u64 = 1;
/// The first epoch of what came later.
pub const LIVE: u64 = 2;

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
    /// Whether somebody asked this process to stop.
    asked: AtomicBool,
    failed: Mutex<Option<anyhow::Error>>,
}

impl Pace {
    /// Asks everybody to finish what is read, and stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// A signal asks this process to stop.
    pub fn ask_to_stop(&self) {
        self.asked.store(true, Ordering::Release);
        self.stop();
    }

    /// Whether a signal asked this process to stop.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
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

    /// Why it has to stop, if it has to.
    pub fn failure(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map(|error| format!("{error:#}"))
    }

    /// The epoch that is to be open, and the first that is not committed.
    pub fn stand(&self) -> (u64, u64) {
        (self.open(), self.committed.load(Ordering::Acquire))
    }

    /// Another process counts the epochs, and stands there.
    pub fn follow(&self, (open, committed): (u64, u64)) {
        self.committed_below(committed);
        self.open.store(open, Ordering::Release);
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Why.
    pub reason: Reason,
    /// The field at fault, if it is one's.
    pub field: Option<String>,
    /// Its bytes; of a `too-large` one the first 1024.
    pub raw: Vec<u8>,
}

/// Where feeds leave their notes, by epoch.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Vec<(u64, Note)>>>);

impl Notes {
    /// Leaves what was read in an epoch; of another process, what it has handed over.
    pub fn leave(&self, epoch: u64, note: Note) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((epoch, note));
    }

    fn take_before(&self, end: u64) -> Vec<(u64, Note)> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = std::mem::take(&mut *notes)
            .into_iter()
            .partition(|(epoch, _)| *epoch < end);
        *notes = left;
        taken
    }
}

/// What was read in epochs, and what came of them, until they are complete.
#[derive(Clone, Debug, Default)]
pub struct Harvest {
    /// What feeds have read.
    pub notes: Notes,
    /// What the dataflow found.
    pub results: Results,
}

/// Complete epochs.
#[derive(Debug, Default)]
pub struct Complete {
    /// Epochs below are complete.
    pub end: u64,
    /// What came of them, by epoch.
    pub outcomes: Vec<(u64, Vec<Outcome>)>,
    /// What was read in them, by epoch.
    pub notes: Vec<(u64, Note)>,
}

/// Up to where the other processes have handed over what was read in epochs, and what came of them. There are none
/// where one process works alone, or does not write the store.
#[derive(Clone, Debug, Default)]
pub struct Others(Arc<[AtomicU64]>);

impl Others {
    /// So many.
    pub fn new(count: usize) -> Others {
        Others((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    /// One of them has handed everything over that belongs to epochs below `end`.
    pub fn handed_over(&self, number: usize, end: u64) {
        self.0[number].store(end, Ordering::Release);
    }

    /// The first epoch that not all have handed over.
    fn end(&self) -> u64 {
        let ends = self.0.iter().map(|end| end.load(Ordering::Acquire));
        ends.min().unwrap_or(u64::MAX)
    }
}

/// Who works.
pub struct Team {
    /// Worker threads of each process.
    pub workers: usize,
    /// What connects this process with the others.
    pub mesh: Option<Mesh>,
    /// Those whose part is waited for.
    pub others: Others,
    /// Whether this process counts the epochs.
    pub is_leader: bool,
}

impl Team {
    /// One process, which works alone.
    pub fn alone(workers: usize) -> Team {
        Team {
            workers,
            mesh: None,
            others: Others::default(),
            is_leader: true,
        }
    }
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

/// Runs workers over the feeds that `feed_of` makes for each worker of this process, until they have finished; what
/// is complete is given to `take`, on the calling thread.
///
/// # Errors
/// The first thing that could not go on.
pub fn run<F: dataflow::Feed>(
    plan: Plan,
    team: Team,
    epoch: Duration,
    pace: &Arc<Pace>,
    harvest: &Harvest,
    feed_of: impl Fn(usize) -> Result<F> + Send + Sync + 'static,
    mut take: impl FnMut(Complete) -> Result<()>,
) -> Result<()> {
    let Team {
        workers,
        mesh,
        others,
        is_leader,
    } = team;
    // So many epochs may be complete and not committed, and one more when all is over: nobody waits here.
    let (sender, receiver) = mpsc::sync_channel::<Complete>(EPOCHS_AHEAD as usize + 2);
    let mut ends = mesh.as_ref().map(Mesh::ends).transpose()?;
    let guards = {
        let (pace, harvest) = (Arc::clone(pace), harvest.clone());
        let work = move |worker: &mut Worker| {
            // Workers are numbered through all processes.
            let number = worker.index() % workers;
            let feed = match feed_of(number) {
                Ok(feed) => feed,
                Err(error) => return pace.fail(error),
            };
            let probe = dataflow::build(worker, &plan, feed, &harvest.results);
            let mut told = 0;
            loop {
                let goes_on = worker.step_or_park(Some(Duration::from_millis(1)));
                if number == 0 {
                    let end = probe.with_frontier(|frontier| frontier.first().copied());
                    let end = if goes_on { end } else { None };
                    let end = end.unwrap_or(u64::MAX).min(others.end());
                    if told < end {
                        told = end;
                        let mut outcomes = harvest.results.take_before(end);
                        for (epoch, of_epoch) in &mut outcomes {
                            if *epoch == LOADED {
                                of_epoch.iter_mut().for_each(forget_cause);
                            }
                        }
                        faults::point!("epoch.complete");
                        // Nobody listens only after a failure, which stops us, too.
                        let _ = sender.send(Complete {
                            end,
                            outcomes,
                            notes: harvest.notes.take_before(end),
                        });
                        faults::point!("epoch.handed-over");
                    }
                }
                // Worker 0 waits for what the other processes still have to hand over.
                if !goes_on && (number != 0 || told == u64::MAX) {
                    return;
                }
            }
        };
        match mesh {
            None => timely::execute(timely::Config::process(workers), work),
            Some(mesh) => mesh.execute(workers, work),
        }
        .map_err(|what| anyhow!("cannot start the workers: {what}"))?
    };
    let ticker = {
        let pace = Arc::clone(pace);
        std::thread::Builder::new()
            .name("epochs".to_owned())
            .spawn(move || {
                while is_leader && !pace.is_stopping() {
                    std::thread::sleep(epoch);
                    pace.tick();
                }
            })?
    };
    while let Ok(complete) = receiver.recv() {
        let end = complete.end;
        // An epoch is complete everywhere, so that everybody works.
        let watched = ends.take().map_or(Ok(()), Ends::all_work);
        if let Err(error) = watched.map_err(Into::into).and_then(|()| take(complete)) {
            pace.fail(error);
            break;
        }
        // Elsewhere it is the leader that says so.
        if is_leader {
            pace.committed_below(end);
        }
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
        None => Ok(()),
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
