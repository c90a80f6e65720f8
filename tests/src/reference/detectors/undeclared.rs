//! `undeclared` 未申报.

use std::collections::BTreeSet;

use bigdecimal::BigDecimal;
use jiff::civil::Date;

use super::under_declared_base::expected;
use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{
    Declaration, EnterpriseStatus, Fact, Payroll, View, in_force, latest,
};
use crate::reference::money::{Fen, round, yuan};
use crate::reference::period::{Period, plus_days};
use crate::reference::policy::Policy;

/// The row.
pub struct Undeclared;

/// The record that the amount comes from.
enum Origin<'a> {
    Declaration(&'a Fact<Declaration>),
    Payroll(&'a Fact<Payroll>),
    Nothing,
}

/// "The latest declaration of the latest earlier period that has one and a policy entry; if there is none, the latest
/// payroll of the key."
fn origin<'a>(key: &Key, seen: &View<'a>, policy: &Policy) -> Origin<'a> {
    let declared = seen
        .declarations
        .iter()
        .map(|declaration| declaration.body.period);
    let earlier = declared
        .filter(|period| *period < key.month() && policy.contribution.entry(*period).is_some());
    if let Some(period) = earlier.max() {
        let declarations = seen.declarations.iter().copied();
        if let Some(declaration) =
            latest(declarations.filter(|declaration| declaration.body.period == period))
        {
            return Origin::Declaration(declaration);
        }
    }
    let payrolls = seen.payrolls.iter().copied();
    match latest(payrolls.filter(|payroll| payroll.body.period == key.month())) {
        Some(payroll) => Origin::Payroll(payroll),
        None => Origin::Nothing,
    }
}

fn amount(key: &Key, seen: &View<'_>, policy: &Policy) -> Option<Fen> {
    Some(match origin(key, seen, policy) {
        Origin::Declaration(declaration) => {
            let rates = &policy
                .contribution
                .entry(declaration.body.period)?
                .both_rates;
            let due = round(&(yuan(declaration.body.base) * rates));
            round(&(BigDecimal::new(110.into(), 2) * yuan(due)))
        }
        Origin::Payroll(payroll) => {
            let entry = policy.contribution.entry(key.month())?;
            round(&(expected(&payroll.body, entry) * &entry.both_rates))
        }
        Origin::Nothing => 0,
    })
}

fn declarations<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Declaration>> {
    let declarations = seen.declarations.iter().copied();
    declarations
        .filter(|declaration| declaration.body.period == key.month())
        .collect()
}

fn status_on_last_day<'a>(key: &Key, seen: &View<'a>) -> Option<&'a Fact<EnterpriseStatus>> {
    in_force(&seen.statuses, key.month().last_day())
}

impl Detector for Undeclared {
    fn name(&self) -> &'static str {
        "undeclared"
    }

    /// Of every enterprise with a status, the months from the first one on.
    fn keys(&self, facts: &View<'_>, policy: &Policy, as_of: Date) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for status in &facts.statuses {
            let mut period = Period::of(status.date);
            while period <= Period::of(as_of) {
                if policy.contribution.entry(period).is_some() {
                    keys.insert(Key::of_period(&status.body.enterprise, period));
                }
                period = period.next();
            }
        }
        keys
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        facts.of_enterprise(&key.subject)
    }

    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen> {
        let entry = policy.contribution.entry(key.month())?;
        let due_date = policy.calendar.due_date(key.month(), entry.due_day);
        let late = day > plus_days(due_date, entry.grace_days.into());
        let declared = !declarations(key, seen).is_empty();
        let active = status_on_last_day(key, seen).is_some_and(|fact| fact.body.status == "active");
        if late && !declared && active {
            amount(key, seen, policy)
        } else {
            None
        }
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, policy: &Policy) -> Vec<Source> {
        let mut sources: Vec<Source> = status_on_last_day(key, seen)
            .map(Source::of)
            .into_iter()
            .collect();
        sources.extend(declarations(key, seen).into_iter().map(Source::of));
        match origin(key, seen, policy) {
            Origin::Declaration(declaration) => sources.push(Source::of(declaration)),
            Origin::Payroll(payroll) => sources.push(Source::of(payroll)),
            Origin::Nothing => {}
        }
        sources
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.contribution.name("contribution", key.month())
    }
}
