//! `fundwatch run`: the daemon on Kafka.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alerting::batch::Holder;
use alerting::hook::{Alertmanager, Webhook};
use alerting::http::{self, Health};
use alerting::mail::{Office, Operators, Sender};
use alerting::metrics::{Exporter, Metrics};
use alerting::publish::Publisher;
use alerting::store::{HookQueue, MailQueue, TopicQueue};
use alerting::{Renewable, Routing, Store};
use anyhow::{Context, Result, anyhow, bail};
use casework::FactSource;
use console::{Console, Desk};
use detectors::dataflow::{self, Clockwork, Plan};
use detectors::feeds::FeedWatch;
use domain::BusinessDate;
use ingest::kafka::{self, Connection, Event, KafkaReader, Partition};
use ingest::{Decoder, Regions};
use ring::digest::{SHA256, digest};
use rules::Policy;
use state::{Lock, Log, Recorder, Writer};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::cli;
use crate::clock;
use crate::cluster::{Credentials, Follower, Holding, Leader, LeaderLinks, Start};
use crate::config::{ClockSource, Config, ConfigErrors, business_clock};
use crate::disk;
use crate::failure::Failure;
use crate::live::committer::Parts;
use crate::live::feed::BusinessClock;
use crate::live::{
    self, Committer, Disk, FundWatch, Harvest, LIVE, LiveFeed, Others, Pace, RecordSource, Reloads,
    Share, Team,
};
use crate::log;
use crate::reload::{self, Reloader, Renewals};
use crate::replay::workers;
use crate::subjects::Running;
use crate::topics::topic_names;

/// How long the broker may take to say what there is.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Between attempts to reach the broker, doubled up to the maximum.
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// The broker may take so long to hand out a record once more.
const READ_AGAIN_WITHIN: Duration = Duration::from_secs(30);
/// And so long if somebody waits to see it.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// Between looks at whether the broker is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// No heartbeat for so long means that the program hangs.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// News for the operators that may wait to be made mails of.
const NEWS_MAX: usize = 8;
/// What the senders have in hand may be finished within this when the program stops.
const SENDERS_FINISH_WITHIN: Duration = Duration::from_secs(10);

/// Runs the command until SIGTERM or SIGINT.
pub fn run(arguments: &cli::Run) -> Result<(), Failure> {
    // The last to go: what fails below is in it.
    let (lines, _ending) = log::start()?;
    let (mut config, policy) = Config::load(&arguments.config).map_err(Failure::usage)?;
    if let Some(process) = arguments.process {
        config.be_process(process).map_err(Failure::usage)?;
    }
    config.http.listen = arguments.listen.unwrap_or(config.http.listen);
    let connection = config.connection().map_err(Failure::usage)?;
    let cluster = match &config.cluster {
        Some(cluster) => Some(
            cluster
                .credentials(in_common(&config).map_err(Failure::usage)?)
                .map_err(Failure::usage)?,
        ),
        None => None,
    };
    let (done, pace) = match cluster {
        Some(credentials) if credentials.process > 0 => {
            follow(&config, connection, policy, credentials, lines)?
        }
        cluster => lead(
            &arguments.config,
            &config,
            connection,
            policy,
            cluster,
            lines,
        )?,
    };
    match done? {
        // Whoever was stopped along with another is to be started again.
        Some(asked_by) if !pace.was_asked() => Err(Failure::Deserted(format!(
            "{asked_by}: the processes of a cluster stop together"
        ))),
        _ => Ok(()),
    }
}

/// How a run ended: who else asked for it, if it was another process.
type Done = Result<Option<String>>;

