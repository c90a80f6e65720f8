//! The words of a mail in Chinese and English: what happened, by which rule, what to do (of each detector in
//! `wording`), and the labels around it.
//!
//! What is over, and what was never due, accuses nobody and demands nothing: it has words of its own.

use domain::Detector;

use super::wording;
use crate::life::{EventKind, Standing};
use crate::routing::Language;

/// Of what a mail speaks: a detector, or a match of numbers alone, which has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// As the detector is called.
    Plain(Detector),
    /// `deceased-recipient` under grade C.
    NumberMatch,
}

/// What is put into a sentence, cleaned and masked.
#[derive(Debug)]
pub struct Put<'a> {
    pub who: &'a str,
    pub region: &'a str,
    pub period: &'a str,
    pub item: &'a str,
    pub amount: &'a str,
    /// When it was over.
    pub until: &'a str,
    /// Subject, region, period and item, of what is taken back.
    pub what: &'a str,
    /// What took it back.
    pub by: &'a str,
    /// The details, by key, as they are written.
    pub details: &'a [Detail],
}

/// One of an alert's details, as it is written.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Its key.
    pub key: String,
    /// What the key is called.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// The text around an alert.
#[derive(Debug)]
pub struct Labels {
    pub lang: &'static str,
    pub severity: &'static str,
    pub state: &'static str,
    pub region: &'static str,
    pub subject: &'static str,
    pub period: &'static str,
    pub item: &'static str,
    pub amount: &'static str,
    pub difference: &'static str,
    pub peak: &'static str,
    pub was_told: &'static str,
    pub since: &'static str,
    pub until: &'static str,
    pub episodes: &'static str,
    pub rule: &'static str,
    pub policy: &'static str,
    pub action: &'static str,
    pub change: &'static str,
    pub cause: &'static str,
    pub raised_by: &'static str,
    pub details: &'static str,
    pub told_details: &'static str,
    pub evidence: &'static str,
    pub told_evidence: &'static str,
    pub id: &'static str,
    pub told: &'static str,
    pub open: &'static str,
    pub cleared: &'static str,
    pub withdrawn: &'static str,
    pub event: &'static str,
    pub none: &'static str,
    pub footer: &'static str,
    pub arithmetic: &'static str,
    pub by_when: &'static str,
    pub view: &'static str,
    pub field: &'static str,
    pub was: &'static str,
    pub is: &'static str,
}

static ZH: Labels = Labels {
    lang: "zh-CN",
    severity: "等级",
    state: "状态",
    region: "区县",
    subject: "对象",
    period: "所属期",
    item: "项目",
    amount: "涉及金额",
    difference: "相差金额",
    peak: "最高金额",
    was_told: "曾通知金额",
    since: "始于",
    until: "解除于",
    episodes: "出现次数",
    rule: "依据",
    policy: "适用政策条目",
    action: "建议处理",
    change: "变化",
    cause: "引起变化的记录",
    raised_by: "引发预警的记录",
    details: "计算与明细",
    told_details: "曾通知的明细（已不作数）",
    evidence: "证据记录",
    told_evidence: "曾引用的记录",
    id: "预警编号",
    told: "发出时间",
    open: "持续中",
    cleared: "已解除",
    withdrawn: "已撤回",
    event: "通知类型",
    none: "无",
    footer: "本邮件由基金监测系统自动发出，请勿回复。您收到它，是因为您在收件人名单中，或曾收到同一预警。\
             预警是线索，不是结论，须经核实。若重复收到邮件标识相同的邮件，以其中一封为准。",
    arithmetic: "计算",
    by_when: "处理期限",
    view: "查看详情",
    field: "项目",
    was: "原为",
    is: "现为",
};

