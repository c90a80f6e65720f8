//! People: accounts, one-time tokens to enrol with, passwords, the second factor, sessions.
//!
//! There is no default account. Those who log in by an OpenID provider have no password: `identities`. A token and a session are stored by hash alone, a password as an argon2id text that
//! carries its own parameters.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use totp_rs::{Builder, Secret, Totp};

use super::audit::{self, Kind};
use super::{Actor, CasebookError, Refusal, api_tokens, hash, random, time_of, token};
use crate::rights::{Person, Regions, Role};

/// Argon2id: memory in KiB, passes, lanes. Raise them, and passwords are hashed anew at the next login.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Characters of a password.
const PASSWORD_MIN: usize = 12;
const PASSWORD_MAX: usize = 256;
/// What comes to mind here first, besides what the list of common passwords has.
const WORDS_OF_THE_PLACE: [&str; 7] = [
    "fundwatch",
    "shebao",
    "shehuibaoxian",
    "jijin",
    "社保",
    "社会保险",
    "基金",
];
/// How long a token to enrol with is good.
pub const TOKEN_HOURS: i64 = 24;
/// How long sessions and tokens are kept that are good no more; no session is good for so long.
const KEPT_DAYS: i64 = 30;
/// Bytes of the second factor's secret.
const TOTP_BYTES: usize = 20;

/// An account, as those who manage people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// Whether the person has set a password, or is bound to an identity of the provider's.
    pub is_enrolled: bool,
    /// Whether the person logs in by the provider.
    pub by_provider: bool,
    /// Whether the person has a second factor.
    pub has_totp: bool,
    /// Whether the account is closed.
    pub is_disabled: bool,
    /// Since when it is there.
    pub since: Timestamp,
    /// Sessions that have not ended.
    pub sessions: u32,
}

/// What a login is compared with.
#[derive(Clone)]
pub struct Secrets {
    /// Who would be logged in.
    pub n: i64,
    /// The password's text.
    pub password: String,
    /// The second factor.
    pub factor: Factor,
}

/// The second factor of an account, if it has one.
#[derive(Clone)]
pub struct Factor {
    totp: Option<String>,
    step: u64,
}

/// A new session: what the browser gets.
#[derive(Clone)]
pub struct NewSession {
    /// The cookie's value.
    pub token: String,
}

/// A session that is known.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// What forms must carry.
    pub csrf: String,
    /// The hash that it is stored under.
    pub hash: String,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a request.
    pub idle: SignedDuration,
    /// In all.
    pub absolute: SignedDuration,
}

/// A password that nobody has to remember for long.
pub fn draw_password() -> String {
    token()
}

/// The hash of a password, with a new salt.
///
/// # Errors
/// The library refuses, e.g. for want of memory.
pub fn hash_password(password: &str) -> Result<String, CasebookError> {
    let salt: [u8; 16] = random();
    let hash = argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| CasebookError::Value(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one, and whether it should be hashed anew with the parameters of today.
pub fn verify_password(password: &str, stored: &str) -> (bool, bool) {
    let Ok(parsed) = PasswordHash::new(stored) else {
        return (false, false);
    };
    let is_right = argon2()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    let wanted = format!("m={MEMORY_KIB},t={PASSES},p={LANES}");
    (is_right, is_right && !stored.contains(&wanted))
}

/// What is compared where there is no account, so that it takes as long.
pub fn decoy() -> &'static str {
    static DECOY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    DECOY.get_or_init(|| hash_password(&token()).unwrap_or_default())
}

fn argon2() -> Argon2<'static> {
    let parameters = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
}

