//! The page of an enterprise or a person: everything known of the subject of an alert. It is reached from the alert, so
//! that no address names anybody, and whoever may see the alert may see whom it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::Language;
use alerting::explain::{name, who};
use alerting::life::Standing;
use alerting::mail::text::scrub;
use alerting::store::AlertRow;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use casework::enterprise::{EnterpriseDossier, Month, Totals};
use casework::explain::{Known, subject_of};
use casework::person::{DeathReport, PayMonth, PayTotals, PersonDossier};
use casework::words::{enterprise_status, kind, nature, record, roster_status, unanswered};
use casework::{AsOf, Dossier, Record};
use domain::{BusinessDate, Money, Subject};

use super::App;
use super::alert::{allow, reason, record_look};
use super::answer::{Answer, Failure, page as show};
use super::frame::Frame;
use super::gate::Visit;
use super::queue::{self, Row};
use crate::casebook::Actor;
use crate::casebook::cases::{self, Case};
use crate::rights::{Person, Right};
use crate::words::{Words, words};

/// Findings that are shown.
const FINDINGS_MAX: u32 = 200;
/// Lines of the timeline that are shown.
const TIMELINE_MAX: usize = 300;

#[derive(Template)]
#[template(path = "subject.html")]
struct SubjectPage {
    p: Frame,
    alert: String,
    alert_name: &'static str,
    /// The credit code, or the number masked.
    subject: String,
    region: String,
    as_of: Option<KnownTo>,
    unanswered: Option<String>,
    enterprise: Option<EnterpriseView>,
    person: Option<PersonView>,
    findings: Vec<Row>,
    /// What appears more than once, and how often.
    repeated: Vec<(String, usize)>,
    timeline: Vec<Line>,
    timeline_more: usize,
    may_reveal: bool,
    /// Number and name.
    revealed: Option<(String, String)>,
}

struct KnownTo {
    complete: Option<String>,
    present: String,
}

