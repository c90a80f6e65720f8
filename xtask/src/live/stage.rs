//! A broker, the program, and a folder: what all measurements share.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::daemon;
use acceptance::kafka::KafkaBroker;
use acceptance::peer::{self, Process};
use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

const FEEDS: [&str; 5] = [
    "agency.payout",
    "agency.roster",
    "civil.death",
    "tax.collection",
    "treasury.transfer",
];
/// For anything that a machine with much else to do still manages.
const LIMIT: Duration = Duration::from_secs(300);
/// Asking costs the daemon something, too.
const LOOK: Duration = Duration::from_millis(25);

const CONFIG: &str = r#"
policy = "@POLICY@"
store = "fundwatch.sqlite"
clock = "feeds"
workers = 2

[kafka]
bootstrap = "@BROKER@"
topic_prefix = "@PREFIX@"

[http]
listen = "127.0.0.1:@HTTP@"
"#;

/// What all measurements share; the broker ends when this is dropped.
pub struct Stage {
    pub broker: KafkaBroker,
    program: PathBuf,
    policy: PathBuf,
}

/// The daemon at work, with an empty store.
pub struct Running {
    process: Process,
    http_port: u16,
    pub started: Instant,
    /// Configuration, store and log.
    _folder: TempDir,
}

impl Stage {
    pub fn set(root: &Path, program: &Path) -> Result<Self> {
        Ok(Self {
            broker: KafkaBroker::start()?,
            program: program.to_owned(),
            policy: root.join("rules/policies/huangshan.toml"),
        })
    }

    /// Makes the topics whose names begin with `prefix`.
    pub fn create_topics(&self, prefix: &str) -> Result<()> {
        let bootstrap = self.broker.bootstrap();
        let status = self
            .command(["topics", "create", "--bootstrap", &bootstrap])
            .args(["--topic-prefix", prefix])
            .status()?;
        ensure!(status.success(), "the topics cannot be made");
        Ok(())
    }

    /// Begins to send about `records` simulated records.
    pub fn simulate(&self, prefix: &str, records: u64, rate: Option<u64>) -> Result<Child> {
        let bootstrap = self.broker.bootstrap();
        let mut command = self.command(["simulate", "--to", "kafka", "--bootstrap", &bootstrap]);
        command
            .args(["--topic-prefix", prefix, "--no-silences", "--records"])
            .arg(records.to_string());
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        command.spawn().context("cannot start the simulation")
    }

    /// Records on all feeds.
    pub fn records(&self, prefix: &str) -> Result<u64> {
        let mut records = 0;
        for feed in FEEDS {
            let ends = self.broker.ends(&format!("{prefix}{feed}"))?;
            records += ends.iter().map(|end| end.unsigned_abs()).sum::<u64>();
        }
        Ok(records)
    }

    /// Starts the daemon.
    pub fn run(&self, prefix: &str) -> Result<Running> {
        let folder = TempDir::with_prefix("fundwatch-live-")?;
        let http_port = peer::free_port()?;
        let config = folder.path().join("fundwatch.toml");
        fs::write(
            &config,
            CONFIG
                .replace("@POLICY@", &self.policy.to_string_lossy())
                .replace("@BROKER@", &self.broker.bootstrap())
                .replace("@PREFIX@", prefix)
                .replace("@HTTP@", &http_port.to_string()),
        )?;
        let mut command = self.command([OsStr::new("run"), OsStr::new("--config")]);
        command
            .arg(&config)
            .env("FUNDWATCH_ID_KEY", "a key for benchmarks");
        let started = Instant::now();
        let process = Process::start(&command, &folder.path().join("daemon.log"))?;
        Ok(Running {
            process,
            http_port,
            started,
            _folder: folder,
        })
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdout(Stdio::null());
        command
    }
}

impl Running {
    /// Waits until so many records are committed.
    pub fn wait_until_committed(&mut self, records: u64) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let page = daemon::get(self.http_port, "/metrics");
            let committed = page.map_or(0, |page| {
                daemon::Metrics::parse(&page.body).sum("fundwatch_feed_records_total", &[])
            });
            if records <= committed {
                return Ok(());
            }
            if deadline < Instant::now() {
                bail!("{committed} of {records} records are committed after {LIMIT:?}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends it in good order.
    pub fn stop(mut self) -> Result<()> {
        let code = self.process.stop(Duration::from_secs(45));
        ensure!(code == Some(0), "the daemon ended with {code:?}");
        Ok(())
    }
}
