//! A file of SQLite as this program keeps each of its own: for its owner's eyes, durable at every commit, patient with
//! other connections, with a table `meta` of words. Knows nothing of what is in it.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// How long a connection waits for another one's write before it is an error.
pub const BUSY: Duration = Duration::from_secs(5);
/// More than there are different statements, so that each is prepared once.
const STATEMENTS: usize = 64;

/// Opens or makes a file that its owner alone may read. SQLite gives its side files the rights of the main one.
///
/// # Errors
/// It cannot be opened.
pub fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others may read a file with personal data: set its mode to 0600");
        }
    }
    Ok(file)
}

/// A connection to a file that is there.
///
/// # Errors
/// It cannot be opened.
pub fn connect(path: &Path, writes: bool) -> rusqlite::Result<Connection> {
    let access = if writes {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    // A connection stays in one thread at a time: Rust sees to it, SQLite need not.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if writes {
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    Ok(connection)
}

/// The word of a key.
///
/// # Errors
/// It cannot be read.
pub fn meta(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    select.query_row([key], |row| row.get(0)).optional()
}

/// Puts a word under a key, in place of the one that is there.
///
/// # Errors
/// It cannot be written.
pub fn set_meta(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute([key, value])?;
    Ok(())
}
