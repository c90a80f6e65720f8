//! A real Apache Kafka of one node, in KRaft mode, for as long as a test runs.
//!
//! The jars come from Maven Central, once, into the folder `kafka` of the build folder (or the one that
//! `FUNDWATCH_KAFKA_CACHE` names). Without Java or Maven the broker is `Unavailable`; `FUNDWATCH_REQUIRE_KAFKA=1`
//! makes that a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

use crate::peer::{self, Process, StartError};

/// The version that `docker-compose.yml` names, too.
pub const VERSION: &str = "4.3.1";

/// The oldest Java that this version runs on.
const JAVA_MIN: u32 = 17;

const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Says where the jars are for one version of the broker, and what else it needs to speak to us.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fundwatch</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>@VERSION@</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"#;

/// Everything that differs from the broker's defaults; small tables, because the heap is small.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:@CONTROLLER@
listeners=PLAINTEXT://127.0.0.1:@BROKER@,CONTROLLER://127.0.0.1:@CONTROLLER@
advertised.listeners=PLAINTEXT://127.0.0.1:@BROKER@
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=@LOGS@
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
";

/// A running broker; it ends, and its data with it, when this is dropped.
#[derive(Debug)]
pub struct KafkaBroker {
    /// `None` while the broker is stopped.
    process: Option<Process>,
    jars: PathBuf,
    port: u16,
    /// Configuration, data and log.
    folder: TempDir,
}

impl KafkaBroker {
    /// Fetches the broker if it is not there yet, and starts it on free ports with no topics.
    pub fn start() -> Result<Self, StartError> {
        require_java()?;
        let jars = jars()?;
        let folder = TempDir::with_prefix("fundwatch-kafka-")?;
        let port = peer::free_port()?;
        fs::write(
            folder.path().join("server.properties"),
            properties(folder.path(), port)?,
        )?;
        let mut broker = Self {
            process: None,
            jars,
            port,
            folder,
        };
        peer::run(
            broker
                .java("kafka.tools.StorageTool")
                .args(["format", "-t", CLUSTER_ID, "-c"])
                .arg(broker.config()),
        )?;
        broker.launch()?;
        Ok(broker)
    }

    /// The broker, or `None` after saying loudly that a test is left out for want of it.
    ///
    /// # Panics
    /// If it does not start, or is required and not available.
    pub fn start_or_skip() -> Option<Self> {
        peer::started_or_skipped("Apache Kafka", Self::start(), "FUNDWATCH_REQUIRE_KAFKA")
    }