/// The process that writes the store: the only one, or the first of a cluster.
fn lead(
    path: &Path,
    config: &Config,
    connection: Connection,
    policy: Policy,
    cluster: Option<Credentials>,
    lines: log::Lines,
) -> Result<(Done, Arc<Pace>), Failure> {
    let reloader = Reloader::new(path, config).map_err(Failure::usage)?;
    let identity = config.identity().map_err(Failure::usage)?;
    if identity.is_default() {
        tracing::warn!(
            "no id_key_file and no FUNDWATCH_ID_KEY: alert ids are made with a published default, and can be traced back to persons"
        );
    }
    let today = business_clock(&policy).map_err(Failure::usage)?;
    let routing = config.routing().map_err(Failure::usage)?;
    let policy = Arc::new(policy);
    make_folder(&config.store)?;
    let store = Store::open(&config.store, &identity)
        .with_context(|| format!("cannot open the store `{}`", config.store.display()))?;
    let lock = lock_state(config)?;
    let books = live::desk(workers(config.workers));
    let (services, renewals) =
        Services::start(config, &connection, &policy, Some((&store, &books)), lines)?;
    let reloads = reloader.reloads.clone();
    services.need(reloader.run(
        Arc::clone(&services.pace),
        Arc::clone(&services.metrics),
        renewals,
    ));
    let leader = match cluster {
        Some(credentials) => Some(Leader::open(credentials, store.run())?),
        None => None,
    };
    let place = Place {
        config,
        connection,
        policy,
        books: Some(books),
        services: &services,
    };
    let clock: Option<BusinessClock> = match config.clock {
        ClockSource::System => Some(Arc::new(today)),
        ClockSource::Feeds => None,
    };
    let done = place.watch_feeds(clock, reloads, routing, store, lock, leader);
    Ok(services.end(done))
}

/// A process of a cluster that does not write the store.
fn follow(
    config: &Config,
    connection: Connection,
    policy: Policy,
    credentials: Credentials,
    lines: log::Lines,
) -> Result<(Done, Arc<Pace>), Failure> {
    let policy = Arc::new(policy);
    make_folder(&config.state())?;
    let lock = lock_state(config)?;
    let (services, _) = Services::start(config, &connection, &policy, None, lines)?;
    services.need(reload::leave_to_the_leader(Arc::clone(&services.pace)));
    let place = Place {
        config,
        connection,
        policy,
        books: None,
        services: &services,
    };
    let done = place.work_for_the_leader(credentials, lock);
    Ok(services.end(done))
}

/// The state on disk for this process alone, if it keeps any.
fn lock_state(config: &Config) -> Result<Option<Lock>> {
    let lock = config.keep_state.then(|| Lock::of(&config.state()));
    Ok(lock.transpose()?)
}

/// Makes the folder that something is to lie in.
fn make_folder(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    Ok(())
}

/// What must be the same in all processes of a cluster, for the same bytes to come of it.
fn in_common(config: &Config) -> Result<Vec<(String, String)>, ConfigErrors> {
    let policy = std::fs::read(&config.policy).map_err(|error| {
        ConfigErrors(vec![format!(
            "cannot read `{}`: {error}",
            config.policy.display()
        )])
    })?;
    let digest = digest(&SHA256, &policy);
    let policy: String = digest.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let addresses = config.cluster.iter().flat_map(|cluster| &cluster.addresses);
    let addresses: Vec<String> = addresses.map(ToString::to_string).collect();
    let revision = option_env!("FUNDWATCH_REVISION").unwrap_or("unknown");
    let traits = [
        (
            "the program",
            format!("{} ({revision})", env!("CARGO_PKG_VERSION")),
        ),
        ("cluster.addresses", addresses.join(" ")),
        ("workers", workers(config.workers).to_string()),
        ("clock", format!("{:?}", config.clock)),
        (
            "kafka.topic_prefix",
            format!("`{}`", config.kafka.topic_prefix),
        ),
        ("the policy file (SHA-256)", policy),
    ];
    Ok(traits
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec())
}

