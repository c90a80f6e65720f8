//! A broker, the program, and a folder: what all measurements share.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::daemon;
use acceptance::kafka::KafkaBroker;
use acceptance::peer::{self, Process};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
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
workers = @WORKERS@
keep_state = @KEEP@

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

/// Whether the daemon keeps the facts on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    OnDisk,
    Not,
}

/// The daemon at work.
pub struct Running {
    process: Process,
    /// The other one of a pair.
    second: Option<Process>,
    pub started: Instant,
    started_at: Timestamp,
    place: Place,
}

/// Configuration, store, state and log of a daemon.
pub struct Place {
    folder: TempDir,
    http_port: u16,
    /// Where the console is, if there is one.
    console_port: u16,
}

impl Place {
    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
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
            records += self.records_of(prefix, feed)?;
        }
        Ok(records)
    }

    /// Records on a feed.
    pub fn records_of(&self, prefix: &str, feed: &str) -> Result<u64> {
        let ends = self.broker.ends(&format!("{prefix}{feed}"))?;
        Ok(ends.iter().map(|end| end.unsigned_abs()).sum())
    }

    /// Starts the daemon with an empty store.
    pub fn run(&self, prefix: &str, kept: Kept) -> Result<Running> {
        self.run_again(self.place(prefix, kept, 2, "")?)
    }

    /// Starts two processes with a worker each that share the partitions, with an empty store.
    pub fn run_pair(&self, prefix: &str) -> Result<Running> {
        let mesh = [peer::free_port()?, peer::free_port()?];
        let addresses = mesh.map(|port| format!("127.0.0.1:{port}"));
        let cluster = format!("[cluster]\naddresses = {addresses:?}\n");
        let place = self.place(prefix, Kept::OnDisk, 1, &cluster)?;
        let listen = format!("127.0.0.1:{}", peer::free_port()?);
        let arguments = ["--process", "1", "--listen", &listen];
        let (started, started_at) = (Instant::now(), Timestamp::now());
        let second = self.start(&place, &arguments, "daemon-1.log")?;
        Ok(Running {
            process: self.start(&place, &[], "daemon.log")?,
            second: Some(second),
            started,
            started_at,
            place,
        })
    }

    /// A place with a configuration, and nothing else yet.
    fn place(&self, prefix: &str, kept: Kept, workers: u16, more: &str) -> Result<Place> {
        let folder = TempDir::with_prefix("fundwatch-live-")?;
        let http_port = peer::free_port()?;
        let config = CONFIG
            .replace("@POLICY@", &self.policy.to_string_lossy())
            .replace("@WORKERS@", &workers.to_string())
            .replace("@BROKER@", &self.broker.bootstrap())
            .replace("@PREFIX@", prefix)
            .replace("@KEEP@", &(kept == Kept::OnDisk).to_string())
            .replace("@HTTP@", &http_port.to_string());
        fs::write(folder.path().join("fundwatch.toml"), config + more)?;
        Ok(Place {
            folder,
            http_port,
            console_port: 0,
        })
    }

    /// A place with a console that asks for passwords alone.
    pub fn place_with_console(&self, prefix: &str) -> Result<Place> {
        let port = peer::free_port()?;
        let console = format!("[console]\nlisten = \"127.0.0.1:{port}\"\nsecond_factor = false\n");
        Ok(Place {
            console_port: port,
            ..self.place(prefix, Kept::OnDisk, 2, &console)?
        })
    }

    /// A one-time token for the first administrator.
    pub fn token(&self, place: &Place, login: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .args([
                "console", "token", "--login", login, "--name", login, "--config",
            ])
            .arg(place.folder().join("fundwatch.toml"))
            .env("FUNDWATCH_ID_KEY", "a key for benchmarks")
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_token =
            |word: &&str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let token = said.split_whitespace().find(is_token);
        token.map(str::to_owned).with_context(|| {
            format!(
                "no token: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Starts the daemon with what another has left behind.
    pub fn run_again(&self, place: Place) -> Result<Running> {
        let (started, started_at) = (Instant::now(), Timestamp::now());
        Ok(Running {
            process: self.start(&place, &[], "daemon.log")?,
            second: None,
            started,
            started_at,
            place,
        })
    }

    fn start(&self, place: &Place, arguments: &[&str], log: &str) -> Result<Process> {
        let mut command = self.command([OsStr::new("run"), OsStr::new("--config")]);
        command
            .arg(place.folder.path().join("fundwatch.toml"))
            .args(arguments)
            .env("FUNDWATCH_ID_KEY", "a key for benchmarks");
        Ok(Process::start(&command, &place.folder.path().join(log))?)
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdout(Stdio::null());
        command
    }
}

impl Running {
    /// Waits until so many records are committed, and says how many seconds after the start that was.
    pub fn wait_until_committed(&mut self, records: u64) -> Result<f64> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let page = daemon::get(self.place.http_port, "/metrics");
            let page = page.map(|page| page.body).unwrap_or_default();
            let committed = daemon::Metrics::parse(&page).sum(catalogue::FEED_RECORDS.name, &[]);
            if records <= committed {
                return self.seconds_until_last_commit(&page);
            }
            if let Some(code) = self.process.ended() {
                let log = self.place.folder.path().join("daemon.log");
                let said = fs::read_to_string(log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default();
                bail!("the daemon ended with {code}: {last}");
            }
            if deadline < Instant::now() {
                bail!("{committed} of {records} records are committed after {LIMIT:?}");
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The page of metrics is made anew once a second; on it is when the last commit was.
    #[expect(clippy::float_arithmetic, reason = "measurements, not money")]
    fn seconds_until_last_commit(&self, page: &str) -> Result<f64> {
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(catalogue::LAST_COMMIT.name))
            .context("the daemon does not say when it has committed")?;
        let committed_at: f64 = value.trim().parse()?;
        Ok(committed_at - self.started_at.as_microsecond() as f64 / 1e6)
    }

    /// Bytes of the state on disk.
    pub fn state_bytes(&self) -> Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(self.place.folder.path().join("fundwatch.state"))? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }

    /// The port of 127.0.0.1 that its console is on.
    pub fn console_port(&self) -> u16 {
        self.place.console_port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// Memory that it holds.
    pub fn resident_bytes(&self) -> Result<u64> {
        Ok(self.process.resident_bytes()?)
    }

    /// Waits until somebody can come to its console.
    pub fn wait_until_open(&self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", self.place.console_port)).is_err() {
            ensure!(Instant::now() < deadline, "no console after {LIMIT:?}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Ends it as a loss of power would.
    pub fn kill(mut self) -> Place {
        self.process.kill();
        self.place
    }

    /// Ends it in good order.
    pub fn stop(mut self) -> Result<Place> {
        if let Some(second) = &self.second {
            second.ask_to_stop();
        }
        let code = self.process.stop(Duration::from_secs(45));
        ensure!(code == Some(0), "the daemon ended with {code:?}");
        Ok(self.place)
    }
}
