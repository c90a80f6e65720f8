//! Cases: one for each alert, from the moment that it is told until it is closed; what people do with it, and what its
//! alert's further life does to it.
//!
//! ```text
//! pending ──take──► working ──propose──► review ──approve──► closed
//!    │                │  ▲                  │return             │
//!    └──snooze──► snoozed │◄────────────────┴──────reopen, news─┘
//! ```
//!
//! Each change raises the version, and names the version that it was made from: whoever was slower is told what the
//! others did.

use alerting::life::Standing;
use domain::{BusinessDate, Detector, Severity};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::audit::{self, Kind};
use super::people::{PERSON, shown};
use super::{Actor, CasebookError, Refusal, time_of};
use crate::desk::Desk;
use crate::rights::Regions;

/// Characters of a note.
pub const NOTE_MAX: usize = 2_000;

/// Where a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseState {
    /// 待处理: nobody works on it.
    Pending,
    /// 核查中: somebody does.
    Working,
    /// 待复核: a decision waits for its approver.
    Review,
    /// 已办结: decided.
    Closed,
    /// 暂缓: until a day, or until it gets worse.
    Snoozed,
}

impl CaseState {
    /// All of them.
    pub const ALL: [CaseState; 5] = [
        CaseState::Pending,
        CaseState::Working,
        CaseState::Review,
        CaseState::Closed,
        CaseState::Snoozed,
    ];

    /// The word in store and address.
    pub const fn as_str(self) -> &'static str {
        match self {
            CaseState::Pending => "pending",
            CaseState::Working => "working",
            CaseState::Review => "review",
            CaseState::Closed => "closed",
            CaseState::Snoozed => "snoozed",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<CaseState> {
        CaseState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// How far the mending of a fault has come (整改闭环).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The letter is to be issued.
    ToIssue,
    /// It was issued, and is to be acknowledged.
    Issued,
    /// It was acknowledged, and the facts are to be verified.
    Acknowledged,
    /// They were verified, and are to be rectified.
    Verified,
    /// They were rectified, and the case is to be checked and closed.
    Rectified,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Stage; 5] = [
        Stage::ToIssue,
        Stage::Issued,
        Stage::Acknowledged,
        Stage::Verified,
        Stage::Rectified,
    ];

    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::ToIssue => "to-issue",
            Stage::Issued => "issued",
            Stage::Acknowledged => "acknowledged",
            Stage::Verified => "verified",
            Stage::Rectified => "rectified",
        }
    }

    /// The stage of a word.
    pub fn parse(word: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == word)
    }

    /// What comes next; after the last the case is closed.
    pub const fn next(self) -> Option<Stage> {
        match self {
            Stage::ToIssue => Some(Stage::Issued),
            Stage::Issued => Some(Stage::Acknowledged),
            Stage::Acknowledged => Some(Stage::Verified),
            Stage::Verified => Some(Stage::Rectified),
            Stage::Rectified => None,
        }
    }

    /// Business days within which the next step is due.
    pub const fn business_days(self) -> u32 {
        match self {
            Stage::ToIssue => 3,
            Stage::Issued => 5,
            Stage::Acknowledged => 10,
            Stage::Verified => 30,
            Stage::Rectified => 10,
        }
    }
}

/// A case, with what the queue shows of its alert.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the columns of `cases`, where they are explained"
)]
pub struct Case {
    pub n: i64,
    pub alert: String,
    pub detector: String,
    pub subject: String,
    pub subject_key: String,
    pub region: String,
    pub period: Option<String>,
    pub item: Option<String>,
    pub standing: Standing,
    pub severity: Severity,
    pub weight_fen: i64,
    pub number_match: bool,
    pub revision: i64,
    pub news: String,
    pub first_told: Timestamp,
    pub last_told: Timestamp,
    pub due: Option<BusinessDate>,
    pub state: CaseState,
    pub stage: Option<Stage>,
    pub assignee: Option<i64>,
    pub assignee_name: Option<String>,
    pub proposer: Option<i64>,
    pub mended_by: Option<i64>,
    pub closed_by: Option<i64>,
    pub snoozed_until: Option<BusinessDate>,
    pub snooze_worse: bool,
    pub fresh: bool,
    pub overdue: bool,
    pub version: i64,
}

/// Something that became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The version that it led to.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// Who; `None`: the program.
    pub who: Option<String>,
    /// What, by a word that the table of words knows.
    pub kind: String,
    /// What was said.
    pub note: String,
}

impl Case {
    /// Where it stands in the queue: overdue ones first, then what holds, then by severity.
    pub fn rank(&self) -> i64 {
        i64::from(self.overdue) * 8
            + i64::from(self.standing == Standing::Open) * 4
            + i64::from(self.severity as u8)
    }

