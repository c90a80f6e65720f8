//! The queue, and a case with its alert: as on their pages, in figures and codes where a page has words.

use std::sync::Arc;

use alerting::Language;
use alerting::explain::{self, Explanation};
use alerting::life::Standing;
use alerting::mail::text::scrub;
use alerting::store::{AlertRow, Mailed, Telling};
use axum::Extension;
use axum::extract::{Path, State};
use casework::explain::steps::Working;
use casework::explain::{self as cause, Evidence, Recheck};
use casework::words::unanswered;
use domain::{BusinessDate, Detector, Severity};
use serde::Serialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::gate::Call;
use super::problem::{Fault, Problems, StepView, Trouble};
use super::query::{Asked, CaseId, Takes, check, described};
use super::scalars::{
    Day, Fen, LetterWord, Moment, SeverityWord, StageWord, StandingWord, StateWord,
};
use super::{Answer, json};
use crate::casebook::cases::{self, Case, CaseState, Stage};
use crate::casebook::decisions::Decision;
use crate::casebook::letters::Letter;
use crate::casebook::queue::{self as book, Counts, PAGES_MAX, Sort, Tab};
use crate::rights::Right;
use crate::web::App;
use crate::web::alert::{self, EVIDENCE_MAX, May};
use crate::web::queue as pages;

/// A page of the queue.
#[derive(Serialize, ToSchema)]
pub struct QueueView {
    /// How many the filter lets through.
    total: u64,
    /// What they weigh together.
    at_stake_fen: Fen,
    /// This page, from 1 on.
    page: u32,
    /// How many there are to be leafed through.
    pages: u64,
    /// How many there are under each tab, whatever the filter.
    counts: CountsView,
    /// The cases, 50 to a page.
    cases: Vec<CaseView>,
}

/// How many cases there are under each tab.
#[derive(Serialize, ToSchema)]
pub struct CountsView {
    all: u64,
    mine: u64,
    unassigned: u64,
    approval: u64,
    overdue: u64,
}

/// A case, with what the queue shows of its alert.
#[derive(Serialize, ToSchema)]
pub struct CaseView {
    /// The alert's id, by which the case is named.
    alert: String,
    /// The version, which an act on the case has to name.
    version: i64,
    /// The detector that raised the alert.
    detector: String,
    /// What the alert is called.
    name: String,
    /// Whether only numbers match: then nobody is called dead for it.
    is_number_match: bool,
    /// Whom it is about: a credit code, a region, or a person's number with stars.
    subject: String,
    /// The region's code.
    region: String,
    /// The region's name.
    region_name: String,
    /// The month, YYYY-MM.
    period: Option<String>,
    /// The benefit item, the indicator or the feed.
    item: Option<String>,
    standing: StandingWord,
    severity: SeverityWord,
    /// The amount of an open alert, the highest of one that is over; none where it is no money.
    at_stake_fen: Option<Fen>,
    /// When it was first told.
    first_told: Moment,
    /// When it was last told.
    last_told: Moment,
    /// As what it was last told, e.g. `raised`.
    news: String,
    /// Business days since it was first told.
    age_business_days: u32,
    /// By when something is to be done.
    due: Option<Day>,
    is_overdue: bool,
    state: StateWord,
    stage: Option<StageWord>,
    /// Who works on it.
    assignee: Option<PersonView>,
    /// The number of whoever proposed the decision that waits.
    proposer: Option<i64>,
    /// The number of whoever reported the fault mended: somebody else checks it and closes the case.
    mended_by: Option<i64>,
    snoozed_until: Option<Day>,
    is_snoozed_until_worse: bool,
    /// Whether there is evidence newer than the decision.
    has_new_evidence: bool,
}

/// Somebody at the console.
#[derive(Serialize, ToSchema)]
pub struct PersonView {
    /// The number, which acts name.
    pub n: i64,
    /// The name.
    pub name: String,
}

