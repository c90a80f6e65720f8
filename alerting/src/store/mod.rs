//! The store: one SQLite file with the alerts, their history, what is still to be told to whom, and
//! up to where the feeds were read.
//!
//! An epoch is committed in one transaction (WAL, `synchronous=FULL`): what was found, what is to be
//! told, and the offsets appear together or not at all. One [`Store`] writes epochs and owns the
//! file; the senders of mail and topic have a connection each ([`MailQueue`], [`TopicQueue`]), and
//! whoever only looks has a [`Reader`]. Knows no feed, no network, no clock.

mod epoch;
mod error;
mod hook_queue;
mod mail_queue;
mod notices;
mod read;
mod silences;
mod tally;
mod topic_queue;
mod wal;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{AlertKey, BusinessDate, Detector, RegionCode, Severity, Subject, Topic};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use tokio::sync::Notify;

use crate::batch::{EpochBatch, FeedAsOf, FeedTotals, Holder, PartitionOffset};
use crate::identity::AlertIdentity;
use crate::routing::Routing;
use crate::sqlite::{self, meta, private_file, set_meta};

pub use epoch::{Committed, Told};
pub use error::StoreError;
pub use hook_queue::{HookQueue, HookResult, PendingHook};
pub use mail_queue::{Content, Digest, Letter, MailQueue, Outcome};
pub use notices::LifeSign;
pub use read::{
    AlertFilter, AlertRow, Channel, Mailed, OpenByPlace, Outbox, Reader, Refused, Telling,
};
pub use silences::{Matcher, Silence, Silences};
pub use tally::Tallies;
pub use topic_queue::{PendingLetter, PendingTelling, TopicQueue};

/// The writer's page cache.
const CACHE_KIB: i64 = 64 * 1024;
/// Each step is applied once, in one transaction; a step is never edited, only followed.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("schema.sql")),
    M::up(include_str!("schema_2_mail.sql")),
    M::up(include_str!("schema_3_processes.sql")),
    M::up(include_str!("schema_4_subjects.sql")),
];

/// The one writer of epochs. See the module.
pub struct Store {
    connection: Connection,
    path: PathBuf,
    identity: AlertIdentity,
    /// How often the store was opened to write: whoever has another number than the file writes nothing.
    run: u64,
    tallies: Tallies,
    wakers: Wakers,
    log: wal::Keeper,
    /// Locked for as long as the store lives.
    _lock: File,
}

/// Rung when an epoch has left something to be sent.
#[derive(Clone, Debug, Default)]
pub struct Wakers {
    /// For the sender of mails.
    pub mail: Arc<Notify>,
    /// For the publisher of topics.
    pub topic: Arc<Notify>,
    /// For the senders to programs.
    pub hooks: Arc<Notify>,
}

impl Store {
    /// Opens the store, and makes file and folder (readable by the owner alone) if they are not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it open, [`StoreError::ForeignIdentity`] if its
    /// alerts were named under another secret, [`StoreError::Schema`] if a newer version wrote it.
    pub fn open(path: &Path, identity: &AlertIdentity) -> Result<Store, StoreError> {
        let lock = claim_file(path)?;
        faults::point!("open.locked");
        let mut connection = connect(path, true)?;
        // WAL: readers and the senders do not wait for an epoch. FULL: a committed epoch survives
        // the loss of power, NORMAL would lose the last ones.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // A large epoch's pages stay in memory until its commit.
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        assert_sound(&connection)?;
        Migrations::from_slice(MIGRATIONS)
            .to_latest(&mut connection)
            .map_err(|error| match error {
                rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::from(err),
                other => StoreError::Schema(Box::new(other)),
            })?;
        faults::point!("open.tables-made");
        bind_identity(&mut connection, identity)?;
        faults::point!("open.bound");
        let run = begin_run(&mut connection)?;
        let tallies = Tallies::load(&connection)?;
        Ok(Store {
            connection,
            path: path.to_owned(),
            identity: identity.clone(),
            run,
            tallies,
            wakers: Wakers::default(),
            log: wal::Keeper::default(),
            _lock: lock,
        })
    }

