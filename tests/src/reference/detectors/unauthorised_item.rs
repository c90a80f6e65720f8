//! `unauthorised-item` 违规列支.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Fact, Payout, View};
use crate::reference::money::Fen;
use crate::reference::policy::Policy;

/// The row.
pub struct UnauthorisedItem;

fn payouts<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Payout>> {
    let payouts = seen.payouts.iter().copied();
    payouts
        .filter(|payout| {
            payout.region == key.subject
                && payout.body.period == key.month()
                && Some(&payout.body.item) == key.item.as_ref()
        })
        .collect()
}

impl Detector for UnauthorisedItem {
    fn name(&self) -> &'static str {
        "unauthorised-item"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        let payouts = facts.payouts.iter();
        payouts
            .map(|payout| Key {
                region: Some(payout.region.clone()),
                item: Some(payout.body.item.clone()),
                ..Key::of_period(&payout.region, payout.body.period)
            })
            .collect()
    }

    fn about<'a>(&self, _key: &Key, facts: &View<'a>) -> View<'a> {
        View {
            payouts: facts.payouts.clone(),
            payout_reversals: facts.payout_reversals.clone(),
            ..View::default()
        }
    }

    fn holds(&self, key: &Key, seen: &View<'_>, _day: Date, policy: &Policy) -> Option<Fen> {
        let entry = policy.benefit.entry(key.month())?;
        let item = key.item.as_ref()?;
        let listed = entry.items.contains(item) || entry.survivor_items.contains(item);
        let amount: Fen = payouts(key, seen)
            .into_iter()
            .map(|payout| seen.net_payout(payout))
            .sum();
        let holds = !listed && amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        let mut sources = Vec::new();
        for payout in payouts(key, seen) {
            sources.push(Source::of(payout));
            sources.extend(seen.reversals_of_payout(payout).map(Source::of));
        }
        sources
    }

    fn evidence_max(&self) -> usize {
        100
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.benefit.name("benefit", key.month())
    }
}
