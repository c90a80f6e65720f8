//! Facts in words, in Chinese and English. Names of persons are in none of them.

use alerting::Language;
use alerting::mail::text::scrub;
use detectors::dataflow::desk::NoAnswer;
use detectors::store::packed::Kind;
use domain::{EnterpriseStatus, Money, Nature, RosterStatus, Severity};

use crate::{Record, Unanswered};

/// `24,000.00元`, `CNY 24,000.00`.
pub fn money(amount: Money, language: Language) -> String {
    match language {
        Language::Zh => format!("{}元", amount.grouped()),
        Language::En => format!("CNY {}", amount.grouped()),
    }
}

/// How grave an alert is.
pub const fn severity(severity: Severity, language: Language) -> &'static str {
    match language {
        Language::Zh => severity.name_zh(),
        Language::En => severity.as_str(),
    }
}

/// What kind of record it is.
pub const fn kind(kind: Kind, language: Language) -> &'static str {
    match (language, kind) {
        (Language::Zh, Kind::Enterprise) => "参保状态",
        (Language::Zh, Kind::Declaration) => "申报",
        (Language::Zh, Kind::Payroll) => "个税工资",
        (Language::Zh, Kind::Payment) => "缴费",
        (Language::Zh, Kind::PaymentReversal) => "缴费冲正",
        (Language::Zh, Kind::Payout) => "待遇发放",
        (Language::Zh, Kind::PayoutReversal) => "发放冲销",
        (Language::Zh, Kind::Beneficiary) => "待遇名册",
        (Language::Zh, Kind::Death) => "死亡登记",
        (Language::Zh, Kind::DeathCancelled) => "死亡登记撤销",
        (Language::Zh, Kind::Transfer) => "资金划转",
        (Language::En, Kind::Enterprise) => "status",
        (Language::En, Kind::Declaration) => "declaration",
        (Language::En, Kind::Payroll) => "payroll",
        (Language::En, Kind::Payment) => "payment",
        (Language::En, Kind::PaymentReversal) => "payment reversed",
        (Language::En, Kind::Payout) => "payout",
        (Language::En, Kind::PayoutReversal) => "payout reversed",
        (Language::En, Kind::Beneficiary) => "roster",
        (Language::En, Kind::Death) => "death record",
        (Language::En, Kind::DeathCancelled) => "death record cancelled",
        (Language::En, Kind::Transfer) => "transfer",
    }
}

/// An enterprise's status.
pub const fn enterprise_status(status: EnterpriseStatus, language: Language) -> &'static str {
    match (language, status) {
        (Language::Zh, EnterpriseStatus::Active) => "正常参保",
        (Language::Zh, EnterpriseStatus::Suspended) => "中断",
        (Language::Zh, EnterpriseStatus::Deregistered) => "注销",
        (Language::En, EnterpriseStatus::Active) => "active",
        (Language::En, EnterpriseStatus::Suspended) => "suspended",
        (Language::En, EnterpriseStatus::Deregistered) => "deregistered",
    }
}

/// A beneficiary's status.
pub const fn roster_status(status: RosterStatus, language: Language) -> &'static str {
    match (language, status) {
        (Language::Zh, RosterStatus::Receiving) => "领取中",
        (Language::Zh, RosterStatus::Suspended) => "暂停",
        (Language::Zh, RosterStatus::Ended) => "终止",
        (Language::En, RosterStatus::Receiving) => "receiving",
        (Language::En, RosterStatus::Suspended) => "suspended",
        (Language::En, RosterStatus::Ended) => "ended",
    }
}

/// What kind of payout it is.
pub const fn nature(nature: Nature, language: Language) -> &'static str {
    match (language, nature) {
        (Language::Zh, Nature::Regular) => "正常发放",
        (Language::Zh, Nature::BackPay) => "补发",
        (Language::Zh, Nature::LumpSum) => "一次性",
        (Language::En, Nature::Regular) => "regular",
        (Language::En, Nature::BackPay) => "back pay",
        (Language::En, Nature::LumpSum) => "lump sum",
    }
}

