//! *Fund health*: how the fund stands, for officials. One look, then money, then regions.

use catalogue::{ALERTS_OPEN, ALERTS_OPEN_YUAN, AS_OF, PRESENT, REGION_INFO};
use domain::Severity;

use super::grafana::{Board, Column, DATE, Panel, Row, WAN, key};
use super::{fund, words};

/// Where a click on a figure leads.
const ALERTS: &str = "${console}/alerts";

/// The board.
pub fn board() -> Board {
    Board {
        uid: "fundwatch-fund-health",
        title: "基金健康 / Fund health",
        description: "基金整体状况：数据截至日、未结预警与涉及金额、区县排名、收支与备付。How the fund stands: as of when, what is open, how much money is at stake, where.",
        variables: vec![region_choice()],
        rows: vec![
            Row { title: "一眼看清 / At a glance", panels: at_a_glance("") },
            Row {
                title: "涉及金额 / Money at stake",
                panels: vec![
                    Panel::chart(
                        "涉及金额走势（万元）/ Money at stake",
                        "未结预警涉及的金额，按疑点类型堆叠，单位万元。来源：已提交的预警。Open alerts by detector, in ten thousand yuan; source: committed alerts.",
                        (14, 10),
                    )
                    .over_time(
                        format!("sum by (detector) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}}) / 1e4"),
                        "{{detector}}",
                    )
                    .unit(WAN, 2)
                    .axis("万元")
                    .stacked()
                    .fields(words::detector_fields())
                    .link("核查 / Look into it", "${console}/alerts?detector=${__field.labels.detector}"),
                    by_detector((10, 10)),
                ],
            },
            Row {
                title: "区县 / Regions",
                panels: vec![
                    Panel::bars(
                        "区县排名（万元）/ Regions by money at stake",
                        "各区县未结预警涉及的金额，从大到小，单位万元。Open alerts by region, the most first, in ten thousand yuan.",
                        (8, 10),
                    )
                    .now(
                        format!(
                            "sort_desc({})",
                            with_names(&format!("sum by (region) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}})"), "/ 1e4")
                        ),
                        "{{name}}",
                    )
                    .unit(WAN, 2)
                    .thresholds(&[("#1F60C4", None)])
                    .link("核查 / Look into it", "${console}/alerts?region=${__field.labels.region}"),
                    by_region((16, 10)),
                ],
            },
            Row { title: "收支与备付 / Income, payouts, reserve", panels: fund::money() },
            Row { title: "指标 / Indicators", panels: fund::indicators() },
        ],
    }
}

/// Which regions.
pub fn region_choice() -> serde_json::Value {
    super::grafana::choice(
        "region",
        "区县 / Region",
        &format!("query_result({REGION_INFO})"),
        r#"/name="(?<text>[^"]+)".*region="(?<value>[^"]+)"/"#,
    )
}

/// The first row of the boards on the fund; `more` narrows down which alerts.
pub fn at_a_glance(more: &str) -> Vec<Panel> {
    let which = format!("{{region=~\"$region\"{more}}}");
    let mut by_severity = Panel::stat(
        "未结预警 / Open alerts",
        "按严重程度的未结预警数。红：立即处置；橙：当日核查；黄、蓝：随日报处理。Open alerts by severity: red at once, orange today, yellow and blue with the digest.",
        (10, 4),
    )
    .with_names()
    .fields(words::severity_fields())
    .link("核查 / Look into it", "${console}/alerts?severity=${__field.labels.severity}");
    for severity in words::severities() {
        let name = severity.as_str();
        by_severity = by_severity.now(
            format!(
                "sum by (severity) ({ALERTS_OPEN}{{region=~\"$region\",severity=\"{name}\"{more}}})"
            ),
            "{{severity}}",
        );
    }
    vec![
        Panel::stat(
            "数据截至 / Data as of",
            "所选区县全部数据源中最早的日结日期：此日之前的事实都已齐全。The earliest day close of all feeds of the regions: up to it, all facts are known.",
            (4, 4),
        )
        .now(format!("1000 * min({AS_OF}{{region=~\"$region\"}})"), "")
        .unit(DATE, 0),
        Panel::stat(
            "数据时效 / Timeliness of data",
            "最慢的数据源落后业务日期的天数：4 天以内为及时，10 天以内为偏慢，更久为中断（“未发生”类预警此时暂停）。How far the slowest feed is behind the business date; a silent feed holds back alerts of what did not happen.",
            (4, 4),
        )
        .now(
            "max(topic_region:fundwatch_feed_delay:days{region=~\"$region\"})",
            "",
        )
        .unit("suffix: 天", 0)
        .words(words::delay_words()),
        by_severity,
        Panel::stat(
            "涉及金额（万元）/ Money at stake",
            "未结预警涉及金额合计，单位万元；精确到分的数见下表和台账。Sum over open alerts, in ten thousand yuan; to the fen in the table below and in the store.",
            (6, 4),
        )
        .now(format!("sum({ALERTS_OPEN_YUAN}{which}) / 1e4"), "")
        .unit(WAN, 2)
        .link("核查 / Look into it", ALERTS),
    ]
}

