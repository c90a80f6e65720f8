//! An alert: the sentence, the rule with its numbers, evidence, history, what is related, and its case.

use std::sync::Arc;

use alerting::explain::{self, Explanation};
use alerting::life::Standing;
use alerting::store::{AlertRow, Mailed, Telling};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use casework::explain::steps::Working;
use casework::explain::{self as cause, Known, Recheck};
use casework::words::unanswered;
use casework::{Place, Unanswered};
use domain::{Detector, PersonId};

use super::App;
use super::answer::{Answer, Failure, page as show};
use super::frame::{self, Frame, Line};
use super::gate::Visit;
use super::queue::{self, Row};
use crate::casebook::audit::{self, Kind};
use crate::casebook::cases::{self, Case, CaseState, Stage};
use crate::casebook::codes::Codes;
use crate::casebook::decisions::{self, Decision};
use crate::casebook::letters::{self, Letter, LetterKind};
use crate::casebook::{Actor, CasebookError, Refusal, people};
use crate::rights::{Person, Right};
use crate::words;

/// Other alerts on the subject that are shown.
const RELATED_MAX: u32 = 20;
/// Records that are shown.
pub const EVIDENCE_MAX: usize = 100;
/// Characters of a reason.
pub const REASON_MAX: usize = 200;

#[derive(Template)]
#[template(path = "alert.html")]
struct AlertPage {
    p: Frame,
    row: Row,
    name: &'static str,
    said: Explanation,
    working: Working,
    recheck: Option<&'static str>,
    evidence: Vec<Shown>,
    evidence_more: usize,
    /// Why the records could not be looked up.
    unanswered: Option<String>,
    /// Whether the subject has a page.
    has_subject: bool,
    raw: Option<RawRecord>,
    history: Vec<Event>,
    related: Vec<Row>,
    log: Vec<Line>,
    decisions: Vec<Decided>,
    letters: Vec<Issued>,
    workers: Vec<(i64, String)>,
    assignee: i64,
    reasons: Vec<(String, String)>,
    letter_kinds: Vec<(&'static str, &'static str)>,
    is_withdrawn: bool,
    may: May,
    needs_two: bool,
    is_own_proposal: bool,
    /// Whether the next step is to check what the reader reported mended.
    mended_by_reader: bool,
    /// The last day that a case may be put aside until.
    snooze_latest: String,
    stage: Option<&'static str>,
    revealed: Option<String>,
}

/// What may be done as things stand.
#[derive(Default)]
pub struct May {
    pub take: bool,
    pub assign: bool,
    pub release: bool,
    pub note: bool,
    pub snooze: bool,
    pub resume: bool,
    pub decide: bool,
    pub answer: bool,
    pub reopen: bool,
    pub advance: bool,
    pub letter: bool,
    pub reveal: bool,
    pub raw: bool,
}

/// A record of the evidence.
struct Shown {
    id: String,
    kind: &'static str,
    date: String,
    says: String,
    place: String,
}

/// A record as its source wrote it.
struct RawRecord {
    id: String,
    place: String,
    /// `None` if its feed does not have it any more.
    text: Option<String>,
}

struct Event {
    at: String,
    what: String,
    cause: String,
    changes: Vec<(String, String, String)>,
    told: Vec<String>,
}

struct Decided {
    what: String,
    note: String,
    who: String,
    at: String,
    state: &'static str,
    approver: String,
    answer: String,
    bulk: bool,
    amount: String,
}

struct Issued {
    n: i64,
    number: String,
    kind: &'static str,
    at: String,
    due: String,
}

/// All that a page needs of the casebook.
pub struct Found {
    pub case: Case,
    pub related: Vec<Case>,
    pub steps: Vec<cases::Step>,
    pub decisions: Vec<Decision>,
    pub letters: Vec<Letter>,
    pub workers: Vec<Person>,
    pub needs_two: bool,
}

/// `GET /alerts/{id}`
pub async fn page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let (case, alert) = look(&app, visit.actor(), &id).await?;
    show(&page_of(&app, &visit, case, alert, None, None)?)
}

