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

use super::answer::{Answer, Failure, page as show, page_with, see};
use super::frame::Frame;
use super::gate::Visit;
use super::{App, attempts, oidc};
use crate::casebook::audit::{self, Kind};
use crate::casebook::{CasebookError, Refusal, identities, people};
use crate::rights::{Person, Right};
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
    /// What stands on the button to the provider, if there is one.
    button: Option<String>,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    p: Frame,
    title: &'static str,
    message: Option<&'static str>,
    /// Once the token is known.
    owner: Option<Owner>,
}

struct Owner {
    token: String,
    login: String,
    name: String,
    /// What stands on the button to the provider, of whoever logs in there, and sets no password here.
    button: Option<String>,
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
        button: oidc::button(&app, visit.language),
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
            Ok(enter(&app, &token, &next))
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

/// The way in, with the cookie of a new session.
pub(super) fn enter(app: &App, token: &str, next: &str) -> Response {
    let mut response = see(if next.is_empty() { "/" } else { next });
    set_cookie(
        &mut response,
        &app.cookie(app.session_cookie(), token, None),
    );
    // What was good before the login is good no more.
    end_cookie(&mut response, app, app.form_cookie());
    response
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
    let step = secrets.factor.check(code, visit.at)?;
    if app.config.second_factor && step.is_none() {
        // Enrolled when no second factor was asked for: a new token makes it whole.
        return Err(Refusal::WrongCode.into());
    }
    let (actor, anew) = (visit.actor(), anew?);
    let session = app
        .casebook
        .write(move |transaction| {
            people::log_in(transaction, &actor, secrets.n, step, anew.as_deref(), "")
        })
        .await?;
    Ok(session.token)
}

/// The page of logins, with what happened.
pub(super) fn again(
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
            button: oidc::button(app, visit.language),
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
    end_cookie(&mut response, &app, app.session_cookie());
    Ok(response)
}

/// `GET /enrol`
pub async fn enrol_page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    let p = Frame::new(&app, &visit);
    show(&EnrolPage {
        title: p.w.enrol,
        p,
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
    let (owner, by_provider) = owner(app, visit, token).await?;
    if by_provider {
        return Err(Failure::Bad);
    }
    let password = fields.one("password")?.to_owned();
    if password != fields.one("again")? {
        return Err(Refusal::PasswordsDiffer.into());
    }
    people::check_password(&password, &owner.login, &owner.name)?;
    let factor = factor(visit, app.config.second_factor, secret)?;
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

/// The second factor of an enrolment, if one is asked for: its secret, and the step of the code that was shown.
pub(super) fn factor(
    visit: &Visit,
    is_asked: bool,
    secret: Option<&str>,
) -> Result<Option<(String, u64)>, Failure> {
    match (is_asked, secret) {
        (false, _) => Ok(None),
        (true, None) => Err(Failure::Bad),
        (true, Some(secret)) => {
            let step = people::totp_step(secret, visit.fields.one("code")?, visit.at);
            let step = step.map_err(|_| Failure::Bad)?.ok_or(Refusal::WrongCode)?;
            Ok(Some((secret.to_owned(), step)))
        }
    }
}

/// Hashes a password where it holds nobody up.
pub(super) async fn hash(app: &App, password: String) -> Result<String, Failure> {
    let permit = app.hashing.try_acquire().map_err(|_| Failure::Busy)?;
    let hashed = tokio::task::spawn_blocking(move || people::hash_password(&password));
    let hashed = hashed.await.map_err(|_| Failure::Broken)?;
    drop(permit);
    Ok(hashed?)
}

/// Whom a token would enrol, and whether by the provider.
pub(super) async fn owner(
    app: &App,
    visit: &Visit,
    token: &str,
) -> Result<(Person, bool), Failure> {
    let (wanted, at) = (token.to_owned(), visit.at);
    let found = app
        .casebook
        .read(move |connection| {
            let owner = people::token_owner(connection, &wanted, at)?;
            let by_provider = identities::is_by_provider(connection, owner.n)?;
            Ok((owner, by_provider))
        })
        .await;
    if let Err(CasebookError::Refused(_)) = found {
        app.throttle.failed("token", &visit.address, visit.at);
    }
    Ok(found?)
}

/// The form for whoever has the token; without a good one the page that asks for it.
pub(super) async fn enrol_form(
    app: &Arc<App>,
    visit: &Visit,
    token: String,
    secret: Option<String>,
    refusal: Option<Refusal>,
) -> Answer {
    let p = Frame::new(app, visit);
    let message = |refusal| words::refusal(refusal, visit.language);
    let button = oidc::button(app, visit.language);
    let found = match owner(app, visit, &token).await {
        Ok((_, true)) if button.is_none() => Err(p.w.provider_none),
        Ok(found) => Ok(found),
        Err(Failure::Refused(refusal)) => Err(message(refusal)),
        Err(other) => return Err(other),
    };
    let (person, by_provider) = match found {
        Ok(found) => found,
        Err(why) => {
            let page = EnrolPage {
                title: p.w.enrol,
                p,
                message: Some(why),
                owner: None,
            };
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let is_asked = match by_provider {
        true => oidc::asks_code(app),
        false => app.config.second_factor,
    };
    let factor = if is_asked {
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
            title: if by_provider {
                p.w.enrol_bound
            } else {
                p.w.enrol
            },
            p,
            message: refusal.map(message),
            owner: Some(Owner {
                token,
                login: person.login,
                name: person.name,
                button: button.filter(|_| by_provider),
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
pub(super) fn place(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_ours { next } else { "" }
}

/// Whatever was typed as a login, fit for the audit trail: somebody may have typed a password.
pub(super) fn shown(login: &str) -> String {
    login
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
        .take(32)
        .collect()
}

/// The cookie of a login by the provider that has begun.
pub(super) fn keep(app: &App, response: &mut Response, browser: &str) {
    let seconds = attempts::MINUTES * 60;
    set_cookie(
        response,
        &app.cookie(app.attempt_cookie(), browser, Some(seconds)),
    );
}

/// Takes a cookie away from the browser.
pub(super) fn end_cookie(response: &mut Response, app: &App, name: &str) {
    set_cookie(response, &app.cookie(name, "", Some(0)));
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
