//! Where others ask for the facts of one subject, while the books grow.
//!
//! A worker looks between its steps whether somebody asks, which costs it one look into an empty channel, and answers
//! one question at a time from the chain of the subject's book. It never waits: neither for a question nor until an
//! answer is taken. Who asks has a deadline. An answer is packed facts, to be put into books of the asker's own.

use std::fmt;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use domain::Subject;

use super::owner;
use crate::store::packed::{Shelf, fingerprint};

/// Questions that may wait for one worker.
const WAITING_MAX: usize = 16;

/// The shelf and key of a subject's book; a region has none.
pub fn book_of(subject: &Subject) -> Option<(Shelf, u128)> {
    match subject {
        Subject::Enterprise(code) => Some((Shelf::Enterprise, code.number())),
        Subject::Person(person) => Some((Shelf::Person, u128::from(person.number()))),
        Subject::Transfer(id) => Some((Shelf::Transfer, u128::from(fingerprint(id)))),
        Subject::Region(_) => None,
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The books are still being filled with what was there before the program started.
    #[error("the facts are still being loaded; ask again in a while")]
    Loading,
    /// Another process of the cluster has the subject's book.
    #[error(
        "the subject's book is with another process of the cluster, which cannot be asked from here"
    )]
    Elsewhere,
    /// The worker did not come to it.
    #[error("the books did not answer in time")]
    Late,
    /// Too many ask at once.
    #[error("too many ask at once; ask again in a while")]
    Busy,
    /// The workers have ended.
    #[error("the books are closed")]
    Closed,
    /// A region's facts are sums over many books.
    #[error("a region has no book of its own")]
    NoBook,
}

/// The desk of one process's workers. Clones are the same desk.
#[derive(Clone)]
pub struct Desk(Arc<Lanes>);

struct Lanes {
    /// One for each worker of this process.
    lanes: Vec<Lane>,
    /// From which epoch on the books are whole.
    whole_from: u64,
    /// Known once the workers are there.
    place: OnceLock<Place>,
}

/// Which of all workers are this process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    first: usize,
    peers: usize,
}

struct Lane {
    ask: SyncSender<Question>,
    /// Taken by its worker.
    asked: Mutex<Option<Receiver<Question>>>,
}

struct Question {
    shelf: Shelf,
    key: u128,
    answer: SyncSender<Result<Vec<u8>, NoAnswer>>,
}

impl Desk {
    /// The desk of so many workers, whose books are whole once everything before the epoch `whole_from` is judged.
    pub fn new(workers: usize, whole_from: u64) -> Desk {
        let lanes = (0..workers)
            .map(|_| {
                let (ask, asked) = sync_channel(WAITING_MAX);
                Lane {
                    ask,
                    asked: Mutex::new(Some(asked)),
                }
            })
            .collect();
        Desk(Arc::new(Lanes {
            lanes,
            whole_from,
            place: OnceLock::new(),
        }))
    }

    /// Asks for the facts of a subject, packed; none if there are none.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn ask(&self, subject: &Subject, within: Duration) -> Result<Vec<u8>, NoAnswer> {
        let (shelf, key) = book_of(subject).ok_or(NoAnswer::NoBook)?;
        let place = self.0.place.get().ok_or(NoAnswer::Loading)?;
        let lane = owner(key, place.peers)
            .checked_sub(place.first)
            .and_then(|at| self.0.lanes.get(at))
            .ok_or(NoAnswer::Elsewhere)?;
        let (answer, answered) = sync_channel(1);
        let question = Question { shelf, key, answer };
        lane.ask.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::Busy,
            TrySendError::Disconnected(_) => NoAnswer::Closed,
        })?;
        match answered.recv_timeout(within) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(NoAnswer::Late),
            Err(RecvTimeoutError::Disconnected) => Err(NoAnswer::Closed),
        }
    }

    /// The seat of a worker; `None` if it is taken already.
    pub(super) fn seat(&self, index: usize, peers: usize) -> Option<Seat> {
        let at = index % self.0.lanes.len().max(1);
        let lane = self.0.lanes.get(at)?;
        let asked = lane
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let first = index - at;
        self.0.place.get_or_init(|| Place { first, peers });
        Some(Seat {
            asked,
            whole_from: self.0.whole_from,
        })
    }
}

