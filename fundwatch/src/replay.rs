//! `fundwatch replay`: feed files to alerts, as of a date (contract section 7).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alerting::AlertIdentity;
use anyhow::anyhow;
use base64::Engine;
use detectors::dataflow::{self, Advance, Clockwork, Feed, Outcome, Outlet, Plan, Results};
use domain::{Alert, BusinessDate, Detector, Money, State, Topic};
use indicatif::ProgressBar;
use ingest::{FeedFiles, FileReader, Position, Reason, Regions, Rejected, Tally};
use rules::Policy;
use serde::Serialize;

use crate::cli;
use crate::config::identity_of_environment;
use crate::failure::{Failure, warn};
use crate::output::Outputs;
use crate::progress;

/// Runs the command.
pub fn run(arguments: &cli::Replay) -> Result<(), Failure> {
    let policy = Arc::new(Policy::load(&arguments.policy).map_err(Failure::usage)?);
    if !arguments.feeds.is_dir() {
        return Err(Failure::usage(format!(
            "--feeds: `{}` is no folder",
            arguments.feeds.display()
        )));
    }
    let started = Instant::now();
    let files = Arc::new(FeedFiles::find(&arguments.feeds)?);
    // A folder that is another one than was meant has no alerts, either. What lies beside feeds is none of ours.
    let misspelt = |name: &&String| name.contains(".jsonl") && *name != "truth.jsonl";
    for name in files.ignored().iter().filter(misspelt) {
        warn(format_args!(
            "{}: ignored, its name is no feed's",
            arguments.feeds.join(name).display()
        ));
    }
    if files.bytes() == 0 {
        let names = Topic::ALL.map(Topic::as_str).join(".jsonl`, `");
        warn(format_args!(
            "`{}` has no records: feeds are named `{names}.jsonl`, and may end in .gz or .zst",
            arguments.feeds.display()
        ));
    }
    let plan = Plan {
        policy,
        clockwork: Clockwork::Fixed(arguments.as_of),
        posts: false,
        desk: None,
    };
    let judged = judge(&files, &plan, workers(arguments.workers))?;
    let alerts = alerts(&judged.outcomes, &identity_of_environment());
    let mut outputs = Outputs::in_folder(&arguments.out)?;
    outputs.write("alerts.jsonl", |out| {
        alerts.iter().try_for_each(|alert| {
            serde_json::to_writer(&mut *out, alert)?;
            out.write_all(b"\n")
        })
    })?;
    outputs.write("dead-letter.jsonl", |out| {
        judged.rejected.iter().try_for_each(|rejected| {
            serde_json::to_writer(&mut *out, &dead_letter(&files, rejected))?;
            out.write_all(b"\n")
        })
    })?;
    let summary = summary(arguments.as_of, &judged.tallies, &alerts, started.elapsed());
    outputs.write("summary.json", |out| {
        serde_json::to_writer_pretty(&mut *out, &summary)?;
        out.write_all(b"\n")
    })?;
    outputs.finish()?;
    Ok(())
}

