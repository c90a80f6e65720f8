//! The city's days: what is due is planned at the start of each month and happens on its day.
//!
//! Memory holds the city, one month's agenda and a few records that wait: never the records.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use domain::{
    BusinessDate, Detector, EnterpriseStatus, Money, Nature, Period, RosterStatus, Topic,
    TransferKind,
};
use rules::Policy;

use crate::Options;
use crate::city::{City, MonthIndex};
use crate::faults::{self, Fault};
use crate::plan::{PersonShape, Plans};
use crate::post::{Delivery, Post, Silence, close_id};
use crate::record::{Id, Line, Record};
use crate::truth::{Expected, Planted, Truth};

/// Something that happens on a day. Amounts are in fen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The registry of enterprises as it stands before the first month.
    OpenEnterprises,
    /// The roster as it stands before the first month.
    OpenRoster,
    /// Everybody's pension is raised.
    AdjustRoster(MonthIndex),
    /// The pensions of the month are paid.
    PayPensions(MonthIndex),
    Status {
        enterprise: u32,
        status: EnterpriseStatus,
    },
    Declaration {
        enterprise: u32,
        period: Period,
        letter: u8,
        base: i64,
    },
    Payroll {
        enterprise: u32,
        period: Period,
        wages: i64,
    },
    Payment {
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
        delivery: Delivery,
    },
    PaymentReversal {
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
    },
    /// A payment under an id that another payment has, of a greater amount.
    ConflictingPayment {
        enterprise: u32,
        period: Period,
        letter: u8,
        amount: i64,
        date: BusinessDate,
    },
    Payout(Payout),
    PayoutReversal(Payout),
    Roster {
        person: u32,
        status: RosterStatus,
        month: MonthIndex,
        letter: u8,
        amount: Option<i64>,
    },
    Death {
        person: u32,
        died_on: BusinessDate,
        source: &'static str,
        name: ReportedName,
        letter: u8,
    },
    DeathCancelled {
        person: u32,
        reported_on: BusinessDate,
    },
    Transfer(Transfer),
    Remit {
        month: MonthIndex,
        region: usize,
        /// Parts of a hundred of what is not remitted yet.
        percent: i64,
        tag: &'static str,
        delivery: Delivery,
    },
    /// The day after a remittance was due that is planned to be late or short.
    JudgeRemittance {
        month: MonthIndex,
        region: usize,
    },
    Fault(Fault),
}

/// One payout, or its reversal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payout {
    pub(crate) person: u32,
    pub(crate) month: MonthIndex,
    /// Tells payouts of one person and month apart.
    pub(crate) series: u8,
    pub(crate) region: usize,
    pub(crate) nature: Nature,
    pub(crate) item: Item,
    pub(crate) amount: i64,
    /// Whether the number is written with 15 digits.
    pub(crate) is_short: bool,
    pub(crate) delivery: Delivery,
}

/// What a payout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Pension,
    Funeral,
    Survivor,
    /// One of those that the fund may not pay.
    Unauthorised(usize),
}

/// The name in a report of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportedName {
    Right,
    Other,
    Absent,
}

/// Who reports deaths.
pub(crate) const SOURCES: [&str; 3] = ["crematorium", "hospital", "police"];

/// A transfer that is no remittance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) region: usize,
    pub(crate) kind: TransferKind,
    /// The month in its id.
    pub(crate) month: Period,
    pub(crate) tag: &'static str,
    pub(crate) amount: i64,
    /// The tag of the subsidy that it releases.
    pub(crate) source: Option<&'static str>,
}

/// Names of the items that are paid.
pub(crate) struct Items {
    pub(crate) pension: String,
    pub(crate) funeral: Option<String>,
    pub(crate) survivor: Option<String>,
    pub(crate) unauthorised: Vec<String>,
}

pub(crate) struct Simulation<'a> {
    pub(crate) city: &'a City,
    pub(crate) policy: &'a Policy,
    pub(crate) plans: Plans,
    pub(crate) post: Post<'a>,
    pub(crate) record: Record,
    pub(crate) items: Items,
    pub(crate) today: BusinessDate,
    pub(crate) end: BusinessDate,
    agenda: BTreeMap<BusinessDate, Vec<Event>>,
    /// By month and region, in fen: payments less reversals dated in the month.
    pub(crate) collected: Vec<Vec<i64>>,
    /// By month collected in and region, in fen.
    pub(crate) remitted: Vec<Vec<i64>>,
    pub(crate) silences: Vec<Silence>,
    pub(crate) rejected: BTreeMap<(Topic, &'static str), u64>,
    pub(crate) planted: Vec<Planted>,
    /// Days on which a region's feed of a topic has a record missing, or gets one late: at most one
    /// of these a day, so that totals tell which.
    unusual: BTreeSet<(Topic, usize, BusinessDate)>,
}