    /// Puts it into the casebook as it now is, with the step that led there, and the row of the audit trail.
    ///
    /// # Errors
    /// A trigger refuses it, or it cannot be written.
    pub(super) fn save(
        &mut self,
        transaction: &Transaction<'_>,
        actor: Option<&Actor>,
        at: Timestamp,
        kind: &str,
        note: &str,
    ) -> Result<(), CasebookError> {
        self.version += 1;
        transaction
            .prepare_cached(
                "UPDATE cases SET region = ?2, standing = ?3, severity = ?4, weight_fen = ?5, revision = ?6, news = ?7,
                     last_told = ?8, due = ?9, state = ?10, stage = ?11, assignee = ?12, proposer = ?13,
                     snoozed_until = ?14, snooze_worse = ?15, fresh = ?16, overdue = ?17, rank = ?18, version = ?19,
                     number_match = ?20, mended_by = ?21, closed_by = ?22
                 WHERE n = ?1",
            )?
            .execute(params![
                self.n,
                self.region,
                self.standing.as_str(),
                self.severity as u8,
                self.weight_fen,
                self.revision,
                self.news,
                self.last_told.as_millisecond(),
                self.due.map(|day| day.to_string()),
                self.state.as_str(),
                self.stage.map(Stage::as_str),
                self.assignee,
                self.proposer,
                self.snoozed_until.map(|day| day.to_string()),
                self.snooze_worse,
                self.fresh,
                self.overdue,
                self.rank(),
                self.version,
                self.number_match,
                self.mended_by,
                self.closed_by,
            ])?;
        step(transaction, self, actor, at, kind, note)?;
        if let Some(actor) = actor {
            let kind_of = match kind {
                "proposed" | "decided" | "approved" | "returned" | "reopened" => Kind::Decided,
                "letter" => Kind::LetterIssued,
                _ => Kind::Worked,
            };
            audit::append(transaction, actor, kind_of, true, &self.alert, kind)?;
        }
        Ok(())
    }

    /// Sets by when the next thing is to be done.
    pub(super) fn due_on(&mut self, due: Option<BusinessDate>, today: BusinessDate) {
        self.due = due;
        self.overdue = due.is_some_and(|due| due < today);
    }
}

/// Writes a step that changed nothing of the case itself.
pub(super) fn step(
    transaction: &Transaction<'_>,
    case: &Case,
    actor: Option<&Actor>,
    at: Timestamp,
    kind: &str,
    note: &str,
) -> Result<(), CasebookError> {
    let person = actor
        .and_then(|actor| actor.person.as_ref())
        .map(|person| person.n);
    transaction
        .prepare_cached(
            "INSERT INTO steps (\"case\", version, at, person, kind, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            case.n,
            case.version,
            at.as_millisecond(),
            person,
            kind,
            note
        ])?;
    Ok(())
}

/// The case of an alert, if the regions cover it: a foreign one is as missing as one that is not there.
///
/// # Errors
/// [`CasebookError::Missing`].
pub fn case(
    connection: &Connection,
    alert: &str,
    regions: &Regions,
) -> Result<Case, CasebookError> {
    find(connection, alert)?
        .filter(|case| regions.cover(&case.region))
        .ok_or(CasebookError::Missing)
}

/// The region of an alert's case, whoever asks: for the audit trail alone.
///
/// # Errors
/// It cannot be read.
pub fn region_of(connection: &Connection, alert: &str) -> Result<Option<String>, CasebookError> {
    Ok(find(connection, alert)?.map(|case| case.region))
}

/// The case of an alert, whoever asks.
pub(super) fn find(connection: &Connection, alert: &str) -> Result<Option<Case>, CasebookError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE c.alert = ?1"
        ))?
        .query_row([alert], read)
        .optional()?;
    Ok(found)
}

/// The other cases of the same subject that the regions cover, the latest first.
///
/// # Errors
/// They cannot be read.
pub fn of_subject(
    connection: &Connection,
    case: &Case,
    regions: &Regions,
    limit: u32,
) -> Result<Vec<Case>, CasebookError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE c.subject_key = ?1 AND c.n <> ?2 ORDER BY c.last_told DESC LIMIT ?3"
    ))?;
    let rows = select.query_map(params![case.subject_key, case.n, limit], read)?;
    let cases: Vec<Case> = rows.collect::<Result<_, _>>()?;
    Ok(cases
        .into_iter()
        .filter(|case| regions.cover(&case.region))
        .collect())
}

