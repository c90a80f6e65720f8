//! The audit trail, for those who audit.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::gate::Call;
use super::problem::Problems;
use super::query::{Asked, Takes, check, described};
use super::scalars::Moment;
use super::{Answer, json};
use crate::casebook::audit::{self, Entry, Kind, Verified, Wanted};
use crate::web::App;
use crate::web::audit::ROWS;

/// Rows of the trail.
#[derive(Serialize, ToSchema)]
pub struct TrailView {
    /// The latest first, 100 at most.
    rows: Vec<RowView>,
    /// What to ask `before` for older ones; none if there are none.
    before: Option<i64>,
}

/// A row of the trail.
#[derive(Serialize, ToSchema)]
pub struct RowView {
    /// Its number, from 1 on without a gap.
    n: i64,
    at: Moment,
    /// Who; empty of whoever had not logged in.
    login: String,
    role: String,
    /// From where, and with which token.
    address: String,
    /// What it is of, e.g. `login`, `read`, `decided`.
    kind: String,
    /// Whether it was done.
    is_done: bool,
    /// To what.
    target: String,
    note: String,
    /// The hash of the row before.
    previous: String,
    /// The hash of this row.
    hash: String,
}

/// What a look through the whole trail found.
#[derive(Serialize, ToSchema)]
pub struct VerificationView {
    /// Whether every row follows from the one before.
    is_whole: bool,
    /// How many rows there are.
    rows: Option<i64>,
    /// The last hash: to be written down elsewhere, so that an end that is cut off is found.
    head: Option<String>,
    /// The first row that does not follow.
    broken_at: Option<i64>,
}

/// What the trail is asked for.
pub struct TrailQuery;

impl TrailQuery {
    fn all() -> Vec<Asked> {
        let asked = |name, says, takes| Asked { name, says, takes };
        vec![
            asked(
                "kind",
                "What the rows are of.",
                Takes::Words(Kind::ALL.map(Kind::as_str).to_vec()),
            ),
            asked("login", "Whose rows.", Takes::Text(32)),
            asked(
                "before",
                "Rows with smaller numbers alone.",
                Takes::Number(1, i64::MAX),
            ),
        ]
    }
}

impl IntoParams for TrailQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(TrailQuery::all())
    }
}

/// Rows of the audit trail, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(TrailQuery),
    responses((status = 200, description = "Rows of the trail", body = TrailView), Problems))]
pub async fn audit(State(app): State<Arc<App>>, Extension(call): Extension<Arc<Call>>) -> Answer {
    check(&call.query, &TrailQuery::all())?;
    let wanted = Wanted {
        login: call.query.some("login")?.map(str::to_owned),
        kind: call.query.some("kind")?.map(str::to_owned),
        before: call.query.one("before")?.parse().ok(),
        limit: ROWS,
    };
    let rows = app
        .casebook
        .read(move |connection| audit::entries(connection, &wanted))
        .await?;
    let is_full = rows.len() == ROWS as usize;
    Ok(json(&TrailView {
        before: rows.last().filter(|_| is_full).map(|last| last.n),
        rows: rows.into_iter().map(RowView::from).collect(),
    }))
}

/// Looks through the whole trail.
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "audit",
    responses((status = 200, description = "What was found", body = VerificationView), Problems))]
pub async fn verify_audit(
    State(app): State<Arc<App>>,
    Extension(call): Extension<Arc<Call>>,
) -> Answer {
    check(&call.query, &[])?;
    let verified = app
        .casebook
        .read(|connection| audit::verify(connection, None))
        .await?;
    Ok(json(&match verified {
        Verified::Whole { rows, head } => VerificationView {
            is_whole: true,
            rows: Some(rows),
            head: Some(head),
            broken_at: None,
        },
        Verified::Unknown { rows } => VerificationView {
            is_whole: false,
            rows: Some(rows),
            head: None,
            broken_at: None,
        },
        Verified::Broken { n } => VerificationView {
            is_whole: false,
            rows: None,
            head: None,
            broken_at: Some(n),
        },
    }))
}

impl From<Entry> for RowView {
    fn from(entry: Entry) -> RowView {
        RowView {
            n: entry.n,
            at: Moment(entry.at),
            login: entry.login,
            role: entry.role,
            address: entry.address,
            kind: entry.kind,
            is_done: entry.ok,
            target: entry.target,
            note: entry.note,
            previous: entry.previous,
            hash: entry.hash,
        }
    }
}