struct EnterpriseView {
    name: String,
    former_names: String,
    status: Option<(&'static str, String)>,
    months: Vec<MonthRow>,
    totals: TotalsRow,
}

/// Amounts as text, `—` where there is none.
struct MonthRow {
    period: String,
    due: String,
    base: String,
    headcount: String,
    wages: String,
    expected: String,
    gap: String,
    owed: String,
    paid: String,
    short: String,
    surcharge: String,
    presumed: String,
    is_wrong: bool,
}

struct TotalsRow {
    owed: String,
    paid: String,
    arrears: String,
    surcharge: String,
    gap: String,
    presumed: String,
}

struct PersonView {
    /// Masked.
    name: String,
    status: Option<(&'static str, String)>,
    monthly: String,
    deaths: Vec<DeathRow>,
    death_match: Option<String>,
    /// A match of numbers says of nobody that he is dead.
    after_label: &'static str,
    months: Vec<PayRow>,
    paid: String,
    after: String,
    duplicate: String,
    missed: String,
}

struct DeathRow {
    id: String,
    registered: String,
    died_on: String,
    source: String,
    cancelled: String,
}

struct PayRow {
    period: String,
    payout_date: String,
    items: Vec<String>,
    paid: String,
    after: String,
    duplicate: String,
    missed: String,
    is_wrong: bool,
}

/// A line of the timeline.
pub struct Line {
    pub date: BusinessDate,
    pub what: String,
    pub says: String,
    pub region: String,
    pub place: String,
    pub alert: Option<String>,
    pub is_later: bool,
}

/// All that a page needs.
pub struct Found {
    pub row: AlertRow,
    pub of_subject: Vec<AlertRow>,
    pub known: Known,
    pub case: Case,
    pub others: Vec<Case>,
}

/// `GET /alerts/{id}/subject`
pub async fn page(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    let found = look(&app, visit.actor(), &id).await?;
    show(&page_of(&app, &visit, found, None)?)
}

/// All that is known of the subject of an alert, for whoever acts: a look at a person's leaves a row in the trail.
///
/// # Errors
/// There is no alert that the person may see, or it has no subject of this kind.
pub async fn look(app: &Arc<App>, actor: Actor, id: &str) -> Result<Found, Failure> {
    let person = actor.person.as_ref().ok_or(Failure::Denied)?;
    let found = find(app, person, id).await?;
    if is_person(&found) {
        record_look(app, actor, id, "subject").await?;
    }
    Ok(found)
}

/// `POST /alerts/{id}/subject/reveal`: a person's number and name in full, once, with a reason.
pub async fn reveal(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Arc<Visit>>,
    Path(id): Path<String>,
) -> Answer {
    visit.fields.only(&["reason"])?;
    let found = find(&app, visit.person()?, &id).await?;
    let Some(Subject::Person(person)) = subject_of(&found.row.alert) else {
        return Err(Failure::Missing);
    };
    let reason = reason(visit.fields.one("reason")?)?;
    allow(&app, &visit, &id, &reason).await?;
    let dossier = found.known.dossier.as_ref().and_then(Dossier::as_person);
    let name = dossier.and_then(|dossier| dossier.name.as_ref());
    let name = name.map_or(String::new(), |name| name.reveal().to_owned());
    show(&page_of(
        &app,
        &visit,
        found,
        Some((person.reveal(), name)),
    )?)
}

fn is_person(found: &Found) -> bool {
    matches!(subject_of(&found.row.alert), Some(Subject::Person(_)))
}

async fn find(app: &Arc<App>, person: &Person, id: &str) -> Result<Found, Failure> {
    let regions = person.regions.clone();
    let (case, others) = {
        let (id, regions) = (id.to_owned(), regions.clone());
        app.casebook
            .read(move |connection| {
                let case = cases::case(connection, &id, &regions)?;
                let others = cases::of_subject(connection, &case, &regions, FINDINGS_MAX)?;
                Ok((case, others))
            })
            .await?
    };
    let (id, facts, policy) = (id.to_owned(), app.facts.clone(), app.desk.policy());
    let found = app
        .alerts(move |reader| {
            let Some(row) = reader.alert(&id)? else {
                return Ok(None);
            };
            let of_subject = reader.alerts_of(&row.alert.subject)?;
            let known = match (subject_of(&row.alert), facts) {
                (Some(subject), Some(facts)) => Known::of(&subject, reader, &*facts, &policy)?,
                _ => Known::default(),
            };
            Ok(Some((row, of_subject, known)))
        })
        .await?;
    let (row, mut of_subject, known) = found.ok_or(Failure::Missing)?;
    of_subject.retain(|row| regions.cover(&row.alert.region));
    match subject_of(&row.alert) {
        Some(Subject::Enterprise(_) | Subject::Person(_)) => Ok(Found {
            row,
            of_subject,
            known,
            case,
            others,
        }),
        _ => Err(Failure::Missing),
    }
}

impl Found {
    /// Up to when the subject is known.
    pub fn as_of(&self) -> Option<AsOf> {
        self.known.dossier.as_ref().map(Dossier::as_of)
    }

    /// The cases of the subject, the latest first.
    pub fn cases(&self) -> Vec<&Case> {
        let mut cases: Vec<&Case> = self.others.iter().chain([&self.case]).collect();
        cases.sort_by_key(|case| std::cmp::Reverse((case.last_told, case.n)));
        cases
    }

    /// The region of the subject; without facts, of the alert.
    pub fn region(&self) -> String {
        let region = match &self.known.dossier {
            Some(Dossier::Enterprise(dossier)) => dossier.region,
            Some(Dossier::Person(dossier)) => dossier.region,
            None => None,
        };
        region.map_or(self.row.alert.region.clone(), |code| code.to_string())
    }