/// Everything beside detection: pages, mail, topics, signals. On a runtime of its own.
struct Services {
    runtime: tokio::runtime::Runtime,
    tasks: JoinSet<Result<()>>,
    stop: watch::Sender<bool>,
    pace: Arc<Pace>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Services {
    fn start(
        config: &Config,
        connection: &Connection,
        policy: &Arc<Policy>,
        store: Option<(&Store, &dataflow::Desk)>,
        lines: log::Lines,
    ) -> Result<(Services, Renewals)> {
        let mut renewals = Renewals::default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("services")
            .enable_all()
            .build()?;
        let metrics = Arc::new(Metrics::new(
            env!("CARGO_PKG_VERSION"),
            option_env!("FUNDWATCH_REVISION").unwrap_or("unknown"),
        ));
        measure_pool(&metrics, policy);
        if let Some((store, _)) = store {
            metrics.restore(store)?;
        }
        let health = Arc::new(Health::new(SILENCE_MAX));
        health.object(
            "kafka",
            "the feeds have not been read to where they were at the start",
        );
        let pace = Arc::new(Pace::default());
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(config.http.listen))
            .with_context(|| format!("http.listen: cannot listen on {}", config.http.listen))?;
        faults::point!("start.listening");
        let exporter = Arc::new(match store {
            Some((store, _)) => Exporter::new(Arc::clone(&metrics), store.path(), clock::now)?,
            None => Exporter::without_store(Arc::clone(&metrics), &config.state(), clock::now),
        });
        let mut spawn = |task: Task| {
            let (task, pace) = (runtime.spawn(task), Arc::clone(&pace));
            tasks.spawn_on(watched(task, pace), runtime.handle());
        };
        let pages = http::serve(listener, exporter, Arc::clone(&health), stopping.clone());
        spawn(Box::pin(async move { pages.await.context("the pages") }));
        if let Some((store, books)) = store {
            let senders = senders(
                config,
                connection,
                policy,
                store,
                &metrics,
                &stopping,
                &mut renewals,
            )?;
            senders.into_iter().for_each(&mut spawn);
            let facts = facts_of(books, connection);
            let console =
                review_console(config, policy, store, facts, &metrics, &runtime, &stopping)?;
            if let Some((console, office)) = console {
                renewals.offices.push(office);
                spawn(console);
            }
        }

        let services = Services {
            runtime,
            tasks,
            stop,
            pace,
            health,
            metrics,
        };
        services.need(stop_when_asked(Arc::clone(&services.pace)));
        services.need(beat(
            Arc::clone(&services.health),
            Arc::clone(&services.pace),
            Arc::clone(&services.metrics),
            lines,
        ));
        Ok((services, renewals))
    }

    /// Runs something that the program cannot do without, and that nobody waits for when it stops.
    fn need(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.runtime.spawn(async move {
            task.await;
            Ok(())
        });
        self.runtime.spawn(watched(task, Arc::clone(&self.pace)));
    }

    /// Ends with the run, which comes first where both failed.
    fn end(self, done: Done) -> (Done, Arc<Pace>) {
        let pace = Arc::clone(&self.pace);
        let stopped = self.stop();
        (done.and_then(|asked_by| stopped.map(|()| asked_by)), pace)
    }

    /// Lets the senders finish what they have in hand.
    fn stop(mut self) -> Result<()> {
        // An error means that every task has ended already.
        let _ = self.stop.send(true);
        let finished = self.runtime.block_on(async {
            tokio::time::timeout(SENDERS_FINISH_WITHIN, async {
                let mut first = Ok(());
                while let Some(done) = self.tasks.join_next().await {
                    first = first.and(done.map_err(|error| anyhow!(error)).flatten());
                }
                first
            })
            .await
        });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        // What was not finished stays in the outboxes, and goes out at the next start.
        finished.unwrap_or(Ok(()))
    }
}

/// A service, until it is asked to stop.
type Task = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// The review console, if the configuration has one, and what a changed configuration renews of it.
fn review_console(
    config: &Config,
    policy: &Arc<Policy>,
    store: &Store,
    facts: Arc<dyn FactSource>,
    metrics: &Arc<Metrics>,
    runtime: &tokio::runtime::Runtime,
    stopping: &watch::Receiver<bool>,
) -> Result<Option<(Task, Renewable<Office>)>> {
    let Some(table) = &config.console else {
        return Ok(None);
    };
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(table.listen))
        .with_context(|| format!("console.listen: cannot listen on {}", table.listen))?;
    let office = config.mail.office(Arc::clone(policy))?;
    let desk = Desk::new(office, clock::clock());
    let renewable = desk.renewable();
    let casebook = config.casebook();
    let console = Console::open(table.clone(), &casebook, store.path().to_owned(), desk)
        .with_context(|| format!("cannot open the casebook `{}`", casebook.display()))?;
    let console = match &table.oidc {
        Some(oidc) => console.with_provider(oidc.provider().map_err(|fault| anyhow!(fault))?),
        None => console,
    };
    let serve = console
        .with_facts(facts)
        .serve(listener, Arc::clone(metrics), stopping.clone());
    let task: Task = Box::pin(async move {
        serve.await;
        Ok(())
    });
    Ok(Some((task, renewable)))
}

