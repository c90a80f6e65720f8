//! Commits complete epochs: one transaction each, whatever came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::batch::{
    DeadLetter, Duty, EpochBatch, FeedAsOf, FeedTotals, Holder, PartitionOffset, Update,
};
use alerting::http::Health;
use alerting::metrics::{CommitTimes, Metrics};
use alerting::store::{Committed, StoreError};
use alerting::{Routing, Store};
use anyhow::{Context, Result};
use detectors::dataflow::Outcome;
use detectors::feeds::FeedWatch;
use domain::{AlertKey, BusinessDate, Detector, Period, RegionCode, Topic};
use ingest::{Reason, Tally};
use rules::Policy;

use super::{Complete, FundWatch, LIVE, Note, Pace, is_empty, partition_and_offset};
use crate::clock;

/// Between attempts to commit to a disk that is full.
const RETRY: Duration = Duration::from_secs(1);

/// Reads a record again by topic, partition and offset, for the bytes of its dead letter; `None` if it
/// is gone.
pub type ReadAgain = Box<dyn FnMut(Topic, i32, i64) -> Result<Option<Vec<u8>>> + Send>;
/// Waits until what was read is durable on disk.
pub type MakeDurable = Box<dyn FnMut() -> Result<()> + Send>;
/// How a position is written in a dead letter.
pub type Locate = fn(Topic, i32, i64) -> String;

/// Turns epochs into batches, and commits them.
pub struct Committer {
    policy: Arc<Policy>,
    store: Store,
    routing: Routing,
    watch: FeedWatch,
    fund: FundWatch,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    pace: Arc<Pace>,
    read_again: ReadAgain,
    make_durable: MakeDurable,
    locate: Locate,
    /// For the first commit.
    holders: Vec<Holder>,
    /// What was complete before everything that was there at the start is.
    first: Complete,
    /// Of each partition: what its reader counted, and what the books found afterwards.
    counts: BTreeMap<(Topic, i32), Counts>,
    closed: BTreeMap<(Topic, RegionCode), BusinessDate>,
    present: Option<BusinessDate>,
    epoch: u64,
    is_first: bool,
    waits_for_room: bool,
    on_commit: Box<dyn FnMut(&Committed) + Send>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    read: Tally,
    redelivered: i64,
    conflicting: i64,
}

/// What a committer works with.
pub struct Parts {
    /// The policy, for names of regions.
    pub policy: Arc<Policy>,
    /// The store.
    pub store: Store,
    /// Who is told what.
    pub routing: Routing,
    /// Watches the feeds themselves.
    pub watch: FeedWatch,
    /// Watches the fund's ledger.
    pub fund: FundWatch,
    /// Counts and gauges.
    pub metrics: Arc<Metrics>,
    /// Whether the program works.
    pub health: Arc<Health>,
    /// How far everybody is.
    pub pace: Arc<Pace>,
    /// For the bytes of conflicting records.
    pub read_again: ReadAgain,
    /// Called before each commit: a topic may drop what is committed.
    pub make_durable: MakeDurable,
    /// How a position is written in a dead letter.
    pub locate: Locate,
    /// Which process has what is read of each partition on disk.
    pub holders: Vec<Holder>,
    /// A full disk is waited for; else it is an error.
    pub waits_for_room: bool,
    /// Called after each commit.
    pub on_commit: Box<dyn FnMut(&Committed) + Send>,
}

impl Committer {
    /// A committer; its first commit reconciles everything found with what is stored.
    pub fn new(parts: Parts) -> Committer {
        Committer {
            policy: parts.policy,
            store: parts.store,
            routing: parts.routing,
            watch: parts.watch,
            fund: parts.fund,
            metrics: parts.metrics,
            health: parts.health,
            pace: parts.pace,
            read_again: parts.read_again,
            make_durable: parts.make_durable,
            locate: parts.locate,
            holders: parts.holders,
            first: Complete::default(),
            counts: BTreeMap::new(),
            closed: BTreeMap::new(),
            present: None,
            epoch: 0,
            is_first: true,
            waits_for_room: parts.waits_for_room,
            on_commit: parts.on_commit,
        }
    }

