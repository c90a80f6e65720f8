//! What is answered instead: RFC 9457, with the field at fault, and of a case that somebody else changed what he did.
//!
//! In English, as it is programs and those who write them that read it. What a token's owner sent is not repeated.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::gate::Call;
use super::scalars::Moment;
use crate::casebook::{CasebookError, Refusal, cases};
use crate::web::App;
use crate::web::answer::Failure;

/// The media type of every answer that is a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Malformed,
    NoToken,
    NotAllowed,
    Missing,
    WrongMethod,
    TooSlow,
    Stale,
    TooLarge,
    AddressTooLong,
    NoJson,
    WrongHost,
    Refused,
    TooMany,
    Broken,
    Busy,
}

impl Trouble {
    const ALL: [Trouble; 15] = [
        Trouble::Malformed,
        Trouble::NoToken,
        Trouble::NotAllowed,
        Trouble::Missing,
        Trouble::WrongMethod,
        Trouble::TooSlow,
        Trouble::Stale,
        Trouble::TooLarge,
        Trouble::AddressTooLong,
        Trouble::NoJson,
        Trouble::WrongHost,
        Trouble::Refused,
        Trouble::TooMany,
        Trouble::Broken,
        Trouble::Busy,
    ];

    /// Code, last part of the type, title, and what to do.
    const fn parts(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Trouble::Malformed => (
                400,
                "malformed",
                "The request is not as described",
                "Compare it with /api/v1/openapi.json.",
            ),
            Trouble::NoToken => (
                401,
                "no-token",
                "No good token",
                "Send `Authorization: Bearer TOKEN` with a token of the page My account that has neither ended nor been revoked.",
            ),
            Trouble::NotAllowed => (
                403,
                "not-allowed",
                "Not allowed",
                "The role of the token's owner, or the token's scope, has no right to it. The attempt was recorded.",
            ),
            Trouble::Missing => (
                404,
                "missing",
                "There is no such thing",
                "It is not there, or not within the regions of the token's owner.",
            ),
            Trouble::WrongMethod => (
                405,
                "wrong-method",
                "Not with this method",
                "The header Allow names the method.",
            ),
            Trouble::TooSlow => (
                408,
                "too-slow",
                "The body did not come in time",
                "Send it again.",
            ),
            Trouble::Stale => (
                409,
                "stale",
                "Somebody was faster",
                "The case was changed since the version that was sent: `since` says by whom and how. Nothing was done; read it again.",
            ),
            Trouble::TooLarge => (
                413,
                "too-large",
                "The body is too large",
                "It has 64 KiB at most.",
            ),
            Trouble::AddressTooLong => (
                414,
                "address-too-long",
                "The address is too long",
                "It has 4 KiB at most.",
            ),
            Trouble::NoJson => (
                415,
                "no-json",
                "The body is not said to be JSON",
                "Send `Content-Type: application/json`.",
            ),
            Trouble::WrongHost => (
                421,
                "wrong-host",
                "Not the host of the console",
                "Use the host of the configuration's public_url.",
            ),
            Trouble::Refused => (
                422,
                "refused",
                "Not done",
                "It cannot be done as things stand.",
            ),
            Trouble::TooMany => (429, "too-many", "Too many", "Wait, and try again."),
            Trouble::Broken => (
                500,
                "broken",
                "Something failed",
                "It was not done. What it was is in the program's log.",
            ),
            Trouble::Busy => (503, "busy", "Busy", "Try again in a few seconds."),
        }
    }

    /// The one of a code that was answered without saying more.
    pub fn of_status(status: StatusCode) -> Trouble {
        let all = Trouble::ALL.into_iter();
        let known = all
            .clone()
            .find(|trouble| trouble.parts().0 == status.as_u16());
        known.unwrap_or(if status.is_client_error() {
            Trouble::Malformed
        } else {
            Trouble::Broken
        })
    }
}

/// Why something was not done, on its way to the gate, which makes the answer of it.
#[derive(Clone, Debug)]
pub struct Fault {
    trouble: Trouble,
    detail: Option<String>,
    errors: Vec<FieldFault>,
    /// The alert of a case, and the version that was sent.
    stale: Option<(String, i64)>,
}

impl Fault {
    /// With what a field has wrong.
    pub fn at(trouble: Trouble, field: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault {
            errors: vec![FieldFault {
                field: field.into(),
                detail: detail.into(),
            }],
            ..Fault::from(trouble)
        }
    }

    /// Whether it is of this kind.
    pub fn is(&self, trouble: Trouble) -> bool {
        self.trouble == trouble
    }

