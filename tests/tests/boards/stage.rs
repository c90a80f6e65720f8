//! A city that grows for half a minute, Prometheus and Alertmanager that watch it by the repository's own configuration, and
//! the boards with all their questions answered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use acceptance::alertmanager::Alertmanager;
use acceptance::binary;
use acceptance::daemon;
use acceptance::peer::{Process, StartError};
use acceptance::prometheus::{Prometheus, Series};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

/// A year at twelve days a second: half a minute, and every season of dues.
const MONTHS: &str = "12";
const DAYS_PER_SECOND: &str = "12";
const RUN_LIMIT: Duration = Duration::from_secs(180);
/// The business date, which stands still when the city does.
const PRESENT: &str = "fundwatch_present_timestamp_seconds";
/// What the boards take for `$__rate_interval`: scrapes are a second apart here.
const RATE_INTERVAL: &str = "15s";

/// Everything that runs.
pub struct Stage {
    pub prometheus: Prometheus,
    /// The metrics at the end, as Prometheus is given them.
    pub scrape: String,
    _alertmanager: Alertmanager,
    _city: Process,
    folder: TempDir,
    /// From when to when it was watched, in seconds since 1970.
    from: f64,
    to: f64,
}

/// A board and the answers to its questions.
pub struct Answered {
    /// Its file's name.
    pub name: String,
    pub board: Value,
    answers: Vec<(u64, Value, io::Result<Vec<Series>>)>,
    /// What there is to choose from.
    pub choices: Vec<Series>,
    pub from: f64,
    pub to: f64,
}

impl Answered {
    /// The questions of a panel with their answers.
    pub fn answers(
        &self,
        panel: &Value,
    ) -> impl Iterator<Item = (&Value, &io::Result<Vec<Series>>)> {
        let id = panel["id"].as_u64();
        self.answers
            .iter()
            .filter(move |(of, _, _)| Some(*of) == id)
            .map(|(_, target, series)| (target, series))
    }
}

impl Stage {
    /// Plays the whole run, and stays for questions.
    pub fn play() -> Result<Stage, StartError> {
        let alertmanager =
            Alertmanager::start(&repository().join("ops/alertmanager/alertmanager.yml"))?;
        let folder = TempDir::with_prefix("fundwatch-boards-")?;
        let log = folder.path().join("log");
        let mut command = Command::new(binary::fundwatch());
        command
            .args([
                "demo",
                "--stay",
                "--months",
                MONTHS,
                "--days-per-second",
                DAYS_PER_SECOND,
                "--out",
            ])
            .arg(folder.path().join("city"));
        let mut city = Process::start(&command, &log)?;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        city.wait_until(RUN_LIMIT, || metrics_port(&said()).is_some())?;
        let port = metrics_port(&said()).unwrap_or_default();
        let from = seconds();
        let prometheus = Prometheus::start(&config(port, alertmanager.port()))?;
        city.wait_until(RUN_LIMIT, || said().contains("are served until"))?;
        // The last values are scraped, recorded from what was scraped, and told on.
        let told = |name: &str| {
            let alerts = alertmanager.alerts().unwrap_or_default();
            alerts
                .iter()
                .any(|(alert, to)| alert == name && *to == ["watchdog"])
        };
        let served = daemon::get(port, "/metrics")?.body;
        let scraped_last = || {
            let series = prometheus.at(PRESENT, seconds()).unwrap_or_default();
            series
                .iter()
                .flat_map(|series| &series.points)
                .any(|(_, value)| Some(*value) == value_of(&served, PRESENT))
        };
        city.wait_until(RUN_LIMIT, || scraped_last() && told("FundwatchWatchdog"))?;
        let since = seconds();
        city.wait_until(RUN_LIMIT, || seconds() - since > 3.0)?;
        let scrape = daemon::get(port, "/metrics")?.body;
        Ok(Stage {
            prometheus,
            scrape,
            _alertmanager: alertmanager,
            _city: city,
            folder,
            from,
            to: seconds(),
        })
    }

    /// The answer to a question at the end.
    pub fn now(&self, expr: &str) -> io::Result<Vec<Series>> {
        self.prometheus.at(expr, self.to)
    }

