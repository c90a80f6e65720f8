//! Feeds on Kafka: partitions assigned by us, offsets kept by us, messages taken in whole batches.
//!
//! No consumer group is joined and nothing is committed to the broker: where to read on is known
//! from the store alone. Every option that matters is set here, with its reason.
#![expect(
    unsafe_code,
    reason = "whole batches are taken by librdkafka's own functions, which the crate does not wrap"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr;
use std::time::{Duration, Instant};

use domain::Topic;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use rdkafka_sys as sys;

/// How to reach the broker: the options of librdkafka that are the operator's, by name.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// `host:port`, separated by commas.
    pub bootstrap: String,
    /// Further options, e.g. `security.protocol`, `ssl.ca.location`, `sasl.username`.
    pub options: Vec<(String, String)>,
    /// Put before each topic's name.
    pub prefix: String,
}

impl Connection {
    /// The options that every client of ours has.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "fundwatch")
            // A broker that comes back is found again within seconds, not minutes.
            .set("reconnect.backoff.ms", "250")
            .set("reconnect.backoff.max.ms", "5000")
            .set("socket.keepalive.enable", "true");
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
    }

    fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            // Required by the library; with `assign` no group is ever joined.
            .set("group.id", "fundwatch")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Offsets out of range are an error to be told, never silently the end or the beginning.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            // The end of a partition may be past its last record: it says how far reading has come.
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            // Prefetch at most 64 MiB: what bounds memory under a backlog.
            .set("queued.max.messages.kbytes", "65536")
            .set("queued.min.messages", "100000")
            // Default 1000: with a bounded queue the fetcher sleeps a second each time it is full.
            .set("fetch.queue.backoff.ms", "2")
            // A record on an idle partition is not held back for a larger answer.
            .set("fetch.wait.max.ms", "20")
            .set("fetch.min.bytes", "1")
            // Above the greatest record, so that one that is too large arrives and is counted.
            .set("fetch.message.max.bytes", "8388608")
            .set("receive.message.max.bytes", "134217728")
            .set("statistics.interval.ms", "0");
        config
    }

    /// The name of a topic on the broker.
    pub fn topic_name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic)
    }

    fn topic_of(&self, name: &str) -> Option<Topic> {
        Topic::parse(name.strip_prefix(self.prefix.as_str())?)
    }
}

/// A partition, and the offsets between which records are to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The feed.
    pub topic: Topic,
    /// Its number.
    pub partition: i32,
    /// The first offset that the broker still has.
    pub low: i64,
    /// The offset after the last one.
    pub high: i64,
}

/// Lists the partitions of the five feeds.
///
/// # Errors
/// The broker does not answer within the time, or a feed's topic is not there.
pub fn partitions(connection: &Connection, within: Duration) -> Result<Vec<Partition>, ListError> {
    let consumer: BaseConsumer = connection.consumer().create()?;
    let mut partitions = Vec::new();
    for topic in Topic::ALL {
        let name = connection.topic_name(topic);
        let metadata = consumer.fetch_metadata(Some(&name), within)?;
        let listed = metadata
            .topics()
            .iter()
            .find(|found| found.name() == name && found.error().is_none());
        let Some(listed) = listed.filter(|topic| !topic.partitions().is_empty()) else {
            return Err(ListError::NoTopic(name));
        };
        for partition in listed.partitions() {
            let (low, high) = consumer.fetch_watermarks(&name, partition.id(), within)?;
            partitions.push(Partition {
                topic,
                partition: partition.id(),
                low,
                high,
            });
        }
    }
    Ok(partitions)
}

/// Lists the partitions, and asks again after a failure: the broker may be away, and topics that were made a moment ago may
/// lack leaders still. `pause` is told of each failure, and says how long to wait before the broker is asked again.
///
/// # Errors
/// The failure after which `pause` says not to ask again.
pub fn await_partitions(
    connection: &Connection,
    within: Duration,
    mut pause: impl FnMut(&ListError) -> Option<Duration>,
) -> Result<Vec<Partition>, ListError> {
    loop {
        match partitions(connection, within) {
            Ok(partitions) => return Ok(partitions),
            Err(error) => match pause(&error) {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(error),
            },
        }
    }
}

/// For [`await_partitions`]: asks again for as long as this.
pub fn for_as_long_as(limit: Duration) -> impl FnMut(&ListError) -> Option<Duration> {
    let deadline = Instant::now() + limit;
    move |_| (Instant::now() < deadline).then_some(Duration::from_millis(100))
}

/// Deals partitions among readers: to each, its own.
///
/// The longest are dealt first, each to the reader that has least to read: regions differ much in size, and so do feeds.
/// `length` says what there is of a partition, which is the best guess at what will come, too; those that are alike go by topic
/// and number.
pub fn deal<T: Copy>(
    partitions: &[T],
    readers: usize,
    length: impl Fn(&T) -> (i64, Topic, i32),
) -> Vec<Vec<T>> {
    let mut longest_first: Vec<&T> = partitions.iter().collect();
    longest_first.sort_by_key(|one| {
        let (length, topic, partition) = length(one);
        (Reverse(length), topic, partition)
    });
    let mut to_read = vec![0; readers];
    let mut dealt = vec![Vec::new(); readers];
    for one in longest_first {
        let least = (0..readers)
            .min_by_key(|reader| to_read[*reader])
            .unwrap_or_default();
        // Those that are empty are dealt in turn.
        to_read[least] += length(one).0.max(1);
        dealt[least].push(*one);
    }
    dealt
}

