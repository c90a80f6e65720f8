//! `arrears` 欠费.

use std::collections::BTreeSet;

use bigdecimal::{BigDecimal, Zero};
use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Declaration, Fact, Payment, View, latest};
use crate::reference::money::{Fen, round, show, yuan};
use crate::reference::period::{days, plus_days};
use crate::reference::policy::Policy;

/// The row.
pub struct Arrears;

fn latest_declaration<'a>(key: &Key, seen: &View<'a>) -> Option<&'a Fact<Declaration>> {
    let declarations = seen.declarations.iter().copied();
    latest(declarations.filter(|declaration| declaration.body.period == key.month()))
}

fn payments<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Payment>> {
    let payments = seen.payments.iter().copied();
    payments
        .filter(|payment| payment.body.period == key.month())
        .collect()
}

/// round(base of the latest declaration × both rates) − the key's net payments, whatever its sign.
fn owed(key: &Key, seen: &View<'_>, policy: &Policy) -> Option<Fen> {
    let entry = policy.contribution.entry(key.month())?;
    let declaration = latest_declaration(key, seen)?;
    let due = round(&(yuan(declaration.body.base) * &entry.both_rates));
    let paid: Fen = payments(key, seen)
        .into_iter()
        .map(|payment| seen.net_payment(payment))
        .sum();
    Some(due - paid)
}

/// Round of the sum over every day after the due date up to as-of of max(amount, 0) × that day's `daily`.
fn surcharge(key: &Key, facts: &View<'_>, as_of: Date, policy: &Policy) -> Option<Fen> {
    let entry = policy.contribution.entry(key.month())?;
    let due_date = policy.calendar.due_date(key.month(), entry.due_day);
    let mut sum = BigDecimal::zero();
    for day in days(plus_days(due_date, 1), as_of) {
        let owed = owed(key, &facts.up_to(day), policy).unwrap_or(0);
        if let Some(daily) = policy.surcharge.entry(day) {
            sum += yuan(owed.max(0)) * daily;
        }
    }
    Some(round(&sum))
}

impl Detector for Arrears {
    fn name(&self) -> &'static str {
        "arrears"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        let declarations = facts.declarations.iter();
        declarations
            .map(|declaration| {
                Key::of_period(&declaration.body.enterprise, declaration.body.period)
            })
            .collect()
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        facts.of_enterprise(&key.subject)
    }

    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen> {
        let entry = policy.contribution.entry(key.month())?;
        let due_date = policy.calendar.due_date(key.month(), entry.due_day);
        let amount = owed(key, seen, policy)?;
        let late = day > plus_days(due_date, entry.grace_days.into());
        let holds = late && amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        let mut sources: Vec<Source> = latest_declaration(key, seen)
            .map(Source::of)
            .into_iter()
            .collect();
        for payment in payments(key, seen) {
            sources.push(Source::of(payment));
            sources.extend(seen.reversals_of_payment(payment).map(Source::of));
        }
        sources
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.contribution.name("contribution", key.month())
    }

    fn details(
        &self,
        key: &Key,
        seen: &View<'_>,
        as_of: Date,
        policy: &Policy,
    ) -> Map<String, Value> {
        let surcharge = surcharge(key, seen, as_of, policy);
        surcharge
            .map(|fen| ("surcharge".to_owned(), Value::from(show(fen))))
            .into_iter()
            .collect()
    }
}
