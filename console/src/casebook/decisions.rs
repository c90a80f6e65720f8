//! Decisions: an outcome with its reason and a note, proposed by one and, over the threshold, on what is red or in bulk,
//! approved by another. The database itself refuses an approver who proposed.

use std::collections::BTreeMap;

use alerting::sqlite::meta;
use domain::Severity;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::cases::{Case, CaseAt, CaseState, Stage, checked, claim};
use super::codes::Codes;
use super::people::shown;
use super::{Actor, CasebookError, Refusal, time_of};
use crate::desk::Desk;
use crate::rights::Regions;

/// A decision on a case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the columns of `decisions`, where they are explained"
)]
pub struct Decision {
    pub n: i64,
    pub outcome: String,
    pub reason: String,
    pub note: String,
    pub proposer: i64,
    pub proposer_name: String,
    pub proposed_at: Timestamp,
    pub bulk: bool,
    pub revision: i64,
    pub weight_fen: i64,
    pub state: String,
    pub approver_name: Option<String>,
    pub settled_at: Option<Timestamp>,
    pub answer: Option<String>,
    pub rectify: bool,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It waits for its approver.
    Waits,
    /// It is in force, and the case closed.
    Closed,
    /// It is in force, and the fault is to be mended.
    ToMend,
}

/// Whether a decision on a case, by itself, needs the eyes of somebody else: by its amount, its severity, or because it
/// would end the mending of a fault that was decided on.
///
/// # Errors
/// The threshold cannot be read.
pub fn needs_two(connection: &Connection, case: &Case) -> Result<bool, CasebookError> {
    let threshold: i64 = meta(connection, "four_eyes_from_fen")?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Ok(case.weight_fen >= threshold || case.severity == Severity::Red || case.stage.is_some())
}

/// Decides on a case, or proposes to.
///
/// # Errors
/// See [`claim`]; no such reason, no note, or the state of the case does not allow it.
pub fn propose(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    reason: &str,
    note: &str,
    bulk: bool,
    desk: &Desk,
) -> Result<Settled, CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    if matches!(case.state, CaseState::Closed | CaseState::Review) {
        return Err(Refusal::WrongState.into());
    }
    let codes = Codes::of_program();
    let (outcome, reason) = codes.choice(reason).ok_or(Refusal::BadChoice)?;
    let note = checked(note)?;
    let waits = bulk || needs_two(transaction, &case)?;
    let proposer = actor.n()?;
    if !waits {
        supersede(transaction, case.n, "in-force", actor.at)?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO decisions (\"case\", outcome, reason, codes, verdict, rectify, note, proposer, proposed_at, bulk,
                 revision, severity, weight_fen, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            case.n,
            outcome.code,
            reason.code,
            codes.version,
            outcome.verdict.as_str(),
            reason.rectify,
            note,
            proposer,
            actor.at.as_millisecond(),
            bulk,
            case.revision,
            case.severity as u8,
            case.weight_fen,
            if waits { "proposed" } else { "in-force" },
        ])?;
    case.snoozed_until = None;
    let said = format!("{} · {note}", reason.code);
    if waits {
        case.state = CaseState::Review;
        case.proposer = Some(proposer);
        case.assignee = case.assignee.or(Some(proposer));
        case.save(transaction, Some(actor), actor.at, "proposed", &said)?;
        return Ok(Settled::Waits);
    }
    let settled = settle(&mut case, reason.rectify, actor.at, desk);
    case.closed_by = (settled == Settled::Closed).then_some(proposer);
    case.assignee = case.assignee.or(Some(proposer));
    case.save(transaction, Some(actor), actor.at, "decided", &said)?;
    Ok(settled)
}

/// Approves what somebody else proposed, or returns it.
///
/// # Errors
/// See [`claim`]; nothing waits, or the person proposed it.
pub fn answer(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    approves: bool,
    note: &str,
    desk: &Desk,
) -> Result<Settled, CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    let waiting = transaction
        .query_row(
            "SELECT n, proposer, rectify FROM decisions WHERE \"case\" = ?1 AND state = 'proposed'",
            [case.n],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, bool>(2)?,
                ))
            },
        )
        .optional()?;
    let (n, proposer, rectify) = waiting.ok_or(Refusal::WrongState)?;
    let approver = actor.n()?;
    if approver == proposer {
        return Err(Refusal::FourEyes.into());
    }
    let note = if approves && note.trim().is_empty() {
        String::new()
    } else {
        checked(note)?
    };
    if approves {
        supersede(transaction, case.n, "in-force", actor.at)?;
    }
    transaction.execute(
        "UPDATE decisions SET state = ?2, approver = ?3, settled_at = ?4, answer = ?5 WHERE n = ?1",
        params![
            n,
            if approves { "in-force" } else { "returned" },
            approver,
            actor.at.as_millisecond(),
            note
        ],
    )?;
    case.proposer = None;
    if !approves {
        case.state = CaseState::Working;
        case.assignee = Some(proposer);
        case.save(transaction, Some(actor), actor.at, "returned", &note)?;
        return Ok(Settled::Waits);
    }
    let settled = settle(&mut case, rectify, actor.at, desk);
    case.closed_by = (settled == Settled::Closed).then_some(approver);
    case.save(transaction, Some(actor), actor.at, "approved", &note)?;
    Ok(settled)
}

