//! The truth, judged: an obvious reading of the contract finds what was planted, in every particular,
//! and nothing else.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its feed has failed"
)]

mod judge;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Detector, Period, Topic};
use judge::{Alert, Fact, Key, facts, judged};
use simulate::{Expected, Irregularities, Options, Truth};

fn town(seed: u64, from: &str, months: u16, irregularities: Irregularities) -> Options {
    Options {
        seed,
        from: Period::parse(from.as_bytes()).unwrap(),
        months,
        retirees: 1_500,
        enterprises: 240,
        contributors: 5_000,
        irregularities,
        ..Options::default()
    }
}

/// What the truth says of alerts of facts, in the judge's words.
fn told(truth: &Truth) -> BTreeMap<Key, Alert> {
    truth
        .planted
        .iter()
        .filter(|planted| planted.expected != Expected::None)
        .map(|planted| {
            assert_eq!(
                planted.expected == Expected::Cleared,
                planted.cleared_on.is_some()
            );
            let key = (
                planted.detector.unwrap(),
                planted.subject.clone(),
                planted.period,
                planted.item.clone(),
            );
            let alert = Alert {
                opened_on: planted.opened_on.unwrap(),
                cleared_on: planted.cleared_on,
                peak: planted.amount,
            };
            (key, alert)
        })
        .collect()
}

#[test]
fn a_city_without_irregularities_raises_no_alert() {
    for (seed, from, months) in [(1, "2024-01", 12), (2, "2023-05", 7), (3, "2024-09", 1)] {
        let (alerts, truth) = judged(&town(seed, from, months, Irregularities::NONE));
        assert_eq!(alerts, BTreeMap::new(), "seed {seed}");
        assert!(truth.planted.is_empty());
    }
}

#[test]
fn what_is_planted_is_found_and_nothing_else() {
    for (seed, from, months) in [(1, "2024-01", 12), (2, "2023-05", 7), (3, "2024-09", 3)] {
        let many = Irregularities::usual_times(150);
        let (alerts, truth) = judged(&town(seed, from, months, many));
        let told = told(&truth);
        assert!(told.len() > 30, "seed {seed}: {}", told.len());
        for (key, alert) in &told {
            assert_eq!(alerts.get(key), Some(alert), "seed {seed}: {key:?}");
        }
        for (key, alert) in &alerts {
            assert!(told.contains_key(key), "seed {seed}: {key:?} {alert:?}");
        }
    }
}

#[test]
fn the_smallest_and_shortest_cities_have_their_truth_too() {
    for (months, retirees, enterprises) in [(1, 1, 1), (1, 300, 40), (2, 300, 40), (3, 20, 5)] {
        let options = Options {
            retirees,
            enterprises,
            ..town(4, "2024-02", months, Irregularities::USUAL)
        };
        let (alerts, truth) = judged(&options);
        assert_eq!(alerts, told(&truth), "{months} months");
    }
}

#[test]
fn a_person_paid_twice_is_the_affair_of_who_paid_last() {
    let (facts, truth) = facts(&town(1, "2024-01", 12, Irregularities::usual_times(300)));
    let mut across = 0;
    let duplicates =
        |planted: &&simulate::Planted| planted.detector == Some(Detector::DuplicatePayout);
    for planted in truth.planted.iter().filter(duplicates) {
        let is_evidence = |fact: &&Fact| {
            fact.person() == planted.subject
                && fact.period() == planted.period
                && (fact.text("nature") == "regular" || fact.kind == "payout_reversal")
                && fact.text("item") == planted.item.as_deref().unwrap()
        };
        let evidence: Vec<&Fact> = facts.iter().filter(is_evidence).collect();
        let last = evidence
            .iter()
            .max_by_key(|fact| (fact.date, fact.id.clone()));
        assert_eq!(last.unwrap().region, planted.region.as_str());
        across += usize::from(
            evidence
                .iter()
                .any(|fact| fact.region != evidence[0].region),
        );
    }
    assert!(across > 0);
}

#[test]
fn every_kind_is_planted() {
    let (_, truth) = facts(&town(1, "2024-01", 12, Irregularities::USUAL));
    let detectors: BTreeSet<Detector> = truth.planted.iter().filter_map(|p| p.detector).collect();
    // An indicator is out of bounds for what else is planted.
    let mut all = BTreeSet::from(Detector::ALL);
    all.remove(&Detector::IndicatorBreach);
    assert_eq!(detectors, all);
    let kinds: BTreeSet<&str> = truth.planted.iter().map(|p| p.kind).collect();
    for kind in [
        "under-declared-mild",
        "under-declared-gross",
        "under-declared-corrected",
        "under-declared-floor",
        "arrears-never",
        "arrears-partial",
        "arrears-late",
        "arrears-reversed",
        "arrears-repaid",
        "undeclared-month",
        "undeclared-late",
        "undeclared-vanished",
        "duplicate-same-region",
        "duplicate-across-regions",
        "duplicate-reversed",
        "duplicate-short-number",
        "deceased-a",
        "deceased-b",
        "deceased-c",
        "deceased-c-name",
        "deceased-reported-late",
        "deceased-stopped",
        "deceased-recovered",
        "deceased-cancelled",
        "missed-late",
        "missed-never",
        "missed-reversed",
        "late-remittance",
        "late-remittance-partial",
        "late-remittance-never",
        "unauthorised-batch",
        "unauthorised-single",
        "unauthorised-reversed",
        "unauthorised-months",
        "stalled-never",
        "stalled-partial",
        "stalled-late",
        "stalled-rest-late",
        "late-fact",
        "incomplete-feed",
        "silent-feed",
        "conflicting-id",
        "bad-record",
    ] {
        assert!(kinds.contains(kind), "{kind}");
    }
    let reasons: BTreeSet<&str> = truth.rejected.keys().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons.len(), 15, "{reasons:?}");
    assert!(
        truth
            .rejected
            .keys()
            .any(|(topic, _)| *topic == Topic::CivilDeath)
    );
}
