//! Logging in by an OpenID provider: the way there, the way back, and the code of the second factor.
//!
//! The way back is a GET that changes something, as the provider sends no form of ours. What stands in for the form's
//! token is the state, which is good with the cookie of the browser that began, once, for ten minutes. Nobody is sent to
//! the provider by a redirection, which browsers hold against the page's `form-action`, but by a page that leads there.

use std::sync::Arc;

use alerting::Language;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::App;
use super::answer::{Answer, Failure, page as show, page_with, see};
use super::attempts::{self, Enrolment, Step};
use super::frame::Frame;
use super::gate::{Cookies, Visit, is_equal};
use super::login::{again, end_cookie, enrol_form, enter, factor, keep, owner, place, shown};
use crate::casebook::audit::{self, Kind};
use crate::casebook::{Refusal, identities, people};
use crate::oidc::{Fault, SecondFactor};
use crate::words;

/// Where the provider sends browsers back to.
const BACK: &str = "/login/oidc/back";
/// Bytes of the place that one goes to afterwards, which is kept meanwhile.
const NEXT_MAX: usize = 1_024;
/// What the audit trail says of how somebody came in.
const HOW: &str = "by the provider";

#[derive(Template)]
#[template(path = "leave.html")]
struct LeavePage {
    p: Frame,
    place: String,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    p: Frame,
    message: Option<&'static str>,
}

/// What stands on the button, if there is a provider.
pub fn button(app: &App, language: Language) -> Option<String> {
    let provider = app.provider.as_ref()?;
    let chosen = provider.config().button.text(language);
    Some(
        chosen
            .unwrap_or(words::words(language).by_provider)
            .to_owned(),
    )
}

/// Whether the console's own second factor is asked for after the provider has answered.
pub fn asks_code(app: &App) -> bool {
    app.config.second_factor
        && app
            .provider
            .as_ref()
            .is_some_and(|provider| provider.config().second_factor == SecondFactor::Local)
}

/// `POST /login/oidc`
pub async fn begin(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    visit.fields.only(&["next"])?;
    let next = place(visit.fields.one("next")?);
    let next = if next.len() > NEXT_MAX { "" } else { next };
    leave(&app, &visit, next, None).await
}

/// `POST /enrol/oidc`: the token and the code are looked at before, and used up when the provider has answered.
pub async fn enrol(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    visit.fields.only(&["token", "secret", "code"])?;
    let token = visit.fields.one("token")?.trim().to_owned();
    let secret = visit.fields.some("secret")?.map(str::to_owned);
    match enrolment(&app, &visit, &token, secret.as_deref()).await {
        Ok(enrolment) => leave(&app, &visit, "", Some(enrolment)).await,
        Err(Failure::Refused(refusal)) => {
            enrol_form(&app, &visit, token, secret, Some(refusal)).await
        }
        Err(other) => Err(other),
    }
}

async fn enrolment(
    app: &Arc<App>,
    visit: &Visit,
    token: &str,
    secret: Option<&str>,
) -> Result<Enrolment, Failure> {
    let (_, by_provider) = owner(app, visit, token).await?;
    if !by_provider {
        return Err(Failure::Bad);
    }
    Ok(Enrolment {
        token: token.to_owned(),
        factor: factor(visit, asks_code(app), secret)?,
    })
}

/// The page that leads to the provider, and the cookie that its answer belongs to.
async fn leave(app: &App, visit: &Visit, next: &str, enrolment: Option<Enrolment>) -> Answer {
    let provider = app.provider.as_ref().ok_or(Failure::Missing)?;
    let permit = app.asking.try_acquire().map_err(|_| Failure::Busy)?;
    let question = provider.question(format!("{}{BACK}", app.origin)).await;
    drop(permit);
    let question = match question {
        Ok(question) => question,
        Err(fault) => return away(app, visit, &fault),
    };
    let step = Step::Asked(question.clone(), enrolment);
    let browser = app.attempts.begin(step, next, &visit.address, visit.at);
    let browser = browser.ok_or(Failure::Busy)?;
    let page = LeavePage {
        place: provider.way_there(&question, &attempts::state(&browser), visit.language),
        p: Frame::new(app, visit),
    };
    let mut response = show(&page)?;
    keep(app, &mut response, &browser);
    Ok(response)
}

