//! A random policy, always a good one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::Date;

use super::{Dice, Stage, is_weekend};
use crate::reference::period::{Period, plus_days};

/// The text of a policy file.
pub(super) fn random(dice: &mut Dice, stage: &Stage) -> String {
    let mut text = pool(dice);
    for from in months(dice, stage) {
        text.push_str(&contribution(dice, from));
    }
    for from in surcharge_days(dice, stage) {
        let daily = dice.pick(&["0.0005", "0.002", "0.00033"]);
        let _ = write!(
            text,
            "[[surcharge]]\nfrom = \"{from}\"\ndaily = \"{daily}\"\n"
        );
    }
    for from in months(dice, stage) {
        text.push_str(&benefit(dice, from));
    }
    for from in months(dice, stage) {
        text.push_str(&remittance(dice, from));
    }
    text.push_str(&calendar(dice, stage));
    for name in [
        "under-declared-base",
        "arrears",
        "undeclared",
        "duplicate-payout",
        "deceased-recipient",
        "late-remittance",
        "unauthorised-item",
        "stalled-subsidy",
        "missed-payout",
    ] {
        if dice.chance(30) {
            text.push_str(&detector(dice, name));
        }
    }
    text
}

fn pool(dice: &mut Dice) -> String {
    let remits = dice.pick(&["", ", remits = true", ", remits = false"]);
    format!(
        "[pool]\ncode = \"341000\"\nname = \"黄山市\"\ntime_zone = \"Asia/Shanghai\"\nregions = [\n  \
         {{ code = \"341000\", name = \"市本级\", remits = false }},\n  \
         {{ code = \"341002\", name = \"屯溪区\" }},\n  \
         {{ code = \"341021\", name = \"歙县\"{remits} }},\n]\n\n"
    )
}

/// The `from` of one to three entries, in any order. Sometimes the first months of the history have none.
fn months(dice: &mut Dice, stage: &Stage) -> Vec<Period> {
    let long_before = Period::of(plus_days(
        stage.periods[0].first_day(),
        -dice.between(1, 500),
    ));
    let first = if dice.chance(15) {
        dice.pick(&stage.periods)
    } else {
        long_before
    };
    let mut months = BTreeSet::from([first]);
    while dice.chance(40) && months.len() < 3 {
        months.insert(dice.pick(&stage.periods));
    }
    let mut months: Vec<Period> = months.into_iter().collect();
    dice.shuffle(&mut months);
    months
}

fn surcharge_days(dice: &mut Dice, stage: &Stage) -> BTreeSet<Date> {
    let first = if dice.chance(70) {
        jiff::civil::date(2011, 7, 1)
    } else {
        stage.day(dice)
    };
    let mut days = BTreeSet::from([first]);
    if dice.chance(40) {
        days.insert(stage.day(dice));
    }
    days
}

fn contribution(dice: &mut Dice, from: Period) -> String {
    let (employer, employee) = dice.pick(&[
        ("0.16", "0.08"),
        ("0.165", "0.085"),
        ("0.2", "0"),
        ("0.12345", "0.0321"),
    ]);
    let wage = dice.pick(&["6000.00", "5733.33", "100"]);
    let (floor, ceiling) = dice.pick(&[("0.60", "3.00"), ("0.333", "1.5"), ("0", "1")]);
    let due_day = dice.pick(&[1, 10, 15, 15, 31]);
    let grace = dice.pick(&[0, 0, 1, 3]);
    format!(
        "[[contribution]]\nfrom = \"{from}\"\nemployer_rate = \"{employer}\"\nemployee_rate = \"{employee}\"\n\
         reference_wage = \"{wage}\"\nfloor_ratio = \"{floor}\"\nceiling_ratio = \"{ceiling}\"\n\
         due_day = {due_day}\ngrace_days = {grace}\n\n"
    )
}

fn benefit(dice: &mut Dice, from: Period) -> String {
    let items = dice.pick(&[
        r#"["basic_pension"]"#,
        r#"["basic_pension", "heating"]"#,
        r#"["heating", "gift"]"#,
    ]);
    let survivor_items = dice.pick(&[
        r#"["funeral_grant"]"#,
        r#"["funeral_grant", "survivor_pension"]"#,
    ]);
    let payout_day = dice.pick(&[1, 10, 20, 20, 31]);
    let grace = dice.pick(&[0, 1, 3]);
    format!(
        "[[benefit]]\nfrom = \"{from}\"\nitems = {items}\nsurvivor_items = {survivor_items}\n\
         payout_day = {payout_day}\ngrace_days = {grace}\n\n"
    )
}

fn remittance(dice: &mut Dice, from: Period) -> String {
    let remit_day = dice.pick(&[1, 10, 15, 31]);
    let grace = dice.pick(&[0, 0, 2]);
    let release = dice.pick(&[0, 1, 3, 10]);
    format!(
        "[[remittance]]\nfrom = \"{from}\"\nremit_day = {remit_day}\ngrace_days = {grace}\n\
         release_business_days = {release}\n\n"
    )
}

/// Weekdays that are free and weekend days that are worked, mostly about due dates.
fn calendar(dice: &mut Dice, stage: &Stage) -> String {
    if dice.chance(30) {
        return String::new();
    }
    let mut holidays = BTreeSet::new();
    let mut workdays = BTreeSet::new();
    for _ in 0..dice.below(12) {
        let day = dice.pick(&stage.days);
        if is_weekend(day) {
            workdays.insert(format!("{day:?}", day = day.to_string()));
        } else {
            holidays.insert(format!("{day:?}", day = day.to_string()));
        }
    }
    let list = |days: BTreeSet<String>| days.into_iter().collect::<Vec<_>>().join(", ");
    format!(
        "[calendar]\nholidays = [{}]\nworkdays = [{}]\n\n",
        list(holidays),
        list(workdays)
    )
}

fn detector(dice: &mut Dice, name: &str) -> String {
    let mut text = format!("[detectors.{name}]\n");
    if dice.chance(30) {
        let _ = writeln!(text, "enabled = {}", dice.chance(50));
    }
    if dice.chance(60) {
        let _ = writeln!(
            text,
            "tolerance = \"{}\"",
            dice.pick(&["0", "0.01", "1.00", "100", "240.00"])
        );
    }
    if dice.chance(60) {
        let (yellow, orange, red) = dice.pick(&[
            ("0.01", "100", "1000"),
            ("240.00", "2400.00", "24000"),
            ("1", "2", "3"),
        ]);
        let _ = write!(
            text,
            "yellow = \"{yellow}\"\norange = \"{orange}\"\nred = \"{red}\"\n"
        );
    }
    if name == "under-declared-base" && dice.chance(60) {
        let _ = writeln!(
            text,
            "tolerance_ratio = \"{}\"",
            dice.pick(&["0", "0.01", "0.2", "0.333"])
        );
    }
    text.push('\n');
    text
}
