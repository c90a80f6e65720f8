//! Letters: issued on a case, and read as they were issued.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::acts::{Asked, CaseOf};
use super::gate::Call;
use super::problem::{Problems, Trouble, about};
use super::query::{CaseId, check};
use super::scalars::{LetterWord, Moment, whole};
use super::{Answer, json};
use crate::casebook::Refusal;
use crate::casebook::letters::{self, Letter};
use crate::web::App;
use crate::web::letters as pages;

/// A letter that was issued.
#[derive(Serialize, ToSchema)]
pub struct LetterView {
    /// Its number in the casebook.
    n: i64,
    /// 核〔2026〕12号.
    number: String,
    kind: LetterWord,
    /// The alert of its case.
    alert: String,
    issuer: String,
    issued_at: Moment,
    /// By when an answer is due, YYYY-MM-DD.
    due: String,
    /// What was sent; persons are masked.
    html: String,
    /// BLAKE3 of it, as it was noted when it was issued.
    hash: String,
    /// Whether it is still what was issued.
    is_intact: bool,
}

/// A letter to be issued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLetter {
    /// The version of the case.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1)]
    version: i64,
    kind: LetterWord,
    /// To whom.
    #[schema(min_length = 1, max_length = 40)]
    to: String,
}

/// Issues a letter on a case. The case is another version then.
#[utoipa::path(post, path = "/api/v1/cases/{id}/letters", tag = "letters", params(CaseId), request_body = NewLetter,
    responses((status = 201, description = "The letter, as it was issued", body = LetterView,
        headers(("Location" = String, description = "Where it can be read"))), Problems))]
pub async fn issue_letter(Asked { on, body }: Asked<NewLetter>) -> Answer {
    let CaseOf { app, call, id } = on;
    let NewLetter { version, kind, to } = body;
    let issued = pages::write(&app, call.actor(), (id, version), kind.0, &to);
    let n = issued.await.map_err(about(Refusal::BadChoice, "to"))?;
    let mut response = json(&read(&app, &call, n).await?);
    *response.status_mut() = StatusCode::CREATED;
    let place = HeaderValue::from_str(&format!("/api/v1/letters/{n}"));
    let place = place.map_err(|_| Trouble::Broken)?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

/// A letter as it was issued.
#[utoipa::path(get, path = "/api/v1/letters/{n}", tag = "letters",
    params(("n" = i64, Path, minimum = 1, description = "The letter's number in the casebook.")),
    responses((status = 200, description = "The letter", body = LetterView), Problems))]
pub async fn letter(
    State(app): State<Arc<App>>,
    Extension(call): Extension<Arc<Call>>,
    Path(n): Path<i64>,
) -> Answer {
    check(&call.query, &[])?;
    Ok(json(&read(&app, &call, n).await?))
}

async fn read(app: &App, call: &Call, n: i64) -> Result<LetterView, super::Fault> {
    let regions = call.person()?.regions.clone();
    let letter = app
        .casebook
        .read(move |connection| letters::letter(connection, n, &regions))
        .await?;
    Ok(letter.into())
}

impl From<Letter> for LetterView {
    fn from(letter: Letter) -> LetterView {
        LetterView {
            n: letter.n,
            number: letter.number(),
            is_intact: letter.is_intact(),
            kind: LetterWord(letter.kind),
            alert: letter.alert,
            issuer: letter.issuer,
            issued_at: Moment(letter.issued_at),
            due: letter.due,
            html: letter.html,
            hash: letter.hash,
        }
    }
}