/// Takes a closed case up again; the decision on it stands no more.
///
/// # Errors
/// See [`claim`]; it is not closed.
pub fn reopen(
    transaction: &Transaction<'_>,
    actor: &Actor,
    case: CaseAt<'_>,
    note: &str,
) -> Result<(), CasebookError> {
    let mut case = claim(transaction, actor, case)?;
    if case.state != CaseState::Closed {
        return Err(Refusal::WrongState.into());
    }
    let note = checked(note)?;
    supersede(transaction, case.n, "in-force", actor.at)?;
    case.state = CaseState::Working;
    case.stage = None;
    case.mended_by = None;
    case.closed_by = None;
    case.assignee = Some(actor.n()?);
    case.save(transaction, Some(actor), actor.at, "reopened", &note)
}

fn settle(case: &mut Case, rectify: bool, at: Timestamp, desk: &Desk) -> Settled {
    let today = desk.day(at);
    case.fresh = false;
    case.mended_by = None;
    if rectify {
        case.state = CaseState::Working;
        case.stage = Some(Stage::ToIssue);
        let due = desk.business_days_after(today, Stage::ToIssue.business_days());
        case.due_on(Some(due), today);
        Settled::ToMend
    } else {
        case.state = CaseState::Closed;
        case.stage = None;
        case.due_on(None, today);
        Settled::Closed
    }
}

/// Decisions of a state stand no more.
pub(super) fn supersede(
    transaction: &Transaction<'_>,
    case: i64,
    state: &str,
    at: Timestamp,
) -> Result<(), CasebookError> {
    transaction
        .prepare_cached(
            "UPDATE decisions SET state = 'superseded', settled_at = ?3 WHERE \"case\" = ?1 AND state = ?2",
        )?
        .execute(params![case, state, at.as_millisecond()])?;
    Ok(())
}

/// All decisions on a case, the first first.
///
/// # Errors
/// They cannot be read.
pub fn of_case(connection: &Connection, case: i64) -> Result<Vec<Decision>, CasebookError> {
    let (proposer, approver) = (shown("p"), shown("a"));
    let mut select = connection.prepare_cached(&format!(
        "SELECT d.n, d.outcome, d.reason, d.note, d.proposer, {proposer}, d.proposed_at, d.bulk, d.revision, d.weight_fen,
             d.state, {approver}, d.settled_at, d.answer, d.rectify
         FROM decisions d JOIN people p ON p.n = d.proposer LEFT JOIN people a ON a.n = d.approver
         WHERE d.\"case\" = ?1 ORDER BY d.n"
    ))?;
    let rows = select.query_map([case], decision)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn decision(row: &Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        n: row.get(0)?,
        outcome: row.get(1)?,
        reason: row.get(2)?,
        note: row.get(3)?,
        proposer: row.get(4)?,
        proposer_name: row.get(5)?,
        proposed_at: time_of(row.get(6)?),
        bulk: row.get(7)?,
        revision: row.get(8)?,
        weight_fen: row.get(9)?,
        state: row.get(10)?,
        approver_name: row.get(11)?,
        settled_at: row.get::<_, Option<i64>>(12)?.map(time_of),
        answer: row.get(13)?,
        rectify: row.get(14)?,
    })
}

/// What the decisions in force say of a detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Precision {
    /// It was right to ask.
    pub hits: u64,
    /// It was not.
    pub misses: u64,
    /// The question stays open, or is somebody else's.
    pub neither: u64,
}

impl Precision {
    /// Hits of hits and misses, in hundredths of a percent; `None` before the first.
    pub fn hundredths(self) -> Option<u64> {
        let all = self.hits + self.misses;
        // Half up; there is no money in it.
        (all > 0).then(|| (self.hits * 10_000 + all / 2) / all)
    }
}

/// Decisions in force by detector, of cases that the regions cover.
///
/// # Errors
/// They cannot be read.
pub fn precision(
    connection: &Connection,
    regions: &Regions,
) -> Result<BTreeMap<String, Precision>, CasebookError> {
    let mut select = connection.prepare_cached(
        "SELECT c.detector, c.region, d.verdict, count(*) FROM decisions d JOIN cases c ON c.n = d.\"case\"
         WHERE d.state = 'in-force' GROUP BY 1, 2, 3",
    )?;
    let mut rows = select.query([])?;
    let mut all: BTreeMap<String, Precision> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if !regions.cover(&row.get::<_, String>(1)?) {
            continue;
        }
        let of = all.entry(row.get(0)?).or_default();
        let count: u64 = row.get(3)?;
        match row.get::<_, String>(2)?.as_str() {
            "hit" => of.hits += count,
            "miss" => of.misses += count,
            _ => of.neither += count,
        }
    }
    Ok(all)
}
