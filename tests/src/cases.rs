//! The worked cases of `tests/cases`: small examples of the contract, worked out by hand.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::reference::intake::DeadLetter;

/// One folder.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// `as_of` of `case.json`.
    pub as_of: String,
    /// `policy_error_mentions`: where the policy is wrong, the message mentions one of each list's words.
    pub policy_error_mentions: Vec<Vec<String>>,
    /// `expected.jsonl`: all alerts and no others.
    pub alerts: Vec<Value>,
    /// `expected-dead.jsonl`, where there is one.
    pub dead_letters: Option<Vec<ExpectedDead>>,
}

/// A line of `expected-dead.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpectedDead {
    /// The topic's name.
    pub topic: String,
    /// The reasons, one of which it has to be.
    pub reasons: Vec<String>,
    /// The bytes.
    pub raw_base64: String,
}

impl Case {
    /// The folder of feeds.
    #[must_use]
    pub fn feeds(&self) -> PathBuf {
        self.folder.join("feeds")
    }

    /// The policy file.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.folder.join("policy.toml")
    }
}

/// All cases, by name.
///
/// # Panics
/// If a case cannot be read: the cases are part of the sources.
#[must_use]
pub fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Case {
    let about: Value =
        serde_json::from_slice(&fs::read(folder.join("case.json")).expect("case.json"))
            .expect("JSON");
    let lines = |name: &str| -> Option<Vec<Value>> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        Some(
            text.lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect(),
        )
    };
    let words = |list: &Value| -> Vec<String> {
        let words = list.as_array().into_iter().flatten();
        words
            .map(|word| {
                word.as_str()
                    .map_or_else(|| word.to_string(), str::to_owned)
            })
            .collect()
    };
    let dead_letter = |line: Value| serde_json::from_value(line).expect("an expected dead letter");
    Case {
        name: folder
            .file_name()
            .expect("a folder has a name")
            .to_string_lossy()
            .into_owned(),
        as_of: about["as_of"].as_str().expect("`as_of`").to_owned(),
        policy_error_mentions: about["policy_error_mentions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(words)
            .collect(),
        alerts: lines("expected.jsonl").expect("expected.jsonl"),
        dead_letters: lines("expected-dead.jsonl")
            .map(|dead| dead.into_iter().map(dead_letter).collect()),
        folder,
    }
}

/// Compares alerts with what is expected: every field that is given, `why` aside, of `details` every key that is
/// given; all alerts and no others.
///
/// # Errors
/// The first difference.
pub fn check_alerts(expected: &[Value], got: &[Value]) -> Result<(), String> {
    let key = |alert: &Value| {
        ["detector", "subject", "period", "item"].map(|part| alert[part].to_string())
    };
    for wanted in expected {
        let same_key: Vec<&Value> = got
            .iter()
            .filter(|alert| key(alert) == key(wanted))
            .collect();
        let [alert] = same_key.as_slice() else {
            return Err(format!(
                "{} alerts instead of one for {wanted}",
                same_key.len()
            ));
        };
        check_fields(wanted, alert)?;
    }
    let unexpected = got
        .iter()
        .find(|alert| !expected.iter().any(|wanted| key(wanted) == key(alert)));
    unexpected.map_or(Ok(()), |alert| Err(format!("unexpected alert {alert}")))
}

fn check_fields(wanted: &Value, alert: &Value) -> Result<(), String> {
    for (name, value) in wanted.as_object().into_iter().flatten() {
        let same = match name.as_str() {
            "why" => true,
            "details" => value
                .as_object()
                .into_iter()
                .flatten()
                .all(|(key, value)| alert["details"][key] == *value),
            _ => alert[name] == *value,
        };
        if !same {
            return Err(format!("`{name}` differs: expected {wanted}, got {alert}"));
        }
    }
    Ok(())
}

/// Compares dead letters with what is expected, in any order; all of them and no others.
///
/// # Errors
/// The first difference.
pub fn check_dead_letters(expected: &[ExpectedDead], got: &[DeadLetter]) -> Result<(), String> {
    let mut left = got.to_vec();
    for wanted in expected {
        let raw = BASE64_STANDARD
            .decode(&wanted.raw_base64)
            .map_err(|error| error.to_string())?;
        let found = left.iter().position(|letter| {
            letter.topic == wanted.topic
                && letter.raw == raw
                && wanted.reasons.contains(&letter.reason)
        });
        match found {
            Some(index) => drop(left.remove(index)),
            None => {
                return Err(format!(
                    "no dead letter {:?} of {}",
                    wanted.reasons,
                    String::from_utf8_lossy(&raw)
                ));
            }
        }
    }
    left.first().map_or(Ok(()), |letter| {
        Err(format!("unexpected dead letter {letter:?}"))
    })
}
