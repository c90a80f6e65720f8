//! The scenario of 2005 to 2007, read back and added up, against the published tables.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its feed has failed"
)]

mod judge;

use std::collections::BTreeMap;

use domain::Money;
use judge::{Fact, facts, judged};
use simulate::{Options, Scenario};
use std::sync::LazyLock;

fn options(seed: u64) -> Options {
    Options {
        seed,
        scenario: Scenario::Huangshan2005To2007,
        ..Options::default()
    }
}

/// The facts of one seed, read once.
static FACTS: LazyLock<Vec<Fact>> = LazyLock::new(|| facts(&options(1)).0);

/// 10,000 yuan each.
fn wan(amount: i64) -> Money {
    Money::from_yuan(amount * 10_000)
}

/// The sum of the facts that are wanted, by year of their dates.
fn by_year(facts: &[Fact], is_wanted: impl Fn(&Fact) -> bool) -> [Money; 3] {
    let of_year = |year: u32| {
        facts
            .iter()
            .filter(|fact| fact.date.ymd().0 == year && is_wanted(fact))
            .map(|fact| fact.amount())
            .sum()
    };
    [of_year(2005), of_year(2006), of_year(2007)]
}

fn is_transfer(fact: &Fact, kind: &str) -> bool {
    fact.kind == "transfer" && fact.text("kind") == kind
}

#[test]
fn table_2_to_the_fen() {
    let (other, _) = facts(&options(7));
    for facts in [&*FACTS, &other] {
        let remitted = by_year(facts, |fact| is_transfer(fact, "remit_up"));
        let subsidies = by_year(facts, |fact| {
            is_transfer(fact, "central_subsidy") || is_transfer(fact, "provincial_subsidy")
        });
        let allocated = by_year(facts, |fact| is_transfer(fact, "allocate_down"));
        assert_eq!(remitted, [wan(3_574), wan(12_725), wan(17_749)]);
        assert_eq!(subsidies, [wan(2_338), wan(6_773), wan(6_930)]);
        assert_eq!(allocated, [wan(2_630), wan(17_000), wan(21_603)]);
        let retained = |year: usize| remitted[year] + subsidies[year] - allocated[year];
        assert_eq!(
            [retained(0), retained(1), retained(2)],
            [wan(3_282), wan(2_498), wan(3_076)]
        );
        let released = by_year(facts, |fact| is_transfer(fact, "treasury_release"));
        assert_eq!(released, subsidies);
    }
}

#[test]
fn table_3_to_the_fen() {
    let facts = &FACTS;
    for (region, of_2006, of_2007) in [
        ("341000", 0, 0),
        ("341002", 417, 650),
        ("341004", 0, 94),
        ("341003", 342, 377),
        ("341021", 578, 0),
        ("341022", 0, 66),
        ("341023", 0, 0),
        ("341024", 0, 122),
    ] {
        let advanced = by_year(facts, |fact| {
            fact.region == region
                && is_transfer(fact, "allocate_down")
                && fact.id.starts_with("ADJ-")
        });
        assert_eq!(
            advanced,
            [Money::ZERO, wan(of_2006), wan(of_2007)],
            "{region}"
        );
    }
    // Each is there before the year's first subsidy.
    for year in [2006, 2007] {
        let of_year = |fact: &&Fact| fact.date.ymd().0 == year;
        let first_subsidy = facts
            .iter()
            .filter(of_year)
            .filter(|fact| is_transfer(fact, "central_subsidy"))
            .map(|fact| fact.date)
            .min();
        assert!(
            facts
                .iter()
                .filter(of_year)
                .filter(|fact| fact.id.starts_with("ADJ-"))
                .all(|fact| Some(fact.date) < first_subsidy)
        );
    }
}

#[test]
fn contributions_and_payouts_that_are_published() {
    let facts = &FACTS;
    let collected = by_year(facts, |fact| fact.kind == "payment");
    assert_eq!(collected[1] + collected[2], wan(42_615));
    let tunxi = by_year(facts, |fact| {
        fact.kind == "payout" && fact.region == "341002"
    });
    assert_eq!(tunxi[2], wan(4_914));
}

#[test]
fn remitting_begins_in_september_2005_and_takes_all_that_counties_collect() {
    let facts = &FACTS;
    let mut balance: BTreeMap<(String, String), Money> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.region != "341000") {
        let month = fact.date.to_string()[..7].to_owned();
        if fact.kind == "payment" {
            *balance.entry((fact.region.clone(), month)).or_default() += fact.amount();
        } else if is_transfer(fact, "remit_up") {
            let period = fact.period().unwrap().to_string();
            *balance.entry((fact.region.clone(), period)).or_default() -= fact.amount();
        }
    }
    assert_eq!(balance.len(), 7 * 28);
    assert_eq!(
        balance.keys().map(|(_, month)| month.as_str()).min(),
        Some("2005-09")
    );
    assert!(balance.values().all(|rest| *rest == Money::ZERO));
}

#[test]
fn nothing_is_wrong_in_it() {
    let (alerts, truth) = judged(&options(1));
    assert_eq!(alerts, BTreeMap::new());
    assert!(truth.planted.is_empty());
    assert_eq!(truth.as_of.ymd().0, 2007);
}