/// What sends what the store has for others: to topics, by mail, to programs.
fn senders(
    config: &Config,
    connection: &Connection,
    policy: &Arc<Policy>,
    store: &Store,
    metrics: &Arc<Metrics>,
    stopping: &watch::Receiver<bool>,
    renewals: &mut Renewals,
) -> Result<Vec<Task>> {
    let mut tasks: Vec<Task> = Vec::new();
    let wakers = store.wakers();
    let publisher = Publisher::new(
        &connection.client(),
        topic_names(connection),
        TopicQueue::open(store.path())?,
        Arc::clone(metrics),
    )?;
    let publish = publisher.run(wakers.topic, stopping.clone());
    tasks.push(Box::pin(async move { publish.await.context("publishing") }));

    let queue = MailQueue::open(store.path())?;
    if let Some(sender) = Sender::new(
        &config.mail,
        Arc::clone(policy),
        queue,
        Arc::clone(metrics),
        clock::clock(),
    )? {
        renewals.offices.push(sender.office());
        renewals.pacing = Some(sender.pacing());
        let send = sender.run(wakers.mail, stopping.clone());
        tasks.push(Box::pin(async move { send.await.context("sending mail") }));
    }
    if let Some(operators) = Operators::new(&config.mail, clock::clock())? {
        let (news, received) = mpsc::channel(NEWS_MAX);
        renewals.news = Some(news);
        let tell = operators.run(received, stopping.clone());
        tasks.push(Box::pin(async move {
            tell.await;
            Ok(())
        }));
    }
    for hook in &config.webhooks {
        let queue = HookQueue::open(store.path())?;
        let hook = Webhook::new(hook, queue, Arc::clone(metrics), clock::clock());
        let hook = hook.map_err(|error| anyhow!(error))?;
        let tell = hook.run(Arc::clone(&wakers.hooks), stopping.clone());
        tasks.push(Box::pin(
            async move { tell.await.context("telling a webhook") },
        ));
    }
    let alertmanager = Alertmanager::new(
        &config.alertmanager,
        policy.pool.code.as_str(),
        config.mail.office(Arc::clone(policy))?,
        store.reader()?,
        Arc::clone(metrics),
        clock::clock(),
    );
    if let Some(alertmanager) = alertmanager.map_err(|error| anyhow!(error))? {
        renewals.offices.push(alertmanager.office());
        let push = alertmanager.run(wakers.hooks, stopping.clone());
        tasks.push(Box::pin(async move {
            push.await.context("telling Alertmanager")
        }));
    }
    Ok(tasks)
}

/// The books of the workers, and the records that their facts were made from.
fn facts_of(books: &dataflow::Desk, connection: &Connection) -> Arc<dyn FactSource> {
    let connection = connection.clone();
    let read = move |topic, partition, offset| {
        let record = (topic, partition, offset);
        Ok(kafka::read_again(&connection, record, SHOWN_WITHIN)?)
    };
    Arc::new(Running::new(
        books.clone(),
        casework::Place::of_position,
        Box::new(read),
    ))
}

/// Tells the metrics which regions there are, and how far the calendar goes: to the end of the last
/// year that it names a day of.
pub fn measure_pool(metrics: &Metrics, policy: &Policy) {
    let regions = policy.pool.regions.iter();
    metrics.pool(
        regions.map(|region| (region.code, region.name.as_str())),
        policy
            .calendar()
            .covered_until()
            .and_then(|day| BusinessDate::from_ymd(day.period().year(), 12, 31)),
    );
}

/// A service that cannot go on stops the program, which would go on and tell nobody.
async fn watched(task: JoinHandle<Result<()>>, pace: Arc<Pace>) -> Result<()> {
    match task.await.map_err(|error| anyhow!(error)).flatten() {
        Err(error) if !pace.is_stopping() => {
            pace.fail(error);
            Ok(())
        }
        done => done,
    }
}

/// Stops everything at a signal.
async fn stop_when_asked(pace: Arc<Pace>) {
    match stop_signal().await {
        Ok(signal) => {
            tracing::info!(signal, "stopping");
            faults::point!("stop.asked");
        }
        Err(error) => tracing::error!(%error, "cannot wait for signals; stopping"),
    }
    pace.ask_to_stop();
}

