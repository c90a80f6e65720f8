//! A worker's share of the live feeds: reads, decodes, counts, and closes epochs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use detectors::dataflow::{Advance, Feed, Outlet};
use domain::{BusinessDate, Topic};
use ingest::kafka::Event;
use ingest::{Decoder, Reason, Tally};

use super::{Note, Notes, Pace, PartitionNote, RejectedRecord, Reload, Reloads, position};

/// Where records come from as time goes by.
pub trait RecordSource: 'static {
    /// Hands out what is there, a batch at most, waiting at most `wait` for the first. `false` if
    /// nothing was there.
    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Event<'_>)) -> Result<bool>;

    /// Nothing will come any more, ever.
    fn has_ended(&self) -> bool {
        false
    }
}

/// Says which business date it is.
pub type BusinessClock = Arc<dyn Fn() -> BusinessDate + Send + Sync>;

/// A partition as far as it is read.
struct Partition {
    next_offset: i64,
    /// The first epoch lasts until this offset is reached.
    until: i64,
    tally: Tally,
    moved: bool,
}

/// One worker's live feed.
pub struct LiveFeed<S> {
    source: S,
    reading: Reading,
    pace: Arc<Pace>,
    notes: Notes,
    /// One worker tells the time to all.
    clock: Option<BusinessClock>,
    present: Option<BusinessDate>,
    /// One worker tells the others of a changed configuration.
    reloads: Option<Reloads>,
    /// Taken in the epoch that is open.
    reload: Option<Reload>,
    caught_up: bool,
}

struct Reading {
    decoder: Decoder,
    partitions: BTreeMap<(Topic, i32), Partition>,
    rejected: Vec<RejectedRecord>,
    /// When the first record since the last note was read.
    first_read: Option<Instant>,
}

impl<S: RecordSource> LiveFeed<S> {
    /// A feed of the partitions `(topic, partition, from, until)`: what comes before `until` was
    /// there when the program started, and belongs to the first epoch.
    pub fn new(
        source: S,
        decoder: Decoder,
        partitions: &[(Topic, i32, i64, i64)],
        pace: &Arc<Pace>,
        notes: &Notes,
        clock: Option<BusinessClock>,
    ) -> LiveFeed<S> {
        let partitions = partitions
            .iter()
            .map(|(topic, partition, from, until)| {
                let state = Partition {
                    next_offset: *from,
                    until: *until,
                    tally: Tally::default(),
                    moved: true,
                };
                ((*topic, *partition), state)
            })
            .collect();
        LiveFeed {
            source,
            reading: Reading {
                decoder,
                partitions,
                rejected: Vec::new(),
                first_read: None,
            },
            pace: Arc::clone(pace),
            notes: notes.clone(),
            clock,
            present: None,
            reloads: None,
            reload: None,
            caught_up: false,
        }
    }

    /// The feed that takes changed configurations, at the edge of an epoch.
    pub fn with_reloads(mut self, reloads: Reloads) -> LiveFeed<S> {
        self.reloads = Some(reloads);
        self
    }

    fn take_reload(&mut self, outlet: &mut Outlet) {
        let Some(reload) = self.reloads.as_ref().and_then(Reloads::take) else {
            return;
        };
        if let Some(policy) = &reload.text {
            outlet.policy(policy);
        }
        self.reload = Some(reload);
    }

    fn leave_note(&mut self, epoch: u64) {
        let partitions: Vec<PartitionNote> = self
            .reading
            .partitions
            .iter_mut()
            .filter_map(|((topic, partition), state)| {
                std::mem::take(&mut state.moved).then_some(PartitionNote {
                    topic: *topic,
                    partition: *partition,
                    next_offset: state.next_offset,
                    tally: state.tally,
                })
            })
            .collect();
        let rejected = std::mem::take(&mut self.reading.rejected);
        let first_read = self.reading.first_read.take();
        let reload = self.reload.take();
        if !partitions.is_empty() || !rejected.is_empty() || reload.is_some() {
            self.notes.leave(
                epoch,
                Note {
                    partitions,
                    rejected,
                    first_read,
                    reload,
                },
            );
            faults::point!("feed.noted");
        }
    }

    fn tell_time(&mut self, outlet: &mut Outlet) {
        let Some(clock) = &self.clock else { return };
        let today = Some(clock());
        if self.present < today {
            self.present = today;
            today.into_iter().for_each(|today| outlet.present(today));
        }
    }

    fn end_epoch(&mut self, outlet: &mut Outlet, next: u64) -> Advance {
        self.leave_note(outlet.epoch());
        Advance::Epoch(next)
    }
}

impl<S: RecordSource> Feed for LiveFeed<S> {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        if self.pace.is_stopping() {
            self.leave_note(outlet.epoch());
            return Advance::Finished;
        }
        if !self.caught_up && self.reading.has_caught_up() {
            self.caught_up = true;
            self.tell_time(outlet);
            let next = self.pace.open().max(outlet.epoch() + 1);
            return self.end_epoch(outlet, next);
        }
        if self.caught_up && outlet.epoch() < self.pace.open() {
            let next = self.pace.open();
            return self.end_epoch(outlet, next);
        }
        if self.caught_up && self.reload.is_none() {
            self.take_reload(outlet);
        }
        if self.caught_up && self.pace.is_ahead(outlet.epoch()) {
            return Advance::Idle(Duration::from_millis(1));
        }
        self.tell_time(outlet);
        let reading = &mut self.reading;
        let polled = self
            .source
            .poll(Duration::ZERO, &mut |event| reading.take(event, outlet));
        match polled {
            Ok(true) => {
                faults::point!("feed.polled");
                Advance::More
            }
            Ok(false) if self.source.has_ended() => {
                self.leave_note(outlet.epoch());
                Advance::Finished
            }
            Ok(false) => Advance::Idle(Duration::from_millis(1)),
            Err(error) => {
                self.pace.fail(error);
                Advance::More
            }
        }
    }
}

impl Reading {
    fn has_caught_up(&self) -> bool {
        if faults::planted!("start-on-half-the-facts") {
            return true;
        }
        self.partitions
            .values()
            .all(|state| state.until <= state.next_offset)
    }

    fn take(&mut self, event: Event<'_>, outlet: &mut Outlet) {
        let (topic, partition) = match event {
            Event::Record(record) => (record.topic, record.partition),
            Event::End {
                topic, partition, ..
            } => (topic, partition),
        };
        // Only assigned partitions are handed out.
        let Some(state) = self.partitions.get_mut(&(topic, partition)) else {
            return;
        };
        match event {
            // The end may be past the last record: transactions leave marks that are no records.
            Event::End { offset, .. } => state.next_offset = state.next_offset.max(offset),
            Event::Record(record) => {
                self.first_read.get_or_insert_with(Instant::now);
                state.next_offset = record.offset + 1;
                state.moved = true;
                state.tally.read += 1;
                match self.decoder.decode(topic, record.bytes) {
                    Ok(fact) => {
                        state.tally.accepted += 1;
                        outlet.fact(&fact, position(partition, record.offset));
                    }
                    Err(reject) => {
                        state.tally.rejected[reject.reason.index()] += 1;
                        let kept = match reject.reason {
                            Reason::TooLarge => &record.bytes[..record.bytes.len().min(1024)],
                            _ => record.bytes,
                        };
                        self.rejected.push(RejectedRecord {
                            topic,
                            partition,
                            offset: record.offset,
                            reject,
                            raw: kept.to_vec(),
                        });
                        faults::point!("feed.rejected");
                    }
                }
            }
        }
    }
}
