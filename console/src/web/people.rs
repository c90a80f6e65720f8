//! People and their rights, for administrators: who see no case.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use domain::RegionCode;

use super::App;
use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::{Refusal, identities, people};
use crate::rights::{Regions, Role};
use crate::words::{self, Words};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    p: Frame,
    rows: Vec<Row>,
    roles: Vec<(&'static str, &'static str)>,
    /// Code and name.
    regions: Vec<(String, String)>,
    /// Whether there is a provider to log in by, or an account that does.
    has_ways: bool,
}

struct Row {
    login: String,
    name: String,
    role: &'static str,
    role_word: &'static str,
    regions: String,
    /// Code, name, whether the person has it.
    chosen: Vec<(String, String, bool)>,
    state: &'static str,
    by_provider: bool,
    is_disabled: bool,
    factor: &'static str,
    sessions: u32,
    is_self: bool,
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage {
    p: Frame,
    login: String,
    token: String,
}

/// `GET /people`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let me = visit.person()?.n;
    let accounts = app.casebook.read(people::accounts).await?;
    let p = Frame::new(&app, &visit);
    let w = p.w;
    let regions: Vec<(String, String)> = app
        .desk
        .policy()
        .pool
        .regions
        .iter()
        .map(|region| (region.code.to_string(), region.name.clone()))
        .collect();
    let rows: Vec<Row> = accounts
        .into_iter()
        .map(|account| Row {
            by_provider: account.by_provider,
            role: account.person.role.as_str(),
            role_word: words::role(account.person.role, visit.language),
            regions: regions_in_words(&app, &account.person.regions, w),
            chosen: regions
                .iter()
                .map(|(code, name)| {
                    let is_chosen = account.person.regions != Regions::All
                        && account.person.regions.cover(code);
                    (code.clone(), name.clone(), is_chosen)
                })
                .collect(),
            state: match (account.is_disabled, account.is_enrolled) {
                (true, _) => w.disabled,
                (false, true) => w.enrolled_state,
                (false, false) => w.not_enrolled,
            },
            is_disabled: account.is_disabled,
            factor: if account.has_totp { w.yes } else { w.no },
            sessions: account.sessions,
            is_self: account.person.n == me,
            login: account.person.login,
            name: account.person.name,
        })
        .collect();
    show(&PeoplePage {
        has_ways: app.provider.is_some() || rows.iter().any(|row| row.by_provider),
        rows,
        roles: Role::ALL
            .map(|role| (role.as_str(), words::role(role, visit.language)))
            .to_vec(),
        regions,
        p,
    })
}

/// `POST /people/add`
pub async fn add(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    visit
        .fields
        .only(&["login", "name", "role", "region", "way"])?;
    let login = visit.fields.one("login")?.trim().to_owned();
    let name = visit.fields.one("name")?.trim().to_owned();
    if !alerting::mail::text::is_plain(&name) {
        return Err(Refusal::BadChoice.into());
    }
    let (role, regions) = (role(&visit)?, regions(&app, &visit)?);
    let by_provider = by_provider(&visit)?;
    let (actor, added) = (visit.actor(), login.clone());
    let token = app
        .casebook
        .write(move |transaction| {
            let token = people::add(transaction, &actor, &added, &name, role, &regions)?;
            if let Some(by_provider) = by_provider {
                identities::let_log_in(transaction, &actor, &added, by_provider)?;
            }
            Ok(token)
        })
        .await?;
    show(&TokenPage {
        p: Frame::new(&app, &visit),
        login,
        token,
    })
}

/// `POST /people/change`
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit
        .fields
        .only(&["login", "role", "region", "disabled", "way"])?;
    let login = visit.fields.one("login")?.to_owned();
    let disabled = visit.fields.one("disabled")? == "1";
    let (role, regions) = (role(&visit)?, regions(&app, &visit)?);
    let by_provider = by_provider(&visit)?;
    let actor = visit.actor();
    app.casebook
        .write(move |transaction| {
            people::change(transaction, &actor, &login, role, &regions, disabled)?;
            match by_provider {
                Some(by_provider) => {
                    identities::let_log_in(transaction, &actor, &login, by_provider)
                }
                None => Ok(()),
            }
        })
        .await?;
    Ok(see("/people"))
}

/// `POST /people/token`
pub async fn token(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    visit.fields.only(&["login"])?;
    let login = visit.fields.one("login")?.to_owned();
    let (actor, of) = (visit.actor(), login.clone());
    let token = app
        .casebook
        .write(move |transaction| people::make_token(transaction, &actor, &of))
        .await?;
    show(&TokenPage {
        p: Frame::new(&app, &visit),
        login,
        token,
    })
}

/// `POST /people/sessions`
pub async fn end_sessions(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
) -> Answer {
    visit.fields.only(&["login"])?;
    let (actor, login) = (visit.actor(), visit.fields.one("login")?.to_owned());
    app.casebook
        .write(move |transaction| people::end_sessions(transaction, &actor, &login))
        .await?;
    Ok(see("/people"))
}

fn role(visit: &Visit) -> Result<Role, Failure> {
    Role::parse(visit.fields.one("role")?).ok_or(Failure::Bad)
}

/// Whether somebody is to log in by the provider; `None`: as it is.
fn by_provider(visit: &Visit) -> Result<Option<bool>, Failure> {
    match visit.fields.one("way")? {
        "" => Ok(None),
        "password" => Ok(Some(false)),
        "provider" => Ok(Some(true)),
        _ => Err(Failure::Bad),
    }
}

/// Those that were ticked; none: all of the pool.
fn regions(app: &App, visit: &Visit) -> Result<Regions, Failure> {
    let policy = app.desk.policy();
    let known = &policy.pool.regions;
    let codes = visit.fields.all("region").map(|code| {
        RegionCode::parse(code.as_bytes())
            .filter(|code| known.iter().any(|region| region.code == *code))
            .ok_or(Failure::Bad)
    });
    let codes: Vec<RegionCode> = codes.collect::<Result<_, _>>()?;
    Ok(if codes.is_empty() {
        Regions::All
    } else {
        Regions::Only(codes)
    })
}

/// The names of regions.
pub fn regions_in_words(app: &App, regions: &Regions, w: &Words) -> String {
    match regions {
        Regions::All => w.regions_all.to_owned(),
        Regions::Only(codes) => {
            let office = app.desk.office();
            let names: Vec<&str> = codes
                .iter()
                .map(|code| office.region(code.as_str()))
                .collect();
            names.join("、")
        }
    }
}
