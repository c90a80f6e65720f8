//! What an end-to-end test plays on: a broker, a mail server, a folder, and the daemon's configuration. And what can
//! be seen of the daemon from outside: its store, its topics, its mails.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use acceptance::binary;
use acceptance::daemon::Daemon;
use acceptance::kafka::KafkaBroker;
use acceptance::peer;
use acceptance::smtp::SmtpPeer;
use mail_parser::{Message as Parsed, MessageParser};
use rdkafka::message::Message;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

pub const TOPICS: [&str; 5] = [
    "agency.payout",
    "agency.roster",
    "civil.death",
    "tax.collection",
    "treasury.transfer",
];
pub const ALERTS: &str = "fund.alerts";
pub const DEAD_LETTER: &str = "fund.dead-letter";
pub const PARTITIONS: usize = 4;

/// Who gets mails: one in each language.
pub const IN_CHINESE: &str = "li@fund.example.org";
pub const IN_ENGLISH: &str = "smith@fund.example.org";

/// For anything that a machine with much else to do still manages.
pub const SOON: Duration = Duration::from_secs(60);

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

[feeds.close_within_business_days]
"agency.payout" = @WITHIN@
"agency.roster" = @WITHIN@
"civil.death" = @WITHIN@
"tax.collection" = @WITHIN@
"treasury.transfer" = @WITHIN@

[mail]
transport = "smtp"
host = "127.0.0.1"
port = @SMTP@
tls = "none"
from = "基金监测 <fundwatch@fund.example.org>"

[mail.pace]                     # no test waits for a morning
red = "at-once"
orange = "at-once"
yellow = "at-once"
blue = "at-once"
life_on = "never"
per_hour_max = 100000

[[mail.recipients]]
address = "li@fund.example.org"
name = "李"
language = "zh"

[[mail.recipients]]
address = "smith@fund.example.org"
name = "Smith"
language = "en"
"#;

/// All that a test needs; it ends when this is dropped.
pub struct Stage {
    pub broker: Arc<KafkaBroker>,
    pub mail: SmtpPeer,
    pub prefix: String,
    folder: TempDir,
    http_port: u16,
    /// Of the pages of a second process, and of the mesh.
    cluster_ports: [u16; 3],
}

/// Whose the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// The test's own, which it may stop.
    Own,
    /// Shared with other tests, whose topics have other names.
    Shared,
}

/// One record of the alerts topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    pub key: String,
    pub event: String,
    pub revision: u64,
    pub value: Value,
    pub bytes: Vec<u8>,
}

/// One mail as its reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub message_id: String,
    pub subject: String,
    /// Every part, decoded.
    pub text: String,
    /// The alert's id, the telling's kind and revision; of a digest none.
    pub telling: Option<(String, String, u64)>,
    /// Byte for byte.
    pub data: String,
}

/// What must not change while nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub alerts: Vec<(String, bool)>,
    pub history: Vec<String>,
    pub dead_letters: u64,
    pub published: Vec<i64>,
    pub mails: usize,
}

impl Stage {
    /// Broker and mail server, and a configuration with the policy, under which each feed must close again within so
    /// many business days; `None` after saying loudly that one of the servers is not to be had. `name` is the test's.
    pub fn set(name: &str, broker: Broker, policy: &Path, close_within: u32) -> Option<Self> {
        let mail = SmtpPeer::start_or_skip()?;
        let broker = match broker {
            Broker::Own => Arc::new(KafkaBroker::start_or_skip()?),
            Broker::Shared => shared_broker()?,
        };
        let prefix = format!("{name}.");
        let http_port = peer::free_port().expect("there is a free port");
        let folder = TempDir::with_prefix("fundwatch-e2e-").expect("a folder can be made");
        let config = CONFIG
            .replace("@POLICY@", &policy.to_string_lossy())
            .replace("@BROKER@", &broker.bootstrap())
            .replace("@PREFIX@", &prefix)
            .replace("@HTTP@", &http_port.to_string())
            .replace("@SMTP@", &mail.port().to_string())
            .replace("@WITHIN@", &close_within.to_string());
        fs::write(folder.path().join("fundwatch.toml"), config).expect("a file can be written");
        Some(Self {
            broker,
            mail,
            prefix,
            folder,
            http_port,
            cluster_ports: [(); 3].map(|()| peer::free_port().expect("there is a free port")),
        })
    }

    /// Adds to the daemon's configuration.
    pub fn configure(&self, more: &str) {
        let path = self.path("fundwatch.toml");
        let config = fs::read_to_string(&path).expect("the configuration is there");
        fs::write(path, format!("{config}\n{more}")).expect("a file can be written");
    }

