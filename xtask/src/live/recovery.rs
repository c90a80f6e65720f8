//! From the start of the program after a kill to the alert that a record sent meanwhile decides: with many facts on disk.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};

use super::latency::{self, Probes};
use super::stage::{Kept, Stage};
use crate::report;

const PREFIX: &str = "recovery.";
const LIMIT: Duration = Duration::from_secs(120);
/// Of three simulated records about two are payouts.
const RECORDS_EACH: (u64, u64) = (3, 2);

/// What there was, and how long each start took.
pub struct Recovery {
    /// Records in all.
    pub records: u64,
    /// Of these, payouts.
    pub payouts: u64,
    /// What they take on disk.
    pub state_bytes: u64,
    /// From the start of each process to the alert.
    pub took: Vec<Duration>,
}

/// Kills the daemon so often, with about so many payouts behind it.
pub fn measure(stage: &Stage, payouts: u64, kills: u16) -> Result<Recovery> {
    let records = payouts / RECORDS_EACH.1 * RECORDS_EACH.0;
    report::progress(&format!("sending {records} records"));
    stage.create_topics(PREFIX)?;
    let status = stage.simulate(PREFIX, records, None)?.wait()?;
    ensure!(status.success(), "the simulation ended with {status}");
    let records = stage.records(PREFIX)?;
    let payouts = stage.records_of(PREFIX, "agency.payout")?;
    report::progress(&format!("reading {records} records"));
    let mut daemon = stage.run(PREFIX, Kept::OnDisk)?;
    daemon.wait_until_committed(records)?;
    let producer: Probes = latency::fast(stage.broker.client()).create()?;
    let mut took = Vec::new();
    for kill in 0..kills {
        report::progress(&format!("kill {} of {kills}", kill + 1));
        latency::send(
            &producer,
            PREFIX,
            &latency::payout(kill, "first", "1200.00"),
        )?;
        producer.flush(LIMIT)?;
        daemon.wait_until_committed(records + 2 * u64::from(kill) + 1)?;
        let alerts = alerts(stage)?;
        let down = daemon.kill();
        latency::send(
            &producer,
            PREFIX,
            &latency::payout(kill, "second", "1200.00"),
        )?;
        producer.flush(LIMIT)?;
        daemon = stage.run_again(down)?;
        told(&alerts, &latency::person(kill))?;
        took.push(daemon.started.elapsed());
    }
    let state_bytes = daemon.state_bytes()?;
    daemon.stop()?;
    Ok(Recovery {
        records,
        payouts,
        state_bytes,
        took,
    })
}

/// Reads the alerts from now on.
fn alerts(stage: &Stage) -> Result<BaseConsumer> {
    let topic = format!("{PREFIX}fund.alerts");
    let consumer: BaseConsumer = stage
        .broker
        .client()
        .set("fetch.wait.max.ms", "5")
        .create()?;
    let mut places = TopicPartitionList::new();
    for (partition, end) in (0..).zip(stage.broker.ends(&topic)?) {
        places.add_partition_offset(&topic, partition, Offset::Offset(end))?;
    }
    consumer.assign(&places)?;
    Ok(consumer)
}

fn told(alerts: &BaseConsumer, person: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(Ok(message)) = alerts.poll(Duration::from_millis(50)) {
            let value = message.payload().context("an alert without a value")?;
            let alert: serde_json::Value = serde_json::from_slice(value)?;
            if alert["subject"] == person && alert["detector"] == "duplicate-payout" {
                return Ok(());
            }
        }
    }
    anyhow::bail!("no alert within {LIMIT:?}")
}
