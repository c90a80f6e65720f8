//! The outbox of mails, as its sender sees it: claim what is due, say what became of it.
//!
//! A row is `pending`, `sending`, `sent` or `failed`. A row that is found `sending` at the start was
//! under way when the process ended: nobody knows whether it arrived, and it is sent once more with
//! the same Message-ID. Mails on one alert to one recipient go out in the order of the tellings, those
//! that tell of many among them.

use std::collections::BTreeMap;
use std::path::Path;

use domain::{Money, Severity};
use jiff::Timestamp;
use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::read::{outbox, telling};
use super::{Channel, LifeSign, Outbox, StoreError, Telling, connect, notices, severity_of, word};
use crate::plan::MailKind;
use crate::routing::{Language, Pacing};

/// Tellings that are shown at most of a digest, and of a group or a failure of a region.
const DIGEST_SHOWN_MAX: u32 = 50;
const GROUP_SHOWN_MAX: u32 = 10;
/// Threads that a mail is put under at most: more make a header that no server likes.
const THREADS_MAX: u32 = 10;

/// The sender's own connection to the store.
pub struct MailQueue {
    connection: Connection,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Names it in the queue.
    pub seq: i64,
    /// To whom.
    pub address: String,
    /// The recipient's name; may be empty.
    pub name: String,
    /// The language to write in.
    pub language: Language,
    /// Without angle brackets; the same at every attempt.
    pub message_id: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// Since when it waits.
    pub since: Timestamp,
    /// The earlier mails to the recipient under which it goes, at most ten.
    pub threads: Vec<String>,
    /// Of what.
    pub content: Content,
}

/// What a mail is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// One telling, against what the recipient was told before.
    Single(Box<Telling>),
    /// Many.
    Digest(Digest),
    /// None: a sign of life.
    Life(Box<LifeSign>),
}

/// What a mail on many is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// Why they are in one mail.
    pub kind: MailKind,
    /// How many tellings of each severity, the gravest first.
    pub counts: Vec<(Severity, u64)>,
    /// How many of them are of what is open, and what is at stake there.
    pub open: (u64, Money),
    /// The gravest and largest of them.
    pub shown: Vec<Telling>,
}

impl Digest {
    /// How many tellings in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it.
    Sent,
    /// Refused for good.
    Failed(String),
    /// To be tried again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why.
        error: String,
    },
}

impl MailQueue {
    /// Opens the queue of a store that is there. One process has one.
    pub fn open(path: &Path) -> Result<MailQueue, StoreError> {
        Ok(MailQueue {
            connection: connect(path, true)?,
        })
    }

    /// Takes back what was under way when the process last ended, and says how much it was: as many
    /// mails may arrive twice.
    pub fn recover(&mut self) -> Result<usize, StoreError> {
        if faults::planted!("sending-forgotten") {
            return Ok(0);
        }
        Ok(self.connection.execute(
            "UPDATE mail SET state = 'pending' WHERE state = 'sending'",
            [],
        )?)
    }

    /// Makes mails of what waits and is due. Says how many, and when to come again should nothing
    /// happen until then.
    pub fn plan(
        &mut self,
        pacing: &Pacing,
        now: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let planned = notices::write(&transaction, pacing, now)?;
        transaction.commit()?;
        Ok(planned)
    }

