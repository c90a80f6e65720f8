//! What concerns oneself: language, shortcuts, password.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, header};

use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use super::{App, login};
use crate::casebook::audit::{self, Kind};
use crate::casebook::{Refusal, people};
use crate::words;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    p: Frame,
    login: String,
    name: String,
    role: &'static str,
    regions: String,
    changed: bool,
}

/// `GET /account`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let person = visit.person()?;
    let p = Frame::new(&app, &visit);
    show(&AccountPage {
        login: person.login.clone(),
        name: person.name.clone(),
        role: words::role(person.role, visit.language),
        regions: super::people::regions_in_words(&app, &person.regions, p.w),
        changed: visit.query.one("changed")? == "1",
        p,
    })
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
    if !app
        .throttle
        .may_try(&person.login, &visit.address, visit.at)
    {
        return Err(Failure::TooMany);
    }
    let new = visit.fields.one("password")?.to_owned();
    if new != visit.fields.one("again")? {
        return Err(Refusal::PasswordsDiffer.into());
    }
    people::check_password(&new, &person.login, &person.name)?;
    let wanted = person.login.clone();
    let secrets = app
        .casebook
        .read(move |connection| people::secrets(connection, &wanted))
        .await?
        .ok_or(Failure::Denied)?;
    let old = visit.fields.one("old")?.to_owned();
    let permit = app.hashing.try_acquire().map_err(|_| Failure::Busy)?;
    let stored = secrets.password.clone();
    let checked = tokio::task::spawn_blocking(move || people::verify_password(&old, &stored).0);
    let is_right = checked.await.map_err(|_| Failure::Broken)?;
    drop(permit);
    if !is_right {
        app.throttle.failed(&person.login, &visit.address, visit.at);
        return Err(Refusal::WrongPassword.into());
    }
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
