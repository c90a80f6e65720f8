//! The ledger itself: every sum that postings made, and how it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{BusinessDate, Money, Period, RegionCode, RegionId, Topic};
use rules::Policy;

use crate::flow::Flow;
use crate::posting::{Entry, Posting, Sum};

/// A unit of account: a region, or the pool as their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A region.
    Region(RegionId),
    /// All of them.
    Pool,
}

/// All sums of a pool. A function of the set of accepted facts: the order of postings changes nothing.
#[derive(Clone, Debug)]
pub struct Ledger {
    policy: Arc<Policy>,
    sums: BTreeMap<(RegionId, Entry), Sum>,
}

/// Days from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days {
    /// The first.
    pub first: BusinessDate,
    /// The last.
    pub last: BusinessDate,
}

impl Days {
    /// All days up to one.
    pub const fn up_to(last: BusinessDate) -> Days {
        Days {
            first: BusinessDate::FIRST,
            last,
        }
    }

    /// The days of a month.
    pub fn of_month(month: Period) -> Days {
        Days {
            first: month.first_day(),
            last: month.last_day(),
        }
    }

    /// The twelve months that end with this one.
    pub fn year_to(month: Period) -> Days {
        let first = Period::from_months(month.months().saturating_sub(11));
        Days {
            first: first.first_day(),
            last: month.last_day(),
        }
    }
}

impl Ledger {
    /// An empty ledger of the policy's pool.
    pub fn new(policy: Arc<Policy>) -> Ledger {
        Ledger {
            policy,
            sums: BTreeMap::new(),
        }
    }

    /// From now on it goes by another policy of the same pool; what was posted by the one before has to be posted anew.
    pub fn renew(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }

    /// Takes postings in.
    pub fn post(&mut self, postings: impl IntoIterator<Item = Posting>) {
        for posting in postings {
            let key = (posting.region, posting.entry);
            let sum = self.sums.entry(key.clone()).or_default();
            sum.add(posting.change);
            if sum.is_zero() {
                self.sums.remove(&key);
            }
        }
    }

    /// The policy that it goes by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The regions of the pool, in the policy's order.
    pub fn regions(&self) -> impl Iterator<Item = RegionId> + use<> {
        let count = u16::try_from(self.policy.pool.regions.len())
            .expect("the policy bounds the number of regions");
        (0..count).map(RegionId)
    }

    /// The regions, then the pool.
    pub fn units(&self) -> impl Iterator<Item = Unit> + use<> {
        self.regions().map(Unit::Region).chain([Unit::Pool])
    }

    /// The regions that a unit is made of.
    pub fn regions_of(&self, unit: Unit) -> Vec<RegionId> {
        match unit {
            Unit::Region(region) => vec![region],
            Unit::Pool => self.regions().collect(),
        }
    }

    /// The code of a unit; the pool's may be that of a region, too.
    pub fn code(&self, unit: Unit) -> RegionCode {
        match unit {
            Unit::Region(region) => self.policy.region(region).code,
            Unit::Pool => self.policy.pool.code,
        }
    }

    /// The name of a unit.
    pub fn name(&self, unit: Unit) -> &str {
        match unit {
            Unit::Region(region) => &self.policy.region(region).name,
            Unit::Pool => &self.policy.pool.name,
        }
    }

    /// The sums of a region from an entry to another, both included.
    pub(crate) fn range(
        &self,
        region: RegionId,
        first: Entry,
        last: Entry,
    ) -> impl Iterator<Item = (&Entry, Sum)> {
        self.sums
            .range((region, first)..=(region, last))
            .map(|((_, entry), sum)| (entry, *sum))
    }

    /// What moved by a flow on these days.
    pub fn flow(&self, unit: Unit, flow: Flow, days: Days) -> Sum {
        let mut whole = Sum::ZERO;
        for region in self.regions_of(unit) {
            for (_, sum) in self.range(
                region,
                Entry::Flow(flow, days.first),
                Entry::Flow(flow, days.last),
            ) {
                whole.add(sum);
            }
        }
        whole
    }

    /// Days and amounts of a flow of a region.
    pub(crate) fn days_of(
        &self,
        region: RegionId,
        flow: Flow,
        days: Days,
    ) -> impl Iterator<Item = (BusinessDate, Money)> {
        self.range(
            region,
            Entry::Flow(flow, days.first),
            Entry::Flow(flow, days.last),
        )
        .filter_map(|(entry, sum)| match entry {
            Entry::Flow(_, day) => Some((*day, sum.amount)),
            _ => None,
        })
    }

    /// The flows that a region has, with their days, in order.
    pub(crate) fn flows(
        &self,
        region: RegionId,
    ) -> impl Iterator<Item = (Flow, BusinessDate, Sum)> {
        self.range(
            region,
            Entry::Flow(Flow::Collected, BusinessDate::FIRST),
            Entry::RemittedFor(Period::FIRST, BusinessDate::FIRST),
        )
        .filter_map(|(entry, sum)| match entry {
            Entry::Flow(flow, day) => Some((*flow, *day, sum)),
            _ => None,
        })
    }

    /// The days on which any money of the pool moved, up to one.
    pub(crate) fn days_with_flows(&self, as_of: BusinessDate) -> BTreeSet<BusinessDate> {
        self.regions()
            .flat_map(|region| self.flows(region))
            .map(|(_, day, _)| day)
            .filter(|day| *day <= as_of)
            .collect()
    }

    /// The last day up to `as_of` that a region closed on a feed.
    pub fn closed(
        &self,
        region: RegionId,
        topic: Topic,
        as_of: BusinessDate,
    ) -> Option<BusinessDate> {
        self.sums
            .range(
                (region, Entry::Close(topic, BusinessDate::FIRST))
                    ..=(region, Entry::Close(topic, as_of)),
            )
            .next_back()
            .and_then(|((_, entry), _)| match entry {
                Entry::Close(_, day) => Some(*day),
                _ => None,
            })
    }

    /// Whether a region's feed says anything of these days: a fact dated in them, or a close in or
    /// after them and up to `as_of`, which says that there was none. Nothing said is not zero.
    pub fn is_reported(
        &self,
        region: RegionId,
        topic: Topic,
        days: Days,
        as_of: BusinessDate,
    ) -> bool {
        let last = days.last.min(as_of);
        let has_facts = self
            .range(
                region,
                Entry::Received(topic, days.first),
                Entry::Received(topic, last),
            )
            .next()
            .is_some();
        has_facts
            || self
                .closed(region, topic, as_of)
                .is_some_and(|closed| days.first <= closed)
    }

    /// Facts accepted and records and amounts that closes speak of, up to a day.
    pub(crate) fn control(
        &self,
        region: RegionId,
        topic: Topic,
        as_of: BusinessDate,
    ) -> (Sum, Sum) {
        let sum = |first, last| {
            let mut whole = Sum::ZERO;
            for (_, sum) in self.range(region, first, last) {
                whole.add(sum);
            }
            whole
        };
        (
            sum(
                Entry::Received(topic, BusinessDate::FIRST),
                Entry::Received(topic, as_of),
            ),
            sum(
                Entry::Closed(topic, BusinessDate::FIRST),
                Entry::Closed(topic, as_of),
            ),
        )
    }
}
