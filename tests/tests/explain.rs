//! `fundwatch explain` on what a demo leaves: every alert is explained, its numbers come out, each record is found where
//! it stands, and nobody is named.

use std::path::Path;
use std::process::{Command, Output};

use acceptance::binary;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// Detectors whose amount is calculated from details.
const CALCULATED: [&str; 7] = [
    "arrears",
    "deceased-recipient",
    "duplicate-payout",
    "late-remittance",
    "stalled-subsidy",
    "undeclared",
    "under-declared-base",
];
/// Detectors whose subject's facts can be judged once more.
const OF_A_SUBJECT: [&str; 6] = [
    "arrears",
    "deceased-recipient",
    "duplicate-payout",
    "missed-payout",
    "undeclared",
    "under-declared-base",
];

struct Stored {
    id: String,
    detector: String,
    state: String,
    subject: String,
    withdrawn: bool,
    evidence: usize,
}

fn run(arguments: &[&str]) -> Output {
    Command::new(binary::fundwatch())
        .args(arguments)
        .output()
        .expect("the program can be started")
}

fn demo(folder: &Path) -> Vec<Stored> {
    let out = folder.to_str().expect("a plain path");
    let output = run(&["demo", "--months", "3", "--seed", "5", "--out", out]);
    assert!(output.status.success(), "{output:?}");
    let path = folder.join("fundwatch.sqlite");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("store");
    let mut select = store
        .prepare("SELECT id, detector, state, subject, withdrawn, json FROM alerts ORDER BY id")
        .expect("the table of alerts");
    let rows = select.query_map([], |row| {
        let json: String = row.get(5)?;
        let alert: Value = serde_json::from_str(&json).expect("an alert is JSON");
        Ok(Stored {
            id: row.get(0)?,
            detector: row.get(1)?,
            state: row.get(2)?,
            subject: row.get(3)?,
            withdrawn: row.get(4)?,
            evidence: alert["evidence"].as_array().map_or(0, Vec::len),
        })
    });
    rows.expect("alerts")
        .collect::<Result<_, _>>()
        .expect("alerts")
}

#[test]
fn every_alert_of_a_demo_is_explained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let alerts = demo(folder.path());
    let data = folder.path().to_str().expect("a plain path");
    let (mut calculated, mut judged_again) = (0, 0);
    for alert in &alerts {
        let what = format!("{} {}", alert.detector, alert.id);
        let output = run(&[
            "explain", &alert.id, "--data", data, "--raw", "--format", "json", "--lang", "en",
        ]);
        assert!(output.status.success(), "{what}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let said: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(said["id"], alert.id.as_str(), "{what}");
        assert!(
            !said["sentence"].as_str().unwrap_or_default().is_empty(),
            "{what}"
        );
        assert!(
            !said["history"].as_array().expect("a list").is_empty(),
            "{what}"
        );
        if is_of_person(alert) {
            assert!(!text.contains(&alert.subject), "{what} names its subject");
        }
        if alert.withdrawn {
            continue;
        }
        assert_eq!(said["rule"]["entry_is_another"], false, "{what}");
        if CALCULATED.contains(&alert.detector.as_str()) && alert.state == "open" {
            assert_eq!(said["rule"]["comes_out"], true, "{what}: {}", said["rule"]);
            calculated += 1;
        }
        if OF_A_SUBJECT.contains(&alert.detector.as_str()) {
            assert_eq!(said["recheck"], "same", "{what}");
            judged_again += 1;
        }
        let of_feeds = ["incomplete-feed", "silent-feed"].contains(&alert.detector.as_str());
        if !of_feeds {
            let evidence = said["evidence"].as_array().expect("a list");
            assert!(evidence.len() >= alert.evidence, "{what}");
            let raw = said["raw"].as_array().expect("a list");
            for (record, raw) in evidence.iter().zip(raw) {
                assert!(
                    record["place"]["line"].as_u64() >= Some(1),
                    "{what}: {record}"
                );
                // The line that is named is the record.
                let (_, id) = record["id"]
                    .as_str()
                    .expect("text")
                    .split_once('/')
                    .expect("topic/id");
                let raw = raw["record"].as_str().expect("the record");
                assert!(raw.contains(&format!("\"id\":\"{id}\"")), "{what}: {raw}");
            }
        }
    }
    assert!(
        calculated > 10 && judged_again > 10,
        "{calculated} {judged_again}"
    );
}

fn is_of_person(alert: &Stored) -> bool {
    ["deceased-recipient", "duplicate-payout", "missed-payout"].contains(&alert.detector.as_str())
}

#[test]
fn what_is_asked_wrongly_says_what_is_needed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let alerts = demo(folder.path());
    let data = folder.path().to_str().expect("a plain path");
    let elsewhere = folder.path().join("nowhere");
    let elsewhere = elsewhere.to_str().expect("a plain path");
    for (arguments, words) in [
        (
            vec!["explain", "zz", "--data", data],
            "there is no alert whose id is, or begins with, `zz`",
        ),
        (
            vec!["explain", "", "--data", data],
            "more than one alert's id begins with",
        ),
        (
            vec!["explain", "00", "--data", elsewhere],
            "a folder that `fundwatch demo --out` has filled",
        ),
        (vec!["explain", "00"], "--config"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // The beginning of an id is enough, and a terminal reads the same in both languages.
    let alert = alerts
        .iter()
        .find(|alert| alert.detector == "arrears")
        .expect("arrears");
    for (language, words) in [
        ("zh", ["计算", "证据", "经过"]),
        ("en", ["Step by step", "Evidence", "History"]),
    ] {
        let output = run(&[
            "explain",
            &alert.id[..12],
            "--data",
            data,
            "--lang",
            language,
        ]);
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(
            output.status.success() && said.contains(&alert.id),
            "{said}"
        );
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}
