//! What a policy answers: entries by date, due dates, severities; compared with slow, obvious ways.

use domain::{BusinessDate, Detector, Money, Period, Rate, RegionId, Severity};
use proptest::prelude::*;
use rules::{Calendar, Due, Policy};

fn date(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).expect("a date")
}

fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).expect("a month")
}

/// A policy with the due days and grace days given, and the entries out of order.
fn policy(due_day: u32, grace_days: u32, holidays: &[BusinessDate]) -> Policy {
    let holidays: Vec<_> = holidays.iter().map(|day| format!("\"{day}\"")).collect();
    let text = format!(
        r#"
[pool]
code = "341000"
name = "黄山市"
time_zone = "Asia/Shanghai"
regions = [
  {{ code = "341021", name = "歙县" }},
  {{ code = "341000", name = "市本级", remits = false }},
]
[[contribution]]
from = "2019-05"
employer_rate = "0.16"
employee_rate = "0.08"
reference_wage = "6000.00"
floor_ratio = "0.60"
ceiling_ratio = "3.00"
due_day = {due_day}
grace_days = {grace_days}
[[contribution]]
from = "2005-01"
employer_rate = "0.2"
employee_rate = "0.080000000"
reference_wage = "1080"
floor_ratio = "0.6"
ceiling_ratio = "3"
due_day = 15
grace_days = 0
[[surcharge]]
from = "2011-07-01"
daily = "0.0005"
[[surcharge]]
from = "1999-01-22"
daily = "0.002"
[[benefit]]
from = "2005-01"
items = ["basic_pension"]
survivor_items = ["funeral_grant"]
payout_day = {due_day}
grace_days = {grace_days}
[[remittance]]
from = "2005-01"
remit_day = {due_day}
grace_days = {grace_days}
release_business_days = {grace_days}
[calendar]
holidays = [{}]
[detectors.arrears]
red = "1000.00"
[detectors.undeclared]
enabled = false
tolerance = "1.50"
yellow = "0"
"#,
        holidays.join(", ")
    );
    Policy::parse("policy.toml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_latest_entry_not_after_the_month_applies() {
    let policy = policy(15, 0, &[]);
    let from = |period| policy.contribution(month(period)).map(|entry| entry.from);
    assert_eq!(from("2004-12"), None);
    assert_eq!(from("2005-01"), Some(month("2005-01")));
    assert_eq!(from("2019-04"), Some(month("2005-01")));
    assert_eq!(from("2019-05"), Some(month("2019-05")));
    assert_eq!(from("2199-12"), Some(month("2019-05")));
    assert_eq!(policy.contribution_due(month("2004-12")), None);
    assert_eq!(policy.release_deadline(date("2004-12-31")), None);

    let daily = |day| policy.surcharge(date(day)).map(|entry| entry.daily.units());
    assert_eq!(daily("1999-01-21"), None);
    assert_eq!(daily("1999-01-22"), Some(200_000));
    assert_eq!(daily("2011-06-30"), Some(200_000));
    assert_eq!(daily("2011-07-01"), Some(50_000));
}

#[test]
fn rates_are_exact_and_added_before_they_are_applied() {
    let policy = policy(15, 0, &[]);
    let entry = policy.contribution(month("2006-01")).unwrap();
    assert_eq!(entry.both_rates(), Rate::from_units(28_000_000));
    assert_eq!(entry.reference_wage, Money::from_yuan(1_080));
    assert_eq!(entry.floor_ratio, Rate::from_units(60_000_000));
    assert_eq!(entry.ceiling_ratio, Rate::from_units(300_000_000));
}

#[test]
fn a_due_day_that_the_month_lacks_is_its_last() {
    let policy = policy(31, 2, &[]);
    // Contributions of 2024-01 are due in February: the 29th, a Thursday; two days of grace.
    let due = policy.contribution_due(month("2024-01")).unwrap();
    assert_eq!(
        (due.date, due.deadline),
        (date("2024-02-29"), date("2024-03-02"))
    );
    // Of 2024-02: 31 March, a Sunday, moves to Monday; the grace ends on a Wednesday.
    let due = policy.contribution_due(month("2024-02")).unwrap();
    assert_eq!(
        (due.date, due.deadline),
        (date("2024-04-01"), date("2024-04-03"))
    );
    // Benefits of 2024-03 are paid in March itself, before the weekend.
    let due = policy.payout_due(month("2024-03")).unwrap();
    assert_eq!(
        (due.date, due.deadline),
        (date("2024-03-29"), date("2024-03-31"))
    );
}

/// 100,000 yuan owed from 2011-06-01 and paid on 2011-08-01: 30 days at 2‰ and 31 at 0.5‰ are 7,550.00.
#[test]
fn surcharge_is_summed_by_day() {
    let policy = policy(15, 0, &[]);
    let units = policy.surcharge_units(date("2011-06-01"), date("2011-07-31"));
    assert_eq!(units, 30 * 200_000 + 31 * 50_000);
    let owed = Money::from_yuan(100_000);
    let surcharge = Rate::round(owed.fen() * units, Rate::SCALE);
    assert_eq!(surcharge.to_string(), "7550.00");
    // Nothing before the first entry, nothing over no days.
    assert_eq!(
        policy.surcharge_units(date("1998-01-01"), date("1999-01-21")),
        0
    );
    assert_eq!(
        policy.surcharge_units(date("1998-01-01"), date("1999-01-22")),
        200_000
    );
    assert_eq!(
        policy.surcharge_units(date("2011-06-02"), date("2011-06-01")),
        0
    );
}

#[test]
fn severity_goes_by_the_thresholds() {
    let policy = policy(15, 0, &[]);
    let severity = |detector, yuan| policy.severity(detector, Money::from_yuan(yuan));
    for (detector, yuan, expected) in [
        (Detector::DuplicatePayout, 0, Severity::Blue),
        (Detector::DuplicatePayout, 9_999, Severity::Blue),
        (Detector::DuplicatePayout, 10_000, Severity::Yellow),
        (Detector::DuplicatePayout, 99_999, Severity::Yellow),
        (Detector::DuplicatePayout, 100_000, Severity::Orange),
        (Detector::DuplicatePayout, 499_999, Severity::Orange),
        (Detector::DuplicatePayout, 500_000, Severity::Red),
        // Set below the default of orange: from there on it is red at once.
        (Detector::Arrears, 999, Severity::Blue),
        (Detector::Arrears, 1_000, Severity::Red),
        (Detector::Undeclared, 0, Severity::Yellow),
    ] {
        assert_eq!(severity(detector, yuan), expected, "{detector} {yuan}");
    }
    let settings = policy.detector(Detector::Undeclared);
    assert!(!settings.enabled);
    assert_eq!(settings.tolerance, Money::from_fen(150));
    assert!(policy.detector(Detector::SilentFeed).enabled);
    assert_eq!(
        policy.detector(Detector::UnderDeclaredBase).tolerance_ratio,
        Rate::from_units(5_000_000)
    );
}

#[test]
fn regions_are_known_by_their_exact_code() {
    let policy = policy(15, 0, &[]);
    assert_eq!(policy.region_id(b"341021"), Some(RegionId(0)));
    assert_eq!(policy.region_id(b"341000"), Some(RegionId(1)));
    assert!(policy.region(RegionId(0)).remits);
    assert!(!policy.region(RegionId(1)).remits);
    for code in [
        &b""[..],
        b"341022",
        b"34102",
        b"3410210",
        b"341021 ",
        b"\x00341021",
    ] {
        assert_eq!(policy.region_id(code), None, "{code:?}");
    }
}

/// More regions than are compared one by one.
#[test]
fn many_regions_are_all_found() {
    let list: Vec<_> = (0..500)
        .rev()
        .map(|n| format!("{{ code = \"{:06}\", name = \"r\" }}", n * 7))
        .collect();
    let text = include_str!("../policies/huangshan.toml");
    let (before, rest) = text.split_once("regions = [").unwrap();
    let (_, after) = rest.split_once("\n]").unwrap();
    let (after, _) = after.split_once("files = [").unwrap();
    let text = format!("{before}regions = [{}\n]{after}", list.join(",\n"));
    let policy = Policy::parse("policy.toml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    for n in 0..3_500_u16 {
        let expected = (n % 7 == 0).then(|| RegionId(499 - n / 7));
        assert_eq!(policy.region_id(format!("{n:06}").as_bytes()), expected);
    }
}

/// What the contract says of a business day, day by day.
fn is_business_day(holidays: &[BusinessDate], day: BusinessDate) -> bool {
    day.weekday() < 5 && !holidays.contains(&day)
}

/// The due date by walking, with nothing computed beforehand.
fn walked(holidays: &[BusinessDate], month: Period, day: u32, grace: u32, forward: bool) -> Due {
    let mut date = month.first_day();
    while date.next().period() == month && date.ymd().2 < day {
        date = date.next();
    }
    while !is_business_day(holidays, date) {
        date = if forward {
            date.next()
        } else {
            date.previous()
        };
    }
    let mut deadline = date;
    for _ in 0..grace {
        deadline = deadline.next();
    }
    Due { date, deadline }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn due_dates_are_those_of_a_walk(
        day in 1_u32..=31,
        grace in 0_u32..=40,
        // Around the months asked for, dense enough for runs of several days.
        holidays in prop::collection::vec(43_000_u32..44_200, 0..400),
        months in prop::collection::vec(1_416_u16..1_448, 8),
    ) {
        let holidays: Vec<_> = holidays.into_iter().map(BusinessDate::from_days).collect();
        let policy = policy(day, grace, &holidays);
        for month in months.into_iter().map(Period::from_months) {
            let is_new = Period::parse(b"2019-05").is_some_and(|from| from <= month);
            let (due_day, due_grace) = if is_new { (day, grace) } else { (15, 0) };
            prop_assert_eq!(
                policy.contribution_due(month),
                Some(walked(&holidays, month.next(), due_day, due_grace, true))
            );
            prop_assert_eq!(
                policy.payout_due(month),
                Some(walked(&holidays, month, day, grace, false))
            );
            prop_assert_eq!(
                policy.remittance_due(month),
                Some(walked(&holidays, month.next(), day, grace, true))
            );
            let arrived = month.day(day);
            let mut released = arrived;
            let mut worked = 0;
            while worked < grace {
                released = released.next();
                worked += u32::from(is_business_day(&holidays, released));
            }
            prop_assert_eq!(policy.release_deadline(arrived), Some(released));
        }
    }

    #[test]
    fn surcharge_units_are_those_of_a_walk(from in 36_000_u32..41_500, days in 0_u32..1_200) {
        let policy = policy(15, 0, &[]);
        let from = BusinessDate::from_days(from);
        let walked: i128 = (0..days)
            .filter_map(|n| policy.surcharge(from.plus_days(n)))
            .map(|entry| i128::from(entry.daily.units()))
            .sum();
        let to = BusinessDate::from_days(from.days() + days - 1);
        prop_assert_eq!(policy.surcharge_units(from, to), walked);
    }

    #[test]
    fn a_calendar_says_what_its_lists_say(
        holidays in prop::collection::btree_set(0_u32..=109_572, 0..60),
        workdays in prop::collection::btree_set(0_u32..=109_572, 0..60),
        asked in prop::collection::vec(0_u32..=110_000, 200),
    ) {
        let days = |set: &std::collections::BTreeSet<u32>| -> Vec<_> {
            set.iter().copied().map(BusinessDate::from_days).collect()
        };
        let workdays: std::collections::BTreeSet<u32> = workdays
            .into_iter()
            .filter(|day| day % 7 >= 5 && !holidays.contains(day))
            .collect();
        let calendar = Calendar::new(&days(&holidays), &days(&workdays));
        let named = holidays.iter().chain(&workdays).copied();
        for day in asked.into_iter().chain(named.clone()) {
            let expected = workdays.contains(&day) || (day % 7 < 5 && !holidays.contains(&day));
            prop_assert_eq!(calendar.is_business_day(BusinessDate::from_days(day)), expected);
        }
        prop_assert_eq!(calendar.covered_until().map(BusinessDate::days), named.max());
    }

    /// Whatever the text, reading ends with a policy or with errors, each of which names a place.
    #[test]
    fn no_text_makes_reading_panic(
        from in 0_usize..1_000, length in 0_usize..60, put in "[\\[\\]{}=\"'.,#0-9a-z\\n -]{0,40}"
    ) {
        let text = include_str!("../policies/huangshan.toml");
        let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        let from = from * places.len() / 1_000;
        let to = (from + length).min(places.len() - 1);
        let text = format!("{}{put}{}", &text[..places[from]], &text[places[to]..]);
        if let Err(wrong) = Policy::parse("policy.toml", &text) {
            prop_assert!(!wrong.errors.is_empty());
            prop_assert!(wrong.errors.iter().all(|error| error.line.is_some()));
            prop_assert!(wrong.errors.is_sorted_by_key(|error| error.line));
        }
    }
}
