//! One run: a store, topics and recipients of its own, and the daemon, which is started, killed and started again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use acceptance::binary::ID_KEY;
use acceptance::peer::{self, Process};
use anyhow::{Context, Result, anyhow, bail, ensure};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::script::{Dice, Script, Sent};
use super::world::World;

/// For anything that a machine with much else to do still manages: each start makes some dozens of fsyncs, and a disk that
/// others write to may take seconds for one.
pub const SOON: Duration = Duration::from_secs(180);
/// Between looks at the store.
const LOOK_AGAIN: Duration = Duration::from_millis(30);
/// How a process says that it was ended by SIGKILL.
pub const KILLED: i32 = 128 + 9;

/// Small, so that a run fills many segments.
const SEGMENT_BYTES: &str = "1024";

const CONFIG: &str = r#"
policy = "policy.toml"
store = "@STORE@"
clock = "feeds"
workers = @WORKERS@
epoch_ms = 10

[kafka]
bootstrap = "@BROKER@"
topic_prefix = "@PREFIX@"

[http]
listen = "127.0.0.1:@HTTP@"

[mail]
transport = "smtp"
host = "127.0.0.1"
port = @SMTP@
tls = "none"
from = "fundwatch@fund.example.org"

[mail.pace]
red = "at-once"
orange = "at-once"
yellow = "at-once"
blue = "at-once"
life_on = "never"
per_hour_max = 100000

[[mail.recipients]]
address = "@RECIPIENT@"

[[mail.operators]]
address = "@OPERATOR@"
language = "en"
"#;

/// The topics that are written.
pub const ALERTS: &str = "fund.alerts";
/// See [`ALERTS`].
pub const DEAD_LETTER: &str = "fund.dead-letter";

/// What the daemon is started with beside its configuration.
#[derive(Clone, Debug, Default)]
pub struct Arms {
    /// `FAILPOINTS`
    pub fail_points: Option<String>,
    /// `FUNDWATCH_PLANTED_BUG`
    pub bug: Option<String>,
    /// What strace is to make fail, e.g. `fsync:error=EIO:when=3`.
    pub inject: Option<String>,
    /// Only where it concerns these files; none: wherever it is made.
    pub inject_at: Vec<PathBuf>,
    /// The program as it is shipped, rather than the one with fail points.
    pub is_plain: bool,
}

impl Arms {
    /// The program as it is shipped, and nothing beside.
    pub fn plain() -> Arms {
        Arms {
            is_plain: true,
            ..Arms::default()
        }
    }
}

/// Each process of a cluster has an address of its own, so that the network between two of them can be cut.
pub fn mesh_host(process: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 10 + process)
}

/// How a wait for the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// It is as it should be.
    Settled,
    /// The daemon has ended.
    Ended(i32),
}

impl Waited {
    /// Nothing was to end the daemon.
    pub fn settled(self) -> Result<()> {
        ensure!(self == Waited::Settled, "it ended without a reason");
        Ok(())
    }
}

/// One run. Its topics and its folder go with it.
pub struct Run<'a> {
    /// What it shares with others.
    pub world: &'a World,
    /// What it is about.
    pub script: Script,
    /// What was sent, in order.
    pub sent: Vec<Sent>,
    /// By Message-ID: how often the daemon ended while the mail was under way.
    pub under_way_at_ends: BTreeMap<String, usize>,
    /// Who gets the mails.
    pub recipient: String,
    /// Who is told of the program itself.
    pub operator: String,
    /// The mail server refuses some mails for good.
    pub may_be_refused: bool,
    prefix: String,
    folder: TempDir,
    store: PathBuf,
    http_port: u16,
    /// Where the processes of a cluster find each other.
    mesh: [u16; 3],
}