static EN: Labels = Labels {
    lang: "en",
    severity: "Severity",
    state: "State",
    region: "Region",
    subject: "Subject",
    period: "Period",
    item: "Item",
    amount: "At stake",
    difference: "Difference",
    peak: "Highest",
    was_told: "Had been told",
    since: "Since",
    until: "Cleared on",
    episodes: "Episodes",
    rule: "Rule",
    policy: "Policy entry",
    action: "What to do",
    change: "What changed",
    cause: "Record that did it",
    raised_by: "Record that raised it",
    details: "Arithmetic and details",
    told_details: "Details that had been told, and no longer stand",
    evidence: "Evidence",
    told_evidence: "Records it had named",
    id: "Alert",
    told: "Told at",
    open: "open",
    cleared: "cleared",
    withdrawn: "withdrawn",
    event: "Notice",
    none: "none",
    footer: "Sent automatically by the fund monitor; please do not reply. You get this because you are on \
             the list of recipients, or were told of the same alert before. An alert is a lead, not a \
             finding: it has to be verified. Should a mail with the same Message-ID arrive twice, it is one \
             mail.",
    arithmetic: "Arithmetic",
    by_when: "Respond by",
    view: "View",
    field: "What",
    was: "Was",
    is: "Is",
};

/// The labels of a language.
pub fn labels(language: Language) -> &'static Labels {
    match language {
        Language::Zh => &ZH,
        Language::En => &EN,
    }
}

impl Topic {
    /// The name in subjects and tables.
    pub fn name(self, language: Language) -> &'static str {
        wording::of(self, language).name
    }

    /// What is or was the case.
    pub fn sentence(self, standing: Standing, put: &Put<'_>, language: Language) -> String {
        let wording = wording::of(self, language);
        match (standing, language) {
            (Standing::Open, _) => put.fill(wording.open),
            (Standing::Cleared, _) => put.fill(wording.cleared),
            (Standing::Withdrawn, Language::Zh) => format!(
                "预警撤回：{}表明，关于{}的“{}”预警本不应发出。",
                put.by, put.what, wording.name
            ),
            (Standing::Withdrawn, Language::En) => format!(
                "Withdrawn: the alert \"{}\" on {} was never due, as {} shows.",
                wording.name, put.what, put.by
            ),
        }
    }

    /// The rule in a sentence, with its source.
    pub fn rule(self, language: Language) -> &'static str {
        wording::of(self, language).rule
    }

    /// What the reader is to do, and what to rule out first.
    pub fn action(self, standing: Standing, language: Language) -> &'static str {
        let wording = wording::of(self, language);
        match standing {
            Standing::Open => wording.action,
            Standing::Cleared => wording.closing,
            Standing::Withdrawn => wording.undoing,
        }
    }
}

impl Put<'_> {
    /// A sentence with what stands in braces put in. What is put in is not looked into again.
    fn fill(&self, sentence: &str) -> String {
        let mut text = String::new();
        let mut rest = sentence;
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            text.push_str(before);
            // An older alert may lack a detail.
            text.push_str(self.named(name).unwrap_or("—"));
            rest = after;
        }
        text + rest
    }

    fn named(&self, name: &str) -> Option<&str> {
        match name {
            "who" => Some(self.who),
            "region" => Some(self.region),
            "period" => Some(self.period),
            "item" => Some(self.item),
            "amount" => Some(self.amount),
            "until" => Some(self.until),
            key => {
                let known = self.details.iter().find(|detail| detail.key == key);
                known.map(|detail| detail.value.as_str())
            }
        }
    }
}

/// The titles above the rows of a mail on many, in their order.
pub const fn section_titles(language: Language) -> [&'static str; 6] {
    match language {
        Language::Zh => ["新出现", "加重", "减轻", "已解除", "已撤回", "仍未解除"],
        Language::En => [
            "New",
            "Worse",
            "Better",
            "Cleared",
            "Withdrawn",
            "Still open",
        ],
    }
}

/// By what an alert is taken back, for `{by}`.
pub fn taken_back_by(fact: Option<&str>, language: Language) -> String {
    match (fact, language) {
        (Some(fact), Language::Zh) => format!("记录 {fact} "),
        (Some(fact), Language::En) => format!("record {fact}"),
        (None, Language::Zh) => "按现有全部记录重新计算的结果".to_owned(),
        (None, Language::En) => "a new reading of all records".to_owned(),
    }
}

