//! The names of the indicators of the fund's health.

use std::fmt;

/// What an indicator is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Months of payouts.
    Months,
    /// A part of a whole, or one amount over another.
    Ratio,
    /// Business days.
    BusinessDays,
    /// Calendar days.
    Days,
}

impl Measure {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Measure::Months => "months",
            Measure::Ratio => "ratio",
            Measure::BusinessDays => "business_days",
            Measure::Days => "days",
        }
    }
}

/// An indicator, in the order of reports: what the fund has, what comes in, what moves, what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Indicator {
    /// 可支付月数: how long the accumulated balance lasts.
    ReserveMonths,
    /// 预计可支付月数: the least that is projected for the coming months.
    Runway,
    /// 可用资金天数: how long the money that can be paid out at once lasts.
    LiquidityDays,
    /// 当期结余率: what is left of the year's income.
    SurplusRatio,
    /// 征缴缺口率: the part of the year's benefits that contributions do not cover.
    GapRatio,
    /// 补助依赖度: the part of the year's benefits that subsidies cover.
    SubsidyDependence,
    /// 赡养率: retirees to contributors.
    DependencyRatio,
    /// 征缴率: paid of what is due for the latest month that is due.
    CollectionRate,
    /// 基数夯实率: declared of the bases that the wages make due, of a year.
    BaseConsolidation,
    /// 欠费率: owed of what was due in a year.
    ArrearsRatio,
    /// 欠费账龄: how old arrears are.
    ArrearsAge,
    /// 清欠率: of what was owed a year ago, the part that was paid since.
    ArrearsRecovery,
    /// 上划及时率（金额）: remitted in time of what was due in a year.
    RemittanceTimelinessAmount,
    /// 上划及时率（笔数）: months of which all was remitted in time.
    RemittanceTimelinessCount,
    /// 上划滞留天数: from receipt to special account.
    DwellDays,
    /// 补助滞留天数: from arrival to release.
    SubsidyDwellDays,
    /// 发放及时率: persons paid in time of those to be paid.
    PayoutTimeliness,
    /// 对账差错率: what day closes say was sent, against what was accepted.
    ControlTotalDifference,
}

impl Indicator {
    /// How many there are.
    pub const COUNT: usize = Indicator::ALL.len();

    /// All of them, in order.
    pub const ALL: [Indicator; 18] = [
        Indicator::ReserveMonths,
        Indicator::Runway,
        Indicator::LiquidityDays,
        Indicator::SurplusRatio,
        Indicator::GapRatio,
        Indicator::SubsidyDependence,
        Indicator::DependencyRatio,
        Indicator::CollectionRate,
        Indicator::BaseConsolidation,
        Indicator::ArrearsRatio,
        Indicator::ArrearsAge,
        Indicator::ArrearsRecovery,
        Indicator::RemittanceTimelinessAmount,
        Indicator::RemittanceTimelinessCount,
        Indicator::DwellDays,
        Indicator::SubsidyDwellDays,
        Indicator::PayoutTimeliness,
        Indicator::ControlTotalDifference,
    ];

