//! What is known of a person: month by month what was paid, by item, what of it was paid twice, for months after a
//! reported death, or not at all.
//!
//! What is wrong with a month is what the detectors find: nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};

use detectors::book::{Payout, PersonBook};
use detectors::{Verdict, payouts_left, registry};
use domain::{
    BusinessDate, Detector, Finding, Money, Nature, Period, PersonId, RegionCode, RosterStatus,
};
use rules::Policy;

use crate::enterprise::latest_region;
use crate::{AsOf, Record};

/// The dossier of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonDossier {
    /// Whose it is.
    pub person: PersonId,
    /// The name of the latest roster record that has one.
    pub name: Option<Name>,
    /// The region of the latest roster record; without one, of the latest fact.
    pub region: Option<RegionCode>,
    /// The status on the roster, and from when on.
    pub status: Option<(RosterStatus, BusinessDate)>,
    /// What the roster says is to be paid a month.
    pub monthly: Option<Money>,
    /// Reports of a death, as they came.
    pub deaths: Vec<DeathReport>,
    /// How well they fit the beneficiary, `A` to `C`, if there is a finding.
    pub death_match: Option<String>,
    /// Up to when it is known.
    pub as_of: AsOf,
    /// By period, the latest last.
    pub months: Vec<PayMonth>,
    /// The sums of the months.
    pub totals: PayTotals,
    /// What the detectors find.
    pub findings: Vec<Finding>,
}

/// A person's name, which is shown to those who may see it and printed by nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// For a reveal that is audited.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// For everybody: the first character, the others starred.
    pub fn masked(&self) -> String {
        let mut chars = self.0.chars();
        let first: String = chars.by_ref().take(1).collect();
        first + &"*".repeat(chars.count())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

/// A report of a death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeathReport {
    /// The record's id.
    pub id: String,
    /// When it was registered.
    pub date: BusinessDate,
    /// The day of death.
    pub died_on: BusinessDate,
    /// Who reports it.
    pub source: String,
    /// The name of the deceased, if the record says.
    pub name: Option<Name>,
    /// From when on it is cancelled.
    pub cancelled_on: Option<BusinessDate>,
}

/// What was paid for one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayMonth {
    /// The period.
    pub period: Period,
    /// When its benefits are paid; `None` where the policy has no entry.
    pub payout_date: Option<BusinessDate>,
    /// By item and nature.
    pub items: Vec<ItemPaid>,
    /// Everything, less what was taken back.
    pub paid: Money,
    /// What of it is for a month after a reported death, survivors' items left out.
    pub after_death: Money,
    /// What of it is paid twice.
    pub duplicate: Money,
    /// What is due and was not paid.
    pub missed: Option<Money>,
}

/// The payouts of a period, an item and a nature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPaid {
    /// The item.
    pub item: String,
    /// Regular, back pay or lump sum.
    pub nature: Nature,
    /// Whether the policy lists the item in the period; `None` where it has no entry.
    pub is_listed: Option<bool>,
    /// How many payouts.
    pub count: u32,
    /// What was paid.
    pub gross: Money,
    /// What is left of it after what was taken back.
    pub net: Money,
    /// The days on which it was paid.
    pub dates: Vec<BusinessDate>,
    /// The regions that paid it.
    pub regions: BTreeSet<RegionCode>,
}

/// The sums of all months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayTotals {
    /// What was paid, less what was taken back.
    pub paid: Money,
    /// What of it is for months after a reported death.
    pub after_death: Money,
    /// What of it is paid twice.
    pub duplicate: Money,
    /// What is due and was not paid.
    pub missed: Money,
}

/// The dossier of a person, from the facts. `records` are the book's, by date.
pub fn dossier(
    book: &PersonBook<'_>,
    records: &[Record],
    policy: &Policy,
    as_of: AsOf,
) -> PersonDossier {
    let mut verdict = Verdict::default();
    registry::judge_person(
        book,
        policy,
        as_of.complete.unwrap_or(BusinessDate::FIRST),
        as_of.present,
        &mut verdict,
    );
    let findings = verdict.findings;
    let months = months(book, policy, as_of, &findings);
    let known = |date: BusinessDate| date <= as_of.present;
    let roster = || book.beneficiaries.iter().rev().filter(|of| known(of.date));
    let region = roster()
        .next()
        .map(|record| record.region)
        .or_else(|| latest_region(records, as_of.present));
    PersonDossier {
        person: book.person,
        name: roster().find_map(|record| name_of(record.name)),
        region: region.map(|region| policy.region(region).code),
        status: roster().next().map(|record| (record.status, record.date)),
        monthly: roster().find_map(|record| record.amount),
        deaths: deaths(book, as_of.present),
        death_match: findings
            .iter()
            .find(|finding| finding.key.detector == Detector::DeceasedRecipient)
            .and_then(|finding| finding.details.get("match")?.as_str().map(str::to_owned)),
        as_of,
        totals: PayTotals {
            paid: months.iter().map(|month| month.paid).sum(),
            after_death: months.iter().map(|month| month.after_death).sum(),
            duplicate: months.iter().map(|month| month.duplicate).sum(),
            missed: months.iter().filter_map(|month| month.missed).sum(),
        },
        months,
        findings,
    }
}

