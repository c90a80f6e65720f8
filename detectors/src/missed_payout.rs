//! 漏发 (`missed-payout`): is the person to be paid, and was not?
//!
//! Law: pensions are paid in full and on time (社会保险法 art. 16; 按时足额发放); a pension ends with
//! the month of death.
//! Key: person, period. Reads: payouts and reversals of `agency.payout`, `agency.roster`, and
//! reports and cancellations of `civil.death`.
//! Holds from the day after payout date and grace on, while nothing regular and no back pay is
//! left of the period, if the person was receiving on its first day and on the payout date and is
//! not known to have died before it. Wakes when the next such day has come.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, Finding, Money, Nature, Period, PolicyEntry,
    RosterStatus, Subject,
};
use rules::{Benefit, Due, Policy};

use crate::book::{Beneficiary, Payout, PayoutReversal, PersonBook};
use crate::deaths::KnownDeaths;
use crate::episodes::{Folded, fold};
use crate::evidence::{Evidence, details, severity_of};
use crate::net::Net;
use crate::periods::{ByPeriod, dated_up_to, first_after};
use crate::verdict::Verdict;

/// Judges every period for which the person was to be paid.
pub fn judge(book: &PersonBook<'_>, policy: &Policy, as_of: BusinessDate, verdict: &mut Verdict) {
    let (Some(first_record), Some(first_entry)) =
        (book.beneficiaries.first(), policy.benefits().first())
    else {
        return;
    };
    let person = Person {
        book,
        policy,
        as_of,
        payouts: ByPeriod::new(&book.payouts),
        net: OnceCell::new(),
        deaths: OnceCell::new(),
    };
    verdict.wake_on_any(first_after(&book.beneficiaries, |of| of.date, as_of));
    // A payout date is moved back, perhaps into the month before: so one month more is looked at.
    let last_month = as_of.period().next();
    let mut paid = person.payouts.cursor();
    let mut period = first_record.date.period().max(first_entry.from);
    while let Some(due) = policy.payout_due(period) {
        if last_month < period && as_of <= due.date {
            // No later period is paid out before this one: nothing is missed before that day.
            if person.may_go_on(period) {
                verdict.wake_on(due.date.next());
            }
            break;
        }
        let of_period = paid.seek(period);
        if !person.is_paid_in_time(of_period.clone(), due) {
            person.judge(period, due, of_period, verdict);
        }
        period = period.next();
    }
}

/// A person's book, and what is computed of it only if a period is in doubt.
struct Person<'b, 'a> {
    book: &'b PersonBook<'a>,
    policy: &'b Policy,
    as_of: BusinessDate,
    payouts: ByPeriod<'b, Payout<'a>>,
    net: OnceCell<Net<'b, Payout<'a>, PayoutReversal<'a>>>,
    deaths: OnceCell<KnownDeaths>,
}

impl<'b, 'a> Person<'b, 'a> {
    /// Whether a payout that nobody takes back makes the period good by the day from which it
    /// would be missed: then it never is, whatever else the book says.
    fn is_paid_in_time(&self, mut of_period: Range<usize>, due: Due) -> bool {
        of_period.any(|place| {
            let payout = self.payouts.get(place);
            payout.date <= due.deadline.next()
                && makes_good(payout)
                && payout.amount.is_positive()
                && (self.book.payout_reversals.is_empty()
                    || !self.net().is_reversed(self.payouts.index(place)))
        })
    }

    fn judge(&self, period: Period, due: Due, of_period: Range<usize>, verdict: &mut Verdict) {
        let Some(entry) = self.policy.benefit(period) else {
            return;
        };
        let (start, first_day) = (due.deadline.next(), period.first_day());
        // By then both days are past, but for a payout date in the month before.
        let receives =
            self.is_receiving(due.date) && (start < first_day || self.is_receiving(first_day));
        if !receives || self.is_dead_throughout(first_day, start) {
            return;
        }
        if self.as_of < start {
            verdict.wake_on(start);
            return;
        }
        let key = Key {
            person: self,
            period,
            entry,
            due,
            start,
            first_day,
            of_period,
        };
        key.judge(verdict);
    }

    /// Whether the periods from this one on may be missed, as far as the book says today.
    fn may_go_on(&self, period: Period) -> bool {
        self.is_receiving(self.as_of) && !self.is_dead_throughout(period.first_day(), self.as_of)
    }