/// An idle feed commits nothing: the pulse shows that the runtime is alive.
async fn beat(health: Arc<Health>, pace: Arc<Pace>, metrics: Arc<Metrics>, lines: log::Lines) {
    while !pace.is_stopping() {
        health.beat();
        metrics.log_left_out(lines.left_out());
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

async fn stop_signal() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

/// Where a process works, and with what.
struct Place<'a> {
    config: &'a Config,
    connection: Connection,
    policy: Arc<Policy>,
    books: Option<dataflow::Desk>,
    services: &'a Services,
}

impl Place<'_> {
    /// Reads the feeds, judges, and commits what comes of it here and in the processes that follow.
    fn watch_feeds(
        &self,
        clock: Option<BusinessClock>,
        reloads: Reloads,
        routing: Routing,
        store: Store,
        lock: Option<Lock>,
        mut leader: Option<Leader>,
    ) -> Done {
        let (pace, health) = (&self.services.pace, &self.services.health);
        let config = self.config;
        let Some(partitions) = partitions(&self.connection, pace, health) else {
            return pace.take_failure().map_or(Ok(None), Err);
        };
        let (committed, holders) = (store.offsets()?, store.holders()?);
        let log = disk::read(
            config,
            &self.policy,
            store.instance()?,
            &committed,
            &holders,
        )?;
        let mut holdings = vec![Holding::of(&log)];
        if let Some(leader) = &mut leader {
            let start = Start::new(store.run(), store.instance()?, &committed, &holders);
            let Some(others) = leader.gather(&start, pace, health) else {
                return pace.take_failure().map_or(Ok(None), Err);
            };
            holdings.extend(others);
        }
        let accept_gap = config.kafka.accept_gap;
        let shares = disk::shares(&holdings, &partitions, &committed, &holders, accept_gap)?;
        disk::tell_gone(&shares, &holders, holdings.len());
        let mine = of_process(&shares, 0);
        disk::tell_found(&log, &mine, &self.services.metrics);
        disk::check_topics(&self.connection, &shares, &partitions)?;
        faults::point!("start.offsets-checked");
        let harvest = Harvest::default();
        let mut team = Team::alone(workers(config.workers));
        let links = match leader {
            None => None,
            Some(leader) => {
                team.others = Others::new(holdings.len() - 1);
                let (mesh, links) = leader.begin(&shares, pace, &harvest, &team.others)?;
                team.mesh = Some(mesh);
                Some(links)
            }
        };
        let on_disk = self.on_disk(log, lock, &mine)?;
        self.services.need(watch_broker(
            self.connection.clone(),
            partitions.len(),
            Arc::clone(pace),
            Arc::clone(health),
            Arc::clone(&self.services.metrics),
        ));
        let holders = holders_of(&shares)?;
        let recorder = on_disk.as_ref().map(|disk| Arc::clone(&disk.recorder));
        let mut committer = self.committer(store, routing, holders, recorder);
        let feeds = self.feeds(&harvest, mine, on_disk, team.workers, clock, Some(reloads));
        live::run(
            self.plan(),
            team,
            Duration::from_millis(config.epoch_ms),
            pace,
            &harvest,
            feeds,
            |complete| committer.commit(complete),
        )?;
        tracing::info!("everything read is committed");
        faults::point!("stop.committed");
        Ok(links.and_then(LeaderLinks::dismiss))
    }

    /// Reads its part of the feeds, and hands what comes of it to the leader.
    fn work_for_the_leader(&self, credentials: Credentials, lock: Option<Lock>) -> Done {
        let (pace, health) = (&self.services.pace, &self.services.health);
        let config = self.config;
        let stopped = || pace.take_failure().map_or(Ok(None), Err);
        let Some((mut follower, start)) = Follower::join(credentials, pace, health)? else {
            return stopped();
        };
        let (Some(committed), Some(holders)) = (start.committed(), start.holders()) else {
            bail!("process 0 says what cannot be understood");
        };
        let log = disk::read(config, &self.policy, start.store, &committed, &holders)?;
        let Some(mine) = follower.offer(&Holding::of(&log), pace)? else {
            return stopped();
        };
        disk::tell_found(&log, &mine, &self.services.metrics);
        let (mesh, link) = follower.begin(pace, health)?;
        let team = Team {
            mesh: Some(mesh),
            is_leader: false,
            ..Team::alone(workers(config.workers))
        };
        let on_disk = self.on_disk(log, lock, &mine)?;
        let recorder = on_disk.as_ref().map(|disk| Arc::clone(&disk.recorder));
        let harvest = Harvest::default();
        let feeds = self.feeds(&harvest, mine, on_disk, team.workers, None, None);
        live::run(
            self.plan(),
            team,
            Duration::from_millis(config.epoch_ms),
            pace,
            &harvest,
            feeds,
            |complete| {
                health.beat();
                if let Some(recorder) = &recorder {
                    disk::make_durable(recorder, &self.services.metrics)?;
                }
                if LIVE <= complete.end {
                    health.agree("kafka");
                }
                link.hand_over(complete);
                Ok(())
            },
        )?;
        tracing::info!("everything read is handed over");
        Ok(link.wait_for_dismissal())
    }

    /// Goes on with the state on disk, from where the log ends.
    fn on_disk(&self, log: Log, lock: Option<Lock>, mine: &[Share]) -> Result<Option<Disk>> {
        tracing::info!(
            partitions = mine.len(),
            facts_on_disk = mine
                .iter()
                .map(|share| share.known.tally.accepted)
                .sum::<u64>(),
            records = mine
                .iter()
                .map(|share| share.until - share.from)
                .sum::<i64>(),
            "loading the state, then reading the feeds on"
        );
        let Some(lock) = lock else {
            return Ok(None);
        };
        let writer = Writer::open(&log, lock).with_context(|| {
            format!(
                "cannot write the state in `{}`",
                self.config.state().display()
            )
        })?;
        // The log's files are open no longer than they are needed.
        Ok(Some(Disk {
            loader: Arc::new(log.loader()),
            recorder: disk::record(writer, &self.services.pace, &self.services.health)?,
            loads: disk::loads(&log, mine),
        }))
    }

    fn plan(&self) -> Plan {
        Plan {
            policy: Arc::clone(&self.policy),
            clockwork: Clockwork::Live {
                present_from_feeds: self.config.clock == ClockSource::Feeds,
            },
            posts: true,
            desk: self.books.clone(),
        }
    }

    fn committer(
        &self,
        store: Store,
        routing: Routing,
        holders: Vec<Holder>,
        recorder: Option<Arc<Recorder>>,
    ) -> Committer {
        let agreed = Arc::clone(&self.services.health);
        Committer::new(Parts {
            policy: Arc::clone(&self.policy),
            store,
            routing,
            watch: FeedWatch::new(Arc::clone(&self.policy), self.config.close_within()),
            fund: FundWatch::new(Arc::clone(&self.policy)),
            metrics: Arc::clone(&self.services.metrics),
            health: Arc::clone(&self.services.health),
            pace: Arc::clone(&self.services.pace),
            read_again: {
                let connection = self.connection.clone();
                Box::new(move |topic, partition, offset| {
                    let record = (topic, partition, offset);
                    Ok(kafka::read_again(&connection, record, READ_AGAIN_WITHIN)?)
                })
            },
            make_durable: {
                let metrics = Arc::clone(&self.services.metrics);
                Box::new(move || match &recorder {
                    Some(recorder) => disk::make_durable(recorder, &metrics),
                    None => Ok(()),
                })
            },
            locate: |_, partition, offset| format!("{partition}:{offset}"),
            holders,
            waits_for_room: true,
            on_commit: Box::new(move |committed| {
                agreed.agree("kafka");
                if !committed.told.is_empty() {
                    tracing::info!(
                        epoch = committed.epoch,
                        told = committed.told.len(),
                        notices = committed.notices,
                        "told"
                    );
                }
            }),
        })
    }

    /// The feed of each worker of this process. The first one tells all the time and what is configured otherwise, if it
    /// is given a clock and reloads.
    fn feeds(
        &self,
        harvest: &Harvest,
        mine: Vec<Share>,
        on_disk: Option<Disk>,
        workers: usize,
        clock: Option<BusinessClock>,
        reloads: Option<Reloads>,
    ) -> impl Fn(usize) -> Result<LiveFeed<KafkaSource>> + Send + Sync + 'static {
        let (connection, policy) = (self.connection.clone(), Arc::clone(&self.policy));
        let (pace, notes) = (Arc::clone(&self.services.pace), harvest.notes.clone());
        move |worker: usize| {
            let mine = deal(&mine, worker, workers);
            let from: Vec<_> = mine
                .iter()
                .map(|share| (share.topic, share.partition, share.from))
                .collect();
            let source = KafkaSource {
                reader: KafkaReader::open(&connection, &from)?,
            };
            let decoder = Decoder::new(Regions::new(
                policy.pool.regions.iter().map(|region| region.code),
            ));
            let clock = clock.clone().filter(|_| worker == 0);
            let on_disk = on_disk.clone();
            let feed = LiveFeed::new(source, decoder, &mine, &pace, &notes, clock, on_disk);
            Ok(match &reloads {
                Some(reloads) if worker == 0 => feed.with_reloads(reloads.clone()),
                _ => feed,
            })
        }
    }
}

