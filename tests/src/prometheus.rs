//! A real Prometheus for as long as a test runs: Debian's, on a free port of the loopback address.
//!
//! Where it is not installed the peer is `Unavailable`; `FUNDWATCH_REQUIRE_PROMETHEUS=1` makes that a failure.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon;
use crate::peer::{self, Process, StartError};

/// What makes a Prometheus that is missing a failure.
pub const REQUIRED_BY: &str = "FUNDWATCH_REQUIRE_PROMETHEUS";

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running Prometheus; it and what it knows end when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

/// A series of an answer: its labels, and its values by time in seconds.
#[derive(Clone, Debug)]
pub struct Series {
    /// Labels with their values.
    pub labels: Value,
    /// Time and value; one pair of an answer for now.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts it with a configuration, in which `@OWN@` stands for its own address.
    pub fn start(config: &str) -> Result<Self, StartError> {
        let folder = TempDir::with_prefix("fundwatch-prometheus-")?;
        let port = peer::free_port()?;
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config.replace("@OWN@", &format!("127.0.0.1:{port}")))?;
        available("prometheus")?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // Alerts are told on a minute after the start otherwise.
            .arg("--rules.alert.resend-delay=1s");
        let mut process = Process::start(&command, &folder.path().join("log"))?;
        process.wait_until(START_LIMIT, || is_ready(port))?;
        Ok(Self {
            _process: process,
            port,
            _folder: folder,
        })
    }

    /// The values of a query at a time.
    pub fn at(&self, expr: &str, time: f64) -> io::Result<Vec<Series>> {
        self.answer(&format!("query?query={}&time={time}", encoded(expr)))
    }

    /// The values of a query from one time to another, a second apart.
    pub fn between(&self, expr: &str, from: f64, to: f64) -> io::Result<Vec<Series>> {
        self.answer(&format!(
            "query_range?query={}&start={from}&end={to}&step=1",
            encoded(expr)
        ))
    }

    /// Its rules, as its API has them.
    pub fn rules(&self) -> io::Result<Value> {
        self.ask("rules")
    }

    fn answer(&self, question: &str) -> io::Result<Vec<Series>> {
        let data = self.ask(question)?;
        let result = data["result"].as_array().cloned().unwrap_or_default();
        Ok(match data["resultType"].as_str() {
            // A bare number has no labels.
            Some("scalar") => vec![Series {
                labels: Value::Object(serde_json::Map::new()),
                points: point(&data["result"]).into_iter().collect(),
            }],
            _ => result.iter().map(series).collect(),
        })
    }

    fn ask(&self, question: &str) -> io::Result<Value> {
        let answer = daemon::get(self.port, &format!("/api/v1/{question}"))?;
        let body: Value = serde_json::from_str(&answer.body)?;
        if answer.code != 200 || body["status"] != "success" {
            return Err(io::Error::other(format!(
                "{}: {}",
                answer.code, body["error"]
            )));
        }
        Ok(body["data"].clone())
    }
}

fn series(json: &Value) -> Series {
    let points = match json["values"].as_array() {
        Some(values) => values.iter().filter_map(point).collect(),
        None => point(&json["value"]).into_iter().collect(),
    };
    Series {
        labels: json["metric"].clone(),
        points,
    }
}

fn point(pair: &Value) -> Option<(f64, f64)> {
    Some((pair[0].as_f64()?, pair[1].as_str()?.parse().ok()?))
}

/// Runs a tool that comes with Prometheus; its words are in the error if it objects.
pub fn tool(command: &mut Command) -> Result<String, StartError> {
    peer::run(command)
}

/// Runs a tool on a text.
pub fn tool_on(command: &mut Command, text: &str) -> Result<String, StartError> {
    let folder = TempDir::new()?;
    let file = folder.path().join("text");
    fs::write(&file, text)?;
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::from(fs::File::open(&file)?)).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StartError::Unavailable(format!(
                "`{program}` is not installed"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        .trim()
        .to_owned();
    match output.status.success() {
        true => Ok(words),
        false => Err(StartError::Failed(words)),
    }
}

/// A server that is missing would look like one that ends at once.
pub(crate) fn available(program: &str) -> Result<(), StartError> {
    peer::run(Command::new(program).arg("--version")).map(|_| ())
}

pub(crate) fn is_ready(port: u16) -> bool {
    daemon::get(port, "/-/ready").is_ok_and(|answer| answer.code == 200)
}

/// A query as a part of an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
