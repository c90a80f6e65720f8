//! Indicators that supervision knows and no feed of the contract carries: named with the reason, so that nobody takes
//! their absence for a good sign.

/// An indicator that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name in reports.
    pub name: &'static str,
    /// The name in Chinese, as officials know it.
    pub name_zh: &'static str,
    /// The name in English.
    pub name_en: &'static str,
    /// What is not told by any feed, in Chinese.
    pub reason_zh: &'static str,
    /// What is not told by any feed, in English.
    pub reason_en: &'static str,
}

/// All of them, in the order of the reference.
pub const MISSING: [Missing; 6] = [
    Missing {
        name: "budget-execution",
        name_zh: "预算执行率",
        name_en: "budget execution",
        reason_zh: "没有预算数据源：各记录中无收支预算及其按月分解",
        reason_en: "no such feed: no record tells of a budget, nor of its parts by month",
    },
    Missing {
        name: "paying-rate",
        name_zh: "遵缴率",
        name_en: "paying rate",
        reason_zh: "没有按人缴费的数据源：缴费以单位入账，不知其中何人已缴",
        reason_en: "no such feed: payments are of enterprises, and do not say for whom they are",
    },
    Missing {
        name: "allocation-timeliness",
        name_zh: "拨付及时率",
        name_en: "allocation timeliness",
        reason_zh: "没有用款申请数据源：不知区县何时需款",
        reason_en: "no such feed: no record tells when a region asked for money",
    },
    Missing {
        name: "allocation-sufficiency",
        name_zh: "拨付足额率",
        name_en: "allocation sufficiency",
        reason_zh: "没有拨款审批数据源：不知核定的金额",
        reason_en: "no such feed: no record tells how much was approved",
    },
    Missing {
        name: "certification-rate",
        name_zh: "资格认证率",
        name_en: "certification rate",
        reason_zh: "没有资格认证数据源：名册不载认证日期",
        reason_en: "no such feed: the roster does not say when somebody was last certified",
    },
    Missing {
        name: "bank-payout-rate",
        name_zh: "社会化发放率",
        name_en: "payout by bank",
        reason_zh: "没有发放渠道数据源：发放记录的账号可以不填，不能据此判断",
        reason_en: "no such feed: a payout need not name its account, so that none says nothing",
    },
];
