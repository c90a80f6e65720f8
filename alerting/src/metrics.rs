//! What Prometheus sees: counted from committed rows, in labels of closed lists only.
//!
//! No label ever holds a person, an enterprise, an alert's id or a text from the feeds, so that the
//! number of series depends on the pool's regions alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{BusinessDate, Detector, Severity, State, Topic};
use jiff::Timestamp;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::batch::{FeedAsOf, FeedTotals};
use crate::life::EventKind;
use crate::store::{Channel, Committed, Reader, Store, StoreError, Tallies};

/// Seconds, a bucket at the goal of 250 ms among them.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Days from 1900-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 25_567;
/// Scrapes in quick succession are given the same text.
const FRESH: Duration = Duration::from_secs(1);

/// All metrics of the program, `fundwatch_*`. Cheap to update from any thread.
pub struct Metrics {
    registry: Registry,
    records: IntCounterVec,
    alerts: IntGaugeVec,
    open_yuan: GaugeVec,
    events: IntCounterVec,
    dead_letters: IntCounterVec,
    as_of: GaugeVec,
    epoch: Gauge,
    commit_seconds: Histogram,
    detect_seconds: Histogram,
    commits_failed: IntCounter,
    outbox_pending: IntGaugeVec,
    outbox_oldest: GaugeVec,
    mails: IntCounterVec,
    mails_failed: IntGaugeVec,
    published: IntCounterVec,
    publish_failures: IntCounter,
    /// The last totals of each partition.
    totals: Mutex<BTreeMap<(Topic, i32), [u64; 3]>>,
}

/// What becomes of an attempt to send a mail, in `fundwatch_mails_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailResult {
    /// Taken by the server.
    Sent,
    /// To be tried again.
    Retried,
    /// Refused for good.
    Failed,
}

impl MailResult {
    const fn as_str(self) -> &'static str {
        match self {
            MailResult::Sent => "sent",
            MailResult::Retried => "retried",
            MailResult::Failed => "failed",
        }
    }
}

const RESULTS: [&str; 3] = ["accepted", "redelivered", "rejected"];

impl Metrics {
    /// All metrics at zero. `version` and `revision` are those of the program.
    ///
    /// # Panics
    /// If two metrics have one name, which a test rules out.
    pub fn new(version: &str, revision: &str) -> Metrics {
        Metrics::register(version, revision).expect("metrics have valid names, each its own")
    }

