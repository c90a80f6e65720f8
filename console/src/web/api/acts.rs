//! What is done to a case: each names the version that it goes by, and gets the case as it then is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::BusinessDate;
use rusqlite::Transaction;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::cases::{CaseView, view};
use super::gate::Call;
use super::problem::{Problems, about};
use super::query::{CaseId, check};
use super::scalars::{Day, whole, whole_or_null};
use super::{Answer, json};
use crate::casebook::cases::{self, CaseAt};
use crate::casebook::{Actor, CasebookError, Refusal, decisions};
use crate::web::App;
use crate::web::answer::Failure;

/// The version of the case that an act goes by.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AtVersion {
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
}

/// Whom a case is given to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    /// The number of somebody who works on cases of the region (`/api/v1/choices`); null: to nobody.
    #[serde(deserialize_with = "whole_or_null")]
    #[schema(required = true)]
    to: Option<i64>,
}

/// Something that is said about a case.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    /// What is said; what reads like a person's number is starred.
    #[schema(min_length = 1, max_length = 2000)]
    note: String,
}

/// Until when a case is put aside: a day, or until its alert gets worse, whichever comes first; without a day, until the
/// last one that may be named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Snooze {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    /// A day that is later than today, and no later than the case's `snooze_latest`.
    #[schema(value_type = Option<Day>)]
    until: Option<String>,
    /// Whether it comes back when its alert gets worse.
    #[serde(default)]
    until_worse: bool,
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    /// The code of a reason (`/api/v1/choices`); the outcome goes by it.
    reason: String,
    #[schema(min_length = 1, max_length = 2000)]
    note: String,
}

/// An approval.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    #[serde(default)]
    #[schema(max_length = 2000)]
    note: String,
}

/// An act as it was asked for: on a case, with a body, and no parameters.
pub struct Asked<B> {
    /// On which.
    pub on: CaseOf,
    /// What is to be done.
    pub body: B,
}

/// The case of an alert, as whoever asks may see it.
pub struct CaseOf {
    /// The console.
    pub app: Arc<App>,
    /// Who asks.
    pub call: Arc<Call>,
    /// The alert.
    pub id: String,
}

impl<B: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Asked<B> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let call = Extension::<Arc<Call>>::from_request_parts(parts, app).await;
        let Extension(call) = call.map_err(IntoResponse::into_response)?;
        let id = Path::from_request_parts(parts, app).await;
        let Path(id) = id.map_err(IntoResponse::into_response)?;
        check(&call.query, &[]).map_err(IntoResponse::into_response)?;
        let body = call.body().map_err(IntoResponse::into_response)?;
        let app = Arc::clone(app);
        let on = CaseOf { app, call, id };
        Ok(Asked { on, body })
    }
}

impl CaseOf {
    /// Does something to it, in one transaction and as of a version; answers with the case as it then is.
    async fn act<T: Send + 'static>(
        self,
        version: i64,
        act: impl FnOnce(&Transaction<'_>, &Actor, CaseAt<'_>) -> Result<T, CasebookError>
        + Send
        + 'static,
    ) -> Result<CaseView, Failure> {
        let CaseOf { app, call, id } = self;
        let actor = call.actor();
        let case = app.casebook.write(move |transaction| {
            act(transaction, &actor, (&id, version))?;
            let person = actor.person.as_ref().ok_or(CasebookError::Missing)?;
            cases::case(transaction, &id, &person.regions)
        });
        let today = app.desk.day(call.at);
        Ok(view(&app, &case.await?, call.language, today))
    }
}

/// Gives a case to whoever asks.
#[utoipa::path(post, path = "/api/v1/cases/{id}/take", tag = "acts", params(CaseId), request_body = AtVersion,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn take(Asked { on, body }: Asked<AtVersion>) -> Answer {
    let AtVersion { version } = body;
    let to = Some(on.call.person()?.n);
    assign_to(on, version, to).await
}

/// Gives a case to somebody, or to nobody.
#[utoipa::path(post, path = "/api/v1/cases/{id}/assign", tag = "acts", params(CaseId), request_body = Assignment,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn assign(Asked { on, body }: Asked<Assignment>) -> Answer {
    let Assignment { version, to } = body;
    assign_to(on, version, to).await
}

async fn assign_to(on: CaseOf, version: i64, to: Option<i64>) -> Answer {
    let done = on.act(version, move |transaction, actor, case| {
        cases::assign(transaction, actor, case, to)
    });
    Ok(json(&done.await.map_err(about(Refusal::BadChoice, "to"))?))
}

