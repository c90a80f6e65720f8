//! Random histories: the program against the reference, over worker counts, file layouts and orders.
//!
//! `FUNDWATCH_HISTORIES` says how many (150), `FUNDWATCH_SEED` from which seed on (0); a seed alone replays that one.
//! A history that fails is made smaller, and kept in the build folder with the command that replays it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use acceptance::binary;
use acceptance::compare;
use acceptance::history::History;
use acceptance::reference::facts::Topic;
use acceptance::reference::{self, Outcome, period, policy::Policy};

const WORKERS: [usize; 3] = [1, 2, 3];

fn reference_outcome(history: &History, folder: &Path) -> Outcome {
    let policy = Policy::parse(&history.policy).expect("a random policy is good");
    let as_of = period::date(&history.as_of).expect("`as_of` is a date");
    reference::replay(&folder.join("feeds"), &policy, as_of).expect("feeds that can be read")
}

fn has_conflicts(outcome: &Outcome) -> bool {
    outcome
        .feeds
        .values()
        .any(|counts| counts.rejected.contains_key("conflicting-id"))
}

/// Runs the program on a history, each time with another number of workers and, where no two records are in conflict,
/// in another order and other files; compares with the reference each time, and the alerts with the first ones.
fn check(history: &History) -> Result<(), String> {
    let first = tempfile::tempdir().map_err(|error| error.to_string())?;
    history
        .write(first.path(), 0)
        .map_err(|error| error.to_string())?;
    let expected = reference_outcome(history, first.path());
    let mut first_bytes: Option<Vec<u8>> = None;
    for (layout, workers) in (0..).zip(WORKERS) {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let layout = if has_conflicts(&expected) { 0 } else { layout };
        history
            .write(folder.path(), layout)
            .map_err(|error| error.to_string())?;
        let about =
            |difference: String| format!("layout {layout}, {workers} workers:\n{difference}");
        let (feeds, policy) = (
            folder.path().join("feeds"),
            folder.path().join("policy.toml"),
        );
        let got = binary::replay(
            &feeds,
            &policy,
            &history.as_of,
            &folder.path().join("out"),
            workers,
        )
        .map_err(about)?;
        let expected = match layout {
            0 => expected.clone(),
            _ => Outcome {
                // The order of arrival decides where dead letters stand, and nothing else.
                dead_letters: reference_dead_letters(history, folder.path()),
                ..expected.clone()
            },
        };
        compare::same(&expected, &got).map_err(about)?;
        match &first_bytes {
            Some(bytes) if *bytes != got.alert_bytes => {
                return Err(about("alerts.jsonl differs in bytes".to_owned()));
            }
            Some(_) => {}
            None => first_bytes = Some(got.alert_bytes),
        }
    }
    Ok(())
}

fn reference_dead_letters(history: &History, folder: &Path) -> Vec<reference::intake::DeadLetter> {
    let policy = Policy::parse(&history.policy).expect("a random policy is good");
    let intake =
        reference::take_in(&folder.join("feeds"), &policy).expect("feeds that can be read");
    intake.dead_letters
}

/// Leaves out lines as long as the history still fails.
fn smaller(mut history: History) -> History {
    let mut chunk = history.lines.len() / 2;
    let mut attempts = 200;
    while chunk > 0 {
        let mut start = 0;
        while start < history.lines.len() && attempts > 0 {
            attempts -= 1;
            let mut candidate = history.clone();
            let end = (start + chunk).min(candidate.lines.len());
            candidate.lines.drain(start..end);
            if check(&candidate).is_err() {
                history = candidate;
            } else {
                start += chunk;
            }
        }
        chunk /= 2;
    }
    history
}