    /// Commits what an epoch changed: everything in the batch, or on an error nothing of it.
    ///
    /// What is told follows from the difference to what is stored, so that the same findings once
    /// more tell nothing. `now` is the wall clock's, for the rows of the outboxes.
    ///
    /// # Panics
    /// If the counts of a feed do not add up: read = accepted + redelivered + rejected.
    ///
    /// # Errors
    /// See [`StoreError::is_retryable`]: then the same batch may be committed again. [`StoreError::Fenced`]: another
    /// process has taken the store over.
    pub fn commit(
        &mut self,
        batch: &EpochBatch,
        routing: &Routing,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        self.write(batch, routing, now, epoch::Extent::Changes)
    }

    /// As [`Store::commit`], for a batch whose updates are all findings that there are, e.g. after a
    /// restart that read the feeds again from the start: whatever is stored and not among them is
    /// withdrawn. Nothing may be committed between the start of such a reading and its end, or
    /// people would be told of verdicts on half of the facts.
    pub fn reconcile(
        &mut self,
        batch: &EpochBatch,
        routing: &Routing,
        now: Timestamp,
    ) -> Result<Committed, StoreError> {
        self.write(batch, routing, now, epoch::Extent::Everything)
    }

    fn write(
        &mut self,
        batch: &EpochBatch,
        routing: &Routing,
        now: Timestamp,
        extent: epoch::Extent,
    ) -> Result<Committed, StoreError> {
        // INVARIANT 1: nothing is dropped uncounted.
        for totals in &batch.feeds {
            assert!(totals.balances(), "counts that do not add up: {totals:?}");
        }
        self.log.make_room(&self.connection)?;
        if faults::planted!("offset-before-state") {
            epoch::offsets(&self.connection, &batch.offsets)?;
        }
        let extent = match extent {
            epoch::Extent::Everything if faults::planted!("withdrawal-forgotten") => {
                epoch::Extent::Changes
            }
            extent => extent,
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        faults::point!("store.begun");
        // The lock says the same, but not on every file system, nor to one who slept through its loss.
        if run_of(&transaction)? != self.run {
            return Err(StoreError::Fenced);
        }
        let mut writer = epoch::Writer::new(
            &transaction,
            &self.identity,
            routing,
            batch.epoch,
            now,
            self.tallies.clone(),
        )?;
        writer.batch(batch, extent)?;
        let (committed, tallies) = writer.finish()?;
        faults::point!("store.mails-written");
        transaction.commit()?;
        faults::point!("store.committed");
        if faults::planted!("outbox-outside-transaction") {
            epoch::fill_topic_outbox_late(&self.connection, committed.told.len())?;
        }
        self.tallies = tallies;
        if committed.notices > 0 {
            self.wakers.mail.notify_one();
        }
        if committed.to_hooks > 0 {
            self.wakers.hooks.notify_waiters();
        }
        if committed.to_topic > 0 {
            self.wakers.topic.notify_one();
        }
        Ok(committed)
    }

    /// What is counted over the committed rows.
    pub const fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// What the senders wait on.
    pub fn wakers(&self) -> Wakers {
        self.wakers.clone()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names this store among all, in 32 hexadecimal digits; drawn when it was made.
    pub fn instance(&self) -> Result<String, StoreError> {
        instance(&self.connection)
    }

    /// Bounds its log so that a test need not write gigabytes.
    #[cfg(test)]
    pub(crate) fn bound_log_for_test(&mut self, long: i64, max: i64) {
        self.log.bounds = wal::Bounds { long, max };
    }

    /// Names it so that what is made of the name is the same in every run of a test.
    #[cfg(test)]
    pub(crate) fn name_for_test(&mut self, name: &str) {
        set_meta(&self.connection, INSTANCE, name).unwrap();
    }

    /// The present business date of the last epoch that had one.
    pub fn present(&self) -> Result<Option<BusinessDate>, StoreError> {
        present(&self.connection)
    }

    /// The number of this opening, greater than that of every one before.
    pub const fn run(&self) -> u64 {
        self.run
    }

    /// Which process has each partition on disk, as the last run left it.
    pub fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        read::holders(&self.connection)
    }

    /// Where each partition is to be read on, by topic and partition.
    pub fn offsets(&self) -> Result<Vec<PartitionOffset>, StoreError> {
        read::offsets(&self.connection)
    }

    /// How far each feed is complete, by topic and region.
    pub fn feed_as_of(&self) -> Result<Vec<FeedAsOf>, StoreError> {
        read::feed_as_of(&self.connection)
    }

    /// The counts of each partition.
    pub fn feed_totals(&self) -> Result<Vec<FeedTotals>, StoreError> {
        read::feed_totals(&self.connection)
    }

    /// Whether the record at the position is known to be a dead letter.
    pub fn has_dead_letter(&self, topic: Topic, position: &str) -> Result<bool, StoreError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT 1 FROM dead_letter WHERE topic = ?1 AND position = ?2")?;
        Ok(select.exists([topic.as_str(), position])?)
    }