/// What is asked may name a person.
impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("lanes", &self.0.lanes.len())
            .field("place", &self.0.place.get())
            .finish_non_exhaustive()
    }
}

/// A worker's side of the desk. When it is dropped, whoever waits is told that the books are closed.
pub(super) struct Seat {
    asked: Receiver<Question>,
    whole_from: u64,
}

impl Seat {
    /// Answers one question, if there is one.
    #[inline]
    pub fn answer(
        &self,
        is_judged_before: impl FnOnce(u64) -> bool,
        facts_of: impl FnOnce(Shelf, u128) -> Vec<u8>,
    ) {
        let question = match self.asked.try_recv() {
            Ok(question) => question,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
        };
        let answer = if is_judged_before(self.whole_from) {
            Ok(facts_of(question.shelf, question.key))
        } else {
            Err(NoAnswer::Loading)
        };
        // Who asked may have gone meanwhile.
        let _ = question.answer.try_send(answer);
    }
}

#[cfg(test)]
mod tests {
    use domain::RegionCode;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn transfer(id: &str) -> Subject {
        Subject::Transfer(id.to_owned())
    }

    #[test]
    fn who_cannot_answer_says_why() {
        let desk = Desk::new(1, 2);
        let region = Subject::Region(RegionCode::parse(b"341002").unwrap());
        assert_eq!(desk.ask(&region, SOON), Err(NoAnswer::NoBook));
        assert_eq!(desk.ask(&transfer("T1"), SOON), Err(NoAnswer::Loading));
        let seat = desk.seat(0, 1).unwrap();
        // Nobody looks at what is asked.
        assert_eq!(
            desk.ask(&transfer("T1"), Duration::ZERO),
            Err(NoAnswer::Late)
        );
        for _ in 1..WAITING_MAX {
            assert_eq!(
                desk.ask(&transfer("T1"), Duration::ZERO),
                Err(NoAnswer::Late)
            );
        }
        assert_eq!(
            desk.ask(&transfer("T1"), Duration::ZERO),
            Err(NoAnswer::Busy)
        );
        drop(seat);
        assert_eq!(desk.ask(&transfer("T1"), SOON), Err(NoAnswer::Closed));
    }

    #[test]
    fn a_worker_answers_one_question_a_step_once_its_books_are_whole() {
        let desk = Desk::new(1, 2);
        let seat = desk.seat(0, 1).unwrap();
        let asker = {
            let desk = desk.clone();
            std::thread::spawn(move || {
                let first = desk.ask(&transfer("T1"), SOON);
                (first, desk.ask(&transfer("T1"), SOON))
            })
        };
        let mut steps = 0;
        while !asker.is_finished() {
            let is_whole = steps > 0;
            seat.answer(
                |first| {
                    assert_eq!(first, 2);
                    steps += 1;
                    is_whole
                },
                |shelf, key| {
                    assert_eq!((shelf, key), book_of(&transfer("T1")).unwrap());
                    vec![7]
                },
            );
            std::thread::yield_now();
        }
        assert_eq!(asker.join().unwrap(), (Err(NoAnswer::Loading), Ok(vec![7])));
        assert_eq!(steps, 2);
    }

    #[test]
    fn books_of_another_process_are_not_guessed_at() {
        // The second of two processes with a worker each: worker 1 of 2.
        let desk = Desk::new(1, 0);
        let _seat = desk.seat(1, 2).unwrap();
        let answers: Vec<_> = (0..20)
            .map(|n| transfer(&format!("T{n}")))
            .map(|subject| {
                let (_, key) = book_of(&subject).unwrap();
                (owner(key, 2), desk.ask(&subject, Duration::ZERO))
            })
            .collect();
        assert!(answers.iter().any(|(owner, _)| *owner == 0));
        for (owner, answer) in answers {
            match owner {
                0 => assert_eq!(answer, Err(NoAnswer::Elsewhere)),
                _ => assert_ne!(answer, Err(NoAnswer::Elsewhere)),
            }
        }
    }
}
