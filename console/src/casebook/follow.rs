//! Follows the alerts' store: each telling, in its order, makes or moves the case of its alert.
//!
//! The alerts' store is opened to read only, and asked for what came after the last telling that the casebook knows;
//! both are noted in one transaction, so that none is missed and none counts twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alerting::Reader;
use alerting::explain;
use alerting::life::{EventKind, Standing};
use alerting::metrics::Metrics;
use alerting::sqlite::{meta, set_meta};
use alerting::store::Telling;
use domain::{BusinessDate, Detector};
use jiff::Timestamp;
use rusqlite::{Transaction, params};
use tokio::sync::watch;

use super::cases::{self, Case, CaseState};
use super::{Casebook, CasebookError, audit, decisions, people};
use crate::desk::Desk;
use crate::rights::Regions;

/// Tellings in one transaction.
const BATCH: u32 = 1_000;
/// Between looks at the store.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Keeps the casebook up with the store, until told to stop. What fails is tried again: the daemon goes on without it.
pub async fn run(
    casebook: Casebook,
    store: PathBuf,
    desk: Desk,
    metrics: Arc<Metrics>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut last_day = None;
    while !*stopping.borrow() {
        let caught_up = catch_up(&casebook, &store, &desk, &mut last_day).await;
        match caught_up.and(measure(&casebook, &metrics).await) {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "the casebook cannot follow the alerts' store; trying again")
            }
        }
        // Either answer leads to the next look at `stopping`.
        let _ = tokio::time::timeout(LOOK_AGAIN, stopping.changed()).await;
    }
}

/// Tells the metrics what the decisions in force say of the detectors.
async fn measure(casebook: &Casebook, metrics: &Metrics) -> Result<(), CasebookError> {
    let all = casebook
        .read(|connection| decisions::precision(connection, &Regions::All))
        .await?;
    for detector in Detector::ALL {
        let of = all.get(detector.as_str()).copied().unwrap_or_default();
        metrics.decided(detector, [of.hits, of.misses, of.neither]);
    }
    Ok(())
}

/// Takes in all that there is.
async fn catch_up(
    casebook: &Casebook,
    store: &std::path::Path,
    desk: &Desk,
    last_day: &mut Option<BusinessDate>,
) -> Result<(), CasebookError> {
    loop {
        let (followed, path) = (casebook.clone(), store.to_owned());
        let desk_of_batch = desk.clone();
        let taken = tokio::task::spawn_blocking(move || take(&followed, &path, &desk_of_batch));
        if taken.await.map_err(|_| CasebookError::Closed)?? < u64::from(BATCH) {
            break;
        }
    }
    let today = desk.day(desk.now());
    if *last_day != Some(today) {
        let now = desk.now();
        let head = casebook
            .write(move |transaction| {
                new_day(transaction, today, now)?;
                audit::head(transaction)
            })
            .await?;
        if let Some((rows, head)) = head {
            // Logs are kept elsewhere: whoever cuts off the trail's end here cannot take this back.
            tracing::info!(rows, head, "the audit trail so far");
        }
        *last_day = Some(today);
    }
    Ok(())
}

/// Takes in the next tellings, and says how many there were.
///
/// # Errors
/// The store cannot be read, or the casebook not be written.
pub fn take(
    casebook: &Casebook,
    store: &std::path::Path,
    desk: &Desk,
) -> Result<u64, CasebookError> {
    let reader = Reader::open(store)?;
    let instance = reader.instance()?;
    let (known, seq) = casebook.read_blocking(|connection| {
        let seq = meta(connection, "followed_seq")?;
        let seq = seq.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        Ok((meta(connection, "followed_instance")?, seq))
    })?;
    // A store that was made anew counts from the beginning. Alerts keep their ids, so cases keep their alerts.
    let seq = if known.as_ref() == Some(&instance) {
        seq
    } else {
        0
    };
    let tellings = reader.tellings_after(seq, BATCH)?;
    let Some(last) = tellings.last().map(|telling| telling.seq) else {
        return Ok(0);
    };
    let (keys, desk, count) = (casebook.clone(), desk.clone(), tellings.len() as u64);
    casebook.write_blocking(move |transaction| {
        let today = desk.day(desk.now());
        for telling in &tellings {
            apply(transaction, &keys, &desk, telling, today)?;
        }
        set_meta(transaction, "followed_seq", &last.to_string())?;
        Ok(set_meta(transaction, "followed_instance", &instance)?)
    })?;
    Ok(count)
}

