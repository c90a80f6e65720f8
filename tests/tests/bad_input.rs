//! Bad input: every reason for every field, files that cannot be read, policies with each kind of error.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use acceptance::binary;
use acceptance::compare;
use acceptance::reference::decode::{self, BYTES_MAX};
use acceptance::reference::facts::Topic;
use acceptance::reference::intake::DeadLetter;
use acceptance::reference::{self, period, policy::Policy};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use tempfile::TempDir;

const AS_OF: &str = "2024-03-31";

/// A line of `corpus/records.jsonl`.
#[derive(Clone, Debug, Deserialize)]
struct BadRecord {
    why: String,
    topic: String,
    raw: Option<String>,
    raw_base64: Option<String>,
    reason: Option<String>,
    field: Option<String>,
}

impl BadRecord {
    fn bytes(&self) -> Vec<u8> {
        match (&self.raw, &self.raw_base64) {
            (Some(raw), None) => raw.clone().into_bytes(),
            (None, Some(raw)) => BASE64_STANDARD.decode(raw).expect("base64"),
            _ => panic!("either `raw` or `raw_base64`: {self:?}"),
        }
    }

    fn topic(&self) -> Topic {
        let mut topics = Topic::ALL.into_iter();
        topics
            .find(|topic| topic.name() == self.topic)
            .expect("a topic")
    }
}

fn in_sources(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn good_policy() -> String {
    fs::read_to_string(in_sources("cases/01-under-declared/policy.toml")).expect("a good policy")
}

fn corpus<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let text = fs::read_to_string(in_sources("corpus").join(name)).expect("the corpus");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of the corpus"))
        .collect()
}

/// A folder with a good policy and feeds.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("policy.toml"), good_policy()).expect("a writable folder");
        fs::create_dir(folder.path().join("feeds")).expect("a writable folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a writable folder");
    }

    fn run(&self) -> Output {
        binary::run_replay(
            &self.path("feeds"),
            &self.path("policy.toml"),
            AS_OF,
            &self.path("out"),
            2,
        )
    }

    /// Runs the program and compares with the reference; returns the dead letters.
    fn agrees_with_the_reference(&self) -> Vec<DeadLetter> {
        let policy = Policy::parse(&good_policy()).expect("a good policy");
        let as_of = period::date(AS_OF).expect("a date");
        let expected =
            reference::replay(&self.path("feeds"), &policy, as_of).expect("feeds that can be read");
        for workers in [1, 2] {
            let out = self.path(&format!("out-{workers}"));
            let got = binary::replay(
                &self.path("feeds"),
                &self.path("policy.toml"),
                AS_OF,
                &out,
                workers,
            )
            .unwrap_or_else(|error| panic!("{error}"));
            compare::same(&expected, &got)
                .unwrap_or_else(|difference| panic!("{workers} workers:\n{difference}"));
        }
        expected.dead_letters
    }

    /// Runs the program, which has to fail, to name `file`, and to leave no output.
    fn fails_naming(&self, file: &str) {
        let output = self.run();
        let words = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(
            !matches!(code, None | Some(0 | 101)),
            "{file}: {}: {words}",
            output.status
        );
        assert!(words.contains(file), "`{file}` is not named: {words}");
        self.left_no_output();
    }

    fn left_no_output(&self) {
        for name in ["alerts.jsonl", "dead-letter.jsonl", "summary.json"] {
            assert!(
                !self.path("out").join(name).exists(),
                "`{name}` was left behind"
            );
        }
    }
}

const GOOD_LINE: &str = r#"{"type":"payment","id":"P1","region":"341002","date":"2024-03-05","enterprise":"91341002MA2TEXT08E","period":"2024-02","amount":"1"}"#;