/// `GET /login/oidc/back`: fields that are not known are the provider's business.
pub async fn back(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
) -> Answer {
    let provider = app.provider.as_ref().ok_or(Failure::Missing)?;
    let w = words::words(visit.language);
    if !app.throttle.may_return(&visit.address, visit.at) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        return again(&app, &visit, "", "", w.login_wait, status);
    }
    let permit = app.asking.try_acquire().map_err(|_| Failure::Busy)?;
    let begun = attempt_of(&app, &visit, &headers)?;
    let Some((Step::Asked(question, enrolment), next)) = begun else {
        return refuse(&app, &visit, Kind::Login, "", "over", w.provider_over).await;
    };
    let kind = match enrolment {
        Some(_) => Kind::Enrolled,
        None => Kind::Login,
    };
    let error = visit.query.one("error")?;
    let known = if error.is_empty() {
        let code = visit.query.one("code")?;
        provider.identity(&question, code, visit.at).await
    } else {
        tracing::warn!(error = shown(error), "the OpenID provider refuses a login");
        Err(Fault::Refused("refused there"))
    };
    drop(permit);
    let known = match known {
        Ok(known) => known,
        Err(Fault::Refused(why)) => {
            return refuse(&app, &visit, kind, "", why, w.provider_refused).await;
        }
        Err(fault) => return away(&app, &visit, &fault),
    };
    // Where the provider's second factor counts, nobody comes in without.
    if provider.config().second_factor == SecondFactor::Provider && !known.has_second_factor {
        let why = "no second factor";
        return refuse(&app, &visit, kind, "", why, w.provider_factor).await;
    }
    let identity = app.casebook.subject_key(&known.name);
    match enrolment {
        Some(enrolment) => bind(&app, &visit, enrolment, identity, known.login).await,
        None => log_in(&app, &visit, identity, known.login, &next).await,
    }
}

/// What the browser began, if the state is its own; whatever comes of it, it is over.
fn attempt_of(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
) -> Result<Option<(Step, String)>, Failure> {
    let state = visit.query.one("state")?;
    let cookies = Cookies::of(headers);
    let browser = cookies.get(app.attempt_cookie());
    let browser = browser.filter(|browser| is_equal(state, &attempts::state(browser)));
    Ok(browser.and_then(|browser| app.attempts.end(browser, visit.at)))
}

async fn bind(
    app: &Arc<App>,
    visit: &Visit,
    enrolment: Enrolment,
    identity: String,
    called: Option<String>,
) -> Answer {
    let (actor, token) = (visit.actor(), enrolment.token.clone());
    let bound = app
        .casebook
        .write(move |transaction| {
            let factor = enrolment.factor.as_ref();
            let totp = factor.map(|(secret, step)| (secret.as_str(), *step));
            let called = called.as_deref();
            let token = &enrolment.token;
            identities::bind(transaction, &actor, token, &identity, called, totp)
        })
        .await;
    match bound.map_err(Failure::from) {
        Ok(_) => {
            let mut response = see("/login?enrolled=1");
            end_cookie(&mut response, app, app.attempt_cookie());
            Ok(response)
        }
        Err(Failure::Refused(refusal)) => {
            // Whose token it is, so that he hears of it if it was not he.
            let owner = owner(app, visit, &token).await;
            let target = owner.map_or(String::new(), |(owner, _)| owner.login);
            let (why, message) = (refusal.to_string(), words::refusal(refusal, visit.language));
            refuse(app, visit, Kind::Enrolled, &target, &why, message).await
        }
        Err(other) => Err(other),
    }
}

async fn log_in(
    app: &Arc<App>,
    visit: &Visit,
    identity: String,
    called: Option<String>,
    next: &str,
) -> Answer {
    let wanted = identity.clone();
    let bound = app
        .casebook
        .read(move |connection| identities::bound(connection, &wanted))
        .await?;
    let w = words::words(visit.language);
    let account = match bound {
        Some(account) if !account.is_disabled => account,
        Some(account) => {
            let (target, note) = (&account.login, "disabled");
            return refuse(app, visit, Kind::Login, target, note, w.provider_unknown).await;
        }
        None => {
            let target = shown(called.as_deref().unwrap_or(""));
            let note = "bound to no account";
            return refuse(app, visit, Kind::Login, &target, note, w.provider_unknown).await;
        }
    };
    if asks_code(app) {
        let step = Step::Known {
            identity,
            login: account.login,
        };
        let browser = app.attempts.begin(step, next, &visit.address, visit.at);
        let mut response = see("/login/oidc/code");
        keep(app, &mut response, &browser.ok_or(Failure::Busy)?);
        return Ok(response);
    }
    come_in(app, visit, account.n, None, next).await
}

