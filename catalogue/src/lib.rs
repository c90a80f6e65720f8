//! What is measured: name, kind, meaning and labels of every metric, in one place.
//!
//! The code that counts registers from this list, the boards and the rules are checked against it, so that a name
//! cannot mean two things or outlive what it named. Knows no value and no registry.
//!
//! Labels are closed lists: the contract's words, and the regions of the policy. There is none for an enterprise, a
//! person, an alert's id, a file or the text of an error, so the number of series depends on the pool's regions alone.

use std::fmt;

/// A metric: one name, one meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The full name, unit last.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// What a value says, in a sentence.
    pub help: &'static str,
    /// What it is told apart by.
    pub labels: &'static [Label],
}

/// How a metric's values behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations, in [`SECONDS`].
    Histogram,
}

/// What a metric is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// One of the five feeds.
    Topic,
    /// The number of a feed's partition.
    Partition,
    /// The six-digit code of a region of the policy (区县).
    Region,
    /// The region's name, of [`REGION_INFO`] alone.
    Name,
    /// A detector of the contract.
    Detector,
    /// `red`, `orange`, `yellow` or `blue`.
    Severity,
    /// As what an alert was told.
    Kind,
    /// What became of a record, or of an attempt.
    Result,
    /// Why a record was not accepted.
    Reason,
    /// What leads out of the store.
    Channel,
    /// A region's code, or `pool` for the whole: its code may be that of a region.
    Unit,
    /// An indicator of the fund's health.
    Indicator,
    /// A column of the ledger.
    Flow,
    /// `month`, `year` or `all`.
    Window,
    /// A step that money on its way waits for.
    Step,
    /// An equation of the fund's money.
    Identity,
    /// What is projected.
    Series,
    /// How many months ahead of the last complete one, in two digits: labels are sorted as text.
    MonthsAhead,
    /// `low`, `median` or `high`.
    Bound,
    /// The template of a page's address, or `other`.
    Route,
    /// The status code of an answer.
    Code,
    /// The program's version.
    Version,
    /// The commit that the program was built from.
    Revision,
}