fn apply(
    transaction: &Transaction<'_>,
    keys: &Casebook,
    desk: &Desk,
    telling: &Telling,
    today: BusinessDate,
) -> Result<(), CasebookError> {
    let alert = &telling.alert;
    let standing = Standing::of(alert, telling.kind == EventKind::Withdrawn);
    // What is no money adds to no sum; a second pair of eyes it needs by its severity alone.
    let weight_fen = if cases::is_of_money(&alert.detector) {
        i64::try_from(alert.weight().fen()).unwrap_or(i64::MAX)
    } else {
        0
    };
    let revision = i64::try_from(telling.revision).unwrap_or(i64::MAX);
    let respond_by = (standing == Standing::Open)
        .then(|| desk.respond_by(alert.severity, telling.told_at))
        .flatten();
    let Some(mut case) = cases::find(transaction, &alert.id)? else {
        let mut case = Case {
            n: 0,
            alert: alert.id.clone(),
            detector: alert.detector.clone(),
            subject: explain::who(alert),
            subject_key: keys.subject_key(&alert.subject),
            region: alert.region.clone(),
            period: alert.period.clone(),
            item: alert.item.clone(),
            standing,
            severity: alert.severity,
            weight_fen,
            number_match: explain::is_number_match(alert),
            revision,
            news: telling.kind.as_str().to_owned(),
            first_told: telling.told_at,
            last_told: telling.told_at,
            due: None,
            state: CaseState::Pending,
            stage: None,
            assignee: None,
            assignee_name: None,
            proposer: None,
            mended_by: None,
            closed_by: None,
            snoozed_until: None,
            snooze_worse: false,
            fresh: false,
            overdue: false,
            version: 1,
        };
        case.due_on(respond_by, today);
        insert(transaction, &mut case)?;
        return cases::step(
            transaction,
            &case,
            None,
            telling.told_at,
            telling.kind.as_str(),
            "",
        );
    };
    let is_worse = standing == Standing::Open
        && (case.standing != Standing::Open
            || alert.severity > case.severity
            || weight_fen > case.weight_fen);
    case.region.clone_from(&alert.region);
    case.standing = standing;
    case.severity = alert.severity;
    case.weight_fen = weight_fen;
    case.number_match = explain::is_number_match(alert);
    case.revision = revision;
    telling.kind.as_str().clone_into(&mut case.news);
    case.last_told = telling.told_at;
    move_on(transaction, &mut case, is_worse, telling.told_at)?;
    // In the loop of mending the deadlines are its own.
    if case.stage.is_none() && case.state != CaseState::Closed {
        let due = match standing {
            Standing::Open => match (case.due, respond_by) {
                (Some(known), Some(new)) => Some(known.min(new)),
                (known, new) => known.or(new),
            },
            Standing::Cleared => None,
            // Whatever was done on it is to be undone.
            Standing::Withdrawn => desk.respond_by(alert.severity, telling.told_at),
        };
        case.due_on(due, today);
    }
    case.save(
        transaction,
        None,
        telling.told_at,
        telling.kind.as_str(),
        telling.cause.as_deref().unwrap_or(""),
    )
}

/// What the news does to the state of the case: evidence that is newer than a decision brings it back to whoever
/// decided.
fn move_on(
    transaction: &Transaction<'_>,
    case: &mut Case,
    is_worse: bool,
    at: Timestamp,
) -> Result<(), CasebookError> {
    let decided: Option<i64> = transaction
        .prepare_cached(
            "SELECT proposer FROM decisions WHERE \"case\" = ?1 AND state IN ('proposed', 'in-force') ORDER BY n DESC LIMIT 1",
        )?
        .query_map([case.n], |row| row.get(0))?
        .next()
        .transpose()?;
    let is_cleared = case.standing == Standing::Cleared;
    match (decided, case.state) {
        (Some(proposer), CaseState::Review) => {
            super::decisions::supersede(transaction, case.n, "proposed", at)?;
            case.proposer = None;
            case.comes_back(proposer);
        }
        // What was decided and is over needs no second look.
        (Some(_), CaseState::Closed) if is_cleared => {}
        (Some(proposer), CaseState::Closed) => case.comes_back(proposer),
        (Some(_), _) if !is_cleared => case.fresh = true,
        (None, CaseState::Closed) if case.standing == Standing::Open => case.state = case.busy(),
        (None, CaseState::Pending | CaseState::Snoozed) if case.standing == Standing::Withdrawn => {
            case.wake();
            if case.assignee.is_none() {
                case.state = CaseState::Closed;
                case.due = None;
                case.overdue = false;
            }
        }
        (_, CaseState::Snoozed) if is_worse && case.snooze_worse => case.wake(),
        _ => {}
    }
    Ok(())
}

impl Case {
    /// To whoever decided on it, as new evidence.
    fn comes_back(&mut self, proposer: i64) {
        self.state = CaseState::Working;
        self.assignee = Some(proposer);
        self.fresh = true;
    }
}

fn insert(transaction: &Transaction<'_>, case: &mut Case) -> Result<(), CasebookError> {
    transaction
        .prepare_cached(
            "INSERT INTO cases (alert, detector, subject, subject_key, region, period, item, standing, severity,
                 weight_fen, revision, news, first_told, last_told, due, state, overdue, rank, number_match)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .execute(params![
            case.alert,
            case.detector,
            case.subject,
            case.subject_key,
            case.region,
            case.period,
            case.item,
            case.standing.as_str(),
            case.severity as u8,
            case.weight_fen,
            case.revision,
            case.news,
            case.first_told.as_millisecond(),
            case.last_told.as_millisecond(),
            case.due.map(|day| day.to_string()),
            case.state.as_str(),
            case.overdue,
            case.rank(),
            case.number_match,
        ])?;
    case.n = transaction.last_insert_rowid();
    Ok(())
}

/// What a new day alone changes: what has become overdue, what was put aside until today, and sessions and tokens that
/// have long been over.
///
/// # Errors
/// It cannot be written.
pub fn new_day(
    transaction: &Transaction<'_>,
    today: BusinessDate,
    now: Timestamp,
) -> Result<(), CasebookError> {
    transaction.execute(
        "UPDATE cases SET overdue = 1, rank = rank + 8 WHERE overdue = 0 AND state <> 'closed' AND due < ?1",
        [today.to_string()],
    )?;
    people::purge(transaction, now)?;
    let due: Vec<String> = transaction
        .prepare("SELECT alert FROM cases WHERE state = 'snoozed' AND snoozed_until <= ?1")?
        .query_map([today.to_string()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for alert in due {
        if let Some(mut case) = cases::find(transaction, &alert)? {
            case.wake();
            case.save(transaction, None, now, "woken", "")?;
        }
    }
    Ok(())
}