    /// Commits epochs that are complete.
    ///
    /// # Errors
    /// The store fails in a way that trying again does not mend, or a record's bytes are gone.
    pub fn commit(&mut self, complete: Complete) -> Result<()> {
        self.health.beat();
        let complete = if self.is_first {
            match self.whole_start(complete) {
                Some(complete) => complete,
                None => return Ok(()),
            }
        } else {
            complete
        };
        let end = complete.end;
        let mut outcomes = Vec::new();
        for (_, mut of_epoch) in complete.outcomes {
            outcomes.append(&mut of_epoch);
        }
        let notes: Vec<Note> = complete.notes.into_iter().map(|(_, note)| note).collect();
        for reload in notes.iter().filter_map(|note| note.reload.as_ref()) {
            self.policy = Arc::clone(&reload.policy);
            self.routing = reload.routing.clone();
            self.watch
                .renew(Arc::clone(&reload.policy), reload.close_within);
            self.fund.renew(Arc::clone(&reload.policy));
        }
        self.watch.watch(&mut outcomes);
        self.fund.watch(&mut outcomes);
        if let Some(samples) = self.fund.figures(end == u64::MAX) {
            self.metrics.fund(&samples);
        }
        let mut batch = EpochBatch {
            epoch: self.epoch,
            holders: std::mem::take(&mut self.holders),
            ..EpochBatch::default()
        };
        let mut touched = BTreeMap::new();
        let first_read = notes.iter().filter_map(|note| note.first_read).min();
        for partition in notes.iter().flat_map(|note| &note.partitions) {
            let key = (partition.topic, partition.partition);
            self.counts.entry(key).or_default().read = partition.tally;
            touched.insert(key, ());
            batch.offsets.push(PartitionOffset {
                topic: partition.topic,
                partition: partition.partition,
                next_offset: partition.next_offset,
            });
        }
        for rejected in notes.into_iter().flat_map(|note| note.rejected) {
            batch.dead_letters.push(DeadLetter {
                topic: rejected.topic,
                position: (self.locate)(rejected.topic, rejected.partition, rejected.offset),
                reason: rejected.reason.to_string(),
                field: rejected.field,
                raw: rejected.raw,
            });
        }
        let mut updates: BTreeMap<AlertKey, Update> = BTreeMap::new();
        let mut conflicting = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Update {
                    key,
                    finding,
                    cause,
                } => {
                    updates.insert(
                        key.clone(),
                        Update {
                            key,
                            finding,
                            cause,
                        },
                    );
                }
                Outcome::Redelivered { topic, lane, count } => {
                    let key = (topic, i32::from(lane));
                    self.counts.entry(key).or_default().redelivered += count;
                    touched.insert(key, ());
                }
                Outcome::Conflicting { topic, position } => {
                    let (partition, offset) = partition_and_offset(position);
                    self.counts
                        .entry((topic, partition))
                        .or_default()
                        .conflicting += 1;
                    touched.insert((topic, partition), ());
                    conflicting.push((topic, partition, offset));
                }
                // Its dead letter stays: what was told is not taken back, the counts say what it is.
                Outcome::NoConflict { topic, position } => {
                    let (partition, _) = partition_and_offset(position);
                    self.counts
                        .entry((topic, partition))
                        .or_default()
                        .conflicting -= 1;
                    touched.insert((topic, partition), ());
                }
                Outcome::Closed(close) => {
                    let region = self.policy.region(close.region()).code;
                    let closed = self
                        .closed
                        .entry((close.topic(), region))
                        .or_insert(close.date());
                    *closed = (*closed).max(close.date());
                    batch.as_of.push(FeedAsOf {
                        topic: close.topic(),
                        region,
                        closed: *closed,
                    });
                }
                Outcome::Present(present) => self.present = self.present.max(Some(present)),
                Outcome::Received(_) | Outcome::Posted(_) => {}
            }
        }
        if faults::planted!("conflict-unheard") {
            conflicting.clear();
        }
        batch
            .dead_letters
            .append(&mut self.conflicting(conflicting)?);
        faults::point!("commit.read-again");
        batch.duties = self.duties(updates.keys());
        batch.updates = updates.into_values().collect();
        batch.feeds = touched.into_keys().map(|key| self.totals(key)).collect();
        batch.present = self.present;
        if !self.is_first && is_empty(&batch) {
            return Ok(());
        }
        faults::point!("commit.gathered");
        if self.is_first {
            faults::point!("start.caught-up");
        }
        (self.make_durable)()?;
        // How long the backlog took says nothing about how long a record takes.
        self.write(&batch, first_read.filter(|_| !self.is_first))?;
        if self.is_first {
            faults::point!("start.reconciled");
        }
        self.is_first = false;
        self.epoch += 1;
        Ok(())
    }

    /// Gathers what came of everything that was there at the start; `None` while it is not complete.
    fn whole_start(&mut self, mut complete: Complete) -> Option<Complete> {
        let first = &mut self.first;
        first.outcomes.append(&mut complete.outcomes);
        first.notes.append(&mut complete.notes);
        first.end = complete.end;
        // Stopped before everything was read: half of the facts prove nothing.
        let is_cut_short = first.end == u64::MAX && self.pace.is_stopping();
        (LIVE <= first.end && !is_cut_short).then(|| std::mem::take(first))
    }

    /// The dead letters of records whose ids were accepted with another content.
    fn conflicting(&mut self, mut records: Vec<(Topic, i32, i64)>) -> Result<Vec<DeadLetter>> {
        records.sort_unstable();
        let mut letters = Vec::new();
        for (topic, partition, offset) in records {
            let position = (self.locate)(topic, partition, offset);
            // After a start most are known, and their topics need not have them any more.
            if self.store.has_dead_letter(topic, &position)? {
                continue;
            }
            let raw = (self.read_again)(topic, partition, offset)
                .context("cannot read a conflicting record again")?;
            if raw.is_none() {
                tracing::warn!(%topic, position, "a conflicting record is not there any more: its dead letter has no bytes");
            }
            letters.push(DeadLetter {
                topic,
                position,
                reason: Reason::ConflictingId.to_string(),
                field: None,
                raw: raw.unwrap_or_default(),
            });
        }
        Ok(letters)
    }

    /// How many are to be paid for the months that some may not have been.
    fn duties<'k>(&self, keys: impl Iterator<Item = &'k AlertKey>) -> Vec<Duty> {
        let detector = Detector::MissedPayout;
        let missed = keys.filter(|key| key.detector == detector);
        let months: BTreeSet<Period> = missed.filter_map(|key| key.period).collect();
        let mut duties = Vec::new();
        for period in months {
            let counts = self.fund.to_be_paid(period);
            duties.extend(counts.map(|(region, subjects)| Duty {
                detector,
                region,
                period,
                subjects,
            }));
        }
        duties
    }

    fn totals(&self, (topic, partition): (Topic, i32)) -> FeedTotals {
        let counts = self
            .counts
            .get(&(topic, partition))
            .copied()
            .unwrap_or_default();
        let mut tally = counts.read;
        let found = |count: i64| u64::try_from(count).expect("what is taken back was counted");
        if !faults::planted!("redelivery-counted-as-accepted") {
            tally.accepted_was_redelivered(found(counts.redelivered));
        }
        tally.accepted_was_conflicting(found(counts.conflicting));
        assert!(
            tally.is_whole(),
            "every record of {topic} is accounted for: {tally:?}"
        );
        FeedTotals {
            topic,
            partition,
            read: tally.read,
            accepted: tally.accepted,
            redelivered: tally.redelivered,
            rejected: Reason::ALL
                .iter()
                .filter(|reason| tally.rejected[reason.index()] > 0)
                .map(|reason| (reason.to_string(), tally.rejected[reason.index()]))
                .collect(),
        }
    }

    /// A full disk is waited for; nothing is read meanwhile.
    fn write(&mut self, batch: &EpochBatch, first_read: Option<Instant>) -> Result<()> {
        loop {
            let started = Instant::now();
            let committed = if self.is_first {
                self.store.reconcile(batch, &self.routing, clock::now())
            } else {
                self.store.commit(batch, &self.routing, clock::now())
            };
            match committed {
                Ok(committed) => {
                    self.health.agree("store");
                    let times = CommitTimes {
                        at: clock::now(),
                        took: started.elapsed(),
                        since_first_record: first_read.map(|first| first.elapsed()),
                    };
                    let tallies = self.store.tallies();
                    self.metrics.committed(&committed, batch, tallies, times);
                    (self.on_commit)(&committed);
                    faults::point!("commit.acknowledged");
                    return Ok(());
                }
                Err(StoreError::Full(_)) if faults::planted!("full-disk-skips-epoch") => {
                    return Ok(());
                }
                Err(StoreError::Disk(_)) if faults::planted!("disk-error-ignored") => {}
                Err(error)
                    if error.is_retryable() && self.waits_for_room && !self.pace.is_stopping() =>
                {
                    tracing::error!(%error, "the store cannot be written; trying again");
                    self.metrics.commit_failed();
                    self.health.object("store", error.to_string());
                    self.health.beat();
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error).context("the store failed"),
            }
        }
    }

    /// The store, once everything is committed.
    pub fn into_store(self) -> Store {
        self.store
    }
}

