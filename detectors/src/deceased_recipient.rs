//! 死亡冒领 (`deceased-recipient`): was a pension paid for months after the person's death?
//!
//! Law: a pension is due through the month of death (社会保险经办条例, 2023-12-01: notice within 20
//! working days); what was drawn by fraud is returned (社会保险法 art. 88).
//! Key: person. Reads: payouts and reversals of `agency.payout`, reports and cancellations of
//! `civil.death`, names of `agency.roster`.
//! Holds while a death is known and not cancelled, and something paid for a later month is left.
//! A match of numbers alone is weak evidence, and no text says then that the person is dead: see
//! [`Match`]. Time alone changes nothing but by facts dated after as-of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::{
    AlertKey, BusinessDate, Detector, Episode, Finding, Money, Period, Severity, Subject,
};
use rules::Policy;
use unicode_normalization::UnicodeNormalization;

use crate::book::{Death, Payout, PayoutReversal, PersonBook};
use crate::deaths::{KnownDeaths, uncancelled};
use crate::episodes::fold;
use crate::evidence::{Evidence, details, severity_of};
use crate::net::Net;
use crate::periods::{dated_up_to, first_after};
use crate::verdict::Verdict;

/// How well the reports of the death fit the beneficiary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// Two or more sources, and the name.
    A,
    /// One source, and the name.
    B,
    /// The number alone.
    C,
}

impl Match {
    const fn as_str(self) -> &'static str {
        match self {
            Match::A => "A",
            Match::B => "B",
            Match::C => "C",
        }
    }

    /// The number alone does not make it graver than yellow.
    fn cap(self, severity: Severity) -> Severity {
        match self {
            Match::A | Match::B => severity,
            Match::C => severity.min(Severity::Yellow),
        }
    }
}

/// Judges the person, if there is a report of the person's death.
pub fn judge(book: &PersonBook<'_>, policy: &Policy, as_of: BusinessDate, verdict: &mut Verdict) {
    // The earliest month that any report names: no payout up to it ever counts.
    let Some(earliest) = book.deaths.iter().map(month_of_death).min() else {
        return;
    };
    let counted: Vec<usize> = (0..book.payouts.len())
        .filter(|&index| earliest < book.payouts[index].period)
        .filter(|&index| counts(policy, &book.payouts[index]))
        .collect();
    if counted.is_empty() {
        return;
    }
    let net = Net::new(&book.payouts, &book.payout_reversals);
    let deaths = KnownDeaths::of(book);
    let mut events: Vec<(BusinessDate, Event)> = Vec::new();
    for &(day, died_on) in deaths.changes() {
        let month = died_on.map(BusinessDate::period);
        events.push((day, Event::Died(month)));
    }
    for &index in &counted {
        let period = book.payouts[index].period;
        let steps = net.steps(index);
        events.extend(steps.map(|(day, change)| (day, Event::Paid(period, change))));
    }
    let tolerance = policy.detector(Detector::DeceasedRecipient).tolerance;
    let mut paid = PaidAfter::default();
    let folded = fold(
        events,
        as_of,
        &mut paid,
        |paid, event| match *event {
            Event::Died(month) => paid.died(month),
            Event::Paid(period, change) => paid.add(period, change),
        },
        |paid, _| (paid.month.is_some() && tolerance < paid.sum).then_some(paid.sum),
    );
    verdict.wake_on_any(folded.next);
    if let Some(episode) = folded.episode {
        verdict.wake_on_any(next_fact(book, as_of));
        verdict
            .findings
            .push(finding(book, policy, as_of, episode, &net));
    }
}

/// Whether a payout may not go on after a death: it has an entry, which does not list its item as
/// one for survivors.
fn counts(policy: &Policy, payout: &Payout<'_>) -> bool {
    policy
        .benefit(payout.period)
        .is_some_and(|entry| !entry.is_survivor_item(payout.item))
}

fn month_of_death(death: &Death<'_>) -> Period {
    death.died_on.period()
}

enum Event {
    /// The earliest month of death that is known, from now on.
    Died(Option<Period>),
    /// The net of a payout changes.
    Paid(Period, Money),
}

/// What is left of payouts, by period, and of those after the month of death.
#[derive(Default)]
struct PaidAfter {
    month: Option<Period>,
    left: BTreeMap<Period, Money>,
    sum: Money,
}

