//! Postings: by how much an accepted fact changes which sums.
//!
//! A posting can be taken back by its opposite, and the order of postings changes nothing. Whoever finds
//! which facts are accepted makes them; the ledger adds them up.

use domain::{BusinessDate, Money, Period, RegionId, Topic};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::flow::Flow;

/// Which sum. Ordered so that the days of one flow of a region are side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// Money that moved on a day.
    Flow(Flow, BusinessDate),
    /// Of what was remitted up: for the month collected in.
    RemittedFor(Period, BusinessDate),
    /// A subsidy, by its transfer's id: arrived.
    Subsidy(String, BusinessDate),
    /// A subsidy, by its transfer's id: released, of whichever region.
    ReleasedOf(String, BusinessDate),
    /// Facts accepted of a feed, and their fields named `amount`, by their date.
    Received(Topic, BusinessDate),
    /// What the day closes of a feed say was sent, by the close's date. The count is of records.
    Closed(Topic, BusinessDate),
    /// Closes accepted of a feed, by the day closed.
    Close(Topic, BusinessDate),
    /// Contributions due for a month, as known from a day on; the count is of insured heads.
    Due(Period, BusinessDate),
    /// Of what is due for a month: paid by a day, no enterprise more than its due.
    PaidOfDue(Period, BusinessDate),
    /// Bases that wages make due for a month, as known from a day on: of enterprises that have declared.
    BaseDue(Period, BusinessDate),
    /// Of the bases due for a month: declared by a day, no enterprise more than its due.
    BaseDeclared(Period, BusinessDate),
    /// Persons who are to be paid from a month on; less than nothing: no longer.
    PayoutDueFrom(Period),
    /// Persons who were to be paid for a month, and were in time.
    PaidInTime(Period),
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many; negative where more was taken back.
    pub count: i64,
    /// How much.
    pub amount: Money,
}

impl Sum {
    /// Nothing.
    pub const ZERO: Sum = Sum {
        count: 0,
        amount: Money::ZERO,
    };

    /// One fact of an amount, or its opposite.
    pub fn one(sign: i64, amount: Money) -> Sum {
        Sum {
            count: sign,
            amount: if sign < 0 { -amount } else { amount },
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: Sum) {
        self.count = self
            .count
            .checked_add(other.count)
            .expect("counts of facts fit 63 bits");
        self.amount += other.amount;
    }

    /// Whether it changes nothing.
    pub fn is_zero(self) -> bool {
        self == Sum::ZERO
    }
}

/// A change of one sum of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The region.
    pub region: RegionId,
    /// Which of its sums.
    pub entry: Entry,
    /// By how much.
    pub change: Sum,
}

/// Postings that are gathered and summed up before they are passed on.
#[derive(Clone, Debug, Default)]
pub struct Postings(HashMap<(RegionId, Entry), Sum, FixedState>);

impl Postings {
    /// Adds a change.
    pub fn post(&mut self, region: RegionId, entry: Entry, change: Sum) {
        self.0.entry((region, entry)).or_default().add(change);
    }

    /// What was gathered, in the order of region and entry; what came to nothing is left out.
    pub fn into_list(self) -> Vec<Posting> {
        let mut list: Vec<Posting> = self
            .0
            .into_iter()
            .filter(|(_, change)| !change.is_zero())
            .map(|((region, entry), change)| Posting {
                region,
                entry,
                change,
            })
            .collect();
        list.sort_unstable_by(|a, b| (a.region, &a.entry).cmp(&(b.region, &b.entry)));
        list
    }
}
