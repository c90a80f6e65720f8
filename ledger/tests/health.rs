//! The indicators on numbers worked out by hand, their breaches month by month, and input that is bad: feeds that are
//! silent, divisions by nothing, flows that do not close.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own lines has failed"
)]

use std::sync::Arc;

use domain::{BusinessDate, Indicator, Money, Nature, Period, RegionId, Topic};
use ledger::{
    BreachWatch, By, Column, Entry, Flow, Grade, Identity, ItemClass, Ledger, Posting, Step, Sum,
    Unit, Value,
};
use proptest::prelude::*;
use rules::Policy;

const POLICY: &str = r#"
[pool]
code = "341000"
name = "黄山市"
time_zone = "Asia/Shanghai"
regions = [
  { code = "341000", name = "市本级", remits = false },
  { code = "341002", name = "屯溪区" },
  { code = "341021", name = "歙县" },
]

[[contribution]]
from = "2005-01"
employer_rate = "0.20"
employee_rate = "0.08"
reference_wage = "1000.00"
floor_ratio = "0.60"
ceiling_ratio = "3.00"
due_day = 15
grace_days = 0

[[surcharge]]
from = "1999-01-22"
daily = "0.002"

[[benefit]]
from = "2005-01"
items = ["basic_pension"]
survivor_items = ["funeral_grant"]
payout_day = 20
grace_days = 3

[[remittance]]
from = "2005-01"
remit_day = 10
grace_days = 0
release_business_days = 10

[[health]]
from = "2005-01"
reserve-months = { yellow = "6", orange = "3", red = "1" }
collection-rate = { yellow = "0.95", red = "0.90" }
base-consolidation = { yellow = "0.90", red = "0.70" }
liquidity-days = { yellow = "62", red = "31" }
gap-ratio = { yellow = "0.50" }
payout-timeliness = { red = "1" }
remittance-timeliness-amount = { yellow = "0.98", red = "0.95" }
control-total-difference = { yellow = "0.001" }
"#;

const CITY: RegionId = RegionId(0);
const TUNXI: RegionId = RegionId(1);
const SHE: RegionId = RegionId(2);
const POOL: Unit = Unit::Pool;

fn day(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).unwrap()
}

fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).unwrap()
}

fn yuan(amount: i64) -> Money {
    Money::from_yuan(amount)
}

fn count(count: i64) -> Sum {
    Sum {
        count,
        amount: Money::ZERO,
    }
}

/// A ledger that is filled line by line.
struct Kit(Ledger);

impl Kit {
    fn empty() -> Kit {
        Kit(Ledger::new(Arc::new(
            Policy::parse("policy.toml", POLICY).unwrap(),
        )))
    }

    /// All feeds of all regions are closed up to a day.
    fn closed_up_to(last: &str) -> Kit {
        let mut kit = Kit::empty();
        for region in [CITY, TUNXI, SHE] {
            kit.close(region, last);
        }
        kit
    }

    fn close(&mut self, region: RegionId, last: &str) {
        for topic in Topic::ALL {
            self.post(region, Entry::Close(topic, day(last)), count(1));
        }
    }

    fn post(&mut self, region: RegionId, entry: Entry, change: Sum) {
        self.0.post([Posting {
            region,
            entry,
            change,
        }]);
    }

    fn flow(&mut self, region: RegionId, flow: Flow, on: &str, amount: i64) {
        self.post(
            region,
            Entry::Flow(flow, day(on)),
            Sum::one(1, yuan(amount)),
        );
    }

    fn remit(&mut self, region: RegionId, of: &str, on: &str, amount: i64) {
        self.flow(region, Flow::RemittedUp, on, amount);
        self.post(
            region,
            Entry::RemittedFor(month(of), day(on)),
            Sum::one(1, yuan(amount)),
        );
    }

    fn pay(&mut self, region: RegionId, on: &str, amount: i64) {
        self.flow(
            region,
            Flow::PaidOut(Nature::Regular, ItemClass::Listed),
            on,
            amount,
        );
    }

