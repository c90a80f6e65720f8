//! Alert ids: the same for the key in every run with one secret, others with another, and never a person's number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use acceptance::binary;
use acceptance::cases;
use acceptance::reference::identifiers;
use serde_json::Value;

/// The ids of a case by detector, subject, period and item; checks that no two keys share one.
fn ids(case: &cases::Case, as_of: &str, id_key: &str) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().expect("a temporary folder");
    let output =
        binary::run_replay_with_key(&case.feeds(), &case.policy(), as_of, out.path(), 1, id_key);
    assert!(
        output.status.success(),
        "{}: {}",
        case.name,
        String::from_utf8_lossy(&output.stderr)
    );
    let ids: BTreeMap<String, String> = alerts(out.path())
        .iter()
        .map(|alert| {
            let key = ["detector", "subject", "period", "item"].map(|part| alert[part].to_string());
            (
                key.join(" "),
                alert["id"].as_str().expect("`id` is a string").to_owned(),
            )
        })
        .collect();
    let different: BTreeSet<&String> = ids.values().collect();
    assert_eq!(
        different.len(),
        ids.len(),
        "{}: two keys share an id",
        case.name
    );
    ids
}

fn alerts(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("alerts.jsonl")).expect("alerts.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn good_cases() -> impl Iterator<Item = cases::Case> {
    cases::all()
        .into_iter()
        .filter(|case| case.policy_error_mentions.is_empty())
}

#[test]
fn ids_depend_on_the_key_and_the_secret_alone() {
    for case in good_cases() {
        let first = ids(&case, &case.as_of, binary::ID_KEY);
        let later = ids(&case, "2030-01-01", binary::ID_KEY);
        let other_secret = ids(&case, &case.as_of, "another key for tests");
        for (key, id) in &first {
            assert!(
                later.get(key).is_none_or(|same| same == id),
                "{}: {key} is renamed by time",
                case.name
            );
            assert_ne!(
                other_secret.get(key),
                Some(id),
                "{}: {key} does not depend on the secret",
                case.name
            );
        }
    }
}

#[test]
fn ids_do_not_hold_a_persons_number() {
    let mut persons = 0;
    for case in good_cases() {
        for (key, id) in ids(&case, &case.as_of, binary::ID_KEY) {
            let subject = key.split('"').nth(3).expect("a key has a subject");
            let Some(person) = identifiers::person(subject) else {
                continue;
            };
            persons += 1;
            // Neither the number nor the part of it that says when somebody was born.
            let tells = id.contains(&person) || id.contains(&person[6..14]);
            assert!(!tells, "{}: {id} says {key}", case.name);
        }
    }
    assert!(persons > 10, "{persons}");
}

/// One secret for all cases: a key has the same id wherever it occurs.
#[test]
fn a_key_has_one_id_in_all_runs() {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for case in good_cases() {
        for (key, id) in ids(&case, &case.as_of, binary::ID_KEY) {
            let first = known.entry(key.clone()).or_insert_with(|| id.clone());
            assert_eq!(*first, id, "{}: {key}", case.name);
        }
    }
}