impl PaidAfter {
    fn add(&mut self, period: Period, change: Money) {
        *self.left.entry(period).or_default() += change;
        if self.month.is_some_and(|month| month < period) {
            self.sum += change;
        }
    }

    /// At most 3600 periods are added up; and a month of death rarely changes.
    fn died(&mut self, month: Option<Period>) {
        if self.month != month {
            self.month = month;
            self.sum = month.map_or(Money::ZERO, |month| {
                let later = (Bound::Excluded(month), Bound::Unbounded);
                self.left.range(later).map(|(_, left)| *left).sum()
            });
        }
    }
}

fn finding<'a>(
    book: &PersonBook<'a>,
    policy: &Policy,
    as_of: BusinessDate,
    episode: Episode,
    net: &Net<'_, Payout<'a>, PayoutReversal<'a>>,
) -> Finding {
    let evidence = evidence(book, policy, as_of, net);
    let grade = grade(book, as_of);
    let month = uncancelled(book, as_of).map(month_of_death).min();
    let payouts = &book.payouts[..dated_up_to(&book.payouts, |payout| payout.date, as_of)];
    let is_later = |payout: &&Payout<'_>| month.is_some_and(|month| month < payout.period);
    let later = payouts.iter().filter(is_later);
    let count = later.filter(|payout| counts(policy, payout)).count();
    Finding {
        key: AlertKey {
            detector: Detector::DeceasedRecipient,
            subject: Subject::Person(book.person),
            period: None,
            item: None,
        },
        region: evidence.region(policy),
        severity: grade.cap(severity_of(policy, Detector::DeceasedRecipient, &episode)),
        episode,
        evidence: evidence.ids(),
        policy: None,
        details: details! {
            "after": month.map(|month| month.to_string()),
            "match": grade.as_str(),
            "payouts": count,
        },
    }
}

/// Reports and cancellations, the payouts that count after the month of death, and their reversals.
fn evidence<'a>(
    book: &PersonBook<'a>,
    policy: &Policy,
    as_of: BusinessDate,
    net: &Net<'_, Payout<'a>, PayoutReversal<'a>>,
) -> Evidence<'a> {
    let deaths = &book.deaths[..dated_up_to(&book.deaths, |death| death.date, as_of)];
    let cancellations =
        &book.cancellations[..dated_up_to(&book.cancellations, |cancelled| cancelled.date, as_of)];
    let mut evidence = Evidence::default();
    evidence.add_all(deaths);
    evidence.add_all(cancellations);
    let month = uncancelled(book, as_of)
        .map(month_of_death)
        .min()
        .or_else(|| deaths.iter().map(month_of_death).min());
    // Whatever was paid after the death is shown, to survivors too; what has no entry takes no part.
    for (index, payout) in book.payouts.iter().enumerate() {
        let is_later = month.is_some_and(|month| month < payout.period);
        if is_later && policy.benefit(payout.period).is_some() {
            evidence.add_payout(net, index, as_of);
        }
    }
    evidence
}

/// How well the reports fit, as of as-of, whether the alert is open or cleared.
fn grade(book: &PersonBook<'_>, as_of: BusinessDate) -> Match {
    let roster = &book.beneficiaries[..dated_up_to(&book.beneficiaries, |of| of.date, as_of)];
    let Some(name) = roster.iter().rev().find_map(|record| plain(record.name)) else {
        return Match::C;
    };
    let sources: BTreeSet<&str> = uncancelled(book, as_of)
        .filter(|death| plain(death.name).is_some_and(|of_death| of_death == name))
        .map(|death| death.source)
        .collect();
    match sources.len() {
        0 => Match::C,
        1 => Match::B,
        _ => Match::A,
    }
}

/// A name as names compare: after NFKC and without white space; an empty one is none.
fn plain(name: Option<&str>) -> Option<String> {
    let plain: String = name?.nfkc().filter(|c| !c.is_whitespace()).collect();
    (!plain.is_empty()).then_some(plain)
}