/// Runs a city through its months.
pub(crate) fn run(
    city: &City,
    policy: &Policy,
    plans: Plans,
    options: &Options,
    sink: &mut dyn FnMut(Line<'_>) -> io::Result<()>,
) -> io::Result<Truth> {
    let silences = if options.irregularities.silences {
        faults::silences(city, policy)
    } else {
        Vec::new()
    };
    let mut simulation = Simulation::new(city, policy, plans, silences, sink);
    simulation.plan_faults(options.irregularities.faults);
    let opening = city.from.first_day().previous();
    simulation.today = opening;
    simulation.at(opening, Event::OpenEnterprises);
    simulation.at(opening, Event::OpenRoster);
    let mut day = opening;
    while day <= simulation.end {
        simulation.run_day(day)?;
        day = day.next();
    }
    Ok(simulation.into_truth(options.seed))
}

impl<'a> Simulation<'a> {
    fn new(
        city: &'a City,
        policy: &'a Policy,
        plans: Plans,
        silences: Vec<Silence>,
        sink: &'a mut dyn FnMut(Line<'_>) -> io::Result<()>,
    ) -> Simulation<'a> {
        let months = city.size.months as usize;
        let regions = city.regions.len();
        let codes = city.regions.iter().map(|region| region.code).collect();
        Simulation {
            city,
            policy,
            plans,
            post: Post::new(sink, &city.dice, codes, silences.clone()),
            record: Record::default(),
            items: Items::new(city, policy),
            today: BusinessDate::FIRST,
            end: last_day(city, policy),
            agenda: BTreeMap::new(),
            collected: vec![vec![0; regions]; months],
            remitted: vec![vec![0; regions]; months],
            silences,
            rejected: BTreeMap::new(),
            planted: Vec::new(),
            unusual: BTreeSet::new(),
        }
    }

    fn run_day(&mut self, day: BusinessDate) -> io::Result<()> {
        self.today = day;
        self.post.begin_day(day);
        let month = self.city.month_of(day.period());
        if month >= 0 && day == day.period().first_day() {
            self.plan_taxes(month);
            self.plan_people(month);
            self.plan_treasury(month);
        }
        for event in self.agenda.remove(&day).unwrap_or_default() {
            self.happen(event)?;
        }
        let is_business_day = self.policy.calendar().is_business_day(day);
        self.post.end_day(is_business_day, &mut self.record)
    }

    fn happen(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::OpenEnterprises => self.open_enterprises(),
            Event::OpenRoster => self.open_roster(),
            Event::AdjustRoster(month) => self.adjust_roster(month),
            Event::PayPensions(month) => self.pay_pensions(month),
            Event::Status { enterprise, status } => self.status(enterprise, status),
            Event::Declaration {
                enterprise,
                period,
                letter,
                base,
            } => self.declaration(enterprise, period, letter, base),
            Event::Payroll {
                enterprise,
                period,
                wages,
            } => self.payroll(enterprise, period, wages),
            Event::Payment {
                enterprise,
                period,
                letter,
                amount,
                delivery,
            } => self.payment(enterprise, period, letter, amount, delivery),
            Event::PaymentReversal {
                enterprise,
                period,
                letter,
                amount,
            } => self.payment_reversal(enterprise, period, letter, amount),
            Event::ConflictingPayment {
                enterprise,
                period,
                letter,
                amount,
                date,
            } => self.conflicting_payment(enterprise, period, letter, amount, date),
            Event::Payout(payout) => self.payout(&payout),
            Event::PayoutReversal(payout) => self.payout_reversal(&payout),
            Event::Roster {
                person,
                status,
                month,
                letter,
                amount,
            } => self.roster(person, status, month, letter, amount),
            Event::Death {
                person,
                died_on,
                source,
                name,
                letter,
            } => self.death(person, died_on, source, name, letter),
            Event::DeathCancelled {
                person,
                reported_on,
            } => self.death_cancelled(person, reported_on),
            Event::Transfer(transfer) => self.transfer(&transfer),
            Event::Remit {
                month,
                region,
                percent,
                tag,
                delivery,
            } => self.remit(month, region, percent, tag, delivery),
            Event::JudgeRemittance { month, region } => {
                self.judge_remittance(month, region);
                Ok(())
            }
            Event::Fault(fault) => self.fault(fault),
        }
    }

    /// Puts an event on the agenda; what would be after the end never happens.
    pub(crate) fn at(&mut self, day: BusinessDate, event: Event) {
        assert!(self.today <= day, "an event on a day that is over");
        if day <= self.end {
            self.agenda.entry(day).or_default().push(event);
        }
    }

    /// The day of the last part of a remittance that is still to come.
    pub(crate) fn remittance_on_agenda(
        &self,
        month: MonthIndex,
        region: usize,
    ) -> Option<BusinessDate> {
        let is_it = |event: &Event| {
            matches!(event, Event::Remit { month: m, region: r, tag: "RU2", .. }
                if *m == month && *r == region)
        };
        self.agenda
            .iter()
            .find(|(_, events)| events.iter().any(is_it))
            .map(|(day, _)| *day)
    }

    /// The business days from one day to another, both included.
    pub(crate) fn business_days(&self, from: BusinessDate, to: BusinessDate) -> Vec<BusinessDate> {
        (from.days()..=to.days())
            .map(BusinessDate::from_days)
            .filter(|&day| self.policy.calendar().is_business_day(day))
            .collect()
    }

    /// The first business day at least `days` calendar days after a day.
    pub(crate) fn business_day_after(&self, day: BusinessDate, days: u32) -> BusinessDate {
        self.policy.calendar().on_or_after(day.plus_days(days))
    }

    /// Notes an irregularity, if it shows before the end and exceeds the detector's tolerance.
    pub(crate) fn plant(&mut self, mut planted: Planted) {
        let of_facts = planted
            .detector
            .filter(|detector| Detector::OF_FACTS.contains(detector));
        let is_below_notice = of_facts.is_some_and(|detector| {
            let settings = self.policy.detector(detector);
            let has_tolerance = !matches!(detector, Detector::Undeclared | Detector::MissedPayout);
            !settings.enabled || has_tolerance && planted.amount <= settings.tolerance
        });
        let has_shown = planted.opened_on.is_some_and(|day| day <= self.end);
        if is_below_notice || !has_shown {
            return;
        }
        planted.cleared_on = planted.cleared_on.filter(|&day| day <= self.end);
        planted.expected = match planted.cleared_on {
            _ if of_facts.is_none() => Expected::None,
            Some(_) => Expected::Cleared,
            None => Expected::Open,
        };
        self.planted.push(planted);
    }

    /// What was planted, with what is common to all kinds filled in.
    pub(crate) fn planted(
        &self,
        kind: &'static str,
        detector: Option<Detector>,
        subject: String,
        region: usize,
        amount: i64,
        why: &'static str,
    ) -> Planted {
        Planted {
            kind,
            detector,
            subject,
            period: None,
            item: None,
            region: self.city.regions[region].code,
            topic: None,
            reason: None,
            grade: None,
            planted_on: self.today,
            opened_on: Some(self.today),
            cleared_on: None,
            expected: Expected::None,
            amount: Money::from_fen(i128::from(amount)),
            why,
        }
    }

    /// Whether nothing unusual has befallen a region's feed on any of the days so far; now it has.
    pub(crate) fn reserve(&mut self, topic: Topic, region: usize, days: &[BusinessDate]) -> bool {
        let keys = || days.iter().map(|day| (topic, region, *day));
        let is_free = keys().all(|key| !self.unusual.contains(&key));
        if is_free {
            self.unusual.extend(keys());
        }
        is_free
    }

    /// A record that the close of a day counts and that is lost until another day.
    pub(crate) fn plant_lost(
        &mut self,
        topic: Topic,
        region: usize,
        amount: i64,
        closed_on: BusinessDate,
        found_on: BusinessDate,
    ) {
        let code = self.city.regions[region].code;
        let close = close_id(code, closed_on);
        let close = String::from_utf8_lossy(close.bytes());
        let planted = Planted {
            item: Some(format!("{topic}:{close}")),
            topic: Some(topic),
            planted_on: closed_on,
            opened_on: Some(closed_on),
            cleared_on: Some(found_on),
            ..self.planted(
                "incomplete-feed",
                Some(Detector::IncompleteFeed),
                code.to_string(),
                region,
                amount,
                "a record that the close counts was lost for three business days",
            )
        };
        self.plant(planted);
    }

    /// The full number of a person.
    pub(crate) fn reveal(&self, person: u32) -> String {
        self.city.person(person).reveal()
    }

    /// `<letter><region>-<month>-<number>`.
    pub(crate) fn id(&self, start: &str, region: usize, month: Period, number: u32) -> Id {
        Id::new(start)
            .word(self.city.regions[region].code.as_str())
            .letter(b'-')
            .month(month)
            .letter(b'-')
            .number(u64::from(number), 7)
    }

    fn into_truth(mut self, seed: u64) -> Truth {
        self.judge_deaths();
        let mut truth = Truth {
            rejected: self.rejected,
            planted: self.planted,
            ..self.post.into_truth(seed, self.end)
        };
        truth.sort();
        truth
    }

    fn judge_deaths(&mut self) {
        for at in 0..self.plans.people.len() {
            let plan = self.plans.people[at];
            let Some(death) = plan.death else { continue };
            let Some(first_paid_on) = death.first_paid_on else {
                continue;
            };
            let region = self.city.region_of(plan.person);
            let (kind, why) = describe_death(plan.shape);
            let is_cleared = death.closes_on.is_some_and(|day| day <= self.end);
            let planted = Planted {
                grade: Some(grade(plan.shape, is_cleared)),
                planted_on: first_paid_on,
                opened_on: Some(first_paid_on.max(death.reported_on)),
                cleared_on: death.closes_on,
                ..self.planted(
                    kind,
                    Some(Detector::DeceasedRecipient),
                    self.reveal(plan.person),
                    region,
                    death.at_stake,
                    why,
                )
            };
            self.plant(planted);
        }
    }
}

