//! `stalled-subsidy` 补助滞留.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{Fact, Transfer, View};
use crate::reference::money::Fen;
use crate::reference::period::Period;
use crate::reference::policy::Policy;

/// The row.
pub struct StalledSubsidy;

fn is_subsidy(transfer: &Transfer) -> bool {
    matches!(
        transfer.kind.as_str(),
        "central_subsidy" | "provincial_subsidy"
    )
}

fn subsidy<'a>(key: &Key, seen: &View<'a>) -> Option<&'a Fact<Transfer>> {
    seen.transfers
        .iter()
        .copied()
        .find(|transfer| is_subsidy(&transfer.body) && transfer.id == key.subject)
}

fn releases<'a>(key: &Key, seen: &View<'a>) -> Vec<&'a Fact<Transfer>> {
    let transfers = seen.transfers.iter().copied();
    transfers
        .filter(|transfer| {
            transfer.body.kind == "treasury_release"
                && transfer.body.source.as_ref() == Some(&key.subject)
        })
        .collect()
}

impl Detector for StalledSubsidy {
    fn name(&self) -> &'static str {
        "stalled-subsidy"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        let subsidies = facts
            .transfers
            .iter()
            .filter(|transfer| is_subsidy(&transfer.body));
        subsidies
            .map(|subsidy| Key {
                region: Some(subsidy.region.clone()),
                ..Key::of_subject(&subsidy.id)
            })
            .collect()
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        View {
            transfers: subsidy(key, facts)
                .into_iter()
                .chain(releases(key, facts))
                .collect(),
            ..View::default()
        }
    }

    fn holds(&self, key: &Key, seen: &View<'_>, day: Date, policy: &Policy) -> Option<Fen> {
        let subsidy = subsidy(key, seen)?;
        let entry = policy.remittance.entry(Period::of(subsidy.date))?;
        let last_good_day = policy
            .calendar
            .business_days_after(subsidy.date, entry.release_business_days);
        let released: Fen = releases(key, seen)
            .iter()
            .map(|release| release.body.amount)
            .sum();
        let amount = subsidy.body.amount - released;
        let holds = day > last_good_day && amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    fn evidence(&self, key: &Key, seen: &View<'_>, _policy: &Policy) -> Vec<Source> {
        subsidy(key, seen)
            .into_iter()
            .chain(releases(key, seen))
            .map(Source::of)
            .collect()
    }

    /// That of the month of the subsidy's date.
    fn policy_entry(&self, key: &Key, seen: &View<'_>, policy: &Policy) -> Option<String> {
        policy
            .remittance
            .name("remittance", Period::of(subsidy(key, seen)?.date))
    }
}