/// The contract's word of a record, in words.
fn word(word: &str, language: Language) -> &str {
    let word_bytes = word.as_bytes();
    if let Some(status) = EnterpriseStatus::parse(word_bytes) {
        // `suspended` is a word of both lists, and means the same to a reader.
        return enterprise_status(status, language);
    }
    if let Some(status) = RosterStatus::parse(word_bytes) {
        return roster_status(status, language);
    }
    if let Some(of) = Nature::parse(word_bytes) {
        return nature(of, language);
    }
    match (language, word) {
        (Language::Zh, "remit_up") => "上划",
        (Language::Zh, "allocate_down") => "下拨",
        (Language::Zh, "central_subsidy") => "中央补助",
        (Language::Zh, "provincial_subsidy") => "省级补助",
        (Language::Zh, "treasury_release") => "国库划出",
        (Language::Zh, "county_subsidy") => "区县补助",
        (Language::En, "remit_up") => "remitted to the city",
        (Language::En, "allocate_down") => "allocated to the region",
        (Language::En, "central_subsidy") => "central subsidy",
        (Language::En, "provincial_subsidy") => "provincial subsidy",
        (Language::En, "treasury_release") => "released from the treasury",
        (Language::En, "county_subsidy") => "county subsidy",
        (_, other) => other,
    }
}

/// What a record says, its kind, date and id aside. That a record names somebody's day of death says of nobody that he
/// is dead: the number may be another's.
pub fn record(record: &Record, language: Language) -> String {
    let (people, about, died, reported_by, refers) = match language {
        Language::Zh => ("人", "所属期 ", "登记所载日期 ", "登记来源 ", "对应记录 "),
        Language::En => (
            " people",
            "for ",
            "names the day ",
            "reported by ",
            "of record ",
        ),
    };
    let mut parts = Vec::new();
    parts.extend(record.word.map(|of| word(of, language).to_owned()));
    parts.extend(record.period.map(|period| format!("{about}{period}")));
    parts.extend(record.item.as_deref().map(scrub));
    parts.extend(record.amount.map(|amount| money(amount, language)));
    parts.extend(record.headcount.map(|count| format!("{count}{people}")));
    parts.extend(record.died_on.map(|day| format!("{died}{day}")));
    let source = record.reported_by.as_deref().filter(|by| !by.is_empty());
    parts.extend(source.map(|by| format!("{reported_by}{}", scrub(by))));
    let refers_to = record.refers_to.as_deref();
    parts.extend(refers_to.map(|id| format!("{refers}{}", scrub(id))));
    parts.join(match language {
        Language::Zh => "，",
        Language::En => ", ",
    })
}

/// Why the facts are not to be had.
pub fn unanswered(why: &Unanswered, language: Language) -> String {
    match (language, why) {
        (Language::En, why) => why.to_string(),
        (Language::Zh, Unanswered::Unreadable(_)) => "数据无法读取，详情见运行日志".to_owned(),
        (Language::Zh, Unanswered::Books(why)) => match why {
            NoAnswer::Loading => "记录正在载入，请稍后再查",
            NoAnswer::Elsewhere => "该对象的记录由集群中另一进程保管，本进程无法查询",
            NoAnswer::Late => "查询超时，请稍后再查",
            NoAnswer::Busy => "查询过多，请稍后再查",
            NoAnswer::Closed => "监测已停止，无法查询",
            NoAnswer::NoBook => "区县没有单独的账页",
        }
        .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use domain::TransferKind;

    use super::*;

    #[test]
    fn every_word_of_the_contract_is_translated() {
        let words = EnterpriseStatus::ALL
            .iter()
            .map(|of| of.as_str())
            .chain(RosterStatus::ALL.iter().map(|of| of.as_str()))
            .chain(Nature::ALL.iter().map(|of| of.as_str()))
            .chain(TransferKind::ALL.iter().map(|of| of.as_str()));
        for of in words {
            let zh = word(of, Language::Zh);
            assert!(!zh.is_ascii(), "{of}: {zh}");
            let en = word(of, Language::En);
            assert!(en.is_ascii() && !en.contains('_'), "{of}: {en}");
        }
    }
}
