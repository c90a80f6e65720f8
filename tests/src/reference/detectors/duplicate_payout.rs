//! `duplicate-payout` 重复领取.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Fact, Payout, View};
use crate::reference::money::Fen;
use crate::reference::policy::Policy;

/// The row.
pub struct DuplicatePayout;

fn regular_payouts<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Payout>> {
    let payouts = seen.payouts.iter().copied();
    payouts
        .filter(|payout| {
            payout.body.nature == "regular"
                && payout.body.period == key.month()
                && Some(&payout.body.item) == key.item.as_ref()
        })
        .collect()
}

impl Detector for DuplicatePayout {
    fn name(&self) -> &'static str {
        "duplicate-payout"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        let payouts = facts.payouts.iter();
        payouts
            .map(|payout| Key {
                item: Some(payout.body.item.clone()),
                ..Key::of_period(&payout.body.person, payout.body.period)
            })
            .collect()
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        facts.of_person(&key.subject)
    }

    fn holds(&self, key: &Key, seen: &View<'_>, _day: Date, policy: &Policy) -> Option<Fen> {
        let payouts = regular_payouts(key, seen);
        let nets: Vec<Fen> = payouts
            .into_iter()
            .map(|payout| seen.net_payout(payout))
            .filter(|net| *net > 0)
            .collect();
        let amount = nets.iter().sum::<Fen>() - nets.iter().max()?;
        let holds = nets.len() >= 2 && amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        let mut sources = Vec::new();
        for payout in regular_payouts(key, seen) {
            sources.push(Source::of(payout));
            sources.extend(seen.reversals_of_payout(payout).map(Source::of));
        }
        sources
    }

    fn policy_entry(&self, _key: &Key, _seen: &View<'_>, _policy: &Policy) -> Option<String> {
        None
    }
}