/// What became of a case, the first first; with `after`, only what came after that version.
///
/// # Errors
/// It cannot be read.
pub fn steps(connection: &Connection, case: i64, after: i64) -> Result<Vec<Step>, CasebookError> {
    let who = shown("p");
    let mut select = connection.prepare_cached(&format!(
        "SELECT s.version, s.at, {who}, s.kind, s.note FROM steps s LEFT JOIN people p ON p.n = s.person
         WHERE s.\"case\" = ?1 AND s.version > ?2 ORDER BY s.n"
    ))?;
    let rows = select.query_map(params![case, after], |row| {
        Ok(Step {
            version: row.get(0)?,
            at: time_of(row.get(1)?),
            who: row.get(2)?,
            kind: row.get(3)?,
            note: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The case of an alert, as of the version that a form was made from.
pub type CaseAt<'a> = (&'a str, i64);

/// The case as the form knew it, for whoever is to change it.
///
/// # Errors
/// It is missing, of another region, or has changed since.
pub(super) fn claim(
    transaction: &Transaction<'_>,
    actor: &Actor,
    (alert, version): CaseAt<'_>,
) -> Result<Case, CasebookError> {
    let person = actor.person.as_ref().ok_or(CasebookError::Missing)?;
    let case = case(transaction, alert, &person.regions)?;
    if case.version != version {
        return Err(CasebookError::Stale {
            alert: alert.to_owned(),
            known: version,
        });
    }
    Ok(case)
}

/// Gives a case to somebody, or to nobody.
///
/// # Errors
/// See [`claim`]; the person may not work on cases of the region.
pub fn assign(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    to: Option<i64>,
) -> Result<Case, CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    if case.state == CaseState::Closed {
        return Err(Refusal::WrongState.into());
    }
    let name = match to {
        None => None,
        Some(n) => {
            let workers = super::people::workers(transaction, Some(&case.region))?;
            let worker = workers.into_iter().find(|worker| worker.n == n);
            Some(worker.ok_or(Refusal::BadChoice)?.name)
        }
    };
    case.assignee = to;
    case.state = match (case.state, to) {
        (CaseState::Pending | CaseState::Snoozed, Some(_)) => CaseState::Working,
        (CaseState::Working, None) => CaseState::Pending,
        (state, _) => state,
    };
    if case.state != CaseState::Snoozed {
        case.snoozed_until = None;
        case.snooze_worse = false;
    }
    let (kind, note) = match &name {
        Some(name) => ("assigned", name.as_str()),
        None => ("released", ""),
    };
    case.save(transaction, Some(actor), actor.at, kind, note)?;
    case.assignee_name = name;
    Ok(case)
}

/// Writes something down.
///
/// # Errors
/// See [`claim`]; the note is empty or too long.
pub fn note(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    text: &str,
) -> Result<(), CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    case.save(transaction, Some(actor), actor.at, "noted", &checked(text)?)
}

/// How long a case may be put aside: after today, and no later than a day that the configuration leads to.
#[derive(Clone, Copy, Debug)]
pub struct SnoozeWithin {
    /// The present day.
    pub today: BusinessDate,
    /// The last day that may be named.
    pub latest: BusinessDate,
}

/// Puts a case aside until a day, or until its alert gets worse, or both. Without a day it comes back on the last one
/// that may be named, worse or not.
///
/// # Errors
/// See [`claim`]; the day is not later than today, or later than may be named.
pub fn snooze(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    until: Option<BusinessDate>,
    until_worse: bool,
    reason: &str,
    within: SnoozeWithin,
) -> Result<(), CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    if !matches!(case.state, CaseState::Pending | CaseState::Working) || case.stage.is_some() {
        return Err(Refusal::WrongState.into());
    }
    let until = until.or(until_worse.then_some(within.latest));
    let until = until
        .filter(|until| *until > within.today)
        .ok_or(Refusal::BadDay)?;
    if until > within.latest {
        return Err(Refusal::SnoozeTooLong.into());
    }
    let reason = checked(reason)?;
    case.state = CaseState::Snoozed;
    case.snoozed_until = Some(until);
    case.snooze_worse = until_worse;
    let note = format!("{until} · {reason}");
    case.save(transaction, Some(actor), actor.at, "snoozed", &note)
}

/// Takes a case up again that was put aside.
///
/// # Errors
/// See [`claim`]; it is not put aside.
pub fn resume(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
) -> Result<(), CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    if case.state != CaseState::Snoozed {
        return Err(Refusal::WrongState.into());
    }
    case.wake();
    case.save(transaction, Some(actor), actor.at, "resumed", "")
}

impl Case {
    /// Back from where it was put aside.
    pub(super) fn wake(&mut self) {
        self.state = self.busy();
        self.snoozed_until = None;
        self.snooze_worse = false;
    }

    /// The state of a case that is to be worked on.
    pub(super) const fn busy(&self) -> CaseState {
        if self.assignee.is_some() {
            CaseState::Working
        } else {
            CaseState::Pending
        }
    }
}

