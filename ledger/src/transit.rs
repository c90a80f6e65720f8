//! Money on its way: what left one place and is not yet at the next, and how old it is.
//!
//! Matched first in, first out: what moves on is taken to be the oldest that was there. Collections are matched
//! within the month collected in, subsidies each by itself, what a region has to pay with as one stock.

use std::collections::{BTreeMap, VecDeque};

use domain::{BusinessDate, Money, Period, RegionId};

use crate::book::{Days, Ledger, Unit};
use crate::flow::Flow;
use crate::posting::Entry;

/// A step that money takes, named by what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Collected by the region, not yet remitted up (待上划).
    Remittance,
    /// A subsidy in the region's treasury, not yet released (国库待划).
    Release,
    /// With the region's agency, not yet paid out (待发放).
    Payout,
}

impl Step {
    /// All of them, in the order in which money takes them.
    pub const ALL: [Step; 3] = [Step::Remittance, Step::Release, Step::Payout];

    /// The word in files and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Remittance => "remittance",
            Step::Release => "release",
            Step::Payout => "payout",
        }
    }
}

/// Money that came on a day and is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The day it came.
    pub since: BusinessDate,
    /// How much of it is left.
    pub amount: Money,
}

/// Money that came on a day and moved on on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The day it came.
    pub since: BusinessDate,
    /// The day it moved on; the day it came, if that is recorded as the later one.
    pub until: BusinessDate,
    /// How much.
    pub amount: Money,
}

/// What became of money that came and went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched {
    /// What moved on.
    pub moved: Vec<Moved>,
    /// What is left, oldest first.
    pub lots: Vec<Lot>,
    /// What moved on although it had not come: a difference.
    pub excess: Money,
}

impl Matched {
    /// How much is left.
    pub fn left(&self) -> Money {
        self.lots.iter().map(|lot| lot.amount).sum()
    }
}

/// Matches what went with what came, oldest first. What came may be negative: taken back, from the
/// oldest of what is left. Both in the order of days.
pub fn match_oldest_first(
    came: &[(BusinessDate, Money)],
    went: &[(BusinessDate, Money)],
) -> Matched {
    let mut matched = Matched::default();
    let mut lots: VecDeque<Lot> = came
        .iter()
        .filter(|(_, amount)| amount.is_positive())
        .map(|&(since, amount)| Lot { since, amount })
        .collect();
    let taken_back = came
        .iter()
        .filter(|(_, amount)| *amount < Money::ZERO)
        .map(|&(day, amount)| (day, -amount, false));
    let went = went.iter().map(|&(day, amount)| (day, amount, true));
    for (day, mut amount, is_moved) in taken_back.chain(went) {
        while amount.is_positive() {
            let Some(lot) = lots.front_mut() else {
                matched.excess += amount;
                break;
            };
            let part = amount.min(lot.amount);
            if is_moved {
                matched.moved.push(Moved {
                    since: lot.since,
                    until: day.max(lot.since),
                    amount: part,
                });
            }
            amount -= part;
            lot.amount -= part;
            if !lot.amount.is_positive() {
                lots.pop_front();
            }
        }
    }
    matched.lots = lots.into();
    matched
}

/// Money on its way at one step, of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transit {
    /// Where it is.
    pub step: Step,
    /// How much.
    pub amount: Money,
    /// Since when the oldest of it is there.
    pub oldest: Option<BusinessDate>,
    /// Its age in calendar days, weighted by value and rounded half up; `None` if there is none.
    pub age_days: Option<u32>,
}

impl Transit {
    /// What these lots come to.
    pub fn of(step: Step, lots: &[Lot], as_of: BusinessDate) -> Transit {
        let amount: Money = lots.iter().map(|lot| lot.amount).sum();
        Transit {
            step,
            amount,
            oldest: lots.iter().map(|lot| lot.since).min(),
            age_days: mean_days(
                lots.iter()
                    .map(|lot| (as_of.days_since(lot.since), lot.amount)),
            ),
        }
    }
}

/// The mean of days weighted by value, rounded half up; `None` without value.
pub(crate) fn mean_days(parts: impl Iterator<Item = (u32, Money)>) -> Option<u32> {
    let (mut weighted, mut whole) = (0_i128, 0_i128);
    for (days, amount) in parts {
        let product = amount
            .fen()
            .checked_mul(i128::from(days))
            .expect("a sum of money times a number of days fits 128 bits");
        weighted += product;
        whole += amount.fen();
    }
    (whole > 0).then(|| {
        u32::try_from((2 * weighted + whole) / (2 * whole))
            .expect("a mean of days is a number of days")
    })
}

