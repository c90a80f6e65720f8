//! What the ledger tells: balance, flows, money on its way, indicators, projection. Panels of *Fund health* and *Region*.
//!
//! They are on a board once the catalogue has their metrics among those that are exported.

use catalogue::{
    FUND_AS_OF, FUND_DIFFERENCE, FUND_FLOW, FUND_INDICATOR, FUND_INDICATOR_COMPLETENESS,
    FUND_INDICATOR_LEVEL, FUND_POSITION, FUND_PROJECTION, FUND_PROJECTION_RESERVE, FUND_TRANSIT,
    FUND_TRANSIT_AGE,
};
use serde_json::Value;

use super::fund_health::with_names;
use super::grafana::{Column, DATE, Panel, key, named, word};

/// Yuan divided by a hundred million.
const YI: &str = "suffix: 亿元";
const POOL: &str = "unit=\"pool\"";
const CHOSEN: &str = "unit=~\"$region\",unit!=\"pool\"";

/// What the pool has, what moves, what is on its way, what does not close.
pub fn money() -> Vec<Panel> {
    vec![
        Panel::stat(
            "资金数截至 / Money as of",
            "收支、备付和指标所截至的日期。The date that balance, flows and indicators are as of.",
            (6, 5),
        )
        .now(format!("1000 * max({FUND_AS_OF})"), "")
        .unit(DATE, 0),
        Panel::stat(
            "累计结余（亿元）/ Accumulated balance",
            "统筹区自数据起点以来收入减支出，单位亿元；精确到分的数见台账。The pool's income less outlay since the start of the feeds; to the fen in the ledger.",
            (6, 5),
        )
        .now(format!("max({FUND_POSITION}{{{POOL}}}) / 1e8"), "")
        .unit(YI, 4),
        Panel::stat(
            "可支付月数 / Reserve months",
            "累计结余可支付的月数：不足 1 个月为红，不足 3 个月为橙，不足 6 个月为黄；数据源不齐时无数。How long the balance lasts: red below 1 month, orange below 3, yellow below 6; no number while a feed is silent.",
            (6, 5),
        )
        .now(format!("max({FUND_INDICATOR}{{{POOL},indicator=\"reserve-months\"}})"), "")
        .unit("suffix: 个月", 1)
        .thresholds(&[
            ("#C4162A", None),
            ("#D9650A", Some(1.0)),
            ("#B58900", Some(3.0)),
            ("#37872D", Some(6.0)),
        ]),
        Panel::stat(
            "不平差额（元）/ What does not close",
            "台账各恒等式差额绝对值合计，单位元；零为全部平衡。The differences of the ledger's equations, added up; 0 where all close.",
            (6, 5),
        )
        .now(format!("sum(abs({FUND_DIFFERENCE}{{{POOL}}}))"), "")
        .unit("locale", 2)
        .thresholds(&[("#37872D", None), ("#C4162A", Some(0.005))]),
        flows((10, 12), POOL),
        transit((14, 12), CHOSEN),
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
    vec![flows((10, 12), CHOSEN), transit((14, 12), CHOSEN)]
}

/// The indicators of the regions chosen.
pub fn region_indicators() -> Vec<Panel> {
    graded(CHOSEN)
}

fn flows(size: (u32, u32), which: &str) -> Panel {
    let of = |window: &str| format!("sum by (flow) ({FUND_FLOW}{{{which},window=\"{window}\"}})");
    Panel::table(
        "收支（元）/ Income and payouts",
        "最近完整月份与至该月的一年内各项收支，单位元。What moved in the last complete month, and in the year up to it, in yuan.",
        size,
        &[("flow", "项目 flow")],
        vec![Column::yuan("当月（元）month", of("month")), Column::yuan("近一年（元）year", of("year"))],
    )
    .fields([key("项目 flow", words_of(&FLOWS), None)])
}

fn transit(size: (u32, u32), which: &str) -> Panel {
    let by_name = |metric: &catalogue::Metric, how: &str| {
        with_names(
            &format!(
                "{how} by (step, region) (label_replace({metric}{{{which}}}, \"region\", \"$1\", \"unit\", \"(.*)\"))"
            ),
            "",
        )
    };
    Panel::table(
        "在途资金（元）/ Money on its way",
        "已离开上一环节、未到下一环节的资金（元）及其按金额加权的平均滞留天数。Money between two steps, and its mean age weighted by value.",
        size,
        &[("step", "环节 step"), ("name", "区县 region"), ("region", "代码 code")],
        vec![
            Column::yuan("金额（元）yuan", by_name(&FUND_TRANSIT, "sum")),
            Column::count("平均（天）mean days", by_name(&FUND_TRANSIT_AGE, "max")),
        ],
    )
    .fields([key("环节 step", words_of(&STEPS), None)])
}

fn projection() -> Panel {
    Panel::table(
        "预测（元）/ Projection",
        "按现金流恒等式的 12 个月预测（中位数），单位元；是推算，不是承诺。The cash flow projected for 12 months, medians, in yuan: a projection, no promise.",
        (14, 12),
        &[("months_ahead", "未来第几月 months ahead")],
        [
            ("collected", "征缴（元）collected"),
            ("paid_out", "发放（元）paid out"),
            ("balance", "结余（元）balance"),
        ]
        .map(|(series, header)| {
            let median = format!("{{{POOL},series=\"{series}\",quantile=\"median\"}}");
            Column::yuan(
                header,
                format!("sum by (months_ahead) ({FUND_PROJECTION}{median})"),
            )
        })
        .into(),
    )
}

fn projected_reserve() -> Panel {
    let of = |quantile: &str| {
        format!(
            "max by (months_ahead) ({FUND_PROJECTION_RESERVE}{{{POOL},quantile=\"{quantile}\"}})"
        )
    };
    let column = |header: &str, quantile: &str| Column {
        decimals: 1,
        ..Column::count(header, of(quantile))
    };
    Panel::table(
        "预测可支付月数 / Projected reserve months",
        "预测的可支付月数，下限、中位、上限。The reserve projected: low, median, high.",
        (10, 12),
        &[("months_ahead", "未来第几月 months ahead")],
        vec![
            column("下限 low", "low"),
            column("中位 median", "median"),
            column("上限 high", "high"),
        ],
    )
}

fn graded(which: &str) -> Vec<Panel> {
    let of = |metric: &catalogue::Metric, how: &str| {
        format!("{how} by (indicator) ({metric}{{{which}}})")
    };
    let complete = Column {
        unit: "percentunit",
        ..Column::count("数据齐备 complete", of(&FUND_INDICATOR_COMPLETENESS, "min"))
    };
    let grades = Panel::table(
        "指标等级 / Indicators",
        "各指标的等级（所选区县中最差者）和所依据数据的齐备程度；“未知”表示数据源未齐，不等于正常。The grade of each indicator, the worst of the regions chosen, and how complete its data are; unknown is not well.",
        (10, 13),
        &[("indicator", "指标 indicator")],
        vec![
            Column {
                mappings: grade_words(),
                ..Column::count("等级 grade", of(&FUND_INDICATOR_LEVEL, "max"))
            },
            complete,
        ],
    );
    let ratios = Panel::bars(
        "比率类指标 / Ratios",
        "以比率计的指标，所选区县的平均。Indicators that are ratios, the mean of the regions chosen.",
        (8, 13),
    )
    .now(of_kind(which, &RATIOS), "{{indicator}}")
    .unit("percentunit", 1)
    .thresholds(&[("#1F60C4", None)]);
    let times = Panel::bars(
        "时长类指标（天）/ Days",
        "以天计的指标，所选区县的平均。Indicators that are measured in days, the mean of the regions chosen.",
        (6, 13),
    )
    .now(of_kind(which, &TIMES), "{{indicator}}")
    .unit("suffix: 天", 0)
    .thresholds(&[("#1F60C4", None)]);
    let fields = |names: &[(&str, &str)]| -> Vec<Value> {
        names
            .iter()
            .map(|(name, text)| named(name, text, None))
            .collect()
    };
    let words = [words_of(&MONTHS), words_of(&RATIOS), words_of(&TIMES)].concat();
    vec![
        grades.fields([key("指标 indicator", words, None)]),
        ratios.fields(fields(&RATIOS)),
        times.fields(fields(&TIMES)),
    ]
}

fn of_kind(which: &str, indicators: &[(&str, &str)]) -> String {
    let names: Vec<&str> = indicators.iter().map(|(name, _)| *name).collect();
    format!(
        "avg by (indicator) ({FUND_INDICATOR}{{{which},indicator=~\"{}\"}})",
        names.join("|")
    )
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
        word("-2", "不适用 not applicable", Some("#7D7D7D")),
        word("-3", "不评级 not graded", Some("#7D7D7D")),
    ]
}