    /// The name of one of its topics on the broker.
    pub fn topic(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// The broker, to be stopped.
    pub fn own_broker(&mut self) -> &mut KafkaBroker {
        Arc::get_mut(&mut self.broker).expect("the broker is the test's own")
    }

    /// The offset after the last record of each partition.
    pub fn ends(&self, topic: &str) -> Vec<i64> {
        self.broker
            .ends(&self.topic(topic))
            .expect("the broker answers")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn create_topics(&self) {
        let config = self.path("fundwatch.toml");
        let partitions = PARTITIONS.to_string();
        let words = [
            OsStr::new("topics"),
            OsStr::new("create"),
            OsStr::new("--config"),
            config.as_os_str(),
            OsStr::new("--partitions"),
            OsStr::new(&partitions),
        ];
        fundwatch(words);
        // The broker says that they are made before each partition has a leader.
        let deadline = Instant::now() + SOON;
        let names = TOPICS.into_iter().chain([ALERTS, DEAD_LETTER]);
        for topic in names.map(|topic| self.topic(topic)) {
            while let Err(error) = self.broker.ends(&topic) {
                assert!(Instant::now() < deadline, "{topic}: {error}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Sets a number of workers for the daemons that start from now on.
    pub fn set_workers(&self, workers: usize) {
        let path = self.path("fundwatch.toml");
        let config = fs::read_to_string(&path).expect("the configuration is there");
        let lines: Vec<String> = config
            .lines()
            .map(|line| match line.strip_prefix("workers = ") {
                Some(_) => format!("workers = {workers}"),
                None => line.to_owned(),
            })
            .collect();
        fs::write(path, lines.join("\n")).expect("a file can be written");
    }

    /// The files of the state on disk, in order.
    pub fn state_files(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.path("fundwatch.state")).expect("there is a state");
        let mut files: Vec<PathBuf> = folder
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
            .collect();
        files.sort();
        files
    }

    /// Turns a byte in the middle of the state's first file; says which file that is.
    pub fn damage_state(&self) -> PathBuf {
        let file = self.state_files().swap_remove(0);
        let mut bytes = fs::read(&file).expect("the file can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        fs::write(&file, bytes).expect("the file can be written");
        file
    }

    /// What `state verify` says, and whether all is well.
    pub fn verify_state(&self) -> Result<String, String> {
        let mut command = Command::new(binary::fundwatch());
        command.args(["state", "verify", "--config"]);
        command.arg(self.path("fundwatch.toml"));
        peer::run(&mut command).map_err(|error| error.to_string())
    }

    /// Makes a configuration by which two processes share the partitions; what it says of workers takes the place of
    /// the configuration's own.
    pub fn share_among_two(&self, workers: &str) {
        let config = fs::read_to_string(self.path("fundwatch.toml"));
        let config = config.expect("the configuration is there");
        let config = config.replace("workers = 2", workers);
        let [_, mesh @ ..] = self.cluster_ports;
        let addresses = mesh.map(|port| format!("127.0.0.1:{port}"));
        let config = format!("{config}\n[cluster]\naddresses = {addresses:?}\n");
        fs::write(self.path("cluster.toml"), config).expect("a file can be written");
    }

    /// Starts a process of two.
    pub fn start_process(&self, process: usize) -> Daemon {
        let port = [self.http_port, self.cluster_ports[0]][process];
        let (number, listen) = (process.to_string(), format!("127.0.0.1:{port}"));
        let arguments = ["--process", &number, "--listen", &listen];
        let log = self.path(&format!("process-{process}.log"));
        Daemon::start_with(&self.path("cluster.toml"), &arguments, port, &log)
            .unwrap_or_else(|error| panic!("process {process} {error}"))
    }

    /// Starts a process of two that is to end by itself because it is not let in, and says why.
    pub fn refused_process(&self, process: usize) -> String {
        let listen = format!("127.0.0.1:{}", self.cluster_ports[0]);
        let process = process.to_string();
        self.refused(
            "cluster.toml",
            &["--process", &process, "--listen", &listen],
        )
    }

    /// Starts a daemon that is to end by itself because it cannot work, and says why.
    pub fn refused_start(&self) -> String {
        self.refused("fundwatch.toml", &[])
    }

    fn refused(&self, config: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("timeout");
        command.arg(SOON.as_secs().to_string());
        command.arg(binary::fundwatch()).args(["run", "--config"]);
        command.arg(self.path(config)).args(arguments);
        command.env("FUNDWATCH_ID_KEY", binary::ID_KEY);
        let words = peer::run(&mut command)
            .expect_err("it does not work")
            .to_string();
        assert!(words.contains("exit status: 1:"), "{words}");
        words
    }

    pub fn start_daemon(&self) -> Daemon {
        let log = self.path("daemon.log");
        Daemon::start(&self.path("fundwatch.toml"), self.http_port, &log)
            .unwrap_or_else(|error| panic!("the daemon {error}"))
    }

    /// Waits until the daemon says that it has read what was there when it started.
    pub fn wait_until_ready(&self, daemon: &mut Daemon) {
        let port = self.http_port;
        daemon.wait_for("it is ready", SOON, || {
            acceptance::daemon::get(port, "/readyz").is_ok_and(|answer| answer.code == 200)
        });
    }

    /// Waits until every record on the broker is committed, and everything told has left the outboxes.
    pub fn wait_until_settled(&self, daemon: &mut Daemon) {
        self.wait_until_read(daemon);
        daemon.wait_for("the outboxes are empty", SOON, || {
            self.store().outbox() == 0
        });
    }

    /// Waits until every record on the broker is committed.
    pub fn wait_until_read(&self, daemon: &mut Daemon) {
        let ends: Vec<(String, i64, i64)> = TOPICS
            .into_iter()
            .flat_map(|topic| {
                let ends = self.ends(topic);
                (0..)
                    .zip(ends)
                    .map(move |(n, end)| (topic.to_owned(), n, end))
            })
            .collect();
        daemon.wait_for("everything is read", SOON, || {
            self.store().offsets() == ends
        });
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("fundwatch.sqlite"))
    }

    /// What the alerts topic holds: of one alert in order.
    pub fn published(&self) -> Vec<Published> {
        let messages = self
            .broker
            .read_all(&self.topic(ALERTS))
            .expect("the broker answers");
        messages
            .iter()
            .map(|message| {
                let bytes = message.payload().expect("an alert has a value").to_vec();
                let value: Value = serde_json::from_slice(&bytes).expect("an alert is JSON");
                Published {
                    key: text_of(message.key().expect("an alert has a key")),
                    event: value["event"]
                        .as_str()
                        .expect("a telling has a kind")
                        .to_owned(),
                    revision: value["revision"].as_u64().expect("a telling has a number"),
                    value,
                    bytes,
                }
            })
            .collect()
    }

    pub fn published_dead_letters(&self) -> Vec<Value> {
        let messages = self
            .broker
            .read_all(&self.topic(DEAD_LETTER))
            .expect("the broker answers");
        messages
            .iter()
            .map(|message| {
                serde_json::from_slice(message.payload().expect("it has a value"))
                    .expect("it is JSON")
            })
            .collect()
    }

    /// The mails in the order of their arrival. Each is for one recipient, in its envelope, too.
    pub fn mails(&self) -> Vec<Mail> {
        let received = self
            .mail
            .received()
            .expect("the mail server keeps what it receives");
        received
            .into_iter()
            .map(|received| {
                assert_eq!(received.from, "fundwatch@fund.example.org");
                let [to] = received.to.as_slice() else {
                    panic!("one recipient an envelope: {:?}", received.to);
                };
                read_mail(to.clone(), received.data)
            })
            .collect()
    }

    /// All that must stay as it is.
    pub fn seen(&self) -> Seen {
        let store = self.store();
        Seen {
            alerts: store.alerts(),
            history: store.history(),
            dead_letters: store.count("SELECT count(*) FROM dead_letter"),
            published: self.ends(ALERTS),
            mails: self.mail.received().expect("mails are kept").len(),
        }
    }
}

/// The broker that lives as long as one of the tests that share it.
fn shared_broker() -> Option<Arc<KafkaBroker>> {
    static SHARED: Mutex<Weak<KafkaBroker>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(broker) = shared.upgrade() {
        return Some(broker);
    }
    let broker = Arc::new(KafkaBroker::start_or_skip()?);
    *shared = Arc::downgrade(&broker);
    Some(broker)
}

fn read_mail(to: String, data: String) -> Mail {
    let parsed: Parsed<'_> = MessageParser::default()
        .parse(data.as_bytes())
        .expect("it is a mail");
    let addressed = parsed
        .to()
        .and_then(|to| to.first())
        .and_then(|to| to.address());
    assert_eq!(
        addressed,
        Some(to.as_str()),
        "the header names whom the envelope names"
    );
    let parts = (0..parsed.text_body_count()).filter_map(|part| parsed.body_text(part));
    let html = (0..parsed.html_body_count()).filter_map(|part| parsed.body_html(part));
    let header = |name: &str| {
        parsed
            .header(name)
            .and_then(|value| value.as_text())
            .map(str::to_owned)
    };
    let telling = header("X-Fundwatch-Alert-Id").map(|id| {
        let event = header("X-Fundwatch-Event").expect("a mail on one telling says its kind");
        let revision = header("X-Fundwatch-Revision").and_then(|text| text.trim().parse().ok());
        (
            id.trim().to_owned(),
            event.trim().to_owned(),
            revision.expect("and its number"),
        )
    });
    Mail {
        to,
        message_id: parsed.message_id().expect("a mail has an id").to_owned(),
        subject: parsed.subject().expect("a mail has a subject").to_owned(),
        text: parts.chain(html).collect::<Vec<_>>().join("\n"),
        telling,
        data: data.clone(),
    }
}

/// The daemon's database, read beside it.
pub struct Store(Connection);

impl Store {
    fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).expect("the store is there");
        connection
            .busy_timeout(Duration::from_secs(5))
            .expect("a time can be set");
        Self(connection)
    }

    fn rows<T>(
        &self,
        query: &str,
        row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut select = self.0.prepare(query).expect("the store has its tables");
        let rows = select.query_map([], row).expect("the store can be read");
        rows.collect::<Result<_, _>>()
            .expect("rows are as they should be")
    }

    pub fn count(&self, query: &str) -> u64 {
        self.rows(query, |row| row.get(0))[0]
    }

    /// How many tellings, dead letters and mails wait to go out.
    fn outbox(&self) -> u64 {
        self.count(
            "SELECT (SELECT count(*) FROM topic_outbox)
                  + (SELECT count(*) FROM dead_letter WHERE pending = 1)
                  + (SELECT count(*) FROM notice)
                  + (SELECT count(*) FROM hook_outbox WHERE state = 'pending')
                  + (SELECT count(*) FROM mail WHERE state IN ('pending', 'sending'))",
        )
    }

    /// The first offset not committed of each partition.
    fn offsets(&self) -> Vec<(String, i64, i64)> {
        self.rows(
            "SELECT topic, partition, next_offset FROM offsets ORDER BY topic, partition",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
    }

    /// Each alert's JSON, and whether it is withdrawn.
    pub fn alerts(&self) -> Vec<(String, bool)> {
        self.rows("SELECT json, withdrawn FROM alerts ORDER BY id", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    /// Each telling, in the order of telling.
    pub fn history(&self) -> Vec<String> {
        self.rows(
            "SELECT a.id || ' ' || h.revision || ' ' || h.kind || ' ' || h.json
             FROM alert_history h JOIN alerts a ON a.n = h.alert ORDER BY h.seq",
            |row| row.get(0),
        )
    }

    /// What stands: the alerts of the contract's nine detectors that are not withdrawn, sorted as `replay` does.
    pub fn standing(&self) -> Vec<String> {
        self.rows(
            "SELECT json FROM alerts
             WHERE withdrawn = 0 AND detector NOT IN ('silent-feed', 'incomplete-feed', 'indicator-breach')
             ORDER BY detector, subject, period NULLS FIRST, item NULLS FIRST",
            |row| row.get(0),
        )
    }
}

/// Runs a command of the program to its end, and says what it printed.
pub fn fundwatch<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new(binary::fundwatch());
    command.args(words).env("FUNDWATCH_ID_KEY", binary::ID_KEY);
    peer::run(&mut command).unwrap_or_else(|error| panic!("{error}"))
}

/// The last record of each alert on its topic, after making sure that their order can be relied on.
pub fn latest(published: &[Published]) -> BTreeMap<String, Published> {
    let mut latest: BTreeMap<String, Published> = BTreeMap::new();
    let mut known: BTreeMap<(String, u64), Vec<u8>> = BTreeMap::new();
    for record in published {
        let name = (record.key.clone(), record.revision);
        if let Some(before) = known.insert(name, record.bytes.clone()) {
            assert_eq!(before, record.bytes, "a repeat says the same");
            continue;
        }
        let before = latest.insert(record.key.clone(), record.clone());
        let expected = before.map_or(1, |before| before.revision + 1);
        assert_eq!(
            record.revision, expected,
            "tellings of one alert come in order: {record:?}"
        );
    }
    latest
}

/// Nobody outside learns a resident ID number.
pub fn assert_hides(numbers: &BTreeSet<String>, place: &str, text: &str) {
    let digits = |c: char| c.is_ascii_alphanumeric();
    for word in text.split(|c| !digits(c)) {
        for length in [15, 18] {
            for number in word.as_bytes().windows(length) {
                let number = String::from_utf8_lossy(number).to_uppercase();
                assert!(
                    !numbers.contains(&number),
                    "{place} shows a number in full: {text}"
                );
            }
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