impl Ledger {
    /// By month collected in: what the region collected, and what it remitted up for the month.
    pub fn remittances(&self, region: RegionId, as_of: BusinessDate) -> BTreeMap<Period, Matched> {
        let mut came: BTreeMap<Period, BTreeMap<BusinessDate, Money>> = BTreeMap::new();
        let mut went: BTreeMap<Period, Vec<(BusinessDate, Money)>> = BTreeMap::new();
        for (day, amount) in self.collected(region, as_of) {
            came.entry(day.period()).or_default().insert(day, amount);
        }
        let all = self.range(
            region,
            Entry::RemittedFor(Period::FIRST, BusinessDate::FIRST),
            Entry::RemittedFor(Period::LAST, BusinessDate::LAST),
        );
        for (entry, sum) in all {
            if let Entry::RemittedFor(month, day) = entry
                && *day <= as_of
            {
                went.entry(*month).or_default().push((*day, sum.amount));
            }
        }
        let months: Vec<Period> = came.keys().chain(went.keys()).copied().collect();
        months
            .into_iter()
            .map(|month| {
                let came: Vec<_> = came
                    .get(&month)
                    .into_iter()
                    .flatten()
                    .map(|(d, a)| (*d, *a))
                    .collect();
                let went = went.get(&month).map_or(&[][..], Vec::as_slice);
                (month, match_oldest_first(&came, went))
            })
            .collect()
    }

    /// By day: what a region collected less what it took back.
    pub(crate) fn collected(
        &self,
        region: RegionId,
        as_of: BusinessDate,
    ) -> BTreeMap<BusinessDate, Money> {
        self.net_by_day(
            region,
            &[Flow::Collected],
            &[Flow::CollectionReversed],
            as_of,
        )
    }

    /// Flows of a region by day, less other flows.
    fn net_by_day(
        &self,
        region: RegionId,
        plus: &[Flow],
        less: &[Flow],
        as_of: BusinessDate,
    ) -> BTreeMap<BusinessDate, Money> {
        let mut net: BTreeMap<BusinessDate, Money> = BTreeMap::new();
        for (flows, sign) in [(plus, 1), (less, -1)] {
            for flow in flows {
                for (day, amount) in self.days_of(region, *flow, Days::up_to(as_of)) {
                    *net.entry(day).or_default() += if sign < 0 { -amount } else { amount };
                }
            }
        }
        net
    }

    /// By subsidy of the region's: what arrived, and what was released of it.
    pub fn subsidies(&self, region: RegionId, as_of: BusinessDate) -> BTreeMap<String, Matched> {
        let arrived = self.by_subsidy(region, false, as_of);
        let mut released: BTreeMap<String, BTreeMap<BusinessDate, Money>> = BTreeMap::new();
        for other in self.regions() {
            for (id, days) in self.by_subsidy(other, true, as_of) {
                let whole = released.entry(id).or_default();
                for (day, amount) in days {
                    *whole.entry(day).or_default() += amount;
                }
            }
        }
        arrived
            .into_iter()
            .map(|(id, came)| {
                let came: Vec<_> = came.into_iter().collect();
                let went: Vec<_> = released
                    .remove(&id)
                    .unwrap_or_default()
                    .into_iter()
                    .collect();
                (id, match_oldest_first(&came, &went))
            })
            .collect()
    }

    /// Released by the region of subsidies that no region has: nobody knows what it was.
    pub fn released_of_nothing(&self, region: RegionId, as_of: BusinessDate) -> Money {
        let known: Vec<_> = self
            .regions()
            .map(|region| self.by_subsidy(region, false, as_of))
            .collect();
        self.by_subsidy(region, true, as_of)
            .into_iter()
            .filter(|(id, _)| !known.iter().any(|subsidies| subsidies.contains_key(id)))
            .flat_map(|(_, days)| days.into_values())
            .sum()
    }

    /// By subsidy and day: arrived in the region, or released by it.
    fn by_subsidy(
        &self,
        region: RegionId,
        is_release: bool,
        as_of: BusinessDate,
    ) -> BTreeMap<String, BTreeMap<BusinessDate, Money>> {
        let (first, last) = if is_release {
            (
                Entry::ReleasedOf(String::new(), BusinessDate::FIRST),
                Entry::Received(domain::Topic::AgencyPayout, BusinessDate::FIRST),
            )
        } else {
            (
                Entry::Subsidy(String::new(), BusinessDate::FIRST),
                Entry::ReleasedOf(String::new(), BusinessDate::FIRST),
            )
        };
        let mut by_subsidy: BTreeMap<String, BTreeMap<BusinessDate, Money>> = BTreeMap::new();
        for (entry, sum) in self.range(region, first, last) {
            let (Entry::Subsidy(id, day) | Entry::ReleasedOf(id, day)) = entry else {
                continue;
            };
            if *day <= as_of {
                *by_subsidy
                    .entry(id.clone())
                    .or_default()
                    .entry(*day)
                    .or_default() += sum.amount;
            }
        }
        by_subsidy
    }

