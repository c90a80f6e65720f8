//! What mails say of each detector, a record for each: what is or was the case, by which rule, what to do.
//!
//! In braces stands what is put in ([`super::words::Put`]). A match of numbers alone is weak evidence (contract
//! section 5): its words say nowhere that the person is dead, and neither does its name.

use domain::Detector;

use super::words::Topic;
use crate::routing::Language;

/// What is said of one matter in one language.
#[derive(Debug)]
pub struct Wording {
    /// The name in subjects and tables.
    pub name: &'static str,
    /// What is the case.
    pub open: &'static str,
    /// What was the case.
    pub cleared: &'static str,
    /// The rule in a sentence, with its source.
    pub rule: &'static str,
    /// What the reader is to do, and what to rule out first.
    pub action: &'static str,
    /// What is left to do of what is over.
    pub closing: &'static str,
    /// What is to be done about an alert that was never due.
    pub undoing: &'static str,
}

/// The same in both languages.
#[derive(Debug)]
struct Words {
    zh: Wording,
    en: Wording,
}

/// What is said of a matter.
pub fn of(topic: Topic, language: Language) -> &'static Wording {
    let words = match topic {
        Topic::NumberMatch => &NUMBER_MATCH,
        Topic::Plain(detector) => match detector {
            Detector::Arrears => &ARREARS,
            Detector::DeceasedRecipient => &DECEASED_RECIPIENT,
            Detector::DuplicatePayout => &DUPLICATE_PAYOUT,
            Detector::IncompleteFeed => &INCOMPLETE_FEED,
            Detector::SilentFeed => &SILENT_FEED,
            Detector::IndicatorBreach => &INDICATOR_BREACH,
            Detector::LateRemittance => &LATE_REMITTANCE,
            Detector::MissedPayout => &MISSED_PAYOUT,
            Detector::StalledSubsidy => &STALLED_SUBSIDY,
            Detector::UnauthorisedItem => &UNAUTHORISED_ITEM,
            Detector::Undeclared => &UNDECLARED,
            Detector::UnderDeclaredBase => &UNDER_DECLARED_BASE,
        },
    };
    match language {
        Language::Zh => &words.zh,
        Language::En => &words.en,
    }
}

const NOTHING_LEFT_ZH: &str = "本事项无需再处理，为此开办而未了的工作请办结。";
const UNDO_ZH: &str = "请中止据此采取的一切措施，已经采取的请恢复原状，并告知有关各方。";
const UNDO_BENEFIT_ZH: &str =
    "请中止据此采取的一切措施，已经采取的请恢复原状，并告知有关各方；已暂停待遇的，请立即恢复。";
const NOTHING_LEFT_EN: &str = "Nothing but to close what work was opened on it.";
const UNDO_EN: &str =
    "Stop any step taken on it, undo what was done, and tell whoever was approached.";
const UNDO_BENEFIT_EN: &str = "Stop any step taken on it, undo what was done, and tell whoever was approached. A benefit that was suspended on \
     it is to be resumed at once.";

static ARREARS: Words = Words {
    zh: Wording {
        name: Detector::Arrears.name_zh(),
        open: "单位 {who} {period} 申报的费款到期未足额缴纳，欠缴 {amount}。",
        cleared: "单位 {who} {period} 申报的费款曾逾期未缴足，最高 {amount}，已于 {until} 解除。",
        rule: "用人单位应当按时足额缴纳社会保险费，逾期的按日加收滞纳金（社会保险法第六十条、第六十三条、第八十六条）。",
        action: "请征收机构核对申报与到账，确属欠缴的责令限期缴纳。先排除缓缴批复、银行退票和入账时差。",
        closing: "本事项无需再处理，为此开办而未了的工作请办结；另请核对是否尚有滞纳金（见明细）。",
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "arrears",
        open: "Enterprise {who} has not paid in full what it declared for {period}: {amount} is overdue.",
        cleared: "Over since {until}: enterprise {who} had been behind with what it declared for {period}, by at most \
                  {amount}.",
        rule: "Contributions are to be paid on time and in full; what is late bears a surcharge by the day (Social \
               Insurance Law, art. 60, 63, 86).",
        action: "Let the collector compare declaration and receipts, and order payment if it is owed. Rule out \
                 deferrals, returned transfers and booking lag first.",
        closing: "Nothing but to close what work was opened on it, and to check whether a late-payment surcharge \
                  remains (see the details).",
        undoing: UNDO_EN,
    },
};

