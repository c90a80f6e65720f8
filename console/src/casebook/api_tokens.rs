//! Tokens of the API: a person's programs come with them. One may do at most what the person may, and less if its scope
//! says so; it ends by itself within a year. Stored by hash alone.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::audit::{self, Kind};
use super::people::{PERSON, person};
use super::{Actor, CasebookError, Refusal, hash, time_of, token};
use crate::rights::{Person, Scope};

/// What each begins with, so that whoever finds one in a file knows what it is.
const PREFIX: &str = "fundwatch_";
/// Days that one is good for at most; the table knows the same.
pub const DAYS_MAX: i64 = 365;
/// Characters of a name.
const NAME_MAX: usize = 40;
/// Good ones of a person at most.
const GOOD_MAX: i64 = 20;
/// Its use is written down so often at most: a look need not wait for a disk.
const TOUCH_AFTER_MS: i64 = 60_000;

/// A token, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its number in the casebook.
    pub n: i64,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scope: Scope,
    /// When it was made.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// When it was last used.
    pub used: Option<Timestamp>,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// Whoever came with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Whose it is, with the rights of now.
    pub person: Person,
    /// The token.
    pub token: ApiToken,
    /// Why it is good no more; `None` if it is.
    pub spent: Option<&'static str>,
    /// Whether its use is to be written down.
    pub is_to_be_touched: bool,
}

/// Makes a token of whoever acts, and gives it: this once.
///
/// # Errors
/// The name or the days will not do, or there are too many.
pub fn make(
    transaction: &Transaction<'_>,
    actor: &Actor,
    name: &str,
    scope: Scope,
    days: i64,
) -> Result<String, CasebookError> {
    let owner = actor.person.as_ref().ok_or(CasebookError::Missing)?;
    let name = alerting::mail::text::scrub(name.trim());
    let is_name =
        (1..=NAME_MAX).contains(&name.chars().count()) && alerting::mail::text::is_plain(&name);
    if !is_name || !(1..=DAYS_MAX).contains(&days) {
        return Err(Refusal::BadChoice.into());
    }
    let now = actor.at.as_millisecond();
    let good: i64 = transaction.query_row(
        "SELECT count(*) FROM api_tokens WHERE person = ?1 AND revoked IS NULL AND until > ?2",
        params![owner.n, now],
        |row| row.get(0),
    )?;
    if good >= GOOD_MAX {
        return Err(Refusal::TooManyChosen.into());
    }
    let token = format!("{PREFIX}{}", token());
    let until = actor
        .at
        .saturating_add(SignedDuration::from_hours(24 * days));
    let until = until.map_err(|error| CasebookError::Value(error.to_string()))?;
    transaction.execute(
        "INSERT INTO api_tokens (hash, person, name, scope, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            hash(&token),
            owner.n,
            name,
            scope.as_str(),
            now,
            until.as_millisecond()
        ],
    )?;
    let note = format!(
        "{}: {} {days}d {name}",
        transaction.last_insert_rowid(),
        scope.as_str()
    );
    audit::append(
        transaction,
        actor,
        Kind::ApiTokenMade,
        true,
        &owner.login,
        &note,
    )?;
    Ok(token)
}

/// Revokes a token of whoever acts. One that was revoked stays so.
///
/// # Errors
/// There is none, or it is somebody else's.
pub fn revoke(transaction: &Transaction<'_>, actor: &Actor, n: i64) -> Result<(), CasebookError> {
    let owner = actor.person.as_ref().ok_or(CasebookError::Missing)?;
    let changed = transaction.execute(
        "UPDATE api_tokens SET revoked = ?3 WHERE n = ?1 AND person = ?2 AND revoked IS NULL",
        params![n, owner.n, actor.at.as_millisecond()],
    )?;
    if changed == 0 {
        return Err(CasebookError::Missing);
    }
    let kind = Kind::ApiTokenRevoked;
    audit::append(transaction, actor, kind, true, &owner.login, &n.to_string())
}

/// Revokes all of a person, e.g. of an account that was closed: opened again, it has none.
pub(super) fn revoke_all(
    transaction: &Transaction<'_>,
    person: i64,
    at: Timestamp,
) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE api_tokens SET revoked = ?2 WHERE person = ?1 AND revoked IS NULL",
        params![person, at.as_millisecond()],
    )?;
    Ok(())
}

/// Whose a token is, good or not; `None` if nobody ever made it.
///
/// # Errors
/// It cannot be read.
pub fn holder(
    connection: &Connection,
    token: &str,
    at: Timestamp,
) -> Result<Option<Holder>, CasebookError> {
    let now = at.as_millisecond();
    let found = connection
        .prepare_cached(&format!(
            "SELECT {PERSON}, t.n, t.name, t.scope, t.since, t.until, t.used, t.revoked IS NOT NULL, p.disabled
             FROM api_tokens t JOIN people p ON p.n = t.person WHERE t.hash = ?1"
        ))?
        .query_row([hash(token)], |row| {
            let (token, is_disabled) = (read(row, 5)?, row.get::<_, bool>(12)?);
            let spent = match () {
                () if is_disabled => Some("of an account that is closed"),
                () if token.is_revoked => Some("revoked"),
                // A clock that goes back makes none good that was made later than now.
                () if now >= token.until.as_millisecond() || now < token.since.as_millisecond() => {
                    Some("expired")
                }
                () => None,
            };
            let used = token.used.map_or(i64::MIN, Timestamp::as_millisecond);
            Ok(Holder {
                person: person(row)?,
                is_to_be_touched: spent.is_none() && now.saturating_sub(used) > TOUCH_AFTER_MS,
                token,
                spent,
            })
        })
        .optional()?;
    Ok(found)
}

/// The token was used.
///
/// # Errors
/// It cannot be written.
pub fn touch(transaction: &Transaction<'_>, n: i64, at: Timestamp) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE api_tokens SET used = ?2 WHERE n = ?1",
        params![n, at.as_millisecond()],
    )?;
    Ok(())
}

/// Those of a person, the latest first.
///
/// # Errors
/// They cannot be read.
pub fn of_person(connection: &Connection, person: i64) -> Result<Vec<ApiToken>, CasebookError> {
    let mut select = connection.prepare_cached(
        "SELECT t.n, t.name, t.scope, t.since, t.until, t.used, t.revoked IS NOT NULL
         FROM api_tokens t WHERE t.person = ?1 ORDER BY t.n DESC LIMIT 100",
    )?;
    let rows = select.query_map([person], |row| read(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A token, of the columns from `first` on.
fn read(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<ApiToken> {
    let scope: String = row.get(first + 2)?;
    Ok(ApiToken {
        n: row.get(first)?,
        name: row.get(first + 1)?,
        // The table's CHECK knows the same words.
        scope: Scope::parse(&scope).unwrap_or(Scope::Read),
        since: time_of(row.get(first + 3)?),
        until: time_of(row.get(first + 4)?),
        used: row.get::<_, Option<i64>>(first + 5)?.map(time_of),
        is_revoked: row.get(first + 6)?,
    })
}
