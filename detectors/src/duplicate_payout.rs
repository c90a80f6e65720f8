//! 重复领取 (`duplicate-payout`): was one benefit of one month paid to one person twice?
//!
//! Law: Social Insurance Law (社会保险法) art. 88; of two pension relations one is kept and what was
//! drawn twice is returned (人社部规〔2016〕5号).
//! Key: person, period, item. Reads: regular payouts and their reversals of `agency.payout`, of
//! whichever regions; back pay and lump sums are no duplicates. No policy entry is needed.
//! Holds while two or more payouts have something left. Time alone changes nothing but by facts
//! dated after as-of.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AlertKey, BusinessDate, Detector, Episode, Finding, Money, Nature, Subject};
use rules::Policy;

use crate::book::{Payout, PayoutReversal, PersonBook};
use crate::episodes::fold;
use crate::evidence::{Evidence, details, severity_of};
use crate::net::Net;
use crate::verdict::Verdict;

/// In a month, a person is paid a few items: up to this many, comparing each with each is cheapest.
const FEW: usize = 8;

/// Judges every period and item of which the person has two regular payouts.
pub fn judge(book: &PersonBook<'_>, policy: &Policy, as_of: BusinessDate, verdict: &mut Verdict) {
    if is_plainly_single(&book.payouts) {
        return;
    }
    let purpose = |index: &usize| (book.payouts[*index].period, book.payouts[*index].item);
    let mut regular: Vec<usize> = (0..book.payouts.len())
        .filter(|&index| book.payouts[index].nature == Nature::Regular)
        .collect();
    regular.sort_by_key(purpose);
    let mut net = None;
    for same in regular.chunk_by(|a, b| purpose(a) == purpose(b)) {
        if same.len() > 1 {
            let net = net.get_or_insert_with(|| Net::new(&book.payouts, &book.payout_reversals));
            let key = Key {
                book,
                policy,
                same,
                net,
            };
            key.judge(as_of, verdict);
        }
    }
}

/// Whether no two regular payouts are of one period and item, as seen without sorting; `false` if
/// that cannot be seen.
fn is_plainly_single(payouts: &[Payout<'_>]) -> bool {
    let mut month_from = 0;
    for (at, payout) in payouts.iter().enumerate() {
        if payouts[month_from].period != payout.period {
            if payout.period < payouts[month_from].period {
                return false;
            }
            month_from = at;
        }
        let before = &payouts[month_from..at];
        let is_twin = |other: &Payout<'_>| {
            other.nature == Nature::Regular
                && payout.nature == Nature::Regular
                && other.item == payout.item
        };
        if before.len() >= FEW || before.iter().any(is_twin) {
            return false;
        }
    }
    true
}

/// The regular payouts of one period and item, by index, and by date, then id.
struct Key<'k, 'b, 'a> {
    book: &'b PersonBook<'a>,
    policy: &'k Policy,
    same: &'k [usize],
    net: &'k Net<'b, Payout<'a>, PayoutReversal<'a>>,
}

/// What is left of each payout on a day.
struct Left {
    /// By place in [`Key::same`].
    net: Vec<Money>,
    /// How many payouts have an amount left, by that amount; nothing left is left out.
    amounts: BTreeMap<Money, usize>,
    payouts: usize,
    sum: Money,
}

impl Left {
    fn change(&mut self, place: usize, change: Money) {
        let before = self.net[place];
        let after = before + change;
        self.net[place] = after;
        self.sum += change;
        if before.is_positive() {
            self.payouts -= 1;
            if let Some(count) = self.amounts.get_mut(&before) {
                *count -= 1;
                if *count == 0 {
                    self.amounts.remove(&before);
                }
            }
        }
        if after.is_positive() {
            self.payouts += 1;
            *self.amounts.entry(after).or_default() += 1;
        }
    }

    fn largest(&self) -> Money {
        self.amounts
            .last_key_value()
            .map_or(Money::ZERO, |(amount, _)| *amount)
    }
}

