//! What Prometheus sees: counted from committed rows, in labels of closed lists only.
//!
//! Names, meanings and labels are those of the catalogue. No label ever holds a person, an
//! enterprise, an alert's id or a text from the feeds, so that the number of series depends on the
//! pool's regions alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalogue::{Metric, SECONDS};
use domain::{BusinessDate, Detector, RegionCode, Severity, State, Topic};
use jiff::Timestamp;
use ledger::Sample;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::batch::{EpochBatch, FeedAsOf, FeedTotals, PartitionOffset};
use crate::life::EventKind;
use crate::store::{Channel, Committed, Reader, Store, StoreError, Tallies};

/// Days from 1900-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 25_567;
/// Scrapes in quick succession are given the same text.
const FRESH: Duration = Duration::from_secs(1);

/// All metrics of the program, `fundwatch_*`. Cheap to update from any thread.
pub struct Metrics {
    registry: Registry,
    ready: IntGauge,
    regions: IntGaugeVec,
    calendar_end: Gauge,
    present: Gauge,
    records: IntCounterVec,
    last_record: GaugeVec,
    lag: IntGaugeVec,
    dead_letters: IntCounterVec,
    as_of: GaugeVec,
    alerts_open: IntGaugeVec,
    alerts_cleared: IntGaugeVec,
    open_yuan: GaugeVec,
    events: IntCounterVec,
    decisions: IntGaugeVec,
    epoch: Gauge,
    last_commit: Gauge,
    commit_seconds: Histogram,
    record_seconds: Histogram,
    commits_failed: IntCounter,
    log_left_out: IntCounter,
    state_loaded: IntGauge,
    state_damaged: IntGauge,
    state_sync_seconds: Histogram,
    outbox_pending: IntGaugeVec,
    outbox_oldest: GaugeVec,
    mails: IntCounterVec,
    mails_refused: IntGauge,
    notices: IntGauge,
    posts: IntCounterVec,
    pushes: IntCounterVec,
    published: IntCounterVec,
    publish_failures: IntCounter,
    reload_good: IntGauge,
    http_requests: IntCounterVec,
    http_request_seconds: Histogram,
    store_bytes: IntGauge,
    store_free_bytes: IntGauge,
    /// What the ledger shows, by name.
    fund: BTreeMap<&'static str, GaugeVec>,
    feeds: Mutex<BTreeMap<(Topic, i32), FeedState>>,
}

/// How far a partition was when it was last counted.
#[derive(Default)]
struct FeedState {
    /// Records by what became of them, in the order of [`RESULTS`].
    totals: [u64; 3],
    /// The first offset that is not committed.
    next_offset: i64,
}

/// What a commit is measured by.
#[derive(Clone, Copy, Debug)]
pub struct CommitTimes {
    /// When it was done.
    pub at: Timestamp,
    /// How long the store took.
    pub took: Duration,
    /// How long ago the epoch's first record was read; `None` of an epoch that had none, or of the
    /// backlog at the start.
    pub since_first_record: Option<Duration>,
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

/// What becomes of an attempt to tell a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostResult {
    /// Acknowledged.
    Taken,
    /// To be tried again.
    Retried,
    /// Refused for good.
    Refused,
}

