//! `fundwatch demo`: the whole product on embedded parts, in under a minute.
//!
//! A simulated city's feed files grow day by day, and the same pipeline as the daemon's reads them:
//! alerts are stored in SQLite, mails written as `.eml`, metrics and the review console served.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alerting::http::{self, Health};
use alerting::identity::{AlertIdentity, DEFAULT_SECRET};
use alerting::mail::{MailConfig, Sender};
use alerting::metrics::{Exporter, Metrics};
use alerting::store::{AlertFilter, Channel, MailQueue};
use alerting::{Reader, Store};
use anyhow::{Context, Result, anyhow};
use casework::{FactSource, Place};
use comfy_table::{CellAlignment, Table, presets};
use console::casebook::{Actor, CasebookError, people};
use console::rights::{self, Role};
use console::{Console, ConsoleConfig, Desk};
use detectors::dataflow::{self, Clockwork, Plan};
use detectors::feeds::FeedWatch;
use domain::{Detector, Money, Severity, State, Topic};
use ingest::kafka::{Event, Record};
use ingest::{Decoder, Regions};
use rules::Policy;
use simulate::{FeedFiles, Irregularities, Options, Truth};
use state::Position;
use tokio::sync::watch;

use crate::cli;
use crate::clock;
use crate::failure::{Failure, say};
use crate::live::committer::Parts;
use crate::live::{self, Committer, FundWatch, Harvest, LiveFeed, Pace, RecordSource, Share, Team};
use crate::run::measure_pool;
use crate::subjects::{InFiles, Running, UntilClosed};

/// The city of the demo: small enough to be judged day by day in seconds.
const RETIREES: u32 = 6_000;
const ENTERPRISES: u32 = 700;
const CONTRIBUTORS: u32 = 15_000;
/// Workers of the demo.
const WORKERS: usize = 2;
/// A read of a growing file.
const READ_BYTES: usize = 128 * 1024;

/// Runs the command.
pub fn run(arguments: &cli::Demo) -> Result<(), Failure> {
    let started = Instant::now();
    let folder = Folder::make(arguments.out.as_deref())?;
    let policy = Arc::new(Policy::huangshan());
    let options = Options {
        seed: arguments.seed,
        months: arguments.months,
        retirees: RETIREES,
        enterprises: ENTERPRISES,
        contributors: CONTRIBUTORS,
        irregularities: Irregularities::usual_times(300),
        ..Options::default()
    };
    say(format_args!(
        "{}: {} 个月，{RETIREES} 名退休人员，{ENTERPRISES} 家单位 / {} months, {RETIREES} retirees, {ENTERPRISES} enterprises (simulated, seed {})",
        policy.pool.name, arguments.months, arguments.months, arguments.seed
    ))?;
    let store = Store::open(&folder.store(), &AlertIdentity::new(DEFAULT_SECRET))?;
    let mail = mail_config(&folder);
    let books = live::desk(WORKERS);
    let services = Services::start(&mail, &policy, &store, &folder, &books)?;
    say(format_args!("metrics: http://{}/metrics", services.address))?;
    say(format_args!(
        "核查台 / console: http://{}",
        services.console
    ))?;
    for (login, password) in &services.people {
        say(format_args!("  {login:<14} {password}"))?;
    }

    let growth = Arc::new(Growth {
        day_min: arguments
            .days_per_second
            .map_or(Duration::ZERO, |days| Duration::from_secs(1) / days),
        ..Growth::default()
    });
    let pace = Arc::new(Pace::default());
    let city = {
        let (growth, feeds, policy, pace) = (
            Arc::clone(&growth),
            folder.feeds(),
            Arc::clone(&policy),
            Arc::clone(&pace),
        );
        std::thread::Builder::new()
            .name("city".to_owned())
            .spawn(move || {
                let grown = grow(&options, &policy, &feeds, &growth);
                if let Err(error) = &grown {
                    // A city that stands still is waited for by nobody.
                    pace.fail(anyhow!("the feeds cannot be written: {error:#}"));
                }
                grown
            })?
    };
    let told = Arc::new(AtomicU64::new(0));
    let committer = Committer::new(Parts {
        policy: Arc::clone(&policy),
        routing: mail.routing(false)?,
        watch: FeedWatch::new(Arc::clone(&policy), [1; Topic::ALL.len()]),
        fund: FundWatch::new(Arc::clone(&policy)),
        store,
        metrics: Arc::clone(&services.metrics),
        health: Arc::clone(&services.health),
        pace: Arc::clone(&pace),
        read_again: {
            let feeds = folder.feeds();
            Box::new(move |topic, _, offset| record_at(&feeds, topic, offset).map(Some))
        },
        // Its feeds are files, and it begins anew each time.
        make_durable: Box::new(|| Ok(())),
        locate: |topic, _, offset| format!("{topic}.jsonl@{offset}"),
        holders: Vec::new(),
        waits_for_room: false,
        on_commit: {
            let (told, growth) = (Arc::clone(&told), Arc::clone(&growth));
            Box::new(move |committed| {
                told.fetch_add(committed.told.len() as u64, Ordering::Relaxed);
                growth.judged.fetch_add(1, Ordering::Release);
            })
        },
    });
    let judged = judge(&folder, &policy, &growth, &pace, books, committer);
    growth.abandoned.store(true, Ordering::Release);
    let truth = city
        .join()
        .map_err(|_| anyhow!("the simulated city failed"))?;
    let store = judged?.into_store();
    let truth = truth?;
    services.drain_mail(&store)?;
    drop(store);
    report(
        &folder,
        &policy,
        &truth,
        told.load(Ordering::Relaxed),
        started.elapsed(),
    )?;
    if arguments.stay {
        say("metrics and console are served until you press Ctrl-C / 按 Ctrl-C 结束")?;
        services.runtime.block_on(tokio::signal::ctrl_c())?;
    }
    services.stop();
    Ok(())
}

