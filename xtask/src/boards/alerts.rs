//! *Alerts and casework*: what was told, how grave it is, what became of it, and whether people were reached.

use catalogue::{
    ALERT_EVENTS, ALERTS_CLEARED, ALERTS_OPEN, ALERTS_OPEN_YUAN, MAILS, MAILS_REFUSED,
    OUTBOX_OLDEST, OUTBOX_PENDING,
};

use super::fund_health::{at_a_glance, detector_key, region_choice};
use super::grafana::{Board, Column, Panel, Row, WAN, key};
use super::words;

/// The board.
pub fn board() -> Board {
    Board {
        uid: "fundwatch-alerts",
        title: "预警与办理 / Alerts and casework",
        description: "预警的新发、变更、解除与撤回，严重程度与金额，邮件是否送达。What was told and what became of it, and whether the mails went out.",
        variables: vec![region_choice()],
        rows: vec![
            Row { title: "一眼看清 / At a glance", panels: at_a_glance("") },
            Row { title: "疑点与严重程度 / Detectors and severities", panels: vec![matrix(), by_amount()] },
            Row {
                title: "告知 / Tellings",
                panels: vec![
                    Panel::chart(
                        "告知走势（件/小时）/ Tellings an hour",
                        "新发、复发、变更、解除、撤回的速率，折算为每小时件数。Tellings by kind, as a rate an hour.",
                        (14, 9),
                    )
                    .over_time(
                        format!("3600 * sum by (kind) (rate({ALERT_EVENTS}[$__rate_interval]))"),
                        "{{kind}}",
                    )
                    .axis("件/小时")
                    .fields(words::kind_fields()),
                    tellings(),
                ],
            },
            Row {
                title: "了结 / What is over",
                panels: vec![
                    Panel::bars(
                        "已解除占比 / Part that is cleared",
                        "已解除的占全部（未结加已解除，不含撤回）的比例，按疑点类型；全部区县。Cleared alerts as a part of all that are not withdrawn, of all regions.",
                        (10, 9),
                    )
                    .now(
                        format!(
                            "sort_desc(sum by (detector) ({ALERTS_CLEARED}) / (sum by (detector) ({ALERTS_CLEARED}) + sum by (detector) ({ALERTS_OPEN})))"
                        ),
                        "{{detector}}",
                    )
                    .unit("percentunit", 0)
                    .up_to(1)
                    .thresholds(&[("#37872D", None)])
                    .fields(words::detector_fields()),
                    cleared(),
                ],
            },
            Row { title: "邮件 / Mail", panels: mail() },
        ],
    }
}

fn matrix() -> Panel {
    let columns = words::severities().map(|severity| {
        let name = severity.as_str();
        Column::count(
            &words::severity(severity),
            format!("sum by (detector) ({ALERTS_OPEN}{{region=~\"$region\",severity=\"{name}\"}})"),
        )
    });
    let total = Column::count(
        "合计 total",
        format!("sum by (detector) ({ALERTS_OPEN}{{region=~\"$region\"}})"),
    );
    Panel::table(
        "未结预警（件）/ Open alerts by detector and severity",
        "未结预警数，行为疑点类型，列为严重程度。Open alerts: a row for each detector, a column for each severity.",
        (14, 10),
        &[("detector", "疑点 detector")],
        columns.chain([total]).collect(),
    )
    .fields([detector_key()])
}

fn by_amount() -> Panel {
    Panel::bars(
        "涉及金额（万元）/ Money at stake by detector",
        "未结预警涉及的金额，按疑点类型从大到小，单位万元。Open alerts by detector, the most first, in ten thousand yuan.",
        (10, 10),
    )
    .now(
        format!("sort_desc(sum by (detector) ({ALERTS_OPEN_YUAN}{{region=~\"$region\"}}) / 1e4)"),
        "{{detector}}",
    )
    .unit(WAN, 2)
    .thresholds(&[("#1F60C4", None)])
    .fields(words::detector_fields())
    .link("核查 / Look into it", "${console}/alerts?detector=${__field.labels.detector}")
}

fn tellings() -> Panel {
    Panel::table(
        "告知累计（件）/ Tellings ever",
        "自库建立以来的告知数。撤回是系统自己的更正：后到的事实表明当初不应预警。Tellings since the store was made. A withdrawal is the program's own correction: a late fact showed that nothing was due.",
        (10, 9),
        &[("kind", "方式 kind")],
        vec![Column::count("累计 ever", format!("sum by (kind) ({ALERT_EVENTS})"))],
    )
    .fields([key("方式 kind", words::kind_words(), None)])
}

fn cleared() -> Panel {
    Panel::table(
        "未结与已解除（件）/ Open and cleared",
        "按疑点类型的未结数与已解除数，全部区县；撤回的不计。Open and cleared alerts by detector, of all regions; withdrawn ones left out.",
        (14, 9),
        &[("detector", "疑点 detector")],
        vec![
            Column::count("未结 open", format!("sum by (detector) ({ALERTS_OPEN})")),
            Column::count("已解除 cleared", format!("sum by (detector) ({ALERTS_CLEARED})")),
        ],
    )
    .fields([detector_key()])
}

fn mail() -> Vec<Panel> {
    vec![
        Panel::stat(
            "待发邮件（封）/ Mails that wait",
            "已提交、尚未发出的邮件数。Mails that are committed and not sent yet.",
            (5, 7),
        )
        .now(format!("sum({OUTBOX_PENDING}{{channel=\"mail\"}})"), ""),
        Panel::stat(
            "最久等待 / The longest wait",
            "等得最久的一封已等了多久；超过 10 分钟会告警。The age of the oldest mail that waits; above 10 minutes the operators are told.",
            (5, 7),
        )
        .now(format!("max({OUTBOX_OLDEST}{{channel=\"mail\"}})"), "")
        .unit("s", 0)
        .thresholds(&[("text", None), ("#B58900", Some(120.0)), ("#C4162A", Some(600.0))]),
        Panel::stat(
            "被拒邮件（封）/ Mails refused for good",
            "对方永久拒收、已放弃的邮件数；地址需改正。Mails that were given up: an address has to be put right.",
            (5, 7),
        )
        .now(format!("sum({MAILS_REFUSED})"), "")
        .thresholds(&[("text", None), ("#C4162A", Some(1.0))]),
        Panel::stat(
            "发送结果（次）/ Attempts by result",
            "本次启动以来的发送次数。Attempts to send since the start of the process.",
            (9, 7),
        )
        .now(format!("sum by (result) ({MAILS})"), "{{result}}")
        .with_names()
        .fields(words::mail_fields()),
    ]
}
