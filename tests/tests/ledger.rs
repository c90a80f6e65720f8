//! The ledger from outside: the published tables, cell by cell; random histories against slow sums; feeds that are
//! silent, and flows that do not close.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use acceptance::binary;
use acceptance::history::History;
use acceptance::reference::facts::{Body, Fact, Topic};
use acceptance::reference::intake::Intake;
use acceptance::reference::ledger::{COLUMNS, Closes, Ledger, closes_of, left};
use acceptance::reference::money::{Fen, show};
use acceptance::reference::policy::Policy;
use acceptance::reference::{feeds, period};
use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn run(arguments: &[&str]) -> std::process::Output {
    Command::new(binary::fundwatch())
        .args(arguments)
        .output()
        .expect("the program can be started")
}

#[track_caller]
fn report(arguments: &[&str]) -> Vec<u8> {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn json(feeds: &Path, policy: &Path, as_of: &str, by: &str) -> Value {
    let bytes = report(&[
        "report",
        "ledger",
        "--feeds",
        &feeds.to_string_lossy(),
        "--policy",
        &policy.to_string_lossy(),
        "--as-of",
        as_of,
        "--by",
        by,
        "--format",
        "json",
        "--lang",
        "en",
    ]);
    serde_json::from_slice(&bytes).expect("a report is JSON")
}

fn rows(report: &Value, part: &str) -> Vec<Value> {
    report[part].as_array().expect("a part is a list").clone()
}

/// The years 2005 to 2007 as simulated, once for all tests.
fn scenario() -> &'static Path {
    static FEEDS: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    FEEDS
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            report(&[
                "simulate",
                "--scenario",
                "huangshan-2005-2007",
                "--out",
                &folder.path().to_string_lossy(),
            ]);
            folder
        })
        .path()
}

fn huangshan() -> std::path::PathBuf {
    repository().join("rules/policies/huangshan.toml")
}

/// 10,000 yuan each, as a report writes it.
fn wan(amount: i128) -> String {
    show(amount * 1_000_000)
}

#[test]
fn tables_2_and_3_are_reproduced_to_the_yuan() {
    let report = json(scenario(), &huangshan(), "2007-12-31", "year");
    let flows = rows(&report, "flows");
    let cell = |span: &str, unit: &str, code: &str, column: &str| {
        let row = flows
            .iter()
            .find(|row| row["span"] == span && row["unit"] == unit && row["code"] == code)
            .unwrap_or_else(|| panic!("no row {span} {unit} {code}"));
        row[column].as_str().map(str::to_owned)
    };
    // Table 2: year; remitted up; central and provincial subsidies; allocated down; retained in the special account.
    for (span, cells) in [
        ("2005", [3_574, 2_338, 2_630, 3_282]),
        ("2006", [12_725, 6_773, 17_000, 2_498]),
        ("2007", [17_749, 6_930, 21_603, 3_076]),
        ("total", [34_048, 16_041, 41_233, 8_856]),
    ] {
        let columns = ["remitted_up", "subsidies", "allocated_down", "retained"];
        for (column, expected) in columns.into_iter().zip(cells) {
            assert_eq!(
                cell(span, "pool", "341000", column),
                Some(wan(expected)),
                "{span} {column}"
            );
        }
    }
    // Table 3: 2006, 2007 and both, of each region and all of them. The table leaves out two units that had none.
    for (unit, code, cells) in [
        ("region", "341002", [417, 650, 1_067]),
        ("region", "341004", [0, 94, 94]),
        ("region", "341003", [342, 377, 719]),
        ("region", "341021", [578, 0, 578]),
        ("region", "341022", [0, 66, 66]),
        ("region", "341024", [0, 122, 122]),
        ("region", "341000", [0, 0, 0]),
        ("region", "341023", [0, 0, 0]),
        ("pool", "341000", [1_337, 1_309, 2_646]),
    ] {
        for (span, expected) in ["2006", "2007", "total"].into_iter().zip(cells) {
            assert_eq!(
                cell(span, unit, code, "advanced"),
                Some(wan(expected)),
                "{span} {code}"
            );
        }
    }
    // Table 1: collected in 2006 and 2007.
    let collected: Vec<String> = ["2006", "2007"]
        .into_iter()
        .filter_map(|span| cell(span, "pool", "341000", "collected_net"))
        .collect();
    assert_eq!(collected, [wan(12_725 + 5_070), wan(17_749 + 7_071)]);
    assert_eq!(12_725 + 5_070 + 17_749 + 7_071, 42_615);
}