/// A case with its alert, its evidence and its history.
#[derive(Serialize, ToSchema)]
pub struct CasePageView {
    case: CaseView,
    alert: AlertView,
    /// The rule step by step.
    working: WorkingView,
    /// What the facts come to, judged again: `same`, `different`, `gone`; none if it was not done.
    recheck: Option<&'static str>,
    /// The records that the alert rests on, 100 at most.
    evidence: Vec<EvidenceView>,
    /// How many more there are.
    evidence_more: usize,
    /// Why the records could not be looked up.
    unanswered: Option<String>,
    /// What became of the alert, the latest first.
    history: Vec<EventView>,
    /// Other cases of the same subject, the latest first.
    related: Vec<CaseView>,
    /// What became of the case, the latest first.
    log: Vec<StepView>,
    /// Decisions on it, the latest first.
    decisions: Vec<DecisionView>,
    /// Letters on it.
    letters: Vec<LetterLine>,
    /// The acts that are offered as things stand: last parts of their addresses.
    may: Vec<&'static str>,
    /// Whether somebody else has to approve a decision.
    needs_approval: bool,
    /// The last day that it may be put aside until.
    snooze_latest: Day,
}

/// What is, or was, the case.
#[derive(Serialize, ToSchema)]
pub struct AlertView {
    /// In a sentence.
    sentence: String,
    /// The rule and its source.
    rule: Option<String>,
    /// The entry of the policy that was applied.
    policy: Option<String>,
    /// How the amount comes about, with its numbers.
    arithmetic: Option<String>,
    /// What is to be done, and what to rule out first.
    action: String,
    /// By when.
    respond_by: Option<String>,
    /// The first day of the latest episode.
    opened_on: Day,
    /// The day after its last day.
    cleared_on: Option<Day>,
    /// How often it was told.
    revision: u64,
    /// How much, since when.
    facts: Vec<FigureView>,
    /// The detector's own figures.
    details: Vec<FigureView>,
}

/// A figure with its name.
#[derive(Serialize, ToSchema)]
pub struct FigureView {
    label: String,
    value: String,
}

/// The rule step by step.
#[derive(Serialize, ToSchema)]
pub struct WorkingView {
    /// The entry of the policy that applies now.
    entry: Option<String>,
    /// Whether the alert was made under another one.
    entry_is_another: bool,
    steps: Vec<WorkingStepView>,
    /// Whether the steps come out at the alert's amount.
    comes_out: Option<bool>,
}

/// A step of the rule.
#[derive(Serialize, ToSchema)]
pub struct WorkingStepView {
    what: String,
    how: String,
    result: String,
}

/// A record of the evidence.
#[derive(Serialize, ToSchema)]
pub struct EvidenceView {
    /// `topic/id`.
    id: String,
    kind: Option<&'static str>,
    /// When it took effect.
    date: Option<String>,
    /// What it says.
    says: Option<String>,
    /// Where it stands: topic, partition, offset.
    place: Option<String>,
}

/// A telling of the alert.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    at: Moment,
    /// As what, e.g. `changed`.
    kind: &'static str,
    /// The record that did it.
    cause: Option<String>,
    changes: Vec<ChangeView>,
    /// Who was told.
    told: Vec<ToldView>,
}

/// What a telling has changed.
#[derive(Serialize, ToSchema)]
pub struct ChangeView {
    label: String,
    was: String,
    is: String,
}

/// Somebody who was told by mail.
#[derive(Serialize, ToSchema)]
pub struct ToldView {
    /// The name, or without one the address.
    to: String,
    /// `pending`, `sending`, `sent` or `failed`.
    state: String,
    /// When it was sent, or given up.
    at: Option<Moment>,
}

/// A decision.
#[derive(Serialize, ToSchema)]
pub struct DecisionView {
    outcome: String,
    reason: String,
    note: String,
    proposer: PersonView,
    proposed_at: Moment,
    /// Whether it was proposed together with others.
    is_bulk: bool,
    /// `proposed`, `in-force`, `returned` or `superseded`.
    state: String,
    /// Who approved or returned it.
    approver: Option<String>,
    settled_at: Option<Moment>,
    answer: Option<String>,
    /// Whether the fault has to be mended.
    is_to_be_rectified: bool,
    /// The telling of the alert that was decided on.
    revision: i64,
    /// What was at stake then.
    at_stake_fen: Fen,
}

