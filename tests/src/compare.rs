//! What the program wrote against what the reference says, in words that help to find the cause.

use serde_json::{Map, Value, json};

use crate::binary::Replayed;
use crate::reference::Outcome;
use crate::reference::intake::DeadLetter;
use crate::reference::money::show;

/// Compares everything that the contract fixes.
///
/// # Errors
/// The differences, one a line.
pub fn same(expected: &Outcome, got: &Replayed) -> Result<(), String> {
    let mut differences = Vec::new();
    differences.extend(of_lists(
        "alert",
        &expected.alerts,
        &comparable_alerts(&got.alerts),
    ));
    differences.extend(of_lists(
        "dead letter",
        &sorted(&expected.dead_letters),
        &sorted(&got.dead_letters),
    ));
    differences.extend(of_summary(expected, &got.summary));
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences.join("\n"))
    }
}

/// The program's alerts as the reference shows its own: without `id`, which depends on a secret, and with those
/// `details` alone that the contract names.
#[must_use]
pub fn comparable_alerts(alerts: &[Value]) -> Vec<Value> {
    alerts.iter().map(comparable_alert).collect()
}

fn comparable_alert(alert: &Value) -> Value {
    let mut alert = alert.clone();
    let Some(members) = alert.as_object_mut() else {
        return alert;
    };
    members.remove("id");
    if let Some(Value::Object(details)) = members.get_mut("details") {
        details.retain(|key, _| key == "surcharge" || key == "match");
    }
    alert
}

fn sorted(letters: &[DeadLetter]) -> Vec<String> {
    let mut sorted = letters.to_vec();
    sorted.sort();
    sorted.iter().map(describe).collect()
}

fn describe(letter: &DeadLetter) -> String {
    let field = letter.field.as_deref().unwrap_or("no field");
    let raw = String::from_utf8_lossy(&letter.raw);
    format!(
        "{} {} {} ({field}) {raw}",
        letter.topic, letter.position, letter.reason
    )
}

/// What one list has and the other has not; failing that, whether the order differs.
fn of_lists<T: PartialEq + std::fmt::Display>(
    what: &str,
    expected: &[T],
    got: &[T],
) -> Vec<String> {
    let mut differences = Vec::new();
    for element in expected.iter().filter(|element| !got.contains(element)) {
        differences.push(format!("missing {what}:    {element}"));
    }
    for element in got.iter().filter(|element| !expected.contains(element)) {
        differences.push(format!("unexpected {what}: {element}"));
    }
    if differences.is_empty() && expected != got {
        differences.push(format!(
            "{what}s in another order, or repeated: {} and {}",
            expected.len(),
            got.len()
        ));
    }
    differences
}

/// Compares `feeds` and `detectors` of `summary.json`; a reason that did not occur may be missing or zero.
fn of_summary(expected: &Outcome, got: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    for (topic, counts) in &expected.feeds {
        let of_topic = &got["feeds"][*topic];
        let got = json!({
            "read": of_topic["read"],
            "accepted": of_topic["accepted"],
            "redelivered": of_topic["redelivered"],
            "rejected": without_zeros(&of_topic["rejected"]),
        });
        let expected = json!({
            "read": counts.read,
            "accepted": counts.accepted,
            "redelivered": counts.redelivered,
            "rejected": counts.rejected,
        });
        if got != expected {
            differences.push(format!(
                "summary of {topic}: expected {expected}, got {got}"
            ));
        }
    }
    for (detector, totals) in &expected.detectors {
        let expected = json!({
            "open": totals.open,
            "cleared": totals.cleared,
            "amount_open": show(totals.amount_open),
        });
        let got = &got["detectors"][*detector];
        if *got != expected {
            differences.push(format!(
                "summary of {detector}: expected {expected}, got {got}"
            ));
        }
    }
    differences
}

fn without_zeros(rejected: &Value) -> Value {
    match rejected {
        Value::Object(counts) => {
            let counts = counts.iter().filter(|(_, count)| **count != json!(0));
            counts
                .map(|(reason, count)| (reason.clone(), count.clone()))
                .collect::<Map<_, _>>()
                .into()
        }
        other => other.clone(),
    }
}
