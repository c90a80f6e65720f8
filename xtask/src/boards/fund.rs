//! What the ledger tells: balance, flows, money on its way, indicators, projection. Panels of *Fund health* and *Region*.

use catalogue::{
    DIFFERENCE_YUAN, FLOW_YEAR_YUAN, FUND_BALANCE_YUAN, IN_TRANSIT_DAYS, IN_TRANSIT_YUAN,
    INDICATOR_COMPLETE_RATIO, INDICATOR_DAYS, INDICATOR_GRADE, INDICATOR_MONTHS, INDICATOR_RATIO,
    LEDGER_AS_OF, PROJECTION_RESERVE_MONTHS, PROJECTION_YUAN,
};
use domain::Indicator;
use serde_json::Value;

use super::fund_health::with_names;
use super::grafana::{Column, DATE, Panel, key, named, word};

/// Yuan divided by a hundred million.
const YI: &str = "suffix: 亿元";
/// The pool as a whole; its code may be that of a region.
const POOL: &str = "region=\"pool\"";
/// The header of a projection's months.
const MONTHS_AHEAD: &str = "未来第几月 months ahead";
const CHOSEN: &str = "region=~\"$region\",region!=\"pool\"";

/// What the pool has, what moves, what is on its way, what does not close.
pub fn money() -> Vec<Panel> {
    vec![
        Panel::stat(
            "资金数截至 / Money as of",
            "收支、备付和指标所截至的日期。The date that balance, flows and indicators are as of.",
            (6, 5),
        )
        .now(format!("1000 * max({LEDGER_AS_OF})"), "")
        .unit(DATE, 0),
        Panel::stat(
            "累计结余（亿元）/ Accumulated balance",
            "统筹区自数据起点以来收入减支出，单位亿元；精确到分的数见台账。The pool's income less outlay since the start of the feeds; to the fen in the ledger.",
            (6, 5),
        )
        .now(format!("max({FUND_BALANCE_YUAN}) / 1e8"), "")
        .unit(YI, 4),
        Panel::stat(
            "可支付月数 / Reserve months",
            "累计结余可支付的月数：不足 1 个月为红，不足 3 个月为橙，不足 6 个月为黄；数据源不齐时无数。How long the balance lasts: red below 1 month, orange below 3, yellow below 6; no number while a feed is silent.",
            (6, 5),
        )
        .now(format!("max by (indicator) ({INDICATOR_MONTHS}{{{POOL}}})"), "{{indicator}}")
        .with_names()
        .unit("suffix: 个月", 1)
        .thresholds(&[
            ("#C4162A", None),
            ("#D9650A", Some(1.0)),
            ("#B58900", Some(3.0)),
            ("#37872D", Some(6.0)),
        ])
        .fields(indicator_fields()),
        Panel::stat(
            "不平差额（元）/ What does not close",
            "台账各恒等式差额绝对值合计，单位元；零为全部平衡。The differences of the ledger's equations, added up; 0 where all close.",
            (6, 5),
        )
        .now(format!("sum(abs({DIFFERENCE_YUAN}{{{POOL}}}))"), "")
        .unit("locale", 2)
        .thresholds(&[("#37872D", None), ("#C4162A", Some(0.005))]),
        flows((10, 16), POOL),
        transit((14, 16)),
        projection(),
        projected_reserve(),
    ]
}

/// The pool's indicators: value and grade.
pub fn indicators() -> Vec<Panel> {
    graded(POOL)
}

/// What moves in the regions chosen.
pub fn region_money() -> Vec<Panel> {
    vec![flows((10, 16), CHOSEN), transit((14, 16))]
}

/// The indicators of the regions chosen.
pub fn region_indicators() -> Vec<Panel> {
    graded(CHOSEN)
}

fn flows(size: (u32, u32), which: &str) -> Panel {
    Panel::table(
        "近一年收支（元）/ Income and payouts of a year",
        "至最近完整月份的十二个月内各项收支，单位元；未报送的不列。What moved in the twelve months up to the last complete one, in yuan; what was not reported is not there.",
        size,
        &[("flow", "项目 flow")],
        vec![Column::yuan(
            "金额（元）yuan",
            format!("sum by (flow) ({FLOW_YEAR_YUAN}{{{which}}})"),
        )],
    )
    .fields([key("项目 flow", words_of(&FLOWS), None)])
}

fn transit(size: (u32, u32)) -> Panel {
    let of = |metric: &catalogue::Metric, how: &str| {
        with_names(
            &format!("{how} by (step, region) ({metric}{{{CHOSEN}}})"),
            "",
        )
    };
    Panel::table(
        "在途资金（元）/ Money on its way",
        "已离开上一环节、未到下一环节的资金（元）及其中最久的天数。Money between two steps, and the age of the oldest of it.",
        size,
        &[("step", "环节 step"), ("name", "区县 region"), ("region", "代码 code")],
        vec![
            Column::yuan("金额（元）yuan", of(&IN_TRANSIT_YUAN, "sum")),
            Column::count("最久（天）oldest days", of(&IN_TRANSIT_DAYS, "max")),
        ],
    )
    .most_first("金额（元）yuan")
    .fields([key("环节 step", words_of(&STEPS), None)])
}

