//! The outboxes of alerts and dead letters to their Kafka topics.
//!
//! Promise: each telling is on the topic at least once, a repeat with identical bytes; of one alert,
//! a later telling comes after an earlier one. Rows leave the outbox once the brokers have
//! acknowledged them; while they do not, the outbox waits, and detection goes on.
//! What the records look like: `docs/alerts-topic.md`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{BusinessDate, Money, Severity};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use crate::batch::DeadLetter;
use crate::blocking::Blocking;
use crate::life::EventKind;
use crate::metrics::Metrics;
use crate::store::{StoreError, Telling, TopicQueue};

/// Rows that are under way at once.
const BATCH: usize = 1_000;
/// Looked for rows at least so often, should a wake-up be missed.
const POLL: Duration = Duration::from_secs(1);
/// After a failure; doubled up to the maximum.
const BACK_OFF: Duration = Duration::from_millis(200);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// A longer value is trimmed. Brokers take 1,048,588 bytes a batch unless told otherwise; the rest is
/// for key, headers and the batch's own.
const VALUE_MAX: usize = 900_000;
/// As much as the topics are made for (`fundwatch topics create`).
const MESSAGE_BYTES_MAX: &str = "4194304";
/// Facts named in a trimmed value.
const EVIDENCE_MAX: usize = 1_000;

/// The names of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNames {
    /// Of the alerts.
    pub alerts: String,
    /// Of the dead letters.
    pub dead_letter: String,
}

impl Default for TopicNames {
    fn default() -> TopicNames {
        TopicNames {
            alerts: "fund.alerts".to_owned(),
            dead_letter: "fund.dead-letter".to_owned(),
        }
    }
}

