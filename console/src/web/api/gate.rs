//! The gate before the routes of the API: a token instead of a session. No cookie counts here, so that no page can make a
//! browser act; and what the console's gate asks of a request (host, length, size, time), this one asks, too.

use std::sync::Arc;

use alerting::Language;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problem::{self, Fault, Trouble};
use crate::casebook::Actor;
use crate::casebook::api_tokens::{self, Holder};
use crate::rights::{Person, Right};
use crate::web::App;
use crate::web::answer::Failure;
use crate::web::form::Fields;
use crate::web::gate::{ADDRESS_MAX, address_of, answered, asked_language, bytes};
use crate::web::refused::{self, Why};

/// One request, as a handler sees it.
#[derive(Clone)]
pub struct Call {
    /// Whose token came; `None` where none is asked for.
    pub holder: Option<Holder>,
    /// The language of sentences.
    pub language: Language,
    /// Where from, and with which token.
    pub address: String,
    /// When.
    pub at: Timestamp,
    /// The query.
    pub query: Fields,
    body: Bytes,
}

impl Call {
    /// Whose token came.
    ///
    /// # Errors
    /// Nobody's; the gate lets nobody through to where this is asked.
    pub fn person(&self) -> Result<&Person, Fault> {
        let holder = self.holder.as_ref().ok_or(Trouble::NoToken)?;
        Ok(&holder.person)
    }

    /// What the audit trail says of whoever does something.
    pub fn actor(&self) -> Actor {
        Actor {
            person: self.holder.as_ref().map(|holder| holder.person.clone()),
            address: self.address.clone(),
            at: self.at,
        }
    }

    /// Whether the token has the right, and its owner.
    pub fn may(&self, right: Right) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|holder| holder.person.may(right) && holder.token.scope.may(right))
    }

    /// The body.
    ///
    /// # Errors
    /// It is not as described; the field at fault is named, what is in it is not.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut reader);
        let read = read.map_err(|error| {
            let path = error.path().to_string();
            fault_of(&path, error.inner())
        })?;
        reader.end().map_err(|error| fault_of(".", &error))?;
        Ok(read)
    }
}

fn fault_of(path: &str, error: &serde_json::Error) -> Fault {
    if error.classify() != Category::Data {
        let says = format!(
            "The body is no JSON: line {}, column {}.",
            error.line(),
            error.column()
        );
        return Fault::from(Trouble::Malformed).saying(says);
    }
    // The library's own words repeat what was sent; of theirs only which field it is.
    let message = error.to_string();
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let says = match message.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["missing", "field"] => "is missing",
        ["unknown", "field"] => "is not known here",
        ["duplicate", "field"] => "is there twice",
        _ => return Fault::at(Trouble::Malformed, path, "is not as described"),
    };
    let field = match path {
        "." => quoted.to_owned(),
        path if says == "is missing" => format!("{path}.{quoted}"),
        path => path.to_owned(),
    };
    Fault::at(Trouble::Malformed, field, says)
}

/// Lets a request through to the handler of a route, or answers itself.
pub async fn pass(
    State((app, right)): State<(Arc<App>, Right)>,
    request: Request,
    next: Next,
) -> Response {
    let (call, request) = match enter(&app, right, request).await {
        Ok(entered) => entered,
        Err(fault) => return problem::answer(&app, None, fault).await,
    };
    let (call, path) = (Arc::new(call), request.uri().path().to_owned());
    let mut request = request;
    request.extensions_mut().insert(Arc::clone(&call));
    let mut response = answered(next, request).await;
    let fault = response.extensions_mut().remove::<Fault>();
    let failure = response.extensions_mut().remove::<Failure>();
    let status = response.status();
    // What the router itself refuses, such as a number that is none, says no more than its code.
    let is_refused = status.is_client_error() || status.is_server_error();
    let fault = fault
        .or(failure.map(Fault::from))
        .or(is_refused.then(|| Trouble::of_status(status).into()));
    let fault = match fault {
        Some(fault) if fault.is(Trouble::Missing) => {
            let recorded = refused::record_missing(&app, call.actor(), &path).await;
            Some(recorded.err().map_or(fault, Fault::from))
        }
        other => other,
    };
    match fault {
        Some(fault) => problem::answer(&app, Some(&call), fault).await,
        None => response,
    }
}

/// Token, right and body, in this order; the request without its body if all is well.
async fn enter(app: &Arc<App>, right: Right, request: Request) -> Result<(Call, Request), Fault> {
    let headers = request.headers();
    if !app.is_our_host(headers) {
        return Err(Trouble::WrongHost.into());
    }
    if request.uri().to_string().len() > ADDRESS_MAX {
        return Err(Trouble::AddressTooLong.into());
    }
    let mut call = Call {
        holder: None,
        language: asked_language(headers),
        address: address_of(app, &request),
        at: app.desk.now(),
        query: Fields::parse(request.uri().query().unwrap_or("").as_bytes())?,
        body: Bytes::new(),
    };
    if right != Right::Open {
        let path = request.uri().path();
        let token = token_of(headers).ok_or(Trouble::NoToken)?.to_owned();
        let holder = known(app, &call, token, path).await?;
        call.address = format!("{} (token {})", call.address, holder.token.n);
        call.holder = Some(holder);
        if !call.may(right) {
            refused::record(app, call.actor(), Why::Right, path).await?;
            return Err(Trouble::NotAllowed.into());
        }
    }
    let (parts, body) = request.into_parts();
    if parts.method != Method::GET && parts.method != Method::HEAD {
        if !is_json(&parts.headers) {
            return Err(Trouble::NoJson.into());
        }
        call.body = bytes(body).await.map_err(|status| match status {
            StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge,
            _ => Trouble::TooSlow,
        })?;
    }
    Ok((call, Request::from_parts(parts, Body::empty())))
}

/// Whose the token is. One that is spent leaves a row under its owner's login, one that nobody knows under none: and when
/// many come from one address, no more rows, as they are somebody's guesses.
async fn known(app: &Arc<App>, call: &Call, token: String, path: &str) -> Result<Holder, Fault> {
    let at = call.at;
    let found = app
        .casebook
        .read(move |connection| api_tokens::holder(connection, &token, at))
        .await?;
    let Some(holder) = found else {
        if !app.throttle.may_show_token(&call.address, at) {
            return Err(Trouble::TooMany.into());
        }
        app.throttle.failed_token(&call.address, at);
        refused::record(app, call.actor(), Why::UnknownToken, path).await?;
        return Err(Trouble::NoToken.into());
    };
    if let Some(how) = holder.spent {
        let n = holder.token.n;
        let actor = Actor {
            person: Some(holder.person),
            ..call.actor()
        };
        refused::record(app, actor, Why::SpentToken { n, how }, path).await?;
        return Err(Trouble::NoToken.into());
    }
    if holder.is_to_be_touched {
        let n = holder.token.n;
        app.casebook
            .write(move |transaction| api_tokens::touch(transaction, n, at))
            .await?;
    }
    Ok(holder)
}

/// What stands behind `Bearer`, if there is one such header.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/json")
}
