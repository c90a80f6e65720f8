//! The store's write-ahead log: put away into the database after commits, and kept from growing for ever.
//!
//! SQLite would put it away by itself, and not say when the disk fails meanwhile. A reader that never ends keeps it from
//! being begun anew: beyond a bound nothing more is committed until that reader has gone.

use std::os::raw::c_int;
use std::time::Duration;

use rusqlite::hooks::{CheckpointMode, Wal};
use rusqlite::{Connection, ErrorCode};

use super::StoreError;
use crate::sqlite::BUSY;

/// From so many pages of 4 KiB on, the log is put away after a commit.
const PUT_AWAY_PAGES: c_int = 1_000;
/// What the file keeps of its length when the log is begun anew.
const KEPT_BYTES: i64 = 64 << 20;
/// How long readers are waited for, so that the log can be begun anew.
const READERS_WITHIN: Duration = Duration::from_millis(100);

/// How long the log may grow, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// From here on readers are waited for: 64 MiB.
    pub long: i64,
    /// Beyond this no epoch is begun: 1 GiB.
    pub max: i64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            long: 16_384,
            max: 262_144,
        }
    }
}

/// Looks after the log of a connection that writes.
pub(super) fn look_after(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_size_limit", KEPT_BYTES)?;
    connection.wal_hook(Some(put_away));
    Ok(())
}

/// After a commit. A disk that failed is an error although the commit itself is durable: what is written next is in doubt.
/// Anything else, a full disk or somebody who does the same, is tried again after the next commit.
fn put_away(wal: &Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < PUT_AWAY_PAGES {
        return Ok(());
    }
    match wal.checkpoint_v2(CheckpointMode::PASSIVE) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => Err(error),
        _ => Ok(()),
    }
}

/// Keeps the log from growing for ever.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    pub bounds: Bounds,
    /// How long it was when readers were last waited for in vain.
    held_at: i64,
}

impl Keeper {
    /// Before an epoch is begun: if the log is long, it is begun anew once nobody reads in it any more.
    ///
    /// # Errors
    /// [`StoreError::LogHeld`] if it is too long, and somebody still reads in it.
    pub fn make_room(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let pages = checkpoint(connection, "NOOP")?.1;
        let is_over = self.bounds.max <= pages;
        // Not at each commit: it costs a while each time.
        if pages < self.bounds.long || (!is_over && pages < self.held_at + self.bounds.long / 16) {
            return Ok(());
        }
        connection.busy_timeout(READERS_WITHIN)?;
        let done = checkpoint(connection, "TRUNCATE");
        connection.busy_timeout(BUSY)?;
        let (is_held, _) = done?;
        if !is_held {
            self.held_at = 0;
            return Ok(());
        }
        tracing::warn!(
            pages,
            "somebody has been reading the store for long: its log cannot be put away"
        );
        self.held_at = pages;
        if is_over {
            return Err(StoreError::LogHeld);
        }
        Ok(())
    }
}

/// Whether somebody was in the way, and the pages in the log.
fn checkpoint(connection: &Connection, mode: &str) -> Result<(bool, i64), StoreError> {
    let row = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(row?)
}
