//! Conservation: what came in is what went out and what is left. What does not close is a difference with an owner.
//!
//! ```text
//! collected                       = remitted up + in the region
//! subsidies                       = released + in the treasury
//! allocated + the region's own    = paid out + with the agency
//! opening + remitted + released   = allocated + in the special account
//! sent (day closes)               = accepted
//! ```
//! Matching goes by month, by subsidy and by region, so that too much in one place never hides too little in
//! another. No feed tells of a balance: what is left is never negative, and what would make it so is the difference.

use domain::{BusinessDate, Money, Topic};

use crate::book::{Days, Ledger, Unit};
use crate::flow::Flow;
use crate::posting::Sum;

/// An equation of the fund's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// Collected = remitted up + in the region.
    Collection,
    /// Subsidies = released + in the treasury.
    Subsidy,
    /// Allocated + the region's own = paid out + with the agency.
    Payout,
    /// Opening balance + remitted + released = allocated + in the special account.
    SpecialAccount,
    /// Opening balance + collected + subsidies = paid out + all that is left, less the differences above.
    Whole,
    /// Records sent by the feed, as its day closes count them = records accepted.
    Sent(Topic),
}

impl Identity {
    /// The word in files and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Identity::Collection => "collection",
            Identity::Subsidy => "subsidy",
            Identity::Payout => "payout",
            Identity::SpecialAccount => "special_account",
            Identity::Whole => "whole",
            Identity::Sent(Topic::AgencyPayout) => "sent_agency_payout",
            Identity::Sent(Topic::AgencyRoster) => "sent_agency_roster",
            Identity::Sent(Topic::CivilDeath) => "sent_civil_death",
            Identity::Sent(Topic::TaxCollection) => "sent_tax_collection",
            Identity::Sent(Topic::TreasuryTransfer) => "sent_treasury_transfer",
        }
    }
}

/// Who has to explain a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The region's tax bureau and treasury, which remit what was collected.
    Treasury,
    /// The region's agency, which pays pensions.
    Agency,
    /// The city's finance bureau, which keeps the special account.
    City,
    /// Whoever sends the feed.
    Sender(Topic),
    /// The program: the difference would be a fault of its own.
    Program,
}

/// An identity of a unit, with the figures put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub identity: Identity,
    /// What came in.
    pub came: Money,
    /// What went on.
    pub went: Money,
    /// What is left in the place between.
    pub left: Money,
    /// `came - went - left`; nothing, if it closes.
    pub difference: Money,
    /// Of `Sent`: the records missing (or, negative, too many); else 0.
    pub records: i64,
    /// Who has to explain it.
    pub owner: Owner,
}

impl Balance {
    fn of(identity: Identity, came: Money, went: Money, left: Money, owner: Owner) -> Balance {
        Balance {
            identity,
            came,
            went,
            left,
            difference: came - went - left,
            records: 0,
            owner,
        }
    }

    /// Whether nothing is missing and nothing too much.
    pub fn closes(&self) -> bool {
        self.difference == Money::ZERO && self.records == 0
    }
}

impl Ledger {
    /// The identities of a unit. Those of the pool are the sums of its regions', and its own.
    pub fn balances(&self, unit: Unit, as_of: BusinessDate) -> Vec<Balance> {
        match unit {
            Unit::Region(_) => self.regional(unit, as_of),
            Unit::Pool => self.pooled(as_of),
        }
    }