/// A letter, by what it is named.
#[derive(Serialize, ToSchema)]
pub struct LetterLine {
    /// Its number in the casebook: `/api/v1/letters/{n}`.
    n: i64,
    /// 核〔2026〕12号.
    number: String,
    kind: LetterWord,
    issued_at: Moment,
    /// By when an answer is due, YYYY-MM-DD.
    due: String,
}

/// What the queue is asked for.
pub struct QueueQuery;

impl QueueQuery {
    fn all() -> Vec<Asked> {
        let asked = |name, says, takes| Asked { name, says, takes };
        vec![
            asked(
                "tab",
                "Under which tab; `all` without.",
                Takes::Words(Tab::ALL.map(Tab::as_str).to_vec()),
            ),
            asked(
                "state",
                "Where the case is.",
                Takes::Words(CaseState::ALL.map(CaseState::as_str).to_vec()),
            ),
            asked(
                "standing",
                "How the alert stands.",
                Takes::Words(Standing::ALL.map(Standing::as_str).to_vec()),
            ),
            asked(
                "severity",
                "How grave it is.",
                Takes::Words(Severity::ALL.map(Severity::as_str).to_vec()),
            ),
            asked(
                "detector",
                "Which detector raised it.",
                Takes::Words(Detector::ALL.map(Detector::as_str).to_vec()),
            ),
            asked("region", "The code of a region.", Takes::Digits(6)),
            asked(
                "q",
                "How the alert's id or the enterprise's code begins. A person's number in full is refused here: it belongs into no address. Ask /api/v1/search.",
                Takes::Text(pages::SEARCH_MAX),
            ),
            asked(
                "subject",
                "The key of a subject, of /api/v1/search.",
                Takes::Hex(64),
            ),
            asked(
                "sort",
                "In which order; `urgency` without.",
                Takes::Words(Sort::ALL.map(Sort::as_str).to_vec()),
            ),
            asked(
                "page",
                "Which page, from 1 on.",
                Takes::Number(1, i64::from(PAGES_MAX)),
            ),
        ]
    }
}

impl IntoParams for QueueQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(QueueQuery::all())
    }
}

/// The queue: cases under a tab, by filter, in order, 50 to a page.
#[utoipa::path(get, path = "/api/v1/cases", tag = "cases", params(QueueQuery),
    responses((status = 200, description = "A page of the queue", body = QueueView), Problems))]
pub async fn queue(State(app): State<Arc<App>>, Extension(call): Extension<Arc<Call>>) -> Answer {
    check(&call.query, &QueueQuery::all())?;
    let text = call.query.one("q")?;
    if pages::person_of(text).is_some() {
        return Err(Fault::at(
            Trouble::Malformed,
            "q",
            "is a person's number in full: ask /api/v1/search",
        ));
    }
    let filter = pages::filter(&app, &call.query)?;
    let (asker, page) = (pages::asker(call.person()?), filter.page + 1);
    let found = app.casebook.read(move |connection| {
        let counts = book::counts(connection, &asker)?;
        Ok((counts, book::page(connection, &asker, &filter)?))
    });
    let (counts, found) = found.await?;
    let Counts {
        all,
        mine,
        unassigned,
        approval,
        overdue,
    } = counts;
    let today = app.desk.day(call.at);
    Ok(json(&QueueView {
        total: found.total,
        at_stake_fen: domain::Money::from_fen(found.weight_fen).into(),
        page,
        pages: found.pages(),
        counts: CountsView {
            all,
            mine,
            unassigned,
            approval,
            overdue,
        },
        cases: found
            .cases
            .iter()
            .map(|case| view(&app, case, call.language, today))
            .collect(),
    }))
}