/// The partitions could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The broker does not answer, or refuses. The text holds the cause, which the error of the
    /// library repeats as its own source.
    #[error("the broker cannot be asked: {0}")]
    Broker(KafkaError),
    /// A topic is missing.
    #[error("there is no topic `{0}`: create the topics with `fundwatch topics create`")]
    NoTopic(String),
}

impl From<KafkaError> for ListError {
    fn from(error: KafkaError) -> ListError {
        ListError::Broker(error)
    }
}

/// One record as it came.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's bytes; a record without value has none.
    pub bytes: &'a [u8],
}

/// What a poll hands out.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A record.
    Record(Record<'a>),
    /// There is nothing more for now before this offset.
    End {
        /// The feed.
        topic: Topic,
        /// The partition.
        partition: i32,
        /// The offset that the next record will have at least.
        offset: i64,
    },
}

/// Something is wrong that the library does not mend by itself.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The broker does not have the offset that is next.
    #[error(
        "topic `{topic}` partition {partition}: the offset to read on from is not there any more, or the topic was made anew"
    )]
    OffsetGone {
        /// The topic's name on the broker.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// Anything else that a message slot said.
    #[error("topic `{topic}` partition {partition}: {code}")]
    Other {
        /// The topic's name on the broker.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the library says.
        code: String,
    },
}

/// How many messages are taken at a time.
const BATCH: usize = 2048;

/// Reads assigned partitions.
pub struct KafkaReader {
    connection: Connection,
    queue: Queue,
    /// Whose the queue is: fetches as long as it is kept.
    _consumer: BaseConsumer,
    slots: Vec<*mut sys::rd_kafka_message_t>,
}

/// The consumer's queue, given back before the consumer goes.
struct Queue(*mut sys::rd_kafka_queue_t);

// SAFETY: librdkafka's queues may be used from any thread; ours is used by one at a time.
unsafe impl Send for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `rd_kafka_queue_get_consumer` and is given back once.
        unsafe { sys::rd_kafka_queue_destroy(self.0) }
    }
}

impl KafkaReader {
    /// Reads the partitions from the offsets on.
    ///
    /// # Errors
    /// An option is not understood.
    pub fn open(
        connection: &Connection,
        from: &[(Topic, i32, i64)],
    ) -> Result<KafkaReader, KafkaError> {
        let consumer: BaseConsumer = connection.consumer().create()?;
        let mut assignment = TopicPartitionList::new();
        for (topic, partition, offset) in from {
            let name = connection.topic_name(*topic);
            assignment.add_partition_offset(&name, *partition, Offset::Offset(*offset))?;
        }
        consumer.assign(&assignment)?;
        // SAFETY: the handle is alive as long as `consumer`, which goes after the queue.
        let queue =
            Queue(unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) });
        assert!(!queue.0.is_null(), "a consumer has a queue");
        Ok(KafkaReader {
            connection: connection.clone(),
            queue,
            _consumer: consumer,
            slots: vec![ptr::null_mut(); BATCH],
        })
    }

    /// Hands out the records that are there, at most one batch, waiting at most `wait` for the first.
    /// Returns how many there were.
    ///
    /// # Errors
    /// What the library does not mend by itself. Records handed out before are good.
    pub fn poll(
        &mut self,
        wait: Duration,
        mut take: impl FnMut(Event<'_>),
    ) -> Result<usize, ConsumeError> {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: `slots` has room for `BATCH` pointers, and the queue is alive.
        let filled = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.0, wait, self.slots.as_mut_ptr(), BATCH)
        };
        let filled = usize::try_from(filled).unwrap_or(0);
        let mut records = 0;
        let mut failed = None;
        let mut topics = Topics {
            connection: &self.connection,
            last: None,
        };
        for slot in &self.slots[..filled] {
            // SAFETY: the library filled the slot with a message that is ours until it is destroyed,
            // which the guard does exactly once; its payload lives as long.
            let message = Message(unsafe { &mut **slot });
            match message.0.err {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    let Some(topic) = topics.of(message.0.rkt) else {
                        continue;
                    };
                    take(Event::Record(Record {
                        topic,
                        partition: message.0.partition,
                        offset: message.0.offset,
                        bytes: message.payload(),
                    }));
                    records += 1;
                }
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                    let Some(topic) = topics.of(message.0.rkt) else {
                        continue;
                    };
                    take(Event::End {
                        topic,
                        partition: message.0.partition,
                        offset: message.0.offset,
                    });
                }
                code if is_passing(code) => {}
                code => failed = failed.or(Some(self.error(&message, code))),
            }
        }
        failed.map_or(Ok(records), Err)
    }

    fn error(&self, message: &Message<'_>, code: sys::rd_kafka_resp_err_t) -> ConsumeError {
        let partition = message.0.partition;
        let topic = topic_name(message.0.rkt).unwrap_or_default();
        match code {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
            | sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                ConsumeError::OffsetGone { topic, partition }
            }
            code => {
                // SAFETY: the function returns a static text for any code.
                let text = unsafe { CStr::from_ptr(sys::rd_kafka_err2str(code)) };
                ConsumeError::Other {
                    topic,
                    partition,
                    code: text.to_string_lossy().into_owned(),
                }
            }
        }
    }
}