    fn due(&mut self, region: RegionId, of: &str, on: &str, heads: i64, amount: i64, paid: i64) {
        self.post(
            region,
            Entry::Due(month(of), day(on)),
            Sum {
                count: heads,
                amount: yuan(amount),
            },
        );
        self.post(
            region,
            Entry::PaidOfDue(month(of), day(on)),
            Sum {
                count: 0,
                amount: yuan(paid),
            },
        );
    }

    fn shown(&self, indicator: Indicator, unit: Unit, as_of: &str) -> String {
        let reading = self.0.reading(indicator, unit, day(as_of));
        let value = match reading.value {
            Value::Known(_) => reading.shown().unwrap(),
            Value::Unknown => "unknown".to_owned(),
            Value::NotApplicable => "n/a".to_owned(),
        };
        format!("{value} {}", reading.grade.as_str())
    }
}

#[test]
fn reserve_surplus_gap_and_dependence() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    // 2007: collected 600, subsidies 240, a region's own 60; paid out 1,200. Before: 2,100 collected.
    kit.flow(TUNXI, Flow::Collected, "2006-06-30", 2_100);
    kit.remit(TUNXI, "2006-06", "2006-06-30", 2_100);
    kit.flow(TUNXI, Flow::Collected, "2007-03-01", 400);
    kit.remit(TUNXI, "2007-03", "2007-03-30", 400);
    kit.flow(SHE, Flow::Collected, "2007-03-01", 200);
    kit.flow(TUNXI, Flow::CentralSubsidy, "2007-06-01", 240);
    kit.post(
        TUNXI,
        Entry::Subsidy("S1".to_owned(), day("2007-06-01")),
        Sum::one(1, yuan(240)),
    );
    kit.flow(SHE, Flow::CountySubsidy, "2007-06-01", 60);
    kit.flow(TUNXI, Flow::AllocatedDown, "2007-07-16", 700);
    kit.flow(SHE, Flow::AllocatedDown, "2007-07-16", 440);
    kit.pay(TUNXI, "2007-07-20", 700);
    kit.pay(SHE, "2007-07-20", 500);
    let shown = |indicator, unit| kit.shown(indicator, unit, "2007-12-31");
    // In the special account 2,500 - 1,140, in the treasury 240, in She 200: 1,800; over 100 a month 18.
    assert_eq!(shown(Indicator::ReserveMonths, POOL), "18.0 green");
    // She has 200, over the 500 of the 10 months since its first flow in March. Told, not graded: the reserve is the
    // pool's. Its part in the fund is 200 + 60 - 500.
    assert_eq!(
        shown(Indicator::ReserveMonths, Unit::Region(SHE)),
        "4.0 ungraded"
    );
    assert_eq!(
        kit.0.position(Unit::Region(SHE), day("2007-12-31")),
        -yuan(240)
    );
    assert_eq!(kit.0.position(POOL, day("2007-12-31")), yuan(1_800));
    // (900 - 1,200) / 900; (1,200 - 600) / 1,200; 300 / 1,200.
    assert_eq!(shown(Indicator::SurplusRatio, POOL), "-0.3333 ungraded");
    assert_eq!(shown(Indicator::GapRatio, POOL), "0.5000 green");
    assert_eq!(
        shown(Indicator::GapRatio, Unit::Region(SHE)),
        "0.6000 yellow"
    );
    assert_eq!(shown(Indicator::SubsidyDependence, POOL), "0.2500 ungraded");
    // The city level pays nothing out: there is nothing to divide by.
    assert_eq!(
        shown(Indicator::GapRatio, Unit::Region(CITY)),
        "n/a not_applicable"
    );
    assert_eq!(
        shown(Indicator::ReserveMonths, Unit::Region(CITY)),
        "n/a ungraded"
    );
}

#[test]
fn zero_is_a_value() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.flow(TUNXI, Flow::Collected, "2007-03-01", 100);
    kit.remit(TUNXI, "2007-03", "2007-03-30", 100);
    kit.flow(TUNXI, Flow::AllocatedDown, "2007-07-16", 100);
    kit.pay(TUNXI, "2007-07-20", 100);
    assert_eq!(
        kit.shown(Indicator::GapRatio, POOL, "2007-12-31"),
        "0.0000 green"
    );
    assert_eq!(
        kit.shown(Indicator::ReserveMonths, POOL, "2007-12-31"),
        "0.0 red"
    );
}

