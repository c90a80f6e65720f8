//! Every worked case, through the reference and through the program.

use std::fs;

use acceptance::binary;
use acceptance::cases::{self, Case};
use acceptance::compare;
use acceptance::reference::{self, Outcome, period, policy::Policy};

fn reference_outcome(case: &Case) -> Outcome {
    let text = fs::read_to_string(case.policy()).expect("policy.toml");
    let policy = Policy::parse(&text).expect("a good policy");
    let as_of = period::date(&case.as_of).expect("`as_of` is a date");
    reference::replay(&case.feeds(), &policy, as_of).expect("feeds that can be read")
}

/// Runs `check` on each case of which `choose` says so, and reports all failures together.
fn for_each_case(choose: impl Fn(&Case) -> bool, check: impl Fn(&Case) -> Result<(), String>) {
    let chosen: Vec<Case> = cases::all().into_iter().filter(choose).collect();
    assert!(!chosen.is_empty(), "no cases");
    let failures: Vec<String> = chosen
        .iter()
        .filter_map(|case| {
            check(case)
                .err()
                .map(|difference| format!("{}: {difference}", case.name))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases:\n{}",
        failures.len(),
        chosen.len(),
        failures.join("\n")
    );
}

fn has_good_policy(case: &Case) -> bool {
    case.policy_error_mentions.is_empty()
}

#[test]
fn reference_agrees_with_every_case() {
    for_each_case(has_good_policy, |case| {
        let outcome = reference_outcome(case);
        cases::check_alerts(&case.alerts, &outcome.alerts)?;
        match &case.dead_letters {
            Some(expected) => cases::check_dead_letters(expected, &outcome.dead_letters),
            None => cases::check_dead_letters(&[], &outcome.dead_letters),
        }
    });
}

#[test]
fn program_agrees_with_every_case_and_with_the_reference() {
    for_each_case(has_good_policy, |case| {
        let reference = reference_outcome(case);
        for workers in [1, 2] {
            let out = tempfile::tempdir().expect("a temporary folder");
            let got = binary::replay(
                &case.feeds(),
                &case.policy(),
                &case.as_of,
                out.path(),
                workers,
            )?;
            cases::check_alerts(&case.alerts, &got.alerts)?;
            cases::check_dead_letters(
                case.dead_letters.as_deref().unwrap_or_default(),
                &got.dead_letters,
            )?;
            compare::same(&reference, &got)?;
        }
        Ok(())
    });
}

#[test]
fn program_refuses_wrong_policies_and_says_where() {
    for_each_case(
        |case| !has_good_policy(case),
        |case| {
            let out = tempfile::tempdir().expect("a temporary folder");
            let output =
                binary::run_replay(&case.feeds(), &case.policy(), &case.as_of, out.path(), 1);
            let words = String::from_utf8_lossy(&output.stderr);
            if output.status.code() != Some(2) {
                return Err(format!("exit {} instead of 2: {words}", output.status));
            }
            for list in &case.policy_error_mentions {
                if !list.iter().any(|word| words.contains(word)) {
                    return Err(format!("mentions none of {list:?}: {words}"));
                }
            }
            Ok(())
        },
    );
}