    /// The name in policy, reports, metrics and alerts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Indicator::ReserveMonths => "reserve-months",
            Indicator::Runway => "runway",
            Indicator::LiquidityDays => "liquidity-days",
            Indicator::SurplusRatio => "surplus-ratio",
            Indicator::GapRatio => "gap-ratio",
            Indicator::SubsidyDependence => "subsidy-dependence",
            Indicator::DependencyRatio => "dependency-ratio",
            Indicator::CollectionRate => "collection-rate",
            Indicator::BaseConsolidation => "base-consolidation",
            Indicator::ArrearsRatio => "arrears-ratio",
            Indicator::ArrearsAge => "arrears-age",
            Indicator::ArrearsRecovery => "arrears-recovery",
            Indicator::RemittanceTimelinessAmount => "remittance-timeliness-amount",
            Indicator::RemittanceTimelinessCount => "remittance-timeliness-count",
            Indicator::DwellDays => "dwell-days",
            Indicator::SubsidyDwellDays => "subsidy-dwell-days",
            Indicator::PayoutTimeliness => "payout-timeliness",
            Indicator::ControlTotalDifference => "control-total-difference",
        }
    }

    /// The name in Chinese, as officials know it.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Indicator::ReserveMonths => "可支付月数",
            Indicator::Runway => "预计可支付月数",
            Indicator::LiquidityDays => "可用资金天数",
            Indicator::SurplusRatio => "当期结余率",
            Indicator::GapRatio => "征缴缺口率",
            Indicator::SubsidyDependence => "补助依赖度",
            Indicator::DependencyRatio => "赡养率",
            Indicator::CollectionRate => "征缴率",
            Indicator::BaseConsolidation => "基数夯实率",
            Indicator::ArrearsRatio => "欠费率",
            Indicator::ArrearsAge => "欠费账龄",
            Indicator::ArrearsRecovery => "清欠率",
            Indicator::RemittanceTimelinessAmount => "上划及时率（金额）",
            Indicator::RemittanceTimelinessCount => "上划及时率（笔数）",
            Indicator::DwellDays => "上划滞留天数",
            Indicator::SubsidyDwellDays => "补助滞留天数",
            Indicator::PayoutTimeliness => "发放及时率",
            Indicator::ControlTotalDifference => "对账差错率",
        }
    }

    /// The name in English.
    pub const fn name_en(self) -> &'static str {
        match self {
            Indicator::ReserveMonths => "reserve months",
            Indicator::Runway => "projected reserve months",
            Indicator::LiquidityDays => "liquidity days",
            Indicator::SurplusRatio => "surplus ratio",
            Indicator::GapRatio => "gap ratio",
            Indicator::SubsidyDependence => "subsidy dependence",
            Indicator::DependencyRatio => "dependency ratio",
            Indicator::CollectionRate => "collection rate",
            Indicator::BaseConsolidation => "base consolidation",
            Indicator::ArrearsRatio => "arrears ratio",
            Indicator::ArrearsAge => "age of arrears",
            Indicator::ArrearsRecovery => "arrears recovery",
            Indicator::RemittanceTimelinessAmount => "remittance timeliness (amount)",
            Indicator::RemittanceTimelinessCount => "remittance timeliness (count)",
            Indicator::DwellDays => "dwell of collections",
            Indicator::SubsidyDwellDays => "dwell of subsidies",
            Indicator::PayoutTimeliness => "payout timeliness",
            Indicator::ControlTotalDifference => "control total difference",
        }
    }

    /// What it is measured in.
    pub const fn measure(self) -> Measure {
        match self {
            Indicator::ReserveMonths | Indicator::Runway => Measure::Months,
            Indicator::ArrearsAge | Indicator::LiquidityDays => Measure::Days,
            Indicator::DwellDays | Indicator::SubsidyDwellDays => Measure::BusinessDays,
            _ => Measure::Ratio,
        }
    }

    /// Whether less is worse; else more is.
    pub const fn is_worse_below(self) -> bool {
        matches!(
            self,
            Indicator::ReserveMonths
                | Indicator::Runway
                | Indicator::LiquidityDays
                | Indicator::SurplusRatio
                | Indicator::CollectionRate
                | Indicator::BaseConsolidation
                | Indicator::ArrearsRecovery
                | Indicator::RemittanceTimelinessAmount
                | Indicator::RemittanceTimelinessCount
                | Indicator::PayoutTimeliness
        )
    }

    /// Whether 1 is as good as it can be, so that what is missing to 1 is what counts.
    pub const fn is_part_of_due(self) -> bool {
        matches!(
            self,
            Indicator::CollectionRate
                | Indicator::BaseConsolidation
                | Indicator::ArrearsRecovery
                | Indicator::RemittanceTimelinessAmount
                | Indicator::RemittanceTimelinessCount
                | Indicator::PayoutTimeliness
        )
    }

    /// Whether only the pool is graded by it: reserve and special account are the pool's, a region may well live on it.
    pub const fn is_graded_for_pool_alone(self) -> bool {
        matches!(
            self,
            Indicator::ReserveMonths
                | Indicator::Runway
                | Indicator::LiquidityDays
                | Indicator::SurplusRatio
        )
    }

    /// The indicator of a name.
    pub fn parse(name: &str) -> Option<Indicator> {
        Indicator::ALL
            .into_iter()
            .find(|indicator| indicator.as_str() == name)
    }

    /// Its place in [`Indicator::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_again() {
        for (at, indicator) in Indicator::ALL.into_iter().enumerate() {
            assert_eq!(indicator.index(), at);
            assert_eq!(Indicator::parse(indicator.as_str()), Some(indicator));
        }
        assert_eq!(Indicator::parse("reserve"), None);
    }
}
