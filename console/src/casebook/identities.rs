//! Accounts that log in by an OpenID provider: which they are, and which identity there is whose.
//!
//! No account comes from the provider, and none is found by what can be changed there. An administrator marks it; its
//! owner binds it to his identity with the one-time token that he was handed, once, and is known by that identity from
//! then on. What stands here is a keyed hash of it: some providers take resident ID numbers for names.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::audit::{self, Kind};
use super::people::{self, Factor};
use super::{Actor, CasebookError, Refusal};
use crate::rights::Person;

/// The account of an identity.
#[derive(Clone)]
pub struct Bound {
    /// Whose it is.
    pub n: i64,
    /// The login.
    pub login: String,
    /// Whether the account is closed.
    pub is_disabled: bool,
    /// The console's own second factor, for where that of the provider does not count.
    pub factor: Factor,
}

/// The account that is bound to an identity.
///
/// # Errors
/// It cannot be read.
pub fn bound(connection: &Connection, identity: &str) -> Result<Option<Bound>, CasebookError> {
    let found = connection
        .prepare_cached(
            "SELECT p.n, p.login, p.disabled, p.totp, p.totp_step FROM identities i JOIN people p ON p.n = i.person
             WHERE i.identity = ?1",
        )?
        .query_row([identity], |row| {
            Ok(Bound {
                n: row.get(0)?,
                login: row.get(1)?,
                is_disabled: row.get(2)?,
                factor: Factor::new(row.get(3)?, row.get(4)?),
            })
        })
        .optional()?;
    Ok(found)
}

/// Whether an account logs in by the provider.
///
/// # Errors
/// It cannot be read.
pub fn is_by_provider(connection: &Connection, n: i64) -> Result<bool, CasebookError> {
    let mut select = connection.prepare_cached("SELECT 1 FROM identities WHERE person = ?1")?;
    Ok(select.exists([n])?)
}

/// Lets an account log in by the provider, or by a password again. What it logged in by before is gone: sessions and
/// tokens end, and it is enrolled anew with a one-time token. Nothing is done where it is so already.
///
/// # Errors
/// There is no such account, or it is the person's own.
pub fn let_log_in(
    transaction: &Transaction<'_>,
    actor: &Actor,
    login: &str,
    by_provider: bool,
) -> Result<(), CasebookError> {
    let n = people::number(transaction, login)?;
    if is_by_provider(transaction, n)? == by_provider {
        return Ok(());
    }
    if actor.person.as_ref().is_some_and(|person| person.n == n) {
        return Err(Refusal::OwnRole.into());
    }
    transaction.execute(
        "UPDATE people SET password = NULL, totp = NULL WHERE n = ?1",
        [n],
    )?;
    let change = if by_provider {
        "INSERT INTO identities (person) VALUES (?1)"
    } else {
        "DELETE FROM identities WHERE person = ?1"
    };
    transaction.execute(change, [n])?;
    people::shut_out(transaction, n, actor.at)?;
    let note = if by_provider {
        "logs in by the provider"
    } else {
        "logs in by a password"
    };
    audit::append(transaction, actor, Kind::PersonChanged, true, login, note)
}

/// Binds the account of whoever has the token to his identity at the provider, where he must be called by the account's
/// login, and uses the token up. All sessions and tokens of the account end.
///
/// # Errors
/// The token is unknown, used, or too old, or of an account with a password; the provider calls him by another login;
/// the identity is bound to another account.
pub fn bind(
    transaction: &Transaction<'_>,
    actor: &Actor,
    token: &str,
    identity: &str,
    called: Option<&str>,
    totp: Option<(&str, u64)>,
) -> Result<Person, CasebookError> {
    let owner = people::use_up(transaction, actor, token, totp)?;
    if !is_by_provider(transaction, owner.n)? {
        return Err(Refusal::BadToken.into());
    }
    if !called.is_some_and(|called| called.eq_ignore_ascii_case(&owner.login)) {
        return Err(Refusal::AnotherPerson.into());
    }
    if bound(transaction, identity)?.is_some_and(|bound| bound.n != owner.n) {
        return Err(Refusal::IdentityTaken.into());
    }
    transaction.execute(
        "UPDATE identities SET identity = ?2, bound = ?3 WHERE person = ?1",
        params![owner.n, identity, actor.at.as_millisecond()],
    )?;
    people::enrolled(transaction, actor, &owner, "by the provider")?;
    Ok(owner)
}