impl Key<'_, '_, '_> {
    fn judge(&self, as_of: BusinessDate, verdict: &mut Verdict) {
        let events = self
            .same
            .iter()
            .enumerate()
            .flat_map(|(place, &index)| {
                let steps = self.net.steps(index);
                steps.map(move |(day, change)| (day, (place, change)))
            })
            .collect();
        let mut left = Left {
            net: vec![Money::ZERO; self.same.len()],
            amounts: BTreeMap::new(),
            payouts: 0,
            sum: Money::ZERO,
        };
        let tolerance = self.policy.detector(Detector::DuplicatePayout).tolerance;
        let folded = fold(
            events,
            as_of,
            &mut left,
            |left, &(place, change)| left.change(place, change),
            |left, _| {
                let amount = left.sum - left.largest();
                (left.payouts > 1 && tolerance < amount).then_some(amount)
            },
        );
        verdict.wake_on_any(folded.next);
        if let Some(episode) = folded.episode {
            verdict.findings.push(self.finding(episode, &left, as_of));
        }
    }

    fn finding(&self, episode: Episode, left: &Left, as_of: BusinessDate) -> Finding {
        let first = &self.book.payouts[self.same[0]];
        let mut regions = BTreeSet::new();
        let mut payouts = 0;
        let mut evidence = Evidence::default();
        for &index in self.same {
            let payout = &self.book.payouts[index];
            if payout.date > as_of {
                break;
            }
            payouts += 1;
            regions.insert(self.policy.region(payout.region).code);
            evidence.add_payout(self.net, index, as_of);
        }
        let regions: Vec<String> = regions.iter().map(ToString::to_string).collect();
        Finding {
            key: AlertKey {
                detector: Detector::DuplicatePayout,
                subject: Subject::Person(self.book.person),
                period: Some(first.period),
                item: Some(first.item.to_owned()),
            },
            region: evidence.region(self.policy),
            severity: severity_of(self.policy, Detector::DuplicatePayout, &episode),
            episode,
            evidence: evidence.ids(),
            policy: None,
            details: details! {
                "largest": left.largest().to_string(),
                "paid_out": left.sum.to_string(),
                "payouts": payouts,
                "regions": regions,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, day, person, policy};

    #[test]
    fn across_regions_the_sum_less_the_largest() {
        let book = person(
            "payout Y1 2024-03-20 2024-03 basic_pension regular 2800
             payout Y2 2024-03-21 2024-03 basic_pension regular 2650.50 @2
             payout Y3 2024-03-22 2024-03 basic_pension regular 2800",
        );
        let open = "2024-03 basic_pension 2024-03-21.. 5450.50 peak 5450.50 x1 blue 341002 - \
            [agency.payout/Y1 agency.payout/Y2 agency.payout/Y3] \
            {\"largest\":\"2800.00\",\"paid_out\":\"8250.50\",\"payouts\":3,\"regions\":[\"341002\",\"341021\"]}";
        check(judge, &book, &policy(&[], ""), "2024-03-31", &[open]);
        let first_day = "2024-03 basic_pension 2024-03-21.. 2650.50 peak 2650.50 x1 blue 341021 - \
            [agency.payout/Y1 agency.payout/Y2] {\"largest\":\"2800.00\",\"paid_out\":\"5450.50\",\"payouts\":2,\"regions\":[\"341002\",\"341021\"]}";
        let wake = check(judge, &book, &policy(&[], ""), "2024-03-21", &[first_day]);
        assert_eq!(wake, Some(day("2024-03-22")));
    }

    #[test]
    fn reversed_in_parts_and_reopened() {
        let book = person(
            "payout Y1 2024-03-20 2024-03 basic_pension regular 3000
             payout Y2 2024-03-20 2024-03 basic_pension regular 3000
             back V1 2024-03-25 2024-03 basic_pension Y2 1000
             back V2 2024-03-28 2024-03 basic_pension Y2 2000
             payout Y3 2024-04-01 2024-03 basic_pension regular 500 @2
             back V3 2024-03-22 2024-03 transitional_pension Y1 3000
             back V4 2024-03-22 2024-02 basic_pension Y1 3000",
        );
        let reopened = "2024-03 basic_pension 2024-04-01.. 500.00 peak 500.00 x2 blue 341021 - \
            [agency.payout/V1 agency.payout/V2 agency.payout/Y1 agency.payout/Y2 agency.payout/Y3] \
            {\"largest\":\"3000.00\",\"paid_out\":\"3500.00\",\"payouts\":3,\"regions\":[\"341002\",\"341021\"]}";
        check(judge, &book, &policy(&[], ""), "2024-04-05", &[reopened]);
        let cleared = "2024-03 basic_pension 2024-03-20..2024-03-28 0.00 peak 3000.00 x1 blue \
            341002 - [agency.payout/V1 agency.payout/V2 agency.payout/Y1 agency.payout/Y2] \
            {\"largest\":\"3000.00\",\"paid_out\":\"3000.00\",\"payouts\":2,\"regions\":[\"341002\"]}";
        check(judge, &book, &policy(&[], ""), "2024-03-30", &[cleared]);
    }

    #[test]
    fn other_natures_items_and_periods_are_no_duplicates() {
        let book = person(
            "payout Y1 2024-03-20 2024-03 basic_pension regular 3000
             payout Y2 2024-03-20 2024-03 transitional_pension regular 3000
             payout Y3 2024-03-21 2024-03 basic_pension back_pay 3000
             payout Y4 2024-03-21 2024-03 basic_pension lump_sum 3000
             payout Y5 2024-03-22 2024-02 basic_pension regular 3000
             payout Y6 2024-03-23 2024-03 bonus regular 0
             payout Y7 2024-03-24 2024-03 bonus regular 10",
        );
        check(judge, &book, &policy(&[], ""), "2024-04-05", &[]);
    }

    #[test]
    fn many_payouts_of_one_month() {
        // More than are compared one by one, in one month and in order.
        let mut book = person("payout Y 2024-03-20 2024-03 basic_pension regular 1");
        let ids: Vec<String> = (10..60).map(|id| format!("Y{id}")).collect();
        let one = book.payouts[0].clone();
        book.payouts = ids.iter().map(|id| Payout { id, ..one.clone() }).collect();
        let mut verdict = Verdict::default();
        judge(&book, &policy(&[], ""), day("2024-04-05"), &mut verdict);
        assert_eq!(verdict.findings[0].episode.amount, Money::from_yuan(49));
        assert_eq!(verdict.findings[0].evidence.len(), 50);
    }

    #[test]
    fn what_is_plain() {
        let plain = |lines| is_plainly_single(&person(lines).payouts);
        assert!(plain(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 1
             payout Y2 2024-02-20 2024-02 transitional_pension regular 1
             payout Y3 2024-03-20 2024-03 basic_pension regular 1
             payout Y4 2024-03-20 2024-03 basic_pension back_pay 1"
        ));
        assert!(!plain(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 1
             payout Y3 2024-03-20 2024-03 basic_pension regular 1
             payout Y4 2024-03-25 2024-02 basic_pension regular 1"
        ));
        assert!(!plain(
            "payout Y1 2024-02-20 2024-02 basic_pension regular 1
             payout Y2 2024-02-20 2024-02 basic_pension regular 1"
        ));
    }
}