impl PostResult {
    const fn as_str(self) -> &'static str {
        match self {
            PostResult::Taken => "taken",
            PostResult::Retried => "retried",
            PostResult::Refused => "refused",
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
        let to = &registry;
        gauges(to, &catalogue::BUILD_INFO)?
            .with_label_values(&[version, revision])
            .set(1);
        let metrics = Metrics {
            ready: register(to, IntGauge::with_opts(opts(&catalogue::READY)))?,
            regions: gauges(to, &catalogue::REGION_INFO)?,
            calendar_end: register(to, Gauge::with_opts(opts(&catalogue::CALENDAR_END)))?,
            present: register(to, Gauge::with_opts(opts(&catalogue::PRESENT)))?,
            records: counters(to, &catalogue::FEED_RECORDS)?,
            last_record: amounts(to, &catalogue::FEED_LAST_RECORD)?,
            lag: gauges(to, &catalogue::FEED_LAG)?,
            dead_letters: counters(to, &catalogue::DEAD_LETTERS)?,
            as_of: amounts(to, &catalogue::AS_OF)?,
            alerts_open: gauges(to, &catalogue::ALERTS_OPEN)?,
            alerts_cleared: gauges(to, &catalogue::ALERTS_CLEARED)?,
            open_yuan: amounts(to, &catalogue::ALERTS_OPEN_YUAN)?,
            events: counters(to, &catalogue::ALERT_EVENTS)?,
            decisions: gauges(to, &catalogue::CONSOLE_DECISIONS)?,
            epoch: register(to, Gauge::with_opts(opts(&catalogue::EPOCH)))?,
            last_commit: register(to, Gauge::with_opts(opts(&catalogue::LAST_COMMIT)))?,
            commit_seconds: histogram(to, &catalogue::COMMIT_SECONDS)?,
            record_seconds: histogram(to, &catalogue::RECORD_SECONDS)?,
            commits_failed: register(to, IntCounter::with_opts(opts(&catalogue::COMMIT_FAILURES)))?,
            log_left_out: register(to, IntCounter::with_opts(opts(&catalogue::LOG_LEFT_OUT)))?,
            state_loaded: register(to, IntGauge::with_opts(opts(&catalogue::STATE_LOADED)))?,
            state_damaged: register(to, IntGauge::with_opts(opts(&catalogue::STATE_DAMAGED)))?,
            state_sync_seconds: histogram(to, &catalogue::STATE_SYNC_SECONDS)?,
            outbox_pending: gauges(to, &catalogue::OUTBOX_PENDING)?,
            outbox_oldest: amounts(to, &catalogue::OUTBOX_OLDEST)?,
            mails: counters(to, &catalogue::MAILS)?,
            mails_refused: register(to, IntGauge::with_opts(opts(&catalogue::MAILS_REFUSED)))?,
            published: counters(to, &catalogue::PUBLISHED)?,
            publish_failures: register(
                to,
                IntCounter::with_opts(opts(&catalogue::PUBLISH_FAILURES)),
            )?,
            http_requests: counters(to, &catalogue::HTTP_REQUESTS)?,
            http_request_seconds: histogram(to, &catalogue::HTTP_REQUEST_SECONDS)?,
            store_bytes: register(to, IntGauge::with_opts(opts(&catalogue::STORE_BYTES)))?,
            store_free_bytes: register(
                to,
                IntGauge::with_opts(opts(&catalogue::STORE_FREE_BYTES)),
            )?,
            reload_good: register(
                to,
                IntGauge::with_opts(opts(&catalogue::CONFIG_LAST_RELOAD_SUCCESSFUL)),
            )?,
            fund: ledger::METRICS
                .iter()
                .map(|metric| Ok((metric.name, amounts(to, metric)?)))
                .collect::<prometheus::Result<_>>()?,
            notices: register(to, IntGauge::with_opts(opts(&catalogue::NOTICES_WAITING)))?,
            posts: counters(to, &catalogue::WEBHOOK_POSTS)?,
            pushes: counters(to, &catalogue::ALERTMANAGER_PUSHES)?,
            feeds: Mutex::default(),
            registry,
        };
        metrics.reload_good.set(1);
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
            self.alerts_cleared.with_label_values(&[detector.as_str()]);
        }
        for kind in EventKind::ALL {
            self.events.with_label_values(&[kind.as_str()]);
        }
        for channel in Channel::ALL {
            self.outbox_pending.with_label_values(&[channel.as_str()]);
            self.outbox_oldest.with_label_values(&[channel.as_str()]);
        }
        for channel in [Channel::AlertsTopic, Channel::DeadLetterTopic] {
            self.published.with_label_values(&[channel.as_str()]);
        }
        for result in [MailResult::Sent, MailResult::Retried, MailResult::Failed] {
            self.mails.with_label_values(&[result.as_str()]);
        }
        for result in [PostResult::Taken, PostResult::Retried, PostResult::Refused] {
            self.posts.with_label_values(&[result.as_str()]);
        }
        for result in [PostResult::Taken, PostResult::Retried] {
            self.pushes.with_label_values(&[result.as_str()]);
        }
    }

    /// The regions of the pool with their names, and the last day that the policy's calendar knows.
    /// Alerts of these regions are there from now on, none being open.
    pub fn pool<'a>(
        &self,
        regions: impl IntoIterator<Item = (RegionCode, &'a str)>,
        calendar_end: Option<BusinessDate>,
    ) {
        for (region, name) in regions {
            self.regions
                .with_label_values(&[region.as_str(), name])
                .set(1);
            for detector in Detector::ALL {
                self.open_yuan
                    .with_label_values(&[detector.as_str(), region.as_str()]);
                for severity in Severity::ALL {
                    self.alerts_open.with_label_values(&[
                        detector.as_str(),
                        region.as_str(),
                        severity.as_str(),
                    ]);
                }
            }
        }
        if let Some(end) = calendar_end {
            self.calendar_end.set(seconds_of(end));
        }
    }

    /// Takes over what an earlier process committed.
    pub fn restore(&self, store: &Store) -> Result<(), StoreError> {
        self.feeds(&store.feed_totals()?, None);
        self.as_of(&store.feed_as_of()?);
        self.tallies(store.tallies());
        if let Some(present) = store.present()? {
            self.present.set(seconds_of(present));
        }
        Ok(())
    }

    /// An epoch was committed.
    pub fn committed(
        &self,
        committed: &Committed,
        batch: &EpochBatch,
        tallies: &Tallies,
        times: CommitTimes,
    ) {
        self.feeds(&batch.feeds, Some(times.at));
        self.offsets(&batch.offsets);
        self.as_of(&batch.as_of);
        self.tallies(tallies);
        if let Some(present) = batch.present {
            self.present.set(seconds_of(present));
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge; epochs stay far below 2^53"
        )]
        self.epoch.set(committed.epoch as f64);
        self.last_commit.set(seconds_at(times.at));
        self.commit_seconds.observe(times.took.as_secs_f64());
        if let Some(since) = times.since_first_record {
            self.record_seconds.observe(since.as_secs_f64());
        }
    }

    /// The configuration was read anew, and was good or not.
    pub fn reloaded(&self, good: bool) {
        self.reload_good.set(i64::from(good));
    }

    /// A commit failed and will be tried again.
    pub fn commit_failed(&self) {
        self.commits_failed.inc();
    }

    /// So many lines of the log found no room since the start.
    pub fn log_left_out(&self, lines: u64) {
        raise(&self.log_left_out, lines);
    }

    /// How far the broker's partitions go: `(topic, partition, first offset that is not there)`.
    pub fn ends(&self, ends: impl IntoIterator<Item = (Topic, i32, i64)>) {
        let feeds = lock(&self.feeds);
        for (topic, partition, end) in ends {
            let next = feeds
                .get(&(topic, partition))
                .map_or(0, |feed| feed.next_offset);
            self.lag
                .with_label_values(&[topic.as_str(), &partition.to_string()])
                .set(end.saturating_sub(next).max(0));
        }
    }

    /// What the state on disk was found to be when the program started.
    pub fn state_found(&self, facts: u64, is_damaged: bool) {
        self.state_loaded
            .set(i64::try_from(facts).unwrap_or(i64::MAX));
        self.state_damaged.set(i64::from(is_damaged));
    }

    /// What was read is durable on disk.
    pub fn state_synced(&self, took: Duration) {
        self.state_sync_seconds.observe(took.as_secs_f64());
    }

    /// The fund's figures; what is not among them any more is not shown any more.
    pub fn fund(&self, samples: &[Sample]) {
        for gauge in self.fund.values() {
            gauge.reset();
        }
        for sample in samples {
            let labels: Vec<&str> = sample.labels.iter().map(String::as_str).collect();
            if let (Some(gauge), Ok(value)) =
                (self.fund.get(sample.metric.name), sample.value.parse())
            {
                gauge.with_label_values(&labels).set(value);
            }
        }
    }

    /// How many decisions of the console say of a detector that it was right to ask, that it was not, or neither.
    pub fn decided(&self, detector: Detector, counts: [u64; 3]) {
        for (result, count) in ["hit", "miss", "neither"].into_iter().zip(counts) {
            self.decisions
                .with_label_values(&[detector.as_str(), result])
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A mail was tried.
    pub fn mailed(&self, result: MailResult) {
        self.mails.with_label_values(&[result.as_str()]).inc();
    }

    /// A webhook was tried.
    pub(crate) fn posted(&self, result: PostResult) {
        self.posts.with_label_values(&[result.as_str()]).inc();
    }

    /// An Alertmanager was tried.
    pub(crate) fn pushed(&self, result: PostResult) {
        self.pushes.with_label_values(&[result.as_str()]).inc();
    }

    /// A request was answered. `route` is the template of the page's address, never the address itself.
    pub(crate) fn answered(&self, route: &str, code: u16, took: Duration) {
        self.http_requests
            .with_label_values(&[route, &code.to_string()])
            .inc();
        self.http_request_seconds.observe(took.as_secs_f64());
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

    /// For metrics of other parts of the program; their names begin with `fundwatch_`, too, and
    /// are in the catalogue.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// `at` is when the records were committed, if that was by this process.
    fn feeds(&self, totals: &[FeedTotals], at: Option<Timestamp>) {
        let mut known = lock(&self.feeds);
        for feed in totals {
            let rejected = feed.rejected.values().sum();
            let now = [feed.accepted, feed.redelivered, rejected];
            let before = &mut known
                .entry((feed.topic, feed.partition))
                .or_default()
                .totals;
            for ((result, now), before) in RESULTS.iter().zip(now).zip(before) {
                // Counts begin anew where the feeds are read anew, and a counter never falls.
                self.records
                    .with_label_values(&[feed.topic.as_str(), *result])
                    .inc_by(now.saturating_sub(*before));
                *before = now.max(*before);
            }
            if let Some(at) = at
                && feed.read > 0
            {
                self.last_record
                    .with_label_values(&[feed.topic.as_str()])
                    .set(seconds_at(at));
            }
        }
    }

    fn offsets(&self, offsets: &[PartitionOffset]) {
        let mut known = lock(&self.feeds);
        for offset in offsets {
            let key = (offset.topic, offset.partition);
            known.entry(key).or_default().next_offset = offset.next_offset;
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
        let mut cleared: BTreeMap<Detector, u64> = BTreeMap::new();
        for (&(detector, region, severity, state), &count) in &tallies.alerts {
            match state {
                State::Open => self
                    .alerts_open
                    .with_label_values(&[detector.as_str(), region.as_str(), severity.as_str()])
                    .set(whole(count)),
                State::Cleared => *cleared.entry(detector).or_default() += count,
            }
        }
        for (detector, count) in cleared {
            self.alerts_cleared
                .with_label_values(&[detector.as_str()])
                .set(whole(count));
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
        self.notices.set(whole(reader.notices()?));
        for channel in Channel::ALL {
            let outbox = reader.outbox(channel)?;
            let age = outbox.oldest.map_or(0.0, |since| {
                now.duration_since(since).as_secs_f64().max(0.0)
            });
            let labels = &[channel.as_str()];
            self.outbox_pending
                .with_label_values(labels)
                .set(whole(outbox.pending));
            self.outbox_oldest.with_label_values(labels).set(age);
            if channel == Channel::Mail {
                self.mails_refused.set(whole(outbox.failed));
            }
        }
        Ok(())
    }

    /// A file that cannot be asked keeps its last size: a scrape is not to fail for it.
    fn disk(&self, store: &Path) {
        let files = ["", "-wal", "-shm"].map(|suffix| {
            let mut name = store.as_os_str().to_owned();
            name.push(suffix);
            let file = std::fs::metadata(name)
                .ok()
                .filter(std::fs::Metadata::is_file);
            file.map_or(0, |file| file.len())
        });
        self.store_bytes.set(whole(files.iter().sum()));
        if let Ok(disk) = rustix::fs::statvfs(store) {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            self.store_free_bytes.set(whole(free));
        }
    }
}

/// What a scrape is given: the metrics, and the outboxes as they are then.
pub struct Exporter {
    metrics: Arc<Metrics>,
    /// The store, or what else is on the disk that is looked at.
    disk: PathBuf,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    scrape: Mutex<Scrape>,
}

struct Scrape {
    /// `None` where there is no store.
    reader: Option<Reader>,
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
        metrics: Arc<Metrics>,
        store: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Exporter, StoreError> {
        let reader = Some(Reader::open(store)?);
        Ok(Exporter {
            metrics,
            disk: store.to_owned(),
            clock: Box::new(clock),
            scrape: Mutex::new(Scrape { reader, last: None }),
        })
    }

    /// Exports `metrics` of a process that has no store, but something else on the disk at `disk`.
    pub fn without_store(
        metrics: Arc<Metrics>,
        disk: &Path,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Exporter {
        Exporter {
            metrics,
            disk: disk.to_owned(),
            clock: Box::new(clock),
            scrape: Mutex::new(Scrape {
                reader: None,
                last: None,
            }),
        }
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The text of a scrape; `is_ready` is what `/readyz` says. Reads the store: not to be called on a
    /// thread that must not block.
    pub fn scrape(&self, is_ready: bool) -> Result<String, ExportError> {
        let mut scrape = lock(&self.scrape);
        if let Some((made, text)) = &scrape.last
            && made.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        self.metrics.ready.set(i64::from(is_ready));
        if let Some(reader) = &scrape.reader {
            self.metrics.outboxes(reader, (self.clock)())?;
        }
        self.metrics.disk(&self.disk);
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

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a metric is a float; to the microsecond for ages to come"
)]
fn seconds_at(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn labels(metric: &Metric) -> Vec<&'static str> {
    metric.labels.iter().map(|label| label.as_str()).collect()
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(registry: &Registry, metric: &Metric) -> prometheus::Result<IntCounterVec> {
    register(registry, IntCounterVec::new(opts(metric), &labels(metric)))
}

fn gauges(registry: &Registry, metric: &Metric) -> prometheus::Result<IntGaugeVec> {
    register(registry, IntGaugeVec::new(opts(metric), &labels(metric)))
}

fn amounts(registry: &Registry, metric: &Metric) -> prometheus::Result<GaugeVec> {
    register(registry, GaugeVec::new(opts(metric), &labels(metric)))
}

fn histogram(registry: &Registry, metric: &Metric) -> prometheus::Result<Histogram> {
    let opts = HistogramOpts::new(metric.name, metric.help).buckets(SECONDS.to_vec());
    register(registry, Histogram::with_opts(opts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::DeadLetter;
    use crate::identity::AlertIdentity;
    use crate::test_kit::{arrears, batch, day, now, recipient, region, routing, update};

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
        batch.offsets = [(0, 10), (1, 5)]
            .map(|(partition, next_offset)| PartitionOffset {
                topic: Topic::CivilDeath,
                partition,
                next_offset,
            })
            .to_vec();
        batch.present = Some(day("1970-01-03"));
        let routing = routing([recipient("li@example.org")]);
        for _ in 0..2 {
            let committed = store.commit(&batch, &routing, now()).unwrap();
            let times = CommitTimes {
                at: now(),
                took: Duration::from_millis(3),
                since_first_record: Some(Duration::from_millis(30)),
            };
            metrics.committed(&committed, &batch, store.tallies(), times);
        }
        metrics.pool([(region("341002"), "屯溪区")], Some(day("1970-01-31")));
        metrics.ends([(Topic::CivilDeath, 0, 12), (Topic::CivilDeath, 1, 5)]);
        let clock = || now() + Duration::from_secs(90);
        let text = Exporter::new(Arc::clone(&metrics), &path, clock)
            .unwrap()
            .scrape(true)
            .unwrap();
        for line in [
            "fundwatch_ready 1",
            "fundwatch_region_info{name=\"屯溪区\",region=\"341002\"} 1",
            "fundwatch_calendar_end_timestamp_seconds 2592000",
            "fundwatch_present_timestamp_seconds 172800",
            "fundwatch_alerts_open{detector=\"arrears\",region=\"341002\",severity=\"blue\"} 2",
            "fundwatch_alerts_open{detector=\"undeclared\",region=\"341002\",severity=\"red\"} 0",
            "fundwatch_alerts_cleared{detector=\"arrears\"} 0",
            "fundwatch_feed_lag_records{partition=\"0\",topic=\"civil.death\"} 2",
            "fundwatch_feed_lag_records{partition=\"1\",topic=\"civil.death\"} 0",
            "fundwatch_feed_last_record_timestamp_seconds{topic=\"civil.death\"} 1711958400",
            "fundwatch_last_commit_timestamp_seconds 1711958400",
            "fundwatch_record_to_commit_seconds_bucket{le=\"0.05\"} 2",
            "fundwatch_alerts_open_yuan{detector=\"arrears\",region=\"341002\"} 120",
            "fundwatch_alert_events_total{kind=\"raised\"} 2",
            "fundwatch_dead_letters_total{reason=\"bad-date\",topic=\"civil.death\"} 1",
            "fundwatch_feed_records_total{result=\"accepted\",topic=\"civil.death\"} 13",
            "fundwatch_feed_records_total{result=\"rejected\",topic=\"civil.death\"} 2",
            "fundwatch_as_of_timestamp_seconds{region=\"341002\",topic=\"civil.death\"} 86400",
            "fundwatch_notices_waiting 2",
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

    /// Whatever is exported is in the catalogue, and the other way round.
    #[test]
    fn the_registry_is_the_catalogue() {
        let metrics = full(&["341002"]);
        let mut named: Vec<_> = metrics
            .registry
            .gather()
            .iter()
            .map(|family| (family.name().to_owned(), family.help().to_owned()))
            .collect();
        let mut listed: Vec<_> = catalogue::EXPORTED
            .iter()
            .chain(catalogue::PROCESS)
            .map(|metric| (metric.name.to_owned(), metric.help.to_owned()))
            .collect();
        named.sort_unstable();
        listed.sort_unstable();
        assert_eq!(named, listed);
    }

    #[test]
    fn series_depend_on_nothing_but_regions() {
        // A pool is a city: a dozen regions at most. A province has about a hundred.
        let codes: Vec<String> = (0..100).map(|n| format!("34{n:04}")).collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let of = |regions: usize| {
            let text = full(&codes[..regions]).encode().unwrap();
            text.lines().filter(|line| !line.starts_with('#')).count()
        };
        let (none, one, many) = (of(0), of(1), of(100));
        // Of each region: its name, five feeds, each detector's amount and four severities, and one series of each of
        // the ledger's nine metrics by region; how many those have is bounded there.
        let each = 1 + 5 + Detector::ALL.len() * (1 + Severity::ALL.len()) + 9;
        assert_eq!((one - none, many - none), (each, 100 * each));
        // 15 counts of records, 75 reasons, 20 partitions, four histograms, three pages and what is none with three
        // answers each, and the rest.
        assert!(none < 300, "{none}");
    }

    fn sample(metric: &'static Metric, labels: &[&str], value: &str) -> Sample {
        Sample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn figures_that_are_gone_are_not_shown_as_before() {
        let metrics = Metrics::new("0.1.0", "abc");
        let labels = ["reserve-months", "pool"];
        metrics.fund(&[
            sample(&catalogue::INDICATOR_MONTHS, &labels, "4.9"),
            sample(&catalogue::INDICATOR_GRADE, &labels, "1"),
        ]);
        let text = metrics.encode().unwrap();
        let value = "fundwatch_indicator_months{indicator=\"reserve-months\",region=\"pool\"} 4.9";
        assert!(text.contains(value), "{text}");
        // A feed has fallen silent: no value, and a grade that is not that of green.
        metrics.fund(&[sample(&catalogue::INDICATOR_GRADE, &labels, "-1")]);
        let text = metrics.encode().unwrap();
        assert!(!text.contains("indicator_months{"), "{text}");
        let grade = "fundwatch_indicator_grade{indicator=\"reserve-months\",region=\"pool\"} -1";
        assert!(text.contains(grade), "{text}");
    }

    /// One series of each of the ledger's metrics, of those by region one for each region.
    fn fund_samples(regions: &[&str]) -> Vec<Sample> {
        let mut samples = Vec::new();
        for metric in ledger::METRICS {
            let is_of_region = metric.labels.contains(&catalogue::Label::Region);
            let regions = if is_of_region { regions } else { &["x"][..] };
            for region in regions {
                let labels = vec![*region; metric.labels.len()];
                samples.push(sample(metric, &labels, "1"));
            }
        }
        samples
    }

    /// Everything that can have a series has one.
    fn full(regions: &[&str]) -> Metrics {
        let metrics = Metrics::new("0.1.0", "abc");
        metrics.fund(&fund_samples(regions));
        metrics.pool(regions.iter().map(|code| (region(code), *code)), None);
        metrics.ends(
            Topic::ALL
                .into_iter()
                .flat_map(|topic| (0..4).map(move |n| (topic, n, 1))),
        );
        let mut tallies = Tallies::default();
        let mut as_of = Vec::new();
        let mut totals = Vec::new();
        for topic in Topic::ALL {
            as_of.extend(regions.iter().map(|code| FeedAsOf {
                topic,
                region: region(code),
                closed: day("2024-03-31"),
            }));
            totals.push(FeedTotals {
                topic,
                partition: 0,
                read: 1,
                accepted: 1,
                redelivered: 0,
                rejected: BTreeMap::new(),
            });
            for reason in 0..15 {
                tallies.dead_letters.insert((topic, reason.to_string()), 1);
            }
        }
        for route in ["/metrics", "/healthz", "/readyz", "other"] {
            for code in [200, 500, 503] {
                metrics.answered(route, code, Duration::from_millis(1));
            }
        }
        for detector in Detector::ALL {
            metrics.decided(detector, [1, 1, 1]);
        }
        metrics.feeds(&totals, Some(now()));
        metrics.as_of(&as_of);
        metrics.tallies(&tallies);
        metrics
    }
}
