//! The task that makes mails of what waits, and empties their outbox.
//!
//! It has a connection of its own to the store and as many workers as the server is to see
//! connections, so that a server that hangs delays nobody but mail. Whatever is not refused for good
//! is tried again, for as long as it takes.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use lettre::message::Mailbox;
use rules::Policy;
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::config::{MailConfig, MailConfigErrors, mailbox};
use super::letter::{LetterError, Mail, compose};
use super::office::Office;
use super::transport::{Failure, Transport};
use crate::back_off;
use crate::blocking::Blocking;
use crate::metrics::{MailResult, Metrics};
use crate::renewable::Renewable;
use crate::routing::Pacing;
use crate::store::{Letter, MailQueue, Outcome, StoreError};

/// The wall clock, given by whoever owns one.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Looked for mails at least so often, should a wake-up be missed.
const POLL: Duration = Duration::from_secs(5);
/// Mails per worker that are claimed ahead.
const AHEAD: usize = 2;
/// What the log says of a mail that is given up as a panic ended the making of it.
const CANNOT_BE_MADE: &str = "a part of the program failed while the mail was made";
/// What it says of a mail that a panic ended on its way; whether the server took it nobody knows.
const PANICKED: &str = "a part of the program failed while the mail was under way";

/// Sends what the outbox holds.
pub struct Sender {
    transport: Arc<Transport>,
    from: Mailbox,
    office: Renewable<Office>,
    pacing: Renewable<Pacing>,
    queue: Blocking<MailQueue>,
    connections: usize,
    metrics: Arc<Metrics>,
    clock: Clock,
}

impl Sender {
    /// A sender by a configuration; `None` if no mail goes anywhere. Reads the password.
    pub fn new(
        config: &MailConfig,
        policy: Arc<Policy>,
        queue: MailQueue,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Result<Option<Sender>, MailConfigErrors> {
        let Some(transport) = Transport::new(config)? else {
            return Ok(None);
        };
        let pacing = config.pacing(Arc::clone(&policy))?;
        let from = mailbox(&config.from)
            .map_err(|error| MailConfigErrors(vec![format!("mail.from: {error}")]))?;
        Ok(Some(Sender {
            transport: Arc::new(transport),
            from,
            office: Renewable::new(config.office(policy)?),
            pacing: Renewable::new(pacing),
            queue: Blocking::new(queue),
            connections: config.connections(),
            metrics,
            clock,
        }))
    }

    /// In whose name mails are written: another may take its place while it runs.
    pub fn office(&self) -> Renewable<Office> {
        self.office.clone()
    }

    /// When mails go out: another may take its place while it runs.
    pub fn pacing(&self) -> Renewable<Pacing> {
        self.pacing.clone()
    }

    /// Sends mails as they come due, until `stop` turns true; those under way are finished or, if
    /// the process ends first, sent again at the next start. `wake` is rung by the store.
    ///
    /// # Errors
    /// If the store fails in a way that trying again does not mend.
    pub async fn run(
        self,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let repeats = self.store(MailQueue::recover).await?;
        faults::point!("mail.recovered");
        if repeats > 0 {
            tracing::warn!(
                repeats,
                "mails were under way when the process ended, and are sent again"
            );
        }
        let (jobs, inbox) = mpsc::channel(self.connections * AHEAD);
        let (report, mut outcomes) = mpsc::channel(self.connections * AHEAD);
        let mut workers = self.workers(inbox, report, &stop);
        let mut under_way = 0_usize;
        let mut wait = Duration::ZERO;
        let mut next_plan = None;
        let mut planned = tokio::time::Instant::now();
        while !*stop.borrow_and_update() {
            let is_woken = tokio::select! {
                () = wake.notified() => true,
                () = tokio::time::sleep(wait) => true,
                _ = stop.changed() => break,
                Some(outcome) = outcomes.recv() => {
                    under_way -= self.settle(outcome, &mut outcomes).await?;
                    false
                }
            };
            let is_due = next_plan.is_some_and(|next| next <= (self.clock)());
            if is_woken || is_due || POLL <= planned.elapsed() {
                next_plan = self.plan().await?;
                planned = tokio::time::Instant::now();
            }
            let room = self.connections * AHEAD - under_way;
            let letters = self.claim(room).await?;
            if !letters.is_empty() {
                faults::point!("mail.claimed");
            }
            under_way += letters.len();
            for letter in letters {
                // There is room for each: what is under way is in the channel or at a worker.
                if jobs.send(letter).await.is_err() {
                    break;
                }
            }
            wait = self.wait(next_plan).await?;
        }
        drop(jobs);
        while let Some(outcome) = outcomes.recv().await {
            self.settle(outcome, &mut outcomes).await?;
        }
        while workers.join_next().await.is_some() {}
        Ok(())
    }

    fn workers(
        &self,
        inbox: mpsc::Receiver<Letter>,
        report: mpsc::Sender<(i64, Outcome)>,
        stop: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let inbox = Arc::new(Mutex::new(inbox));
        let mut workers = JoinSet::new();
        for _ in 0..self.connections {
            let worker = Worker {
                transport: Arc::clone(&self.transport),
                from: self.from.clone(),
                office: self.office.clone(),
                clock: Arc::clone(&self.clock),
                stop: stop.clone(),
            };
            workers.spawn(worker.run(Arc::clone(&inbox), report.clone()));
        }
        workers
    }

    async fn claim(&self, room: usize) -> Result<Vec<Letter>, StoreError> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let now = (self.clock)();
        self.store(move |queue| queue.claim(now, room)).await
    }

