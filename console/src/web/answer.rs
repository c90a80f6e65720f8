//! Answers: pages, ways elsewhere, and what is said when something was not done.
//!
//! A handler returns a [`Failure`]; the gate, which knows the reader's language, makes the page of it. What an error
//! says of files, SQL or versions goes into the log alone.

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::casebook::{CasebookError, Refusal};

/// What a handler answers.
pub type Answer = Result<Response, Failure>;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request is not as a form of ours sends it.
    Bad,
    /// There is no such thing, or none for this person.
    Missing,
    /// The person's role has no right to it.
    Denied,
    /// The form's token is missing or not the session's.
    Forged,
    /// It cannot be done as things stand.
    Refused(Refusal),
    /// Somebody was faster.
    Stale {
        /// The alert of the case.
        alert: String,
        /// The version that the form was made from.
        known: i64,
    },
    /// The limit of the hour is reached.
    TooMany,
    /// Try again later.
    Busy,
    /// Larger than any form of ours.
    TooLarge,
    /// A bug or an outage; what it was is in the log.
    Broken,
}

impl Failure {
    /// The code of the answer.
    pub const fn status(&self) -> StatusCode {
        match self {
            Failure::Bad => StatusCode::BAD_REQUEST,
            Failure::Missing => StatusCode::NOT_FOUND,
            Failure::Denied | Failure::Forged => StatusCode::FORBIDDEN,
            Failure::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Failure::Stale { .. } => StatusCode::CONFLICT,
            Failure::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Failure::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<CasebookError> for Failure {
    fn from(error: CasebookError) -> Failure {
        match error {
            CasebookError::Missing => Failure::Missing,
            CasebookError::Stale { alert, known } => Failure::Stale { alert, known },
            CasebookError::Refused(refusal) => Failure::Refused(refusal),
            CasebookError::TooMany => Failure::TooMany,
            other => {
                tracing::error!(error = %other, "the console could not do what was asked");
                Failure::Broken
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

/// Carries the failure to the gate.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A page.
///
/// # Errors
/// The template fails, which is a bug.
pub fn page(template: &impl Template) -> Answer {
    page_with(StatusCode::OK, template)
}

/// A page with a code.
///
/// # Errors
/// As [`page`].
pub fn page_with(status: StatusCode, template: &impl Template) -> Answer {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be made");
        Failure::Broken
    })?;
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((status, html, text).into_response())
}

/// See there, after something was done.
pub fn see(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // What is no header value was made by nobody here: the beginning is always right.
    let place = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, place);
    response
}

/// A file to be saved. The name is ours, of plain characters.
///
/// # Errors
/// It cannot be answered with.
pub fn file(name: &str, kind: &'static str, bytes: Vec<u8>) -> Answer {
    let disposition = format!("attachment; filename=\"{name}\"");
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_DISPOSITION, disposition)
        .body(Body::from(bytes))
        .map_err(|_| Failure::Broken)
}
