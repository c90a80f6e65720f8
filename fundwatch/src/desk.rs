//! `fundwatch console token` and `fundwatch audit verify`: what an operator does to the casebook of a console that may be
//! running.

use anyhow::{Context, anyhow};
use console::casebook::audit::Verified;
use console::casebook::{Actor, Casebook, CasebookError, audit, people};
use console::rights::{Regions, Role};

use crate::cli;
use crate::clock;
use crate::config::Config;
use crate::failure::{Failure, say};

/// Makes an administrator if there is none of the login, and prints a token to enrol with.
pub fn token(arguments: &cli::ConsoleToken) -> Result<(), Failure> {
    let (config, _) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let Some(table) = &config.console else {
        return Err(Failure::usage(format!(
            "{}: there is no table [console]; add one, and the daemon serves the console",
            arguments.config.display()
        )));
    };
    let path = config.casebook();
    let casebook = Casebook::open(&path, table.four_eyes_from)
        .with_context(|| format!("cannot open the casebook `{}`", path.display()))?;
    let actor = Actor::of_command(clock::now());
    let (login, name) = (arguments.login.clone(), arguments.name.clone());
    let made = casebook.write_blocking(move |transaction| {
        let known = people::accounts(transaction)?;
        match known.into_iter().find(|known| known.person.login == login) {
            None => people::add(
                transaction,
                &actor,
                &login,
                &name,
                Role::Administrator,
                &Regions::All,
            )
            .map(Some),
            Some(known) if known.person.role == Role::Administrator => {
                people::make_token(transaction, &actor, &login).map(Some)
            }
            Some(_) => Ok(None),
        }
    });
    let token = match made {
        Ok(Some(token)) => token,
        Ok(None) => {
            return Err(Failure::usage(format!(
                "--login: `{}` is no administrator; an administrator gives others their tokens, on the page of people",
                arguments.login
            )));
        }
        Err(CasebookError::Refused(_)) => {
            return Err(Failure::usage(
                "--login, --name: 2 to 32 of a-z 0-9 . _ -, the first a letter; a name of 1 to 40 characters",
            ));
        }
        Err(error) => return Err(anyhow!(error).context("cannot write the casebook").into()),
    };
    say(format_args!("{token}"))?;
    say(format_args!(
        "good once, within {} hours: {}/enrol",
        people::TOKEN_HOURS,
        table.public_url()
    ))
}

/// Says whether the audit trail is whole.
pub fn verify(arguments: &cli::AuditVerify) -> Result<(), Failure> {
    let (config, _) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let path = config.casebook();
    if !path.is_file() {
        return Err(Failure::usage(format!(
            "`{}` is not there; the daemon makes it when it first serves the console",
            path.display()
        )));
    }
    let found = audit::verify_file(&path, arguments.known.as_deref());
    match found.with_context(|| format!("cannot read the casebook `{}`", path.display()))? {
        Verified::Whole { rows, head } => say(format_args!(
            "whole: {rows} rows, the last hash is {head}; written down elsewhere, it shows whether the end was cut off"
        )),
        Verified::Broken { n } => Err(anyhow!(
            "the audit trail is broken at row {n}: the rows from there on are not what was written; compare with a backup"
        )
        .into()),
        Verified::Unknown { rows } => Err(anyhow!(
            "the {rows} rows follow from one another, but --known is the hash of none of them: the end was cut off, or the trail made anew"
        )
        .into()),
    }
}
