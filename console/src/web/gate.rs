//! The gate before every route: whose request it is, whether it comes from a page of ours, and whether the person has
//! the right that the route's entry names. What fails here never reaches a handler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alerting::Language;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::answer::{Failure, see};
use super::form::Fields;
use super::refused::{self, Why};
use super::{App, frame};
use crate::casebook::people::{self, Session};
use crate::casebook::{Actor, CasebookError, token};
use crate::rights::{Person, Right};

/// Bytes of a form at most.
const BODY_MAX: usize = 64 * 1024;
/// A form has to be there so soon after its head.
const BODY_WITHIN: Duration = Duration::from_secs(15);
/// Bytes of an address at most.
pub const ADDRESS_MAX: usize = 4 * 1024;

/// One request, as a handler sees it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who; `None` of whoever has not logged in.
    pub session: Option<Session>,
    /// What the forms of the page must carry.
    pub csrf: String,
    /// The language to answer in.
    pub language: Language,
    /// Whether the keyboard shortcuts are on.
    pub keys: bool,
    /// Where from.
    pub address: String,
    /// When.
    pub at: Timestamp,
    /// Path and query.
    pub here: String,
    /// The query.
    pub query: Fields,
    /// The form.
    pub fields: Fields,
}

impl Visit {
    /// Who is logged in.
    ///
    /// # Errors
    /// Nobody; the gate lets nobody through to where this is asked.
    pub fn person(&self) -> Result<&Person, Failure> {
        self.session
            .as_ref()
            .map(|session| &session.person)
            .ok_or(Failure::Denied)
    }

    /// What the audit trail says of whoever does something.
    pub fn actor(&self) -> Actor {
        Actor {
            person: self.session.as_ref().map(|session| session.person.clone()),
            address: self.address.clone(),
            at: self.at,
        }
    }
}

/// Lets a request through to the handler of a route, or answers itself.
pub async fn pass(
    State((app, right)): State<(Arc<App>, Right)>,
    request: Request,
    next: Next,
) -> Response {
    let address = address_of(&app, &request);
    let now = app.desk.now();
    let headers = request.headers();
    if !app.is_our_host(headers) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    if request.uri().to_string().len() > ADDRESS_MAX {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    let cookies = Cookies::of(headers);
    let mut visit = Visit {
        session: None,
        csrf: String::new(),
        language: language(&cookies, headers),
        keys: cookies.get("keys") != Some("off"),
        address,
        at: now,
        here: request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
        query: Fields::default(),
        fields: Fields::default(),
    };
    let mut new_cookie = None;
    let entered = enter(&app, right, &cookies, &mut visit, &mut new_cookie, request).await;
    let mut response = match entered {
        Err(refused) => *refused,
        Ok(mut request) => {
            request.extensions_mut().insert(Arc::new(visit.clone()));
            answered(next, request).await
        }
    };
    // An address that no number or text can be read from names nothing: said by a page of ours.
    let is_of_library = response.status() == StatusCode::BAD_REQUEST
        && response.extensions().get::<Failure>().is_none();
    if is_of_library {
        response.extensions_mut().insert(Failure::Missing);
    }
    if let Some(mut failure) = response.extensions_mut().remove::<Failure>() {
        if failure == Failure::Missing {
            let path = visit.here.split('?').next().unwrap_or_default();
            if let Err(error) = refused::record_missing(&app, visit.actor(), path).await {
                failure = error.into();
            }
        }
        response = frame::failure(&app, &visit, &failure).await;
    }
    if let Some(cookie) = new_cookie
        && let Ok(value) = HeaderValue::from_str(&cookie)
    {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// The answer of a handler, in a task of its own: a panic is an answer, not a connection that breaks off.
pub async fn answered(next: Next, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, path, "a page panicked");
            Failure::Broken.into_response()
        }
    }
}

