//! The outboxes of the two topics, as their publisher sees them.

use std::path::Path;

use domain::Topic;
use rusqlite::{Connection, TransactionBehavior, params};

use super::read::telling;
use super::{StoreError, Telling, connect, word};
use crate::batch::DeadLetter;

/// The publisher's own connection to the store.
pub struct TopicQueue {
    connection: Connection,
}

/// A telling that the alerts topic has not acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingTelling {
    /// The telling; its `seq` names it in the queue.
    pub telling: Telling,
}

/// A dead letter that its topic has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLetter {
    /// Names it in the queue.
    pub n: i64,
    /// The letter.
    pub letter: DeadLetter,
}

impl TopicQueue {
    /// Opens the queues of a store that is there. One process has one.
    pub fn open(path: &Path) -> Result<TopicQueue, StoreError> {
        Ok(TopicQueue {
            connection: connect(path, true)?,
        })
    }

    /// At most `limit` pending tellings in order, of each alert the first only: a later one must not
    /// overtake it when a send fails.
    pub fn tellings(&self, limit: usize) -> Result<Vec<PendingTelling>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT h.seq, h.json, h.revision, h.kind, h.cause, h.told_at, NULL, NULL
             FROM topic_outbox o JOIN alert_history h ON h.seq = o.history
             WHERE NOT EXISTS (
                 SELECT 1 FROM alert_history e JOIN topic_outbox p ON p.history = e.seq
                 WHERE e.alert = h.alert AND e.revision < h.revision)
             ORDER BY o.history LIMIT ?1",
        )?;
        let mut rows = select.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut tellings = Vec::new();
        while let Some(row) = rows.next()? {
            tellings.push(PendingTelling {
                telling: telling(row)?,
            });
        }
        Ok(tellings)
    }

    /// At most `limit` pending dead letters in order.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<PendingLetter>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT n, topic, position, reason, field, raw FROM dead_letter WHERE pending = 1
             ORDER BY n LIMIT ?1",
        )?;
        let mut rows = select.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut letters = Vec::new();
        while let Some(row) = rows.next()? {
            letters.push(PendingLetter {
                n: row.get(0)?,
                letter: DeadLetter {
                    topic: word(row.get_ref(1)?.as_str(), Topic::parse)?,
                    position: row.get(2)?,
                    reason: row.get(3)?,
                    field: row.get(4)?,
                    raw: row.get(5)?,
                },
            });
        }
        Ok(letters)
    }

    /// Takes out what was acknowledged: tellings by `seq`, dead letters by `n`.
    pub fn acknowledge(&mut self, tellings: &[i64], letters: &[i64]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for seq in tellings {
            transaction
                .prepare_cached("DELETE FROM topic_outbox WHERE history = ?1")?
                .execute([seq])?;
        }
        for n in letters {
            transaction
                .prepare_cached("UPDATE dead_letter SET pending = 0 WHERE n = ?1")?
                .execute(params![n])?;
        }
        Ok(transaction.commit()?)
    }
}