    /// Why the facts are not there.
    pub fn unanswered(&self, app: &App, language: Language) -> Option<String> {
        match (&self.known.unanswered, &app.facts) {
            (Some(why), _) => Some(unanswered(why, language)),
            (None, None) => Some(words(language).facts_none.to_owned()),
            (None, Some(_)) => None,
        }
    }
}

fn page_of(
    app: &App,
    visit: &Visit,
    found: Found,
    revealed: Option<(String, String)>,
) -> Result<SubjectPage, Failure> {
    let language = visit.language;
    let p = Frame::new(app, visit);
    let today = app.desk.day(visit.at);
    let alert = &found.row.alert;
    let dossier = found.known.dossier.as_ref();
    let as_of = found.as_of();
    let cases = found.cases();
    let region = found.region();
    let (timeline, timeline_more) = timeline(app, &found, language);
    Ok(SubjectPage {
        alert: alert.id.clone(),
        alert_name: name(alert, language),
        subject: who(alert),
        region: format!("{} {region}", app.desk.office().region(&region)),
        as_of: as_of.map(|as_of| KnownTo {
            complete: as_of.complete.map(|day| day.to_string()),
            present: as_of.present.to_string(),
        }),
        unanswered: found.unanswered(app, language),
        enterprise: dossier
            .and_then(Dossier::as_enterprise)
            .map(|dossier| enterprise_view(dossier, language)),
        person: dossier
            .and_then(Dossier::as_person)
            .map(|dossier| person_view(dossier, p.w, language)),
        repeated: repeated(&cases, language),
        findings: cases
            .iter()
            .map(|case| queue::row(app, case, language, today))
            .collect(),
        timeline,
        timeline_more,
        may_reveal: revealed.is_none() && is_person(&found) && visit.person()?.may(Right::Reveal),
        revealed,
        p,
    })
}

/// Detectors that found the subject more than once, those withdrawn left out.
pub fn repeated(cases: &[&Case], language: Language) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases
        .iter()
        .filter(|case| case.standing != Standing::Withdrawn)
    {
        *counts.entry(queue::case_name(case, language)).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).collect()
}

/// `—` for nothing.
fn yuan(amount: Money) -> String {
    if amount == Money::ZERO {
        "—".to_owned()
    } else {
        amount.grouped()
    }
}

fn yuan_if(amount: Option<Money>) -> String {
    amount.map_or("—".to_owned(), Money::grouped)
}

fn enterprise_view(dossier: &EnterpriseDossier, language: Language) -> EnterpriseView {
    let Totals {
        owed,
        paid,
        arrears,
        surcharge,
        base_gap,
        undeclared,
    } = dossier.totals;
    EnterpriseView {
        name: scrub(dossier.name.as_deref().unwrap_or("—")),
        former_names: scrub(&dossier.former_names.join("、")),
        status: dossier
            .status
            .map(|(status, since)| (enterprise_status(status, language), since.to_string())),
        months: dossier.months.iter().map(month_row).collect(),
        totals: TotalsRow {
            owed: owed.grouped(),
            paid: paid.grouped(),
            arrears: arrears.grouped(),
            surcharge: surcharge.grouped(),
            gap: base_gap.grouped(),
            presumed: undeclared.grouped(),
        },
    }
}

fn month_row(month: &Month) -> MonthRow {
    let declared = month.declared;
    let short = month.shortfall.filter(|short| short.is_positive());
    MonthRow {
        period: month.period.to_string(),
        due: month.due.map_or("—".to_owned(), |day| day.to_string()),
        base: yuan_if(declared.map(|of| of.amount)),
        headcount: declared.map_or("—".to_owned(), |of| of.headcount.to_string()),
        wages: yuan_if(month.payroll.map(|of| of.amount)),
        expected: yuan_if(month.expected_base),
        gap: yuan(month.base_gap.unwrap_or_default()),
        owed: yuan_if(month.owed),
        paid: month.paid.grouped(),
        short: yuan(short.unwrap_or_default()),
        surcharge: yuan(month.surcharge),
        presumed: yuan_if(month.undeclared),
        is_wrong: short.is_some() || month.undeclared.is_some(),
    }
}

fn person_view(dossier: &PersonDossier, w: &Words, language: Language) -> PersonView {
    let PayTotals {
        paid,
        after_death,
        duplicate,
        missed,
    } = dossier.totals;
    let is_confirmed = matches!(dossier.death_match.as_deref(), Some("A" | "B"));
    PersonView {
        name: dossier
            .name
            .as_ref()
            .map_or("—".to_owned(), |name| scrub(&name.masked())),
        status: dossier
            .status
            .map(|(status, since)| (roster_status(status, language), since.to_string())),
        monthly: yuan_if(dossier.monthly),
        deaths: dossier.deaths.iter().map(death_row).collect(),
        death_match: dossier.death_match.clone(),
        after_label: if is_confirmed {
            w.after_death
        } else {
            w.after_record
        },
        months: dossier
            .months
            .iter()
            .map(|month| pay_row(month, w, language))
            .collect(),
        paid: paid.grouped(),
        after: after_death.grouped(),
        duplicate: duplicate.grouped(),
        missed: missed.grouped(),
    }
}

fn death_row(report: &DeathReport) -> DeathRow {
    DeathRow {
        id: scrub(&report.id),
        registered: report.date.to_string(),
        died_on: report.died_on.to_string(),
        source: scrub(&report.source),
        cancelled: report
            .cancelled_on
            .map_or("—".to_owned(), |day| day.to_string()),
    }
}

fn pay_row(month: &PayMonth, w: &Words, language: Language) -> PayRow {
    let items = month.items.iter().map(|of| {
        let listed = match of.is_listed {
            Some(false) => format!(" [{}]", w.unlisted),
            Some(true) | None => String::new(),
        };
        format!(
            "{} {} × {} {}{listed}",
            scrub(&of.item),
            nature(of.nature, language),
            of.count,
            of.net.grouped()
        )
    });
    PayRow {
        period: month.period.to_string(),
        payout_date: month
            .payout_date
            .map_or("—".to_owned(), |day| day.to_string()),
        items: items.collect(),
        paid: month.paid.grouped(),
        after: yuan(month.after_death),
        duplicate: yuan(month.duplicate),
        missed: yuan_if(month.missed),
        is_wrong: month.after_death.is_positive()
            || month.duplicate.is_positive()
            || month.missed.is_some(),
    }
}

/// Facts and alerts by date, the latest first; and how many are not shown.
pub fn timeline(app: &App, found: &Found, language: Language) -> (Vec<Line>, usize) {
    let (as_of, w) = (found.as_of(), words(language));
    let mut lines: Vec<Line> = found
        .known
        .records
        .iter()
        .map(|of| record_line(app, of, as_of, language))
        .collect();
    for row in &found.of_subject {
        let alert = &row.alert;
        let events = [
            (Some(alert.opened_on), w.opened),
            (alert.cleared_on, w.cleared_event),
        ];
        for (date, what) in events {
            let (Some(date), false) = (date, row.withdrawn) else {
                continue;
            };
            let parts = [alert.period.clone(), alert.item.as_deref().map(scrub)];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            lines.push(Line {
                date,
                what: what.to_owned(),
                says: format!("{} {}", name(alert, language), parts.join(" · ")),
                region: app.desk.office().region(&alert.region).to_owned(),
                place: String::new(),
                alert: Some(alert.id.clone()),
                is_later: false,
            });
        }
    }
    // Of one day the facts come first, as they cause the alerts; shown is the latest first.
    lines.sort_by_key(|line| line.date);
    lines.reverse();
    let more = lines.len().saturating_sub(TIMELINE_MAX);
    lines.truncate(TIMELINE_MAX);
    (lines, more)
}

fn record_line(app: &App, of: &Record, as_of: Option<AsOf>, language: Language) -> Line {
    let policy = app.desk.policy();
    let region = policy.region(of.region);
    Line {
        date: of.date,
        what: kind(of.kind, language).to_owned(),
        says: record(of, language),
        region: region.name.clone(),
        place: of.place.to_string(),
        alert: None,
        is_later: as_of.is_some_and(|as_of| as_of.present < of.date),
    }
}
