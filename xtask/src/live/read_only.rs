//! The yardstick: the same topics, read by the same reader with the same settings, and thrown away: what any program
//! costs that reads them with librdkafka, on processors that the broker has a part of.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use ingest::kafka::{self, Connection, Event, KafkaReader};

/// For anything that a machine with much else to do still manages.
const LIMIT: Duration = Duration::from_secs(300);
/// The broker answers at once; this is for one that is busy.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Reads all there is on the topics on so many threads, and says how many seconds that took.
pub fn read(bootstrap: &str, prefix: &str, threads: usize) -> Result<f64> {
    let connection = Connection {
        bootstrap: bootstrap.to_owned(),
        prefix: prefix.to_owned(),
        ..Connection::default()
    };
    let started = Instant::now();
    let partitions = kafka::partitions(&connection, ANSWERS_WITHIN)?;
    let dealt = kafka::deal(&partitions, threads, |one| {
        (one.high - one.low, one.topic, one.partition)
    });
    std::thread::scope(|scope| {
        let readers: Vec<_> = dealt
            .iter()
            .map(|mine| scope.spawn(|| drain(&connection, mine)))
            .collect();
        readers.into_iter().try_for_each(|reader| {
            let done = reader.join().map_err(|_| anyhow!("a reader failed"));
            done.flatten()
        })
    })?;
    Ok(started.elapsed().as_secs_f64())
}

fn drain(connection: &Connection, partitions: &[kafka::Partition]) -> Result<()> {
    let from: Vec<_> = partitions
        .iter()
        .map(|one| (one.topic, one.partition, one.low))
        .collect();
    let mut left: i64 = partitions.iter().map(|one| one.high - one.low).sum();
    let mut reader = KafkaReader::open(connection, &from)?;
    let deadline = Instant::now() + LIMIT;
    while left > 0 {
        reader
            .poll(Duration::from_millis(10), |event| {
                if let Event::Record(record) = event {
                    black_box(record.bytes);
                    left -= 1;
                }
            })
            .context("reading the topics")?;
        ensure!(Instant::now() < deadline, "not read after {LIMIT:?}");
    }
    Ok(())
}