impl<'a> Run<'a> {
    /// Makes topics, policy and configuration.
    pub fn set(world: &'a World, script: Script) -> Result<Run<'a>> {
        let folder = TempDir::with_prefix("fundwatch-chaos-")?;
        let store = folder.path().join("fundwatch.sqlite");
        Run::set_with_store(world, script, folder, store)
    }

    /// The same, with the store elsewhere.
    pub fn set_with_store(
        world: &'a World,
        script: Script,
        folder: TempDir,
        store: PathBuf,
    ) -> Result<Run<'a>> {
        let number = world.next_run();
        let run = Run {
            world,
            script,
            sent: Vec::new(),
            under_way_at_ends: BTreeMap::new(),
            may_be_refused: false,
            recipient: format!("office-{number}@fund.example.org"),
            operator: format!("operator-{number}@fund.example.org"),
            prefix: format!("run-{number}."),
            folder,
            store,
            http_port: peer::free_port()?,
            mesh: [peer::free_port()?, peer::free_port()?, peer::free_port()?],
        };
        let broker = world.broker();
        let config = CONFIG
            .replace("@STORE@", &run.store.to_string_lossy())
            .replace("@WORKERS@", &run.script.workers.to_string())
            .replace("@BROKER@", &broker.bootstrap())
            .replace("@PREFIX@", &run.prefix)
            .replace("@HTTP@", &run.http_port.to_string())
            .replace("@SMTP@", &world.mail.port().to_string())
            .replace("@RECIPIENT@", &run.recipient)
            .replace("@OPERATOR@", &run.operator);
        std::fs::write(run.path("fundwatch.toml"), config)?;
        std::fs::write(run.path("policy.toml"), &run.script.policy)?;
        let names = run.topics();
        let topics: Vec<(&str, i32)> = names
            .iter()
            .map(|(name, partitions)| (name.as_str(), *partitions))
            .collect();
        broker.create(&topics).context("topics cannot be made")?;
        drop(broker);
        Ok(run)
    }

    fn topics(&self) -> Vec<(String, i32)> {
        let feeds = acceptance::reference::facts::Topic::ALL
            .map(|topic| (topic.name(), self.script.partitions));
        let told = [(ALERTS, 2), (DEAD_LETTER, 1)];
        feeds
            .into_iter()
            .chain(told)
            .map(|(name, partitions)| (self.topic(name), partitions))
            .collect()
    }