    /// Makes mails of what waits, and says when to do so again.
    async fn plan(&self) -> Result<Option<Timestamp>, StoreError> {
        let (now, pacing) = ((self.clock)(), self.pacing.now());
        let (_, next) = self.store(move |queue| queue.plan(&pacing, now)).await?;
        Ok(next)
    }

    /// Until the next mail is due or to be made, at most the time of a poll.
    async fn wait(&self, next_plan: Option<Timestamp>) -> Result<Duration, StoreError> {
        let now = (self.clock)();
        let due = self.store(|queue| queue.next_due()).await?;
        let due = [due, next_plan].into_iter().flatten().min();
        let until_due = due.map(|due| due.duration_since(now));
        let wait = until_due
            .and_then(|wait| Duration::try_from(wait).ok())
            .unwrap_or(POLL);
        // One that is due and was not claimed waits for another mail, whose outcome wakes us.
        Ok(wait.clamp(Duration::from_millis(200), POLL))
    }

    /// Records an outcome and all others that are there, and says how many.
    async fn settle(
        &self,
        first: (i64, Outcome),
        more: &mut mpsc::Receiver<(i64, Outcome)>,
    ) -> Result<usize, StoreError> {
        let mut outcomes = vec![first];
        while let Ok(outcome) = more.try_recv() {
            outcomes.push(outcome);
        }
        for (_, outcome) in &outcomes {
            self.metrics.mailed(match outcome {
                Outcome::Sent => MailResult::Sent,
                Outcome::Failed(_) => MailResult::Failed,
                Outcome::Retry { .. } => MailResult::Retried,
            });
        }
        faults::point!("mail.settling");
        let (count, now) = (outcomes.len(), (self.clock)());
        self.store(move |queue| queue.settle(&outcomes, now))
            .await?;
        faults::point!("mail.settled");
        Ok(count)
    }

    /// Calls the store, again and again while it is full or locked: a mail that was sent must not
    /// be forgotten for that.
    async fn store<R: Send + 'static>(
        &self,
        work: impl Fn(&mut MailQueue) -> Result<R, StoreError> + Send + Sync + 'static,
    ) -> Result<R, StoreError> {
        let work = Arc::new(work);
        loop {
            let attempt = Arc::clone(&work);
            match self.queue.call(move |queue| attempt(queue)).await {
                Err(error) if error.is_retryable() => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the outbox of mails waits for the store"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                result => return result,
            }
        }
    }
}

/// Makes a mail; a panic is an error, too. It would panic each time, and those behind it would wait.
pub(super) fn made(compose: impl FnOnce() -> Result<Mail, LetterError>) -> Result<Mail, String> {
    match catch_unwind(AssertUnwindSafe(compose)) {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(_) => Err(CANNOT_BE_MADE.to_owned()),
    }
}

/// A panic on the way of one letter is a failure of that letter: the others go out, and it is tried again.
pub(super) async fn panic_is_a_failure(
    attempt: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut attempt = pin!(attempt);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| attempt.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(Failure::Transient(PANICKED.to_owned()))))
    })
    .await
}

struct Worker {
    transport: Arc<Transport>,
    from: Mailbox,
    office: Renewable<Office>,
    clock: Clock,
    stop: watch::Receiver<bool>,
}

impl Worker {
    async fn run(
        self,
        inbox: Arc<Mutex<mpsc::Receiver<Letter>>>,
        report: mpsc::Sender<(i64, Outcome)>,
    ) {
        let mut line = self.transport.line();
        loop {
            let next = inbox.lock().await.recv().await;
            let Some(letter) = next else { break };
            if *self.stop.borrow() {
                let due = (self.clock)();
                let error = "the program was stopped before".to_owned();
                if report
                    .send((letter.seq, Outcome::Retry { due, error }))
                    .await
                    .is_err()
                {
                    break;
                }
                continue;
            }
            let result = match made(|| compose(&letter, &self.from, &self.office.now())) {
                Ok(mail) => panic_is_a_failure(line.send(&mail, &letter.message_id)).await,
                Err(error) => Err(Failure::Permanent(error)),
            };
            let outcome = self.outcome(&letter, result);
            if report.send((letter.seq, outcome)).await.is_err() {
                break;
            }
        }
        line.close().await;
    }

    fn outcome(&self, letter: &Letter, result: Result<(), Failure>) -> Outcome {
        match result {
            Ok(()) => Outcome::Sent,
            Err(Failure::Permanent(error)) => {
                tracing::error!(message_id = ?letter.message_id, ?error, "a mail was refused for good");
                Outcome::Failed(error)
            }
            Err(Failure::Transient(error)) if faults::planted!("refusal-is-for-good") => {
                Outcome::Failed(error)
            }
            Err(Failure::Transient(error)) => {
                let pause = back_off::pause(&letter.message_id, letter.attempts);
                tracing::warn!(message_id = ?letter.message_id, ?error, retry_in = %pause, "a mail could not be sent");
                let now = (self.clock)();
                Outcome::Retry {
                    due: now.checked_add(pause).unwrap_or(now),
                    error,
                }
            }
        }
    }
}
