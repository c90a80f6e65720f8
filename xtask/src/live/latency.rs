//! From a record that decides an alert to the alert on its topic, while many others flow.
//!
//! Each probe is a person who is paid twice for one month: the second payout decides. What is on the topic is in the
//! store already, since only what is committed is told: one time bounds both.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::reference::identifiers::person_check;
use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::stage::{Kept, Stage};
use crate::report;

const PREFIX: &str = "latency.";
const ALERTS: &str = "latency.fund.alerts";
const PAYOUTS: &str = "agency.payout";
const REGION: &str = "341002";
/// Between probes: no two share an epoch.
const PAUSE: Duration = Duration::from_millis(20);
/// The flow is under way before the first probe.
const BEFORE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(30);

/// Sends probes.
pub type Probes = ThreadedProducer<DefaultProducerContext>;

/// How long each probe took.
pub struct Took(Vec<Duration>);

impl Took {
    /// In the order of their length.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What `percent` of a hundred did not exceed.
    pub fn quantile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// Sends `probes` while `rate` records a second flow.
pub fn measure(stage: &Stage, probes: u16, rate: u64) -> Result<Took> {
    report::progress(&format!("{probes} probes at {rate} records a second"));
    stage.create_topics(PREFIX)?;
    let daemon = stage.run(PREFIX, Kept::OnDisk)?;
    let producer: Probes = fast(stage.broker.client()).create()?;
    for probe in 0..probes {
        send(&producer, PREFIX, &payout(probe, "first", "1200.00"))?;
    }
    producer.flush(LIMIT)?;

    let watching = &AtomicBool::new(true);
    // More than enough: what is left of it at the end is not sent.
    let length = (BEFORE + PAUSE * u32::from(probes)) * 3;
    let mut flow = stage.simulate(PREFIX, rate * length.as_secs(), Some(rate))?;
    let took = thread::scope(|scope| {
        let (sender, arrivals) = mpsc::channel();
        let consumer = alerts(stage)?;
        let listener = scope.spawn(move || {
            // Nobody listens any more only after a failure.
            while watching.load(Ordering::Acquire) {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                    let value = message.payload().unwrap_or_default().to_vec();
                    let _ = sender.send((Instant::now(), value));
                }
            }
        });
        thread::sleep(BEFORE);
        let took = probe(&producer, probes, &arrivals);
        watching.store(false, Ordering::Release);
        listener.join().expect("the listener does not panic");
        took
    })?;
    let ended = flow.try_wait()?;
    ensure!(
        ended.is_none(),
        "the flow ended before the last probe: {ended:?}"
    );
    flow.kill()?;
    flow.wait()?;
    daemon.stop()?;
    Ok(took)
}

fn probe(producer: &Probes, probes: u16, arrivals: &Receiver<(Instant, Vec<u8>)>) -> Result<Took> {
    let mut sent = HashMap::new();
    for probe in 0..probes {
        let due = Instant::now() + PAUSE;
        sent.insert(person(probe), Instant::now());
        send(producer, PREFIX, &payout(probe, "second", "1200.00"))?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let mut took = Vec::new();
    let deadline = Instant::now() + LIMIT;
    while !sent.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let (arrived, value) = arrivals
            .recv_timeout(left)
            .with_context(|| format!("{} probes raised no alert", sent.len()))?;
        let alert: serde_json::Value = serde_json::from_slice(&value)?;
        let subject = alert["subject"].as_str().unwrap_or_default();
        if alert["detector"] == "duplicate-payout"
            && let Some(sent) = sent.remove(subject)
        {
            took.push(arrived.saturating_duration_since(sent));
        }
    }
    Ok(Took::of(took))
}

/// Reads the alerts from now on.
fn alerts(stage: &Stage) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = stage
        .broker
        .client()
        .set("fetch.wait.max.ms", "5")
        .create()?;
    let mut places = TopicPartitionList::new();
    for (partition, end) in (0..).zip(stage.broker.ends(ALERTS)?) {
        places.add_partition_offset(ALERTS, partition, Offset::Offset(end))?;
    }
    consumer.assign(&places)?;
    Ok(consumer)
}

/// Sends each record at once.
pub fn fast(mut config: ClientConfig) -> ClientConfig {
    config
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("partitioner", "murmur2");
    config
}

/// Sends a payout to the topics whose names begin with `prefix`.
pub fn send(producer: &Probes, prefix: &str, payout: &str) -> Result<()> {
    let topic = format!("{prefix}{PAYOUTS}");
    let record = BaseRecord::to(&topic).key(REGION).payload(payout);
    producer
        .send(record)
        .map_err(|(error, _)| error)
        .context("cannot send a probe")
}

/// A payout of a probe.
pub fn payout(probe: u16, which: &str, amount: &str) -> String {
    let person = person(probe);
    format!(
        r#"{{"id":"probe-{probe}-{which}","type":"payout","region":"{REGION}","date":"2023-12-20","person":"{person}","period":"2023-12","item":"basic_pension","nature":"regular","amount":"{amount}"}}"#
    )
}

/// A person of the year 1930 whom no simulation knows.
pub fn person(probe: u16) -> String {
    let body = format!("341099193001{:02}{:03}", probe / 1_000 + 1, probe % 1_000);
    let check = char::from(person_check(&body));
    format!("{body}{check}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_time_that_so_many_did_not_exceed() {
        let took = Took::of((1..=200).rev().map(Duration::from_millis).collect());
        let ms = |percent| took.quantile(percent).as_millis();
        assert_eq!((ms(50), ms(99), ms(100)), (100, 198, 200));
    }

    #[test]
    fn probes_are_different_persons() {
        assert_eq!(person(0).len(), 18);
        assert_ne!(person(0), person(1_000));
    }
}