#[test]
fn a_silent_feed_makes_unknown_and_never_green() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.flow(TUNXI, Flow::Collected, "2007-12-01", 100);
    kit.pay(TUNXI, "2007-12-20", 100);
    // Three business days after Monday, 31 December 2007; this policy knows no holidays.
    assert_eq!(
        kit.shown(Indicator::GapRatio, POOL, "2008-01-03"),
        "0.0000 green"
    );
    assert_eq!(
        kit.shown(Indicator::GapRatio, POOL, "2008-01-04"),
        "unknown unknown"
    );
    // One region goes on: its own indicator is known, the pool's is not, and it is said who is silent.
    kit.close(TUNXI, "2008-01-04");
    assert_eq!(
        kit.shown(Indicator::GapRatio, Unit::Region(TUNXI), "2008-01-04"),
        "0.0000 green"
    );
    let reading = kit.0.reading(Indicator::GapRatio, POOL, day("2008-01-04"));
    assert_eq!(
        (reading.completeness.complete, reading.completeness.of),
        (2, 6)
    );
    assert_eq!(reading.completeness.silent[0], (CITY, Topic::AgencyPayout));
    assert_eq!(
        (reading.value, reading.grade),
        (Value::Unknown, Grade::Unknown)
    );
}

#[test]
fn a_region_that_never_sends_is_not_reported_and_not_zero() {
    let mut kit = Kit::empty();
    kit.flow(TUNXI, Flow::Collected, "2007-12-01", 100);
    let received = Entry::Received(Topic::TaxCollection, day("2007-12-01"));
    kit.post(TUNXI, received, Sum::one(1, yuan(100)));
    let report = kit.0.report(By::Year, day("2007-12-31"));
    let row = |unit| {
        report
            .rows
            .iter()
            .find(|row| row.unit == unit && row.span.is_some())
            .unwrap()
    };
    assert_eq!(
        row(Unit::Region(TUNXI)).cell(Column::CollectedNet),
        Some(yuan(100))
    );
    assert_eq!(row(Unit::Region(TUNXI)).cell(Column::PaidNet), None);
    assert_eq!(row(Unit::Region(SHE)).cell(Column::CollectedNet), None);
    assert_eq!(row(POOL).cell(Column::CollectedNet), Some(yuan(100)));
    assert_eq!(row(POOL).reporting[Topic::TaxCollection.index()], 1);
    assert_eq!(
        kit.shown(Indicator::CollectionRate, Unit::Region(SHE), "2007-12-31"),
        "unknown unknown"
    );
}

#[test]
fn collection_and_arrears() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    // Due on 15 October (Monday) and 15 November 2007 (Thursday).
    kit.due(TUNXI, "2007-09", "2007-10-10", 10, 1_000, 900);
    kit.due(TUNXI, "2007-10", "2007-11-10", 10, 1_000, 940);
    kit.due(SHE, "2007-10", "2007-11-10", 5, 500, 500);
    // November is due on 17 December (the 15th is a Saturday): it counts from the day after.
    kit.due(TUNXI, "2007-11", "2007-12-10", 10, 1_000, 0);
    let shown = |indicator, unit, as_of| kit.shown(indicator, unit, as_of);
    assert_eq!(
        shown(Indicator::CollectionRate, Unit::Region(TUNXI), "2007-12-17"),
        "0.9400 yellow"
    );
    assert_eq!(
        shown(Indicator::CollectionRate, POOL, "2007-12-17"),
        "0.9600 green"
    );
    assert_eq!(
        shown(Indicator::CollectionRate, Unit::Region(TUNXI), "2007-12-18"),
        "0.0000 red"
    );
    assert_eq!(
        shown(Indicator::CollectionRate, Unit::Region(CITY), "2007-12-17"),
        "n/a not_applicable"
    );
    // 100 + 60 of 2,500 due.
    assert_eq!(
        shown(Indicator::ArrearsRatio, POOL, "2007-12-17"),
        "0.0640 ungraded"
    );
    // 63 days since 15 October for 100, 32 since 15 November for 60: 8,220 / 160 = 51.375.
    assert_eq!(
        shown(Indicator::ArrearsAge, POOL, "2007-12-17"),
        "51.4 ungraded"
    );
    assert_eq!(
        shown(Indicator::ArrearsAge, Unit::Region(SHE), "2007-12-17"),
        "n/a ungraded"
    );
}

