//! What goes on between the leader and a follower while they work: heartbeats, how far all may read, what came of
//! epochs; and how all end when one does.
//!
//! A follower hands an epoch over when it is complete everywhere and durable on its own disk. The leader commits the
//! epochs that all have handed over, so that offsets in the store never lead what is durable anywhere.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use detectors::dataflow::wire::read;

use super::wire::{ToFollower, ToLeader, WireNote, outcomes, receive, send};
use crate::failure::{DESERTED, FAILED, end};
use crate::live::{Complete, Harvest, Others, Pace};

/// Each side says something at least so often.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Nothing for so long means that the other process hangs, or cannot be reached.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Once asked to stop, everything that was read is committed within this; a process that then still runs hangs.
const STOPS_WITHIN: Duration = Duration::from_secs(25);
/// Between looks whether there is something to tell.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long a read may wait.
fn silence_max() -> Option<Duration> {
    (!faults::planted!("hung-process-waited-for")).then_some(SILENCE_MAX)
}

/// Ends this process at once, because another one is lost: what is committed stays, and the rest is read again.
pub fn be_lost(words: &str) -> ! {
    static LOST: Once = Once::new();
    LOST.call_once(|| {
        tracing::error!(
            words,
            exit_code = DESERTED,
            "the cluster's run ends, and has to be started again"
        );
        end(DESERTED)
    });
    unreachable!("the first one to come here ends the process")
}

/// Ends this process in good order: it was asked to stop, and another one that was asked, too, has gone before they did
/// anything together.
pub fn leave(process: usize) -> ! {
    tracing::info!(
        process,
        "asked to stop; the other process has gone before the run began"
    );
    end(0)
}

/// Who asked a process to stop, if it was another process.
#[derive(Clone, Debug, Default)]
struct AskedBy(Arc<Mutex<Option<String>>>);

