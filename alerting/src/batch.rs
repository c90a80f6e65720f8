//! What the detecting side hands over at the end of an epoch: everything learned in it, to be
//! committed as one.

use std::collections::BTreeMap;

use domain::{AlertKey, BusinessDate, Detector, EvidenceId, Finding, Period, RegionCode, Topic};

/// One epoch: what its records changed, and up to where the feeds were read.
#[derive(Clone, Debug, Default)]
pub struct EpochBatch {
    /// The number of the epoch. It names the batch in the history, and orders nothing.
    pub epoch: u64,
    /// The keys whose finding changed, each at most once.
    pub updates: Vec<Update>,
    /// The records that could not be accepted.
    pub dead_letters: Vec<DeadLetter>,
    /// Where each partition is to be read on.
    pub offsets: Vec<PartitionOffset>,
    /// The counts of each partition, of those that changed.
    pub feeds: Vec<FeedTotals>,
    /// How far each feed is complete, of those that changed.
    pub as_of: Vec<FeedAsOf>,
    /// How many subjects have the duty that a detector watches, of the months that updates are of; those that nobody
    /// knows are left out.
    pub duties: Vec<Duty>,
    /// The present business date, once there is one.
    pub present: Option<BusinessDate>,
    /// Which process has each partition on disk; said once in a run, in its first batch.
    pub holders: Vec<Holder>,
}

/// How many subjects of a region have a duty of a month, or are owed it: what a share of them is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Who watches it.
    pub detector: Detector,
    /// The region.
    pub region: RegionCode,
    /// The month.
    pub period: Period,
    /// How many; more than none.
    pub subjects: u64,
}

/// What is now to be said of a key.
#[derive(Clone, Debug)]
pub struct Update {
    /// The key.
    pub key: AlertKey,
    /// Its finding; `None`: no episode is left.
    pub finding: Option<Finding>,
    /// The fact that did it, when known. A day that has come is no fact.
    pub cause: Option<EvidenceId>,
}

/// A record that could not be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its feed.
    pub topic: Topic,
    /// `PARTITION:OFFSET` or `FILE:LINE`.
    pub position: String,
    /// The reason of contract section 2.
    pub reason: String,
    /// The field at fault, if it is one's.
    pub field: Option<String>,
    /// The bytes without line end; of a `too-large` one already cut to the first 1024.
    pub raw: Vec<u8>,
}

/// Up to where a partition was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The first offset that was not read.
    pub next_offset: i64,
}

/// Which process of the run reads a partition, and has what was read in its state on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The process, from 0.
    pub process: u32,
}

/// What became of a partition's records, since the start of the feeds (not: of the process).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedTotals {
    /// The feed.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// Records read.
    pub read: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// Of these, ignored because they were accepted before.
    pub redelivered: u64,
    /// Of these, rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl FeedTotals {
    /// Whether every record that was read is accounted for.
    pub fn balances(&self) -> bool {
        self.read == self.accepted + self.redelivered + self.rejected.values().sum::<u64>()
    }
}

/// The date up to which a region's feed is complete: that of its last day close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedAsOf {
    /// The feed.
    pub topic: Topic,
    /// The region.
    pub region: RegionCode,
    /// The date of its last close.
    pub closed: BusinessDate,
}
