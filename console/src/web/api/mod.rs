//! The API: the console for programs, under `/api/v1`. A second face of the functions that the pages are made of: it reads
//! JSON, calls them, and writes JSON. Whoever's token comes may do here at most what he may on the pages, and leaves the
//! same rows in the audit trail; what needs a person's own look and reason (numbers in full, raw records, exports) is not
//! here.
//!
//! | module | is |
//! |---|---|
//! | `gate` | the token, its rights, the body |
//! | `problem` | what is answered instead |
//! | `query`, `scalars` | what parameters and answers are made of |
//! | `cases`, `subject`, `acts`, `letters`, `precision`, `trail`, `own` | what answers |
//! | `description` | OpenAPI, from all of these |

mod acts;
mod cases;
mod description;
mod gate;
mod letters;
mod own;
mod precision;
mod problem;
mod query;
mod scalars;
mod subject;
mod trail;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Serialize;

use super::App;
use super::routes::{Route, routes};
use crate::rights::Right;
use problem::{Fault, Trouble};

/// What a handler answers.
type Answer = Result<Response, Fault>;

routes! { API_ROUTES:
    GET  "/api/v1/openapi.json"             Open     description::openapi;
    GET  "/api/v1/me"                       Own      own::me;
    GET  "/api/v1/choices"                  SeeCases own::choices;
    POST "/api/v1/search"                   SeeCases own::search;
    GET  "/api/v1/cases"                    SeeCases cases::queue;
    GET  "/api/v1/cases/{id}"               SeeCases cases::case;
    GET  "/api/v1/cases/{id}/subject"       SeeCases subject::subject;
    POST "/api/v1/cases/{id}/take"          Work     acts::take;
    POST "/api/v1/cases/{id}/assign"        Work     acts::assign;
    POST "/api/v1/cases/{id}/note"          Work     acts::note;
    POST "/api/v1/cases/{id}/snooze"        Work     acts::snooze;
    POST "/api/v1/cases/{id}/resume"        Work     acts::resume;
    POST "/api/v1/cases/{id}/propose"       Work     acts::propose;
    POST "/api/v1/cases/{id}/approve"       Approve  acts::approve;
    POST "/api/v1/cases/{id}/return"        Approve  acts::send_back;
    POST "/api/v1/cases/{id}/reopen"        Work     acts::reopen;
    POST "/api/v1/cases/{id}/advance"       Work     acts::advance;
    POST "/api/v1/cases/{id}/letters"       Work     letters::issue_letter;
    GET  "/api/v1/letters/{n}"              SeeCases letters::letter;
    GET  "/api/v1/precision"                SeeCases precision::precision;
    GET  "/api/v1/audit"                    SeeAudit trail::audit;
    GET  "/api/v1/audit/verification"       SeeAudit trail::verify_audit;
}

/// The routes, each behind its gate; under `/api` nothing else.
pub fn add_to(mut router: Router<Arc<App>>, app: &Arc<App>) -> Router<Arc<App>> {
    for route in API_ROUTES {
        let gate = from_fn_with_state((Arc::clone(app), route.right), gate::pass);
        let methods = (route.make)().route_layer(gate).fallback(wrong_method);
        router = router.route(route.path, methods);
    }
    let gate = from_fn_with_state((Arc::clone(app), Right::Open), gate::pass);
    let nothing = any(async || Fault::from(Trouble::Missing)).layer(gate);
    router.route("/api/{*rest}", nothing)
}

async fn wrong_method(State(app): State<Arc<App>>) -> Response {
    problem::answer(&app, None, Trouble::WrongMethod.into()).await
}

/// An answer.
fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be made");
            Fault::from(Trouble::Broken).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