#[test]
fn remittances_in_time_and_how_long_money_dwells() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    // Collected in September, due by 10 October: 600 in time, 400 a week late.
    kit.flow(TUNXI, Flow::Collected, "2007-09-28", 1_000);
    kit.remit(TUNXI, "2007-09", "2007-10-10", 600);
    kit.remit(TUNXI, "2007-09", "2007-10-17", 400);
    kit.flow(SHE, Flow::Collected, "2007-10-31", 1_000);
    kit.remit(SHE, "2007-10", "2007-10-31", 1_000);
    let shown = |indicator, unit| kit.shown(indicator, unit, "2007-12-31");
    assert_eq!(
        shown(Indicator::RemittanceTimelinessAmount, Unit::Region(TUNXI)),
        "0.6000 red"
    );
    assert_eq!(
        shown(Indicator::RemittanceTimelinessAmount, POOL),
        "0.8000 red"
    );
    assert_eq!(
        shown(Indicator::RemittanceTimelinessCount, POOL),
        "0.5000 ungraded"
    );
    // Friday the 28th to Wednesday the 10th: 8 business days; to the 17th: 13; the other not a day.
    // (600 x 8 + 400 x 13) / 1,000 = 10; with the other 1,000: 5.
    assert_eq!(
        shown(Indicator::DwellDays, Unit::Region(TUNXI)),
        "10.0 ungraded"
    );
    assert_eq!(shown(Indicator::DwellDays, POOL), "5.0 ungraded");
    // The city level has no duty.
    assert_eq!(
        shown(Indicator::RemittanceTimelinessAmount, Unit::Region(CITY)),
        "n/a not_applicable"
    );
}

#[test]
fn subsidies_that_stay() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    for (id, on, amount) in [("S1", "2007-12-03", 300), ("S2", "2007-12-03", 100)] {
        kit.flow(TUNXI, Flow::CentralSubsidy, on, amount);
        kit.post(
            TUNXI,
            Entry::Subsidy(id.to_owned(), day(on)),
            Sum::one(1, yuan(amount)),
        );
    }
    kit.post(
        TUNXI,
        Entry::ReleasedOf("S1".to_owned(), day("2007-12-10")),
        Sum::one(1, yuan(300)),
    );
    // Monday to Monday: 5 business days for 300; 20 to Monday the 31st for 100: (1,500 + 2,000) / 400 = 8.75.
    assert_eq!(
        kit.shown(Indicator::SubsidyDwellDays, POOL, "2007-12-31"),
        "8.8 ungraded"
    );
    let transit = kit.0.transit(Unit::Region(TUNXI), day("2007-12-31"));
    let release = transit
        .iter()
        .find(|transit| transit.step == Step::Release)
        .unwrap();
    assert_eq!((release.amount, release.age_days), (yuan(100), Some(28)));
}

/// 2,400 remitted and 600 allocated, of which 200 are left; 365 days of 2007 with 3,650 paid out: 10 a day.
#[test]
fn money_that_can_be_paid_out_at_once() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.flow(TUNXI, Flow::Collected, "2007-01-08", 9_000);
    kit.remit(TUNXI, "2007-01", "2007-02-05", 2_400);
    kit.flow(TUNXI, Flow::AllocatedDown, "2007-02-12", 600);
    kit.pay(TUNXI, "2007-02-20", 400);
    kit.flow(CITY, Flow::Collected, "2007-01-08", 3_250);
    kit.pay(CITY, "2007-03-20", 3_250);
    // 1,800 in the special account and 200 with the agency; the 6,600 not yet remitted cannot be paid out.
    assert_eq!(
        kit.shown(Indicator::LiquidityDays, POOL, "2007-12-31"),
        "200.0 green"
    );
    // 200 at 400 in 365 days; it is the pool that is graded.
    assert_eq!(
        kit.shown(Indicator::LiquidityDays, Unit::Region(TUNXI), "2007-12-31"),
        "182.5 ungraded"
    );
    // Nobody is paid there: nothing to divide by.
    assert_eq!(
        kit.shown(Indicator::LiquidityDays, Unit::Region(SHE), "2007-12-31"),
        "n/a ungraded"
    );
    kit.flow(TUNXI, Flow::AllocatedDown, "2007-12-12", 1_800);
    kit.pay(TUNXI, "2007-12-20", 1_900);
    // 100 left of 5,550 in 365 days: 6.6 days.
    assert_eq!(
        kit.shown(Indicator::LiquidityDays, POOL, "2007-12-31"),
        "6.6 red"
    );
}