#[test]
fn every_format_says_the_same() {
    let arguments = |rest: &[&'static str]| {
        let feeds: &'static str = scenario().to_str().expect("a path");
        let policy: &'static str =
            Box::leak(huangshan().to_string_lossy().into_owned().into_boxed_str());
        let mut all = vec![
            "report",
            "ledger",
            "--feeds",
            feeds,
            "--policy",
            policy,
            "--as-of",
            "2007-12-31",
        ];
        all.extend(rest);
        all
    };
    let csv = String::from_utf8(report(&arguments(&["--format", "csv"]))).expect("UTF-8");
    assert!(csv.starts_with("\u{feff}期间,单位,代码,名称,"), "{csv}");
    let total = csv.lines().last().expect("a last line");
    assert!(total.starts_with("合计,pool,341000,黄山市,"), "{total}");
    for amount in [
        "340480000.00",
        "160410000.00",
        "412330000.00",
        "88560000.00",
    ] {
        assert!(
            total.split(',').any(|cell| cell == amount),
            "{amount} in {total}"
        );
    }
    let table = String::from_utf8(report(&arguments(&["--lang", "en"]))).expect("UTF-8");
    for words in [
        "as of 2007-12-31",
        "remitted up",
        "340,480,000.00",
        "88,560,000.00",
        "collected, not remitted",
    ] {
        assert!(table.contains(words), "{words} in\n{table}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("ledger.xlsx");
    let out_text: &'static str = Box::leak(out.to_string_lossy().into_owned().into_boxed_str());
    report(&arguments(&["--format", "xlsx", "--out", out_text]));
    assert!(fs::read(&out).expect("a workbook").starts_with(b"PK"));
    // A workbook is no text for a terminal; an unknown part is told with those that there are.
    let refused = run(&arguments(&["--format", "xlsx"]));
    assert_eq!(refused.status.code(), Some(2));
    let refused = run(&arguments(&["--part", "flow"]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("flows, transit, identities"));
}

/// Nothing of the scenario is lost: what does not close are pensions that were paid before pooling and beyond what
/// was allocated, and it is said whose.
#[test]
fn identities_of_the_scenario_close_or_name_their_owner() {
    let report = json(scenario(), &huangshan(), "2007-12-31", "year");
    for row in rows(&report, "identities") {
        let identity = row["identity"].as_str().expect("a name");
        let is_closed = row["closes"] == "yes";
        match identity {
            "payout" => assert_eq!(is_closed, row["owner"].is_null(), "{row}"),
            _ => assert!(is_closed && row["difference"] == "0.00", "{row}"),
        }
    }
    let pool = |identity: &str, key: &str| {
        rows(&report, "identities")
            .into_iter()
            .find(|row| row["unit"] == "pool" && row["identity"] == identity)
            .and_then(|row| row[key].as_str().map(str::to_owned))
    };
    // Table 2's total retained is what lies in the special account: all subsidies were released.
    assert_eq!(pool("special_account", "left"), Some(wan(8_856)));
    assert_eq!(pool("whole", "difference"), Some("0.00".to_owned()));
}

/// What no feed carries is named with the reason, and is no indicator without a value.
#[test]
fn health_names_what_cannot_be_had() {
    let (feeds, policy) = (scenario().to_string_lossy(), huangshan());
    let bytes = report(&[
        "report",
        "health",
        "--feeds",
        &feeds,
        "--policy",
        &policy.to_string_lossy(),
        "--as-of",
        "2007-12-31",
        "--format",
        "json",
        "--lang",
        "en",
    ]);
    let health: Value = serde_json::from_slice(&bytes).expect("a report is JSON");
    let names = |part: &str| -> BTreeSet<String> {
        let rows = rows(&health, part);
        let names = rows.iter().filter_map(|row| row["indicator"].as_str());
        names.map(str::to_owned).collect()
    };
    let (there, missing) = (names("indicators"), names("not_available"));
    for name in ["liquidity-days", "base-consolidation", "arrears-recovery"] {
        assert!(there.contains(name), "{name} in {there:?}");
    }
    assert!(missing.contains("budget-execution") && missing.is_disjoint(&there));
    for row in rows(&health, "not_available") {
        let reason = row["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("no such feed: "), "{reason}");
    }
    // Table 2: 8,856 in the special account; 21,603 allocated in 2007, all of it paid out in that year or before.
    let days = rows(&health, "indicators")
        .into_iter()
        .find(|row| row["unit"] == "pool" && row["indicator"] == "liquidity-days");
    assert!(days.is_some_and(|row| row["measure"] == "days"));
}

struct Read {
    facts: Vec<Fact<Body>>,
    closes: Closes,
}

/// Every accepted record of the feeds, and the closes by topic.
fn read(feeds_folder: &Path, policy: &Policy) -> Read {
    let mut facts = Vec::new();
    let mut closes = Closes::new();
    for topic in Topic::ALL {
        let mut intake = Intake::default();
        for line in feeds::lines_of_topic(feeds_folder, topic).expect("feeds that can be read") {
            intake.take(topic, &line.position, &line.bytes, policy);
        }
        closes.extend(closes_of(topic, &intake.accepted));
        facts.extend(intake.accepted);
    }
    Read { facts, closes }
}

fn amount(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Compares a report of a history by day with sums made anew for each cell.
fn compare(history: &History) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    history
        .write(folder.path(), 0)
        .expect("a folder that can be written");
    let (feeds, policy_file) = (
        folder.path().join("feeds"),
        folder.path().join("policy.toml"),
    );
    let policy = Policy::parse(&history.policy).expect("a random policy is good");
    let as_of = period::date(&history.as_of).expect("`as_of` is a date");
    let Read { facts, closes } = read(&feeds, &policy);
    let ledger = Ledger {
        facts: &facts,
        policy: &policy,
        as_of,
    };
    let report = json(&feeds, &policy_file, &history.as_of, "day");
    let about = |what: String| format!("seed {}: {what}", history.seed);

    let all: Vec<String> = policy.regions.keys().cloned().collect();
    let mut days: Vec<String> = ledger.days().iter().map(ToString::to_string).collect();
    days.push("total".to_owned());
    let found = rows(&report, "flows");
    assert_eq!(
        found.len(),
        days.len() * (all.len() + 1),
        "{}",
        about("rows".to_owned())
    );
    for row in found {
        let span = row["span"].as_str().expect("a span");
        assert!(
            days.iter().any(|day| day == span),
            "{}",
            about(format!("day {span}"))
        );
        let (first, last) = match period::date(span) {
            Some(day) => (day, day),
            None => (jiff::civil::date(1900, 1, 1), as_of),
        };
        let regions = regions_of(&row, &all);
        for column in &COLUMNS {
            let expected = ledger
                .cell(column, &regions, first, last, &closes)
                .map(show);
            assert_eq!(
                amount(&row[column.0]),
                expected,
                "{}",
                about(format!("{span} {} {}", row["name"], column.0))
            );
        }
    }
    let mut excess: BTreeMap<(String, String, &str), Fen> = BTreeMap::new();
    for row in rows(&report, "transit") {
        let regions = regions_of(&row, &all);
        let step = row["step"].as_str().expect("a step");
        let stocks: Vec<_> = regions
            .iter()
            .flat_map(|region| match step {
                "remittance" => ledger.not_remitted(region),
                "release" => ledger.not_released(region),
                _ => ledger.not_paid_out(region),
            })
            .collect();
        let expected = left(&stocks, as_of);
        let identity = match step {
            "remittance" => "collection",
            "release" => "subsidy",
            _ => "payout",
        };
        let unit = |row: &Value| (row["unit"].to_string(), row["code"].to_string());
        excess.insert((unit(&row).0, unit(&row).1, identity), expected.excess);
        let words = about(format!("{step} of {}", row["name"]));
        assert_eq!(
            amount(&row["amount"]),
            Some(show(expected.amount)),
            "{words}"
        );
        assert_eq!(
            amount(&row["oldest"]),
            expected.oldest.map(|day| day.to_string()),
            "{words}"
        );
        assert_eq!(row["age_days"].as_i64(), expected.age_days, "{words}");
    }
    for row in rows(&report, "identities") {
        let identity = row["identity"].as_str().expect("an identity");
        let fen = |key: &str| -> Fen {
            let text = row[key].as_str().unwrap_or("0.00").replace('.', "");
            text.parse().expect("an amount")
        };
        let words = about(row.to_string());
        assert_eq!(
            fen("difference"),
            fen("came") - fen("went") - fen("left"),
            "{words}"
        );
        assert_eq!(row["closes"] == "yes", row["owner"].is_null(), "{words}");
        let key = (row["unit"].to_string(), row["code"].to_string(), identity);
        match identity {
            "whole" => assert_eq!(fen("difference"), 0, "{words}"),
            // Released of nothing known is a difference beyond what the subsidies show.
            "subsidy" => assert!(fen("difference") <= -excess[&key], "{words}"),
            "collection" | "payout" => assert_eq!(fen("difference"), -excess[&key], "{words}"),
            _ => {}
        }
    }
}

fn regions_of(row: &Value, all: &[String]) -> Vec<String> {
    match row["unit"].as_str() {
        Some("pool") => all.to_vec(),
        _ => vec![row["code"].as_str().expect("a code").to_owned()],
    }
}

#[test]
fn random_histories_agree_with_slow_sums() {
    for seed in 0..60 {
        compare(&History::random(seed));
    }
}