/// The column of detectors: a click leads to their alerts.
pub fn detector_key() -> serde_json::Value {
    key(
        "疑点 detector",
        words::detector_words(),
        Some((
            "核查 / Look into it",
            "${console}/alerts?detector=${__value.raw}",
        )),
    )
}

/// Open alerts and amounts by detector: the table beside a chart.
pub fn by_detector(size: (u32, u32)) -> Panel {
    Panel::table(
        "按疑点类型（元）/ By detector",
        "未结预警数、其中红色和橙色的数量、涉及金额（元，精确到分）。Open alerts, red and orange ones, yuan at stake to the fen.",
        size,
        &[("detector", "疑点 detector")],
        vec![
            Column::count("未结 open", format!("sum by (detector) ({ALERTS_OPEN}{{region=~\"$region\"}})")),
            Column::count(
                "红橙 red+orange",
                format!("sum by (detector) ({ALERTS_OPEN}{{region=~\"$region\",severity=~\"red|orange\"}})"),
            ),
            Column::yuan("金额（元）yuan", format!("sum by (detector) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}})")),
        ],
    )
    .fields([detector_key()])
}

fn by_region(size: (u32, u32)) -> Panel {
    let mut columns: Vec<Column> = [
        Severity::Red,
        Severity::Orange,
        Severity::Yellow,
        Severity::Blue,
    ]
    .into_iter()
    .map(|severity| {
        let name = severity.as_str();
        Column::count(
            &words::severity(severity),
            with_names(
                &format!(
                    "sum by (region) ({ALERTS_OPEN}{{region=~\"$region\",severity=\"{name}\"}})"
                ),
                "",
            ),
        )
    })
    .collect();
    columns.push(Column::yuan(
        "金额（元）yuan",
        with_names(
            &format!("sum by (region) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}})"),
            "",
        ),
    ));
    columns.push(Column::date(
        "数据截至 as of",
        &with_names(
            &format!("min by (region) ({AS_OF}{{region=~\"$region\"}})"),
            "",
        ),
    ));
    Panel::table(
        "区县一览（元）/ Regions",
        "各区县按严重程度的未结预警数、涉及金额（元）和数据截至日。Open alerts by severity, yuan at stake, and as-of date of each region.",
        size,
        &[("name", "区县 region"), ("region", "代码 code")],
        columns,
    )
    .fields([key(
        "代码 code",
        Vec::new(),
        Some(("区县详情 / The region's board", "/d/fundwatch-region?var-region=${__value.raw}")),
    )])
}

/// An answer by region gets the regions' names; `then` is done to the values.
pub fn with_names(by_region: &str, then: &str) -> String {
    let joined = format!(
        "{by_region} * on (region) group_left (name) max by (region, name) ({REGION_INFO})"
    );
    if then.is_empty() {
        joined
    } else {
        format!("({joined}) {then}")
    }
}

/// The present business date, for boards that show it.
pub fn business_date(size: (u32, u32)) -> Panel {
    Panel::stat(
        "业务日期 / Business date",
        "系统当前的业务日期；模拟或按数据时钟运行时，为已日结的最晚日期。The present business date; with the feeds' clock, the latest date closed.",
        size,
    )
    .now(format!("1000 * max({PRESENT})"), "")
    .unit(DATE, 0)
}