#[test]
fn bases_declared_of_those_that_wages_make_due() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    let mut bases = |region, of: &str, on: &str, declared, due| {
        let (of, on) = (month(of), day(on));
        kit.post(region, Entry::BaseDue(of, on), Sum::one(0, yuan(due)));
        kit.post(
            region,
            Entry::BaseDeclared(of, on),
            Sum::one(0, yuan(declared)),
        );
    };
    bases(TUNXI, "2006-10", "2006-11-08", 0, 1_000_000);
    bases(TUNXI, "2006-12", "2007-01-08", 800, 1_000);
    bases(TUNXI, "2007-11", "2007-12-08", 900, 1_000);
    bases(SHE, "2007-11", "2007-12-08", 4_900, 5_000);
    // Of a month that is not due yet.
    bases(TUNXI, "2007-12", "2007-12-28", 0, 1_000_000);
    kit.due(TUNXI, "2007-11", "2007-12-10", 10, 200, 200);
    // Twelve months up to November: 1,700 of 2,000; with the other region 6,600 of 7,000.
    let shown = |unit| kit.shown(Indicator::BaseConsolidation, unit, "2007-12-31");
    assert_eq!(shown(Unit::Region(TUNXI)), "0.8500 yellow");
    assert_eq!(shown(POOL), "0.9429 green");
    assert_eq!(shown(Unit::Region(CITY)), "n/a not_applicable");
}

#[test]
fn arrears_of_a_year_ago_that_were_paid_since() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.due(TUNXI, "2006-10", "2006-11-10", 10, 1_000, 600);
    kit.due(TUNXI, "2006-11", "2006-12-10", 10, 500, 500);
    let late = |kit: &mut Kit, on: &str, amount| {
        let entry = Entry::PaidOfDue(month("2006-10"), day(on));
        kit.post(TUNXI, entry, Sum::one(0, yuan(amount)));
    };
    late(&mut kit, "2007-05-08", 100);
    kit.due(TUNXI, "2007-06", "2007-07-10", 10, 1_000, 0);
    // Of the 400 that were owed when 2007 began, 100; what came to be owed since is none of it.
    let shown = |kit: &Kit| kit.shown(Indicator::ArrearsRecovery, POOL, "2007-12-31");
    assert_eq!(shown(&kit), "0.2500 ungraded");
    late(&mut kit, "2007-12-08", 300);
    assert_eq!(shown(&kit), "1.0000 ungraded");
    assert_eq!(
        kit.shown(Indicator::ArrearsRecovery, Unit::Region(SHE), "2007-12-31"),
        "n/a ungraded"
    );
}

#[test]
fn people_paid_in_time_and_dependency() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.post(TUNXI, Entry::PayoutDueFrom(month("2007-01")), count(400));
    kit.post(TUNXI, Entry::PayoutDueFrom(month("2007-12")), count(-2));
    kit.post(TUNXI, Entry::PaidInTime(month("2007-12")), count(397));
    kit.due(TUNXI, "2007-11", "2007-12-10", 1_000, 1_000, 1_000);
    // 397 of 398.
    assert_eq!(
        kit.shown(
            Indicator::PayoutTimeliness,
            Unit::Region(TUNXI),
            "2007-12-31"
        ),
        "0.9975 red"
    );
    assert_eq!(
        kit.shown(Indicator::PayoutTimeliness, Unit::Region(SHE), "2007-12-31"),
        "n/a not_applicable"
    );
    assert_eq!(
        kit.shown(Indicator::DependencyRatio, POOL, "2007-12-31"),
        "0.3980 ungraded"
    );
    // Paid on Thursday the 20th, in time until Sunday the 23rd: on the day before, it is November's turn.
    assert_eq!(
        kit.shown(
            Indicator::PayoutTimeliness,
            Unit::Region(TUNXI),
            "2007-12-22"
        ),
        "0.0000 red"
    );
}

