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
            verdict.findings.push(self.finding(episode, as_of));
        }
    }

    fn finding(&self, episode: Episode, as_of: BusinessDate) -> Finding {
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
            details: details! { "payouts": payouts, "regions": regions },
        }
    }
}
