//! The contract as a program: slow, obvious, and independent of the product.
//!
//! Every rule stands here once more, written from `contract.md` and from nothing else: decoding in the contract's
//! order, the files of a feed, redelivery, the policy on a date, and the nine detectors, each of which is asked for
//! every key and every calendar day from nothing but the facts dated up to that day. Nothing is cached, nothing is
//! incremental. Where the product and this module differ, one of them has misread the contract.

pub mod alert;
pub mod calendar;
pub mod decode;
pub mod detectors;
pub mod facts;
pub mod feeds;
pub mod identifiers;
pub mod intake;
pub mod json;
pub mod ledger;
pub mod live;
pub mod money;
pub mod period;
pub mod policy;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::civil::Date;
use serde_json::Value;

use facts::{Facts, View};
use intake::{Counts, DeadLetter, Intake};
use policy::Policy;

/// What the contract says must come out of a folder of feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The alerts in the order of `alerts.jsonl`, without `id`, which depends on a secret. `details` holds only
    /// what the contract names: `surcharge` and `match`.
    pub alerts: Vec<Value>,
    /// The rejected records, in the order in which they were read.
    pub dead_letters: Vec<DeadLetter>,
    /// The counts of each topic, zeros too.
    pub feeds: BTreeMap<&'static str, Counts>,
    /// The totals of each detector, zeros too.
    pub detectors: BTreeMap<&'static str, Totals>,
}

/// What `summary.json` says of a detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// How many alerts are open.
    pub open: u64,
    /// How many alerts are cleared.
    pub cleared: u64,
    /// The sum of the amounts of the open ones, in fen.
    pub amount_open: i128,
}

/// Reads every feed file of `feeds` and judges it by `policy` with as-of everywhere.
///
/// # Errors
/// A feed file that cannot be read or unpacked.
pub fn replay(feeds: &Path, policy: &Policy, as_of: Date) -> io::Result<Outcome> {
    Ok(judge(take_in(feeds, policy)?, policy, as_of))
}

/// Reads every feed file of `feeds` in the contract's order, and decides on each record.
///
/// # Errors
/// A feed file that cannot be read or unpacked.
pub fn take_in(feeds: &Path, policy: &Policy) -> io::Result<Intake> {
    let mut intake = Intake::default();
    for topic in facts::Topic::ALL {
        for line in feeds::lines_of_topic(feeds, topic)? {
            intake.take(topic, &line.position, &line.bytes, policy);
        }
    }
    Ok(intake)
}

/// Judges what was taken in.
#[must_use]
pub fn judge(intake: Intake, policy: &Policy, as_of: Date) -> Outcome {
    let facts = Facts::of(intake.accepted);
    let mut totals = BTreeMap::new();
    let mut alerts = Vec::new();
    for detector in detectors::all() {
        let found = match policy.detector(detector.name()).enabled {
            true => alert::alerts_of(detector.as_ref(), &View::all(&facts), policy, as_of),
            false => Vec::new(),
        };
        totals.insert(detector.name(), alert::totals(&found));
        alerts.extend(found);
    }
    alerts.sort_by_key(alert::Alert::sort_key);
    Outcome {
        alerts: alerts.iter().map(alert::Alert::to_json).collect(),
        dead_letters: intake.dead_letters,
        feeds: intake.counts,
        detectors: totals,
    }
}