    fn is_receiving(&self, day: BusinessDate) -> bool {
        in_force(self.book, day).is_some_and(|record| record.status == RosterStatus::Receiving)
    }

    /// Whether the person is known to have died before a period on every day from `from` on.
    fn is_dead_throughout(&self, first_day: BusinessDate, from: BusinessDate) -> bool {
        self.deaths()
            .changes()
            .last()
            .is_some_and(|&(day, died_on)| day <= from && is_before(died_on, first_day))
    }

    fn net(&self) -> &Net<'b, Payout<'a>, PayoutReversal<'a>> {
        self.net
            .get_or_init(|| Net::new(&self.book.payouts, &self.book.payout_reversals))
    }

    fn deaths(&self) -> &KnownDeaths {
        self.deaths.get_or_init(|| KnownDeaths::of(self.book))
    }
}

/// Whether a payout is the month's pension, or makes up for it: a lump sum does neither.
fn makes_good(payout: &Payout<'_>) -> bool {
    matches!(payout.nature, Nature::Regular | Nature::BackPay)
}

fn is_before(died_on: Option<BusinessDate>, first_day: BusinessDate) -> bool {
    died_on.is_some_and(|died_on| died_on < first_day)
}

/// The latest roster record dated up to a day.
fn in_force<'b, 'a>(book: &'b PersonBook<'a>, day: BusinessDate) -> Option<&'b Beneficiary<'a>> {
    let records = dated_up_to(&book.beneficiaries, |record| record.date, day);
    book.beneficiaries[..records].last()
}

/// A period that was not plainly paid in time, of a person who was to be paid.
struct Key<'k, 'b, 'a> {
    person: &'k Person<'b, 'a>,
    period: Period,
    entry: &'b Benefit,
    due: Due,
    /// The day after the deadline.
    start: BusinessDate,
    first_day: BusinessDate,
    /// The places of the period's payouts.
    of_period: Range<usize>,
}

/// Where the amount comes from.
#[derive(Clone, Copy)]
enum Basis<'b, 'a> {
    Roster(&'b Beneficiary<'a>, Money),
    /// The payout of an earlier period, by place, and what is left of it.
    Earlier(usize, Money),
    Nothing,
}

enum Event {
    /// The deadline has passed, or a roster record takes effect.
    Passed,
    /// The earliest day of death that is known, from now on.
    Died(Option<BusinessDate>),
    /// The net of a payout of the period changes, by place.
    Paid(usize, Money),
    /// The net of a payout that the amount may come from changes, by place.
    PaidEarlier(usize, Money),
}

/// What is known on a day.
#[derive(Default)]
struct Known {
    died_on: Option<BusinessDate>,
    paid: Left,
    earlier: Left,
}

/// What is left of payouts, by place: few or many, changed one by one.
#[derive(Default)]
struct Left {
    net: BTreeMap<usize, Money>,
    /// The places of those of which something is left.
    positive: BTreeSet<usize>,
}

impl Left {
    fn change(&mut self, place: usize, change: Money) {
        let net = self.net.entry(place).or_default();
        *net += change;
        if net.is_positive() {
            self.positive.insert(place);
        } else {
            self.positive.remove(&place);
        }
    }

    /// The greatest place of which something is left, and what.
    fn greatest(&self) -> Option<(usize, Money)> {
        let place = *self.positive.last()?;
        Some((place, *self.net.get(&place)?))
    }
}

