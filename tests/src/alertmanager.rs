//! The real Alertmanager of Debian (package `prometheus-alertmanager`), for as long as a test runs.
//!
//! Where it is not installed the peer is `Unavailable`; `FUNDWATCH_REQUIRE_ALERTMANAGER=1` makes that a failure.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::get;
use crate::peer::{self, Process, StartError};
use crate::prometheus::{available, is_ready};

const PROGRAM: &str = "prometheus-alertmanager";
const START_LIMIT: Duration = Duration::from_secs(60);
/// Nobody is told: what it was told itself can be asked for.
const CONFIG: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// A running Alertmanager; it and what it knows end when this is dropped.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts it on a free port with a configuration file, and no alerts.
    pub fn start(config: &Path) -> Result<Self, StartError> {
        available(PROGRAM)?;
        let folder = TempDir::with_prefix("fundwatch-alertmanager-")?;
        let port = peer::free_port()?;
        let mut command = Command::new(PROGRAM);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        let mut process = Process::start(&command, &folder.path().join("peer.log"))?;
        process.wait_until(START_LIMIT, || is_ready(port))?;
        Ok(Self {
            _process: process,
            port,
            _folder: folder,
        })
    }

    /// One that tells nobody, or `None` after saying loudly that a test is left out for want of it.
    ///
    /// # Panics
    /// If it does not start, or is required and not available.
    pub fn start_or_skip() -> Option<Self> {
        let started = tempfile::NamedTempFile::new()
            .map_err(StartError::from)
            .and_then(|config| {
                std::fs::write(config.path(), CONFIG)?;
                Self::start(config.path())
            });
        peer::started_or_skipped(
            "Debian's Alertmanager",
            started,
            "FUNDWATCH_REQUIRE_ALERTMANAGER",
        )
    }

    /// Its port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that alerts are pushed to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that fire now.
    pub fn firing(&self) -> io::Result<Vec<Value>> {
        let answer = get(self.port, "/api/v2/alerts?active=true")?;
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// The alerts that it has: name and receivers.
    pub fn alerts(&self) -> io::Result<Vec<(String, Vec<String>)>> {
        let answer = get(self.port, "/api/v2/alerts")?;
        let alerts: Vec<Value> = serde_json::from_str(&answer.body)?;
        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(alerts
            .iter()
            .map(|alert| {
                let receivers = alert["receivers"].as_array().cloned().unwrap_or_default();
                let receivers = receivers
                    .iter()
                    .map(|receiver| name(&receiver["name"]))
                    .collect();
                (name(&alert["labels"]["alertname"]), receivers)
            })
            .collect())
    }
}