impl Label {
    /// The word in the text format and in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Label::Topic => "topic",
            Label::Partition => "partition",
            Label::Region => "region",
            Label::Name => "name",
            Label::Detector => "detector",
            Label::Severity => "severity",
            Label::Kind => "kind",
            Label::Result => "result",
            Label::Reason => "reason",
            Label::Channel => "channel",
            Label::Unit => "unit",
            Label::Indicator => "indicator",
            Label::Flow => "flow",
            Label::Window => "window",
            Label::Step => "step",
            Label::Identity => "identity",
            Label::Series => "series",
            Label::MonthsAhead => "months_ahead",
            Label::Bound => "bound",
            Label::Route => "route",
            Label::Code => "code",
            Label::Version => "version",
            Label::Revision => "revision",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Upper bounds of the histograms: about 2.5 apart, and one at the goal itself.
pub const SECONDS: &[f64] = &[
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    GOAL_SECONDS,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
];

/// A record is to be judged and committed within this.
pub const GOAL_SECONDS: f64 = 0.25;

/// Writes the constants, and the lists that they are in.
macro_rules! metrics {
    ($(#[$list_doc:meta])* $list:ident: $($name:ident = $kind:ident $text:literal [$($label:ident)*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $name: Metric = Metric {
                name: $text,
                kind: Kind::$kind,
                help: $help,
                labels: &[$(Label::$label),*],
            };
        )*
        $(#[$list_doc])*
        pub const $list: &[Metric] = &[$($name),*];
    };
}

metrics! {
    /// Everything that the program exports.
    EXPORTED:

    BUILD_INFO = Gauge "fundwatch_build_info" [Version Revision]
        "Always 1: which program this is.";
    READY = Gauge "fundwatch_ready" []
        "1 if nothing keeps the program from its work, else 0: /readyz says what.";

    REGION_INFO = Gauge "fundwatch_region_info" [Region Name]
        "Always 1: the regions of the policy and what they are called.";
    CALENDAR_END = Gauge "fundwatch_calendar_end_timestamp_seconds" []
        "The end of the last year that the policy's calendar has holidays of, as seconds since 1970.";
    PRESENT = Gauge "fundwatch_present_timestamp_seconds" []
        "The present business date, as seconds since 1970.";

    FEED_RECORDS = Counter "fundwatch_feed_records_total" [Topic Result]
        "Records read since the start of the feeds, by what became of them.";
    FEED_LAST_RECORD = Gauge "fundwatch_feed_last_record_timestamp_seconds" [Topic]
        "When records of the feed were last committed by this process.";
    FEED_LAG = Gauge "fundwatch_feed_lag_records" [Topic Partition]
        "Records that the broker has and that are not committed yet, as of the last look at the broker.";
    DEAD_LETTERS = Counter "fundwatch_dead_letters_total" [Topic Reason]
        "Records that could not be accepted, by reason.";
    AS_OF = Gauge "fundwatch_as_of_timestamp_seconds" [Topic Region]
        "The date of the last day close of a region's feed, as seconds since 1970.";

    ALERTS_OPEN = Gauge "fundwatch_alerts_open" [Detector Region Severity]
        "Alerts whose condition holds.";
    ALERTS_CLEARED = Gauge "fundwatch_alerts_cleared" [Detector]
        "Alerts whose condition held, and holds no more; withdrawn ones left out.";
    ALERTS_OPEN_YUAN = Gauge "fundwatch_alerts_open_yuan" [Detector Region]
        "Money at stake in open alerts. For looking: the exact amounts are in the store.";
    ALERT_EVENTS = Counter "fundwatch_alert_events_total" [Kind]
        "Tellings of alerts ever, by kind.";

    CONSOLE_DECISIONS = Gauge "fundwatch_console_decisions" [Detector Result]
        "Decisions of the console in force, by what they say of the detector: hit, miss or neither.";

    EPOCH = Gauge "fundwatch_epoch" []
        "The epoch that was committed last.";
    LAST_COMMIT = Gauge "fundwatch_last_commit_timestamp_seconds" []
        "When this process last committed an epoch.";
    COMMIT_SECONDS = Histogram "fundwatch_commit_seconds" []
        "Time to commit an epoch to the store.";
    RECORD_SECONDS = Histogram "fundwatch_record_to_commit_seconds" []
        "Time from reading an epoch's first record to the end of its commit; the backlog at the start is left out.";
    COMMIT_FAILURES = Counter "fundwatch_commit_failures_total" []
        "Commits that failed and were tried again, e.g. on a full disk.";
    LOG_LEFT_OUT = Counter "fundwatch_log_lines_left_out_total" []
        "Lines of the log that found no room, since whoever reads standard error is too slow or hangs.";

    STATE_LOADED = Gauge "fundwatch_state_loaded_facts" []
        "Facts that were loaded from disk when the program started.";
    STATE_DAMAGED = Gauge "fundwatch_state_damaged" []
        "1 if the state on disk was not whole when the program started; the log names file and byte.";
    STATE_SYNC_SECONDS = Histogram "fundwatch_state_sync_seconds" []
        "Time to make what was read durable on disk, before it is committed.";

    OUTBOX_PENDING = Gauge "fundwatch_outbox_pending" [Channel]
        "Rows that wait to leave the store.";
    OUTBOX_OLDEST = Gauge "fundwatch_outbox_oldest_seconds" [Channel]
        "Age of the oldest row that waits; 0 if none does.";
    MAILS = Counter "fundwatch_mails_total" [Result]
        "Attempts to send a mail since the start of the process.";
    MAILS_REFUSED = Gauge "fundwatch_mails_refused" []
        "Mails that were given up since the receiving side refused them for good.";
    NOTICES_WAITING = Gauge "fundwatch_notices_waiting" []
        "Alerts that somebody is to be told of by mail, when their time has come.";
    WEBHOOK_POSTS = Counter "fundwatch_webhook_posts_total" [Result]
        "Attempts to tell a webhook since the start of the process.";
    ALERTMANAGER_PUSHES = Counter "fundwatch_alertmanager_pushes_total" [Result]
        "Attempts to tell an Alertmanager what is open since the start of the process.";
    PUBLISHED = Counter "fundwatch_published_total" [Channel]
        "Records that the brokers acknowledged since the start of the process.";
    PUBLISH_FAILURES = Counter "fundwatch_publish_failures_total" []
        "Batches of which the brokers did not acknowledge everything.";

    CONFIG_LAST_RELOAD_SUCCESSFUL = Gauge "fundwatch_config_last_reload_successful" []
        "Whether the configuration was good when it was last read; if not, the one before is in force.";

    HTTP_REQUESTS = Counter "fundwatch_http_requests_total" [Route Code]
        "Requests answered by the program's own pages, by the template of the address and the status code.";
    HTTP_REQUEST_SECONDS = Histogram "fundwatch_http_request_seconds" []
        "Time to answer a request for one of the program's own pages.";

    STORE_BYTES = Gauge "fundwatch_store_bytes" []
        "Size of the store's files.";
    STORE_FREE_BYTES = Gauge "fundwatch_store_free_bytes" []
        "Room left on the disk that the store is on.";

    // Figures of the pool that are no sum of its regions' have `pool` for a region.
    LEDGER_AS_OF = Gauge "fundwatch_ledger_as_of_timestamp_seconds" []
        "The date that the figures of the fund are as of, as seconds since 1970.";
    FUND_BALANCE_YUAN = Gauge "fundwatch_fund_balance_yuan" []
        "Accumulated balance of the pool's fund. For looking: the exact amount is in the ledger.";
    FLOW_YEAR_YUAN = Gauge "fundwatch_flow_year_yuan" [Flow Region]
        "What moved in the twelve months up to the last complete one, by column of the ledger; not there where nothing was reported.";
    IN_TRANSIT_YUAN = Gauge "fundwatch_in_transit_yuan" [Step Region]
        "Money that left one place and is not yet at the next.";
    IN_TRANSIT_DAYS = Gauge "fundwatch_in_transit_oldest_days" [Step Region]
        "Age of the oldest of the money in transit; not there if there is none.";
    DIFFERENCE_YUAN = Gauge "fundwatch_ledger_difference_yuan" [Identity Region]
        "What does not close in an equation of the ledger; 0 where it closes.";
    INDICATOR_MONTHS = Gauge "fundwatch_indicator_months" [Indicator Region]
        "An indicator that is measured in months; not there while it is unknown or not applicable.";
    INDICATOR_RATIO = Gauge "fundwatch_indicator_ratio" [Indicator Region]
        "An indicator that is a part of a whole; not there while it is unknown or not applicable.";
    INDICATOR_DAYS = Gauge "fundwatch_indicator_days" [Indicator Region]
        "An indicator that is measured in days or business days; not there while it is unknown or not applicable.";
    INDICATOR_GRADE = Gauge "fundwatch_indicator_grade" [Indicator Region]
        "0 good, 1 yellow, 2 orange, 3 red, -1 unknown; not there where it is not applicable or the policy has no threshold.";
    INDICATOR_COMPLETE_RATIO = Gauge "fundwatch_indicator_complete_ratio" [Indicator Region]
        "The part of the feeds that an indicator reads that are complete.";
    PROJECTION_YUAN = Gauge "fundwatch_projection_yuan" [Series MonthsAhead Bound]
        "A projection of the pool, no promise: collected, paid_out and balance of a month ahead.";
    PROJECTION_RESERVE_MONTHS = Gauge "fundwatch_projection_reserve_months" [MonthsAhead Bound]
        "A projection of the pool, no promise: months of payouts that the balance of a month ahead lasts.";
}

metrics! {
    /// What `prometheus::process_collector` exports, on Linux.
    PROCESS:

    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Total user and system CPU time spent in seconds.";
    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" []
        "Resident memory size in bytes.";
    PROCESS_ADDRESS_SPACE = Gauge "process_virtual_memory_bytes" []
        "Virtual memory size in bytes.";
    PROCESS_FILES = Gauge "process_open_fds" []
        "Number of open file descriptors.";
    PROCESS_FILES_MAX = Gauge "process_max_fds" []
        "Maximum number of open file descriptors.";
    PROCESS_START = Gauge "process_start_time_seconds" []
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = Gauge "process_threads" []
        "Number of OS threads in the process.";
}

metrics! {
    /// What is planned and not exported yet. A panel that asks for one of these is left out of its board until the metric
    /// is moved to [`EXPORTED`].
    AWAITED:
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_kind_and_unit() {
        for metric in EXPORTED.iter().chain(AWAITED) {
            let rest = metric.name.strip_prefix("fundwatch_").unwrap_or_default();
            let well_formed = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                !rest.is_empty() && rest.chars().all(well_formed),
                "{metric}"
            );
            assert_eq!(
                metric.kind == Kind::Counter,
                rest.ends_with("_total"),
                "{metric}"
            );
            assert_eq!(
                metric.kind == Kind::Histogram,
                rest.ends_with("_to_commit_seconds")
                    || [
                        "commit_seconds",
                        "state_sync_seconds",
                        "http_request_seconds"
                    ]
                    .contains(&rest),
                "{metric}"
            );
            assert!(metric.help.ends_with('.'), "{metric}");
        }
    }

    #[test]
    fn every_name_is_used_once() {
        let mut names: Vec<_> = EXPORTED
            .iter()
            .chain(PROCESS)
            .chain(AWAITED)
            .map(|metric| metric.name)
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXPORTED.len() + PROCESS.len() + AWAITED.len());
    }

    #[test]
    fn one_series_at_most_for_each_detector_and_severity_in_a_region() {
        for metric in EXPORTED {
            let other = |label: &&Label| !matches!(label, Label::Region | Label::Name);
            let with_region = metric.labels.contains(&Label::Region);
            let others: Vec<_> = metric.labels.iter().filter(other).collect();
            assert!(
                !with_region
                    || matches!(
                        others[..],
                        [] | [Label::Topic]
                            | [Label::Flow]
                            | [Label::Step]
                            | [Label::Identity]
                            | [Label::Indicator]
                            | [Label::Detector]
                            | [Label::Detector, Label::Severity]
                    ),
                "{metric} has too many series for a pool of many regions"
            );
        }
    }

    #[test]
    fn a_bucket_ends_at_the_goal() {
        assert!(SECONDS.contains(&GOAL_SECONDS) && SECONDS.is_sorted());
    }
}