    fn register(version: &str, revision: &str) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let build = IntGaugeVec::new(
            opts("build_info", "Always 1: which program this is."),
            &["version", "revision"],
        )?;
        build.with_label_values(&[version, revision]).set(1);
        registry.register(Box::new(build))?;
        let metrics = Metrics {
            records: counters(
                &registry,
                "feed_records_total",
                "Records read since the start of the feeds, by what became of them.",
                &["topic", "result"],
            )?,
            alerts: gauges(
                &registry,
                "alerts",
                "Alerts that are stored and not withdrawn.",
                &["detector", "severity", "state"],
            )?,
            open_yuan: amounts(
                &registry,
                "alerts_open_yuan",
                "Money at stake in open alerts. For looking: the exact amounts are in the store.",
                &["detector", "region"],
            )?,
            events: counters(
                &registry,
                "alert_events_total",
                "Tellings of alerts ever, by kind.",
                &["kind"],
            )?,
            dead_letters: counters(
                &registry,
                "dead_letters_total",
                "Records that could not be accepted, by reason.",
                &["topic", "reason"],
            )?,
            as_of: amounts(
                &registry,
                "as_of_timestamp_seconds",
                "The date of the last day close of a region's feed, as seconds since 1970.",
                &["topic", "region"],
            )?,
            epoch: Gauge::with_opts(opts("epoch", "The epoch that was committed last."))?,
            commit_seconds: histogram("commit_seconds", "Time to commit an epoch to the store.")?,
            detect_seconds: histogram(
                "epoch_detect_seconds",
                "Time from an epoch's first record to its batch of changes.",
            )?,
            commits_failed: IntCounter::with_opts(opts(
                "commit_failures_total",
                "Commits that failed and were tried again, e.g. on a full disk.",
            ))?,
            outbox_pending: gauges(
                &registry,
                "outbox_pending",
                "Rows that wait to leave the store.",
                &["channel"],
            )?,
            outbox_oldest: amounts(
                &registry,
                "outbox_oldest_seconds",
                "Age of the oldest row that waits; 0 if none does.",
                &["channel"],
            )?,
            mails: counters(
                &registry,
                "mails_total",
                "Attempts to send a mail since the start of the process.",
                &["result"],
            )?,
            mails_failed: gauges(
                &registry,
                "mails_refused",
                "Mails that were given up since the receiving side refused them for good.",
                &[],
            )?,
            published: counters(
                &registry,
                "published_total",
                "Records that the brokers acknowledged since the start of the process.",
                &["channel"],
            )?,
            publish_failures: IntCounter::with_opts(opts(
                "publish_failures_total",
                "Batches of which the brokers did not acknowledge everything.",
            ))?,
            totals: Mutex::default(),
            registry,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.epoch.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.detect_seconds.clone()))?;
        registry.register(Box::new(metrics.commits_failed.clone()))?;
        registry.register(Box::new(metrics.publish_failures.clone()))?;
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// Series that are there from the start, so that the first event is seen as a change.
    fn begin_at_zero(&self) {
        for topic in Topic::ALL {
            for result in RESULTS {
                self.records.with_label_values(&[topic.as_str(), result]);
            }
        }
        for detector in Detector::ALL {
            for severity in Severity::ALL {
                for state in [State::Open, State::Cleared] {
                    self.alerts.with_label_values(&[
                        detector.as_str(),
                        severity.as_str(),
                        state.as_str(),
                    ]);
                }
            }
        }
        for kind in EventKind::ALL {
            self.events.with_label_values(&[kind.as_str()]);
        }
        for channel in Channel::ALL {
            self.outbox_pending.with_label_values(&[channel.as_str()]);
            self.outbox_oldest.with_label_values(&[channel.as_str()]);
        }
        for result in [MailResult::Sent, MailResult::Retried, MailResult::Failed] {
            self.mails.with_label_values(&[result.as_str()]);
        }
    }

    /// Takes over what an earlier process committed.
    pub fn restore(&self, store: &Store) -> Result<(), StoreError> {
        self.feeds(&store.feed_totals()?);
        self.as_of(&store.feed_as_of()?);
        self.tallies(store.tallies());
        Ok(())
    }

    /// An epoch was committed, `seconds` after the attempt began.
    pub fn committed(
        &self,
        committed: &Committed,
        totals: &[FeedTotals],
        as_of: &[FeedAsOf],
        tallies: &Tallies,
        took: Duration,
    ) {
        self.feeds(totals);
        self.as_of(as_of);
        self.tallies(tallies);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge; epochs stay far below 2^53"
        )]
        self.epoch.set(committed.epoch as f64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A commit failed and will be tried again.
    pub fn commit_failed(&self) {
        self.commits_failed.inc();
    }

    /// The detectors were done with an epoch.
    pub fn detected(&self, took: Duration) {
        self.detect_seconds.observe(took.as_secs_f64());
    }

    /// A mail was tried.
    pub fn mailed(&self, result: MailResult) {
        self.mails.with_label_values(&[result.as_str()]).inc();
    }

    /// The brokers acknowledged so many alerts and dead letters.
    pub(crate) fn published(&self, alerts: u64, dead_letters: u64) {
        for (channel, count) in [
            (Channel::AlertsTopic, alerts),
            (Channel::DeadLetterTopic, dead_letters),
        ] {
            self.published
                .with_label_values(&[channel.as_str()])
                .inc_by(count);
        }
    }

    /// The brokers did not acknowledge everything.
    pub(crate) fn publish_failed(&self) {
        self.publish_failures.inc();
    }

    /// Everything in the text format.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// For metrics of other parts of the program; their names begin with `fundwatch_`, too.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    fn feeds(&self, totals: &[FeedTotals]) {
        let mut known = lock(&self.totals);
        for feed in totals {
            let rejected = feed.rejected.values().sum();
            let now = [feed.accepted, feed.redelivered, rejected];
            let before = known.entry((feed.topic, feed.partition)).or_default();
            for ((result, now), before) in RESULTS.iter().zip(now).zip(before) {
                // Counts begin anew where the feeds are read anew, and a counter never falls.
                self.records
                    .with_label_values(&[feed.topic.as_str(), *result])
                    .inc_by(now.saturating_sub(*before));
                *before = now.max(*before);
            }
        }
    }

    fn as_of(&self, feeds: &[FeedAsOf]) {
        for feed in feeds {
            self.as_of
                .with_label_values(&[feed.topic.as_str(), feed.region.as_str()])
                .set(seconds_of(feed.closed));
        }
    }

    fn tallies(&self, tallies: &Tallies) {
        for ((detector, severity, state), &count) in &tallies.alerts {
            self.alerts
                .with_label_values(&[detector.as_str(), severity.as_str(), state.as_str()])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for ((detector, region), &fen) in &tallies.open_fen {
            self.open_yuan
                .with_label_values(&[detector.as_str(), region.as_str()])
                .set(yuan_of(fen));
        }
        for (kind, &count) in &tallies.events {
            raise(&self.events.with_label_values(&[kind.as_str()]), count);
        }
        for ((topic, reason), &count) in &tallies.dead_letters {
            let counter = self
                .dead_letters
                .with_label_values(&[topic.as_str(), reason]);
            raise(&counter, count);
        }
    }

    fn outboxes(&self, reader: &Reader, now: Timestamp) -> Result<(), StoreError> {
        for channel in Channel::ALL {
            let outbox = reader.outbox(channel)?;
            let age = outbox.oldest.map_or(0.0, |since| {
                now.duration_since(since).as_secs_f64().max(0.0)
            });
            let labels = &[channel.as_str()];
            self.outbox_pending
                .with_label_values(labels)
                .set(i64::try_from(outbox.pending).unwrap_or(i64::MAX));
            self.outbox_oldest.with_label_values(labels).set(age);
            if channel == Channel::Mail {
                self.mails_failed
                    .with_label_values(&[] as &[&str])
                    .set(i64::try_from(outbox.failed).unwrap_or(i64::MAX));
            }
        }
        Ok(())
    }
}