/// The next fact that may change the evidence or the match.
fn next_fact(book: &PersonBook<'_>, as_of: BusinessDate) -> Option<BusinessDate> {
    let next = [
        first_after(&book.deaths, |death| death.date, as_of),
        first_after(&book.cancellations, |cancelled| cancelled.date, as_of),
        first_after(&book.beneficiaries, |record| record.date, as_of),
        first_after(&book.payouts, |payout| payout.date, as_of),
        first_after(&book.payout_reversals, |reversal| reversal.date, as_of),
    ];
    next.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, person, policy};

    #[test]
    fn months_after_the_death_but_for_survivors() {
        let book = person(
            "payout Y1 2024-01-19 2024-01 basic_pension regular 3000
             payout Y2 2024-02-20 2024-02 basic_pension regular 3000
             payout Y3 2024-03-20 2024-03 basic_pension regular 3000 @2
             payout Y4 2024-03-10 2024-02 funeral_grant lump_sum 5000
             payout Y5 2024-03-20 2024-03 survivor_pension regular 800
             payout Y6 2024-03-21 2024-03 gift lump_sum 70
             death C1 2024-03-05 2024-01-15 crematorium -",
        );
        let open = "- - 2024-03-05.. 6070.00 peak 6070.00 x1 blue 341002 - \
            [agency.payout/Y2 agency.payout/Y3 agency.payout/Y4 agency.payout/Y5 agency.payout/Y6 civil.death/C1] {\"after\":\"2024-01\",\"match\":\"C\",\"payouts\":3}";
        let wake = check(judge, &book, &policy(&[], ""), "2024-03-25", &[open]);
        assert_eq!(wake, None);
        let first = "- - 2024-03-05.. 3000.00 peak 3000.00 x1 blue 341002 - \
            [agency.payout/Y2 agency.payout/Y4 civil.death/C1] {\"after\":\"2024-01\",\"match\":\"C\",\"payouts\":1}";
        let wake = check(judge, &book, &policy(&[], ""), "2024-03-19", &[first]);
        assert_eq!(wake, Some(day("2024-03-20")));
    }

    #[test]
    fn cleared_by_a_cancellation_and_reopened_by_another_report() {
        let book = person(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 3000
             payout Y2 2024-03-20 2024-03 basic_pension regular 2900
             death C1 2024-02-01 2024-01-15 crematorium -
             cancelled K1 2024-03-01 C1
             cancelled K2 2024-03-02 C9
             death C2 2024-04-02 2024-02-10 crematorium -",
        );
        // Died in 2024-02 by the second report: only 2024-03 counts.
        let reopened = "- - 2024-04-02.. 2900.00 peak 2900.00 x2 blue 341002 - \
            [agency.payout/Y2 civil.death/C1 civil.death/C2 civil.death/K1 civil.death/K2] \
            {\"after\":\"2024-02\",\"match\":\"C\",\"payouts\":1}";
        check(judge, &book, &policy(&[], ""), "2024-04-10", &[reopened]);
        // No report stands: the payouts after the earliest month of all of them.
        let cleared = "- - 2024-02-20..2024-03-01 0.00 peak 3000.00 x1 blue 341002 - \
            [agency.payout/Y1 agency.payout/Y2 civil.death/C1 civil.death/K1 civil.death/K2] \
            {\"after\":null,\"match\":\"C\",\"payouts\":0}";
        let wake = check(judge, &book, &policy(&[], ""), "2024-04-01", &[cleared]);
        assert_eq!(wake, Some(day("2024-04-02")));
    }

    #[test]
    fn a_cancellation_before_the_report_works_from_the_report_on() {
        let book = person(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 3000
             cancelled K3 2024-02-01 C5
             death C5 2024-02-05 2024-01-03 crematorium -",
        );
        check(judge, &book, &policy(&[], ""), "2024-04-10", &[]);
    }

    #[test]
    fn payouts_of_periods_without_entry_are_left_out() {
        let book = person(
            "payout Y1 2019-04-20 2019-04 basic_pension regular 3000
             payout Y2 2019-05-20 2019-05 basic_pension regular 300
             death C5 2019-02-05 2019-01-03 crematorium -",
        );
        let open = "- - 2019-05-20.. 300.00 peak 300.00 x1 blue 341002 - \
            [agency.payout/Y2 civil.death/C5] {\"after\":\"2019-01\",\"match\":\"C\",\"payouts\":1}";
        check(judge, &book, &policy(&[], ""), "2024-04-10", &[open]);
    }

    /// The match and the severity of 600,000 yuan paid after the deaths given.
    fn graded(lines: &'static str) -> (String, &'static str) {
        let mut book = person(lines);
        let paid = person("payout Y1 2024-02-20 2024-02 basic_pension regular 600000");
        book.payouts = paid.payouts;
        let mut verdict = Verdict::default();
        judge(&book, &policy(&[], ""), day("2024-03-31"), &mut verdict);
        let finding = &verdict.findings[0];
        let grade = finding.details["match"].as_str().unwrap();
        (grade.to_owned(), finding.severity.as_str())
    }

    #[test]
    fn two_sources_and_the_name_match_best() {
        for (lines, grade, severity) in [
            (
                "roster B1 2024-01-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建国
                 death C1 2024-02-05 2024-01-15 police 程建国",
                "A",
                "red",
            ),
            (
                // Full-width letters and an ideographic space: see `plain`.
                "roster B1 2024-01-01 ended - ＡＢ程
                 death C0 2024-02-05 2024-01-15 crematorium AB程
                 death C1 2024-02-05 2024-01-15 police ＡB程",
                "A",
                "red",
            ),
            (
                "roster B1 2024-01-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建国
                 death C1 2024-02-05 2024-01-15 crematorium 程建国",
                "B",
                "red",
            ),
            (
                "roster B0 2023-01-01 ended - 程建军
                 roster B1 2024-01-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建军
                 death C1 2024-02-05 2024-01-15 police 程建国",
                "B",
                "red",
            ),
            (
                "roster B1 2024-01-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建国
                 death C1 2024-02-06 2024-01-15 police 程建国
                 cancelled K1 2024-03-01 C1",
                "B",
                "red",
            ),
            (
                "roster B1 2024-01-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建军",
                "C",
                "yellow",
            ),
            (
                "roster B1 2024-01-01 ended - -
                 death C0 2024-02-05 2024-01-15 crematorium 程建国
                 death C1 2024-02-05 2024-01-15 police 程建国",
                "C",
                "yellow",
            ),
            (
                // A name that is not known yet on as-of.
                "roster B1 2024-04-01 ended - 程建国
                 death C0 2024-02-05 2024-01-15 crematorium 程建国",
                "C",
                "yellow",
            ),
        ] {
            assert_eq!(graded(lines), (grade.to_owned(), severity), "{lines}");
        }
    }

    #[test]
    fn names_compare_without_width_and_white_space() {
        assert_eq!(plain(Some("ＡＢ　程")), Some("AB程".to_owned()));
        assert_eq!(plain(Some(" 程 建国\t")), Some("程建国".to_owned()));
        assert_eq!(plain(Some(" \u{3000} ")), None);
        assert_eq!(plain(Some("")), None);
        assert_eq!(plain(None), None);
    }

    #[test]
    fn repaid_is_cleared_and_keeps_its_match() {
        let book = person(
            "roster B1 2024-01-01 ended - 程建国
             payout Y1 2024-02-20 2024-02 basic_pension regular 700000
             back V1 2024-03-01 2024-02 basic_pension Y1 700000
             death C1 2024-02-05 2024-01-15 crematorium 程建国",
        );
        let cleared = "- - 2024-02-20..2024-03-01 0.00 peak 700000.00 x1 red 341002 - \
            [agency.payout/V1 agency.payout/Y1 civil.death/C1] {\"after\":\"2024-01\",\"match\":\"B\",\"payouts\":1}";
        check(judge, &book, &policy(&[], ""), "2024-03-31", &[cleared]);
    }

    #[test]
    fn of_several_deaths_the_earliest_day_decides() {
        let book = person(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 100
             payout Y2 2024-03-20 2024-03 basic_pension regular 20
             payout Y3 2024-04-19 2024-04 basic_pension regular 3
             death C1 2024-04-01 2024-03-15 police -
             death C2 2024-04-25 2024-01-15 police -
             cancelled K1 2024-05-02 C2",
        );
        let peak_of_all = "- - 2024-04-19.. 3.00 peak 123.00 x1 blue 341002 - \
            [agency.payout/Y3 civil.death/C1 civil.death/C2 civil.death/K1] {\"after\":\"2024-03\",\"match\":\"C\",\"payouts\":1}";
        check(judge, &book, &policy(&[], ""), "2024-05-31", &[peak_of_all]);
    }
}
