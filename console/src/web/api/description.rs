//! The description of the API, made of its code: what a route takes and answers with stands beside its handler.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::problem::{Problem, Problems};
use super::{Answer, acts, cases, letters, own, precision, subject, trail};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "fundwatch console",
        version = "1",
        license(name = "Apache-2.0"),
        description = "The review console for programs: the queue of cases, their evidence and history, acts on them, letters, precision, the \
            audit trail. A token is made on the page My account; it may do at most what its owner may, with the scope `read` only what \
            changes nothing. Amounts are whole fen (0.01 yuan, CNY), days and moments ISO 8601. Persons' numbers and names are starred; \
            looks at persons are recorded. Sentences come in the language of Accept-Language, `zh` without."
    ),
    paths(
        openapi,
        own::me,
        own::choices,
        own::search,
        cases::queue,
        cases::case,
        subject::subject,
        acts::take,
        acts::assign,
        acts::note,
        acts::snooze,
        acts::resume,
        acts::propose,
        acts::approve,
        acts::send_back,
        acts::reopen,
        acts::advance,
        letters::issue_letter,
        letters::letter,
        precision::precision,
        trail::audit,
        trail::verify_audit,
    ),
    components(schemas(Problem)),
    tags(
        (name = "own", description = "The token, and what may be chosen"),
        (name = "cases", description = "Cases, their alerts and subjects"),
        (name = "acts", description = "What is done to a case: by its version"),
        (name = "letters", description = "Letters, as they were issued"),
        (name = "audit", description = "The audit trail, for auditors"),
    ),
    security(("token" = [])),
)]
struct Description;

/// The description.
pub fn description() -> utoipa::openapi::OpenApi {
    let mut all = Description::openapi();
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    if let Some(components) = &mut all.components {
        components.add_security_scheme("token", scheme);
        let problems = Problems::described();
        let problems = problems.map(|(word, response)| (word.to_owned(), response.into()));
        components.responses.extend(problems);
    }
    all
}

/// The description as it is sent, and kept beside the documentation.
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = description().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    })
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "own", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub async fn openapi() -> Answer {
    Ok(([(header::CONTENT_TYPE, "application/json")], text()).into_response())
}