/// How many workers there are to be.
pub fn workers(asked: Option<u16>) -> usize {
    match asked {
        Some(workers) => usize::from(workers),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// What reading and judging all feeds brought.
pub struct Judged {
    /// In no order.
    pub outcomes: Vec<Outcome>,
    tallies: [Tally; Topic::ALL.len()],
    /// In the order of topic and position.
    rejected: Vec<Rejected>,
}

/// What the workers' readers have counted, and the first that went wrong.
#[derive(Default)]
struct Read {
    tallies: [Tally; Topic::ALL.len()],
    rejected: Vec<Rejected>,
    failed: Option<ingest::files::FileError>,
}

/// One worker's share of the files.
struct FileFeed {
    reader: FileReader,
    files: Arc<FeedFiles>,
    read: Arc<Mutex<Read>>,
    bar: ProgressBar,
}

impl Feed for FileFeed {
    fn advance(&mut self, outlet: &mut Outlet) -> Advance {
        let advanced = self.reader.advance(|fact, position| {
            outlet.fact(&fact, position.0);
        });
        if let Ok(true) = advanced {
            self.bar.set_position(self.files.bytes_read());
            return Advance::More;
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.failed = read.failed.take().or(advanced.err());
        for (sum, tally) in read.tallies.iter_mut().zip(&self.reader.tallies) {
            sum.add(tally);
        }
        read.rejected.append(&mut self.reader.rejected);
        Advance::Finished
    }
}

/// Reads all files to their end, and judges.
///
/// # Errors
/// A file cannot be read.
pub fn judge(files: &Arc<FeedFiles>, plan: &Plan, workers: usize) -> Result<Judged, Failure> {
    let read = Arc::new(Mutex::new(Read::default()));
    let results = Results::default();
    let bar = progress::bytes(files.bytes());
    let guards = {
        let (files, read, results, plan, bar) = (
            Arc::clone(files),
            Arc::clone(&read),
            results.clone(),
            plan.clone(),
            bar.clone(),
        );
        timely::execute(timely::Config::process(workers), move |worker| {
            let regions = Regions::new(plan.policy.pool.regions.iter().map(|region| region.code));
            let feed = FileFeed {
                reader: FileReader::new(Arc::clone(&files), regions),
                files: Arc::clone(&files),
                read: Arc::clone(&read),
                bar: bar.clone(),
            };
            dataflow::build(worker, &plan, feed, &results);
            while worker.step_or_park(Some(Duration::from_millis(1))) {}
        })
    };
    for done in guards
        .map_err(|what| anyhow!("cannot start the workers: {what}"))?
        .join()
    {
        done.map_err(|what| anyhow!("a worker failed: {what}"))?;
    }
    bar.finish_and_clear();
    let mut read = std::mem::take(&mut *read.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(failed) = read.failed {
        return Err(anyhow::Error::from(failed)
            .context("nothing was written")
            .into());
    }
    let outcomes = results.take();
    settle(files, &outcomes, &mut read)?;
    for (topic, tally) in Topic::ALL.iter().zip(&read.tallies) {
        assert!(
            tally.is_whole(),
            "every record of {topic} is accounted for: {tally:?}"
        );
    }
    Ok(Judged {
        outcomes,
        tallies: read.tallies,
        rejected: read.rejected,
    })
}

/// Corrects the counts by what the books found, and fetches the bytes of conflicting records.
fn settle(files: &Arc<FeedFiles>, outcomes: &[Outcome], read: &mut Read) -> Result<(), Failure> {
    let mut redelivered = [0_i64; Topic::ALL.len()];
    let mut conflicting = BTreeSet::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Redelivered { topic, count, .. } => redelivered[topic.index()] += count,
            Outcome::Conflicting { topic, position } => {
                conflicting.insert((Position(*position), *topic));
            }
            Outcome::NoConflict { topic, position } => {
                conflicting.remove(&(Position(*position), *topic));
            }
            _ => {}
        }
    }
    for (tally, count) in read.tallies.iter_mut().zip(redelivered) {
        let count = u64::try_from(count).expect("what is taken back was counted");
        tally.accepted_was_redelivered(count);
    }
    for (_, topic) in &conflicting {
        read.tallies[topic.index()].accepted_was_conflicting(1);
    }
    let positions: Vec<_> = conflicting.iter().map(|(position, _)| *position).collect();
    let records = files.read_again(&positions)?;
    read.rejected.extend(
        conflicting
            .into_iter()
            .zip(records)
            .map(|((position, topic), raw)| Rejected {
                topic,
                position,
                reject: Reason::ConflictingId.into(),
                raw,
            }),
    );
    read.rejected
        .sort_by_key(|rejected| (rejected.topic, rejected.position));
    Ok(())
}

/// The alerts, in the contract's order.
fn alerts(outcomes: &[Outcome], identity: &AlertIdentity) -> Vec<Alert> {
    let mut alerts: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Update {
                finding: Some(finding),
                ..
            } => Some(identity.alert(finding)),
            _ => None,
        })
        .collect();
    if !faults::planted!("order-of-arrival") {
        alerts.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    }
    alerts
}

/// A line of `dead-letter.jsonl`, fields in the contract's order.
#[derive(Serialize)]
struct DeadLetter<'a> {
    topic: &'a str,
    position: String,
    reason: &'a str,
    field: Option<&'a str>,
    raw: String,
}

fn dead_letter<'a>(files: &FeedFiles, rejected: &'a Rejected) -> DeadLetter<'a> {
    DeadLetter {
        topic: rejected.topic.as_str(),
        position: files.locate(rejected.position),
        reason: rejected.reject.reason.as_str(),
        field: rejected.reject.field,
        raw: base64::engine::general_purpose::STANDARD.encode(&rejected.raw),
    }
}

/// `summary.json`, fields in the contract's order.
#[derive(Serialize)]
struct Summary {
    as_of: BusinessDate,
    feeds: BTreeMap<&'static str, FeedCounts>,
    detectors: BTreeMap<&'static str, DetectorCounts>,
    seconds: f64,
    records_per_second: u64,
}

#[derive(Serialize)]
struct FeedCounts {
    read: u64,
    accepted: u64,
    redelivered: u64,
    rejected: BTreeMap<&'static str, u64>,
}

#[derive(Default, Serialize)]
struct DetectorCounts {
    open: u64,
    cleared: u64,
    amount_open: Money,
}

fn summary(as_of: BusinessDate, tallies: &[Tally], alerts: &[Alert], took: Duration) -> Summary {
    let feed = |tally: &Tally| FeedCounts {
        read: tally.read,
        accepted: tally.accepted,
        redelivered: tally.redelivered,
        rejected: Reason::ALL
            .iter()
            .map(|reason| (reason.as_str(), tally.rejected[reason.index()]))
            .filter(|(_, count)| *count > 0)
            .collect(),
    };
    let feeds = Topic::ALL
        .iter()
        .zip(tallies)
        .map(|(topic, tally)| (topic.as_str(), feed(tally)))
        .collect();
    let mut detectors: BTreeMap<&'static str, DetectorCounts> = Detector::OF_FACTS
        .iter()
        .map(|detector| (detector.as_str(), DetectorCounts::default()))
        .collect();
    for alert in alerts {
        let Some(counts) = detectors.get_mut(alert.detector.as_str()) else {
            continue;
        };
        match alert.state {
            State::Open => {
                counts.open += 1;
                counts.amount_open += alert.amount;
            }
            State::Cleared => counts.cleared += 1,
        }
    }
    let records: u64 = tallies.iter().map(|tally| tally.read).sum();
    let rate = u128::from(records) * 1_000_000_000 / took.as_nanos().max(1);
    Summary {
        as_of,
        feeds,
        detectors,
        seconds: took.as_secs_f64(),
        records_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
    }
}
