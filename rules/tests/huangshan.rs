//! The ready policy: that it loads, and that its calendar is that of the notices.

use std::path::Path;

use domain::{BusinessDate, Period};
use rules::Policy;

fn date(text: &str) -> BusinessDate {
    BusinessDate::parse(text.as_bytes()).expect("a date")
}

fn month(text: &str) -> Period {
    Period::parse(text.as_bytes()).expect("a month")
}

#[test]
fn it_is_the_same_from_the_file_and_embedded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/huangshan.toml");
    let loaded = Policy::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    let embedded = Policy::huangshan();
    assert_eq!(loaded.calendar(), embedded.calendar());
    assert_eq!(format!("{loaded:?}"), format!("{embedded:?}"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), rules::HUANGSHAN);
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("calendars"))
        .unwrap()
        .count();
    assert_eq!(files, 2026 - 2004 + 1);
}

#[test]
fn its_entries_follow_the_law() {
    let policy = Policy::huangshan();
    assert_eq!(policy.pool.regions.len(), 8);
    assert_eq!(policy.pool.regions.iter().filter(|r| !r.remits).count(), 1);
    for (period, both) in [
        ("2004-01", "0.28"),
        ("2016-04", "0.28"),
        ("2016-05", "0.27"),
        ("2019-04", "0.27"),
        ("2019-05", "0.24"),
        ("2026-12", "0.24"),
    ] {
        let entry = policy.contribution(month(period)).unwrap();
        assert_eq!(entry.both_rates().to_string(), both, "{period}");
    }
    assert_eq!(
        policy.first_period_with_contribution(),
        Some(month("2004-01"))
    );
    assert_eq!(policy.first_benefit_period(), Some(month("2004-01")));
    assert_eq!(policy.first_remittance_month(), Some(month("2005-09")));
    let benefit = policy.benefit(month("2007-06")).unwrap();
    assert!(benefit.is_listed("basic_pension") && !benefit.is_survivor_item("basic_pension"));
    assert!(benefit.is_listed("funeral_grant") && benefit.is_survivor_item("funeral_grant"));
    assert!(!benefit.is_listed("heating_allowance"));
}

#[test]
fn its_due_dates_are_right_in_known_months() {
    let policy = Policy::huangshan();
    for (period, due) in [
        // 15 February 2005 is the seventh day of the Spring Festival.
        ("2005-01", "2005-02-16"),
        // 15 October 2005 is a Saturday.
        ("2005-09", "2005-10-17"),
        // 15 February 2024 is in the Spring Festival; Sunday the 18th is worked.
        ("2024-01", "2024-02-18"),
        // 15 September 2024 is a Sunday, and the Mid-Autumn days last to the 17th.
        ("2024-08", "2024-09-18"),
        ("2024-10", "2024-11-15"),
    ] {
        let found = policy.contribution_due(month(period)).unwrap();
        assert_eq!(found.date, date(due), "{period}");
        assert_eq!(found.deadline, date(due), "{period}");
    }
    // 20 January 2024 is a Saturday: paid the day before; three days of grace.
    let payout = policy.payout_due(month("2024-01")).unwrap();
    assert_eq!(
        (payout.date, payout.deadline),
        (date("2024-01-19"), date("2024-01-22"))
    );
    // 10 October 2005 is a Monday; the two days before it, a weekend, were worked.
    assert_eq!(
        policy.remittance_due(month("2005-09")).unwrap().date,
        date("2005-10-10")
    );
    // Ten business days from 30 September 2005: 8 to 14 October are seven, 17 to 19 three more.
    assert_eq!(
        policy.release_deadline(date("2005-09-30")),
        Some(date("2005-10-19"))
    );
}

#[test]
fn the_spring_festival_of_2024_has_worked_days_around_it() {
    let policy = Policy::huangshan();
    let is_worked = |day: &str| policy.calendar().is_business_day(date(day));
    assert!(is_worked("2024-02-04") && is_worked("2024-02-18"));
    for day in 10..=17 {
        assert!(!is_worked(&format!("2024-02-{day}")), "{day}");
    }
    assert!(is_worked("2024-02-09") && !is_worked("2024-02-03"));
}

/// The calendar of 国务院令第270号: a week in May, and none of the festivals that came in 2008.
#[test]
fn the_old_calendar_holds_until_2007() {
    let policy = Policy::huangshan();
    let is_worked = |day: &str| policy.calendar().is_business_day(date(day));
    for year in 2004..=2007 {
        for day in 1..=7 {
            assert!(!is_worked(&format!("{year}-05-0{day}")), "{year} {day}");
            assert!(!is_worked(&format!("{year}-10-0{day}")), "{year} {day}");
        }
    }
    // Weekdays of 清明节, 端午节 and 中秋节 then; and of 2008, when they were free.
    for day in [
        "2004-04-05",
        "2005-04-05",
        "2006-04-05",
        "2007-04-05",
        "2004-06-22",
        "2006-05-31",
        "2007-06-19",
        "2004-09-28",
        "2006-10-09",
        "2007-09-25",
    ] {
        assert!(is_worked(day), "{day}");
    }
    for day in ["2008-04-04", "2008-06-09", "2008-09-15"] {
        assert!(!is_worked(day), "{day}");
    }
    // From 2008 on the week in May is over.
    assert!(is_worked("2008-05-05") && is_worked("2008-05-04"));
}

/// Every weekend day that is worked frees one weekday, and every statutory day frees one more,
/// whatever the notices exchange: 10 a year until 2007, 11 until 2024, 13 since; one for the
/// anniversary of 2015; two for the Spring Festival of 2020 that was made longer.
#[test]
fn the_calendars_balance() {
    let policy = Policy::huangshan();
    let mut day = date("2004-01-01");
    let mut freed: i64 = 0;
    while day <= date("2026-12-31") {
        match (day.weekday() < 5, policy.calendar().is_business_day(day)) {
            (true, false) => freed += 1,
            (false, true) => freed -= 1,
            _ => {}
        }
        day = day.next();
    }
    assert_eq!(freed, 4 * 10 + 17 * 11 + 2 * 13 + 1 + 2);
    assert_eq!(policy.calendar().covered_until(), Some(date("2026-10-10")));
}
