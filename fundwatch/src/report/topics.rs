//! The feeds on Kafka, read from their beginning to where they are now: what the daemon reads, without being it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use detectors::dataflow::{self, Advance, Feed, Outcome, Outlet, Plan, Results};
use domain::Topic;
use ingest::kafka::{self, Connection, Event, KafkaReader, Partition};
use ingest::{Decoder, Regions};
use rules::Policy;

use crate::config::Config;
use crate::failure::Failure;
use crate::live::position;

/// How long the broker may take to say what there is, and may say nothing at all.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Where the feeds are, and the policy that goes with them.
pub fn sources(config: &Path) -> Result<(Connection, Policy), Failure> {
    let (config, policy) = Config::load(config).map_err(Failure::usage)?;
    let connection = config.connection().map_err(Failure::usage)?;
    Ok((connection, policy))
}

/// Reads and judges everything that is there now.
///
/// # Errors
/// The broker does not answer, or falls silent.
pub fn judge(
    connection: &Connection,
    plan: &Plan,
    workers: usize,
) -> Result<Vec<Outcome>, Failure> {
    let patience = kafka::for_as_long_as(BROKER_ANSWERS_WITHIN);
    let partitions = kafka::await_partitions(connection, ASKED_AGAIN_AFTER, patience)
        .with_context(|| format!("cannot read the feeds at {}", connection.bootstrap))?;
    let length = |one: &Partition| (one.high - one.low, one.topic, one.partition);
    let dealt = kafka::deal(&partitions, workers, length);
    let results = Results::default();
    let failed: Arc<Mutex<Option<anyhow::Error>>> = Arc::default();
    let guards = {
        let (connection, plan, results, failed) = (
            connection.clone(),
            plan.clone(),
            results.clone(),
            Arc::clone(&failed),
        );
        timely::execute(timely::Config::process(workers), move |worker| {
            let mine = &dealt[worker.index()];
            // Every worker takes part, or the others would wait for it.
            let feed = match TopicFeed::open(&connection, mine, &plan.policy, &failed) {
                Ok(feed) => Share(Some(feed)),
                Err(error) => {
                    fail(&failed, error);
                    Share(None)
                }
            };
            dataflow::build(worker, &plan, feed, &results);
            while worker.step_or_park(Some(Duration::from_millis(1))) {}
        })
    };
    for done in guards
        .map_err(|what| anyhow!("cannot start the workers: {what}"))?
        .join()
    {
        done.map_err(|what| anyhow!("a worker failed: {what}"))?;
    }
    match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(error.into()),
        None => Ok(results.take()),
    }
}

fn fail(failed: &Mutex<Option<anyhow::Error>>, error: anyhow::Error) {
    failed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(error);
}

/// One worker's partitions.
struct TopicFeed {
    reader: KafkaReader,
    decoder: Decoder,
    /// The first offset not read, and where to end.
    partitions: BTreeMap<(Topic, i32), (i64, i64)>,
    heard: Instant,
    failed: Arc<Mutex<Option<anyhow::Error>>>,
}

impl TopicFeed {
    fn open(
        connection: &Connection,
        partitions: &[Partition],
        policy: &Policy,
        failed: &Arc<Mutex<Option<anyhow::Error>>>,
    ) -> anyhow::Result<TopicFeed> {
        let from: Vec<_> = partitions
            .iter()
            .map(|partition| (partition.topic, partition.partition, partition.low))
            .collect();
        Ok(TopicFeed {
            reader: KafkaReader::open(connection, &from)?,
            decoder: Decoder::new(Regions::new(
                policy.pool.regions.iter().map(|region| region.code),
            )),
            partitions: partitions
                .iter()
                .map(|known| ((known.topic, known.partition), (known.low, known.high)))
                .collect(),
            heard: Instant::now(),
            failed: Arc::clone(failed),
        })
    }

    /// Reads a little. `false` at the end.
    fn read(&mut self, outlet: &mut Outlet) -> anyhow::Result<bool> {
        if self.partitions.values().all(|(next, end)| end <= next) {
            return Ok(false);
        }
        let TopicFeed {
            reader,
            decoder,
            partitions,
            ..
        } = self;
        let polled = reader.poll(Duration::from_millis(50), |event: Event<'_>| match event {
            Event::End {
                topic,
                partition,
                offset,
            } => {
                if let Some((next, _)) = partitions.get_mut(&(topic, partition)) {
                    *next = offset.max(*next);
                }
            }
            Event::Record(record) => {
                let Some((next, end)) = partitions.get_mut(&(record.topic, record.partition))
                else {
                    return;
                };
                *next = record.offset + 1;
                // What came after the start belongs to the next report.
                if record.offset < *end
                    && let Ok(fact) = decoder.decode(record.topic, record.bytes)
                {
                    outlet.fact(&fact, position(record.partition, record.offset));
                }
            }
        })?;
        if polled > 0 {
            self.heard = Instant::now();
        } else if self.heard.elapsed() > SILENCE_MAX {
            bail!(
                "the broker has said nothing for {} s: nothing is reported",
                SILENCE_MAX.as_secs()
            );
        }
        Ok(true)
    }
}

/// A worker's partitions; nothing, if they could not be opened.
struct Share(Option<TopicFeed>);

impl Feed for Share {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        let Some(feed) = &mut self.0 else {
            return Advance::Finished;
        };
        match feed.read(outlet) {
            Ok(true) => Advance::More,
            Ok(false) => Advance::Finished,
            Err(error) => {
                fail(&feed.failed, error);
                Advance::Finished
            }
        }
    }
}
