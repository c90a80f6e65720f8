//! The names of the detectors.

use std::fmt;

use crate::Topic;

/// A detector of contract sections 5 and 6 and of the ledger, in the order of the names byte by byte, which is the
/// order of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// 欠费: contributions declared and not paid.
    Arrears,
    /// 死亡冒领: pensions paid for months after a death.
    DeceasedRecipient,
    /// 重复领取: one benefit paid twice.
    DuplicatePayout,
    /// 数据不全: a feed that says it sent more, or less, than arrived.
    IncompleteFeed,
    /// 指标越限: an indicator of the fund's health beyond its threshold.
    IndicatorBreach,
    /// 延迟上划: collected money that stays in the region.
    LateRemittance,
    /// 漏发: a pension that is due and was not paid.
    MissedPayout,
    /// 数据中断: a feed that has fallen silent.
    SilentFeed,
    /// 补助滞留: a subsidy that does not leave the treasury.
    StalledSubsidy,
    /// 违规列支: payouts of an item that the policy does not list.
    UnauthorisedItem,
    /// 未申报: an active enterprise that declares nothing.
    Undeclared,
    /// 少报缴费基数: a declared base below the wages paid.
    UnderDeclaredBase,
}

impl Detector {
    /// All of them, in order.
    pub const ALL: [Detector; 12] = [
        Detector::Arrears,
        Detector::DeceasedRecipient,
        Detector::DuplicatePayout,
        Detector::IncompleteFeed,
        Detector::IndicatorBreach,
        Detector::LateRemittance,
        Detector::MissedPayout,
        Detector::SilentFeed,
        Detector::StalledSubsidy,
        Detector::UnauthorisedItem,
        Detector::Undeclared,
        Detector::UnderDeclaredBase,
    ];

    /// The nine that judge facts by business date (contract section 5), in order.
    pub const OF_FACTS: [Detector; 9] = [
        Detector::Arrears,
        Detector::DeceasedRecipient,
        Detector::DuplicatePayout,
        Detector::LateRemittance,
        Detector::MissedPayout,
        Detector::StalledSubsidy,
        Detector::UnauthorisedItem,
        Detector::Undeclared,
        Detector::UnderDeclaredBase,
    ];

    /// The name in alerts, policy and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Detector::Arrears => "arrears",
            Detector::DeceasedRecipient => "deceased-recipient",
            Detector::DuplicatePayout => "duplicate-payout",
            Detector::IncompleteFeed => "incomplete-feed",
            Detector::IndicatorBreach => "indicator-breach",
            Detector::LateRemittance => "late-remittance",
            Detector::MissedPayout => "missed-payout",
            Detector::SilentFeed => "silent-feed",
            Detector::StalledSubsidy => "stalled-subsidy",
            Detector::UnauthorisedItem => "unauthorised-item",
            Detector::Undeclared => "undeclared",
            Detector::UnderDeclaredBase => "under-declared-base",
        }
    }

    /// The name in Chinese, as officials know it.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Detector::Arrears => "欠费",
            Detector::DeceasedRecipient => "死亡冒领",
            Detector::DuplicatePayout => "重复领取",
            Detector::IncompleteFeed => "数据不全",
            Detector::IndicatorBreach => "指标越限",
            Detector::LateRemittance => "延迟上划",
            Detector::MissedPayout => "漏发",
            Detector::SilentFeed => "数据中断",
            Detector::StalledSubsidy => "补助滞留",
            Detector::UnauthorisedItem => "违规列支",
            Detector::Undeclared => "未申报",
            Detector::UnderDeclaredBase => "少报缴费基数",
        }
    }

    /// Whether it speaks of something that did *not* happen, and so must wait until the feeds it
    /// reads are known to be complete (contract section 6).
    pub const fn is_of_absence(self) -> bool {
        matches!(
            self,
            Detector::Arrears
                | Detector::Undeclared
                | Detector::LateRemittance
                | Detector::StalledSubsidy
                | Detector::MissedPayout
        )
    }

    /// The feeds that must be complete before it may say that something did not happen; none for one
    /// that speaks of what did.
    pub const fn waits_for(self) -> &'static [Topic] {
        match self {
            Detector::Arrears | Detector::Undeclared => &[Topic::TaxCollection],
            Detector::LateRemittance => &[Topic::TaxCollection, Topic::TreasuryTransfer],
            Detector::StalledSubsidy => &[Topic::TreasuryTransfer],
            Detector::MissedPayout => {
                &[Topic::AgencyPayout, Topic::AgencyRoster, Topic::CivilDeath]
            }
            _ => &[],
        }
    }

    /// The detector of a name.
    pub fn parse(name: &str) -> Option<Detector> {
        Detector::ALL
            .into_iter()
            .find(|detector| detector.as_str() == name)
    }

    /// Its place in [`Detector::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_names() {
        // `undeclared` comes before `under-declared-base`: the names are compared here, not trusted.
        let mut names: Vec<_> = Detector::ALL.iter().map(|d| d.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, Detector::ALL.map(Detector::as_str));
        assert!(Detector::OF_FACTS.is_sorted());
        assert!(
            Detector::ALL
                .iter()
                .enumerate()
                .all(|(at, d)| d.index() == at && Detector::parse(d.as_str()) == Some(*d))
        );
    }
}
