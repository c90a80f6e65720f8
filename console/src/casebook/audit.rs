//! The audit trail: a row for each login, denied access, reading of personal data, export, decision and change of
//! people, written in the transaction of what it tells of. Append-only by trigger; each row carries the hash of the
//! one before, so that whoever changes a row must change all that follow, and the last hash, written down elsewhere,
//! shows it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Actor, CasebookError, time_of};

/// What happened. A closed list: the page filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Kind {
    Login,
    Logout,
    Denied,
    Enrolled,
    TokenMade,
    ApiTokenMade,
    ApiTokenRevoked,
    PersonAdded,
    PersonChanged,
    PasswordChanged,
    Read,
    Revealed,
    Exported,
    Worked,
    Decided,
    LetterIssued,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 16] = [
        Kind::Login,
        Kind::Logout,
        Kind::Denied,
        Kind::Enrolled,
        Kind::TokenMade,
        Kind::ApiTokenMade,
        Kind::ApiTokenRevoked,
        Kind::PersonAdded,
        Kind::PersonChanged,
        Kind::PasswordChanged,
        Kind::Read,
        Kind::Revealed,
        Kind::Exported,
        Kind::Worked,
        Kind::Decided,
        Kind::LetterIssued,
    ];

    /// The word in the trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Login => "login",
            Kind::Logout => "logout",
            Kind::Denied => "denied",
            Kind::Enrolled => "enrolled",
            Kind::TokenMade => "token-made",
            Kind::ApiTokenMade => "api-token-made",
            Kind::ApiTokenRevoked => "api-token-revoked",
            Kind::PersonAdded => "person-added",
            Kind::PersonChanged => "person-changed",
            Kind::PasswordChanged => "password-changed",
            Kind::Read => "read",
            Kind::Revealed => "revealed",
            Kind::Exported => "exported",
            Kind::Worked => "worked",
            Kind::Decided => "decided",
            Kind::LetterIssued => "letter-issued",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A row of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1 on without a gap.
    pub n: i64,
    /// When.
    pub at: Timestamp,
    /// Who; empty of whoever had not logged in.
    pub login: String,
    /// As what.
    pub role: String,
    /// From where.
    pub address: String,
    /// What.
    pub kind: String,
    /// Whether it was done.
    pub ok: bool,
    /// To what.
    pub target: String,
    /// The reason that was given, or what else there is to say; never the personal data themselves.
    pub note: String,
    /// The hash of the row before.
    pub previous: String,
    /// The hash of this row.
    pub hash: String,
}