fn name_of(name: Option<&str>) -> Option<Name> {
    name.filter(|name| !name.is_empty())
        .map(|name| Name(name.to_owned()))
}

fn deaths(book: &PersonBook<'_>, present: BusinessDate) -> Vec<DeathReport> {
    let cancelled_on = |id: &str, reported: BusinessDate| {
        book.cancellations
            .iter()
            .find(|cancelled| cancelled.reverses == id && cancelled.date <= present)
            .map(|cancelled| cancelled.date.max(reported))
    };
    book.deaths
        .iter()
        .filter(|death| death.date <= present)
        .map(|death| DeathReport {
            id: death.id.to_owned(),
            date: death.date,
            died_on: death.died_on,
            source: death.source.to_owned(),
            name: name_of(death.name),
            cancelled_on: cancelled_on(death.id, death.date),
        })
        .collect()
}

fn months(
    book: &PersonBook<'_>,
    policy: &Policy,
    as_of: AsOf,
    findings: &[Finding],
) -> Vec<PayMonth> {
    let left = payouts_left(book, as_of.present);
    // The month after which nothing is due any more, as `deceased-recipient` has it today.
    let died_in = findings
        .iter()
        .find(|finding| finding.key.detector == Detector::DeceasedRecipient)
        .and_then(|finding| Period::parse(finding.details.get("after")?.as_str()?.as_bytes()));
    let mut months: BTreeMap<Period, PayMonth> = BTreeMap::new();
    for (payout, net) in book.payouts.iter().zip(left) {
        if as_of.present < payout.date {
            continue;
        }
        let ends_with_death = policy
            .benefit(payout.period)
            .is_some_and(|entry| !entry.is_survivor_item(payout.item));
        let month = month_of(&mut months, payout.period, policy);
        month.paid += net;
        if ends_with_death && died_in.is_some_and(|died_in| died_in < payout.period) {
            month.after_death += net;
        }
        month.take(payout, net, policy);
    }
    for finding in findings {
        let Some(period) = finding.key.period else {
            continue;
        };
        match (finding.key.detector, finding.episode.cleared_on) {
            (Detector::DuplicatePayout, None) => {
                month_of(&mut months, period, policy).duplicate += finding.episode.amount;
            }
            (Detector::MissedPayout, None) => {
                month_of(&mut months, period, policy).missed = Some(finding.episode.amount);
            }
            _ => {}
        }
    }
    months.into_values().collect()
}

fn month_of<'m>(
    months: &'m mut BTreeMap<Period, PayMonth>,
    period: Period,
    policy: &Policy,
) -> &'m mut PayMonth {
    months.entry(period).or_insert_with(|| PayMonth {
        period,
        payout_date: policy.payout_due(period).map(|due| due.date),
        items: Vec::new(),
        paid: Money::ZERO,
        after_death: Money::ZERO,
        duplicate: Money::ZERO,
        missed: None,
    })
}

impl PayMonth {
    fn take(&mut self, payout: &Payout<'_>, net: Money, policy: &Policy) {
        let is_same = |of: &ItemPaid| of.item == payout.item && of.nature == payout.nature;
        let at = match self.items.iter().position(is_same) {
            Some(at) => at,
            None => {
                self.items.push(ItemPaid {
                    item: payout.item.to_owned(),
                    nature: payout.nature,
                    is_listed: policy
                        .benefit(payout.period)
                        .map(|entry| entry.is_listed(payout.item)),
                    count: 0,
                    gross: Money::ZERO,
                    net: Money::ZERO,
                    dates: Vec::new(),
                    regions: BTreeSet::new(),
                });
                self.items.sort_by(|a, b| {
                    let order = |of: &ItemPaid| (of.nature as u8, of.item.clone());
                    order(a).cmp(&order(b))
                });
                // It is there: it was put in a moment ago.
                self.items.iter().position(is_same).unwrap_or_default()
            }
        };
        let item = &mut self.items[at];
        item.count += 1;
        item.gross += payout.amount;
        item.net += net;
        item.dates.push(payout.date);
        item.regions.insert(policy.region(payout.region).code);
    }
}