#[cfg(test)]
mod tests {
    use alerting::identity::{AlertIdentity, DEFAULT_SECRET};
    use anyhow::bail;

    use super::super::{BACKLOG, PartitionNote};
    use super::*;

    fn committer(folder: &std::path::Path, make_durable: MakeDurable) -> Committer {
        let policy = Arc::new(Policy::huangshan());
        let identity = AlertIdentity::new(DEFAULT_SECRET);
        Committer::new(Parts {
            watch: FeedWatch::new(Arc::clone(&policy), [1; Topic::ALL.len()]),
            fund: FundWatch::new(Arc::clone(&policy)),
            policy,
            store: Store::open(&folder.join("fundwatch.sqlite"), &identity).unwrap(),
            routing: Routing::none(),
            metrics: Arc::new(Metrics::new("0", "test")),
            health: Arc::new(Health::new(Duration::from_secs(60))),
            pace: Arc::new(Pace::default()),
            read_again: Box::new(|_, _, _| Ok(None)),
            make_durable,
            locate: |_, partition, offset| format!("{partition}:{offset}"),
            holders: Vec::new(),
            waits_for_room: false,
            on_commit: Box::new(|_| ()),
        })
    }

    fn read_up_to(end: u64, next_offset: i64) -> Complete {
        let partition = PartitionNote {
            topic: Topic::CivilDeath,
            partition: 0,
            next_offset,
            tally: Tally::default(),
        };
        let note = Note {
            partitions: vec![partition],
            ..Note::default()
        };
        Complete {
            end,
            outcomes: Vec::new(),
            notes: vec![(0, note)],
        }
    }

    #[test]
    fn what_is_not_durable_is_not_committed() {
        let folder = tempfile::tempdir().unwrap();
        let mut committer = committer(folder.path(), Box::new(|| bail!("the disk is broken")));
        assert!(committer.commit(read_up_to(LIVE, 7)).is_err());
        assert_eq!(committer.into_store().offsets().unwrap(), []);
    }

    #[test]
    fn nothing_is_committed_before_everything_that_was_there_is_judged() {
        let folder = tempfile::tempdir().unwrap();
        let mut committer = committer(folder.path(), Box::new(|| Ok(())));
        committer.commit(read_up_to(BACKLOG, 7)).unwrap();
        assert_eq!(committer.store.offsets().unwrap(), []);
        // Stopped meanwhile: half of the facts prove nothing.
        committer.pace.stop();
        committer.commit(read_up_to(u64::MAX, 8)).unwrap();
        assert_eq!(committer.store.offsets().unwrap(), []);
        committer.commit(read_up_to(LIVE, 9)).unwrap();
        assert_eq!(committer.store.offsets().unwrap()[0].next_offset, 9);
    }
}
