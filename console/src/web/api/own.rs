//! What a program needs to know before it asks for cases: whose its token is, what may be chosen, and what to search by.

use std::sync::Arc;

use alerting::mail::text::scrub;
use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cases::PersonView;
use super::gate::Call;
use super::problem::{Fault, Problems, Trouble};
use super::query::check;
use super::scalars::{LetterWord, Moment, RoleWord, ScopeWord};
use super::{Answer, json};
use crate::casebook::codes::{Codes, pick};
use crate::casebook::letters::LetterKind;
use crate::casebook::people;
use crate::casebook::queue::Search;
use crate::rights::Regions;
use crate::web::App;
use crate::web::queue as pages;

/// Whose the token is, and what it may be used for.
#[derive(Serialize, ToSchema)]
pub struct MeView {
    /// The owner's number.
    n: i64,
    login: String,
    name: String,
    role: RoleWord,
    /// The codes of the regions that the owner sees; none: all of the pool.
    regions: Option<Vec<String>>,
    token: TokenView,
}

/// The token.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    name: String,
    scope: ScopeWord,
    /// When it ends by itself.
    until: Moment,
}

/// What acts and filters choose from.
#[derive(Serialize, ToSchema)]
pub struct ChoicesView {
    /// The version of the file of reasons.
    reasons_version: String,
    reasons: Vec<ReasonView>,
    letter_kinds: Vec<LetterWord>,
    /// The regions of the pool that the owner sees.
    regions: Vec<RegionView>,
    /// Those who may be given a case; of which regions, the act itself says.
    workers: Vec<PersonView>,
}

/// A reason of a decision.
#[derive(Serialize, ToSchema)]
pub struct ReasonView {
    /// What a proposal says.
    code: String,
    /// The outcome that goes with it.
    outcome: String,
    /// In words.
    name: String,
    /// Whether the fault has to be mended before the case closes.
    is_to_be_rectified: bool,
}

/// A region.
#[derive(Serialize, ToSchema)]
pub struct RegionView {
    code: String,
    name: String,
}

/// What is searched for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFor {
    /// A credit code, a person's number in full, or how an alert's id or a code begins.
    #[schema(min_length = 1, max_length = 64)]
    q: String,
}

/// What to ask `/api/v1/cases` for: one of the two.
#[derive(Serialize, ToSchema)]
pub struct SearchView {
    /// The key of a subject that was given in full.
    subject: Option<String>,
    /// What else was given.
    q: Option<String>,
}

/// Whose the token is.
#[utoipa::path(get, path = "/api/v1/me", tag = "own",
    responses((status = 200, description = "The owner and the token", body = MeView), Problems))]
pub async fn me(Extension(call): Extension<Arc<Call>>) -> Answer {
    check(&call.query, &[])?;
    let holder = call.holder.as_ref().ok_or(Trouble::NoToken)?;
    let person = &holder.person;
    Ok(json(&MeView {
        n: person.n,
        login: person.login.clone(),
        name: person.name.clone(),
        role: RoleWord(person.role),
        regions: match &person.regions {
            Regions::All => None,
            Regions::Only(codes) => Some(codes.iter().map(ToString::to_string).collect()),
        },
        token: TokenView {
            name: holder.token.name.clone(),
            scope: ScopeWord(holder.token.scope),
            until: Moment(holder.token.until),
        },
    }))
}

/// What acts and filters choose from.
#[utoipa::path(get, path = "/api/v1/choices", tag = "own",
    responses((status = 200, description = "Reasons, letters, regions, people", body = ChoicesView), Problems))]
pub async fn choices(State(app): State<Arc<App>>, Extension(call): Extension<Arc<Call>>) -> Answer {
    check(&call.query, &[])?;
    let codes = Codes::of_program();
    let person = call.person()?;
    let workers = app
        .casebook
        .read(|connection| people::workers(connection, None))
        .await?;
    let offered = codes.reasons.iter().filter(|reason| !reason.retired);
    let policy = app.desk.policy();
    let regions = policy.pool.regions.iter();
    Ok(json(&ChoicesView {
        reasons_version: codes.version.clone(),
        reasons: offered
            .map(|reason| ReasonView {
                code: reason.code.clone(),
                outcome: reason.outcome.clone(),
                name: pick(call.language, &reason.zh, &reason.en).to_owned(),
                is_to_be_rectified: reason.rectify,
            })
            .collect(),
        letter_kinds: LetterKind::ALL.map(LetterWord).to_vec(),
        regions: regions
            .filter(|region| person.regions.cover(region.code.as_str()))
            .map(|region| RegionView {
                code: region.code.to_string(),
                name: region.name.clone(),
            })
            .collect(),
        workers: workers
            .into_iter()
            .map(|worker| PersonView {
                n: worker.n,
                name: worker.name,
            })
            .collect(),
    }))
}

/// Turns what is searched for into what the queue can be asked for. In the body, as it may be a person's number; it
/// changes nothing, and gives back a key for it.
#[utoipa::path(post, path = "/api/v1/search", tag = "own", request_body = SearchFor,
    responses((status = 200, description = "What to ask the queue for", body = SearchView), Problems))]
pub async fn search(State(app): State<Arc<App>>, Extension(call): Extension<Arc<Call>>) -> Answer {
    check(&call.query, &[])?;
    let SearchFor { q } = call.body()?;
    let text = pages::typed(&q);
    if text.is_empty() || q.chars().count() > pages::SEARCH_MAX {
        return Err(Fault::at(Trouble::Malformed, "q", "has 1 to 64 characters"));
    }
    let (subject, q) = match pages::search(&app, &text) {
        Search::Subject(key) => (Some(key), None),
        Search::Beginning(text) => (None, Some(scrub(&text))),
    };
    Ok(json(&SearchView { subject, q }))
}