#[cfg(test)]
mod tests {
    use domain::Money;
    use jiff::Timestamp;

    use super::super::Casebook;
    use super::*;
    use crate::rights::{Regions, Role};

    fn actor() -> Actor {
        Actor::of_command("2024-04-01T02:00:00Z".parse::<Timestamp>().unwrap())
    }

    /// Whatever the code above it does: no password beside an identity, and no identity that is bound, given to somebody
    /// else or taken away but by a one-time token of its account.
    #[test]
    fn the_database_insists_on_a_token_to_bind_an_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.sqlite");
        let casebook = Casebook::open(&path, Money::from_yuan(100_000)).unwrap();
        let token = casebook.write_blocking(|transaction| {
            let (role, everywhere) = (Role::Viewer, Regions::All);
            for login in ["wang", "zhao"] {
                let token = people::add(transaction, &actor(), login, login, role, &everywhere)?;
                people::enrol(transaction, &actor(), &token, "a password", None)?;
            }
            let token = people::add(transaction, &actor(), "li", "li", role, &everywhere)?;
            let_log_in(transaction, &actor(), "li", true)?;
            Ok(token)
        });
        let token = token.unwrap();
        let refused = |sql: &'static str, says: &str| {
            let tried = casebook.write_blocking(|transaction| Ok(transaction.execute_batch(sql)?));
            let said = tried.expect_err(sql).to_string();
            assert!(said.contains(says), "{sql}: {said}");
        };
        let of_li = "UPDATE identities SET identity = 'a', bound = 1 WHERE person = 3";
        refused(of_li, "bound by a one-time token");
        refused(
            "UPDATE people SET password = 'p' WHERE n = 3",
            "has no password",
        );
        refused(
            "INSERT INTO identities (person) VALUES (1)",
            "has no password",
        );
        refused(
            "UPDATE people SET password = NULL WHERE n = 1; INSERT INTO identities VALUES (1, 'a', 1)",
            "begins without an identity",
        );
        let bind = |token: String, identity: &'static str, called: &'static str| {
            casebook.write_blocking(move |transaction| {
                bind(transaction, &actor(), &token, identity, Some(called), None)
            })
        };
        assert!(bind(token.clone(), "a", "wang").is_err());
        assert_eq!(bind(token.clone(), "a", "LI").unwrap().login, "li");
        assert!(bind(token, "b", "li").is_err(), "the token is used up");
        refused(
            "UPDATE identities SET identity = 'b', bound = 1",
            "bound by a one-time token",
        );
        refused(
            "UPDATE identities SET identity = NULL",
            "bound by a one-time token",
        );
        refused(
            "UPDATE identities SET person = 1",
            "bound by a one-time token",
        );
        // A token of an account with a password binds nothing; nobody gets the identity of somebody else.
        let of = |login: &'static str, by_provider: bool| {
            let made = casebook.write_blocking(move |transaction| {
                let_log_in(transaction, &actor(), login, by_provider)?;
                people::make_token(transaction, &actor(), login)
            });
            made.unwrap()
        };
        assert!(bind(of("wang", false), "c", "wang").is_err());
        assert!(bind(of("zhao", true), "a", "zhao").is_err());
        // Bound anew, by a new token of its own.
        assert!(bind(of("li", true), "b", "li").is_ok());
        let whose = casebook
            .read_blocking(|connection| Ok((bound(connection, "a")?, bound(connection, "b")?)));
        let (before, now) = whose.unwrap();
        assert!(before.is_none() && now.unwrap().login == "li");
        // Back to a password: what was bound is gone.
        of("li", false);
        let left = casebook.read_blocking(|connection| bound(connection, "b"));
        assert!(left.unwrap().is_none());
    }
}
