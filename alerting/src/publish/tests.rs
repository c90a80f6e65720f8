use std::time::Instant;

use domain::Topic;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use super::*;
use crate::identity::AlertIdentity;
use crate::store::{Channel, Store};
use crate::test_kit::{arrears, batch, gone, now, routing, update};

/// A record as a consumer sees it: key, value, headers.
type Seen = (String, String, Vec<(String, String)>);

impl Publisher {
    /// One batch of each outbox.
    async fn publish(&self) -> Result<usize, PublishError> {
        Ok(self.alerts.publish().await? + self.dead_letters.publish().await?)
    }
}

fn letter(position: &str, length: usize) -> DeadLetter {
    DeadLetter {
        topic: Topic::TaxCollection,
        position: position.into(),
        reason: "too-large".into(),
        field: None,
        raw: vec![b'x'; length],
    }
}

fn store(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("fund.db"), &AlertIdentity::default()).unwrap()
}

fn publisher(store: &Store, servers: &str) -> Publisher {
    let mut connection = ClientConfig::new();
    connection.set("bootstrap.servers", servers);
    let queue = TopicQueue::open(store.path()).unwrap();
    let metrics = Arc::new(Metrics::new("0", "0"));
    Publisher::new(&connection, TopicNames::default(), queue, metrics).unwrap()
}

fn read(servers: &str, topic: &str, count: usize) -> Vec<Seen> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&partitions).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut seen = Vec::new();
    while seen.len() < count && Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap()
            };
            let headers = message.headers().map_or_else(Vec::new, |headers| {
                headers
                    .iter()
                    .map(|header| (header.key.to_owned(), text(header.value)))
                    .collect()
            });
            seen.push((text(message.key()), text(message.payload()), headers));
        }
    }
    seen
}

#[tokio::test]
async fn tellings_and_dead_letters_reach_their_topics_once() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["fund.alerts", "fund.dead-letter"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let routing = routing([]);
    let finding = arrears(1, 4_800);
    let id = AlertIdentity::default().id(&finding.key);
    let mut first = batch(1, [update(finding.clone())]);
    first.dead_letters.push(DeadLetter {
        topic: Topic::TaxCollection,
        position: "3:17".into(),
        reason: "not-utf8".into(),
        field: None,
        raw: vec![0xff, b'{'],
    });
    store.commit(&first, &routing, now()).unwrap();
    store
        .commit(&batch(2, [gone(&finding)]), &routing, now())
        .unwrap();

    let servers = cluster.bootstrap_servers();
    let publisher = publisher(&store, &servers);
    assert_eq!(publisher.publish().await.unwrap(), 2);
    assert_eq!(publisher.publish().await.unwrap(), 1);
    assert_eq!(publisher.publish().await.unwrap(), 0);

    let seen = tokio::task::spawn_blocking(move || {
        (
            read(&servers, "fund.alerts", 2),
            read(&servers, "fund.dead-letter", 1),
        )
    });
    let (alerts, letters) = seen.await.unwrap();
    let header = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let raised = format!(
        "{{\"id\":\"{id}\",\"detector\":\"arrears\",\"subject\":\"{}\",\"region\":\"341002\",\
         \"period\":\"2024-02\",\"item\":null,\"state\":\"open\",\"opened_on\":\"2024-03-16\",\
         \"cleared_on\":null,\"amount\":\"4800.00\",\"peak\":\"4800.00\",\"episodes\":1,\
         \"severity\":\"blue\",\"evidence\":[\"tax.collection/D1\"],\"policy\":null,\"details\":{{}},\
         \"event\":\"raised\",\"revision\":1,\"cause\":\"tax.collection/D1\"}}",
        finding.key.subject.reveal()
    );
    assert_eq!(
        alerts[0],
        (
            id.clone(),
            raised,
            vec![header("revision", "1"), header("event", "raised")]
        )
    );
    assert_eq!(alerts[1].0, id);
    assert!(alerts[1].1.contains("\"state\":\"withdrawn\""));
    assert!(
        alerts[1]
            .1
            .contains("\"amount\":\"0.00\",\"peak\":\"4800.00\"")
    );
    assert!(
        alerts[1]
            .1
            .ends_with("\"event\":\"withdrawn\",\"revision\":2,\"cause\":\"tax.collection/P9\"}")
    );
    assert_eq!(letters[0].0, "tax.collection/3:17");
    assert_eq!(
        letters[0].1,
        r#"{"topic":"tax.collection","position":"3:17","reason":"not-utf8","field":null,"raw":"/3s="}"#
    );
}

#[tokio::test]
async fn the_outbox_waits_for_the_brokers() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("fund.alerts", 1, 1).unwrap();
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    cluster.broker_down(1).unwrap();
    let updates = (1..=100).map(|n| update(arrears(n, 10)));
    store
        .commit(&batch(1, updates), &routing([]), now())
        .unwrap();
    let servers = cluster.bootstrap_servers();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(publisher(&store, &servers).run(store.wakers().topic, stopped));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reader = store.reader().unwrap();
    assert_eq!(reader.outbox(Channel::AlertsTopic).unwrap().pending, 100);
    cluster.broker_up(1).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while reader.outbox(Channel::AlertsTopic).unwrap().pending > 0 {
        assert!(Instant::now() < deadline, "still pending");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    let alerts = tokio::task::spawn_blocking(move || read(&servers, "fund.alerts", 100));
    assert_eq!(alerts.await.unwrap().len(), 100);
}