/// The session, as after a login by password.
async fn come_in(app: &App, visit: &Visit, n: i64, step: Option<u64>, next: &str) -> Answer {
    let actor = visit.actor();
    let session = app
        .casebook
        .write(move |transaction| people::log_in(transaction, &actor, n, step, None, HOW))
        .await?;
    let mut response = enter(app, &session.token, next);
    end_cookie(&mut response, app, app.attempt_cookie());
    Ok(response)
}

/// `GET /login/oidc/code`
pub async fn code_page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
) -> Answer {
    app.provider.as_ref().ok_or(Failure::Missing)?;
    let p = Frame::new(&app, &visit);
    match known_of(&app, &visit, &headers) {
        Some(_) => show(&CodePage { p, message: None }),
        None => over(&app, &visit),
    }
}

/// `POST /login/oidc/code`: counts as an attempt at the account, as a password does.
pub async fn code(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    headers: HeaderMap,
) -> Answer {
    visit.fields.only(&["code"])?;
    app.provider.as_ref().ok_or(Failure::Missing)?;
    let Some(Known {
        browser,
        identity,
        login,
        next,
    }) = known_of(&app, &visit, &headers)
    else {
        return over(&app, &visit);
    };
    let p = Frame::new(&app, &visit);
    if !app.throttle.may_try(&login, &visit.address, visit.at) {
        let message = Some(p.w.login_wait);
        return page_with(StatusCode::TOO_MANY_REQUESTS, &CodePage { p, message });
    }
    let account = app
        .casebook
        .read(move |connection| identities::bound(connection, &identity))
        .await?
        .ok_or(Failure::Denied)?;
    // Without a second factor: enrolled when none was asked for, and a new token makes it whole.
    let step = account
        .factor
        .check(visit.fields.one("code")?, visit.at)
        .map_err(Failure::from)
        .and_then(|step| step.ok_or(Refusal::WrongCode.into()));
    let come = match step {
        Ok(step) => come_in(&app, &visit, account.n, Some(step), &next).await,
        Err(failure) => Err(failure),
    };
    match come {
        Ok(response) => {
            app.attempts.end(&browser, visit.at);
            app.throttle.succeeded(&login, &visit.address);
            Ok(response)
        }
        Err(Failure::Refused(_)) => {
            app.throttle.failed(&login, &visit.address, visit.at);
            record(&app, &visit, Kind::Login, &login, "provider: code").await?;
            let message = Some(words::refusal(Refusal::WrongCode, visit.language));
            page_with(StatusCode::UNAUTHORIZED, &CodePage { p, message })
        }
        Err(other) => Err(other),
    }
}

/// Whoever the provider knows, and whose code is waited for.
struct Known {
    browser: String,
    identity: String,
    login: String,
    next: String,
}

fn known_of(app: &App, visit: &Visit, headers: &HeaderMap) -> Option<Known> {
    let cookies = Cookies::of(headers);
    let browser = cookies.get(app.attempt_cookie())?;
    match app.attempts.of(browser, visit.at)? {
        (Step::Known { identity, login }, next) => Some(Known {
            browser: browser.to_owned(),
            identity,
            login,
            next,
        }),
        (Step::Asked(..), _) => None,
    }
}

fn over(app: &App, visit: &Visit) -> Answer {
    let w = words::words(visit.language);
    again(
        app,
        visit,
        "",
        "",
        w.provider_over,
        StatusCode::UNAUTHORIZED,
    )
}

/// A provider that is away is the log's matter: it is held against nobody.
fn away(app: &App, visit: &Visit, fault: &Fault) -> Answer {
    tracing::warn!(%fault, "nobody can log in by the OpenID provider");
    let message = words::words(visit.language).provider_away;
    again(app, visit, "", "", message, StatusCode::SERVICE_UNAVAILABLE)
}

/// The page of logins with what happened, and a row of the trail that says it in a word.
async fn refuse(
    app: &App,
    visit: &Visit,
    kind: Kind,
    target: &str,
    why: &str,
    message: &'static str,
) -> Answer {
    app.throttle.failed_return(&visit.address, visit.at);
    record(app, visit, kind, target, &format!("provider: {why}")).await?;
    let mut response = again(app, visit, "", "", message, StatusCode::UNAUTHORIZED)?;
    end_cookie(&mut response, app, app.attempt_cookie());
    Ok(response)
}

async fn record(
    app: &App,
    visit: &Visit,
    kind: Kind,
    target: &str,
    note: &str,
) -> Result<(), Failure> {
    let (actor, target, note) = (visit.actor(), target.to_owned(), note.to_owned());
    let written = app
        .casebook
        .write(move |transaction| audit::append(transaction, &actor, kind, false, &target, &note));
    Ok(written.await?)
}
