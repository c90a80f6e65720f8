//! Logging in and out, and enrolling with a one-time token.
//!
//! Whatever is wrong, account, password or code, is answered alike and after as long a time.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use qrcode::QrCode;
use qrcode::render::svg;

use super::App;
use super::answer::{Answer, Failure, page as show, page_with, see};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::audit::{self, Kind};
use crate::casebook::{CasebookError, Refusal, people};
use crate::rights::Right;
use crate::words;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    p: Frame,
    next: String,
    login: String,
    message: Option<&'static str>,
    is_good_news: bool,
    has_code: bool,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    p: Frame,
    message: Option<&'static str>,
    /// Once the token is known.
    owner: Option<Owner>,
}

struct Owner {
    token: String,
    login: String,
    name: String,
    factor: Option<Factor>,
}

struct Factor {
    secret: String,
    /// A QR code, drawn by us.
    svg: String,
}

/// `GET /`: where a person's work is.
pub async fn home(Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let person = visit.person()?;
    Ok(see(if person.may(Right::SeeCases) {
        "/alerts"
    } else {
        "/people"
    }))
}

/// `GET /login`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    if visit.session.is_some() {
        return Ok(see("/"));
    }
    let done = visit.query.one("enrolled")? == "1";
    let p = Frame::new(&app, &visit);
    show(&LoginPage {
        message: done.then_some(p.w.enrolled),
        is_good_news: done,
        next: place(visit.query.one("next")?).to_owned(),
        login: String::new(),
        has_code: app.config.second_factor,
        p,
    })
}

/// `POST /login`
pub async fn log_in(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["login", "password", "code", "next"])?;
    let login = visit.fields.one("login")?.trim().to_lowercase();
    let next = place(visit.fields.one("next")?).to_owned();
    let w = words::words(visit.language);
    if !app.throttle.may_try(&login, &visit.address, visit.at) {
        return again(
            &app,
            &visit,
            &login,
            &next,
            w.login_wait,
            StatusCode::TOO_MANY_REQUESTS,
        );
    }
    let password = visit.fields.one("password")?.to_owned();
    let code = visit.fields.one("code")?.to_owned();
    match try_log_in(&app, &visit, &login, password, &code).await {
        Ok(token) => {
            app.throttle.succeeded(&login, &visit.address);
            let mut response = see(if next.is_empty() { "/" } else { &next });
            set_cookie(
                &mut response,
                &app.cookie(app.session_cookie(), &token, None),
            );
            // What was good before the login is good no more.
            set_cookie(&mut response, &app.cookie(app.form_cookie(), "", Some(0)));
            Ok(response)
        }
        Err(Failure::Refused(_)) => {
            app.throttle.failed(&login, &visit.address, visit.at);
            let (actor, target) = (visit.actor(), shown(&login));
            app.casebook
                .write(move |transaction| {
                    audit::append(transaction, &actor, Kind::Login, false, &target, "")
                })
                .await?;
            again(
                &app,
                &visit,
                &login,
                &next,
                w.login_failed,
                StatusCode::UNAUTHORIZED,
            )
        }
        Err(other) => Err(other),
    }
}

async fn try_log_in(
    app: &Arc<App>,
    visit: &Visit,
    login: &str,
    password: String,
    code: &str,
) -> Result<String, Failure> {
    let wanted = login.to_owned();
    let secrets = app
        .casebook
        .read(move |connection| people::secrets(connection, &wanted))
        .await?;
    let stored = secrets.clone().map(|secrets| secrets.password);
    let permit = app.hashing.try_acquire().map_err(|_| Failure::Busy)?;
    let checked = tokio::task::spawn_blocking(move || {
        let stored = stored.as_deref().unwrap_or(people::decoy());
        let (is_right, is_old) = people::verify_password(&password, stored);
        let anew = is_old.then(|| people::hash_password(&password)).transpose();
        (is_right, anew)
    });
    let (is_right, anew) = checked.await.map_err(|_| Failure::Broken)?;
    drop(permit);
    let secrets = secrets.filter(|_| is_right).ok_or(Refusal::WrongCode)?;
    let step = secrets.check_code(code, visit.at)?;
    if app.config.second_factor && step.is_none() {
        // Enrolled when no second factor was asked for: a new token makes it whole.
        return Err(Refusal::WrongCode.into());
    }
    let (actor, anew) = (visit.actor(), anew?);
    let session = app
        .casebook
        .write(move |transaction| {
            people::log_in(transaction, &actor, secrets.n, step, anew.as_deref())
        })
        .await?;
    Ok(session.token)
}

fn again(
    app: &App,
    visit: &Visit,
    login: &str,
    next: &str,
    message: &'static str,
    status: StatusCode,
) -> Answer {
    page_with(
        status,
        &LoginPage {
            p: Frame::new(app, visit),
            next: next.to_owned(),
            login: login.chars().take(32).collect(),
            message: Some(message),
            is_good_news: false,
            has_code: app.config.second_factor,
        },
    )
}

/// `POST /logout`
pub async fn log_out(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&[])?;
    let session = visit.session.clone().ok_or(Failure::Denied)?;
    let actor = visit.actor();
    app.casebook
        .write(move |transaction| people::log_out(transaction, &actor, &session.hash))
        .await?;
    let mut response = see("/login");
    set_cookie(
        &mut response,
        &app.cookie(app.session_cookie(), "", Some(0)),
    );
    Ok(response)
}