fn projection() -> Panel {
    let median = |series: &str| {
        format!("sum by (months_ahead) ({PROJECTION_YUAN}{{series=\"{series}\",bound=\"median\"}})")
    };
    Panel::table(
        "预测（元）/ Projection",
        "按现金流恒等式的 12 个月预测（中位数），单位元；是推算，不是承诺。The cash flow projected for 12 months, medians, in yuan: a projection, no promise.",
        (14, 12),
        &[("months_ahead", MONTHS_AHEAD)],
        vec![
            Column::yuan("征缴（元）collected", median("collected")),
            Column::yuan("发放（元）paid out", median("paid_out")),
            Column::yuan("结余（元）balance", median("balance")),
        ],
    )
    .in_order_of(MONTHS_AHEAD)
}

fn projected_reserve() -> Panel {
    let column = |header: &str, bound: &str| Column {
        decimals: 1,
        ..Column::count(
            header,
            format!("max by (months_ahead) ({PROJECTION_RESERVE_MONTHS}{{bound=\"{bound}\"}})"),
        )
    };
    Panel::table(
        "预测可支付月数 / Projected reserve months",
        "预测的可支付月数，下限、中位、上限。The reserve projected: low, median, high.",
        (10, 12),
        &[("months_ahead", MONTHS_AHEAD)],
        vec![
            column("下限 low", "low"),
            column("中位 median", "median"),
            column("上限 high", "high"),
        ],
    )
    .in_order_of(MONTHS_AHEAD)
}

fn graded(which: &str) -> Vec<Panel> {
    let of = |metric: &catalogue::Metric, how: &str| {
        format!("{how} by (indicator) ({metric}{{{which}}})")
    };
    let words = Indicator::ALL.map(|indicator| word(indicator.as_str(), &name(indicator), None));
    vec![
        Panel::table(
            "指标等级 / Indicators",
            "各指标的等级（所选区县中最差者）和所依据数据的齐备程度；“未知”表示数据源未齐，不等于正常。The grade of each indicator, the worst of the regions chosen, and how complete its data are; unknown is not well.",
            (10, 13),
            &[("indicator", "指标 indicator")],
            vec![
                Column {
                    mappings: grade_words(),
                    ..Column::count("等级 grade", of(&INDICATOR_GRADE, "max"))
                },
                Column {
                    unit: "percentunit",
                    ..Column::count("数据齐备 complete", of(&INDICATOR_COMPLETE_RATIO, "min"))
                },
            ],
        )
        .fields([key("指标 indicator", words.into(), None)]),
        Panel::bars(
            "比率类指标 / Ratios",
            "以比率计的指标，所选区县的平均；未知的不列。Indicators that are ratios, the mean of the regions chosen; an unknown one is not there.",
            (8, 13),
        )
        .now(of(&INDICATOR_RATIO, "avg"), "{{indicator}}")
        .unit("percentunit", 1)
        .thresholds(&[("#1F60C4", None)])
        .fields(indicator_fields()),
        Panel::bars(
            "时长类指标（天）/ Days",
            "以天计的指标，所选区县的平均；未知的不列。Indicators that are measured in days, the mean of the regions chosen; an unknown one is not there.",
            (6, 13),
        )
        .now(of(&INDICATOR_DAYS, "avg"), "{{indicator}}")
        .unit("suffix: 天", 0)
        .thresholds(&[("#1F60C4", None)])
        .fields(indicator_fields()),
    ]
}

/// An indicator in both languages.
fn name(indicator: Indicator) -> String {
    format!("{} {}", indicator.name_zh(), indicator.name_en())
}

fn indicator_fields() -> Vec<Value> {
    Indicator::ALL
        .into_iter()
        .map(|indicator| named(indicator.as_str(), &name(indicator), None))
        .collect()
}

fn words_of(names: &[(&str, &str)]) -> Vec<Value> {
    names
        .iter()
        .map(|(value, text)| word(value, text, None))
        .collect()
}

fn grade_words() -> Vec<Value> {
    vec![
        word("0", "正常 good", Some("#37872D")),
        word("1", "黄 yellow", Some("#B58900")),
        word("2", "橙 orange", Some("#D9650A")),
        word("3", "红 red", Some("#C4162A")),
        word("-1", "未知 unknown", Some("#7D7D7D")),
    ]
}

const FLOWS: [(&str, &str); 20] = [
    ("collected", "征缴 collected"),
    ("collection_reversed", "退缴 taken back"),
    ("collected_net", "征缴净额 collected, net"),
    ("remitted_up", "上划 remitted up"),
    ("central_subsidy", "中央补助 central subsidy"),
    ("provincial_subsidy", "省补助 provincial subsidy"),
    ("subsidies", "中央和省补助 both"),
    ("county_subsidy", "同级财政补助 the region's own"),
    ("released", "国库划出 released"),
    ("allocated_down", "拨付 allocated down"),
    ("advanced", "其中调剂 advanced"),
    ("paid_regular", "当期发放 paid, regular"),
    ("paid_back_pay", "补发 back pay"),
    ("paid_lump_sum", "一次性待遇 lump sums"),
    ("paid_survivor", "其中遗属待遇 to survivors"),
    ("paid_unlisted", "其中清单外 unlisted"),
    ("payout_reversed", "退回 taken back"),
    ("paid_net", "发放净额 paid out, net"),
    ("gap", "征缴缺口 gap"),
    ("retained", "专户留存 retained"),
];

const STEPS: [(&str, &str); 3] = [
    ("remittance", "待上划 to be remitted"),
    ("release", "国库待划 to be released"),
    ("payout", "待发放 to be paid out"),
];