/// The case of an alert and what is stored of it, for whoever acts: a look at a person's leaves a row in the trail.
///
/// # Errors
/// There is none that the person may see.
pub async fn look(app: &Arc<App>, actor: Actor, id: &str) -> Result<(Found, Stored), Failure> {
    let person = actor.person.as_ref().ok_or(Failure::Denied)?;
    let (case, alert) = (find(app, person, id).await?, stored(app, id).await?);
    if is_of_person(&alert.0) {
        record_look(app, actor, id, "").await?;
    }
    Ok((case, alert))
}

/// Writes down that personal data were looked at, masked as they are.
///
/// # Errors
/// It cannot be written: then they are not shown.
pub async fn record_look(
    app: &App,
    actor: Actor,
    id: &str,
    note: &'static str,
) -> Result<(), Failure> {
    let target = id.to_owned();
    let write = app.casebook.write(move |transaction| {
        audit::append(transaction, &actor, Kind::Read, true, &target, note)
    });
    Ok(write.await?)
}

/// `POST /alerts/{id}/raw`: a record of the evidence as its source wrote it, with a reason.
pub async fn raw(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["record", "reason"])?;
    let (case, alert) = (
        find(&app, visit.person()?, &id).await?,
        stored(&app, &id).await?,
    );
    let reason = reason(visit.fields.one("reason")?)?;
    let asked: usize = visit
        .fields
        .one("record")?
        .parse()
        .map_err(|_| Failure::Bad)?;
    let records = cause::evidence(&alert.0.alert, &alert.3.records, visit.language);
    let record = records.into_iter().nth(asked).ok_or(Failure::Missing)?;
    let (Some(place), Some(facts)) = (record.place, app.facts.clone()) else {
        return Err(Failure::Missing);
    };
    allow(&app, &visit, &id, &format!("{}: {reason}", record.id)).await?;
    let raw = RawRecord {
        id: record.id,
        place: place.to_string(),
        text: read_raw(facts, place).await?,
    };
    show(&page_of(&app, &visit, case, alert, None, Some(raw))?)
}

async fn read_raw(
    facts: Arc<dyn casework::FactSource>,
    place: Place,
) -> Result<Option<String>, Failure> {
    let read = tokio::task::spawn_blocking(move || facts.raw(&place)).await;
    let read = read.map_err(|_| Failure::Broken)?;
    match read {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(Unanswered::Books(_)) => Err(Failure::Busy),
        Err(error) => {
            tracing::error!(%error, "a raw record cannot be read");
            Err(Failure::Busy)
        }
    }
}

/// `POST /alerts/{id}/reveal`: a person's number in full, once, with a reason.
pub async fn reveal(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["reason"])?;
    let (case, alert) = (
        find(&app, visit.person()?, &id).await?,
        stored(&app, &id).await?,
    );
    if !is_of_person(&alert.0) {
        return Err(Failure::Missing);
    }
    let reason = reason(visit.fields.one("reason")?)?;
    allow(&app, &visit, &id, &reason).await?;
    let number = alert.0.alert.subject.clone();
    show(&page_of(&app, &visit, case, alert, Some(number), None)?)
}

/// Records that personal data are shown in full, and says whether that is still within what an hour allows.
pub async fn allow(app: &App, visit: &Visit, target: &str, note: &str) -> Result<(), Failure> {
    let (actor, max, login) = (
        visit.actor(),
        u64::from(app.config.reveals_per_hour),
        visit.person()?.login.clone(),
    );
    let (target, note) = (target.to_owned(), note.to_owned());
    // Refused ones are recorded, too: so the transaction is committed, and says what came of it.
    let is_allowed = app
        .casebook
        .write(move |transaction| {
            let hour = jiff::SignedDuration::from_hours(1);
            let since = actor.at.saturating_sub(hour);
            let since = since.map_err(|error| CasebookError::Value(error.to_string()))?;
            let so_far = audit::count_since(transaction, &login, Kind::Revealed, since)?;
            let is_allowed = so_far < max;
            audit::append(
                transaction,
                &actor,
                Kind::Revealed,
                is_allowed,
                &target,
                &note,
            )?;
            Ok(is_allowed)
        })
        .await?;
    if !is_allowed {
        tracing::warn!(
            login = visit.person()?.login,
            "more numbers were asked for than an hour allows"
        );
        return Err(Failure::TooMany);
    }
    Ok(())
}