/// `GET /enrol`
pub async fn enrol_page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    show(&EnrolPage {
        p: Frame::new(&app, &visit),
        message: None,
        owner: None,
    })
}

/// `POST /enrol`: the token is shown, and not yet used up.
pub async fn enrol_token(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["token"])?;
    let token = visit.fields.one("token")?.trim().to_owned();
    if !app.throttle.may_try("token", &visit.address, visit.at) {
        return Err(Failure::TooMany);
    }
    enrol_form(&app, &visit, token, None, None).await
}

/// `POST /enrol/finish`
pub async fn enrol(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let fields = &visit.fields;
    fields.only(&["token", "secret", "password", "again", "code"])?;
    let token = fields.one("token")?.trim().to_owned();
    let secret = fields.some("secret")?.map(str::to_owned);
    match try_enrol(&app, &visit, &token, secret.as_deref()).await {
        Ok(()) => Ok(see("/login?enrolled=1")),
        Err(Failure::Refused(refusal)) => {
            enrol_form(&app, &visit, token, secret, Some(refusal)).await
        }
        Err(other) => Err(other),
    }
}

async fn try_enrol(
    app: &Arc<App>,
    visit: &Visit,
    token: &str,
    secret: Option<&str>,
) -> Result<(), Failure> {
    let fields = &visit.fields;
    let owner = owner(app, visit, token).await?;
    let password = fields.one("password")?.to_owned();
    if password != fields.one("again")? {
        return Err(Refusal::PasswordsDiffer.into());
    }
    people::check_password(&password, &owner.login, &owner.name)?;
    let factor = match (app.config.second_factor, secret) {
        (false, _) => None,
        (true, None) => return Err(Failure::Bad),
        (true, Some(secret)) => {
            let step = people::totp_step(secret, fields.one("code")?, visit.at);
            let step = step.map_err(|_| Failure::Bad)?.ok_or(Refusal::WrongCode)?;
            Some((secret.to_owned(), step))
        }
    };
    let hash = hash(app, password).await?;
    let (actor, token) = (visit.actor(), token.to_owned());
    app.casebook
        .write(move |transaction| {
            let factor = factor
                .as_ref()
                .map(|(secret, step)| (secret.as_str(), *step));
            people::enrol(transaction, &actor, &token, &hash, factor)
        })
        .await?;
    Ok(())
}

/// Hashes a password where it holds nobody up.
pub(super) async fn hash(app: &App, password: String) -> Result<String, Failure> {
    let permit = app.hashing.try_acquire().map_err(|_| Failure::Busy)?;
    let hashed = tokio::task::spawn_blocking(move || people::hash_password(&password));
    let hashed = hashed.await.map_err(|_| Failure::Broken)?;
    drop(permit);
    Ok(hashed?)
}

async fn owner(app: &App, visit: &Visit, token: &str) -> Result<crate::rights::Person, Failure> {
    let (wanted, at) = (token.to_owned(), visit.at);
    let found = app
        .casebook
        .read(move |connection| people::token_owner(connection, &wanted, at))
        .await;
    if let Err(CasebookError::Refused(_)) = found {
        app.throttle.failed("token", &visit.address, visit.at);
    }
    Ok(found?)
}

/// The form for whoever has the token; without a good one the page that asks for it.
async fn enrol_form(
    app: &Arc<App>,
    visit: &Visit,
    token: String,
    secret: Option<String>,
    refusal: Option<Refusal>,
) -> Answer {
    let p = Frame::new(app, visit);
    let message = |refusal| words::refusal(refusal, visit.language);
    let person = match owner(app, visit, &token).await {
        Ok(person) => person,
        Err(Failure::Refused(refusal)) => {
            let page = EnrolPage {
                p,
                message: Some(message(refusal)),
                owner: None,
            };
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(other) => return Err(other),
    };
    let factor = if app.config.second_factor {
        let secret = match secret {
            Some(secret) => secret,
            None => people::new_totp()?,
        };
        Some(Factor {
            svg: qr(&people::totp_url(&secret, &person.login)?)?,
            secret,
        })
    } else {
        None
    };
    let status = if refusal.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    page_with(
        status,
        &EnrolPage {
            p,
            message: refusal.map(message),
            owner: Some(Owner {
                token,
                login: person.login,
                name: person.name,
                factor,
            }),
        },
    )
}

fn qr(text: &str) -> Result<String, Failure> {
    let code = QrCode::new(text.as_bytes()).map_err(|_| Failure::Broken)?;
    let drawn = code
        .render::<svg::Color<'_>>()
        .min_dimensions(180, 180)
        .build();
    // Without the XML declaration it can stand within a page.
    Ok(drawn
        .split_once("?>")
        .map_or(drawn.clone(), |(_, svg)| svg.to_owned()))
}

/// Where to go after the login: a place of ours.
fn place(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_ours { next } else { "" }
}

/// Whatever was typed as a login, fit for the audit trail: somebody may have typed a password.
fn shown(login: &str) -> String {
    login
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
        .take(32)
        .collect()
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_sent_nowhere_else() {
        for (next, expected) in [
            ("/alerts?tab=mine", "/alerts?tab=mine"),
            ("//evil.example", ""),
            ("/\\evil.example", ""),
            ("https://evil.example", ""),
            ("/a\r\nSet-Cookie: x", ""),
            ("", ""),
        ] {
            assert_eq!(place(next), expected);
        }
    }
}