#[test]
fn a_huge_value_is_trimmed() {
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let mut finding = arrears(1, 1);
    finding.evidence = (0..20_000)
        .map(|n| crate::test_kit::evidence(&format!("{n:060}")))
        .collect();
    store
        .commit(&batch(1, [update(finding)]), &routing([]), now())
        .unwrap();
    let queue = TopicQueue::open(store.path()).unwrap();
    let value = alert_value(&queue.tellings(1).unwrap()[0].telling);
    assert!(value.len() < VALUE_MAX);
    assert!(value.ends_with("\"evidence_count\":20000}"));
}

#[test]
fn a_cut_dead_letter_says_so_after_the_five_fields() {
    let value = cut_dead_letter_value(&letter("0:7", 1_025));
    // 1,024 bytes are 341 groups of three and one byte: 341 times four characters and `eA==`.
    let raw = format!("{}eA==", "eHh4".repeat(341));
    let five =
        r#"{"topic":"tax.collection","position":"0:7","reason":"too-large","field":null,"raw":""#;
    assert_eq!(value, format!("{five}{raw}\",\"raw_cut\":true}}"));
    // What is short stays whole.
    let short = letter("0:8", 1_024);
    assert_eq!(cut_dead_letter_value(&short), dead_letter_value(&short));
    assert_eq!(
        dead_letter_value(&short),
        format!("{five}{raw}\"}}").replace("0:7", "0:8")
    );
}

#[test]
fn refusals_for_size_are_told_from_what_passes() {
    use RDKafkaErrorCode::{
        InvalidMessageSize, MessageBatchTooLarge, MessageSizeTooLarge, MessageTimedOut, QueueFull,
    };
    for code in [
        MessageSizeTooLarge,
        MessageBatchTooLarge,
        InvalidMessageSize,
    ] {
        assert!(is_too_large(&KafkaError::MessageProduction(code)), "{code}");
    }
    for code in [MessageTimedOut, QueueFull] {
        assert!(
            !is_too_large(&KafkaError::MessageProduction(code)),
            "{code}"
        );
    }
}

#[test]
fn the_text_of_a_failure_names_its_cause_once() {
    let error = PublishError::from(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
    assert!(error.to_string().contains("QueueFull"), "{error}");
    assert!(std::error::Error::source(&error).is_none());
}

/// Larger than the producer takes at all: 4 MiB of record are over 5 MiB in base64.
#[tokio::test]
async fn a_dead_letter_too_large_for_the_producer_is_cut_and_blocks_nothing() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["fund.alerts", "fund.dead-letter"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let mut first = batch(1, [update(arrears(1, 10))]);
    first.dead_letters = vec![letter("0:1", 4 << 20), letter("0:2", 3)];
    store.commit(&first, &routing([]), now()).unwrap();
    let servers = cluster.bootstrap_servers();
    assert_eq!(publisher(&store, &servers).publish().await.unwrap(), 3);
    let seen = tokio::task::spawn_blocking(move || read(&servers, "fund.dead-letter", 2));
    let seen = seen.await.unwrap();
    assert_eq!(seen[0].1, dead_letter_value(&letter("0:2", 3)));
    assert_eq!(seen[1].0, "tax.collection/0:1");
    assert_eq!(seen[1].1, cut_dead_letter_value(&letter("0:1", 4 << 20)));
}

#[tokio::test]
async fn a_dead_letter_refused_by_the_broker_is_tried_alone_and_then_cut() {
    for (refusals, expected) in [
        // The batch was too large, not the letter.
        (1, dead_letter_value(&letter("0:1", 5_000))),
        (2, cut_dead_letter_value(&letter("0:1", 5_000))),
    ] {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("fund.dead-letter", 1, 1).unwrap();
        let folder = TempDir::new().unwrap();
        let mut store = store(&folder);
        let mut first = batch(1, []);
        first.dead_letters = vec![letter("0:1", 5_000)];
        store.commit(&first, &routing([]), now()).unwrap();
        let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
        cluster.request_errors(RDKafkaApiKey::Produce, &vec![too_large; refusals]);
        let servers = cluster.bootstrap_servers();
        let publisher = publisher(&store, &servers);
        assert_eq!(publisher.publish().await.unwrap(), 1);
        assert_eq!(publisher.publish().await.unwrap(), 0);
        let seen = tokio::task::spawn_blocking(move || read(&servers, "fund.dead-letter", 1));
        assert_eq!(seen.await.unwrap()[0].1, expected);
    }
}

/// The dead-letter topic is not there: its outbox waits, and alerts go out as if nothing were.
#[tokio::test]
async fn dead_letters_that_cannot_be_sent_do_not_delay_alerts() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("fund.alerts", 1, 1).unwrap();
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.topic_error("fund.dead-letter", missing).unwrap();
    let folder = TempDir::new().unwrap();
    let mut store = store(&folder);
    let servers = cluster.bootstrap_servers();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(publisher(&store, &servers).run(store.wakers().topic, stopped));
    let mut first = batch(1, []);
    first.dead_letters = vec![letter("0:1", 3)];
    store.commit(&first, &routing([]), now()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    store
        .commit(&batch(2, [update(arrears(1, 10))]), &routing([]), now())
        .unwrap();
    let reader = store.reader().unwrap();
    // Less than the ten seconds in which the producer gives up on the other topic.
    let deadline = Instant::now() + Duration::from_secs(5);
    while reader.outbox(Channel::AlertsTopic).unwrap().pending > 0 {
        assert!(Instant::now() < deadline, "the alert waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(reader.outbox(Channel::DeadLetterTopic).unwrap().pending, 1);
    stop.send(true).unwrap();
    task.abort();
}
