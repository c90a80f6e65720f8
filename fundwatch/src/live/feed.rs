//! A worker's share of the live feeds: loads what is on disk, then reads, decodes, counts, and
//! closes epochs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use detectors::dataflow::{Advance, Feed, Outlet, Sent};
use domain::{BusinessDate, Topic};
use ingest::kafka::Event;
use ingest::{Decoder, Reason};
use state::{Frame, Key, Loader, Position, Range, Recorder, Witness};

use super::{
    BACKLOG, LIVE, Note, Notes, Pace, PartitionNote, RejectedRecord, Reload, Reloads,
    partition_and_offset, position,
};

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

/// What a worker is to read of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// How far the state on disk knows it.
    pub known: Position,
    /// Where it is read from: further on only where records are gone, and that is accepted.
    pub from: i64,
    /// What comes before was there when the program started.
    pub until: i64,
}

/// The state on disk.
#[derive(Clone)]
pub struct Disk {
    /// What is there already.
    pub loader: Arc<Loader>,
    /// Takes what is read.
    pub recorder: Arc<Recorder>,
    /// Of which partitions it is loaded; `None`: of all that it has. What another process reads is loaded there.
    pub loads: Option<Arc<BTreeSet<Key>>>,
}

/// A partition as far as it is read.
struct Partition {
    /// As it will be on disk with the next frame.
    read: Position,
    /// As it is on disk.
    recorded: Position,
    until: i64,
    moved: bool,
}

/// One worker's live feed.
pub struct LiveFeed<S> {
    source: S,
    reading: Reading,
    /// A frame for which the recorder had no room.
    waiting: Option<Frame>,
    disk: Option<Disk>,
    pace: Arc<Pace>,
    notes: Notes,
    /// One worker tells the time to all.
    clock: Option<BusinessClock>,
    present: Option<BusinessDate>,
    /// One worker tells the others of a changed configuration.
    reloads: Option<Reloads>,
    /// Taken in the epoch that is open.
    reload: Option<Reload>,
    stage: Stage,
}

/// What a feed is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The facts on disk: the first epoch.
    Loading,
    /// What was on the topics when the program started, and is not on disk: the second.
    CatchingUp,
    Live,
}

struct Reading {
    decoder: Decoder,
    partitions: BTreeMap<(Topic, i32), Partition>,
    rejected: Vec<RejectedRecord>,
    /// When the first record since the last note was read.
    first_read: Option<Instant>,
    /// What was read since the last frame; `None` where nothing is kept on disk.
    frame: Option<Frame>,
}

/// A frame is written when it has so many bytes of facts, or its epoch is over.
const FRAME_BYTES: usize = 1 << 20;
/// Or so many day closes.
const CLOSES_MAX: usize = 4096;
/// Before looking again whether there is something to read.
const PAUSE: Duration = Duration::from_millis(1);

