//! Counts of what became of records: nothing is dropped uncounted.

use crate::reason::Reason;

/// What became of the records of one topic (and partition).
///
/// The invariant, asserted wherever a tally is closed: read = accepted + redelivered + rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records read.
    pub read: u64,
    /// Accepted as facts, for the first time.
    pub accepted: u64,
    /// Accepted before, and ignored.
    pub redelivered: u64,
    /// Gone to the dead letter, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
}

impl Tally {
    /// All that were rejected, for whatever reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Adds the counts of another part of the same feed.
    pub fn add(&mut self, other: &Tally) {
        self.read += other.read;
        self.accepted += other.accepted;
        self.redelivered += other.redelivered;
        for (sum, count) in self.rejected.iter_mut().zip(other.rejected) {
            *sum += count;
        }
    }

    /// What was counted since an earlier tally of the same records.
    pub fn since(&self, earlier: &Tally) -> Tally {
        let mut since = *self;
        since.read -= earlier.read;
        since.accepted -= earlier.accepted;
        since.redelivered -= earlier.redelivered;
        for (count, before) in since.rejected.iter_mut().zip(earlier.rejected) {
            *count -= before;
        }
        since
    }

    /// A fact that had been taken as accepted turned out to be a redelivery.
    pub fn accepted_was_redelivered(&mut self, count: u64) {
        self.accepted -= count;
        self.redelivered += count;
    }

    /// A fact that had been taken as accepted turned out to conflict with an earlier one.
    pub fn accepted_was_conflicting(&mut self, count: u64) {
        self.accepted -= count;
        self.rejected[Reason::ConflictingId.index()] += count;
    }

    /// Whether every record read is accounted for.
    pub fn is_whole(&self) -> bool {
        self.read == self.accepted + self.redelivered + self.rejected_total()
    }
}
