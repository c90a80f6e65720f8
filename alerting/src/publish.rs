//! The outboxes of alerts and dead letters to their Kafka topics.
//!
//! Promise: each telling is on the topic at least once, a repeat with identical bytes; of one alert,
//! a later telling comes after an earlier one. Rows leave the outbox once the brokers have
//! acknowledged them; while they do not, the outbox waits, and detection goes on. The two topics are
//! independent: dead letters never delay an alert. A dead letter that is too large for its topic is
//! published with its record cut, so that it is known and nothing waits behind it.
//! What the records look like: `docs/alerts-topic.md`.

use std::convert::Infallible;
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

/// Alerts that are under way at once.
const BATCH: usize = 1_000;
/// Dead letters that are under way at once: one may be over a mebibyte.
const LETTERS: usize = 100;
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
/// Bytes of the record in a dead letter that is cut: enough to see what it is.
const RAW_CUT: usize = 1_024;

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
    /// The brokers did not acknowledge. The text holds the cause, which the error of the library
    /// repeats as its own source.
    #[error("the brokers did not take a record for the alerts or dead-letter topic: {0}")]
    Kafka(KafkaError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KafkaError> for PublishError {
    fn from(error: KafkaError) -> PublishError {
        PublishError::Kafka(error)
    }
}

/// Empties the outboxes of the topics.
pub struct Publisher {
    alerts: Lane,
    dead_letters: Lane,
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
        let queue = Arc::new(Blocking::new(queue));
        let lane = |kind, topic| -> Result<Lane, PublishError> {
            Ok(Lane {
                kind,
                producer: config.create()?,
                config: config.clone(),
                queue: Arc::clone(&queue),
                topic,
                metrics: Arc::clone(&metrics),
            })
        };
        Ok(Publisher {
            alerts: lane(Kind::Alerts, topics.alerts)?,
            dead_letters: lane(Kind::DeadLetters, topics.dead_letter)?,
        })
    }

    /// Publishes whatever is committed, until `stop` turns true; what is under way then is awaited.
    /// `wake` is rung by the store.
    pub async fn run(
        self,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), PublishError> {
        let bells = [Notify::new(), Notify::new()];
        let both = async {
            tokio::try_join!(
                self.alerts.run(&bells[0], stop.clone()),
                self.dead_letters.run(&bells[1], stop),
            )
        };
        tokio::select! {
            ended = both => ended.map(|((), ())| ()),
            never = ring_on(&wake, &bells) => match never {},
        }
    }
}

/// Rings all `bells` whenever `wake` is rung, which wakes one listener only.
async fn ring_on(wake: &Notify, bells: &[Notify]) -> Infallible {
    loop {
        wake.notified().await;
        bells.iter().for_each(Notify::notify_one);
    }
}

/// Which outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alerts,
    DeadLetters,
}

/// One outbox and its topic. Each has a producer of its own, so that neither waits for the other.
struct Lane {
    kind: Kind,
    config: ClientConfig,
    producer: FutureProducer,
    queue: Arc<Blocking<TopicQueue>>,
    topic: String,
    metrics: Arc<Metrics>,
}