#[test]
fn what_closes_count_and_was_not_accepted() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    let topic = Topic::AgencyPayout;
    let said = Sum {
        count: 1_000,
        amount: yuan(1_000_000),
    };
    kit.post(TUNXI, Entry::Closed(topic, day("2007-12-31")), said);
    let received = Sum {
        count: 999,
        amount: yuan(998_000),
    };
    kit.post(TUNXI, Entry::Received(topic, day("2007-12-20")), received);
    // 2,000 of 1,000,000 is more than 1 of 1,000.
    assert_eq!(
        kit.shown(Indicator::ControlTotalDifference, POOL, "2007-12-31"),
        "0.0020 yellow"
    );
    let balances = kit.0.balances(Unit::Region(TUNXI), day("2007-12-31"));
    let sent = balances
        .iter()
        .find(|balance| balance.identity == Identity::Sent(topic))
        .unwrap();
    assert_eq!(
        (sent.difference, sent.records, sent.closes()),
        (yuan(2_000), 1, false)
    );
}

/// 100 more remitted for October than was collected; 50 released of nothing; 30 more paid out than there was.
#[test]
fn flows_that_do_not_close_are_differences_with_an_owner() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    kit.flow(TUNXI, Flow::Collected, "2007-10-08", 500);
    kit.remit(TUNXI, "2007-10", "2007-11-05", 600);
    kit.flow(TUNXI, Flow::Collected, "2007-11-08", 200);
    kit.flow(TUNXI, Flow::Released, "2007-11-08", 50);
    kit.post(
        TUNXI,
        Entry::ReleasedOf("S9".to_owned(), day("2007-11-08")),
        Sum::one(1, yuan(50)),
    );
    kit.flow(TUNXI, Flow::AllocatedDown, "2007-11-12", 400);
    kit.pay(TUNXI, "2007-11-20", 430);
    let balances = kit.0.balances(Unit::Region(TUNXI), day("2007-12-31"));
    let left_and_difference = |identity| {
        let balance = balances
            .iter()
            .find(|balance| balance.identity == identity)
            .unwrap();
        (balance.left, balance.difference)
    };
    // Too much for October does not hide that November's 200 were not remitted.
    assert_eq!(
        left_and_difference(Identity::Collection),
        (yuan(200), -yuan(100))
    );
    assert_eq!(left_and_difference(Identity::Subsidy), (yuan(0), -yuan(50)));
    assert_eq!(left_and_difference(Identity::Payout), (yuan(0), -yuan(30)));
    assert_eq!(left_and_difference(Identity::Whole).1, yuan(0));
    // 600 remitted and 50 released, less 400 allocated.
    let pool = kit.0.balances(POOL, day("2007-12-31"));
    let special = pool
        .iter()
        .find(|balance| balance.identity == Identity::SpecialAccount)
        .unwrap();
    assert_eq!((special.left, special.difference), (yuan(250), yuan(0)));
}

fn of_rate(findings: Vec<domain::Finding>) -> Vec<domain::Finding> {
    let is_wanted = |finding: &domain::Finding| {
        finding.key.item.as_deref() == Some("collection-rate")
            && finding.region.as_str() == "341002"
    };
    findings.into_iter().filter(is_wanted).collect()
}