/// Says that a folder is a demo's, and is locked by the one that is at work in it.
const MARK: &str = ".fundwatch-demo";

/// Where the demo puts things; nobody else's as long as it is held.
struct Folder {
    path: PathBuf,
    /// Held to the end: a second demo would take the files away under the first.
    _lock: File,
}

impl Folder {
    fn make(asked: Option<&Path>) -> Result<Folder, Failure> {
        let path = match asked {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(format!("fundwatch-demo-{}", std::process::id())),
        };
        let mark = path.join(MARK);
        let is_ours = mark.is_file();
        let is_empty = match std::fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                return Err(Failure::usage(format!(
                    "--out: `{}`: {error}",
                    path.display()
                )));
            }
        };
        // Only what an earlier demo left is taken away; anything else is somebody's.
        if !is_empty && !is_ours {
            return Err(Failure::usage(format!(
                "--out: `{}` has other things in it; name an empty folder, a new one, or one of an earlier demo",
                path.display()
            )));
        }
        let lock = std::fs::create_dir_all(&path)
            .and_then(|()| File::options().create(true).append(true).open(&mark))
            .with_context(|| format!("cannot write in `{}`", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::usage(format!(
                    "--out: another `fundwatch demo` is at work in `{}`, or still serves what is there: end it, or name another folder",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error)
                    .context(format!("cannot lock `{}`", mark.display()))
                    .into());
            }
        }
        std::fs::write(
            &mark,
            "What is here belongs to `fundwatch demo`, which empties it.\n",
        )
        .with_context(|| format!("cannot write in `{}`", path.display()))?;
        let folder = Folder { path, _lock: lock };
        for path in [folder.feeds(), folder.mails()] {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => std::fs::create_dir_all(&path)
                    .with_context(|| format!("cannot make `{}`", path.display()))?,
            }
        }
        for name in [folder.store(), folder.casebook()] {
            for suffix in ["", "-wal", "-shm", ".lock"] {
                let mut name = name.clone().into_os_string();
                name.push(suffix);
                // A file that is not there need not be removed; one that cannot be is found when it is opened.
                let _ = std::fs::remove_file(name);
            }
        }
        Ok(folder)
    }

    fn feeds(&self) -> PathBuf {
        self.path.join("feeds")
    }

    fn mails(&self) -> PathBuf {
        self.path.join("mails")
    }

    fn store(&self) -> PathBuf {
        self.path.join("fundwatch.sqlite")
    }

    fn casebook(&self) -> PathBuf {
        self.path.join("console.sqlite")
    }
}

fn mail_config(folder: &Folder) -> MailConfig {
    let text = format!(
        r#"
        transport = "eml-folder"
        folder = {:?}
        from = "基金监测 <fundwatch@huangshan.example>"
        recipients = [
            {{ address = "supervision@huangshan.example", name = "基金监督科", language = "zh", min_severity = "yellow" }},
            {{ address = "auditor@huangshan.example", name = "Auditor", language = "en", min_severity = "red" }},
        ]
        # Months pass in seconds: no digest would come in time.
        pace = {{ yellow = "at-once", orange = "at-once", per_hour_max = 100000, life_on = "never" }}
        "#,
        folder.mails().display().to_string()
    );
    toml::from_str(&text).expect("the demo's mail table is right")
}