    /// With another sentence.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Fault {
        Fault {
            detail: Some(detail.into()),
            ..self
        }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Fault {
        Fault {
            trouble,
            detail: None,
            errors: Vec::new(),
            stale: None,
        }
    }
}

impl From<CasebookError> for Fault {
    fn from(error: CasebookError) -> Fault {
        Failure::from(error).into()
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        match failure {
            Failure::Bad => Trouble::Malformed.into(),
            Failure::Missing => Trouble::Missing.into(),
            Failure::Denied | Failure::Forged => Trouble::NotAllowed.into(),
            Failure::Refused(refusal) => refused(refusal),
            Failure::Stale { alert, known } => Fault {
                stale: Some((alert, known)),
                ..Trouble::Stale.into()
            },
            Failure::TooMany => Trouble::TooMany.into(),
            Failure::Busy => Trouble::Busy.into(),
            Failure::TooLarge => Trouble::TooLarge.into(),
            Failure::Broken => Trouble::Broken.into(),
        }
    }
}

/// A refusal with the field that it is about, where that is one.
fn refused(refusal: Refusal) -> Fault {
    let says = crate::words::refusal(refusal, alerting::Language::En);
    let field = match refusal {
        Refusal::NoteMissing => "note",
        Refusal::ReasonMissing => "reason",
        Refusal::BadDay | Refusal::SnoozeTooLong => "until",
        _ => return Fault::from(Trouble::Refused).saying(says),
    };
    Fault::at(Trouble::Refused, field, says)
}

/// Names the field that a refusal is about, where only the act knows.
pub fn about(refusal: Refusal, field: &'static str) -> impl Fn(Failure) -> Fault {
    move |failure| match failure {
        Failure::Refused(known) if known == refusal => {
            let says = crate::words::refusal(refusal, alerting::Language::En);
            Fault::at(Trouble::Refused, field, says)
        }
        other => other.into(),
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Why something was not done (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// Which problem: `urn:fundwatch:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// The problem in words.
    title: &'static str,
    /// The code of the answer.
    status: u16,
    /// What to do about it.
    detail: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldFault>,
    /// Of a case that was changed meanwhile: what others did to it since the version that was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    since: Vec<StepView>,
}

/// A field of the body or the query, and what is wrong with it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldFault {
    /// Its name.
    field: String,
    /// What is wrong with it.
    detail: String,
}

/// Something that became of a case.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepView {
    /// The version that it led to.
    version: i64,
    /// When.
    at: Moment,
    /// Who; none: the program.
    who: Option<String>,
    /// What, e.g. `assigned`.
    kind: String,
    /// What was said.
    note: String,
}

impl From<cases::Step> for StepView {
    fn from(step: cases::Step) -> StepView {
        StepView {
            version: step.version,
            at: Moment(step.at),
            who: step.who,
            kind: step.kind,
            note: alerting::mail::text::scrub(&step.note),
        }
    }
}

/// The answer to a fault; of whoever called, if that is known, what he may see of it.
pub async fn answer(app: &App, call: Option<&Call>, fault: Fault) -> Response {
    let since = match (&fault.stale, call.and_then(|call| call.person().ok())) {
        (Some((alert, version)), Some(person)) => {
            let found = crate::web::frame::steps_since(app, person, alert, *version).await;
            found.into_iter().map(StepView::from).collect()
        }
        _ => Vec::new(),
    };
    let (code, word, title, detail) = fault.trouble.parts();
    let problem = Problem {
        kind: format!("urn:fundwatch:problem:{word}"),
        title,
        status: code,
        detail: fault.detail.unwrap_or_else(|| detail.to_owned()),
        errors: fault.errors,
        since,
    };
    let mut response = super::json(&problem);
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut set = |name: HeaderName, value| {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, PROBLEM_JSON);
    match fault.trouble {
        Trouble::NoToken => set(header::WWW_AUTHENTICATE, "Bearer"),
        Trouble::Busy => set(header::RETRY_AFTER, "2"),
        Trouble::TooMany => set(header::RETRY_AFTER, "60"),
        _ => {}
    }
    response
}

/// The problems, for the description: any route may answer with each.
pub struct Problems;

impl Problems {
    /// Each by its word, which the routes refer to.
    pub fn described() -> impl Iterator<Item = (&'static str, utoipa::openapi::Response)> {
        Trouble::ALL.into_iter().map(|trouble| {
            let (_, word, title, _) = trouble.parts();
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new()
                .description(title)
                .content(PROBLEM_JSON, content.build());
            (word, response.build())
        })
    }
}

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let all = Trouble::ALL.into_iter().map(|trouble| {
            let (code, word, ..) = trouble.parts();
            (code.to_string(), Ref::from_response_name(word).into())
        });
        all.collect()
    }
}