static DECEASED_RECIPIENT: Words = Words {
    zh: Wording {
        name: Detector::DeceasedRecipient.name_zh(),
        open: "人员 {who} 有死亡登记，登记死亡月份之后仍有待遇发放，涉及 {amount}。",
        cleared: "人员 {who} 登记死亡月份之后曾有待遇发放，最高 {amount}，已于 {until} 解除。",
        rule: "养老金发至死亡当月，单位或亲属应在二十个工作日内告知经办机构（社会保险经办条例）；多领的应当退回（社会保险法第八十八条）。",
        action: "请经办机构核实登记，属实的停发并追回多发的待遇；登记有误的，请登记部门更正。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_BENEFIT_ZH,
    },
    en: Wording {
        name: "paid after death",
        open: "A death is registered for person {who}, and benefits were paid for months after it: {amount}.",
        cleared: "Over since {until}: benefits had been paid to person {who} for months after the registered death, \
                  at most {amount}.",
        rule: "A pension is due through the month of death, of which employer or family tell the agency within 20 \
               working days (Regulations on Social Insurance Administration, 2023); what was drawn beyond it is \
               returned (Social Insurance Law, art. 88).",
        action: "Let the agency verify the record; if it is right, stop and recover what was overpaid; if it is \
                 wrong, its registry corrects it.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_BENEFIT_EN,
    },
};

/// A match of numbers alone: `deceased-recipient` under grade C.
static NUMBER_MATCH: Words = Words {
    zh: Wording {
        name: "号码须核实",
        open: "人员 {who} 的号码与一条死亡登记相同，姓名未能印证，须先核实身份；该登记月份之后的发放共 {amount}。",
        cleared: "人员 {who} 的号码曾与一条死亡登记相同，姓名未能印证，该登记月份之后的发放最高 {amount}；预警已于 {until} 解除。",
        rule: "仅号码相同不足以认定身份，须以姓名、户籍或其他来源另行印证，印证之前不作其他认定。",
        action: "请经办机构先核对姓名、户籍和领取资格认证，核实身份之前不要停发待遇。登记号码有误的，请登记部门更正。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_BENEFIT_ZH,
    },
    en: Wording {
        name: "identity check",
        open: "The number of person {who} equals that of a death record, and no name confirms it: verify identity \
               first. Paid for months after that record's month: {amount}.",
        cleared: "Over since {until}: the number of person {who} had equalled that of a death record, and no name \
                  confirmed it; paid for months after that record's month was at most {amount}.",
        rule: "Equal numbers alone do not establish identity: name, household register or another source has to \
               confirm it, and until then nothing else is to be concluded.",
        action: "Let the agency compare name, household register and certification first, and do not stop the benefit \
                 before identity is verified. If the record's number is wrong, its registry corrects it.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_BENEFIT_EN,
    },
};