/// Whether a password will do: long enough, without login and name, and not what is guessed soon: tens of thousands of
/// common passwords, words and names, alone or together, with letters replaced, repeated, in rows of keys, as dates.
///
/// # Errors
/// [`Refusal::PasswordLength`], [`Refusal::PasswordNames`], [`Refusal::PasswordCommon`].
pub fn check_password(password: &str, login: &str, name: &str) -> Result<(), Refusal> {
    if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&password.chars().count()) {
        return Err(Refusal::PasswordLength);
    }
    let lower = password.to_lowercase();
    let of_person = [login.to_lowercase(), name.to_lowercase()];
    let contains_name = of_person
        .iter()
        .any(|name| name.chars().count() >= 3 && lower.contains(name.as_str()));
    if contains_name {
        return Err(Refusal::PasswordNames);
    }
    let known: Vec<&str> = of_person
        .iter()
        .map(String::as_str)
        .chain(WORDS_OF_THE_PLACE)
        .collect();
    // Ten thousand million guesses at least.
    if zxcvbn::zxcvbn(password, &known).score() < zxcvbn::Score::Four {
        return Err(Refusal::PasswordCommon);
    }
    Ok(())
}

/// A new secret for the second factor, in base32.
///
/// # Errors
/// The library refuses it.
pub fn new_totp() -> Result<String, CasebookError> {
    let secret: [u8; TOTP_BYTES] = random();
    Ok(Secret::from(&secret[..]).to_base32())
}

/// The address that an authenticator reads from a QR code.
///
/// # Errors
/// The secret is none.
pub fn totp_url(secret: &str, login: &str) -> Result<String, CasebookError> {
    totp(secret, login)?
        .to_url()
        .map_err(|error| CasebookError::Value(error.to_string()))
}

/// The step that a code is of, if it is right now or one step away.
///
/// # Errors
/// The secret is none.
pub fn totp_step(secret: &str, code: &str, at: Timestamp) -> Result<Option<u64>, CasebookError> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    Ok(totp(secret, "console")?.check(code.trim(), seconds))
}

/// The code of a moment, as an authenticator shows it; for the tests of those who log in.
///
/// # Errors
/// The secret is none.
pub fn totp_code(secret: &str, at: Timestamp) -> Result<String, CasebookError> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    Ok(totp(secret, "console")?.generate(seconds).to_string())
}

fn totp(secret: &str, login: &str) -> Result<Totp, CasebookError> {
    let secret = Secret::try_from_base32(secret)
        .map_err(|_| CasebookError::Value("a second factor's secret".to_owned()))?;
    Builder::new()
        .with_secret(secret)
        .with_skew(1)
        .with_account_name(login)
        .with_issuer(Some("fundwatch"))
        .build()
        .map_err(|error| CasebookError::Value(error.to_string()))
}

/// Whether there is anybody who may manage people.
///
/// # Errors
/// It cannot be read.
pub fn has_administrator(connection: &Connection) -> Result<bool, CasebookError> {
    let mut select = connection.prepare(
        "SELECT 1 FROM people WHERE role = 'administrator' AND disabled = 0 AND password IS NOT NULL",
    )?;
    Ok(select.exists([])?)
}

/// Adds an account that has no password yet, and gives the one-time token to enrol with.
///
/// # Errors
/// The login is taken, or is none.
pub fn add(
    transaction: &Transaction<'_>,
    actor: &Actor,
    login: &str,
    name: &str,
    role: Role,
    regions: &Regions,
) -> Result<String, CasebookError> {
    if !is_login(login) || name.trim().is_empty() || name.chars().count() > 40 {
        return Err(Refusal::BadChoice.into());
    }
    let name = alerting::mail::text::scrub(name.trim());
    let is_taken = transaction
        .prepare_cached("SELECT 1 FROM people WHERE login = ?1")?
        .exists([login])?;
    if is_taken {
        return Err(Refusal::LoginTaken.into());
    }
    transaction.execute(
        "INSERT INTO people (login, name, role, regions, since) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            login,
            name,
            role.as_str(),
            regions.as_text(),
            actor.at.as_millisecond()
        ],
    )?;
    let note = format!("{} {}", role.as_str(), regions.as_text());
    audit::append(transaction, actor, Kind::PersonAdded, true, login, &note)?;
    make_token(transaction, actor, login)
}