/// The last business day: nothing is sent after it, so that all feeds are closed up to the end.
fn last_day(city: &City, policy: &Policy) -> BusinessDate {
    let last = city.period(city.size.months - 1).last_day();
    policy.calendar().on_or_before(last)
}

/// The grade of contract section 5, of deaths reported as the shape says.
fn grade(shape: PersonShape, is_cleared: bool) -> &'static str {
    match shape {
        PersonShape::DeadTwoSources | PersonShape::DeadStopped => "A",
        PersonShape::DeadNumberOnly | PersonShape::DeadOtherName => "C",
        PersonShape::DeadCancelled if is_cleared => "C",
        _ => "B",
    }
}

fn describe_death(shape: PersonShape) -> (&'static str, &'static str) {
    match shape {
        PersonShape::DeadTwoSources => (
            "deceased-a",
            "reported dead by two sources under the right name, and paid on (grade A)",
        ),
        PersonShape::DeadOneSource => (
            "deceased-b",
            "reported dead by one source under the right name, and paid on (grade B)",
        ),
        PersonShape::DeadNumberOnly => (
            "deceased-c",
            "reported dead by number without a name, and paid on (grade C)",
        ),
        PersonShape::DeadOtherName => (
            "deceased-c-name",
            "reported dead under another name, and paid on (grade C)",
        ),
        PersonShape::DeadReportedLate => (
            "deceased-reported-late",
            "reported dead months later, paid all the while",
        ),
        PersonShape::DeadStopped => (
            "deceased-stopped",
            "paid for three months after the death; then the agency noticed",
        ),
        PersonShape::DeadRecovered => (
            "deceased-recovered",
            "paid for one month after the death, and the money was recovered",
        ),
        PersonShape::DeadCancelled => (
            "deceased-cancelled",
            "reported dead by mistake, and the report was cancelled",
        ),
        _ => unreachable!("a death plan of a shape that has none"),
    }
}