/// The body of a request: not endless, and not at leisure.
///
/// # Errors
/// The code to answer with.
pub async fn bytes(body: Body) -> Result<Bytes, StatusCode> {
    tokio::time::timeout(BODY_WITHIN, to_bytes(body, BODY_MAX))
        .await
        .map_err(|_| StatusCode::REQUEST_TIMEOUT)?
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

/// Session, form and right, in this order; the request without its form if all is well.
async fn enter(
    app: &Arc<App>,
    right: Right,
    cookies: &Cookies,
    visit: &mut Visit,
    new_cookie: &mut Option<String>,
    request: Request,
) -> Result<Request, Box<Response>> {
    let refuse = |failure: Failure| Box::new(failure.into_response());
    let broken = |error: CasebookError| refuse(Failure::from(error));
    if let Some(token) = cookies.get(app.session_cookie()) {
        let (token, at, limits) = (token.to_owned(), visit.at, app.limits);
        let found = app
            .casebook
            .read(move |connection| people::session(connection, &token, at, limits))
            .await
            .map_err(broken)?;
        if let Some((session, is_to_be_touched)) = found {
            if is_to_be_touched {
                let (hash, at) = (session.hash.clone(), visit.at);
                app.casebook
                    .write(move |transaction| people::touch(transaction, &hash, at))
                    .await
                    .map_err(broken)?;
            }
            visit.csrf.clone_from(&session.csrf);
            visit.session = Some(session);
        }
    }
    if visit.session.is_none() {
        // Whoever has no session has forms, too: theirs are signed over a cookie of their own.
        let known = cookies
            .get(app.form_cookie())
            .filter(|value| value.len() == 32);
        let mark = known.map_or_else(token, str::to_owned);
        if known.is_none() {
            *new_cookie = Some(app.cookie(app.form_cookie(), &mark, None));
        }
        visit.csrf = form_token(app, &mark);
    }
    visit.query = Fields::parse(request.uri().query().unwrap_or("").as_bytes()).map_err(refuse)?;
    let is_act = request.method() != Method::GET && request.method() != Method::HEAD;
    if right != Right::Open && visit.session.is_none() {
        return Err(Box::new(if is_act {
            StatusCode::UNAUTHORIZED.into_response()
        } else {
            let next = super::form::query([("next", visit.here.as_str())]);
            see(&format!("/login?{next}"))
        }));
    }
    let (parts, body) = request.into_parts();
    if is_act {
        if !app.is_our_origin(&parts.headers) {
            let (why, path) = (Why::Form, parts.uri.path());
            return Err(turned_away(app, visit, why, path, Failure::Forged).await);
        }
        let bytes = bytes(body).await.map_err(|status| match status {
            StatusCode::PAYLOAD_TOO_LARGE => refuse(Failure::TooLarge),
            status => Box::new(status.into_response()),
        })?;
        visit.fields = Fields::parse(&bytes).map_err(refuse)?;
        let sent = visit.fields.one("csrf").map_err(refuse)?;
        if !is_equal(sent, &visit.csrf) {
            let (why, path) = (Why::Form, parts.uri.path());
            return Err(turned_away(app, visit, why, path, Failure::Forged).await);
        }
    }
    if let Some(session) = &visit.session
        && !session.person.may(right)
    {
        let (why, path) = (Why::Right, parts.uri.path());
        return Err(turned_away(app, visit, why, path, Failure::Denied).await);
    }
    Ok(Request::from_parts(parts, Body::empty()))
}

/// What is answered to whoever is refused, once that is a row of the trail.
async fn turned_away(
    app: &Arc<App>,
    visit: &Visit,
    why: Why,
    path: &str,
    failure: Failure,
) -> Box<Response> {
    let recorded = refused::record(app, visit.actor(), why, path).await;
    Box::new(
        recorded
            .err()
            .map_or(failure, Failure::from)
            .into_response(),
    )
}

/// What the forms of somebody without a session carry.
fn form_token(app: &App, mark: &str) -> String {
    blake3::keyed_hash(app.casebook.form_key(), mark.as_bytes())
        .to_hex()
        .to_string()
}

/// Compares without giving away by its time how much was right.
pub fn is_equal(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes()) && !other.is_empty()
}

/// Where the request came from: of what a proxy says only the last, which is what the proxy itself saw.
pub fn address_of(app: &App, request: &Request) -> String {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let is_proxy = app.behind_proxy && peer.is_none_or(|peer| peer.is_loopback());
    let forwarded = is_proxy
        .then(|| {
            request
                .headers()
                .get_all("x-forwarded-for")
                .iter()
                .next_back()
        })
        .flatten()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .and_then(|value| value.trim().parse::<std::net::IpAddr>().ok());
    forwarded
        .or(peer)
        .map_or("unknown".to_owned(), |address| address.to_string())
}

/// The cookies of a request.
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Those that came with a request.
    pub fn of(headers: &HeaderMap) -> Cookies {
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        Cookies(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What the reader chose, else what the browser asks for, else Chinese.
fn language(cookies: &Cookies, headers: &HeaderMap) -> Language {
    match cookies.get("lang") {
        Some("en") => Language::En,
        Some("zh") => Language::Zh,
        _ => asked_language(headers),
    }
}

/// What the request asks for, else Chinese.
pub fn asked_language(headers: &HeaderMap) -> Language {
    let asked = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if asked.starts_with("en") {
        Language::En
    } else {
        Language::Zh
    }
}
