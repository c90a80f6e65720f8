//! The audit trail, for those who audit.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::App;
use super::answer::{Answer, page as show};
use super::form::query;
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::audit::{self, Entry, Kind, Verified, Wanted};
use crate::words;

/// Rows of a page.
pub const ROWS: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    p: Frame,
    rows: Vec<Row>,
    /// Word, meaning, whether it is chosen.
    kinds: Vec<(&'static str, &'static str, bool)>,
    login: String,
    older: Option<String>,
    verified: Option<Verified>,
}

struct Row {
    n: i64,
    at: String,
    who: String,
    address: String,
    what: &'static str,
    is_ok: bool,
    target: String,
    note: String,
}

/// `GET /audit`
pub async fn page(State(app): State<Arc<App>>, Extension(visit): Extension<Arc<Visit>>) -> Answer {
    let asked = &visit.query;
    let kind = asked.some("kind")?.and_then(Kind::parse);
    let wanted = Wanted {
        login: asked.some("login")?.map(str::to_owned),
        kind: kind.map(|kind| kind.as_str().to_owned()),
        before: asked.one("before")?.parse().ok(),
        limit: ROWS,
    };
    let (login, verifies) = (wanted.login.clone(), asked.one("verify")? == "1");
    let (entries, verified) = app
        .casebook
        .read(move |connection| {
            let verified = verifies
                .then(|| audit::verify(connection, None))
                .transpose()?;
            Ok((audit::entries(connection, &wanted)?, verified))
        })
        .await?;
    let older = (entries.len() == ROWS as usize)
        .then(|| entries.last().map(|last| last.n.to_string()))
        .flatten()
        .map(|before| {
            let kind = kind.map_or("", Kind::as_str);
            let login = login.as_deref().unwrap_or("");
            query([
                ("kind", kind),
                ("login", login),
                ("before", before.as_str()),
            ])
        });
    show(&AuditPage {
        p: Frame::new(&app, &visit),
        rows: entries
            .into_iter()
            .map(|entry| row(&app, entry, &visit))
            .collect(),
        kinds: Kind::ALL
            .map(|known| {
                let meaning = words::audit_kind(known, visit.language);
                (known.as_str(), meaning, Some(known) == kind)
            })
            .to_vec(),
        login: login.unwrap_or_default(),
        older: older.map(|query| format!("/audit?{query}")),
        verified,
    })
}

fn row(app: &App, entry: Entry, visit: &Visit) -> Row {
    let kind = Kind::parse(&entry.kind);
    Row {
        n: entry.n,
        at: app.desk.clock_text(entry.at),
        who: entry.login,
        address: entry.address,
        what: kind.map_or("", |kind| words::audit_kind(kind, visit.language)),
        is_ok: entry.ok,
        target: entry.target,
        note: match kind {
            // What became of a case has words.
            Some(Kind::Worked | Kind::Decided | Kind::LetterIssued) => {
                words::step(&entry.note, visit.language).to_owned()
            }
            _ => entry.note,
        },
    }
}
