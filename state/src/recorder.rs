//! Writes the log on a thread of its own, so that no worker waits for a disk.

use std::io;
// Of this channel what waits is dropped together with its receiver, and whoever waits for an answer to it is told;
// crossbeam's keeps it for as long as there is a sender.
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::frame::Frame;
use crate::writer::Writer;

/// Frames that may wait to be written; each has about a megabyte at most.
const WAITING_MAX: usize = 8;

enum Order {
    Append(Frame),
    /// Answered when everything that was ordered before is durable.
    Sync(SyncSender<()>),
}

/// Takes frames from the workers, and makes them durable when asked. When it is dropped its thread
/// writes what it was handed, and ends.
#[derive(Debug)]
pub struct Recorder {
    orders: SyncSender<Order>,
}

/// Nothing can be recorded any more; the reason was given to `Watcher::failed`.
#[derive(Debug, thiserror::Error)]
#[error("the state on disk cannot be written any more")]
pub struct Gone;

/// Who is told how the writing goes.
pub trait Watcher: Send + 'static {
    /// A frame could not be written, e.g. because the disk is full. Returns after a while whether to
    /// try again.
    fn waits(&mut self, error: &io::Error) -> bool;
    /// It can be written again.
    fn goes_on(&mut self);
    /// Nothing will be written any more.
    fn failed(&mut self, error: io::Error);
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(writer: Writer, watcher: impl Watcher) -> io::Result<Recorder> {
        let (orders, received) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || work(writer, watcher, &received))?;
        Ok(Recorder { orders })
    }

    /// Hands over a frame; gives it back if too many wait already.
    ///
    /// # Errors
    /// Nothing can be recorded any more.
    pub fn offer(&self, frame: Frame) -> Result<Option<Frame>, Gone> {
        match self.orders.try_send(Order::Append(frame)) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(Order::Append(frame))) => Ok(Some(frame)),
            Err(_) => Err(Gone),
        }
    }

    /// Hands over a frame, and waits for room.
    ///
    /// # Errors
    /// Nothing can be recorded any more.
    pub fn append(&self, frame: Frame) -> Result<(), Gone> {
        self.orders.send(Order::Append(frame)).map_err(|_| Gone)
    }

    /// Waits until all frames that were handed over are durable.
    ///
    /// # Errors
    /// They are not.
    pub fn sync(&self) -> Result<(), Gone> {
        let (done, answer) = sync_channel(1);
        self.orders.send(Order::Sync(done)).map_err(|_| Gone)?;
        answer.recv().map_err(|_| Gone)
    }
}

fn work(mut writer: Writer, mut watcher: impl Watcher, orders: &Receiver<Order>) {
    for order in orders {
        let done = match order {
            Order::Append(frame) => append(&mut writer, &mut watcher, &frame),
            Order::Sync(done) => writer.sync().map(|()| {
                // Whoever asked may have gone.
                let _ = done.send(());
            }),
        };
        if let Err(error) = done {
            return watcher.failed(error);
        }
    }
}

fn append(writer: &mut Writer, watcher: &mut impl Watcher, frame: &Frame) -> io::Result<()> {
    let mut waited = false;
    loop {
        match writer.append(frame) {
            Ok(()) => {
                if waited {
                    watcher.goes_on();
                }
                return Ok(());
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                ) && watcher.waits(&error) =>
            {
                waited = true;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::log::{Expected, Log};
    use crate::writer::Lock;

    /// Says that writing has failed, and lets the thread end when it is told to.
    struct Slow {
        says: SyncSender<()>,
        may_end: Receiver<()>,
    }

    impl Watcher for Slow {
        fn waits(&mut self, _: &io::Error) -> bool {
            false
        }

        fn goes_on(&mut self) {}

        fn failed(&mut self, _: io::Error) {
            self.says.send(()).unwrap();
            self.may_end.recv().unwrap();
        }
    }

    #[test]
    fn who_waits_for_a_disk_that_has_failed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let expected = Expected {
            store: "a".to_owned(),
            regions: Vec::new(),
            committed: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
        };
        let lock = Lock::of(folder.path()).unwrap();
        let log = Log::read(folder.path(), expected).unwrap();
        let writer = Writer::open(&log, lock).unwrap().on_a_full_disk().unwrap();
        let (says, failed) = sync_channel(1);
        let (let_end, may_end) = sync_channel(1);
        let recorder = Recorder::start(writer, Slow { says, may_end }).unwrap();
        recorder.append(Frame::default()).unwrap();
        failed.recv().unwrap();
        // The disk has failed, and the thread has not ended yet: the order gets into the queue.
        let (done, answer) = sync_channel(1);
        recorder.orders.send(Order::Sync(done)).unwrap();
        let_end.send(()).unwrap();
        let answered = answer.recv_timeout(Duration::from_secs(60));
        assert_eq!(
            answered,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
        );
        assert!(recorder.sync().is_err());
    }
}