/// A reason that was given: goes into the audit trail, without what reads like a person's number.
pub fn reason(text: &str) -> Result<String, Failure> {
    let text = alerting::mail::text::scrub(text.trim());
    let is_good = (1..=REASON_MAX).contains(&text.chars().count());
    is_good.then_some(text).ok_or(Refusal::ReasonMissing.into())
}

async fn find(app: &App, person: &Person, id: &str) -> Result<Found, Failure> {
    let (id, regions) = (id.to_owned(), person.regions.clone());
    let found = app.casebook.read(move |connection| {
        let case = cases::case(connection, &id, &regions)?;
        Ok(Found {
            related: cases::of_subject(connection, &case, &regions, RELATED_MAX)?,
            steps: cases::steps(connection, case.n, 0)?,
            decisions: decisions::of_case(connection, case.n)?,
            letters: letters::of_case(connection, case.n)?,
            workers: people::workers(connection, Some(&case.region))?,
            needs_two: decisions::needs_two(connection, &case)?,
            case,
        })
    });
    Ok(found.await?)
}

/// What the alerts' store has, and what is known of the records.
pub type Stored = (AlertRow, Vec<Telling>, Vec<Mailed>, Known);

async fn stored(app: &Arc<App>, id: &str) -> Result<Stored, Failure> {
    let (id, facts, policy) = (id.to_owned(), app.facts.clone(), app.desk.policy());
    let found = app
        .alerts(move |reader| {
            let row = reader.alert(&id)?;
            let known = match (&row, facts) {
                (Some(row), Some(facts)) => Known::of_alert(&row.alert, reader, &*facts, &policy)?,
                _ => Known::default(),
            };
            Ok((row, reader.tellings(&id)?, reader.mailed(&id)?, known))
        })
        .await?;
    let (row, tellings, mailed, known) = found;
    Ok((row.ok_or(Failure::Missing)?, tellings, mailed, known))
}

/// Whether the alert is about a person, whose number is masked.
pub fn is_of_person(row: &AlertRow) -> bool {
    matches!(
        Detector::parse(&row.alert.detector),
        Some(Detector::DeceasedRecipient | Detector::DuplicatePayout | Detector::MissedPayout)
    ) && PersonId::parse(row.alert.subject.as_bytes()).is_some()
}