/// 2 to 32 characters of `a-z 0-9 . _ -`, the first a letter.
fn is_login(login: &str) -> bool {
    (2..=32).contains(&login.len())
        && login.starts_with(|c: char| c.is_ascii_lowercase())
        && login
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
}

/// A new one-time token to enrol with; earlier ones are good no more.
///
/// # Errors
/// There is no such account.
pub fn make_token(
    transaction: &Transaction<'_>,
    actor: &Actor,
    login: &str,
) -> Result<String, CasebookError> {
    let person: Option<i64> = transaction
        .query_row(
            "SELECT n FROM people WHERE login = ?1 AND disabled = 0",
            [login],
            |row| row.get(0),
        )
        .optional()?;
    let person = person.ok_or(CasebookError::Missing)?;
    transaction.execute(
        "UPDATE tokens SET used = ?2 WHERE person = ?1 AND used IS NULL",
        params![person, actor.at.as_millisecond()],
    )?;
    let token = token();
    let until = actor
        .at
        .saturating_add(SignedDuration::from_hours(TOKEN_HOURS));
    let until = until.map_err(|error| CasebookError::Value(error.to_string()))?;
    transaction.execute(
        "INSERT INTO tokens (hash, person, until) VALUES (?1, ?2, ?3)",
        params![hash(&token), person, until.as_millisecond()],
    )?;
    audit::append(transaction, actor, Kind::TokenMade, true, login, "")?;
    Ok(token)
}

/// Whom a token would enrol.
///
/// # Errors
/// The token is unknown, used, or too old.
pub fn token_owner(
    connection: &Connection,
    token: &str,
    at: Timestamp,
) -> Result<Person, CasebookError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {PERSON} FROM tokens t JOIN people p ON p.n = t.person
             WHERE t.hash = ?1 AND t.used IS NULL AND t.until > ?2 AND p.disabled = 0"
        ))?
        .query_row(params![hash(token.trim()), at.as_millisecond()], person)
        .optional()?;
    found.ok_or_else(|| Refusal::BadToken.into())
}

/// Sets password and second factor of whoever has the token, and uses it up. All sessions and tokens of the account end.
///
/// # Errors
/// The token is unknown, used, or too old.
pub fn enrol(
    transaction: &Transaction<'_>,
    actor: &Actor,
    token: &str,
    password: &str,
    totp: Option<(&str, u64)>,
) -> Result<Person, CasebookError> {
    let owner = use_up(transaction, actor, token, totp)?;
    transaction.execute(
        "UPDATE people SET password = ?2 WHERE n = ?1",
        params![owner.n, password],
    )?;
    enrolled(transaction, actor, &owner, "")?;
    Ok(owner)
}

/// Uses up a token, and sets the second factor of whoever has it. All sessions and tokens of the account end.
pub(super) fn use_up(
    transaction: &Transaction<'_>,
    actor: &Actor,
    token: &str,
    totp: Option<(&str, u64)>,
) -> Result<Person, CasebookError> {
    let owner = token_owner(transaction, token, actor.at)?;
    let now = actor.at.as_millisecond();
    transaction.execute(
        "UPDATE tokens SET used = ?2 WHERE hash = ?1",
        params![hash(token.trim()), now],
    )?;
    transaction.execute(
        "UPDATE people SET totp = ?2, totp_step = ?3 WHERE n = ?1",
        params![
            owner.n,
            totp.map(|(secret, _)| secret),
            totp.map_or(0, |(_, step)| i64::try_from(step).unwrap_or(i64::MAX))
        ],
    )?;
    shut_out(transaction, owner.n, actor.at)?;
    Ok(owner)
}