    /// Where clients find it: `host:port`; the same after a restart.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it in good order; its data stay.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_LIMIT);
        }
    }

    /// Ends it at once, without a chance to close its files; its data stay.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it if it runs, and starts it on the same ports with the same data.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.launch()
    }

    /// A client's configuration that reaches this broker.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.bootstrap())
            .set("group.id", "acceptance")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true");
        config
    }

    /// Makes topics, each with so many partitions, and waits until every partition can be asked.
    pub fn create(&self, topics: &[(&str, i32)]) -> Result<(), KafkaError> {
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|(name, partitions)| NewTopic::new(name, *partitions, TopicReplication::Fixed(1)))
            .collect();
        self.administer(async |admin, options| admin.create_topics(&new, options).await)?;
        let client: BaseConsumer = self.client().create()?;
        let mut attempts = 0;
        while !are_led(&client, topics)? {
            attempts += 1;
            if attempts > 400 {
                return Err(KafkaError::AdminOpCreation(
                    "a topic that was made has no leader".to_owned(),
                ));
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Ok(())
    }

    /// Removes topics, and what is on them.
    pub fn delete(&self, topics: &[&str]) -> Result<(), KafkaError> {
        self.administer(async |admin, options| admin.delete_topics(topics, options).await)
    }

    fn administer(
        &self,
        work: impl AsyncFnOnce(
            &AdminClient<DefaultClientContext>,
            &AdminOptions,
        ) -> Result<Vec<rdkafka::admin::TopicResult>, KafkaError>,
    ) -> Result<(), KafkaError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| KafkaError::AdminOpCreation("no runtime".to_owned()))?;
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let options = AdminOptions::new().operation_timeout(Some(CALL_LIMIT));
        for done in runtime.block_on(work(&admin, &options))? {
            done.map_err(|(_, code)| KafkaError::AdminOp(code))?;
        }
        Ok(())
    }

    /// How many partitions the topic has; 0 if there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<i32, KafkaError> {
        let client: BaseConsumer = self.client().create()?;
        partitions(&client, topic)
    }

    /// All that the topic holds now, partition by partition, in order of offset.
    pub fn read_all(&self, topic: &str) -> Result<Vec<OwnedMessage>, KafkaError> {
        let client: BaseConsumer = self.client().create()?;
        let mut messages = Vec::new();
        for partition in 0..partitions(&client, topic)? {
            read_partition(&client, topic, partition, &mut messages)?;
        }
        Ok(messages)
    }

    /// The offset after the last record of each partition.
    pub fn ends(&self, topic: &str) -> Result<Vec<i64>, KafkaError> {
        let client: BaseConsumer = self.client().create()?;
        (0..partitions(&client, topic)?)
            .map(|partition| Ok(client.fetch_watermarks(topic, partition, CALL_LIMIT)?.1))
            .collect()
    }

    /// Sends records, each a topic, a key and a value; those of one key stay in their order. They are on the broker
    /// when this returns.
    pub fn send(&self, records: &[(&str, &str, &[u8])]) -> Result<(), KafkaError> {
        let producer: BaseProducer = self
            .client()
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2")
            .set("message.max.bytes", "4000000")
            .create()?;
        for (topic, key, value) in records {
            let record = BaseRecord::to(topic).key(*key).payload(*value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(CALL_LIMIT)
    }

    /// Drops all records that the topic has now, as retention does.
    pub fn delete_records(&self, topic: &str) -> Result<(), KafkaError> {
        let mut ends = TopicPartitionList::new();
        for (partition, end) in (0..).zip(self.ends(topic)?) {
            ends.add_partition_offset(topic, partition, Offset::Offset(end))?;
        }
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        wait_for(admin.delete_records(&ends, &admin_options()))?;
        Ok(())
    }

    /// Deletes the topic, and makes it anew with as many partitions and nothing in them.
    pub fn make_anew(&self, topic: &str) -> Result<(), KafkaError> {
        let partitions = self.partitions(topic)?;
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        wait_for(admin.delete_topics(&[topic], &admin_options()))?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        // The broker says that it is deleted before its name is free.
        loop {
            let made = wait_for(admin.create_topics([&new], &admin_options()))?;
            match made.into_iter().next() {
                Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Some(Err((_, code))) => return Err(KafkaError::AdminOp(code)),
                _ => return Ok(()),
            }
        }
    }

    fn launch(&mut self) -> Result<(), StartError> {
        let mut java = self.java("kafka.Kafka");
        java.arg(self.config());
        let log = self.folder.path().join("broker.log");
        let mut process = Process::start(&java, &log)?;
        process.wait_until(START_LIMIT, || self.answers())?;
        self.process = Some(process);
        Ok(())
    }

    /// A broker that names itself in its metadata takes part in the cluster.
    fn answers(&self) -> bool {
        if std::net::TcpStream::connect(self.bootstrap()).is_err() {
            return false;
        }
        let Ok(client) = self.client().create::<BaseConsumer>() else {
            return false;
        };
        client
            .fetch_metadata(None, Duration::from_secs(2))
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
    }

    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args([
            "-Xms128m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-Djava.awt.headless=true",
        ])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        .arg("-cp")
        .arg(self.jars.join("*"))
        .arg(class);
        java
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }
}

impl Drop for KafkaBroker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Any 16 bytes in base64 name a cluster.
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

fn properties(folder: &Path, port: u16) -> Result<String, StartError> {
    let controller = peer::free_port()?;
    Ok(PROPERTIES
        .replace("@BROKER@", &port.to_string())
        .replace("@CONTROLLER@", &controller.to_string())
        .replace("@LOGS@", &folder.join("data").to_string_lossy()))
}

fn require_java() -> Result<(), StartError> {
    let words = peer::run(Command::new("java").arg("-version"))?;
    match java_version(&words) {
        Some(version) if JAVA_MIN <= version => Ok(()),
        _ => Err(StartError::Unavailable(format!(
            "Java {JAVA_MIN} or later is needed; there is: {words}"
        ))),
    }
}

