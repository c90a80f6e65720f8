//! What can go wrong with the store, told apart by what the caller is to do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// An error of the store. The store itself is as before the call that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk: stop reading the feeds, and try again.
    #[error("the disk with the store is full: make room, and it goes on by itself")]
    Full(#[source] rusqlite::Error),
    /// Somebody else holds the database, e.g. a backup: try again.
    #[error("the store is locked by another connection")]
    Busy(#[source] rusqlite::Error),
    /// Somebody has been reading for so long that the log has grown too long: try again.
    #[error(
        "the store's log is too long, since somebody has been reading the store all the while: end that reader (a backup, a shell), and it goes on by itself"
    )]
    LogHeld,
    /// The disk failed. What was written last is in doubt: end the process, and start again.
    #[error("the disk with the store failed: stop, check the disk, start again")]
    Disk(#[source] rusqlite::Error),
    /// The file is no database, or a damaged one.
    #[error("the store is damaged: restore it from a backup, the feeds fill in the rest")]
    Corrupt(#[source] rusqlite::Error),
    /// A check of the whole file found this.
    #[error("the store is damaged: restore it from a backup, the feeds fill in the rest ({0})")]
    Damaged(String),
    /// Another process works on the same file.
    #[error("`{0}` is in use by another process: one store has one owner")]
    InUse(PathBuf),
    /// Another process opened the store since, and goes on with it.
    #[error("another process has taken the store over: this one writes nothing any more")]
    Fenced,
    /// Written by a newer version of the program, or the migration failed.
    #[error("the store's schema does not suit this version of the program")]
    Schema(#[source] Box<rusqlite_migration::Error>),
    /// The store's ids were made with another secret.
    #[error(
        "the alerts in the store were named under another secret: give the one that they were named under, or begin with an empty store"
    )]
    ForeignIdentity,
    /// File or folder cannot be made or opened.
    #[error("cannot open `{path}`")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store holds something that this program did not write.
    #[error("the store holds a value that it cannot hold: {0}")]
    Value(String),
    /// Anything else that SQLite says.
    #[error("the store failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether the same call may succeed later: the disk is full, or somebody holds a lock.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            StoreError::Full(_) | StoreError::Busy(_) | StoreError::LogHeld
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(error),
            Some(ErrorCode::SystemIoFailure) => StoreError::Disk(error),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(error)
            }
            _ => StoreError::Sqlite(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> StoreError {
        StoreError::Value(error.to_string())
    }
}