/// Why rows stay in the outbox for now.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The brokers did not acknowledge.
    #[error("the brokers did not take a record for the alerts or dead-letter topic: {0}")]
    Kafka(#[from] KafkaError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Empties the outboxes of the topics.
pub struct Publisher {
    config: ClientConfig,
    producer: FutureProducer,
    queue: Blocking<TopicQueue>,
    topics: TopicNames,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// A publisher to the brokers of `connection`: their addresses, and how to log in.
    pub fn new(
        connection: &ClientConfig,
        topics: TopicNames,
        queue: TopicQueue,
        metrics: Arc<Metrics>,
    ) -> Result<Publisher, PublishError> {
        let config = producer_config(connection);
        Ok(Publisher {
            producer: config.create()?,
            config,
            queue: Blocking::new(queue),
            topics,
            metrics,
        })
    }

    /// Publishes whatever is committed, until `stop` turns true; what is under way then is awaited.
    /// `wake` is rung by the store.
    pub async fn run(
        mut self,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), PublishError> {
        let mut back_off = BACK_OFF;
        while !*stop.borrow_and_update() {
            let pause = match self.publish().await {
                Ok(0) => POLL,
                Ok(_) => {
                    back_off = BACK_OFF;
                    continue;
                }
                Err(PublishError::Store(error)) if !error.is_retryable() => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, retry_in = ?back_off,
                        "publishing failed, the outbox waits");
                    self.renew_if_dead()?;
                    let pause = back_off;
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                    tokio::select! {
                        () = tokio::time::sleep(pause) => continue,
                        _ = stop.changed() => break,
                    }
                }
            };
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Publishes one batch of each outbox, and says how many rows were acknowledged.
    ///
    /// # Errors
    /// The first failure; the rows that were acknowledged besides it are taken out all the same.
    pub async fn publish(&mut self) -> Result<usize, PublishError> {
        let (tellings, letters) = self
            .queue
            .call(|queue| Ok::<_, StoreError>((queue.tellings(BATCH)?, queue.dead_letters(BATCH)?)))
            .await?;
        let mut failure = None;
        let mut alerts_sent = Vec::with_capacity(tellings.len());
        for pending in &tellings {
            let telling = &pending.telling;
            match self.send_telling(telling) {
                Ok(delivery) => alerts_sent.push((telling.seq, delivery)),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let mut letters_sent = Vec::with_capacity(letters.len());
        for pending in &letters {
            match self.send_dead_letter(&pending.letter) {
                Ok(delivery) => letters_sent.push((pending.n, delivery)),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let alerts_done = acknowledged(alerts_sent, &mut failure).await;
        let letters_done = acknowledged(letters_sent, &mut failure).await;
        let done = alerts_done.len() + letters_done.len();
        self.metrics
            .published(alerts_done.len() as u64, letters_done.len() as u64);
        if done > 0 {
            self.queue
                .call(move |queue| queue.acknowledge(&alerts_done, &letters_done))
                .await?;
        }
        match failure {
            Some(error) => {
                self.metrics.publish_failed();
                Err(error.into())
            }
            None => Ok(done),
        }
    }

    fn send_telling(&self, telling: &Telling) -> Result<DeliveryFuture, KafkaError> {
        let value = alert_value(telling);
        let revision = telling.revision.to_string();
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header {
                key: "revision",
                value: Some(&revision),
            })
            .insert(Header {
                key: "event",
                value: Some(telling.kind.as_str()),
            });
        let record = FutureRecord::to(&self.topics.alerts)
            .key(&telling.alert.id)
            .payload(&value)
            .headers(headers);
        self.producer
            .send_result(record)
            .map_err(|(error, _)| error)
    }

    fn send_dead_letter(&self, letter: &DeadLetter) -> Result<DeliveryFuture, KafkaError> {
        let value = dead_letter_value(letter);
        let key = format!("{}/{}", letter.topic, letter.position);
        let record = FutureRecord::to(&self.topics.dead_letter)
            .key(&key)
            .payload(&value);
        self.producer
            .send_result(record)
            .map_err(|(error, _)| error)
    }

    /// An idempotent producer that met a fatal error is of no use any more.
    fn renew_if_dead(&mut self) -> Result<(), PublishError> {
        if let Some((code, reason)) = self.producer.client().fatal_error() {
            tracing::error!(?code, reason, "the producer is dead, making a new one");
            self.producer = self.config.create()?;
        }
        Ok(())
    }
}

/// Waits for all, and returns the names of those that the brokers have.
async fn acknowledged(
    sent: Vec<(i64, DeliveryFuture)>,
    failure: &mut Option<KafkaError>,
) -> Vec<i64> {
    let mut done = Vec::with_capacity(sent.len());
    for (name, delivery) in sent {
        match delivery.await {
            Ok(Ok(_)) => done.push(name),
            Ok(Err((error, _))) => *failure = failure.take().or(Some(error)),
            Err(_) => {
                let canceled = KafkaError::MessageProduction(RDKafkaErrorCode::PurgeInflight);
                *failure = failure.take().or(Some(canceled));
            }
        }
    }
    done
}

/// The producer's options, each set on purpose.
fn producer_config(connection: &ClientConfig) -> ClientConfig {
    let mut config = connection.clone();
    config
        .set("client.id", "fundwatch-alerting")
        // Retries within a session neither repeat nor reorder records.
        .set("enable.idempotence", "true")
        // A record counts once all in-sync replicas have it.
        .set("acks", "all")
        // The most with which idempotence keeps the order.
        .set("max.in.flight.requests.per.connection", "5")
        // librdkafka retries until the timeout below, whatever the number.
        .set("retries", "2147483647")
        // Then the row stays in the outbox, and is sent anew.
        .set("message.timeout.ms", "60000")
        .set("request.timeout.ms", "30000")
        // Wait a little for company: an alert should be there within 250 ms.
        .set("linger.ms", "5")
        .set("retry.backoff.ms", "100")
        .set("retry.backoff.max.ms", "1000")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "10000")
        // A broker that is down is looked for again soon.
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set("topic.metadata.propagation.max.ms", "10000")
        // The topics are made by `topics create`, with stated partitions, never by a typing error.
        .set("allow.auto.create.topics", "false")
        // JSON packs well, and every broker since 2.1 knows it.
        .set("compression.type", "lz4")
        // Alerts are trimmed below the brokers' default. A dead letter is not: a record of 1 MiB, in base64. What
        // cannot be sent would hold up all that waits behind it.
        .set("message.max.bytes", MESSAGE_BYTES_MAX)
        // One batch of each outbox at most is in the queue.
        .set("queue.buffering.max.messages", "10000")
        .set("queue.buffering.max.kbytes", "1048576")
        // The partitioner of the Java clients, so that a key is where others look for it.
        .set("partitioner", "murmur2_random")
        .set("socket.keepalive.enable", "true")
        .set("statistics.interval.ms", "0");
    config
}

/// The record of a telling: the alert's fields in their order, then those of the telling.
#[derive(Serialize)]
struct AlertRecord<'a> {
    id: &'a str,
    detector: &'a str,
    subject: &'a str,
    region: &'a str,
    period: Option<&'a str>,
    item: Option<&'a str>,
    state: &'static str,
    opened_on: BusinessDate,
    cleared_on: Option<BusinessDate>,
    amount: Money,
    peak: Money,
    episodes: u32,
    severity: Severity,
    evidence: &'a [String],
    policy: Option<&'a str>,
    details: &'a Map<String, Value>,
    event: EventKind,
    revision: u64,
    cause: Option<&'a str>,
    /// Of a trimmed record: how many facts there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence_count: Option<usize>,
}

/// The value of a telling on the alerts topic, a JSON object.
///
/// A withdrawn alert is the one last told, but with the state `withdrawn` and nothing at stake: who
/// reads the state or adds the amounts of the latest records must not count it.
pub fn alert_value(telling: &Telling) -> String {
    let all = telling.alert.evidence.as_slice();
    let value = render(telling, all, None);
    if value.len() <= VALUE_MAX {
        return value;
    }
    let some = &all[..all.len().min(EVIDENCE_MAX)];
    render(telling, some, Some(all.len()))
}

fn render(telling: &Telling, evidence: &[String], evidence_count: Option<usize>) -> String {
    let alert = &telling.alert;
    let withdrawn = telling.kind == EventKind::Withdrawn;
    let record = AlertRecord {
        id: &alert.id,
        detector: &alert.detector,
        subject: &alert.subject,
        region: &alert.region,
        period: alert.period.as_deref(),
        item: alert.item.as_deref(),
        state: if withdrawn {
            "withdrawn"
        } else {
            alert.state.as_str()
        },
        opened_on: alert.opened_on,
        cleared_on: alert.cleared_on,
        amount: if withdrawn { Money::ZERO } else { alert.amount },
        peak: alert.peak,
        episodes: alert.episodes,
        severity: alert.severity,
        evidence,
        policy: alert.policy.as_deref(),
        details: &alert.details,
        event: telling.kind,
        revision: telling.revision,
        cause: telling.cause.as_deref(),
        evidence_count,
    };
    serde_json::to_string(&record).expect("text and whole numbers serialise")
}

/// The value of a dead letter on its topic: contract section 7.
pub fn dead_letter_value(letter: &DeadLetter) -> String {
    #[derive(Serialize)]
    struct Record<'a> {
        topic: &'a str,
        position: &'a str,
        reason: &'a str,
        field: Option<&'a str>,
        raw: String,
    }
    let record = Record {
        topic: letter.topic.as_str(),
        position: &letter.position,
        reason: &letter.reason,
        field: letter.field.as_deref(),
        raw: STANDARD.encode(&letter.raw),
    };
    serde_json::to_string(&record).expect("strings serialise")
}

#[cfg(test)]
mod tests;
