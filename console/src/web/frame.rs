//! What is around every page: header, menu, footer; and the pages that say that something was not done.

use std::sync::Arc;

use alerting::Language;
use askama::Template;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::answer::{Failure, page_with};
use super::gate::Visit;
use super::{App, assets};
use crate::casebook::cases;
use crate::rights::{Person, Right};
use crate::words::{self, Words, words};

/// What every template knows as `p`.
pub struct Frame {
    /// The words of the reader's language.
    pub w: &'static Words,
    /// The pool's name.
    pub pool: String,
    /// Who is logged in: name and role.
    pub who: Option<(String, &'static str)>,
    /// The menu: address, word, whether it is here.
    pub menu: Vec<(&'static str, &'static str, bool)>,
    /// What forms carry.
    pub csrf: String,
    /// Path and query of the page.
    pub here: String,
    /// When the page was made.
    pub now: String,
    /// The time zone of its times.
    pub zone: String,
    /// Whether shortcuts are on.
    pub keys: bool,
    /// The language that one can change to.
    pub other_language: &'static str,
    /// Part of the addresses of style and script.
    pub version: &'static str,
}

impl Frame {
    /// Around a page for whoever asked.
    pub fn new(app: &App, visit: &Visit) -> Frame {
        let w = words(visit.language);
        let person = visit.session.as_ref().map(|session| &session.person);
        let entries = [
            ("/alerts", w.alerts, Right::SeeCases),
            ("/precision", w.precision, Right::SeeCases),
            ("/audit", w.audit, Right::SeeAudit),
            ("/people", w.people, Right::ManagePeople),
            ("/account", w.account, Right::Own),
            ("/help", w.help, Right::Own),
        ];
        let menu = entries
            .into_iter()
            .filter(|(_, _, right)| person.is_some_and(|person| person.may(*right)));
        let path = visit.here.split('?').next().unwrap_or("/");
        Frame {
            w,
            pool: app.desk.office().pool().to_owned(),
            who: person.map(|person| {
                let role = words::role(person.role, visit.language);
                (person.name.clone(), role)
            }),
            menu: menu
                .map(|(to, word, _)| (to, word, path.starts_with(to)))
                .collect(),
            csrf: visit.csrf.clone(),
            here: visit.here.clone(),
            now: app.desk.clock_text(visit.at),
            zone: app.desk.policy().pool.time_zone.clone(),
            keys: visit.keys,
            other_language: match visit.language {
                Language::Zh => "en",
                Language::En => "zh",
            },
            version: assets::version(),
        }
    }
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage {
    p: Frame,
    title: &'static str,
    text: &'static str,
    steps: Vec<Line>,
    link: Option<String>,
}

/// A line of what happened.
pub struct Line {
    /// When.
    pub at: String,
    /// Who.
    pub who: String,
    /// What.
    pub what: &'static str,
    /// What was said.
    pub note: String,
}

/// The page that says why something was not done.
pub async fn failure(app: &Arc<App>, visit: &Visit, failure: &Failure) -> Response {
    let p = Frame::new(app, visit);
    let w = p.w;
    let (title, text) = match failure {
        Failure::Bad | Failure::TooLarge => (w.refused, w.expired_help),
        Failure::Missing => (w.not_found, w.not_found_help),
        Failure::Denied => (w.denied, w.denied_help),
        Failure::Forged => (w.expired, w.expired_help),
        Failure::Refused(refusal) => (w.refused, words::refusal(*refusal, visit.language)),
        Failure::Stale { .. } => (w.stale, w.stale_help),
        Failure::TooMany => (w.too_many, w.too_many_help),
        Failure::Busy => (w.busy, w.busy_help),
        Failure::Broken => (w.broken, w.broken_help),
    };
    let mut page = FailurePage {
        p,
        title,
        text,
        steps: Vec::new(),
        link: None,
    };
    if let Failure::Stale { alert, known } = failure {
        page.steps = since(app, visit, alert, *known).await;
        page.link = Some(format!("/alerts/{alert}"));
    }
    let made = page_with(failure.status(), &page);
    let mut response = made.unwrap_or_else(|failure| failure.status().into_response());
    if *failure == Failure::Busy {
        let soon = HeaderValue::from_static("2");
        response.headers_mut().insert(header::RETRY_AFTER, soon);
    }
    response
}

/// What others did to a case since a version: it was theirs to see when the form was made.
async fn since(app: &App, visit: &Visit, alert: &str, version: i64) -> Vec<Line> {
    let Ok(person) = visit.person() else {
        return Vec::new();
    };
    steps_since(app, person, alert, version)
        .await
        .into_iter()
        .map(|step| line(app, step, visit.language))
        .collect()
}

/// The same, as it stands in the casebook. What cannot be read is left out: that nothing was done is said all the same.
pub async fn steps_since(
    app: &App,
    person: &Person,
    alert: &str,
    version: i64,
) -> Vec<cases::Step> {
    let (alert, regions) = (alert.to_owned(), person.regions.clone());
    let steps = app.casebook.read(move |connection| {
        let case = cases::case(connection, &alert, &regions)?;
        cases::steps(connection, case.n, version)
    });
    steps.await.unwrap_or_else(|error| {
        tracing::error!(%error, "the steps of a case cannot be read");
        Vec::new()
    })
}

/// A step in words.
pub fn line(app: &App, step: cases::Step, language: Language) -> Line {
    Line {
        at: app.desk.clock_text(step.at),
        who: step.who.unwrap_or_default(),
        what: words::step(&step.kind, language),
        note: alerting::mail::text::scrub(&step.note),
    }
}
