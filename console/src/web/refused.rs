//! What was refused before anything was done, as rows of the audit trail: for want of a right, a form that is not of the
//! session, an alert of another region, a token that is good no more. Whoever asks again and again is counted instead, so that nobody fills the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::App;
use crate::casebook::audit::{self, Kind};
use crate::casebook::{Actor, CasebookError, cases, letters};

/// Rows an hour of one login, or one address without a login.
const OF_ONE_MAX: u32 = 200;
/// Rows an hour of all together.
const OF_ALL_MAX: u32 = 2_000;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The person's role, or the scope of the token, has no right to it.
    Right,
    /// The token is good no more.
    SpentToken {
        /// Its number.
        n: i64,
        /// Why.
        how: &'static str,
    },
    /// Nobody ever made the token.
    UnknownToken,
    /// The form came from elsewhere, or without the session's token.
    Form,
    /// There is no such case for this person: it is of another region, or there is none. Which, only the trail says.
    Missing,
}

/// Rows of this hour, in memory: a restart, which nobody outside can bring about, forgets them.
#[derive(Default)]
pub struct Bound {
    hour: Mutex<Hour>,
}

#[derive(Default)]
struct Hour {
    since: Timestamp,
    of_one: HashMap<String, u32>,
    of_all: u32,
    left_out: u64,
}

impl Bound {
    /// Whether a row may be written for whoever asks, and how many were left out since the last one.
    fn admit(&self, who: &str, now: Timestamp) -> Option<u64> {
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(hour.since).abs() >= HOUR {
            *hour = Hour {
                since: now,
                left_out: hour.left_out,
                ..Hour::default()
            };
        }
        let of_one = hour.of_one.get(who).copied().unwrap_or(0);
        if hour.of_all >= OF_ALL_MAX || of_one >= OF_ONE_MAX {
            hour.left_out += 1;
            return None;
        }
        // No longer than the rows of an hour.
        hour.of_one.insert(who.to_owned(), of_one + 1);
        hour.of_all += 1;
        Some(std::mem::take(&mut hour.left_out))
    }
}

/// Writes the row of something that was refused, unless there were too many of late.
///
/// # Errors
/// It cannot be written.
pub async fn record(app: &App, actor: Actor, why: Why, target: &str) -> Result<(), CasebookError> {
    let person = actor.person.as_ref();
    let who = person.map_or(&actor.address, |person| &person.login);
    let Some(left_out) = app.refusals.admit(who, actor.at) else {
        return Ok(());
    };
    let target = target.to_owned();
    app.casebook
        .write(move |transaction| {
            let reason = match why {
                Why::Right => String::new(),
                Why::Form => "not the session's form".to_owned(),
                Why::SpentToken { n, how } => format!("token {n}: {how}"),
                Why::UnknownToken => "unknown token".to_owned(),
                Why::Missing => match (region_at(transaction, &target)?, &actor.person) {
                    (None, _) => "there is none".to_owned(),
                    // Something else of a case of the person's own was not there.
                    (Some(region), Some(person)) if person.regions.cover(&region) => return Ok(()),
                    (Some(_), _) => "of another region".to_owned(),
                },
            };
            let note = match left_out {
                0 => reason,
                more => format!("{reason} (+{more} without a row)"),
            };
            audit::append(transaction, &actor, Kind::Denied, false, &target, &note)
        })
        .await
}

/// Writes the row if what was asked for is a case, or something of one, that there is not for this person.
///
/// # Errors
/// It cannot be written.
pub async fn record_missing(app: &App, actor: Actor, path: &str) -> Result<(), CasebookError> {
    if parts_of(path).is_some() && actor.person.is_some() {
        record(app, actor, Why::Missing, path).await?;
    }
    Ok(())
}

/// Of a path of a case or a letter, on a page or at the API, the kind and the name.
fn parts_of(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let (kind, rest) = path.strip_prefix('/')?.split_once('/')?;
    let name = rest.split('/').next()?;
    matches!(kind, "alerts" | "cases" | "letters").then_some((kind, name))
}

/// The region of the case, or of the letter's, at a path, whoever asks.
fn region_at(connection: &Connection, path: &str) -> Result<Option<String>, CasebookError> {
    match parts_of(path) {
        Some(("letters", n)) => match n.parse() {
            Ok(n) => letters::region_of(connection, n),
            Err(_) => Ok(None),
        },
        Some((_, id)) => cases::region_of(connection, id),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_refusals_are_bounded_and_what_is_left_out_is_counted() {
        let (bound, start) = (
            Bound::default(),
            Timestamp::from_second(1_700_000_000).unwrap(),
        );
        let of_one = (0..1_000).filter(|_| bound.admit("li", start).is_some());
        assert_eq!(of_one.count() as u32, OF_ONE_MAX);
        assert_eq!(bound.admit("wang", start), Some(800));
        assert_eq!(bound.admit("wang", start), Some(0));
        let of_all = (0..5_000).filter(|n| bound.admit(&n.to_string(), start).is_some());
        assert_eq!(of_all.count() as u32, OF_ALL_MAX - OF_ONE_MAX - 2);
        let later = start.checked_add(HOUR).unwrap();
        assert_eq!(bound.admit("li", later), Some(5_000 - 1_798));
    }
}
