//! `late-remittance` 延迟上划.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Fact, Transfer, View};
use crate::reference::money::Fen;
use crate::reference::period::{Period, plus_days};
use crate::reference::policy::Policy;

/// The row.
pub struct LateRemittance;

fn remitted<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Transfer>> {
    let transfers = seen.transfers.iter().copied();
    transfers
        .filter(|transfer| {
            transfer.body.kind == "remit_up"
                && transfer.region == key.subject
                && transfer.body.period == Some(key.month())
        })
        .collect()
}

/// The region's payments dated in the month − its payment reversals dated in it, each in full.
fn collected(key: &Key, seen: &View<'_>) -> Fen {
    let counts =
        |region: &str, date: Date| region == key.subject && Period::of(date) == key.month();
    let payments = seen
        .payments
        .iter()
        .filter(|fact| counts(&fact.region, fact.date));
    let reversals = seen
        .payment_reversals
        .iter()
        .filter(|fact| counts(&fact.region, fact.date));
    payments.map(|fact| fact.body.amount).sum::<Fen>()
        - reversals.map(|fact| fact.body.amount).sum::<Fen>()
}

impl Detector for LateRemittance {
    fn name(&self) -> &'static str {
        "late-remittance"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        let payments = facts.payments.iter();
        payments
            .map(|payment| Key {
                region: Some(payment.region.clone()),
                ..Key::of_period(&payment.region, Period::of(payment.date))
            })
            .collect()
    }

    fn about<'a>(&self, _key: &Key, facts: &View<'a>) -> View<'a> {
        View {
            payments: facts.payments.clone(),
            payment_reversals: facts.payment_reversals.clone(),
            transfers: facts.transfers.clone(),
            ..View::default()
        }
    }

    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen> {
        let entry = policy.remittance.entry(key.month())?;
        let due_date = policy.calendar.due_date(key.month(), entry.remit_day);
        let late = day > plus_days(due_date, entry.grace_days.into());
        let remitted: Fen = remitted(key, seen)
            .iter()
            .map(|transfer| transfer.body.amount)
            .sum();
        let amount = collected(key, seen) - remitted;
        let holds =
            policy.remits(&key.subject) && late && amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        remitted(key, seen).into_iter().map(Source::of).collect()
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.remittance.name("remittance", key.month())
    }
}
