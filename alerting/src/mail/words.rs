//! What a mail says of each detector, in Chinese and English: what happened, by which rule, what to
//! do; and the labels around it.
//!
//! What is over, and what was never due, accuses nobody and demands nothing: it has words of its own.
//!
//! A match of numbers alone is weak evidence (contract section 5): under grade C of
//! `deceased-recipient` no word says that the person is dead, and neither does the detector's name.

use domain::Detector;

use crate::life::EventKind;
use crate::routing::Language;

/// Of what a mail speaks: a detector, or a match of numbers alone, which has words of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// As the detector is called.
    Plain(Detector),
    /// `deceased-recipient` under grade C.
    NumberMatch,
}

/// How an alert stands when it is told: whether a mail speaks of now, of the past, or takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The condition holds.
    Open,
    /// It held, and holds no more.
    Cleared,
    /// The alert was never due.
    Withdrawn,
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
    pub const fn name(self, language: Language) -> &'static str {
        match (self, language) {
            (Topic::NumberMatch, Language::Zh) => "号码须核实",
            (Topic::NumberMatch, Language::En) => "identity check",
            (Topic::Plain(detector), Language::Zh) => detector.name_zh(),
            (Topic::Plain(detector), Language::En) => english(detector),
        }
    }

    /// What is or was the case.
    pub fn sentence(self, standing: Standing, put: &Put<'_>, language: Language) -> String {
        match (standing, language) {
            (Standing::Open, Language::Zh) => self.sentence_zh(put),
            (Standing::Open, Language::En) => self.sentence_en(put),
            (Standing::Cleared, Language::Zh) => self.cleared_zh(put),
            (Standing::Cleared, Language::En) => self.cleared_en(put),
            (Standing::Withdrawn, language) => {
                let (name, Put { by, what, .. }) = (self.name(language), put);
                match language {
                    Language::Zh => {
                        format!("预警撤回：{by}表明，关于{what}的“{name}”预警本不应发出。")
                    }
                    Language::En => {
                        format!(
                            "Withdrawn: the alert \"{name}\" on {what} was never due, as {by} shows."
                        )
                    }
                }
            }
        }
    }

    fn cleared_zh(self, put: &Put<'_>) -> String {
        let Put {
            who,
            region,
            period,
            item,
            amount,
            until,
            ..
        } = put;
        match self {
            Topic::NumberMatch => {
                format!(
                    "人员 {who} 的号码曾与一条死亡登记相同，姓名未能印证，该登记月份之后的发放最高 {amount}；预警已于 {until} 解除。"
                )
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    format!(
                        "单位 {who} {period} 申报的费款曾逾期未缴足，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::DeceasedRecipient => {
                    format!(
                        "人员 {who} 登记死亡月份之后曾有待遇发放，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::DuplicatePayout => {
                    format!(
                        "人员 {who} {period} 的 {item} 曾重复发放，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::IncompleteFeed => {
                    format!("{region} 的数据 {item} 曾与日结不符，已于 {until} 解除。")
                }
                Detector::IndicatorBreach => {
                    format!("{region} 的指标 {item} 曾超出警戒线，已于 {until} 解除。")
                }
                Detector::LateRemittance => {
                    format!(
                        "{region} {period} 征收的费款曾逾期未划足，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::MissedPayout => {
                    format!(
                        "人员 {who} {period} 的待遇曾逾期未发，约 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::SilentFeed => {
                    format!("{region} 的数据 {item} 曾中断，已于 {until} 解除。")
                }
                Detector::StalledSubsidy => {
                    format!(
                        "补助 {who}（{region}）曾在国库逾期滞留，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::UnauthorisedItem => {
                    format!(
                        "{region} {period} 曾以政策未列的项目 {item} 列支，最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::Undeclared => {
                    format!(
                        "单位 {who} {period} 曾逾期未申报，推定金额最高 {amount}，已于 {until} 解除。"
                    )
                }
                Detector::UnderDeclaredBase => {
                    format!(
                        "单位 {who} {period} 申报的缴费基数曾低于按工资测算的数额，差额最高 {amount}，已于 {until} 解除。"
                    )
                }
            },
        }
    }

    fn cleared_en(self, put: &Put<'_>) -> String {
        let Put {
            who,
            region,
            period,
            item,
            amount,
            until,
            ..
        } = put;
        match self {
            Topic::NumberMatch => {
                format!(
                    "Over since {until}: the number of person {who} had equalled that of a death record, and no name \
                 confirmed it; paid for months after that record's month was at most {amount}."
                )
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    format!(
                        "Over since {until}: enterprise {who} had been behind with what it declared for {period}, by \
                     at most {amount}."
                    )
                }
                Detector::DeceasedRecipient => {
                    format!(
                        "Over since {until}: benefits had been paid to person {who} for months after the registered \
                     death, at most {amount}."
                    )
                }
                Detector::DuplicatePayout => {
                    format!(
                        "Over since {until}: person {who} had been paid {item} for {period} more than once, at most \
                     {amount} beyond the one payout."
                    )
                }
                Detector::IncompleteFeed => {
                    format!(
                        "Over since {until}: the feed {item} of {region} had not agreed with its day close."
                    )
                }
                Detector::IndicatorBreach => {
                    format!(
                        "Over since {until}: the indicator {item} of {region} had been beyond its threshold."
                    )
                }
                Detector::LateRemittance => {
                    format!(
                        "Over since {until}: {region} had been late in remitting what it collected in {period}, by \
                     at most {amount}."
                    )
                }
                Detector::MissedPayout => {
                    format!(
                        "Over since {until}: person {who} had been without the benefit for {period}, about {amount}."
                    )
                }
                Detector::SilentFeed => {
                    format!("Over since {until}: the feed {item} of {region} had been silent.")
                }
                Detector::StalledSubsidy => {
                    format!(
                        "Over since {until}: subsidy {who} ({region}) had stayed in the treasury too long, at most \
                     {amount}."
                    )
                }
                Detector::UnauthorisedItem => {
                    format!(
                        "Over since {until}: {region} had paid for {period} under {item}, which the policy did not \
                     list, at most {amount}."
                    )
                }
                Detector::Undeclared => {
                    format!(
                        "Over since {until}: enterprise {who} had been late in declaring {period}, presumably at most \
                     {amount}."
                    )
                }
                Detector::UnderDeclaredBase => {
                    format!(
                        "Over since {until}: enterprise {who} had declared a base for {period} below what its wages \
                     implied; the contributions differed by at most {amount}."
                    )
                }
            },
        }
    }

    fn sentence_zh(self, put: &Put<'_>) -> String {
        let Put {
            who,
            region,
            period,
            item,
            amount,
            ..
        } = put;
        match self {
            Topic::NumberMatch => {
                format!(
                    "人员 {who} 的号码与一条死亡登记相同，姓名未能印证，须先核实身份；该登记月份之后的发放共 {amount}。"
                )
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    format!("单位 {who} {period} 申报的费款到期未足额缴纳，欠缴 {amount}。")
                }
                Detector::DeceasedRecipient => {
                    format!("人员 {who} 有死亡登记，登记死亡月份之后仍有待遇发放，涉及 {amount}。")
                }
                Detector::DuplicatePayout => {
                    format!("人员 {who} {period} 的 {item} 发放了两次或以上，多发 {amount}。")
                }
                Detector::IncompleteFeed => {
                    format!(
                        "{region} 的数据 {item} 与日结不符：收到的笔数或金额与报送单位所报的不一致。"
                    )
                }
                Detector::IndicatorBreach => {
                    format!("{region} 的指标 {item} 在月末超出警戒线：数值、警戒线和月份见明细。")
                }
                Detector::LateRemittance => {
                    format!("{region} {period} 征收的费款到期未足额上划，未上划 {amount}。")
                }
                Detector::MissedPayout => {
                    format!("人员 {who} {period} 的待遇到期未发放，应发约 {amount}。")
                }
                Detector::SilentFeed => {
                    format!("{region} 的数据 {item} 已中断：最近一次日结已超过规定时限。")
                }
                Detector::StalledSubsidy => {
                    format!("补助 {who}（{region}）到达国库后逾期未划出，滞留 {amount}。")
                }
                Detector::UnauthorisedItem => {
                    format!("{region} {period} 以政策未列的项目 {item} 支出 {amount}。")
                }
                Detector::Undeclared => {
                    format!("单位 {who} 属正常参保状态，{period} 到期未申报，推定应缴 {amount}。")
                }
                Detector::UnderDeclaredBase => {
                    format!(
                        "单位 {who} {period} 申报的缴费基数低于按工资测算的应申报基数，少缴 {amount}。"
                    )
                }
            },
        }
    }

    fn sentence_en(self, put: &Put<'_>) -> String {
        let Put {
            who,
            region,
            period,
            item,
            amount,
            ..
        } = put;
        match self {
            Topic::NumberMatch => {
                format!(
                    "The number of person {who} equals that of a death record, and no name confirms it: \
                 verify identity first. Paid for months after that record's month: {amount}."
                )
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    format!(
                        "Enterprise {who} has not paid in full what it declared for {period}: {amount} is overdue."
                    )
                }
                Detector::DeceasedRecipient => {
                    format!(
                        "A death is registered for person {who}, and benefits were paid for months after it: {amount}."
                    )
                }
                Detector::DuplicatePayout => {
                    format!(
                        "Person {who} was paid {item} for {period} twice or more: {amount} too much."
                    )
                }
                Detector::IncompleteFeed => {
                    format!(
                        "The feed {item} of {region} does not agree with its day close: number or amount of \
                     the records received differ from what the source says it sent."
                    )
                }
                Detector::IndicatorBreach => {
                    format!(
                        "At the end of a month the indicator {item} of {region} was beyond its threshold: value, \
                         threshold and month are in the details."
                    )
                }
                Detector::LateRemittance => {
                    format!(
                        "{region} has not remitted in full what it collected in {period}: {amount} is missing."
                    )
                }
                Detector::MissedPayout => {
                    format!(
                        "Person {who} was due a benefit for {period} and was not paid: about {amount}."
                    )
                }
                Detector::SilentFeed => {
                    format!(
                        "The feed {item} of {region} has fallen silent: its last day close is older than allowed."
                    )
                }
                Detector::StalledSubsidy => {
                    format!(
                        "Subsidy {who} ({region}) has not left the treasury in time: {amount} is stalled."
                    )
                }
                Detector::UnauthorisedItem => {
                    format!(
                        "{region} paid {amount} for {period} under {item}, an item that the policy does not list."
                    )
                }
                Detector::Undeclared => {
                    format!(
                        "Enterprise {who} is active and has not declared {period}: presumably {amount} is due."
                    )
                }
                Detector::UnderDeclaredBase => {
                    format!(
                        "Enterprise {who} declared a base for {period} below what its wages imply: {amount} short."
                    )
                }
            },
        }
    }

    /// The rule in a sentence, with its source.
    pub const fn rule(self, language: Language) -> &'static str {
        match language {
            Language::Zh => self.rule_zh(),
            Language::En => self.rule_en(),
        }
    }

    const fn rule_zh(self) -> &'static str {
        match self {
            Topic::NumberMatch => {
                "仅号码相同不足以认定身份，须以姓名、户籍或其他来源另行印证，印证之前不作其他认定。"
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    "用人单位应当按时足额缴纳社会保险费，逾期的按日加收滞纳金（社会保险法第六十条、第六十三条、第八十六条）。"
                }
                Detector::DeceasedRecipient => {
                    "养老金发至死亡当月，单位或亲属应在二十个工作日内告知经办机构（社会保险经办条例）；多领的应当退回（社会保险法第八十八条）。"
                }
                Detector::DuplicatePayout => {
                    "同一人只保留一个养老保险关系，重复领取的应当退还（人社部规〔2016〕5号）。"
                }
                Detector::IncompleteFeed | Detector::SilentFeed => {
                    "各报送单位应按营业日完整报送监督所需数据（社会保险基金行政监督办法，人社部令第48号）；时限依系统配置。"
                }
                Detector::IndicatorBreach => {
                    "对基金收支、管理和运行情况实施监督预警（社会保险基金行政监督办法，人社部令第48号）；警戒线依统筹区政策。"
                }
                Detector::LateRemittance => {
                    "征收的费款应当按时足额进入财政专户，任何单位不得截留、挪用（社会保险法第六十四条；财社〔2017〕144号）；期限依统筹区政策。"
                }
                Detector::MissedPayout => {
                    "养老金应当按月按时足额发放（社会保险法第十六条）；发放日依统筹区政策。"
                }
                Detector::StalledSubsidy => {
                    "中央和省级补助应当及时由国库划入财政专户（财社〔2017〕144号）；期限依统筹区政策。"
                }
                Detector::UnauthorisedItem => {
                    "待遇项目和标准由国家规定，基金专款专用，各地不得擅自增加支付项目（社会保险法第六十四条、第六十九条）。"
                }
                Detector::Undeclared => {
                    "用人单位应当自行申报、按时缴纳；未按规定申报的，按上月缴费额的百分之一百一十确定应缴数额（社会保险法第六十条、第六十二条）。"
                }
                Detector::UnderDeclaredBase => {
                    "缴费以工资总额为基数，如实申报（社会保险法第十二条、第六十条）；人均基数不低于下限、不高于上限（劳办发〔1997〕116号）。"
                }
            },
        }
    }

    const fn rule_en(self) -> &'static str {
        match self {
            Topic::NumberMatch => {
                "Equal numbers alone do not establish identity: name, household register or another source \
                 has to confirm it, and until then nothing else is to be concluded."
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    "Contributions are to be paid on time and in full; what is late bears a surcharge by the \
                     day (Social Insurance Law, art. 60, 63, 86)."
                }
                Detector::DeceasedRecipient => {
                    "A pension is due through the month of death, of which employer or family tell the agency \
                     within 20 working days (Regulations on Social Insurance Administration, 2023); what was \
                     drawn beyond it is returned (Social Insurance Law, art. 88)."
                }
                Detector::DuplicatePayout => {
                    "A person keeps one pension relation, and what was drawn twice is returned (人社部规〔2016〕5号)."
                }
                Detector::IncompleteFeed | Detector::SilentFeed => {
                    "Sources report completely by business day what supervision needs (Measures for the \
                     Administrative Supervision of Social Insurance Funds, MOHRSS Order 48); the time \
                     allowed is that of the configuration."
                }
                Detector::IndicatorBreach => {
                    "How the fund runs is supervised off-site and warned of early (Measures for the Administrative \
                     Supervision of Social Insurance Funds, MOHRSS Order 48); the thresholds are the pool's."
                }
                Detector::LateRemittance => {
                    "What was collected goes to the special account in time and in full, and nobody may \
                     withhold it (Social Insurance Law, art. 64; 财社〔2017〕144号); the due day is the pool's."
                }
                Detector::MissedPayout => {
                    "Pensions are paid monthly, in full and on time (Social Insurance Law, art. 16); the payout \
                     day is the pool's."
                }
                Detector::StalledSubsidy => {
                    "Central and provincial subsidies are moved from the treasury to the special account in time \
                     (财社〔2017〕144号); the days allowed are the pool's."
                }
                Detector::UnauthorisedItem => {
                    "Items and standards of benefits are set by the state, and no region may add any (Social \
                     Insurance Law, art. 64, 69)."
                }
                Detector::Undeclared => {
                    "Employers declare on their own and on time; who does not owes 110% of the month before \
                     (Social Insurance Law, art. 60, 62)."
                }
                Detector::UnderDeclaredBase => {
                    "Contributions are owed on the wage total, declared truthfully (Social Insurance Law, art. \
                     12, 60), per head within floor and ceiling (劳办发〔1997〕116号)."
                }
            },
        }
    }

    /// What the reader is to do, and what to rule out first.
    pub const fn action(self, standing: Standing, language: Language) -> &'static str {
        match (standing, language) {
            (Standing::Open, Language::Zh) => self.action_zh(),
            (Standing::Open, Language::En) => self.action_en(),
            (Standing::Cleared, language) => self.closing(language),
            (Standing::Withdrawn, language) => self.undoing(language),
        }
    }

    /// What is left to do of what is over.
    const fn closing(self, language: Language) -> &'static str {
        match (self, language) {
            (Topic::Plain(Detector::Arrears), Language::Zh) => {
                "本事项无需再处理，为此开办而未了的工作请办结；另请核对是否尚有滞纳金（见明细）。"
            }
            (Topic::Plain(Detector::Arrears), Language::En) => {
                "Nothing but to close what work was opened on it, and to check whether a late-payment surcharge \
                 remains (see the details)."
            }
            (Topic::Plain(Detector::SilentFeed), Language::Zh) => {
                "本事项无需再处理，为此开办而未了的工作请办结。依赖此数据的缺失类预警已恢复更新。"
            }
            (Topic::Plain(Detector::SilentFeed), Language::En) => {
                "Nothing but to close what work was opened on it. Alerts of absence that rest on this feed go on."
            }
            (_, Language::Zh) => "本事项无需再处理，为此开办而未了的工作请办结。",
            (_, Language::En) => "Nothing but to close what work was opened on it.",
        }
    }

    /// What is to be done about an alert that was never due.
    const fn undoing(self, language: Language) -> &'static str {
        match (self, language) {
            (Topic::NumberMatch | Topic::Plain(Detector::DeceasedRecipient), Language::Zh) => {
                "请中止据此采取的一切措施，已经采取的请恢复原状，并告知有关各方；已暂停待遇的，请立即恢复。"
            }
            (Topic::NumberMatch | Topic::Plain(Detector::DeceasedRecipient), Language::En) => {
                "Stop any step taken on it, undo what was done, and tell whoever was approached. A benefit that \
                 was suspended on it is to be resumed at once."
            }
            (_, Language::Zh) => "请中止据此采取的一切措施，已经采取的请恢复原状，并告知有关各方。",
            (_, Language::En) => {
                "Stop any step taken on it, undo what was done, and tell whoever was approached."
            }
        }
    }

    const fn action_zh(self) -> &'static str {
        match self {
            Topic::NumberMatch => {
                "请经办机构先核对姓名、户籍和领取资格认证，核实身份之前不要停发待遇。登记号码有误的，请登记部门更正。"
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    "请征收机构核对申报与到账，确属欠缴的责令限期缴纳。先排除缓缴批复、银行退票和入账时差。"
                }
                Detector::DeceasedRecipient => {
                    "请经办机构核实登记，属实的停发并追回多发的待遇；登记有误的，请登记部门更正。"
                }
                Detector::DuplicatePayout => {
                    "请经办机构核对各笔发放：退票重发、跨区县转移应有冲销；确属重复的，冲销或追回。"
                }
                Detector::IncompleteFeed => {
                    "请报送单位核对日结，补报缺少的记录。补齐后本预警自行解除。"
                }
                Detector::IndicatorBreach => {
                    "请核对该指标的分子、分母及数据完整性（fundwatch report health），说明原因并提出改善措施。"
                }
                Detector::LateRemittance => "请区县财政和征收机构核对国库与专户往来，补足上划。",
                Detector::MissedPayout => {
                    "请经办机构核对发放名册和银行退票，尽快补发并说明原因。先保发放，再查责任。"
                }
                Detector::SilentFeed => {
                    "请联系报送单位恢复数据。恢复之前，该区县依赖此数据的缺失类预警不再更新，没有预警不等于没有问题。"
                }
                Detector::StalledSubsidy => "请区县财政说明滞留原因，及时划入财政专户。",
                Detector::UnauthorisedItem => {
                    "请经办机构说明支付依据；政策已调整的，更新政策文件中的项目清单；没有依据的，停止列支并归还基金。"
                }
                Detector::Undeclared => "请征收机构催报；单位已停业、注销的，更新参保状态。",
                Detector::UnderDeclaredBase => {
                    "请征收机构调取工资表与个税明细比对。先排除一次性奖金、新参保当月和口径差异。"
                }
            },
        }
    }

    const fn action_en(self) -> &'static str {
        match self {
            Topic::NumberMatch => {
                "Let the agency compare name, household register and certification first, and do not stop the \
                 benefit before identity is verified. If the record's number is wrong, its registry corrects it."
            }
            Topic::Plain(detector) => match detector {
                Detector::Arrears => {
                    "Let the collector compare declaration and receipts, and order payment if it is owed. Rule \
                     out deferrals, returned transfers and booking lag first."
                }
                Detector::DeceasedRecipient => {
                    "Let the agency verify the record; if it is right, stop and recover what was overpaid; if it \
                     is wrong, its registry corrects it."
                }
                Detector::DuplicatePayout => {
                    "Let the agency compare the payouts: reissues and moves between regions should have \
                     reversals; what is double is reversed or recovered."
                }
                Detector::IncompleteFeed => {
                    "Let the source check its day close and send the missing records. The alert then clears by \
                     itself."
                }
                Detector::IndicatorBreach => {
                    "Check its inputs and their completeness (fundwatch report health), explain, and \
                     say what will be done."
                }
                Detector::LateRemittance => {
                    "Let the region's finance bureau and collector reconcile treasury and special account, and \
                     remit the rest."
                }
                Detector::MissedPayout => {
                    "Let the agency check roster and returned transfers, pay soon and explain: the payment \
                     first, the blame later."
                }
                Detector::SilentFeed => {
                    "Ask the source to resume. Until then alerts of absence that rest on this feed stand still \
                     for the region: no alert does not mean that all is well."
                }
                Detector::StalledSubsidy => {
                    "Let the region's finance bureau explain, and move the money to the special account."
                }
                Detector::UnauthorisedItem => {
                    "Let the agency name the legal basis; if the policy changed, update the policy's list; if \
                     there is none, stop and return the money to the fund."
                }
                Detector::Undeclared => {
                    "Let the collector demand the declaration; if the enterprise has closed, update its status."
                }
                Detector::UnderDeclaredBase => {
                    "Let the collector compare payroll and tax details. Rule out one-off bonuses, new entrants \
                     and differing definitions first."
                }
            },
        }
    }
}