    fn regional(&self, unit: Unit, as_of: BusinessDate) -> Vec<Balance> {
        let Unit::Region(region) = unit else {
            return Vec::new();
        };
        let days = Days::up_to(as_of);
        let sums = self.flow_sums(unit, days);
        let remits = self.policy().region(region).remits;
        let mut balances = Vec::new();
        let mut differences = Money::ZERO;
        let mut left = Money::ZERO;
        if remits {
            let waits = self
                .remittances(region, as_of)
                .values()
                .map(|matched| matched.left())
                .sum();
            balances.push(Balance::of(
                Identity::Collection,
                sums.collected_net(),
                sums.amount(Flow::RemittedUp),
                waits,
                Owner::Treasury,
            ));
        }
        let subsidies = self.subsidies(region, as_of);
        let released: Money = subsidies
            .values()
            .map(|matched| {
                matched
                    .moved
                    .iter()
                    .map(|moved| moved.amount)
                    .sum::<Money>()
                    + matched.excess
            })
            .sum();
        balances.push(Balance::of(
            Identity::Subsidy,
            sums.subsidies(),
            released + self.released_of_nothing(region, as_of),
            subsidies.values().map(|matched| matched.left()).sum(),
            Owner::Treasury,
        ));
        let means = self.means(region, as_of);
        let own = if remits {
            Money::ZERO
        } else {
            sums.collected_net()
        };
        balances.push(Balance::of(
            Identity::Payout,
            sums.amount(Flow::AllocatedDown) + sums.amount(Flow::CountySubsidy) + own,
            sums.paid_net()
                + if remits {
                    Money::ZERO
                } else {
                    sums.amount(Flow::RemittedUp)
                },
            means.left(),
            Owner::Agency,
        ));
        for balance in &balances {
            differences += balance.difference;
            left += balance.left;
        }
        // What it has moved to and from the city is neither lost nor its own any more.
        let moved =
            sums.amount(Flow::RemittedUp) + released + self.released_of_nothing(region, as_of)
                - sums.amount(Flow::AllocatedDown);
        let came = sums.collected_net() + sums.subsidies() + sums.amount(Flow::CountySubsidy);
        balances.push(Balance::of(
            Identity::Whole,
            came,
            sums.paid_net() + moved,
            left + differences,
            Owner::Program,
        ));
        balances.extend(self.sent(unit, as_of));
        balances
    }

    fn pooled(&self, as_of: BusinessDate) -> Vec<Balance> {
        let of_regions: Vec<Balance> = self
            .regions()
            .flat_map(|region| self.regional(Unit::Region(region), as_of))
            .collect();
        let mut balances = Vec::new();
        let mut left = Money::ZERO;
        let mut differences = Money::ZERO;
        for (identity, owner) in [
            (Identity::Collection, Owner::Treasury),
            (Identity::Subsidy, Owner::Treasury),
            (Identity::Payout, Owner::Agency),
        ] {
            let mut whole = Balance::of(identity, Money::ZERO, Money::ZERO, Money::ZERO, owner);
            for part in of_regions.iter().filter(|part| part.identity == identity) {
                whole.came += part.came;
                whole.went += part.went;
                whole.left += part.left;
                whole.difference += part.difference;
            }
            left += whole.left;
            differences += whole.difference;
            balances.push(whole);
        }
        let sums = self.flow_sums(Unit::Pool, Days::up_to(as_of));
        let released = balances[1].went;
        let opening = self.opening(as_of);
        let came = opening + sums.amount(Flow::RemittedUp) + released;
        let went = sums.amount(Flow::AllocatedDown);
        let special = Balance::of(
            Identity::SpecialAccount,
            came,
            went,
            (came - went).at_least_zero(),
            Owner::City,
        );
        left += special.left;
        differences += special.difference;
        balances.push(special);
        let came =
            opening + sums.collected_net() + sums.subsidies() + sums.amount(Flow::CountySubsidy);
        balances.push(Balance::of(
            Identity::Whole,
            came,
            sums.paid_net(),
            left + differences,
            Owner::Program,
        ));
        balances.extend(self.sent(Unit::Pool, as_of));
        balances
    }

    /// The balance that the fund began with, by the policy; nothing if it says nothing.
    pub fn opening(&self, as_of: BusinessDate) -> Money {
        self.policy()
            .opening_balance(as_of)
            .map_or(Money::ZERO, |entry| entry.amount)
    }

    /// What the day closes say was sent, against what was accepted: of feeds that ever closed.
    fn sent(&self, unit: Unit, as_of: BusinessDate) -> Vec<Balance> {
        let mut balances = Vec::new();
        for topic in Topic::ALL {
            let (mut received, mut closed) = (Sum::ZERO, Sum::ZERO);
            let mut any = false;
            for region in self.regions_of(unit) {
                // What is dated after the last close was not counted by it.
                let Some(closed_on) = self.closed(region, topic, as_of) else {
                    continue;
                };
                let (of_region, said) = self.control(region, topic, closed_on);
                received.add(of_region);
                closed.add(said);
                any = true;
            }
            if any {
                let mut balance = Balance::of(
                    Identity::Sent(topic),
                    closed.amount,
                    received.amount,
                    Money::ZERO,
                    Owner::Sender(topic),
                );
                balance.records = closed.count - received.count;
                balances.push(balance);
            }
        }
        balances
    }
}
