//! The real Alertmanager of Debian (package `prometheus-alertmanager`), for as long as a test runs.
//!
//! Where it is not installed the peer is `Unavailable`; `FUNDWATCH_REQUIRE_ALERTMANAGER=1` makes that a failure.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::get;
use crate::peer::{self, Process, StartError};

const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";
const START_LIMIT: Duration = Duration::from_secs(30);
/// Nobody is told: what it was told itself can be asked for.
const CONFIG: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// A running Alertmanager; it ends when this is dropped.
#[derive(Debug)]
pub struct Alertmanager {
    _process: Process,
    port: u16,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts it on a free port, with no alerts.
    pub fn start() -> Result<Self, StartError> {
        if !Path::new(PROGRAM).exists() {
            return Err(StartError::Unavailable(format!(
                "`{PROGRAM}` is not installed (package prometheus-alertmanager)"
            )));
        }
        let folder = TempDir::with_prefix("fundwatch-alertmanager-")?;
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, CONFIG)?;
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
        process.wait_until(START_LIMIT, || {
            get(port, "/-/ready").is_ok_and(|answer| answer.code == 200)
        })?;
        Ok(Self {
            _process: process,
            port,
            _folder: folder,
        })
    }

    /// It, or `None` after saying loudly that a test is left out for want of it.
    ///
    /// # Panics
    /// If it does not start, or is required and not available.
    pub fn start_or_skip() -> Option<Self> {
        peer::started_or_skipped(
            "Debian's Alertmanager",
            Self::start(),
            "FUNDWATCH_REQUIRE_ALERTMANAGER",
        )
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
}
