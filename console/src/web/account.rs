//! What concerns oneself: language, shortcuts, password, tokens of the API.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};

use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use super::{App, login};
use crate::casebook::api_tokens::{self, ApiToken};
use crate::casebook::audit::{self, Kind};
use crate::casebook::{Refusal, identities, people};
use crate::rights::{Right, Scope};
use crate::words::{self, Words};

/// Events of an account that are shown, and how far back.
const EVENTS_MAX: u32 = 20;
const EVENT_HOURS: i64 = 90 * 24;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    p: Frame,
    login: String,
    name: String,
    role: &'static str,
    regions: String,
    changed: bool,
    /// Whoever logs in by the provider has none here.
    has_password: bool,
    /// Whether the person can have tokens of the API.
    has_tokens: bool,
    tokens: Vec<TokenRow>,
    scopes: Vec<(&'static str, &'static str)>,
    days_max: i64,
    /// What happened to the account of late.
    events: Vec<Event>,
}

struct Event {
    at: String,
    what: &'static str,
    is_done: bool,
    who: String,
    from: String,
}

struct TokenRow {
    n: i64,
    name: String,
    scope: &'static str,
    since: String,
    until: String,
    used: String,
    state: &'static str,
    is_good: bool,
}

#[derive(Template)]
#[template(path = "api_token.html")]
struct TokenPage {
    p: Frame,
    name: String,
    token: String,
}

/// `GET /account`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let person = visit.person()?;
    let n = person.n;
    let (tokens, by_provider) = app
        .casebook
        .read(move |connection| {
            let tokens = api_tokens::of_person(connection, n)?;
            Ok((tokens, identities::is_by_provider(connection, n)?))
        })
        .await?;
    let p = Frame::new(&app, &visit);
    let (login, since) = (
        person.login.clone(),
        visit
            .at
            .saturating_sub(jiff::SignedDuration::from_hours(EVENT_HOURS)),
    );
    let since = since.map_err(|_| Failure::Broken)?;
    let events = app
        .casebook
        .read(move |connection| audit::of_account(connection, &login, since, EVENTS_MAX))
        .await?;
    show(&AccountPage {
        has_password: !by_provider,
        has_tokens: person.may(Right::SeeCases) && !by_provider,
        tokens: tokens
            .into_iter()
            .map(|token| token_row(&app, &visit, token, p.w))
            .collect(),
        scopes: Scope::ALL
            .map(|scope| (scope.as_str(), words::scope(scope, visit.language)))
            .to_vec(),
        days_max: api_tokens::DAYS_MAX,
        login: person.login.clone(),
        name: person.name.clone(),
        role: words::role(person.role, visit.language),
        regions: super::people::regions_in_words(&app, &person.regions, p.w),
        changed: visit.query.one("changed")? == "1",
        events: events
            .into_iter()
            .map(|event| Event {
                at: app.desk.clock_text(event.at),
                what: Kind::parse(&event.kind)
                    .map_or("", |kind| words::audit_kind(kind, visit.language)),
                is_done: event.ok,
                who: event.login,
                from: event.address,
            })
            .collect(),
        p,
    })
}

fn token_row(app: &App, visit: &Visit, token: ApiToken, w: &Words) -> TokenRow {
    let state = if token.is_revoked {
        w.token_revoked
    } else if token.until <= visit.at {
        w.token_expired
    } else {
        w.token_good
    };
    TokenRow {
        n: token.n,
        name: token.name,
        scope: words::scope(token.scope, visit.language),
        since: app.desk.clock_text(token.since),
        until: app.desk.clock_text(token.until),
        used: token
            .used
            .map_or("—".to_owned(), |at| app.desk.clock_text(at)),
        is_good: state == w.token_good,
        state,
    }
}

/// `POST /account/tokens/make`: the password is asked for, as whoever finds a session open must not make it last a year.
pub async fn make_token(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["name", "scope", "days", "password"])?;
    let name = fields.one("name")?.to_owned();
    let scope = Scope::parse(fields.one("scope")?).ok_or(Refusal::BadChoice)?;
    let days = fields.number("days").map_err(|_| Refusal::BadChoice)?;
    confirm(&app, &visit, fields.one("password")?).await?;
    let (actor, named) = (visit.actor(), name.clone());
    let token = app
        .casebook
        .write(move |transaction| api_tokens::make(transaction, &actor, &named, scope, days))
        .await?;
    show(&TokenPage {
        p: Frame::new(&app, &visit),
        name,
        token,
    })
}

/// `POST /account/tokens/revoke`
pub async fn revoke_token(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["n"])?;
    let (actor, n) = (visit.actor(), visit.fields.number("n")?);
    app.casebook
        .write(move |transaction| api_tokens::revoke(transaction, &actor, n))
        .await?;
    Ok(see("/account#tokens"))
}

/// `POST /preferences`: language and shortcuts, kept by the browser.
pub async fn preferences(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["lang", "keys", "back"])?;
    let back = visit.fields.one("back")?;
    let is_ours = back.starts_with('/')
        && !back.starts_with("//")
        && back.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let mut response = see(if is_ours { back } else { "/" });
    for (field, words) in [("lang", ["zh", "en"]), ("keys", ["on", "off"])] {
        let Some(chosen) = visit.fields.some(field)? else {
            continue;
        };
        if !words.contains(&chosen) {
            return Err(Failure::Bad);
        }
        const YEAR_SECONDS: u32 = 365 * 24 * 3_600;
        let cookie = app.cookie(field, chosen, Some(YEAR_SECONDS));
        let value = HeaderValue::from_str(&cookie).map_err(|_| Failure::Bad)?;
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// `POST /account/password`: the present one is asked for; the other sessions of the account end.
pub async fn password(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["old", "password", "again"])?;
    let person = visit.person()?.clone();
    let session = visit.session.clone().ok_or(Failure::Denied)?;
    let new = visit.fields.one("password")?.to_owned();
    if new != visit.fields.one("again")? {
        return Err(Refusal::PasswordsDiffer.into());
    }
    people::check_password(&new, &person.login, &person.name)?;
    confirm(&app, &visit, visit.fields.one("old")?).await?;
    let hash = login::hash(&app, new).await?;
    let actor = visit.actor();
    app.casebook
        .write(move |transaction| {
            people::set_password(transaction, &person, &hash, &session.hash, actor.at)?;
            let kind = Kind::PasswordChanged;
            audit::append(transaction, &actor, kind, true, &person.login, "")
        })
        .await?;
    Ok(see("/account?changed=1"))
}

/// Whether the password is the one of whoever is logged in: wrong ones count as those of a login.
async fn confirm(app: &App, visit: &Visit, password: &str) -> Result<(), Failure> {
    let person = visit.person()?;
    if !app
        .throttle
        .may_try(&person.login, &visit.address, visit.at)
    {
        return Err(Failure::TooMany);
    }
    let wanted = person.login.clone();
    let secrets = app
        .casebook
        .read(move |connection| people::secrets(connection, &wanted))
        .await?
        .ok_or(Failure::Denied)?;
    let password = password.to_owned();
    let permit = app.hashing.try_acquire().map_err(|_| Failure::Busy)?;
    let stored = secrets.password.clone();
    let checked =
        tokio::task::spawn_blocking(move || people::verify_password(&password, &stored).0);
    let is_right = checked.await.map_err(|_| Failure::Broken)?;
    drop(permit);
    if !is_right {
        app.throttle.failed(&person.login, &visit.address, visit.at);
        return Err(Refusal::WrongPassword.into());
    }
    Ok(())
}