    /// A connection that only reads.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }
}

const INSTANCE: &str = "instance";
const IDENTITY: &str = "identity";
const PRESENT: &str = "present";
const RUN: &str = "run";

/// Makes the file if it is not there, and locks its neighbour `.lock` against a second process.
fn claim_file(path: &Path) -> Result<File, StoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        make_folder(folder).map_err(failed(folder))?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let lock = private_file(&lock_path).map_err(failed(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
    }
    private_file(path).map_err(failed(path))?;
    Ok(lock)
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A connection to a store that is there.
fn connect(path: &Path, writes: bool) -> Result<Connection, StoreError> {
    let connection = sqlite::connect(path, writes)?;
    if writes {
        wal::look_after(&connection)?;
    }
    Ok(connection)
}

/// Binds a new store to the secret of its alerts' ids, or compares an old one's.
///
/// Under another secret every alert would have another id: all would be withdrawn and raised again.
fn bind_identity(connection: &mut Connection, identity: &AlertIdentity) -> Result<(), StoreError> {
    let probe = AlertKey {
        detector: Detector::ALL[0],
        subject: Subject::Transfer(String::new()),
        period: None,
        item: Some("identity of the store".to_owned()),
    };
    let mark = identity.id(&probe);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match meta(&transaction, IDENTITY)? {
        Some(known) if known == mark => {}
        Some(_) => return Err(StoreError::ForeignIdentity),
        None => {
            set_meta(&transaction, IDENTITY, &mark)?;
            let instance: String =
                transaction.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?;
            set_meta(&transaction, INSTANCE, &instance)?;
        }
    }
    Ok(transaction.commit()?)
}

/// Counts this opening: from its commit on nobody who opened the store before can write an epoch.
fn begin_run(connection: &mut Connection) -> Result<u64, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let run = run_of(&transaction)? + 1;
    set_meta(&transaction, RUN, &run.to_string())?;
    transaction.commit()?;
    Ok(run)
}

/// How often the store was opened; 0 before the first time that this was counted.
fn run_of(connection: &Connection) -> Result<u64, StoreError> {
    match meta(connection, RUN)? {
        Some(run) => word(Ok(run.as_str()), |run| run.parse().ok()),
        None => Ok(0),
    }
}

/// Looks through the whole file: after a disk failed, what was written last is in doubt, and must not be built upon.
fn assert_sound(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged(found)),
    }
}

fn instance(connection: &Connection) -> Result<String, StoreError> {
    meta(connection, INSTANCE)?.ok_or_else(|| StoreError::Value("no instance in `meta`".to_owned()))
}

fn present(connection: &Connection) -> Result<Option<BusinessDate>, StoreError> {
    meta(connection, PRESENT)?
        .map(|date| word(Ok(date.as_str()), |d| BusinessDate::parse(d.as_bytes())))
        .transpose()
}

/// A word of the store as the thing that it names.
fn word<T>(
    text: rusqlite::types::FromSqlResult<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let text = text.map_err(|error| StoreError::Value(error.to_string()))?;
    parse(text).ok_or_else(|| StoreError::Value(format!("`{text}`")))
}

fn severity_of(number: u8) -> Result<Severity, StoreError> {
    Severity::ALL
        .get(usize::from(number))
        .copied()
        .ok_or_else(|| StoreError::Value(format!("severity {number}")))
}

/// A region's code as the store has it.
fn region_of(text: rusqlite::types::FromSqlResult<&str>) -> Result<RegionCode, StoreError> {
    word(text, |code| RegionCode::parse(code.as_bytes()))
}

/// Milliseconds since 1970 as a time; what lies outside of all calendars is the beginning.
fn time_of(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Fen as SQLite can sort it.
fn saturated(money: domain::Money) -> i64 {
    i64::try_from(money.fen()).unwrap_or(if money.is_positive() {
        i64::MAX
    } else {
        i64::MIN
    })
}

#[cfg(test)]
mod tests;