fn page_of(
    app: &App,
    visit: &Visit,
    found: Found,
    (stored, tellings, mailed, known): Stored,
    revealed: Option<String>,
    raw: Option<RawRecord>,
) -> Result<AlertPage, Failure> {
    let language = visit.language;
    let last = tellings.last().ok_or(Failure::Missing)?;
    let case = &found.case;
    let today = app.desk.day(visit.at);
    let p = Frame::new(app, visit);
    let person = visit.person()?;
    let codes = Codes::of_program();
    let may = may(person, case, is_of_person(&stored) && revealed.is_none());
    let records = cause::evidence(&stored.alert, &known.records, language);
    let evidence_more = records.len().saturating_sub(EVIDENCE_MAX);
    let is_withdrawn = case.standing == Standing::Withdrawn;
    let may = May {
        raw: person.may(Right::Reveal) && records.iter().any(|record| record.place.is_some()),
        ..may
    };
    Ok(AlertPage {
        name: explain::name(&stored.alert, language),
        said: explain::explain(&stored, last, &app.desk.office(), language),
        working: if is_withdrawn {
            Working::default()
        } else {
            cause::steps::working(
                &stored.alert,
                &app.desk.policy(),
                known.dossier.as_ref(),
                language,
            )
        },
        recheck: match cause::recheck(&stored, known.dossier.as_ref()) {
            Recheck::Same => Some(p.w.recheck_same),
            Recheck::Different => Some(p.w.recheck_different),
            Recheck::Gone => Some(p.w.recheck_gone),
            Recheck::NotDone => None,
        },
        evidence: records
            .into_iter()
            .take(EVIDENCE_MAX)
            .map(|record| Shown {
                id: record.id,
                kind: record.kind.unwrap_or_default(),
                date: record.date.unwrap_or_default(),
                says: record.says.unwrap_or_default(),
                place: record
                    .place
                    .map_or(String::new(), |place| place.to_string()),
            })
            .collect(),
        evidence_more,
        unanswered: known
            .unanswered
            .as_ref()
            .map(|why| unanswered(why, language)),
        has_subject: matches!(
            cause::subject_of(&stored.alert),
            Some(domain::Subject::Enterprise(_) | domain::Subject::Person(_))
        ),
        raw,
        history: tellings
            .iter()
            .rev()
            .map(|telling| event(app, telling, &mailed, language))
            .collect(),
        related: found
            .related
            .iter()
            .map(|case| queue::row(app, case, language, today))
            .collect(),
        decisions: found
            .decisions
            .into_iter()
            .rev()
            .map(|decision| Decided {
                what: codes.words(&decision.outcome, &decision.reason, language),
                note: alerting::mail::text::scrub(&decision.note),
                who: decision.proposer_name,
                at: app.desk.clock_text(decision.proposed_at),
                state: words::decision_state(&decision.state, language),
                approver: decision.approver_name.unwrap_or_default(),
                answer: alerting::mail::text::scrub(&decision.answer.unwrap_or_default()),
                bulk: decision.bulk,
                amount: domain::Money::from_fen(decision.weight_fen.into()).grouped(),
            })
            .collect(),
        letters: found
            .letters
            .into_iter()
            .map(|letter| Issued {
                n: letter.n,
                number: letter.number(),
                kind: words::letter(letter.kind, language),
                at: app.desk.clock_text(letter.issued_at),
                due: letter.due,
            })
            .collect(),
        workers: found
            .workers
            .into_iter()
            .map(|worker| (worker.n, worker.name))
            .collect(),
        assignee: case.assignee.unwrap_or(0),
        reasons: queue::reasons(language),
        letter_kinds: LetterKind::ALL
            .into_iter()
            .filter(|kind| *kind != LetterKind::Rectification || case.stage == Some(Stage::ToIssue))
            .map(|kind| (kind.as_str(), words::letter(kind, language)))
            .collect(),
        is_withdrawn,
        needs_two: found.needs_two,
        mended_by_reader: case.stage == Some(Stage::Rectified) && case.mended_by == Some(person.n),
        snooze_latest: app.snooze_within(visit.at).latest.to_string(),
        is_own_proposal: case.proposer == Some(person.n),
        stage: case.stage.map(|stage| words::stage(stage, language)),
        log: found
            .steps
            .into_iter()
            .rev()
            .map(|step| frame::line(app, step, language))
            .collect(),
        row: queue::row(app, case, language, today),
        may,
        revealed,
        p,
    })
}

fn event(app: &App, telling: &Telling, mailed: &[Mailed], language: alerting::Language) -> Event {
    let said = explain::explain_telling(telling, &app.desk.office(), language);
    let told = mailed.iter().filter(|mail| mail.telling == telling.seq);
    Event {
        at: app.desk.clock_text(telling.told_at),
        what: said.event,
        cause: said.cause.unwrap_or_default(),
        changes: said.changes,
        told: told
            .map(|mail| {
                let name = if mail.name.is_empty() {
                    &mail.address
                } else {
                    &mail.name
                };
                match mail.settled {
                    Some(at) if mail.state == "sent" => {
                        format!("{name} {}", app.desk.clock_text(at))
                    }
                    _ => format!("{name} ({})", mail.state),
                }
            })
            .collect(),
    }
}

/// What the buttons offer; that it is allowed is asked again when one is pressed.
pub fn may(person: &Person, case: &Case, is_hidden: bool) -> May {
    if !person.may(Right::Work) {
        return May::default();
    }
    let is_active = case.state != CaseState::Closed;
    let is_busy = matches!(case.state, CaseState::Pending | CaseState::Working);
    May {
        take: is_active && case.assignee != Some(person.n),
        assign: is_active,
        release: is_busy && case.assignee.is_some(),
        note: true,
        snooze: is_busy && case.stage.is_none(),
        resume: case.state == CaseState::Snoozed,
        decide: is_active
            && case.state != CaseState::Review
            && (case.stage.is_none() || case.fresh),
        answer: case.state == CaseState::Review && person.may(Right::Approve),
        reopen: case.state == CaseState::Closed,
        advance: is_busy && case.stage.is_some_and(|stage| stage != Stage::ToIssue),
        letter: is_active,
        reveal: is_hidden && person.may(Right::Reveal),
        raw: false,
    }
}
