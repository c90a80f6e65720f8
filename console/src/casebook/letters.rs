//! Letters: 核查通知书, 提示函, 整改通知. Numbered within kind and year when they are issued, and frozen then: what was
//! sent is kept byte for byte with its hash, and a trigger refuses every change.

use domain::BusinessDate;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::cases::{Case, CaseAt, CaseState, Stage, case, claim};
use super::{Actor, CasebookError, Refusal, time_of};
use crate::desk::Desk;
use crate::rights::Regions;

/// What a letter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterKind {
    /// 核查通知书: to look into it and answer.
    Inspection,
    /// 提示函: to take note.
    Reminder,
    /// 整改通知: to mend it.
    Rectification,
}

impl LetterKind {
    /// All of them.
    pub const ALL: [LetterKind; 3] = [
        LetterKind::Inspection,
        LetterKind::Reminder,
        LetterKind::Rectification,
    ];

    /// The word in store and form.
    pub const fn as_str(self) -> &'static str {
        match self {
            LetterKind::Inspection => "inspection",
            LetterKind::Reminder => "reminder",
            LetterKind::Rectification => "rectification",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<LetterKind> {
        LetterKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// The character in the number: 核〔2026〕12号.
    pub const fn mark(self) -> &'static str {
        match self {
            LetterKind::Inspection => "核",
            LetterKind::Reminder => "提",
            LetterKind::Rectification => "改",
        }
    }

    /// Business days that the addressee has to answer.
    pub const fn business_days(self) -> u32 {
        match self {
            LetterKind::Inspection => 10,
            LetterKind::Reminder => 15,
            LetterKind::Rectification => 30,
        }
    }
}

/// A letter that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number in the casebook.
    pub n: i64,
    /// The alert of its case.
    pub alert: String,
    /// What it asks for.
    pub kind: LetterKind,
    /// The year of its number.
    pub year: i64,
    /// The number within the year.
    pub serial: i64,
    /// What was sent.
    pub html: String,
    /// BLAKE3 of it.
    pub hash: String,
    /// Who issued it.
    pub issuer: String,
    /// When.
    pub issued_at: Timestamp,
    /// By when an answer is due.
    pub due: String,
}

impl Letter {
    /// 核〔2026〕12号.
    pub fn number(&self) -> String {
        number(self.kind, self.year, self.serial)
    }

    /// Whether it is what was issued.
    pub fn is_intact(&self) -> bool {
        blake3::hash(self.html.as_bytes()).to_hex().as_str() == self.hash
    }
}

/// 核〔2026〕12号.
pub fn number(kind: LetterKind, year: i64, serial: i64) -> String {
    format!("{}〔{year}〕{serial}号", kind.mark())
}

/// Issues a letter on a case. `write` makes its text from the case, its number, the day, and by when to answer.
///
/// # Errors
/// See [`claim`]; an order to rectify needs a decision that says so.
pub fn issue(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    kind: LetterKind,
    desk: &Desk,
    write: impl FnOnce(&Case, &str, BusinessDate, BusinessDate) -> Result<String, CasebookError>,
) -> Result<i64, CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    let is_order = kind == LetterKind::Rectification;
    if case.state == CaseState::Closed || (is_order && case.stage != Some(Stage::ToIssue)) {
        return Err(Refusal::WrongState.into());
    }
    let today = desk.day(actor.at);
    let year = i64::from(today.ymd().0);
    let serial: i64 = transaction.query_row(
        "SELECT coalesce(max(serial), 0) + 1 FROM letters WHERE kind = ?1 AND year = ?2",
        params![kind.as_str(), year],
        |row| row.get(0),
    )?;
    let due = desk.business_days_after(today, kind.business_days());
    let number = number(kind, year, serial);
    let html = write(&case, &number, today, due)?;
    transaction.execute(
        "INSERT INTO letters (\"case\", kind, year, serial, html, hash, issuer, issued_at, due)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            case.n,
            kind.as_str(),
            year,
            serial,
            html,
            blake3::hash(html.as_bytes()).to_hex().as_str(),
            actor.n()?,
            actor.at.as_millisecond(),
            due.to_string()
        ],
    )?;
    let n = transaction.last_insert_rowid();
    if is_order {
        case.stage = Some(Stage::Issued);
        let due = desk.business_days_after(today, Stage::Issued.business_days());
        case.due_on(Some(due), today);
    }
    case.save(transaction, Some(actor), actor.at, "letter", &number)?;
    Ok(n)
}

/// The letters on a case, the first first.
///
/// # Errors
/// They cannot be read.
pub fn of_case(connection: &Connection, case: i64) -> Result<Vec<Letter>, CasebookError> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} WHERE l.\"case\" = ?1 ORDER BY l.n"
    ))?;
    let rows = select.query_map([case], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A letter, if the regions cover its case.
///
/// # Errors
/// [`CasebookError::Missing`].
pub fn letter(connection: &Connection, n: i64, regions: &Regions) -> Result<Letter, CasebookError> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE l.n = ?1"))?
        .query_row([n], read)
        .optional()?;
    let letter = found.ok_or(CasebookError::Missing)?;
    case(connection, &letter.alert, regions)?;
    Ok(letter)
}

/// The region of a letter's case, whoever asks: for the audit trail alone.
///
/// # Errors
/// It cannot be read.
pub fn region_of(connection: &Connection, n: i64) -> Result<Option<String>, CasebookError> {
    let mut select = connection.prepare_cached(
        "SELECT c.region FROM letters l JOIN cases c ON c.n = l.\"case\" WHERE l.n = ?1",
    )?;
    Ok(select.query_row([n], |row| row.get(0)).optional()?)
}

const COLUMNS: &str =
    "l.n, c.alert, l.kind, l.year, l.serial, l.html, l.hash, p.name, l.issued_at, l.due
     FROM letters l JOIN cases c ON c.n = l.\"case\" JOIN people p ON p.n = l.issuer";

fn read(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let kind: String = row.get(2)?;
    Ok(Letter {
        n: row.get(0)?,
        alert: row.get(1)?,
        kind: LetterKind::parse(&kind).unwrap_or(LetterKind::Reminder),
        year: row.get(3)?,
        serial: row.get(4)?,
        html: row.get(5)?,
        hash: row.get(6)?,
        issuer: row.get(7)?,
        issued_at: time_of(row.get(8)?),
        due: row.get(9)?,
    })
}
