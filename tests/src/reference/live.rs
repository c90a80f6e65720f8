//! Contract section 6: what stands while the program runs, when each topic and region is complete up to a date of its own.
//!
//! Slow and obvious like the rest: a detector of absence is asked once for every date that some region is complete up to,
//! and of what it says only that of the regions with this date is kept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::alert::{self, Alert};
use super::detectors;
use super::facts::{Body, Fact, Facts, Topic, View};
use super::policy::Policy;

/// The day closes that were accepted.
#[derive(Clone, Debug, Default)]
pub struct Closes {
    /// By topic, region and id: the first says what counts.
    first: BTreeMap<(Topic, String, String), Fact<Body>>,
}

impl Closes {
    /// Takes a record that was decoded, in the order in which they came; what is no close is left aside.
    pub fn take(&mut self, topic: Topic, fact: &Fact<Body>) {
        if matches!(fact.body, Body::DayClose { .. }) {
            let name = (topic, fact.region.clone(), fact.id.clone());
            self.first.entry(name).or_insert_with(|| fact.clone());
        }
    }

    /// The greatest date closed so far: the present, with `clock = "feeds"`.
    #[must_use]
    pub fn present(&self) -> Option<Date> {
        self.first.values().map(|close| close.date).max()
    }

    /// Up to when all of the topics are complete in a region.
    fn complete(&self, topics: &[Topic], region: &str) -> Option<Date> {
        let last = |topic: Topic| {
            let of_feed = self
                .first
                .iter()
                .filter(|((of, place, _), _)| *of == topic && place == region);
            of_feed.map(|(_, close)| close.date).max()
        };
        topics.iter().map(|topic| last(*topic)).min().flatten()
    }
}

/// The alerts of the nine detectors, in the order of `alerts.jsonl`.
#[must_use]
pub fn alerts(facts: &Facts, closes: &Closes, policy: &Policy) -> Vec<Value> {
    let Some(present) = closes.present() else {
        return Vec::new();
    };
    let view = View::all(facts);
    let mut alerts = Vec::new();
    for detector in detectors::all() {
        if !policy.detector(detector.name()).enabled {
            continue;
        }
        let Some(topics) = waits_for(detector.name()) else {
            alerts.extend(alert::alerts_of(detector.as_ref(), &view, policy, present));
            continue;
        };
        let as_of = |region: &str| closes.complete(topics, region);
        let dates: BTreeSet<Date> = policy
            .regions
            .keys()
            .filter_map(|region| as_of(region))
            .collect();
        for date in dates {
            let found = alert::alerts_of(detector.as_ref(), &view, policy, date);
            let theirs = found.into_iter().filter(|alert| {
                region(alert, &view.up_to(present))
                    .is_some_and(|region| as_of(&region) == Some(date))
            });
            alerts.extend(theirs);
        }
    }
    alerts.sort_by_key(Alert::sort_key);
    alerts.iter().map(Alert::to_json).collect()
}

/// The topics that a detector of absence reads; `None` if it is none, and goes by the present.
fn waits_for(detector: &str) -> Option<&'static [Topic]> {
    Some(match detector {
        "arrears" | "undeclared" => &[Topic::TaxCollection],
        "late-remittance" => &[Topic::TaxCollection, Topic::TreasuryTransfer],
        "stalled-subsidy" => &[Topic::TreasuryTransfer],
        "missed-payout" => &[Topic::AgencyPayout, Topic::AgencyRoster, Topic::CivilDeath],
        _ => return None,
    })
}

/// "The key's region (of an enterprise, that of its latest fact; of a person, that of its latest roster record)."
fn region(alert: &Alert, seen: &View<'_>) -> Option<String> {
    fn places<'a, B>(list: &[&'a Fact<B>]) -> Vec<(Date, &'a str, &'a str)> {
        list.iter()
            .map(|fact| (fact.date, fact.id.as_str(), fact.region.as_str()))
            .collect()
    }
    let places = match alert.detector {
        "arrears" | "undeclared" => {
            let own = seen.of_enterprise(&alert.subject);
            let mut all = places(&own.statuses);
            all.extend(places(&own.declarations));
            all.extend(places(&own.payrolls));
            all.extend(places(&own.payments));
            all.extend(places(&own.payment_reversals));
            all
        }
        "missed-payout" => places(&seen.of_person(&alert.subject).beneficiaries),
        _ => return Some(alert.region.clone()),
    };
    places
        .into_iter()
        .max()
        .map(|(.., region)| region.to_owned())
}