    /// All boards with their answers.
    pub fn boards(&self) -> Vec<Answered> {
        files(&repository().join("ops/grafana/dashboards/fundwatch"))
            .into_iter()
            .map(|file| self.answered(&file))
            .collect()
    }

    fn answered(&self, file: &Path) -> Answered {
        let board: Value = serde_json::from_slice(&fs::read(file).expect("a board")).expect("JSON");
        let mut answers = Vec::new();
        for panel in list(&board["panels"]) {
            for target in list(&panel["targets"]) {
                let expr = substituted(text(&target["expr"]));
                let series = match target["instant"] == true {
                    true => self.now(&expr),
                    false => self.prometheus.between(&expr, self.from, self.to),
                };
                answers.push((
                    panel["id"].as_u64().unwrap_or_default(),
                    target.clone(),
                    series,
                ));
            }
        }
        let choices = list(&board["templating"]["list"])
            .iter()
            .filter_map(|variable| {
                text(&variable["query"]["query"])
                    .strip_prefix("query_result(")?
                    .strip_suffix(')')
            })
            .flat_map(|expr| self.now(expr).expect("what there is to choose from"))
            .collect();
        let name = file
            .file_stem()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Answered {
            name,
            board,
            answers,
            choices,
            from: self.from,
            to: self.to,
        }
    }

    /// The amounts of all open alerts in the store, in yuan.
    pub fn yuan_at_stake(&self) -> f64 {
        let store = self.folder.path().join("city/fundwatch.sqlite");
        let store = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .expect("the store");
        let mut select = store
            .prepare("SELECT json_extract(json, '$.amount') FROM alerts WHERE state = 'open' AND withdrawn = 0")
            .expect("the store has alerts");
        let amounts = select
            .query_map([], |row| row.get::<_, String>(0))
            .expect("amounts");
        amounts
            .map(|amount| amount.expect("an amount").parse::<f64>().expect("a number"))
            .sum()
    }
}

/// The repository's own configuration, with addresses and times of the stage. What is replaced must be there.
fn config(port: u16, alertmanager: u16) -> String {
    let file = repository().join("ops/prometheus/prometheus.yml");
    let mut text = fs::read_to_string(file).expect("prometheus.yml");
    let rules = repository()
        .join("ops/prometheus/rules/*.yml")
        .display()
        .to_string();
    for (ours, here) in [
        ("scrape_interval: 5s", "scrape_interval: 1s"),
        ("scrape_timeout: 4s", "scrape_timeout: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("/etc/prometheus/rules/*.yml", &rules),
        ("alertmanager:9093", &format!("127.0.0.1:{alertmanager}")),
        ("fundwatch:9464", &format!("127.0.0.1:{port}")),
        ("localhost:9090", "@OWN@"),
    ] {
        assert!(
            text.contains(ours),
            "ops/prometheus/prometheus.yml has no `{ours}`"
        );
        text = text.replace(ours, here);
    }
    text
}

/// The demo says where its metrics are.
fn metrics_port(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("metrics: http://127.0.0.1:")?;
    rest.split_once("/metrics")?.0.parse().ok()
}

/// The value of a metric without labels, in the text format.
fn value_of(scrape: &str, name: &str) -> Option<f64> {
    let mut lines = scrape.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn seconds() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// A question with the variables put in.
pub fn substituted(expr: &str) -> String {
    expr.replace("$__rate_interval", RATE_INTERVAL)
        .replace("$region", ".+")
}

/// The metrics that an expression reads, each with its labels.
pub fn selectors(expr: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(start) = rest.find(is_name) {
        let end = rest[start..]
            .find(|c| !is_name(c))
            .map_or(rest.len(), |end| start + end);
        let name = &rest[start..end];
        rest = &rest[end..];
        if ["fundwatch", "process_", "prometheus_", "scrape_", "topic"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            && name.contains(['_', ':'])
        {
            let labels = match rest
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
            {
                Some((labels, _)) => format!("{{{labels}}}"),
                None => String::new(),
            };
            found.push(format!("{name}{labels}"));
        }
        // What stands in braces are labels.
        if rest.starts_with('{') {
            rest = rest.split_once('}').map_or("", |(_, rest)| rest);
        }
    }
    found
}

/// The files of a folder, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list, or none where the key is absent.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
