use std::time::Instant;

use domain::Topic;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use super::*;
use crate::identity::AlertIdentity;
use crate::store::{Channel, Store};
use crate::test_kit::{arrears, batch, gone, now, routing, update};

/// A record as a consumer sees it: key, value, headers.
type Seen = (String, String, Vec<(String, String)>);

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
    let mut publisher = publisher(&store, &servers);
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