/// A case with its alert, its evidence and its history. A look at a person's is recorded.
#[utoipa::path(get, path = "/api/v1/cases/{id}", tag = "cases", params(CaseId),
    responses((status = 200, description = "The case", body = CasePageView), Problems))]
pub async fn case(
    State(app): State<Arc<App>>,
    Extension(call): Extension<Arc<Call>>,
    Path(id): Path<String>,
) -> Answer {
    check(&call.query, &[])?;
    let (found, (stored, tellings, mailed, known)) = alert::look(&app, call.actor(), &id).await?;
    let last = tellings.last().ok_or(Trouble::Missing)?;
    let (language, today) = (call.language, app.desk.day(call.at));
    let case = &found.case;
    let person = call.person()?;
    let records = cause::evidence(&stored.alert, &known.records, language);
    let may = if call.may(Right::Work) {
        alert::may(person, case, false)
    } else {
        May::default()
    };
    let working = if case.standing == Standing::Withdrawn {
        Working::default()
    } else {
        let dossier = known.dossier.as_ref();
        cause::steps::working(&stored.alert, &app.desk.policy(), dossier, language)
    };
    Ok(json(&CasePageView {
        alert: alert_view(
            &stored,
            explain::explain(&stored, last, &app.desk.office(), language),
        ),
        working: working.into(),
        recheck: match cause::recheck(&stored, known.dossier.as_ref()) {
            Recheck::Same => Some("same"),
            Recheck::Different => Some("different"),
            Recheck::Gone => Some("gone"),
            Recheck::NotDone => None,
        },
        evidence_more: records.len().saturating_sub(EVIDENCE_MAX),
        evidence: records
            .into_iter()
            .take(EVIDENCE_MAX)
            .map(EvidenceView::from)
            .collect(),
        unanswered: known
            .unanswered
            .as_ref()
            .map(|why| unanswered(why, language)),
        history: tellings
            .iter()
            .rev()
            .map(|telling| event(&app, telling, &mailed, language))
            .collect(),
        related: found
            .related
            .iter()
            .map(|case| view(&app, case, language, today))
            .collect(),
        log: found.steps.into_iter().rev().map(StepView::from).collect(),
        decisions: found
            .decisions
            .into_iter()
            .rev()
            .map(DecisionView::from)
            .collect(),
        letters: found.letters.iter().map(LetterLine::from).collect(),
        may: acts(&may, case, person.n),
        needs_approval: found.needs_two,
        snooze_latest: Day(app.snooze_within(call.at).latest),
        case: view(&app, case, language, today),
    }))
}

/// A case as it is named and shown everywhere.
pub fn view(app: &App, case: &Case, language: Language, today: BusinessDate) -> CaseView {
    CaseView {
        alert: case.alert.clone(),
        version: case.version,
        detector: case.detector.clone(),
        name: pages::case_name(case, language),
        is_number_match: case.number_match,
        subject: case.subject.clone(),
        region: case.region.clone(),
        region_name: app.desk.office().region(&case.region).to_owned(),
        period: case.period.clone(),
        item: case.item.as_deref().map(scrub),
        standing: StandingWord(case.standing),
        severity: SeverityWord(case.severity),
        at_stake_fen: cases::is_of_money(&case.detector).then_some(Fen(case.weight_fen)),
        first_told: Moment(case.first_told),
        last_told: Moment(case.last_told),
        news: case.news.clone(),
        age_business_days: app.desk.age(case.first_told, today),
        due: case.due.map(Day),
        is_overdue: case.overdue,
        state: StateWord(case.state),
        stage: case.stage.map(StageWord),
        assignee: case.assignee.map(|n| PersonView {
            n,
            name: case.assignee_name.clone().unwrap_or_default(),
        }),
        proposer: case.proposer,
        mended_by: case.mended_by,
        snoozed_until: case.snoozed_until.map(Day),
        is_snoozed_until_worse: case.snooze_worse,
        has_new_evidence: case.fresh,
    }
}

