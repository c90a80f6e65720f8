//! The flows of money that are told apart, and what of a payout an item is.
//!
//! Words only: which fact is which flow. Amounts are in `posting.rs`.

use domain::{BusinessDate, Nature, Period, Topic, TransferKind};
use rules::Policy;

/// What the law of its period says of a payout's item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemClass {
    /// Listed for the insured.
    Listed,
    /// Listed for survivors.
    Survivor,
    /// In neither list of the entry.
    Unlisted,
    /// Of a period before the policy's first entry.
    Unruled,
}

impl ItemClass {
    /// All of them.
    pub const ALL: [ItemClass; 4] = [
        ItemClass::Listed,
        ItemClass::Survivor,
        ItemClass::Unlisted,
        ItemClass::Unruled,
    ];

    /// The class of an item in a period.
    pub fn of(policy: &Policy, period: Period, item: &str) -> ItemClass {
        match policy.benefit(period) {
            None => ItemClass::Unruled,
            Some(entry) if entry.is_survivor_item(item) => ItemClass::Survivor,
            Some(entry) if entry.is_listed(item) => ItemClass::Listed,
            Some(_) => ItemClass::Unlisted,
        }
    }
}

/// A kind of movement of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// Contributions paid (征缴).
    Collected,
    /// Contributions taken back.
    CollectionReversed,
    /// Region to city (上划).
    RemittedUp,
    /// A central subsidy arrived in the region's treasury.
    CentralSubsidy,
    /// A provincial subsidy arrived in the region's treasury.
    ProvincialSubsidy,
    /// The region's own budget to the fund.
    CountySubsidy,
    /// Treasury to special account.
    Released,
    /// City to region (拨付).
    AllocatedDown,
    /// Of what was allocated: advanced before the subsidies arrived (调剂).
    Advanced,
    /// Benefits paid out.
    PaidOut(Nature, ItemClass),
    /// Benefits taken back; a reversal says nothing of the nature.
    PayoutReversed(ItemClass),
}

impl Flow {
    /// The flow of a transfer.
    pub const fn of_transfer(kind: TransferKind) -> Flow {
        match kind {
            TransferKind::RemitUp => Flow::RemittedUp,
            TransferKind::AllocateDown => Flow::AllocatedDown,
            TransferKind::CentralSubsidy => Flow::CentralSubsidy,
            TransferKind::ProvincialSubsidy => Flow::ProvincialSubsidy,
            TransferKind::TreasuryRelease => Flow::Released,
            TransferKind::CountySubsidy => Flow::CountySubsidy,
        }
    }

    /// The feed that tells of it.
    pub const fn topic(self) -> Topic {
        match self {
            Flow::Collected | Flow::CollectionReversed => Topic::TaxCollection,
            Flow::PaidOut(..) | Flow::PayoutReversed(_) => Topic::AgencyPayout,
            _ => Topic::TreasuryTransfer,
        }
    }

    /// The least and the greatest of the benefits paid out, for ranges.
    pub(crate) const PAID_OUT: (Flow, Flow) = (
        Flow::PaidOut(Nature::Regular, ItemClass::Listed),
        Flow::PaidOut(Nature::LumpSum, ItemClass::Unruled),
    );
}

/// Whether an allocation is an advance before the subsidies arrive: by the numbering that the policy names.
pub fn is_advance(policy: &Policy, date: BusinessDate, id: &str) -> bool {
    policy.advance(date.period()).is_some_and(|entry| {
        entry
            .id_prefixes
            .iter()
            .any(|prefix| id.starts_with(prefix.as_str()))
    })
}