/// What a process reads.
fn of_process(shares: &[(usize, Share)], process: usize) -> Vec<Share> {
    shares
        .iter()
        .filter(|(of, _)| *of == process)
        .map(|(_, share)| *share)
        .collect()
}

/// Who has which partition on disk from now on, for the store.
fn holders_of(shares: &[(usize, Share)]) -> Result<Vec<Holder>> {
    shares
        .iter()
        .map(|(process, share)| {
            Ok(Holder {
                topic: share.topic,
                partition: share.partition,
                process: u32::try_from(*process)?,
            })
        })
        .collect()
}

struct KafkaSource {
    reader: KafkaReader,
}

impl RecordSource for KafkaSource {
    fn poll(&mut self, wait: Duration, take: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        Ok(self.reader.poll(wait, take)? > 0)
    }
}

/// A worker's partitions. What one held so far is the best guess at what it will hold.
fn deal(shares: &[Share], worker: usize, workers: usize) -> Vec<Share> {
    let length = |share: &Share| (share.until, share.topic, share.partition);
    kafka::deal(shares, workers, length).swap_remove(worker)
}

/// Asks the broker until it answers; `None` if the program is to stop meanwhile.
fn partitions(connection: &Connection, pace: &Pace, health: &Health) -> Option<Vec<Partition>> {
    let mut next = RETRY;
    let listed = kafka::await_partitions(connection, BROKER_ANSWERS_WITHIN, |error| {
        let pause = next;
        next = (next * 2).min(RETRY_MAX);
        tracing::warn!(bootstrap = connection.bootstrap, %error, retry_in = ?pause, "cannot read the feeds yet");
        health.object("kafka", error.to_string());
        health.beat();
        (!pace.is_stopping()).then_some(pause)
    });
    listed.ok().filter(|_| !pace.is_stopping())
}