/// The first number of what `java -version` puts between quotation marks.
fn java_version(words: &str) -> Option<u32> {
    let quoted = words.split('"').nth(1)?;
    quoted.split(['.', '-', '+']).next()?.parse().ok()
}

fn jars() -> Result<PathBuf, StartError> {
    let cache = peer::cache_folder("kafka", "FUNDWATCH_KAFKA_CACHE")?;
    let folder = cache.join(format!("kafka_2.13-{VERSION}"));
    peer::fill_once(&folder, |half| {
        fs::write(half.join("pom.xml"), POM.replace("@VERSION@", VERSION))?;
        let mut maven = Command::new("mvn");
        maven
            .args(["--batch-mode", "--quiet", "--no-transfer-progress"])
            .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
            .args(["-DincludeScope=runtime", "-DoutputDirectory=jars"])
            .current_dir(half);
        peer::fetch(&mut maven)
    })?;
    Ok(folder.join("jars"))
}

fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(CALL_LIMIT))
        .operation_timeout(Some(CALL_LIMIT))
}

fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("there can be a runtime")
        .block_on(future)
}

fn partitions(client: &BaseConsumer, topic: &str) -> Result<i32, KafkaError> {
    let metadata = client.fetch_metadata(None, CALL_LIMIT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    Ok(found.map_or(0, |topic| {
        i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)
    }))
}

/// Whether each partition of the topics has a leader.
fn are_led(client: &BaseConsumer, topics: &[(&str, i32)]) -> Result<bool, KafkaError> {
    let metadata = client.fetch_metadata(None, CALL_LIMIT)?;
    Ok(topics.iter().all(|(name, count)| {
        let found = metadata.topics().iter().find(|found| found.name() == *name);
        found.is_some_and(|topic| {
            i32::try_from(topic.partitions().len()) == Ok(*count)
                && topic
                    .partitions()
                    .iter()
                    .all(|partition| partition.leader() >= 0)
        })
    }))
}

fn read_partition(
    client: &BaseConsumer,
    topic: &str,
    partition: i32,
    messages: &mut Vec<OwnedMessage>,
) -> Result<(), KafkaError> {
    let (low, high) = client.fetch_watermarks(topic, partition, CALL_LIMIT)?;
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(low))?;
    client.assign(&place)?;
    let mut next = low;
    while next < high {
        let message = client
            .poll(CALL_LIMIT)
            .ok_or(KafkaError::NoMessageReceived)??;
        next = message.offset() + 1;
        messages.push(message.detach());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_java_is_read_from_its_words() {
        assert_eq!(
            java_version("openjdk version \"17.0.15\" 2025-04-15"),
            Some(17)
        );
        assert_eq!(java_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(java_version("java version \"1.8.0_202\""), Some(1));
        assert_eq!(java_version("no such thing"), None);
    }

    #[test]
    fn a_broker_keeps_what_it_was_given_over_a_restart_and_a_kill() {
        let Some(mut broker) = KafkaBroker::start_or_skip() else {
            return;
        };
        broker.create(&[("fund.alerts", 2)]).unwrap();
        send(&broker, "fund.alerts", "a");
        broker.restart().unwrap();
        send(&broker, "fund.alerts", "b");
        broker.kill();
        broker.restart().unwrap();
        let payloads: Vec<_> = broker
            .read_all("fund.alerts")
            .unwrap()
            .iter()
            .map(|message| {
                String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned()
            })
            .collect();
        assert_eq!(payloads, ["a", "b"]);
        assert_eq!(
            (
                broker.partitions("fund.alerts").unwrap(),
                broker.partitions("none").unwrap()
            ),
            (2, 0)
        );
    }

    /// To partition 0, so that the order is known.
    fn send(broker: &KafkaBroker, topic: &str, payload: &str) {
        let producer: BaseProducer = broker.client().set("acks", "all").create().unwrap();
        let record = BaseRecord::<(), str>::to(topic)
            .partition(0)
            .payload(payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(CALL_LIMIT).unwrap();
    }
}