/// Collection rates of 0.94, 0.94, 0.952, 0.956 at month ends: yellow from the second, still open at 0.952 (0.95 and
/// a tenth of what it leaves to 1 is 0.955), cleared at 0.956.
#[test]
fn a_breach_needs_two_months_and_a_margin_to_be_over() {
    let mut kit = Kit::closed_up_to("2007-06-30");
    for (of, on, paid) in [
        ("2007-01", "2007-02-10", 940),
        ("2007-02", "2007-03-10", 940),
        ("2007-03", "2007-04-10", 952),
        ("2007-04", "2007-05-10", 956),
    ] {
        kit.flow(TUNXI, Flow::Collected, on, paid);
        kit.due(TUNXI, of, on, 10, 1_000, paid);
    }
    let mut watch = BreachWatch::default();
    let mut told = |kit: &Kit, as_of: &str| -> Vec<String> {
        of_rate(watch.findings(&kit.0, day(as_of)))
            .into_iter()
            .map(|finding| {
                let episode = &finding.episode;
                format!(
                    "{}..{} {} peak {} {} {}",
                    episode.opened_on,
                    episode
                        .cleared_on
                        .map_or(String::new(), |day| day.to_string()),
                    episode.amount,
                    episode.peak,
                    finding.severity.as_str(),
                    finding.details["value"].as_str().unwrap(),
                )
            })
            .collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(told(&kit, "2007-03-30"), none);
    // Missing to 95 of 100: 10 yuan.
    assert_eq!(
        told(&kit, "2007-03-31"),
        ["2007-03-31.. 10.00 peak 10.00 yellow 0.9400"]
    );
    assert_eq!(
        told(&kit, "2007-04-30"),
        ["2007-03-31.. 0.00 peak 10.00 yellow 0.9520"]
    );
    assert_eq!(
        told(&kit, "2007-05-31"),
        ["2007-03-31..2007-05-31 0.00 peak 10.00 yellow 0.9560"]
    );
    // A payment of January comes late, dated in its time: it was never so.
    let late = Posting {
        region: TUNXI,
        entry: Entry::PaidOfDue(month("2007-01"), day("2007-02-12")),
        change: Sum {
            count: 0,
            amount: yuan(60),
        },
    };
    watch.forget([&late]);
    kit.0.post([late]);
    assert_eq!(of_rate(watch.findings(&kit.0, day("2007-05-31"))), []);
}

/// Red at the end of May; June's feed never closes: the alert stays as it was, and silence does not clear it.
#[test]
fn a_silent_feed_neither_raises_nor_clears() {
    let mut kit = Kit::closed_up_to("2007-05-31");
    kit.flow(TUNXI, Flow::Collected, "2007-05-10", 500);
    kit.due(TUNXI, "2007-04", "2007-05-10", 10, 1_000, 500);
    kit.due(TUNXI, "2007-05", "2007-06-10", 10, 1_000, 1_000);
    let mut watch = BreachWatch::default();
    for as_of in ["2007-05-31", "2007-07-31"] {
        let findings = of_rate(watch.findings(&kit.0, day(as_of)));
        let rate = findings.first().unwrap();
        assert_eq!(
            (rate.severity.as_str(), rate.episode.cleared_on),
            ("red", None),
            "{as_of}"
        );
        assert_eq!(rate.episode.amount, yuan(450));
    }
    kit.close(TUNXI, "2007-06-30");
    let findings = of_rate(watch.findings(&kit.0, day("2007-07-31")));
    assert_eq!(
        findings.first().unwrap().episode.cleared_on,
        Some(day("2007-06-30"))
    );
}

#[test]
fn a_projection_follows_the_year_and_says_how_wrong_it_was() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    let mut at = month("2005-01");
    while at <= month("2007-12") {
        let on = at.first_day().to_string();
        let collected = if at.month() == 12 { 160 } else { 100 };
        kit.flow(TUNXI, Flow::Collected, &on, collected);
        kit.remit(TUNXI, &at.to_string(), &on, collected);
        kit.flow(TUNXI, Flow::AllocatedDown, &on, 100);
        kit.pay(TUNXI, &on, 100);
        at = at.next();
    }
    let projection = kit.0.projection(POOL, day("2008-01-15")).unwrap();
    assert_eq!(projection.from, month("2007-12"));
    assert_eq!(projection.collected_by.0.as_str(), "seasonal-naive");
    // Three Decembers left 180; 2008 brings 60 more in December, over 100 a month.
    let last = projection.months.last().unwrap();
    assert_eq!(last.month, month("2008-12"));
    assert_eq!(
        (last.balance.low, last.balance.median, last.balance.high),
        (yuan(240), yuan(240), yuan(240))
    );
    assert_eq!(last.reserve_months.unwrap().median.shown(1), "2.4");
    assert!(
        projection
            .past
            .iter()
            .all(|month| month.collected == month.collected_projected)
    );
    // The least of the next three months: 1.8.
    assert_eq!(
        kit.shown(Indicator::Runway, POOL, "2007-12-31"),
        "1.8 ungraded"
    );
    // Too short a history is unknown, not zero.
    assert_eq!(
        kit.shown(Indicator::Runway, POOL, "2005-05-31"),
        "unknown ungraded"
    );
    assert_eq!(kit.0.projection(POOL, day("2005-05-31")), None);
}

