//! The five feeds.

use std::fmt;

/// A feed's topic, in the order of the names byte by byte, which is the order of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `agency.payout`: what the agencies pay out.
    AgencyPayout,
    /// `agency.roster`: who is entitled to be paid.
    AgencyRoster,
    /// `civil.death`: deaths that civil affairs know of.
    CivilDeath,
    /// `tax.collection`: declarations, payrolls and contributions.
    TaxCollection,
    /// `treasury.transfer`: money moved between treasuries and accounts.
    TreasuryTransfer,
}

impl Topic {
    /// All five, in order.
    pub const ALL: [Topic; 5] = [
        Topic::AgencyPayout,
        Topic::AgencyRoster,
        Topic::CivilDeath,
        Topic::TaxCollection,
        Topic::TreasuryTransfer,
    ];

    /// The topic's name, on Kafka and in file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Topic::AgencyPayout => "agency.payout",
            Topic::AgencyRoster => "agency.roster",
            Topic::CivilDeath => "civil.death",
            Topic::TaxCollection => "tax.collection",
            Topic::TreasuryTransfer => "treasury.transfer",
        }
    }

    /// What it tells of, in Chinese, as officials know it.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Topic::AgencyPayout => "经办发放",
            Topic::AgencyRoster => "待遇名册",
            Topic::CivilDeath => "民政死亡",
            Topic::TaxCollection => "税务征收",
            Topic::TreasuryTransfer => "财政划拨",
        }
    }

    /// The topic of a name.
    pub fn parse(name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| topic.as_str() == name)
    }

    /// Its place in [`Topic::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_names() {
        assert!(
            Topic::ALL
                .windows(2)
                .all(|pair| pair[0].as_str() < pair[1].as_str() && pair[0] < pair[1])
        );
        assert!(
            Topic::ALL
                .iter()
                .enumerate()
                .all(|(at, topic)| topic.index() == at
                    && Topic::parse(topic.as_str()) == Some(*topic))
        );
    }
}