/// The row of an enrolment: the owner's own act.
pub(super) fn enrolled(
    transaction: &Transaction<'_>,
    actor: &Actor,
    owner: &Person,
    note: &str,
) -> Result<(), CasebookError> {
    let actor = Actor {
        person: Some(owner.clone()),
        ..actor.clone()
    };
    audit::append(
        transaction,
        &actor,
        Kind::Enrolled,
        true,
        &owner.login,
        note,
    )
}

/// Changes role, regions, or whether the account is open. Its sessions end: rights are those of now, as those of its tokens
/// always are. Closing it ends the tokens, too.
///
/// # Errors
/// There is no such account, or it is the person's own.
pub fn change(
    transaction: &Transaction<'_>,
    actor: &Actor,
    login: &str,
    role: Role,
    regions: &Regions,
    disabled: bool,
) -> Result<(), CasebookError> {
    if actor
        .person
        .as_ref()
        .is_some_and(|person| person.login == login)
    {
        return Err(Refusal::OwnRole.into());
    }
    let n = number(transaction, login)?;
    transaction.execute(
        "UPDATE people SET role = ?2, regions = ?3, disabled = ?4 WHERE n = ?1",
        params![n, role.as_str(), regions.as_text(), disabled],
    )?;
    end_all(transaction, n, actor.at)?;
    if disabled {
        api_tokens::revoke_all(transaction, n, actor.at)?;
    }
    let state = if disabled { "disabled" } else { "open" };
    let note = format!("{} {} {state}", role.as_str(), regions.as_text());
    audit::append(transaction, actor, Kind::PersonChanged, true, login, &note)
}

