//! The outbox of what programs are told, as its senders see it.
//!
//! A row is `pending` until it is acknowledged, and then gone; or `refused` for good, and kept. Of one
//! alert a program is told in the order of the tellings.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::read::telling;
use super::{StoreError, Telling, connect};

/// A sender's own connection to the store.
pub struct HookQueue {
    connection: Connection,
}

/// A telling that a program has not acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingHook {
    /// The telling; its `seq` names it in the queue.
    pub telling: Telling,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookResult {
    /// Acknowledged.
    Taken,
    /// Refused for good.
    Refused(String),
    /// To be tried again.
    Retry {
        /// Not before.
        due: Timestamp,
        /// Why.
        error: String,
    },
}

impl HookQueue {
    /// Opens the queue of a store that is there.
    pub fn open(path: &Path) -> Result<HookQueue, StoreError> {
        Ok(HookQueue {
            connection: connect(path, true)?,
        })
    }

    /// At most `limit` tellings that are due, in order, of each alert the first only.
    pub fn due(
        &self,
        hook: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<PendingHook>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT h.seq, h.json, h.revision, h.kind, h.cause, h.told_at, NULL, NULL, o.attempts
             FROM hook_outbox o JOIN alert_history h ON h.seq = o.history
             WHERE o.hook = ?1 AND o.state = 'pending' AND o.due <= ?2 AND NOT EXISTS (
                 SELECT 1 FROM hook_outbox e
                 WHERE e.hook = o.hook AND e.alert = o.alert AND e.history < o.history
                   AND e.state = 'pending')
             ORDER BY o.history LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query(params![hook, now.as_millisecond(), limit])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            pending.push(PendingHook {
                telling: telling(row)?,
                attempts: row.get(8)?,
            });
        }
        Ok(pending)
    }

    /// Records what became of attempts, by the telling's `seq`.
    pub fn settle(&mut self, hook: &str, results: &[(i64, HookResult)]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (seq, result) in results {
            let (state, due, error) = match result {
                HookResult::Taken => {
                    transaction
                        .prepare_cached("DELETE FROM hook_outbox WHERE hook = ?1 AND history = ?2")?
                        .execute(params![hook, seq])?;
                    continue;
                }
                HookResult::Refused(error) => ("refused", None, error),
                HookResult::Retry { due, error } => ("pending", Some(due.as_millisecond()), error),
            };
            transaction
                .prepare_cached(
                    "UPDATE hook_outbox SET state = ?3, due = coalesce(?4, due), last_error = ?5,
                         attempts = attempts + 1
                     WHERE hook = ?1 AND history = ?2",
                )?
                .execute(params![hook, seq, state, due, error])?;
        }
        Ok(transaction.commit()?)
    }
}