fn alert_view(stored: &AlertRow, said: Explanation) -> AlertView {
    let figures = |all: Vec<(String, String, bool)>| {
        all.into_iter()
            .map(|(label, value, _)| FigureView { label, value })
            .collect()
    };
    AlertView {
        sentence: said.sentence,
        rule: said.rule,
        policy: said.policy,
        arithmetic: said.arithmetic,
        action: said.action,
        respond_by: said.respond_by,
        opened_on: Day(stored.alert.opened_on),
        cleared_on: stored.alert.cleared_on.map(Day),
        revision: stored.revision,
        facts: figures(said.facts),
        details: figures(said.details),
    }
}

fn event(app: &App, telling: &Telling, mailed: &[Mailed], language: Language) -> EventView {
    let said = explain::explain_telling(telling, &app.desk.office(), language);
    let told = mailed.iter().filter(|mail| mail.telling == telling.seq);
    EventView {
        at: Moment(telling.told_at),
        kind: telling.kind.as_str(),
        cause: said.cause,
        changes: said
            .changes
            .into_iter()
            .map(|(label, was, is)| ChangeView { label, was, is })
            .collect(),
        told: told
            .map(|mail| ToldView {
                to: if mail.name.is_empty() {
                    mail.address.clone()
                } else {
                    mail.name.clone()
                },
                state: mail.state.clone(),
                at: mail.settled.map(Moment),
            })
            .collect(),
    }
}

/// The last parts of the addresses of what is offered: to nobody, to be the second pair of eyes on what is his own.
fn acts(may: &May, case: &Case, n: i64) -> Vec<&'static str> {
    let answer = may.answer && case.proposer != Some(n);
    let is_own_mending = case.stage == Some(Stage::Rectified) && case.mended_by == Some(n);
    [
        (may.take, "take"),
        (may.assign, "assign"),
        (may.note, "note"),
        (may.snooze, "snooze"),
        (may.resume, "resume"),
        (may.decide, "propose"),
        (answer, "approve"),
        (answer, "return"),
        (may.reopen, "reopen"),
        (may.advance && !is_own_mending, "advance"),
        (may.letter, "letters"),
    ]
    .into_iter()
    .filter_map(|(is_offered, act)| is_offered.then_some(act))
    .collect()
}

impl From<Working> for WorkingView {
    fn from(working: Working) -> WorkingView {
        WorkingView {
            entry: working.entry,
            entry_is_another: working.entry_is_another,
            steps: working
                .steps
                .into_iter()
                .map(|step| WorkingStepView {
                    what: step.what,
                    how: step.how,
                    result: step.result,
                })
                .collect(),
            comes_out: working.comes_out,
        }
    }
}

impl From<Evidence> for EvidenceView {
    fn from(record: Evidence) -> EvidenceView {
        EvidenceView {
            id: record.id,
            kind: record.kind,
            date: record.date,
            says: record.says,
            place: record.place.map(|place| place.to_string()),
        }
    }
}

impl From<Decision> for DecisionView {
    fn from(decision: Decision) -> DecisionView {
        DecisionView {
            outcome: decision.outcome,
            reason: decision.reason,
            note: scrub(&decision.note),
            proposer: PersonView {
                n: decision.proposer,
                name: decision.proposer_name,
            },
            proposed_at: Moment(decision.proposed_at),
            is_bulk: decision.bulk,
            state: decision.state,
            approver: decision.approver_name,
            settled_at: decision.settled_at.map(Moment),
            answer: decision.answer.as_deref().map(scrub),
            is_to_be_rectified: decision.rectify,
            revision: decision.revision,
            at_stake_fen: Fen(decision.weight_fen),
        }
    }
}

impl From<&Letter> for LetterLine {
    fn from(letter: &Letter) -> LetterLine {
        LetterLine {
            n: letter.n,
            number: letter.number(),
            kind: LetterWord(letter.kind),
            issued_at: Moment(letter.issued_at),
            due: letter.due.clone(),
        }
    }
}
