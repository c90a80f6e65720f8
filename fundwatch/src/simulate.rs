//! `fundwatch simulate`: feeds of a city that does not exist, to files or to Kafka.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ingest::kafka::{self, Connection};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rules::Policy;
use simulate::{FeedFiles, Irregularities, Line, Options, Truth};

use crate::cli;
use crate::failure::{Failure, say};
use crate::progress;
use crate::topics::MESSAGE_BYTES_MAX;

/// How long the broker may take to say what there is.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Runs the command.
pub fn run(arguments: &cli::Simulate) -> Result<(), Failure> {
    let policy = match &arguments.policy {
        Some(path) => Policy::load(path).map_err(Failure::usage)?,
        None => Policy::huangshan(),
    };
    let options = options(arguments);
    let truth = match (arguments.to, &arguments.out, &arguments.bootstrap) {
        (cli::Target::Files, Some(folder), _) => to_files(&options, &policy, folder)?,
        (cli::Target::Kafka, folder, Some(bootstrap)) => {
            let connection = Connection {
                bootstrap: bootstrap.clone(),
                options: Vec::new(),
                prefix: arguments.topic_prefix.clone(),
            };
            let truth = to_kafka(&options, &policy, &connection, arguments.rate)?;
            if let Some(folder) = folder {
                write_truth(&truth, folder)?;
            }
            truth
        }
        // clap has asked for the folder or the broker already.
        _ => return Err(Failure::usage("--out DIR or --bootstrap HOSTS is needed")),
    };
    tell(&truth, arguments)
}

fn options(arguments: &cli::Simulate) -> Options {
    let default = Options::default();
    let mut irregularities = match arguments.irregularities {
        0 => Irregularities::NONE,
        percent => Irregularities::usual_times(percent),
    };
    if arguments.no_silences {
        irregularities.silences = false;
    }
    let options = Options {
        seed: arguments.seed,
        scenario: arguments.scenario,
        from: arguments.from,
        months: arguments.months,
        retirees: arguments.retirees.unwrap_or(default.retirees),
        enterprises: arguments.enterprises.unwrap_or(default.enterprises),
        contributors: arguments.contributors.unwrap_or(default.contributors),
        irregularities,
    };
    match arguments.records {
        Some(records) => options.with_records(records),
        None => options,
    }
}

fn to_files(options: &Options, policy: &Policy, folder: &Path) -> Result<Truth, Failure> {
    let wrong = |error: io::Error| simulation_failure(error, folder.display().to_string());
    let mut files = FeedFiles::create(folder).map_err(wrong)?;
    let bar = progress::count("records");
    let truth = simulate::generate(options, policy, &mut |line| {
        bar.inc(1);
        files.write(line)
    })
    .map_err(wrong)?;
    bar.finish_and_clear();
    files.finish(&truth).map_err(wrong)?;
    Ok(truth)
}

fn simulation_failure(error: io::Error, place: String) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(error),
        _ => anyhow!(error)
            .context(format!("cannot write feeds to `{place}`"))
            .into(),
    }
}

fn write_truth(truth: &Truth, folder: &Path) -> Result<()> {
    let mut outputs = crate::output::Outputs::in_folder(folder)?;
    outputs.write("truth.jsonl", |out| truth.write(out))?;
    outputs.finish()
}

fn to_kafka(
    options: &Options,
    policy: &Policy,
    connection: &Connection,
    rate: Option<u64>,
) -> Result<Truth, Failure> {
    // A broker that is not there, or has no such topics, is told now, and not when the queue is full.
    let patience = kafka::for_as_long_as(BROKER_ANSWERS_WITHIN);
    kafka::await_partitions(connection, ASKED_AGAIN_AFTER, patience)
        .with_context(|| format!("cannot send to the broker at `{}`", connection.bootstrap))?;
    let refused = Refused::default();
    let producer: ThreadedProducer<Refused> = connection
        .client()
        // Nothing lost, nothing twice, and the order of a region kept, whatever the network does.
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        // A planted record that is too large must arrive, to be rejected: as much as its topic takes.
        .set("message.max.bytes", MESSAGE_BYTES_MAX)
        .set("linger.ms", if rate.is_some() { "2" } else { "50" })
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "500000")
        // The Java clients' way from key to partition, so that all producers agree.
        .set("partitioner", "murmur2")
        .set("message.timeout.ms", "60000")
        .create_with_context(refused.clone())
        .context("cannot make a producer")?;
    let bar = progress::count("records");
    let mut pacer = rate.map(Pacer::new);
    let sent = simulate::generate(options, policy, &mut |line| {
        bar.inc(1);
        if let Some(pacer) = &mut pacer {
            pacer.wait();
        }
        refused.check()?;
        send(&producer, connection, line)
    });
    let failed = |error| simulation_failure(error, connection.bootstrap.clone());
    let truth = sent.map_err(failed)?;
    producer
        .flush(Duration::from_secs(90))
        .context("the broker did not take everything in time")?;
    refused.check().map_err(failed)?;
    bar.finish_and_clear();
    Ok(truth)
}

/// The first record that the broker did not take: what was sent is then not what was simulated.
#[derive(Clone, Default)]
struct Refused(Arc<OnceLock<KafkaError>>);

impl Refused {
    fn check(&self) -> io::Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(error) => Err(io::Error::other(error.clone())),
        }
    }
}

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = delivered {
            // Only the first counts.
            let _ = self.0.set(error.clone());
        }
    }
}

fn send(
    producer: &ThreadedProducer<Refused>,
    connection: &Connection,
    line: Line<'_>,
) -> io::Result<()> {
    let topic = connection.topic_name(line.topic);
    let mut record = BaseRecord::to(&topic)
        .key(line.region.as_str())
        .payload(line.json);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.context().check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(io::Error::other(error)),
        }
    }
}

/// Lets through so many a second, in small steps.
struct Pacer {
    rate: u64,
    started: Instant,
    sent: u64,
}

impl Pacer {
    fn new(rate: u64) -> Pacer {
        Pacer {
            rate,
            started: Instant::now(),
            sent: 0,
        }
    }

    fn wait(&mut self) {
        self.sent += 1;
        let due = Duration::from_nanos(self.sent.saturating_mul(1_000_000_000) / self.rate);
        let ahead = due.saturating_sub(self.started.elapsed());
        if ahead > Duration::from_millis(1) {
            std::thread::sleep(ahead);
        }
    }
}

fn tell(truth: &Truth, arguments: &cli::Simulate) -> Result<(), Failure> {
    say(format_args!(
        "{} records, {} irregularities planted, as of {}",
        truth.lines(),
        truth.planted.len(),
        truth.as_of
    ))?;
    if let (cli::Target::Files, Some(folder)) = (arguments.to, &arguments.out) {
        let folder = folder.display();
        say(format_args!(
            "next: fundwatch replay --feeds {folder} --policy rules/policies/huangshan.toml --as-of {} --out out",
            truth.as_of
        ))?;
    }
    Ok(())
}