/// Everybody, by login.
///
/// # Errors
/// It cannot be read.
pub fn accounts(connection: &Connection) -> Result<Vec<Account>, CasebookError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {PERSON}, coalesce(p.password, i.identity) IS NOT NULL, i.person IS NOT NULL, p.totp IS NOT NULL, p.disabled,
             p.since, (SELECT count(*) FROM sessions s WHERE s.person = p.n AND s.ended IS NULL)
         FROM people p LEFT JOIN identities i ON i.person = p.n ORDER BY p.login"
    ))?;
    let rows = select.query_map([], |row| {
        Ok(Account {
            person: person(row)?,
            is_enrolled: row.get(5)?,
            by_provider: row.get(6)?,
            has_totp: row.get(7)?,
            is_disabled: row.get(8)?,
            since: time_of(row.get(9)?),
            sessions: row.get(10)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those who may be given a case of a region, by name.
///
/// # Errors
/// It cannot be read.
pub fn workers(
    connection: &Connection,
    region: Option<&str>,
) -> Result<Vec<Person>, CasebookError> {
    let name = shown("p");
    let mut select = connection.prepare_cached(&format!(
        "SELECT p.n, p.login, {name}, p.role, p.regions FROM people p
         WHERE p.disabled = 0 AND p.role IN ('reviewer', 'supervisor') ORDER BY p.name, p.login"
    ))?;
    let rows = select.query_map([], person)?;
    let people: Vec<Person> = rows.collect::<Result<_, _>>()?;
    Ok(people
        .into_iter()
        .filter(|person| region.is_none_or(|region| person.regions.cover(region)))
        .collect())
}

/// What a login is compared with; `None` if nobody could log in under the name.
///
/// # Errors
/// It cannot be read.
pub fn secrets(connection: &Connection, login: &str) -> Result<Option<Secrets>, CasebookError> {
    let found = connection
        .prepare_cached(
            "SELECT n, password, totp, totp_step FROM people
             WHERE login = ?1 AND disabled = 0 AND password IS NOT NULL",
        )?
        .query_row([login], |row| {
            Ok(Secrets {
                n: row.get(0)?,
                password: row.get(1)?,
                factor: Factor::new(row.get(2)?, row.get(3)?),
            })
        })
        .optional()?;
    Ok(found)
}

impl Factor {
    pub(super) const fn new(totp: Option<String>, step: u64) -> Factor {
        Factor { totp, step }
    }

    /// The step of the second factor that the code is of: `Ok(None)` if the account has none, `Err` if the code is
    /// wrong, or was used before.
    ///
    /// # Errors
    /// [`Refusal::WrongCode`].
    pub fn check(&self, code: &str, at: Timestamp) -> Result<Option<u64>, CasebookError> {
        let Some(secret) = &self.totp else {
            return Ok(None);
        };
        match totp_step(secret, code, at)? {
            Some(step) if step > self.step => Ok(Some(step)),
            _ => Err(Refusal::WrongCode.into()),
        }
    }
}

/// Begins a session of whoever has shown who he is, and writes down how. The step of the second factor is used up; two that come at once
/// with the same code are one too many.
///
/// # Errors
/// The account was closed meanwhile, or the code used.
pub fn log_in(
    transaction: &Transaction<'_>,
    actor: &Actor,
    n: i64,
    step: Option<u64>,
    new_hash: Option<&str>,
    how: &str,
) -> Result<NewSession, CasebookError> {
    let step = step.map(|step| i64::try_from(step).unwrap_or(i64::MAX));
    let changed = transaction.execute(
        "UPDATE people SET totp_step = coalesce(?2, totp_step), password = coalesce(?3, password)
         WHERE n = ?1 AND disabled = 0 AND (?2 IS NULL OR totp_step < ?2)",
        params![n, step, new_hash],
    )?;
    if changed == 0 {
        return Err(Refusal::WrongCode.into());
    }
    let person = transaction.query_row(
        &format!("SELECT {PERSON} FROM people p WHERE p.n = ?1"),
        [n],
        person,
    )?;
    let token = token();
    transaction.execute(
        "INSERT INTO sessions (hash, person, csrf, since, seen) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![hash(&token), n, super::token(), actor.at.as_millisecond()],
    )?;
    let login = person.login.clone();
    let actor = Actor {
        person: Some(person),
        ..actor.clone()
    };
    audit::append(transaction, &actor, Kind::Login, true, &login, how)?;
    Ok(NewSession { token })
}

/// The session of a cookie, if it is neither ended nor too old. A clock that goes back prolongs nothing: what was seen
/// later than now is as old as it was.
///
/// # Errors
/// It cannot be read.
pub fn session(
    connection: &Connection,
    token: &str,
    at: Timestamp,
    limits: Limits,
) -> Result<Option<(Session, bool)>, CasebookError> {
    let hash = hash(token);
    let found = connection
        .prepare_cached(&format!(
            "SELECT {PERSON}, s.csrf, s.since, s.seen FROM sessions s JOIN people p ON p.n = s.person
             WHERE s.hash = ?1 AND s.ended IS NULL AND p.disabled = 0"
        ))?
        .query_row([&hash], |row| {
            let session = Session {
                person: person(row)?,
                csrf: row.get(5)?,
                hash: hash.clone(),
            };
            Ok((session, row.get::<_, i64>(6)?, row.get::<_, i64>(7)?))
        })
        .optional()?;
    let Some((session, since, seen)) = found else {
        return Ok(None);
    };
    let now = at.as_millisecond();
    let idle = i64::try_from(limits.idle.as_millis()).unwrap_or(i64::MAX);
    let absolute = i64::try_from(limits.absolute.as_millis()).unwrap_or(i64::MAX);
    let is_good =
        now >= since && now - since < absolute && now.abs_diff(seen) < idle.unsigned_abs();
    // Written once a minute at most: a look at a page need not wait for a disk.
    let is_to_be_touched = now - seen > 60_000;
    Ok(is_good.then_some((session, is_to_be_touched)))
}

/// The session was used.
///
/// # Errors
/// It cannot be written.
pub fn touch(
    transaction: &Transaction<'_>,
    hash: &str,
    at: Timestamp,
) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE sessions SET seen = max(seen, ?2) WHERE hash = ?1",
        params![hash, at.as_millisecond()],
    )?;
    Ok(())
}

/// Takes away what has long been good for nothing: sessions and one-time tokens. What they were used for is in the audit
/// trail, which is never shortened.
///
/// # Errors
/// It cannot be written.
pub(super) fn purge(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), CasebookError> {
    let kept = SignedDuration::from_hours(KEPT_DAYS * 24);
    let before = now.saturating_sub(kept);
    let before = before
        .map_err(|error| CasebookError::Value(error.to_string()))?
        .as_millisecond();
    transaction.execute("DELETE FROM sessions WHERE since < ?1", [before])?;
    transaction.execute("DELETE FROM tokens WHERE until < ?1", [before])?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// It cannot be written.
pub fn log_out(
    transaction: &Transaction<'_>,
    actor: &Actor,
    hash: &str,
) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE sessions SET ended = ?2 WHERE hash = ?1 AND ended IS NULL",
        params![hash, actor.at.as_millisecond()],
    )?;
    let login = actor.person.as_ref().map_or("", |person| &person.login);
    audit::append(transaction, actor, Kind::Logout, true, login, "")
}

/// The number of the account of a login.
pub(super) fn number(connection: &Connection, login: &str) -> Result<i64, CasebookError> {
    let mut select = connection.prepare_cached("SELECT n FROM people WHERE login = ?1")?;
    let found = select.query_row([login], |row| row.get(0)).optional()?;
    found.ok_or(CasebookError::Missing)
}

/// Ends all that an account has come in by: its sessions and its tokens.
pub(super) fn shut_out(
    transaction: &Transaction<'_>,
    person: i64,
    at: Timestamp,
) -> Result<(), CasebookError> {
    end_all(transaction, person, at)?;
    api_tokens::revoke_all(transaction, person, at)
}

/// Ends all sessions of an account.
fn end_all(transaction: &Transaction<'_>, person: i64, at: Timestamp) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE sessions SET ended = ?2 WHERE person = ?1 AND ended IS NULL",
        params![person, at.as_millisecond()],
    )?;
    Ok(())
}