/// What kind of notice it is. `worse` counts for a change, `told_open` for a clearing.
pub const fn event(
    kind: EventKind,
    worse: bool,
    told_open: bool,
    language: Language,
) -> &'static str {
    match (language, kind) {
        (Language::Zh, EventKind::Raised) => "新预警",
        (Language::Zh, EventKind::Reopened) => "再次出现",
        (Language::Zh, EventKind::Changed) if worse => "预警加重",
        (Language::Zh, EventKind::Changed) => "预警减轻",
        (Language::Zh, EventKind::Cleared) if told_open => "预警已解除",
        (Language::Zh, EventKind::Cleared) => "曾经出现、现已解除，出现时未曾通知",
        (Language::Zh, EventKind::Withdrawn) => "预警撤回",
        (Language::En, EventKind::Raised) => "new alert",
        (Language::En, EventKind::Reopened) => "reopened",
        (Language::En, EventKind::Changed) if worse => "worse than before",
        (Language::En, EventKind::Changed) => "better than before",
        (Language::En, EventKind::Cleared) if told_open => "cleared",
        (Language::En, EventKind::Cleared) => {
            "happened and is over already; it was not told while it lasted"
        }
        (Language::En, EventKind::Withdrawn) => "withdrawn",
    }
}

/// The short word of the notice, for the subject; empty for a new alert.
pub const fn tag(kind: EventKind, worse: bool, language: Language) -> &'static str {
    match (language, kind) {
        (_, EventKind::Raised) => "",
        (Language::Zh, EventKind::Reopened) => "再现",
        (Language::Zh, EventKind::Changed) if worse => "加重",
        (Language::Zh, EventKind::Changed) => "减轻",
        (Language::Zh, EventKind::Cleared) => "已解除",
        (Language::Zh, EventKind::Withdrawn) => "已撤回",
        (Language::En, EventKind::Reopened) => "reopened",
        (Language::En, EventKind::Changed) if worse => "worse",
        (Language::En, EventKind::Changed) => "better",
        (Language::En, EventKind::Cleared) => "cleared",
        (Language::En, EventKind::Withdrawn) => "withdrawn",
    }
}

/// Keys of `details` that the sentence or the item says already, and that no reader needs twice.
pub const UNTOLD_DETAILS: [&str; 4] = ["indicator", "measure", "name_en", "name_zh"];

/// The name of a benefit's item in Chinese; of those that no policy here names, none.
pub fn item_zh(item: &str) -> Option<&'static str> {
    Some(match item {
        "basic_pension" => "基础养老金",
        "account_pension" => "个人账户养老金",
        "transitional_pension" => "过渡性养老金",
        "pension_adjustment" => "调整待遇",
        "funeral_grant" => "丧葬补助金",
        "survivor_grant" => "抚恤金",
        "survivor_pension" => "遗属生活补助",
        "account_inheritance" => "个人账户继承",
        _ => return None,
    })
}

/// A number in the measure of an indicator: `2.9 个月`, `85.67%`.
pub fn measured(number: &str, measure: &str, language: Language) -> String {
    let (zh, en) = match measure {
        "months" => ("个月", "months"),
        "days" => ("天", "days"),
        "business_days" => ("个工作日", "business days"),
        "ratio" => return format!("{}%", hundredfold(number)),
        _ => return number.to_owned(),
    };
    match language {
        Language::Zh => format!("{number} {zh}"),
        Language::En => format!("{number} {en}"),
    }
}

/// A decimal number times a hundred: its point two places to the right.
fn hundredfold(number: &str) -> String {
    let (sign, number) = match number.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", number),
    };
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{rest:0<2}");
    let (whole, rest) = digits.split_at(whole.len() + 2);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match rest.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        rest => format!("{sign}{whole}.{rest}"),
    }
}