/// Makes a failing history small, keeps it, and tells about it.
fn report(history: History, difference: &str) -> String {
    let seed = history.seed;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{seed}"));
    let small = smaller(history);
    let small_difference = check(&small).err().unwrap_or_default();
    let _ = fs::remove_dir_all(&folder);
    let kept = match small.write(&folder, 0) {
        Ok(()) => folder.display().to_string(),
        Err(error) => format!("nowhere: {error}"),
    };
    let lines = small
        .lines
        .iter()
        .map(|(topic, line)| format!("  {topic} {}", String::from_utf8_lossy(line)));
    format!(
        "seed {seed}, as-of {} (replay with FUNDWATCH_SEED={seed}, made smaller in {kept}):\n{difference}\n\
         made smaller to {} lines:\n{}\n{small_difference}\n",
        small.as_of,
        small.lines.len(),
        lines.collect::<Vec<_>>().join("\n"),
    )
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number in the environment variable"))
}

fn seeds() -> std::ops::Range<u64> {
    match (number("FUNDWATCH_SEED"), number("FUNDWATCH_HISTORIES")) {
        (Some(seed), None) => seed..seed + 1,
        (seed, count) => seed.unwrap_or(0)..seed.unwrap_or(0) + count.unwrap_or(150),
    }
}

#[test]
fn program_agrees_with_the_reference_on_random_histories() {
    let seeds = seeds();
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    // Built once, before the threads need it.
    let _program = binary::fundwatch();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let enough = failures.lock().expect("no test thread panics").len() >= 5;
            if seed >= seeds.end || enough {
                return;
            }
            let history = History::random(seed);
            if let Err(difference) = check(&history) {
                let text = report(history, &difference);
                failures.lock().expect("no test thread panics").push(text);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().expect("no test thread panics");
    assert!(
        failures.is_empty(),
        "{} histories:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The reference itself does not care for order either.
#[test]
fn reference_is_a_function_of_the_set_of_facts() {
    for seed in 0..60 {
        let history = History::random(seed);
        let outcomes = [0, 1, 2].map(|layout| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            history
                .write(folder.path(), layout)
                .expect("a folder that can be written");
            reference_outcome(&history, folder.path())
        });
        if !has_conflicts(&outcomes[0]) {
            assert_eq!(outcomes[0].alerts, outcomes[1].alerts, "seed {seed}");
            assert_eq!(outcomes[0].alerts, outcomes[2].alerts, "seed {seed}");
            assert_eq!(outcomes[0].feeds, outcomes[2].feeds, "seed {seed}");
        }
    }
}

/// What random histories never reach, they do not test.
#[test]
fn histories_reach_everything() {
    let mut alerts: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let mut reasons = BTreeSet::new();
    let mut redelivered = 0;
    let mut graded = BTreeSet::new();
    for seed in 0..600 {
        let history = History::random(seed);
        let folder = tempfile::tempdir().expect("a temporary folder");
        history
            .write(folder.path(), 0)
            .expect("a folder that can be written");
        let outcome = reference_outcome(&history, folder.path());
        for alert in &outcome.alerts {
            let counts = alerts
                .entry(alert["detector"].as_str().unwrap_or_default().to_owned())
                .or_default();
            counts[0] += usize::from(alert["state"] == "open");
            counts[1] += usize::from(alert["state"] == "cleared");
            counts[2] += usize::from(alert["episodes"] != 1);
            counts[3] += usize::from(alert["amount"] != alert["peak"] && alert["state"] == "open");
            graded.extend(alert["details"]["match"].as_str().map(str::to_owned));
        }
        reasons.extend(outcome.dead_letters.into_iter().map(|letter| letter.reason));
        redelivered += Topic::ALL
            .iter()
            .map(|topic| outcome.feeds[topic.name()].redelivered)
            .sum::<u64>();
    }
    assert_eq!(alerts.len(), 9, "{alerts:?}");
    for (detector, [open, cleared, several, below_peak]) in &alerts {
        // Once it is late, what makes these hold can only go away.
        let holds_once =
            ["undeclared", "late-remittance", "stalled-subsidy"].contains(&detector.as_str());
        let reached = *open > 10 && *cleared > 5 && (holds_once || *several > 0) && *below_peak > 0;
        assert!(reached, "{detector}: {alerts:?}");
    }
    assert!(redelivered > 200, "{redelivered}");
    assert_eq!(graded.len(), 3, "{graded:?}");
    // `too-large` takes a mebibyte; the corpus of bad input has it.
    assert_eq!(reasons.len(), 14, "{reasons:?}");
}