/// Ends all sessions and tokens of an account, e.g. of a machine that was lost.
///
/// # Errors
/// There is no such account.
pub fn end_sessions(
    transaction: &Transaction<'_>,
    actor: &Actor,
    login: &str,
) -> Result<(), CasebookError> {
    let n = number(transaction, login)?;
    shut_out(transaction, n, actor.at)?;
    audit::append(
        transaction,
        actor,
        Kind::PersonChanged,
        true,
        login,
        "sessions ended",
    )
}

/// The name of somebody of the table with this alias as pages show it: with the login, where others have the same name.
pub(super) fn shown(alias: &str) -> String {
    format!(
        "CASE WHEN EXISTS (SELECT 1 FROM people same WHERE same.name = {alias}.name AND same.n <> {alias}.n)
             THEN {alias}.name || ' (' || {alias}.login || ')' ELSE {alias}.name END"
    )
}

/// The columns of a person, of a table `p`.
pub(super) const PERSON: &str = "p.n, p.login, p.name, p.role, p.regions";

pub(super) fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    let role: String = row.get(3)?;
    Ok(Person {
        n: row.get(0)?,
        login: row.get(1)?,
        name: row.get(2)?,
        // The table's CHECK knows the same words.
        role: Role::parse(&role).unwrap_or(Role::Viewer),
        regions: Regions::parse(&row.get::<_, String>(4)?),
    })
}

/// A new password; the other sessions of the account end.
///
/// # Errors
/// It cannot be written.
pub fn set_password(
    transaction: &Transaction<'_>,
    person: &Person,
    password: &str,
    session: &str,
    at: Timestamp,
) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE people SET password = ?2 WHERE n = ?1",
        params![person.n, password],
    )?;
    transaction.execute(
        "UPDATE sessions SET ended = ?3 WHERE person = ?1 AND hash <> ?2 AND ended IS NULL",
        params![person.n, session, at.as_millisecond()],
    )?;
    Ok(())
}
