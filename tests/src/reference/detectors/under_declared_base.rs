//! `under-declared-base` 少报缴费基数.

use std::collections::BTreeSet;

use bigdecimal::BigDecimal;
use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Declaration, Fact, Payroll, View, latest};
use crate::reference::money::{Fen, round, yuan};
use crate::reference::policy::{Contribution, Policy};

/// The row.
pub struct UnderDeclaredBase;

/// min(max(wages, floor × n), ceiling × n), in yuan, not rounded.
#[must_use]
pub fn expected(payroll: &Payroll, entry: &Contribution) -> BigDecimal {
    let n = BigDecimal::from(payroll.headcount);
    let wages = yuan(payroll.wages);
    wages.max(&entry.floor * &n).min(&entry.ceiling * &n)
}

fn latest_two<'a>(
    key: &Key,
    seen: &View<'a>,
) -> (Option<&'a Fact<Declaration>>, Option<&'a Fact<Payroll>>) {
    let declarations = seen.declarations.iter().copied();
    let payrolls = seen.payrolls.iter().copied();
    (
        latest(declarations.filter(|declaration| declaration.body.period == key.month())),
        latest(payrolls.filter(|payroll| payroll.body.period == key.month())),
    )
}

impl Detector for UnderDeclaredBase {
    fn name(&self) -> &'static str {
        "under-declared-base"
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

    fn holds(&self, key: &Key, seen: &View<'_>, _day: Date, policy: &Policy) -> Option<Fen> {
        let settings = policy.detector(self.name());
        let entry = policy.contribution.entry(key.month())?;
        let (Some(declaration), Some(payroll)) = latest_two(key, seen) else {
            return None;
        };
        let expected = expected(&payroll.body, entry);
        let short = &expected - yuan(declaration.body.base);
        let amount = round(&(&short * &entry.both_rates));
        let holds = short > &settings.tolerance_ratio * &expected && amount > settings.tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        let (declaration, payroll) = latest_two(key, seen);
        declaration
            .map(Source::of)
            .into_iter()
            .chain(payroll.map(Source::of))
            .collect()
    }

    fn policy_entry(&self, key: &Key, _seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy.contribution.name("contribution", key.month())
    }
}
