//! `missed-payout` 漏发.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Beneficiary, Fact, Payout, View, in_force, latest};
use crate::reference::money::Fen;
use crate::reference::period::{Period, plus_days};
use crate::reference::policy::Policy;

/// The row.
pub struct MissedPayout;

/// The record that the amount comes from.
enum Origin<'a> {
    Roster(&'a Fact<Beneficiary>),
    Payout(&'a Fact<Payout>),
    Nothing,
}

/// "That of the latest beneficiary record dated up to the payout date that has one; else net(d) of the regular payout
/// with net(d) > 0 of an earlier period, greatest by period, date, id."
fn origin<'a>(key: &Key, seen: &View<'a>, payout_date: Date) -> Origin<'a> {
    let roster = seen.beneficiaries.iter().copied();
    let with_amount = roster.filter(|fact| fact.date <= payout_date && fact.body.amount.is_some());
    if let Some(beneficiary) = latest(with_amount) {
        return Origin::Roster(beneficiary);
    }
    let payouts = seen.payouts.iter().copied();
    let earlier = payouts.filter(|payout| {
        payout.body.nature == "regular"
            && payout.body.period < key.month()
            && seen.net_payout(payout) > 0
    });
    match earlier.max_by_key(|payout| (payout.body.period, payout.date, payout.id.as_bytes())) {
        Some(payout) => Origin::Payout(payout),
        None => Origin::Nothing,
    }
}

fn amount(key: &Key, seen: &View<'_>, payout_date: Date) -> Fen {
    match origin(key, seen, payout_date) {
        Origin::Roster(beneficiary) => beneficiary.body.amount.unwrap_or(0),
        Origin::Payout(payout) => seen.net_payout(payout),
        Origin::Nothing => 0,
    }
}

/// The regular and back-pay payouts of the period.
fn pensions<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Payout>> {
    let payouts = seen.payouts.iter().copied();
    payouts
        .filter(|payout| {
            payout.body.period == key.month()
                && matches!(payout.body.nature.as_str(), "regular" | "back_pay")
        })
        .collect()
}

fn payout_date(key: &Key, policy: &Policy) -> Option<Date> {
    let entry = policy.benefit.entry(key.month())?;
    Some(policy.calendar.payout_date(key.month(), entry.payout_day))
}

impl Detector for MissedPayout {
    fn name(&self) -> &'static str {
        "missed-payout"
    }

    /// Of every person on the roster, the months from the first record on.
    fn keys(&self, facts: &View<'_>, policy: &Policy, as_of: Date) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for beneficiary in &facts.beneficiaries {
            let mut period = Period::of(beneficiary.date);
            while period <= Period::of(as_of).next() {
                if policy.benefit.entry(period).is_some() {
                    keys.insert(Key::of_period(&beneficiary.body.person, period));
                }
                period = period.next();
            }
        }
        keys
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        facts.of_person(&key.subject)
    }

    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen> {
        let entry = policy.benefit.entry(key.month())?;
        let payout_date = payout_date(key, policy)?;
        let first_day = key.month().first_day();
        let late = day > plus_days(payout_date, entry.grace_days.into());
        let receiving = |on: Date| {
            in_force(&seen.beneficiaries, on).is_some_and(|fact| fact.body.status == "receiving")
        };
        let dead = seen
            .uncancelled_deaths()
            .any(|death| death.body.died_on < first_day);
        let paid = pensions(key, seen)
            .into_iter()
            .any(|payout| seen.net_payout(payout) > 0);
        let holds = late && receiving(first_day) && receiving(payout_date) && !dead && !paid;
        holds.then(|| amount(key, seen, payout_date))
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, policy: &Policy) -> Vec<Source> {
        let mut sources = Vec::new();
        let Some(payout_date) = payout_date(key, policy) else {
            return sources;
        };
        sources.extend(in_force(&seen.beneficiaries, key.month().first_day()).map(Source::of));
        sources.extend(in_force(&seen.beneficiaries, payout_date).map(Source::of));
        for payout in pensions(key, seen) {
            sources.push(Source::of(payout));
            sources.extend(seen.reversals_of_payout(payout).map(Source::of));
        }
        match origin(key, seen, payout_date) {
            Origin::Roster(beneficiary) => sources.push(Source::of(beneficiary)),
            Origin::Payout(payout) => sources.push(Source::of(payout)),
            Origin::Nothing => {}
        }
        sources
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.benefit.name("benefit", key.month())
    }
}