impl Lane {
    async fn run(
        mut self,
        wake: &Notify,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), PublishError> {
        let mut back_off = BACK_OFF;
        while !*stop.borrow_and_update() {
            match self.publish().await {
                Ok(0) => tokio::select! {
                    () = wake.notified() => {}
                    () = tokio::time::sleep(POLL) => {}
                    _ = stop.changed() => {}
                },
                Ok(_) => back_off = BACK_OFF,
                Err(PublishError::Store(error)) if !error.is_retryable() => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, topic = self.topic,
                        retry_in = ?back_off, "publishing failed, the outbox waits");
                    self.renew_if_dead()?;
                    tokio::select! {
                        () = tokio::time::sleep(back_off) => {}
                        _ = stop.changed() => {}
                    }
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                }
            }
        }
        Ok(())
    }

    /// Publishes one batch, and says how many rows were acknowledged.
    ///
    /// # Errors
    /// The first failure; the rows that were acknowledged besides it are taken out all the same.
    async fn publish(&self) -> Result<usize, PublishError> {
        let sent = match self.kind {
            Kind::Alerts => self.publish_alerts().await?,
            Kind::DeadLetters => self.publish_dead_letters().await?,
        };
        let done = sent.done.len();
        if done > 0 {
            let (kind, rows) = (self.kind, sent.done);
            match kind {
                Kind::Alerts => {
                    faults::point!("publish.delivered");
                    self.metrics.published(done as u64, 0);
                }
                Kind::DeadLetters => {
                    faults::point!("publish.letters-delivered");
                    self.metrics.published(0, done as u64);
                }
            }
            self.queue
                .call(move |queue| match kind {
                    Kind::Alerts => queue.acknowledge(&rows, &[]),
                    Kind::DeadLetters => queue.acknowledge(&[], &rows),
                })
                .await?;
            faults::point!("publish.marked");
        }
        match sent.failure {
            Some(error) => {
                self.metrics.publish_failed();
                Err(error.into())
            }
            None => Ok(done),
        }
    }

    async fn publish_alerts(&self) -> Result<Sent, PublishError> {
        let tellings = self.queue.call(|queue| queue.tellings(BATCH)).await?;
        if faults::planted!("topic-marked-before-delivered") {
            let rows: Vec<i64> = tellings.iter().map(|pending| pending.telling.seq).collect();
            self.queue
                .call(move |queue| queue.acknowledge(&rows, &[]))
                .await?;
        }
        if !tellings.is_empty() {
            faults::point!("publish.taken");
        }
        let mut sent = Sent::default();
        let mut under_way = Vec::with_capacity(tellings.len());
        for pending in &tellings {
            match self.send_telling(&pending.telling) {
                Ok(delivery) => under_way.push((pending.telling.seq, delivery)),
                Err(error) => {
                    sent.failed(error);
                    break;
                }
            }
        }
        for (seq, delivery) in under_way {
            faults::point!("publish.queued");
            match delivered(delivery).await {
                Ok(()) => sent.done.push(seq),
                Err(error) => sent.failed(error),
            }
        }
        Ok(sent)
    }

    async fn publish_dead_letters(&self) -> Result<Sent, PublishError> {
        let letters = self.queue.call(|queue| queue.dead_letters(LETTERS)).await?;
        let mut sent = Sent::default();
        let mut refused = Vec::new();
        let mut under_way = Vec::with_capacity(letters.len());
        for pending in &letters {
            match self.send_dead_letter(&pending.letter, dead_letter_value(&pending.letter)) {
                Ok(delivery) => under_way.push((pending, delivery)),
                Err(error) if is_too_large(&error) => refused.push(pending),
                Err(error) => {
                    sent.failed(error);
                    break;
                }
            }
        }
        for (pending, delivery) in under_way {
            match delivered(delivery).await {
                Ok(()) => sent.done.push(pending.n),
                Err(error) if is_too_large(&error) => refused.push(pending),
                Err(error) => sent.failed(error),
            }
        }
        for pending in refused {
            match self.send_refused(&pending.letter).await {
                Ok(()) => sent.done.push(pending.n),
                Err(error) => sent.failed(error),
            }
        }
        Ok(sent)
    }

    /// Sends a dead letter that was refused by itself, since brokers refuse a whole batch for its size;
    /// and if it is refused again, with its record cut.
    async fn send_refused(&self, letter: &DeadLetter) -> Result<(), KafkaError> {
        for value in [dead_letter_value(letter), cut_dead_letter_value(letter)] {
            let result = match self.send_dead_letter(letter, value) {
                Ok(delivery) => delivered(delivery).await,
                Err(error) => Err(error),
            };
            match result {
                Err(error) if is_too_large(&error) => {}
                result => return result,
            }
        }
        tracing::error!(
            topic = self.topic,
            "a dead letter is too large even when cut: raise max.message.bytes of the topic"
        );
        Err(KafkaError::MessageProduction(
            RDKafkaErrorCode::MessageSizeTooLarge,
        ))
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
        let record = FutureRecord::to(&self.topic)
            .key(&telling.alert.id)
            .payload(&value)
            .headers(headers);
        self.producer
            .send_result(record)
            .map_err(|(error, _)| error)
    }

    fn send_dead_letter(
        &self,
        letter: &DeadLetter,
        value: String,
    ) -> Result<DeliveryFuture, KafkaError> {
        let key = format!("{}/{}", letter.topic, letter.position);
        let record = FutureRecord::to(&self.topic).key(&key).payload(&value);
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

/// What became of a batch.
#[derive(Default)]
struct Sent {
    /// The rows that the brokers have.
    done: Vec<i64>,
    /// The first failure.
    failure: Option<KafkaError>,
}

impl Sent {
    fn failed(&mut self, error: KafkaError) {
        self.failure.get_or_insert(error);
    }
}

/// Waits until the brokers have a record.
async fn delivered(delivery: DeliveryFuture) -> Result<(), KafkaError> {
    match delivery.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::MessageProduction(
            RDKafkaErrorCode::PurgeInflight,
        )),
    }
}

/// Whether a record was refused for its size, by the producer or by the brokers: trying it again, as it
/// is, does not help.
fn is_too_large(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidMessageSize
        )
    )
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
        // the topic refuses is sent again with its record cut.
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
    render_dead_letter(letter, None)
}

/// The value of a dead letter that its topic does not take whole: the first bytes of the record, and the
/// mark `raw_cut`.
fn cut_dead_letter_value(letter: &DeadLetter) -> String {
    render_dead_letter(letter, Some(RAW_CUT))
}

/// With as much of the record as `room` allows, if it is given.
fn render_dead_letter(letter: &DeadLetter, room: Option<usize>) -> String {
    #[derive(Serialize)]
    struct Record<'a> {
        topic: &'a str,
        position: &'a str,
        reason: &'a str,
        field: Option<&'a str>,
        raw: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        raw_cut: Option<bool>,
    }
    let whole = letter.raw.as_slice();
    let raw = room.map_or(whole, |room| &whole[..whole.len().min(room)]);
    let record = Record {
        topic: letter.topic.as_str(),
        position: &letter.position,
        reason: &letter.reason,
        field: letter.field.as_deref(),
        raw: STANDARD.encode(raw),
        raw_cut: (raw.len() < whole.len()).then_some(true),
    };
    serde_json::to_string(&record).expect("strings serialise")
}

#[cfg(test)]
mod tests;
