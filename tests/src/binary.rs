//! The program as a black box: found or built, run on files, its output read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::cargo;
use crate::reference::intake::DeadLetter;

/// The secret that alerts are named with in every run of the tests.
pub const ID_KEY: &str = "a key for tests";

/// The program: `FUNDWATCH_BIN`, or what `cargo build -p fundwatch` puts beside the running test.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn fundwatch() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("FUNDWATCH_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// Builds the program with the profile and into the target folder of the running test, which is
/// `TARGET/PROFILE/deps/NAME`.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile_dir = test
        .ancestors()
        .nth(2)
        .expect("tests run from TARGET/PROFILE/deps");
    let target_dir = profile_dir
        .parent()
        .expect("tests run from TARGET/PROFILE/deps");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = cargo::command()
        .args([
            "build",
            "--quiet",
            "--package",
            "fundwatch",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "`cargo build -p fundwatch` failed");
    profile_dir.join(format!("fundwatch{}", std::env::consts::EXE_SUFFIX))
}

/// What `fundwatch replay` wrote.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// `alerts.jsonl`, byte for byte.
    pub alert_bytes: Vec<u8>,
    /// The same, line by line.
    pub alerts: Vec<Value>,
    /// `dead-letter.jsonl`.
    pub dead_letters: Vec<DeadLetter>,
    /// `summary.json`.
    pub summary: Value,
}

/// Runs `fundwatch replay`, whatever comes of it.
///
/// # Panics
/// If the program cannot be started.
#[must_use]
pub fn run_replay(feeds: &Path, policy: &Path, as_of: &str, out: &Path, workers: usize) -> Output {
    run_replay_with_key(feeds, policy, as_of, out, workers, ID_KEY)
}

/// Runs `fundwatch replay` with a secret of its own for alert ids.
///
/// # Panics
/// If the program cannot be started.
#[must_use]
pub fn run_replay_with_key(
    feeds: &Path,
    policy: &Path,
    as_of: &str,
    out: &Path,
    workers: usize,
    id_key: &str,
) -> Output {
    Command::new(fundwatch())
        .arg("replay")
        .arg("--feeds")
        .arg(feeds)
        .arg("--policy")
        .arg(policy)
        .args(["--as-of", as_of])
        .arg("--out")
        .arg(out)
        .args(["--workers", &workers.to_string()])
        .env("FUNDWATCH_ID_KEY", id_key)
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("the program can be started")
}

/// Runs `fundwatch replay` and reads its output.
///
/// # Errors
/// What went wrong, with the program's own words.
pub fn replay(
    feeds: &Path,
    policy: &Path,
    as_of: &str,
    out: &Path,
    workers: usize,
) -> Result<Replayed, String> {
    let output = run_replay(feeds, policy, as_of, out, workers);
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!(
            "replay with {workers} workers: {}\n{words}",
            output.status
        ));
    }
    let read = |name: &str| fs::read(out.join(name)).map_err(|error| format!("{name}: {error}"));
    let alert_bytes = read("alerts.jsonl")?;
    Ok(Replayed {
        alerts: json_lines(&alert_bytes)?,
        dead_letters: json_lines(&read("dead-letter.jsonl")?)?
            .iter()
            .map(dead_letter)
            .collect::<Result<_, _>>()?,
        summary: serde_json::from_slice(&read("summary.json")?)
            .map_err(|error| format!("summary.json: {error}"))?,
        alert_bytes,
    })
}

fn json_lines(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).map_err(|error| error.to_string()))
        .collect()
}

/// Reads one line of `dead-letter.jsonl`, which has exactly the contract's fields.
fn dead_letter(line: &Value) -> Result<DeadLetter, String> {
    let bad = || format!("not a dead letter: {line}");
    let members: BTreeMap<String, Value> =
        serde_json::from_value(line.clone()).map_err(|_| bad())?;
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    if names != ["field", "position", "raw", "reason", "topic"] {
        return Err(bad());
    }
    let text = |name: &str| members[name].as_str().map(str::to_owned).ok_or_else(bad);
    Ok(DeadLetter {
        topic: text("topic")?,
        position: text("position")?,
        reason: text("reason")?,
        field: match &members["field"] {
            Value::Null => None,
            _ => Some(text("field")?),
        },
        raw: BASE64_STANDARD.decode(text("raw")?).map_err(|_| bad())?,
    })
}