    /// What the region's agency had to pay with, and what it paid: allocations and the region's own subsidy;
    /// of a region that does not remit, what it collected, too.
    pub fn means(&self, region: RegionId, as_of: BusinessDate) -> Matched {
        let mut plus = vec![Flow::AllocatedDown, Flow::CountySubsidy];
        let mut less = Vec::new();
        let remits = self.policy().region(region).remits;
        let mut remitted = Vec::new();
        if !remits {
            plus.push(Flow::Collected);
            less.push(Flow::CollectionReversed);
        }
        let came: Vec<_> = self
            .net_by_day(region, &plus, &less, as_of)
            .into_iter()
            .collect();
        let mut paid: BTreeMap<BusinessDate, Money> = BTreeMap::new();
        for (flow, day, sum) in self.flows(region) {
            if as_of < day {
                continue;
            }
            match flow {
                Flow::PaidOut(..) => *paid.entry(day).or_default() += sum.amount,
                Flow::PayoutReversed(_) => *paid.entry(day).or_default() -= sum.amount,
                // Whoever has no duty to remit, and does, gives of what it has to pay with.
                Flow::RemittedUp if !remits => remitted.push((day, sum.amount)),
                _ => {}
            }
        }
        // What came back on a day without payouts is there to be paid out again.
        let mut came = came;
        came.extend(
            paid.iter()
                .filter(|(_, amount)| **amount < Money::ZERO)
                .map(|(d, a)| (*d, -*a)),
        );
        came.sort_by_key(|(day, _)| *day);
        let mut went: Vec<_> = paid
            .into_iter()
            .filter(|(_, amount)| amount.is_positive())
            .collect();
        went.extend(remitted);
        went.sort_by_key(|(day, _)| *day);
        match_oldest_first(&came, &went)
    }

    /// What a unit has on its way, step by step.
    pub fn transit(&self, unit: Unit, as_of: BusinessDate) -> Vec<Transit> {
        Step::ALL
            .into_iter()
            .map(|step| {
                let mut lots: Vec<Lot> = Vec::new();
                for region in self.regions_of(unit) {
                    lots.extend(self.lots(region, step, as_of));
                }
                Transit::of(step, &lots, as_of)
            })
            .collect()
    }

    /// What of a region waits at a step.
    fn lots(&self, region: RegionId, step: Step, as_of: BusinessDate) -> Vec<Lot> {
        match step {
            Step::Remittance if !self.policy().region(region).remits => Vec::new(),
            Step::Remittance => self
                .remittances(region, as_of)
                .into_values()
                .flat_map(|matched| matched.lots)
                .collect(),
            Step::Release => self
                .subsidies(region, as_of)
                .into_values()
                .flat_map(|matched| matched.lots)
                .collect(),
            Step::Payout => self.means(region, as_of).lots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(at: u32) -> BusinessDate {
        BusinessDate::from_days(at)
    }

    fn yuan(amount: i64) -> Money {
        Money::from_yuan(amount)
    }

    #[test]
    fn the_oldest_moves_on_first() {
        let matched = match_oldest_first(
            &[(day(1), yuan(100)), (day(5), yuan(50))],
            &[(day(8), yuan(120))],
        );
        let moved = |since, until, amount| Moved {
            since: day(since),
            until: day(until),
            amount: yuan(amount),
        };
        assert_eq!(matched.moved, [moved(1, 8, 100), moved(5, 8, 20)]);
        assert_eq!(
            matched.lots,
            [Lot {
                since: day(5),
                amount: yuan(30)
            }]
        );
        assert_eq!(matched.excess, Money::ZERO);
    }

    #[test]
    fn more_than_came_is_a_difference_and_no_loan() {
        let matched = match_oldest_first(
            &[(day(3), yuan(10))],
            &[(day(1), yuan(4)), (day(4), yuan(9))],
        );
        assert_eq!(matched.excess, yuan(3));
        assert_eq!(matched.left(), Money::ZERO);
        // Recorded as gone before it came: it was there for no day.
        assert_eq!(
            matched.moved[0],
            Moved {
                since: day(3),
                until: day(3),
                amount: yuan(4)
            }
        );
    }

    #[test]
    fn what_is_taken_back_did_not_move_on() {
        let came = [(day(1), yuan(10)), (day(2), -yuan(6)), (day(3), yuan(5))];
        let matched = match_oldest_first(&came, &[(day(4), yuan(5))]);
        assert_eq!(
            matched
                .moved
                .iter()
                .map(|moved| moved.amount)
                .sum::<Money>(),
            yuan(5)
        );
        assert_eq!(
            matched.lots,
            [Lot {
                since: day(3),
                amount: yuan(4)
            }]
        );
        // More taken back than came: it never was.
        assert_eq!(
            match_oldest_first(&[(day(1), -yuan(2))], &[]).excess,
            yuan(2)
        );
    }

    #[test]
    fn ages_are_weighted_by_value() {
        // (100 x 10 + 50 x 4) / 150 = 8
        let lots = [
            Lot {
                since: day(10),
                amount: yuan(100),
            },
            Lot {
                since: day(16),
                amount: yuan(50),
            },
        ];
        let transit = Transit::of(Step::Release, &lots, day(20));
        assert_eq!(
            (transit.amount, transit.age_days, transit.oldest),
            (yuan(150), Some(8), Some(day(10)))
        );
        assert_eq!(Transit::of(Step::Release, &[], day(20)).age_days, None);
        // 1 x 1 + 1 x 2 over 2 is 1.5: half up.
        assert_eq!(mean_days([(1, yuan(1)), (2, yuan(1))].into_iter()), Some(2));
    }
}