/// Appends a row, in the transaction that the connection is in.
///
/// # Errors
/// It cannot be written.
pub fn append(
    connection: &Connection,
    actor: &Actor,
    kind: Kind,
    ok: bool,
    target: &str,
    note: &str,
) -> Result<(), CasebookError> {
    let last = connection
        .prepare_cached("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")?
        .query_row([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let (last, previous) = last.unwrap_or((0, String::new()));
    let mut entry = Entry {
        n: last + 1,
        at: time_of(actor.at.as_millisecond()),
        login: actor
            .person
            .as_ref()
            .map_or(String::new(), |p| p.login.clone()),
        role: actor
            .person
            .as_ref()
            .map_or(String::new(), |p| p.role.as_str().to_owned()),
        address: actor.address.clone(),
        kind: kind.as_str().to_owned(),
        ok,
        target: without_numbers(target),
        note: without_numbers(note),
        previous,
        hash: String::new(),
    };
    entry.hash = entry.digest();
    connection
        .prepare_cached(
            "INSERT INTO audit (n, at, login, role, address, kind, ok, target, note, previous, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            entry.n,
            entry.at.as_millisecond(),
            entry.login,
            entry.role,
            entry.address,
            entry.kind,
            entry.ok,
            entry.target,
            entry.note,
            entry.previous,
            entry.hash,
        ])?;
    Ok(())
}

/// What people typed, or an address has, without resident ID numbers: rows are never taken away again. An alert's id, whose
/// digits may look like anything, stays as it is.
fn without_numbers(text: &str) -> String {
    let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id {
        text.to_owned()
    } else {
        alerting::mail::text::scrub_lines(text)
    }
}

impl Entry {
    /// The hash of the row with the one before it: each part with its length, so that none runs into another.
    fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("fundwatch audit trail v1");
        for part in [
            self.previous.as_str(),
            &self.n.to_string(),
            &self.at.as_millisecond().to_string(),
            &self.login,
            &self.role,
            &self.address,
            &self.kind,
            if self.ok { "1" } else { "0" },
            &self.target,
            &self.note,
        ] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// What a look through the whole trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Every row follows from the one before.
    Whole {
        /// How many there are.
        rows: i64,
        /// The last hash: compared with one that was written down elsewhere, it shows whether the end was cut off.
        head: String,
    },
    /// The first row that does not follow from the one before it.
    Broken {
        /// Its number, or the one that is missing.
        n: i64,
    },
    /// The rows follow from one another, but the hash that was written down is in none of them.
    Unknown {
        /// How many there are.
        rows: i64,
    },
}

/// Looks through the whole trail. With `known`, a hash that was written down before, also whether it is in it.
///
/// # Errors
/// It cannot be read.
pub fn verify(connection: &Connection, known: Option<&str>) -> Result<Verified, CasebookError> {
    let mut select = connection.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY n"))?;
    let mut rows = select.query([])?;
    let (mut n, mut head) = (0, String::new());
    let mut is_known = known.is_none_or(str::is_empty);
    while let Some(row) = rows.next()? {
        let entry = entry(row)?;
        if entry.n != n + 1 || entry.previous != head || entry.hash != entry.digest() {
            return Ok(Verified::Broken { n: n + 1 });
        }
        (n, head) = (entry.n, entry.hash);
        is_known = is_known || known == Some(head.as_str());
    }
    if is_known {
        Ok(Verified::Whole { rows: n, head })
    } else {
        Ok(Verified::Unknown { rows: n })
    }
}

/// How many rows there are, and the last hash; none of an empty trail.
///
/// # Errors
/// It cannot be read.
pub fn head(connection: &Connection) -> Result<Option<(i64, String)>, CasebookError> {
    let mut select =
        connection.prepare_cached("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")?;
    let head = select.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(head.optional()?)
}

/// As [`verify`], of a casebook that may be in use; it is opened to read only.
///
/// # Errors
/// It cannot be read.
pub fn verify_file(path: &std::path::Path, known: Option<&str>) -> Result<Verified, CasebookError> {
    verify(&alerting::sqlite::connect(path, false)?, known)
}

/// Which rows of the trail.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this login.
    pub login: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Older than this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Rows of the trail, the latest first.
///
/// # Errors
/// It cannot be read.
pub fn entries(connection: &Connection, wanted: &Wanted) -> Result<Vec<Entry>, CasebookError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM audit WHERE (?1 IS NULL OR login = ?1) AND (?2 IS NULL OR kind = ?2)
             AND (?3 IS NULL OR n < ?3) ORDER BY n DESC LIMIT ?4"
    ))?;
    let rows = select.query_map(
        params![wanted.login, wanted.kind, wanted.before, wanted.limit],
        entry,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What happened to an account since a time, the latest first: logins, tokens, enrolments, passwords, rights. For
/// whoever it belongs to, so that nobody enrols in another's name and is not seen.
///
/// # Errors
/// It cannot be read.
pub fn of_account(
    connection: &Connection,
    login: &str,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Entry>, CasebookError> {
    // By kind, login and time, which have an index.
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM audit WHERE login = ?1 AND at >= ?2
             AND kind IN ('login', 'enrolled', 'password-changed', 'api-token-made', 'api-token-revoked')
         UNION ALL SELECT {COLUMNS} FROM audit WHERE login = '' AND kind IN ('login', 'enrolled') AND at >= ?2 AND target = ?1
         UNION ALL SELECT {COLUMNS} FROM audit
             WHERE kind IN ('person-added', 'person-changed', 'token-made') AND at >= ?2 AND target = ?1
         ORDER BY n DESC LIMIT ?3"
    ))?;
    let rows = select.query_map(params![login, since.as_millisecond(), limit], entry)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often a person did something since a time.
///
/// # Errors
/// It cannot be read.
pub fn count_since(
    connection: &Connection,
    login: &str,
    kind: Kind,
    since: Timestamp,
) -> Result<u64, CasebookError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM audit WHERE kind = ?1 AND login = ?2 AND at >= ?3 AND ok = 1",
        )?
        .query_row(
            params![kind.as_str(), login, since.as_millisecond()],
            |row| row.get(0),
        )?)
}

const COLUMNS: &str = "n, at, login, role, address, kind, ok, target, note, previous, hash";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        n: row.get(0)?,
        at: time_of(row.get(1)?),
        login: row.get(2)?,
        role: row.get(3)?,
        address: row.get(4)?,
        kind: row.get(5)?,
        ok: row.get(6)?,
        target: row.get(7)?,
        note: row.get(8)?,
        previous: row.get(9)?,
        hash: row.get(10)?,
    })
}