impl<'b, 'a> Key<'_, 'b, 'a> {
    fn judge(&self, verdict: &mut Verdict) {
        let roster = self.roster_amount();
        let mut known = Known::default();
        let folded = self.fold(&mut known, roster);
        verdict.wake_on_any(folded.next);
        if let Some(episode) = folded.episode {
            let basis = basis(&known, roster);
            verdict.findings.push(self.finding(episode, basis));
        }
    }

    fn fold(&self, known: &mut Known, roster: Option<(&'b Beneficiary<'a>, Money)>) -> Folded {
        fold(
            self.events(roster.is_none()),
            self.person.as_of,
            known,
            |known, event| match *event {
                Event::Passed => {}
                Event::Died(died_on) => known.died_on = died_on,
                Event::Paid(place, change) => known.paid.change(place, change),
                Event::PaidEarlier(place, change) => known.earlier.change(place, change),
            },
            |known, day| {
                let holds = self.start <= day
                    && self.person.is_receiving(self.first_day.min(day))
                    && known.paid.positive.is_empty()
                    && !is_before(known.died_on, self.first_day);
                holds.then(|| basis(known, roster).amount())
            },
        )
    }

    fn events(&self, needs_earlier: bool) -> Vec<(BusinessDate, Event)> {
        let person = self.person;
        let mut events = vec![(self.start, Event::Passed)];
        if self.start < self.first_day {
            let roster = person.book.beneficiaries.iter();
            let between = roster.map(|record| record.date);
            let between = between.filter(|&date| self.start < date && date <= self.first_day);
            events.extend(between.map(|date| (date, Event::Passed)));
        }
        let deaths = person.deaths().changes().iter();
        events.extend(deaths.map(|&(day, died_on)| (day, Event::Died(died_on))));
        let makes_good = |place: &usize| makes_good(person.payouts.get(*place));
        for place in self.of_period.clone().filter(makes_good) {
            let steps = person.net().steps(person.payouts.index(place));
            events.extend(steps.map(|(day, change)| (day, Event::Paid(place, change))));
        }
        if needs_earlier {
            for place in self.earlier_payouts() {
                let steps = person.net().steps(person.payouts.index(place));
                events.extend(steps.map(|(day, change)| (day, Event::PaidEarlier(place, change))));
            }
        }
        events
    }

    /// The regular payouts of earlier periods that the amount may come from, by place: from the
    /// latest period back to one that stands from the start on. Those before it never come to bear.
    fn earlier_payouts(&self) -> Vec<usize> {
        let person = self.person;
        let mut found = Vec::new();
        for place in (0..self.of_period.start).rev() {
            let payout = person.payouts.get(place);
            if payout.nature != Nature::Regular || !payout.amount.is_positive() {
                continue;
            }
            found.push(place);
            let index = person.payouts.index(place);
            if payout.date <= self.start && !person.net().is_reversed(index) {
                break;
            }
        }
        found
    }

    /// The amount of the latest roster record dated up to the payout date that has one.
    fn roster_amount(&self) -> Option<(&'b Beneficiary<'a>, Money)> {
        let roster = &self.person.book.beneficiaries;
        let records = dated_up_to(roster, |record| record.date, self.due.date);
        roster[..records]
            .iter()
            .rev()
            .find_map(|record| Some((record, record.amount?)))
    }

    fn finding(&self, episode: Episode, basis: Basis<'b, 'a>) -> Finding {
        let policy = self.person.policy;
        let evidence = self.evidence(basis);
        Finding {
            key: AlertKey {
                detector: Detector::MissedPayout,
                subject: Subject::Person(self.person.book.person),
                period: Some(self.period),
                item: None,
            },
            region: evidence.region(policy),
            severity: severity_of(policy, Detector::MissedPayout, &episode),
            episode,
            evidence: evidence.ids(),
            policy: Some(PolicyEntry {
                table: "benefit",
                from: self.entry.from,
            }),
            details: details! {
                "basis": basis.as_str(),
                "payout_date": self.due.date.to_string(),
            },
        }
    }

    fn evidence(&self, basis: Basis<'b, 'a>) -> Evidence<'a> {
        let person = self.person;
        let mut evidence = Evidence::default();
        for day in [self.first_day, self.due.date] {
            let record = in_force(person.book, day.min(person.as_of));
            evidence.add_all(record);
        }
        for place in self.of_period.clone() {
            if makes_good(person.payouts.get(place)) {
                let index = person.payouts.index(place);
                evidence.add_payout(person.net(), index, person.as_of);
            }
        }
        match basis {
            Basis::Roster(record, _) => {
                evidence.add(record);
            }
            Basis::Earlier(place, _) => {
                let payout = person.payouts.get(place);
                evidence.add(payout);
            }
            Basis::Nothing => {}
        }
        evidence
    }
}

fn basis<'b, 'a>(known: &Known, roster: Option<(&'b Beneficiary<'a>, Money)>) -> Basis<'b, 'a> {
    match (roster, known.earlier.greatest()) {
        (Some((record, amount)), _) => Basis::Roster(record, amount),
        (None, Some((place, net))) => Basis::Earlier(place, net),
        (None, None) => Basis::Nothing,
    }
}

impl Basis<'_, '_> {
    fn amount(self) -> Money {
        match self {
            Basis::Roster(_, amount) | Basis::Earlier(_, amount) => amount,
            Basis::Nothing => Money::ZERO,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Basis::Roster(..) => "roster",
            Basis::Earlier(..) => "payout",
            Basis::Nothing => "none",
        }
    }
}