impl Items {
    fn new(city: &City, policy: &Policy) -> Items {
        let periods: Vec<Period> = (0..city.size.months).map(|m| city.period(m)).collect();
        let benefits: Vec<_> = periods.iter().filter_map(|&p| policy.benefit(p)).collect();
        let always = |item: &str, is_survivors: bool| {
            benefits.iter().all(|benefit| {
                benefit.is_listed(item) && benefit.is_survivor_item(item) == is_survivors
            })
        };
        let pick = |wanted: &str, from: &[String], is_survivors: bool| {
            std::iter::once(wanted)
                .chain(from.iter().map(String::as_str))
                .find(|item| always(item, is_survivors))
                .map(str::to_owned)
        };
        let first = benefits.first();
        let listed = first.map_or(&[][..], |benefit| &benefit.items);
        let survivors = first.map_or(&[][..], |benefit| &benefit.survivor_items);
        let unauthorised = [
            "heating_allowance",
            "holiday_gift",
            "housing_subsidy",
            "management_fee",
            "office_equipment",
        ];
        Items {
            pension: pick("basic_pension", listed, false)
                .unwrap_or_else(|| "basic_pension".to_owned()),
            funeral: pick("funeral_grant", &survivors[..survivors.len().min(1)], true),
            survivor: pick(
                "survivor_pension",
                &survivors[survivors.len().min(1)..],
                true,
            ),
            unauthorised: unauthorised
                .into_iter()
                .map(|item| {
                    if benefits.iter().any(|benefit| benefit.is_listed(item)) {
                        format!("{item}_unlisted")
                    } else {
                        item.to_owned()
                    }
                })
                .collect(),
        }
    }

    /// The name of an item. An item for survivors is paid only where the policy lists one.
    pub(crate) fn name(&self, item: Item) -> &str {
        match item {
            Item::Pension => &self.pension,
            Item::Funeral => self.funeral.as_deref().unwrap_or_default(),
            Item::Survivor => self.survivor.as_deref().unwrap_or_default(),
            Item::Unauthorised(at) => &self.unauthorised[at],
        }
    }
}