/// What a scrape is given: the metrics, and the outboxes as they are then.
pub struct Exporter {
    metrics: std::sync::Arc<Metrics>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    scrape: Mutex<Scrape>,
}

struct Scrape {
    reader: Reader,
    last: Option<(Instant, String)>,
}

/// Why a scrape is given nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The metrics cannot be written.
    #[error("the metrics could not be written")]
    Encode(#[from] prometheus::Error),
}

impl Exporter {
    /// Exports `metrics`, and the outboxes of the store at `store`. `clock` is the wall clock.
    pub fn new(
        metrics: std::sync::Arc<Metrics>,
        store: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Exporter, StoreError> {
        Ok(Exporter {
            metrics,
            clock: Box::new(clock),
            scrape: Mutex::new(Scrape {
                reader: Reader::open(store)?,
                last: None,
            }),
        })
    }

    /// The text of a scrape. Reads the store: not to be called on a thread that must not block.
    pub fn scrape(&self) -> Result<String, ExportError> {
        let mut scrape = lock(&self.scrape);
        if let Some((made, text)) = &scrape.last
            && made.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        self.metrics.outboxes(&scrape.reader, (self.clock)())?;
        let text = self.metrics.encode()?;
        scrape.last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lifts a counter to a count that is kept elsewhere.
fn raise(counter: &IntCounter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a metric is a float; to the fen below 9e13 yuan, and for looking only"
)]
fn yuan_of(fen: i128) -> f64 {
    fen as f64 / 100.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds of 300 years stay far below 2^53"
)]
fn seconds_of(date: BusinessDate) -> f64 {
    ((i64::from(date.days()) - DAYS_TO_1970) * 86_400) as f64
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("fundwatch")
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    let metric = IntCounterVec::new(opts(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    let metric = IntGaugeVec::new(opts(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn amounts(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<GaugeVec> {
    let metric = GaugeVec::new(opts(name, help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(name: &str, help: &str) -> prometheus::Result<Histogram> {
    let opts = HistogramOpts::new(name, help).namespace("fundwatch");
    Histogram::with_opts(opts.buckets(SECONDS.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::DeadLetter;
    use crate::identity::AlertIdentity;
    use crate::test_kit::{arrears, batch, day, now, recipient, region, routing, update};
    use std::sync::Arc;

    #[test]
    fn a_scrape_tells_what_is_committed() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("fund.db");
        let mut store = Store::open(&path, &AlertIdentity::default()).unwrap();
        let metrics = Arc::new(Metrics::new("0.1.0", "abc"));
        let mut batch = batch(7, [update(arrears(1, 100)), update(arrears(2, 20))]);
        batch.dead_letters.push(DeadLetter {
            topic: Topic::CivilDeath,
            position: "0:1".into(),
            reason: "bad-date".into(),
            field: None,
            raw: Vec::new(),
        });
        batch.feeds = [(0, 10), (1, 5)]
            .map(|(partition, read)| FeedTotals {
                topic: Topic::CivilDeath,
                partition,
                read,
                accepted: read - 1,
                redelivered: 0,
                rejected: BTreeMap::from([("bad-date".to_owned(), 1)]),
            })
            .to_vec();
        batch.as_of.push(FeedAsOf {
            topic: Topic::CivilDeath,
            region: region("341002"),
            closed: day("1970-01-02"),
        });
        let routing = routing([recipient("li@example.org")]);
        for _ in 0..2 {
            let committed = store.commit(&batch, &routing, now()).unwrap();
            let (totals, as_of) = (&batch.feeds, &batch.as_of);
            let took = Duration::from_millis(3);
            metrics.committed(&committed, totals, as_of, store.tallies(), took);
        }
        let clock = || now() + Duration::from_secs(90);
        let text = Exporter::new(Arc::clone(&metrics), &path, clock)
            .unwrap()
            .scrape()
            .unwrap();
        for line in [
            "fundwatch_alerts{detector=\"arrears\",severity=\"blue\",state=\"open\"} 2",
            "fundwatch_alerts{detector=\"undeclared\",severity=\"red\",state=\"open\"} 0",
            "fundwatch_alerts_open_yuan{detector=\"arrears\",region=\"341002\"} 120",
            "fundwatch_alert_events_total{kind=\"raised\"} 2",
            "fundwatch_dead_letters_total{reason=\"bad-date\",topic=\"civil.death\"} 1",
            "fundwatch_feed_records_total{result=\"accepted\",topic=\"civil.death\"} 13",
            "fundwatch_feed_records_total{result=\"rejected\",topic=\"civil.death\"} 2",
            "fundwatch_as_of_timestamp_seconds{region=\"341002\",topic=\"civil.death\"} 86400",
            "fundwatch_outbox_pending{channel=\"mail\"} 2",
            "fundwatch_outbox_oldest_seconds{channel=\"mail\"} 90",
            "fundwatch_outbox_oldest_seconds{channel=\"alerts_topic\"} 90",
            "fundwatch_commit_seconds_count 2",
            "fundwatch_epoch 7",
            "fundwatch_build_info{revision=\"abc\",version=\"0.1.0\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        // A new process takes over.
        let next = Metrics::new("0.1.0", "abc");
        next.restore(&store).unwrap();
        let text = next.encode().unwrap();
        assert!(text.contains("topic=\"civil.death\"} 13"), "{text}");
        assert!(text.contains("kind=\"raised\"} 2"), "{text}");
    }

    #[test]
    fn series_depend_on_nothing_but_regions() {
        let text = Metrics::new("0.1.0", "abc").encode().unwrap();
        let series = text.lines().filter(|l| l.starts_with("fundwatch_")).count();
        // 5 x 3 records, 11 x 4 x 2 alerts, and the rest: about 150 before any region is known.
        assert!(series < 200, "{series}");
    }
}
