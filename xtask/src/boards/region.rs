//! *Region*: one region of the pool, or several: what is open there, and whether its feeds can be relied on.

use catalogue::{ALERTS_OPEN, ALERTS_OPEN_YUAN, AS_OF};

use super::fund_health::{at_a_glance, by_detector, region_choice, with_names};
use super::grafana::{Board, Column, Panel, Row, WAN, key};
use super::{fund, words};

/// The board.
pub fn board() -> Board {
    Board {
        uid: "fundwatch-region",
        title: "区县 / Region",
        description: "所选区县的未结预警、涉及金额、数据到位情况和指标。What is open in the regions chosen, how much is at stake, and whether their data are there.",
        variables: vec![region_choice()],
        rows: vec![
            Row { title: "一眼看清 / At a glance", panels: at_a_glance("") },
            Row {
                title: "疑点 / What is open",
                panels: vec![
                    open_over_time(),
                    by_detector((10, 10)),
                ],
            },
            Row {
                title: "占比与数据 / Share, and data",
                panels: vec![
                    Panel::bars(
                        "占统筹区涉及金额的比例 / Share of the pool's money at stake",
                        "各区县未结预警金额占全部区县合计的比例。Each region's part of the money at stake in the pool.",
                        (8, 10),
                    )
                    .now(
                        format!(
                            "sort_desc({})",
                            with_names(
                                &format!("sum by (region) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}})"),
                                &format!("/ scalar(sum({ALERTS_OPEN_YUAN}))"),
                            )
                        ),
                        "{{name}}",
                    )
                    .unit("percentunit", 1)
                    .up_to(1)
                    .thresholds(&[("#1F60C4", None)])
                    .link("核查 / Look into it", "${console}/alerts?region=${__field.labels.region}"),
                    data_by_feed(),
                ],
            },
            Row {
                title: "涉及金额 / Money at stake",
                panels: vec![
                    Panel::chart(
                        "涉及金额走势（万元）/ Money at stake by region",
                        "所选区县未结预警涉及的金额，单位万元。Open alerts of the regions chosen, in ten thousand yuan.",
                        (24, 8),
                    )
                    .over_time(
                        with_names(
                            &format!("sum by (region) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}})"),
                            "/ 1e4",
                        ),
                        "{{name}}",
                    )
                    .unit(WAN, 2)
                    .axis("万元"),
                ],
            },
            Row { title: "收支 / Income and payouts", panels: fund::region_money() },
            Row { title: "指标 / Indicators", panels: fund::region_indicators() },
        ],
    }
}

/// From the lightest at the bottom to the gravest on top.
fn open_over_time() -> Panel {
    let mut panel = Panel::chart(
        "未结预警走势（件）/ Open alerts",
        "所选区县按严重程度的未结预警数。Open alerts of the regions chosen, by severity.",
        (14, 10),
    )
    .axis("件")
    .stacked()
    .fields(words::severity_fields())
    .link(
        "核查 / Look into it",
        "${console}/alerts?severity=${__field.labels.severity}&region=${region:csv}",
    );
    for severity in words::severities().rev() {
        let name = severity.as_str();
        panel = panel.over_time(
            format!("sum by (severity) ({ALERTS_OPEN}{{region=~\"$region\",severity=\"{name}\"}})"),
            "{{severity}}",
        );
    }
    panel
}

fn data_by_feed() -> Panel {
    let named = |answer: &str| with_names(answer, "");
    let delay = "topic_region:fundwatch_feed_delay:days{region=~\"$region\"}";
    Panel::table(
        "数据到位情况 / Data by feed",
        "每个区县每类数据的最近日结日期和落后业务日期的天数。落后即“未发生”类预警暂停，不代表无事。The last day close of each feed and region, and how far it is behind: what is silent is unknown, not fine.",
        (16, 10),
        &[("name", "区县 region"), ("topic", "数据 feed"), ("region", "代码 code")],
        vec![
            Column::date(
                "数据截至 as of",
                &named(&format!("max by (topic, region) ({AS_OF}{{region=~\"$region\"}})")),
            ),
            Column::count("落后（天）days behind", named(delay)),
            Column {
                mappings: words::delay_words(),
                ..Column::count("状态 state", named(delay))
            },
        ],
    )
    .most_first("落后（天）days behind")
    .fields([key("数据 feed", words::topic_words(), None)])
}
