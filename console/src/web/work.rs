//! What is done to cases: each from a form that names the version it was made from.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use domain::BusinessDate;
use rusqlite::Transaction;

use super::App;
use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use super::refused::{self, Why};
use crate::casebook::cases::{self, CaseAt};
use crate::casebook::{Actor, CasebookError, Refusal, decisions};
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

/// Does something to the case of an alert, in one transaction and as of the version that the form names; then shows it.
async fn act<T: Send + 'static>(
    app: &App,
    visit: &Visit,
    id: String,
    act: impl FnOnce(&Transaction<'_>, &Actor, CaseAt<'_>) -> Result<T, CasebookError> + Send + 'static,
) -> Answer {
    let (version, actor) = (visit.fields.number("version")?, visit.actor());
    let place = format!("/alerts/{id}#case");
    app.casebook
        .write(move |transaction| act(transaction, &actor, (&id, version)))
        .await?;
    Ok(see(&place))
}

/// `POST /alerts/{id}/assign`: to somebody, to oneself (`me`), or to nobody.
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "to"])?;
    let to = to(&visit)?;
    act(&app, &visit, id, move |transaction, actor, case| {
        cases::assign(transaction, actor, case, to)
    })
    .await
}

/// `POST /alerts/{id}/note`
pub async fn note(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let text = visit.fields.one("note")?.to_owned();
    act(&app, &visit, id, move |transaction, actor, case| {
        cases::note(transaction, actor, case, &text)
    })
    .await
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
    let worse = fields.one("worse")? == "1";
    let (reason, within) = (
        fields.one("reason")?.to_owned(),
        app.snooze_within(visit.at),
    );
    act(&app, &visit, id, move |transaction, actor, case| {
        cases::snooze(transaction, actor, case, until, worse, &reason, within)
    })
    .await
}

/// `POST /alerts/{id}/resume`
pub async fn resume(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version"])?;
    act(&app, &visit, id, cases::resume).await
}

/// `POST /alerts/{id}/decide`
pub async fn decide(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["version", "reason", "note"])?;
    let (reason, note) = (
        fields.one("reason")?.to_owned(),
        fields.one("note")?.to_owned(),
    );
    let desk = app.desk.clone();
    act(&app, &visit, id, move |transaction, actor, case| {
        decisions::propose(transaction, actor, case, &reason, &note, false, &desk)
    })
    .await
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
    let (note, desk) = (fields.one("note")?.to_owned(), app.desk.clone());
    act(&app, &visit, id, move |transaction, actor, case| {
        decisions::answer(transaction, actor, case, approves, &note, &desk)
    })
    .await
}

/// `POST /alerts/{id}/reopen`
pub async fn reopen(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let note = visit.fields.one("note")?.to_owned();
    act(&app, &visit, id, move |transaction, actor, case| {
        decisions::reopen(transaction, actor, case, &note)
    })
    .await
}

/// `POST /alerts/{id}/advance`: one step on in the mending.
pub async fn advance(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["version", "note"])?;
    let (note, desk) = (visit.fields.one("note")?.to_owned(), app.desk.clone());
    act(&app, &visit, id, move |transaction, actor, case| {
        cases::advance(transaction, actor, case, &note, &desk)
    })
    .await
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
            What::Assign(to) => cases::assign(transaction, &actor, (&id, version), to).map(drop),
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
                if matches!(error, CasebookError::Missing) {
                    let path = format!("/alerts/{alert}");
                    refused::record(&app, visit.actor(), Why::Missing, &path).await?;
                }
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