/// Writes something down.
#[utoipa::path(post, path = "/api/v1/cases/{id}/note", tag = "acts", params(CaseId), request_body = Noted,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn note(Asked { on, body }: Asked<Noted>) -> Answer {
    let Noted { version, note } = body;
    let done = on.act(version, move |transaction, actor, case| {
        cases::note(transaction, actor, case, &note)
    });
    Ok(json(&done.await?))
}

/// Puts a case aside.
#[utoipa::path(post, path = "/api/v1/cases/{id}/snooze", tag = "acts", params(CaseId), request_body = Snooze,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn snooze(Asked { on, body }: Asked<Snooze>) -> Answer {
    let until = body
        .until
        .map(|day| BusinessDate::parse(day.as_bytes()).ok_or(Failure::from(Refusal::BadDay)))
        .transpose()?;
    let within = on.app.snooze_within(on.call.at);
    let done = on.act(body.version, move |transaction, actor, case| {
        cases::snooze(
            transaction,
            actor,
            case,
            until,
            body.until_worse,
            &body.reason,
            within,
        )
    });
    Ok(json(
        &done.await.map_err(about(Refusal::NoteMissing, "reason"))?,
    ))
}

/// Takes a case up again that was put aside.
#[utoipa::path(post, path = "/api/v1/cases/{id}/resume", tag = "acts", params(CaseId), request_body = AtVersion,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn resume(Asked { on, body }: Asked<AtVersion>) -> Answer {
    let AtVersion { version } = body;
    let done = on.act(version, cases::resume);
    Ok(json(&done.await?))
}

/// Decides on a case; where it `needs_approval`, proposes to: then somebody else has to approve it.
#[utoipa::path(post, path = "/api/v1/cases/{id}/propose", tag = "acts", params(CaseId), request_body = Proposal,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn propose(Asked { on, body }: Asked<Proposal>) -> Answer {
    let desk = on.app.desk.clone();
    let done = on.act(body.version, move |transaction, actor, case| {
        decisions::propose(
            transaction,
            actor,
            case,
            &body.reason,
            &body.note,
            false,
            &desk,
        )
    });
    Ok(json(
        &done.await.map_err(about(Refusal::BadChoice, "reason"))?,
    ))
}

/// Approves what somebody else proposed.
#[utoipa::path(post, path = "/api/v1/cases/{id}/approve", tag = "acts", params(CaseId), request_body = Approval,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn approve(Asked { on, body }: Asked<Approval>) -> Answer {
    let Approval { version, note } = body;
    answer(on, version, true, note).await
}

/// Returns what somebody else proposed.
#[utoipa::path(post, path = "/api/v1/cases/{id}/return", tag = "acts", params(CaseId), request_body = Noted,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn send_back(Asked { on, body }: Asked<Noted>) -> Answer {
    let Noted { version, note } = body;
    answer(on, version, false, note).await
}

async fn answer(on: CaseOf, version: i64, approves: bool, note: String) -> Answer {
    let desk = on.app.desk.clone();
    let done = on.act(version, move |transaction, actor, case| {
        decisions::answer(transaction, actor, case, approves, &note, &desk)
    });
    Ok(json(&done.await?))
}

/// Takes a closed case up again.
#[utoipa::path(post, path = "/api/v1/cases/{id}/reopen", tag = "acts", params(CaseId), request_body = Noted,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn reopen(Asked { on, body }: Asked<Noted>) -> Answer {
    let Noted { version, note } = body;
    let done = on.act(version, move |transaction, actor, case| {
        decisions::reopen(transaction, actor, case, &note)
    });
    Ok(json(&done.await?))
}

/// Goes one step on in the mending of the fault; the last step is somebody's who did not report it mended.
#[utoipa::path(post, path = "/api/v1/cases/{id}/advance", tag = "acts", params(CaseId), request_body = Noted,
    responses((status = 200, description = "The case as it now is", body = CaseView), Problems))]
pub async fn advance(Asked { on, body }: Asked<Noted>) -> Answer {
    let Noted { version, note } = body;
    let desk = on.app.desk.clone();
    let done = on.act(version, move |transaction, actor, case| {
        cases::advance(transaction, actor, case, &note, &desk)
    });
    Ok(json(&done.await?))
}