/// The label of a key of `details`; of an unknown one the key itself.
pub fn detail(key: &str, language: Language) -> &str {
    let (zh, en) = match key {
        "after" => ("登记月份", "month of the record"),
        "amount_received" => ("收到金额", "amount received"),
        "amount_sent" => ("日结金额", "amount by the day close"),
        "arrived" => ("到账金额", "arrived"),
        "base" => ("申报基数", "declared base"),
        "basis" => ("金额依据", "amount taken from"),
        "basis_period" => ("依据的所属期", "of period"),
        "close_within_business_days" => ("日结时限（工作日）", "close due within business days"),
        "expected" => ("应申报基数", "expected base"),
        "headcount" => ("人数", "headcount"),
        "largest" => ("其中最大一笔", "the largest of them"),
        "last_close" => ("最近一次日结", "last close"),
        "match" => ("印证等级", "grade of the match"),
        "month" => ("月份", "month"),
        "owed" => ("应缴费款", "owed"),
        "paid" => ("缴费合计", "paid"),
        "paid_out" => ("发放合计", "paid out"),
        "payments" => ("缴费笔数", "payments"),
        "payout_date" => ("发放日", "payout date"),
        "payouts" => ("发放笔数", "payouts"),
        "records" => ("记录笔数", "records"),
        "records_received" => ("收到笔数", "records received"),
        "records_sent" => ("日结笔数", "records by the day close"),
        "regions" => ("涉及区县", "regions"),
        "release_by" => ("应划出日", "to be released by"),
        "released" => ("已划出", "released"),
        "remitted" => ("已上划", "remitted"),
        "reversals" => ("冲销笔数", "reversals"),
        "reversed" => ("冲销合计", "reversed"),
        "threshold" => ("警戒线", "threshold"),
        "value" => ("数值", "value"),
        "worse" => ("与警戒线相比", "against the threshold"),
        "surcharge" => ("滞纳金", "late-payment surcharge"),
        "wages" => ("工资总额", "wages"),
        other => (other, other),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// The word for a value of `details` that is a word.
pub fn detail_word<'a>(key: &str, value: &'a str, language: Language) -> &'a str {
    let (zh, en) = match (key, value) {
        ("basis", "declaration") => ("最近一次申报", "the latest earlier declaration"),
        ("basis", "payroll") => ("当期个税工资", "the period's payroll"),
        ("basis", "roster") => ("待遇名册", "the roster"),
        ("basis", "payout") => ("此前的发放", "an earlier payout"),
        ("basis", "none") => ("无", "nothing known"),
        ("worse", "below") => ("低于", "below"),
        ("worse", "above") => ("高于", "above"),
        ("match", "A") => (
            "A（多个来源，姓名一致）",
            "A (several sources, names agree)",
        ),
        ("match", "B") => ("B（单一来源，姓名一致）", "B (one source, names agree)"),
        ("match", "C") => ("C（仅号码相同）", "C (numbers only)"),
        (_, other) => (other, other),
    };
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Language::{En, Zh};

    #[test]
    fn parts_of_a_whole_are_told_as_percent() {
        for (number, percent) in [
            ("0.95", "95"),
            ("0.8567", "85.67"),
            ("1", "100"),
            ("0.001", "0.1"),
            ("-0.3333", "-33.33"),
            ("0", "0"),
            ("1.2", "120"),
        ] {
            assert_eq!(hundredfold(number), percent);
        }
        assert_eq!(measured("2.9", "months", Zh), "2.9 个月");
        assert_eq!(measured("0.5", "ratio", En), "50%");
    }

    #[test]
    fn sentences_have_nothing_in_braces_but_what_is_put_in() {
        let put = Put {
            who: "{amount}",
            region: "屯溪区",
            period: "2024-02",
            item: "basic_pension",
            amount: "1.00",
            until: "2024-03-20",
            what: "it",
            by: "a record",
            details: &[],
        };
        let topics = Detector::ALL.map(Topic::Plain);
        for topic in topics.into_iter().chain([Topic::NumberMatch]) {
            for language in [Zh, En] {
                let wording = wording::of(topic, language);
                for sentence in [wording.open, wording.cleared] {
                    for name in sentence.split('{').skip(1) {
                        let (name, _) = name.split_once('}').expect(sentence);
                        let is_detail = detail(name, Zh) != name;
                        assert!(put.named(name).is_some() || is_detail, "{name}: {sentence}");
                    }
                }
                for text in [wording.name, wording.rule, wording.action, wording.closing] {
                    assert!(!text.is_empty() && !text.contains(['{', '}']), "{text}");
                }
            }
        }
        // What is put in is not looked into again.
        let text = put.fill("{who} owes {amount} of {period}");
        assert_eq!(text, "{amount} owes 1.00 of 2024-02");
    }
}
