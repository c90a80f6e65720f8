//! Letters: made of the case when they are issued, and shown as they were issued for ever.
//!
//! A letter is a page of its own on the paper of GB/T 9704; the browser prints it, or saves it as PDF. It is Chinese,
//! as the offices are that it goes to; persons are masked.

use std::sync::Arc;

use alerting::{Language, explain};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use domain::BusinessDate;

use super::App;
use super::answer::{Answer, Failure, page as show, see};
use super::frame::Frame;
use super::gate::Visit;
use crate::casebook::cases::{self, Case};
use crate::casebook::letters::{self, LetterKind};
use crate::casebook::{Actor, CasebookError, Refusal};
use crate::words;

/// Records that a letter names.
const EVIDENCE_MAX: usize = 20;
/// Characters of an addressee.
pub const TO_MAX: usize = 40;

#[derive(Template)]
#[template(path = "letter_text.html")]
struct LetterText<'a> {
    office: &'a str,
    title: &'static str,
    number: &'a str,
    to: &'a str,
    sentence: &'a str,
    rule: &'a str,
    arithmetic: &'a str,
    action: &'a str,
    evidence: &'a [String],
    alert: &'a str,
    due: String,
    date: String,
    kind: &'static str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage {
    p: Frame,
    number: String,
    alert: String,
    /// As it was issued.
    text: String,
    hash: String,
    is_intact: bool,
    issuer: String,
    at: String,
}

/// `POST /alerts/{id}/letter`
pub async fn issue(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let fields = &visit.fields;
    fields.only(&["version", "kind", "to"])?;
    let version = fields.number("version")?;
    let kind = LetterKind::parse(fields.one("kind")?).ok_or(Failure::Bad)?;
    let to = fields.one("to")?;
    let n = write(&app, visit.actor(), (id, version), kind, to).await?;
    Ok(see(&format!("/letters/{n}")))
}

/// Writes a letter on a case, as of a version of it, and issues it.
///
/// # Errors
/// See [`letters::issue`]; the addressee is empty or too long.
pub async fn write(
    app: &Arc<App>,
    actor: Actor,
    (id, version): (String, i64),
    kind: LetterKind,
    to: &str,
) -> Result<i64, Failure> {
    let to = alerting::mail::text::scrub(to.trim());
    if to.is_empty() || to.chars().count() > TO_MAX {
        return Err(Refusal::BadChoice.into());
    }
    let regions = actor.person.clone().ok_or(Failure::Denied)?.regions;
    let wanted = id.clone();
    // The case first: whose region is foreign learns nothing of the alert.
    app.casebook
        .read(move |connection| cases::case(connection, &wanted, &regions))
        .await?;
    let wanted = id.clone();
    let (row, tellings) = app
        .alerts(move |reader| Ok((reader.alert(&wanted)?, reader.tellings(&wanted)?)))
        .await?;
    let (row, last) = (row.ok_or(Failure::Missing)?, tellings.last().cloned());
    let said = explain::explain(
        &row,
        &last.ok_or(Failure::Missing)?,
        &app.desk.office(),
        Language::Zh,
    );
    let evidence: Vec<String> = row
        .alert
        .evidence
        .iter()
        .take(EVIDENCE_MAX)
        .map(|id| alerting::mail::text::scrub(id))
        .collect();
    let office = app
        .config
        .office
        .clone()
        .unwrap_or_else(|| format!("{}社会保险基金监督机构", app.desk.office().pool()));
    let (desk, alert) = (app.desk.clone(), id);
    let issued = app
        .casebook
        .write(move |transaction| {
            let write = |case: &Case, number: &str, today: BusinessDate, due: BusinessDate| {
                let text = LetterText {
                    office: &office,
                    title: words::letter(kind, Language::Zh),
                    number,
                    to: &to,
                    sentence: &said.sentence,
                    rule: said.rule.as_deref().unwrap_or(""),
                    arithmetic: said.arithmetic.as_deref().unwrap_or(""),
                    action: &said.action,
                    evidence: &evidence,
                    alert: &case.alert,
                    due: in_chinese(due),
                    date: in_chinese(today),
                    kind: kind.as_str(),
                };
                text.render()
                    .map_err(|error| CasebookError::Value(error.to_string()))
            };
            let case = (alert.as_str(), version);
            letters::issue(transaction, &actor, case, kind, &desk, write)
        })
        .await?;
    Ok(issued)
}

/// `GET /letters/{n}`
pub async fn page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(n): Path<i64>,
) -> Answer {
    let regions = visit.person()?.regions.clone();
    let letter = app
        .casebook
        .read(move |connection| letters::letter(connection, n, &regions))
        .await?;
    show(&LetterPage {
        p: Frame::new(&app, &visit),
        number: letter.number(),
        is_intact: letter.is_intact(),
        alert: letter.alert,
        text: letter.html,
        hash: letter.hash,
        issuer: letter.issuer,
        at: app.desk.clock_text(letter.issued_at),
    })
}

/// 2026年11月26日.
fn in_chinese(day: BusinessDate) -> String {
    let (year, month, day) = day.ymd();
    format!("{year}年{month}月{day}日")
}
