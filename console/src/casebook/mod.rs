//! The casebook: one SQLite file with people, sessions, cases, decisions, letters, and the audit trail.
//!
//! A file of its own beside the alerts' store, which the console opens to read only: whatever people do here, an
//! epoch's commit waits for no lock of theirs. One thread writes, each job in one transaction (WAL, FULL) with its row
//! of the audit trail; readers have connections of their own. Knows no HTTP, and no clock: whoever writes says when.

pub mod api_tokens;
pub mod audit;
pub mod cases;
pub mod codes;
pub mod decisions;
pub mod error;
pub mod follow;
pub mod identities;
pub mod letters;
pub mod people;
pub mod queue;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use alerting::sqlite::{connect, meta, private_file, set_meta};
use domain::Money;
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use tokio::sync::{Semaphore, oneshot};

pub use error::{CasebookError, Refusal};

use crate::rights::Person;

/// Reads at one time; the others wait.
const READERS: usize = 4;
/// Each step is applied once; a step is never edited, only followed.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("schema.sql")),
    M::up(include_str!("second_eyes.sql")),
    M::up(include_str!("api_tokens.sql")),
    M::up(include_str!("tallies.sql")),
    M::up(include_str!("identities.sql")),
];

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The casebook. Cheap to clone; the writer ends with the last clone.
#[derive(Clone)]
pub struct Casebook {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
    idle: Mutex<Vec<Connection>>,
    room: Arc<Semaphore>,
    subject_key: [u8; 32],
    form_key: [u8; 32],
}

/// Who does something, and from where: what each row of the audit trail says.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Whoever is logged in.
    pub person: Option<Person>,
    /// The address that the request came from; `cli` for a command.
    pub address: String,
    /// When.
    pub at: Timestamp,
}

impl Actor {
    /// Whoever gives a command on the machine itself.
    pub fn of_command(at: Timestamp) -> Actor {
        Actor {
            person: None,
            address: "cli".to_owned(),
            at,
        }
    }

    /// The person's number.
    ///
    /// # Errors
    /// Nobody is logged in.
    pub fn n(&self) -> Result<i64, CasebookError> {
        self.person
            .as_ref()
            .map(|person| person.n)
            .ok_or(CasebookError::Missing)
    }
}

impl Casebook {
    /// Opens the casebook, and makes it (readable by the owner alone) if it is not there.
    ///
    /// `four_eyes_from` is put into it, for its own triggers to go by.
    ///
    /// # Errors
    /// The file cannot be opened, or a newer version wrote it.
    pub fn open(path: &Path, four_eyes_from: Money) -> Result<Casebook, CasebookError> {
        private_file(path).map_err(|source| CasebookError::File {
            path: path.to_owned(),
            source,
        })?;
        let mut connection = connect(path, true)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Migrations::from_slice(MIGRATIONS)
            .to_latest(&mut connection)
            .map_err(|error| match error {
                rusqlite_migration::Error::RusqliteError { err, .. } => CasebookError::from(err),
                other => CasebookError::Schema(other.to_string()),
            })?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let fen = i64::try_from(four_eyes_from.fen()).unwrap_or(i64::MAX);
        set_meta(&transaction, "four_eyes_from_fen", &fen.to_string())?;
        let subject_key = key(&transaction, "subject_key")?;
        let form_key = key(&transaction, "form_key")?;
        transaction.commit()?;
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("casebook".to_owned())
            .spawn(move || {
                for job in queue {
                    // Whoever asked is told that there is no answer; a transaction is rolled back on the way.
                    let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
                }
            })
            .map_err(|source| CasebookError::File {
                path: path.to_owned(),
                source,
            })?;
        Ok(Casebook {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                jobs,
                idle: Mutex::new(Vec::new()),
                room: Arc::new(Semaphore::new(READERS)),
                subject_key,
                form_key,
            }),
        })
    }

    /// Does something in one transaction: all of it, or on an error nothing.
    ///
    /// # Errors
    /// What the job answers, or that it could not be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, CasebookError> + Send + 'static,
    ) -> Result<T, CasebookError> {
        let (answer, answered) = oneshot::channel();
        self.send(move |connection| {
            // Whoever asked may have gone; what was done stays done.
            let _ = answer.send(transact(connection, act));
        })?;
        answered.await.map_err(|_| CasebookError::Closed)?
    }

    /// As [`Casebook::write`], for a caller that is no task.
    ///
    /// # Errors
    /// As there.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, CasebookError> + Send + 'static,
    ) -> Result<T, CasebookError> {
        let (answer, answered) = mpsc::channel();
        self.send(move |connection| {
            let _ = answer.send(transact(connection, act));
        })?;
        answered.recv().map_err(|_| CasebookError::Closed)?
    }

    fn send(
        &self,
        job: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<(), CasebookError> {
        let sent = self.inner.jobs.send(Box::new(job));
        sent.map_err(|_| CasebookError::Closed)
    }

    /// Reads, on a thread that may block; a few at one time.
    ///
    /// # Errors
    /// What the reading answers.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, CasebookError> + Send + 'static,
    ) -> Result<T, CasebookError> {
        let room = Arc::clone(&self.inner.room);
        let permit = room.acquire_owned().await;
        let _permit = permit.map_err(|_| CasebookError::Closed)?;
        let casebook = self.clone();
        let read = tokio::task::spawn_blocking(move || casebook.read_blocking(look));
        read.await.map_err(|_| CasebookError::Closed)?
    }

    /// As [`Casebook::read`], for a caller that is no task.
    ///
    /// # Errors
    /// As there.
    pub fn read_blocking<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, CasebookError>,
    ) -> Result<T, CasebookError> {
        let idle = || {
            self.inner
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = idle().pop();
        let connection = match known {
            Some(connection) => connection,
            None => connect(&self.inner.path, false)?,
        };
        let found = look(&connection);
        idle().push(connection);
        found
    }

    /// What a subject is found by, without standing in the casebook itself.
    pub fn subject_key(&self, subject: &str) -> String {
        let hash = blake3::keyed_hash(&self.inner.subject_key, subject.as_bytes());
        hash.to_hex().to_string()
    }

    /// What the forms of those who have no session yet are signed with.
    pub fn form_key(&self) -> &[u8; 32] {
        &self.inner.form_key
    }
}

fn transact<T>(
    connection: &mut Connection,
    act: impl FnOnce(&Transaction<'_>) -> Result<T, CasebookError>,
) -> Result<T, CasebookError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = act(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// So many bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random numbers");
    bytes
}

/// 128 bits that nobody can guess, as text for cookies and forms.
pub(crate) fn token() -> String {
    hex(&random::<16>())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of a token.
pub(crate) fn hash(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}

/// A secret of this casebook, drawn when it is first asked for.
fn key(transaction: &Transaction<'_>, name: &str) -> Result<[u8; 32], CasebookError> {
    let text = match meta(transaction, name)? {
        Some(text) => text,
        None => {
            let text = hex(&random::<32>());
            set_meta(transaction, name, &text)?;
            text
        }
    };
    Ok(blake3::derive_key(
        "fundwatch console key v1",
        text.as_bytes(),
    ))
}

/// Milliseconds since 1970 as a time.
pub(crate) fn time_of(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