/// Goes one step on in the mending of the fault; with the last, which is somebody's who did not report it mended, the
/// case is closed.
///
/// # Errors
/// See [`claim`]; there is nothing to mend, the letter is not issued, or the person reported it mended.
pub fn advance(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    text: &str,
    desk: &Desk,
) -> Result<(), CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    let is_moving = matches!(case.state, CaseState::Working | CaseState::Pending);
    let stage = case
        .stage
        .filter(|stage| is_moving && *stage != Stage::ToIssue);
    let stage = stage.ok_or(Refusal::WrongState)?;
    let who = actor.n()?;
    if stage == Stage::Rectified && case.mended_by == Some(who) {
        return Err(Refusal::FourEyes.into());
    }
    let text = checked(text)?;
    let today = desk.day(actor.at);
    case.stage = stage.next();
    if case.stage == Some(Stage::Rectified) {
        case.mended_by = Some(who);
    }
    match case.stage {
        Some(stage) => {
            let due = desk.business_days_after(today, stage.business_days());
            case.due_on(Some(due), today);
        }
        None => {
            case.state = CaseState::Closed;
            case.closed_by = Some(who);
            case.due_on(None, today);
        }
    }
    let kind = case.stage.map_or("closed", Stage::as_str);
    case.save(transaction, Some(actor), actor.at, kind, &text)
}

/// Whether what the detector weighs is money.
pub fn is_of_money(detector: &str) -> bool {
    !matches!(
        Detector::parse(detector),
        Some(Detector::SilentFeed | Detector::IncompleteFeed | Detector::IndicatorBreach)
    )
}

/// A note that is neither empty nor endless, without characters that turn text around, and without a resident ID number
/// in full: the casebook keeps none.
pub(super) fn checked(text: &str) -> Result<String, CasebookError> {
    let text: String = text
        .trim()
        .chars()
        .filter(|c| *c == '\n' || alerting::mail::text::is_plain(&c.to_string()))
        .collect();
    if text.is_empty() || text.chars().count() > NOTE_MAX {
        return Err(Refusal::NoteMissing.into());
    }
    Ok(alerting::mail::text::scrub_lines(&text))
}

pub(super) const COLUMNS: &str = "c.n, c.alert, c.detector, c.subject, c.subject_key, c.region, c.period, c.item, c.standing, c.severity,
     c.weight_fen, c.revision, c.news, c.first_told, c.last_told, c.due, c.state, c.stage, c.assignee, p.name,
     c.proposer, c.snoozed_until, c.snooze_worse, c.fresh, c.overdue, c.version, c.number_match, c.mended_by,
     c.closed_by";
pub(super) const TABLES: &str = "cases c LEFT JOIN people p ON p.n = c.assignee";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Case> {
    let day = |text: Option<String>| text.and_then(|text| BusinessDate::parse(text.as_bytes()));
    let severity: usize = row.get::<_, u8>(9)?.into();
    Ok(Case {
        n: row.get(0)?,
        alert: row.get(1)?,
        detector: row.get(2)?,
        subject: row.get(3)?,
        subject_key: row.get(4)?,
        region: row.get(5)?,
        period: row.get(6)?,
        item: row.get(7)?,
        // The table's CHECKs know the same words.
        standing: Standing::parse(&row.get::<_, String>(8)?).unwrap_or(Standing::Open),
        severity: Severity::ALL
            .get(severity)
            .copied()
            .unwrap_or(Severity::Red),
        weight_fen: row.get(10)?,
        revision: row.get(11)?,
        news: row.get(12)?,
        first_told: time_of(row.get(13)?),
        last_told: time_of(row.get(14)?),
        due: day(row.get(15)?),
        state: CaseState::parse(&row.get::<_, String>(16)?).unwrap_or(CaseState::Pending),
        stage: row
            .get::<_, Option<String>>(17)?
            .and_then(|word| Stage::parse(&word)),
        assignee: row.get(18)?,
        assignee_name: row.get(19)?,
        proposer: row.get(20)?,
        snoozed_until: day(row.get(21)?),
        snooze_worse: row.get(22)?,
        fresh: row.get(23)?,
        overdue: row.get(24)?,
        version: row.get(25)?,
        number_match: row.get(26)?,
        mended_by: row.get(27)?,
        closed_by: row.get(28)?,
    })
}

/// The name of a person, for what was done by a number.
///
/// # Errors
/// It cannot be read.
pub fn name_of(connection: &Connection, n: i64) -> Result<String, CasebookError> {
    let found = connection
        .prepare_cached(&format!("SELECT {PERSON} FROM people p WHERE p.n = ?1"))?
        .query_row([n], super::people::person)
        .optional()?;
    Ok(found.map_or(String::new(), |person| person.name))
}
