//! Silences: mails on some alerts are held back for a time, with a reason.
//!
//! A silence delays, and drops nothing: what is still to be told when it ends is told then. Set and
//! ended from outside the daemon, in its store; the daemon looks at them whenever it plans mails.

use std::path::Path;

use domain::{Detector, RegionCode};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{MIGRATIONS, StoreError, connect, region_of, time_of, word};

/// Which alerts; `None` matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Of this detector.
    pub detector: Option<Detector>,
    /// Of this region.
    pub region: Option<RegionCode>,
    /// Of this id.
    pub alert: Option<String>,
}

/// A silence as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Names it.
    pub n: i64,
    /// Which alerts.
    pub matcher: Matcher,
    /// Why.
    pub reason: String,
    /// From then on.
    pub since: Timestamp,
    /// Until then.
    pub until: Timestamp,
    /// When somebody ended it before.
    pub ended: Option<Timestamp>,
}

impl Silence {
    /// Whether it holds mails back at that time.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.ended.is_none() && self.since <= at && at < self.until
    }
}

/// The silences of a store.
pub struct Silences {
    connection: Connection,
}

impl Silences {
    /// Opens those of a store that is there, and that this version of the program has opened before.
    pub fn open(path: &Path) -> Result<Silences, StoreError> {
        let connection = connect(path, true)?;
        let version: usize =
            connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != MIGRATIONS.len() {
            return Err(StoreError::Value(format!(
                "schema {version} where this program has {}: start the daemon of this version once",
                MIGRATIONS.len()
            )));
        }
        Ok(Silences { connection })
    }

    /// Sets one, and says its number.
    pub fn add(
        &mut self,
        matcher: &Matcher,
        reason: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<i64, StoreError> {
        self.connection.execute(
            "INSERT INTO silence (detector, region, alert, reason, since, until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                matcher.detector.map(Detector::as_str),
                matcher.region.map(|region| region.to_string()),
                matcher.alert,
                reason,
                now.as_millisecond(),
                until.as_millisecond(),
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Ends one, and says whether it was in force.
    pub fn end(&mut self, n: i64, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.connection.execute(
            "UPDATE silence SET ended = ?2 WHERE n = ?1 AND ended IS NULL AND until > ?2",
            params![n, now.as_millisecond()],
        )?;
        Ok(ended > 0)
    }

    /// All of them, the latest first.
    pub fn list(&self) -> Result<Vec<Silence>, StoreError> {
        list(&self.connection)
    }
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Silence>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT n, detector, region, alert, reason, since, until, ended FROM silence ORDER BY n DESC",
    )?;
    let mut rows = select.query([])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        let detector: Option<String> = row.get(1)?;
        let region: Option<String> = row.get(2)?;
        silences.push(Silence {
            n: row.get(0)?,
            matcher: Matcher {
                detector: detector
                    .map(|name| word(Ok(&name), Detector::parse))
                    .transpose()?,
                region: region.map(|code| region_of(Ok(&code))).transpose()?,
                alert: row.get(3)?,
            },
            reason: row.get(4)?,
            since: time_of(row.get(5)?),
            until: time_of(row.get(6)?),
            ended: row.get::<_, Option<i64>>(7)?.map(time_of),
        });
    }
    Ok(silences)
}