    /// Claims at most `limit` mails that are due, the oldest first.
    pub fn claim(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut letters = Vec::new();
        {
            // `+` keeps SQLite from the index by `due`: by `seq` it need not sort a long backlog.
            let mut select = transaction.prepare_cached(
                "SELECT m.seq, r.address, r.name, r.language, m.message_id, m.attempts, m.since,
                     m.kind, m.note
                 FROM mail m JOIN recipients r ON r.n = m.recipient
                 WHERE m.state = 'pending' AND +m.due <= ?1 AND NOT EXISTS (
                     SELECT 1 FROM mail_item i
                     JOIN mail_item j ON j.alert = i.alert AND j.mail < i.mail
                     JOIN mail e ON e.seq = j.mail
                     WHERE i.mail = m.seq AND e.recipient = m.recipient
                       AND e.state IN ('pending', 'sending'))
                 ORDER BY m.seq LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = select.query(params![now.as_millisecond(), limit])?;
            while let Some(row) = rows.next()? {
                letters.push(letter(&transaction, row)?);
            }
            let mut update = transaction.prepare_cached(
                "UPDATE mail SET state = 'sending', attempts = attempts + 1 WHERE seq = ?1",
            )?;
            for letter in &letters {
                update.execute([letter.seq])?;
            }
            if faults::planted!("mail-marked-before-sent") {
                transaction
                    .execute("UPDATE mail SET state = 'sent' WHERE state = 'sending'", [])?;
            }
        }
        transaction.commit()?;
        Ok(letters)
    }

    /// Records what became of mails that were claimed.
    pub fn settle(
        &mut self,
        outcomes: &[(i64, Outcome)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (seq, outcome) in outcomes {
            let (state, due, error) = match outcome {
                Outcome::Sent => ("sent", None, None),
                Outcome::Failed(error) => ("failed", None, Some(error)),
                Outcome::Retry { due, error } => {
                    ("pending", Some(due.as_millisecond()), Some(error))
                }
            };
            transaction
                .prepare_cached(
                    "UPDATE mail SET state = ?2, due = coalesce(?3, due), last_error = ?4,
                         settled = CASE WHEN ?3 IS NULL THEN ?5 END
                     WHERE seq = ?1 AND state = 'sending'",
                )?
                .execute(params![seq, state, due, error, now.as_millisecond()])?;
        }
        Ok(transaction.commit()?)
    }

    /// When the next pending mail is due.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let due: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(due) FROM mail WHERE state = 'pending'")?
            .query_row([], |row| row.get(0))?;
        Ok(due.map(super::time_of))
    }

    /// What waits, and what was given up.
    pub fn outbox(&self) -> Result<Outbox, StoreError> {
        outbox(&self.connection, Channel::Mail)
    }
}

fn letter(connection: &Connection, row: &Row<'_>) -> Result<Letter, StoreError> {
    let seq = row.get(0)?;
    let kind = word(row.get_ref(7)?.as_str(), MailKind::parse)?;
    let mut message_id: String = row.get(4)?;
    let attempts: u32 = row.get(5)?;
    if faults::planted!("message-id-of-attempt") && attempts > 0 {
        message_id = format!("{attempts}.{message_id}");
    }
    Ok(Letter {
        seq,
        address: row.get(1)?,
        name: row.get(2)?,
        language: word(row.get_ref(3)?.as_str(), Language::parse)?,
        attempts,
        since: super::time_of(row.get(6)?),
        threads: threads(connection, seq, &message_id)?,
        message_id,
        content: match kind {
            MailKind::Single => {
                let mut tellings = tellings(connection, seq, 1)?;
                let telling = tellings
                    .pop()
                    .ok_or_else(|| StoreError::Value(format!("mail {seq} without content")))?;
                Content::Single(Box::new(telling))
            }
            MailKind::Life => {
                let note: String = row.get(8)?;
                Content::Life(Box::new(serde_json::from_str(&note)?))
            }
            kind => Content::Digest(digest(connection, seq, kind)?),
        },
    })
}

/// The first mails to the recipient on what the mail tells, without itself.
fn threads(connection: &Connection, mail: i64, id: &str) -> Result<Vec<String>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT f.first_id FROM mail m JOIN mail_item i ON i.mail = m.seq
         JOIN mailed f ON f.recipient = m.recipient AND f.alert = i.alert
         WHERE m.seq = ?1 AND f.first_id <> ?2
         GROUP BY f.first_id ORDER BY min(i.history) LIMIT ?3",
    )?;
    let mut rows = select.query(params![mail, id, THREADS_MAX])?;
    let mut threads = Vec::new();
    while let Some(row) = rows.next()? {
        threads.push(row.get(0)?);
    }
    Ok(threads)
}

fn digest(connection: &Connection, mail: i64, kind: MailKind) -> Result<Digest, StoreError> {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    let (mut open, mut amount) = (0, 0_i128);
    let mut select = connection.prepare_cached(
        "SELECT h.severity, h.weight_fen, i.kind <> 'withdrawn' AND json_extract(h.json, '$.state') = 'open'
         FROM mail_item i JOIN alert_history h ON h.seq = i.history WHERE i.mail = ?1",
    )?;
    let mut rows = select.query([mail])?;
    while let Some(row) = rows.next()? {
        *counts.entry(severity_of(row.get(0)?)?).or_default() += 1;
        if row.get(2)? {
            open += 1;
            amount += i128::from(row.get::<_, i64>(1)?);
        }
    }
    let shown_max = match kind {
        MailKind::Group | MailKind::Wide | MailKind::Reminder => GROUP_SHOWN_MAX,
        _ => DIGEST_SHOWN_MAX,
    };
    Ok(Digest {
        kind,
        counts: counts.into_iter().rev().collect(),
        open: (open, Money::from_fen(amount)),
        shown: tellings(connection, mail, shown_max)?,
    })
}

fn tellings(connection: &Connection, mail: i64, limit: u32) -> Result<Vec<Telling>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT h.seq, h.json, h.revision, i.kind, h.cause, h.told_at, b.json, b.kind
         FROM mail_item i JOIN alert_history h ON h.seq = i.history
         LEFT JOIN alert_history b ON b.seq = i.before
         WHERE i.mail = ?1 ORDER BY h.severity DESC, h.weight_fen DESC, h.seq LIMIT ?2",
    )?;
    let mut rows = select.query(params![mail, limit])?;
    let mut tellings = Vec::new();
    while let Some(row) = rows.next()? {
        tellings.push(telling(row)?);
    }
    Ok(tellings)
}