#[test]
fn reference_rejects_as_the_corpus_says() {
    let policy = Policy::parse(&good_policy()).expect("a good policy");
    let mut wrong = Vec::new();
    for record in corpus::<BadRecord>("records.jsonl") {
        let got = match decode::decode(record.topic(), &record.bytes(), &policy) {
            Ok(_) => (None, None),
            Err(rejection) => (
                Some(rejection.reason.to_owned()),
                rejection.field.map(str::to_owned),
            ),
        };
        if got != (record.reason.clone(), record.field.clone()) {
            wrong.push(format!("{got:?} instead of {record:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn program_rejects_as_the_corpus_says() {
    let stage = Stage::new();
    let mut files: BTreeMap<Topic, Vec<u8>> = BTreeMap::new();
    let mut positions: BTreeMap<Topic, usize> = BTreeMap::new();
    let mut expected = Vec::new();
    for record in corpus::<BadRecord>("records.jsonl") {
        let topic = record.topic();
        let file = files.entry(topic).or_default();
        file.extend(record.bytes());
        file.push(b'\n');
        let line = positions.entry(topic).or_default();
        *line += 1;
        if let Some(reason) = &record.reason {
            let letter = DeadLetter {
                topic: topic.name().to_owned(),
                position: format!("{topic}.jsonl:{line}"),
                reason: reason.clone(),
                field: record.field.clone(),
                raw: record.bytes(),
            };
            expected.push((letter, record.why));
        }
    }
    for (topic, bytes) in files {
        stage.write(&format!("feeds/{topic}.jsonl"), &bytes);
    }
    let out = stage.path("out");
    let got = binary::replay(
        &stage.path("feeds"),
        &stage.path("policy.toml"),
        AS_OF,
        &out,
        2,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for (letter, why) in &expected {
        if !got.dead_letters.contains(letter) {
            let same_place = got
                .dead_letters
                .iter()
                .find(|other| other.position == letter.position);
            let other = same_place.map(|other| (&other.reason, &other.field));
            let raw = String::from_utf8_lossy(&letter.raw);
            wrong.push(format!(
                "{why}: expected {} ({:?}), got {other:?}: {raw}",
                letter.reason, letter.field
            ));
        }
    }
    for letter in &got.dead_letters {
        if !expected
            .iter()
            .any(|(wanted, _)| wanted.position == letter.position)
        {
            wrong.push(format!("rejected, but good: {letter:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} records:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    stage.agrees_with_the_reference();
}

/// The largest record is accepted, and of a larger one the first 1024 bytes are shown, whatever they are.
#[test]
fn size_is_judged_first() {
    let stage = Stage::new();
    let padded = |id: &str, size: usize| {
        let head = GOOD_LINE.replace("P1", id).replace('}', r#","memo":""#);
        let padding = "x".repeat(size - head.len() - 2);
        format!("{head}{padding}\"}}")
    };
    let mut file = Vec::new();
    file.extend(padded("P1", BYTES_MAX).into_bytes());
    file.extend(b"\r\n");
    file.extend(padded("P2", BYTES_MAX + 1).into_bytes());
    file.extend(b"\n");
    file.extend(vec![0xff; BYTES_MAX + 1]);
    file.extend(b"\n");
    file.extend("[".repeat(2 * BYTES_MAX).into_bytes());
    file.extend(b"\n");
    // A blank line is none, however long.
    file.extend(" ".repeat(BYTES_MAX + 1).into_bytes());
    file.extend(b"\n");
    file.extend(padded("P3", BYTES_MAX).into_bytes());
    stage.write("feeds/tax.collection.jsonl", &file);
    let dead_letters = stage.agrees_with_the_reference();
    let shown: Vec<_> = dead_letters
        .iter()
        .map(|letter| {
            (
                letter.position.as_str(),
                letter.reason.as_str(),
                letter.raw.len(),
            )
        })
        .collect();
    let expected =
        [2, 3, 4].map(|line| (format!("tax.collection.jsonl:{line}"), "too-large", 1024));
    assert_eq!(
        shown,
        expected
            .each_ref()
            .map(|(position, reason, size)| (position.as_str(), *reason, *size))
    );
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line_has_a_last_record() {
    let stage = Stage::new();
    stage.write(
        "feeds/tax.collection.jsonl",
        format!("{GOOD_LINE}\n{}", &GOOD_LINE[..60]).as_bytes(),
    );
    let dead_letters = stage.agrees_with_the_reference();
    assert_eq!(dead_letters.len(), 1);
    assert_eq!(dead_letters[0].position, "tax.collection.jsonl:2");
    assert_eq!(dead_letters[0].reason, "not-json");
}

#[test]
fn lines_end_and_are_blank_as_the_contract_says() {
    let stage = Stage::new();
    let mut file = Vec::new();
    for (index, end) in ["\n", "\r\n", "\n\n \t\n\r\n\r\r\n", "\r\r\n", "\r"]
        .into_iter()
        .enumerate()
    {
        let good = GOOD_LINE.replace("P1", &format!("P{index}"));
        file.extend(format!("{good}{end}{{bad{index}{end}").into_bytes());
    }
    stage.write("feeds/tax.collection.jsonl", &file);
    stage.agrees_with_the_reference();
}

#[test]
fn empty_and_foreign_files_are_no_trouble() {
    let stage = Stage::new();
    for name in [
        "tax.collection.jsonl",
        "civil.death.jsonl.zst",
        "readme.md",
        "tax.json",
        "tax.collection.jsonl.bak",
    ] {
        stage.write(&format!("feeds/{name}"), b"");
    }
    fs::create_dir(stage.path("feeds/agency.payout")).expect("a writable folder");
    stage.write("feeds/agency.payout/notes.txt", b"{");
    stage.write("feeds/agency.payout/a.jsonl", b"\n");
    fs::create_dir(stage.path("feeds/unknown.topic")).expect("a writable folder");
    stage.write("feeds/unknown.topic/a.jsonl", b"{");
    stage.write("feeds/unknown.topic.jsonl", b"{");
    fs::remove_file(stage.path("feeds/civil.death.jsonl.zst")).expect("it was there");
    assert!(stage.agrees_with_the_reference().is_empty());
}

#[test]
fn a_folder_in_place_of_a_file_is_an_error() {
    let stage = Stage::new();
    stage.write("feeds/civil.death.jsonl", b"");
    fs::create_dir(stage.path("feeds/tax.collection.jsonl")).expect("a writable folder");
    stage.fails_naming("tax.collection.jsonl");
}

#[test]
fn a_file_that_may_not_be_read_is_an_error() {
    let stage = Stage::new();
    stage.write("feeds/tax.collection.jsonl", GOOD_LINE.as_bytes());
    let path = stage.path("feeds/tax.collection.jsonl");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("our own file");
    if fs::read(&path).is_ok() {
        // The superuser may read everything.
        return;
    }
    stage.fails_naming("tax.collection.jsonl");
}

#[test]
fn packed_files_that_are_cut_or_not_packed_are_errors() {
    let lines = format!("{GOOD_LINE}\n").repeat(2000);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gz, lines.as_bytes()).expect("memory");
    let gz = gz.finish().expect("memory");
    let zst = zstd::encode_all(lines.as_bytes(), 3).expect("memory");
    let mut wrong_sum = gz.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 0xff;
    for (name, bytes) in [
        ("tax.collection.jsonl.gz", &gz[..gz.len() / 2]),
        ("tax.collection.jsonl.gz", &gz[..gz.len() - 4]),
        ("tax.collection.jsonl.gz", &wrong_sum),
        ("tax.collection.jsonl.gz", lines.as_bytes()),
        ("tax.collection.jsonl.gz", &[]),
        ("tax.collection.jsonl.zst", &zst[..zst.len() / 2]),
        ("tax.collection.jsonl.zst", &zst[..zst.len() - 1]),
        ("tax.collection.jsonl.zst", lines.as_bytes()),
    ] {
        let stage = Stage::new();
        stage.write("feeds/civil.death.jsonl", b"{bad\n");
        stage.write(&format!("feeds/{name}"), bytes);
        stage.fails_naming(name);
        let policy = Policy::parse(&good_policy()).expect("a good policy");
        assert!(
            reference::take_in(&stage.path("feeds"), &policy).is_err(),
            "{name}"
        );
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let stage = Stage::new();
    stage.write("feeds/tax.collection.jsonl", GOOD_LINE.as_bytes());
    stage.write("out", b"a file where a folder belongs");
    let output = stage.run();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        !matches!(output.status.code(), None | Some(0 | 101)),
        "{}: {words}",
        output.status
    );
    assert!(words.contains("out"), "{words}");
}

/// A line of `corpus/policies.jsonl`.
#[derive(Clone, Debug, Deserialize)]
struct WrongPolicy {
    why: String,
    find: String,
    put: String,
    key: String,
    at: String,
}

/// Writes a wrong policy, runs the program, and says what is wrong with what it says.
fn refusal(text: &str, key: &str, at: &str) -> Result<(), String> {
    let stage = Stage::new();
    stage.write("policy.toml", text.as_bytes());
    stage.write("feeds/tax.collection.jsonl", GOOD_LINE.as_bytes());
    let output = stage.run();
    let words = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(2) {
        return Err(format!("{} instead of 2: {words}", output.status));
    }
    stage.left_no_output();
    let line = 1 + text
        .lines()
        .position(|line| line.contains(at))
        .expect("`at` is in the policy");
    let numbers: Vec<&str> = words
        .split(|character: char| !character.is_ascii_digit())
        .collect();
    let line_is_named = numbers.contains(&line.to_string().as_str());
    if words.contains("policy.toml") && words.contains(key) && line_is_named {
        Ok(())
    } else {
        Err(format!(
            "expected policy.toml, line {line} and `{key}`: {words}"
        ))
    }
}

#[test]
fn wrong_policies_are_refused_with_file_line_and_key() {
    let good = good_policy();
    let mut wrong = Vec::new();
    for policy in corpus::<WrongPolicy>("policies.jsonl") {
        assert!(
            good.contains(&policy.find),
            "nothing to replace: {policy:?}"
        );
        let text = good.replacen(&policy.find, &policy.put, 1);
        if let Err(difference) = refusal(&text, &policy.key, &policy.at) {
            wrong.push(format!("{} (`{}`): {difference}", policy.why, policy.at));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} policies:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Each of the dated tables has at least one entry, and no two with one `from`.
#[test]
fn tables_without_entries_and_repeated_entries_are_refused() {
    let good = good_policy();
    for table in ["contribution", "surcharge", "benefit", "remittance"] {
        let header = format!("[[{table}]]");
        let start = good.find(&header).expect("the table");
        let end = start
            + good[start..]
                .find("\n\n")
                .expect("an empty line after the table")
            + 2;
        let without = format!("{}{}", &good[..start], &good[end..]);
        let stage = Stage::new();
        stage.write("policy.toml", without.as_bytes());
        let output = stage.run();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{table}: {words}");
        assert!(
            words.contains("policy.toml") && words.contains(table),
            "{table}: {words}"
        );

        let twice = format!("{}{}{}", &good[..end], &good[start..end], &good[end..]);
        stage.write("policy.toml", twice.as_bytes());
        let output = stage.run();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{table}: {words}");
        assert!(
            words.contains("policy.toml") && words.contains("from"),
            "{table}: {words}"
        );
    }
}

#[test]
fn policies_that_are_no_files_or_no_text_are_refused() {
    let stage = Stage::new();
    stage.write("policy.toml", b"[pool]\nname = \"\xbb\xc6\"\n");
    let unreadable = stage.run();
    fs::remove_file(stage.path("policy.toml")).expect("it was there");
    let missing = stage.run();
    fs::create_dir(stage.path("policy.toml")).expect("a writable folder");
    let folder = stage.run();
    for output in [unreadable, missing, folder] {
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("policy.toml"), "{words}");
    }
    stage.left_no_output();
}

#[test]
fn wrong_usage_exits_2() {
    let stage = Stage::new();
    let (feeds, policy, out) = (
        stage.path("feeds"),
        stage.path("policy.toml"),
        stage.path("out"),
    );
    for as_of in ["2024-02-30", "yesterday", "", "2024-3-1"] {
        let output = binary::run_replay(&feeds, &policy, as_of, &out, 1);
        assert_eq!(
            output.status.code(),
            Some(2),
            "as-of `{as_of}`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let no_workers = binary::run_replay(&feeds, &policy, AS_OF, &out, 0);
    assert_eq!(
        no_workers.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&no_workers.stderr)
    );
    let no_feeds = binary::run_replay(&stage.path("nowhere"), &policy, AS_OF, &out, 1);
    let words = String::from_utf8_lossy(&no_feeds.stderr);
    assert!(
        !matches!(no_feeds.status.code(), None | Some(0 | 101)),
        "{words}"
    );
    assert!(words.contains("nowhere"), "{words}");
    stage.left_no_output();
}

/// A folder that is another one than was meant has no alerts, either: that is said.
#[test]
fn feeds_that_are_none_are_warned_of() {
    let stage = Stage::new();
    let (policy, out) = (stage.path("policy.toml"), stage.path("out"));
    let feeds = stage.path("elsewhere");
    fs::create_dir(&feeds).expect("a writable folder");
    let misspelt = "tax.colection.jsonl";
    for name in [misspelt, "truth.jsonl"] {
        fs::write(feeds.join(name), "{}\n").expect("a writable folder");
    }
    let output = binary::run_replay(&feeds, &policy, AS_OF, &out, 1);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}");
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(lines.len(), 2, "{words}");
    assert!(lines[0].contains(misspelt), "{words}");
    assert!(lines[1].contains("has no records"), "{words}");

    stage.write("feeds/tax.collection.jsonl", b"{}\n");
    let output = binary::run_replay(&stage.path("feeds"), &policy, AS_OF, &out, 1);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!words.contains("warning"), "{words}");
}