#[test]
fn the_number_of_series_is_bounded_by_the_regions() {
    let mut kit = Kit::closed_up_to("2007-12-31");
    let mut at = month("2005-01");
    while at <= month("2007-12") {
        kit.flow(TUNXI, Flow::Collected, &at.first_day().to_string(), 100);
        kit.pay(TUNXI, &at.first_day().to_string(), 100);
        at = at.next();
    }
    let readings = kit.0.health(day("2007-12-31"));
    let samples = kit.0.samples(day("2007-12-31"), &readings);
    assert!(
        samples.len() <= ledger::series_max(3),
        "{} series",
        samples.len()
    );
    assert!(
        samples
            .iter()
            .all(|sample| sample.labels.len() == sample.metric.labels.len())
    );
    assert!(
        samples
            .iter()
            .all(|sample| sample.value.parse::<f64>().is_ok())
    );
}

/// Few regions, days and flows, so that postings meet.
fn some_posting() -> impl Strategy<Value = Posting> {
    let flows = prop::sample::select(vec![
        Flow::Collected,
        Flow::CollectionReversed,
        Flow::AllocatedDown,
        Flow::RemittedUp,
        Flow::PaidOut(Nature::Regular, ItemClass::Listed),
        Flow::PayoutReversed(ItemClass::Listed),
    ]);
    (0..3_u16, flows, 0..5_u32, 0..1_000_i64).prop_map(|(region, flow, at, fen)| Posting {
        region: RegionId(region),
        entry: Entry::Flow(flow, day("2007-12-01").plus_days(at)),
        change: Sum::one(1, Money::from_fen(i128::from(fen))),
    })
}

/// A remittance is posted by the month that it is for, too.
fn whole(posting: Posting) -> Vec<Posting> {
    match posting.entry {
        Entry::Flow(Flow::RemittedUp, on) => {
            let entry = Entry::RemittedFor(on.period(), on);
            vec![posting.clone(), Posting { entry, ..posting }]
        }
        _ => vec![posting],
    }
}

proptest! {
    /// The order of postings changes nothing, and what is taken back was never there.
    #[test]
    fn the_ledger_is_a_sum(
        kept in prop::collection::vec(some_posting(), 0..30),
        gone in prop::collection::vec(some_posting(), 0..30),
        turn in any::<prop::sample::Index>(),
    ) {
        let policy = Arc::new(Policy::parse("policy.toml", POLICY).unwrap());
        let kept: Vec<Posting> = kept.into_iter().flat_map(whole).collect();
        let mut all = kept.clone();
        for posting in gone.into_iter().flat_map(whole) {
            let mut opposite = posting.clone();
            opposite.change = Sum { count: -posting.change.count, amount: -posting.change.amount };
            all.extend([posting, opposite]);
        }
        if !all.is_empty() {
            let by = turn.index(all.len());
            all.rotate_left(by);
        }
        let (mut one, mut other) = (Ledger::new(Arc::clone(&policy)), Ledger::new(policy));
        one.post(kept);
        other.post(all);
        let as_of = day("2007-12-31");
        let (one, other) = (one.report(By::Day, as_of), other.report(By::Day, as_of));
        prop_assert_eq!(one.rows, other.rows);
        prop_assert_eq!(&one.transit, &other.transit);
        // However the flows are, the whole closes: differences are named, never lost.
        for (_, balance) in one.balances.iter().filter(|(_, balance)| balance.identity == Identity::Whole) {
            prop_assert_eq!(balance.difference, Money::ZERO);
        }
    }
}