/// How far the city's files have grown, and how far they are judged.
#[derive(Default)]
struct Growth {
    /// Commits so far.
    judged: AtomicU64,
    ended: AtomicBool,
    abandoned: AtomicBool,
    days: Mutex<Option<domain::BusinessDate>>,
    /// A day takes no less than this.
    day_min: Duration,
}

/// Lets the files grow day by day, each when the one before is judged.
fn grow(options: &Options, policy: &Policy, feeds: &Path, growth: &Growth) -> Result<Truth> {
    let mut files = FeedFiles::grow(feeds)?;
    let mut today = None;
    let grown = simulate::generate(options, policy, &mut |line| {
        if today.is_some_and(|today| today != line.date) {
            files.flush()?;
            growth.wait();
        }
        today = Some(line.date);
        *growth.days.lock().unwrap_or_else(PoisonError::into_inner) = today;
        if growth.abandoned.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        files.write(line)
    });
    growth.ended.store(true, Ordering::Release);
    let truth = grown?;
    files.finish(&truth)?;
    growth.ended.store(true, Ordering::Release);
    Ok(truth)
}

impl Growth {
    /// Until the next commit, or for a moment: a day with nothing to commit is over, too.
    fn wait(&self) {
        let before = self.judged.load(Ordering::Acquire);
        let started = Instant::now();
        let is_judged = || {
            self.judged.load(Ordering::Acquire) != before
                || started.elapsed() > Duration::from_millis(60)
        };
        while started.elapsed() < self.day_min || !is_judged() {
            if self.abandoned.load(Ordering::Acquire) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn judge(
    folder: &Folder,
    policy: &Arc<Policy>,
    growth: &Arc<Growth>,
    pace: &Arc<Pace>,
    books: dataflow::Desk,
    mut committer: Committer,
) -> Result<Committer> {
    let harvest = Harvest::default();
    let plan = Plan {
        policy: Arc::clone(policy),
        clockwork: Clockwork::Live {
            present_from_feeds: true,
        },
        posts: true,
        desk: Some(books),
    };
    let feed_of = {
        let (feeds, policy, growth, pace, notes) = (
            folder.feeds(),
            Arc::clone(policy),
            Arc::clone(growth),
            Arc::clone(pace),
            harvest.notes.clone(),
        );
        move |worker: usize| {
            let mine: Vec<Topic> = Topic::ALL
                .into_iter()
                .enumerate()
                .filter(|(at, _)| at % WORKERS == worker)
                .map(|(_, topic)| topic)
                .collect();
            let partitions: Vec<_> = mine
                .iter()
                .map(|topic| Share {
                    topic: *topic,
                    partition: 0,
                    known: Position::default(),
                    from: 0,
                    until: 0,
                })
                .collect();
            let tails = mine.iter().map(|topic| Tail::new(*topic, &feeds)).collect();
            let decoder = Decoder::new(Regions::new(
                policy.pool.regions.iter().map(|region| region.code),
            ));
            let source = GrowingFiles {
                tails,
                growth: Arc::clone(&growth),
                ended: false,
            };
            Ok(LiveFeed::new(
                source,
                decoder,
                &partitions,
                &pace,
                &notes,
                None,
                None,
            ))
        }
    };
    live::run(
        plan,
        Team::alone(WORKERS),
        Duration::from_millis(10),
        pace,
        &harvest,
        feed_of,
        |complete| committer.commit(complete),
    )?;
    Ok(committer)
}

/// Files that grow, as feeds.
struct GrowingFiles {
    tails: Vec<Tail>,
    growth: Arc<Growth>,
    ended: bool,
}

/// One growing file; a record's offset is that of its first byte.
struct Tail {
    topic: Topic,
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    offset: i64,
}

impl Tail {
    fn new(topic: Topic, feeds: &Path) -> Tail {
        Tail {
            topic,
            path: feeds.join(format!("{topic}.jsonl")),
            file: None,
            buffer: Vec::new(),
            offset: 0,
        }
    }

    fn poll(&mut self, take: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(file) = &mut self.file else {
            return Ok(false);
        };
        let known = self.buffer.len();
        self.buffer.resize(known + READ_BYTES, 0);
        let read = file.read(&mut self.buffer[known..])?;
        self.buffer.truncate(known + read);
        let mut start = 0;
        while let Some(at) = self.buffer[start..].iter().position(|b| *b == b'\n') {
            let bytes = &self.buffer[start..start + at];
            take(Event::Record(Record {
                topic: self.topic,
                partition: 0,
                offset: self.offset,
                bytes,
            }));
            start += at + 1;
            self.offset += at as i64 + 1;
        }
        self.buffer.drain(..start);
        Ok(start > 0 || read > 0)
    }
}

impl RecordSource for GrowingFiles {
    fn poll(&mut self, _wait: Duration, take: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        // Asked before reading: what is there then is all there will be.
        let ended = self.growth.ended.load(Ordering::Acquire);
        let mut any = false;
        for tail in &mut self.tails {
            any |= tail.poll(take)?;
        }
        self.ended = ended && !any;
        Ok(any)
    }

    fn has_ended(&self) -> bool {
        self.ended
    }
}

fn record_at(feeds: &Path, topic: Topic, offset: i64) -> Result<Vec<u8>> {
    use std::io::BufRead;
    let mut file = File::open(feeds.join(format!("{topic}.jsonl")))?;
    file.seek(SeekFrom::Start(u64::try_from(offset)?))?;
    let mut record = Vec::new();
    io::BufReader::new(file).read_until(b'\n', &mut record)?;
    record.pop_if(|last| *last == b'\n');
    Ok(record)
}

/// Pages and mail.
struct Services {
    runtime: tokio::runtime::Runtime,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    address: std::net::SocketAddr,
    console: std::net::SocketAddr,
    /// Login and password of those who may look at the console.
    people: Vec<(String, String)>,
    stop: watch::Sender<bool>,
}

impl Services {
    fn start(
        mail: &MailConfig,
        policy: &Arc<Policy>,
        store: &Store,
        folder: &Folder,
        books: &dataflow::Desk,
    ) -> Result<Services> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("services")
            .enable_all()
            .build()?;
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), "demo"));
        measure_pool(&metrics, policy);
        let health = Arc::new(Health::new(Duration::from_secs(600)));
        let (stop, stopping) = watch::channel(false);
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let exporter = Arc::new(Exporter::new(
            Arc::clone(&metrics),
            store.path(),
            clock::now,
        )?);
        runtime.spawn(http::serve(
            listener,
            exporter,
            Arc::clone(&health),
            stopping.clone(),
        ));
        let queue = MailQueue::open(store.path())?;
        let sender = Sender::new(
            mail,
            Arc::clone(policy),
            queue,
            Arc::clone(&metrics),
            clock::clock(),
        )?;
        if let Some(sender) = sender {
            runtime.spawn(sender.run(store.wakers().mail, stopping.clone()));
        }
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
        let console_at = listener.local_addr()?;
        let table = ConsoleConfig {
            listen: console_at,
            // Whoever tries it out has no authenticator at hand; the passwords are drawn for this run.
            second_factor: false,
            ..ConsoleConfig::default()
        };
        let desk = Desk::new(mail.office(Arc::clone(policy))?, clock::clock());
        let console = Console::open(table, &folder.casebook(), folder.store(), desk)?;
        let console = console.with_facts(facts_of(books, folder, policy));
        let people = add_people(&console)?;
        runtime.spawn(console.serve(listener, Arc::clone(&metrics), stopping));
        Ok(Services {
            runtime,
            metrics,
            health,
            address,
            console: console_at,
            people,
            stop,
        })
    }

    /// Waits until every mail is written.
    fn drain_mail(&self, store: &Store) -> Result<()> {
        let reader = store.reader()?;
        let until = Instant::now() + Duration::from_secs(30);
        while reader.notices()? + reader.outbox(Channel::Mail)?.pending > 0
            && Instant::now() < until
        {
            store.wakers().mail.notify_one();
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn stop(self) {
        // An error means that every task has ended already.
        let _ = self.stop.send(true);
        self.runtime.shutdown_timeout(Duration::from_secs(2));
    }
}

/// The books of the workers, and when these have ended the files.
fn facts_of(books: &dataflow::Desk, folder: &Folder, policy: &Arc<Policy>) -> Arc<dyn FactSource> {
    let feeds = folder.feeds();
    let locate = |topic, position| Place::Byte {
        topic,
        file: format!("{topic}.jsonl"),
        byte: live::partition_and_offset(position).1,
    };
    let read = move |topic, _, offset| record_at(&feeds, topic, offset).map(Some);
    Arc::new(UntilClosed {
        books: Running::new(books.clone(), locate, Box::new(read)),
        files: InFiles::new(folder.feeds(), Arc::clone(policy)),
    })
}

/// One of each role, with a password that is good for this demo alone.
fn add_people(console: &Console) -> Result<Vec<(String, String)>> {
    let actor = Actor::of_command(clock::now());
    let mut all = Vec::new();
    for (login, name, role) in [
        ("reviewer", "李核查", Role::Reviewer),
        ("supervisor", "王复核", Role::Supervisor),
        ("auditor", "赵审计", Role::Auditor),
        ("viewer", "孙查看", Role::Viewer),
        ("administrator", "陈管理", Role::Administrator),
    ] {
        let password = people::draw_password();
        let hash = people::hash_password(&password)?;
        let actor = actor.clone();
        console.casebook().write_blocking(move |transaction| {
            let token = people::add(
                transaction,
                &actor,
                login,
                name,
                role,
                &rights::Regions::All,
            )?;
            people::enrol(transaction, &actor, &token, &hash, None)?;
            Ok::<_, CasebookError>(())
        })?;
        all.push((login.to_owned(), password));
    }
    Ok(all)
}

/// What was found, in words that a supervisor understands, and where to look next.
fn report(
    folder: &Folder,
    policy: &Policy,
    truth: &Truth,
    told: u64,
    took: Duration,
) -> Result<(), Failure> {
    let reader = Reader::open(&folder.store())?;
    let alerts = reader.alerts(&AlertFilter::default())?;
    let mut lines: BTreeMap<Detector, (u64, u64, Money, Option<Severity>)> = BTreeMap::new();
    for row in alerts.iter().filter(|row| !row.withdrawn) {
        let Some(detector) = Detector::parse(&row.alert.detector) else {
            continue;
        };
        let line = lines.entry(detector).or_default();
        match row.alert.state {
            State::Open => {
                line.0 += 1;
                line.2 += row.alert.amount;
                line.3 = line.3.max(Some(row.alert.severity));
            }
            State::Cleared => line.1 += 1,
        }
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "预警 / alert",
        "未结 / open",
        "已解除 / cleared",
        "涉及金额（元）/ yuan at stake",
        "最高等级 / gravest",
    ]);
    for (detector, (open, cleared, amount, severity)) in &lines {
        table.add_row([
            format!("{} {detector}", detector.name_zh()),
            open.to_string(),
            cleared.to_string(),
            amount.grouped(),
            severity.map_or("–".to_owned(), |severity| {
                format!("{} {}", severity.name_zh(), severity.as_str())
            }),
        ]);
    }
    for column in 1..=3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    say(table)?;
    let mails = std::fs::read_dir(folder.mails())?
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "eml")
        })
        .count();
    let worst = alerts
        .iter()
        .filter(|row| !row.withdrawn && row.alert.state == State::Open)
        .max_by_key(|row| (row.alert.severity, row.alert.amount));
    if let Some(row) = worst {
        let region = policy
            .pool
            .regions
            .iter()
            .find(|region| region.code.as_str() == row.alert.region);
        say(format_args!(
            "最大一笔 / largest: {} {} {} 元",
            region.map_or("", |region| &region.name),
            Detector::parse(&row.alert.detector).map_or("", Detector::name_zh),
            row.alert.amount.grouped()
        ))?;
    }
    let planted = truth
        .planted
        .iter()
        .filter(|planted| planted.detector.is_some())
        .count();
    say(format_args!(
        "{} records read as of {}, {} dead letters, {told} tellings, {mails} mails, {planted} irregularities had been planted; {} s",
        truth.lines(),
        truth.as_of,
        reader.dead_letters()?,
        took.as_secs()
    ))?;
    say(format_args!(
        "看信 / mails:      {}",
        folder.mails().display()
    ))?;
    say(format_args!(
        "数据库 / database: {}",
        folder.store().display()
    ))?;
    say(format_args!(
        "数据 / feeds:      {} (what was planted: truth.jsonl)",
        folder.feeds().display()
    ))?;
    say(format_args!(
        "复算 / replay:     fundwatch replay --feeds {} --policy rules/policies/huangshan.toml --as-of {} --out {}",
        folder.feeds().display(),
        truth.as_of,
        folder.path.join("replay").display()
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_a_demo_is_at_work_in_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("demo");
        let first = Folder::make(Some(&path)).ok().unwrap();
        std::fs::write(first.casebook(), "somebody's").unwrap();
        let Err(refused) = Folder::make(Some(&path)) else {
            panic!("two demos in one folder");
        };
        assert!(format!("{refused:?}").contains("another `fundwatch demo`"));
        assert!(first.casebook().exists());
        drop(first);
        let again = Folder::make(Some(&path)).ok().unwrap();
        assert!(!again.casebook().exists());
    }
}
