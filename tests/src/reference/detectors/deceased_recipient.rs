//! `deceased-recipient` 死亡冒领.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use crate::reference::alert::{Detector, Key, Source};
use crate::reference::facts::{View, latest};
use crate::reference::money::Fen;
use crate::reference::period::Period;
use crate::reference::policy::Policy;

/// The row.
pub struct DeceasedRecipient;

/// A name as it compares: NFKC, without white space; an empty one is none.
fn comparable(name: Option<&String>) -> Option<String> {
    let name: String = name?
        .nfkc()
        .filter(|character| !character.is_whitespace())
        .collect();
    if name.is_empty() { None } else { Some(name) }
}

/// The grade of the match: `A`, `B` or `C`.
fn grade(seen: &View<'_>) -> &'static str {
    let named = seen
        .beneficiaries
        .iter()
        .copied()
        .filter(|fact| comparable(fact.body.name.as_ref()).is_some());
    let Some(beneficiary) = latest(named) else {
        return "C";
    };
    let name = comparable(beneficiary.body.name.as_ref());
    let sources: BTreeSet<&str> = seen
        .uncancelled_deaths()
        .filter(|death| comparable(death.body.name.as_ref()) == name)
        .map(|death| death.body.source.as_str())
        .collect();
    match sources.len() {
        0 => "C",
        1 => "B",
        _ => "A",
    }
}

impl Detector for DeceasedRecipient {
    fn name(&self) -> &'static str {
        "deceased-recipient"
    }

    fn keys(&self, facts: &View<'_>, _policy: &Policy, _as_of: Date) -> BTreeSet<Key> {
        facts
            .deaths
            .iter()
            .map(|death| Key::of_subject(&death.body.person))
            .collect()
    }

    fn about<'a>(&self, key: &Key, facts: &View<'a>) -> View<'a> {
        facts.of_person(&key.subject)
    }

    fn holds(&self, _key: &Key, seen: &View<'_>, _day: Date, policy: &Policy) -> Option<Fen> {
        let died_on = seen
            .uncancelled_deaths()
            .map(|death| death.body.died_on)
            .min()?;
        let mut amount = 0;
        for payout in &seen.payouts {
            let after = payout.body.period > Period::of(died_on);
            let Some(entry) = policy.benefit.entry(payout.body.period) else {
                continue;
            };
            if after && !entry.survivor_items.contains(&payout.body.item) {
                amount += seen.net_payout(payout);
            }
        }
        let holds = amount > policy.detector(self.name()).tolerance;
        holds.then_some(amount)
    }

    /// "The person's deaths and cancellations, the payouts after the earliest month of death of the uncancelled deaths
    /// or, if there is none, of all, and their reversals." Payouts of periods without an entry are left out.
    fn evidence(&self, _key: &Key, seen: &View<'_>, policy: &Policy) -> Vec<Source> {
        let mut sources: Vec<Source> = seen.deaths.iter().map(|death| Source::of(death)).collect();
        sources.extend(
            seen.cancellations
                .iter()
                .map(|cancellation| Source::of(cancellation)),
        );
        let uncancelled = seen
            .uncancelled_deaths()
            .map(|death| death.body.died_on)
            .min();
        let of_all = seen.deaths.iter().map(|death| death.body.died_on).min();
        let Some(died_on) = uncancelled.or(of_all) else {
            return sources;
        };
        for payout in &seen.payouts {
            let has_entry = policy.benefit.entry(payout.body.period).is_some();
            if has_entry && payout.body.period > Period::of(died_on) {
                sources.push(Source::of(payout));
                sources.extend(seen.reversals_of_payout(payout).map(Source::of));
            }
        }
        sources
    }

    fn policy_entry(&self, _key: &Key, _seen: &View<'_>, _policy: &Policy) -> Option<String> {
        None
    }

    fn details(
        &self,
        _key: &Key,
        seen: &View<'_>,
        _as_of: Date,
        _policy: &Policy,
    ) -> Map<String, Value> {
        Map::from_iter([("match".to_owned(), Value::from(grade(seen)))])
    }

    /// "Under `C`, `red` and `orange` become `yellow`."
    fn severity(&self, by_amount: &'static str, details: &Map<String, Value>) -> &'static str {
        let weak = details.get("match").is_some_and(|grade| grade == "C");
        match by_amount {
            "red" | "orange" if weak => "yellow",
            other => other,
        }
    }
}