/// Says whether the broker is there, and all that it has is read: a feed at rest looks the same without it.
async fn watch_broker(
    connection: Connection,
    read: usize,
    pace: Arc<Pace>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) {
    let mut known = None;
    while !pace.is_stopping() {
        let asked = connection.clone();
        let listed =
            tokio::task::spawn_blocking(move || kafka::partitions(&asked, BROKER_ANSWERS_WITHIN));
        let listed = listed.await;
        if let Ok(Ok(now)) = &listed {
            metrics.ends(now.iter().map(|at| (at.topic, at.partition, at.high)));
        }
        let objection = match listed {
            Ok(Ok(now)) if now.len() == read => None,
            Ok(Ok(now)) => Some(format!(
                "the feeds have {} partitions, and {read} are read: start the program again",
                now.len()
            )),
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The program ends.
            Err(_) => return,
        };
        if objection != known {
            match &objection {
                Some(reason) => tracing::warn!(reason, "the feeds cannot be read on"),
                None => tracing::info!("the broker answers"),
            }
        }
        match &objection {
            Some(reason) => health.object("broker", reason),
            None => health.agree("broker"),
        }
        known = objection;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use domain::Topic;
    use state::Position;

    use super::*;

    #[test]
    fn each_partition_is_read_once_and_none_reads_much_more_than_another() {
        let lengths = [90, 40, 30, 20, 10, 0, 0, 0];
        let shares: Vec<Share> = (0..)
            .zip(lengths)
            .map(|(partition, until)| Share {
                topic: Topic::AgencyPayout,
                partition,
                known: Position::default(),
                from: 0,
                until,
            })
            .collect();
        let dealt = [0, 1].map(|worker| deal(&shares, worker, 2));
        let numbers =
            |dealt: &[Share]| -> Vec<i32> { dealt.iter().map(|share| share.partition).collect() };
        // 90 + 10 against 40 + 30 + 20, and the empty ones to whoever has less.
        assert_eq!(numbers(&dealt[0]), [0, 4]);
        assert_eq!(numbers(&dealt[1]), [1, 2, 3, 5, 6, 7]);
    }
}