const fn english(detector: Detector) -> &'static str {
    match detector {
        Detector::Arrears => "arrears",
        Detector::DeceasedRecipient => "paid after death",
        Detector::DuplicatePayout => "duplicate payout",
        Detector::IncompleteFeed => "incomplete feed",
        Detector::IndicatorBreach => "indicator breach",
        Detector::LateRemittance => "late remittance",
        Detector::MissedPayout => "missed payout",
        Detector::SilentFeed => "silent feed",
        Detector::StalledSubsidy => "stalled subsidy",
        Detector::UnauthorisedItem => "unauthorised item",
        Detector::Undeclared => "undeclared",
        Detector::UnderDeclaredBase => "under-declared base",
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
        (Language::Zh, EventKind::Withdrawn) => "预警撤回：后来的记录表明，这条预警本不应发出",
        (Language::En, EventKind::Raised) => "new alert",
        (Language::En, EventKind::Reopened) => "reopened",
        (Language::En, EventKind::Changed) if worse => "worse than before",
        (Language::En, EventKind::Changed) => "better than before",
        (Language::En, EventKind::Cleared) if told_open => "cleared",
        (Language::En, EventKind::Cleared) => {
            "happened and is over already; it was not told while it lasted"
        }
        (Language::En, EventKind::Withdrawn) => {
            "withdrawn: later records show that the alert was never due"
        }
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
        "indicator" => ("指标代号", "indicator"),
        "largest" => ("其中最大一笔", "the largest of them"),
        "last_close" => ("最近一次日结", "last close"),
        "match" => ("印证等级", "grade of the match"),
        "measure" => ("计量", "measure"),
        "month" => ("月份", "month"),
        "name_en" => ("英文名称", "name"),
        "name_zh" => ("指标名称", "name in Chinese"),
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
        "worse" => ("越线方向", "worse"),
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
