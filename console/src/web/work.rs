//! What is done to cases: each from a form that names the version it was made from.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use domain::BusinessDate;

use super::App;
use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::{CasebookError, Refusal, cases, decisions};
use crate::words;

/// Cases that are worked on at once.
const BULK_MAX: usize = 100;

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    p: Frame,
    done: usize,
    /// Alert, and why not.
    failed: Vec<(String, &'static str)>,
}

/// `POST /alerts/{id}/assign`: to somebody, to oneself (`me`), or to nobody.
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "to"])?;
    let (version, to) = (visit.fields.number("version")?, to(&visit)?);
    let (actor, alert) = (visit.actor(), id.clone());
    app.casebook
        .write(move |transaction| cases::assign(transaction, &actor, &alert, version, to))
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/note`
pub async fn note(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let (version, text) = (
        visit.fields.number("version")?,
        visit.fields.one("note")?.to_owned(),
    );
    let (actor, alert) = (visit.actor(), id.clone());
    app.casebook
        .write(move |transaction| cases::note(transaction, &actor, &alert, version, &text))
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/snooze`
pub async fn snooze(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["version", "until", "worse", "reason"])?;
    let until = fields
        .some("until")?
        .map(|day| BusinessDate::parse(day.as_bytes()).ok_or(Refusal::BadDay))
        .transpose()?;
    let (version, worse) = (fields.number("version")?, fields.one("worse")? == "1");
    let reason = fields.one("reason")?.to_owned();
    let (actor, alert, today) = (visit.actor(), id.clone(), app.desk.day(visit.at));
    app.casebook
        .write(move |transaction| {
            let case = (alert.as_str(), version);
            cases::snooze(transaction, &actor, case, until, worse, &reason, today)
        })
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/resume`
pub async fn resume(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version"])?;
    let version = visit.fields.number("version")?;
    let (actor, alert) = (visit.actor(), id.clone());
    app.casebook
        .write(move |transaction| cases::resume(transaction, &actor, &alert, version))
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/decide`
pub async fn decide(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["version", "reason", "note"])?;
    let version = fields.number("version")?;
    let (reason, note) = (
        fields.one("reason")?.to_owned(),
        fields.one("note")?.to_owned(),
    );
    let (actor, alert, desk) = (visit.actor(), id.clone(), app.desk.clone());
    app.casebook
        .write(move |transaction| {
            let case = (alert.as_str(), version);
            decisions::propose(transaction, &actor, case, &reason, &note, false, &desk)
        })
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/answer`: approve, or return.
pub async fn answer(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["version", "answer", "note"])?;
    let approves = match fields.one("answer")? {
        "approve" => true,
        "return" => false,
        _ => return Err(Failure::Bad),
    };
    let (version, note) = (fields.number("version")?, fields.one("note")?.to_owned());
    let (actor, alert, desk) = (visit.actor(), id.clone(), app.desk.clone());
    app.casebook
        .write(move |transaction| {
            let case = (alert.as_str(), version);
            decisions::answer(transaction, &actor, case, approves, &note, &desk)
        })
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/reopen`
pub async fn reopen(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let (version, note) = (
        visit.fields.number("version")?,
        visit.fields.one("note")?.to_owned(),
    );
    let (actor, alert) = (visit.actor(), id.clone());
    app.casebook
        .write(move |transaction| {
            decisions::reopen(transaction, &actor, (alert.as_str(), version), &note)
        })
        .await?;
    back_to(&id)
}

/// `POST /alerts/{id}/advance`: one step on in the mending.
pub async fn advance(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let (version, note) = (
        visit.fields.number("version")?,
        visit.fields.one("note")?.to_owned(),
    );
    let (actor, alert, desk) = (visit.actor(), id.clone(), app.desk.clone());
    app.casebook
        .write(move |transaction| {
            cases::advance(transaction, &actor, (alert.as_str(), version), &note, &desk)
        })
        .await?;
    back_to(&id)
}

/// `POST /alerts/bulk`: assign those that were ticked, or propose to close them. Each by itself: what somebody else has
/// changed meanwhile is left out, and listed.
pub async fn bulk(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let fields = &visit.fields;
    fields.only(&["alert", "what", "to", "reason", "note", "all"])?;
    let chosen = fields.all("alert").map(|pair| {
        let (alert, version) = pair.split_once(':').ok_or(Failure::Bad)?;
        let version: i64 = version.parse().map_err(|_| Failure::Bad)?;
        Ok((alert.to_owned(), version))
    });
    let chosen: Vec<(String, i64)> = chosen.collect::<Result<_, Failure>>()?;
    match chosen.len() {
        0 => return Err(Refusal::NothingChosen.into()),
        1..=BULK_MAX => {}
        _ => return Err(Refusal::TooManyChosen.into()),
    }
    let what = match fields.one("what")? {
        "assign" => What::Assign(to(&visit)?),
        "close" => What::Close {
            reason: fields.one("reason")?.to_owned(),
            note: fields.one("note")?.to_owned(),
        },
        _ => return Err(Failure::Bad),
    };
    let (mut done, mut failed) = (0, Vec::new());
    for (alert, version) in chosen {
        let (actor, desk, what, id) =
            (visit.actor(), app.desk.clone(), what.clone(), alert.clone());
        let result = app.casebook.write(move |transaction| match what {
            What::Assign(to) => cases::assign(transaction, &actor, &id, version, to).map(drop),
            What::Close { reason, note } => {
                let case = (id.as_str(), version);
                decisions::propose(transaction, &actor, case, &reason, &note, true, &desk).map(drop)
            }
        });
        match result.await {
            Ok(()) => done += 1,
            Err(
                error @ (CasebookError::Refused(_)
                | CasebookError::Stale { .. }
                | CasebookError::Missing),
            ) => {
                failed.push((alert, words::failure(&error, visit.language)));
            }
            Err(other) => return Err(other.into()),
        }
    }
    show(&BulkPage {
        p: Frame::new(&app, &visit),
        done,
        failed,
    })
}

#[derive(Clone)]
enum What {
    Assign(Option<i64>),
    Close { reason: String, note: String },
}

fn to(visit: &Visit) -> Result<Option<i64>, Failure> {
    match visit.fields.one("to")? {
        "" => Ok(None),
        "me" => Ok(Some(visit.person()?.n)),
        n => Ok(Some(n.parse().map_err(|_| Failure::Bad)?)),
    }
}

fn back_to(alert: &str) -> Answer {
    Ok(see(&format!("/alerts/{alert}#case")))
}
