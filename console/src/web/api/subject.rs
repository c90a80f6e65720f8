//! The enterprise or the person of an alert: everything known of it, a person's number and name with stars.

use std::sync::Arc;

use alerting::Language;
use alerting::explain::who;
use alerting::mail::text::scrub;
use axum::Extension;
use axum::extract::{Path, State};
use casework::Dossier;
use casework::enterprise::{EnterpriseDossier, Filed, Month};
use casework::person::{DeathReport, PayMonth, PersonDossier};
use casework::words::{enterprise_status, nature, roster_status};
use domain::BusinessDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::cases::{CaseView, view};
use super::gate::Call;
use super::problem::Problems;
use super::query::{CaseId, check};
use super::scalars::{Day, Fen};
use super::{Answer, json};
use crate::web::App;
use crate::web::subject as pages;

/// Everything known of the subject of an alert.
#[derive(Serialize, ToSchema)]
pub struct SubjectView {
    /// The alert that it was reached by.
    alert: String,
    /// The credit code, or the number with stars.
    subject: String,
    /// The region's code.
    region: String,
    /// The date up to which its feeds are complete: what did not happen by then did not happen.
    complete_to: Option<Day>,
    /// The present business date.
    present: Option<Day>,
    /// Why its facts are not here.
    unanswered: Option<String>,
    enterprise: Option<EnterpriseView>,
    person: Option<BeneficiaryView>,
    /// Its cases, the latest first.
    findings: Vec<CaseView>,
    /// What appears more than once.
    repeated: Vec<RepeatedView>,
    /// Facts and alerts, the latest first, 300 at most.
    timeline: Vec<LineView>,
    /// How many more there are.
    timeline_more: usize,
}

/// A finding that appears more than once.
#[derive(Serialize, ToSchema)]
pub struct RepeatedView {
    name: String,
    times: usize,
}

/// A fact or an alert.
#[derive(Serialize, ToSchema)]
pub struct LineView {
    date: Day,
    what: String,
    says: String,
    /// The name of the region.
    region: String,
    /// Where the record stands; empty of an alert.
    place: String,
    /// The alert, if it is one.
    alert: Option<String>,
    /// Whether it is dated after the present, and does not count yet.
    is_later: bool,
}

/// A status, and since when.
#[derive(Serialize, ToSchema)]
pub struct StatusView {
    status: &'static str,
    since: Day,
}

/// An enterprise.
#[derive(Serialize, ToSchema)]
pub struct EnterpriseView {
    name: Option<String>,
    former_names: Vec<String>,
    status: Option<StatusView>,
    /// By period, the latest last.
    months: Vec<MonthView>,
    owed_fen: Fen,
    paid_fen: Fen,
    arrears_fen: Fen,
    surcharge_fen: Fen,
    /// The contributions on what bases lack.
    missing_by_base_fen: Fen,
    /// What is presumed to be owed of months not declared.
    presumed_fen: Fen,
}

/// What concerns one period.
#[derive(Serialize, ToSchema)]
pub struct MonthView {
    /// YYYY-MM.
    period: String,
    /// When its contributions are due.
    due: Option<Day>,
    declared: Option<FiledView>,
    payroll: Option<FiledView>,
    /// What the base should have been by the payroll.
    expected_base_fen: Option<Fen>,
    missing_by_base_fen: Option<Fen>,
    owed_fen: Option<Fen>,
    paid_fen: Fen,
    /// Owed less paid, once it is due; below zero more was paid.
    short_fen: Option<Fen>,
    surcharge_fen: Fen,
    presumed_fen: Option<Fen>,
}

/// A declaration or a payroll.
#[derive(Serialize, ToSchema)]
pub struct FiledView {
    /// The base, or the wages.
    amount_fen: Fen,
    headcount: u32,
    filed_on: Day,
    /// The how-manieth of the period.
    times: u32,
}

/// A person who is paid benefits.
#[derive(Serialize, ToSchema)]
pub struct BeneficiaryView {
    /// The first character, and stars.
    name: Option<String>,
    status: Option<StatusView>,
    /// What the roster says is to be paid a month.
    monthly_fen: Option<Fen>,
    deaths: Vec<DeathView>,
    /// How well the reports of a death fit, `A` to `C`; a match of numbers alone, `C`, says of nobody that he is dead.
    death_match: Option<String>,
    /// By period, the latest last.
    months: Vec<PayMonthView>,
    paid_fen: Fen,
    after_death_fen: Fen,
    duplicate_fen: Fen,
    missed_fen: Fen,
}

/// A report of a death.
#[derive(Serialize, ToSchema)]
pub struct DeathView {
    id: String,
    registered_on: Day,
    died_on: Day,
    source: String,
    cancelled_on: Option<Day>,
}

/// What was paid for one period.
#[derive(Serialize, ToSchema)]
pub struct PayMonthView {
    /// YYYY-MM.
    period: String,
    payout_on: Option<Day>,
    items: Vec<ItemView>,
    paid_fen: Fen,
    after_death_fen: Fen,
    duplicate_fen: Fen,
    missed_fen: Option<Fen>,
}

/// The payouts of a period, an item and a nature.
#[derive(Serialize, ToSchema)]
pub struct ItemView {
    item: String,
    nature: &'static str,
    /// Whether the policy lists the item.
    is_listed: Option<bool>,
    payouts: u32,
    /// Less what was taken back.
    net_fen: Fen,
}

