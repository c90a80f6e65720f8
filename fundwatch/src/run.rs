//! `fundwatch run`: the daemon on Kafka.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alerting::hook::{Alertmanager, Webhook};
use alerting::http::{self, Health};
use alerting::mail::{Operators, Sender};
use alerting::metrics::{Exporter, Metrics};
use alerting::publish::Publisher;
use alerting::store::{HookQueue, MailQueue, TopicQueue};
use alerting::{Routing, Store};
use anyhow::{Context, Result, anyhow};
use casework::{FactSource, Place};
use console::{Console, Desk};
use detectors::dataflow::{self, Clockwork, Plan};
use detectors::feeds::FeedWatch;
use domain::BusinessDate;
use ingest::kafka::{self, Connection, Event, KafkaReader, Partition};
use ingest::{Decoder, Regions};
use rules::Policy;
use state::{Lock, Writer};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::cli;
use crate::clock;
use crate::config::{ClockSource, Config, business_clock};
use crate::disk;
use crate::failure::Failure;
use crate::live::committer::Parts;
use crate::live::feed::BusinessClock;
use crate::live::{
    self, Committer, Disk, FundWatch, LiveFeed, Notes, Pace, RecordSource, Reloads, Share,
};
use crate::log;
use crate::reload::{Reloader, Renewals};
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
    let (config, policy) = Config::load(&arguments.config).map_err(Failure::usage)?;
    let reloader = Reloader::new(&arguments.config, &config).map_err(Failure::usage)?;
    let identity = config.identity().map_err(Failure::usage)?;
    if identity.is_default() {
        tracing::warn!(
            "no id_key_file and no FUNDWATCH_ID_KEY: alert ids are made with a published default, and can be traced back to persons"
        );
    }
    let connection = config.connection().map_err(Failure::usage)?;
    let today = business_clock(&policy).map_err(Failure::usage)?;
    let routing = config.routing().map_err(Failure::usage)?;
    let policy = Arc::new(policy);
    if let Some(folder) = config.store.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    let store = Store::open(&config.store, &identity)
        .with_context(|| format!("cannot open the store `{}`", config.store.display()))?;
    let lock = match config.keep_state {
        true => Some(Lock::of(&config.state())?),
        false => None,
    };
    let books = live::desk(workers(config.workers));
    let (services, renewals) =
        Services::start(&config, &connection, &policy, &store, &books, lines)?;
    let reloads = reloader.reloads.clone();
    services.runtime.spawn(reloader.run(
        Arc::clone(&services.pace),
        Arc::clone(&services.metrics),
        renewals,
    ));
    let done = watch_feeds(
        &config,
        reloads,
        &connection,
        policy,
        today,
        routing,
        store,
        lock,
        books,
        &services,
    );
    let stopped = services.stop();
    done?;
    Ok(stopped?)
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
        store: &Store,
        books: &dataflow::Desk,
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
        metrics.restore(store)?;
        let health = Arc::new(Health::new(SILENCE_MAX));
        health.object(
            "kafka",
            "the feeds have not been read to where they were at the start",
        );
        let pace = Arc::new(Pace::default());
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let wakers = store.wakers();

        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(config.http.listen))
            .with_context(|| format!("http.listen: cannot listen on {}", config.http.listen))?;
        faults::point!("start.listening");
        let exporter = Arc::new(Exporter::new(
            Arc::clone(&metrics),
            store.path(),
            clock::now,
        )?);
        let mut spawn = |task: Pin<Box<dyn Future<Output = Result<()>> + Send>>| {
            let (task, pace) = (runtime.spawn(task), Arc::clone(&pace));
            tasks.spawn_on(watched(task, pace), runtime.handle());
        };
        let pages = http::serve(listener, exporter, Arc::clone(&health), stopping.clone());
        spawn(Box::pin(async move { pages.await.context("the pages") }));

        let publisher = Publisher::new(
            &connection.client(),
            topic_names(connection),
            TopicQueue::open(store.path())?,
            Arc::clone(&metrics),
        )?;
        let publish = publisher.run(wakers.topic, stopping.clone());
        spawn(Box::pin(async move { publish.await.context("publishing") }));

        let queue = MailQueue::open(store.path())?;
        if let Some(sender) = Sender::new(
            &config.mail,
            Arc::clone(policy),
            queue,
            Arc::clone(&metrics),
            clock::clock(),
        )? {
            renewals.offices.push(sender.office());
            renewals.pacing = Some(sender.pacing());
            let send = sender.run(wakers.mail, stopping.clone());
            spawn(Box::pin(async move { send.await.context("sending mail") }));
        }
        if let Some(operators) = Operators::new(&config.mail, clock::clock())? {
            let (news, received) = mpsc::channel(NEWS_MAX);
            renewals.news = Some(news);
            let tell = operators.run(received, stopping.clone());
            spawn(Box::pin(async move {
                tell.await;
                Ok(())
            }));
        }
        for hook in &config.webhooks {
            let queue = HookQueue::open(store.path())?;
            let hook = Webhook::new(hook, queue, Arc::clone(&metrics), clock::clock());
            let hook = hook.map_err(|error| anyhow!(error))?;
            let tell = hook.run(Arc::clone(&wakers.hooks), stopping.clone());
            spawn(Box::pin(
                async move { tell.await.context("telling a webhook") },
            ));
        }
        if let Some(table) = &config.console {
            let listener = runtime
                .block_on(tokio::net::TcpListener::bind(table.listen))
                .with_context(|| format!("console.listen: cannot listen on {}", table.listen))?;
            let desk = Desk {
                policy: Arc::clone(policy),
                office: config.mail.office(Arc::clone(policy))?,
                clock: clock::clock(),
            };
            let casebook = config.casebook();
            let console = Console::open(table.clone(), &casebook, store.path().to_owned(), desk)
                .with_context(|| format!("cannot open the casebook `{}`", casebook.display()))?;
            let console = console.with_facts(facts_of(books, connection));
            let serve = console.serve(listener, stopping.clone());
            spawn(Box::pin(async move { serve.await.context("the console") }));
        }
        let alertmanager = Alertmanager::new(
            &config.alertmanager,
            policy.pool.code.as_str(),
            config.mail.office(Arc::clone(policy))?,
            store.reader()?,
            Arc::clone(&metrics),
            clock::clock(),
        );
        if let Some(alertmanager) = alertmanager.map_err(|error| anyhow!(error))? {
            renewals.offices.push(alertmanager.office());
            let push = alertmanager.run(wakers.hooks, stopping);
            spawn(Box::pin(async move {
                push.await.context("telling Alertmanager")
            }));
        }

        let stop_pace = Arc::clone(&pace);
        runtime.spawn(async move {
            match stop_signal().await {
                Ok(signal) => {
                    tracing::info!(signal, "stopping");
                    faults::point!("stop.asked");
                }
                Err(error) => tracing::error!(%error, "cannot wait for signals; stopping"),
            }
            stop_pace.stop();
        });
        let beating = (Arc::clone(&health), Arc::clone(&pace), Arc::clone(&metrics));
        runtime.spawn(async move {
            // An idle feed commits nothing: the pulse shows that the runtime is alive.
            let (health, pace, metrics) = beating;
            while !pace.is_stopping() {
                health.beat();
                metrics.log_left_out(lines.left_out());
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        });
        let services = Services {
            runtime,
            tasks,
            stop,
            pace,
            health,
            metrics,
        };
        Ok((services, renewals))
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

/// The books of the workers, and the records that their facts were made from.
fn facts_of(books: &dataflow::Desk, connection: &Connection) -> Arc<dyn FactSource> {
    let connection = connection.clone();
    let read = move |topic, partition, offset| {
        let record = (topic, partition, offset);
        Ok(kafka::read_again(&connection, record, SHOWN_WITHIN)?)
    };
    Arc::new(Running::new(
        books.clone(),
        Place::of_position,
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

async fn stop_signal() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

#[expect(clippy::too_many_arguments, reason = "where all parts meet")]
fn watch_feeds(
    config: &Config,
    reloads: Reloads,
    connection: &Connection,
    policy: Arc<Policy>,
    today: impl Fn() -> BusinessDate + Send + Sync + Clone + 'static,
    routing: Routing,
    store: Store,
    lock: Option<Lock>,
    books: dataflow::Desk,
    services: &Services,
) -> Result<()> {
    let (pace, health) = (&services.pace, &services.health);
    let Some(partitions) = partitions(connection, pace, health) else {
        return pace.take_failure().map_or(Ok(()), Err);
    };
    let committed = store.offsets()?;
    let log = disk::read(config, &policy, store.instance()?, &committed)?;
    disk::tell_found(&log, &services.metrics);
    let shares = disk::shares(&log, &partitions, &committed, config.kafka.accept_gap)?;
    disk::check_topics(connection, &log, &partitions)?;
    faults::point!("start.offsets-checked");
    let recorder = match lock {
        None => None,
        Some(lock) => {
            let writer = Writer::open(&log, lock).with_context(|| {
                format!("cannot write the state in `{}`", config.state().display())
            })?;
            Some(disk::record(writer, pace, health)?)
        }
    };
    tracing::info!(
        partitions = partitions.len(),
        facts_on_disk = log.facts(),
        records = shares
            .iter()
            .map(|share| share.until - share.from)
            .sum::<i64>(),
        "loading the state, then reading the feeds on"
    );
    let on_disk = recorder.clone().map(|recorder| Disk {
        loader: Arc::new(log.loader()),
        recorder,
    });
    // Its files are open no longer than they are needed.
    drop(log);
    services.runtime.spawn(watch_broker(
        connection.clone(),
        partitions.len(),
        Arc::clone(pace),
        Arc::clone(health),
        Arc::clone(&services.metrics),
    ));
    let notes = Notes::default();
    let workers = workers(config.workers);
    let agreed = Arc::clone(health);
    let committer = Committer::new(Parts {
        policy: Arc::clone(&policy),
        store,
        routing,
        watch: FeedWatch::new(Arc::clone(&policy), config.close_within()),
        fund: FundWatch::new(Arc::clone(&policy)),
        metrics: Arc::clone(&services.metrics),
        health: Arc::clone(health),
        pace: Arc::clone(pace),
        read_again: {
            let connection = connection.clone();
            Box::new(move |topic, partition, offset| {
                let record = (topic, partition, offset);
                Ok(kafka::read_again(&connection, record, READ_AGAIN_WITHIN)?)
            })
        },
        make_durable: {
            let metrics = Arc::clone(&services.metrics);
            Box::new(move || match &recorder {
                Some(recorder) => disk::make_durable(recorder, &metrics),
                None => Ok(()),
            })
        },
        locate: |_, partition, offset| format!("{partition}:{offset}"),
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
    });
    let plan = Plan {
        policy: Arc::clone(&policy),
        clockwork: Clockwork::Live {
            present_from_feeds: config.clock == ClockSource::Feeds,
        },
        posts: true,
        desk: Some(books),
    };
    let business_clock: Option<BusinessClock> = match config.clock {
        ClockSource::System => Some(Arc::new(today)),
        ClockSource::Feeds => None,
    };
    let feed_of = {
        let (connection, pace, notes) = (connection.clone(), Arc::clone(pace), notes.clone());
        move |worker: usize| -> Result<_> {
            let mine = deal(&shares, worker, workers);
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
            let clock = if worker == 0 {
                business_clock.clone()
            } else {
                None
            };
            let feed = LiveFeed::new(
                source,
                decoder,
                &mine,
                &pace,
                &notes,
                clock,
                on_disk.clone(),
            );
            Ok(match worker {
                0 => feed.with_reloads(reloads.clone()),
                _ => feed,
            })
        }
    };
    let epoch = Duration::from_millis(config.epoch_ms);
    live::run(plan, workers, epoch, pace, &notes, feed_of, committer)?;
    tracing::info!("everything read is committed");
    faults::point!("stop.committed");
    Ok(())
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