impl<S: RecordSource> LiveFeed<S> {
    /// A feed of some partitions.
    pub fn new(
        source: S,
        decoder: Decoder,
        shares: &[Share],
        pace: &Arc<Pace>,
        notes: &Notes,
        clock: Option<BusinessClock>,
        disk: Option<Disk>,
    ) -> LiveFeed<S> {
        let partitions = shares
            .iter()
            .map(|share| {
                let read = Position {
                    next: share.from,
                    tally: share.known.tally,
                    witness: None,
                };
                let state = Partition {
                    read,
                    recorded: share.known,
                    until: share.until,
                    moved: true,
                };
                ((share.topic, share.partition), state)
            })
            .collect();
        LiveFeed {
            source,
            reading: Reading {
                decoder,
                partitions,
                rejected: Vec::new(),
                first_read: None,
                frame: disk.is_some().then(Frame::default),
            },
            waiting: None,
            disk,
            pace: Arc::clone(pace),
            notes: notes.clone(),
            clock,
            present: None,
            reloads: None,
            reload: None,
            stage: Stage::Loading,
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

    /// Takes the next part of what is on disk; `false` if there is none left.
    fn load(&mut self, outlet: &mut Outlet) -> Result<bool> {
        let Some(disk) = &self.disk else {
            return Ok(false);
        };
        Ok(disk.loader.load(|loaded| {
            let loads = disk.loads.as_deref();
            match loads {
                None => outlet.facts_again(loaded.facts),
                Some(loads) => outlet.facts_again_of(loaded.facts, |topic, lane| {
                    loads.contains(&(topic, i32::from(lane)))
                }),
            }
            for close in loaded.closes {
                let (partition, _) = partition_and_offset(close.position);
                if loads.is_none_or(|loads| loads.contains(&(close.topic(), partition))) {
                    outlet.close_again(close);
                }
            }
        })?)
    }

    /// Hands what was read to the recorder; `false` if it has no room.
    fn record(&mut self) -> Result<bool> {
        let Some(disk) = &self.disk else {
            return Ok(true);
        };
        let waiting = self.waiting.take().or_else(|| self.reading.cut_frame());
        if let Some(frame) = waiting {
            self.waiting = disk.recorder.offer(frame)?;
        }
        // After a frame that had waited there is what was read since.
        Ok(self.waiting.is_none() && self.reading.is_recorded())
    }

    /// Hands what was read to the recorder, and waits until it has room.
    fn record_all(&mut self) -> Result<()> {
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        let waiting = self.waiting.take();
        for frame in waiting.into_iter().chain(self.reading.cut_frame()) {
            disk.recorder.append(frame)?;
        }
        Ok(())
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
                    next_offset: state.read.next,
                    tally: state.read.tally,
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

    /// Ends an epoch once everything read in it is with the recorder: it is committed only when
    /// that is durable.
    fn end_epoch(&mut self, outlet: &Outlet, next: u64) -> Result<Advance> {
        if !self.record()? {
            return Ok(Advance::Idle(PAUSE));
        }
        self.leave_note(outlet.epoch());
        Ok(Advance::Epoch(next))
    }

    fn finish(&mut self, outlet: &Outlet) -> Result<Advance> {
        self.record_all()?;
        self.leave_note(outlet.epoch());
        Ok(Advance::Finished)
    }

    fn go_on(&mut self, outlet: &mut Outlet) -> Result<Advance> {
        if self.pace.is_stopping() {
            return self.finish(outlet);
        }
        match self.stage {
            Stage::Loading => {
                self.tell_time(outlet);
                if self.load(outlet)? {
                    return Ok(Advance::More);
                }
                self.stage = Stage::CatchingUp;
                return Ok(Advance::Epoch(BACKLOG));
            }
            Stage::CatchingUp if self.reading.has_caught_up() => {
                self.tell_time(outlet);
                let ended = self.end_epoch(outlet, self.pace.open().max(LIVE))?;
                if matches!(ended, Advance::Epoch(_)) {
                    self.stage = Stage::Live;
                }
                return Ok(ended);
            }
            Stage::Live if outlet.epoch() < self.pace.open() => {
                return self.end_epoch(outlet, self.pace.open());
            }
            Stage::Live => {
                if self.reload.is_none() {
                    self.take_reload(outlet);
                }
                if self.pace.is_ahead(outlet.epoch()) {
                    return Ok(Advance::Idle(PAUSE));
                }
            }
            Stage::CatchingUp => {}
        }
        self.tell_time(outlet);
        // Nothing is read while the recorder has no room.
        if (self.waiting.is_some() || self.reading.has_full_frame()) && !self.record()? {
            return Ok(Advance::Idle(PAUSE));
        }
        let reading = &mut self.reading;
        let any = self
            .source
            .poll(Duration::ZERO, &mut |event| reading.take(event, outlet))?;
        if any {
            faults::point!("feed.polled");
            Ok(Advance::More)
        } else if self.source.has_ended() {
            self.finish(outlet)
        } else {
            Ok(Advance::Idle(PAUSE))
        }
    }
}

impl<S: RecordSource> Feed for LiveFeed<S> {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        let was_stopping = self.pace.is_stopping();
        match self.go_on(outlet) {
            Ok(advance) => advance,
            Err(error) => {
                self.pace.fail(error);
                // What was read before is good, and is finished first. If that fails, too, it is
                // not on disk, and will not be committed.
                if was_stopping {
                    Advance::Finished
                } else {
                    Advance::More
                }
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
            .all(|state| state.until <= state.read.next)
    }

    fn has_full_frame(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| {
            frame.facts.len() >= FRAME_BYTES || frame.closes.len() >= CLOSES_MAX
        })
    }

    /// Whether there is nothing that would belong into a frame.
    fn is_recorded(&self) -> bool {
        self.partitions
            .values()
            .all(|state| state.read.next == state.recorded.next)
    }

    /// What was read since the last frame, as a frame; `None` if nothing was.
    fn cut_frame(&mut self) -> Option<Frame> {
        if self.is_recorded() {
            return None;
        }
        let frame = self.frame.as_mut()?;
        for ((topic, partition), state) in &mut self.partitions {
            let (before, now) = (state.recorded, state.read);
            if before.next == now.next {
                continue;
            }
            frame.ranges.push(Range {
                topic: *topic,
                partition: *partition,
                from: before.next,
                to: now.next,
                tally: now.tally.since(&before.tally),
                witness: now.witness,
            });
            // The next frame has a witness of its own.
            state.read.witness = None;
            state.recorded = state.read;
        }
        let empty = Frame {
            facts: Vec::with_capacity(frame.facts.capacity()),
            ..Frame::default()
        };
        Some(std::mem::replace(frame, empty))
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
            Event::End { offset, .. } => {
                if state.read.next < offset {
                    state.read.next = offset;
                    state.moved = true;
                }
            }
            Event::Record(record) => {
                self.first_read.get_or_insert_with(Instant::now);
                let read = &mut state.read;
                read.next = record.offset + 1;
                state.moved = true;
                read.tally.read += 1;
                if self.frame.is_some() && read.witness.is_none() {
                    read.witness = Some(Witness::of(record.offset, record.bytes));
                }
                match self.decoder.decode(topic, record.bytes) {
                    Ok(fact) => {
                        read.tally.accepted += 1;
                        let sent = outlet.fact(&fact, position(partition, record.offset));
                        match (&mut self.frame, sent) {
                            (None, _) => {}
                            (Some(frame), Sent::Facts(facts)) => {
                                frame.facts.extend_from_slice(facts);
                            }
                            (Some(frame), Sent::Close(close)) => frame.closes.push(close),
                        }
                    }
                    Err(reject) => {
                        read.tally.rejected[reject.reason.index()] += 1;
                        let kept = match reject.reason {
                            Reason::TooLarge => &record.bytes[..record.bytes.len().min(1024)],
                            _ => record.bytes,
                        };
                        self.rejected.push(RejectedRecord {
                            topic,
                            partition,
                            offset: record.offset,
                            reason: reject.reason,
                            field: reject.field.map(str::to_owned),
                            raw: kept.to_vec(),
                        });
                        faults::point!("feed.rejected");
                    }
                }
            }
        }
    }
}
