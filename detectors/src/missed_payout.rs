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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, person, policy};

    /// Benefits from `month` on.
    fn from(month: &str) -> Policy {
        let entry = format!("[[benefit]]\nfrom = \"{month}\"");
        policy(&[("[[benefit]]\nfrom = \"2019-05\"", &entry)], "")
    }

    #[test]
    fn late_then_missed_on_a_payout_date_moved_back() {
        let book = person(
            "roster B1 2024-01-10 receiving 2500 -
             payout Y1 2024-02-27 2024-02 basic_pension back_pay 2500
             payout Y2 2024-03-20 2024-03 basic_pension regular 2500
             payout Y3 2024-04-24 2024-04 basic_pension lump_sum 2500
             payout Y4 2024-05-20 2024-05 basic_pension regular 2500",
        );
        // Not receiving on 2024-01-01. 2024-04-20 is a Saturday: paid on 04-19, grace to 04-22.
        let late = "2024-02 - 2024-02-24..2024-02-27 0.00 peak 2500.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/Y1 agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        let missed = "2024-04 - 2024-04-23.. 2500.00 peak 2500.00 x1 blue 341002 \
            benefit@2024-01 [agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-04-19\"}";
        let wake = check(
            judge,
            &book,
            &from("2024-01"),
            "2024-05-25",
            &[late, missed],
        );
        // 2024-06-20 is a Thursday, grace to the 23rd.
        assert_eq!(wake, Some(day("2024-06-24")));
    }

    #[test]
    fn any_back_pay_on_the_last_good_day_is_enough_until_reversed() {
        let book = person(
            "roster B1 2024-02-21 receiving 2400 -
             payout Y1 2024-03-20 2024-03 basic_pension regular 2400
             payout Y2 2024-04-22 2024-04 basic_pension back_pay 100
             payout Y3 2024-05-20 2024-05 basic_pension back_pay 2400
             back V1 2024-05-24 2024-05 basic_pension Y3 2400",
        );
        let open = "2024-05 - 2024-05-24.. 2400.00 peak 2400.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/V1 agency.payout/Y3 agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-05-20\"}";
        check(judge, &book, &from("2024-01"), "2024-05-25", &[open]);
        let wake = check(judge, &book, &from("2024-01"), "2024-05-23", &[]);
        assert_eq!(wake, Some(day("2024-05-24")));
    }

    #[test]
    fn opened_by_a_reversal_cleared_by_a_death_reopened_by_its_cancellation() {
        let book = person(
            "roster B1 2023-12-01 receiving 1800 -
             payout Y1 2024-02-19 2024-02 basic_pension regular 1800
             back V1 2024-03-01 2024-02 basic_pension Y1 1800
             payout Y2 2024-03-15 2024-02 basic_pension regular 1800
             death C1 2024-03-05 2024-01-31 crematorium -
             cancelled K1 2024-03-12 C1",
        );
        let cleared = "2024-02 - 2024-03-12..2024-03-15 0.00 peak 1800.00 x2 blue 341002 \
            benefit@2024-02 [agency.payout/V1 agency.payout/Y1 agency.payout/Y2 agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        check(judge, &book, &from("2024-02"), "2024-03-18", &[cleared]);
        let by_death = "2024-02 - 2024-03-01..2024-03-05 0.00 peak 1800.00 x1 blue 341002 \
            benefit@2024-02 [agency.payout/V1 agency.payout/Y1 agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        let wake = check(judge, &book, &from("2024-02"), "2024-03-06", &[by_death]);
        assert_eq!(wake, Some(day("2024-03-12")));
    }

    #[test]
    fn a_death_counts_if_it_is_before_the_first_day() {
        let on_the_day = person(
            "roster B1 2023-12-01 receiving 1000 -
             death C1 2024-02-10 2024-02-01 crematorium -",
        );
        let open = "2024-02 - 2024-02-24.. 1000.00 peak 1000.00 x1 blue 341002 \
            benefit@2024-02 [agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        // The months after are not missed, and nobody waits for them.
        let wake = check(judge, &on_the_day, &from("2024-02"), "2024-03-18", &[open]);
        assert_eq!(wake, None);
        let before = person(
            "roster B1 2023-12-01 receiving 1000 -
             death C1 2024-02-10 2024-01-31 crematorium -",
        );
        check(judge, &before, &from("2024-02"), "2024-06-18", &[]);
    }

    #[test]
    fn a_payout_of_nothing_is_none() {
        let book = person(
            "roster B1 2023-12-01 receiving 1000 -
             payout Y1 2024-02-20 2024-02 basic_pension regular 0",
        );
        let open = "2024-02 - 2024-02-24.. 1000.00 peak 1000.00 x1 blue 341002 \
            benefit@2024-02 [agency.payout/Y1 agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        check(judge, &book, &from("2024-02"), "2024-03-18", &[open]);
    }

    #[test]
    fn the_amount_without_one_on_the_roster_is_that_of_an_earlier_period() {
        let book = person(
            "roster B1 2023-12-01 receiving - -
             payout Y1 2024-01-19 2024-01 basic_pension regular 1000
             payout Y2 2024-02-20 2024-02 basic_pension regular 1100
             payout Y3 2024-02-20 2024-02 transitional_pension regular 50
             payout Y4 2024-02-21 2024-02 heating_allowance back_pay 9
             back V1 2024-03-26 2024-02 transitional_pension Y3 50
             back V2 2024-03-28 2024-02 basic_pension Y2 100",
        );
        // Missed from 03-24: 50 (Y3 is greater than Y2), 1100 from 03-26, 1000 from 03-28.
        let open = "2024-03 - 2024-03-24.. 1000.00 peak 1100.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/Y2 agency.roster/B1] \
            {\"basis\":\"payout\",\"payout_date\":\"2024-03-20\"}";
        check(judge, &book, &from("2024-01"), "2024-03-31", &[open]);
    }

    #[test]
    fn an_earlier_payout_that_comes_late_changes_the_amount() {
        let book = person(
            "roster B1 2024-01-01 receiving - -
             payout Y1 2024-03-26 2024-01 basic_pension regular 700
             payout Y2 2024-03-29 2024-02 basic_pension regular 800",
        );
        let jan = "2024-01 - 2024-01-23..2024-03-26 0.00 peak 0.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/Y1 agency.roster/B1] \
            {\"basis\":\"none\",\"payout_date\":\"2024-01-19\"}";
        let feb = "2024-02 - 2024-02-24..2024-03-29 0.00 peak 700.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/Y1 agency.payout/Y2 agency.roster/B1] \
            {\"basis\":\"payout\",\"payout_date\":\"2024-02-20\"}";
        let mar = "2024-03 - 2024-03-24.. 800.00 peak 800.00 x1 blue 341002 \
            benefit@2024-01 [agency.payout/Y2 agency.roster/B1] \
            {\"basis\":\"payout\",\"payout_date\":\"2024-03-20\"}";
        check(
            judge,
            &book,
            &from("2024-01"),
            "2024-03-31",
            &[jan, feb, mar],
        );
    }

    #[test]
    fn the_roster_amount_is_of_the_latest_record_with_one_by_the_payout_date() {
        let book = person(
            "roster B1 2023-12-01 receiving 1000 -
             roster B2 2024-02-10 receiving 1200 -
             roster B3 2024-02-20 receiving - -
             roster B4 2024-02-21 receiving 1300 -",
        );
        let open = "2024-02 - 2024-02-24.. 1200.00 peak 1200.00 x1 blue 341002 \
            benefit@2024-02 [agency.roster/B1 agency.roster/B2 agency.roster/B3] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-02-20\"}";
        check(judge, &book, &from("2024-02"), "2024-03-18", &[open]);
    }

    #[test]
    fn receiving_on_both_days() {
        for lines in [
            "roster B1 2024-02-02 receiving 1000 -",
            "roster B1 2024-01-02 receiving 1000 -
             roster B2 2024-02-20 suspended 1000 -
             roster B3 2024-02-21 receiving 1000 -",
            "roster B1 2024-01-02 receiving 1000 -
             roster B2 2024-02-01 suspended 1000 -
             roster B3 2024-02-02 receiving 1000 -",
        ] {
            check(judge, &person(lines), &from("2024-02"), "2024-03-18", &[]);
        }
    }

    #[test]
    fn a_payout_date_in_the_month_before() {
        // 2024-06-01 is a Saturday: paid on Friday 05-31, missed from that Saturday on, before the
        // record of the first day is there to be seen.
        let first = policy(
            &[
                (
                    "[[benefit]]\nfrom = \"2019-05\"",
                    "[[benefit]]\nfrom = \"2024-09\"",
                ),
                (
                    "payout_day = 20\ngrace_days = 3",
                    "payout_day = 1\ngrace_days = 0",
                ),
            ],
            "",
        );
        // 2024-09-01 is a Sunday: paid on Friday 08-30. On 08-31 the person is receiving, as seen
        // then; from 09-01 on not.
        let book = person(
            "roster B1 2024-01-01 receiving 1000 -
             roster B2 2024-09-01 ended - -",
        );
        let seen_then = "2024-09 - 2024-08-31.. 1000.00 peak 1000.00 x1 blue 341002 \
            benefit@2024-09 [agency.roster/B1] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-08-30\"}";
        let wake = check(judge, &book, &first, "2024-08-31", &[seen_then]);
        assert_eq!(wake, Some(day("2024-09-01")));
        let seen_later = "2024-09 - 2024-08-31..2024-09-01 0.00 peak 1000.00 x1 blue 341002 \
            benefit@2024-09 [agency.roster/B1 agency.roster/B2] \
            {\"basis\":\"roster\",\"payout_date\":\"2024-08-30\"}";
        check(judge, &book, &first, "2024-10-31", &[seen_later]);
    }

    #[test]
    fn wakes_after_the_next_good_day() {
        let paid = person(
            "roster B1 2023-12-01 receiving 1000 -
             payout Y1 2024-02-20 2024-02 basic_pension regular 1000",
        );
        // 2024-03-20 and three days of grace.
        for as_of in ["2024-02-20", "2024-03-19", "2024-03-23"] {
            let wake = check(judge, &paid, &from("2024-02"), as_of, &[]);
            assert_eq!(wake, Some(day("2024-03-24")), "{as_of}");
        }
        let ended = person(
            "roster B1 2023-12-01 receiving 1000 -
             roster B2 2024-01-15 ended 1000 -",
        );
        let wake = check(judge, &ended, &from("2024-02"), "2024-02-20", &[]);
        assert_eq!(wake, None);
    }

    #[test]
    fn three_centuries_of_silence_end() {
        let book = person("roster B1 1900-01-01 receiving 1 -");
        let mut verdict = Verdict::default();
        judge(&book, &from("2024-01"), day("2199-12-31"), &mut verdict);
        assert_eq!(verdict.findings.len(), 176 * 12);
    }
}
