//! Facts: accepted records of the five feeds, with their texts borrowed from where they were read.

use crate::{BusinessDate, CreditCode, Money, Period, PersonId, RegionId, Topic};

/// One accepted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<'a> {
    /// Names the record within its topic for ever: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    pub id: &'a str,
    /// The region that the fact belongs to.
    pub region: RegionId,
    /// The business date on which it took effect in the source's books.
    pub date: BusinessDate,
    /// What it says.
    pub body: Body<'a>,
}

/// What a fact says, by record type. The fields are those of contract section 2, under their names.
#[expect(missing_docs, reason = "named and explained by the contract")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// An enterprise's status from the date on.
    Enterprise {
        enterprise: CreditCode,
        name: &'a str,
        status: EnterpriseStatus,
    },
    /// What an enterprise says that it owes contributions on.
    Declaration {
        enterprise: CreditCode,
        period: Period,
        headcount: u32,
        base: Money,
    },
    /// The wages that individual income tax was withheld on.
    Payroll {
        enterprise: CreditCode,
        period: Period,
        headcount: u32,
        wages: Money,
    },
    /// A contribution paid.
    Payment {
        enterprise: CreditCode,
        period: Period,
        amount: Money,
    },
    /// A payment taken back, in whole or part.
    PaymentReversal {
        enterprise: CreditCode,
        period: Period,
        reverses: &'a str,
        amount: Money,
    },
    /// A benefit paid out.
    Payout {
        person: PersonId,
        period: Period,
        item: &'a str,
        nature: Nature,
        amount: Money,
        account: Option<&'a str>,
    },
    /// A payout taken back, in whole or part.
    PayoutReversal {
        person: PersonId,
        period: Period,
        item: &'a str,
        reverses: &'a str,
        amount: Money,
    },
    /// A beneficiary's status from the date on.
    Beneficiary {
        person: PersonId,
        status: RosterStatus,
        amount: Option<Money>,
        name: Option<&'a str>,
    },
    /// A death, as one source reports it.
    Death {
        person: PersonId,
        died_on: BusinessDate,
        source: &'a str,
        name: Option<&'a str>,
    },
    /// A death report withdrawn.
    DeathCancelled { person: PersonId, reverses: &'a str },
    /// Money moved.
    Transfer {
        kind: TransferKind,
        amount: Money,
        period: Option<Period>,
        source: Option<&'a str>,
    },
    /// A region's feed has sent everything dated up to the date.
    DayClose {
        topic: Topic,
        records: u32,
        amount: Money,
    },
}

impl Body<'_> {
    /// The topic that records of this type come on.
    pub const fn topic(&self) -> Topic {
        match self {
            Body::Enterprise { .. }
            | Body::Declaration { .. }
            | Body::Payroll { .. }
            | Body::Payment { .. }
            | Body::PaymentReversal { .. } => Topic::TaxCollection,
            Body::Payout { .. } | Body::PayoutReversal { .. } => Topic::AgencyPayout,
            Body::Beneficiary { .. } => Topic::AgencyRoster,
            Body::Death { .. } | Body::DeathCancelled { .. } => Topic::CivilDeath,
            Body::Transfer { .. } => Topic::TreasuryTransfer,
            Body::DayClose { topic, .. } => *topic,
        }
    }

    /// The record's field named `amount`, which a day close adds up; a declaration's base and a
    /// payroll's wages are none.
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Body::Payment { amount, .. }
            | Body::PaymentReversal { amount, .. }
            | Body::Payout { amount, .. }
            | Body::PayoutReversal { amount, .. }
            | Body::Transfer { amount, .. } => Some(*amount),
            Body::Beneficiary { amount, .. } => *amount,
            _ => None,
        }
    }
}

/// A closed set of words in a field, with their spelling.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word of a record.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// Reads the word.
            pub fn parse(word: &[u8]) -> Option<$name> {
                $(if word == $word.as_bytes() { return Some($name::$variant); })+
                None
            }
        }
    };
}

words! {
    /// Status of an enterprise.
    EnterpriseStatus {
        /// In business, has to declare.
        Active = "active",
        /// Business suspended.
        Suspended = "suspended",
        /// Struck off.
        Deregistered = "deregistered",
    }
}

words! {
    /// Nature of a payout.
    Nature {
        /// The month's benefit.
        Regular = "regular",
        /// A month made good later.
        BackPay = "back_pay",
        /// Paid once.
        LumpSum = "lump_sum",
    }
}

words! {
    /// Status of a beneficiary on the roster.
    RosterStatus {
        /// Is to be paid.
        Receiving = "receiving",
        /// Not paid for now.
        Suspended = "suspended",
        /// Entitlement over.
        Ended = "ended",
    }
}

words! {
    /// Kind of a transfer.
    TransferKind {
        /// Region to city (上划); its period is the month collected in.
        RemitUp = "remit_up",
        /// City to region (拨付).
        AllocateDown = "allocate_down",
        /// A central subsidy arrives in the region's treasury (中央补助).
        CentralSubsidy = "central_subsidy",
        /// A provincial subsidy arrives in the region's treasury (省补助).
        ProvincialSubsidy = "provincial_subsidy",
        /// Treasury to special account; its source is the subsidy's id.
        TreasuryRelease = "treasury_release",
        /// The region's own budget to the fund (同级财政补助).
        CountySubsidy = "county_subsidy",
    }
}