static DUPLICATE_PAYOUT: Words = Words {
    zh: Wording {
        name: Detector::DuplicatePayout.name_zh(),
        open: "人员 {who} {period} 的{item} 发放了两次或以上，多发 {amount}。",
        cleared: "人员 {who} {period} 的{item} 曾重复发放，最高 {amount}，已于 {until} 解除。",
        rule: "同一人只保留一个养老保险关系，重复领取的应当退还（人社部规〔2016〕5号）。",
        action: "请经办机构核对各笔发放：退票重发、跨区县转移应有冲销；确属重复的，冲销或追回。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "duplicate payout",
        open: "Person {who} was paid {item} for {period} twice or more: {amount} too much.",
        cleared: "Over since {until}: person {who} had been paid {item} for {period} more than once, at most {amount} \
                  beyond the one payout.",
        rule: "A person keeps one pension relation, and what was drawn twice is returned (人社部规〔2016〕5号).",
        action: "Let the agency compare the payouts: reissues and moves between regions should have reversals; what \
                 is double is reversed or recovered.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static INCOMPLETE_FEED: Words = Words {
    zh: Wording {
        name: Detector::IncompleteFeed.name_zh(),
        open: "{region}的{item} 与收到的数据不符：日结报 {records_sent} 笔、{amount_sent}，收到 {records_received} 笔、{amount_received}。",
        cleared: "{region}的{item} 曾与收到的数据不符，已于 {until} 解除。",
        rule: "各报送单位应按营业日完整报送监督所需数据（社会保险基金行政监督办法，人社部令第48号）；时限依系统配置。",
        action: "请报送单位核对日结，补报缺少的记录。补齐后本预警自行解除。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "incomplete feed",
        open: "The {item} of {region} does not agree with what was received: the source says it sent {records_sent} \
               records with {amount_sent}, and {records_received} with {amount_received} came.",
        cleared: "Over since {until}: the {item} of {region} had not agreed with what was received.",
        rule: "Sources report completely by business day what supervision needs (Measures for the Administrative \
               Supervision of Social Insurance Funds, MOHRSS Order 48); the time allowed is that of the \
               configuration.",
        action: "Let the source check its day close and send the missing records. The alert then clears by itself.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static SILENT_FEED: Words = Words {
    zh: Wording {
        name: Detector::SilentFeed.name_zh(),
        open: "{region}的{item} 数据已中断：最近一次日结：{last_close}，已超过规定时限（{close_within_business_days} 个工作日）。",
        cleared: "{region}的{item} 数据曾中断，已于 {until} 解除。",
        rule: "各报送单位应按营业日完整报送监督所需数据（社会保险基金行政监督办法，人社部令第48号）；时限依系统配置。",
        action: "请联系报送单位恢复数据。恢复之前，该区县依赖此数据的缺失类预警不再更新，没有预警不等于没有问题。",
        closing: "本事项无需再处理，为此开办而未了的工作请办结。依赖此数据的缺失类预警已恢复更新。",
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "silent feed",
        open: "The feed {item} of {region} has fallen silent: last day close {last_close}, business days allowed \
               {close_within_business_days}.",
        cleared: "Over since {until}: the feed {item} of {region} had been silent.",
        rule: "Sources report completely by business day what supervision needs (Measures for the Administrative \
               Supervision of Social Insurance Funds, MOHRSS Order 48); the time allowed is that of the \
               configuration.",
        action: "Ask the source to resume. Until then alerts of absence that rest on this feed stand still for the \
                 region: no alert does not mean that all is well.",
        closing: "Nothing but to close what work was opened on it. Alerts of absence that rest on this feed go on.",
        undoing: UNDO_EN,
    },
};

static INDICATOR_BREACH: Words = Words {
    zh: Wording {
        name: Detector::IndicatorBreach.name_zh(),
        open: "{region}的{item}在 {month} 月末为 {value}，{worse}警戒线 {threshold}。",
        cleared: "{region}的{item}曾超出警戒线 {threshold}，{month} 月末为 {value}，已于 {until} 解除。",
        rule: "对基金收支、管理和运行情况实施监督预警（社会保险基金行政监督办法，人社部令第48号）；警戒线依统筹区政策。",
        action: "请核对该指标的分子、分母及数据完整性（fundwatch report health），说明原因并提出改善措施。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "indicator breach",
        open: "At the end of {month} the {item} of {region} was {value}, which is {worse} the threshold of \
               {threshold}.",
        cleared: "Over since {until}: the {item} of {region} had been beyond the threshold of {threshold}; at the end of \
                  {month} it was {value}.",
        rule: "How the fund runs is supervised off-site and warned of early (Measures for the Administrative \
               Supervision of Social Insurance Funds, MOHRSS Order 48); the thresholds are the pool's.",
        action: "Check its inputs and their completeness (fundwatch report health), explain, and say what will be \
                 done.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static LATE_REMITTANCE: Words = Words {
    zh: Wording {
        name: Detector::LateRemittance.name_zh(),
        open: "{region} {period} 征收的费款到期未足额上划，未上划 {amount}。",
        cleared: "{region} {period} 征收的费款曾逾期未划足，最高 {amount}，已于 {until} 解除。",
        rule: "征收的费款应当按时足额进入财政专户，任何单位不得截留、挪用（社会保险法第六十四条；财社〔2017〕144号）；期限依统筹区政策。",
        action: "请区县财政和征收机构核对国库与专户往来，补足上划。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "late remittance",
        open: "{region} has not remitted in full what it collected in {period}: {amount} is missing.",
        cleared: "Over since {until}: {region} had been late in remitting what it collected in {period}, by at most \
                  {amount}.",
        rule: "What was collected goes to the special account in time and in full, and nobody may withhold it (Social \
               Insurance Law, art. 64; 财社〔2017〕144号); the due day is the pool's.",
        action: "Let the region's finance bureau and collector reconcile treasury and special account, and remit the \
                 rest.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static MISSED_PAYOUT: Words = Words {
    zh: Wording {
        name: Detector::MissedPayout.name_zh(),
        open: "人员 {who} {period} 的待遇到期未发放，应发约 {amount}。",
        cleared: "人员 {who} {period} 的待遇曾逾期未发，约 {amount}，已于 {until} 解除。",
        rule: "养老金应当按月按时足额发放（社会保险法第十六条）；发放日依统筹区政策。",
        action: "请经办机构核对发放名册和银行退票，尽快补发并说明原因。先保发放，再查责任。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "missed payout",
        open: "Person {who} was due a benefit for {period} and was not paid: about {amount}.",
        cleared: "Over since {until}: person {who} had been without the benefit for {period}, about {amount}.",
        rule: "Pensions are paid monthly, in full and on time (Social Insurance Law, art. 16); the payout day is the \
               pool's.",
        action: "Let the agency check roster and returned transfers, pay soon and explain: the payment first, the \
                 blame later.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static STALLED_SUBSIDY: Words = Words {
    zh: Wording {
        name: Detector::StalledSubsidy.name_zh(),
        open: "补助 {who}（{region}）到达国库后逾期未划出，滞留 {amount}。",
        cleared: "补助 {who}（{region}）曾在国库逾期滞留，最高 {amount}，已于 {until} 解除。",
        rule: "中央和省级补助应当及时由国库划入财政专户（财社〔2017〕144号）；期限依统筹区政策。",
        action: "请区县财政说明滞留原因，及时划入财政专户。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "stalled subsidy",
        open: "Subsidy {who} ({region}) has not left the treasury in time: {amount} is stalled.",
        cleared: "Over since {until}: subsidy {who} ({region}) had stayed in the treasury too long, at most {amount}.",
        rule: "Central and provincial subsidies are moved from the treasury to the special account in time \
               (财社〔2017〕144号); the days allowed are the pool's.",
        action: "Let the region's finance bureau explain, and move the money to the special account.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static UNAUTHORISED_ITEM: Words = Words {
    zh: Wording {
        name: Detector::UnauthorisedItem.name_zh(),
        open: "{region} {period} 以政策未列的项目 {item} 支出 {amount}。",
        cleared: "{region} {period} 曾以政策未列的项目 {item} 列支，最高 {amount}，已于 {until} 解除。",
        rule: "待遇项目和标准由国家规定，基金专款专用，各地不得擅自增加支付项目（社会保险法第六十四条、第六十九条）。",
        action: "请经办机构说明支付依据；政策已调整的，更新政策文件中的项目清单；没有依据的，停止列支并归还基金。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "unauthorised item",
        open: "{region} paid {amount} for {period} under {item}, an item that the policy does not list.",
        cleared: "Over since {until}: {region} had paid for {period} under {item}, which the policy did not list, at \
                  most {amount}.",
        rule: "Items and standards of benefits are set by the state, and no region may add any (Social Insurance Law, \
               art. 64, 69).",
        action: "Let the agency name the legal basis; if the policy changed, update the policy's list; if there is \
                 none, stop and return the money to the fund.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static UNDECLARED: Words = Words {
    zh: Wording {
        name: Detector::Undeclared.name_zh(),
        open: "单位 {who} 属正常参保状态，{period} 到期未申报，推定应缴 {amount}。",
        cleared: "单位 {who} {period} 曾逾期未申报，推定金额最高 {amount}，已于 {until} 解除。",
        rule: "用人单位应当自行申报、按时缴纳；未按规定申报的，按上月缴费额的百分之一百一十确定应缴数额（社会保险法第六十条、第六十二条）。",
        action: "请征收机构催报；单位已停业、注销的，更新参保状态。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "undeclared",
        open: "Enterprise {who} is active and has not declared {period}: presumably {amount} is due.",
        cleared: "Over since {until}: enterprise {who} had been late in declaring {period}, presumably at most \
                  {amount}.",
        rule: "Employers declare on their own and on time; who does not owes 110% of the month before (Social \
               Insurance Law, art. 60, 62).",
        action: "Let the collector demand the declaration; if the enterprise has closed, update its status.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};

static UNDER_DECLARED_BASE: Words = Words {
    zh: Wording {
        name: Detector::UnderDeclaredBase.name_zh(),
        open: "单位 {who} {period} 申报的缴费基数低于按工资测算的应申报基数，少缴 {amount}。",
        cleared: "单位 {who} {period} 申报的缴费基数曾低于按工资测算的数额，差额最高 {amount}，已于 {until} 解除。",
        rule: "缴费以工资总额为基数，如实申报（社会保险法第十二条、第六十条）；人均基数不低于下限、不高于上限（劳办发〔1997〕116号）。",
        action: "请征收机构调取工资表与个税明细比对。先排除一次性奖金、新参保当月和口径差异。",
        closing: NOTHING_LEFT_ZH,
        undoing: UNDO_ZH,
    },
    en: Wording {
        name: "under-declared base",
        open: "Enterprise {who} declared a base for {period} below what its wages imply: {amount} short.",
        cleared: "Over since {until}: enterprise {who} had declared a base for {period} below what its wages implied; \
                  the contributions differed by at most {amount}.",
        rule: "Contributions are owed on the wage total, declared truthfully (Social Insurance Law, art. 12, 60), per \
               head within floor and ceiling (劳办发〔1997〕116号).",
        action: "Let the collector compare payroll and tax details. Rule out one-off bonuses, new entrants and \
                 differing definitions first.",
        closing: NOTHING_LEFT_EN,
        undoing: UNDO_EN,
    },
};