impl AskedBy {
    fn note(&self, words: String) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get_or_insert(words);
    }

    fn words(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The leader's side of all links.
pub struct LeaderLinks {
    asked_by: AskedBy,
    is_done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl LeaderLinks {
    /// Begins to listen to followers, and to tell them; the first is process 1.
    pub(super) fn begin(
        streams: Vec<TcpStream>,
        pace: &Arc<Pace>,
        harvest: &Harvest,
        others: &Others,
    ) -> io::Result<LeaderLinks> {
        let mut links = LeaderLinks {
            asked_by: AskedBy::default(),
            is_done: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for (number, stream) in streams.into_iter().enumerate() {
            stream.set_read_timeout(silence_max())?;
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            let listener = Listener {
                number,
                pace: Arc::clone(pace),
                harvest: harvest.clone(),
                others: others.clone(),
                asked_by: links.asked_by.clone(),
                is_done: Arc::clone(&links.is_done),
            };
            let heard = stream.try_clone()?;
            links.threads.push(
                std::thread::Builder::new()
                    .name(format!("link-from-{}", number + 1))
                    .spawn(move || listener.listen(heard))?,
            );
            let (pace, is_done) = (Arc::clone(pace), Arc::clone(&links.is_done));
            let asked_by = links.asked_by.clone();
            std::thread::Builder::new()
                .name(format!("link-to-{}", number + 1))
                .spawn(move || tell(stream, &pace, &is_done, &asked_by))?;
        }
        Ok(links)
    }

    /// Everything is committed: lets the followers go. Says who asked for the stop, if it was one of them.
    pub fn dismiss(self) -> Option<String> {
        self.is_done.store(true, Ordering::Release);
        for thread in self.threads {
            // It ends with the connection.
            let _ = thread.join();
        }
        self.asked_by.words()
    }
}

/// Listens to one follower.
struct Listener {
    /// From 0; process 1 is the first.
    number: usize,
    pace: Arc<Pace>,
    harvest: Harvest,
    others: Others,
    asked_by: AskedBy,
    is_done: Arc<AtomicBool>,
}

impl Listener {
    fn listen(self, mut stream: TcpStream) {
        let process = self.number + 1;
        let mut failed = None;
        let mut has_worked = false;
        loop {
            let words = match receive(&mut stream) {
                Ok(ToLeader::Alive) => continue,
                Ok(ToLeader::Stops(words)) => {
                    self.asked_by.note(match &words {
                        Some(words) => format!("process {process} failed: {words}"),
                        None => format!("process {process} was asked to stop"),
                    });
                    failed = failed.or(words);
                    self.pace.stop();
                    continue;
                }
                Ok(message) => match self.take(message) {
                    Some(()) => {
                        has_worked = true;
                        continue;
                    }
                    None => format!("process {process} says what cannot be understood"),
                },
                Err(_) if self.is_done.load(Ordering::Acquire) => return,
                Err(_) if self.pace.was_asked() && !has_worked => leave(process),
                Err(error) => match failed {
                    Some(words) => format!("process {process} failed: {words}"),
                    None => lost(process, &error),
                },
            };
            be_lost(&words);
        }
    }

    /// Takes what was handed over; `None` if it is nothing that is handed over.
    fn take(&self, message: ToLeader) -> Option<()> {
        match message {
            ToLeader::Outcomes(epoch, bytes) => self.harvest.results.leave(epoch, read(&bytes)?),
            ToLeader::Note(epoch, note) => self.harvest.notes.leave(epoch, note.note()?),
            ToLeader::Complete(end) => self.others.handed_over(self.number, end),
            ToLeader::Holding { .. } | ToLeader::Alive | ToLeader::Stops(_) => return None,
        }
        Some(())
    }
}

/// Tells one follower how far all may read.
fn tell(mut stream: TcpStream, pace: &Pace, is_done: &AtomicBool, asked_by: &AskedBy) {
    let (mut told, mut told_at) = (None, Instant::now());
    let mut stopping = Stopping::default();
    loop {
        let stand = pace.stand();
        let mut message = None;
        if is_done.load(Ordering::Acquire) {
            message = Some(ToFollower::Farewell);
        } else if stopping.begins(pace) {
            let words = asked_by
                .words()
                .unwrap_or_else(|| "process 0 stops".to_owned());
            message = Some(ToFollower::Stop(words));
        } else if told != Some(stand) || HEARTBEAT <= told_at.elapsed() {
            (told, told_at) = (Some(stand), Instant::now());
            message = Some(ToFollower::Pace(stand.0, stand.1));
        }
        let is_last = matches!(message, Some(ToFollower::Farewell));
        // Whoever listens to this follower notices that the connection is lost, and ends us.
        if message.is_some_and(|message| send(&mut stream, &message).is_err()) {
            return;
        }
        if is_last {
            // What is still to come of the follower is read to its end by the listener.
            let _ = stream.shutdown(Shutdown::Write);
            return;
        }
        stopping.watch(pace);
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A follower's side of its link.
pub struct FollowerLink {
    stream: Arc<Mutex<TcpStream>>,
    listener: JoinHandle<()>,
    asked_by: AskedBy,
}

impl FollowerLink {
    /// Begins to listen to the leader, and to show that this process lives.
    pub(super) fn begin(stream: TcpStream, pace: &Arc<Pace>) -> io::Result<FollowerLink> {
        stream.set_read_timeout(silence_max())?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let asked_by = AskedBy::default();
        let heard = stream.try_clone()?;
        let stream = Arc::new(Mutex::new(stream));
        let listener = {
            let (pace, asked_by) = (Arc::clone(pace), asked_by.clone());
            std::thread::Builder::new()
                .name("link-from-0".to_owned())
                .spawn(move || obey(heard, &pace, &asked_by))?
        };
        let (pace, shown) = (Arc::clone(pace), Arc::clone(&stream));
        let asked = asked_by.clone();
        std::thread::Builder::new()
            .name("link-to-0".to_owned())
            .spawn(move || show(&shown, &pace, &asked))?;
        Ok(FollowerLink {
            stream,
            listener,
            asked_by,
        })
    }

    /// Hands over what is complete, and durable on this process's disk.
    pub fn hand_over(&self, complete: Complete) {
        if let Err(error) = self.send_all(complete) {
            be_lost(&lost(0, &error));
        }
    }

    fn send_all(&self, complete: Complete) -> io::Result<()> {
        for (epoch, of_epoch) in &complete.outcomes {
            for message in outcomes(*epoch, of_epoch) {
                self.send(&message)?;
            }
        }
        for (epoch, note) in complete.notes {
            self.send(&ToLeader::Note(epoch, WireNote::of(note)))?;
        }
        self.send(&ToLeader::Complete(complete.end))
    }

    /// Everything is handed over: waits until it is committed. Says who asked for the stop, if it was the leader.
    pub fn wait_for_dismissal(self) -> Option<String> {
        // It ends with the leader's farewell, or with the process.
        let _ = self.listener.join();
        self.asked_by.words()
    }

    fn send(&self, message: &ToLeader) -> io::Result<()> {
        send(&mut *lock(&self.stream), message)
    }
}

/// Does as the leader says, until it says farewell.
fn obey(mut stream: TcpStream, pace: &Pace, asked_by: &AskedBy) {
    loop {
        match receive(&mut stream) {
            Ok(ToFollower::Pace(open, committed)) => pace.follow((open, committed)),
            Ok(ToFollower::Stop(words)) => {
                asked_by.note(words);
                pace.stop();
            }
            Ok(ToFollower::Farewell) => {
                // So that the leader sees that it was heard.
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Ok(ToFollower::Start(_) | ToFollower::Shares(_)) => {
                be_lost("process 0 says what cannot be understood");
            }
            Err(error) => match pace.failure() {
                // The leader ended because this process failed: whoever reads the exit code is told of that.
                Some(words) => fail(&words),
                None => be_lost(&lost(0, &error)),
            },
        }
    }
}

/// Shows that this process lives, and says when it stops of its own accord.
fn show(stream: &Mutex<TcpStream>, pace: &Pace, asked_by: &AskedBy) {
    let mut shown_at: Option<Instant> = None;
    let mut stopping = Stopping::default();
    loop {
        let mut message = None;
        if stopping.begins(pace) && asked_by.words().is_none() {
            message = Some(ToLeader::Stops(pace.failure()));
        } else if shown_at.is_none_or(|at| HEARTBEAT <= at.elapsed()) {
            shown_at = Some(Instant::now());
            message = Some(ToLeader::Alive);
        }
        // Whoever listens to the leader notices that the connection is lost.
        if message.is_some_and(|message| send(&mut *lock(stream), &message).is_err()) {
            return;
        }
        stopping.watch(pace);
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Since when this process is to stop.
#[derive(Default)]
struct Stopping(Option<Instant>);

impl Stopping {
    /// Whether it is to stop from now on.
    fn begins(&mut self, pace: &Pace) -> bool {
        let begins = self.0.is_none() && pace.is_stopping();
        if begins {
            self.0 = Some(Instant::now());
        }
        begins
    }

    /// Ends a process that does not come to its end.
    fn watch(&self, pace: &Pace) {
        if self.0.is_some_and(|since| STOPS_WITHIN < since.elapsed()) {
            match pace.failure() {
                Some(words) => fail(&words),
                None => be_lost("asked to stop, the processes did not come to an end together"),
            }
        }
    }
}

/// Ends this process at once, because it failed, and the others cannot help it to a good end.
fn fail(words: &str) -> ! {
    tracing::error!(words, "this process failed");
    end(FAILED)
}

fn lost(process: usize, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!(
            "process {process} has not been heard of for {} s: it hangs, or cannot be reached",
            SILENCE_MAX.as_secs()
        ),
        _ => format!("process {process} has ended ({error})"),
    }
}

fn lock(stream: &Mutex<TcpStream>) -> std::sync::MutexGuard<'_, TcpStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}