    /// The name of a topic on the broker.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Flips a bit of one of the state's segments.
    pub fn damage_state(&self, dice: &mut Dice) -> Result<()> {
        let mut segments: Vec<PathBuf> = std::fs::read_dir(self.store.with_extension("state"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        segments.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
        segments.sort();
        ensure!(!segments.is_empty(), "the daemon has left no state");
        let segment = &segments[usize::try_from(dice.below(segments.len() as u64))?];
        let mut bytes = std::fs::read(segment)?;
        let at = usize::try_from(dice.below(bytes.len() as u64))?;
        bytes[at] ^= 1 << dice.below(8);
        Ok(std::fs::write(segment, bytes)?)
    }

    /// What the daemons have said.
    pub fn words(&self) -> String {
        std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// What the processes that follow have said.
    pub fn words_of_others(&self) -> String {
        let logs = (1..self.mesh.len()).map(|process| self.path(&format!("daemon-{process}.log")));
        logs.filter_map(|log| std::fs::read_to_string(log).ok())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Whether any call failed on purpose, of those that may not fail: SQLite does without a folder's fsync.
    pub fn has_call_failed(&self) -> bool {
        !self.failed_call().is_empty()
    }

    /// The call that failed on purpose, as strace has it.
    pub fn failed_call(&self) -> String {
        let folder = format!(
            "<{}>",
            self.store.parent().unwrap_or(Path::new("/")).display()
        );
        let calls = std::fs::read_to_string(self.path("strace.log")).unwrap_or_default();
        let failed = calls
            .lines()
            .find(|call| call.contains("(INJECTED)") && !call.contains(&folder));
        failed.unwrap_or_default().to_owned()
    }

    /// Whether a connection whose commit or checkpoint failed on purpose at the store's log went on writing to it. To close it,
    /// which looks through the log once more, writes nothing there.
    pub fn has_gone_on_after_a_failed_commit(&self) -> bool {
        let calls = std::fs::read_to_string(self.path("strace.log")).unwrap_or_default();
        let mut failed: Vec<(&str, &str)> = Vec::new();
        for call in calls.lines() {
            // `PID CALL(NUMBER</PATH/fundwatch.sqlite-wal>, ...`
            let Some((before, _)) = call.split_once("-wal>") else {
                continue;
            };
            let Some((thread, (name, file))) = before
                .split_once(' ')
                .and_then(|(thread, call)| Some((thread, call.trim_start().split_once('(')?)))
            else {
                continue;
            };
            if call.contains("(INJECTED)") {
                failed.push((thread, file));
            } else if name == "pwrite64" && failed.contains(&(thread, file)) {
                return true;
            }
        }
        false
    }

    /// The files of the state that a run makes, and as which they begin.
    pub fn segments(&self, count: u32) -> Vec<PathBuf> {
        let folder = self.store.with_extension("state");
        let of = |number: u32| {
            let name = format!("facts-{number:08}.log");
            [folder.join(format!("{name}.half")), folder.join(name)]
        };
        (1..=count).flat_map(of).collect()
    }

    /// Sends the batch of this number.
    pub fn send(&mut self, batch: usize) -> Result<()> {
        let batch = std::mem::take(&mut self.script.batches[batch]);
        let records: Vec<(String, i32, &[u8])> = batch
            .iter()
            .map(|sent| {
                (
                    self.topic(sent.topic.name()),
                    sent.partition,
                    sent.bytes.as_slice(),
                )
            })
            .collect();
        self.world.send(&records)?;
        self.sent.extend(batch);
        Ok(())
    }

    /// Starts the daemon.
    pub fn start(&self, arms: &Arms) -> Result<Process> {
        self.start_with(arms, "fundwatch.toml", &[], "daemon.log")
    }

    /// Starts one process, or up to three that share the partitions, with so many workers each.
    pub fn start_processes(&self, arms: &Arms, count: usize, workers: u32) -> Result<Vec<Process>> {
        let config: Vec<String> = std::fs::read_to_string(self.path("fundwatch.toml"))?
            .lines()
            .map(|line| match line.strip_prefix("workers = ") {
                Some(_) => format!("workers = {workers}"),
                None => line.to_owned(),
            })
            .collect();
        let mut config = config.join("\n");
        if count == 1 {
            std::fs::write(self.path("alone.toml"), config)?;
            return Ok(vec![self.start_with(
                arms,
                "alone.toml",
                &[],
                "daemon.log",
            )?]);
        }
        let addresses: Vec<String> = self
            .mesh_addresses(count)
            .map(|address| address.to_string())
            .collect();
        config += &format!("\n[cluster]\naddresses = {addresses:?}\n");
        std::fs::write(self.path("cluster.toml"), config)?;
        let mut processes = vec![self.start_with(arms, "cluster.toml", &[], "daemon.log")?];
        for process in 1..count {
            let number = process.to_string();
            let listen = format!("127.0.0.1:{}", peer::free_port()?);
            let arguments = ["--process", &number, "--listen", &listen];
            let log = format!("daemon-{process}.log");
            processes.push(self.start_with(arms, "cluster.toml", &arguments, &log)?);
        }
        Ok(processes)
    }

    /// Where the processes of a cluster find each other.
    pub fn mesh_addresses(&self, count: usize) -> impl Iterator<Item = SocketAddr> {
        let ports = (0..).zip(self.mesh).take(count);
        ports.map(|(process, port)| SocketAddr::from((mesh_host(process), port)))
    }

    fn start_with(
        &self,
        arms: &Arms,
        config: &str,
        arguments: &[&str],
        log: &str,
    ) -> Result<Process> {
        let program = if arms.is_plain {
            &self.world.plain
        } else {
            &self.world.armed
        };
        let mut words: Vec<OsString> = Vec::new();
        if let Some(inject) = &arms.inject {
            // Detached (-D): the process that is asked to end is the program, not its tracer.
            words.extend(["strace", "-D", "-f", "-y", "-qqq", "-o"].map(OsString::from));
            words.push(self.path("strace.log").into());
            words.push("-e".into());
            let call = inject.split(':').next().unwrap_or_default();
            // Commits are seen by what they write to the store's log.
            let watched = match arms.inject_at.is_empty() {
                true => format!("trace={call},pwrite64"),
                false => format!("trace={call}"),
            };
            words.push(watched.into());
            words.push("-e".into());
            words.push(format!("inject={inject}").into());
            for path in &arms.inject_at {
                words.push("-P".into());
                words.push(path.into());
            }
        }
        words.push(program.into());
        words.extend(["run", "--config"].map(OsString::from));
        words.push(self.path(config).into());
        words.extend(arguments.iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env("FUNDWATCH_ID_KEY", ID_KEY)
            .env("FUNDWATCH_PATIENCE_MS", "200")
            .env("FUNDWATCH_SEGMENT_BYTES", SEGMENT_BYTES);
        if let Some(points) = &arms.fail_points {
            command.env("FAILPOINTS", points);
        }
        if let Some(bug) = &arms.bug {
            command.env("FUNDWATCH_PLANTED_BUG", bug);
        }
        Process::start(&command, &self.path(log)).map_err(|error| anyhow!("the daemon {error}"))
    }

    /// Waits until everything sent is committed and told, or the daemon ends.
    pub fn settle(&self, daemon: &mut Process, limit: Duration) -> Result<Waited> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(code) = daemon.ended() {
                return Ok(Waited::Ended(code));
            }
            if self.is_settled().unwrap_or(false) {
                return Ok(Waited::Settled);
            }
            if deadline < Instant::now() {
                bail!(
                    "not settled after {} s: committed {:?} of {:?}, not told {:?}",
                    limit.as_secs(),
                    self.store().and_then(|store| store.offsets()),
                    self.ends(),
                    self.store().and_then(|store| store.waiting())
                );
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The port of its pages.
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// Asks for a page; what it says does not matter here.
    pub fn look(&self) {
        // The daemon may have ended.
        let _ = acceptance::daemon::get(self.http_port, "/metrics");
    }

    /// Waits until the daemon has read what was there when it started, or ends.
    pub fn ready(&self, daemon: &mut Process) -> Result<Waited> {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(code) = daemon.ended() {
                return Ok(Waited::Ended(code));
            }
            if acceptance::daemon::get(self.http_port, "/readyz")
                .is_ok_and(|answer| answer.code == 200)
            {
                return Ok(Waited::Settled);
            }
            ensure!(
                Instant::now() < deadline,
                "not ready after {} s",
                SOON.as_secs()
            );
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn is_settled(&self) -> Result<bool> {
        let store = self.store()?;
        Ok(store.offsets()? == self.ends() && store.outbox()? == 0)
    }

    /// The offset after the last record of each partition.
    fn ends(&self) -> BTreeMap<(String, i32), i64> {
        let mut ends = BTreeMap::new();
        for topic in acceptance::reference::facts::Topic::ALL {
            for partition in 0..self.script.partitions {
                ends.insert((topic.name().to_owned(), partition), 0);
            }
        }
        for sent in &self.sent {
            *ends
                .entry((sent.topic.name().to_owned(), sent.partition))
                .or_default() += 1;
        }
        ends
    }

    /// The daemon's database, read beside it.
    pub fn store(&self) -> Result<Store> {
        Store::open(&self.store)
    }

    /// Looks at what a daemon that has ended left behind: nothing may lead the state that it rests on.
    pub fn look_after_end(&mut self) -> Result<()> {
        let Ok(store) = self.store() else {
            return Ok(());
        };
        if !store.has_tables()? {
            return Ok(());
        }
        store.assert_whole()?;
        self.judge_left_behind(&store)?;
        for id in store.mails("sending")? {
            *self.under_way_at_ends.entry(id).or_default() += 1;
        }
        Ok(())
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let names = self.topics();
        let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        // They only cost room on a broker that ends soon.
        let _ = self.world.broker().delete(&names);
    }
}

/// The daemon's database.
pub struct Store(Connection);

impl Store {
    fn open(path: &Path) -> Result<Store> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(Store(connection))
    }

    /// What a query says, row by row.
    pub fn rows<T>(
        &self,
        query: &str,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut select = self.0.prepare(query)?;
        let rows = select.query_map([], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number that a query says.
    pub fn count(&self, query: &str) -> Result<i64> {
        Ok(self.0.query_row(query, [], |row| row.get(0))?)
    }

    /// Not if the daemon ended while it made the file: SQLite takes back what was begun when the next one opens it, and
    /// has nothing to say to those who only read.
    fn has_tables(&self) -> Result<bool> {
        let known = self.0.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('offsets', 'mail', 'feed_totals')",
            [],
            |row| row.get::<_, i64>(0),
        );
        match known {
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK =>
            {
                Ok(false)
            }
            known => Ok(known? == 3),
        }
    }

    /// The first offset not committed of each partition.
    pub fn offsets(&self) -> Result<BTreeMap<(String, i32), i64>> {
        let rows = self.rows("SELECT topic, partition, next_offset FROM offsets", |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// How many tellings, dead letters and mails wait to go out. Those that a silent feed holds back wait for its next close.
    pub fn outbox(&self) -> Result<i64> {
        self.count(
            "SELECT (SELECT count(*) FROM topic_outbox)
                  + (SELECT count(*) FROM dead_letter WHERE pending = 1)
                  + (SELECT count(*) FROM notice n WHERE NOT (n.open AND n.detector IN ('arrears', 'undeclared',
                         'late-remittance', 'stalled-subsidy', 'missed-payout') AND EXISTS (
                         SELECT 1 FROM alerts s WHERE s.detector = 'silent-feed' AND s.region = n.region
                           AND s.state = 'open' AND s.withdrawn = 0)))
                  + (SELECT count(*) FROM mail WHERE state IN ('pending', 'sending'))",
        )
    }

    /// What waits to go out, by outbox, and why as far as that is known.
    fn waiting(&self) -> Result<Vec<(String, String)>> {
        self.rows(
            "SELECT 'topic', CAST(history AS TEXT) FROM topic_outbox
             UNION ALL SELECT 'dead letter', position FROM dead_letter WHERE pending = 1
             UNION ALL SELECT 'notice', detector || ' ' || region || ' ' || severity || ' since ' || since FROM notice
             UNION ALL SELECT 'mail ' || state, message_id || ' attempts ' || attempts || ' due ' || due
                 || coalesce(' ' || last_error, '') FROM mail WHERE state IN ('pending', 'sending')",
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// The Message-IDs of the mails in a state.
    pub fn mails(&self, state: &str) -> Result<Vec<String>> {
        self.rows(
            &format!("SELECT message_id FROM mail WHERE state = '{state}'"),
            |row| row.get(0),
        )
    }

    /// Offsets and counts are of one moment: every record up to an offset is counted, once.
    fn assert_whole(&self) -> Result<()> {
        let offsets = self.offsets()?;
        let read: BTreeMap<(String, i32), i64> = self
            .rows("SELECT topic, partition, read FROM feed_totals", |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
            })?
            .into_iter()
            .collect();
        ensure!(
            offsets == read,
            "offsets lead the counts, or the other way: {offsets:?}, read {read:?}"
        );
        let check: String = self
            .0
            .query_row("PRAGMA quick_check", [], |row| row.get(0))?;
        ensure!(check == "ok", "the store is damaged: {check}");
        Ok(())
    }
}