/// The enterprise or the person of a case. A look at a person is recorded.
#[utoipa::path(get, path = "/api/v1/cases/{id}/subject", tag = "cases", params(CaseId),
    responses((status = 200, description = "The subject", body = SubjectView), Problems))]
pub async fn subject(
    State(app): State<Arc<App>>,
    Extension(call): Extension<Arc<Call>>,
    Path(id): Path<String>,
) -> Answer {
    check(&call.query, &[])?;
    let found = pages::look(&app, call.actor(), &id).await?;
    let (language, today) = (call.language, app.desk.day(call.at));
    let dossier = found.known.dossier.as_ref();
    let as_of = found.as_of();
    let (timeline, timeline_more) = pages::timeline(&app, &found, language);
    let cases = found.cases();
    Ok(json(&SubjectView {
        alert: id,
        subject: who(&found.row.alert),
        region: found.region(),
        complete_to: as_of.and_then(|as_of| as_of.complete).map(Day),
        present: as_of.map(|as_of| Day(as_of.present)),
        unanswered: found.unanswered(&app, language),
        enterprise: dossier
            .and_then(Dossier::as_enterprise)
            .map(|dossier| enterprise(dossier, language)),
        person: dossier
            .and_then(Dossier::as_person)
            .map(|dossier| person(dossier, language)),
        repeated: pages::repeated(&cases, language)
            .into_iter()
            .map(|(name, times)| RepeatedView { name, times })
            .collect(),
        findings: cases
            .into_iter()
            .map(|case| view(&app, case, language, today))
            .collect(),
        timeline: timeline.into_iter().map(LineView::from).collect(),
        timeline_more,
    }))
}

fn status((status, since): (&'static str, BusinessDate)) -> StatusView {
    StatusView {
        status,
        since: Day(since),
    }
}

fn enterprise(dossier: &EnterpriseDossier, language: Language) -> EnterpriseView {
    let totals = dossier.totals;
    EnterpriseView {
        name: dossier.name.as_deref().map(scrub),
        former_names: dossier
            .former_names
            .iter()
            .map(|name| scrub(name))
            .collect(),
        status: dossier
            .status
            .map(|(known, since)| status((enterprise_status(known, language), since))),
        months: dossier.months.iter().map(MonthView::from).collect(),
        owed_fen: totals.owed.into(),
        paid_fen: totals.paid.into(),
        arrears_fen: totals.arrears.into(),
        surcharge_fen: totals.surcharge.into(),
        missing_by_base_fen: totals.base_gap.into(),
        presumed_fen: totals.undeclared.into(),
    }
}

fn person(dossier: &PersonDossier, language: Language) -> BeneficiaryView {
    let totals = dossier.totals;
    BeneficiaryView {
        name: dossier.name.as_ref().map(|name| scrub(&name.masked())),
        status: dossier
            .status
            .map(|(known, since)| status((roster_status(known, language), since))),
        monthly_fen: dossier.monthly.map(Fen::from),
        deaths: dossier.deaths.iter().map(DeathView::from).collect(),
        death_match: dossier.death_match.clone(),
        months: dossier
            .months
            .iter()
            .map(|month| pay_month(month, language))
            .collect(),
        paid_fen: totals.paid.into(),
        after_death_fen: totals.after_death.into(),
        duplicate_fen: totals.duplicate.into(),
        missed_fen: totals.missed.into(),
    }
}

fn pay_month(month: &PayMonth, language: Language) -> PayMonthView {
    let items = month.items.iter().map(|of| ItemView {
        item: scrub(&of.item),
        nature: nature(of.nature, language),
        is_listed: of.is_listed,
        payouts: of.count,
        net_fen: of.net.into(),
    });
    PayMonthView {
        period: month.period.to_string(),
        payout_on: month.payout_date.map(Day),
        items: items.collect(),
        paid_fen: month.paid.into(),
        after_death_fen: month.after_death.into(),
        duplicate_fen: month.duplicate.into(),
        missed_fen: month.missed.map(Fen::from),
    }
}

impl From<&Month> for MonthView {
    fn from(month: &Month) -> MonthView {
        MonthView {
            period: month.period.to_string(),
            due: month.due.map(Day),
            declared: month.declared.map(FiledView::from),
            payroll: month.payroll.map(FiledView::from),
            expected_base_fen: month.expected_base.map(Fen::from),
            missing_by_base_fen: month.base_gap.map(Fen::from),
            owed_fen: month.owed.map(Fen::from),
            paid_fen: month.paid.into(),
            short_fen: month.shortfall.map(Fen::from),
            surcharge_fen: month.surcharge.into(),
            presumed_fen: month.undeclared.map(Fen::from),
        }
    }
}

impl From<Filed> for FiledView {
    fn from(filed: Filed) -> FiledView {
        FiledView {
            amount_fen: filed.amount.into(),
            headcount: filed.headcount,
            filed_on: Day(filed.date),
            times: filed.times,
        }
    }
}

impl From<&DeathReport> for DeathView {
    fn from(report: &DeathReport) -> DeathView {
        DeathView {
            id: scrub(&report.id),
            registered_on: Day(report.date),
            died_on: Day(report.died_on),
            source: scrub(&report.source),
            cancelled_on: report.cancelled_on.map(Day),
        }
    }
}

impl From<pages::Line> for LineView {
    fn from(line: pages::Line) -> LineView {
        LineView {
            date: Day(line.date),
            what: line.what,
            says: line.says,
            region: line.region,
            place: line.place,
            alert: line.alert,
            is_later: line.is_later,
        }
    }
}