const FLOWS: [(&str, &str); 12] = [
    ("collected_net", "征缴净额 collected"),
    ("remitted_up", "上划 remitted up"),
    ("central_subsidy", "中央补助 central subsidy"),
    ("provincial_subsidy", "省补助 provincial subsidy"),
    ("county_subsidy", "同级财政补助 the region's own"),
    ("released", "国库划出 released"),
    ("allocated_down", "拨付 allocated down"),
    ("advanced", "其中调剂 advanced"),
    ("paid_net", "发放净额 paid out"),
    ("paid_unlisted", "其中清单外 unlisted"),
    ("gap", "征缴缺口 gap"),
    ("retained", "专户留存 retained"),
];

const STEPS: [(&str, &str); 3] = [
    ("remittance", "待上划 to be remitted"),
    ("release", "国库待划 to be released"),
    ("payout", "待发放 to be paid out"),
];

const MONTHS: [(&str, &str); 2] = [
    ("reserve-months", "可支付月数 reserve months"),
    ("runway", "预计可支付月数 projected reserve"),
];

const RATIOS: [(&str, &str); 10] = [
    ("surplus-ratio", "当期结余率 surplus"),
    ("gap-ratio", "征缴缺口率 gap"),
    ("subsidy-dependence", "补助依赖度 subsidies"),
    ("dependency-ratio", "赡养率 dependency"),
    ("collection-rate", "征缴率 collection"),
    ("arrears-ratio", "欠费率 arrears"),
    (
        "remittance-timeliness-amount",
        "上划及时率（金额）remitted in time",
    ),
    ("remittance-timeliness-count", "上划及时率（笔数）by count"),
    ("payout-timeliness", "发放及时率 paid in time"),
    ("control-total-difference", "对账差错率 control totals"),
];

const TIMES: [(&str, &str); 3] = [
    ("arrears-age", "欠费账龄 age of arrears"),
    ("dwell-days", "上划滞留天数 dwell"),
    ("subsidy-dwell-days", "补助滞留天数 subsidy dwell"),
];