/// What the library retries by itself: a broker that is away, a leader that moves.
fn is_passing(code: sys::rd_kafka_resp_err_t) -> bool {
    use sys::rd_kafka_resp_err_t as code_of;
    matches!(
        code,
        code_of::RD_KAFKA_RESP_ERR__TRANSPORT
            | code_of::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
            | code_of::RD_KAFKA_RESP_ERR__TIMED_OUT
            | code_of::RD_KAFKA_RESP_ERR__RESOLVE
            | code_of::RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
            | code_of::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
            | code_of::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
            | code_of::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE
            | code_of::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR
            | code_of::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH
            | code_of::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH
    )
}

/// A message that is ours, destroyed when it goes.
struct Message<'a>(&'a mut sys::rd_kafka_message_t);

impl Message<'_> {
    fn payload(&self) -> &[u8] {
        if self.0.payload.is_null() {
            return &[];
        }
        // SAFETY: a message's payload has `len` bytes and lives as long as the message.
        unsafe { std::slice::from_raw_parts(self.0.payload.cast::<u8>(), self.0.len) }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: the message came from a batch and is destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.0) }
    }
}

/// Topics by the library's handle: messages of one come in runs.
struct Topics<'a> {
    connection: &'a Connection,
    last: Option<(*mut sys::rd_kafka_topic_t, Option<Topic>)>,
}

impl Topics<'_> {
    fn of(&mut self, handle: *mut sys::rd_kafka_topic_t) -> Option<Topic> {
        if let Some((known, topic)) = self.last
            && known == handle
        {
            return topic;
        }
        let topic = topic_name(handle).and_then(|name| self.connection.topic_of(&name));
        self.last = Some((handle, topic));
        topic
    }
}

fn topic_name(handle: *mut sys::rd_kafka_topic_t) -> Option<String> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: the name of a topic handle is a text that lives as long as the handle.
    let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(handle)) };
    name.to_str().ok().map(str::to_owned)
}

/// Reads a record again, for its bytes; `None` if the broker does not have it any more.
///
/// # Errors
/// The broker does not answer in time.
pub fn read_again(
    connection: &Connection,
    (topic, partition, offset): (Topic, i32, i64),
    within: Duration,
) -> Result<Option<Vec<u8>>, ConsumeError> {
    let found = read_firsts(connection, &[(topic, partition, offset)], within)?;
    Ok(found
        .into_iter()
        .next()
        .flatten()
        .filter(|(found, _)| *found == offset)
        .map(|(_, bytes)| bytes))
}

/// A record's offset and bytes.
pub type FoundRecord = (i64, Vec<u8>);

/// Reads of each partition the first record from an offset on; `None` if there is none, or the
/// offset is out of what the broker has.
///
/// # Errors
/// The broker does not answer in time.
pub fn read_firsts(
    connection: &Connection,
    from: &[(Topic, i32, i64)],
    within: Duration,
) -> Result<Vec<Option<FoundRecord>>, ConsumeError> {
    let failed = |topic: Topic, partition, code: &dyn std::fmt::Display| ConsumeError::Other {
        topic: connection.topic_name(topic),
        partition,
        code: code.to_string(),
    };
    let Some(&(topic, partition, _)) = from.first() else {
        return Ok(Vec::new());
    };
    let mut reader =
        KafkaReader::open(connection, from).map_err(|error| failed(topic, partition, &error))?;
    let mut found: BTreeMap<(Topic, i32), Option<FoundRecord>> = BTreeMap::new();
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(20);
    while found.len() < from.len() {
        let polled = reader.poll(step, |event| match event {
            Event::Record(record) => {
                found
                    .entry((record.topic, record.partition))
                    .or_insert_with(|| Some((record.offset, record.bytes.to_vec())));
            }
            Event::End {
                topic, partition, ..
            } => {
                found.entry((topic, partition)).or_insert(None);
            }
        });
        match polled {
            Ok(_) => waited += step,
            Err(ConsumeError::OffsetGone { topic, partition }) => {
                let topic = connection.topic_of(&topic).unwrap_or(from[0].0);
                found.entry((topic, partition)).or_insert(None);
            }
            Err(error) => return Err(error),
        }
        if within < waited {
            return Err(failed(topic, partition, &"no record came in time"));
        }
    }
    Ok(from
        .iter()
        .map(|(topic, partition, _)| found.remove(&(*topic, *partition)).flatten())
        .collect())
}
